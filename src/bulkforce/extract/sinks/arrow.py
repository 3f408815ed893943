"""Parquet and Arrow files, with column types from describe."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from bulkforce.errors import FormatError
from bulkforce.extract.arrow_types import pyarrow, schema_of, wider
from bulkforce.extract.columns import Column
from bulkforce.extract.record_batches import Misfit, PartReader, memory_pool
from bulkforce.extract.sinks.target import Target

if TYPE_CHECKING:
    import pyarrow as pa

Warn = Callable[[str], None]

_ROW_GROUP_BYTES: Final = 6_291_456
"""Size of a row group as Arrow data in memory; each is written at once."""
_DICTIONARY_BYTES: Final = 131_072
"""A column with more different values than this is written without a dictionary, which would take longer and save
nothing."""


class Writer(Protocol):
    """Writes record batches in some format."""

    def write(self, batch: pa.RecordBatch) -> None:
        """Write the next records."""

    def close(self) -> None:
        """Write the end of the file."""


class TypedSink:
    """Writes typed columns.

    If a value does not fit its type according to describe, its column gets a wider type, and the file is rewritten from
    the first part: an extract of ten million records does not fail because of one extra digit.

    Args:
        target: Where to write.
        writer: Makes the writer.
        warn: Called with a warning for each column whose type changed.
    """

    def __init__(self, target: Target, writer: Callable[[Target, pa.Schema], Writer], warn: Warn) -> None:
        self._target, self._new_writer, self._warn = target, writer, warn
        self._writer: Writer | None = None
        self._parts: list[Path] = []
        self._records = 0
        # One thread for all parts: Arrow's allocators keep memory for each thread that uses them.
        self._thread = ThreadPoolExecutor(1, "bulkforce-sink")

    def begin(self, columns: Sequence[Column]) -> None:
        """Begin to write."""
        self._begin(schema_of(columns))

    def _begin(self, schema: pa.Schema) -> None:
        self._drop()
        self._target.open()
        self._reader = PartReader(schema)
        self._writer = self._new_writer(self._target, schema)

    def add(self, part: Path) -> int:
        """Write the next part, and return how many records it has.

        Raises:
            FormatError: A value does not fit its column's type, and what was written cannot be undone.
        """
        return self._thread.submit(self._add, part).result()

    def _add(self, part: Path) -> int:
        self._parts.append(part)
        left: Sequence[Path] = [part]
        while misfit := self._pour(left):
            self._begin(self._widened(misfit.column))
            left = self._parts
        return self._records

    def _pour(self, parts: Iterable[Path]) -> Misfit | None:
        assert self._writer is not None
        try:
            for part in parts:
                self._records = 0
                for batch in self._reader.read(part):
                    self._writer.write(batch)
                    self._records += batch.num_rows
        except Misfit as misfit:
            return misfit
        return None

    def _widened(self, place: int) -> pa.Schema:
        schema = self._reader.schema
        field = schema.field(place)
        wide = wider(field.type)
        if wide is None or not self._target.is_file:
            raise FormatError(f"The org has values that do not fit the type {field.type}", column=field.name)
        self._warn(
            f"The org has values of {field.name} that do not fit the type {field.type}; the column is written as {wide}"
        )
        return schema.set(place, field.with_type(wide))

    def finish(self) -> None:
        """Write the end and move the file in place."""
        self._thread.submit(self._finish).result()

    def _finish(self) -> None:
        assert self._writer is not None
        self._writer.close()
        self._writer = None
        self._target.publish()

    def discard(self) -> None:
        """Leave nothing behind."""
        self._drop()
        self._target.discard()
        self._thread.shutdown(wait=False)

    def _drop(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            # Anything that it still writes is dropped.
            self._target.discard()
            with suppress(OSError, ValueError):
                writer.close()


def parquet(target: Target, warn: Warn) -> TypedSink:
    """Make a Parquet sink.

    Raises:
        MissingExtra: pyarrow is not installed.
    """
    pyarrow("Writing a Parquet file")
    return TypedSink(target, _Parquet, warn)


def arrow(target: Target, warn: Warn) -> TypedSink:
    """Make an Arrow sink: a file that can be memory-mapped, or a stream if the target is not a file.

    Raises:
        MissingExtra: pyarrow is not installed.
    """
    pyarrow("Writing an Arrow file")
    return TypedSink(target, _arrow, warn)


def _arrow(target: Target, schema: pa.Schema) -> Any:  # noqa: ANN401  (pyarrow has no types)
    from pyarrow import PythonFile, ipc

    return (ipc.new_file if target.is_file else ipc.new_stream)(PythonFile(target, mode="w"), schema)


class _Parquet:
    """Writes row groups of a moderate size."""

    def __init__(self, target: Target, schema: pa.Schema) -> None:
        from pyarrow import PythonFile
        from pyarrow.parquet import ParquetWriter

        self._writer = ParquetWriter(
            PythonFile(target, mode="w"),
            schema,
            dictionary_pagesize_limit=_DICTIONARY_BYTES,
            memory_pool=memory_pool(),
        )
        self._waiting: list[pa.RecordBatch] = []
        self._bytes = 0

    def write(self, batch: pa.RecordBatch) -> None:
        self._waiting.append(batch)
        self._bytes += batch.nbytes
        if self._bytes >= _ROW_GROUP_BYTES:
            self._write_group()

    def _write_group(self) -> None:
        import pyarrow as pa

        if self._waiting:
            self._writer.write_table(pa.Table.from_batches(self._waiting))
        self._waiting, self._bytes = [], 0

    def close(self) -> None:
        self._write_group()
        self._writer.close()
