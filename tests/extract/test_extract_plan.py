"""What becomes of what an extract did: by values, without an org."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from bulkforce import errors
from bulkforce.apis.abc import BatchEnd, BatchSeen, JobSeen, JobStanding, Listed, Looked
from bulkforce.extract.events import (
    BatchStage,
    DeliveryBegun,
    Event,
    GivenUp,
    Part,
    QueryBatch,
    QueryJob,
    QueryJobStage,
)
from bulkforce.extract.orders import (
    Answer,
    AskQuery,
    EndJob,
    FetchPart,
    ListResults,
    LookAtJob,
    OpenJob,
    Order,
    ReadRange,
)
from bulkforce.extract.plan import decide
from bulkforce.extract.result_file import Fetched
from bulkforce.extract.rules import Rules
from bulkforce.extract.seen import check_ranges
from bulkforce.extract.state import State
from bulkforce.extract.verdicts import answered, refused, take_up
from bulkforce.run.plan import Verdict

RULES = Rules(2)
QUERY = "SELECT Id FROM X"
ROOT = QueryJob(1, QUERY, "TRUE", None, stage=QueryJobStage.LISTED, id="750A", batch_id="751O", batches=3)
LOST = errors.OutcomeUnknown("lost")


def ids(number: int) -> str:
    return f"Id >= '{number:015}' AND Id < '{number + 1:015}'"


def chunked(*batches: QueryBatch) -> State:
    return State([ROOT, *batches])


def chunk(
    number: int, stage: BatchStage = BatchStage.RUNNING, *, read: bool = True, records: int | None = None
) -> QueryBatch:
    return QueryBatch(number, 1, f"751{number}", number - 1, stage, records, ids=ids(number) if read else None)


def seen(batch_id: str, end: BatchEnd | None, records: int | None = 2) -> BatchSeen:
    return BatchSeen(batch_id, end, processed=records)


def listed(*batches: BatchSeen, standing: JobStanding | None = None) -> Looked:
    return Looked({batch.id: batch for batch in batches}, None if standing is None else JobSeen("750A", standing))


def take(state: State, *outcomes: Verdict[Event]) -> State:
    for outcome in outcomes:
        for event in outcome.events:
            state.apply(event)
    return state


def stages(state: State) -> list[BatchStage]:
    return [batch.stage for _, batch in sorted(state.batches.items())]


def jobs(state: State) -> list[tuple[QueryJobStage, str | None]]:
    return [(job.stage, job.id) for _, job in sorted(state.jobs.items())]


def all_orders(state: State) -> set[type[Order]]:
    return {type(action) for action in decide(state, set(), RULES)}


def test_several_chunks_that_fail_at_once_are_asked_again_in_a_job_each() -> None:
    state = chunked(chunk(1), chunk(2), chunk(3, read=False))
    failed = [seen(f"751{number}", BatchEnd.FAILED) for number in (1, 2, 3)]
    take(state, answered(state, LookAtJob(1), listed(seen("751O", BatchEnd.NOT_PROCESSED), *failed), RULES))
    assert stages(state) == [BatchStage.REPLACED, BatchStage.REPLACED, BatchStage.FAILED]
    assert [(job.replaces, job.soql, job.chunking) for job in state.jobs.values()][1:] == [
        (1, f"{QUERY} WHERE {ids(1)}", None),
        (2, f"{QUERY} WHERE {ids(2)}", None),
    ]
    # The third is, once it is known which ids it is about.
    take(state, answered(state, ReadRange(3), ids(3), RULES))
    assert state.jobs[4].soql == f"{QUERY} WHERE {ids(3)}"


def test_chunks_that_show_late_come_behind_the_others() -> None:
    state = chunked(chunk(1), chunk(2, BatchStage.DONE), chunk(3, BatchStage.DONE))
    late = listed(seen("751O", BatchEnd.NOT_PROCESSED), *(seen(f"751{n}", BatchEnd.COMPLETED) for n in (1, 2, 3, 4)))
    take(state, answered(state, LookAtJob(1), late, RULES))
    assert [(batch.id, batch.place, batch.stage) for batch in state.counting][3:] == [("7514", 3, BatchStage.COMPLETED)]
    assert ReadRange(4) in decide(state, set(), RULES)
    assert state.root.batches == 4


@pytest.mark.parametrize("found", [None, ids(1)], ids=["no chunk", "a chunk that is there twice"])
def test_job_with_a_batch_that_is_none_of_ours_counts_no_more(found: str | None) -> None:
    state = chunked(chunk(1, BatchStage.FETCHING), chunk(2, read=False), chunk(3, BatchStage.REPLACED))
    take(
        state,
        Verdict(
            [
                Part(1, 0, "752", done=True, rows=5, size=9),
                QueryJob(2, QUERY, None, 3, stage=QueryJobStage.ASKED, id="750B", batch_id="751X"),
            ]
        ),
    )
    take(state, Verdict([QueryJob(3, QUERY, None, 3), QueryBatch(4, 2, "751X", 2, BatchStage.DONE)]))
    outcome = answered(state, ReadRange(2), found, RULES)
    assert outcome.stop is None
    assert "Job 750A holds batch 7512" in str(outcome.warning)
    take(state, outcome)
    assert stages(state) == [BatchStage.REPLACED] * 4
    assert jobs(state) == [
        (QueryJobStage.ABANDONED, "750A"),
        (QueryJobStage.ABANDONED, "750B"),
        (QueryJobStage.GONE, None),
        (QueryJobStage.WANTED, None),
    ]
    assert (state.root.number, state.root.tries, state.root.chunking) == (4, 2, "TRUE")
    assert (state.rows, state.bytes, state.on_disk, state.told) == (0, 0, 0, 0)
    assert all_orders(state) == {OpenJob, EndJob}


def test_job_with_a_batch_that_is_none_of_ours_stops_when_rows_were_delivered() -> None:
    state = chunked(chunk(1, BatchStage.DONE), chunk(2, read=False))
    state.apply(DeliveryBegun())
    outcome = answered(state, ReadRange(2), None, RULES)
    assert isinstance(outcome.stop, errors.ProtocolError)
    assert (outcome.stop.job_id, outcome.stop.batch_id) == ("750A", "7512")
    assert take(state, outcome).root.stage is QueryJobStage.WANTED


@pytest.mark.parametrize(
    "action",
    [ReadRange(1), ListResults(1), FetchPart(1, 0), LookAtJob(1), AskQuery(1)],
    ids=lambda one: type(one).__name__,
)
def test_what_was_under_way_for_a_job_that_counts_no_more_is_nothing(action: Order) -> None:
    state = take(
        chunked(chunk(1, BatchStage.REPLACED)),
        Verdict([Part(1, 0, "752"), replace(ROOT, stage=QueryJobStage.ABANDONED)]),
    )
    values: dict[type[Order], Answer] = {
        ReadRange: ids(1),
        ListResults: Listed(["752"]),
        FetchPart: Fetched(1, 1, ""),
        LookAtJob: listed(seen("751O", BatchEnd.COMPLETED)),
        AskQuery: seen("751O", None),
    }
    assert answered(state, action, values[type(action)], RULES) == Verdict()
    assert refused(state, action, LOST, RULES) == Verdict()


def test_job_that_comes_about_when_it_is_not_wanted_any_more_is_ended() -> None:
    state = State([ROOT, QueryJob(2, QUERY, None, 1, stage=QueryJobStage.GONE)])
    opened = JobSeen("750B", JobStanding.OPEN)
    take(state, answered(state, OpenJob(2), opened, RULES))
    assert EndJob(2) in decide(state, set(), RULES)
    assert (
        refused(State([ROOT, QueryJob(2, QUERY, None, 1, stage=QueryJobStage.GONE)]), OpenJob(2), LOST, RULES)
        == Verdict()
    )


@pytest.mark.parametrize("action", [OpenJob(1), AskQuery(1)])
def test_lost_answers_are_asked_for_in_another_job_until_it_is_too_often(action: Order) -> None:
    stage = QueryJobStage.WANTED if isinstance(action, OpenJob) else QueryJobStage.OPEN
    for tries in range(1, 6):
        job = QueryJob(1, QUERY, None, None, tries, stage, id=None if stage is QueryJobStage.WANTED else "750A")
        outcome = refused(State([job]), action, LOST, RULES)
        assert [type(event) for event in outcome.events] == [QueryJob, QueryJob]
        assert (outcome.trouble, outcome.stop) == (LOST if 1 < tries < 5 else None, LOST if tries == 5 else None)
        assert bool(outcome.warning) == (stage is QueryJobStage.WANTED)


def test_jobs_whose_batch_is_in_doubt_are_given_up_after_a_death() -> None:
    open_jobs = [
        QueryJob(number, QUERY, None, number - 1 or None, stage=QueryJobStage.OPEN, id=f"750{number}")
        for number in (1, 2, 3)
    ]
    state = State([*open_jobs, QueryJob(4, QUERY, None, 9)])
    take(state, Verdict(take_up(state)))
    assert [(job.number, job.replaces, job.stage) for job in state.jobs.values()][:3] == [
        (1, None, QueryJobStage.ABANDONED),
        (2, 1, QueryJobStage.ABANDONED),
        (3, 2, QueryJobStage.ABANDONED),
    ]
    assert [(job.number, job.replaces) for job in state.jobs.values()][3:] == [(4, 9), (5, None), (6, 1), (7, 2)]


@pytest.mark.parametrize(
    ("told", "came", "stage", "records", "warns"),
    [
        (3, 3, BatchStage.DONE, 3, False),
        (0, 0, BatchStage.DONE, 0, False),
        (None, 0, BatchStage.DONE, None, True),
        (0, 3, BatchStage.DONE, None, True),
        (None, 3, BatchStage.DONE, None, True),
        (4, 3, BatchStage.COMPLETED, 4, False),
        (2, 3, BatchStage.COMPLETED, 2, False),
    ],
)
def test_records_that_came_are_held_against_those_that_were_told(
    told: int | None, came: int, stage: BatchStage, records: int | None, warns: bool
) -> None:
    state = chunked(chunk(1, BatchStage.FETCHING, records=told))
    take(state, Verdict([Part(1, 0, "752")]))
    outcome = answered(state, FetchPart(1, 0), Fetched(came, 9, "digest"), RULES)
    take(state, outcome)
    batch = state.batches[1]
    assert (batch.stage, batch.records, bool(outcome.warning), outcome.stop) == (stage, records, warns, None)
    assert state.rows == (came if stage is BatchStage.DONE else 0)
    assert state.untold == warns


@pytest.mark.parametrize(("told", "kind"), [(9, errors.FellShort), (1, errors.ProtocolError)])
@pytest.mark.parametrize("goes_on", [False, True])
def test_records_that_stay_wrong_give_the_batch_up(told: int, kind: type[errors.Error], goes_on: bool) -> None:
    rules = Rules(2, goes_on=goes_on)
    state = chunked(chunk(1, BatchStage.COMPLETED, records=told), chunk(2, BatchStage.COMPLETED))
    outcome: Verdict[Event] = Verdict()
    for _ in range(3):
        assert ListResults(1) in decide(state, set(), rules)
        take(state, answered(state, ListResults(1), Listed(["752"]), rules))
        outcome = answered(state, FetchPart(1, 0), Fetched(3, 9, "digest"), rules)
        take(state, outcome)
    given_up = [event.why for event in outcome.events if isinstance(event, GivenUp)]
    assert bool(given_up) == goes_on
    error = given_up[0] if goes_on else outcome.stop
    assert type(error) is kind
    assert (error.job_id, error.batch_id) == ("750A", "7511")
    if goes_on:
        assert decide(state, set(), rules) == [ListResults(2)]


def test_result_files_that_were_known_are_fetched_though_a_later_list_lacks_them() -> None:
    state = chunked(chunk(1, BatchStage.COMPLETED, records=9))
    take(state, Verdict([Part(1, 0, "752a"), Part(1, 1, "752b")]))
    take(state, answered(state, ListResults(1), Listed(["752b", "752c"]), RULES))
    assert [part.result_id for part in state.parts_of(1)] == ["752a", "752b", "752c"]


def test_result_files_that_were_known_are_the_same_however_they_are_named() -> None:
    state = chunked(chunk(1, BatchStage.COMPLETED, records=9))
    take(state, Verdict([Part(1, 0, "75200000000000a"), Part(1, 1, "75200000000000bAAA")]))
    take(
        state,
        answered(state, ListResults(1), Listed(["75200000000000aAAA", "75200000000000b", "75200000000000B"]), RULES),
    )
    assert [part.result_id for part in state.parts_of(1)] == [
        "75200000000000a",
        "75200000000000bAAA",
        "75200000000000B",
    ]


def bordered(*ranges: tuple[int, int]) -> State:
    def batches() -> Iterable[QueryBatch]:
        for number, (low, high) in enumerate(ranges, 1):
            yield replace(chunk(number, BatchStage.DONE), ids=f"Id >= '{low:015}' AND Id < '{high:015}'")

    return State([replace(ROOT, batches=len(ranges)), *batches()])


def test_chunks_that_follow_one_another_fit() -> None:
    assert check_ranges(bordered((20, 30), (0, 10), (10, 20))) == (None, None)


def test_chunks_that_overlap_are_an_error() -> None:
    error, _ = check_ranges(bordered((0, 10), (9, 20)))
    assert isinstance(error, errors.ProtocolError)
    assert "overlap from id 000000000000009" in str(error)


def test_chunks_with_a_gap_are_told() -> None:
    error, warning = check_ranges(bordered((0, 10), (11, 20)))
    assert error is None
    assert "covers the ids from 000000000000010 to 000000000000011" in str(warning)
