"""TOML and JSON files, told apart by their suffix."""

from __future__ import annotations

import json
import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

_LARGEST_CHARACTERS: Final = 10_000_000
"""So that an endless file (a device, a pipe) cannot fill the memory."""
_SHOWN: Final = 80


def read_document(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a TOML or JSON file.

    Raises:
        OSError: It cannot be read.
        ValueError: It is not valid TOML or JSON, too long, or not a table.
    """
    file = Path(path)
    with file.open(encoding="utf-8") as opened:
        text = opened.read(_LARGEST_CHARACTERS + 1)
    if len(text) > _LARGEST_CHARACTERS:
        raise ValueError(f"it has more than {_LARGEST_CHARACTERS:,} characters")
    read = json.loads(text) if file.suffix.lower() == ".json" else tomllib.loads(text)
    if not isinstance(read, dict):
        raise ValueError(f"it must hold a table, not {shortened(read)}")  # noqa: TRY004 - of the file, not of the call
    return read


def did_you_mean(name: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """What to add to a refusal of this name: the known name that is most like it, if any is."""
    by_lower = {one.lower(): one for one in known}
    near = get_close_matches(name.lower(), by_lower, 1, cutoff)
    return f"; did you mean {by_lower[near[0]]}?" if near else ""


def shortened(value: object) -> str:
    """A value as Python writes it, cut to what fits into an error."""
    written = repr(value)
    return written if len(written) <= _SHOWN else f"{written[: _SHOWN - 3]}..."
