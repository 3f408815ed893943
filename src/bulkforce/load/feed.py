"""The file that batches are ranges of, and the checks that it has not changed."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from io import BufferedReader
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, cast

from bulkforce.errors import FormatError, SourceChanged
from bulkforce.formats.rows import column_of
from bulkforce.later import later
from bulkforce.load.cutter import Batch
from bulkforce.load.mapping import Shape
from bulkforce.protocol.exchange import Body

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from bulkforce.load import attachments
else:
    attachments = later("bulkforce.load.attachments")

_BLOCK_BYTES: Final = 65_536
_HELD_BYTES: Final = 4_194_304
"""A batch up to this size is held while it is joined; a larger one is read twice."""


class Upload:
    """A batch that is read, converted and digested while it is sent, so that it is never in memory.

    What was sent is compared with what was read afterwards: only for an upload that does not count yet.

    Args:
        batch: The batch.
        blocks: Returns its content as it is sent.
        changed: Returns the error for a batch that is not what was read.
    """

    def __init__(
        self, batch: Batch, blocks: Callable[[Batch], Iterator[bytes]], changed: Callable[[Batch], SourceChanged]
    ) -> None:
        self._batch, self._blocks, self._changed = batch, blocks, changed
        self._digest = hashlib.sha256()
        self.body = Body(self._open, batch.size)

    def _open(self) -> BinaryIO:
        self._digest = hashlib.sha256()
        return cast(BinaryIO, _Reading(self._blocks(self._batch), self._digest.update))

    def check(self) -> None:
        """Check that what was sent last is what was read before the load.

        Raises:
            SourceChanged: It is not.
        """
        if self._digest.hexdigest() != self._batch.sha256:
            raise self._changed(self._batch)


class _Reading(io.RawIOBase):
    """Blocks as a file."""

    def __init__(self, blocks: Iterator[bytes], look: Callable[[bytes], object]) -> None:
        self._blocks, self._look, self._rest = blocks, look, memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer) -> int:
        target = memoryview(buffer).cast("B")
        while not self._rest:
            block = next(self._blocks, None)
            if block is None:
                return 0
            self._look(block)
            self._rest = memoryview(block)
        size = min(len(target), len(self._rest))
        target[:size], self._rest = self._rest[:size], self._rest[size:]
        return size


def _blocks(file: BinaryIO, size: int) -> Iterator[bytes]:
    """Read so many bytes of a file."""
    while size > 0 and (block := file.read(min(size, _BLOCK_BYTES))):
        yield block
        size -= len(block)


class Feed:
    """The file that batches are ranges of.

    A different size or modification time shows a change at once; the digests prove that there was none.
    """

    def __init__(self, path: Path, size: int, mtime_ns: int, shape: Shape, files_folder: Path | None = None) -> None:
        self.path, self._size, self._mtime_ns, self._shape = path, size, mtime_ns, shape
        self._files_folder = files_folder or path.parent

    def confirm(self, batches: Iterable[Batch]) -> None:
        """Check, before a run continues, that the file is still what was read, batch by batch.

        A new modification time alone, from `touch` or a restored copy, is not a change.

        Raises:
            SourceChanged: The file has changed.
        """
        now = self._stat()
        if now.st_size == self._size:
            self._mtime_ns = now.st_mtime_ns
        self.check()
        for batch in batches:
            for _ in self.blocks(batch):
                pass

    def check(self) -> None:
        """Check by its size and modification time that the file is still what was read.

        Raises:
            SourceChanged: The file has changed.
        """
        now = self._stat()
        if (now.st_size, now.st_mtime_ns) != (self._size, self._mtime_ns):
            raise SourceChanged(f"The source {self.path} has changed since it was read")

    def _stat(self) -> os.stat_result:
        try:
            return self.path.stat()
        except OSError as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: OSError) -> SourceChanged:
        return SourceChanged(f"The source {self.path} can no longer be read: {error.strerror}")

    def rows(self, batch: Batch) -> bytes:
        """Read the records of a batch as they are in the source.

        Raises:
            SourceChanged: The records are not what was read.
        """
        rows = self._read(batch)
        if batch.piece_sha256:
            self._compare(rows, batch.piece_sha256, batch)
        else:
            self._sent(rows, batch)
        return rows

    def blocks(self, batch: Batch) -> Iterator[bytes]:
        """Read the records of a batch as they are in the source, block by block, so that they are never in memory.

        Raises:
            SourceChanged: The records are not what was read; this is only known after the last block.
        """
        if not (batch.piece_sha256 or self._shape.keeps_bytes):
            yield self.rows(batch)
            return
        digest = hashlib.sha256(b"" if batch.piece_sha256 else self._shape.header)
        with self._open(batch) as file:
            for block in _blocks(file, batch.end - batch.start):
                digest.update(block)
                yield block
        if digest.hexdigest() != (batch.piece_sha256 or batch.sha256):
            raise self._changed(batch)

    def proven(self, batch: Batch) -> Iterable[bytes]:
        """Return the records of a batch, in blocks, once they are known to be what was read.

        Raises:
            SourceChanged: They are not.
        """
        if batch.end - batch.start <= _HELD_BYTES:
            return list(self.blocks(batch))
        for _ in self.blocks(batch):
            pass
        return self.blocks(batch)

    @property
    def header(self) -> bytes:
        """The header of each batch, as it is sent."""
        return self._shape.header

    def records_sent(self, batch: Batch) -> Iterator[bytes]:
        """Read the records of a batch block by block, as they are sent.

        Raises:
            SourceChanged: The records are not what was read; this is only known after the last block.
        """
        # The header comes first.
        return islice(self._shape.stream(self.blocks(batch)), 1, None)

    def ids(self, batch: Batch) -> list[bytes]:
        """Read the ids that the records of a batch are sent with; none if no column holds ids.

        Raises:
            SourceChanged: The records are not what was read.
        """
        place = self._shape.id_place
        return [] if place is None else column_of(self.rows(batch), batch.records, place, len(self._shape.source))

    def content(self, batch: Batch) -> bytes:
        """Return the content of a batch, as it is sent.

        Raises:
            SourceChanged: The records are not what was read.
        """
        self.check()
        if self._shape.files:
            return self._zip(batch)
        if not self._shape.keeps_bytes:
            return self._sent(self._read(batch), batch)
        # Read into one buffer, after the header: a batch is in memory once.
        header = self._shape.header
        content = io.BytesIO(header.ljust(len(header) + batch.end - batch.start))
        with self._open(batch) as file, content.getbuffer() as view:
            file.readinto(view[len(header) :])
        self._compare(content.getvalue(), batch.sha256, batch)
        return content.getvalue()

    def upload(self, batch: Batch) -> Upload:
        """Return the content of a batch, to be read from the file while it is sent.

        Raises:
            SourceChanged: The file has changed.
        """
        self.check()
        return Upload(batch, self._sent_blocks, self._changed)

    def _sent_blocks(self, batch: Batch) -> Iterator[bytes]:
        with self._open(batch) as file:
            yield from self._shape.stream(_blocks(file, batch.end - batch.start))

    def _changed(self, batch: Batch) -> SourceChanged:
        return SourceChanged(f"The source {self.path} has changed: batch {batch.number} is not what was read")

    def _zip(self, batch: Batch) -> bytes:
        """Return the zip of a batch, whose digest is that of its request, which names each file by its own digest."""
        try:
            request, files = attachments.Packer(self._shape, self._files_folder).request(self.rows(batch))
            packed = attachments.pack(request, files) if hashlib.sha256(request).hexdigest() == batch.sha256 else None
        except attachments.Unusable as error:
            raise self._files_changed(batch, f": {error}") from None
        if packed is None:
            raise self._files_changed(batch, "")
        return packed

    def _files_changed(self, batch: Batch, why: str) -> SourceChanged:
        return SourceChanged(
            f"A file in {self._files_folder} that a record of batch {batch.number} names has changed since it was "
            f"read{why}"
        )

    def _read(self, batch: Batch) -> bytes:
        with self._open(batch) as file:
            return file.read(batch.end - batch.start)

    @contextmanager
    def _open(self, batch: Batch) -> Iterator[BufferedReader]:
        try:
            with self.path.open("rb") as file:
                file.seek(batch.start)
                yield file
        except OSError as error:
            raise self._unreadable(error) from error

    def _sent(self, rows: bytes, batch: Batch) -> bytes:
        try:
            content = self._shape.header + self._shape.apply(rows)
        except FormatError:
            content = b""
        self._compare(content, batch.sha256, batch)
        return content

    def _compare(self, content: bytes, sha256: str, batch: Batch) -> None:
        if hashlib.sha256(content).hexdigest() != sha256:
            raise self._changed(batch)
