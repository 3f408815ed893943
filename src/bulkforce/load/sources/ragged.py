"""Records that do not all have the same fields: rows of ``csv.DictReader`` that are too short or too long, and parents
that are null in some records.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Final

from bulkforce.errors import FormatError
from bulkforce.formats.csv import NULL, records, split, units, unquote
from bulkforce.formats.values import Value

_NULL: Final = NULL.encode()
_LOOKED_AT: Final = 10_000


def of_reader(reader: csv.DictReader[str]) -> Iterator[Mapping[str, Value]]:
    """Yield a reader's records: what a short row lacks is absent; what a long row has too much is under ``None``."""
    for row in reader:
        too_many = row.pop(reader.restkey, None)
        record: dict[str, Value] = {name: value for name, value in row.items() if value is not None}
        if too_many is not None:
            record[None] = too_many  # type: ignore[index]
        yield record


def is_list_of_reader(records: Iterable[object]) -> bool:
    """Whether records look like a list of ``csv.DictReader``'s rows of which some are too short.

    All begin with a text, and where there is a ``None``, there is nothing behind it.
    """
    is_short = False
    for record in islice(records, _LOOKED_AT):
        values = list(record.values()) if isinstance(record, dict) else []
        if not values or not isinstance(values[0], str):
            return False
        first = next((place for place, value in enumerate(values) if value is None), len(values))
        if any(value is not None for value in values[first:]):
            return False
        is_short = is_short or first < len(values)
    return is_short


def parted(block: Sequence[Mapping[str, Value]]) -> Iterator[tuple[list[Mapping[str, Value]], list[str]]]:
    """Split records behind each that has more values than names, under ``None``, and yield those values with it."""
    if not any(map(_too_many, block)):
        yield list(block), []
        return
    good: list[Mapping[str, Value]] = []
    for record in block:
        too_many = _too_many(record)
        good.append({name: value for name, value in record.items() if name is not None} if too_many else record)
        if too_many:
            yield good, too_many
            good = []
    if good:
        yield good, []


def _too_many(record: Mapping[str | None, Value] | Mapping[str, Value]) -> list[str] | None:
    found = record.get(None) if isinstance(record, dict) and len(record) > 1 else None
    return list(map(str, found)) if isinstance(found, list) else None


def null_parents(columns: Iterable[str]) -> dict[str, str]:
    """Return the columns that stand for a whole parent, each with a column of one of its fields.

    >>> null_parents(["Id", "Account", "Account.Ext__c", "Lead:Who.Email"])
    {'Account': 'Account.Ext__c'}
    """
    names = list(columns)
    first: dict[str, str] = {}
    for name in names:
        relationship, dot, _ = name.partition(".")
        if dot:
            first.setdefault(relationship.rpartition(":")[2], name)
    return {name: first[name] for name in names if name in first}


def folded(blocks: Iterable[bytes], columns: Sequence[str], parents: Mapping[str, str]) -> Iterator[bytes]:
    """Write null into a parent's field where the whole parent is null, and leave out the column of the whole parent.

    Args:
        blocks: Records of CSV that we wrote, without their header.
        columns: The names of the columns.
        parents: See `null_parents`.

    Raises:
        FormatError: In some records the parent is a value and not a record.
    """
    places = {name: place for place, name in enumerate(columns)}
    pairs = [(places[parent], places[field]) for parent, field in parents.items()]
    gone = {place for place, _ in pairs}
    row = 0
    for unit in units(blocks, len(columns)):
        lines = []
        for record in records(unit, len(columns)):
            row += 1
            values = split(record.raw)
            for place, field in pairs:
                value = unquote(values[place])
                if value not in {b"", _NULL}:
                    text = "This is a value, but in other records it is a parent with fields"
                    raise FormatError(text, row=row, column=columns[place])
                values[field] = values[field] if unquote(values[field]) else value
            kept = [value for place, value in enumerate(values) if place not in gone]
            lines.append(b",".join(kept) or b'""')
        yield b"".join([line + b"\n" for line in lines])
