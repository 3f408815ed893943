"""Orgs made from what another org says of its objects."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.emulator.test_rules import load
from tests.emulator.wire import Wire

from bulkforce_emulator import Emulator, SchemaError

SCHEMA = {
    "Account": {"record_types": {"Customer": {}, "Partner": {"label": "A partner", "default": True}}},
    "Contact": {
        "fields": {"Badge__c": "string(20) unique external_id", "Level__c": "picklist(A|B) restricted default=B"}
    },
    "Room__c": {
        "key_prefix": "a0R",
        "fields": {
            "Number__c": "string(8) auto_number",
            "Size__c": "double(6,2) required",
            "Account__c": "reference(Account) relationship=Account__r children=Rooms__r cascade",
            "Area__c": {"type": "double", "formula": '"Size__c" * 2'},
        },
    },
}


def ask(wire: Wire, path: str) -> Any:
    answer = wire.ask("GET", f"/services/data/v66.0{path}", headers={"Authorization": f"Bearer {wire.org.session_id}"})
    assert answer.status == 200, answer.text
    return answer.json


def saved(folder: Path, wire: Wire, *names: str) -> Path:
    """What `bulkforce describe --save` writes."""
    folder.mkdir()
    (folder / "sobjects.json").write_text(json.dumps(ask(wire, "/sobjects")))
    for name in names:
        (folder / f"{name}.json").write_text(json.dumps(ask(wire, f"/sobjects/{name}/describe")))
    return folder


def test_described_org_describes_itself_alike(tmp_path: Path) -> None:
    names = ("Account", "Contact", "Room__c", "User", "RecordType", "Case")
    with Emulator(schema=SCHEMA) as org:
        folder = saved(tmp_path / "org", Wire(org), *names)
    with Emulator.from_describe(folder) as rehearsal:
        for name in names:
            told = json.loads((folder / f"{name}.json").read_text())
            again = ask(Wire(rehearsal), f"/sobjects/{name}/describe")
            fields, same = ({one["name"]: one for one in document.pop("fields")} for document in (told, again))
            assert again == told
            assert list(same) == list(fields)
            for field, document in fields.items():
                ignored = {"calculatedFormula"}  # a formula is not evaluated
                assert {key: value for key, value in same[field].items() if key not in ignored} == {
                    key: value for key, value in document.items() if key not in ignored
                }, field


def test_own_objects_take_records_and_rules(tmp_path: Path) -> None:
    with Emulator(schema=SCHEMA) as org:
        folder = saved(tmp_path / "org", Wire(org), "Contact", "Room__c", "Account")
    rules: Mapping[str, Any] = {
        "Contact": {
            "fields": {"Extra__c": "string(9)"},
            "validation_rules": {"Badge": {"condition": "ISBLANK(Badge__c)", "message": "badge"}},
        },
        "Account": {"record_types": {"Partner": {"picklists": {"Type": ["Other"]}}}},
    }
    with Emulator.from_describe(folder, rules) as rehearsal:
        wire = Wire(rehearsal)
        rows = [
            {"LastName": "a", "Badge__c": "1", "Level__c": "", "Extra__c": "x"},
            {"LastName": "b", "Badge__c": "2", "Level__c": "C", "Extra__c": ""},
            {"LastName": "c", "Badge__c": "", "Level__c": "", "Extra__c": ""},
            {"LastName": "", "Badge__c": "3", "Level__c": "", "Extra__c": ""},
        ]
        said = [one.partition(":")[0] for one in load(wire, "insert", "Contact", rows)]
        assert said == [
            "",
            "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
            "FIELD_CUSTOM_VALIDATION_EXCEPTION",
            "REQUIRED_FIELD_MISSING",
        ]
        (contact,) = rehearsal.records("Contact")
        assert (contact["Level__c"], contact["Name"]) == ("B", "a")
        said = load(wire, "insert", "Account", [{"Name": "x", "Type": "Prospect"}, {"Name": "y", "Type": "Other"}])
        assert [one.partition(":")[0] for one in said] == ["INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", ""]
        (account,) = rehearsal.records("Account")
        assert load(wire, "insert", "Room__c", [{"Size__c": "2", "Account__c": account["Id"]}]) == [""]
        assert rehearsal.records("Room__c")[0]["Id"].startswith("a0R")
        asked = "SELECT Account__r.RecordType.DeveloperName FROM Room__c"
        assert wire.query(asked).text.splitlines()[1:] == ['"Partner"']


def test_objects_that_are_only_referred_to_are_there(tmp_path: Path) -> None:
    folder = tmp_path / "org"
    folder.mkdir()
    references = [
        {"name": "Id", "type": "id"},
        {
            "name": "Ship__c",
            "type": "reference",
            "referenceTo": ["Ship__c"],
            "relationshipName": "Ship__r",
            "createable": True,
        },
        {"name": "Whatever", "type": "complexvalue"},
    ]
    (folder / "Crew__c.json").write_text(json.dumps({"name": "Crew__c", "keyPrefix": "a77", "fields": references}))
    (folder / "sobjects.json").write_text(
        json.dumps({"sobjects": [{"name": "Ship__c", "keyPrefix": "a78", "label": "Ship"}]})
    )
    org = Emulator.from_describe(folder)
    try:
        (ship,) = org.insert("Ship__c", [{"Name": "Argo"}])
        assert ship.startswith("a78")
        org.insert("Crew__c", [{"Ship__c": ship}])
        assert org.records("Crew__c")[0]["Ship__c"] == ship
    finally:
        org.stop()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "has no descriptions of objects; save some: bulkforce describe --save"),
        ("[]", "A.json cannot be read"),
        ("{", "A.json cannot be read"),
        ('{"name": "A"}', "A.json is not the description of an object"),
        ('{"name": "A", "fields": [{"type": "string"}]}', "A.json is not the description of an object"),
        ('{"name": "A", "fields": [{"name": "X"}]}', "A.X: None is not the type of a field"),
    ],
)
def test_folder_that_describes_nothing_is_refused(tmp_path: Path, content: str | None, says: str) -> None:
    if content is not None:
        (tmp_path / "A.json").write_text(content)
    with pytest.raises(SchemaError, match=says):
        Emulator.from_describe(tmp_path)


def test_person_accounts_follow_from_the_descriptions(tmp_path: Path) -> None:
    with Emulator(schema={"person_accounts": True}) as org:
        folder = saved(tmp_path / "org", Wire(org), "Account", "Contact")
    with Emulator.from_describe(folder) as rehearsal:
        assert load(Wire(rehearsal), "insert", "Account", [{"LastName": "Hopper"}]) == [""]
        assert rehearsal.records("Contact")[0]["LastName"] == "Hopper"
    with pytest.raises(SchemaError, match="person_accounts does not go with"):
        Emulator.from_describe(folder, {"person_accounts": True})
