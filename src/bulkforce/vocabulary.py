"""The field's own words, as the wire spells them. No behaviour.

Source: Bulk API developer guide, JobInfo and BatchInfo, and the Bulk API 2.0 chapters (edition of 2026).
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
    """How lines end: in v1, those inside text area values; in 2.0, those of the whole file."""

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


class Job2State(StrEnum):
    """The state of a job of Bulk API 2.0.

    A query job begins as ``UploadComplete``. ``Closed`` is the state of a v1 job, which 2.0 lists too.
    """

    OPEN = "Open"
    UPLOAD_COMPLETE = "UploadComplete"
    IN_PROGRESS = "InProgress"
    JOB_COMPLETE = "JobComplete"
    FAILED = "Failed"
    ABORTED = "Aborted"
    CLOSED = "Closed"

    @property
    def is_final(self) -> bool:
        """Whether this state is final: the job will not change any more."""
        return self in {Job2State.JOB_COMPLETE, Job2State.FAILED, Job2State.ABORTED}


class ColumnDelimiter(StrEnum):
    """What separates the columns of a 2.0 job's CSV."""

    COMMA = "COMMA"
    BACKQUOTE = "BACKQUOTE"
    CARET = "CARET"
    PIPE = "PIPE"
    SEMICOLON = "SEMICOLON"
    TAB = "TAB"

    @property
    def character(self) -> str:
        """The character itself."""
        return {"COMMA": ",", "BACKQUOTE": "`", "CARET": "^", "PIPE": "|", "SEMICOLON": ";", "TAB": "\t"}[self.value]
