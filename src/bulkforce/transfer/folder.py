"""Where runs are kept."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from bulkforce.errors import UsageError
from bulkforce.vocabulary import Operation

LOAD: Final = "journal.sqlite"
EXTRACT: Final = "extract.sqlite"
"""The journals of the two kinds of runs, in the run's folder."""

RUNS: Final = Path("bulkforce-runs")
"""Below the working directory, when no folder is named."""


def new_folder(
    run_dir: str | Path | None, operation: str, object_name: str, inner: str, holds_a_run: Callable[[Path], bool]
) -> tuple[str, Path]:
    """Make the folder of a new run.

    Args:
        run_dir: The folder that the user named, if any.
        operation: What the run does.
        object_name: With which object.
        inner: A folder to make inside.
        holds_a_run: Tells whether a folder holds something to resume.

    Returns:
        The run's id and its folder.

    Raises:
        UsageError: The folder cannot be made, or holds a run.
    """
    run = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{operation}-{object_name}-{secrets.token_hex(2)}"
    folder = RUNS / run if run_dir is None else Path(run_dir)
    other = LOAD if operation in {Operation.QUERY, Operation.QUERY_ALL} else EXTRACT
    if holds_a_run(folder) or (folder / other).exists():
        raise UsageError(f"{folder} holds a run already; go on with it by `bulkforce resume {folder}`, or name another folder")
    try:
        (folder / inner).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"The run's folder {folder} cannot be made: {error.strerror}") from error
    return (run if run_dir is None else folder.name), folder


def remove_inner(folder: Path) -> None:
    """Remove a folder inside a run's that was only needed to resume, and the files in it."""
    if folder.exists():
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
