"""What every API must do for a run, whichever version it is: each adapter against the emulator, told in a run's words
only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from tests.support.rehearsal import SCHEMA, settle

from bulkforce import BearerToken, Client, errors
from bulkforce.apis.abc import (
    BatchEnd,
    BatchSeen,
    ContentRefused,
    Found,
    IngestApi,
    JobSeen,
    JobStanding,
    Listed,
    Looked,
    Looks,
    Piece,
    QueryApi,
    QueryFault,
    ResultFile,
    Sent,
    Uploaded,
)
from bulkforce.apis.ingest1 import Ingest1
from bulkforce.apis.ingest2 import Ingest2
from bulkforce.apis.query1 import Query1
from bulkforce.apis.query2 import Query2
from bulkforce.protocol import soql
from bulkforce.protocol.exchange import Body
from bulkforce.protocol.flow import Flow
from bulkforce.protocol.pk_chunking import PKChunking
from bulkforce.protocol.retry import RetryPolicy
from bulkforce.protocol.wire import short
from bulkforce_emulator import Emulator, Fault
from bulkforce_emulator.mishaps import Mishap
from bulkforce_emulator.settings import Settings
from bulkforce_emulator.state.lifecycle import Pace

LOOKS = Looks(10.0, 4)
INGEST: dict[str, Callable[[str], IngestApi]] = {
    "v1": lambda operation: Ingest1.of(operation, "Row__c", LOOKS),
    "2.0": lambda operation: Ingest2.of(operation, "Row__c", LOOKS),
}
QUERY: dict[str, Callable[[str], QueryApi]] = {
    "v1": lambda operation: Query1(operation, "Row__c", LOOKS),
    "2.0": lambda operation: Query2(operation, "66.0"),
    "2.0 without lists of pages": lambda operation: Query2(operation, "55.0"),
}

GOOD = b"Code__c,Text__c\na,1\nb,2\n"
OTHER = b"Code__c,Text__c\nc,3\n"
NO_JOB = "750000000000000AAA"


@dataclass
class Bench:
    """An org, and what runs flows against it; waits are noted and take no time."""

    org: Emulator
    client: Client
    waited: list[float]
    folder: Path

    def fetched(self, api: IngestApi, job_id: str, batch_id: str, *, whole: bool = True) -> Path:
        """Fetch results into a file; it stays empty if there are none."""
        path = self.folder / "results"
        with path.open("wb") as file:
            assert self.run(api.fetch_results(job_id, batch_id, file.write, whole=whole)) is bool(file.tell())
        return path

    def run(self, flow: Flow[Any]) -> Any:
        return self.client.driver.run(flow, self.waited.append)

    def look_until_ended(self, look: Callable[[], Flow[Looked]], batch_id: str) -> BatchSeen:
        assert self.org.wait_until_idle(600.0)
        seen: BatchSeen = self.run(look()).batches[short(batch_id)]
        assert seen.end is not None
        return seen


@pytest.fixture(scope="module")
def running() -> Iterator[Emulator]:
    with Emulator(SCHEMA, settings=Settings(result_set_records=2, largest_set_records=2)) as org:
        yield org


@pytest.fixture
def bench(running: Emulator, tmp_path: Path) -> Iterator[Bench]:
    with Client(running.base_url, BearerToken(running.session_id), retry=RetryPolicy(attempts=1)) as client:
        yield Bench(running, client, [], tmp_path)
    settle(running)


@pytest.fixture(params=INGEST)
def ingest(request: pytest.FixtureRequest) -> IngestApi:
    return INGEST[request.param]("insert")


@pytest.fixture
def many() -> IngestApi:
    """The API whose jobs take many batches, each of which counts at once."""
    return INGEST["v1"]("insert")


@pytest.fixture(params=QUERY)
def query(request: pytest.FixtureRequest) -> QueryApi:
    return QUERY[request.param]("query")


def opened(bench: Bench, api: IngestApi) -> str:
    job: JobSeen = bench.run(api.open())
    assert job.standing is JobStanding.OPEN
    return job.id


def added(bench: Bench, api: IngestApi, job_id: str, content: bytes = GOOD) -> str:
    """Send a batch, and let it count."""
    batch = bench.run(api.send(job_id, Body.of(content)))
    if isinstance(batch, Uploaded):
        batch = bench.run(api.commit(job_id))
    assert isinstance(batch, BatchSeen)
    return batch.id


def of(content: bytes) -> Sent:
    return Sent(sha256(content).hexdigest(), lambda: content)


def piece(content: bytes, *ids: str) -> Piece:
    header, *rows = content.splitlines(keepends=True)
    return Piece(len(rows), header, lambda: iter(rows), lambda: [one.encode() for one in ids])


def test_batch_has_a_result_for_each_of_its_records_in_their_order(bench: Bench, ingest: IngestApi) -> None:
    before = bench.org.count("Row__c")
    job_id = opened(bench, ingest)
    batch_id = added(bench, ingest, job_id, b"Code__c,Text__c\na,1\n,2\nc,3\n")
    seen = bench.look_until_ended(lambda: ingest.look(job_id, [short(batch_id)]), batch_id)
    assert (seen.end, seen.processed, seen.failed, seen.never_run) == (BatchEnd.COMPLETED, 3, 1, False)
    assert bench.run(ingest.look_at_batch(job_id, batch_id)) == seen
    of_three = piece(b"Code__c,Text__c\na,1\n,2\nc,3\n")
    content = bench.fetched(ingest, job_id, batch_id)
    assert ingest.check_results(content, of_three, whole=True, failed=1) is None
    outcomes = ingest.read_results(content, of_three, whole=True).outcomes
    assert [mark.endswith(b",true,") for mark in outcomes.marks] == [True, False, True]
    assert list(outcomes.errors) == [1]
    assert "REQUIRED_FIELD_MISSING" in outcomes.errors[1]
    assert bench.org.count("Row__c") == before + 2


def test_results_that_are_not_those_of_the_batch_are_told(bench: Bench, ingest: IngestApi) -> None:
    job_id = opened(bench, ingest)
    batch_id = added(bench, ingest, job_id)
    bench.look_until_ended(lambda: ingest.look(job_id, [short(batch_id)]), batch_id)
    path = bench.fetched(ingest, job_id, batch_id)
    content = path.read_bytes()
    for wrong in (content[:-10], content + content.splitlines()[-1] + b"\n", b"<html>", b"\xff" + content):
        path.write_bytes(wrong)
        assert ingest.check_results(path, piece(GOOD), whole=True)
        with pytest.raises(errors.FormatError):
            ingest.read_results(path, piece(GOOD), whole=True)
    path.write_bytes(content)
    assert ingest.check_results(path, piece(GOOD), whole=True, failed=1)


def test_content_that_the_org_finds_wrong_is_refused_for_good(bench: Bench, many: IngestApi) -> None:
    refused = bench.run(many.send(opened(bench, many), Body.of(b"")))
    assert isinstance(refused, ContentRefused)
    assert refused.reason


def test_job_that_takes_no_batches_any_more_is_told_instead_of_a_batch(bench: Bench, ingest: IngestApi) -> None:
    closed, aborted = opened(bench, ingest), opened(bench, ingest)
    bench.run(ingest.close(closed))
    bench.org.abort_job(aborted)
    # A job that takes only one batch is closed without one by aborting it.
    without = JobStanding.ABORTED if ingest.one_batch_a_job else JobStanding.CLOSED
    for job_id, standing in ((closed, without), (aborted, JobStanding.ABORTED)):
        job = bench.run(ingest.send(job_id, Body.of(GOOD)))
        assert (job.id, job.standing) == (job_id, standing)


@pytest.mark.parametrize("arrives", [True, False])
def test_batch_whose_answer_is_lost_is_found_or_certainly_absent(bench: Bench, many: IngestApi, arrives: bool) -> None:
    job_id = opened(bench, many)
    known = added(bench, many, job_id)
    bench.org.faults.add(Fault("answer lost" if arrives else "request lost", "POST", "*/batch"))
    with pytest.raises(errors.OutcomeUnknown):
        bench.run(many.send(job_id, Body.of(OTHER)))
    found: Found = bench.run(many.settle(job_id, {known}, {7: of(OTHER)}))
    assert (list(found.adopted), found.strangers) == ([7] if arrives else [], ())
    assert sum(bench.waited) >= LOOKS.seconds, "absence is believed at the second look"
    # Whatever comes now comes too late.
    assert isinstance(bench.run(many.send(job_id, Body.of(OTHER))), JobSeen)


def test_batches_that_are_none_of_ours_are_told_as_strangers(bench: Bench, many: IngestApi) -> None:
    job_id = opened(bench, many)
    known, stranger = added(bench, many, job_id), added(bench, many, job_id, OTHER)
    with pytest.raises(errors.Unsettled) as caught:
        bench.run(many.audit(job_id, {known}, doubts=False, ours_to_close=False, closed=False))
    assert (caught.value.why, set(caught.value.strangers)) == ("strangers", {stranger})
    assert bench.run(many.settle(job_id, {known}, {7: of(b"Code__c\nx\n")})) == Found({}, (stranger,))


def test_job_that_holds_what_it_should_passes_the_audit(bench: Bench, many: IngestApi) -> None:
    job_id = opened(bench, many)
    known = {added(bench, many, job_id), added(bench, many, job_id)}
    assert (
        bench.run(many.audit(job_id, known, doubts=False, ours_to_close=True, closed=False)).standing
        is JobStanding.OPEN
    )
    bench.run(many.close(job_id))
    assert (
        bench.run(many.audit(job_id, known, doubts=False, ours_to_close=False, closed=True)).standing
        is JobStanding.CLOSED
    )
    with pytest.raises(errors.Unsettled) as caught:
        bench.run(many.audit(job_id, known, doubts=False, ours_to_close=True, closed=False))
    assert caught.value.why == "closed"


def test_batch_that_never_ran_is_told_so_together_with_its_job(bench: Bench, ingest: IngestApi) -> None:
    bench.org.set_pace(Pace.manual())
    job_id = opened(bench, ingest)
    batch_id = short(added(bench, ingest, job_id))
    assert bench.run(ingest.look(job_id, [batch_id])).batches[batch_id].end is None
    bench.org.abort_job(job_id)
    looked: Looked = bench.run(ingest.look(job_id, [batch_id]))
    assert looked.batches[batch_id].never_run
    assert looked.job is not None
    assert looked.job.standing is JobStanding.ABORTED


def test_list_without_a_batch_that_was_accepted_is_not_believed(bench: Bench, ingest: IngestApi) -> None:
    job_id = opened(bench, ingest)
    with pytest.raises(errors.ProtocolError, match="lacks batch"):
        bench.run(ingest.look(job_id, [short("751000000000001AAA")]))


def test_batch_that_failed_as_a_whole_has_its_reason_and_no_results_for_records(
    bench: Bench, ingest: IngestApi
) -> None:
    bench.org.mishaps.plan(Mishap(message="InvalidBatch : no good"), object="Row__c")
    job_id = opened(bench, ingest)
    batch_id = added(bench, ingest, job_id)
    seen = bench.look_until_ended(lambda: ingest.look(job_id, [short(batch_id)]), batch_id)
    assert (seen.end, seen.message) == (BatchEnd.FAILED, "InvalidBatch : no good")
    path = bench.fetched(ingest, job_id, batch_id, whole=False)
    assert not any(ingest.read_results(path, piece(GOOD), whole=False).outcomes.marks)


def test_job_that_the_org_does_not_have_is_not_found_and_needs_no_closing(bench: Bench, many: IngestApi) -> None:
    bench.run(many.close(NO_JOB))
    for flow in (
        many.look(NO_JOB, []),
        many.settle(NO_JOB, [], {}),
        many.audit(NO_JOB, [], doubts=False, ours_to_close=False, closed=False),
    ):
        with pytest.raises(errors.NotFound):
            bench.run(flow)


@pytest.mark.parametrize("operation", ["update", "delete"])
@pytest.mark.parametrize("make", INGEST.values(), ids=INGEST)
def test_operations_are_what_was_asked_for(bench: Bench, make: Callable[[str], IngestApi], operation: str) -> None:
    api = make(operation)
    [record_id] = bench.org.insert("Row__c", [{"Code__c": "old"}])
    content = (f"Id,Code__c\n{record_id},new\n" if operation == "update" else f"Id\n{record_id}\n").encode()
    job_id = opened(bench, api)
    batch_id = added(bench, api, job_id, content)
    bench.look_until_ended(lambda: api.look(job_id, [short(batch_id)]), batch_id)
    content_of = bench.fetched(api, job_id, batch_id)
    assert api.check_results(content_of, piece(content, record_id), whole=True, failed=0) is None
    other = record_id[:9] + ("7" if record_id[9] != "7" else "8") + record_id[10:15]
    by_place = not api.one_batch_a_job
    assert (api.check_results(content_of, piece(content, other), whole=True, failed=0) is not None) is by_place
    foreign = content.replace(record_id.encode(), other.encode())
    assert by_place or not any(api.read_results(content_of, piece(foreign), whole=True).outcomes.marks)
    found = [record["Code__c"] for record in bench.org.records("Row__c") if record["Id"] == record_id]
    assert found == (["new"] if operation == "update" else [])


SELECT = "SELECT Code__c FROM Row__c WHERE Key__c LIKE 'asked%'"
KEYS = count()


def selecting() -> tuple[str, str]:
    """A query that finds only what a test inserts, and how the keys of those records begin."""
    key = f"asked {next(KEYS)}-"
    return SELECT.replace("asked", key), key


def asked(bench: Bench, api: QueryApi, text: str = SELECT, chunking: str | None = None) -> tuple[str, str]:
    job: JobSeen = bench.run(api.open(text, chunking))
    assert (job.standing is JobStanding.OPEN) == (job.asked is None) == (not api.ends_alone)
    return job.id, job.asked or bench.run(api.ask(job.id, text)).id


def brought(bench: Bench, api: QueryApi, job_id: str, batch_id: str) -> list[bytes]:
    """The records of a batch's result files; the last line end of a file may not be there."""
    lines: list[bytes] = []
    listed: Listed = bench.run(api.list_results(job_id, batch_id))
    names = [*listed.names]
    while listed.more is not None:
        listed = bench.run(api.list_results(job_id, batch_id, listed.more))
        names += listed.names
    for name in names:
        file: ResultFile = bench.run(api.fetch(job_id, batch_id, name))
        header, *records = b"".join(file.stream).splitlines()
        assert header.strip(b'"') == b"Code__c" or not records
        assert file.records in {None, len(records)}
        lines += records
        names += [] if file.following is None else [file.following]
    assert len(set(names)) == len(names)
    return lines


def test_query_brings_what_it_finds_and_how_much_that_is(bench: Bench, query: QueryApi) -> None:
    text, key = selecting()
    bench.org.insert("Row__c", [{"Code__c": f"q{n}", "Key__c": f"{key}{n}"} for n in range(3)])
    job_id, batch_id = asked(bench, query, text)
    seen = bench.look_until_ended(lambda: query.look(job_id, batch_id, [batch_id], splits=False), batch_id)
    assert (seen.end, seen.processed, seen.fault) == (BatchEnd.COMPLETED, 3, None)
    assert sorted(brought(bench, query, job_id, batch_id)) == [b'"q0"', b'"q1"', b'"q2"']
    assert bench.run(query.close(job_id, batch_id, None)) is None


@pytest.mark.parametrize(
    ("message", "fault"),
    [
        ("InvalidBatch : Failed to process query: MALFORMED_QUERY: no", QueryFault.WRONG),
        ("InvalidBatch : Failed to process query: QUERY_TIMEOUT: too long", QueryFault.TOO_LARGE),
        ("InternalServerError : ours", None),
    ],
)
def test_query_that_fails_says_what_to_do(
    bench: Bench, query: QueryApi, message: str, fault: QueryFault | None
) -> None:
    bench.org.mishaps.plan(Mishap(message=message), object="Row__c")
    job_id, batch_id = asked(bench, query)
    seen = bench.look_until_ended(lambda: query.look(job_id, batch_id, [batch_id], splits=False), batch_id)
    assert (seen.end, seen.fault, seen.message) == (BatchEnd.FAILED, fault, message)


def test_chunks_of_a_query_are_each_about_other_ids_and_bring_it_all(bench: Bench) -> None:
    query = QUERY["v1"]("query")
    text, key = selecting()
    bench.org.insert("Row__c", [{"Code__c": f"s{n}", "Key__c": f"{key}{n}"} for n in range(25)])
    job_id, original = asked(bench, query, text, PKChunking(size=10).header())
    bench.look_until_ended(lambda: query.look(job_id, original, [original], splits=True), original)
    looked: Looked = bench.run(query.look(job_id, original, [original], splits=True))
    chunks = [seen.id for name, seen in looked.batches.items() if name != short(original)]
    assert len(chunks) > 1
    ranges = [bench.run(query.read_range(job_id, chunk, soql.read(text))) for chunk in chunks]
    assert len(set(ranges)) == len(chunks)
    assert None not in ranges
    assert bench.run(query.read_range(job_id, original, soql.read(text))) is None
    assert len({record for chunk in chunks for record in brought(bench, query, job_id, chunk)}) == 25
    # Whoever knows fewer chunks than there are is told of all.
    listed = bench.run(query.close(job_id, original, len(chunks) - 1))
    assert set(map(short, chunks)) <= set(listed.batches)


def test_query_job_that_is_given_up_is_over(bench: Bench, query: QueryApi) -> None:
    bench.org.set_pace(Pace.manual())
    job_id, batch_id = asked(bench, query)
    bench.run(query.abort(job_id))
    looked: Looked = bench.run(query.look(job_id, batch_id, [batch_id], splits=False))
    assert looked.batches[short(batch_id)].never_run
    assert not looked.is_open
    with nullcontext() if query.ends_alone else pytest.raises(errors.InvalidRequest):
        bench.run(query.ask(job_id, SELECT))
    bench.run(query.abort(job_id))
    bench.run(query.abort(NO_JOB))
    assert bench.run(query.close(job_id, batch_id, None)) is None


@pytest.mark.parametrize(("api", "most"), [("v1", 250_000), ("2.0", 0)])
def test_chunking_that_the_org_would_not_take_is_refused_before(api: str, most: int) -> None:
    query = QUERY[api]("query")
    query.check_chunking(PKChunking(size=most) if most else None)
    with pytest.raises(errors.UsageError):
        query.check_chunking(PKChunking(size=most + 1))


def test_query_that_is_wrong_is_refused_with_the_place(bench: Bench, query: QueryApi) -> None:
    with pytest.raises(errors.QueryRefused, match="Nothing__c") if query.ends_alone else nullcontext():
        job_id, batch_id = asked(bench, query, "SELECT Nothing__c FROM Row__c")
        seen = bench.look_until_ended(lambda: query.look(job_id, batch_id, [batch_id], splits=False), batch_id)
        assert seen.fault is QueryFault.WRONG


def test_query_job_that_somebody_deleted_is_not_found(bench: Bench, query: QueryApi) -> None:
    with pytest.raises(errors.NotFound):
        bench.run(query.look(NO_JOB, NO_JOB, [], splits=False))


@pytest.mark.parametrize("arrives", [True, False])
def test_query_whose_answer_is_lost_may_be_in_the_org_or_not(bench: Bench, query: QueryApi, arrives: bool) -> None:
    bench.org.faults.add(Fault("answer lost" if arrives else "request lost", "POST", "*"))
    with pytest.raises(errors.OutcomeUnknown):
        bench.run(query.open(SELECT, None))
    asked(bench, query)


@pytest.mark.parametrize("arrives", [True, False])
def test_query_job_is_given_up_though_the_answer_is_lost(bench: Bench, query: QueryApi, arrives: bool) -> None:
    bench.org.set_pace(Pace.manual())
    job_id, batch_id = asked(bench, query)
    bench.org.faults.add(Fault("answer lost" if arrives else "request lost", "*", f"*/{job_id}"))
    bench.run(query.abort(job_id))
    looked: Looked = bench.run(query.look(job_id, batch_id, [batch_id], splits=False))
    # What is closed, as an open job of v1 is if it cannot be told whether it was aborted, takes nothing more.
    assert not looked.is_open


@pytest.mark.parametrize("make", QUERY.values(), ids=QUERY)
def test_deleted_records_come_where_they_are_asked_for(bench: Bench, make: Callable[[str], QueryApi]) -> None:
    text, key = selecting()
    [record_id] = bench.org.insert("Row__c", [{"Code__c": "gone", "Key__c": key}])
    api = INGEST["v1"]("delete")
    job = opened(bench, api)
    gone = added(bench, api, job, f"Id\n{record_id}\n".encode())
    bench.look_until_ended(lambda: api.look(job, [short(gone)]), gone)
    for operation, found in (("query", []), ("queryAll", [b'"gone"'])):
        query = make(operation)
        job_id, batch_id = asked(bench, query, text)
        bench.look_until_ended(lambda: query.look(job_id, batch_id, [batch_id], splits=False), batch_id)  # noqa: B023
        assert brought(bench, query, job_id, batch_id) == found
