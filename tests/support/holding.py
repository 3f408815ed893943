"""An org that holds a request until a test lets it go on: what is under way is known, however fast or slow the machine
is."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from tests.support.rehearsal import SCHEMA

from bulkforce_emulator import Emulator

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

_LONGEST_SECONDS = 600.0
"""A test that fails must end; nothing else comes near it."""


def is_batch(method: str, path: str) -> bool:
    """Whether a request hands over a batch."""
    return method == "POST" and path.endswith("/batch")


def is_result(method: str, path: str) -> bool:
    """Whether a request fetches results, or a list of them."""
    return method == "GET" and "/result" in path


def ctrl_c() -> None:
    """Press Ctrl-C in this process, and wait until the run has heard it: its handler then makes way for Python's
    own."""
    os.kill(os.getpid(), signal.SIGINT)
    while signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        time.sleep(0.001)


@dataclass
class Holding(Emulator):
    """An org that holds the nth request of a kind, before it acts on it."""

    nth: int = 3
    kind: Callable[[str, str], bool] = is_batch
    met: threading.Event = field(default_factory=threading.Event)
    go: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        super().__init__(SCHEMA)
        self._seen = 0

    def wait(self) -> None:
        """Wait until the request is held."""
        assert self.met.wait(_LONGEST_SECONDS)

    @cached_property
    def app(self) -> ASGIApp:
        app = super().app

        async def holding(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http" and self.kind(scope["method"], scope["path"]):
                self._seen += 1
                if self._seen == self.nth:
                    import asyncio

                    self.met.set()
                    await asyncio.to_thread(self.go.wait, _LONGEST_SECONDS)
            await app(scope, receive, send)

        return holding
