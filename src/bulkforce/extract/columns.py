"""Columns of an extract: their names as the org writes them, and the describe information of their fields."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from bulkforce.errors import ProtocolError
from bulkforce.protocol.rest import FieldDescription, SObjectDescription

# If a parent may be one of several objects, queries return the fields of the object Name, of which one is not text.
_POLYMORPHIC: Final = {"isactive": "boolean"}


@dataclass(frozen=True, slots=True)
class Column:
    """One column of an extract.

    Attributes:
        name: As in the header of the results: a field, or its path from the object (``Account.Owner.Name``).
        type: The field's type in describe (``currency``, ``datetime``, ...); ``None`` if it is unknown, which makes it
            text.
        precision: Digits of a number, including decimals.
        scale: Digits after the decimal point.
        calculated: Whether it is a formula.
    """

    name: str
    type: str | None = None
    precision: int = 0
    scale: int = 0
    calculated: bool = False


def columns_of(
    names: Sequence[str], object_name: str, describe: Callable[[str], SObjectDescription | None]
) -> list[Column]:
    """Look up the fields of a query's columns.

    Args:
        names: As selected, or as in the header of the results; anything but a field or path, such as
            ``toLabel(Status)``, is text.
        object_name: The object after FROM.
        describe: Describes an object; returns ``None`` if the user may not see it. Called once per object.
    """
    seen: dict[str, dict[str, FieldDescription]] = {}

    def fields_of(described: str) -> dict[str, FieldDescription]:
        if described not in seen:
            found = describe(described)
            # Parents are found by the name of the relationship with a dot, which no field has.
            seen[described] = {}
            for field in found.fields if found else ():
                seen[described][field.name.lower()] = field
                if field.relationship_name:
                    seen[described].setdefault(_parent(field.relationship_name), field)
        return seen[described]

    def column_of(name: str) -> Column:
        first, dot, rest = name.lower().partition(".")
        fields = fields_of(object_name)
        if dot and _parent(first) not in fields:
            # The object itself, or an alias, may precede a field.
            first, dot, rest = rest.partition(".")
        while dot and (relationship := fields.get(_parent(first))):
            first, dot, rest = rest.partition(".")
            if len(relationship.reference_to) != 1:
                return Column(name, None if dot else _POLYMORPHIC.get(first))
            fields = fields_of(relationship.reference_to[0])
        field = None if dot else fields.get(first)
        return Column(name, field.type, field.precision, field.scale, field.calculated) if field else Column(name)

    return [column_of(name) for name in names]


def _parent(relationship: str) -> str:
    return relationship.lower() + "."


def other_columns(due: Sequence[str], came: Sequence[str]) -> ProtocolError:
    """Return the error for a part whose columns are different.

    It does not show the other columns: if the header is missing, they are a record.
    """
    return ProtocolError(
        f"The results do not all have the same columns: first {', '.join(due)}, then {len(came)} different ones"
    )
