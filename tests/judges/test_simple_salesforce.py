"""simple-salesforce judges: bulk over JSON and over 2.0, four logins, and plain REST."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from tests.judges.lineup import CLIENTS, NASTY, Verdict, as_csv_keeps_it, as_json_keeps_it, judge, org, python


@pytest.fixture(scope="module")
def verdict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Verdict]:
    folder: Path = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    mine = authority.issue_cert("127.0.0.1")
    mine.private_key_and_cert_chain_pem.write_to_path(str(folder / "server.pem"))
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    kinds = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "jwt.pem").write_bytes(key.private_bytes(*kinds))
    with org(tls=(folder / "server.pem", folder / "server.pem")) as served:
        script = [python("simple-salesforce"), CLIENTS / "simple_salesforce_judge.py"]
        yield judge(script, served, {"REQUESTS_CA_BUNDLE": str(folder / "ca.pem")}, private_key=str(folder / "jwt.pem"))


@pytest.mark.parametrize("how", ["password", "client_credentials", "jwt"])
def test_logs_in(verdict: Verdict, how: str) -> None:
    assert verdict.saw(f"login_by_{how}") == verdict.org.username


def test_wrong_password_is_refused(verdict: Verdict) -> None:
    kind, text = verdict.raised("login_refused")
    assert kind == "SalesforceAuthenticationFailed"
    assert "INVALID_LOGIN" in text


def test_nasty_values_arrive_as_they_are(verdict: Verdict) -> None:
    results = verdict.saw("nasty_values_arrive")["results"]
    assert all(one["success"] and one["created"] and one["errors"] == [] for one in results)
    assert verdict.descriptions() == as_json_keeps_it()


def test_nasty_values_come_out_as_they_are(verdict: Verdict) -> None:
    assert verdict.saw("nasty_values_come_out") == as_json_keeps_it()
    assert verdict.saw("nasty_values_arrive")["records"] == [value or None for value in NASTY]


def test_updates_in_several_batches(verdict: Verdict) -> None:
    seen = verdict.saw("update")
    assert sorted(one["id"] for one in seen["results"]) == sorted(seen["ids"])
    assert not any(one["created"] for one in seen["results"])
    assert verdict.contacts("update", "FirstName") == ["Ada"] * 3


def test_upserts_by_external_id(verdict: Verdict) -> None:
    assert verdict.saw("upsert") == [[True, True], [False, False, True], True]
    assert sorted(verdict.contacts("upsert")) == ["L0", "L1", "L2"]


def test_deleted_records_are_seen_by_query_all_alone(verdict: Verdict) -> None:
    seen = verdict.saw("delete")
    assert [one["success"] for one in seen["results"]] == [True, True]
    assert (seen["query"], seen["all"]) == ([], 2)


def test_hard_deleted_records_are_gone(verdict: Verdict) -> None:
    seen = verdict.saw("hard_delete")
    assert [one["success"] for one in seen["results"]] == [True, True]
    assert seen["all"] == []


def test_rows_fail_each_for_its_reason(verdict: Verdict) -> None:
    results = verdict.saw("failing_rows")
    codes = [[error["statusCode"] for error in one["errors"]] for one in results]
    assert codes == [[], ["REQUIRED_FIELD_MISSING"], ["STRING_TOO_LONG"], ["INVALID_EMAIL_ADDRESS"]]
    assert [one["id"] is None for one in results] == [False, True, True, True]
    assert results[1]["errors"][0]["fields"] == ["LastName"]


def test_ids_of_no_record_are_refused_row_by_row(verdict: Verdict) -> None:
    assert [one["success"] for one in verdict.saw("wrong_ids")] == [False, False]


def test_lazy_queries(verdict: Verdict) -> None:
    assert verdict.saw("lists_of_dicts") == ["lazy 0", "lazy 1", "lazy 2"]


def test_parent_is_named_by_its_external_id(verdict: Verdict) -> None:
    assert verdict.saw("relationship") == [True, "Parent"]


def test_finding_a_batch_of_one_record_is_never_sent_when_sizes_are_automatic(verdict: Verdict) -> None:
    """A finding: with `batch_size="auto"` the client drops the last batch when it has one record; here it is the only
    one."""
    assert verdict.saw("auto_batches_of_one") == []
    assert verdict.contacts("auto") == []


def test_detailed_results_read_the_request_back(verdict: Verdict) -> None:
    (result,) = verdict.saw("detailed_results")
    assert (result["success"], result["LastName"], result["FirstName"]) == (True, "told", "x")


def test_bad_soql_fails_with_the_orgs_words(verdict: Verdict) -> None:
    kind, text = verdict.raised("bad_soql")
    assert kind == "SalesforceGeneralError"
    assert "INVALID_FIELD" in text
    assert "Nonsense" in text


def test_one_record_by_rest(verdict: Verdict) -> None:
    assert verdict.saw("one_record") == [True, "ada@example.com", 204, 201, "By badge", 204]


def test_errors_of_rest_have_their_own_kinds(verdict: Verdict) -> None:
    assert verdict.raised("no_such_record")[0] == "SalesforceResourceNotFound"
    kind, text = verdict.raised("no_last_name")
    assert kind == "SalesforceMalformedRequest"
    assert "REQUIRED_FIELD_MISSING" in text


def test_queries_are_paged(verdict: Verdict) -> None:
    assert verdict.saw("paging") == [4500, False, 2000, 4500, 4500]


def test_describe_and_limits(verdict: Verdict) -> None:
    assert verdict.saw("describe") == ["003", "email", "reference", "string", True]
    assert verdict.saw("limits") == ["Max", "Remaining"]


def test_bad_session(verdict: Verdict) -> None:
    kind, text = verdict.raised("bad_session")
    assert kind == "SalesforceExpiredSession"
    assert "INVALID_SESSION_ID" in text
    kind, text = verdict.raised("bad_session_in_bulk")
    assert kind == "SalesforceMalformedRequest"
    assert "InvalidSessionId" in text


# Bulk API 2.0


def test_nasty_values_go_in_and_come_out_over_2_0(verdict: Verdict) -> None:
    seen = verdict.saw("bulk2_nasty_values")
    assert (seen["told"]["numberRecordsProcessed"], seen["told"]["numberRecordsFailed"]) == (len(NASTY), 0)
    assert seen["found"] == as_csv_keeps_it()


def test_finding_result_files_are_taken_for_latin_1(verdict: Verdict) -> None:
    """A finding: the server names no charset, and the client lets its HTTP library guess. Queries it reads as UTF-8."""
    echoed = verdict.saw("bulk2_nasty_values")["echoed"]
    assert echoed != as_csv_keeps_it()
    read = {place: value and value.encode("latin-1").decode() for place, value in echoed.items()}
    assert read == as_csv_keeps_it()


def test_a_load_is_split_into_jobs(verdict: Verdict) -> None:
    assert sorted(verdict.saw("bulk2_several_jobs")) == [[1, 0, 1], [2, 0, 2], [2, 0, 2]]
    assert sorted(verdict.contacts("jobs")) == ["0", "1", "2", "3", "4"]


def test_delimiters_and_line_ends(verdict: Verdict) -> None:
    assert verdict.saw("bulk2_delimiters") == [[0, 3], [0, 4], [0, 5]]


def test_updates_upserts_and_deletes_over_2_0(verdict: Verdict) -> None:
    assert verdict.saw("bulk2_update") == ["false"] * 3
    assert verdict.contacts("update2", "FirstName") == ["Ada"] * 3
    assert verdict.saw("bulk2_upsert") == {"B2-0": "false", "B2-1": "false", "B2-2": "true"}
    assert sorted(verdict.contacts("upsert2")) == ["L0", "L1", "L2"]
    assert verdict.saw("bulk2_delete") == [0, 2]
    assert verdict.saw("bulk2_hard_delete") == '"Id"\n'


def test_rows_that_fail_are_in_their_file(verdict: Verdict) -> None:
    seen = verdict.saw("bulk2_failing_rows")
    assert (seen["told"]["numberRecordsProcessed"], seen["told"]["numberRecordsFailed"]) == (3, 2)
    assert seen["counts"] == {"successfulRecords": 1, "failedRecords": 2, "unprocessedRecords": 0}
    assert [error.partition(":")[0] for error in seen["errors"]] == ["REQUIRED_FIELD_MISSING", "INVALID_EMAIL_ADDRESS"]


def test_unknown_column_fails_the_job(verdict: Verdict) -> None:
    kind, text = verdict.raised("bulk2_unknown_column")
    assert kind == "SalesforceOperationError"
    assert "InvalidBatch : Field name not found : Nonsense" in text


def test_results_come_in_sets(verdict: Verdict) -> None:
    assert verdict.saw("bulk2_pages") == [["pages2 0", "pages2 1"], ["pages2 2", "pages2 3"], ["pages2 4"]]
    seen = verdict.saw("bulk2_download")
    assert seen == {"sizes": [3, 2], "rows": [f"download {number}" for number in range(5)]}
    assert verdict.saw("bulk2_empty_query") == ['"Id"\n']


def test_bad_soql_is_refused_at_once_over_2_0(verdict: Verdict) -> None:
    kind, text = verdict.raised("bulk2_bad_soql")
    assert kind == "SalesforceMalformedRequest"
    assert "INVALID_FIELD" in text


def test_single_calls_of_2_0(verdict: Verdict) -> None:
    assert verdict.saw("bulk2_calls") == ["Open", "Aborted", False]


def test_finding_delete_job_wants_json_where_there_is_no_body(verdict: Verdict) -> None:
    """A finding: the job is deleted, which is answered with 204, and then the client fails to read nothing."""
    assert verdict.raised("bulk2_delete_job")[0] == "JSONDecodeError"
    assert ("DELETE", 204) in {(one.method, one.status) for one in verdict.org.requests}
