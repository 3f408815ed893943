"""What happens in a load, as frozen facts. The journal writes them down; the plan follows from them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from bulkforce.apis.abc import BatchEnd
from bulkforce.errors import Unsettled


@dataclass(frozen=True, slots=True)
class RunTakenUp:
    """A run goes on after a death or a stop: its jobs are compared with the journal before anything more is sent."""


@dataclass(frozen=True, slots=True)
class JobWanted:
    """A job is about to be created (the intention)."""

    job: int
    at: float


@dataclass(frozen=True, slots=True)
class JobOpened:
    """The org created it."""

    job: int
    id: str


@dataclass(frozen=True, slots=True)
class JobLost:
    """The org did not, or its answer was lost: then an empty job may have been ``left_open``."""

    job: int
    left_open: bool = False


@dataclass(frozen=True, slots=True)
class BatchSending:
    """A batch is about to be sent (the intention)."""

    batch: int
    job: int


@dataclass(frozen=True, slots=True)
class BatchAccepted:
    """The org took it."""

    batch: int
    id: str


@dataclass(frozen=True, slots=True)
class BatchAbsent:
    """The org certainly did not take it; it is to be sent again."""

    batch: int


@dataclass(frozen=True, slots=True)
class BatchRefused:
    """The org will not have it, now or ever: its content is the reason."""

    batch: int
    message: str


@dataclass(frozen=True, slots=True)
class BatchDoubted:
    """The answer was lost: the org may have taken it. Its job takes nothing more and is to be settled."""

    batch: int


@dataclass(frozen=True, slots=True)
class JobSettled:
    """The job is closed for good, and what became of its doubtful batches is known."""

    job: int
    adopted: Mapping[int, str] = field(default_factory=dict)
    absent: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class JobClosing:
    """A job is about to be closed (the intention): from now on we may be the ones who closed it."""

    job: int


@dataclass(frozen=True, slots=True)
class JobClosed:
    """The job takes no more batches."""

    job: int


@dataclass(frozen=True, slots=True)
class JobListed:
    """A list of the job's batches showed these, which the journal does not know."""

    job: int
    unknown: frozenset[str]


@dataclass(frozen=True, slots=True)
class JobAudited:
    """The job holds just the batches that the journal knows; ``aborted`` tells whether somebody ended it before its
    end.
    """

    job: int
    aborted: bool = False


@dataclass(frozen=True, slots=True)
class StrangersAccepted:
    """The user says that these batches of a job, which are none of ours, are no reason to stop."""

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
        processed: How many records the org says it processed, if it does.
        failed: How many of them failed, if the org says.
    """

    batch: int
    end: BatchEnd
    message: str | None
    has_results: bool
    processed: int | None = None
    failed: int | None = None


@dataclass(frozen=True, slots=True)
class BatchNeverRun:
    """The org took the batch, but its job was aborted before it ran: certainly nothing happened; it may be sent
    again.
    """

    batch: int


@dataclass(frozen=True, slots=True)
class BatchLeftInDoubt:
    """What became of the batch cannot be known any more; it is not sent again.

    Attributes:
        batch: Its number.
        reason: Why it cannot be known.
    """

    batch: int
    reason: str


@dataclass(frozen=True, slots=True)
class ResultsFetched:
    """The results of a batch are on disk, of this size and SHA-256."""

    batch: int
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class ResultsLost:
    """The results of a batch are not on disk any more as they were; they are to be fetched again."""

    batch: int


@dataclass(frozen=True, slots=True)
class ResultsUnreadable:
    """The results of a batch came, and could not be read."""

    batch: int


@dataclass(frozen=True, slots=True)
class BatchJoined:
    """A batch stands in the outputs, each row with its result."""

    batch: int


@dataclass(frozen=True, slots=True)
class OrderUnsettled:
    """What was to be found out of a job cannot be found out by this sitting."""

    order: Hashable
    error: Unsettled


Event: TypeAlias = (
    RunTakenUp
    | JobWanted
    | JobOpened
    | JobLost
    | BatchSending
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
