"""What is to be done next in an extract, by tables of where it stands."""

from __future__ import annotations

import pytest

from bulkforce.transfer.extract_state import (
    Action,
    AskAgain,
    AskQuery,
    Batch,
    BatchStage,
    Deliver,
    EndJob,
    FetchPart,
    Job,
    JobStage,
    ListResults,
    LookAtJob,
    OpenJob,
    Part,
    State,
    after_delivery,
    decide,
)


def standing(*stages: BatchStage, job: JobStage = JobStage.LISTED, done: int = 0, size: int = 10) -> State:
    """A chunked query: a batch of each stage in its order, with two parts each, of which the first ``done`` are on disk in each."""
    batches = [Batch(number, 1, f"751{number}", number - 1, stage) for number, stage in enumerate(stages, 1)]
    parts = {
        batch.number: [
            Part(batch.number, place, f"752{place}", done=batch.stage is BatchStage.DONE or place < done, rows=1, size=size)
            for place in range(2)
        ]
        for batch in batches
        if batch.stage in {BatchStage.FETCHING, BatchStage.DONE}
    }
    return State(
        {1: Job(1, "SELECT Id FROM X", "TRUE", None, stage=job, id="750", batches=len(stages))}, {b.number: b for b in batches}, parts
    )


@pytest.mark.parametrize(
    ("job", "action"),
    [
        (JobStage.WANTED, OpenJob(1)),
        (JobStage.OPEN, AskQuery(1)),
        (JobStage.ASKED, LookAtJob(1)),
        (JobStage.ABANDONED, EndJob(1)),
        (JobStage.GONE, None),
        (JobStage.LISTED, EndJob(1)),
    ],
)
def test_a_job_goes_its_way(job: JobStage, action: Action | None) -> None:
    assert decide(standing(job=job), set(), 2, None) == ([] if action is None else [action])


@pytest.mark.parametrize(
    ("stage", "expected"),
    [
        (BatchStage.RUNNING, [LookAtJob(1)]),
        (BatchStage.COMPLETED, [ListResults(1)]),
        (BatchStage.FETCHING, [FetchPart(1, 0), FetchPart(1, 1)]),
        (BatchStage.DONE, [EndJob(1), Deliver(1, 0)]),
        (BatchStage.FAILED, [AskAgain(1)]),
        (BatchStage.REPLACED, [EndJob(1)]),
    ],
)
def test_a_batch_goes_its_way(stage: BatchStage, expected: list[Action]) -> None:
    assert decide(standing(stage), set(), 2, None) == expected


def test_what_is_under_way_is_not_begun_again() -> None:
    state = standing(BatchStage.RUNNING, BatchStage.FETCHING)
    assert decide(state, {LookAtJob(1), FetchPart(2, 0)}, 2, None) == [FetchPart(2, 1)]
    assert decide(state, {LookAtJob(1), FetchPart(2, 0), FetchPart(2, 1)}, 2, None) == []


def test_parts_are_delivered_in_order_and_one_at_a_time() -> None:
    state = standing(BatchStage.FETCHING, BatchStage.DONE)
    assert not any(isinstance(action, Deliver) for action in decide(state, set(), 1, None))
    state = standing(BatchStage.DONE, BatchStage.DONE)
    delivered = []
    while not state.complete:
        (due,) = (action for action in decide(state, {EndJob(1)}, 1, None) if isinstance(action, Deliver))
        delivered.append((due.batch, due.place))
        after_delivery(state, due)
    assert delivered == [(1, 0), (1, 1), (2, 0), (2, 1)]


def test_a_slow_reader_makes_the_downloads_wait() -> None:
    state = standing(BatchStage.DONE, BatchStage.FETCHING, BatchStage.FETCHING)
    busy: set[Action] = {Deliver(1, 0)}
    assert decide(state, busy, 9, 21) == [FetchPart(2, 0), FetchPart(2, 1), FetchPart(3, 0), FetchPart(3, 1)]
    assert decide(state, busy, 9, 20) == []


def test_the_part_that_is_due_never_waits() -> None:
    state = standing(BatchStage.FETCHING, BatchStage.DONE)
    assert decide(state, set(), 9, 0) == [FetchPart(1, 0), FetchPart(1, 1)]


def test_a_batch_takes_the_place_of_the_one_that_failed() -> None:
    state = standing(BatchStage.REPLACED, BatchStage.DONE)
    assert not any(isinstance(action, Deliver) for action in decide(state, set(), 1, None))
    state.batches[3] = Batch(3, 1, "7513", 0, BatchStage.DONE)
    state.parts[3] = [Part(3, 0, "752", done=True)]
    assert Deliver(3, 0) in decide(state, set(), 1, None)
    assert [batch.number for batch in state.counting] == [3, 2]
