"""Carries out the plan with threads: thin, and the only place where a load waits.

The thread that called is the only one that decides, journals and writes outputs; workers make exchanges and bring results to disk. A worker
never raises out of here: what it meets becomes events, or a reason to stop. Memory is bounded by ``workers x batch bytes`` and a constant.
"""

from __future__ import annotations

import queue
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

from bulkforce.errors import (
    Error,
    Facts,
    Interrupted,
    InvalidRequest,
    JobAborted,
    NoAnswer,
    NotFound,
    NotSent,
    OutcomeUnknown,
    ProtocolError,
    RefusedError,
    SourceChanged,
    TransportError,
    Unavailable,
    Unsettled,
)
from bulkforce.formats import csv
from bulkforce.protocol import bulk1
from bulkforce.protocol.bulk1 import JobSettings
from bulkforce.protocol.exchange import Body
from bulkforce.protocol.flow import Flow, ask
from bulkforce.protocol.info import BatchInfo
from bulkforce.transfer import reconcile
from bulkforce.transfer.cutting import Batch
from bulkforce.transfer.events import (
    BatchAbsent,
    BatchAccepted,
    BatchDoubted,
    BatchEnded,
    BatchNeverRun,
    BatchRefused,
    BatchSending,
    Event,
    JobClosed,
    JobLost,
    JobOpened,
    JobSettled,
    JobWanted,
    ResultsFetched,
)
from bulkforce.transfer.feed import Feed
from bulkforce.transfer.files import write_whole
from bulkforce.transfer.journal import Journal
from bulkforce.transfer.outputs import Ended, Outputs
from bulkforce.transfer.patience import Patience, interruptible
from bulkforce.transfer.plan import (
    Action,
    CloseJob,
    FetchResults,
    JobStage,
    LookAtJob,
    OpenJob,
    Rules,
    SendBatch,
    SettleJob,
    View,
    apply,
    decide,
    on_resume,
)
from bulkforce.transport.stopping import Stop
from bulkforce.vocabulary import BatchState, ContentType, JobState

T = TypeVar("T")

RESULTS: Final = "results"
NO_RESULTS: Final = b'"Id","Success","Created","Error"\n'
_LONGEST_ASKED_SECONDS: Final = 300.0
"""An org that asks for a longer pause is looked at again all the same."""


@dataclass(slots=True)
class Engine:
    """One sitting of one load.

    Attributes:
        run: Runs a flow.
        journal: The run's memory.
        settings: What jobs are created with.
        feed: Where batches come from.
        outputs: Where results go.
        workers: Uploads and downloads at once.
        patience: How to wait.
        on_change: Told after each step, for progress.
        trace: Told of each effect on the outside world just after it has happened, by name.
        gone: Jobs that were already aborted when this sitting began: what never ran in them is sent in another, and is no reason to stop again.
        stop: Asks this sitting to stop, from another thread; as Ctrl-C does.
    """

    run: Callable[[Flow[T]], T]
    journal: Journal
    settings: JobSettings
    feed: Feed
    outputs: Outputs
    workers: int
    patience: Patience
    on_change: Callable[[View], None]
    trace: Callable[[str], None] = lambda _effect: None
    gone: frozenset[int] = frozenset()
    stop: Stop = field(default_factory=Stop)
    view: View = field(init=False)
    batches: dict[int, Batch] = field(init=False)
    stopped_by: Exception | None = None
    _firsts: dict[int, int] = field(default_factory=dict)
    _busy: set[Action] = field(default_factory=set)
    _done: queue.SimpleQueue[tuple[Action, list[Event], Exception | None]] = field(default_factory=queue.SimpleQueue)
    _begun: float = field(default_factory=time.monotonic)
    _next_look: dict[int, float] = field(default_factory=dict)
    _trouble_since: float | None = None
    _not_before: float = 0.0
    _next_output: int = 1
    _hopeless: bool = False
    _doubts_first: bool = False
    _losses: Counter[int] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.view = self.journal.view()
        self.batches = {batch.number: batch for batch in self.journal.batches()}
        first = 1
        for batch in self.batches.values():
            self._firsts[batch.number] = first
            first += batch.records

    def carry_out(self) -> bool:
        """Go on until every batch is done or there is a reason to stop; ``stopped_by`` holds it.

        Returns:
            Whether everything is done.
        """
        self._record(on_resume(self.view))
        # What an earlier sitting left in doubt is settled before anything more is sent.
        self._doubts_first = bool(self.view.doubtful)
        pool = ThreadPoolExecutor(self.workers + 2, "bulkforce")
        try:
            with interruptible(self._interrupt):
                self._write_outputs()
                while not self._at_rest():
                    self._begin(pool)
                    self._take_in()
                    self.on_change(self.view)
        except (Error, OSError, sqlite3.Error) as error:
            # The journal or an output could not be written. What flies comes down; resuming finds out what became of it.
            self.stopped_by = error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        pool.shutdown()
        return self.view.finished and self.stopped_by is None

    def _at_rest(self) -> bool:
        if self._busy:
            return False
        if self.stopped_by is None:
            return self.view.finished and not any(job.stage is JobStage.OPEN for job in self.view.jobs.values())
        # What flew has come down; doubts that can be settled now are, so that resuming is quick.
        return self._hopeless or not self.view.doubtful

    def _interrupt(self) -> None:
        self.stopped_by = self.stopped_by or Interrupted("stopped by Ctrl-C")

    def _begin(self, pool: ThreadPoolExecutor) -> None:
        self.stopped_by = self.stopped_by or self.stop.asked
        now = time.monotonic()
        if now < self._not_before:
            return
        self._doubts_first = self._doubts_first and bool(self.view.doubtful)
        rules = Rules(self.workers, self.patience.job_seconds, feeding=self.stopped_by is None and not self._doubts_first)
        actions = decide(self.view, self._busy, rules, time.time())
        if self.stopped_by is not None:
            actions = [action for action in actions if isinstance(action, SettleJob)]
        actions = [action for action in actions if not isinstance(action, LookAtJob) or now >= self._look_due(action.job, now)]
        self._record([event for action in actions if (event := _intention(action))])
        for action in actions:
            try:
                pool.submit(self._work, action)
            except RuntimeError:
                # Python itself is ending, and takes no more work; what was intended is in doubt for whoever resumes.
                self.stopped_by, self._hopeless = self.stopped_by or Interrupted("the program is ending"), True
                return
            self._busy.add(action)

    def _work(self, action: Action) -> None:
        try:
            events, error = self._perform(action)
        except Exception as raised:  # noqa: BLE001  (the engine's edge: whatever a worker meets is weighed by the deciding thread)
            events, error = _after_failure(action, raised), raised
        self._done.put((action, events, error))

    def _take_in(self) -> None:
        """Wait until something is done, or it is time to look again; then journal all that has come."""
        try:
            arrived = [self._done.get(timeout=self._pause())]
        except queue.Empty:
            return
        while not self._done.empty():
            arrived.append(self._done.get())
        self._record([event for _, events, _ in arrived for event in events])
        for action, _, error in arrived:
            self._busy.discard(action)
            if isinstance(action, LookAtJob):
                self._next_look[action.job] = time.monotonic() + self._look_pause()
            self._weigh(error)
        self._write_outputs()

    def _pause(self) -> float:
        now = time.monotonic()
        due = [self._look_due(job, now) for job, waiting in self.view.waiting.items() if waiting and LookAtJob(job) not in self._busy]
        if self._not_before > now:
            due = [self._not_before]
        return min(max(min(due, default=now + 0.5) - now, 0.001), 0.5)

    def _look_due(self, job: int, now: float) -> float:
        return self._next_look.setdefault(job, now + self._look_pause())

    def _look_pause(self) -> float:
        share = (time.monotonic() - self._begun) * self.patience.look_share
        return min(max(share, self.patience.look_seconds), self.patience.look_longest_seconds)

    def _weigh(self, error: Exception | None) -> None:
        """Decide whether a failure is to be waited out or a reason to stop."""
        now = time.monotonic()
        if error is None:
            self._trouble_since = None
            return
        begun = self.stopped_by is None and any(job.id for job in self.view.jobs.values())
        if begun and isinstance(error, (TransportError, Unavailable, ProtocolError)) and not getattr(error, "lasting", False):
            self._trouble_since = self._trouble_since or now
            if now - self._trouble_since < self.patience.trouble_seconds:
                asked = min(getattr(error, "retry_after_seconds", None) or 0.0, _LONGEST_ASKED_SECONDS)
                self._not_before = now + max(min(self.patience.pause_seconds + (now - self._trouble_since) / 4, 30.0), asked)
                return
        self._hopeless = self.stopped_by is not None or not isinstance(error, JobAborted)
        self.stopped_by = self.stopped_by or error

    def _record(self, events: list[Event]) -> None:
        if events:
            self.journal.record(events)
            self.trace("journal")
            for event in events:
                apply(self.view, event)
                self._count_losses(event)

    def _count_losses(self, event: Event) -> None:
        """A batch that never arrives, however often it is sent, is no passing trouble; the first time it is sent again at once."""
        absent = event.absent if isinstance(event, JobSettled) else ()
        self._losses.update(absent)
        for batch in absent:
            if self._losses[batch] > 1:
                self._not_before = max(self._not_before, time.monotonic() + self.patience.pause_seconds * 4 ** (self._losses[batch] - 2))
            if self._losses[batch] >= self.patience.sendings:
                self.stopped_by = self.stopped_by or NotSent(
                    f"Batch {batch} was sent {self._losses[batch]} times and never arrived; does something on the way cut uploads of "
                    f"{self.batches[batch].size:,} bytes? Smaller batches may pass"
                )

    def _write_outputs(self) -> None:
        """Write the batches that are done, in order, as far as there is no gap."""
        while (state := self.view.batches.get(self._next_output)) and state.fetched and state.outcome:
            batch = self.batches[state.number]
            self.feed.check()
            results = self.results_path(state.number)
            self.outputs.add(
                Ended(
                    state.number,
                    self._firsts[state.number],
                    state.records,
                    self.feed.rows(batch),
                    results.read_bytes() if results.exists() else None,
                    f"The org did not process this record; its batch is {state.outcome.state}: {state.outcome.message or 'no reason given'}",
                    whole=state.outcome.state == BatchState.COMPLETED,
                )
            )
            self._next_output += 1

    def results_path(self, number: int) -> Path:
        """Say where the results of a batch are kept."""
        return self.journal.folder / RESULTS / f"{number:06}.csv"

    def _perform(self, action: Action) -> tuple[list[Event], Exception | None]:
        match action:
            case OpenJob(job):
                return self._open(job)
            case SendBatch(batch, job):
                return self._send(batch, job)
            case SettleJob(job):
                return self._settle(job), None
            case CloseJob(job):
                return self._close(job), None
            case LookAtJob(job):
                return self._look(job)
            case FetchResults(batch):
                return self._fetch(batch), None

    def _job_id(self, job: int) -> str:
        return str(self.view.jobs[job].id)

    def _open(self, job: int) -> tuple[list[Event], Exception | None]:
        info = self.run(ask(bulk1.create_job(self.settings)))
        self.trace("open")
        return [JobOpened(job, info.id)], None

    def _close(self, job: int) -> list[Event]:
        # A job that was purged takes no more batches either.
        with suppress(NotFound):
            self.run(reconcile.close_for_good(self._job_id(job)))
        self.trace("close")
        return [JobClosed(job)]

    def _send(self, number: int, job: int) -> tuple[list[Event], Exception | None]:
        body = Body.of(self.feed.content(self.batches[number]))
        try:
            info = self.run(ask(bulk1.add_batch(self._job_id(job), ContentType.CSV, body)))
        except (OutcomeUnknown, ProtocolError) as error:
            return [BatchDoubted(number)], error if getattr(error, "retry_after_seconds", None) else None
        except RefusedError as error:
            if error.code == "InvalidJobState" or "not Open" in str(error.message):
                return self._job_taken_away(number, job)
            if error.code in _CONTENT_IS_WRONG:
                return [BatchRefused(number, f"{error.code}: {error.message}")], None
            raise
        finally:
            self.trace("send")
        return [BatchAccepted(number, info.id)], None

    def _job_taken_away(self, number: int, job: int) -> tuple[list[Event], Exception | None]:
        """The job is not open although we did not close it: rolled over if it was closed, stopped if it was aborted."""
        info = self.run(ask(bulk1.get_job_info(self._job_id(job))))
        events: list[Event] = [BatchAbsent(number)]
        if info.state is JobState.OPEN:
            return events, Unavailable("The org says that the job is open, and refuses a batch because it is not", Facts(job_id=info.id))
        stops = info.state is not JobState.CLOSED and job not in self.gone
        return [*events, JobClosed(job)], _aborted(info.id) if stops else None

    def _settle(self, job: int) -> list[Event]:
        doubtful = {number: self.batches[number].sha256 for number in self.view.doubtful.get(job, ())}
        known = set(self.view.taken.get(job, ()))
        job_id = self._job_id(job)
        try:
            adopted = self.run(reconcile.settle(job_id, known, doubtful, lambda number: self.feed.content(self.batches[number])))
        except NotFound as error:
            raise Unsettled(
                f"The org no longer knows job {job_id} (jobs are kept for 7 days), so it cannot be known whether it took batches "
                f"{sorted(doubtful)}; nothing more is sent",
                error.facts,
            ) from error
        self.trace("settle")
        return [JobSettled(job, adopted, tuple(number for number in sorted(doubtful) if number not in adopted))]

    def _look(self, job: int) -> tuple[list[Event], Exception | None]:
        job_id = self._job_id(job)
        # Before the list: what is accepted while that is on its way need not be in it.
        waiting = dict(self.view.waiting.get(job, {}))
        try:
            listed = {batch.id: batch for batch in self.run(ask(bulk1.get_all_batches(job_id)))}
        except NotFound as error:
            raise NotFound(
                f"The org no longer knows job {job_id}: results are kept for 7 days. What became of its batches can only be seen in the records themselves",
                error.facts,
            ) from error
        missing = [batch_id for batch_id in waiting if batch_id not in listed]
        if missing:
            raise ProtocolError(
                f"The org's list lacks batch {missing[0]}, which it has accepted", Facts(job_id=job_id, batch_id=missing[0])
            )
        events: list[Event] = [_end_of(number, listed[batch_id]) for batch_id, number in waiting.items() if listed[batch_id].state.is_final]
        if any(isinstance(event, BatchNeverRun) for event in events):
            return [*events, JobClosed(job)], None if job in self.gone else _aborted(job_id)
        return events, None

    def _fetch(self, number: int) -> list[Event]:
        state = self.view.batches[number]
        assert state.attempt is not None
        exchange = bulk1.get_raw_result(self._job_id(state.attempt.job), str(state.attempt.id), ContentType.CSV)
        try:
            answer = self.run(ask(exchange))
        except InvalidRequest:
            # A batch that failed in the middle may have results for what it did, or none; the org itself says so, a stranger's 400 is `Intercepted`.
            if state.outcome is None or state.outcome.state == BatchState.COMPLETED:
                raise
            content = NO_RESULTS
        else:
            content = answer.body
        if state.outcome and state.outcome.state == BatchState.COMPLETED and csv.count(content) <= state.records:
            raise NoAnswer(f"The results of batch {state.attempt.id} end before their end", Facts(batch_id=state.attempt.id))
        write_whole(self.results_path(number), content)
        self.trace("fetch")
        return [ResultsFetched(number)]


# The org finds the batch's bytes wrong, and would find so again. Everything else is about the job, the session or the org.
_CONTENT_IS_WRONG: Final = frozenset({"InvalidBatch", "ClientInputError", "UnsupportedContentType"})


def _aborted(job_id: str) -> JobAborted:
    return JobAborted(f"Job {job_id} was aborted or failed in the org. Resuming sends what has not run in a new job", Facts(job_id=job_id))


def _intention(action: Action) -> Event | None:
    match action:
        case OpenJob(job):
            return JobWanted(job, time.time())
        case SendBatch(batch, job):
            return BatchSending(batch, job)
        case _:
            return None


def _after_failure(action: Action, error: Exception) -> list[Event]:
    """Say what a failure leaves behind. Only what certainly did not reach the org, or was refused by it, may be sent again."""
    match action:
        case OpenJob(job):
            return [JobLost(job)]
        case SendBatch(batch, _):
            return [BatchAbsent(batch) if isinstance(error, (NotSent, RefusedError, SourceChanged)) else BatchDoubted(batch)]
        case _:
            return []


def _end_of(number: int, info: BatchInfo) -> Event:
    if info.state is BatchState.NOT_PROCESSED and not info.number_records_processed:
        return BatchNeverRun(number)
    has_results = info.state is BatchState.COMPLETED or bool(info.number_records_processed)
    return BatchEnded(number, info.state, info.state_message, has_results)
