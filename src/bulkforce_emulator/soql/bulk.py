"""What the Bulk API asks of a query beyond SOQL, and how PK chunking rewrites one."""

import re

from bulkforce_emulator.soql.errors import SoqlError
from bulkforce_emulator.soql.query import CompiledQuery
from bulkforce_emulator.soql.tree import (
    Both,
    Call,
    Comparison,
    Condition,
    Either,
    Membership,
    Not,
    Path,
    Query,
    Selected,
    SemiJoin,
    TypeOf,
)

# Code and text of each refusal. The first three are recorded; the others follow their pattern: which texts
# the server has for them is not verified.
REFUSALS = {
    "entity": (
        "INVALID_TYPE_FOR_OPERATION",
        ("The root entity of the requested query ({query}) does not match the entity of the requested Bulk API Job ({job})."),
    ),
    "compound": ("FUNCTIONALITY_NOT_ENABLED", "Selecting compound data not supported in Bulk Query"),
    "base64": ("FeatureNotEnabled", "Binary field not supported"),
    "nested": ("FeatureNotEnabled", "Cannot serialize value for '{name}' in {format} format"),
    "aggregate": ("FUNCTIONALITY_NOT_ENABLED", "Aggregate functions not supported in Bulk Query"),
    "group": ("FUNCTIONALITY_NOT_ENABLED", "GROUP BY not supported in Bulk Query"),
    "offset": ("FUNCTIONALITY_NOT_ENABLED", "OFFSET not supported in Bulk Query"),
    "typeof": ("FUNCTIONALITY_NOT_ENABLED", "TYPEOF not supported in Bulk Query"),
    "fields": ("FUNCTIONALITY_NOT_ENABLED", "The SOQL FIELDS function is not supported in Bulk Query"),
}


def check_bulk(compiled: CompiledQuery, job_object: str, content_type: str) -> None:
    """Refuse what a bulk query job does not take.

    Args:
        compiled: The query.
        job_object: The job's object.
        content_type: The job's: `CSV`, `XML`, `JSON`.

    Raises:
        SoqlError: With the code and text of `REFUSALS`.
    """
    if compiled.sobject.name.lower() != job_object.lower():
        raise _refusal("entity", query=compiled.sobject.name, job=job_object)
    tree = compiled.tree
    if compiled.is_count or (compiled.is_aggregate and not tree.group_by):
        raise _refusal("aggregate")
    if tree.group_by:
        raise _refusal("group")
    if tree.offset is not None:
        raise _refusal("offset")
    if any(isinstance(item, TypeOf) for item in tree.selected):
        raise _refusal("typeof")
    if any(_is_fields(item.expression) for item in tree.selected if isinstance(item, Selected)):
        raise _refusal("fields")
    if compiled.children:
        # The guide allows them outside of CSV; here they are refused in all formats.
        raise _refusal("nested", name=compiled.children[0].relationship, format=content_type.removeprefix("ZIP_"))
    types = {column.field.type for column in compiled.columns}
    if types & {"address", "location"}:
        raise _refusal("compound")
    if "base64" in types:
        raise _refusal("base64")


def _refusal(which: str, **facts: str) -> SoqlError:
    code, text = REFUSALS[which]
    return SoqlError(code, text.format(**facts))


def _is_fields(expression: Path | Call) -> bool:
    return isinstance(expression, Call) and expression.name.upper() == "FIELDS"


def is_chunkable(query: Query) -> bool:
    """Whether PK chunking applies: it is silently off with other clauses than WHERE, and with filters on ids."""
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


def _paths(expression: Path | Call) -> list[Path]:
    if isinstance(expression, Path):
        return [expression]
    return [path for argument in expression.arguments for path in _paths(argument)]


def chunk_text(query: Query, text: str, low: str, high: str, field: str = "Id") -> str:
    """The query of one chunk: the original text, then its range of ids, of the records themselves or of their parents."""
    text = text.rstrip()
    bounds = f"{field} >= '{low}' AND {field} < '{high}'"
    match query.where:
        case None:
            return f"{text} WHERE {bounds}"
        case Either() | Not():
            # Only AND stands beside AND without parentheses. Parenthesised conditions are whole already.
            condition = text[query.where_at :].strip()
            if not re.fullmatch(r"\([^()']*\)", condition):
                return f"{text[: query.where_at]} ({condition}) AND {bounds}"
    return f"{text} AND {bounds}"
