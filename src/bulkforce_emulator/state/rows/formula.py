"""Formulas of validation rules as SQL: the operators and the functions that such rules use most.

In the SQL, `n` is the record as it would be saved, with `_is_new`, and `o` the record as it is stored.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bulkforce_emulator.config_files import did_you_mean
from bulkforce_emulator.schema import NUMBER_TYPES
from bulkforce_emulator.schema_files import SchemaError
from bulkforce_emulator.state.rows.conversion import literal
from bulkforce_emulator.state.rows.formula_functions import COMPARISONS, FUNCTIONS, NOW, Kind, Value, compared
from bulkforce_emulator.state.store import quoted

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from bulkforce_emulator.schema import Field, Schema, SObject


_TOKEN = re.compile(
    r"""\s+|/\*.*?\*/|(?P<number>\d+(?:\.\d+)?|\.\d+)|(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')"""
    r"""|(?P<name>\$?[A-Za-z]\w*(?:\.\w+)*)|(?P<sign>&&|\|\||<>|!=|<=|>=|==|[=<>+\-*/^&!(),])""",
    re.DOTALL,
)
_LEVELS: tuple[frozenset[str], ...] = (
    frozenset({"||"}),
    frozenset({"&&"}),
    COMPARISONS,
    frozenset({"+", "-", "&"}),
    frozenset({"*", "/"}),
    frozenset({"^"}),
)
_WORDS = {
    "true": Value("true", Kind.BOOLEAN),
    "false": Value("false", Kind.BOOLEAN),
    "null": Value("NULL", Kind.NONE),
}


def compile_formula(text: str, schema: Schema, sobject: SObject, user_id: str) -> Callable[[datetime], str]:
    """The condition as SQL at a moment.

    Raises:
        SchemaError: It is not a formula, or uses something that is not supported.
    """
    tokens = _tokens(text)
    compiled = _Reader(tokens, text, schema, sobject, user_id).whole()
    return lambda now: compiled.true.replace(NOW, f"TIMESTAMP '{now:%Y-%m-%d %H:%M:%S}'")


def _tokens(text: str) -> list[tuple[str, str]]:
    found, at = [], 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise SchemaError(f"formula {text!r} cannot be read from {text[at : at + 20]!r} on")
        if match.lastgroup is not None:
            found.append((match.lastgroup, match[0]))
        at = match.end()
    return found


@dataclass
class _Reader:
    tokens: list[tuple[str, str]]
    text: str
    schema: Schema
    sobject: SObject
    user_id: str
    at: int = 0

    def whole(self) -> Value:
        value = self._level(0)
        if self.at < len(self.tokens):
            raise self._wrong(f"has {self.tokens[self.at][1]!r} where it should end")
        return value

    def _wrong(self, what: str) -> SchemaError:
        return SchemaError(f"formula {self.text!r} {what}")

    def _peek(self) -> str:
        return self.tokens[self.at][1] if self.at < len(self.tokens) else ""

    def _take(self, wanted: str) -> None:
        if self._peek() != wanted:
            raise self._wrong(f"lacks {wanted!r}" + (f" before {self._peek()!r}" if self._peek() else ""))
        self.at += 1

    def _level(self, level: int) -> Value:
        if level == len(_LEVELS):
            return self._unary()
        left = self._level(level + 1)
        while self._peek() in _LEVELS[level] and self.tokens[self.at][0] == "sign":
            sign = self._peek()
            self.at += 1
            left = _joined(left, sign, self._level(level + 1))
        return left

    def _unary(self) -> Value:
        sign = self._peek()
        if sign in {"!", "-", "+"}:
            self.at += 1
            value = self._unary()
            return (
                Value(f"NOT {value.true}", Kind.BOOLEAN) if sign == "!" else Value(f"{sign}({value.sql})", value.kind)
            )
        return self._one()

    def _one(self) -> Value:
        if self.at >= len(self.tokens):
            raise self._wrong("ends too early")
        group, word = self.tokens[self.at]
        self.at += 1
        if group == "number":
            return Value(word, Kind.NUMBER)
        if group == "text":
            return Value(literal(re.sub(r"\\(.)", r"\1", word[1:-1])), Kind.TEXT)
        if word == "(":
            value = self._level(0)
            self._take(")")
            return Value(f"({value.sql})", value.kind)
        if group != "name":
            raise self._wrong(f"has {word!r} where a value should be")
        if self._peek() == "(":
            return self._call(word.upper())
        return _WORDS.get(word.lower()) or self._field(word)

    def _call(self, name: str) -> Value:
        self._take("(")
        if name in {"PRIORVALUE", "ISCHANGED"}:
            field = self._own_field(self._peek())
            self.at += 1
            self._take(")")
            new, old = f"n.{quoted(field.name)}", f"o.{quoted(field.name)}"
            if name == "ISCHANGED":
                return Value(f"(NOT n._is_new AND {new} IS DISTINCT FROM {old})", Kind.BOOLEAN)
            return Value(f"CASE WHEN n._is_new THEN {new} ELSE {old} END", _kind(field))
        arguments: list[Value] = []
        while self._peek() != ")":
            if arguments:
                self._take(",")
            arguments.append(self._level(0))
        self._take(")")
        function = FUNCTIONS.get(name)
        if function is None:
            raise self._wrong(f"calls {name}, which is not supported here{did_you_mean(name, FUNCTIONS)}")
        try:
            return function(arguments)
        except (IndexError, ValueError):
            raise self._wrong(f"calls {name} with {len(arguments)} arguments") from None

    def _own_field(self, name: str) -> Field:
        field = self.sobject.field(name)
        if field is None or not field.is_column:
            raise self._wrong(f"names {name}{did_you_mean(name, self.sobject.fields) or ', which is no field'}")
        return field

    def _field(self, path: str) -> Value:
        if path.lower() == "$user.id":
            return Value(literal(self.user_id), Kind.TEXT)
        *relationships, name = path.split(".")
        sobject, sql = self.sobject, "n"
        for relationship in relationships:
            reference = sobject.relationship(relationship)
            parent = None if reference is None else self.schema.get(reference.reference_to[0])
            if reference is None or parent is None:
                raise self._wrong(f"names {path}, but {sobject.name} has no parent {relationship}")
            key = f"{sql}.{quoted(reference.name)}" if sql == "n" else sql.format(quoted(reference.name))
            sql = f'(SELECT p.{{}} FROM {quoted(parent.name)} p WHERE p."Id" = {key})'
            sobject = parent
        field = sobject.field(name)
        if field is None or not field.is_column:
            raise self._wrong(f"names {path}{did_you_mean(name, sobject.fields) or ', which is no field'}")
        column = quoted(field.name)
        return Value(f"n.{column}" if sql == "n" else sql.format(column), _kind(field))


def _kind(field: Field) -> Kind:
    if field.type in NUMBER_TYPES:
        return Kind.NUMBER
    return {"boolean": Kind.BOOLEAN, "date": Kind.DATE, "datetime": Kind.MOMENT}.get(field.type, Kind.TEXT)


def _joined(left: Value, sign: str, right: Value) -> Value:
    if sign in {"&&", "||"}:
        return Value(f"({left.true} {'AND' if sign == '&&' else 'OR'} {right.true})", Kind.BOOLEAN)
    if sign in COMPARISONS:
        return Value(compared(left, sign, right), Kind.BOOLEAN)
    if sign == "&" or (sign == "+" and Kind.TEXT in {left.kind, right.kind}):
        return Value(f"({left.text} || {right.text})", Kind.TEXT)
    if sign in {"+", "-"} and left.kind in {Kind.DATE, Kind.MOMENT}:
        if right.kind is left.kind:
            return Value(f"(date_diff('second', {right.sql}, {left.sql}) / 86400.0)", Kind.NUMBER)
        kind = "DATE" if left.kind is Kind.DATE else "TIMESTAMP"
        return Value(f"({left.sql} {sign} to_days(({right.sql})::INTEGER))::{kind}", left.kind)
    if sign == "/":
        return Value(f"({left.sql} / nullif({right.sql}, 0))", Kind.NUMBER)
    return Value(f"pow({left.sql}, {right.sql})" if sign == "^" else f"({left.sql} {sign} {right.sql})", Kind.NUMBER)
