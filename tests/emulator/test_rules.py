"""What an org does with records besides keeping them: rules of a schema, over the wire."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.emulator.wire import Answer, Wire

from bulkforce_emulator import Emulator, Record, SchemaError, load_schema


@contextmanager
def served(schema: Mapping[str, Any], **more: Any) -> Iterator[Wire]:
    with Emulator(schema=schema, **more) as org:
        yield Wire(org)


def load(wire: Wire, operation: str, sobject: str, records: Sequence[Mapping[str, str]], **more: Any) -> list[str]:
    """The errors of a CSV batch, row by row."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(records[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    answer = wire.load(operation, sobject, text.getvalue(), **more)
    return [row["Error"] for row in csv.DictReader(io.StringIO(answer.text))]


def rest(wire: Wire, method: str, path: str, record: Mapping[str, Any] | None = None, **headers: str) -> Answer:
    body = None if record is None else json.dumps(record)
    sent = {"Authorization": f"Bearer {wire.org.session_id}", "Content-Type": "application/json", **headers}
    return wire.ask(method, f"/services/data/v66.0{path}", body, sent)


TYPES = {
    "Account": {
        "record_types": {
            "Customer": {"picklists": {"Type": ["Prospect", "Other"]}},
            "Partner": {"label": "Partner account", "picklists": {"Type": ["Technology Partner"]}},
            "Old": {"active": False},
            "Foreign": {"available": False},
        }
    },
    "Contact": {"record_types": ["Customer", "Guest"]},
}


def test_record_types_are_found_and_named() -> None:
    with served(TYPES) as wire:
        asked = "SELECT Id, Name, DeveloperName FROM RecordType WHERE SobjectType = 'Account' AND IsActive = true"
        found = {row["DeveloperName"]: row for row in wire.query(asked, "JSON").json}
        assert found.keys() == {"Customer", "Partner", "Foreign"}
        assert found["Partner"]["Name"] == "Partner account"
        names = [{"Name": "a", "RecordType.DeveloperName": "Partner"}, {"Name": "b", "RecordType.DeveloperName": ""}]
        assert load(wire, "insert", "Account", names) == ["", ""]
        asked = (
            "SELECT Name, RecordType.DeveloperName FROM Account WHERE RecordType.DeveloperName != null ORDER BY Name"
        )
        assert wire.query(asked).text.splitlines()[1:] == ['"a","Partner"', '"b","Customer"']
        told = rest(wire, "GET", "/sobjects/Account/describe").json["recordTypeInfos"]
        assert [(one["developerName"], one["available"], one["defaultRecordTypeMapping"]) for one in told] == [
            ("Customer", True, True),
            ("Partner", True, False),
            ("Old", True, False),
            ("Foreign", False, False),
            ("Master", True, False),
        ]


def test_record_type_that_the_user_has_not_is_refused() -> None:
    with served(TYPES) as wire:
        ids = {(one["SobjectType"], one["DeveloperName"]): one["Id"] for one in wire.org.records("RecordType")}
        wrong = [ids["Account", "Old"], ids["Account", "Foreign"], ids["Contact", "Guest"], "012000000000000AAA"]
        said = load(wire, "insert", "Account", [{"Name": "a", "RecordTypeId": one} for one in wrong])
        words = "INVALID_CROSS_REFERENCE_KEY:Record Type ID: this ID value isn't valid for the user: {}:RecordTypeId --"
        assert said == [words.format(one) for one in wrong]


def test_record_type_names_belong_to_their_object() -> None:
    with served(TYPES) as wire:
        assert load(wire, "insert", "Contact", [{"LastName": "a", "RecordType.DeveloperName": "Customer"}]) == [""]
        (said,) = load(wire, "insert", "Contact", [{"LastName": "a", "RecordType.DeveloperName": "Partner"}])
        assert said.startswith("INVALID_FIELD:Foreign key external ID: Partner not found for field DeveloperName")


def test_picklists_follow_the_record_type() -> None:
    with served(TYPES) as wire:
        rows = [
            {"Name": "a", "Type": "Prospect", "RecordType.DeveloperName": ""},
            {"Name": "b", "Type": "Prospect", "RecordType.DeveloperName": "Partner"},
            {"Name": "c", "Type": "Technology Partner", "RecordType.DeveloperName": "Partner"},
            {"Name": "d", "Type": "", "RecordType.DeveloperName": "Partner"},
        ]
        words = (
            "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST:Account Type: bad value for restricted picklist field: "
            "Prospect:Type --"
        )
        assert load(wire, "insert", "Account", rows) == ["", words, "", ""]
        stored = {one["Name"]: one["Id"] for one in wire.org.records("Account")}
        assert load(wire, "update", "Account", [{"Id": stored["c"], "Type": "Prospect"}]) == [words]
    lenient = {"record_types_narrow_restricted_picklists": True}
    with served(TYPES, settings=lenient) as wire:
        assert load(wire, "insert", "Account", rows) == ["", "", "", ""]


RULE = {
    "condition": "AND(ISPICKVAL(Type, 'Other'), ISBLANK(Phone))",
    "message": 'No phone: call, "us"',
    "field": "Phone",
}


def test_validation_rule_refuses_rows() -> None:
    with served({"Account": {"validation_rules": {"Phone": RULE}}}) as wire:
        rows = [{"Name": "a", "Type": "Other", "Phone": ""}, {"Name": "b", "Type": "Other", "Phone": "1"}]
        words = 'FIELD_CUSTOM_VALIDATION_EXCEPTION:No phone: call, "us":Phone --'
        assert load(wire, "insert", "Account", rows) == [words, ""]
        (stored,) = wire.org.records("Account")
        assert load(wire, "update", "Account", [{"Id": stored["Id"], "Phone": "#N/A"}]) == [words]
        assert load(wire, "update", "Account", [{"Id": stored["Id"], "Site": "x"}]) == [""]
        answer = rest(wire, "POST", "/sobjects/Account", {"Name": "c", "Type": "Other"})
        assert (answer.status, answer.json) == (
            400,
            [
                {
                    "message": RULE["message"],
                    "errorCode": "FIELD_CUSTOM_VALIDATION_EXCEPTION",
                    "fields": ["Phone"],
                }
            ],
        )


@pytest.mark.parametrize(
    ("condition", "refused"),
    [
        ("ISBLANK(Phone)", "ab"),
        ("NOT(ISBLANK(Phone)) && Name <> 'c'", ""),
        ("LEN(Name) > 0", "abc"),
        ("Name = 'a' || Name == \"b\"", "ab"),
        ("AnnualRevenue > 10 * 2 + 1", "b"),
        ("NOT AnnualRevenue > 21", None),
        ("!(AnnualRevenue > 21)", "ac"),
        ("ISNULL(AnnualRevenue)", "c"),
        ("ISNULL(Phone)", ""),
        ("IF(ISBLANK(Phone), Name = 'a', true)", "ac"),
        ("CASE(Name, 'a', 1, 'b', 2, 3) >= 2", "bc"),
        ("CONTAINS(Name & TEXT(Type), 'Other')", "b"),
        ("BEGINS(UPPER(Name), 'A')", "a"),
        ("REGEX(Phone, '[0-9]+')", "c"),
        ("MID(Name, 1, 1) = LOWER('B')", "b"),
        ("ISNEW() && NOT(ISCHANGED(Name))", "abc"),
        ("PRIORVALUE(Name) = Name", "abc"),
        ("MOD(AnnualRevenue, 7) = 1", "ab"),
        ("Parent.Name = 'Top'", "c"),
        ("BLANKVALUE(Phone, 'none') = 'none'", "ab"),
        ("Name = $User.Id", ""),
        ("TODAY() > DATE(2020, 1, 31) && YEAR(DATE(2020, 1, 31)) = 2020", "abc"),
        ("ROUND(AnnualRevenue / 3, 1) = 7.3", "b"),
        ("/* note */ NULLVALUE(AnnualRevenue, 5) = 5", "c"),
    ],
)
def test_formulas(condition: str, refused: str | None) -> None:
    schema = {"Account": {"validation_rules": {"One": {"condition": condition, "message": "no"}}}}
    if refused is None:
        with pytest.raises(SchemaError, match="formula"):
            Emulator(schema=schema)
        return
    org = Emulator(
        schema={
            "Account": {
                "validation_rules": {"One": {"condition": f"NOT(ISBLANK(Site)) && ({condition})", "message": "no"}}
            }
        }
    )
    try:
        (top,) = org.insert("Account", [{"Name": "Top"}])
        outcomes = org.state.insert(
            "Account",
            [
                {"Name": "a", "Site": "x", "AnnualRevenue": 1},
                {"Name": "b", "Site": "x", "AnnualRevenue": 22, "Type": "Other"},
                {"Name": "c", "Site": "x", "Phone": "12", "ParentId": top},
            ],
        )
        assert "".join(name for row, name in enumerate("abc") if outcomes.error(row)) == refused
    finally:
        org.stop()


@pytest.mark.parametrize(
    ("condition", "says"),
    [
        ("ISBLNK(Phone)", "did you mean ISBLANK"),
        ("ISBLANK(Phne)", "did you mean Phone"),
        ("ISBLANK(Phone", "lacks"),
        ("Phone = ", "ends too early"),
        ("VLOOKUP(Phone)", "not supported"),
        ("Boss.Name = 'x'", "no parent Boss"),
        ("Phone # 3", "cannot be read"),
        ("LEN(Phone, Name)", "2 arguments"),
        ("Phone Name", "where it should end"),
    ],
)
def test_formula_that_cannot_be_read_says_why(condition: str, says: str) -> None:
    with pytest.raises(SchemaError, match=says):
        Emulator(schema={"Account": {"validation_rules": {"One": {"condition": condition, "message": "no"}}}})


def test_validation_rule_can_be_a_function() -> None:
    def shrinks(record: Record) -> bool:
        return record.old is not None and record["AnnualRevenue"] < record.old["AnnualRevenue"]  # type: ignore[operator]

    with served({"Account": {"validation_rules": {"Grow": {"condition": shrinks, "message": "grow"}}}}) as wire:
        (one,) = wire.org.insert("Account", [{"Name": "a", "AnnualRevenue": 5}])
        rows = [{"Id": one, "AnnualRevenue": "9"}]
        assert load(wire, "update", "Account", rows) == [""]
        rows = [{"Id": one, "AnnualRevenue": "3"}]
        assert load(wire, "update", "Account", rows) == ["FIELD_CUSTOM_VALIDATION_EXCEPTION:grow:--"]


SAME = {"match": ["Email", "LastName"], "action": "alert"}


def test_duplicates_are_refused_as_a_real_server_refuses_them() -> None:
    with served({"Contact": {"duplicate_rules": {"Same_person": SAME}}}) as wire:
        (known,) = wire.org.insert("Contact", [{"LastName": "Hopper", "Email": "grace@example.com"}])
        rows = [
            {"LastName": "hopper", "Email": "Grace@example.com"},
            {"LastName": "Hopper", "Email": ""},
            {"LastName": "Murray", "Email": "grace@example.com"},
        ]
        assert load(wire, "insert", "Contact", rows) == ["DUPLICATES_DETECTED:Use one of these records?:--", "", ""]
        batch = wire.run(wire.create("insert", "Contact", "JSON"), json.dumps(rows[:1]), "application/json")
        job = batch.element("jobId") if "<jobId>" in batch.text else batch.json["jobId"]
        (told,) = wire.ask("GET", f"job/{job}/batch/{batch.id}/result").json
        assert told == {
            "success": False,
            "created": True,
            "id": None,
            "errors": [
                {
                    "message": "Use one of these records?",
                    "fields": [],
                    "statusCode": "DUPLICATES_DETECTED",
                    "extendedErrorDetails": None,
                }
            ],
        }
        answer = rest(wire, "POST", "/sobjects/Contact", rows[0])
        assert answer.status == 400
        (said,) = answer.json
        result = said["duplicateResut"]
        assert (said["errorCode"], result["allowSave"], result["duplicateRule"]) == (
            "DUPLICATES_DETECTED",
            True,
            "Same_person",
        )
        (match,) = result["matchResults"]
        assert [one["record"]["Id"] for one in match["matchRecords"]] == [known]
        allowed = {"Sforce-Duplicate-Rule-Header": "allowSave=true"}
        assert rest(wire, "POST", "/sobjects/Contact", rows[0], **allowed).status == 201


def test_duplicates_in_one_transaction_are_not_compared_and_edits_count_when_they_change_what_is() -> None:
    with served({"Contact": {"duplicate_rules": {"Same_person": {"match": ["Email"], "message": "twice"}}}}) as wire:
        rows = [{"LastName": str(number), "Email": f"{number % 200}@example.com"} for number in range(201)]
        said = load(wire, "insert", "Contact", rows)
        assert [number for number, one in enumerate(said) if one] == [200]
        first, second = (one["Id"] for one in wire.org.records("Contact")[:2])
        assert load(wire, "update", "Contact", [{"Id": first, "Title": "x"}]) == [""]
        assert load(wire, "update", "Contact", [{"Id": second, "Email": "0@example.com"}]) == [
            "DUPLICATES_DETECTED:twice:--"
        ]


def test_duplicates_are_searched_among_another_object() -> None:
    rules = {"In_leads": {"match": ["Email"], "among": "Lead"}, "Reported": {"match": ["LastName"], "action": "report"}}
    with served({"Contact": {"duplicate_rules": rules}}) as wire:
        wire.org.insert("Lead", [{"LastName": "x", "Company": "x", "Email": "a@example.com"}])
        rows = [{"LastName": "x", "Email": "a@example.com"}, {"LastName": "x", "Email": "b@example.com"}]
        assert load(wire, "insert", "Contact", rows) == ["DUPLICATES_DETECTED:Use one of these records?:--", ""]


def trigger(**acts: Callable[[Sequence[Record]], object]) -> dict[str, Any]:
    return {"Contact": {"triggers": acts}}


def test_trigger_sees_two_hundred_records_changes_and_refuses_them() -> None:
    seen: list[int] = []

    def tidy(records: Sequence[Record]) -> None:
        seen.append(len(records))
        for record in records:
            assert record.is_new
            record["Title"] = str(record["LastName"]).upper()
            record["FirstName"] = None
            if record["LastName"] == "7":
                record.add_error("not seven", "LastName")

    with served(trigger(before_insert=tidy)) as wire:
        rows = [{"LastName": str(number), "FirstName": "x", "Title": "y"} for number in range(450)]
        said = load(wire, "insert", "Contact", rows)
        assert seen == [200, 200, 50]
        assert {number: one for number, one in enumerate(said) if one} == {
            7: "FIELD_CUSTOM_VALIDATION_EXCEPTION:not seven:LastName --"
        }
        stored = wire.org.records("Contact")
        assert len(stored) == 449
        assert {(one["FirstName"], one["Title"] == one["LastName"].upper()) for one in stored} == {(None, True)}


def test_trigger_fills_what_is_required() -> None:
    def name(records: Sequence[Record]) -> None:
        for record in records:
            record["LastName"] = record["LastName"] or record["FirstName"]

    with served(trigger(before_insert=name)) as wire:
        rows = [{"FirstName": "Grace"}, {"FirstName": ""}]
        words = "REQUIRED_FIELD_MISSING:Required fields are missing: [LastName]:LastName --"
        assert load(wire, "insert", "Contact", rows) == ["", words]
        assert wire.org.records("Contact")[0]["LastName"] == "Grace"


def test_trigger_that_raises_fails_its_transaction() -> None:
    def stumble(records: Sequence[Record]) -> None:
        if any(record["LastName"] == "250" for record in records):
            raise LookupError("no such thing")

    with served(trigger(before_insert=stumble)) as wire:
        said = load(wire, "insert", "Contact", [{"LastName": str(number)} for number in range(300)])
        assert said[:200] == [""] * 200
        assert len(set(said[200:])) == 1
        lines = said[200].splitlines()
        assert lines[:4] == [
            "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY:stumble: execution of BeforeInsert",
            "",
            "caused by: LookupError: no such thing",
            "",
        ]
        assert lines[4].startswith("Trigger.stumble: line ")
        assert lines[4].endswith(", column 1:--")
        assert wire.org.count("Contact") == 200


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("Wage__c", 3, "Invalid field Wage__c for Contact"),
        ("CreatedById", "x", "Field is not writeable: Contact.CreatedById"),
        ("Name", "x", "Field is not writeable: Contact.Name"),
        ("Birthdate", "soon", "caused by"),
    ],
)
def test_trigger_sets_only_what_can_be_set(name: str, value: object, says: str) -> None:
    def wrong(records: Sequence[Record]) -> None:
        records[0][name] = value

    with served(trigger(before_insert=wrong)) as wire:
        (said,) = load(wire, "insert", "Contact", [{"LastName": "a"}])
        assert said.startswith("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY:wrong: execution of BeforeInsert")
        assert says in said


def test_triggers_of_updates_and_deletes_know_the_old_record() -> None:
    def update(records: Sequence[Record]) -> None:
        for record in records:
            assert record.old is not None
            record["Title"] = f"{record.old['Title']} then {record['Title']}"

    def keep(records: Sequence[Record]) -> None:
        for record in records:
            if record["Title"] == "b":
                record.add_error("stays")

    with served(trigger(before_update=update, before_delete=keep)) as wire:
        one, two = wire.org.insert("Contact", [{"LastName": "x", "Title": "a"}, {"LastName": "y", "Title": "b"}])
        assert load(wire, "update", "Contact", [{"Id": one, "Title": "c"}]) == [""]
        assert [record["Title"] for record in wire.org.records("Contact")] == ["a then c", "b"]
        said = load(wire, "delete", "Contact", [{"Id": one}, {"Id": two}])
        assert said == ["", "FIELD_CUSTOM_VALIDATION_EXCEPTION:stays:--"]
        assert wire.org.count("Contact") == 1


def test_upsert_runs_the_trigger_of_each_kind() -> None:
    events = []
    schema = {
        "Contact": {
            "fields": {"Key__c": "string(20) unique external_id"},
            "triggers": {
                "before_insert": lambda records: events.append(("insert", len(records))),
                "before_update": lambda records: events.append(("update", len(records))),
            },
        }
    }
    with served(schema) as wire:
        wire.org.insert("Contact", [{"LastName": "x", "Key__c": "1"}])
        events.clear()
        rows = [{"LastName": "a", "Key__c": "1"}, {"LastName": "b", "Key__c": "2"}, {"LastName": "c", "Key__c": "3"}]
        assert load(wire, "upsert", "Contact", rows, externalIdFieldName="Key__c") == ["", "", ""]
        assert events == [("insert", 2), ("update", 1)]


def test_code_lies_beside_the_schema_file(tmp_path: Path) -> None:
    (tmp_path / "rules.py").write_text(
        "def fill(records):\n    for record in records:\n        record['Title'] = 'filled'\n\n"
        "def bad(record):\n    return record['LastName'] == 'bad'\n"
    )
    file = tmp_path / "schema.toml"
    file.write_text(
        '[Contact.triggers]\nbefore_insert = "rules.py:fill"\n'
        '[Contact.validation_rules.Bad]\ncondition = "rules.py:bad"\nmessage = "bad"\n'
    )
    with Emulator(schema=file) as org:
        said = load(Wire(org), "insert", "Contact", [{"LastName": "bad"}, {"LastName": "good"}])
        assert said == ["FIELD_CUSTOM_VALIDATION_EXCEPTION:bad:--", ""]
        assert org.records("Contact")[0]["Title"] == "filled"


def test_field_level_security() -> None:
    with served({"Contact": {"access": {"Title": "read", "department": "none"}}}) as wire:
        words = (
            "INVALID_FIELD_FOR_INSERT_UPDATE:Unable to create/update fields: Title. Please check the security settings "
            "of this field and verify that it is read/write for your profile or permission set.:Title --"
        )
        assert load(wire, "insert", "Contact", [{"LastName": "a", "Title": "x"}]) == [words]
        assert wire.failure("insert", "Contact", "LastName,Department\na,b\n") == (
            "InvalidBatch : Field name not found : Department"
        )
        assert wire.query("SELECT Title FROM Contact").status == 200
        batch = wire.run(wire.create("query", "Contact"), "SELECT Department FROM Contact")
        assert "No such column 'Department' on entity 'Contact'" in batch.element("stateMessage")
        fields = {one["name"]: one for one in rest(wire, "GET", "/sobjects/Contact/describe").json["fields"]}
        assert "Department" not in fields
        assert (fields["Title"]["createable"], fields["Title"]["updateable"]) == (False, False)


OTHER = {"Username": "o@example.com", "LastName": "Other", "Email": "o@example.com", "Alias": "other"}


def shared(org: Emulator) -> tuple[str, str, str]:
    """An account of the user's own, one of another, and one of another that they may read."""
    (other,) = org.insert("User", [OTHER])
    own, unseen, seen = org.insert(
        "Account", [{"Name": "own"}, {"Name": "unseen", "OwnerId": other}, {"Name": "seen", "OwnerId": other}]
    )
    org.insert(
        "AccountShare", [{"AccountId": seen, "UserOrGroupId": org.state.sessions.user_id, "AccountAccessLevel": "Read"}]
    )
    return own, unseen, seen


def test_records_that_are_not_shared() -> None:
    with served({"Account": {"sharing": "private"}}) as wire:
        own, unseen, seen = shared(wire.org)
        assert wire.query("SELECT Name FROM Account ORDER BY Name").text.splitlines()[1:] == ['"own"', '"seen"']
        said = load(wire, "update", "Account", [{"Id": one, "Site": "x"} for one in (own, unseen, seen)])
        foreign = f"INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY:insufficient access rights on cross-reference id: {unseen[:15]}:--"
        read_only = "INSUFFICIENT_ACCESS_OR_READONLY:insufficient access rights on object id:--"
        assert said == ["", foreign, read_only]
        assert load(wire, "delete", "Account", [{"Id": one} for one in (unseen, seen)]) == [foreign, read_only]
        said = load(wire, "insert", "Contact", [{"LastName": "x", "AccountId": one} for one in (own, unseen, seen)])
        assert said == ["", foreign, ""]
        assert rest(wire, "GET", f"/sobjects/Account/{unseen}").status == 404
        answer = rest(wire, "PATCH", f"/sobjects/Account/{seen}", {"Site": "x"})
        assert (answer.status, answer.json[0]["errorCode"]) == (403, "INSUFFICIENT_ACCESS_OR_READONLY")
        wire.org.insert("Contact", [{"LastName": "y", "AccountId": unseen}])
        assert wire.query("SELECT Account.Name FROM Contact WHERE LastName = 'y'").text.splitlines()[1:] == ['""']


def test_records_that_may_be_read_alone() -> None:
    with served({"Account": {"sharing": "read"}}) as wire:
        own, unseen, _ = shared(wire.org)
        assert len(wire.query("SELECT Name FROM Account").text.splitlines()) == 4
        said = load(wire, "update", "Account", [{"Id": one, "Site": "x"} for one in (own, unseen)])
        assert said == ["", "INSUFFICIENT_ACCESS_OR_READONLY:insufficient access rights on object id:--"]


def test_custom_objects_have_share_objects_and_details_need_a_master_that_can_be_changed() -> None:
    schema = {
        "Room__c": {"sharing": "read"},
        "Bed__c": {"fields": {"Room__c": "reference(Room__c) relationship=Room__r cascade"}},
    }
    with served(schema) as wire:
        (other,) = wire.org.insert("User", [OTHER])
        (room,) = wire.org.insert("Room__c", [{"Name": "a", "OwnerId": other}])
        foreign = f"INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY:insufficient access rights on cross-reference id: {room[:15]}:--"
        assert load(wire, "insert", "Bed__c", [{"Name": "x", "Room__c": room}]) == [foreign]
        user = wire.org.state.sessions.user_id
        wire.org.insert("Room__Share", [{"ParentId": room, "UserOrGroupId": user, "AccessLevel": "Edit"}])
        assert load(wire, "insert", "Bed__c", [{"Name": "x", "Room__c": room}]) == [""]


def test_currencies_are_a_switch() -> None:
    with served({}) as wire:
        assert wire.failure("insert", "Account", "Name,CurrencyIsoCode\na,EUR\n").endswith("CurrencyIsoCode")
    with served({"currencies": ["EUR", "USD"]}) as wire:
        rows = [{"Name": "a", "CurrencyIsoCode": "USD"}, {"Name": "b", "CurrencyIsoCode": ""}]
        wrong = {"Name": "c", "CurrencyIsoCode": "XXX"}
        said = load(wire, "insert", "Account", [*rows, wrong])
        assert said[:2] == ["", ""]
        assert said[2].startswith("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST:Currency ISO Code: bad value")
        assert [one["CurrencyIsoCode"] for one in wire.org.records("Account")] == ["USD", "EUR"]
        asked = "SELECT IsoCode, IsCorporate FROM CurrencyType ORDER BY IsoCode"
        assert wire.query(asked).text.splitlines()[1:] == ['"EUR","true"', '"USD","false"']


def test_person_accounts_are_a_switch() -> None:
    schema = {"person_accounts": True, "Contact": {"fields": {"Size__c": "string(3)"}}}
    with served(schema) as wire:
        rows = [
            {"Name": "Acme", "LastName": "", "FirstName": "", "PersonEmail": "", "Size__pc": ""},
            {"Name": "", "LastName": "Hopper", "FirstName": "Grace", "PersonEmail": "g@example.com", "Size__pc": "XL"},
            {"Name": "Both", "LastName": "Two", "FirstName": "", "PersonEmail": "", "Size__pc": ""},
            {"Name": "Wrong", "LastName": "", "FirstName": "", "PersonEmail": "w@example.com", "Size__pc": ""},
            {"Name": "", "LastName": "", "FirstName": "", "PersonEmail": "", "Size__pc": ""},
        ]
        said = load(wire, "insert", "Account", rows)
        assert [one.partition(".")[0] for one in said] == [
            "",
            "",
            "INVALID_FIELD_FOR_INSERT_UPDATE:Unable to create/update fields: Name",
            "INVALID_FIELD_FOR_INSERT_UPDATE:Account: bad field names on insert/update call: PersonEmail:PersonEmail --",
            "REQUIRED_FIELD_MISSING:Required fields are missing: [Name]:Name --",
        ]
        acme, grace = wire.org.records("Account")
        assert (acme["IsPersonAccount"], grace["IsPersonAccount"], grace["Name"]) == (False, True, "Grace Hopper")
        (contact,) = wire.org.records("Contact")
        assert contact["Id"] == grace["PersonContactId"]
        told = {name: contact[name] for name in ("AccountId", "IsPersonAccount", "LastName", "Email", "Size__c")}
        expected = {"AccountId": grace["Id"], "IsPersonAccount": True, "LastName": "Hopper"}
        assert told == expected | {"Email": "g@example.com", "Size__c": "XL"}
        asked = "SELECT RecordType.DeveloperName, PersonContact.Email FROM Account WHERE IsPersonAccount = true"
        assert wire.query(asked).text.splitlines()[1:] == ['"PersonAccount","g@example.com"']
        update = [{"Id": grace["Id"], "LastName": "Murray", "PersonEmail": "#N/A"}]
        assert load(wire, "update", "Account", update) == [""]
        (contact,) = wire.org.records("Contact")
        assert (contact["LastName"], contact["Email"]) == ("Murray", None)
        assert wire.org.records("Account")[1]["Name"] == "Grace Murray"
        renamed = load(wire, "update", "Account", [{"Id": grace["Id"], "Name": "x"}])
        assert renamed == [
            "INVALID_FIELD_FOR_INSERT_UPDATE:Account: bad field names on insert/update call: Name:Name --"
        ]
        assert load(wire, "delete", "Account", [{"Id": grace["Id"]}]) == [""]
        assert wire.org.count("Contact") == 0


def test_person_accounts_by_record_type() -> None:
    schema = {"person_accounts": True, "Account": {"record_types": {"Firm": {}, "Member": {"person": True}}}}
    with served(schema) as wire:
        rows = [
            {"LastName": "a", "RecordType.DeveloperName": "Member"},
            {"LastName": "b", "RecordType.DeveloperName": "Firm"},
        ]
        said = load(wire, "insert", "Account", rows)
        assert said[0] == ""
        assert said[1].startswith("INVALID_FIELD_FOR_INSERT_UPDATE:Account: bad field names")


@pytest.mark.parametrize(
    ("schema", "says"),
    [
        ({"Account": {"record_types": {"A": {"lable": "x"}}}}, "did you mean label"),
        ({"Account": {"record_types": {"A": {"picklists": {"Tipe": ["x"]}}}}}, "did you mean Type"),
        ({"Account": {"record_types": {"A": {"picklists": {"Name": ["x"]}}}}}, "Name is no picklist"),
        ({"Account": {"record_types": "A"}}, "must be a table or a list"),
        ({"Account": {"record_type": {"A": {}}}}, "did you mean record_types"),
        ({"Account": {"validation_rules": {"A": {"condition": "true"}}}}, "has no message"),
        ({"Account": {"validation_rules": {"A": {"condition": "true", "mesage": "x"}}}}, "did you mean message"),
        (
            {"Account": {"validation_rules": {"A": {"condition": "true", "message": "x", "field": "Fone"}}}},
            "did you mean",
        ),
        ({"Account": {"validation_rules": {"A": {"condition": 3, "message": "x"}}}}, "formula or a function"),
        ({"Account": {"duplicate_rules": {"A": {"match": ["Nam"]}}}}, "did you mean Name"),
        (
            {"Account": {"duplicate_rules": {"A": {"match": ["Name"], "action": "blok"}}}},
            "must be block, alert, report",
        ),
        ({"Account": {"triggers": {"before_insrt": print}}}, "did you mean before_insert"),
        ({"Account": {"triggers": {"before_insert": "nowhere.at_all:fill"}}}, "cannot be imported"),
        ({"Account": {"triggers": {"before_insert": 3}}}, "must be a function"),
        ({"Account": {"access": {"Fone": "read"}}}, "did you mean Phone"),
        ({"Account": {"access": {"Phone": "raed"}}}, "did you mean read"),
        ({"Account": {"sharing": "privat"}}, "did you mean private"),
        ({"Product2": {"sharing": "private"}}, "has no owner"),
        ({"currencies": ["EURO"]}, "codes such as EUR"),
        ({"person_accounts": "yes"}, "true or false"),
        ({"person_acounts": True}, "person_acounts must be a table.*did you mean person_accounts"),
    ],
)
def test_rules_that_cannot_be_meant_are_refused(schema: dict[str, Any], says: str) -> None:
    with pytest.raises(SchemaError, match=says):
        load_schema(schema)


def test_rules_cost_nothing_where_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of objects without rules are never looked at one by one."""

    def never(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr("bulkforce_emulator.state.rows.engine.make_candidates", never)
    monkeypatch.setattr("bulkforce_emulator.state.rows.triggers.make_candidates", never)
    with served({**TYPES, "Lead": {"triggers": {"before_insert": never}}}) as wire:
        assert load(wire, "insert", "Contact", [{"LastName": str(number)} for number in range(300)]) == [""] * 300
