"""Extracts and queries over Bulk API 2.0: every record of every page, once and in order, or an error that says what to
do."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.cli.processes import SURROUNDINGS, run
from tests.support.extraction import (
    QUERY,
    QUICK,
    Meddler,
    bring,
    client_of,
    go_on,
    read,
    seeded,
    sitting_of,
    stored,
)
from tests.support.holding import ctrl_c

from bulkforce import AsyncClient, BearerToken, Client, RefreshToken, errors, events
from bulkforce.extract import verb as extract
from bulkforce.extract.asking import ExtractOptions
from bulkforce.extract.report import ExtractReport
from bulkforce.protocol.exchange import Answer, Request
from bulkforce.transport.http import HTTP
from bulkforce_emulator import Emulator, Fault
from bulkforce_emulator.mishaps import Mishap
from bulkforce_emulator.settings import Limits, Settings
from bulkforce_emulator.state.lifecycle import Pace

ROWS = 40
PAGE_ROWS = 7
PAGED = Settings(result_set_records=PAGE_ROWS, largest_set_records=PAGE_ROWS)
PAGE = "*/results"
PAGES = "*/resultPages"


@pytest.fixture
def org() -> Iterator[Emulator]:
    with seeded(ROWS, PAGED) as org:
        yield org


def paths(org: Emulator) -> list[str]:
    """What was asked for, without ids and versions."""
    found = (f"{one.method} {one.path.partition('/jobs')[2]}" for one in org.requests if "/jobs/" in one.path)
    return [re.sub(r"/[0-9A-Za-z]{15,18}\b", "", path) for path in found]


def is_whole(org: Emulator, folder: Path, report: ExtractReport) -> None:
    assert read(folder / "out.csv") == stored(org)
    assert (report.rows, report.state, report.api, report.batches) == (len(stored(org)), "finished", "bulk2", 1)
    assert not (folder / "run" / "parts").exists()


class Telling(HTTP):
    """A way on which something changes a header of answers, or takes it away.

    Args:
        name: The header.
        change: What becomes of its value; ``None`` takes it away.
    """

    def __init__(self, name: str, change: Callable[[str], str | None]) -> None:
        super().__init__()
        self._name, self._change = name, change

    def send(self, request: Request, url: str, headers: dict[str, str], *, streamed: bool) -> Answer:
        answer = super().send(request, url, headers, streamed=streamed)
        came = dict(answer.headers)
        if self._name in came and (changed := self._change(came.pop(self._name))) is not None:
            came[self._name] = changed
        return replace(answer, headers=came)


def test_pages_that_the_org_lists_are_put_together_in_order(org: Emulator, tmp_path: Path) -> None:
    report = bring(org, tmp_path, api="bulk2")
    is_whole(org, tmp_path, report)
    assert report.parts == 6
    asked = paths(org)
    assert asked[0] == "POST /query"
    assert [asked.count(f"GET /query{end}") for end in ("/resultPages", "/results")] == [2, 6]
    assert "in 6 pages" in str(report)


@pytest.mark.parametrize("lists", [True, False], ids=["a version without lists", "an org without lists"])
def test_pages_that_nobody_lists_are_found_one_by_the_other(org: Emulator, tmp_path: Path, lists: bool) -> None:
    if not lists:
        body = '[{"errorCode":"NOT_FOUND","message":"The requested resource does not exist"}]'
        org.faults.add(
            Fault("answer replaced", "GET", PAGES, status=404, content_type="application/json", body=body, times=9)
        )
    with client_of(org, version="57.0" if lists else "66.0") as client:
        report = bring(org, tmp_path, client=client, api="bulk2")
    is_whole(org, tmp_path, report)
    assert report.parts == 6
    assert ("GET /query/resultPages" in paths(org)) is not lists


@pytest.mark.parametrize("version", ["47.0", "48.0", "49.0"])
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_columns_come_in_alphabetical_order_before_50_with_a_warning(
    org: Emulator, tmp_path: Path, version: str, suffix: str, caplog: pytest.LogCaptureFixture
) -> None:
    out = tmp_path / f"out.{suffix}"
    with client_of(org, version=version) as client:
        query = "SELECT Text__c, Id, Code__c FROM Row__c"
        report = bring(org, tmp_path, client=client, soql=query, to=out, api="bulk2")
    assert (report.rows, report.parts) == (len(stored(org)), 6)
    if suffix == "csv":
        assert out.read_text().splitlines()[0] == '"Code__c","Id","Text__c"'
        assert read(out) == stored(org, "Code__c", "Id", "Text__c")
    else:
        import pyarrow.parquet as pq

        assert pq.read_table(out).column_names == ["Code__c", "Id", "Text__c"]
    assert caplog.text.count("columns of a query in alphabetical order") == 1


def test_query_and_appending_before_50(org: Emulator, tmp_path: Path) -> None:
    query = "SELECT Text__c, Code__c, Id FROM Row__c"
    with client_of(org, version="48.0") as client:
        rows = list(client.query(query, api="bulk2").rows())
        assert [row["Id"] for row in rows] == [row[0] for row in stored(org, "Id")]
        out, due = tmp_path / "out.csv", stored(org, "Code__c", "Id", "Text__c")
        for number in (1, 2):
            client.extract(query, to=out, api="bulk2", append=True, run_dir=tmp_path / str(number))
        assert read(out) == due * 2
        client.extract(
            f"{query} WHERE Code__c = 'none'", to=tmp_path / "none.csv", api="bulk2", run_dir=tmp_path / "none"
        )
    assert (tmp_path / "none.csv").read_text().strip() == '"Code__c","Id","Text__c"'


@pytest.mark.parametrize("suffix", ["csv.gz", "jsonl", "parquet", "arrow"])
def test_records_are_the_same_as_over_v1(org: Emulator, tmp_path: Path, suffix: str) -> None:
    written = []
    for api in ("bulk1", "bulk2"):
        bring(org, tmp_path, to=tmp_path / f"{api}.{suffix}", run_dir=tmp_path / api, api=api)
        written.append((tmp_path / f"{api}.{suffix}").read_bytes())
    assert len(written[0]) > 100
    if suffix in {"jsonl", "csv.gz"}:
        assert written[0] == written[1]
    else:
        import pyarrow.feather as pf
        import pyarrow.parquet as pq

        load = pq.read_table if suffix == "parquet" else pf.read_table
        assert load(tmp_path / f"bulk1.{suffix}").equals(load(tmp_path / f"bulk2.{suffix}"))


def test_query_that_finds_nothing_is_an_empty_file(org: Emulator, tmp_path: Path) -> None:
    report = bring(org, tmp_path, soql=f"{QUERY} WHERE Code__c = 'none'", api="bulk2")
    assert (report.rows, report.state) == (0, "finished")
    assert (tmp_path / "out.csv").read_text().strip() == '"Id","Code__c","Text__c"'


def test_query_brings_record_batches_page_by_page(org: Emulator) -> None:
    with client_of(org) as client:
        found = [row["Id"] for row in client.query(QUERY, api="bulk2").rows()]
    assert found == [row[0] for row in stored(org, "Id")]


def test_async_client_has_the_same_verbs(org: Emulator, tmp_path: Path) -> None:
    async def both() -> tuple[int, int]:
        async with AsyncClient(org.base_url, BearerToken(org.session_id), retry=QUICK) as client:
            report = await client.extract(QUERY, to=tmp_path / "out.csv", run_dir=tmp_path / "run", api="bulk2")
            result = await client.query(QUERY, api="bulk2")
            return report.rows, sum([batch.num_rows async for batch in result])

    assert asyncio.run(both()) == (ROWS, ROWS)


@pytest.mark.parametrize(
    "fault",
    [
        Fault("answer lost", "POST", "*/query"),
        Fault("request lost", "POST", "*/query"),
        Fault("late twin", "POST", "*/query", after_requests=2),
        Fault("answer lost", "GET", "*/query/*"),
        Fault("lagging job", "GET", "*/query/*", times=3),
        Fault("answer lost", "GET", PAGES),
        Fault("answer truncated", "GET", PAGES, after_bytes=60),
        Fault("answer lost", "GET", PAGE, nth=3),
        Fault("answer cut", "GET", PAGE, nth=3, times=2),
        Fault("answer cut", "GET", PAGE, nth=3, keep_length=False),
        Fault("answer cut", "GET", PAGE, nth=2, after_bytes=0),
        Fault("answer truncated", "GET", PAGE, nth=3, times=2),
        Fault("answer truncated", "GET", PAGE, after_bytes=5),
        Fault("status", "GET", PAGE, nth=2, status=500),
        Fault("answer replaced", "GET", PAGE, status=200),
        Fault("answer replaced", "GET", PAGES, status=200),
        Fault("late results", "GET", PAGES),
        Fault("late results", "GET", PAGE),
    ],
    ids=lambda fault: f"{fault.kind} {fault.method} {fault.path} {fault.after_bytes} {fault.keep_length}",
)
def test_whatever_goes_wrong_on_the_wire_no_record_is_missing_and_none_comes_twice(
    org: Emulator, tmp_path: Path, fault: Fault
) -> None:
    org.faults.add(fault)
    report = bring(org, tmp_path, api="bulk2")
    assert org.faults.struck == fault.times
    is_whole(org, tmp_path, report)


def test_session_is_renewed_between_pages(org: Emulator, tmp_path: Path) -> None:
    org.faults.add(Fault("session expired", path=PAGE, nth=2), Fault("session expired", path=PAGES, nth=2))
    with Client(org.base_url, RefreshToken(org.client_id, org.client_secret, org.refresh_token), retry=QUICK) as client:
        is_whole(org, tmp_path, bring(org, tmp_path, client=client, api="bulk2", workers=1))
    assert org.faults.struck == 2


def test_page_that_stays_short_is_an_error_with_the_job_and_numbers(org: Emulator, tmp_path: Path) -> None:
    def shorten(path: str, content: bytes) -> bytes | None:
        if "/results" not in path:
            return None
        text = io.StringIO(newline="")
        rows = list(csv.reader(io.StringIO(content.decode(), newline="")))[:-1]
        csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
        return text.getvalue().encode()

    with (
        client_of(org, transport=Meddler(shorten)) as client,
        pytest.raises(errors.FellShort, match=r"A result file of job \w{18} has 7 records, but \d+ came; .* 3 times"),
    ):
        bring(org, tmp_path, client=client, api="bulk2")
    assert not (tmp_path / "out.csv").exists()


def test_pages_that_are_not_all_listed_are_an_error_also_if_each_is_right(org: Emulator, tmp_path: Path) -> None:
    def shorten(path: str, content: bytes) -> bytes | None:
        if "/resultPages" not in path:
            return None
        return re.sub(rb'"nextRecordsUrl":"[^"]*"', b'"nextRecordsUrl":null', content).replace(b"false", b"true")

    with (
        client_of(org, transport=Meddler(shorten)) as client,
        pytest.raises(errors.FellShort, match=r"Job \w{18} has 40 records, but its result files hold 35"),
    ):
        bring(org, tmp_path, client=client, api="bulk2")
    assert not (tmp_path / "out.csv").exists()


def test_pages_without_a_count_of_their_own_are_held_against_that_of_the_job(org: Emulator, tmp_path: Path) -> None:
    with client_of(org, transport=Telling("sforce-numberofrecords", lambda _: None)) as client:
        is_whole(org, tmp_path, bring(org, tmp_path, client=client, api="bulk2"))


@pytest.mark.parametrize("end", [None, "", "null"])
def test_end_of_the_pages_may_be_told_in_any_way(org: Emulator, tmp_path: Path, end: str | None) -> None:
    def change(locator: str) -> str | None:
        return end if locator == "null" else locator

    with client_of(org, version="57.0", transport=Telling("sforce-locator", change)) as client:
        is_whole(org, tmp_path, bring(org, tmp_path, client=client, api="bulk2"))


@pytest.mark.parametrize("told", [b'"numberRecordsProcessed":0', b'"unheardOf":0'])
def test_job_without_a_count_is_counted_by_another_query_with_a_warning(
    org: Emulator, tmp_path: Path, told: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    def change(path: str, content: bytes) -> bytes | None:
        return re.sub(rb'"numberRecordsProcessed":\d+', told, content) if "/jobs/query/" in path else None

    with client_of(org, transport=Meddler(change)) as client:
        options = ExtractOptions(soql=QUERY, to=tmp_path / "out.csv", run_dir=tmp_path / "run", api="bulk2")
        warned: list[str] = []
        sitting = sitting_of(client)
        sitting.warn = warned.append
        is_whole(org, tmp_path, extract.extract(sitting, options))
    assert len(warned) == 1
    assert re.match(r"The org did not say how many records job \w{18} has; its result files hold 40", warned[0])
    assert any(one.path.endswith("/query") and one.method == "GET" for one in org.requests), "COUNT()"


def test_columns_of_each_page_are_checked(org: Emulator, tmp_path: Path) -> None:
    org.faults.add(
        Fault(
            "answer replaced",
            "GET",
            PAGE,
            nth=2,
            times=99,
            status=200,
            content_type="text/csv",
            body='"Id","Other__c","Text__c"\n"1","2","3"\n',
        )
    )
    with pytest.raises(errors.Interrupted, match="Its columns are not those that the query selects"):
        bring(org, tmp_path, api="bulk2")


@pytest.mark.parametrize("api", ["bulk1", "bulk2"])
def test_query_that_is_wrong_is_refused_with_the_place_and_leaves_no_run(
    org: Emulator, tmp_path: Path, api: str
) -> None:
    with pytest.raises(errors.QueryRefused, match=r"The org refuses the query: INVALID_FIELD: .*Nothing__c") as caught:
        bring(org, tmp_path, soql="SELECT Id, Nothing__c FROM Row__c", api=api)
    assert "line 1, column 12" in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_day_on_which_no_more_queries_are_taken_is_told(tmp_path: Path) -> None:
    with (
        seeded(1, Settings(limits=Limits(daily_query_jobs=0))) as org,
        pytest.raises(errors.LimitReached, match=r"no more queries over Bulk API 2\.0 today: Max bulk v2 query jobs"),
    ):
        bring(org, tmp_path, api="bulk2")


@pytest.mark.parametrize("message", [True, False])
def test_query_that_keeps_failing_is_an_error_with_or_without_a_reason(tmp_path: Path, message: bool) -> None:
    with seeded(1, Settings(failed_query_message=message)) as org:
        for nth in (1, 2, 3):
            org.mishaps.plan(Mishap(message="InternalServerError : ours"), object="Row__c", nth=nth)
        why = "InternalServerError : ours" if message else "the org gave no reason"
        with pytest.raises(errors.BatchFailed, match=rf"failed 3 times to answer the query: {why}.*narrow"):
            bring(org, tmp_path, api="bulk2")
        assert paths(org).count("POST /query") == 3


def test_query_that_fails_once_is_asked_again(org: Emulator, tmp_path: Path) -> None:
    org.mishaps.plan(Mishap(message="InternalServerError : ours"), object="Row__c")
    is_whole(org, tmp_path, bring(org, tmp_path, api="bulk2"))


@pytest.mark.parametrize("how", ["aborted", "deleted"])
def test_job_that_somebody_ends_is_told_and_asked_again_when_resumed(org: Emulator, tmp_path: Path, how: str) -> None:
    org.set_pace(Pace.manual())
    done: list[str] = []

    def end(path: str, _content: bytes) -> None:
        if "/jobs/query/" in path and not done:
            done.append(path)
            job = org.state.jobs.all()[-1]
            org.abort_job(job.id)
            if how == "deleted":
                org.state.bulk2.delete(job)

    with (
        client_of(org, transport=Meddler(end)) as client,
        pytest.raises(
            errors.Interrupted,
            match=r"was aborted or closed.*Resume to get" if how == "aborted" else r"someone deleted it.*Resume to run",
        ),
    ):
        bring(org, tmp_path, client=client, api="bulk2")
    org.set_pace(Pace.timed())
    is_whole(org, tmp_path, go_on(org, tmp_path))


def stopped_with_pages_on_disk(org: Emulator, folder: Path, **options: Any) -> None:
    org.faults.add(Fault("status", "GET", PAGE, nth=4, times=99, status=500))
    asked = ExtractOptions(soql=QUERY, to=folder / "out.csv", run_dir=folder / "run", api="bulk2", workers=1)
    with client_of(org, **options) as client, pytest.raises(errors.Interrupted):
        extract.extract(sitting_of(client, trouble_seconds=0.0), asked)
    org.faults.clear()


def test_what_is_on_disk_is_not_fetched_again_and_the_job_is_the_same(org: Emulator, tmp_path: Path) -> None:
    stopped_with_pages_on_disk(org, tmp_path)
    before = len(org.requests)
    is_whole(org, tmp_path, go_on(org, tmp_path))
    asked = paths(org)[len(paths(org)) - (len(org.requests) - before) :]
    assert "POST /query" not in asked
    assert asked.count("GET /query/results") == 3


def test_page_that_is_spoilt_on_disk_is_fetched_again(org: Emulator, tmp_path: Path) -> None:
    stopped_with_pages_on_disk(org, tmp_path)
    (tmp_path / "run" / "parts" / "000001-01.csv").write_bytes(b"spoilt")
    is_whole(org, tmp_path, go_on(org, tmp_path))


def test_run_keeps_the_version_that_it_began_with(org: Emulator, tmp_path: Path) -> None:
    stopped_with_pages_on_disk(org, tmp_path, version="60.0")
    before = len(org.requests)
    is_whole(org, tmp_path, go_on(org, tmp_path))  # by a client of another version
    assert {one.path.split("/")[3] for one in org.requests[before:] if "/jobs/" in one.path} == {"v60.0"}


def test_results_that_are_only_read_with_another_version_are_told(org: Emulator, tmp_path: Path) -> None:
    body = '[{"errorCode":"API_ERROR","message":"no"}]'
    org.faults.add(
        Fault("answer replaced", "GET", PAGE, status=409, content_type="application/json", body=body, times=9)
    )
    with pytest.raises(errors.JournalMismatch, match=r"only with the version .* not 66\.0\. Start a new extract"):
        bring(org, tmp_path, api="bulk2")


def test_results_that_the_org_has_thrown_away_are_told(org: Emulator, tmp_path: Path) -> None:
    stopped_with_pages_on_disk(org, tmp_path)
    org.state.bulk2.delete(org.state.jobs.all()[-1])
    with pytest.raises(errors.NotFound, match=r"no longer has the results of job \w{18}: .* Start a new extract"):
        go_on(org, tmp_path)


def test_locator_that_has_expired_is_told(org: Emulator, tmp_path: Path) -> None:
    body = '[{"errorCode":"API_ERROR","message":"Invalid locator"}]'
    fault = Fault("answer replaced", "GET", PAGE, nth=3, status=400, content_type="application/json", body=body)
    org.faults.add(fault)
    with pytest.raises(errors.NotFound, match=r"Start a new extract\. The org said: .*Invalid locator"):
        bring(org, tmp_path, api="bulk2")


def test_query_that_is_stopped_goes_on_in_the_org_and_is_come_back_to(org: Emulator, tmp_path: Path) -> None:
    org.set_pace(Pace.manual())

    def stop(path: str, _content: bytes) -> None:
        if "/jobs/query/" in path:
            ctrl_c()

    goes_on = r"Job (\w{18}) goes on in the org; to abort: bulkforce job abort \1\. Go on with: bulkforce resume"
    with client_of(org, transport=Meddler(stop)) as client, pytest.raises(errors.Interrupted, match=goes_on):
        bring(org, tmp_path, client=client, api="bulk2")
    org.set_pace(Pace.timed())
    is_whole(org, tmp_path, go_on(org, tmp_path))
    assert paths(org).count("POST /query") == 1
    assert "PATCH /query" not in paths(org)


def test_query_that_nobody_reads_any_more_is_aborted(org: Emulator) -> None:
    org.set_pace(Pace.manual())
    looked = threading.Event()

    def note(path: str, _content: bytes) -> None:
        if "/jobs/query/" in path:
            looked.set()

    with client_of(org, transport=Meddler(note)) as client:
        result = client.query(QUERY, api="bulk2")
        result._start()
        assert looked.wait(60.0)
        result.close()
    assert paths(org)[-1] == "PATCH /query"


@pytest.mark.parametrize("wanted", [True, 100_000])
def test_chunking_is_not_asked_for(org: Emulator, tmp_path: Path, wanted: Any) -> None:
    with pytest.raises(errors.UsageError, match="the org itself splits"):
        bring(org, tmp_path, api="bulk2", pk_chunking=wanted)
    assert org.requests == []


def test_version_without_queries_is_refused(org: Emulator, tmp_path: Path) -> None:
    with client_of(org, version="46.0") as client, pytest.raises(errors.UsageError, match=r"needs version 47\.0"):
        bring(org, tmp_path, client=client, api="bulk2")
    assert org.requests == []


@pytest.mark.parametrize("api", ["bulk", "", None, 2])
def test_api_that_is_none_is_refused(org: Emulator, tmp_path: Path, api: Any) -> None:
    with Client(org.base_url, BearerToken(org.session_id)) as client:
        with pytest.raises(errors.UsageError, match="api must be one of bulk1, bulk2"):
            client.extract(QUERY, to=tmp_path / "out.csv", api=api)
        with pytest.raises(errors.UsageError, match="api must be one of bulk1, bulk2"):
            client.query(QUERY, api=api)


def test_only_what_is_new_comes_the_next_time(org: Emulator, tmp_path: Path) -> None:
    soql = f"{QUERY.replace('Id,', 'Id, SystemModstamp,')}"
    for number in (1, 2):
        report = bring(
            org,
            tmp_path,
            soql=soql,
            to=tmp_path / f"{number}.csv",
            run_dir=tmp_path / str(number),
            since_file=tmp_path / "since.toml",
            repeats="drop",
            api="bulk2",
        )
    assert (report.rows, report.repeated) == (0, ROWS)


def test_command_line_has_the_api_too(org: Emulator, tmp_path: Path) -> None:
    surroundings = {"BULKFORCE_INSTANCE_URL": org.base_url, "BULKFORCE_ACCESS_TOKEN": org.session_id}
    out, folder = str(tmp_path / "out.csv"), str(tmp_path / "run")
    options = ("-o", out, "--run-dir", folder, "--api", "bulk2", "--json")
    ended = run("extract", QUERY, *options, environment={**SURROUNDINGS, **surroundings})
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["api"] == "bulk2"
    assert read(tmp_path / "out.csv") == stored(org)


def test_what_happens_is_told_in_terms_of_one_job_and_its_pages(org: Emulator, tmp_path: Path) -> None:
    told: list[events.Event] = []
    with client_of(org) as client:
        client.extract(QUERY, to=tmp_path / "out.csv", run_dir=tmp_path / "run", api="bulk2", on_event=told.append)
    kinds = [type(event).__name__ for event in told]
    assert kinds[:3] == ["RunBegun", "JobOpened", "BatchEnded"]
    assert (kinds.count("ResultFetched"), kinds[-2:]) == (6, ["BatchDone", "RunEnded"])
    assert {"JobClosed", "JobListed", "BatchSent"}.isdisjoint(kinds)
