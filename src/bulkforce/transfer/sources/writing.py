"""A CSV file written while its columns are still being found, and moved in place when it is whole."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from bulkforce.errors import FormatError, UsageError
from bulkforce.formats import csv
from bulkforce.formats.values import Value
from bulkforce.protocol import limits

_READ_BYTES: Final = 262_144
_BLOCK_CHARACTERS: Final = 500_000


@contextmanager
def whole(target: Path) -> Iterator[BinaryIO]:
    """Write a file under a temporary name, and move it in place if nothing goes wrong."""
    part = target.with_name(target.name + ".part")
    try:
        with part.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def csv_file(target: Path) -> Iterator[CsvFile]:
    """Write a CSV file and move it in place if nothing goes wrong.

    Raises:
        UsageError: No record was written, or none has a field.
    """
    narrow = target.with_name(target.name + ".narrow")
    try:
        with whole(narrow) as file:
            written = CsvFile(file)
            yield written
            written.check()
        if written.is_ragged:
            with whole(target) as file:
                written.widen(narrow, file)
        else:
            os.replace(narrow, target)
    finally:
        narrow.unlink(missing_ok=True)


class CsvFile:
    """A CSV file to which columns may be added at any time; what was written before is padded at the end, in one pass.

    Attributes:
        columns: The names so far.
        records: Number of records so far.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._known: dict[str, str] = {}
        # Where the records begin that have this many columns.
        self._sections: list[tuple[int, int]] = []
        self._bare = 0
        self.columns: list[str] = []
        self.records = 0

    def add_columns(self, names: Iterable[str], row: int | None = None) -> None:
        """Make sure that there are columns of these names.

        Raises:
            FormatError: One cannot be the name of a column.
        """
        for name in names:
            if name in self.columns:
                continue
            if not isinstance(name, str) or not name.strip():
                raise FormatError(f"{name!r} cannot be the name of a field", row=row)
            if twin := self._known.get(name.lower()):
                raise FormatError(f"{twin!r} and {name!r} are one and the same field to the org", row=row)
            if len(self.columns) == limits.RECORD_FIELDS:
                raise FormatError(f"There are more than {limits.RECORD_FIELDS:,} different fields, which no record may have", row=row)
            self._known[name.lower()] = name
            self.columns.append(name)

    def write(self, content: bytes | memoryview, records: int) -> None:
        """Write whole records which have all columns, each with LF at its end, CR and LF inside values in quotes."""
        self.records += records
        self._begin_section()
        self._file.write(content)

    def write_bare(self, records: int) -> None:
        """Write records without any field."""
        self.records += records
        if not self.columns:
            self._bare += records
            return
        self._begin_section()
        line = csv.rows([[""] * len(self.columns)])
        for _ in range(records):
            self._file.write(line)

    def _begin_section(self) -> None:
        width = len(self.columns)
        if self._sections and self._sections[-1][1] == width:
            return
        if not self._sections:
            self._file.write(csv.rows([self.columns]))
        self._sections.append((self._file.tell(), width))
        bare, self._bare = self._bare, 0
        self.records -= bare
        self.write_bare(bare)

    def write_records(self, records: Iterable[Mapping[str, Value]]) -> None:
        """Write records, block by block.

        Raises:
            FormatError: A record cannot be written; says which.
        """
        block: list[dict[str, str]] = []
        size = 0
        for number, record in enumerate(records, self.records + 1):
            flat = csv.flatten(record, number)
            if not flat.keys() <= self._known_names:
                self.add_columns(flat, number)
            block.append(flat)
            size += 1 + sum(map(len, flat.values()))
            if size > _BLOCK_CHARACTERS:
                self._write_block(block)
                block, size = [], 0
        self._write_block(block)
