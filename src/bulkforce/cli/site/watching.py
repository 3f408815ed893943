"""Reads runs without touching them, those that a process is working on, too."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, TypeAlias

from bulkforce.catalog import report_of
from bulkforce.errors import Error
from bulkforce.extract import page as extract_pages
from bulkforce.extract import verb as extracts
from bulkforce.extract.journal import ExtractJournal
from bulkforce.extract.report import ExtractReport
from bulkforce.load import page as load_pages
from bulkforce.load import verb as loads
from bulkforce.load.journal import LoadJournal
from bulkforce.load.report import LoadReport
from bulkforce.run.folder import EXTRACT, LOAD, REPORT, holds
from bulkforce.run.page import Page
from bulkforce.run.report import RunInfo
from bulkforce.run.snapshot import is_held, snapshot
from bulkforce.run.timeline import periods

_Stamp: TypeAlias = tuple[object, ...]
_SUFFIXES: Final = ("", "-wal")
_WHOLE: Final = 4


@dataclass(slots=True)
class Runs:
    """The runs of a folder.

    Attributes:
        folder: The folder.
        clock: Gives the time, in seconds since 1970.
    """

    folder: Path
    clock: Callable[[], float] = time.time
    _whole: dict[str, tuple[_Stamp, Page]] = field(default_factory=dict)
    _brief: dict[str, tuple[_Stamp, Page]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def names(self) -> list[str]:
        """Return the names of the runs' folders, the latest first."""
        found = {path.parent.name for name in (LOAD, EXTRACT) for path in self.folder.glob(f"*/{name}")}
        return sorted(found, reverse=True)

    def page(self, name: str) -> Page | None:
        """Return the page of a run, by the name of its folder; ``None`` if there is none."""
        return self._page(name, brief=False) if name in self.names() else None

    def latest(self, names: Sequence[str]) -> list[Page]:
        """Return the pages of these runs, without their time-lines."""
        return [self._page(name, brief=True) for name in names]

    def _page(self, name: str, *, brief: bool) -> Page:
        folder = self.folder / name
        journal = folder / (LOAD if holds(folder, LOAD) else EXTRACT)
        held, now = is_held(journal), self.clock()
        files = [journal.with_name(journal.name + suffix) for suffix in _SUFFIXES]
        stamp = (held, *map(_stamp, [*files, folder / REPORT]))
        # One at a time: each is a copy of a journal, and the pages of many runs may be wanted at once.
        with self._lock:
            before, page = (self._brief if brief else self._whole).get(name, (None, None))
            if page is None or before != stamp:
                page = self._keep(name, stamp, page_of(folder, now, held=held), brief=brief)
        return replace(page, now=now) if held else page

    def _keep(self, name: str, stamp: _Stamp, page: Page, *, brief: bool) -> Page:
        """Keep a page until its run changes; only of a few runs with all batches, of which each may have thousands."""
        times: list[tuple[float, float | None]] = [*periods(page.times, page.spans, None)]
        if page.state == "running" and times:
            times[-1] = (times[-1][0], None)
        self._brief[name] = stamp, replace(page, spans=(), times=times)
        if brief:
            return self._brief[name][1]
        self._whole.pop(name, None)
        self._whole[name] = stamp, page
        while len(self._whole) > _WHOLE:
            del self._whole[next(iter(self._whole))]
        return page


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


def page_of(folder: Path, now: float, *, held: bool) -> Page:
    """Return the page of a run.

    Args:
        folder: The run's folder.
        now: When the page is made, in seconds since 1970.
        held: Whether a process is working on it.
    """
    is_load = holds(folder, LOAD)
    try:
        with snapshot(folder / (LOAD if is_load else EXTRACT)) as copy:
            return (_of_load if is_load else _of_extract)(copy, folder, now, held=held)
    except (OSError, Error, sqlite3.Error, KeyError, TypeError, ValueError):
        # A damaged one must not hide the others.
        what, state = ("load" if is_load else "extract"), ("running" if held else "unreadable")
        return Page(what=what, run=folder.name, state=state, org="", begun=None, facts=(), rows=(), total=None, now=now)


def _of_load(copy: Path, folder: Path, now: float, *, held: bool) -> Page:
    with closing(LoadJournal(copy)) as journal:
        info = loads.info_of(journal)
        report = None if held else _report(info, folder, journal.times())
        if not isinstance(report, LoadReport):
            report = LoadReport.from_json(journal.report()) if journal.finished else None
        return load_pages.page_of(journal, folder, _state(info, report, held=held), report, now)


def _of_extract(copy: Path, folder: Path, now: float, *, held: bool) -> Page:
    with closing(ExtractJournal(copy)) as journal:
        info = extracts.info_of(journal)
        report = None if held else _report(info, folder, journal.times())
        if not isinstance(report, ExtractReport):
            report = ExtractReport.from_json(journal.report()) if journal.finished else None
        return extract_pages.page_of(journal, folder, _state(info, report, held=held), report, now)


def _report(
    info: RunInfo, folder: Path, times: Sequence[tuple[float, float | None]]
) -> LoadReport | ExtractReport | None:
    """Return the report if it is about the last sitting: one that died has left none."""
    died = times and times[-1][1] is None
    return None if died else report_of(replace(info, folder=folder))


def _state(info: RunInfo, report: LoadReport | ExtractReport | None, *, held: bool) -> str:
    return "running" if held else str(report.state) if report else info.state
