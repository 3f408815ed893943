"""Split raw records at their line ends without parsing their values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import accumulate, zip_longest
from typing import Final

from bulkforce.formats import csv

_ALL_BUT_QUOTES_AND_LINE_ENDS: Final = bytes(byte for byte in range(256) if byte not in b'"\n')


def rows_of(content: bytes, records: int = -1) -> list[bytes]:
    r"""Split records, without their line ends; the content must have no blank lines.

    Args:
        content: The records.
        records: How many there are, if known; if there are as many lines, no value contains a line end.

    >>> rows_of(b'1,"a\nb"\n2,c\r\n')
    [b'1,"a\nb"', b'2,c']
    """
    lines = content.split(b"\n")
    if not lines[-1]:
        lines.pop()
    if len(lines) != records and b'"' in content:
        lines = _joined(lines, _odd_lines(content))
    return _without_returns(lines, content)


def _without_returns(lines: list[bytes], content: bytes) -> list[bytes]:
    return [line.removesuffix(b"\r") for line in lines] if b"\r" in content else lines


def column_of(content: bytes, records: int, place: int, columns: int) -> list[bytes]:
    r"""Return the values of one column of records that are known to have all columns.

    This works only for values without commas and quotes, such as ids.

    >>> column_of(b'"1","a\nb"\n"2",c\n', 2, 0, 2)
    [b'1', b'2']
    """
    if place and b'"' in content:
        blocks = (content[begin : begin + csv.BLOCK_BYTES] for begin in range(0, len(content), csv.BLOCK_BYTES))
        return list(csv.column(blocks, place, columns))
    # Five times as fast.
    values = [line.split(b",", place + 1)[place] for line in rows_of(content, records)]
    return [value.strip(b'"') for value in values] if b'"' in content else values


def groups_of(blocks: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Split records as `rows_of` does, block by block: those that fit the CPU cache take a quarter less than all at
    once.
    """
    carry = b""
    for block in blocks:
        content = carry + block
        lines, odd = content.split(b"\n"), _odd_lines(content)
        # The last line may go on in the next block, and so does a value that is still open.
        whole = len(lines) - 1
        if odd and odd[-1] == whole:
            odd.pop()
        if len(odd) % 2:
            whole = odd.pop()
        carry = b"\n".join(lines[whole:])
        if whole:
            yield _without_returns(_joined(lines[:whole], odd) if odd else lines[:whole], content)
    if carry:
        yield rows_of(carry)


def _odd_lines(content: bytes) -> list[int]:
    """Return the numbers, from 0, of lines with an odd number of quotes: each opens or closes a multi-line value."""
    # Keep only quotes and line ends, and drop pairs of quotes: what remains are the quotes of those lines.
    spans = content.translate(None, _ALL_BUT_QUOTES_AND_LINE_ENDS).replace(b'""', b"").split(b'"')
    return list(accumulate(map(len, spans[:-1])))


def _joined(lines: list[bytes], odd: list[int]) -> list[bytes]:
    """Rejoin lines that were split inside quotes; an unclosed quote extends to the end."""
    whole: list[bytes] = []
    behind = 0
    for first, last in zip_longest(odd[::2], odd[1::2], fillvalue=len(lines)):
        whole += lines[behind:first]
        whole.append(b"\n".join(lines[first : last + 1]))
        behind = last + 1
    return whole + lines[behind:]
