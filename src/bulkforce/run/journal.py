"""What the journals of both verbs share: facts about a run, its report, and the names of its files.

The name of each file of the run is recorded before the file is created, and its size and SHA-256 if the run relies on
it. Nothing else in the folder is ever removed or replaced.
"""

from __future__ import annotations

import json
import os
import sqlite3
import stat
import time
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TypeVar

from bulkforce.errors import Error, JournalBusy, JournalMismatch, TransferError
from bulkforce.run.database import Database
from bulkforce.run.files import make_folder, part_of, write_whole
from bulkforce.run.folder import PAGE, PASSING, REPORT, RUNS, holds, journal_in
from bulkforce.run.report import RunInfo
from bulkforce.run.seal import Seal
from bulkforce.run.snapshot import is_held, snapshot

J = TypeVar("J", bound="RunJournal")

SITTINGS: Final = "CREATE TABLE sitting (number INTEGER PRIMARY KEY, began REAL NOT NULL, ended REAL);"
"""When each sitting began and ended; one that died has no end. For the run's page only: nothing is decided by it."""


def own_page(database: sqlite3.Connection, folder: Path) -> None:
    """Make the page one of the run's files, in a journal of a version that wrote none, unless the name is taken."""
    if not any(os.path.lexists(path) for path in (folder / PAGE, part_of(folder / PAGE))):
        database.execute("INSERT INTO file (name) VALUES (?)", (PAGE,))


class RunJournal(Database):
    """The journal of one run; see `Database` for how it is opened.

    Attributes:
        today: The clock for the times of what is recorded, in seconds since 1970.
    """

    today: Callable[[], float] = time.time

    def begin_time(self, today: Callable[[], float]) -> None:
        """Record when a sitting begins, by its clock."""
        self.today = today
        with self.transaction():
            self._database.execute("INSERT INTO sitting (began) VALUES (?)", (self.today(),))

    def end_time(self) -> None:
        """Record when the sitting ended."""
        with self.transaction():
            self._database.execute(
                "UPDATE sitting SET ended = ? WHERE number = (SELECT max(number) FROM sitting)", (self.today(),)
            )

    def times(self) -> list[tuple[float, float | None]]:
        """Return when each sitting began and ended; old versions did not record it."""
        return self._database.execute("SELECT began, ended FROM sitting ORDER BY number").fetchall()

    def finish(
        self,
        report: bytes,
        kept: str,
        outputs: Iterable[str] = (),
        elsewhere: Path | None = None,
        page: Callable[[], None] = lambda: None,
    ) -> None:
        """Write the report, and then record that the outputs are in place and nothing is left to do.

        Args:
            report: The report.
            kept: The report without any value of a record, for the journal to keep.
            outputs: The run's files that must exist; from now on they belong to the user.
            elsewhere: A file that was written outside the run's folder.
            page: Writes the run's page, once the report is there.

        Raises:
            OSError: An output is missing.
        """
        seals = {name: Seal.of_file(self.folder / name) for name in outputs}
        found = None if elsewhere is None else elsewhere.stat()
        write_whole(self.folder / REPORT, report)
        page()
        with self.transaction():
            for name, seal in {**seals, REPORT: Seal.of(report)}.items():
                self.seal(name, seal)
            if found is not None:
                self._remember("elsewhere", f"{found.st_size} {found.st_mtime_ns}")
            self._remember("report", kept)
            self._remember("finished", "yes")

    def report(self) -> str:
        """Return the report of a finished run, or what the journal kept of it if the report is gone.

        Raises:
            JournalMismatch: Neither is left.
        """
        # Version 1 did not seal it.
        with suppress(FileNotFoundError):
            report = self.read(REPORT) if self.sealed(REPORT) else (self.folder / REPORT).read_bytes()
            if report is not None:
                return report.decode("utf-8", "replace")
        kept = self._recall("report")
        if kept is None:
            raise JournalMismatch(
                f"The run in {self.folder} is finished, but its {REPORT} was removed "
                "or changed since; the outcome of each row is in the files beside it"
            )
        return kept

    def changed(self, outputs: Iterable[str], elsewhere: Path | None = None) -> list[Path]:
        """Return the outputs of a finished run that were removed or changed since; old versions did not seal theirs."""
        changed = [self.folder / name for name in (*outputs, REPORT) if self.sealed(name) and not self.is_whole(name)]
        left = self._recall("elsewhere")
        if elsewhere is not None and left is not None:
            # Not by its digest: it may be far larger than any file of a run.
            with suppress(FileNotFoundError):
                found = elsewhere.stat()
                if left == f"{found.st_size} {found.st_mtime_ns}":
                    return changed
            changed.append(elsewhere)
        return changed

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do."""
        return self._recall("finished") is not None

    def known(self) -> dict[str, Any]:
        """Return what the run was started with and what reading its source found, whatever version recorded it.

        Raises:
            JournalMismatch: The entries are damaged.
        """
        return {name: value for fact in ("asked", "facts") for name, value in (self._members(fact) or {}).items()}

    def job_ids(self) -> list[str]:
        """Return the ids of the run's jobs, the oldest first."""
        return [row[0] for row in self._database.execute("SELECT id FROM job WHERE id IS NOT NULL ORDER BY number")]

    # The files of the run

    def write_page(self, page: str) -> None:
        """Write the run's page, unless a file of the user has its name."""
        if self.owns(PAGE):
            write_whole(self.folder / PAGE, page.encode())

    def files(self, folder: Path) -> list[tuple[str, int]]:
        """Return the files that the run leaves for its user, with their sizes.

        Args:
            folder: Where they are; not that of the journal if this is a copy of it.
        """
        names = [
            row[0] for row in self._database.execute("SELECT name FROM file WHERE name NOT GLOB '*/*' ORDER BY name")
        ]
        found = []
        for name in names:
            with suppress(OSError):
                status = (folder / name).lstat()
                if stat.S_ISREG(status.st_mode) and name not in PASSING:
                    found.append((name, status.st_size))
        return found

    def own(self, names: Iterable[str]) -> None:
        """Record, inside a transaction, the names of files that the run is about to create; each covers its ``.part``,
        too.

        Raises:
            TransferError: A file of that name exists and is not the run's.
        """
        for name in names:
            if not self._database.execute("INSERT OR IGNORE INTO file (name) VALUES (?)", (name,)).rowcount:
                continue
            for path in (self.folder / name, part_of(self.folder / name)):
                if os.path.lexists(path):
                    raise TransferError(
                        f"{path} is in the way: it is where the run keeps its files, "
                        "but the run did not create it. Move it away"
                    )

    def seal(self, name: str, seal: Seal) -> None:
        """Record, inside a transaction, the seal of one of the run's files, which is on disk."""
        self._database.execute("UPDATE file SET size = ?, sha256 = ? WHERE name = ?", (seal.size, seal.sha256, name))

    def read(self, name: str) -> bytes | None:
        """Return the content of one of the run's files; ``None`` if it does not match its seal, or has none."""
        try:
            content = (self.folder / name).read_bytes()
        except (FileNotFoundError, IsADirectoryError):
            return None
        return content if self.sealed(name) == Seal.of(content) else None

    def owns(self, name: str) -> bool:
        """Whether a file is one of the run's."""
        return self._database.execute("SELECT 1 FROM file WHERE name = ?", (name,)).fetchone() is not None

    def is_whole(self, name: str) -> bool:
        """Whether one of the run's files matches its seal."""
        try:
            return Seal.of_file(self.folder / name) == self.sealed(name)
        except (FileNotFoundError, IsADirectoryError):
            return False

    def sealed(self, name: str) -> Seal | None:
        """Return the seal of one of the run's files; ``None`` if it was never complete."""
        row = self._database.execute(
            "SELECT size, sha256 FROM file WHERE name = ? AND sha256 IS NOT NULL", (name,)
        ).fetchone()
        return None if row is None else Seal(*row)

    def remove(self, name: str) -> None:
        """Remove one of the run's files; of a folder, the run's files in it, and the folder if it is then empty."""
        inside = [
            row[0]
            for row in self._database.execute(
                "SELECT name FROM file WHERE name = ? OR name GLOB ? || '/*'", (name, name)
            )
        ]
        for one in inside:
            for path in (self.folder / one, part_of(self.folder / one)):
                with suppress(FileNotFoundError, NotADirectoryError):
                    if stat.S_IFMT(path.lstat().st_mode) in {stat.S_IFREG, stat.S_IFLNK}:
                        path.unlink()
        if name in inside and (self.folder / name).is_dir():
            with suppress(OSError):
                (self.folder / name).rmdir()

    def make_folder(self, name: str) -> Path:
        """Create a folder inside the run's folder, with the same permissions."""
        folder = self.folder / name
        make_folder(folder, mode=self.folder.stat().st_mode & 0o777)
        return folder

    def clear(self) -> None:
        """Close, and remove a run that did nothing: its files, its journal, and the empty folders that it created."""
        names = [row[0] for row in self._database.execute("SELECT name FROM file")]
        made = json.loads(self._recall("made") or "[]")
        for name in names:
            self.remove(name)
        self.close()
        self._remove_journal()
        with suppress(OSError):
            for folder in made:
                Path(folder).rmdir()


def list_runs(
    folder: Path | None, journal: str, begin: Callable[[Path], J], tell: Callable[[J], RunInfo]
) -> list[RunInfo]:
    """List the runs of one kind in a folder, the oldest first; a run that someone works on is not disturbed.

    Args:
        folder: By default `RUNS`; or the folder of one run.
        journal: The name of their journals.
        begin: Opens the journal in a run's folder.
        tell: Returns the info on a run, given its journal.
    """

    def look_at(run: Path) -> RunInfo:
        held = is_held(run / journal)
        try:
            with snapshot(run / journal) as copy, closing(begin(copy)) as opened:
                info = tell(opened)
        except JournalBusy:
            return RunInfo(run.name, run, "", "running", None)
        except (OSError, TransferError, sqlite3.Error, KeyError, TypeError):
            # A damaged one must not hide the others.
            return RunInfo(run.name, run, "", "running" if held else "unreadable", None)
        named = info.run if info.begun is not None else run.name
        return replace(info, run=named, folder=run, state="running" if held else info.state)

    place = folder or RUNS
    own = [place / journal] if holds(place, journal) else []
    return [look_at(path.parent) for path in [*own, *sorted(place.glob(f"*/{journal}"))]]


def job_ids(run: Path) -> list[str]:
    """List the ids of a run's jobs, the oldest first; none if its journal cannot be read. The run is not disturbed."""
    journal = journal_in(run)
    if journal is None:
        return []
    ids = "SELECT id FROM job WHERE id IS NOT NULL ORDER BY number"
    with (
        suppress(OSError, Error, sqlite3.Error),
        snapshot(journal) as copy,
        closing(sqlite3.connect(copy / journal.name)) as database,
    ):
        return [str(row[0]) for row in database.execute(ids)]
    return []
