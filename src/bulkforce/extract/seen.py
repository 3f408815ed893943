"""What follows from the batches that the org shows: chunks of the query, failed ones, and foreign batches. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise
from typing import TypeAlias

from bulkforce.apis.abc import BatchEnd, BatchSeen, Looked, QueryFault
from bulkforce.errors import (
    BatchFailed,
    Error,
    Facts,
    JobAborted,
    ProtocolError,
    QueryRefused,
)
from bulkforce.extract.events import (
    BatchStage,
    Event,
    QueryBatch,
    QueryJob,
    QueryJobStage,
    Thing,
)
from bulkforce.extract.rules import TRIES, Rules
from bulkforce.extract.state import State
from bulkforce.protocol import soql
from bulkforce.protocol.pk_chunking import PKChunking
from bulkforce.protocol.wire import short
from bulkforce.run.plan import Verdict

Follows: TypeAlias = Verdict[Event]


def abandon(state: State, job: QueryJob, chunking: str | None = None) -> list[Thing]:
    """Abandon a job and want another in its place."""
    return [
        replace(job, stage=_gone(job)),
        QueryJob(len(state.jobs) + 1, job.soql, chunking or job.chunking, job.replaces, job.tries + 1),
    ]


def looked_at(state: State, job: QueryJob, looked: Looked, rules: Rules) -> Follows:
    """Return what follows from a look at a job."""
    if job.stage is QueryJobStage.ASKED:
        return _looked_at_first(state, job, looked, rules)
    new = add_chunks(state, job, looked) if state.is_split(job) else Verdict()
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
        return Verdict(abandon(state, job), stop=_aborted(str(job.id)))
    return add_chunks(state, replace(job, stage=QueryJobStage.LISTED), looked)


def add_chunks(state: State, job: QueryJob, looked: Looked) -> Follows:
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


def read_range(state: State, batch: QueryBatch, ids: str | None) -> Follows:
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
            abandon(state, job),
            stop=QueryRefused(f"The org refuses the query: {soql.explain(job.soql, message)}", facts),
        )
    if too_large and may_chunk:
        warning = f"The query is too large for one batch ({message}); it is run again with PK chunking"
        return Verdict(abandon(state, job, PKChunking().header()), warning=warning)
    if job.tries < TRIES:
        return Verdict(abandon(state, job))
    what = "the query" if job.replaces is None else f"the same chunk of the query, {job.soql!r}"
    hint = "; try again later, or narrow the query with WHERE"
    if too_large and job.chunking is None and job.replaces is None:
        hint = "; use PK chunking, which Bulk API v1 has"
    return Verdict(
        abandon(state, job), stop=BatchFailed(f"The org failed {TRIES} times to answer {what}: {message}{hint}", facts)
    )


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
