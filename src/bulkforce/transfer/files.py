"""Writes files, and is the only module here that does: under a temporary name, synced, moved in place, the folder synced behind it.

So a file that has its name is whole, and stays so after any death of the process and after a power cut. Only then may a journal name it.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

_CANNOT_SYNC: Final = frozenset({errno.EINVAL, errno.ENOTSUP})
"""How file systems say that they have no such thing as a folder that can be synced."""


class Draft:
    """A file in the making; it gets its name by `publish`.

    Args:
        path: The name it is to have. What stands there stays as it is until then.
        temporary: The name it has meanwhile; by default with ``.part`` behind. What has this name is removed.
        buffered: Whether what is written is gathered in memory first.
    """

    def __init__(self, path: Path, *, temporary: Path | None = None, buffered: bool = True) -> None:
        self.path = path
        self.temporary = temporary or path.with_name(path.name + ".part")
        self.temporary.unlink(missing_ok=True)
        self.file: BinaryIO = self.temporary.open("xb", buffering=-1 if buffered else 0)

    def publish(self) -> None:
        """Bring it to disk and give it its name; when this returns it is there, whatever happens."""
        self.file.flush()
        os.fsync(self.file.fileno())
        self.file.close()
        self.temporary.replace(self.path)
        sync_folder(self.path.parent)

    def discard(self) -> None:
        """Leave nothing behind; harmless after `publish`."""
        # What could not be written to a full disk cannot be at closing either.
        with suppress(OSError):
            self.file.close()
        self.temporary.unlink(missing_ok=True)


@contextmanager
def whole(path: Path, *, buffered: bool = True) -> Iterator[BinaryIO]:
    """Write a file that is there if nothing goes wrong, and else is not."""
    draft = Draft(path, buffered=buffered)
    try:
        yield draft.file
        draft.publish()
    finally:
        draft.discard()


def write_whole(path: Path, content: bytes) -> None:
    """Write a file of this content."""
    with whole(path) as file:
        file.write(content)


def make_folder(path: Path) -> list[Path]:
    """Make a folder, and those above it as far as they are missing.

    Returns:
        Those that were made, the innermost first.
    """
    missing = [path]
    while not missing[-1].exists() and missing[-1] != missing[-1].parent:
        missing.append(missing[-1].parent)
    made: list[Path] = []
    for folder in reversed(missing):
        try:
            folder.mkdir()
        except FileExistsError:
            if not folder.is_dir():
                raise
        else:
            sync_folder(folder.parent)
            made.insert(0, folder)
    return made


def sync_folder(folder: Path) -> None:
    """Bring to disk which names a folder holds."""
    if sys.platform == "win32":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in _CANNOT_SYNC:
            raise
    finally:
        os.close(handle)
