"""The lives of jobs and batches, as tables; every move is here and nowhere else.

`BatchState.is_final` says of a batch what its empty row says here. The pictures in ``docs/lifecycles.md`` are drawn from these tables.
Sources: developer guide, "JobInfo" and "BatchInfo"; closing and aborting as seen in recordings.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, TypeVar

from bulkforce.vocabulary import BatchState, JobState

S = TypeVar("S", bound=StrEnum)

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


def diagram(moves: Mapping[S, frozenset[S]]) -> str:
    """Draw a table as a Mermaid state diagram, the first state first."""
    lines = [f"    [*] --> {next(iter(moves))}"]
    for before, allowed in moves.items():
        lines += [f"    {before} --> {after}" for after in moves if after in allowed]
        if not allowed:
            lines.append(f"    {before} --> [*]")
    return "\n".join(["stateDiagram-v2", *lines])
