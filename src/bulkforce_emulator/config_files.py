"""TOML and JSON files, by the ending of their names."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import os


def read_document(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a file of tables.

    Raises:
        OSError: It cannot be read.
        ValueError: It is neither; the readers of TOML and JSON say why.
    """
    file = Path(path)
    text = file.read_text(encoding="utf-8")
    read: dict[str, Any] = json.loads(text) if file.suffix.lower() == ".json" else tomllib.loads(text)
    return read
