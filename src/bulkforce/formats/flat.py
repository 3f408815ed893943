"""Records as lines in which every comma is a border, so that they can be compared whatever their quotes.

Quotes are left out, and commas, quotes and line feeds in values are replaced by control characters: equal lines have
equal values, and only those. Values of any length are read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from bulkforce.errors import FormatError
from bulkforce.formats import csv

_HIDDEN: Final = bytes.maketrans(b',\n"', b"\0\1\2")
_SHOWN: Final = bytes.maketrans(b"\0\1\2", b',\n"')
# Borders between values that are all in quotes, and between such records: bytes that UTF-8 never has.
# Each takes the place of as many bytes, which is twice as fast; what fills it up is removed with the others.
_VALUE_BORDER, _RECORD_BORDER, _QUOTE, _FILL = b"\xff\xfd\xfd", b"\xfe\xfd\xfd", b"\2\xfd", b"\xfd"
_HIDDEN_BORDERS_SHOWN: Final = bytes.maketrans(b",\n\xff\xfe", b"\0\1,\n")
# Values may hold those characters themselves, and the one before theirs.
_TAKEN: Final = re.compile(rb"[\x00-\x03]")
_GIVEN: Final = re.compile(rb"\x03([\x04-\x07])")
_SHIFT: Final = 4
_ALL_BUT_BORDERS: Final = bytes(byte for byte in range(256) if byte not in b",\n")


def flat(blocks: Iterable[bytes], columns: int, start: int = 0) -> Iterator[list[bytes]]:
    r"""Yield the records of a file, after its header, some at a time.

    Args:
        blocks: The bytes, in blocks.
        columns: Number of fields in the header.
        start: Offset of the first byte.

    Raises:
        FormatError: A record is malformed, has a different number of fields, or is not UTF-8.

    >>> list(flat([b'1,"a, ""b"" c"\n'], 2))
    [[b'1,a\x00 \x02b\x02 c']]
    """
    count, carry, enough = 0, b"", 0
    for block in blocks:
        carry += block
        if len(carry) < enough:
            continue
        cut = carry.rfind(b'"\n"') + 2
        lines = _all_quoted(carry[:cut], columns) if cut > 2 else None
        if lines is None:
            unit = csv.unit_of(carry, columns, start)
            cut, lines = len(unit.content), _whole(unit, columns, count)
        # A record longer than what was read so far is looked at again when there is twice as much.
        enough = 0 if cut else 2 * len(carry)
        if not cut and len(carry) > csv.LONGEST_RECORD_BYTES:
            raise FormatError("A quoted value does not end; a quote here is not closed or not doubled", byte=start)
        start, carry, count = start + cut, carry[cut:], count + len(lines)
        if lines:
            yield lines
    if carry:
        last = _all_quoted(carry, columns)
        units = [] if last else csv.units([carry], columns, start)
        yield last or [line for unit in units for line in _whole(unit, columns, count)]


def shown(value: bytes) -> bytes:
    r"""Return a value of a flat line as it is.

    >>> shown(b"a\x00 \x02b\x02")
    b'a, "b"'
    """
    if not _TAKEN.search(value):
        return value
    return _GIVEN.sub(lambda found: bytes([found[1][0] - _SHIFT]), value.translate(_SHOWN))


def _all_quoted(content: bytes, columns: int) -> list[bytes] | None:
    """Split records whose values are all in quotes, without splitting at quotes: three times as fast.

    A quote that ends a value is the last of an odd number, and one that begins a value the first; within a value their
    number is even. So if only pairs are left beside what was taken for borders, those are the borders.
    """
    content = content.removesuffix(b"\n")
    if not (len(content) > 1 and content.startswith(b'"') and content.endswith(b'"')) or _has_taken(content):
        return None
    if not content.isascii():
        _check(content, 0)
    text = content[1:-1].replace(b'","', _VALUE_BORDER).replace(b'"\n"', _RECORD_BORDER).replace(b'""', _QUOTE)
    if b'"' in text:
        return None
    text = text.translate(_HIDDEN_BORDERS_SHOWN, _FILL)
    borders = text.translate(None, _ALL_BUT_BORDERS) + b"\n"
    return text.split(b"\n") if borders == (b"," * (columns - 1) + b"\n") * borders.count(b"\n") else None


def _whole(unit: csv.Unit, columns: int, count: int) -> list[bytes]:
    if not unit.content.isascii():
        _check(unit.content, unit.start)
    if unit.clean and not _has_taken(unit.content):
        return csv.masked(unit.pieces).replace(b"\r\n", b"\n").split(b"\n")[:-1]
    return [_line(one, columns, number) for number, one in enumerate(csv.records(unit, columns), count + 1)]


def _line(record: csv.Record, columns: int, number: int) -> bytes:
    values = csv.split(record.raw)
    if len(values) != columns:
        raise FormatError(f"A record has {len(values)} fields where the header has {columns}", row=number)
    return b",".join([_hidden(csv.unquote(value)) for value in values])


def _hidden(value: bytes) -> bytes:
    return _TAKEN.sub(lambda found: bytes([3, found[0][0] + _SHIFT]), value).translate(_HIDDEN)


def _has_taken(content: bytes) -> bool:
    return any(byte in content for byte in range(_SHIFT))


def _check(content: bytes, start: int) -> None:
    try:
        content.decode()
    except UnicodeDecodeError as error:
        place = start + error.start
    else:
        return
    # Outside the handler: inside, Python would chain the handled error to ours, and it holds all the records.
    raise FormatError("The content is not UTF-8", byte=place)
