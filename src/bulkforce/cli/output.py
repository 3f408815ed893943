"""What a load looks like to people and to programs: how far it is, and its report on stdout."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from collections.abc import Sequence

from bulkforce.cli.outcome import FINISHED_WITH_FAILURES
from bulkforce.cli.progress import Standing, batches_in_words, rate_in_words
from bulkforce.cli.streams import shown
from bulkforce.load.report import LoadReport, Progress
from bulkforce.run.report import ErrorGroup, RunState

_REASONS_SHOWN = 20
_SAMPLE = 60


def load_standing(progress: Progress) -> Standing:
    """Where a load stands."""
    if progress.phase == "reading":
        return Standing("reading", f"{progress.read:,} rows")
    failed = progress.failed + progress.unprocessed + progress.rejected + progress.in_doubt
    done = progress.succeeded + failed
    rows = f"{done:,} of {progress.read:,} rows{rate_in_words(done, progress.seconds)}, {failed:,} failed"
    return Standing("loading", rows, batches_in_words(progress.batches), done, progress.read, progress.seconds_left)


def load_done(report: LoadReport) -> str:
    """Say what is done, in one line."""
    if report.state is RunState.PLANNED:
        return "The dry run is complete"
    return (
        f"The load is complete: {report.succeeded:,} of {report.read:,} rows succeeded, and {report.run_dir} tells "
        "of each"
    )


def ascii_json(document: str) -> str:
    """Write JSON so that it can be printed whatever the encoding is."""
    return json.dumps(json.loads(document), indent=2)


def show(report: LoadReport, *, as_json: bool) -> int:
    """Print a report and say with which code to leave."""
    if as_json:
        print(ascii_json(report.to_json()))
    elif report.state is RunState.PLANNED:
        _show_plan(report)
    else:
        _show_report(report)
    return (
        FINISHED_WITH_FAILURES
        if report.fits is False or report.failed or report.unprocessed or report.rejected or report.in_doubt
        else 0
    )


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
    rate = f", {report.read / report.seconds:,.0f} rows a second" if report.seconds else ""
    print(
        f"{report.operation} {report.object}: {report.read:,} rows in {report.batches:,} "
        f"batch{'' if report.batches == 1 else 'es'}, {report.seconds:,.1f} s{rate}, "
        f"{report.api_calls:,} API calls"
    )
    counts = [
        ("succeeded", report.succeeded, "success.csv"),
        ("failed", report.failed, "failed.csv"),
        ("unprocessed", report.unprocessed, "unprocessed.csv"),
        ("rejected", report.rejected, "rejected.csv"),
    ]
    if report.in_doubt:
        counts.append(("in doubt", report.in_doubt, "in_doubt.csv"))
    folder = shown(str(report.run_dir))
    if report.state is RunState.FINISHED:
        for what, count, file in counts:
            print(f"  {what:<12}{count:>14,}   {folder}/{file}")
    for job in report.jobs_left_open:
        print(f"  an empty job may be left open in the org: {job}")
    if report.errors:
        _show_reasons(report.errors[:_REASONS_SHOWN])
        if len(report.errors) > _REASONS_SHOWN:
            print(f"... and {len(report.errors) - _REASONS_SHOWN:,} more reasons in {folder}/report.json")


def _show_reasons(groups: Sequence[ErrorGroup]) -> None:
    """Each reason whole, on lines of its own, whatever the width of the terminal; behind it the first row that has it,
    cut.
    """
    print("Why rows failed:")
    for group in groups:
        print(wrapped(f"{group.count:>8,}  {group.status_code}: {group.message}", " " * 10))
        # A record may hold line ends.
        sample = shown(" ".join(group.sample.split()))
        print(f"{'':10}row {group.row:,}: {sample if len(sample) <= _SAMPLE else sample[: _SAMPLE - 3] + '...'}")


def wrapped(text: str, indent: str) -> str:
    """Break a line for a terminal; what is piped is not broken."""
    text = shown(text)
    if sys.stdout is None or not sys.stdout.isatty():
        return text
    width = max(40, shutil.get_terminal_size().columns)
    return "\n".join(
        textwrap.wrap(text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    )
