"""What follows from the outcome of a load's order: events, a reason to stop, or trouble that may pass. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from bulkforce.apis.abc import BatchSeen, ContentRefused, Found, JobSeen, JobStanding, Looked, Uploaded, strangers_in
from bulkforce.errors import (
    Error,
    Facts,
    InvalidRequest,
    JobAborted,
    NotFound,
    NotSent,
    OutcomeUnknown,
    ProtocolError,
    RefusedError,
    SourceChanged,
    Unavailable,
    UnreadableResults,
    Unsettled,
)
from bulkforce.load.batches import BatchView
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
    JobAudited,
    JobClosed,
    JobClosing,
    JobListed,
    JobLost,
    JobOpened,
    JobSettled,
    OrderUnsettled,
    ResultsFetched,
    ResultsLost,
    ResultsUnreadable,
    StrangersAccepted,
)
from bulkforce.load.orders import (
    Answer,
    AuditJob,
    CloseJob,
    CommitBatch,
    FetchResults,
    JoinBatch,
    LookAtJob,
    OpenJob,
    Order,
    SendBatch,
    SettleJob,
)
from bulkforce.load.rules import RESULT_TRIES, AcceptAs, Rules
from bulkforce.load.state import View
from bulkforce.run.plan import Verdict
from bulkforce.run.seal import Seal

Follows: TypeAlias = Verdict[Event]


def answered(view: View, order: Order, answer: Answer, rules: Rules) -> Follows:  # noqa: C901, PLR0912  (one arm a case)
    """Return what follows from an order that was carried out."""
    match order, answer:
        case OpenJob(job), JobSeen(job_id):
            return Verdict([JobOpened(job, job_id)])
        case CloseJob(job), None:
            return Verdict([JobClosed(job)])
        case SendBatch(batch), BatchSeen(batch_id):
            return Verdict([BatchAccepted(batch, batch_id)])
        case SendBatch(batch), ContentRefused(reason):
            return Verdict([BatchRefused(batch, reason)])
        case SendBatch(batch), Uploaded():
            return Verdict([BatchUploaded(batch)])
        case CommitBatch(batch, job), BatchSeen(batch_id):
            return Verdict([BatchAccepted(batch, batch_id), JobClosed(job)])
        case CommitBatch(batch), JobSeen(standing=JobStanding.OPEN):
            return Verdict([BatchDoubted(batch)])
        case ((SendBatch(batch, job) | CommitBatch(batch, job)), JobSeen() as seen):
            return _job_taken_away(view, batch, job, seen)
        case SettleJob(), Found() as found:
            return _settled(view, order, found, rules)
        case AuditJob(job), JobSeen() as seen:
            return Verdict([JobAudited(job, aborted=seen.standing is JobStanding.ABORTED)])
        case LookAtJob(), Looked() as looked:
            return _looked(view, order, looked)
        case FetchResults(batch), Seal(size, sha256):
            return Verdict([ResultsFetched(batch, size, sha256)])
        case JoinBatch(batch), bool(there):
            return Verdict([BatchJoined(batch) if there else ResultsLost(batch)])
        case _:
            raise TypeError(f"{type(answer).__name__} is not an answer to {type(order).__name__}")


def refused(view: View, order: Order, error: Exception, rules: Rules) -> Follows:  # noqa: C901, PLR0912  (one arm a case)
    """Return what follows from an order that failed.

    A batch may only be sent again if it certainly did not reach the org, or the org refused it.
    """
    match order, error:
        case OpenJob(job), _:
            left_open = not isinstance(error, (NotSent, RefusedError))
            stop = _jobs_lost(view.jobs_lost + 1, error, rules) if left_open else None
            return Verdict([JobLost(job, left_open)], stop=stop, trouble=error)
        case SendBatch(batch), NotSent() | RefusedError() | SourceChanged():
            return Verdict([BatchAbsent(batch)], trouble=error)
        case SendBatch(batch), OutcomeUnknown() | ProtocolError():
            return Verdict([BatchDoubted(batch)], trouble=_if_asked_to_wait(error))
        case SendBatch(batch), _:
            return Verdict([BatchDoubted(batch)], trouble=error)
        case CommitBatch(batch), OutcomeUnknown() | ProtocolError():
            return Verdict([BatchDoubted(batch)], trouble=_if_asked_to_wait(error))
        case CommitBatch(batch), _:
            # Even if nothing was sent: settling it finds the job as it is, and goes on from there.
            return Verdict([BatchDoubted(batch)], trouble=error)
        case FetchResults(batch), UnreadableResults():
            if view.unreadable[batch] + 1 < RESULT_TRIES:
                return Verdict([ResultsUnreadable(batch)], trouble=error)
            # The rest of the run can still finish.
            text = f"The org accepted this row, but its outcome is not known: {text_of(error)}"
            return Verdict([ResultsUnreadable(batch), BatchLeftInDoubt(batch, text)])
        case FetchResults(batch), (InvalidRequest() | NotFound()) as refusal:
            return _results_refused(batch, refusal, rules)
        case AuditJob(job), NotFound() if not _is_needed(view, job):
            return Verdict([JobClosing(job), JobClosed(job), JobAudited(job)])
        case ((AuditJob(job) | SettleJob(job) | LookAtJob(job)), NotFound()):
            return _unsettled(view, order, _gone(view.job_id(job), error), rules)
        case ((AuditJob() | SettleJob() | LookAtJob()), Unsettled()):
            return _unsettled(view, order, error, rules)
        case _:
            return Verdict(trouble=error)


def _if_asked_to_wait(error: Exception) -> Exception | None:
    """Return an error if the org asks for a pause in it; otherwise the batch is looked for at once."""
    return error if getattr(error, "retry_after_seconds", None) else None


def _results_refused(batch: int, error: InvalidRequest | NotFound, rules: Rules) -> Follows:
    """Stop a run if the org does not give out the results of a batch that ended, unless the user says to go on.

    The org has run the batch: its rows are in doubt whatever the user says, and are never sent again.
    """
    if rules.accept_as is not None:
        text = f"The org accepted this row, but its outcome is not known: {text_of(error)}"
        return Verdict([BatchLeftInDoubt(batch, text)])
    way_out = (
        "If the org keeps refusing the results of this batch, resume with accept_as sent: its rows are then in doubt"
    )
    return Verdict(trouble=type(error)(f"{text_of(error)}. {way_out}", error.facts))


def _job_taken_away(view: View, batch: int, job: int, seen: JobSeen) -> Follows:
    """Handle a job that is no longer open though we did not close it.

    If it was closed, another job follows; if it was aborted, the run stops.
    """
    if seen.standing is JobStanding.OPEN:
        text = "The org says that the job is open, but refuses a batch because it is closed"
        return Verdict([BatchAbsent(batch)], trouble=Unavailable(text, Facts(job_id=seen.id)))
    stops = seen.standing is JobStanding.ABORTED and job not in view.aborted
    return Verdict([BatchAbsent(batch), JobClosed(job)], stop=_aborted(seen.id) if stops else None)


def _looked(view: View, order: LookAtJob, looked: Looked) -> Follows:
    job = order.job
    unknown = frozenset(looked.batches) - view.taken.get(job, set())
    events: list[Event] = [JobListed(job, unknown)] if unknown else []
    # While the list was on its way, the user's decision about a missing job may have ended a batch.
    waiting = view.waiting.get(job, {})
    ended = [(batch_id, seen) for batch_id in order.waiting if (seen := looked.batches[batch_id]).end]
    events += [_end_of(waiting[batch_id], seen) for batch_id, seen in ended if batch_id in waiting]
    if looked.job is None:
        return Verdict(events)
    stops = job not in view.aborted
    return Verdict([*events, JobClosed(job)], stop=_aborted(order.job_id) if stops else None)


def _end_of(number: int, seen: BatchSeen) -> Event:
    assert seen.end is not None
    if seen.never_run:
        return BatchNeverRun(number)
    # A failed batch may have results for the records it processed, whatever its counts say.
    return BatchEnded(number, seen.end, seen.message, has_results=True, processed=seen.processed, failed=seen.failed)


def _settled(view: View, order: SettleJob, found: Found, rules: Rules) -> Follows:
    job, left, events = order.job, [number for number in order.doubtful if number not in found.adopted], list[Event]()
    if found.strangers:
        strangers = strangers_in(order.job_id, found.strangers)
        if rules.accept_as is None:
            return _unsettled(view, order, strangers, rules)
        events = [StrangersAccepted(job, strangers.strangers)]
        if rules.accept_as == "sent":
            # One of them may be ours after all, in a form that we cannot recognize.
            events += _left_in_doubt(left, strangers)
            left = []
    times = max((view.losses[batch] + 1 for batch in left), default=0)
    stop = None
    if times >= rules.sendings:
        batch = next(batch for batch in left if view.losses[batch] + 1 == times)
        # A batch that never arrives, however often it is sent, will not recover by waiting.
        stop = NotSent(
            f"Batch {batch} was sent {times} times and never arrived. "
            "Does a proxy or firewall cut off uploads of this size? Smaller batches may get through"
        )
    # After the first loss it is sent again at once.
    pause = rules.pause_seconds * 4 ** (times - 2) if times > 1 else 0.0
    return Verdict([*events, JobSettled(job, found.adopted, tuple(left))], stop=stop, pause_seconds=pause)


def _unsettled(view: View, order: AuditJob | SettleJob | LookAtJob, error: Unsettled, rules: Rules) -> Follows:
    """Settle an order as the user decided; without a decision, stop the run once everything else is done."""
    if rules.accept_as is None:
        return Verdict([OrderUnsettled(order, error)])
    sent, number = rules.accept_as == "sent", order.job
    doubtful = sorted(view.doubtful.get(number, ()))
    match error.why:
        case "strangers":
            return Verdict([StrangersAccepted(number, error.strangers)])
        case "closed":
            return Verdict([JobClosing(number), *rest_in_doubt(view, error, rules.accept_as)])
        case _:
            gone = error.why == "gone"
            waiting = list(view.waiting.get(number, {}).values()) if gone else []
            lost = [batch for batch in view.fetchable if _job_of(view.batches[batch]) == number] if gone else []
            events = _left_in_doubt([*doubtful, *waiting, *lost] if sent else lost, error)
            events += [BatchNeverRun(batch) for batch in waiting if not sent]
            return Verdict(
                [
                    *events,
                    JobClosing(number),
                    JobSettled(number, {}, () if sent else tuple(doubtful)),
                    JobAudited(number),
                ]
            )


def rest_in_doubt(view: View, error: Unsettled, accept_as: AcceptAs) -> list[Event]:
    """Return what follows for the batches that this run has not sent, but another copy of it may have.

    If the user decided that they were sent, they are left in doubt.
    """
    rest = [*view.pending, *(batch for batches in view.doubtful.values() for batch in sorted(batches))]
    return _left_in_doubt(rest if accept_as == "sent" else [], error)


def _left_in_doubt(batches: Iterable[int], error: Error) -> list[Event]:
    return [
        BatchLeftInDoubt(batch, f"It is not known whether the org accepted this row: {text_of(error)}")
        for batch in batches
    ]


def standing(view: View, batch: BatchView, cause: Exception | None) -> str:
    """Return the status of a row whose batch has no outcome, for a run that cannot continue by itself."""
    if batch.number in view.pending:
        return f"This row was not sent; the run stopped first: {text_of(cause)}"
    if batch.attempt and batch.attempt.id:
        return f"The org accepted this row in batch {batch.attempt.id}, but its outcome is not known: {text_of(cause)}"
    return f"It is not known whether the org accepted this row: {text_of(cause)}"


def text_of(error: Exception | None) -> str:
    """Return the text of an error without the ids that follow it."""
    return error.text if isinstance(error, Error) else str(error)


def _is_needed(view: View, job: int) -> bool:
    """Whether anything about a job is still unknown."""
    waits = view.doubtful.get(job) or view.waiting.get(job)
    return bool(waits) or any(_job_of(view.batches[batch]) == job for batch in view.fetchable)


def _jobs_lost(times: int, error: Exception, rules: Rules) -> OutcomeUnknown | None:
    """Return the reason to stop if creating a job has failed too often for waiting to help."""
    if times < rules.sendings:
        return None
    return OutcomeUnknown(
        f"Creating a job was tried {times} times without success; "
        f"up to as many empty jobs may have been left open. The last time: {text_of(error)}",
        getattr(error, "facts", None),
    )


def _gone(job_id: str, error: NotFound) -> Unsettled:
    return Unsettled(
        f"The org no longer knows job {job_id} (jobs are kept for 7 days). "
        "The outcome of its batches can only be seen in the records themselves; nothing more is sent",
        error.facts,
        why="gone",
    )


def _aborted(job_id: str) -> JobAborted:
    return JobAborted(
        f"Job {job_id} was aborted or failed in the org. Resuming sends the batches that did not run in a new job",
        Facts(job_id=job_id),
    )


def _job_of(batch: BatchView) -> int | None:
    return batch.attempt.job if batch.attempt else None
