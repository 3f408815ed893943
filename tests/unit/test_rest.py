"""What the org says over REST about its user, its limits and its objects."""

from __future__ import annotations

import json
from typing import cast

import pytest
from tests.support.script import said, script

from bulkforce.errors import InvalidRequest, ProtocolError
from bulkforce.protocol import rest
from bulkforce.protocol.exchange import Answer
from bulkforce.protocol.flow import ask
from bulkforce.protocol.rest import Allowance


def told(answer: object) -> Answer:
    return said(json.dumps(answer), media="application/json")


@pytest.mark.parametrize(
    ("answer", "batches", "api_calls"),
    [
        (
            {"DailyBulkApiBatches": {"Max": 15_000, "Remaining": 14_998}, "DailyApiRequests": {"Remaining": 7}},
            14_998,
            7,
        ),
        ({"DailyBulkApiBatches": {"Max": 15_000}, "DailyApiRequests": 5}, None, None),
        ({"DailyBulkApiBatches": {"Remaining": "many"}}, None, None),
        ({}, None, None),
    ],
)
def test_allowance_is_what_the_org_says_is_left(answer: object, batches: int | None, api_calls: int | None) -> None:
    assert script(ask(rest.allowance()), [told(answer)]) == Allowance(batches, api_calls)


def test_limits_are_those_that_are_complete() -> None:
    answer = {"A": {"Max": 5, "Remaining": 3}, "B": {"Max": 5}, "C": 7, "D": {"Max": "5", "Remaining": 3}}
    assert script(ask(rest.limits()), [told(answer)]) == {"A": rest.Limit(5, 3)}


def test_user_is_who_the_org_says() -> None:
    answer = {"preferred_username": "ada@example.com", "user_id": "005A", "organization_id": None}
    assert script(ask(rest.user_info()), [told(answer)]) == rest.UserInfo("ada@example.com", "005A", "")
    assert script(ask(rest.user_name("005A")), [told({"Username": "ada@example.com"})]) == "ada@example.com"
    assert script(ask(rest.user_name("005A")), [told({"Username": None})]) == ""


def test_whole_answers_about_objects_are_kept_as_they_are() -> None:
    one = {"name": "A", "fields": [{"name": "B", "type": "string", "new": {"x": [1]}}], "other": 1}
    assert script(ask(rest.describe_answer("A")), [told(one)]) == one
    assert script(ask(rest.objects_answer()), [told({"sobjects": []})]) == {"sobjects": []}
    wrong: object
    for wrong in ({"fields": []}, [], "text"):
        with pytest.raises(ProtocolError):
            script(ask(rest.describe_answer("A")), [told(wrong)])


@pytest.mark.parametrize("asked", ["Account", "SELECT Id FROM Account", "SELECT COUNT() FROM Account"])
def test_records_are_counted_by_object_and_by_query(asked: str) -> None:
    assert script(rest.count_found(asked), [told({"totalSize": 3, "done": True, "records": []})]) == 3
    with pytest.raises(ProtocolError):
        script(rest.count_found(asked, all_rows=True), [told({"done": True})])


@pytest.mark.parametrize(
    ("answer", "following"),
    [
        ({"totalSize": 1, "done": True, "records": [{"Id": "1"}]}, None),
        (
            {"totalSize": 5, "done": False, "records": [{"Id": "1"}], "nextRecordsUrl": "/services/data/q"},
            "/services/data/q",
        ),
    ],
)
def test_page_of_records_names_the_next(answer: dict[str, object], following: str | None) -> None:
    page = script(ask(rest.records_page("SELECT Id FROM A", all_rows=True)), [told(answer)])
    assert page == rest.RecordsPage([{"Id": "1"}], cast(int, answer["totalSize"]), following)
    assert script(ask(rest.following_page("/services/data/q")), [told(answer)]) == page


@pytest.mark.parametrize(
    "answer",
    [
        {"totalSize": 1, "done": True},
        {"totalSize": 1, "done": True, "records": [1]},
        {"totalSize": 1, "done": False, "records": []},
        {"totalSize": 1, "records": [], "nextRecordsUrl": "https://elsewhere.example.com/"},
        {"done": True, "records": []},
    ],
)
def test_page_without_records_or_a_way_to_the_next_is_none(answer: object) -> None:
    with pytest.raises(ProtocolError):
        script(ask(rest.records_page("SELECT Id FROM A")), [told(answer)])


def test_refused_query_shows_the_place_if_the_org_tells_it() -> None:
    message = "\nSELECT COUNT() FROM A\n                    ^\nERROR at Row:1:Column:21\nNo such type"
    refusal = said(
        json.dumps([{"errorCode": "INVALID_TYPE", "message": message}]), status=400, media="application/json"
    )
    with pytest.raises(InvalidRequest, match=r"INVALID_TYPE: No such type \(line 1, column 21\)\n  SELECT COUNT"):
        script(rest.count_found("A"), [refusal])
    silent = said(json.dumps([{"errorCode": "INVALID_TYPE", "message": ""}]), status=400, media="application/json")
    with pytest.raises(InvalidRequest, match="The org refused: INVALID_TYPE"):
        script(rest.count_found("A"), [silent])
