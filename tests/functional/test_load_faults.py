"""A load into an org that misbehaves: every row goes in exactly once, and what cannot go on stops so that it can be
resumed."""

from __future__ import annotations

import copy
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
from tests.support.holding import ctrl_c
from tests.support.rehearsal import (
    BRISK,
    SCHEMA,
    Load,
    Rows,
    assert_exactly_once,
    assert_outputs_line_up,
    changes,
    nasty_rows,
    read_csv,
    settle,
)

from bulkforce import BearerToken, Client, LoadReport, RefreshToken
from bulkforce.errors import (
    Error,
    Interrupted,
    JournalBusy,
    JournalMismatch,
    NotSent,
    OutcomeUnknown,
    RecordsFailed,
    SourceChanged,
    Unsettled,
    UsageError,
)
from bulkforce.load import verb as loads
from bulkforce.load.rules import AcceptAs
from bulkforce.protocol.exchange import Answer, Request
from bulkforce.transport.http import HTTP
from bulkforce_emulator import Emulator, Fault
from bulkforce_emulator.mishaps import Mishap
from bulkforce_emulator.state.lifecycle import Pace

BATCHES, RESULTS, JOB = "*/job/*/batch", "*/result", "*/services/async/*/job"


@pytest.fixture
def org() -> Iterator[Emulator]:
    with Emulator(SCHEMA) as org:
        yield org


@pytest.fixture(scope="module")
def running() -> Iterator[Emulator]:
    with Emulator(SCHEMA) as org:
        yield org


@pytest.fixture
def lasting_org(running: Emulator) -> Iterator[Emulator]:
    yield running
    settle(running)


FAULTS = {
    "answer lost after acceptance": Fault("answer lost", "POST", BATCHES, nth=2),
    "answers lost after acceptance, all": Fault("answer lost", "POST", BATCHES, times=6),
    "answer lost before acceptance": Fault("request lost", "POST", BATCHES, nth=2),
    "answers lost before acceptance, twice": Fault("request lost", "POST", BATCHES, nth=2, times=2),
    "connection reset in the middle of the upload": Fault("upload reset", "POST", BATCHES, nth=3, after_bytes=10),
    "500 before acting": Fault("status", "POST", BATCHES, nth=2, status=500),
    "500 after acting": Fault("status", "POST", BATCHES, nth=2, status=500, acted=True),
    "503 before acting": Fault("status", "POST", BATCHES, nth=2, status=503, retry_after=0),
    "503 after acting": Fault("status", "POST", BATCHES, nth=2, status=503, retry_after=0, acted=True),
    "403 page of a proxy, after acting": Fault("answer replaced", "POST", BATCHES, nth=2, status=403, acted=True),
    "408 page of a gateway, after acting": Fault("answer replaced", "POST", BATCHES, nth=2, status=408, acted=True),
    "HTML with 200, before acting": Fault("answer replaced", "POST", BATCHES, nth=2, status=200),
    "HTML with 200, after acting": Fault("answer replaced", "POST", BATCHES, nth=2, status=200, acted=True),
    "HTML with 503, after acting": Fault("answer replaced", "POST", BATCHES, nth=2, status=503, acted=True),
    "empty body with 201, after acting": Fault(
        "answer replaced", "POST", BATCHES, nth=2, status=201, body="", acted=True
    ),
    "answer cut in the middle": Fault("answer cut", "POST", BATCHES, nth=2),
    "answer truncated": Fault("answer truncated", "POST", BATCHES, nth=2),
    "answer of another type": Fault("content type", "POST", BATCHES, nth=2),
    "closing lost after acting": Fault("answer lost", "POST", "*/job/*"),
    "list of batches lost": Fault("answer lost", "GET", BATCHES, times=3),
    "list of batches cut": Fault("answer cut", "GET", BATCHES, times=3),
    "results take three tries: 500": Fault("status", "GET", RESULTS, status=500, times=2),
    "results take three tries: cut": Fault("answer cut", "GET", RESULTS, times=2),
    "results take three tries: cut in chunks": Fault("answer cut", "GET", RESULTS, times=2, keep_length=False),
    "results take three tries: truncated": Fault("answer truncated", "GET", RESULTS, times=2),
    "results take three tries: empty": Fault("answer truncated", "GET", RESULTS, times=2, after_bytes=0),
    "results take three tries: HTML with 200": Fault("answer replaced", "GET", RESULTS, status=200, times=2),
    "slow answers": Fault("slow", seconds=0.02, times=50),
}


@pytest.mark.parametrize("gzip_requests", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("fault", FAULTS.values(), ids=list(FAULTS))
def test_load_goes_in_exactly_once_in_spite_of_a_fault(
    lasting_org: Emulator, tmp_path: Path, fault: Fault, gzip_requests: bool
) -> None:
    load = Load(lasting_org, tmp_path, gzip_requests=gzip_requests)
    lasting_org.faults.clear()
    lasting_org.faults.add(fault)
    load.check(load.begin())
    assert lasting_org.faults.pending() == [] or fault.kind == "slow"
    assert [job.state for job in load.books.jobs if job.state == "open"] == []


@pytest.mark.parametrize("kind", ["answer lost", "request lost", "status"])
def test_job_whose_creation_is_in_doubt_is_followed_by_another_and_told(
    org: Emulator, tmp_path: Path, kind: Literal["answer lost", "request lost", "status"]
) -> None:
    load = Load(org, tmp_path)
    org.faults.add(Fault(kind, "POST", JOB))
    report = load.begin()
    load.check(report)
    assert len(report.jobs_left_open) == 1
    assert report.jobs_left_open[0].startswith("insert Row__c, asked for at 2")
    assert load.resume().jobs_left_open == report.jobs_left_open
    assert [job.batches for job in load.books.jobs if job.state == "open"] == ([{}] if kind == "answer lost" else [])


def test_jobs_that_are_never_answered_stop_the_load(org: Emulator, tmp_path: Path) -> None:
    load = Load(org, tmp_path)
    org.faults.add(Fault("answer lost", "POST", JOB, times=1_000))
    with pytest.raises(OutcomeUnknown, match="Creating a job was tried 5 times"):
        load.begin()
    assert len(load.books.jobs) == 5
    assert not load.run_dir.exists()
    org.faults.clear()
    load.check(load.begin())


def test_late_twin_finds_the_job_closed(org: Emulator, tmp_path: Path) -> None:
    load = Load(org, tmp_path)
    # So late that no look at the job under way can bring it in before the fence, however slow the machine; the last
    # requests are ours.
    org.faults.add(Fault("late twin", "POST", BATCHES, nth=2, after_requests=100))
    load.check(load.begin())
    for _ in range(100):
        urllib.request.urlopen(f"{org.base_url}/services/data").close()
    assert org.faults.struck == 1
    assert len(load.books.jobs) >= 2
    assert {job.state for job in load.books.jobs} == {"closed"}
    assert sum(len(job.batches) for job in load.books.jobs) == 6


@pytest.mark.parametrize("after_requests", range(8))
def test_late_twin_that_lands_before_the_fence_is_adopted(org: Emulator, tmp_path: Path, after_requests: int) -> None:
    load = Load(org, tmp_path)
    org.faults.add(Fault("late twin", "POST", BATCHES, nth=2, after_requests=after_requests))
    load.check(load.begin())
    assert sum(len(job.batches) for job in load.books.jobs) == 6


def test_batch_that_appears_after_the_close_is_waited_for(org: Emulator, tmp_path: Path) -> None:
    load = Load(org, tmp_path)
    org.faults.add(
        Fault("late commit", "POST", BATCHES, nth=2, after_looks=1), Fault("answer lost", "POST", BATCHES, nth=2)
    )
    load.check(load.begin())
    assert sum(len(job.batches) for job in load.books.jobs) == 6


def test_batch_that_appears_when_it_was_believed_absent_is_never_silent(org: Emulator, tmp_path: Path) -> None:
    load = Load(org, tmp_path, options={"workers": 1})
    org.faults.add(Fault("late commit", "POST", BATCHES, nth=2), Fault("answer lost", "POST", BATCHES, nth=2))

    fetched: list[str] = []

    def appear(name: str) -> None:
        # When the org is done with all that is known, and nothing is waited for any more.
        fetched.extend([name] if name == "fetch" else [])
        if len(fetched) == 6:
            org.release()

    load.trace = appear
    unsettled(load, load.begin, "which this run did not send")


@pytest.mark.parametrize("times", [1, 2])
def test_equal_batches_whose_answers_are_lost_are_counted_not_merged(org: Emulator, tmp_path: Path, times: int) -> None:
    rows = [*nasty_rows().rows[:6]] * 2
    load = Load(org, tmp_path, Rows(("Code__c", "Text__c"), rows))
    org.faults.add(Fault("answer lost", "POST", BATCHES, times=times))
    load.check(load.begin())
    assert len(load.books.jobs) == 1


def test_equal_batches_of_which_one_never_arrived_are_told_apart(org: Emulator, tmp_path: Path) -> None:
    load = Load(org, tmp_path, Rows(("Code__c", "Text__c"), [*nasty_rows().rows[:6]] * 3))
    org.faults.add(Fault("answer lost", "POST", BATCHES), Fault("request lost", "POST", BATCHES))
    load.check(load.begin())
    assert org.faults.struck == 2


def expiring(path: str = BATCHES, method: str = "POST", nth: int = 3) -> Fault:
    return Fault("session expired", method, path, nth=nth, after_bytes=10)


@pytest.mark.parametrize(
    "fault", [expiring(), expiring(method="GET", nth=1), expiring(RESULTS, "GET"), expiring("*/job/*", nth=1)]
)
def test_session_that_ends_is_renewed_on_the_way(org: Emulator, tmp_path: Path, fault: Fault) -> None:
    load = Load(org, tmp_path, auth=RefreshToken(org.client_id, org.client_secret, org.refresh_token))
    org.faults.add(fault)
    load.check(load.begin())
    assert org.faults.struck == 1


def stopped(load: Load, fault: Fault | None = None) -> None:
    """Begin a load whose session ends on the way, and take up a new session for going on."""
    load.org.faults.add(fault or expiring())
    with pytest.raises(Interrupted, match="bulkforce resume"):
        load.begin()
    load.auth = BearerToken(load.org.state.sessions.open())


@pytest.mark.parametrize(
    "fault", [expiring(), expiring(method="GET", nth=1), expiring(RESULTS, "GET"), expiring("*/job/*", nth=1)]
)
def test_session_that_cannot_be_renewed_stops_the_run_and_a_new_one_goes_on(
    org: Emulator, tmp_path: Path, fault: Fault
) -> None:
    load = Load(org, tmp_path)
    stopped(load, fault)
    assert load.org.session_id not in (load.run_dir / "report.json").read_text("utf-8")
    load.check(load.resume())


def test_journal_holds_no_token(org: Emulator, tmp_path: Path) -> None:
    load = Load(org, tmp_path, auth=RefreshToken(org.client_id, org.client_secret, org.refresh_token))
    load.check(load.begin())
    for file in load.run_dir.iterdir():
        assert not any(
            secret.encode() in file.read_bytes() for secret in (org.session_id, org.refresh_token, org.client_secret)
        )


UNREADABLE = {
    "other columns": b'"Id","Success"\n"1","true"\n',
    "not UTF-8": b'"Id","Success","Created","Error"\n"","false","false","\xff\xfe"\n',
    "too few records": b'"Id","Success","Created","Error"\n"003000000000001AAA","true","true",""\n',
    "an open quote": b'"Id","Success","Created","Error"\n"003000000000001AAA","true","true","',
}


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=list(UNREADABLE))
def test_results_that_nobody_can_read_leave_their_rows_in_doubt_and_the_rest_is_finished(
    org: Emulator, tmp_path: Path, body: bytes
) -> None:
    load = Load(org, tmp_path, options={"workers": 1})

    class Garbled(HTTP):
        """Results of the first batch come as something else, however often they are fetched."""

        def send(self, request: Request, url: str, headers: dict[str, str], *, streamed: bool) -> Answer:
            answer = super().send(request, url, headers, streamed=streamed)
            first = next(iter(load.books.jobs[0].batches), None) if load.books.jobs else None
            return replace(answer, body=body) if url.endswith(f"{first}/result") else answer

    load.transport = Garbled()
    report = load.begin()
    assert (report.state, report.pending, report.in_doubt, report.unprocessed) == ("finished", 0, 6, 0)
    assert [row[1:] for row in read_csv(load.run_dir / "in_doubt.csv")[1:]] == load.source.rows[:6]
    assert {row[0].partition(":")[0] for row in read_csv(load.run_dir / "in_doubt.csv")[1:]} == {
        "The org accepted this row, but its outcome is not known"
    }
    assert (load.run_dir / "unreadable-000001.csv").read_bytes() == body
    assert_exactly_once(org, load.books, load.source)
    assert load.resume() == report
    with pytest.raises(RecordsFailed, match="6 in doubt"):
        report.raise_for_failures()


def test_batch_that_fails_whole_leaves_its_rows_unprocessed(org: Emulator, tmp_path: Path) -> None:
    load = Load(org, tmp_path)
    org.mishaps.plan(Mishap("InvalidBatch : Field name not found : Nope__c"))
    report = load.begin()
    unprocessed = read_csv(load.run_dir / "unprocessed.csv")
    assert (report.unprocessed, report.pending, len(unprocessed)) == (6, 0, 7)
    assert "Field name not found" in unprocessed[1][0]
    at = load.source.rows.index(unprocessed[1][1:])
    assert [row[1:] for row in unprocessed[1:]] == load.source.rows[at : at + 6]
    assert (
        report.succeeded
        == load.books.accepted(load.source.header).total()
        == len(read_csv(load.run_dir / "success.csv")) - 1
    )


def test_batch_half_processed_is_told_row_by_row(org: Emulator, tmp_path: Path) -> None:
    load = Load(org, tmp_path, Rows(("Code__c",), [(f"row {number}",) for number in range(6)]))
    org.mishaps.plan(Mishap("TooManyLockFailure", after_rows=4))
    report = load.begin()
    assert (report.succeeded, report.failed, report.unprocessed) == (4, 0, 2)
    assert [row[2:] for row in read_csv(load.run_dir / "success.csv")[1:]] == load.source.rows[:4]
    assert [row[1:] for row in read_csv(load.run_dir / "unprocessed.csv")[1:]] == load.source.rows[4:]
    assert load.books.accepted(("Code__c",)) == Counter(load.source.rows[:4])


def test_rows_that_find_a_lock_fail_and_can_be_loaded_again(org: Emulator, tmp_path: Path) -> None:
    load = Load(org, tmp_path, Rows(("Code__c",), [(f"row {number}",) for number in range(12)]))
    org.mishaps.plan(Mishap(every=3), times=2)
    report = load.begin()
    assert (report.succeeded, report.failed) == (8, 4)
    assert [(group.status_code, group.count, group.row) for group in report.errors] == [("UNABLE_TO_LOCK_ROW", 4, 3)]
    again = Load(org, tmp_path / "run", options={"source": load.run_dir / "failed.csv", "run_dir": tmp_path / "again"})
    assert again.begin().succeeded == 4
    assert load.books.accepted(("Code__c",)) == Counter(load.source.rows)


@pytest.mark.parametrize("effect", ["open", "send", "close"])
def test_job_that_an_administrator_aborts_stops_the_run_and_what_never_ran_is_sent_anew(
    org: Emulator, tmp_path: Path, effect: str
) -> None:
    load = Load(org, tmp_path)
    org.set_pace(Pace.manual())
    once = threading.Lock()  # sends end beside each other

    def abort(name: str) -> None:
        if name == effect and once.acquire(blocking=False):
            org.advance(2 if effect == "send" else 0)
            org.abort_job(load.books.jobs[0].id)

    load.trace = abort
    with pytest.raises(Interrupted, match="was aborted"):
        load.begin()
    org.set_pace(Pace.timed())
    load.check(load.resume())
    first, *others = load.books.jobs
    assert first.state == "aborted"
    # A batch on its way may find the job aborted, and another be opened, before the run stops.
    assert {job.state for job in others} == {"closed"}
    assert sum(bool(job.batches) for job in others) == 1


def test_what_never_ran_in_a_job_aborted_meanwhile_is_sent_when_the_run_goes_on(org: Emulator, tmp_path: Path) -> None:
    load = Load(org, tmp_path)
    org.set_pace(Pace.manual())

    once = threading.Lock()

    def stop(name: str) -> None:
        if name == "send" and once.acquire(blocking=False):
            ctrl_c()

    load.trace = stop
    with pytest.raises(Interrupted, match="stopped by Ctrl-C"):
        load.begin()
    org.abort_job(load.books.jobs[0].id)
    org.set_pace(Pace.timed())
    load.check(load.resume())


@pytest.mark.parametrize(("moment", "workers"), [("open", 4), ("send", 1)])
def test_job_that_somebody_closes_is_followed_by_another(
    org: Emulator, tmp_path: Path, moment: str, workers: int
) -> None:
    """Before it has a batch, when several are on their way; and between its first batch and its second."""
    load = Load(org, tmp_path, options={"workers": workers})

    def close(name: str) -> None:
        if name == moment and len(load.books.jobs) == 1 and load.books.jobs[0].state == "open":
            org.state.jobs.close(load.books.jobs[0])

    load.trace = close
    load.check(load.begin())
    assert len(load.books.jobs) == 2


def test_job_is_rolled_over_before_it_is_too_old(org: Emulator, tmp_path: Path) -> None:
    hours = [0]

    def pass_time(effect: str) -> None:
        if effect == "send":
            hours[0] += 12

    load = Load(org, tmp_path, options={"workers": 1}, trace=pass_time, clock=lambda: hours[0] * 3600.0)
    load.check(load.begin())
    assert [(job.state, len(job.batches)) for job in load.books.jobs] == [("closed", 2)] * 3


def test_job_with_many_batches_is_followed_by_another(org: Emulator, tmp_path: Path) -> None:
    load = Load(org, tmp_path, patience=replace(BRISK, job_batches=4))
    load.check(load.begin())
    assert [(job.state, len(job.batches)) for job in load.books.jobs] == [("closed", 4), ("closed", 2)]


def test_job_with_many_batches_is_filled_by_the_run_that_goes_on(org: Emulator, tmp_path: Path) -> None:
    load = Load(org, tmp_path, options={"workers": 1}, patience=replace(BRISK, job_batches=4, trouble_seconds=0.05))
    org.faults.add(Fault("request lost", "POST", BATCHES, nth=4, times=1_000))
    with pytest.raises(Interrupted):
        load.begin()
    org.faults.clear()
    load.check(load.resume())
    assert max(len(job.batches) for job in load.books.jobs) <= 4
    assert sum(len(job.batches) for job in load.books.jobs) == 6


def test_serial_load_has_one_job_however_many_batches_it_has(org: Emulator, tmp_path: Path) -> None:
    # Batches of two jobs would run side by side.
    options = {"concurrency_mode": "Serial"}
    load = Load(org, tmp_path, options=options, patience=replace(BRISK, job_batches=4))
    load.check(load.begin())
    assert [(job.state, len(job.batches)) for job in load.books.jobs] == [("closed", 6)]


def test_uploads_that_never_arrive_stop_the_run(org: Emulator, tmp_path: Path) -> None:
    load = Load(org, tmp_path)
    org.faults.add(Fault("request lost", "POST", BATCHES, times=1_000))
    with pytest.raises(Interrupted, match="never arrived"):
        load.begin()
    assert len(load.books.jobs) < 30
    org.faults.clear()
    load.check(load.resume())


def test_org_out_of_reach_for_too_long_stops_the_run(org: Emulator, tmp_path: Path) -> None:
    load = Load(org, tmp_path, patience=replace(BRISK, trouble_seconds=0.05))
    org.faults.add(Fault("request lost", nth=6, times=1_000))
    with pytest.raises(Interrupted, match="bulkforce resume"):
        load.begin()
    org.faults.clear()
    load.check(load.resume())


class Unplugged(HTTP):
    """A line that is dead for some sendings of a batch: the org certainly never saw them."""

    def __init__(self, dead: int) -> None:
        super().__init__()
        self.dead = dead
        self._lock = threading.Lock()

    def send(self, request: Request, url: str, headers: dict[str, str], *, streamed: bool) -> Answer:
        with self._lock:
            self.dead -= request.method == "POST" and url.endswith("/batch")
            dead = self.dead >= 0
        if dead and request.method == "POST" and url.endswith("/batch"):
            raise NotSent("No connection", request.facts())
        return super().send(request, url, headers, streamed=streamed)


class Unended(HTTP):
    """An org whose results have no line end behind the last record; so it was recorded."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    def send(self, request: Request, url: str, headers: dict[str, str], *, streamed: bool) -> Answer:
        answer = super().send(request, url, headers, streamed=streamed)
        if not url.endswith("/result"):
            return answer
        self.asked += 1
        return replace(answer, body=answer.body.removesuffix(b"\n"))


def test_results_without_a_final_line_end_are_right(org: Emulator, tmp_path: Path) -> None:
    transport = Unended()
    load = Load(org, tmp_path, transport=transport)
    load.check(load.begin())
    assert transport.asked == 6


def test_line_that_is_dead_for_a_while_is_waited_for(org: Emulator, tmp_path: Path) -> None:
    load = Load(org, tmp_path, transport=Unplugged(200))
    load.check(load.begin())
    assert len(load.books.jobs) == 1


def test_retry_after_of_a_refused_batch_is_kept(org: Emulator, tmp_path: Path) -> None:
    load = Load(org, tmp_path, options={"workers": 1})
    org.faults.add(Fault("status", "POST", BATCHES, nth=2, status=503, retry_after=1))
    begun = time.monotonic()
    load.check(load.begin())
    assert time.monotonic() - begun > 1.0


def unsettled(load: Load, run: Callable[[], LoadReport], match: str) -> LoadReport:
    """Begin or resume a load that stops for good: what is certain is told, the rest is in a file of its own."""
    with pytest.raises(Unsettled, match=match) as caught:
        run()
    report = caught.value.report
    assert isinstance(report, LoadReport)
    assert "--accept-as" in str(caught.value)
    assert report.state == "unsettled"
    assert report.pending == 0
    page = (load.run_dir / "report.html").read_text("utf-8")
    assert 'class="badge unsettled"' in page
    assert f"bulkforce resume {load.run_dir} --accept-as" in page
    assert f'= read</th><td class="number">{report.read}<' in page
    names = ("success", "failed", "unprocessed", "rejected", "in_doubt")
    files = {name: read_csv(load.run_dir / f"{name}.csv") for name in names if (load.run_dir / f"{name}.csv").exists()}
    counts = (report.succeeded, report.failed, report.unprocessed, report.rejected, report.in_doubt)
    assert counts == tuple(len(files[name]) - 1 if name in files else 0 for name in names)
    width = len(load.source.header)
    assert Counter(row[-width:] for rows in files.values() for row in rows[1:]) == Counter(load.source.rows)
    return report


def test_batch_of_a_stranger_in_a_doubtful_job_stops_the_run(org: Emulator, tmp_path: Path) -> None:
    load = Load(org, tmp_path, options={"workers": 1})
    org.faults.add(Fault("request lost", "POST", BATCHES, nth=2))

    def intrude(name: str) -> None:
        if name == "send" and len(load.books.jobs[0].batches) == 1:
            org.state.jobs.add_batch(load.books.jobs[0], b"Code__c\nstranger\n")

    load.trace = intrude
    report = unsettled(load, load.begin, "which this run did not send")
    posted = len(changes(org))
    assert unsettled(load, load.resume, "which this run did not send").in_doubt == report.in_doubt
    assert [change for change in changes(org)[posted:] if change.endswith("/batch")] == []


def intruding(load: Load, effect: str, nth: int = 1) -> Callable[[str], None]:
    """Add a batch of one row, as somebody else, after the nth of an effect."""
    left = [nth]
    lock = threading.Lock()

    def intrude(name: str) -> None:
        with lock:
            left[0] -= name == effect
            due = name == effect and left[0] == 0
        if due:
            with Client(load.org.base_url, auth=BearerToken(load.org.session_id)) as client:
                client.add_batch(load.books.jobs[0].id, "Code__c,Text__c\nstranger,\n")

    return intrude


@pytest.mark.parametrize(("effect", "nth"), [("open", 1), ("send", 1), ("send", 3), ("send", 5)])
def test_batch_of_a_stranger_stops_the_run_though_no_answer_was_lost(
    org: Emulator, tmp_path: Path, effect: str, nth: int
) -> None:
    load = Load(org, tmp_path, options={"workers": 1})
    load.trace = intruding(load, effect, nth)
    report = unsettled(load, load.begin, "which this run did not send")
    load.trace = lambda _effect: None
    # What was sent before is told, and nothing is sent beside a stranger.
    sent = sum(len(job.batches) for job in load.books.jobs) - 1
    assert report.succeeded + report.failed == sum(6 if number < 5 else 4 for number in range(sent))
    assert unsettled(load, load.resume, "which this run did not send").in_doubt == report.in_doubt


@pytest.mark.parametrize("accept_as", ["sent", "not-sent"])
def test_stranger_that_the_user_accepts_is_no_reason_to_stop(
    org: Emulator, tmp_path: Path, accept_as: AcceptAs
) -> None:
    load = Load(org, tmp_path, options={"workers": 1})
    load.trace = intruding(load, "send", 2)
    unsettled(load, load.begin, "which this run did not send")
    load.trace = lambda _effect: None
    report = load.resume(accept_as)
    assert (report.state, report.in_doubt, report.pending) == ("finished", 0, 0)
    assert_outputs_line_up(org, load.run_dir, load.source)
    assert load.books.accepted(load.source.header) - Counter([("stranger", "")]) == Counter(load.source.good)
    assert not (load.run_dir / "in_doubt.csv").exists()
    assert load.resume() == report


def test_request_that_reaches_the_org_twice_stops_the_run(org: Emulator, tmp_path: Path) -> None:
    """A proxy delivers a batch twice, and both times the org takes it; the first answer arrives."""
    load = Load(org, tmp_path, options={"workers": 1})

    def repeat(name: str) -> None:
        if name == "send" and len(load.books.jobs[0].batches) == 2:  # ours, until the twin is there
            job = load.books.jobs[0]
            with Client(org.base_url, auth=BearerToken(org.session_id)) as client:
                client.add_batch(job.id, client.get_batch_request(job.id, next(iter(job.batches))))

    load.trace = repeat
    unsettled(load, load.begin, "may be in the org twice")


def copied(load: Load) -> Load:
    """A copy of the run's folder, as a restored backup is."""
    other = copy.copy(load)
    other.run_dir = load.run_dir.with_name("copy")
    shutil.copytree(load.run_dir, other.run_dir)
    return other


@pytest.mark.parametrize("marks", [True, False])
@pytest.mark.parametrize("nth", range(2, 7))
def test_copy_of_a_run_that_went_on_elsewhere_sends_nothing(
    org: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nth: int, marks: bool
) -> None:
    load = Load(org, tmp_path, options={"workers": 1})
    stopped(load, expiring(nth=nth))
    copy_of_it = copied(load)
    copy_of_it.auth = load.auth
    load.check(load.resume())
    before = len(changes(org))
    if not marks:  # on another machine
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another machine"))
    match = "continued elsewhere" if marks else "was closed while this run was stopped|which this run did not send"
    unsettled(copy_of_it, copy_of_it.resume, match)
    assert [change for change in changes(org)[before:] if change.endswith("/batch")] == []
    assert_exactly_once(org, load.books, load.source)


@pytest.mark.parametrize("accept_as", [None, "sent", "not-sent"])
def test_copy_of_a_run_whose_job_was_fenced_is_known_by_its_sittings(
    org: Emulator, tmp_path: Path, accept_as: AcceptAs | None
) -> None:
    """In the org there is no sign of the other: the job is closed, as this run may have done itself."""
    patience = replace(BRISK, trouble_seconds=0.0, look_seconds=600.0, look_longest_seconds=600.0)
    load = Load(org, tmp_path, options={"workers": 1}, patience=patience)
    # The job is closed, and then the line is dead: its list of batches never comes.
    org.faults.add(Fault("request lost", "POST", BATCHES, nth=2), Fault("request lost", "GET", BATCHES, times=1_000))
    with pytest.raises(Interrupted):
        load.begin()
    org.faults.clear()
    load.patience = BRISK
    copy_of_it = copied(load)
    load.check(load.resume())
    before = len(changes(org))
    if accept_as == "not-sent":
        # The user's own word: the copy is gone on with, and the rest goes in once more.
        assert copy_of_it.resume("not-sent").in_doubt == 0
        return
    if accept_as == "sent":
        report = copy_of_it.resume("sent")
        assert report.state == "finished"
        assert report.in_doubt == len(load.source.rows) - report.succeeded - report.failed > 0
    else:
        unsettled(copy_of_it, copy_of_it.resume, "continued elsewhere")
    assert [change for change in changes(org)[before:] if change.endswith("/batch")] == []
    assert_exactly_once(org, load.books, load.source)


def test_journal_that_was_put_back_sends_nothing(org: Emulator, tmp_path: Path) -> None:
    """The folder is the same, the journal is one of before: from when the source was being read."""
    load = Load(org, tmp_path, options={"workers": 1})
    kept: list[bytes] = []

    def keep(name: str) -> None:
        if name == "journal" and not kept:
            shutil.copytree(load.run_dir, tmp_path / "kept")
            kept.append(b"")

    load.trace = keep
    load.check(load.begin())
    for path in load.run_dir.glob("journal.sqlite*"):
        path.unlink()
    for path in (tmp_path / "kept").glob("journal.sqlite*"):
        shutil.copy(path, load.run_dir)
    before = len(changes(org))
    unsettled(load, load.resume, "outdated copy, or has lost its end")
    assert [change for change in changes(org)[before:] if change.endswith("/batch")] == []
    assert_exactly_once(org, load.books, load.source)


def test_job_that_somebody_closes_while_the_run_is_stopped_is_the_users_to_judge(org: Emulator, tmp_path: Path) -> None:
    load = Load(org, tmp_path, options={"workers": 1})
    stopped(load)
    org.state.jobs.close(load.books.jobs[0])
    report = unsettled(load, load.resume, "was closed while this run was stopped, and not by it")
    assert report.in_doubt > 0
    load.check(load.resume("not-sent"))


def test_rest_that_somebody_else_has_sent_is_left_as_it_is(org: Emulator, tmp_path: Path) -> None:
    load = Load(org, tmp_path, options={"workers": 1})
    stopped(load)
    org.state.jobs.close(load.books.jobs[0])
    before = len(changes(org))
    report = load.resume("sent")
    assert [change for change in changes(org)[before:] if change.endswith("/batch")] == []
    assert (report.state, report.pending) == ("finished", 0)
    assert report.in_doubt == len(load.source.rows) - report.succeeded - report.failed > 0
    assert len(read_csv(load.run_dir / "in_doubt.csv")) == report.in_doubt + 1
    assert load.resume() == report


# Resuming what cannot be resumed: a clear error, and nothing touched.


def refused(load: Load, kind: type[Error], match: str) -> None:
    before = len(load.org.requests)
    untold = ("sqlite", "report.json", "report.html")
    state = {
        path: path.read_bytes()
        for path in load.run_dir.rglob("*")
        if path.is_file() and not any(part in path.name for part in untold)
    }
    with pytest.raises(kind, match=match):
        load.resume()
    # A request of before whose answer was lost may be noted only now; it has no status.
    assert [request for request in load.org.requests[before:] if request.method != "GET" and request.status] == []
    assert {path: path.read_bytes() for path in state} == state


@pytest.mark.parametrize("change", ["append", "shorten", "same size", "remove"])
def test_resume_refuses_a_source_that_has_changed(org: Emulator, tmp_path: Path, change: str) -> None:
    load = Load(org, tmp_path)
    stopped(load)
    content = load.path.read_bytes()
    match change:
        case "append":
            load.path.write_bytes(content + b"more,\n")
        case "shorten":
            load.path.write_bytes(content[:-5])
        case "same size":
            load.path.write_bytes(content.replace(b"row 5", b"ROW 5"))
        case _:
            load.path.unlink()
    refused(load, SourceChanged, "changed|can no longer be read")


def test_source_that_changes_under_way_stops_the_run(org: Emulator, tmp_path: Path) -> None:
    load = Load(org, tmp_path)
    content, known = load.path.read_bytes(), load.path.stat()
    changed: list[str] = []

    def change(name: str) -> None:
        if name == "close" and not changed:
            changed.append(name)
            load.path.write_bytes(content.replace(b"row", b"ROW"))

    load.trace = change
    with pytest.raises(Interrupted, match="has changed"):
        load.begin()
    load.path.write_bytes(content)
    os.utime(load.path, ns=(known.st_atime_ns, known.st_mtime_ns))
    load.check(load.resume())


def test_resume_refuses_a_run_in_use_by_another_process(org: Emulator, tmp_path: Path) -> None:
    load = Load(org, tmp_path)
    stopped(load)
    hold = (
        "import sys, pathlib; from bulkforce.load.journal import LoadJournal; "
        "LoadJournal(pathlib.Path(sys.argv[1])); print(flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(load.run_dir)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout
        holder.stdout.readline()
        refused(load, JournalBusy, "Another process is working on the run")
        assert [run.state for run in loads.runs(tmp_path)] == ["running"]
        holder.communicate("\n", timeout=600)
    load.check(load.resume())


@pytest.mark.parametrize(
    "fault", [expiring(), expiring(nth=1), expiring(method="GET", nth=1), expiring(RESULTS, "GET")]
)
def test_resume_refuses_a_run_whose_job_was_purged(org: Emulator, tmp_path: Path, fault: Fault) -> None:
    load = Load(org, tmp_path)
    org.faults.add(Fault("answer lost", "POST", BATCHES))  # something is in doubt, besides
    stopped(load, fault)
    org.clock.advance(days=8)
    load.auth = BearerToken(org.state.sessions.open())
    refused(load, Unsettled, "jobs are kept for 7 days")
    unsettled(load, load.resume, "jobs are kept for 7 days")


@pytest.mark.parametrize("accept_as", ["sent", "not-sent"])
def test_run_whose_job_was_purged_ends_as_the_user_says(org: Emulator, tmp_path: Path, accept_as: AcceptAs) -> None:
    load = Load(org, tmp_path, options={"workers": 1})
    org.set_pace(Pace.manual())
    stopped(load, expiring(nth=3))  # two batches were taken, the third was refused
    taken = sum(len(job.batches) for job in load.books.jobs)
    org.set_pace(Pace.timed())
    org.clock.advance(days=8)
    load.auth = BearerToken(org.state.sessions.open())
    report = load.resume(accept_as)
    assert (taken, report.state, report.pending) == (2, "finished", 0)
    if accept_as == "sent":
        assert report.in_doubt == 12
        assert [row[1:] for row in read_csv(load.run_dir / "in_doubt.csv")[1:]] == load.source.rows[:12]
    else:
        assert report.in_doubt == 0
        assert [row[2:] for row in read_csv(load.run_dir / "success.csv")[1:]] == load.source.good


def test_resume_refuses_another_org(org: Emulator, tmp_path: Path) -> None:
    load = Load(org, tmp_path)
    stopped(load)
    with Emulator(SCHEMA) as other:
        load.org, load.auth = other, BearerToken(other.session_id)
        refused(load, JournalMismatch, "belongs to")
        assert other.requests == []
    load.org, load.auth = org, BearerToken(org.state.sessions.open())
    load.check(load.resume())


@pytest.mark.parametrize("content", [None, b"", b"no journal at all", b"SQLite format 3\x00" + b"\xff" * 4_000])
def test_resume_refuses_a_folder_that_is_no_run(org: Emulator, tmp_path: Path, content: bytes | None) -> None:
    load = Load(org, tmp_path)
    load.run_dir.mkdir()
    if content is not None:
        (load.run_dir / "journal.sqlite").write_bytes(content)
    refused(
        load,
        UsageError if content is None else JournalMismatch,
        "no run|not a bulkforce journal|died before it recorded what to do",
    )


def test_journal_of_another_version_is_refused(org: Emulator, tmp_path: Path) -> None:
    load = Load(org, tmp_path)
    stopped(load)
    with closing(sqlite3.connect(load.run_dir / "journal.sqlite")) as database:
        database.execute("PRAGMA user_version = 99")
    refused(load, JournalMismatch, "version 99")


def test_load_refuses_a_folder_that_holds_a_run(org: Emulator, tmp_path: Path) -> None:
    load = Load(org, tmp_path)
    stopped(load)
    before = len(org.requests)
    with pytest.raises(UsageError, match="already holds a run"):
        load.begin()
    assert changes(org, before) == []
    load.check(load.resume())


def test_finished_run_is_resumed_by_telling_its_report(org: Emulator, tmp_path: Path) -> None:
    load = Load(org, tmp_path)
    report = load.begin()
    before = len(org.requests)
    assert load.resume() == report
    assert org.requests[before:] == []
