"""What was accepted but has not taken effect: the request passed all checks, and is not committed yet.

Until it appears, a batch is in no list, no count and no queue, and closing its job does not stop it. In 2.0, an upload
or the end of one can be late; it then finds the job as it is by that time.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from bulkforce_emulator.faults import Fault
    from bulkforce_emulator.state.clock import Clock
    from bulkforce_emulator.state.job import Job


@dataclass(slots=True, eq=False)
class _Late:
    job: Job
    appear: Callable[[], None]
    looks: int | None
    requests: int | None
    due: datetime | None

    def is_due(self, now: datetime) -> bool:
        counts = [left for left in (self.looks, self.requests) if left is not None]
        return any(left <= 0 for left in counts) or (self.due is not None and now >= self.due)


class Latecomers:
    """What is late in one org. What is due appears before the next API call is answered."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._late: list[_Late] = []
        self._lock = threading.Lock()

    def __bool__(self) -> bool:
        return bool(self._late)

    def withhold(self, job: Job, appear: Callable[[], None], fault: Fault) -> None:
        """Hold back what changes a job for as long as the fault says, or until `release` if it does not say."""
        due = self._clock.now() + timedelta(seconds=fault.seconds) if fault.seconds else None
        with self._lock:
            self._late.append(_Late(job, appear, fault.after_looks, fault.after_requests, due))

    def looked(self, job: Job) -> None:
        """Count an answered look at a job: a list of its batches, or, in 2.0, the job."""
        with self._lock:
            for late in self._late:
                if late.job is job and late.looks is not None:
                    late.looks -= 1

    def request_came(self) -> None:
        """Let appear what is due, and count a request towards the rest."""
        self.settle()
        with self._lock:
            for late in self._late:
                if late.requests is not None:
                    late.requests -= 1

    def settle(self) -> int:
        """Let appear what is due; return how many."""
        now = self._clock.now()
        with self._lock:
            due = [late for late in self._late if late.is_due(now)]
            self._late = [late for late in self._late if late not in due]
        return self._appear(due)

    def release(self) -> int:
        """Let appear whatever is late; return how many."""
        with self._lock:
            due, self._late = self._late, []
        return self._appear(due)

    def _appear(self, due: list[_Late]) -> int:
        for late in due:
            late.appear()
        return len(due)
