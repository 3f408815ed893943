"""One result file brought to disk as a part: streamed in blocks, its records counted (records, not lines), its bytes digested.

The org writes every value in quotes. Then a line end with a quote behind it is a border between records, unless that quote closes a value or is
doubled, and this shows: another quote, a comma or a line end stands behind it. In such a place it is one if the quotes since
the border before come in pairs.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bulkforce.conversations import NO_RECORDS
from bulkforce.errors import FormatError
from bulkforce.formats import csv
from bulkforce.protocol.exchange import Stream
from bulkforce.transfer.files import whole

_HEADER_BYTES: Final = 1_000_000
_CARRY_BYTES: Final = 1_000_000
_CLOSING: Final = b'",\n\r'
_DOUBTFUL: Final = re.compile(rb'\n"(?=[",\n\r])')


@dataclass(frozen=True, slots=True)
class Fetched:
    """What is in a part: its records, bytes and their SHA-256; ``ended`` tells whether a line end stands behind the last record."""

    rows: int
    size: int
    sha256: str
    ended: bool = True


def fetch(stream: Stream, path: Path) -> Fetched:
    """Bring a result file to disk; it is there when it is whole.

    Raises:
        NoAnswer: It broke off before its end.
        FormatError: It is not CSV, or its last record is cut.
    """
    digest, size, borders = hashlib.sha256(), 0, _Borders()
    with closing(stream), whole(path, buffered=False) as file:
        for block in stream:
            file.write(block)
            digest.update(block)
            borders.feed(block)
            size += len(block)
        rows, ended = _rows(Path(file.name), borders)
    return Fetched(rows, size, digest.hexdigest(), ended)


def names_of(path: Path) -> tuple[str, ...]:
    """Read the header of a part; no names if the query found nothing."""
    head = _head(path)
    return () if head is None else head.names


def is_whole(path: Path, fetched: Fetched) -> bool:
    """Whether a part on disk is still what was fetched."""
    try:
        with path.open("rb") as file:
            return path.stat().st_size == fetched.size and hashlib.file_digest(file, "sha256").hexdigest() == fetched.sha256
    except FileNotFoundError:
        return False


class _Borders:
    """Counts borders between records, as the blocks come.

    Attributes:
        count: How many there were, up to the last certain one.
        last: Offset of the record behind that one.
        lost: Whether there was no certain one for too long, so that all has to be counted anew.
    """

    def __init__(self) -> None:
        self.count = 0
        self.last = 0
        self.lost = False
        self._carry = b""
        self._base = 0

    def feed(self, block: bytes) -> None:
        if self.lost:
            return
        content = self._carry + block
        last = _certain_before(content, len(content) - 1)
        if last > 0:
            self.count += content.count(b'\n"', 1, last + 2) - _false_borders(content, last)
            self._base += last
            self.last = self._base + 1
            content = content[last:]
        self._carry = content
        self.lost = len(content) > _CARRY_BYTES


def _certain_before(content: bytes, end: int) -> int:
    """Find the last border that is one for certain; -1 if there is none."""
    place = content.rfind(b'\n"', 0, end)
    while place >= 0 and content[place + 2] in _CLOSING:
        place = content.rfind(b'\n"', 0, place + 1)
    return place


def _false_borders(content: bytes, last: int) -> int:
    """Count what looks like a border and stands inside a value.

    Args:
        content: The bytes; they begin with a certain border, or with the file.
        last: The last certain border.
    """
    count, before, inside = 0, -1, False
    for doubtful in _DOUBTFUL.finditer(content, 1, last + 1):
        place = doubtful.start()
        known = content.rfind(b'\n"', 0, place + 1)
        # The one before is certain, or it is the doubtful one that was just looked at.
        inside = (inside and known == before) != bool(content.count(b'"', max(known, 0), place) % 2)
        count, before = count + inside, place
    return count


def _rows(path: Path, borders: _Borders) -> tuple[int, bool]:
    head = _head(path)
    if head is None:
        return 0, True
    columns, quoted = len(head.names), head.raw[:1] == b'"'
    with path.open("rb") as file:
        file.seek(-min(path.stat().st_size, 3), os.SEEK_END)
        end = file.read()
        if quoted and not end.rstrip(b"\r\n").endswith(b'"'):
            raise FormatError("The last value of the result file is cut")
        ended = end[-1:] in {b"\n", b"\r"}
        certain = quoted and borders.count > 0 and not borders.lost
        file.seek(borders.last if certain else head.end)
        # The last records are looked at closely in any case: whatever was cut off was cut off there.
        rows = _count(iter(lambda: file.read(csv.BLOCK_BYTES), b""), columns)
    return rows + (borders.count - 1 if certain else 0), ended


def _count(blocks: Iterator[bytes], columns: int) -> int:
    count = 0
    for unit in csv.units(blocks, columns):
        if unit.clean:
            count += unit.records
            continue
        for record in csv.records(unit, columns):
            count += 1
            if record.problem and len(csv.split(record.raw)) != columns:
                raise FormatError(f"A record of the result file does not fit its header: {record.problem}", row=count)
    return count


def _head(path: Path) -> csv.Header | None:
    with path.open("rb") as file:
        content = file.read(_HEADER_BYTES)
    return None if content.strip() == NO_RECORDS else csv.header(content)
