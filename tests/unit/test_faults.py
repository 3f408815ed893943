from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from tests.support.script import refused, said, xml

from bulkforce import errors
from bulkforce.protocol.exchange import Answer, Request
from bulkforce.protocol.faults import BY_CODE, BY_STATUS, HINTS, describe, refusal


@pytest.mark.parametrize(("code", "kind"), list(BY_CODE.items()))
def test_refusal_has_the_kind_of_its_code(code: str, kind: type[errors.RefusedError]) -> None:
    fault = refusal(refused(code, "because"))
    assert type(fault) is kind
    assert (fault.status, fault.code, fault.message) == (400, code, "because")
    assert HINTS.get(code, "") in str(fault)


def test_hints_are_in_words_of_library_and_command_line_alike() -> None:
    for hint in HINTS.values():
        assert not re.search(r"[a-z]_[a-z]|\bclient\b|\bauth\b", hint), hint


@pytest.mark.parametrize(("status", "kind"), list(BY_STATUS.items()))
def test_refusal_of_the_org_with_a_code_that_is_not_listed_has_the_kind_of_its_status(
    status: int, kind: type[errors.RefusedError]
) -> None:
    assert type(refusal(refused("NoSuchCode", status=status))) is kind


XML_WORD = xml(
    "error", "<exceptionCode>InvalidJob</exceptionCode><exceptionMessage>Invalid job id: 750</exceptionMessage>"
)
JSON_WORD = '{"exceptionCode":"InvalidSessionId","exceptionMessage":"no"}'
REST_WORD = '[{"errorCode":"NOT_FOUND","message":"no"}]'
STRANGERS = {
    "page": ("<html><head><title>Sorry</title></head></html>", "text/html"),
    "nothing": ("", ""),
    "text": ("Forbidden", "text/plain"),
    "gateway's JSON": ('{"message":"Forbidden","error":"Forbidden","status":403}', "application/json"),
    "gateway's XML": ("<Error><Code>AccessDenied</Code></Error>", "application/xml"),
    "error document in a page's type": (XML_WORD, "text/html"),
    "error document in a type that the API does not use": (XML_WORD, "text/plain"),
    "error document without a type": (XML_WORD, ""),
    "error document in JSON's type": (XML_WORD, "application/json"),
    "error document of another vocabulary": (XML_WORD.replace("force.com", "gateway.example"), "application/xml"),
    "error document without a code": (xml("error", "<exceptionMessage>no</exceptionMessage>"), "application/xml"),
    "error document with an empty code": (xml("error", "<exceptionCode> </exceptionCode>"), "application/xml"),
    "error document that is cut": (XML_WORD[:-3], "application/xml"),
    "error document with a DOCTYPE": ("<!DOCTYPE error>" + XML_WORD, "application/xml"),
    "JSON error document in a page's type": (JSON_WORD, "text/html"),
    "code that is no text": ('{"exceptionCode":7}', "application/json"),
    "word of the REST API": (REST_WORD, "application/json"),
    "array of nothing": ("[]", "application/json"),
    "array of numbers": ("[1]", "application/json"),
}


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *((status, errors.Intercepted) for status in (204, 206, 300, 302, 400, 401, 403, 404, 405, 407, 410, 413, 451)),
        *((status, errors.Unavailable) for status in (408, 425, 429, 500, 501, 502, 503, 504, 599)),
    ],
)
@pytest.mark.parametrize("who", list(STRANGERS))
def test_what_is_no_error_document_is_a_strangers_word(who: str, status: int, kind: type[errors.Error]) -> None:
    body, media = STRANGERS[who]
    fault = refusal(said(body, status, media))
    assert type(fault) is kind
    assert (fault.code, fault.status) == (None, status)
    assert "between" in str(fault) or "redirects" in str(fault)


@pytest.mark.parametrize(
    ("body", "media"),
    [STRANGERS["page"], (JSON_WORD, "application/json"), (XML_WORD, "application/xml"), ("[", "application/json")],
)
def test_what_is_no_error_document_of_the_rest_api_is_a_strangers_word_to_a_call_of_it(body: str, media: str) -> None:
    asked = Request("GET", "/services/data/v66.0/limits")
    assert type(refusal(Answer(asked, 404, {"content-type": media}, body.encode()))) is errors.Intercepted
    own = refusal(Answer(asked, 404, {"content-type": "application/json;charset=UTF-8"}, REST_WORD.encode()))
    assert (type(own), own.code, own.message) == (errors.NotFound, "NOT_FOUND", "no")


def test_stranger_that_says_when_to_come_again_may_pass() -> None:
    fault = refusal(said("<html>", 403, "text/html", {"retry-after": "7"}))
    assert isinstance(fault, errors.Unavailable)
    assert fault.retry_after_seconds == 7


def test_title_of_a_page_is_told_and_no_other_title() -> None:
    page = "<html><head><title>Sorry</title></head></html>"
    assert "'Sorry'" in str(refusal(said(page, 403, "text/html")))
    assert "Boss" not in str(
        refusal(said("<queryResult><records><Title>Boss</Title></records></queryResult>", 403, "application/xml"))
    )


@pytest.mark.parametrize(
    "message",
    [
        "Invalid job id: 750000000000000",
        "invalid batch id",
        "Unable to find batch for id 751",
        "Unable to find object: Video__c",
    ],
)
def test_refusal_of_an_unknown_thing_is_not_found(message: str) -> None:
    assert type(refusal(refused("InvalidJob", message))) is errors.NotFound


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        (
            '{"exceptionCode":"InvalidBatch","exceptionMessage":"Records not processed"}',
            "InvalidBatch",
            "Records not processed",
        ),
        ('{"exceptionCode":"Unknown"}', "Unknown", ""),
        ('{"exceptionCode":"Unknown","exceptionMessage":["?"]}', "Unknown", ""),
    ],
)
def test_refusal_reads_error_documents_in_json(body: str, code: str, message: str) -> None:
    fault = refusal(said(body, 400, "application/json; charset=UTF-8"))
    assert (fault.code, fault.message) == (code, message)
    assert type(fault) is errors.InvalidRequest


NOW = datetime(2026, 10, 21, 7, 28, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("120", 120.0),
        ("0", 0.0),
        ("9" * 400, 86_400.0),
        ("", None),
        ("-1", None),
        ("1.5", None),
        ("²", None),
        ("Wed, 21 Oct 2026 07:30:00 GMT", 120.0),
        ("Wednesday, 21-Oct-26 07:30:00 GMT", 120.0),
        ("Wed Oct 21 07:30:00 2026", 120.0),
        ("Wed, 21 Oct 2026 07:30:00 -0000", 120.0),
        ("Wed, 21 Oct 2026 07:00:00 GMT", 0.0),
        ("Wed, 21 Oct 2099 07:30:00 GMT", 86_400.0),
        ("Wed, 99 Oct 2026 07:30:00 GMT", None),
        ("Wed, 21 Oct 0001 07:30:00 +1200", 0.0),
        ("soon", None),
    ],
)
def test_refusal_tells_how_long_to_wait(value: str, expected: float | None) -> None:
    fault = refusal(said("", 503, headers={"retry-after": value}), NOW)
    assert isinstance(fault, errors.Unavailable)
    assert fault.retry_after_seconds == expected


def test_redirect_is_told_without_its_query() -> None:
    fault = refusal(said("", 301, headers={"location": "https://new.example/services?sid=00Dsecret#x"}))
    assert "https://new.example/services." in str(fault)
    assert "secret" not in str(fault)


def test_redirect_to_nowhere_is_told() -> None:
    assert "nowhere" in str(refusal(said("", 304)))


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (said("  "), "an empty body"),
        (said("abc", media=""), "untyped body of 3 bytes"),
        (said("<p>LastName,Email</p>", media="Text/HTML; charset=UTF-8"), "text/html body of 21 bytes"),
    ],
)
def test_describe_says_what_came_and_quotes_no_record(answer: Answer, expected: str) -> None:
    assert describe(answer).startswith(expected)
    assert "LastName" not in describe(answer)


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("REQUEST_LIMIT_EXCEEDED", 403, errors.LimitReached),
        ("InvalidSessionId", 403, errors.NotAuthenticated),
        ("InvalidUser", 401, errors.NotPermitted),
        ("NoSuchCode", 404, errors.NotFound),
    ],
)
def test_refusal_goes_by_the_code_before_the_status(code: str, status: int, kind: type[errors.RefusedError]) -> None:
    assert type(refusal(refused(code, status=status))) is kind
