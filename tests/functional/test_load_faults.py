"""A load into an org that misbehaves: every row goes in exactly once, and what cannot go on stops so that it can be resumed."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Literal

import pytest
from tests.rehearsal import BRISK, SCHEMA, Books, Load, Rows, changes, nasty_rows, read_csv

from bulkforce import BearerToken, RefreshToken
from bulkforce.errors import Error, Interrupted, JournalBusy, JournalMismatch, NotAuthenticated, OutcomeUnknown, SourceChanged, UsageError
from bulkforce.transfer import load as loads
from bulkforce.transfer.journal import Journal
from bulkforce_emulator import Emulator, Fault
from bulkforce_emulator.lifecycle import Pace
from bulkforce_emulator.mishaps import Mishap

BATCHES, RESULTS, JOB = "*/job/*/batch", "*/result", "*/services/async/*/job"


@pytest.fixture
def org() -> Iterator[Emulator]:
    with Emulator(SCHEMA) as org:
        yield org


POSTED = {"method": "POST", "path": BATCHES}
FAULTS = {
    "answer lost after acceptance": Fault("answer lost", **POSTED, nth=2),
    "answers lost after acceptance, all": Fault("answer lost", **POSTED, times=6),
    "answer lost before acceptance": Fault("request lost", **POSTED, nth=2),
    "answers lost before acceptance, twice": Fault("request lost", **POSTED, nth=2, times=2),
    "connection reset in the middle of the upload": Fault("upload reset", **POSTED, nth=3, after_bytes=10),
    "500 before acting": Fault("status", **POSTED, nth=2, status=500),
    "500 after acting": Fault("status", **POSTED, nth=2, status=500, acted=True),
    "503 before acting": Fault("status", **POSTED, nth=2, status=503, retry_after=0),
    "503 after acting": Fault("status", **POSTED, nth=2, status=503, retry_after=0, acted=True),
    "403 page of a proxy, after acting": Fault("answer replaced", **POSTED, nth=2, status=403, acted=True),
    "408 page of a gateway, after acting": Fault("answer replaced", **POSTED, nth=2, status=408, acted=True),
    "HTML with 200, before acting": Fault("answer replaced", **POSTED, nth=2, status=200),
    "HTML with 200, after acting": Fault("answer replaced", **POSTED, nth=2, status=200, acted=True),
    "HTML with 503, after acting": Fault("answer replaced", **POSTED, nth=2, status=503, acted=True),
    "empty body with 201, after acting": Fault("answer replaced", **POSTED, nth=2, status=201, body="", acted=True),
    "answer cut in the middle": Fault("answer cut", **POSTED, nth=2),
    "answer truncated": Fault("answer truncated", **POSTED, nth=2),
    "answer of another type": Fault("content type", **POSTED, nth=2),
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
def test_load_goes_in_exactly_once_in_spite_of_a_fault(org: Emulator, tmp_path: Path, fault: Fault, gzip_requests: bool) -> None:
    load = Load(org, tmp_path, gzip_requests=gzip_requests)
    org.faults.add(fault)
    load.check(load.begin())
    assert org.faults.struck == fault.times or fault.kind == "slow"
    assert [job.state for job in load.books.jobs if job.state == "Open"] == []


@pytest.mark.parametrize("kind", ["answer lost", "request lost", "status"])
def test_load_that_cannot_open_its_first_job_leaves_no_run(org: Emulator, tmp_path: Path, kind: Literal["answer lost", "request lost", "status"]) -> None:
    load = Load(org, tmp_path)
    org.faults.add(Fault(kind, "POST", JOB))
    with pytest.raises(OutcomeUnknown, match="an empty job may have been left behind"):
        load.begin()
    assert not load.run_dir.exists()
    load.check(load.begin())
