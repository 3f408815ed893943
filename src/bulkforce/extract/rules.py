"""The rules that the plan of an extract follows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

TRIES: Final = 3
"""How often to try the same thing before giving up: a query that fails, a file that is incomplete."""

DOWNLOADS: Final = 5
"""The default for concurrent downloads: over Bulk API 2.0 the org lists five pages at a time."""


@dataclass(frozen=True, slots=True)
class Rules:
    """How an extract proceeds.

    Attributes:
        workers: Number of parallel downloads, and of chunks that are queried again in parallel.
        ahead_bytes: How many undelivered bytes may be on disk before downloads wait for the reader; ``None`` for no
            limit.
        may_chunk: Whether to fall back to PK chunking if the query is too large for one batch, and to do without it if
            the org refuses it.
        goes_on: Whether to fetch the rest after a batch is given up; useful only if the extract can be resumed.
        sendings: How often the answer to a query may be lost before the extract stops.
    """

    workers: int
    ahead_bytes: int | None = None
    may_chunk: bool = False
    goes_on: bool = True
    sendings: int = 5
