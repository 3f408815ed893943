"""`load`: a source into an object, exactly once. Options in, report out; also `resume` and the list of runs."""

from __future__ import annotations

import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

from bulkforce import arguments
from bulkforce.apis.abc import IngestApi, Looks
from bulkforce.apis.ingest1 import Ingest1
from bulkforce.errors import (
    Error,
    Interrupted,
    JournalMismatch,
    LimitReached,
    NotAuthenticated,
    NotSent,
    ProtocolError,
    RefusedError,
    SourceChanged,
    TransferError,
    TransportError,
    Unsettled,
    UsageError,
)
from bulkforce.load import intake
from bulkforce.load import mapping as maps
from bulkforce.load.batches import IN_DOUBT, Job, JobStage, Outcome
from bulkforce.load.cutter import Batch
from bulkforce.load.events import Event
from bulkforce.load.feed import Feed
from bulkforce.load.journal import Asked, Facts, Journal
from bulkforce.load.mapping import ColumnMap
from bulkforce.load.orders import Answer, OpenJob, Order, prepare_join
from bulkforce.load.outputs import Outputs
from bulkforce.load.plan import LoadPlan
from bulkforce.load.reader import Reading
from bulkforce.load.report import LoadReport, Progress
from bulkforce.load.rules import AcceptAs, Rules
from bulkforce.load.sources import Source, name_of, place_of
from bulkforce.load.state import View
from bulkforce.load.verdicts import rest_in_doubt, standing
from bulkforce.load.worker import LoadWorker
from bulkforce.protocol import limits, rest
from bulkforce.protocol.flow import ask
from bulkforce.run import marks
from bulkforce.run.engine import Engine
from bulkforce.run.files import is_for_everybody, write_whole
from bulkforce.run.folder import AGAIN, FEED, IN_DOUBT_ROWS, LOAD, REJECTED, REPORT, RESULTS, RUNS, SOURCE, disk_told, find, new_run
from bulkforce.run.journal import list_runs
from bulkforce.run.pool import WORKERS
from bulkforce.run.report import RunInfo, RunState
from bulkforce.run.sitting import Sitting
from bulkforce.run.waiting import ctrl_c_told, every_so_often
from bulkforce.vocabulary import ConcurrencyMode, Operation

OnProgress: TypeAlias = Callable[[Progress], None]
LoadEngine: TypeAlias = Engine[View, Order, Answer, Event]

OUTPUTS: Final = (*Outputs.NAMES, IN_DOUBT_ROWS, REJECTED)
"""The files that a load leaves to its user; ``in_doubt.csv`` only where rows are in doubt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadOptions:
    """What a user asks of a load; see `bulkforce.client.Client.load`."""

    source: Source
    object: str
    operation: Operation | str
    external_id: str | None = None
    mapping: str | Path | Mapping[str, str | None] | ColumnMap | None = None
    concurrency_mode: ConcurrencyMode | str | None = None
    workers: int = WORKERS
    batch_records: int = limits.BATCH_RECORDS
    run_dir: str | Path | None = None
    empty_as_null: bool = False
    dry_run: bool = False
    on_progress: OnProgress | None = None


def load(sitting: Sitting, options: LoadOptions) -> LoadReport:
    """Load a source into an object; see `bulkforce.client.Client.load`."""
    begun = time.monotonic()
    api = _api(sitting, options.operation, options.object, options.external_id, options.concurrency_mode)
    column_map = maps.read_map(options.mapping)
    if arguments.count(options.workers, "The number of workers") < 1:
        raise UsageError(f"A load needs at least one worker, not {options.workers}")
    run_dir = None if options.run_dir is None else arguments.path(options.run_dir, "The run's folder")
    path = place_of(options.source)
    asked = Asked(
        run="",
        begun=time.time(),
        instance_url=sitting.instance_url(),
        operation=api.operation,
        object=api.object,
        external_id=api.external_id,
        concurrency_mode=api.concurrency_mode,
        source=name_of(options.source),
        path=None if path is None else str(path),
        mapping=asdict(column_map),
        empty_as_null=bool(options.empty_as_null),
        batch_records=options.batch_records,
        workers=options.workers,
    )
    if options.dry_run:
        with tempfile.TemporaryDirectory(prefix="bulkforce-") as name, disk_told(Path(name)):
            with _reading("Nothing was sent"):
                reading, _ = intake.read(options.source, asked, Path(name), _on_read(sitting, options.on_progress))
            return _planned(sitting, options, api, reading, begun)
    journal = new_run(
        run_dir,
        api.operation,
        api.object,
        lambda run, folder, made: Journal(folder, replace(asked, run=run), made),
        journal=LOAD,
        # Whoever may not read the source may not read what is made of it.
        private=path is None or not is_for_everybody(path),
        inputs=[Path(given) for given in (path, options.mapping) if isinstance(given, (str, Path))],
    )
    with disk_told(journal.folder), closing(journal):
        try:
            sitting.trace("journal")
            feed = _take_in(sitting, journal, options.source, options.on_progress)
            return _carry_out(sitting, journal, feed, options.workers, options.on_progress, begun)
        except Interrupted:
            if path is None and journal.facts() is None:
                # What was not read to its end cannot be read again.
                journal.clear()
            raise
        except BaseException as error:
            nothing_sent = all(job.stage is JobStage.LOST for job in journal.view().jobs.values())
            if nothing_sent and (isinstance(error, Exception) or path is None):
                # There is nothing to resume, and no litter is left.
                journal.clear()
            raise


def resume(
    sitting: Sitting,
    run: str | Path,
    *,
    workers: int | None = None,
    accept_as: AcceptAs | None = None,
    on_progress: OnProgress | None = None,
) -> LoadReport:
    """Go on with a run; see `bulkforce.client.Client.resume`."""
    begun = time.monotonic()
    if accept_as not in (None, "sent", "not-sent"):
        raise UsageError(f"{accept_as!r} is no word on rows in doubt; there are: sent, not-sent")
    folder = folder_of(run)
    with disk_told(folder), closing(Journal(folder)) as journal:
        asked = journal.asked()
        if asked is None:
            raise JournalMismatch(f"The run in {folder} died while its source was being read, {_LOAD_AGAIN}")
        if journal.finished:
            _clear_results(journal)
            return _finished(sitting, journal)
        here = sitting.instance_url()
        if asked.instance_url != here:
            raise JournalMismatch(f"The run in {folder} belongs to {asked.instance_url}, not to {here}; nothing was touched")
        facts = journal.facts()
        if facts is None:
            if asked.path is None:
                raise JournalMismatch(
                    f"The run in {folder} died while its source was being read: {asked.source}, which cannot be read a second time, {_LOAD_AGAIN}"
                )
            feed = _take_in(sitting, journal, Path(asked.path), on_progress)
        else:
            with _reading(_go_on(folder)):
                feed = _confirm(sitting, journal, facts, on_progress)
        return _carry_out(sitting, journal, feed, workers or asked.workers, on_progress, begun, accept_as)


_LOAD_AGAIN: Final = "and nothing was sent. Give the load again, with another folder; this one can be removed"


def _take_in(sitting: Sitting, journal: Journal, source: Source, on_progress: OnProgress | None) -> Feed:
    """Read the source, and write down what is to be sent."""
    asked = journal.asked()
    assert asked is not None
    with _reading("Nothing was sent" if asked.path is None else f"Nothing was sent. {_go_on(journal.folder)}"):
        reading, facts = intake.read(source, asked, journal.folder, _on_read(sitting, on_progress))
        _check_allowance(len(reading.batches), _remaining_batches(sitting))
    journal.take_in(facts, reading.batches)
    sitting.trace("journal")
    return intake.feed_of(journal, facts)


def _confirm(sitting: Sitting, journal: Journal, facts: Facts, on_progress: OnProgress | None) -> Feed:
    try:
        return intake.confirm(journal, facts, _on_read(sitting, on_progress))
    except SourceChanged as error:
        raise SourceChanged(f"{error}; nothing was touched. {intake.what_is_left(journal.view(), facts, journal.batches())}") from error


def _on_read(sitting: Sitting, on_progress: OnProgress | None) -> intake.OnRead:
    told = every_so_often(on_progress)

    def on_read(read: int) -> None:
        if read:
            told(Progress(phase="reading", read=read))
        if stopped_by := sitting.stop.asked:
            raise stopped_by

    return on_read


@contextmanager
def _reading(then: str) -> Iterator[None]:
    """Tell of a stop while the source is read, and what to do then."""
    try:
        with ctrl_c_told():
            yield
    except Interrupted as error:
        raise Interrupted(f"The load stopped while its source was being read: {error.text}. {then}") from error


def _go_on(folder: Path) -> str:
    return f"Go on with: bulkforce resume {folder}"


def _api(sitting: Sitting, operation: str, object_name: str, external_id: str | None, concurrency_mode: str | None) -> Ingest1:
    looks = Looks(sitting.patience.fence_seconds, sitting.patience.fence_looks)
    return Ingest1.of(operation, object_name, looks, external_id=external_id, concurrency_mode=concurrency_mode)


def _remaining_batches(sitting: Sitting) -> int | None:
    """Ask the org how many batches it still takes today; an org that does not say is no reason not to load.

    Raises:
        NotSent: The org is out of reach.
        NotAuthenticated: The session is no good.
    """
    try:
        remaining: int | None = sitting.run(ask(rest.remaining_batches()))
    except (NotSent, NotAuthenticated):
        raise
    except (RefusedError, TransportError, ProtocolError) as error:
        sitting.warn(f"The org does not tell how many batches it still takes today, so that was not checked: {error}")
        return None
    return remaining


def _check_allowance(batches: int, remaining: int | None) -> None:
    if remaining is not None and batches > remaining:
        raise LimitReached(
            f"The load needs {batches:,} batches, and the org takes {remaining:,} more in this rolling day; nothing was sent. "
            "Wait, load a part, or use larger batches"
        )


def _planned(sitting: Sitting, options: LoadOptions, api: IngestApi, reading: Reading, begun: float) -> LoadReport:
    batches = len(reading.batches)
    return LoadReport(
        run="",
        run_dir=Path(options.run_dir or RUNS),
        state=RunState.PLANNED,
        operation=api.operation,
        object=api.object,
        read=reading.read,
        rejected=len(reading.rejected),
        batches=batches,
        bytes=sum(batch.size for batch in reading.batches),
        # Opening and closing the job, seeing that it holds just its batches, each batch and its results; looking comes on top and depends on the org's speed.
        api_calls=4 + 2 * batches,
        remaining_batches=_remaining_batches(sitting),
        seconds=time.monotonic() - begun,
    )


def _carry_out(
    sitting: Sitting,
    journal: Journal,
    feed: Feed,
    workers: int,
    on_progress: OnProgress | None,
    begun: float,
    accept_as: AcceptAs | None = None,
) -> LoadReport:
    facts = journal.facts()
    assert facts is not None
    journal.make_folder(RESULTS)
    api = _api(sitting, facts.operation, facts.object, facts.external_id, facts.concurrency_mode)
    outputs = Outputs(journal.folder, facts.header.encode(), facts.rejected)
    batches = {batch.number: batch for batch in journal.batches()}
    worker = LoadWorker(sitting.run, api, batches, feed, outputs, journal.folder, sitting.trace)
    told = every_so_often(on_progress)
    patience = sitting.patience
    rules = Rules(workers, patience.job_seconds, accept_as=accept_as, sendings=patience.sendings, pause_seconds=patience.pause_seconds)
    engine: LoadEngine = Engine(
        LoadPlan(rules),
        worker,
        journal,
        journal.view(),
        sitting.pool(workers + 2),
        patience,
        sitting.clock,
        sitting.stop,
        lambda view: told(_progress(view, outputs, facts, begun)),
        sitting.warn,
        sitting.trace,
        # Another copy of the run, or of its journal, may have got there first.
        guard=lambda orders: marks.begin(journal) if any(isinstance(order, OpenJob) for order in orders) else None,
    )
    run = _Run(journal, facts, outputs, engine.state, batches, sitting, begun)
    try:
        if left_behind := marks.begin(journal, accepted=accept_as is not None):
            # It stops the run, or is ended as the user says.
            if accept_as is None:
                engine.stopped_by = left_behind
            else:
                engine.record(rest_in_doubt(engine.state, left_behind, accept_as))
        finished = engine.run()
        if isinstance(engine.stopped_by, Unsettled):
            raise _unsettled(run, worker, engine.stopped_by)
        if not finished:
            raise _stopped(run, engine.stopped_by)
        if on_progress:
            on_progress(_progress(engine.state, outputs, facts, begun))
        try:
            with ctrl_c_told():
                report = _finish(run, on_progress)
        except (OSError, sqlite3.Error, Interrupted) as error:
            raise _stopped(run, error) from error
        sitting.trace("journal")
        _clear_results(journal)
    finally:
        outputs.discard()
    return report


@dataclass(frozen=True, slots=True)
class _Run:
    """What is told of a run."""

    journal: Journal
    facts: Facts
    outputs: Outputs
    view: View
    batches: Mapping[int, Batch]
    sitting: Sitting
    begun: float


def _finish(run: _Run, on_progress: OnProgress | None) -> LoadReport:
    """Put the outputs in place, when all is well to the last."""
    journal, outputs = run.journal, run.outputs
    _confirm(run.sitting, journal, run.facts, on_progress)
    outputs.publish()
    if not outputs.tally.in_doubt:
        # One of an earlier sitting, in which some were.
        journal.remove(IN_DOUBT_ROWS)
    run.sitting.trace("publish")
    report = _report(run, None)
    if report.pending:
        raise _mismatch(run, report)
    names = [name for name in OUTPUTS if name != IN_DOUBT_ROWS or report.in_doubt]
    journal.finish(report.to_json().encode(), replace(report, errors=()).to_json(), names)
    return report


def _stopped(run: _Run, cause: Exception | None) -> Error:
    report = _report(run, cause)
    with suppress(OSError):  # a full disk may be the very reason
        write_whole(run.journal.folder / REPORT, report.to_json().encode())
    if not run.journal.in_place:
        jobs = ", ".join(report.jobs) or "none"
        return TransferError(
            f"The run's folder {report.run_dir} was removed while the run was under way, and with it all that is known of the run; nothing more is sent, "
            f"and it cannot be resumed. See what became of the rows in the org's jobs: {jobs}"
        )
    nothing_sent = all(job.stage is JobStage.LOST for job in run.view.jobs.values())
    if isinstance(cause, Error) and nothing_sent and isinstance(cause, (RefusedError, TransportError, SourceChanged)):
        return cause
    left = f" {intake.what_is_left(run.view, run.facts, run.batches.values())}." if isinstance(cause, SourceChanged) else ""
    error = Interrupted(
        f"The run stopped with {report.pending:,} of {report.read:,} records open: {cause}.{left} Go on with: bulkforce resume {report.run_dir}"
    )
    error.report = report
    error.__cause__ = cause
    return error


def _mismatch(run: _Run, report: LoadReport) -> TransferError:
    """Make the error for a run whose counts do not add up; it stays as it is, however often it is gone on with."""
    folder = run.journal.folder
    error = TransferError(
        f"The counts do not add up: of {report.read:,} rows {report.read - report.pending:,} are in the files in {folder}, and the run is not finished. "
        "Please report this, with the report and the journal in that folder"
    )
    write_whole(folder / REPORT, _report(run, error).to_json().encode())
    return error


def _finished(sitting: Sitting, journal: Journal) -> LoadReport:
    """Tell the report of a run that is finished; what has become of its files since then is no matter of the load."""
    # Wherever it was moved to.
    report = replace(LoadReport.from_json(journal.report()), run_dir=journal.folder)
    if changed := journal.changed(OUTPUTS):
        sitting.warn(
            f"The run is finished; since then {', '.join(path.name for path in changed)} in {journal.folder} "
            f"{'was' if len(changed) == 1 else 'were'} removed or changed, so that what is there may not be what the report tells. The org keeps results "
            f"for 7 days; the load's jobs: {', '.join(report.jobs) or 'none'}"
        )
    return report


def _unsettled(run: _Run, worker: LoadWorker, cause: Unsettled) -> Unsettled:
    """Give the outputs of a run that cannot go on by itself: what is certain where it belongs, the rest in ``in_doubt.csv``."""
    _write_rest(run.view, worker, cause)
    run.outputs.publish()
    report = replace(_report(run, cause), state=RunState.UNSETTLED)
    folder = run.journal.folder
    write_whole(folder / REPORT, report.to_json().encode())
    if report.in_doubt:
        text = (
            f"{cause.text}. Of {report.read:,} rows, {report.in_doubt:,} are left; they are in {folder / IN_DOUBT_ROWS} with the reason, and the others in the "
            f"files beside it. When you know what became of those in doubt: bulkforce resume {folder} --accept-as sent counts them as sent, whatever the org "
            "has; --accept-as not-sent sends them again, which doubles those that the org has. Either goes on with the rows that were not sent"
        )
    else:
        text = (
            f"{cause.text}. What became of each of the {report.read:,} rows is known, and is in the files in {folder}: look at the job before you load "
            f"anything again. bulkforce resume {folder} --accept-as sent ends the run as it is"
        )
    error = Unsettled(text, cause.facts, why=cause.why, strangers=cause.strangers)
    error.report = report
    error.__cause__ = cause
    return error


def _write_rest(view: View, worker: LoadWorker, cause: Unsettled) -> None:
    """Write what is known of all batches that are not joined yet, done or not."""
    for number in range(view.joined + 1, len(view.batches) + 1):
        batch, order = view.batches[number], prepare_join(view, number)
        if not (batch.ended and worker.join(order, batch.ended)):
            worker.join(order, Outcome(IN_DOUBT, standing(view, batch, cause)))


def _report(run: _Run, stopped_by: Exception | None) -> LoadReport:
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
        in_doubt=tally.in_doubt,
        batches=len(run.batches),
        bytes=sum(batch.size for batch in run.batches.values()),
        jobs=tuple(job.id for job in jobs if job.id),
        jobs_left_open=tuple(_left_open(job, facts) for job in jobs if job.left_open),
        api_calls=run.sitting.calls(),
        errors=tally.groups(),
        seconds=time.monotonic() - run.begun,
        stopped_by=str(stopped_by) if stopped_by else None,
    )


def _left_open(job: Job, facts: Facts) -> str:
    asked = datetime.fromtimestamp(job.opened, UTC)
    return f"{facts.operation} {facts.object}, asked for at {asked:%Y-%m-%dT%H:%M:%SZ}"


def _progress(view: View, outputs: Outputs, facts: Facts, begun: float) -> Progress:
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
        seconds_left=seconds * (total - done) / done if done else None,
    )


def _clear_results(journal: Journal) -> None:
    """Remove what was only needed to resume; everything in it stands in the outputs."""
    for name in (RESULTS, FEED, SOURCE, AGAIN):
        journal.remove(name)


def folder_of(run: str | Path) -> Path:
    """Find a run by its folder or its id.

    Raises:
        UsageError: There is none.
    """
    folder = find(run, LOAD)
    if folder is None:
        raise UsageError(f"There is no run {str(run)!r}, neither as a folder nor in {RUNS.absolute()}; `bulkforce runs` lists them")
    return folder


def runs(folder: Path | None = None) -> list[RunInfo]:
    """List the runs kept in a folder, the oldest first."""
    return list_runs(folder, LOAD, partial(Journal, migrate=False), _run_info)


def _run_info(journal: Journal) -> RunInfo:
    known, folder = journal.known(), journal.folder
    if not known:
        return RunInfo(folder.name, folder, "", "unread", None)
    state = str(RunState.FINISHED if journal.finished else RunState.INTERRUPTED) if "feed" in known else "unread"
    return RunInfo(known["run"], folder, f"{known['operation']} {known['object']} from {known['source']}", state, known["begun"])
