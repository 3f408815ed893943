"""Draw the figures: a bar of CPU for each client of each case that others took part in."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final

from bench.measuring import Run

WIDTH: Final = 860
_LABELS: Final = 170
_ROOM: Final = 110
_LINE: Final = 22
_STYLE: Final = (
    "text{font:13px system-ui,sans-serif;fill:#24292f}.t{font-weight:600}.n{fill:#57606a}rect{fill:#8c959f}"
    ".ours{fill:#0969da}.mark{fill:#d0d7de}@media(prefers-color-scheme:dark){text{fill:#e6edf3}.n{fill:#8d96a0}"
    ".mark{fill:#3d444d}}"
)


def draw(figures: Sequence[tuple[str, str, Run | None]]) -> str:
    """Return an SVG; bars of a case are to one scale."""
    cases: dict[str, list[tuple[str, Run]]] = {}
    for case, peer, run in figures:
        if run:
            cases.setdefault(case, []).append((peer, run))
    lines: list[str] = []
    at = 8
    for case, runs in cases.items():
        if len(runs) < 3:
            continue
        at += _LINE
        lines.append(f'<text class="t" x="0" y="{at}">{escape(case)}: seconds of CPU</text>')
        most = max(run.cpu_seconds for _, run in runs)
        for peer, run in sorted(runs, key=lambda one: one[1].cpu_seconds):
            at += _LINE
            kind = {"bulkforce": "ours", "sketch": "mark", "curl": "mark"}.get(peer, "")
            length = max((WIDTH - _LABELS - _ROOM) * run.cpu_seconds / most, 2)
            lines.append(
                f'<text x="12" y="{at}">{escape(peer)}</text>'
                f'<rect class="{kind}" x="{_LABELS}" y="{at - 12}" width="{length:.0f}" height="14" rx="2"/>'
                f'<text class="n" x="{_LABELS + length + 8:.0f}" y="{at}">{run.cpu_seconds:.2f} s, '
                f"{run.peak_mb:,.0f} MB</text>"
            )
        at += 8
    height = at + 12
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}">'
        f"<style>{_STYLE}</style>{''.join(lines)}</svg>\n"
    )
