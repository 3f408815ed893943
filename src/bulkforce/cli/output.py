"""What a load looks like to people and to programs: how far it is, and its report on stdout."""

from __future__ import annotations

from bulkforce.cli.progress import Standing, batches_in_words, rate_in_words
from bulkforce.transfer.report import LoadReport, Progress, RunState

FINISHED_WITH_FAILURES = 3
INTERRUPTED = 4
_REASONS_SHOWN = 20


def load_standing(progress: Progress) -> Standing:
    """Where a load stands."""
    if progress.phase == "reading":
        return Standing("reading", f"{progress.read:,} rows")
    failed = progress.failed + progress.unprocessed + progress.rejected + progress.in_doubt
    done = progress.succeeded + failed
    rows = f"{done:,} of {progress.read:,} rows{rate_in_words(done, progress.seconds)}, {failed:,} failed"
    return Standing("loading", rows, batches_in_words(progress.batches), done, progress.read, progress.seconds_left)


def show(report: LoadReport, *, as_json: bool) -> int:
    """Print a report and say with which code to leave."""
    if as_json:
        print(report.to_json())
    elif report.state is RunState.PLANNED:
        _show_plan(report)
    else:
        _show_report(report)
    return FINISHED_WITH_FAILURES if report.failed or report.unprocessed or report.rejected or report.in_doubt else 0


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
    if report.in_doubt:
        counts.append(("in doubt", report.in_doubt, "in_doubt.csv"))
    if report.state is RunState.FINISHED:
        for what, count, file in counts:
            console.print(f"  {what:<12}{count:>14,}   {report.run_dir / file}", soft_wrap=True)
    for job in report.jobs_left_open:
        console.print(f"  an empty job may be left open in the org: {job}", soft_wrap=True)
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
