"""Peers on loopback that do what no good server does."""

from __future__ import annotations

import contextlib
import itertools
import select
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Self

PATIENCE_SECONDS = 600.0


class Peer:
    """Answers each connection by a function of its socket; remembers what it read: every byte, and heads and bodies of
    whole requests."""

    def __init__(self, serve: Callable[[Peer, socket.socket], None], context: ssl.SSLContext | None = None) -> None:
        self._serve = serve
        self._context = context
        self.heads: list[str] = []
        self.bodies: list[bytes] = []
        self.seen = bytearray()
        self.done = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.done.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join(PATIENCE_SECONDS)
        self.settle()

    def settle(self) -> None:
        """Wait until all connections so far have ended."""
        for thread in self._threads:
            thread.join(PATIENCE_SECONDS)

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    @property
    def url(self) -> str:
        return f"{'https' if self._context else 'http'}://127.0.0.1:{self.port}"

    def _accept(self) -> None:
        while not self.done.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._one, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _one(self, connection: socket.socket) -> None:
        connection.settimeout(PATIENCE_SECONDS)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(OSError, ssl.SSLError), connection:
            if self._context is None:
                self._serve(self, connection)
                return
            with self._context.wrap_socket(connection, server_side=True) as secured:
                self._serve(self, secured)

    def read(self, connection: socket.socket, size: int) -> bytes:
        """Read some bytes, at most so many."""
        block = connection.recv(min(size, 65_536))
        if not block:
            raise ConnectionResetError
        self.seen += block
        return block

    def head(self, connection: socket.socket) -> str:
        """Read a request up to its body, byte by byte."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.read(connection, 1)
        self.heads.append(head.decode())
        return self.heads[-1]

    def request(self, connection: socket.socket) -> str:
        """Read a request with its body."""
        head = self.head(connection)
        lengths = [line.partition(":")[2] for line in head.lower().splitlines() if line.startswith("content-length:")]
        left, body = int(lengths[0]) if lengths else 0, b""
        while len(body) < left:
            body += self.read(connection, left - len(body))
        self.bodies.append(body)
        return head


class Nobody:
    """A port on which nobody listens, and that is nobody else's meanwhile."""

    def __enter__(self) -> Self:
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    @property
    def port(self) -> int:
        port: int = self._socket.getsockname()[1]
        return port


def saying(*answers: bytes) -> Callable[[Peer, socket.socket], None]:
    """Give the answers in turn over all connections, closing each connection after it."""
    waiting = list(answers)

    def serve(peer: Peer, connection: socket.socket) -> None:
        peer.request(connection)
        connection.sendall(waiting.pop(0))

    return serve


def answer(
    body: bytes, *headers: str, status: str = "200 OK", media: str = "application/xml", length: int | None = -1
) -> bytes:
    """An answer; its length is the body's unless said otherwise, and not told at all if ``None``."""
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {media}", *headers, "Connection: close"]
    if length is not None:
        lines.append(f"Content-Length: {len(body) if length < 0 else length}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def tunnel(peer: Peer, connection: socket.socket) -> None:
    """A proxy: CONNECT, and forwarding by whole URLs; reaches loopback only, whatever host is asked for."""
    line = peer.head(connection).split(" ")
    if line[0] != "CONNECT":
        connection.sendall(answer(line[1].encode(), media="text/csv"))
        return
    with socket.create_connection(("127.0.0.1", int(line[1].rpartition(":")[2])), PATIENCE_SECONDS) as onward:
        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        ends = [connection, onward]
        while True:
            for end in select.select(ends, [], [], PATIENCE_SECONDS)[0]:
                block = end.recv(65_536)
                if not block:
                    return
                ends[1 - ends.index(end)].sendall(block)


Cut = tuple[int | None, int | None]


class Relay(Peer):
    """Something on the way that passes bytes on, and breaks a connection off at a byte of either direction, or instead
    of an answer.

    To a port it passes all there is, and so it stands for a proxy that gets whole URLs, or for a cable; without one it
    is a proxy that is asked by CONNECT, and reaches loopback only.
    """

    def __init__(
        self,
        port: int | None = None,
        cut: Callable[[int], Cut] = lambda _number: (None, None),
        drop: Callable[[bytes], bool] = lambda _request: False,
        context: ssl.SSLContext | None = None,
    ) -> None:
        """Set it up.

        Args:
            port: Where all connections go.
            cut: Says for the number of a connection how many bytes of it go up and down; ``None`` for all.
            drop: Says for the first line of a request whether its answer is lost.
            context: For TLS.
        """
        super().__init__(lambda _peer, connection: self._relay(connection), context)
        self.passed: list[list[int]] = []
        self._port = port
        self._cut = cut
        self._drop = drop
        self._numbers = itertools.count()

    def _relay(self, connection: socket.socket) -> None:
        """Bytes up and down are counted from the CONNECT on, which is not among them."""
        limits, passed = self._cut(next(self._numbers)), [0, 0]
        self.passed.append(passed)
        port = self._port or int(self.head(connection).split(" ")[1].rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS) as onward:
            if not self._port:
                connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            onward.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            ends, asked = [connection, onward], b""
            while True:
                for way in (end is onward for end in _readable(ends)):
                    block = ends[way].recv(65_536)
                    if way and asked and self._drop(asked.partition(b"\r\n")[0]):
                        return
                    asked = b"" if way else asked + block
                    limit = limits[way]
                    kept = len(block) if limit is None else min(len(block), limit - passed[way])
                    ends[1 - way].sendall(block[:kept])
                    passed[way] += kept
                    if kept < len(block) or not block:
                        return


def _readable(ends: list[socket.socket]) -> list[socket.socket]:
    unpacked: list[socket.socket] = [end for end in ends if isinstance(end, ssl.SSLSocket) and end.pending()]
    return unpacked or select.select(ends, [], [], PATIENCE_SECONDS)[0]
