"""Reading environment variables: by several names, from files, and without ever showing a value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from bulkforce import arguments
from bulkforce.errors import UsageError

_LARGEST_BYTES = 1_000_000


class Value(NamedTuple):
    """A value, and the variable that holds it."""

    text: str
    name: str


class Variables:
    """The variables of an environment; an empty or blank one counts as unset."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def get(self, *names: str, lines: bool = False) -> Value | None:
        """Read a value that may go by several names.

        Args:
            names: The names; each may also end with ``_FILE`` and then name a file that holds the value.
            lines: Whether the value may have several lines.

        Raises:
            UsageError: It is not text, or two names hold different values; the message names the variable.
        """
        found: list[Value] = []
        for name in names:
            value = self._text(name, lines=lines)
            if value:
                found.append(Value(value, name))
            elif in_file := self._of_file(f"{name}_FILE", lines=lines):
                found.append(in_file)
        if len({value.text for value in found}) > 1:
            both = " and ".join(value.name for value in found[:2])
            raise UsageError(f"{both} mean the same and hold different values; unset one of them")
        return found[0] if found else None

    def plain(self, name: str) -> Value | None:
        """Read one variable, without a ``_FILE`` form."""
        value = self._text(name, lines=False)
        return Value(value, name) if value else None

    def flag(self, name: str) -> bool:
        """Read a switch.

        Raises:
            UsageError: It is neither yes nor no.
        """
        value = self._text(name, lines=False).lower()
        if value in {"", "0", "false", "no", "off"}:
            return False
        if value in {"1", "true", "yes", "on"}:
            return True
        with named(name):
            raise UsageError("it must be 1 or 0")

    def _text(self, name: str, *, lines: bool) -> str:
        with named(name):
            return _checked(self._environment.get(name) or "", lines=lines)

    def _of_file(self, name: str, *, lines: bool) -> Value | None:
        place = self._text(name, lines=False)
        if not place:
            return None
        with named(name):
            content = read_secret(place)
        both = f"{name} ({arguments.shown(place)})"
        with named(both):
            text = _checked(content, lines=lines)
            if not text:
                raise UsageError("the file is empty")
        return Value(text, both)


def read_secret(place: str | Path) -> str:
    """Read a file that holds a secret.

    Raises:
        UsageError: It cannot be read.
    """
    path = arguments.path(place, "The file")
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_BYTES + 1)
        if len(content) <= _LARGEST_BYTES:
            return content.decode()
        why = f"it is larger than {_LARGEST_BYTES:,} bytes"
    except OSError as error:
        why = error.strerror or type(error).__name__
    except UnicodeDecodeError:
        why = "it is not text in UTF-8"
    raise UsageError(f"The file {arguments.shown(str(path))} cannot be read: {why}")


@contextmanager
def named(name: str) -> Iterator[None]:
    """Name the variable in a `UsageError` about its value."""
    try:
        yield
    except UsageError as error:
        reason = str(error)
    else:
        return
    # Outside the handler: what is chained to it could hold the value.
    raise UsageError(f"{name} is invalid: {reason}. Correct it, or unset it")


def _checked(value: object, *, lines: bool) -> str:
    text = arguments.secret(value, "it").strip()
    if not "".join(text.splitlines() if lines else [text]).isprintable():
        raise UsageError("it contains a line end or another unprintable character")
    return text
