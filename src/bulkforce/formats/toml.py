"""The user's TOML files: maps, and what an extract keeps from one run to the next."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import BinaryIO, Final

from bulkforce.errors import UsageError

_LARGEST_BYTES: Final = 10_000_000
"""A limit, so that an endless file (a device, a pipe) does not fill the memory."""


def read(path: Path, what: str) -> dict[str, object]:
    """Read a TOML file.

    Raises:
        UsageError: It cannot be read, or is not TOML.
    """
    text = read_text(path, what)
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        reason = str(error)
    except (ValueError, RecursionError) as error:
        # Numbers with thousands of digits, and arrays nested too deeply.
        reason = type(error).__name__
    raise UsageError(f"{what} {path} is not TOML: {reason}")


def read_text(path: Path, what: str) -> str:
    """Read a text file; skip a byte order mark.

    Raises:
        UsageError: It cannot be read, or is not UTF-8.
    """
    try:
        with path.open("rb") as file:
            return text_of(file, f"{what} {path}")
    except OSError as error:
        raise UsageError(f"{what} {path} cannot be read: {error.strerror}") from None


def text_of(file: BinaryIO, what: str) -> str:
    """Read an open text file; see `read_text`."""
    content = file.read(_LARGEST_BYTES + 1)
    if len(content) > _LARGEST_BYTES:
        raise UsageError(f"{what} cannot be read: it is larger than {_LARGEST_BYTES:,} bytes")
    try:
        # Normalize line ends, as text mode would.
        return content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        place = error.start
    # Outside the handler: Python's own error holds the content.
    raise UsageError(f"{what} cannot be read: it is not UTF-8 (byte {place})")
