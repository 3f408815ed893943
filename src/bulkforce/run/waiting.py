"""How a run waits, how often it reports progress, and how it is asked to stop."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Final, TypeVar

from bulkforce.errors import Interrupted
from bulkforce.run.telling import callback

P = TypeVar("P")

_PACE_SECONDS: Final = 2.0
"""A pace is known after this time."""

BY_CTRL_C: Final = "stopped by Ctrl-C"
LONGEST_ASKED_SECONDS: Final = 300.0
"""If the org asks for a longer pause, we try again after this time all the same."""


class Remaining:
    """Estimates how long a run still takes, by its pace since its first rows were done.

    What is before them (reading, logging in, the first batches all at once) would be taken for a slow pace.
    """

    def __init__(self) -> None:
        self._since: tuple[float, int] | None = None

    def seconds(self, done: int, total: int, now: float) -> float | None:
        """Return the estimate; ``None`` while there is none.

        Args:
            done: How many rows were done in this sitting.
            total: How many there are to do in this sitting.
            now: The time, by any clock.
        """
        if not done:
            return None
        began, before = self._since = self._since or (now, done)
        if done == before or now - began < _PACE_SECONDS:
            return None
        return (total - done) * (now - began) / (done - before)


@dataclass(frozen=True, slots=True)
class Patience:
    """How a load waits.

    Attributes:
        look_seconds: Shortest pause between two looks at a job.
        look_longest_seconds: Longest pause between two looks at a job.
        look_share: The pause as a share of the run's time so far, so that polling late costs at most that share.
            Together with the two bounds it sets the number of calls for polling: some 150 in the first quarter of an
            hour, then 360 an hour.
        trouble_seconds: How long the org may be unreachable before the run stops, to be resumed later.
        pause_seconds: Pause after the first sign of trouble; it grows.
        sendings: How often one batch may be lost in transit before the run stops.
        fence_seconds: Minimum pause between two looks at a closed job before a batch missing from both counts as
            absent: a request may have passed the org's check just before the job was closed, and a list may lag behind.
            It grows from look to look.
        fence_looks: The run stops after this many looks that do not agree.
        job_seconds: Age at which a job gets no more batches; the org accepts none after 24 hours.
        job_batches: How many batches a job is given where it takes many: each look at it lists them all. One in serial
            mode is given all, since the org works on two jobs at once.
    """

    look_seconds: float = 0.2
    look_longest_seconds: float = 10.0
    look_share: float = 0.02
    trouble_seconds: float = 600.0
    pause_seconds: float = 1.0
    sendings: int = 5
    fence_seconds: float = 10.0
    fence_looks: int = 8
    job_seconds: float = 23 * 3600.0
    job_batches: int = 1_000

    def pause(self, error: Exception, trouble_seconds: float) -> float:
        """Return how long to wait after a failure that may be temporary.

        The pause grows with the time that the failures last, and is at least as long as the org asks for.

        Args:
            error: The failure.
            trouble_seconds: How long there have been only failures.
        """
        asked = min(getattr(error, "retry_after_seconds", None) or 0.0, LONGEST_ASKED_SECONDS)
        return max(min(self.pause_seconds + trouble_seconds / 4, 30.0), asked)


@contextmanager
def interruptible(stop: Callable[[], None]) -> Iterator[None]:
    """Let the first Ctrl-C only ask to stop; a second ends the process as usual, which the journal survives."""
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    ):
        yield
        return

    def first(_signal: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        stop()

    signal.signal(signal.SIGINT, first)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def ctrl_c_told() -> Iterator[None]:
    """Turn Ctrl-C into an error, outside the engine: no request has to finish there, so the run stops at once.

    Raises:
        Interrupted: Ctrl-C was pressed.
    """
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted(BY_CTRL_C) from None


def every_so_often(tell: Callable[[P], None] | None, seconds: float = 0.1) -> Callable[[Callable[[], P]], None]:
    """Limit progress calls to ten a second, so that they do not slow the run down; only then is the progress made."""
    callback(tell, "on_progress", "the progress")
    last = 0.0

    def told(progress: Callable[[], P]) -> None:
        nonlocal last
        now = time.monotonic()
        if tell is not None and now - last >= seconds:
            last = now
            tell(progress())

    return told
