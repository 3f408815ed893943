"""The user's TOML files: maps, and what an extract keeps from one run to the next."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Final

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
            content = file.read(_LARGEST_BYTES + 1)
        if len(content) <= _LARGEST_BYTES:
            # Normalize line ends, as text mode would.
            return content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
        reason = f"cannot be read: it is larger than {_LARGEST_BYTES:,} bytes"
    except OSError as error:
        reason = f"cannot be read: {error.strerror}"
    except UnicodeDecodeError as error:
        reason = f"cannot be read: it is not UTF-8 (byte {error.start})"
    raise UsageError(f"{what} {path} {reason}")
