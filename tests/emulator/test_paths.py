"""Every path and method below `/services` is answered in the API's own words, however a client spells or frames it."""

from __future__ import annotations

import gzip
import json
import re
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


@pytest.fixture(scope="module")
def places(org: Emulator) -> dict[str, str]:
    """What the paths of the tables below stand for."""
    wire = Wire(org)
    (account,) = org.insert("Account", [{"Name": "x"}])
    job, query = wire.create("insert", "Account"), wire.create("query", "Account", "JSON")
    batch, asked = wire.run(job, "Name\nx\n").id, wire.run(query, "SELECT Id FROM Account", "application/json").id
    result = wire.ask("GET", f"job/{query}/batch/{asked}/result").json[0]
    user = org.state.sessions.user_id
    me = wire.ask("GET", "/services/data/v66.0", headers=bearer(org)).json["identity"].partition("/id/")[2]
    return {
        "job": job, "batch": batch, "query": query, "asked": asked, "result": result, "account": account, "user": user,
        "me": me,
    }  # fmt: skip


def bearer(org: Emulator) -> dict[str, str]:
    return {"Authorization": f"Bearer {org.session_id}"}


BULK = {
    "job": "POST",
    "job/{job}": "GET POST",
    "job/{job}/batch": "GET POST",
    "job/{job}/batch/{batch}": "GET",
    "job/{job}/batch/{batch}/request": "GET",
    "job/{job}/batch/{batch}/result": "GET",
    "job/{query}/batch/{asked}/result/{result}": "GET",
    "job/{job}/spec": "POST",
    "AsyncApi.xsd": "GET",
}
DATA = {
    "/services/data": "GET",
    "/services/data/v66.0": "GET",
    "/services/data/v66.0/limits": "GET",
    "/services/data/v66.0/sobjects": "GET",
    "/services/data/v66.0/sobjects/Account": "GET POST",
    "/services/data/v66.0/sobjects/Account/describe": "GET",
    "/services/data/v66.0/sobjects/Account/{account}": "GET PATCH POST DELETE",
    "/services/data/v66.0/query?q=SELECT+Id+FROM+Account": "GET",
    "/services/data/v66.0/composite/sobjects": "POST PATCH DELETE",
    "/services/data/v66.0/composite/batch": "POST",
}
LOGINS = ("/services/oauth2/userinfo", "/services/oauth2/token", "/services/oauth2/authorize", "/id/{me}")


@pytest.mark.parametrize("path", BULK)
def test_methods_that_a_path_of_the_bulk_api_does_not_have(wire: Wire, places: dict[str, str], path: str) -> None:
    for method in METHODS:
        if method in BULK[path].split():
            continue
        answer = wire.ask(method, path.format(**places), "" if method in {"POST", "PUT", "PATCH"} else None)
        assert answer.status in {400, 405}, method
        assert answer.type in {"application/xml", "application/json"}
        assert (b"InvalidOperation" in answer.body) == (method != "HEAD"), method


@pytest.mark.parametrize("path", DATA)
def test_methods_that_a_resource_does_not_have(wire: Wire, places: dict[str, str], path: str) -> None:
    for method in METHODS:
        if method in DATA[path].split() or (method == "HEAD" and "GET" in DATA[path]):
            continue
        body = "" if method in {"POST", "PUT", "PATCH"} else None
        answer = wire.ask(method, path.format(**places), body, bearer(wire.org))
        assert (answer.status, answer.type) == (405, "application/json;charset=UTF-8"), method
        assert method == "HEAD" or answer.json[0]["errorCode"] == "METHOD_NOT_ALLOWED"


@pytest.mark.parametrize("path", [path for path in DATA if "GET" in DATA[path]])
def test_head_is_get_without_the_body(wire: Wire, places: dict[str, str], path: str) -> None:
    path = path.format(**places)
    got, head = (wire.ask(method, path, headers=bearer(wire.org)) for method in ("GET", "HEAD"))
    assert (head.status, head.type, head.body) == (200, got.type, b"")
    assert head.headers["content-length"] == str(len(got.body))


@pytest.mark.parametrize("path", [*(path for path in (BULK | DATA) if "GET" in (BULK | DATA)[path]), *LOGINS])
def test_slash_at_the_end_is_no_matter(wire: Wire, places: dict[str, str], path: str) -> None:
    path, mark, asked = path.format(**places).partition("?")
    without, with_slash = (wire.ask("GET", f"{path}{end}{mark}{asked}", headers=bearer(wire.org)) for end in ("", "/"))
    # What is left of the day's calls is one less.
    bodies = [re.sub(r'"Remaining":\d+', "", answer.text) for answer in (with_slash, without)]
    assert (with_slash.status, with_slash.type, bodies[0]) == (without.status, without.type, bodies[1])


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("job/{job:.15}", True),
        ("job/{job:.15}/batch/{batch:.15}", True),
        ("JOB/{job}", False),
        ("job/{job}/Batch", False),
        ("asyncapi.xsd", False),
        ("/services/ASYNC/66.0/job/{job}", False),
        ("/Services/async/66.0/job/{job}", False),
        ("/services/async/066.0/job/{job}", False),
        ("/services/async/66/job/{job}", False),
        ("/services/async/65.5/job/{job}", False),
        ("/services/async/66.0/./job/{job}", False),
        ("/services/data/v66.0/sobjects/ACCOUNT/describe", True),
        ("/services/data/V66.0/limits", False),
        ("/services/data/v66.0/Limits", False),
        ("/services/data/v66/limits", False),
        ("/SERVICES/data/v66.0/limits", False),
        ("/services/OAuth2/userinfo", False),
        ("/id/nobody", False),
        ("/nothing", False),
    ],
)
def test_letter_case_of_a_path_counts(wire: Wire, places: dict[str, str], path: str, found: bool) -> None:
    answer = wire.ask("GET", path.format(**places), headers=bearer(wire.org))
    assert (answer.status == 200) == found
    assert answer.type in {"application/xml", "application/json;charset=UTF-8"}


AS_JSON = '{"operation":"insert","object":"Contact","contentType":"CSV"}'
AS_XML = (
    f'<jobInfo xmlns="{NAMESPACE}"><operation>insert</operation><object>Contact</object>'
    "<contentType>CSV</contentType></jobInfo>"
)


@pytest.mark.parametrize(
    ("media", "reads"),
    [
        ("application/json", "json"),
        ("APPLICATION/JSON ; Charset=UTF-8", "json"),
        ('application/json; charset="utf-8"', "json"),
        ("application/json; charset=ISO-8859-1", "json"),
        ("application/json; charset=nope", ""),
        ("application/json; charset=UTF-16", ""),
        ("application/xml", "xml"),
        ("application/xml; charset=utf-8", "xml"),
        ("application/xml; charset=nope", ""),
        ("text/xml", "xml"),
        ("text/csv", "xml"),
        ("text/plain", "xml"),
        ("application/x-www-form-urlencoded", "xml"),
        ("application/octet-stream", "xml"),
        ("*/*", "xml"),
        ("json", "xml"),
        ("", "xml"),
    ],
)
def test_job_documents_are_json_when_they_are_declared_so_and_else_xml(wire: Wire, media: str, reads: str) -> None:
    for kind, document in (("json", AS_JSON), ("xml", AS_XML)):
        answer = wire.ask("POST", "job", document, {"Content-Type": media})
        if kind == reads:
            assert answer.status == 201, answer.text
        else:
            assert answer.error == (400, "InvalidJob", "Unable to parse Job")
        assert answer.type == ("application/json" if "json" in media.lower() and "/" in media else "application/xml")


@pytest.mark.parametrize(
    "media", ["text/xml", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]
)
def test_resources_take_json_alone(wire: Wire, media: str) -> None:
    headers = {**bearer(wire.org), "Content-Type": media}
    answer = wire.ask("POST", "/services/data/v66.0/sobjects/Account", '{"Name":"x"}', headers)
    words = f"Content-Type header specified in HTTP request is not supported: {media}"
    assert (answer.status, answer.json) == (415, [{"message": words, "errorCode": "UNSUPPORTED_MEDIA_TYPE"}])


@pytest.mark.parametrize("accept", ["*/*", "application/json", "application/xml", "text/csv", "image/png;q=0", ""])
@pytest.mark.parametrize("path", ["job/{job}", "job/{job}/batch", "job/{job}/batch/{batch}/result", "job/{query}"])
def test_what_a_client_accepts_does_not_choose_the_format(
    wire: Wire, places: dict[str, str], path: str, accept: str
) -> None:
    path = path.format(**places)
    plain, asked = wire.ask("GET", path), wire.ask("GET", path, headers={"Accept": accept})
    assert (asked.status, asked.type, asked.body) == (200, plain.type, plain.body)


@pytest.mark.parametrize(
    ("charset", "encoding"),
    [("ISO-8859-1", "latin-1"), ("UTF-16", "utf-16"), ('"utf-8"', "utf-8"), ("Windows-1252", "cp1252")],
)
def test_charset_of_a_batch_is_read(wire: Wire, charset: str, encoding: str) -> None:
    job = wire.create("insert", "Contact")
    batch = wire.run(job, "LastName\nZoë\n".encode(encoding), f"text/csv; charset={charset}")
    assert batch.element("numberRecordsFailed") == "0", batch.text
    assert wire.org.records("Contact")[-1]["LastName"] == "Zoë"
