"""Deliver every record of a query to the sink, and prove that none is missing."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from bulkforce.apis.abc import QueryApi
from bulkforce.errors import (
    Error,
    FellShort,
    Intercepted,
    JobAborted,
    NotAuthenticated,
    TransportError,
)
from bulkforce.extract import result_file
from bulkforce.extract.ending import is_queued
from bulkforce.extract.events import BatchStage, Event, QueryJobStage
from bulkforce.extract.journal import ExtractJournal
from bulkforce.extract.orders import Answer, EndJob, Order, prepare
from bulkforce.extract.plan import ExtractPlan
from bulkforce.extract.rules import Rules
from bulkforce.extract.seen import check_ranges
from bulkforce.extract.sinks import Sink
from bulkforce.extract.state import State
from bulkforce.extract.steps import Steps
from bulkforce.extract.verdicts import answered
from bulkforce.extract.worker import ExtractSettings, ExtractWorker
from bulkforce.run.engine import Engine
from bulkforce.run.folder import PARTS
from bulkforce.run.sitting import Sitting
from bulkforce.run.waiting import ctrl_c_told


def bring(
    sitting: Sitting,
    api: QueryApi,
    journal: ExtractJournal,
    state: State,
    asked: ExtractSettings,
    rules: Rules,
    sink: Sink,
    on_change: Callable[[State, str | None], None],
) -> Exception | None:
    """Deliver every record to the sink, and prove that none is missing.

    Returns:
        Why it stopped, if it did.
    """
    folder = journal.folder / PARTS
    worker = ExtractWorker(sitting, api, asked, folder, sink)

    def changed(state: State) -> None:
        sitting.teller.pass_on()
        on_change(state, engine.waits_for())

    engine: Engine[State, Order, Answer, Event] = Engine(
        ExtractPlan(rules),
        worker,
        journal,
        state,
        sitting.pool(rules.workers + 3),
        sitting.patience,
        sitting.clock,
        sitting.stop,
        changed,
        sitting.warn,
        sitting.trace,
        tell=sitting.tell if sitting.teller.is_heard else None,
        step=Steps(),
        queued=is_queued,
    )
    try:
        with ctrl_c_told():
            engine.record(_spoilt(state, folder))
        if engine.run():
            with ctrl_c_told():
                engine.stopped_by = _audit(sitting, state, worker)
                if engine.stopped_by is None:
                    worker.finish_sink()
    except (Error, OSError, sqlite3.Error) as error:
        engine.stopped_by = error
    if engine.stopped_by is not None:
        _part_from_jobs(engine, worker, rules, engine.stopped_by, keep_parts=asked.keep_parts)
    return engine.stopped_by


def _spoilt(state: State, folder: Path) -> list[Event]:
    """Find parts that are missing or changed on disk; they are fetched again."""
    spoilt: list[Event] = []
    for batch in state.counting:
        for part in state.parts_of(batch.number):
            fetched = result_file.Fetched(part.rows, part.size, part.sha256)
            if part.done and part.rows and not result_file.is_whole(folder / part.file, fetched):
                spoilt += [replace(batch, stage=BatchStage.FETCHING), replace(part, done=False)]
    return spoilt


def _audit(sitting: Sitting, state: State, worker: ExtractWorker) -> Error | None:
    """Before publishing, check that the sink has every record and the chunks fit together, and count the records if the
    org did not say how many.
    """
    if worker.delivered != state.rows:
        return FellShort(
            f"{state.rows:,} records were fetched, but {worker.delivered:,} were written: a bug; please report it"
        )
    error, warning = check_ranges(state)
    if warning:
        sitting.warn(warning)
    if state.untold and error is None:
        worker.count(state)
    return error


def _part_from_jobs(
    engine: Engine[State, Order, Answer, Event],
    worker: ExtractWorker,
    rules: Rules,
    reason: Exception,
    *,
    keep_parts: bool,
) -> None:
    """Close open jobs as far as possible, except a query that is worth coming back to, so that it can be resumed."""
    if isinstance(reason, (TransportError, Intercepted, NotAuthenticated, sqlite3.Error)):
        return
    state = engine.state
    for job in [state.jobs[number] for number in sorted(state.unended)]:
        lasts = job.stage is QueryJobStage.ASKED and (job.chunking is not None or worker.ends_alone) and keep_parts
        if job.id is None or (lasts and not isinstance(reason, JobAborted)):
            continue
        with suppress(Error, OSError, sqlite3.Error):
            order = prepare(state, EndJob(job.number))
            assert isinstance(order, EndJob)
            close = order.close and (keep_parts or not state.running.get(job.number))
            worker.end(replace(order, close=close, chunks=None))
            engine.record(answered(state, order, None, rules).events)
