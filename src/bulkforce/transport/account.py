"""What one piece of work spends of the org's API calls, and what it may."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bulkforce.display import counted
from bulkforce.errors import NotSent
from bulkforce.protocol.exchange import Request
from bulkforce.protocol.flow import Sleep
from bulkforce.transport.noting import WorkSpan


@dataclass(slots=True)
class Account:
    """The API calls of one piece of work, such as a load.

    Attributes:
        most_calls: How many requests it may make; ``None`` for any number.
        calls: How many it has made.
        on_pause: Called before each pause, in the thread that pauses.
        span: Its span, if spans are made.
    """

    most_calls: int | None = None
    calls: int = 0
    on_pause: Callable[[Sleep], None] = lambda _pause: None
    span: WorkSpan | None = None

    def spend(self, request: Request) -> None:
        """Count a request that is about to be made; not safe to use from many threads at once.

        Raises:
            NotSent: There is nothing left to spend.
        """
        if self.most_calls is not None and self.calls >= self.most_calls:
            text = f"The budget of {counted(self.most_calls, 'API call')} is used up; give more to go on"
            raise NotSent(text, request.facts(), lasting=True)
        self.calls += 1
