"""Extracts on bad days: what is cut is fetched again, what is missing is an error, and what has come is not fetched
twice."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.extraction import (
    QUERY,
    QUICK,
    Meddler,
    bring,
    client_of,
    fetched,
    go_on,
    read,
    seeded,
    sitting_of,
    stored,
)
from tests.support.holding import ctrl_c

from bulkforce import BearerToken, Client, RefreshToken, errors
from bulkforce.extract import verb as extract
from bulkforce.extract.asking import ExtractOptions
from bulkforce_emulator import Emulator, Fault
from bulkforce_emulator.mishaps import Mishap
from bulkforce_emulator.settings import Settings
from bulkforce_emulator.state.lifecycle import Pace

CHUNKS = 8
RESULT = "*/result/*"


@pytest.fixture
def org() -> Iterator[Emulator]:
    with seeded(5 * CHUNKS) as org:
        yield org


def assert_whole(org: Emulator, folder: Path) -> None:
    assert read(folder / "out.csv") == stored(org)
    assert {job.state for job in org.state.jobs.all()} <= {"closed", "aborted"}
    assert not (folder / "run" / "parts").exists()


@pytest.mark.parametrize("coding", ["identity", "gzip"])
@pytest.mark.parametrize(
    "fault",
    [
        Fault("answer cut", path=RESULT, nth=3, times=2),
        Fault("answer cut", path=RESULT, nth=3, times=2, keep_length=False),
        Fault("answer cut", path=RESULT, nth=3, after_bytes=0),
        Fault("answer truncated", path=RESULT, nth=3, times=2),
        Fault("answer truncated", path=RESULT, nth=3, after_bytes=5),
        Fault("answer lost", path=RESULT, nth=3),
        Fault("status", path=RESULT, nth=3, status=500),
        Fault("status", path=RESULT, nth=3, times=2, retry_after=0),
        Fault("answer lost", path="*/result"),
        Fault("answer truncated", path=RESULT, after_bytes=60),
    ],
    ids=lambda value: (
        str(value) if isinstance(value, str) else f"{value.kind} {value.path} {value.after_bytes} {value.keep_length}"
    ),
)
def test_file_that_does_not_come_whole_is_fetched_again(
    org: Emulator, tmp_path: Path, coding: str, fault: Fault
) -> None:
    org.faults.add(fault)
    with client_of(org) as client:
        client.driver.headers["Accept-Encoding"] = coding
        bring(org, tmp_path, client=client, pk_chunking=5)
    assert org.faults.struck == fault.times
    assert_whole(org, tmp_path)


def test_files_without_a_line_end_are_whole_when_the_wire_says_so(tmp_path: Path) -> None:
    with seeded(40, Settings(query_csv_ends_with_newline=False)) as org:
        bring(org, tmp_path, pk_chunking=5, workers=1)
        assert read(tmp_path / "out.csv") == stored(org)
        assert len(fetched(org)) == CHUNKS


def test_rows_that_stay_missing_are_an_error_with_batch_and_numbers(org: Emulator, tmp_path: Path) -> None:
    org.faults.add(
        Fault(
            "answer replaced",
            path=RESULT,
            status=200,
            content_type="text/csv",
            body='"Id","Code__c","Text__c"\n"1","2","3"\n',
            times=99,
        )
    )
    with pytest.raises(
        errors.TransferError, match="has 40 records, but its result files hold 1; they were fetched 3 times"
    ) as caught:
        bring(org, tmp_path)
    assert str(caught.value.batch_id) in str(caught.value)
    assert str(caught.value.job_id) in str(caught.value)
    assert not (tmp_path / "out.csv").exists()


def test_a_page_instead_of_a_file_is_no_result(org: Emulator, tmp_path: Path) -> None:
    org.faults.add(Fault("answer replaced", path=RESULT, status=200, times=10_000))
    options = ExtractOptions(soql=QUERY, to=tmp_path / "out.csv", run_dir=tmp_path / "run", pk_chunking=5)
    with (
        client_of(org) as client,
        pytest.raises(errors.Interrupted, match=r"The answer is not the org's.*Go on with: bulkforce resume"),
    ):
        extract.extract(sitting_of(client, trouble_seconds=0.0), options)
    org.faults.clear()
    assert go_on(org, tmp_path).rows == 5 * CHUNKS
    assert_whole(org, tmp_path)


@pytest.mark.parametrize("path", ["*/batch", RESULT, "*/batch/*/result", "*/request"])
def test_a_page_instead_of_an_answer_is_waited_out(org: Emulator, tmp_path: Path, path: str) -> None:
    org.faults.add(Fault("answer replaced", "GET", path, status=200))
    assert bring(org, tmp_path, pk_chunking=5).rows == 5 * CHUNKS
    assert org.faults.struck == 1
    assert_whole(org, tmp_path)


@pytest.mark.parametrize(
    "fault",
    [
        Fault("answer lost", "POST", "*/job"),
        Fault("answer lost", "POST", "*/batch"),
        Fault("request lost", "POST", "*/batch"),
        Fault("late twin", "POST", "*/batch", after_requests=3),
        Fault("late twin", "POST", "*/batch", after_requests=0),
        Fault("status", "POST", "*/batch", status=503, acted=True),
        Fault("answer truncated", "POST", "*/batch", after_bytes=100),
        Fault("answer lost", "GET", "*/batch"),
        Fault("answer lost", "POST", "*/job/*", nth=2),
    ],
    ids=lambda fault: f"{fault.kind} {fault.method} {fault.path}",
)
@pytest.mark.parametrize("pk_chunking", [False, 5])
def test_lost_answers_cost_a_job_and_no_row(org: Emulator, tmp_path: Path, fault: Fault, pk_chunking: int) -> None:
    org.faults.add(fault)
    bring(org, tmp_path, pk_chunking=pk_chunking)
    assert org.faults.struck == 1
    assert read(tmp_path / "out.csv") == stored(org)
    left = [job for job in org.state.jobs.all() if job.state == "open"]
    assert all(not job.batches for job in left)


def test_session_is_renewed_between_parts(org: Emulator, tmp_path: Path) -> None:
    org.faults.add(Fault("session expired", path=RESULT, nth=2), Fault("session expired", path=RESULT, nth=5))
    with Client(org.base_url, RefreshToken(org.client_id, org.client_secret, org.refresh_token), retry=QUICK) as client:
        bring(org, tmp_path, client=client, pk_chunking=5, workers=1)
    assert org.faults.struck == 2
    assert_whole(org, tmp_path)


def test_session_that_cannot_be_renewed_stops_and_is_gone_on_with(org: Emulator, tmp_path: Path) -> None:
    org.faults.add(Fault("session expired", path=RESULT, nth=4))
    with pytest.raises(errors.Interrupted, match="InvalidSessionId"):
        bring(org, tmp_path, pk_chunking=5, workers=1)
    before = len(fetched(org))
    with Client(org.base_url, BearerToken(org.state.sessions.open()), retry=QUICK) as client:
        extract.resume_extract(sitting_of(client), tmp_path / "run")
    assert len(fetched(org)) - before == CHUNKS - 3
    assert_whole(org, tmp_path)


def stopping(when: str, nth: int, act: Callable[[], None]) -> Callable[[str], None]:
    """Do something at the nth effect of a kind."""
    seen: list[str] = []

    def trace(effect: str) -> None:
        seen.append(effect)
        if effect == when and seen.count(when) == nth:
            act()

    return trace


def test_ctrl_c_leaves_a_run_that_is_gone_on_with(org: Emulator, tmp_path: Path) -> None:
    with pytest.raises(errors.Interrupted, match=r"stopped by Ctrl-C. Go on with: bulkforce resume") as caught:
        bring(org, tmp_path, pk_chunking=5, workers=1, trace=stopping("fetch", 3, ctrl_c))
    report: Any = caught.value.report
    assert (report.state, report.stopped_by) == ("interrupted", "stopped by Ctrl-C")
    assert not (tmp_path / "out.csv").exists()
    before = len(set(fetched(org)))
    assert go_on(org, tmp_path).rows == 5 * CHUNKS
    assert len(fetched(org)) == CHUNKS
    assert before == 3
    assert_whole(org, tmp_path)


def test_an_aborted_job_stops_the_extract_and_is_asked_anew(org: Emulator, tmp_path: Path) -> None:
    # The org goes on by hand, as often as it is looked at, until every chunk has ended but the last, which is put back.
    org.set_pace(Pace.manual())
    org.mishaps.plan(Mishap(put_back=1), nth=1 + CHUNKS)
    steps = iter(range(4))

    def going_on(path: str, _content: bytes) -> None:
        if path.endswith("/batch") and next(steps, None) is not None:
            org.advance()

    trace = stopping("fetch", 1, lambda: org.abort_job(org.state.jobs.all()[0].id))
    with (
        client_of(org, transport=Meddler(going_on)) as client,
        pytest.raises(errors.Interrupted, match=r"Job 750\w+ was aborted"),
    ):
        bring(org, tmp_path, client=client, pk_chunking=5, trace=trace)
    org.set_pace(Pace.timed())
    assert go_on(org, tmp_path).rows == 5 * CHUNKS
    assert_whole(org, tmp_path)


def test_results_that_are_gone_say_so(org: Emulator, tmp_path: Path) -> None:
    with pytest.raises(errors.Interrupted):
        bring(org, tmp_path, pk_chunking=5, workers=1, trace=stopping("fetch", 3, ctrl_c))
    org.clock.advance(days=8)
    with (
        Client(org.base_url, BearerToken(org.state.sessions.open()), retry=QUICK) as client,
        pytest.raises(
            errors.NotFound,
            match=r"no longer has the results of batch 751\w+ of job 750\w+.*7 days.*Start a new extract",
        ) as caught,
    ):
        extract.resume_extract(sitting_of(client), tmp_path / "run")
    assert caught.value.batch_id


def test_a_full_disk_stops_the_extract(org: Emulator, tmp_path: Path) -> None:
    with pytest.raises(errors.Interrupted, match="No space left on device"):
        bring(org, tmp_path, to="/dev/full", format="csv")


def test_an_org_out_of_reach_for_too_long_stops_the_extract(org: Emulator, tmp_path: Path) -> None:
    org.faults.add(Fault("request lost", path=RESULT, times=10_000))
    with client_of(org) as client, pytest.raises(errors.Interrupted, match="Go on with"):
        extract.extract(
            sitting_of(client, trouble_seconds=0.0),
            ExtractOptions(soql=QUERY, to=tmp_path / "out.csv", run_dir=tmp_path / "run", pk_chunking=5),
        )
    org.faults.clear()
    go_on(org, tmp_path)
    assert_whole(org, tmp_path)


def test_pause_that_the_org_asks_for_is_kept(org: Emulator, tmp_path: Path) -> None:
    """It is longer than one call waits."""
    org.faults.add(Fault("status", "GET", "*/batch", retry_after=1))
    begun = time.monotonic()
    bring(org, tmp_path)
    assert time.monotonic() - begun > 1.0
    assert_whole(org, tmp_path)


def test_a_part_that_was_changed_on_disk_is_fetched_again(org: Emulator, tmp_path: Path) -> None:
    with pytest.raises(errors.Interrupted):
        bring(org, tmp_path, pk_chunking=5, workers=1, trace=stopping("fetch", 4, ctrl_c))
    parts = sorted((tmp_path / "run" / "parts").iterdir())
    parts[0].write_bytes(parts[0].read_bytes().replace(b"row", b"raw"))
    parts[1].unlink()
    before = len(fetched(org))
    go_on(org, tmp_path)
    assert len(fetched(org)) - before == CHUNKS - 4 + 2
    assert_whole(org, tmp_path)
