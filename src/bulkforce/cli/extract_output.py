"""What an extract looks like to people and to programs: progress on stderr, the report there, too, where stdout is the data's."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from bulkforce.cli.output import _LINES_EVERY_SECONDS, _bar, _clock
from bulkforce.transfer.extract_report import ExtractProgress, ExtractReport
from bulkforce.transfer.sinks.target import STANDARD_OUTPUT

if TYPE_CHECKING:
    from rich.progress import Progress as Bar


class ExtractTeller(Protocol):
    """Something that is told of progress."""

    def __call__(self, progress: ExtractProgress) -> None:
        """Show where the extract stands."""
        ...


@contextmanager
def telling_extract(*, quiet: bool) -> Iterator[ExtractTeller | None]:
    """Choose how progress is told: a live bar on a terminal, a line now and then elsewhere, nothing if quiet."""
    if quiet:
        yield None
    elif sys.stderr.isatty():
        with _bar() as bar:
            yield _BarTeller(bar)
    else:
        yield _LineTeller()


class _BarTeller:
    def __init__(self, bar: Bar) -> None:
        self._bar = bar
        self._task = bar.add_task("asking", total=None, rows="", batches="", left="")

    def __call__(self, progress: ExtractProgress) -> None:
        self._bar.update(
            self._task,
            description="extracting" if progress.batches.get("running", 0) != sum(progress.batches.values()) else "asking",
            total=progress.total,
            completed=progress.rows,
            rows=_rows(progress),
            batches=_batches(progress),
            left="" if progress.seconds_left is None else f"about {_clock(progress.seconds_left)} left",
        )


class _LineTeller:
    def __init__(self) -> None:
        self._last = time.monotonic()

    def __call__(self, progress: ExtractProgress) -> None:
        now = time.monotonic()
        if now - self._last < _LINES_EVERY_SECONDS:
            return
        self._last = now
        left = "" if progress.seconds_left is None else f", about {_clock(progress.seconds_left)} left"
        print(f"extracting: {_rows(progress)}, {_batches(progress)}{left}", file=sys.stderr)


def _rows(progress: ExtractProgress) -> str:
    rate = f", {progress.rows / progress.seconds:,.0f} a second" if progress.seconds else ""
    of = "" if progress.total is None else f" of {progress.total:,}"
    return f"{progress.rows:,}{of} rows{rate}"


def _batches(progress: ExtractProgress) -> str:
    counts = [f"{count:,} {state}" for state, count in progress.batches.items() if count]
    return "batches: " + ", ".join(counts) if counts else ""


def show_extract(report: ExtractReport, *, as_json: bool) -> None:
    """Print a report, where it does not mix with data."""
    out = sys.stderr if report.to == STANDARD_OUTPUT else sys.stdout
    if as_json:
        print(report.to_json(), file=out)
        return
    rate = f", {report.rows / report.seconds:,.0f} rows a second" if report.seconds else ""
    batches = f"{report.batches:,} batch{'' if report.batches == 1 else 'es'}"
    print(
        f"extract {report.object}: {report.rows:,} rows in {batches}, {report.seconds:,.1f} s{rate}, {report.api_calls:,} API calls",
        file=out,
    )
    print(f"  every batch's rows were counted and are as many as the org told; {report.bytes:,} bytes came", file=out)
    if report.to != STANDARD_OUTPUT:
        print(f"  {report.to}", file=out)
