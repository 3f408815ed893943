"""Connections that know whether any byte of a request has left, and that enforce the limits of an exchange.

Neither is possible from outside: urllib3 raises the same error for a proxy that never let us through and for an answer
that was lost behind it, and its timeouts apply to each read, so a peer that sends a byte now and then could hold us for
ever.
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

# More than the head of any answer, and more than any part of a body that yields no content (names in gzip headers,
# chunk extensions).
_FRUITLESS_BYTES = 600_000


class GaveUp(Exception):
    """An exchange exceeded a limit, or the answer makes no sense; the message says which."""


class Sending:
    """One attempt to send a request.

    Attributes:
        begun: Whether any bytes of the request may have left. Until then the org cannot have seen it: neither the
            CONNECT to a proxy nor the TLS handshake contains any of it.
    """

    def __init__(self, timeouts: Timeouts, clock: Callable[[], float]) -> None:
        self.begun = False
        self._timeouts = timeouts
        self._clock = clock
        self.renew()

    def renew(self) -> None:
        """Restart the time limit."""
        self._deadline = self._clock() + self._timeouts.exchange_seconds
        self.progress()

    def progress(self) -> None:
        """Note that the bytes so far have yielded content."""
        self._fruitless = 0

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Exclude the time spent in the caller's code from the limit."""
        since = self._clock()
        yield
        self._deadline += self._clock() - since

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """Count everything that this thread's connections do towards this attempt."""
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
            limit, what = "exchange_seconds", "the exchange was not complete"
        if left > 0:
            sock.settimeout(min(left, seconds))
            try:
                return act()
            except TimeoutError as error:
                if error.errno is not None:  # the system's own, after all its retransmissions
                    raise
        allowed = getattr(self._timeouts, limit)
        raise GaveUp(f"{what} after {allowed:g} s; if that is too short, raise {limit} of the client's Timeouts")

    def read(self, raw: socket.SocketIO, sock: socket.socket, buffer: WriteableBuffer) -> int:
        """Read from a socket within the limits."""
        count = self.wait(sock, lambda: raw.readinto(buffer) or 0)
        self._fruitless += count
        if self._fruitless > _FRUITLESS_BYTES:
            raise GaveUp(f"{_FRUITLESS_BYTES:,} bytes arrived without the end of the answer's head, or without content")
        return count


_here = threading.local()


class _Incoming(io.RawIOBase):
    """The incoming bytes of an attempt.

    Attributes:
        ended: Whether the peer has closed its side.
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
        """Read the head, and refuse one that is cut: http.client accepts it even if it ends in the middle of a length.

        Skip interim answers before it; http.client knows only one of them, 100.
        """
        super().begin()
        while 101 < self.status < 200:
            self.headers = None  # type: ignore[assignment]  # makes it read the next head
            super().begin()
        if self._incoming.ended or (not self.headers.is_multipart() and self.headers.get_payload()):
            # The headers lack whatever it could not parse, and everything after that.
            raise GaveUp("the head of the answer broke off, or is malformed")


class _Attempting(HTTPConnection):
    """Every outgoing byte goes through `send`; those sent after connecting belong to the request."""

    response_class = _Response
    _connecting = False

    def connect(self) -> None:
        self._connecting = True
        try:
            super().connect()
        finally:
            self._connecting = False

    def send(self, data: ReadableBuffer) -> None:  # type: ignore[override]  # urllib3 passes only bytes
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
    """A pool of connections for http."""

    ConnectionCls = _Attempting


class SecuredPool(HTTPSConnectionPool):
    """A pool of connections for https."""

    ConnectionCls = _SecuredAttempting
