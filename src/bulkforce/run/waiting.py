"""How a run waits, how often it tells, and how it is asked to stop."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Final, TypeVar

from bulkforce.errors import Interrupted, UsageError

P = TypeVar("P")

BY_CTRL_C: Final = "stopped by Ctrl-C"
LONGEST_ASKED_SECONDS: Final = 300.0
"""An org that asks for a longer pause is looked at again all the same."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How a load waits.

    Attributes:
        look_seconds: Shortest pause between two looks at a job.
        look_longest_seconds: Longest pause between two looks at a job.
        look_share: The pause is this share of the time the run has taken, so that looking late costs at most that
            share; together with the two bounds it is the budget of calls for looking: some 150 in the first quarter of
            an hour, then 360 an hour.
        trouble_seconds: How long the org may be out of reach before the run stops, to be resumed.
        pause_seconds: Pause after the first sign of trouble; it grows.
        sendings: How often one batch may be lost on its way before the run stops.
        fence_seconds: Between two looks at a closed job, at least, before a batch that neither shows is believed to be
            absent: a request may have passed the org's check just before the close, and a list may lag behind. It grows
            from look to look.
        fence_looks: After so many looks that never agree the run stops.
        job_seconds: Age at which a job gets no more batches; the org takes none after 24 hours.
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

    def pause(self, error: Exception, trouble_seconds: float) -> float:
        """Say how long to wait after a failure that may pass: longer the longer it has lasted, and as long as the org
        asks for.

        Args:
            error: The failure.
            trouble_seconds: How long there has been nothing but failures.
        """
        asked = min(getattr(error, "retry_after_seconds", None) or 0.0, LONGEST_ASKED_SECONDS)
        return max(min(self.pause_seconds + trouble_seconds / 4, 30.0), asked)


@contextmanager
def interruptible(stop: Callable[[], None]) -> Iterator[None]:
    """While this lasts the first Ctrl-C only asks to stop; the second ends the process as ever: the journal is
    enough.
    """
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
    """Outside of the engine, where nothing is on the wire that would have to come to its end, Ctrl-C stops a run at
    once, and is told as there.

    Raises:
        Interrupted: It was pressed.
    """
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted(BY_CTRL_C) from None


def every_so_often(tell: Callable[[P], None] | None, seconds: float = 0.1) -> Callable[[P], None]:
    """Tell progress at most ten times a second: telling must not cost what it tells of."""
    if tell is not None and not callable(tell):
        raise UsageError(f"on_progress is a function that is told of the progress, not {type(tell).__name__}")
    last = 0.0

    def told(progress: P) -> None:
        nonlocal last
        now = time.monotonic()
        if tell is not None and now - last >= seconds:
            last = now
            tell(progress)

    return told
