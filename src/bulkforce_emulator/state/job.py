"""A job and its batches: what was asked for, how far they are, and where the bodies of the batches are kept."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from bulkforce_emulator.state.lifecycle import BatchState, JobState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bulkforce_emulator.mishaps import Mishap
    from bulkforce_emulator.schema import Field, SObject
    from bulkforce_emulator.state.bulk2.job import Bulk2
    from bulkforce_emulator.state.chunking import ChunkOptions
    from bulkforce_emulator.state.spool import Spooled
    from bulkforce_emulator.uploads import Format


class Operation(StrEnum):
    """What a job does with records."""

    INSERT = "insert"
    UPSERT = "upsert"
    UPDATE = "update"
    DELETE = "delete"
    HARD_DELETE = "hard_delete"
    QUERY = "query"
    QUERY_ALL = "query_all"

    @property
    def is_query(self) -> bool:
        """Whether it reads records."""
        return self in {Operation.QUERY, Operation.QUERY_ALL}


@dataclass(frozen=True, slots=True)
class JobRequest:
    """What a client asks for when it creates a job, after all checks."""

    operation: Operation
    sobject: SObject
    format: Format
    api_version: str
    #: Whether batches are zip archives, for binary fields.
    zipped: bool = False
    external_id: Field | None = None
    #: Whether batches run one after another.
    serial: bool = False
    assignment_rule_id: str | None = None
    chunking: ChunkOptions | None = None
    #: The line end inside CSV values.
    line_ending: str = "\n"
    disable_retry: bool = False


@dataclass(frozen=True, slots=True)
class BatchSummary:
    """A batch at one moment."""

    id: str
    job_id: str
    state: BatchState
    message: str | None
    created: datetime
    modified: datetime
    processed: int
    failed: int
    milliseconds: int

    @property
    def active_milliseconds(self) -> int:
        """How much of the time was not spent on reading and writing: three quarters, we say."""
        return self.milliseconds * 3 // 4


@dataclass(frozen=True, slots=True)
class JobSummary:
    """A job at one moment, with the totals of its batches."""

    id: str
    request: JobRequest
    created_by: str
    created: datetime
    modified: datetime
    state: JobState
    batches: Counter[BatchState]
    processed: int
    failed: int
    retries: int
    milliseconds: int
    active_milliseconds: int


@dataclass(slots=True, eq=False)
class Batch:
    """One batch, and where its request and results are kept."""

    id: str
    job: Job
    created: datetime
    modified: datetime
    request: Spooled
    #: The charset that the request named for its body.
    charset: str
    state: BatchState = BatchState.QUEUED
    message: str | None = None
    processed: int = 0
    failed: int = 0
    #: How many records are shown as processed while the batch is in progress; it grows in steps.
    advanced: int = 0
    #: How often it was put back into the queue.
    retries: int = 0
    #: What goes wrong with it; settled when it first starts.
    mishap: Mishap | None = None
    milliseconds: int = 0
    #: Whether it was split by PK chunking; the original then no longer counts as one of the job's batches.
    split: bool = False
    #: An encoding of the body that the server does not know; the batch will fail because of it.
    unknown_coding: str | None = None
    #: Results by id, in order; a data batch has one, with an empty id.
    results: dict[str, Spooled] = field(default_factory=dict)

    @property
    def is_final(self) -> bool:
        """Whether the batch has ended."""
        return self.state.is_final

    @property
    def processed_so_far(self) -> int:
        """How many records are shown as processed."""
        return self.processed if self.is_final else self.advanced

    @property
    def failed_so_far(self) -> int:
        """How many records are shown as failed; none until the batch has ended."""
        return self.failed if self.is_final else 0

    def summary(self) -> BatchSummary:
        """A snapshot of the batch."""
        return BatchSummary(
            id=self.id,
            job_id=self.job.id,
            state=self.state,
            message=self.message,
            created=self.created.replace(microsecond=0),
            modified=self.modified,
            processed=self.processed_so_far,
            failed=self.failed_so_far,
            milliseconds=0 if self.job.is_query and self.job.bulk2 is None else self.milliseconds,
        )


@dataclass(slots=True, eq=False)
class Job:
    """One job."""

    id: str
    request: JobRequest
    created_by: str
    created: datetime
    modified: datetime
    state: JobState = JobState.OPEN
    batches: dict[str, Batch] = field(default_factory=dict)
    #: The transformation spec, as posted.
    spec: bytes | None = None
    #: What a job of Bulk API 2.0 has besides; None in a job of v1.
    bulk2: Bulk2 | None = None

    @property
    def operation(self) -> Operation:
        """What the job does."""
        return self.request.operation

    @property
    def sobject(self) -> SObject:
        """The object that the job is about."""
        return self.request.sobject

    @property
    def external_id(self) -> Field | None:
        """The field by which an upsert finds its records."""
        return self.request.external_id

    @property
    def format(self) -> Format:
        """What the job's batches and results are written in."""
        return self.request.format

    @property
    def zipped(self) -> bool:
        """Whether the job's batches are zip archives."""
        return self.request.zipped

    @property
    def chunking(self) -> ChunkOptions | None:
        """How the job's queries are split, if they are."""
        return self.request.chunking

    @property
    def is_query(self) -> bool:
        """Whether the job reads records."""
        return self.operation.is_query

    @property
    def is_serial(self) -> bool:
        """Whether the job's batches run one after another."""
        return self.request.serial

    def summary(self, seen: Iterable[Batch], *, count_split: bool) -> JobSummary:
        """A snapshot of the job.

        Args:
            seen: The batches to count.
            count_split: Whether the original batch of a PK-chunked query counts as one of them.
        """
        batches = [batch for batch in seen if count_split or not batch.split]
        # The rows of a batch that failed as a whole are not counted.
        counted = [batch for batch in batches if batch.state != BatchState.FAILED or batch.results]
        shown = [batch.summary() for batch in batches]
        return JobSummary(
            id=self.id,
            request=self.request,
            created_by=self.created_by,
            created=self.created,
            modified=self.modified,
            state=self.state,
            batches=Counter(batch.state for batch in batches),
            processed=sum(batch.processed_so_far for batch in counted),
            failed=sum(batch.failed_so_far for batch in counted),
            retries=sum(batch.retries for batch in batches),
            milliseconds=sum(batch.milliseconds for batch in shown),
            active_milliseconds=sum(batch.active_milliseconds for batch in shown),
        )
