"""The steps of a load in words, for the log: with ids and counts, never with a value of a record."""

from __future__ import annotations

from bulkforce.load.events import (
    BatchAbsent,
    BatchAccepted,
    BatchDoubted,
    BatchEnded,
    BatchJoined,
    BatchLeftInDoubt,
    BatchNeverRun,
    BatchRefused,
    BatchUploaded,
    Event,
    JobClosed,
    JobLost,
    JobOpened,
    JobSettled,
)
from bulkforce.load.state import View


def step_of(view: View, event: Event) -> str | None:
    """Return what an event means in words; ``None`` if a user need not know."""
    match event:
        case JobOpened(id=job_id):
            return f"job {job_id}: created"
        case JobLost():
            return "a job could not be created, or the answer was lost"
        case JobClosed(job=job):
            return f"job {view.job_id(job)}: closed"
        case JobSettled(job=job, adopted=adopted, absent=absent):
            return (
                f"job {view.job_id(job)}: closed and settled; of the batches in doubt, the org has {len(adopted):,}, "
                f"and {len(absent):,} will be sent again"
            )
        case _:
            return _of_batch(view, event)


def _of_batch(view: View, event: Event) -> str | None:
    match event:
        case BatchUploaded(batch=number):
            return f"{_batch(view, number)}: uploaded; it counts once its job is committed"
        case BatchAccepted(batch=number, id=batch_id):
            return f"batch {batch_id} (no. {number:,}, {_records(view, number)}): accepted by the org"
        case BatchEnded(batch=number, end=end, processed=processed, failed=failed):
            counts = f", {processed or 0:,} processed, {failed or 0:,} failed"
            return f"{_batch(view, number)}: {end}{'' if processed is None and failed is None else counts}"
        case BatchAbsent(batch=number) | BatchNeverRun(batch=number):
            return f"{_batch(view, number)}: not processed by the org; it will be sent again"
        case BatchDoubted(batch=number):
            return f"{_batch(view, number)}: its answer was lost; the org will be asked whether it has it"
        case BatchRefused(batch=number):
            return f"{_batch(view, number)}: refused by the org"
        case BatchLeftInDoubt(batch=number):
            return f"{_batch(view, number)}: its outcome cannot be determined"
        case BatchJoined(batch=number):
            return f"{_batch(view, number)}: its rows are in the outputs"
        case _:
            return None


def _batch(view: View, number: int) -> str:
    attempt = view.batches[number].attempt
    batch_id = attempt.id if attempt else None
    return f"batch {batch_id} (no. {number:,})" if batch_id else f"batch no. {number:,} ({_records(view, number)})"


def _records(view: View, number: int) -> str:
    records = view.batches[number].records
    return f"{records:,} record{'' if records == 1 else 's'}"
