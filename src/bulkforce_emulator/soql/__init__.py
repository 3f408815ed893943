"""SOQL for an emulated org: text in, DuckDB SQL with parameters out.

The grammar is `grammar.lark`; `parser` reads it into `tree`, `compiler` checks names and types against the schema.
The parser is loaded with the first query, not with this module.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bulkforce_emulator.soql.errors import SoqlError

if TYPE_CHECKING:
    from datetime import datetime

    from bulkforce_emulator.schema import Schema
    from bulkforce_emulator.settings import Settings
    from bulkforce_emulator.soql.query import CompiledQuery
    from bulkforce_emulator.uploads import Format

__all__ = ["SoqlError", "check_bulk", "chunk_text", "chunkable", "compile_soql", "has_where"]


def compile_soql(text: str, schema: Schema, *, now: datetime, user_id: str, include_deleted: bool) -> CompiledQuery:
    """Compile a query.

    Args:
        text: The SOQL.
        schema: The objects and fields it may name.
        now: The moment that TODAY and the like are relative to.
        user_id: The user whose records `USING SCOPE mine` finds.
        include_deleted: Whether deleted records are among the rows (queryAll).

    Raises:
        SoqlError: The platform would refuse it; the message says where and why, in the platform's words.
    """
    from bulkforce_emulator.soql.compiler import compile_query

    return compile_query(text, schema, now=now, user_id=user_id, include_deleted=include_deleted)


def check_bulk(
    compiled: CompiledQuery, job_object: str, written_in: Format, settings: Settings, *, by_fields: bool = False
) -> None:
    """Refuse what REST would answer but a bulk query job does not.

    Raises:
        SoqlError: The query is refused.
    """
    from bulkforce_emulator.soql import bulk

    bulk.check_bulk(compiled, job_object, written_in, settings, by_fields=by_fields)


def has_where(text: str) -> bool:
    """Whether the query has a WHERE clause of its own."""
    from bulkforce_emulator.soql.parser import parse

    return parse(text).where is not None


def chunkable(text: str) -> bool:
    """Whether PK chunking splits this query; a query that cannot be read is not split."""
    from bulkforce_emulator.soql.bulk import is_chunkable
    from bulkforce_emulator.soql.parser import parse

    try:
        return is_chunkable(parse(text))
    except SoqlError:
        return False


def chunk_text(text: str, low: str, high: str, field: str = "Id") -> str:
    """The query with a range of a field's ids added: `low` is in it, `high` is not."""
    from bulkforce_emulator.soql import bulk
    from bulkforce_emulator.soql.parser import parse

    return bulk.chunk_text(parse(text), text, low, high, field)
