"""Arrow data as CSV, column by column: no Python object is made per value, but for binary ones and UUIDs.

Struct columns are parents: ``Account`` with a field ``Ext__c`` becomes ``Account.Ext__c``. The index columns that pandas adds to a file for an
index without a name are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

from bulkforce.errors import FormatError, MissingExtra, UsageError
from bulkforce.formats.csv import NULL
from bulkforce.formats.values import NO_NUMBER, text_of
from bulkforce.transfer.sources.writing import CsvFile, OnBlock, csv_file

if TYPE_CHECKING:
    import pyarrow as pa

_ROWS: Final = 16_384
_PIECE_BYTES: Final = 8_000_000
_READ_BYTES: Final = 1_000_000
_INDEX: Final = re.compile(r"__index_level_\d+__")


class ArrowArray(Protocol):
    """Arrow data in one piece: a record batch of any library."""

    def __arrow_c_array__(self, requested_schema: object | None = None) -> tuple[object, object]: ...


class ArrowStream(Protocol):
    """Arrow data in pieces: a frame or table of any library."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...


Arrow: TypeAlias = ArrowArray | ArrowStream


def is_arrow(source: object) -> bool:
    """Whether something offers Arrow data."""
    return hasattr(source, "__arrow_c_stream__") or hasattr(source, "__arrow_c_array__")


def name_of(source: object) -> str:
    """Say what to call a frame or table.

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
    """Read whatever offers Arrow data, one after another."""
    pa = _pyarrow()
    for source in sources:
        if not is_arrow(source):
            raise FormatError(f"After Arrow data comes a {type(source).__name__}, which is none")
        try:
            yield from pa.RecordBatchReader.from_stream(source) if hasattr(source, "__arrow_c_stream__") else [pa.record_batch(source)]
        except (pa.ArrowException, TypeError) as error:
            raise FormatError(f"The source offers Arrow data that cannot be read as records: {error}") from error


def parquet(path: Path) -> Iterator[pa.RecordBatch]:
    """Read a Parquet file."""
    pa = _pyarrow()
    import pyarrow.parquet as pq

    with _reading(path, pa), pq.ParquetFile(path, buffer_size=_READ_BYTES) as file:
        for place in range(file.num_row_groups):
            # One after another: of row groups read together all buffers are kept to the end.
            group = file.metadata.row_group(place)
            yield from file.iter_batches(_rows_of(group.num_rows, group.total_byte_size), row_groups=[place])


def ipc(path: Path) -> Iterator[pa.RecordBatch]:
    """Read an Arrow (Feather) file, or a file with an Arrow stream."""
    pa = _pyarrow()
    with _reading(path, pa), pa.memory_map(str(path)) as file:
        if file.read(6) == b"ARROW1":
            reader = pa.ipc.open_file(file)
            for place in range(reader.num_record_batches):
                yield reader.get_batch(place)
        else:
            file.seek(0)
            yield from pa.ipc.open_stream(file)


@contextmanager
def _reading(path: Path, pa: Any) -> Iterator[None]:  # noqa: ANN401
    if path.stat().st_size == 0:
        raise UsageError(f"The source {path} is empty")
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise FormatError(f"The source {path.name} cannot be read: {error}") from error


def _rows_of(rows: int, size: int) -> int:
    """Say how many rows to take at once, so that a piece is not much larger than it should be."""
    return max(1, min(_ROWS, _PIECE_BYTES * rows // max(size, 1)))


def write(found: Iterable[pa.RecordBatch], target: Path, on_block: OnBlock) -> None:
    """Write record batches as CSV.

    Raises:
        UsageError: There is no record.
        FormatError: A value cannot be written; says which.
    """
    with csv_file(target, on_block) as file:
        for batch in found:
            step = _rows_of(batch.num_rows, batch.nbytes)
            for start in range(0, batch.num_rows, step):
                _write_piece(batch.slice(start, step), file)


def _write_piece(piece: pa.RecordBatch, file: CsvFile) -> None:
    import pyarrow as pa
    import pyarrow.csv

    texts: dict[str, pa.Array] = {}
    for name, column in _columns(piece):
        if name in texts:
            raise FormatError(f"The column {name!r} stands twice")
        texts[name] = _written(column, name, file.records)
    file.add_columns(texts)
    if not texts:
        file.write_bare(piece.num_rows)
        return
    absent = pa.repeat(pa.scalar("", pa.string()), piece.num_rows)
    whole = pa.record_batch([texts.get(name, absent) for name in file.columns], names=list(file.columns))
    # Quotes nowhere if they are needed nowhere; and the only value of a record is never nothing at all.
    styles = ["none", "needed"] if len(file.columns) > 1 else ["needed"]
    for style in styles:
        out = pa.BufferOutputStream()
        options = pa.csv.WriteOptions(include_header=False, quoting_style=style, batch_size=_ROWS)
        try:
            pa.csv.write_csv(whole, out, options)
        except pa.ArrowInvalid:
            if style == styles[-1]:
                raise
        else:
            file.write(out.getvalue(), piece.num_rows)
            return


def _columns(piece: pa.RecordBatch) -> Iterator[tuple[str, pa.Array]]:
    for field, column in zip(piece.schema, piece.columns, strict=True):
        plain = _plain(column)
        if not _is(plain, "struct"):
            if not _INDEX.fullmatch(field.name):
                yield field.name, plain
        elif field.name != "attributes":
            for child, values in zip(plain.type, plain.flatten(), strict=True):
                if child.name == "attributes":
                    raise FormatError(
                        "The type of a parent cannot be told in Arrow data; name the column Type:Parent.Field", column=field.name
                    )
                yield f"{field.name}.{child.name}", _plain(values)


def _is(column: pa.Array, *kinds: str) -> bool:
    import pyarrow as pa

    return any(getattr(pa.types, f"is_{kind}")(column.type) for kind in kinds)


def _plain(column: pa.Array) -> pa.Array:
    """Take off what only says how values are kept: extension types, dictionaries, runs."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if isinstance(column.type, pa.BaseExtensionType) and column.type.extension_name != "arrow.uuid":
        column = column.storage
    if _is(column, "dictionary"):
        values = column.dictionary
        # Nothing can be taken from a string_view yet.
        column = (pc.cast(values, pa.large_string()) if _is(values, "string_view") else values).take(column.indices)
    if _is(column, "run_end_encoded"):
        column = pc.run_end_decode(column)
    return column


def _written(column: pa.Array, name: str, before: int) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    if _is(column, "integer", "boolean") and not column.null_count:
        return column
    if _is(column, "null"):
        texts = pa.nulls(len(column), pa.string())
    elif _is(column, "timestamp"):
        exact = pc.cast(pc.floor_temporal(column, unit="millisecond"), pa.timestamp("ms", column.type.tz))
        texts = _joined(pc.replace_substring(pc.cast(pc.cast(exact, pa.timestamp("ms")), pa.string()), " ", "T"), "Z")
    elif _is(column, "time"):
        texts = _joined(pc.cast(pc.cast(column, pa.time32("ms"), safe=False), pa.string()), "Z")
    elif _is(column, "floating"):
        texts = _floats(column, name, before)
    elif _is(column, "string", "large_string", "string_view", "integer", "boolean", "date", "decimal"):
        texts = pc.cast(column, pa.string())
    else:
        texts = _one_by_one(column, name, before)
    return pc.fill_null(texts, NULL)


def _joined(*parts: Any) -> pa.Array:  # noqa: ANN401
    import pyarrow.compute as pc

    return pc.binary_join_element_wise(*parts, "")


def _floats(column: pa.Array, name: str, before: int) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    if _is(column, "float16"):
        column = pc.cast(column, pa.float32())
    finite = pc.fill_null(pc.is_finite(column), True)
    if not pc.all(finite).as_py():
        row = before + pc.index(finite, False).as_py() + 1
        raise FormatError(NO_NUMBER, row=row, column=name)
    size = pc.abs(column)
    # Outside of these bounds Arrow and Python write exponents in different ways.
    usual = pc.or_(pc.and_(pc.greater_equal(size, 1e-4), pc.less(size, 1e10)), pc.equal(size, 0))
    if _is(column, "float64") and not pc.all(usual).as_py():
        return _one_by_one(column, name, before)
    texts = pc.cast(column, pa.string())
    integral = pc.and_(pc.equal(pc.floor(column), column), pc.less(size, 1e10))
    return pc.if_else(integral, _joined(texts, ".0"), texts)


def _one_by_one(column: pa.Array, name: str, before: int) -> pa.Array:
    """Write the values of a rare kind, as Python objects."""
    import pyarrow as pa

    texts: list[str | None] = []
    for row, value in enumerate(column.to_pylist(), before + 1):
        try:
            texts.append(None if value is None else text_of(value))
        except FormatError as error:
            raise FormatError(error.text, row=row, column=name) from error
    return pa.array(texts, pa.string())
