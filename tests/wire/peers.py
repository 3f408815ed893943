"""Peers on loopback that do what no good server does."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Self

PATIENCE_SECONDS = 10.0


class Peer:
    """Answers each connection by a function of its socket; remembers the head of every request that was read."""

    def __init__(self, serve: Callable[[Peer, socket.socket], None], context: ssl.SSLContext | None = None) -> None:
        self._serve = serve
        self._context = context
        self.heads: list[str] = []
        self.bodies: list[bytes] = []
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
        with contextlib.suppress(OSError, ssl.SSLError), connection:
            if self._context is None:
                self._serve(self, connection)
                return
            with self._context.wrap_socket(connection, server_side=True) as secured:
                self._serve(self, secured)

    def head(self, connection: socket.socket) -> str:
        """Read a request up to its body, byte by byte."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = connection.recv(1)
            if not byte:
                raise ConnectionResetError
            head += byte
        self.heads.append(head.decode())
        return self.heads[-1]

    def request(self, connection: socket.socket) -> str:
        """Read a request with its body."""
        head = self.head(connection)
        lengths = [line.partition(":")[2] for line in head.lower().splitlines() if line.startswith("content-length:")]
        left, body = int(lengths[0]) if lengths else 0, b""
        while len(body) < left:
            block = connection.recv(65_536)
            if not block:
                raise ConnectionResetError
            body += block
        self.bodies.append(body)
        return head


def saying(*answers: bytes) -> Callable[[Peer, socket.socket], None]:
    """Give the answers in turn over all connections, closing each connection after it."""
    waiting = list(answers)

    def serve(peer: Peer, connection: socket.socket) -> None:
        peer.request(connection)
        connection.sendall(waiting.pop(0))

    return serve


def answer(body: bytes, *headers: str, status: str = "200 OK", media: str = "application/xml", length: int | None = -1) -> bytes:
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
