"""Writes a CSV file while its columns are still being discovered, and moves it into place when it is complete."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice, repeat
from pathlib import Path
from typing import BinaryIO, Final, TypeAlias

from bulkforce import arguments
from bulkforce.errors import FormatError, UsageError
from bulkforce.formats import csv
from bulkforce.formats.values import Value
from bulkforce.load.sources.ragged import folded, null_parents, parted
from bulkforce.objects.forms import Forms
from bulkforce.protocol import limits
from bulkforce.run.files import Draft, whole

OnBlock: TypeAlias = Callable[[], None]

_READ_BYTES: Final = 262_144
# Few enough to fit in memory even if each is as long as allowed.
_BLOCK_RECORDS: Final = 256
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


@contextmanager
def csv_file(target: Path, on_block: OnBlock, forms: Forms) -> Iterator[CsvFile]:
    """Write a CSV file and move it into place if nothing goes wrong.

    Args:
        target: The file.
        forms: How the values of each column are written.
        on_block: Called after each block of records; an exception from it stops the writing.

    Raises:
        UsageError: No record was written, or none has a field.
    """
    narrow = Draft(target, temporary=target.with_name(target.name + ".narrow"))
    try:
        written = CsvFile(narrow.file, on_block, forms)
        yield written
        written.check()
        parents = null_parents(written.columns)
        if written.is_ragged or parents:
            narrow.file.flush()
            blocks = written.widened(narrow.temporary)
            columns = [name for name in written.columns if name not in parents]
            with whole(target) as file:
                file.write(csv.write([[name] for name in columns]))
                file.writelines(folded(blocks, list(written.columns), parents) if parents else blocks)
        else:
            narrow.publish()
    finally:
        narrow.discard()


class CsvFile:
    """A CSV file to which columns may be added at any time; earlier records are padded at the end, in one pass.

    Attributes:
        columns: The names so far, in order.
        records: Number of records so far.
        forms: How the values of each column are written.
    """

    def __init__(self, file: BinaryIO, on_block: OnBlock, forms: Forms) -> None:
        self._file = file
        self.forms = forms
        self._on_block = on_block
        self._lowered: dict[str, str] = {}
        # Offset and width of each run of records with the same columns.
        self._sections: list[tuple[int, int]] = []
        self._bare = 0
        self.columns: dict[str, None] = {}
        self.records = 0

    def add_columns(self, names: Iterable[str], row: int | None = None) -> None:
        """Add the columns that are not there yet.

        Raises:
            FormatError: A name cannot be the name of a field.
        """
        for name in names:
            if name in self.columns:
                continue
            if not isinstance(name, str) or not name.strip():
                raise FormatError(f"{arguments.shown(name)} cannot be the name of a field", row=row)
            if twin := self._lowered.get(name.lower()):
                raise FormatError(
                    f"{arguments.shown(twin)} and {arguments.shown(name)} are the same field to the org", row=row
                )
            if len(self.columns) == limits.RECORD_FIELDS:
                raise FormatError(
                    f"The records have more than {limits.RECORD_FIELDS:,} different fields; no record may have more",
                    row=row,
                )
            self._lowered[name.lower()] = name
            self.columns[name] = None

    def write(self, content: bytes | memoryview, records: int) -> None:
        """Write whole records that have all columns, each followed by LF."""
        self._begin_section()
        self._file.write(content)
        self.records += records
        self._on_block()

    def write_bare(self, records: int) -> None:
        """Write records that have no fields."""
        if self.columns:
            self._begin_section()
            self._file.writelines(repeat(csv.write([[""]] * len(self.columns)), records))
        else:
            # Written as soon as there is a column.
            self._bare += records
        self.records += records
        self._on_block()

    def write_records(self, records: Iterable[Mapping[str, Value]]) -> None:
        """Write records, a block at a time.

        Raises:
            FormatError: A record cannot be written; the error says which.
        """
        self.forms.empty_is_written = self.forms.empty_as_null
        rest = iter(records)
        while block := list(islice(rest, _BLOCK_RECORDS)):
            for piece, too_many in parted(block):
                self._write_piece(piece, too_many)

    def _write_piece(self, block: list[Mapping[str, Value]], too_many: list[str]) -> None:
        """Write records, the last of them with more values than there are columns, so that it is rejected."""
        columns = self._columns_of(block)
        if not columns and not too_many:
            self.write_bare(len(block))
            return
        try:
            content = csv.write(columns)
            if too_many:
                content = content.removesuffix(b"\n") + b"," + csv.write([[value] for value in too_many])
        except FormatError as error:
            rows = enumerate(zip(*columns, strict=True), 1)
            place = next((place for place, row in rows if _SURROGATE.search("".join(row))), len(block))
            raise FormatError(error.text, row=self.records + place) from error
        self.write(content, len(block))

    def _columns_of(self, block: list[Mapping[str, Value]]) -> list[Sequence[str]]:
        """Return the values as text, column by column."""
        records: Sequence[Mapping[str, Value]] = block
        are_flat = set(map(type, block)) == {dict} and self.columns.keys() >= set().union(*block)
        kinds: set[type] = set().union(*(map(type, record.values()) for record in block)) if are_flat else set()
        if not are_flat or any(issubclass(kind, Mapping) for kind in kinds):
            records = [csv.flatten(record, number) for number, record in enumerate(block, self.records + 1)]
            for number, record in enumerate(records, self.records + 1):
                self.add_columns(record, number)
        texts = [self._texts(name, [record.get(name, "") for record in records]) for name in self.columns]
        if not self.forms.empty_as_null:
            return texts
        return [
            [text if text or name not in record else csv.NULL for text, record in zip(column, records, strict=True)]
            for name, column in zip(self.columns, texts, strict=True)
        ]

    def _texts(self, name: str, values: list[Value]) -> Sequence[str]:
        try:
            return self.forms.of(name).values(values, self.records + 1)
        except FormatError as error:
            raise FormatError(error.text, row=error.row, column=name) from error

    def _begin_section(self) -> None:
        width = len(self.columns)
        if not self._sections:
            self._file.write(csv.write([[name] for name in self.columns]))
        if not self._sections or self._sections[-1][1] != width:
            self._sections.append((self._file.tell(), width))
        if self._bare:
            self._file.writelines(repeat(csv.write([[""]] * width), self._bare))
            self._bare = 0

    def check(self) -> None:
        """Refuse an empty file.

        Raises:
            UsageError: No record was written, or none has a field.
        """
        if not self._sections:
            raise UsageError("The source has no records" if not self.records else "No record of the source has a field")

    @property
    def is_ragged(self) -> bool:
        """Whether columns were added after records had been written."""
        return len(self._sections) > 1

    def widened(self, narrow: Path) -> Iterator[bytes]:
        """Yield the records again, with all columns in all of them."""
        with narrow.open("rb") as file:
            file.seek(self._sections[0][0])
            ends = [start for start, _ in self._sections[1:]] + [narrow.stat().st_size]
            for (start, width), end in zip(self._sections, ends, strict=True):
                yield from _padded(_blocks(file, end - start), len(self.columns) - width)


def _blocks(file: BinaryIO, length: int) -> Iterator[bytes]:
    while length and (block := file.read(min(length, _READ_BYTES))):
        length -= len(block)
        yield block


def _padded(blocks: Iterable[bytes], missing: int) -> Iterator[bytes]:
    """Add empty values to the end of each record."""
    end, inside = b"," * missing + b"\n", 0
    for block in blocks:
        pieces = block.split(b'"')
        pieces[inside::2] = [piece.replace(b"\n", end) for piece in pieces[inside::2]]
        inside ^= len(pieces) & 1 ^ 1
        yield b'"'.join(pieces)
