"""The state of a load, and how events change it. Pure: no socket, thread, clock or database.

A batch goes: pending -> sending -> accepted -> ended -> done. Where an upload counts for nothing before its job is
committed, it is uploaded and committing in between. When the answer to an upload is lost, its job is
*fenced*: it gets no more batches, and once no upload to it is under way it is settled (closed, listed, read back). Each
doubtful batch then turns out to be accepted, or is pending again.

Every list of a job's batches is compared with the batches we know. A batch that is not ours is a *stranger*, and stops
all further sending. While an upload is under way, an unknown id may be the id of its batch: it is a *suspect*, kept
with the batches that would explain it, and becomes a stranger once none of them is left. A job is *audited* once it was
seen to hold exactly our batches: each job before a resumed run sends anything, and each job at the end.

Once its results are on disk, a batch is *joined* with them in the run's outputs, in the source's order.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Final, assert_never

from bulkforce.apis.abc import Counts
from bulkforce.errors import Facts, Unsettled
from bulkforce.load.batches import IN_DOUBT, Attempt, AttemptState, BatchView, Job, JobStage, Outcome
from bulkforce.load.events import (
    BatchAbsent,
    BatchAccepted,
    BatchCommitting,
    BatchDoubted,
    BatchEnded,
    BatchJoined,
    BatchLeftInDoubt,
    BatchNeverRun,
    BatchRefused,
    BatchSending,
    BatchUploaded,
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

_LOOKED_AT: Final = 50
"""So many jobs, the oldest, are looked at while they wait, since each look is a call, and each decision goes through
them: with Bulk API 2.0, a job a batch, thousands may wait, and the org works on a few at once.
"""
_WORKING: Final = frozenset({JobStage.OPENING, JobStage.OPEN, JobStage.FENCED})


@dataclass(slots=True)
class View:
    """The state of a run: plain values, which `apply` keeps in step with the journal.

    No step looks at all batches. Ids of batches have the form that `short` returns.

    Attributes:
        batches: All batches, by number.
        jobs: All jobs, by number.
        working: Jobs that are being created, are open, or are to be settled.
        closed: Jobs that are closed and still to be audited.
        pending: Batches to send.
        flying: Batches being sent -> their jobs.
        uploaded: Those of them that are to be committed.
        doubtful: Job -> batches whose answer was lost.
        given: How many batches each job was given; those of earlier sittings may have been given one at least.
        taken: Job -> ids of the batches that it holds: ours, and strangers that the user accepted.
        waiting: Job -> id -> number of the batches that the org is working on.
        fetchable: Batches with results to fetch.
        suspects: Job -> unknown id -> the batches that it may belong to.
        strangers: Job -> ids of batches that are not ours.
        unaudited: Jobs to audit before anything more is sent.
        done: How many batches have their results on disk, or have no results.
        joined: How many batches are joined with their results in the outputs; each sitting starts at the first.
        unsent: Records of the batches that are pending or flying.
        doubts_first: Whether doubts that an earlier sitting left are settled before anything more is sent.
        unsettled: Orders that cannot be settled in this sitting, and why.
        aborted: Jobs that someone else ended while the run was stopped.
        counted: The org's counts for batches that ended in this sitting.
        unreadable: How often the results of a batch could not be read, in this sitting.
        losses: How often a batch never arrived, in this sitting.
        jobs_lost: How many jobs in a row could not be created, in this sitting.
    """

    batches: dict[int, BatchView]
    jobs: dict[int, Job]
    working: dict[int, None] = field(default_factory=dict)
    closed: OrderedDict[int, None] = field(default_factory=OrderedDict)
    pending: OrderedDict[int, None] = field(default_factory=OrderedDict)
    flying: dict[int, int] = field(default_factory=dict)
    uploaded: OrderedDict[int, None] = field(default_factory=OrderedDict)
    doubtful: dict[int, set[int]] = field(default_factory=dict)
    given: Counter[int] = field(default_factory=Counter)
    taken: dict[int, set[str]] = field(default_factory=dict)
    waiting: OrderedDict[int, dict[str, int]] = field(default_factory=OrderedDict)
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
        for job in self.jobs.values():
            self.file(job)

    def file(self, job: Job) -> None:
        """File a job under what is left to do with it, since with Bulk API 2.0 there are as many jobs as batches."""
        if job.stage in _WORKING:
            self.working.setdefault(job.number)
        else:
            self.working.pop(job.number, None)
        if job.stage is JobStage.CLOSED and not job.audited:
            self.closed.setdefault(job.number)
        else:
            self.closed.pop(job.number, None)

    def looked_at(self) -> Iterator[int]:
        """Return the jobs to look at, again and again, until the org is done with their batches."""
        return islice(self.waiting, _LOOKED_AT)

    def job_id(self, job: int) -> str:
        """Return the org's id of a job."""
        return str(self.jobs[job].id)

    def facts(self, batch: BatchView) -> Facts:
        """Return the org's ids of a batch that was sent, and of its job."""
        assert batch.attempt is not None
        return Facts(job_id=self.job_id(batch.attempt.job), batch_id=batch.attempt.id)

    def may_be_committed(self, batch: int) -> bool:
        """Whether the commit of a batch that is being sent, or in doubt, may have been requested."""
        attempt = self.batches[batch].attempt
        return attempt is not None and attempt.state is AttemptState.COMMITTING

    def _sort_in(self, batch: BatchView) -> None:
        """File a batch that was read from the journal under its state."""
        attempt = batch.attempt
        if attempt is not None:
            self.given[attempt.job] += 1
        if batch.outcome is not None:
            if batch.fetched:
                self.done += 1
            else:
                self.fetchable[batch.number] = None
        elif attempt is None or attempt.state in {AttemptState.ABSENT, AttemptState.UNPROCESSED}:
            self.pending[batch.number] = None
            self.unsent += batch.records
        elif attempt.state in {AttemptState.SENDING, AttemptState.COMMITTING}:
            self.doubtful.setdefault(attempt.job, set()).add(batch.number)
        else:
            self.waiting.setdefault(attempt.job, {})[short(str(attempt.id))] = batch.number

    @property
    def finished(self) -> bool:
        """Whether every batch is joined, and every job closed and audited."""
        return self.joined == len(self.batches) and not (self.working or self.closed)


def apply(view: View, event: Event) -> None:  # noqa: C901, PLR0912, PLR0915  (one arm an event, each a line or two)
    """Update the view with an event."""
    match event:
        case RunTakenUp():
            view.unaudited = {
                job.number for job in view.jobs.values() if job.id is not None and job.stage is not JobStage.LOST
            }
            view.doubts_first = bool(view.doubtful)
            view.given |= Counter(list(view.jobs))
        case JobWanted(job, at):
            view.jobs[job] = Job(job, None, JobStage.OPENING, at)
            view.file(view.jobs[job])
        case JobOpened(job, job_id):
            view.jobs[job].id = job_id
            view.jobs[job].stage = JobStage.OPEN
            view.jobs_lost = 0
        case JobLost(job, left_open):
            view.jobs[job].stage = JobStage.LOST
            view.file(view.jobs[job])
            view.jobs[job].left_open = left_open
            view.jobs_lost = view.jobs_lost + 1 if left_open else 0
        case JobClosing(job):
            view.jobs[job].closing = True
        case JobClosed(job):
            # Settling closes a fenced job; closing it earlier would forget its doubtful batches.
            if view.jobs[job].stage is not JobStage.FENCED:
                view.jobs[job].stage = JobStage.CLOSED
                view.file(view.jobs[job])
        case JobListed(job, unknown):
            _suspect(view, job, unknown - view.taken.get(job, set()))
        case JobAudited(job, aborted):
            if aborted:
                view.aborted.add(job)
            view.unaudited.discard(job)
            # With doubts left, the audit only showed that the job is still ours.
            view.jobs[job].audited = not view.doubtful.get(job)
            view.file(view.jobs[job])
            if view.jobs[job].audited:
                # The strangers are gone from the job or accepted by the user: keeping them would audit the job for
                # ever.
                view.strangers.pop(job, None)
        case StrangersAccepted(job, ids):
            view.taken.setdefault(job, set()).update(map(short, ids))
            view.strangers.pop(job, None)
        case BatchSending(batch, job):
            del view.pending[batch]
            view.flying[batch] = job
            view.given[job] += 1
            view.batches[batch].attempt = Attempt(job, AttemptState.SENDING)
        case BatchUploaded(batch):
            view.uploaded[batch] = None
        case BatchCommitting(batch, job):
            del view.uploaded[batch]
            # From here on we may have ended the job ourselves.
            view.jobs[job].closing = True
            view.batches[batch].attempt = Attempt(job, AttemptState.COMMITTING)
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
            view.file(view.jobs[attempt.job])
        case JobSettled(job, adopted, absent):
            view.jobs[job].stage = JobStage.CLOSED
            view.file(view.jobs[job])
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
    view.file(view.jobs[job])
    view.suspects.get(job, {}).pop(known, None)
    _explain(view, job, batch)


def _release(view: View, job: int, batch: int) -> None:
    view.batches[batch].attempt = Attempt(job, AttemptState.ABSENT)
    view.pending[batch] = None
    view.pending.move_to_end(batch, last=False)
    _explain(view, job, batch)


def _suspect(view: View, job: int, unknown: Iterable[str]) -> None:
    """Take in unknown ids: each may belong to an upload that is under way; otherwise it is a stranger."""
    for batch_id in unknown:
        on_their_way = {batch for batch, target in view.flying.items() if target == job} | view.doubtful.get(job, set())
        view.suspects.setdefault(job, {}).setdefault(batch_id, on_their_way)
    _explain(view, job, None)


def _explain(view: View, job: int, batch: int | None) -> None:
    """Review the suspects of a job, now that the outcome of a batch is known."""
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
    waiting = view.waiting[attempt.job]
    del waiting[short(attempt.id)]
    if not waiting:
        del view.waiting[attempt.job]
    return attempt


def _leave_in_doubt(view: View, batch: int) -> None:
    """Remove a batch from its state: waiting, doubtful, pending, or with results that cannot be read."""
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
