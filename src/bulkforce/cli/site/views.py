"""The pages of `bulkforce ui`, from plain values: the list of runs, one run, the jobs of runs, and what went wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from importlib import resources
from urllib.parse import quote

from bulkforce.display import counted
from bulkforce.run import page as run_page
from bulkforce.run.page import Page, badge, lasting, moment, stack, text
from bulkforce.run.timeline import periods

_ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E"
    "%3Crect width='16' height='16' rx='4' fill='%233a9a68'/%3E%3C/svg%3E"
)
_HEAD = f'<link rel="icon" href="{_ICON}">\n<noscript><meta http-equiv="refresh" content="5"></noscript>\n'


@dataclass(frozen=True, slots=True)
class SeenJob:
    """A job, as the org has it.

    Attributes:
        id: Its id.
        more: The id of its run, or when it was created.
        state: Its state; ``None`` if the org does not have it.
        what: Its operation and object.
        processed: Number of records processed.
        failed: How many of them failed.
    """

    id: str
    more: str
    state: str | None
    what: str = ""
    processed: int | None = None
    failed: int | None = None


@cache
def script() -> str:
    """Return the script that keeps a page up to date."""
    return resources.files("bulkforce.cli.site").joinpath("live.js").read_text(encoding="utf-8")


def policy() -> str:
    """Return the policy of content for all pages, as a header."""
    return f"{run_page.policy(script())}; frame-ancestors 'none'"


def _document(title: str, main: str) -> str:
    return run_page.whole(f"{title} | bulkforce", main, script=script(), head=_HEAD)


def index(folder: str, pages: Sequence[tuple[str, Page]], hidden: int, *, jobs: bool) -> str:
    """Return the list of runs.

    Args:
        folder: Their folder.
        pages: The names of the runs' folders and their pages, the latest first.
        hidden: How many older ones are not shown.
        jobs: Whether there is a page of jobs.
    """
    items = "".join(_item(name, page) for name, page in pages)
    more = (
        f'<p class="soft">{counted(hidden, "older run")} not shown; <code>bulkforce runs</code> lists them all.</p>'
        if hidden
        else ""
    )
    empty = "<p>No runs here yet. A load or an extract that starts in this folder appears by itself.</p>"
    shown = f'<ol class="runs">{items}</ol>' if items else empty
    links = '<nav aria-label="Pages"><a href="./jobs/">Jobs in the org</a></nav>' if jobs else ""
    return _document(
        "Runs",
        f'<main>\n{links}<header><h1>Runs</h1>\n<p class="soft mono">{text(folder)}</p></header>\n'
        f'<section aria-label="Runs">{shown}{more}</section>\n</main>',
    )


def _item(name: str, page: Page) -> str:
    sittings = periods(page.times, page.spans, page.now if page.state == "running" else None)
    done = sum(share.rows for share in page.rows if share.kind not in {"open", "sent"})
    whole = page.total if page.total is not None else done
    not_well = [f"{share.rows:,} {share.word}" for share in page.rows if share.rows and share.kind != "ok"]
    rows = f"{done:,} of {counted(whole, 'row')}" if done < whole else counted(whole, "row")
    words = ", ".join([rows, *not_well]) if page.rows else ""
    seconds = lasting(sum(ended - began for began, ended in sittings)) if sittings else ""
    began = moment(page.begun) if page.begun is not None else ""
    bar = stack(page.rows, page.total or done) if page.rows else ""
    return (
        f'<li><div class="top"><p><a href="./runs/{escape(quote(name))}/">{text(page.what)}</a> '
        f'{badge(page.state)}</p><p class="soft">{" · ".join(filter(None, (began, seconds)))}</p></div>{bar}'
        f'<div class="top soft"><p>{text(words)}</p><p class="mono">{text(page.run)}</p></div></li>'
    )


def run(page: Page) -> str:
    """Return the page of a run."""
    nav = '<nav aria-label="Pages"><a href="../../">All runs</a></nav>'
    body = run_page.body(page).replace("<main>", f"<main>\n{nav}", 1)
    return _document(f"{page.what}: {page.state}", body)


def jobs(org: str, of_runs: Sequence[SeenJob], of_org: Sequence[SeenJob], looked: float, trouble: str) -> str:
    """Return the page of jobs.

    Args:
        org: The org's host.
        of_runs: The jobs of the runs here.
        of_org: All jobs, the latest first.
        looked: When the org was asked.
        trouble: Why it did not answer; empty if it did.
    """
    counts = '<th scope="col" class="number">Processed</th><th scope="col" class="number">Failed</th>'
    notice = f'<p class="notice">{text(trouble)}</p>' if trouble else ""
    tables = (
        "" if trouble else _jobs("Of the runs here", f"{counts}{_column('Run')}", [_of_run(job) for job in of_runs])
    )
    tables += "" if trouble else _jobs("The latest of the org", _column("Created"), [_of_org(job) for job in of_org])
    return _document(
        "Jobs",
        f'<main>\n<nav aria-label="Pages"><a href="../">All runs</a></nav><header><p class="soft">{text(org)}</p>\n'
        f"<h1>Jobs in the org</h1></header>{notice}\n{tables}\n"
        f'<footer class="soft">As the org had them on {moment(looked)}; all times are UTC.</footer></main>',
    )


def _jobs(title: str, more: str, rows: Sequence[str]) -> str:
    head = f"<tr>{_column('Job')}{_column('State')}{_column('Work')}{more}</tr>"
    table = f'<div class="wide"><table class="jobs">{head}{"".join(rows)}</table></div>' if rows else "<p>None.</p>"
    return f"<section><h2>{title}</h2>{table}</section>"


def _column(name: str) -> str:
    return f'<th scope="col">{name}</th>'


def _of_run(job: SeenJob) -> str:
    counts = "".join(
        f'<td class="number">{"" if count is None else f"{count:,}"}</td>' for count in (job.processed, job.failed)
    )
    return f'<tr>{_first(job)}{counts}<td class="mono">{text(job.more)}</td></tr>'


def _of_org(job: SeenJob) -> str:
    return f"<tr>{_first(job)}<td>{text(job.more)}</td></tr>"


def _first(job: SeenJob) -> str:
    state = badge(job.state) if job.state else '<span class="soft">not in this org, or removed by it</span>'
    return f'<td class="mono">{text(job.id)}</td><td>{state}</td><td>{text(job.what)}</td>'


def problem(title: str, words: str) -> str:
    """Return a page that says what went wrong."""
    return run_page.whole(title, f"<main><header><h1>{text(title)}</h1></header><p>{text(words)}</p></main>")
