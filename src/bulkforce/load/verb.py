"""`load`: loads a source into an object, exactly once; also `resume` and the list of runs."""

from __future__ import annotations

import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

from bulkforce import arguments
from bulkforce.apis.abc import IngestApi
from bulkforce.errors import (
    Interrupted,
    JournalMismatch,
    SourceChanged,
    Unsettled,
    UsageError,
)
from bulkforce.events import RunBegun, SourceRead
from bulkforce.load import claims, intake
from bulkforce.load import mapping as maps
from bulkforce.load.asking import (
    LoadOptions,
    Objects,
    OnProgress,
    allowance_of,
    api_for,
    check_allowance,
    cost_of,
    planned,
)
from bulkforce.load.batches import JobStage
from bulkforce.load.check import asked_of, on_read_of, read_checked, told_of_stops
from bulkforce.load.cutter import Batch
from bulkforce.load.ending import (
    Run,
    clear_results,
    ended,
    finish,
    finished,
    is_queued,
    left_at_once,
    progress_of,
    stopped,
    unsettled,
)
from bulkforce.load.events import Event
from bulkforce.load.facts import LoadFacts
from bulkforce.load.feed import Feed
from bulkforce.load.journal import LoadJournal
from bulkforce.load.orders import Answer, OpenJob, Order
from bulkforce.load.outputs import Outputs
from bulkforce.load.plan import LoadPlan
from bulkforce.load.report import LoadReport
from bulkforce.load.rules import AcceptAs, Rules
from bulkforce.load.sources import Source, place_of
from bulkforce.load.standing import load_standing
from bulkforce.load.state import View
from bulkforce.load.steps import Steps
from bulkforce.load.unfinished import refuse_second
from bulkforce.load.verdicts import rest_in_doubt
from bulkforce.load.worker import LoadWorker
from bulkforce.run import marks
from bulkforce.run.engine import Engine
from bulkforce.run.files import is_for_everybody
from bulkforce.run.folder import LOAD, RESULTS, RUNS, disk_told, find, new_run
from bulkforce.run.journal import list_runs
from bulkforce.run.report import RunInfo, RunState, note_jobs
from bulkforce.run.sitting import Sitting
from bulkforce.run.waiting import Patience, Remaining, ctrl_c_told, every_so_often
from bulkforce.vocabulary import ConcurrencyMode

LoadEngine: TypeAlias = Engine[View, Order, Answer, Event]


def load(sitting: Sitting, options: LoadOptions) -> LoadReport:
    """Load a source into an object; see `bulkforce.client.Client.load`."""
    begun = time.monotonic()
    api = api_for(sitting, options)
    column_map = maps.read_map(options.mapping)
    arguments.count(options.workers, "The number of workers", 1)
    for flag in ("empty_as_null", "check", "dry_run", "excel"):
        arguments.flag(getattr(options, flag), flag)
    run_dir = None if options.run_dir is None else arguments.path(options.run_dir, "The run's folder")
    on_progress = sitting.watched(options.on_progress, load_standing)
    path = place_of(options.source)
    asked = asked_of(sitting, options, api, column_map)
    if options.dry_run:
        with (
            tempfile.TemporaryDirectory(prefix="bulkforce-") as name,
            disk_told(Path(name)),
            told_of_stops("Nothing was sent"),
        ):
            report, (reading, _) = read_checked(
                sitting, Objects(sitting), asked, options.source, Path(name), on_progress
            )
            plan = planned(sitting, asked, Path(run_dir or RUNS), reading, Path(name), begun)
            return replace(plan, fits=report.fits, costs=report.costs)
    if not arguments.flag(options.new_run, "new_run"):
        refuse_second(asked, run_dir, sitting.warn)
    journal = new_run(
        run_dir,
        api.operation,
        api.object,
        lambda run, folder, made: LoadJournal(folder, replace(asked, run=run), made),
        journal=LOAD,
        # Whoever may not read the source may not read copies of it either.
        private=path is None or not is_for_everybody(path),
        inputs=[Path(given) for given in (path, options.mapping) if isinstance(given, (str, Path))],
    )

    def work() -> LoadReport:
        feed = _take_in(sitting, journal, options.source, on_progress)
        return carry_out(sitting, journal, feed, options.workers, on_progress, begun)

    return begin(sitting, journal, work, is_kept=path is not None)


def begin(sitting: Sitting, journal: LoadJournal, work: Callable[[], LoadReport], *, is_kept: bool) -> LoadReport:
    """Do the work of a new run; if there is nothing to resume, leave no files behind.

    Args:
        sitting: As for a load.
        journal: The run's journal; it is closed at the end.
        work: Reads the source, and loads it.
        is_kept: Whether the source can be read again.
    """
    with disk_told(journal.folder), closing(journal):
        try:
            sitting.trace("journal")
            return sitting.told(_begun(journal), ended, work)
        except Interrupted:
            if not is_kept and journal.facts() is None:
                # A source that was not read to its end cannot be read again.
                journal.clear()
            raise
        except BaseException as error:
            nothing_sent = all(job.stage is JobStage.LOST for job in journal.view().jobs.values())
            if nothing_sent and (isinstance(error, Exception) or not is_kept) and claims.release(journal):
                # There is nothing to resume: leave no files behind.
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
    """Resume a run; see `bulkforce.client.Client.resume`."""
    begun = time.monotonic()
    if workers is not None:
        arguments.count(workers, "The number of workers", 1)
    if accept_as not in (None, "sent", "not-sent"):
        raise UsageError(f"{arguments.shown(accept_as)} is not a value of accept_as; use sent or not-sent")
    folder = folder_of(run)
    with disk_told(folder), closing(LoadJournal(folder)) as journal:
        asked = journal.asked()
        if asked is None:
            raise JournalMismatch(f"The run in {folder} died while it was reading its source. {_LOAD_AGAIN}")
        if journal.finished:
            clear_results(journal)
            return finished(sitting, journal)
        here = sitting.instance_url()
        if asked.instance_url != here:
            raise JournalMismatch(
                f"The run in {folder} belongs to {asked.instance_url}, not to {here}; nothing was touched"
            )
        facts, on_progress = journal.facts(), sitting.watched(on_progress, load_standing)
        if facts is None and asked.path is None:
            raise JournalMismatch(
                f"The run in {folder} died while it was reading its source, "
                f"{asked.source}, which cannot be read a second time. {_LOAD_AGAIN}"
            )

        def work() -> LoadReport:
            if facts is None:
                feed = _take_in(sitting, journal, Path(str(asked.path)), on_progress)
            else:
                with told_of_stops(_go_on(folder)):
                    feed = _confirm(sitting, journal, facts, on_progress)
            claims.claim(journal)
            count = asked.workers if workers is None else workers
            return carry_out(sitting, journal, feed, count, on_progress, begun, accept_as)

        return sitting.told(_begun(journal, resumed=True), ended, work)


def _begun(journal: LoadJournal, *, resumed: bool = False) -> RunBegun:
    asked = journal.asked()
    assert asked is not None
    return RunBegun(
        verb="load",
        run=asked.run,
        run_dir=journal.folder,
        operation=asked.operation,
        object=asked.object,
        resumed=resumed,
    )


_LOAD_AGAIN: Final = "Nothing was sent. Start the load again with another folder; this one can be removed"


def _take_in(sitting: Sitting, journal: LoadJournal, source: Source, on_progress: OnProgress | None) -> Feed:
    """Read the source, and record in the journal what to send."""
    asked = journal.asked()
    assert asked is not None
    with told_of_stops("Nothing was sent" if asked.path is None else f"Nothing was sent. {_go_on(journal.folder)}"):
        _, (reading, facts) = read_checked(
            sitting, Objects(sitting, journal), asked, source, journal.folder, on_progress
        )
        api, batches = api_for(sitting, facts), reading.batches
        cost = cost_of(batches, api)
        check_allowance(cost.batches, cost.api_calls, allowance_of(sitting))
    journal.take_in(facts, reading.batches)
    sitting.trace("journal")
    return intake.feed_of(journal, facts)


def _confirm(sitting: Sitting, journal: LoadJournal, facts: LoadFacts, on_progress: OnProgress | None) -> Feed:
    try:
        return intake.confirm(journal, facts, on_read_of(sitting, on_progress))
    except SourceChanged as error:
        raise SourceChanged(
            f"{error}; nothing was touched. {intake.what_is_left(journal.view(), facts, journal.batches())}"
        ) from error


def _go_on(folder: Path) -> str:
    return f"Go on with: bulkforce resume {folder}"


def carry_out(
    sitting: Sitting,
    journal: LoadJournal,
    feed: Feed,
    workers: int,
    on_progress: OnProgress | None,
    begun: float,
    accept_as: AcceptAs | None = None,
) -> LoadReport:
    """Load what was read, or go on with it, once the journal knows it."""
    facts = journal.facts()
    assert facts is not None
    journal.begin_time(sitting.clock.today)
    journal.make_folder(RESULTS)
    api = api_for(sitting, facts)
    outputs = Outputs(journal.folder, facts.header.encode(), facts.rejected, intake.shape_of(facts), excel=facts.excel)
    batches = {batch.number: batch for batch in journal.batches()}
    worker = LoadWorker(sitting.run, api, batches, feed, outputs, journal.folder, sitting.trace)
    told = every_so_often(on_progress)
    patience = sitting.patience
    rules = Rules(
        workers,
        patience.job_seconds,
        accept_as=accept_as,
        sendings=patience.sendings,
        pause_seconds=patience.pause_seconds,
        job_batches=_job_batches(api, facts, patience),
    )
    view, remaining = journal.view(), Remaining()
    earlier = sum(batch.records for batch in view.batches.values() if batch.fetched)

    def on_change(view: View) -> None:
        sitting.teller.pass_on()
        told(lambda: progress_of(view, outputs, facts, begun, earlier, engine.waits_for(), remaining))

    engine: LoadEngine = Engine(
        LoadPlan(rules),
        worker,
        journal,
        view,
        sitting.pool(workers + 2),
        patience,
        sitting.clock,
        sitting.stop,
        on_change,
        sitting.warn,
        sitting.trace,
        # Another copy of the run, or of its journal, may have got there first.
        guard=lambda orders: marks.go_on(journal) if any(isinstance(order, OpenJob) for order in orders) else None,
        tell=sitting.tell if sitting.teller.is_heard else None,
        step=Steps(outputs.tally),
        queued=is_queued,
    )
    sitting.tell(_source_read(facts, batches))
    run = Run(journal, facts, outputs, engine.state, batches, sitting, begun)
    try:
        if left_behind := marks.begin(journal, accepted=accept_as is not None):
            # Either it stops the run, or the user has decided how to continue.
            if accept_as is None:
                engine.stopped_by = left_behind
            else:
                engine.record(rest_in_doubt(engine.state, left_behind, accept_as))
        try:
            finished = engine.run()
        except KeyboardInterrupt as at_once:
            note_jobs(at_once, left_at_once(run), journal.folder)
            raise
        if isinstance(engine.stopped_by, Unsettled):
            raise unsettled(run, worker, engine.stopped_by)
        if not finished:
            raise stopped(run, engine.stopped_by)
        if on_progress:
            on_progress(progress_of(engine.state, outputs, facts, begun, earlier))
        try:
            with ctrl_c_told():
                _confirm(sitting, journal, facts, on_progress)
                report = finish(run)
        except (OSError, sqlite3.Error, Interrupted) as error:
            if isinstance(error, Interrupted) and journal.finished:
                # Too late to stop this load, whose report is final; the caller may still want to stop.
                raise KeyboardInterrupt from None
            raise stopped(run, error) from error
        sitting.trace("journal")
        clear_results(journal)
    finally:
        outputs.discard()
    return report


def _job_batches(api: IngestApi, facts: LoadFacts, patience: Patience) -> int:
    """Return how many batches a job takes at most."""
    if api.one_batch_a_job:
        return 1
    # Batches of two jobs would run side by side.
    return sys.maxsize if facts.concurrency_mode == ConcurrencyMode.SERIAL else patience.job_batches


def _source_read(facts: LoadFacts, batches: Mapping[int, Batch]) -> SourceRead:
    size = sum(batch.size for batch in batches.values())
    return SourceRead(rows=facts.read, rejected=len(facts.rejected), batches=len(batches), bytes=size)


def folder_of(run: str | Path) -> Path:
    """Find a run by its folder or its id.

    Raises:
        UsageError: There is no such run.
    """
    folder = find(run, LOAD)
    if folder is None:
        raise UsageError(
            f"There is no run {arguments.shown(str(run))}, neither as a folder "
            f"nor in {RUNS.absolute()}; `bulkforce runs` lists the runs there"
        )
    return folder


def runs(folder: Path | None = None) -> list[RunInfo]:
    """List the runs in a folder, the oldest first."""
    return list_runs(folder, LOAD, partial(LoadJournal, migrate=False), info_of)


def info_of(journal: LoadJournal) -> RunInfo:
    """Return the info on a run, given its journal."""
    known, folder = journal.known(), journal.folder
    if not known:
        return RunInfo(folder.name, folder, "", "unread", None)
    state = str(RunState.FINISHED if journal.finished else RunState.INTERRUPTED) if "feed" in known else "unread"
    return RunInfo(
        known["run"], folder, f"{known['operation']} {known['object']} from {known['source']}", state, known["begun"]
    )
