"""What callers hand over: of a wrong kind, or a name that no file can have, it is a `UsageError` and not whatever fails first."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from bulkforce.errors import UsageError

_SHOWN_CHARACTERS = 100

W = TypeVar("W", bound=str)


def text(value: object, what: str) -> str:
    """Take a text.

    Raises:
        UsageError: It is none, or cannot be written as UTF-8.
    """
    return _text(value, what, shown=True)


def secret(value: object, what: str) -> str:
    """Take a text that is never shown.

    Raises:
        UsageError: It is none, or cannot be written as UTF-8.
    """
    return _text(value, what, shown=False)


def secrets(**values: object) -> None:
    """See that what is used to log in is text."""
    for name, value in values.items():
        secret(value, f"The auth's {name}")


def count(value: object, what: str) -> int:
    """Take a number of things.

    Raises:
        UsageError: It is none.
    """
    if not isinstance(value, int) or isinstance(value, bool):
        raise UsageError(f"{what} is a whole number, not {type(value).__name__}")
    return value


def path(value: object, what: str) -> Path:
    """Take the path of a file or folder, that need not be there.

    Raises:
        UsageError: It is none, or no file can have it.
    """
    if not isinstance(value, (str, os.PathLike)) or not isinstance(os.fspath(value), str):
        raise UsageError(f"{what} is a path, not {type(value).__name__}")
    found = Path(value)
    shown = ascii(str(found))[:_SHOWN_CHARACTERS]
    if "\0" in str(found):
        raise UsageError(f"{what} {shown} has a NUL in it, which no name has")
    try:
        absolute = found.absolute()
    except OSError as error:
        raise UsageError(f"{what} {shown} cannot be found: the working directory is gone ({error.strerror})") from error
    # Runs and reports are kept in UTF-8, and with them the names of what they were about.
    if not _is_utf_8(str(absolute)):
        raise UsageError(f"{what} {shown} has a name, or lies in a folder, that is not UTF-8; rename it")
    try:
        found.stat()
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        # Whoever wants to read or write there tells.
        pass
    except OSError as error:
        raise UsageError(f"{what} {shown} cannot be: {error.strerror}") from error
    return found


def seconds(value: object, what: str) -> float:
    """Take a time to wait.

    Raises:
        UsageError: It is none.
    """
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not value >= 0:
        raise UsageError(f"{what} is a number of seconds, not {ascii(value)[:_SHOWN_CHARACTERS]}")
    return value


def _text(value: object, what: str, *, shown: bool) -> str:
    if not isinstance(value, str):
        raise UsageError(f"{what} is a text, not {type(value).__name__}")
    if not _is_utf_8(value):
        raise UsageError(f"{what}{f' {ascii(value)[:_SHOWN_CHARACTERS]}' if shown else ''} cannot be written as UTF-8")
    return value


def _is_utf_8(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def one_of(value: object, words: Sequence[W], what: str) -> W:
    """Take one of some words.

    Raises:
        UsageError: It is none of them.
    """
    found = next((word for word in words if isinstance(value, str) and value == word), None)
    if found is None:
        raise UsageError(f"{what} is one of {', '.join(words)}, not {value!r:.80}")
    return found
