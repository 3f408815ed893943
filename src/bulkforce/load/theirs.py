"""The columns of a source that are its user's own: outputs hold them, and not those of an earlier load beside ours."""

from __future__ import annotations

from collections.abc import Sequence

from bulkforce.formats import csv
from bulkforce.load.mapping import OUR_COLUMNS, Shape


class Theirs:
    """Leaves the columns of an earlier load's outputs out of records.

    If its ids are sent as the records' ids, they stay, as ``Id``: the org need not return the id of a failed record.

    Args:
        header: The source's raw header.
        shape: How records are sent, if that is known.
    """

    def __init__(self, header: bytes, shape: Shape | None = None) -> None:
        named = csv.split(header)
        names = [csv.unquote(name).decode() for name in named]
        id_place = shape.id_place if shape else None
        self._places = [place for place, name in enumerate(names) if name not in OUR_COLUMNS or place == id_place]
        self._all = len(self._places) == len(names)
        self.header = (
            header
            if self._all
            else b",".join(b"Id" if names[place] in OUR_COLUMNS else named[place] for place in self._places)
        )

    def row(self, row: bytes) -> bytes:
        """Return a raw record with the user's own columns."""
        if self._all:
            return row
        values = csv.split(row)
        return b",".join([values[place] for place in self._places if place < len(values)])

    def rows(self, rows: Sequence[bytes]) -> Sequence[bytes]:
        """Return raw records with the user's own columns."""
        return rows if self._all else [self.row(row) for row in rows]
