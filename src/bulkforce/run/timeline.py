"""Draws when the batches of a run were under way, and how many rows were done when: as SVG, from plain values.

All that is horizontal is in percent, so that the picture fits any width while its text keeps its size. Of many batches,
each line of the picture stands for several, so that it stays small: 15,000 batches take as much room as 40.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html import escape
from typing import Final

from bulkforce.display import counted

LINES: Final = 40
"""How many lines there are at most."""
_BINS: Final = 80
_LINE_HEIGHT: Final = 9
_LEAST_HEIGHT: Final = 4
_CHART_HEIGHT: Final = 96
_GAP: Final = 2.0
"""The room between two sittings, in percent, however long it was."""
_LEAST_WIDTH: Final = 0.3
_TICKS_APART: Final = 24.0
_TENTHS_BELOW_SECONDS: Final = 20.0


@dataclass(frozen=True, slots=True)
class Span:
    """When a batch was under way.

    Attributes:
        number: Its number.
        began: When it was sent, or first seen, in seconds since 1970.
        answered: When the org had accepted it, if that is known.
        ended: When it had ended; ``None`` if it has not.
        rows: Number of its rows.
        bad: How many of them did not succeed.
    """

    number: int
    began: float
    answered: float | None
    ended: float | None
    rows: int
    bad: int = 0


@dataclass(slots=True)
class _Line:
    """One or several batches in a row."""

    first: int
    last: int
    began: float
    answered: float
    ended: float | None
    rows: int
    bad: int

    def take(self, span: Span) -> None:
        self.last = span.number
        self.began = min(self.began, span.began)
        self.answered = min(self.answered, span.answered or span.began)
        self.ended = None if self.ended is None or span.ended is None else max(self.ended, span.ended)
        self.rows += span.rows
        self.bad += span.bad


@dataclass(slots=True)
class Axis:
    """Turns times into places from left to right: sittings keep their lengths, and the time between them is cut out."""

    sittings: Sequence[tuple[float, float]]
    _starts: list[float] = field(default_factory=list)
    _places: list[float] = field(default_factory=list)
    _share: float = 0.0
    seconds: float = 0.0

    def __post_init__(self) -> None:
        self.seconds = max(sum(ended - began for began, ended in self.sittings), 0.001)
        gap = min(_GAP, 40.0 / len(self.sittings)) if len(self.sittings) > 1 else 0.0
        self._share = (100.0 - gap * (len(self.sittings) - 1)) / self.seconds
        place = 0.0
        for began, ended in self.sittings:
            self._starts.append(began)
            self._places.append(place)
            place += (ended - began) * self._share + gap

    def place(self, time: float) -> float:
        """Return the place of a time, in percent."""
        number = max(bisect_right(self._starts, time) - 1, 0)
        began, ended = self.sittings[number]
        return self._places[number] + (min(max(time, began), ended) - began) * self._share

    def gaps(self) -> list[tuple[float, float]]:
        """Return the places where the time between two sittings is cut out."""
        ends = [self.place(ended) for _, ended in self.sittings]
        return list(zip(ends, self._places[1:], strict=False))

    def ticks(self) -> list[tuple[float, float]]:
        """Return places to name the times of, from the left, far enough apart."""
        last = self.sittings[-1][1]
        times = {began: self.place(began) for began in self._starts} | {last: 100.0}
        if len(self.sittings) == 1:
            began, ended = self.sittings[0]
            times |= {began + (ended - began) * share: 100.0 * share for share in (0.25, 0.5, 0.75)}
        ticks: list[tuple[float, float]] = []
        for time, place in sorted(times.items()):
            if not ticks or place - ticks[-1][1] >= _TICKS_APART:
                ticks.append((time, place))
        return ticks


def periods(
    times: Sequence[tuple[float, float | None]], spans: Sequence[Span], now: float | None
) -> list[tuple[float, float]]:
    """Return when each sitting began and ended; one that died ended with the last that is known of it.

    Args:
        times: As the journal has them.
        spans: The batches.
        now: The end, so far, of a sitting that is under way; ``None`` if there is none.
    """
    known = sorted(time for span in spans for time in (span.began, span.answered, span.ended) if time is not None)
    found: list[tuple[float, float]] = []
    for number, (began, ended) in enumerate(times):
        last = number == len(times) - 1
        end = now if ended is None and last else ended
        if end is None:
            until = len(known) if last else bisect_right(known, times[number + 1][0])
            end = known[until - 1] if until else began
        found.append((began, max(began, end)))
    return found


def rate(spans: Iterable[Span], sittings: Sequence[tuple[float, float]]) -> float | None:
    """Return how many rows were done in a second of all sittings; ``None`` if none was."""
    rows = sum(span.rows for span in spans if span.ended is not None)
    seconds = sum(ended - began for began, ended in sittings)
    return rows / seconds if rows and seconds else None


def pace(speed: float) -> str:
    """Return rows per second as a number, which is not rounded to nothing."""
    return f"{speed:,.0f}" if speed >= 10 else f"{speed:,.1f}"


def clock(time: float, *, tenths: bool = False, day: bool = False) -> str:
    """Return the time of the day, in UTC; for a run of several days, with the day."""
    at = datetime.fromtimestamp(time, UTC)
    if day:
        return f"{at:%m-%d %H:%M}"
    return f"{at:%H:%M:%S}.{at.microsecond // 100_000}" if tenths else f"{at:%H:%M:%S}"


def chart(spans: Sequence[Span], axis: Axis) -> str:
    """Draw how many rows were done when."""
    width = axis.seconds / _BINS
    good, bad = [0] * _BINS, [0] * _BINS
    for span in spans:
        if span.ended is not None:
            one = min(int(axis.place(span.ended) * _BINS / 100), _BINS - 1)
            good[one] += span.rows - span.bad
            bad[one] += span.bad
    most = max(map(sum, zip(good, bad, strict=True)))
    if not most:
        return ""
    bars = []
    for number, (right, wrong) in enumerate(zip(good, bad, strict=True)):
        high, low = _CHART_HEIGHT * (right + wrong) / most, _CHART_HEIGHT * wrong / most
        left = number * 100 / _BINS
        bars += [_bar("ok", left, 100 / _BINS, _CHART_HEIGHT - high, high - low)] if right else []
        bars += [_bar("failed", left, 100 / _BINS, _CHART_HEIGHT - low, low)] if wrong else []
    return (
        f'<p class="scale">at most {pace(most / width)} rows per second</p>'
        f'<svg class="chart" role="img" aria-label="Rows done over time" width="100%" height="{_CHART_HEIGHT}">'
        f"{_gaps(axis)}{''.join(bars)}</svg>"
    )


def lines(spans: Sequence[Span], axis: Axis, now: float, piece: str = "batch") -> tuple[str, int]:
    """Draw when the batches were under way.

    Args:
        spans: The batches, in order.
        axis: Where each time is.
        now: Until when batches that have not ended are drawn.
        piece: What they are called.

    Returns:
        The picture, and how many batches each of its lines stands for, at most.
    """
    each = -(-len(spans) // LINES)
    drawn: list[_Line] = []
    for place, span in enumerate(spans):
        if place % each == 0:
            answered = span.answered or span.began
            drawn.append(_Line(span.number, span.number, span.began, answered, span.ended, span.rows, span.bad))
        else:
            drawn[-1].take(span)
    tenths = axis.seconds < _TENTHS_BELOW_SECONDS
    high = _LINE_HEIGHT if len(drawn) <= LINES // 2 else _LEAST_HEIGHT
    step = high + max(high // 3, 2)
    body = "".join(
        _line(line, axis, now, number * step, high, piece, tenths=tenths) for number, line in enumerate(drawn)
    )
    label = f"When each {piece} was under way"
    head = f'<svg class="lines" role="img" aria-label="{label}" width="100%" height="{len(drawn) * step}">'
    return f"{head}{_gaps(axis)}{body}</svg>", each


def scale(axis: Axis) -> str:
    """Draw the names of times below."""
    tenths = axis.seconds < _TENTHS_BELOW_SECONDS
    days = axis.sittings[0][0] // 86_400 != axis.sittings[-1][1] // 86_400
    texts = []
    for time, place in axis.ticks():
        anchor = "start" if place < 5 else "end" if place > 95 else "middle"
        # On a narrow screen there is room for three.
        kind = "" if place < 5 or place > 95 or 35 <= place <= 65 else ' class="fine"'
        at = clock(time, tenths=tenths, day=days)
        texts.append(f'<text x="{place:.2f}%" y="12" text-anchor="{anchor}"{kind}>{at}</text>')
    return f'<svg class="ticks" width="100%" height="18">{"".join(texts)}</svg>'


def _line(line: _Line, axis: Axis, now: float, top: int, high: int, piece: str, *, tenths: bool) -> str:
    left, middle = axis.place(line.began), axis.place(line.answered)
    right = axis.place(now if line.ended is None else line.ended)
    one, several = piece.capitalize(), counted(2, piece).removeprefix("2 ").capitalize()
    name = f"{one} {line.first:,}" if line.first == line.last else f"{several} {line.first:,} to {line.last:,}"
    bad = f", {line.bad:,} of them not" if line.bad else ""
    until = clock(line.ended, tenths=tenths) if line.ended is not None else "not ended"
    title = f"{name}: {counted(line.rows, 'row')}{bad}; {clock(line.began, tenths=tenths)} to {until}"
    wide = max(right - left, _LEAST_WIDTH)
    bars = [_bar("sent" if line.ended is None else "ok", left, wide, top, high)]
    if middle > left:
        bars.append(_bar("sending", left, min(middle - left, wide), top, high))
    if line.bad and line.rows:
        share = max(wide * line.bad / line.rows, min(wide, _LEAST_WIDTH))
        bars.append(_bar("failed", left + wide - share, share, top, high))
    return f"<g><title>{escape(title)}</title>{''.join(bars)}</g>"


def _bar(kind: str, left: float, wide: float, top: float, high: float) -> str:
    left = min(left, 100.0 - wide)
    return f'<rect class="{kind}" x="{left:.2f}%" y="{top:.1f}" width="{wide:.2f}%" height="{high:.1f}"/>'


def _gaps(axis: Axis) -> str:
    return "".join(
        f'<rect class="gap" x="{left:.2f}%" y="0" width="{right - left:.2f}%" height="100%"/>'
        for left, right in axis.gaps()
    )
