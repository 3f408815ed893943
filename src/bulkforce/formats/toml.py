"""TOML files of the user's: maps, and what an extract keeps from one time to the next."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Final

from bulkforce.errors import UsageError

_LARGEST_BYTES: Final = 10_000_000
"""A file without end (a device, a pipe) is not read until the memory is full."""


def read(path: Path, what: str) -> dict[str, object]:
    """Read a TOML file.

    Raises:
        UsageError: It cannot be read, or is none.
    """
    text = read_text(path, what)
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        reason = str(error)
    except (ValueError, RecursionError) as error:
        # Numbers of thousands of digits, and arrays in arrays without end.
        reason = type(error).__name__
    raise UsageError(f"{what} {path} is not TOML: {reason}")


def read_text(path: Path, what: str) -> str:
    """Read a text file, a byte order mark passed over.

    Raises:
        UsageError: It cannot be read, or is not UTF-8.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_BYTES + 1)
        if len(content) <= _LARGEST_BYTES:
            # Line ends as text has them.
            return content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
        reason = f"cannot be read: it is larger than {_LARGEST_BYTES:,} bytes"
    except OSError as error:
        reason = f"cannot be read: {error.strerror}"
    except UnicodeDecodeError as error:
        reason = f"cannot be read: it is not UTF-8 (byte {error.start})"
    raise UsageError(f"{what} {path} {reason}")
