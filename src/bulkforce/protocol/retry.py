"""When to retry a failed request, as an immutable value."""

from __future__ import annotations

from dataclasses import dataclass

from bulkforce import arguments
from bulkforce.errors import Error, LimitReached, NoAnswer, NotSent, Unavailable


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When and how often a failed request is repeated.

    It applies only to what is safe to repeat: read-only requests, and requests that the org certainly never saw.

    Attributes:
        attempts: Attempts in total, including the first; 1 means no retries.
        first_seconds: Pause after the first failure; it doubles each time, minus a random part of up to half.
        longest_seconds: Longest pause, unless the org asks for a longer one with ``Retry-After``.
        patience_seconds: Longest ``Retry-After`` to wait for; a longer one raises the error at once.
    """

    attempts: int = 5
    first_seconds: float = 0.5
    longest_seconds: float = 30.0
    patience_seconds: float = 300.0

    def __post_init__(self) -> None:
        arguments.count(self.attempts, "attempts of a RetryPolicy", 1)
        for name in ("first_seconds", "longest_seconds", "patience_seconds"):
            arguments.seconds(getattr(self, name), f"{name} of a RetryPolicy")

    def pause(self, fault: Error, attempt: int) -> float | None:
        """Return how long to wait before trying again, in seconds; ``None`` means give up.

        Args:
            fault: What went wrong.
            attempt: How many attempts were made, from 1.
        """
        if attempt >= self.attempts or not is_passing(fault):
            return None
        pause = min(self.first_seconds * 2.0 ** min(attempt - 1, 60), self.longest_seconds)
        asked = fault.retry_after_seconds if isinstance(fault, (LimitReached, Unavailable)) else None
        if asked is None:
            return pause
        return max(asked, pause) if asked <= self.patience_seconds else None


def is_passing(fault: Error) -> bool:
    """Whether the same request may succeed a little later."""
    if isinstance(fault, (NotSent, NoAnswer)):
        return not fault.lasting
    if isinstance(fault, LimitReached):
        return fault.retry_after_seconds is not None
    return isinstance(fault, Unavailable)
