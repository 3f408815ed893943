"""The rules that the plan of a load follows."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

AcceptAs: TypeAlias = Literal["sent", "not-sent"]

RESULT_TRIES: Final = 3
"""How often unreadable results are fetched before their rows are left in doubt."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules that the plan follows.

    Attributes:
        workers: Maximum number of concurrent uploads and downloads.
        job_seconds: A job older than this gets no more batches; the org accepts none after 24 hours.
        feeding: Whether new batches may be sent.
        accept_as: The user's decision on batches that the org may or may not have accepted; without one they stop the
            run.
        sendings: How often a batch or a job may be lost in transit before the run stops.
        job_batches: How many batches a job takes at most; where it takes one, several are open side by side.
        pause_seconds: Pause before a batch is sent a third time; it grows.
    """

    workers: int
    job_seconds: float
    feeding: bool = True
    accept_as: AcceptAs | None = None
    sendings: int = 5
    job_batches: int = sys.maxsize
    pause_seconds: float = 1.0
