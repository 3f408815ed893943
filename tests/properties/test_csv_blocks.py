"""CSV by the block says what CSV at once says, however the bytes are cut; the judge is Python's own parser."""

from __future__ import annotations

import csv as python
import io
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st

from bulkforce.errors import FormatError
from bulkforce.formats import csv
from bulkforce.protocol.wire_csv import rows

VALUES = st.text(st.sampled_from('ab,"\r\n \x00ü😀#'), max_size=6)
TABLES = st.integers(1, 4).flatmap(
    lambda columns: st.lists(st.lists(VALUES, min_size=columns, max_size=columns), max_size=6)
)
LINE_ENDS = st.sampled_from(["\n", "\r\n", "\r"])
NOISE = st.text(st.sampled_from('a,"\r\n'), max_size=24)


@st.composite
def written(draw: st.DrawFn) -> tuple[list[list[str]], bytes]:
    """A table, and one of the many ways to write it: quotes where they need not be, any line ends, blank lines, no end
    at the end."""
    table = draw(TABLES)
    text = ""
    for row in table:
        text += ",".join(_value(draw, value, alone=len(row) == 1) for value in row) + draw(LINE_ENDS)
        text += "\n" * draw(st.integers(0, 1))
    if text and draw(st.booleans()):
        text = text.rstrip("\r\n") if not text.rstrip("\r\n").endswith('"') else text
    return table, text.encode()


def _value(draw: st.DrawFn, value: str, *, alone: bool) -> str:
    must = any(mark in value for mark in ',"\r\n') or (alone and not value)
    return '"' + value.replace('"', '""') + '"' if must or draw(st.booleans()) else value


@st.composite
def cuts(draw: st.DrawFn, content: bytes) -> list[bytes]:
    places = sorted(draw(st.lists(st.integers(0, len(content)), max_size=8)))
    return [content[begin:end] for begin, end in zip([0, *places], [*places, len(content)], strict=True) if begin < end]


def one_by_one(content: bytes) -> list[bytes]:
    return [content[place : place + 1] for place in range(len(content))]


def records_of(blocks: Sequence[bytes], columns: int) -> list[list[str]]:
    """All records, looked at closely."""
    return [
        [csv.unquote(value).decode() for value in csv.split(record.raw)]
        for unit in csv.units(blocks, columns)
        for record in csv.records(unit, columns)
    ]


def slicings(data: st.DataObject, content: bytes) -> Iterator[list[bytes]]:
    yield [content] if content else []
    yield one_by_one(content)
    yield data.draw(cuts(content))


@given(written(), st.data())
def test_records_are_the_same_however_the_bytes_are_cut(
    given_table: tuple[list[list[str]], bytes], data: st.DataObject
) -> None:
    table, content = given_table
    columns = len(table[0]) if table else 1
    for blocks in slicings(data, content):
        assert records_of(blocks, columns) == table


@given(written(), st.data())
def test_units_lose_no_byte_and_count_clean_records(
    given_table: tuple[list[list[str]], bytes], data: st.DataObject
) -> None:
    table, content = given_table
    columns = len(table[0]) if table else 1
    for blocks in slicings(data, content):
        units = list(csv.units(blocks, columns))
        assert b"".join(unit.content for unit in units) == content
        assert not any(a.content[-1:] == b"\r" and b.content[:1] == b"\n" for a, b in pairwise(units))
        assert sum(unit.records if unit.clean else len(list(csv.records(unit, columns))) for unit in units) == len(
            table
        )


@given(written(), st.data())
def test_measure_counts_what_python_counts(given_table: tuple[list[list[str]], bytes], data: st.DataObject) -> None:
    table, content = given_table
    columns = len(table[0]) if table else 1
    whole = ",".join("ABCD"[:columns]).encode() + b"\r\n" + content
    expected = csv.Measure(len(table), len(whole.decode()))
    for blocks in slicings(data, whole):
        assert csv.measure(blocks) == expected


@given(written(), st.data())
def test_one_column_is_read_however_the_bytes_are_cut(
    given_table: tuple[list[list[str]], bytes], data: st.DataObject
) -> None:
    table, content = given_table
    columns = len(table[0]) if table else 1
    place = data.draw(st.integers(0, columns - 1))
    for blocks in slicings(data, content):
        assert [value.decode() for value in csv.column(blocks, place, columns)] == [row[place] for row in table]


@given(NOISE, st.integers(0, 1))
def test_what_has_a_column_has_records(text: str, place: int) -> None:
    content = text.encode()
    expected = _values(
        lambda: [row[place].encode() for row in rows(text)] if all(len(row) == 2 for row in rows(text)) else None
    )
    assert _values(lambda: list(csv.column([content], place, 2))) == expected


def _values(read: Callable[[], list[bytes] | None]) -> list[bytes] | None:
    try:
        return read()
    except FormatError:
        return None


@given(written())
def test_the_reader_of_what_the_org_sends_reads_any_table(given_table: tuple[list[list[str]], bytes]) -> None:
    table, content = given_table
    assert list(rows(content.decode())) == table


@given(NOISE)
def test_what_the_reader_of_what_the_org_sends_takes_python_takes_alike(text: str) -> None:
    try:
        found = list(rows(text))
    except FormatError:
        return
    assert found == [row for row in python.reader(io.StringIO(text, newline=""), strict=True) if row]


def verdict(blocks: Sequence[bytes]) -> csv.Measure | tuple[str, int | None, int | None]:
    try:
        return csv.measure(blocks)
    except FormatError as error:
        return error.text, error.row, error.byte


@given(NOISE, st.data())
@example('A\n"\r', None)
def test_verdict_on_any_bytes_is_the_same_however_they_are_cut(text: str, data: st.DataObject | None) -> None:
    content = ("A,B\n" + text).encode()
    expected = verdict([content])
    assert verdict(one_by_one(content)) == expected
    if data is not None:
        assert verdict(data.draw(cuts(content))) == expected


@given(NOISE)
def test_what_measure_takes_python_takes_with_the_same_records(text: str) -> None:
    content = ("A,B\n" + text).encode()
    try:
        measured = csv.measure([content])
    except FormatError:
        return
    # Python keeps no lone CR apart from LF only when it reads the text as it is.
    rows = [row for row in python.reader(io.StringIO(content.decode(), newline=""), strict=True) if row]
    assert {len(row) for row in rows} == {2}
    assert measured.records == len(rows) - 1


@given(TABLES.filter(bool))
def test_encode_is_read_by_python_and_by_ourselves(table: list[list[str]]) -> None:
    names = "ABCD"[: len(table[0])]
    content = csv.encode([dict(zip(names, row, strict=True)) for row in table])
    rows = list(python.reader(io.StringIO(content.decode(), newline=""), strict=True))
    assert rows == [list(names), *table]
    assert csv.measure([content]).records == len(table)


@given(st.text(), st.lists(st.text(), max_size=5))
def test_quote_split_and_unquote_undo_each_other(value: str, more: list[str]) -> None:
    values = [value, *more]
    raw = ",".join(map(csv.quote, values)).encode("utf-8", "surrogatepass")
    assert [csv.unquote(each).decode("utf-8", "surrogatepass") for each in csv.split(raw)] == values
