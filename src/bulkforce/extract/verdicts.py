"""What follows from the outcome of an order: events, a reason to stop, or trouble that may pass. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from bulkforce.apis.abc import BatchSeen, JobSeen, Listed, Looked
from bulkforce.errors import (
    Error,
    Facts,
    FellShort,
    FormatError,
    Intercepted,
    InvalidRequest,
    JobAborted,
    NotFound,
    OutcomeUnknown,
    ProtocolError,
    Unsettled,
)
from bulkforce.extract.events import (
    BatchStage,
    Delivered,
    GivenUp,
    Part,
    QueryBatch,
    QueryJob,
    QueryJobStage,
    Thing,
)
from bulkforce.extract.orders import (
    Answer,
    AskQuery,
    Deliver,
    EndJob,
    FetchPart,
    ListResults,
    LookAtJob,
    OpenJob,
    Order,
    ReadRange,
)
from bulkforce.extract.result_file import Fetched
from bulkforce.extract.rules import TRIES, Rules
from bulkforce.extract.seen import Follows, abandon, add_chunks, looked_at, read_range
from bulkforce.extract.state import State
from bulkforce.protocol.wire import short
from bulkforce.run.plan import Verdict


def take_up(state: State) -> list[Thing]:
    """After a crash, abandon jobs that may or may not have their batches, and create others."""
    things: list[Thing] = []
    for job in state.jobs.values():
        if job.stage is QueryJobStage.OPEN:
            gone, wanted = abandon(state, job)
            assert isinstance(wanted, QueryJob)
            things += [gone, replace(wanted, number=wanted.number + len(things) // 2)]
    return things


def answered(state: State, action: Order, value: Answer, rules: Rules) -> Follows:
    """Return what follows from an order that was carried out.

    Args:
        state: The state of the extract.
        action: The order.
        value: Its result.
        rules: The rules of the extract.
    """
    if isinstance(action, Deliver):
        return Verdict([Delivered(action.batch, action.place)])
    if _is_void(state, action):
        return Verdict()
    match action, value:
        case OpenJob(number), JobSeen() as seen:
            job = replace(state.jobs[number], id=seen.id, batch_id=seen.asked, created=seen.created)
            stage = QueryJobStage.OPEN if seen.asked is None else QueryJobStage.ASKED
            return Verdict([replace(job, stage=stage if job.counts else QueryJobStage.ABANDONED)])
        case AskQuery(number), BatchSeen(batch_id):
            return Verdict([replace(state.jobs[number], batch_id=batch_id, stage=QueryJobStage.ASKED)])
        case LookAtJob(number), Looked() as looked:
            return looked_at(state, state.jobs[number], looked, rules)
        case ReadRange(number), (str() | None) as ids:
            return read_range(state, state.batches[number], ids)
        case ListResults(number), Listed() as listed:
            return _listed(state, state.batches[number], listed, rules)
        case FetchPart(number, place), Fetched() as fetched:
            return _fetched(state, state.batches[number], state.parts[number][place], fetched, rules)
        case EndJob(number), (Looked() | None) as looked:
            job = state.jobs[number]
            stage = QueryJobStage.GONE if job.stage is QueryJobStage.ABANDONED else job.stage
            job = replace(job, closed=True, stage=stage)
            return add_chunks(state, job, looked) if looked and job.counts else Verdict([job])
        case _:
            raise TypeError(f"{type(value).__name__} is no answer to {type(action).__name__}")


def refused(state: State, action: Order, error: Exception, rules: Rules) -> Follows:
    """Return what follows from an order that failed."""
    if _is_void(state, action) or (isinstance(action, OpenJob) and not state.jobs[action.job].counts):
        return Verdict()
    match action, error:
        case ((OpenJob(number) | AskQuery(number)), OutcomeUnknown() | ProtocolError()):
            return _lost(state, state.jobs[number], error, rules)
        case OpenJob(number), InvalidRequest() if rules.may_chunk and state.jobs[number].chunking:
            warning = f"The org refuses PK chunking here, so the query runs without it: {error}"
            return Verdict([replace(state.jobs[number], chunking=None)], warning=warning)
        case FetchPart(number, place), FormatError():
            batch = state.batches[number]
            what = f"A result file of {state.named(batch)} is broken: {error}"
            return _spoilt(state, batch, [state.parts[number][place]], ProtocolError, what, rules)
        case ((ReadRange(number) | ListResults(number) | FetchPart(number)), NotFound() | InvalidRequest()):
            batch = state.batches[number]
            gone = NotFound(
                f"The org no longer has the results of {state.named(batch)}: it keeps them for 7 days, or until the "
                f"job is deleted. Start a new extract. The org said: {error}",
                state.facts(batch),
            )
            return Verdict(stop=gone)
        case LookAtJob(number), NotFound() if state.jobs[number].stage is QueryJobStage.ASKED:
            job = state.jobs[number]
            what = (
                f"The org no longer has job {job.id}: someone deleted it before its end. Resume to run the query again"
            )
            return Verdict(abandon(state, job), stop=JobAborted(what, Facts(job_id=job.id)))
        case EndJob(number), Unsettled() | InvalidRequest():
            # The results are all there; the org closes a job left open after a day.
            warning = f"Job {state.jobs[number].id} could not be closed: {error}"
            return replace(answered(state, action, None, rules), warning=warning)
        case _, ProtocolError() if not isinstance(error, Intercepted):
            # The org itself sends an answer that makes no sense; where a retry may help, it was retried.
            return Verdict(stop=error)
        case _:
            return Verdict(trouble=error)


def _lost(state: State, job: QueryJob, error: Exception, rules: Rules) -> Follows:
    """Put a query into another job: whatever happened to it, it changes nothing."""
    warning = (
        "The answer to creating a job was lost; a job that nobody needs may be left in the org"
        if job.id is None
        else None
    )
    lost = Verdict(abandon(state, job), warning=warning)
    if job.tries >= rules.sendings:
        return replace(lost, stop=error)
    return replace(lost, trouble=error if job.tries > 1 else None)


def _is_void(state: State, action: Order) -> bool:
    """Whether an order concerns something that no longer counts; a job opened meanwhile must still be ended."""
    match action:
        case ReadRange(number) | ListResults(number) | FetchPart(number) | Deliver(number):
            return state.batches[number].stage is BatchStage.REPLACED
        case AskQuery(number) | LookAtJob(number):
            return not state.jobs[number].counts
        case _:
            return False


def _listed(state: State, batch: QueryBatch, listed: Listed, rules: Rules) -> Follows:
    """Add result files, after those that are known."""
    batch = replace(batch, stage=BatchStage.FETCHING, more=listed.more)
    # If they are listed again because records were missing, what was known before counts all the same.
    known = state.parts_of(batch.number)
    names = {_same(part.result_id) for part in known}
    added = [name for name in listed.names if _same(name) not in names]
    new = [Part(batch.number, len(known) + place, name) for place, name in enumerate(added)]
    if new or listed.more or state.undone[batch.number]:
        return Verdict([batch, *new])
    return _check(state, batch, known, rules)


def _same(name: str) -> str:
    """Return what two names of the same result file have in common: an id may have check characters or not."""
    return short(name) if name.isalnum() else name


def _fetched(state: State, batch: QueryBatch, part: Part, fetched: Fetched, rules: Rules) -> Follows:
    """Take in a part, and what it says about itself and the one that comes next."""
    if fetched.records is not None and fetched.rows != fetched.records:
        kind = FellShort if fetched.rows < fetched.records else ProtocolError
        what = f"A result file of {state.named(batch)} has {fetched.records:,} records, but {fetched.rows:,} came"
        return _spoilt(state, batch, [part], kind, what, rules)
    done = replace(
        part, done=True, rows=fetched.rows, size=fetched.size, sha256=fetched.sha256, records=fetched.records
    )
    parts = state.parts_of(batch.number)
    if fetched.following is not None and part.place == len(parts) - 1:
        if any(fetched.following == other.result_id for other in parts):
            what = f"The result files of {state.named(batch)} go round in a circle"
            return _spoilt(state, batch, [part], ProtocolError, what, rules)
        return Verdict([done, Part(batch.number, len(parts), fetched.following)])
    # Only the last part shows whether all records are there.
    if batch.more is not None or state.undone[batch.number] > (not part.done):
        return Verdict([done])
    checked = _check(state, batch, [done if other.place == part.place else other for other in parts], rules)
    return replace(checked, events=[done, *checked.events])


def _check(state: State, batch: QueryBatch, parts: Sequence[Part], rules: Rules) -> Follows:
    """Compare what was fetched with what the org said, now that everything is there."""
    rows = sum(part.rows for part in parts)
    named = state.named(batch)
    named = named[0].upper() + named[1:]
    if rows == batch.records:
        # Also if both are 0: a correct org says 0 for a query that finds nothing, and the files agree.
        return Verdict([replace(batch, stage=BatchStage.DONE, records=rows)])
    if not batch.records:
        # Some org says 0 for every query, and no count at all says nothing. As far as the bytes show, the files are
        # complete.
        warning = f"The org did not say how many records {state.named(batch)} has; its result files hold {rows:,}"
        return Verdict([replace(batch, stage=BatchStage.DONE, records=None)], warning=None if state.untold else warning)
    if rows < batch.records:
        return _spoilt(
            state,
            batch,
            parts,
            FellShort,
            f"{named} has {batch.records:,} records, but its result files hold {rows:,}",
            rules,
        )
    # Just as wrong: a file may be there under two names, and an extract must never return records twice.
    what = f"{named} has {batch.records:,} records, but its result files hold more, {rows:,}: some may be there twice"
    return _spoilt(state, batch, parts, ProtocolError, what, rules)


def _spoilt(
    state: State, batch: QueryBatch, parts: Iterable[Part], kind: type[Error], what: str, rules: Rules
) -> Follows:
    """Fetch parts again, and list them again if all were there; after some attempts, give up on the batch.

    A part that has as many records as the org said stays: it may have been delivered already.
    """
    parts = list(parts)
    stage = BatchStage.COMPLETED if all(part.done for part in parts) else batch.stage
    again = replace(batch, tries=batch.tries + 1, stage=stage)
    things: list[Thing] = [again, *(replace(part, done=False) for part in parts if not part.proven)]
    if again.tries % TRIES:
        return Verdict(things)
    error = kind(f"{what}; they were fetched {TRIES} times", state.facts(batch))
    return Verdict([*things, GivenUp(again.number, error)]) if rules.goes_on else Verdict(things, stop=error)
