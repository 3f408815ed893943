"""Results that come page by page: what is listed, fetched and delivered next, and when all of it is there; by values."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from bulkforce import BearerToken, Client, errors
from bulkforce.apis.abc import BatchEnd, BatchSeen, JobSeen, JobStanding, Listed, Looked
from bulkforce.apis.query2 import Query2
from bulkforce.extract.bring import _audit
from bulkforce.extract.events import BatchStage, Delivered, Event, GivenUp, Part, QueryJob, QueryJobStage
from bulkforce.extract.orders import Answer, Deliver, EndJob, FetchPart, ListResults, LookAtJob, OpenJob, Order, prepare
from bulkforce.extract.plan import decide
from bulkforce.extract.result_file import Fetched
from bulkforce.extract.rules import Rules
from bulkforce.extract.sinks.csv import CsvSink
from bulkforce.extract.sinks.target import Target
from bulkforce.extract.state import State
from bulkforce.extract.verdicts import answered, refused, take_up
from bulkforce.extract.worker import ExtractSettings, ExtractWorker
from bulkforce.run.plan import Verdict
from bulkforce.run.sitting import Sitting

RULES = Rules(2)
JOB = "750000000000001AAA"
QUERY = "SELECT Id FROM X"


def take(state: State, order: Order, answer: Answer, rules: Rules = RULES) -> Verdict[Event]:
    assert order in decide(state, set(), rules)
    verdict = answered(state, prepare(state, order), answer, rules)
    for event in verdict.events:
        state.apply(event)
    return verdict


def asked(records: int | None) -> State:
    """A query whose job was created with it, and has ended."""
    state = State([QueryJob(1, QUERY, None, None)])
    take(state, OpenJob(1), JobSeen(JOB, JobStanding.CLOSED, asked=JOB))
    take(state, LookAtJob(1), Looked({JOB[:15]: BatchSeen(JOB, BatchEnd.COMPLETED, processed=records)}))
    return state


def listed(*pages: str, more: str | None = None, records: int | None = 6) -> State:
    state = asked(records)
    take(state, ListResults(1), Listed(pages, more))
    return state


def page(rows: int, records: int | None = None, following: str | None = None) -> Fetched:
    return Fetched(rows, 10 * rows, "digest", records=records, following=following)


def counted(rows: int, following: str | None = None) -> Fetched:
    return page(rows, rows, following)


def orders(state: State, *, busy: Sequence[Order] = (), rules: Rules = RULES) -> list[Order]:
    return decide(state, set(busy), rules)


def test_job_that_was_created_with_its_query_needs_no_more_asking() -> None:
    state = State([QueryJob(1, QUERY, None, None)])
    take(state, OpenJob(1), JobSeen(JOB, JobStanding.CLOSED, asked=JOB))
    assert (state.root.stage, state.root.batch_id) == (QueryJobStage.ASKED, JOB)
    assert orders(state) == [LookAtJob(1)]
    assert take_up(state) == [], "what has its query is not asked again after a death"


def test_list_goes_on_where_it_ended_and_only_when_there_is_little_left_to_fetch() -> None:
    state = listed("a", "b", "c", "d", "e", more="next")
    assert orders(state) == [FetchPart(1, 0), FetchPart(1, 1)]
    take(state, FetchPart(1, 0), counted(2))
    assert ListResults(1) in orders(state)
    assert prepare(state, ListResults(1)) == ListResults(1)
    (order,) = [prepare(state, one) for one in orders(state) if isinstance(one, ListResults)]
    assert isinstance(order, ListResults)
    assert order.more == "next"
    take(state, ListResults(1), Listed(["f"]))
    assert [part.result_id for part in state.parts_of(1)] == ["a", "b", "c", "d", "e", "f"]
    assert ListResults(1) not in orders(state)


def test_pages_are_delivered_as_they_come_and_the_whole_is_done_when_their_sum_is_right() -> None:
    state = listed("a", "b", more="next")
    take(state, FetchPart(1, 1), counted(2))
    assert Deliver(1, 0) not in orders(state), "in order"
    take(state, FetchPart(1, 0), counted(2))
    take(state, Deliver(1, 0), None)
    take(state, Deliver(1, 1), None)
    assert orders(state) == [ListResults(1)], "there may be more"
    take(state, ListResults(1), Listed(["c"]))
    take(state, FetchPart(1, 2), counted(2))
    assert (state.batches[1].stage, state.rows) == (BatchStage.DONE, 6)
    take(state, Deliver(1, 2), None)
    take(state, EndJob(1), None)
    assert state.complete
    assert not state.unended


def test_whole_that_turns_out_to_be_whole_only_after_its_last_page_was_delivered_is_complete() -> None:
    state = listed("a", more="next", records=2)
    take(state, FetchPart(1, 0), counted(2))
    take(state, Deliver(1, 0), None)
    take(state, ListResults(1), Listed([]))
    take(state, Deliver(1, 1), None)
    assert state.complete
    assert state.ahead_bytes == 0


def test_page_that_the_org_did_not_count_is_delivered_only_with_the_whole() -> None:
    state = listed("a", "b")
    take(state, FetchPart(1, 0), page(3))
    assert Deliver(1, 0) not in orders(state)
    take(state, FetchPart(1, 1), page(3))
    assert Deliver(1, 0) in orders(state)


def test_pages_that_name_one_another_are_followed_to_the_last() -> None:
    state = listed("first")
    take(state, FetchPart(1, 0), counted(3, "second"))
    assert orders(state) == [Deliver(1, 0), FetchPart(1, 1)]
    take(state, FetchPart(1, 1), counted(3))
    assert [part.result_id for part in state.parts_of(1)] == ["first", "second"]
    assert state.batches[1].stage is BatchStage.DONE


def test_page_that_is_fetched_again_does_not_name_the_next_a_second_time() -> None:
    state = listed("first")
    take(state, FetchPart(1, 0), counted(2, "second"))
    state.apply(Part(1, 0, "first"))  # it was spoilt on disk
    take(state, FetchPart(1, 0), counted(2, "named otherwise"))
    assert [part.result_id for part in state.parts_of(1)] == ["first", "second"]


@pytest.mark.parametrize("following", ["first", "second"])
def test_pages_that_go_round_in_a_circle_are_an_error(following: str) -> None:
    state = listed("first")
    take(state, FetchPart(1, 0), counted(2, "second"))
    for _ in range(3):
        verdict = take(state, FetchPart(1, 1), counted(2, following))
    (given_up,) = [event for event in verdict.events if isinstance(event, GivenUp)]
    assert isinstance(given_up.why, errors.ProtocolError)
    assert "circle" in str(given_up.why)


@pytest.mark.parametrize(("came", "kind"), [(1, errors.FellShort), (3, errors.ProtocolError)])
def test_page_without_as_many_records_as_the_org_said_is_fetched_again_until_it_is_an_error(
    came: int, kind: type[errors.Error]
) -> None:
    state = listed("a", "b")
    for tries in range(1, 4):
        verdict = take(state, FetchPart(1, 0), page(came, 2))
        assert (state.batches[1].tries, state.rows) == (tries, 0)
    (given_up,) = [event for event in verdict.events if isinstance(event, GivenUp)]
    assert type(given_up.why) is kind
    assert f"A result file of job {JOB} has 2 records, but {came} came; they were fetched 3 times" in str(given_up.why)
    assert "batch" not in str(given_up.why)


def test_pages_that_are_right_stay_when_their_sum_is_short_and_another_list_may_have_the_rest() -> None:
    state = listed("a", "b")
    take(state, FetchPart(1, 0), counted(2))
    take(state, FetchPart(1, 1), counted(2))
    assert (state.batches[1].stage, state.rows) == (BatchStage.COMPLETED, 4)
    take(state, ListResults(1), Listed(["a", "b", "c"]))
    take(state, FetchPart(1, 2), counted(2))
    assert (state.batches[1].stage, state.rows) == (BatchStage.DONE, 6)


def test_pages_that_are_too_few_are_an_error_also_if_they_were_delivered() -> None:
    state = listed("a")
    verdict = take(state, FetchPart(1, 0), counted(2))
    take(state, Deliver(1, 0), None)
    for _ in range(2):
        verdict = take(state, ListResults(1), Listed(["a"]))
    (given_up,) = [event for event in verdict.events if isinstance(event, GivenUp)]
    assert type(given_up.why) is errors.FellShort
    assert f"Job {JOB} has 6 records, but its result files hold 2" in str(given_up.why)
    assert not state.complete


@pytest.mark.parametrize("told", [None, 0])
def test_pages_of_a_job_that_has_no_count_are_complete_with_a_warning(told: int | None) -> None:
    state = listed("a", records=told)
    verdict = take(state, FetchPart(1, 0), counted(2))
    assert verdict.warning == f"The org did not say how many records job {JOB} has; its result files hold 2"
    assert (state.batches[1].stage, state.untold) == (BatchStage.DONE, 1)


def test_slow_reader_makes_the_pages_wait_except_the_one_that_is_due() -> None:
    rules = Rules(2, ahead_bytes=15)
    state = listed("a", "b", "c", "d")
    assert orders(state, rules=rules) == [FetchPart(1, 0), FetchPart(1, 1)]
    take(state, FetchPart(1, 1), counted(2))
    assert orders(state, rules=rules) == [FetchPart(1, 0)], "what comes later waits for it"
    take(state, FetchPart(1, 0), counted(2))
    assert orders(state, rules=rules) == [Deliver(1, 0)]
    assert orders(state, rules=rules, busy=[Deliver(1, 0)]) == []
    state.apply(Delivered(1, 0))
    state.apply(Delivered(1, 1))
    assert orders(state, rules=rules) == [FetchPart(1, 2), FetchPart(1, 3)]


def test_slow_reader_does_not_stop_pages_without_which_nothing_can_be_delivered() -> None:
    rules = Rules(2, ahead_bytes=15)
    state = listed("a", "b", "c", "d")
    take(state, FetchPart(1, 1), counted(2), rules)
    take(state, FetchPart(1, 0), page(2), rules)
    assert orders(state, rules=rules) == [FetchPart(1, 2), FetchPart(1, 3)]


def test_results_that_are_gone_are_told_with_what_to_do() -> None:
    state = listed("a")
    verdict = refused(state, FetchPart(1, 0), errors.NotFound("no such thing"), RULES)
    assert isinstance(verdict.stop, errors.NotFound)
    assert f"The org no longer has the results of job {JOB}: it keeps them for 7 days" in str(verdict.stop)
    assert "Start a new extract" in str(verdict.stop)


def test_nothing_is_published_unless_the_sink_has_every_record(tmp_path: Path) -> None:
    state = listed("a", records=2)
    take(state, FetchPart(1, 0), counted(2))
    with Client("https://acme.my.salesforce.com", BearerToken("token")) as client:
        sitting = Sitting.of(client.driver)
        asked = ExtractSettings(all_rows=False, columns=lambda _names: [], names=["Id"])
        worker = ExtractWorker(sitting, Query2("query", "66.0"), asked, tmp_path, CsvSink(Target(tmp_path / "out.csv")))
        error = _audit(sitting, state, worker)
        assert isinstance(error, errors.FellShort)
        assert "2 records were fetched, but 0 were written" in str(error)
        worker.delivered = 2
        assert _audit(sitting, state, worker) is None
