"""Carries out an extract with threads: thin, and the only place where an extract waits.

The thread that called is the only one that decides and journals; workers make exchanges, bring parts to disk and hand them to the sink. What a
worker meets becomes a change of the state, or a reason to stop. Memory is bounded by ``workers x 1 MB`` and a constant.
"""

from __future__ import annotations

import queue
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from bulkforce.errors import (
    Error,
    Facts,
    FormatError,
    Intercepted,
    Interrupted,
    InvalidRequest,
    JobAborted,
    NoAnswer,
    NotAuthenticated,
    NotFound,
    OutcomeUnknown,
    ProtocolError,
    RefusedError,
    TransportError,
    Unavailable,
)
from bulkforce.protocol import bulk1, rest
from bulkforce.protocol.bulk1 import PKChunking
from bulkforce.protocol.exchange import Body, Stream
from bulkforce.protocol.flow import Flow, ask
from bulkforce.protocol.info import BatchInfo, JobInfo
from bulkforce.run.patience import interruptible
from bulkforce.run.sitting import Sitting
from bulkforce.transfer import chunks, parts, reconcile, soql
from bulkforce.transfer.columns import Column
from bulkforce.transfer.extract_journal import ExtractJournal
from bulkforce.transfer.extract_plan import (
    TRIES,
    Outcome,
    Rules,
    answered,
    check_ranges,
    decide,
    refused,
    take_up,
)
from bulkforce.transfer.extract_state import (
    Action,
    AskQuery,
    Batch,
    BatchStage,
    Deliver,
    EndJob,
    FetchPart,
    Job,
    JobStage,
    ListResults,
    LookAtJob,
    OpenJob,
    Part,
    ReadRange,
    State,
    Thing,
)
from bulkforce.transfer.folder import PARTS
from bulkforce.transfer.sinks import Sink
from bulkforce.transport.stopping import Stop
from bulkforce.vocabulary import BatchState, ContentType, JobState, Operation

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked, besides the query itself.

    Attributes:
        operation: ``query`` or ``queryAll``.
        object: The object behind FROM.
        may_chunk: Whether to fall back to PK chunking when the query is too large for one batch, and to do without where the org refuses it.
        columns: Tells the columns by their names.
        names: Of the columns, as they were selected: for an extract that finds nothing.
        workers: Downloads at once.
        ahead_bytes: Bytes that may lie on disk undelivered before downloads wait for the reader; ``None`` is no limit.
        keep_parts: Whether parts stay on disk after they were delivered, so that the run can be resumed.
    """

    operation: str
    object: str
    may_chunk: bool
    columns: Callable[[Sequence[str]], Sequence[Column]]
    names: Sequence[str]
    workers: int
    ahead_bytes: int | None = None
    keep_parts: bool = True


@dataclass(slots=True)
class ExtractEngine:
    """One sitting of one extract.

    Attributes:
        sitting: Runs flows; how to wait.
        journal: The run's memory.
        asked: What is asked.
        sink: Where rows go.
        on_change: Told after each step, for progress.
    """

    sitting: Sitting
    journal: ExtractJournal
    asked: Asked
    sink: Sink
    on_change: Callable[[State], None]
    state: State = field(init=False)
    stopped_by: Exception | None = None
    _busy: set[Action] = field(default_factory=set)
    #: No SimpleQueue; see `Engine`.
    _done: queue.Queue[tuple[Action, object, Exception | None]] = field(default_factory=queue.Queue)
    _begun: float = field(default_factory=time.monotonic)
    _next_look: dict[int, float] = field(default_factory=dict)
    _trouble_since: float | None = None
    _not_before: float = 0.0
    _sink_begun: bool = False
    _files_end: bool = False

    def __post_init__(self) -> None:
        self.state = self.journal.state()

    @property
    def folder(self) -> Path:
        """Where parts are kept."""
        return self.journal.folder / PARTS

    def carry_out(self) -> bool:
        """Go on until every row is delivered or there is a reason to stop; ``stopped_by`` holds it.

        Returns:
            Whether everything is done.
        """
        pool = ThreadPoolExecutor(self.asked.workers + 3, "bulkforce")
        try:
            with interruptible(self._interrupt):
                self._take_up()
                while not self._at_rest():
                    self._begin(pool)
                    self._take_in()
                    self.on_change(self.state)
                if self.stopped_by is None:
                    self._audit()
                if self.stopped_by is None:
                    self._begin_sink(self.asked.names)
                    self.sink.finish()
                    self.sitting.trace("publish")
        except (Error, OSError, sqlite3.Error) as error:
            self.stopped_by = error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        pool.shutdown()
        if self.stopped_by is not None:
            self._part_from_jobs(self.stopped_by)
        return self.stopped_by is None

    def _interrupt(self) -> None:
        self.stopped_by = self.stopped_by or Interrupted("stopped by Ctrl-C")

    @property
    def _rules(self) -> Rules:
        asked = self.asked
        return Rules(asked.workers, asked.ahead_bytes, asked.may_chunk, goes_on=asked.keep_parts, sendings=self.sitting.patience.sendings)

    def _take_up(self) -> None:
        """After a death: see `take_up`; and parts that are not on disk as they were are fetched again."""
        self._take([Outcome(take_up(self.state))])
        spoilt: list[Thing] = []
        for batch in self.state.counting:
            for part in self.state.parts_of(batch.number):
                fetched = parts.Fetched(part.rows, part.size, part.sha256)
                if part.done and part.rows and not parts.is_whole(self.folder / part.file, fetched):
                    spoilt += [replace(batch, stage=BatchStage.FETCHING), replace(part, done=False)]
        self._take([Outcome(spoilt)])

    def _at_rest(self) -> bool:
        return not self._busy and (self.stopped_by is not None or (self.state.complete and not self.state.unended))

    def _begin(self, pool: ThreadPoolExecutor) -> None:
        self.stopped_by = self.stopped_by or self.sitting.stop.asked
        now = time.monotonic()
        if self.stopped_by is not None or now < self._not_before:
            return
        actions = decide(self.state, self._busy, self._rules)
        if not actions and not self._busy and self.state.given_up:
            # All the rest is there.
            self.stopped_by = next(iter(self.state.given_up.values()))
            return
        for action in actions:
            if isinstance(action, LookAtJob) and now < self._look_due(action.job, now):
                continue
            try:
                pool.submit(self._work, action, self._task(action))
            except RuntimeError:
                # Python itself is ending, and takes no more work.
                self.stopped_by = self.stopped_by or Interrupted("the program is ending")
                return
            self._busy.add(action)
            self.state.delivering = self.state.delivering or isinstance(action, Deliver)

    def _work(self, action: Action, task: Callable[[], object]) -> None:
        value: object = None
        failure: Exception | None = None
        try:
            value = task()
        except Exception as raised:  # noqa: BLE001  (the engine's edge: whatever a worker meets is weighed by the deciding thread)
            failure = raised
        self._done.put((action, value, failure))

    def _take_in(self) -> None:
        """Wait until something is done, or it is time to look again; then journal all that has come."""
        try:
            arrived = [self._done.get(timeout=self._pause())]
        except queue.Empty:
            return
        while not self._done.empty():
            arrived.append(self._done.get())
        self._take(self._outcome(action, value, error) for action, value, error in arrived)

    def _outcome(self, action: Action, value: object, error: Exception | None) -> Outcome:
        self._busy.discard(action)
        if isinstance(action, LookAtJob):
            self._next_look[action.job] = time.monotonic() + self._look_pause()
        if error is not None:
            return refused(self.state, action, error, self._rules)
        self._trouble_since = None
        if isinstance(action, Deliver):
            self.state.move_on(action)
        return answered(self.state, action, value, self._rules)

    def _take(self, outcomes: Iterable[Outcome]) -> None:
        """Take in what became of actions; each may stand on those before it."""
        changed: list[Thing] = []
        for outcome in outcomes:
            changed += outcome.things
            for thing in outcome.things:
                self.state.put(thing)
            if outcome.given_up:
                self.state.give_up(*outcome.given_up)
            if outcome.warning:
                self.sitting.warn(outcome.warning)
            if outcome.trouble:
                self._weigh(outcome.trouble)
            self.stopped_by = self.stopped_by or outcome.stop
        if changed:
            with self.journal.transaction():
                for thing in changed:
                    self.journal.write(thing)
            self.sitting.trace("journal")

    def _pause(self) -> float:
        now = time.monotonic()
        if self._not_before > now:
            due = [self._not_before]
        else:
            looks = (self._next_look.get(job, now) for job in self.state.at_work if LookAtJob(job) not in self._busy)
            due = [time for time in looks if time > now]
        return min(max(min(due, default=now + 0.5) - now, 0.001), 0.5)

    def _look_due(self, job: int, now: float) -> float:
        return self._next_look.setdefault(job, now + self._look_pause())

    def _look_pause(self) -> float:
        patience = self.sitting.patience
        share = (time.monotonic() - self._begun) * patience.look_share
        return min(max(share, patience.look_seconds), patience.look_longest_seconds)

    def _weigh(self, error: Exception) -> None:
        """Decide whether a failure is to be waited out or a reason to stop."""
        now = time.monotonic()
        if self.state.begun and isinstance(error, (TransportError, Unavailable, Intercepted)) and not getattr(error, "lasting", False):
            self._trouble_since = self._trouble_since or now
            trouble = now - self._trouble_since
            if trouble < self.sitting.patience.trouble_seconds:
                self._not_before = max(self._not_before, now + self.sitting.patience.pause(error, trouble))
                return
        self.stopped_by = self.stopped_by or error

    # What workers do: each task has all that it needs, since the state belongs to the deciding thread.

    def _task(self, action: Action) -> Callable[[], object]:
        state = self.state
        match action:
            case OpenJob(number):
                return partial(self._open, state.jobs[number])
            case AskQuery(number):
                return partial(self._ask, state.jobs[number])
            case LookAtJob(number):
                job = state.jobs[number]
                known = [str(job.batch_id), *(state.batches[running].id for running in state.running.get(number, ()))]
                return partial(self._look, job, known)
            case ReadRange(number):
                batch = state.batches[number]
                job = state.jobs[batch.job]
                return partial(self._run, chunks.read_range(str(job.id), batch.id, soql.read(job.soql)))
            case ListResults(number):
                return partial(self._results, self._facts(state.batches[number]))
            case FetchPart(number, place):
                batch = state.batches[number]
                return partial(self._fetch, self._facts(batch), batch.records, state.parts[number][place])
            case Deliver(number, place):
                return partial(self._deliver, self._facts(state.batches[number]), state.parts_of(number)[place : place + 1])
            case EndJob(number):
                job = state.jobs[number]
                return partial(self._end, job, close=job.stage is JobStage.LISTED, split=state.is_split(job))

    def _facts(self, batch: Batch) -> Facts:
        return Facts(job_id=self.state.jobs[batch.job].id, batch_id=batch.id)

    def _run(self, flow: Flow[T]) -> T:
        result: T = self.sitting.run(flow)
        return result

    @property
    def _pauses(self) -> list[float]:
        patience = self.sitting.patience
        return [patience.fence_seconds * 1.5**look for look in range(patience.fence_looks - 1)]

    def _open(self, job: Job) -> JobInfo:
        chunking = None if job.chunking is None else chunking_of(job.chunking)
        settings = bulk1.settings(self.asked.operation, self.asked.object, ContentType.CSV, pk_chunking=chunking)
        info = self._run(ask(bulk1.create_job(settings)))
        self.sitting.trace("open")
        return info

    def _ask(self, job: Job) -> BatchInfo:
        try:
            info = self._run(ask(bulk1.add_batch(str(job.id), ContentType.CSV, Body.of(job.soql.encode()))))
        finally:
            self.sitting.trace("ask")
        return info

    def _look(self, job: Job, known: Sequence[str]) -> chunks.Listed:
        original = str(job.batch_id)

        def is_whole(listed: Mapping[str, BatchInfo]) -> bool:
            """The chunks are all there once the original is NotProcessed."""
            first = listed[chunks.short(original)]
            return job.stage is JobStage.ASKED and job.chunking is not None and first.state is BatchState.NOT_PROCESSED

        return self._run(chunks.look(str(job.id), original, known, self._pauses, is_whole))

    def _results(self, facts: Facts) -> list[str]:
        found = self._run(ask(bulk1.get_batch_result(str(facts.job_id), str(facts.batch_id))))
        if isinstance(found, bulk1.ResultIds):
            return list(found.ids)
        if found:
            raise ProtocolError("A query batch has results of records, not result files", facts)
        return []

    def _fetch(self, facts: Facts, records: int | None, part: Part) -> parts.Fetched:
        exchange = bulk1.get_query_result(str(facts.job_id), str(facts.batch_id), part.result_id, ContentType.CSV)
        path = self.folder / part.file
        before: parts.Fetched | None = None
        for attempt in range(1, TRIES + 1):
            try:
                stream = self._run(ask(exchange))
                fetched = parts.fetch(_Stoppable(stream, self.sitting.stop), path, self.asked.names)
            except NoAnswer:
                # A download that breaks off is begun anew; the org has no way to give the rest.
                if attempt == TRIES:
                    raise
                continue
            except FormatError as error:
                if not self.asked.keep_parts:
                    raise
                raise FormatError(f"{error}; it is kept as {parts.aside(path)}") from error
            # What proves that a file is whole: that its end was told on the wire; or that its records are counted and the last one has its line end.
            proven = stream.framed or (bool(records) and fetched.ended)
            # Something between may cut an answer and tell another end: then it lacks the line end that other files of the same query have.
            if (proven and (fetched.ended or not self._files_end)) or fetched == before:
                self._files_end = self._files_end or fetched.ended
                self.sitting.trace("fetch")
                return fetched
            before = fetched
        raise NoAnswer(
            f"A result file of batch {facts.batch_id} of job {facts.job_id} came differently each time, and it is not told where it ends",
            facts,
        )

    def _deliver(self, facts: Facts, due: Sequence[Part]) -> None:
        for part in due:
            path = self.folder / part.file
            if part.rows:
                self._begin_sink(parts.names_of(path))
                self._hand_over(facts, path, part.rows)
                self.sitting.trace("deliver")
            if not self.asked.keep_parts:
                path.unlink(missing_ok=True)

    def _hand_over(self, facts: Facts, path: Path, rows: int) -> None:
        what = f"A result file of batch {facts.batch_id} of job {facts.job_id}"
        try:
            delivered = self.sink.add(path)
        except (FormatError, ProtocolError) as error:
            problem = f"{what} cannot be taken: {error.text}"
        except (Error, OSError):
            raise
        except Exception as error:  # noqa: BLE001  (whatever a library makes of bytes that it does not expect; its own words may show them)
            problem = f"{what} cannot be read: {type(error).__name__}"
        else:
            if delivered in {None, rows}:
                return
            problem = f"{what} has {rows} records, but {delivered} of them were read"
        # Behind the handlers, not in them: an error's chain would show records.
        raise ProtocolError(f"{problem}; it is kept as {path}" if self.asked.keep_parts else problem, facts)

    def _begin_sink(self, names: Sequence[str]) -> None:
        if not self._sink_begun:
            self.sink.begin(self.asked.columns(names))
            self._sink_begun = True

    def _end(self, job: Job, *, close: bool, split: bool) -> chunks.Listed | None:
        """Close a job, or abort it; of a query that was split give the list of its batches, if it has others than are known."""
        job_id, listed = str(job.id), None
        with suppress(NotFound):
            if close:
                info = self._run(reconcile.close_for_good(job_id))
                if split and info.number_batches_total is not None and not chunks.agree(job.batches, 1, info):
                    listed = self._run(chunks.look(job_id, str(job.batch_id), (), self._pauses, lambda _: True))
            else:
                self._run(_abort(job_id))
        self.sitting.trace("end")
        return listed

    # What comes last

    def _audit(self) -> None:
        """Before anything is published: see that the chunks fit together, and ask how many records there are where the org did not tell."""
        error, warning = check_ranges(self.state)
        self.stopped_by = self.stopped_by or error
        if warning:
            self.sitting.warn(warning)
        if self.state.untold and self.stopped_by is None:
            self._count()

    def _count(self) -> None:
        query = soql.read(self.state.root.soql)
        try:
            count = self._run(ask(rest.count(query.counting(), all_rows=self.asked.operation == Operation.QUERY_ALL)))
        except (RefusedError, TransportError, ProtocolError) as error:
            self.sitting.warn(f"The org does not tell how many records the query finds: {error}")
            return
        if count != self.state.rows:
            self.sitting.warn(
                f"The org now counts {count:,} records that the query finds, and {self.state.rows:,} came: look whether records have changed meanwhile"
            )

    def _part_from_jobs(self, reason: Exception) -> None:
        """Close what is open as far as that is possible; a query that is being chunked stays open, so that it can be gone on with."""
        if isinstance(reason, (TransportError, Intercepted, NotAuthenticated, sqlite3.Error)):
            return
        for job in [self.state.jobs[number] for number in sorted(self.state.unended)]:
            chunking = job.stage is JobStage.ASKED and job.chunking is not None and self.asked.keep_parts
            if job.id is None or (chunking and not isinstance(reason, JobAborted)):
                continue
            with suppress(Error, OSError, sqlite3.Error):
                close = job.stage is JobStage.LISTED and (self.asked.keep_parts or not self.state.running.get(job.number))
                self._end(job, close=close, split=False)
                self._take([answered(self.state, EndJob(job.number), None, self._rules)])


class _Stoppable:
    """A download that ends when it is asked to stop; it may be of a gigabyte. See `bulkforce.protocol.exchange.Stream`."""

    def __init__(self, stream: Stream, stop: Stop) -> None:
        self._stream, self._stop = stream, stop
        self.framed = stream.framed

    def __iter__(self) -> Iterator[bytes]:
        for block in self._stream:
            if stopped_by := self._stop.asked:
                raise stopped_by
            yield block

    def close(self) -> None:
        self._stream.close()


def _abort(job_id: str) -> Flow[None]:
    """Abort a job, whatever state it is in; what it still does is no matter."""
    try:
        yield from ask(bulk1.set_state(job_id, JobState.ABORTED))
    except (OutcomeUnknown, InvalidRequest):
        info = yield from ask(bulk1.get_job_info(job_id))
        if info.state is JobState.OPEN:
            yield from reconcile.close_for_good(job_id)


def chunking_of(header: str) -> PKChunking:
    """Read back what `PKChunking.header` wrote, or a user wrote likewise."""
    words = dict(part.strip().partition("=")[::2] for part in header.split(";"))
    size = words.get("chunkSize")
    return PKChunking(int(size) if size else None, words.get("parent"), words.get("startRow"))
