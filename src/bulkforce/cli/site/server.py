"""Serves the pages over HTTP, on loopback, to whoever knows the token in their address, and changes nothing.

Other users of the machine, and web pages in the same browser, can reach a port on loopback, too. So each request needs
the token, and a Host that is this machine (a page elsewhere may give its own name our address); answers must not be
framed, kept, or tell where they came from.
"""

from __future__ import annotations

import hmac
import logging
import os
import secrets
import stat
import threading
from dataclasses import dataclass, field
from email.message import Message
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, BinaryIO, Final
from urllib.parse import unquote, urlsplit

from bulkforce.cli.site import views
from bulkforce.cli.site.jobs import Jobs
from bulkforce.cli.site.watching import Runs
from bulkforce.run.folder import PAGE

_log = logging.getLogger("bulkforce")

SHOWN: Final = 100
"""How many runs the list shows."""
_JOBS_OF_RUNS: Final = 10
_CONNECTIONS: Final = 32
_SECONDS: Final = 10.0
"""How long a connection may be silent."""
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_TYPES: Final = {".csv": "text/csv; charset=utf-8", ".json": "application/json"}


@dataclass(slots=True)
class Answer:
    """What a request gets: a page, or a file."""

    status: HTTPStatus
    page: str = ""
    file: BinaryIO | None = None
    name: str = ""
    to: str = ""


@dataclass(slots=True)
class Site:
    """What is there to be seen.

    Attributes:
        runs: The runs.
        jobs: Their jobs in the org, if it is to be asked.
        token: What an address must begin with.
    """

    runs: Runs
    jobs: Jobs | None = None
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))

    def answer(self, path: str) -> Answer:
        """Answer a request for a path."""
        empty, token, *parts = [unquote(part) for part in path.split("/")] if path.count("/") else ["", ""]
        if empty or not hmac.compare_digest(token.encode(), self.token.encode()):
            words = (
                "The address is not complete: use the one that bulkforce ui printed, with everything behind the port."
            )
            return Answer(HTTPStatus.FORBIDDEN, views.problem("Not for you", words))
        match parts:
            case []:
                return Answer(HTTPStatus.PERMANENT_REDIRECT, to=f"/{self.token}/")
            case [""]:
                return self._index()
            case ["runs", name, ""]:
                page = self.runs.page(name)
                return Answer(HTTPStatus.OK, views.run(page)) if page else _nothing()
            case ["runs", name, file]:
                return self._file(name, file)
            case ["jobs", ""] if self.jobs is not None:
                return self._jobs(self.jobs)
        return _nothing()

    def _index(self) -> Answer:
        names = self.runs.names()
        pages = list(zip(names[:SHOWN], self.runs.latest(names[:SHOWN]), strict=True))
        folder = str(self.runs.folder.absolute())
        html = views.index(folder, pages, len(names[SHOWN:]), jobs=self.jobs is not None)
        return Answer(HTTPStatus.OK, html)

    def _file(self, name: str, file: str) -> Answer:
        page = self.runs.page(name)
        if page is None or file == PAGE or file not in dict(page.files):
            return _nothing()
        try:
            # It was a file when it was listed; it must not have become a link to another since.
            opened = open(  # noqa: SIM115  (closed once it is sent)
                self.runs.folder / name / file, "rb", opener=lambda path, flags: os.open(path, flags | _NO_LINK)
            )
        except OSError:
            return _nothing()
        if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
            opened.close()
            return _nothing()
        return Answer(HTTPStatus.OK, file=opened, name=file)

    def _jobs(self, jobs: Jobs) -> Answer:
        pages = self.runs.latest(self.runs.names()[:_JOBS_OF_RUNS])
        jobs.look([(page.run, job) for page in pages for job in reversed(page.jobs)])
        return Answer(HTTPStatus.OK, views.jobs(jobs.org, jobs.of_runs, jobs.of_org, jobs.looked, jobs.trouble))


_NO_LINK: Final = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


def _nothing() -> Answer:
    words = "There is no such run, file or page here. It may have been moved or removed."
    return Answer(HTTPStatus.NOT_FOUND, views.problem("Nothing here", words))


class Server(ThreadingHTTPServer):
    """The server of one site.

    Args:
        site: What it shows.
        port: The port to listen on; 0 takes any that is free.
    """

    daemon_threads = True

    def __init__(self, site: Site, port: int = 0) -> None:
        self.site = site
        self._slots = threading.BoundedSemaphore(_CONNECTIONS)
        super().__init__(("127.0.0.1", port), _Handler)
        own = self.server_address[1]
        self.hosts = {f"{name}:{own}" for name in ("127.0.0.1", "localhost")}

    @property
    def url(self) -> str:
        """The address of the list of runs."""
        return f"http://127.0.0.1:{self.server_address[1]}/{self.site.token}/"

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401  (as the base has it)
        """Serve a connection in a thread, unless there are too many."""
        if not self._slots.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:  # noqa: ANN401  (as the base has it)
        """Serve a connection."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._slots.release()

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002  (as the base has it)
        """Log what went wrong, without the address, which holds the token."""
        _log.debug("A request to bulkforce ui failed", exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    """One connection with one request."""

    timeout = _SECONDS
    server: Server
    server_version = "bulkforce"
    sys_version = ""

    def do_GET(self) -> None:
        """Answer a GET."""
        self._serve()

    def do_HEAD(self) -> None:
        """Answer a HEAD."""
        self._serve()

    def _serve(self) -> None:
        headers: Message = self.headers
        if headers.get_all("Host", []) not in [[host] for host in self.server.hosts]:
            words = "bulkforce ui answers only to the address that it printed."
            self._send(Answer(HTTPStatus.FORBIDDEN, views.problem("Not for you", words)))
            return
        self._send(self.server.site.answer(urlsplit(self.path).path))

    def _send(self, answer: Answer) -> None:
        content = answer.page.encode()
        file = answer.file
        try:
            size = len(content) if file is None else os.fstat(file.fileno()).st_size
            self.send_response(answer.status)
            kind = "text/html; charset=utf-8" if file is None else _TYPES.get(Path(answer.name).suffix, "text/plain")
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(size))
            self.send_header("Content-Security-Policy", views.policy())
            for name, value in _HEADERS.items():
                self.send_header(name, value)
            if answer.to:
                self.send_header("Location", answer.to)
            if answer.status is HTTPStatus.METHOD_NOT_ALLOWED:
                self.send_header("Allow", "GET, HEAD")
            if file is not None:
                self.send_header("Content-Disposition", f'attachment; filename="{answer.name}"')
            self.end_headers()
            if self.command == "HEAD":
                return
            if file is None:
                self.wfile.write(content)
            elif size:
                self.wfile.flush()
                self.connection.sendfile(file, count=size)
        except (TimeoutError, ConnectionError):
            self.close_connection = True
        finally:
            if file is not None:
                file.close()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002
        """Answer a request that is none, or has another method."""
        status = HTTPStatus.METHOD_NOT_ALLOWED if code == HTTPStatus.NOT_IMPLEMENTED else HTTPStatus(code)
        self.close_connection = True
        self._send(Answer(status, views.problem(status.phrase, "bulkforce ui only shows; it answers GET and HEAD.")))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the base's form)
        """Log nothing here: the address holds the token."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:  # noqa: ARG002
        """Log a request without its address."""
        _log.debug("ui: %s %s", self.command, code)
