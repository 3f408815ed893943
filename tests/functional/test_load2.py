"""Loads over Bulk API 2.0: what differs from v1 for whoever loads, and each sentence of its report."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.rehearsal import SCHEMA, TOO_LONG, Load, Rows, contents, read_csv, settle

from bulkforce import BearerToken, Client, LoadReport
from bulkforce.errors import Interrupted, UsageError
from bulkforce_emulator import Emulator, Fault
from bulkforce_emulator.mishaps import Mishap
from bulkforce_emulator.settings import Limits, Settings
from bulkforce_emulator.state.lifecycle import Pace


@pytest.fixture(scope="module")
def running() -> Iterator[Emulator]:
    with Emulator(SCHEMA) as org:
        yield org


@pytest.fixture
def org(running: Emulator) -> Iterator[Emulator]:
    yield running
    settle(running)


def load_bytes(org: Emulator, folder: Path, content: bytes, **options: Any) -> tuple[Load, LoadReport]:
    load = Load(org, folder, options={"api": "bulk2", **options})
    load.path.write_bytes(content)
    return load, load.begin()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"concurrency_mode": "Serial"}, "Serial mode cannot be had with Bulk API 2.0"),
        ({"disable_batch_retry": True}, "disable_batch_retry .* cannot be had with Bulk API 2.0"),
        ({"headers": {"Sforce-Enable-PKChunking": "true"}}, "The header Sforce-Enable-PKChunking cannot be had"),
        ({"batch_records": 1_000_001}, "1 to 1,000,000 records"),
        ({"api": "bulk3"}, "api must be one of bulk1, bulk2"),
        ({"operation": "query"}, "to get records out, use extract"),
    ],
)
def test_what_2_does_not_have_is_refused_with_the_remedy(
    org: Emulator, tmp_path: Path, options: dict[str, Any], says: str
) -> None:
    requests = len(org.requests)
    with pytest.raises(UsageError, match=says) as caught:
        load_bytes(org, tmp_path, b"Code__c\na\n", **options)
    assert "cannot be had" not in says or 'api="bulk1" (--api bulk1)' in caught.value.text
    assert len(org.requests) == requests


def test_files_in_binary_fields_are_refused_before_anything_is_sent(tmp_path: Path) -> None:
    with Emulator() as org:
        path = tmp_path / "a.csv"
        path.write_text("Name,ParentId,Body\nn,001000000000001AAA,#a.bin\n")
        (tmp_path / "a.bin").write_bytes(b"x")
        load = Load(org, tmp_path, options={"api": "bulk2", "object": "Attachment", "source": path})
        with pytest.raises(UsageError, match=r"Body holds files, which Bulk API 2\.0"):
            load.begin()
        assert org.state.jobs.all() == []


def stored(org: Emulator, load: Load) -> list[tuple[str, ...]]:
    ids = [row[0] for row in read_csv(load.run_dir / "success.csv")[1:]]
    return contents(org, ids, ("Code__c", "Text__c"))


MIXED = b'Code__c,Text__c\r\na,"1\r\n2"\nb,"3\n4"\r\nc,"5\r6"\n'


def test_line_ends_are_written_as_the_job_has_them_and_the_check_tells(org: Emulator, tmp_path: Path) -> None:
    load, report = load_bytes(org, tmp_path, MIXED)
    assert report.succeeded == 3
    assert stored(org, load) == [("a", "1\n2"), ("b", "3\n4"), ("c", "5\n6")]
    assert any("line ends of Windows, which become plain ones (2 rows" in warning for warning in load.warnings)
    # The outputs have the source's own values.
    assert b'"1\r\n2"' in (load.run_dir / "success.csv").read_bytes()


def test_line_ends_of_windows_are_written_inside_values_too(org: Emulator, tmp_path: Path) -> None:
    load, report = load_bytes(org, tmp_path, MIXED, line_ending="CRLF")
    assert (report.succeeded, report.untied, report.in_doubt) == (3, 0, 0)
    assert {value.replace("\r\n", "\n") for _, value in stored(org, load)} == {"1\n2", "3\n4", "5\n6"}
    assert any("2 values have plain line ends, which become those of Windows" in warning for warning in load.warnings)


@pytest.mark.parametrize("batch_records", [1, 7, None])
def test_several_jobs_are_open_side_by_side_and_none_is_left(
    org: Emulator, tmp_path: Path, batch_records: int | None
) -> None:
    load = Load(org, tmp_path, options={"api": "bulk2", "batch_records": batch_records})
    report = load.begin()
    load.check(report)
    assert len(report.jobs) == -(-34 // (batch_records or 100_000))
    assert {str(job.state) for job in load.books.jobs} <= {"closed", "aborted", "complete", "JobComplete"}
    assert report.jobs_left_open == ()


def told(report: LoadReport) -> list[tuple[str, int, str]]:
    return [(group.status_code, group.count, group.message) for group in report.errors]


def test_job_that_fails_as_a_whole_has_its_reason_and_no_row_is_told_as_written(org: Emulator, tmp_path: Path) -> None:
    org.mishaps.plan(Mishap(message="InvalidBatch : Field name not found : X"), object="Row__c")
    load, report = load_bytes(org, tmp_path, b"Code__c\na\nb\n")
    assert (report.succeeded, report.failed, report.unprocessed, report.in_doubt) == (0, 0, 2, 0)
    reason = "The org did not process this record; its job is Failed: InvalidBatch : Field name not found : X"
    assert told(report) == [("BATCH", 2, reason)]
    assert read_csv(load.run_dir / "unprocessed.csv") == [("sf__Error", "Code__c"), (reason, "a"), (reason, "b")]


def test_job_that_fails_half_way_tells_each_row_as_the_org_does(org: Emulator, tmp_path: Path) -> None:
    org.mishaps.plan(Mishap(message="Timeout : too long", after_rows=2), object="Row__c")
    load, report = load_bytes(org, tmp_path, b"Code__c\na\nb\nc\nd\n", batch_records=4)
    assert (report.succeeded, report.failed, report.unprocessed, report.in_doubt) == (2, 0, 2, 0)
    assert told(report) == [("BATCH", 2, "The org did not process this record; its job is Failed: Timeout : too long")]
    assert len(load.books.entries) == 2


def test_refused_rows_whose_file_the_org_does_not_give_are_in_doubt_and_not_told_as_not_processed(
    org: Emulator, tmp_path: Path
) -> None:
    org.faults.add(Fault("answer replaced", "GET", "*/failedResults", status=204, body="", content_type="text/csv"))
    load, report = load_bytes(org, tmp_path, f"Code__c\na\n{TOO_LONG}\nb\n".encode())
    assert (report.succeeded, report.failed, report.unprocessed, report.in_doubt) == (2, 0, 0, 1)
    ((code, count, reason),) = told(report)
    assert (code, count) == ("IN_DOUBT", 1)
    assert "refused rows in this job, but returned no file of them" in reason
    assert [row[1] for row in read_csv(load.run_dir / "in_doubt.csv")[1:]] == [TOO_LONG]


def test_file_without_rows_may_be_no_content(tmp_path: Path) -> None:
    with Emulator(SCHEMA, settings=Settings(empty_failed_results="no content")) as org:
        _, report = load_bytes(org, tmp_path, b"Code__c\na\nb\n")
    assert (report.succeeded, report.in_doubt) == (2, 0)


def test_rows_beyond_the_days_allocation_are_in_doubt_with_the_likely_reason(tmp_path: Path) -> None:
    with Emulator(SCHEMA, settings=Settings(limits=Limits(daily_batches=1))) as org:
        # Something else uses the allocation up; the load was not told.
        org.faults.add(Fault("status", "GET", "*/limits", status=500, times=99))
        rows = "".join(f"a{number}\n" for number in range(10_050)).encode()
        load, report = load_bytes(org, tmp_path, b"Code__c\n" + rows, batch_records=50_000)
        assert (report.succeeded, report.unprocessed, report.in_doubt) == (10_000, 0, 50)
        assert len(load.books.entries) == 10_000
    ((code, count, reason),) = told(report)
    assert (code, count) == ("IN_DOUBT", 50)
    assert "Rows beyond the org's daily allocation have none" in reason


def test_job_that_somebody_aborts_stops_the_run_and_its_rows_go_up_again_if_none_was_tried(
    org: Emulator, tmp_path: Path
) -> None:
    org.set_pace(Pace.manual())
    load = Load(org, tmp_path, options={"api": "bulk2", "batch_records": 50})

    def abort(effect: str) -> None:
        if effect == "commit":
            org.abort_job(load.books.jobs[0].id)
            org.set_pace(Pace.timed())

    load.trace = abort
    with pytest.raises(Interrupted, match="was aborted"):
        load.begin()
    assert load.books.entries == []
    load.trace = lambda _effect: None
    report = load.resume()
    load.check(report)
    assert len(report.jobs) == 2


def test_dry_run_counts_jobs_and_the_orgs_own_batches(org: Emulator, tmp_path: Path) -> None:
    load = Load(
        org, tmp_path, Rows(("Code__c",), [("a",)] * 25), {"api": "bulk2", "dry_run": True, "batch_records": 10}
    )
    report = load.begin()
    assert (report.batches, report.api_calls) == (3, 24)
    assert org.state.jobs.all() == [] or not load.books.jobs


def test_resume_knows_its_api(org: Emulator, tmp_path: Path) -> None:
    load = Load(org, tmp_path, options={"api": "bulk2"})
    report = load.begin()
    again = load.resume()
    assert (again.jobs, again.succeeded) == (report.jobs, report.succeeded)


def test_client_takes_it(org: Emulator, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("Code__c\na\n")
    with Client(org.base_url, BearerToken(org.session_id)) as client:
        report = client.load(path, "Row__c", "insert", api="bulk2", run_dir=tmp_path / "run")
        assert client.check(path, "Row__c", "insert", api="bulk2").fits
    assert report.succeeded == 1
