"""Download a result file as a part: stream it in blocks, count its records (records, not lines), and hash its bytes.

A file that is broken is kept under another name for the user, never under the name of a part.
"""

from __future__ import annotations

import codecs
import hashlib
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from bulkforce.errors import FormatError
from bulkforce.extract.borders import Alike, Borders, counted
from bulkforce.extract.numbers import Exponents
from bulkforce.formats import csv
from bulkforce.protocol.exchange import Stream
from bulkforce.protocol.wire import same_name
from bulkforce.protocol.wire_csv import NO_RECORDS
from bulkforce.run.files import Draft

_TEXT_BYTES: Final = 8_192
_PLAIN: Final = re.compile(r"(?:\w+\.)*(\w+)")


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a part contains: number of records, size and SHA-256.

    Attributes:
        ended: Whether the last record has a line end.
        records: How many records it has, according to the org, if it says that of each file.
        following: The name of the file that comes next, if only this one says so.
        plain: Whether exponents were looked for, and no number has one.
    """

    rows: int
    size: int
    sha256: str
    ended: bool = True
    records: int | None = None
    following: str | None = None
    plain: bool = False


def fetch(
    stream: Stream,
    path: Path,
    selected: Sequence[str] = (),
    expected: int | None = None,
    *,
    in_order: bool = True,
    exponents: bool = False,
) -> Fetched:
    """Download a result file to ``path`` if it is complete; otherwise, to the path that `aside` returns.

    Args:
        stream: The file being downloaded.
        path: Where to save it.
        selected: The columns of the query, as written there; empty if they are not known.
        expected: How many records it should have, according to the org; they are counted whether it says so or not.
        in_order: Whether it has the columns in the order in which they are selected.
        exponents: Whether to look for numbers with an exponent.

    Raises:
        NoAnswer: The download broke off.
        FormatError: It is not valid CSV with these columns, or its last record is truncated.
    """
    check = partial(_check_columns, selected=selected, in_order=in_order)
    digest, size, text = hashlib.sha256(), 0, _Text()
    borders: Borders | Alike | None = None
    looking = Exponents() if exponents else None
    draft = Draft(path, buffered=False)
    try:
        with closing(stream):
            for block in stream:
                draft.file.write(block)
                digest.update(block)
                if borders is None:
                    borders = (None if expected is None else Alike.of(block)) or Borders()
                borders.feed(block)
                text.feed(block)
                if looking is not None:
                    looking.feed(block)
                size += len(block)
        try:
            text.end()
            rows, ended = _rows(draft.temporary, borders or Borders(), expected, check)
        except FormatError:
            draft.path = aside(path)
            draft.publish()
            raise
        draft.publish()
    finally:
        draft.discard()
    aside(path).unlink(missing_ok=True)
    plain = looking is not None and not looking.found
    return Fetched(rows, size, digest.hexdigest(), ended, plain=plain)


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
        self._cut = b""
        self._valid = True

    def feed(self, block: bytes) -> None:
        if self._cut:
            block = self._cut + block
        elif block.isascii():
            return
        # Pieces that stay in the processor's cache: three times as fast. Threads keep the memory of larger ones.
        view, start = memoryview(block), 0
        try:
            while read := codecs.utf_8_decode(view[start : start + _TEXT_BYTES], "strict", False)[1]:
                start += read
        except UnicodeDecodeError:
            self._valid = False
        self._cut = block[start:] if self._valid else b""

    def end(self) -> None:
        if self._cut or not self._valid:
            # Outside the handler: the decoder's own error holds the records.
            raise FormatError("It is not UTF-8")


def _rows(
    path: Path, borders: Borders | Alike, expected: int | None, check: Callable[[Sequence[str]], None]
) -> tuple[int, bool]:
    head = _head(path)
    if head is None:
        return 0, True
    check(head.names)
    columns, quoted = len(head.names), head.raw[:1] == b'"'
    if isinstance(borders, Alike):
        borders = counted(path, borders, columns, expected)
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
        content = csv.beginning(file)
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
