"""A SQLite file of facts about one run: locked by one process, safe from crashes, and migrated between versions."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar

from bulkforce.errors import JournalBusy, JournalMismatch, TransferError, UsageError
from bulkforce.run.files import check_way, mode_in, sync_folder
from bulkforce.run.folder import check_is_empty, holds_a_run

K = TypeVar("K")

OPENING: Final = threading.Lock()
"""Held while a journal is opened, or its file is copied."""
OPEN: Final[Counter[tuple[int, int]]] = Counter()
"""The files of the journals that this process has open: on POSIX, closing one that was opened beside SQLite ends the
locks of this process.
"""

_SETTINGS: Final = (
    # Locked as long as the process lives, however it ends.
    "locking_mode = EXCLUSIVE",
    "journal_mode = WAL",
    # Not even a power cut may lose what was journalled.
    "synchronous = FULL",
    "foreign_keys = ON",
)
_BESIDE: Final = ("", "-wal", "-shm", "-journal")
"""What SQLite appends to the name of a database to name the files that belong to it."""

Step: TypeAlias = tuple[str, Callable[[sqlite3.Connection, Path], None]] | str
"""From one version of a journal to the next: statements that end in semicolons, and what else to do to a used one."""


class Database:
    """The facts that are recorded about one run.

    Args:
        path: The file.
        steps: The steps from nothing to version 1, from there to version 2, and so on; they create, among others, the
            tables ``fact (name, value)`` and ``file (name, size, sha256)``.
        new: For a new run: records what it will do, in the transaction that creates the tables. Without it, the journal
            must exist.
        one_thread: Whether only one thread uses it.
        migrate: Whether to migrate a journal of an older version to ours; otherwise only what has always been in it can
            be read.

    Raises:
        JournalBusy: Another process has locked it.
        JournalMismatch: It is from a later version of bulkforce, or not a journal.
        UsageError: The folder for a new run is not empty.
        TransferError: It cannot be read or written.
    """

    def __init__(
        self,
        path: Path,
        steps: Sequence[Step],
        *,
        new: Callable[[], None] | None = None,
        one_thread: bool = True,
        migrate: bool = True,
    ) -> None:
        self.folder = path.parent
        self._path = path
        self._closed = made = False
        try:
            check_way(*(path.with_name(path.name + beside) for beside in _BESIDE))
            if new is not None:
                with suppress(FileExistsError):
                    # With the permissions of all files of the run; SQLite gives the same to the files it adds.
                    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, mode_in(path.parent)))
                    made = True
            identity = path.stat()
            self._identity = identity.st_dev, identity.st_ino
            with OPENING:
                self._database = sqlite3.connect(
                    f"{path.absolute().as_uri()}?mode=rw",
                    uri=True,
                    isolation_level=None,
                    timeout=0.5,
                    check_same_thread=one_thread,
                )
                OPEN[self._identity] += 1
        except (OSError, sqlite3.OperationalError) as error:
            raise TransferError(f"The journal {path} cannot be opened: {error}") from error
        try:
            self._open(steps, new, migrate=migrate)
        except sqlite3.OperationalError as error:
            self.close()
            if "locked" in str(error):
                raise JournalBusy(
                    f"Another process is working on the run in {self.folder}; nothing was touched"
                ) from error
            if made:
                self._remove_journal()
            raise TransferError(
                f"The journal {path} cannot be written: {error}. Is the folder writable, and is there room on its disk?"
            ) from error
        except sqlite3.DatabaseError as error:
            self.close()
            raise JournalMismatch(f"{path} is not a bulkforce journal: {error}") from error
        except BaseException:
            self.close()
            if made:
                self._remove_journal()
            raise

    def _open(self, steps: Sequence[Step], new: Callable[[], None] | None, *, migrate: bool) -> None:
        for setting in _SETTINGS:
            self._database.execute(f"PRAGMA {setting}")
        with self.transaction():
            (version,) = self._database.execute("PRAGMA user_version").fetchone()
            (tables,) = self._database.execute("SELECT count(*) FROM sqlite_master").fetchone()
            if new is not None:
                self._begin_in_empty(version + tables)
                self._bring_up(steps, 0)
                new()
            else:
                self._check_version(version, tables, len(steps))
                if migrate:
                    self._bring_up(steps, version)
        if new is not None:
            sync_folder(self.folder)

    def _begin_in_empty(self, found: int) -> None:
        if found:
            raise UsageError(holds_a_run(self.folder))
        check_is_empty(
            self.folder,
            {path.name for path in self.folder.iterdir()} - {self._path.name + beside for beside in _BESIDE},
        )

    def _check_version(self, version: int, tables: int, ours: int) -> None:
        if not tables:
            beside = {path.name for path in self.folder.iterdir()} - {self._path.name + beside for beside in _BESIDE}
            if beside:
                raise JournalMismatch(
                    f"The journal {self._path} is empty, but there are other files "
                    f"of a run beside it ({min(beside)}), so its content is lost. "
                    "Rows may already be in the org, and loading the source again may duplicate them. "
                    "Check the org (Setup, Bulk Data Load Jobs) and those files to see which rows were loaded"
                )
            raise JournalMismatch(
                f"The run in {self.folder} died before it recorded what to do: "
                "nothing was read, and nothing was sent. Run its command again; you may use the same folder"
            )
        if not version:
            raise JournalMismatch(f"{self._path} is not a bulkforce journal: it is another application's database")
        if version > ours:
            made_by = "a later bulkforce"
            with suppress(sqlite3.DatabaseError):
                made_by = f"bulkforce {self._recall('made by') or 'of a later version'}"
            raise JournalMismatch(
                f"The journal in {self.folder} has version {version}, written by {made_by}; "
                f"this is bulkforce {_our_version()}, which knows versions up to {ours}. "
                "Resume this run with that bulkforce; nothing was touched"
            )

    def _bring_up(self, steps: Sequence[Step], version: int) -> None:
        for step in steps[version:]:
            statements, mend = (step, None) if isinstance(step, str) else step
            for statement in statements.split(";")[:-1]:
                self._database.execute(statement)
            if mend and version:
                mend(self._database, self.folder)
        if version < len(steps):
            self._database.execute(f"PRAGMA user_version = {len(steps)}")
            self._remember("made by", _our_version())

    def close(self) -> None:
        """Close the journal and release the run."""
        self._database.close()
        if not self._closed:
            self._closed = True
            OPEN[self._identity] -= 1

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Write everything inside together; it is on disk when this ends.

        Raises:
            JournalMismatch: The journal was removed or replaced, so what was written would never be read.
        """
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._check_place()
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")

    def _check_place(self) -> None:
        if not self.in_place:
            raise JournalMismatch(f"The journal {self._path} was removed or replaced while the run was under way")

    @property
    def in_place(self) -> bool:
        """Whether the journal is still where it was opened."""
        try:
            now = self._path.stat()
        except OSError:
            return False
        return (now.st_dev, now.st_ino) == self._identity

    def _remember(self, name: str, value: str) -> None:
        self._database.execute("INSERT OR REPLACE INTO fact VALUES (?, ?)", (name, value))

    def _recall(self, name: str) -> str | None:
        row = self._database.execute("SELECT value FROM fact WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def _members(self, fact: str) -> dict[str, Any] | None:
        """Return a fact that has members; ``None`` if it was never recorded."""
        text = self._recall(fact)
        if text is None:
            return None
        with suppress(ValueError, RecursionError):
            members = json.loads(text)
            if isinstance(members, dict) and members:
                return members
        raise JournalMismatch(f"The journal {self._path} is damaged: its entry {fact!r} makes no sense")

    def _made_of(self, kind: Callable[..., K], members: Mapping[str, Any]) -> K:
        try:
            return kind(**members)
        except TypeError:
            raise JournalMismatch(
                f"The journal {self._path} is damaged: facts about the run are missing or unknown"
            ) from None

    def _remove_journal(self) -> None:
        for beside in _BESIDE:
            self._path.with_name(self._path.name + beside).unlink(missing_ok=True)


@cache
def _our_version() -> str:
    from importlib.metadata import version  # slow to import, and rarely needed

    return version("bulkforce")
