"""Tells what happens: to the log, and to functions of the caller, whose exceptions stop the run."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from bulkforce.errors import UsageError
from bulkforce.transport.stopping import Stop

if TYPE_CHECKING:
    from bulkforce.events import Event, OnEvent

P = TypeVar("P")

_log = logging.getLogger("bulkforce")


def callback(given: object, name: str, takes: str) -> None:
    """Check a function of the caller, or ``None``.

    Raises:
        UsageError: It is neither.
    """
    if given is not None and not callable(given):
        raise UsageError(f"{name} must be a function that takes {takes}, not {type(given).__name__}")


class Teller:
    """Passes events on, in order, in the thread that made it.

    Args:
        listeners: Functions to call with each event.
        stop: Asked to stop the run when a function of the caller raises.

    Attributes:
        raised: What a function of the caller raised; none is called after that.
    """

    def __init__(self, listeners: Sequence[OnEvent], stop: Stop) -> None:
        self._listeners = [self.guarded(listener, "on_event") for listener in listeners]
        if _log.isEnabledFor(logging.INFO):
            self._listeners.insert(0, lambda event: _log.info("%s", event))
        self._stop, self._thread = stop, threading.get_ident()
        self._waiting: deque[Event] = deque()
        self.raised: Exception | None = None

    @property
    def is_heard(self) -> bool:
        """Whether anything listens: otherwise events need not be made."""
        return bool(self._listeners)

    def tell(self, event: Event) -> None:
        """Pass an event on; if called in another thread, at the next `pass_on`."""
        if self._listeners:
            self._waiting.append(event)
            if threading.get_ident() == self._thread:
                self.pass_on()

    def pass_on(self) -> None:
        """Pass on what other threads have told."""
        while self._waiting:
            event = self._waiting.popleft()
            for listener in self._listeners:
                listener(event)

    def guarded(self, function: Callable[[P], object], name: str) -> Callable[[P], None]:
        """Return a function that calls one of the caller's, whose first exception stops the run."""

        def call(value: P) -> None:
            if self.raised is None:
                try:
                    function(value)
                except Exception as error:  # noqa: BLE001  (whatever it is, it is the caller's)
                    self.raised = error
                    self._stop.ask(f"{name} raised {type(error).__name__}")

        return call
