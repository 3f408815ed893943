"""Notes of requests, for the log and for traces: method, path, status, milliseconds and bytes; never a header, a query
string or content.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol, TypeAlias

from bulkforce.protocol.exchange import Answer, Request, Stream

if TYPE_CHECKING:
    from bulkforce.events import Event

_log = logging.getLogger("bulkforce")

Note: TypeAlias = Callable[[int | Exception, int], None]
"""Called once, at the end of an answer: its status or the failure, and how many bytes were received."""


class WorkSpan(AbstractContextManager[object], Protocol):
    """The span of one piece of work, such as a load; current while it is entered."""

    def hear(self, event: Event) -> None:
        """Take up what happens in the work."""
        ...


class Tracing(Protocol):
    """Makes spans; see `bulkforce.tracing`."""

    def work(self, verb: str) -> WorkSpan:
        """Begin the span of a piece of work."""
        ...

    def request(self, request: Request, url: str, work: WorkSpan | None) -> Note:
        """Begin the span of a request, and return what ends it."""
        ...


def logged(request: Request) -> Note:
    """Begin the note of a request in the log, at level ``DEBUG``."""
    facts, sent, begun = request.facts(), request.body.length if request.body else 0, time.monotonic()

    def note(outcome: int | Exception, received: int) -> None:
        _log.debug(
            "%s %s %s %.0f ms, %d bytes sent, %d bytes received",
            facts.method,
            facts.path,
            outcome if isinstance(outcome, int) else type(outcome).__name__,
            (time.monotonic() - begun) * 1000,
            sent,
            received,
        )

    return note


def noted(notes: Sequence[Note], send: Callable[[], Answer]) -> Answer:
    """Send a request, and note when its answer has ended.

    Args:
        notes: The notes that were begun for it.
        send: Sends it.
    """

    def note(outcome: int | Exception, received: int) -> None:
        for one in notes:
            one(outcome, received)

    try:
        answer = send()
    except Exception as error:
        note(error, 0)
        raise
    if answer.stream is not None:
        return replace(answer, stream=_Noted(answer.stream, answer.status, note))
    note(answer.status, len(answer.body))
    return answer


class _Noted:
    """A stream that is noted once, when it is closed, at its end, or when it breaks off."""

    def __init__(self, stream: Stream, status: int, note: Note) -> None:
        self._stream, self._status, self._note, self._size, self._told = stream, status, note, 0, False

    @property
    def framed(self) -> bool:
        return self._stream.framed

    def __iter__(self) -> Iterator[bytes]:
        try:
            for block in self._stream:
                self._size += len(block)
                yield block
        except Exception as error:
            self._tell(error)
            raise
        self._tell(self._status)

    def close(self) -> None:
        self._stream.close()
        self._tell(self._status)

    def _tell(self, outcome: int | Exception) -> None:
        if not self._told:
            self._told = True
            self._note(outcome, self._size)
