"""Keeps the first rows of an extract in memory, to be looked at."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import islice
from pathlib import Path

from bulkforce.extract.columns import Column
from bulkforce.extract.numbers import TYPES
from bulkforce.formats import csv
from bulkforce.formats.rows import rows_of
from bulkforce.formats.values import without_exponent


class FirstRows:
    """Keeps rows; their values are texts, numbers as plain decimals, and ``None`` where the org has no value.

    Args:
        most: How many rows to keep at most.

    Attributes:
        columns: The columns with their types.
        rows: The rows.
        numbers: Places of the columns that hold numbers.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self.columns: Sequence[Column] = ()
        self.rows: list[list[str | None]] = []
        self.numbers: Collection[int] = ()

    def begin(self, columns: Sequence[Column]) -> None:
        """Set the columns."""
        self.columns = columns
        self.numbers = {place for place, column in enumerate(columns) if column.type in TYPES}

    def add(self, part: Path) -> None:
        """Keep rows of the next part while there is room for them."""
        with part.open("rb") as file:
            file.seek(csv.header_of(part).end)
            content = b"" if len(self.rows) >= self._most else file.read()
        self.rows += map(self._row, islice(rows_of(content), self._most - len(self.rows)))

    def _row(self, raw: bytes) -> list[str | None]:
        values: list[str | None] = [csv.unquote(value).decode() or None for value in csv.split(raw)]
        for place in self.numbers:
            value = values[place]
            values[place] = value and without_exponent(value)
        return values

    def finish(self) -> None:
        """Do nothing: all rows are there."""

    def discard(self) -> None:
        """Do nothing: what was kept is of use to the one who has it."""
