"""The page of an extract: what its journal knows, and the report of its last sitting."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bulkforce.errors import TransferError
from bulkforce.extract.events import BatchStage
from bulkforce.extract.journal import ExtractJournal
from bulkforce.extract.report import ExtractReport
from bulkforce.run.page import Page, Share, document, size
from bulkforce.run.report import RunState
from bulkforce.run.timeline import Span


def write(journal: ExtractJournal, report: ExtractReport) -> None:
    """Write the page at the end of a sitting; whatever keeps it from being written keeps nothing else from going on."""
    with suppress(OSError, sqlite3.Error, TransferError):
        journal.end_time()
        journal.write_page(document(page_of(journal, journal.folder, str(report.state), report, journal.today())))


def page_of(journal: ExtractJournal, folder: Path, state: str, report: ExtractReport | None, now: float) -> Page:
    """Return the page of an extract.

    Args:
        journal: Its journal, or a copy of it.
        folder: The run's folder.
        state: The run's state.
        report: What its last sitting reported; ``None`` if it has not ended, or died.
        now: When the page is written.
    """
    known, batches = journal.known(), journal.timed()
    spans = _pages(journal) if known.get("api") == "bulk2" else _batches(batches)
    got = sum(batch[-1] for batch in batches)
    told = [records for _, _, records, _, _, _ in batches]
    # Until the org has said how many rows each batch has, there is no total.
    total = sum(filter(None, told)) if batches and None not in told else None
    if report is not None and report.state is RunState.FINISHED:
        rows, total = _saved(report), None
    elif total is not None:
        rows = [Share("on disk", got, "ok"), Share("to fetch", total - got, "open")]
    else:
        rows = [Share("on disk", got, "ok")]
    return Page(
        what=f"extract {known['object']}" if known else folder.name,
        run=known.get("run", folder.name),
        state=state,
        org=urlsplit(known.get("instance_url", "")).netloc,
        begun=known.get("begun"),
        facts=_facts(known, report, 0 if known.get("api") == "bulk2" else len(batches)),
        piece="page" if known.get("api") == "bulk2" else "batch",
        rows=rows,
        total=sum(share.rows for share in rows) if report is not None and report.state is RunState.FINISHED else total,
        total_word="found",
        spans=spans,
        times=journal.times(),
        now=now,
        files=journal.files(folder),
        jobs=journal.job_ids(),
        notice=_notice(folder, state, report),
    )


def _batches(batches: Sequence[tuple[int, str, int | None, float | None, float | None, int]]) -> list[Span]:
    return [
        Span(number, seen, None, changed if stage in {BatchStage.DONE, BatchStage.FAILED} else None, got)
        for number, stage, _, seen, changed, got in batches
        if seen is not None
    ]


def _pages(journal: ExtractJournal) -> list[Span]:
    """A job of 2.0 is one batch, whose result comes in pages."""
    return [
        Span(number, seen, None, changed if done else None, rows)
        for number, (done, seen, changed, rows) in enumerate(journal.timed_parts(), 1)
        if seen is not None
    ]


def _saved(report: ExtractReport) -> list[Share]:
    dropped = report.repeated if report.repeats == "drop" and report.repeats_known else 0
    return [
        Share("saved", report.rows, "ok"),
        *([Share("left out, as the last extract had them", dropped, "open")] if dropped else []),
    ]


def _facts(known: dict[str, Any], report: ExtractReport | None, batches: int) -> list[tuple[str, str]]:
    facts = [
        ("Query", known.get("soql", "")),
        ("Output", "standard output" if known.get("to") == "-" else known.get("to", "")),
        ("Operation", known.get("operation", "")),
        ("Batches", f"{batches:,}" if batches else ""),
    ]
    if report is not None:
        facts += [("Received", size(report.bytes)), ("API calls, last sitting", f"{report.api_calls:,}")]
    return facts


def _notice(folder: Path, state: str, report: ExtractReport | None) -> str:
    if state != RunState.INTERRUPTED:
        return ""
    why = f"{report.stopped_by}. " if report is not None and report.stopped_by else "The run died. "
    return f"{why}Go on with: bulkforce resume {folder}"
