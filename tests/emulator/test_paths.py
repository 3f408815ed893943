"""Every path and method below `/services` is answered in the API's own words, however a client spells or frames it."""

from __future__ import annotations

import gzip
import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from tests.emulator.wire import NAMESPACE, Wire

from bulkforce_emulator import Emulator, Settings

NOT_FOUND = [{"message": "The requested resource does not exist", "errorCode": "NOT_FOUND"}]
METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE")


@pytest.fixture(scope="module")
def org() -> Iterator[Emulator]:
    with Emulator() as org:
        yield org


@pytest.fixture
def wire(org: Emulator) -> Wire:
    return Wire(org)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "path",
    [
        "/services/async",
        "/services/async/",
        "/services/async/66.0",
        "/services/async/66.0/",
        "/services/async/66.0/jobs",
        "/services/async/66.0/Job",
        "/services/async/v66.0/job",
        "/services/async/66.0/job/750000000000000AAA/batch/751000000000000AAA/result/752000000000000AAA/more",
    ],
)
def test_unknown_paths_of_the_bulk_api_are_answered_by_its_error_document(wire: Wire, method: str, path: str) -> None:
    answer = wire.ask(method, path, "" if method in {"POST", "PUT", "PATCH"} else None)
    assert answer.status in {400, 405}
    assert answer.type.startswith("application/xml")
    assert method == "HEAD" or f'xmlns="{NAMESPACE}"' in answer.text


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("path", ["/services", "/services/", "/services/nope", "/services/data/v66.0/nope"])
def test_other_unknown_paths_are_answered_in_the_words_of_rest(wire: Wire, method: str, path: str) -> None:
    headers = {"Authorization": f"Bearer {wire.org.session_id}"}
    answer = wire.ask(method, path, "" if method in {"POST", "PUT", "PATCH"} else None, headers)
    assert answer.type == "application/json;charset=UTF-8"
    if method == "HEAD":
        assert answer.status == 404
    else:
        assert (answer.status, answer.json) == (404, NOT_FOUND) or answer.json[0]["errorCode"] == "METHOD_NOT_ALLOWED"


@pytest.mark.parametrize(
    "path", ["//services/async/66.0/job", "/services//async//66.0///job", "//services/async/66.0/job/"]
)
def test_slashes_that_are_doubled_are_one(wire: Wire, path: str) -> None:
    document = json.dumps({"operation": "insert", "object": "Contact", "contentType": "CSV"})
    made = wire.ask("POST", path, document, {"Content-Type": "application/json"})
    assert made.status == 201
    assert wire.ask("GET", f"{path.rstrip('/')}//{made.id}").id == made.id
    bearer = {"Authorization": f"Bearer {wire.org.session_id}"}
    assert wire.ask("GET", "//services/data//v66.0//limits", headers=bearer).status == 200


def test_jobs_are_made_and_closed_by_a_client_that_writes_every_member(wire: Wire) -> None:
    """Salesforce's own client does: what the server sets as 0, and the state as null."""
    numbers = dict.fromkeys(
        ("numberBatchesQueued", "numberBatchesInProgress", "numberBatchesCompleted", "numberBatchesFailed",
         "numberBatchesTotal", "numberRecordsProcessed", "numberRetries", "numberRecordsFailed", "totalProcessingTime",
         "apiActiveProcessingTime", "apexProcessingTime"), 0,
    )  # fmt: skip
    nothing = dict.fromkeys(("id", "createdById", "createdDate", "systemModstamp", "externalIdFieldName"))
    given = {**numbers, **nothing, "apiVersion": 0.0, "fastPathEnabled": False}
    made = wire.ask(
        "POST",
        "job",
        json.dumps({**given, "operation": "insert", "object": "Contact", "contentType": "CSV", "state": None}),
        {"Content-Type": "application/json"},
    )
    assert made.status == 201, made.text
    closed = wire.ask(
        "POST", f"job/{made.id}", json.dumps({**given, "state": "Closed"}), {"Content-Type": "application/json"}
    )
    assert (closed.status, closed.element("state")) == (200, "Closed")


def test_numbers_of_the_server_are_refused_all_the_same(wire: Wire) -> None:
    document = {"operation": "insert", "object": "Contact", "contentType": "CSV", "numberBatchesQueued": 1}
    answer = wire.ask("POST", "job", json.dumps(document), {"Content-Type": "application/json"})
    assert answer.error == (400, "InvalidJob", "NumberBatchesQueued cannot be specified")


@pytest.mark.parametrize("counts", [True, False])
def test_good_authorization_counts_beside_a_session_that_is_none(counts: bool) -> None:
    with Emulator(settings=Settings(bearer_beside_bad_session=counts)) as org:
        wire = Wire(org)
        good, bad = f"Bearer {org.session_id}", "Bearer 00D!nothing"
        both = {"X-SFDC-Session": good, "Authorization": good}
        assert wire.ask("GET", "job/750000000000000AAA", headers=both).error[1] == (
            "InvalidJob" if counts else "InvalidSessionId"
        )
        for headers in ({"X-SFDC-Session": bad, "Authorization": bad}, {"X-SFDC-Session": good}):
            assert wire.ask("GET", "job/750000000000000AAA", headers=headers).error[1] == "InvalidSessionId"


def rest(wire: Wire, method: str, path: str, document: Any = None) -> Any:
    headers = {"Authorization": f"Bearer {wire.org.session_id}", "Content-Type": "application/json"}
    body = None if document is None else json.dumps(document)
    return wire.ask(method, f"/services/data/v66.0{path}", body, headers)


def test_several_rest_calls_go_in_one(wire: Wire) -> None:
    asked = {
        "batchRequests": [
            {"method": "GET", "url": "v66.0/sobjects/Account/describe"},
            {"method": "GET", "url": "/services/data/v66.0/query?q=SELECT+Id+FROM+Account+LIMIT+0"},
            {"method": "POST", "url": "v66.0/sobjects/Account", "richInput": {"Name": "Batched"}},
            {"method": "GET", "url": "v66.0/sobjects/Nothing/describe"},
        ]
    }
    answer = rest(wire, "POST", "/composite/batch", asked)
    described, found, made, missing = answer.json["results"]
    assert answer.json["hasErrors"] is True
    assert (described["statusCode"], described["result"]["name"]) == (200, "Account")
    assert (found["statusCode"], found["result"]["totalSize"]) == (200, 0)
    assert (made["statusCode"], made["result"]["success"]) == (201, True)
    assert (missing["statusCode"], missing["result"]) == (404, NOT_FOUND)
    halted = rest(
        wire, "POST", "/composite/batch", {"haltOnError": True, "batchRequests": asked["batchRequests"][::-1]}
    )
    assert [one["statusCode"] for one in halted.json["results"]] == [404, 412, 412, 412]
    assert rest(wire, "POST", "/composite/batch", {"batchRequests": asked["batchRequests"] * 7}).status == 400


@pytest.mark.parametrize(("version", "tells"), [("45.0", False), ("46.0", True)])
def test_upsert_that_is_rolled_back_tells_that_it_created_nothing(version: str, tells: bool) -> None:
    schema = {"Account": {"fields": {"Ext__c": "string(10) unique external_id"}}}
    with Emulator(schema) as org:
        wire = Wire(org)
        records = [{"attributes": {"type": "Account"}, "Ext__c": name, "Name": name} for name in ("a", "")]
        answer = wire.ask(
            "PATCH",
            f"/services/data/v{version}/composite/sobjects/Account/Ext__c",
            json.dumps({"allOrNone": True, "records": records}),
            {"Authorization": f"Bearer {org.session_id}", "Content-Type": "application/json"},
        )
        assert [one["success"] for one in answer.json] == [False, False]
        assert [one.get("created") for one in answer.json] == ([False, False] if tells else [None, None])
        assert org.count("Account") == 0


def test_accounts_have_the_key_that_clients_select(wire: Wire) -> None:
    fields = {one["name"]: one for one in rest(wire, "GET", "/sobjects/Account/describe").json["fields"]}
    assert fields["JigsawCompanyId"]["createable"] is False


JOB = json.dumps({"operation": "insert", "object": "Contact", "contentType": "CSV"}).encode()


def raw(org: Emulator, content: bytes, answers: int = 1) -> bytes:
    """Send bytes, and read until so many answers have come."""
    with socket.create_connection(("127.0.0.1", org.port), timeout=600) as connection:
        connection.sendall(content)
        got = b""
        while got.count(b"HTTP/1.1 ") - got.count(b"HTTP/1.1 100 ") < answers or not _ended(got):
            block = connection.recv(65_536)
            if not block:
                break
            got += block
        return got


def _ended(got: bytes) -> bool:
    return got.endswith((b"0\r\n\r\n", b"}", b"</jobInfo>", b"</error>"))


def head(org: Emulator, *more: str) -> bytes:
    lines = [
        "POST /services/async/66.0/job HTTP/1.1",
        f"Host: 127.0.0.1:{org.port}",
        f"X-SFDC-Session: {org.session_id}",
        "Content-Type: application/json; charset=UTF-8",
        *more,
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def test_bodies_come_whole_chunked_packed_and_after_a_question(org: Emulator) -> None:
    packed = gzip.compress(JOB)
    chunked = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (JOB[:7], JOB[7:])) + b"0\r\n\r\n"
    for content in (
        head(org, f"Content-Length: {len(JOB)}") + JOB,
        head(org, "Transfer-Encoding: chunked") + chunked,
        head(org, "Content-Encoding: gzip", f"Content-Length: {len(packed)}") + packed,
        head(org, "Expect: 100-continue", f"Content-Length: {len(JOB)}") + JOB,
    ):
        answer = raw(org, content)
        assert b"HTTP/1.1 201 " in answer, answer


def test_requests_that_come_before_the_answers_are_answered_in_their_order(org: Emulator) -> None:
    one = head(org, f"Content-Length: {len(JOB)}") + JOB
    answer = raw(org, one * 3, answers=3)
    assert answer.count(b"HTTP/1.1 201 ") == 3


def test_a_hundred_connections_at_once_are_served(org: Emulator) -> None:
    one = head(org, f"Content-Length: {len(JOB)}") + JOB
    with ThreadPoolExecutor(100) as pool:
        answers = list(pool.map(lambda _: raw(org, one), range(100)))
    assert all(b"HTTP/1.1 201 " in answer for answer in answers)


@pytest.mark.parametrize("accept", ["*/*", "application/json", "text/plain", "image/png;q=0", ""])
def test_what_a_client_accepts_is_no_matter(wire: Wire, accept: str) -> None:
    document = {"operation": "insert", "object": "Contact", "contentType": "CSV"}
    for media in ("application/json", "application/json;charset=utf-8", "APPLICATION/JSON"):
        made = wire.ask("POST", "job", json.dumps(document), {"Content-Type": media, "Accept": accept})
        assert made.status == 201, made.text
