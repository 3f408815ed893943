"""Connections that know whether any of a request has left over them, and that keep an exchange within its limits.

Neither can be told from outside: urllib3 gives one kind of error for a proxy that never let us through and for an
answer that was lost behind it, and its time limits hold for each read, so that a peer who says a byte now and then
holds us for ever.
"""

from __future__ import annotations

import http.client
import io
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, cast

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from bulkforce.transport.base import Timeouts

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

# More than any head of an answer, and than any stretch of a body from which nothing comes (names in gzip, extensions of
# chunks).
_FRUITLESS_BYTES = 600_000


class GaveUp(Exception):
    """An exchange went over a limit, or what came makes no sense; the text says what."""


class Sending:
    """One sending of a request.

    Attributes:
        begun: Whether bytes of the request may have left. Before that nobody can have seen it: what a proxy is asked
            (CONNECT) and the TLS handshake hold none of it.
    """

    def __init__(self, timeouts: Timeouts, clock: Callable[[], float]) -> None:
        self.begun = False
        self._timeouts = timeouts
        self._clock = clock
        self.renew()

    def renew(self) -> None:
        """Begin the time limit anew."""
        self._deadline = self._clock() + self._timeouts.exchange_seconds
        self.progress()

    def progress(self) -> None:
        """Something came of the bytes so far."""
        self._fruitless = 0

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Let somebody else take time that does not count."""
        since = self._clock()
        yield
        self._deadline += self._clock() - since

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """Make this the attempt to which all that this thread's connections do belongs."""
        before = getattr(_here, "attempt", None)
        _here.attempt = self
        try:
            yield
        finally:
            _here.attempt = before

    def wait(self, sock: socket.socket, act: Callable[[], int]) -> int:
        """Do something with a socket within the limits."""
        limit, seconds = (
            ("read_seconds", self._timeouts.read_seconds)
            if self.begun
            else ("connect_seconds", self._timeouts.connect_seconds)
        )
        what = "nothing moved"
        left = self._deadline - self._clock()
        if left < seconds:
            limit, what = "exchange_seconds", "it was not over"
        if left > 0:
            sock.settimeout(min(left, seconds))
            try:
                return act()
            except TimeoutError as error:
                if error.errno is not None:  # the system's own, after it sent again and again
                    raise
        told = getattr(self._timeouts, limit)
        raise GaveUp(f"{what} after {told:g} s; if that can be right, raise {limit} of the client's Timeouts")

    def read(self, raw: socket.SocketIO, sock: socket.socket, buffer: WriteableBuffer) -> int:
        """Read from a socket within the limits."""
        count = self.wait(sock, lambda: raw.readinto(buffer) or 0)
        self._fruitless += count
        if self._fruitless > _FRUITLESS_BYTES:
            raise GaveUp(f"{_FRUITLESS_BYTES:,} bytes came without an end of the answer's head, or without any content")
        return count


_here = threading.local()


class _Incoming(io.RawIOBase):
    """What comes in for an attempt.

    Attributes:
        ended: Whether nothing more can come.
    """

    ended = False

    def __init__(self, raw: socket.SocketIO, sock: socket.socket, attempt: Sending) -> None:
        self._raw = raw
        self._sock = sock
        self._attempt = attempt

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        count = self._attempt.read(self._raw, self._sock, buffer)
        self.ended = not count
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(
        self, sock: socket.socket, debuglevel: int = 0, method: str | None = None, url: str | None = None
    ) -> None:
        super().__init__(sock, debuglevel, method, url)
        self._incoming = _Incoming(cast(socket.SocketIO, self.fp.detach()), sock, _here.attempt)
        self.fp = io.BufferedReader(self._incoming)

    def begin(self) -> None:
        """Read the head, which http.client takes for one wherever it ends, be it in the middle of a length.

        Interim answers before it are passed over; http.client knows only one of them, 100.
        """
        super().begin()
        while 101 < self.status < 200:
            self.headers = None  # type: ignore[assignment]  # so that it begins again
            super().begin()
        if self._incoming.ended or (not self.headers.is_multipart() and self.headers.get_payload()):
            # What it could not read, and all behind that, is not among the headers.
            raise GaveUp("the head of the answer broke off, or makes no sense")


class _Attempting(HTTPConnection):
    """All bytes that leave go through `send`; those of the request are what is not sent while connecting."""

    response_class = _Response
    _connecting = False

    def connect(self) -> None:
        self._connecting = True
        try:
            super().connect()
        finally:
            self._connecting = False

    def send(self, data: ReadableBuffer) -> None:  # type: ignore[override]  # urllib3 gives bytes, and nothing else
        if self.sock is None:
            self.connect()
        attempt: Sending = _here.attempt
        attempt.begun = attempt.begun or not self._connecting
        rest = memoryview(data)
        while rest:
            rest = rest[attempt.wait(self.sock, partial(self.sock.send, rest)) :]


class _SecuredAttempting(_Attempting, HTTPSConnection):
    pass


class Connections(HTTPConnectionPool):
    """Connections for http."""

    ConnectionCls = _Attempting


class SecuredPool(HTTPSConnectionPool):
    """Connections for https."""

    ConnectionCls = _SecuredAttempting
