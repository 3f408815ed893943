"""The REST resources that clients of the Bulk API ask for besides it."""

import gzip
import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from tests.emulator.wire import Wire

from bulkforce_emulator import Emulator
from bulkforce_emulator.state.org import Org

Call = Callable[..., Any]


def query(rest_call: Call, text: str, resource: str = "query", **more: Any) -> Any:
    return rest_call("GET", f"/{resource}?{urlencode({'q': text})}", **more)


def test_versions_are_open_to_anyone(ask: Call) -> None:
    versions = ask("GET", "/services/data").json
    assert {"label": "Spring '26", "url": "/services/data/v66.0", "version": "66.0"} in versions
    assert {"label": "Winter '26", "url": "/services/data/v65.0", "version": "65.0"} in versions
    assert ask("GET", "/services/data/").status == 200


def test_nothing_else_is(ask: Call) -> None:
    answer = ask("GET", "/services/data/v66.0/limits", headers={"Authorization": "Bearer 00Dx!y"})
    assert answer.status == 401
    assert answer.json == [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]


def test_resources_and_limits(peer_org: Org, rest_call: Call) -> None:
    resources = rest_call("GET", "/").json
    assert resources["query"] == "/services/data/v66.0/query"
    assert resources["identity"].endswith(f"/id/{peer_org.sessions.org_id}/{peer_org.sessions.user_id}")
    assert rest_call("GET", "/limits").json["DailyBulkApiBatches"] == {"Max": 15000, "Remaining": 15000}


@pytest.mark.parametrize(
    "path", ["/sobjects/Nothing/describe", "/sobjects/Nothing", "/sobjects/Nothing/001000000000000"]
)
def test_unknown_objects_are_not_found(rest_call: Call, path: str) -> None:
    answer = rest_call("GET", path)
    assert answer.status == 404
    assert answer.json == [{"errorCode": "NOT_FOUND", "message": "The requested resource does not exist"}]


def test_every_listed_object_can_be_described(rest_call: Call) -> None:
    listed = rest_call("GET", "/sobjects").json["sobjects"]
    assert {"Account", "Contact", "User", "Organization", "Part__c"} <= {sobject["name"] for sobject in listed}
    for sobject in listed:
        described = rest_call("GET", f"/sobjects/{sobject['name']}/describe").json
        assert sobject.items() <= described.items()
        assert described["fields"]
        for field in described["fields"]:
            assert (field["type"] == "reference") == bool(field["referenceTo"])
            assert re.fullmatch(r"(tns|xsd|urn):\w+", field["soapType"])


def test_a_field_is_described_in_full(rest_call: Call) -> None:
    fields = {field["name"]: field for field in rest_call("GET", "/sobjects/contact/describe/").json["fields"]}
    assert fields["LastName"]["nillable"] is False
    assert fields["LastName"]["length"] == 80
    assert fields["LastName"]["byteLength"] == 240
    assert fields["Email"]["idLookup"] is True
    assert fields["AccountId"]["referenceTo"] == ["Account"]
    assert fields["AccountId"]["relationshipName"] == "Account"
    assert fields["MailingCity"]["compoundFieldName"] == "MailingAddress"
    assert fields["DoNotCall"]["defaultedOnCreate"] is True
    assert fields["Name"]["nameField"] is True
    assert {"label": "Web", "value": "Web"}.items() <= fields["LeadSource"]["picklistValues"][0].items()
    children = rest_call("GET", "/sobjects/Account/describe").json["childRelationships"]
    assert {"Contacts", "Opportunities", "ChildAccounts"} <= {child["relationshipName"] for child in children}


def test_a_record_lives_and_dies(rest_call: Call) -> None:
    created = rest_call("POST", "/sobjects/Account", json_body={"name": "Acme", "AnnualRevenue": 1000})
    assert created.status == 201
    record_id = created.json["id"]
    assert created.json == {"id": record_id, "success": True, "errors": []}
    assert rest_call("PATCH", f"/sobjects/Account/{record_id}", json_body={"Phone": "1", "Fax": None}).status == 204
    read = rest_call("GET", f"/sobjects/Account/{record_id[:15]}").json
    assert read["attributes"] == {"type": "Account", "url": f"/services/data/v66.0/sobjects/Account/{record_id}"}
    assert (read["Name"], read["AnnualRevenue"], read["Phone"], read["IsDeleted"]) == ("Acme", 1000.0, "1", False)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000", read["CreatedDate"])
    few = rest_call("GET", f"/sobjects/Account/{record_id}?fields=Name,Phone").json
    assert list(few) == ["attributes", "Name", "Phone"]
    assert rest_call("DELETE", f"/sobjects/Account/{record_id}").status == 204
    gone = rest_call("GET", f"/sobjects/Account/{record_id}")
    assert (gone.status, gone.json[0]["errorCode"]) == (404, "NOT_FOUND")
    assert query(rest_call, "SELECT COUNT() FROM Account").json == {"totalSize": 0, "done": True, "records": []}
    assert query(rest_call, "SELECT IsDeleted FROM Account", "queryAll").json["records"][0]["IsDeleted"] is True


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("POST", "/sobjects/Contact", b'{"FirstName": "x"}', 400, "REQUIRED_FIELD_MISSING"),
        ("POST", "/sobjects/Contact", b'{"Nothing": "x"}', 400, "INVALID_FIELD"),
        ("POST", "/sobjects/Contact", b"{", 400, "JSON_PARSER_ERROR"),
        ("POST", "/sobjects/Contact", b"[]", 400, "JSON_PARSER_ERROR"),
        ("PATCH", "/sobjects/Contact/003000000000000AAA", b'{"LastName": "x"}', 404, "NOT_FOUND"),
        ("DELETE", "/sobjects/Contact/nonsense", b"", 404, "NOT_FOUND"),
        ("GET", "/sobjects/Part__c/Code__c/none", b"", 404, "NOT_FOUND"),
    ],
)
def test_refused_changes(rest_call: Call, method: str, path: str, body: bytes, status: int, code: str) -> None:
    answer = rest_call(method, path, body=body)
    assert (status, code) == (answer.status, answer.json[0]["errorCode"])


def test_a_refused_record_names_its_fields(rest_call: Call) -> None:
    refused = rest_call("POST", "/sobjects/Contact", json_body={"FirstName": "x"}).json
    assert refused == [
        {
            "message": "Required fields are missing: [LastName]",
            "errorCode": "REQUIRED_FIELD_MISSING",
            "fields": ["LastName"],
        }
    ]


def test_upsert_by_external_id(rest_call: Call) -> None:
    path = f"/sobjects/Part__c/Code__c/{quote('a/b é', safe='')}"
    first = rest_call("PATCH", path, json_body={"Weight__c": 1})
    assert (first.status, first.json["created"]) == (201, True)
    second = rest_call("PATCH", path, json_body={"Weight__c": 2.5})
    assert (200, False, first.json["id"]) == (second.status, second.json["created"], second.json["id"])
    read = rest_call("GET", path).json
    assert (read["Code__c"], read["Weight__c"]) == ("a/b é", 2.5)
    assert rest_call("DELETE", path).status == 204


def test_a_parent_is_found_by_its_external_id(peer_org: Org, rest_call: Call) -> None:
    peer_org.insert("Contact", [{"LastName": "Boss", "Email": "boss@example.com"}])
    body = {"LastName": "Worker", "ReportsTo": {"Email": "boss@example.com"}}
    assert rest_call("POST", "/sobjects/Contact", json_body=body).status == 201
    found = query(rest_call, "SELECT ReportsTo.LastName FROM Contact WHERE LastName = 'Worker'").json["records"]
    assert found[0]["ReportsTo"]["LastName"] == "Boss"


def test_records_bear_their_parents(peer_org: Org, rest_call: Call) -> None:
    account = peer_org.insert("Account", [{"Name": "Acme"}]).ids[0].as_py()
    peer_org.insert("Contact", [{"LastName": "A", "AccountId": account, "Birthdate": "2000-01-02"}, {"LastName": "B"}])
    answer = query(
        rest_call,
        "SELECT LastName, Birthdate, Account.Name, Account.Owner.Username, MailingAddress FROM Contact ORDER BY "
        "LastName",
    ).json
    assert (answer["totalSize"], answer["done"]) == (2, True)
    first, second = answer["records"]
    assert next(iter(first)) == "attributes"
    assert first["Birthdate"] == "2000-01-02"
    assert first["Account"]["attributes"] == {
        "type": "Account",
        "url": f"/services/data/v66.0/sobjects/Account/{account}",
    }
    assert first["Account"]["Owner"]["Username"] == peer_org.sessions.username
    assert (second["Account"], second["MailingAddress"]) == (None, None)


def test_nested_queries_and_groups(peer_org: Org, rest_call: Call) -> None:
    ids = peer_org.insert("Account", [{"Name": "Acme"}, {"Name": "Beta"}]).ids.to_pylist()
    peer_org.insert("Contact", [{"LastName": name, "AccountId": ids[0]} for name in "CAB"])
    text = "SELECT Name, (SELECT LastName FROM Contacts ORDER BY LastName LIMIT 2) FROM Account ORDER BY Name"
    acme, beta = query(rest_call, text).json["records"]
    assert [child["LastName"] for child in acme["Contacts"]["records"]] == ["A", "B"]
    assert beta["Contacts"] is None
    grouped = query(rest_call, "SELECT AccountId, COUNT(Id) FROM Contact GROUP BY AccountId").json["records"]
    assert grouped == [{"attributes": {"type": "AggregateResult"}, "AccountId": ids[0], "expr0": 3}]


def test_long_answers_come_in_pages(peer_org: Org, rest_call: Call, ask: Call) -> None:
    peer_org.insert("Account", [{"Name": f"{n:04}"} for n in range(4100)])
    answer = query(rest_call, "SELECT Name FROM Account ORDER BY Name").json
    names = [record["Name"] for record in answer["records"]]
    assert (answer["totalSize"], answer["done"], len(names)) == (4100, False, 2000)
    headers = {"Authorization": f"Bearer {peer_org.sessions.first_token}"}
    while not answer["done"]:
        answer = ask("GET", answer["nextRecordsUrl"], headers=headers).json
        names += [record["Name"] for record in answer["records"]]
    assert names == [f"{n:04}" for n in range(4100)]
    smaller = query(rest_call, "SELECT Id FROM Account", headers={"Sforce-Query-Options": "batchSize=200"}).json
    assert len(smaller["records"]) == 200
    lost = rest_call("GET", "/query/01gnowhere-2000")
    assert (lost.status, lost.json[0]["errorCode"]) == (400, "INVALID_QUERY_LOCATOR")


def test_a_post_may_stand_for_a_patch(peer_org: Org, rest_call: Call) -> None:
    record_id = peer_org.insert("Account", [{"Name": "Acme"}]).ids[0].as_py()
    path = f"/sobjects/Account/{record_id}"
    assert rest_call("POST", f"{path}?_HttpMethod=PATCH", json_body={"Name": "Beta"}).status == 204
    refused = rest_call("POST", path, json_body={"Name": "Gamma"})
    assert (refused.status, refused.json[0]["errorCode"]) == (405, "METHOD_NOT_ALLOWED")
    assert rest_call("GET", path).json["Name"] == "Beta"


def test_unknown_paths_are_not_found(rest_call: Call) -> None:
    assert [rest_call(method, "/chatter/x").status for method in ("GET", "PUT")] == [404, 404]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("SELECT Id FORM Account", "MALFORMED_QUERY"),
        ("SELECT Nope FROM Account", "INVALID_FIELD"),
        ("SELECT Id FROM Nope", "INVALID_TYPE"),
        ("", "MALFORMED_QUERY"),
    ],
)
def test_bad_queries(rest_call: Call, text: str, code: str) -> None:
    answer = query(rest_call, text)
    assert (400, code) == (answer.status, answer.json[0]["errorCode"])


def test_unknown_versions_are_not_found(peer_org: Org, ask: Call) -> None:
    headers = {"Authorization": f"Bearer {peer_org.sessions.first_token}"}
    assert ask("GET", "/services/data/v99.0/limits", headers=headers).status == 404
    assert ask("GET", "/services/data/latest/limits", headers=headers).status == 404


def test_a_binary_field_is_read_on_its_own(peer_org: Org, rest_call: Call) -> None:
    account = peer_org.insert("Account", [{"Name": "Acme"}]).ids[0].as_py()
    body = {"Name": "a.txt", "ParentId": account, "Body": "aGVsbG8="}
    record_id = rest_call("POST", "/sobjects/Attachment", json_body=body).json["id"]
    url = rest_call("GET", f"/sobjects/Attachment/{record_id}").json["Body"]
    assert url == f"/services/data/v66.0/sobjects/Attachment/{record_id}/Body"
    assert rest_call("GET", url.removeprefix("/services/data/v66.0")).body == b"hello"


def test_lists_of_records_change_in_one_call(rest_call: Call) -> None:
    def rows(*records: dict[str, Any]) -> dict[str, Any]:
        return {"records": [{"attributes": {"type": "Contact"}, **record} for record in records]}

    created = rest_call("POST", "/composite/sobjects", json_body=rows({"LastName": "A"}, {"FirstName": "x"})).json
    assert [outcome["success"] for outcome in created] == [True, False]
    assert created[1]["errors"][0]["statusCode"] == "REQUIRED_FIELD_MISSING"
    record_id = created[0]["id"]
    assert rest_call("PATCH", "/composite/sobjects", json_body=rows({"id": record_id, "LastName": "B"})).json[0][
        "success"
    ]
    keyed = rest_call(
        "PATCH", "/composite/sobjects/Contact/Email", json_body=rows({"LastName": "C", "Email": "c@c.example"})
    )
    assert keyed.json[0]["created"] is True
    read = rest_call("GET", f"/composite/sobjects/Contact?ids={record_id},003000000000000AAA&fields=LastName").json
    assert (read[0]["LastName"], read[1]) == ("B", None)
    gone = rest_call("DELETE", f"/composite/sobjects?ids={record_id},{keyed.json[0]['id']}").json
    assert [outcome["success"] for outcome in gone] == [True, True]


@pytest.mark.parametrize(("asked", "status"), [(201, 200), (2_000, 200), (2_001, 400)])
def test_up_to_2_000_records_are_read_in_one_call(peer_org: Org, rest_call: Call, asked: int, status: int) -> None:
    ids = peer_org.insert("Account", [{"Name": f"{number}"} for number in range(asked)]).ids.to_pylist()
    read = rest_call("POST", "/composite/sobjects/Account", json_body={"ids": ids, "fields": ["Id"]})
    assert read.status == status
    if status == 200:
        assert [record["Id"] for record in read.json] == ids
    else:
        assert read.json[0]["errorCode"] == "EXCEEDED_ID_LIMIT"


def test_one_bad_record_takes_all_back_where_that_was_asked(peer_org: Org, rest_call: Call) -> None:
    rows: list[dict[str, Any]] = [
        {"attributes": {"type": "Account"}, "Name": "A"},
        {"attributes": {"type": "Contact"}, "FirstName": "no last name"},
    ]
    bad, worse = rest_call("POST", "/composite/sobjects", json_body={"records": rows, "allOrNone": True}).json
    assert bad["errors"][0]["statusCode"] == "ALL_OR_NONE_OPERATION_ROLLED_BACK"
    assert worse["errors"][0]["statusCode"] == "REQUIRED_FIELD_MISSING"
    assert (peer_org.count("Account"), peer_org.count("Contact")) == (0, 0)
    rows[1]["LastName"] = "B"
    good = rest_call("POST", "/composite/sobjects", json_body={"records": rows, "allOrNone": True}).json
    assert [outcome["success"] for outcome in good] == [True, True]
    ids = f"{good[0]['id']},003000000000000AAA"
    gone = rest_call("DELETE", f"/composite/sobjects?ids={ids}&allOrNone=true").json
    assert [outcome["success"] for outcome in gone] == [False, False]
    assert (peer_org.count("Account"), peer_org.count("Contact")) == (1, 1)


def test_children_are_called_as_the_schema_says() -> None:
    given = {
        "Visit__c": {
            "fields": {
                "From__c": "reference(Account) relationship=From__r",
                "To__c": "reference(Account) relationship=To__r children=Arrivals__r",
            }
        }
    }
    with Emulator(given) as org:
        first, second = org.insert("Account", [{"Name": "A"}, {"Name": "B"}])
        org.insert("Visit__c", [{"From__c": first, "To__c": second}])
        wire = Wire(org)
        text = urlencode(
            {"q": "SELECT Name, (SELECT Id FROM Arrivals__r), (SELECT Id FROM Visits__r) FROM Account ORDER BY Name"}
        )
        found = wire.ask(
            "GET", f"/services/data/v66.0/query?{text}", headers={"Authorization": f"Bearer {org.session_id}"}
        ).json
        assert [bool(record["Arrivals__r"]) for record in found["records"]] == [False, True]
        assert [bool(record["Visits__r"]) for record in found["records"]] == [True, False]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/limits", "HEAD,GET"),
        ("PUT", "/sobjects/Account", "HEAD,GET,POST"),
        ("POST", "/sobjects/Account/describe/", "HEAD,GET"),
        ("PUT", "/composite/sobjects", "POST,PATCH,DELETE"),
        ("POST", "/query?q=SELECT", "HEAD,GET"),
    ],
)
def test_methods_that_a_resource_has_not(rest_call: Call, method: str, path: str, allowed: str) -> None:
    answer = rest_call(method, path)
    assert answer.status == 405
    message = f"HTTP Method '{method}' not allowed. Allowed are {allowed}"
    assert answer.json == [{"message": message, "errorCode": "METHOD_NOT_ALLOWED"}]


def test_bodies_may_be_packed(rest_call: Call) -> None:
    body = gzip.compress(json.dumps({"Name": "packed"}).encode())
    made = rest_call("POST", "/sobjects/Account", body=body, headers={"Content-Encoding": "gzip"})
    assert made.status == 201
    packed = rest_call("GET", "/sobjects/Account/describe", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) == len(packed.body)
    assert json.loads(gzip.decompress(packed.body))["name"] == "Account"
    assert (
        "content-encoding"
        not in rest_call("GET", "/sobjects/Account/describe", headers={"Accept-Encoding": "br"}).headers
    )
    for damaged in (body[:-9], b"nonsense"):
        answer = rest_call("POST", "/sobjects/Account", body=damaged, headers={"Content-Encoding": "gzip"})
        assert (answer.status, answer.json[0]["errorCode"]) == (400, "JSON_PARSER_ERROR")


def test_calls_are_counted_and_limited_by_the_day(peer_org: Org, rest_call: Call) -> None:
    most = peer_org.limits.daily_api_requests
    assert rest_call("GET", "/limits").headers["sforce-limit-info"] == f"api-usage=1/{most}"
    assert rest_call("GET", "/limits").json["DailyApiRequests"] == {"Max": most, "Remaining": most - 2}
    peer_org.calls = most
    refused = rest_call("GET", "/limits")
    assert (refused.status, refused.json[0]["errorCode"]) == (403, "REQUEST_LIMIT_EXCEEDED")
    peer_org.sessions.rules.session_seconds = 10**6
    peer_org.clock.advance(days=1)
    assert rest_call("GET", "/limits").headers["sforce-limit-info"] == f"api-usage=1/{most}"


@pytest.mark.parametrize(
    "body",
    [
        {"records": [{"attributes": {"type": "Account"}}] * 201},
        {"records": [{"Name": "no type"}]},
        {"records": "none"},
        {"records": [{"attributes": {"type": "Account"}, "Nope": 1}]},
    ],
)
def test_refused_lists(rest_call: Call, body: object) -> None:
    assert rest_call("POST", "/composite/sobjects", json_body=body).status == 400


@pytest.mark.parametrize("attributes", [5, "Account", ["Account"], {"type": 5}, {"type": ["Account"]}], ids=str)
def test_attributes_that_name_no_object_are_no_records(rest_call: Call, attributes: object) -> None:
    record = {"attributes": attributes, "LastName": "x"}
    refused = rest_call("POST", "/composite/sobjects", json_body={"records": [record]})
    assert (refused.status, refused.json[0]["errorCode"]) == (400, "JSON_PARSER_ERROR")
    nested = {"LastName": "x", "Account": {"attributes": attributes, "Id": "001000000000001"}}
    refused = rest_call("POST", "/sobjects/Contact", json_body=nested)
    assert (refused.status, refused.json[0]["errorCode"]) == (400, "JSON_PARSER_ERROR")
