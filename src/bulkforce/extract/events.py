"""What happens in an extract, and its jobs, batches and parts, as values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from bulkforce.errors import Error


class QueryJobStage(StrEnum):
    """The stage of one of our jobs."""

    WANTED = "wanted"
    """To be created, or being created; if the answer is lost, an empty job stays behind."""
    OPEN = "open"
    """Created; whether it has its batch is not known."""
    ASKED = "asked"
    """Its batch was accepted."""
    LISTED = "listed"
    """All batches that it will ever have are known."""
    ABANDONED = "abandoned"
    """Its results do not count; it is to be aborted."""
    GONE = "gone"
    """Its results do not count, and it has ended."""


class BatchStage(StrEnum):
    """The stage of a batch."""

    RUNNING = "running"
    COMPLETED = "completed"
    FETCHING = "fetching"
    """Its result files are known."""
    DONE = "done"
    """All result files are on disk, with as many records as the org said."""
    FAILED = "failed"
    """The org could not answer; once its range of ids is known, it is queried again on its own."""
    REPLACED = "replaced"
    """Another batch has taken its place."""


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
        """Whether its results count: it is not abandoned."""
        return self.stage not in {QueryJobStage.ABANDONED, QueryJobStage.GONE}


@dataclass(frozen=True, slots=True)
class QueryBatch:
    """A batch that counts, or that another has replaced.

    Attributes:
        number: Our number of the batch.
        job: Number of its job.
        id: The org's id of the batch.
        place: Position of its records in the whole extract.
        stage: Its stage.
        records: How many records it has, according to the org; ``None`` if the org does not say.
        message: Why it failed.
        tries: How often its result files were wrong.
        ids: For a chunk: the condition on ids that makes it one; ``None`` until it was read.
        more: Where the list of its result files goes on, if they are not all listed.
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
    more: str | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """A result file; ``rows``, ``size`` and ``sha256`` are known once it is on disk.

    Attributes:
        records: How many records it has, according to the org; ``None`` if the org says that only of its batch.
    """

    batch: int
    place: int
    result_id: str
    done: bool = False
    rows: int = 0
    size: int = 0
    sha256: str = ""
    records: int | None = None

    @property
    def proven(self) -> bool:
        """Whether it is on disk, with as many records as the org said: it can be delivered before its batch is done."""
        return self.done and self.records is not None

    @property
    def file(self) -> str:
        """The name of its file."""
        return f"{self.batch:06}-{self.place:02}.csv"


Thing: TypeAlias = QueryJob | QueryBatch | Part


@dataclass(frozen=True, slots=True)
class DeliveryBegun:
    """Records are about to go to the sink; from now on, the whole query cannot be run again."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """A part was delivered to the sink."""

    batch: int
    place: int


@dataclass(frozen=True, slots=True)
class GivenUp:
    """A batch is not retried in this sitting, and why."""

    batch: int
    why: Error


Event: TypeAlias = Thing | DeliveryBegun | Delivered | GivenUp
"""What happens in an extract: the new value of a job, batch or part; or something that the next sitting need not
know."""
