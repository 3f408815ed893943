"""What a plan and a worker are: the two halves of a verb, as the engine sees them.

A *plan* is pure: what to do next, and what follows from what became of it. A *worker* makes exchanges and writes files;
    it never sees the state, since an
order carries all that it needs. What has happened is an *event*: it changes the state, and the journal keeps what the
    next sitting has to know.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

S_contra = TypeVar("S_contra", contravariant=True)
O = TypeVar("O")  # noqa: E741  (an order)
O_contra = TypeVar("O_contra", contravariant=True)
A_co = TypeVar("A_co", covariant=True)
A_contra = TypeVar("A_contra", contravariant=True)
E = TypeVar("E")
E_co = TypeVar("E_co", covariant=True)
E_contra = TypeVar("E_contra", contravariant=True)


@dataclass(frozen=True, slots=True)
class Verdict(Generic[E_co]):
    """What follows from what became of an order.

    Attributes:
        events: What has happened.
        stop: Why nothing new is to be begun.
        trouble: What may pass: it is waited out, or else a reason to stop.
        warning: For the user.
        pause_seconds: How long nothing is to be begun, at least.
    """

    events: Sequence[E_co] = ()
    stop: Exception | None = None
    trouble: Exception | None = None
    warning: str | None = None
    pause_seconds: float = 0.0


class Plan(Protocol[S_contra, O, A_contra, E]):
    """What a verb does, without a socket, thread, clock or database: the same state always gives the same orders.

    Two orders are equal when they are about the same thing, whatever they carry.
    """

    def begin(self, state: S_contra) -> Sequence[E]:
        """Say what follows from the end of the last sitting, however it ended."""
        ...

    def decide(self, state: S_contra, busy: Collection[O], now: float, *, stopping: bool) -> Sequence[O]:
        """Say what to begin now.

        Args:
            state: Where the run stands.
            busy: The orders under way.
            now: Seconds since 1970.
            stopping: Whether only what makes the end clean is to be begun.
        """
        ...

    def is_look(self, order: O) -> bool:
        """Whether an order only looks how far the org is: it is given again and again, with growing pauses."""
        ...

    def looks(self, state: S_contra) -> Iterable[O]:
        """Give the looks that wait for their time, or are under way."""
        ...

    def prepare(self, state: S_contra, order: O) -> O:
        """Give an order all that its worker needs."""
        ...

    def intend(self, order: O, now: float) -> Sequence[E]:
        """Say what is journalled before an order is begun."""
        ...

    def answered(self, state: S_contra, order: O, answer: A_contra) -> Verdict[E]:
        """Say what follows from an order that was carried out."""
        ...

    def refused(self, state: S_contra, order: O, error: Exception) -> Verdict[E]:
        """Say what follows from an order that failed."""
        ...

    def apply(self, state: S_contra, event: E) -> None:
        """Bring the state up to date with what has happened."""
        ...

    def reached(self, state: S_contra) -> bool:
        """Whether the org has ever answered in this run: before that, trouble is not waited out."""
        ...

    def finished(self, state: S_contra) -> bool:
        """Whether nothing is left to do."""
        ...

    def stuck(self, state: S_contra) -> Exception | None:
        """Say why the run cannot come to its end, if so; whatever else can be done is done first."""
        ...


class Worker(Protocol[O_contra, A_co]):
    """Carries out orders, in any thread, many at once."""

    def carry_out(self, order: O_contra) -> A_co:
        """Do what is ordered.

        Returns:
            What came of it, for `Plan.answered`.

        Raises:
            Exception: Whatever it meets; for `Plan.refused`.
        """
        ...


class Journal(Protocol[E_contra]):
    """Remembers what has happened."""

    def record(self, events: Iterable[E_contra]) -> None:
        """Write events down, all or nothing; they are on disk when this returns."""
        ...
