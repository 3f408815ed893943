"""Drivers: the only two places that send and sleep, one a colour."""

from __future__ import annotations

import random
import re
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TypeVar, cast
from urllib.parse import urlsplit

from bulkforce.errors import UsageError
from bulkforce.protocol import limits
from bulkforce.protocol.flow import (
    Auth,
    Authenticate,
    Credentials,
    Effect,
    Elapsed,
    Flow,
    Now,
    Outcome,
    Policy,
    Send,
    Sleep,
)
from bulkforce.protocol.retry import RetryPolicy
from bulkforce.transport.base import TLS, Timeouts, Transport

T = TypeVar("T")


@dataclass(slots=True)
class Driver:
    """Carries out the effects of flows, for one org; safe to use from many threads.

    Attributes:
        transport: Sends.
        auth: Gets and renews the session.
        instance_url: Where the org is, or ``None`` if the login says it.
        version: API version, as in ``66.0``.
        retry: How stubborn to be.
        headers: Sent with every request.
        sleep: Waits that many seconds.
        chance: Gives numbers from 0 to 1.
        calls: Requests made so far; each counts against the org's daily API calls.
    """

    transport: Transport
    auth: Auth
    instance_url: str | None
    version: str
    retry: RetryPolicy
    headers: dict[str, str]
    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = random.random
    calls: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _lock_of_calls: threading.Lock = field(default_factory=threading.Lock)
    _current: Credentials | None = None

    def run(self, flow: Flow[T]) -> T:
        """Run a flow to its end."""
        try:
            effect = next(flow)
            while True:
                effect = self._step(flow, effect)
        except StopIteration as done:
            return cast("T", done.value)
        finally:
            flow.close()

    def _step(self, flow: Flow[T], effect: Effect) -> Effect:
        try:
            outcome = self._perform(effect)
        except Exception as error:  # noqa: BLE001  (whatever it is, it is the flow's to handle)
            return flow.throw(error)
        return flow.send(outcome)

    async def arun(self, flow: Flow[T]) -> T:
        """Run a flow to its end in asyncio: each effect in a worker thread, pauses in the loop.

        Bulk work is ten big requests, not ten thousand small ones; threads cost nothing here and async HTTP costs CPU.
        """
        import asyncio  # dear to import, and only needed here

        try:
            effect = next(flow)
            while True:
                if isinstance(effect, Sleep):
                    await asyncio.sleep(self._pause(effect))
                    effect = flow.send(None)
                else:
                    effect = await asyncio.to_thread(_boxed, self._step, flow, effect)
        except (_Done, StopIteration) as done:
            return cast("T", done.value)
        finally:
            # When the call is cancelled, a worker thread may be inside the flow; it comes to its end by itself.
            with suppress(ValueError):
                flow.close()

    def _perform(self, effect: Effect) -> Outcome:
        match effect:
            case Send(request, credentials, streamed):
                headers = {**self.headers, **request.headers}
                if credentials is None:
                    url = check_url(request.path)
                else:
                    request = replace(request, path=request.path.replace("{version}", self.version))
                    url = credentials.instance_url + request.path
                    bearer = "Bearer " if request.session_header == "Authorization" else ""
                    headers[request.session_header] = bearer + credentials.access_token
                with self._lock_of_calls:
                    self.calls += 1
                return self.transport.send(request, url, headers, streamed=streamed)
            case Sleep():
                self.sleep(self._pause(effect))
                return None
            case Authenticate(stale):
                return self._authenticate(stale)
            case Elapsed():
                return time.monotonic()
            case Now():
                return time.time()
            case Policy():
                return self.retry

    def _pause(self, effect: Sleep) -> float:
        return effect.seconds * (1 - self.chance() / 2) if effect.jittered else effect.seconds

    def _authenticate(self, stale: Credentials | None) -> Credentials:
        # Single-flight: who waited here while another renewed finds credentials that are not the stale ones.
        with self._lock:
            if self._current is None or self._current == stale:
                fresh = self.run(self.auth.credentials(self.instance_url, stale))
                check_url(fresh.instance_url)
                self._current = fresh
            return self._current


class _Done(Exception):
    """A flow's value on its way out of a thread: asyncio lets no StopIteration through."""

    def __init__(self, value: object) -> None:
        super().__init__()
        self.value = value


def _boxed(step: Callable[[Flow[T], Effect], Effect], flow: Flow[T], effect: Effect) -> Effect:
    try:
        return step(flow, effect)
    except StopIteration as done:
        raise _Done(done.value) from None


_LOOPBACK = re.compile(r"localhost|127\.\d+\.\d+\.\d+|::1")


def check_url(url: str) -> str:
    """Refuse a URL over which a session or a secret would travel in the clear, or that is none.

    Raises:
        UsageError: It is not https, and not this machine's own; or it has a user and password in it.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname if parts.port is None or parts.port else None
    except ValueError:
        parts, host = urlsplit(""), None
    if "@" in parts.netloc:
        raise UsageError("There is a user or password in the org's URL; log in with an auth instead")
    if not host or parts.scheme not in {"https", "http"} or any(mark in url for mark in "?# \t\r\n\\"):
        raise UsageError(f"{url!r} is no URL of an org; it looks like https://acme.my.salesforce.com")
    if parts.scheme == "http" and not _LOOPBACK.fullmatch(host):
        raise UsageError(f"{url} would carry the session in the clear; use https (plain http is for an emulator on this machine only)")
    return url.rstrip("/")


def make_driver(
    instance_url: str | None,
    auth: Auth,
    *,
    version: str,
    tls: TLS | None,
    proxy: str | None,
    timeouts: Timeouts | None,
    retry: RetryPolicy | None,
    gzip_requests: bool,
    largest_answer_bytes: int,
    transport: Transport | None,
) -> Driver:
    """Put a driver together; see `bulkforce.client.Client`."""
    if not re.fullmatch(r"[0-9]+\.[0-9]", version):
        raise UsageError(f"{version!r} is no API version; it looks like {limits.API_VERSION}")
    if transport is None:
        from bulkforce.transport.http import HTTP

        transport = HTTP(tls, proxy, timeouts, gzip_requests=gzip_requests, largest_answer_bytes=largest_answer_bytes)
    url = None if instance_url is None else check_url(instance_url)
    headers = {"User-Agent": "bulkforce", "Accept-Encoding": "gzip"}
    return Driver(transport, auth, url, version, retry or RetryPolicy(), headers)
