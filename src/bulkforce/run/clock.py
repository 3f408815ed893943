"""The time a run goes by."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Clock:
    """Two clocks: one that may be put forward or back, and one that may not.

    Attributes:
        today: Seconds since 1970: what the age of a job is taken by, in whatever sitting.
        now: Seconds that only grow, within a sitting: what is waited by.
    """

    today: Callable[[], float] = time.time
    now: Callable[[], float] = time.monotonic
