"""A staged load over Bulk API 2.0, as dry conversations: pieces that count for nothing, and one commit of them all.

A piece is a job with its upload. The org writes nothing of it before ``UploadComplete``, so everything up to there may
be thrown away, and that call is the one point of decision. What to do after a lost answer is in the recovery table of
``docs/how-to/write-from-many-processes.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Final

import orjson

from bulkforce import arguments
from bulkforce.conversations import delete
from bulkforce.errors import (
    Error,
    Facts,
    InvalidRequest,
    JobAborted,
    NotFound,
    OutcomeUnknown,
    Unsettled,
    UsageError,
)
from bulkforce.protocol import bulk2, settings2
from bulkforce.protocol.exchange import Body, Exchange
from bulkforce.protocol.flow import Flow, Now, Sleep, ask, policy, seconds
from bulkforce.protocol.info2 import IngestJobInfo
from bulkforce.protocol.settings2 import IngestSettings
from bulkforce.protocol.wire import same_id, same_name, short
from bulkforce.vocabulary import Job2State

_FORM: Final = 1
_SLACK_SECONDS: Final = 300.0
"""How far apart the org's clock and ours may be."""
_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class StageState:
    """What another process must know to go on: settings, when it began, and the jobs of its pieces."""

    settings: IngestSettings
    begun: float
    jobs: tuple[str, ...] = ()

    def with_jobs(self, ids: Collection[str]) -> StageState:
        """Add pieces; one that is there already, with 15 or 18 characters, counts once."""
        known = {short(one): one for one in self.jobs}
        for one in ids:
            known.setdefault(short(one), one)
        return replace(self, jobs=tuple(known.values()))

    def to_json(self) -> str:
        """Write it as JSON."""
        named = {
            "stage": _FORM,
            "object": self.settings.object,
            "operation": self.settings.operation,
            "external_id": self.settings.external_id_field,
            "column_delimiter": self.settings.column_delimiter,
            "line_ending": self.settings.line_ending,
            "assignment_rule_id": self.settings.assignment_rule_id,
            "begun": self.begun,
            "jobs": self.jobs,
        }
        return orjson.dumps(named).decode()


def state_of(text: str) -> StageState:
    """Read what `StageState.to_json` wrote.

    Raises:
        UsageError: It is something else, or a later version of bulkforce wrote it.
    """
    try:
        members = orjson.loads(arguments.text(text, "The state of a stage"))
    except orjson.JSONDecodeError:
        members = None
    if not isinstance(members, Mapping) or members.get("stage") != _FORM:
        raise UsageError("This is not the state of a stage that this version of bulkforce can read")
    jobs, begun = members.get("jobs"), members.get("begun")
    if not isinstance(jobs, list) or not isinstance(begun, (int, float)):
        raise UsageError("The state of the stage lacks its jobs, or the time when it began")
    settings = settings2.settings(
        arguments.text(members.get("operation"), "operation"),
        arguments.text(members.get("object"), "object"),
        external_id_field=members.get("external_id"),
        column_delimiter=arguments.text(members.get("column_delimiter"), "column_delimiter"),
        line_ending=arguments.text(members.get("line_ending"), "line_ending"),
        assignment_rule_id=members.get("assignment_rule_id"),
    )
    return StageState(settings, float(begun)).with_jobs(tuple(arguments.text(one, "A job's id") for one in jobs))


def begin(settings: IngestSettings) -> Flow[StageState]:
    """Begin a stage; nothing is sent."""
    return StageState(settings, (yield from seconds(Now())))


def write(settings: IngestSettings, body: Body) -> Flow[str]:
    """Upload a piece with a job of its own, and return the job's id.

    An upload in doubt is never repeated on the same job, which would spoil it: the job is aborted, and the piece goes
    into a new one. What is left behind is open and never completed, so it counts for nothing.
    """
    stubborn = yield from policy()
    for attempt in count(1):
        job: IngestJobInfo | None = None
        try:
            job = yield from ask(bulk2.create_ingest_job(settings))
            yield from ask(bulk2.upload(job, body))
        except Error as fault:
            if job is not None:
                yield from _clear_away(job.id)
            if not isinstance(fault, OutcomeUnknown) or attempt >= stubborn.attempts:
                raise
        else:
            return job.id
        yield Sleep(stubborn.first_seconds, jittered=True)
    raise AssertionError  # pragma: no cover  (the loop does not end)


def discard(jobs: Sequence[str]) -> Flow[None]:
    """Remove jobs that were never completed, as well as that goes."""
    for job_id in jobs:
        yield from _clear_away(job_id)


def commit(state: StageState) -> Flow[list[IngestJobInfo]]:
    """Complete the uploads of all pieces. It may be repeated, from anywhere, until it succeeds.

    Looks at every piece before the first is completed: if one is missing, none is.

    Raises:
        JobAborted: A piece is gone; nothing was committed.
        Unsettled: A piece is gone, and others are committed.
    """
    found = yield from _look_at_all(state)
    gone = [job_id for job_id, job in found.items() if job is None or job.state == Job2State.ABORTED]
    taken = [job for job in found.values() if job is not None and _is_taken(job)]
    if gone:
        _refuse(gone, len(taken))
    ended = []
    for job in found.values():
        assert job is not None
        ended.append(job if _is_taken(job) else (yield from _set(job, bulk2.complete_upload(job), _is_taken)))
    return ended


def _refuse(gone: list[str], taken: int) -> None:
    which = f"{len(gone):,} of the stage's jobs ({', '.join(gone[:_SHOWN])}{', ...' if len(gone) > _SHOWN else ''})"
    why = "aborted, or removed by the org, which keeps an open job for 24 hours"
    facts = Facts(job_id=gone[0])
    if not taken:
        raise JobAborted(f"{which} were {why}: nothing was committed; write the pieces to a new stage", facts)
    raise Unsettled(
        f"{which} were {why} (an ended one for 7 days), and {taken:,} others are committed: look at the records in the "
        "org, and load the rows of these pieces if they are not there",
        facts,
        why="gone",
    )


def abort(state: StageState, *, strays: bool = False) -> Flow[None]:
    """Abort and delete all pieces.

    Args:
        state: The stage.
        strays: Whether to abort also other open jobs of this user that may be of this stage's dead writers.

    Raises:
        Unsettled: Pieces are committed; nothing was aborted.
    """
    found = yield from _look_at_all(state)
    taken = [job.id for job in found.values() if job is not None and _is_taken(job)]
    if taken:
        raise Unsettled(
            f"{len(taken):,} of the stage's {len(found):,} pieces are committed ({', '.join(taken[:_SHOWN])}), and "
            "records may have been written: nothing was aborted",
            Facts(job_id=taken[0]),
            why="closed",
        )
    for job in found.values():
        if job is not None:
            yield from _remove(job)
    if strays:
        yield from _remove_strays(state)


def _remove_strays(state: StageState) -> Flow[None]:
    # A job of our own says who we are; it is then found like the others.
    own = yield from ask(bulk2.create_ingest_job(state.settings))
    locator: str | None = None
    while True:
        page = yield from ask(bulk2.list_ingest_jobs(job_type="V2Ingest", locator=locator))
        for job in page.jobs:
            if _is_stray(job, own, state):
                yield from _remove(job)
        if page.locator is None or page.locator == locator:
            break
        locator = page.locator
    yield from _clear_away(own.id)


def _is_stray(job: IngestJobInfo, own: IngestJobInfo, state: StageState) -> bool:
    created = job.created_date.timestamp() if job.created_date else 0.0
    return (
        job.state == Job2State.OPEN
        and same_id(job.created_by_id or "", own.created_by_id or "?")
        and job.operation == state.settings.operation
        and same_name(state.settings.object, job.object or "")
        and created >= state.begun - _SLACK_SECONDS
    )


def _is_taken(job: IngestJobInfo) -> bool:
    """Whether the org has taken a piece: it is neither open nor aborted while it was."""
    return job.state not in {Job2State.OPEN, Job2State.ABORTED}


def _is_aborted(job: IngestJobInfo) -> bool:
    return job.state == Job2State.ABORTED


def _look_at_all(state: StageState) -> Flow[dict[str, IngestJobInfo | None]]:
    found: dict[str, IngestJobInfo | None] = {}
    for job_id in state.jobs:
        found[job_id] = yield from _look(job_id)
    return found


def _look(job_id: str) -> Flow[IngestJobInfo | None]:
    try:
        return (yield from ask(bulk2.get_ingest_job(job_id)))
    except NotFound:
        return None


def _set(
    job: IngestJobInfo, change: Exchange[IngestJobInfo], is_done: Callable[[IngestJobInfo], bool]
) -> Flow[IngestJobInfo]:
    """Change a job's state; whatever is in doubt, the job itself says, and while it is open this may be repeated."""
    stubborn = yield from policy()
    for attempt in count(1):
        try:
            return (yield from ask(change))
        except (OutcomeUnknown, InvalidRequest) as fault:
            now = yield from ask(bulk2.get_ingest_job(job))
            if is_done(now):
                return now
            if now.state != Job2State.OPEN or isinstance(fault, InvalidRequest) or attempt >= stubborn.attempts:
                raise
        yield Sleep(stubborn.first_seconds, jittered=True)
    raise AssertionError  # pragma: no cover  (the loop does not end)


def _remove(job: IngestJobInfo) -> Flow[None]:
    if not _is_aborted(job):
        yield from _set(job, bulk2.abort_ingest_job(job), _is_aborted)
    try:
        yield from delete(bulk2.delete_ingest_job(job.id))
    except NotFound:
        return


def _clear_away(job_id: str) -> Flow[None]:
    """Remove a job that was never completed; if that fails, the org does it after 24 hours."""
    try:
        yield from ask(bulk2.abort_ingest_job(job_id))
        yield from delete(bulk2.delete_ingest_job(job_id))
    except Error:
        return
