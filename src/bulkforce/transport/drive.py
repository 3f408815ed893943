"""The driver: carries out flows, both blocking and for asyncio; the only place that sends and sleeps."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar, cast

from bulkforce import arguments, hosts
from bulkforce.errors import Interrupted, UsageError
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
from bulkforce.transport.account import Account
from bulkforce.transport.base import TLS, Timeouts, Transport
from bulkforce.transport.noting import Tracing, logged, noted
from bulkforce.transport.stopping import Stop, in_thread

T = TypeVar("T")
_log = logging.getLogger("bulkforce")


@dataclass(slots=True)
class Driver:
    """Carries out the effects of flows, for one org; safe to use from many threads.

    Attributes:
        transport: Sends requests.
        auth: Opens and renews the session.
        instance_url: The org's URL, or ``None`` if the login returns it.
        version: API version, such as ``66.0``.
        retry: How often and how long to retry.
        headers: Sent with every request.
        sleep: Waits for a number of seconds.
        chance: Returns a random number from 0 to 1.
        allow_http: Whether plain http to other machines is acceptable.
        tracing: Makes spans; ``None`` for none.
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
    allow_http: bool = False
    tracing: Tracing | None = None
    calls: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _current: Credentials | None = None
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _works: dict[Stop, int] = field(default_factory=dict)
    _closing: bool = False
    _closed: bool = False

    def run(self, flow: Flow[T], sleep: Callable[[float], None] | None = None, account: Account | None = None) -> T:
        """Run a flow to its end.

        Args:
            flow: The flow.
            sleep: How to wait, instead of the driver's own ``sleep``.
            account: Counts the requests of the work that this flow is a part of.
        """
        account = account or Account()
        try:
            effect = next(flow)
            while True:
                effect = self._step(flow, effect, account, sleep)
        except StopIteration as done:
            return cast("T", done.value)
        finally:
            flow.close()

    def _step(
        self, flow: Flow[T], effect: Effect, account: Account, sleep: Callable[[float], None] | None = None
    ) -> Effect:
        try:
            outcome = self._perform(effect, account, sleep or self.sleep)
        except Exception as error:  # noqa: BLE001  (the flow handles it, whatever it is)
            return flow.throw(error)
        return flow.send(outcome)

    async def arun(self, flow: Flow[T]) -> T:
        """Run a flow to its end in asyncio: effects in worker threads, pauses in the event loop.

        Bulk work is ten big requests, not ten thousand small ones: threads cost next to nothing here, and async HTTP
        costs CPU. A cancelled call ends when its request on the wire has ended, and sends no further one.
        """
        import asyncio  # slow to import, and only needed here

        account = Account()
        try:
            effect = next(flow)
            while True:
                if isinstance(effect, Sleep):
                    await asyncio.sleep(self._pause(effect))
                    effect = flow.send(None)
                else:
                    effect = await in_thread(
                        partial(self.carry_out, partial(_boxed, self._step, flow, effect, account))
                    )
        except (_Done, StopIteration) as done:
            return cast("T", done.value)
        except asyncio.CancelledError as cancelled:
            if isinstance(cancelled.__cause__, _Done):
                _close(cancelled.__cause__.value)
                cancelled.__cause__ = None
            raise
        finally:
            flow.close()

    def carry_out(self, work: Callable[[Stop], T], stop: Stop | None = None) -> T:
        """Do work in this thread; `close` asks it to stop and waits for it.

        Raises:
            UsageError: The client is closed.
        """
        stop = stop or Stop()
        with self._changed:
            self._check_open(self._closing)
            self._works[stop] = threading.get_ident()
        try:
            return work(stop)
        finally:
            with self._changed:
                del self._works[stop]
                self._changed.notify_all()
                last = self._closing and not self._works
            if last:
                self.close()

    async def acarry_out(self, work: Callable[[Stop], T]) -> T:
        """Do work in a worker thread; if the call is cancelled, ask the work to stop and wait until it has."""
        import asyncio  # see above

        stop = Stop()
        try:
            return await in_thread(partial(self.carry_out, work, stop), partial(stop.ask, "the call was cancelled"))
        except asyncio.CancelledError as cancelled:
            # Whoever cancels often looks at nothing; the run must be found all the same.
            if isinstance(how := cancelled.__cause__, Interrupted) and how.report is not None:
                cancelled.add_note(str(how))
                logging.getLogger("bulkforce").warning("%s", how)
            raise

    def close(self) -> None:
        """Ask the work in other threads to stop, wait until it has, and close all connections; send nothing more."""
        with self._changed:
            self._closing = True
            works = dict(self._works)
        for stop in works:
            stop.ask("the client was closed")
        if threading.get_ident() in works.values():
            # Work in this very thread is closing its own client; connections are closed when that work ends.
            return
        with self._changed:
            self._changed.wait_for(lambda: not self._works)
            self._closed = True
        self.transport.close()

    def _check_open(self, closed: bool) -> None:  # noqa: FBT001  (one of two flags)
        if closed:
            raise UsageError("The client is closed and sends nothing more; create a new one")

    def _perform(self, effect: Effect, account: Account, sleep: Callable[[float], None]) -> Outcome:
        match effect:
            case Send(request, credentials, streamed):
                headers = {**self.headers, **request.headers}
                if credentials is None:
                    url = arguments.url(request.path, allow_http=self.allow_http)
                else:
                    request = replace(request, path=request.path.replace("{version}", self.version))
                    url = credentials.instance_url + request.path
                    bearer = "Bearer " if request.session_header == "Authorization" else ""
                    headers[request.session_header] = bearer + credentials.access_token
                with self._changed:
                    self._check_open(self._closed)
                    account.spend(request)
                    self.calls += 1
                notes = [logged(request)] if _log.isEnabledFor(logging.DEBUG) else []
                if self.tracing is not None:
                    notes.append(self.tracing.request(request, url, account.span))
                if notes:
                    answer = noted(notes, lambda: self.transport.send(request, url, headers, streamed=streamed))
                else:
                    answer = self.transport.send(request, url, headers, streamed=streamed)
                return answer if credentials is None else answer.without(credentials.access_token)
            case Sleep():
                account.on_pause(effect)
                sleep(self._pause(effect))
                return None
            case Authenticate(stale):
                return self._authenticate(stale, account)
            case Elapsed():
                return time.monotonic()
            case Now():
                return time.time()
            case Policy():
                return self.retry

    def _pause(self, effect: Sleep) -> float:
        return effect.seconds * (1 - self.chance() / 2) if effect.jittered else effect.seconds

    def _authenticate(self, stale: Credentials | None, account: Account) -> Credentials:
        # Single-flight: a thread that waited here while another renewed the session finds fresh credentials.
        with self._lock:
            if self._current is None or self._current == stale:
                fresh = self.run(self.auth.credentials(self.instance_url, stale), account=account)
                arguments.url(fresh.instance_url, allow_http=self.allow_http)
                self._current = fresh
            return self._current


class _Done(Exception):
    """Carries a flow's value out of a thread, since asyncio does not let StopIteration through."""

    def __init__(self, value: object) -> None:
        super().__init__()
        self.value = value


def _boxed(
    step: Callable[[Flow[T], Effect, Account], Effect], flow: Flow[T], effect: Effect, account: Account, _stop: Stop
) -> Effect:
    try:
        return step(flow, effect, account)
    except StopIteration as done:
        raise _Done(done.value) from None


def _close(value: object) -> None:
    """Close a result on the wire that will never be read."""
    close = getattr(value, "close", None)
    if close is not None:
        close()


def make_driver(
    instance_url: str | None,
    auth: Auth | None,
    *,
    version: str,
    tls: TLS | None,
    proxy: str | None,
    timeouts: Timeouts | None,
    retry: RetryPolicy | None,
    gzip_requests: bool,
    largest_answer_bytes: int,
    allow_http: bool = False,
    transport: Transport | None,
) -> Driver:
    """Put a driver together; see `bulkforce.client.Client`."""
    arguments.flag(allow_http, "allow_http")
    url = None if instance_url is None else hosts.instance_url(instance_url, allow_http=allow_http)
    auths = "RefreshToken, BearerToken, ClientCredentials, JWTBearer or UsernamePassword"
    auth = arguments.having(auth, "credentials", f"The client needs an auth: {auths}")
    version = arguments.version(version)
    for value, kind, what in ((tls, TLS, "tls"), (timeouts, Timeouts, "timeouts"), (retry, RetryPolicy, "retry")):
        if value is not None:
            arguments.instance(value, kind, what)
    arguments.flag(gzip_requests, "gzip_requests")
    arguments.count(largest_answer_bytes, "largest_answer_bytes", 1)
    if transport is None:
        from bulkforce.transport.http import HTTP

        transport = HTTP(tls, proxy, timeouts, gzip_requests=gzip_requests, largest_answer_bytes=largest_answer_bytes)
    arguments.having(transport, "send close", "A transport has the methods send and close")
    headers = {"User-Agent": "bulkforce", "Accept-Encoding": "gzip"}
    retry = RetryPolicy() if retry is None else retry
    return Driver(transport, auth, url, version, retry, headers, allow_http=allow_http)
