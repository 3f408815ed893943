"""What an extract does next: a pure function of its state. No sockets, threads, clocks or databases.

What follows from the outcome is in `verdicts`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from heapq import merge
from itertools import islice

from bulkforce.errors import Error
from bulkforce.extract.events import BatchStage, DeliveryBegun, Event, QueryBatch, QueryJobStage
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
from bulkforce.extract.seen import Follows
from bulkforce.extract.state import State
from bulkforce.extract.verdicts import answered, refused, take_up


@dataclass(frozen=True, slots=True)
class ExtractPlan:
    """The plan of an extract, by its rules; see `bulkforce.run.plan.Plan`."""

    rules: Rules

    def begin(self, state: State) -> list[Event]:
        """See `take_up`."""
        return list(take_up(state))

    def decide(self, state: State, busy: Collection[Order], _now: float, *, stopping: bool) -> list[Order]:
        """See `decide`. An extract that is stopping begins nothing more: a query can safely be run again later."""
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
        """Return the events to apply before an order begins."""
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
        """Whether every record is delivered and every job has ended."""
        return state.complete and not state.unended

    def stuck(self, state: State) -> Error | None:
        """Return why the first batch was given up, if any was."""
        return next(iter(state.given_up.values()), None)


def decide(state: State, busy: Collection[Order], rules: Rules) -> list[Order]:
    """Return what to begin now, in addition to what is in progress.

    Args:
        state: The state of the extract.
        busy: The orders in progress.
        rules: The rules of the extract.
    """
    under_way = Counter(map(type, busy))
    jobs = (
        LookAtJob(job) if state.jobs[job].stage is not QueryJobStage.OPEN else AskQuery(job) for job in state.at_work
    )
    actions: list[Order] = [action for action in jobs if action not in busy]

    def begin(most: int, wanted: Callable[[int], Iterable[Order]], *kinds: type[Order]) -> None:
        """Begin orders of some kinds, up to ``most`` at once."""
        free = most - sum(under_way[kind] for kind in kinds)
        if free > 0:
            actions.extend(islice((action for action in wanted(most) if action not in busy), free))

    begin(1 + rules.workers - len(state.at_work), lambda count: map(OpenJob, state.to_open.first(count)), OpenJob)
    begin(rules.workers, lambda count: map(EndJob, state.to_end.first(count)), EndJob)
    begin(rules.workers, lambda count: _reads(state, count, 2 * rules.workers), ReadRange, ListResults)
    begin(1, lambda _: _delivery(state), Deliver)
    begin(rules.workers, lambda count: _fetches(state, count, rules.ahead_bytes), FetchPart)
    return actions


def _reads(state: State, count: int, ahead: int) -> Iterator[Order]:
    """Yield what to read about batches, in their order; a list goes on only when there is little left to fetch."""
    for place, number in merge(state.unread.first(count), state.unlisted.first(count)):
        if (place, number) in state.unread:
            yield ReadRange(number)
        elif state.batches[number].more is None or len(state.to_fetch) <= ahead:
            yield ListResults(number)


def _delivery(state: State) -> Iterator[Order]:
    """Yield the next part to deliver, if it is on disk; parts are delivered one at a time."""
    place, part = state.delivered
    batch = state.at(place)
    # While there are batches that may not be ours, the whole query may have to be run again.
    if batch is not None and not state.unread and (batch.stage is BatchStage.DONE or _is_proven(state, batch, part)):
        yield Deliver(batch.number, part)


def _is_proven(state: State, batch: QueryBatch, part: int) -> bool:
    found = state.parts.get(batch.number, {}).get(part)
    return found is not None and found.proven


def _fetches(state: State, count: int, ahead_bytes: int | None) -> Iterator[Order]:
    room = ahead_bytes is None or state.ahead_bytes < ahead_bytes
    for place, part, batch in state.to_fetch.first(count):
        if room or (place == state.delivered[0] and _is_due(state, batch, part)):
            yield FetchPart(batch, part)


def _is_due(state: State, batch: int, part: int) -> bool:
    """Whether nothing can be delivered before a part of the batch that is due is there: then it never waits."""
    due = state.parts[batch].get(state.delivered[1])
    whole = due is not None and due.done and not due.proven
    return part == state.delivered[1] or whole or not state.proven[batch]
