"""The three result files of a job of Bulk API 2.0 in one: what a run keeps of a batch until its rows are written."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, TypeAlias

import orjson

from bulkforce.apis import results2
from bulkforce.apis.abc import Counts, Piece, Results
from bulkforce.apis.results2 import Key, Part, ResultFiles, Returned
from bulkforce.errors import FormatError

_LONGEST_INDEX: Final = 1_000
_REMEMBERED: Final = 200_000
"""What was read of results of at most so many records is remembered, some 30 bytes a record; the rest is read again."""

_File: TypeAlias = tuple[int, int, int, int]


class Keeping:
    """Writes files one after the other into one, and at its end a line with their sizes and the job's counters.

    Args:
        write: Takes what is to be written.
    """

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write
        self._sizes: dict[str, int | None] = {}

    def keep(self, name: str, blocks: Iterable[bytes] | None) -> None:
        """Write a file as it comes; ``None`` if it is not there."""
        if blocks is None:
            self._sizes[name] = None
            return
        size = 0
        for block in blocks:
            self._write(block)
            size += len(block)
        self._sizes[name] = size

    def end(self, counters: Counts) -> None:
        """Write the last line."""
        index = {"sizes": self._sizes, "processed": counters.processed, "failed": counters.failed}
        self._write(b"\n" + orjson.dumps(index))


def kept(path: Path) -> tuple[ResultFiles, Counts]:
    """Find the files in what `Keeping` wrote.

    Raises:
        FormatError: It is not that.
    """
    with path.open("rb") as file:
        size = file.seek(0, io.SEEK_END)
        file.seek(max(size - _LONGEST_INDEX, 0))
        line = file.read().rpartition(b"\n")[2]
    try:
        index = orjson.loads(line)
        files, begin = dict[str, Part | None](), 0
        for name, length in index["sizes"].items():
            files[name] = None if length is None else Part(path, begin, length)
            begin += length or 0
        counters = Counts(index["processed"], index["failed"])
        found = ResultFiles(**files), counters
    except (ValueError, TypeError, LookupError, AttributeError):
        found = None
    if found is None or begin != size - len(line) - 1:
        raise FormatError("The three result files of a job are not there as they were kept")
    return found


def rows_in(blocks: Iterable[bytes] | None) -> bool:
    """Whether a result file has more than a header."""
    content = b"" if blocks is None else b"".join(blocks)
    return b"\n" in content.strip(b"\r\n")


class Reading:
    """Reads result files of jobs once: what it found in good ones is remembered until they are tied.

    Args:
        key: What identifies a record.
    """

    def __init__(self, key: Key) -> None:
        self._key = key
        self._read: dict[_File, Returned] = {}

    def problem(self, path: Path, piece: Piece, *, whole: bool, failed: int | None = None) -> str | None:
        """Return what is wrong with result files, if anything; see `bulkforce.apis.abc.IngestApi`."""
        try:
            files, counters = kept(path)
            found = results2.read(piece.header, files, self._key)
        except FormatError as error:
            return str(error)
        problem = _contradiction(files, counters, found, failed) if whole else None
        remembered = sum(read.records for read in list(self._read.values()))
        if problem is None and remembered + found.records <= _REMEMBERED:
            self._read[_identity(path)] = found
        return problem

    def results(self, path: Path, piece: Piece) -> Results:
        """Tie results to the records that were sent.

        Raises:
            FormatError: They are malformed.
        """
        files, counters = kept(path)
        returned = self._read.pop(_identity(path), None)
        if returned:
            returned.moved(path)
        tied = results2.tie(piece.header, piece.rows, piece.records, files, self._key, returned)
        return Results(tied.outcomes, tied.untied, why_unknown(files, counters, tied.untied.count))


def _contradiction(files: ResultFiles, counters: Counts, found: Returned, failed: int | None) -> str | None:
    failed = counters.failed if failed is None else failed
    if counters.processed is None or failed is None:
        return None
    # A file that is not there (204) although there should be one is a known fault of the org's, which lasts.
    if files.failed is not None and found.failed != failed:
        return f"{found.failed:,} results say that their record failed, but the org counts {failed:,}"
    succeeded = counters.processed - failed
    if files.successful is not None and found.succeeded != succeeded:
        return f"{found.succeeded:,} results say that their record was written, but the org counts {succeeded:,}"
    return None


def _identity(path: Path) -> _File:
    """Return what a file keeps when it is moved."""
    found = path.stat()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def why_unknown(files: ResultFiles, counters: Counts, untied: int = 0) -> str:
    """Say why records have no result.

    Args:
        files: What the org returned.
        counters: What it counts.
        untied: How many results belong to no record for certain.
    """
    if untied:
        results = f"{untied:,} result{'' if untied == 1 else 's'}"
        return (
            f"The org returned {results} of this job that belong to no row for certain (see untied.csv), and that of "
            "this row may be among them: it may be written, refused or unprocessed. Look for it in the org before you "
            "send it again"
        )
    if files.failed is None and counters.failed:
        return (
            f"The org counts {counters.failed:,} refused rows in this job, but returned no file of them (204 No "
            "Content), and this row is in neither of the others: it was probably refused"
        )
    if files.successful is None and counters.processed and counters.processed > (counters.failed or 0):
        return (
            "The org returned no file of the rows that it wrote (204 No Content), and this row is in neither of the "
            "others: it was probably written"
        )
    if counters.processed == 0:
        return (
            "The org counts no processed row in this job, and returned no result for this row: by that, it is not "
            "written; but the org does not say so of each row"
        )
    return (
        "The org returned no result for this row, neither as written nor as refused nor as unprocessed. Rows beyond "
        "the org's daily allocation have none, and are not processed; but the org does not say so of each"
    )
