"""The org's clock: it follows the true time until somebody sets it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class Clock:
    """Tells the time in UTC. It can be put forward, which is how jobs get old in a test."""

    def __init__(self, moment: datetime | None = None) -> None:
        """Start with the true time, or stopped at a moment."""
        self._ahead = timedelta(0)
        self._frozen = None if moment is None else moment.astimezone(UTC)

    def now(self) -> datetime:
        return self._frozen if self._frozen is not None else datetime.now(UTC) + self._ahead

    def advance(self, **span: float) -> None:
        """Put the clock forward: `advance(hours=25)`."""
        step = timedelta(**span)
        self._ahead += step
        if self._frozen is not None:
            self._frozen += step

    def set(self, moment: datetime) -> None:
        """Stop the clock at this moment."""
        self._frozen = moment.astimezone(UTC)

    def release(self) -> None:
        """Let a stopped clock run on from where it stands."""
        if self._frozen is not None:
            self._ahead = self._frozen - datetime.now(UTC)
            self._frozen = None
