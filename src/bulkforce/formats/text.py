"""Encode and decode UTF-8.

Errors give only the position: Python's own errors hold the whole text, so ours are never chained to them.
"""

from __future__ import annotations

from bulkforce.errors import FormatError


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
        f"The content is not UTF-8 (byte 0x{content[place]:02x}); convert it to UTF-8 first", byte=start + place
    )
