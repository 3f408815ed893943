"""Literals as values of the field they are compared with, refused in the platform's words when they do not fit."""

import re
from datetime import UTC, date, datetime, time, timedelta

import pyarrow as pa

from bulkforce_emulator.ids import canonical
from bulkforce_emulator.soql.errors import SoqlError
from bulkforce_emulator.soql.scope import Operand, Scope
from bulkforce_emulator.soql.tree import Kind, Literal

NUMBERS = frozenset(("int", "long", "double", "currency", "percent"))

# What each type is compared with, and how the refusal names the type.
_WANTED = {
    "boolean": (Kind.BOOLEAN, "boolean"),
    "date": (Kind.DATE, "date"),
    "datetime": (Kind.DATETIME, "dateTime"),
    "time": (Kind.TIME, "time"),
    "int": (Kind.NUMBER, "int"),
    "long": (Kind.NUMBER, "int"),
    "double": (Kind.NUMBER, "double"),
    "percent": (Kind.NUMBER, "double"),
    "currency": (Kind.NUMBER, "double"),
}

_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.|$)", re.DOTALL)
_CHARACTERS = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
_THEMSELVES = frozenset("'\"\\%_")
_OFFSET = re.compile(r"([+-])(\d{2}):?(\d{2})$")


def string(scope: Scope, literal: Literal) -> str:
    """The text of a quoted string."""

    def unescape(match: re.Match[str]) -> str:
        return _character(scope, literal, match[1])

    return _ESCAPE.sub(unescape, literal.raw[1:-1])


def like_pattern(scope: Scope, literal: Literal) -> str:
    """The text as a LIKE pattern with the backslash as its escape: an escaped wildcard stays escaped."""

    def unescape(match: re.Match[str]) -> str:
        character = _character(scope, literal, match[1])
        return f"\\{character}" if character in "%_\\" else character

    return _ESCAPE.sub(unescape, literal.raw[1:-1])


def _character(scope: Scope, literal: Literal, escape: str) -> str:
    if escape[:1] == "u" and len(escape) == 5:
        return chr(int(escape[1:], 16))
    if escape in _THEMSELVES and escape:
        return escape
    if escape.lower() in _CHARACTERS and escape:
        return _CHARACTERS[escape.lower()]
    detail = f"Invalid string literal {literal.raw}. Illegal character sequence '\\{escape}' in string literal."
    raise scope.error(literal.at, "MALFORMED_QUERY", detail)


def record_ids(texts: list[str]) -> list[str]:
    """Record ids of a condition, of 15 or 18 characters, as they are stored.

    Raises:
        SoqlError: One cannot be an id.
    """
    found: list[str | None] = canonical(pa.array(texts, pa.string())).to_pylist()
    for text, record_id in zip(texts, found, strict=True):
        if record_id is None:
            raise SoqlError("INVALID_QUERY_FILTER_OPERATOR", f"invalid ID field: {text}")
    return [record_id for record_id in found if record_id is not None]


def value(scope: Scope, operand: Operand, literal: Literal) -> object:
    """The literal as the operand's type; None for NULL and for the empty string, which is the same.

    Raises:
        SoqlError: It is of another type.
    """
    if literal.kind is Kind.NULL:
        return None
    if operand.type not in _WANTED:
        if literal.kind is not Kind.STRING:
            raise _misfit(scope, operand, "string", "should be enclosed in quotes")
        return string(scope, literal) or None
    kind, type_name = _WANTED[operand.type]
    if literal.kind is not kind:
        raise _misfit(scope, operand, type_name, "should not be enclosed in quotes")
    try:
        return _READERS[kind](literal.raw)
    except (ValueError, OverflowError):
        raise scope.error(literal.at, "MALFORMED_QUERY", f"Invalid {type_name}: {literal.raw}") from None


def takes_date_words(operand: Operand) -> bool:
    """Whether it can be compared with TODAY and the like."""
    return operand.type in ("date", "datetime")


def _misfit(scope: Scope, operand: Operand, type_name: str, advice: str) -> SoqlError:
    detail = f"value of filter criterion for field '{operand.name}' must be of type {type_name} and {advice}"
    return scope.error(operand.at, "INVALID_FIELD", detail)


def _number(raw: str) -> object:
    return int(raw) if re.fullmatch(r"[+-]?\d{1,18}", raw) else float(raw)


def _datetime(raw: str) -> datetime:
    moment, offset = raw.upper(), timedelta()
    if match := _OFFSET.search(moment):
        offset = timedelta(hours=int(match[2]), minutes=int(match[3])) * (1 if match[1] == "+" else -1)
        moment = moment[: match.start()]
    return (datetime.fromisoformat(moment.rstrip("Z")).replace(tzinfo=UTC) - offset).replace(tzinfo=None)


def _time(raw: str) -> time:
    return time.fromisoformat(raw.rstrip("Zz"))


_READERS = {
    Kind.BOOLEAN: lambda raw: raw.upper() == "TRUE",
    Kind.NUMBER: _number,
    Kind.DATE: date.fromisoformat,
    Kind.DATETIME: _datetime,
    Kind.TIME: _time,
}
