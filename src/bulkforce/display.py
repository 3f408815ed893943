"""How results show themselves: as text in a terminal, and as HTML in a notebook.

The HTML is escaped and needs nothing from elsewhere; it takes its colours from what surrounds it, light or dark.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Final, Protocol, TypeVar

T = TypeVar("T")

MOST_ROWS: Final = 50
"""How many rows of a table are shown."""

_CELL: Final = "text-align:left;padding:.15em .8em .15em 0;border-bottom:1px solid rgba(128,128,128,.35);"
_NUMBER: Final = "text-align:right;font-variant-numeric:tabular-nums;"


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under a title; numbers are shown with separators, ``None`` as nothing.

    Attributes:
        title: The title.
        header: Names of the columns; empty for none.
        rows: The rows.
    """

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[object]]


@dataclass(frozen=True, slots=True)
class Display:
    """What is shown: a heading, and tables."""

    heading: str
    tables: Sequence[Table] = field(default_factory=list)

    def text(self) -> str:
        """Return it as lines of text."""
        lines = [_line(self.heading)]
        for table in self.tables:
            lines += [_line(table.title)] if table.title else []
            shown = [list(table.header)] if table.header else []
            shown += [[_line(_worded(cell)) for cell in row] for row in table.rows[:MOST_ROWS]]
            widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
            numbers = _numbers(table)
            for row in shown:
                cells = (
                    cell.rjust(width) if place in numbers else cell.ljust(width)
                    for place, (cell, width) in enumerate(zip(row, widths, strict=True))
                )
                lines.append(f"  {'  '.join(cells)}".rstrip())
            lines += [f"  ... and {len(table.rows) - MOST_ROWS:,} more"] if len(table.rows) > MOST_ROWS else []
        return "\n".join(lines)

    def html(self) -> str:
        """Return it as HTML."""
        parts = [f"<div><strong>{escape(self.heading)}</strong>"]
        for table in self.tables:
            numbers = _numbers(table)

            def cells(row: Sequence[object], tag: str, numbers: set[int] = numbers) -> str:
                return "".join(
                    f'<{tag} style="{_CELL}{_NUMBER if place in numbers else ""}">{escape(_worded(cell))}</{tag}>'
                    for place, cell in enumerate(row)
                )

            parts.append(f"<div>{escape(table.title)}</div>" if table.title else "")
            parts.append('<table style="border-collapse:collapse;color:inherit;background:transparent">')
            parts.append(f"<tr>{cells(table.header, 'th')}</tr>" if table.header else "")
            parts += [f"<tr>{cells(row, 'td')}</tr>" for row in table.rows[:MOST_ROWS]]
            parts.append("</table>")
            more = len(table.rows) - MOST_ROWS
            parts.append(f"<div>... and {more:,} more</div>" if more > 0 else "")
        return "".join(parts) + "</div>"


class Printer(Protocol):
    """IPython's printer."""

    def text(self, text: str) -> None:
        """Print."""
        ...


class Shown:
    """Shows itself by its `Display`: as text if printed, in IPython and in notebooks."""

    __slots__ = ()

    def _display(self) -> Display:
        raise NotImplementedError

    def __str__(self) -> str:
        return self._display().text()

    def _repr_pretty_(self, printer: Printer, _cycle: bool) -> None:  # noqa: FBT001  (IPython's form)
        printer.text(str(self))

    def _repr_html_(self) -> str:
        return self._display().html()


class ShownList(Shown, list[T]):
    """A list that shows itself as a table, and in one line where Python's prompt or an error shows it."""

    __slots__ = ()

    def _kind(self) -> str:
        """Return what one of them is called."""
        raise NotImplementedError

    def _header(self) -> Sequence[str]:
        """Return the names of the columns."""
        raise NotImplementedError

    def _row(self, one: T) -> Sequence[object]:
        """Return the row of one of them; a column called ``state`` is counted."""
        raise NotImplementedError

    def _display(self) -> Display:
        rows = [self._row(one) for one in self]
        return Display(counted(len(self), self._kind()), [Table("", self._header(), rows)] if rows else [])

    def __repr__(self) -> str:
        place = self._header().index("state")
        states = Counter(str(self._row(one)[place]) for one in self)
        told = ", ".join(f"{count:,} {state}" for state, count in states.items())
        return f"<{type(self).__name__}: {counted(len(self), self._kind())}{told and ': ' + told}>"


def cut(text: str, most: int = 80) -> str:
    """Return a text as one line, shortened."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 3]}..."


def counted(number: int, word: str) -> str:
    """Return a number with its word, in the plural if need be.

    >>> counted(1, "row"), counted(2_000, "batch")
    ('1 row', '2,000 batches')
    """
    plural = "" if number == 1 else "es" if word.endswith(("ch", "s")) else "s"
    return f"{number:,} {word}{plural}"


def _worded(cell: object) -> str:
    if cell is None:
        return ""
    return f"{cell:,}" if isinstance(cell, int) and not isinstance(cell, bool) else str(cell)


def _line(text: str) -> str:
    """Return a text without what would control a terminal."""
    return "".join(one if one.isprintable() else f"\\u{ord(one):04x}" for one in text)


def _numbers(table: Table) -> set[int]:
    """Return the places of columns that hold only numbers."""
    columns = enumerate(zip(*table.rows, strict=True))
    return {place for place, cells in columns if all(isinstance(cell, int | None) for cell in cells)}
