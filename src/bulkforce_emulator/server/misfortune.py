"""What happens to a request that meets a fault. ASGI, around the application."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from bulkforce_emulator.faults import Fault, Faults

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from bulkforce_emulator.state.org import Org

#: The key in a request's scope for faults that strike inside the application.
WITHIN = "bulkforce_emulator.faults"


@dataclass(slots=True, eq=False)
class _Twin:
    scope: Scope
    body: bytes
    #: How many requests come before it, and the last of these, until it is about to be answered.
    left: int
    last: Scope | None


class Misfortune:
    """Makes faults strike. ASGI, around the application."""

    def __init__(self, app: ASGIApp, faults: Faults, org: Org) -> None:
        self._app = app
        self._faults = faults
        self._org = org
        self._twins: list[_Twin] = []
        self._landing = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, unless a fault does."""
        if scope["type"] != "http" or scope["path"].startswith("/_emulator"):
            await self._app(scope, receive, send)
            return
        await self._count_request(scope)
        fault, others = self._faults.meet(scope["method"], scope["path"])
        if "late twin" in others:
            body = await _read(receive)
            receive = _again(body, receive, whole=True)
            await self._twin(others.pop("late twin"), dict(scope), body, scope)
        scope[WITHIN] = others
        if self._twins:
            send = self._telling(scope, send)
        if fault is None:
            await self._app(scope, receive, send)
        else:
            await self._strike(fault, scope, receive, send)
        self._answered(scope)
        await self._land_twins()

    async def _strike(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        match fault.kind:
            case "answer lost":
                await self._app(scope, receive, _nowhere)
                await self._hang_up(scope)
            case "request lost":
                await _read(receive)
                await self._hang_up(scope)
            case "late twin":
                await self._twin(fault, scope, await _read(receive))
                await self._hang_up(scope)
            case "upload reset":
                body = await _read(receive, fault.after_bytes or 0)
                await self._hang_up(scope, reset=True)
                await self._cut_off(scope, body[: fault.after_bytes or 0])
            case "session expired":
                body, whole = await _begin_to_read(receive, fault.after_bytes)
                self._org.sessions.expire_all()
                await self._app(scope, _again(body, receive, whole=whole), send)
            case "status" | "answer replaced":
                await self._instead(fault, scope, receive, send)
            case "slow":
                await self._app(scope, receive, _slowly(fault.seconds, send))
            case "answer cut" | "answer truncated" | "content type":
                await self._spoil(fault, scope, receive, send)

    async def _hang_up(self, scope: Scope, *, reset: bool = False) -> None:
        self._answered(scope)
        await _cut(scope, reset=reset)

    async def _cut_off(self, scope: Scope, body: bytes) -> None:
        """Let the application see a request whose sender hangs up in the middle of the body."""
        with contextlib.suppress(ClientDisconnect):
            await self._app(scope, _again(body, _gone, whole=False), _nowhere)

    async def _instead(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        if fault.acted:
            await self._app(scope, receive, _nowhere)
        else:
            await _read(receive)
        body = fault.body.encode()
        headers = [(b"content-type", fault.content_type.encode()), (b"content-length", str(len(body)).encode())]
        if fault.status == 204:
            body, headers = b"", []
        if fault.retry_after is not None:
            headers.append((b"retry-after", f"{fault.retry_after:g}".encode()))
        await send({"type": "http.response.start", "status": fault.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _spoil(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        start: Message = {}
        parts: list[bytes] = []

        async def collect(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
            else:
                parts.append(bytes(message.get("body", b"")))

        await self._app(scope, receive, collect)
        body = b"".join(parts)
        headers = [header for header in start["headers"] if header[0].lower() != b"content-length"]
        if fault.kind == "content type":
            headers = [header for header in headers if header[0].lower() != b"content-type"]
            headers.append((b"content-type", fault.content_type.encode()))
            shown = body
        else:
            shown = body[: len(body) // 2 if fault.after_bytes is None else fault.after_bytes]
        if fault.kind != "answer cut" or fault.keep_length:
            promised = body if fault.kind == "answer cut" else shown
            headers.append((b"content-length", str(len(promised)).encode()))
        await send({**start, "headers": headers})
        cut = fault.kind == "answer cut"
        await send({"type": "http.response.body", "body": shown, "more_body": cut})
        if cut:
            await asyncio.sleep(0.01)  # so that what was written so far is sent first
            await self._hang_up(scope)

    async def _twin(self, fault: Fault, scope: Scope, body: bytes, last: Scope | None = None) -> None:
        twin = _Twin(scope, body, fault.after_requests or 0, last)
        if fault.after_requests is not None:
            self._twins.append(twin)
            return

        async def later() -> None:
            await asyncio.sleep(fault.seconds)
            await self._land(twin)

        task = asyncio.get_running_loop().create_task(later())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _count_request(self, scope: Scope) -> None:
        """Carry out what is due before this request, and count the request towards what is still waiting."""
        await self._land_twins()
        for twin in self._twins:
            twin.left -= 1
            if twin.left == 0:
                twin.last = scope
        if self._org.latecomers:
            await run_in_threadpool(self._org.latecomers.request_came)

    def _telling(self, scope: Scope, send: Send) -> Send:
        """Whoever has the answer to the last request that a twin waits for finds the twin due."""

        async def telling(message: Message) -> None:
            self._answered(scope)
            await send(message)

        return telling

    def _answered(self, scope: Scope) -> None:
        for twin in self._twins:
            if twin.last is scope:
                twin.last = None

    async def _land_twins(self) -> None:
        """Carry out the twins that are due, before the next request is answered."""
        async with self._landing:
            due = [twin for twin in self._twins if twin.left <= 0 and twin.last is None]
            self._twins = [twin for twin in self._twins if twin not in due]
            for twin in due:
                await self._land(twin)

    async def _land(self, twin: _Twin) -> None:
        await self._app(twin.scope, _again(twin.body, _gone, whole=True), _nowhere)


async def _gone() -> Message:
    """There is no more of the request."""
    return {"type": "http.disconnect"}


async def _nowhere(_: Message) -> None:
    """Drop an answer."""


def _slowly(seconds: float, send: Send) -> Send:
    async def late(message: Message) -> None:
        if message["type"] == "http.response.start":
            await asyncio.sleep(seconds)
        await send(message)

    return late


async def _read(receive: Receive, most_bytes: int | None = None) -> bytes:
    """The request's body, or as many pieces of it as have at least this many bytes."""
    return (await _begin_to_read(receive, most_bytes))[0]


async def _begin_to_read(receive: Receive, most_bytes: int | None) -> tuple[bytes, bool]:
    """The same, and whether that is the whole body: nothing comes after its end."""
    parts, size, whole = [], 0, False
    while not whole and (most_bytes is None or size < most_bytes):
        message = await receive()
        if message["type"] != "http.request":
            break
        part = message.get("body", b"")
        parts.append(part)
        size += len(part)
        whole = not message.get("more_body")
    return b"".join(parts), whole


def _again(body: bytes, receive: Receive, *, whole: bool) -> Receive:
    """What was read, and then the rest."""
    pending: list[Any] = [{"type": "http.request", "body": body, "more_body": not whole}]

    async def repeated() -> Message:
        return pending.pop() if pending else await receive()

    return repeated


async def _cut(scope: Scope, *, reset: bool = False) -> None:
    """Close the request's connection without an answer."""
    transport = scope.get("state", {}).get("transport")
    if transport is None:
        raise ConnectionResetError("connection cut by a fault")  # in-process: there is no socket to close
    if reset:
        raw = transport.get_extra_info("socket")
        with contextlib.suppress(OSError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
    await asyncio.sleep(0.005)  # until the server has noticed; else it would complain about the missing answer
