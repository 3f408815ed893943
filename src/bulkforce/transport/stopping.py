"""Stopping work in other threads, and waiting in asyncio until it has stopped."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from contextvars import copy_context
from typing import TypeVar

from bulkforce.errors import Interrupted

T = TypeVar("T")


class Stop:
    """Asks work to stop; safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._event = threading.Event()
        self._reason = ""
        self._listeners: list[Callable[[], None]] = []

    def ask(self, reason: str) -> None:
        """Ask the work to stop; if asked several times, the first reason counts.

        Args:
            reason: Why, as in "the client was closed".
        """
        with self._lock:
            self._reason = self._reason or reason
            self._event.set()
            listeners, self._listeners = self._listeners, []
        for listener in listeners:
            listener()

    @property
    def asked(self) -> Interrupted | None:
        """The error to stop with, or ``None`` if nothing has asked for a stop."""
        return Interrupted(self._reason) if self._event.is_set() else None

    def then(self, listener: Callable[[], None]) -> None:
        """Call a listener when a stop is asked for; at once if it already was."""
        with self._lock:
            if not self._event.is_set():
                self._listeners.append(listener)
                return
        listener()

    def sleep(self, seconds: float) -> None:
        """Sleep, unless a stop is asked for.

        Raises:
            Interrupted: A stop was asked for.
        """
        if self._event.wait(seconds):
            raise Interrupted(self._reason)


async def in_thread(work: Callable[[], T], stop: Callable[[], object] = lambda: None) -> T:
    """Do work in a worker thread; if the call is cancelled, ask the work to stop and wait until it has.

    A thread that is left behind would keep running, so a second cancellation waits as well, for as long as the work
    needs to stop. The exception with which the work then ends becomes the cause of the ``CancelledError``.
    """
    import asyncio  # slow to import, and only needed here

    context = copy_context()
    # Decides who comes first: the thread that starts the work, or a cancellation while all threads are busy.
    turn: Future[None] = Future()

    def begin() -> T:
        if not turn.set_running_or_notify_cancel():
            raise Interrupted("the call was cancelled")
        return context.run(work)

    running = asyncio.get_running_loop().run_in_executor(None, begin)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError as cancelled:
        if turn.cancel():
            running.cancel()
            raise
        stop()
        while not running.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait([running])
        if not running.cancelled():
            cancelled.__cause__ = running.exception()
        raise
