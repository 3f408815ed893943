"""The orders of an extract: each says what to do, and carries everything its worker needs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias, assert_never

from bulkforce.apis.abc import BatchSeen, JobSeen, Listed, Looked
from bulkforce.errors import Facts
from bulkforce.extract.events import Part, QueryJobStage
from bulkforce.extract.result_file import Fetched
from bulkforce.extract.state import State


@dataclass(frozen=True, slots=True)
class OpenJob:
    """Create a job for a query."""

    job: int
    soql: str = field(default="", compare=False)
    chunking: str | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class AskQuery:
    """Add the query to its job."""

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
        splits: Whether the chunks of the query are still to come.
    """

    job: int
    job_id: str = field(default="", compare=False)
    original: str = field(default="", compare=False)
    known: tuple[str, ...] = field(default=(), compare=False)
    splits: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class ReadRange:
    """Read back the request of a chunk: which range of ids it covers."""

    batch: int
    facts: Facts = field(default_factory=Facts, compare=False)
    soql: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class ListResults:
    """List the result files of a batch, from the first or from where the last list ended."""

    batch: int
    facts: Facts = field(default_factory=Facts, compare=False)
    more: str | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class FetchPart:
    """Download a result file of a batch that has, according to the org, this many ``records``."""

    batch: int
    place: int
    facts: Facts = field(default_factory=Facts, compare=False)
    records: int | None = field(default=None, compare=False)
    part: Part | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Deliver:
    """Deliver a part on disk to the sink; ``part`` is ``None`` where a batch has no more result files."""

    batch: int
    place: int
    facts: Facts = field(default_factory=Facts, compare=False)
    part: Part | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class EndJob:
    """Close a job whose results are all fetched, or abort an abandoned one.

    Attributes:
        job: Its number.
        job_id: The org's id.
        original: The batch with the query.
        close: Whether to close it, rather than abort it.
        chunks: How many chunks are known, if the query was split.
    """

    job: int
    job_id: str = field(default="", compare=False)
    original: str = field(default="", compare=False)
    close: bool = field(default=False, compare=False)
    chunks: int | None = field(default=None, compare=False)


Order: TypeAlias = OpenJob | AskQuery | LookAtJob | ReadRange | ListResults | FetchPart | Deliver | EndJob

Answer: TypeAlias = JobSeen | BatchSeen | Looked | Listed | Fetched | str | None
"""`OpenJob` returns the job, `AskQuery` the batch. `LookAtJob` returns the batches, and so does `EndJob` if there are
more than are known. `ReadRange` returns the condition on ids, if the batch is a chunk. `ListResults` returns result
files, `FetchPart` what was downloaded, `Deliver` nothing.
"""


def prepare(state: State, order: Order) -> Order:
    """Fill in everything that an order's worker needs, since the state may change while it works."""
    match order:
        case OpenJob(number):
            job = state.jobs[number]
            return OpenJob(number, job.soql, job.chunking)
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
            batch = state.batches[number]
            return ListResults(number, state.facts(batch), batch.more)
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
