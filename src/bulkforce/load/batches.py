"""Jobs and batches of a load and their outcomes: plain values, as the plan sees them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

IN_DOUBT: Final = "in doubt"
"""The outcome of a batch if it cannot be determined whether the org accepted it, or what its results were."""


class JobStage(StrEnum):
    """The stage of one of our jobs."""

    OPENING = "opening"
    OPEN = "open"
    FENCED = "fenced"
    CLOSED = "closed"
    LOST = "lost"


class AttemptState(StrEnum):
    """The state of one attempt to send a batch; only uploads that do not count at once are ``committing``."""

    SENDING = "sending"
    COMMITTING = "committing"
    ACCEPTED = "accepted"
    ABSENT = "absent"
    UNPROCESSED = "unprocessed"


@dataclass(slots=True)
class Job:
    """One of our jobs.

    Attributes:
        number: Its number.
        id: The org's id, once it is known.
        stage: Its stage.
        opened: When its creation was requested.
        closing: Whether we may have closed it.
        left_open: Whether it may be in the org, open and empty, although we never learned its id.
        audited: Whether it was checked, after the last batch was accepted, to hold exactly the batches in the journal.
    """

    number: int
    id: str | None
    stage: JobStage
    opened: float
    closing: bool = False
    left_open: bool = False
    audited: bool = False


@dataclass(frozen=True, slots=True)
class Attempt:
    """The latest attempt to send a batch."""

    job: int
    state: AttemptState
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a batch ended: a final batch state, ``refused``, or ``in doubt``."""

    state: str
    message: str | None


@dataclass(slots=True)
class BatchView:
    """What is known about one batch.

    Attributes:
        number: From 1, in the source's order.
        records: How many it has.
        sha256: Digest of the bytes sent.
        attempt: The latest attempt to send it, if any.
        outcome: How it ended, once it has ended.
        fetched: Whether its results are on disk, or there are none.
        results: Size and SHA-256 of its results, once they are on disk.
    """

    number: int
    records: int
    sha256: str
    attempt: Attempt | None = None
    outcome: Outcome | None = None
    fetched: bool = False
    results: tuple[int, str] | None = None

    @property
    def ended(self) -> Outcome | None:
        """How the batch ended, if its results are on disk too, so that it can be joined."""
        return self.outcome if self.fetched else None
