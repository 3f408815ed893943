"""The jobs of Bulk API 2.0: what can be done with them. They are kept with those of v1, and share their ids."""

from __future__ import annotations

from collections import deque
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from bulkforce_emulator.errors import ApiError
from bulkforce_emulator.state.bulk2.job import Bulk2, Bulk2Summary, Stage, stage_of
from bulkforce_emulator.state.job import Operation
from bulkforce_emulator.state.lifecycle import BatchState, JobState, move_batch, move_job

if TYPE_CHECKING:
    from datetime import datetime

    from bulkforce_emulator.faults import Fault
    from bulkforce_emulator.state.job import Batch, Job, JobRequest
    from bulkforce_emulator.state.org import Org
    from bulkforce_emulator.state.spool import Spooled


class Bulk2Jobs:
    """The 2.0 jobs of one org."""

    def __init__(self, org: Org) -> None:
        self._org = org
        self._texts = org.settings.texts.bulk2
        self._counted: deque[datetime] = deque()
        self._stored: deque[tuple[datetime, int]] = deque()
        self._loaded: deque[tuple[datetime, int]] = deque()

    def create(self, request: JobRequest, bulk2: Bulk2) -> Job:
        """Create an open ingest job.

        Raises:
            ApiError: It is a hard delete, and the user lacks the permission.
        """
        if request.operation == Operation.HARD_DELETE and not self._org.settings.hard_delete_permission:
            raise ApiError.of(self._texts.hard_delete_forbidden)
        return self._org.jobs.create(request, bulk2)

    def create_query(self, request: JobRequest, bulk2: Bulk2, soql: str) -> tuple[Job, Batch]:
        """Create a query job, and its batch, which is to be submitted.

        Raises:
            ApiError: There were too many in the last 24 hours, or too large results.
        """
        jobs, most = self._org.jobs, self._org.limits.daily_query_jobs
        with jobs.lock:
            if self.queries_used() >= most:
                raise ApiError.of(self._texts.query_jobs_used_up, most=most, given=most + 1)
            if self.kilobytes_used() > self._org.limits.daily_result_kilobytes:
                raise ApiError.of(self._texts.query_results_used_up, most=self._org.limits.daily_result_kilobytes)
            self._counted.append(self._org.clock.now())
            job = jobs.create(request, bulk2)
            return job, self._queue(job, soql.encode())

    def queries_used(self) -> int:
        """How many query jobs were created in the last 24 hours."""
        with self._org.jobs.lock:
            horizon = self._org.clock.now() - timedelta(hours=24)
            while self._counted and self._counted[0] < horizon:
                self._counted.popleft()
            return len(self._counted)

    def count_records(self, count: int) -> None:
        """Count the records of a batch against the daily limit.

        Raises:
            ApiError: The limit is reached.
        """
        with self._org.jobs.lock:
            if self._in_a_day(self._loaded) + count > self._org.limits.daily_records:
                raise ApiError.of(self._texts.records_used_up)
            self._loaded.append((self._org.clock.now(), count))

    def _in_a_day(self, counted: deque[tuple[datetime, int]]) -> int:
        """What was counted in the last 24 hours."""
        horizon = self._org.clock.now() - timedelta(hours=24)
        while counted and counted[0][0] < horizon:
            counted.popleft()
        return sum(count for _, count in counted)

    def count_result(self, size: int) -> None:
        """Count the bytes of a result against the daily limit."""
        with self._org.jobs.lock:
            self._stored.append((self._org.clock.now(), size))

    def kilobytes_used(self) -> int:
        """How large the results of query jobs were in the last 24 hours, the last kilobyte counted whole."""
        with self._org.jobs.lock:
            return -(-self._in_a_day(self._stored) // 1000)

    def find(self, job_id: str, *, query: bool) -> Job | None:
        """The 2.0 job with this id, if it is one for queries, or one for data; None if there is none."""
        try:
            job = self._org.jobs.get(job_id)
        except ApiError:
            return None
        return job if job.bulk2 is not None and job.is_query == query else None

    def summary(self, job: Job) -> Bulk2Summary:
        """A snapshot of a job; also of one of v1."""
        with self._org.jobs.lock:
            bulk2 = job.bulk2
            uploaded = bulk2 is not None and (bulk2.uploads > 0 or bool(job.batches))
            message = None if bulk2 is None else bulk2.message
            return Bulk2Summary(self._org.jobs.summary(job), stage_of(job), bulk2, uploaded, message)

    def upload(self, job: Job, body: bytes, late: Fault | None = None) -> None:
        """Keep the file of a job; a late one is accepted now and kept later, if the job is open then.

        Raises:
            ApiError: The job is not open, or the file is too large.
        """
        settings = self._org.settings
        if len(body) > settings.limits.job_bytes:
            raise ApiError.of(self._texts.too_large, status=settings.too_large_status, most=settings.limits.job_bytes)
        stored = self._org.jobs.spool.put(body)
        with self._org.jobs.lock:
            stage, bulk2 = stage_of(job), _part(job)
            if stage != Stage.OPEN:
                raise ApiError.of(self._texts.not_open, state=stage)
            if bulk2.uploads and settings.second_upload == "at once":
                raise ApiError.of(self._texts.uploaded_twice, id=job.id[:15])
            if late is None:
                bulk2.upload = stored
                bulk2.uploads += 1
            else:
                self._org.latecomers.withhold(job, partial(self._keep_late, job, stored), late)

    def _keep_late(self, job: Job, stored: Spooled) -> None:
        with self._org.jobs.lock:
            bulk2 = _part(job)
            if self.find(job.id, query=False) is job and stage_of(job) == Stage.OPEN:
                bulk2.upload = stored
                bulk2.uploads += 1

    def complete_late(self, job: Job, late: Fault) -> None:
        """Accept the end of an upload, which takes effect later, if the job can be completed then.

        Raises:
            ApiError: It cannot be completed now.
        """
        with self._org.jobs.lock:
            self._check_complete(job)
            self._org.latecomers.withhold(job, partial(self._complete_after_all, job), late)

    def _complete_after_all(self, job: Job) -> None:
        if self.find(job.id, query=False) is not job:
            return
        try:
            batch = self.complete(job)
        except ApiError:
            return
        self._org.workers.submit(batch)

    def complete(self, job: Job) -> Batch:
        """Close an open job, and queue its file as one batch, which is to be submitted.

        Raises:
            ApiError: The job is not open, or was spoiled by a second upload.
        """
        with self._org.jobs.lock:
            self._check_complete(job)
            return self._queue(job, None)

    def _check_complete(self, job: Job) -> None:
        stage, bulk2 = stage_of(job), _part(job)
        if stage != Stage.OPEN:
            raise ApiError.of(self._texts.complete_refused, state=_said(stage))
        if bulk2.uploads > 1:
            raise ApiError.of(self._texts.uploaded_twice, id=job.id[:15])
        if not bulk2.uploads and not self._org.settings.complete_without_upload:
            raise ApiError.of(self._texts.nothing_uploaded)

    def _queue(self, job: Job, body: bytes | None) -> Batch:
        jobs, bulk2 = self._org.jobs, _part(job)
        if body is not None or bulk2.upload is None:
            bulk2.upload = jobs.spool.put(body or b"")
        move_job(job, JobState.CLOSED)
        batch = jobs.make_batch(job, bulk2.upload, "utf-8")
        job.batches[batch.id] = batch
        return batch

    def abort(self, job: Job) -> None:
        """Abort a job: what is queued never runs, what runs is finished, and nothing is undone.

        Raises:
            ApiError: The job has ended.
        """
        with self._org.jobs.lock:
            stage = stage_of(job)
            committed = stage != Stage.OPEN and not job.is_query
            if stage.is_final or (committed and not self._org.settings.abort_after_upload):
                raise ApiError.of(self._texts.abort_refused, state=_said(stage))
            move_job(job, JobState.ABORTED)
            drop_queued(job)

    def delete(self, job: Job) -> None:
        """Forget a job and its files.

        Raises:
            ApiError: It has not ended.
        """
        with self._org.jobs.lock:
            stage = stage_of(job)
            if not stage.is_final and (job.is_query or stage != Stage.UPLOAD_COMPLETE):
                raise ApiError.of(self._texts.delete_running)
            drop_queued(job)
            self._org.jobs.remove(job)


def drop_queued(job: Job) -> None:
    """What is queued never runs."""
    for batch in job.batches.values():
        if batch.state == BatchState.QUEUED:
            move_batch(batch, BatchState.NOT_PROCESSED)


def _part(job: Job) -> Bulk2:
    if job.bulk2 is None:
        raise AssertionError(job)
    return job.bulk2


def _said(stage: Stage) -> str:
    """A stage as refusals name it: a complete job is called Completed, all others by their state."""
    return BatchState.COMPLETED if stage == Stage.JOB_COMPLETE else stage
