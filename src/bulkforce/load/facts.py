"""What a load knows before it sends anything: what was asked for, and what reading the source found."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, Final

from bulkforce.apis.abc import ApiName
from bulkforce.load.checking import OnUnknownColumn, Values
from bulkforce.protocol import limits
from bulkforce.vocabulary import LineEnding


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a run was started with: enough to read its source again.

    Attributes:
        run: Its id.
        begun: When it was started, in seconds since 1970.
        instance_url: The org's URL.
        operation: As in the job.
        object: As in the job.
        external_id: As in the job.
        concurrency_mode: As in the job.
        source: The name of the source in reports.
        path: Where the source can be read again; ``None`` if it cannot.
        mapping: The column map, as a dict.
        empty_as_null: Whether an empty value sets null.
        batch_records: Maximum number of records in a batch.
        workers: Maximum number of concurrent uploads and downloads.
        check: Whether columns and values are checked against the object.
        excel: Whether outputs are to be opened in a spreadsheet.
        on_unknown_column: What to do with columns that cannot be sent.
        values: What to do about values that the org would refuse.
        assignment_rule_id: As in the job.
        line_ending: As in the job.
        disable_batch_retry: As in the job.
        headers: As in the job.
        notation: The notation of texts, as a dict.
        source_options: How to read the source, a `SourceOptions` as a dict.
        api: Which API the run uses.
        batch_bytes: Maximum size of a batch in bytes.
        files_folder: The folder of the files that records name.
        map_file: The name of the file that holds the map, if it is one.
        retry_of: The id of the run whose rows are loaded again, if this is a retry.
        undo_of: The id of the run whose records are deleted, if this is an undo.
        followed: The folder of that run.
        followed_token: Its token.
    """

    run: str
    begun: float
    instance_url: str
    operation: str
    object: str
    external_id: str | None
    concurrency_mode: str | None
    source: str
    path: str | None
    mapping: dict[str, Any]
    empty_as_null: bool
    batch_records: int
    workers: int
    check: bool = True
    excel: bool = False
    on_unknown_column: OnUnknownColumn = "refuse"
    values: Values = "warn"
    assignment_rule_id: str | None = None
    line_ending: str | None = None
    disable_batch_retry: bool | None = None
    headers: dict[str, str] | None = None
    notation: dict[str, Any] = field(default_factory=dict)
    source_options: dict[str, Any] = field(default_factory=dict)
    files_folder: str = ""
    map_file: str | None = None
    api: ApiName = "bulk1"
    batch_bytes: int = limits.BATCH_BYTES
    retry_of: str | None = None
    undo_of: str | None = None
    followed: str = ""
    followed_token: str = ""

    @property
    def line_end(self) -> str:
        """What every line sent must end with; empty if that does not matter."""
        return "" if self.api == "bulk1" else "\r\n" if self.line_ending == LineEnding.CRLF else "\n"


@dataclass(frozen=True, slots=True)
class Follower:
    """A run that retries or undoes another.

    Attributes:
        run: Its id.
        folder: Its folder.
        token: Its token.
    """

    run: str
    folder: str
    token: str


ASKED: Final = frozenset(one.name for one in fields(Asked))


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadFacts(Asked):
    """What a run was started with, and what reading its source found.

    ``files`` are the places of binary values; if there are any, batches are zips. With ``empty_is_written``, the feed
    has null where a record of the source has an empty value, and what is empty in it is absent.
    """

    feed: str
    feed_is_ours: bool
    feed_size: int
    feed_mtime_ns: int
    header: str
    source_columns: list[str]
    taken: list[int]
    names: list[str]
    constants: list[str]
    empty_is_written: bool = False
    read: int
    rejected: list[int]
    skipped: int = 0
    files: list[int] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
