"""Requests of the protocol as values, and the words that are refused before anything is sent."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from tests.support.script import NAMESPACE, job_info, said, xml

from bulkforce import errors
from bulkforce.protocol import bulk1, wire_xml
from bulkforce.protocol.bulk1 import ResultIds
from bulkforce.protocol.exchange import Answer, Body, Exchange, Replay, Request
from bulkforce.protocol.info import JobInfo
from bulkforce.protocol.pk_chunking import PKChunking
from bulkforce.vocabulary import ContentType, JobState

BASE = "/services/async/{version}/job"
CSV_JOB = wire_xml.job_info(said(job_info()))
JSON_JOB = wire_xml.job_info(said(job_info(content_type="JSON")))


def _body(exchange: Exchange[Any]) -> bytes:
    assert exchange.request.body is not None
    with exchange.request.body.open() as file:
        return file.read()


def test_create_job_writes_the_fields_in_the_order_of_the_schema() -> None:
    exchange = bulk1.create_job(
        bulk1.settings(
            "upsert",
            "Contact",
            "CSV",
            external_id_field="Ext__c",
            concurrency_mode="Parallel",
            assignment_rule_id="01Q000000000001AAA",
        )
    )
    assert _body(exchange).decode() == (
        '<?xml version="1.0" encoding="UTF-8"?><jobInfo '
        f'xmlns="{NAMESPACE}"><operation>upsert</operation><object>Contact</object>'
        "<externalIdFieldName>Ext__c</externalIdFieldName><concurrencyMode>Parallel</concurrencyMode><contentType>CSV</contentType>"
        "<assignmentRuleId>01Q000000000001AAA</assignmentRuleId></jobInfo>"
    )
    assert (exchange.request.method, exchange.request.path) == ("POST", BASE)
    assert exchange.request.headers == {"Content-Type": "application/xml; charset=UTF-8"}
    assert exchange.replay is Replay.LEAVES_LITTER


@pytest.mark.parametrize("content_type", ["JSON", "ZIP_JSON"])
def test_create_job_speaks_json_for_json_jobs(content_type: str) -> None:
    exchange = bulk1.create_job(bulk1.settings("insert", "Account", content_type))
    assert orjson.loads(_body(exchange)) == {"operation": "insert", "object": "Account", "contentType": content_type}
    assert exchange.request.headers["Content-Type"] == "application/json; charset=UTF-8"


@pytest.mark.parametrize(
    ("options", "headers"),
    [
        ({"pk_chunking": True}, {"Sforce-Enable-PKChunking": "TRUE"}),
        ({"pk_chunking": False}, {}),
        ({"pk_chunking": 50_000}, {"Sforce-Enable-PKChunking": "chunkSize=50000"}),
        ({"pk_chunking": 250_000}, {"Sforce-Enable-PKChunking": "chunkSize=250000"}),
        (
            {"pk_chunking": PKChunking(100_000, "Account", "00130000000xEftMGH")},
            {"Sforce-Enable-PKChunking": "chunkSize=100000; parent=Account; startRow=00130000000xEftMGH"},
        ),
        ({"line_ending": "CRLF"}, {"Sforce-Line-Ending": "CRLF"}),
        ({"disable_batch_retry": True}, {"Sforce-Disable-Batch-Retry": "TRUE"}),
        ({"disable_batch_retry": False}, {"Sforce-Disable-Batch-Retry": "FALSE"}),
        ({"headers": {"Sforce-Call-Options": "client=a"}}, {"Sforce-Call-Options": "client=a"}),
        ({"headers": {}}, {}),
    ],
)
def test_create_job_says_options_in_headers(options: dict[str, Any], headers: dict[str, str]) -> None:
    request = bulk1.create_job(bulk1.settings("query", "Contact", "CSV", **options)).request
    assert {name: value for name, value in request.headers.items() if name != "Content-Type"} == headers


@pytest.mark.parametrize(
    ("operation", "name", "content_type", "options", "said_so"),
    [
        ("upsert", "Contact", "CSV", {}, "external_id_field"),
        ("upsert", "Contact", "CSV", {"external_id_field": ""}, "external_id_field"),
        ("insert", "Contact", "CSV", {"external_id_field": "Ext__c"}, "only with upsert"),
        ("INSERT", "Contact", "CSV", {}, "choose from: insert, update"),
        ("merge", "Contact", "CSV", {}, "no operation 'merge'"),
        ("insert", "Contact", "csv", {}, "content type"),
        ("insert", "Contact", "PARQUET", {}, "content type"),
        ("insert", "", "CSV", {}, "API name"),
        ("insert", "Con tact", "CSV", {}, "API name"),
        ("insert", "Contact\n", "CSV", {}, "API name"),
        ("insert", "1Contact", "CSV", {}, "API name"),
        ("insert", "Contäct", "CSV", {}, "API name"),
        ("insert", "Contact", "CSV", {"concurrency_mode": "serial"}, "concurrency mode"),
        ("insert", "Contact", "CSV", {"line_ending": "\n"}, "line ending"),
        ("insert", "Contact", "CSV", {"headers": {"X-SFDC-Session": "x"}}, "begin with Sforce-"),
        ("insert", "Contact", "CSV", {"headers": {"Sforce-a b": "x"}}, "begin with Sforce-"),
        ("insert", "Contact", "CSV", {"headers": {"sforce-line-ending": "CRLF"}}, "option of its own, line_ending"),
        ("insert", "Contact", "CSV", {"headers": {"Sforce-A": "x\r\nEvil: y"}}, "printable ASCII"),
        ("insert", "Contact", "CSV", {"headers": {"Sforce-A": "é"}}, "printable ASCII"),
        ("insert", "Contact", "CSV", {"headers": {"Sforce-A": " "}}, "printable ASCII"),
        ("insert", "Contact", "CSV", {"headers": {"Sforce-A": "x" * 1_001}}, "printable ASCII"),
        ("insert", "Contact", "CSV", {"headers": {"Sforce-A": "x", "SFORCE-a": "y"}}, "given twice"),
        ("insert", "Contact", "CSV", {"headers": ["Sforce-A"]}, "must be a mapping"),
        ("insert", "Contact", "CSV", {"headers": {"Sforce-A": 1}}, "must be a string"),
        ("insert", "Contact", "CSV", {"pk_chunking": True}, "only with query and queryAll"),
        ("query", "Contact", "CSV", {"pk_chunking": 0}, "chunk size"),
        ("query", "Contact", "CSV", {"pk_chunking": -1}, "chunk size"),
        ("query", "Contact", "CSV", {"pk_chunking": 250_001}, "250,001"),
        ("query", "Contact", "ZIP_CSV", {}, "CSV, JSON or XML"),
    ],
)
def test_settings_that_contradict_the_protocol_are_refused(
    operation: str, name: str, content_type: str, options: dict[str, Any], said_so: str
) -> None:
    with pytest.raises(errors.UsageError, match=said_so):
        bulk1.settings(operation, name, content_type, **options)


@pytest.mark.parametrize(
    ("options", "said_so"), [({"parent": "A\r\nX-Evil: 1"}, "parent"), ({"start_row": "001; a=b"}, "record id")]
)
def test_chunking_holds_nothing_that_would_be_another_header(options: dict[str, Any], said_so: str) -> None:
    with pytest.raises(errors.UsageError, match=said_so):
        PKChunking(**options)


@pytest.mark.parametrize("name", ["Contact", "Invoice__c", "ns__Invoice__c", "AccountShare", "x1"])
def test_settings_take_api_names(name: str) -> None:
    assert bulk1.settings("hardDelete", name, "XML").object == name


@pytest.mark.parametrize(
    ("job", "media", "body"),
    [
        (
            "750A",
            "application/xml; charset=UTF-8",
            f'<?xml version="1.0" encoding="UTF-8"?><jobInfo xmlns="{NAMESPACE}"><state>Closed</state></jobInfo>',
        ),
        (JSON_JOB, "application/json; charset=UTF-8", '{"state":"Closed"}'),
    ],
)
def test_set_state_says_the_state_alone(job: JobInfo | str, media: str, body: str) -> None:
    exchange = bulk1.set_state(job, JobState.CLOSED)
    assert _body(exchange).decode() == body
    assert exchange.request.headers == {"Content-Type": media}
    assert exchange.request.path == BASE + "/750A"
    assert exchange.replay is Replay.AFTER_RECONCILING


@pytest.mark.parametrize(
    ("content_type", "media", "compress"),
    [
        ("CSV", "text/csv; charset=UTF-8", True),
        ("XML", "application/xml; charset=UTF-8", True),
        ("JSON", "application/json; charset=UTF-8", True),
        ("ZIP_CSV", "zip/csv", False),
        ("ZIP_XML", "zip/xml", False),
        ("ZIP_JSON", "zip/json", False),
    ],
)
def test_add_batch_names_the_media_type_and_never_gzips_a_zip(content_type: str, media: str, *, compress: bool) -> None:
    request = bulk1.add_batch("750A", ContentType(content_type), Body.of(b"x")).request
    assert request.headers == {"Content-Type": media}
    assert request.compress is compress
    assert (request.method, request.path, request.job_id) == ("POST", BASE + "/750A/batch", "750A")


@pytest.mark.parametrize(
    ("exchange", "path"),
    [
        (bulk1.get_job_info("750A"), "/750A"),
        (bulk1.get_all_batches(CSV_JOB), "/750A/batch"),
        (bulk1.get_batch_info("750A", "751B"), "/750A/batch/751B"),
        (bulk1.get_batch_request("750A", "751B"), "/750A/batch/751B/request"),
        (bulk1.get_batch_result("750A", "751B"), "/750A/batch/751B/result"),
        (bulk1.get_raw_result("750A", "751B"), "/750A/batch/751B/result"),
        (bulk1.get_query_result("750A", "751B", "752C"), "/750A/batch/751B/result/752C"),
        (bulk1.get_whole_query_result("750A", "751B", "752C"), "/750A/batch/751B/result/752C"),
    ],
)
def test_what_reads_is_a_get_without_a_body(exchange: Exchange[Any], path: str) -> None:
    request = exchange.request
    assert (request.method, request.path, request.body, exchange.replay) == ("GET", BASE + path, None, Replay.FREELY)
    assert request.job_id == "750A"
    assert request.batch_id == ("751B" if "751B" in path else None)


@pytest.mark.parametrize("wrong", ["", " ", None, b"750A", 750, ".", ".."])
def test_an_id_that_is_none_is_refused(wrong: Any) -> None:
    for make in (
        bulk1.get_job_info,
        lambda job: bulk1.get_batch_info("750A", job),
        lambda job: bulk1.get_query_result("750A", "751B", job),
    ):
        with pytest.raises(errors.UsageError, match=" id"):
            make(wrong)


def test_an_id_cannot_leave_its_place_in_the_path() -> None:
    assert bulk1.get_job_info("../../x?y#z").request.path == BASE + "/..%2F..%2Fx%3Fy%23z"


def test_create_spec_sends_the_mapping_as_it_is() -> None:
    exchange = bulk1.create_spec(CSV_JOB, "Salesforce Field,Csv Header,Value,Hint\nName,Näme,,\n")
    assert _body(exchange).decode().endswith("Näme,,\n")
    assert exchange.request.headers == {"Content-Type": "text/csv; charset=UTF-8"}
    assert exchange.request.compress is False
    assert exchange.read(said("anything at all", 201)) is None
    with pytest.raises(errors.Intercepted):
        exchange.read(said('{"message":"ok"}', 200, "application/json"))


@pytest.mark.parametrize(
    ("job", "mapping", "said_so"),
    [(JSON_JOB, "x", "CSV job"), (CSV_JOB, "x" * 8_192, "8,192"), (CSV_JOB, " \n", "empty"), ("750A", "", "empty")],
)
def test_create_spec_refuses_what_the_org_would(job: JobInfo | str, mapping: str, said_so: str) -> None:
    with pytest.raises(errors.UsageError, match=said_so):
        bulk1.create_spec(job, mapping)


def test_create_spec_takes_one_character_under_the_limit() -> None:
    assert len(_body(bulk1.create_spec("750A", "x" * 8_191))) == 8_191


RESULT = bulk1.get_batch_result("750A", "751B")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (said('["752A","752B"]', media="application/json"), ResultIds(("752A", "752B"))),
        (said("[]", media="application/json"), []),
        (said(xml("result-list", "<result>752A</result>")), ResultIds(("752A",))),
        (said(xml("result-list", "")), ResultIds(())),
        (said(xml("results", "")), []),
        (said('"Id","Success","Created","Error"\n', media="text/csv; charset=UTF-8"), []),
    ],
)
def test_results_are_read_by_what_the_answer_is(answer: Answer, expected: object) -> None:
    assert expected == RESULT.read(answer)


@pytest.mark.parametrize(
    "answer", [said(""), said("<html/>", media="text/html"), said("{}"), said("[1]"), said("[cut")]
)
def test_results_that_make_no_sense_are_refused(answer: Answer) -> None:
    with pytest.raises(errors.ProtocolError):
        RESULT.read(answer)


class _Page:
    closed = False
    framed = True

    def __iter__(self) -> Any:
        return iter([b"<html>"])

    def close(self) -> None:
        self.closed = True


PAGE = said("<html><title>Sign in</title></html>", media="text/html; charset=utf-8")


@pytest.mark.parametrize(
    "exchange",
    [
        bulk1.get_batch_request("750A", "751B"),
        bulk1.get_raw_result("750A", "751B"),
        bulk1.get_whole_query_result("750A", "751B", "752C"),
        bulk1.create_spec("750A", "x"),
    ],
)
def test_a_page_with_status_200_is_never_content(exchange: Exchange[Any]) -> None:
    with pytest.raises(errors.ProtocolError, match="Sign in"):
        exchange.read(PAGE)


def test_a_streamed_page_is_never_content_and_its_connection_is_given_back() -> None:
    page = _Page()
    with pytest.raises(errors.ProtocolError, match="text/html body"):
        bulk1.get_query_result("750A", "751B", "752C").read(
            Answer(Request("GET", "/x"), 200, {"content-type": "text/html"}, stream=page)
        )
    assert page.closed


def test_content_is_passed_as_it_is() -> None:
    assert bulk1.get_batch_request("750A", "751B").read(said(b"\xff\x00", media="text/csv")) == b"\xff\x00"
    csv = _Page()
    answer = Answer(Request("GET", "/x"), 200, {"content-type": "text/csv"}, stream=csv)
    assert bulk1.get_query_result("750A", "751B", "752C").read(answer) is csv
    assert not csv.closed


def test_facts_hold_the_path_without_host_and_query() -> None:
    assert Request("POST", "https://user@login.example/services/token?secret=1").facts().path == "/services/token"
    assert Request("GET", "/a?b").facts(400, "X", "y").path == "/a"
