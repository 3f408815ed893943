"""Settle what became of batches whose answers were lost: fence, look, then adopt; never guess.

The job is closed first: the org takes no more batches, so a late twin cannot land any more. Then its batches are listed, and those that nobody knows
are read back and compared with what was sent: by digest, and if that fails by the records they hold, since it is not proven that the org gives
back the very bytes. Equal batches are counted, not merged: two equal batches in doubt need two in the org.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence

from bulkforce.errors import Facts, FormatError, InvalidRequest, OutcomeUnknown, Unsettled
from bulkforce.protocol import bulk1
from bulkforce.protocol.flow import Flow, Sleep, ask
from bulkforce.protocol.info import JobInfo
from bulkforce.protocol.wire_csv import rows
from bulkforce.vocabulary import ContentType, JobState

_CLOSE_TRIES = 5


def close_for_good(job_id: str) -> Flow[JobInfo]:
    """Close a job and see that it is closed; one that has ended in another way is as good.

    Raises:
        Unsettled: It is still open after several tries.
    """
    for attempt in range(_CLOSE_TRIES):
        try:
            return (yield from ask(bulk1.set_state(job_id, JobState.CLOSED)))
        except (OutcomeUnknown, InvalidRequest):
            # Lost, or refused because it is closed or aborted already: looking tells.
            info = yield from ask(bulk1.get_job_info(job_id))
            if info.state is not JobState.OPEN:
                return info
        yield Sleep(float(attempt), jittered=True)
    raise Unsettled(f"Job {job_id} could not be closed, so that a late batch could still land in it", Facts(job_id=job_id))


def settle(job_id: str, known: Iterable[str], doubtful: Mapping[int, str], content_of: Callable[[int], bytes]) -> Flow[dict[int, str]]:
    """Find out which doubtful batches a job holds.

    Args:
        job_id: The job; it is closed for good.
        known: Ids of the batches that are known to be ours.
        doubtful: Number of a batch -> SHA-256 of what was sent.
        content_of: Gives the bytes that were sent, by the number of the batch.

    Returns:
        Number of the batch -> its id in the org, for those that it holds; the others it does not hold and never will.

    Raises:
        Unsettled: The job holds a batch that is none of the doubtful ones.
    """
    yield from close_for_good(job_id)
    listed = yield from ask(bulk1.get_all_batches(job_id))
    strangers = [batch.id for batch in listed if batch.id not in set(known)]
    left = dict(doubtful)
    adopted: dict[int, str] = {}
    for batch_id in strangers:
        content = yield from ask(bulk1.get_batch_request(job_id, batch_id, ContentType.CSV))
        number = _match(content, left, content_of)
        if number is None:
            raise Unsettled(
                f"Batch {batch_id} of job {job_id} is none that was in doubt ({len(left)} of {len(doubtful)} left): somebody else added it, or the "
                "same request reached the org twice; nothing more is sent, compare it with the run's batches",
                Facts(job_id=job_id, batch_id=batch_id),
            )
        adopted[number] = batch_id
        del left[number]
    return adopted


def _match(content: bytes, left: Mapping[int, str], content_of: Callable[[int], bytes]) -> int | None:
    digest = hashlib.sha256(content).hexdigest()
    for number, sha256 in left.items():
        if digest == sha256:
            return number
    records = _records(content)
    for number in left:
        if records is not None and records == _records(content_of(number)):
            return number
    return None


def _records(content: bytes) -> Sequence[Sequence[str]] | None:
    """Read the records, line ends inside values as LF: how the org gives them back."""
    try:
        text = content.decode().replace("\r\n", "\n").replace("\r", "\n")
        return list(rows(text))
    except (UnicodeDecodeError, FormatError):
        return None
