"""Copies of journals, by which a run is watched without touching it, even while another process is working on it.

That process holds its journal locked, so it cannot be opened. But its files can be read: what SQLite has committed is
in the database or in the log beside it, and nothing leaves the log before it is in the database. So a copy of the
database, and then of the log, is whole as long as the log was not begun anew in between, which its head tells.

A journal that this very process has open is not copied: on POSIX, closing its file would end the lock.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from bulkforce.errors import JournalBusy, TransferError
from bulkforce.run.database import OPEN, OPENING

_HEAD_BYTES: Final = 32
_TRIES: Final = 10


@contextmanager
def snapshot(journal: Path) -> Iterator[Path]:
    """Copy a journal.

    Yields:
        A private folder with the copy, under the same name; it is removed afterwards.

    Raises:
        JournalBusy: This process is working on the run.
        TransferError: The journal changes faster than it can be copied.
        OSError: It cannot be read.
    """
    log = journal.with_name(f"{journal.name}-wal")
    with tempfile.TemporaryDirectory(prefix="bulkforce-") as name:
        with OPENING:
            _copy(journal, log, Path(name, journal.name))
        yield Path(name)


def _copy(journal: Path, log: Path, copy: Path) -> None:
    identity = journal.stat()
    if OPEN[identity.st_dev, identity.st_ino]:
        raise JournalBusy(f"This process is working on the run in {journal.parent}")
    for _ in range(_TRIES):
        before = _head(log)
        shutil.copyfile(journal, copy)
        if before is not None:
            _copy_if_there(log, copy.with_name(log.name))
        if _head(log) == before:
            return
    raise TransferError(f"The journal {journal} changes faster than it can be read; try again")


def _head(log: Path) -> bytes | None:
    try:
        with log.open("rb") as file:
            return file.read(_HEAD_BYTES)
    except FileNotFoundError:
        return None


def _copy_if_there(log: Path, copy: Path) -> None:
    try:
        shutil.copyfile(log, copy)
    except FileNotFoundError:
        copy.unlink(missing_ok=True)


def is_held(journal: Path) -> bool:
    """Whether a process is working on the run of this journal. Nothing is written, not even beside it."""
    # Without readonly_shm, SQLite would create a file beside the journal of a run that died.
    place = f"{journal.absolute().as_uri()}?mode=ro&readonly_shm=1"
    try:
        with closing(sqlite3.connect(place, uri=True, timeout=0)) as database:
            database.execute("PRAGMA schema_version")
    except sqlite3.Error as error:
        return "locked" in str(error)
    return False
