"""Text to tree. Lark's tables take a while to build, so this module is imported with the first query, not before."""

from functools import cache
from pathlib import Path as FilePath
from typing import Any

from lark import Lark, Token, Transformer, UnexpectedCharacters, UnexpectedInput, UnexpectedToken
from lark.exceptions import VisitError

from bulkforce_emulator.soql.errors import SoqlError
from bulkforce_emulator.soql.tree import (
    Both,
    Comparison,
    Either,
    FunctionCall,
    Kind,
    Literal,
    Membership,
    Not,
    Path,
    Query,
    Selected,
    SemiJoin,
    SortKey,
    Source,
    TypeOf,
)

_KINDS = {
    "STRING": Kind.STRING,
    "NUMBER": Kind.NUMBER,
    "DATE": Kind.DATE,
    "DATETIME": Kind.DATETIME,
    "TIME": Kind.TIME,
    "TRUE": Kind.BOOLEAN,
    "FALSE": Kind.BOOLEAN,
    "NULL": Kind.NULL,
    "DATE_WORD": Kind.WORD,
    "NAME": Kind.WORD,
}

# The sequence the clauses must come in; one clause may not come twice (except FOR and UPDATE, which are ignored).
_SEQUENCE = ("USING", "WHERE", "WITH", "GROUP", "HAVING", "ORDER", "LIMIT", "OFFSET", "FOR", "UPDATE", "ALL")
#: The most digits in LIMIT and OFFSET.
_DIGITS = 18
_REPEATABLE = ("FOR", "UPDATE")


@cache
def _lark() -> Lark:
    grammar = (FilePath(__file__).parent / "grammar.lark").read_text(encoding="utf-8")
    return Lark(grammar, parser="lalr", lexer="contextual", maybe_placeholders=True, propagate_positions=False)


def parse(text: str) -> Query:
    """Read one query.

    Raises:
        SoqlError: `MALFORMED_QUERY`, with the place.
    """
    try:
        query = _Tree(text).transform(_lark().parse(text))
    except UnexpectedInput as error:
        raise _unexpected(text, error) from None
    except VisitError as error:
        if isinstance(error.orig_exc, SoqlError):
            raise error.orig_exc from None
        raise
    if not isinstance(query, Query):
        raise TypeError(query)
    return query


def _unexpected(text: str, error: UnexpectedInput) -> SoqlError:
    if isinstance(error, UnexpectedToken) and error.token.type != "$END":
        at = error.token.start_pos or 0
        return SoqlError.located(text, at, "MALFORMED_QUERY", f"unexpected token: '{error.token}'")
    if isinstance(error, UnexpectedCharacters):
        at = error.pos_in_stream or 0
        if text[at] == "'" and "STRING" in error.allowed:
            return SoqlError("MALFORMED_QUERY", f"line 1:{at} mismatched character '<EOF>' expecting '''")
        if text[at] == ":":
            return SoqlError.located(text, at, "MALFORMED_QUERY", "Bind variables only allowed in Apex code")
        return SoqlError.located(text, at, "MALFORMED_QUERY", f"unexpected token: '{_word_at(text, at)}'")
    return SoqlError.located(text, len(text.rstrip()), "MALFORMED_QUERY", "unexpected token: '<EOF>'")


def _word_at(text: str, at: int) -> str:
    end = at + 1
    if text[at].isalnum() or text[at] == "_":
        while end < len(text) and (text[end].isalnum() or text[end] == "_"):
            end += 1
    return text[at:end]


class _Tree(Transformer[Token, Any]):
    """Bottom-up, one method per rule of the grammar."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text

    def _refuse(self, token: Token, detail: str) -> SoqlError:
        return SoqlError.located(self._text, token.start_pos or 0, "MALFORMED_QUERY", detail)

    def start(self, items: list[Any]) -> Query:
        query: Query = items[0]
        return query

    def query(self, items: list[Any]) -> Query:
        border = next(i for i, item in enumerate(items) if isinstance(item, Source))
        found: dict[str, Any] = {}
        last = -1
        for token, values in items[border + 1 :]:
            place = _SEQUENCE.index(token.type)
            if place < last or (place == last and token.type not in _REPEATABLE):
                raise self._refuse(token, f"unexpected token: '{token}'")
            last = place
            found |= values
        source: Source = items[border]
        return Query(selected=tuple(items[:border]), source=source, at=source.sobject.at, **found)

    def selected(self, items: list[Any]) -> Selected:
        return Selected(items[0], None if items[1] is None else str(items[1]))

    def nested(self, items: list[Any]) -> Query:
        query: Query = items[0]
        return query

    def type_of(self, items: list[Any]) -> TypeOf:
        named = [item for item in items[1:] if item is not None]
        choices = [item if isinstance(item, tuple) else (None, tuple(item)) for item in named]
        return TypeOf(_path(items[0]), tuple(choices))

    def when(self, items: list[Any]) -> tuple[Path, tuple[Path, ...]]:
        return _path(items[0]), tuple(items[1])

    def names(self, items: list[Any]) -> list[Path]:
        return [_path(item) for item in items]

    def source(self, items: list[Any]) -> Source:
        alias = None if items[1] is None else str(items[1])
        return Source(_path(items[0]), alias, tuple(items[2:]))

    def parent_alias(self, items: list[Any]) -> tuple[Path, str]:
        return _path(items[0]), str(items[1])

    def ignored(self, items: list[Any]) -> tuple[Token, dict[str, Any]]:
        return items[0], {"other_clauses": True}

    def scope(self, items: list[Any]) -> tuple[Token, dict[str, Any]]:
        return items[0], {"scope": str(items[1]), "other_clauses": True}

    def where(self, items: list[Any]) -> tuple[Token, dict[str, Any]]:
        return items[0], {"where": items[1], "where_at": items[0].end_pos}

    def group_by(self, items: list[Any]) -> tuple[Token, dict[str, Any]]:
        return items[0], {"group_by": tuple(items[1:])}

    def having(self, items: list[Any]) -> tuple[Token, dict[str, Any]]:
        return items[0], {"having": items[1]}

    def order_by(self, items: list[Any]) -> tuple[Token, dict[str, Any]]:
        return items[0], {"order_by": tuple(items[1:])}

    def limit(self, items: list[Any]) -> tuple[Token, dict[str, Any]]:
        return items[0], {"limit": self._count(items[1])}

    def offset(self, items: list[Any]) -> tuple[Token, dict[str, Any]]:
        return items[0], {"offset": self._count(items[1]), "offset_at": items[0].start_pos}

    def all_rows(self, items: list[Any]) -> tuple[Token, dict[str, Any]]:
        return items[0], {"all_rows_at": items[0].start_pos}

    def _count(self, token: Token) -> int:
        if not token.isdecimal() or len(token) > _DIGITS:
            raise self._refuse(token, f"unexpected token: '{token}'")
        return int(token)

    def both(self, items: list[Any]) -> Both:
        return Both(tuple(items))

    def either(self, items: list[Any]) -> Either:
        return Either(tuple(items))

    def negation(self, items: list[Any]) -> Not:
        return Not(items[0])

    def misplaced_not(self, items: list[Any]) -> Not:
        raise self._refuse(items[0], f"unexpected token: '{items[0]}'")

    def comparison(self, items: list[Any]) -> Comparison:
        operator = str(items[1]).upper()
        return Comparison(items[0], "!=" if operator == "<>" else operator, items[2])

    def membership(self, items: list[Any]) -> Membership:
        words = [str(item).upper() for item in items if isinstance(item, Token)]
        return Membership(items[0], " ".join(words), tuple(item for item in items[1:] if isinstance(item, Literal)))

    def semi_join(self, items: list[Any]) -> SemiJoin:
        return SemiJoin(items[0], isinstance(items[1], Token) and items[1].type == "NOT", items[-1])

    def path(self, items: list[Any]) -> Path:
        return _path(items[0])

    def call(self, items: list[Any]) -> FunctionCall:
        arguments = tuple(item for item in items[1:] if item is not None)
        return FunctionCall(str(items[0]), arguments, items[0].start_pos or 0)

    def order(self, items: list[Any]) -> SortKey:
        words = {item.type for item in items[1:] if item is not None}
        return SortKey(items[0], descending="DESC" in words, nulls_last="LAST" in words)

    def value(self, items: list[Any]) -> Literal:
        token: Token = items[0]
        if token.type == "BIND":
            raise self._refuse(token, "Bind variables only allowed in Apex code")
        return Literal(_KINDS[token.type], str(token), token.start_pos or 0)


def _path(token: Token) -> Path:
    return Path(tuple(name.strip() for name in token.split(".")), token.start_pos or 0)
