"""The field's own words, as the wire spells them. No behaviour.

Source: Bulk API developer guide, JobInfo and BatchInfo (edition of 2026).
"""

from __future__ import annotations

from enum import StrEnum


class Operation(StrEnum):
    """What a job does. The spelling is significant: ``INSERT`` is an error."""

    INSERT = "insert"
    UPDATE = "update"
    UPSERT = "upsert"
    DELETE = "delete"
    HARD_DELETE = "hardDelete"
    QUERY = "query"
    QUERY_ALL = "queryAll"

    @property
    def is_query(self) -> bool:
        """Whether the batches of the job are SOQL, and its results records."""
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
        """The format of the records themselves, inside the zip if there is one."""
        return ContentType(self.value.removeprefix("ZIP_"))


class ConcurrencyMode(StrEnum):
    """Whether batches run beside each other."""

    PARALLEL = "Parallel"
    SERIAL = "Serial"


class LineEnding(StrEnum):
    """How line ends inside text area values are read."""

    LF = "LF"
    CRLF = "CRLF"


class JobState(StrEnum):
    """Where a job is in its life."""

    OPEN = "Open"
    CLOSED = "Closed"
    ABORTED = "Aborted"
    FAILED = "Failed"


class BatchState(StrEnum):
    """Where a batch is in its life."""

    QUEUED = "Queued"
    IN_PROGRESS = "InProgress"
    COMPLETED = "Completed"
    FAILED = "Failed"
    NOT_PROCESSED = "NotProcessed"

    @classmethod
    def _missing_(cls, value: object) -> BatchState | None:
        # One sample of the guide (the PK chunking walkthrough) has a blank in it, and clients in production test for
        # it.
        return cls.NOT_PROCESSED if value == "Not Processed" else None

    @property
    def is_final(self) -> bool:
        """Whether the batch will not change any more."""
        return self in {BatchState.COMPLETED, BatchState.FAILED, BatchState.NOT_PROCESSED}
