"""HTTP/1.1, as plain as it can be: requests in, answers out, one after another on a connection."""

from __future__ import annotations

import re
import socket
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from bench.org.files import Span

BLOCK_BYTES: Final = 262_144
KEPT_BYTES: Final = 65_536
_HEADER: Final = re.compile(rb"\r\n([A-Za-z-]+): *([^\r\n]*)")
_GZIP: Final = 31


@dataclass(frozen=True, slots=True)
class Request:
    """A request. Of a body only its beginning is kept, and how many records it has: each has one "@" in it."""

    method: str
    path: str
    headers: dict[str, str]
    start: bytes = b""
    records: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer."""

    content: bytes | Span = b""
    media: str = "application/json;charset=UTF-8"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


class Connection:
    """One connection.

    Args:
        answer: Answers requests.
        peer: The other side.
        rtt_seconds: How long each answer takes.
    """

    def __init__(self, answer: Callable[[Request], Answer], peer: socket.socket, rtt_seconds: float) -> None:
        self._answer, self._peer, self._rtt_seconds = answer, peer, rtt_seconds
        self._buffer = bytearray(BLOCK_BYTES)
        self._view = memoryview(self._buffer)
        self._start = self._end = 0

    def serve(self) -> None:
        """Answer until the other side has nothing more to say."""
        self._peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # A new connection takes a round trip of its own.
        time.sleep(self._rtt_seconds)
        with self._peer:
            try:
                while (request := self._request()) is not None:
                    answer = self._answer(request)
                    time.sleep(self._rtt_seconds)
                    self._send(request, answer)
            except ConnectionError:
                return

    def _request(self) -> Request | None:
        head = self._until(b"\r\n\r\n")
        if head is None:
            return None
        first, _, rest = head.partition(b"\r\n")
        method, target, _ = first.decode().split(" ", 2)
        found = {name.decode().lower(): value.decode() for name, value in _HEADER.findall(b"\r\n" + rest)}
        if found.get("expect", "").lower() == "100-continue":
            self._peer.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        return Request(method, target, found, *self._body(found))

    def _body(self, headers: dict[str, str]) -> tuple[bytes, int, int]:
        """Read a body: its beginning, how many records it has, and how long it is."""
        if headers.get("transfer-encoding", "").lower() == "chunked":
            blocks = self._chunks()
        else:
            blocks = self._take(int(headers.get("content-length", "0")))
        if headers.get("content-encoding", "").lower() == "gzip":
            inflate = zlib.decompressobj(_GZIP)
            blocks = map(inflate.decompress, blocks)
        start, records, size = b"", 0, 0
        for block in blocks:
            size += len(block)
            records += bytes(block).count(b"@") if isinstance(block, memoryview) else block.count(b"@")
            if len(start) < KEPT_BYTES:
                start += block[: KEPT_BYTES - len(start)]
        return start, records, size

    def _chunks(self) -> Iterator[memoryview | bytes]:
        while True:
            line = self._until(b"\r\n")
            length = int((line or b"0").split(b";")[0], 16)
            yield from self._take(length)
            self._until(b"\r\n")
            if not length:
                return

    def _take(self, length: int) -> Iterator[memoryview | bytes]:
        """Read so many bytes, in blocks that are overwritten by the next."""
        while length:
            if self._start == self._end:
                self._fill()
            count = min(length, self._end - self._start)
            yield self._view[self._start : self._start + count]
            self._start += count
            length -= count

    def _until(self, end: bytes) -> bytes | None:
        """Read up to a mark; ``None`` at the end of the connection."""
        while (at := self._buffer.find(end, self._start, self._end)) < 0:
            if self._start:
                rest = bytes(self._view[self._start : self._end])
                self._view[: len(rest)] = rest
                self._start, self._end = 0, len(rest)
            if not (got := self._peer.recv_into(self._view[self._end :])):
                return None
            self._end += got
        found = bytes(self._view[self._start : at])
        self._start = at + len(end)
        return found

    def _fill(self) -> None:
        self._start = 0
        self._end = self._peer.recv_into(self._view)
        if not self._end:
            raise ConnectionResetError

    def _send(self, request: Request, answer: Answer) -> None:
        content, headers = answer.content, dict(answer.headers)
        if isinstance(content, Span) and "gzip" in request.headers.get("accept-encoding", "") and _packed(content):
            content = Span(content.path.with_name(content.path.name + ".gz"), b"", 0, _packed(content))
            headers["Content-Encoding"] = "gzip"
        told = {"Content-Type": answer.media, **headers, "Content-Length": str(len(content))}
        lines = "".join(f"{name}: {value}\r\n" for name, value in told.items())
        head = f"HTTP/1.1 {answer.status} OK\r\n{lines}\r\n".encode()
        if not isinstance(content, Span):
            self._peer.sendall(head + content)
            return
        self._peer.sendall(head + content.before)
        with content.path.open("rb") as file:
            self._peer.sendfile(file, content.start, content.end - content.start)


def _packed(content: Span) -> int:
    """Return the size of the file's gzip beside it, if the whole of the file is asked for and it has one."""
    try:
        whole = content.end == content.path.stat().st_size and content.start <= len(content.before)
        return content.path.with_name(content.path.name + ".gz").stat().st_size if whole else 0
    except FileNotFoundError:
        return 0
