"""What is known of uploads, results, errors and limits, sentence by sentence: what a real server takes and refuses.

A row is a sentence with where it stands (the topic of the developer guide, or the client that shows it), what is sent,
and what comes of it.
"""

from __future__ import annotations

import gzip
import io
import json
import re
import zipfile
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from tests.emulator.wire import NAMESPACE, Wire, rows

from bulkforce_emulator import Emulator, Limits, Settings

SCHEMA = {
    "Account": {
        "fields": {
            "Ext__c": "string(20) unique external_id",
            "Whole__c": "int",
            "Long__c": "textarea(131072)",
            "Double__c": {"type": "double", "formula": '"AnnualRevenue" * 2'},
            "Serial__c": "string(30) auto_number",
            "Once__c": "string(10) create_only",
            "Day__c": "date",
            "Moment__c": "datetime",
        }
    }
}
MEDIA = {"CSV": "text/csv", "JSON": "application/json", "XML": "application/xml"}


@pytest.fixture(scope="module")
def org() -> Iterator[Emulator]:
    with Emulator(SCHEMA) as org:
        org.insert("Account", [{"Name": "Parent", "Ext__c": "p"}])
        org.insert("Lead", [{"LastName": "L", "Company": "C", "Email": "l@x.org"}])
        yield org


@pytest.fixture
def wire(org: Emulator) -> Wire:
    return Wire(org)


def xml(records: str) -> str:
    return f'<sObjects xmlns="{NAMESPACE}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">{records}</sObjects>'


class Sent(NamedTuple):
    """A batch, and what comes of it.

    `outcome` is what the batch says when it fails as a whole, or a word for each row: `ok`, or its status code.
    """

    sentence: str
    content_type: str
    body: str | bytes
    outcome: str
    sobject: str = "Account"
    operation: str = "insert"
    more: dict[str, Any] = {}  # noqa: RUF012 - never changed


QUOTE = "InvalidBatch : Failed to parse CSV. Found unescaped quote. A value with quote should be within a quote"
AFTER = "InvalidBatch : Failed to parse CSV. Not expecting more text after end quote"
UNKNOWN = "InvalidBatch : Field name not found : "
NOT_WRITABLE = "INVALID_FIELD_FOR_INSERT_UPDATE"
TYPE = "INVALID_TYPE_ON_FIELD_IN_RECORD"
BATCHES = [
    # Data files
    Sent("data files: required fields must be there on insert", "CSV", "Name,Site\nx,y\n,y\n", "ok REQUIRED_FIELD_MISSING"),
    Sent("data files: the header is required", "CSV", "x\n", "InvalidBatch : Records not found"),
    Sent("recorded: names in any letter case", "CSV", "NAME,sITE\nx,y\n", "ok"),
    Sent("data files: commas alone separate values (tab)", "CSV", "Name\tSite\nx\ty\n", f"{UNKNOWN}Name\tSite"),
    Sent("data files: commas alone separate values (semicolon)", "CSV", "Name;Site\nx;y\n", f"{UNKNOWN}Name;Site"),
    Sent("data files: a comma, a line end and a quote need quotes", "CSV", 'Name\n"a, ""b""\nc"\n', "ok"),
    Sent("data files: other quotes do not count", "CSV", "Name,Site\n'a,b',c\n",
         "InvalidBatch : Failed to parse CSV. Row 1 has 3 values, the header has 2"),
    Sent("data files: a blank before a quote is an error", "CSV", 'Name,Site\na, "b"\n', QUOTE),
    Sent("data files: a blank after a quote is an error", "CSV", 'Name,Site\n"a" ,b\n', AFTER),
    Sent("data files: blanks are never trimmed, in names either", "CSV", "Name, Site\na,b\n", f"{UNKNOWN} Site"),
    Sent("data files: blanks are never trimmed, so no number", "CSV", "Name,AnnualRevenue\na, 5\n", TYPE),
    Sent("data files: a nameless column names no field", "CSV", "Name,\na,\n", UNKNOWN),
    Sent("data files: #N/A is null", "CSV", "Name,Site\n#N/A,x\na,#N/A\n", "REQUIRED_FIELD_MISSING ok"),
    Sent("data files: null is #N/A and nothing like it", "CSV", "Name,Whole__c\na,#n/a\nb,N/A\n", f"{TYPE} {TYPE}"),
    Sent("data files: an exponent is for doubles", "CSV", "Name,AnnualRevenue\na,1.5E3\n", "ok"),
    Sent("data files: an exponent is for doubles, not for whole numbers", "CSV", "Name,Whole__c\na,1E3\nb,-7\nc,7.0\n",
         f"{TYPE} ok ok"),
    Sent("data files: no other numbers", "CSV", 'Name,AnnualRevenue\na,"1,000"\nb,$5\nc,NaN\nd,Infinity\ne,0x1F\n',
         " ".join([TYPE] * 5)),
    Sent("recorded, wsc: rows end with LF and CRLF", "CSV", "Name,Site\r\na,b\nc,d\r\n", "ok ok"),
    Sent("wsc: CR ends a row, too", "CSV", "Name\ra\rb", "ok ok"),
    Sent("wsc: blank rows are skipped", "CSV", "\n\nName,Site\n\na,b\n\n\n", "ok"),
    Sent("wsc: a row of blanks is no blank row", "CSV", "Name,Site\n \n",
         "InvalidBatch : Failed to parse CSV. Row 1 has 1 values, the header has 2"),
    Sent("a byte order mark is not stripped before a quote", "CSV", '\ufeff"Name"\nx\n', QUOTE),
    Sent("a byte order mark is not stripped before a name", "CSV", "\ufeffName\nx\n", f"{UNKNOWN}\ufeffName"),
    Sent("data files: UTF-8", "CSV", "Name\nx\n".encode("utf-16"), f"{UNKNOWN}��N\0a\0m\0e\0"),
    Sent("Data Loader: deletes take ids alone", "CSV", "Id,Name\n001000000000001AAA,x\n",
         "InvalidBatch : The 'delete' batch must contain only ids", operation="delete"),
    Sent("Data Loader: deletes take ids alone, in JSON too", "JSON", '[{"Id":"001000000000001AAA","Name":"x"}]',
         "InvalidBatch : The 'delete' batch must contain only ids", operation="delete"),
    Sent("Data Loader: deletes take ids alone, in XML too", "XML",
         xml("<sObject><Id>001000000000001AAA</Id><Name>x</Name></sObject>"),
         "InvalidBatch : The 'hardDelete' batch must contain only ids", operation="hardDelete"),
    Sent("calculated fields cannot be set, row by row", "CSV", "Name,Double__c\na,5\nb,\nc,#N/A\n",
         f"{NOT_WRITABLE} ok {NOT_WRITABLE}"),
    Sent("calculated fields cannot be set in JSON", "JSON", '[{"Name":"a","Double__c":5},{"Name":"b"}]', f"{NOT_WRITABLE} ok"),
    Sent("calculated fields cannot be set in XML", "XML", xml("<sObject><Name>a</Name><Double__c>5</Double__c></sObject>"),
         NOT_WRITABLE),
    Sent("auto numbers cannot be set", "CSV", "Name,Serial__c\na,5\n", NOT_WRITABLE),
    Sent("fields of the system cannot be set", "CSV", "Name,CreatedDate\na,2020-01-01T00:00:00Z\n", NOT_WRITABLE),
    Sent("compound fields are no columns", "CSV", "Name,BillingAddress\na,x\n", f"{UNKNOWN}BillingAddress"),
    # Relationship fields in a header row
    Sent("relationships: a parent by an indexed field", "CSV", "Name,Parent.Ext__c\na,p\nb,none\n", "ok INVALID_FIELD"),
    Sent("relationships: indexed fields only", "CSV", "Name,Parent.Site\na,x\n", f"{UNKNOWN}Parent.Site"),
    Sent("relationships: one level only", "CSV", "Name,Parent.Parent.Ext__c\na,p\n", f"{UNKNOWN}Parent.Parent.Ext__c"),
    Sent("relationships: child to parent only", "CSV", "Name,Contacts.Email\na,p\n", f"{UNKNOWN}Contacts.Email"),
    Sent("relationships: by relationship, not by field", "CSV", "Name,ParentId.Ext__c\na,p\n", f"{UNKNOWN}ParentId.Ext__c"),
    Sent("relationships: no type before a plain one", "CSV", "Name,Account:Parent.Ext__c\na,p\n",
         f"{UNKNOWN}Account:Parent.Ext__c"),
    Sent("relationships: a type before a polymorphic one", "CSV", "Subject,Lead:Who.Email\na,l@x.org\n", "ok", "Task"),
    Sent("relationships: a type must be before a polymorphic one", "CSV", "Subject,Who.Email\na,x\n", f"{UNKNOWN}Who.Email",
         "Task"),
    Sent("relationships: a type that it can have", "CSV", "Subject,Account:Who.Ext__c\na,x\n",
         f"{UNKNOWN}Account:Who.Ext__c", "Task"),
    # Valid XML and JSON records
    Sent("xml: a type within a polymorphic reference, first", "XML",
         xml("<sObject><Subject>x</Subject><Who><sObject><type>Lead</type><Email>l@x.org</Email></sObject></Who></sObject>"),
         "ok", "Task"),
    Sent("xml: a type that is not first", "XML",
         xml("<sObject><Who><sObject><Email>l@x.org</Email><type>Lead</type></sObject></Who></sObject>"),
         "InvalidBatch : Reference Who must have exactly one field", "Task"),
    Sent("xml: no type in a plain reference", "XML",
         xml("<sObject><Name>x</Name><Parent><sObject><type>Account</type><Ext__c>p</Ext__c></sObject></Parent></sObject>"),
         f"{UNKNOWN}Account:Parent.Ext__c"),
    Sent("xml: no type in a record", "XML", xml("<sObject><type>Contact</type><LastName>x</LastName></sObject>"),
         f"{UNKNOWN}type", "Contact"),
    Sent("xml: one field in a reference", "XML",
         xml("<sObject><Name>x</Name><Parent><sObject><Ext__c>p</Ext__c><Name>y</Name></sObject></Parent></sObject>"),
         "InvalidBatch : Reference Parent must have exactly one field"),
    Sent("xml: names in any letter case, each record in its own", "XML",
         xml("<sObject><Name>x</Name></sObject><sObject><name>y</name></sObject>"), "ok ok"),
    Sent("xml: a field once in a record", "XML", xml("<sObject><Name>x</Name><Name>y</Name></sObject>"),
         "InvalidBatch : Duplicate field name : Name"),
    Sent("json: the top is an array", "JSON", '{"Name":"x"}',
         "InvalidBatch : Failed to parse JSON. Expected an array of records"),
    Sent("json: attributes in polymorphic references alone", "JSON", '[{"attributes":{"type":"Account"},"Name":"x"}]',
         f"{UNKNOWN}attributes"),
    Sent("json: no attributes in a plain reference", "JSON",
         '[{"Name":"x","Parent":{"attributes":{"type":"Account"},"Ext__c":"p"}}]', f"{UNKNOWN}Account:Parent.Ext__c"),
    Sent("json: attributes in a polymorphic reference", "JSON",
         '[{"Subject":"x","Who":{"attributes":{"type":"Lead"},"Email":"l@x.org"}}]', "ok", "Task"),
    Sent("json: a polymorphic reference has a type", "JSON", '[{"Subject":"x","Who":{"Email":"l@x.org"}}]',
         f"{UNKNOWN}Who.Email", "Task"),
    Sent("json: names in any letter case, each record in its own", "JSON", '[{"Name":"x"},{"name":"y"}]', "ok ok"),
    Sent("json: a field once in a record", "JSON", '[{"Name":"x","NAME":"y"}]', "InvalidBatch : Duplicate field name : NAME"),
    Sent("users: a value of another type fails the batch", "JSON", '[{"Name":"x"},{"Name":"y","Day__c":"2020-01-01T10:00:00"}]',
         "InvalidBatch : Failed to parse input: Day: value not of required type: 2020-01-01T10:00:00"),
    # Valid dates
    Sent("dates: date-times", "CSV",
         "Name,Moment__c\na,2020-01-01T10:00:00Z\nb,2020-01-01T10:00:00.123Z\nc,2020-01-01T10:00:00+02:00\n"
         "d,2020-01-01T10:00:00.000-08:00\n", "ok ok ok ok"),
    Sent("dates: no other date-times", "CSV",
         "Name,Moment__c\na,2020-01-01T10:00:00\nb,2020-01-01 10:00:00Z\nc,01/02/2020 10:00\nd,2020-01-01T10:00Z\n"
         "e,2020-02-30T10:00:00Z\n", " ".join([TYPE] * 5)),
    Sent("dates: dates, with a Z too", "CSV", "Name,Day__c\na,2020-01-31\nb,1940-06-07Z\n", "ok ok"),
    Sent("dates: no other dates", "CSV",
         "Name,Day__c\na,31/01/2020\nb,2020-1-31\nc,2020-02-30\nd,20200131\ne,2020-01-31+02:00\n", " ".join([TYPE] * 5)),
    # Limits of a record
    Sent("limits: 131,072 characters in a value", "CSV", f"Name,Long__c\na,{'x' * 131_072}\n", "ok"),
    Sent("limits: not one more", "CSV", f"Name,Long__c\na,{'x' * 131_073}\n",
         "InvalidBatch : Failed to parse CSV. Exceeded max field size: 131073"),
    Sent("limits: not one more in JSON", "JSON", json.dumps([{"Name": "a", "Long__c": "x" * 131_073}]),
         "InvalidBatch : Exceeded max field size: 131073"),
    Sent("limits: 5,000 values in a row, whatever the header has", "CSV", "Name\na" + "," * 5_000 + "\n",
         "InvalidBatch : Failed to parse CSV. Exceeded max number of columns per record : 5000"),
    Sent("wsc: the first record that is too long is told", "CSV",
         "a,b,c,d\n" + "".join(",".join(["x" * size] * 4) + "\n" for size in (100_001, 100_002)),
         "InvalidBatch : Failed to parse CSV. Exceeded max length for one record: 400004. "
         "Max length for one record should be less than or equal to 400000"),
    Sent("limits: 10,000 records", "CSV", "Name\n" + "x\n" * 10_001,
         "InvalidBatch : Failed to parse CSV. Exceeded number of records : 10002. "
         "Number of records should be less than or equal to 10001"),
]  # fmt: skip


@pytest.mark.parametrize("sent", BATCHES, ids=lambda sent: sent.sentence)
def test_batches(wire: Wire, sent: Sent) -> None:
    job = wire.create(sent.operation, sent.sobject, sent.content_type, **sent.more)
    batch = wire.run(job, sent.body, MEDIA[sent.content_type])
    told = wire.ask("GET", f"job/{job}/batch/{batch.id}/result")
    if batch.element("state") == "Failed":
        said = json.loads(batch.body)["stateMessage"] if batch.type.endswith("json") else batch.element("stateMessage")
        assert said.replace("&apos;", "'") == re.sub("\0", "", sent.outcome)
        assert told.error == (400, "InvalidBatch", "Records not processed")
        return
    assert " ".join(outcomes(told, sent.content_type)) == sent.outcome


def outcomes(told: Any, content_type: str) -> list[str]:
    """`ok` or the status code of each row."""
    if content_type == "CSV":
        return [row[3].partition(":")[0] or "ok" for row in rows(told)]
    if content_type == "JSON":
        return [one["errors"][0]["statusCode"] if one["errors"] else "ok" for one in told.json]
    found = re.findall(r"<result>(.*?)</result>", told.text, re.DOTALL)
    return [(re.findall(r"<statusCode>(\w+)<", one) or ["ok"])[0] for one in found]


def test_update_leaves_what_is_empty_or_absent_and_clears_what_is_null(wire: Wire) -> None:
    """Data files, valid XML and JSON records."""
    for content_type, body in (
        ("CSV", 'Id,Site,Phone,Fax\n{id},,"",#N/A\n'),
        ("JSON", '[{{"Id":"{id}","Fax":null}}]'),
        ("XML", xml('<sObject><Id>{id}</Id><Site xsi:nil="false"/><Fax xsi:nil="true"/></sObject>')),
    ):
        (record,) = wire.org.insert("Account", [{"Name": "kept", "Site": "s", "Phone": "1", "Fax": "2"}])
        batch = wire.run(wire.create("update", "Account", content_type), body.format(id=record), MEDIA[content_type])
        assert batch.element("numberRecordsFailed") == "0"
        found = next(one for one in wire.org.records("Account") if one["Id"] == record)
        assert (found["Site"], found["Phone"], found["Fax"]) == ("s", "1", None), content_type


def test_empty_key_inserts_where_the_key_is_the_id(wire: Wire) -> None:
    """Recorded: an upsert by Id."""
    told = rows(wire.load("upsert", "Account", "Id,Name\n,new\n", externalIdFieldName="Id"))
    assert [row[1:3] for row in told] == [["true", "true"]]


def test_field_that_is_set_once_cannot_be_changed(wire: Wire) -> None:
    (record,) = wire.org.insert("Account", [{"Name": "once"}])
    assert rows(wire.load("update", "Account", f"Id,Once__c\n{record},x\n"))[0][3].startswith(f"{NOT_WRITABLE}:")


def test_line_ends_within_values_are_as_the_header_says(wire: Wire) -> None:
    """Headers, and the parser of Salesforce's own client: one LF, unless CRLF is asked for."""
    for header, kept in (("", "a\nb\nc"), ("LF", "a\nb\nc"), ("CRLF", "a\r\nb\r\nc")):
        headers = {"Sforce-Line-Ending": header} if header else {}
        wire.load("insert", "Account", 'Name,Long__c\nends,"a\r\nb\rc"\n', headers=headers)
        assert wire.org.records("Account")[-1]["Long__c"] == kept


def test_results_come_in_the_order_of_the_rows_and_without_the_ids_of_failures(wire: Wire) -> None:
    """Failed records; recorded."""
    (record,) = wire.org.insert("Account", [{"Name": "x"}])
    told = wire.load("update", "Account", f'Id,Name,AnnualRevenue\n{record},a,1\n{record},b,"no ""number"", :--"\n')
    assert told.type == "text/csv"
    assert told.text == (
        '"Id","Success","Created","Error"\n'
        f'"{record}","true","false",""\n'
        '"","false","false","INVALID_TYPE_ON_FIELD_IN_RECORD:Annual Revenue: value not of required type: '
        'no ""number"", :--:AnnualRevenue --"\n'
    )


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("content", [b"", b"Name\n" + b"x" * 10_000_000], ids=["nothing", "too much"])
def test_batch_without_content_or_with_too_much_is_refused_at_once(wire: Wire, content: bytes, packed: bool) -> None:
    """Limits: counted unpacked; a batch with no content is an error."""
    headers = {"Content-Type": "text/csv"} | ({"Content-Encoding": "gzip"} if packed else {})
    body = gzip.compress(content) if packed else content
    answer = wire.ask("POST", f"job/{wire.create('insert', 'Account')}/batch", body, headers)
    assert answer.error[:2] == (400, "ClientInputError")


def test_characters_of_the_header_count_and_the_record_that_is_too_much_is_told() -> None:
    """The parser of Salesforce's own client."""
    with Emulator(settings=Settings(limits=Limits(batch_characters=10))) as org:
        wire = Wire(org)
        words = "Max file size in characters should be less than or equal to 10"
        for body, given in (("Name\nabcdef\n", None), ("Name\nabc\nabcd\nabc\n", 11)):
            batch = wire.run(wire.create("insert", "Account"), body)
            assert batch.element("state") == ("Completed" if given is None else "Failed")
            assert given is None or batch.element("stateMessage").endswith(f"Exceeded max file size: {given}. {words}")


def test_row_whose_only_value_is_empty_is_a_record_or_blank() -> None:
    body = 'Name\nx\n""\n\ny\n'
    for setting, count in (("record", 3), ("blank", 2)):
        with Emulator(settings=Settings(lone_empty_value=setting)) as org:  # type: ignore[arg-type]
            assert len(rows(Wire(org).load("insert", "Account", body))) == count
    with Emulator(settings=Settings(lone_empty_value="blank")) as org:
        wire = Wire(org)
        assert len(rows(wire.load("insert", "Account", 'Name,Site\nx,y\n""\n'))) == 1
        assert wire.failure("insert", "Account", '""\n""\n') == "InvalidBatch : Records not found"


def test_attributes_of_records_can_be_ignored() -> None:
    with Emulator(settings=Settings(record_attributes="ignore")) as org:
        wire = Wire(org)
        body = '[{"attributes":{"type":"Account","url":"/x"},"Name":"x"}]'
        assert wire.run(wire.create("insert", "Account", "JSON"), body, "application/json").json["state"] == "Completed"


def test_dates_as_the_guide_has_them_and_no_others_can_be_had() -> None:
    body = (
        "Name,Day__c,Moment__c\na,2020-01-01,2020-01-01T10:00:00.000+02:00\nb,2020-01-01T10:00:00Z,\n"
        "c,,2020-01-01\nd,,2020-01-01T10:00:00+0200\ne,,2020-01-01T10:00:00.5Z\n"
    )
    for lenient, outcome in ((True, "ok ok ok ok ok"), (False, f"ok {TYPE} {TYPE} {TYPE} {TYPE}")):
        with Emulator(SCHEMA, settings=Settings(lenient_dates=lenient)) as org:
            assert " ".join(outcomes(Wire(org).load("insert", "Account", body), "CSV")) == outcome


class Call(NamedTuple):
    """A call that is refused: `{job}` is an open CSV job with one batch, `{json}` a JSON job."""

    sentence: str
    method: str
    path: str
    code: str
    body: str | None = None
    headers: dict[str, str] = {}  # noqa: RUF012 - never changed


JSON = {"Content-Type": "application/json"}
CALLS = [
    Call("errors: bad job id", "GET", "job/750000000000000AAA", "InvalidJob"),
    Call("errors: bad job id that is none", "GET", "job/nope", "InvalidJob"),
    Call("errors: bad batch id", "GET", "job/{job}/batch/751000000000000AAA", "InvalidBatch"),
    Call("errors: batch of another job", "GET", "job/{json}/batch/{batch}", "InvalidBatch"),
    Call("errors: result that is none", "GET", "job/{job}/batch/{batch}/result/752000000000000", "InvalidUrl"),
    Call("errors: bad object", "POST", "job", "InvalidJob", '{"operation":"insert","object":"Nope__c"}', JSON),
    Call("errors: object without this API", "POST", "job", "InvalidEntity", '{"operation":"insert","object":"Organization"}',
         JSON),
    Call("JobInfo: operations in their letter case", "POST", "job", "InvalidJob", '{"operation":"INSERT","object":"Account"}',
         JSON),
    Call("JobInfo: a key with upserts", "POST", "job", "InvalidJob", '{"operation":"upsert","object":"Account"}', JSON),
    Call("JobInfo: a key with upserts alone", "POST", "job", "InvalidJob",
         '{"operation":"insert","object":"Account","externalIdFieldName":"Ext__c"}', JSON),
    Call("errors: bad session", "GET", "job/{job}", "InvalidSessionId", None, {"X-SFDC-Session": "bad"}),
    Call("errors: bad operation in the URI", "GET", "jobb/{job}", "InvalidOperation"),
    Call("errors: bad URI", "GET", "job/{job}/nope", "InvalidUrl"),
    Call("errors: version that is retired", "GET", "/services/async/20.0/job/{job}", "InvalidVersion"),
    Call("add a batch: version of the job", "POST", "/services/async/60.0/job/{job}/batch", "InvalidVersion", "Name\nx\n",
         {"Content-Type": "text/csv"}),
    Call("recorded: content type that is none", "POST", "job/{job}/batch", "UnsupportedContentType", "Name\nx\n",
         {"Content-Type": "text/cs; charset=UTF-8"}),
    Call("content type of another job", "POST", "job/{job}/batch", "UnsupportedContentType", "[]", JSON),
    Call("forms are no content type", "POST", "job/{job}/batch", "UnsupportedContentType", "Name\nx\n",
         {"Content-Type": "application/x-www-form-urlencoded"}),
    Call("limits: operation beside state", "POST", "job/{job}", "InvalidJob", '{"operation":"insert","state":"Closed"}', JSON),
    Call("map data fields: CSV jobs alone", "POST", "job/{json}/spec", "InvalidJob", "x", {"Content-Type": "text/csv"}),
    Call("map data fields: fewer than 8,192 characters", "POST", "job/{job}/spec", "ClientInputError", "x" * 8_192,
         {"Content-Type": "text/csv"}),
]  # fmt: skip


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.sentence)
def test_calls(wire: Wire, call: Call) -> None:
    job, other = wire.create("insert", "Account"), wire.create("insert", "Account", "JSON")
    path = call.path.format(job=job, json=other, batch=wire.run(job, "Name\nx\n").id)
    answer = wire.ask(call.method, path, call.body, call.headers)
    assert answer.error[:2] == (400, call.code)
    assert set(re.findall(r"<(\w+)>|\"(\w+)\":", answer.text)) <= {
        (name, "") for name in ("exceptionCode", "exceptionMessage")
    } | {("", name) for name in ("exceptionCode", "exceptionMessage")}


def test_spec_counts_characters_and_not_bytes(wire: Wire) -> None:
    """Limits: fewer than 8,192 characters."""
    spec = "Salesforce Field,Csv Header,Value,Hint\nName,Name," + "é" * 8_000 + ",\n"
    assert (
        wire.ask(
            "POST", f"job/{wire.create('insert', 'Account')}/spec", spec.encode(), {"Content-Type": "text/csv"}
        ).status
        == 201
    )


def test_zip_is_10_megabytes_at_most_and_20_unpacked(wire: Wire) -> None:
    """Limits: a zipped batch."""
    for size, level, state in (
        (20_000_001, zipfile.ZIP_DEFLATED, "Failed"),
        (9_000_000, zipfile.ZIP_STORED, "Completed"),
    ):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", level) as packed:
            packed.writestr("request.txt", "Name,Body\nx,#file\n")
            packed.writestr("file", b"\0" * size)
        batch = wire.run(wire.create("insert", "Attachment", "ZIP_CSV"), out.getvalue(), "zip/csv")
        assert batch.element("state") == state
