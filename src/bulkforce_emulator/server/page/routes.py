"""The page over HTTP: which path shows what."""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import jinja2
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.routing import Route

from bulkforce_emulator.errors import ApiError
from bulkforce_emulator.formats.charsets import codec
from bulkforce_emulator.server.page.causes import Causes
from bulkforce_emulator.server.page.failures import Failures
from bulkforce_emulator.server.page.shown import FILTERS
from bulkforce_emulator.server.page.views import Filters, batch_view, batches_view, job_view, jobs_view
from bulkforce_emulator.wire.bulk2_results import BulkResults

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp

    from bulkforce_emulator.state.job import Batch, Job
    from bulkforce_emulator.state.org import Org
    from bulkforce_emulator.state.spool import Spooled

_HERE = Path(__file__).parent
#: How much of a body is shown; all of it can be downloaded.
_SHOWN_BYTES = 20_000
_MEDIA_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_LIVE_SECONDS = 1
_IDLE_SECONDS = 3
_DIGITS = 10
#: Nothing from other sites, nothing inline, and no framing by other pages.
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True, slots=True)
class Body:
    """The part of a request or a result that is shown."""

    title: str
    path: str
    text: str
    length: int
    is_text: bool

    @property
    def is_cut(self) -> bool:
        """Whether the body is longer than what is shown of it."""
        return self.length > _SHOWN_BYTES


def make_page(org: Org, home: str) -> ASGIApp:
    """The page of an org; `home` is the path below which everything but the list is."""
    page = _Page(org, home)
    batch = f"{home}/jobs/{{job_id}}/batches/{{batch_id}}"
    return Starlette(
        routes=[
            Route("/", page.jobs),
            Route(f"{home}/jobs/{{job_id}}", page.job),
            Route(f"{home}/jobs/{{job_id}}/files/{{name}}", page.job_file),
            Route(batch, page.batch),
            Route(f"{batch}/request", page.request_file),
            Route(f"{batch}/result", page.result_file),
            Route(f"{batch}/result/{{result_id}}", page.result_file),
            Route(f"{home}/static/{{name}}", page.static),
        ],
        exception_handlers={ApiError: page.missing, 404: page.missing},
    )


class _Page:
    def __init__(self, org: Org, home: str) -> None:
        self._org = org
        self._home = home
        self._causes = Causes(org.settings.texts)
        self._failures = Failures(org.jobs.spool, self._causes)
        self._results = BulkResults(org)
        self._templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters.update(FILTERS)
        self._templates.globals["home"] = home

    def static(self, request: Request) -> Response:
        """A style sheet, a script or a picture."""
        file = _HERE / "static" / request.path_params["name"]
        if file.suffix not in _MEDIA_TYPES or not file.is_file():
            return self.missing(request, LookupError(file.name))
        return Response(file.read_bytes(), media_type=_MEDIA_TYPES[file.suffix], headers=_HEADERS)

    # Pages

    def jobs(self, request: Request) -> Response:
        asked = request.query_params
        filters = Filters(asked.get("state", ""), asked.get("object", ""))
        view = jobs_view(self._org, filters, _number(asked.get("open")), _number(asked.get("done")))
        refresh = _LIVE_SECONDS if view.in_progress.total else _IDLE_SECONDS
        return self._show(
            "jobs.html", request, view=view, filters=filters, refresh=refresh, session_id=self._org.sessions.first_token
        )

    def job(self, request: Request) -> Response:
        job = self._org.jobs.get(request.path_params["job_id"])
        view = job_view(self._org, job)
        batches = batches_view(self._org, job, self._causes, _number(request.query_params.get("page")))
        reasons = self._failures.reasons(batches.failing, job.format)
        refresh = _LIVE_SECONDS if view.ended is None else None
        files = self._files(job) if view.ended is not None else {}
        return self._show("job.html", request, job=view, batches=batches, reasons=reasons, refresh=refresh, files=files)

    def _files(self, job: Job) -> dict[str, tuple[int, int]]:
        """The rows and the bytes of the result files of a 2.0 job that has ended."""
        bulk2 = job.bulk2
        if bulk2 is None or job.is_query:
            return {}
        rows = self._results.counts(job, bulk2)
        return {name: (count, self._results.file(job, bulk2, name.lower()).length) for name, count in rows.items()}

    def job_file(self, request: Request) -> Response:
        """One of the result files."""
        job, name = self._org.jobs.get(request.path_params["job_id"]), request.path_params["name"]
        if job.bulk2 is None or name not in self._files(job):
            return self.missing(request, LookupError(name))
        return self._file(f"{job.id}-{name}.csv", self._results.file(job, job.bulk2, name.lower()))

    def batch(self, request: Request) -> Response:
        job, batch = self._batch_of(request)
        view = batch_view(self._org, batch)
        path = f"{self._home}/jobs/{job.id}/batches/{batch.id}"
        is_text = not job.zipped or job.is_query
        bodies = [self._body("Request", f"{path}/request", view.request, view.charset, is_text=is_text)]
        for result_id, place in view.results.items():
            title, link = (
                (f"Result {result_id}", f"{path}/result/{result_id}") if result_id else ("Result", f"{path}/result")
            )
            bodies.append(self._body(title, link, place))
        failing = [view] if view.members["numberRecordsFailed"] and view.results else []
        reasons = self._failures.reasons(failing, job.format)
        return self._show(
            "batch.html",
            request,
            job=job_view(self._org, job),
            batch=view,
            bodies=bodies,
            reasons=reasons,
            refresh=None if view.is_final else _LIVE_SECONDS,
        )

    def missing(self, request: Request, problem: Exception) -> Response:
        """The page for what is not there."""
        message = problem.message if isinstance(problem, ApiError) else "There is no such page."
        return self._show("missing.html", request, 404, message=message, refresh=None)

    def _show(self, template: str, request: Request, status: int = 200, **values: object) -> Response:
        pace = self._org.workers.pace.kind
        base_url = str(request.base_url).rstrip("/")
        text = self._templates.get_template(template).render(
            **values, base_url=base_url, pace=pace, version=self._org.version, link=_link
        )
        return HTMLResponse(text, status, _HEADERS)

    # Bodies

    def request_file(self, request: Request) -> Response:
        job, batch = self._batch_of(request)
        ending = "zip" if job.zipped else "soql" if job.is_query else job.format
        return self._file(f"{batch.id}-request.{ending}", batch.request)

    def result_file(self, request: Request) -> Response:
        job, batch = self._batch_of(request)
        result_id = request.path_params.get("result_id", "")
        found = self._org.jobs.results(batch).get(result_id)
        if found is None:
            raise ApiError.of(self._org.settings.texts.calls.result_unknown, id=result_id)
        return self._file(f"{result_id or batch.id}-result.{job.format}", found)

    def _file(self, name: str, place: Spooled) -> Response:
        headers = {
            **_HEADERS,
            "Content-Disposition": f'attachment; filename="{name}"',
            "Content-Length": str(place.length),
        }
        return StreamingResponse(self._org.jobs.spool.pieces(place), 200, headers, "application/octet-stream")

    def _body(self, title: str, path: str, place: Spooled, charset: str = "utf-8", *, is_text: bool = True) -> Body:
        text = self._beginning(place, charset) if is_text else ""
        return Body(title, path, text, place.length, is_text)

    def _beginning(self, place: Spooled, charset: str) -> str:
        """The first characters of a body."""
        pieces, size = [], 0
        for piece in self._org.jobs.spool.pieces(place):
            pieces.append(piece)
            size += len(piece)
            if size >= _SHOWN_BYTES:
                break
        shown = b"".join(pieces)[:_SHOWN_BYTES]
        try:
            decoder = codecs.getincrementaldecoder(codec(charset))("replace")
        except LookupError:  # the batch named an unknown charset and has failed because of it
            decoder = codecs.getincrementaldecoder("utf-8")("replace")
        # If the body was cut, half a character at the end is left out, not replaced.
        return decoder.decode(shown, final=place.length <= _SHOWN_BYTES)

    def _batch_of(self, request: Request) -> tuple[Job, Batch]:
        job = self._org.jobs.get(request.path_params["job_id"])
        return job, self._org.jobs.batch(job, request.path_params["batch_id"])


def _number(text: str | None) -> int:
    return int(text) if text is not None and text.isdecimal() and len(text) < _DIGITS else 1


def _link(path: str, **query: object) -> str:
    """The path with its parameters, without those that say nothing."""
    said = {name: value for name, value in query.items() if value not in {"", 1}}
    return f"{path}?{urlencode(said)}" if said else path
