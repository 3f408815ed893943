"""The ASGI application of one org: all handlers, the faults around them, and the log of requests."""

from __future__ import annotations

import re
import secrets
import threading
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, timedelta
from io import BytesIO
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from bulkforce_emulator.faults import Faults
from bulkforce_emulator.server import control
from bulkforce_emulator.server.misfortune import WITHIN, Misfortune
from bulkforce_emulator.server.page import WithPage
from bulkforce_emulator.server.strangers import Guard
from bulkforce_emulator.wire import oauth, rest, soap
from bulkforce_emulator.wire.bulk1 import Answer, Bulk1
from bulkforce_emulator.wire.bulk1_request import Bulk1Request, wants_gzip
from bulkforce_emulator.wire.bulk2 import Bulk2Calls

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from bulkforce_emulator.state.org import Org

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE")
#: An answer up to this size is sent whole: each piece costs a switch of threads.
_SMALL_BYTES = 1 << 16
_SLASHES = re.compile("/{2,}")


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """One request as it was answered; `status` is 0 where the connection was cut without an answer."""

    method: str
    path: str
    status: int


class RequestLog:
    """Every request, in the order of their answers."""

    def __init__(self) -> None:
        self._requests: list[LoggedRequest] = []
        self._under_way = 0
        self._lock = threading.Lock()
        self._quiet = threading.Condition(self._lock)

    def add(self, method: str, path: str, status: int) -> None:
        """Record a request and the status it was answered with."""
        with self._lock:
            self._requests.append(LoggedRequest(method, path, status))

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """Count a request that is being answered."""
        with self._lock:
            self._under_way += 1
        try:
            yield
        finally:
            with self._lock:
                self._under_way -= 1
                self._quiet.notify_all()

    def wait_until_quiet(self, timeout_seconds: float) -> bool:
        """Wait until no request is under way, be it one whose client has gone; says whether that came in time."""
        with self._quiet:
            return self._quiet.wait_for(lambda: not self._under_way, timeout_seconds)

    def all(self) -> list[LoggedRequest]:
        """A copy of the log, oldest request first."""
        with self._lock:
            return list(self._requests)


def make_app(org: Org, faults: Faults, log: RequestLog, hosts: frozenset[str] = frozenset()) -> ASGIApp:
    """The whole server as an ASGI application; `hosts` are the names it is known by."""
    bulk1 = _bulk(Bulk1(org).answer, org)
    bulk2 = _bulk(Bulk2Calls(org).answer, org)
    routes = [
        Route("/services/async/{version}/{rest:path}", bulk1, methods=list(_METHODS)),
        Route("/services/data/{version}/jobs", bulk2, methods=list(_METHODS)),
        Route("/services/data/{version}/jobs/{rest:path}", bulk2, methods=list(_METHODS)),
        *soap.routes(org),
        *oauth.routes(org),
        *rest.routes(org),
        *control.routes(org, faults, log),
        Route("/services/async{rest:path}", bulk1, methods=list(_METHODS)),
        rest.nowhere("/{rest:path}"),
    ]
    inner = Misfortune(_Fronted(Starlette(routes=routes), org), faults, org)
    return _Folded(Guard(WithPage(_Logged(inner, log), org), hosts))


def _bulk(answer: Callable[[Bulk1Request], Answer], org: Org) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        body = BytesIO()
        try:
            await _read(request, org.limits.job_bytes, body)
        except ClientDisconnect:
            if request.method != "PUT" or org.settings.cut_upload == "nothing":
                raise
        headers = {name.lower(): value for name, value in request.headers.items()}
        rest = request.path_params.get("rest", "")
        parts = tuple(part for part in rest.split("/") if part)
        call = Bulk1Request(
            request.method,
            request.url.path,
            request.path_params.get("version", ""),
            parts,
            headers,
            body.getvalue(),
            request.scope.get(WITHIN, {}),
            request.query_params,
        )
        given = await run_in_threadpool(answer, call)
        return _response(given, org, packed=wants_gzip(headers.get("accept-encoding", "")))

    return endpoint


async def _read(request: Request, most_bytes: int, body: BytesIO) -> None:
    """Read the body; it is in memory once. One that is over every limit is cut off, and refused for its size."""
    size = 0
    async for part in request.stream():
        size += len(part)
        if size - len(part) <= most_bytes:
            body.write(part)


def _response(answer: Answer, org: Org, *, packed: bool) -> Response:
    """The response, with exactly the answer's media type: frameworks like to add a charset to text."""
    headers = dict(answer.headers)
    small = isinstance(answer.body, bytes) or answer.body.length <= _SMALL_BYTES
    pieces = iter([answer.body]) if isinstance(answer.body, bytes) else org.jobs.spool.pieces(answer.body)
    if packed and (answer.body if isinstance(answer.body, bytes) else answer.body.length):
        headers["Content-Encoding"] = "gzip"
        pieces = _packed(pieces)
    chunked = org.settings.chunked_answers and answer.body and answer.status != 204
    if chunked and not small:
        response: Response = StreamingResponse(pieces, answer.status, headers)
    else:
        response = Response(b"".join(pieces), answer.status, headers)
        if chunked:
            del response.headers["Content-Length"]
    if answer.content_type:
        response.headers["Content-Type"] = answer.content_type
    return response


def _packed(pieces: Iterator[bytes]) -> Iterator[bytes]:
    packer = zlib.compressobj(1, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    for piece in pieces:
        some = packer.compress(piece)
        if some:
            yield some
    yield packer.flush()


class _Folded:
    """Reads `//` in a path as `/`, as recorded servers do: some clients keep a slash at the end of the instance URL.

    Logins may have a slash at their end; other paths have routes with and without.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if "//" in scope.get("path", ""):
            raw = scope.get("raw_path", b"")
            scope = {**scope, "path": _SLASHES.sub("/", scope["path"]), "raw_path": re.sub(rb"/{2,}", b"/", raw)}
        if scope.get("path", "").startswith(("/services/oauth2/", "/services/Soap/", "/id/")):
            raw = scope.get("raw_path", b"")
            scope = {**scope, "path": scope["path"].rstrip("/"), "raw_path": raw.rstrip(b"/")}
        await self._app(scope, receive, send)


class _Fronted:
    """Adds what the servers in front of an org add to its answers."""

    _COOKIES = (
        "CookieConsentPolicy=0:1{}",
        "LSKey-c$CookieConsentPolicy=0:1{}",
        "BrowserId={browser}{}; SameSite=None",
    )

    def __init__(self, app: ASGIApp, org: Org) -> None:
        self._app = app
        self._org = org

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._org.settings.server_headers or not scope.get("path", "").startswith("/services"):
            await self._app(scope, receive, send)
            return

        async def adding(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *self._headers()]}
            await send(message)

        await self._app(scope, receive, adding)

    def _headers(self) -> Iterator[tuple[bytes, bytes]]:
        yield b"strict-transport-security", b"max-age=63072000; includeSubDomains"
        yield b"x-robots-tag", b"none"
        ends = self._org.clock.now().astimezone(UTC) + timedelta(days=365)
        until = f"; path=/; expires={ends:%a, %d-%b-%Y %H:%M:%S} GMT; Max-Age=31536000; secure"
        for cookie in self._COOKIES:
            yield b"set-cookie", cookie.format(until, browser=secrets.token_urlsafe(16)).encode()


class _Logged:
    """Keeps the log."""

    def __init__(self, app: ASGIApp, log: RequestLog) -> None:
        self._app = app
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, noted = 0, False

        async def noting(message: Message) -> None:
            nonlocal status, noted
            if message["type"] == "http.response.start":
                status = message["status"]
            elif message["type"] == "http.response.body" and not message.get("more_body") and not noted:
                # Before the end is sent, so that whoever has the answer finds the request in the log.
                noted = True
                self._log.add(scope["method"], scope["path"], status)
            await send(message)

        with self._log.under_way():
            try:
                await self._app(scope, receive, noting)
            finally:
                if not noted:
                    self._log.add(scope["method"], scope["path"], status)
