"""The results of a job of Bulk API 2.0, tied to the records that were sent.

The org returns them in three files, in no order, with the columns that were uploaded as it understood them: a result
belongs to a record because of what it echoes, and never because of its place.
"""

from __future__ import annotations

import re
import sys
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate, chain, compress, islice
from pathlib import Path
from typing import Final, TypeAlias, overload

from bulkforce.apis.abc import Outcomes
from bulkforce.apis.tying import Tying, Values, id_contradictions, key_digests
from bulkforce.errors import FormatError
from bulkforce.formats import csv
from bulkforce.formats.flat import flat, shown
from bulkforce.formats.text import with_line_feeds
from bulkforce.vocabulary import Operation


@dataclass(frozen=True, slots=True)
class Part:
    """A range of a file: what is not held in memory."""

    path: Path
    begin: int
    size: int


Content: TypeAlias = bytes | memoryview | Path | Part

_ID: Final = re.compile(rb"(?:[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?)?")
_FLAG: Final = re.compile(rb"true|false")
_TRUE: Final = ord("t")
_SHORT: Final = 15
_LONG: Final = 18
_SUCCESSFUL: Final = "successful"
_FAILED: Final = "failed"
_UNPROCESSED: Final = "unprocessed"
_OURS: Final = ("sf__id", "sf__created", "sf__error")
_WANTED: Final = {_SUCCESSFUL: ("sf__Id", "sf__Created"), _FAILED: ("sf__Id", "sf__Error"), _UNPROCESSED: ()}


@dataclass(frozen=True, slots=True)
class ResultFiles:
    """What the org returned for a job, as it wrote it; ``None`` for a file that it says is not there (204).

    Attributes:
        successful: The records that were written.
        failed: The records that were refused.
        unprocessed: The records that were not tried.
    """

    successful: Content | None = None
    failed: Content | None = None
    unprocessed: Content | None = None


@dataclass(frozen=True, slots=True)
class Key:
    """What identifies a record.

    Attributes:
        operation: What the org does with the records.
        external_id: For an upsert, the field that identifies them.
        id_column: The name of the column that holds their ids, if there is one.
    """

    operation: Operation
    external_id: str | None = None
    id_column: str | None = "Id"

    @property
    def column(self) -> str | None:
        """The column that identifies a record, in lower case; none if records are inserted."""
        if self.operation is Operation.INSERT:
            return None
        name = self.external_id if self.operation is Operation.UPSERT else self.id_column
        return name and name.lower()

    @property
    def is_id(self) -> bool:
        """Whether that column holds ids."""
        return self.operation is not Operation.UPSERT or self.column == "id"


@dataclass(frozen=True, slots=True)
class Untied:
    """Results that belong to no record, or to one of several between which nothing distinguishes.

    Attributes:
        rows: Returns what the org says about each (its id, whether it was created, and why it failed; each followed by
            a comma), and the columns that were sent, in the order in which they were sent, as the org echoed them.
        succeeded: How many say that their record was written.
        failed: How many say that it was refused.
        not_tried: How many say that it was not tried.
    """

    rows: Callable[[], Iterator[tuple[bytes, bytes]]]
    succeeded: int = 0
    failed: int = 0
    not_tried: int = 0

    @property
    def count(self) -> int:
        """How many there are."""
        return self.succeeded + self.failed + self.not_tried


@dataclass(frozen=True, slots=True)
class Tied:
    """Results with their records.

    Attributes:
        outcomes: The outcome of each record, by its position.
        untied: The results that could not be tied to one.
        succeeded: How many results, tied or not, say that their record was written.
        failed: How many say that it was refused.
        not_tried: How many say that it was not tried.
    """

    outcomes: Outcomes
    untied: Untied
    succeeded: int
    failed: int
    not_tried: int


def read(header: bytes, files: ResultFiles, key: Key) -> Returned:
    """Read the results of a job.

    Args:
        header: The header that was sent.
        files: What the org returned.
        key: What identifies a record.

    Raises:
        FormatError: A file is malformed. Says what is wrong, and in which record, but shows no value.
    """
    names = _names(header)
    return Returned(files, names, names.index(key.column) if key.column in names else None, by_id=key.is_id)


def tie(
    header: bytes,
    rows: Callable[[], Iterator[bytes]],
    records: int,
    files: ResultFiles,
    key: Key,
    returned: Returned | None = None,
) -> Tied:
    """Tie the results of a job to the records that were sent.

    A result is never given to a record that it may not belong to: what is not certain is left untied.

    Args:
        header: The header that was sent.
        rows: Reads the records that were sent, block by block.
        records: How many they are.
        files: What the org returned.
        key: What identifies a record.
        returned: What `read` found in those files, if they were read before.

    Raises:
        FormatError: A file is malformed; see `read`.
    """
    results = returned or read(header, files, key)
    tying = Tying(_Sent(rows, records, len(results.names)), results)
    tying.tie(results.key, by_id=results.by_id)
    return Tied(
        results.outcomes(tying.owners),
        results.untied(bytes(tying.tied)),
        results.succeeded,
        results.failed,
        results.not_tried,
    )


def _names(header: bytes) -> list[str]:
    return [name.lower() for name in csv.header(header).names]


def _with_line_feeds(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Write every line end as LF.

    In what was sent they are all of one kind, so that nothing is confused; how the org echoes them is not known.
    """
    carry = b""
    for read in blocks:
        block = carry + read
        # A CR that ends the block may be half of a CRLF.
        carry = b"\r" if block.endswith(b"\r") else b""
        yield with_line_feeds(block.removesuffix(carry))
    if carry:
        yield b"\n"


def _blocks(content: Content, start: int) -> Iterator[bytes]:
    if isinstance(content, (bytes, memoryview)):
        for begin in range(start, len(content), csv.BLOCK_BYTES):
            yield bytes(content[begin : begin + csv.BLOCK_BYTES])
        return
    path, begin, size = (
        (content.path, content.begin, content.size) if isinstance(content, Part) else (content, 0, sys.maxsize)
    )
    with path.open("rb") as file:
        file.seek(begin + start)
        left = size - start
        while left > 0 and (block := file.read(min(left, csv.BLOCK_BYTES))):
            yield block
            left -= len(block)


def _columns(lines: Values, total: int, places: Sequence[int]) -> list[Values]:
    """Split flat lines; a place of -1 is a column that is not there."""
    if len(places) == 1 and places[0] >= 0:
        place = places[0]
        return [[line.split(b",", place + 1)[place] for line in lines]]
    values = b",".join(lines).split(b",")
    return [values[place::total] if place >= 0 else _nothing(lines) for place in places]


def _nothing(lines: Values) -> Values:
    return [b""] * len(lines)


class _Sent:
    """The records that were sent."""

    def __init__(self, rows: Callable[[], Iterator[bytes]], records: int, columns: int) -> None:
        self._rows, self.records, self.has = rows, records, range(columns)

    @cached_property
    def digests(self) -> array[int]:
        digests = array("q")
        for lines in self._flat():
            digests.extend(map(hash, lines))
        return digests

    def _flat(self) -> Iterator[Values]:
        seen = 0
        for lines in flat(_with_line_feeds(self._rows()), len(self.has)):
            yield lines
            seen += len(lines)
        if seen != self.records:
            raise FormatError(f"There are {seen:,} records where {self.records:,} were sent")

    def columns(self, places: Sequence[int]) -> Iterator[Sequence[Values]]:
        for lines in self._flat():
            yield _columns(lines, len(self.has), places)


class _File:
    """One of the files of results.

    Args:
        which: Which one.
        content: What the org returned.
        names: The columns that were sent, in lower case.

    Attributes:
        which: Which one.
        has: The columns that were sent and are there, by their places among those.
    """

    def __init__(self, which: str, content: Content, names: Sequence[str]) -> None:
        self.which, self._content = which, content
        begin = b""
        for block in _blocks(content, 0):
            begin += block
            if csv.end_of_records(begin) or len(begin) > csv.LONGEST_HEADER_BYTES:
                break
        # Where nothing was uploaded there may be nothing.
        self._head = csv.Header((), b"", 0) if which == _UNPROCESSED and not begin else self._header(begin)
        found = [name.strip().lower() for name in self._head.names]
        self._own = [found.index(name) if name in found else -1 for name in _OURS]
        self._places = [found.index(name) if name in found else -1 for name in names]
        self.has = {place for place in range(len(names)) if self._places[place] >= 0 or not found}
        absent = [name for name in _WANTED[which] if name.lower() not in found]
        if found and (absent or not self.has):
            raise FormatError(
                f"The file of {which} results does not have the columns that it must have; it lacks "
                f"{', '.join(absent) or 'those that were sent'}"
            )

    def moved(self, path: Path) -> None:
        """See `Returned.moved`."""
        if isinstance(self._content, Part):
            self._content = replace(self._content, path=path)

    def _header(self, begin: bytes) -> csv.Header:
        try:
            return csv.header(begin)
        except FormatError as error:
            raise self._malformed(error) from None

    def _malformed(self, error: FormatError) -> FormatError:
        return FormatError(
            f"The file of {self.which} results is malformed: {error.text}",
            row=error.row,
            column=error.column,
            byte=error.byte,
        )

    def _flat(self) -> Iterator[Values]:
        try:
            yield from flat(
                _with_line_feeds(_blocks(self._content, self._head.end)), len(self._head.names), self._head.end
            )
        except FormatError as error:
            raise self._malformed(error) from None

    def parts(self) -> Iterator[tuple[Sequence[Values], Values]]:
        """Yield what the org says (ids, whether records were created, errors), and the columns sent, as lines."""
        total, own = len(self._head.names), len(_WANTED[self.which])
        in_order = self._places == list(range(own, total))
        for lines in self._flat():
            if in_order and own and (usual := self._usual(lines)):
                yield usual
            elif in_order and own:
                *parts, echoed = zip(*[line.split(b",", own) for line in lines], strict=True)
                yield [parts[place] if place >= 0 else _nothing(lines) for place in self._own], echoed
            elif in_order:
                yield [_nothing(lines)] * len(_OURS), lines
            else:
                said, values = (_columns(lines, total, places) for places in (self._own, self._places))
                yield said, [b",".join(row) for row in zip(*values, strict=True)]

    def _usual(self, lines: Values) -> tuple[Sequence[Values], Values] | None:
        """Split lines that say the same of records with ids of 18 characters: twice as fast."""
        for word in (b"true", b"false") if self._own == [0, 1, -1] else ():
            begin = _LONG + len(word) + 2
            if {line[_LONG:begin] for line in lines} == {b",%b," % word}:
                said = [line[:_LONG] for line in lines], [word] * len(lines), _nothing(lines)
                return said, [line[begin:] for line in lines]
        return None

    def columns(self, places: Sequence[int]) -> Iterator[Sequence[Values]]:
        """Yield columns that were sent."""
        for lines in self._flat():
            yield _columns(lines, len(self._head.names), [self._places[place] for place in places])

    def whole(self) -> Iterator[tuple[tuple[bytes, ...], tuple[bytes, ...]]]:
        """Yield what the org says about each record, and the columns that were sent."""
        for lines in self._flat():
            values = _columns(lines, len(self._head.names), [*self._own, *self._places])
            own = len(self._own)
            yield from zip(zip(*values[:own], strict=True), zip(*values[own:], strict=True), strict=True)


class Returned:
    """The results of a job: those of records that were written, of those that were refused, of those not tried.

    Held of each is its id, whether it was created, why it failed, and the hash of what it is compared by; the rest
    stays in the files.

    Args:
        files: What the org returned.
        names: The columns that were sent, in lower case.
        key: The place of the column that identifies a record, if there is one.
        by_id: Whether that column holds ids.
    """

    def __init__(self, files: ResultFiles, names: Sequence[str], key: int | None, *, by_id: bool) -> None:
        self.names, self.key, self.by_id = names, key, by_id
        contents = {_SUCCESSFUL: files.successful, _FAILED: files.failed, _UNPROCESSED: files.unprocessed}
        self._files = [_File(which, content, names) for which, content in contents.items() if content is not None]
        self.has = set(range(len(names))).intersection(*(file.has for file in self._files))
        self._counts = dict.fromkeys(contents, 0)
        self._ids, self._created, self._errors = bytearray(), bytearray(), bytearray()
        self._ends = array("q", [0])
        self.keys, self.contradictions = array("q"), list[int]()
        # Without a column that identifies a record, whole records are what is compared.
        self._digests = array("q") if key is None else None
        for file in self._files:
            for said, lines in file.parts():
                if self._digests is not None:
                    self._digests.extend(map(hash, lines))
                if key is not None and key in self.has:
                    (keys,) = _columns(lines, len(names), [key])
                    if by_id:
                        self.contradictions += id_contradictions(keys, said[0], len(self.keys))
                    self.keys.extend(key_digests(keys, by_id=by_id))
                self._read(file.which, *said)
        self.succeeded, self.failed, self.not_tried = self._counts.values()
        self.records = sum(self._counts.values())

    def moved(self, path: Path) -> None:
        """Look into the file at another path from now on, which was moved there."""
        for file in self._files:
            file.moved(path)

    @property
    def digests(self) -> array[int]:
        """See `bulkforce.apis.tying.Side`."""
        if self._digests is None:
            self._digests = array("q")
            for file in self._files:
                for _, lines in file.parts():
                    self._digests.extend(map(hash, lines))
        return self._digests

    def _read(self, which: str, ids: Values, created: Values, errors: Values) -> None:
        row = self._counts[which] + 1
        self._counts[which] += len(ids)
        if which == _UNPROCESSED:
            return
        lengths = set(map(len, ids))
        if not lengths <= {_LONG, _SHORT, 0} or (any(lengths) and not b"".join(ids).isalnum()):
            raise FormatError(f"A record of the file of {which} results has an invalid id", row=_odd(ids, _ID, row))
        self._ids += b"".join(ids) if lengths == {_LONG} else b"".join([one.ljust(_LONG) for one in ids])
        if which == _FAILED:
            self._errors += b"".join(errors)
            self._ends.extend(islice(accumulate(map(len, errors), initial=self._ends[-1]), 1, None))
        elif 0 in lengths:
            raise FormatError(f"A record of the file of {which} results has no id", row=row + ids.index(b""))
        elif not set(created) <= {b"true", b"false"}:
            text = f"sf__Created of a record of the file of {which} results must be true or false"
            raise FormatError(text, row=_odd(created, _FLAG, row))
        else:
            self._created += b"".join([one[:1] for one in created])

    def columns(self, places: Sequence[int]) -> Iterator[Sequence[Values]]:
        """See `bulkforce.apis.tying.Side`."""
        for file in self._files:
            yield from file.columns(places)

    def outcomes(self, owners: Sequence[int]) -> Outcomes:
        """Return the outcome of each record, from the number of its result."""
        kinds = (
            Outcomes.SUCCEEDED * self.succeeded
            + Outcomes.FAILED * self.failed
            + Outcomes.NOT_TRIED * self.not_tried
            + Outcomes.NO_RESULT
        )
        each = bytes(map(kinds.__getitem__, owners))
        return Outcomes(_Marks(self, owners), _Errors(self, owners, each), each)

    def mark(self, result: int) -> bytes:
        """Return what an output says about a record: its id, and whether it was created."""
        if not 0 <= result < self.succeeded + self.failed:
            return b""
        record_id = bytes(self._ids[_LONG * result : _LONG * (result + 1)]).rstrip()
        if result >= self.succeeded:
            return record_id + b","
        return record_id + (b",true," if self._created[result] == _TRUE else b",false,")

    @cached_property
    def _end(self) -> bytes:
        """How the mark of each written record ends, if all are alike."""
        alike = self._created == self._created[:1] * self.succeeded and b" " not in self._ids
        return self.mark(0)[_LONG:] if alike and self.succeeded else b""

    def marks(self, results: Sequence[int]) -> list[bytes]:
        """Return what outputs say about some records."""
        if results and self._end and min(results) >= 0 and max(results) < self.succeeded:
            ids, end = self._ids, self._end
            return [b"".join((ids[begin : begin + _LONG], end)) for begin in map(_LONG.__mul__, results)]
        return list(map(self.mark, results))

    def error(self, result: int) -> str:
        """Return why a record was refused."""
        begin, end = self._ends[result - self.succeeded : result - self.succeeded + 2]
        return shown(bytes(self._errors[begin:end])).decode()

    def untied(self, tied: bytes) -> Untied:
        """Return the results that are not tied."""
        first, second = self.succeeded, self.succeeded + self.failed
        return Untied(
            lambda: self._left(tied),
            tied.count(0, 0, first),
            tied.count(0, first, second),
            tied.count(0, second),
        )

    def _left(self, tied: bytes) -> Iterator[tuple[bytes, bytes]]:
        results = chain.from_iterable(file.whole() for file in self._files)
        for said, echoed in compress(results, map((0).__eq__, tied)):
            yield _written(said) + b",", _written(echoed)


class _Marks(Sequence[bytes]):
    """What outputs say about records, made when it is asked for: a million need little memory."""

    def __init__(self, results: Returned, owners: Sequence[int]) -> None:
        self._results, self._owners = results, owners

    def __len__(self) -> int:
        return len(self._owners)

    @overload
    def __getitem__(self, place: int) -> bytes: ...
    @overload
    def __getitem__(self, place: slice) -> list[bytes]: ...
    def __getitem__(self, place: int | slice) -> bytes | list[bytes]:
        if isinstance(place, slice):
            return self._results.marks(self._owners[place])
        return self._results.mark(self._owners[place])


class _Errors(Mapping[int, str]):
    """Why records failed, by their places."""

    def __init__(self, results: Returned, owners: Sequence[int], kinds: bytes) -> None:
        self._results, self._owners, self._kinds = results, owners, kinds

    def __len__(self) -> int:
        return self._kinds.count(Outcomes.FAILED)

    def __iter__(self) -> Iterator[int]:
        return (found.start() for found in re.finditer(Outcomes.FAILED, self._kinds))

    def __getitem__(self, place: int) -> str:
        if not 0 <= place < len(self._kinds) or self._kinds[place : place + 1] != Outcomes.FAILED:
            raise KeyError(place)
        return self._results.error(self._owners[place])


def _written(values: Sequence[bytes]) -> bytes:
    return ",".join([csv.quote(shown(value).decode()) for value in values]).encode()


def _odd(values: Values, pattern: re.Pattern[bytes], row: int) -> int:
    return next(number for number, value in enumerate(values, row) if not pattern.fullmatch(value))
