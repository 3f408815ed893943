"""What a verb needs besides its options: access to the org, how to wait, and whom to notify."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from bulkforce.protocol.flow import Credentials, Flow, authenticate
from bulkforce.run.clock import Clock
from bulkforce.run.manner import Manner
from bulkforce.run.pool import Pool, Threads
from bulkforce.run.waiting import Patience
from bulkforce.transport.account import Account
from bulkforce.transport.drive import Driver
from bulkforce.transport.stopping import Stop

T = TypeVar("T")


class RunFlow(Protocol):
    """Runs a flow against the org and returns its result; may be called from any thread."""

    def __call__(self, flow: Flow[T], /) -> T:
        """Run the flow."""
        ...


@dataclass(slots=True)
class Sitting:
    """What both verbs need besides their options.

    Attributes:
        run: Runs a flow against the org.
        calls: Returns the number of requests made.
        warn: Called with what the user should know although the run continues.
        patience: How to wait.
        trace: Called with the name of each effect on the outside world, just after it happened.
        stop: Asks the run to stop, from another thread.
        clock: The clocks to use.
        pool: Creates a pool for this many concurrent orders.
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
    def of(cls, driver: Driver, stop: Stop | None = None, manner: Manner | None = None) -> Sitting:
        """Create a sitting from a client's driver; warnings go to the log."""
        manner, halt = manner or Manner(), stop or Stop()
        account = Account(manner.max_api_calls)

        def run(flow: Flow[T]) -> T:
            return driver.run(flow, halt.sleep, account)

        warn = logging.getLogger("bulkforce").warning
        return cls(run, lambda: account.calls, warn, manner.patience(), stop=halt)

    def instance_url(self) -> str:
        """Return the org's URL, logging in if necessary."""
        credentials: Credentials = self.run(authenticate())
        return credentials.instance_url
