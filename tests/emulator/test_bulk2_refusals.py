"""What Bulk API 2.0 refuses: sessions, versions, methods, members, objects and limits."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.emulator.wire2 import Wire2, error

from bulkforce_emulator import Emulator, Limits, Pace, Settings

JSON = {"Content-Type": "application/json; charset=UTF-8"}
INSERT = {"operation": "insert", "object": "Account"}


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire2]:
    with Emulator() as org:
        yield Wire2(org)


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer 00Dnonsense", "Basic x"])
def test_no_session_is_401(wire: Wire2, header: str) -> None:
    answer = wire.ask("POST", "ingest", INSERT, {"Authorization": header, "X-SFDC-Session": wire.org.session_id})
    assert error(answer) == (401, "INVALID_SESSION_ID", "Session expired or invalid")
    assert answer.text == '[{"message":"Session expired or invalid","errorCode":"INVALID_SESSION_ID"}]'
    assert answer.headers["www-authenticate"] == "Token"


@pytest.mark.parametrize("scheme", ["Bearer", "OAuth", "bearer"])
def test_a_session_counts_whatever_stands_in_v1s_header(wire: Wire2, scheme: str) -> None:
    headers = {"Authorization": f"{scheme} {wire.org.session_id}", "X-SFDC-Session": "Bearer Bearer x"}
    assert wire.ask("GET", "ingest", headers=headers).status == 200


@pytest.mark.parametrize(
    ("path", "version", "status"),
    [
        ("ingest", "41.0", 200), ("ingest", "40.0", 404), ("query", "47.0", 200), ("query", "46.0", 404),
        ("ingest", "99.0", 404), ("ingest", "66", 404), ("nothing", "66.0", 404), ("", "66.0", 404),
        ("ingest/750000000000000AAA", "66.0", 404), ("ingest/750000000000000AAA/nothing", "66.0", 404),
        ("ingest/750000000000000AAA/batches/x", "66.0", 404),
    ],
)  # fmt: skip
def test_paths_and_versions(wire: Wire2, path: str, version: str, status: int) -> None:
    answer = wire.ask("GET", path, version=version)
    assert answer.status == status
    if status == 404:
        assert error(answer)[1:] == ("NOT_FOUND", "The requested resource does not exist")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "ingest"), ("DELETE", "query"), ("POST", "ingest/{job}"), ("GET", "ingest/{job}/batches"),
        ("POST", "ingest/{job}/successfulResults"), ("PUT", "query/{job}/results"),
    ],
)  # fmt: skip
def test_methods(wire: Wire2, method: str, path: str) -> None:
    status, code, message = error(wire.ask(method, path.format(job=wire.create()), b""))
    assert (status, code) == (405, "METHOD_NOT_ALLOWED")
    assert message.startswith(f"HTTP Method '{method}' not allowed. Allowed are ")


REFUSED: list[tuple[dict[str, Any], tuple[str, str]]] = [
    ({"operation": ""}, ("API_ERROR", "Invalid value: '' supplied for property: 'operation'")),
    ({"operation": None}, ("API_ERROR", "Invalid value: '' supplied for property: 'operation'")),
    ({"operation": "INSERT"}, ("API_ERROR", "Invalid value: 'INSERT' supplied for property: 'operation'")),
    ({"operation": "query"}, ("API_ERROR", "Invalid value: 'query' supplied for property: 'operation'")),
    ({"contentType": ""}, ("API_ERROR", "Invalid value: '' supplied for property: 'contentType'")),
    (
        {"contentType": "ZIP_CSV"},
        ("UNSUPPORTEDCONTENTTYPE", "UnsupportedContentType : ZIP_CSV is not a valid Content-Type"),
    ),
    ({"lineEnding": "CR"}, ("API_ERROR", "Invalid value: 'CR' supplied for property: 'lineEnding'")),
    ({"columnDelimiter": ","}, ("API_ERROR", "Invalid value: ',' supplied for property: 'columnDelimiter'")),
    ({"object": "X__c"}, ("INVALIDJOB", "InvalidJob : Unable to find object: X__c")),
    ({"object": None}, ("INVALIDJOB", "InvalidJob : Unable to find object: ")),
    (
        {"operation": "upsert"},
        ("INVALIDJOB", "InvalidJob : External ID was blank for Account. An External ID must be specified for upsert."),
    ),
    (
        {"operation": "upsert", "externalIdFieldName": "Site"},
        ("INVALIDJOB", "InvalidJob : Field name provided, Site does not match an External ID for Account"),
    ),
    (
        {"operation": "upsert", "externalIdFieldName": ""},
        ("INVALIDJOB", "InvalidJob : Field name provided,  does not match an External ID for Account"),
    ),
    (
        {"assignmentRuleId": "01Q000000000001AAA"},
        ("INVALIDJOB", "InvalidJob : Assignment rule cannot be specified for Account"),
    ),
    ({"concurrencyMode": "Serial"}, ("API_ERROR", "Unrecognized property: 'concurrencyMode'")),
    ({"operation": 5}, ("API_ERROR", "Value does not match expected type at [line:1, column:15]")),
    ({"object": ["x"]}, ("API_ERROR", "Value does not match expected type at [line:1, column:35]")),
]


@pytest.mark.parametrize(("members", "told"), REFUSED)
def test_jobs(wire: Wire2, members: dict[str, Any], told: tuple[str, str]) -> None:
    answer = wire.ask("POST", "ingest", {**INSERT, **members})
    assert error(answer) == (400, *told)
    assert answer.text.startswith('[{"errorCode":')


@pytest.mark.parametrize("body", ["", "{", "[]", "null", '"x"', b"\xff"])
@pytest.mark.parametrize(("method", "path"), [("POST", "ingest"), ("POST", "query"), ("PATCH", "ingest/{job}")])
def test_bodies_that_are_no_json_object(wire: Wire2, method: str, path: str, body: str | bytes) -> None:
    answer = wire.ask(method, path.format(job=wire.create()), body, JSON)
    assert error(answer)[:2] == (400, "JSON_PARSER_ERROR")


@pytest.mark.parametrize("document", [{}, {"state": "Open"}, {"state": "aborted"}, {"state": "Aborted", "x": 1}])
def test_states_that_cannot_be_set(wire: Wire2, document: dict[str, object]) -> None:
    assert error(wire.ask("PATCH", f"ingest/{wire.create()}", document))[:2] == (400, "API_ERROR")


def test_a_client_that_cannot_send_patch_says_so_in_a_post(wire: Wire2) -> None:
    job = wire.create()
    answer = wire.ask("POST", f"ingest/{job}?_HttpMethod=PATCH", {"state": "Aborted"})
    assert (answer.status, answer.json["state"]) == (200, "Aborted")


def test_query_jobs_cannot_be_completed(wire: Wire2) -> None:
    job = wire.query("SELECT Id FROM Account")
    assert error(wire.change(job, "UploadComplete", "query"))[:2] == (400, "API_ERROR")


def test_hard_delete_needs_its_permission() -> None:
    with Emulator(settings=Settings(hard_delete_permission=False)) as org:
        refused = Wire2(org).ask("POST", "ingest", {"operation": "hardDelete", "object": "Account"})
        assert error(refused)[:2] == (400, "FEATURENOTENABLED")


def test_sizes() -> None:
    limits = Limits(job_bytes=40, multipart_characters=5, header_characters=6)
    with Emulator(settings=Settings(limits=limits)) as org:
        wire = Wire2(org)
        job = wire.create()
        assert error(wire.put(job, "Name\n" + "x" * 40))[0] == 413
        assert "numberRecordsProcessed" not in wire.job(job)
        seen = wire.job(wire.load("Name,Site\na,b\n"))
        assert (seen["state"], seen["errorMessage"]) == (
            "Failed",
            "InvalidBatch : The header has more than 6 characters",
        )


def test_calls_of_the_day_are_counted() -> None:
    with Emulator(settings=Settings(limits=Limits(daily_api_requests=1))) as org:
        wire = Wire2(org)
        assert wire.ask("GET", "ingest").headers["sforce-limit-info"] == "api-usage=1/1"
        assert error(wire.ask("GET", "ingest")) == (403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")


def test_versions_that_go_away_are_told() -> None:
    with Emulator(settings=Settings(retiring_version=50.0)) as org:
        wire = Wire2(org)
        assert wire.ask("GET", "ingest", version="50.0").headers["warning"].startswith("299 - ")
        assert "warning" not in wire.ask("GET", "ingest", version="51.0").headers


def test_unknown_members_can_be_ignored_and_filters_find_nothing() -> None:
    with Emulator(settings=Settings(unknown_member="ignore", unknown_filter="nothing")) as org:
        wire = Wire2(org)
        assert wire.ask("POST", "ingest", json.dumps({**INSERT, "x": 1}), JSON).status == 200
        assert wire.ask("GET", "ingest?jobType=x").json["records"] == []


# What is not known, the other way


def test_a_job_may_be_completed_again_while_it_runs() -> None:
    for again, statuses in (("refuse", [200, 400, 400, 400]), ("accept", [200, 200, 200, 400])):
        with Emulator(pace=Pace.manual(), settings={"complete_again": again}) as org:
            wire = Wire2(org)
            job = wire.create()
            wire.put(job, "Name\nA\n")
            found = [wire.change(job, "UploadComplete").status for _ in range(2)]
            for _ in range(2):
                org.advance()
                found.append(wire.change(job, "UploadComplete").status)
            assert found == statuses
            assert org.count("Account") == 1


def test_a_committed_job_may_be_beyond_an_abort() -> None:
    with Emulator(pace=Pace.manual(), settings={"abort_after_upload": False}) as org:
        wire = Wire2(org)
        job, other = wire.create(), wire.create()
        for one in (job, other):
            wire.put(one, "Name\nA\n")
        wire.change(job, "UploadComplete")
        assert error(wire.change(job, "Aborted"))[:2] == (400, "INVALIDJOBSTATE")
        assert wire.change(other, "Aborted").status == 200
        query = wire.ask("POST", "query", {"operation": "query", "query": "SELECT Id FROM Account"}).json["id"]
        assert wire.change(query, "Aborted", "query").status == 200


def test_counters_may_be_there_before_the_upload() -> None:
    with Emulator(settings={"counters_before_upload": True}) as org:
        wire = Wire2(org)
        assert wire.job(wire.create())["numberRecordsProcessed"] == 0


def test_packed_uploads_may_be_refused() -> None:
    with Emulator(settings={"packed_uploads": False}) as org:
        wire = Wire2(org)
        job = wire.create()
        packed = {"Content-Type": "text/csv", "Content-Encoding": "gzip"}
        assert error(wire.ask("PUT", f"ingest/{job}/batches", gzip.compress(b"Name\n"), packed))[0] == 415
        assert wire.put(job, "Name\n").status == 201


def test_lists_may_begin_with_the_newest() -> None:
    with Emulator(settings={"list_order": "newest first"}) as org:
        wire = Wire2(org)
        made = [wire.create() for _ in range(3)]
        assert [job["id"] for job in wire.ask("GET", "ingest").json["records"]] == made[::-1]
