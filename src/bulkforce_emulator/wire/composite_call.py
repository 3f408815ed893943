"""`POST /composite`: several calls in one, which may use what those before them answered.

Source: REST API developer guide, "Composite" (at most 25 calls, 5 of them queries or lists of records; `allOrNone`;
`@{reference.member}`; the words of what is rolled back or has no value).
"""

from __future__ import annotations

import re
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson

from bulkforce_emulator.wire.batch_call import one_of_several
from bulkforce_emulator.wire.calls import Call, json_response
from bulkforce_emulator.wire.resources import Resources, RestError, document_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.responses import Response
    from starlette.routing import Route

    from bulkforce_emulator.state.org import Org

_MOST, _MOST_LISTS = 25, 5
_LISTS = re.compile(r"/services/data/v[\d.]+/(query|queryAll|composite/sobjects)\b", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z0-9]\w*", re.ASCII)
_REFERENCE = re.compile(r"@\{(\w+)((?:\.\w+|\[\d+\])*)\}", re.ASCII)
_STEP = re.compile(r"\.(\w+)|\[(\d+)\]", re.ASCII)
_BAD_NAME = (
    "Provided referenceId ('{name}') must start with a letter or a number, and it can contain only letters, numbers "
    "and underscores ('_')."
)
_ROLLED_BACK = "The transaction was rolled back since another operation in the same transaction failed."


def routes(org: Org, others: Sequence[Route]) -> list[Route]:
    """The routes of this module; what is called together are the other routes."""
    composite = CompositeCall(org, others)
    return composite.at("/composite", composite.all, ("POST",))


class _NoValueError(Exception):
    """A reference leads nowhere."""


class _FailedError(Exception):
    """One of the calls failed, and all are to be rolled back."""


class CompositeCall(Resources):
    """Calls in one."""

    def __init__(self, org: Org, others: Sequence[Route]) -> None:
        super().__init__(org)
        self._others = others

    def all(self, call: Call) -> Response:
        """Answer one after the other; with `allOrNone`, one failure rolls all of them back."""
        document = document_of(call)
        given, all_or_none = _calls(document), document.get("allOrNone") is True
        answers: dict[str, dict[str, Any]] = {}
        try:
            with self.org.store.writing() if all_or_none else nullcontext():
                for one in given:
                    answers[one["referenceId"]] = answer = self._one(call, one, answers, all_or_none=all_or_none)
                    if all_or_none:
                        _stop_if_failed(answer)
        except _FailedError:
            bad = next(reversed(answers))
            answers = {
                one["referenceId"]: answers[bad] if one["referenceId"] == bad else _halted(_ROLLED_BACK)
                for one in given
            }
        shown = [answer | {"referenceId": name} for name, answer in answers.items()]
        return json_response({"compositeResponse": shown})

    def _one(
        self, call: Call, given: dict[str, Any], before: Mapping[str, dict[str, Any]], *, all_or_none: bool
    ) -> dict[str, Any]:
        values = {name: answer["body"] for name, answer in before.items()}
        try:
            url, body = _filled(given["url"], values), _filled(given.get("body"), values)
        except _NoValueError as missing:
            return _halted(str(missing))
        if all_or_none and isinstance(body, dict) and "/composite/sobjects" in url:
            body = {**body, "allOrNone": True}
        headers = given.get("httpHeaders")
        response = one_of_several(
            self._others,
            replace(call, is_counted=False),
            str(given["method"]),
            url,
            body,
            headers if isinstance(headers, dict) else {},
        )
        location = response.headers.get("location")
        return {
            "body": orjson.loads(response.body) if response.body else None,
            "httpHeaders": {} if location is None else {"Location": location},
            "httpStatusCode": response.status_code,
        }


def _calls(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The calls that are asked for.

    Raises:
        RestError: They are no calls, or too many.
    """
    given = document.get("compositeRequest")
    needed = ("method", "url", "referenceId")
    if not isinstance(given, list) or not all(
        isinstance(one, dict) and all(isinstance(one.get(name), str) for name in needed) for one in given
    ):
        raise RestError(400, "JSON_PARSER_ERROR", "Can not deserialize: expected a list of calls in compositeRequest")
    if len(given) > _MOST:
        raise RestError(400, "LIMIT_EXCEEDED", f"A composite request cannot have more than {_MOST} subrequests")
    if sum(_LISTS.match(one["url"]) is not None for one in given) > _MOST_LISTS:
        words = f"A composite request cannot have more than {_MOST_LISTS} queries and lists of records"
        raise RestError(400, "LIMIT_EXCEEDED", words)
    names = [one["referenceId"] for one in given]
    for name in names:
        if _NAME.fullmatch(name) is None:
            raise RestError(400, "JSON_PARSER_ERROR", _BAD_NAME.format(name=name))
        if names.count(name) > 1:
            raise RestError(400, "JSON_PARSER_ERROR", f"Provided referenceId ('{name}') is used more than once.")
    return given


def _halted(message: str) -> dict[str, Any]:
    body = [{"errorCode": "PROCESSING_HALTED", "message": message}]
    return {"body": body, "httpHeaders": {}, "httpStatusCode": 400}


def _stop_if_failed(answer: dict[str, Any]) -> None:
    """Raise `_FailedError` if a call failed, or one of the records in its list."""
    rows = answer["body"] if isinstance(answer["body"], list) else []
    if answer["httpStatusCode"] >= 400 or any(isinstance(row, dict) and row.get("success") is False for row in rows):
        raise _FailedError


def _filled(value: Any, before: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any JSON
    """A value with its references replaced; one that is nothing but a reference becomes what this stands for."""
    if isinstance(value, dict):
        return {name: _filled(inner, before) for name, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, before) for inner in value]
    if not isinstance(value, str):
        return value
    alone = _REFERENCE.fullmatch(value)
    if alone is not None:
        return _referenced(alone, before)
    return _REFERENCE.sub(lambda found: str(_referenced(found, before)), value)


def _referenced(found: re.Match[str], before: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any JSON
    value = before.get(found[1])
    for name, place in _STEP.findall(found[2]):
        if place:
            value = value[int(place)] if isinstance(value, list) and int(place) < len(value) else None
        else:
            value = value.get(name) if isinstance(value, dict) else None
    if value is None:
        path = found[1] + found[2]
        raise _NoValueError(
            f"Invalid reference specified. No value for {path} found in {found[1]}. {_BAD_NAME.format(name=path)}"
        )
    return value
