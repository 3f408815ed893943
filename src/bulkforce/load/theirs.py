"""The columns of a source that are its user's own: outputs hold them, and not those of an earlier load beside ours."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from bulkforce.formats import csv
from bulkforce.formats.excel import MAYBE, escaped, unescaped
from bulkforce.formats.values import without_exponent
from bulkforce.load.mapping import ESCAPED, OUR_COLUMNS, Shape

_EXPONENT: Final = re.compile(rb"[0-9][Ee][-+]?[0-9]")
_YES: Final = b"yes,"


class Theirs:
    """Writes records for outputs: without the columns of an earlier load's outputs, and for a spreadsheet if asked.

    If the ids of an earlier load are sent as the records' ids, they stay, as ``Id``: the org need not return the id of
    a failed record.

    Args:
        header: The source's raw header.
        shape: How records are sent, if that is known.
        excel: Whether values must not be formulas of a spreadsheet; then a column of ours says in which records some
            would have been, and numbers of fields of numbers have no exponent.

    Attributes:
        header: The header of the records.
        mark: What the file begins with.
        places: The places of the columns that are kept, among the source's.
        names: Their names.
    """

    def __init__(self, header: bytes, shape: Shape | None = None, *, excel: bool = False) -> None:
        named = csv.split(header)
        names = [csv.unquote(name).decode() for name in named]
        id_place = shape.id_place if shape else None
        self._excel = excel
        self._flag = names.index(ESCAPED) if ESCAPED in names else None
        self.places = [place for place, name in enumerate(names) if name not in OUR_COLUMNS or place == id_place]
        self.names = ["Id" if names[place] in OUR_COLUMNS else names[place] for place in self.places]
        numbers = shape.numbers if shape else ()
        self._numbers = [kept for kept, place in enumerate(self.places) if place in numbers]
        self._all = len(self.places) == len(names)
        kept = [b"Id" if names[place] in OUR_COLUMNS else named[place] for place in self.places]
        self.header = b",".join([ESCAPED.encode(), *kept] if excel else kept) if excel or not self._all else header
        self.mark = csv.BOM if excel else b""

    def row(self, row: bytes) -> bytes:
        """Return a raw record as outputs have it."""
        if not self._all:
            values = csv.split(row)
            kept = [values[place] for place in self.places if place < len(values)]
            if self._flag is not None and self._flag < len(values) and values[self._flag].strip(b'"'):
                kept = [csv.quote(unescaped(csv.unquote(value).decode())).encode() for value in kept]
            row = b",".join(kept)
        return self._for_excel(row) if self._excel else row

    def _for_excel(self, row: bytes) -> bytes:
        is_formula = MAYBE.search(row) is not None
        if not is_formula and not (self._numbers and _EXPONENT.search(row)):
            return b"," + row
        values = [csv.unquote(value).decode() for value in csv.split(row)]
        for place in self._numbers:
            if place < len(values):
                # A spreadsheet would show such a number with fewer digits.
                values[place] = without_exponent(values[place])
        safe = [escaped(value) for value in values]
        return (b"," if safe == values else _YES) + ",".join(map(csv.quote, safe)).encode()

    def rows(self, rows: Sequence[bytes]) -> Sequence[bytes]:
        """Return raw records as outputs have them."""
        return [self.row(row) for row in rows] if self._excel or not self._all else rows
