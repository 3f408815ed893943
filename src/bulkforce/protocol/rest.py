"""The few calls of the REST API that bulk work needs.

Source: what Salesforce clients in production ask for; the least answer of each is in ``conformance/``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from bulkforce.errors import ProtocolError
from bulkforce.protocol import wire_json
from bulkforce.protocol.exchange import Answer, Exchange, Request


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldDescription:
    """A field of an object, in describe's own words.

    Attributes:
        name: API name.
        type: ``id``, ``string``, ``boolean``, ``int``, ``double``, ``currency``, ``date``, ``datetime``, ``reference``, ``address`` ...
        length: Of a text.
        precision: Digits of a number in all, and ``scale`` those behind the point.
        scale: See ``precision``.
        nillable: Whether it may be empty.
        compound_field_name: The compound that it is a part of.
        relationship_name: How queries reach the parent, and ``reference_to`` which objects that may be.
        reference_to: See ``relationship_name``.
        calculated: Whether it is a formula.
    """

    name: str
    type: str
    length: int = 0
    precision: int = 0
    scale: int = 0
    nillable: bool = True
    compound_field_name: str | None = None
    relationship_name: str | None = None
    reference_to: tuple[str, ...] = ()
    calculated: bool = False


@dataclass(frozen=True, slots=True)
class SObjectDescription:
    """An object: its name in proper case, and its fields."""

    name: str
    fields: tuple[FieldDescription, ...]


def describe(object_name: str) -> Exchange[SObjectDescription]:
    """Ask what fields an object has."""
    return Exchange(_get(f"/sobjects/{quote(object_name, safe='')}/describe"), _description)


def count_records(object_name: str) -> Exchange[int]:
    """Ask how many records an object has, deleted ones not counted."""
    return Exchange(_get(f"/query?q=SELECT+COUNT()+FROM+{quote(object_name, safe='')}"), _total)


def remaining_batches() -> Exchange[int | None]:
    """Ask how many batches the org still takes in this rolling day; ``None`` if it does not say."""
    return Exchange(_get("/limits"), _remaining)


def _get(path: str) -> Request:
    return Request("GET", "/services/data/v{version}" + path, {"Accept": "application/json"}, session_header="Authorization")


def _remaining(answer: Answer) -> int | None:
    value = wire_json.value_of(answer)
    daily = value.get("DailyBulkApiBatches") if isinstance(value, Mapping) else None
    remaining = daily.get("Remaining") if isinstance(daily, Mapping) else None
    return remaining if isinstance(remaining, int) else None


def _total(answer: Answer) -> int:
    value = wire_json.value_of(answer)
    total = value.get("totalSize") if isinstance(value, Mapping) else None
    if not isinstance(total, int):
        raise ProtocolError("The org does not say how many records there are", answer.facts())
    return total


def _description(answer: Answer) -> SObjectDescription:
    value = wire_json.value_of(answer)
    try:
        assert isinstance(value, Mapping)
        return SObjectDescription(str(value["name"]), tuple(map(_field, value["fields"])))
    except (AssertionError, KeyError, TypeError) as error:
        raise ProtocolError("The description of an object is not what it should be", answer.facts()) from error


def _field(told: Mapping[str, object]) -> FieldDescription:
    def number(name: str) -> int:
        value = told.get(name)
        return value if isinstance(value, int) else 0

    def text(name: str) -> str | None:
        value = told.get(name)
        return value if isinstance(value, str) else None

    parents = told.get("referenceTo")
    return FieldDescription(
        name=str(told["name"]),
        type=str(told["type"]),
        length=number("length"),
        precision=number("precision"),
        scale=number("scale"),
        nillable=told.get("nillable") is not False,
        compound_field_name=text("compoundFieldName"),
        relationship_name=text("relationshipName"),
        reference_to=tuple(map(str, parents)) if isinstance(parents, list) else (),
        calculated=told.get("calculated") is True,
    )
