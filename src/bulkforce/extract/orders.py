"""What a extract orders: each order says what is to be done, and carries all that its worker needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, assert_never

from bulkforce.apis.abc import BatchSeen, JobSeen, Looked
from bulkforce.errors import Facts
from bulkforce.extract.events import Part, QueryJobStage
from bulkforce.extract.result_file import Fetched
from bulkforce.extract.state import State


@dataclass(frozen=True, slots=True)
class OpenJob:
    """Create a job."""

    job: int
    chunking: str | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class AskQuery:
    """Put the query into its job."""

    job: int
    job_id: str = field(default="", compare=False)
    soql: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class LookAtJob:
    """List the batches of a job.

    Attributes:
        job: Its number.
        job_id: The org's id.
        original: The batch with the query.
        known: Batches that it must hold.
        splits: Whether the chunks that the query is split into are still to come.
    """

    job: int
    job_id: str = field(default="", compare=False)
    original: str = field(default="", compare=False)
    known: tuple[str, ...] = field(default=(), compare=False)
    splits: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class ReadRange:
    """Read back the request of a chunk: which ids of the query it is about."""

    batch: int
    facts: Facts = field(default_factory=Facts, compare=False)
    soql: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class ListResults:
    """Ask which result files a batch has."""

    batch: int
    facts: Facts = field(default_factory=Facts, compare=False)


@dataclass(frozen=True, slots=True)
class FetchPart:
    """Bring a result file to disk; of a batch with so many ``records``, by the org's word."""

    batch: int
    place: int
    facts: Facts = field(default_factory=Facts, compare=False)
    records: int | None = field(default=None, compare=False)
    part: Part | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Deliver:
    """Hand a part on disk to the sink; of a batch without result files there is none."""

    batch: int
    place: int
    facts: Facts = field(default_factory=Facts, compare=False)
    part: Part | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class EndJob:
    """Close a job that has given everything, or abort one that is given up.

    Attributes:
        job: Its number.
        job_id: The org's id.
        original: The batch with the query.
        close: Whether it is to be closed.
        chunks: How many chunks are known, where the query was split.
    """

    job: int
    job_id: str = field(default="", compare=False)
    original: str = field(default="", compare=False)
    close: bool = field(default=False, compare=False)
    chunks: int | None = field(default=None, compare=False)


Order: TypeAlias = OpenJob | AskQuery | LookAtJob | ReadRange | ListResults | FetchPart | Deliver | EndJob

Answer: TypeAlias = JobSeen | BatchSeen | Looked | Fetched | Sequence[str] | str | None
"""Of `OpenJob`: the job. Of `AskQuery`: the batch. Of `LookAtJob`, and of `EndJob` if there are more batches than are
known: the batches. Of `ReadRange`:
the condition on ids, if it is a chunk. Of `ListResults`: names of result files. Of `FetchPart`: what came. Of
    `Deliver`: nothing.
"""


def prepare(state: State, order: Order) -> Order:
    """Give an order all that its worker needs: the state may change while it works."""
    match order:
        case OpenJob(number):
            return OpenJob(number, state.jobs[number].chunking)
        case AskQuery(number):
            job = state.jobs[number]
            return AskQuery(number, str(job.id), job.soql)
        case LookAtJob(number):
            job = state.jobs[number]
            running = (state.batches[batch].id for batch in state.running.get(number, ()))
            splits = job.stage is QueryJobStage.ASKED and job.chunking is not None
            return LookAtJob(number, str(job.id), str(job.batch_id), (str(job.batch_id), *running), splits)
        case ReadRange(number):
            batch = state.batches[number]
            return ReadRange(number, state.facts(batch), state.jobs[batch.job].soql)
        case ListResults(number):
            return ListResults(number, state.facts(state.batches[number]))
        case FetchPart(number, place):
            batch = state.batches[number]
            return FetchPart(number, place, state.facts(batch), batch.records, state.parts[number][place])
        case Deliver(number, place):
            return Deliver(number, place, state.facts(state.batches[number]), state.parts.get(number, {}).get(place))
        case EndJob(number):
            job = state.jobs[number]
            chunks = job.batches if state.is_split(job) else None
            return EndJob(number, str(job.id), str(job.batch_id), job.stage is QueryJobStage.LISTED, chunks)
        case _:
            assert_never(order)
