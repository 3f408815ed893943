from __future__ import annotations

import pytest
from tests.unit.script import refused, said

from bulkforce import errors
from bulkforce.protocol.exchange import Answer
from bulkforce.protocol.faults import BY_CODE, BY_STATUS, HINTS, describe, refusal


@pytest.mark.parametrize(("code", "kind"), list(BY_CODE.items()))
def test_refusal_has_the_kind_of_its_code(code: str, kind: type[errors.RefusedError]) -> None:
    fault = refusal(refused(code, "because"))
    assert type(fault) is kind
    assert (fault.status, fault.code, fault.message) == (400, code, "because")
    assert HINTS.get(code, "") in str(fault)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *BY_STATUS.items(),
        (400, errors.InvalidRequest),
        (405, errors.InvalidRequest),
        (500, errors.Unavailable),
        (502, errors.Unavailable),
        (503, errors.Unavailable),
    ],
)
def test_refusal_without_a_document_has_the_kind_of_its_status(status: int, kind: type[errors.RefusedError]) -> None:
    fault = refusal(said("<html><head><title>Sorry</title></head></html>", status, "text/html"))
    assert type(fault) is kind
    assert fault.code is None
    assert "'Sorry'" in str(fault)


@pytest.mark.parametrize(
    "message",
    ["Invalid job id: 750000000000000", "invalid batch id", "Unable to find batch for id 751", "Unable to find object: Video__c"],
)
def test_refusal_of_an_unknown_thing_is_not_found(message: str) -> None:
    assert type(refusal(refused("InvalidJob", message))) is errors.NotFound


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ('{"exceptionCode":"InvalidBatch","exceptionMessage":"Records not processed"}', "InvalidBatch", "Records not processed"),
        ('[{"errorCode":"INVALID_FIELD","message":"No such column"}]', "INVALID_FIELD", "No such column"),
        ('{"error":"invalid_grant","error_description":"expired"}', "invalid_grant", "expired"),
        ('{"exceptionCode":"Unknown"}', "Unknown", ""),
        ("{}", None, None),
        ("[]", None, None),
        ("[1]", None, None),
        ("{cut", None, None),
        ("", None, None),
        ("<error", None, None),
        ('<?xml version="1.0" encoding="no-such"?><html/>', None, None),
        ("<!DOCTYPE html><html></html>", None, None),
        ("<error/>", "Unknown", ""),
    ],
)
def test_refusal_reads_every_shape_of_error_document(body: str, code: str | None, message: str | None) -> None:
    fault = refusal(said(body, 400, "application/json"))
    assert (fault.code, fault.message) == (code, message)
    assert type(fault) is errors.InvalidRequest


@pytest.mark.parametrize(
    ("value", "expected"),
    [("120", 120.0), ("0", 0.0), ("", None), ("-1", None), ("1.5", None), ("Wed, 21 Oct 2026 07:28:00 GMT", None), ("²", None)],
)
def test_refusal_tells_how_long_to_wait(value: str, expected: float | None) -> None:
    fault = refusal(said("", 503, headers={"retry-after": value}))
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
