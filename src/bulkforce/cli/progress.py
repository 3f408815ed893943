"""Progress on stderr: a live bar on a terminal, a line now and then elsewhere, nothing if quiet."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from bulkforce.bars import live_bar, on_bar
from bulkforce.cli import streams
from bulkforce.events import Event, JobOpened, OnEvent, RunBegun, SourceRead
from bulkforce.standing import Standing

_LINES_EVERY_SECONDS = 5.0
P = TypeVar("P")


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
    elif sys.stderr.isatty() and not (console := streams.console(stderr=True)).is_dumb_terminal:
        with live_bar(console) as bar:
            tell = on_bar(bar)
            yield lambda progress: tell(standing(progress))
    else:
        yield _in_lines(standing)


def naming_run(*, quiet: bool) -> OnEvent | None:
    """Return what names the run once there is something to resume: whoever kills it must know what."""
    folder: Path | None = None

    def hear(event: Event) -> None:
        nonlocal folder
        if isinstance(event, RunBegun):
            folder = event.run_dir
        elif folder is not None and isinstance(event, SourceRead | JobOpened):
            streams.tell(f"If it stops: bulkforce resume {folder}")
            folder = None

    return None if quiet else hear


def _in_lines(standing: Callable[[P], Standing]) -> Callable[[P], None]:
    last = time.monotonic()

    def tell(progress: P) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _LINES_EVERY_SECONDS:
            last = now
            streams.tell(str(standing(progress)))

    return tell
