"""Logging of requests: method, path, status, milliseconds and bytes; never a header, a query string or content."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from bulkforce.protocol.exchange import Answer, Request, Stream


def noted(request: Request, log: logging.Logger, send: Callable[[], Answer]) -> Answer:
    """Send a request, and log it when its answer has ended.

    Args:
        request: The request.
        log: Where to log.
        send: Sends it.
    """
    facts, sent, begun = request.facts(), request.body.length if request.body else 0, time.monotonic()

    def note(outcome: object, received: int) -> None:
        milliseconds = (time.monotonic() - begun) * 1000
        log.debug(
            "%s %s %s %.0f ms, %d bytes sent, %d bytes received",
            facts.method,
            facts.path,
            outcome,
            milliseconds,
            sent,
            received,
        )

    try:
        answer = send()
    except Exception as error:
        note(type(error).__name__, 0)
        raise
    if answer.stream is not None:
        return replace(answer, stream=_Noted(answer.stream, lambda size: note(answer.status, size)))
    note(answer.status, len(answer.body))
    return answer


class _Noted:
    """A stream that reports its size once, when it is closed or at its end."""

    def __init__(self, stream: Stream, note: Callable[[int], None]) -> None:
        self._stream, self._note, self._size, self._told = stream, note, 0, False

    @property
    def framed(self) -> bool:
        return self._stream.framed

    def __iter__(self) -> Iterator[bytes]:
        for block in self._stream:
            self._size += len(block)
            yield block
        self._tell()

    def close(self) -> None:
        self._stream.close()
        self._tell()

    def _tell(self) -> None:
        if not self._told:
            self._told = True
            self._note(self._size)
