"""What all REST resources share: the session, the version, the object, and how calls are refused."""

from __future__ import annotations

import logging
import re
from functools import partial
from typing import TYPE_CHECKING, Any

import orjson
from starlette.responses import Response

from bulkforce_emulator.soql import SoqlError
from bulkforce_emulator.wire.bulk1_request import media_type
from bulkforce_emulator.wire.calls import Call, json_response, route

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.routing import Route

    from bulkforce_emulator.schema import SObject
    from bulkforce_emulator.state.org import Org

_log = logging.getLogger(__name__)
NOT_ALLOWED = "not allowed"
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
_VERSION = re.compile(r"v([1-9]\d{0,2}\.0)")


class RestError(Exception):
    """A refusal; REST sends errors as an array, even a single one."""

    def __init__(self, status: int, code: str, message: str, fields: Sequence[str] | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.status = status
        self.document: dict[str, object] = {"message": message, "errorCode": code}
        if fields is not None:
            self.document["fields"] = list(fields)


def not_found() -> RestError:
    """No such resource, or no such object."""
    refusal = RestError(404, "NOT_FOUND", "The requested resource does not exist")
    # Recorded: here the code comes first.
    refusal.document = dict(reversed(refusal.document.items()))
    return refusal


class Resources:
    """The base of the handlers: guarded routes below `/services/data/v{version}`."""

    def __init__(self, org: Org) -> None:
        self.org = org

    def at(self, path: str, answer: Callable[[Call], Response], methods: Sequence[str]) -> list[Route]:
        """The routes of one resource, with and without a slash at its end; other methods are not allowed there."""
        whole = f"/services/data/{{version}}{path}"
        guarded = self._guarded(answer)
        refused = self._guarded(partial(refuse_method, methods))
        others = [method for method in METHODS if method not in methods]
        return [
            one
            for end in (whole, f"{whole}/")
            for one in (route(end, guarded, methods), route(end, refused, others, name=NOT_ALLOWED))
        ]

    def _guarded(self, answer: Callable[[Call], Response]) -> Callable[[Call], Response]:
        def guarded(call: Call) -> Response:
            try:
                self._check(call)
                response = answer(call)
            except RestError as error:
                response = json_response([error.document], error.status)
            except SoqlError as error:
                response = json_response([{"message": error.message, "errorCode": error.code}], 400)
            except Exception as error:  # noqa: BLE001 - our bug, reported as the server reports its own
                _log.exception("%s %s", call.method, call.path)
                response = json_response([{"message": type(error).__name__, "errorCode": "UNKNOWN_EXCEPTION"}], 500)
            response.headers["Sforce-Limit-Info"] = f"api-usage={self.org.calls}/{self.org.limits.daily_api_requests}"
            return response

        return guarded

    def _check(self, call: Call) -> None:
        check_call(self.org, call.bearer, call.values["version"], is_counted=call.is_counted)

    def sobject(self, call: Call) -> SObject:
        """The object that the path names."""
        sobject = self.org.schema.get(call.values["sobject"])
        if sobject is None:
            raise not_found()
        return sobject


def check_call(org: Org, token: str | None, version_in_path: str, *, is_counted: bool = True) -> None:
    """Check what every call needs: a session, a call that the day has left, and a version that is served.

    Raises:
        RestError: One of them is missing.
    """
    if not org.sessions.is_valid(token):
        raise RestError(401, "INVALID_SESSION_ID", "Session expired or invalid")
    settings = org.settings
    if is_counted and org.count_call() > settings.limits.daily_api_requests:
        raise RestError(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
    if not settings.oldest_version <= version_of(version_in_path) <= settings.newest_version:
        raise not_found()


def refuse_method(allowed: Sequence[str], call: Call) -> Response:
    """Refuse a method that a resource does not have.

    Raises:
        RestError: Always.
    """
    raise method_not_allowed(allowed, call.method)


def method_not_allowed(allowed: Sequence[str], method: str) -> RestError:
    """A method that a resource does not have."""
    words = ",".join([*(["HEAD"] if "GET" in allowed else []), *allowed])
    return RestError(405, "METHOD_NOT_ALLOWED", f"HTTP Method '{method}' not allowed. Allowed are {words}")


def version(call: Call) -> float:
    """The API version of the path."""
    return version_of(call.values["version"])


def version_of(written: str) -> float:
    """The version that is written as `v66.0`."""
    match = _VERSION.fullmatch(written)
    if match is None:
        raise not_found()
    return float(match[1])


def data_path(call: Call) -> str:
    """`/services/data/v66.0`, as it stands in answers."""
    return f"/services/data/{call.values['version']}"


def body_of(call: Call) -> Any:  # noqa: ANN401 - any JSON
    """The JSON of the body.

    Raises:
        RestError: It is not JSON, or not declared as such.
    """
    declared = call.headers.get("content-type", "application/json")
    if media_type(declared) != "application/json":
        words = f"Content-Type header specified in HTTP request is not supported: {declared}"
        raise RestError(415, "UNSUPPORTED_MEDIA_TYPE", words)
    try:
        return orjson.loads(call.body)
    except orjson.JSONDecodeError as error:
        raise RestError(400, "JSON_PARSER_ERROR", str(error)) from None


def document_of(call: Call) -> dict[str, Any]:
    """The JSON object of the body."""
    document = body_of(call)
    if not isinstance(document, dict):
        raise RestError(400, "JSON_PARSER_ERROR", "Can not deserialize: expected an object")
    return document
