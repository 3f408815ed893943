"""What an extract does next: a pure function of where it stands. No socket, thread, clock or database.

What follows from it is in `verdicts`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from heapq import merge
from itertools import islice

from bulkforce.errors import (
    Error,
)
from bulkforce.extract.events import BatchStage, DeliveryBegun, Event, QueryJobStage
from bulkforce.extract.orders import (
    Answer,
    AskQuery,
    Deliver,
    EndJob,
    FetchPart,
    ListResults,
    LookAtJob,
    OpenJob,
    Order,
    ReadRange,
    prepare,
)
from bulkforce.extract.rules import Rules
from bulkforce.extract.state import State
from bulkforce.extract.verdicts import Follows, answered, refused, take_up


@dataclass(frozen=True, slots=True)
class ExtractPlan:
    """The plan of an extract, by its rules; see `bulkforce.run.plan.Plan`."""

    rules: Rules

    def begin(self, state: State) -> list[Event]:
        """See `take_up`."""
        return list(take_up(state))

    def decide(self, state: State, busy: Collection[Order], _now: float, *, stopping: bool) -> list[Order]:
        """See `decide`. When an extract stops, nothing more is begun: asking again later harms nobody."""
        return [] if stopping else decide(state, busy, self.rules)

    def is_look(self, order: Order) -> bool:
        """See `bulkforce.run.plan.Plan`."""
        return isinstance(order, LookAtJob)

    def looks(self, state: State) -> Iterator[Order]:
        """See `bulkforce.run.plan.Plan`."""
        return (LookAtJob(job) for job in state.at_work)

    def prepare(self, state: State, order: Order) -> Order:
        """See `prepare`."""
        return prepare(state, order)

    def intend(self, order: Order, _now: float) -> list[Event]:
        """Say what is taken in before an order is begun."""
        return [DeliveryBegun()] if isinstance(order, Deliver) else []

    def answered(self, state: State, order: Order, answer: Answer) -> Follows:
        """See `answered`."""
        return answered(state, order, answer, self.rules)

    def refused(self, state: State, order: Order, error: Exception) -> Follows:
        """See `refused`."""
        return refused(state, order, error, self.rules)

    def apply(self, state: State, event: Event) -> None:
        """See `State.apply`."""
        state.apply(event)

    def reached(self, state: State) -> bool:
        """Whether the org has answered in this run."""
        return state.begun

    def finished(self, state: State) -> bool:
        """Whether every row is delivered and every job ended."""
        return state.complete and not state.unended

    def stuck(self, state: State) -> Error | None:
        """Give the reason of the first batch that was given up."""
        return next(iter(state.given_up.values()), None)


def decide(state: State, busy: Collection[Order], rules: Rules) -> list[Order]:
    """Say what to begin now, besides what is under way.

    Args:
        state: Where the extract stands.
        busy: The actions under way.
        rules: How it goes about it.
    """
    under_way = Counter(map(type, busy))
    jobs = (
        LookAtJob(job) if state.jobs[job].stage is not QueryJobStage.OPEN else AskQuery(job) for job in state.at_work
    )
    actions: list[Order] = [action for action in jobs if action not in busy]

    def begin(most: int, wanted: Callable[[int], Iterable[Order]], *kinds: type[Order]) -> None:
        """Begin actions of some kinds: as many as are free, if there may be so many at once."""
        free = most - sum(under_way[kind] for kind in kinds)
        if free > 0:
            actions.extend(islice((action for action in wanted(most) if action not in busy), free))

    begin(1 + rules.workers - len(state.at_work), lambda count: map(OpenJob, state.to_open.first(count)), OpenJob)
    begin(rules.workers, lambda count: map(EndJob, state.to_end.first(count)), EndJob)
    begin(rules.workers, lambda count: _reads(state, count), ReadRange, ListResults)
    begin(1, lambda _: _delivery(state), Deliver)
    begin(rules.workers, lambda count: _fetches(state, count, rules.ahead_bytes), FetchPart)
    return actions


def _reads(state: State, count: int) -> Iterator[Order]:
    """What is to be read about batches, the first ones first."""
    for place, number in merge(state.unread.first(count), state.unlisted.first(count)):
        yield (ReadRange if (place, number) in state.unread else ListResults)(number)


def _delivery(state: State) -> Iterator[Order]:
    """Give the one part that is due, if it is there: parts are delivered one at a time."""
    place, part = state.delivered
    batch = state.at(place)
    # As long as there are batches that may be none of ours, the whole may have to be asked anew.
    if batch is not None and batch.stage is BatchStage.DONE and not state.unread:
        yield Deliver(batch.number, part)


def _fetches(state: State, count: int, ahead_bytes: int | None) -> Iterator[Order]:
    room = ahead_bytes is None or state.ahead_bytes < ahead_bytes
    for place, part, batch in state.to_fetch.first(count):
        # The one that is due never waits.
        if room or place == state.delivered[0]:
            yield FetchPart(batch, part)
