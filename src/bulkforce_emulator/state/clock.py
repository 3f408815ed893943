"""The org's clock: it follows real time until it is set."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_FIRST_YEAR, _LAST_YEAR = 1700, 4000


class Clock:
    """Tells the time in UTC. It can be moved forward, which is how jobs age in a test."""

    def __init__(self, moment: datetime | None = None) -> None:
        """Start at the real time, or stopped at a moment."""
        self._ahead = timedelta(0)
        self._frozen: datetime | None = None
        if moment is not None:
            self.set(moment)

    def now(self) -> datetime:
        """The org's time, in UTC."""
        return self._frozen if self._frozen is not None else datetime.now(UTC) + self._ahead

    def advance(self, **span: float) -> None:
        """Move the clock forward: `advance(hours=25)`."""
        step = timedelta(**span)
        _check(self.now() + step)
        self._ahead += step
        if self._frozen is not None:
            self._frozen += step

    def set(self, moment: datetime) -> None:
        """Stop the clock at this moment."""
        _check(moment)
        self._frozen = moment.astimezone(UTC)

    def release(self) -> None:
        """Let a stopped clock run on from where it stands."""
        if self._frozen is not None:
            self._ahead = self._frozen - datetime.now(UTC)
            self._frozen = None


def _check(moment: datetime) -> None:
    """Stay far from both ends of the calendar, so that spans of time can be added."""
    if not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        raise ValueError(f"the clock goes from {_FIRST_YEAR} to {_LAST_YEAR}; {moment.year} is not in it")
