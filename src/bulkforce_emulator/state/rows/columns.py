"""Which fields the columns of an upload stand for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bulkforce_emulator.uploads import BatchError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bulkforce_emulator.schema import Field, Schema, SObject
    from bulkforce_emulator.settings import Settings

_HEADER = re.compile(r"(?:(?P<type>\w+):)?(?P<name>\w+)(?:\.(?P<index>\w+))?")


@dataclass(frozen=True, slots=True)
class Column:
    """One column of an upload: a field, or a reference by an indexed field of the parent."""

    header: str
    field: Field
    parent: SObject | None = None
    index: Field | None = None


def resolve(schema: Schema, sobject: SObject, headers: Iterable[str], settings: Settings) -> list[Column]:
    """Find the fields of headers, in any letter case.

    Raises:
        BatchError: A field is unknown, or there twice.
    """
    found: dict[str, Column] = {}
    for header in headers:
        column = _column(schema, sobject, header)
        if column is None:
            raise BatchError.of(settings.texts.batches.field_unknown, name=header)
        if column.field.name in found and settings.duplicate_csv_header == "refuse":
            raise BatchError.of(settings.texts.batches.field_twice, name=header)
        found[column.field.name] = column
    return list(found.values())


def _column(schema: Schema, sobject: SObject, header: str) -> Column | None:
    match = _HEADER.fullmatch(header)
    if match is None:
        return None
    if match["index"] is None:
        field = sobject.field(header)
        return Column(header, field) if field is not None and field.is_column else None
    field = sobject.relationship(match["name"])
    parent = None if field is None else _parent(schema, field, match["type"])
    index = None if parent is None else parent.field(match["index"])
    if field is None or parent is None or index is None or not index.indexed:
        return None
    return Column(header, field, parent, index)


def _parent(schema: Schema, field: Field, named: str | None) -> SObject | None:
    """The object meant. A polymorphic relationship must name it, a plain one must not."""
    # On the platform an owner is a user or a queue, so its type may be named there, too.
    if field.polymorphic or (named is not None and field.name == "OwnerId"):
        parent = schema.get(named or "")
        return parent if parent is not None and parent.name in field.reference_to else None
    return schema.get(field.reference_to[0]) if named is None and field.reference_to else None
