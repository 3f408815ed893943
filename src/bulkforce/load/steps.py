"""What the events of a load mean to its user."""

from __future__ import annotations

from bulkforce import events
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
from bulkforce.load.tally import Tally


class Steps:
    """Turns what the journal records into what the user is told.

    Args:
        tally: Counts the rows of joined batches; one batch is joined at a time.
    """

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._told = (0, 0, 0)

    def __call__(self, view: View, event: Event) -> events.Event | None:
        """Return what an event means to the user; ``None`` if nothing."""
        match event:
            case JobOpened(id=job_id):
                return events.JobOpened(job=job_id)
            case JobLost():
                return events.JobAbandoned(job=None)
            case JobClosed(job=job):
                return events.JobClosed(job=view.job_id(job))
            case JobSettled(job=job, adopted=adopted, absent=absent):
                return events.JobClosed(job=view.job_id(job), found=len(adopted), absent=len(absent))
            case BatchDoubted(batch=number):
                attempt = view.batches[number].attempt
                return events.AnswerLost(job=view.job_id(attempt.job), number=number) if attempt else None
            case _:
                return self._of_batch(view, event)

    def _of_batch(self, view: View, event: Event) -> events.Event | None:
        match event:
            case BatchAccepted(batch=number, id=batch_id):
                batch = view.batches[number]
                job = view.job_id(batch.attempt.job) if batch.attempt else ""
                return events.BatchSent(job=job, batch=batch_id, number=number, records=batch.records)
            case BatchUploaded(batch=number):
                batch = view.batches[number]
                job = view.job_id(batch.attempt.job) if batch.attempt else ""
                return events.BatchUploaded(job=job, number=number, records=batch.records)
            case BatchAbsent(batch=number) | BatchNeverRun(batch=number):
                return events.BatchRepeated(batch=_id(view, number), number=number)
            case BatchEnded(batch=number, end=end, processed=processed, failed=failed):
                known, state = _id(view, number), str(end)
                return events.BatchEnded(batch=known, number=number, state=state, processed=processed, failed=failed)
            case BatchRefused(batch=number):
                return events.BatchEnded(batch=None, number=number, state="Refused")
            case BatchLeftInDoubt(batch=number):
                return events.BatchEnded(batch=_id(view, number), number=number, state="InDoubt")
            case BatchJoined(batch=number):
                return self._done(view, number)
            case _:
                return None

    def _done(self, view: View, number: int) -> events.BatchDone:
        now = (self._tally.failed, self._tally.unprocessed, self._tally.in_doubt)
        failed, unprocessed, in_doubt = (new - old for new, old in zip(now, self._told, strict=True))
        self._told = now
        return events.BatchDone(
            batch=_id(view, number),
            number=number,
            rows=view.batches[number].records,
            failed=failed,
            unprocessed=unprocessed,
            in_doubt=in_doubt,
        )


def _id(view: View, number: int) -> str | None:
    attempt = view.batches[number].attempt
    return attempt.id if attempt else None
