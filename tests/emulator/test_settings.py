"""What is not known about Salesforce is a setting: settings and texts change what the org does."""

from dataclasses import replace

import pytest
from tests.emulator.wire import Wire, rows

from bulkforce_emulator import Emulator, Limits, Settings
from bulkforce_emulator.texts import BatchTexts, CallTexts, LoginTexts, QueryTexts, Texts
from bulkforce_emulator.words import Text

XML = {"Content-Type": "application/xml"}
JOB = '<jobInfo xmlns="http://www.force.com/2009/06/asyncapi/dataload">{}</jobInfo>'
MOVED = JOB.format("<contentType>CSV</contentType><object>Account</object><operation>insert</operation>")


def test_text_can_be_turned() -> None:
    texts = Texts(calls=replace(CallTexts(), batch_unknown=Text("InvalidUrl", "No batch {id} here")))
    with Emulator(settings=Settings(texts=texts)) as org:
        wire = Wire(org)
        job = wire.create("insert", "Account")
        assert wire.ask("GET", f"job/{job}/batch/751x").error == (400, "InvalidUrl", "No batch 751x here")


def test_what_a_refused_query_says_can_be_turned() -> None:
    texts = Texts(batches=replace(BatchTexts(), query_refused=Text("InvalidBatch", "no: {code}")))
    with Emulator(settings=Settings(texts=texts)) as org:
        wire = Wire(org)
        batch = wire.run(wire.create("query", "Account"), "SELECT Nothing FROM Account")
        assert batch.element("stateMessage") == "InvalidBatch : no: INVALID_FIELD"


@pytest.mark.parametrize(("any_order", "status"), [(True, 201), (False, 400)])
def test_order_of_elements(any_order: bool, status: int) -> None:
    with Emulator(settings=Settings(any_element_order=any_order)) as org:
        wire = Wire(org)
        assert wire.ask("POST", "job", MOVED, XML).status == status
        in_order = JOB.format("<operation>insert</operation><object>Account</object><contentType>CSV</contentType>")
        job = wire.ask("POST", "job", in_order, XML)
        assert job.status == 201
        assert wire.ask("POST", f"job/{job.id}", JOB.format("<state>Closed</state>"), XML).status == 200


@pytest.mark.parametrize(("follows", "kind"), [(False, "application/json"), (True, "application/xml")])
def test_representation_of_a_job_that_is_asked_for_in_xml(follows: bool, kind: str) -> None:
    with Emulator(settings=Settings(get_follows_content_type=follows)) as org:
        wire = Wire(org)
        job = wire.create("insert", "Account", "JSON")
        assert wire.ask("GET", f"job/{job}", headers=XML).type == kind
        assert wire.ask("GET", f"job/{job}").type == "application/json"


def test_answer_to_a_spec() -> None:
    with Emulator(settings=Settings(spec_answer_type="text/plain", spec_answer="taken")) as org:
        wire = Wire(org)
        spec = "Salesforce Field,Csv Header,Value,Hint\nName,Full Name,,\n"
        answer = wire.ask("POST", f"job/{wire.create('insert', 'Account')}/spec", spec, {"Content-Type": "text/csv"})
        assert (answer.status, answer.type, answer.text) == (201, "text/plain", "taken")


@pytest.mark.parametrize("family", ["CSV", "XML"])
def test_unreadable_value_may_fail_the_batch(family: str) -> None:
    body = {
        "CSV": "Name,AnnualRevenue\na,much\n",
        "XML": "<sObjects><sObject><Name>a</Name><AnnualRevenue>much</AnnualRevenue></sObject></sObjects>",
    }[family]
    kind = {"CSV": "text/csv", "XML": "application/xml"}[family]
    strict = Settings(csv_type_error="batch error", xml_type_error="batch error")
    for settings, state in ((Settings(), "Completed"), (strict, "Failed")):
        with Emulator(settings=settings) as org:
            wire = Wire(org)
            assert wire.run(wire.create("insert", "Account", family), body, kind).element("state") == state


def test_forms_of_query_results() -> None:
    turned = Settings(csv_datetimes="milliseconds", parents="flat", empty_result="line")
    with Emulator(settings=turned) as org:
        wire = Wire(org)
        account = org.insert("Account", [{"Name": "A"}])[0]
        org.insert("Contact", [{"LastName": "B", "AccountId": account}])
        [[moment]] = rows(wire.query("SELECT CreatedDate FROM Contact"))
        assert moment.isdecimal()
        [found] = wire.query("SELECT Account.Name FROM Contact", "JSON").json
        assert found["Account.Name"] == "A"
        assert "<Account.Name>A</Account.Name>" in wire.query("SELECT Account.Name FROM Contact", "XML").text
        assert wire.query("SELECT Id FROM Lead", "JSON").text == "Records not found for this query"


@pytest.mark.parametrize(("unchunkable", "status"), [("refuse", 400), ("ignore", 201)])
def test_chunking_of_an_object_that_does_not_support_it(unchunkable: str, status: int) -> None:
    headers = {"Content-Type": "application/json", "Sforce-Enable-PKChunking": "TRUE"}
    with Emulator(settings=Settings(unchunkable=unchunkable)) as org:  # type: ignore[arg-type]
        job = '{"operation":"query","object":"Attachment","contentType":"CSV"}'
        assert Wire(org).ask("POST", "job", job, headers).status == status


def test_chunk_that_starts_nowhere_is_refused() -> None:
    headers = {"Content-Type": "application/json", "Sforce-Enable-PKChunking": "chunkSize=10; startRow=001-"}
    with Emulator() as org:
        answer = Wire(org).ask("POST", "job", '{"operation":"query","object":"Account","contentType":"CSV"}', headers)
        assert answer.error == (400, "InvalidJob", "Invalid startRow: 001-")


def test_chunks_count_as_batches_of_the_day_and_those_that_were_made_still_run() -> None:
    with Emulator(settings=Settings(limits=Limits(daily_batches=3))) as org:
        wire = Wire(org)
        org.insert("Account", [{"Name": str(number)} for number in range(50)])
        job = wire.create("query", "Account", headers={"Sforce-Enable-PKChunking": "chunkSize=10"})
        original = wire.run(job, "SELECT Id FROM Account")
        assert original.element("state") == "Failed"
        assert original.element("stateMessage") == "ExceededQuota : ApiBatchItems Limit exceeded"
        assert org.wait_until_idle()
        told = wire.ask("GET", f"job/{job}")
        assert (told.element("numberBatchesCompleted"), told.element("numberRecordsProcessed")) == ("2", "20")
        assert (
            wire.ask("POST", f"job/{job}/batch", "SELECT Id FROM Account", {"Content-Type": "text/csv"}).error[1]
            == "ExceededQuota"
        )


def test_too_many_result_files_fail_the_query() -> None:
    with Emulator(settings=Settings(limits=Limits(query_result_bytes=200, query_result_files=2))) as org:
        wire = Wire(org)
        org.insert("Account", [{"Name": str(number)} for number in range(100)])
        batch = wire.run(wire.create("query", "Account"), "SELECT Id FROM Account")
        assert batch.element("stateMessage").startswith("InvalidBatch : Failed to write query result")


@pytest.mark.parametrize("operation", ["insert", "upsert"])
def test_row_finds_a_parent_of_its_own_batch_in_an_earlier_transaction(operation: str) -> None:
    schema = {"Account": {"fields": {"Ext__c": "string(20) unique external_id"}}}
    with Emulator(schema, settings=Settings(limits=Limits(records_per_transaction=2))) as org:
        wire = Wire(org)
        body = "Name,Ext__c,Parent.Ext__c\na,a,\nb,b,a\nc,c,a\nd,d,c\ne,e,d\n"
        more = {"externalIdFieldName": "Ext__c"} if operation == "upsert" else {}
        found = rows(wire.load(operation, "Account", body, **more))
        lost = "INVALID_FIELD:Foreign key external ID: {} not found for field Ext__c in entity Account:--"
        assert [row[3] for row in found] == ["", lost.format("a"), "", lost.format("c"), lost.format("d")]
        one, three = org.records("Account")
        assert (one["Name"], three["Name"], three["ParentId"]) == ("a", "c", one["Id"])
        assert [found[0][0], found[2][0]] == [one["Id"], three["Id"]]


def test_status_and_words_of_a_refused_login() -> None:
    texts = Texts(logins=replace(LoginTexts(), token_expired=Text("invalid_grant", "inactive user")))
    with Emulator(settings=Settings(token_error_status=401, texts=texts)) as org:
        form = f"grant_type=refresh_token&client_id={org.client_id}&refresh_token=x"
        answer = Wire(org).ask(
            "POST", "/services/oauth2/token", form, {"Content-Type": "application/x-www-form-urlencoded"}
        )
        assert (answer.status, answer.json) == (401, {"error": "invalid_grant", "error_description": "inactive user"})


def test_words_of_a_refused_query() -> None:
    texts = Texts(queries=replace(QueryTexts(), group=Text("MALFORMED_QUERY", "no groups")))
    with Emulator(settings=Settings(texts=texts)) as org:
        said = Wire(org).failure("query", "Account", "SELECT Name FROM Account GROUP BY Name")
        assert said == "InvalidBatch : Failed to process query: MALFORMED_QUERY: no groups"


@pytest.mark.parametrize("coding", ["identity", "gzip"])
@pytest.mark.parametrize(("chunked", "framing"), [(True, "transfer-encoding"), (False, "content-length")])
def test_answers_are_chunked_or_have_a_length_whatever_their_size(chunked: bool, framing: str, coding: str) -> None:
    with Emulator(settings=Settings(chunked_answers=chunked)) as org:
        wire = Wire(org)
        job = wire.create("insert", "Account")
        for body in ("Name\nA\n", "Name\n" + "A\n" * 100_000):
            batch = wire.add(job, body)
            for path in (f"job/{job}", f"job/{job}/batch/{batch.id}/request"):
                told = wire.ask("GET", path, headers={"Accept-Encoding": coding}).headers
                assert {"transfer-encoding", "content-length"} & told.keys() == {framing}
