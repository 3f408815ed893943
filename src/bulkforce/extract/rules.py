"""What the plan of an extract keeps to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

TRIES: Final = 3
"""How often the same thing is asked before it is given up: a query that fails, a file that falls short."""


@dataclass(frozen=True, slots=True)
class Rules:
    """How an extract goes about it.

    Attributes:
        workers: Downloads at once; as many chunks are asked again at once.
        ahead_bytes: Bytes that may lie on disk undelivered before downloads wait for the reader; ``None`` is no limit.
        may_chunk: Whether to fall back to PK chunking when the query is too large for one batch, and to do without
            where the org refuses it.
        goes_on: Whether the rest is still fetched when a batch is given up; it is of use only if the extract can be
            resumed.
        sendings: How often the answer to a query may be lost before the extract stops.
    """

    workers: int
    ahead_bytes: int | None = None
    may_chunk: bool = False
    goes_on: bool = True
    sendings: int = 5
