"""How a verb is to be carried out, whichever it is: options that are not about records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bulkforce import arguments
from bulkforce.run.telling import callback
from bulkforce.run.waiting import Patience

if TYPE_CHECKING:
    from bulkforce.events import OnEvent

SHORTEST_POLL_SECONDS: Final = 0.1
LONGEST_POLL_SECONDS: Final = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How to carry out a verb, whichever it is; see `bulkforce.client.Client.load`.

    Raises:
        UsageError: A value makes no sense.
    """

    poll: float | None = None
    max_api_calls: int | None = None
    on_event: OnEvent | None = None
    progress: bool | None = None

    def __post_init__(self) -> None:
        if self.poll is not None:
            # More often, and polling would use up the org's daily API calls in hours.
            arguments.number(self.poll, "poll, in seconds,", SHORTEST_POLL_SECONDS, LONGEST_POLL_SECONDS)
        if self.max_api_calls is not None:
            arguments.count(self.max_api_calls, "max_api_calls", 1)
        if self.progress is not None:
            arguments.flag(self.progress, "progress")
        callback(self.on_event, "on_event", "an event")

    def patience(self) -> Patience:
        """Return how to wait."""
        if self.poll is None:
            return Patience()
        return Patience(look_seconds=float(self.poll), look_longest_seconds=float(self.poll))
