"""What follows from what became of an order of an extract, by tables: each order with each error; what a look shows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import get_args

import pytest

from bulkforce import errors
from bulkforce.apis.abc import BatchEnd, BatchSeen, JobSeen, JobStanding, Listed, Looked, QueryFault
from bulkforce.errors import Error
from bulkforce.extract.events import BatchStage, Delivered, Event, Part, QueryBatch, QueryJob, QueryJobStage, Thing
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
    prepare,
)
from bulkforce.extract.result_file import Fetched
from bulkforce.extract.rules import Rules
from bulkforce.extract.state import State
from bulkforce.extract.verdicts import answered, refused
from bulkforce.run.plan import Verdict

RULES = Rules(2)
CHUNKS = Rules(2, may_chunk=True)
QUERY = "SELECT Id FROM X"
CONDITION = "Id >= '000000000000001' AND Id < '000000000000002'"

WANTED = QueryJob(1, QUERY, None, None)
OPEN = replace(WANTED, stage=QueryJobStage.OPEN, id="750A")
ASKED = replace(OPEN, stage=QueryJobStage.ASKED, batch_id="751O")
LISTED = replace(ASKED, stage=QueryJobStage.LISTED, batches=1)
BATCH = QueryBatch(1, 1, "751O", 0, BatchStage.COMPLETED, 2)
CHUNK = replace(BATCH, id="7511", stage=BatchStage.RUNNING, records=None)
PART = Part(1, 0, "752")

ERRORS: dict[str, Exception] = {
    "not sent": errors.NotSent("x"),
    "no answer": errors.NoAnswer("x"),
    "outcome unknown": errors.OutcomeUnknown("x"),
    "not authenticated": errors.NotAuthenticated("x"),
    "not permitted": errors.NotPermitted("x"),
    "not found": errors.NotFound("x"),
    "invalid": errors.InvalidRequest("x"),
    "limit": errors.LimitReached("x"),
    "unavailable": errors.Unavailable("x"),
    "protocol": errors.ProtocolError("x"),
    "intercepted": errors.Intercepted("x"),
    "format": errors.FormatError("x"),
    "unsettled": errors.Unsettled("x"),
    "disk": OSError("x"),
}
ALL = tuple(ERRORS)


def others(*kinds: str) -> tuple[str, ...]:
    return tuple(kind for kind in ALL if kind not in kinds)


@dataclass(frozen=True)
class Arm:
    """What follows from an order that failed in these ways, and why.

    Attributes:
        ends: "waits" if it may pass, "stops" if the error itself stops the extract, or the kind of error that does.
    """

    because: str
    state: list[Thing]
    order: Order
    kinds: tuple[str, ...]
    events: list[Event]
    ends: str | type[Error] | None = "waits"
    warning: str | None = None


NONSENSE = ("protocol",)
GONE = ("not found", "invalid")
ANOTHER = replace(WANTED, number=2, tries=2)
WHOLE: list[Thing] = [LISTED, BATCH]
FETCHING: list[Thing] = [LISTED, replace(BATCH, stage=BatchStage.FETCHING), PART]
AGAIN: list[Event] = [replace(BATCH, stage=BatchStage.FETCHING, tries=1), PART]
ABANDONED = replace(OPEN, stage=QueryJobStage.ABANDONED)
GONE_JOB: list[Event] = [replace(ASKED, stage=QueryJobStage.ABANDONED), ANOTHER]

READ_OR_LIST: list[tuple[Order, list[Thing]]] = [(ReadRange(1), [LISTED, CHUNK]), (ListResults(1), WHOLE)]
FAILED = [
    Arm(
        "an empty job may be left behind, which the user may want to know; another is asked for at once",
        [WANTED],
        OpenJob(1),
        ("outcome unknown", "protocol", "intercepted"),
        [replace(WANTED, stage=QueryJobStage.GONE), ANOTHER],
        None,
        "The answer to creating a job was lost; a job that nobody needs may be left in the org",
    ),
    Arm("no job came about", [WANTED], OpenJob(1), others("outcome unknown", "protocol", "intercepted"), []),
    Arm(
        "the query may be in the job: it is put into another, and this one ended",
        [OPEN],
        AskQuery(1),
        ("outcome unknown", "protocol", "intercepted"),
        [ABANDONED, ANOTHER],
        None,
    ),
    Arm("the query is not in the job", [OPEN], AskQuery(1), others("outcome unknown", "protocol", "intercepted"), []),
    Arm("what the org says makes no sense however often", [ASKED], LookAtJob(1), NONSENSE, [], "stops"),
    Arm(
        "the job is gone: the query goes into another",
        [ASKED],
        LookAtJob(1),
        ("not found",),
        GONE_JOB,
        errors.JobAborted,
    ),
    Arm("a look is taken again", [ASKED], LookAtJob(1), others("not found", *NONSENSE), []),
    *(
        arm
        for order, state in READ_OR_LIST
        for arm in (
            Arm("the org has thrown away what is needed", state, order, GONE, [], errors.NotFound),
            Arm("what the org says makes no sense however often", state, order, NONSENSE, [], "stops"),
            Arm("a question that got no answer is asked again", state, order, others(*GONE, *NONSENSE), []),
        )
    ),
    Arm("the org has thrown away what is needed", FETCHING, FetchPart(1, 0), GONE, [], errors.NotFound),
    Arm("what the org says makes no sense however often", FETCHING, FetchPart(1, 0), NONSENSE, [], "stops"),
    Arm("a file that is broken may come whole the next time", FETCHING, FetchPart(1, 0), ("format",), AGAIN, None),
    Arm(
        "a file that did not come is fetched again",
        FETCHING,
        FetchPart(1, 0),
        others(*GONE, *NONSENSE, "format"),
        [],
    ),
    Arm(
        "everything is there; the org closes the job by itself after a day",
        WHOLE[:1],
        EndJob(1),
        ("unsettled", "invalid"),
        [replace(LISTED, closed=True)],
        None,
        "Job 750A could not be closed: x",
    ),
    Arm("what the org says makes no sense however often", WHOLE[:1], EndJob(1), NONSENSE, [], "stops"),
    Arm("closing is tried again", WHOLE[:1], EndJob(1), others("unsettled", "invalid", *NONSENSE), []),
    Arm("rows that the sink did not take are delivered again", FETCHING, Deliver(1, 0), others(*NONSENSE), []),
    Arm("the sink itself says that it is no use", FETCHING, Deliver(1, 0), NONSENSE, [], "stops"),
]
CASES = [pytest.param(arm, kind, id=f"{arm.order}-{kind}") for arm in FAILED for kind in arm.kinds]


@pytest.mark.parametrize(("arm", "kind"), CASES)
def test_what_follows_from_an_order_that_failed(arm: Arm, kind: str) -> None:
    state, error = State(arm.state), ERRORS[kind]
    verdict = refused(state, prepare(state, arm.order), error, RULES)
    assert verdict.events == arm.events or (not arm.events and not verdict.events)
    assert verdict.trouble is (error if arm.ends == "waits" else None)
    if isinstance(arm.ends, type):
        assert type(verdict.stop) is arm.ends
        assert isinstance(verdict.stop, Error)
        assert (verdict.stop.job_id, verdict.stop.batch_id) == ("750A", state.batches[1].id if state.batches else None)
    else:
        assert verdict.stop is (error if arm.ends == "stops" else None)
    assert verdict.warning == arm.warning


def test_every_order_is_in_the_table_with_every_kind_of_error() -> None:
    for order in get_args(Order):
        assert {kind for arm in FAILED if isinstance(arm.order, order) for kind in arm.kinds} == set(ALL), order


@pytest.mark.parametrize(
    ("job", "rules", "goes_without"),
    [
        (replace(WANTED, chunking="TRUE"), CHUNKS, True),
        (replace(WANTED, chunking="TRUE"), RULES, False),
        (WANTED, CHUNKS, False),
    ],
    ids=["the org refuses chunking", "the user asked for chunking", "the org refuses something else"],
)
def test_a_query_goes_without_chunking_where_the_org_refuses_it_and_the_user_did_not_ask(
    job: QueryJob, rules: Rules, *, goes_without: bool
) -> None:
    verdict = refused(State([job]), OpenJob(1), ERRORS["invalid"], rules)
    if goes_without:
        assert verdict.events == [WANTED]
        assert verdict.warning == "The org refuses PK chunking here, so the query runs without it: x"
        assert verdict.trouble is None
    else:
        assert verdict == Verdict(trouble=ERRORS["invalid"])


@pytest.mark.parametrize("goes_on", [False, True])
def test_a_file_that_stays_broken_is_an_error_of_the_org(*, goes_on: bool) -> None:
    state = State([LISTED, replace(BATCH, stage=BatchStage.FETCHING, tries=2), PART])
    verdict = refused(state, FetchPart(1, 0), ERRORS["format"], Rules(2, goes_on=goes_on))
    for event in verdict.events:
        state.apply(event)
    error = state.given_up[1] if goes_on else verdict.stop
    assert type(error) is errors.ProtocolError
    assert error.text == "A result file of batch 751O of job 750A is broken: x; they were fetched 3 times"
    assert (verdict.stop is None, bool(state.given_up)) == (goes_on, goes_on)


# Answers.


def job_seen(standing: JobStanding | None) -> JobSeen | None:
    return None if standing is None else JobSeen("750A", standing)


def looked(*batches: BatchSeen, job: JobStanding | None = None) -> Looked:
    return Looked({batch.id: batch for batch in batches}, job_seen(job))


def original(end: BatchEnd | None, message: str | None = None, fault: QueryFault | None = None) -> BatchSeen:
    return BatchSeen("751O", end, message, 5, fault=fault)


WITH_CHUNKS = replace(ASKED, chunking="TRUE")
CHUNK_AGAIN = replace(ASKED, number=1, soql=f"{QUERY} WHERE {CONDITION}", replaces=7)
FAILED_BATCH = original(BatchEnd.FAILED, "boom")
LATER = "; try again later, or narrow the query with WHERE"
TOO_LARGE = original(BatchEnd.FAILED, "too much", QueryFault.TOO_LARGE)
WRONG = original(BatchEnd.FAILED, "MALFORMED_QUERY: no", QueryFault.WRONG)


def another(job: QueryJob, chunking: str | None = None) -> list[Event]:
    """The job is given up, and the same is asked in another."""
    wanted = QueryJob(2, job.soql, chunking or job.chunking, job.replaces, job.tries + 1)
    return [replace(job, stage=QueryJobStage.ABANDONED), wanted]


@dataclass(frozen=True)
class First:
    """What follows from the first look at a job that has its query, and why; what the error says, or the warning."""

    because: str
    job: QueryJob
    looked: Looked
    events: list[Event]
    stop: tuple[type[Error], str] | None = None
    warning: str | None = None
    rules: Rules = RULES


THE_CHUNK = QueryBatch(1, 1, "7511", 0)
ABORTED = "was aborted or closed in the org before it was done. Resume to get what is missing"
FIRST = [
    First("the org is at work", ASKED, looked(original(None)), []),
    First(
        "the whole query is one batch",
        ASKED,
        looked(original(BatchEnd.COMPLETED)),
        [LISTED, replace(BATCH, records=5)],
    ),
    First(
        "the org has split it: its batch is not run, and the chunks are",
        WITH_CHUNKS,
        looked(original(BatchEnd.NOT_PROCESSED), BatchSeen("7511"), job=JobStanding.OPEN),
        [replace(WITH_CHUNKS, stage=QueryJobStage.LISTED, batches=1), THE_CHUNK],
    ),
    First(
        "somebody aborted the job: the org splits nothing of what it was not asked to split",
        ASKED,
        looked(original(BatchEnd.NOT_PROCESSED), job=JobStanding.OPEN),
        another(ASKED),
        (errors.JobAborted, f"Job 750A {ABORTED}"),
    ),
    First(
        "somebody aborted the job, since it is not open, whatever was asked",
        WITH_CHUNKS,
        looked(original(BatchEnd.NOT_PROCESSED), job=JobStanding.ABORTED),
        another(WITH_CHUNKS),
        (errors.JobAborted, f"Job 750A {ABORTED}"),
    ),
    First(
        "a wrong query stays wrong",
        ASKED,
        looked(WRONG),
        another(ASKED),
        (errors.QueryRefused, "The org refuses the query: MALFORMED_QUERY: no"),
    ),
    First(
        "a query that is too large is split, where that may be",
        ASKED,
        looked(TOO_LARGE),
        another(ASKED, "TRUE"),
        warning="The query is too large for one batch (too much); it is run again with PK chunking",
        rules=CHUNKS,
    ),
    First("where it may not be split it is asked again", ASKED, looked(TOO_LARGE), another(ASKED)),
    First("what is split already is asked again", WITH_CHUNKS, looked(TOO_LARGE), another(WITH_CHUNKS), rules=CHUNKS),
    First("a chunk is not split again", CHUNK_AGAIN, looked(TOO_LARGE), another(CHUNK_AGAIN), rules=CHUNKS),
    First("any other fault may pass", ASKED, looked(FAILED_BATCH), another(ASKED), rules=CHUNKS),
    First(
        "but not after three times, and the user may split it",
        replace(ASKED, tries=3),
        looked(TOO_LARGE),
        another(replace(ASKED, tries=3)),
        (
            errors.BatchFailed,
            "The org failed 3 times to answer the query: too much; use PK chunking, which Bulk API v1 has",
        ),
    ),
    First(
        "what is split already, or fails for another reason, has no such hint",
        replace(ASKED, tries=3),
        looked(original(BatchEnd.FAILED)),
        another(replace(ASKED, tries=3)),
        (errors.BatchFailed, f"The org failed 3 times to answer the query: the org gave no reason{LATER}"),
    ),
    First(
        "a chunk is named by its query",
        replace(CHUNK_AGAIN, tries=3),
        looked(TOO_LARGE),
        another(replace(CHUNK_AGAIN, tries=3)),
        (
            errors.BatchFailed,
            f'The org failed 3 times to answer the same chunk of the query, "{QUERY} WHERE {CONDITION}": too much{LATER}',
        ),
    ),
]


@pytest.mark.parametrize("row", FIRST, ids=lambda row: row.because)
def test_what_follows_from_the_first_look(row: First) -> None:
    verdict = answered(State([row.job]), LookAtJob(1), row.looked, row.rules)
    assert list(verdict.events) == row.events
    if row.stop is None:
        assert verdict.stop is None
    else:
        assert type(verdict.stop) is row.stop[0]
        assert isinstance(verdict.stop, Error)
        assert verdict.stop.text == row.stop[1]
        assert verdict.stop.job_id == "750A"
    assert verdict.warning == row.warning


def test_a_chunk_that_is_asked_again_takes_the_place_of_the_one_that_failed() -> None:
    failed = replace(CHUNK, number=7, place=4, stage=BatchStage.REPLACED, ids=CONDITION)
    state = State([replace(LISTED, number=2, batches=5), replace(failed, job=2), CHUNK_AGAIN])
    verdict = answered(state, LookAtJob(1), looked(original(BatchEnd.COMPLETED)), RULES)
    assert QueryBatch(2, 1, "751O", 4, BatchStage.COMPLETED, 5) in verdict.events


@pytest.mark.parametrize(
    ("seen", "job", "closed", "stage", "aborted"),
    [
        (None, JobStanding.OPEN, False, BatchStage.RUNNING, False),
        (BatchSeen("7511"), JobStanding.OPEN, False, BatchStage.RUNNING, False),
        (BatchSeen("7511", BatchEnd.COMPLETED, None, 5), JobStanding.OPEN, False, BatchStage.COMPLETED, False),
        (BatchSeen("7511", BatchEnd.FAILED, "boom"), JobStanding.OPEN, False, BatchStage.FAILED, False),
        (BatchSeen("7511", BatchEnd.NOT_PROCESSED), JobStanding.OPEN, False, BatchStage.FAILED, False),
        (BatchSeen("7511", BatchEnd.NOT_PROCESSED), JobStanding.ABORTED, False, BatchStage.FAILED, True),
        (BatchSeen("7511", BatchEnd.NOT_PROCESSED), JobStanding.CLOSED, True, BatchStage.FAILED, False),
    ],
    ids=["not listed", "at work", "done", "failed", "not a chunk of ours", "aborted by somebody", "closed by us"],
)
def test_what_follows_from_a_look_at_a_chunk(
    seen: BatchSeen | None, job: JobStanding, closed: bool, stage: BatchStage, aborted: bool
) -> None:
    root = replace(LISTED, chunking="TRUE", closed=closed)
    state = State([root, CHUNK])
    batches = [seen] if seen else []
    verdict = answered(state, LookAtJob(1), looked(original(BatchEnd.NOT_PROCESSED), *batches, job=job), RULES)
    for event in verdict.events:
        state.apply(event)
    assert state.batches[1].stage is stage
    assert state.batches[1].records == (5 if stage is BatchStage.COMPLETED else None)
    assert isinstance(verdict.stop, errors.JobAborted) is aborted


@pytest.mark.parametrize(
    ("job", "answer", "expected"),
    [
        (LISTED, None, replace(LISTED, closed=True)),
        (ABANDONED, None, replace(ABANDONED, closed=True, stage=QueryJobStage.GONE)),
        (ABANDONED, looked(BatchSeen("7511")), replace(ABANDONED, closed=True, stage=QueryJobStage.GONE)),
    ],
    ids=["closed", "aborted", "aborted, with batches that do not matter"],
)
def test_a_job_that_was_ended_takes_nothing_more(job: QueryJob, answer: Answer, expected: QueryJob) -> None:
    assert answered(State([job]), EndJob(1), answer, RULES) == Verdict([expected])


def test_chunks_that_show_only_when_the_job_is_closed_are_taken_in() -> None:
    root = replace(LISTED, chunking="TRUE")
    state = State([root, replace(CHUNK, stage=BatchStage.DONE)])
    late = looked(original(BatchEnd.NOT_PROCESSED), BatchSeen("7511", BatchEnd.COMPLETED), BatchSeen("7512"))
    verdict = answered(state, EndJob(1), late, RULES)
    assert verdict == Verdict([replace(root, closed=True, batches=2), QueryBatch(2, 1, "7512", 1)])


@pytest.mark.parametrize(("told", "stage"), [(0, BatchStage.DONE), (None, BatchStage.DONE), (2, BatchStage.COMPLETED)])
def test_a_batch_without_result_files_is_done_only_if_it_has_no_records(told: int | None, stage: BatchStage) -> None:
    state = State([LISTED, replace(BATCH, records=told)])
    for event in answered(state, ListResults(1), Listed([]), RULES).events:
        state.apply(event)
    assert state.batches[1].stage is stage


ANSWERS: list[tuple[list[Thing], Order, Answer, list[Event]]] = [
    ([WANTED], OpenJob(1), JobSeen("750A", JobStanding.OPEN, 7.0), [replace(OPEN, created=7.0)]),
    ([OPEN], AskQuery(1), BatchSeen("751O"), [ASKED]),
    ([ASKED], LookAtJob(1), looked(original(None)), []),
    ([LISTED, CHUNK], ReadRange(1), CONDITION, [replace(CHUNK, ids=CONDITION)]),
    (WHOLE, ListResults(1), Listed(["752"]), [replace(BATCH, stage=BatchStage.FETCHING), PART]),
    (
        [LISTED, replace(BATCH, stage=BatchStage.FETCHING), PART],
        FetchPart(1, 0),
        Fetched(2, 9, "sha"),
        [replace(PART, done=True, rows=2, size=9, sha256="sha"), replace(BATCH, stage=BatchStage.DONE)],
    ),
    (FETCHING, Deliver(1, 0), None, [Delivered(1, 0)]),
    ([LISTED], EndJob(1), None, [replace(LISTED, closed=True)]),
]


@pytest.mark.parametrize(("state", "order", "answer", "events"), ANSWERS, ids=lambda value: type(value).__name__)
def test_what_follows_from_an_answer(
    state: list[Thing],
    order: Order,
    answer: Answer,
    events: list[Event],
) -> None:
    verdict = answered(State(state), order, answer, RULES)
    assert list(verdict.events) == events
    assert (verdict.stop, verdict.trouble, verdict.warning) == (None, None, None)


def test_an_answer_to_another_order_is_not_taken() -> None:
    fits = {
        (ReadRange, type(None)),
        (EndJob, Looked),
        *((type(order), type(answer)) for _, order, answer, _ in ANSWERS),
    }
    for state, order, _, _ in ANSWERS:
        for _, _, answer, _ in ANSWERS:
            if not isinstance(order, Deliver) and (type(order), type(answer)) not in fits:
                text = f"^{type(answer).__name__} is no answer to {type(order).__name__}$"
                with pytest.raises(TypeError, match=text):
                    answered(State(state), order, answer, RULES)
