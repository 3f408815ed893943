"""A load that would do again what an unfinished one has begun: both together would write rows twice."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Final

from bulkforce.errors import Error, UsageError
from bulkforce.load.facts import Asked
from bulkforce.load.journal import LoadJournal
from bulkforce.run.folder import LOAD, REPORT, RUNS
from bulkforce.run.report import RunState
from bulkforce.run.snapshot import is_held, snapshot

_SAME: Final = ("instance_url", "operation", "object")


def refuse_second(asked: Asked, run_dir: Path | None, warn: Callable[[str], None]) -> None:
    """Refuse a load of a file if a run that is not finished has taken in the same file, for the same object.

    Args:
        asked: What the load is asked to do.
        run_dir: The folder that the user named for it; runs beside it are looked at, too.
        warn: Called if the file has changed since, so that the earlier run cannot go on with it.

    Raises:
        UsageError: There is such a run; says how to go on with it.
    """
    if asked.path is None:
        return
    what = f"{asked.operation} of {asked.source} into {asked.object}"
    for folder, unchanged in _unfinished(asked, Path(asked.path), run_dir):
        if not unchanged:
            warn(
                f"An earlier {what} is not finished ({folder}), and the file has changed since: what that run has "
                "written, this one writes again if it is still in the file"
            )
        elif is_held(folder / LOAD):
            raise UsageError(
                f"Another process is at work on this {what}: its run is {folder}. Both together would write rows "
                "twice. Wait for it, or say that a second run is meant: new_run=True"
            )
        else:
            raise UsageError(
                f"An earlier {what} is not finished, and another run of it would write rows twice. Go on with it: "
                f"bulkforce resume {folder}; or say that a second run is meant: new_run=True"
            )


def _unfinished(asked: Asked, path: Path, run_dir: Path | None) -> Iterator[tuple[Path, bool]]:
    """Yield the unfinished runs that have taken in the same file, and whether it is what it was."""
    for place in {RUNS} if run_dir is None else {RUNS, run_dir.parent}:
        # That the folder itself holds a run is said by whoever makes it.
        for journal in sorted(one for one in place.glob(f"*/{LOAD}") if one.parent != run_dir):
            # What cannot be read says nothing.
            with suppress(OSError, Error, sqlite3.Error, KeyError, TypeError, ValueError):
                known = {} if _reports_its_end(journal.parent) else _known(journal)
                # A run that was not read to its end has sent nothing.
                if "feed" in known and _is_same(asked, known):
                    yield journal.parent, _is_unchanged(path, known)


def _reports_its_end(folder: Path) -> bool:
    """Whether the report beside a journal is that of a finished run: there may be thousands of those."""
    with suppress(OSError, ValueError, TypeError, KeyError, RecursionError):
        return bool(json.loads((folder / REPORT).read_bytes())["state"] == RunState.FINISHED)
    return False


def _known(journal: Path) -> Mapping[str, Any]:
    with snapshot(journal) as copy, closing(LoadJournal(copy, migrate=False)) as opened:
        return {} if opened.finished else opened.known()


def _is_same(asked: Asked, known: Mapping[str, Any]) -> bool:
    path = known.get("path")
    return (
        isinstance(path, str)
        and os.path.realpath(path) == os.path.realpath(str(asked.path))
        and all(str(known.get(name)).lower() == str(getattr(asked, name)).lower() for name in _SAME)
        and _is_same_sheet(Path(path), asked.source_options.get("sheet"), known.get("source_options", {}).get("sheet"))
    )


def _is_same_sheet(path: Path, one: str | int | None, other: str | int | None) -> bool:
    if one == other:
        return True
    from bulkforce.load.sources.excel import place_of_sheet

    # The same sheet may be named, counted, or the first.
    return place_of_sheet(path, one) == place_of_sheet(path, other)


def _is_unchanged(path: Path, known: Mapping[str, Any]) -> bool:
    found = path.stat()
    if known.get("feed_is_ours"):
        return found.st_mtime <= float(known["begun"])
    return found.st_size == int(known["feed_size"]) and found.st_mtime_ns == int(known["feed_mtime_ns"])
