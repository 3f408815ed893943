"""The lives of jobs and batches, as tables; every move is here and nowhere else.

A move that is not in the table is news from an org that the protocol does not allow, or a request that it will refuse.
Sources: developer guide, "JobInfo" and "BatchInfo"; closing and aborting as seen in recordings.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from bulkforce.vocabulary import BatchState, JobState

JOB_MOVES: Final[Mapping[JobState, frozenset[JobState]]] = {
    JobState.OPEN: frozenset({JobState.CLOSED, JobState.ABORTED, JobState.FAILED}),
    # Whether a closed job may still be aborted is told ("at any point") but not seen; the org decides.
    JobState.CLOSED: frozenset({JobState.ABORTED, JobState.FAILED}),
    JobState.ABORTED: frozenset(),
    JobState.FAILED: frozenset(),
}

BATCH_MOVES: Final[Mapping[BatchState, frozenset[BatchState]]] = {
    BatchState.QUEUED: frozenset({BatchState.IN_PROGRESS, BatchState.COMPLETED, BatchState.FAILED, BatchState.NOT_PROCESSED}),
    # A batch that runs too long or meets too many locks goes back into the queue.
    BatchState.IN_PROGRESS: frozenset({BatchState.QUEUED, BatchState.COMPLETED, BatchState.FAILED}),
    BatchState.COMPLETED: frozenset(),
    BatchState.FAILED: frozenset(),
    BatchState.NOT_PROCESSED: frozenset(),
}
