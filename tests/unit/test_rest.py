"""What the org says over REST about its user, its limits and its objects."""

from __future__ import annotations

import json

import pytest
from tests.support.script import said, script

from bulkforce.errors import ProtocolError
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
    assert script(ask(rest.count_found(asked)), [told({"totalSize": 3, "done": True, "records": []})]) == 3
    with pytest.raises(ProtocolError):
        script(ask(rest.count_found(asked, all_rows=True)), [told({"done": True})])
