"""The loop that carries out a plan, with a plan of a few lines: what is waited out, what stops it, and what is
journalled before what."""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import pytest

from bulkforce import events
from bulkforce.errors import Facts, Interrupted, NoAnswer, NotSent, RefusedError, Unavailable
from bulkforce.run.clock import Clock
from bulkforce.run.engine import Engine
from bulkforce.run.plan import Verdict
from bulkforce.run.pool import Inline
from bulkforce.run.waiting import Patience
from bulkforce.transport.stopping import Stop


@dataclass
class Time:
    """A clock that only goes while somebody waits."""

    now: float = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    @property
    def clock(self) -> Clock:
        return Clock(lambda: self.now, lambda: self.now)


@dataclass
class State:
    done: list[str] = field(default_factory=list)
    intended: list[str] = field(default_factory=list)


@dataclass
class Steps:
    """A plan: each order once, one after the other; those that begin with ``look`` again and again, until they are
    answered with True."""

    orders: list[str]
    org_was_met: bool = True
    hopeless: Exception | None = None
    last: Sequence[str] = ()
    refusals: list[tuple[str, Exception]] = field(default_factory=list)

    def begin(self, _state: State) -> list[str]:
        return ["begun"]

    def decide(self, state: State, busy: Collection[str], _now: float, *, stopping: bool) -> list[str]:
        orders = self.last if stopping else self.orders
        return [order for order in orders if order not in state.done and order not in busy][:1]

    def is_look(self, order: str) -> bool:
        return order.startswith("look")

    def looks(self, state: State) -> Iterable[str]:
        return [order for order in self.orders if self.is_look(order) and order not in state.done]

    def prepare(self, _state: State, order: str) -> str:
        return order

    def intend(self, order: str, _now: float) -> list[str]:
        return [] if self.is_look(order) else [f"intend {order}"]

    def answered(self, _state: State, order: str, answer: object) -> Verdict[str]:
        return Verdict([order] if answer else [])

    def refused(self, _state: State, order: str, error: Exception) -> Verdict[str]:
        self.refusals.append((order, error))
        return Verdict([f"not {order}"], trouble=error)

    def apply(self, state: State, event: str) -> None:
        (state.intended if event.startswith("intend") else state.done).append(event)

    def reached(self, _state: State) -> bool:
        return self.org_was_met

    def finished(self, state: State) -> bool:
        return self.hopeless is None and set(self.orders) <= set(state.done)

    def stuck(self, _state: State) -> Exception | None:
        return self.hopeless


@dataclass
class Worker:
    """Answers by a script, True when it has come to its end; an error is raised."""

    time: Time
    script: dict[str, list[object]] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    does: Callable[[str], object] = lambda _order: None

    def carry_out(self, order: str) -> object:
        self.log.append(order)
        self.times.append(self.time.now)
        self.does(order)
        answers = self.script.get(order, [])
        answer = answers.pop(0) if answers else True
        if isinstance(answer, Exception):
            raise answer
        return answer


@dataclass
class Journal:
    worker: Worker
    fails_at: str | None = None

    def record(self, events: Iterable[str]) -> None:
        for event in events:
            if event == self.fails_at:
                raise sqlite3.OperationalError("disk I/O error")
            self.worker.log.append(f"journal {event}")


def engine_of(plan: Steps, worker: Worker, **more: object) -> Engine[State, str, object, str]:
    journal = more.pop("journal", None) or Journal(worker)
    return Engine(plan, worker, journal, State(), Inline(worker.time.sleep), clock=worker.time.clock, **more)  # type: ignore[arg-type]


def test_what_is_intended_is_journalled_before_it_is_done_and_what_was_done_before_anything_else() -> None:
    worker = Worker(Time())
    assert engine_of(Steps(["a", "b"]), worker).run()
    assert worker.log == ["journal begun", "journal intend a", "a", "journal a", "journal intend b", "b", "journal b"]


def test_trouble_that_passes_is_waited_out_with_growing_pauses() -> None:
    worker = Worker(Time(), {"a": [NoAnswer("lost")] * 5})
    assert engine_of(Steps(["a"]), worker).run()
    pauses = [later - before for before, later in zip(worker.times, worker.times[1:], strict=False)]
    assert len(pauses) == 5
    assert pauses == sorted(pauses)
    assert pauses[0] >= Patience().pause_seconds


def test_trouble_that_lasts_stops_the_run_when_its_time_is_over() -> None:
    error = Unavailable("maintenance")
    worker = Worker(Time(), {"a": [error] * 1_000})
    engine = engine_of(Steps(["a"]), worker)
    assert not engine.run()
    assert engine.stopped_by is error
    assert Patience().trouble_seconds <= worker.times[-1] <= Patience().trouble_seconds + 30.0


def test_a_success_between_ends_the_trouble() -> None:
    worker = Worker(Time(), {"a": [Unavailable("busy")] * 12, "b": [Unavailable("busy")] * 12})
    assert engine_of(Steps(["a", "b"]), worker, patience=Patience(trouble_seconds=70.0)).run()
    assert worker.time.now > 100.0


def test_pause_that_the_org_asks_for_is_kept() -> None:
    error = Unavailable("busy")
    error.retry_after_seconds = 120.0
    worker = Worker(Time(), {"a": [error]})
    assert engine_of(Steps(["a"]), worker).run()
    assert worker.times[1] >= 120.0


@pytest.mark.parametrize(
    ("error", "org_was_met"),
    [
        (NoAnswer("lost"), False),
        (RefusedError("no", Facts(status=400)), True),
        (KeyError("ours"), True),
        (OSError(28, "No space left"), True),
    ],
)
def test_what_will_not_pass_stops_the_run_at_once(error: Exception, org_was_met: bool) -> None:
    worker = Worker(Time(), {"a": [error]})
    engine = engine_of(Steps(["a", "b"], org_was_met), worker)
    assert not engine.run()
    assert engine.stopped_by is error
    assert Counter(worker.log)["a"] == 1
    assert "b" not in worker.log


def test_what_must_not_be_begun_is_taken_back() -> None:
    reason, plan, worker = Interrupted("another copy goes on"), Steps(["a"]), Worker(Time())

    def guard(orders: Sequence[str]) -> Exception | None:
        return reason if orders else None

    engine = engine_of(plan, worker, guard=guard)
    assert not engine.run()
    assert engine.stopped_by is reason
    assert worker.log == ["journal begun", "journal intend a", "journal not a"]
    ((order, error),) = plan.refusals
    assert (order, type(error)) == ("a", NotSent)


@pytest.mark.parametrize(("event", "done"), [("intend a", False), ("a", True)])
def test_a_journal_that_cannot_be_written_stops_the_run(event: str, done: bool) -> None:
    worker = Worker(Time())
    engine = engine_of(Steps(["a", "b"]), worker, journal=Journal(worker, fails_at=event))
    assert not engine.run()
    assert isinstance(engine.stopped_by, sqlite3.Error)
    assert ("a" in worker.log) is done
    assert "b" not in worker.log


def test_a_run_that_is_asked_to_stop_begins_only_what_makes_its_end_clean() -> None:
    stop, worker = Stop(), Worker(Time())
    worker.does = lambda order: stop.ask("enough") if order == "a" else None
    engine = engine_of(Steps(["a", "b"], last=["settle", "close"]), worker, stop=stop)
    assert not engine.run()
    assert isinstance(engine.stopped_by, Interrupted)
    assert [entry for entry in worker.log if not entry.startswith("journal")] == ["a", "settle", "close"]


def test_what_will_not_pass_is_no_time_to_make_the_end_clean() -> None:
    worker = Worker(Time(), {"a": [RefusedError("no", Facts(status=400))]})
    assert not engine_of(Steps(["a"], last=["settle"]), worker).run()
    assert "settle" not in worker.log


def test_where_one_thing_cannot_be_done_the_others_are_done_first() -> None:
    reason = Interrupted("it cannot be settled")
    worker = Worker(Time())
    engine = engine_of(Steps(["a", "b"], hopeless=reason), worker)
    assert not engine.run()
    assert engine.stopped_by is reason
    assert {"a", "b"} <= set(engine.state.done)


def test_looks_are_given_again_with_pauses_that_grow_with_the_time_that_the_run_has_taken() -> None:
    worker = Worker(Time(), {"look": [False] * 400})
    assert engine_of(Steps(["look"]), worker).run()
    pauses = [later - before for before, later in zip(worker.times, worker.times[1:], strict=False)]
    assert min(pauses) == pytest.approx(Patience().look_seconds)
    assert max(pauses) <= Patience().look_longest_seconds + 0.51
    assert pauses[-1] > 10 * pauses[0]


def test_progress_is_told_after_each_step() -> None:
    worker, told = Worker(Time()), list[int]()
    assert engine_of(Steps(["a", "b"]), worker, on_change=lambda state: told.append(len(state.done))).run()
    assert told == [2, 3]


def test_what_is_waited_for_is_told_until_it_is_over() -> None:
    time, told = Time(), list[str | None]()
    script: dict[str, list[object]] = {"a": [NotSent("gone", Facts()) for _ in range(4)]}
    worker = Worker(time, script)
    engine: Engine[State, str, object, str] = engine_of(
        Steps(["a"]), worker, on_change=lambda _state: told.append(engine.waits_for())
    )
    assert engine.run()
    until = datetime.fromtimestamp(Patience().trouble_seconds).strftime("%H:%M")  # noqa: DTZ006
    waits = [text for text in told if text is not None]
    assert waits[0] == f"no connection for 0 s, trying again until {until}"
    assert all(re.fullmatch(rf"no connection for \d+ s, trying again until {until}", text) for text in waits)
    assert len(set(waits)) > 3
    assert told[-1] is None


def test_wait_is_told_once_with_its_reason_and_since_when() -> None:
    time, told = Time(), list[events.Event]()
    script: dict[str, list[object]] = {
        "a": [NotSent("gone", Facts()), NotSent("gone", Facts()), Unavailable("busy", Facts(status=503))]
    }
    engine = engine_of(
        Steps(["a", "b"]), Worker(time, script), tell=told.append, queued=lambda state: state.done[-1] == "a"
    )
    assert engine.run()
    waits = [event for event in told if isinstance(event, events.Waiting)]
    assert [one.reason for one in waits] == ["no connection", "no useful answer", "the org"]
    assert [one.until is None for one in waits] == [False, False, True]
    assert waits[0].since.timestamp() == 0.0
    assert waits[1].since == waits[0].since
    assert waits[1].until == waits[0].until
    assert waits[2].since > waits[0].since


def test_events_are_told_as_the_verb_says_and_stopping_is_told() -> None:
    stop, told = Stop(), list[events.Event]()
    worker = Worker(Time())
    worker.does = lambda order: stop.ask("enough") if order == "a" else None
    engine = engine_of(
        Steps(["a", "b"], last=["close"]),
        worker,
        stop=stop,
        tell=told.append,
        step=lambda _state, event: events.JobOpened(job=event) if event == "a" else None,
    )
    assert not engine.run()
    assert told[0] == events.JobOpened(job="a")
    assert [one.reason for one in told if isinstance(one, events.Waiting)] == ["stopping"]


def test_run_that_stops_says_so() -> None:
    worker, stop = Worker(Time()), Stop()
    engine: Engine[State, str, object, str] = engine_of(Steps(["a", "b"]), worker, stop=stop)
    assert engine.waits_for() is None
    stop.ask("enough")
    assert not engine.run()
    assert engine.waits_for() == "stopping: what is under way is finished first"
