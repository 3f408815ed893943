"""Why the org failed a query, read from what it says; both versions of the API use the same words."""

from __future__ import annotations

from typing import Final

from bulkforce.apis.abc import QueryFault

_TOO_LARGE: Final = ("QUERY_TIMEOUT", "Retried more than", "Tried more than", "Failed to write query result")
"""Signs that a query is too large for one batch; a client in production falls back to PK chunking when it sees one."""

_WRONG: Final = ("InvalidBatch", "FeatureNotEnabled")


def fault_of(message: str) -> QueryFault | None:
    """Return why a query failed, as far as that decides what to do."""
    if any(sign in message for sign in _TOO_LARGE):
        return QueryFault.TOO_LARGE
    return QueryFault.WRONG if message.startswith(_WRONG) else None
