"""The files that the stand-in serves, and where each record begins in them."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Final

_MARK: Final = "#BATCH#"
REFUSALS: Final = (
    "REQUIRED_FIELD_MISSING:Required fields are missing: [LastName]:LastName --",
    "STRING_TOO_LONG:Title: data value too large: number {number} (max length=80):Title --",
)
"""What a record that fails is told: with ``own_messages`` the second, which is another for each record."""

DESCRIBED: Final = json.dumps(
    {
        "name": "Contact",
        "label": "Contact",
        "keyPrefix": "003",
        "queryable": True,
        "createable": True,
        "fields": [
            {"name": "Id", "type": "id", "label": "Id", "length": 18},
            *(
                {"name": one, "type": "string", "label": one, "length": 80}
                for one in ("FirstName", "LastName", "Title")
            ),
            {"name": "Email", "type": "email", "label": "Email", "length": 80},
            {"name": "Phone", "type": "phone", "label": "Phone", "length": 40},
            {"name": "Description", "type": "textarea", "label": "Description", "length": 32_000},
            {"name": "Score__c", "type": "double", "label": "Score", "precision": 18, "scale": 2},
        ],
    }
).encode()
"""What the object's fields are."""


@dataclass(frozen=True)
class Records:
    """A file of records.

    Attributes:
        path: The file; its index lies beside it.
    """

    path: Path

    @cached_property
    def _begins(self) -> array[int]:
        index = self.path.with_suffix(self.path.suffix + ".index")
        found: array[int] = array("Q")
        with index.open("rb") as file:
            found.fromfile(file, index.stat().st_size // 8)
        return found

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self._begins) - 1

    @cached_property
    def header(self) -> bytes:
        """What stands before the first record."""
        with self.path.open("rb") as file:
            return file.read(self._begins[0])

    def span(self, first: int, count: int) -> tuple[int, int]:
        """Return where records begin and end, in bytes."""
        last = min(first + count, len(self))
        return self._begins[first], self._begins[last]


@dataclass(frozen=True, slots=True)
class Span:
    """Content that is sent from a file: some bytes of our own, then a range of it."""

    path: Path
    before: bytes
    start: int
    end: int

    def __len__(self) -> int:
        """Return the number of bytes."""
        return len(self.before) + self.end - self.start


def records_span(records: Records, first: int, count: int) -> Span:
    """Return records with their header."""
    return Span(records.path, records.header, *records.span(first, count))


@dataclass(frozen=True, slots=True)
class Failing:
    """Which records fail: every so-manieth, each with a message of its own or all with one."""

    every: int = 0
    own_messages: bool = False

    def count(self, records: int) -> int:
        """Return how many of a batch fail."""
        return records // self.every if self.every else 0

    def rows(self, records: int) -> Iterator[str | None]:
        """Tell for each record of a batch what is wrong with it, with a gap where a number goes."""
        text = REFUSALS[self.own_messages]
        return (
            text.replace("{number}", f"{_MARK}{row:05}") if self.every and row % self.every == 0 else None
            for row in range(1, records + 1)
        )


@lru_cache(maxsize=4)
def _csv_results(records: int, failing: Failing) -> str:
    rows = [
        f'"003{_MARK}{row:05}AAA","true","true",""\n' if wrong is None else f'"","false","false","{wrong}"\n'
        for row, wrong in enumerate(failing.rows(records), 1)
    ]
    return '"Id","Success","Created","Error"\n' + "".join(rows)


@lru_cache(maxsize=4)
def _json_results(records: int, failing: Failing) -> str:
    rows = [
        {"success": True, "created": True, "id": f"003{_MARK}{row:05}AAA", "errors": []}
        if wrong is None
        else {"success": False, "created": False, "id": None, "errors": [_as_error(wrong)]}
        for row, wrong in enumerate(failing.rows(records), 1)
    ]
    return json.dumps(rows)


def _as_error(text: str) -> dict[str, object]:
    code, message = text.removesuffix(" --").split(":", 1)
    message, field = message.rsplit(":", 1)
    return {"statusCode": code, "message": message, "fields": [field], "extendedErrorDetails": None}


@lru_cache(maxsize=4)
def _xml_results(records: int, failing: Failing) -> str:
    rows = [
        f"<result><id>003{_MARK}{row:05}AAA</id><success>true</success><created>true</created></result>"
        if wrong is None
        else f"<result><errors><message>{wrong}</message><statusCode>{wrong.split(':')[0]}</statusCode></errors>"
        "<success>false</success><created>false</created></result>"
        for row, wrong in enumerate(failing.rows(records), 1)
    ]
    space = "http://www.force.com/2009/06/asyncapi/dataload"
    return f'<?xml version="1.0" encoding="UTF-8"?><results xmlns="{space}">{"".join(rows)}</results>'


_RESULTS: Final = {"CSV": _csv_results, "JSON": _json_results, "XML": _xml_results}


def results(batch: int, records: int, failing: Failing, content_type: str) -> bytes:
    """Write the results of a batch, each with an id that no other has."""
    return _RESULTS[content_type](records, failing).replace(_MARK, f"{batch:07}").encode()
