"""What follows from what became of an order of a load, by tables.

Each order with each kind of error and answer; and what cannot be settled with each word of the user.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import get_args

import pytest

from bulkforce import errors
from bulkforce.apis.abc import BatchEnd, BatchSeen, ContentRefused, Found, JobSeen, JobStanding, Looked, Uploaded
from bulkforce.errors import Error, Facts, Unsettled
from bulkforce.load.batches import BatchView
from bulkforce.load.events import (
    BatchAbsent,
    BatchAccepted,
    BatchCommitting,
    BatchDoubted,
    BatchEnded,
    BatchJoined,
    BatchLeftInDoubt,
    BatchNeverRun,
    BatchRefused,
    BatchSending,
    BatchUploaded,
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
    prepare,
)
from bulkforce.load.rules import AcceptAs, Rules
from bulkforce.load.state import View, apply
from bulkforce.load.verdicts import Follows, answered, refused, rest_in_doubt, standing, text_of
from bulkforce.run.plan import Verdict
from bulkforce.run.seal import Seal

RULES = Rules(workers=2, job_seconds=100.0)
WORDS: tuple[AcceptAs | None, ...] = (None, *get_args(AcceptAs))
"""What the user may say of what cannot be known: nothing, that it was sent, that it was not."""


def a_view(*before: Event, batches: int = 4) -> View:
    """A load of some batches of ten records with one open job, to which this has happened."""
    view = View({number: BatchView(number, 10, "digest") for number in range(1, batches + 1)}, {})
    for event in (JobWanted(1, 0.0), JobOpened(1, "750A"), *before):
        apply(view, event)
    return view


def sent(*batches: int) -> list[Event]:
    return [BatchSending(batch, 1) for batch in batches]


def committing(batch: int) -> list[Event]:
    return [*sent(batch), BatchUploaded(batch), BatchCommitting(batch, 1)]


def taken(*batches: int) -> list[Event]:
    return [*sent(*batches), *(BatchAccepted(batch, f"751{batch}") for batch in batches)]


def doubted(*batches: int) -> list[Event]:
    return [*sent(*batches), *(BatchDoubted(batch) for batch in batches)]


def done(*batches: int) -> list[Event]:
    return [*taken(*batches), *(BatchEnded(batch, BatchEnd.COMPLETED, None, has_results=True) for batch in batches)]


def take_in(view: View, verdict: Follows) -> View:
    """Apply what follows; each batch must then stand in just one place, and be counted there."""
    for event in verdict.events:
        apply(view, event)
    places = [*view.pending, *view.flying, *view.fetchable]
    places += [batch for batches in view.doubtful.values() for batch in batches]
    places += [batch for batches in view.waiting.values() for batch in batches.values()]
    places += [batch.number for batch in view.batches.values() if batch.fetched]
    assert sorted(places) == sorted(view.batches)
    assert view.done == sum(batch.fetched for batch in view.batches.values())
    assert view.unsent == 10 * len([*view.pending, *view.flying])
    return view


def plain(events: Iterable[Event]) -> list[object]:
    """Events, with an error in them as why it is one."""
    return [(event.order, event.error.why) if isinstance(event, OrderUnsettled) else event for event in events]


# Errors. A kind that is added to the tree must be put into each row.

ERRORS: dict[str, Exception] = {
    "not sent": errors.NotSent("x"),
    "no answer": errors.NoAnswer("x"),
    "outcome unknown": errors.OutcomeUnknown("x"),
    "outcome unknown, pause": errors.OutcomeUnknown("x", retry_after_seconds=5.0),
    "not authenticated": errors.NotAuthenticated("x"),
    "not permitted": errors.NotPermitted("x"),
    "not found": errors.NotFound("x"),
    "invalid": errors.InvalidRequest("x"),
    "limit": errors.LimitReached("x", retry_after_seconds=5.0),
    "unavailable": errors.Unavailable("x", retry_after_seconds=5.0),
    "protocol": errors.ProtocolError("x"),
    "intercepted": errors.Intercepted("x"),
    "unreadable": errors.UnreadableResults("x"),
    "format": errors.FormatError("x"),
    "source changed": errors.SourceChanged("x"),
    "strangers": Unsettled("x", why="strangers", strangers={"7519"}),
    "closed": Unsettled("x", why="closed"),
    "gone": Unsettled("x", why="gone"),
    "restless": Unsettled("x", why="restless"),
    "disk": OSError("x"),
}
ORG_SAID_NO = ("not authenticated", "not permitted", "not found", "invalid", "limit", "unavailable")
UNSETTLED = ("strangers", "closed", "gone", "restless")
ALL = tuple(ERRORS)


def others(*kinds: str) -> tuple[str, ...]:
    return tuple(kind for kind in ALL if kind not in kinds)


@dataclass(frozen=True)
class Arm:
    """What follows from an order that failed in these ways, and why; ``waits``: the error is trouble that may pass.

    ``adds``: what is said of it besides.
    """

    because: str
    before: list[Event]
    order: Order
    kinds: tuple[str, ...]
    events: list[object]
    waits: bool = True
    adds: str = ""


SURELY_NOT_THERE = ("not sent", *ORG_SAID_NO)
FAILED = [
    Arm(
        "the org has no job that we asked for in vain",
        [JobWanted(2, 0.0)],
        OpenJob(2),
        SURELY_NOT_THERE,
        [JobLost(2)],
    ),
    Arm(
        "the org may have the job all the same, and the user is told of it",
        [JobWanted(2, 0.0)],
        OpenJob(2),
        others(*SURELY_NOT_THERE),
        [JobLost(2, left_open=True)],
    ),
    Arm(
        "what certainly is not in the org may be sent again",
        sent(1),
        SendBatch(1, 1),
        (*SURELY_NOT_THERE, "source changed"),
        [BatchAbsent(1)],
    ),
    Arm(
        "what may be in the org is sought for at once",
        sent(1),
        SendBatch(1, 1),
        ("outcome unknown", "protocol", "intercepted", "unreadable"),
        [BatchDoubted(1)],
        waits=False,
    ),
    Arm(
        "what may be in the org is sought for; but the org asked for a pause, or the fault is our own",
        sent(1),
        SendBatch(1, 1),
        ("outcome unknown, pause", "no answer", "format", *UNSETTLED, "disk"),
        [BatchDoubted(1)],
    ),
    Arm(
        "a commit may have reached the org, and its job is looked at at once",
        committing(1),
        CommitBatch(1, 1),
        ("outcome unknown", "protocol", "intercepted", "unreadable"),
        [BatchDoubted(1)],
        waits=False,
    ),
    Arm(
        "a commit that was refused, or not even sent, is settled like one that was lost, once the trouble is over",
        committing(1),
        CommitBatch(1, 1),
        others("outcome unknown", "protocol", "intercepted", "unreadable"),
        [BatchDoubted(1)],
    ),
    Arm("closing a job is tried again", [JobClosing(1)], CloseJob(1), ALL, []),
    Arm(
        "results that could not be read are counted",
        done(1),
        FetchResults(1),
        ("unreadable",),
        [ResultsUnreadable(1)],
    ),
    Arm(
        "results that did not come are asked for again",
        done(1),
        FetchResults(1),
        others("unreadable", "invalid", "not found"),
        [],
    ),
    Arm(
        "results that the org refuses are asked for again, and the run says how to end it without them",
        done(1),
        FetchResults(1),
        ("invalid", "not found"),
        [],
        adds=". If the org keeps refusing the results of this batch, resume with accept_as sent: "
        "its rows are then in doubt",
    ),
    Arm("the outputs are our own matter", done(1), JoinBatch(1), ALL, []),
    *(
        arm
        for order in (AuditJob(1), SettleJob(1), LookAtJob(1))
        for arm in (
            Arm(
                "a job that is gone is no passing trouble while a batch of it is in doubt",
                doubted(1),
                order,
                ("not found", "gone"),
                [(order, "gone")],
                waits=False,
            ),
            *(
                Arm(
                    "what cannot be settled stops the run at its end",
                    doubted(1),
                    order,
                    (why,),
                    [(order, why)],
                    waits=False,
                )
                for why in UNSETTLED
            ),
            Arm("a question that got no answer is asked again", doubted(1), order, others("not found", *UNSETTLED), []),
        )
    ),
]


CASES = [pytest.param(arm, kind, id=f"{arm.order}-{kind}") for arm in FAILED for kind in arm.kinds]


@pytest.mark.parametrize(("arm", "kind"), CASES)
def test_what_follows_from_an_order_that_failed(arm: Arm, kind: str) -> None:
    view, error = a_view(*arm.before), ERRORS[kind]
    verdict = refused(view, prepare(view, arm.order), error, RULES)
    assert plain(verdict.events) == arm.events
    if arm.adds:
        assert (type(verdict.trouble), text_of(verdict.trouble)) == (type(error), text_of(error) + arm.adds)
    else:
        assert verdict.trouble is (error if arm.waits else None)
    assert (verdict.stop, verdict.pause_seconds, verdict.warning) == (None, 0.0, None)
    take_in(view, verdict)


def test_every_order_is_in_the_table_with_every_kind_of_error() -> None:
    for order in get_args(Order):
        assert {kind for arm in FAILED if isinstance(arm.order, order) for kind in arm.kinds} == set(ALL), order
    tree = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Error)]
    leaves = {kind for kind in tree if not kind.__subclasses__()}
    ours = {
        errors.MissingExtra,
        errors.NoSuchOrg,
        errors.DoesNotFit,
        *errors.JobError.__subclasses__(),
        *errors.BatchFailed.__subclasses__(),
        *errors.TransferError.__subclasses__(),
    }
    assert leaves - ours <= {type(error) for error in ERRORS.values()}


@pytest.mark.parametrize(("times", "stops"), [(3, False), (4, True)])
@pytest.mark.parametrize("error", [ERRORS["no answer"], ERRORS["disk"]], ids=["ours", "foreign"])
def test_jobs_whose_creation_never_ends_well_stop_the_run(times: int, stops: bool, error: Exception) -> None:
    lost = [event for job in range(2, times + 2) for event in (JobWanted(job, 0.0), JobLost(job, left_open=True))]
    view = a_view(*lost, JobWanted(9, 0.0))
    verdict = refused(view, OpenJob(9), error, RULES)
    assert verdict.events == [JobLost(9, left_open=True)]
    if not stops:
        assert verdict.stop is None
        return
    assert isinstance(verdict.stop, errors.OutcomeUnknown)
    assert (
        verdict.stop.text == "Creating a job was tried 5 times without success; "
        "up to as many empty jobs may have been left open. The last time: x"
    )


@pytest.mark.parametrize("between", [JobOpened(5, "750B"), JobLost(5)], ids=["opened", "refused"])
def test_jobs_that_were_lost_before_the_org_answered_do_not_count(between: Event) -> None:
    lost = [event for job in range(2, 5) for event in (JobWanted(job, 0.0), JobLost(job, left_open=True))]
    view = a_view(*lost, JobWanted(5, 0.0), between, JobWanted(6, 0.0), JobLost(6, left_open=True), JobWanted(7, 0.0))
    assert refused(view, OpenJob(7), ERRORS["no answer"], RULES).stop is None


def test_a_job_that_the_org_refuses_is_left_nowhere_however_often() -> None:
    lost = [event for job in range(2, 9) for event in (JobWanted(job, 0.0), JobLost(job, left_open=True))]
    assert refused(a_view(*lost, JobWanted(9, 0.0)), OpenJob(9), ERRORS["unavailable"], RULES).stop is None


def test_results_that_stay_unreadable_leave_their_rows_in_doubt_so_that_the_run_ends() -> None:
    view = a_view(*done(1))
    verdicts = []
    for _ in range(3):
        verdicts.append(refused(view, FetchResults(1), ERRORS["unreadable"], RULES))
        take_in(view, verdicts[-1])
    in_doubt = BatchLeftInDoubt(1, "The org accepted this row, but its outcome is not known: x")
    assert [list(verdict.events) for verdict in verdicts] == [
        [ResultsUnreadable(1)],
        [ResultsUnreadable(1)],
        [ResultsUnreadable(1), in_doubt],
    ]
    assert [verdict.trouble for verdict in verdicts] == [ERRORS["unreadable"], ERRORS["unreadable"], None]


@pytest.mark.parametrize("kind", ["invalid", "not found"])
@pytest.mark.parametrize("word", get_args(AcceptAs))
def test_results_that_the_org_refuses_leave_their_rows_in_doubt_once_the_user_says_to_go_on(
    kind: str, word: AcceptAs
) -> None:
    view = a_view(*done(1))
    verdict = refused(view, FetchResults(1), ERRORS[kind], replace(RULES, accept_as=word))
    assert verdict == Verdict([BatchLeftInDoubt(1, "The org accepted this row, but its outcome is not known: x")])
    take_in(view, verdict)


# What cannot be settled, with each word of the user.


def in_doubt(*batches: int, because: str = "x") -> list[Event]:
    return [
        BatchLeftInDoubt(batch, f"It is not known whether the org accepted this row: {because}") for batch in batches
    ]


GONE = (
    "The org no longer knows job 750A (jobs are kept for 7 days). The outcome of its batches can only be seen "
    "in the records themselves; nothing more is sent"
)
ALL_STAGES = [*doubted(2), BatchSending(3, 1), BatchAccepted(3, "7513"), *done(1)]
"""Batch 1 has results to be fetched, 2 is in doubt, 3 is at work, 4 was not sent."""


def settled(*absent: int) -> list[Event]:
    return [JobClosing(1), JobSettled(1, {}, absent), JobAudited(1)]


@dataclass(frozen=True)
class Word:
    """What follows from an error by what the user says of it, and why."""

    because: str
    before: list[Event]
    kind: str
    sent: list[Event]
    not_sent: list[Event]

    def events(self, word: AcceptAs) -> list[Event]:
        return self.sent if word == "sent" else self.not_sent


ACCEPTED = [
    Word(
        "the user knows whose batches they are; their own rows are not touched by that",
        doubted(2),
        "strangers",
        [StrangersAccepted(1, frozenset({"7519"}))],
        [StrangersAccepted(1, frozenset({"7519"}))],
    ),
    Word(
        "who closed the job may have sent the rest: with the word that it was sent, nothing more is",
        doubted(2),
        "closed",
        [JobClosing(1), *in_doubt(1, 3, 4, 2)],
        [JobClosing(1)],
    ),
    Word(
        "of a job that is gone nothing can be found out; the results of what is done are lost, whatever the user says",
        ALL_STAGES,
        "gone",
        [*in_doubt(2, 3, 1), *settled()],
        [*in_doubt(1), BatchNeverRun(3), *settled(2)],
    ),
    Word(
        "so it is when the org itself says that there is no such job",
        ALL_STAGES,
        "not found",
        [*in_doubt(2, 3, 1, because=GONE), *settled()],
        [*in_doubt(1, because=GONE), BatchNeverRun(3), *settled(2)],
    ),
    Word(
        "of a job that is there but does not come to rest only the doubts are the user's: the rest can still be seen",
        ALL_STAGES,
        "restless",
        [*in_doubt(2), *settled()],
        settled(2),
    ),
    Word(
        "without a doubt there is nothing to say but that the job is done with",
        taken(1),
        "restless",
        settled(),
        settled(),
    ),
]


@pytest.mark.parametrize("word", get_args(AcceptAs))
@pytest.mark.parametrize("order", [AuditJob(1), SettleJob(1), LookAtJob(1)], ids=lambda order: type(order).__name__)
@pytest.mark.parametrize("row", ACCEPTED, ids=lambda row: f"{row.kind}: {row.because}")
def test_what_cannot_be_settled_is_ended_as_the_user_says(row: Word, order: Order, word: AcceptAs) -> None:
    view = a_view(*row.before)
    verdict = refused(view, prepare(view, order), ERRORS[row.kind], replace(RULES, accept_as=word))
    assert verdict == Verdict(row.events(word))
    take_in(view, verdict)
    assert not view.unsettled


@pytest.mark.parametrize("word", WORDS)
def test_only_what_cannot_be_settled_is_the_users_to_say(word: AcceptAs | None) -> None:
    """Whatever else fails, fails in the same way."""
    for arm in FAILED:
        if arm.adds:
            continue
        asks = isinstance(arm.order, (AuditJob, SettleJob, LookAtJob))
        for kind in set(arm.kinds) - ({"not found", *UNSETTLED} if asks else set()):
            view = a_view(*arm.before)
            without = refused(view, arm.order, ERRORS[kind], RULES)
            assert refused(view, arm.order, ERRORS[kind], replace(RULES, accept_as=word)) == without


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize(
    ("before", "needed"),
    [
        ([], False),
        (doubted(2), True),
        (taken(1), True),
        (done(1), True),
        ([*done(1), ResultsFetched(1, 1, "s")], False),
    ],
    ids=["empty", "in doubt", "at work", "results to fetch", "all fetched"],
)
def test_a_job_that_is_gone_is_done_with_if_nothing_of_it_is_needed(
    before: list[Event],
    needed: bool,
    word: AcceptAs | None,
) -> None:
    """The org keeps jobs for seven days; a run that is resumed later needs no look at those that gave everything."""
    view = a_view(*before)
    verdict = refused(view, AuditJob(1), ERRORS["not found"], replace(RULES, accept_as=word))
    assert (list(verdict.events) == [JobClosing(1), JobClosed(1), JobAudited(1)]) is not needed
    assert verdict.trouble is None


def test_what_another_job_needs_does_not_keep_one_that_is_gone() -> None:
    view = a_view(*done(1), JobWanted(2, 0.0), JobOpened(2, "750B"))
    assert refused(view, AuditJob(2), ERRORS["not found"], RULES).events == [JobClosing(2), JobClosed(2), JobAudited(2)]


def test_of_a_job_that_is_gone_only_its_own_batches_are_lost() -> None:
    before: list[Event] = [*taken(1), *done(2), JobWanted(2, 0.0), JobOpened(2, "750B")]
    before += [event for batch in (3, 4) for event in (BatchSending(batch, 2), BatchAccepted(batch, f"751{batch}"))]
    view = a_view(*before, BatchEnded(4, BatchEnd.COMPLETED, None, has_results=True))
    verdict = refused(view, LookAtJob(2), ERRORS["gone"], replace(RULES, accept_as="sent"))
    assert verdict.events == [*in_doubt(3, 4), JobClosing(2), JobSettled(2), JobAudited(2)]


def test_the_copy_that_was_left_behind_has_sent_what_is_pending_or_in_doubt_if_the_user_says_so() -> None:
    view = a_view(*done(1), *doubted(2, 3))
    assert rest_in_doubt(view, Unsettled("x", why="copied"), "sent") == in_doubt(4, 2, 3)
    assert rest_in_doubt(view, Unsettled("x", why="copied"), "not-sent") == []


# Answers.


@dataclass(frozen=True)
class Answered:
    """What follows from an answer, and why; the kind of error that stops the run, or that is waited out."""

    because: str
    before: list[Event]
    order: Order
    answer: Answer
    events: list[Event]
    stop: type[Error] | None = None
    trouble: type[Error] | None = None


def job_seen(standing: JobStanding) -> JobSeen:
    return JobSeen("750A", standing)


def listed(*batches: BatchSeen, job: JobStanding | None = None) -> Looked:
    return Looked({seen.id: seen for seen in batches}, job_seen(job) if job else None)


COMPLETED = BatchSeen("7511", BatchEnd.COMPLETED, None, 10, 2)
NOT_PROCESSED = BatchSeen("7512", BatchEnd.NOT_PROCESSED)
SOME_PROCESSED = BatchSeen("7512", BatchEnd.NOT_PROCESSED, "aborted", 4, 0)
AT_WORK = BatchSeen("7511")

ANSWERS = [
    Answered(
        "the org has the job",
        [JobWanted(2, 0.0)],
        OpenJob(2),
        JobSeen("750B", JobStanding.OPEN),
        [JobOpened(2, "750B")],
    ),
    Answered("the job takes no more", [JobClosing(1)], CloseJob(1), None, [JobClosed(1)]),
    Answered("the org has the batch", sent(1), SendBatch(1, 1), BatchSeen("7511"), [BatchAccepted(1, "7511")]),
    Answered(
        "it would refuse the bytes again",
        sent(1),
        SendBatch(1, 1),
        ContentRefused("bad header"),
        [BatchRefused(1, "bad header")],
    ),
    Answered(
        "somebody closed the job: the batch goes into another",
        sent(1),
        SendBatch(1, 1),
        job_seen(JobStanding.CLOSED),
        [BatchAbsent(1), JobClosed(1)],
    ),
    Answered(
        "somebody aborted the job and surely means the run",
        sent(1),
        SendBatch(1, 1),
        job_seen(JobStanding.ABORTED),
        [BatchAbsent(1), JobClosed(1)],
        stop=errors.JobAborted,
    ),
    Answered(
        "whoever aborted the job while the run was stopped did not mean this sitting",
        [JobAudited(1, aborted=True), *sent(1)],
        SendBatch(1, 1),
        job_seen(JobStanding.ABORTED),
        [BatchAbsent(1), JobClosed(1)],
    ),
    Answered(
        "the org contradicts itself, which may pass",
        sent(1),
        SendBatch(1, 1),
        job_seen(JobStanding.OPEN),
        [BatchAbsent(1)],
        trouble=errors.Unavailable,
    ),
    Answered("an upload is to be committed", sent(1), SendBatch(1, 1), Uploaded(), [BatchUploaded(1)]),
    Answered(
        "a batch that is committed is in the org, and its job is closed",
        committing(1),
        CommitBatch(1, 1),
        BatchSeen("7511"),
        [BatchAccepted(1, "7511"), JobClosed(1)],
    ),
    Answered(
        "somebody aborted the job before it was committed",
        committing(1),
        CommitBatch(1, 1),
        job_seen(JobStanding.ABORTED),
        [BatchAbsent(1), JobClosed(1)],
        stop=errors.JobAborted,
    ),
    Answered(
        "a job that says it is open may be committed at any moment",
        committing(1),
        CommitBatch(1, 1),
        job_seen(JobStanding.OPEN),
        [BatchDoubted(1)],
    ),
    Answered(
        "the job holds what it should",
        [JobClosed(1)],
        AuditJob(1),
        job_seen(JobStanding.CLOSED),
        [JobAudited(1)],
    ),
    Answered("so does one that is open", [], AuditJob(1), job_seen(JobStanding.OPEN), [JobAudited(1)]),
    Answered(
        "it was ended before its time",
        [],
        AuditJob(1),
        job_seen(JobStanding.ABORTED),
        [JobAudited(1, aborted=True)],
    ),
    Answered("a batch at work changes nothing", taken(1), LookAtJob(1), listed(AT_WORK), []),
    Answered(
        "a batch that is done has results, and what the org counts is what they are checked by",
        taken(1),
        LookAtJob(1),
        listed(COMPLETED),
        [BatchEnded(1, BatchEnd.COMPLETED, None, has_results=True, processed=10, failed=2)],
    ),
    Answered(
        "a batch that failed may have results for what it did all the same",
        taken(1),
        LookAtJob(1),
        listed(BatchSeen("7511", BatchEnd.FAILED, "timeout", 0, 0)),
        [BatchEnded(1, BatchEnd.FAILED, "timeout", has_results=True, processed=0, failed=0)],
    ),
    Answered(
        "a batch that nobody knows is weighed",
        taken(1),
        LookAtJob(1),
        listed(AT_WORK, BatchSeen("7519")),
        [JobListed(1, frozenset({"7519"}))],
    ),
    Answered(
        "unless the user has accepted it",
        [*taken(1), StrangersAccepted(1, frozenset({"7519"}))],
        LookAtJob(1),
        listed(AT_WORK, BatchSeen("7519")),
        [],
    ),
    Answered(
        "a batch that was never run is sent again; but somebody aborted the job, and surely means the run",
        taken(1, 2),
        LookAtJob(1),
        listed(COMPLETED, NOT_PROCESSED, job=JobStanding.ABORTED),
        [
            BatchEnded(1, BatchEnd.COMPLETED, None, has_results=True, processed=10, failed=2),
            BatchNeverRun(2),
            JobClosed(1),
        ],
        stop=errors.JobAborted,
    ),
    Answered(
        "whoever aborted the job while the run was stopped did not mean this sitting",
        [JobAudited(1, aborted=True), *taken(1, 2)],
        LookAtJob(1),
        listed(AT_WORK, NOT_PROCESSED, job=JobStanding.ABORTED),
        [BatchNeverRun(2), JobClosed(1)],
    ),
    Answered(
        "a batch of which some was done must never be sent again, whatever the org calls it",
        taken(1, 2),
        LookAtJob(1),
        listed(AT_WORK, SOME_PROCESSED),
        [BatchEnded(2, BatchEnd.NOT_PROCESSED, "aborted", has_results=True, processed=4, failed=0)],
    ),
    Answered("its results are on disk", done(1), FetchResults(1), Seal(3, "sha"), [ResultsFetched(1, 3, "sha")]),
    Answered("it stands in the outputs", [*done(1), ResultsFetched(1, 3, "sha")], JoinBatch(1), True, [BatchJoined(1)]),
    Answered(
        "its results are to be fetched again",
        [*done(1), ResultsFetched(1, 3, "sha")],
        JoinBatch(1),
        False,
        [ResultsLost(1)],
    ),
    Answered(
        "the job had it all the same",
        doubted(1),
        SettleJob(1),
        Found({1: "7511"}, ()),
        [JobSettled(1, {1: "7511"})],
    ),
    Answered("the job never had it", doubted(1), SettleJob(1), Found({}, ()), [JobSettled(1, {}, (1,))]),
    Answered(
        "it had one of two",
        doubted(1, 2),
        SettleJob(1),
        Found({2: "7512"}, ()),
        [JobSettled(1, {2: "7512"}, (1,))],
    ),
]


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("row", ANSWERS, ids=lambda row: f"{type(row.order).__name__}: {row.because}")
def test_what_follows_from_an_answer(row: Answered, word: AcceptAs | None) -> None:
    view = a_view(*row.before)
    verdict = answered(view, prepare(view, row.order), row.answer, replace(RULES, accept_as=word))
    assert verdict.events == row.events
    assert type(verdict.stop) is (row.stop or type(None))
    assert type(verdict.trouble) is (row.trouble or type(None))
    assert (verdict.pause_seconds, verdict.warning) == (0.0, None)
    for error in (verdict.stop, verdict.trouble):
        assert error is None or (isinstance(error, Error) and error.job_id == "750A")
    take_in(view, verdict)


def test_every_answer_that_an_order_may_have_is_in_the_table_and_no_other_is_taken() -> None:
    known = {(type(row.order), type(row.answer)) for row in ANSWERS}
    answers: dict[type, Answer] = {type(row.answer): row.answer for row in ANSWERS}
    orders: dict[type, Order] = {type(row.order): row.order for row in ANSWERS}
    assert {*orders} == set(get_args(Order))
    assert {*answers} == set(get_args(Answer))
    for kind, order in orders.items():
        for name, answer in answers.items():
            if (kind, name) not in known:
                with pytest.raises(TypeError, match=f"^{name.__name__} is not an answer to {kind.__name__}$"):
                    answered(a_view(), order, answer, RULES)


def test_a_batch_that_something_else_ended_while_the_list_was_on_its_way_ends_once() -> None:
    view = a_view(*taken(1, 2))
    look = prepare(view, LookAtJob(1))
    apply(view, BatchLeftInDoubt(1, "the user's word"))
    verdict = answered(view, look, listed(COMPLETED, BatchSeen("7512", BatchEnd.COMPLETED)), RULES)
    assert verdict.events == [BatchEnded(2, BatchEnd.COMPLETED, None, has_results=True)]
    take_in(view, verdict)


@pytest.mark.parametrize(
    ("word", "events"),
    [
        (None, None),
        (
            "sent",
            [StrangersAccepted(1, frozenset({"7519"})), *in_doubt(2, because="STRANGERS"), JobSettled(1, {1: "7511"})],
        ),
        ("not-sent", [StrangersAccepted(1, frozenset({"7519"})), JobSettled(1, {1: "7511"}, (2,))]),
    ],
)
def test_strangers_in_a_job_that_is_settled_are_what_the_user_says(
    word: AcceptAs | None,
    events: list[Event] | None,
) -> None:
    """One of them may be ours in a form that cannot be told: "sent" then holds for what was not found, too."""
    view = a_view(*doubted(1, 2))
    order = prepare(view, SettleJob(1))
    verdict = answered(view, order, Found({1: "7511"}, ("7519",)), replace(RULES, accept_as=word))
    found = list(verdict.events)
    if events is None:
        (unsettled,) = found
        assert isinstance(unsettled, OrderUnsettled)
        assert (unsettled.order, unsettled.error.why) == (order, "strangers")
        assert unsettled.error.strangers == {"7519"}
    else:
        texts = [event.reason for event in found if isinstance(event, BatchLeftInDoubt)]
        assert all("holds batch 7519, which this run did not send" in text for text in texts)
        assert [replace(event, reason="") if isinstance(event, BatchLeftInDoubt) else event for event in found] == [
            replace(event, reason="") if isinstance(event, BatchLeftInDoubt) else event for event in events
        ]
    assert (verdict.stop, verdict.pause_seconds) == (None, 0.0)
    take_in(view, verdict)


def lost(times: Mapping[int, int]) -> list[Event]:
    """Batches that never arrived so many times, and are in doubt once more."""
    events: list[Event] = []
    for turn in range(max(times.values())):
        batches = [batch for batch, count in times.items() if turn < count]
        job = 10 + turn
        events += [JobWanted(job, 0.0), JobOpened(job, f"750{job}")]
        events += [event for batch in batches for event in (BatchSending(batch, job), BatchDoubted(batch))]
        events.append(JobSettled(job, {}, tuple(batches)))
    return [*events, *doubted(*times)]


@pytest.mark.parametrize(("before", "pause"), [(1, 1.0), (2, 4.0), (3, 16.0)])
def test_a_batch_that_does_not_arrive_again_is_sent_after_a_pause_that_grows(before: int, pause: float) -> None:
    view = a_view(*lost({1: before}))
    verdict = answered(view, prepare(view, SettleJob(1)), Found({}, ()), RULES)
    assert verdict == Verdict([JobSettled(1, {}, (1,))], pause_seconds=pause)
    take_in(view, verdict)


def test_a_batch_that_never_arrives_stops_the_run_and_is_named() -> None:
    view = a_view(*lost({1: 2, 3: 4, 4: 3}))
    verdict = answered(view, prepare(view, SettleJob(1)), Found({}, ()), RULES)
    assert verdict.events == [JobSettled(1, {}, (1, 3, 4))]
    assert isinstance(verdict.stop, errors.NotSent)
    assert verdict.stop.text.startswith("Batch 3 was sent 5 times and never arrived.")


def test_a_batch_that_arrived_after_all_is_no_reason_to_stop_or_pause() -> None:
    view = a_view(*lost({1: 4}))
    verdict = answered(view, prepare(view, SettleJob(1)), Found({1: "7511"}, ()), RULES)
    assert verdict == Verdict([JobSettled(1, {1: "7511"})])


# Words.


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        ([], "This row was not sent; the run stopped first: why"),
        (sent(1), "It is not known whether the org accepted this row: why"),
        (doubted(1), "It is not known whether the org accepted this row: why"),
        (taken(1), "The org accepted this row in batch 7511, but its outcome is not known: why"),
        ([*sent(1), BatchAbsent(1)], "This row was not sent; the run stopped first: why"),
    ],
)
def test_where_a_row_stands_whose_batch_has_no_outcome(before: list[Event], expected: str) -> None:
    view = a_view(*before)
    assert standing(view, view.batches[1], errors.NotSent("why", Facts(job_id="750A"))) == expected


def test_the_words_of_an_error_are_without_its_ids() -> None:
    assert text_of(errors.NotFound("no such job", Facts(job_id="750A"))) == "no such job"
    assert text_of(OSError("disk full")) == "disk full"
