"""In what notation the texts of a source are, where it is not the org's, and how they are read.

A text that fits two readings is never guessed: only what the user has given is read.

Sources: the forms that the org takes are those of `bulkforce.objects.notation`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, timezone, tzinfo
from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias

from bulkforce import arguments
from bulkforce.errors import FormatError, UsageError
from bulkforce.formats.values import date_time
from bulkforce.later import later
from bulkforce.objects.columns import Severity
from bulkforce.objects.notation import Cause, Problem

if TYPE_CHECKING:
    import zoneinfo
else:
    zoneinfo = later("zoneinfo")

NUMBERS: Final = {"double", "currency", "percent", "int", "long"}
"""The types of fields that hold a number."""

NAIVE: Final = Problem(
    Cause.NO_ZONE,
    Severity.WARN,
    "has no time zone, and is taken as UTC",
    "Say in which one it is with time_zone (--time-zone), UTC if that is right.",
)
TWICE: Final = Problem(
    Cause.CLOCK_CHANGE,
    Severity.WARN,
    "is a time that its zone has twice, or skips, as the clocks change; the earlier offset is used",
    "Correct it, or give it an offset.",
)
_OTHER_NOTATION: Final = Problem(
    Cause.OTHER_NOTATION,
    Severity.WARN,
    "is not in the notation that was given, and is sent as it stands",
    "Correct it, or give another notation.",
)


Read: TypeAlias = tuple[str, Problem | None]
"""A text in the org's notation, and what is to be said about it; one that is in another notation stays as it is."""

Reader: TypeAlias = Callable[[str], Read]
"""Reads a text in the user's notation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextNotation:
    """In what notation a source's texts are, where it is not the org's; each is changed into the org's own.

    Applies to texts that go to a field of that type, whatever the source; other values have a type that tells.

    Attributes:
        date_format: How dates and date-times are written: in codes of `strptime` (``"%d.%m.%Y"``), or in letters
            (``"dd.MM.yyyy"``, ``"M/d/yyyy HH:mm"``). A time may follow a date-time's day without being named here.
        decimal_comma: Whether numbers have a comma before their decimals, as in ``1.234,50``.
        time_zone: The zone of date-times without one (``"Europe/Berlin"``, ``"+02:00"``); of typed ones, too.
        true: Words that mean true, in any letter case, beside ``true`` and ``1``.
        false: Words that mean false, beside ``false`` and ``0``.

    Raises:
        UsageError: The date format or the zone is none, or a word means both.

    Example:
        >>> TextNotation(date_format="dd.MM.yyyy").date_format
        '%d.%m.%Y'
    """

    date_format: str | None = None
    decimal_comma: bool = False
    time_zone: str | None = None
    true: Sequence[str] = ()
    false: Sequence[str] = ()

    def __post_init__(self) -> None:
        if self.date_format is not None:
            object.__setattr__(self, "date_format", date_format_of(self.date_format))
        arguments.flag(self.decimal_comma, "decimal_comma")
        _ = self.zone
        for name in ("true", "false"):
            object.__setattr__(self, name, _words(getattr(self, name), name))
        if both := set(self.true) & set(self.false):
            raise UsageError(f"{arguments.shown(min(both))} cannot mean both true and false")

    @property
    def zone(self) -> tzinfo | None:
        """The zone of date-times without one; ``None`` if none was given."""
        return None if self.time_zone is None else _zone_of(arguments.text(self.time_zone, "The time zone"))


def _words(given: object, what: str) -> tuple[str, ...]:
    words = [given] if isinstance(given, str) else given
    if not isinstance(words, (list, tuple, set, frozenset)):
        raise UsageError(f"The words for {what} must be strings, not {arguments.shown(given)}")
    return tuple(dict.fromkeys(arguments.text(word, f"A word for {what}").strip().casefold() for word in words))


def _zone_of(name: str) -> tzinfo:
    if name.upper() in {"UTC", "Z"}:
        return UTC
    if found := _OFFSET.fullmatch(name):
        size = timedelta(hours=int(found[2]), minutes=int(found[3]))
        if size < timedelta(hours=24):
            return timezone(-size if found[1] == "-" else size)
    try:
        return zoneinfo.ZoneInfo(name)
    except (ValueError, OSError):
        # ZoneInfoNotFoundError is a KeyError.
        pass
    except KeyError:
        pass
    raise UsageError(
        f"{arguments.shown(name)} is no time zone known here; write a name such as Europe/Berlin, or an offset such as "
        "+02:00 (on Windows, names need: pip install tzdata)"
    )


AS_IT_STANDS: Final = TextNotation()
"""The org's own notation."""


def reader_of(kind: str, text: TextNotation) -> Reader | None:
    """Return what reads texts for fields of a type; ``None`` if they are sent as they stand."""
    if kind == "date" and text.date_format:
        return partial(_day, text.date_format)
    if kind == "datetime" and (text.date_format or text.time_zone):
        return partial(_moment, text.date_format, text.zone)
    if kind in NUMBERS and text.decimal_comma:
        return _with_point
    if kind == "boolean" and (text.true or text.false):
        return partial(_word, frozenset(text.true), frozenset(text.false))
    return None


_OFFSET: Final = re.compile(r"([+-])([0-9]{2}):?([0-9]{2})")
_ISO_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_ISO_NAIVE: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[T ]([0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]{1,9})?)?))?"
)
_ISO_AWARE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(?:Z|[+-][0-9]{2}:?[0-9]{2})")
_CLOCK_BEHIND: Final = re.compile(r"(.*\S)[T ]+([0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?)")
_GROUPED: Final = re.compile(r"([+-]?)([0-9]{1,3}(?:([.' \u00a0\u202f])[0-9]{3})(?:\3[0-9]{3})*|[0-9]+)(?:,([0-9]+))?")


def _parsed(text: str, date_format: str) -> datetime | None:
    try:
        return datetime.strptime(text, date_format)  # noqa: DTZ007  (the zone is added where it is known)
    except ValueError:
        return None


def _day(date_format: str, text: str) -> Read:
    found = _parsed(text.strip(), date_format)
    if found and found.time() == time():
        return found.date().isoformat(), None
    return text, None if _ISO_DAY.fullmatch(text) else _OTHER_NOTATION


def _moment(date_format: str | None, zone: tzinfo | None, text: str) -> Read:
    given = text.strip()
    found = _parsed(given, date_format) if date_format else None
    if found is None and date_format and (parts := _CLOCK_BEHIND.fullmatch(given)):
        found = _with_clock(_parsed(parts[1], date_format), parts[2])
    if found is None and (parts := _ISO_NAIVE.fullmatch(given)):
        found = _with_clock(_parsed(parts[1], "%Y-%m-%d"), parts[2] or "00:00")
    if found is None:
        return text, None if _ISO_AWARE.fullmatch(text) else _OTHER_NOTATION
    try:
        return written_in(found, zone)
    except FormatError:
        return text, _OTHER_NOTATION


def written_in(value: datetime, zone: tzinfo | None) -> Read:
    """Write a date-time in UTC, and say what had to be assumed about its zone.

    Args:
        value: The date-time.
        zone: The zone of one that has none.
    """
    if value.tzinfo is not None:
        return date_time(value), None
    problem = NAIVE if zone is None else TWICE if _is_doubtful(value, zone) else None
    return date_time(value.replace(tzinfo=zone or UTC)), problem


def _is_doubtful(value: datetime, zone: tzinfo) -> bool:
    """Whether a zone has a local time twice, or skips it."""
    return value.replace(tzinfo=zone, fold=0).utcoffset() != value.replace(tzinfo=zone, fold=1).utcoffset()


def _with_clock(day: datetime | None, clock: str) -> datetime | None:
    hours, _, rest = clock.replace(",", ".").partition(":")
    try:
        return datetime.combine(day, time.fromisoformat(f"{hours:0>2}:{rest}")) if day else None
    except ValueError:
        return None


def _with_point(text: str) -> Read:
    found = _GROUPED.fullmatch(text.strip())
    if found is None:
        return text, _OTHER_NOTATION
    return found[1] + re.sub("[^0-9]", "", found[2]) + (f".{found[4]}" if found[4] else ""), None


def _word(true: Collection[str], false: Collection[str], text: str) -> Read:
    word = text.strip().casefold()
    if word in true or word in false:
        return "true" if word in true else "false", None
    return text, None if word in {"true", "false", "1", "0"} else _OTHER_NOTATION


def date_format_of(given: str) -> str:
    """Read a date format: `strptime` codes, or letters as in ``dd.MM.yyyy`` and ``M/d/yyyy HH:mm``.

    Raises:
        UsageError: It is neither, or does not give year, month and day.

    >>> date_format_of("dd.MM.yyyy HH:mm")
    '%d.%m.%Y %H:%M'
    """
    arguments.text(given, "A date format")
    codes = given if "%" in given else re.sub(r"(?i)y+|m+|d+|h+|s+|a+", lambda found: _code(found, given), given)
    day = datetime(2003, 2, 1, 14, 5, 6, tzinfo=UTC)
    try:
        back = datetime.strptime(day.strftime(codes), codes)  # noqa: DTZ007
    except (ValueError, re.error):
        # The latter if a code stands there twice.
        back = None
    if back is None or back.date() != day.date():
        raise UsageError(
            f"{arguments.shown(given)} is no date format with year, month and day; write it with the codes of "
            "strptime, as in %d.%m.%Y, or with letters, as in dd.MM.yyyy"
        )
    return codes


def _code(found: re.Match[str], given: str) -> str:
    letters, before = found[0], given[: found.start()]
    kind, length = letters[0].lower(), len(letters)
    if kind == "m":
        if length > 2:
            return "%b" if length == 3 else "%B"
        return "%M" if re.search(r"(?i)h\W*\Z", before) else "%m"
    twelve = bool(re.search("(?i)a", given))
    return {"y": "%Y" if length > 2 else "%y", "d": "%d", "h": "%I" if twelve else "%H", "s": "%S", "a": "%p"}[kind]
