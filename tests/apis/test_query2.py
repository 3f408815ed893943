"""Queries over Bulk API 2.0, answered by hand: how pages are found, and what each refusal means."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from tests.support.script import Script, said

from bulkforce.apis.abc import BatchEnd, BatchSeen, JobStanding, Listed, QueryFault
from bulkforce.apis.query2 import Query2
from bulkforce.errors import (
    Error,
    InvalidRequest,
    JournalMismatch,
    LimitReached,
    NoAnswer,
    NotFound,
    NotPermitted,
    QueryRefused,
    Unavailable,
    Unsettled,
    UsageError,
)
from bulkforce.protocol import soql
from bulkforce.protocol.exchange import Answer, Request, Stream
from bulkforce.protocol.flow import Flow, Send

API = Query2("query", "66.0")
OLD = Query2("query", "57.0")
JOB = "7503h00000CV7KdAAL"
QUERY = "SELECT Id FROM X"
BASE = f"/services/data/v66.0/jobs/query/{JOB}"


def told(value: object, status: int = 200) -> Answer:
    return said(json.dumps(value), status, "application/json")


def refused(code: str, message: str = "no", status: int = 400) -> Answer:
    return told([{"errorCode": code, "message": message}], status)


def job(state: str, **more: object) -> Answer:
    words = {"id": JOB, "operation": "query", "object": "X", "state": state, "contentType": "CSV"}
    return told({**words, "lineEnding": "LF", "columnDelimiter": "COMMA", **more})


def pages(*links: str, more: str | None = None) -> Answer:
    members: dict[str, object] = {
        "resultPages": [{"resultUrl": f"{BASE}/results{link}"} for link in links],
        "done": more is None,
    }
    if more is not None:
        members["nextRecordsUrl"] = f"{BASE}/resultpages?locator={more}"
    return told(members)


class Wire:
    framed = True

    def __iter__(self) -> Any:
        return iter([b'"Id"\n'])

    def close(self) -> None:
        """Nothing is held."""


def page(locator: str | None, records: int | None = 1) -> Answer:
    stream: Stream = Wire()
    headers: Mapping[str, str] = {
        "content-type": "text/csv",
        **({} if locator is None else {"sforce-locator": locator}),
        **({} if records is None else {"sforce-numberofrecords": str(records)}),
    }
    return Answer(Request("GET", "/x"), 200, headers, stream=stream)


def carry_out(flow: Flow[Any], *lines: Answer | Exception) -> tuple[Any, list[str]]:
    """Return what a flow returned, and what it asked for."""
    played = Script(list(lines))
    value = played.run(flow)
    assert played.lines == []
    return value, [effect.request.path for effect in played.effects if isinstance(effect, Send)]


def test_job_is_created_with_its_query_in_the_version_of_the_run() -> None:
    seen, asked = carry_out(Query2("queryAll", "60.0").open(QUERY, None), job("UploadComplete", operation="queryAll"))
    assert (seen.id, seen.asked, seen.standing) == (JOB, JOB, JobStanding.CLOSED)
    assert asked == ["/services/data/v60.0/jobs/query"]
    assert carry_out(API.ask(JOB, QUERY)) == (BatchSeen(JOB), [])


@pytest.mark.parametrize(
    ("state", "end"),
    [
        ("UploadComplete", None),
        ("InProgress", None),
        ("SomethingNew", None),
        ("JobComplete", BatchEnd.COMPLETED),
        ("Failed", BatchEnd.FAILED),
        ("Aborted", BatchEnd.NOT_PROCESSED),
    ],
)
def test_states_of_a_job_are_told_as_those_of_its_batch(state: str, end: BatchEnd | None) -> None:
    looked, _ = carry_out(API.look(JOB, JOB, [], splits=False), job(state, numberRecordsProcessed=7))
    assert looked.batches == {JOB[:15]: BatchSeen(JOB, end, processed=None if end is None else 7)}
    assert not looked.is_open


@pytest.mark.parametrize(
    ("message", "fault"),
    [
        (None, None),
        ("Unexpected exception encountered in query processing", None),
        ("InvalidBatch : no such field", QueryFault.WRONG),
        ("Retried more than 15 times", QueryFault.TOO_LARGE),
    ],
)
def test_reason_of_a_failed_job_is_told_if_there_is_one(message: str | None, fault: QueryFault | None) -> None:
    more = {} if message is None else {"errorMessage": message}
    looked, _ = carry_out(API.look(JOB, JOB, [], splits=False), job("Failed", **more))
    (batch,) = looked.batches.values()
    assert (batch.message, batch.fault) == (message, fault)


@pytest.mark.parametrize(
    ("code", "message", "kind", "text"),
    [
        ("INVALID_FIELD", "No such column 'A'", QueryRefused, "refuses the query: INVALID_FIELD: No such column 'A'"),
        ("INVALIDENTITY", "Entity 'T' is not supported", QueryRefused, "INVALIDENTITY: Entity 'T' is not supported"),
        ("API_ERROR", "Selecting compound data not supported", QueryRefused, "API_ERROR: Selecting compound data"),
        ("LIMIT_EXCEEDED", "Max bulk v2 query jobs", LimitReached, r"no more queries over Bulk API 2\.0 today: Max"),
        ("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit", LimitReached, "used up its API calls"),
        ("FEATURENOTENABLED", "not for you", NotPermitted, "administrator"),
    ],
)
def test_query_that_is_not_taken_is_refused_at_once(code: str, message: str, kind: type[Error], text: str) -> None:
    with pytest.raises(kind, match=text) as caught:
        carry_out(API.open(QUERY, None), refused(code, message))
    assert type(caught.value) is kind
    assert caught.value.code == code


def test_pages_are_listed_a_few_at_a_time_as_their_links_say() -> None:
    first, asked = carry_out(API.list_results(JOB, JOB), pages("", "?locator=B&maxRecords=5", more="M"))
    assert first == Listed(["page 0 ", "page 5 B"], "M")
    assert asked == [f"{BASE}/resultPages"]
    last, asked = carry_out(API.list_results(JOB, JOB, "M"), pages("?locator=C"))
    assert last == Listed(["page 0 C"], None)
    assert asked == [f"{BASE}/resultPages?locator=M"]
    for name, query in (("page 0 ", ""), ("page 5 B", "?locator=B&maxRecords=5"), ("page 0 a b", "?locator=a+b")):
        file, asked = carry_out(API.fetch(JOB, JOB, name), page("next", 3))
        assert (file.records, file.following) == (3, None), "only the list says what comes next"
        assert asked == [f"{BASE}/results{query}"]


def test_pages_of_an_old_version_name_one_another() -> None:
    first, asked = carry_out(OLD.list_results(JOB, JOB))
    assert (first.more, asked) == (None, [])
    (name,) = first.names
    names = []
    for locator in ("B", "C", "null"):
        file, asked = carry_out(OLD.fetch(JOB, JOB, name), page(locator))
        names += asked
        name = file.following
    assert name is None
    query = f"/services/data/v57.0/jobs/query/{JOB}/results?"
    assert names == [f"{query}{given}maxRecords=50000" for given in ("", "locator=B&", "locator=C&")]


@pytest.mark.parametrize("end", ["null", "", None])
def test_end_of_pages_is_told_in_any_way(end: str | None) -> None:
    file, _ = carry_out(OLD.fetch(JOB, JOB, "set 50000 Z"), page(end, None))
    assert (file.records, file.following) == (None, None)


def test_org_that_does_not_list_pages_is_asked_for_the_first() -> None:
    listed, _ = carry_out(API.list_results(JOB, JOB), refused("NOT_FOUND", status=404), job("JobComplete"))
    assert listed == Listed(("set 50000 ",))
    # Nor need there be any link for a query that finds nothing.
    assert carry_out(API.list_results(JOB, JOB), pages())[0] == Listed(("set 50000 ",))


def test_list_of_pages_that_breaks_off_is_not_begun_again_in_another_way() -> None:
    with pytest.raises(InvalidRequest):
        carry_out(API.list_results(JOB, JOB, "M"), refused("API_ERROR"))


def test_results_of_a_job_that_is_gone_are_not_found() -> None:
    gone = refused("NOT_FOUND", status=404)
    with pytest.raises(NotFound):
        carry_out(API.list_results(JOB, JOB), gone, gone)
    with pytest.raises(NotFound):
        carry_out(API.fetch(JOB, JOB, "page 0 A"), gone)
    with pytest.raises(NotFound):
        carry_out(API.look(JOB, JOB, [], splits=False), gone)


@pytest.mark.parametrize("answer", [refused("INVALIDJOBSTATE"), said("", 204)], ids=["refused", "no content"])
def test_results_that_are_not_there_yet_are_waited_for(answer: Answer) -> None:
    streamed = Answer(answer.request, answer.status, answer.headers, answer.body, stream=Wire())
    with pytest.raises(Unavailable, match="complete, but it does not give its results yet"):
        carry_out(API.fetch(JOB, JOB, "page 0 A"), streamed if answer.status == 204 else answer)


def test_results_for_another_version_are_told() -> None:
    with pytest.raises(JournalMismatch, match=r"not 66\.0\. Start a new extract\. The org said: API_ERROR: no"):
        carry_out(API.fetch(JOB, JOB, "page 0 A"), refused("API_ERROR", status=409))


def test_locator_that_is_none_any_more_is_the_orgs_refusal() -> None:
    with pytest.raises(InvalidRequest, match="Invalid locator"):
        carry_out(API.fetch(JOB, JOB, "page 0 A"), refused("API_ERROR", "Invalid locator"))


LOST = NoAnswer("lost")


@pytest.mark.parametrize(
    ("lines", "requests"),
    [
        ([job("Aborted")], 1),
        ([refused("NOT_FOUND", status=404)], 1),
        ([refused("INVALIDJOBSTATE", "Aborting already Completed Job not allowed"), job("JobComplete")], 2),
        ([LOST, job("Aborted")], 2),
        ([LOST, job("InProgress"), job("Aborted")], 3),
        ([LOST, refused("NOT_FOUND", status=404)], 2),
    ],
)
def test_job_that_is_given_up_is_over_whatever_becomes_of_the_answer(
    lines: list[Answer | Exception], requests: int
) -> None:
    _, asked = carry_out(API.abort(JOB), *lines)
    assert asked == [BASE] * requests


def test_job_that_cannot_be_aborted_is_told() -> None:
    lines: list[Answer | Exception] = [LOST, job("InProgress")]
    with pytest.raises(Unsettled, match="could not be aborted") as caught:
        carry_out(API.abort(JOB), *lines * 3)
    assert caught.value.job_id == JOB


def test_what_a_job_of_2_does_not_need_costs_no_request() -> None:
    assert carry_out(API.close(JOB, JOB, None)) == (None, [])
    assert carry_out(API.read_range(JOB, JOB, soql.read(QUERY))) == (None, [])


@pytest.mark.parametrize("version", ["46.0", "41.0"])
def test_version_without_queries_is_refused(version: str) -> None:
    with pytest.raises(UsageError, match=f"needs version 47.0 or later, not {version}"):
        Query2("query", version)


@pytest.mark.parametrize(("version", "keeps"), [("47.0", False), ("49.0", False), ("50.0", True)])
def test_columns_have_the_order_of_the_query_from_50_on(version: str, keeps: bool) -> None:
    assert Query2("query", version).keeps_order == keeps
