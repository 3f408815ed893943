"""All runs, loads and extracts alike: resume one, or list them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias, cast

from bulkforce.errors import FormatError, UsageError
from bulkforce.extract import verb as extracts
from bulkforce.extract.report import ExtractProgress, ExtractReport
from bulkforce.load import verb as loads
from bulkforce.load.report import LoadReport, Progress
from bulkforce.load.rules import AcceptAs
from bulkforce.run.folder import REPORT
from bulkforce.run.report import RunInfo, RunList
from bulkforce.run.sitting import Sitting

OnLoad: TypeAlias = Callable[[Progress], None]
OnExtract: TypeAlias = Callable[[ExtractProgress], None]


def resume(
    sitting: Sitting,
    run: str | Path,
    *,
    workers: int | None = None,
    accept_as: AcceptAs | None = None,
    on_progress: OnLoad | OnExtract | None = None,
) -> LoadReport | ExtractReport:
    """Resume a run, whether a load or an extract; see `bulkforce.client.Client.resume`."""
    if extracts.folder_of(run) is None:
        told = cast("OnLoad | None", on_progress)
        return loads.resume(sitting, run, workers=workers, accept_as=accept_as, on_progress=told)
    if accept_as is not None:
        raise UsageError("An extract changes nothing in the org, so nothing is in doubt: leave out accept_as")
    return extracts.resume_extract(sitting, run, workers=workers, on_progress=cast("OnExtract | None", on_progress))


def report_of(run: RunInfo) -> LoadReport | ExtractReport | None:
    """Return what a run last reported; ``None`` if it has not reported yet, or its report cannot be read."""
    for kind in (LoadReport, ExtractReport):
        with suppress(OSError, UnicodeDecodeError, FormatError):
            return kind.from_json((run.folder / REPORT).read_text(encoding="utf-8"))
    return None


def runs(folder: Path | None = None) -> list[RunInfo]:
    """List the runs in a folder, oldest first; the list shows itself as a table.

    Args:
        folder: By default ``bulkforce-runs`` in the working directory.
    """
    return RunList(sorted([*loads.runs(folder), *extracts.runs(folder)], key=lambda one: one.run))
