"""The org's jobs: what it keeps of them and what can be done with them. No HTTP, no records."""

from __future__ import annotations

import threading
from collections import deque
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from bulkforce_emulator.errors import ApiError
from bulkforce_emulator.settings import HOUR_SECONDS
from bulkforce_emulator.state.job import Batch, Job, Operation
from bulkforce_emulator.state.lifecycle import BatchState, JobState, move_batch, move_job
from bulkforce_emulator.state.spool import Spool, Spooled
from bulkforce_emulator.uploads import Format

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bulkforce_emulator.faults import Fault
    from bulkforce_emulator.ids import IdSource
    from bulkforce_emulator.settings import Settings
    from bulkforce_emulator.state.bulk2.job import Bulk2
    from bulkforce_emulator.state.clock import Clock
    from bulkforce_emulator.state.job import BatchSummary, JobRequest, JobSummary


class Jobs:
    """The org's jobs. One lock guards all reads and changes."""

    def __init__(self, clock: Clock, ids: IdSource, settings: Settings, user_id: str) -> None:
        self.lock = threading.RLock()
        self.spool = Spool()
        self._clock = clock
        self._ids = ids
        self._settings = settings
        self._texts = settings.texts.calls
        self._user_id = user_id
        self._jobs: dict[str, Job] = {}
        self._counted: deque[datetime] = deque()

    def now(self) -> datetime:
        """The org's time in whole seconds, as jobs and batches carry it."""
        return self._clock.now().replace(microsecond=0)

    def create(self, request: JobRequest, bulk2: Bulk2 | None = None) -> Job:
        """Create an open job; `bulk2` makes it one of Bulk API 2.0.

        Raises:
            ApiError: It is a hard delete, and the user lacks the permission.
        """
        if request.operation == Operation.HARD_DELETE and not self._settings.hard_delete_permission:
            raise ApiError.of(self._texts.hard_delete_forbidden)
        now = self.now()
        job = Job(self._ids.one("750"), request, self._user_id, now, now, bulk2=bulk2)
        with self.lock:
            self._jobs[job.id] = job
        return job

    def get(self, job_id: str) -> Job:
        """The job with this id, of 15 or 18 characters. Jobs are dropped after seven days.

        Raises:
            ApiError: There is none.
        """
        with self.lock:
            job = self._jobs.get(job_id) or next(
                (job for job in self._jobs.values() if len(job_id) == 15 and job.id.startswith(job_id)), None
            )
            if job is None or self._is_past(job):
                raise ApiError.of(self._texts.job_unknown, id=job_id)
            return job

    def remove(self, job: Job) -> None:
        """Forget a job."""
        with self.lock:
            self._jobs.pop(job.id, None)

    def all(self) -> list[Job]:
        """All jobs that have not been dropped, oldest first."""
        with self.lock:
            return [job for job in self._jobs.values() if not self._is_past(job)]

    def _is_past(self, job: Job) -> bool:
        age = self._clock.now() - job.created
        if job.bulk2 is not None and job.state == JobState.OPEN:
            return age > timedelta(seconds=self._settings.limits.job_open_seconds)
        youngest = max([batch.created for batch in job.batches.values()], default=job.created)
        return self._clock.now() - youngest > timedelta(seconds=self._settings.limits.retention_seconds)

    def summary(self, job: Job, lag: Fault | None = None) -> JobSummary:
        """A snapshot of a job; a lag leaves out batches that the caller cannot see yet."""
        with self.lock:
            return job.summary(self._seen(job, lag), count_split=self._settings.count_chunked_original)

    def batch_summaries(self, job: Job, lag: Fault | None = None) -> list[BatchSummary]:
        """A snapshot of each batch of a job, oldest first; a lag leaves out the newest."""
        with self.lock:
            return [batch.summary() for batch in self._seen(job, lag)]

    def _seen(self, job: Job, lag: Fault | None) -> list[Batch]:
        """The batches of a job that the caller can see."""
        batches = list(job.batches.values())
        if lag is None:
            return batches
        if lag.seconds:
            horizon = self._clock.now() - timedelta(seconds=lag.seconds)
            return [batch for batch in batches if batch.created <= horizon]
        return batches[: max(0, len(batches) - lag.newest)]

    def close(self, job: Job) -> None:
        """Close an open job, so that it takes no more batches.

        Raises:
            ApiError: The job is not open.
        """
        with self.lock:
            if job.state != JobState.OPEN:
                raise ApiError.of(self._texts.close_refused, state=job.state)
            move_job(job, JobState.CLOSED)
            job.modified = self.now()

    def abort(self, job: Job) -> None:
        """Abort a job: queued batches never run, running ones finish.

        Raises:
            ApiError: The job cannot be aborted, or not any more.
        """
        with self.lock:
            done = job.state == JobState.CLOSED and all(batch.is_final for batch in job.batches.values())
            if job.state in {JobState.ABORTED, JobState.FAILED} or (done and not self._settings.abort_when_done):
                raise ApiError.of(self._texts.abort_refused, state=BatchState.COMPLETED if done else job.state)
            move_job(job, JobState.ABORTED)
            job.modified = self.now()
            for batch in job.batches.values():
                if batch.state == BatchState.QUEUED:
                    move_batch(batch, BatchState.NOT_PROCESSED)
                    batch.modified = job.modified

    def add_batch(self, job: Job, body: bytes, *, charset: str = "utf-8", late: bool = False) -> Batch:
        """Accept a batch without reading it. A late one is accepted now and entered later.

        Raises:
            ApiError: The job is not open or too old, or the batch is empty, too large or one too many.
        """
        limits = self._settings.limits
        with self.lock:
            self.count_batch()
            if job.state != JobState.OPEN:
                raise ApiError.of(self._texts.job_not_open, state=job.state)
            if self._clock.now() - job.created > timedelta(seconds=limits.job_open_seconds):
                raise ApiError.of(self._texts.job_too_old, hours=limits.job_open_seconds // HOUR_SECONDS)
        if not body:
            raise ApiError.of(self._texts.batch_empty)
        if len(body) > limits.batch_bytes:
            raise ApiError.of(self._texts.batch_too_large, most=limits.batch_bytes)
        request = self.spool.put(body)
        with self.lock:
            # The job may have been closed while the body was being stored.
            if job.state != JobState.OPEN:
                raise ApiError.of(self._texts.job_not_open, state=job.state)
            batch = self.make_batch(job, request, charset)
            if not late:
                self.enter(batch)
            return batch

    def make_batch(self, job: Job, request: Spooled, charset: str) -> Batch:
        """A new batch of a job, not yet entered in it. `request` is its body, already stored."""
        return Batch(self._ids.one("751"), job, self._clock.now(), self.now(), request, charset)

    def enter(self, batch: Batch) -> None:
        """Add a batch to its job. In an aborted job it is not queued."""
        with self.lock:
            job = batch.job
            job.batches[batch.id] = batch
            job.modified = self.now()
            if job.state == JobState.ABORTED:
                move_batch(batch, BatchState.NOT_PROCESSED)

    def batches_left(self) -> int:
        """How many more batches can be posted within 24 hours."""
        with self.lock:
            self._forget_counted()
            return max(0, self._settings.limits.daily_batches - len(self._counted))

    def count_batch(self) -> None:
        """Count a batch against the daily limit; refused ones count too.

        Raises:
            ApiError: The limit is reached.
        """
        if self.batches_left() == 0:
            raise ApiError.of(self._texts.quota_exceeded)
        self._counted.append(self._clock.now())

    def _forget_counted(self) -> None:
        horizon = self._clock.now() - timedelta(hours=24)
        while self._counted and self._counted[0] < horizon:
            self._counted.popleft()

    def batch(self, job: Job, batch_id: str) -> Batch:
        """The batch with this id, of 15 or 18 characters.

        Raises:
            ApiError: The job has no such batch.
        """
        with self.lock:
            batch = job.batches.get(batch_id) or next(
                (one for one in job.batches.values() if len(batch_id) == 15 and one.id.startswith(batch_id)), None
            )
        if batch is None:
            raise ApiError.of(self._texts.batch_unknown, id=batch_id)
        return batch

    def set_spec(self, job: Job, spec: bytes) -> None:
        """Keep a transformation spec, which maps the columns of the job's batches to fields.

        Raises:
            ApiError: This kind of job has none, or the spec is too large.
        """
        if job.format != Format.CSV or job.is_query:
            raise ApiError.of(self._texts.spec_unwanted)
        most = self._settings.limits.spec_characters
        if len(spec.decode("utf-8", "replace")) >= most:
            raise ApiError.of(self._texts.spec_too_large, most=most - 1)
        with self.lock:
            job.spec = spec

    def results(self, batch: Batch) -> Mapping[str, Spooled]:
        """The results of a batch, by id.

        Raises:
            ApiError: It has none, or none yet.
        """
        with self.lock:
            if batch.state in {BatchState.QUEUED, BatchState.IN_PROGRESS}:
                raise ApiError.of(self._texts.results_too_early)
            if not batch.results:
                never = batch.state == BatchState.NOT_PROCESSED
                raise ApiError.of(self._texts.never_processed if never else self._texts.nothing_processed)
            return dict(batch.results)
