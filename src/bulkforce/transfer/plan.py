"""What to do next in a load: pure. No socket, thread, clock or database; the same view and rules always give the same actions.

A batch goes: pending -> sending -> accepted -> ended -> done. When the answer to a sending is lost, its job is *fenced*: it gets nothing more, and
once nothing flies towards it any more it is settled (closed, listed, read back); each doubtful batch then is accepted after all, or pending again.

Every list of a job's batches is compared with what is known. One that is none of ours is a *stranger*: nothing more is sent. While a batch flies, an id
that nobody knows may be its; so each such *suspect* names the batches that would explain it, and is a stranger once none is left. A job is *audited* when
it was seen to hold what it should: each before a run that was taken up sends anything, and each at the end.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice
from typing import Final, TypeAlias

from bulkforce.transfer.events import (
    BatchAbsent,
    BatchAccepted,
    BatchDoubted,
    BatchEnded,
    BatchLeftInDoubt,
    BatchNeverRun,
    BatchRefused,
    BatchSending,
    Event,
    JobAudited,
    JobClosed,
    JobClosing,
    JobListed,
    JobLost,
    JobOpened,
    JobSettled,
    JobWanted,
    ResultsFetched,
    ResultsLost,
    RunTakenUp,
    StrangersAccepted,
)

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
    """Where a run stands. Plain values, kept in step with the journal by `apply`; no step looks at all batches.

    Attributes:
        batches: All batches, by number.
        jobs: All jobs, by number.
        pending: Batches to be sent.
        flying: Batches being sent -> their jobs.
        doubtful: Job -> batches whose answers were lost.
        taken: Job -> ids of the batches that it accepted, and of strangers that the user accepted.
        waiting: Job -> id -> number of the batches that the org works on.
        fetchable: Batches whose results are to be fetched.
        suspects: Job -> id that nobody knows -> the batches that may be it.
        strangers: Job -> ids of batches that are none of ours.
        unaudited: Jobs to be audited before anything more is sent.
        done: How many batches are done.
        unsent: Records of the batches that are pending or flying.
    """

    batches: dict[int, BatchView]
    jobs: dict[int, Job]
    pending: OrderedDict[int, None] = field(default_factory=OrderedDict)
    flying: dict[int, int] = field(default_factory=dict)
    doubtful: dict[int, set[int]] = field(default_factory=dict)
    taken: dict[int, set[str]] = field(default_factory=dict)
    waiting: dict[int, dict[str, int]] = field(default_factory=dict)
    fetchable: OrderedDict[int, None] = field(default_factory=OrderedDict)
    suspects: dict[int, dict[str, set[int]]] = field(default_factory=dict)
    strangers: dict[int, set[str]] = field(default_factory=dict)
    unaudited: set[int] = field(default_factory=set)
    done: int = 0
    unsent: int = 0
    doubts_first: bool = False

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
                self.fetchable[batch.number] = None
        elif attempt is None or attempt.state in {AttemptState.ABSENT, AttemptState.UNPROCESSED}:
            self.pending[batch.number] = None
            self.unsent += batch.records
        elif attempt.state is AttemptState.SENDING:
            self.doubtful.setdefault(attempt.job, set()).add(batch.number)
        else:
            self.waiting.setdefault(attempt.job, {})[str(attempt.id)] = batch.number

    @property
    def finished(self) -> bool:
        """Whether every batch is done, and every job closed and seen to hold what it should."""
        return self.done == len(self.batches) and all(
            job.stage is JobStage.LOST or (job.stage is JobStage.CLOSED and job.audited) for job in self.jobs.values()
        )


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
class AuditJob:
    """Compare what a job holds with what the journal knows."""

    job: int


@dataclass(frozen=True, slots=True)
class LookAtJob:
    """List the batches of a job."""

    job: int


@dataclass(frozen=True, slots=True)
class FetchResults:
    """Bring the results of a batch to disk."""

    batch: int


Action: TypeAlias = OpenJob | SendBatch | SettleJob | CloseJob | AuditJob | LookAtJob | FetchResults


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
    lost: list[Event] = [JobLost(job.number, left_open=True) for job in view.jobs.values() if job.stage is JobStage.OPENING]
    return [*lost, *(BatchDoubted(batch) for batches in view.doubtful.values() for batch in sorted(batches)), RunTakenUp()]


def decide(view: View, busy: set[Action], rules: Rules, now: float) -> list[Action]:
    """Say what to begin now, besides what is under way.

    Args:
        view: Where the run stands.
        busy: The actions under way.
        rules: What to keep to.
        now: Seconds on the clock that jobs were opened by.
    """
    if view.unaudited:
        # What an earlier sitting left is audited before anything is touched.
        return [audit for job in sorted(view.unaudited) if (audit := AuditJob(job)) not in busy]
    # What it left in doubt is settled before anything more is sent, and nothing is sent beside a stranger.
    feeding = rules.feeding and not (view.doubts_first or view.strangers)
    usable = [
        job
        for job in view.jobs.values()
        if job.stage is JobStage.OPEN and not job.closing and now - job.opened < rules.job_seconds and CloseJob(job.number) not in busy
    ]
    actions = [action for action in _control(view, usable, feeding=feeding) if action not in busy]
    slots = rules.workers - sum(isinstance(action, (SendBatch, FetchResults)) for action in busy)
    fetches = [action for batch in islice(view.fetchable, max(slots, 0) + len(busy)) if (action := FetchResults(batch)) not in busy]
    sends = [SendBatch(batch, usable[0].number) for batch in islice(view.pending, max(slots, 0))] if usable and feeding else []
    # Uploads first, they keep the org at work; but a fetch is never starved.
    if fetches and not any(isinstance(action, FetchResults) for action in busy):
        sends = sends[: max(slots - 1, 0)]
    chosen: list[Action] = [*sends, *fetches]
    return actions + chosen[: max(slots, 0)]


def _control(view: View, usable: list[Job], *, feeding: bool) -> Iterator[Action]:
    opening = False
    in_flight = set(view.flying.values())
    for job in view.jobs.values():
        opening = opening or job.stage is JobStage.OPENING
        if job.stage in {JobStage.OPENING, JobStage.LOST} or job.number in in_flight:
            continue
        if _is_to_be_audited(view, job):
            yield AuditJob(job.number)
        elif job.stage is JobStage.FENCED:
            yield SettleJob(job.number)
        elif job.stage is JobStage.OPEN and not (view.pending and job in usable):
            yield CloseJob(job.number)
    if view.pending and not usable and not opening and feeding:
        yield OpenJob(len(view.jobs) + 1)
    for number, batches in view.waiting.items():
        if batches:
            yield LookAtJob(number)


def _is_to_be_audited(view: View, job: Job) -> bool:
    if view.strangers.get(job.number):
        return True
    # As late as can be: what the org took behind our back may appear late.
    return job.stage is JobStage.CLOSED and view.done == len(view.batches) and not job.audited


def apply(view: View, event: Event) -> None:  # noqa: C901, PLR0912, PLR0915  (one arm an event, each a line or two)
    """Bring the view up to date with what has happened."""
    match event:
        case RunTakenUp():
            view.unaudited = {job.number for job in view.jobs.values() if job.id is not None and job.stage is not JobStage.LOST}
            view.doubts_first = bool(view.doubtful)
        case JobWanted(job, at):
            view.jobs[job] = Job(job, None, JobStage.OPENING, at)
        case JobOpened(job, job_id):
            view.jobs[job].id = job_id
            view.jobs[job].stage = JobStage.OPEN
        case JobLost(job, left_open):
            view.jobs[job].stage = JobStage.LOST
            view.jobs[job].left_open = left_open
        case JobClosing(job):
            view.jobs[job].closing = True
        case JobClosed(job):
            # A fenced job is closed by settling it; before that its doubtful batches would be forgotten.
            if view.jobs[job].stage is not JobStage.FENCED:
                view.jobs[job].stage = JobStage.CLOSED
        case JobListed(job, unknown):
            _suspect(view, job, unknown - view.taken.get(job, set()))
        case JobAudited(job):
            view.unaudited.discard(job)
            # With doubts left it was only seen to be ours still.
            view.jobs[job].audited = not view.doubtful.get(job)
        case StrangersAccepted(job, ids):
            view.taken.setdefault(job, set()).update(ids)
            view.strangers.pop(job, None)
        case BatchSending(batch, job):
            del view.pending[batch]
            view.flying[batch] = job
            view.batches[batch].attempt = Attempt(job, AttemptState.SENDING)
        case BatchAccepted(batch, batch_id):
            view.unsent -= view.batches[batch].records
            _accept(view, view.flying.pop(batch), batch, batch_id)
        case BatchAbsent(batch):
            _release(view, view.flying.pop(batch), batch)
        case BatchRefused(batch, message):
            view.unsent -= view.batches[batch].records
            job = view.flying.pop(batch)
            view.batches[batch].attempt = Attempt(job, AttemptState.ABSENT)
            _explain(view, job, batch)
            _end(view, batch, Outcome("refused", message), to_fetch=False)
        case BatchDoubted(batch):
            attempt = view.batches[batch].attempt
            assert attempt is not None
            if view.flying.pop(batch, None) is not None:
                view.unsent -= view.batches[batch].records
            view.doubtful.setdefault(attempt.job, set()).add(batch)
            view.jobs[attempt.job].stage = JobStage.FENCED
        case JobSettled(job, adopted, absent):
            view.jobs[job].stage = JobStage.CLOSED
            view.doubtful.pop(job, None)
            view.unaudited.discard(job)
            view.doubts_first = view.doubts_first and bool(view.doubtful)
            for batch, batch_id in adopted.items():
                _accept(view, job, batch, batch_id)
            for batch in reversed(absent):
                view.unsent += view.batches[batch].records
                _release(view, job, batch)
        case BatchEnded(batch, state, message, has_results):
            _forget(view, batch)
            _end(view, batch, Outcome(state.value, message), to_fetch=has_results)
        case BatchNeverRun(batch):
            attempt = _forget(view, batch)
            view.batches[batch].attempt = Attempt(attempt.job, AttemptState.UNPROCESSED, attempt.id)
            view.pending[batch] = None
            view.unsent += view.batches[batch].records
        case BatchLeftInDoubt(batch, reason):
            _leave_in_doubt(view, batch)
            _end(view, batch, Outcome(IN_DOUBT, reason), to_fetch=False)
        case ResultsFetched(batch):
            del view.fetchable[batch]
            view.batches[batch].fetched = True
            view.done += 1
        case ResultsLost(batch):
            view.fetchable[batch] = None
            view.batches[batch].fetched = False
            view.done -= 1


def _accept(view: View, job: int, batch: int, batch_id: str) -> None:
    view.batches[batch].attempt = Attempt(job, AttemptState.ACCEPTED, batch_id)
    view.waiting.setdefault(job, {})[batch_id] = batch
    view.taken.setdefault(job, set()).add(batch_id)
    view.jobs[job].audited = False
    view.suspects.get(job, {}).pop(batch_id, None)
    _explain(view, job, batch)


def _release(view: View, job: int, batch: int) -> None:
    view.batches[batch].attempt = Attempt(job, AttemptState.ABSENT)
    view.pending[batch] = None
    view.pending.move_to_end(batch, last=False)
    _explain(view, job, batch)


def _suspect(view: View, job: int, unknown: Iterable[str]) -> None:
    """Weigh ids that nobody knows: what is on its way to the job may be behind them, anything else is a stranger."""
    for batch_id in unknown:
        on_their_way = {batch for batch, target in view.flying.items() if target == job} | view.doubtful.get(job, set())
        view.suspects.setdefault(job, {}).setdefault(batch_id, on_their_way)
    _explain(view, job, None)


def _explain(view: View, job: int, batch: int | None) -> None:
    """Weigh the suspects of a job again, now that it is known what became of a batch."""
    suspects = view.suspects.get(job)
    for batch_id, explanations in list(suspects.items()) if suspects else ():
        explanations.discard(batch or 0)
        if not explanations:
            del view.suspects[job][batch_id]
            view.strangers.setdefault(job, set()).add(batch_id)


def _forget(view: View, batch: int) -> Attempt:
    attempt = view.batches[batch].attempt
    assert attempt is not None
    assert attempt.id is not None
    del view.waiting[attempt.job][attempt.id]
    return attempt


def _leave_in_doubt(view: View, batch: int) -> None:
    """Take a batch from where it stands, be that waiting, doubtful, pending, or with results that nobody can read."""
    if batch in view.fetchable:
        del view.fetchable[batch]
        return
    if batch in view.pending:
        del view.pending[batch]
        view.unsent -= view.batches[batch].records
        return
    attempt = view.batches[batch].attempt
    assert attempt is not None
    if attempt.state is AttemptState.ACCEPTED:
        _forget(view, batch)
    else:
        view.doubtful[attempt.job].discard(batch)


def _end(view: View, batch: int, outcome: Outcome, *, to_fetch: bool) -> None:
    view.batches[batch].outcome = outcome
    if to_fetch:
        view.fetchable[batch] = None
    else:
        view.batches[batch].fetched = True
        view.done += 1
