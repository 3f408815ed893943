"""What the journals of both verbs are: facts about a run, its report, and the names of its files.

A file of the run has its name here before it is made, and what the run relies on its size and SHA-256. Nothing else in
the folder is ever removed or replaced.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, TypeVar

from bulkforce.errors import JournalBusy, JournalMismatch, TransferError
from bulkforce.run.database import Database
from bulkforce.run.files import make_folder, part_of, write_whole
from bulkforce.run.folder import REPORT, RUNS
from bulkforce.run.report import RunInfo
from bulkforce.run.seal import Seal

J = TypeVar("J", bound="RunJournal")


class RunJournal(Database):
    """The journal of one run; see `Database` for how it is opened."""

    def finish(self, report: bytes, kept: str, outputs: Iterable[str] = (), elsewhere: Path | None = None) -> None:
        """Write the report, and then down that the outputs are in place and nothing is left to do.

        Args:
            report: The report.
            kept: The same without any value of a record: what the journal itself keeps of it.
            outputs: The run's files that must be there, and are from now on the user's to do with as they like.
            elsewhere: A file that was written outside of the run's folder.

        Raises:
            OSError: One is not there.
        """
        seals = {name: Seal.of_file(self.folder / name) for name in outputs}
        found = None if elsewhere is None else elsewhere.stat()
        write_whole(self.folder / REPORT, report)
        with self.transaction():
            for name, seal in {**seals, REPORT: Seal.of(report)}.items():
                self.seal(name, seal)
            if found is not None:
                self._remember("elsewhere", f"{found.st_size} {found.st_mtime_ns}")
            self._remember("report", kept)
            self._remember("finished", "yes")

    def report(self) -> str:
        """Read back the report of a run that is finished; what the journal kept of it, if the report is gone.

        Raises:
            JournalMismatch: Nothing is left of it.
        """
        # Version 1 did not seal it.
        with suppress(FileNotFoundError):
            report = self.read(REPORT) if self.sealed(REPORT) else (self.folder / REPORT).read_bytes()
            if report is not None:
                return report.decode("utf-8", "replace")
        kept = self._recall("report")
        if kept is None:
            raise JournalMismatch(
                f"The run in {self.folder} is finished, but its {REPORT} was removed or changed since; what became of "
                "each row is in the files beside it"
            )
        return kept

    def changed(self, outputs: Iterable[str], elsewhere: Path | None = None) -> list[Path]:
        """List the outputs of a run that is finished which are gone or are no longer what it left; those of older
        versions are not known.
        """
        changed = [self.folder / name for name in (*outputs, REPORT) if self.sealed(name) and not self.is_whole(name)]
        left = self._recall("elsewhere")
        if elsewhere is not None and left is not None:
            # Not by its digest: it may be many times larger than anything that a run keeps.
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
        """Tell what the run was begun with and what its reading found, by whatever version.

        Raises:
            JournalMismatch: What was written there is damaged.
        """
        return {name: value for fact in ("asked", "facts") for name, value in (self._members(fact) or {}).items()}

    # The files of the run

    def own(self, names: Iterable[str]) -> None:
        """Write down, inside a transaction, the names of files that the run is about to make; each stands for the same
        with ``.part`` behind, too.

        Raises:
            TransferError: Something is there already, and it is not the run's.
        """
        for name in names:
            if self.owns(name):
                continue
            for path in (self.folder / name, part_of(self.folder / name)):
                if os.path.lexists(path):
                    raise TransferError(
                        f"{path} is in the way: it lies where the run keeps its files, and the run did not make it. "
                        "Move it away"
                    )
            self._database.execute("INSERT INTO file (name) VALUES (?)", (name,))

    def seal(self, name: str, seal: Seal) -> None:
        """Write down, inside a transaction, what one of the run's files must be from now on; it is on disk."""
        self._database.execute("UPDATE file SET size = ?, sha256 = ? WHERE name = ?", (seal.size, seal.sha256, name))

    def read(self, name: str) -> bytes | None:
        """Read one of the run's files whole; ``None`` if it is not what it must be, or was never whole."""
        try:
            content = (self.folder / name).read_bytes()
        except (FileNotFoundError, IsADirectoryError):
            return None
        return content if self.sealed(name) == Seal.of(content) else None

    def owns(self, name: str) -> bool:
        """Whether a file is the run's."""
        return self._database.execute("SELECT 1 FROM file WHERE name = ?", (name,)).fetchone() is not None

    def is_whole(self, name: str) -> bool:
        """Whether one of the run's files is what it must be."""
        try:
            return Seal.of_file(self.folder / name) == self.sealed(name)
        except (FileNotFoundError, IsADirectoryError):
            return False

    def sealed(self, name: str) -> Seal | None:
        """Say what one of the run's files must be; ``None`` if it was never whole."""
        row = self._database.execute(
            "SELECT size, sha256 FROM file WHERE name = ? AND sha256 IS NOT NULL", (name,)
        ).fetchone()
        return None if row is None else Seal(*row)

    def remove(self, name: str) -> None:
        """Remove one of the run's files; if it is a folder, the run's files in it, and itself if nothing else is in
        it.
        """
        inside = [
            row[0]
            for row in self._database.execute(
                "SELECT name FROM file WHERE name = ? OR name GLOB ? || '/*'", (name, name)
            )
        ]
        for one in inside:
            for path in (self.folder / one, part_of(self.folder / one)):
                if path.is_symlink() or path.is_file():
                    path.unlink()
        if name in inside and (self.folder / name).is_dir():
            with suppress(OSError):
                (self.folder / name).rmdir()

    def make_folder(self, name: str) -> Path:
        """Make a folder inside the run's, as private as that."""
        folder = self.folder / name
        make_folder(folder, mode=self.folder.stat().st_mode & 0o777)
        return folder

    def clear(self) -> None:
        """Close, and leave nothing of a run that has come to nothing: not its files, not its journal, no folder that it
        made and nobody uses.
        """
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
    """List the runs of one kind that are kept in a folder, the oldest first.

    Args:
        folder: By default `RUNS`.
        journal: The name of their journals.
        begin: Opens the journal in a run's folder.
        tell: Tells a run by its journal.
    """

    def look_at(run: Path) -> RunInfo:
        try:
            with closing(begin(run)) as opened:
                return tell(opened)
        except JournalBusy:
            state = "running"
        except (TransferError, sqlite3.Error, KeyError, TypeError):
            # One that is damaged must not hide the others.
            state = "unreadable"
        return RunInfo(run.name, run, "", state, None)

    return [look_at(path.parent) for path in sorted((folder or RUNS).glob(f"*/{journal}"))]
