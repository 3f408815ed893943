"""What describe tells of an object: read whole, kept as text, read again."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.script import said, script

from bulkforce.errors import ProtocolError
from bulkforce.protocol.flow import ask
from bulkforce.protocol.rest import (
    FieldDescription,
    PicklistValue,
    SObjectDescription,
    description_of,
    key_prefixes,
)
from bulkforce_emulator.schema_files import load_schema
from bulkforce_emulator.wire.describe import description

LEVEL: dict[str, Any] = {
    "name": "Level__c",
    "type": "picklist",
    "label": "Level",
    "length": 255,
    "byteLength": 765,
    "precision": 18,
    "scale": 2,
    "digits": 9,
    "nillable": False,
    "defaultedOnCreate": True,
    "createable": False,
    "updateable": False,
    "calculated": True,
    "autoNumber": True,
    "externalId": True,
    "idLookup": True,
    "compoundFieldName": "Name",
    "relationshipName": "Who",
    "referenceTo": ["Contact", "Lead"],
    "polymorphicForeignKey": True,
    "restrictedPicklist": True,
    "picklistValues": [
        {"value": "A", "label": "First", "active": True},
        {"value": "B", "label": "Second", "active": False},
    ],
}
ANSWER = {"name": "Contact", "label": "Person", "keyPrefix": "003", "fields": [LEVEL]}


def test_description_is_read_whole() -> None:
    expected = FieldDescription(
        name="Level__c",
        type="picklist",
        label="Level",
        length=255,
        byte_length=765,
        precision=18,
        scale=2,
        digits=9,
        nillable=False,
        defaulted_on_create=True,
        createable=False,
        updateable=False,
        calculated=True,
        auto_number=True,
        external_id=True,
        id_lookup=True,
        compound_field_name="Name",
        relationship_name="Who",
        reference_to=("Contact", "Lead"),
        polymorphic_foreign_key=True,
        restricted_picklist=True,
        picklist_values=(PicklistValue("A", "First"), PicklistValue("B", "Second", active=False)),
    )
    assert description_of(json.dumps(ANSWER)) == SObjectDescription("Contact", (expected,), "Person", "003")


def test_description_is_written_in_the_words_it_was_read_in() -> None:
    assert json.loads(description_of(json.dumps(ANSWER)).to_json()) == ANSWER


texts, numbers = st.text(st.characters(codec="utf-8"), max_size=8), st.integers(0, 10**6)
fields = st.builds(
    FieldDescription,
    name=texts,
    type=texts,
    label=texts,
    length=numbers,
    byte_length=numbers,
    precision=numbers,
    scale=numbers,
    digits=numbers,
    nillable=st.booleans(),
    defaulted_on_create=st.booleans(),
    createable=st.booleans(),
    updateable=st.booleans(),
    calculated=st.booleans(),
    auto_number=st.booleans(),
    external_id=st.booleans(),
    id_lookup=st.booleans(),
    compound_field_name=st.none() | texts,
    relationship_name=st.none() | texts,
    reference_to=st.lists(texts, max_size=2).map(tuple),
    polymorphic_foreign_key=st.booleans(),
    restricted_picklist=st.booleans(),
    picklist_values=st.lists(st.builds(PicklistValue, texts, texts, active=st.booleans()), max_size=2).map(tuple),
)


@given(st.builds(SObjectDescription, texts, st.lists(fields, max_size=2).map(tuple), texts, st.none() | texts))
def test_description_that_was_written_is_read_the_same(described: SObjectDescription) -> None:
    assert description_of(described.to_json()) == described


def test_field_of_which_little_is_told_is_no_hindrance() -> None:
    (field,) = description_of(
        '{"name":"A","fields":[{"name":"B","type":"string","length":null,"picklistValues":[7,{}]}]}'
    ).fields
    assert (field.createable, field.updateable, field.nillable, field.length, field.picklist_values) == (
        True,
        True,
        True,
        0,
        (),
    )


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"name":"A"}', '{"name":"A","fields":[7]}', '{"name":"A","fields":[{"name":"B"}]}']
)
def test_text_that_describes_nothing_is_refused(text: str) -> None:
    with pytest.raises(ProtocolError):
        description_of(text)


def test_emulated_org_describes_every_object_so_that_it_is_read() -> None:
    schema = load_schema()
    for sobject in schema.sobjects.values():
        described = description_of(json.dumps(description(schema, sobject, "/services/data/v66.0")))
        assert [field.name for field in described.fields] == [field.name for field in sobject.fields.values()]
        assert description_of(described.to_json()) == described


@pytest.mark.parametrize(
    ("answer", "prefixes"),
    [
        (
            {
                "sobjects": [
                    {"name": "Account", "keyPrefix": "001"},
                    {"name": "Row__c"},
                    {"name": "X", "keyPrefix": None},
                ]
            },
            {"Account": "001", "Row__c": "", "X": ""},
        ),
        ({"sobjects": [{"label": "no name"}, {"name": 5}, "text"]}, {}),
        ({"sobjects": None}, {}),
        ({}, {}),
    ],
)
def test_objects_and_how_their_ids_begin_are_those_that_the_org_tells(answer: object, prefixes: dict[str, str]) -> None:
    assert script(ask(key_prefixes()), [said(json.dumps(answer), media="application/json")]) == prefixes
