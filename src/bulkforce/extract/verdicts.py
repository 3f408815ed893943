"""What follows from the outcome of an order: events, a reason to stop, or trouble that may pass. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TypeAlias

from bulkforce.apis.abc import BatchEnd, BatchSeen, JobSeen, Looked, QueryFault
from bulkforce.errors import (
    BatchFailed,
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
    QueryRefused,
    Unsettled,
)
from bulkforce.extract.events import (
    BatchStage,
    Delivered,
    Event,
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
from bulkforce.extract.state import State
from bulkforce.protocol import soql
from bulkforce.protocol.pk_chunking import PKChunking
from bulkforce.protocol.wire import short
from bulkforce.run.plan import Verdict

Follows: TypeAlias = Verdict[Event]


def take_up(state: State) -> list[Thing]:
    """After a crash, abandon jobs that may or may not have their batches, and create others."""
    things: list[Thing] = []
    for job in state.jobs.values():
        if job.stage is QueryJobStage.OPEN:
            gone, wanted = _abandon(state, job)
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
            job = replace(state.jobs[number], id=seen.id, created=seen.created)
            return Verdict([replace(job, stage=QueryJobStage.OPEN if job.counts else QueryJobStage.ABANDONED)])
        case AskQuery(number), BatchSeen(batch_id):
            return Verdict([replace(state.jobs[number], batch_id=batch_id, stage=QueryJobStage.ASKED)])
        case LookAtJob(number), Looked() as looked:
            return _looked(state, state.jobs[number], looked, rules)
        case ReadRange(number), (str() | None) as ids:
            return _read(state, state.batches[number], ids)
        case ListResults(number), list() as ids:
            batch = replace(state.batches[number], stage=BatchStage.FETCHING)
            # Listed again because records were missing: files that were known before are fetched all the same.
            known = {short(part.result_id): part.result_id for part in state.parts_of(number)}
            names = [*known.values(), *(name for name in ids if short(name) not in known)]
            parts = [Part(number, place, name) for place, name in enumerate(names)]
            checked = _check(state, batch, parts, rules)
            return replace(checked, events=checked.events or [batch, *parts])
        case FetchPart(number, place), Fetched() as fetched:
            part = replace(
                state.parts[number][place], done=True, rows=fetched.rows, size=fetched.size, sha256=fetched.sha256
            )
            others = [other for other in state.parts_of(number) if other.place != place]
            checked = _check(state, state.batches[number], [*others, part], rules)
            return replace(checked, events=[part, *checked.events])
        case EndJob(number), (Looked() | None) as looked:
            job = state.jobs[number]
            stage = QueryJobStage.GONE if job.stage is QueryJobStage.ABANDONED else job.stage
            job = replace(job, closed=True, stage=stage)
            return _add_chunks(state, job, looked) if looked and job.counts else Verdict([job])
        case _:
            raise TypeError(f"{type(value).__name__} is no answer to {type(action).__name__}")


def refused(state: State, action: Order, error: Exception, rules: Rules) -> Follows:
    """Return what follows from an order that failed."""
    if _is_void(state, action) or (isinstance(action, OpenJob) and not state.jobs[action.job].counts):
        return Verdict()
    match action, error:
        case ((OpenJob(number) | AskQuery(number)), OutcomeUnknown() | ProtocolError()):
            # Whatever happened to it, a query changes nothing: put it into another job.
            job = state.jobs[number]
            warning = (
                "The answer to creating a job was lost; an empty job may be left open in the org"
                if job.id is None
                else None
            )
            lost = Verdict(_abandon(state, job), warning=warning)
            if job.tries >= rules.sendings:
                return replace(lost, stop=error)
            return replace(lost, trouble=error if job.tries > 1 else None)
        case OpenJob(number), InvalidRequest() if rules.may_chunk and state.jobs[number].chunking:
            warning = f"The org refuses PK chunking here, so the query runs without it: {error}"
            return Verdict([replace(state.jobs[number], chunking=None)], warning=warning)
        case FetchPart(number, place), FormatError():
            batch = state.batches[number]
            what = f"A result file of batch {batch.id} of job {state.job_id(batch)} is broken: {error}"
            return _spoilt(state, batch, [state.parts[number][place]], ProtocolError, what, rules)
        case ((ReadRange(number) | ListResults(number) | FetchPart(number)), NotFound() | InvalidRequest()):
            batch = state.batches[number]
            gone = NotFound(
                f"The org no longer has the results of batch {batch.id} of job {state.job_id(batch)}: it keeps them "
                f"for 7 days, or until the job is deleted. Start a new extract. The org said: {error}",
                state.facts(batch),
            )
            return Verdict(stop=gone)
        case EndJob(number), Unsettled() | InvalidRequest():
            # The results are all there; the org closes a job left open after a day.
            warning = f"Job {state.jobs[number].id} could not be closed: {error}"
            return replace(answered(state, action, None, rules), warning=warning)
        case _, ProtocolError() if not isinstance(error, Intercepted):
            # The org itself sends an answer that makes no sense; where a retry may help, it was retried.
            return Verdict(stop=error)
        case _:
            return Verdict(trouble=error)


def _is_void(state: State, action: Order) -> bool:
    """Whether an order concerns something that no longer counts; a job opened meanwhile must still be ended."""
    match action:
        case ReadRange(number) | ListResults(number) | FetchPart(number) | Deliver(number):
            return state.batches[number].stage is BatchStage.REPLACED
        case AskQuery(number) | LookAtJob(number):
            return not state.jobs[number].counts
        case _:
            return False


def _abandon(state: State, job: QueryJob, chunking: str | None = None) -> list[Thing]:
    """Abandon a job and want another in its place."""
    return [
        replace(job, stage=_gone(job)),
        QueryJob(len(state.jobs) + 1, job.soql, chunking or job.chunking, job.replaces, job.tries + 1),
    ]


def _looked(state: State, job: QueryJob, looked: Looked, rules: Rules) -> Follows:
    if job.stage is QueryJobStage.ASKED:
        return _looked_at_first(state, job, looked, rules)
    new = _add_chunks(state, job, looked) if state.is_split(job) else Verdict()
    seen = _seen(state, job, [state.batches[number] for number in state.running.get(job.number, ())], looked)
    return Verdict([*new.events, *seen.events], stop=new.stop or seen.stop)


def _looked_at_first(state: State, job: QueryJob, looked: Looked, rules: Rules) -> Follows:
    first = looked.batches[short(str(job.batch_id))]
    if first.end is None:
        return Verdict()
    if first.end is BatchEnd.FAILED:
        return _query_failed(state, job, first, rules)
    if first.end is BatchEnd.COMPLETED:
        place = 0 if job.replaces is None else state.batches[job.replaces].place
        batch = QueryBatch(len(state.batches) + 1, job.number, first.id, place)
        return Verdict([replace(job, stage=QueryJobStage.LISTED, batches=1), _completed(batch, first)])
    if not looked.is_open or job.chunking is None:
        return Verdict(_abandon(state, job), stop=_aborted(str(job.id)))
    return _add_chunks(state, replace(job, stage=QueryJobStage.LISTED), looked)


def _add_chunks(state: State, job: QueryJob, looked: Looked) -> Follows:
    """Add batches of a split query that were not known before; each gets a place after the others."""
    new = [
        seen.id
        for name, seen in looked.batches.items()
        if name not in state.numbers and name != short(str(job.batch_id))
    ]
    first = len(state.batches) + 1
    batches = [
        QueryBatch(first + count, job.number, batch_id, job.batches + count) for count, batch_id in enumerate(new)
    ]
    seen = _seen(state, job, batches, looked)
    moved = {thing.number for thing in seen.events if isinstance(thing, QueryBatch)}
    still = [batch for batch in batches if batch.number not in moved]
    return Verdict([replace(job, batches=job.batches + len(new)), *still, *seen.events], stop=seen.stop)


def _seen(state: State, job: QueryJob, batches: Iterable[QueryBatch], looked: Looked) -> Follows:
    """Update batches that were running."""
    ended: list[QueryBatch] = []
    stop: Error | None = None
    for batch in batches:
        seen = looked.batches.get(short(batch.id))
        match seen and seen.end:
            case BatchEnd.COMPLETED:
                assert seen is not None
                ended.append(_completed(batch, seen))
            case BatchEnd.FAILED:
                assert seen is not None
                ended.append(replace(batch, stage=BatchStage.FAILED, message=seen.message))
            case BatchEnd.NOT_PROCESSED:
                # In an open job, this is the original of a query that is not ours.
                ended.append(replace(batch, stage=BatchStage.FAILED))
                if not (looked.is_open or job.closed):
                    stop = _aborted(str(job.id))
            case None:
                pass
    return Verdict(_ask_again(state, ended), stop=stop)


def _completed(batch: QueryBatch, seen: BatchSeen) -> QueryBatch:
    return replace(batch, stage=BatchStage.COMPLETED, records=seen.processed)


def _ask_again(state: State, batches: Iterable[QueryBatch]) -> list[Thing]:
    """Put each failed chunk into a job of its own; the query is ours plus its range of ids, not what was read back."""
    things: list[Thing] = []
    jobs = len(state.jobs)
    for batch in batches:
        if batch.stage is BatchStage.FAILED and batch.ids:
            jobs += 1
            query = soql.read(state.jobs[batch.job].soql)
            things += [
                replace(batch, stage=BatchStage.REPLACED),
                QueryJob(jobs, query.with_condition(batch.ids), None, batch.number, 2),
            ]
        else:
            things.append(batch)
    return things


def _read(state: State, batch: QueryBatch, ids: str | None) -> Follows:
    """Record which range of ids a chunk covers.

    A job with a batch that is not a chunk, or with the same chunk twice, is no longer trusted.
    """
    if ids is None:
        what = f"batch {batch.id}, whose request does not show that it is a chunk of the query"
    elif state.ranges.get((batch.job, ids), batch.number) != batch.number:
        what = f"batch {batch.id}, a chunk of the query that it already holds"
    else:
        return Verdict(_ask_again(state, [replace(batch, ids=ids)]))
    root = state.root
    gone = [replace(job, stage=_gone(job)) for job in state.jobs.values() if job.counts]
    batches = [replace(other, stage=BatchStage.REPLACED) for other in state.counting]
    anew = QueryJob(len(state.jobs) + 1, root.soql, root.chunking, None, root.tries + 1)
    why = (
        f"Job {state.job_id(batch)} holds {what}: someone else added it, or a request reached the org twice. "
        "Records could come twice"
    )
    things: list[Thing] = [*gone, *batches, anew]
    if state.delivering or root.tries >= TRIES:
        return Verdict(things, stop=ProtocolError(f"{why}. Resuming runs the whole query again", state.facts(batch)))
    return Verdict(things, warning=f"{why}, so the whole query is run again")


def _gone(job: QueryJob) -> QueryJobStage:
    return QueryJobStage.GONE if job.id is None or job.closed else QueryJobStage.ABANDONED


def _query_failed(state: State, job: QueryJob, seen: BatchSeen, rules: Rules) -> Follows:
    message = seen.message or "the org gave no reason"
    facts = Facts(job_id=job.id, batch_id=seen.id)
    too_large = seen.fault is QueryFault.TOO_LARGE
    may_chunk = rules.may_chunk and job.chunking is None and job.replaces is None
    if seen.fault is QueryFault.WRONG:
        return Verdict(
            _abandon(state, job),
            stop=QueryRefused(f"The org refuses the query: {soql.explain(job.soql, message)}", facts),
        )
    if too_large and may_chunk:
        warning = f"The query is too large for one batch ({message}); it is run again with PK chunking"
        return Verdict(_abandon(state, job, PKChunking().header()), warning=warning)
    if job.tries < TRIES:
        return Verdict(_abandon(state, job))
    what = "the query" if job.replaces is None else f"the same chunk of the query, {job.soql!r}"
    hint = "; use PK chunking" if too_large and job.chunking is None and job.replaces is None else ""
    return Verdict(
        _abandon(state, job), stop=BatchFailed(f"The org failed {TRIES} times to answer {what}: {message}{hint}", facts)
    )


def _check(state: State, batch: QueryBatch, parts: Sequence[Part], rules: Rules) -> Follows:
    """Compare what was fetched with what the org said, once everything is there."""
    if not all(part.done for part in parts):
        return Verdict()
    rows = sum(part.rows for part in parts)
    named = f"Batch {batch.id} of job {state.job_id(batch)}"
    if rows == batch.records:
        # Also if both are 0: a correct org says 0 for a query that finds nothing, and the files agree.
        return Verdict([replace(batch, stage=BatchStage.DONE, records=rows)])
    if not batch.records:
        # Some org says 0 for every query, and no count at all says nothing. As far as the bytes show, the files are
        # complete.
        warning = (
            f"The org did not say how many records {named[0].lower()}{named[1:]} has; its result files hold {rows:,}"
        )
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
    """Fetch parts again, and list them again if all were there; after some attempts, give up on the batch."""
    parts = list(parts)
    stage = BatchStage.COMPLETED if all(part.done for part in parts) else batch.stage
    again = replace(batch, tries=batch.tries + 1, stage=stage)
    things: list[Thing] = [again, *(replace(part, done=False) for part in parts)]
    if again.tries % TRIES:
        return Verdict(things)
    error = kind(f"{what}; they were fetched {TRIES} times", state.facts(batch))
    return Verdict([*things, GivenUp(again.number, error)]) if rules.goes_on else Verdict(things, stop=error)


def check_ranges(state: State) -> tuple[Error | None, str | None]:
    """Check that the chunks of a split query, all of which are now known, fit together.

    Returns:
        An error, if they do not; and a warning for the user, if any.
    """
    root = state.root
    borders = sorted(soql.borders(ids) for job, ids in state.ranges if job == root.number)
    warning = None
    for (_, end), (begin, _) in pairwise(borders):
        if begin < end:
            problem = (
                f"Chunks of job {root.id} overlap from id {begin} on, so records would come twice; start a new extract"
            )
            return ProtocolError(problem, Facts(job_id=root.id)), None
        # A journal from before ranges were read has gaps.
        if begin > end and len(borders) == root.batches:
            warning = (
                f"No chunk of job {root.id} covers the ids from {end} to {begin}; perhaps the org knows that there are "
                "none"
            )
    return None, warning


def _aborted(job_id: str) -> JobAborted:
    return JobAborted(
        f"Job {job_id} was aborted or closed in the org before it was done. Resume to get what is missing",
        Facts(job_id=job_id),
    )
