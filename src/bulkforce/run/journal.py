"""What both journals are: a SQLite file of facts that one process holds, and that no death can spoil; it also names the files of the run.

A file of the run has its name here before it is made, and what the run relies on its size and SHA-256. Nothing else in the folder is ever removed
or replaced.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, Self, TypeAlias, TypeVar

from bulkforce.errors import JournalBusy, JournalMismatch, TransferError, UsageError
from bulkforce.run.files import check_way, make_folder, mode_in, part_of, sync_folder, write_whole
from bulkforce.run.folder import REPORT, RUNS, check_is_empty, holds_a_run
from bulkforce.run.report import RunInfo

K = TypeVar("K")
M = TypeVar("M", bound="Memory")

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
"""From one version of a journal to the next: statements, each ended by a semicolon, and what is then to be done to a journal that has been in use."""


@dataclass(frozen=True, slots=True)
class Seal:
    """What a file must be: its size and SHA-256."""

    size: int
    sha256: str

    @classmethod
    def of(cls, content: bytes) -> Self:
        """Seal the content of a file."""
        return cls(len(content), hashlib.sha256(content).hexdigest())

    @classmethod
    def of_file(cls, path: Path) -> Self:
        """Seal a file as it is."""
        with path.open("rb") as file:
            return cls(os.fstat(file.fileno()).st_size, hashlib.file_digest(file, "sha256").hexdigest())


class Memory:
    """The memory of one run.

    Args:
        path: The file.
        steps: What leads from nothing to version 1, from there to version 2, and so on; the tables ``fact (name, value)`` and
            ``file (name, size, sha256)`` are among what they make.
        new: For a run that is begun: writes down, together with the tables, what it is to do. Else the journal must be there.
        one_thread: Whether one thread alone works with it.
        migrate: Whether a journal of an older version is brought up to ours; else it is only good for what has always been in it.

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
                    # With the permissions that all files of the run are to have; SQLite gives them to those that it puts beside it.
                    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, mode_in(path.parent)))
                    made = True
            identity = path.stat()
            self._identity = identity.st_dev, identity.st_ino
            self._database = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None, timeout=0.5, check_same_thread=one_thread
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
                f"The journal {path} cannot be written: {error}. Is the folder writable for you, and is there room on its disk?"
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
        check_is_empty(self.folder, {path.name for path in self.folder.iterdir()} - {self._path.name + beside for beside in _BESIDE})

    def _check_version(self, version: int, tables: int, ours: int) -> None:
        if not tables:
            beside = {path.name for path in self.folder.iterdir()} - {self._path.name + beside for beside in _BESIDE}
            if beside:
                raise JournalMismatch(
                    f"The journal {self._path} is empty, and other files of a run lie beside it ({min(beside)}): what it told is lost. Rows may have gone in, "
                    "so loading the source again may double them; what went in can be seen in the org (Setup, Bulk Data Load Jobs) and in those files"
                )
            raise JournalMismatch(
                f"The run in {self.folder} died before it had written down what it was to do: nothing was read, and nothing was sent. Give its "
                "command again; the folder may be the same"
            )
        if not version:
            raise JournalMismatch(f"{self._path} is no journal of bulkforce: it is a database of something else")
        if version > ours:
            made_by = "a later bulkforce"
            with suppress(sqlite3.DatabaseError):
                made_by = f"bulkforce {self._recall('made by') or 'of a later version'}"
            raise JournalMismatch(
                f"The journal in {self.folder} is of version {version}, written by {made_by}; this is bulkforce {_our_version()}, which knows versions "
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
                f"The run in {self.folder} is finished, but its {REPORT} was removed or changed since; what became of each row is in the files beside it"
            )
        return kept

    def changed(self, outputs: Iterable[str], elsewhere: Path | None = None) -> list[Path]:
        """List the outputs of a run that is finished which are gone or are no longer what it left; those of older versions are not known."""
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

    def _remember(self, name: str, value: str) -> None:
        self._database.execute("INSERT OR REPLACE INTO fact VALUES (?, ?)", (name, value))

    def _recall(self, name: str) -> str | None:
        row = self._database.execute("SELECT value FROM fact WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def known(self) -> dict[str, Any]:
        """Tell what the run was begun with and what its reading found, by whatever version.

        Raises:
            JournalMismatch: What was written there is damaged.
        """
        return {name: value for fact in ("asked", "facts") for name, value in (self._members(fact) or {}).items()}

    def _members(self, fact: str) -> dict[str, Any] | None:
        """Read back a fact with members; ``None`` if it was never written down."""
        text = self._recall(fact)
        if text is None:
            return None
        with suppress(ValueError):
            members = json.loads(text)
            if isinstance(members, dict):
                return members
        raise JournalMismatch(f"The journal {self._path} is damaged: what it says of {fact!r} makes no sense")

    def _made_of(self, kind: Callable[..., K], members: Mapping[str, Any]) -> K:
        try:
            return kind(**members)
        except TypeError:
            raise JournalMismatch(f"The journal {self._path} is damaged: it lacks facts about the run, or has strange ones") from None

    # The files of the run

    def own(self, names: Iterable[str]) -> None:
        """Write down, inside a transaction, the names of files that the run is about to make; each stands for the same with ``.part`` behind, too.

        Raises:
            TransferError: Something is there already, and it is not the run's.
        """
        for name in names:
            if self.owns(name):
                continue
            for path in (self.folder / name, part_of(self.folder / name)):
                if os.path.lexists(path):
                    raise TransferError(
                        f"{path} is in the way: it lies where the run keeps its files, and the run did not make it. Move it away"
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
        row = self._database.execute("SELECT size, sha256 FROM file WHERE name = ? AND sha256 IS NOT NULL", (name,)).fetchone()
        return None if row is None else Seal(*row)

    def remove(self, name: str) -> None:
        """Remove one of the run's files; if it is a folder, the run's files in it, and itself if nothing else is in it."""
        inside = [row[0] for row in self._database.execute("SELECT name FROM file WHERE name = ? OR name GLOB ? || '/*'", (name, name))]
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
        """Close, and leave nothing of a run that has come to nothing: not its files, not its journal, no folder that it made and nobody uses."""
        names = [row[0] for row in self._database.execute("SELECT name FROM file")]
        made = json.loads(self._recall("made") or "[]")
        for name in names:
            self.remove(name)
        self.close()
        self._remove_journal()
        with suppress(OSError):
            for folder in made:
                Path(folder).rmdir()

    def _remove_journal(self) -> None:
        for beside in _BESIDE:
            self._path.with_name(self._path.name + beside).unlink(missing_ok=True)


def list_runs(folder: Path | None, journal: str, begin: Callable[[Path], M], tell: Callable[[M], RunInfo]) -> list[RunInfo]:
    """List the runs of one kind that are kept in a folder, the oldest first.

    Args:
        folder: By default `RUNS`.
        journal: The name of their journals.
        begin: Opens the journal in a run's folder.
        tell: Tells a run by its journal.
    """

    def look_at(run: Path) -> RunInfo:
        try:
            opened = begin(run)
        except TransferError as error:
            return RunInfo(run.name, run, "", "running" if isinstance(error, JournalBusy) else "unreadable", None)
        with closing(opened):
            return tell(opened)

    return [look_at(path.parent) for path in sorted((folder or RUNS).glob(f"*/{journal}"))]


@cache
def _our_version() -> str:
    from importlib.metadata import version  # slow to import, and seldom needed

    return version("bulkforce")
