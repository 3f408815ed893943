"""What a run needs of an API, whatever its version: `IngestApi` for a load, `QueryApi` for an extract, and the values
they return.

A job takes batches; a batch is the unit that is sent and that has results. Batch ids in mappings and sets are in the
form of `bulkforce.protocol.wire.short`, since the org writes an id with 15 or 18 characters.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final, Literal, Protocol, TypeAlias

from bulkforce.errors import Facts, Unsettled
from bulkforce.protocol.exchange import Body, Stream
from bulkforce.protocol.flow import Flow
from bulkforce.vocabulary import Operation

if TYPE_CHECKING:
    from bulkforce.apis.results2 import Untied
    from bulkforce.protocol.pk_chunking import PKChunking
    from bulkforce.protocol.soql import Query

_GROWTH: Final = 1.5

ApiName: TypeAlias = Literal["bulk1", "bulk2"]
"""Which API a run uses: Bulk API (v1), or Bulk API 2.0."""


Write: TypeAlias = Callable[[bytes], object]
"""Takes blocks of bytes, as the ``write`` of a file does."""

IS_NO_LOAD: Final = "A load inserts, updates, upserts, deletes or hardDeletes; to get records out, use extract"
"""What to say if a load is asked for a query."""


class JobStanding(Enum):
    """Whether a job accepts batches, accepts no more, or ended early because it was aborted or failed."""

    OPEN = "open"
    CLOSED = "closed"
    ABORTED = "aborted"


class BatchEnd(StrEnum):
    """How a batch ended. Journals store these words."""

    COMPLETED = "Completed"
    FAILED = "Failed"
    NOT_PROCESSED = "NotProcessed"
    ABORTED = "Aborted"


class QueryFault(Enum):
    """Why the org failed a query, as far as that decides what to do: the query is wrong, or it needs smaller pieces."""

    WRONG = "wrong"
    TOO_LARGE = "too large"


@dataclass(frozen=True, slots=True)
class JobSeen:
    """A job, as the org describes it.

    Attributes:
        id: The org's id of the job.
        standing: Whether it accepts batches.
        created: When it was created, in seconds since 1970; ``None`` if the org does not say.
        asked: For a job that is created with its query: the id of the query's batch.
    """

    id: str
    standing: JobStanding
    created: float | None = None
    asked: str | None = None


@dataclass(frozen=True, slots=True)
class Counts:
    """How many records of a batch the org processed, and how many of them failed; ``None`` if it does not say."""

    processed: int | None = None
    failed: int | None = None


@dataclass(frozen=True, slots=True)
class BatchSeen:
    """A batch, as the org describes it.

    Attributes:
        id: The org's id of the batch, with 15 or 18 characters as the org wrote it.
        end: How it ended; ``None`` while it is running.
        message: Why it ended that way, if the org says.
        processed: How many records the org says it processed, including failed ones; for a query, how many it found.
        failed: How many of them failed, if the org says.
        fault: For a query that failed: why, as far as it matters.
    """

    id: str
    end: BatchEnd | None = None
    message: str | None = None
    processed: int | None = None
    failed: int | None = None
    fault: QueryFault | None = None

    @property
    def never_run(self) -> bool:
        """Whether the org accepted the batch and certainly did nothing with it."""
        return self.end is BatchEnd.NOT_PROCESSED and not self.processed


@dataclass(frozen=True, slots=True)
class ContentRefused:
    """The org rejected a batch's bytes, and would do so again; no fault of the job, the session or the org."""

    reason: str


@dataclass(frozen=True, slots=True)
class Uploaded:
    """A job holds a batch that counts for nothing until it is committed."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How large batches may be, and how large they are unless the user says otherwise.

    Attributes:
        most_records: How many records a batch may have.
        most_bytes: How many bytes it may have, header included.
        records: How many records it has by default, at most.
        bytes: How many bytes it has by default, at most.
    """

    most_records: int
    most_bytes: int
    records: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look at a job showed: its batches by id, and the job itself if that was fetched, too."""

    batches: Mapping[str, BatchSeen]
    job: JobSeen | None = None

    @property
    def is_open(self) -> bool:
        """Whether the job was seen to be open."""
        return self.job is not None and self.job.standing is JobStanding.OPEN


@dataclass(frozen=True, slots=True)
class Sent:
    """What was sent in one batch.

    Attributes:
        sha256: The digest of its bytes.
        content: Produces them again.
        committing: Whether its commit may have been requested; without that, it counts for nothing.
    """

    sha256: str
    content: Callable[[], bytes]
    committing: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """What a closed job holds besides the known batches: batches in doubt (number -> id), and foreign ones."""

    adopted: Mapping[int, str]
    strangers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Listed:
    """The result files of a batch, in order.

    Attributes:
        names: Their names, as far as they are listed.
        more: What to list next, if this is not all.
    """

    names: Sequence[str]
    more: str | None = None


@dataclass(frozen=True, slots=True)
class ResultFile:
    """A result file, still on the wire.

    Attributes:
        stream: Its content, which is CSV.
        records: How many records it has, if the org says.
        following: The name of the file that comes next, if only this one says so.
    """

    stream: Stream
    records: int | None = None
    following: str | None = None


@dataclass(frozen=True, slots=True)
class Looks:
    """How often a job is looked at before its list of batches is trusted; see `Patience.fence_seconds`."""

    seconds: float
    most: int

    def pauses(self) -> Iterator[float]:
        """Return the growing pauses between the looks."""
        return (self.seconds * _GROWTH**look for look in range(self.most - 1))


@dataclass(frozen=True, slots=True)
class Outcomes:
    """The outcome of each record of a batch, by position; the last ones may have no result.

    Attributes:
        marks: The record's id and, if it succeeded, whether it was created; each followed by a comma. Empty if the org
            did not try the record, or if it has no result.
        errors: Position of a failed record, from 0 -> the org's reason.
        kinds: One letter for each record, where results may be missing anywhere: `SUCCEEDED`, `FAILED`, `NOT_TRIED` or
            `NO_RESULT`. Empty if only the last records can be without a result.
    """

    marks: Sequence[bytes]
    errors: Mapping[int, str] = field(default_factory=dict)
    kinds: bytes = b""

    SUCCEEDED: ClassVar[bytes] = b"s"
    FAILED: ClassVar[bytes] = b"f"
    NOT_TRIED: ClassVar[bytes] = b"n"
    """The org says that it did not process the record."""
    NO_RESULT: ClassVar[bytes] = b"-"


@dataclass(frozen=True, slots=True)
class Piece:
    """What was sent in a batch, to check and read its results by.

    Attributes:
        records: How many records it has.
        header: The header that was sent.
        rows: Reads the records as they were sent, block by block.
        ids: Returns the ids that the records were sent with; none if nothing was sent as an id.
    """

    records: int
    header: bytes
    rows: Callable[[], Iterator[bytes]]
    ids: Callable[[], Sequence[bytes]] = tuple


@dataclass(frozen=True, slots=True)
class Results:
    """The results of a batch.

    Attributes:
        outcomes: The outcome of each record.
        untied: The results that belong to no record for certain.
        unknown: Why records that have no result have none.
    """

    outcomes: Outcomes
    untied: Untied | None = None
    unknown: str = ""


def strangers_in(job_id: str, ids: Collection[str]) -> Unsettled:
    """Return the error for a job that holds batches we did not send."""
    batches = f"batch {next(iter(ids))}" if len(ids) == 1 else f"batches {', '.join(sorted(ids)[:5])}"
    return Unsettled(
        f"Job {job_id} holds {batches}, which this run did not send: someone else added it, the same request reached "
        "the org twice, or a copy of the run's folder was resumed; nothing more is sent. Compare it with the run's "
        "rows: its rows may be in the org twice",
        Facts(job_id=job_id, batch_id=min(ids)),
        why="strangers",
        strangers=ids,
    )


class IngestApi(Protocol):
    """How records get into the org.

    All jobs of one load are created with the same settings: those the API object was made with.
    """

    @property
    def operation(self) -> Operation:
        """What the org does with the records."""
        ...

    @property
    def object(self) -> str:
        """The API name of the object that the records belong to."""
        ...

    @property
    def external_id(self) -> str | None:
        """The external id field, which identifies existing records."""
        ...

    @property
    def sizes(self) -> Sizes:
        """How large batches are."""
        ...

    @property
    def one_batch_a_job(self) -> bool:
        """Whether a job takes a single batch, which counts once it is committed."""
        ...

    def open(self) -> Flow[JobSeen]:
        """Create a job."""
        ...

    def send(self, job_id: str, body: Body) -> Flow[BatchSeen | Uploaded | ContentRefused | JobSeen]:
        """Add a batch to a job.

        Returns:
            The batch; or that it is there and has to be committed; or why the org refused its content; or the job, if
            that accepts no more batches.

        Raises:
            NotSent: The batch did not reach the org.
            RefusedError: The org did not accept the batch, for a reason other than its content.
            OutcomeUnknown: The org may have accepted the batch: `settle` finds out.
        """
        ...

    def commit(self, job_id: str) -> Flow[BatchSeen | JobSeen]:
        """Let the uploaded batch of a job count.

        Returns:
            The batch; or the job, if that was ended before and the batch counts for nothing.

        Raises:
            Error: The org may have committed it, whatever the error: `settle` finds out.
        """
        ...

    def settle(self, job_id: str, known: Collection[str], doubtful: Mapping[int, Sent]) -> Flow[Found]:
        """Make sure that a job accepts nothing more, and find out which doubtful batches it holds.

        Args:
            job_id: The job.
            known: Ids of the batches that are known to be ours.
            doubtful: What was sent, by the number of the batch.

        Returns:
            What the job holds; it does not hold, and never will, a doubtful batch that is not adopted.

        Raises:
            Unsettled: The job still accepts batches, or its list of batches keeps changing.
        """
        ...

    def audit(
        self, job_id: str, known: Collection[str], *, doubts: bool, ours_to_close: bool, closed: bool
    ) -> Flow[JobSeen]:
        """Check that a job holds exactly the known batches.

        Args:
            job_id: The job.
            known: Ids of the batches that it is known to hold.
            doubts: Whether batches are in doubt; then `settle` finds out which of them the job holds.
            ours_to_close: Whether only we should have closed it, and did not.
            closed: Whether it was closed and so must not be open.

        Raises:
            Unsettled: Something else closed the job, it holds an unknown batch, or its list of batches keeps changing.
        """
        ...

    def look(self, job_id: str, waiting: Collection[str]) -> Flow[Looked]:
        """Look at the batches of a job; and at the job, if one of those ``waiting`` was never run.

        Raises:
            ProtocolError: The org does not list one of those waiting, or its answer makes no sense.
        """
        ...

    def look_at_batch(self, job_id: str, batch_id: str) -> Flow[BatchSeen]:
        """Look at one batch."""
        ...

    def fetch_results(
        self, job_id: str, batch_id: str, write: Write, *, whole: bool, counts: Counts | None = None
    ) -> Flow[bool]:
        """Fetch the results of a batch.

        Args:
            job_id: The job.
            batch_id: The batch.
            write: Called with what the org sends, as it comes.
            whole: Whether it must have results, so that having none is an error.
            counts: The org's counts, if they were seen; else they are asked for, where results are kept with them.

        Returns:
            Whether there are any.
        """
        ...

    def check_results(self, path: Path, piece: Piece, *, whole: bool, failed: int | None = None) -> str | None:
        """Return what is wrong with results, if anything. `read_results` can read any that pass.

        Args:
            path: The file with what `fetch_results` wrote.
            piece: What was sent.
            whole: Whether every record must have a result.
            failed: How many failed, if the org said.
        """
        ...

    def read_results(self, path: Path, piece: Piece, *, whole: bool) -> Results:
        """Read results; see `check_results`. The file must stay until they were used.

        Raises:
            FormatError: They are malformed. Says what is wrong, and in which record, but shows no value.
        """
        ...

    def close(self, job_id: str) -> Flow[None]:
        """Close a job that needs no more batches; if the org no longer has it, there is nothing to close."""
        ...


class QueryApi(Protocol):
    """How records that a query finds get out of the org."""

    @property
    def ends_alone(self) -> bool:
        """Whether a job ends by itself once its query is answered, so that a run that stops can come back to it."""
        ...

    @property
    def keeps_order(self) -> bool:
        """Whether results have the columns in the order in which the query selects them."""
        ...

    def check_chunking(self, chunking: PKChunking | None) -> None:
        """Check that the org can be asked to split the query this way.

        Raises:
            UsageError: It cannot.
        """
        ...

    def open(self, soql: str, chunking: str | None) -> Flow[JobSeen]:
        """Create a job for a query.

        Args:
            soql: The query; the job may be created with it, or it is added by `ask`.
            chunking: How to split the query by record ids, as `PKChunking.header` writes it.

        Raises:
            QueryRefused: The org says at once that the query is wrong.
        """
        ...

    def ask(self, job_id: str, soql: str) -> Flow[BatchSeen]:
        """Add the query to a job that was created without it."""
        ...

    def look(self, job_id: str, original: str, known: Collection[str], *, splits: bool) -> Flow[Looked]:
        """Look at the batches of a job.

        Args:
            job_id: The job.
            original: The batch with the query.
            known: Batches that it must hold: a list without one of them is not trusted.
            splits: Whether the chunks of the query are still to come. A list of all chunks is trusted when it agrees
                with the job's own count, or when it stays the same over all looks and the count does not contradict it.

        Raises:
            ProtocolError: The list still cannot be trusted after all looks.
            NotFound: The org does not have the job.
        """
        ...

    def read_range(self, job_id: str, batch_id: str, query: Query) -> Flow[str | None]:
        """Read which range of ids a chunk of a query covers; read again if the request may have been truncated.

        Returns:
            The condition that makes it a chunk; ``None`` if it does not look like one.
        """
        ...

    def list_results(self, job_id: str, batch_id: str, more: str | None = None) -> Flow[Listed]:
        """List result files of a batch.

        Args:
            job_id: The job.
            batch_id: The batch.
            more: Where the last list ended; ``None`` for the first.
        """
        ...

    def fetch(self, job_id: str, batch_id: str, name: str) -> Flow[ResultFile]:
        """Fetch a result file, block by block."""
        ...

    def close(self, job_id: str, original: str, chunks: int | None) -> Flow[Looked | None]:
        """Close a job whose results are all fetched.

        Args:
            job_id: The job.
            original: The batch with the query.
            chunks: How many chunks are known, if the query was split.

        Returns:
            For a split query, the list of its batches if it has more than are known.
        """
        ...

    def abort(self, job_id: str) -> Flow[None]:
        """End an abandoned job, whatever state it is in; what it still does no longer matters."""
        ...
