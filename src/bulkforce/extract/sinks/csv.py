"""CSV as received: the bytes of the parts after a single header; numbers may be written as plain decimals."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bulkforce.extract.columns import Column, other_columns
from bulkforce.extract.numbers import PlainNumbers
from bulkforce.extract.sinks.target import Target
from bulkforce.formats import csv
from bulkforce.later import later

if TYPE_CHECKING:
    from bulkforce.extract.sinks import appending
else:
    appending = later("bulkforce.extract.sinks.appending")

_BLOCK_BYTES: Final = 262_144


class CsvSink:
    """Writes the bytes of the parts.

    Args:
        target: Where to write.
        plain: Whether to write numbers as plain decimals.

    Attributes:
        types: Looks up the types of the columns, if `begin` does not give them.
        plain: The parts in which no number has an exponent, as far as that is known.
    """

    def __init__(self, target: Target, *, plain: bool = True) -> None:
        self._target = target
        self._plain = plain
        self.plain: set[Path] = set()
        self.types: Callable[[Sequence[str]], Sequence[Column]] | None = None
        self._columns: Sequence[Column] = ()
        self._header: csv.Header | None = None
        self._unended = self._begun = False

    def begin(self, columns: Sequence[Column]) -> None:
        """Begin to write."""
        self._columns = columns
        self._numbers = PlainNumbers(self._typed)
        self._target.open()
        # A file that is appended to has its header.
        self._begun = bool(self._target.keep)

    def _typed(self) -> Sequence[Column]:
        return self.types([column.name for column in self._columns]) if self.types else self._columns

    def check_columns(self, names: Sequence[str]) -> None:
        """Check that a file that is appended to has these columns.

        Raises:
            UsageError: It has others.
        """
        if self._target.keep and self._target.path is not None:
            appending.check_columns(self._target.path, names, packed=self._target.packed)

    def add(self, part: Path) -> None:
        """Write the next part without reading its records.

        Raises:
            ProtocolError: Its columns are not those of the previous part.
            UsageError: They are not those of the file that is appended to.
        """
        header = csv.header_of(part)
        if self._header is None:
            self.check_columns(header.names)
        start = header.end if self._begun else 0
        self._begun = True
        self._header = self._header or header
        if header.names != self._header.names:
            raise other_columns(self._header.names, header.names)
        if self._unended:
            # The last record of the previous part has no line end.
            self._target.write(b"\n")
        with part.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            self._unended = file.read() not in {b"\n", b"\r"}
            file.seek(start)
            if self._plain and part not in self.plain:
                for block in self._numbers.written(iter(lambda: file.read(_BLOCK_BYTES), b"")):
                    self._target.write(block)
            else:
                self._target.append(file)
        self.plain.discard(part)

    def finish(self) -> None:
        """Write the header if nothing else came, and move the file in place."""
        if not self._begun:
            self._target.write(",".join(f'"{column.name}"' for column in self._columns).encode() + b"\n")
        self._target.publish()

    def discard(self) -> None:
        """Leave nothing behind."""
        self._target.discard()
