"""Bodies of requests and results, kept on disk and not in memory, and read back whole or in pieces."""

from __future__ import annotations

import os
import tempfile
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


_PIECE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Spooled:
    """Where a body is: stretches of the file, in order."""

    stretches: tuple[tuple[int, int], ...]

    @property
    def length(self) -> int:
        """How many bytes it has."""
        return sum(length for _, length in self.stretches)

    def part(self, start: int, stop: int) -> Spooled:
        """The bytes from `start` up to `stop`."""
        parts, before = [], 0
        for offset, length in self.stretches:
            first, last = max(start - before, 0), min(stop - before, length)
            if first < last:
                parts.append((offset + first, last - first))
            before += length
        return Spooled(tuple(parts))

    def __add__(self, other: Spooled) -> Spooled:
        return Spooled(self.stretches + other.stretches)


class Spool:
    """One file, which only grows and goes with the process."""

    def __init__(self) -> None:
        # It is open as long as the org.
        self._file = tempfile.TemporaryFile(prefix="bulkforce-emulator-", buffering=0)  # noqa: SIM115
        self._end = 0
        self._lock = threading.Lock()

    def put(self, *bodies: bytes) -> Spooled:
        """Store a body, given in one or more parts, and return where it is."""
        return self.put_all(bodies)

    def put_all(self, bodies: Iterable[bytes]) -> Spooled:
        """Store a body that comes in pieces; only one of them has to be in memory."""
        return Spooled(tuple(self._write(body) for body in bodies))

    def _write(self, body: bytes) -> tuple[int, int]:
        with self._lock:
            offset = self._end
            self._end += len(body)
        view, written = memoryview(body), 0
        while written < len(view):
            written += os.pwrite(self._file.fileno(), view[written:], offset + written)
        return offset, len(body)

    def get(self, place: Spooled) -> bytes:
        """Read a whole body back."""
        parts = [self._read(offset, length) for offset, length in place.stretches]
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _read(self, offset: int, length: int) -> bytes:
        """One stretch: at once, as a rule, so that it is in memory once."""
        whole = os.pread(self._file.fileno(), length, offset)
        return whole if len(whole) == length else b"".join(self.pieces(Spooled(((offset, length),))))

    def pieces(self, place: Spooled) -> Iterator[bytes]:
        """Read a body, piece by piece."""
        for offset, length in place.stretches:
            read = 0
            while read < length:
                piece = os.pread(self._file.fileno(), min(_PIECE_BYTES, length - read), offset + read)
                if not piece:
                    raise EOFError(place)
                yield piece
                read += len(piece)

    def close(self) -> None:
        """Close the file; nothing can be read back after this."""
        self._file.close()
