"""Carries out an extract with threads: thin, and the only place where an extract waits.

The thread that called is the only one that decides and journals; workers make exchanges, bring parts to disk and hand them to the sink. What a
worker meets becomes a change of the state, or a reason to stop. Memory is bounded by ``workers x 1 MB`` and a constant.
"""

from __future__ import annotations

import queue
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

from bulkforce.errors import (
    BatchFailed,
    Error,
    Facts,
    FellShort,
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
    QueryRefused,
    TransportError,
    Unavailable,
    Unsettled,
)
from bulkforce.protocol import bulk1
from bulkforce.protocol.bulk1 import PKChunking
from bulkforce.protocol.exchange import Body, Stream
from bulkforce.protocol.flow import Flow, ask
from bulkforce.protocol.info import BatchInfo, JobInfo
from bulkforce.transfer import parts, reconcile, soql
from bulkforce.transfer.columns import Column
from bulkforce.transfer.extract_journal import ExtractJournal
from bulkforce.transfer.extract_state import (
    Action,
    AskAgain,
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
    State,
    after_delivery,
    decide,
)
from bulkforce.transfer.load import Sitting
from bulkforce.transfer.patience import interruptible
from bulkforce.transfer.sinks import Sink
from bulkforce.transport.stopping import Stop
from bulkforce.vocabulary import BatchState, ContentType, JobState

PARTS: Final = "parts"
TRIES: Final = 3
"""How often the same thing is asked before the extract stops: a query that fails, a file that falls short."""

Thing: TypeAlias = Job | Batch | Part
_WANTS_CHUNKING: Final = ("QUERY_TIMEOUT", "Retried more than", "Tried more than", "Failed to write query result")
"""Signs that a query is too large for one batch; a client in production falls back to PK chunking on them."""

_QUERY_IS_WRONG: Final = ("InvalidBatch", "FeatureNotEnabled")
"""The org finds fault with the query itself, and would again."""


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
    _done: queue.SimpleQueue[tuple[Action, object, Exception | None]] = field(default_factory=queue.SimpleQueue)
    _begun: float = field(default_factory=time.monotonic)
    _next_look: dict[int, float] = field(default_factory=dict)
    _trouble_since: float | None = None
    _not_before: float = 0.0
    _sink_begun: bool = False
    _ends_openly: bool = False

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

    def _take_up(self) -> None:
        """After a death: a job that may or may not have its batch is given up, and parts that are not on disk as they were are fetched again."""
        changed: list[Thing] = []
        for job in list(self.state.jobs.values()):
            if job.stage is JobStage.OPEN:
                changed += self._abandon(job)
        for batch in self.state.counting:
            for part in self.state.parts.get(batch.number, []):
                if (
                    part.done
                    and part.rows
                    and not parts.is_whole(self.folder / part.file, parts.Fetched(part.rows, part.size, part.sha256))
                ):
                    part.done, batch.stage = False, BatchStage.FETCHING
                    changed += [part, batch]
        self._write(changed)

    def _at_rest(self) -> bool:
        if self._busy:
            return False
        ended = all(job.closed or job.stage is JobStage.GONE for job in self.state.jobs.values())
        return self.stopped_by is not None or (self.state.complete and ended)

    def _begin(self, pool: ThreadPoolExecutor) -> None:
        self.stopped_by = self.stopped_by or self.sitting.stop.asked
        now = time.monotonic()
        if self.stopped_by is not None or now < self._not_before:
            return
        for action in decide(self.state, self._busy, self.asked.workers, self.asked.ahead_bytes):
            if isinstance(action, LookAtJob) and now < self._look_due(action.job, now):
                continue
            try:
                pool.submit(self._work, action)
            except RuntimeError:
                # Python itself is ending, and takes no more work.
                self.stopped_by = self.stopped_by or Interrupted("the program is ending")
                return
            self._busy.add(action)

    def _work(self, action: Action) -> None:
        try:
            value, error = self._perform(action), None
        except Exception as raised:  # noqa: BLE001  (the engine's edge: whatever a worker meets is weighed by the deciding thread)
            value, error = None, raised
        self._done.put((action, value, error))

    def _take_in(self) -> None:
        """Wait until something is done, or it is time to look again; then journal all that has come."""
        try:
            arrived = [self._done.get(timeout=self._pause())]
        except queue.Empty:
            return
        while not self._done.empty():
            arrived.append(self._done.get())
        changed: list[Thing] = []
        for action, value, error in arrived:
            self._busy.discard(action)
            if isinstance(action, LookAtJob):
                self._next_look[action.job] = time.monotonic() + self._look_pause()
            if error is None:
                changed += self._answered(action, value)
                self._trouble_since = None
            else:
                changed += self._refused(action, error)
        self._write(changed)

    def _write(self, changed: Iterable[Thing]) -> None:
        if not changed:
            return
        with self.journal.transaction():
            for thing in changed:
                self.journal.write(thing)
        self.sitting.trace("journal")

    def _pause(self) -> float:
        now = time.monotonic()
        if self._not_before > now:
            due = [self._not_before]
        else:
            due = [time for job, time in self._next_look.items() if LookAtJob(job) not in self._busy and time > now]
        return min(max(min(due, default=now + 0.5) - now, 0.001), 0.5)

    def _look_due(self, job: int, now: float) -> float:
        return self._next_look.setdefault(job, now + self._look_pause())

    def _look_pause(self) -> float:
        patience = self.sitting.patience
        share = (time.monotonic() - self._begun) * patience.look_share
        return min(max(share, patience.look_seconds), patience.look_longest_seconds)

    # What workers do

    def _perform(self, action: Action) -> object:
        match action:
            case OpenJob(job):
                return self._open(self.state.jobs[job])
            case AskQuery(job):
                return self._ask(self.state.jobs[job])
            case LookAtJob(job):
                return self._look(self.state.jobs[job])
            case AskAgain(number):
                batch = self.state.batches[number]
                return self.sitting.run(ask(bulk1.get_batch_request(self._job_of(batch), batch.id, ContentType.CSV))).decode()
            case ListResults(number):
                batch = self.state.batches[number]
                return self._results(batch)
            case FetchPart(batch, place):
                return self._fetch(self.state.parts[batch][place])
            case Deliver(batch, place):
                self._deliver(self.state.parts[batch][place : place + 1])
            case EndJob(job):
                self._end(self.state.jobs[job])
        return None

    def _job_of(self, batch: Batch) -> str:
        return str(self.state.jobs[batch.job].id)

    def _open(self, job: Job) -> JobInfo:
        chunking = None if job.chunking is None else chunking_of(job.chunking)
        settings = bulk1.settings(self.asked.operation, self.asked.object, ContentType.CSV, pk_chunking=chunking)
        info: JobInfo = self.sitting.run(ask(bulk1.create_job(settings)))
        self.sitting.trace("open")
        return info

    def _ask(self, job: Job) -> BatchInfo:
        try:
            info: BatchInfo = self.sitting.run(ask(bulk1.add_batch(str(job.id), ContentType.CSV, Body.of(job.soql.encode()))))
        finally:
            self.sitting.trace("ask")
        return info

    def _look(self, job: Job) -> tuple[list[BatchInfo], JobState | None]:
        listed = self.sitting.run(ask(bulk1.get_all_batches(str(job.id))))
        stopped = any(
            batch.state is BatchState.NOT_PROCESSED and (batch.id != job.batch_id or job.stage is JobStage.ASKED) for batch in listed
        )
        # Batches that never run: the query was chunked, or somebody aborted the job.
        return listed, self.sitting.run(ask(bulk1.get_job_info(str(job.id)))).state if stopped else None

    def _results(self, batch: Batch) -> list[str]:
        found = self.sitting.run(ask(bulk1.get_batch_result(self._job_of(batch), batch.id)))
        if isinstance(found, bulk1.ResultIds):
            return list(found.ids)
        if found:
            raise ProtocolError("A query batch has results of records, not result files", self._facts(batch))
        return []

    def _fetch(self, part: Part) -> parts.Fetched:
        batch = self.state.batches[part.batch]
        exchange = bulk1.get_query_result(self._job_of(batch), batch.id, part.result_id, ContentType.CSV)
        before: parts.Fetched | None = None
        for attempt in range(1, TRIES + 1):
            try:
                fetched = parts.fetch(_Stoppable(self.sitting.run(ask(exchange)), self.sitting.stop), self.folder / part.file)
            except (NoAnswer, FormatError):
                # A download that breaks off is begun anew; the org has no way to give the rest.
                if attempt == TRIES:
                    raise
                continue
            if fetched.ended or self._ends_openly or fetched == before:
                break
            # Whether the org ends a file with a line end is not known. One that does not may be cut, so it is believed when it comes so twice.
            before = fetched
        self._ends_openly = self._ends_openly or not fetched.ended
        self.sitting.trace("fetch")
        return fetched

    def _deliver(self, due: Sequence[Part]) -> None:
        for part in due:
            if part.rows:
                path = self.folder / part.file
                self._begin_sink(parts.names_of(path))
                delivered = self.sink.add(path)
                if delivered is not None and delivered != part.rows:
                    batch = self.state.batches[part.batch]
                    raise ProtocolError(
                        f"A result file of batch {batch.id} of job {self._job_of(batch)} has {part.rows} records, but {delivered} of them were read",
                        self._facts(batch),
                    )
                self.sitting.trace("deliver")
            if not self.asked.keep_parts:
                (self.folder / part.file).unlink(missing_ok=True)

    def _begin_sink(self, names: Sequence[str]) -> None:
        if not self._sink_begun:
            self.sink.begin(self.asked.columns(names))
            self._sink_begun = True

    def _end(self, job: Job) -> None:
        with suppress(NotFound):
            if job.stage is JobStage.LISTED and (self.asked.keep_parts or not self.state.running(job)):
                self.sitting.run(reconcile.close_for_good(str(job.id)))
            else:
                self.sitting.run(_abort(str(job.id)))
        self.sitting.trace("end")

    # What becomes of it

    def _answered(self, action: Action, value: object) -> list[Thing]:
        match action, value:
            case OpenJob(number), JobInfo() as info:
                job = self.state.jobs[number]
                job.id, job.stage = info.id, JobStage.OPEN
                job.created = info.created_date.timestamp() if info.created_date else None
                return [job]
            case AskQuery(number), BatchInfo() as info:
                job = self.state.jobs[number]
                job.batch_id, job.stage = info.id, JobStage.ASKED
                return [job]
            case LookAtJob(number), (list() as listed, (JobState() | None) as state):
                return self._looked(self.state.jobs[number], {batch.id: batch for batch in listed}, state)
            case AskAgain(number), str() as text:
                batch = self.state.batches[number]
                batch.stage = BatchStage.REPLACED
                return [batch, self._want(text, None, number, self.state.jobs[batch.job].tries + 1)]
            case ListResults(number), list() as ids:
                batch = self.state.batches[number]
                batch.stage = BatchStage.FETCHING
                self.state.parts[number] = [Part(number, place, result_id) for place, result_id in enumerate(ids)]
                return [batch, *self.state.parts[number], *self._check(batch)]
            case FetchPart(number, place), parts.Fetched() as fetched:
                part = self.state.parts[number][place]
                part.done, part.rows, part.size, part.sha256 = True, fetched.rows, fetched.size, fetched.sha256
                return [part, *self._check(self.state.batches[number])]
            case Deliver(), _:
                after_delivery(self.state, action)
            case EndJob(number), _:
                job = self.state.jobs[number]
                job.closed = True
                job.stage = JobStage.GONE if job.stage is JobStage.ABANDONED else job.stage
                return [job]
        return []

    def _refused(self, action: Action, error: Exception) -> list[Thing]:
        match action, error:
            case ((OpenJob(number) | AskQuery(number)), OutcomeUnknown() | ProtocolError()):
                job = self.state.jobs[number]
                if job.tries < TRIES:
                    return self._abandon(job)
            case OpenJob(number), InvalidRequest() if self.asked.may_chunk and self.state.jobs[number].chunking:
                self.sitting.warn(f"The org refuses PK chunking here, so the query goes without: {error}")
                self.state.jobs[number].chunking = None
                return [self.state.jobs[number]]
            case FetchPart(number), FormatError():
                batch = self.state.batches[number]
                return self._fell_short(batch, f"A result file of batch {batch.id} of job {self._job_of(batch)} is broken: {error}")
            case ((ListResults(number) | FetchPart(number)), NotFound() | InvalidRequest()):
                batch = self.state.batches[number]
                error = NotFound(
                    f"The org no longer has the results of batch {batch.id} of job {self._job_of(batch)}: it keeps them for 7 days, or until the "
                    f"job is deleted. Begin the extract anew. It said: {error}",
                    self._facts(batch),
                )
            case EndJob(number), Unsettled() | InvalidRequest():
                # What was asked for is there; a job left open is closed by the org after a day.
                self.sitting.warn(f"Job {self.state.jobs[number].id} could not be closed: {error}")
                return self._answered(action, None)
            case _:
                pass
        self._weigh(error)
        return []

    def _weigh(self, error: Exception) -> None:
        """Decide whether a failure is to be waited out or a reason to stop."""
        now = time.monotonic()
        begun = any(job.id for job in self.state.jobs.values())
        if begun and isinstance(error, (TransportError, Unavailable)) and not getattr(error, "lasting", False):
            self._trouble_since = self._trouble_since or now
            if now - self._trouble_since < self.sitting.patience.trouble_seconds:
                self._not_before = now + min(self.sitting.patience.pause_seconds + (now - self._trouble_since) / 4, 30.0)
                return
        self.stopped_by = self.stopped_by or error

    def _want(self, text: str, chunking: str | None, replaces: int | None, tries: int) -> Job:
        job = Job(len(self.state.jobs) + 1, text, chunking, replaces, tries)
        self.state.jobs[job.number] = job
        return job

    def _abandon(self, job: Job, chunking: str | None = None) -> list[Thing]:
        """Give a job up and want another in its place."""
        job.stage = JobStage.GONE if job.id is None else JobStage.ABANDONED
        return [job, self._want(job.soql, chunking or job.chunking, job.replaces, job.tries + 1)]

    def _looked(self, job: Job, listed: dict[str, BatchInfo], state: JobState | None) -> list[Thing]:
        if job.stage is JobStage.ASKED:
            return self._looked_at_first(job, listed, state)
        changed: list[Thing] = []
        for batch in self.state.running(job):
            info = self._listed(job, batch.id, listed)
            if info.state is BatchState.COMPLETED:
                changed += [self._complete(batch, info)]
            elif info.state.is_final:
                changed += self._failed(batch, info)
        return changed

    def _looked_at_first(self, job: Job, listed: dict[str, BatchInfo], state: JobState | None) -> list[Thing]:
        first = self._listed(job, str(job.batch_id), listed)
        if not first.state.is_final:
            return []
        if first.state is BatchState.FAILED:
            return self._query_failed(job, first)
        chunks = [first]
        if first.state is BatchState.NOT_PROCESSED:
            if state is not JobState.OPEN or job.chunking is None:
                self.stopped_by = self.stopped_by or _aborted(str(job.id))
                return self._abandon(job)
            # The chunks are all there once the original is NotProcessed.
            chunks = [info for info in listed.values() if info.id != first.id]
        place = 0 if job.replaces is None else self.state.batches[job.replaces].place
        job.stage, job.batches = JobStage.LISTED, len(chunks)
        changed: list[Thing] = [job]
        for number, info in enumerate(chunks):
            batch = Batch(len(self.state.batches) + 1, job.number, info.id, place + number)
            self.state.batches[batch.number] = batch
            changed.append(batch)
        return [*changed, *self._looked(job, listed, state)]

    def _listed(self, job: Job, batch_id: str, listed: dict[str, BatchInfo]) -> BatchInfo:
        if batch_id not in listed:
            raise ProtocolError(f"The org's list lacks batch {batch_id}, which it has accepted", Facts(job_id=job.id, batch_id=batch_id))
        return listed[batch_id]

    def _complete(self, batch: Batch, info: BatchInfo) -> Batch:
        if info.number_records_processed is None:
            raise ProtocolError(
                f"The org does not tell how many records batch {batch.id} has, so it cannot be known whether all came", self._facts(batch)
            )
        batch.stage, batch.records = BatchStage.COMPLETED, info.number_records_processed
        return batch

    def _failed(self, batch: Batch, info: BatchInfo) -> list[Thing]:
        """A chunk came to nothing: it is asked again alone, unless that was done too often."""
        batch.stage, batch.message = BatchStage.FAILED, info.state_message
        if info.state is BatchState.NOT_PROCESSED:
            self.stopped_by = self.stopped_by or _aborted(self._job_of(batch))
        return [batch]

    def _query_failed(self, job: Job, info: BatchInfo) -> list[Thing]:
        message = info.state_message or "the org gave no reason"
        facts = Facts(job_id=job.id, batch_id=info.id)
        too_large = any(sign in message for sign in _WANTS_CHUNKING)
        if message.startswith(_QUERY_IS_WRONG) and not too_large:
            self.stopped_by = self.stopped_by or QueryRefused(f"The org refuses the query: {soql.explain(job.soql, message)}", facts)
        elif too_large and self.asked.may_chunk and job.chunking is None and job.replaces is None:
            self.sitting.warn(f"The query is too large for one batch ({message}); it is asked again with PK chunking")
            return self._abandon(job, PKChunking().header())
        elif job.tries >= TRIES:
            what = "the query" if job.replaces is None else f"the same chunk of the query, {job.soql!r}"
            hint = "; ask with PK chunking" if too_large and job.chunking is None and job.replaces is None else ""
            self.stopped_by = self.stopped_by or BatchFailed(f"The org failed {TRIES} times to answer {what}: {message}{hint}", facts)
        return self._abandon(job)

    def _check(self, batch: Batch) -> list[Thing]:
        """Compare what came with what the org told, once everything is there."""
        found = self.state.parts[batch.number]
        if not all(part.done for part in found):
            return []
        rows = sum(part.rows for part in found)
        if rows == batch.records:
            batch.stage = BatchStage.DONE
            return [batch]
        return self._fell_short(
            batch, f"Batch {batch.id} of job {self._job_of(batch)} has {batch.records:,} records, and its result files hold {rows:,}"
        )

    def _fell_short(self, batch: Batch, what: str) -> list[Thing]:
        batch.tries += 1
        found = self.state.parts[batch.number]
        for part in found:
            part.done = False
        if batch.tries % TRIES == 0:
            self.stopped_by = self.stopped_by or FellShort(f"{what}; they were fetched {TRIES} times", self._facts(batch))
        return [batch, *found]

    def _facts(self, batch: Batch) -> Facts:
        return Facts(job_id=self._job_of(batch), batch_id=batch.id)

    def _part_from_jobs(self, reason: Exception) -> None:
        """Close what is open as far as that is possible; a query that is being chunked stays open, so that it can be gone on with."""
        if isinstance(reason, (TransportError, Intercepted, NotAuthenticated, sqlite3.Error)):
            return
        for job in self.state.jobs.values():
            chunking = job.stage is JobStage.ASKED and job.chunking is not None and self.asked.keep_parts
            if job.id is None or job.closed or (chunking and not isinstance(reason, JobAborted)):
                continue
            with suppress(Error, OSError, sqlite3.Error):
                self._end(job)
                self._write(self._answered(EndJob(job.number), None))


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


def _aborted(job_id: str) -> JobAborted:
    return JobAborted(
        f"Job {job_id} was aborted or closed in the org before it was done. Resuming asks for what is missing", Facts(job_id=job_id)
    )


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
