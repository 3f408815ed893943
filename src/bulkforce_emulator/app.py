"""The ASGI application of one org: all handlers, the faults around them, and the log of requests."""

from __future__ import annotations

import threading
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from bulkforce_emulator import control
from bulkforce_emulator.faults import Faults, Misfortune
from bulkforce_emulator.handlers import oauth, rest, soap
from bulkforce_emulator.handlers.bulk1 import Answer, Bulk1
from bulkforce_emulator.handlers.transfer import Incoming, wants_gzip

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from bulkforce_emulator.org import Org

_PIECE_BYTES = 1 << 18
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD")
#: A body this much over the limit is not read to its end.
_PATIENCE_BYTES = 64_000_000


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """One request as it was answered; `status` is 0 where the connection was cut without an answer."""

    method: str
    path: str
    status: int


class RequestLog:
    """Every request in the order of the answers."""

    def __init__(self) -> None:
        self._requests: list[LoggedRequest] = []
        self._lock = threading.Lock()

    def add(self, method: str, path: str, status: int) -> None:
        with self._lock:
            self._requests.append(LoggedRequest(method, path, status))

    def all(self) -> list[LoggedRequest]:
        with self._lock:
            return list(self._requests)


def make_app(org: Org, faults: Faults, log: RequestLog) -> ASGIApp:
    """The whole server as an ASGI application."""
    routes = [
        Route("/services/async/{version}/{rest:path}", _bulk1(org), methods=list(_METHODS)),
        *soap.routes(org),
        *oauth.routes(org),
        *rest.routes(org),
        *control.routes(org, faults, log),
    ]
    return _Logged(Misfortune(Starlette(routes=routes), faults, org), log)


def _bulk1(org: Org) -> Callable[[Request], Awaitable[Response]]:
    handler = Bulk1(org)

    def answer(call: Incoming) -> Answer:
        given = handler.answer(call)
        if not wants_gzip(call.headers.get("accept-encoding", "")) or not given.body:
            return given
        packer = zlib.compressobj(1, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
        packed = packer.compress(given.body) + packer.flush()
        return Answer(given.status, given.content_type, packed, {**given.headers, "Content-Encoding": "gzip"})

    async def endpoint(request: Request) -> Response:
        body = await _body(request)
        headers = {name.lower(): value for name, value in request.headers.items()}
        rest = request.path_params["rest"]
        parts = tuple(part for part in rest.split("/") if part)
        call = Incoming(request.method, request.url.path, request.path_params["version"], parts, headers, body)
        given = await run_in_threadpool(answer, call)
        return _response(given, chunked=org.settings.chunked_answers)

    return endpoint


async def _body(request: Request) -> bytes:
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size <= _PATIENCE_BYTES:
            parts.append(part)
    return b"".join(parts)


def _response(answer: Answer, *, chunked: bool) -> Response:
    """The answer with exactly its media type: frameworks like to add a charset to text."""
    headers = dict(answer.headers)
    if chunked and answer.body:
        response: Response = StreamingResponse(_pieces(answer.body), answer.status, headers)
    else:
        response = Response(answer.body, answer.status, headers)
    response.headers["Content-Type"] = answer.content_type
    return response


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    view = memoryview(body)
    for start in range(0, len(view), _PIECE_BYTES):
        yield bytes(view[start : start + _PIECE_BYTES])


class _Logged:
    """Keeps the log."""

    def __init__(self, app: ASGIApp, log: RequestLog) -> None:
        self._app = app
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 0

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            self._log.add(scope["method"], scope["path"], status)
