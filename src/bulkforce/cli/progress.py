"""Progress on stderr: a live bar on a terminal, a line now and then elsewhere, nothing if quiet."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from bulkforce.cli import streams

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bar

_LINES_EVERY_SECONDS = 5.0
P = TypeVar("P")


@dataclass(frozen=True)
class Standing:
    """How far a run is, in words and numbers that a bar can show."""

    doing: str
    rows: str
    batches: str = ""
    done: int = 0
    total: int | None = None
    seconds_left: float | None = None

    @property
    def left(self) -> str:
        """How long the run will still take; empty if unknown, and at the end."""
        return "" if self.seconds_left is None or self.done == self.total else f"about {_clock(self.seconds_left)} left"

    def __str__(self) -> str:
        return f"{self.doing}: " + ", ".join(filter(None, (self.rows, self.batches, self.left)))


@contextmanager
def telling(standing: Callable[[P], Standing], *, quiet: bool) -> Iterator[Callable[[P], None] | None]:
    """Choose how to show progress.

    Args:
        standing: Puts a run's progress into words.
        quiet: Show nothing.

    Yields:
        The callback for progress, or ``None`` if quiet.
    """
    if quiet:
        yield None
    elif sys.stderr.isatty():
        with live_bar(streams.console(stderr=True)) as bar:
            yield on_bar(bar, standing)
    else:
        yield _in_lines(standing)


def live_bar(console: Console) -> Bar:
    """Make the bar; it shows nothing until its context is entered."""
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[rows]}"),
        TextColumn("[dim]· {task.fields[batches]}[/dim]"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}"),
        console=console,
        refresh_per_second=8,
        redirect_stdout=False,
    )


def on_bar(bar: Bar, standing: Callable[[P], Standing]) -> Callable[[P], None]:
    """Return a callback that shows progress on a bar."""
    task = bar.add_task("asking", total=None, rows="", batches="", left="")

    def tell(progress: P) -> None:
        now = standing(progress)
        bar.update(
            task,
            description=now.doing,
            total=now.total,
            completed=now.done,
            rows=now.rows,
            batches=now.batches,
            left=now.left,
        )

    return tell


def _in_lines(standing: Callable[[P], Standing]) -> Callable[[P], None]:
    last = time.monotonic()

    def tell(progress: P) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _LINES_EVERY_SECONDS:
            last = now
            streams.tell(str(standing(progress)))

    return tell


def batches_in_words(counts: Mapping[str, int]) -> str:
    """Say how many batches are in which state; empty if there are none."""
    states = [f"{count:,} {state}" for state, count in counts.items() if count]
    return "batches: " + ", ".join(states) if states else ""


def rate_in_words(rows: int, seconds: float) -> str:
    """Say how many rows per second; empty if no time has passed."""
    return f", {rows / seconds:,.0f} per second" if seconds else ""


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds + 0.5), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
