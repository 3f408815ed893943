"""Objects of an org of one's own, from its answers to describe, as `bulkforce describe --save` keeps them.

A folder has a file per object, `Contact.json`, and perhaps `sobjects.json`, the list of all objects. Objects that are
referred to but not described have an id and a name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bulkforce_emulator.config_files import read_document, shortened
from bulkforce_emulator.rules import RecordType, Rules
from bulkforce_emulator.schema import TYPES, Field, SObject
from bulkforce_emulator.schema_files.lines import SchemaError
from bulkforce_emulator.schema_files.switches import IS_PERSON, PERSON_CONTACT

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

#: The list of all objects.
LIST = "sobjects.json"
_MASTER = "012000000000000AAA"
_PERSONS = "PersonAccount"
#: Columns that the store writes in every object.
_SYSTEM = {
    "Id": "id", "IsDeleted": "boolean", "CreatedDate": "datetime", "CreatedById": "reference",
    "LastModifiedDate": "datetime", "LastModifiedById": "reference", "SystemModstamp": "datetime",
}  # fmt: skip


def read_described(folder: str | os.PathLike[str], standard: Mapping[str, SObject]) -> dict[str, SObject]:
    """The objects that a folder describes, and those that they refer to.

    Args:
        folder: The folder.
        standard: The standard objects; their formulas are kept, since describe does not tell them.

    Raises:
        SchemaError: The folder has no descriptions, or a file is none.
        OSError: A file cannot be read.
    """
    files = sorted(Path(folder).glob("*.json"))
    if not Path(folder).is_dir() or not [file for file in files if file.name != LIST]:
        raise SchemaError(f"{folder} has no descriptions of objects; save some: bulkforce describe --save {folder}")
    read = {file.name: _read(file) for file in files}
    listed = _listed(read.pop(LIST, {}))
    documents = {str(document["name"]): document for document in read.values()}
    children = _names_of_children(documents.values())
    found = {name: _sobject(document, children, standard) for name, document in documents.items()}
    for sobject in list(found.values()):
        for field in sobject.fields.values():
            for parent in field.reference_to:
                if parent not in found and parent not in standard:
                    found[parent] = _stub(parent, listed.get(parent, {}), len(found))
    return {name: _with_persons(sobject, {**standard, **found}) for name, sobject in found.items()}


def _read(file: Path) -> dict[str, Any]:
    try:
        document = read_document(file)
    except ValueError as error:
        raise SchemaError(f"{file} cannot be read: {error}") from error
    if file.name != LIST and (
        not isinstance(document.get("name"), str)
        or not isinstance(document.get("fields"), list)
        or not all(isinstance(one, dict) and isinstance(one.get("name"), str) for one in document["fields"])
    ):
        raise SchemaError(f"{file} is not the description of an object: it lacks its name or its fields")
    return document


def _listed(document: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    listed = document.get("sobjects", [])
    return {str(one.get("name")): one for one in listed if isinstance(one, dict)} if isinstance(listed, list) else {}


def _names_of_children(documents: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], str]:
    """What parents call the records that refer to them, by object and field."""
    return {
        (str(child.get("childSObject")), str(child.get("field"))): str(child["relationshipName"])
        for document in documents
        for child in document.get("childRelationships") or ()
        if child.get("relationshipName")
    }


def _sobject(
    document: Mapping[str, Any], children: Mapping[tuple[str, str], str], standard: Mapping[str, SObject]
) -> SObject:
    name, label = str(document["name"]), str(document.get("label") or document["name"])
    types = tuple(_record_types(document.get("recordTypeInfos") or ()))
    known = standard.get(name)
    fields = {}
    for told in document["fields"]:
        field = _field(name, told, types)
        field = replace(field, child_relationship_name=children.get((name, field.name)))
        fields[field.name] = field
    if known is not None:
        fields = {one.name: _with_formula(one, known.fields.get(one.name), fields) for one in fields.values()}
    hidden = tuple(
        Field(missing, missing, kind, createable=False, updateable=False, default=False if kind == "boolean" else None)
        for missing, kind in _SYSTEM.items()
        if missing not in fields
    )
    prefix = document.get("keyPrefix") or (known.key_prefix if known else f"z{len(name) % 10}{len(fields) % 10}")
    plural = str(document.get("labelPlural") or f"{label}s")
    return SObject(name, label, plural, str(prefix), fields, rules=Rules(types), hidden=hidden)


def _record_types(infos: Iterable[Mapping[str, Any]]) -> Iterable[RecordType]:
    for info in infos:
        if info.get("master") or info.get("recordTypeId") == _MASTER:
            continue
        name = str(info.get("developerName") or info.get("name"))
        yield RecordType(
            name,
            str(info.get("name") or name),
            str(info["recordTypeId"]),
            default=info.get("defaultRecordTypeMapping") is True,
            active=info.get("active") is not False,
            available=info.get("available") is not False,
            person=name == _PERSONS,
        )


def _field(sobject: str, told: Mapping[str, Any], types: tuple[RecordType, ...]) -> Field:
    kind = told.get("type")
    if not isinstance(kind, str):
        raise SchemaError(f"{sobject}.{told['name']}: {shortened(kind)} is not the type of a field")
    kind = kind if kind in TYPES else "string"
    values = [one for one in told.get("picklistValues") or () if one.get("active") is not False]
    default = next((one["value"] for one in values if one.get("defaultValue")), told.get("defaultValue"))
    parents = tuple(map(str, told.get("referenceTo") or ()))
    if parents == ("RecordType",):
        default = next((one.id for one in types if one.default), None)
    calculated = told.get("calculated") is True
    return Field(
        name=told["name"],
        label=str(told.get("label") or told["name"]),
        type=kind,
        length=_number(told, "length") or (18 if kind in {"id", "reference"} else 0),
        precision=_number(told, "digits") if kind == "int" else _number(told, "precision"),
        scale=_number(told, "scale"),
        nillable=told.get("nillable") is not False or kind == "id",
        createable=told.get("createable") is True and not calculated,
        updateable=told.get("updateable") is True and not calculated,
        unique=told.get("unique") is True,
        case_sensitive=told.get("caseSensitive") is True,
        external_id=told.get("externalId") is True,
        id_lookup=told.get("idLookup") is True and kind != "id",
        reference_to=parents,
        relationship_name=told.get("relationshipName"),
        cascade_delete=told.get("cascadeDelete") is True,
        restricted_delete=told.get("restrictedDelete") is True,
        picklist=tuple(str(one["value"]) for one in values),
        restricted=told.get("restrictedPicklist") is True,
        default=default is True if kind == "boolean" else default,
        defaulted_on_create=told.get("defaultedOnCreate") is True,
        auto_number=told.get("autoNumber") is True,
        calculated=calculated,
        compound_field_name=told.get("compoundFieldName"),
    )


def _number(told: Mapping[str, Any], name: str) -> int:
    value = told.get(name)
    return value if isinstance(value, int) else 0


def _with_formula(field: Field, known: Field | None, fields: Mapping[str, Field]) -> Field:
    """A standard field whose value follows from others, if the org has these."""
    if known is None or known.formula is None or known.type != field.type:
        return field
    if not set(re.findall(r'"(\w+)"', known.formula)) <= fields.keys():
        return field
    return replace(field, formula=known.formula, createable=False, updateable=False)


def _stub(name: str, told: Mapping[str, Any], number: int) -> SObject:
    """An object of which only the name is known."""
    fields = {field: Field(field, field, kind, createable=False, updateable=False) for field, kind in _SYSTEM.items()}
    fields["Name"] = Field("Name", "Name", "string", length=255)
    label = str(told.get("label") or name)
    prefix = str(told.get("keyPrefix") or f"y{number // 10 % 10}{number % 10}")
    return SObject(name, label, str(told.get("labelPlural") or f"{label}s"), prefix, fields)


def _with_persons(sobject: SObject, known: Mapping[str, SObject]) -> SObject:
    """Accounts can be people where the org has the fields and the record type of that."""
    contact = known.get("Contact")
    fits = (
        sobject.name == "Account"
        and {IS_PERSON, PERSON_CONTACT} <= sobject.fields.keys()
        and contact is not None
        and IS_PERSON in contact.fields
        and any(one.person for one in sobject.rules.record_types)
    )
    return replace(sobject, rules=replace(sobject.rules, persons=True)) if fits else sobject
