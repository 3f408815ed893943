"""What the events of an extract mean to its user."""

from __future__ import annotations

from bulkforce import events
from bulkforce.apis.abc import BatchEnd
from bulkforce.extract.events import BatchStage, Event, GivenUp, Part, QueryBatch, QueryJob, QueryJobStage
from bulkforce.extract.state import State


class Steps:
    """Turns what the journal records, the new values of jobs, batches and parts, into what the user is told, once."""

    def __init__(self) -> None:
        self._told: set[tuple[str, int, str]] = set()

    def __call__(self, state: State, event: Event) -> events.Event | None:
        """Return what an event means to the user; ``None`` if nothing, or if it was told before."""
        match event:
            case QueryJob(number=number, stage=stage, closed=closed):
                if not self._is_new("job", number, "closed" if closed else stage):
                    return None
                return _of_job(event)
            case QueryBatch(number=number, stage=stage):
                if not self._is_new("batch", number, stage):
                    return None
                return _of_batch(event, sum(part.rows for part in state.parts_of(number) if part.done))
            case Part(batch=batch, result_id=result_id, done=True, rows=rows, size=size):
                return events.ResultFetched(batch=state.batches[batch].id, result=result_id, rows=rows, bytes=size)
            case GivenUp(batch=batch):
                return events.BatchEnded(batch=state.batches[batch].id, number=batch, state="GivenUp")
            case _:
                return None

    def _is_new(self, kind: str, number: int, stage: str) -> bool:
        new = (kind, number, stage) not in self._told
        self._told.add((kind, number, stage))
        return new


def _of_job(job: QueryJob) -> events.Event | None:
    if job.id is None:
        return None
    if job.batch_id == job.id:
        # Created with its query, a job is its own only batch, and ends by itself.
        return events.JobOpened(job=job.id) if job.stage is QueryJobStage.ASKED else None
    if job.closed:
        return events.JobClosed(job=job.id)
    match job.stage:
        case QueryJobStage.OPEN:
            return events.JobOpened(job=job.id)
        case QueryJobStage.ASKED if job.batch_id is not None:
            return events.BatchSent(job=job.id, batch=job.batch_id)
        case QueryJobStage.LISTED:
            return events.JobListed(job=job.id, batches=job.batches)
        case QueryJobStage.ABANDONED:
            return events.JobAbandoned(job=job.id)
        case _:
            return None


def _of_batch(batch: QueryBatch, rows: int) -> events.Event | None:
    match batch.stage:
        case BatchStage.COMPLETED | BatchStage.FAILED as stage:
            end = BatchEnd.COMPLETED if stage is BatchStage.COMPLETED else BatchEnd.FAILED
            return events.BatchEnded(batch=batch.id, number=batch.number, state=str(end), processed=batch.records)
        case BatchStage.DONE:
            return events.BatchDone(batch=batch.id, number=batch.number, rows=rows)
        case BatchStage.REPLACED:
            return events.BatchRepeated(batch=batch.id, number=batch.number)
        case _:
            return None
