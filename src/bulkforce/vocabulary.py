"""The field's own words, as the wire spells them. No behaviour.

Source: Bulk API developer guide, JobInfo and BatchInfo (edition of 2026).
"""

from __future__ import annotations

from enum import StrEnum


class Operation(StrEnum):
    """What a job does. Case matters: ``INSERT`` is an error."""

    INSERT = "insert"
    UPDATE = "update"
    UPSERT = "upsert"
    DELETE = "delete"
    HARD_DELETE = "hardDelete"
    QUERY = "query"
    QUERY_ALL = "queryAll"

    @property
    def is_query(self) -> bool:
        """Whether the job's batches are SOQL and its results are records."""
        return self in {Operation.QUERY, Operation.QUERY_ALL}


class ContentType(StrEnum):
    """The format of a job's batches and results."""

    CSV = "CSV"
    JSON = "JSON"
    XML = "XML"
    ZIP_CSV = "ZIP_CSV"
    ZIP_JSON = "ZIP_JSON"
    ZIP_XML = "ZIP_XML"

    @property
    def is_zip(self) -> bool:
        """Whether batches are zip archives with ``request.txt`` and binary files."""
        return self.value.startswith("ZIP_")

    @property
    def records(self) -> ContentType:
        """The format of the records themselves, inside the zip for a zip type."""
        return ContentType(self.value.removeprefix("ZIP_"))


class ConcurrencyMode(StrEnum):
    """Whether the org processes batches in parallel."""

    PARALLEL = "Parallel"
    SERIAL = "Serial"


class LineEnding(StrEnum):
    """How the org reads line ends inside text area values."""

    LF = "LF"
    CRLF = "CRLF"


class JobState(StrEnum):
    """The state of a job."""

    OPEN = "Open"
    CLOSED = "Closed"
    ABORTED = "Aborted"
    FAILED = "Failed"


class BatchState(StrEnum):
    """The state of a batch."""

    QUEUED = "Queued"
    IN_PROGRESS = "InProgress"
    COMPLETED = "Completed"
    FAILED = "Failed"
    NOT_PROCESSED = "NotProcessed"

    @classmethod
    def _missing_(cls, value: object) -> BatchState | None:
        # One sample in the guide (the PK chunking walkthrough) has a space, and clients in production check for it.
        return cls.NOT_PROCESSED if value == "Not Processed" else None

    @property
    def is_final(self) -> bool:
        """Whether this state is final: the batch will not change any more."""
        return self in {BatchState.COMPLETED, BatchState.FAILED, BatchState.NOT_PROCESSED}
