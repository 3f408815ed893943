"""The output of an extract: its progress and its report, which goes to stderr if stdout carries the data."""

from __future__ import annotations

import sys

from bulkforce.cli.output import ascii_json
from bulkforce.cli.streams import shown
from bulkforce.display import counted
from bulkforce.extract.report import ExtractReport
from bulkforce.extract.sinks.target import STANDARD_OUTPUT
from bulkforce.run.report import in_seconds

_AGAIN = {
    "keep": "from the ten minutes before the last mark: they may have come the last time, too (--repeats drop)",
    "drop": "left out: they came the last time, and have not changed since",
}
_UNKNOWN = (
    "from the ten minutes before the last mark: they may have come the last time, too, but that run did not keep which "
    "records came, so there was nothing to compare with"
)


def extract_done(report: ExtractReport) -> str:
    """Say in one line what is done."""
    return f"The extract of {counted(report.rows, 'row')} is complete, in {report.to}"


def show_extract(report: ExtractReport, *, as_json: bool) -> int:
    """Print a report, where it does not mix with the data, and return the exit code."""
    out = sys.stderr if report.to == STANDARD_OUTPUT else sys.stdout
    if as_json:
        print(ascii_json(report.to_json()), file=out)
        return 0
    # Rows of all sittings in the seconds of the last would be a false rate.
    knows = report.seconds and report.sittings == 1
    rate = f", {counted(round(report.rows / report.seconds), 'row')} per second" if knows else ""
    print(
        f"extract {report.object}: {counted(report.rows, 'row')} in {counted(report.batches, 'batch')}, "
        f"{in_seconds(report.seconds, report.sittings)}{rate}, {counted(report.api_calls, 'API call')}",
        file=out,
    )
    print(f"  the rows of every batch match the org's own count; {counted(report.bytes, 'byte')} received", file=out)
    if report.repeated:
        again = _AGAIN[report.repeats] if report.repeats_known else _UNKNOWN
        print(f"  {counted(report.repeated, 'row')} {again}", file=out)
    if report.to != STANDARD_OUTPUT:
        print(f"  {shown(report.to)}", file=out)
    return 0
