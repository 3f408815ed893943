"""Find out what a job of ours really holds: fence, look, then adopt; never guess.

A job with doubtful batches is closed first: the org takes no more batches, so a late twin cannot land any more. Then its batches are listed until two
looks in a row, some seconds apart, agree with each other and with the job's own count: a request may have passed the org's check just before the close,
and a list may lag behind. Those that nobody knows are read back and compared with what was sent: by digest, and if that fails by the records they hold,
since it is not proven that the org gives back the very bytes. Equal batches are counted, not merged: two equal batches in doubt need two in the org.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bulkforce.conversations import close_for_good, stays_open
from bulkforce.errors import Facts, FormatError, ProtocolError, Unsettled
from bulkforce.protocol import bulk1
from bulkforce.protocol.flow import Flow, Sleep, ask
from bulkforce.protocol.info import JobInfo
from bulkforce.protocol.wire import short
from bulkforce.protocol.wire_csv import rows
from bulkforce.vocabulary import ContentType, JobState

_GROWTH: Final = 1.5


@dataclass(frozen=True, slots=True)
class Sent:
    """What was sent in one batch: the digest of its bytes, and how to make them again."""

    sha256: str
    content: Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class Looks:
    """How often a closed job is looked at before its list is believed; see `Patience.fence_seconds`."""

    seconds: float
    most: int


@dataclass(frozen=True, slots=True)
class Found:
    """What a closed job holds besides what was known: batches in doubt (number -> id), and those of strangers."""

    adopted: Mapping[int, str]
    strangers: tuple[str, ...]


def settle(job_id: str, known: Collection[str], doubtful: Mapping[int, Sent], looks: Looks) -> Flow[Found]:
    """Close a job and find out which doubtful batches it holds.

    Args:
        job_id: The job.
        known: Ids of the batches that are known to be ours.
        doubtful: What was sent, by the number of the batch.
        looks: When to believe the list.

    Returns:
        What it holds; a doubtful batch that is not adopted it does not hold, and never will.

    Raises:
        Unsettled: It cannot be closed, or its list does not come to rest.
    """
    yield from close_for_good(job_id)
    listed = yield from _list_at_rest(job_id, looks, closed=True)
    known = frozenset(map(short, known))
    left = dict(doubtful)
    adopted: dict[int, str] = {}
    strangers: list[str] = []
    for batch_id in (batch_id for batch_id in listed if short(batch_id) not in known):
        number = _match((yield from ask(bulk1.get_batch_request(job_id, batch_id, ContentType.CSV))), left)
        if number is None:
            strangers.append(batch_id)
        else:
            adopted[number] = batch_id
            del left[number]
    return Found(adopted, tuple(strangers))


def audit(job_id: str, known: Collection[str], looks: Looks, *, doubts: bool, ours_to_close: bool, closed: bool = False) -> Flow[JobInfo]:
    """See that a job holds just the batches that are known.

    Args:
        job_id: The job.
        known: Ids of the batches that it is known to hold.
        looks: When to believe a list that does not agree.
        doubts: Whether batches are in doubt; which it holds is then for `settle` to find out.
        ours_to_close: Whether only we could have closed it, and have not.
        closed: Whether it was closed, so that it must not be open.

    Raises:
        Unsettled: It was closed, and not by us; or holds a batch that is not known; or its list does not come to rest.
    """
    info = yield from ask(bulk1.get_job_info(job_id))
    if ours_to_close and info.state is JobState.CLOSED:
        raise Unsettled(
            f"Job {job_id} was closed while this run was stopped, and not by it. If a copy of the run's folder was gone on with, the rest has gone "
            "in already; nothing more is sent",
            Facts(job_id=job_id),
            why="closed",
        )
    if doubts:
        return info
    if closed and info.state is JobState.OPEN:
        yield from close_for_good(job_id)
        info = yield from ask(bulk1.get_job_info(job_id))
        if info.state is JobState.OPEN:
            raise stays_open(job_id)
    known = frozenset(map(short, known))
    listed = yield from _list(job_id)
    _check_strangers(job_id, listed, known)
    if len(listed) == len(known) and info.number_batches_total in {None, len(listed)}:
        return info
    listed = yield from _list_at_rest(job_id, looks, closed=closed)
    _check_strangers(job_id, listed, known)
    if missing := known - set(map(short, listed)):
        raise ProtocolError(
            f"The org's list lacks batch {min(missing)}, which it has accepted", Facts(job_id=job_id, batch_id=min(missing))
        )
    return (yield from ask(bulk1.get_job_info(job_id)))


def _check_strangers(job_id: str, listed: Iterable[str], known: Collection[str]) -> None:
    if strangers := [batch_id for batch_id in listed if short(batch_id) not in known]:
        raise strangers_in(job_id, strangers)


def strangers_in(job_id: str, ids: Collection[str]) -> Unsettled:
    """Make the error for a job with batches that are none of ours."""
    batches = f"batch {next(iter(ids))}" if len(ids) == 1 else f"batches {', '.join(sorted(ids)[:5])}"
    return Unsettled(
        f"Job {job_id} holds {batches}, which this run did not send: somebody else added it, the same request reached the org twice, or a copy of the "
        "run's folder was gone on with; nothing more is sent. Compare it with the run's rows: its rows may be in the org twice",
        Facts(job_id=job_id, batch_id=min(ids)),
        why="strangers",
        strangers=ids,
    )


def _list(job_id: str) -> Flow[list[str]]:
    return [batch.id for batch in (yield from ask(bulk1.get_all_batches(job_id)))]


def _list_at_rest(job_id: str, looks: Looks, *, closed: bool) -> Flow[list[str]]:
    """List the batches of a job until two looks in a row agree with each other, and with the job's own count; one that is closed must say so."""
    before: set[str] | None = None
    pause = looks.seconds
    info: JobInfo
    for look in range(looks.most):
        if look:
            yield Sleep(pause)
            pause *= _GROWTH
        listed = sorted((yield from _list(job_id)))
        info = yield from ask(bulk1.get_job_info(job_id))
        agrees = info.number_batches_total in {None, len(listed)} and not (closed and info.state is JobState.OPEN)
        now = set(map(short, listed))
        if agrees and now == before:
            return listed
        before = now if agrees else None
    if closed and info.state is JobState.OPEN:
        raise stays_open(job_id)
    raise Unsettled(
        f"What job {job_id} holds does not come to rest: after {looks.most} looks its list and its count of batches still differ, or change; nothing "
        "more is sent. Go on with the run later",
        Facts(job_id=job_id),
    )


def _match(content: bytes, left: Mapping[int, Sent]) -> int | None:
    digest = hashlib.sha256(content).hexdigest()
    for number, sent in left.items():
        if digest == sent.sha256:
            return number
    records = _records(content)
    for number, sent in left.items():
        if records is not None and records == _records(sent.content()):
            return number
    return None


def _records(content: bytes) -> Sequence[Sequence[str]] | None:
    """Read the records, line ends inside values as LF: how the org gives them back."""
    try:
        text = content.decode().replace("\r\n", "\n").replace("\r", "\n")
        return list(rows(text))
    except (UnicodeDecodeError, FormatError):
        return None
