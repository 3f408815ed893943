"""Schemas from TOML, JSON and mappings, each added to the standard objects.

A field is either a table of `Field`'s attributes or one line:

    Email          = "email unique external_id"
    Name           = "string(255) required"
    Amount__c      = "currency(16,2)"
    Account__c     = "reference(Account) relationship=Account__r children=Orders__r cascade"
    Project__c     = "reference(Project__c) relationship=Project__r restrict"  # keeps its project from deletion
    Status__c      = "picklist(Open|Closed) restricted default=Open"
    Total__c       = { type = "double", formula = '"Price__c" * "Quantity__c"' }
    Address        = "address"            # a compound: its parts come with it
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bulkforce_emulator.config_files import did_you_mean, read_document, shortened
from bulkforce_emulator.schema import Field, Schema, SObject
from bulkforce_emulator.schema_files import rules, switches
from bulkforce_emulator.schema_files.described import read_described
from bulkforce_emulator.schema_files.lines import SchemaError, fields_of, fields_of_line, label_of
from bulkforce_emulator.sharing import share_of
from bulkforce_emulator.standard import PK_CHUNKABLE

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

    from bulkforce_emulator.rules import RecordType, Rules

__all__ = ["SchemaError", "load_schema"]

_OWNER = "reference(User) relationship=Owner defaulted"
_SYSTEM = {
    "IsDeleted": "boolean read_only",
    "CreatedDate": "datetime read_only defaulted",
    "CreatedById": "reference(User) relationship=CreatedBy read_only defaulted",
    "LastModifiedDate": "datetime read_only defaulted",
    "LastModifiedById": "reference(User) relationship=LastModifiedBy read_only defaulted",
    "SystemModstamp": "datetime read_only defaulted",
}


#: What is said of an object, and the type of each.
_ABOUT: dict[str, type | tuple[type, ...]] = {
    "key_prefix": str, "label": str, "label_plural": str, "owner": bool, "bulk": bool, "fields": Mapping, **rules.ABOUT,
}  # fmt: skip
_KIND_NAMES = {str: "a string", bool: "true or false", Mapping: "a table"}
#: Names that people put around their objects.
_WRAPPERS = frozenset({"objects", "object", "sobjects", "sobject", "schema", "tables"})
#: How like a standard object a name must be to be taken for its misspelling.
_ALIKE = 0.85

#: Schemas made so far, by their source.
_made: dict[str, Schema] = {}
_MOST_MADE = 16


def load_schema(
    source: str | os.PathLike[str] | Mapping[str, Any] | Schema | None = None,
    *,
    describe: str | os.PathLike[str] | None = None,
) -> Schema:
    """Read a schema and add it to the standard objects.

    Args:
        source: A TOML or JSON file, a mapping of the same form, a finished schema, or None for the standard objects.
        describe: A folder of an org's answers to describe, as `bulkforce describe --save` writes them: its objects take
            the place of the standard ones, and `source` adds to them.

    Raises:
        SchemaError: The schema is invalid.
        OSError: A file cannot be read.
        ValueError: It is not valid TOML or JSON.
    """
    if isinstance(source, Schema):
        return source
    given = {} if source is None else source if isinstance(source, Mapping) else read_document(source)
    folder = Path() if source is None or isinstance(source, Mapping) else Path(source).parent
    if describe is not None:
        return _make(given, folder, read_described(describe, load_schema().sobjects))
    # A schema never changes, and a test suite makes many orgs with the same one.
    key = repr(given)
    made = _made.get(key)
    if made is None:
        made = _make(given, folder, {})
        while len(_made) >= _MOST_MADE:
            _made.pop(next(iter(_made)), None)
        # Code may say the same of itself and be other code.
        if not any(_has_code(sobject.rules) for sobject in made.sobjects.values()):
            _made[key] = made
    return made


def _make(given: Mapping[str, Any], folder: Path, own: Mapping[str, SObject]) -> Schema:
    """The schema of an org that has these objects of its own instead of the standard ones."""
    described: dict[str, dict[str, Any]] = {name: {} for name in own}
    described = {name: dict(about) for name, about in _standard().items()} | described
    chosen = switches.chosen(given)
    for name, description in given.items():
        if name not in switches.SWITCHES:
            _lay_over(described, name, description)
    switches.add(described, chosen, own)
    types = {name: rules.record_types(name, said) for name, said in described.items()}
    for name, said in list(described.items()):
        _add_what_follows(described, name, said, types[name])
    sobjects = [
        rules.with_rules(sobject, described[sobject.name], types.get(sobject.name, ()), folder)
        if rules.ABOUT.keys() & described[sobject.name].keys()
        else sobject
        for sobject in _sobjects(described, own)
    ]
    return _checked(Schema(switches.finished(sobjects, chosen)))


def _add_what_follows(
    described: dict[str, dict[str, Any]], name: str, said: dict[str, Any], types: tuple[RecordType, ...]
) -> None:
    """Add the field that record types need, and the object that sharing needs."""
    if types:
        default = next((f" default={one.id}" for one in types if one.default), "")
        line = f'reference(RecordType) relationship=RecordType label="Record Type ID"{default}'
        described[name] = {**said, "fields": {**said.get("fields", {}), "RecordTypeId": line}}
    if said.get("sharing", "edit") != "edit":
        share = share_of(name)
        described.setdefault(share.name, {"fields": {
            share.parent: f"reference({name}) required",
            "UserOrGroupId": 'reference(User) required relationship=UserOrGroup label="User/Group ID"',
            share.level: "picklist(Read|Edit|All) default=Read",
            "RowCause": 'picklist(Owner|Manual|Rule|Team) default=Manual label="Row Cause"',
        }})  # fmt: skip


def _has_code(of: Rules) -> bool:
    return bool(of.triggers) or any(not isinstance(rule.condition, str) for rule in of.validation)


def _lay_over(described: dict[str, dict[str, Any]], name: str, description: object) -> None:
    known = next((standard for standard in described if standard.lower() == str(name).lower()), name)
    said = _checked_description(described, known, description)
    below = described.get(known, {})
    described[known] = {**below, **said, "fields": {**below.get("fields", {}), **said.get("fields", {})}}


def _checked_description(described: Mapping[str, object], name: str, description: object) -> Mapping[str, Any]:
    """Refuse what cannot be meant as it is written."""
    if str(name).lower() in _WRAPPERS and name not in described:
        raise SchemaError(f"{name} is not an object; write [Contact.fields], not [{name}.Contact.fields]")
    if not isinstance(name, str) or not isinstance(description, Mapping):
        near = did_you_mean(str(name), switches.SWITCHES, _ALIKE) or _instead(described, name)
        raise SchemaError(f"{name} must be a table, not {shortened(description)}{near}")
    for what, value in description.items():
        kind = _ABOUT.get(what)
        if kind is None:
            near = did_you_mean(what, _ABOUT)
            if not near and isinstance(value, str | Mapping):
                near = f"; fields stand in a table of their own, [{name}.fields]"
            raise SchemaError(f"{name}.{what} is nothing that can be said of an object{near}")
        if not isinstance(value, kind):
            wanted = "a table or a list" if isinstance(kind, tuple) else _KIND_NAMES[kind]
            raise SchemaError(f"{name}.{what} must be {wanted}, not {shortened(value)}")
    near = "" if "key_prefix" in description else _instead(described, name)
    if near:
        raise SchemaError(
            f"{name} is not a standard object{near} An object of your own that is called so needs a key_prefix"
        )
    return description


def _instead(described: Mapping[str, object], name: str) -> str:
    """The standard object that is probably meant."""
    if not isinstance(name, str) or name in described or name in PK_CHUNKABLE or name.endswith("__c"):
        return ""
    return did_you_mean(name, described, _ALIKE)


def _checked(schema: Schema) -> Schema:
    for sobject in schema.sobjects.values():
        for field in sobject.fields.values():
            for parent in field.reference_to:
                if parent not in schema.sobjects:
                    raise SchemaError(f"{sobject.name}.{field.name} refers to {parent}, which is not an object here")
    return schema


@cache
def _standard() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for file in sorted(resources.files("bulkforce_emulator.standard").iterdir(), key=lambda file: file.name):
        if file.name.endswith(".toml"):
            found |= tomllib.loads(file.read_text(encoding="utf-8"))
    return found


def _sobjects(described: Mapping[str, Mapping[str, Any]], own: Mapping[str, SObject]) -> Iterable[SObject]:
    taken = {description["key_prefix"] for description in described.values() if "key_prefix" in description}
    taken |= {sobject.key_prefix for sobject in own.values()}
    free = (prefix for number in range(36 * 36) if (prefix := "a" + _base36(number)) not in taken)
    for name, description in described.items():
        if name in own:
            yield _with_fields(own[name], description.get("fields", {}))
        else:
            yield _sobject(name, description, description.get("key_prefix") or next(free))


def _with_fields(sobject: SObject, lines: Mapping[str, Any]) -> SObject:
    """An object of the org's own with further fields."""
    fields = dict(sobject.fields)
    for name, spec in lines.items():
        for field in fields_of_line(name, spec) if isinstance(spec, str) else fields_of(name, spec):
            fields[field.name] = field
    return replace(sobject, fields=fields)


def _base36(number: int) -> str:
    digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    return digits[number // 36] + digits[number % 36]


def _sobject(name: str, description: Mapping[str, Any], key_prefix: str) -> SObject:
    label = description.get("label") or label_of(name)
    given = dict(description.get("fields", {}))
    lines: dict[str, Any] = {"Id": "id read_only defaulted"}
    if name.endswith("__c") and "Name" not in given:
        lines["Name"] = "string(80) defaulted"
    if description.get("owner", name.endswith("__c")):
        lines["OwnerId"] = _OWNER
    lines |= given | _SYSTEM
    fields: dict[str, Field] = {}
    for field_name, spec in lines.items():
        for field in fields_of_line(field_name, spec) if isinstance(spec, str) else fields_of(field_name, spec):
            fields[field.name] = field
    plural = description.get("label_plural") or (label if label.endswith("s") else f"{label}s")
    return SObject(name, label, plural, key_prefix, fields, bulk=description.get("bulk", True))
