"""What ingest and query share about jobs of Bulk API v1: close or abort one, and translate it into a run's terms."""

from __future__ import annotations

from typing import Final

from bulkforce.apis.abc import BatchEnd, BatchSeen, JobSeen, JobStanding, QueryFault
from bulkforce.errors import Facts, InvalidRequest, OutcomeUnknown, Unsettled
from bulkforce.protocol import bulk1
from bulkforce.protocol.flow import Flow, Sleep, ask
from bulkforce.protocol.info import BatchInfo, JobInfo
from bulkforce.vocabulary import JobState

_CLOSE_TRIES: Final = 5
_STANDINGS: Final = {JobState.OPEN: JobStanding.OPEN, JobState.CLOSED: JobStanding.CLOSED}


def close_for_good(job_id: str) -> Flow[JobInfo]:
    """Close a job and check that it is closed; a job that ended in another way is just as good.

    Raises:
        Unsettled: It is still open after several attempts.
    """
    for attempt in range(_CLOSE_TRIES):
        try:
            info = yield from ask(bulk1.set_state(job_id, JobState.CLOSED))
        except (OutcomeUnknown, InvalidRequest):
            # The answer was lost, or the job is already closed or aborted: find out which.
            info = yield from ask(bulk1.get_job_info(job_id))
        if info.state is not JobState.OPEN:
            return info
        yield Sleep(float(attempt), jittered=True)
    raise stays_open(job_id)


def stays_open(job_id: str) -> Unsettled:
    """Return the error for a job that could not be closed."""
    return Unsettled(f"Job {job_id} could not be closed, so a late batch could still land in it", Facts(job_id=job_id))


def abort(job_id: str) -> Flow[None]:
    """Abort a job, whatever state it is in; what it still does no longer matters."""
    try:
        yield from ask(bulk1.set_state(job_id, JobState.ABORTED))
    except (OutcomeUnknown, InvalidRequest):
        info = yield from ask(bulk1.get_job_info(job_id))
        if info.state is JobState.OPEN:
            yield from close_for_good(job_id)


def job_seen(info: JobInfo) -> JobSeen:
    """Translate a job into a run's terms."""
    created = info.created_date.timestamp() if info.created_date else None
    return JobSeen(info.id, _STANDINGS.get(info.state, JobStanding.ABORTED), created)


def batch_seen(info: BatchInfo, fault: QueryFault | None = None) -> BatchSeen:
    """Translate a batch into a run's terms."""
    end = BatchEnd(info.state) if info.state.is_final else None
    return BatchSeen(info.id, end, info.state_message, info.number_records_processed, info.number_records_failed, fault)
