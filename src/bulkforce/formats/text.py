"""Texts as UTF-8 and back.

What is none is told by its place: Python's own errors hold the whole text, so ours are never chained to them.
"""

from __future__ import annotations

from bulkforce.errors import FormatError


def encoded(text: str) -> bytes:
    """Write a text as UTF-8.

    Raises:
        FormatError: It has half a surrogate pair.
    """
    try:
        return text.encode()
    except UnicodeEncodeError:
        pass
    raise FormatError("A value cannot be written: it has half a surrogate pair, which UTF-8 cannot carry")


def decoded(content: bytes, start: int = 0) -> str:
    """Read UTF-8.

    Args:
        content: The bytes.
        start: Where they stand in what they are a piece of.

    Raises:
        FormatError: They are none; says where.
    """
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        place = error.start
    raise FormatError(
        f"The content is not UTF-8 (byte 0x{content[place]:02x}); convert it to UTF-8 first", byte=start + place
    )
