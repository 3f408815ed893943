"""Carries out the plan with threads: thin, and the only place where a load waits.

The thread that called is the only one that decides, journals and writes outputs; workers make exchanges and bring results to disk. A worker
never raises out of here: what it meets becomes events, or a reason to stop. Memory is bounded by ``workers x batch bytes`` and a constant.
"""

from __future__ import annotations

import queue
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Literal, TypeAlias, TypeVar

from bulkforce.errors import (
    Error,
    Facts,
    FormatError,
    Interrupted,
    InvalidRequest,
    JobAborted,
    NotFound,
    NotSent,
    OutcomeUnknown,
    ProtocolError,
    RefusedError,
    SourceChanged,
    TransportError,
    Unavailable,
    UnreadableResults,
    Unsettled,
)
from bulkforce.protocol import bulk1
from bulkforce.protocol.bulk1 import JobSettings
from bulkforce.protocol.exchange import Body
from bulkforce.protocol.flow import Flow, ask
from bulkforce.protocol.info import BatchInfo
from bulkforce.transfer import reconcile, results
from bulkforce.transfer.cutting import Batch
from bulkforce.transfer.events import (
    BatchAbsent,
    BatchAccepted,
    BatchDoubted,
    BatchEnded,
    BatchLeftInDoubt,
    BatchNeverRun,
    BatchRefused,
    BatchSending,
    Event,
    JobAudited,
    JobClosed,
    JobClosing,
    JobListed,
    JobLost,
    JobOpened,
    JobSettled,
    JobWanted,
    ResultsFetched,
    ResultsLost,
    StrangersAccepted,
)
from bulkforce.transfer.feed import Feed
from bulkforce.transfer.files import write_whole
from bulkforce.transfer.journal import Journal, results_file, unreadable_file
from bulkforce.transfer.memory import Seal
from bulkforce.transfer.outputs import Ended, Outputs
from bulkforce.transfer.patience import Patience, interruptible
from bulkforce.transfer.plan import (
    IN_DOUBT,
    Action,
    AuditJob,
    BatchView,
    CloseJob,
    FetchResults,
    JobStage,
    LookAtJob,
    OpenJob,
    Outcome,
    Rules,
    SendBatch,
    SettleJob,
    View,
    apply,
    decide,
    on_resume,
)
from bulkforce.transport.stopping import Stop
from bulkforce.vocabulary import BatchState, ContentType, JobState, Operation

T = TypeVar("T")
AcceptAs: TypeAlias = Literal["sent", "not-sent"]

RESULT_TRIES: Final = 3
"""How often results that cannot be read are fetched before their rows are left in doubt."""
NO_RESULTS: Final = b'"Id","Success","Created","Error"\n'


@dataclass(frozen=True, slots=True)
class Counts:
    """How many records of a batch the org says it processed, and how many of them failed; ``None`` if it does not say."""

    processed: int | None
    failed: int | None

    @classmethod
    def of(cls, info: BatchInfo) -> Counts:
        """Take them from what the org tells of the batch."""
        return cls(info.number_records_processed, info.number_records_failed)


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
        accept_as: What the user says of batches of which it cannot be known whether the org took them; without a word they stop the run.
        mark: Called before a job is asked for: leaves a mark outside the run's folder, and says if there was one that this journal does not know.
        stop: Asks this sitting to stop, from another thread; as Ctrl-C does.
        clock: Tells the time that the age of jobs is taken by, in seconds.
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
    accept_as: AcceptAs | None = None
    stop: Stop = field(default_factory=Stop)
    mark: Callable[[], Unsettled | None] = lambda: None
    clock: Callable[[], float] = time.time
    view: View = field(init=False)
    batches: dict[int, Batch] = field(init=False)
    stopped_by: Exception | None = None
    _firsts: dict[int, int] = field(default_factory=dict)
    _busy: set[Action] = field(default_factory=set)
    #: No SimpleQueue: in CPython 3.11 its get waits for ever when the time is over between two of its looks, as on a busy machine.
    _done: queue.Queue[tuple[Action, list[Event], Exception | None]] = field(default_factory=queue.Queue)
    _begun: float = field(default_factory=time.monotonic)
    _next_look: dict[int, float] = field(default_factory=dict)
    _trouble_since: float | None = None
    _not_before: float = 0.0
    _next_output: int = 1
    _hopeless: bool = False
    _unsettled: dict[Action, Unsettled] = field(default_factory=dict)
    _aborted: set[int] = field(default_factory=set)
    _jobs_lost: int = 0
    _counted: dict[int, Counts] = field(default_factory=dict)
    _unreadable: Counter[int] = field(default_factory=Counter)
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
        if self.stopped_by is None and self._unsettled:
            self.stopped_by = next(iter(self._unsettled.values()))
        return self.view.finished and self.stopped_by is None

    def _at_rest(self) -> bool:
        if self._busy:
            return False
        if self.stopped_by is None:
            # Beside what cannot be settled everything else comes to its end, so that it is known of as many rows as possible.
            return self.view.finished or (bool(self._unsettled) and not self._due(self.clock()))
        # What flew has come down; doubts that can be settled now are, so that resuming is quick.
        return self._hopeless or not self._due(self.clock())

    def _due(self, now: float) -> list[Action]:
        """Say what is to be done, whether or not it is time for it."""
        feeding = self.stopped_by is None and not self._unsettled
        actions = decide(self.view, self._busy, Rules(self.workers, self.patience.job_seconds, feeding=feeding), now)
        if self.stopped_by is not None:
            actions = [action for action in actions if isinstance(action, SettleJob)]
        return [action for action in actions if action not in self._unsettled]

    def _interrupt(self) -> None:
        self.stopped_by = self.stopped_by or Interrupted("stopped by Ctrl-C")

    def _begin(self, pool: ThreadPoolExecutor) -> None:
        self.stopped_by = self.stopped_by or self.stop.asked
        now = time.monotonic()
        if now < self._not_before:
            return
        actions = self._due(self.clock())
        actions = [action for action in actions if not isinstance(action, LookAtJob) or now >= self._look_due(action.job, now)]
        self._record([event for action in actions if (event := _intention(action, self.clock()))])
        if any(isinstance(action, OpenJob) for action in actions) and (left_behind := self.mark()):
            # Another copy of the run, or of its journal, got there first.
            self.stopped_by = self.stopped_by or left_behind
            return
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
            if isinstance(action, OpenJob):
                self._count_lost_jobs(error)
            if isinstance(action, LookAtJob):
                self._next_look[action.job] = time.monotonic() + self._look_pause()
            if isinstance(error, UnreadableResults) and isinstance(action, FetchResults) and self._give_up_results(action.batch, error):
                continue
            if isinstance(error, Unsettled) and isinstance(action, (AuditJob, SettleJob, LookAtJob)):
                self._take_leave_of(action, error)
            else:
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

    def _take_leave_of(self, action: AuditJob | SettleJob | LookAtJob, error: Unsettled) -> None:
        """End what cannot be settled as the user says; without a word it stops the run, once all else has come to its end."""
        if self.accept_as is None:
            self._unsettled[action] = error
            return
        sent = self.accept_as == "sent"
        view, number = self.view, action.job
        doubtful = sorted(view.doubtful.get(number, ()))
        events: list[Event] = []
        match error.why:
            case "strangers":
                events = [StrangersAccepted(number, error.strangers)]
            case "closed":
                events = [JobClosing(number), *self._rest_in_doubt(error)]
            case _:
                gone = error.why == "gone"
                waiting = list(view.waiting.get(number, {}).values()) if gone else []
                lost = [batch for batch in view.fetchable if self._job_of(batch) == number] if gone else []
                events = self._left_in_doubt([*doubtful, *waiting, *lost] if sent else lost, error)
                events += [BatchNeverRun(batch) for batch in waiting if not sent]
                events += [JobClosing(number), JobSettled(number, {}, () if sent else tuple(doubtful)), JobAudited(number)]
        self._record(events)

    def _give_up_results(self, batch: int, error: UnreadableResults) -> bool:
        """Leave a batch in doubt whose results nobody can read, so that the rest of the run comes to its end."""
        self._unreadable[batch] += 1
        if self._unreadable[batch] < RESULT_TRIES:
            return False
        text = f"The org took this row, and what became of it is not known: {_without_facts(error)}"
        self._record([BatchLeftInDoubt(batch, text)])
        return True

    def take_as_copy(self, error: Unsettled) -> None:
        """The run's folder is a copy that was left behind: it stops the run, or is ended as the user says."""
        if self.accept_as is None:
            self.stopped_by = error
        else:
            self._record(self._rest_in_doubt(error))

    def _rest_in_doubt(self, error: Unsettled) -> list[Event]:
        """What this run has not sent, somebody else may have: with the user's word that it was sent it is left so."""
        rest = [*self.view.pending, *(batch for batches in self.view.doubtful.values() for batch in sorted(batches))]
        return self._left_in_doubt(rest if self.accept_as == "sent" else [], error)

    def _left_in_doubt(self, batches: Iterable[int], error: Error) -> list[Event]:
        return [BatchLeftInDoubt(batch, f"It is not known whether the org took this row: {_without_facts(error)}") for batch in batches]

    def _job_of(self, batch: int) -> int | None:
        attempt = self.view.batches[batch].attempt
        return attempt.job if attempt else None

    def _weigh(self, error: Exception | None) -> None:
        """Decide whether a failure is to be waited out or a reason to stop."""
        now = time.monotonic()
        if error is None:
            self._trouble_since = None
            return
        begun = any(job.id or job.left_open for job in self.view.jobs.values())
        if (
            self.stopped_by is None
            and begun
            and isinstance(error, (TransportError, Unavailable, ProtocolError))
            and not getattr(error, "lasting", False)
        ):
            self._trouble_since = self._trouble_since or now
            if now - self._trouble_since < self.patience.trouble_seconds:
                self._not_before = now + self.patience.pause(error, now - self._trouble_since)
                return
        self._hopeless = self.stopped_by is not None or not isinstance(error, JobAborted)
        self.stopped_by = self.stopped_by or error

    def _record(self, events: list[Event]) -> None:
        if events:
            self.journal.record(events)
            self.trace("journal")
            for event in events:
                apply(self.view, event)
                if isinstance(event, JobAudited) and event.aborted:
                    self._aborted.add(event.job)
                self._count_losses(event)

    def _count_lost_jobs(self, error: Exception | None) -> None:
        """A job whose creation never ends well, however often it is asked for, is no passing trouble."""
        lost = error is not None and not isinstance(error, (NotSent, RefusedError))
        self._jobs_lost = self._jobs_lost + 1 if lost else 0
        if self._jobs_lost >= self.patience.sendings:
            self.stopped_by = self.stopped_by or OutcomeUnknown(
                f"A job was asked for {self._jobs_lost} times, and none could be used; as many empty jobs may have been left open. "
                f"The last time: {_without_facts(error)}",
                getattr(error, "facts", None),
            )

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
            if not self._write_output(state, state.outcome):
                self._record([ResultsLost(state.number)])
                return
            self._next_output += 1

    def write_rest(self) -> None:
        """Write what is known of all batches that are not written yet, done or not: for a run that cannot go on by itself."""
        while state := self.view.batches.get(self._next_output):
            if not (state.fetched and state.outcome and self._write_output(state, state.outcome)):
                self._write_output(state, Outcome(IN_DOUBT, self._standing(state)))
            self._next_output += 1

    def _standing(self, state: BatchView) -> str:
        cause = _without_facts(self.stopped_by)
        if state.number in self.view.pending:
            return f"This row was not sent; the run stopped before: {cause}"
        if state.attempt and state.attempt.id:
            return f"The org took this row in batch {state.attempt.id}, and what became of it is not known: {cause}"
        return f"It is not known whether the org took this row: {cause}"

    def _write_output(self, state: BatchView, outcome: Outcome) -> bool:
        """Write what became of a batch, unless its results are not on disk any more as they were."""
        in_doubt, name, content = outcome.state == IN_DOUBT, results_file(state.number), None
        self.feed.check()
        if not in_doubt and self.journal.owns(name):
            content = self.journal.read(name)
            if content is None:
                return False
        ended = Ended(
            state.number,
            self._firsts[state.number],
            state.records,
            self.feed.rows(self.batches[state.number]),
            content,
            outcome.message or "no reason given"
            if in_doubt
            else f"The org did not process this record; its batch is {outcome.state}: {outcome.message or 'no reason given'}",
            whole=outcome.state == BatchState.COMPLETED,
            in_doubt=in_doubt,
        )
        try:
            self.outputs.add(ended)
        except FormatError:
            # Only if an earlier version has fetched them, which did not look at them.
            return False
        return True

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
            case AuditJob(job):
                return self._audit(job), None
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
        stops = info.state is not JobState.CLOSED and job not in self._aborted
        return [*events, JobClosed(job)], _aborted(info.id) if stops else None

    def _settle(self, job: int) -> list[Event]:
        doubtful = {
            number: reconcile.Sent(self.batches[number].sha256, partial(self._content, number))
            for number in self.view.doubtful.get(job, ())
        }
        job_id, known = self._job_id(job), set(self.view.taken.get(job, ()))
        try:
            found = self.run(reconcile.settle(job_id, known, doubtful, self._looks()))
        except NotFound as error:
            raise self._gone(job, error) from error
        strangers = reconcile.strangers_in(job_id, found.strangers) if found.strangers else None
        if strangers and self.accept_as is None:
            raise strangers
        self.trace("settle")
        left = [number for number in sorted(doubtful) if number not in found.adopted]
        events: list[Event] = []
        if strangers:
            events = [StrangersAccepted(job, strangers.strangers)]
            if self.accept_as == "sent":
                # One of them may be ours after all, in a form that cannot be told.
                events += self._left_in_doubt(left, strangers)
                left = []
        return [*events, JobSettled(job, found.adopted, tuple(left))]

    def _content(self, number: int) -> bytes:
        return self.feed.content(self.batches[number])

    def _looks(self) -> reconcile.Looks:
        return reconcile.Looks(self.patience.fence_seconds, self.patience.fence_looks)

    def _audit(self, number: int) -> list[Event]:
        job, known = self.view.jobs[number], frozenset(self.view.taken.get(number, ()))
        doubts = bool(self.view.doubtful.get(number))
        ours_to_close = number in self.view.unaudited and job.stage in {JobStage.OPEN, JobStage.FENCED} and not job.closing
        try:
            closed = job.stage is JobStage.CLOSED
            flow = reconcile.audit(str(job.id), known, self._looks(), doubts=doubts, ours_to_close=ours_to_close, closed=closed)
            info = self.run(flow)
        except NotFound as error:
            if doubts or self.view.waiting.get(number) or any(self._job_of(batch) == number for batch in list(self.view.fetchable)):
                raise self._gone(number, error) from error
            return [JobClosing(number), JobClosed(number), JobAudited(number)]
        return [JobAudited(number, aborted=info.state not in {JobState.OPEN, JobState.CLOSED})]

    def _gone(self, job: int, error: NotFound) -> Unsettled:
        return Unsettled(
            f"The org no longer knows job {self._job_id(job)} (jobs are kept for 7 days): what became of its batches can only be seen in the records "
            "themselves; nothing more is sent",
            error.facts,
            why="gone",
        )

    def _look(self, job: int) -> tuple[list[Event], Exception | None]:
        job_id = self._job_id(job)
        # Before the list: what is accepted while that is on its way need not be in it.
        waiting = dict(self.view.waiting.get(job, {}))
        try:
            listed = {batch.id: batch for batch in self.run(ask(bulk1.get_all_batches(job_id)))}
        except NotFound as error:
            raise self._gone(job, error) from error
        missing = [batch_id for batch_id in waiting if batch_id not in listed]
        if missing:
            raise ProtocolError(
                f"The org's list lacks batch {missing[0]}, which it has accepted", Facts(job_id=job_id, batch_id=missing[0])
            )
        unknown = frozenset(listed) - self.view.taken.get(job, set())
        events: list[Event] = [JobListed(job, unknown)] if unknown else []
        events += [_end_of(number, listed[batch_id]) for batch_id, number in waiting.items() if listed[batch_id].state.is_final]
        self._counted.update(
            {waiting[batch_id]: Counts.of(info) for batch_id, info in listed.items() if batch_id in waiting and info.state.is_final}
        )
        if any(isinstance(event, BatchNeverRun) for event in events):
            state = self.run(ask(bulk1.get_job_info(job_id))).state
            if state not in {JobState.ABORTED, JobState.FAILED}:
                raise ProtocolError(
                    f"The org says that a batch was not processed, which happens to batches of a job that was aborted, and that the job is {state}",
                    Facts(job_id=job_id),
                )
            return [*events, JobClosed(job)], None if job in self._aborted else _aborted(job_id)
        return events, None

    def _unreadable_results(self, number: int, content: bytes, problem: str) -> UnreadableResults:
        attempt = self.view.batches[number].attempt
        assert attempt is not None
        text = f"The results of batch {attempt.id} of job {self._job_id(attempt.job)} cannot be read: {problem}"
        if self._unreadable[number] + 1 >= RESULT_TRIES:
            path = self.journal.folder / unreadable_file(number)
            write_whole(path, content)
            text += f". They were fetched {RESULT_TRIES} times; as they came they are in {path}"
        return UnreadableResults(text, Facts(job_id=self._job_id(attempt.job), batch_id=attempt.id))

    def _counts(self, number: int) -> Counts:
        """Say what the org counts of a batch; a sitting that did not see it end looks again."""
        counts = self._counted.get(number)
        if counts is None:
            attempt = self.view.batches[number].attempt
            assert attempt is not None
            counts = Counts.of(self.run(ask(bulk1.get_batch_info(self._job_id(attempt.job), str(attempt.id)))))
        return counts

    def _fetch(self, number: int) -> list[Event]:
        state = self.view.batches[number]
        assert state.attempt is not None
        exchange = bulk1.get_raw_result(self._job_id(state.attempt.job), str(state.attempt.id), ContentType.CSV)
        whole = state.outcome is not None and state.outcome.state == BatchState.COMPLETED
        try:
            answer = self.run(ask(exchange))
        except InvalidRequest:
            # A batch that failed in the middle may have results for what it did, or none; the org itself says so, a stranger's 400 is `Intercepted`.
            if whole:
                raise
            if processed := self._counts(number).processed:
                raise self._unreadable_results(number, b"", f"the org processed {processed:,} records and gives no results") from None
            content = NO_RESULTS
        else:
            content = answer.body
        failed = self._counts(number).failed if whole else None
        inserted = self.settings.operation is Operation.INSERT
        if problem := results.check(content, state.records, whole=whole, failed=failed, inserted=inserted):
            raise self._unreadable_results(number, content, problem)
        write_whole(self.journal.folder / results_file(number), content)
        self.trace("fetch")
        seal = Seal.of(content)
        return [ResultsFetched(number, seal.size, seal.sha256)]


# The org finds the batch's bytes wrong, and would find so again. Everything else is about the job, the session or the org.
_CONTENT_IS_WRONG: Final = frozenset({"InvalidBatch", "ClientInputError", "UnsupportedContentType"})


def _without_facts(error: Exception | None) -> str:
    return error.text if isinstance(error, Error) else str(error)


def _aborted(job_id: str) -> JobAborted:
    return JobAborted(f"Job {job_id} was aborted or failed in the org. Resuming sends what has not run in a new job", Facts(job_id=job_id))


def _intention(action: Action, now: float) -> Event | None:
    match action:
        case OpenJob(job):
            return JobWanted(job, now)
        case SendBatch(batch, job):
            return BatchSending(batch, job)
        case CloseJob(job) | SettleJob(job):
            return JobClosing(job)
        case _:
            return None


def _after_failure(action: Action, error: Exception) -> list[Event]:
    """Say what a failure leaves behind. Only what certainly did not reach the org, or was refused by it, may be sent again."""
    match action:
        case OpenJob(job):
            return [JobLost(job, left_open=not isinstance(error, (NotSent, RefusedError)))]
        case SendBatch(batch, _):
            return [BatchAbsent(batch) if isinstance(error, (NotSent, RefusedError, SourceChanged)) else BatchDoubted(batch)]
        case _:
            return []


def _end_of(number: int, info: BatchInfo) -> Event:
    if info.state is BatchState.NOT_PROCESSED and not info.number_records_processed:
        return BatchNeverRun(number)
    # A batch that failed may have results for what it did, whatever it counts.
    return BatchEnded(number, info.state, info.state_message, has_results=True)
