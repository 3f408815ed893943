"""The values of formulas, and the functions that they can call, as SQL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """What a value is."""

    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    MOMENT = "datetime"
    NONE = "null"


class Value(NamedTuple):
    """An expression in SQL, and what it is."""

    sql: str
    kind: Kind

    @property
    def blank(self) -> str:
        """Whether it has no value."""
        return f"coalesce({self.sql}, '') = ''" if self.kind is Kind.TEXT else f"({self.sql}) IS NULL"

    @property
    def text(self) -> str:
        """It as a text that is never null."""
        return f"coalesce(({self.sql})::VARCHAR, '')"

    @property
    def true(self) -> str:
        """Whether it is true, which null is not."""
        return f"coalesce({self.sql}, false)"


Function = Callable[[Sequence[Value]], Value]
COMPARISONS = frozenset({"=", "==", "<>", "!=", "<", ">", "<=", ">="})
#: Stands for the time at which the rule is applied.
NOW = "now_of_the_org()"


def compared(left: Value, sign: str, right: Value) -> str:
    """The comparison of two values: blank texts are the same, and nothing is greater or less than null."""
    texts = Kind.TEXT in {left.kind, right.kind}
    a, b = (left.text, right.text) if texts else (left.sql, right.sql)
    if sign in {"=", "=="}:
        return f"({a} IS NOT DISTINCT FROM {b})"
    if sign in {"<>", "!="}:
        return f"({a} IS DISTINCT FROM {b})"
    return f"coalesce({a} {sign} {b}, false)"


def _all_of(joint: str) -> Function:
    return lambda given: Value(f"({f' {joint} '.join(one.true for one in given)})", Kind.BOOLEAN)


def _plain(template: str, kind: Kind, count: int) -> Function:
    """A function whose arguments stand in a template: as they are (`{0}`), or as text."""

    def call(given: Sequence[Value]) -> Value:
        if len(given) != count:
            raise ValueError(count)
        return Value(template.format(*(one.sql for one in given), *(one.text for one in given)), kind)

    return call


def _if(given: Sequence[Value]) -> Value:
    condition, yes, no = given
    return Value(f"CASE WHEN {condition.true} THEN {yes.sql} ELSE {no.sql} END", _of_either(yes, no))


def _case(given: Sequence[Value]) -> Value:
    value, *pairs, otherwise = given
    if not pairs or len(pairs) % 2:
        raise ValueError(len(given))
    whens = " ".join(
        f"WHEN {compared(value, '=', when)} THEN {then.sql}" for when, then in zip(pairs[::2], pairs[1::2], strict=True)
    )
    return Value(f"CASE {whens} ELSE {otherwise.sql} END", _of_either(pairs[1], otherwise))


def _or_else(given: Sequence[Value]) -> Value:
    value, other = given
    return Value(f"CASE WHEN {value.blank} THEN {other.sql} ELSE {value.sql} END", _of_either(value, other))


def _of_either(first: Value, second: Value) -> Kind:
    return second.kind if first.kind is Kind.NONE else first.kind


def _blank(given: Sequence[Value]) -> Value:
    (value,) = given
    return Value(value.blank, Kind.BOOLEAN)


def _null(given: Sequence[Value]) -> Value:
    """A text is never null, as published."""
    (value,) = given
    return Value("false" if value.kind is Kind.TEXT else value.blank, Kind.BOOLEAN)


def _mid(given: Sequence[Value]) -> Value:
    text, start, length = given
    return Value(f"substring({text.text}, ({start.sql})::INTEGER, ({length.sql})::INTEGER)", Kind.TEXT)


def _picked(given: Sequence[Value]) -> Value:
    field, value = given
    return Value(f"({field.text} = {value.text})", Kind.BOOLEAN)


def _choice(name: str) -> Function:
    return lambda given: Value(f"{name}({', '.join(one.sql for one in given)})", Kind.NUMBER)


#: By their names.
FUNCTIONS: dict[str, Function] = {
    "AND": _all_of("AND"),
    "OR": _all_of("OR"),
    "NOT": lambda given: Value(f"NOT {given[0].true}", Kind.BOOLEAN),
    "IF": _if,
    "CASE": _case,
    "ISNEW": _plain("n._is_new", Kind.BOOLEAN, 0),
    "ISBLANK": _blank,
    "ISNULL": _null,
    "ISPICKVAL": _picked,
    "INCLUDES": _plain("list_contains(string_split({2}, ';'), {1})", Kind.BOOLEAN, 2),
    "ISNUMBER": _plain("TRY_CAST({0} AS DOUBLE) IS NOT NULL", Kind.BOOLEAN, 1),
    "BLANKVALUE": _or_else,
    "NULLVALUE": _or_else,
    "TEXT": _plain("{1}", Kind.TEXT, 1),
    "VALUE": _plain("TRY_CAST({0} AS DOUBLE)", Kind.NUMBER, 1),
    "LEN": _plain("length({1})", Kind.NUMBER, 1),
    "CONTAINS": _plain("contains({2}, {3})", Kind.BOOLEAN, 2),
    "BEGINS": _plain("starts_with({2}, {3})", Kind.BOOLEAN, 2),
    "FIND": _plain("instr({3}, {2})", Kind.NUMBER, 2),
    "LEFT": _plain("left({2}, ({1})::INTEGER)", Kind.TEXT, 2),
    "RIGHT": _plain("right({2}, ({1})::INTEGER)", Kind.TEXT, 2),
    "MID": _mid,
    "UPPER": _plain("upper({1})", Kind.TEXT, 1),
    "LOWER": _plain("lower({1})", Kind.TEXT, 1),
    "TRIM": _plain("trim({1})", Kind.TEXT, 1),
    "SUBSTITUTE": _plain("replace({3}, {4}, {5})", Kind.TEXT, 3),
    "REGEX": _plain("regexp_full_match({2}, {1})", Kind.BOOLEAN, 2),
    "ABS": _plain("abs({0})", Kind.NUMBER, 1),
    "ROUND": _plain("round({0}, ({1})::INTEGER)", Kind.NUMBER, 2),
    "FLOOR": _plain("floor({0})", Kind.NUMBER, 1),
    "CEILING": _plain("ceil({0})", Kind.NUMBER, 1),
    "MOD": _plain("({0} % nullif({1}, 0))", Kind.NUMBER, 2),
    "MIN": _choice("least"),
    "MAX": _choice("greatest"),
    "TODAY": _plain(f"{NOW}::DATE", Kind.DATE, 0),
    "NOW": _plain(NOW, Kind.MOMENT, 0),
    "DATE": _plain("make_date(({0})::INTEGER, ({1})::INTEGER, ({2})::INTEGER)", Kind.DATE, 3),
    "DATEVALUE": _plain("({0})::DATE", Kind.DATE, 1),
    "YEAR": _plain("year({0})", Kind.NUMBER, 1),
    "MONTH": _plain("month({0})", Kind.NUMBER, 1),
    "DAY": _plain("day({0})", Kind.NUMBER, 1),
    "ADDMONTHS": _plain("({0} + to_months(({1})::INTEGER))::DATE", Kind.DATE, 2),
}
