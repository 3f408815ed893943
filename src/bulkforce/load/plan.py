"""What to do next in a load, and what follows from what became of it: pure. No socket, thread, clock or database.

The same state and rules always give the same orders. See `state` for how a batch and a job get from one stage to the next.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Final, Literal, TypeAlias, assert_never

from bulkforce.errors import (
    Error,
    Facts,
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
from bulkforce.load.events import (
    BatchAbsent,
    BatchAccepted,
    BatchDoubted,
    BatchEnded,
    BatchJoined,
    BatchLeftInDoubt,
    BatchNeverRun,
    BatchRefused,
    BatchSending,
    Event,
    JobAudited,
    JobClosed,
    JobClosing,
    JobListed,
    JobLost,
    JobOpened,
    JobSettled,
    JobWanted,
    OrderUnsettled,
    ResultsFetched,
    ResultsLost,
    ResultsUnreadable,
    RunTakenUp,
    StrangersAccepted,
)
from bulkforce.load.state import BatchView, Counts, Job, JobStage, Outcome, View, apply
from bulkforce.protocol.info import BatchInfo, JobInfo
from bulkforce.run.plan import Verdict
from bulkforce.transfer import reconcile
from bulkforce.vocabulary import BatchState, JobState

AcceptAs: TypeAlias = Literal["sent", "not-sent"]
Follows: TypeAlias = Verdict[Event]

RESULT_TRIES: Final = 3
"""How often results that cannot be read are fetched before their rows are left in doubt."""

# The org finds the batch's bytes wrong, and would find so again. Everything else is about the job, the session or the org.
_CONTENT_IS_WRONG: Final = frozenset({"InvalidBatch", "ClientInputError", "UnsupportedContentType"})


@dataclass(frozen=True, slots=True)
class OpenJob:
    """Create a job."""

    job: int


@dataclass(frozen=True, slots=True)
class SendBatch:
    """Add a batch to a job."""

    batch: int
    job: int
    job_id: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class SettleJob:
    """Close a fenced job for good and find out what it holds: which of the ``doubtful`` batches, besides those ``known`` by id."""

    job: int
    job_id: str = field(default="", compare=False)
    known: frozenset[str] = field(default=frozenset(), compare=False)
    doubtful: tuple[int, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class CloseJob:
    """Close a job that gets nothing more."""

    job: int
    job_id: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class AuditJob:
    """Compare what a job holds with what the journal knows; see `reconcile.audit`."""

    job: int
    job_id: str = field(default="", compare=False)
    known: frozenset[str] = field(default=frozenset(), compare=False)
    doubts: bool = field(default=False, compare=False)
    ours_to_close: bool = field(default=False, compare=False)
    closed: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class LookAtJob:
    """List the batches of a job, among them those that are ``waiting``: id -> number."""

    job: int
    job_id: str = field(default="", compare=False)
    waiting: Mapping[str, int] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class FetchResults:
    """Bring the results of a batch to disk.

    Attributes:
        batch: Its number.
        facts: The org's ids of its job and of itself.
        records: How many it has.
        whole: Whether every one of them must have a result.
        counts: What the org counts of it, if that was seen.
        last_try: Whether results that cannot be read are to be kept for the user.
    """

    batch: int
    facts: Facts = field(default_factory=Facts, compare=False)
    records: int = field(default=0, compare=False)
    whole: bool = field(default=False, compare=False)
    counts: Counts | None = field(default=None, compare=False)
    last_try: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class JoinBatch:
    """Write the rows of the next batch, each with its result, into the run's outputs.

    Attributes:
        batch: Its number.
        records: How many it has.
        outcome: How it ended.
        results: Size and SHA-256 of its results.
    """

    batch: int
    records: int = field(default=0, compare=False)
    outcome: Outcome | None = field(default=None, compare=False)
    results: tuple[int, str] | None = field(default=None, compare=False)


Order: TypeAlias = OpenJob | SendBatch | SettleJob | CloseJob | AuditJob | LookAtJob | FetchResults | JoinBatch


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look at a job showed: its batches, and its own state where a batch was not processed."""

    batches: Mapping[str, BatchInfo]
    state: JobState | None = None


@dataclass(frozen=True, slots=True)
class Fetched:
    """The results of a batch are on disk: their size and SHA-256."""

    size: int
    sha256: str


Answer: TypeAlias = JobInfo | BatchInfo | reconcile.Found | Looked | Fetched | bool | None
"""Of `OpenJob`, `AuditJob`, and of `SendBatch` whose job is not open any more: the job. Of `SendBatch`: the batch. Of `SettleJob`: what was found.
Of `JoinBatch`: whether the results were on disk as they were. Of `CloseJob`: nothing."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What the plan keeps to.

    Attributes:
        workers: Uploads and downloads at once.
        job_seconds: A job older than this gets no more batches; the org takes none after 24 hours.
        feeding: Whether new batches may be sent at all.
        accept_as: What the user says of batches of which it cannot be known whether the org took them; without a word they stop the run.
        sendings: How often a batch, or a job, may be lost on its way before the run stops.
        pause_seconds: Pause before a batch is sent a third time; it grows.
    """

    workers: int
    job_seconds: float
    feeding: bool = True
    accept_as: AcceptAs | None = None
    sendings: int = 5
    pause_seconds: float = 1.0


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """The plan of a load, by its rules; see `bulkforce.run.plan.Plan`."""

    rules: Rules

    def begin(self, state: View) -> list[Event]:
        """See `on_resume`."""
        return on_resume(state)

    def decide(self, state: View, busy: Collection[Order], now: float, *, stopping: bool) -> list[Order]:
        """See `decide`. What cannot be settled keeps the rest from being sent; when the run stops, what is in doubt is still settled."""
        feeding = not (stopping or state.unsettled)
        orders = decide(state, busy, replace(self.rules, feeding=feeding), now)
        if stopping:
            orders = [order for order in orders if isinstance(order, (SettleJob, JoinBatch))]
        return [order for order in orders if order not in state.unsettled] if state.unsettled else orders

    def is_look(self, order: Order) -> bool:
        """See `bulkforce.run.plan.Plan`."""
        return isinstance(order, LookAtJob)

    def looks(self, state: View) -> Iterator[Order]:
        """See `bulkforce.run.plan.Plan`."""
        return (LookAtJob(job) for job, waiting in state.waiting.items() if waiting)

    def prepare(self, state: View, order: Order) -> Order:
        """See `prepare`."""
        return prepare(state, order)

    def intend(self, order: Order, now: float) -> list[Event]:
        """Say what is journalled before an order is begun."""
        match order:
            case OpenJob(job):
                return [JobWanted(job, now)]
            case SendBatch(batch, job):
                return [BatchSending(batch, job)]
            case CloseJob(job) | SettleJob(job):
                return [JobClosing(job)]
            case AuditJob() | LookAtJob() | FetchResults() | JoinBatch():
                return []

    def answered(self, state: View, order: Order, answer: Answer) -> Follows:
        """See `answered`."""
        return answered(state, order, answer, self.rules)

    def refused(self, state: View, order: Order, error: Exception) -> Follows:
        """See `refused`."""
        return refused(state, order, error, self.rules)

    def apply(self, state: View, event: Event) -> None:
        """See `bulkforce.load.state.apply`."""
        apply(state, event)

    def reached(self, state: View) -> bool:
        """Whether the org has answered in this run, or may have."""
        return any(job.id or job.left_open for job in state.jobs.values())

    def finished(self, state: View) -> bool:
        """Whether nothing is left to do."""
        return state.finished

    def stuck(self, state: View) -> Unsettled | None:
        """Give the first thing that cannot be settled."""
        return next(iter(state.unsettled.values()), None)


def on_resume(view: View) -> list[Event]:
    """Say what follows from a death: nothing of what was under way can be trusted to have failed."""
    lost: list[Event] = [JobLost(job.number, left_open=True) for job in view.jobs.values() if job.stage is JobStage.OPENING]
    return [*lost, *(BatchDoubted(batch) for batches in view.doubtful.values() for batch in sorted(batches)), RunTakenUp()]


def decide(view: View, busy: Collection[Order], rules: Rules, now: float) -> list[Order]:
    """Say what to begin now, besides what is under way.

    Args:
        view: Where the run stands.
        busy: The orders under way.
        rules: What to keep to.
        now: Seconds on the clock that jobs were opened by.
    """
    joins = _joins(view, busy)
    if view.unaudited:
        # What an earlier sitting left is audited before anything is touched.
        return [*(audit for job in sorted(view.unaudited) if (audit := AuditJob(job)) not in busy), *joins]
    # What it left in doubt is settled before anything more is sent, and nothing is sent beside a stranger.
    feeding = rules.feeding and not (view.doubts_first or view.strangers)
    usable = [
        job
        for job in view.jobs.values()
        if job.stage is JobStage.OPEN and not job.closing and now - job.opened < rules.job_seconds and CloseJob(job.number) not in busy
    ]
    orders = [order for order in _control(view, usable, feeding=feeding) if order not in busy]
    # Joining takes a worker's place, too: each holds as much memory as a batch has.
    slots = rules.workers - len(joins) - sum(isinstance(order, (SendBatch, FetchResults, JoinBatch)) for order in busy)
    fetches = [order for batch in islice(view.fetchable, max(slots, 0) + len(busy)) if (order := FetchResults(batch)) not in busy]
    sends = [SendBatch(batch, usable[0].number) for batch in islice(view.pending, max(slots, 0))] if usable and feeding else []
    # Uploads first, they keep the org at work; but a fetch is never starved.
    if fetches and not any(isinstance(order, FetchResults) for order in busy):
        sends = sends[: max(slots - 1, 0)]
    chosen: list[Order] = [*sends, *fetches]
    return orders + joins + chosen[: max(slots, 0)]


def _joins(view: View, busy: Collection[Order]) -> list[Order]:
    """Give the one batch that comes next in the outputs, if its results are there: they are written one after the other."""
    following = view.batches.get(view.joined + 1)
    ready = following is not None and following.ended and not any(isinstance(order, JoinBatch) for order in busy)
    return [JoinBatch(view.joined + 1)] if ready else []


def _control(view: View, usable: list[Job], *, feeding: bool) -> Iterator[Order]:
    opening = False
    in_flight = set(view.flying.values())
    for job in view.jobs.values():
        opening = opening or job.stage is JobStage.OPENING
        if job.stage in {JobStage.OPENING, JobStage.LOST} or job.number in in_flight:
            continue
        if _is_to_be_audited(view, job):
            yield AuditJob(job.number)
        elif job.stage is JobStage.FENCED:
            yield SettleJob(job.number)
        elif job.stage is JobStage.OPEN and not (view.pending and job in usable):
            yield CloseJob(job.number)
    if view.pending and not usable and not opening and feeding:
        yield OpenJob(len(view.jobs) + 1)
    for number, batches in view.waiting.items():
        if batches:
            yield LookAtJob(number)


def _is_to_be_audited(view: View, job: Job) -> bool:
    if view.strangers.get(job.number):
        return True
    # As late as can be: what the org took behind our back may appear late.
    return job.stage is JobStage.CLOSED and view.done == len(view.batches) and not job.audited


def prepare(view: View, order: Order) -> Order:
    """Give an order all that its worker needs: the state may change while it works."""
    match order:
        case OpenJob():
            return order
        case SendBatch(job=job) | CloseJob(job):
            return replace(order, job_id=_job_id(view, job))
        case SettleJob(job):
            doubtful = tuple(sorted(view.doubtful.get(job, ())))
            return replace(order, job_id=_job_id(view, job), known=frozenset(view.taken.get(job, ())), doubtful=doubtful)
        case AuditJob(number):
            found = view.jobs[number]
            return AuditJob(
                number,
                str(found.id),
                frozenset(view.taken.get(number, ())),
                doubts=bool(view.doubtful.get(number)),
                ours_to_close=number in view.unaudited and found.stage in {JobStage.OPEN, JobStage.FENCED} and not found.closing,
                closed=found.stage is JobStage.CLOSED,
            )
        case LookAtJob(job):
            return LookAtJob(job, _job_id(view, job), dict(view.waiting.get(job, {})))
        case FetchResults(number):
            batch = view.batches[number]
            whole = batch.outcome is not None and batch.outcome.state == BatchState.COMPLETED
            last = view.unreadable[number] + 1 >= RESULT_TRIES
            return FetchResults(number, _facts(view, batch), batch.records, whole, view.counted.get(number), last)
        case JoinBatch(number):
            batch = view.batches[number]
            return JoinBatch(number, batch.records, batch.outcome, batch.results)
        case _:
            assert_never(order)


def answered(view: View, order: Order, answer: Answer, rules: Rules) -> Follows:
    """Say what follows from an order that was carried out."""
    match order, answer:
        case OpenJob(job), JobInfo() as info:
            return Verdict([JobOpened(job, info.id)])
        case CloseJob(job), None:
            return Verdict([JobClosed(job)])
        case SendBatch(batch), BatchInfo() as info:
            return Verdict([BatchAccepted(batch, info.id)])
        case SendBatch(batch, job), JobInfo() as info:
            return _job_taken_away(view, batch, job, info)
        case SettleJob(), reconcile.Found() as found:
            return _settled(view, order, found, rules)
        case AuditJob(job), JobInfo() as info:
            return Verdict([JobAudited(job, aborted=info.state not in {JobState.OPEN, JobState.CLOSED})])
        case LookAtJob(), Looked() as looked:
            return _looked(view, order, looked)
        case FetchResults(batch), Fetched(size, sha256):
            return Verdict([ResultsFetched(batch, size, sha256)])
        case JoinBatch(batch), bool(there):
            return Verdict([BatchJoined(batch) if there else ResultsLost(batch)])
        case _:
            raise TypeError(f"{type(answer).__name__} is no answer to {type(order).__name__}")


def refused(view: View, order: Order, error: Exception, rules: Rules) -> Follows:  # noqa: C901  (one arm a case)
    """Say what follows from an order that failed. Only what certainly did not reach the org, or was refused by it, may be sent again."""
    match order, error:
        case OpenJob(job), _:
            left_open = not isinstance(error, (NotSent, RefusedError))
            stop = _jobs_lost(view.jobs_lost + 1, error, rules) if left_open else None
            return Verdict([JobLost(job, left_open)], stop=stop, trouble=error)
        case SendBatch(batch), RefusedError() if error.code in _CONTENT_IS_WRONG:
            return Verdict([BatchRefused(batch, f"{error.code}: {error.message}")])
        case SendBatch(batch), NotSent() | RefusedError() | SourceChanged():
            return Verdict([BatchAbsent(batch)], trouble=error)
        case SendBatch(batch), OutcomeUnknown() | ProtocolError():
            # It is sought for at once, unless the org asks for a pause.
            return Verdict([BatchDoubted(batch)], trouble=error if getattr(error, "retry_after_seconds", None) else None)
        case SendBatch(batch), _:
            return Verdict([BatchDoubted(batch)], trouble=error)
        case FetchResults(batch), UnreadableResults():
            if view.unreadable[batch] + 1 < RESULT_TRIES:
                return Verdict([ResultsUnreadable(batch)], trouble=error)
            # So that the rest of the run comes to its end.
            text = f"The org took this row, and what became of it is not known: {text_of(error)}"
            return Verdict([ResultsUnreadable(batch), BatchLeftInDoubt(batch, text)])
        case AuditJob(job), NotFound() if not _is_needed(view, job):
            return Verdict([JobClosing(job), JobClosed(job), JobAudited(job)])
        case ((AuditJob(job) | SettleJob(job) | LookAtJob(job)), NotFound()):
            return _unsettled(view, order, _gone(_job_id(view, job), error), rules)
        case ((AuditJob() | SettleJob() | LookAtJob()), Unsettled()):
            return _unsettled(view, order, error, rules)
        case _:
            return Verdict(trouble=error)


def _job_taken_away(view: View, batch: int, job: int, info: JobInfo) -> Follows:
    """The job is not open although we did not close it: another follows if it was closed, and the run stops if it was aborted."""
    if info.state is JobState.OPEN:
        text = "The org says that the job is open, and refuses a batch because it is not"
        return Verdict([BatchAbsent(batch)], trouble=Unavailable(text, Facts(job_id=info.id)))
    stops = info.state is not JobState.CLOSED and job not in view.aborted
    return Verdict([BatchAbsent(batch), JobClosed(job)], stop=_aborted(info.id) if stops else None)


def _looked(view: View, order: LookAtJob, looked: Looked) -> Follows:
    job = order.job
    unknown = frozenset(looked.batches) - view.taken.get(job, set())
    events: list[Event] = [JobListed(job, unknown)] if unknown else []
    # While the list was on its way, something else may have ended a batch: the user's word on a job that is gone.
    waiting = view.waiting.get(job, {})
    ended = [(number, info) for batch_id, number in order.waiting.items() if (info := looked.batches[batch_id]).state.is_final]
    events += [_end_of(number, info) for number, info in ended if waiting.get(info.id) == number]
    if looked.state is None:
        return Verdict(events)
    stops = job not in view.aborted
    return Verdict([*events, JobClosed(job)], stop=_aborted(order.job_id) if stops else None)


def was_never_run(info: BatchInfo) -> bool:
    """Whether the org took a batch and certainly did nothing with it."""
    return info.state is BatchState.NOT_PROCESSED and not info.number_records_processed


def _end_of(number: int, info: BatchInfo) -> Event:
    if was_never_run(info):
        return BatchNeverRun(number)
    # A batch that failed may have results for what it did, whatever it counts.
    processed, failed = info.number_records_processed, info.number_records_failed
    return BatchEnded(number, info.state, info.state_message, has_results=True, processed=processed, failed=failed)


def _settled(view: View, order: SettleJob, found: reconcile.Found, rules: Rules) -> Follows:
    job, left, events = order.job, [number for number in order.doubtful if number not in found.adopted], list[Event]()
    if found.strangers:
        strangers = reconcile.strangers_in(order.job_id, found.strangers)
        if rules.accept_as is None:
            return _unsettled(view, order, strangers, rules)
        events = [StrangersAccepted(job, strangers.strangers)]
        if rules.accept_as == "sent":
            # One of them may be ours after all, in a form that cannot be told.
            events += _left_in_doubt(left, strangers)
            left = []
    times = max((view.losses[batch] + 1 for batch in left), default=0)
    stop = None
    if times >= rules.sendings:
        batch = next(batch for batch in left if view.losses[batch] + 1 == times)
        # A batch that never arrives, however often it is sent, is no passing trouble.
        stop = NotSent(
            f"Batch {batch} was sent {times} times and never arrived; does something on the way cut uploads of this size? Smaller batches may pass"
        )
    # The first time it is sent again at once.
    pause = rules.pause_seconds * 4 ** (times - 2) if times > 1 else 0.0
    return Verdict([*events, JobSettled(job, found.adopted, tuple(left))], stop=stop, pause_seconds=pause)


def _unsettled(view: View, order: AuditJob | SettleJob | LookAtJob, error: Unsettled, rules: Rules) -> Follows:
    """End what cannot be settled as the user says; without a word it stops the run, once all else has come to its end."""
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
            return Verdict([*events, JobClosing(number), JobSettled(number, {}, () if sent else tuple(doubtful)), JobAudited(number)])


def rest_in_doubt(view: View, error: Unsettled, accept_as: AcceptAs) -> list[Event]:
    """What this run has not sent, somebody else may have: with the user's word that it was sent it is left so."""
    rest = [*view.pending, *(batch for batches in view.doubtful.values() for batch in sorted(batches))]
    return _left_in_doubt(rest if accept_as == "sent" else [], error)


def _left_in_doubt(batches: Iterable[int], error: Error) -> list[Event]:
    return [BatchLeftInDoubt(batch, f"It is not known whether the org took this row: {text_of(error)}") for batch in batches]


def standing(view: View, batch: BatchView, cause: Exception | None) -> str:
    """Say where a row stands whose batch has no outcome, for a run that cannot go on by itself."""
    if batch.number in view.pending:
        return f"This row was not sent; the run stopped before: {text_of(cause)}"
    if batch.attempt and batch.attempt.id:
        return f"The org took this row in batch {batch.attempt.id}, and what became of it is not known: {text_of(cause)}"
    return f"It is not known whether the org took this row: {text_of(cause)}"


def text_of(error: Exception | None) -> str:
    """Give the words of an error without the ids behind them."""
    return error.text if isinstance(error, Error) else str(error)


def _is_needed(view: View, job: int) -> bool:
    """Whether something of a job is still to be found out."""
    waits = view.doubtful.get(job) or view.waiting.get(job)
    return bool(waits) or any(_job_of(view.batches[batch]) == job for batch in view.fetchable)


def _jobs_lost(times: int, error: Exception, rules: Rules) -> OutcomeUnknown | None:
    """A job whose creation never ends well, however often it is asked for, is no passing trouble."""
    if times < rules.sendings:
        return None
    return OutcomeUnknown(
        f"A job was asked for {times} times, and none could be used; as many empty jobs may have been left open. The last time: {text_of(error)}",
        getattr(error, "facts", None),
    )


def _gone(job_id: str, error: NotFound) -> Unsettled:
    return Unsettled(
        f"The org no longer knows job {job_id} (jobs are kept for 7 days): what became of its batches can only be seen in the records "
        "themselves; nothing more is sent",
        error.facts,
        why="gone",
    )


def _aborted(job_id: str) -> JobAborted:
    return JobAborted(f"Job {job_id} was aborted or failed in the org. Resuming sends what has not run in a new job", Facts(job_id=job_id))


def _job_id(view: View, job: int) -> str:
    return str(view.jobs[job].id)


def _job_of(batch: BatchView) -> int | None:
    return batch.attempt.job if batch.attempt else None


def _facts(view: View, batch: BatchView) -> Facts:
    assert batch.attempt is not None
    return Facts(job_id=_job_id(view, batch.attempt.job), batch_id=batch.attempt.id)
