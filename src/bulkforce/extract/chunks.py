"""The batches of a query's job: which there are, and which of them are chunks of the query. Conversations; nothing here sends or waits.

The org splits a query by making more batches in its job; once the original is NotProcessed they are all there. But the list of them may lag behind, and a job
may hold batches that are none of ours: a request that reached the org twice, or somebody else's. So the list is believed when it agrees with the job's
own count of its batches, and a batch is believed to be a chunk when its request shows our query with a range of ids that no other has.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bulkforce.errors import Facts, ProtocolError
from bulkforce.protocol import bulk1, soql
from bulkforce.protocol.flow import Flow, Sleep, ask
from bulkforce.protocol.info import BatchInfo, JobInfo
from bulkforce.protocol.wire import short
from bulkforce.vocabulary import BatchState, ContentType, JobState

_TRIES: Final = 3


@dataclass(frozen=True, slots=True)
class Listed:
    """The batches of a job, by their ids as `short` writes them; and the job's state, where it was looked at."""

    batches: Mapping[str, BatchInfo]
    state: JobState | None = None


def look(
    job_id: str, original: str, known: Collection[str], pauses: Sequence[float], is_whole: Callable[[Mapping[str, BatchInfo]], bool]
) -> Flow[Listed]:
    """List the batches of a job.

    Args:
        job_id: The job.
        original: The batch with the query.
        known: Batches that it must hold: a list without one of them is not believed.
        pauses: Between looks, where the list is not believed at once.
        is_whole: Tells whether a list should be that of all batches that there will ever be. Such a list is believed when it agrees with the job's own
            count; or when it stays the same over all looks and the count at least does not contradict it.

    Raises:
        ProtocolError: The list is not to be believed, however often it is looked at.
    """
    seen: list[Listed] = []
    what = ""
    for pause in (*pauses, None):
        listed = {short(batch.id): batch for batch in (yield from ask(bulk1.get_all_batches(job_id)))}
        missing = next((batch_id for batch_id in known if short(batch_id) not in listed), None)
        if missing is not None:
            what = f"lacks batch {missing}, which the org has accepted"
            seen.clear()
        elif not is_whole(listed):
            stopped = any(batch.state is BatchState.NOT_PROCESSED and name != short(original) for name, batch in listed.items())
            return Listed(listed, (yield from ask(bulk1.get_job_info(job_id))).state if stopped else None)
        else:
            info = yield from ask(bulk1.get_job_info(job_id))
            seen.append(Listed(listed, info.state))
            never_run = sum(batch.state is BatchState.NOT_PROCESSED for batch in listed.values())
            agrees = agree(len(listed) - never_run, never_run, info)
            if agrees or info.state in {JobState.ABORTED, JobState.FAILED}:
                return seen[-1]
            what = f"has {len(listed)} batches where the job counts {info.number_batches_total}"
            if agrees is False:
                seen.clear()
        if pause is not None:
            yield Sleep(pause)
    if len(seen) > len(pauses) and all(one.batches.keys() == seen[0].batches.keys() for one in seen):
        return seen[-1]
    raise ProtocolError(
        f"The org's list of the batches of job {job_id} {what}, however often it is looked at, so it cannot be known whether it is whole. Go on later",
        Facts(job_id=job_id),
    )


def agree(chunks: int, others: int, info: JobInfo) -> bool | None:
    """Whether a list of the batches of a split query agrees with the job's own count of them; ``None`` if that cannot be told.

    Whether the count includes the original is not known. But the original is in no state that is counted.

    Args:
        chunks: Batches in the list that run or ran.
        others: Batches in the list that never run: the original.
        info: The job, looked at after the list.
    """
    total = info.number_batches_total
    if total is None:
        return None
    by_state = (info.number_batches_queued, info.number_batches_in_progress, info.number_batches_completed, info.number_batches_failed)
    counted = None if None in by_state else sum(number or 0 for number in by_state)
    if total > chunks + others or (counted or 0) > chunks:
        return False
    return total == chunks or (total == chunks + others and counted == chunks) or None


def read_range(job_id: str, batch_id: str, query: soql.Query) -> Flow[str | None]:
    """Read which ids a chunk of a query is about; what may have been cut is read again.

    Returns:
        The condition that makes it a chunk; ``None`` if it does not show that it is one.
    """
    for _ in range(_TRIES):
        request = yield from ask(bulk1.get_batch_request(job_id, batch_id, ContentType.CSV))
        ids = query.range_in(request.decode("utf-8", "replace"))
        if ids is not None:
            return ids
    return None
