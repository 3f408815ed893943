"""What to do next in a load: pure. No socket, thread, clock or database; the same view and rules always give the same actions.

A batch goes: pending -> sending -> accepted -> ended -> done. When the answer to a sending is lost, its job is *fenced*: it gets nothing more, and
once nothing flies towards it any more it is settled (closed, listed, read back); each doubtful batch then is accepted after all, or pending again.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from bulkforce.transfer.events import (
    BatchAbsent,
    BatchAccepted,
    BatchDoubted,
    BatchEnded,
    BatchNeverRun,
    BatchRefused,
    BatchSending,
    Event,
    JobClosed,
    JobLost,
    JobOpened,
    JobSettled,
    JobWanted,
    ResultsFetched,
)


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
    """One of our jobs: its number, and the org's id once it is known."""

    number: int
    id: str | None
    stage: JobStage
    opened: float


@dataclass(frozen=True, slots=True)
class Attempt:
    """The latest sending of a batch."""

    job: int
    state: AttemptState
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a batch ended: a final batch state, or ``refused``."""

    state: str
    message: str | None


@dataclass(slots=True)
class BatchView:
    """What is known of one batch."""

    number: int
    records: int
    sha256: str
    attempt: Attempt | None = None
    outcome: Outcome | None = None
    fetched: bool = False


@dataclass(slots=True)
class View:
    """Where a run stands. Plain values, kept in step with the journal by `apply`."""

    batches: dict[int, BatchView]
    jobs: dict[int, Job]
    pending: list[int] = field(default_factory=list)
    flying: dict[int, int] = field(default_factory=dict)
    doubtful: dict[int, set[int]] = field(default_factory=dict)
    taken: dict[int, set[str]] = field(default_factory=dict)
    waiting: dict[int, dict[str, int]] = field(default_factory=dict)
    fetchable: list[int] = field(default_factory=list)
    done: int = 0

    def __post_init__(self) -> None:
        for batch in self.batches.values():
            self._sort_in(batch)

    def _sort_in(self, batch: BatchView) -> None:
        """Put a batch that was read back where it belongs."""
        attempt = batch.attempt
        if batch.outcome is not None:
            if batch.fetched:
                self.done += 1
            else:
                heapq.heappush(self.fetchable, batch.number)
        elif attempt is None or attempt.state in {AttemptState.ABSENT, AttemptState.UNPROCESSED}:
            heapq.heappush(self.pending, batch.number)
        elif attempt.state is AttemptState.SENDING:
            self.doubtful.setdefault(attempt.job, set()).add(batch.number)
        else:
            self.waiting.setdefault(attempt.job, {})[str(attempt.id)] = batch.number

    @property
    def finished(self) -> bool:
        """Whether every batch is done."""
        return self.done == len(self.batches)


@dataclass(frozen=True, slots=True)
class OpenJob:
    """Create a job."""

    job: int


@dataclass(frozen=True, slots=True)
class SendBatch:
    """Add a batch to a job."""

    batch: int
    job: int


@dataclass(frozen=True, slots=True)
class SettleJob:
    """Close a fenced job for good and find out what it holds."""

    job: int


@dataclass(frozen=True, slots=True)
class CloseJob:
    """Close a job that gets nothing more."""

    job: int


@dataclass(frozen=True, slots=True)
class LookAtJob:
    """List the batches of a job."""

    job: int


@dataclass(frozen=True, slots=True)
class FetchResults:
    """Bring the results of a batch to disk."""

    batch: int


Action: TypeAlias = OpenJob | SendBatch | SettleJob | CloseJob | LookAtJob | FetchResults


@dataclass(frozen=True, slots=True)
class Rules:
    """What the plan keeps to.

    Attributes:
        workers: Uploads and downloads at once.
        job_seconds: A job older than this gets no more batches; the org takes none after 24 hours.
        feeding: Whether new batches may be sent at all.
    """

    workers: int
    job_seconds: float
    feeding: bool = True


def on_resume(view: View) -> list[Event]:
    """Say what follows from a death: nothing of what was under way can be trusted to have failed."""
    lost: list[Event] = [JobLost(job.number) for job in view.jobs.values() if job.stage is JobStage.OPENING]
    return lost + [BatchDoubted(batch) for batches in view.doubtful.values() for batch in sorted(batches)]


def decide(view: View, busy: set[Action], rules: Rules, now: float) -> list[Action]:
    """Say what to begin now, besides what is under way.

    Args:
        view: Where the run stands.
        busy: The actions under way.
        rules: What to keep to.
        now: Seconds on the clock that jobs were opened by.
    """
    usable = [
        job
        for job in view.jobs.values()
        if job.stage is JobStage.OPEN and now - job.opened < rules.job_seconds and CloseJob(job.number) not in busy
    ]
    actions = [action for action in _control(view, usable, rules) if action not in busy]
    slots = rules.workers - sum(isinstance(action, (SendBatch, FetchResults)) for action in busy)
    fetches = [FetchResults(batch) for batch in heapq.nsmallest(slots + len(busy), view.fetchable)]
    fetches = [action for action in fetches if action not in busy]
    sends = [SendBatch(batch, usable[0].number) for batch in heapq.nsmallest(slots, view.pending)] if usable and rules.feeding else []
    # Uploads first, they keep the org at work; but a fetch is never starved.
    if fetches and not any(isinstance(action, FetchResults) for action in busy):
        sends = sends[: max(slots - 1, 0)]
    chosen: list[Action] = [*sends, *fetches]
    return actions + chosen[: max(slots, 0)]


def _control(view: View, usable: list[Job], rules: Rules) -> Iterator[Action]:
    opening = False
    for job in view.jobs.values():
        if job.stage is JobStage.FENCED and not _flies_to(view, job.number):
            yield SettleJob(job.number)
        elif job.stage is JobStage.OPEN and not (view.pending and job in usable) and not _flies_to(view, job.number):
            yield CloseJob(job.number)
        opening = opening or job.stage is JobStage.OPENING
    if view.pending and not usable and not opening and rules.feeding:
        yield OpenJob(len(view.jobs) + 1)
    for number, batches in view.waiting.items():
        if batches:
            yield LookAtJob(number)


def _flies_to(view: View, job: int) -> bool:
    return job in view.flying.values()


def apply(view: View, event: Event) -> None:  # noqa: C901, PLR0912  (one arm an event, each a line or two)
    """Bring the view up to date with what has happened."""
    match event:
        case JobWanted(job, at):
            view.jobs[job] = Job(job, None, JobStage.OPENING, at)
        case JobOpened(job, job_id):
            view.jobs[job].id = job_id
            view.jobs[job].stage = JobStage.OPEN
        case JobLost(job):
            view.jobs[job].stage = JobStage.LOST
        case JobClosed(job):
            # A fenced job is closed by settling it; before that its doubtful batches would be forgotten.
            if view.jobs[job].stage is not JobStage.FENCED:
                view.jobs[job].stage = JobStage.CLOSED
        case BatchSending(batch, job):
            view.pending.remove(batch)
            heapq.heapify(view.pending)
            view.flying[batch] = job
            view.batches[batch].attempt = Attempt(job, AttemptState.SENDING)
        case BatchAccepted(batch, batch_id):
            _accept(view, view.flying.pop(batch), batch, batch_id)
        case BatchAbsent(batch):
            _release(view, view.flying.pop(batch), batch)
        case BatchRefused(batch, message):
            job = view.flying.pop(batch)
            view.batches[batch].attempt = Attempt(job, AttemptState.ABSENT)
            _end(view, batch, Outcome("refused", message), to_fetch=False)
        case BatchDoubted(batch):
            attempt = view.batches[batch].attempt
            assert attempt is not None
            view.flying.pop(batch, None)
            view.doubtful.setdefault(attempt.job, set()).add(batch)
            view.jobs[attempt.job].stage = JobStage.FENCED
        case JobSettled(job, adopted, absent):
            view.jobs[job].stage = JobStage.CLOSED
            view.doubtful.pop(job, None)
            for batch, batch_id in adopted.items():
                _accept(view, job, batch, batch_id)
            for batch in absent:
                _release(view, job, batch)
        case BatchEnded(batch, state, message, has_results):
            _forget(view, batch)
            _end(view, batch, Outcome(state.value, message), to_fetch=has_results)
        case BatchNeverRun(batch):
            attempt = _forget(view, batch)
            view.batches[batch].attempt = Attempt(attempt.job, AttemptState.UNPROCESSED, attempt.id)
            heapq.heappush(view.pending, batch)
        case ResultsFetched(batch):
            view.fetchable.remove(batch)
            heapq.heapify(view.fetchable)
            view.batches[batch].fetched = True
            view.done += 1


def _accept(view: View, job: int, batch: int, batch_id: str) -> None:
    view.batches[batch].attempt = Attempt(job, AttemptState.ACCEPTED, batch_id)
    view.waiting.setdefault(job, {})[batch_id] = batch
    view.taken.setdefault(job, set()).add(batch_id)


def _release(view: View, job: int, batch: int) -> None:
    view.batches[batch].attempt = Attempt(job, AttemptState.ABSENT)
    heapq.heappush(view.pending, batch)


def _forget(view: View, batch: int) -> Attempt:
    attempt = view.batches[batch].attempt
    assert attempt is not None
    assert attempt.id is not None
    del view.waiting[attempt.job][attempt.id]
    return attempt


def _end(view: View, batch: int, outcome: Outcome, *, to_fetch: bool) -> None:
    view.batches[batch].outcome = outcome
    if to_fetch:
        heapq.heappush(view.fetchable, batch)
    else:
        view.batches[batch].fetched = True
        view.done += 1
