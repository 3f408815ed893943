"""What is to be done next in an extract, by tables of where it stands."""

from __future__ import annotations

import pytest

from bulkforce.extract.events import BatchStage, Delivered, Part, QueryBatch, QueryJob, QueryJobStage
from bulkforce.extract.orders import AskQuery as Ask
from bulkforce.extract.orders import Deliver, EndJob, FetchPart, ListResults, LookAtJob, OpenJob, Order, ReadRange
from bulkforce.extract.plan import decide
from bulkforce.extract.rules import Rules
from bulkforce.extract.state import State

IDS = "Id >= '001300000000000' AND Id < '00130000000132G'"


def standing(
    *stages: BatchStage, job: QueryJobStage = QueryJobStage.LISTED, done: int = 0, size: int = 10, ids: str | None = IDS
) -> State:
    """A chunked query: a batch of each stage in its order, with two parts each, of which the first ``done`` are on disk
    in each."""
    state = State(
        [QueryJob(1, "SELECT Id FROM X", "TRUE", None, stage=job, id="750", batch_id="751", batches=len(stages))]
    )
    for number, stage in enumerate(stages, 1):
        state.put(QueryBatch(number, 1, f"751{number}", number - 1, stage, ids=ids))
        if stage in {BatchStage.FETCHING, BatchStage.DONE}:
            for place in range(2):
                on_disk = stage is BatchStage.DONE or place < done
                state.put(Part(number, place, f"752{place}", done=on_disk, rows=1, size=size))
    return state


@pytest.mark.parametrize(
    ("job", "action"),
    [
        (QueryJobStage.WANTED, OpenJob(1)),
        (QueryJobStage.OPEN, Ask(1)),
        (QueryJobStage.ASKED, LookAtJob(1)),
        (QueryJobStage.ABANDONED, EndJob(1)),
        (QueryJobStage.GONE, None),
        (QueryJobStage.LISTED, EndJob(1)),
    ],
)
def test_a_job_goes_its_way(job: QueryJobStage, action: Order | None) -> None:
    assert decide(standing(job=job), set(), Rules(2)) == ([] if action is None else [action])


@pytest.mark.parametrize(
    ("stage", "expected"),
    [
        (BatchStage.RUNNING, [LookAtJob(1)]),
        (BatchStage.COMPLETED, [ListResults(1)]),
        (BatchStage.FETCHING, [FetchPart(1, 0), FetchPart(1, 1)]),
        (BatchStage.DONE, [EndJob(1), Deliver(1, 0)]),
        (BatchStage.REPLACED, [EndJob(1)]),
    ],
)
def test_a_batch_goes_its_way(stage: BatchStage, expected: list[Order]) -> None:
    assert decide(standing(stage), set(), Rules(2)) == expected


@pytest.mark.parametrize("stage", [BatchStage.RUNNING, BatchStage.COMPLETED, BatchStage.FAILED])
def test_which_ids_a_chunk_is_about_is_read_before_anything_else_of_it(stage: BatchStage) -> None:
    looks = [LookAtJob(1)] if stage is BatchStage.RUNNING else []
    assert decide(standing(stage, ids=None), set(), Rules(2)) == [*looks, ReadRange(1)]


def test_what_is_under_way_is_not_begun_again() -> None:
    state = standing(BatchStage.RUNNING, BatchStage.FETCHING)
    assert decide(state, {LookAtJob(1), FetchPart(2, 0)}, Rules(2)) == [FetchPart(2, 1)]
    assert decide(state, {LookAtJob(1), FetchPart(2, 0), FetchPart(2, 1)}, Rules(2)) == []


def test_no_more_is_under_way_at_once_than_there_are_workers() -> None:
    state = standing(*[BatchStage.COMPLETED] * 9)
    assert decide(state, set(), Rules(3)) == [ListResults(1), ListResults(2), ListResults(3)]
    assert decide(state, {ListResults(1), ReadRange(7)}, Rules(3)) == [ListResults(2)]


def test_chunks_are_asked_again_a_few_at_a_time() -> None:
    state = standing(*[BatchStage.REPLACED] * 9)
    for number in range(2, 11):
        state.put(QueryJob(number, "SELECT Id FROM X", None, number - 1))
    busy: set[Order] = {EndJob(1)}
    assert decide(state, busy, Rules(2)) == [OpenJob(2), OpenJob(3), OpenJob(4)]
    state.put(QueryJob(2, "SELECT Id FROM X", None, 1, stage=QueryJobStage.ASKED, id="750", batch_id="751"))
    assert decide(state, {*busy, OpenJob(3), OpenJob(4)}, Rules(2)) == [LookAtJob(2)]


def test_parts_are_delivered_in_order_and_one_at_a_time() -> None:
    state = standing(BatchStage.FETCHING, BatchStage.DONE)
    assert not any(isinstance(action, Deliver) for action in decide(state, set(), Rules(1)))
    state = standing(BatchStage.DONE, BatchStage.DONE)
    delivered = []
    while not state.complete:
        (due,) = (action for action in decide(state, {EndJob(1)}, Rules(1)) if isinstance(action, Deliver))
        delivered.append((due.batch, due.place))
        state.apply(Delivered(due.batch, due.place))
    assert delivered == [(1, 0), (1, 1), (2, 0), (2, 1)]


def test_nothing_is_delivered_as_long_as_it_is_not_known_whose_batches_there_are() -> None:
    state = standing(BatchStage.DONE, BatchStage.RUNNING)
    assert Deliver(1, 0) in decide(state, set(), Rules(1))
    state.put(QueryBatch(3, 1, "7513", 2))
    assert Deliver(1, 0) not in decide(state, set(), Rules(1))


def test_a_slow_reader_makes_the_downloads_wait() -> None:
    state = standing(BatchStage.DONE, BatchStage.FETCHING, BatchStage.FETCHING)
    busy: set[Order] = {Deliver(1, 0)}
    assert decide(state, busy, Rules(9, 21)) == [FetchPart(2, 0), FetchPart(2, 1), FetchPart(3, 0), FetchPart(3, 1)]
    assert decide(state, busy, Rules(9, 20)) == []
    state.apply(Delivered(1, 0))
    assert len(decide(state, busy, Rules(9, 20))) == 4


def test_the_part_that_is_due_never_waits() -> None:
    state = standing(BatchStage.FETCHING, BatchStage.DONE)
    assert decide(state, set(), Rules(9, 0)) == [FetchPart(1, 0), FetchPart(1, 1)]


def test_a_batch_takes_the_place_of_the_one_that_failed() -> None:
    state = standing(BatchStage.REPLACED, BatchStage.DONE)
    assert not any(isinstance(action, Deliver) for action in decide(state, set(), Rules(1)))
    state.put(QueryBatch(3, 1, "7513", 0, BatchStage.DONE, ids=IDS))
    state.put(Part(3, 0, "752", done=True))
    assert Deliver(3, 0) in decide(state, set(), Rules(1))
    assert [batch.number for batch in state.counting] == [3, 2]
