"""The page of a run, from plain values: one HTML document that needs nothing from elsewhere, not even a script.

Every value is escaped. It holds no token, and no values of records but those that the report has.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from html import escape
from pathlib import Path
from typing import Final
from urllib.parse import quote

from bulkforce.display import counted, cut
from bulkforce.run import timeline
from bulkforce.run.report import ErrorGroup
from bulkforce.run.timeline import Axis, Span

CAUSES: Final = 50
"""How many causes are shown."""
_CODE_CHARACTERS: Final = 2_000
_SAMPLE_CHARACTERS: Final = 200
_LEAST_PERCENT: Final = 0.5
"""How much of the bar a state has at least: of a million rows, one that failed must be seen."""


@dataclass(frozen=True, slots=True)
class Share:
    """Rows in one state.

    Attributes:
        word: The state.
        rows: How many are in it.
        kind: How it is coloured: ``ok``, ``failed``, ``unprocessed``, ``rejected``, ``doubt``, ``sent`` or ``open``.
        file: The file of the run that holds them, if there is one.
    """

    word: str
    rows: int
    kind: str
    file: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What the page of a run says.

    Attributes:
        what: The operation and the object.
        run: The run's id.
        state: The run's state.
        org: The org's host.
        begun: When the run began; ``None`` if it is not known.
        facts: Names and values.
        rows: The rows by state; they add up to ``total``.
        total: All rows; ``None`` if it is not known yet how many there are.
        total_word: What was done to all rows: ``read``.
        spans: The batches with their times, in order.
        piece: What they are called, if not batches: ``page``.
        times: When each sitting began and ended, as in the journal.
        now: When the page is written.
        causes: Why rows did not succeed.
        files: Files beside the page, with their sizes.
        jobs: Ids of the jobs used.
        notice: What to know and to do, if the run is not finished.
    """

    what: str
    run: str
    state: str
    org: str
    begun: float | None
    facts: Sequence[tuple[str, str]]
    rows: Sequence[Share]
    total: int | None
    total_word: str = "read"
    spans: Sequence[Span] = ()
    piece: str = "batch"
    times: Sequence[tuple[float, float | None]] = ()
    now: float
    causes: Sequence[ErrorGroup] = ()
    files: Sequence[tuple[str, int]] = ()
    jobs: Sequence[str] = ()
    notice: str = ""


def document(page: Page) -> str:
    """Return the page of a run."""
    return whole(f"{page.what}: {page.state}", body(page))


def whole(title: str, main: str, *, script: str = "", head: str = "") -> str:
    """Return an HTML document.

    Args:
        title: Its title, as text.
        main: Its content, as HTML.
        script: A script, if it needs one.
        head: More of its head, as HTML.
    """
    ending = f"<script>{script}</script>" if script else ""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy(script)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta name="color-scheme" content="light dark">\n<title>{text(title)}</title>\n'
        f"<style>{style()}</style>\n{head}</head>\n<body>\n{main}\n{ending}</body>\n</html>\n"
    )


@cache
def style() -> str:
    """Return the style sheet."""
    return Path(__file__).with_suffix(".css").read_text(encoding="utf-8")


def policy(script: str = "") -> str:
    """Return what a document may load: its own style and script, and nothing from elsewhere."""
    scripts = f" script-src {_digest(script)}; connect-src 'self'; img-src data:;" if script else ""
    return f"default-src 'none'; style-src {_digest(style())};{scripts} base-uri 'none'; form-action 'none'"


@cache
def _digest(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"


def body(page: Page) -> str:
    """Return the content of the page of a run."""
    sittings = timeline.periods(page.times, page.spans, page.now if page.state == "running" else None)
    title = f'<p class="soft">{text(page.org)}</p>\n<h1>{text(page.what)} {badge(page.state)}</h1>'
    parts = [
        f'<main>\n<header>{title}\n<p class="soft mono">{text(page.run)}</p></header>',
        f'<p class="notice">{text(page.notice)}</p>' if page.notice else "",
        _rows(page),
        _facts(page, sittings),
        _times(page, sittings),
        _causes(page.causes),
        _files(page.files),
        f'<footer class="soft">Written by bulkforce on {moment(page.now)}; all times are UTC.</footer>\n</main>',
    ]
    return "\n".join(filter(None, parts))


def badge(state: str) -> str:
    """Return the mark of a state."""
    return f'<span class="badge {state if state.isalpha() else ""}">{text(state)}</span>'


def text(value: str) -> str:
    """Return text for HTML: on one line, with what would steer it (direction marks, line ends) visible."""
    return escape("".join(one if one.isprintable() else f"\\u{ord(one):04x}" for one in value))


def moment(time: float) -> str:
    """Return a date and time, in UTC."""
    return f"{datetime.fromtimestamp(time, UTC):%Y-%m-%d %H:%M:%S}"


def lasting(seconds: float) -> str:
    """Return a duration in words."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds + 0.5), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def jobs_named(ids: Sequence[str]) -> str:
    """Return the first ids of jobs, and how many more there are."""
    return f"{', '.join(ids[:5])}{_more(len(ids) - 5)}"


def size(count: int) -> str:
    """Return a size in bytes, in words."""
    if count < 1_000:
        return counted(count, "byte")
    thousands = min((len(str(count)) - 1) // 3, 4)
    return f"{count / 1_000**thousands:,.1f} {('kB', 'MB', 'GB', 'TB')[thousands - 1]}"


def _widths(rows: Sequence[Share], total: int) -> list[float]:
    """Return how wide each state is drawn, in percent: wide enough to be seen, at the cost of the widest."""
    true = [100 * share.rows / total if total else 0.0 for share in rows]
    drawn = [max(wide, _LEAST_PERCENT) if wide else 0.0 for wide in true]
    if drawn:
        widest = max(range(len(drawn)), key=drawn.__getitem__)
        drawn[widest] -= sum(drawn) - sum(true)
    return drawn


def stack(rows: Sequence[Share], total: int) -> str:
    """Draw the rows by state as one bar."""
    left, bars = 0.0, []
    for share, wide in zip(rows, _widths(rows, total), strict=True):
        bars += [f'<rect class="{share.kind}" x="{left:.3f}%" width="{wide:.3f}%" height="100%"/>'] if wide else []
        left += wide
    return f'<svg class="stack" width="100%" height="14" role="img" aria-label="Rows by state">{"".join(bars)}</svg>'


def _rows(page: Page) -> str:
    total = sum(share.rows for share in page.rows)
    whole_lot = page.total or total
    lines = "".join(
        f'<tr><th scope="row"><i class="dot {share.kind}"></i>{text(share.word)}</th>'
        f'<td class="number">{share.rows:,}</td>'
        f'<td class="number soft share">{text(_percent(share.rows, whole_lot))}</td>'
        f"<td>{_link(share.file) if share.file else ''}</td></tr>"
        for share in page.rows
    )
    if page.total is not None:
        equal = "=" if total == page.total else "≠"
        total_words = f'<th scope="row">{equal} {text(page.total_word)}</th><td class="number">{page.total:,}</td>'
        lines += f'<tr class="sum">{total_words}<td class="share"></td><td></td></tr>'
    return (
        f'<section aria-labelledby="rows"><h2 id="rows">Rows</h2>\n{stack(page.rows, whole_lot)}\n'
        f'<table class="states"><caption class="hidden">Rows by state</caption>{lines}</table></section>'
    )


def _percent(part: int, total: int) -> str:
    if not total or not part:
        return ""
    share = 100 * part / total
    # Of a million rows, one that failed is not 0 %, and the others are not 100 %.
    return "< 0.1 %" if share < 0.1 else "> 99.9 %" if 99.9 < share < 100 else f"{share:.1f} %"


def _facts(page: Page, sittings: Sequence[tuple[float, float]]) -> str:
    facts = [(name, text(value)) for name, value in (*page.facts, ("Jobs", jobs_named(page.jobs))) if value]
    began = page.begun if page.begun is not None else sittings[0][0] if sittings else None
    facts += [] if began is None else [("Started", moment(began))]
    facts += [("Resumed", f"{', '.join(moment(one) for one, _ in sittings[1:6])}{_more(len(sittings) - 6)}")] * (
        len(sittings) > 1
    )
    if sittings:
        facts += [] if page.state == "running" else [("Ended", moment(sittings[-1][1]))]
        facts.append(("At work", lasting(sum(ended - one for one, ended in sittings))))
    if speed := timeline.rate(page.spans, sittings):
        facts.append(("Rate", f"{timeline.pace(speed)} rows per second"))
    pairs = "".join(f"<div><dt>{text(name)}</dt><dd>{value}</dd></div>" for name, value in facts)
    return f'<section aria-labelledby="facts"><h2 id="facts">Facts</h2><dl>{pairs}</dl></section>'


def _more(count: int) -> str:
    return f" and {count:,} more" if count > 0 else ""


def _times(page: Page, sittings: Sequence[tuple[float, float]]) -> str:
    if not page.spans or not sittings:
        return ""
    axis = Axis(sittings)
    picture, each = timeline.lines(page.spans, axis, page.now, page.piece)
    order = "In order from top to bottom" if each == 1 else f"In order from top to bottom, each line {each:,} of them"
    cut_out = "; the time between sittings is cut out" if len(sittings) > 1 else ""
    sent = any(span.answered for span in page.spans)
    keys = [
        ("sending", "sending" if sent else ""),
        ("ok", "in the org" if sent else "in the org, then fetched" if page.piece == "batch" else "fetched"),
        ("failed", "share not succeeded" if any(span.bad for span in page.spans) else ""),
        ("sent", "not ended" if any(span.ended is None for span in page.spans) else ""),
    ]
    legend = " ".join(f'<span class="key"><i class="dot {kind}"></i>{word}</span>' for kind, word in keys if word)
    return (
        '<section aria-labelledby="times"><h2 id="times">Time-line</h2>\n'
        f"<h3>Rows done</h3>{timeline.chart(page.spans, axis) or '<p>None yet.</p>'}\n"
        f"<h3>{counted(len(page.spans), page.piece)}</h3>"
        f'<p class="soft legend">{order}{cut_out}. {legend}</p>\n'
        f"{picture}\n{timeline.scale(axis)}</section>"
    )


def _causes(causes: Sequence[ErrorGroup]) -> str:
    if not causes:
        return ""
    more = len(causes) - CAUSES
    rest = f'<p class="soft">... and {counted(more, "more cause")} in report.json</p>' if more > 0 else ""
    return (
        '<section aria-labelledby="causes"><h2 id="causes">Why rows did not succeed</h2>\n<ol class="causes">'
        f"{''.join(map(_cause, causes[:CAUSES]))}</ol>{rest}</section>"
    )


def _cause(group: ErrorGroup) -> str:
    message = cut(group.message, _CODE_CHARACTERS)
    unnamed = [field for field in group.fields if field not in group.message]
    code = f"<code>{text(group.status_code)}</code> " if group.status_code else ""
    fields = f' <span class="soft">({text(", ".join(unnamed))})</span>' if unnamed else ""
    remedy = f'<p class="remedy">{text(group.remedy)}</p>' if group.remedy else ""
    samples = group.samples or ()
    rows = [(one.row, one.value, one.record) for one in samples] or [(group.row, "", group.sample)]
    shown = "".join(
        f'<li><span class="soft">row {row:,}</span> {_value(value)}'
        f"<code>{text(cut(record, _SAMPLE_CHARACTERS))}</code></li>"
        for row, value, record in rows
    )
    return (
        f'<li><p class="count">{group.count:,}</p><div><p>{code}{text(message)}{fields}</p>{remedy}'
        f'<ul class="samples">{shown}</ul></div></li>'
    )


def _value(value: str) -> str:
    return f"<strong>{text(cut(value, _SAMPLE_CHARACTERS))}</strong> in " if value else ""


def _files(files: Iterable[tuple[str, int]]) -> str:
    lines = "".join(f'<li>{_link(name)} <span class="soft">{size(count)}</span></li>' for name, count in files)
    return (
        f'<section aria-labelledby="files"><h2 id="files">Files</h2><ul class="files">{lines}</ul></section>'
        if lines
        else ""
    )


def _link(name: str) -> str:
    # After "./", no name is taken for a scheme.
    return f'<a href="./{escape(quote(name))}">{text(name)}</a>'
