"""Checks of the arguments that callers pass, so that a bad one raises `UsageError` and not whatever fails first."""

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
"""Over eleven days: longer than anything here takes, and within what sockets and clocks support on every system."""
SHORTEST_SECONDS: Final = 0.001
LONGEST_NAME: Final = 255
"""No id or object name is this long. Anything longer is not sent, nor printed in the path of every error."""

_SHOWN_CHARACTERS: Final = 100
_LOOPBACK: Final = re.compile(r"localhost|127\.\d+\.\d+\.\d+|::1")


def shown(value: object) -> str:
    """Format a caller's value for an error message, cut to a helpful length."""
    if isinstance(value, str):
        return repr(value) if len(value) <= _SHOWN_CHARACTERS else f"{value[:_SHOWN_CHARACTERS]!r}..."
    if isinstance(value, float) or (type(value) is int and value.bit_length() <= _SHOWN_CHARACTERS):
        return f"{value:,}"
    return _kind(value)


def instance(value: object, kind: type[T], what: str) -> T:
    """Check that a value is an instance of a class.

    Raises:
        UsageError: It is not.
    """
    if not isinstance(value, kind):
        raise UsageError(f"{what} must be a {kind.__name__}, not {_kind(value)}")
    return value


def having(value: T | None, methods: str, what: str) -> T:
    """Check that an object has the methods of a protocol.

    Raises:
        UsageError: It lacks one, or it is a class instead of an instance.
    """
    if (
        value is None
        or isinstance(value, type)
        or not all(callable(getattr(value, name, None)) for name in methods.split())
    ):
        raise UsageError(f"{what}, not {_kind(value)}")
    return value


def text(value: object, what: str) -> str:
    """Check a string.

    Raises:
        UsageError: It is not a string, or cannot be encoded as UTF-8.
    """
    return _text(value, what, f" {shown(value)}")


def secret(value: object, what: str) -> str:
    """Check a string that must never be shown.

    Raises:
        UsageError: It is not a string, or cannot be encoded as UTF-8.
    """
    return _text(value, what, "")


def secrets(**values: object) -> None:
    """Check that all login values are strings."""
    for name, value in values.items():
        secret(value, f"The auth's {name}")


def object_name(value: object) -> str:
    """Check the API name of an object.

    Raises:
        UsageError: It is not one.
    """
    name = text(value, "The object")
    if len(name) > LONGEST_NAME or not re.fullmatch(r"[A-Za-z]\w*", name, re.ASCII):
        raise UsageError(f"{shown(name)} is not the API name of an object (letters, digits, underscores)")
    return name


def count(value: object, what: str, least: int | None = None) -> int:
    """Check a whole number.

    Raises:
        UsageError: It is not one, or it is too small.
    """
    if not isinstance(value, int) or isinstance(value, bool):
        raise UsageError(f"{what} must be a whole number, not {_kind(value)}")
    if least is not None and value < least:
        raise UsageError(f"{what} must be {least} or more, not {shown(value)}")
    return value


def flag(value: object, what: str) -> bool:
    """Check a boolean.

    Raises:
        UsageError: It is not one; ``"false"`` would count as true.
    """
    if not isinstance(value, bool):
        raise UsageError(f"{what} must be True or False, not {_kind(value)}")
    return value


def texts(value: object, what: str) -> Mapping[str, str]:
    """Check a mapping of strings to strings.

    Raises:
        UsageError: It is not one.
    """
    if not isinstance(value, Mapping):
        raise UsageError(f"{what} must be a mapping, not {_kind(value)}")
    for one in (*value.keys(), *value.values()):
        secret(one, f"Each name and value of {what[0].lower()}{what[1:]}")
    return value


def url(value: object, what: str = "The org's URL", *, allow_http: bool = False) -> str:
    """Check the URL of a server, and drop a trailing slash.

    Args:
        value: The URL.
        what: What to call it in an error.
        allow_http: Whether plain ``http`` to another machine is acceptable.

    Raises:
        UsageError: It is not a URL, it contains a user or password, or it would send a session or secret in the clear:
            it is not https and not on this machine.
    """
    given = secret(value, what)
    try:
        parts = urlsplit(given)
        host = parts.hostname if parts.port is None or parts.port else None
        # A host name that cannot be looked up is refused here, too.
        (host or "").encode("idna")
    except ValueError:
        parts, host = urlsplit(""), None
    # Even if it is not a URL at all: what precedes the @ may be a password.
    if "@" in given:
        raise UsageError(f"There is a user or password in {what[0].lower()}{what[1:]}; log in with an auth instead")
    if (
        not host
        or parts.scheme not in {"https", "http"}
        or not given.isprintable()
        or any(mark in given for mark in "?# \\")
    ):
        raise UsageError(f"{shown(given)} is not the URL of an org, such as https://acme.my.salesforce.com")
    if parts.scheme == "http" and not allow_http and not is_loopback(host):
        raise UsageError(
            f"{shown(given)} would send the session in the clear; use https. For an emulator in a network that you "
            "trust, such as that of docker compose, set BULKFORCE_ALLOW_HTTP=1 (in Python also allow_http=True)"
        )
    return given.rstrip("/")


def is_loopback(host: str) -> bool:
    """Return whether a host name or address is this machine."""
    return _LOOPBACK.fullmatch(host) is not None


def urls(**values: object) -> None:
    """Check each login URL that is not ``None``; whether plain http is acceptable, the client knows when it sends."""
    for name, value in values.items():
        if value is not None:
            url(value, f"The auth's {name}", allow_http=True)


def version(value: object, what: str = "The API version") -> str:
    """Check an API version, and write ``66`` and ``v66.0`` as ``66.0``.

    Raises:
        UsageError: It is not one.
    """
    given = secret(value, what)
    found = re.fullmatch(r"[vV]?([0-9]{1,3})(?:\.([0-9]))?", given)
    if found is None:
        raise UsageError(f"{shown(given)} is not an API version, such as 66.0")
    return f"{found[1]}.{found[2] or 0}"


def path(value: object, what: str) -> Path:
    """Check the path of a file or folder, which need not exist.

    Raises:
        UsageError: It is not a path, or no file can have it.
    """
    if not isinstance(value, (str, os.PathLike)) or not isinstance(os.fspath(value), str):
        raise UsageError(f"{what} must be a path, not {_kind(value)}")
    found = Path(value)
    name = shown(str(found))
    if "\0" in str(found):
        raise UsageError(f"{what} {name} contains a NUL character, which no path can")
    try:
        absolute = found.absolute()
    except OSError as error:
        raise UsageError(f"{what} {name} cannot be found: the working directory is gone ({error.strerror})") from error
    # Runs and reports are kept in UTF-8, including the paths they mention.
    if not _is_utf_8(str(absolute)):
        raise UsageError(f"{what} {name} has a name that is not UTF-8, or is in a folder that has one; rename it")
    try:
        found.stat()
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        # Whoever reads or writes there reports it.
        pass
    except OSError as error:
        raise UsageError(f"{what} {name} cannot be used: {error.strerror}") from error
    return found


def number(value: object, what: str, least: float, most: float) -> float:
    """Check a number within bounds, which may be a fraction.

    Raises:
        UsageError: It is not a number, or it is out of bounds.
    """
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not least <= value <= most:
        raise UsageError(f"{what} must be a number from {least:g} to {most:,.0f}, not {shown(value)}")
    # An int may be too large for a float.
    return float(min(value, sys.float_info.max))


def seconds(value: object, what: str, least: float = 0.0) -> float:
    """Check a time to wait.

    Raises:
        UsageError: It is not a number of seconds, or it is too long to wait.
    """
    return number(value, f"{what}, in seconds,", least, LONGEST_SECONDS)


def _text(value: object, what: str, name: str) -> str:
    if not isinstance(value, str):
        raise UsageError(f"{what} must be a string, not {_kind(value)}")
    if not _is_utf_8(value):
        raise UsageError(f"{what}{name} cannot be encoded as UTF-8")
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
    """Check that a value is one of some words.

    Raises:
        UsageError: It is not.
    """
    found = next((word for word in words if isinstance(value, str) and value == word), None)
    if found is None:
        raise UsageError(f"{what} must be one of {', '.join(words)}, not {shown(value)}")
    return found
