"""One field of a schema file: a table of `Field`'s attributes, or one line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields as dataclass_fields
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

from bulkforce_emulator.config_files import did_you_mean, shortened
from bulkforce_emulator.schema import NUMBER_TYPES, TYPES, Field

if TYPE_CHECKING:
    from collections.abc import Iterable

_WORD = re.compile(r"""\w+="[^"]*"|\w+='[^']*'|\S+""")
_LINE = re.compile(r"(?P<type>\w+)(?:\((?P<detail>[^)]*)\))?(?P<words>.*)", re.DOTALL)
_ATTRIBUTES = {field.name for field in dataclass_fields(Field)} - {"name"}
_LENGTHS = {
    "phone": 40, "email": 80, "url": 255, "string": 255, "textarea": 255, "picklist": 255, "combobox": 255,
    "multipicklist": 4099, "encryptedstring": 175, "id": 18, "reference": 18,
}  # fmt: skip
#: What Setup and the Metadata API call a type.
_IN_SETUP = {
    "text": "string", "number": "double", "checkbox": "boolean", "lookup": "reference", "masterdetail": "reference",
    "multiselectpicklist": "multipicklist", "longtextarea": "textarea", "html": "textarea",
    "encryptedtext": "encryptedstring",
}  # fmt: skip
_ADDRESS_PARTS = {
    "Street": "textarea(255)", "City": "string(40)", "State": "string(80)", "PostalCode": "string(20)",
    "Country": "string(80)", "Latitude": "double(18,15)", "Longitude": "double(18,15)",
    "GeocodeAccuracy": "picklist(Address|NearAddress|Block|Street|ExtendedZip|Zip|Neighborhood|City|County|State)",
}  # fmt: skip


class SchemaError(ValueError):
    """An invalid schema: an unknown type or attribute, or a reference to an unknown object."""


@lru_cache(4096)
def fields_of_line(name: str, line: str) -> tuple[Field, ...]:
    """Cached: the standard objects have hundreds of lines, the same for every org."""
    return tuple(fields_of(name, line))


def fields_of(name: str, spec: str | Mapping[str, Any]) -> Iterable[Field]:
    """The field of that name, and the parts of an address before it.

    Raises:
        SchemaError: There can be no such field.
    """
    if not isinstance(spec, (str, Mapping)):
        raise SchemaError(f"{name} must be a line or a table of attributes, not {shortened(spec)}")
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
    _check_type(name, match["type"])
    attributes: dict[str, Any] = {"type": match["type"]}
    _read_detail(attributes, match["detail"], name)
    for word in _WORD.findall(match["words"]):
        attributes |= _property(word, name)
    return attributes


def _property(word: str, name: str) -> dict[str, Any]:
    key, equals, value = word.partition("=")
    if key in _WORDS:
        if equals:
            raise SchemaError(f"{name}: {key} takes no value: write {key} alone")
        return _WORDS[key]
    if key in _VALUED:
        if not value:
            raise SchemaError(f"{name}: {key} needs a value, as in {key}=x")
        return {_VALUED[key]: _unquoted(value)}
    raise SchemaError(f"{name}: {word!r} is not a property of a field{did_you_mean(key, (*_WORDS, *_VALUED))}")


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text


#: Properties with a value: `default=Open`.
_VALUED = {
    "default": "default",
    "label": "label",
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


def _read_detail(attributes: dict[str, Any], detail: str | None, name: str) -> None:
    if not detail:
        return
    kind = attributes["type"]
    if kind in NUMBER_TYPES:
        precision, _, scale = detail.partition(",")
        digits = [_number(text, name, "number of digits") for text in (precision, scale or "0")]
        attributes |= {"precision": digits[0], "scale": digits[1]}
    elif kind in {"picklist", "multipicklist", "combobox"}:
        attributes["picklist"] = _listed(detail, name, kind)
    elif kind == "reference":
        attributes["reference_to"] = _listed(detail, name, kind)
    else:
        attributes["length"] = _number(detail, name, "length")


def _listed(detail: str, name: str, kind: str) -> tuple[str, ...]:
    """The values of a picklist, or the objects that a reference may be to."""
    values = [value.strip() for value in detail.split("|")]
    parted = [value.strip() for value in re.split(r"[,;]", detail)]
    if len(values) == 1 and len(parted) > 1:
        plain = "|".join(map(_unquoted, parted))
        table = "" if kind == "reference" else "; one that has a comma goes into a table, with picklist as a list"
        raise SchemaError(f"{name}: {detail!r} is one value; several are separated by |, as in {kind}({plain}){table}")
    if any(value != _unquoted(value) for value in values):
        plain = "|".join(map(_unquoted, values))
        raise SchemaError(f"{name}: the values of a {kind} have no quotes around them: write {kind}({plain})")
    if "" in values:
        raise SchemaError(f"{name}: {detail!r} has an empty value")
    return tuple(values)


def _number(text: str, name: str, what: str) -> int:
    if not text.strip().isdecimal():
        raise SchemaError(f"{name}: {text!r} is not a {what}")
    return int(text)


def _check_type(name: str, kind: object) -> None:
    if kind not in TYPES:
        word = str(kind).lower()
        near = f"; did you mean {_IN_SETUP[word]}?" if word in _IN_SETUP else did_you_mean(word, TYPES)
        raise SchemaError(f"{name}: {kind!r} is not the type of a field{near}")


def _field(name: str, attributes: dict[str, Any]) -> Field:
    if attributes.pop("required", False):
        attributes["nillable"] = False
    for attribute, value in attributes.items():
        _check(name, attribute, value)
    kind = attributes.get("type")
    if kind is None:
        raise SchemaError(f"{name} has no type")
    _check_type(name, kind)
    for listed in ("picklist", "reference_to"):
        value = attributes.get(listed, ())
        attributes[listed] = (value,) if isinstance(value, str) else tuple(value)
    _defaults_of_type(name, attributes)
    return Field(**{"name": name, "label": label_of(name, kind), **attributes})


def _check(name: str, attribute: str, value: object) -> None:
    if attribute not in _ATTRIBUTES:
        near = did_you_mean(attribute, (*_ATTRIBUTES, "required"))
        raise SchemaError(f"{name}: {attribute} is not an attribute of a field{near}")
    kind = _kinds()[attribute]
    if attribute in {"picklist", "reference_to"}:
        listed = [value] if isinstance(value, str) else value
        fits = isinstance(listed, (list, tuple)) and all(isinstance(one, str) for one in listed)
        wanted = "a list of strings"
    else:
        fits = kind is object or type(value) is kind or (value is None and kind is str)
        wanted = {bool: "true or false", int: "a number"}.get(kind, "a string")
    if not fits:
        raise SchemaError(f"{name}: {attribute} must be {wanted}, not {shortened(value)}")


@cache
def _kinds() -> dict[str, type]:
    """The type of each attribute; of `str | None`, the first."""
    return {name: (get_args(kind) or (kind,))[0] for name, kind in get_type_hints(Field).items()}


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


def label_of(name: str, kind: str | None = None) -> str:
    """`MailingPostalCode` is labelled as Mailing Postal Code, a reference `AccountId` as Account ID."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", re.sub(r"__[cr]$", "", name))
    words = words.replace("_", " ")
    return re.sub(r"\bId$", "ID", words) if kind in {"reference", "id"} else words
