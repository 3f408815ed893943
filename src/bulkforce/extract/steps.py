"""The steps of an extract in words, for the log: with ids and counts, never with a value of a record."""

from __future__ import annotations

from bulkforce.extract.events import BatchStage, Event, GivenUp, Part, QueryBatch, QueryJob, QueryJobStage
from bulkforce.extract.state import State

_JOBS = {
    QueryJobStage.OPEN: "created",
    QueryJobStage.ASKED: "its query was accepted",
    QueryJobStage.LISTED: "all its batches are known",
    QueryJobStage.ABANDONED: "its results do not count",
}


def step_of(state: State, event: Event) -> str | None:
    """Return what an event means in words; ``None`` if a user need not know."""
    match event:
        case QueryJob(stage=stage, id=job_id, batches=batches, closed=closed) if job_id is not None:
            if closed:
                return f"job {job_id}: closed"
            told = _JOBS.get(stage)
            return f"job {job_id}: {told}" + (f" ({batches:,})" if told and stage is QueryJobStage.LISTED else "")
        case QueryBatch(stage=stage, records=records) if stage is not BatchStage.RUNNING:
            return f"{_name(state, event)}: {stage}" + (f", records: {records:,}" if records is not None else "")
        case Part(batch=batch, result_id=result_id, done=True, rows=rows, size=size):
            named = _name(state, state.batches[batch])
            return f"{named}: result {result_id} is on disk, rows: {rows:,}, bytes: {size:,}"
        case GivenUp(batch=batch):
            return f"{_name(state, state.batches[batch])}: given up in this sitting"
        case _:
            return None


def _name(state: State, batch: QueryBatch) -> str:
    return f"{'job' if batch.id == state.job_id(batch) else 'batch'} {batch.id}"
