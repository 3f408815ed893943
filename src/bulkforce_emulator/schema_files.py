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

import re
import tomllib
from collections.abc import Mapping
from dataclasses import fields as dataclass_fields
from functools import cache, lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from bulkforce_emulator.config_files import read_document
from bulkforce_emulator.schema import NUMBER_TYPES, TYPES, Field, Schema, SObject

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

_LINE = re.compile(r"(?P<type>\w+)(?:\((?P<detail>[^)]*)\))?(?P<words>.*)", re.DOTALL)
_ATTRIBUTES = {field.name for field in dataclass_fields(Field)}
_LENGTHS = {
    "phone": 40, "email": 80, "url": 255, "string": 255, "textarea": 255, "picklist": 255, "combobox": 255,
    "multipicklist": 4099, "encryptedstring": 175, "id": 18, "reference": 18,
}  # fmt: skip
_ADDRESS_PARTS = {
    "Street": "textarea(255)", "City": "string(40)", "State": "string(80)", "PostalCode": "string(20)",
    "Country": "string(80)", "Latitude": "double(18,15)", "Longitude": "double(18,15)",
    "GeocodeAccuracy": "picklist(Address|NearAddress|Block|Street|ExtendedZip|Zip|Neighborhood|City|County|State)",
}  # fmt: skip
_OWNER = "reference(User) relationship=Owner defaulted"
_SYSTEM = {
    "IsDeleted": "boolean read_only",
    "CreatedDate": "datetime read_only defaulted",
    "CreatedById": "reference(User) relationship=CreatedBy read_only defaulted",
    "LastModifiedDate": "datetime read_only defaulted",
    "LastModifiedById": "reference(User) relationship=LastModifiedBy read_only defaulted",
    "SystemModstamp": "datetime read_only defaulted",
}


#: Schemas made so far, by their source.
_made: dict[str, Schema] = {}
_MOST_MADE = 16


class SchemaError(ValueError):
    """An invalid schema: an unknown type or attribute, or a reference to an unknown object."""


def load_schema(source: str | os.PathLike[str] | Mapping[str, Any] | Schema | None = None) -> Schema:
    """Read a schema and add it to the standard objects.

    Args:
        source: A TOML or JSON file, a mapping of the same form, a finished schema, or None for the standard objects.

    Raises:
        SchemaError: The schema is invalid.
        OSError: The file cannot be read.
        ValueError: It is not valid TOML or JSON.
    """
    if isinstance(source, Schema):
        return source
    given = {} if source is None else source if isinstance(source, Mapping) else read_document(source)
    # A schema never changes, and a test suite makes many orgs with the same one.
    key = repr(given)
    made = _made.get(key)
    if made is None:
        described = {name: dict(described) for name, described in _standard().items()}
        for name, description in given.items():
            _lay_over(described, name, description)
        made = _checked(Schema(_sobjects(described)))
        while len(_made) >= _MOST_MADE:
            _made.pop(next(iter(_made)), None)
        _made[key] = made
    return made


def _lay_over(described: dict[str, dict[str, Any]], name: str, description: Mapping[str, Any]) -> None:
    for what, given in (
        (name, description),
        (f"{name}.fields", description.get("fields", {}) if isinstance(description, dict) else {}),
    ):
        if not isinstance(given, dict):
            raise SchemaError(f"{what} must be a table, not {given!r}")
    known = next((standard for standard in described if standard.lower() == name.lower()), name)
    below = described.get(known, {})
    described[known] = {
        **below,
        **description,
        "fields": {**below.get("fields", {}), **description.get("fields", {})},
    }


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


def _sobjects(described: Mapping[str, Mapping[str, Any]]) -> Iterable[SObject]:
    taken = {description["key_prefix"] for description in described.values() if "key_prefix" in description}
    free = (prefix for number in range(36 * 36) if (prefix := "a" + _base36(number)) not in taken)
    for name, description in described.items():
        yield _sobject(name, description, description.get("key_prefix") or next(free))


def _base36(number: int) -> str:
    digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    return digits[number // 36] + digits[number % 36]


def _sobject(name: str, description: Mapping[str, Any], key_prefix: str) -> SObject:
    label = description.get("label") or _label(name)
    given = dict(description.get("fields", {}))
    lines: dict[str, Any] = {"Id": "id read_only defaulted"}
    if name.endswith("__c") and "Name" not in given:
        lines["Name"] = "string(80) defaulted"
    if description.get("owner", name.endswith("__c")):
        lines["OwnerId"] = _OWNER
    lines |= given | _SYSTEM
    fields: dict[str, Field] = {}
    for field_name, spec in lines.items():
        for field in _fields_of_line(field_name, spec) if isinstance(spec, str) else _fields(field_name, spec):
            fields[field.name] = field
    plural = description.get("label_plural") or (label if label.endswith("s") else f"{label}s")
    return SObject(name, label, plural, key_prefix, fields, bulk=description.get("bulk", True))


@lru_cache(4096)
def _fields_of_line(name: str, line: str) -> tuple[Field, ...]:
    """Cached: the standard objects have hundreds of lines, the same for every org."""
    return tuple(_fields(name, line))


def _fields(name: str, spec: str | Mapping[str, Any]) -> Iterable[Field]:
    attributes = _from_line(spec, name) if isinstance(spec, str) else dict(spec)
    if attributes.get("type") == "address":
        stem = name.removesuffix("Address")
        for part, line in _ADDRESS_PARTS.items():
            yield _field(stem + part, _from_line(line, stem + part) | {"compound_field_name": name})
        attributes |= {"createable": False, "updateable": False}
    yield _field(name, attributes)


def _from_line(line: str, name: str) -> dict[str, Any]:
    match = _LINE.fullmatch(line.strip())
    if match is None:
        raise SchemaError(f"{name}: {line!r} is not the description of a field")
    attributes: dict[str, Any] = {"type": match["type"]}
    _read_detail(attributes, match["detail"])
    for word in re.findall(r"\w+=\"[^\"]*\"|\S+", match["words"]):
        key, _, value = word.partition("=")
        if key in _WORDS and not value:
            attributes |= _WORDS[key]
        elif key in {"default", "relationship", "children", "label", "compound"}:
            attributes[_LONG_NAMES.get(key, key)] = value.strip('"')
        else:
            raise SchemaError(f"{name}: {word!r} is not a property of a field")
    return attributes


_LONG_NAMES = {
    "relationship": "relationship_name",
    "children": "child_relationship_name",
    "compound": "compound_field_name",
}
_WORDS: dict[str, dict[str, Any]] = {
    "required": {"nillable": False},
    "unique": {"unique": True},
    "external_id": {"external_id": True, "id_lookup": True},
    "id_lookup": {"id_lookup": True},
    "case_sensitive": {"case_sensitive": True},
    "cascade": {"cascade_delete": True},
    "restrict": {"restricted_delete": True},
    "restricted": {"restricted": True},
    "read_only": {"createable": False, "updateable": False},
    "create_only": {"updateable": False},
    "auto_number": {"auto_number": True, "createable": False, "updateable": False},
    "calculated": {"calculated": True, "createable": False, "updateable": False},
    "defaulted": {"defaulted_on_create": True, "nillable": False},
}


def _read_detail(attributes: dict[str, Any], detail: str | None) -> None:
    if not detail:
        return
    kind = attributes["type"]
    if kind in NUMBER_TYPES:
        precision, _, scale = detail.partition(",")
        attributes |= {"precision": int(precision), "scale": int(scale or 0)}
    elif kind in {"picklist", "multipicklist", "combobox"}:
        attributes["picklist"] = tuple(detail.split("|"))
    elif kind == "reference":
        attributes["reference_to"] = tuple(part.strip() for part in detail.split("|"))
    else:
        attributes["length"] = int(detail)


def _field(name: str, attributes: dict[str, Any]) -> Field:
    if attributes.pop("required", False):
        attributes["nillable"] = False
    unknown = attributes.keys() - _ATTRIBUTES
    if unknown:
        raise SchemaError(f"{name}: {', '.join(sorted(unknown))} is not an attribute of a field")
    kind = attributes.get("type")
    if kind not in TYPES:
        raise SchemaError(f"{name}: {kind!r} is not the type of a field")
    for listed in ("picklist", "reference_to"):
        value = attributes.get(listed, ())
        attributes[listed] = (value,) if isinstance(value, str) else tuple(value)
    _defaults_of_type(name, attributes)
    return Field(**{"name": name, "label": _label(name, kind), **attributes})


def _defaults_of_type(name: str, attributes: dict[str, Any]) -> None:
    kind = attributes["type"]
    attributes.setdefault("length", _LENGTHS.get(kind, 0))
    if kind in {"double", "currency", "percent"}:
        attributes.setdefault("precision", 18)
        attributes.setdefault("scale", 2 if kind != "double" else 0)
    if kind == "int":
        attributes.setdefault("precision", 8)
    if kind == "boolean":
        attributes["nillable"] = False
        attributes["default"] = str(attributes.get("default") or "false").lower() == "true"
        attributes["defaulted_on_create"] = True
    elif attributes.get("default") is not None:
        attributes.setdefault("defaulted_on_create", True)
    if attributes.get("external_id"):
        attributes.setdefault("id_lookup", True)
    if attributes.get("formula"):
        attributes |= {"calculated": True, "createable": False, "updateable": False}
    if kind == "reference" and "relationship_name" not in attributes:
        custom = name.endswith("__c")
        attributes["relationship_name"] = name[:-1] + "r" if custom else name.removesuffix("Id")


def _label(name: str, kind: str | None = None) -> str:
    """`MailingPostalCode` is labelled as Mailing Postal Code, a reference `AccountId` as Account ID."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", re.sub(r"__[cr]$", "", name))
    words = words.replace("_", " ")
    return re.sub(r"\bId$", "ID", words) if kind in {"reference", "id"} else words
