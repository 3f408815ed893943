"""Where a load stands, and how what happens changes that: pure. No socket, thread, clock or database.

A batch goes: pending -> sending -> accepted -> ended -> done. When the answer to a sending is lost, its job is
*fenced*: it gets nothing more, and once nothing flies towards it any more it is settled (closed, listed, read back);
each doubtful batch then is accepted after all, or pending again.

Every list of a job's batches is compared with what is known. One that is none of ours is a *stranger*: nothing more is
sent. While a batch flies, an id that nobody knows may be its; so each such *suspect* names the batches that would
explain it, and is a stranger once none is left. A job is *audited* when
it was seen to hold what it should: each before a run that was taken up sends anything, and each at the end.

Once its results are on disk a batch is *joined* with them in the run's outputs, in the source's order.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from typing import assert_never

from bulkforce.errors import Facts, Unsettled
from bulkforce.load.batches import IN_DOUBT, Attempt, AttemptState, BatchView, Counts, Job, JobStage, Outcome
from bulkforce.load.events import (
    BatchAbsent,
    BatchAccepted,
    BatchDoubted,
    BatchEnded,
    BatchJoined,
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
    OrderUnsettled,
    ResultsFetched,
    ResultsLost,
    ResultsUnreadable,
    RunTakenUp,
    StrangersAccepted,
)
from bulkforce.protocol.wire import short


@dataclass(slots=True)
class View:
    """Where a run stands. Plain values, kept in step with the journal by `apply`; no step looks at all batches. Ids of
    batches stand here as `short` writes them.

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
        done: How many batches have their results on disk, or have none.
        joined: How many are joined with their results in the outputs; each sitting begins at the first.
        unsent: Records of the batches that are pending or flying.
        doubts_first: Whether doubts that an earlier sitting left are settled before anything more is sent.
        unsettled: What cannot be settled, and why, in this sitting.
        aborted: Jobs that somebody else ended while the run was stopped.
        counted: What the org counts of batches that ended in this sitting.
        unreadable: How often the results of a batch could not be read, in this sitting.
        losses: How often a batch never arrived, in this sitting.
        jobs_lost: How many jobs in a row were asked for and could not be used, in this sitting.
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
    joined: int = 0
    unsent: int = 0
    doubts_first: bool = False
    unsettled: dict[Hashable, Unsettled] = field(default_factory=dict)
    aborted: set[int] = field(default_factory=set)
    counted: dict[int, Counts] = field(default_factory=dict)
    unreadable: Counter[int] = field(default_factory=Counter)
    losses: Counter[int] = field(default_factory=Counter)
    jobs_lost: int = 0

    def __post_init__(self) -> None:
        for batch in self.batches.values():
            self._sort_in(batch)

    def job_id(self, job: int) -> str:
        """Give the org's id of a job."""
        return str(self.jobs[job].id)

    def facts(self, batch: BatchView) -> Facts:
        """Give the org's ids of a batch that was sent, and of its job."""
        assert batch.attempt is not None
        return Facts(job_id=self.job_id(batch.attempt.job), batch_id=batch.attempt.id)

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
            self.waiting.setdefault(attempt.job, {})[short(str(attempt.id))] = batch.number

    @property
    def finished(self) -> bool:
        """Whether every batch is joined, and every job closed and seen to hold what it should."""
        return self.joined == len(self.batches) and all(
            job.stage is JobStage.LOST or (job.stage is JobStage.CLOSED and job.audited) for job in self.jobs.values()
        )


def apply(view: View, event: Event) -> None:  # noqa: C901, PLR0912, PLR0915  (one arm an event, each a line or two)
    """Bring the view up to date with what has happened."""
    match event:
        case RunTakenUp():
            view.unaudited = {
                job.number for job in view.jobs.values() if job.id is not None and job.stage is not JobStage.LOST
            }
            view.doubts_first = bool(view.doubtful)
        case JobWanted(job, at):
            view.jobs[job] = Job(job, None, JobStage.OPENING, at)
        case JobOpened(job, job_id):
            view.jobs[job].id = job_id
            view.jobs[job].stage = JobStage.OPEN
            view.jobs_lost = 0
        case JobLost(job, left_open):
            view.jobs[job].stage = JobStage.LOST
            view.jobs[job].left_open = left_open
            view.jobs_lost = view.jobs_lost + 1 if left_open else 0
        case JobClosing(job):
            view.jobs[job].closing = True
        case JobClosed(job):
            # A fenced job is closed by settling it; before that its doubtful batches would be forgotten.
            if view.jobs[job].stage is not JobStage.FENCED:
                view.jobs[job].stage = JobStage.CLOSED
        case JobListed(job, unknown):
            _suspect(view, job, unknown - view.taken.get(job, set()))
        case JobAudited(job, aborted):
            if aborted:
                view.aborted.add(job)
            view.unaudited.discard(job)
            # With doubts left it was only seen to be ours still.
            view.jobs[job].audited = not view.doubtful.get(job)
            if view.jobs[job].audited:
                # What a list held is in it no more, or the user has spoken: to audit the job for it again would never
                # end.
                view.strangers.pop(job, None)
        case StrangersAccepted(job, ids):
            view.taken.setdefault(job, set()).update(map(short, ids))
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
            view.losses.update(absent)
            for batch in reversed(absent):
                view.unsent += view.batches[batch].records
                _release(view, job, batch)
        case BatchEnded(batch, end, message, has_results, processed, failed):
            _forget(view, batch)
            if has_results:
                view.counted[batch] = Counts(processed, failed)
            _end(view, batch, Outcome(end.value, message), to_fetch=has_results)
        case BatchNeverRun(batch):
            attempt = _forget(view, batch)
            view.batches[batch].attempt = Attempt(attempt.job, AttemptState.UNPROCESSED, attempt.id)
            view.pending[batch] = None
            view.unsent += view.batches[batch].records
        case BatchLeftInDoubt(batch, reason):
            _leave_in_doubt(view, batch)
            _end(view, batch, Outcome(IN_DOUBT, reason), to_fetch=False)
        case ResultsFetched(batch, size, sha256):
            del view.fetchable[batch]
            view.counted.pop(batch, None)
            view.batches[batch].fetched = True
            view.batches[batch].results = (size, sha256)
            view.done += 1
        case ResultsLost(batch):
            view.fetchable[batch] = None
            view.batches[batch].fetched = False
            view.batches[batch].results = None
            view.done -= 1
        case ResultsUnreadable(batch):
            view.unreadable[batch] += 1
        case BatchJoined(batch):
            view.joined = batch
        case OrderUnsettled(order, error):
            view.unsettled[order] = error
        case _:
            assert_never(event)


def _accept(view: View, job: int, batch: int, batch_id: str) -> None:
    view.batches[batch].attempt = Attempt(job, AttemptState.ACCEPTED, batch_id)
    known = short(batch_id)
    view.waiting.setdefault(job, {})[known] = batch
    view.taken.setdefault(job, set()).add(known)
    view.jobs[job].audited = False
    view.suspects.get(job, {}).pop(known, None)
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
    del view.waiting[attempt.job][short(attempt.id)]
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
