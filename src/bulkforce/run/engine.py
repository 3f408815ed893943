"""Carries out a plan: the only loop in bulkforce, and the only place where a run waits.

The calling thread is the only one that decides and journals; workers send requests and write files. A worker's errors
become events or a reason to stop: they never propagate from here.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Generic, Literal, TypeVar

from bulkforce import events
from bulkforce.errors import Error, Interrupted, NotSent, ProtocolError, TransportError, Unavailable
from bulkforce.run.clock import Clock
from bulkforce.run.plan import Journal, Plan, Verdict, Worker
from bulkforce.run.pool import Pool
from bulkforce.run.waiting import BY_CTRL_C, Patience, interruptible
from bulkforce.transport.stopping import Stop

S = TypeVar("S")
O = TypeVar("O")  # noqa: E741  (an order)
A = TypeVar("A")
E = TypeVar("E")

_log = logging.getLogger("bulkforce")
_LONGEST_WAIT_SECONDS: Final = 0.5
"""How long to wait, at most, before checking whether the run was asked to stop."""


@dataclass(slots=True)
class Engine(Generic[S, O, A, E]):
    """One sitting of one run.

    Attributes:
        plan: What to do.
        worker: Carries out the orders.
        journal: Records the events.
        state: The state of the run.
        pool: Runs the worker.
        patience: How to wait.
        clock: The clocks to use.
        stop: Asks this sitting to stop, from another thread, as Ctrl-C does.
        on_change: Called with the state after each step, for progress.
        warn: Called with what the user should know although the run continues.
        trace: Called with the name of each effect on the outside world, just after it happened.
        guard: Called with orders before they start, after their intention is journalled; returns a reason if they must
            not start.
        tell: Called with what happens, as the user sees it; ``None`` if it need not be known.
        step: Returns what an event means to the user; ``None`` if nothing.
        queued: Whether all that is left to do is to wait for the org.
        stopped_by: Why the sitting stopped, if it did.
    """

    plan: Plan[S, O, A, E]
    worker: Worker[O, A]
    journal: Journal[E]
    state: S
    pool: Pool
    patience: Patience = field(default_factory=Patience)
    clock: Clock = field(default_factory=Clock)
    stop: Stop = field(default_factory=Stop)
    on_change: Callable[[S], None] = lambda _state: None
    warn: Callable[[str], None] = lambda _text: None
    trace: Callable[[str], None] = lambda _effect: None
    guard: Callable[[Sequence[O]], Exception | None] = lambda _orders: None
    tell: Callable[[events.Event], None] | None = None
    step: Callable[[S, E], events.Event | None] = lambda _state, _event: None
    queued: Callable[[S], bool] = lambda _state: False
    stopped_by: Exception | None = None
    _busy: set[O] = field(default_factory=set)
    _begun: float = 0.0
    _next_look: dict[O, float] = field(default_factory=dict)
    _trouble_since: float | None = None
    _trouble: Exception | None = None
    _not_before: float = 0.0
    _hopeless: bool = False
    _told_reason: str | None = None

    def run(self) -> bool:
        """Run until nothing is left to do or there is a reason to stop.

        Returns:
            Whether nothing is left to do; otherwise `stopped_by` says why.
        """
        self._begun = self.clock.now()
        try:
            with interruptible(self._interrupt):
                self.record(self.plan.begin(self.state))
                while not self._at_rest():
                    self._begin()
                    self._take_in()
                    self._tell_of_waiting()
                    self.on_change(self.state)
        except (Error, OSError, sqlite3.Error) as error:
            # The journal could not be written. Requests under way finish, and resuming finds out their outcome.
            self.stopped_by = error
        except BaseException:
            self.pool.close(wait=False)
            raise
        self.pool.close()
        return self.stopped_by is None

    def waits_for(self) -> str | None:
        """Say in words why nothing new is started, if there is a reason."""
        if self.stopped_by is not None:
            return "stopping: what is under way is finished first"
        if self._trouble is None or self._trouble_since is None:
            return None
        until = self._until().astimezone()
        what = "no connection" if isinstance(self._trouble, TransportError) else "no useful answer from the org"
        return f"{what} for {self._lasting():,.0f} s, trying again until {until:%H:%M}"

    def _lasting(self) -> float:
        return 0.0 if self._trouble_since is None else self.clock.now() - self._trouble_since

    def _until(self) -> datetime:
        return datetime.fromtimestamp(self.clock.today() + self.patience.trouble_seconds - self._lasting(), UTC)

    def _tell_of_waiting(self) -> None:
        """Tell why nothing new is started, once for each wait."""
        if self.tell is None:
            return
        reason: Literal["no connection", "no useful answer", "the org", "stopping"] | None = None
        if self.stopped_by is not None:
            reason = "stopping"
        elif self._trouble is not None:
            reason = "no connection" if isinstance(self._trouble, TransportError) else "no useful answer"
        elif self.queued(self.state):
            reason = "the org"
        if reason is not None and reason != self._told_reason:
            trouble = reason in {"no connection", "no useful answer"}
            since = datetime.fromtimestamp(self.clock.today() - (self._lasting() if trouble else 0.0), UTC)
            self.tell(events.Waiting(reason=reason, since=since, until=self._until() if trouble else None))
        self._told_reason = reason

    def record(self, happened: Iterable[E]) -> None:
        """Apply events: they are in the state and in the journal when this returns."""
        happened = list(happened)
        for event in happened:
            self.plan.apply(self.state, event)
        self._journal(happened)

    def _journal(self, happened: Sequence[E]) -> None:
        if happened:
            self.journal.record(happened)
            self.trace("journal")
            if self.tell is not None:
                for event in happened:
                    if told := self.step(self.state, event):
                        self.tell(told)

    def _interrupt(self) -> None:
        self.stopped_by = self.stopped_by or Interrupted(BY_CTRL_C)

    def _at_rest(self) -> bool:
        if self._busy:
            return False
        if self.stopped_by is None:
            if self.plan.finished(self.state):
                return True
            # Finish everything else first, so that as many results as possible are there and known.
            stuck = self.plan.stuck(self.state)
            if stuck is None or self._due():
                return False
            self.stopped_by = stuck
        # Nothing is under way any more; settle the doubts that can be settled now, so that resuming is quick.
        return self._hopeless or not self._due()

    def _due(self) -> Sequence[O]:
        """Return all orders to start, whether or not their time has come."""
        return self.plan.decide(self.state, self._busy, self.clock.today(), stopping=self.stopped_by is not None)

    def _begin(self) -> None:
        self.stopped_by = self.stopped_by or self.stop.asked
        now = self.clock.now()
        if now < self._not_before:
            return
        due = [order for order in self._due() if not self.plan.is_look(order) or now >= self._look_due(order, now)]
        orders = [self.plan.prepare(self.state, order) for order in due]
        self.record(event for order in orders for event in self.plan.intend(order, self.clock.today()))
        if reason := self.guard(orders):
            not_begun = NotSent(f"Nothing more is started: {reason}")
            self.record(event for order in orders for event in self.plan.refused(self.state, order, not_begun).events)
            self.stopped_by = self.stopped_by or reason
            return
        for order in orders:
            try:
                self.pool.begin(self._task(order))
            except RuntimeError:
                # Python is shutting down and accepts no more work; what was journalled as intended is in doubt on
                # resuming.
                self.stopped_by, self._hopeless = self.stopped_by or Interrupted("the program is ending"), True
                return
            self._busy.add(order)

    def _task(self, order: O) -> Callable[[], tuple[O, A | Exception]]:
        def task() -> tuple[O, A | Exception]:
            try:
                return order, self.worker.carry_out(order)
            except Exception as error:  # noqa: BLE001  (the calling thread judges every error)
                return order, error

        return task

    def _take_in(self) -> None:
        """Wait until an order is done or it is time to poll again; then journal what has arrived."""
        happened: list[E] = []
        for order, answer in self.pool.take(self._pause()):
            self._busy.discard(order)
            if self.plan.is_look(order):
                self._next_look[order] = self.clock.now() + self._look_pause()
            if isinstance(answer, Exception):
                verdict = self.plan.refused(self.state, order, answer)
            else:
                self._trouble_since = self._trouble = None
                verdict = self.plan.answered(self.state, order, answer)
            # Each verdict may build on those before it; nothing starts before all are journalled.
            for event in verdict.events:
                self.plan.apply(self.state, event)
            happened += verdict.events
            self._heed(verdict)
        self._journal(happened)

    def _heed(self, verdict: Verdict[E]) -> None:
        if verdict.warning:
            self.warn(verdict.warning)
        if verdict.pause_seconds:
            self._wait(verdict.pause_seconds)
        if verdict.stop:
            self._hopeless = self._hopeless or self.stopped_by is not None
            self.stopped_by = self.stopped_by or verdict.stop
        if verdict.trouble:
            self._weigh(verdict.trouble)

    def _weigh(self, error: Exception) -> None:
        """Decide whether to wait out a failure or to stop."""
        now = self.clock.now()
        if self.stopped_by is None and self.plan.reached(self.state) and may_pass(error):
            self._trouble_since = now if self._trouble_since is None else self._trouble_since
            trouble, self._trouble = now - self._trouble_since, error
            if trouble < self.patience.trouble_seconds:
                pause = self.patience.pause(error, trouble)
                _log.info("Trying again in %.0f s, since: %s", pause, error)
                self._wait(pause)
                return
        self._hopeless = True
        self.stopped_by = self.stopped_by or error

    def _wait(self, seconds: float) -> None:
        self._not_before = max(self._not_before, self.clock.now() + seconds)

    def _pause(self) -> float:
        now = self.clock.now()
        if self._not_before > now:
            due = [self._not_before]
        else:
            due = [self._look_due(look, now) for look in self.plan.looks(self.state) if look not in self._busy]
        return min(max(min(due, default=now + _LONGEST_WAIT_SECONDS) - now, 0.001), _LONGEST_WAIT_SECONDS)

    def _look_due(self, look: O, now: float) -> float:
        # It may have waited for long before there was a first look at it.
        return self._next_look.setdefault(look, now + self.patience.look_seconds)

    def _look_pause(self) -> float:
        share = (self.clock.now() - self._begun) * self.patience.look_share
        return min(max(share, self.patience.look_seconds), self.patience.look_longest_seconds)


def may_pass(error: Exception) -> bool:
    """Whether a failure may be temporary: the org is unreachable or busy, or its answer made no sense."""
    return isinstance(error, (TransportError, Unavailable, ProtocolError)) and not getattr(error, "lasting", False)
