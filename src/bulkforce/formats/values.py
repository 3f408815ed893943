"""How one Python value is written, the same in all formats.

Source of the forms: developer guide, "Valid Date Format in Records" and "Valid CSV Record Rows".
"""

from __future__ import annotations

import base64
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Final, TypeAlias
from uuid import UUID

from bulkforce.errors import FormatError

Value: TypeAlias = object
"""``str``, ``bool``, ``int``, ``float``, ``Decimal``, ``date``, ``datetime``, ``time``, ``bytes`` (base64), ``UUID``,
``None``; or a
mapping: the parent record by an external id, as in ``{"Account": {"Ext__c": "A-1"}}``."""

NO_NUMBER: Final = "NaN and infinity are no numbers to Salesforce; use None for a missing value"


def date_time(value: datetime) -> str:
    """Write a date-time in UTC with milliseconds; one without a zone is taken as UTC.

    >>> date_time(datetime(2026, 2, 12, 15, 43, 48, 123456))
    '2026-02-12T15:43:48.123Z'
    """
    if value != value:  # noqa: PLR0124  (the NaT of pandas is a datetime, and not equal to itself)
        raise FormatError("NaT is no date-time to Salesforce; use None for a missing value")
    try:
        aware = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except OverflowError as error:
        raise FormatError("A date-time before the year 1 or after 9999, in UTC") from error
    return aware.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def time_of_day(value: time) -> str:
    """Write a time in UTC with milliseconds; one without a zone is taken as UTC, and one of another zone is none
    without a date.
    """
    if value.utcoffset():
        raise FormatError("A time of day is written in UTC; give it in UTC")
    return value.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def text_of(value: Value) -> str:
    """Write a value as text, for CSV and XML; ``None`` is the caller's to write.

    Raises:
        FormatError: The type, or the number, is none that Salesforce knows.
    """
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
        # Python writes no more than 4,300 digits; the org takes 18.
        raise FormatError("An integer has too many digits") from error


def number(value: float | Decimal) -> str:
    """Write a number in full; infinities and NaN are none."""
    if not Decimal(value).is_finite():
        raise FormatError(NO_NUMBER)
    # The floats of numpy have a repr of their own.
    return float.__repr__(value) if isinstance(value, float) else str(value)
