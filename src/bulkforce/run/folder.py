"""The folders of runs: each holds one run and nothing else, apart from other runs and the user's files."""

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
PAGE: Final = "report.html"
IN_DOUBT_ROWS: Final = "in_doubt.csv"
UNTIED: Final = "untied.csv"
AGAIN: Final = "again"
"""Other files there: the source as CSV and the feed, unless they are the user's own file; rejected rows; the results of
a load, or the parts of an extract; the report, also as a page; rows in doubt; results that belong to no row for
certain; and ``again``, where a source is read a second time.
"""

PASSING: Final = frozenset({SOURCE, f"{SOURCE}.narrow", FEED, PAGE})
"""Those that are not for the user, or not for the page to link to."""

RUNS: Final = Path("bulkforce-runs")
"""The default place for runs, below the working directory."""

THEIRS: Final = "This was raised by the records passed to bulkforce, while it asked for the next one."
"""A note on exceptions that are the caller's own, which we pass on unchanged."""

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
    """Create the folder of a new run, and its journal in it.

    Args:
        run_dir: The folder that the user named, if any.
        operation: What the run does.
        object_name: The object it works on.
        begin: Creates the journal; called with the run's id, its folder, and the folders created for it.
        journal: The journal's name.
        private: Whether to keep other users out of the folder.
        inputs: The files that the run reads.
        outputs: The files that it writes elsewhere.

    Raises:
        UsageError: The folder cannot be created or is not empty, or an input or output is in a forbidden place.
    """
    run = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{operation}-{object_name}-{secrets.token_hex(2)}"
    folder = RUNS / run if run_dir is None else Path(run_dir)
    _keep_apart(folder, inputs, outputs)
    _check_is_free(folder, journal)
    try:
        made = make_folder(folder, mode=0o700 if private else None)
    except OSError as error:
        raise UsageError(f"The run's folder {folder} cannot be created: {error.strerror or error}") from error
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
    # An existing journal is checked later; an empty one counts as none.
    if journal not in names:
        check_is_empty(folder, names)


def check_is_empty(folder: Path, names: Iterable[str]) -> None:
    """Check that a folder is empty, judged by the given names.

    Raises:
        UsageError: It is not.
    """
    for name in sorted(names):
        raise UsageError(
            f"{folder} is not empty (it contains {name}) and holds no run. "
            "A run needs a folder of its own: name an empty one, or one that does not exist yet"
        )


def holds_a_run(folder: Path) -> str:
    """Return the error text for a folder that already holds a run."""
    return f"{folder} already holds a run; resume it with `bulkforce resume {folder}`, or name another folder"


def _keep_apart(folder: Path, inputs: Iterable[Path], outputs: Iterable[Path]) -> None:
    """Check that no run is inside another, and no file of the user inside a run."""
    place = Path(os.path.realpath(folder))
    for outer in place.parents:
        if journal_in(outer):
            raise UsageError(f"{folder} is inside the folder of another run, {outer}; name one elsewhere")
    inputs, outputs = list(inputs), list(outputs)
    for path in [*inputs, *outputs]:
        real = Path(os.path.realpath(path))
        if real == place or place in real.parents or real in place.parents:
            raise UsageError(f"{path} and the run's folder {folder} overlap; keep them apart")
        for outer in real.parents:
            found = journal_in(outer)
            if found and path in outputs:
                raise UsageError(
                    f"{path} is in the folder of a run, {outer}, where it might "
                    "be mistaken for one of the run's files; name a file elsewhere"
                )
            if found and not _is_finished(found):
                raise UsageError(
                    f"{path} is in the folder of a run that is not finished, {outer}; "
                    f"finish that run first with `bulkforce resume {outer}`, or use a copy"
                )


def journal_in(folder: Path) -> Path | None:
    """Return the journal in a folder; ``None`` if it holds no run."""
    return next((folder / name for name in (LOAD, EXTRACT) if holds(folder, name)), None)


def holds(folder: Path, journal: str) -> bool:
    """Whether a folder holds a journal; a folder that we may not read counts as holding none."""
    try:
        return (folder / journal).exists()
    except OSError:
        return False


def find(run: str | Path, journal: str) -> Path | None:
    """Find a run by its folder or id; ``None`` if there is none with such a journal."""
    given = arguments.path(run, "The run")
    return next((folder for folder in (given, RUNS / given) if holds(folder, journal)), None)


def _is_finished(journal: Path) -> bool:
    try:
        with closing(sqlite3.connect(f"{journal.as_uri()}?mode=rw", uri=True, timeout=0)) as database:
            return database.execute("SELECT 1 FROM fact WHERE name = 'finished'").fetchone() is not None
    except sqlite3.Error:
        # Locked by its process, or not a journal that we know.
        return False


@contextmanager
def disk_told(folder: Path) -> Iterator[None]:
    """Raise our own error for a full or read-only disk, or a file that cannot be read."""
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        if THEIRS in getattr(error, "__notes__", ()):
            raise
        raise TransferError(f"The run in {folder} cannot be written, or its source cannot be read: {error}") from error
