"""The results of a job of Bulk API 2.0, tied to the records that were sent.

The org returns them in three files, in no order, with the columns that were uploaded as it understood them: a result
belongs to a record because of what it echoes, and never because of its place.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from bulkforce.apis.abc import Outcomes
from bulkforce.apis.echo import identity, meaning
from bulkforce.errors import FormatError
from bulkforce.formats.csv import quote
from bulkforce.formats.text import decoded
from bulkforce.protocol.wire_csv import rows as rows_of
from bulkforce.vocabulary import Operation

_ID: Final = re.compile(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?")
_OURS: Final = {"successful": ("sf__id", "sf__created"), "failed": ("sf__id", "sf__error"), "unprocessed": ()}
_KINDS: Final = {
    "successful": Outcomes.SUCCEEDED,
    "failed": Outcomes.FAILED,
    "unprocessed": Outcomes.NOT_TRIED,
}


@dataclass(frozen=True, slots=True)
class ResultFiles:
    """What the org returned for a job, as it wrote it; ``None`` for a file that it says is not there (204).

    Attributes:
        successful: The records that were written.
        failed: The records that were refused.
        unprocessed: The records that were not tried.
    """

    successful: bytes | Path | None = None
    failed: bytes | Path | None = None
    unprocessed: bytes | Path | None = None


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


@dataclass(frozen=True, slots=True)
class Counted:
    """How many results say that their record was written, refused, or not tried."""

    succeeded: int
    failed: int
    not_tried: int


class _Result(NamedTuple):
    kind: bytes
    id: str
    created: str
    error: str
    values: tuple[str, ...]


def tie(header: bytes, rows: bytes, records: int, files: ResultFiles, key: Key) -> Tied:
    """Tie the results of a job to the records that were sent.

    Args:
        header: The header that was sent.
        rows: The records that were sent.
        records: How many they are.
        files: What the org returned.
        key: What identifies a record.

    Raises:
        FormatError: A file is malformed. Says what is wrong, and in which record, but shows no value.
    """
    names = [name.lower() for name in next(rows_of(decoded(header)))]
    sent = list(map(tuple, rows_of(decoded(rows))))
    if len(sent) != records or any(len(row) != len(names) for row in sent):
        raise FormatError(f"There are {len(sent):,} records where {records:,} were sent")
    results = [
        *_read("successful", files.successful, names),
        *_read("failed", files.failed, names),
        *_read("unprocessed", files.unprocessed, names),
    ]
    owners = _Tier(sent, results).tie(names.index(key.column) if key.column in names else None, by_id=key.is_id)
    return _tied(records, results, owners)


def count(header: bytes, files: ResultFiles) -> Counted:
    """Count results, after checking that `tie` can read them.

    Args:
        header: The header that was sent.
        files: What the org returned.

    Raises:
        FormatError: A file is malformed; see `tie`.
    """
    names = [name.lower() for name in next(rows_of(decoded(header)))]
    found = (files.successful, files.failed, files.unprocessed)
    return Counted(*(sum(1 for _ in _read(which, file, names)) for which, file in zip(_KINDS, found, strict=True)))


def _read(which: str, content: bytes | Path | None, names: Sequence[str]) -> Iterator[_Result]:
    if content is None:
        return
    whole = content.read_bytes() if isinstance(content, Path) else content
    table = rows_of(decoded(whole.removeprefix(b"\xef\xbb\xbf")))
    found = [name.strip().lower() for name in next(table, [])]
    missing = [name for name in (*_OURS[which], *names) if found.count(name) != 1]
    if missing and (whole or which != "unprocessed"):
        raise FormatError(f"The {which} results do not have the columns that they should have")
    places = [found.index(name) for name in names]
    for number, values in enumerate(table, 1):
        if len(values) != len(found):
            raise FormatError(
                f"A result of the {which} results has {len(values)} values for {len(found)} columns", row=number
            )
        of = dict(zip(found, values, strict=True))
        record_id, created = of.get("sf__id", ""), of.get("sf__created", "")
        if not _ID.fullmatch(record_id) and (record_id or which == "successful"):
            raise FormatError(f"A result of the {which} results has an invalid id", row=number)
        if which == "successful" and created not in {"true", "false"}:
            raise FormatError("sf__Created must be true or false", row=number)
        yield _Result(_KINDS[which], record_id, created, of.get("sf__error", ""), tuple(values[at] for at in places))


class _Tier:
    def __init__(self, sent: Sequence[tuple[str, ...]], results: Sequence[_Result]) -> None:
        self._sent, self._results = sent, results
        self.owners: dict[int, int] = {}

    def tie(self, key: int | None, *, by_id: bool) -> dict[int, int]:
        """Return which result belongs to which record."""
        if key is not None:
            self._by_key(key, identity if by_id else meaning)
        self._by_columns()
        return self.owners

    def _left(self) -> tuple[list[int], list[int]]:
        taken = set(self.owners.values())
        return (
            [place for place in range(len(self._sent)) if place not in self.owners],
            [place for place in range(len(self._results)) if place not in taken],
        )

    def _by_key(self, key: int, same: Callable[[str], str]) -> None:
        mine, theirs = defaultdict(list), defaultdict(list)
        for place, row in enumerate(self._sent):
            mine[same(row[key])].append(place)
        for place, result in enumerate(self._results):
            theirs[same(result.values[key])].append(place)
        for value, places in mine.items():
            if value != "" and len(places) == 1 == len(theirs[value]):
                self.owners[places[0]] = theirs[value][0]

    def _by_columns(self) -> None:
        left, over = self._left()
        mine, theirs = defaultdict(list), defaultdict(list)
        for place in left:
            mine[tuple(map(meaning, self._sent[place]))].append(place)
        for place in over:
            theirs[tuple(map(meaning, self._results[place].values))].append(place)
        for value, places in mine.items():
            if value in theirs:
                self._group(places, theirs[value])

    def _group(self, mine: list[int], theirs: list[int]) -> None:
        if len(theirs) > len(mine):
            return
        if len({self._sent[place] for place in mine}) == 1:
            self.owners.update(zip(mine, theirs, strict=False))
        elif len(mine) == len(theirs):
            self._split(mine, theirs)

    def _split(self, mine: list[int], theirs: list[int]) -> None:
        """Tie a group whose records mean the same, as far as is known, by the texts that were not changed."""
        columns = range(len(self._sent[mine[0]]))
        sent = [Counter(self._sent[place][column] for place in mine) for column in columns]
        echoed = [Counter(self._results[place].values[column] for place in theirs) for column in columns]

        def kept(row: tuple[str, ...]) -> tuple[str | None, ...]:
            return tuple(
                value if sent[column][value] == echoed[column][value] else None for column, value in enumerate(row)
            )

        rows, results = defaultdict(list), defaultdict(list)
        for place in mine:
            rows[kept(self._sent[place])].append(place)
        for place in theirs:
            results[kept(self._results[place].values)].append(place)
        for value, places in rows.items():
            others = results[value]
            if len(places) == len(others) and len({self._results[place].values for place in others}) == 1:
                self.owners.update(zip(places, others, strict=True))


def _tied(records: int, results: Sequence[_Result], owners: dict[int, int]) -> Tied:
    marks, kinds, errors = [b""] * records, bytearray(Outcomes.NO_RESULT * records), {}
    for place, owner in owners.items():
        result = results[owner]
        kinds[place : place + 1] = result.kind
        if result.kind != Outcomes.NOT_TRIED:
            marks[place] = f"{result.id},{result.created}{',' if result.created else ''}".encode()
        if result.kind == Outcomes.FAILED:
            errors[place] = result.error
    taken = set(owners.values())
    left = [result for place, result in enumerate(results) if place not in taken]
    said, untied = (Counter(result.kind for result in some) for some in (results, left))
    return Tied(
        Outcomes(marks, dict(sorted(errors.items())), bytes(kinds)),
        Untied(
            lambda: (
                (
                    f"{result.id},{result.created},{quote(result.error)},".encode(),
                    ",".join(map(quote, result.values)).encode(),
                )
                for result in left
            ),
            *(untied[kind] for kind in _KINDS.values()),
        ),
        *(said[kind] for kind in _KINDS.values()),
    )
