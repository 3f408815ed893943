"""Bodies put aside: requests and results, on disk and not in memory, read back whole or in part."""

from __future__ import annotations

import os
import tempfile
import threading
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spooled:
    """Where a body lies."""

    offset: int
    length: int


class Spool:
    """One file that only grows, and that is gone with the process."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="bulkforce-emulator-", buffering=0)  # noqa: SIM115 - as long as the org
        self._end = 0
        self._lock = threading.Lock()

    def put(self, body: bytes) -> Spooled:
        with self._lock:
            place = Spooled(self._end, len(body))
            self._end += len(body)
        view = memoryview(body)
        written = 0
        while written < len(view):
            written += os.pwrite(self._file.fileno(), view[written:], place.offset + written)
        return place

    def get(self, place: Spooled) -> bytes:
        parts, read = [], 0
        while read < place.length:
            part = os.pread(self._file.fileno(), place.length - read, place.offset + read)
            if not part:
                raise EOFError(place)
            parts.append(part)
            read += len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def close(self) -> None:
        self._file.close()
