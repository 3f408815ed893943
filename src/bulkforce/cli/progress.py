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
    from rich.console import Console, RenderableType
    from rich.progress import Progress as Bar

_LINES_EVERY_SECONDS = 5.0
_ROOM_FOR_BAR = 110
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
    """Make the bar; it shows nothing until its context is entered, and nothing stays when it is left.

    What is done is on its first line, what is under way, waited for and left on its second.
    """
    from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.table import Column
    from rich.text import Text

    class TwoLines(Progress):
        def get_renderables(self) -> Iterator[RenderableType]:
            yield from super().get_renderables()
            for task in self.tasks:
                more = Text(f"  {task.fields['more']}", style="dim", no_wrap=True, overflow="ellipsis")
                yield from [more] if task.fields["more"] else []

    whole = Column(no_wrap=True, overflow="ellipsis")
    columns: list[ProgressColumn] = [SpinnerColumn(), TextColumn("{task.description}", table_column=whole)]
    columns += [BarColumn(bar_width=24)] if console.width >= _ROOM_FOR_BAR else []
    columns += [TextColumn("{task.fields[rows]}", table_column=Column(no_wrap=True, overflow="ellipsis"))]
    columns += [TimeElapsedColumn()] if console.width >= _ROOM_FOR_BAR else []
    return TwoLines(*columns, console=console, refresh_per_second=8, redirect_stdout=False, transient=True)


def on_bar(bar: Bar, standing: Callable[[P], Standing]) -> Callable[[P], None]:
    """Return a callback that shows progress on a bar."""
    task = bar.add_task("asking", total=None, rows="", more="")

    def tell(progress: P) -> None:
        now = standing(progress)
        bar.update(
            task, description=now.doing, total=now.total, completed=now.done, rows=now.rows, more=" · ".join(now.more)
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
    """Say how many rows per second; empty if there were none."""
    return f", {rows / seconds:,.0f} per second" if seconds and rows > 0 else ""


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds + 0.5), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
