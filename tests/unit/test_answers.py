"""Every answer is compared with what was asked: another job's, another batch's or another state is no answer to it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest
from tests.support.script import NAMESPACE, Script, said, xml

from bulkforce import errors
from bulkforce.protocol import bulk1, rest
from bulkforce.protocol.exchange import Answer, Body, Exchange, Replay
from bulkforce.protocol.flow import ask
from bulkforce.protocol.info import JobInfo
from bulkforce.vocabulary import ContentType, JobState, Operation

JOB, OTHER_JOB = "7505g00000ABCDEAA2", "7505g00000ABCDFAA2"
BATCH, OTHER_BATCH = "7515g00000ABCDEAA2", "7515g00000abcdeAA2"

Members = Mapping[str, Any]
A_JOB: Members = {
    "id": JOB,
    "operation": "upsert",
    "object": "Contact",
    "state": "Open",
    "externalIdFieldName": "Ext__c",
    "concurrencyMode": "Serial",
    "contentType": "CSV",
}
A_BATCH: Members = {"id": BATCH, "jobId": JOB, "state": "Queued"}
KNOWN = JobInfo(
    id=JOB,
    operation=Operation.UPSERT,
    object="Contact",
    state=JobState.OPEN,
    external_id_field_name="Ext__c",
    content_type=ContentType.CSV,
)


def document(root: str, members: Members, form: str) -> Answer:
    told = {name: value for name, value in members.items() if value is not None}
    if form == "json":
        return said(json.dumps(told), media="application/json")
    return said(xml(root, "".join(f"<{name}>{value}</{name}>" for name, value in told.items())))


def listed(batches: list[Members], form: str) -> Answer:
    if form == "json":
        return said(json.dumps({"batchInfo": [dict(batch) for batch in batches]}), media="application/json")
    return said(
        xml(
            "batchInfoList",
            "".join(document("batchInfo", batch, form).body.decode().partition("?>")[2] for batch in batches),
        )
    )


CREATE = bulk1.create_job(
    bulk1.settings("upsert", "contact", "CSV", external_id_field="ext__c", concurrency_mode="Serial")
)
INSERT = bulk1.create_job(bulk1.settings("insert", "Contact", "CSV"))
ADD = bulk1.add_batch(JOB, ContentType.CSV, Body.of(b"Id\n1\n"))
CLOSE, ABORT = bulk1.set_state(JOB, JobState.CLOSED), bulk1.set_state(KNOWN, JobState.ABORTED)
LOOK, LOOK_AT_KNOWN = bulk1.get_job_info(JOB), bulk1.get_job_info(KNOWN)
BATCH_INFO, BATCHES = bulk1.get_batch_info(JOB, BATCH), bulk1.get_all_batches(KNOWN)

NO_IDS = ["", " ", "no id", "../751", "<id>", "75O\n", "7515g00000ABCDEAA2AA2", "Ⅶ"]
JOBS: list[tuple[Exchange[Any], Members]] = [
    *((exchange, {"id": each}) for exchange in (CREATE, CLOSE, LOOK) for each in NO_IDS),
    *((exchange, {"id": OTHER_JOB}) for exchange in (CLOSE, ABORT, LOOK, LOOK_AT_KNOWN)),
    *((exchange, {"id": JOB.lower()}) for exchange in (CLOSE, LOOK)),
    *(
        (exchange, change)
        for exchange in (CREATE, LOOK_AT_KNOWN, ABORT)
        for change in (
            {"operation": "insert"},
            {"operation": "delete"},
            {"object": "Account"},
            {"object": "Contact__c"},
            {"contentType": "JSON"},
            {"contentType": None},
            {"externalIdFieldName": "Id"},
        )
    ),
    (CREATE, {"concurrencyMode": "Parallel"}),
    *((CREATE, {"state": state}) for state in ("Closed", "Aborted", "Failed")),
    (INSERT, {"externalIdFieldName": "Ext__c"}),
    *((CLOSE, {"state": state}) for state in ("Open", "Aborted", "Failed")),
    *((ABORT, {"state": state}) for state in ("Open", "Closed", "Failed")),
]


def due(exchange: Exchange[Any]) -> Members:
    """What the answer is when all is well."""
    state = "Closed" if exchange is CLOSE else "Aborted" if exchange is ABORT else "Open"
    told = {"operation": "insert", "externalIdFieldName": None} if exchange is INSERT else {}
    return {**A_JOB, **told, "state": state}


def refused(exchange: Exchange[Any], answer: Answer) -> str:
    """Doubt where the org may have acted, and an error of the protocol where it has only told; nothing is said
    twice."""
    script = Script([answer])
    with pytest.raises(errors.ProtocolError if exchange.replay is Replay.FREELY else errors.OutcomeUnknown) as caught:
        script.run(ask(exchange))
    assert len(script.sent) == 1
    return str(caught.value)


@pytest.mark.parametrize("form", ["xml", "json"])
@pytest.mark.parametrize("exchange", [CREATE, CLOSE, ABORT, LOOK, LOOK_AT_KNOWN])
def test_answer_about_the_job_that_was_asked_is_taken(exchange: Exchange[Any], form: str) -> None:
    assert Script([document("jobInfo", due(exchange), form)]).run(ask(exchange)).id == JOB


@pytest.mark.parametrize("form", ["xml", "json"])
@pytest.mark.parametrize(("exchange", "change"), JOBS)
def test_answer_about_another_job_is_no_answer(exchange: Exchange[Any], change: Members, form: str) -> None:
    if "\n" in str(change.get("id")) and form == "xml":
        form = "json"  # what stands around a text in XML is the reader's to strip, or not
    told = refused(exchange, document("jobInfo", {**due(exchange), **change}, form))
    for name, value in change.items():
        if name != "id" and value:
            assert repr(value) in told


@pytest.mark.parametrize(
    "change",
    [
        {"id": JOB[:15]},
        {"object": "CONTACT"},
        {"externalIdFieldName": "EXT__C"},
        {"externalIdFieldName": "acme__Ext__c"},
        {"externalIdFieldName": None},
        {"concurrencyMode": None},
        {"numberBatchesTotal": 3},
        {"somethingNew": "x"},
    ],
)
def test_answer_that_says_the_same_in_other_words_is_taken(change: Members) -> None:
    assert Script([document("jobInfo", {**A_JOB, **change}, "xml")]).run(ask(CREATE)).id.startswith(JOB[:15])
    assert Script([document("jobInfo", {**A_JOB, **change}, "json")]).run(ask(LOOK_AT_KNOWN)).id.startswith(JOB[:15])


def test_object_of_a_namespace_may_be_the_one_that_was_named_without_it() -> None:
    create = bulk1.create_job(bulk1.settings("insert", "Invoice__c", "CSV"))
    told = {**A_JOB, "operation": "insert", "externalIdFieldName": None}
    assert (
        Script([document("jobInfo", {**told, "object": "acme__Invoice__c"}, "xml")]).run(ask(create)).object
        == "acme__Invoice__c"
    )
    for other in ("acme__OtherInvoice__c", "Invoice__r", "Invoice__c__c", "Invoice"):
        refused(create, document("jobInfo", {**told, "object": other}, "xml"))


@pytest.mark.parametrize("form", ["xml", "json"])
@pytest.mark.parametrize("exchange", [ADD, BATCH_INFO], ids=["add", "look"])
@pytest.mark.parametrize(
    "change", [*({"id": each} for each in NO_IDS), {"jobId": OTHER_JOB}, {"jobId": ""}, {"jobId": None}, {"id": None}]
)
def test_answer_about_another_batch_is_no_answer(exchange: Exchange[Any], change: Members, form: str) -> None:
    refused(exchange, document("batchInfo", {**A_BATCH, **change}, form))


def test_answer_about_another_batch_of_the_job_is_no_answer() -> None:
    assert f"{OTHER_BATCH!r}, expected {BATCH!r}" in refused(
        BATCH_INFO, document("batchInfo", {**A_BATCH, "id": OTHER_BATCH}, "xml")
    )


@pytest.mark.parametrize("form", ["xml", "json"])
@pytest.mark.parametrize(
    "batches",
    [
        [A_BATCH, A_BATCH],
        [A_BATCH, {**A_BATCH, "id": BATCH[:15]}],
        [A_BATCH, {**A_BATCH, "id": OTHER_BATCH, "jobId": OTHER_JOB}],
        [{**A_BATCH, "id": ""}],
    ],
)
def test_list_with_batches_of_another_job_or_one_twice_is_no_list(batches: list[Members], form: str) -> None:
    refused(BATCHES, listed(batches, form))


@pytest.mark.parametrize("form", ["xml", "json"])
def test_list_of_the_jobs_batches_is_taken(form: str) -> None:
    batches = [A_BATCH, {**A_BATCH, "id": OTHER_BATCH, "jobId": JOB[:15]}]
    assert [info.id for info in Script([listed(batches, form)]).run(ask(BATCHES))] == [BATCH, OTHER_BATCH]


@pytest.mark.parametrize(
    "ids", [["752A", "752A"], ["752000000000001", "752000000000001AAA"], ["752A", ""], ["../752A"], ["752A", "no id"]]
)
def test_list_of_result_files_with_one_twice_or_none_is_no_list(ids: list[str]) -> None:
    """Each would be fetched, and its records counted twice."""
    exchange = bulk1.get_batch_result(JOB, BATCH)
    refused(exchange, said(json.dumps(ids), media="application/json"))
    refused(exchange, said(xml("result-list", "".join(f"<result>{each}</result>" for each in ids))))


CONTENTS = [
    lambda job, content_type: bulk1.get_batch_request(job, BATCH, content_type),
    lambda job, content_type: bulk1.get_raw_result(job, BATCH, content_type),
    lambda job, content_type: bulk1.get_query_result(job, BATCH, "752A", content_type),
]


@pytest.mark.parametrize("make", CONTENTS)
@pytest.mark.parametrize(("job", "content_type"), [(KNOWN, None), (JOB, ContentType.CSV)])
@pytest.mark.parametrize("media", ["application/json", "application/xml", "text/html", "text/plain", ""])
def test_content_of_another_type_than_the_jobs_is_a_strangers(
    make: Any, job: Any, content_type: ContentType | None, media: str
) -> None:
    exchange = make(job, content_type)
    stream = _Stream() if exchange.streamed else None
    with pytest.raises(errors.Intercepted):
        Script([Answer(LOOK.request, 200, {"content-type": media}, b"{}", stream)]).run(ask(exchange))
    assert stream is None or stream.closed


class _Stream:
    closed = False
    framed = True

    def __iter__(self) -> Any:
        return iter([b"{}"])

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize("media", ["text/html", "text/plain", "text/xml", "text/csv", ""])
@pytest.mark.parametrize("exchange", [CREATE, CLOSE, LOOK, ADD, BATCH_INFO, BATCHES])
def test_control_document_of_a_type_that_the_api_does_not_use_is_a_strangers(
    exchange: Exchange[Any], media: str
) -> None:
    is_job = exchange is CREATE or exchange is CLOSE or exchange is LOOK
    one = document("jobInfo", due(exchange), "xml") if is_job else document("batchInfo", A_BATCH, "xml")
    well = listed([A_BATCH], "xml") if exchange is BATCHES else one
    assert Script([well]).run(ask(exchange))
    refused(exchange, Answer(well.request, 200, {"content-type": media}, well.body))


RESULTS, RESULT_FILES = bulk1.get_batch_result(JOB, BATCH), bulk1.get_batch_result(JOB, BATCH)
A_RESULT = "<result><id>003000000000001</id><success>true</success><created>true</created></result>"
WELL: list[tuple[Exchange[Any], Answer, str]] = [
    (LOOK, document("jobInfo", A_JOB, "xml"), "<state>Open</state>"),
    (ADD, document("batchInfo", A_BATCH, "xml"), f"<id>{BATCH}</id>"),
    (BATCH_INFO, document("batchInfo", A_BATCH, "xml"), "<state>Queued</state>"),
    (BATCHES, listed([A_BATCH], "xml"), "<state>Queued</state>"),
    (RESULTS, said(xml("results", A_RESULT)), "<success>true</success>"),
    (RESULT_FILES, said(xml("result-list", "<result>752A</result>")), "<result>752A</result>"),
]
WHAT = ["job", "batch added", "batch", "batches", "results", "result files"]
GATEWAY = "http://gateway.example/"


@pytest.mark.parametrize("space", [GATEWAY, "urn:x", "urn:partner.soap.sforce.com", ""])
@pytest.mark.parametrize(("exchange", "well", "member"), WELL, ids=WHAT)
def test_control_document_of_another_vocabulary_is_not_the_orgs(
    exchange: Exchange[Any], well: Answer, member: str, space: str
) -> None:
    """Nor is one that lacks it, wholly or in a member."""
    assert Script([well]).run(ask(exchange))
    text = well.body.decode()
    assert member in text
    refused(exchange, said(text.replace(NAMESPACE, space)))
    refused(exchange, said(text.replace(member, member.replace(">", f' xmlns="{space}">', 1))))


@pytest.mark.parametrize("exchange", [BATCHES, RESULTS, RESULT_FILES])
def test_list_that_holds_something_else_is_not_the_orgs(exchange: Exchange[Any]) -> None:
    well = next(answer for each, answer, _ in WELL if each is exchange)
    name = "batchInfo" if exchange is BATCHES else "result"
    text = well.body.decode()
    refused(
        exchange,
        said(
            text.replace(f"<{name}>", "<entry>")
            .replace(f"</{name}>", "</entry>")
            .replace(f"<{name} ", "<entry ")
            .replace(f"<{name}\n", "<entry\n")
        ),
    )


@pytest.mark.parametrize(("exchange", "well", "member"), WELL[:5], ids=WHAT[:5])
def test_member_that_stands_twice_in_xml_is_not_believed(exchange: Exchange[Any], well: Answer, member: str) -> None:
    """Nobody knows which of the two would count, be they equal or not."""
    text = well.body.decode()
    refused(exchange, said(text.replace(member, member * 2)))


@pytest.mark.parametrize(
    ("exchange", "text"),
    [
        (LOOK, json.dumps(A_JOB)),
        (ADD, json.dumps(A_BATCH)),
        (BATCHES, json.dumps({"batchInfo": [A_BATCH]})),
        (BATCHES, json.dumps({"batchInfo": [], "other": {"state": "x"}})),
        (RESULTS, json.dumps([{"id": "003000000000001", "success": True, "created": True, "errors": [], "state": ""}])),
        (rest.count_records("Contact"), json.dumps({"totalSize": 7, "done": True, "records": [], "state": ""})),
    ],
)
def test_member_that_stands_twice_in_json_is_not_believed(exchange: Exchange[Any], text: str) -> None:
    media = "application/json;charset=UTF-8"
    Script([said(text, media=media)]).run(ask(exchange))
    place = text.index('"state"')
    refused(exchange, said(f'{text[:place]}"state": "Closed", {text[place:]}', media=media))
    refused(exchange, said(f'{text[:place]}"\\u0073tate": "Open", {text[place:]}', media=media))


@pytest.mark.parametrize(
    "text",
    [
        "<exceptionCode>InvalidJobState</exceptionCode><exceptionCode>InvalidSessionId</exceptionCode>",
        '<exceptionCode xmlns="urn:x">InvalidJobState</exceptionCode>',
    ],
)
def test_refusal_that_contradicts_itself_or_is_of_another_vocabulary_is_not_the_orgs(text: str) -> None:
    assert isinstance(
        failing(ADD, said(xml("error", "<exceptionCode>InvalidJobState</exceptionCode>"), 400)), errors.RefusedError
    )
    for body in (
        xml("error", text),
        xml("error", "<exceptionCode>InvalidJobState</exceptionCode>").replace(NAMESPACE, ""),
    ):
        assert isinstance(failing(ADD, said(body, 400)), errors.OutcomeUnknown)
        assert isinstance(failing(LOOK, said(body, 400)), errors.Intercepted)


@pytest.mark.parametrize(
    "members", ['"exceptionCode":"A","exceptionCode":"InvalidJobState"', '"exceptionCode":"A","x":{"y":1,"y":2}']
)
def test_refusal_in_json_with_a_member_twice_is_not_the_orgs(members: str) -> None:
    assert isinstance(failing(LOOK, said(f"{{{members}}}", 400, "application/json")), errors.Intercepted)


def failing(exchange: Exchange[Any], answer: Answer) -> errors.Error:
    with pytest.raises(errors.Error) as caught:
        Script([answer]).run(ask(exchange))
    return caught.value


DESCRIBED = {"name": "Contact", "fields": [{"name": "Id", "type": "id", "length": 18}]}


def in_json(value: object, media: str = "application/json;charset=UTF-8") -> Answer:
    return said(json.dumps(value), media=media)


def test_description_is_read() -> None:
    described = Script([in_json(DESCRIBED)]).run(ask(rest.describe("contact")))
    assert (described.name, described.fields[0].name, described.fields[0].length) == ("Contact", "Id", 18)


@pytest.mark.parametrize(
    "value",
    [
        {**DESCRIBED, "name": "Account"},
        {**DESCRIBED, "name": 7},
        {"name": "Contact"},
        {"name": "Contact", "fields": "Id"},
        {"name": "Contact", "fields": ["Id"]},
        {"name": "Contact", "fields": [{"name": "Id"}]},
        {"name": "Contact", "fields": [{"name": 7, "type": "id"}]},
        [],
        None,
        7,
    ],
)
def test_description_of_something_else_is_none(value: object) -> None:
    refused(rest.describe("Contact"), in_json(value))
    refused(rest.describe("Contact"), in_json(DESCRIBED, "text/html"))


@pytest.mark.parametrize(
    "value",
    [{}, [], {"totalSize": None}, {"totalSize": True}, {"totalSize": -1}, {"totalSize": "7"}, {"totalSize": 1e99}],
)
def test_count_that_is_none_is_refused(value: object) -> None:
    refused(rest.count_records("Contact"), in_json(value))


@pytest.mark.parametrize(
    "value",
    [{}, [], {"DailyBulkApiBatches": 7}, {"DailyBulkApiBatches": {"Remaining": True}}, {"DailyBulkApiBatches": {}}],
)
def test_allowance_that_is_not_told_is_none(value: object) -> None:
    assert Script([in_json(value)]).run(ask(rest.allowance())) == rest.Allowance(None, None)
    assert Script([in_json({"DailyBulkApiBatches": {"Remaining": 7}, "DailyApiRequests": {"Remaining": 9}})]).run(
        ask(rest.allowance())
    ) == rest.Allowance(7, 9)


def test_error_says_what_was_asked_and_what_came() -> None:
    told = refused(CREATE, document("jobInfo", {**A_JOB, "operation": "delete"}, "json"))
    assert re.search(r"the operation is 'delete', expected 'upsert'; an empty job may have been left behind", told)


@pytest.mark.parametrize(
    ("exchange", "root"), [(BATCHES, "batchInfoList"), (RESULTS, "results"), (RESULT_FILES, "result-list")]
)
def test_empty_list_of_another_vocabulary_is_not_the_orgs(exchange: Exchange[Any], root: str) -> None:
    """That there is nothing is what matters most."""
    Script([said(f'<{root} xmlns="{NAMESPACE}"/>')]).run(ask(exchange))
    for text in (f"<{root}/>", f'<{root} xmlns="{GATEWAY}"/>', f'<{root} xmlns="urn:partner.soap.sforce.com"/>'):
        refused(exchange, said(text))
