"""What happens in a load, as frozen facts. The journal writes them down; the plan follows from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from bulkforce.vocabulary import BatchState


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
    """The org did not, or its answer was lost; an empty job may have been left behind."""

    job: int


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
class JobClosed:
    """The job takes no more batches."""

    job: int


@dataclass(frozen=True, slots=True)
class BatchEnded:
    """The org is done with a batch.

    Attributes:
        batch: Its number.
        state: Its final state.
        message: Its state message.
        has_results: Whether there are results to fetch.
    """

    batch: int
    state: BatchState
    message: str | None
    has_results: bool


@dataclass(frozen=True, slots=True)
class BatchNeverRun:
    """The org took the batch, but its job was aborted before it ran: certainly nothing happened; it may be sent again."""

    batch: int


@dataclass(frozen=True, slots=True)
class ResultsFetched:
    """The results of a batch are on disk."""

    batch: int


Event: TypeAlias = (
    JobWanted
    | JobOpened
    | JobLost
    | BatchSending
    | BatchAccepted
    | BatchAbsent
    | BatchRefused
    | BatchDoubted
    | JobSettled
    | JobClosed
    | BatchEnded
    | BatchNeverRun
    | ResultsFetched
)
