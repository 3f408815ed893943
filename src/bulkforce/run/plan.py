"""Plan and worker: the two halves of a verb, as the engine sees them.

A *plan* is pure: it decides what to do next, and what follows from the outcome. A *worker* sends requests and writes
files; it never sees the state, since an order carries everything it needs. An *event* is something that has happened:
it changes the state, and the journal keeps what the next sitting has to know.
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
    """What follows from the outcome of an order.

    Attributes:
        events: What has happened.
        stop: The reason to stop starting anything new.
        trouble: A failure that may be temporary: it is waited out, or becomes the reason to stop.
        warning: A warning for the user.
        pause_seconds: Minimum time before anything new is started.
    """

    events: Sequence[E_co] = ()
    stop: Exception | None = None
    trouble: Exception | None = None
    warning: str | None = None
    pause_seconds: float = 0.0


class Plan(Protocol[S_contra, O, A_contra, E]):
    """What a verb does, without sockets, threads, clocks or databases: the same state always gives the same orders.

    Two orders are equal if they are about the same thing, whatever else they carry.
    """

    def begin(self, state: S_contra) -> Sequence[E]:
        """Return what follows from the end of the last sitting, however it ended."""
        ...

    def decide(self, state: S_contra, busy: Collection[O], now: float, *, stopping: bool) -> Sequence[O]:
        """Return the orders to start now.

        Args:
            state: The state of the run.
            busy: The orders under way.
            now: Seconds since 1970.
            stopping: Whether to start only what makes for a clean end.
        """
        ...

    def is_look(self, order: O) -> bool:
        """Whether an order only polls the org: it is repeated with growing pauses."""
        ...

    def looks(self, state: S_contra) -> Iterable[O]:
        """Return the polling orders that are due later or under way."""
        ...

    def prepare(self, state: S_contra, order: O) -> O:
        """Add to an order everything that its worker needs."""
        ...

    def intend(self, order: O, now: float) -> Sequence[E]:
        """Return the events to journal before an order is started."""
        ...

    def answered(self, state: S_contra, order: O, answer: A_contra) -> Verdict[E]:
        """Return what follows from an order that was carried out."""
        ...

    def refused(self, state: S_contra, order: O, error: Exception) -> Verdict[E]:
        """Return what follows from an order that failed."""
        ...

    def apply(self, state: S_contra, event: E) -> None:
        """Update the state with an event."""
        ...

    def reached(self, state: S_contra) -> bool:
        """Whether the org has ever answered in this run; until then, failures are not waited out."""
        ...

    def finished(self, state: S_contra) -> bool:
        """Whether nothing is left to do."""
        ...

    def stuck(self, state: S_contra) -> Exception | None:
        """Return why the run cannot finish, if it cannot; everything else is done first."""
        ...


class Worker(Protocol[O_contra, A_co]):
    """Carries out orders, in any thread, many at once."""

    def carry_out(self, order: O_contra) -> A_co:
        """Carry out an order.

        Returns:
            The answer, for `Plan.answered`.

        Raises:
            Exception: Any failure, for `Plan.refused`.
        """
        ...


class Journal(Protocol[E_contra]):
    """Records what has happened."""

    def record(self, events: Iterable[E_contra]) -> None:
        """Record events, all or none; they are on disk when this returns."""
        ...
