"""Reads a source once, before anything is sent: cuts it into batches, writes rejected records, keeps the feed.

The feed is the file that batches are ranges of: the source itself if it holds exactly those records, otherwise
``feed.csv`` in the run's folder.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from bulkforce.errors import FormatError, UsageError
from bulkforce.formats import csv
from bulkforce.later import later
from bulkforce.load.cutter import Batch, Cutter, Rejected
from bulkforce.load.mapping import Shape
from bulkforce.load.theirs import Theirs
from bulkforce.protocol import limits
from bulkforce.run.files import whole
from bulkforce.run.folder import FEED, REJECTED

if TYPE_CHECKING:
    from bulkforce.load import attachments, zip_cutter
else:
    attachments = later("bulkforce.load.attachments")
    zip_cutter = later("bulkforce.load.zip_cutter")


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
        skipped: Number of rows that are nothing but commas, which are not read.
    """

    feed: Path
    feed_is_ours: bool
    header: bytes
    batches: list[Batch]
    read: int
    rejected: array[int]
    skipped: int = 0


class Lines:
    """Finds the numbers of lines in a text file.

    Args:
        path: The file.
        first: The number of its first line.
    """

    def __init__(self, path: Path, first: int) -> None:
        self._path, self._offset, self._line = path, 0, first

    def at(self, offset: int) -> int:
        """Return the number of the line that begins at, or contains, a byte; ask in ascending order."""
        with self._path.open("rb") as file:
            file.seek(self._offset)
            while self._offset < offset and (block := file.read(min(offset - self._offset, 1_000_000))):
                self._line += block.count(b"\n") or block.count(b"\r")
                self._offset += len(block)
        return self._line


def header_of_rejected(theirs: Theirs) -> bytes:
    """Return how the file of rejected records begins: its header, with its line end."""
    return theirs.mark + b"sf__Row,sf__Error," + theirs.header + b"\n"


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
        first_line: The number of the header's line in the user's own file; ``None`` if that is no CSV file.
        files_folder: The folder of the files that records name.
        batch_bytes: Maximum size of a batch in bytes, header included; zips have limits of their own.
        excel: Whether outputs are to be opened in a spreadsheet.
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
        first_line: int | None = 1,
        files_folder: Path = Path(),
        *,
        batch_bytes: int = limits.BATCH_BYTES,
        excel: bool = False,
    ) -> None:
        self._path, self._folder, self._header = path, folder, header
        self._on_records = on_records
        self._theirs = Theirs(header.raw, shape, excel=excel)
        # In one column, only an id is never a value that equals the name of its column.
        is_known = len(header.names) > 1 or header.names[0].lower() == "id"
        raw = header.raw if is_known else b""
        self._cutter = (
            zip_cutter.ZipCutter(
                attachments.Packer(shape, files_folder), batch_records, self._keep, self._part, look, header=raw
            )
            if shape.files
            else Cutter(shape, batch_records, self._keep, self._part, look, batch_bytes=batch_bytes, header=raw)
        )
        if first_line is None:
            # We wrote the quotes ourselves; a record that is too long was in memory before, and is rejected.
            self._cutter.longest = sys.maxsize
        self._lines = None if first_line is None else Lines(path, first_line)
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
            self._rejected_file.write(header_of_rejected(self._theirs))
            try:
                for found in self._cutter.cut(self._blocks(), self._header.end):
                    if isinstance(found, Rejected):
                        self._reject(found)
                    else:
                        batches.append(found)
            except FormatError as error:
                raise self._with_line(error) from None
            if self._cutter.read == 0:
                raise UsageError(f"{self._path.name} has a header but no records")
        feed = self._path if self._copy is None else self._folder / FEED
        return Reading(
            feed,
            self._copy is not None,
            self._header.raw,
            batches,
            self._cutter.read,
            self._rejected,
            self._cutter.skipped,
        )

    def _with_line(self, error: FormatError) -> FormatError:
        """Add the line to an error that only knows the byte."""
        if self._lines is None or error.byte is None:
            return error
        line = self._lines.at(error.byte)
        return FormatError(error.text, row=error.row, line=line, column=error.column, byte=error.byte)

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
        line = "" if self._lines is None else f" (line {self._lines.at(rejected.start):,})"
        reason = csv.quote(rejected.reason + line).encode()
        self._rejected_file.write(b"%d,%b,%b\n" % (rejected.row, reason, self._theirs.row(rejected.raw)))
