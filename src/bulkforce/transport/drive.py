"""Drivers: the only two places that send and sleep, one a colour."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar, cast

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
    """

    transport: Transport
    auth: Auth
    instance_url: str | None
    version: str
    retry: RetryPolicy
    headers: dict[str, str]
    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = random.random
    _lock: threading.Lock = field(default_factory=threading.Lock)
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
            flow.close()

    def _perform(self, effect: Effect) -> Outcome:
        match effect:
            case Send(request, credentials, streamed):
                url, headers = request.path, {**self.headers, **request.headers}
                if credentials is not None:
                    url = credentials.instance_url + url.replace("{version}", self.version)
                    bearer = "Bearer " if request.session_header == "Authorization" else ""
                    headers[request.session_header] = bearer + credentials.access_token
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
                self._current = self.run(self.auth.credentials(self.instance_url, stale))
                check_url(self._current.instance_url)
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


_LOOPBACK = ("http://127.", "http://localhost", "http://[::1]")


def check_url(url: str) -> str:
    """Refuse an instance URL over which a session would travel in the clear, or that is none.

    Raises:
        UsageError: It is not https, and not this machine's own.
    """
    if url.startswith("https://") and len(url) > len("https://"):
        return url.rstrip("/")
    if url.startswith(_LOOPBACK):
        return url.rstrip("/")
    if url.startswith("http://"):
        raise UsageError(f"{url} would carry the session in the clear; use https (plain http is for an emulator on this machine only)")
    raise UsageError(f"{url!r} is no instance URL; it looks like https://acme.my.salesforce.com")


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
    transport: Transport | None,
) -> Driver:
    """Put a driver together; see `bulkforce.client.Client`."""
    if not version.replace(".", "", 1).isdigit() or "." not in version:
        raise UsageError(f"{version!r} is no API version; it looks like {limits.API_VERSION}")
    if transport is None:
        from bulkforce.transport.http import HTTP

        transport = HTTP(tls, proxy, timeouts, gzip_requests=gzip_requests)
    url = None if instance_url is None else check_url(instance_url)
    headers = {"User-Agent": "bulkforce", "Accept-Encoding": "gzip"}
    return Driver(transport, auth, url, version, retry or RetryPolicy(), headers)
