"""salesforce-bulk judges: CSV, XML and JSON jobs, PK chunking, a spec, an aborted job."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.judges.lineup import CLIENTS, NASTY, Verdict, as_csv_keeps_it, judge, org, python


@pytest.fixture(scope="module")
def verdict() -> Iterator[Verdict]:
    with org() as served:
        yield judge([python("salesforce-bulk"), CLIENTS / "salesforce_bulk_judge.py"], served)


def test_nasty_values_arrive_as_they_are(verdict: Verdict) -> None:
    results = verdict.saw("nasty_values_arrive")
    assert [[success, created, error] for _, success, created, error in results] == [["true", "true", ""]] * len(NASTY)
    assert verdict.descriptions() == as_csv_keeps_it()


def test_nasty_values_come_out_as_they_are(verdict: Verdict) -> None:
    assert verdict.saw("nasty_values_come_out") == {place: value or "" for place, value in as_csv_keeps_it().items()}


def test_updates(verdict: Verdict) -> None:
    ids, results = verdict.saw("update")
    assert results == [[record, "true", "false", ""] for record in ids]
    assert verdict.contacts("update", "FirstName") == ["Ada"] * 3


def test_upserts_by_external_id(verdict: Verdict) -> None:
    first, second = verdict.saw("upsert")
    assert [row[1:3] for row in first] == [["true", "true"]] * 2
    assert [row[1:3] for row in second] == [["true", "false"]] * 2 + [["true", "true"]]
    assert [row[0] for row in first] == [row[0] for row in second[:2]]


def test_deleted_records_are_seen_by_query_all_alone(verdict: Verdict) -> None:
    results, left, everything = verdict.saw("delete")
    assert [row[1] for row in results] == ["true", "true"]
    assert left == []
    assert [row["IsDeleted"] for row in everything] == ["true", "true"]


def test_hard_deleted_records_are_gone(verdict: Verdict) -> None:
    results, everything = verdict.saw("hard_delete")
    assert [row[1] for row in results] == ["true", "true"]
    assert everything == []


def test_rows_of_csv_fail_each_for_its_reason(verdict: Verdict) -> None:
    good, nobody, mail = verdict.saw("failing_rows")
    assert good[1:] == ["true", "true", ""]
    assert nobody == [
        "",
        "false",
        "false",
        "REQUIRED_FIELD_MISSING:Required fields are missing: [LastName]:LastName --",
    ]
    assert mail[3].startswith("INVALID_EMAIL_ADDRESS:")


def test_rows_of_xml_fail_with_fields_and_code(verdict: Verdict) -> None:
    good, nobody = verdict.saw("failing_rows_in_xml")
    assert good[1:] == [True, True, []]
    assert nobody[1:3] == [False, False]
    assert [(error["statusCode"], error["fields"]) for error in nobody[3]] == [("REQUIRED_FIELD_MISSING", ["LastName"])]
    # A finding: the client never hands over the id of an XML result.
    assert good[0] is None


def test_rows_of_json_fail_with_fields_and_code(verdict: Verdict) -> None:
    good, nobody = verdict.saw("failing_rows_in_json")
    assert good[0].startswith("003")
    assert [(error["statusCode"], error["fields"]) for error in nobody[3]] == [("REQUIRED_FIELD_MISSING", ["LastName"])]


def test_chunks_of_a_query_bring_every_record_once(verdict: Verdict) -> None:
    assert verdict.saw("pk_chunking") == [250, 250]


def test_spec_is_taken_and_applied(verdict: Verdict) -> None:
    assert verdict.saw("mapping_file")[0][1] == "true"
    assert verdict.contacts("mapped") == ["Lovelace"]


def test_aborted_job_takes_no_batch(verdict: Verdict) -> None:
    state, refusal = verdict.saw("aborted_job")
    assert state == "Aborted"
    assert "InvalidJobState" in refusal


def test_status_of_a_job(verdict: Verdict) -> None:
    assert verdict.saw("job_status") == {
        "state": "Open", "operation": "insert", "object": "Contact", "contentType": "CSV", "concurrencyMode": "Parallel", "numberBatchesTotal": "0",
    }  # fmt: skip


def test_bad_soql_fails_the_batch_with_the_orgs_words(verdict: Verdict) -> None:
    kind, text = verdict.raised("bad_soql")
    assert kind == "BulkBatchFailed"
    assert "INVALID_FIELD" in text
    assert "Nonsense" in text


def test_bad_session(verdict: Verdict) -> None:
    kind, text = verdict.raised("bad_session")
    assert kind == "BulkApiError"
    assert "[400]" in text
    assert "InvalidSessionId" in text
