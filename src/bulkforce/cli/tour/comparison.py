"""Comparing what came back with what went in: turns the three forms of an answer into plain rows."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final
from xml.etree.ElementTree import Element

from bulkforce.cli.tour.companies import Row
from bulkforce.errors import Error


def rows_of_csv(text: str, fields: Sequence[str]) -> list[Row]:
    """Read CSV text; an empty value is null."""
    return [{field: line[field] or None for field in fields} for line in csv.DictReader(io.StringIO(text, newline=""))]


def rows_of_json(records: Iterable[Mapping[str, object]], fields: Sequence[str]) -> list[Row]:
    """Read dicts; a parent is a nested dict."""
    return [{field: _text(record, field.split(".")) for field in fields} for record in records]


def rows_of_xml(root: Element, fields: Sequence[str]) -> list[Row]:
    """Read a ``queryResult``; a parent is a nested element."""
    paths = {field: "/".join(f"{{*}}{name}" for name in field.split(".")) for field in fields}
    return [
        {field: record.findtext(path) or None for field, path in paths.items()} for record in root.findall("{*}records")
    ]


ROWS_OF: Final[Mapping[str, Callable[..., list[Row]]]] = {"CSV": rows_of_csv, "JSON": rows_of_json, "XML": rows_of_xml}


def _text(value: object, path: Sequence[str]) -> str | None:
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    if isinstance(value, int):
        # The only number queried is a date, which the Bulk API returns in JSON as milliseconds.
        return datetime.fromtimestamp(value / 1000, UTC).date().isoformat()
    return None if value is None else str(value)


def compare(expected: Iterable[Row], found: Iterable[Row], key: str) -> int:
    """Return how many rows agree.

    Raises:
        Error: Some rows differ.
    """
    wanted = {row[key]: row for row in expected}
    given = list(found)
    got = {row[key]: row for row in given}
    wrong = sorted(str(name) for name in wanted.keys() | got.keys() if wanted.get(name) != got.get(name))
    if wrong or len(given) != len(wanted):
        raise Error(
            f"What came back is not what went in: {len(wanted)} records went in, {len(given)} came back, "
            f"{len(wrong)} differ: {', '.join(wrong[:5])}"
        )
    return len(given)
