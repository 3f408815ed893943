"""Strings to typed values, in SQL: for each column, an expression for its value and one for its error.

Errors name a field by its label and list it by its name.
"""

from __future__ import annotations

from string import Formatter
from typing import TYPE_CHECKING

from bulkforce_emulator.state.store import column_type
from bulkforce_emulator.uploads import SEPARATOR

if TYPE_CHECKING:
    from bulkforce_emulator.schema import Field
    from bulkforce_emulator.settings import Settings
    from bulkforce_emulator.texts import RowTexts
    from bulkforce_emulator.words import Text

_OFFSET = r"(Z|[+-][0-9]{2}:?[0-9]{2})"
_DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_CLOCK = r"[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?"
_STRICT_MOMENT = rf"{_DAY}T[0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}(\.[0-9]{{3}})?(Z|[+-][0-9]{{2}}:[0-9]{{2}})"
_HOST_LABEL = "[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?"
_EMAIL = rf"[A-Za-z0-9.!#$%&''*+/=?^_`{{|}}~-]+@{_HOST_LABEL}(\.{_HOST_LABEL})+"
_NUMBER = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"


#: What Bulk API 2.0 calls a type; all others are doubles.
_XSD = {"boolean": "boolean", "date": "date", "datetime": "dateTime", "time": "time", "int": "int", "long": "long"}
_WHOLE = r"[+-]?[0-9]+(\.0*)?"


def literal(text: str) -> str:
    """A string as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def error(text: Text, *fields: str, **facts: str) -> str:
    """An error as an SQL expression. Its facts are SQL expressions, too; `fields` are names."""
    parts = [literal(text.code + SEPARATOR)]
    for words, name, _, _ in Formatter().parse(text.words):
        parts += [literal(words)] if words else []
        parts += [facts[name]] if name else []
    parts += [literal(SEPARATOR + field) for field in fields]
    return " || ".join(parts)


def typed(field: Field, text: str, settings: Settings, longest: int | None = None) -> tuple[str, str | None]:
    """The value of a column of strings, and its error.

    Args:
        field: What the column holds.
        text: The SQL name of the column.
        settings: Which spellings are accepted.
        longest: The bytes of the longest value, if known: lengths that none can exceed are not checked.

    Returns:
        Two SQL expressions; the second is null where the value is good, and None if nothing can be wrong.
    """
    if field.type == "boolean":
        return _boolean(field, text, settings)
    texts = settings.texts.rows
    if field.type in {"date", "datetime", "time"}:
        return _moment(field, text, settings)
    if field.type in {"int", "long", "double", "currency", "percent"}:
        return _number(field, text, texts)
    if field.type == "base64":
        # Line breaks are allowed; they are removed, so that readers need not know about them.
        text = f"regexp_replace({text}, '\\s', '', 'g')"
    return text, _text_error(field, text, longest, texts)


def _failed(text: Text, field: Field, value: str, **facts: str) -> str:
    return error(text, field.name, label=literal(field.label), field=literal(field.name), value=value, **facts)


def _wrong_type(field: Field, text: str, good: str, texts: RowTexts) -> str:
    column = literal(text.rpartition("c")[2])
    failed = _failed(texts.type_wrong, field, text, column=column, type=literal(_XSD.get(field.type, "double")))
    return f"CASE WHEN {text} IS NOT NULL AND NOT coalesce({good}, false) THEN {failed} END"


def _boolean(field: Field, text: str, settings: Settings) -> tuple[str, str]:
    true_words = ", ".join(map(literal, settings.true_words))
    false_words = ", ".join(map(literal, settings.false_words))
    good = f"lower({text}) IN ({true_words}, {false_words})"
    return f"CASE WHEN {text} IS NOT NULL THEN lower({text}) IN ({true_words}) END", _wrong_type(
        field, text, good, settings.texts.rows
    )


def _moment(field: Field, text: str, settings: Settings) -> tuple[str, str]:
    if field.type == "time":
        form = f"{_CLOCK}Z?"
        # To the millisecond, like date-times.
        value = f"TRY_CAST(left(rtrim({text}, 'Z'), 12) AS TIME)"
    elif field.type == "date":
        # "1940-06-07Z" is in the guide's own samples.
        form = f"{_DAY}(Z|T{_CLOCK}{_OFFSET})?" if settings.lenient_dates else f"{_DAY}Z?"
        value = f"TRY_CAST(left({text}, 10) AS DATE)"
    else:
        form = f"{_DAY}(T{_CLOCK}{_OFFSET})?" if settings.lenient_dates else _STRICT_MOMENT
        value = f"date_trunc('millisecond', TRY_CAST({text} AS TIMESTAMPTZ) AT TIME ZONE 'UTC')"
    good = f"regexp_full_match({text}, {literal(form)}) AND {value} IS NOT NULL"
    return f"CASE WHEN {good} THEN {value} END", _wrong_type(field, text, good, settings.texts.rows)


def _number(field: Field, text: str, texts: RowTexts) -> tuple[str, str]:
    value = f"TRY_CAST({text} AS DOUBLE)"
    if field.type in {"int", "long"}:
        # An exponent is for doubles.
        form = f"regexp_full_match({text}, {literal(_WHOLE)})"
        good = f"{form} AND abs({value}) < {2**31 if field.type == 'int' else 2**53}"
        return f"CASE WHEN {good} THEN {value}::{column_type(field)} END", _wrong_type(field, text, good, texts)
    good = f"regexp_full_match({text}, {literal(_NUMBER)}) AND isfinite({value})"
    wrong = _wrong_type(field, text, good, texts)
    digits = field.precision - field.scale
    if digits <= 0:
        return value, wrong
    outside = _failed(texts.number_too_large, field, text)
    rounded = f"round({value}, {field.scale})"
    return rounded, f"coalesce({wrong}, CASE WHEN abs({value}) >= 1e{digits} THEN {outside} END)"


def _text_error(field: Field, text: str, longest: int | None, texts: RowTexts) -> str | None:
    checks = []
    if field.type == "email":
        checks.append(
            f"WHEN NOT regexp_full_match({text}, '{_EMAIL}') THEN {_failed(texts.email_invalid, field, text)}"
        )
    if field.restricted and field.picklist:
        checks.append(f"WHEN {_outside_picklist(field, text)} THEN {_failed(texts.picklist_unfit, field, text)}")
    if field.type == "base64":
        failed = _failed(texts.type_wrong, field, f"left({text}, 80)")
        checks.append(f"WHEN {text} IS NOT NULL AND TRY(from_base64({text})) IS NULL THEN {failed}")
    elif field.length and (longest is None or longest > field.length):
        failed = _failed(texts.text_too_long, field, text, most=literal(str(field.length)))
        checks.append(f"WHEN length({text}) > {field.length} THEN {failed}")
    return f"CASE {' '.join(checks)} END" if checks else None


def _outside_picklist(field: Field, text: str) -> str:
    values = ", ".join(map(literal, field.picklist))
    if field.type == "multipicklist":
        return f"NOT list_has_all([{values}], string_split({text}, ';'))"
    return f"{text} NOT IN ({values})"
