"""Conversations that take several exchanges: waiting for a batch, merging result files."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias
from xml.etree.ElementTree import Element

from bulkforce import arguments
from bulkforce.errors import Facts, FormatError, JobNotDone, NotFound, OutcomeUnknown, ProtocolError
from bulkforce.formats import csv
from bulkforce.formats.content import Content, seal
from bulkforce.protocol import bulk1, wire_json, wire_xml
from bulkforce.protocol.bulk1 import JobRef, ResultIds
from bulkforce.protocol.exchange import Answer, Exchange
from bulkforce.protocol.flow import Elapsed, Flow, Sleep, ask, seconds
from bulkforce.protocol.info import BatchInfo, JobInfo
from bulkforce.protocol.wire_csv import NO_RECORDS
from bulkforce.vocabulary import BatchState, ContentType, JobState

QueryRecords: TypeAlias = str | list[dict[str, object]] | Element
BatchResult: TypeAlias = Any
"""``list[Result]`` or `QueryRecords`.

The caller made the job and knows which; a union would make every caller prove it to the type checker.
"""


_NOTHING_FOUND: Final[Mapping[ContentType, Callable[[], QueryRecords]]] = {
    ContentType.CSV: str,
    ContentType.JSON: list,
    ContentType.XML: lambda: Element("queryResult"),
}


@dataclass(frozen=True, slots=True)
class Pace:
    """How often to poll.

    Each poll counts as an API call of the org, so the pauses grow during a long wait.

    Attributes:
        first_seconds: Pause before the second poll.
        growth: Factor from one pause to the next.
        longest_seconds: Longest pause.
    """

    first_seconds: float = 0.2
    growth: float = 1.5
    longest_seconds: float = 10.0

    def __post_init__(self) -> None:
        # Without a pause, polling would use up the org's daily API calls in minutes.
        arguments.seconds(self.first_seconds, "first_seconds of a Pace", arguments.SHORTEST_SECONDS)
        arguments.seconds(self.longest_seconds, "longest_seconds of a Pace", arguments.SHORTEST_SECONDS)
        arguments.number(self.growth, "growth of a Pace", 1, 1_000)

    def pauses(self) -> Iterator[float]:
        """Yield the pauses, without end."""
        pause = self.first_seconds
        while True:
            yield min(pause, self.longest_seconds)
            pause = min(pause * self.growth, self.longest_seconds)


def add_batch(job: JobRef, content: Content) -> Flow[BatchInfo]:
    """Seal content and add it to the job; given only a job id, look up the job's content type first."""
    info = job if isinstance(job, JobInfo) else (yield from ask(bulk1.get_job_info(job)))
    sealed = seal(content, info.content_type, info.operation)
    return (yield from ask(bulk1.add_batch(info, info.content_type, sealed.body)))


def wait_for_batch(job: JobRef, batch_id: str, timeout_seconds: float, pace: Pace | None) -> Flow[BatchInfo]:
    """Poll a batch until its state is final and, if PK chunking has split it, until its chunks are final, too."""
    deadline = (yield from seconds(Elapsed())) + arguments.number(timeout_seconds, "timeout_seconds", 0, math.inf)
    pauses = pauses_of(pace)
    while True:
        info = yield from ask(bulk1.get_batch_info(job, batch_id))
        what = f"Batch {batch_id} is still {info.state}"
        if info.state is BatchState.NOT_PROCESSED:
            info = replace(info, chunks=(yield from _chunks(job)))
            waiting = [chunk for chunk in info.chunks or () if not chunk.state.is_final]
            if not waiting:
                return info
            what = f"{len(waiting)} of {len(info.chunks or ())} chunks of batch {batch_id} are not done"
        elif info.state.is_final:
            return info
        facts = Facts(job_id=bulk1.job_id(job), batch_id=batch_id)
        yield from pause_before(next(pauses), deadline, what, facts, timeout_seconds)


def pauses_of(pace: Pace | None) -> Iterator[float]:
    """Yield the pauses of a pace, or of the usual one."""
    return (Pace() if pace is None else arguments.instance(pace, Pace, "pace")).pauses()


def _chunks(job: JobRef) -> Flow[tuple[BatchInfo, ...] | None]:
    """List the chunks of a job's queries; ``None`` if nothing was split because the job was aborted."""
    listed = yield from ask(bulk1.get_all_batches(job))
    # After the list: if the job is still not aborted, only the original of a split query can be NotProcessed.
    info = yield from ask(bulk1.get_job_info(job))
    if not info.operation.is_query or info.state not in {JobState.OPEN, JobState.CLOSED}:
        return None
    return tuple(batch for batch in listed if batch.state is not BatchState.NOT_PROCESSED)


def wait_for_job(job: JobRef, timeout_seconds: float, pace: Pace | None) -> Flow[JobInfo]:
    """Poll a job's batches until all states are final, then get the job.

    This also works with PK chunking: the original batch becomes NotProcessed only once all chunk batches exist, so a
    list in which all states are final is complete.
    """
    deadline = (yield from seconds(Elapsed())) + arguments.number(timeout_seconds, "timeout_seconds", 0, math.inf)
    pauses = pauses_of(pace)
    while True:
        batches = yield from ask(bulk1.get_all_batches(job))
        waiting = [batch for batch in batches if not batch.state.is_final]
        if not waiting:
            return (yield from ask(bulk1.get_job_info(job)))
        what = f"{len(waiting)} of {len(batches)} batches of job {bulk1.job_id(job)} are not done"
        yield from pause_before(next(pauses), deadline, what, Facts(job_id=bulk1.job_id(job)), timeout_seconds)


def pause_before(pause: float, deadline: float, what: str, facts: Facts, timeout_seconds: float) -> Flow[None]:
    """Wait before the next look.

    Raises:
        JobNotDone: The time is up.
    """
    left = deadline - (yield from seconds(Elapsed()))
    if left <= 0:
        raise JobNotDone(
            f"{what} after {timeout_seconds:g} s; the org continues with it: wait again or check later", facts
        )
    yield Sleep(min(pause, left))


def delete(deleting: Exchange[None]) -> Flow[None]:
    """Delete a job; if the answer is lost, do it again: a job that is not found then is gone."""
    try:
        yield from ask(deleting)
    except OutcomeUnknown:
        try:
            yield from ask(deleting)
        except NotFound:
            return


def get_query_result_ids(job: JobRef, batch_id: str) -> Flow[list[str]]:
    """List the result files of a query batch."""
    found = yield from ask(bulk1.get_batch_result(job, batch_id))
    if isinstance(found, ResultIds):
        return list(found.ids)
    if not found:
        return []
    raise ProtocolError(
        "This batch has record results, not result files: it is not a query batch",
        Facts(job_id=bulk1.job_id(job), batch_id=batch_id),
    )


def get_batch_result(job: JobRef, batch_id: str) -> Flow[BatchResult]:
    """Fetch the results of a batch: one result per record, or all result files of a query, merged in order."""
    found = yield from ask(bulk1.get_batch_result(job, batch_id))
    if not isinstance(found, ResultIds):
        return found
    answers: list[Answer] = []
    for result_id in found.ids:
        answer = yield from ask(bulk1.get_whole_query_result(job, batch_id, result_id))
        answers.append(answer)
    if answers:
        return merge(answers)
    info = job if isinstance(job, JobInfo) else (yield from ask(bulk1.get_job_info(job)))
    return _NOTHING_FOUND[info.content_type]()


def merge(answers: Sequence[Answer]) -> QueryRecords:
    """Merge the result files of a query, in order.

    Raises:
        ProtocolError: A file does not match the others.
    """
    media = answers[0].media_type
    if media == "text/csv":
        return merge_csv(answers)
    if answers[0].body.lstrip()[:1] == b"[":
        return [record for answer in answers for record in _records(answer)]
    root = wire_xml.root_of(answers[0], "queryResult")
    for answer in answers[1:]:
        root.extend(wire_xml.root_of(answer, "queryResult"))
    return root


def merge_csv(answers: Sequence[Answer]) -> str:
    """Merge CSV result files under one header; a file without records has no header."""
    filled = [answer for answer in answers if answer.body.strip() != NO_RECORDS]
    merged: list[bytes] = []
    names: tuple[str, ...] = ()
    for answer in filled:
        head = _header(answer)
        if not merged:
            merged.append(answer.body)
            names = head.names
        elif head.names == names:
            merged.append(answer.body[head.end :])
        else:
            raise ProtocolError("The result files of one query have different headers", answer.facts())
        if not merged[-1].endswith(b"\n"):
            merged[-1] += b"\n"
    try:
        return b"".join(merged).decode()
    except UnicodeDecodeError as error:
        place = error.start
    # Outside the handler: inside, Python would chain the decoding error, which holds all records.
    raise ProtocolError(f"A result file is not UTF-8 (byte {place} of the merged files)", filled[0].facts())


def _header(answer: Answer) -> csv.Header:
    try:
        return csv.header(answer.body)
    except FormatError:
        pass
    # Without the cause: if the header is missing, the cause quotes a record.
    raise ProtocolError("A result file does not begin with a readable CSV header", answer.facts())


def _records(answer: Answer) -> list[dict[str, object]]:
    value = wire_json.records_of(answer)
    if not isinstance(value, list) or not all(isinstance(record, dict) for record in value):
        raise ProtocolError("A result file is not an array of records", answer.facts())
    return value
