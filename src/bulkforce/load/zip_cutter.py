"""Cuts records that name files into batches: each a byte range of the feed, and the files that it names."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator

from bulkforce.errors import FormatError
from bulkforce.formats import csv
from bulkforce.load.attachments import Measured, Packer, Unusable, Weight
from bulkforce.load.cutter import BLANK, Batch, Cutter, Keep, Rejected


class ZipCutter(Cutter):
    """Does what `Cutter` does, within the limits of zips; the feed is always a file of its own.

    Args:
        packer: Finds and measures the files.
        batch_records: Maximum number of records in a batch.
        keep: See `Cutter`.
        part: See `Cutter`.
        look: See `Cutter`.
        header: See `Cutter`.
    """

    def __init__(
        self,
        packer: Packer,
        batch_records: int,
        keep: Keep,
        part: Callable[[], None],
        look: Callable[[csv.Unit], None] = lambda _unit: None,
        *,
        header: bytes = b"",
    ) -> None:
        super().__init__(packer.shape, batch_records, keep, part, look, header=header)
        self._packer = packer
        self._weight = Weight(len(packer.shape.header))

    def cut(self, blocks: Iterable[bytes], start: int, source_start: int | None = None) -> Iterator[Batch | Rejected]:
        """See `Cutter.cut`."""
        self._part()
        self._offset = start
        self._begin_zip()
        columns = len(self._shape.source)
        try:
            begin = start if source_start is None else source_start
            for unit in csv.units(blocks, columns, begin, self._header, self.longest):
                self._check_text(unit)
                self._look(unit)
                for record in csv.records(unit, columns):
                    if record.is_empty:
                        self.skipped += 1
                        continue
                    self.read += 1
                    yield from self._one(record, columns)
        except FormatError as error:
            row = self.read + 1 if error.row is None else error.row
            raise FormatError(error.text, row=row, column=error.column, byte=error.byte) from None
        if self._records:
            yield self._seal_zip()

    def _begin_zip(self) -> None:
        self._begin()
        self._piece_digest = hashlib.sha256()
        self._weight = Weight(len(self._shape.header))

    def _one(self, record: csv.Record, columns: int) -> Iterator[Batch | Rejected]:
        raw = record.raw
        try:
            if problem := record.problem and self._problem(record, columns):
                raise Unusable(problem)  # noqa: TRY301  (rejected like the others)
            (values,) = self._shape.rows(raw + b"\n")
            files = self._packer.measured(values)
            line = self._line(values, files, 1)
            alone = Weight(len(self._shape.header))
            alone.add(len(line), files)
            if self.may_be_blank(line):
                raise Unusable(BLANK)  # noqa: TRY301  (rejected like the others)
            if excess := alone.excess():
                raise Unusable(excess)  # noqa: TRY301  (rejected like the others)
        except Unusable as error:
            yield Rejected(self.read, str(error), raw, record.start)
            return
        together = Weight(self._weight.request, self._weight.files, self._weight.unpacked, self._weight.packed)
        together.add(len(line), files)
        if self._records == self._batch_records or together.excess():
            yield self._seal_zip()
            together = alone
        self._digest.update(self._line(values, files, self._weight.files + 1))
        self._weight = together
        content = raw + b"\n"
        self._keep(content)
        assert self._piece_digest is not None
        self._piece_digest.update(content)
        self._offset += len(content)
        self._records += 1

    def _line(self, values: list[str], files: list[Measured], number: int) -> bytes:
        return self._shape.written([self._packer.named(values, files, number)])

    def _problem(self, record: csv.Record, columns: int) -> str | None:
        """Return a record's problem, unless it is the length of a binary value, which has a file's limits."""
        values = csv.split(record.raw)
        lengths = [len(csv.unquote(value).decode("utf-8", "replace")) for value in values]
        if len(values) != columns or record.problem != csv.too_long(lengths):
            return record.problem
        for place in self._shape.files:
            if place < len(self._shape.taken):
                lengths[self._shape.taken[place]] = 0
        return csv.too_long(lengths)

    def _seal_zip(self) -> Batch:
        self._number += 1
        assert self._piece_digest is not None
        batch = Batch(
            self._number,
            self._start,
            self._offset,
            self._records,
            self._weight.zip,
            self._digest.hexdigest(),
            self._piece_digest.hexdigest(),
        )
        self._begin_zip()
        return batch
