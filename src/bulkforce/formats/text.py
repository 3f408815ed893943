"""Encode and decode UTF-8.

Errors give only the position: Python's own errors hold the whole text, so ours are never chained to them.
"""

from __future__ import annotations

import re
from typing import Final

from bulkforce.errors import FormatError

# None of these is a blank to Python: a zero-width space, a word joiner, and a byte order mark in the wrong place.
_INVISIBLE: Final = "\u200b\u2060\ufeff"
_AROUND: Final = re.compile(rf"\A[\s{_INVISIBLE}]+|[\s{_INVISIBLE}]+\Z")

_LINE_END: Final = re.compile(rb"\r\n?")


def with_line_feeds(content: bytes) -> bytes:
    r"""Write every line end as LF; a pattern is twice as fast as two replacements.

    >>> with_line_feeds(b"1\r\n2\r3\n")
    b'1\n2\n3\n'
    """
    return _LINE_END.sub(b"\n", content) if b"\r" in content else content


def trimmed(name: str) -> str:
    r"""Remove from both ends of a name what cannot be seen, no-break spaces included.

    >>> trimmed("\ufeffLast Name\xa0")
    'Last Name'
    """
    return _AROUND.sub("", name)


def encoded(text: str) -> bytes:
    """Encode a string as UTF-8.

    Raises:
        FormatError: It contains a lone surrogate.
    """
    try:
        return text.encode()
    except UnicodeEncodeError:
        pass
    raise FormatError("A value cannot be written: it contains a lone surrogate, which UTF-8 cannot encode")


def decoded(content: bytes, start: int = 0) -> str:
    """Decode UTF-8.

    Args:
        content: The bytes.
        start: Their offset in the whole content.

    Raises:
        FormatError: They are not UTF-8; says where.
    """
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        place = error.start
    raise FormatError(
        f"The content is not UTF-8 (byte 0x{content[place]:02x}); convert it to UTF-8 first, or give a load its "
        "encoding, such as windows-1252 (--encoding)",
        byte=start + place,
    )
