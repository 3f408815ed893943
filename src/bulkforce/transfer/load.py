"""`load`: a source into an object, exactly once. Options in, report out; also `resume` and the list of runs."""

from __future__ import annotations

import logging
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeAlias, TypeVar

from bulkforce.errors import (
    Error,
    Interrupted,
    JournalBusy,
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
from bulkforce.protocol import bulk1, limits, rest
from bulkforce.protocol.bulk1 import JobSettings
from bulkforce.protocol.flow import Credentials, Flow, ask, authenticate
from bulkforce.transfer import mapping as maps
from bulkforce.transfer.engine import RESULTS, AcceptAs, Engine
from bulkforce.transfer.feed import Feed
from bulkforce.transfer.files import write_whole
from bulkforce.transfer.folder import LOAD, RUNS, new_folder, remove_inner
from bulkforce.transfer.journal import Facts, Journal
from bulkforce.transfer.mapping import ColumnMap, Shape
from bulkforce.transfer.outputs import IN_DOUBT, Outputs
from bulkforce.transfer.patience import Patience, every_so_often
from bulkforce.transfer.plan import Job, JobStage, View
from bulkforce.transfer.reading import FEED, REJECTED, Reader, Reading, header_of
from bulkforce.transfer.report import LoadReport, Progress, RunState
from bulkforce.transfer.sources import Source, to_csv
from bulkforce.transport.drive import Driver
from bulkforce.transport.stopping import Stop
from bulkforce.vocabulary import ConcurrencyMode, ContentType, Operation

T = TypeVar("T")
Run: TypeAlias = Callable[[Flow[T]], T]
OnProgress: TypeAlias = Callable[[Progress], None]

REPORT: Final = "report.json"
WORKERS: Final = 4


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


@dataclass(slots=True)
class Sitting:
    """What both verbs need besides the options.

    Attributes:
        run: Runs a flow against the org.
        calls: Tells how many requests were made.
        warn: Told of what is worth knowing and no error.
        patience: How to wait.
        trace: See `Engine`.
        stop: Asks the run to stop, from another thread.
    """

    run: Run  # type: ignore[type-arg]
    calls: Callable[[], int]
    warn: Callable[[str], None] = lambda _text: None
    patience: Patience = field(default_factory=Patience)
    trace: Callable[[str], None] = lambda _effect: None
    stop: Stop = field(default_factory=Stop)

    @classmethod
    def of(cls, driver: Driver, stop: Stop | None = None) -> Sitting:
        """Sit down with a client's driver; warnings go to the log."""
        before, stop = driver.calls, stop or Stop()
        return cls(
            lambda flow: driver.run(flow, stop.sleep),
            lambda: driver.calls - before,
            logging.getLogger("bulkforce").warning,
            stop=stop,
        )

    def instance_url(self) -> str:
        """Say where the org is, logging in if need be."""
        credentials: Credentials = self.run(authenticate())
        return credentials.instance_url


def load(sitting: Sitting, options: LoadOptions) -> LoadReport:
    """Load a source into an object; see `bulkforce.client.Client.load`."""
    begun = time.monotonic()
    settings = _settings(options)
    column_map = maps.read_map(options.mapping)
    if options.workers < 1:
        raise UsageError(f"A load needs at least one worker, not {options.workers}")
    if options.dry_run:
        with tempfile.TemporaryDirectory(prefix="bulkforce-") as folder:
            reading, shape, _ = _read(sitting, options, column_map, Path(folder))
            return _planned(sitting, options, settings, reading, begun)
    run, folder_ = new_folder(options.run_dir, settings.operation, settings.object, RESULTS, _holds_a_run)
    with _disk_told(folder_), closing(Journal(folder_)) as journal:
        try:
            reading, shape, name = _read(sitting, options, column_map, folder_)
            _check_allowance(len(reading.batches), _remaining_batches(sitting))
            journal.begin(_facts(run, sitting, settings, options, reading, shape, name), reading.batches)
            sitting.trace("journal")
            return _carry_out(sitting, journal, options.workers, options.on_progress, begun)
        except Interrupted:
            raise
        except Exception:
            if not any(job.stage is not JobStage.LOST for job in journal.view().jobs.values()):
                # Nothing is in the org, so there is nothing to resume, and no litter is left.
                journal.close()
                _clear(folder_)
            raise


def resume(
    sitting: Sitting, run: str | Path, *, workers: int = WORKERS, accept_as: AcceptAs | None = None, on_progress: OnProgress | None = None
) -> LoadReport:
    """Go on with a run; see `bulkforce.client.Client.resume`."""
    begun = time.monotonic()
    if accept_as not in {None, "sent", "not-sent"}:
        raise UsageError(f"{accept_as!r} is no word on rows in doubt; there are: sent, not-sent")
    folder = folder_of(run)
    with _disk_told(folder), closing(Journal(folder)) as journal:
        facts = journal.facts()
        if facts is None:
            raise JournalMismatch(f"The run in {folder} died while its source was being read. Nothing was sent: begin it anew")
        if journal.finished:
            _clear_results(folder, facts)
            return _read_report(folder)
        here = sitting.instance_url()
        if facts.instance_url != here:
            raise JournalMismatch(f"The run in {folder} belongs to {facts.instance_url}, not to {here}; nothing was touched")
        return _carry_out(sitting, journal, workers, on_progress, begun, accept_as)


@contextmanager
def _disk_told(folder: Path) -> Iterator[None]:
    """A disk that is full, or a file that cannot be read, is told as an error of ours."""
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        raise TransferError(f"The run in {folder} cannot be written, or its source not be read: {error}") from error


def _settings(options: LoadOptions) -> JobSettings:
    settings = bulk1.settings(
        options.operation,
        options.object,
        ContentType.CSV,
        external_id_field=options.external_id,
        concurrency_mode=options.concurrency_mode,
    )
    if settings.operation.is_query:
        raise UsageError("A load inserts, updates, upserts, deletes or hardDeletes; records come out with a query")
    return settings


def _holds_a_run(folder: Path) -> bool:
    """Whether there is something to resume; a run that died while its source was being read sent nothing, and is begun anew in its place."""
    if not (folder / LOAD).exists():
        return False
    journal = Journal(folder)
    try:
        return journal.facts() is not None
    finally:
        journal.close()


def _read(sitting: Sitting, options: LoadOptions, column_map: ColumnMap, folder: Path) -> tuple[Reading, Shape, str]:

    def go_on() -> None:
        if stopped_by := sitting.stop.asked:
            raise Interrupted(f"The load stopped while its source was being read: {stopped_by}. Nothing was sent")

    source = to_csv(options.source, folder, go_on)
    header = header_of(source.path)
    shape = maps.shape(header.names, column_map, empty_as_null=options.empty_as_null)
    told = every_so_often(options.on_progress)

    def on_records(read: int) -> None:
        told(Progress(phase="reading", read=read))
        go_on()

    reading = Reader(source.path, folder, header, shape, options.batch_records, on_records).read()
    ours = reading.feed_is_ours or source.ours
    if reading.feed_is_ours and source.ours:
        source.path.unlink()
    return Reading(reading.feed.absolute(), ours, reading.header, reading.batches, reading.read, reading.rejected), shape, source.name


def _facts(run: str, sitting: Sitting, settings: JobSettings, options: LoadOptions, reading: Reading, shape: Shape, name: str) -> Facts:
    known = reading.feed.stat()
    return Facts(
        run=run,
        begun=time.time(),
        instance_url=sitting.instance_url(),
        operation=settings.operation,
        object=settings.object,
        external_id=settings.external_id_field,
        concurrency_mode=settings.concurrency_mode,
        source=name,
        feed=reading.feed.name if reading.feed_is_ours else str(reading.feed),
        feed_is_ours=reading.feed_is_ours,
        feed_size=known.st_size,
        feed_mtime_ns=known.st_mtime_ns,
        header=reading.header.decode(),
        source_columns=list(shape.source),
        taken=list(shape.taken),
        names=list(shape.names),
        constants=list(shape.constants),
        empty_as_null=options.empty_as_null,
        read=reading.read,
        rejected=list(reading.rejected),
    )


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


def _planned(sitting: Sitting, options: LoadOptions, settings: JobSettings, reading: Reading, begun: float) -> LoadReport:
    batches = len(reading.batches)
    return LoadReport(
        run="",
        run_dir=Path(options.run_dir or RUNS),
        state=RunState.PLANNED,
        operation=settings.operation,
        object=settings.object,
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
    sitting: Sitting, journal: Journal, workers: int, on_progress: OnProgress | None, begun: float, accept_as: AcceptAs | None = None
) -> LoadReport:
    facts = journal.facts()
    assert facts is not None
    shape = Shape(tuple(facts.source_columns), tuple(facts.taken), tuple(facts.names), tuple(facts.constants), facts.empty_as_null)
    path = journal.folder / facts.feed if facts.feed_is_ours else Path(facts.feed)
    feed = Feed(path, facts.feed_size, facts.feed_mtime_ns, shape)
    feed.confirm(journal.batches())
    settings = bulk1.settings(
        facts.operation,
        facts.object,
        ContentType.CSV,
        external_id_field=facts.external_id,
        concurrency_mode=facts.concurrency_mode,
    )
    outputs = Outputs(journal.folder, facts.header.encode(), facts.rejected)
    told = every_so_often(on_progress)
    engine = Engine(
        sitting.run,
        journal,
        settings,
        feed,
        outputs,
        workers,
        sitting.patience,
        lambda view: told(_progress(view, outputs, facts, begun)),
        sitting.trace,
        accept_as,
        sitting.stop,
    )
    try:
        finished = engine.carry_out()
        if isinstance(engine.stopped_by, Unsettled):
            raise _unsettled(engine, facts, sitting, begun, engine.stopped_by)
        report = _report(engine, facts, sitting, begun, finished=finished)
        if not finished:
            with suppress(OSError):  # a full disk may be the very reason
                write_whole(journal.folder / REPORT, report.to_json().encode())
            raise _stopped(engine, report)
        if on_progress:
            on_progress(_progress(engine.view, outputs, facts, begun))
        try:
            outputs.publish()
            if journal.gave_in_doubt and not outputs.tally.in_doubt:
                (journal.folder / IN_DOUBT).unlink(missing_ok=True)
            sitting.trace("publish")
            write_whole(journal.folder / REPORT, report.to_json().encode())
            journal.finish()
        except (OSError, sqlite3.Error) as error:
            engine.stopped_by = error
            raise _stopped(engine, _report(engine, facts, sitting, begun, finished=False)) from error
        sitting.trace("journal")
        _clear_results(journal.folder, facts)
    finally:
        outputs.discard()
    if report.pending or outputs.mismatches:
        raise TransferError(f"The counts do not add up ({report.pending:,} records open): {'; '.join(outputs.mismatches)}")
    return report


def _stopped(engine: Engine, report: LoadReport) -> Error:
    cause = engine.stopped_by
    nothing_sent = all(job.stage is JobStage.LOST for job in engine.view.jobs.values())
    if isinstance(cause, Error) and nothing_sent and isinstance(cause, (RefusedError, TransportError, SourceChanged)):
        return cause
    error = Interrupted(
        f"The run stopped with {report.pending:,} of {report.read:,} records open: {cause}. Go on with: bulkforce resume {report.run_dir}"
    )
    error.report = report
    error.__cause__ = cause
    return error


def _unsettled(engine: Engine, facts: Facts, sitting: Sitting, begun: float, cause: Unsettled) -> Unsettled:
    """Give the outputs of a run that cannot go on by itself: what is certain where it belongs, the rest in ``in_doubt.csv``."""
    journal = engine.journal
    journal.begin_in_doubt()
    engine.write_rest()
    engine.outputs.publish()
    report = replace(_report(engine, facts, sitting, begun, finished=False), state=RunState.UNSETTLED)
    folder = journal.folder
    write_whole(folder / REPORT, report.to_json().encode())
    error = Unsettled(
        f"{str(cause).partition(' [')[0]}. Of {report.read:,} rows, {report.in_doubt:,} are left; they are in {folder / IN_DOUBT} with the reason, and the others in the files "
        f"beside it. When you know what became of those in doubt: bulkforce resume {folder} --accept-as sent counts them as sent, whatever the org has; "
        "--accept-as not-sent sends them again, which doubles those that the org has. Either goes on with the rows that were not sent",
        cause.facts,
    )
    error.report = report
    error.__cause__ = cause
    return error


def _report(engine: Engine, facts: Facts, sitting: Sitting, begun: float, *, finished: bool) -> LoadReport:
    tally = engine.outputs.tally
    return LoadReport(
        run=facts.run,
        run_dir=engine.journal.folder,
        state=RunState.FINISHED if finished else RunState.INTERRUPTED,
        operation=facts.operation,
        object=facts.object,
        read=facts.read,
        succeeded=tally.succeeded,
        failed=tally.failed,
        unprocessed=tally.unprocessed,
        rejected=len(facts.rejected),
        in_doubt=tally.in_doubt,
        batches=len(engine.batches),
        bytes=sum(batch.size for batch in engine.batches.values()),
        jobs=tuple(job.id for job in engine.view.jobs.values() if job.id),
        jobs_left_open=tuple(_left_open(job, facts) for job in engine.view.jobs.values() if job.left_open),
        api_calls=sitting.calls(),
        errors=tally.groups(),
        seconds=time.monotonic() - begun,
        stopped_by=None if finished else str(engine.stopped_by),
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


def _clear_results(folder: Path, facts: Facts) -> None:
    """Remove what was only needed to resume; everything in it stands in the outputs."""
    remove_inner(folder / RESULTS)
    if facts.feed_is_ours:
        (folder / facts.feed).unlink(missing_ok=True)


def _clear(folder: Path) -> None:
    """Remove a run that sent nothing; what else is in the folder stays."""
    names = [LOAD, LOAD + "-wal", LOAD + "-shm", FEED, "source.csv", REJECTED, REJECTED + ".part", REPORT]
    for name in names:
        (folder / name).unlink(missing_ok=True)
    remove_inner(folder / RESULTS)
    if not any(folder.iterdir()):
        folder.rmdir()


def folder_of(run: str | Path) -> Path:
    """Find a run by its folder or its id.

    Raises:
        UsageError: There is none.
    """
    for folder in (Path(run), RUNS / run):
        if (folder / LOAD).exists():
            return folder
    raise UsageError(f"There is no run {str(run)!r}, neither as a folder nor in {RUNS.absolute()}; `bulkforce runs` lists them")


def _read_report(folder: Path) -> LoadReport:
    return LoadReport.from_json((folder / REPORT).read_text("utf-8"))


@dataclass(frozen=True, slots=True)
class RunInfo:
    """A run in a list: its id, folder, what it does, and where it stands (a `RunState`, or ``running``, or ``unread``)."""

    run: str
    folder: Path
    what: str
    state: str
    begun: float | None


def runs(folder: Path | None = None) -> list[RunInfo]:
    """List the runs kept in a folder, the oldest first."""
    return [_run_info(path.parent) for path in sorted((folder or RUNS).glob(f"*/{LOAD}"))]


def _run_info(folder: Path) -> RunInfo:
    try:
        journal = Journal(folder)
    except TransferError as error:
        return RunInfo(folder.name, folder, "", "running" if isinstance(error, JournalBusy) else "unreadable", None)
    try:
        facts = journal.facts()
        if facts is None:
            return RunInfo(folder.name, folder, "", "unread", None)
        state = RunState.FINISHED if journal.finished else RunState.INTERRUPTED
        return RunInfo(facts.run, folder, f"{facts.operation} {facts.object} from {facts.source}", state, facts.begun)
    finally:
        journal.close()
