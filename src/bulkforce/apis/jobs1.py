"""Jobs of Bulk API v1, as both of its conversations have them: closed for good, given up, and told in a run's words."""

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
    """Close a job and see that it is closed; one that has ended in another way is as good.

    Raises:
        Unsettled: It is still open after several tries.
    """
    for attempt in range(_CLOSE_TRIES):
        try:
            info = yield from ask(bulk1.set_state(job_id, JobState.CLOSED))
        except (OutcomeUnknown, InvalidRequest):
            # Lost, or refused because it is closed or aborted already: looking tells.
            info = yield from ask(bulk1.get_job_info(job_id))
        if info.state is not JobState.OPEN:
            return info
        yield Sleep(float(attempt), jittered=True)
    raise stays_open(job_id)


def stays_open(job_id: str) -> Unsettled:
    """Say that a job could not be closed."""
    return Unsettled(
        f"Job {job_id} could not be closed, so that a late batch could still land in it", Facts(job_id=job_id)
    )


def abort(job_id: str) -> Flow[None]:
    """Abort a job, whatever state it is in; what it still does is no matter."""
    try:
        yield from ask(bulk1.set_state(job_id, JobState.ABORTED))
    except (OutcomeUnknown, InvalidRequest):
        info = yield from ask(bulk1.get_job_info(job_id))
        if info.state is JobState.OPEN:
            yield from close_for_good(job_id)


def job_seen(info: JobInfo) -> JobSeen:
    """Tell a job in a run's words."""
    created = info.created_date.timestamp() if info.created_date else None
    return JobSeen(info.id, _STANDINGS.get(info.state, JobStanding.ABORTED), created)


def batch_seen(info: BatchInfo, fault: QueryFault | None = None) -> BatchSeen:
    """Tell a batch in a run's words."""
    end = BatchEnd(info.state) if info.state.is_final else None
    return BatchSeen(info.id, end, info.state_message, info.number_records_processed, info.number_records_failed, fault)
