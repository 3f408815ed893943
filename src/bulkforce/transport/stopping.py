"""How work in other threads is asked to stop, and how asyncio waits until it has."""

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
    """Asks work to come to its end; safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._event = threading.Event()
        self._reason = ""
        self._listeners: list[Callable[[], None]] = []

    def ask(self, reason: str) -> None:
        """Ask; of several reasons the first counts.

        Args:
            reason: What the run was stopped by, as in "the client was closed".
        """
        with self._lock:
            self._reason = self._reason or reason
            self._event.set()
            listeners, self._listeners = self._listeners, []
        for listener in listeners:
            listener()

    @property
    def asked(self) -> Interrupted | None:
        """What to stop with, if it was asked for."""
        return Interrupted(self._reason) if self._event.is_set() else None

    def then(self, listener: Callable[[], None]) -> None:
        """Call this when it is asked for; at once if it was."""
        with self._lock:
            if not self._event.is_set():
                self._listeners.append(listener)
                return
        listener()

    def sleep(self, seconds: float) -> None:
        """Sleep, but no longer than until it is asked for.

        Raises:
            Interrupted: It was.
        """
        if self._event.wait(seconds):
            raise Interrupted(self._reason)


async def in_thread(work: Callable[[], T], stop: Callable[[], object] = lambda: None) -> T:
    """Do work in a worker thread. A call that is cancelled is over when the work is, which is asked to stop.

    A thread cannot be left behind without going on, so a second cancellation waits, too: for no longer than the work
    needs to stop. What the work came to then is the cause of the ``CancelledError``.
    """
    import asyncio  # dear to import, and only needed here

    context = copy_context()
    # Whose turn it was: the thread's, or the cancellation's while all threads were busy.
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
