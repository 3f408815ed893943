"""How the org may write a value that it echoes: the notation changes, the meaning does not.

Sources: the echo of doubles as Java writes them is in the guide's sample and in a recording of 2.0; the notations that
the org reads are in the guide ("Valid date format in records", booleans). How it echoes dates, booleans and blanks is
not known, so whatever could be the same value counts as the same.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Final

_WORDS: Final = {
    "#n/a": "",
    **dict.fromkeys(("true", "yes", "y", "on"), "1.0"),
    **dict.fromkeys(("false", "no", "n", "off"), "0.0"),
}
_NUMBER: Final = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?", re.ASCII)
_DATE: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:z|[t ](\d\d:\d\d)(:\d\d)?(?:\.(\d{1,6})\d*)?(z|[-+]\d\d:?\d\d)?)?", re.ASCII
)
_TIME: Final = re.compile(r"(\d\d:\d\d)(?:(:\d\d)(?:\.(\d+))?)?z?", re.ASCII)
_LONG: Final = 18
_CHECK: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_ID: Final = re.compile(r"[a-z0-9]{18}", re.ASCII)


def meaning(value: str) -> str:
    """Return the same text for all texts that the org could take for the same value.

    >>> meaning("912260031") == meaning("9.12260031E8")
    True
    """
    text = value.strip().replace("\r\n", "\n").replace("\r", "\n").lower()
    if text in _WORDS:
        return _WORDS[text]
    if _NUMBER.fullmatch(text):
        return repr(float(text) + 0.0)
    if found := _DATE.fullmatch(text):
        return _moment(text, found)
    if found := _TIME.fullmatch(text):
        return f"{found[1]}{found[2] or ':00'}.{(found[3] or '').rstrip('0')}"
    return text[:15] if _ID.fullmatch(text) else text


def identity(value: str) -> str:
    """Return the same text for all texts that are the same id: with 15 characters, or 18, whose case may be lost.

    >>> identity("003p000001avb5giau")
    '003P000001avB5G'
    """
    text = value.strip()
    if len(text) != _LONG or not text.isascii() or not text.isalnum():
        return text
    ends = text[15:].upper()
    if not set(ends) <= set(_CHECK):
        return text
    # Bit by bit, each of the last three characters says which of five others are capitals.
    capitals = [_CHECK.index(end) >> bit & 1 for end in ends for bit in range(5)]
    return "".join(one.upper() if capital else one.lower() for one, capital in zip(text, capitals, strict=False))


def _moment(text: str, found: re.Match[str]) -> str:
    day, minute, second, fraction, zone = found.groups()
    try:
        if minute is None:
            return date.fromisoformat(day).isoformat() + "t00:00:00"
        zone = "+00:00" if zone in {None, "z"} else zone
        moment = datetime.fromisoformat(f"{day}T{minute}{second or ':00'}{zone}").astimezone(UTC)
    except (ValueError, OverflowError):
        return text
    digits = (fraction or "").rstrip("0")
    return moment.strftime("%Y-%m-%dt%H:%M:%S") + (f".{digits}" if digits else "")
