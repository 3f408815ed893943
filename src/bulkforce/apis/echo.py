"""How the org may write a value that it echoes: the notation changes, the meaning does not.

Sources: the echo of doubles as Java writes them is in the guide's sample and in a recording of 2.0; the notations that
the org reads are in the guide (dates, booleans, ``#N/A``). How it echoes dates, booleans and blanks is not known, so
whatever could be the same value counts as the same.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from datetime import UTC, date, datetime
from typing import Final

_YES: Final = ("true", "yes", "y", "on")
_NO: Final = ("false", "no", "n", "off")
_WORDS: Final[dict[bytes, bytes | float]] = {
    b"#n/a": b"",
    **{word.encode(): 1.0 for word in _YES},
    **{word.encode(): 0.0 for word in _NO},
}
_NUMBER: Final = re.compile(rb"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_DATE: Final = re.compile(rb"(\d{4}-\d\d-\d\d)(?:z|[t ](\d\d:\d\d)(:\d\d)?(?:\.(\d+))?(z|[-+]\d\d:?\d\d)?)?")
_TIME: Final = re.compile(rb"(\d\d:\d\d)(?:(:\d\d)(?:\.(\d+))?)?z?")
_ID: Final = re.compile(rb"[a-z0-9]{18}")
_OF_NUMBERS: Final = b"0123456789.+-eE"
_ID_CHARACTERS: Final = 15
_CHECK: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_EXACT_DIGITS: Final = 15


def meaning(value: bytes) -> bytes | float:
    """Return the same for all texts that the org could take for the same value, and write as one another.

    >>> meaning(b"912260031") == meaning(b"9.12260031E8")
    True
    """
    text = value.strip(b" \t\r\n\v\f\1").replace(b"\r\1", b"\1").replace(b"\r", b"\1")
    text = text.lower() if text.isascii() else text.decode("utf-8", "replace").lower().encode()
    if text in _WORDS:
        return _WORDS[text]
    if _NUMBER.fullmatch(text):
        return float(text)
    if found := _DATE.fullmatch(text):
        return _moment(text, found)
    if found := _TIME.fullmatch(text):
        return b"%b%b.%b" % (found[1], found[2] or b":00", (found[3] or b"").rstrip(b"0"))
    return text[:_ID_CHARACTERS] if _ID.fullmatch(text) else text


def meanings(values: Sequence[bytes]) -> Sequence[Hashable]:
    """Return the `meaning` of each value of a column."""
    if not b"".join(values).translate(None, _OF_NUMBERS):
        try:
            # Ten times as fast as one by one.
            return list(map(float, values))
        except ValueError:
            pass
    return list(map(_Meanings().__getitem__, values))


class _Meanings(dict[bytes, "bytes | float"]):
    """Meanings of values, each found once."""

    def __missing__(self, value: bytes) -> bytes | float:
        found = self[value] = meaning(value)
        return found


def may_change(values: Sequence[bytes]) -> bool:
    """Whether values of a column look as if the org could write them otherwise.

    A number with more digits than a double holds does not: it is more likely to be that of an account.
    """
    some = [value for value in values if value]
    like = [value for value in some if is_notation(value) and not (value.isdigit() and len(value) > _EXACT_DIGITS)]
    return 2 * len(like) > len(some)


def is_notation(value: bytes) -> bool:
    """Whether a value could be a number, a date, a time or a boolean, and not just a text."""
    text = value.strip().lower()
    return text in _WORDS or any(pattern.fullmatch(text) for pattern in (_NUMBER, _DATE, _TIME))


def identity(value: bytes) -> bytes:
    """Return the same for all texts that are the same id: with 15 characters, or 18, whose case may be lost.

    >>> identity(b"003p000001avb5giau")
    b'003P000001avB5G'
    """
    text = value.strip()
    ends = text[_ID_CHARACTERS:].upper()
    if len(ends) != 3 or not text.isalnum() or ends.strip(_CHECK):
        return text
    # Bit by bit, each of the last three characters says which of five others are capitals.
    capitals = [_CHECK.index(end) >> bit & 1 for end in ends for bit in range(5)]
    letters = zip(text.upper(), text.lower(), capitals, strict=False)
    return bytes(upper if capital else lower for upper, lower, capital in letters)


def _moment(text: bytes, found: re.Match[bytes]) -> bytes:
    day, minute, second, fraction, zone = (part.decode() for part in found.groups(b""))
    try:
        if not minute:
            return date.fromisoformat(day).isoformat().encode() + b"t00:00:00"
        zone = "+00:00" if zone in {"", "z"} else zone
        moment = datetime.fromisoformat(f"{day}T{minute}{second or ':00'}{zone}").astimezone(UTC)
    except (ValueError, OverflowError):
        return text
    # Without strftime, whose years before 1000 differ between systems.
    digits = fraction.rstrip("0")
    return f"{moment.replace(tzinfo=None).isoformat()}{'.' + digits if digits else ''}".replace("T", "t").encode()
