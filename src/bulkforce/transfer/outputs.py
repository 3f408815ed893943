"""Results joined to records by position, in blocks of raw slices, and written in the source's order.

Files are written under a temporary name and moved in place when whole. No value of a record is parsed.
"""

from __future__ import annotations

import csv as stdlib_csv
import io
import os
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import accumulate
from pathlib import Path
from typing import BinaryIO, Final

from bulkforce.errors import ProtocolError, SourceChanged
from bulkforce.formats.csv import quote, split, unquote
from bulkforce.protocol.wire_csv import record_error
from bulkforce.transfer.report import ErrorGroup

_RESULT_HEADER: Final = b'"Id","Success","Created","Error"'
_ALL_WELL: Final = {b'","true","true",""\n"': b",true,", b'","true","false",""\n"': b",false,"}
_GROUPS: Final = 1_000
"""Reasons kept apart; messages may hold ids, and memory is bounded."""


_SAMPLE_BYTES: Final = 200


@dataclass(slots=True)
class Tally:
    """Counts and reasons."""

    succeeded: int = 0
    failed: int = 0
    unprocessed: int = 0
    reasons: dict[tuple[str, str], ErrorGroup] = field(default_factory=dict)

    def reason(self, status_code: str, message: str, row: int, sample: bytes, count: int = 1) -> None:
        """Count records that failed for a reason; ``row`` and ``sample`` are the first one's number and bytes."""
        key = (status_code, message)
        if key not in self.reasons and len(self.reasons) >= _GROUPS:
            key = (status_code, "(other messages)")
        known = self.reasons.get(key) or ErrorGroup(*key, 0, row, sample[:_SAMPLE_BYTES].decode("utf-8", "ignore"))
        self.reasons[key] = replace(known, count=known.count + count)

    def groups(self) -> tuple[ErrorGroup, ...]:
        """Give the reasons, the most frequent first."""
        return tuple(sorted(self.reasons.values(), key=lambda group: -group.count))


@dataclass(frozen=True, slots=True)
class Ended:
    """A batch that is done.

    Attributes:
        number: Its number.
        first: Number of its first record in the feed, from 1.
        records: How many it has.
        rows: The raw records, from the feed.
        results: The org's CSV of results; ``None`` if there is none.
        reason: Why records without a result have none.
        whole: Whether the org said that it processed every record.
    """

    number: int
    first: int
    records: int
    rows: bytes
    results: bytes | None
    reason: str
    whole: bool


class Outputs:
    """The files of a run.

    Args:
        folder: Where they go.
        header: The source's own header, raw, without line end.
        rejected_rows: Numbers of the records that were rejected, ascending: they shift the numbers of the others.
    """

    NAMES: Final = ("success.csv", "failed.csv", "unprocessed.csv")

    def __init__(self, folder: Path, header: bytes, rejected_rows: Sequence[int]) -> None:
        self._folder = folder
        # The i-th rejected row shifts all feed records from (row - i) on by one more.
        self._shifts = [row - place for place, row in enumerate(rejected_rows)]
        self.tally = Tally()
        self.mismatches: list[str] = []
        self._files = {name: _part(folder / name).open("wb") for name in self.NAMES}
        self._success, self._failed, self._unprocessed = self._files.values()
        self._success.write(b"sf__Id,sf__Created," + header + b"\n")
        self._failed.write(b"sf__Id,sf__Error," + header + b"\n")
        self._unprocessed.write(b"sf__Error," + header + b"\n")

    def add(self, batch: Ended) -> None:
        """Write the records of the next batch."""
        if batch.results is not None and self._all_well(batch, batch.results):
            return
        rows = rows_of(batch.rows, batch.records)
        results = rows_of(batch.results) if batch.results is not None else []
        count = max(len(results) - 1, 0)
        if count > len(rows) or (batch.whole and count != len(rows)):
            self.mismatches.append(f"batch {batch.number}: {len(rows):,} records, {count:,} results")
            # Which result is whose cannot be told any more, so none is.
            results, count = [], 0
        if count:
            self._one_by_one(results, rows, batch)
        self._without_result(rows[count:], batch, count)

    def _all_well(self, batch: Ended, results: bytes) -> bool:
        """Write a batch in which every record went in, without a look at any of them."""
        start = _RESULT_HEADER + b'\n"'
        for border, created in _ALL_WELL.items():
            if not results.startswith(start) or not results.endswith(border[:-1]):
                continue
            ids = results[len(start) : -len(border) + 1].split(border)
            if len(ids) == batch.records and set(map(len, ids)) <= _ID_LENGTHS:
                self._join(batch, ids, created)
                return True
        return False

    def _join(self, batch: Ended, ids: list[bytes], created: bytes) -> None:
        written = 0
        for rows in groups_of(batch.rows):
            count = len(rows)
            if written + count > len(ids):
                break
            # Interleaved by slices and joined once: five times faster than record by record.
            pieces = [b"\n"] * (4 * count)
            pieces[0::4], pieces[1::4], pieces[2::4] = ids[written : written + count], [created] * count, rows
            self._success.write(b"".join(pieces))
            written += count
        else:
            if written == len(ids):
                self.tally.succeeded += written
                return
        raise SourceChanged(f"The source has changed under batch {batch.number}: it held {batch.records:,} records when they were sent")

    def _one_by_one(self, results: list[bytes], rows: list[bytes], batch: Ended) -> None:
        order = _columns(results[0], batch.number)
        good, bad = [], []
        for place, (row, result) in enumerate(zip(rows, results[1:], strict=False)):
            # A record that went in is told by how its line ends; parsing every line takes five times as long.
            created = _WENT_IN.get(result[_ID_18:]) if order == _USUAL_ORDER else None
            if created is not None:
                good.append(result[1:_ID_18] + created + row)
                continue
            values = next(stdlib_csv.reader(io.StringIO(result.decode(), newline=""), strict=True))
            record_id, success, was_created, error_text = (values[column] for column in order)
            if success == "true":
                good.append(b"%b,%b,%b" % (record_id.encode(), was_created.encode(), row))
            else:
                bad.append(b"%b,%b,%b" % (record_id.encode(), quote(error_text).encode(), row))
                refusal = record_error(error_text)
                self.tally.reason(refusal.status_code, refusal.message, self.source_row(batch.first + place), row)
        for file, lines in ((self._success, good), (self._failed, bad)):
            file.writelines([b"\n".join(lines), b"\n"] if lines else [])
        self.tally.succeeded += len(good)
        self.tally.failed += len(bad)

    def _without_result(self, rows: list[bytes], batch: Ended, skipped: int) -> None:
        if rows:
            reason = quote(batch.reason).encode()
            self._unprocessed.write(b"".join([b"%b,%b\n" % (reason, row) for row in rows]))
            self.tally.unprocessed += len(rows)
            self.tally.reason("BATCH", batch.reason, self.source_row(batch.first + skipped), rows[0], len(rows))

    def source_row(self, feed_row: int) -> int:
        """Turn the number of a record in the feed into its number in the source."""
        return feed_row + bisect_right(self._shifts, feed_row)

    def publish(self) -> None:
        """Move the files in place."""
        for name, file in self._files.items():
            _sync(file)
            _part(self._folder / name).replace(self._folder / name)

    def discard(self) -> None:
        """Leave no half-written file behind."""
        for name, file in self._files.items():
            # What could not be written to a full disk cannot be at closing either.
            with suppress(OSError):
                file.close()
            _part(self._folder / name).unlink(missing_ok=True)


_ID_LENGTHS: Final = frozenset({15, 18})
_ID_18: Final = 19
"""Where an id of 18 characters ends in a line of results: it stands first, in quotes."""
_WENT_IN: Final = {border[:-2]: created for border, created in _ALL_WELL.items()}
_USUAL_ORDER: Final = (0, 1, 2, 3)
_GROUP_BYTES: Final = 65_536
_ALL_BUT_QUOTES_AND_LINE_ENDS: Final = bytes(byte for byte in range(256) if byte not in b'"\n')


def _columns(header: bytes, batch: int) -> tuple[int, ...]:
    names = [unquote(name).decode().lower() for name in split(header)]
    try:
        return tuple(names.index(name) for name in ("id", "success", "created", "error"))
    except ValueError as error:
        raise ProtocolError(f"The results of batch {batch} do not have the columns Id, Success, Created, Error") from error


def rows_of(content: bytes, records: int = -1) -> list[bytes]:
    r"""Cut records apart, without their line ends; the content has no blank lines.

    Args:
        content: The records.
        records: How many there are, if that is known: as many lines as records need no second look.

    >>> rows_of(b'1,"a\nb"\n2,c\r\n')
    [b'1,"a\nb"', b'2,c']
    """
    lines = content.split(b"\n")
    if not lines[-1]:
        lines.pop()
    if len(lines) != records and b'"' in content:
        lines = _joined(lines, _odd_lines(content))
    return [line.removesuffix(b"\r") for line in lines] if b"\r\n" in content or content.endswith(b"\r") else lines


def groups_of(content: bytes) -> Iterator[list[bytes]]:
    """Cut records apart as `rows_of` does, in groups that fit the processor's cache: a quarter faster than all at once."""
    begin, end = 0, _GROUP_BYTES
    while begin < len(content):
        end = content.find(b"\n", end) + 1 or len(content)
        group = content[begin:end]
        odd = _odd_lines(group)
        if len(odd) % 2 == 0 or end == len(content):
            lines = group.removesuffix(b"\n").split(b"\n")
            lines = _joined(lines, odd) if odd else lines
            yield [line.removesuffix(b"\r") for line in lines] if b"\r" in group else lines
            begin, end = end, end + _GROUP_BYTES


def _odd_lines(content: bytes) -> list[int]:
    """Number the lines, from 0, that have an odd number of quotes: each opens or closes a value with a line end in it."""
    # Of quotes and line ends alone, with pairs of quotes taken out, just the quotes of those lines are left.
    spans = content.translate(None, _ALL_BUT_QUOTES_AND_LINE_ENDS).replace(b'""', b"").split(b'"')
    return list(accumulate(map(len, spans[:-1])))


def _joined(lines: list[bytes], odd: list[int]) -> list[bytes]:
    """Put lines together again that were cut inside quotes."""
    whole: list[bytes] = []
    behind = 0
    for first, last in zip(odd[::2], odd[1::2], strict=True):
        whole += lines[behind:first]
        whole.append(b"\n".join(lines[first : last + 1]))
        behind = last + 1
    return whole + lines[behind:]


def write_whole(path: Path, content: bytes) -> None:
    """Write a file under a temporary name and move it in place, so that it is either whole or not there."""
    with _part(path).open("wb") as file:
        file.write(content)
        _sync(file)
    _part(path).replace(path)


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
    file.close()


def _part(path: Path) -> Path:
    return path.with_name(path.name + ".part")
