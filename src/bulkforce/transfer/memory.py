"""What both journals are: a SQLite file of facts that one process holds, and that no death can spoil."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bulkforce.errors import JournalBusy, JournalMismatch

_SETTINGS: Final = (
    # Held as long as the process lives, however it dies.
    "locking_mode = EXCLUSIVE",
    "journal_mode = WAL",
    # A power cut, too, may cost nothing that was journalled.
    "synchronous = FULL",
    "foreign_keys = ON",
)


class Memory:
    """The memory of one run.

    Args:
        path: The file; made if it is not there.
        schema: Statements that make the tables, each ended by a semicolon; among them ``fact (name, value)``.
        version: Of the schema.
        one_thread: Whether one thread alone works with it.

    Raises:
        JournalBusy: Another process holds it.
        JournalMismatch: It is of another version of bulkforce, or no journal.
    """

    def __init__(self, path: Path, schema: str, version: int, *, one_thread: bool = True) -> None:
        self.folder = path.parent
        self._database = sqlite3.connect(path, isolation_level=None, timeout=0.5, check_same_thread=one_thread)
        try:
            self._open(schema, version)
        except sqlite3.OperationalError as error:
            self._database.close()
            if "locked" in str(error):
                raise JournalBusy(f"Another process works on the run in {self.folder}; nothing was touched") from error
            raise
        except sqlite3.DatabaseError as error:
            self._database.close()
            raise JournalMismatch(f"{path} is no journal of bulkforce: {error}") from error
        except JournalMismatch:
            self._database.close()
            raise

    def _open(self, schema: str, ours: int) -> None:
        for setting in _SETTINGS:
            self._database.execute(f"PRAGMA {setting}")
        with self.transaction():
            (version,) = self._database.execute("PRAGMA user_version").fetchone()
            (tables,) = self._database.execute("SELECT count(*) FROM sqlite_master").fetchone()
            if version == tables == 0:
                for statement in schema.split(";")[:-1]:
                    self._database.execute(statement)
                self._database.execute(f"PRAGMA user_version = {ours}")
            elif version != ours:
                raise JournalMismatch(f"The journal in {self.folder} is of version {version}; this bulkforce knows {ours}")

    def close(self) -> None:
        """Let go of the run."""
        self._database.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is written inside is written together, and is on disk when this ends."""
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")

    def finish(self) -> None:
        """Write down that the outputs are in place and nothing is left to do."""
        with self.transaction():
            self._remember("finished", "yes")

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do."""
        return self._recall("finished") is not None

    def _remember(self, name: str, value: str) -> None:
        self._database.execute("INSERT OR REPLACE INTO fact VALUES (?, ?)", (name, value))

    def _recall(self, name: str) -> str | None:
        row = self._database.execute("SELECT value FROM fact WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])
