"""Control documents in XML, JSON and CSV: what is read, and what is refused."""

from __future__ import annotations

import dataclasses
import pickle
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from tests.support.script import NAMESPACE, batch_info, job_info, said, xml

from bulkforce import errors
from bulkforce.protocol import wire_csv, wire_json, wire_xml
from bulkforce.protocol.exchange import Answer
from bulkforce.protocol.info import JobInfo, RecordError, Result
from bulkforce.vocabulary import BatchState, ConcurrencyMode, ContentType, JobState, Operation

FULL = xml(
    "jobInfo",
    "<id>750A</id><operation>upsert</operation><object>Contact</object><createdById>005A</createdById>"
    "<createdDate>2022-10-20T16:46:32.000Z</createdDate><systemModstamp>2022-10-20T16:46:33.000Z</systemModstamp><state>Open</state>"
    "<externalIdFieldName>Ext__c</externalIdFieldName><concurrencyMode>Serial</concurrencyMode><contentType>CSV</contentType>"
    "<numberBatchesTotal>3</numberBatchesTotal><numberRecordsProcessed>251</numberRecordsProcessed><apiVersion>66.0</apiVersion>"
    "<apexProcessingTime>12</apexProcessingTime><newThing>x</newThing>",
)
FULL_JSON = (
    '{"apexProcessingTime":12,"apiVersion":66.0,"assignmentRuleId":null,"concurrencyMode":"Serial","contentType":"CSV","createdById":"005A",'
    '"createdDate":"2022-10-20T16:46:32.000+0000","externalIdFieldName":"Ext__c","id":"750A","numberBatchesTotal":3,'
    '"numberRecordsProcessed":251,"object":"Contact","operation":"upsert","state":"Open","systemModstamp":"2022-10-20T18:46:33.000+0200",'
    '"newThing":"x"}'
)


@pytest.mark.parametrize(
    ("read", "text"), [(wire_xml.job_info, FULL), (wire_json.job_info, FULL_JSON)], ids=["xml", "json"]
)
def test_job_info_is_the_same_from_both_forms(read: Callable[[Answer], JobInfo], text: str) -> None:
    expected = JobInfo(
        id="750A",
        operation=Operation.UPSERT,
        object="Contact",
        created_by_id="005A",
        created_date=datetime(2022, 10, 20, 16, 46, 32, tzinfo=UTC),
        system_modstamp=datetime(2022, 10, 20, 16, 46, 33, tzinfo=UTC),
        state=JobState.OPEN,
        external_id_field_name="Ext__c",
        concurrency_mode=ConcurrencyMode.SERIAL,
        content_type=ContentType.CSV,
        number_batches_total=3,
        number_records_processed=251,
        api_version=66.0,
        apex_processing_time=12,
        extra={"newThing": "x"},
    )
    info = read(said(text))
    assert expected == info
    assert info.created_date is not None
    assert info.created_date.tzinfo is UTC


def test_job_info_is_frozen_and_hashable() -> None:
    info = wire_xml.job_info(said(FULL))
    assert hash(info) == hash(wire_xml.job_info(said(FULL)))
    with pytest.raises(AttributeError):
        info.state = JobState.CLOSED  # type: ignore[misc]


def test_job_info_can_be_pickled_and_turned_into_a_dict() -> None:
    info = wire_xml.job_info(said(FULL))
    assert pickle.loads(pickle.dumps(info)) == info
    assert dataclasses.asdict(info)["extra"] == info.extra


def test_content_type_is_xml_when_the_org_does_not_say() -> None:
    text = xml("jobInfo", "<id>750A</id><operation>query</operation><object>Contact</object><state>Open</state>")
    assert wire_xml.job_info(said(text)).content_type is ContentType.XML


def test_flag_is_read_from_both_forms() -> None:
    assert wire_json.job_info(said(FULL_JSON[:-1] + ',"fastPathEnabled":false}')).fast_path_enabled is False
    assert (
        wire_xml.job_info(
            said(FULL.replace("<newThing>x</newThing>", "<fastPathEnabled>true</fastPathEnabled>"))
        ).fast_path_enabled
        is True
    )


def test_time_without_a_zone_is_utc() -> None:
    info = wire_xml.job_info(said(FULL.replace("32.000Z", "32.000")))
    assert info.created_date == datetime(2022, 10, 20, 16, 46, 32, tzinfo=UTC)


def test_elements_are_matched_by_local_name() -> None:
    text = f'<p:jobInfo xmlns:p="{NAMESPACE}"><p:id>750A</p:id><p:operation>query</p:operation><p:object>A</p:object><p:state>Open</p:state></p:jobInfo>'
    assert wire_xml.job_info(said(text)).id == "750A"


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("<state>Open</state>", "<state>UploadComplete</state>", "state"),
        ("<state>Open</state>", "", "state"),
        ("<id>750A</id>", "", "id"),
        ("<numberBatchesTotal>3", "<numberBatchesTotal>three", "numberBatchesTotal"),
        ("<createdDate>2022-10-20", "<createdDate>yesterday", "createdDate"),
        ("<createdDate>2022-10-20T16:46:32.000Z", "<createdDate>0001-01-01T00:00:00+14:00", "createdDate"),
        ("<operation>upsert", "<operation>UPSERT", "operation"),
        ("<numberBatchesTotal>3", "<numberBatchesTotal>-3", "numberBatchesTotal"),
        ("<numberBatchesTotal>3", "<numberBatchesTotal>3_000", "numberBatchesTotal"),
        ("<numberBatchesTotal>3", f"<numberBatchesTotal>{'9' * 5_000}", "numberBatchesTotal"),
        ("<apiVersion>66.0", "<apiVersion>NaN", "apiVersion"),
        ("<state>Open</state>", "<state>Open</state><state>Closed</state>", "twice"),
        ("<newThing>x</newThing>", "<fastPathEnabled>maybe</fastPathEnabled>", "fastPathEnabled"),
    ],
)
def test_job_info_that_the_protocol_does_not_know_is_refused(old: str, new: str, named: str) -> None:
    assert old in FULL
    with pytest.raises(errors.ProtocolError, match=named) as caught:
        wire_xml.job_info(said(FULL.replace(old, new)))
    assert caught.value.status == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        FULL.encode()[:-5],
        b"<html><body>Sign in</body></html>",
        b"not xml",
        b"\x00",
        b'<?xml version="1.0"?><!DOCTYPE jobInfo><jobInfo/>',
        b'<?xml version="1.0"?><!DOCTYPE jobInfo [<!ENTITY a "b">]><jobInfo>&a;</jobInfo>',
        b'<?xml version="1.0"?><!DOCTYPE jobInfo SYSTEM "file:///etc/passwd"><jobInfo/>',
        b"<jobInfo>&undeclared;</jobInfo>",
        b'<?xml version="1.0" encoding="no-such"?><jobInfo/>',
        b'<?xml version="1.0" encoding="shift_jis"?><jobInfo/>',
        '<?xml version="1.0"?><jobInfo/>'.encode("utf-16"),
        b"<batchInfo/>",
    ],
)
def test_xml_that_is_no_job_info_is_refused(body: bytes) -> None:
    with pytest.raises(errors.ProtocolError):
        wire_xml.job_info(said(body))


@pytest.mark.parametrize(
    "doctype",
    ["<!DOCTYPE jobInfo>", '<!DOCTYPE jobInfo [<!ENTITY a "b">]>', '<!DOCTYPE jobInfo SYSTEM "file:///etc/passwd">'],
)
def test_xml_with_a_doctype_is_refused_even_when_all_else_is_well(doctype: str) -> None:
    with pytest.raises(errors.ProtocolError, match="DOCTYPE"):
        wire_xml.job_info(said(FULL.replace("?>", "?>" + doctype)))


@pytest.mark.parametrize(
    "body", ["", "{", "[]", "1", '"x"', "null", '{"id":1}', '{"id":"x","state":"Open"}', '{"id":NaN}']
)
def test_json_that_is_no_job_info_is_refused(body: str) -> None:
    with pytest.raises(errors.ProtocolError):
        wire_json.job_info(said(body))


@pytest.mark.parametrize("body", ["{}", '{"batchInfo":{}}', '{"batchInfo":[1]}', "[]"])
def test_json_that_is_no_list_of_batches_is_refused(body: str) -> None:
    with pytest.raises(errors.ProtocolError):
        list(wire_json.batch_infos(said(body)))


def test_batch_infos_are_read_from_both_forms() -> None:
    inner = "<batchInfo><id>751A</id><jobId>750A</jobId><state>Not Processed</state></batchInfo>"
    from_xml = list(wire_xml.batch_infos(said(xml("batchInfoList", inner))))
    document = '{"batchInfo":[{"id":"751A","jobId":"750A","state":"NotProcessed","stateMessage":null}]}'
    from_json = list(wire_json.batch_infos(said(document)))
    assert from_xml == from_json
    assert [info.state for info in from_xml] == [BatchState.NOT_PROCESSED]
    assert list(wire_xml.batch_infos(said(f'<batchInfoList\n   xmlns="{NAMESPACE}" />'))) == []
    assert list(wire_json.batch_infos(said('{"batchInfo":[]}'))) == []


def long_list(last: str = "") -> str:
    """A list that is read in several pieces."""
    batch = "<batchInfo>\n <id>751{number:05}</id>\n <jobId>750A</jobId>\n <state>Queued</state>\n</batchInfo>\n"
    return xml("batchInfoList", "".join(batch.format(number=number) for number in range(3_000)) + last)


def test_long_list_of_batches_is_read_whole() -> None:
    found = [info.id for info in wire_xml.batch_infos(said(long_list()))]
    assert found == [f"751{number:05}" for number in range(3_000)]


@pytest.mark.parametrize(
    "body",
    [
        long_list()[:-1],
        long_list()[: len(long_list()) // 2],
        long_list("<jobInfo/>"),
        long_list("<batchInfo><id>751A</id><id>751B</id></batchInfo>"),
        long_list() + "<batchInfo/>",
        long_list().replace("batchInfoList", "batchInfos"),
    ],
)
def test_long_list_of_batches_counts_only_if_its_end_is_well(body: str) -> None:
    with pytest.raises(errors.ProtocolError):
        list(wire_xml.batch_infos(said(body)))


@pytest.mark.parametrize("state", ["Failed", "NotProcessed"])
def test_raise_for_state_tells_the_reason(state: str) -> None:
    text = batch_info(state).replace(
        "</state>", "</state><stateMessage>InvalidBatch : Field name not found : Foo__c</stateMessage>"
    )
    with pytest.raises(errors.BatchFailed, match="Foo__c") as caught:
        wire_xml.batch_info(said(text)).raise_for_state()
    assert (caught.value.job_id, caught.value.batch_id) == ("750A", "751B")


def test_batch_info_is_the_same_from_both_forms() -> None:
    from_json = wire_json.batch_info(said('{"id":"751B","jobId":"750A","state":"Completed","stateMessage":null}'))
    assert from_json == wire_xml.batch_info(said(batch_info("Completed")))


def test_raise_for_state_says_when_there_is_no_reason() -> None:
    with pytest.raises(errors.BatchFailed, match="no reason"):
        wire_xml.batch_info(said(batch_info("Failed"))).raise_for_state()


@pytest.mark.parametrize("state", ["Queued", "InProgress", "Completed"])
def test_raise_for_state_returns_what_is_well(state: str) -> None:
    info = wire_xml.batch_info(said(batch_info(state)))
    assert info.raise_for_state() is info


CSV_RESULTS = (
    '"Id","Success","Created","Error"\n"003A","true","true",""\n'
    '"","false","false","REQUIRED_FIELD_MISSING:Required fields are missing: [LastName]:LastName --"\n'
)
XML_RESULTS = xml(
    "results",
    "<result><id>003A</id><success>true</success><created>true</created></result>"
    "<result><errors><fields>LastName</fields><message>Required fields are missing: [LastName]</message>"
    "<statusCode>REQUIRED_FIELD_MISSING</statusCode></errors><success>false</success><created>false</created></result>",
)
JSON_RESULTS = (
    '[{"success":true,"created":true,"id":"003A","errors":[]},{"success":false,"created":false,"id":null,"errors":[{"statusCode":'
    '"REQUIRED_FIELD_MISSING","message":"Required fields are missing: '
    '[LastName]","fields":["LastName"],"extendedErrorDetails":null}]}]'
)


def _json_results(text: str) -> list[Result]:
    answer = said(text)
    items = wire_json.value_of(answer)
    assert isinstance(items, list)
    return wire_json.results(items, answer)


def _xml_results(text: str) -> list[Result]:
    answer = said(text)
    return wire_xml.results(wire_xml.root_of(answer, "results"), answer)


def test_results_are_the_same_from_all_three_forms() -> None:
    error = RecordError("REQUIRED_FIELD_MISSING", "Required fields are missing: [LastName]", ("LastName",))
    expected = [Result("003A", success=True, created=True), Result(None, success=False, created=False, errors=[error])]
    assert expected == wire_csv.results(said(CSV_RESULTS))
    assert expected == _xml_results(XML_RESULTS)
    assert expected == _json_results(JSON_RESULTS)


def test_csv_results_are_found_by_name() -> None:
    text = '\ufeff"error","CREATED","Extra","Id","Success"\r\n"","false","?","003A","true"\r\n'
    assert wire_csv.results(said(text)) == [Result("003A", success=True, created=False)]


def test_csv_results_keep_a_message_of_many_lines() -> None:
    text = '"Id","Success","Created","Error"\n"","false","false","CODE:one, ""two""\nthree:--"\n'
    assert wire_csv.results(said(text))[0].errors == [RecordError("CODE", 'one, "two"\nthree')]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<html>",
        "Id,Success\n1,true\n",
        CSV_RESULTS[:-10],
        '"Id","Success","Created","Error"\n"003A","true"\n',
        '"Id","Success","Created","Error"\n"003A"x,"true","true",""\n',
        b'"Id","Success","Created","Error"\n"\xff","true","true",""\n',
    ],
)
def test_csv_that_is_no_results_is_refused(text: str | bytes) -> None:
    with pytest.raises(errors.ProtocolError):
        wire_csv.results(said(text, media="text/csv"))


@pytest.mark.parametrize(
    "text",
    [
        "[1]",
        '["a",{}]',
        '[{"errors":{"a":1}}]',
        '[{"errors":[1]}]',
        '[{"errors":"no"}]',
        '[{"success":"true"}]',
        '[{"created":1}]',
    ],
)
def test_json_that_is_no_results_is_refused(text: str) -> None:
    with pytest.raises(errors.ProtocolError):
        _json_results(text)


@pytest.mark.parametrize(
    "inner", ["<record/>", "<result><success>yes</success></result>", "<result><created>TRUE</created></result>"]
)
def test_xml_that_is_no_results_is_refused(inner: str) -> None:
    with pytest.raises(errors.ProtocolError):
        _xml_results(xml("results", inner))


def test_json_results_may_leave_members_out() -> None:
    assert _json_results('[{"errors":[{"statusCode":"X","fields":"Name"}]}]') == [
        Result(None, success=False, created=False, errors=[RecordError("X", "", ("Name",))])
    ]
    assert _json_results('[{"errors":[{"message":"m","fields":null}]}]')[0].errors == [RecordError("", "m")]


def test_xml_results_read_a_nil_id_and_several_errors() -> None:
    one = "<errors><message>m</message><statusCode>A</statusCode></errors>"
    two = "<errors><fields>F</fields><fields>G</fields><message>n</message><statusCode>B</statusCode></errors>"
    nil = '<id xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:nil="true"/>'
    text = xml("results", f"<result>{one}{two}{nil}<success>false</success><created>false</created></result>")
    assert _xml_results(text) == [
        Result(None, success=False, created=False, errors=[RecordError("A", "m"), RecordError("B", "n", ("F", "G"))])
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ENTITY_IS_DELETED:entity is deleted:--", RecordError("ENTITY_IS_DELETED", "entity is deleted")),
        ("CODE:a: b: c:F1 F2 --", RecordError("CODE", "a: b: c", ("F1", "F2"))),
        ("CODE:--", RecordError("CODE", "")),
        ("CODE:only text", RecordError("CODE", "only text")),
        ("CODE:text: with a colon", RecordError("CODE", "text: with a colon")),
        ("no code at all --", RecordError("", "no code at all --")),
    ],
)
def test_record_error_reads_the_error_column(text: str, expected: RecordError) -> None:
    assert expected == wire_csv.record_error(text)


def test_result_ids_are_read_with_and_without_prolog() -> None:
    text = f'<result-list xmlns="{NAMESPACE}"><result>752A</result><result> 752B\n</result></result-list>'
    for each in (text, f'<?xml version="1.0" encoding="UTF-8"?>{text}'):
        assert wire_xml.result_ids(wire_xml.root_of(said(each), "result-list"), said(each)) == ["752A", "752B"]


def test_job_info_reads_what_a_script_says() -> None:
    assert wire_xml.job_info(said(job_info("Closed"))).state is JobState.CLOSED
