"""What the org says about jobs of Bulk API 2.0: frozen values.

Source: developer guide, Bulk API 2.0, "Get Information About a Job" (edition of 2026), and recordings; fields are in
the order of the wire. A job in a list has fewer fields than one that is asked for, and the answers to complete and
abort have fewer still.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from bulkforce.errors import Facts, JobAborted, JobFailed
from bulkforce.protocol.info import Info
from bulkforce.vocabulary import ColumnDelimiter, ConcurrencyMode, ContentType, Job2State, LineEnding, Operation

# A field is named ``object``, as on the wire, which hides the type of that name.
Anything: TypeAlias = object


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class _Job2Info(Info):
    id: str
    operation: Operation | str
    object: str | None = None
    created_by_id: str | None = None
    created_date: datetime | None = None
    system_modstamp: datetime | None = None
    state: Job2State | str

    @property
    def is_final(self) -> bool:
        """Whether the job has ended; a job in a state that bulkforce does not know has not."""
        return isinstance(self.state, Job2State) and self.state.is_final


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class IngestJobInfo(_Job2Info):
    """A job that loads records, as Bulk API 2.0 describes it.

    Times are aware datetimes in UTC; processing times are in milliseconds. ``number_records_processed`` includes failed
    records, and while the job is open it is absent until something was uploaded. ``content_url`` is there only while
    the job is open. ``error_message`` says why a job is ``Failed``. A word of the org's that bulkforce does not know
    stays a plain string, and fields that it does not know are kept in ``extra``, under their names on the wire.
    ``None`` means that the org did not say.
    """

    external_id_field_name: str | None = None
    concurrency_mode: ConcurrencyMode | str | None = None
    content_type: ContentType | str | None = None
    api_version: float | None = None
    job_type: str | None = None
    content_url: str | None = None
    line_ending: LineEnding | str | None = None
    column_delimiter: ColumnDelimiter | str | None = None
    number_records_processed: int | None = None
    number_records_failed: int | None = None
    retries: int | None = None
    total_processing_time: int | None = None
    api_active_processing_time: int | None = None
    apex_processing_time: int | None = None
    is_pk_chunking_supported: bool | None = None
    assignment_rule_id: str | None = None
    error_message: str | None = None
    extra: Mapping[str, Anything] = field(default_factory=dict, hash=False)

    def raise_for_state(self) -> IngestJobInfo:
        """Return this job unless it failed or was aborted. Records can have failed all the same.

        Raises:
            JobFailed: The org gave up on the job; some records may have been written.
            JobAborted: The job was aborted; some records may have been written.
        """
        _raise_for_state(self, self.error_message, "read its three result files to see which records were written")
        return self


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class QueryJobInfo(_Job2Info):
    """A query job, as Bulk API 2.0 describes it; see `IngestJobInfo` for how its fields are to be read.

    ``is_pk_chunking_supported`` says whether the org splits the query by record id. The org never returns the query
    itself.
    """

    concurrency_mode: ConcurrencyMode | str | None = None
    content_type: ContentType | str | None = None
    api_version: float | None = None
    job_type: str | None = None
    line_ending: LineEnding | str | None = None
    column_delimiter: ColumnDelimiter | str | None = None
    number_records_processed: int | None = None
    retries: int | None = None
    total_processing_time: int | None = None
    is_pk_chunking_supported: bool | None = None
    error_message: str | None = None
    extra: Mapping[str, Anything] = field(default_factory=dict, hash=False)

    def raise_for_state(self) -> QueryJobInfo:
        """Return this job unless it failed or was aborted.

        Raises:
            JobFailed: The org gave up on the query.
            JobAborted: The job was aborted.
        """
        _raise_for_state(self, self.error_message, "run the query again; if it fails again, narrow it")
        return self


def _raise_for_state(job: _Job2Info, reason: str | None, remedy: str) -> None:
    if job.state == Job2State.FAILED:
        raise JobFailed(f"The job failed: {reason or 'the org gave no reason'}; {remedy}", Facts(job_id=job.id))
    if job.state == Job2State.ABORTED:
        raise JobAborted(f"The job was aborted; {remedy}", Facts(job_id=job.id))
