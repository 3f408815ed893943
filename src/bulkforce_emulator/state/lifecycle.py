"""The states of jobs and batches, the legal moves between them, and the pace of batches.

Every change of a state goes through `move_job` or `move_batch`, which check it against the tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

from bulkforce_emulator.settings_files import check_types

if TYPE_CHECKING:
    from bulkforce_emulator.state.job import Batch, Job


class JobState(StrEnum):
    """The states of a job."""

    OPEN = "open"
    CLOSED = "closed"
    ABORTED = "aborted"
    FAILED = "failed"


class BatchState(StrEnum):
    """The states of a batch."""

    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"
    NOT_PROCESSED = "not_processed"

    @property
    def is_final(self) -> bool:
        """Whether a batch stays in this state."""
        return not BATCH_MOVES[self]


#: The guide allows aborting a closed job "at any point".
JOB_MOVES: dict[JobState, frozenset[JobState]] = {
    JobState.OPEN: frozenset({JobState.CLOSED, JobState.ABORTED, JobState.FAILED}),
    JobState.CLOSED: frozenset({JobState.ABORTED, JobState.FAILED}),
    JobState.ABORTED: frozenset(),
    JobState.FAILED: frozenset(),
}

#: A batch that is put back goes from in progress to queued again.
BATCH_MOVES: dict[BatchState, frozenset[BatchState]] = {
    BatchState.QUEUED: frozenset({BatchState.IN_PROGRESS, BatchState.NOT_PROCESSED}),
    BatchState.IN_PROGRESS: frozenset(
        {BatchState.COMPLETED, BatchState.FAILED, BatchState.QUEUED, BatchState.NOT_PROCESSED}
    ),
    BatchState.COMPLETED: frozenset(),
    BatchState.FAILED: frozenset(),
    BatchState.NOT_PROCESSED: frozenset(),
}


class IllegalMove(RuntimeError):
    """A change of state that is not in the tables: a bug in the emulator."""


def move_job(job: Job, state: JobState) -> None:
    """Change a job's state.

    Raises:
        IllegalMove: The change is not one of `JOB_MOVES`.
    """
    if state not in JOB_MOVES[job.state]:
        raise IllegalMove(f"{job.id}: {job.state} to {state}")
    job.state = state


def move_batch(batch: Batch, state: BatchState) -> None:
    """Change a batch's state.

    Raises:
        IllegalMove: The change is not one of `BATCH_MOVES`.
    """
    if state not in BATCH_MOVES[batch.state]:
        raise IllegalMove(f"{batch.id}: {batch.state} to {state}")
    batch.state = state


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast an org works. Make one with `timed`, `instant` or `manual`."""

    kind: Literal["timed", "instant", "manual"]
    #: How long a batch is queued, at least.
    queue_seconds: float = 0.0
    #: How long a batch is in progress, at least and whatever its size ...
    batch_seconds: float = 0.0
    #: ... and how many records it processes in a second; None: as many as this machine can.
    records_per_second: float | None = None
    #: How many batches run at once.
    parallel: int = 5

    def __post_init__(self) -> None:
        check_types(self)
        if (
            min(self.queue_seconds, self.batch_seconds, self.records_per_second or 1) < 0
            or self.records_per_second == 0
            or self.parallel < 1
        ):
            raise ValueError("a pace needs times that are not negative, a rate above 0, and at least one batch at once")

    @classmethod
    def timed(
        cls,
        queue_seconds: float = 0.003,
        *,
        batch_seconds: float = 0.0,
        records_per_second: float | None = None,
        parallel: int = 5,
    ) -> Pace:
        """Batches are processed in the background and take their time, as on the platform."""
        return cls("timed", queue_seconds, batch_seconds, records_per_second, parallel)

    @classmethod
    def instant(cls) -> Pace:
        """A batch is done before its POST is answered, but the answer still says Queued. Hides every polling bug."""
        return cls("instant", parallel=1)

    @classmethod
    def manual(cls) -> Pace:
        """Nothing moves until `advance` is called."""
        return cls("manual", parallel=1)

    def seconds_for(self, records: int) -> float:
        """How long a batch of this many records is in progress."""
        return self.batch_seconds + (records / self.records_per_second if self.records_per_second else 0.0)
