"""A gateway in front of an org on loopback: passes requests on, and speaks in the org's place when it is told to."""

from __future__ import annotations

import http.client
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self, TypeAlias
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Reply:
    """An answer on its way to the client."""

    status: int
    body: bytes
    media: str = "text/html"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Passing:
    """A request on its way to the org; `forward` lets it through and gives the org's answer."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    forward: Callable[[], Reply]


Rule: TypeAlias = Callable[[Passing], Reply | None]
"""Speaks in the org's place, or says nothing."""


class Gateway:
    """Passes everything on, but for what a rule answers; remembers what reached the org, and what was asked."""

    def __init__(self, org: str) -> None:
        self._org = urlsplit(org).netloc
        self._lock = threading.Lock()
        self._rules: list[Rule] = []
        self.asked: list[tuple[str, str]] = []
        self.passed: list[tuple[str, str, bytes]] = []

    def speak(self, method: str, path: str, rule: Rule, *, times: int = 1, nth: int = 1) -> None:
        """Let a rule meet the requests of a method whose path fits a pattern, some times from the nth on."""
        left = [nth - 1 + times]

        def limited(passing: Passing) -> Reply | None:
            if passing.method != method or not re.search(path, passing.path):
                return None
            with self._lock:
                left[0] -= 1
                due = 0 <= left[0] < times
            return rule(passing) if due else None

        self._rules.append(limited)

    def clear(self) -> None:
        """Say nothing more."""
        self._rules.clear()

    def __enter__(self) -> Self:
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1
            disable_nagle_algorithm = True

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                reply = gateway._meet(self.command, self.path, dict(self.headers.items()), body)
                self.send_response(reply.status)
                for name, value in {
                    "Content-Type": reply.media,
                    **reply.headers,
                    "Content-Length": str(len(reply.body)),
                }.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(reply.body)

            do_GET = do_POST = answer  # noqa: N815 - so the base class looks for them

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

    def _meet(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        passing = Passing(method, path, headers, body, lambda: self._forward(method, path, headers, body))
        with self._lock:
            self.asked.append((method, path))
        for rule in list(self._rules):
            reply = rule(passing)
            if reply is not None:
                return reply
        return passing.forward()

    def _forward(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        with self._lock:
            self.passed.append((method, path, body))
        # Plain answers only: rules read and change them.
        sent = {
            name: value
            for name, value in headers.items()
            if name.lower() not in {"host", "connection", "accept-encoding"}
        }
        connection = http.client.HTTPConnection(self._org, timeout=600)
        try:
            connection.request(method, path, body or None, sent)
            answer = connection.getresponse()
            return Reply(answer.status, answer.read(), answer.headers.get("Content-Type", ""))
        finally:
            connection.close()
