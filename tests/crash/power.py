"""What a disk would hold after a power cut, if it had written nothing but what it was made to write.

A file has the content that it had when it was last synced, none if it never was; a folder has the names that it had
when it was last synced. Only
SQLite's files are taken as they are: it syncs them itself, behind Python's back, and says that what is committed is on
    disk.
"""

from __future__ import annotations

import os
import shutil
import stat
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

Inode: TypeAlias = tuple[int, int]
SQLITE = (".sqlite", ".sqlite-wal", ".sqlite-shm", ".sqlite-journal")


def _inode(status: os.stat_result) -> Inode:
    return status.st_dev, status.st_ino


class Disk:
    """Watches what this process makes the disk write below a folder, from now on; what is there already is on disk."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._contents: dict[Inode, bytes] = {}
        self._names: dict[Inode, dict[str, Inode]] = {}
        self._is_folder: set[Inode] = set()
        # The process has several threads: what one of them notes must not be what was before another's note.
        self._lock = threading.RLock()
        for path in self._all():
            self._note(path)
        self._really_sync: Callable[[int], None] = os.fsync
        os.fsync = self._sync  # type: ignore[assignment]

    def _all(self) -> list[Path]:
        return [self._root, *self._root.rglob("*")]

    def _sync(self, handle: int) -> None:
        self._really_sync(handle)
        inode = _inode(os.fstat(handle))
        with self._lock:
            for path in self._all():
                # Another thread may take any name away meanwhile.
                with suppress(FileNotFoundError):
                    if _inode(path.stat()) == inode:
                        self._note(path)
                        return

    def _note(self, path: Path) -> None:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            names: dict[str, Inode] = {}
            self._is_folder.add(_inode(status))
            for one in path.iterdir():
                with suppress(FileNotFoundError):
                    inside = one.stat()
                    names[one.name] = _inode(inside)
                    if stat.S_ISDIR(inside.st_mode):
                        self._is_folder.add(_inode(inside))
            self._names[_inode(status)] = names
        else:
            self._contents[_inode(status)] = path.read_bytes()

    def cut(self, left: Path) -> None:
        """Write down what would be left of the folder after a power cut now."""
        with self._lock:
            self._write(_inode(self._root.stat()), self._root, left)

    def _write(self, folder: Inode, was: Path, left: Path) -> None:
        left.mkdir()
        for name, inode in self._names.get(folder, {}).items():
            if inode in self._is_folder:
                self._write(inode, was / name, left / name)
            else:
                (left / name).write_bytes(self._contents.get(inode, b""))
        for path in was.iterdir() if was.exists() else ():
            database = path.name.partition(".sqlite")[0] + ".sqlite"
            if path.name.endswith(SQLITE) and database in self._names.get(folder, {}):
                shutil.copyfile(path, left / path.name)
