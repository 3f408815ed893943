"""What the plan of a load keeps to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

AcceptAs: TypeAlias = Literal["sent", "not-sent"]

RESULT_TRIES: Final = 3
"""How often results that cannot be read are fetched before their rows are left in doubt."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What the plan keeps to.

    Attributes:
        workers: Uploads and downloads at once.
        job_seconds: A job older than this gets no more batches; the org takes none after 24 hours.
        feeding: Whether new batches may be sent at all.
        accept_as: What the user says of batches of which it cannot be known whether the org took them; without a word
            they stop the run.
        sendings: How often a batch, or a job, may be lost on its way before the run stops.
        pause_seconds: Pause before a batch is sent a third time; it grows.
    """

    workers: int
    job_seconds: float
    feeding: bool = True
    accept_as: AcceptAs | None = None
    sendings: int = 5
    pause_seconds: float = 1.0
