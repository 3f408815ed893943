"""Batches that were accepted but have not appeared: their POST passed all checks, and is not committed yet.

Until it appears, a batch is in no list, no count and no queue, and closing its job does not stop it.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from bulkforce_emulator.faults import Fault
    from bulkforce_emulator.state.clock import Clock
    from bulkforce_emulator.state.job import Batch, Job
    from bulkforce_emulator.state.jobs import Jobs
    from bulkforce_emulator.state.workers import Workers


@dataclass(slots=True, eq=False)
class _Late:
    batch: Batch
    looks: int | None
    requests: int | None
    due: datetime | None

    def is_due(self, now: datetime) -> bool:
        counts = [left for left in (self.looks, self.requests) if left is not None]
        return any(left <= 0 for left in counts) or (self.due is not None and now >= self.due)


class Latecomers:
    """The late batches of one org. Those that are due appear before the next API call is answered."""

    def __init__(self, jobs: Jobs, workers: Workers, clock: Clock) -> None:
        self._jobs = jobs
        self._workers = workers
        self._clock = clock
        self._late: list[_Late] = []
        self._lock = threading.Lock()

    def __bool__(self) -> bool:
        return bool(self._late)

    def withhold(self, batch: Batch, fault: Fault) -> None:
        """Hold back an accepted batch for as long as the fault says, or until `release` if it does not say."""
        due = self._clock.now() + timedelta(seconds=fault.seconds) if fault.seconds else None
        with self._lock:
            self._late.append(_Late(batch, fault.after_looks, fault.after_requests, due))

    def looked(self, job: Job) -> None:
        """Count an answered list of a job's batches."""
        with self._lock:
            for late in self._late:
                if late.batch.job is job and late.looks is not None:
                    late.looks -= 1

    def request_came(self) -> None:
        """Let due batches appear, and count a request towards the others."""
        self.settle()
        with self._lock:
            for late in self._late:
                if late.requests is not None:
                    late.requests -= 1

    def settle(self) -> int:
        """Let due batches appear; return how many."""
        now = self._clock.now()
        with self._lock:
            due = [late for late in self._late if late.is_due(now)]
            self._late = [late for late in self._late if late not in due]
        return self._appear(due)

    def release(self) -> int:
        """Let all late batches appear; return how many."""
        with self._lock:
            due, self._late = self._late, []
        return self._appear(due)

    def _appear(self, due: list[_Late]) -> int:
        for late in due:
            self._jobs.enter(late.batch)
            self._workers.submit(late.batch)
        return len(due)
