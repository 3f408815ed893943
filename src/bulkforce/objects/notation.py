"""How the values of a field are written, and what is wrong with one that is not written so.

For each field there is a judge of one value, and a pattern that knows most good values at a glance, so that whole
blocks need no judge.

Sources: Bulk API developer guide, "Valid Date Format in Records" and "Valid CSV Record Rows"; Object Reference,
"Primitive Data Types" (boolean, date, dateTime, time, double, int) and "Field Types" (id, picklist, multipicklist);
SOQL and SOSL Reference, "Date Formats" (the first and the last date); Salesforce Help 000387302 (digits behind the
point that are more than the field's stay, and are not shown, which we have not seen); Data Loader Guide, "Data Types
Supported" (words for booleans, which are Data Loader's and not the API's). A warning is what those leave open, or
what changes nothing but the look.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from functools import partial
from itertools import groupby
from typing import Final, TypeAlias

from bulkforce.objects.columns import Severity
from bulkforce.objects.names import listed
from bulkforce.protocol.rest import FieldDescription


class Cause(StrEnum):
    """What is wrong with a value."""

    EMPTY = "empty"
    NULL = "null"
    NOT_NULL = "not null"
    NOT_A_DATE = "no date"
    NO_SUCH_DAY = "no such day"
    DATE_WITH_TIME = "date with a time"
    DATE_AT_MIDNIGHT = "date at midnight"
    OUT_OF_RANGE = "out of range"
    NOT_A_DATE_TIME = "no date-time"
    NO_ZONE = "no time zone"
    NO_TIME = "no time of day"
    NOT_A_TIME = "no time"
    NOT_A_NUMBER = "no number"
    DECIMAL_COMMA = "decimal comma"
    NOT_WHOLE = "no whole number"
    WHOLE_WITH_POINT = "whole number with a point"
    MORE_DIGITS = "more digits than are shown"
    NOT_A_BOOLEAN = "no boolean"
    OTHER_WORD = "another word for a boolean"
    TOO_LONG = "too long"
    CARRIAGE_RETURN = "carriage return"
    NOT_IN_LIST = "not in the list"
    INACTIVE = "no longer in the list"
    OTHER_CASE = "another letter case"
    COMMAS = "commas in a list"
    NOT_AN_ID = "no id"
    WRONG_CHECK = "check characters of an id"
    OTHER_OBJECT = "id of another object"
    NO_FORM = "no form in this field"
    OTHER_NOTATION = "another notation than given"
    CLOCK_CHANGE = "clock change"


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a value, without the value.

    Attributes:
        cause: What it is.
        severity: Whether the org refuses or changes the value, or only may.
        text: The same in words that go behind "the value".
        remedy: What to do, in a sentence.
    """

    cause: Cause
    severity: Severity
    text: str
    remedy: str


Judge: TypeAlias = Callable[[str], Problem | None]


@dataclass(frozen=True, slots=True)
class Notation:
    """How the values of a field are written.

    Attributes:
        judge: Says what is wrong with a value that is neither empty nor null, if anything.
        pattern: Good values, as they stand without quotes, apart by ``|``; ``None`` for any text.
        longest: Characters of a text.
        is_id: Whether values of 18 characters have `check_characters`, of which judge and patterns know nothing.
    """

    judge: Judge
    pattern: bytes | None = None
    longest: int | None = None
    is_id: bool = False


_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_CLOCK: Final = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,9})?"
_ZONE: Final = r"(?:Z|[+-](?:0[0-9]|1[0-5]):?[0-5][0-9])"
_MIDNIGHT: Final = re.compile(r"[T ]00:00:00(?:\.0+)?(?:Z|[+-]00:?00)?")
_BEHIND_DAY: Final = re.compile(rf"T{_CLOCK}{_ZONE}")
_BEHIND_DAY_WITHOUT_ZONE: Final = re.compile(r"[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?")
_TIME: Final = re.compile(rf"{_CLOCK}Z?")
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,6})?")
_WHOLE: Final = re.compile(r"[+-]?[0-9]+")
_COMMA: Final = re.compile(
    r"[+-]?[0-9]{1,3}(?:[.' \u00a0][0-9]{3})*,[0-9]+|[+-]?[0-9]+,[0-9]+|[+-]?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?"
)
_ID: Final = re.compile(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?")

# Every day of 1700 to 2999 but the 29th of February, which the judge sees; nine of ten days are in the first line.
_GOOD_DAY: Final = (
    rb"(?:1[7-9]|2[0-9])[0-9][0-9]-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])"
    rb"|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"
)
_GOOD_CLOCK: Final = rb"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,9})?"

FIRST_YEAR: Final = 1700
LAST_YEAR: Final = 4000
_INT_DIGITS: Final = {"int": 32, "long": 64}
_TRUE_AND_FALSE: Final = {"true", "false", "1", "0"}
_OTHER_WORDS: Final = {"yes", "no", "y", "n", "t", "f", "on", "off"}
_CAPITALS: Final = {ord(one): "1" if one.isupper() else "0" for one in string.digits + string.ascii_letters}
_CHECK: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"


def notation_of(field: FieldDescription, prefixes: Mapping[str, str]) -> Notation | None:
    """Say how the values of a field are written; ``None`` where nothing is known.

    Args:
        field: The field.
        prefixes: The first three characters of ids, by the object's name, as far as they are known.
    """
    match field.type:
        case "date":
            return Notation(_date, _GOOD_DAY)
        case "datetime":
            return Notation(_date_time, _GOOD_DAY + b"T" + _GOOD_CLOCK + rb"(?:Z|[+-](?:0[0-9]|1[0-5]):?[0-5][0-9])")
        case "time":
            return Notation(_time, _GOOD_CLOCK + b"Z?")
        case "boolean":
            return Notation(_boolean, b"true|false|TRUE|FALSE|True|False|1|0")
        case "int" | "long":
            return Notation(
                partial(_whole, field), b"-?+[0-9]{1,%d}+" % min(field.digits or 9, 9 if field.type == "int" else 18)
            )
        case "double" | "currency" | "percent":
            return _numbers(field)
        case "id" | "reference":
            return _ids(field, prefixes)
        case "picklist" | "multipicklist" if field.restricted_picklist and field.picklist_values:
            return _picklist(field)
        case "base64" | "address" | "location" | "anyType" | "complexvalue" | "json":
            return None
        case _:
            return Notation(partial(_text, field.length), longest=field.length or None)


def _refused(cause: Cause, text: str, remedy: str) -> Problem:
    return Problem(cause, Severity.REFUSE, text, remedy)


def _warned(cause: Cause, text: str, remedy: str) -> Problem:
    return Problem(cause, Severity.WARN, text, remedy)


_NOT_A_DATE: Final = _refused(
    Cause.NOT_A_DATE, "is no date", "Write it as 2026-02-28, or give the source's date format (--date-format)."
)
_NO_SUCH_DAY: Final = _refused(Cause.NO_SUCH_DAY, "is a day that the calendar does not have", "Correct it.")
_OUT_OF_YEARS: Final = _refused(Cause.OUT_OF_RANGE, "is before 1700 or after 4000", "Correct it, or leave it empty.")
_DATE_WITH_TIME: Final = _refused(
    Cause.DATE_WITH_TIME,
    "is a date with a time, and in another time zone it is another day",
    "Write the day alone: 2026-02-28.",
)
_DATE_AT_MIDNIGHT: Final = _warned(
    Cause.DATE_AT_MIDNIGHT, "is a date with a time, midnight", "Write the day alone: 2026-02-28."
)
_NOT_A_DATE_TIME: Final = _refused(
    Cause.NOT_A_DATE_TIME,
    "is no date-time",
    "Write it as 2026-02-28T13:05:00Z, or give the source's date format (--date-format).",
)
_NO_ZONE: Final = _refused(
    Cause.NO_ZONE,
    "has no time zone",
    "Write it as 2026-02-28T13:05:00Z or 2026-02-28T13:05:00+01:00, or give the source's zone (--time-zone).",
)
_NO_TIME: Final = _warned(
    Cause.NO_TIME, "is a day alone, which is read as midnight in UTC", "Write it as 2026-02-28T13:05:00Z."
)
_NOT_A_TIME: Final = _refused(Cause.NOT_A_TIME, "is no time of day", "Write it as 13:05:00.000Z.")
_NOT_A_NUMBER: Final = _refused(
    Cause.NOT_A_NUMBER, "is no number", "Write digits and a point alone: 1234.5, no currency and no per cent sign."
)
_DECIMAL_COMMA: Final = _refused(
    Cause.DECIMAL_COMMA,
    "is a number with commas",
    "Write a point before the decimals and nothing between thousands, or say that commas are meant (--decimal-comma).",
)
_NOT_WHOLE: Final = _refused(Cause.NOT_WHOLE, "is no whole number", "Round it.")
_WHOLE_WITH_POINT: Final = _warned(
    Cause.WHOLE_WITH_POINT, "is a whole number that is not written as one", "Write its digits alone: 1001, not 1001.0."
)
_TOO_LARGE: Final = _refused(
    Cause.OUT_OF_RANGE, "has more digits than the field holds", "Correct it, or make the field larger."
)
_NOT_A_BOOLEAN: Final = _refused(
    Cause.NOT_A_BOOLEAN,
    "is neither true nor false",
    "Write true or false, or give the source's words (--true, --false).",
)
_OTHER_WORD: Final = _warned(
    Cause.OTHER_WORD,
    "is a word that Data Loader knows, and the API may not",
    "Write true or false, or give the source's words (--true, --false).",
)
CARRIAGE_RETURN: Final = _warned(
    Cause.CARRIAGE_RETURN,
    "has line ends of Windows, which become plain ones",
    'To keep them, load with line_ending="CRLF" (--line-ending CRLF); otherwise nothing.',
)
_NOT_AN_ID: Final = _refused(Cause.NOT_AN_ID, "is no id: those have 15 or 18 letters and digits", "Correct it.")
_WRONG_CHECK: Final = _refused(
    Cause.WRONG_CHECK, "is no id: its last three characters do not belong to the others", "Correct it."
)
_LOST_CASE: Final = _warned(
    Cause.OTHER_CASE,
    "is an id whose letter case does not fit its last three characters, which then count",
    "See that it is the right one.",
)


def _date(text: str) -> Problem | None:
    day, behind = text[:10], text[10:]
    if not _DAY.fullmatch(day):
        return _NOT_A_DATE
    if problem := _calendar(day):
        return problem
    # "1940-06-07Z" stands in the guide's own samples.
    if behind in {"", "Z"}:
        return None
    if _MIDNIGHT.fullmatch(behind):
        return _DATE_AT_MIDNIGHT
    return _DATE_WITH_TIME if behind[0] in "T " else _NOT_A_DATE


def _calendar(day: str) -> Problem | None:
    try:
        date.fromisoformat(day)
    except ValueError:
        return _NO_SUCH_DAY
    return None if FIRST_YEAR <= int(day[:4]) <= LAST_YEAR else _OUT_OF_YEARS


def _date_time(text: str) -> Problem | None:
    day, behind = text[:10], text[10:]
    if not _DAY.fullmatch(day):
        return _NOT_A_DATE_TIME
    if problem := _calendar(day):
        return problem
    if not behind:
        return _NO_TIME
    if _BEHIND_DAY.fullmatch(behind):
        return None
    return _NO_ZONE if _BEHIND_DAY_WITHOUT_ZONE.fullmatch(behind) else _NOT_A_DATE_TIME


def _time(text: str) -> Problem | None:
    return None if _TIME.fullmatch(text) else _NOT_A_TIME


def _boolean(text: str) -> Problem | None:
    word = text.lower()
    return None if word in _TRUE_AND_FALSE else _OTHER_WORD if word in _OTHER_WORDS else _NOT_A_BOOLEAN


def _not_a_number(text: str) -> Problem | None:
    return None if _NUMBER.fullmatch(text) else _DECIMAL_COMMA if _COMMA.fullmatch(text) else _NOT_A_NUMBER


def _whole(field: FieldDescription, text: str) -> Problem | None:
    if problem := _not_a_number(text):
        return problem
    value = Decimal(text)
    if value != value.to_integral_value():
        return _NOT_WHOLE
    bits = _INT_DIGITS[field.type]
    if not -(2 ** (bits - 1)) <= value < 2 ** (bits - 1):
        return _TOO_LARGE
    if not _WHOLE.fullmatch(text):
        return _WHOLE_WITH_POINT
    if field.digits and value and value.adjusted() >= field.digits:
        return _warned(
            Cause.MORE_DIGITS,
            f"has more than the {field.digits} digits of the field",
            "Correct it, or make the field larger.",
        )
    return None


def _numbers(field: FieldDescription) -> Notation:
    whole = field.precision - field.scale
    if whole <= 0:
        # Nobody knows how large it may be.
        return Notation(_not_a_number, rb"-?+[0-9]{1,15}+\.?+[0-9]*+")
    digits = rb"-?+[0-9]{1,%d}+" % whole
    return Notation(partial(_number, whole, field.scale), rb"%b\.[0-9]{0,%d}+0*+|%b" % (digits, field.scale, digits))


def _number(whole: int, scale: int, text: str) -> Problem | None:
    if problem := _not_a_number(text):
        return problem
    value = Decimal(text)
    if value and value.adjusted() >= whole:
        return _refused(
            Cause.OUT_OF_RANGE, f"has more than the {whole} digits before the point that the field holds", "Correct it."
        )
    exponent = value.normalize().as_tuple().exponent
    if value and isinstance(exponent, int) and -exponent > scale:
        text = f"has more than the {scale} digits behind the point that the field shows"
        return _warned(Cause.MORE_DIGITS, text, "Round it: whether the org keeps the others is not certain.")
    return None


def _text(longest: int, text: str) -> Problem | None:
    if longest and len(text) > longest:
        return _refused(
            Cause.TOO_LONG, f"is longer than {longest:,} characters", "Shorten it, or make the field longer."
        )
    return CARRIAGE_RETURN if "\r" in text else None


def _ids(field: FieldDescription, prefixes: Mapping[str, str]) -> Notation:
    known = [prefixes[name] for name in field.reference_to if name in prefixes]
    allowed = known if len(known) == len(field.reference_to) else []
    start = (
        b"(?:%b)" % b"|".join(map(re.escape, (prefix.encode() for prefix in allowed))) if allowed else b"[A-Za-z0-9]{3}"
    )
    judge = partial(_id, frozenset(prefix.lower() for prefix in allowed), listed(field.reference_to, 3))
    return Notation(judge, start + b"[A-Za-z0-9]{12}(?:[A-Za-z0-9]{3})?+", is_id=True)


def _id(prefixes: Collection[str], objects: str, text: str) -> Problem | None:
    if not _ID.fullmatch(text):
        return _NOT_AN_ID
    if prefixes and text[:3].lower() not in prefixes:
        return _refused(
            Cause.OTHER_OBJECT, f"is an id, and not one of {objects}", "See that the column holds the right ids."
        )
    return None


def check_characters(record_id: str) -> Problem | None:
    """Compare an id with its last three characters, which tell the letter case of the others, if it has them."""
    if not _ID.fullmatch(record_id):
        return None
    capitals = record_id[14::-1].translate(_CAPITALS)
    if [_CHECK[int(capitals[place : place + 5], 2)] for place in (10, 5, 0)] == list(record_id[15:]):
        return None
    case_is_lost = False
    for group, check in enumerate(record_id[15:].upper()):
        bits = _CHECK.find(check)
        if bits < 0:
            return _WRONG_CHECK
        for place, character in enumerate(record_id[5 * group : 5 * group + 5]):
            is_capital = bool(bits >> place & 1)
            if is_capital and not character.isalpha():
                return _WRONG_CHECK
            case_is_lost |= character.isalpha() and character.isupper() != is_capital
    return _LOST_CASE if case_is_lost else None


def _picklist(field: FieldDescription) -> Notation:
    active = [one.value for one in field.picklist_values if one.active]
    multiple = field.type == "multipicklist"
    judge = partial(
        _choices if multiple else _choice, frozenset(active), frozenset(one.value for one in field.picklist_values)
    )
    one = _any_of(active)
    return Notation(judge, b"(?:%b)(?:;(?:%b))*+" % (one, one) if multiple else one)


def _any_of(values: Iterable[str]) -> bytes:
    """Match one of many texts, longer ones before those that they begin with, and by the first character."""
    encoded = sorted((value.encode() for value in values if value), reverse=True)
    if not encoded:
        return b"(?!)"
    groups = [
        (first, [re.escape(one[1:]) for one in ones]) for first, ones in groupby(encoded, key=lambda one: one[:1])
    ]
    return b"|".join(
        re.escape(first) + (b"(?:%b)" % b"|".join(rest) if len(rest) > 1 else rest[0]) for first, rest in groups
    )


def _choice(active: Collection[str], ever: Collection[str], text: str) -> Problem | None:
    if text in active:
        return None
    if text in ever:
        return _refused(
            Cause.INACTIVE, "is no longer active in the picklist", "Take another one, or make it active again."
        )
    if text.lower() in {one.lower() for one in active}:
        return _warned(
            Cause.OTHER_CASE, "stands in the picklist in another letter case", f"Write it so: {listed(active)}."
        )
    return _refused(
        Cause.NOT_IN_LIST,
        "is not in the picklist, which takes nothing else",
        f"Take one of {listed(active)}, or add it to the list.",
    )


def _choices(active: Collection[str], ever: Collection[str], text: str) -> Problem | None:
    problems = [problem for one in text.split(";") if one and (problem := _choice(active, ever, one))]
    if problems and all(one.strip() in active for one in text.split(",")):
        return _refused(Cause.COMMAS, "has commas between the values of a list", "Write a semicolon between them: A;B.")
    return problems[0] if problems else None
