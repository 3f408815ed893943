"""The file that batches are ranges of, guarded against change."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from bulkforce.errors import FormatError, SourceChanged
from bulkforce.transfer.cutting import Batch
from bulkforce.transfer.mapping import Shape


class Feed:
    """The file that batches are ranges of, guarded against change."""

    def __init__(self, path: Path, size: int, mtime_ns: int, shape: Shape) -> None:
        self._path, self._size, self._mtime_ns, self._shape = path, size, mtime_ns, shape

    def confirm(self, batches: Iterable[Batch]) -> None:
        """See, before a run goes on, that the file is the one that was read; one that was only touched or copied back is, if every digest fits.

        Raises:
            SourceChanged: It is not.
        """
        now = self._stat()
        if now.st_size == self._size and now.st_mtime_ns != self._mtime_ns:
            self._mtime_ns = now.st_mtime_ns
            for batch in batches:
                self.content(batch)
        self.check()

    def check(self) -> None:
        """See that the file is still the one that was read.

        Raises:
            SourceChanged: It is not.
        """
        now = self._stat()
        if (now.st_size, now.st_mtime_ns) != (self._size, self._mtime_ns):
            raise SourceChanged(f"The source {self._path} has changed since the run began; nothing more is sent. Begin a new run")

    def _stat(self) -> os.stat_result:
        try:
            return self._path.stat()
        except OSError as error:
            raise SourceChanged(f"The source {self._path} cannot be read any more: {error.strerror}; nothing more is sent") from error

    def rows(self, batch: Batch) -> bytes:
        """Read the records of a batch as they stand in the source."""
        with self._path.open("rb") as file:
            file.seek(batch.start)
            return file.read(batch.end - batch.start)

    def content(self, batch: Batch) -> bytes:
        """Make the bytes of a batch that are sent.

        Raises:
            SourceChanged: They are not those that were sealed.
        """
        self.check()
        try:
            content = self._shape.header + self._shape.apply(self.rows(batch))
        except FormatError:
            content = b""
        if hashlib.sha256(content).hexdigest() != batch.sha256:
            raise SourceChanged(
                f"The source {self._path} has changed: batch {batch.number} is no longer what was read; nothing more is sent"
            )
        return content
