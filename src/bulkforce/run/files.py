"""Writes files, as the only module here that does: under a temporary name, synced, and then moved into place.

The folder is synced as well, so a file under its final name is complete, and stays so after a crash or a power cut;
only then may a journal rely on it. Existing files are never written into, so links to them and their readers keep the
old content.
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
"""The permissions of the user's files, before the umask is applied."""
_LOOK_INTO: Final = stat.S_IROTH | stat.S_IXOTH
_COPY_BYTES: Final = 67_108_864
_BLOCK_BYTES: Final = 262_144
_CANNOT_SYNC: Final = frozenset({errno.EINVAL, errno.ENOTSUP})
"""The errors by which file systems say that they cannot sync a folder."""


class Draft:
    """A file being written; `publish` gives it its final name.

    Args:
        path: Its final name. A file of that name is kept until then.
        temporary: Its name until then; by default the final name with ``.part`` added. An existing file of that name is
            removed.
        mode: Its permissions before the umask is applied; by default those of its folder. A file that replaces another
            gets that file's permissions.
        buffered: Whether writes are buffered in memory.

    Raises:
        IsADirectoryError: One of the two names is a folder.
    """

    def __init__(
        self, path: Path, *, temporary: Path | None = None, mode: int | None = None, buffered: bool = True
    ) -> None:
        self.path = path
        self.temporary = temporary or part_of(path)
        self._published = False
        before = _mode_of(path)
        opener = partial(os.open, mode=mode_in(path.parent) if mode is None else mode)
        try:
            self.file = self._open(opener, buffered=buffered)
        except FileExistsError:
            check_way(self.temporary)
            self.temporary.unlink()
            self.file = self._open(opener, buffered=buffered)
        if before is not None:
            self.temporary.chmod(before)

    def _open(self, opener: Callable[[str, int], int], *, buffered: bool) -> BinaryIO:
        # Never open an existing file: it may be a link to something else.
        return open(self.temporary, "xb", -1 if buffered else 0, opener=opener)

    def publish(self) -> None:
        """Sync the file and give it its final name; when this returns, it survives a crash."""
        self.file.flush()
        os.fsync(self.file.fileno())
        self.file.close()
        self.temporary.replace(self.path)
        self._published = True
        sync_folder(self.path.parent)

    def discard(self) -> None:
        """Remove the file unless it was published."""
        # Closing fails, too, if buffered content does not fit on a full disk.
        with suppress(OSError):
            self.file.close()
        if not self._published:
            self.temporary.unlink(missing_ok=True)


def append(file: BinaryIO, source: BinaryIO) -> int:
    """Append the rest of a file to another, and return how many bytes that is.

    Where the kernel can copy between the two, no byte comes here; some file systems then share what both hold.
    """
    file.flush()
    begin = at = file.tell()
    # Whatever the kernel does not copy, and it has many reasons not to, is read and written.
    with suppress(OSError, AttributeError):
        while count := os.copy_file_range(source.fileno(), file.fileno(), _COPY_BYTES, source.tell(), at):
            at = file.seek(at + count)
            source.seek(count, os.SEEK_CUR)
    while block := source.read(_BLOCK_BYTES):
        at += file.write(block)
    return at - begin


def check_way(*places: Path) -> None:
    """Check that there is no folder in the place of one of our files.

    Raises:
        IsADirectoryError: There is one.
    """
    for place in places:
        if place.is_dir() and not place.is_symlink():
            raise IsADirectoryError(f"{place} is in the way: it is a folder, not a file. Move it away")


def part_of(path: Path, token: str = "") -> Path:
    """Return the name of a file while it is being written; a token makes it differ from other files there."""
    return path.with_name(f"{path.name}{'.' if token else ''}{token}.part")


def new_token(*paths: Path) -> str:
    """Return a token that no file beside these uses yet, for files in the user's folders."""
    while True:
        token = secrets.token_hex(4)
        # A root folder has no name, and is refused later.
        if not any(path.name and os.path.lexists(part_of(path, token)) for path in paths):
            return token


def _mode_of(path: Path) -> int | None:
    """Return the permissions of the file in a place, if there is one; see `check_way`."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(mode):
        check_way(path)
    return mode & 0o777


def mode_in(folder: Path) -> int:
    """Return the permissions for a new file in a folder: whoever may not read the folder may not read the file."""
    return folder.stat().st_mode & 0o666


def is_for_everybody(path: Path) -> bool:
    """Whether everyone may read a file and every folder on the path to it, since a private folder hides its files."""
    real = Path(os.path.realpath(path))
    return bool(real.stat().st_mode & stat.S_IROTH) and all(
        folder.stat().st_mode & _LOOK_INTO == _LOOK_INTO for folder in real.parents
    )


@contextmanager
def whole(
    path: Path, *, temporary: Path | None = None, mode: int | None = None, buffered: bool = True
) -> Iterator[BinaryIO]:
    """Write a file that appears only if nothing goes wrong; see `Draft`."""
    draft = Draft(path, temporary=temporary, mode=mode, buffered=buffered)
    try:
        yield draft.file
        draft.publish()
    finally:
        draft.discard()


def write_whole(path: Path, content: bytes, *, temporary: Path | None = None, mode: int | None = None) -> None:
    """Write a file with this content; see `Draft`."""
    with whole(path, temporary=temporary, mode=mode) as file:
        file.write(content)


def make_folder(path: Path, *, mode: int | None = None) -> list[Path]:
    """Create a folder, and its missing parents.

    Args:
        path: The folder; it may exist.
        mode: Its permissions, even if it exists; by default the umask decides for a new one.

    Returns:
        The folders that were created, the innermost first.

    Raises:
        NotADirectoryError: It exists but is not a folder.
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
        raise NotADirectoryError(f"{path} is in the way: it is not a folder. Move it away")
    if mode is not None:
        path.chmod(mode)
    return made


def sync_folder(folder: Path) -> None:
    """Sync the list of names in a folder to disk."""
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
