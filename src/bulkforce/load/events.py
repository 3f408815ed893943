"""The events of a load, as frozen values. The journal records them; the plan derives from them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from bulkforce.apis.abc import BatchEnd
from bulkforce.errors import Unsettled


@dataclass(frozen=True, slots=True)
class RunTakenUp:
    """A run resumes after a crash or a stop: its jobs are compared with the journal before anything more is sent."""


@dataclass(frozen=True, slots=True)
class JobWanted:
    """A job is about to be created (the intention)."""

    job: int
    at: float


@dataclass(frozen=True, slots=True)
class JobOpened:
    """The org created the job."""

    job: int
    id: str


@dataclass(frozen=True, slots=True)
class JobLost:
    """The org did not create the job, or its answer was lost and an empty job may have been ``left_open``."""

    job: int
    left_open: bool = False


@dataclass(frozen=True, slots=True)
class BatchSending:
    """A batch is about to be sent (the intention)."""

    batch: int
    job: int


@dataclass(frozen=True, slots=True)
class BatchUploaded:
    """The org holds the batch, but it counts for nothing until its job is committed."""

    batch: int


@dataclass(frozen=True, slots=True)
class BatchCommitting:
    """The job of an uploaded batch is about to be committed (the intention)."""

    batch: int
    job: int


@dataclass(frozen=True, slots=True)
class BatchAccepted:
    """The org accepted the batch."""

    batch: int
    id: str


@dataclass(frozen=True, slots=True)
class BatchAbsent:
    """The org certainly did not accept the batch; it will be sent again."""

    batch: int


@dataclass(frozen=True, slots=True)
class BatchRefused:
    """The org refused the batch because of its content, so sending it again would not help."""

    batch: int
    message: str


@dataclass(frozen=True, slots=True)
class BatchDoubted:
    """The answer was lost: the org may have accepted the batch. Its job gets no more batches and must be settled."""

    batch: int


@dataclass(frozen=True, slots=True)
class JobSettled:
    """The job is closed for good, and the outcome of its doubtful batches is known."""

    job: int
    adopted: Mapping[int, str] = field(default_factory=dict)
    absent: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class JobClosing:
    """A job is about to be closed (the intention): from now on we may have closed it ourselves."""

    job: int


@dataclass(frozen=True, slots=True)
class JobClosed:
    """The job takes no more batches."""

    job: int


@dataclass(frozen=True, slots=True)
class JobListed:
    """A list of the job's batches held these, which the journal does not know."""

    job: int
    unknown: frozenset[str]


@dataclass(frozen=True, slots=True)
class JobAudited:
    """The job holds exactly the batches in the journal; ``aborted`` says whether someone ended it early."""

    job: int
    aborted: bool = False


@dataclass(frozen=True, slots=True)
class StrangersAccepted:
    """The user decided not to stop for these batches of a job, which are not ours."""

    job: int
    ids: frozenset[str]


@dataclass(frozen=True, slots=True)
class BatchEnded:
    """The org is done with a batch.

    Attributes:
        batch: Its number.
        end: How it ended.
        message: Why, if the org says.
        has_results: Whether there are results to fetch.
        processed: How many records the org processed, if it says.
        failed: How many of them failed, if it says.
    """

    batch: int
    end: BatchEnd
    message: str | None
    has_results: bool
    processed: int | None = None
    failed: int | None = None


@dataclass(frozen=True, slots=True)
class BatchNeverRun:
    """The org accepted the batch, but its job was aborted before it ran, so it can safely be sent again."""

    batch: int


@dataclass(frozen=True, slots=True)
class BatchLeftInDoubt:
    """The outcome of the batch cannot be determined; it is not sent again.

    Attributes:
        batch: Its number.
        reason: Why it cannot be determined.
    """

    batch: int
    reason: str


@dataclass(frozen=True, slots=True)
class ResultsFetched:
    """The results of a batch are on disk, with this size and SHA-256."""

    batch: int
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class ResultsLost:
    """The results of a batch on disk are missing or changed; they will be fetched again."""

    batch: int


@dataclass(frozen=True, slots=True)
class ResultsUnreadable:
    """The results of a batch were fetched but could not be read."""

    batch: int


@dataclass(frozen=True, slots=True)
class BatchJoined:
    """A batch is in the outputs, each row with its result."""

    batch: int


@dataclass(frozen=True, slots=True)
class OrderUnsettled:
    """This sitting cannot find out what an order asked about a job."""

    order: Hashable
    error: Unsettled


Event: TypeAlias = (
    RunTakenUp
    | JobWanted
    | JobOpened
    | JobLost
    | BatchSending
    | BatchUploaded
    | BatchCommitting
    | BatchAccepted
    | BatchAbsent
    | BatchRefused
    | BatchDoubted
    | JobSettled
    | JobClosing
    | JobClosed
    | JobListed
    | JobAudited
    | StrangersAccepted
    | BatchEnded
    | BatchNeverRun
    | BatchLeftInDoubt
    | ResultsFetched
    | ResultsLost
    | ResultsUnreadable
    | BatchJoined
    | OrderUnsettled
)
