"""Plain decimals: the org writes large and small numbers in scientific notation, such as ``1.6147805824397E13``.

In CSV, only blocks in which such a number may stand are split into records, and only records that have one into values.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Final, Literal, TypeAlias

from bulkforce.extract.borders import last_border
from bulkforce.extract.columns import Column
from bulkforce.formats import csv
from bulkforce.formats.rows import rows_of
from bulkforce.formats.values import without_exponent

Numbers: TypeAlias = Literal["plain", "org"]
"""How to write numbers: as plain decimals, or as the org wrote them."""
NUMBERS: Final[tuple[Numbers, ...]] = ("plain", "org")

TYPES: Final = frozenset({"double", "currency", "percent", "int", "long"})
"""The types of fields that hold numbers."""

_LONGEST_CARRY_BYTES: Final = 1_000_000
# The end of a number in quotes; it begins with a letter that is rare, so the search is fast.
_MAYBE: Final = re.compile(rb'E-?[0-9]{1,3}"')
_LONGEST_MAYBE: Final = len(b'E-324"')


class Exponents:
    """Looks for what may be a number with an exponent, block by block, so that most files need not be looked at again.

    Attributes:
        found: Whether there is any.
    """

    def __init__(self) -> None:
        self.found = False
        self._before = b""

    def feed(self, block: bytes) -> None:
        """Look at the next block."""
        if not self.found:
            across, short = self._before + block[: _LONGEST_MAYBE - 1], 1 - _LONGEST_MAYBE
            self.found = bool(_MAYBE.search(block) or _MAYBE.search(across))
            self._before = (self._before + block[short:])[short:]


class PlainNumbers:
    """Writes the numbers of a CSV file as plain decimals.

    Args:
        columns: Looks up the columns with their types, when a number may need it.
    """

    def __init__(self, columns: Callable[[], Iterable[Column]]) -> None:
        self._columns = columns
        self._found: Collection[int] | None = None

    def written(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the same records, in blocks.

        Args:
            blocks: The records, with every value in quotes, as the org writes them.
        """
        carry = b""
        for block in blocks:
            content = carry + block if carry else block
            # A certain border, so that each piece has whole records.
            cut = last_border(content, len(content) - 1) + 1
            if cut or len(content) < _LONGEST_CARRY_BYTES:
                carry, content = content[cut:], content[:cut]
            else:
                carry = b""
            if content:
                yield self._piece(content)
        if carry:
            yield self._piece(carry)

    def _piece(self, content: bytes) -> bytes:
        if self._found == () or not _MAYBE.search(content):
            return content
        if self._found is None:
            self._found = tuple(place for place, column in enumerate(self._columns()) if column.type in TYPES)
            if not self._found:
                return content
        rows = rows_of(content)
        for place, row in enumerate(rows):
            if _MAYBE.search(row):
                rows[place] = self._row(row, self._found)
        end = b"\r\n" if content.endswith(b"\r\n") else b"\n"
        return end.join([*rows, b""] if content.endswith(b"\n") else rows)

    def _row(self, row: bytes, places: Collection[int]) -> bytes:
        values = csv.split(row)
        for place in places:
            if place < len(values) and b"E" in values[place] and values[place].isascii():
                values[place] = b'"%b"' % without_exponent(csv.unquote(values[place]).decode()).encode()
        return b",".join(values)
