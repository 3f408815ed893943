"""What a verb needs besides its options: a way to the org, how to wait, whom to tell."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from bulkforce.protocol.flow import Credentials, Flow, authenticate
from bulkforce.run.clock import Clock
from bulkforce.run.pool import Pool, Threads
from bulkforce.run.waiting import Patience
from bulkforce.transport.drive import Driver
from bulkforce.transport.stopping import Stop

T = TypeVar("T")


class RunFlow(Protocol):
    """Runs a flow against the org, and gives what it returns; from any thread."""

    def __call__(self, flow: Flow[T], /) -> T:
        """Run it."""
        ...


@dataclass(slots=True)
class Sitting:
    """What both verbs need besides the options.

    Attributes:
        run: Runs a flow against the org.
        calls: Says how many requests were made.
        warn: Called with what the user should know, though the run goes on.
        patience: How to wait.
        trace: Called with the name of each effect on the outside world, just after it has happened.
        stop: Asks the run to stop, from another thread.
        clock: What to wait by.
        pool: Makes what carries out orders, so many at once.
    """

    run: RunFlow
    calls: Callable[[], int]
    warn: Callable[[str], None] = lambda _text: None
    patience: Patience = field(default_factory=Patience)
    trace: Callable[[str], None] = lambda _effect: None
    stop: Stop = field(default_factory=Stop)
    clock: Clock = field(default_factory=Clock)
    pool: Callable[[int], Pool] = Threads

    @classmethod
    def of(cls, driver: Driver, stop: Stop | None = None) -> Sitting:
        """Sit down with a client's driver; warnings go to the log."""
        before, halt = driver.calls, stop or Stop()

        def run(flow: Flow[T]) -> T:
            return driver.run(flow, halt.sleep)

        return cls(run, lambda: driver.calls - before, logging.getLogger("bulkforce").warning, stop=halt)

    def instance_url(self) -> str:
        """Say where the org is, logging in if need be."""
        credentials: Credentials = self.run(authenticate())
        return credentials.instance_url
