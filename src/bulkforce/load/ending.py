"""How a load ended: its report, its outputs, and the error that says what to do next."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from bulkforce.display import counted
from bulkforce.errors import (
    Error,
    Interrupted,
    RefusedError,
    SourceChanged,
    TransferError,
    TransportError,
    Unsettled,
)
from bulkforce.events import RunEnded
from bulkforce.load import intake
from bulkforce.load.batches import IN_DOUBT, Job, JobStage, Outcome
from bulkforce.load.cutter import Batch
from bulkforce.load.facts import LoadFacts
from bulkforce.load.journal import LoadJournal
from bulkforce.load.orders import prepare_join
from bulkforce.load.outputs import Outputs
from bulkforce.load.report import LoadReport, Progress
from bulkforce.load.state import View
from bulkforce.load.verdicts import standing
from bulkforce.load.worker import LoadWorker
from bulkforce.run.files import write_whole
from bulkforce.run.folder import AGAIN, FEED, IN_DOUBT_ROWS, REJECTED, REPORT, RESULTS, SOURCE, UNTIED
from bulkforce.run.report import ENDS, RunState, jobs_left
from bulkforce.run.sitting import Sitting
from bulkforce.run.waiting import Remaining

OUTPUTS: Final = (*Outputs.NAMES, IN_DOUBT_ROWS, UNTIED, REJECTED)
"""The files that a load leaves for its user; ``in_doubt.csv`` and ``untied.csv`` only if there is something in them."""


@dataclass(frozen=True, slots=True)
class Run:
    """A run under way, as its report and errors need it."""

    journal: LoadJournal
    facts: LoadFacts
    outputs: Outputs
    view: View
    batches: Mapping[int, Batch]
    sitting: Sitting
    begun: float


def finish(run: Run) -> LoadReport:
    """Move the outputs into place and finish the run, once every row is accounted for."""
    journal, outputs = run.journal, run.outputs
    outputs.publish()
    absent = [
        name for name, count in ((IN_DOUBT_ROWS, outputs.tally.in_doubt), (UNTIED, outputs.tally.untied)) if not count
    ]
    for name in absent:
        # An earlier sitting, with rows still in doubt, may have left one.
        journal.remove(name)
    run.sitting.trace("publish")
    report = report_of(run, None)
    if report.pending:
        raise _mismatch(run, report)
    names = [name for name in OUTPUTS if name not in absent]
    kept = replace(report, errors=()).to_json()
    journal.finish(report.to_json().encode(), kept, names, page=lambda: _write_page(journal, report))
    return report


def _write_page(journal: LoadJournal, report: LoadReport) -> None:
    from bulkforce.load import page  # once a sitting, at its end: it need not be there at the start

    page.write(journal, report)


def stopped(run: Run, cause: Exception | None) -> Error:
    """Write the report of a run that stopped but can be resumed, and return the error to raise."""
    report = report_of(run, cause)
    with suppress(OSError):  # a full disk may be why it stopped
        write_whole(run.journal.folder / REPORT, report.to_json().encode())
    _write_page(run.journal, report)
    if not run.journal.in_place:
        jobs = ", ".join(report.jobs) or "none"
        return TransferError(
            f"The run's folder {report.run_dir} was removed while the run was under way, and its journal with it. "
            f"Nothing more is sent, and the run cannot be resumed. Check the rows' results in the org's jobs: {jobs}"
        )
    nothing_sent = all(job.stage is JobStage.LOST for job in run.view.jobs.values())
    if isinstance(cause, Error) and nothing_sent and isinstance(cause, (RefusedError, TransportError, SourceChanged)):
        return cause
    left = (
        f" {intake.what_is_left(run.view, run.facts, run.batches.values())}."
        if isinstance(cause, SourceChanged)
        else ""
    )
    error = Interrupted(
        f"The run stopped with {report.pending:,} of {report.read:,} records open: "
        f"{cause}.{left}{_left_at_work(run.view)} Go on with: bulkforce resume {report.run_dir}"
    )
    error.report = report
    error.__cause__ = cause
    return error


def left_at_once(run: Run) -> list[str]:
    """Return the ids of jobs that hold batches, or may, when the run ends at once."""
    view = run.view
    at_work = {*view.flying.values(), *(job for job in view.jobs if view.doubtful.get(job) or view.waiting.get(job))}
    return [job.id for number in sorted(at_work) if (job := view.jobs[number]).id]


def _left_at_work(view: View) -> str:
    """Say which jobs go on in the org, and how to abort them."""
    at_work = [job.id for job in view.jobs.values() if job.id and view.waiting.get(job.number)]
    return jobs_left(at_work, " with the batches sent")


def _mismatch(run: Run, report: LoadReport) -> TransferError:
    """Return the error for a run whose counts do not add up; resuming it does not help."""
    folder = run.journal.folder
    error = TransferError(
        f"The counts do not add up: of {report.read:,} rows {report.read - report.pending:,} are in the files in "
        f"{folder}, and the run is not finished. Please report this, with the report and the journal in that folder"
    )
    stopped_by = report_of(run, error)
    write_whole(folder / REPORT, stopped_by.to_json().encode())
    _write_page(run.journal, stopped_by)
    return error


def finished(sitting: Sitting, journal: LoadJournal) -> LoadReport:
    """Return the report of a finished run; warn if its files have changed since, which is not the load's concern."""
    # The folder may have been moved since.
    report = replace(LoadReport.from_json(journal.report()), run_dir=journal.folder)
    if changed := journal.changed(OUTPUTS):
        sitting.warn(
            f"The run is finished, but {', '.join(path.name for path in changed)} in {journal.folder} "
            f"{'was' if len(changed) == 1 else 'were'} removed or changed since and may no longer match the report. "
            f"The org keeps results for 7 days; the load's jobs: {', '.join(report.jobs) or 'none'}"
        )
    return report


def unsettled(run: Run, worker: LoadWorker, cause: Unsettled) -> Unsettled:
    """Write the outputs of a run that cannot continue by itself, and return the error to raise.

    Rows with a known outcome go to the usual files, the rest to ``in_doubt.csv``.
    """
    _write_rest(run.view, worker, cause)
    run.outputs.publish()
    report = replace(report_of(run, cause), state=RunState.UNSETTLED)
    folder = run.journal.folder
    write_whole(folder / REPORT, report.to_json().encode())
    _write_page(run.journal, report)
    if report.in_doubt:
        text = (
            f"{cause.text}. Of {report.read:,} rows, {report.in_doubt:,} are in doubt; "
            f"they are in {folder / IN_DOUBT_ROWS}, each with the reason, and the others in the files beside it. "
            f"Once you know whether the org has them: bulkforce resume {folder} --accept-as sent "
            "counts them as sent, whatever the org has; --accept-as not-sent sends them again, "
            "which duplicates those that the org has. Both then send the rows that were not sent"
        )
    else:
        text = (
            f"{cause.text}. The outcome of each of the {report.read:,} rows is known and "
            f"is in the files in {folder}. Check the job before you load anything again. "
            f"bulkforce resume {folder} --accept-as sent ends the run as it is"
        )
    error = Unsettled(text, cause.facts, why=cause.why, strangers=cause.strangers)
    error.report = report
    error.__cause__ = cause
    return error


def _write_rest(view: View, worker: LoadWorker, cause: Unsettled) -> None:
    """Write the rows of all batches that are not joined yet, with what is known about them."""
    for number in range(view.joined + 1, len(view.batches) + 1):
        batch, order = view.batches[number], prepare_join(view, number)
        if not (batch.ended and worker.join(order, batch.ended)):
            worker.join(order, Outcome(IN_DOUBT, standing(view, batch, cause)))


def report_of(run: Run, stopped_by: Exception | None) -> LoadReport:
    """Return the report of a load."""
    tally, facts, jobs = run.outputs.tally, run.facts, run.view.jobs.values()
    return LoadReport(
        run=facts.run,
        run_dir=run.journal.folder,
        state=RunState.INTERRUPTED if stopped_by else RunState.FINISHED,
        operation=facts.operation,
        object=facts.object,
        read=facts.read,
        succeeded=tally.succeeded,
        failed=tally.failed,
        unprocessed=tally.unprocessed,
        rejected=len(facts.rejected),
        skipped=facts.skipped,
        in_doubt=tally.in_doubt,
        untied=tally.untied,
        batches=len(run.batches),
        bytes=sum(batch.size for batch in run.batches.values()),
        jobs=tuple(job.id for job in jobs if job.id),
        jobs_left_open=tuple(_left_open(job, facts) for job in jobs if job.left_open),
        api_calls=run.sitting.calls(),
        errors=run.outputs.causes(),
        seconds=time.monotonic() - run.begun,
        sittings=max(len(run.journal.times()), 1),
        stopped_by=str(stopped_by) if stopped_by else None,
        retry_of=facts.retry_of,
        undo_of=facts.undo_of,
    )


def _left_open(job: Job, facts: LoadFacts) -> str:
    asked = datetime.fromtimestamp(job.opened, UTC)
    return f"{facts.operation} {facts.object}, asked for at {asked:%Y-%m-%dT%H:%M:%SZ}"


def progress_of(
    view: View,
    outputs: Outputs,
    facts: LoadFacts,
    begun: float,
    earlier: int = 0,
    waits_for: str | None = None,
    remaining: Remaining | None = None,
) -> Progress:
    """Return the progress of a load.

    Args:
        view: Its state.
        outputs: Its outputs.
        facts: What it was started with.
        begun: When this sitting began.
        earlier: Records that were done before it.
        waits_for: Why nothing new is started, if there is a reason.
        remaining: Estimates how long it still takes.
    """
    waiting = sum(map(len, view.waiting.values()))
    sent = facts.read - len(facts.rejected) - view.unsent
    tally = outputs.tally
    done = tally.succeeded + tally.failed + tally.unprocessed + tally.in_doubt
    seconds = time.monotonic() - begun
    total = facts.read - len(facts.rejected)
    return Progress(
        phase="loading",
        read=facts.read,
        sent=sent,
        succeeded=tally.succeeded,
        failed=tally.failed,
        unprocessed=tally.unprocessed,
        rejected=len(facts.rejected),
        in_doubt=tally.in_doubt,
        batches={
            "pending": len(view.pending),
            "sending": len(view.flying) + sum(map(len, view.doubtful.values())),
            "accepted": waiting,
            "ended": len(view.fetchable),
            "done": view.done,
        },
        seconds=seconds,
        seconds_left=remaining.seconds(done - earlier, total - earlier, seconds)
        if remaining is not None and waits_for is None
        else None,
        earlier=earlier,
        waits_for=waits_for or _of_the_org(view, waiting),
    )


def is_queued(view: View) -> bool:
    """Whether all that is left to do is to wait until the org is done with batches."""
    return any(view.waiting.values()) and not (
        view.pending or view.flying or view.uploaded or view.doubtful or view.fetchable
    )


def _of_the_org(view: View, waiting: int) -> str | None:
    return f"the org has {counted(waiting, 'batch')} queued or under way" if waiting and is_queued(view) else None


def ended(report: LoadReport) -> RunEnded:
    """Return the event that ends a load with this report."""
    return RunEnded(
        run=report.run,
        state=ENDS[report.state],
        rows=report.read,
        succeeded=report.succeeded,
        failed=report.failed,
        unprocessed=report.unprocessed,
        rejected=report.rejected,
        in_doubt=report.in_doubt,
    )


def clear_results(journal: LoadJournal) -> None:
    """Remove the files that were only needed to resume; the outputs hold everything in them."""
    for name in (RESULTS, FEED, SOURCE, AGAIN):
        journal.remove(name)
