"""The three result files of a job of Bulk API 2.0 in one: what a run keeps of a batch until its rows are written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from bulkforce.apis import results2
from bulkforce.apis.abc import Piece
from bulkforce.apis.results2 import ResultFiles
from bulkforce.errors import FormatError


@dataclass(frozen=True, slots=True)
class Counters:
    """What the org counts in a job; ``None`` if it does not say."""

    processed: int | None = None
    failed: int | None = None


def packed(files: Mapping[str, bytes | None], counters: Counters) -> bytes:
    """Put files together: a line with their sizes and the job's counters, then one after the other."""
    index = {
        "sizes": {name: None if content is None else len(content) for name, content in files.items()},
        "processed": counters.processed,
        "failed": counters.failed,
    }
    return b"".join([orjson.dumps(index), b"\n", *(content for content in files.values() if content)])


def unpacked(content: bytes) -> tuple[ResultFiles, Counters]:
    """Take them apart.

    Raises:
        FormatError: They were not put together by `packed`.
    """
    end = content.find(b"\n") + 1
    try:
        index = orjson.loads(content[:end])
        # Not copied: they may be as large as what was sent.
        files, begin, view = dict[str, memoryview | None](), end, memoryview(content)
        for name, size in index["sizes"].items():
            files[name] = None if size is None else view[begin : begin + size]
            begin += size or 0
        counters = Counters(index["processed"], index["failed"])
    except (ValueError, TypeError, LookupError, AttributeError):
        begin = -1
    if begin != len(content):
        raise FormatError("The three result files of a job are not there as they were kept")
    return ResultFiles(**files), counters


def rows_in(content: bytes | None) -> bool:
    """Whether a result file has more than a header."""
    return content is not None and b"\n" in content.strip(b"\r\n")


def problem(content: bytes, piece: Piece, *, whole: bool, failed: int | None = None) -> str | None:
    """Return what is wrong with result files, if anything; see `bulkforce.apis.abc.IngestApi`."""
    try:
        files, counters = unpacked(content)
        found = results2.count(piece.header, files)
    except FormatError as error:
        return str(error)
    failed = counters.failed if failed is None else failed
    if not whole or counters.processed is None or failed is None:
        return None
    # A file that is not there (204) although there should be one is a known fault of the org's, which lasts.
    if files.failed is not None and found.failed != failed:
        return f"{found.failed:,} results say that their record failed, but the org counts {failed:,}"
    succeeded = counters.processed - failed
    if files.successful is not None and found.succeeded != succeeded:
        return f"{found.succeeded:,} results say that their record was written, but the org counts {succeeded:,}"
    return None


def why_unknown(files: ResultFiles, counters: Counters, untied: int = 0) -> str:
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
    return (
        "The org returned no result for this row, neither as written nor as refused nor as unprocessed. Rows beyond "
        "the org's daily allocation have none, and are not processed; but the org does not say so of each"
    )
