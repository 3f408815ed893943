"""Read parts as Arrow record batches: block by block and column by column, each column with its type. This makes no
Python object per record.

pyarrow's reader was tested with what the org writes, every value in quotes: NUL, lone CR, LF and CRLF inside quotes
come through unchanged, and so do "NA" and "null"; only the empty value is null. It accepts text after a closing quote,
and an unclosed quote, but such parts do not pass the count of their records.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bulkforce.errors import FormatError
from bulkforce.extract.arrow_types import constant
from bulkforce.extract.columns import other_columns

if TYPE_CHECKING:
    import pyarrow as pa

BLOCK_BYTES: Final = 131_072
"""The reader is some 32 blocks ahead of what is taken from it, so this counts many times in memory."""
_LARGEST_BLOCK_BYTES: Final = 67_108_864
_COLUMN: Final = re.compile(r"CSV column #(\d+)")
# pyarrow has no error class for this: a record spans more than two blocks.
_TOO_LONG: Final = "straddl"


class Misfit(Exception):
    """A value does not fit its column's type.

    Attributes:
        column: Position of the column.
    """

    def __init__(self, column: int) -> None:
        super().__init__(column)
        self.column = column


def memory_pool() -> pa.MemoryPool | None:
    """Return an allocator that gives back what is not used, which the default one keeps for each thread.

    Returns:
        jemalloc; ``None`` for the default, where it is not there.
    """
    import pyarrow as pa

    return pa.jemalloc_memory_pool() if "jemalloc" in pa.supported_memory_backends() else None


class PartReader:
    """A reader of parts.

    Args:
        schema: Names and types of the columns.
    """

    def __init__(self, schema: pa.Schema) -> None:
        import pyarrow as pa
        from pyarrow import csv

        self.schema = schema
        self._pool = memory_pool()
        self._block_bytes = BLOCK_BYTES
        # The CSV reader does not support a time of day with a trailing Z.
        self._times = [place for place, field in enumerate(schema) if pa.types.is_time(field.type)]
        # It also accepts numbers with more digits before the decimal point than the type can hold.
        self._decimals = [place for place, field in enumerate(schema) if pa.types.is_decimal(field.type)]
        self._parse = csv.ParseOptions(newlines_in_values=True)
        self._convert = csv.ConvertOptions(
            column_types={field.name: pa.string() if pa.types.is_time(field.type) else field.type for field in schema},
            null_values=[""],
            strings_can_be_null=True,
            true_values=["true"],
            false_values=["false"],
            # It was checked when the part came.
            check_utf8=False,
        )

    def read(self, part: Path) -> Iterator[pa.RecordBatch]:
        """Read a part.

        Raises:
            Misfit: A value does not fit its column's type.
            ProtocolError: The columns are different.
            FormatError: It is not CSV.
        """
        import pyarrow as pa

        done = 0
        while True:
            try:
                for batch in self._from(part, done):
                    yield batch
                    done += batch.num_rows
            except (pa.ArrowInvalid, UnicodeDecodeError) as error:
                text = str(error)
            else:
                return
            # Outside the handler: its message shows values, and Python would chain it to what is raised.
            if found := _COLUMN.search(text):
                raise Misfit(int(found[1]))
            if _TOO_LONG not in text or self._block_bytes >= _LARGEST_BLOCK_BYTES:
                raise FormatError(f"{part.name} is not valid CSV with {len(self.schema)} columns")
            self._block_bytes *= 4

    def _from(self, part: Path, row: int) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa
        from pyarrow import csv

        options = csv.ReadOptions(block_size=self._block_bytes)
        with (
            pa.OSFile(str(part), memory_pool=self._pool) as file,
            csv.open_csv(file, options, self._parse, self._convert, memory_pool=self._pool) as reader,
        ):
            if reader.schema.names != self.schema.names:
                raise other_columns(self.schema.names, reader.schema.names)
            for batch in reader:
                left = batch.slice(min(row, batch.num_rows))
                row -= batch.num_rows - left.num_rows
                if left.num_rows:
                    self._check_decimals(left)
                    yield self._with_times(left)

    def _check_decimals(self, batch: pa.RecordBatch) -> None:
        for place in self._decimals:
            if not _is_valid(batch.column(place)):
                raise Misfit(place)

    def _with_times(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        if not self._times:
            return batch
        import pyarrow as pa

        arrays = batch.columns
        for place in self._times:
            times = _times_of(arrays[place])
            if times is None:
                raise Misfit(place)
            arrays[place] = times
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)


def _is_valid(array: pa.Array) -> bool:
    import pyarrow as pa

    try:
        array.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _times_of(texts: pa.Array) -> Any:  # noqa: ANN401
    """Convert times of day via 1970-01-01, since Arrow cannot cast text to a time; ``None`` if one is not valid."""
    import pyarrow as pa
    import pyarrow.compute as pc

    moments = pc.binary_join_element_wise(constant("1970-01-01T"), pc.utf8_rtrim(texts, "Z"), constant(""))
    try:
        return moments.cast(pa.timestamp("ms")).cast(pa.time32("ms"))
    except pa.ArrowInvalid:
        return None
