"""jsforce judges, from Node: logins, single records, queries, bulk loads and bulk queries."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from tests.judges.lineup import CLIENTS, Verdict, as_csv_keeps_it, judge, org


@pytest.fixture(scope="module")
def verdict() -> Iterator[Verdict]:
    with org() as served:
        yield judge([shutil.which("node") or "node", CLIENTS / "jsforce_judge.mjs"], served)


def test_logs_in_by_soap(verdict: Verdict) -> None:
    assert verdict.saw("login_by_soap") == [True, verdict.org.username]


def test_logs_in_by_oauth(verdict: Verdict) -> None:
    assert verdict.saw("login_by_oauth_password") == verdict.org.username


def test_renews_a_session_by_refresh_token(verdict: Verdict) -> None:
    assert verdict.saw("session_renewed_by_refresh_token") == verdict.org.username


def test_wrong_password_is_refused(verdict: Verdict) -> None:
    _, text = verdict.raised("login_refused")
    assert "INVALID_LOGIN" in text


def test_nasty_values_arrive_as_they_are(verdict: Verdict) -> None:
    assert all(one["success"] for one in verdict.saw("nasty_values_arrive"))
    assert verdict.descriptions() == as_csv_keeps_it()


def test_nasty_values_come_out_as_they_are(verdict: Verdict) -> None:
    assert verdict.saw("nasty_values_come_out") == {place: value or "" for place, value in as_csv_keeps_it().items()}


def test_updates(verdict: Verdict) -> None:
    ids, results = verdict.saw("update")
    assert results == [{"id": record, "success": True, "created": False, "errors": []} for record in ids]
    assert verdict.contacts("update", "FirstName") == ["Ada"] * 3


def test_upserts_by_external_id(verdict: Verdict) -> None:
    first, second = verdict.saw("upsert")
    assert [one["success"] for one in first + second] == [True] * 5
    assert [one["id"] for one in first] == [one["id"] for one in second[:2]]


def test_deleted_records_are_seen_by_query_all_alone(verdict: Verdict) -> None:
    results, left, everything = verdict.saw("delete")
    assert [one["success"] for one in results] == [True, True]
    assert left == []
    assert everything == '"IsDeleted"\n"true"\n"true"\n'


def test_hard_deleted_records_are_gone(verdict: Verdict) -> None:
    results, everything = verdict.saw("hard_delete")
    assert [one["success"] for one in results] == [True, True]
    assert everything == "Records not found for this query"


def test_rows_fail_each_for_its_reason(verdict: Verdict) -> None:
    good, nobody, mail = verdict.saw("failing_rows")
    assert good["success"]
    assert (nobody["id"], nobody["success"], nobody["created"]) == (None, False, False)
    assert nobody["errors"] == ["REQUIRED_FIELD_MISSING:Required fields are missing: [LastName]:LastName --"]
    assert mail["errors"][0].startswith("INVALID_EMAIL_ADDRESS:")


def test_csv_text_goes_as_it_is(verdict: Verdict) -> None:
    assert [one["success"] for one in verdict.saw("csv_text")] == [True, True]
    assert verdict.contacts("text") == ["from text", 'a "quoted", name']


def test_finding_fields_that_the_first_record_lacks_are_lost(verdict: Verdict) -> None:
    """A finding: the CSV header is made from the first record, so what only later records have is dropped without a
    word."""
    assert [one["success"] for one in verdict.saw("later_records_have_other_fields")] == [True, True]
    assert verdict.contacts("other fields") == []
    assert [record["Department"] for record in verdict.org.records("Contact") if record["LastName"] == "second"] == [
        None
    ]


def test_job_is_aborted(verdict: Verdict) -> None:
    assert verdict.saw("aborted_job") == ["Open", "Aborted"]


def test_jobs_and_their_batches_are_listed(verdict: Verdict) -> None:
    count, state, mode, total = verdict.saw("job_and_batches")
    assert (count, mode, total) == (1, "Serial", "1")
    assert state in {"Queued", "InProgress", "Completed"}


def test_many_rows_are_paged_and_streamed(verdict: Verdict) -> None:
    assert verdict.saw("many_rows") == [4500, False, 2000, 4500, 4500]


def test_records_one_by_one_and_together(verdict: Verdict) -> None:
    assert verdict.saw("one_record") == [True, "ada@example.com", True, True, True]
    assert verdict.saw("several_records") == [[True, []], [False, ["REQUIRED_FIELD_MISSING"]]]


def test_describe_limits_and_conditions(verdict: Verdict) -> None:
    assert verdict.saw("describe") == ["003", "email", True]
    assert verdict.saw("limits") == ["Max", "Remaining"]
    assert verdict.saw("find_with_conditions") == ["found 2", "found 1"]


def test_bad_soql_is_told(verdict: Verdict) -> None:
    _, text = verdict.raised("bad_soql")
    assert "Nonsense" in text


def test_bad_session(verdict: Verdict) -> None:
    assert verdict.raised("bad_session")[0] == "INVALID_SESSION_ID"
    assert "InvalidSessionId" in " ".join(verdict.raised("bad_session_in_bulk"))


# Bulk API 2.0


def test_nasty_values_go_in_and_come_out_over_2_0(verdict: Verdict) -> None:
    seen = verdict.saw("bulk2_nasty_values")
    assert seen["counts"] == [len(as_csv_keeps_it()), 0, 0]
    assert {place: value or None for place, value in seen["found"].items()} == as_csv_keeps_it()


def test_inserts_updates_upserts_and_deletes_over_2_0(verdict: Verdict) -> None:
    assert verdict.saw("bulk2_operations") == [["true", "true"], ["false"], ["true"], ["false"]]
    assert sorted(verdict.contacts("ops2")) == ["aa", "c"]


def test_rows_that_fail_are_told_over_2_0(verdict: Verdict) -> None:
    error = "REQUIRED_FIELD_MISSING:Required fields are missing: [LastName]:LastName --"
    assert verdict.saw("bulk2_failing_rows") == [["Ott"], [["", error]]]


def test_empty_input_is_a_complete_job(verdict: Verdict) -> None:
    assert verdict.saw("bulk2_empty_input") == [0, 0, 0]


def test_refusals_over_2_0(verdict: Verdict) -> None:
    assert "InvalidBatch : Field name not found : Nonsense" in verdict.raised("bulk2_unknown_column")[1]
    assert verdict.raised("bulk2_bad_soql")[0] == "INVALID_FIELD"
    assert verdict.raised("bulk2_bad_session") == ("INVALID_SESSION_ID", "Session expired or invalid")
