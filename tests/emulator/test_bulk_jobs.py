"""Jobs on the wire: representations, refusals, states."""

from collections.abc import Iterator

import pytest
from tests.emulator.wire import NAMESPACE, Wire

from bulkforce_emulator import Emulator, Limits, Pace, Settings


@pytest.fixture
def wire() -> Iterator[Wire]:
    with Emulator() as org:
        yield Wire(org)


def job_xml(**members: str) -> str:
    inner = "".join(f"<{name}>{value}</{name}>" for name, value in members.items())
    return f'<?xml version="1.0" encoding="UTF-8"?><jobInfo xmlns="{NAMESPACE}">{inner}</jobInfo>'


def test_job_created_by_xml_is_answered_as_the_server_writes_xml(wire: Wire) -> None:
    document = job_xml(operation="upsert", object="contact", externalIdFieldName="email", contentType="CSV")
    answer = wire.ask("POST", "job/", document, {"Content-Type": "application/xml; charset=UTF-8"})
    assert (answer.status, answer.type) == (201, "application/xml")
    lines = answer.text.split("\n")
    assert lines[:2] == ['<?xml version="1.0" encoding="UTF-8"?><jobInfo', f'   xmlns="{NAMESPACE}">']
    names = [line.strip("< ").partition(">")[0] for line in lines[2:-1]]
    assert names[:10] == [
        "id", "operation", "object", "createdById", "createdDate", "systemModstamp", "state", "externalIdFieldName",
        "concurrencyMode", "contentType",
    ]  # fmt: skip
    assert answer.element("object") == "Contact"
    assert answer.element("externalIdFieldName") == "Email"
    assert answer.element("createdDate").endswith(".000Z")
    assert len(answer.id) == 18
    assert answer.headers["location"] == f"/services/async/66.0/job/{answer.id}"


def test_job_created_by_json_is_answered_in_json_with_sorted_keys_and_nulls(wire: Wire) -> None:
    body = (
        '{"operation":"insert","object":"Account","contentType":"CSV","externalIdFieldName":null,"concurrencyMode":1}'
    )
    answer = wire.ask("POST", "job", body, {"Content-Type": "application/json"})
    assert answer.type == "application/json"
    assert list(answer.json) == sorted(answer.json)
    assert answer.json["externalIdFieldName"] is None
    assert answer.json["concurrencyMode"] == "Serial"
    assert answer.json["apiVersion"] == 66.0
    assert answer.json["createdDate"].endswith(".000+0000")


def test_job_is_told_in_the_format_of_its_content_type(wire: Wire) -> None:
    csv_job, json_job = wire.create("insert", "Contact", "CSV"), wire.create("insert", "Contact", "JSON")
    assert wire.ask("GET", f"job/{csv_job}", headers={"Content-Type": "application/json"}).type == "application/xml"
    assert wire.ask("GET", f"job/{json_job}/").type == "application/json"
    assert wire.state(csv_job, "Closed").type == "application/json"
    closing = wire.ask("POST", f"job/{json_job}", job_xml(state="Closed"), {"Content-Type": "application/xml"})
    assert closing.type == "application/xml"


def test_content_type_defaults_to_xml(wire: Wire) -> None:
    answer = wire.ask("POST", "job", job_xml(operation="insert", object="Contact"))
    assert answer.element("contentType") == "XML"


@pytest.mark.parametrize(
    ("members", "code", "message"),
    [
        ({"operation": "INSERT", "object": "Contact"}, "InvalidJob", "Unable to parse Job"),
        ({"operation": "insert", "object": "Contact", "contentType": "csv"}, "InvalidJob", "Unable to parse Job"),
        ({"operation": "insert", "object": "Video__c"}, "InvalidJob", "Unable to find object: Video__c"),
        (
            {"operation": "upsert", "object": "Contact"},
            "InvalidJob",
            "External ID was blank for Contact. An External ID must be specified for upsert.",
        ),
        (
            {"operation": "upsert", "object": "Contact", "externalIdFieldName": "Title"},
            "InvalidJob",
            "Field name provided, Title does not match an External ID, Salesforce Id, or indexed field for Contact",
        ),
        (
            {"operation": "query", "object": "Organization"},
            "InvalidEntity",
            "Entity 'Organization' is not supported by the Bulk Query API.",
        ),
        (
            {"operation": "insert", "object": "Contact", "createdById": "x"},
            "InvalidJob",
            "CreatedById cannot be specified",
        ),
    ],
)
def test_impossible_job_is_refused(wire: Wire, members: dict[str, str], code: str, message: str) -> None:
    assert wire.ask("POST", "job", job_xml(**members)).error == (400, code, message)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "<jobInfo",
        "[]",
        "<other/>",
        '<!DOCTYPE x [<!ENTITY a "b">]><jobInfo>&a;</jobInfo>',
        f'<jobInfo xmlns="{NAMESPACE}"><nonsense>1</nonsense></jobInfo>',
    ],
)
def test_unreadable_job_is_refused(wire: Wire, body: str) -> None:
    assert wire.ask("POST", "job", body).error == (400, "InvalidJob", "Unable to parse Job")
    json_error = wire.ask("POST", "job", body, {"Content-Type": "application/json"})
    assert json_error.type == "application/json"
    assert json_error.error == (400, "InvalidJob", "Unable to parse Job")


def test_wrong_session_is_refused_with_400(wire: Wire) -> None:
    answer = wire.ask("POST", "job", "{}", {"X-SFDC-SESSION": "00D!wrong"})
    assert answer.error == (400, "InvalidSessionId", "Invalid session id")
    assert answer.type == "application/xml"
    wire.org.expire_sessions()
    assert wire.ask("GET", "job/750000000000001AAA").error[1] == "InvalidSessionId"


def test_unknown_job_and_batch_are_named(wire: Wire) -> None:
    assert wire.ask("GET", "job/invalidJobId000").error == (400, "InvalidJob", "Invalid job id: invalidJobId000")
    job = wire.create("insert", "Contact")
    assert wire.ask("GET", f"job/{job}/batch/nope").error == (400, "InvalidBatch", "Invalid batch id: nope")


def test_job_is_found_by_its_15_characters(wire: Wire) -> None:
    job = wire.create("insert", "Contact")
    assert wire.ask("GET", f"job/{job[:15]}").id == job


def test_second_close_is_refused(wire: Wire) -> None:
    job = wire.create("insert", "Contact")
    assert wire.state(job, "Closed").json["state"] == "Closed"
    assert wire.state(job, "Closed").error == (400, "InvalidJobState", "Closing already Closed Job not allowed")
    assert wire.state(job, "Aborted").json["state"] == "Aborted"
    assert wire.state(job, "Aborted").error == (400, "InvalidJobState", "Aborting already Aborted Job not allowed")


def test_batch_for_a_closed_job_is_refused_and_counts(wire: Wire) -> None:
    job = wire.create("insert", "Contact")
    wire.state(job, "Closed")
    message = "Failed to create batch, since the Job is not Open. Current job state is 'Closed'"
    assert wire.add(job, "LastName\nx\n").error == (400, "InvalidJobState", message)
    assert wire.org.state.batches_used() == 1


def test_state_with_anything_else_is_refused(wire: Wire) -> None:
    job = wire.create("insert", "Contact")
    answer = wire.ask("POST", f"job/{job}", job_xml(operation="insert", state="Closed"))
    assert answer.error == (400, "InvalidJob", "Operation cannot be specified")


def test_retired_and_unknown_versions_are_refused(wire: Wire) -> None:
    job = '{"operation":"insert","object":"Account"}'
    header = {"Content-Type": "application/json"}
    assert wire.ask("POST", "/services/async/20.0/job", job, header).error[1] == "InvalidVersion"
    unknown = wire.ask("POST", "/services/async/67.0/job", job, header)
    assert unknown.error == (400, "InvalidUrl", "unknown version: v67.0")
    assert wire.ask("POST", "/services/async/34.0/job", job, header).json["apiVersion"] == 34.0


def test_batch_of_another_version_is_refused(wire: Wire) -> None:
    job = wire.create("insert", "Contact")
    answer = wire.ask("POST", f"/services/async/61.0/job/{job}/batch", "LastName\nx", {"Content-Type": "text/csv"})
    assert answer.error[1] == "InvalidVersion"


def test_misspelt_operation_and_wrong_method_are_refused(wire: Wire) -> None:
    assert wire.ask("POST", "jobb").error[1] == "InvalidOperation"
    assert wire.ask("DELETE", "job/x").error[0] == 405


def test_hard_delete_needs_its_permission() -> None:
    with Emulator(settings=Settings(hard_delete_permission=False)) as org:
        body = '{"operation":"hardDelete","object":"Account"}'
        answer = Wire(org).ask("POST", "job", body, {"Content-Type": "application/json"})
        assert answer.error[1] == "FeatureNotEnabled"


def test_job_ages(wire: Wire) -> None:
    job = wire.create("insert", "Contact")
    wire.org.state.sessions.rules.session_seconds = 10**9
    wire.org.clock.advance(hours=25)
    assert wire.add(job, "LastName\nx").error[1] == "InvalidJobState"
    wire.org.clock.advance(days=7)
    assert wire.ask("GET", f"job/{job}").error == (400, "InvalidJob", f"Invalid job id: {job}")


def test_daily_batches_are_limited() -> None:
    with Emulator(settings=Settings(limits=Limits(daily_batches=2)), pace=Pace.manual()) as org:
        wire = Wire(org)
        job = wire.create("insert", "Contact")
        assert [wire.add(job, "LastName\nx").status for _ in range(2)] == [201, 201]
        assert wire.add(job, "LastName\nx").error == (400, "ExceededQuota", "ApiBatchItems Limit exceeded")


def test_schema_document_is_served(wire: Wire) -> None:
    assert "batchInfo" in wire.ask("GET", "AsyncApi.xsd").text


def test_whole_document_posted_back_is_refused(wire: Wire) -> None:
    job = wire.ask("POST", "job", job_xml(operation="insert", object="Contact"))
    assert wire.ask("POST", f"job/{job.id}", job.body).error == (400, "InvalidJob", "CreatedById cannot be specified")
