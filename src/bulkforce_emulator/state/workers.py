"""The threads that process batches, and the pace they keep."""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bulkforce_emulator.state.lifecycle import BatchState, Pace

if TYPE_CHECKING:
    from collections.abc import Callable

    from bulkforce_emulator.state.job import Batch
    from bulkforce_emulator.state.processing import Processing

#: Records in a transaction; counters grow by multiples of it.
_TRANSACTION_RECORDS = 200
#: How often a counter grows at most: a slow batch need not wake its thread for every transaction.
_MOST_STEPS = 100


@dataclass(slots=True)
class _Waiting:
    batch: Batch
    since: float
    #: Whether it was started by hand and has to be finished.
    started: bool = False


class Workers:
    """Processes batches in order.

    Batches of parallel jobs run side by side; of all serial jobs together, one batch runs at a time.
    """

    def __init__(self, processing: Processing, pace: Pace) -> None:
        self._processing = processing
        self._waiting: list[_Waiting] = []
        #: Batches that a thread is processing; `_held` are those that `advance` started and its next step ends.
        self._running: list[Batch] = []
        self._held: list[Batch] = []
        #: Batches that must end now, whatever the pace.
        self._hurried: set[Batch] = set()
        self._changed = threading.Condition()
        self._stopped = False
        self._pace = pace
        self._threads: list[threading.Thread] = []

    @property
    def pace(self) -> Pace:
        """How fast batches are processed."""
        return self._pace

    @pace.setter
    def pace(self, pace: Pace) -> None:
        """Change the pace, of waiting and running batches, too. An instant pace has done all when this returns."""
        with self._changed:
            self._pace = pace
            if pace.kind != "manual":
                held, self._held = self._held, []
                self._waiting[:0] = [_Waiting(batch, -math.inf, started=True) for batch in held]
            self._staff()
            self._changed.notify_all()
        while pace.kind == "instant":
            self._drain()
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or not self._running)
                if not self._waiting or self._pace is not pace:
                    return

    def submit(self, batch: Batch) -> None:
        """Queue a batch. With the instant pace, it is done when this returns."""
        with self._changed:
            self._waiting.append(_Waiting(batch, time.monotonic()))
            self._staff()
            self._changed.notify_all()
        self._drain()

    def advance(self) -> int:
        """One step of the manual pace: batches in progress end, queued ones start. Returns how many moved."""
        with self._changed:
            held, self._held = self._held, []
            waiting, self._waiting = self._waiting, []
            moved = self._hurry()
        for batch in held:
            for made in self._processing.finish(batch):
                with self._changed:
                    self._waiting.append(_Waiting(made, time.monotonic()))
            moved += 1
        for one in waiting:
            if self._processing.start(one.batch):
                with self._changed:
                    self._held.append(one.batch)
                moved += 1
        return moved

    def _hurry(self) -> int:
        """End the batches that threads were processing when the pace became manual."""
        lingering = set(self._running)
        self._hurried |= lingering
        self._changed.notify_all()
        self._changed.wait_for(lambda: lingering.isdisjoint(self._running))
        self._hurried -= lingering
        return len(lingering)

    def wait_until_idle(self, timeout_seconds: float = 60.0) -> bool:
        """Wait until nothing is queued or running; return whether that happened in time."""
        with self._changed:
            return self._changed.wait_for(lambda: not (self._waiting or self._running or self._held), timeout_seconds)

    def stop(self) -> None:
        """Stop all workers and wait for their threads to end; queued batches stay queued."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _staff(self) -> None:
        """Start threads when there is work for them, as many as may run at once."""
        wanted = self._pace.parallel if self._pace.kind == "timed" and self._waiting else 0
        while len(self._threads) < wanted and not self._stopped:
            number = len(self._threads)
            thread = threading.Thread(target=self._work, args=(number,), name=f"emulator-batch-{number}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _work(self, number: int) -> None:
        while True:
            with self._changed:
                taken, patience = self._take(number)
                while taken is None and not self._stopped:
                    self._changed.wait(patience)
                    taken, patience = self._take(number)
            if taken is None:
                return
            self._carry_out(taken, linger=self._linger)

    def _take(self, number: int) -> tuple[_Waiting | None, float | None]:
        """The next batch that may run, marked as running; or the seconds until one has been queued for long enough.

        If a batch only has to wait for another to end, threads are notified then.
        """
        pace = self._pace
        if self._stopped or pace.kind != "timed" or number >= pace.parallel:
            return None, None
        latest = time.monotonic() - pace.queue_seconds
        serial_runs = any(batch.job.is_serial for batch in self._running)
        for place, one in enumerate(self._waiting):
            if one.since <= latest and not (serial_runs and one.batch.job.is_serial):
                del self._waiting[place]
                self._running.append(one.batch)
                return one, None
        return None, min((one.since - latest for one in self._waiting if one.since > latest), default=None)

    def _carry_out(self, one: _Waiting, linger: Callable[[Batch, float], float] | None = None) -> None:
        batch = one.batch
        made: list[Batch] = []
        try:
            if one.started or self._processing.start(batch):
                made = self._processing.finish(batch, linger=linger)
        finally:
            with self._changed:
                self._running.remove(batch)
                self._waiting += [_Waiting(new, time.monotonic()) for new in made if new.state == BatchState.QUEUED]
                self._changed.notify_all()

    def _linger(self, batch: Batch, spent: float) -> float:
        """Wait until a batch has taken its time, while its counter grows; return the time it took.

        Its records are written by now, but it stays in progress as long as the pace says, which may change meanwhile.
        """
        began = time.monotonic() - spent
        with self._changed:
            while True:
                pace, taken = self._pace, time.monotonic() - began
                seconds = math.inf if pace.kind == "manual" else pace.seconds_for(batch.processed)
                if self._stopped or taken >= seconds or batch in self._hurried:
                    return max(min(seconds, taken), spent)
                if pace.kind == "timed":
                    transactions = int(batch.processed * taken / seconds) // _TRANSACTION_RECORDS
                    batch.advanced = max(batch.advanced, transactions * _TRANSACTION_RECORDS)
                self._changed.wait(_pause(pace, seconds, taken))

    def _drain(self) -> None:
        """With the instant pace, process what is waiting in this thread."""
        while True:
            with self._changed:
                if not self._waiting or self._pace.kind != "instant":
                    return
                one = self._waiting.pop(0)
                self._running.append(one.batch)
            self._carry_out(one)


def _pause(pace: Pace, seconds: float, taken: float) -> float | None:
    """How long the counter of a running batch stays the same."""
    if pace.kind == "manual":
        return None
    step = _TRANSACTION_RECORDS / pace.records_per_second if pace.records_per_second else seconds
    return min(max(step, seconds / _MOST_STEPS), seconds - taken)
