"""Where runs are kept: a folder each, that holds nothing but the run, and lies in nobody's way."""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeVar

from bulkforce import arguments
from bulkforce.errors import TransferError, UsageError
from bulkforce.run.files import make_folder

LOAD: Final = "journal.sqlite"
EXTRACT: Final = "extract.sqlite"
"""The journals of the two kinds of runs, in the run's folder."""

SOURCE: Final = "source.csv"
FEED: Final = "feed.csv"
REJECTED: Final = "rejected.csv"
RESULTS: Final = "results"
PARTS: Final = "parts"
REPORT: Final = "report.json"
IN_DOUBT_ROWS: Final = "in_doubt.csv"
AGAIN: Final = "again"
"""What else is in it: the source as CSV and the feed where they are not the user's own file, the org's results of a
load, or those of an extract; rows of which nobody can tell what became of them; and ``again``, where a source is read
once more."""

RUNS: Final = Path("bulkforce-runs")
"""Below the working directory, when no folder is named."""

THEIRS: Final = "This was raised by the records that were given to bulkforce, while it asked for the next one."
"""Marks what is not ours to tell."""

J = TypeVar("J")


def new_run(
    run_dir: str | Path | None,
    operation: str,
    object_name: str,
    begin: Callable[[str, Path, list[Path]], J],
    *,
    journal: str,
    private: bool,
    inputs: Iterable[Path] = (),
    outputs: Iterable[Path] = (),
) -> J:
    """Make the folder of a new run, and its journal in it.

    Args:
        run_dir: The folder that the user named, if any.
        operation: What the run does.
        object_name: With which object.
        begin: Makes the journal; told the run's id, its folder, and which folders were made for it.
        journal: The journal's name.
        private: Whether nobody else may look into the folder.
        inputs: Files that the run reads.
        outputs: Files that it writes elsewhere.

    Raises:
        UsageError: The folder cannot be made, holds a run or anything else, or a file that is read or written lies
            where it must not.
    """
    run = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{operation}-{object_name}-{secrets.token_hex(2)}"
    folder = RUNS / run if run_dir is None else Path(run_dir)
    _keep_apart(folder, inputs, outputs)
    _check_is_free(folder, journal)
    try:
        made = make_folder(folder, mode=0o700 if private else None)
    except OSError as error:
        raise UsageError(f"The run's folder {folder} cannot be made: {error.strerror or error}") from error
    try:
        return begin(run if run_dir is None else folder.name, folder, made)
    except BaseException:
        with suppress(OSError):
            for one in made:
                one.rmdir()
        raise


def _check_is_free(folder: Path, journal: str) -> None:
    try:
        names = {path.name for path in folder.iterdir()}
    except FileNotFoundError:
        return
    except OSError as error:
        raise UsageError(f"The run's folder {folder} cannot be used: {error.strerror}") from error
    if names & {LOAD, EXTRACT} - {journal}:
        raise UsageError(holds_a_run(folder))
    # If the journal is there it is looked into; one in which nothing stands is as good as none.
    if journal not in names:
        check_is_empty(folder, names)


def check_is_empty(folder: Path, names: Iterable[str]) -> None:
    """See that nothing lies in a folder, given the names that count.

    Raises:
        UsageError: Something does.
    """
    for name in sorted(names):
        raise UsageError(
            f"{folder} is not empty ({name} lies in it), and holds no run. A run's folder holds nothing else: name one "
            "that is empty, or not there yet"
        )


def holds_a_run(folder: Path) -> str:
    """Say that a folder is taken."""
    return f"{folder} holds a run already; go on with it by `bulkforce resume {folder}`, or name another folder"


def _keep_apart(folder: Path, inputs: Iterable[Path], outputs: Iterable[Path]) -> None:
    """See that no run lies in another, and no file of the user's in a run."""
    place = Path(os.path.realpath(folder))
    for outer in place.parents:
        if _journal_in(outer):
            raise UsageError(f"{folder} lies in the folder of another run, {outer}; name one elsewhere")
    inputs, outputs = list(inputs), list(outputs)
    for path in [*inputs, *outputs]:
        real = Path(os.path.realpath(path))
        if real == place or place in real.parents or real in place.parents:
            raise UsageError(f"{path} and the run's folder {folder} lie in one another; keep them apart")
        for outer in real.parents:
            found = _journal_in(outer)
            if found and path in outputs:
                raise UsageError(
                    f"{path} lies in the folder of a run, {outer}, where it might be taken for the run's own; name a "
                    "file elsewhere"
                )
            if found and not _is_finished(found):
                raise UsageError(
                    f"{path} lies in the folder of a run that is not finished, {outer}; finish it first by `bulkforce "
                    f"resume {outer}`, or take a copy"
                )


def _journal_in(folder: Path) -> Path | None:
    return next((folder / name for name in (LOAD, EXTRACT) if holds(folder, name)), None)


def holds(folder: Path, journal: str) -> bool:
    """Whether a folder holds a journal; one that we may not look into holds none for us."""
    try:
        return (folder / journal).exists()
    except OSError:
        return False


def find(run: str | Path, journal: str) -> Path | None:
    """Find a run by its folder or its id; ``None`` if there is none with such a journal."""
    given = arguments.path(run, "The run")
    return next((folder for folder in (given, RUNS / given) if holds(folder, journal)), None)


def _is_finished(journal: Path) -> bool:
    try:
        with closing(sqlite3.connect(f"{journal.as_uri()}?mode=rw", uri=True, timeout=0)) as database:
            return database.execute("SELECT 1 FROM fact WHERE name = 'finished'").fetchone() is not None
    except sqlite3.Error:
        # Held by its process, or nothing that we know.
        return False


@contextmanager
def disk_told(folder: Path) -> Iterator[None]:
    """A disk that is full or read-only, or a file that cannot be read, is told as an error of ours."""
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        if THEIRS in getattr(error, "__notes__", ()):
            raise
        raise TransferError(f"The run in {folder} cannot be written, or its source not be read: {error}") from error
