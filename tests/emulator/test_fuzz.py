"""Whatever comes in, the org answers as an org would: no bug of its own shows, and none takes long.

Seeded; the same each time.
"""

from __future__ import annotations

import http.client
import io
import json
import logging
import random
import re
import zipfile
from collections.abc import Iterator
from typing import Any
from xml.sax.saxutils import escape

import pytest
from tests.emulator.wire import Wire

from bulkforce_emulator import Emulator, Pace
from bulkforce_emulator.soql import SoqlError, compile_soql

SCHEMA = {
    "Odd__c": {
        "fields": {
            "Int__c": "int", "Long__c": "long", "Double__c": "double", "Double4__c": "double(18,4)", "Currency__c": "currency(18,2)",
            "Percent__c": "percent(5,2)", "Boolean__c": "boolean", "Date__c": "date", "Moment__c": "datetime", "Time__c": "time",
            "Text__c": "string(20)", "Area__c": "textarea(300)", "Pick__c": "picklist(a|b)", "Picks__c": "multipicklist(x|y) restricted",
            "Email__c": "email", "Phone__c": "phone", "Url__c": "url", "Account__c": "reference(Account)", "Body__c": "base64",
            "Key__c": "string(20) unique external_id", "Number__c": "double(10,0) unique external_id", "Combo__c": "combobox",
            "Secret__c": "encryptedstring(10)", "Any__c": "anyType",
            "Size__c": {"type": "int", "formula": 'octet_length(from_base64("Body__c"))'},
            "Square__c": {"type": "double", "formula": '"Double__c" * "Double__c"'},
        }
    }
}  # fmt: skip
VALUES = [
    "", " ", "0", "-0", "1", " 1 ", "1.5", "1.", ".5", "+1", "1,5", "1e5", "1e", "1e308", "-1e309", "1e-400", "NaN", "inf", "-Infinity", "0x10", "1_000",
    "9223372036854775808", "2147483648", "9" * 60, "٣", "true", "YES", "null", "#N/A", "2020-02-30", "0000-00-00", "0001-01-01", "9999-12-31", "10000-01-01",
    "-0001-01-01", "2020-01-01T00:00:00Z", "9999-12-31T23:59:59.999-14:00", "0001-01-01T00:00:00+14:00", "2020-01-01T24:00:00Z", "2020-01-01T23:59:60Z",
    "2020-01-01T00:00:00+99:99", "290000-01-01T00:00:00Z", "infinity", "epoch", "24:00:00", "25:61:61", "12:00:00.123456789Z", "A" * 21, "é" * 20, "😀" * 20,
    "a\x00b", "\ufffe", "'", "''", '"', "\\", "%", "{}", "{x}", ";", "x;;y", "a@b.c", "a@" + "b" * 300 + ".com", "001000000000001AAA", "🙂01000000000001",
    "QQ", "QQ==", "QQ===", "====", "YQ=\n=", "YQ\n==", "!!!!", "a,b\nc",
]  # fmt: skip
JSON_VALUES: list[Any] = [
    None,
    True,
    0,
    -1,
    1.5,
    1e308,
    12345678901234567890,
    [],
    {},
    [1],
    {"a": 1},
    {"Key__c": "a"},
    {"Key__c": {"Key__c": []}},
]
CHARSETS = [
    "utf-16",
    "latin-1",
    "nonsense",
    "utf-7",
    "idna",
    "hex",
    "rot13",
    "undefined",
    "unicode_escape",
    "punycode",
    "zip",
]
TYPES = {"CSV": "text/csv", "JSON": "application/json", "XML": "application/xml"}
COLUMNS = [name for name in SCHEMA["Odd__c"]["fields"] if name not in {"Size__c", "Square__c"}]


@pytest.fixture(scope="module")
def org() -> Iterator[Emulator]:
    with Emulator(SCHEMA, pace=Pace.instant()) as org:
        org.insert("Account", [{"Name": "A%"}, {"Name": "b"}])
        org.insert("Odd__c", [{"Key__c": "a", "Date__c": "2020-01-01", "Double__c": 5}])
        yield org


@pytest.fixture
def wire(org: Emulator, caplog: pytest.LogCaptureFixture) -> Iterator[Wire]:
    """A bug of the emulator's own is in its log, whatever it answered."""
    yield Wire(org)
    assert [record.getMessage() for record in caplog.get_records("call") if record.levelno >= logging.ERROR] == []


def csv_of(columns: list[str], rows: list[list[str]]) -> bytes:
    quoted = [",".join('"' + value.replace('"', '""') + '"' for value in row) for row in rows]
    return "\n".join([",".join(columns), *quoted]).encode()


def xml_of(columns: list[str], rows: list[list[str]]) -> bytes:
    def element(name: str, value: str) -> str:
        told = escape(value.replace("\x00", "?").replace("\ufffe", "?"))
        return f"<{name}>{told}</{name}>"

    records = ["<sObject>" + "".join(map(element, columns, row)) + "</sObject>" for row in rows]
    return f'<sObjects xmlns="http://www.force.com/2009/06/asyncapi/dataload">{"".join(records)}</sObjects>'.encode()


def json_of(columns: list[str], rows: list[list[Any]]) -> bytes:
    return json.dumps([dict(zip(columns, row, strict=True)) for row in rows]).encode()


WRITERS = {"CSV": csv_of, "XML": xml_of, "JSON": json_of}


def mutated(chance: random.Random, body: bytes) -> bytes:
    changed = bytearray(body)
    for _ in range(chance.randint(1, 4)):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed[: chance.randint(1, len(changed))] if chance.random() < 0.2 else changed)


def zipped(body: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("request.txt", body)
        archive.writestr("a/file.bin", b"content" * 100)
    return packed.getvalue()


@pytest.mark.parametrize("content_type", TYPES)
def test_odd_value_is_taken_or_is_an_error_of_its_row_and_can_be_read_again(wire: Wire, content_type: str) -> None:
    chance = random.Random("values")
    for column in COLUMNS:
        # An unreadable value fails the whole of a JSON batch, so each has one of its own.
        groups = (
            [[value] for value in chance.sample([*VALUES, *JSON_VALUES], 3)] if content_type == "JSON" else [VALUES]
        )
        job = wire.create("upsert", "Odd__c", content_type, externalIdFieldName="Key__c")
        for group in groups:
            rows = [[value] if column == "Key__c" else [f"k{place}", value] for place, value in enumerate(group)]
            columns = [column] if column == "Key__c" else ["Key__c", column]
            wire.add(job, WRITERS[content_type](columns, rows), TYPES[content_type])
        for form in TYPES:
            batch = wire.run(
                wire.create("query", "Odd__c", form),
                f"SELECT Id, {column}, Size__c, Square__c FROM Odd__c".replace("Body__c, ", ""),
            )
            assert batch.element("state") == "Completed", batch.text


@pytest.mark.parametrize("content_type", [*TYPES, "ZIP_CSV", "ZIP_XML", "ZIP_JSON"])
def test_mutated_batch_is_processed_or_fails_with_a_reason(wire: Wire, content_type: str) -> None:
    chance = random.Random(f"batches {content_type}")
    form = content_type.removeprefix("ZIP_")
    media = TYPES[form] if form == content_type else f"zip/{form.lower()}"
    for operation in ("insert", "update", "upsert", "delete"):
        job = wire.create(
            operation, "Odd__c", content_type, **({"externalIdFieldName": "Number__c"} if operation == "upsert" else {})
        )
        for _ in range(12):
            columns = chance.sample(
                [*COLUMNS, "Id", "Account__r.Id", "Account__r", "Name", "Nothing"], chance.randint(1, 4)
            )
            columns += ["Id"] if operation in {"update", "delete"} and "Id" not in columns else []
            body = WRITERS[form](
                columns, [[chance.choice(VALUES) for _ in columns] for _ in range(chance.randint(1, 3))]
            )
            if form != content_type:
                body = zipped(mutated(chance, body) if chance.random() < 0.5 else body)
            wire.add(job, mutated(chance, body) if chance.random() < 0.7 else body, media)


@pytest.mark.parametrize("charset", CHARSETS)
def test_odd_charset_is_read_or_refused(wire: Wire, charset: str) -> None:
    for content_type, media in TYPES.items():
        job = wire.create("insert", "Odd__c", content_type)
        wire.add(job, WRITERS[content_type](["Text__c"], [["😀"], ["é\\ud83d+2D0-"]]), f"{media}; charset={charset}")
        query = wire.create("query", "Account", content_type, headers={"Sforce-Enable-PKChunking": "chunkSize=1"})
        batch = wire.add(query, "SELECT Id FROM Account WHERE Name != '\u20ac'", f"{media}; charset={charset}")
        for path in ("", "/_emulator/page/jobs/"):
            wire.ask("GET", f"{path}{'' if path else 'job/'}{query}/{'batches' if path else 'batch'}/{batch.id}")
    for document in ("<jobInfo/>", f"<?xml version='1.0' encoding='{charset}'?><jobInfo/>"):
        for path in ("job", "/services/Soap/u/66.0"):
            wire.ask("POST", path, document, {"Content-Type": f"application/xml; charset={charset}"})


QUERIES = [
    "SELECT Id, Name FROM Account WHERE Name LIKE 'a%' ORDER BY Name DESC NULLS LAST LIMIT 5 OFFSET 1",
    "SELECT Id, (SELECT Id, LastName FROM Contacts WHERE LastName != null LIMIT 1) FROM Account",
    "SELECT Name, COUNT(Id) n, SUM(AnnualRevenue) FROM Account GROUP BY Name HAVING COUNT(Id) > 0 ORDER BY COUNT(Id)",
    (
        "SELECT Account.Owner.Name FROM Contact WHERE AccountId IN (SELECT Id FROM Account WHERE Name != 'x') AND "
        "CreatedDate = LAST_N_DAYS:30"
    ),
    (
        "SELECT Id FROM Odd__c WHERE Date__c > 2020-01-01 AND Double__c <= 5.5 AND Picks__c INCLUDES ('x;y','z') AND "
        "NOT "
        "(Boolean__c = true OR Time__c < 10:00:00.000Z)"
    ),
    "SELECT TYPEOF What WHEN Account THEN Name ELSE Id END FROM Task",
    (
        "SELECT CALENDAR_YEAR(CreatedDate), COUNT_DISTINCT(Name), MAX(CreatedDate) FROM Account GROUP BY "
        "CALENDAR_YEAR(CreatedDate)"
    ),
    (
        "SELECT FIELDS(ALL) FROM Account WHERE CreatedDate > 2020-01-01T00:00:00Z AND Id NOT IN ('001000000000001') "
        "LIMIT "
        "200"
    ),
]
WORDS = re.findall(
    r"\S+",
    """SELECT FROM WHERE AND OR NOT IN LIKE INCLUDES EXCLUDES ORDER BY GROUP HAVING LIMIT OFFSET DESC NULLS TYPEOF USING SCOPE FOR VIEW ALL ROWS COUNT()
    COUNT(Id) SUM(Double__c) MIN(Date__c) DAY_ONLY(CreatedDate) HOUR_IN_DAY(CreatedDate) FIELDS(ALL) toLabel(Name) FORMAT(Int__c) ROLLUP( Id Name Account
    Account.Name Owner.Name Contacts Parent.Parent.Parent.Parent.Parent.Parent.Name Date__c Time__c Int__c Body__c Any__c Secret__c Billing BillingAddress n ( ) , .
    = != < >= 'x' '' '%' 'a\\'b' '\\u0041' '\\x' '\\' 'x -1 1.5 1e5 1e400 99999999999999999999 true null TODAY LAST_N_DAYS:1 LAST_N_DAYS:99999999999 NEXT_N_YEARS:99999
    N_DAYS_AGO:5 THIS_FISCAL_QUARTER 2020-01-01 2020-13-01 0000-01-01 9999-12-31 9999-12-31T23:59:59-14:00 0001-01-01T00:00:00+14:00 2020-01-01T25:00:00Z 25:00:00Z USD5
    :x ; -- /* \x00 é 😀 " [ { } @ # \\""",
)


def queries(count: int) -> Iterator[str]:
    chance = random.Random("soql")
    for _ in range(count):
        words = re.findall(r"'[^']*'|[\w.:+-]+(?:\(\))?|\S", chance.choice(QUERIES))
        for _ in range(chance.randint(1, 3)):
            place = chance.randrange(len(words))
            match chance.randrange(4):
                case 0:
                    words[place] = chance.choice(WORDS)
                case 1:
                    words.insert(place, chance.choice(WORDS))
                case 2 if len(words) > 1:
                    del words[place]
                case _:
                    other = chance.randrange(len(words))
                    words[place], words[other] = words[other], words[place]
        yield " ".join(words)


DEEP = [
    "SELECT Id FROM Account WHERE " + "(" * 300 + "Name = 'x'" + ")" * 300,
    "SELECT Id FROM Account WHERE " + "NOT " * 20_000 + "Name = 'x'",
    "SELECT Id FROM Account WHERE " + "(" * 40_000,
    "SELECT Id FROM Account WHERE Name IN (" + ",".join(["'x'"] * 20_000) + ")",
    "SELECT " + ",".join(["Id"] * 3_000) + " FROM Account",
    "SELECT " + ".".join(["Parent"] * 500) + ".Id FROM Account",
    "SELECT Id FROM Account WHERE Id IN "
    + "(SELECT AccountId FROM Contact WHERE AccountId IN " * 30
    + "('x')"
    + ")" * 30,
    "SELECT Id FROM Account WHERE Name = '" + "x" * 99_000 + "'",
    "SELECT Id FROM Account LIMIT " + "9" * 5_000,
    "SELECT Id FROM Account WHERE NumberOfEmployees = " + "9" * 5_000,
    "SELECT Id FROM Account WHERE CreatedDate = LAST_N_DAYS:" + "9" * 5_000,
    "SELECT Id FROM Account WHERE CreatedDate > 2020-01-01T00:00:00." + "9" * 5_000 + "Z",
    "'" * 90_000,
]


def test_mutated_query_is_answered_or_refused(org: Emulator) -> None:
    for text in [*DEEP, *queries(1_000)]:
        try:
            found = compile_soql(
                text,
                org.state.schema,
                now=org.clock.now(),
                user_id=org.state.sessions.user_id,
                include_deleted=len(text) % 2 == 0,
            )
        except SoqlError:
            continue
        org.state.store.query(
            found.sql if found.is_count or found.is_aggregate else found.identified_sql, found.parameters
        )


BODIES = [
    b"", b"{}", b"[]", b"null", b"1", b'"x"', b"{", b"\xff\xfe", b"[" * 5_000, b'{"a":' * 5_000, b'{"Account":[{"Name":{"a":[1]}}]}', b'{"Account":[1]}',
    b'{"Account":{"Name":1}}', b'{"Account":5}', b'{"Account":[{"Name":"\\ud800"}]}', b'{"kind":"timed","parallel":-1}', b'{"kind":"timed","parallel":"x"}',
    b'{"kind":"timed","queue_seconds":"x"}', b'{"kind":"timed","records_per_second":0}', b'{"kind":[]}', b'{"kind":"slow","seconds":"x"}', b'{"kind":"status","nth":"x"}',
    b'{"kind":"status","path":5}', b'{"kind":"status","status":"x"}', b'{"kind":"late commit","after_looks":[]}', b'{"rows":5}', b'{"rows":["x"],"nth":"x"}', b'{"every":-1}',
    b'{"put_back":"x","object":5}', b'{"error":5}', b'{"error":{"status_code":5,"message":[]}}', b'{"advance":{"days":1e9}}', b'{"advance":{"days":"x"}}', b'{"advance":{"days":3e6}}',
    b'{"advance":5}', b'{"set":5}', b'{"set":"9999-12-31T23:59:59-14:00"}', b'{"set":"0001-01-01T00:00:00+14:00"}', b'{"expire":5,"open":1}', b'{"expire":[1]}', b'{"job_id":5}',
    b'{"Name":null,"Parent":{"Name":"x"},"NumberOfEmployees":"x"}', b'{"Parent":{"attributes":5,"Name":"x"}}', b'{"Parent":{"attributes":{"type":[]},"Name":"x"}}', b'{"Id":"x","Name":5}',
    b'{"records":[{"attributes":{"type":"Account"},"Name":"z"},{"attributes":5}]}', b'{"records":[{"attributes":{"type":5},"id":5}],"allOrNone":true}', b'{"records":[1]}',
    b'{"records":[{"attributes":{"type":"Account"},"id":["x"]}]}', b'{"records":[{"attributes":"Account","Name":"x"}]}', b'{"ids":[1,null],"fields":[5]}', b'{"ids":"x","fields":"Id,,"}',
    b'{"ids":{"a":1},"fields":{"b":2}}', b'{"operation":"insert","object":5,"contentType":[]}', b'{"operation":{"a":1},"object":"Account"}', b'{"state":["Closed"]}', b'{"state":5}',
    b'{"operation":"upsert","object":"Account","externalIdFieldName":5}', b'{"operation":"insert","object":"Account","concurrencyMode":5,"assignmentRuleId":[1]}', b"<jobInfo/>",
    b"<jobInfo xmlns='http://www.force.com/2009/06/asyncapi/dataload'><operation><a/></operation><object/></jobInfo>", b"<!DOCTYPE a [<!ENTITY b 'c'>]><jobInfo>&b;</jobInfo>",
    b"<?xml version='1.0' encoding='nonsense'?><jobInfo/>", b"<a>" * 5_000, b"grant_type=password&username=%00&password=%ff", b"grant_type=refresh_token&client_id=%E4&client_secret=%E4",
    b"grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer&assertion=a.b.c", b"grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer&assertion=W10.W10.W10", b"token=\xff", b"a=b&" * 2_000,
    b"grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer&assertion=%E4.%E4.",
    b'<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><x/></e:Body></e:Envelope>', b'<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body/></e:Envelope>',
]  # fmt: skip
ODD_HEADERS: list[dict[str, str]] = [
    {}, {}, {"Authorization": "Basic \xe4"}, {"Authorization": "Basic !!!"}, {"Authorization": "Basic YTpi"}, {"Content-Encoding": "gzip"}, {"Content-Encoding": "nonsense"},
    {"Accept-Encoding": "gzip;q=x"}, {"Sforce-Query-Options": "batchSize=" + "9" * 5_000}, {"Sforce-Enable-PKChunking": "chunkSize=" + "9" * 5_000}, {"X-SFDC-Session": "\xff"},
    {"Sforce-Enable-PKChunking": "chunkSize=\xb2; startRow=\xe4; parent="}, {"Sforce-Enable-PKChunking": "=;=;;"}, {"Cookie": "\xff"}, {"Host": ""}, {"Origin": "\xff"}, {"X-PrettyPrint": "x"},
]  # fmt: skip
SENT = (
    None,
    "application/json",
    "application/xml",
    "text/csv",
    "application/x-www-form-urlencoded",
    "text/xml; charset=idna",
    "application/json; charset=undefined",
    ";;;",
)
METHODS = ("GET", "POST", "PATCH", "DELETE", "PUT", "HEAD", "OPTIONS", "TRACE", "ODD")


def paths(org: Emulator, job: str) -> list[str]:
    (account, *_) = (record["Id"] for record in org.records("Account"))
    data = "/services/data/v66.0"
    return [
        "/", "//", "/x", "/%00", "/%ff", "/?open=-1&done=99999999999&state=x", "/_emulator", "/_emulator/about", "/_emulator/ledger", "/_emulator/requests", "/_emulator/records",
        *(f"/_emulator/records?object={name}" for name in ("Account", "X", "%00", "%ff")), *(f"/_emulator/page/{path}" for path in ("x", "jobs/x", "jobs/x/batches/y", "static/..")),
        *(f"/services/async/{path}" for path in ("66.0", "66.0/job", f"66.0/job/{job}", f"66.0/job/{job}/batch", f"66.0/job/{job}/batch/x/result/y", f"66.0/job/{job}/spec", "1/job", "/job")),
        "/services/data", data, *(f"{data}/{path}" for path in (
            "limits", "query?q=SELECT+Id+FROM+Account", "query?q=%00", "query?q=", "query/x", "query/01g-99999999999999999999", "queryAll?q=SELECT+FIELDS(ALL)+FROM+Account+LIMIT+9", "sobjects",
            "sobjects/Account", "sobjects/Account/describe", "sobjects/X/describe", f"sobjects/Account/{account}", f"sobjects/Account/{account}?fields=Name,X,,", "sobjects/Account/%00",
            "sobjects/Odd__c/Key__c/a%27b", "sobjects/Odd__c/Key__c/%FF%5C", "sobjects/Odd__c/Number__c/1", "sobjects/Odd__c/Number__c/x", "sobjects/Odd__c/Date__c/x", "composite/sobjects",
            "composite/sobjects?ids=x,y&allOrNone=1", f"composite/sobjects/Account?ids={account},%00&fields=Id,Name", "composite/sobjects/Odd__c/Key__c", "tooling/query?q=SELECT+Id+FROM+User", "x",
        )),
        *(f"/services/oauth2/{path}" for path in ("token", "authorize", "revoke", "introspect", "userinfo", "x")), "/id/x/y", "/services/Soap/u/66.0", "/services/Soap/c/66.0/x", "/services/Soap/x",
    ]  # fmt: skip


def complaint(
    connection: http.client.HTTPConnection, method: str, path: str, body: bytes, headers: dict[str, str]
) -> str | None:
    """What is wrong with the answer, if it is a bug of the emulator's own. SOAP's faults are 500, as they are to be."""
    connection.request(method, path, body or None, {name: value.encode("latin-1") for name, value in headers.items()})
    answer = connection.getresponse()
    told = answer.read()
    if answer.status < 500 or b"<soapenv:Fault>" in told:
        return None
    return f"{method} {path} {headers} {body[:100]!r}: {answer.status} {told[:200]!r}"


def test_odd_request_is_answered_and_never_with_a_bug_of_ours(org: Emulator, caplog: pytest.LogCaptureFixture) -> None:
    wire, chance = Wire(org), random.Random("requests")
    connection = http.client.HTTPConnection("127.0.0.1", org.port, timeout=20)
    wrong = []
    places = paths(org, wire.create("insert", "Account"))
    changes = [
        f"/_emulator/{name}"
        for name in ("seed", "pace", "advance", "faults", "mishaps", "clear", "clock", "sessions", "abort", "release")
    ]
    tried = [("POST", path, body) for path in changes for body in BODIES if not body.startswith((b"<", b"grant_type"))]
    tried += [(method, path, b"") for path in places for method in METHODS]
    called = [path for path in places if path.startswith("/services")]
    tried += [
        (chance.choice(("POST", "POST", "PATCH")), chance.choice(called), chance.choice(BODIES)) for _ in range(500)
    ]
    for method, path, body in tried:
        sent = {
            "Authorization": f"Bearer {org.session_id}",
            "X-SFDC-Session": org.session_id,
            **chance.choice(ODD_HEADERS),
        }
        kind = chance.choice(SENT)
        found = complaint(connection, method, path, body, sent if kind is None else {**sent, "Content-Type": kind})
        wrong += [] if found is None else [found]
        if path in changes:
            # What was taken must not break the next call, either.
            after = {"X-SFDC-Session": org.session_id, "Content-Type": "application/json"}
            found = complaint(
                connection, "POST", "/services/async/66.0/job", b'{"operation":"query","object":"Account"}', after
            )
            wrong += [] if found is None or b'"kind":"status"' in body else [f"after {body!r}: {found}"]
            org.faults.clear()
            org.mishaps.clear()
            org.set_pace(Pace.instant())
        if not org.state.sessions.is_valid(org.session_id):
            org.state.sessions.open(token=org.session_id)
    connection.close()
    assert wrong == []
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []
