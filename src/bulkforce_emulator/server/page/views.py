"""What the page says about jobs and batches: plain values, read under the lock of the org's jobs. No HTML."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Generic, TypeVar

from bulkforce_emulator.state.bulk2.job import Stage, stage_of
from bulkforce_emulator.state.lifecycle import BatchState, JobState
from bulkforce_emulator.wire.bulk2_jobs import layout_names
from bulkforce_emulator.wire.job_info import batch_info, job_info
from bulkforce_emulator.words import spelled

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from bulkforce_emulator.server.page.causes import Causes
    from bulkforce_emulator.state.job import Batch, Job
    from bulkforce_emulator.state.org import Org
    from bulkforce_emulator.state.spool import Spooled

JOBS_SHOWN = 50
BATCHES_SHOWN = 100
#: Reading errors takes some 10 ms a batch, the first time.
FAILING_BATCHES_READ = 50

_STATES = tuple(dict.fromkeys(spelled(state) for state in (*JobState, *Stage)))
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Section(Generic[Item]):
    """One page of a long list; pages count from 1."""

    items: Sequence[Item]
    total: int
    page: int
    pages: int

    @classmethod
    def of(cls, whole: Sequence[Item], page: int, size: int) -> Section[Item]:
        """The page of that number, or the nearest there is."""
        pages = max(1, -(-len(whole) // size))
        page = min(max(page, 1), pages)
        return cls(whole[(page - 1) * size : page * size], len(whole), page, pages)


@dataclass(frozen=True, slots=True)
class Filters:
    """Which jobs are asked for; empty is any."""

    state: str = ""
    object: str = ""

    def fit(self, job: Job) -> bool:
        """Whether a job passes the filters."""
        return self.state in {"", _state(job)} and self.object in {"", job.sobject.name}


@dataclass(frozen=True, slots=True)
class JobView:
    """One job.

    Attributes:
        members: What its jobInfo says, in Salesforce's words.
        ended: When its last batch ended, or the job itself; None while more can happen.
        seconds: From its start to its end, or until now.
    """

    members: Mapping[str, object]
    submitted_by: str
    ended: datetime | None
    seconds: int
    batches_ended: int
    batches_total: int
    disable_retry: bool
    pk_chunking: str | None
    has_spec: bool
    #: The delimiter and the line end of a job of Bulk API 2.0, and why it failed.
    layout: tuple[str, str] | None
    message: str | None

    @property
    def batches_failed(self) -> int:
        """How many of its batches failed as a whole."""
        failed = self.members["numberBatchesFailed"]
        return failed if isinstance(failed, int) else 0

    @property
    def mood(self) -> str:
        """The state whose colour it has: a job whose batches failed is red, whatever its own state is."""
        return "failed" if self.batches_failed else str(self.members["state"]).lower()


@dataclass(frozen=True, slots=True)
class BatchView:
    """One batch, and where its bodies are kept."""

    members: Mapping[str, object]
    is_final: bool
    split: bool
    retries: int
    charset: str
    request: Spooled
    results: Mapping[str, Spooled]

    @property
    def id(self) -> str:
        """The id of the batch."""
        return str(self.members["id"])


@dataclass(frozen=True, slots=True)
class JobsView:
    """The list of jobs, newest first, and what it can be narrowed to."""

    in_progress: Section[JobView]
    finished: Section[JobView]
    #: How many jobs there are, whatever the filters.
    jobs: int
    states: Sequence[str]
    objects: Sequence[str]


@dataclass(frozen=True, slots=True)
class BatchesView:
    """The batches of one job, and why some of them failed as a whole."""

    section: Section[BatchView]
    #: The first batches with failed records.
    failing: Sequence[BatchView]
    failing_total: int
    #: How many batches failed, by cause.
    failed: Mapping[str, int]


def jobs_view(org: Org, filters: Filters, open_page: int = 1, done_page: int = 1) -> JobsView:
    """What the list shows."""
    with org.jobs.lock:
        jobs = org.jobs.all()[::-1]
        fitting = [job for job in jobs if filters.fit(job)]
        running = {job.id for job in fitting if _in_progress(job)}
        in_progress = Section.of([job for job in fitting if job.id in running], open_page, JOBS_SHOWN)
        finished = Section.of([job for job in fitting if job.id not in running], done_page, JOBS_SHOWN)
        present = {_state(job) for job in jobs}
        return JobsView(
            Section(
                [job_view(org, job) for job in in_progress.items],
                in_progress.total,
                in_progress.page,
                in_progress.pages,
            ),
            Section([job_view(org, job) for job in finished.items], finished.total, finished.page, finished.pages),
            len(jobs),
            [state for state in _STATES if state in present],
            sorted({job.sobject.name for job in jobs}),
        )


def job_view(org: Org, job: Job) -> JobView:
    """What the page says about a job."""
    with org.jobs.lock:
        members = job_info(org.jobs.summary(job)) | {"state": _state(job)}
        waiting = sum(state in {BatchState.QUEUED, BatchState.IN_PROGRESS} for state in _states(job))
        total = len(_states(job))
        ended = None if _in_progress(job) else job.modified
        sessions, chunking = org.sessions, job.chunking
        return JobView(
            members=members,
            submitted_by=sessions.username if job.created_by == sessions.user_id else job.created_by,
            ended=ended,
            seconds=max(0, int(((ended or org.clock.now()) - job.created).total_seconds())),
            batches_ended=total - waiting,
            batches_total=total,
            disable_retry=job.request.disable_retry,
            pk_chunking=None if chunking is None else f"{chunking.chunk_size:,} ids a chunk",
            has_spec=job.spec is not None,
            layout=None if job.bulk2 is None else layout_names(job.bulk2),
            message=None if job.bulk2 is None or stage_of(job) != Stage.FAILED else job.bulk2.message,
        )


def batches_view(org: Org, job: Job, causes: Causes, page: int = 1) -> BatchesView:
    """What the page says about a job's batches, in the order in which they came."""
    with org.jobs.lock:
        section = Section.of(list(job.batches.values()), page, BATCHES_SHOWN)
        failing = [batch for batch in job.batches.values() if batch.failed and batch.results]
        failed: dict[str, int] = {}
        for batch in job.batches.values():
            if batch.state == BatchState.FAILED:
                cause = causes.of_batch(batch.message or "")
                failed[cause] = failed.get(cause, 0) + 1
        return BatchesView(
            Section([batch_view(org, batch) for batch in section.items], section.total, section.page, section.pages),
            [batch_view(org, batch) for batch in islice(failing, FAILING_BATCHES_READ)],
            len(failing),
            dict(sorted(failed.items(), key=lambda one: -one[1])),
        )


def batch_view(org: Org, batch: Batch) -> BatchView:
    """What the page says about a batch."""
    with org.jobs.lock:
        return BatchView(
            batch_info(batch.summary()),
            batch.is_final,
            batch.split,
            batch.retries,
            batch.charset,
            batch.request,
            dict(batch.results),
        )


def _state(job: Job) -> str:
    """The state of a job in the words of its API."""
    return spelled(job.state if job.bulk2 is None else stage_of(job))


def _in_progress(job: Job) -> bool:
    """Whether something may still happen: the job takes batches, or has some that have not ended."""
    return job.state == JobState.OPEN or not all(batch.is_final for batch in job.batches.values())


def _states(job: Job) -> list[BatchState]:
    """The states of batches that do work, which the original of a chunked query does not."""
    return [batch.state for batch in job.batches.values() if not batch.split]
