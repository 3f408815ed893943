"""Records in JSON: an array of objects.

Source: developer guide, "Valid JSON records". ``null`` sets null; a missing name leaves the field unchanged.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from math import isfinite
from typing import Final

import orjson

from bulkforce.errors import FormatError
from bulkforce.formats.csv import Measure, too_long
from bulkforce.formats.values import NO_NUMBER, Value, date_time, number, plain, text_of
from bulkforce.protocol import limits

_ENDLESS: Final = "The parents of a record are nested too deeply"


def encode(rows: Iterable[Mapping[str, Value]]) -> bytes:
    """Encode records as a JSON array.

    Raises:
        FormatError: A record is not a mapping, or has a value that cannot be written.
    """
    listed = list(rows)
    for place, row in enumerate(listed, 1):
        if not isinstance(row, Mapping):
            raise FormatError(f"A record must be a mapping of names to values, not a {type(row).__name__}", row=place)
        try:
            _check_numbers(row, place)
        except RecursionError as error:
            raise FormatError(_ENDLESS, row=place) from error
    try:
        return _written(listed)
    except orjson.JSONEncodeError:
        pass
    # One by one, and outside the handler: the error does not say which record it was, and holds the value.
    faulty, reason = next((place, reason) for place, record in enumerate(listed, 1) if (reason := _fault(record)))
    raise FormatError(f"A record cannot be written as JSON: {reason}", row=faulty)


def _written(value: object) -> bytes:
    return orjson.dumps(value, default=_default, option=orjson.OPT_PASSTHROUGH_DATETIME)


def _fault(record: object) -> str | None:
    try:
        _written(record)
    except orjson.JSONEncodeError as error:
        return str(error.__cause__ or error)
    return None


def _check_numbers(row: Mapping[str, Value], place: int) -> None:
    """Refuse NaN and infinity: orjson would write them as null, which changes the field."""
    for name, value in row.items():
        if isinstance(value, Mapping):
            _check_numbers(value, place)
        elif isinstance(value, float) and not isfinite(value):
            raise FormatError(NO_NUMBER, row=place, column=name)


def _default(value: object) -> object:
    value = plain(value)
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, (Decimal, float)):
        # A Fragment keeps every digit; a float would not.
        return orjson.Fragment(number(value))
    if isinstance(value, datetime):
        return date_time(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    return text_of(value)


def measure(content: bytes) -> Measure:
    """Check that content is an array of records within the limits, and count its records and characters.

    Raises:
        FormatError: It is not; says where.
    """
    value = _read(content)
    if not isinstance(value, list):
        raise FormatError(f"JSON content must be an array of records, not {_kind(value)}")
    for place, record in enumerate(value, 1):
        if not isinstance(record, dict):
            raise FormatError(f"A record must be a JSON object, not {_kind(record)}", row=place)
        if len(record) > limits.RECORD_FIELDS:
            raise FormatError(f"A record has at most {limits.RECORD_FIELDS:,} fields, not {len(record):,}", row=place)
        try:
            problem = too_long([len(text) for text in _texts(record)])
        except RecursionError as error:
            raise FormatError(_ENDLESS, row=place) from error
        if problem:
            raise FormatError(f"Invalid record: {problem}", row=place)
    return Measure(len(value), len(content) if content.isascii() else len(content.decode()))


def _read(content: bytes) -> object:
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError as error:
        ours = FormatError(f"Not JSON: {error.msg}", byte=error.pos)
    # Outside the handler: the parser's error holds the whole document.
    raise ours


def _texts(record: dict[str, object]) -> Iterator[str]:
    for value in record.values():
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            yield from _texts(value)
        else:
            # Numbers and constants are short; an empty string keeps the numbering of the fields.
            yield ""


def _kind(value: object) -> str:
    return {dict: "an object", list: "an array", str: "a string", type(None): "null"}.get(
        type(value), "a number or constant"
    )
