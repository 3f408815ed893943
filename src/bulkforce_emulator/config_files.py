"""TOML and JSON files, told apart by their suffix."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import os

_LARGEST_CHARACTERS: Final = 10_000_000
"""So that an endless file (a device, a pipe) cannot fill the memory."""


def read_document(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a TOML or JSON file.

    Raises:
        OSError: It cannot be read.
        ValueError: It is not valid TOML or JSON, or too long.
    """
    file = Path(path)
    with file.open(encoding="utf-8") as opened:
        text = opened.read(_LARGEST_CHARACTERS + 1)
    if len(text) > _LARGEST_CHARACTERS:
        raise ValueError(f"it has more than {_LARGEST_CHARACTERS:,} characters")
    read: dict[str, Any] = json.loads(text) if file.suffix.lower() == ".json" else tomllib.loads(text)
    return read
