"""The output of a load: its progress, and its report on stdout."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from collections.abc import Sequence
from typing import Final

from bulkforce.cli.outcome import FINISHED_WITH_FAILURES
from bulkforce.cli.streams import shown
from bulkforce.display import counted
from bulkforce.load.report import LoadReport, what_of
from bulkforce.run.folder import PAGE
from bulkforce.run.report import ErrorGroup, RunState, in_seconds

COUNTED: Final = "(row 1 is the first below the header)"
"""Said where rows are numbered: in a sheet, and in an editor, they have other numbers."""

_REASONS_SHOWN = 20
_SAMPLE = 56
_VALUE = 24


def load_done(report: LoadReport) -> str:
    """Say in one line what is done."""
    if report.state is RunState.PLANNED:
        return "The dry run is complete"
    rows = f"{report.succeeded:,} of {counted(report.read, 'row')}"
    return f"The load is complete: {rows} succeeded; the result of each is in {report.run_dir}"


def ascii_json(document: str) -> str:
    """Format JSON in ASCII, which can be printed in any encoding."""
    return json.dumps(json.loads(document), indent=2)


def show(report: LoadReport, *, as_json: bool) -> int:
    """Print a report and return the exit code."""
    if as_json:
        print(ascii_json(report.to_json()))
    elif report.state is RunState.PLANNED:
        _show_plan(report)
    else:
        _show_report(report)
    return (
        FINISHED_WITH_FAILURES
        if report.fits is False
        or report.failed
        or report.unprocessed
        or report.rejected
        or report.in_doubt
        or report.untied
        else 0
    )


def _show_plan(report: LoadReport) -> None:
    remaining = _allowed(report.batches, report.remaining_batches) or "the org does not say how many it accepts today"
    calls = _allowed(report.api_calls, report.remaining_api_calls)
    print(f"Dry run: {shown(what_of(report))}; nothing was created.")
    print(f"  rows      {report.read:>14,}   of which {report.rejected:,} would be rejected")
    if report.skipped:
        print(f"  skipped   {report.skipped:>14,}   rows of nothing but commas, not counted as read")
    print(f"  batches   {report.batches:>14,}   {remaining}")
    print(f"  bytes     {report.bytes:>14,}")
    print(f"  API calls {report.api_calls:>14,}   plus polling{calls and '; '}{calls}")
    for cost in report.costs:
        print(f"  over {cost}")
    if report.errors:
        _show_reasons(report.errors[:_REASONS_SHOWN], "Why rows would be rejected:")


def _allowed(needed: int, left: int | None) -> str:
    """Say whether what the org still accepts today is enough; empty if the org does not say."""
    if left is None:
        return ""
    return f"the org accepts {left:,} more today: {'enough' if needed <= left else 'NOT ENOUGH'}"


def _show_report(report: LoadReport) -> None:
    # Rows of all sittings in the seconds of the last would be a false rate.
    knows = report.seconds and report.sittings == 1
    rate = f", {counted(round(report.read / report.seconds), 'row')} per second" if knows else ""
    print(
        f"{shown(what_of(report))}: {counted(report.read, 'row')} in {counted(report.batches, 'batch')}, "
        f"{in_seconds(report.seconds, report.sittings)}{rate}, {counted(report.api_calls, 'API call')}"
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
        print(f"  {'all of it':<26}   {folder}/{PAGE}")
    if report.untied:
        print(f"  {'untied':<12}{report.untied:>14,}   results that belong to no row for certain: {folder}/untied.csv")
    if report.skipped:
        print(f"  {'skipped':<12}{report.skipped:>14,}   rows of nothing but commas, not counted as read")
    for job in report.jobs_left_open:
        print(f"  an empty job may have been left open in the org: {job}")
    if report.errors:
        _show_reasons(report.errors[:_REASONS_SHOWN], f"Why rows failed {COUNTED}:")
        if len(report.errors) > _REASONS_SHOWN:
            more = counted(len(report.errors) - _REASONS_SHOWN, "more reason")
            print(f"... and {more} in {folder}/report.json")


def _show_reasons(groups: Sequence[ErrorGroup], title: str) -> None:
    """Print each cause in full, on lines of its own, then what may help, then some of its rows, shortened."""
    print(title)
    indent = " " * 10
    for group in groups:
        code = f"{group.status_code}: " if group.status_code else ""
        unnamed = [field for field in group.fields if field not in group.message]
        fields = f" ({', '.join(unnamed)})" if unnamed else ""
        print(wrapped(f"{group.count:>8,}  {code}{' '.join(group.message.split())}{fields}", indent))
        if group.remedy:
            print(wrapped(f"{indent}-> {group.remedy}", f"{indent}   "))
        for sample in group.samples:
            value = f"{_cut(sample.value, _VALUE)} in " if sample.value else ""
            print(f"{indent}row {sample.row:,}: {value}{_cut(sample.record, _SAMPLE - len(value))}")


def _cut(text: str, most: int) -> str:
    # A value may contain line ends.
    text = shown(" ".join(text.split()))
    return text if len(text) <= most else text[: most - 3] + "..."


def wrapped(text: str, indent: str) -> str:
    """Wrap a line for a terminal; leave it whole for a pipe or file."""
    text = shown(text)
    if sys.stdout is None or not sys.stdout.isatty():
        return text
    width = max(40, shutil.get_terminal_size().columns)
    return "\n".join(
        textwrap.wrap(text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    )
