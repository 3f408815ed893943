"""The clocks of a run."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Clock:
    """Two clocks: one that may be adjusted, and one that only moves forward.

    Attributes:
        today: Seconds since 1970, for the age of jobs, which is compared between sittings.
        now: Monotonic seconds, for waiting within a sitting.
    """

    today: Callable[[], float] = time.time
    now: Callable[[], float] = time.monotonic
