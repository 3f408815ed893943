"""A server on loopback that says what it is told to, and remembers what it was asked."""

from __future__ import annotations

import gzip
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.conformance.loader import Expected


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Told:
    status: int
    headers: dict[str, str]
    body: bytes

    @classmethod
    def from_data(cls, answer: Expected, text: str) -> Told:
        body = gzip.compress(text.encode(), mtime=0) if answer.gzip else text.encode()
        return cls(answer.status, dict(answer.headers), body)


@dataclass
class ScriptedServer:
    """Gives the next answer of its script to whatever comes."""

    script: list[Told] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)

    def __enter__(self) -> Self:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # headers and body in one segment
            disable_nagle_algorithm = True

            def answer(self) -> None:
                server.asked.append(Asked(self.command, self.path, _lower(self.headers.items()), self._body()))
                told = server.script.pop(0) if server.script else Told(599, {}, b"nothing more is in the script")
                self.send_response(told.status)
                for name, value in {**told.headers, "Content-Length": str(len(told.body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(told.body)

            do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = answer  # noqa: N815 - so the base class looks for them

            def _body(self) -> bytes:
                if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
                    return self.rfile.read(int(self.headers.get("Content-Length", 0)))
                blocks = []
                while size := int(self.rfile.readline(), 16):
                    blocks.append(self.rfile.read(size))
                    self.rfile.readline()
                self.rfile.readline()
                return b"".join(blocks)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name it has in the base class
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def tell(self, answers: Iterable[Told]) -> None:
        self.script[:] = answers
        self.asked.clear()


def _lower(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers}
