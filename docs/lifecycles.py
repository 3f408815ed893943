"""Draw the life cycles of jobs and batches in `pictures/`: `make docs`.

Those of v1 come from the tables that the emulator obeys. For 2.0 there is no such table, since its emulated jobs are
jobs of v1 inside: what is drawn is what the guide says, and which states are final is compared with the client's.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, TypeVar

from bulkforce.vocabulary import Job2State
from bulkforce_emulator.state.lifecycle import BATCH_MOVES, JOB_MOVES

PICTURES: Final = Path(__file__).parent / "pictures"
WIDTH, HEIGHT, COLUMN, ROW = 130, 34, 200, 84

S = TypeVar("S", bound=str)
Moves = dict[str, list[str]]
Places = dict[str, tuple[float, float]]

# Where each state stands: column and row.
OF_A_JOB: Final[Places] = {"Open": (0, 0.5), "Closed": (1, 0.5), "Aborted": (2, 0), "Failed": (2, 1)}
OF_A_BATCH: Final[Places] = {
    "Queued": (0, 1),
    "InProgress": (1, 1),
    "Completed": (2, 0),
    "Failed": (2, 1),
    "NotProcessed": (2, 2),
}
OF_A_JOB2: Final[Places] = {
    "Open": (0, 1),
    "UploadComplete": (1, 1),
    "InProgress": (2, 1),
    "JobComplete": (3, 0),
    "Failed": (3, 1),
    "Aborted": (3, 2),
}
JOB2: Final[Moves] = {
    "Open": ["UploadComplete", "Aborted"],
    "UploadComplete": ["InProgress", "Failed", "Aborted"],
    "InProgress": ["JobComplete", "Failed", "Aborted"],
}
QUERY2: Final[Moves] = {"UploadComplete": ["InProgress", "Aborted"], "InProgress": ["JobComplete", "Failed", "Aborted"]}


def words(moves: Mapping[S, Iterable[S]]) -> Moves:
    """Spell the states of a table as the wire does."""
    return {spelled(state): sorted(spelled(after) for after in moves[state]) for state in moves if moves[state]}


def spelled(state: str) -> str:
    """Spell a state as the wire does."""
    return "".join(part.capitalize() for part in state.split("_"))


def line(start: tuple[float, float], end: tuple[float, float], *, bent: bool) -> str:
    """Draw an arrow between two boxes."""
    (x1, y1), (x2, y2) = start, end
    if x2 > x1 and abs(x2 - x1) < 1.5 * COLUMN:
        a, b = (x1 + WIDTH / 2, y1 - bent * 8), (x2 - WIDTH / 2 - 7, y2 - bent * 8)
        return f"M{a[0]},{a[1]} L{b[0]},{b[1]}"
    if x2 < x1:
        return f"M{x1 - WIDTH / 2},{y1 + 8} L{x2 + WIDTH / 2 + 7},{y2 + 8}"
    # Past the boxes between, above or below them.
    down = 1 if y2 >= y1 and not (y2 == y1 and x2 - x1 < 2.5 * COLUMN) else -1
    a, b = (
        (x1, y1 + down * HEIGHT / 2),
        (x2 - (WIDTH / 2 + 7 if y2 != y1 else 0), y2 + (0 if y2 != y1 else down * (HEIGHT / 2 + 7))),
    )
    return (
        f"M{a[0]},{a[1]} C{a[0]},{b[1] + down * 30} {b[0] - 90},{b[1] + (down * 30 if y2 == y1 else 0)} {b[0]},{b[1]}"
    )


def picture(moves: Moves, places: Places) -> str:
    """Draw the states and the moves between them; an end has a double border."""
    named = set(moves) | {after for ends in moves.values() for after in ends}
    assert named <= places.keys(), "a state has no place in the picture"
    first = min(places[state][0] for state in named)
    at = {
        state: (COLUMN * (places[state][0] - first) + 90, ROW * places[state][1] + 50)
        for state in places
        if state in named
    }
    width, height = max(x for x, _ in at.values()) + 90, max(y for _, y in at.values()) + 50
    parts = []
    for state, ends in moves.items():
        for after in ends:
            both = state in moves.get(after, ())
            parts.append(f'<path class="move" d="{line(at[state], at[after], bent=both)}"/>')
    for state, (x, y) in at.items():
        parts.append(f'<rect x="{x - WIDTH / 2}" y="{y - HEIGHT / 2}" width="{WIDTH}" height="{HEIGHT}" rx="8"/>')
        if state not in moves:
            parts.append(
                f'<rect x="{x - WIDTH / 2 + 3}" y="{y - HEIGHT / 2 + 3}" '
                f'width="{WIDTH - 6}" height="{HEIGHT - 6}" rx="6"/>'
            )
        parts.append(f'<text x="{x}" y="{y + 5}">{html.escape(state)}</text>')
    told = "; ".join(f"{state} to {', '.join(ends)}" for state, ends in moves.items())
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" role="img">
<title>{html.escape(told)}</title>
<style>
  rect {{ fill: #eef1fb; stroke: #3949ab }} .paper {{ fill: #fff; stroke: none }}
  .move {{ fill: none; stroke: #555; marker-end: url(#end) }}
  text {{ font: 14px system-ui, sans-serif; text-anchor: middle; fill: #1a237e }}
</style>
<marker id="end" markerWidth="8" markerHeight="8" refX="1" refY="4" orient="auto">
<path d="M0,0 L8,4 L0,8 z" fill="#555"/></marker>
<rect class="paper" width="{width:g}" height="{height:g}" rx="6"/>
{chr(10).join(parts)}
</svg>
"""


def pictures() -> dict[Path, str]:
    """Draw all of them."""
    final = {state.value for state in Job2State if state.is_final}
    assert final == {after for ends in JOB2.values() for after in ends} - JOB2.keys()
    return {
        PICTURES / "life-of-a-job.svg": picture(words(JOB_MOVES), OF_A_JOB),
        PICTURES / "life-of-a-batch.svg": picture(words(BATCH_MOVES), OF_A_BATCH),
        PICTURES / "life-of-a-job-of-bulk-api-2.svg": picture(JOB2, OF_A_JOB2),
        PICTURES / "life-of-a-query-of-bulk-api-2.svg": picture(QUERY2, OF_A_JOB2),
    }


if __name__ == "__main__":
    for place, text in pictures().items():
        place.write_text(text, "utf-8")
