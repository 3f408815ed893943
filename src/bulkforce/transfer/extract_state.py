"""Where an extract stands and what to do next: pure. No socket, thread, clock or database.

A *request* is a query put into a job of its own: the user's query, and later on any chunk that failed and is asked again alone. What became of a lost
answer need not be found out: a query changes nothing, so its job is aborted and the query put into another. The batches that count have a
place each in the order of the whole; a batch that takes another's place has the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeAlias


class JobStage(StrEnum):
    """Where one of our jobs stands."""

    WANTED = "wanted"
    """It is to be created, or is being created: one whose answer is lost stays behind, empty."""
    OPEN = "open"
    """It is there; whether it has its batch is not known."""
    ASKED = "asked"
    """Its batch was accepted."""
    LISTED = "listed"
    """All batches that will ever be in it are known."""
    ABANDONED = "abandoned"
    """Nothing of it counts; it is to be aborted."""
    GONE = "gone"
    """Nothing of it counts, and it does nothing more."""


class BatchStage(StrEnum):
    """Where a batch that counts stands."""

    RUNNING = "running"
    COMPLETED = "completed"
    FETCHING = "fetching"
    """Its result files are known."""
    DONE = "done"
    """All of them are on disk, and their rows are as many as the org told."""
    FAILED = "failed"
    """The org could not answer; it is to be asked again alone."""
    REPLACED = "replaced"
    """Another has its place."""


@dataclass(slots=True)
class Job:
    """A job with one request."""

    number: int
    soql: str
    chunking: str | None
    replaces: int | None
    tries: int = 1
    stage: JobStage = JobStage.WANTED
    id: str | None = None
    batch_id: str | None = None
    created: float | None = None
    batches: int = 0
    closed: bool = False

    @property
    def counts(self) -> bool:
        """Whether it is not given up."""
        return self.stage not in {JobStage.ABANDONED, JobStage.GONE}


@dataclass(slots=True)
class Batch:
    """A batch that counts: ``records`` is what the org told, ``message`` why it failed, ``tries`` how often its rows fell short."""

    number: int
    job: int
    id: str
    place: int
    stage: BatchStage = BatchStage.RUNNING
    records: int | None = None
    message: str | None = None
    tries: int = 0


@dataclass(slots=True)
class Part:
    """A result file; ``rows``, ``size`` and ``sha256`` are known once it is on disk."""

    batch: int
    place: int
    result_id: str
    done: bool = False
    rows: int = 0
    size: int = 0
    sha256: str = ""

    @property
    def key(self) -> tuple[int, int]:
        """What it is found by."""
        return self.batch, self.place

    @property
    def file(self) -> str:
        """Name of its file."""
        return f"{self.batch:06}-{self.place:02}.csv"


@dataclass(slots=True)
class State:
    """Where an extract stands. ``delivered`` counts places, and parts of the next place; it begins anew in each sitting."""

    jobs: dict[int, Job] = field(default_factory=dict)
    batches: dict[int, Batch] = field(default_factory=dict)
    parts: dict[int, list[Part]] = field(default_factory=dict)
    delivered: tuple[int, int] = (0, 0)

    @property
    def root(self) -> Job:
        """The job of the query itself."""
        return next(job for job in self.jobs.values() if job.replaces is None and job.counts)

    @property
    def counting(self) -> list[Batch]:
        """The batches that count, in their order."""
        return sorted((batch for batch in self.batches.values() if batch.stage is not BatchStage.REPLACED), key=lambda batch: batch.place)

    @property
    def complete(self) -> bool:
        """Whether everything is on disk and delivered."""
        root = self.root
        return root.stage is JobStage.LISTED and self.delivered[0] == root.batches

    def running(self, job: Job) -> list[Batch]:
        """The batches of a job that are not final."""
        return [batch for batch in self.batches.values() if batch.job == job.number and batch.stage is BatchStage.RUNNING]


@dataclass(frozen=True, slots=True)
class OpenJob:
    """Create a job."""

    job: int


@dataclass(frozen=True, slots=True)
class AskQuery:
    """Put the query into its job."""

    job: int


@dataclass(frozen=True, slots=True)
class LookAtJob:
    """List the batches of a job."""

    job: int


@dataclass(frozen=True, slots=True)
class AskAgain:
    """Read back the request of a batch that failed."""

    batch: int


@dataclass(frozen=True, slots=True)
class ListResults:
    """Ask which result files a batch has."""

    batch: int


@dataclass(frozen=True, slots=True)
class FetchPart:
    """Bring a result file to disk."""

    batch: int
    place: int


@dataclass(frozen=True, slots=True)
class Deliver:
    """Hand a part on disk to the sink."""

    batch: int
    place: int


@dataclass(frozen=True, slots=True)
class EndJob:
    """Close a job that has given everything, or abort one that is given up."""

    job: int


Action: TypeAlias = OpenJob | AskQuery | LookAtJob | AskAgain | ListResults | FetchPart | Deliver | EndJob


def decide(state: State, busy: set[Action], workers: int, ahead_bytes: int | None) -> list[Action]:
    """Say what to begin now, besides what is under way.

    Args:
        state: Where the extract stands.
        busy: The actions under way.
        workers: Downloads at once.
        ahead_bytes: Bytes that may lie on disk undelivered before downloads wait for the reader; ``None`` is no limit.
    """
    actions = [action for action in [*_control(state), *_delivery(state)] if action not in busy]
    free = workers - sum(isinstance(action, FetchPart) for action in busy)
    if free > 0:
        wanted = (action for action in _fetches(state, ahead_bytes) if action not in busy)
        actions += [action for action, _ in zip(wanted, range(free), strict=False)]
    return actions


def _control(state: State) -> Iterator[Action]:
    waiting = {batch.job for batch in state.batches.values() if batch.stage not in {BatchStage.DONE, BatchStage.REPLACED}}
    running = {batch.job for batch in state.batches.values() if batch.stage is BatchStage.RUNNING}
    for job in state.jobs.values():
        if job.stage in _NEXT:
            yield _NEXT[job.stage](job.number)
        elif job.stage is JobStage.LISTED and job.number in running:
            yield LookAtJob(job.number)
        elif job.stage is JobStage.LISTED and job.number not in waiting and not job.closed:
            yield EndJob(job.number)
    for batch in state.batches.values():
        if batch.stage is BatchStage.FAILED:
            yield AskAgain(batch.number)
        elif batch.stage is BatchStage.COMPLETED:
            yield ListResults(batch.number)


_NEXT: Final[Mapping[JobStage, Callable[[int], Action]]] = {
    JobStage.WANTED: OpenJob,
    JobStage.OPEN: AskQuery,
    JobStage.ASKED: LookAtJob,
    JobStage.ABANDONED: EndJob,
}


def _fetches(state: State, ahead_bytes: int | None) -> Iterator[FetchPart]:
    next_place = state.delivered[0]
    ahead = 0
    for batch in state.counting:
        if batch.place < next_place or batch.stage not in {BatchStage.FETCHING, BatchStage.DONE}:
            continue
        for part in state.parts[batch.number]:
            if part.done:
                ahead += part.size
            elif ahead_bytes is None or ahead < ahead_bytes or batch.place == next_place:
                yield FetchPart(*part.key)


def _delivery(state: State) -> Iterator[Action]:
    """Give the one part that is due, if it is there: parts are delivered one at a time."""
    place, part = state.delivered
    batch = next((batch for batch in state.batches.values() if batch.place == place and batch.stage is BatchStage.DONE), None)
    if batch is not None and state.root.stage is JobStage.LISTED:
        yield Deliver(batch.number, part)


def after_delivery(state: State, action: Deliver) -> None:
    """Move on to the next part."""
    place, part = state.delivered
    last = action.place + 1 >= len(state.parts[action.batch])
    state.delivered = (place + 1, 0) if last else (place, part + 1)
