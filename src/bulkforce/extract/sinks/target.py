"""Where a sink writes: a file that appears only when it is complete, or something that gets bytes as they come."""

from __future__ import annotations

import os
import stat
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from bulkforce.errors import TransferError, UsageError
from bulkforce.later import later
from bulkforce.run.files import UMASK, Draft, append, new_token, part_of
from bulkforce.transport import gzip

if TYPE_CHECKING:
    from bulkforce.extract.sinks import appending
else:
    appending = later("bulkforce.extract.sinks.appending")

STANDARD_OUTPUT: Final = "-"
# Files are kept, so compress them a little more than on the wire.
_GZIP_LEVEL: Final = 2
_BLOCK_BYTES: Final = 262_144


class Target:
    """A place to write to, with the few methods of a binary file that writers need.

    A file gets its name in `publish`. Standard output, pipes and devices get every byte immediately, and it cannot be
    undone.

    Args:
        to: A path, or ``"-"``.
        packed: Whether to compress it with gzip.
        token: Part of its temporary name; a file with that name is assumed to be ours.
        keep: How many bytes of the file stay, before what is written; ``None`` replaces it.

    Raises:
        UsageError: It cannot be written.
    """

    def __init__(
        self, to: str | os.PathLike[str], *, packed: bool = False, token: str = "", keep: int | None = None
    ) -> None:
        if to == STANDARD_OUTPUT and sys.stdout is None:
            raise UsageError("Standard output is closed, so nothing can be written to it; name a file")
        self.path = None if to == STANDARD_OUTPUT else Path(os.path.realpath(to))
        self.is_file = self.path is not None and _is_file(self.path, Path(to))
        self.packed = packed
        self.keep = keep or 0
        self._may_be = None if keep is None else keep
        self._token = token
        self._draft: Draft | None = None
        self._file: BinaryIO | None = None
        self._packer = gzip.packer(_GZIP_LEVEL)
        self._written = 0

    def open(self) -> None:
        """Begin, or start over: anything already written to a file is dropped.

        Raises:
            UsageError: The file cannot be created.
        """
        self.discard()
        self._packer, self._written = gzip.packer(_GZIP_LEVEL), 0
        try:
            self._file = self._opened()
        except OSError as error:
            raise UsageError(f"{self.path} cannot be written: {error.strerror or error}") from error

    def write(self, content: bytes | memoryview) -> int:
        """Append bytes; after `discard`, do nothing, so that writers can still be closed."""
        size = len(content)
        self._written += size
        if self._file is not None:
            self._file.write(self._packer.compress(content) if self.packed else content)
        return size

    def append(self, source: BinaryIO) -> None:
        """Append the rest of a file."""
        if self._draft is not None and not self.packed:
            self._written += append(self._draft.file, source)
            return
        while block := source.read(_BLOCK_BYTES):
            self.write(block)

    def tell(self) -> int:
        """Return how much was written, even to a pipe."""
        return self._written

    def flush(self) -> None:
        """Do nothing; for writers that call it."""

    def close(self) -> None:
        """Do nothing, for writers that call it; `publish` or `discard` ends the target."""

    closed = False

    def publish(self) -> None:
        """Write the end, and move a file into place."""
        assert self._file is not None
        if self.packed:
            self._file.write(self._packer.flush())
        if self._draft is not None:
            self._check_unchanged(self._draft)
            self._draft.publish()
        else:
            self._file.flush()
        self.discard()

    def discard(self) -> None:
        """Leave no half-written file behind; harmless after `publish`."""
        file, self._file = self._file, None
        draft, self._draft = self._draft, None
        if draft is not None:
            draft.discard()
        elif file is not None and self.path is not None:
            # On a full device closing fails once more.
            with suppress(OSError):
                file.close()

    def _opened(self) -> BinaryIO:
        if self.path is None:
            return sys.stdout.buffer
        if not self.is_file:
            return self.path.open("wb")
        self._token = self._token or new_token(self.path)
        self._draft = Draft(self.path, temporary=part_of(self.path, self._token), mode=UMASK)
        if self.keep:
            self._copy_kept(self._draft.file)
        return self._draft.file

    def _copy_kept(self, file: BinaryIO) -> None:
        assert self.path is not None
        left = self.keep
        with self.path.open("rb") as before:
            while left and (block := before.read(min(left, _BLOCK_BYTES))):
                file.write(block)
                left -= len(block)
        if left:
            raise self._changed()
        if not appending.is_ended(self.path, self.keep, packed=self.packed):
            file.write(self._packer.compress(b"\n") if self.packed else b"\n")

    def _check_unchanged(self, draft: Draft) -> None:
        """Check that nobody else has written to a file that is appended to; what we wrote is written again."""
        if self._may_be is None:
            return
        now = draft.path.stat().st_size if draft.path.exists() else 0
        if now not in {self._may_be, draft.file.tell()}:
            raise self._changed()

    def _changed(self) -> TransferError:
        return TransferError(
            f"{self.path} has changed since the extract to append to it began, so nothing was appended; run a new "
            "extract"
        )


def _is_file(path: Path, given: Path) -> bool:
    """Whether a file with this name exists or can be created.

    Raises:
        UsageError: Its folder does not exist, or it is a folder itself.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        if not path.parent.is_dir():
            raise UsageError(f"There is no folder {given.parent} to write {path.name} to") from None
        if not os.access(path.parent, os.W_OK):
            raise UsageError(f"The folder {given.parent} cannot be written to: permission denied") from None
        return True
    except OSError as error:
        raise UsageError(f"{given} cannot be written: {error.strerror}") from error
    if stat.S_ISDIR(mode):
        raise UsageError(f"{given} is a folder; name a file in it")
    return stat.S_ISREG(mode)
