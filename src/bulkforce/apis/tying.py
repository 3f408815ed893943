"""Finds out which result belongs to which record, where results come in no order; see ADR 13.

A record and a result with equal keys belong together. Compared are, one after another, the column that identifies a
record; whole records as they were sent; all columns, each as it was sent or by its meaning; and what is then left, by
the columns that came back. Keys are hashed values, whose seed differs in each process: that any two of a million
different records have the same is less likely than one in ten million.
"""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import compress, count, repeat
from typing import Final, Protocol

from bulkforce.apis.echo import identity, is_notation, may_change, meanings

Values = Sequence[bytes]
Reading = Callable[[Values], Sequence[Hashable]]
"""How the values of a column are compared: as they are, or by what they mean."""

_NONE: Final = -1
_ASIDE: Final = -2
_ID_CHARACTERS: Final = 15


class Side(Protocol):
    """Records or results, with the columns that were sent, by their places there."""

    @property
    def records(self) -> int:
        """How many there are."""
        ...

    @property
    def has(self) -> Collection[int]:
        """The columns that are there."""
        ...

    @property
    def digests(self) -> array[int]:
        """The hash of each record, with the columns in the order in which they were sent."""
        ...

    def columns(self, places: Sequence[int]) -> Iterator[Sequence[Values]]:
        """Yield the values of some columns, some records at a time."""
        ...


class Echoed(Side, Protocol):
    """Results."""

    @property
    def keys(self) -> array[int]:
        """What `key_digests` makes of each value of the column that identifies a record."""
        ...

    @property
    def contradictions(self) -> Sequence[int]:
        """The results that are said to be about another record than they echo."""
        ...


@dataclass(slots=True)
class _Groups:
    """Records and results by their keys; a group is named by its first record."""

    first: array[int]
    rows: dict[int, list[int]] = field(default_factory=dict)
    results: dict[int, list[int]] = field(default_factory=dict)
    missed: bool = False

    @property
    def several(self) -> Iterator[tuple[list[int], list[int]]]:
        """The groups of several records or several results."""
        for head in self.rows.keys() | self.results.keys():
            single = [self.first[head]] if self.first[head] != _NONE else []
            yield self.rows.get(head, [head]), self.results.get(head, single)

    @property
    def ones(self) -> Iterator[tuple[int, int]]:
        """The groups of one record and one result."""
        for head, result in enumerate(self.first):
            if result != _NONE and head not in self.rows and head not in self.results:
                yield head, result


class Tying:
    """Ties results to records.

    Args:
        sent: The records.
        echoed: The results.

    Attributes:
        owners: The result of each record; -1 if none belongs to it for certain.
    """

    def __init__(self, sent: Side, echoed: Echoed) -> None:
        self._sent, self._echoed = sent, echoed
        self.owners = array("q", [_NONE]) * sent.records
        self.tied = bytearray(echoed.records)
        self._rows_left, self._results_left = sent.records, echoed.records
        self._places = sorted(echoed.has)

    def tie(self, key: int | None, *, by_id: bool) -> None:
        """Tie what can be tied.

        Args:
            key: The place of the column that identifies a record, if there is one.
            by_id: Whether that column holds ids.
        """
        rows: list[int] = []
        results = list(self._echoed.contradictions) if by_id else []
        if key is not None and key in self._places:
            self._by_id(key) if by_id else self._by_key(key)
            if by_id and self._is_open:
                rows, named = self._set_aside(key)
                results += named
        if self._is_open and self._places:
            self._by_all()
        if self._is_open and self._places:
            self._by_what_came_back()
        for row in rows:
            self.owners[row] = _NONE
        for result in results:
            self.tied[result] = 0

    @property
    def _is_open(self) -> bool:
        return bool(self._rows_left and self._results_left)

    @property
    def _is_complete(self) -> bool:
        return self._rows_left == self._results_left

    # By the column that identifies a record

    def _by_id(self, key: int) -> None:
        for result in self._echoed.contradictions:
            self.tied[result] = 1
        self._results_left -= len(self._echoed.contradictions)
        self._tie_ones(self._groups(_keys(self._sent, key, _short), [self._echoed.keys]))
        if self._is_open:
            self._by_reading(key, _identities)

    def _set_aside(self, key: int) -> tuple[list[int], list[int]]:
        """Keep what names a record by an id that the other side does not name from being tied by anything else.

        Returns:
            The numbers of these records, and of these results.
        """
        sent = self._left(self._sent, key, bytes(map(_NONE.__eq__, self.owners)))
        echoed = self._left(self._echoed, key, bytes(map((0).__eq__, self.tied)))
        known, named = set(echoed.values()), set(sent.values())
        rows = [row for row, one in sent.items() if one not in known]
        results = [result for result, one in echoed.items() if one not in named]
        for row in rows:
            self.owners[row] = _ASIDE
        for result in results:
            self.tied[result] = 1
        self._rows_left -= len(rows)
        self._results_left -= len(results)
        return rows, results

    @staticmethod
    def _left(side: Side, key: int, is_left: bytes) -> dict[int, bytes]:
        """Return the ids of those that are left and have one, by their numbers."""
        values = compress(enumerate(value for (some,) in side.columns([key]) for value in some), is_left)
        return {place: identity(value)[:_ID_CHARACTERS] for place, value in values if value.strip()}

    def _by_key(self, key: int) -> None:
        if self._is_complete and not may_change(next(iter(self._sent.columns([key])))[0]):
            groups = self._groups(_keys(self._sent, key, _as_is), [self._echoed.keys])
            if self._proves(groups):
                self._tie_ones(groups)
                return
        self._by_reading(key, meanings)

    def _by_reading(self, key: int, reading: Reading) -> None:
        self._tie_ones(self._groups(_keys(self._sent, key, reading), _keys(self._echoed, key, reading, empty=None)))

    # By all columns

    def _by_all(self) -> None:
        readings: list[Reading] = [meanings] * len(self._places)
        if self._is_complete:
            if self._by_lines():
                return
            sample = next(iter(self._sent.columns(self._places)))
            readings = [meanings if may_change(values) else _as_is for values in sample]
            groups = self._groups_by(self._places, readings)
            if not self._proves(groups):
                readings = [
                    _as_is if mine == theirs else meanings
                    for mine, theirs in zip(*self._sums(self._places, _as_is), strict=True)
                ]
                groups = self._groups_by(self._places, readings)
        else:
            groups = self._groups_by(self._places, readings)
        self._tie_ones(groups)
        self._tie_several(groups)

    @property
    def _has_all(self) -> bool:
        """Whether every column came back."""
        return len(self._places) == len(self._sent.has)

    def _by_lines(self) -> bool:
        """Tie whole records, if all came back as they were sent: if there are the same, each as often."""
        if not self._has_all:
            return False
        digests, echoed = self._sent.digests, self._echoed.digests
        if self._rows_left == len(digests) and digests == echoed:
            # In the order in which they were sent, too.
            self.owners, self.tied = array("q", range(len(digests))), bytearray(b"\1") * len(digests)
            self._rows_left = self._results_left = 0
            return True
        mine, theirs = compress(digests, map(_NONE.__eq__, self.owners)), compress(echoed, map((0).__eq__, self.tied))
        if sum(mine) != sum(theirs):
            return False
        groups = self._groups([digests], [echoed])
        self._tie_ones(groups)
        for rows, results in groups.several:
            self._tie_each(rows, results)
        return True

    def _tie_several(self, groups: _Groups) -> None:
        unlike = []
        for rows, results in groups.several:
            if 0 < len(results) <= len(rows):
                if len({self._sent.digests[row] for row in rows}) == 1:
                    self._tie_each(rows, results)
                elif len(rows) == len(results) and self._has_all:
                    unlike.append((rows, results))
        if unlike:
            mine = _values(self._sent, self._places, {row for rows, _ in unlike for row in rows})
            theirs = _values(self._echoed, self._places, {result for _, results in unlike for result in results})
            for rows, results in unlike:
                self._split({row: mine[row] for row in rows}, {result: theirs[result] for result in results})

    def _split(self, rows: dict[int, tuple[bytes, ...]], results: dict[int, tuple[bytes, ...]]) -> None:
        """Tie records that may mean the same by the values that certainly were not changed.

        A value that is echoed as often as it was sent was not changed, and nothing was changed into it.
        """
        columns = range(len(self._places))
        sent = [Counter(values[column] for values in rows.values()) for column in columns]
        echoed = [Counter(values[column] for values in results.values()) for column in columns]

        def kept(values: tuple[bytes, ...]) -> tuple[bytes | None, ...]:
            return tuple(
                value if mine[value] == theirs[value] else None
                for value, mine, theirs in zip(values, sent, echoed, strict=True)
            )

        by_kept: defaultdict[Hashable, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
        for row, values in rows.items():
            by_kept[kept(values)][0].append(row)
        for result, values in results.items():
            by_kept[kept(values)][1].append(result)
        for some, others in by_kept.values():
            # Records that are echoed alike are alike to the org.
            if len(some) == len(others) and len({results[other] for other in others}) == 1:
                self._tie_each(some, others)

    # By the columns that came back

    def _by_what_came_back(self) -> None:
        """Tie what is left because of values that came back as something else.

        Only by columns in which nothing of what is left was changed, if no other record has the same values there, and
        if what was changed could be a notation: texts stay as they are.
        """
        if not self._is_complete:
            return
        sums = zip(self._places, *self._sums(self._places, meanings), strict=True)
        kept = [place for place, mine, theirs in sums if mine == theirs]
        others = [place for place in self._places if place not in kept]
        if not kept or not others:
            return
        readings: list[Reading] = [meanings] * len(kept)
        groups = self._groups_by(kept, readings, among_all=True)
        mine, theirs, filled = (
            _each(self._sent, others, _may_all_change),
            _each(self._echoed, others, _may_all_change),
            _each(self._sent, kept, any),
        )
        for row, result in groups.ones:
            if self.owners[row] == _NONE and mine[row] and theirs[result] and filled[row]:
                self._tie_one(row, result)

    # Steps

    def _groups_by(self, places: Sequence[int], readings: Sequence[Reading], *, among_all: bool = False) -> _Groups:
        return self._groups(
            _row_keys(self._sent, places, readings),
            _row_keys(self._echoed, places, readings),
            among_all=among_all,
        )

    def _groups(
        self, sent: Iterable[Iterable[int]], echoed: Iterable[Iterable[int]], *, among_all: bool = False
    ) -> _Groups:
        """Group what is not tied yet by its keys; ``among_all`` groups tied records, too."""
        keys = array("q")
        for some in sent:
            keys.extend(some)
        # One more: where results go to whose key no record has.
        groups = _Groups(array("q", [_NONE]) * (len(keys) + 1))
        heads: dict[int, int] = {}
        if among_all or self._rows_left == len(keys):
            heads = dict(zip(keys, range(len(keys)), strict=True))
        if len(heads) != len(keys):
            heads.clear()
            heads = self._heads(keys, groups, among_all=among_all)
        del keys
        self._find(heads, echoed, groups)
        groups.missed = groups.first.pop() != _NONE
        return groups

    def _heads(self, keys: array[int], groups: _Groups, *, among_all: bool) -> dict[int, int]:
        """Return the first record with each key, and note which others have the same."""
        heads: dict[int, int] = {}
        for row, (key, owner) in enumerate(zip(keys, self.owners, strict=True)):
            if among_all or owner == _NONE:
                head = heads.setdefault(key, row)
                if head != row:
                    groups.rows.setdefault(head, [head]).append(row)
        return heads

    def _find(self, heads: dict[int, int], echoed: Iterable[Iterable[int]], groups: _Groups) -> None:
        tied, first, nowhere = self.tied, groups.first, self._sent.records
        places = count()
        for keys in echoed:
            for head, result in zip(map(heads.get, keys, repeat(nowhere)), places):  # noqa: B905
                if tied[result]:
                    continue
                if first[head] == _NONE:
                    first[head] = result
                elif head != nowhere:
                    groups.results.setdefault(head, [first[head]]).append(result)

    def _proves(self, groups: _Groups) -> bool:
        """Whether each group has as many results as records, so that no value was changed."""
        if groups.missed:
            return False
        return all(len(rows) == len(results) for rows, results in groups.several)

    def _sums(self, places: Sequence[int], reading: Reading) -> tuple[list[int], list[int]]:
        """Return the sum of the hashes of each column: they are equal if its values are, each as often."""
        return (
            _column_sums(self._sent, places, reading, bytes(map(_NONE.__eq__, self.owners))),
            _column_sums(self._echoed, places, reading, bytes(map((0).__eq__, self.tied))),
        )

    def _tie_ones(self, groups: _Groups) -> None:
        owners, tied, number = self.owners, self.tied, 0
        for row, result in groups.ones:
            owners[row] = result
            tied[result] = 1
            number += 1
        self._rows_left -= number
        self._results_left -= number

    def _tie_each(self, rows: Sequence[int], results: Sequence[int]) -> None:
        for row, result in zip(rows, results, strict=False):
            self._tie_one(row, result)

    def _tie_one(self, row: int, result: int) -> None:
        self.owners[row], self.tied[result] = result, 1
        self._rows_left -= 1
        self._results_left -= 1


def key_digests(values: Values, *, by_id: bool) -> Iterable[int]:
    """Return the hash of each value of a column that identifies results, as it is compared first."""
    return _digests(_short(values) if by_id else values, empty=None)


def id_contradictions(ids: Values, said: Values, begin: int) -> list[int]:
    """Return the numbers of the results that echo another id than the org says; it need not say any.

    Args:
        ids: The ids that they echo.
        said: The ids that the org says.
        begin: The number of the first of them.
    """
    ids, said = _short(ids), _short(said)
    if ids == said:
        return []
    pairs = enumerate(zip(ids, said, strict=True), begin)
    return [place for place, (one, other) in pairs if other and one.lower() != other.lower()]


def _as_is(values: Values) -> Values:
    return values


def _short(values: Values) -> Values:
    """Return what tells ids apart if their case is kept; the rest of an id of 18 characters is made of it."""
    return [value[:_ID_CHARACTERS] for value in values]


def _identities(values: Values) -> Values:
    return list(map(identity, values))


def _keys(side: Side, place: int, reading: Reading, empty: bytes | None = b"") -> Iterator[Iterable[int]]:
    for (values,) in side.columns([place]):
        yield _digests(reading(values), empty)


def _digests(keys: Sequence[Hashable], empty: bytes | None) -> Iterable[int]:
    """Return the hash of each key; an empty one of a result, which is ``None``, is no record's."""
    return map(hash, [empty if one == b"" else one for one in keys] if b"" in keys else keys)


def _row_keys(side: Side, places: Sequence[int], readings: Sequence[Reading]) -> Iterator[Iterable[int]]:
    for columns in side.columns(places):
        yield map(
            hash,
            zip(*(reading(values) for reading, values in zip(readings, columns, strict=True)), strict=True),
        )


def _column_sums(side: Side, places: Sequence[int], reading: Reading, wanted: bytes) -> list[int]:
    sums, begin = [0] * len(places), 0
    for columns in side.columns(places):
        these = wanted[begin : begin + len(columns[0])]
        for column, values in enumerate(columns):
            sums[column] += sum(compress(map(hash, reading(values)), these))
        begin += len(columns[0])
    return sums


def _values(side: Side, places: Sequence[int], wanted: Collection[int]) -> dict[int, tuple[bytes, ...]]:
    numbers = count()
    return {
        number: values
        for columns in side.columns(places)
        for values, number in zip(zip(*columns, strict=True), numbers)  # noqa: B905
        if number in wanted
    }


def _each(side: Side, places: Sequence[int], test: Callable[[tuple[bytes, ...]], bool]) -> bytes:
    return bytes(test(values) for columns in side.columns(places) for values in zip(*columns, strict=True))


def _may_all_change(values: tuple[bytes, ...]) -> bool:
    return all(not value or is_notation(value) for value in values)
