"""Whether the values of a source fit the fields that they go to: a summary by column and cause, from one look at each
block.

A pattern that is made for the columns matches the good records of a block at once; no object is made for them. Only
what it does not match is split into values, each of which is judged.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as attribute
from itertools import islice
from typing import Final

from bulkforce.formats import csv
from bulkforce.objects.columns import Severity, Target, is_required
from bulkforce.objects.notation import CARRIAGE_RETURN, Cause, Notation, Problem, check_characters, notation_of
from bulkforce.vocabulary import Operation

_SAMPLE_CHARACTERS: Final = 80
_CAPITALS: Final = bytes(64 < byte < 91 for byte in range(256))
_CHECK_VALUES: Final = bytes(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345".find(byte) % 256 for byte in range(256))

_NULL: Final = csv.NULL.encode()
_BORDER: Final = re.compile(rb"[,\n]")
_MOST_RETURNS: Final = 1_000
_LONG: Final = 1_000
_RECORD: Final = re.compile(rb'([^"\r\n]*+(?:"[^"]*+"[^"\r\n]*+)*+)\r?+\n')

_EMPTY: Final = Problem(
    Cause.EMPTY, Severity.REFUSE, "is empty, and every record needs one", "Fill it, or leave the record out."
)
_EMPTY_KEY: Final = Problem(
    Cause.EMPTY, Severity.WARN, "is empty, and no record is found by that", "Fill it, or insert the record."
)
_IS_NULL: Final = Problem(Cause.NULL, Severity.REFUSE, "is null, and the field may not be", "Give a value.")
_NULL_FOR_OLD: Final = replace(_IS_NULL, remedy="Give a value, or leave it empty, which changes nothing.")
_NULL_FOR_SOME: Final = replace(
    _IS_NULL, remedy="Give a value; left empty, it changes nothing in a record that exists, and a new one fails."
)
_NULL_ID: Final = replace(_IS_NULL, remedy="Give an id, or leave it empty, which makes a new record.")
_NOT_NULL: Final = Problem(
    Cause.NOT_NULL, Severity.REFUSE, "is no null, which alone has a meaning here", "Name a field of the parent."
)


@dataclass(frozen=True, slots=True)
class ValueFinding:
    """Values of one column that have the same thing wrong with them.

    Attributes:
        column: The column, as it stands in the source.
        field: The field that it goes to, by the name that is sent.
        problem: What is wrong, how bad that is, and what to do.
        count: How many records have such a value.
        first_row: The first of them, from 1.
        is_least: Whether there may be more such records: from some 1,000 on, carriage returns are not counted.
        sample: Its value, cut if it is long. It is the user's own data: for the user's terminal and report, and for no
            log and no error.
    """

    column: str
    field: str
    problem: Problem
    count: int
    first_row: int
    sample: str = attribute(repr=False)
    is_least: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """What is asked of the values of one column.

    Attributes:
        target: Where it goes.
        notation: How its values are written; ``None`` if any will do.
        if_empty: What is wrong with an empty value, if anything.
        if_null: What is wrong with null, if anything.
    """

    target: Target
    notation: Notation | None
    if_empty: Problem | None
    if_null: Problem | None

    @property
    def is_id(self) -> bool:
        """Whether its values may have check characters."""
        return self.notation is not None and self.notation.is_id and not self.target.null_only

    @property
    def is_text(self) -> bool:
        """Whether its values may have carriage returns."""
        return self.notation is not None and self.notation.pattern is None and not self.target.null_only

    @property
    def is_free(self) -> bool:
        """Whether any value will do."""
        return self.notation is None and not (self.target.null_only or self.if_empty or self.if_null)

    def judge(self, text: str, *, is_checked: bool = False) -> Problem | None:
        """Say what is wrong with a value, if anything; the check characters of an id may have been looked at before."""
        if not text:
            return self.if_empty
        if text == csv.NULL:
            return self.if_null
        if self.target.null_only:
            return _NOT_NULL
        problem = self.notation.judge(text) if self.notation else None
        return check_characters(text) if self.is_id and not problem and not is_checked else problem


def moved(column: Column, place: int) -> Column:
    """Give the same column, at another place."""
    return replace(column, target=replace(column.target, place=place))


def columns_of(
    targets: Iterable[Target],
    operation: Operation,
    *,
    key: str | None = None,
    object_name: str | None = None,
    prefixes: Mapping[str, str] | None = None,
    empty_as_null: bool = False,
) -> list[Column]:
    """Say what is asked of the values of each column.

    Args:
        targets: Where the columns go.
        operation: What is done with the records.
        key: The field that an upsert finds its records by.
        object_name: The object, of which the ids are that stand in ``Id``.
        prefixes: The first three characters of ids, by the object's name, as far as they are known.
        empty_as_null: Whether empty values are sent as null.
    """
    columns = []
    for target in targets:
        field = target.field
        if field and field.type == "id":
            parents = target.writes.reference_to if target.name != "Id" else (object_name,) if object_name else ()
            field = replace(field, reference_to=parents)
        notation = notation_of(field, prefixes or {}) if field else None
        columns.append(_column(target, notation, operation, key, empty_as_null=empty_as_null))
    return columns


def _column(
    target: Target, notation: Notation | None, operation: Operation, key: str | None, *, empty_as_null: bool
) -> Column:
    written = target.writes
    is_id = target.name == "Id" and operation in {Operation.UPDATE, Operation.DELETE, Operation.HARD_DELETE}
    is_key = operation is Operation.UPSERT and key is not None and target.name.lower() == key.lower()
    needed = is_id or (operation is Operation.INSERT and is_required(written))
    nullable = (
        written.nillable or written.type == "boolean" or (operation is Operation.INSERT and written.defaulted_on_create)
    )
    by_other_key = is_key and target.name != "Id"
    if by_other_key:
        if_null: Problem | None = _EMPTY_KEY
    elif nullable and not needed:
        if_null = None
    elif needed or empty_as_null:
        if_null = _IS_NULL
    elif is_key:
        if_null = _NULL_ID
    else:
        if_null = _NULL_FOR_SOME if operation is Operation.UPSERT and is_required(written) else _NULL_FOR_OLD
    if_empty = if_null if empty_as_null else _EMPTY if needed else _EMPTY_KEY if by_other_key else None
    return Column(target, notation, if_empty, if_null)


class Summary:
    """Counts problems by column and cause."""

    def __init__(self) -> None:
        self._found: dict[tuple[int, Problem], tuple[Target, int, int, str]] = {}

    def add(self, target: Target, problem: Problem, row: int, sample: str, count: int = 1) -> None:
        """Count values with a problem, the first of them in a row that is not before those that were counted."""
        known = self._found.get((target.place, problem))
        if known:
            _, before, row, sample = known
            count += before
        elif len(sample) > _SAMPLE_CHARACTERS:
            sample = sample[:_SAMPLE_CHARACTERS] + "..."
        self._found[target.place, problem] = (target, count, row, sample)

    def has(self, target: Target, problem: Problem) -> bool:
        """Whether values with a problem were counted."""
        return (target.place, problem) in self._found

    def findings(self) -> list[ValueFinding]:
        """Give what was found, by column and then by the row in which it was met first."""
        found = sorted(self._found.items(), key=lambda one: (one[0][0], one[1][2]))
        return [
            ValueFinding(target.column, target.name, problem, count, row, sample)
            for (_, problem), (target, count, row, sample) in found
        ]


class CsvValues:
    """Looks at the values of a CSV file, as it is read.

    Args:
        columns: What is asked of the values.
        width: The header's number of fields.
    """

    def __init__(self, columns: Sequence[Column], width: int) -> None:
        self._columns = [column for column in columns if not column.is_free]
        self._good = [re.compile(_pattern(column, b",", quotes=True, nulls=True)) for column in self._columns]
        self._ids = [column for column in self._columns if column.is_id]
        self._texts = {column.target.place: column for column in self._columns if column.is_text}
        self._returns = 0
        self._width = width
        self._patterns = _Patterns(self._columns, width)
        self._summary = Summary()
        self.rows = 0

    def add(self, unit: csv.Unit) -> None:
        """Look at the next run of records; those that are none, and so are not sent, are only counted.

        Raises:
            FormatError: A quote stands where none may be.
        """
        if not unit.clean:
            for record in csv.records(unit, self._width):
                if record.is_empty:
                    continue
                self.rows += 1
                if record.problem is None:
                    self._look(record.raw, self.rows, is_clean=False)
            return
        if self._columns:
            quotes = b'"' in unit.content
            content = unit.content
            if b"\r" in content:
                if quotes and self._texts and self._returns < _MOST_RETURNS:
                    self._count_carriage_returns(unit)
                content = content if quotes else content.replace(b"\r\n", b"\n")
            # Else a line may begin inside a value.
            by_line = bool(self._ids) and (not quotes or content.count(b"\n") == unit.records)
            columns_of_ids = self._patterns.good_ids(content, quotes=quotes) if by_line else []
            if not columns_of_ids or len(columns_of_ids[0]) != unit.records:
                self._look_for_bad(content, quotes=quotes)
                columns_of_ids = self._patterns.ids(content, quotes=quotes) if self._ids else []
            for column, ids in zip(self._ids, columns_of_ids, strict=True):
                self._check(column, ids)
        self.rows += unit.records

    def findings(self) -> list[ValueFinding]:
        """Give what was found so far."""
        found = self._summary.findings()
        if self._returns < _MOST_RETURNS:
            return found
        return [replace(one, is_least=True) if one.problem is CARRIAGE_RETURN else one for one in found]

    def _look_for_bad(self, content: bytes, *, quotes: bool) -> None:
        """Pass over the good records, and look at the others."""
        good, row, begin = self._patterns.of(content, quotes=quotes).match, self.rows, 0
        while begin < len(content):
            end = found.end() if (found := good(content, begin)) else begin
            record = _RECORD.match(content, end)
            if record is None:
                return
            row += 1 + (_records(content[begin:end]) if quotes else content.count(b"\n", begin, end))
            self._look(record[1], row, is_clean=True)
            begin = record.end()

    def _look(self, raw: bytes, row: int, *, is_clean: bool) -> None:
        """Judge the values of a record; in a clean run, ids and carriage returns are looked at for all at once."""
        values = _values(raw, self._width)
        for column, good in zip(self._columns, self._good, strict=True):
            value = values[column.target.place]
            if good.fullmatch(value) and (is_clean or not (column.is_id or b"\r" in value)):
                continue
            text = csv.unquote(value).decode("utf-8", "replace")
            problem = column.judge(text, is_checked=is_clean)
            if problem and problem is not CARRIAGE_RETURN:
                self._summary.add(column.target, problem, row, text)
            if column.is_text and not is_clean and b"\r" in value:
                self._summary.add(column.target, CARRIAGE_RETURN, row, text)

    def _check(self, column: Column, ids: Sequence[bytes]) -> None:
        """Look at the check characters of what is otherwise good."""
        if not _are_checked(ids):
            for row, record_id in enumerate(ids, self.rows + 1):
                text = record_id.decode("utf-8", "replace")
                if not column.judge(text, is_checked=True) and (problem := check_characters(text)):
                    self._summary.add(column.target, problem, row, text)

    def _count_carriage_returns(self, unit: csv.Unit) -> None:
        """Count texts with a carriage return, of which a file may have many, until there are enough."""
        content = csv.masked(unit.pieces)
        counts: dict[int, int] = {}
        firsts: dict[int, int] = {}
        at = content.find(b"\r")
        while at >= 0:
            if content[at + 1 : at + 2] == b"\n":
                # It ends a record.
                at = content.find(b"\r", at + 2)
                continue
            place = content.count(b",", content.rfind(b"\n", 0, at) + 1, at)
            counts[place] = counts.get(place, 0) + 1
            firsts.setdefault(place, at)
            border = _BORDER.search(content, at)
            at = content.find(b"\r", border.end()) if border else -1
        for place in sorted(counts.keys() & self._texts):
            target, row = self._texts[place].target, content.count(b"\n", 0, firsts[place])
            sample = ""
            if not self._summary.has(target, CARRIAGE_RETURN):
                raw = next(islice(csv.lines(unit.content), row, None)).rstrip(b"\r\n")
                sample = csv.unquote(_values(raw, self._width)[place]).decode()
            self._summary.add(target, CARRIAGE_RETURN, self.rows + row + 1, sample, counts[place])
            self._returns += counts[place]


def _values(raw: bytes, width: int) -> list[bytes]:
    return [raw] if width == 1 else csv.split(raw) if b'"' in raw else raw.split(b",")


class _Patterns:
    """Patterns of whole records, for runs with and without quotes and nulls; compiled when there is such a run.

    They are for clean runs, and for lines that end with LF alone where there are no quotes. There every record has all
    its columns, so a value
    without quotes ends at the next comma, and the last one at the line's end: to look for one of those is much faster
        than for either.
    """

    def __init__(self, columns: Sequence[Column], width: int) -> None:
        self._columns: list[Column | None] = [None] * width
        for column in columns:
            self._columns[column.target.place] = column
        self._made: dict[tuple[str, bool, bool], re.Pattern[bytes]] = {}

    def of(self, content: bytes, *, quotes: bool) -> re.Pattern[bytes]:
        """Give the pattern of as many good records as there are."""
        nulls = b"#" in content and _NULL in content
        return self._pattern("good", quotes=quotes, nulls=nulls)

    def good_ids(self, content: bytes, *, quotes: bool) -> list[Sequence[bytes]]:
        """Give the ids of all good records, of which each is a line."""
        nulls = b"#" in content and _NULL in content
        return _by_column(self._pattern("good with ids", quotes=quotes, nulls=nulls).findall(content))

    def ids(self, content: bytes, *, quotes: bool) -> list[Sequence[bytes]]:
        """Give the ids of all records."""
        return _by_column(self._pattern("ids", quotes=quotes, nulls=False).findall(content))

    def _pattern(self, what: str, *, quotes: bool, nulls: bool) -> re.Pattern[bytes]:
        if (what, quotes, nulls) not in self._made:
            values = []
            for column, stop in zip(self._columns, [b","] * (len(self._columns) - 1) + [rb"\n"], strict=True):
                is_id = what != "good" and column is not None and column.is_id
                value = _pattern(column if what != "ids" else None, stop, quotes=quotes, nulls=nulls)
                values.append(b"(%b)" % value if is_id else value)
            record = b",".join(values) + (rb"\r?+\n" if quotes else rb"\n")
            form = {"good": b"(?:%b)*+", "good with ids": b"(?m:^)%b", "ids": b"%b"}[what]
            self._made[what, quotes, nulls] = re.compile(form % record)
        return self._made[what, quotes, nulls]


def _pattern(column: Column | None, stop: bytes, *, quotes: bool, nulls: bool) -> bytes:
    """Match values of a column that are good for certain.

    Args:
        column: The column; ``None`` for one of which nothing is asked.
        stop: What stands behind its values.
        quotes: Whether there may be values in quotes.
        nulls: Whether there may be null.
    """
    if column is None or column.is_free:
        return rb'(?:"[^"]*+(?:""[^"]*+)*+"|(?!")[^%b]*+)' % stop if quotes else b"[^%b]*+" % stop
    notation, if_empty, if_null = column.notation, column.if_empty, column.if_null
    good = b"(?!)" if column.target.null_only else notation.pattern if notation else None
    if good is not None:
        good += (b"|#N/A" if nulls and if_null is None else b"") + (b"|" if if_empty is None else b"")
        return b'(?:"(?:%b)"|%b)' % (good, good) if quotes else b"(?:%b)" % good
    # What an unquoted value must not begin with: a quote, or null and nothing where these are no values.
    none = b"(?:%b)" % b"|".join(
        [b'#N/A(?:[,"\r\n]|\\Z)'] * bool(nulls and if_null) + [rb"[,\r\n]|\Z"] * bool(if_empty) + [b'"'] * quotes
    )
    bare = b"(?!%b)[^%b]%b" % (none, stop, _times(0 if if_empty is None else 1, notation))
    if not quotes:
        return bare if none != b"(?:)" else bare.removeprefix(b"(?!(?:))")
    quoted = b'"' + (b'(?!#N/A")' if nulls and if_null else b"") + (b'(?!"(?!"))' if if_empty else b"")
    whole = b'[^"]%b"(?!")' % _times(0, notation)
    # With quotes in it, pieces that together are not too long; what is cut up more is judged by itself.
    parts = 32 if notation and (notation.longest or 0) > _LONG else 4
    longest = notation.longest if notation and notation.longest else None
    piece = b"*+" if longest is None else b"{0,%d}+" % max(longest // parts - 1, 0)
    times = b"++" if longest is None else b"{1,%d}+" % (parts - 1)
    return b'(?:%b|%b(?:%b|[^"]%b(?:""[^"]%b)%b"))' % (bare, quoted, whole, piece, piece, times)


def _times(least: int, notation: Notation | None) -> bytes:
    return b"{%d,%b}+" % (least, b"%d" % notation.longest if notation and notation.longest else b"")


def _by_column(found: list[bytes] | list[tuple[bytes, ...]]) -> list[Sequence[bytes]]:
    """Return what the groups of a pattern found, group by group and without quotes."""
    groups = [row if isinstance(row, tuple) else (row,) for row in found]
    columns: list[Sequence[bytes]] = list(zip(*groups, strict=True)) or [[]]
    return [list(map(csv.unquote, column)) if b'"' in b"".join(column) else column for column in columns]


def _records(content: bytes) -> int:
    """Count whole records."""
    return b"".join(content.split(b'"')[::2]).count(b"\n")


def _are_checked(ids: Sequence[bytes]) -> bool:
    """Whether all check characters are right, told for all ids at once, as if they were one large number with a byte
    for each character.

    What a character of a group adds to the value of its check character is moved to the last of the five, and added up
    there.
    """
    joined = b"".join(ids)
    if len(joined) != 18 * len(ids):
        joined = b"".join(one for one in ids if len(one) == 18)
    capitals = int.from_bytes(joined.translate(_CAPITALS), "little")
    values = sum(capitals << 8 * (4 - place) + place for place in range(5)).to_bytes(len(joined) + 5, "little")
    told = joined.translate(_CHECK_VALUES)
    return all(values[5 * group + 4 : len(joined) : 18] == told[15 + group :: 18] for group in range(3))
