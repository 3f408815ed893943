"""The end of an extract: its report, and the error that says what to do next."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from bulkforce.display import counted
from bulkforce.errors import (
    BatchFailed,
    Error,
    Interrupted,
    NotFound,
    RefusedError,
    TransferError,
    TransportError,
    UsageError,
)
from bulkforce.events import RunEnded
from bulkforce.extract.events import BatchStage
from bulkforce.extract.journal import ExtractFacts, ExtractJournal
from bulkforce.extract.report import ExtractProgress, ExtractReport
from bulkforce.extract.sinks.target import STANDARD_OUTPUT
from bulkforce.extract.state import State
from bulkforce.run.report import ENDS, RunState, jobs_left
from bulkforce.run.sitting import Sitting
from bulkforce.run.waiting import Remaining


def stopped(state: State, report: ExtractReport, cause: Exception) -> Error:
    """Return the error that ends an extract: its cause if resuming cannot help, else what is done and how to resume."""
    final = isinstance(cause, (BatchFailed, TransferError, NotFound, UsageError)) and not isinstance(cause, Interrupted)
    if isinstance(cause, Error) and (final or (not state.begun and isinstance(cause, (RefusedError, TransportError)))):
        return cause
    there = "standard output is incomplete" if report.to == STANDARD_OUTPUT else f"nothing was written to {report.to}"
    at_work = jobs_left(left_at_work(state)).lstrip()
    error = Interrupted(
        f"The extract stopped with {report.rows:,} records on disk, and {there}: {cause}. "
        f"{at_work and at_work + ' '}Go on with: bulkforce resume {report.run_dir}"
    )
    error.report = report
    error.__cause__ = cause
    return error


def left_at_work(state: State) -> list[str]:
    """Return the ids of jobs that go on in the org."""
    return [job.id for number in sorted(state.unended) if (job := state.jobs[number]).id]


def file_of(facts: ExtractFacts) -> Path | None:
    """Return the path of the extract's file; ``None`` if it went to a pipe or a device."""
    return Path(facts.to) if facts.to != STANDARD_OUTPUT and Path(facts.to).is_file() else None


def finished(sitting: Sitting, journal: ExtractJournal, facts: ExtractFacts) -> ExtractReport:
    """Return the report of a finished run, even if its file has changed since; then warn."""
    if changed := journal.changed((), Path(facts.to)):
        sitting.warn(
            f"The extract is finished; since then {' and '.join(map(str, changed))} "
            f"{'was' if len(changed) == 1 else 'were'} removed or changed, so the report may no longer match. "
            "To get the records again, run a new extract"
        )
    # The run's folder may have been moved.
    return replace(ExtractReport.from_json(journal.report()), run_dir=journal.folder)


def report_of(
    journal: ExtractJournal,
    state: State,
    facts: ExtractFacts,
    sitting: Sitting,
    begun: float,
    stopped_by: Exception | None,
) -> ExtractReport:
    """Return the report of an extract."""
    return ExtractReport(
        run=facts.run,
        run_dir=journal.folder,
        state=RunState.INTERRUPTED if stopped_by else RunState.FINISHED,
        object=facts.object,
        soql=facts.soql,
        to=facts.to,
        rows=state.rows,
        repeats=facts.repeats,
        parts=state.on_disk,
        batches=len(state.counting),
        bytes=state.bytes,
        jobs=tuple(job.id for job in state.jobs.values() if job.id),
        api=facts.api,
        api_calls=sitting.calls(),
        seconds=time.monotonic() - begun,
        sittings=max(len(journal.times()), 1),
        stopped_by=str(stopped_by) if stopped_by else None,
    )


def progress_of(
    state: State, begun: float, earlier: int = 0, waits_for: str | None = None, remaining: Remaining | None = None
) -> ExtractProgress:
    """Return the progress of an extract.

    Args:
        state: Its state.
        begun: When this sitting began.
        earlier: Records that were on disk before it.
        waits_for: Why nothing new is started, if there is a reason.
        remaining: Estimates how long it still takes.
    """
    stages = {stage: state.stages[stage] for stage in BatchStage if stage is not BatchStage.REPLACED}
    total = state.records if state.told and state.told == sum(stages.values()) else None
    seconds = time.monotonic() - begun
    return ExtractProgress(
        rows=state.rows,
        bytes=state.bytes,
        total=total,
        batches={str(stage): count for stage, count in stages.items()},
        seconds=seconds,
        seconds_left=remaining.seconds(state.rows - earlier, total - earlier, seconds)
        if remaining is not None and total is not None and waits_for is None
        else None,
        earlier=earlier,
        waits_for=waits_for or _of_the_org(state),
    )


def is_queued(state: State) -> bool:
    """Whether all that is left to do is to wait until the org is done with batches."""
    stages = state.stages
    return bool(stages[BatchStage.RUNNING]) and not (stages[BatchStage.COMPLETED] or stages[BatchStage.FETCHING])


def _of_the_org(state: State) -> str | None:
    running = counted(state.stages[BatchStage.RUNNING], "batch")
    return f"the org has {running} queued or under way" if is_queued(state) else None


def ended(report: ExtractReport) -> RunEnded:
    """Return the event that ends an extract with this report."""
    return RunEnded(run=report.run, state=ENDS[report.state], rows=report.rows, succeeded=report.rows)
