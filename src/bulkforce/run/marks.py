"""Marks of a run's sittings on this machine, by which a copy of its folder (a restored backup, for example) is
recognized.

The org cannot distinguish two copies of a run, and each would send what it believes was not sent. So each sitting
leaves a mark in the user's state folder before it touches the org, and again before each job it creates: an empty file
named after the run and the mark's number. A journal that knows fewer marks than exist is an outdated copy, or has lost
its end. Two sittings that begin at the same time cannot create the same mark. See
``docs/adr/0010-marks-of-sittings.md``.
"""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

from bulkforce.errors import Unsettled

_KEPT_SECONDS: Final = 90 * 86_400.0
"""The org forgets a job after seven days; a run older than this has nothing left to resume."""

_SWEPT: Final = "swept"
_SWEPT_SECONDS: Final = 86_400.0


class Sat(Protocol):
    """Records the sittings of a run; the journal does."""

    folder: Path

    @property
    def token(self) -> str:
        """A token that identifies the run."""
        ...

    @property
    def sittings(self) -> int:
        """How many sittings there were."""
        ...

    def begin_sitting(self, number: int) -> None:
        """Record that a sitting begins; it is on disk when this returns."""
        ...


def begin(run: Sat, marks: Path | None = None, *, accepted: bool = False) -> Unsettled | None:
    """Leave a mark because a sitting of a run begins or is about to create a job.

    Args:
        run: The run's journal.
        marks: The folder for marks; by default one in the user's state folder.
        accepted: Whether the user decided to continue with this copy, which makes it the current one.

    Returns:
        Why the run must not touch the org without the user's decision; ``None`` if it may, or if marks cannot be left.
    """
    try:
        marks = _folder(marks)
        last = max((_number(mark) for mark in marks.glob(f"{run.token}.*")), default=0)
        behind = last > run.sittings
        if behind and not accepted:
            return _left_behind(run)
        if run.sittings:
            # If the last sitting died before it left its mark, it is left now: marks have no gaps, see `go_on`.
            (marks / f"{run.token}.{run.sittings}").touch(0o600)
        left_behind = _leave(run, marks, max(last, run.sittings) + 1)
    except OSError:
        # The home folder is not writable: rely on what the org shows.
        return None
    return _left_behind(run) if behind else left_behind


def go_on(run: Sat, marks: Path | None = None) -> Unsettled | None:
    """Leave the next mark because a sitting under way is about to create a job; see `begin`.

    Whoever continued the run elsewhere meanwhile has left that very mark, so the others need not be looked through:
    with Bulk API 2.0 there are as many as batches.
    """
    try:
        return _leave(run, _folder(marks), run.sittings + 1)
    except OSError:
        return None


def _leave(run: Sat, marks: Path, number: int) -> Unsettled | None:
    run.begin_sitting(number)
    try:
        (marks / f"{run.token}.{number}").touch(0o600, exist_ok=False)
    except FileExistsError:
        return _left_behind(run)
    return None


def claim(token: str, kind: str, follower: str, marks: Path | None = None) -> bool:
    """Leave a mark because a run retries or undoes another, and return whether no other run has left one.

    Args:
        token: The token of the run that is followed.
        kind: What is done with it.
        follower: The token of the run that follows.
        marks: See `begin`.
    """
    try:
        marks = _folder(marks)
        mine = marks / f"{token}.{kind}-{follower}"
        mine.touch(0o600)
        if any(mark != mine for mark in marks.glob(f"{token}.{kind}-*")):
            mine.unlink()
            return False
    except OSError:
        # The home folder is not writable: rely on the journal.
        pass
    return True


def unclaim(token: str, kind: str, follower: str, marks: Path | None = None) -> None:
    """Remove the mark of a run that ended before it did anything."""
    with suppress(OSError):
        (_folder(marks) / f"{token}.{kind}-{follower}").unlink()


def _folder(marks: Path | None) -> Path:
    if marks is None:
        from platformdirs import user_state_path

        marks = user_state_path("bulkforce") / "sittings"
    marks.mkdir(parents=True, exist_ok=True, mode=0o700)
    _forget_old(marks)
    return marks


def _left_behind(run: Sat) -> Unsettled:
    return Unsettled(
        f"The run in {run.folder} was continued elsewhere: this folder or its journal is an "
        "outdated copy, or has lost its end, and what it has not sent may already be in the org. "
        "Nothing is sent. Resume the other folder if there is one",
        why="copied",
    )


def _number(mark: Path) -> int:
    number = mark.suffix.removeprefix(".")
    return int(number) if number.isdecimal() else 0


def _forget_old(marks: Path) -> None:
    """Remove outdated marks; once a day, since it looks at the marks of all runs."""
    swept, now = marks / _SWEPT, time.time()
    with suppress(FileNotFoundError):
        if abs(now - swept.stat().st_mtime) < _SWEPT_SECONDS:
            return
    swept.touch(0o600)
    for mark in marks.iterdir():
        with suppress(OSError):
            if mark.stat().st_mtime < now - _KEPT_SECONDS:
                mark.unlink()
