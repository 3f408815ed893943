"""OpenTelemetry: a span for each load, extract, query and so on, and one for each request.

Nothing of it is imported, and nothing is measured, before `trace` is called.
"""

from __future__ import annotations

import re
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self, TypeVar
from urllib.parse import urlsplit

from bulkforce import events
from bulkforce.async_client import AsyncClient
from bulkforce.client import Client
from bulkforce.errors import Error, MissingExtra
from bulkforce.protocol.exchange import Request
from bulkforce.transport.noting import Note, WorkSpan

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from opentelemetry.trace import Span, Tracer, TracerProvider

C = TypeVar("C", Client, AsyncClient)


def trace(client: C, tracer_provider: TracerProvider | None = None) -> C:
    """Make OpenTelemetry spans of what a client does from now on.

    Each load, extract, query, check and so on is a span, ``bulkforce load`` for example, with the run's id, the ids of
    its jobs and the counts of its rows. Each request is a span within it, ``POST /services/async/{version}/job`` for
    example, with its status, its bytes, and the ids of its job and batch. Neither a token nor a value of a record is in
    them.

    Args:
        client: The client.
        tracer_provider: Makes the spans; by default the global one.

    Returns:
        The same client.

    Raises:
        MissingExtra: ``opentelemetry-api`` is not installed.

    Example:
        >>> client = trace(bulkforce.connect())  # doctest: +SKIP
        >>> client.load("contacts.csv", "Contact", "insert")  # doctest: +SKIP
    """
    try:
        from opentelemetry.trace import get_tracer
    except ImportError as error:
        raise MissingExtra("otel", "Tracing") from error
    client.driver.tracing = _Tracing(get_tracer("bulkforce", tracer_provider=tracer_provider))
    return client


class _Tracing:
    """Makes spans with a tracer."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def work(self, verb: str) -> WorkSpan:
        return _Work(self._tracer.start_span(f"bulkforce {verb}"))

    def request(self, request: Request, url: str, work: WorkSpan | None) -> Note:
        from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context

        facts, host = request.facts(), urlsplit(url)
        template = template_of(facts.path or "")
        attributes: dict[str, str | int] = {
            "http.request.method": request.method,
            "http.request.body.size": request.body.length if request.body else 0,
            "url.template": template,
            "server.address": host.hostname or "",
        }
        attributes |= {"bulkforce.job.id": request.job_id} if request.job_id else {}
        attributes |= {"bulkforce.batch.id": request.batch_id} if request.batch_id else {}
        span = self._tracer.start_span(
            f"{request.method} {template}",
            # A worker thread of a load has no context of its own.
            context=set_span_in_context(work.span) if isinstance(work, _Work) else None,
            kind=SpanKind.CLIENT,
            attributes=attributes,
        )

        def note(outcome: int | Exception, received: int) -> None:
            if isinstance(outcome, int):
                span.set_attribute("http.response.status_code", outcome)
                failed = str(outcome) if outcome >= _REFUSED else None
            else:
                failed = type(outcome).__name__
            span.set_attribute("http.response.body.size", received)
            if failed is not None:
                span.set_attribute("error.type", failed)
                span.set_status(Status(StatusCode.ERROR))
            span.end()

        return note


class _Work:
    """The span of a piece of work."""

    def __init__(self, span: Span) -> None:
        self.span = span
        self._jobs: list[str] = []
        self._current: AbstractContextManager[Span] | None = None

    def hear(self, event: events.Event) -> None:
        match event:
            case events.RunBegun():
                told: dict[str, str | int | float | bool] = {
                    "bulkforce.run.id": event.run,
                    "bulkforce.operation": event.operation,
                    "bulkforce.object": event.object,
                    "bulkforce.resumed": event.resumed,
                }
                self.span.set_attributes(told)
            case events.JobOpened(job=job):
                self._jobs.append(job)
                self.span.set_attribute("bulkforce.job.ids", self._jobs)
            case events.RunEnded():
                self.span.set_attribute("bulkforce.run.state", event.state)
                counts = ("rows", "succeeded", "failed", "unprocessed", "rejected", "in_doubt")
                self.span.set_attributes({f"bulkforce.rows.{name}": getattr(event, name) for name in counts[1:]})
                self.span.set_attribute("bulkforce.rows", event.rows)
            case _:
                pass

    def __enter__(self) -> Self:
        from opentelemetry.trace import use_span

        # What an exception of the caller's says may hold a value, so it is not recorded.
        self._current = use_span(self.span, record_exception=False, set_status_on_exception=False)
        self._current.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        from opentelemetry.trace import Status, StatusCode

        if self._current is not None:
            self._current.__exit__(kind, error, traceback)
        if error is not None:
            self.span.set_attribute("error.type", type(error).__name__)
            self.span.set_status(Status(StatusCode.ERROR, str(error) if isinstance(error, Error) else None))
        self.span.end()


_REFUSED: Final = 400
_TEMPLATES: Final = {"750": "{job}", "751": "{batch}", "752": "{result}"}
_ID: Final = re.compile(r"\A(75[012])[0-9A-Za-z]{8,15}\Z")


def template_of(path: str) -> str:
    """Return a path with the names of its ids in their places.

    >>> template_of("/services/async/66.0/job/750000000000001AAA/batch/751000000000001AAA/result")
    '/services/async/{version}/job/{job}/batch/{batch}/result'
    >>> template_of("/services/data/v66.0/sobjects/Contact/describe")
    '/services/data/{version}/sobjects/{object}/describe'
    """
    parts = path.split("/")
    for place, part in enumerate(parts):
        found = _ID.match(part)
        if found:
            parts[place] = _TEMPLATES[found[1]]
        elif re.fullmatch(r"v?\d+\.\d|v?\{version\}", part):
            parts[place] = "{version}"
        elif place and parts[place - 1] == "sobjects":
            parts[place] = "{object}"
    return "/".join(parts)
