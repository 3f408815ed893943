"""Records as flat lines, against Python's own reader of CSV: however they are quoted and cut into blocks."""

from __future__ import annotations

import csv
import io
from typing import Literal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bulkforce.errors import FormatError
from bulkforce.formats.flat import flat, shown

VALUES = st.text(st.sampled_from('ab,"\n\0\1\2\3\4\5é'), max_size=4)
TABLES = st.integers(1, 3).flatmap(
    lambda columns: st.tuples(
        st.just(columns), st.lists(st.lists(VALUES, min_size=columns, max_size=columns), max_size=6)
    )
)
STYLES: st.SearchStrategy[Literal[0, 1, 2]] = st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL, csv.QUOTE_NONNUMERIC])


def blocks(content: bytes, size: int) -> list[bytes]:
    return [content[begin : begin + size] for begin in range(0, len(content), size)]


@given(TABLES, STYLES, st.sampled_from(["\n", "\r\n"]), st.integers(1, 40), st.booleans())
@example((2, [["a", ","], [",", "b"]]), csv.QUOTE_ALL, "\n", 99, False)
@example((2, [["a", "\n"], ["\n", "b"]]), csv.QUOTE_ALL, "\n", 99, False)
@example((2, [["a", ""], ["", '"']]), csv.QUOTE_ALL, "\n", 99, False)
@example((1, [["\n"], [","], ['"']]), csv.QUOTE_ALL, "\n", 99, False)
@example((4, [["b,", "b,", "a", "b,"]] * 2), csv.QUOTE_MINIMAL, "\n", 99, False)
def test_values_are_those_that_were_written(
    table: tuple[int, list[list[str]]], quoting: Literal[0, 1, 2], end: str, size: int, cut: bool
) -> None:
    columns, rows = table
    rows = [row for row in rows if any(row)] if quoting == csv.QUOTE_MINIMAL else rows
    text = io.StringIO(newline="")
    csv.writer(text, quoting=quoting, lineterminator=end).writerows(rows)
    content = text.getvalue().encode()
    found = flat(blocks(content.removesuffix(end.encode()) if cut else content, size), columns)
    assert [[shown(value).decode() for value in line.split(b",")] for lines in found for line in lines] == rows


@given(VALUES, VALUES)
def test_lines_are_equal_only_if_their_values_are(one: str, other: str) -> None:
    def line(value: str) -> bytes:
        return next(flat([b'"' + value.replace('"', '""').encode() + b'",x\n'], 2))[0]

    assert (line(one) == line(other)) == (one == other)


@pytest.mark.parametrize("size", [7, 64, 32_768])
def test_a_value_may_be_longer_than_a_block_and_than_any_limit(size: int) -> None:
    value = b"x, " * 60_000
    lines = [line for some in flat(blocks(b'"a","' + value + b'"\n"b",""\n', size), 2) for line in some]
    assert [shown(line.split(b",")[1]) for line in lines] == [value, b""]


DAMAGED = {
    "a quote that does not end": b'"a","b\n',
    "a quote in a value": b'a,b"c\n',
    "a quote that is not doubled": b'"a","b"c"\n',
    "values that are missing": b'"a","b"\n"c"\n',
    "values too many": b'"a","b","c"\n',
    "not UTF-8": b'"a","\xff"\n',
    "not UTF-8, without quotes": b"a,\xff\n",
    "cut in a character": b'"a","\xc3"\n',
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_damaged_records_are_refused(content: bytes) -> None:
    with pytest.raises(FormatError):
        list(flat([content], 2))


@given(st.text(st.sampled_from('a,"\n'), max_size=30), st.integers(1, 3))
def test_what_is_read_fast_is_what_is_read_exactly(text: str, columns: int) -> None:
    """Whatever the bytes, and whichever way they take: a file with a doubled quote is read exactly."""
    start = b'"' + b'""' * 2 + b'"' + b",x" * (columns - 1) + b"\n"

    def read(content: bytes) -> list[bytes] | None:
        try:
            return [line for lines in flat([content], columns) for line in lines]
        except FormatError:
            return None

    exact = read(start + text.encode())
    fast = read(text.encode())
    assert fast == (exact if exact is None else exact[1:])


def test_an_error_says_which_record_it_is() -> None:
    with pytest.raises(FormatError) as raised:
        list(flat([b'"a","b"\n', b'"c"\n'], 2))
    assert raised.value.row == 2
