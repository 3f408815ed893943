"""What a query found, as a table that fits the terminal, as CSV or as JSON lines."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from bulkforce.cli.output import wrapped
from bulkforce.cli.streams import console, flush, shown, tell
from bulkforce.display import counted
from bulkforce.formats.values import without_exponent

if TYPE_CHECKING:
    from rich.text import Text

_NULL = "null"
# An id is whole; with less room, records are shown one below the other.
_NARROWEST = 18
_WIDEST_NAME = 40
_GAP = 2


@dataclass(frozen=True, slots=True)
class Found:
    """What a query found.

    Attributes:
        rows: How many rows.
        names: Names of the columns, if the rows are shown as a table.
        table: These rows.
        numbers: Places of the columns that hold numbers.
        more: Whether there are more rows.
    """

    rows: int
    names: Sequence[str] = ()
    table: Sequence[Sequence[object]] | None = None
    numbers: Collection[int] = ()
    more: bool = False

    @classmethod
    def of_table(
        cls, names: Sequence[str], rows: Sequence[Sequence[object]], numbers: Collection[int], most: int
    ) -> Found:
        """Take at most so many rows."""
        return cls(min(len(rows), most), names, rows[:most], numbers, len(rows) > most)


def done(found: Found) -> str:
    """Say in one line what is done."""
    return f"The query has found {counted(found.rows, 'row')}"


def show(found: Found, *, quiet: bool) -> int:
    """Print the table and the number of rows; the number goes to stderr if stdout has data."""
    rows = counted(found.rows, "row")
    if found.table is None:
        flush()
        if not quiet:
            tell(f"bulkforce: {rows}")
        return 0
    if found.table:
        _draw(found.names, [[_cell(value) for value in row] for row in found.table], found.numbers)
    more = "there are more: --limit N shows N, `bulkforce count` counts all, `bulkforce extract` writes all to a file"
    print(wrapped(f"the first {rows}; {more}" if found.more else rows, ""))
    return 0


def write(names: Sequence[str], rows: Iterable[Sequence[object]], form: Literal["csv", "json"]) -> int:
    """Write rows as CSV or JSON lines; return how many there were."""
    count = 0
    lines = csv.writer(sys.stdout, quoting=csv.QUOTE_ALL, lineterminator="\n")
    if form == "csv":
        lines.writerow(names)
    for row in rows:
        count += 1
        if form == "csv":
            lines.writerow(["" if value is None else _text(value) for value in row])
        else:
            print(json.dumps(dict(zip(names, row, strict=True)), separators=(",", ":"), ensure_ascii=False))
    return count


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return without_exponent(repr(value).upper()) if isinstance(value, float) else str(value)


def _cell(value: object) -> str | None:
    """Write a value in one line; a text that reads like null or has nothing to read is in quotes."""
    if value is None:
        return None
    text = shown(" ".join(_text(value).split()))
    return f'"{text}"' if text in {"", _NULL} else text


def _draw(names: Sequence[str], rows: Sequence[Sequence[str | None]], numbers: Collection[int]) -> None:
    from rich.cells import cell_len

    target = console()
    names = [shown(name) for name in names]
    columns = list(zip(*rows, strict=True))
    widths = [
        max(cell_len(name), *(cell_len(_NULL if value is None else value) for value in column))
        for name, column in zip(names, columns, strict=True)
    ]
    room = target.width - _GAP * (len(names) - 1)
    most = next((most for most in range(max(widths), 0, -1) if sum(min(one, most) for one in widths) <= room), 0)
    if most >= min(_NARROWEST, max(widths)):
        _table(names, rows, numbers, [min(one, most) for one in widths])
    else:
        _records(names, rows, target.width)


def _table(
    names: Sequence[str], rows: Sequence[Sequence[str | None]], numbers: Collection[int], widths: Sequence[int]
) -> None:
    from rich.text import Text

    target = console()
    heads = [Text(_cut(name, width), style="bold") for name, width in zip(names, widths, strict=True)]
    for cells in (heads, *([_painted(value, width) for value, width in zip(row, widths, strict=True)] for row in rows)):
        line = Text(no_wrap=True)
        for place, (cell, width) in enumerate(zip(cells, widths, strict=True)):
            room = " " * (width - cell.cell_len)
            line.append(room if place in numbers else "").append_text(cell)
            line.append("" if place in numbers else room).append(" " * _GAP)
        line.rstrip()
        target.print(line)


def _records(names: Sequence[str], rows: Sequence[Sequence[str | None]], width: int) -> None:
    """Show each record as lines of name and value, as there is no room for all columns side by side."""
    from rich.cells import cell_len, set_cell_size

    target = console()
    wide = min(max(map(cell_len, names)), _WIDEST_NAME)
    for number, row in enumerate(rows, 1):
        target.print(f"row {number:,}", style="bold", markup=False)
        for name, value in zip(names, row, strict=True):
            line = _painted(value, max(width - wide - _GAP - 2, _NARROWEST))
            target.print(f"  {set_cell_size(_cut(name, wide), wide)}{'':{_GAP}}", end="", markup=False)
            target.print(line, no_wrap=True)


def _painted(value: str | None, width: int) -> Text:
    from rich.text import Text

    return Text(_NULL, style="dim") if value is None else Text(_cut(value, width))


def _cut(text: str, width: int) -> str:
    from rich.cells import cell_len, set_cell_size

    return text if cell_len(text) <= width else set_cell_size(text, max(width - 3, 0)).rstrip() + "..."[:width]
