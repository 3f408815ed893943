"""What to do next in a load. Pure: no socket, thread, clock or database. `verdicts` says what follows from it.

The same state and rules always give the same orders. `state` describes how batches and jobs move from stage to stage.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice, repeat

from bulkforce.errors import (
    Unsettled,
)
from bulkforce.load.batches import Job, JobStage
from bulkforce.load.events import (
    BatchCommitting,
    BatchDoubted,
    BatchSending,
    Event,
    JobClosing,
    JobLost,
    JobWanted,
    RunTakenUp,
)
from bulkforce.load.orders import (
    Answer,
    AuditJob,
    CloseJob,
    CommitBatch,
    FetchResults,
    JoinBatch,
    LookAtJob,
    OpenJob,
    Order,
    SendBatch,
    SettleJob,
    prepare,
)
from bulkforce.load.rules import Rules
from bulkforce.load.state import View, apply
from bulkforce.load.verdicts import Follows, answered, refused


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """The plan of a load with its rules; see `bulkforce.run.plan.Plan`."""

    rules: Rules

    def begin(self, state: View) -> list[Event]:
        """See `on_resume`."""
        return on_resume(state)

    def decide(self, state: View, busy: Collection[Order], now: float, *, stopping: bool) -> list[Order]:
        """See `decide`.

        While something cannot be settled, nothing more is sent; when the run stops, doubts are still settled.
        """
        feeding = not (stopping or state.unsettled)
        orders = decide(state, busy, replace(self.rules, feeding=feeding), now)
        if stopping:
            orders = [order for order in orders if isinstance(order, (SettleJob, JoinBatch))]
        return [order for order in orders if order not in state.unsettled] if state.unsettled else orders

    def is_look(self, order: Order) -> bool:
        """See `bulkforce.run.plan.Plan`."""
        return isinstance(order, LookAtJob)

    def looks(self, state: View) -> Iterator[Order]:
        """See `bulkforce.run.plan.Plan`."""
        return map(LookAtJob, state.looked_at())

    def prepare(self, state: View, order: Order) -> Order:
        """See `prepare`."""
        return prepare(state, order)

    def intend(self, order: Order, now: float) -> list[Event]:
        """Return the events to journal before an order is started."""
        match order:
            case OpenJob(job):
                return [JobWanted(job, now)]
            case SendBatch(batch, job):
                return [BatchSending(batch, job)]
            case CommitBatch(batch, job):
                return [BatchCommitting(batch, job)]
            case CloseJob(job) | SettleJob(job):
                return [JobClosing(job)]
            case AuditJob() | LookAtJob() | FetchResults() | JoinBatch():
                return []

    def answered(self, state: View, order: Order, answer: Answer) -> Follows:
        """See `answered`."""
        return answered(state, order, answer, self.rules)

    def refused(self, state: View, order: Order, error: Exception) -> Follows:
        """See `refused`."""
        return refused(state, order, error, self.rules)

    def apply(self, state: View, event: Event) -> None:
        """See `bulkforce.load.state.apply`."""
        apply(state, event)

    def reached(self, state: View) -> bool:
        """Whether the org has answered in this run, or may have."""
        return any(job.id or job.left_open for job in state.jobs.values())

    def finished(self, state: View) -> bool:
        """Whether nothing is left to do."""
        return state.finished

    def stuck(self, state: View) -> Unsettled | None:
        """Return the first order's reason why it cannot be settled, if any."""
        return next(iter(state.unsettled.values()), None)


def on_resume(view: View) -> list[Event]:
    """Return what follows from a stop or crash: nothing that was under way can be assumed to have failed."""
    lost: list[Event] = [
        JobLost(job.number, left_open=True) for job in view.jobs.values() if job.stage is JobStage.OPENING
    ]
    return [
        *lost,
        *(BatchDoubted(batch) for batches in view.doubtful.values() for batch in sorted(batches)),
        RunTakenUp(),
    ]


def decide(view: View, busy: Collection[Order], rules: Rules, now: float) -> list[Order]:
    """Return the orders to start now, besides those under way.

    Args:
        view: The state of the run.
        busy: The orders under way.
        rules: The rules to follow.
        now: Seconds, on the same clock as the jobs' opening times.
    """
    joins = _joins(view, busy)
    if view.unaudited:
        # Audit the jobs of earlier sittings before touching anything.
        return [*(audit for job in sorted(view.unaudited) if (audit := AuditJob(job)) not in busy), *joins]
    # Settle what they left in doubt before sending anything more, and never send while there are strangers.
    feeding = rules.feeding and not (view.doubts_first or view.strangers)
    usable = _usable(view, busy, rules, now)
    # A join counts as a worker, too: each needs as much memory as a batch.
    slots = max(
        rules.workers - len(joins) - sum(isinstance(order, (SendBatch, FetchResults, JoinBatch)) for order in busy), 0
    )
    # Of many audits, no more than can be under way: each decision goes through them.
    orders = [order for order in _control(view, usable, rules.workers) if order not in busy]
    if feeding:
        orders += [order for order in _commits(view) if order not in busy] + _openings(view, usable, rules, slots)
    orders += [look for look in map(LookAtJob, view.looked_at()) if look not in busy]
    fetches = [
        order for batch in islice(view.fetchable, slots + len(busy)) if (order := FetchResults(batch)) not in busy
    ]
    sends = _sends(view, usable, rules, slots) if feeding else []
    # Uploads first, since they keep the org busy; but never starve fetches.
    if fetches and not any(isinstance(order, FetchResults) for order in busy):
        sends = sends[: max(slots - 1, 0)]
    chosen: list[Order] = [*sends, *fetches]
    return orders + joins + chosen[:slots]


def _usable(view: View, busy: Collection[Order], rules: Rules, now: float) -> list[Job]:
    """Return the jobs that can be given a batch."""
    return [
        job
        for number in sorted(view.working)
        if (job := view.jobs[number]).stage is JobStage.OPEN
        and not job.closing
        and now - job.opened < rules.job_seconds
        and CloseJob(job.number) not in busy
        and view.given[job.number] < rules.job_batches
    ]


def _openings(view: View, usable: Sequence[Job], rules: Rules, slots: int) -> list[Order]:
    """Return the jobs to create: as many as the workers that are free can fill."""
    opening = sum(view.jobs[job].stage is JobStage.OPENING for job in view.working)
    wanted = -(-min(len(view.pending), slots) // rules.job_batches) - len(usable) - opening
    return [OpenJob(len(view.jobs) + number) for number in range(1, wanted + 1)]


def _sends(view: View, usable: Sequence[Job], rules: Rules, slots: int) -> list[SendBatch]:
    places = chain.from_iterable(repeat(job.number, rules.job_batches - view.given[job.number]) for job in usable)
    return [SendBatch(batch, job) for batch, job in islice(zip(view.pending, places, strict=False), slots)]


def _commits(view: View) -> list[Order]:
    return [CommitBatch(batch, view.flying[batch]) for batch in view.uploaded]


def _joins(view: View, busy: Collection[Order]) -> list[Order]:
    """Return the join of the next batch in the outputs, if its results are there; joins run one at a time."""
    following = view.batches.get(view.joined + 1)
    ready = following is not None and following.ended and not any(isinstance(order, JoinBatch) for order in busy)
    return [JoinBatch(view.joined + 1)] if ready else []


def _control(view: View, usable: Sequence[Job], audits: int) -> Iterator[Order]:
    in_flight = set(view.flying.values())
    # As late as possible: a batch that the org accepted without our knowing may appear late.
    closed = islice(view.closed, audits) if view.done == len(view.batches) else ()
    for job in map(view.jobs.__getitem__, sorted({*view.working, *view.strangers, *closed})):
        if job.stage in {JobStage.OPENING, JobStage.LOST} or job.number in in_flight:
            continue
        if _is_to_be_audited(view, job):
            yield AuditJob(job.number)
        elif job.stage is JobStage.FENCED:
            yield SettleJob(job.number)
        elif job.stage is JobStage.OPEN and not (view.pending and job in usable):
            yield CloseJob(job.number)


def _is_to_be_audited(view: View, job: Job) -> bool:
    if view.strangers.get(job.number) and not view.doubtful.get(job.number):
        # With doubts left, settle the job first; that finds strangers as well.
        return True
    return job.stage is JobStage.CLOSED and view.done == len(view.batches) and not job.audited
