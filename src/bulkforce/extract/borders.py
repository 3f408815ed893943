"""Count the records of a result file while it comes, block by block, without taking them apart.

The org writes every value in quotes. So a line end followed by a quote is a border between records, unless that quote
closes a value or is doubled, which shows: it is followed by another quote, a comma or a line end. In such a doubtful
place it is a border if the number of quotes since the previous border is even.

Where the org says how many records there are, there is a shorter way: the first values of records often begin alike, as
ids of one object do. A line end between quotes and that beginning is a border for certain; so if there are as many as
the org says, and as many borders between values as these records should have, nothing needs a closer look but the end.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Final

from bulkforce.formats import csv

_CARRY_BYTES: Final = 1_000_000
_END_BYTES: Final = 262_144
_ALIKE_BYTES: Final = 3
_CLOSING: Final = b'",\n\r'
_ENDS: Final = (b'"', b'"\r')
"""What stands before the line end of a record whose last value is whole."""
_OPEN: Final = re.compile(rb'\n(?<!"\n)(?<!"\r\n)"')
"""What looks like a border, but has no value before it that ends."""
_DOUBTFUL: Final = re.compile(rb'\n"(?=[",\n\r])')


class Alike:
    """Counts the records of a file whose first values begin alike, and the borders between values.

    Args:
        beginning: What each record begins with, after the end of the one before.
    """

    def __init__(self, beginning: bytes) -> None:
        self.beginning = beginning
        self.count = self.commas = 0
        self._before = b""

    @classmethod
    def of(cls, block: bytes) -> Alike | None:
        """Return a counter that fits the first block of a file; ``None`` if none does."""
        place = block.find(b'\n"')
        alike = block[place + 2 : place + 2 + _ALIKE_BYTES]
        end = next((end for end in _ENDS if block[:place].endswith(end)), None)
        if block[:1] != b'"' or end is None or len(alike) < _ALIKE_BYTES or set(alike) & set(_CLOSING):
            return None
        beginning, sure = end + b'\n"' + alike, Borders()
        sure.feed(block)
        hits = block.count(beginning, 0, sure.last + 1 + _ALIKE_BYTES)
        return cls(beginning) if not sure.lost and 0 < sure.count == hits else None

    def feed(self, block: bytes) -> None:
        """Count in the next block."""
        self.count += block.count(self.beginning)
        self.commas += block.count(b'","')
        # What lies across the border between two blocks.
        short = len(self.beginning) - 1
        self.count += (self._before + block[:short]).count(self.beginning)
        self.commas += (self._before[-2:] + block[:2]).count(b'","')
        self._before = (self._before + block[-short:])[-short:]

    def is_sure(self, columns: int, expected: int | None) -> bool:
        """Whether the file holds as many records as the org says, and they as many values as its header."""
        return self.count == expected and self.commas == (columns - 1) * (self.count + 1)

    def last(self, path: Path) -> int | None:
        """Return where the last record begins; ``None`` if that is far from the end."""
        with path.open("rb") as file:
            start = max(path.stat().st_size - _END_BYTES, 0)
            file.seek(start)
            place = file.read().rfind(self.beginning)
        return None if place < 0 else start + place + len(self.beginning) - _ALIKE_BYTES - 1


class Borders:
    """Counts borders between records, and between values, block by block.

    Attributes:
        count: Number of record borders, up to the last certain one.
        commas: Average number of value borders per record, for each block.
        last: Offset of the record after the last certain border.
        lost: Whether there was no certain border for too long, other line ends may be borders, too, or a value may not
            end, so that everything must be counted again.
    """

    def __init__(self) -> None:
        self.count = 0
        self.commas: set[float] = set()
        self.last = 0
        self.lost = False
        self._carry = b""
        self._base = 0

    def feed(self, block: bytes) -> None:
        """Count in the next block."""
        if self.lost:
            return
        content = self._carry + block
        self.lost = b'"\r"' in content
        last = last_border(content, len(content) - 1)
        if last > 0:
            inside, open_inside = _false_borders(content, last)
            records = content.count(b'\n"', 1, last + 2) - inside
            # A value that does not end before its record does would swallow the next one.
            self.lost = self.lost or len(_OPEN.findall(content, 1, last + 2)) != open_inside
            self.commas.add(_commas(content, last) / records)
            self.count += records
            self._base += last
            self.last = self._base + 1
            content = content[last:]
        self._carry = content
        self.lost = self.lost or len(content) > _CARRY_BYTES


def last_border(content: bytes, end: int) -> int:
    """Find the last certain border between records, before ``end``; -1 if there is none."""
    place = content.rfind(b'\n"', 0, end)
    while place >= 0 and content[place + 2] in _CLOSING:
        place = content.rfind(b'\n"', 0, place + 1)
    return place


def _commas(content: bytes, end: int) -> float:
    """Count the borders between values; NaN if something inside a value looks like one."""
    # Inside a value, quotes are doubled; two empty values look the same, but they follow a border.
    pairs = content.count(b'"",""', 0, end)
    if pairs and pairs != content.count(b',"",""', 0, end) + content.count(b'\n"",""', 0, end):
        return math.nan
    return content.count(b'","', 0, end)


def _false_borders(content: bytes, last: int) -> tuple[int, int]:
    """Count what looks like a border but is inside a value, and how many of these stand behind no quote.

    Args:
        content: The bytes; they begin with a certain border, or at the start of the file.
        last: The last certain border.
    """
    count, free, before, inside = 0, 0, -1, False
    for doubtful in _DOUBTFUL.finditer(content, 1, last + 1):
        place = doubtful.start()
        known = content.rfind(b'\n"', 0, place + 1)
        # The previous one is certain, or it is the doubtful one that was just checked.
        inside = (inside and known == before) != bool(content.count(b'"', max(known, 0), place) % 2)
        count, before = count + inside, place
        free += inside and not content[max(place - 2, 0) : place].endswith(_ENDS)
    return count, free


def counted(path: Path, borders: Alike, columns: int, expected: int | None) -> Borders:
    """Return the borders of a file that was counted the short way, counted again if that is not sure."""
    counted = Borders()
    last = borders.last(path) if borders.is_sure(columns, expected) else None
    if last is not None:
        counted.count, counted.last, counted.commas = borders.count, last, {columns - 1}
        return counted
    with path.open("rb") as file:
        while block := file.read(csv.BLOCK_BYTES):
            counted.feed(block)
    return counted
