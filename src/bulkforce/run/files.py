"""Writes files, and is the only module here that does: under a temporary name, synced, moved in place, the folder
synced behind it.

So a file that has its name is whole, and stays so after any death of the process and after a power cut. Only then may a
journal rely on it. Nothing is ever written into a file that was there before, so that a link to it, or a reader of it,
keeps what it had.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final

UMASK: Final = 0o666
"""The permissions that the umask leaves, for files of the user's."""
_LOOK_INTO: Final = stat.S_IROTH | stat.S_IXOTH
_CANNOT_SYNC: Final = frozenset({errno.EINVAL, errno.ENOTSUP})
"""How file systems say that they have no such thing as a folder that can be synced."""


class Draft:
    """A file in the making; it gets its name by `publish`.

    Args:
        path: The name it is to have. What stands there stays as it is until then.
        temporary: The name it has meanwhile; by default with ``.part`` behind. What has this name is removed.
        mode: Its permissions, less those that the umask takes; by default those of its folder. What replaces a file has
            that file's.
        buffered: Whether what is written is gathered in memory first.

    Raises:
        IsADirectoryError: A folder has one of the two names.
    """

    def __init__(
        self, path: Path, *, temporary: Path | None = None, mode: int | None = None, buffered: bool = True
    ) -> None:
        self.path = path
        self.temporary = temporary or part_of(path)
        self._published = False
        check_way(self.path, self.temporary)
        before = _mode_of(path)
        opener = partial(os.open, mode=mode_in(path.parent) if mode is None else mode)
        try:
            self.file = self._open(opener, buffered=buffered)
        except FileExistsError:
            self.temporary.unlink()
            self.file = self._open(opener, buffered=buffered)
        if before is not None:
            self.temporary.chmod(before)

    def _open(self, opener: Callable[[str, int], int], *, buffered: bool) -> BinaryIO:
        # Never what is there already: it may be a link to something else.
        return open(self.temporary, "xb", -1 if buffered else 0, opener=opener)

    def publish(self) -> None:
        """Bring it to disk and give it its name; when this returns it is there, whatever happens."""
        self.file.flush()
        os.fsync(self.file.fileno())
        self.file.close()
        self.temporary.replace(self.path)
        self._published = True
        sync_folder(self.path.parent)

    def discard(self) -> None:
        """Leave nothing behind; harmless after `publish`."""
        # What could not be written to a full disk cannot be at closing either.
        with suppress(OSError):
            self.file.close()
        if not self._published:
            self.temporary.unlink(missing_ok=True)


def check_way(*places: Path) -> None:
    """See that no folder stands where a file of ours is, or is to be.

    Raises:
        IsADirectoryError: One does.
    """
    for place in places:
        if place.is_dir() and not place.is_symlink():
            raise IsADirectoryError(f"{place} is in the way: it is a folder, and no file. Move it away")


def part_of(path: Path, token: str = "") -> Path:
    """Give the name that a file has while it is written; a token sets it apart from whatever else lies beside it."""
    return path.with_name(f"{path.name}{'.' if token else ''}{token}.part")


def new_token(*paths: Path) -> str:
    """Find a token by which nothing is called yet, for files in folders of the user's."""
    while True:
        token = secrets.token_hex(4)
        # A root has no name, and will be refused for what it is.
        if not any(path.name and os.path.lexists(part_of(path, token)) for path in paths):
            return token


def _mode_of(path: Path) -> int | None:
    try:
        return path.stat().st_mode & 0o777
    except FileNotFoundError:
        return None


def mode_in(folder: Path) -> int:
    """Say which permissions a new file in a folder has at most: those who may not look into the folder may not read the
    file, wherever it goes.
    """
    return folder.stat().st_mode & 0o666


def is_for_everybody(path: Path) -> bool:
    """Whether everybody may read a file, and look into each folder on the way to it: one that they may not keeps them
    from what lies below.
    """
    real = Path(os.path.realpath(path))
    return bool(real.stat().st_mode & stat.S_IROTH) and all(
        folder.stat().st_mode & _LOOK_INTO == _LOOK_INTO for folder in real.parents
    )


@contextmanager
def whole(
    path: Path, *, temporary: Path | None = None, mode: int | None = None, buffered: bool = True
) -> Iterator[BinaryIO]:
    """Write a file that is there if nothing goes wrong, and else is not; see `Draft`."""
    draft = Draft(path, temporary=temporary, mode=mode, buffered=buffered)
    try:
        yield draft.file
        draft.publish()
    finally:
        draft.discard()


def write_whole(path: Path, content: bytes, *, temporary: Path | None = None, mode: int | None = None) -> None:
    """Write a file of this content; see `Draft`."""
    with whole(path, temporary=temporary, mode=mode) as file:
        file.write(content)


def make_folder(path: Path, *, mode: int | None = None) -> list[Path]:
    """Make a folder, and those above it as far as they are missing.

    Args:
        path: The folder; it may be there.
        mode: Its permissions, also if it is there; by default those that the umask leaves to one that is made.

    Returns:
        Those that were made, the innermost first.

    Raises:
        NotADirectoryError: It is there, and no folder.
    """
    missing: list[Path] = []
    folder = path
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    made: list[Path] = []
    for folder in reversed(missing):
        try:
            folder.mkdir(0o777 if mode is None or folder != path else mode)
        except FileExistsError:
            if not folder.is_dir():
                raise
        else:
            sync_folder(folder.parent)
            made.insert(0, folder)
    if not path.is_dir():
        raise NotADirectoryError(f"{path} is in the way: it is no folder. Move it away")
    if mode is not None:
        path.chmod(mode)
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
