"""What a job of Bulk API 2.0 has that one of v1 has not, and how far it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from bulkforce_emulator.state.lifecycle import BatchState, JobState

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from bulkforce_emulator.state.job import Job, JobSummary
    from bulkforce_emulator.state.spool import Spooled


class Stage(StrEnum):
    """How far a job is."""

    OPEN = "open"
    UPLOAD_COMPLETE = "upload_complete"
    IN_PROGRESS = "in_progress"
    JOB_COMPLETE = "job_complete"
    FAILED = "failed"
    ABORTED = "aborted"

    @property
    def is_final(self) -> bool:
        """Whether a job stays in this stage."""
        return self in {Stage.JOB_COMPLETE, Stage.FAILED, Stage.ABORTED}


@dataclass(frozen=True, slots=True)
class Found:
    """The rows of a query's result, without their header, and where each of them ends."""

    header: bytes
    line_end: str
    rows: Spooled
    ends: NDArray[np.int64]

    def part(self, first: int, count: int) -> Spooled:
        """So many rows, from row `first` on."""
        begin = int(self.ends[first - 1]) if first else 0
        last = min(first + count, len(self.ends))
        return self.rows.part(begin, int(self.ends[last - 1]) if last else 0)


@dataclass(slots=True, eq=False)
class Bulk2:
    """The part of a job that v1 does not have."""

    delimiter: str
    line_end: str
    #: The key of an upsert, as the client spelled it.
    key: str | None = None
    #: What was uploaded, and how often.
    upload: Spooled | None = None
    uploads: int = 0
    #: Whether the upload has been cut into batches.
    is_cut: bool = False
    #: The header of the file as it was sent, without its line end.
    header: str = ""
    #: Whether the server splits the query by the ids of its object.
    splits: bool = False
    #: Why the job fails.
    message: str | None = None
    #: What a query has found.
    found: Found | None = None
    #: Result files that were asked for, by kind.
    files: dict[str, Spooled] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Bulk2Summary:
    """A job at one moment."""

    job: JobSummary
    stage: Stage
    bulk2: Bulk2 | None
    #: Whether something was uploaded.
    has_upload: bool
    message: str | None


def stage_of(job: Job) -> Stage:
    """How far a job is; follows from its own state and those of its batches."""
    if job.state == JobState.OPEN:
        return Stage.OPEN
    if job.state == JobState.ABORTED:
        return Stage.ABORTED
    batches = list(job.batches.values())
    if all(batch.is_final for batch in batches):
        return Stage.JOB_COMPLETE if job.bulk2 is None or job.bulk2.message is None else Stage.FAILED
    waiting = all(batch.state == BatchState.QUEUED and not batch.retries for batch in batches)
    return Stage.UPLOAD_COMPLETE if waiting else Stage.IN_PROGRESS
