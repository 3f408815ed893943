"""Schemas and settings that cannot be meant as they are written are refused, with what was probably meant."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bulkforce_emulator import Emulator, SchemaError, SettingsError, load_schema

CONTACT = {"fields": {"Badge__c": "string(20)"}}


@pytest.mark.parametrize(
    ("schema", "says"),
    [
        ({"Contact": {"feilds": {"Badge__c": "string(20)"}}}, "Contact.feilds .*did you mean fields"),
        ({"Contact": {"Badge__c": "string(20)"}}, r"Contact.Badge__c .*\[Contact.fields\]"),
        ({"Contact": {"key_prefx": "003"}}, "did you mean key_prefix"),
        ({"objects": {"Contact": CONTACT}}, r"write \[Contact.fields\], not \[objects.Contact.fields\]"),
        ({"sObjects": {"Contact": CONTACT}}, r"write \[Contact.fields\], not \[sObjects.Contact.fields\]"),
        ({"Contakt": CONTACT}, "did you mean Contact.*key_prefix"),
        ({"Opportunitys": CONTACT}, "did you mean Opportunity"),
        ({"Contact": "string(20)"}, "Contact must be a table"),
        ({"Contact": {"fields": ["Badge__c"]}}, "Contact.fields must be a table"),
        ({"Contact": {"label": 3}}, "Contact.label must be a string, not 3"),
        ({"Contact": {"bulk": "no"}}, "Contact.bulk must be true or false, not 'no'"),
        ({"Contact": {"fields": {"Badge__c": "strng(20)"}}}, "Badge__c: 'strng' .*did you mean string"),
        ({"Contact": {"fields": {"Badge__c": "string(20) uniqe"}}}, "Badge__c: 'uniqe' .*did you mean unique"),
        ({"Contact": {"fields": {"Badge__c": "string(20) defalt=x"}}}, "did you mean default"),
        ({"Contact": {"fields": {"Badge__c": "string(long)"}}}, "Badge__c: 'long' is not a length$"),
        ({"Contact": {"fields": {"Badge__c": "double(16,x)"}}}, "Badge__c: 'x' is not a number of digits$"),
        ({"Contact": {"fields": {"Badge__c": "number(16,2)"}}}, "'number' is not the type .*did you mean double"),
        ({"Contact": {"fields": {"Badge__c": "Lookup(Account)"}}}, "'Lookup' is not the type .*did you mean reference"),
        ({"Contact": {"fields": {"Badge__c": {"type": "checkbox"}}}}, "'checkbox' is not .*did you mean boolean"),
        ({"Contact": {"fields": {"Badge__c": "string(3) default 'x'"}}}, "default needs a value, as in default=x$"),
        ({"Contact": {"fields": {"Badge__c": "string(3) label="}}}, "label needs a value"),
        ({"Contact": {"fields": {"Badge__c": "string(3) unique=yes"}}}, "unique takes no value: write unique alone"),
        ({"Contact": {"fields": {"Badge__c": "picklist(a,b)"}}}, r"'a,b' is one value.*picklist\(a\|b\).*a table"),
        ({"Contact": {"fields": {"Badge__c": "multipicklist(a; b)"}}}, r"'a; b' is one .*multipicklist\(a\|b\)"),
        ({"Contact": {"fields": {"Badge__c": "picklist('a','b')"}}}, r"one value.*picklist\(a\|b\)"),
        ({"Contact": {"fields": {"Badge__c": "picklist('a'|'b c')"}}}, r"no quotes.*picklist\(a\|b c\)"),
        ({"Contact": {"fields": {"Badge__c": "picklist(a|)"}}}, "empty value"),
        (
            {"Contact": {"fields": {"Badge__c": "reference(Account,Lead)"}}},
            r"separated by \|.*reference\(Account\|Lead\)",
        ),
        ({"Contact": {"fields": {"Badge__c": {"type": "string", "lenght": 20}}}}, "did you mean length"),
        (
            {"Contact": {"fields": {"Badge__c": {"type": "string", "length": "20"}}}},
            "length must be a number, not '20'",
        ),
        ({"Contact": {"fields": {"Badge__c": {"type": "string", "unique": "yes"}}}}, "unique must be true or false"),
        ({"Contact": {"fields": {"Badge__c": {"length": 20}}}}, "Badge__c has no type"),
        ({"Contact": {"fields": {"Badge__c": 20}}}, "Badge__c must be a line or a table"),
    ],
)
def test_schema_says_what_was_meant(schema: dict[str, Any], says: str, tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match=f"(?s){says}"):
        Emulator(schema=schema)
    file = tmp_path / "schema.json"
    file.write_text(json.dumps(schema))
    with pytest.raises(SchemaError, match=f"(?s){says}"):
        load_schema(file)


def test_values_of_a_line_may_be_quoted_and_those_of_a_list_have_spaces_around_them() -> None:
    fields = {
        "One__c": """string(9) default='a b' label="It's one" """,
        "Pick__c": "picklist( a b | c, d)",
        "Comma__c": {"type": "picklist", "picklist": ["c, d"]},
    }
    found = load_schema({"Contact": {"fields": fields}}).sobjects["Contact"].fields
    assert (found["One__c"].default, found["One__c"].label) == ("a b", "It's one")
    assert (found["Pick__c"].picklist, found["Comma__c"].picklist) == (("a b", "c, d"), ("c, d",))


def test_schema_file_must_hold_a_table(tmp_path: Path) -> None:
    file = tmp_path / "schema.json"
    file.write_text("[]")
    with pytest.raises(ValueError, match="must hold a table"):
        load_schema(file)


@pytest.mark.parametrize("name", ["Contract", "WorkOrder", "Order", "OpportunityLineItemSchedule", "Contacts__c"])
def test_objects_that_are_not_among_the_standard_ones_can_be_added(name: str) -> None:
    assert "Badge__c" in load_schema({name: CONTACT}).sobjects[name].fields


def test_object_with_a_key_prefix_may_be_called_like_another() -> None:
    assert "Contakt" in load_schema({"Contakt": {"key_prefix": "0zz", **CONTACT}}).sobjects


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"bearer_acepted": True}, "did you mean bearer_accepted"),
        ({"limits": {"batch_record": 1}}, "limits.batch_record is not a setting; did you mean batch_records"),
        ({"batch_records": 100}, "did you mean limits.batch_records"),
        ({"limits": {"bearer_accepted": True}}, "limits.bearer_accepted .*did you mean bearer_accepted"),
        ({"texts": {"batch_unknown": {"words": "no"}}}, "did you mean texts.calls.batch_unknown"),
        ({"settings": {"bearer_accepted": True}}, "settings is not a setting"),
        ({"bearer_accepted": "yes"}, "bearer_accepted must be bool, not 'yes'"),
        ({"texts": {"calls": {"batch_unknown": {"word": "no"}}}}, "must have a code, words or both"),
    ],
)
def test_settings_say_what_was_meant(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        Emulator(settings=settings)
