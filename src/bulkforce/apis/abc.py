"""What a run needs of an API, whichever version it is: `IngestApi` for a load, `QueryApi` for an extract, and what they
tell.

A job takes batches; a batch is what is sent at once, and what has results. Ids of batches that are told in mappings and
sets are as `bulkforce.protocol.wire.short` writes them, since the org writes an id with 15 or 18 characters.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Final, Protocol

from bulkforce.errors import Facts, Unsettled
from bulkforce.protocol.exchange import Body, Stream
from bulkforce.protocol.flow import Flow
from bulkforce.protocol.pk_chunking import PKChunking
from bulkforce.protocol.soql import Query
from bulkforce.vocabulary import Operation

_GROWTH: Final = 1.5


class JobStanding(Enum):
    """Whether a job takes batches, takes no more, or was ended before its time: aborted by somebody, or failed."""

    OPEN = "open"
    CLOSED = "closed"
    ABORTED = "aborted"


class BatchEnd(StrEnum):
    """How a batch ended. Journals hold these words."""

    COMPLETED = "Completed"
    FAILED = "Failed"
    NOT_PROCESSED = "NotProcessed"


class QueryFault(Enum):
    """Why the org failed to answer a query, where that says what to do: it would find the same fault again, or it wants
    smaller pieces.
    """

    WRONG = "wrong"
    TOO_LARGE = "too large"


@dataclass(frozen=True, slots=True)
class JobSeen:
    """A job, as the org tells it.

    Attributes:
        id: The org's.
        standing: Whether it takes batches.
        created: When it was created, in seconds since 1970; ``None`` if the org does not tell.
    """

    id: str
    standing: JobStanding
    created: float | None = None


@dataclass(frozen=True, slots=True)
class BatchSeen:
    """A batch, as the org tells it.

    Attributes:
        id: The org's, with as many characters as it wrote.
        end: How it ended; ``None`` while it has not.
        message: Why it ended so, if the org says.
        processed: How many records the org says it processed, those that failed among them; of a query, how many it
            found.
        failed: How many of them failed, if the org says.
        fault: Of a query that failed: why, as far as it matters.
    """

    id: str
    end: BatchEnd | None = None
    message: str | None = None
    processed: int | None = None
    failed: int | None = None
    fault: QueryFault | None = None

    @property
    def never_run(self) -> bool:
        """Whether the org took the batch and certainly did nothing with it."""
        return self.end is BatchEnd.NOT_PROCESSED and not self.processed


@dataclass(frozen=True, slots=True)
class ContentRefused:
    """The org finds a batch's bytes wrong, and would find so again; everything else is about the job, the session or
    the org.
    """

    reason: str


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look at a job showed: its batches by their ids; and the job itself, where it was looked at, too."""

    batches: Mapping[str, BatchSeen]
    job: JobSeen | None = None

    @property
    def is_open(self) -> bool:
        """Whether the job was seen to be open."""
        return self.job is not None and self.job.standing is JobStanding.OPEN


@dataclass(frozen=True, slots=True)
class Sent:
    """What was sent in one batch: the digest of its bytes, and how to make them again."""

    sha256: str
    content: Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class Found:
    """What a closed job holds besides what was known: batches in doubt (number -> id), and those of strangers."""

    adopted: Mapping[int, str]
    strangers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Looks:
    """How often a job is looked at before its list is believed; see `Patience.fence_seconds`."""

    seconds: float
    most: int

    def pauses(self) -> Iterator[float]:
        """Give the pauses between the looks, which grow."""
        return (self.seconds * _GROWTH**look for look in range(self.most - 1))


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What became of the records of a batch, by place; the last ones may have no result.

    Attributes:
        marks: The record's id, and for one that went in whether it was created; a comma behind each.
        errors: Place of a record that did not go in, from 0 -> the org's reason.
    """

    marks: Sequence[bytes]
    errors: Mapping[int, str] = field(default_factory=dict)


def strangers_in(job_id: str, ids: Collection[str]) -> Unsettled:
    """Make the error for a job with batches that are none of ours."""
    batches = f"batch {next(iter(ids))}" if len(ids) == 1 else f"batches {', '.join(sorted(ids)[:5])}"
    return Unsettled(
        f"Job {job_id} holds {batches}, which this run did not send: somebody else added it, the same request reached "
        "the org twice, or a copy of the "
        "run's folder was gone on with; nothing more is sent. Compare it with the run's rows: its rows may be in the "
        "org twice",
        Facts(job_id=job_id, batch_id=min(ids)),
        why="strangers",
        strangers=ids,
    )


class IngestApi(Protocol):
    """How records get into the org.

    All jobs of one load are created with the same settings, which the API was made with.
    """

    @property
    def operation(self) -> Operation:
        """What is done with the records."""
        ...

    @property
    def object(self) -> str:
        """The API name of the object that they go into."""
        ...

    @property
    def external_id(self) -> str | None:
        """The field that tells which records exist already."""
        ...

    def open(self) -> Flow[JobSeen]:
        """Create a job."""
        ...

    def send(self, job_id: str, body: Body) -> Flow[BatchSeen | ContentRefused | JobSeen]:
        """Add a batch to a job.

        Returns:
            The batch; or why its content is refused; or the job, where that takes no batches any more.

        Raises:
            NotSent: It certainly did not reach the org.
            RefusedError: The org certainly did not take it, for another reason than its content.
            OutcomeUnknown: It may have taken it: `settle` finds out.
        """
        ...

    def settle(self, job_id: str, known: Collection[str], doubtful: Mapping[int, Sent]) -> Flow[Found]:
        """See to it that a job takes nothing more, and find out which doubtful batches it holds.

        Args:
            job_id: The job.
            known: Ids of the batches that are known to be ours.
            doubtful: What was sent, by the number of the batch.

        Returns:
            What it holds; a doubtful batch that is not adopted it does not hold, and never will.

        Raises:
            Unsettled: It still takes batches, or its list does not come to rest.
        """
        ...

    def audit(
        self, job_id: str, known: Collection[str], *, doubts: bool, ours_to_close: bool, closed: bool
    ) -> Flow[JobSeen]:
        """See that a job holds just the batches that are known.

        Args:
            job_id: The job.
            known: Ids of the batches that it is known to hold.
            doubts: Whether batches are in doubt; which it holds is then for `settle` to find out.
            ours_to_close: Whether only we could have closed it, and have not.
            closed: Whether it was closed, so that it must not be open.

        Raises:
            Unsettled: It was closed, and not by us; or holds a batch that is not known; or its list does not come to
                rest.
        """
        ...

    def look(self, job_id: str, waiting: Collection[str]) -> Flow[Looked]:
        """Look at the batches of a job; and at the job, if one of those ``waiting`` was never run.

        Raises:
            ProtocolError: One of those waiting is not told of, or what is told makes no sense.
        """
        ...

    def look_at_batch(self, job_id: str, batch_id: str) -> Flow[BatchSeen]:
        """Look at one batch."""
        ...

    def fetch_results(self, job_id: str, batch_id: str, *, whole: bool) -> Flow[bytes | None]:
        """Fetch the results of a batch as the org writes them; ``None`` if the org itself says that there are none.

        Args:
            job_id: The job.
            batch_id: The batch.
            whole: Whether it must have results, so that the org's word that it has none is an error.
        """
        ...

    def check_results(
        self, content: bytes, records: int, *, whole: bool, failed: int | None = None, ids: Sequence[bytes] = ()
    ) -> str | None:
        """Say what is wrong with results, if anything. What passes is read by `read_results`.

        Args:
            content: What the org sent.
            records: How many records the batch has.
            whole: Whether every one of them must have a result.
            failed: How many failed, if the org told.
            ids: The ids that the records were sent with, if they were.
        """
        ...

    def read_results(self, content: bytes, records: int, *, whole: bool) -> Outcomes:
        """Read results; see `check_results`.

        Raises:
            FormatError: They are not what they should be. Says what is wrong, and in which record, but shows no value.
        """
        ...

    def close(self, job_id: str) -> Flow[None]:
        """Close a job that gets nothing more; one that the org no longer has takes nothing more either."""
        ...


class QueryApi(Protocol):
    """How the records that a query finds get out of the org."""

    def check_chunking(self, chunking: PKChunking | None) -> None:
        """See whether the org can be asked to split the query like this.

        Raises:
            UsageError: It cannot.
        """
        ...

    def open(self, chunking: str | None) -> Flow[JobSeen]:
        """Create a job.

        Args:
            chunking: How the query is to be split by record ids, as `PKChunking.header` writes it.
        """
        ...

    def ask(self, job_id: str, soql: str) -> Flow[BatchSeen]:
        """Put the query into its job."""
        ...

    def look(self, job_id: str, original: str, known: Collection[str], *, splits: bool) -> Flow[Looked]:
        """Look at the batches of a job.

        Args:
            job_id: The job.
            original: The batch with the query.
            known: Batches that it must hold: a list without one of them is not believed.
            splits: Whether the chunks that the query is split into are still to come. A list that should be that of all
                of them is believed when it agrees with the job's own count; or when it stays the same over all looks
                and the count at least does not contradict it.

        Raises:
            ProtocolError: The list is not to be believed, however often it is looked at.
        """
        ...

    def read_range(self, job_id: str, batch_id: str, query: Query) -> Flow[str | None]:
        """Read which ids a chunk of a query is about; what may have been cut is read again.

        Returns:
            The condition that makes it a chunk; ``None`` if it does not show that it is one.
        """
        ...

    def list_results(self, job_id: str, batch_id: str) -> Flow[list[str]]:
        """Ask which result files a batch has."""
        ...

    def fetch(self, job_id: str, batch_id: str, result_id: str) -> Flow[Stream]:
        """Fetch a result file, a CSV, block by block."""
        ...

    def close(self, job_id: str, original: str, chunks: int | None) -> Flow[Looked | None]:
        """Close a job that has given everything.

        Args:
            job_id: The job.
            original: The batch with the query.
            chunks: How many chunks are known, where the query was split.

        Returns:
            Of a query that was split the list of its batches, if it has others than are known.
        """
        ...

    def abort(self, job_id: str) -> Flow[None]:
        """End a job that is given up, whatever state it is in; what it still does is no matter."""
        ...
