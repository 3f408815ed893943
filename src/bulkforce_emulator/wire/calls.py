"""One HTTP call as plain values, and the thread it is answered in.

The handlers of REST, OAuth and SOAP are ordinary functions: they never see the event loop.
"""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from bulkforce_emulator.wire.bulk1_request import gunzipped, wants_gzip

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from starlette.requests import Request


_WORTH_PACKING_BYTES = 1_000
_LARGEST_BODY = 50_000_000


@dataclass(frozen=True)
class Call:
    """A call.

    Attributes:
        base_url: The org's URL as the caller knows it, without a slash at the end.
        is_counted: Whether it counts against the org's calls of the day; parts of a composite request do not.
    """

    method: str
    path: str
    base_url: str
    headers: Mapping[str, str]
    query: Mapping[str, str]
    values: Mapping[str, str]
    body: bytes
    is_counted: bool = True

    @property
    def bearer(self) -> str | None:
        """The token of the Authorization header."""
        return token_of(self.headers.get("authorization", ""))

    def form(self) -> dict[str, str]:
        """The form: the parameters of the query and of the body."""
        text = self.body.decode("utf-8", "replace")
        return dict(self.query) | dict(parse_qsl(text, keep_blank_values=True))


def token_of(authorization: str) -> str | None:
    """The token of an Authorization header."""
    scheme, _, token = authorization.partition(" ")
    return token.strip() or None if scheme.lower() in ("bearer", "oauth") else None


class CallRoute(Route):
    """A route whose calls can also be answered without a request of their own; see `answered`."""

    answer: Callable[[Call], Response]


def answered(routes: Iterable[BaseRoute], call: Call) -> Response | None:
    """The answer to a call by the first route that takes it; None if no route does."""
    for one in routes:
        if isinstance(one, CallRoute) and call.method in (one.methods or ()):
            found = one.path_regex.match(call.path)
            if found:
                return one.answer(replace(call, values=found.groupdict()))
    return None


def route(path: str, answer: Callable[[Call], Response], methods: Sequence[str], name: str | None = None) -> CallRoute:
    """A route whose calls are answered in worker threads."""

    async def endpoint(request: Request) -> Response:
        response = await run_in_threadpool(answer, await _read(request))
        worth_it = len(response.body) > _WORTH_PACKING_BYTES and wants_gzip(request.headers.get("accept-encoding", ""))
        return _packed(response) if worth_it else response

    made = CallRoute(path, endpoint, methods=list(methods), name=name)
    made.answer = answer
    return made


async def _read(request: Request) -> Call:
    return Call(
        method=_method(request),
        path=request.url.path,
        base_url=f"{request.url.scheme}://{request.headers.get('host', request.url.netloc)}",
        headers=request.headers,
        query=request.query_params,
        values=request.path_params,
        body=_unpacked(await request.body(), request.headers.get("content-encoding", "")),
    )


def _unpacked(body: bytes, coding: str) -> bytes:
    """The unpacked body. One that cannot be unpacked is left as it is, for its reader to refuse."""
    if coding.strip().lower() not in {"gzip", "x-gzip"}:
        return body
    try:
        return gunzipped(body, _LARGEST_BODY)
    except (EOFError, zlib.error):
        return body


def _packed(response: Response) -> Response:
    response.body = gzip.compress(response.body, compresslevel=1)
    response.headers["Content-Encoding"] = "gzip"
    response.headers["Content-Length"] = str(len(response.body))
    return response


def _method(request: Request) -> str:
    """The method; clients that cannot send PATCH say so in the query of a POST, and HEAD is a GET without its body."""
    if request.method == "HEAD":
        return "GET"
    return request.query_params.get("_HttpMethod", "POST").upper() if request.method == "POST" else request.method


def json_response(document: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON document as the REST API sends it: with a charset, unlike the Bulk API."""
    return Response(orjson.dumps(document), status, headers, media_type="application/json;charset=UTF-8")


def path_quoted(text: str) -> str:
    """Text as one segment of a path."""
    return quote(text, safe="")
