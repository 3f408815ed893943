"""The claim of a run that retries or undoes another: one run each, so that no row goes a second time.

The run that follows writes its name into the journal of the other before it sends anything. A journal is locked while
it is open, so of several that try only one succeeds. A copy of the other run's folder has a journal of its own: for it
there is a mark in the user's state folder, as for sittings.
"""

from __future__ import annotations

from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from bulkforce.errors import Error, JournalMismatch
from bulkforce.load.facts import Asked, Follower
from bulkforce.load.journal import LoadJournal
from bulkforce.run import marks
from bulkforce.run.folder import LOAD, holds

RETRY: Final = "retry"
UNDO: Final = "undo"
DONE: Final = {RETRY: "retried", UNDO: "undone"}


def claim(journal: LoadJournal) -> None:
    """Make sure that this run is the one that may follow another, before it sends anything; any other run may go on.

    Raises:
        JournalMismatch: Another run retries or undoes that run, or its folder is gone.
        JournalBusy: Another process works on that run.
    """
    asked = journal.asked()
    if asked is None or not asked.followed or journal.has_claimed:
        return
    kind, run, mine = _what(asked, journal)
    folder = Path(asked.followed)
    gone = JournalMismatch(
        f"The run in {journal.folder} is the {kind} of {run}, whose folder {folder} is gone, so it is not known "
        f"whether that run was {DONE[kind]} already. Nothing was sent"
    )
    if not holds(folder, LOAD):
        raise gone
    with closing(LoadJournal(folder)) as followed:
        if followed.token != asked.followed_token:
            raise gone
        other = followed.follower(kind)
        if other is not None and other.token != mine.token:
            raise JournalMismatch(f"{run} is {DONE[kind]} by the run in {other.folder}. Nothing was sent")
        followed.set_follower(kind, mine)
        if not marks.claim(followed.token, kind, mine.token):
            raise JournalMismatch(
                f"{run} was {DONE[kind]} already, by way of another copy of its folder {folder}. Nothing was sent"
            )
    journal.note_claimed()


def release(journal: LoadJournal) -> bool:
    """Give a claim back, since the run ended before it sent anything; return whether no claim is left."""
    asked = journal.asked()
    if asked is None or not asked.followed:
        return True
    kind, _, mine = _what(asked, journal)
    with suppress(Error), closing(LoadJournal(Path(asked.followed))) as followed:
        other = followed.follower(kind)
        if other is not None and other.token == mine.token:
            marks.unclaim(followed.token, kind, mine.token)
            followed.set_follower(kind, None)
        return True
    return False


def _what(asked: Asked, journal: LoadJournal) -> tuple[str, str, Follower]:
    kind = RETRY if asked.retry_of else UNDO
    return (
        kind,
        str(asked.retry_of or asked.undo_of),
        Follower(asked.run, str(journal.folder.absolute()), journal.token),
    )
