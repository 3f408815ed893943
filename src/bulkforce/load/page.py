"""The page of a load: what its journal knows, and the report of its last sitting."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from bulkforce.apis.abc import BatchEnd
from bulkforce.display import counted
from bulkforce.errors import TransferError
from bulkforce.load.batches import IN_DOUBT, AttemptState
from bulkforce.load.journal import LoadJournal
from bulkforce.load.report import LoadReport
from bulkforce.run.folder import IN_DOUBT_ROWS, REJECTED, UNTIED
from bulkforce.run.page import Page, Share, document
from bulkforce.run.report import RunState
from bulkforce.run.timeline import Span

_NOT_SAVED: Final = (BatchEnd.FAILED, BatchEnd.NOT_PROCESSED, "refused")


def write(journal: LoadJournal, report: LoadReport) -> None:
    """Write the page at the end of a sitting; whatever keeps it from being written keeps nothing else from going on."""
    with suppress(OSError, sqlite3.Error, TransferError):
        journal.end_time()
        journal.write_page(document(page_of(journal, journal.folder, str(report.state), report, journal.today())))


def page_of(journal: LoadJournal, folder: Path, state: str, report: LoadReport | None, now: float) -> Page:
    """Return the page of a load.

    Args:
        journal: Its journal, or a copy of it.
        folder: The run's folder.
        state: The run's state.
        report: What its last sitting reported; ``None`` if it has not ended, or died.
        now: When the page is written.
    """
    known = journal.known()
    spans, counts = _batches(journal)
    files = journal.files(folder)
    there = {name for name, _ in files}
    total = known.get("read")
    return Page(
        what=f"{known['operation']} {known['object']}" if known else folder.name,
        run=known.get("run", folder.name),
        state=state,
        org=urlsplit(known.get("instance_url", "")).netloc,
        begun=known.get("begun"),
        facts=_facts(known, journal, report),
        rows=_reported(report, there) if report else _counted(counts, len(known.get("rejected", ()))),
        total=report.read if report else total,
        spans=spans,
        times=journal.times(),
        now=now,
        causes=report.errors if report else (),
        files=files,
        jobs=journal.job_ids(),
        notice=_notice(folder, state, report),
    )


def _batches(journal: LoadJournal) -> tuple[list[Span], Counter[str]]:
    """Return the batches that were sent, and how many rows are in which state."""
    spans: list[Span] = []
    counts: Counter[str] = Counter()
    for number, rows, attempt, began, answered, outcome, ended, failed in journal.timed():
        bad = rows if outcome in _NOT_SAVED or outcome == IN_DOUBT else failed or 0
        if outcome is None:
            counts["sent" if attempt in {AttemptState.SENDING, AttemptState.ACCEPTED} else "open"] += rows
        else:
            kind = "doubt" if outcome == IN_DOUBT else "unprocessed" if outcome in _NOT_SAVED else "failed"
            counts[kind] += bad
            counts["ok"] += rows - bad
        if began is not None and (ended is not None or attempt in {AttemptState.SENDING, AttemptState.ACCEPTED}):
            spans.append(Span(number, began, answered, ended, rows, bad))
    return spans, counts


def _counted(counts: Counter[str], rejected: int) -> list[Share]:
    words = {
        "ok": "succeeded",
        "failed": "failed",
        "unprocessed": "unprocessed",
        "rejected": "rejected",
        "doubt": "in doubt",
        "sent": "under way",
        "open": "not sent yet",
    }
    counts = counts + Counter(rejected=rejected)
    return [
        Share(word, counts[kind], kind) for kind, word in words.items() if counts[kind] or kind not in {"doubt", "sent"}
    ]


def _reported(report: LoadReport, there: set[str]) -> list[Share]:
    shares = [
        Share("succeeded", report.succeeded, "ok", "success.csv"),
        Share("failed", report.failed, "failed", "failed.csv"),
        Share("unprocessed", report.unprocessed, "unprocessed", "unprocessed.csv"),
        Share("rejected", report.rejected, "rejected", REJECTED),
    ]
    shares += [Share("in doubt", report.in_doubt, "doubt", IN_DOUBT_ROWS)] if report.in_doubt else []
    shares += [Share("open", report.pending, "open")] if report.state is not RunState.FINISHED else []
    return [share if share.file in there else Share(share.word, share.rows, share.kind) for share in shares]


def _facts(known: dict[str, Any], journal: LoadJournal, report: LoadReport | None) -> list[tuple[str, str]]:
    facts = [
        ("Source", known.get("source", "")),
        ("External id", known.get("external_id") or ""),
        ("Batches", f"{journal.count():,}"),
    ]
    if report is not None:
        facts.append(("API calls, last sitting", f"{report.api_calls:,}"))
        skipped = f"{counted(report.skipped, 'row')} of nothing but commas" if report.skipped else ""
        untied = (
            f"{counted(report.untied, 'result')} that belong to no row for certain: {UNTIED}" if report.untied else ""
        )
        facts += [("Skipped", skipped), ("Untied", untied), ("Left open", "; ".join(report.jobs_left_open))]
    return facts


def _notice(folder: Path, state: str, report: LoadReport | None) -> str:
    if state == RunState.UNSETTLED and report is not None:
        return f"{report.stopped_by}. Decide, and go on with: bulkforce resume {folder} --accept-as sent, or not-sent"
    if state == RunState.INTERRUPTED:
        why = f"{report.stopped_by}. " if report is not None and report.stopped_by else "The run died. "
        return f"{why}Go on with: bulkforce resume {folder}"
    return ""
