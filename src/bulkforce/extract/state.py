"""The state of an extract: pure. No sockets, threads, clocks or databases. `plan` decides what to do next.

A *request* is a query in a job of its own: the user's query, and later any failed chunk that is queried again on its
own. After a lost answer there is no need to find out what happened: a query changes nothing, so its job is aborted and
the query goes into another. Each batch that counts has a place in the order of the whole; a batch that replaces another
takes over its place.

Jobs, batches and parts are values: a changed one replaces the old one (`State.put`), and the journal stores the same
values. Each step must cost the same whether there are ten chunks or a hundred thousand, so nothing here searches
through all of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from heapq import heappop, heappush
from typing import Generic, TypeVar, assert_never

from bulkforce.errors import Error, Facts
from bulkforce.extract.events import (
    BatchStage,
    Delivered,
    DeliveryBegun,
    Event,
    GivenUp,
    Part,
    QueryBatch,
    QueryJob,
    QueryJobStage,
    Thing,
)
from bulkforce.protocol.wire import short

Key = TypeVar("Key", int, tuple[int, ...])


class Queue(Generic[Key]):
    """Keys, smallest first, any of which can be removed."""

    def __init__(self) -> None:
        self._heap: list[Key] = []
        self._kept: set[Key] = set()

    def keep(self, key: Key, *, wanted: bool) -> None:
        """Add a key if it is wanted, otherwise remove it; it may already be in or out."""
        if not wanted:
            self._kept.discard(key)
        elif key not in self._kept:
            self._kept.add(key)
            heappush(self._heap, key)

    def __contains__(self, key: Key) -> bool:
        return key in self._kept

    def __len__(self) -> int:
        return len(self._kept)

    def first(self, count: int) -> list[Key]:
        """Return the first ``count`` keys without removing them."""
        found: list[Key] = []
        while self._heap and len(found) < count:
            key = heappop(self._heap)
            # A removed key is still in the heap, and twice if it was added again.
            if key in self._kept and key not in found[-1:]:
                found.append(key)
        for key in found:
            heappush(self._heap, key)
        return found


class State:
    """The state of an extract.

    Attributes:
        jobs: Jobs by number.
        batches: Batches by number.
        parts: Parts by batch, then by their place in it.
        delivered: The place and its part to deliver next; each sitting begins at the first.
        given_up: Batches that this sitting does not retry, and why.
        to_open: Jobs to create.
        at_work: Jobs to add the query to, or to look at.
        to_end: Jobs to close or abort.
        unended: Jobs that are not closed yet.
        unread: Chunks whose range of ids is not known: (place, number).
        unlisted: Batches whose result files are not known: (place, number).
        to_fetch: Parts that are not on disk: (place of the batch, place, batch).
        running: Batches that are not final, by job.
        numbers: Numbers of batches, by the org's id in the form of `short`.
        ranges: Chunks, by their job and their condition on ids.
        begun: Whether the org has answered at all.
        delivering: Whether anything was delivered, or is being delivered.
        undone: How many parts of a batch are known and not on disk; likewise, how many are ``proven``.
        stages: How many batches that count are at each stage.
        told: How many of them have a record count from the org; ``records`` is the sum of these counts.
        untold: How many returned records without a count from the org.
        rows: Records on disk; likewise ``bytes``, and ``on_disk`` for the parts.
    """

    def __init__(self, things: Iterable[Thing] = ()) -> None:
        self.jobs: dict[int, QueryJob] = {}
        self.batches: dict[int, QueryBatch] = {}
        self.parts: dict[int, dict[int, Part]] = {}
        self.delivered = (0, 0)
        self.given_up: dict[int, Error] = {}
        self.to_open: Queue[int] = Queue()
        self.at_work: dict[int, None] = {}
        self.to_end: Queue[int] = Queue()
        self.unended: set[int] = set()
        self.unread: Queue[tuple[int, ...]] = Queue()
        self.unlisted: Queue[tuple[int, ...]] = Queue()
        self.to_fetch: Queue[tuple[int, ...]] = Queue()
        self.running: dict[int, dict[int, None]] = {}
        self.numbers: dict[str, int] = {}
        self.ranges: dict[tuple[int, str], int] = {}
        self.begun = self.delivering = False
        self.stages: Counter[BatchStage] = Counter()
        self.told = self.records = self.untold = 0
        self.rows = self.bytes = self.on_disk = 0
        self.undone: Counter[int] = Counter()
        self.proven: Counter[int] = Counter()
        self._root = 0
        self._at: dict[int, int] = {}
        self._unfinished: Counter[int] = Counter()
        self._delivered_bytes = 0
        for thing in things:
            self.put(thing)

    @property
    def root(self) -> QueryJob:
        """The job of the query itself."""
        return self.jobs[self._root]

    @property
    def counting(self) -> list[QueryBatch]:
        """The batches that count, in order."""
        return [self.batches[number] for _, number in sorted(self._at.items())]

    @property
    def complete(self) -> bool:
        """Whether everything is on disk and delivered."""
        return self.root.stage is QueryJobStage.LISTED and self.delivered[0] == self.root.batches

    @property
    def ahead_bytes(self) -> int:
        """How many bytes are on disk and not delivered."""
        return self.bytes - self._delivered_bytes

    def at(self, place: int) -> QueryBatch | None:
        """Return the batch that counts at a place."""
        number = self._at.get(place)
        return None if number is None else self.batches[number]

    def job_id(self, batch: QueryBatch) -> str:
        """Return the org's id of a batch's job."""
        return str(self.jobs[batch.job].id)

    def facts(self, batch: QueryBatch) -> Facts:
        """Return the org's ids of a batch and its job."""
        return Facts(job_id=self.job_id(batch), batch_id=batch.id)

    def named(self, batch: QueryBatch) -> str:
        """Return what a batch is called in messages; some jobs are their own only batch."""
        return named(self.facts(batch))

    def parts_of(self, batch: int) -> list[Part]:
        """Return the parts of a batch, in order."""
        return list(self.parts.get(batch, {}).values())

    def is_chunk(self, batch: QueryBatch) -> bool:
        """Whether the org made the batch from our query, unless someone else added it to our job."""
        return short(batch.id) != short(str(self.jobs[batch.job].batch_id))

    def is_split(self, job: QueryJob) -> bool:
        """Whether the org has split the query of a job."""
        return job.stage is QueryJobStage.LISTED and short(str(job.batch_id)) not in self.numbers

    def put(self, thing: Thing) -> None:
        """Store the new value of a job, batch or part."""
        match thing:
            case QueryJob():
                self.jobs[thing.number] = thing
                self.begun = self.begun or thing.id is not None
                if thing.replaces is None and thing.counts:
                    self._root = thing.number
                self._queue(thing)
            case QueryBatch():
                before = self.batches.get(thing.number)
                # What a batch of many parts learns changes nothing about most of them.
                same = before is not None and before is not thing and before.stage is thing.stage
                parts = [] if same else self.parts_of(thing.number)
                if before:
                    self._count(before, -1)
                    for part in parts:
                        self._weigh(part, -1)
                self.batches[thing.number] = thing
                self._count(thing, 1)
                for part in parts:
                    self._weigh(part, 1)
                self._queue(self.jobs[thing.job])
            case Part():
                found = self.parts.setdefault(thing.batch, {})
                if before_part := found.get(thing.place):
                    self._weigh(before_part, -1)
                found[thing.place] = thing
                self._weigh(thing, 1)

    def _queue(self, job: QueryJob) -> None:
        running = job.stage is QueryJobStage.LISTED and bool(self.running.get(job.number))
        if running or job.stage in {QueryJobStage.OPEN, QueryJobStage.ASKED}:
            self.at_work[job.number] = None
        else:
            self.at_work.pop(job.number, None)
        over = job.stage is QueryJobStage.LISTED and not self._unfinished[job.number] and not job.closed
        self.to_open.keep(job.number, wanted=job.stage is QueryJobStage.WANTED)
        self.to_end.keep(job.number, wanted=over or job.stage is QueryJobStage.ABANDONED)
        if job.closed or job.stage is QueryJobStage.GONE:
            self.unended.discard(job.number)
        else:
            self.unended.add(job.number)

    def _count(self, batch: QueryBatch, sign: int) -> None:
        self.numbers[short(batch.id)] = batch.number
        running = self.running.setdefault(batch.job, {})
        tried = sign > 0 and batch.number not in self.given_up
        if tried and batch.stage is BatchStage.RUNNING:
            running[batch.number] = None
        else:
            running.pop(batch.number, None)
        if batch.ids:
            self.ranges.setdefault((batch.job, batch.ids), batch.number)
        key = (batch.place, batch.number)
        unread = batch.ids is None and self.is_chunk(batch)
        self.unread.keep(key, wanted=tried and unread and batch.stage in _MAY_BE_READ)
        listed = batch.more is None if batch.stage is BatchStage.FETCHING else batch.stage is not BatchStage.COMPLETED
        self.unlisted.keep(key, wanted=tried and not unread and not listed)
        if batch.stage is BatchStage.REPLACED:
            return
        if sign > 0:
            self._at[batch.place] = batch.number
        elif self._at.get(batch.place) == batch.number:
            del self._at[batch.place]
        done = batch.stage is BatchStage.DONE
        self._unfinished[batch.job] += 0 if done else sign
        self.stages[batch.stage] += sign
        self.told += 0 if batch.records is None else sign
        self.records += (batch.records or 0) * sign
        self.untold += sign if done and batch.records is None else 0

    def _weigh(self, part: Part, sign: int) -> None:
        batch = self.batches[part.batch]
        wanted = sign > 0 and not part.done and batch.stage is BatchStage.FETCHING and batch.number not in self.given_up
        self.to_fetch.keep((batch.place, part.place, batch.number), wanted=wanted)
        self.undone[batch.number] += 0 if part.done else sign
        self.proven[batch.number] += sign if part.proven else 0
        if part.done and batch.stage is not BatchStage.REPLACED:
            self.rows += part.rows * sign
            self.bytes += part.size * sign
            self.on_disk += sign

    def apply(self, event: Event) -> None:
        """Apply an event."""
        match event:
            case QueryJob() | QueryBatch() | Part():
                self.put(event)
            case DeliveryBegun():
                self.delivering = True
            case Delivered():
                self._move_on(event)
            case GivenUp(number, why):
                self.given_up[number] = why
                self.put(self.batches[number])
            case _:
                assert_never(event)

    def _move_on(self, delivered: Delivered) -> None:
        place, part = self.delivered
        parts = self.parts.get(delivered.batch, {})
        self._delivered_bytes += parts[part].size if part in parts else 0
        # A batch whose parts are delivered as they come may have more of them than are known.
        last = part + 1 >= len(parts) and self.batches[delivered.batch].stage is BatchStage.DONE
        self.delivered = (place + 1, 0) if last else (place, part + 1)


def named(facts: Facts) -> str:
    """Return what a batch is called in messages; some jobs are their own only batch."""
    return f"job {facts.job_id}" if facts.batch_id == facts.job_id else f"batch {facts.batch_id} of job {facts.job_id}"


_MAY_BE_READ = frozenset({BatchStage.RUNNING, BatchStage.COMPLETED, BatchStage.FAILED})
