"""Map a field's description to an Arrow type, or to a wider one if the org's values do not fit it."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from bulkforce.errors import MissingExtra
from bulkforce.extract.columns import Column

if TYPE_CHECKING:
    import pyarrow as pa

_DECIMAL_DIGITS: Final = 38
"""Limit for precision and scale together: pyarrow's CSV reader scales without checking for overflow of 128 bits."""
# Enough for the 18 digits that a number in the org can have, with eight more decimals than usual.
_WIDE: Final = (28, 10)


def pyarrow(purpose: str) -> Any:  # noqa: ANN401  (it has no types)
    """Import pyarrow.

    Raises:
        MissingExtra: It is not installed.
    """
    try:
        import pyarrow as pa
    except ImportError as error:
        raise MissingExtra("arrow", purpose) from error
    return pa


def constant(text: str) -> pa.Scalar:
    """Return a text as a scalar; pyarrow's own way imports pandas, where it is installed: 50 MB and half a second."""
    import pyarrow as pa

    content = text.encode()
    ends = pa.py_buffer(struct.pack("=ii", 0, len(content)))
    return pa.StringArray.from_buffers(1, ends, pa.py_buffer(content))[0]


def schema_of(columns: Sequence[Column]) -> pa.Schema:
    """Return the Arrow schema for columns; every column may be null."""
    import pyarrow as pa

    return pa.schema([(column.name, type_of(column)) for column in columns])


def type_of(column: Column) -> pa.DataType:
    """Return the Arrow type of a column; whatever is not a number, a date or a boolean is text.

    >>> type_of(Column("Amount", "currency", precision=18, scale=2))
    Decimal128Type(decimal128(18, 2))
    """
    import pyarrow as pa

    match column.type:
        case "boolean":
            return pa.bool_()
        case "int" | "long":
            return pa.int64()
        # A formula is not rounded to its scale; it has as many digits as its result.
        case "currency" | "percent" if 0 < column.precision <= _DECIMAL_DIGITS - column.scale and not column.calculated:
            return pa.decimal128(column.precision, column.scale)
        case "currency" | "percent" | "double":
            return pa.float64()
        case "date":
            return pa.date32()
        case "datetime":
            return pa.timestamp("ms", tz="UTC")
        case "time":
            return pa.time32("ms")
        case _:
            return pa.string()


def wider(stored: pa.DataType) -> pa.DataType | None:
    """Return the next wider type, which holds all values of a type and more; ``None`` for text."""
    import pyarrow as pa
    from pyarrow import types

    if (
        types.is_decimal(stored)
        and stored != pa.decimal128(*_WIDE)
        and stored.precision - stored.scale <= _WIDE[0] - _WIDE[1]
    ):
        return pa.decimal128(*_WIDE)
    if types.is_decimal(stored) or types.is_integer(stored):
        return pa.float64()
    return None if types.is_string(stored) else pa.string()
