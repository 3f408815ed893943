"""Jobs and batches of a load, and what became of them: values, as the plan sees them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

IN_DOUBT: Final = "in doubt"
"""The outcome of a batch of which nobody can tell any more whether the org took it, or what became of it."""


class JobStage(StrEnum):
    """Where one of our jobs stands."""

    OPENING = "opening"
    OPEN = "open"
    FENCED = "fenced"
    CLOSED = "closed"
    LOST = "lost"


class AttemptState(StrEnum):
    """Where one sending of a batch stands."""

    SENDING = "sending"
    ACCEPTED = "accepted"
    ABSENT = "absent"
    UNPROCESSED = "unprocessed"


@dataclass(slots=True)
class Job:
    """One of our jobs.

    Attributes:
        number: Its number.
        id: The org's id, once it is known.
        stage: Where it stands.
        opened: When it was asked for.
        closing: Whether we may have closed it.
        left_open: Whether it may be in the org, open and empty, though its id was never learnt.
        audited: Whether it was seen to hold just what the journal knows, since the last batch was accepted.
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
    """The latest sending of a batch."""

    job: int
    state: AttemptState
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a batch ended: a final batch state, ``refused``, or ``in doubt``."""

    state: str
    message: str | None


@dataclass(frozen=True, slots=True)
class Counts:
    """How many records of a batch the org says it processed, and how many of them failed; ``None`` if it does not
    say.
    """

    processed: int | None
    failed: int | None


@dataclass(slots=True)
class BatchView:
    """What is known of one batch.

    Attributes:
        number: From 1, in the source's order.
        records: How many it has.
        sha256: Of the bytes that are sent.
        attempt: The latest sending, if there was one.
        outcome: How it ended, once it has.
        fetched: Whether its results are on disk, or there are none.
        results: Size and SHA-256 of its results, once they were on disk.
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
        """How it ended, if that is known and its results are on disk: it can be joined."""
        return self.outcome if self.fetched else None
