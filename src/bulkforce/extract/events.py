"""What happens in an extract, and the jobs, batches and parts that it is about: values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from bulkforce.errors import Error


class QueryJobStage(StrEnum):
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
    """The org could not answer; it is to be asked again alone, once it is known which ids it is about."""
    REPLACED = "replaced"
    """Another has its place."""


@dataclass(frozen=True, slots=True)
class QueryJob:
    """A job with one request."""

    number: int
    soql: str
    chunking: str | None
    replaces: int | None
    tries: int = 1
    stage: QueryJobStage = QueryJobStage.WANTED
    id: str | None = None
    batch_id: str | None = None
    created: float | None = None
    batches: int = 0
    closed: bool = False

    @property
    def counts(self) -> bool:
        """Whether it is not given up."""
        return self.stage not in {QueryJobStage.ABANDONED, QueryJobStage.GONE}


@dataclass(frozen=True, slots=True)
class QueryBatch:
    """A batch that counts.

    Attributes:
        number: Ours.
        job: Number of its job.
        id: The org's.
        place: Where its rows come in the order of the whole.
        stage: Where it stands.
        records: How many it has, by the org's word; ``None`` if it does not tell.
        message: Why it failed.
        tries: How often its result files were not what they should be.
        ids: Of a chunk: the condition on ids that makes it one; ``None`` as long as that was not read.
    """

    number: int
    job: int
    id: str
    place: int
    stage: BatchStage = BatchStage.RUNNING
    records: int | None = None
    message: str | None = None
    tries: int = 0
    ids: str | None = None


@dataclass(frozen=True, slots=True)
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
    def file(self) -> str:
        """Name of its file."""
        return f"{self.batch:06}-{self.place:02}.csv"


Thing: TypeAlias = QueryJob | QueryBatch | Part


@dataclass(frozen=True, slots=True)
class DeliveryBegun:
    """Rows are about to be handed to the sink: from now on the whole query cannot be asked again."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """A part was handed to the sink."""

    batch: int
    place: int


@dataclass(frozen=True, slots=True)
class GivenUp:
    """A batch is not tried any more in this sitting, and why."""

    batch: int
    why: Error


Event: TypeAlias = Thing | DeliveryBegun | Delivered | GivenUp
"""What happens in an extract: a job, batch or part stands as it says from now on; or what the next sitting need not
know."""
