"""aiosalesforce judges: Bulk API 2.0 with all its operations, two logins, and plain REST."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.judges.lineup import CLIENTS, NASTY, Verdict, as_csv_keeps_it, judge, org, python


@pytest.fixture(scope="module")
def verdict() -> Iterator[Verdict]:
    with org() as served:
        script = [python("aiosalesforce"), CLIENTS / "aiosalesforce_judge.py"]
        yield judge(script, served, security_token=served.security_token)


@pytest.mark.parametrize("how", ["client_credentials", "soap"])
def test_logs_in(verdict: Verdict, how: str) -> None:
    assert verdict.saw(f"login_by_{how}") == [verdict.org.username]


def test_nasty_values_arrive_as_they_are(verdict: Verdict) -> None:
    assert verdict.saw("nasty_values")["found"] == as_csv_keeps_it()
    assert verdict.descriptions() == as_csv_keeps_it()


def test_finding_line_ends_in_results_are_dropped(verdict: Verdict) -> None:
    """A finding: results are split into lines before they are read as CSV, so that line ends in values vanish."""
    without = {place: value and value.replace("\n", "") for place, value in as_csv_keeps_it().items()}
    assert verdict.saw("nasty_values")["echoed"] == without
    assert without != as_csv_keeps_it()
    assert len(without) == len(NASTY)


def test_a_load_is_split_into_jobs(verdict: Verdict) -> None:
    assert verdict.saw("several_jobs") == [1, 2, 2]
    assert sorted(verdict.contacts("jobs")) == ["0", "1", "2", "3", "4"]


def test_finding_a_last_row_that_does_not_fit_is_never_sent(verdict: Verdict) -> None:
    """A finding: a row that would make a file too large waits for the next row, and is lost if there is none."""
    assert verdict.saw("last_row_over_the_limit") == [1]
    assert verdict.contacts("limit") == ["short"]


def test_updates_upserts_and_deletes(verdict: Verdict) -> None:
    assert verdict.saw("update") == ["false", "false"]
    assert verdict.contacts("update", "FirstName") == ["Ada", "Ada"]
    assert verdict.saw("upsert") == {"A0": "false", "A1": "false", "A2": "true"}
    assert sorted(verdict.contacts("upsert")) == ["L0", "L1", "L2"]
    assert verdict.saw("delete") == [0, 1]


def test_rows_that_fail_are_in_their_file(verdict: Verdict) -> None:
    assert verdict.saw("failing_rows") == {
        "state": "JobComplete",
        "good": 1,
        "errors": ["REQUIRED_FIELD_MISSING", "INVALID_EMAIL_ADDRESS"],
        "untried": [],
    }


def test_single_calls(verdict: Verdict) -> None:
    assert verdict.saw("calls") == ["Open", "Open", "Aborted", True, False]


def test_finding_a_commit_whose_answer_is_lost_is_told_as_a_failure(verdict: Verdict) -> None:
    """A finding: the commit is sent again without a look at the job, the refusal ends the load, and the row is there.

    Whoever then loads again has it twice.
    """
    kind, text = verdict.raised("lost_commit")
    assert kind == "SalesforceError"
    assert "Closing already Completed Job not allowed" in text
    assert verdict.contacts("lost") == ["once"]


def test_rest(verdict: Verdict) -> None:
    assert verdict.saw("one_record") == ["Ada", True, False]
    assert verdict.saw("batch") == [True, 400, "REQUIRED_FIELD_MISSING"]
    assert verdict.saw("composite") == [["Composite"], 400, ["Composite"]]
    wanted = {"DailyBulkApiBatches", "DailyBulkV2QueryJobs", "DailyBulkV2QueryFileStorageMB"}
    assert wanted <= verdict.saw("limits").keys()
    assert set(map(tuple, verdict.saw("limits").values())) == {("Max", "Remaining")}


def test_finding_references_of_composite_requests_lose_their_braces(verdict: Verdict) -> None:
    """A finding: a reference that is put into a record is sent as its bare path, which is no reference."""
    created, refused, message = verdict.saw("reference")
    assert (created, refused) == (201, 400)
    assert "Account_create_0.id" in message
