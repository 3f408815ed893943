"""What the org says about jobs, batches and records: frozen values.

Source: developer guide, "JobInfo" and "BatchInfo" (edition of 2026); fields are in the order of the wire.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import TypeAlias

from bulkforce import arguments
from bulkforce.display import Display, Shown, ShownList, Table
from bulkforce.errors import BatchFailed, Facts
from bulkforce.vocabulary import BatchState, ConcurrencyMode, ContentType, JobState, Operation

# A field is named ``object``, as on the wire, which hides the type of that name.
Anything: TypeAlias = object


class Info(Shown):
    """Shows what the org said, and leaves out what it did not say."""

    __slots__ = ()

    def _said(self) -> dict[str, Anything]:
        values = {one.name: getattr(self, one.name) for one in fields(self)}  # type: ignore[arg-type]
        return {name: value for name, value in values.items() if value is not None and value not in ({}, ())}

    def __repr__(self) -> str:
        said = ", ".join(
            f"{name}={(str(value) if isinstance(value, str) else value)!r}" for name, value in self._said().items()
        )
        return f"{type(self).__name__}({said})"

    def _display(self) -> Display:
        said = self._said()
        rows = [(name.replace("_", " "), worded(value)) for name, value in said.items() if name != "id"]
        kind = re.sub("(?<=[a-z])(?=[A-Z])", " ", type(self).__name__.removesuffix("Info")).lower()
        return Display(f"{kind} {said['id']}", [Table("", (), rows)])


def worded(value: Anything) -> str:
    """Write a value of an info for people."""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S} UTC"
    if isinstance(value, tuple):
        return f"{len(value):,}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class JobInfo(Info):
    """A job as the org describes it.

    Times are aware datetimes in UTC; processing times are in milliseconds, summed over the batches.
    ``number_records_processed`` includes failed records. ``fast_path_enabled`` comes only in JSON. Fields unknown to
    bulkforce are kept in ``extra``, under their names on the wire. ``None`` means that the org did not say.
    """

    id: str
    operation: Operation
    object: str
    created_by_id: str | None = None
    created_date: datetime | None = None
    system_modstamp: datetime | None = None
    state: JobState
    external_id_field_name: str | None = None
    concurrency_mode: ConcurrencyMode | None = None
    content_type: ContentType = ContentType.XML
    number_batches_queued: int | None = None
    number_batches_in_progress: int | None = None
    number_batches_completed: int | None = None
    number_batches_failed: int | None = None
    number_batches_total: int | None = None
    number_records_processed: int | None = None
    number_retries: int | None = None
    api_version: float | None = None
    assignment_rule_id: str | None = None
    number_records_failed: int | None = None
    total_processing_time: int | None = None
    api_active_processing_time: int | None = None
    apex_processing_time: int | None = None
    fast_path_enabled: bool | None = None
    extra: Mapping[str, Anything] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        # Calls that take a JobInfo rely on these two.
        arguments.instance(self.operation, Operation, "operation of a JobInfo")
        arguments.instance(self.content_type, ContentType, "content_type of a JobInfo")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class BatchInfo(Info):
    """A batch as the org describes it.

    Times are aware datetimes in UTC; processing times are in milliseconds. ``number_records_processed`` includes failed
    records; for a query it is the number of records read. ``state_message`` says why a batch failed. A query that PK
    chunking splits stays ``NotProcessed`` itself; if it comes from `wait_for_batch`, ``chunks`` holds the batches that
    do its work (for a job with several queries, the chunks of all of them).
    """

    id: str
    job_id: str
    state: BatchState
    state_message: str | None = None
    created_date: datetime | None = None
    system_modstamp: datetime | None = None
    number_records_processed: int | None = None
    number_records_failed: int | None = None
    total_processing_time: int | None = None
    api_active_processing_time: int | None = None
    apex_processing_time: int | None = None
    chunks: tuple[BatchInfo, ...] | None = None
    extra: Mapping[str, Anything] = field(default_factory=dict, hash=False)

    def raise_for_state(self) -> BatchInfo:
        """Return this batch unless the org could not process it; if it has chunks, check those instead.

        Raises:
            BatchFailed: The batch is ``Failed`` or ``NotProcessed``, or one of its chunks is.
        """
        if self.chunks is not None:
            for chunk in self.chunks:
                chunk.raise_for_state()
        elif self.state in {BatchState.FAILED, BatchState.NOT_PROCESSED}:
            reason = self.state_message or "the org gave no reason"
            if self.state is BatchState.NOT_PROCESSED:
                reason += "; its job was aborted, or PK chunking has split its query (wait_for_batch tells which)"
            raise BatchFailed(f"Batch {self.id} is {self.state}: {reason}", Facts(job_id=self.job_id, batch_id=self.id))
        return self


class BatchList(ShownList[BatchInfo]):
    """Batches, as a list that shows itself as a table."""

    __slots__ = ()

    def _kind(self) -> str:
        return "batch"

    def _header(self) -> Sequence[str]:
        return ("id", "state", "processed", "failed", "created", "message")

    def _row(self, one: BatchInfo) -> Sequence[Anything]:
        created = worded(one.created_date) if one.created_date else ""
        counts = (one.number_records_processed, one.number_records_failed)
        return (one.id, str(one.state), *counts, created, one.state_message or "")


@dataclass(frozen=True, slots=True)
class RecordError:
    """Why the org refused a record: ``status_code`` is a SOAP API ``StatusCode``, ``fields`` the fields concerned."""

    status_code: str
    message: str
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of one record; results are in the order of the batch's records.

    ``id`` is the record's id, or ``None`` if it failed (the org omits the id even if the upload had one); ``created``
    is true for an insert, and for an upsert that inserted.
    """

    id: str | None
    success: bool
    created: bool
    errors: list[RecordError] = field(default_factory=list)
