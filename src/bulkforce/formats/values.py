"""How a Python value is written, the same in all formats.

Source: developer guide, "Valid Date Format in Records" and "Valid CSV Record Rows".
"""

from __future__ import annotations

import base64
import re
from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import Any, Final, TypeAlias, cast
from uuid import UUID

from bulkforce.errors import FormatError

Value: TypeAlias = object
"""``str``, ``bool``, ``int``, ``float``, ``Decimal``, ``date``, ``datetime``, ``time``, ``bytes`` (base64), ``UUID``,
``None``; or a mapping: the parent record by an external id, as in ``{"Account": {"Ext__c": "A-1"}}``."""

_LONGEST: Final = 40
NO_NUMBER: Final = "Salesforce does not accept NaN or infinity; use None for a missing value"


def date_time(value: datetime) -> str:
    """Write a date-time in UTC with milliseconds; without a zone, assume UTC.

    >>> date_time(datetime(2026, 2, 12, 15, 43, 48, 123456))
    '2026-02-12T15:43:48.123Z'
    """
    if value != value:  # noqa: PLR0124  (the NaT of pandas is a datetime, and not equal to itself)
        raise FormatError("Salesforce does not accept NaT; use None for a missing value")
    try:
        aware = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except OverflowError as error:
        raise FormatError("A date-time is before the year 1 or after 9999 in UTC") from error
    return aware.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def time_of_day(value: time) -> str:
    """Write a time in UTC with milliseconds; without a zone, assume UTC.

    A time in another zone is refused: without a date, it cannot be converted.
    """
    if value.utcoffset():
        raise FormatError("A time of day must be in UTC; convert it to UTC first")
    return value.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def plain(value: Value) -> Value:
    """Return the value of Python that a scalar of NumPy or pandas, or a member of an enum, stands for.

    >>> from enum import Enum
    >>> plain(Enum("Rating", {"HOT": "Hot"}).HOT)
    'Hot'
    """
    if isinstance(value, Enum):
        return plain(value.value)
    kind = type(value)
    if kind.__name__ in {"NAType", "NaTType"}:
        return None
    if kind.__module__ != "numpy" or kind.__name__ == "timedelta64":
        return value
    if kind.__name__ == "datetime64":
        # Nanoseconds would become an integer.
        return cast(Any, value).astype("datetime64[us]").item()
    if kind.__name__ in {"float16", "float32"}:
        # As it is shown: a double would have digits of its own.
        return float(str(value))
    return cast(Any, value).item() if hasattr(value, "item") and not isinstance(value, (str, bytes)) else value


def text_of(value: Value) -> str:
    """Write a value as text, for CSV and XML; the caller handles ``None``.

    Raises:
        FormatError: Salesforce has no such type or number.
    """
    value = plain(value)
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return _integer(value)
    if isinstance(value, (float, Decimal)):
        return number(value)
    if isinstance(value, datetime):
        return date_time(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, time):
        return time_of_day(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return base64.b64encode(bytes(value)).decode()
    if isinstance(value, UUID):
        return str(value)
    raise FormatError(f"A value of type {type(value).__name__} cannot be written")


def _integer(value: int) -> str:
    try:
        return str(value)
    except ValueError as error:
        # Python writes at most 4,300 digits; the org accepts 18.
        raise FormatError("An integer has too many digits") from error


def number(value: float | Decimal) -> str:
    """Write a number without an exponent, as far as that is readable, and a whole float without a point.

    Refuse infinities and NaN.

    A decimal keeps its digits.

    >>> number(1001.0), number(1e17), number(1e-07), number(Decimal("1.50"))
    ('1001', '100000000000000000', '0.0000001', '1.50')
    """
    if not Decimal(value).is_finite():
        raise FormatError(NO_NUMBER)
    # NumPy floats have their own repr.
    exact = Decimal(float.__repr__(value)) if isinstance(value, float) else value
    if abs(exact.adjusted()) > _LONGEST:
        return str(exact)
    text = format(exact, "f")
    return text.removesuffix(".0").removeprefix("" if exact else "-") if isinstance(value, float) else text


_SCIENTIFIC: Final = re.compile(r"-?[0-9]+(?:\.[0-9]+)?[Ee][-+]?[0-9]{1,3}")


def without_exponent(number: str) -> str:
    """Return a number without an exponent; anything else as it is.

    >>> [without_exponent(text) for text in ("1.6147805824397E13", "-1.5E-7", "12.50", "E10")]
    ['16147805824397', '-0.00000015', '12.50', 'E10']
    """
    if not _SCIENTIFIC.fullmatch(number):
        return number
    written = format(Decimal(number), "f")
    return written.rstrip("0").rstrip(".") if "." in written else written
