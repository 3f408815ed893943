"""What callers hand over: of a wrong kind, or a name that no file can have, it is a `UsageError` and not whatever fails
first.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import urlsplit

from bulkforce.errors import UsageError

T = TypeVar("T")
W = TypeVar("W", bound=str)

LONGEST_SECONDS: Final = 1_000_000.0
"""More than eleven days: longer than anything takes here, and what the sockets and clocks of every system can count."""
SHORTEST_SECONDS: Final = 0.001
LONGEST_NAME: Final = 255
"""More characters than any id or name of an object has; what is longer is not sent, and not printed in the path of each
error."""

_SHOWN_CHARACTERS: Final = 100
_LOOPBACK: Final = re.compile(r"localhost|127\.\d+\.\d+\.\d+|::1")


def shown(value: object) -> str:
    """Show what was given, in an error: no more of it than helps."""
    if isinstance(value, str):
        return repr(value) if len(value) <= _SHOWN_CHARACTERS else f"{value[:_SHOWN_CHARACTERS]!r}..."
    if isinstance(value, float) or (type(value) is int and value.bit_length() <= _SHOWN_CHARACTERS):
        return f"{value:,}"
    return _kind(value)


def instance(value: object, kind: type[T], what: str) -> T:
    """Take an object of one kind.

    Raises:
        UsageError: It is of another.
    """
    if not isinstance(value, kind):
        raise UsageError(f"{what} is a {kind.__name__}, not {_kind(value)}")
    return value


def having(value: T | None, methods: str, what: str) -> T:
    """Take an object that has the methods of a protocol.

    Raises:
        UsageError: It lacks one, or is the class instead of an object of it.
    """
    if (
        value is None
        or isinstance(value, type)
        or not all(callable(getattr(value, name, None)) for name in methods.split())
    ):
        raise UsageError(f"{what}, not {_kind(value)}")
    return value


def text(value: object, what: str) -> str:
    """Take a text.

    Raises:
        UsageError: It is none, or cannot be written as UTF-8.
    """
    return _text(value, what, f" {shown(value)}")


def secret(value: object, what: str) -> str:
    """Take a text that is never shown.

    Raises:
        UsageError: It is none, or cannot be written as UTF-8.
    """
    return _text(value, what, "")


def secrets(**values: object) -> None:
    """See that what is used to log in is text."""
    for name, value in values.items():
        secret(value, f"The auth's {name}")


def object_name(value: object) -> str:
    """Take the API name of an object.

    Raises:
        UsageError: It is none.
    """
    name = text(value, "The object")
    if len(name) > LONGEST_NAME or not re.fullmatch(r"[A-Za-z]\w*", name, re.ASCII):
        raise UsageError(f"{shown(name)} is not the API name of an object (letters, digits, underscores)")
    return name


def count(value: object, what: str, least: int | None = None) -> int:
    """Take a number of things.

    Raises:
        UsageError: It is none, or too small.
    """
    if not isinstance(value, int) or isinstance(value, bool):
        raise UsageError(f"{what} is a whole number, not {_kind(value)}")
    if least is not None and value < least:
        raise UsageError(f"{what} is {least} or more, not {shown(value)}")
    return value


def flag(value: object, what: str) -> bool:
    """Take a yes or no.

    Raises:
        UsageError: It is none; ``"false"`` would count as yes.
    """
    if not isinstance(value, bool):
        raise UsageError(f"{what} is True or False, not {_kind(value)}")
    return value


def texts(value: object, what: str) -> Mapping[str, str]:
    """Take a mapping of texts to texts.

    Raises:
        UsageError: It is none.
    """
    if not isinstance(value, Mapping):
        raise UsageError(f"{what} is a mapping, not {_kind(value)}")
    for one in (*value.keys(), *value.values()):
        secret(one, f"Each name and value of {what[0].lower()}{what[1:]}")
    return value


def url(value: object, what: str = "The org's URL") -> str:
    """Take the URL of a server, without the last slash.

    Raises:
        UsageError: It is none, or a session or a secret would travel in the clear: it is not https, and not this
            machine's own; or a user and password are in it.
    """
    given = secret(value, what)
    try:
        parts = urlsplit(given)
        host = parts.hostname if parts.port is None or parts.port else None
        # What no name server can be asked for is refused here, too.
        (host or "").encode("idna")
    except ValueError:
        parts, host = urlsplit(""), None
    # Also where it is no URL at all: what stands before it may be a password.
    if "@" in given:
        raise UsageError(f"There is a user or password in {what[0].lower()}{what[1:]}; log in with an auth instead")
    if (
        not host
        or parts.scheme not in {"https", "http"}
        or not given.isprintable()
        or any(mark in given for mark in "?# \\")
    ):
        raise UsageError(f"{shown(given)} is no URL of an org; it looks like https://acme.my.salesforce.com")
    if parts.scheme == "http" and not _LOOPBACK.fullmatch(host):
        raise UsageError(
            f"{shown(given)} would carry the session in the clear; use https (plain http is for an emulator on this "
            "machine only)"
        )
    return given.rstrip("/")


def urls(**values: object) -> None:
    """See that where one logs in is a URL, if it is given."""
    for name, value in values.items():
        if value is not None:
            url(value, f"The auth's {name}")


def version(value: object, what: str = "The API version") -> str:
    """Take an API version.

    Raises:
        UsageError: It is none.
    """
    given = secret(value, what)
    if not re.fullmatch(r"[0-9]{1,3}\.[0-9]", given):
        raise UsageError(f"{shown(given)} is no API version; it looks like 66.0")
    return given


def path(value: object, what: str) -> Path:
    """Take the path of a file or folder, that need not be there.

    Raises:
        UsageError: It is none, or no file can have it.
    """
    if not isinstance(value, (str, os.PathLike)) or not isinstance(os.fspath(value), str):
        raise UsageError(f"{what} is a path, not {_kind(value)}")
    found = Path(value)
    name = shown(str(found))
    if "\0" in str(found):
        raise UsageError(f"{what} {name} has a NUL in it, which no name has")
    try:
        absolute = found.absolute()
    except OSError as error:
        raise UsageError(f"{what} {name} cannot be found: the working directory is gone ({error.strerror})") from error
    # Runs and reports are kept in UTF-8, and with them the names of what they were about.
    if not _is_utf_8(str(absolute)):
        raise UsageError(f"{what} {name} has a name, or lies in a folder, that is not UTF-8; rename it")
    try:
        found.stat()
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        # Whoever wants to read or write there tells.
        pass
    except OSError as error:
        raise UsageError(f"{what} {name} cannot be: {error.strerror}") from error
    return found


def number(value: object, what: str, least: float, most: float) -> float:
    """Take a number within bounds, fractions included.

    Raises:
        UsageError: It is none, or beyond them.
    """
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not least <= value <= most:
        raise UsageError(f"{what} is a number from {least:g} to {most:,.0f}, not {shown(value)}")
    # A whole number may be more than a float can hold.
    return float(min(value, sys.float_info.max))


def seconds(value: object, what: str, least: float = 0.0) -> float:
    """Take a time to wait.

    Raises:
        UsageError: It is none, or longer than can be waited.
    """
    return number(value, f"{what}, in seconds,", least, LONGEST_SECONDS)


def _text(value: object, what: str, name: str) -> str:
    if not isinstance(value, str):
        raise UsageError(f"{what} is a text, not {_kind(value)}")
    if not _is_utf_8(value):
        raise UsageError(f"{what}{name} cannot be written as UTF-8")
    return value


def _kind(value: object) -> str:
    return f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__


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
        raise UsageError(f"{what} is one of {', '.join(words)}, not {shown(value)}")
    return found
