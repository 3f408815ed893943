"""One result file brought to disk as a part: streamed in blocks, its records counted (records, not lines), its bytes
digested.

The org writes every value in quotes. Then a line end with a quote behind it is a border between records, unless that
quote closes a value or is
doubled, and this shows: another quote, a comma or a line end stands behind it. In such a place it is one if the quotes
since the border before come in pairs.

What does not look as it should is kept aside for the user, and never takes the name of a part.
"""

from __future__ import annotations

import codecs
import hashlib
import math
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
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
_CLOSING: Final = b'",\n\r'
_PLAIN: Final = re.compile(r"(?:\w+\.)*(\w+)")
_DOUBTFUL: Final = re.compile(rb'\n"(?=[",\n\r])')


@dataclass(frozen=True, slots=True)
class Fetched:
    """What is in a part: its records, bytes and their SHA-256; ``ended`` tells whether a line end stands behind the
    last record.
    """

    rows: int
    size: int
    sha256: str
    ended: bool = True


def fetch(stream: Stream, path: Path, selected: Sequence[str] = ()) -> Fetched:
    """Bring a result file to disk; it is there when it is whole, and else `aside`.

    Args:
        stream: The file on its way.
        path: Where to.
        selected: The columns of the query, as they are written there; none if they are not known.

    Raises:
        NoAnswer: It broke off before its end.
        FormatError: It is not the CSV that it should be, or its last record is cut.
    """
    digest, size, borders, text = hashlib.sha256(), 0, _Borders(), _Text()
    draft = Draft(path, buffered=False)
    try:
        with closing(stream):
            for block in stream:
                draft.file.write(block)
                digest.update(block)
                borders.feed(block)
                text.feed(block)
                size += len(block)
        try:
            text.end()
            rows, ended = _rows(draft.temporary, borders, selected)
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
    """Say where a file is kept that should have been this part."""
    return path.with_suffix(".broken.csv")


def names_of(path: Path) -> tuple[str, ...]:
    """Read the header of a part; no names if the query found nothing."""
    head = _head(path)
    return () if head is None else head.names


def is_whole(path: Path, fetched: Fetched) -> bool:
    """Whether a part on disk is still what was fetched."""
    try:
        with path.open("rb") as file:
            return (
                path.stat().st_size == fetched.size
                and hashlib.file_digest(file, "sha256").hexdigest() == fetched.sha256
            )
    except (FileNotFoundError, IsADirectoryError):
        return False


class _Text:
    """Sees whether all bytes are UTF-8, as the blocks come."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._between = False
        self._valid = True

    def feed(self, block: bytes, *, final: bool = False) -> None:
        if self._between or final or not block.isascii():
            try:
                self._decoder.decode(block, final)
            except UnicodeDecodeError:
                self._valid = False
            self._between = bool(self._decoder.getstate()[0])

    def end(self) -> None:
        self.feed(b"", final=True)
        if not self._valid:
            # Not in the handler: the decoder's own error holds the records.
            raise FormatError("It is not UTF-8")


class _Borders:
    """Counts borders between records, and those between values, as the blocks come.

    Attributes:
        count: How many there were, up to the last certain one.
        commas: How many borders between values a record has, on the average of each block.
        last: Offset of the record behind that one.
        lost: Whether there was no certain one for too long, or other line ends may be borders, too, so that all has to
            be counted anew.
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
        last = _certain_before(content, len(content) - 1)
        if last > 0:
            records = content.count(b'\n"', 1, last + 2) - _false_borders(content, last)
            self.commas.add(_commas(content, last) / records)
            self.count += records
            self._base += last
            self.last = self._base + 1
            content = content[last:]
        self._carry = content
        self.lost = self.lost or len(content) > _CARRY_BYTES


def _certain_before(content: bytes, end: int) -> int:
    """Find the last border that is one for certain; -1 if there is none."""
    place = content.rfind(b'\n"', 0, end)
    while place >= 0 and content[place + 2] in _CLOSING:
        place = content.rfind(b'\n"', 0, place + 1)
    return place


def _commas(content: bytes, end: int) -> float:
    """Count the borders between values; not a number if some that look like them stand inside values."""
    # Inside a value quotes are doubled; two values that are empty look like that, too, but stand behind a border.
    pairs = content.count(b'"",""', 0, end)
    if pairs and pairs != content.count(b',"",""', 0, end) + content.count(b'\n"",""', 0, end):
        return math.nan
    return content.count(b'","', 0, end)


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


def _rows(path: Path, borders: _Borders, selected: Sequence[str]) -> tuple[int, bool]:
    head = _head(path)
    if head is None:
        return 0, True
    _check_columns(head.names, selected)
    columns, quoted = len(head.names), head.raw[:1] == b'"'
    with path.open("rb") as file:
        file.seek(-min(path.stat().st_size, 3), os.SEEK_END)
        end = file.read()
        if quoted and not end.rstrip(b"\r\n").endswith(b'"'):
            raise FormatError("Its last value is cut")
        ended = end[-1:] in {b"\n", b"\r"}
        # Where a block does not have the commas that its records are to have, each record is looked at.
        certain = quoted and borders.commas == {columns - 1} and not borders.lost
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
                raise FormatError(f"A record does not fit its header: {record.problem}", row=count)
    return count


def _head(path: Path) -> csv.Header | None:
    with path.open("rb") as file:
        content = file.read(_HEADER_BYTES)
    if content.strip() == NO_RECORDS:
        return None
    with suppress(FormatError):
        return csv.header(content)
    # Its own words would show what stands there, which may be a record.
    raise FormatError("It does not begin with the names of the columns")


def _check_columns(names: Sequence[str], selected: Sequence[str]) -> None:
    """See that a file has the columns that were selected, as far as it is known how the org names them."""
    if not selected or any(column.upper().startswith("FIELDS") for column in selected):
        return
    if len(names) != len(selected):
        raise FormatError(f"It has {len(names)} columns where the query selects {len(selected)}")
    for column, name in zip(selected, names, strict=True):
        # Of a parent's field only its own name is certain; of a function none.
        plain = _PLAIN.fullmatch(column)
        if plain and not same_name(plain[1], name.rpartition(".")[2]):
            raise FormatError("It has other columns than the query selects", column=column)
