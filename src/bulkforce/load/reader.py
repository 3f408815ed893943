"""Reads a source once, before anything is sent: cuts it into batches, writes rejected records, keeps the feed.

The feed is the file that batches are ranges of: the source itself if it holds exactly those records, otherwise
``feed.csv`` in the run's folder.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from bulkforce.errors import FormatError
from bulkforce.formats import csv
from bulkforce.load.cutter import Batch, Cutter, Rejected
from bulkforce.load.mapping import Shape
from bulkforce.run.files import whole
from bulkforce.run.folder import FEED, REJECTED


@dataclass(frozen=True, slots=True)
class Reading:
    """What was found in a source.

    Attributes:
        feed: The file that batches are ranges of.
        feed_is_ours: Whether it is a copy in the run's folder.
        header: The source's raw header.
        batches: The batches, in order.
        read: Number of records read, rejected ones included.
        rejected: Numbers of the rejected records.
    """

    feed: Path
    feed_is_ours: bool
    header: bytes
    batches: list[Batch]
    read: int
    rejected: array[int]


def header_of_rejected(header: bytes) -> bytes:
    """Return the header of the file of rejected records, with its line end."""
    return b"sf__Row,sf__Error," + header + b"\n"


class Reader:
    """Reads one source.

    Args:
        path: A CSV file.
        folder: The run's folder.
        header: The file's header.
        shape: How records are converted before they are sent.
        batch_records: Maximum number of records in a batch.
        on_records: Called with the number of records read so far.
        look: Called with each run of records.
    """

    def __init__(
        self,
        path: Path,
        folder: Path,
        header: csv.Header,
        shape: Shape,
        batch_records: int,
        on_records: Callable[[int], None],
        look: Callable[[csv.Unit], None],
    ) -> None:
        self._path, self._folder, self._header = path, folder, header
        self._on_records = on_records
        self._cutter = Cutter(shape, batch_records, self._keep, self._part, look)
        self._kept = header.end
        self._copy: BinaryIO | None = None
        self._files = ExitStack()
        self._rejected: array[int] = array("Q")

    def read(self) -> Reading:
        """Read the source to its end.

        Raises:
            FormatError: The source is not valid CSV; the error says where. Nothing was sent.
        """
        batches: list[Batch] = []
        with self._files:
            self._rejected_file = self._new(REJECTED)
            self._rejected_file.write(header_of_rejected(self._header.raw))
            for found in self._cutter.cut(self._blocks(), self._header.end):
                if isinstance(found, Rejected):
                    self._reject(found)
                else:
                    batches.append(found)
            if self._cutter.read == 0:
                raise FormatError(f"{self._path.name} has a header but no records")
        feed = self._path if self._copy is None else self._folder / FEED
        return Reading(feed, self._copy is not None, self._header.raw, batches, self._cutter.read, self._rejected)

    def _new(self, name: str) -> BinaryIO:
        return self._files.enter_context(whole(self._folder / name))

    def _blocks(self) -> Iterator[bytes]:
        with self._path.open("rb") as file:
            file.seek(self._header.end)
            while block := file.read(csv.BLOCK_BYTES):
                yield block
                self._on_records(self._cutter.read)

    def _keep(self, content: bytes) -> None:
        self._kept += len(content)
        if self._copy is not None:
            self._copy.write(content)

    def _part(self) -> None:
        """Start ``feed.csv`` with what was identical so far: from here on the feed differs from the source."""
        if self._copy is not None:
            return
        self._copy = self._new(FEED)
        with self._path.open("rb") as file:
            left = self._kept
            while left and (block := file.read(min(left, 1_000_000))):
                self._copy.write(block)
                left -= len(block)

    def _reject(self, rejected: Rejected) -> None:
        self._rejected.append(rejected.row)
        self._rejected_file.write(b"%d,%b,%b\n" % (rejected.row, csv.quote(rejected.reason).encode(), rejected.raw))
