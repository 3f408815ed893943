"""The orders of a load: each says what to do, and carries everything that its worker needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias, assert_never

from bulkforce.apis.abc import BatchEnd, BatchSeen, ContentRefused, Counts, Found, JobSeen, Looked, Uploaded
from bulkforce.errors import Facts
from bulkforce.load.batches import JobStage, Outcome
from bulkforce.load.rules import RESULT_TRIES
from bulkforce.load.state import View
from bulkforce.run.seal import Seal


@dataclass(frozen=True, slots=True)
class OpenJob:
    """Create a job."""

    job: int


@dataclass(frozen=True, slots=True)
class SendBatch:
    """Add a batch to a job."""

    batch: int
    job: int
    job_id: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class CommitBatch:
    """Let an uploaded batch count, which is alone in its job."""

    batch: int
    job: int
    job_id: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class SettleJob:
    """Close a fenced job for good, and find which of the ``doubtful`` batches it holds besides the ``known`` ids.

    The commit of those ``committing`` may have been requested.
    """

    job: int
    job_id: str = field(default="", compare=False)
    known: frozenset[str] = field(default=frozenset(), compare=False)
    doubtful: tuple[int, ...] = field(default=(), compare=False)
    committing: frozenset[int] = field(default=frozenset(), compare=False)


@dataclass(frozen=True, slots=True)
class CloseJob:
    """Close a job that gets no more batches."""

    job: int
    job_id: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class AuditJob:
    """Compare the batches of a job with those in the journal; see `IngestApi.audit`."""

    job: int
    job_id: str = field(default="", compare=False)
    known: frozenset[str] = field(default=frozenset(), compare=False)
    doubts: bool = field(default=False, compare=False)
    ours_to_close: bool = field(default=False, compare=False)
    closed: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class LookAtJob:
    """List the batches of a job; ``waiting`` maps the ids of those that we wait for to their numbers."""

    job: int
    job_id: str = field(default="", compare=False)
    waiting: Mapping[str, int] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class FetchResults:
    """Save the results of a batch to disk.

    Attributes:
        batch: Its number.
        facts: The org's ids of the batch and its job.
        records: How many records it has.
        whole: Whether each of them must have a result.
        counts: The org's counts for it, if they were seen.
        last_try: Whether to keep unreadable results for the user.
    """

    batch: int
    facts: Facts = field(default_factory=Facts, compare=False)
    records: int = field(default=0, compare=False)
    whole: bool = field(default=False, compare=False)
    counts: Counts | None = field(default=None, compare=False)
    last_try: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class JoinBatch:
    """Write the rows of the next batch, each with its result, to the run's outputs.

    Attributes:
        batch: Its number.
        records: How many records it has.
        outcome: How it ended.
        results: Size and SHA-256 of its results.
    """

    batch: int
    records: int = field(default=0, compare=False)
    outcome: Outcome | None = field(default=None, compare=False)
    results: tuple[int, str] | None = field(default=None, compare=False)


Order: TypeAlias = (
    OpenJob | SendBatch | CommitBatch | SettleJob | CloseJob | AuditJob | LookAtJob | FetchResults | JoinBatch
)


Answer: TypeAlias = JobSeen | BatchSeen | Uploaded | ContentRefused | Found | Looked | Seal | bool | None
"""The answer to `OpenJob` and `AuditJob`: the job. To `SendBatch`: the batch, or that it has to be committed, or why
the org refused its content. To `CommitBatch`: the batch. To both, if their job is no longer open: the job. To
`SettleJob`: what was found. To `JoinBatch`: whether the results on disk were unchanged. To `CloseJob`: nothing.
"""


def prepare(view: View, order: Order) -> Order:
    """Add to an order everything that its worker needs, since the state may change while it works."""
    match order:
        case OpenJob():
            return order
        case SendBatch(job=job) | CommitBatch(job=job) | CloseJob(job):
            return replace(order, job_id=view.job_id(job))
        case SettleJob(job):
            doubtful = tuple(sorted(view.doubtful.get(job, ())))
            return SettleJob(
                job,
                view.job_id(job),
                frozenset(view.taken.get(job, ())),
                doubtful,
                frozenset(number for number in doubtful if view.may_be_committed(number)),
            )
        case AuditJob(number):
            found = view.jobs[number]
            return AuditJob(
                number,
                str(found.id),
                frozenset(view.taken.get(number, ())),
                doubts=bool(view.doubtful.get(number)),
                ours_to_close=number in view.unaudited
                and found.stage in {JobStage.OPEN, JobStage.FENCED}
                and not found.closing,
                closed=found.stage is JobStage.CLOSED,
            )
        case LookAtJob(job):
            return LookAtJob(job, view.job_id(job), dict(view.waiting.get(job, {})))
        case FetchResults(number):
            batch = view.batches[number]
            whole = batch.outcome is not None and batch.outcome.state == BatchEnd.COMPLETED
            last = view.unreadable[number] + 1 >= RESULT_TRIES
            # Where what came did not fit the counts, both are asked for again.
            counts = None if view.unreadable[number] else view.counted.get(number)
            return FetchResults(number, view.facts(batch), batch.records, whole, counts, last)
        case JoinBatch(number):
            return prepare_join(view, number)
        case _:
            assert_never(order)


def prepare_join(view: View, number: int) -> JoinBatch:
    """Return the order to join a batch, with everything that its worker needs."""
    batch = view.batches[number]
    return JoinBatch(number, batch.records, batch.outcome, batch.results)
