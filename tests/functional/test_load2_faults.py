"""Loads over Bulk API 2.0 whose calls go wrong: the table of what to do after a lost answer, each row tried with the
call lost before the org acts on it, after it has, and while it is still under way."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.rehearsal import SCHEMA, Load, settle

from bulkforce import errors
from bulkforce_emulator import Emulator, Fault
from bulkforce_emulator.faults import Kind

JOBS, JOB = "*/jobs/ingest", "*/jobs/ingest/750*"
CALLS = {
    "create": ("POST", JOBS, 1),
    "upload": ("PUT", "*/batches", 1),
    "commit": ("PATCH", JOB, 1),
    "get": ("GET", JOB, 1),
    "last get": ("GET", JOB, 9),
    "written": ("GET", "*/successfulResults", 1),
    "refused": ("GET", "*/failedResults", 1),
    "not tried": ("GET", "*/unprocessedrecords", 1),
}


@pytest.fixture(scope="module")
def running() -> Iterator[Emulator]:
    with Emulator(SCHEMA) as org:
        yield org


@pytest.fixture
def org(running: Emulator) -> Iterator[Emulator]:
    yield running
    settle(running)


def states(load: Load) -> Counter[str]:
    """The states of the load's jobs: those that a run leaves behind must never write."""
    return Counter(str(job.state) for job in load.books.jobs)


def run(load: Load) -> None:
    report = load.begin()
    load.check(report)
    assert report.untied == 0
    open_jobs = [job for job in load.books.jobs if job.state == "open"]
    # Only one whose creation was not answered may be left, and it holds nothing.
    assert len(open_jobs) <= len(report.jobs_left_open)
    assert {job.id for job in load.books.jobs} >= set(report.jobs)


@pytest.mark.parametrize("kind", ["request lost", "answer lost"])
@pytest.mark.parametrize("call", CALLS)
def test_answer_that_is_lost_loses_and_doubles_nothing(org: Emulator, tmp_path: Path, call: str, kind: Kind) -> None:
    method, path, nth = CALLS[call]
    org.faults.add(Fault(kind, method, path, nth=nth))
    load = Load(org, tmp_path, options={"api": "bulk2"})
    run(load)
    assert not org.faults.pending()


@pytest.mark.parametrize("call", CALLS)
def test_answer_that_comes_from_a_gateway_says_nothing(org: Emulator, tmp_path: Path, call: str) -> None:
    method, path, nth = CALLS[call]
    for acted in (False, True):
        org.faults.add(Fault("answer replaced", method, path, nth=nth, status=502, acted=acted))
    load = Load(org, tmp_path, options={"api": "bulk2"})
    run(load)
    assert not org.faults.pending()


@pytest.mark.parametrize("after_requests", range(6))
@pytest.mark.parametrize("call", ["upload", "commit"])
def test_call_that_is_still_under_way_while_its_job_says_open_counts_once(
    org: Emulator, tmp_path: Path, call: str, after_requests: int
) -> None:
    method, path, _ = CALLS[call]
    org.faults.add(Fault("late twin", method, path, after_requests=after_requests))
    load = Load(org, tmp_path, options={"api": "bulk2", "workers": 1})
    run(load)
    assert not org.faults.pending()


@pytest.mark.parametrize("looks", [1, 2, 4])
def test_commit_that_the_org_takes_late_is_waited_for(org: Emulator, tmp_path: Path, looks: int) -> None:
    org.faults.add(Fault("late commit", "PATCH", JOB, after_looks=looks))
    run(Load(org, tmp_path, options={"api": "bulk2"}))


@pytest.mark.parametrize("acted", [False, True])
def test_commit_that_is_lost_again_and_again_ends_in_one_commit(org: Emulator, tmp_path: Path, acted: bool) -> None:
    org.faults.add(Fault("answer lost" if acted else "request lost", "PATCH", JOB, times=3))
    run(Load(org, tmp_path, options={"api": "bulk2", "workers": 1}))


def test_upload_that_reached_the_org_twice_is_thrown_away_with_its_job(org: Emulator, tmp_path: Path) -> None:
    org.faults.add(Fault("late twin", "PUT", "*/batches", acted=True, after_requests=0))
    load = Load(org, tmp_path, options={"api": "bulk2", "workers": 1})
    run(load)


def test_upload_that_never_arrives_stops_the_run_and_nothing_is_written(org: Emulator, tmp_path: Path) -> None:
    org.faults.add(Fault("request lost", "PUT", "*/batches", times=1_000))
    load = Load(org, tmp_path, options={"api": "bulk2", "workers": 1})
    with pytest.raises(errors.Interrupted, match="was sent 5 times and never arrived"):
        load.begin()
    assert load.books.entries == []
    assert states(load)["open"] <= 1, "a job that was not given an upload yet"
    org.faults.clear()
    load.check(load.resume())


def test_source_that_changes_while_it_is_uploaded_is_not_completed(org: Emulator, tmp_path: Path) -> None:
    load = Load(org, tmp_path, options={"api": "bulk2", "workers": 1})

    def change(effect: str) -> None:
        if effect == "open":
            content, known = load.path.read_bytes(), load.path.stat()
            load.path.write_bytes(content.replace(b"row 0-1", b"row 9-9"))
            os.utime(load.path, ns=(known.st_atime_ns, known.st_mtime_ns))

    load.trace = change
    with pytest.raises(errors.Error, match="has changed"):
        load.begin()
    assert load.books.entries == []
    assert not [job for job in load.books.jobs if job.batches]
