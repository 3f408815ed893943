"""TOML and JSON files, by the ending of their names."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import os

_LARGEST_CHARACTERS: Final = 10_000_000
"""A file without end (a device, a pipe) is not read until the memory is full."""


def read_document(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a file of tables.

    Raises:
        OSError: It cannot be read.
        ValueError: It is neither; the readers of TOML and JSON say why.
    """
    file = Path(path)
    with file.open(encoding="utf-8") as opened:
        text = opened.read(_LARGEST_CHARACTERS + 1)
    if len(text) > _LARGEST_CHARACTERS:
        raise ValueError(f"it has more than {_LARGEST_CHARACTERS:,} characters")
    read: dict[str, Any] = json.loads(text) if file.suffix.lower() == ".json" else tomllib.loads(text)
    return read
