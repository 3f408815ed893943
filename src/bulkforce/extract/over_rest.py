"""What a small query finds, over REST: page by page, in the flat form that a bulk query has, too."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import orjson

from bulkforce.errors import UsageError
from bulkforce.protocol import rest, soql
from bulkforce.protocol.flow import ask
from bulkforce.run.sitting import Sitting

_PATH: Final = re.compile(r"[A-Za-z]\w*(?:\.\w+)*")
_NUMBER_OF_RECORDS: Final = "COUNT()"


@dataclass(frozen=True, slots=True)
class RestRecords:
    """Records, and the names of their columns.

    Attributes:
        names: A field, or its path from the object (``Account.Owner.Name``).
        rows: The values of each record; numbers and booleans are as in JSON.
    """

    names: Sequence[str]
    rows: Iterator[list[object]]


def records(sitting: Sitting, text: str, *, all_rows: bool = False) -> RestRecords:
    """Ask for the first page of what a query finds; the others are asked for as the rows are read.

    Raises:
        UsageError: It has a query of child records inside: they have no place in a row.
        InvalidRequest: The org refuses the query.
    """
    query = soql.read(text)
    if soql.has_children(query):
        raise UsageError(
            "Records of child objects have no place in a row: query the child object by itself, with the id of its "
            "parent"
        )
    page = sitting.run(rest.of_query(query.text, rest.records_page(query.text, all_rows=all_rows)))
    if not page.records and page.total:
        return RestRecords([_NUMBER_OF_RECORDS], iter([[page.total]]))
    names = _names(query.columns, page.records)
    return RestRecords(names, _rows(sitting, names, page))


def numbers_in(rows: Sequence[Sequence[object]]) -> set[int]:
    """Return the places of columns that hold only numbers."""
    columns = [[value for value in column if value is not None] for column in zip(*rows, strict=True)]
    return {
        place for place, values in enumerate(columns) if values and all(type(one) in {int, float} for one in values)
    }


def _names(columns: Sequence[str], found: Sequence[Mapping[str, object]]) -> list[str]:
    """Name the columns as the query does; if it has functions or FIELDS(), as the first record does."""
    if all(map(_PATH.fullmatch, columns)) or not found:
        return list(columns)
    return list(_flat(found[0]))


def _flat(record: Mapping[str, object], before: str = "") -> Iterator[str]:
    for name, value in record.items():
        if isinstance(value, Mapping) and "attributes" in value:
            yield from _flat(value, f"{before}{name}.")
        elif name != "attributes":
            yield before + name


def _rows(sitting: Sitting, names: Sequence[str], page: rest.RecordsPage) -> Iterator[list[object]]:
    paths = [name.lower().split(".") for name in names]
    while True:
        for record in page.records:
            yield [_value(record, path) for path in paths]
        if page.following is None:
            return
        page = sitting.run(ask(rest.following_page(page.following)))


def _value(record: Mapping[str, object], path: Sequence[str]) -> object:
    """Follow a path; a parent that is not there has no values. The object itself, or its alias, may come first."""
    value: object = record
    for place, step in enumerate(path):
        if not isinstance(value, Mapping):
            return None
        members = {name.lower(): member for name, member in value.items()}
        if place == 0 and len(path) > 1 and step not in members:
            continue
        value = members.get(step)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    # Compound fields, such as an address, are objects.
    return orjson.dumps(value).decode() if isinstance(value, (Mapping, list)) else value
