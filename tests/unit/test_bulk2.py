"""Bulk API 2.0: what each call asks for, and that its answer is read and compared with the request."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.support.script import Script, said, script

from bulkforce.errors import (
    FormatError,
    Intercepted,
    InvalidRequest,
    JobAborted,
    JobFailed,
    LimitReached,
    NotAuthenticated,
    NotFound,
    NotPermitted,
    OutcomeUnknown,
    ProtocolError,
    RefusedError,
    Unavailable,
    UsageError,
)
from bulkforce.protocol import bulk2, settings2
from bulkforce.protocol.bulk2 import ResultLink, ResultPages
from bulkforce.protocol.exchange import Answer, Body, Exchange, Request
from bulkforce.protocol.flow import ask
from bulkforce.protocol.info2 import IngestJobInfo, QueryJobInfo
from bulkforce.protocol.retry import RetryPolicy
from bulkforce.vocabulary import ColumnDelimiter, Job2State, LineEnding, Operation

JOB = "7503h00000CV7GpAAL"
INGEST = f"/services/data/v{{version}}/jobs/ingest/{JOB}"
QUERY = f"/services/data/v{{version}}/jobs/query/{JOB}"
CREATED: dict[str, object] = {
    "id": JOB,
    "operation": "insert",
    "object": "Contact",
    "state": "Open",
    "contentType": "CSV",
    "lineEnding": "LF",
    "columnDelimiter": "COMMA",
}
QUERIED = CREATED | {"operation": "query", "state": "UploadComplete"}
INSERT = settings2.settings("insert", "Contact")
READ = settings2.query_settings("SELECT Id FROM contact")


def told(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    return said(json.dumps(value), status, "application/json", headers)


@dataclass
class Wire:
    blocks: list[bytes] = field(default_factory=list)
    framed: bool = True
    closed: bool = False

    def __iter__(self) -> Any:
        return iter(self.blocks)

    def close(self) -> None:
        self.closed = True


def streamed(
    status: int = 200, media: str = "text/csv", headers: Mapping[str, str] | None = None
) -> tuple[Answer, Wire]:
    wire = Wire([b"Id\n"])
    return Answer(Request("GET", "/x"), status, {"content-type": media, **(headers or {})}, stream=wire), wire


def answered(exchange: Exchange[Any], answer: Answer) -> Any:
    return script(ask(exchange), [answer])


def test_settings_are_asked_for_in_the_words_of_the_api() -> None:
    asked = settings2.settings(
        "upsert",
        "Case",
        external_id_field="Ext__c",
        column_delimiter="TAB",
        line_ending="CRLF",
        assignment_rule_id="01Q1",
        headers={"Sforce-Call-Options": "client=x"},
    )
    request = bulk2.create_ingest_job(asked).request
    assert (request.method, request.path) == ("POST", "/services/data/v{version}/jobs/ingest")
    assert request.headers["Sforce-Call-Options"] == "client=x"
    assert request.headers["Content-Type"] == "application/json; charset=UTF-8"
    assert request.session_header == "Authorization"
    assert request.body is not None
    assert json.load(request.body.open()) == {
        "object": "Case",
        "operation": "upsert",
        "externalIdFieldName": "Ext__c",
        "contentType": "CSV",
        "lineEnding": "CRLF",
        "columnDelimiter": "TAB",
        "assignmentRuleId": "01Q1",
    }


@pytest.mark.parametrize(
    "ask_for",
    [
        lambda: settings2.settings("INSERT", "Contact"),
        lambda: settings2.settings("query", "Contact"),
        lambda: settings2.settings("upsert", "Contact"),
        lambda: settings2.settings("insert", "Contact", external_id_field="Id"),
        lambda: settings2.settings("insert", "a b"),
        lambda: settings2.settings("upsert", "Contact", external_id_field="a\nb"),
        lambda: settings2.settings("insert", "Contact", column_delimiter=","),
        lambda: settings2.settings("insert", "Contact", line_ending="CR"),
        lambda: settings2.settings("insert", "Contact", headers={"Sforce-Line-Ending": "LF"}),
        lambda: settings2.settings("insert", "Contact", headers={"Authorization": "x"}),
        lambda: settings2.query_settings("SELECT Id FROM Contact", operation="insert"),
        lambda: settings2.query_settings(" "),
        lambda: bulk2.get_ingest_job(""),
        lambda: bulk2.get_query_results(JOB, ""),
        lambda: bulk2.get_query_results(JOB, max_records=0),
        lambda: bulk2.list_query_jobs(concurrency_mode="parallel"),
        lambda: bulk2.list_ingest_jobs(is_pk_chunking_enabled="yes"),  # type: ignore[arg-type]
    ],
)
def test_what_the_api_has_not_is_refused_before_it_is_sent(ask_for: Callable[[], object]) -> None:
    with pytest.raises(UsageError):
        ask_for()


@pytest.mark.parametrize(
    ("exchange", "method", "path", "body"),
    [
        (bulk2.upload(JOB, Body.of(b"Id\n")), "PUT", f"{INGEST}/batches", b"Id\n"),
        (bulk2.complete_upload(JOB), "PATCH", INGEST, b'{"state":"UploadComplete"}'),
        (bulk2.abort_ingest_job(JOB), "PATCH", INGEST, b'{"state":"Aborted"}'),
        (bulk2.get_ingest_job(JOB), "GET", INGEST, None),
        (bulk2.delete_ingest_job(JOB), "DELETE", INGEST, None),
        (bulk2.get_successful_results(JOB), "GET", f"{INGEST}/successfulResults", None),
        (bulk2.get_failed_results(JOB), "GET", f"{INGEST}/failedResults", None),
        (bulk2.get_unprocessed_records(JOB), "GET", f"{INGEST}/unprocessedrecords", None),
        (
            bulk2.list_ingest_jobs(job_type="V2Ingest", is_pk_chunking_enabled=False, locator="01g-2000"),
            "GET",
            "/services/data/v{version}/jobs/ingest?jobType=V2Ingest&isPkChunkingEnabled=false&queryLocator=01g-2000",
            None,
        ),
        (
            bulk2.create_query_job(READ),
            "POST",
            "/services/data/v{version}/jobs/query",
            (
                b'{"operation":"query","query":"SELECT Id FROM contact","contentType":"CSV","columnDelimiter":"COMMA",'
                b'"lineEnding":"LF"}'
            ),
        ),
        (bulk2.get_query_job(JOB), "GET", QUERY, None),
        (bulk2.abort_query_job(JOB), "PATCH", QUERY, b'{"state":"Aborted"}'),
        (bulk2.delete_query_job(JOB), "DELETE", QUERY, None),
        (
            bulk2.list_query_jobs(concurrency_mode="Serial"),
            "GET",
            "/services/data/v{version}/jobs/query?concurrencyMode=serial",
            None,
        ),
        (bulk2.get_query_results(JOB), "GET", f"{QUERY}/results", None),
        (bulk2.get_query_results(JOB, "a=b", 5), "GET", f"{QUERY}/results?locator=a%3Db&maxRecords=5", None),
        (bulk2.get_query_result_pages(JOB, "x"), "GET", f"{QUERY}/resultPages?locator=x", None),
    ],
)
def test_each_call_asks_for_its_resource(exchange: Exchange[Any], method: str, path: str, body: bytes | None) -> None:
    request = exchange.request
    assert (request.method, request.path) == (method, path)
    assert (request.body.open().read() if request.body else None) == body


def test_results_are_asked_for_with_the_version_of_their_job() -> None:
    job = QueryJobInfo(id=JOB, operation=Operation.QUERY, state=Job2State.JOB_COMPLETE, api_version=60.0)
    assert bulk2.get_query_results(job).request.path == f"/services/data/v60.0/jobs/query/{JOB}/results"
    assert bulk2.get_query_result_pages(job).request.path == f"/services/data/v60.0/jobs/query/{JOB}/resultPages"


def test_job_is_read_with_what_is_new_in_it() -> None:
    wire = CREATED | {
        "state": "JobComplete",
        "apiVersion": 66.0,
        "numberRecordsProcessed": 4,
        "isPkChunkingSupported": False,
        "createdDate": "2021-08-31T01:31:13.000+0000",
        "somethingNew": [1],
    }
    job = answered(bulk2.get_ingest_job(JOB), told(wire))
    assert isinstance(job, IngestJobInfo)
    assert (job.state, job.column_delimiter, job.line_ending) == (
        Job2State.JOB_COMPLETE,
        ColumnDelimiter.COMMA,
        LineEnding.LF,
    )
    assert (job.number_records_processed, job.api_version, job.extra) == (4, 66.0, {"somethingNew": [1]})
    assert job.is_final


def test_word_that_is_not_known_is_kept_and_ends_nothing() -> None:
    job = answered(bulk2.get_ingest_job(JOB), told(CREATED | {"state": "Thinking", "operation": "refresh"}))
    assert (job.state, job.operation, job.is_final) == ("Thinking", "refresh", False)


@pytest.mark.parametrize(
    "changed",
    [
        {"id": "not an id"},
        {"operation": "update"},
        {"object": "Account"},
        {"object": None},
        {"state": "Aborted"},
        {"contentType": "JSON"},
        {"columnDelimiter": "TAB"},
        {"lineEnding": "CRLF"},
        {"externalIdFieldName": "Id"},
        {"numberRecordsProcessed": "many"},
    ],
)
def test_job_other_than_the_one_asked_for_is_not_taken(changed: dict[str, object]) -> None:
    for exchange, answer in (
        (bulk2.create_ingest_job(INSERT), CREATED),
        (bulk2.create_ingest_job_with(INSERT, Body.of(b"x")), CREATED | {"state": "UploadComplete"}),
    ):
        assert answered(exchange, told(answer)).id == JOB
        with pytest.raises(OutcomeUnknown):
            answered(exchange, told(answer | changed))


@pytest.mark.parametrize("changed", [{"operation": "queryAll"}, {"object": "Account"}, {"state": "Open"}])
def test_query_other_than_the_one_asked_for_is_not_taken(changed: dict[str, object]) -> None:
    exchange = bulk2.create_query_job(READ)
    assert answered(exchange, told(QUERIED)).id == JOB
    with pytest.raises(OutcomeUnknown, match="harmless"):
        answered(exchange, told(QUERIED | changed))


@pytest.mark.parametrize(
    "changed",
    [{"id": "750000000000001AAA"}, {"operation": "update"}, {"object": "Lead"}, {"externalIdFieldName": "Id"}],
)
def test_answer_about_another_job_is_not_taken(changed: dict[str, object]) -> None:
    job = answered(bulk2.get_ingest_job(JOB[:15]), told(CREATED))
    with pytest.raises(ProtocolError, match="does not match"):
        answered(bulk2.get_ingest_job(job), told(CREATED | changed))
    with pytest.raises(OutcomeUnknown, match="state"):
        answered(bulk2.complete_upload(job), told(CREATED))
    assert answered(bulk2.abort_ingest_job(job), told(CREATED | {"state": "Aborted"})).state == Job2State.ABORTED


def test_upload_succeeds_only_with_201() -> None:
    exchange = bulk2.upload(JOB, Body.of(b"Id\n"))
    assert answered(exchange, said(status=201, media="")) is None
    for answer in (said(status=200), said("<html>", 201, "text/html"), said(status=202)):
        with pytest.raises(OutcomeUnknown, match="abort it, and upload to a new one"):
            answered(exchange, answer)


def test_too_much_for_one_job_is_not_sent() -> None:
    with pytest.raises(FormatError, match="100,000,000 bytes"):
        bulk2.upload(JOB, Body(lambda: pytest.fail("opened"), 100_000_001))
    for content in (b"x" * 100_001, b"x" * 400_001, b"\xff"):
        with pytest.raises(FormatError) as caught:
            bulk2.create_ingest_job_with(INSERT, Body.of(content))
        assert caught.value.__context__ is None


def test_data_goes_with_the_job_in_two_parts() -> None:
    request = bulk2.create_ingest_job_with(INSERT, Body.of("Näme\nx\n".encode())).request
    assert request.body is not None
    body = request.body.open().read()
    boundary = request.headers["Content-Type"].partition("boundary=")[2].encode()
    _, job, content, end = body.split(b"--" + boundary)
    assert b'name="job"' in job
    assert json.loads(job.partition(b"\r\n\r\n")[2])["operation"] == "insert"
    assert content.partition(b"\r\n\r\n")[2] == "Näme\nx\n\r\n".encode()
    assert b'name="content"; filename="content"' in content
    assert end == b"--\r\n"


def test_delete_succeeds_only_with_204() -> None:
    assert answered(bulk2.delete_ingest_job(JOB), said(status=204, media="")) is None
    with pytest.raises(OutcomeUnknown, match="it is gone"):
        answered(bulk2.delete_query_job(JOB), said(status=200))
    with pytest.raises(NotFound):
        answered(bulk2.delete_query_job(JOB), told([{"errorCode": "NOT_FOUND", "message": "x"}], 404))


def test_results_are_csv_or_nothing() -> None:
    answer, wire = streamed()
    assert answered(bulk2.get_failed_results(JOB), answer) is wire
    answer, wire = streamed(204, "")
    assert answered(bulk2.get_failed_results(JOB), answer) is None
    assert wire.closed
    for page, wire in (streamed(media="text/html"), streamed(media="application/json")):
        with pytest.raises(Intercepted):
            answered(bulk2.get_successful_results(JOB), page)
        assert wire.closed


@pytest.mark.parametrize(
    ("headers", "locator", "count"),
    [
        ({"sforce-locator": "MTAwMDA", "sforce-numberofrecords": "10000"}, "MTAwMDA", 10_000),
        ({"sforce-locator": "null", "sforce-numberofrecords": "0"}, None, 0),
        ({"sforce-locator": ""}, None, None),
        ({}, None, None),
    ],
)
def test_part_of_a_query_says_where_the_next_begins(
    headers: Mapping[str, str], locator: str | None, count: int | None
) -> None:
    answer, wire = streamed(headers=headers)
    found = answered(bulk2.get_query_results(JOB), answer)
    assert (found.stream, found.locator, found.number_of_records) == (wire, locator, count)


def test_results_that_are_not_there_are_not_an_empty_file() -> None:
    for answer, wire in (streamed(204, ""), streamed(headers={"sforce-numberofrecords": "many"})):
        with pytest.raises(ProtocolError):
            answered(bulk2.get_query_results(JOB), answer)
        assert wire.closed


def test_results_of_another_version_say_what_to_do() -> None:
    with pytest.raises(InvalidRequest, match="pass its QueryJobInfo"):
        answered(bulk2.get_query_results(JOB), told([{"errorCode": "X", "message": "y"}], 409))


def test_links_to_pages_are_read() -> None:
    base = f"/services/data/v66.0/jobs/query/{JOB}"
    answer = {
        "resultPages": [
            {"resultUrl": f"{base}/results"},
            {"resultUrl": f"https://x{base}/results/?locator=aB%3D&maxRecords=7"},
        ],
        "done": False,
    }
    for name in ("nextRecordsUrl", "nextRecordUrl"):
        found = answered(bulk2.get_query_result_pages(JOB), told(answer | {name: f"{base}/resultpages?locator=yY"}))
        assert found == ResultPages((ResultLink(None), ResultLink("aB=", 7)), "yY")
    assert answered(bulk2.get_query_result_pages(JOB), told(answer | {"done": True})).locator is None


def test_links_have_two_names() -> None:
    links = [{"resultLink": f"/jobs/query/{JOB}/results?locator=aB"}]
    found = answered(bulk2.get_query_result_pages(JOB), told({"resultChunks": links, "done": True}))
    assert found == ResultPages((ResultLink("aB"),), None)


@pytest.mark.parametrize(
    "answer",
    [
        {"done": True},
        {"resultPages": [], "done": False},
        {"resultPages": [], "done": False, "nextRecordsUrl": 7},
        {"resultPages": [{}], "done": True},
        {"resultPages": [{"resultUrl": "/services/data/v66.0/jobs/query/750other/results"}], "done": True},
        {"resultPages": [{"resultUrl": "/elsewhere"}], "done": True},
        [],
    ],
)
def test_links_that_make_no_sense_are_not_followed(answer: object) -> None:
    with pytest.raises(ProtocolError):
        answered(bulk2.get_query_result_pages(JOB), told(answer))


def test_list_goes_on_until_it_is_done() -> None:
    url = "/services/data/v66.0/jobs/ingest?queryLocator=01g-2000"
    page = {"done": False, "records": [QUERIED | {"jobType": "Classic"}], "nextRecordsUrl": url}
    for exchange in (bulk2.list_ingest_jobs(), bulk2.list_query_jobs()):
        found = answered(exchange, told(page))
        assert ([job.id for job in found.jobs], found.locator) == ([JOB], "01g-2000")
        assert answered(exchange, told({"done": True, "records": [], "nextRecordsUrl": None})).locator is None
        for wrong in (
            page | {"nextRecordsUrl": None},
            page | {"records": None},
            page | {"records": [QUERIED, QUERIED]},
            page | {"records": [QUERIED | {"id": ""}]},
        ):
            with pytest.raises(ProtocolError):
                answered(exchange, told(wrong))


def test_only_an_array_of_errors_is_the_orgs_word() -> None:
    word = {"errorCode": "INVALIDJOBSTATE", "message": "Closing already Completed Job not allowed"}
    with pytest.raises(InvalidRequest, match="look at the job"):
        answered(bulk2.complete_upload(JOB), told([word], 400))
    others: tuple[object, ...] = (word, [], {"exceptionCode": "X", "exceptionMessage": "y"})
    for body in others:
        with pytest.raises(Intercepted):
            answered(bulk2.get_ingest_job(JOB), told(body, 400))
    with pytest.raises(Intercepted):
        answered(bulk2.get_ingest_job(JOB), said("<jobInfo/>"))
    word = {"errorCode": "INVALIDJOB", "message": "InvalidJob : Unable to find object: X"}
    with pytest.raises(NotFound):
        answered(bulk2.create_ingest_job(INSERT), told([word], 400))


@pytest.mark.parametrize(
    ("status", "code", "message", "kind"),
    [
        (401, "INVALID_SESSION_ID", "Session expired or invalid", NotAuthenticated),
        (404, "NOT_FOUND", "The requested resource does not exist", NotFound),
        (403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", LimitReached),
        (400, "INVALIDJOB", "InvalidJob : Unable to find object: X", NotFound),
        (
            *(400, "INVALIDJOB", "InvalidJob : Field name provided, F does not match an External ID for X"),
            InvalidRequest,
        ),
        (400, "INVALIDJOB", "InvalidJob : External ID was blank for X.", InvalidRequest),
        (400, "API_ERROR", "Invalid value: '' supplied for property: 'operation'", InvalidRequest),
        (400, "API_ERROR", "Value does not match expected type at [line:1, column:22]", InvalidRequest),
        (400, "FEATURENOTENABLED", "hardDelete operation requires special user profile permission", NotPermitted),
        (400, "INVALIDJOB", "Found multipe contents for job: <7500H00000H673g>", InvalidRequest),
        (400, "BULK_API_ERROR", "Found multipe contents for job: <7500H00000H673g>", InvalidRequest),
        (400, "INVALIDJOBSTATE", "Aborting already Completed Job not allowed", InvalidRequest),
        (400, "INVALIDJOBSTATE", "Closing already Completed Job not allowed", InvalidRequest),
        (400, "API_ERROR", "Error encountered when deleting the job because the job is not terminated", InvalidRequest),
        (400, "INVALIDENTITY", "Entity 'Tag' is not supported by the Bulk API.", InvalidRequest),
        (400, "API_ERROR", "Selecting compound data not supported in Bulk Query", InvalidRequest),
        (400, "API_ERROR", "Aggregate Relationships not supported in Bulk Query", InvalidRequest),
        (400, "MALFORMED_QUERY", "unexpected token: '<EOF>'", InvalidRequest),
        (400, "UNSUPPORTEDCONTENTTYPE", "UnsupportedContentType : ZIP_CSV is not a valid Content-Type", InvalidRequest),
        (400, "INVALID_FIELD", "No such column 'x' on entity 'Contact'", InvalidRequest),
        (400, "INVALID_TYPE", "sObject type 'X' is not supported.", InvalidRequest),
        (400, "LIMIT_EXCEEDED", "Max bulk v2 query jobs (10000) per 24 hrs has been reached (10021)", LimitReached),
        (400, "LIMIT_EXCEEDED", "Max bulk v2 query result size stored (1000000000) kb", LimitReached),
        (400, "TXN_SECURITY_METERING_ERROR", "x", InvalidRequest),
        (405, "METHOD_NOT_ALLOWED", "HTTP Method 'PUT' not allowed. Allowed are GET", InvalidRequest),
        (409, "API_ERROR", "x", InvalidRequest),
        (503, "SERVER_UNAVAILABLE", "x", Unavailable),
        (500, "UNKNOWN_EXCEPTION", "x", Unavailable),
    ],
)
@pytest.mark.parametrize("code_first", [True, False])
def test_every_refusal_is_an_error_of_its_kind(
    status: int, code: str, message: str, kind: type[RefusedError], code_first: bool
) -> None:
    members = [("errorCode", code), ("message", message)]
    body = [dict(members if code_first else reversed(members))]
    again = [told(body, status)] * (2 if kind is NotAuthenticated else 1)
    played = Script(list(again), policy=RetryPolicy(attempts=1))
    with pytest.raises(kind) as caught:
        played.run(ask(bulk2.get_query_job(JOB)))
    assert (caught.value.status, caught.value.code, caught.value.message) == (status, code, message)
    assert caught.value.job_id == JOB


@pytest.mark.parametrize(
    ("state", "final", "error"),
    [
        ("Open", False, None),
        ("UploadComplete", False, None),
        ("InProgress", False, None),
        ("JobComplete", True, None),
        ("Failed", True, JobFailed),
        ("Aborted", True, JobAborted),
        ("Closed", False, None),
    ],
)
def test_every_state_says_whether_it_is_the_end(state: str, final: bool, error: type[Exception] | None) -> None:
    for exchange, wire in ((bulk2.get_ingest_job(JOB), CREATED), (bulk2.get_query_job(JOB), QUERIED)):
        job = answered(exchange, told(wire | {"state": state, "errorMessage": "X : y"}))
        assert (job.state, job.is_final) == (Job2State(state), final)
        if error is None:
            assert job.raise_for_state() is job
        else:
            with pytest.raises(error):
                job.raise_for_state()
    assert set(Job2State) == {"Open", "UploadComplete", "InProgress", "JobComplete", "Failed", "Aborted", "Closed"}


def test_query_that_is_not_understood_here_is_for_the_org_to_judge() -> None:
    job = answered(
        bulk2.create_query_job(settings2.query_settings("FIND {x}", operation="queryAll")),
        told(QUERIED | {"operation": "queryAll"}),
    )
    assert job.object == "Contact"
