"""How values look on the page."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

_THOUSAND = 1000


def number(value: int) -> str:
    """A number with commas between thousands."""
    return f"{value:,}"


def day(value: datetime) -> str:
    """A date as `2026-01-31`."""
    return f"{value:%Y-%m-%d}"


def clock(value: datetime) -> str:
    """In UTC, as each page says."""
    return f"{value:%H:%M:%S}"


def span(seconds: int) -> str:
    """`hh:mm:ss`."""
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}"


def size(count: int) -> str:
    """`1 byte`, `12.3 kB`."""
    if count < _THOUSAND:
        return f"{count} byte{'' if count == 1 else 's'}"
    for unit in ("kB", "MB"):
        shown = count / _THOUSAND
        count //= _THOUSAND
        if count < _THOUSAND:
            return f"{shown:,.1f} {unit}"
    return f"{count / _THOUSAND:,.1f} GB"


def counted(count: int, singular: str, plural: str) -> str:
    """`1 batch`, `2 batches`."""
    return f"{count:,} {singular if count == 1 else plural}"


def breakable(text: str) -> Markup:
    """A code, name or address that may wrap behind its underscores, colons, dots and slashes."""
    return Markup("<wbr>").join(re.split(r"(?<=[_:./@])(?=[^_:./@])", text))


FILTERS: dict[str, Callable[..., str]] = {
    "number": number,
    "day": day,
    "clock": clock,
    "span": span,
    "size": size,
    "counted": counted,
    "breakable": breakable,
}
