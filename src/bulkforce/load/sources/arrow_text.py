"""Arrow values as text, in the form that the org reads; others are refused, with their column and row."""

from __future__ import annotations

import re
import struct
from datetime import UTC
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from bulkforce import arguments
from bulkforce.errors import FormatError
from bulkforce.formats.csv import NULL
from bulkforce.objects.forms import Form, Forms
from bulkforce.objects.texts import NAIVE

if TYPE_CHECKING:
    import pyarrow as pa

_INDEX: Final = re.compile(r"__index_level_\d+__")
_FIRST_SECOND, _LAST_SECOND = -62_135_596_800, 253_402_300_799
"""The years 1 to 9999; others cannot be written with four digits."""


def constant(value: str | float, kind: pa.DataType | None = None) -> pa.Scalar:
    """Return a value as a scalar, by default a text.

    Pyarrow's own way imports pandas, where it is installed, which takes 50 MB and half a second.
    """
    import pyarrow as pa

    if isinstance(value, str):
        content = value.encode()
        ends = pa.py_buffer(struct.pack("=ii", 0, len(content)))
        return pa.StringArray.from_buffers(1, ends, pa.py_buffer(content))[0]
    is_whole = isinstance(value, int)
    buffer = pa.py_buffer(struct.pack("=q" if is_whole else "=d", value))
    return pa.Array.from_buffers(pa.int64() if is_whole else pa.float64(), 1, [None, buffer]).cast(kind)[0]


def texts_of(column: pa.Array, name: str, before: int, forms: Forms) -> dict[str, pa.Array]:
    """Return a column as text; for a parent, one column for each of its fields.

    Args:
        column: The column.
        name: Its name.
        before: Number of records before it.
        forms: How the values of each column are written.
    """
    plain = _plain(column, name)
    if not _is(plain, "struct"):
        return {} if _INDEX.fullmatch(name) else {name: _written(plain, name, before, forms.of(name))}
    if name == "attributes":
        return {}
    texts = {}
    for child, values in zip(plain.type, plain.flatten(), strict=True):
        if child.name == "attributes":
            raise FormatError(
                "Arrow data cannot give a parent's type in attributes; name the column Type:Parent.Field instead",
                column=name,
            )
        path = f"{name}.{child.name}"
        if path in texts:
            raise FormatError(f"The column {arguments.shown(path)} appears twice")
        texts[path] = _written(_plain(values, path), path, before, forms.of(path))
    return texts


def _is(column: pa.Array, *kinds: str) -> bool:
    import pyarrow as pa

    return any(getattr(pa.types, f"is_{kind}")(column.type) for kind in kinds)


def _plain(column: pa.Array, name: str) -> pa.Array:
    """Remove encodings that only affect storage: extension types, dictionaries, runs."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if isinstance(column.type, pa.BaseExtensionType) and column.type.extension_name != "arrow.uuid":
        kind, column = column.type.extension_name, column.storage
        if kind == "arrow.bool8":
            return pc.cast(column, pa.bool_())
        if not _is(column, "string", "large_string", "string_view", "dictionary"):
            # The stored value is not the meaning: pandas stores a month as the number of months since 1970.
            raise FormatError(f"A value of type {kind} cannot be written", column=name)
    if _is(column, "dictionary"):
        values = column.dictionary
        # `take` does not support string_view yet.
        column = (pc.cast(values, pa.large_string()) if _is(values, "string_view") else values).take(column.indices)
    if _is(column, "run_end_encoded"):
        column = pc.run_end_decode(column)
    return column


def _written(column: pa.Array, name: str, before: int, form: Form) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    if _is(column, "integer", "boolean") and not column.null_count:
        return column
    if _is(column, "null"):
        texts = pa.nulls(len(column), pa.string())
    elif _is(column, "timestamp"):
        _check_years(column, _SECONDS[column.type.unit], name, before)
        texts = _date_times(column, name, before, form)
    elif _is(column, "date"):
        _check_years(column, 1000 if _is(column, "date64") else 1 / 86_400, name, before)
        is_moment = form.kind == "datetime"
        texts = _moments(pc.cast(column, pa.timestamp("ms")), name, before, form) if is_moment else _days(column)
    elif _is(column, "time"):
        texts = _joined(pc.cast(pc.cast(column, pa.time32("ms"), safe=False), pa.string()), constant("Z"))
    elif _is(column, "floating"):
        texts = _floats(column, name, before, form)
    elif _is(column, "string", "large_string", "string_view") and form.reads_texts:
        texts = _one_by_one(column, name, before, form)
    elif _is(column, "decimal"):
        texts = _decimals(column, name, before, form)
    elif _is(column, "string", "large_string", "string_view", "integer", "boolean"):
        texts = pc.cast(column, pa.string())
    else:
        texts = _one_by_one(column, name, before, form)
    return pc.fill_null(texts, constant(NULL))


def _days(column: pa.Array) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.cast(pc.cast(column, pa.date32()), pa.string())


def _date_times(column: pa.Array, name: str, before: int, form: Form) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    if form.kind != "date":
        return _moments(column, name, before, form)
    if column.type.tz is not None:
        try:
            return _days(pc.cast(pc.floor_temporal(pc.local_timestamp(column), unit="day"), pa.timestamp("s")))
        except (pa.ArrowException, ValueError):
            # The zone's name may not be known to Arrow on this machine.
            return _one_by_one(column, name, before, form)
    days = pc.floor_temporal(column, unit="day")
    if not pc.all(pc.equal(days, column)).as_py():
        return _one_by_one(column, name, before, form)
    return _days(pc.cast(days, pa.timestamp("s")))


def _moments(column: pa.Array, name: str, before: int, form: Form) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    is_naive = column.type.tz is None
    # Convert to UTC first: the zone's name may not be known on this machine.
    moments, end = pc.cast(column, pa.timestamp(column.type.unit)), "Z"
    if is_naive and form.kind == "datetime" and len(column) > column.null_count:
        if form.zone is not None and form.zone is not UTC:
            return _one_by_one(column, name, before, form)
        if form.zone is None:
            first = column.is_valid().index(True).as_py()
            form.note(NAIVE, before + first + 1, str(column[first]), len(column) - column.null_count)
    elif is_naive and form.kind:
        end = ""
    exact = pc.cast(pc.floor_temporal(moments, unit="millisecond"), pa.timestamp("ms"))
    return _joined(pc.replace_substring(pc.cast(exact, pa.string()), " ", "T"), constant(end))


def _decimals(column: pa.Array, name: str, before: int, form: Form) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    if column.type.scale < 0 or (column.type.scale and form.kind in {"int", "long"}):
        return _one_by_one(column, name, before, form)
    texts = pc.cast(column, pa.string())
    return _one_by_one(column, name, before, form) if pc.any(pc.match_substring(texts, "E")).as_py() else texts


_SECONDS: Final = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}


def _check_years(column: pa.Array, a_second: float, name: str, before: int) -> None:
    import pyarrow as pa
    import pyarrow.compute as pc

    counts = pc.cast(column, pa.int32() if _is(column, "date32") else pa.int64())
    first, last = (
        constant(max(min(int(second * a_second), 2**63 - 1), -(2**63)), counts.type)
        for second in (_FIRST_SECOND, _LAST_SECOND)
    )
    outside = pc.or_(pc.less(counts, first), pc.greater(counts, last))
    if pc.any(outside).as_py():
        raise FormatError(
            "A date before the year 1 or after 9999",
            row=before + pc.index(outside, constant(True, pa.bool_())).as_py() + 1,
            column=name,
        )


def _joined(*parts: Any) -> pa.Array:  # noqa: ANN401
    import pyarrow.compute as pc

    return pc.binary_join_element_wise(*parts, constant(""))


def _floats(column: pa.Array, name: str, before: int, form: Form) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    if _is(column, "float16"):
        column = pc.cast(column, pa.float32())
    # NaN is a missing value.
    column = pc.if_else(
        pc.fill_null(pc.is_nan(column), constant(False, pa.bool_())), pa.nulls(1, column.type)[0], column
    )
    # Zero has no sign.
    column = pc.add(column, constant(0.0, column.type))
    size = pc.abs(column)
    # Outside these bounds Arrow and Python write exponents differently.
    least, most, zero = (constant(value, size.type) for value in (1e-4, 1e10, 0.0))
    usual = pc.or_(pc.and_(pc.greater_equal(size, least), pc.less(size, most)), pc.equal(size, zero))
    if not pc.all(usual).as_py():
        return _one_by_one(column, name, before, form)
    # Arrow writes whole numbers without a point.
    return pc.cast(column, pa.string())


def _one_by_one(column: pa.Array, name: str, before: int, form: Form) -> pa.Array:
    """Return values of a rare type as text, converted as Python objects."""
    import pyarrow as pa

    values = column.to_pylist()
    if _is(column, "float32"):
        # A double would have digits of its own.
        values = [None if text is None else Decimal(text) for text in column.cast(pa.string()).to_pylist()]
    try:
        texts = form.values(values, before + 1)
    except FormatError as error:
        raise FormatError(error.text, row=error.row, column=name) from error
    return pa.array([None if text == NULL else text for text in texts], pa.string())
