"""The threads that work on batches, and the pace they keep."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bulkforce_emulator.lifecycle import BatchState, Pace

if TYPE_CHECKING:
    from bulkforce_emulator.jobs import Batch
    from bulkforce_emulator.processing import Processing

#: Records go through in transactions of so many, so counters grow by multiples of it.
_TRANSACTION_RECORDS = 200
#: A slow batch need not wake its thread for every transaction.
_MOST_STEPS = 100


@dataclass(slots=True)
class _Waiting:
    batch: Batch
    ready: float


class Workers:
    """Takes batches in and sees them through, each in its turn.

    Batches of parallel jobs run beside each other; of all serial jobs together one batch runs at a time.
    """

    def __init__(self, processing: Processing, pace: Pace) -> None:
        self._processing = processing
        self._waiting: list[_Waiting] = []
        self._running: list[Batch] = []
        self._changed = threading.Condition()
        self._stopped = False
        self._pace = pace
        self._threads: list[threading.Thread] = []

    @property
    def pace(self) -> Pace:
        return self._pace

    @pace.setter
    def pace(self, pace: Pace) -> None:
        """Another pace, for what is still waiting, too."""
        with self._changed:
            self._pace = pace
            self._staff()
            self._changed.notify_all()

    def submit(self, batch: Batch) -> None:
        """Queue a batch. With the instant pace it is done when this returns."""
        with self._changed:
            self._waiting.append(_Waiting(batch, time.monotonic() + self._pace.queue_seconds))
            self._staff()
            self._changed.notify_all()
        if self._pace.kind == "instant":
            while self._step():
                pass

    def advance(self) -> int:
        """One step of the manual pace: what is InProgress ends, what is Queued starts. Says how many batches moved."""
        with self._changed:
            running, self._running = self._running, []
            waiting, self._waiting = self._waiting, []
        moved = 0
        for batch in running:
            for made in self._processing.finish(batch):
                with self._changed:
                    self._waiting.append(_Waiting(made, 0.0))
            moved += 1
        for one in waiting:
            if self._processing.start(one.batch):
                with self._changed:
                    self._running.append(one.batch)
                moved += 1
        return moved

    def wait_until_idle(self, timeout_seconds: float = 60.0) -> bool:
        """Wait until nothing is queued or running; says whether that came in time."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting and not self._running, timeout_seconds)

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _staff(self) -> None:
        """Threads are hired when there is work for them, as many as may run at once."""
        wanted = self._pace.parallel if self._pace.kind == "timed" and self._waiting else 0
        while len(self._threads) < wanted and not self._stopped:
            number = len(self._threads)
            thread = threading.Thread(target=self._work, args=(number,), name=f"emulator-batch-{number}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _work(self, number: int) -> None:
        while True:
            with self._changed:
                batch = self._take(number)
                while batch is None and not self._stopped:
                    self._changed.wait(self._patience())
                    batch = self._take(number)
            if batch is None:
                return
            self._carry_out(batch)

    def _take(self, number: int) -> Batch | None:
        """The next batch whose turn it is, marked as running."""
        pace = self._pace
        if self._stopped or pace.kind != "timed" or number >= pace.parallel:
            return None
        now = time.monotonic()
        serial_runs = any(batch.job.is_serial for batch in self._running)
        for place, one in enumerate(self._waiting):
            if one.ready <= now and not (serial_runs and one.batch.job.is_serial):
                del self._waiting[place]
                self._running.append(one.batch)
                return one.batch
        return None

    def _patience(self) -> float | None:
        if not self._waiting or self._pace.kind != "timed":
            return None
        soonest = min(one.ready for one in self._waiting) - time.monotonic()
        return max(soonest, 0.001)

    def _carry_out(self, batch: Batch) -> None:
        made: list[Batch] = []
        try:
            if self._processing.start(batch):
                made = self._finish_at_pace(batch)
        finally:
            with self._changed:
                self._running.remove(batch)
                ready = time.monotonic() + self._pace.queue_seconds
                self._waiting += [_Waiting(one, ready) for one in made if one.state == BatchState.QUEUED]
                self._changed.notify_all()

    def _finish_at_pace(self, batch: Batch) -> list[Batch]:
        """The records are written at once, but the batch is InProgress for as long as the pace says."""
        pace = self._pace
        if not (pace.batch_seconds or pace.records_per_second):
            return self._processing.finish(batch)
        return self._processing.finish(batch, linger=self._linger)

    def _linger(self, batch: Batch, spent: float) -> float:
        """Wait until a batch has taken its time, its records told as processed in steps; gives the time it took."""
        pace, records = self._pace, batch.processed
        seconds = pace.seconds_for(records)
        began = time.monotonic() - spent
        step = (_TRANSACTION_RECORDS / pace.records_per_second) if pace.records_per_second else seconds
        step = max(step, seconds / _MOST_STEPS)
        with self._changed:
            while not self._stopped and (taken := time.monotonic() - began) < seconds:
                transactions = int(records * taken / seconds) // _TRANSACTION_RECORDS
                batch.advanced = transactions * _TRANSACTION_RECORDS
                self._changed.wait_for(lambda: self._stopped, min(step, seconds - taken))
        return max(seconds, spent)

    def _step(self) -> bool:
        """Carry out one waiting batch in this thread."""
        with self._changed:
            if not self._waiting:
                return False
            batch = self._waiting.pop(0).batch
            self._running.append(batch)
        self._carry_out(batch)
        return True
