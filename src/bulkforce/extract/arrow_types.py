"""From what describe tells of a field to an Arrow type, and on to a wider one where the org's values do not keep to
it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from bulkforce.errors import MissingExtra
from bulkforce.extract.columns import Column

if TYPE_CHECKING:
    import pyarrow as pa

_DECIMAL_DIGITS: Final = 38
"""Precision and scale together are at most this: pyarrow's reader of CSV scales without a look at what no longer fits
128 bits."""
# Enough for whatever has the 18 digits that a number of the org has at most, and eight more behind the point than
# usual.
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


def schema_of(columns: Sequence[Column]) -> pa.Schema:
    """Give every column its type; any may be null."""
    import pyarrow as pa

    return pa.schema([(column.name, type_of(column)) for column in columns])


def type_of(column: Column) -> pa.DataType:
    """Give a column its type; what is not a number, a date or a yes or no is text.

    >>> type_of(Column("Amount", "currency", precision=18, scale=2))
    Decimal128Type(decimal128(18, 2))
    """
    import pyarrow as pa

    match column.type:
        case "boolean":
            return pa.bool_()
        case "int" | "long":
            return pa.int64()
        # A formula is not rounded to its scale; it has the digits that it comes to.
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
    """Give the next type that holds all values of a type and more; there is none for text."""
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
