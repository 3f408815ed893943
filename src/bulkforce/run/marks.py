"""Which sitting of a run was the last on this machine, so that a copy of its folder (a restored backup, say) is known
as one.

The org cannot tell two copies of a run from each other, and each would send what it believes was not sent. So each
sitting, before it touches the org,
leaves a mark in the user's state folder, and so does each job before it is asked for: an empty file named for the run
and the mark's number. A journal that knows of fewer than there are is a copy that was left behind, or has lost its end.
Two sittings that begin at once cannot make the same mark. See ``docs/adr/0010-marks-of-sittings.md``.
"""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

from bulkforce.errors import Unsettled

_KEPT_SECONDS: Final = 90 * 86_400.0
"""The org forgets a job after seven days; a run that is older than this has nothing to go on with."""

_SWEPT: Final = "swept"
_SWEPT_SECONDS: Final = 86_400.0


class Sat(Protocol):
    """What remembers the sittings of a run; the journal does."""

    folder: Path

    @property
    def token(self) -> str:
        """Tells the run from all others."""
        ...

    @property
    def sittings(self) -> int:
        """How many there were."""
        ...

    def begin_sitting(self, number: int) -> None:
        """Write down that a sitting begins; it is on disk when this returns."""
        ...


def begin(run: Sat, marks: Path | None = None, *, accepted: bool = False) -> Unsettled | None:
    """Leave a mark: a sitting of a run begins, or it asks for a job.

    Args:
        run: Its journal.
        marks: Where marks are left; by default in the user's state folder.
        accepted: Whether the user has said that this copy is to go on, so that it is the one that counts from now on.

    Returns:
        Why it is not to touch the org without the user's word; ``None`` if it may, and where marks cannot be left.
    """
    if marks is None:
        from platformdirs import user_state_path

        marks = user_state_path("bulkforce") / "sittings"
    try:
        marks.mkdir(parents=True, exist_ok=True, mode=0o700)
        _forget_old(marks)
        last = max((_number(mark) for mark in marks.glob(f"{run.token}.*")), default=0)
        behind = last > run.sittings
        if behind and not accepted:
            return _left_behind(run)
        number = max(last, run.sittings) + 1
        run.begin_sitting(number)
        try:
            (marks / f"{run.token}.{number}").touch(0o600, exist_ok=False)
        except FileExistsError:
            return _left_behind(run)
    except OSError:
        # A home that cannot be written to: what the org shows has to do.
        return None
    return _left_behind(run) if behind else None


def _left_behind(run: Sat) -> Unsettled:
    return Unsettled(
        f"The run in {run.folder} was gone on with elsewhere: this folder, or its journal, is a copy that was left "
        "behind or has lost its end, and what it "
        "has not sent may have gone in; nothing is sent. Go on with the other folder if there is one",
        why="copied",
    )


def _number(mark: Path) -> int:
    number = mark.suffix.removeprefix(".")
    return int(number) if number.isdecimal() else 0


def _forget_old(marks: Path) -> None:
    """Remove marks that are of no use any more; once a day, since it looks at those of all runs."""
    swept, now = marks / _SWEPT, time.time()
    with suppress(FileNotFoundError):
        if abs(now - swept.stat().st_mtime) < _SWEPT_SECONDS:
            return
    swept.touch(0o600)
    for mark in marks.iterdir():
        with suppress(OSError):
            if mark.stat().st_mtime < now - _KEPT_SECONDS:
                mark.unlink()
