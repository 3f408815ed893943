"""Pools that carry out orders: in threads, or one at a time where the sequence must be predictable."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, Protocol

WORKERS: Final = 4
"""The default for concurrent uploads and downloads of a load."""


class Pool(Protocol):
    """Carries out tasks; the thread that started them collects what they return."""

    def begin(self, task: Callable[[], Any]) -> None:
        """Start a task; tasks never raise.

        Raises:
            RuntimeError: The pool accepts no more tasks.
        """
        ...

    def take(self, seconds: float) -> list[Any]:
        """Return the results since the last call; if there are none, wait for one, at most this long."""
        ...

    def close(self, *, wait: bool = True) -> None:
        """Accept no more tasks, and by default wait for those under way."""
        ...


class Threads:
    """Carries out tasks in threads.

    Args:
        count: Number of threads.
    """

    def __init__(self, count: int) -> None:
        self._threads = ThreadPoolExecutor(count, "bulkforce")
        # Not SimpleQueue: in CPython 3.11 its `get` hangs if the timeout expires between two of its checks, as may
        # happen on a busy machine.
        self._done: queue.Queue[Any] = queue.Queue()

    def begin(self, task: Callable[[], Any]) -> None:
        """See `Pool`."""
        self._threads.submit(lambda: self._done.put(task()))

    def take(self, seconds: float) -> list[Any]:
        """See `Pool`."""
        try:
            done = [self._done.get(timeout=seconds)]
        except queue.Empty:
            return []
        while not self._done.empty():
            done.append(self._done.get())
        return done

    def close(self, *, wait: bool = True) -> None:
        """See `Pool`."""
        self._threads.shutdown(wait=wait, cancel_futures=not wait)


class Inline:
    """Carries out each task immediately, in the thread that starts it, so nothing ever runs concurrently.

    Args:
        sleep: Called to wait when there is nothing to take.
    """

    def __init__(self, sleep: Callable[[float], object] = time.sleep) -> None:
        self._sleep = sleep
        self._done: list[Any] = []

    def begin(self, task: Callable[[], Any]) -> None:
        """See `Pool`."""
        self._done.append(task())

    def take(self, seconds: float) -> list[Any]:
        """See `Pool`."""
        done, self._done = self._done, []
        if not done:
            self._sleep(seconds)
        return done

    def close(self, *, wait: bool = True) -> None:
        """See `Pool`."""
