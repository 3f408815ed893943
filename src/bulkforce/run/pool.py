"""Where orders are carried out: in threads, or one after the other where it must be told beforehand what happens
when.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, Protocol

WORKERS: Final = 4
"""Uploads and downloads at once, by default."""


class Pool(Protocol):
    """Carries out tasks; what they give is collected by the thread that began them."""

    def begin(self, task: Callable[[], Any]) -> None:
        """Begin a task, which never raises.

        Raises:
            RuntimeError: No more tasks are taken.
        """
        ...

    def take(self, seconds: float) -> list[Any]:
        """Give what has been done since the last time; wait for something at most so long."""
        ...

    def close(self, *, wait: bool = True) -> None:
        """Take no more tasks, and by default wait for those under way."""
        ...


class Threads:
    """Carries out tasks in threads.

    Args:
        count: How many at once.
    """

    def __init__(self, count: int) -> None:
        self._threads = ThreadPoolExecutor(count, "bulkforce")
        # No SimpleQueue: in CPython 3.11 its get waits for ever when the time is over between two of its looks, as on a
        # busy machine.
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
    """Carries out each task at once, in the thread that begins it: no two things ever happen at once.

    Args:
        sleep: Waits, where there is nothing to take.
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
