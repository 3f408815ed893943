"""Turn whatever a user passes to ``upload`` into the data of one job of Bulk API 2.0, and check it before it is sent.

Text, bytes and files are sent as they are. The org fails a whole job whose lines end otherwise than the job says, so
that is checked here. Records and frames are written in the job's own form.
"""

from __future__ import annotations

import codecs
import io
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO, Final, TypeAlias, cast

from bulkforce import arguments
from bulkforce.errors import FormatError, UsageError
from bulkforce.formats import csv
from bulkforce.formats.content import block_of, file_body
from bulkforce.formats.naming import naming
from bulkforce.formats.text import encoded
from bulkforce.formats.values import Value
from bulkforce.load.sources.arrow import Arrow, is_arrow
from bulkforce.protocol import limits
from bulkforce.protocol.exchange import Body
from bulkforce.vocabulary import ColumnDelimiter, LineEnding

JobData: TypeAlias = str | bytes | os.PathLike[str] | BinaryIO | Arrow | Iterable[Mapping[str, Value]] | Iterable[Arrow]
"""The data of a job: CSV as a string, as bytes, as the path of a file or as an open binary file; or records, or
anything that offers Arrow data, such as a frame of pandas or polars."""

_BLOCK_BYTES: Final = 1_048_576
_LINE_END: Final = re.compile(rb"\r\n?|\n")
_ENDS: Final[Mapping[LineEnding, bytes]] = {LineEnding.LF: b"\n", LineEnding.CRLF: b"\r\n"}


@contextmanager
def job_data(
    content: JobData, delimiter: ColumnDelimiter, line_ending: LineEnding, *, most: int | None = limits.JOB2_BYTES
) -> Iterator[Body]:
    """Check content, and give it as a body as long as this context lasts.

    Args:
        content: What to send. A string is always content, never a file name; for a file, pass a ``pathlib.Path``.
        delimiter: What separates the job's columns.
        line_ending: How the job's lines end.
        most: How many bytes it may have; ``None`` for any number.

    Raises:
        FormatError: The content is more than a job can hold, is not UTF-8, or its lines end in another way.
        UsageError: This is no content.
    """
    with TemporaryDirectory(prefix="bulkforce-") as folder:
        with naming(arguments.path(content, "The file").name if isinstance(content, os.PathLike) else None):
            body, ours = _body(content, Path(folder), most)
            if ours:
                body = _in_form(body, delimiter, line_ending, Path(folder))
            if most is not None and body.length > most:
                raise FormatError(f"A job has at most {most:,} bytes, not {body.length:,}")
            if not ours:
                _check(body, line_ending)
        yield body


def _body(content: JobData, folder: Path, most: int | None) -> tuple[Body, bool]:
    """Return content as CSV, and whether it is we who wrote it."""
    if isinstance(content, str):
        content = encoded(content)
    if isinstance(content, (bytes, bytearray, memoryview)):
        return Body.of(bytes(content).removeprefix(csv.BOM)), False
    if isinstance(content, os.PathLike):
        return file_body(arguments.path(content, "The file")), False
    if hasattr(content, "read"):
        return file_body(_spooled(cast(BinaryIO, content), folder / "content", most)), False
    if isinstance(content, Mapping):
        raise UsageError("The content is a single mapping; pass a list of records")
    if not isinstance(content, Iterable) and not is_arrow(content):
        raise UsageError(
            f"Content must be a string, bytes, a path, a binary file, records or a frame, not {type(content).__name__}"
        )
    from bulkforce.load.sources import to_csv

    return file_body(to_csv(content, folder).path), True


def _spooled(file: BinaryIO, target: Path, most: int | None) -> Path:
    """Copy what can be read only once, since an expired session means that it is sent twice."""
    # One byte over the limit shows that the content is too long, however long it is.
    left = sys.maxsize if most is None else most + len(csv.BOM) + 1
    with target.open("wb") as copy:
        while left > 0 and (block := block_of(file, min(left, _BLOCK_BYTES))):
            copy.write(block)
            left -= len(block)
    return target


def _blocks(body: Body, size: int = _BLOCK_BYTES) -> Iterator[bytes]:
    with body.open() as file:
        while block := file.read(size):
            yield block


def _check(body: Body, line_ending: LineEnding) -> None:
    """Check that content is UTF-8 and that its lines end as the job says, which the org would see too late."""
    decoder, place, inside, carry = codecs.getincrementaldecoder("utf-8")(), 0, False, b""
    for block in chain(_blocks(body), [b""]):
        begun = len(decoder.getstate()[0])  # of a character that the block before did not end
        try:
            decoder.decode(block, final=not block)
        except UnicodeDecodeError as error:
            place += error.start - begun
            break
        place += len(block)
        # A CR at the end of a block may be half of a CRLF.
        content = carry + block
        carry = b"\r" if block and content.endswith(b"\r") else b""
        pieces = content[: len(content) - len(carry)].split(b'"')
        _check_ends(b'"'.join(pieces[inside::2]), line_ending)
        inside = inside == bool(len(pieces) % 2)
    else:
        return
    # Outside the handler: inside, Python would chain the decoding error, which holds the records.
    raise FormatError("The content is not UTF-8; convert it first", byte=place)


def _check_ends(outside: bytes, line_ending: LineEnding) -> None:
    is_crlf = line_ending is LineEnding.CRLF
    if set(_LINE_END.findall(outside)) - {b"\r\n"} if is_crlf else b"\r" in outside:
        other = LineEnding.LF if is_crlf else LineEnding.CRLF
        raise FormatError(
            f"Lines do not end in {line_ending}, as the job says, and the org would fail the whole job: create it with "
            f"line_ending={other.value!r}, if all of them end so, or use load, which rewrites them"
        )


def _in_form(body: Body, delimiter: ColumnDelimiter, line_ending: LineEnding, folder: Path) -> Body:
    usual = delimiter is ColumnDelimiter.COMMA and line_ending is LineEnding.LF
    if usual and not any(b"\r" in block for block in _blocks(body)):
        return body
    target = folder / "in_form"
    with target.open("wb") as file:
        file.writelines(in_form(_blocks(body), delimiter.character.encode(), _ENDS[line_ending]))
    return file_body(target)


def in_form(blocks: Iterable[bytes], delimiter: bytes, line_end: bytes) -> Iterator[bytes]:
    r"""Write CSV of ours, with commas and line feeds, with another delimiter and line end, inside values too.

    Args:
        blocks: The CSV, in blocks.
        delimiter: What is to separate the columns.
        line_end: How lines are to end.

    >>> b"".join(in_form([b'a,b\n1|2,"x,\ny"\n'], b"|", b"\r\n"))
    b'a|b\r\n"1|2"|"x,\r\ny"\r\n'
    """
    carry = b""
    for block in blocks:
        content = carry + block
        end = csv.end_of_records(content)
        yield _formed(content[:end], delimiter, line_end)
        carry = content[end:]
    yield _formed(carry, delimiter, line_end)


def _formed(records: bytes, delimiter: bytes, line_end: bytes) -> bytes:
    pieces = records.split(b'"')
    outside = b'"'.join(pieces[::2])
    if delimiter != b"," and delimiter in outside:
        pieces = b"".join(_quoted(line, delimiter) for line in csv.lines(records)).split(b'"')
        outside = b'"'.join(pieces[::2])
    # All at once is three times as fast as piece by piece.
    pieces[::2] = outside.replace(b",", delimiter).replace(b"\n", line_end).split(b'"')
    inside = b"".join(pieces[1::2])
    if b"\n" in inside or b"\r" in inside:
        pieces[1::2] = [_LINE_END.sub(line_end, piece) for piece in pieces[1::2]]
    return b'"'.join(pieces)


def _quoted(line: bytes, delimiter: bytes) -> bytes:
    """Put values in quotes that hold the new delimiter."""
    record = line.removesuffix(b"\n")
    values = [b'"%b"' % one if delimiter in one and one[:1] != b'"' else one for one in csv.split(record)]
    return b",".join(values) + line[len(record) :]


def pieces_of(body: Body, most: int = limits.JOB2_BYTES) -> Iterator[Body]:
    """Cut CSV between records into pieces of at most so many bytes, each with the header.

    Raises:
        FormatError: There is no header, a quote is never closed, or a record is longer than a piece.
    """
    if body.length <= most:
        yield body
        return
    with body.open() as file:
        header = next(csv.lines(file.read(csv.LONGEST_HEADER_BYTES)), b"")
    room, start, end = most - len(header), len(header), len(header)
    for unit in csv.units(_after(body, start), 1, start):
        whole = end + len(unit.content) - start <= room
        for line in [unit.content] if whole else csv.lines(unit.content):
            if len(line) > room:
                raise FormatError(f"A record and the header are longer than {most:,} bytes", byte=end)
            if end + len(line) - start > room:
                yield _part(body, header, start, end)
                start = end
            end += len(line)
    yield _part(body, header, start, end)


def _after(body: Body, start: int) -> Iterator[bytes]:
    with body.open() as file:
        file.seek(start, io.SEEK_CUR)
        while block := file.read(csv.BLOCK_BYTES):
            yield block


def _part(body: Body, header: bytes, start: int, end: int) -> Body:
    return Body(lambda: cast(BinaryIO, _Part(body.open(), header, start, end)), len(header) + end - start)


class _Part(io.RawIOBase):
    """A header, and some records of a file."""

    def __init__(self, file: BinaryIO, header: bytes, start: int, end: int) -> None:
        super().__init__()
        self._file = file
        self._header = header
        self._left = end - start
        file.seek(start, io.SEEK_CUR)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if self._header:
            cut = len(self._header) if size < 0 else size
            block, self._header = self._header[:cut], self._header[cut:]
            return block
        block = self._file.read(self._left if size < 0 else min(size, self._left))
        self._left -= len(block)
        return block

    def close(self) -> None:
        self._file.close()
        super().close()
