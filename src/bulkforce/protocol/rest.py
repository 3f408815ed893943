"""The few calls of the REST API that bulk work needs.

Source: what Salesforce clients in production ask for; the least answer of each is in ``conformance/``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, quote_plus

from bulkforce.errors import ProtocolError
from bulkforce.protocol import wire_json
from bulkforce.protocol.exchange import Answer, Exchange, Request
from bulkforce.protocol.faults import intercepted
from bulkforce.protocol.wire import same_name, shown


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

    def read(answer: Answer) -> SObjectDescription:
        described = _description(answer)
        if not same_name(object_name, described.name):
            raise ProtocolError(f"The org describes {shown(described.name)} where {shown(object_name)} was asked for", answer.facts())
        return described

    return Exchange(_get(f"/sobjects/{quote(object_name, safe='')}/describe"), read)


def count_records(object_name: str) -> Exchange[int]:
    """Ask how many records an object has, deleted ones not counted."""
    return Exchange(_get(f"/query?q=SELECT+COUNT()+FROM+{quote(object_name, safe='')}"), _total)


def count(soql: str, *, all_rows: bool = False) -> Exchange[int]:
    """Ask how many records a query with ``COUNT()`` finds; with ``all_rows`` deleted and archived ones, too."""
    return Exchange(_get(f"/{'queryAll' if all_rows else 'query'}?q={quote_plus(soql)}"), _total)


def remaining_batches() -> Exchange[int | None]:
    """Ask how many batches the org still takes in this rolling day; ``None`` if it does not say."""
    return Exchange(_get("/limits"), _remaining)


def _get(path: str) -> Request:
    return Request("GET", "/services/data/v{version}" + path, {"Accept": "application/json"}, session_header="Authorization")


def _members(answer: Answer) -> Mapping[str, object]:
    if answer.media_type != wire_json.MEDIA:
        raise intercepted(answer)
    value = wire_json.value_of(answer)
    return value if isinstance(value, Mapping) else {}


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _remaining(answer: Answer) -> int | None:
    daily = _members(answer).get("DailyBulkApiBatches")
    return _count(daily.get("Remaining")) if isinstance(daily, Mapping) else None


def _total(answer: Answer) -> int:
    total = _count(_members(answer).get("totalSize"))
    if total is None:
        raise ProtocolError("The org does not say how many records there are", answer.facts())
    return total


def _description(answer: Answer) -> SObjectDescription:
    members = _members(answer)
    name, fields = members.get("name"), members.get("fields")
    if not isinstance(name, str) or not isinstance(fields, list):
        raise ProtocolError("The description of an object is not what it should be", answer.facts())
    return SObjectDescription(name, tuple(_field(told, answer) for told in fields))


def _field(told: object, answer: Answer) -> FieldDescription:
    if not isinstance(told, Mapping) or not isinstance(told.get("name"), str) or not isinstance(told.get("type"), str):
        raise ProtocolError("The description of an object has a field without name or type", answer.facts())

    def number(name: str) -> int:
        return _count(told.get(name)) or 0

    def text(name: str) -> str | None:
        value = told.get(name)
        return value if isinstance(value, str) else None

    parents = told.get("referenceTo")
    return FieldDescription(
        name=told["name"],
        type=told["type"],
        length=number("length"),
        precision=number("precision"),
        scale=number("scale"),
        nillable=told.get("nillable") is not False,
        compound_field_name=text("compoundFieldName"),
        relationship_name=text("relationshipName"),
        reference_to=tuple(map(str, parents)) if isinstance(parents, list) else (),
        calculated=told.get("calculated") is True,
    )
