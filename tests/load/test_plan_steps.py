"""A step of a load costs the same however many batches it has: counted, not timed."""

from __future__ import annotations

import sys
from collections import deque
from types import FrameType
from typing import Any, ClassVar

import pytest

from bulkforce.apis.abc import BatchEnd
from bulkforce.load.batches import BatchView
from bulkforce.load.events import (
    BatchAccepted,
    BatchEnded,
    BatchJoined,
    BatchSending,
    BatchUploaded,
    Event,
    JobAudited,
    JobClosed,
    JobOpened,
    JobWanted,
    ResultsFetched,
)
from bulkforce.load.orders import (
    AuditJob,
    CommitBatch,
    FetchResults,
    JoinBatch,
    LookAtJob,
    OpenJob,
    Order,
    SendBatch,
)
from bulkforce.load.plan import LoadPlan, decide
from bulkforce.load.rules import Rules
from bulkforce.load.state import View, apply

RULES = Rules(workers=4, job_seconds=1e9)


class Number(int):
    """A batch's number that counts how often it was looked at: compared, ordered or hashed."""

    looks: ClassVar[int] = 0

    def __eq__(self, other: object) -> bool:
        Number.looks += 1
        return int.__eq__(self, other) is True

    def __lt__(self, other: int) -> bool:
        Number.looks += 1
        return int.__lt__(self, other)

    def __hash__(self) -> int:
        Number.looks += 1
        return int.__hash__(self)


def cost_a_batch(batches: int, *, lines: bool) -> float:  # noqa: C901  (an org in small)
    """Count looks, and lines of code if wanted, of a load whose org is done with every batch only after all were sent,
    so that as many as can be wait at each stage."""
    numbers = [Number(number) for number in range(1, batches + 1)]
    view = View({number: BatchView(number, 1, "") for number in numbers}, {})
    for event in (JobWanted(1, 0.0), JobOpened(1, "job")):
        apply(view, event)
    Number.looks = 0
    busy: set[Order] = set()
    under_way: deque[Order] = deque()
    accepted: list[Number] = []
    steps = 0

    def count(_frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal steps
        steps += event == "line"
        return count

    before = sys.gettrace()
    sys.settrace(count if lines else before)
    try:
        while len(accepted) < batches or view.joined < batches:
            for action in decide(view, busy, RULES, 1.0):
                if isinstance(action, SendBatch):
                    apply(view, BatchSending(action.batch, 1))
                elif not isinstance(action, (FetchResults, JoinBatch)):
                    continue
                busy.add(action)
                under_way.append(action)
            action = under_way.popleft()
            busy.discard(action)
            if isinstance(action, SendBatch):
                apply(view, BatchAccepted(action.batch, f"b{action.batch}"))
                accepted.append(Number(action.batch))
                if len(accepted) == batches:
                    for batch in accepted:
                        apply(view, BatchEnded(batch, BatchEnd.COMPLETED, None, has_results=True))
            elif isinstance(action, FetchResults):
                apply(view, ResultsFetched(action.batch, 1, ""))
            elif isinstance(action, JoinBatch):
                apply(view, BatchJoined(action.batch))
    finally:
        sys.settrace(before)
    return (Number.looks + steps) / batches


@pytest.mark.parametrize(("batches", "lines"), [(3_000, True), (100_000, False)])
def test_step_of_a_load_does_not_grow_with_the_number_of_batches(batches: int, lines: bool) -> None:
    # Nothing here is by chance, so that a hundredth shows what would need many more batches to show by a fifth.
    assert cost_a_batch(batches, lines=lines) < 1.01 * cost_a_batch(1_000, lines=lines)


def done2(order: Order) -> list[Event]:
    """Return what follows from an order of a load over Bulk API 2.0, where a batch has the number of its job."""
    match order:
        case OpenJob(job):
            return [JobOpened(job, f"job{job}")]
        case SendBatch(batch):
            return [BatchUploaded(batch)]
        case CommitBatch(batch, job):
            return [BatchAccepted(batch, f"job{job}"), JobClosed(job)]
        case LookAtJob(job):
            return [BatchEnded(job, BatchEnd.COMPLETED, None, has_results=True)]
        case FetchResults(batch):
            return [ResultsFetched(batch, 1, "")]
        case JoinBatch(batch):
            return [BatchJoined(batch)]
        case AuditJob(job):
            return [JobAudited(job)]
        case _:
            raise AssertionError(order)


def dearest_step(jobs: int) -> tuple[int, int]:
    """Count the lines of code of the dearest step of a load over Bulk API 2.0 whose org is done with every job only
    after all were sent; and the most jobs that were to be looked at.
    """
    view, most, lines, dearest = View({number: BatchView(number, 1, "") for number in range(1, jobs + 1)}, {}), 0, 0, 0
    plan = LoadPlan(Rules(workers=4, job_seconds=1e9, job_batches=1))
    busy: dict[Order, None] = {}

    def count(frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal lines
        lines += event == "line" and "/bulkforce/" in frame.f_code.co_filename
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        while not plan.finished(view):
            lines, sent = 0, not (view.pending or view.flying)
            for order in plan.decide(view, busy, 1.0, stopping=False):
                if plan.is_look(order) and not sent:
                    continue
                for event in plan.intend(order, 1.0):
                    plan.apply(view, event)
                busy[order] = None
            most = max(most, len(list(plan.looks(view))))
            order = next(iter(busy))
            del busy[order]
            for event in done2(order):
                plan.apply(view, event)
            dearest = max(dearest, lines)
    finally:
        sys.settrace(before)
    return dearest, most


def test_step_of_a_load_over_bulk_api_2_does_not_grow_with_the_number_of_jobs_that_wait() -> None:
    assert dearest_step(100) == dearest_step(600)
