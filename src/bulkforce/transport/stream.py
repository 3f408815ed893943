"""Result files as streams."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from types import TracebackType
from typing import Self, TypeVar

from bulkforce.errors import UsageError
from bulkforce.protocol.exchange import Stream
from bulkforce.transport.stopping import in_thread

T = TypeVar("T")


class ResultStream:
    """A result file that is being downloaded: iterate over blocks of bytes, or read it like a file.

    Raises:
        NoAnswer: (while reading) The download broke off before the end of the file.
    """

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._blocks = iter(stream)
        self._rest = b""
        self.closed = False

    def __iter__(self) -> Iterator[bytes]:
        if self._rest:
            yield self.read(len(self._rest))
        while block := self.read_block():
            yield block

    def read_block(self) -> bytes:
        """Read the next block as it arrived; return ``b""`` at the end."""
        if self.closed:
            # Otherwise a file closed too early would look like a short one.
            raise UsageError("The result stream is closed")
        return next(self._blocks, b"")

    def read(self, size: int = -1) -> bytes:
        """Read ``size`` bytes, or fewer at the end; everything that is left if ``size`` is negative."""
        pieces, have = [self._rest], len(self._rest)
        while size < 0 or have < size:
            block = self.read_block()
            if not block:
                break
            pieces.append(block)
            have += len(block)
        content = b"".join(pieces)
        cut = len(content) if size < 0 else size
        self._rest = content[cut:]
        return content[:cut]

    @property
    def framed(self) -> bool:
        """Whether a file cut short on its way would be noticed, because the org said where it ends."""
        return self._stream.framed

    def readable(self) -> bool:
        """Return True; readers of file objects ask."""
        return True

    def close(self) -> None:
        """Release the connection; any unread content is lost."""
        if not self.closed:
            self.closed = True
            self._stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncResultStream:
    """A result file that is being downloaded, for asyncio; see `ResultStream`.

    Cancelling a read closes the stream: what the read had fetched is lost, and a file with a gap must not look
    complete.
    """

    def __init__(self, stream: ResultStream) -> None:
        self._stream = stream

    @property
    def framed(self) -> bool:
        """Whether a file cut short on its way would be noticed, because the org said where it ends."""
        return self._stream.framed

    async def __aiter__(self) -> AsyncIterator[bytes]:
        blocks = iter(self._stream)
        while (block := await self._read(lambda: next(blocks, None))) is not None:
            yield block

    async def read(self, size: int = -1) -> bytes:
        """Read ``size`` bytes, or fewer at the end; everything that is left if ``size`` is negative."""
        return await self._read(lambda: self._stream.read(size))

    async def _read(self, read: Callable[[], T]) -> T:
        import asyncio  # slow to import, and only needed here

        try:
            return await in_thread(read)
        except asyncio.CancelledError:
            self._stream.close()
            raise

    async def close(self) -> None:
        """Release the connection; any unread content is lost."""
        self._stream.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
