"""Ids of the org are the same with their three check characters and without, however it writes them from one answer to
the next."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
from tests.support.extraction import bring, client_of, go_on, seeded
from tests.support.rehearsal import BRISK, SCHEMA, Load, Rows, read_csv

from bulkforce import BearerToken
from bulkforce.errors import Interrupted, Unsettled
from bulkforce.protocol.exchange import Answer, Request
from bulkforce.transport.http import HTTP
from bulkforce_emulator import Emulator, Fault
from bulkforce_emulator.state.lifecycle import Pace

BATCHES = "*/job/*/batch"
PROMPT = replace(BRISK, trouble_seconds=0.0)
"""What is not understood is not waited out."""
_ID = re.compile(rb"(<(?:id|jobId|result)>\w{15})\w{3}(?=<)")


class Spelling(HTTP):
    """A line on which some answers have ids of fifteen characters, and the others of eighteen."""

    def __init__(self, is_short: Callable[[Request], bool]) -> None:
        super().__init__()
        self._is_short = is_short

    def send(self, request: Request, url: str, headers: dict[str, str], *, streamed: bool) -> Answer:
        answer = super().send(request, url, headers, streamed=streamed)
        if answer.stream is None and self._is_short(request):
            return replace(answer, body=_ID.sub(rb"\1", answer.body))
        return answer


def is_list(request: Request) -> bool:
    return request.method == "GET" and request.path.endswith("/batch")


def by_turns() -> Callable[[Request], bool]:
    turns = count()
    return lambda _request: next(turns) % 2 == 0


WAYS: dict[str, Callable[[], Callable[[Request], bool]]] = {
    "short in lists": lambda: is_list,
    "long in lists": lambda: lambda request: not is_list(request),
    "by turns": by_turns,
}
FAULTS = [
    None,
    Fault("answer lost", "POST", BATCHES, nth=2),
    Fault("request lost", "POST", BATCHES, nth=2),
    Fault("answer lost", "POST", "*/job/*", nth=2),
]


@pytest.fixture
def org() -> Iterator[Emulator]:
    with Emulator(SCHEMA) as org:
        yield org


@pytest.mark.parametrize("fault", FAULTS, ids=["no fault", "answer lost", "request lost", "close lost"])
@pytest.mark.parametrize("way", WAYS)
def test_load_knows_its_batches_however_their_ids_are_written(
    org: Emulator, tmp_path: Path, way: str, fault: Fault | None
) -> None:
    load = Load(org, tmp_path, transport=Spelling(WAYS[way]()), patience=PROMPT)
    if fault:
        org.faults.add(fault)
    load.check(load.begin())


@pytest.mark.parametrize("way", WAYS)
def test_load_that_is_resumed_knows_its_batches_however_their_ids_are_written(
    org: Emulator, tmp_path: Path, way: str
) -> None:
    load = Load(org, tmp_path, transport=Spelling(WAYS[way]()), patience=PROMPT)
    org.faults.add(Fault("session expired", "POST", BATCHES, nth=4, after_bytes=10))
    with pytest.raises(Interrupted):
        load.begin()
    load.auth = BearerToken(org.state.sessions.open())
    load.check(load.resume())


@pytest.mark.parametrize("way", WAYS)
def test_batch_of_a_stranger_is_one_however_ids_are_written(org: Emulator, tmp_path: Path, way: str) -> None:
    """And when the user has accepted it, it is no reason to stop any more."""
    load = Load(org, tmp_path, options={"workers": 1}, transport=Spelling(WAYS[way]()), patience=PROMPT)

    def intrude(effect: str) -> None:
        if effect == "open":
            (job,) = load.books.jobs
            with client_of(org) as client:
                client.add_batch(client.get_job_info(job.id), b"Code__c\nstranger\n")

    load.trace = intrude
    with pytest.raises(Unsettled, match="which this run did not send"):
        load.begin()
    load.trace = lambda _effect: None
    with pytest.raises(Unsettled, match="which this run did not send"):
        load.resume()
    report = load.resume("not-sent")
    assert (report.state, report.pending, report.in_doubt) == ("finished", 0, 0)
    assert report.succeeded == len(load.source.good)


@pytest.mark.parametrize("chunking", [False, 8])
@pytest.mark.parametrize("way", WAYS)
def test_extract_knows_its_batches_however_their_ids_are_written(
    tmp_path: Path, way: str, chunking: bool | int
) -> None:
    with seeded() as org, client_of(org, transport=Spelling(WAYS[way]())) as client:
        org.faults.add(Fault("session expired", "GET", "*/result/*", nth=1))
        with pytest.raises(Interrupted):
            bring(org, tmp_path, client=client, pk_chunking=chunking)
        org.state.sessions.first_token = org.state.sessions.open()
        assert go_on(org, tmp_path).rows == 40


# Results of rows that name their records


class Swapping(HTTP):
    """A line on which the results of two batches of three come in each other's place, so many times; the org works when
    it has all three."""

    def __init__(self, load: Load, times: int) -> None:
        super().__init__()
        self.load, self.times, self.sent = load, times, 0
        load.transport, load.trace = self, self.count
        load.org.set_pace(Pace.manual())

    def count(self, effect: str) -> None:
        self.sent += effect == "send"
        if (effect, self.sent) == ("send", 3):
            self.load.org.set_pace(Pace.timed())

    def send(self, request: Request, url: str, headers: dict[str, str], *, streamed: bool) -> Answer:
        parts = url.split("/")
        if parts[-1] == "result" and self.times:
            first, second = list(self.load.books.jobs[0].batches)[:2]
            if parts[-2] in {first, second}:
                assert self.load.org.wait_until_idle(600.0)
                self.times -= 1
                parts[-2] = first if parts[-2] == second else second
        return super().send(request, "/".join(parts), headers, streamed=streamed)


def rows_with_ids(org: Emulator, header: tuple[str, ...] = ("Id", "Text__c"), cut: int = 18) -> Rows:
    """Rows for three batches, that name records of the org."""
    ids = org.insert("Row__c", [{"Code__c": f"row {number}"} for number in range(18)])
    return Rows(
        header, [tuple(record[:cut] if name == "Id" else f'text "{record}", new' for name in header) for record in ids]
    )


WRITTEN = {"first": ("Id", "Text__c"), "last": ("Text__c", "Id")}


@pytest.mark.parametrize("cut", [15, 18])
@pytest.mark.parametrize("header", WRITTEN.values(), ids=list(WRITTEN))
@pytest.mark.parametrize(
    "options", [{"operation": "update"}, {"operation": "upsert", "external_id": "Id"}], ids=["update", "upsert by Id"]
)
def test_results_of_other_records_are_fetched_again(
    org: Emulator, tmp_path: Path, options: dict[str, str], header: tuple[str, ...], cut: int
) -> None:
    source = rows_with_ids(org, header, cut)
    load = Load(org, tmp_path, source, options={**options, "workers": 1})
    line = Swapping(load, 2)
    report = load.begin()
    assert (report.succeeded, report.pending, line.times) == (18, 0, 0)
    place = header.index("Id") + 2
    rows = read_csv(load.run_dir / "success.csv")[1:]
    assert [row[2:] for row in rows] == source.rows
    assert [row[0][:15] for row in rows] == [row[place][:15] for row in rows]


@pytest.mark.parametrize("operation", ["update", "delete", "hardDelete"])
def test_results_that_stay_those_of_other_records_leave_the_rows_in_doubt(
    org: Emulator, tmp_path: Path, operation: str
) -> None:
    source = rows_with_ids(org, ("Id",) if "elete" in operation else ("Id", "Text__c"))
    load = Load(org, tmp_path, source, options={"operation": operation, "workers": 1})
    Swapping(load, 1_000)
    report = load.begin()
    assert (report.state, report.succeeded, report.in_doubt, report.unprocessed, report.pending) == (
        "finished",
        6,
        12,
        0,
        0,
    )
    assert [row[1:] for row in read_csv(load.run_dir / "in_doubt.csv")[1:]] == source.rows[:12]
    assert "is about a different record than was sent there" in read_csv(load.run_dir / "in_doubt.csv")[1][0]
    assert (load.run_dir / "unreadable-000001.csv").exists()


def test_ids_whose_case_was_lost_are_known_by_their_check_characters(org: Emulator, tmp_path: Path) -> None:
    """If the org takes such a row, its result is the row's."""
    source = rows_with_ids(org)
    load = Load(
        org,
        tmp_path,
        Rows(source.header, [(row[0].lower(), *row[1:]) for row in source.rows]),
        options={"operation": "update"},
    )
    report = load.begin()
    assert (report.in_doubt, report.pending) == (0, 0)
