"""Arrow values as text, in the form that the org reads; others are refused, with their column and row."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from bulkforce import arguments
from bulkforce.errors import FormatError
from bulkforce.formats.csv import NULL
from bulkforce.formats.values import NO_NUMBER, text_of

if TYPE_CHECKING:
    import pyarrow as pa

_INDEX: Final = re.compile(r"__index_level_\d+__")
_FIRST_SECOND, _LAST_SECOND = -62_135_596_800, 253_402_300_799
"""The years 1 to 9999; others cannot be written with four digits."""


def texts_of(column: pa.Array, name: str, before: int) -> dict[str, pa.Array]:
    """Return a column as text; for a parent, one column for each of its fields."""
    plain = _plain(column, name)
    if not _is(plain, "struct"):
        return {} if _INDEX.fullmatch(name) else {name: _written(plain, name, before)}
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
        texts[path] = _written(_plain(values, path), path, before)
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


def _written(column: pa.Array, name: str, before: int) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    if _is(column, "integer", "boolean") and not column.null_count:
        return column
    if _is(column, "null"):
        texts = pa.nulls(len(column), pa.string())
    elif _is(column, "timestamp"):
        _check_years(column, _SECONDS[column.type.unit], name, before)
        # Convert to UTC first: the zone's name may not be known on this machine.
        utc = pc.cast(column, pa.timestamp(column.type.unit))
        exact = pc.cast(pc.floor_temporal(utc, unit="millisecond"), pa.timestamp("ms"))
        texts = _joined(pc.replace_substring(pc.cast(exact, pa.string()), " ", "T"), "Z")
    elif _is(column, "date"):
        _check_years(column, 1000 if _is(column, "date64") else 1 / 86_400, name, before)
        texts = pc.cast(column, pa.string())
    elif _is(column, "time"):
        texts = _joined(pc.cast(pc.cast(column, pa.time32("ms"), safe=False), pa.string()), "Z")
    elif _is(column, "floating"):
        texts = _floats(column, name, before)
    elif _is(column, "string", "large_string", "string_view", "integer", "boolean", "decimal"):
        texts = pc.cast(column, pa.string())
    else:
        texts = _one_by_one(column, name, before)
    return pc.fill_null(texts, NULL)


_SECONDS: Final = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}


def _check_years(column: pa.Array, a_second: float, name: str, before: int) -> None:
    import pyarrow as pa
    import pyarrow.compute as pc

    counts = pc.cast(column, pa.int32() if _is(column, "date32") else pa.int64())
    first, last = (max(min(int(second * a_second), 2**63 - 1), -(2**63)) for second in (_FIRST_SECOND, _LAST_SECOND))
    outside = pc.or_(pc.less(counts, first), pc.greater(counts, last))
    if pc.any(outside).as_py():
        raise FormatError(
            "A date before the year 1 or after 9999", row=before + pc.index(outside, True).as_py() + 1, column=name
        )


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
    # Outside these bounds Arrow and Python write exponents differently.
    usual = pc.or_(pc.and_(pc.greater_equal(size, 1e-4), pc.less(size, 1e10)), pc.equal(size, 0))
    if _is(column, "float64") and not pc.all(usual).as_py():
        return _one_by_one(column, name, before)
    texts = pc.cast(column, pa.string())
    integral = pc.and_(pc.equal(pc.floor(column), column), pc.less(size, 1e10))
    return pc.if_else(integral, _joined(texts, ".0"), texts)


def _one_by_one(column: pa.Array, name: str, before: int) -> pa.Array:
    """Return values of a rare type as text, converted as Python objects."""
    import pyarrow as pa

    texts: list[str | None] = []
    for row, value in enumerate(column.to_pylist(), before + 1):
        try:
            texts.append(None if value is None else text_of(value))
        except FormatError as error:
            raise FormatError(error.text, row=row, column=name) from error
    return pa.array(texts, pa.string())
