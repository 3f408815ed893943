"""How far a run is, in words and numbers that any bar can show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a run is, in words and numbers that a bar can show."""

    doing: str
    rows: str
    batches: str = ""
    done: int = 0
    total: int | None = None
    seconds_left: float | None = None
    waits_for: str = ""

    @property
    def more(self) -> list[str]:
        """What is said besides the rows, the most important first."""
        return [one for one in (self.waits_for, self.left, self.batches) if one]

    @property
    def left(self) -> str:
        """How long the run will still take; empty if unknown, and at the end."""
        return "" if self.seconds_left is None or self.done == self.total else f"about {_clock(self.seconds_left)} left"

    def __str__(self) -> str:
        return f"{self.doing}: " + ", ".join(filter(None, (self.rows, self.batches, self.left, self.waits_for)))


def batches_in_words(counts: Mapping[str, int]) -> str:
    """Say how many batches are in which state; empty if there are none."""
    states = [f"{count:,} {state}" for state, count in counts.items() if count]
    return "batches: " + ", ".join(states) if states else ""


def rate_in_words(rows: int, seconds: float) -> str:
    """Say how many rows per second; empty if there were none."""
    return f", {rows / seconds:,.0f} per second" if seconds and rows > 0 else ""


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds + 0.5), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
