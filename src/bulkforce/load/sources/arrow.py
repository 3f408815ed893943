"""Arrow data as CSV, column by column: no Python object per value, except for binary values and UUIDs.

Struct columns are parents: ``Account`` with a field ``Ext__c`` becomes ``Account.Ext__c``. The index columns that
pandas writes for an unnamed index are left out.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias, TypeVar

from bulkforce import arguments
from bulkforce.errors import Error, FormatError, MissingExtra, UsageError
from bulkforce.load.sources.arrow_text import constant, texts_of
from bulkforce.load.sources.writing import CsvFile, OnBlock, csv_file
from bulkforce.objects.forms import Forms

if TYPE_CHECKING:
    import pyarrow as pa

T = TypeVar("T")

_ROWS: Final = 8_192
_PIECE_BYTES: Final = 4_000_000
_READ_BYTES: Final = 1_000_000
_REASON_CHARACTERS: Final = 200
_OTHER_COLUMN: Final = re.compile(r"column (\S+) with type|\(column (\S+)\)")
_END_OF_STREAM: Final = b"\xff\xff\xff\xff\0\0\0\0"


class ArrowArray(Protocol):
    """Arrow data in one piece: a record batch from any library."""

    def __arrow_c_array__(self, requested_schema: object | None = None) -> tuple[object, object]: ...


class ArrowStream(Protocol):
    """Arrow data in pieces: a data frame or table from any library."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...


Arrow: TypeAlias = ArrowArray | ArrowStream


def is_arrow(source: object) -> bool:
    """Whether an object offers Arrow data."""
    return hasattr(source, "__arrow_c_stream__") or hasattr(source, "__arrow_c_array__")


def name_of(source: object) -> str:
    """Return the name of a data frame or table for messages.

    >>> name_of(3)
    'int of builtins'
    """
    kind = type(source)
    return f"{kind.__name__} of {kind.__module__.partition('.')[0]}"


def _pyarrow() -> Any:  # noqa: ANN401  (it has no types)
    try:
        import pyarrow as pa
    except ImportError as error:
        raise MissingExtra("arrow", "Reading Arrow data, or a Parquet or Feather file,") from error
    return pa


def batches(sources: Iterable[Arrow]) -> Iterator[pa.RecordBatch]:
    """Read objects that offer Arrow data, one after another. Exceptions from ``sources`` itself pass through."""
    for source in sources:
        if not is_arrow(source):
            raise FormatError(f"All items must be Arrow data, but one is a {type(source).__name__}")
        yield from _read(_offered(source), partial(_of_library, name_of(source)))


def _offered(source: Arrow) -> Iterator[pa.RecordBatch]:
    pa = _pyarrow()
    if (column := _column_of_objects(source)) is not None:
        raise FormatError("The column holds Python objects, which cannot be converted to Arrow data", column=column)
    yield from (
        pa.RecordBatchReader.from_stream(source) if hasattr(source, "__arrow_c_stream__") else [pa.record_batch(source)]
    )


def _column_of_objects(source: object) -> str | None:
    """Return a polars column that holds Python objects, if any: polars silently exports their memory addresses."""
    if type(source).__module__.partition(".")[0] != "polars":
        return None
    schema = getattr(source, "schema", {})
    return next((str(name) for name, kind in schema.items() if "Object" in str(kind)), None)


def _of_library(name: str, error: Exception) -> str:
    """Return another library's complaint, without the values that its own message may show."""
    found = _OTHER_COLUMN.search(str(error))
    where = f" in the column {found[1] or found[2]!r}" if found else ""
    return (
        f"The source, a {name}, cannot be read as records ({type(error).__name__}{where}); "
        "does a column mix types, appear twice, or hold values that Arrow has no type for?"
    )


def parquet(path: Path) -> Iterator[pa.RecordBatch]:
    """Read a Parquet file."""
    return _read(_parquet(path), partial(_of_file, path))


def ipc(path: Path) -> Iterator[pa.RecordBatch]:
    """Read an Arrow (Feather) file, or a file with an Arrow stream."""
    return _read(_ipc(path), partial(_of_file, path))


def _of_file(path: Path, error: Exception) -> str:
    # pyarrow's messages about files describe their structure; only those about arrays show values.
    return (
        f"The source {path.name} cannot be read: "
        f"{' '.join(str(error).split())[:_REASON_CHARACTERS] or type(error).__name__}"
    )


def _parquet(path: Path) -> Iterator[pa.RecordBatch]:
    _pyarrow()
    import pyarrow.parquet as pq

    _refuse_empty(path)
    with pq.ParquetFile(path, buffer_size=_READ_BYTES, page_checksum_verification=True) as file:
        told, read = file.metadata.num_rows, 0
        for place in range(file.num_row_groups):
            # One at a time: row groups that are read together keep all their buffers to the end.
            group = file.metadata.row_group(place)
            rows = _rows_of(group.num_rows, group.total_byte_size)
            # With a thread for each column, every thread would keep memory of its own, and nothing is gained.
            for batch in file.iter_batches(rows, row_groups=[place], use_threads=False):
                read += batch.num_rows
                yield batch
        if read != told:
            raise FormatError(
                f"The source {path.name} is damaged: it has {read:,} of the {told:,} records that it declares"
            )


def _ipc(path: Path) -> Iterator[pa.RecordBatch]:
    pa = _pyarrow()
    _refuse_empty(path)
    with pa.memory_map(str(path)) as file:
        start = file.read(6)
        if start == b"ARROW1":
            reader = pa.ipc.open_file(file)
            for place in range(reader.num_record_batches):
                yield reader.get_batch(place)
            return
        if start[:4] == b"FEA1":
            raise FormatError(f"The source {path.name} is a Feather file of version 1; save it as version 2")
        file.seek(0)
        yield from pa.ipc.open_stream(file)
        end = file.tell()
        file.seek(max(end - len(_END_OF_STREAM), 0))
        # Streams from before Arrow 0.15 have shorter marks, at their start and at their end.
        if not file.read(len(_END_OF_STREAM)).endswith(
            _END_OF_STREAM if start.startswith(_END_OF_STREAM[:4]) else _END_OF_STREAM[4:]
        ):
            raise FormatError(f"The source {path.name} is truncated: the mark at the end of its stream is missing")
        if end < file.size():
            raise FormatError(
                f"The source {path.name} has {file.size() - end:,} bytes "
                "after the end of its stream; a file may hold only one stream"
            )


def _refuse_empty(path: Path) -> None:
    if path.stat().st_size == 0:
        raise UsageError(f"The source {path} is empty")


def _read(found: Iterator[pa.RecordBatch], tell: Callable[[Exception], str]) -> Iterator[pa.RecordBatch]:
    """Read record batches; any failure becomes a `FormatError`, which ``tell`` words without showing a value."""
    while (batch := _ours(partial(next, found, None), tell)) is not None:
        yield batch


def _check(batch: pa.RecordBatch, before: int) -> None:
    """Check that a record batch is valid, so that nothing after this reads memory outside it.

    pyarrow trusts files and other libraries about where a string ends or which entries a dictionary has.

    Raises:
        FormatError: It is not valid; the error names the column.
    """
    import pyarrow as pa

    batch.validate()
    damaged = None
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        try:
            column.validate(full=True)
        except pa.ArrowException:
            damaged = damaged or name
    if damaged is not None:
        where = f"in one of the records {before + 1:,} to {before + batch.num_rows:,}"
        raise FormatError(
            f"The Arrow data is damaged {where}: a value does not match what its column declares", column=damaged
        )


def _ours(work: Callable[[], T], tell: Callable[[Exception], str], column: str | None = None) -> T:
    """Call another library; any exception from it becomes an error of ours.

    It is raised outside the handler: the library's error may show values, and Python would chain it to ours.
    """
    try:
        return work()
    except Error:
        raise
    except Exception as error:  # noqa: BLE001  (libraries raise anything)
        ours = FormatError(tell(error), column=column)
    raise ours


def _rows_of(rows: int, size: int) -> int:
    """Return how many rows to take at a time, so that a piece is not much larger than intended."""
    return max(1, min(_ROWS, _PIECE_BYTES * rows // max(size, 1)))


def _bytes_of(batch: pa.RecordBatch) -> int:
    try:
        return int(batch.nbytes)
    except TypeError:
        # Before version 24 pyarrow cannot report it for a string_view slice, only for the whole it is a slice of.
        return int(batch.get_total_buffer_size())


def write(found: Iterable[pa.RecordBatch], target: Path, on_block: OnBlock, forms: Forms) -> None:
    """Write record batches as CSV.

    Raises:
        UsageError: There are no records.
        FormatError: A value cannot be written; the error says which.
    """
    with _frugal(), csv_file(target, on_block, forms) as file:
        for batch in found:
            _ours(partial(_check, batch, file.records), _damaged)
            step = _rows_of(batch.num_rows, _bytes_of(batch))
            for start in range(0, batch.num_rows, step):
                _write_piece(batch.slice(start, step), file)


@contextmanager
def _frugal() -> Iterator[None]:
    """Let pyarrow take memory from jemalloc, where it has that and nothing else was chosen.

    Its default allocator keeps what was given back: some 45 MB more. Not all functions can be given a pool, so it is
    the process's for that time; whatever else is done then is not affected, since each buffer knows its own.
    """
    pa = _pyarrow()
    before = pa.default_memory_pool()
    is_chosen = "ARROW_DEFAULT_MEMORY_POOL" in os.environ or type(before) is not pa.MemoryPool
    if is_chosen or "jemalloc" not in pa.supported_memory_backends():
        yield
        return
    pool = pa.jemalloc_memory_pool()
    pa.set_memory_pool(pool)
    try:
        yield
    finally:
        pa.set_memory_pool(before)
        pool.release_unused()


def _write_piece(piece: pa.RecordBatch, file: CsvFile) -> None:
    texts: dict[str, pa.Array] = {}
    for field, column in zip(piece.schema, piece.columns, strict=True):
        found = _ours(
            partial(texts_of, column, field.name, file.records, file.forms),
            partial(_unwritten, column.type),
            field.name,
        )
        if twice := texts.keys() & found.keys():
            raise FormatError(f"The column {arguments.shown(twice.pop())} appears twice")
        texts |= found
    file.add_columns(texts)
    if texts:
        content = _ours(partial(_csv, texts, list(file.columns), piece.num_rows), partial(_unwritten, "record"))
        file.write(content, piece.num_rows)
    else:
        file.write_bare(piece.num_rows)


def _damaged(error: Exception) -> str:
    return f"The Arrow data is damaged ({type(error).__name__})"


def _unwritten(kind: object, error: Exception) -> str:
    return f"A value of type {kind} cannot be written ({type(error).__name__})"


def _csv(texts: Mapping[str, pa.Array], columns: Sequence[str], rows: int) -> memoryview:
    import pyarrow as pa
    import pyarrow.csv

    absent = pa.repeat(constant(""), rows)
    whole = pa.record_batch([texts.get(name, absent) for name in columns], names=columns)
    # No quotes if no value needs them; but a record's only value is never written as an empty line.
    if len(columns) > 1:
        with suppress(pa.ArrowInvalid):
            return _as_csv(whole, "none")
    return _as_csv(whole, "needed")


def _as_csv(whole: pa.RecordBatch, style: str) -> memoryview:
    import pyarrow as pa
    import pyarrow.csv

    out = pa.BufferOutputStream()
    pa.csv.write_csv(whole, out, pa.csv.WriteOptions(include_header=False, quoting_style=style, batch_size=_ROWS))
    return memoryview(out.getvalue())
