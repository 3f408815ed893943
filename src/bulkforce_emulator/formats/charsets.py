"""The charsets that a caller may name: real ones, not everything that Python calls a codec."""

from __future__ import annotations

import codecs

#: Codecs that only Python has, and UTF-7, which can hide half characters and which Java does not know.
_NO_CHARSETS = frozenset(
    {"idna", "mbcs", "oem", "punycode", "raw-unicode-escape", "undefined", "unicode-escape", "utf-7"}
)
_UTF_8 = frozenset({"utf-8", "utf8"})


def is_utf8(name: str) -> bool:
    """Whether this is a name of UTF-8."""
    return name.lower().replace("_", "-") in _UTF_8


def codec(name: str) -> str:
    """The codec of a charset.

    Raises:
        LookupError: There is no such charset.
    """
    try:
        found = codecs.lookup(name)
    except ValueError:
        raise LookupError(f"unknown encoding: {name}") from None
    # There is no public way to ask whether a codec is a text encoding.
    if found.name.replace("_", "-") in _NO_CHARSETS or not found._is_text_encoding:  # noqa: SLF001
        raise LookupError(f"unknown encoding: {name}")
    return found.name
