"""Download a result file as a part: stream it in blocks, count its records (records, not lines), and hash its bytes.

The org writes every value in quotes. So a line end followed by a quote is a border between records, unless that quote
closes a value or is doubled, which shows: it is followed by another quote, a comma or a line end. In such a doubtful
place it is a border if the number of quotes since the previous border is even.

Where the org says how many records there are, there is a shorter way: the first values of records often begin alike, as
ids of one object do. A line end, a quote and that beginning is a border for certain; so if there are as many as the org
says, and as many borders between values as these records should have, nothing needs a closer look but the end.

A file that is broken is kept under another name for the user, never under the name of a part.
"""

from __future__ import annotations

import codecs
import hashlib
import math
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from bulkforce.errors import FormatError
from bulkforce.formats import csv
from bulkforce.protocol.exchange import Stream
from bulkforce.protocol.wire import same_name
from bulkforce.protocol.wire_csv import NO_RECORDS
from bulkforce.run.files import Draft

_HEADER_BYTES: Final = 1_000_000
_CARRY_BYTES: Final = 1_000_000
_ALIKE_BYTES: Final = 3
_TEXT_BYTES: Final = 8_192
_CLOSING: Final = b'",\n\r'
_PLAIN: Final = re.compile(r"(?:\w+\.)*(\w+)")
_DOUBTFUL: Final = re.compile(rb'\n"(?=[",\n\r])')


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a part contains: number of records, size and SHA-256.

    Attributes:
        ended: Whether the last record has a line end.
        records: How many records it has, according to the org, if it says that of each file.
        following: The name of the file that comes next, if only this one says so.
    """

    rows: int
    size: int
    sha256: str
    ended: bool = True
    records: int | None = None
    following: str | None = None


def fetch(
    stream: Stream, path: Path, selected: Sequence[str] = (), expected: int | None = None, *, in_order: bool = True
) -> Fetched:
    """Download a result file to ``path`` if it is complete; otherwise, to the path that `aside` returns.

    Args:
        stream: The file being downloaded.
        path: Where to save it.
        selected: The columns of the query, as written there; empty if they are not known.
        expected: How many records it should have, according to the org; they are counted whether it says so or not.
        in_order: Whether it has the columns in the order in which they are selected.

    Raises:
        NoAnswer: The download broke off.
        FormatError: It is not valid CSV with these columns, or its last record is truncated.
    """
    check = partial(_check_columns, selected=selected, in_order=in_order)
    digest, size, text = hashlib.sha256(), 0, _Text()
    borders: _Borders | _Alike | None = None
    draft = Draft(path, buffered=False)
    try:
        with closing(stream):
            for block in stream:
                draft.file.write(block)
                digest.update(block)
                if borders is None:
                    borders = (None if expected is None else _Alike.of(block)) or _Borders()
                borders.feed(block)
                text.feed(block)
                size += len(block)
        try:
            text.end()
            rows, ended = _rows(draft.temporary, borders or _Borders(), expected, check)
        except FormatError:
            draft.path = aside(path)
            draft.publish()
            raise
        draft.publish()
    finally:
        draft.discard()
    aside(path).unlink(missing_ok=True)
    return Fetched(rows, size, digest.hexdigest(), ended)


def aside(path: Path) -> Path:
    """Return where to keep a broken file that should have been this part."""
    return path.with_suffix(".broken.csv")


def names_of(path: Path) -> tuple[str, ...]:
    """Read the names in the header of a part; empty if the query found nothing."""
    head = _head(path)
    return () if head is None else head.names


def is_whole(path: Path, fetched: Fetched) -> bool:
    """Whether a part on disk is unchanged since it was fetched."""
    try:
        with path.open("rb") as file:
            return (
                path.stat().st_size == fetched.size
                and hashlib.file_digest(file, "sha256").hexdigest() == fetched.sha256
            )
    except (FileNotFoundError, IsADirectoryError):
        return False


class _Text:
    """Checks whether all bytes are UTF-8, block by block."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._between = False
        self._valid = True

    def feed(self, block: bytes, *, final: bool = False) -> None:
        if self._between or final or not block.isascii():
            # Pieces that stay in the processor's cache: three times as fast. Threads keep the memory of larger ones.
            view = memoryview(block)
            try:
                for start in range(0, len(block), _TEXT_BYTES):
                    self._decoder.decode(view[start : start + _TEXT_BYTES])
                self._decoder.decode(b"", final)
            except UnicodeDecodeError:
                self._valid = False
            self._between = bool(self._decoder.getstate()[0])

    def end(self) -> None:
        self.feed(b"", final=True)
        if not self._valid:
            # Outside the handler: the decoder's own error holds the records.
            raise FormatError("It is not UTF-8")


class _Alike:
    """Counts the records of a file whose first values begin alike, and the borders between values.

    Args:
        beginning: What each record begins with, after the line end before it.
    """

    def __init__(self, beginning: bytes) -> None:
        self.beginning = beginning
        self.count = self.commas = 0
        self._before = b""

    @classmethod
    def of(cls, block: bytes) -> _Alike | None:
        """Return a counter that fits the first block of a file; ``None`` if none does."""
        place = block.find(b'\n"')
        alike = block[place + 2 : place + 2 + _ALIKE_BYTES]
        if block[:1] != b'"' or place < 0 or len(alike) < _ALIKE_BYTES or set(alike) & set(_CLOSING):
            return None
        beginning, sure = b'\n"' + alike, _Borders()
        sure.feed(block)
        hits = block.count(beginning, 0, sure.last + 1 + _ALIKE_BYTES)
        return cls(beginning) if not sure.lost and 0 < sure.count == hits else None

    def feed(self, block: bytes) -> None:
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
            start = max(path.stat().st_size - _CARRY_BYTES, 0)
            file.seek(start)
            place = file.read().rfind(self.beginning)
        return None if place < 0 else start + place + 1


class _Borders:
    """Counts borders between records, and between values, block by block.

    Attributes:
        count: Number of record borders, up to the last certain one.
        commas: Average number of value borders per record, for each block.
        last: Offset of the record after the last certain border.
        lost: Whether there was no certain border for too long, or other line ends may be borders, too, so that
            everything must be counted again.
    """

    def __init__(self) -> None:
        self.count = 0
        self.commas: set[float] = set()
        self.last = 0
        self.lost = False
        self._carry = b""
        self._base = 0

    def feed(self, block: bytes) -> None:
        if self.lost:
            return
        content = self._carry + block
        self.lost = b'"\r"' in content
        last = last_border(content, len(content) - 1)
        if last > 0:
            records = content.count(b'\n"', 1, last + 2) - _false_borders(content, last)
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


def _false_borders(content: bytes, last: int) -> int:
    """Count what looks like a border but is inside a value.

    Args:
        content: The bytes; they begin with a certain border, or at the start of the file.
        last: The last certain border.
    """
    count, before, inside = 0, -1, False
    for doubtful in _DOUBTFUL.finditer(content, 1, last + 1):
        place = doubtful.start()
        known = content.rfind(b'\n"', 0, place + 1)
        # The previous one is certain, or it is the doubtful one that was just checked.
        inside = (inside and known == before) != bool(content.count(b'"', max(known, 0), place) % 2)
        count, before = count + inside, place
    return count


def _counted(path: Path, borders: _Alike, columns: int, expected: int | None) -> _Borders:
    """Return the borders of a file that was counted the short way, counted again if that is not sure."""
    counted = _Borders()
    last = borders.last(path) if borders.is_sure(columns, expected) else None
    if last is not None:
        counted.count, counted.last, counted.commas = borders.count, last, {columns - 1}
        return counted
    with path.open("rb") as file:
        while block := file.read(csv.BLOCK_BYTES):
            counted.feed(block)
    return counted


def _rows(
    path: Path, borders: _Borders | _Alike, expected: int | None, check: Callable[[Sequence[str]], None]
) -> tuple[int, bool]:
    head = _head(path)
    if head is None:
        return 0, True
    check(head.names)
    columns, quoted = len(head.names), head.raw[:1] == b'"'
    if isinstance(borders, _Alike):
        borders = _counted(path, borders, columns, expected)
    with path.open("rb") as file:
        file.seek(-min(path.stat().st_size, 3), os.SEEK_END)
        end = file.read()
        if quoted and not end.rstrip(b"\r\n").endswith(b'"'):
            raise FormatError("Its last value is truncated")
        ended = end[-1:] in {b"\n", b"\r"}
        # If a block does not have the number of commas that its records should have, check each record.
        certain = quoted and borders.commas == {columns - 1} and not borders.lost
        file.seek(borders.last if certain else head.end)
        # Always check the last records closely: that is where a truncated file was cut.
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
                raise FormatError(f"A record does not match the header: {record.problem}", row=count)
    return count


def _head(path: Path) -> csv.Header | None:
    with path.open("rb") as file:
        content = file.read(_HEADER_BYTES)
    if content.strip() == NO_RECORDS:
        return None
    with suppress(FormatError):
        return csv.header(content)
    # The original error would quote what is there, which may be a record.
    raise FormatError("It does not begin with the names of the columns")


def _check_columns(names: Sequence[str], selected: Sequence[str], *, in_order: bool) -> None:
    """Check that a file has the selected columns, as far as it is known how the org names them."""
    if not selected or any(column.upper().startswith("FIELDS") for column in selected):
        return
    if len(names) != len(selected):
        raise FormatError(f"It has {len(names)} columns, but the query selects {len(selected)}")
    for place, column in enumerate(selected):
        # For a parent's field, only its own name is certain; for a function, nothing is.
        plain = _PLAIN.fullmatch(column)
        possible = [names[place]] if in_order else names
        if plain and not any(same_name(plain[1], name.rpartition(".")[2]) for name in possible):
            raise FormatError("Its columns are not those that the query selects", column=column)
