"""What a step of an extract costs does not depend on how many chunks there are: counted in lines of code, never in
seconds."""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from types import FrameType
from typing import Any

from bulkforce.apis.abc import BatchEnd, BatchSeen, JobSeen, JobStanding, Listed, Looked
from bulkforce.extract.ending import progress_of
from bulkforce.extract.events import QueryJob
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
)
from bulkforce.extract.plan import decide
from bulkforce.extract.result_file import Fetched
from bulkforce.extract.rules import Rules
from bulkforce.extract.state import State
from bulkforce.extract.verdicts import answered

QUERY = "SELECT Id FROM Row__c"
RULES = Rules(workers=5, ahead_bytes=1_000)


@dataclass
class Org:
    """An org without a wire: it splits the query, a tenth of its chunks fail, and every look finds a third of the rest
    done."""

    chunks: int
    jobs: int = 0
    looks: Counter[int] = field(default_factory=Counter)

    def answer(self, state: State, action: Order) -> Answer:
        match action:
            case OpenJob(number):
                return self._job(number)
            case AskQuery(number):
                return self._batch(number, 0, None)
            case LookAtJob(number):
                self.looks[number] += 1
                return Looked({seen.id: seen for seen in self._list(number)}, self._job(number))
            case ReadRange(number):
                return f"Id >= '{number:015}' AND Id < '{number + 1:015}'"
            case ListResults(number):
                return Listed([f"752{number:012}", f"752{number:011}x"])
            case FetchPart():
                return Fetched(1, 10, "digest")
            case Deliver() | EndJob():
                return None

    def _list(self, job: int) -> Iterator[BatchSeen]:
        if job > 1:
            yield self._batch(job, 0, BatchEnd.COMPLETED)
            return
        yield self._batch(job, 0, BatchEnd.NOT_PROCESSED)
        for number in range(1, self.chunks + 1):
            done = number % 3 < self.looks[job]
            yield self._batch(
                job, number, (BatchEnd.FAILED if number % 10 == 0 else BatchEnd.COMPLETED) if done else None
            )

    def _job(self, number: int) -> JobSeen:
        return JobSeen(f"750{number:012}", JobStanding.OPEN)

    def _batch(self, job: int, number: int, end: BatchEnd | None) -> BatchSeen:
        return BatchSeen(f"751{job:06}{number:06}", end, processed=2)


class Watched(dict[Any, Any]):
    """A dict that counts how many of its items are gone through."""

    visits = 0

    def _visit(self) -> None:
        Watched.visits += len(self)

    def __iter__(self) -> Iterator[Any]:
        self._visit()
        return super().__iter__()

    def items(self) -> Any:
        self._visit()
        return super().items()

    def values(self) -> Any:
        self._visit()
        return super().values()

    def keys(self) -> Any:
        self._visit()
        return super().keys()


def watched(state: State) -> State:
    """The same state, with its large dicts watched."""
    for name in ("jobs", "batches", "parts", "numbers", "ranges", "_at"):
        setattr(state, name, Watched(getattr(state, name)))
    return state


def carry_out(chunks: int) -> State:
    """Carry out a whole extract, one answer at a time, in an order by chance."""
    state = watched(State([QueryJob(1, QUERY, "TRUE", None)]))
    for _ in steps(state, chunks):
        pass
    return state


def steps(state: State, chunks: int) -> Iterator[Order]:
    """Carry out an extract step by step, and tell each."""
    chance = random.Random(1)
    org = Org(chunks)
    busy: set[Order] = set()
    while not (state.complete and not state.unended):
        busy.update(decide(state, busy, RULES))
        # Looks are paced, so that they never are a large part of what is done.
        waiting: list[Order] = [action for action in busy if not isinstance(action, LookAtJob)] or list(busy)
        action = chance.choice(sorted(waiting, key=str))
        busy.remove(action)
        outcome = answered(state, action, org.answer(state, action), RULES)
        for event in outcome.events:
            state.apply(event)
        progress_of(state, time.monotonic())
        yield action


@contextmanager
def lines_counted() -> Iterator[Counter[str]]:
    """Count the lines of our code that are carried out, a turn of a loop being one, too."""
    counts: Counter[str] = Counter()

    def line(frame: FrameType, event: str, _: object) -> Any:
        counts["lines"] += event == "line"
        return line

    def call(frame: FrameType, _: str, __: object) -> Any:
        return line if "/bulkforce/extract/" in frame.f_code.co_filename else None

    before = sys.gettrace()
    sys.settrace(call)
    try:
        yield counts
    finally:
        sys.settrace(before)


def costs(chunks: int) -> tuple[float, float]:
    """Lines carried out, and items gone through, by chunk."""
    Watched.visits = 0
    with lines_counted() as counts:
        state = carry_out(chunks)
    assert (state.rows, state.on_disk) == (2 * chunks, 2 * chunks)
    return counts["lines"] / chunks, Watched.visits / chunks


def test_what_a_chunk_costs_does_not_depend_on_how_many_there_are() -> None:
    few, many = costs(50), costs(400)
    assert many[0] < 1.1 * few[0]
    assert many[1] < 1.1 * few[1] + 10


def cost_of_a_step(chunks: int) -> float:
    """Lines that a step takes while nearly all chunks are still to come."""
    done = steps(State([QueryJob(1, QUERY, "TRUE", None)]), chunks)
    assert any(isinstance(action, FetchPart) for action in done)  # by then, all chunks are known
    with lines_counted() as counts:
        assert len(list(islice(done, 300))) == 300
    return counts["lines"] / 300


def test_step_among_a_hundred_thousand_chunks_costs_what_it_costs_among_a_thousand() -> None:
    assert cost_of_a_step(100_000) < 1.05 * cost_of_a_step(1_000)
