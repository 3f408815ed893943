"""Cuts CSV into batches, measured in the exact bytes to be sent, header included. No I/O: blocks in, batches out.

A batch is a byte range of the feed (a CSV file on disk). Records that the org cannot accept are left out of the feed
and reported as rejected.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from bulkforce import arguments
from bulkforce.errors import FormatError
from bulkforce.formats import csv
from bulkforce.load.mapping import Shape
from bulkforce.protocol import limits


@dataclass(frozen=True, slots=True)
class Batch:
    """A sealed batch: a range of the feed.

    Attributes:
        number: From 1, in the source's order.
        start: Offset of its first record in the feed.
        end: Offset of the first byte after its last record.
        records: Number of records.
        size: Number of bytes sent, header included.
        sha256: Digest of the bytes sent.
        piece_sha256: Digest of the records as they are in the feed; empty if they are sent unchanged after the header.
    """

    number: int
    start: int
    end: int
    records: int
    size: int
    sha256: str
    piece_sha256: str = ""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record that fits in no batch.

    Attributes:
        row: Its number in the source, from 1, blank lines not counted.
        reason: Which limit it exceeds, or why it is not a valid record.
        raw: Its bytes.
        start: Their offset in the source.
    """

    row: int
    reason: str
    raw: bytes
    start: int = field(default=0, compare=False)


BLANK: Final = (
    "its only value is empty, and the org may take such a record for a blank line and not count it; give it a value, "
    "or load more columns"
)
_LONE_EMPTY: Final = re.compile(rb'^""\r?$', re.MULTILINE)

Keep: TypeAlias = Callable[[bytes], None]
"""Called with each run of records that belongs to the feed, in order."""


class Cutter:
    """Takes the source's blocks in order and yields batches and rejections.

    Args:
        shape: How records are converted before they are sent; limits apply to what is sent.
        batch_records: Maximum number of records in a batch.
        keep: Called with each run of records that belongs to the feed, in order.
        part: Called before the first run of records that differs from the source: from here on the feed is a file of
            its own.
        look: Called with each run of records, rejected ones included.
        batch_bytes: Maximum size of a batch in bytes, header included.
        header: The source's raw header, if it must not be a record, too.

    Attributes:
        read: Number of records so far.
        skipped: Number of rows so far that are nothing but commas; like blank lines, they are no records.
    """

    def __init__(
        self,
        shape: Shape,
        batch_records: int,
        keep: Keep,
        part: Callable[[], None],
        look: Callable[[csv.Unit], None] = lambda _unit: None,
        *,
        batch_bytes: int = limits.BATCH_BYTES,
        header: bytes = b"",
    ) -> None:
        if arguments.count(batch_records, "The number of records in a batch") < 1:
            raise FormatError(f"A batch holds at least one record, not {arguments.shown(batch_records)}")
        self._shape = shape
        self._is_lone = len(shape.taken) + len(shape.constants) == 1
        self._batch_records = batch_records
        self._keep = keep
        self._part = part
        self._look = look
        self._batch_bytes = batch_bytes
        self._room = batch_bytes - len(shape.header)
        self._number = 0
        self._offset = 0
        self._header = header
        # Whether what was kept last ends before the source does: something after it was left out.
        self._gap = False
        self.read = self.skipped = 0
        self.longest = csv.LONGEST_RECORD_BYTES
        self._begin()

    def _begin(self) -> None:
        self._start, self._records, self._size = self._offset, 0, 0
        self._digest = hashlib.sha256(self._shape.header)
        self._piece_digest = None if self._shape.keeps_bytes else hashlib.sha256()

    def cut(self, blocks: Iterable[bytes], start: int, source_start: int | None = None) -> Iterator[Batch | Rejected]:
        """Cut the records in ``blocks``, which begin after the header.

        Args:
            blocks: The source.
            start: Offset of the first record in the feed.
            source_start: Offset of the first record in the source, for errors; by default ``start``.

        Raises:
            FormatError: The source is not valid CSV: it has a misplaced quote, or is not UTF-8.
        """
        self._offset = start
        self._begin()
        columns = len(self._shape.source)
        try:
            begin = start if source_start is None else source_start
            for unit in csv.units(blocks, columns, begin, self._header, self.longest):
                self._check_text(unit)
                self._look(unit)
                sent = self._shape.apply(unit.content) if unit.clean else b""
                if unit.clean and len(sent) <= self._room and not self.may_be_blank(sent):
                    self.read += unit.records
                    yield from self._add(unit.content, sent, unit.records)
                else:
                    yield from self._add_closely(unit, columns)
        except FormatError as error:
            row = self.read + 1 if error.row is None else error.row
            raise FormatError(error.text, row=row, column=error.column, byte=error.byte) from None
        if self._records:
            yield self._seal()

    def _check_text(self, unit: csv.Unit) -> None:
        try:
            csv.characters_of(unit.content, unit.start)
        except FormatError as error:
            until = unit.content[: (error.byte or 0) - unit.start + 1]
            row = self.read + sum(1 for line in csv.lines(until) if line.strip(b",\r\n"))
            raise FormatError(error.text, row=row, byte=error.byte) from None

    def _add_closely(self, unit: csv.Unit, columns: int) -> Iterator[Batch | Rejected]:
        good: list[bytes] = []
        end = b"\r\n" if b"\r\n" in unit.content else b"\n"
        for record in csv.records(unit, columns):
            if record.is_empty:
                self.skipped += 1
                continue
            self.read += 1
            problem = record.problem or self._unsendable(record.raw + end)
            if problem:
                yield from self._flush(good, unit)
                good = []
                yield Rejected(self.read, problem, record.raw, record.start)
            else:
                good.append(record.raw)
        yield from self._flush(good, unit)

    def _flush(self, good: list[bytes], unit: csv.Unit) -> Iterator[Batch]:
        """Add the good records of a run, from which others may be missing."""
        wholes = [end.join([*good, b""]) for end in (b"\n", b"\r\n")]
        # The last record of a file may lack its line end.
        is_all = any(unit.content in (whole, whole.rstrip(b"\r\n")) for whole in wholes)
        content = unit.content if is_all else next(filter(unit.content.startswith, wholes), wholes[0])
        if good:
            if not unit.content.startswith(content):
                self._part()
            yield from self._add(content, self._shape.apply(content), len(good))
        self._gap = self._gap or not is_all

    def _unsendable(self, line: bytes) -> str | None:
        sent = self._shape.apply(line)
        if len(sent) > self._room:
            return f"{len(sent):,} bytes; a batch, header included, has at most {self._batch_bytes:,}"
        return BLANK if self.may_be_blank(sent) else None

    def may_be_blank(self, sent: bytes) -> bool:
        """Whether there may be a record that the org does not count: its CSV parser may skip lone empty values."""
        return self._is_lone and _LONE_EMPTY.search(sent) is not None

    def _add(self, content: bytes, sent: bytes, records: int) -> Iterator[Batch]:
        if self._gap:
            self._part()
        self._keep(content)
        while self._records + records > self._batch_records or self._size + len(sent) > self._room:
            # Once per batch: the batch ends within this run of records.
            fits, count = self._fitting(content)
            self._take(content[:fits], self._shape.apply(content[:fits]), count)
            yield self._seal()
            content, records = content[fits:], records - count
            sent = self._shape.apply(content)
        self._take(content, sent, records)

    def _fitting(self, content: bytes) -> tuple[int, int]:
        """Return how many bytes, and how many records, still fit into the batch."""
        fits, count, size = 0, self._records, self._size
        for raw in csv.lines(content):
            size += len(self._shape.apply(raw))
            if count == self._batch_records or size > self._room:
                break
            fits, count = fits + len(raw), count + 1
        return fits, count - self._records

    def _take(self, content: bytes, sent: bytes, records: int) -> None:
        self._offset += len(content)
        self._records += records
        self._size += len(sent)
        self._digest.update(sent)
        if self._piece_digest is not None:
            self._piece_digest.update(content)

    def _seal(self) -> Batch:
        self._number += 1
        size = len(self._shape.header) + self._size
        piece = "" if self._piece_digest is None else self._piece_digest.hexdigest()
        batch = Batch(self._number, self._start, self._offset, self._records, size, self._digest.hexdigest(), piece)
        self._begin()
        return batch
