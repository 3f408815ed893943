"""Append to a file or a folder: what of it is kept, so that a record comes out once, however often it is tried."""

from __future__ import annotations

import gzip
import time
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Final, cast

from bulkforce.errors import FormatError, UsageError
from bulkforce.formats import csv

_HEADER_BYTES: Final = 1_000_000
_BLOCK_BYTES: Final = 1_048_576


def file_in(folder: Path, suffix: str, begun: float) -> Path:
    """Return a new file in a folder, named by the date and time at which the extract began.

    Raises:
        UsageError: The folder cannot be made.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(
            f"{folder} is a file to which nothing can be appended; name a folder, which gets a file each time"
        )
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise UsageError(f"The folder {folder} cannot be made: {error.strerror}") from error
    name = time.strftime("%Y-%m-%dT%H-%M-%SZ", time.gmtime(begun))
    found, number = folder / f"{name}{suffix}", 1
    while found.exists():
        number += 1
        # Sorted by name, it comes after the one without a number.
        found = folder / f"{name}_{number}{suffix}"
    return found


def check_columns(path: Path, names: Sequence[str], *, packed: bool) -> None:
    """Check that a CSV file has the columns of the query, in the same order.

    Raises:
        UsageError: It has others, or is not CSV.
    """
    try:
        with _opened(path, packed=packed) as file:
            found = csv.header(file.read(_HEADER_BYTES)).names
    except (FormatError, OSError, EOFError, zlib.error) as error:
        raise UsageError(f"Nothing can be appended to {path}: {error}") from error
    if [name.lower() for name in found] != [name.lower() for name in names]:
        raise UsageError(
            f"{path} has the columns {', '.join(found)}, but the query selects {', '.join(names)}; select the same, "
            "in the same order, or name another file"
        )


def is_ended(path: Path, size: int, *, packed: bool) -> bool:
    """Whether the first bytes of a file end with a line end, or there are none."""
    if not size:
        return True
    if packed:
        last = b""
        with _opened(path, packed=True) as file:
            while block := file.read(_BLOCK_BYTES):
                last = block[-1:]
    else:
        with path.open("rb") as file:
            file.seek(size - 1)
            last = file.read(1)
    return last in {b"", b"\n", b"\r"}


def _opened(path: Path, *, packed: bool) -> BinaryIO:
    return cast(BinaryIO, gzip.open(path)) if packed else path.open("rb")
