"""Errors about a file name it, wherever below they are raised."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from bulkforce.errors import FormatError, MissingExtra, UsageError


@contextmanager
def naming(name: str | None, about: str = "") -> Iterator[None]:
    """Put the name of a file before errors about it that do not have it.

    Args:
        name: The name; ``None`` if it is no file.
        about: How the texts of errors about it begin.
    """
    try:
        yield
    except (FormatError, UsageError) as error:
        is_named = name is None or name.lower() in str(error).lower()
        if not is_named and error.text.startswith(about) and not isinstance(error, MissingExtra):
            error.text = f"{name}: {error.text}"
            error.args = (f"{name}: {error.args[0]}", *error.args[1:])
        raise
