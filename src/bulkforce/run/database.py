"""A SQLite file of facts about one run, which one process holds, and which no death can spoil. Versions migrate."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar

from bulkforce.errors import JournalBusy, JournalMismatch, TransferError, UsageError
from bulkforce.run.files import check_way, mode_in, sync_folder
from bulkforce.run.folder import check_is_empty, holds_a_run

K = TypeVar("K")

_SETTINGS: Final = (
    # Held as long as the process lives, however it dies.
    "locking_mode = EXCLUSIVE",
    "journal_mode = WAL",
    # A power cut, too, may cost nothing that was journalled.
    "synchronous = FULL",
    "foreign_keys = ON",
)
_BESIDE: Final = ("", "-wal", "-shm", "-journal")
"""What SQLite puts behind the name of a database for the files that belong to it."""

Step: TypeAlias = tuple[str, Callable[[sqlite3.Connection, Path], None]] | str
"""From one version of a journal to the next: statements, each ended by a semicolon, and what is then to be done to a
journal that has been in use."""


class Database:
    """What one run remembers.

    Args:
        path: The file.
        steps: What leads from nothing to version 1, from there to version 2, and so on; the tables ``fact (name,
            value)`` and ``file (name, size, sha256)`` are among what they make.
        new: For a run that is begun: writes down, together with the tables, what it is to do. Else the journal must be
            there.
        one_thread: Whether one thread alone works with it.
        migrate: Whether a journal of an older version is brought up to ours; else it is only good for what has always
            been in it.

    Raises:
        JournalBusy: Another process holds it.
        JournalMismatch: It is of a later version of bulkforce, or no journal.
        UsageError: A run is to be begun in a folder where something is.
        TransferError: It cannot be read, or not be written.
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
        made = False
        try:
            check_way(*(path.with_name(path.name + beside) for beside in _BESIDE))
            if new is not None:
                with suppress(FileExistsError):
                    # With the permissions that all files of the run are to have; SQLite gives them to those that it
                    # puts beside it.
                    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, mode_in(path.parent)))
                    made = True
            identity = path.stat()
            self._identity = identity.st_dev, identity.st_ino
            self._database = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=rw",
                uri=True,
                isolation_level=None,
                timeout=0.5,
                check_same_thread=one_thread,
            )
        except (OSError, sqlite3.OperationalError) as error:
            raise TransferError(f"The journal {path} cannot be opened: {error}") from error
        try:
            self._open(steps, new, migrate=migrate)
        except sqlite3.OperationalError as error:
            self._database.close()
            if "locked" in str(error):
                raise JournalBusy(f"Another process works on the run in {self.folder}; nothing was touched") from error
            if made:
                self._remove_journal()
            raise TransferError(
                f"The journal {path} cannot be written: {error}. Is the folder writable for you, and is there room on "
                "its disk?"
            ) from error
        except sqlite3.DatabaseError as error:
            self._database.close()
            raise JournalMismatch(f"{path} is no journal of bulkforce: {error}") from error
        except BaseException:
            self._database.close()
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
                    f"The journal {self._path} is empty, and other files of a run lie beside it ({min(beside)}): what "
                    "it told is lost. Rows may have gone in, "
                    "so loading the source again may double them; what went in can be seen in the org (Setup, Bulk "
                    "Data Load Jobs) and in those files"
                )
            raise JournalMismatch(
                f"The run in {self.folder} died before it had written down what it was to do: nothing was read, and "
                "nothing was sent. Give its "
                "command again; the folder may be the same"
            )
        if not version:
            raise JournalMismatch(f"{self._path} is no journal of bulkforce: it is a database of something else")
        if version > ours:
            made_by = "a later bulkforce"
            with suppress(sqlite3.DatabaseError):
                made_by = f"bulkforce {self._recall('made by') or 'of a later version'}"
            raise JournalMismatch(
                f"The journal in {self.folder} is of version {version}, written by {made_by}; this is bulkforce "
                f"{_our_version()}, which knows versions "
                f"up to {ours}. Go on with this run by that bulkforce; nothing was touched"
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
        """Let go of the run."""
        self._database.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is written inside is written together, and is on disk when this ends.

        Raises:
            JournalMismatch: The journal is no longer where it was, so that nobody would ever read what is written.
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
        """Read back a fact with members; ``None`` if it was never written down."""
        text = self._recall(fact)
        if text is None:
            return None
        with suppress(ValueError, RecursionError):
            members = json.loads(text)
            if isinstance(members, dict) and members:
                return members
        raise JournalMismatch(f"The journal {self._path} is damaged: what it says of {fact!r} makes no sense")

    def _made_of(self, kind: Callable[..., K], members: Mapping[str, Any]) -> K:
        try:
            return kind(**members)
        except TypeError:
            raise JournalMismatch(
                f"The journal {self._path} is damaged: it lacks facts about the run, or has strange ones"
            ) from None

    def _remove_journal(self) -> None:
        for beside in _BESIDE:
            self._path.with_name(self._path.name + beside).unlink(missing_ok=True)


@cache
def _our_version() -> str:
    from importlib.metadata import version  # slow to import, and seldom needed

    return version("bulkforce")
