"""What the Bulk API refuses in a query that is valid SOQL, and how PK chunking rewrites one."""

import re

from bulkforce_emulator.settings import Settings
from bulkforce_emulator.soql.errors import SoqlError
from bulkforce_emulator.soql.query import CompiledQuery
from bulkforce_emulator.soql.tree import (
    Both,
    Comparison,
    Condition,
    Either,
    FunctionCall,
    Membership,
    Not,
    Path,
    Query,
    Selected,
    SemiJoin,
    TypeOf,
)
from bulkforce_emulator.texts import QueryTexts
from bulkforce_emulator.uploads import Format
from bulkforce_emulator.words import Text


def check_bulk(
    compiled: CompiledQuery, job_object: str, written_in: Format, settings: Settings, *, by_fields: bool = False
) -> None:
    """Refuse what a bulk query job does not take.

    Args:
        compiled: The query.
        job_object: The job's object.
        written_in: The job's format.
        settings: The texts of refusals, and what is open.
        by_fields: Whether `FIELDS()` is taken; what it names and a bulk query cannot show is then left out.

    Raises:
        SoqlError: The query is refused.
    """
    texts = settings.texts.queries
    if compiled.sobject.name.lower() != job_object.lower():
        raise _refusal(texts.entity, query=compiled.sobject.name, job=job_object)
    tree = compiled.tree
    if compiled.is_count or (compiled.is_aggregate and not tree.group_by):
        raise _refusal(texts.aggregate)
    if tree.group_by:
        raise _refusal(texts.group)
    if tree.offset is not None:
        raise _refusal(texts.offset)
    by_type = written_in == Format.JSON and settings.typeof_in_json
    if not by_type and any(isinstance(item, TypeOf) for item in tree.selected):
        raise _refusal(texts.typeof)
    has_fields = any(_is_fields(item.expression) for item in tree.selected if isinstance(item, Selected))
    if has_fields and not by_fields:
        raise _refusal(texts.fields)
    if compiled.children:
        # The guide allows them in other formats than CSV; here they are refused in all.
        raise _refusal(texts.nested, name=compiled.children[0].relationship, format=written_in.upper())
    if not has_fields:
        _check_types(compiled, texts)


def _check_types(compiled: CompiledQuery, texts: QueryTexts) -> None:
    types = {column.field.type for column in compiled.columns}
    if types & {"address", "location"}:
        raise _refusal(texts.compound)
    if "base64" in types:
        raise _refusal(texts.base64)


def _refusal(text: Text, **facts: str) -> SoqlError:
    return SoqlError(text.code, text.said(**facts))


def _is_fields(expression: Path | FunctionCall) -> bool:
    return isinstance(expression, FunctionCall) and expression.name.upper() == "FIELDS"


def is_chunkable(query: Query) -> bool:
    """Whether PK chunking applies: it is silently off with clauses other than WHERE, and with filters on ids."""
    if query.order_by or query.group_by or query.limit is not None or query.offset is not None or query.other_clauses:
        return False
    if not all(isinstance(item, Selected) and isinstance(item.expression, Path) for item in query.selected):
        return False
    return query.where is None or not _mentions_ids(query.where)


def _mentions_ids(condition: Condition) -> bool:
    match condition:
        case Both(parts) | Either(parts):
            return any(_mentions_ids(part) for part in parts)
        case Not(part):
            return _mentions_ids(part)
        case Comparison(left) | Membership(left):
            return any("id" in path.names[-1].lower() for path in _paths(left))
        case SemiJoin():
            return True


def _paths(expression: Path | FunctionCall) -> list[Path]:
    if isinstance(expression, Path):
        return [expression]
    return [path for argument in expression.arguments for path in _paths(argument)]


def chunk_text(query: Query, text: str, low: str, high: str, field: str = "Id") -> str:
    """The query of one chunk: the original text and a range of ids, of the records or of their parents."""
    text = text.rstrip()
    bounds = f"{field} >= '{low}' AND {field} < '{high}'"
    match query.where:
        case None:
            return f"{text} WHERE {bounds}"
        case Either() | Not():
            # Other conditions than AND need parentheses beside AND, unless they have them already.
            condition = text[query.where_at :].strip()
            if not re.fullmatch(r"\([^()']*\)", condition):
                return f"{text[: query.where_at]} ({condition}) AND {bounds}"
    return f"{text} AND {bounds}"
