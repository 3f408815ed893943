"""`/composite`, its trees, what changed, and what the columns of a query are."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from tests.emulator.conftest import Ask

from bulkforce_emulator.state.org import Org

DATA = "/services/data/v66.0"


def one(method: str, url: str, reference: str, body: object = None, **more: object) -> dict[str, object]:
    given = {"method": method, "url": DATA + url, "referenceId": reference, **more}
    return given if body is None else given | {"body": body}


def composite(rest_call: Ask, *calls: dict[str, object], all_or_none: bool = False) -> list[dict[str, Any]]:
    answer = rest_call("POST", "/composite", json_body={"allOrNone": all_or_none, "compositeRequest": calls})
    assert answer.status == 200, answer.text
    assert list(answer.json) == ["compositeResponse"]
    found: list[dict[str, Any]] = answer.json["compositeResponse"]
    assert [told["referenceId"] for told in found] == [call["referenceId"] for call in calls]
    return found


ACCOUNT = one("POST", "/sobjects/Account", "refAccount", {"Name": "Acme"})
CONTACT = one("POST", "/sobjects/Contact", "refContact", {"LastName": "Li", "AccountId": "@{refAccount.id}"})
WRONG = one("POST", "/sobjects/Contact", "bad", {"FirstName": "no last name"})


@pytest.mark.parametrize("all_or_none", [False, True])
def test_a_call_uses_what_others_answered(rest_call: Ask, peer_org: Org, all_or_none: bool) -> None:
    query = one("GET", "/query/?q=SELECT+Id,+Name+FROM+Account+WHERE+Id+=+'@{refAccount.id}'", "q")
    update = one(
        "PATCH", "/sobjects/Contact/@{refContact.id}", "u", {"Department": "of @{q.records[0].Name}, @{q.totalSize}"}
    )
    read = one("GET", "/sobjects/Contact/@{refContact.id}?fields=Department,AccountId", "r")
    first, second, *_, told = composite(rest_call, ACCOUNT, CONTACT, query, update, read, all_or_none=all_or_none)
    record = first["body"]["id"]
    assert first["httpHeaders"] == {"Location": f"{DATA}/sobjects/Account/{record}"}
    assert (first["httpStatusCode"], second["httpStatusCode"]) == (201, 201)
    assert (told["body"]["Department"], told["body"]["AccountId"]) == ("of Acme, 1", record)
    assert (told["httpStatusCode"], told["httpHeaders"]) == (200, {})
    assert peer_org.count("Account") == 1


def test_what_does_not_depend_on_a_failure_is_done(rest_call: Ask, peer_org: Org) -> None:
    after = one("PATCH", "/sobjects/Contact/@{bad.id}", "after", {"LastName": "x"})
    gone = one("DELETE", "/sobjects/Contact/003000000000001AAA", "gone")
    bad, halted, missing, good = composite(rest_call, WRONG, after, gone, ACCOUNT)
    assert (bad["httpStatusCode"], bad["body"][0]["errorCode"]) == (400, "REQUIRED_FIELD_MISSING")
    assert halted["body"][0]["errorCode"] == "PROCESSING_HALTED"
    assert halted["body"][0]["message"].startswith("Invalid reference specified. No value for bad.id found in bad. ")
    assert (missing["httpStatusCode"], good["httpStatusCode"]) == (404, 201)
    assert peer_org.count("Account") == 1


@pytest.mark.parametrize("path", ["refAccount.Name.x", "refAccount.errors[0]", "nobody.id", "refAccount[0].id"])
def test_a_reference_without_a_value(rest_call: Ask, path: str) -> None:
    _, told = composite(rest_call, ACCOUNT, one("GET", f"/sobjects/Contact/@{{{path}}}", "then"))
    assert f"No value for {path} found" in told["body"][0]["message"]


def test_one_failure_can_undo_all(rest_call: Ask, peer_org: Org) -> None:
    rows = one("POST", "/composite/sobjects", "rows", {"records": [{"attributes": {"type": "Account"}, "Name": "B"}, {
        "attributes": {"type": "Contact"}}]})  # fmt: skip
    first, bad, later = composite(rest_call, ACCOUNT, WRONG, CONTACT, all_or_none=True)
    words = "The transaction was rolled back since another operation in the same transaction failed."
    for told in (first, later):
        assert (told["httpStatusCode"], told["httpHeaders"]) == (400, {})
        assert told["body"] == [{"errorCode": "PROCESSING_HALTED", "message": words}]
    assert bad["body"][0]["errorCode"] == "REQUIRED_FIELD_MISSING"
    assert composite(rest_call, ACCOUNT, rows, all_or_none=True)[0]["httpStatusCode"] == 400
    assert peer_org.count("Account") == 0
    assert [len(told["body"]) for told in composite(rest_call, rows)] == [2]
    assert peer_org.count("Account") == 1


@pytest.mark.parametrize(
    "calls",
    [
        None,
        [{"method": "GET"}],
        [ACCOUNT, ACCOUNT],
        [one("GET", "/limits", "not-a-name")],
        [one("GET", "/limits", f"r{number}") for number in range(26)],
        [one("GET", "/query?q=SELECT+Id+FROM+Account", f"r{number}") for number in range(6)],
    ],
)
def test_requests_that_are_refused_as_a_whole(rest_call: Ask, peer_org: Org, calls: object) -> None:
    answer = rest_call("POST", "/composite", json_body={"compositeRequest": calls})
    assert answer.status == 400
    assert answer.json[0]["errorCode"] in {"JSON_PARSER_ERROR", "LIMIT_EXCEEDED"}
    assert peer_org.count("Account") == 0


def test_a_composite_request_is_one_call_of_the_day(rest_call: Ask, peer_org: Org) -> None:
    before = peer_org.calls
    composite(rest_call, ACCOUNT, CONTACT)
    assert peer_org.calls == before + 1


# Trees


def leaf(kind: str, reference: str, **fields: object) -> dict[str, Any]:
    return {"attributes": {"type": kind, "referenceId": reference}, **fields}


def test_a_tree_is_planted(rest_call: Ask, peer_org: Org) -> None:
    contacts = {"records": [leaf("Contact", "c1", LastName="Li"), leaf("Contact", "c2", LastName="Wu")]}
    parts = {"records": [leaf("Part__c", "p1", Code__c="1")]}
    grand = leaf("Account", "a2", Name="B", Contacts={"records": [leaf("Contact", "c3", LastName="Xu")]})
    tree = [leaf("Account", "a1", Name="A", Contacts=contacts, Parts__r=parts), grand]
    answer = rest_call("POST", "/composite/tree/Account", json_body={"records": tree})
    assert (answer.status, answer.json["hasErrors"]) == (201, False)
    ids = {told["referenceId"]: told["id"] for told in answer.json["results"]}
    assert list(ids) == ["a1", "a2", "c1", "c2", "p1", "c3"]
    parents = {record["LastName"]: record["AccountId"] for record in peer_org.records("Contact")}
    assert parents == {"Li": ids["a1"], "Wu": ids["a1"], "Xu": ids["a2"]}
    assert peer_org.records("Part__c")[0]["Account__c"] == ids["a1"]


def test_a_tree_with_one_bad_leaf_is_not_planted(rest_call: Ask, peer_org: Org) -> None:
    contacts = {"records": [leaf("Contact", "c1", LastName="Li"), leaf("Contact", "c2", LastName="x", Email="123")]}
    tree = {"records": [leaf("Account", "a1", Name="A", Contacts=contacts)]}
    answer = rest_call("POST", "/composite/tree/Account", json_body=tree)
    assert (answer.status, answer.json["hasErrors"]) == (400, True)
    (told,) = answer.json["results"]
    assert told["referenceId"] == "c2"
    (problem,) = told["errors"]
    assert (problem["statusCode"], problem["fields"]) == ("INVALID_EMAIL_ADDRESS", ["Email"])
    assert peer_org.count("Account") == 0


def deep(levels: int) -> dict[str, Any]:
    inner = leaf("Account", f"a{levels}", Name="x")
    return inner if levels == 1 else inner | {"ChildAccounts": {"records": [deep(levels - 1)]}}


@pytest.mark.parametrize(
    ("records", "code"),
    [
        ([leaf("Account", f"r{number}", Name="x") for number in range(201)], "LIMIT_EXCEEDED"),
        ([deep(6)], "LIMIT_EXCEEDED"),
        ([leaf("Contact", "c", LastName="x")], "INVALID_TYPE"),
        ([{"Name": "x"}], "INVALID_TYPE"),
        ([leaf("Account", "a", Name="x", Nonsense={"records": []})], "INVALID_FIELD"),
        ([leaf("Account", "a", Name="x", Contacts={"records": [1]})], "JSON_PARSER_ERROR"),
        ("x", "JSON_PARSER_ERROR"),
    ],
)
def test_trees_that_are_refused(rest_call: Ask, peer_org: Org, records: object, code: str) -> None:
    answer = rest_call("POST", "/composite/tree/Account", json_body={"records": records})
    assert (answer.status, answer.json[0]["errorCode"]) == (400, code)
    assert peer_org.count("Account") == 0


@pytest.mark.parametrize("names", [("a", "a"), ("a", None)])
def test_each_leaf_needs_a_name_of_its_own(rest_call: Ask, peer_org: Org, names: tuple[str, str | None]) -> None:
    records = [{"attributes": {"type": "Account", "referenceId": name}, "Name": "x"} for name in names]
    answer = rest_call("POST", "/composite/tree/Account", json_body={"records": records})
    assert (answer.status, answer.json["hasErrors"]) == (400, True)
    assert {told["errors"][0]["statusCode"] for told in answer.json["results"]} == {"INVALID_INPUT"}
    assert peer_org.count("Account") == 0


def test_five_levels_are_allowed(rest_call: Ask, peer_org: Org) -> None:
    assert rest_call("POST", "/composite/tree/Account", json_body={"records": [deep(5)]}).status == 201
    assert peer_org.count("Account") == 5


# What changed


def test_what_was_changed_and_what_was_deleted(rest_call: Ask, peer_org: Org) -> None:
    old, new = (peer_org.insert("Account", [{"Name": name}]).ids[0].as_py() for name in "ab")
    gone = peer_org.insert("Account", [{"Name": "c"}]).ids[0].as_py()
    begin = peer_org.clock.now()
    peer_org.clock.advance(hours=2)
    peer_org.update("Account", [{"Id": new, "Name": "B"}])
    peer_org.delete("Account", [gone])
    peer_org.clock.advance(hours=2)

    def asked(what: str, first: float, last: float) -> Any:
        spans = [(begin + timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%S%%2B00:00") for hours in (first, last)]
        answer = rest_call("GET", f"/sobjects/Account/{what}/?start={spans[0]}&end={spans[1]}", headers=opened)
        assert answer.status == 200, answer.text
        return answer.json

    opened = {"Authorization": f"Bearer {peer_org.sessions.open()}"}
    assert asked("updated", 1, 3)["ids"] == [new]
    assert asked("updated", -1, 1)["ids"] == [old]
    assert asked("updated", 3, 4)["ids"] == []
    told = asked("deleted", 1, 3)
    assert [one["id"] for one in told["deletedRecords"]] == [gone]
    assert told["deletedRecords"][0]["deletedDate"].endswith("+0000")
    assert told["latestDateCovered"].endswith(":00.000+0000")
    assert told["earliestDateAvailable"] < told["latestDateCovered"]


@pytest.mark.parametrize(
    ("span", "code"),
    [
        ("", "MISSING_ARGUMENT"),
        ("start=2000-01-01T00:00:00Z&end=2000-01-02T00:00:00Z", "INVALID_REPLICATION_DATE"),
        ("start=2100-01-02T00:00:00Z&end=2100-01-01T00:00:00Z", "INVALID_REPLICATION_DATE"),
        ("start=x&end=y", "INVALID_REPLICATION_DATE"),
    ],
)
def test_spans_that_are_none(rest_call: Ask, span: str, code: str) -> None:
    answer = rest_call("GET", f"/sobjects/Account/updated?{span}")
    assert (answer.status, answer.json[0]["errorCode"]) == (400, code)
    assert rest_call("GET", f"/sobjects/Nothing__c/deleted?{span}").status == 404


# Columns of a query


def columns(rest_call: Ask, soql: str) -> dict[str, Any]:
    return dict(rest_call("GET", f"/query?q={soql.replace(' ', '+')}&columns=true").json)


def test_columns_of_a_query(rest_call: Ask) -> None:
    soql = (
        "SELECT Id, Name, Owner.Name, Owner.IsActive, NumberOfEmployees, (SELECT LastName FROM Contacts) FROM Account"
    )
    told = columns(rest_call, soql)
    assert (told["entityName"], told["groupBy"], told["idSelected"], told["keyPrefix"]) == (
        "Account",
        False,
        True,
        "001",
    )
    by_name = {one["columnName"]: one for one in told["columnMetadata"]}
    assert list(by_name) == ["Id", "Name", "Owner", "NumberOfEmployees", "Contacts"]
    assert by_name["Name"] == {
        "aggregate": False, "apexType": "String", "booleanType": False, "columnName": "Name", "custom": False,
        "displayName": "Name", "foreignKeyName": None, "insertable": True, "joinColumns": [], "numberType": False,
        "textType": True, "updatable": True,
    }  # fmt: skip
    owner = by_name["Owner"]
    assert (owner["foreignKeyName"], owner["apexType"], owner["aggregate"]) == ("OwnerId", None, False)
    assert [(one["columnName"], one["booleanType"]) for one in owner["joinColumns"]] == [
        ("Name", False),
        ("IsActive", True),
    ]
    assert by_name["NumberOfEmployees"]["numberType"]
    children = by_name["Contacts"]
    assert (children["aggregate"], [one["columnName"] for one in children["joinColumns"]]) == (True, ["LastName"])


def test_columns_of_groups(rest_call: Ask) -> None:
    told = columns(rest_call, "SELECT Industry, avg(AnnualRevenue), MAX(Name) most FROM Account GROUP BY Industry")
    found = [(one["columnName"], one["displayName"], one["aggregate"]) for one in told["columnMetadata"]]
    assert found == [
        ("Industry", "Industry", False),
        ("expr0", "avg(AnnualRevenue)", True),
        ("most", "MAX(Name)", True),
    ]
    assert told["groupBy"]
    assert columns(rest_call, "SELECT COUNT() FROM Account")["columnMetadata"] == []
