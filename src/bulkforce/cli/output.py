"""What a load looks like to people and to programs: progress on stderr, the report on stdout."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from bulkforce.transfer.report import LoadReport, Progress, RunState

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

FINISHED_WITH_FAILURES = 3
INTERRUPTED = 4
_LINES_EVERY_SECONDS = 5.0
_REASONS_SHOWN = 20


class Teller(Protocol):
    """Something that is told of progress."""

    def __call__(self, progress: Progress) -> None:
        """Show where the load stands."""
        ...


@contextmanager
def telling(*, quiet: bool) -> Iterator[Teller | None]:
    """Choose how progress is told: a live bar on a terminal, a line now and then elsewhere, nothing if quiet."""
    if quiet:
        yield None
    elif sys.stderr.isatty():
        with _bar() as bar:
            yield _BarTeller(bar)
    else:
        yield _LineTeller()


def _bar() -> Bar:
    from rich.console import Console
    from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Rich

    return Rich(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[rows]}"),
        TextColumn("[dim]· {task.fields[batches]}[/dim]"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}"),
        console=Console(stderr=True),
        refresh_per_second=8,
    )


class _BarTeller:
    def __init__(self, bar: Bar) -> None:
        self._bar = bar
        self._task = bar.add_task("reading", total=None, rows="", batches="", left="")

    def __call__(self, progress: Progress) -> None:
        if progress.phase == "reading":
            self._bar.update(self._task, rows=f"{progress.read:,} rows")
            return
        self._bar.update(
            self._task,
            description="loading",
            total=progress.read,
            completed=_done(progress),
            rows=_rows(progress),
            batches=_batches(progress),
            left="" if progress.seconds_left is None else f"about {_clock(progress.seconds_left)} left",
        )


class _LineTeller:
    def __init__(self) -> None:
        self._last = time.monotonic()

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        if now - self._last < _LINES_EVERY_SECONDS:
            return
        self._last = now
        if progress.phase == "reading":
            print(f"reading: {progress.read:,} rows", file=sys.stderr)
        else:
            left = "" if progress.seconds_left is None else f", about {_clock(progress.seconds_left)} left"
            print(f"loading: {_rows(progress)}, {_batches(progress)}{left}", file=sys.stderr)


def _done(progress: Progress) -> int:
    return progress.succeeded + progress.failed + progress.unprocessed + progress.rejected


def _rows(progress: Progress) -> str:
    rate = f", {_done(progress) / progress.seconds:,.0f} a second" if progress.seconds else ""
    failed = progress.failed + progress.unprocessed + progress.rejected
    return f"{_done(progress):,} of {progress.read:,} rows{rate}, {failed:,} failed"


def _batches(progress: Progress) -> str:
    counts = [f"{count:,} {state}" for state, count in progress.batches.items() if count]
    return "batches: " + ", ".join(counts) if counts else ""


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds + 0.5), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def show(report: LoadReport, *, as_json: bool) -> int:
    """Print a report and say with which code to leave."""
    if as_json:
        print(report.to_json())
    elif report.state is RunState.PLANNED:
        _show_plan(report)
    else:
        _show_report(report)
    return FINISHED_WITH_FAILURES if report.failed or report.unprocessed or report.rejected else 0


def _show_plan(report: LoadReport) -> None:
    remaining = "the org does not say how many it takes today"
    if report.remaining_batches is not None:
        fits = "it fits" if report.batches <= report.remaining_batches else "IT DOES NOT FIT"
        remaining = f"the org takes {report.remaining_batches:,} more today: {fits}"
    print(f"Dry run: {report.operation} {report.object}; nothing was created.")
    print(f"  rows      {report.read:>14,}   {report.rejected:,} of them over a limit of the org, to be rejected")
    print(f"  batches   {report.batches:>14,}   {remaining}")
    print(f"  bytes     {report.bytes:>14,}")
    print(f"  API calls {report.api_calls:>14,}   and a look at the job now and then")


def _show_report(report: LoadReport) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(highlight=False)
    rate = f", {report.read / report.seconds:,.0f} rows a second" if report.seconds else ""
    console.print(
        f"{report.operation} {report.object}: {report.read:,} rows in {report.batches:,} batch{'' if report.batches == 1 else 'es'}, {report.seconds:,.1f} s{rate}, "
        f"{report.api_calls:,} API calls"
    )
    counts = [
        ("succeeded", report.succeeded, "success.csv"),
        ("failed", report.failed, "failed.csv"),
        ("unprocessed", report.unprocessed, "unprocessed.csv"),
        ("rejected", report.rejected, "rejected.csv"),
    ]
    if report.state is RunState.FINISHED:
        for what, count, file in counts:
            console.print(f"  {what:<12}{count:>14,}   {report.run_dir / file}", soft_wrap=True)
    if report.errors:
        table = Table("rows", "status code", "message", title="Why rows failed", title_justify="left", box=None)
        table.add_column("the first of them", no_wrap=True, overflow="ellipsis")
        for group in report.errors[:_REASONS_SHOWN]:
            # A record may hold line ends, and anything that looks like markup.
            sample = escape(" ".join(group.sample.split()))
            table.add_row(f"{group.count:,}", group.status_code, escape(group.message), f"row {group.row:,}: {sample}")
        console.print(table)
        if len(report.errors) > _REASONS_SHOWN:
            console.print(
                f"... and {len(report.errors) - _REASONS_SHOWN:,} more reasons in {report.run_dir / 'report.json'}", soft_wrap=True
            )
