"""The files themselves: readable, with their evidence, and whole."""

from __future__ import annotations

import re

import pytest
from tests.conformance.loader import CONFIDENCES, Conversation, Exchange, conversations
from tests.conformance.matching import Values, check_characters, difference

ALL = pytest.mark.parametrize("conversation", conversations(), ids=lambda conversation: conversation.name)


@ALL
def test_every_exchange_names_its_evidence(conversation: Conversation) -> None:
    for exchange in conversation.exchanges:
        assert exchange.source not in {"", "see each"}
        assert re.fullmatch(r"20\d\d(-\d\d){0,2}", exchange.date)
        assert exchange.confidence in CONFIDENCES


@ALL
def test_what_is_only_inferred_is_not_asked_of_the_emulator(conversation: Conversation) -> None:
    assert [x.name for x in conversation.exchanges if x.confidence == "inferred" and x.emulator] == []


@ALL
def test_every_exchange_is_asked_of_somebody(conversation: Conversation) -> None:
    played = {name for x in conversation.exchanges for call in x.calls for name in call.plays}
    idle = [x.name for x in conversation.exchanges if not x.emulator and not x.calls and x.name not in played]
    assert idle == []


@ALL
def test_names_are_unique_and_plays_exist(conversation: Conversation) -> None:
    names = [exchange.name for exchange in conversation.exchanges]
    assert len(names) == len(set(names))
    assert {name for x in conversation.exchanges for call in x.calls for name in call.plays} <= set(names)


@ALL
def test_what_the_client_is_given_fits_what_the_emulator_must_give(conversation: Conversation) -> None:
    """Bodies and samples are instances of their own patterns."""
    values, checked = Values(), Values()
    for exchange in conversation.exchanges:
        answer = exchange.answer
        shown = answer.body if answer.sample is None else answer.sample
        if answer.body is not None and shown is not None and exchange.calls:
            found = (
                None
                if _is_meant_to_be_broken(conversation)
                else difference(checked, answer.body, values.fill(shown), answer.match, answer.ignore)
            )
            assert found is None, exchange.name


def _is_meant_to_be_broken(conversation: Conversation) -> bool:
    return conversation.name == "not_from_the_api"


_JOB = r"\{job\}"
_OF_BULK2 = [
    ("POST", "ingest"), ("PUT", f"ingest/{_JOB}/batches"), ("PATCH", f"ingest/{_JOB}"), ("GET", f"ingest/{_JOB}"),
    ("GET", r"ingest(\?.*)?"), ("DELETE", f"ingest/{_JOB}"), ("GET", f"ingest/{_JOB}/successfulResults"),
    ("GET", f"ingest/{_JOB}/failedResults"), ("GET", f"ingest/{_JOB}/unprocessedrecords/?"), ("POST", "query"),
    ("GET", f"query/{_JOB}"), ("GET", r"query/?(\?.*)?"), ("PATCH", f"query/{_JOB}"), ("DELETE", f"query/{_JOB}"),
    ("GET", rf"query/{_JOB}/results(\?.*)?"), ("GET", f"query/{_JOB}/resultPages"),
]  # fmt: skip


def test_every_call_of_the_api_is_there() -> None:
    """The calls of the reference's first page."""
    job, batch = r"/services/async/66.0/job/\{job[^}]*\}", r"\{batch[^}]*\}"
    calls = [
        ("POST", "/services/async/66.0/job"),
        ("GET", job),
        ("POST", job),
        ("POST", f"{job}/batch"),
        ("GET", f"{job}/batch"),
        ("GET", f"{job}/batch/{batch}"),
        ("GET", f"{job}/batch/{batch}/request"),
        ("GET", f"{job}/batch/{batch}/result"),
        ("GET", f"{job}/batch/{batch}/result/" + r"\{result[^}]*\}"),
        ("POST", f"{job}/spec"),
        ("GET", "/services/async/66.0/AsyncApi.xsd"),
        *((method, rf"/services/data/v\d\d\.0/jobs/{path}") for method, path in _OF_BULK2),
    ]
    requests = [exchange.request for exchange in _exchanges()]
    for method, path in calls:
        assert any(request.method == method and re.fullmatch(path, request.path) for request in requests), (
            method,
            path,
        )


def test_check_characters_of_a_recorded_id() -> None:
    assert check_characters("003P000001avB5G") == "IAU"


def test_difference_is_noticed() -> None:
    """The comparison itself: it would be easy to write one that never finds anything."""
    values = Values()
    assert difference(values, '{"id":"{job}","n":{int}}', '{"id":"750P0000006HoSQIA0","n":3}', "json") is None
    assert values.known["job"] == "750P0000006HoSQIA0"
    assert difference(values, '{"id":"{job}"}', '{"id":"750P0000006HoSVIA0"}', "json")
    assert difference(values, '{"n":{int}}', '{"n":true}', "json")
    assert difference(values, '{"n":"x"}', '{"n":"x","more":1}', "json")
    assert difference(values, '{"n":"x"}', '{"n":"x","more":1}', "part") is None
    assert difference(values, "<a><b>1</b><c/></a>", "<a>\n <b>1</b><c/>\n</a>", "xml") is None
    assert difference(values, "<a><b>1</b><c/></a>", "<a><c/><b>1</b></a>", "xml")
    assert difference(values, "<a><c/></a>", "<a><b>1</b><c/></a>", "part") is None
    assert difference(values, "a\n", "a", "text") is None
    assert difference(values, "a\n", "a", "exact")


def _exchanges() -> list[Exchange]:
    return [exchange for conversation in conversations() for exchange in conversation.exchanges]


def test_there_are_enough_of_them() -> None:
    asked = [x for x in _exchanges() if x.emulator]
    assert len(asked) > 100
