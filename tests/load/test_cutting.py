"""Cutting: whatever the content, the slicing into blocks and the limits, no record is lost, doubled or moved, and every
count is that of the bytes."""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkforce.errors import FormatError
from bulkforce.formats.csv import header, lines
from bulkforce.load.cutter import BLANK, Batch, Cutter, Rejected
from bulkforce.load.mapping import ColumnMap, Shape, shape
from bulkforce.protocol import limits


@dataclass
class Cut:
    """All that came of cutting a source."""

    read: int = 0
    skipped: int = 0
    batches: list[Batch] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    order: list[Batch | Rejected] = field(default_factory=list)
    feed: bytes = b""
    is_source: bool = True


def shape_of(source: bytes, column_map: ColumnMap | None = None, *, empty_as_null: bool = False) -> Shape:
    return shape(header(source).names, column_map or ColumnMap(), empty_as_null=empty_as_null)


def cut(
    source: bytes,
    batch_records: int = limits.BATCH_RECORDS,
    batch_bytes: int = limits.BATCH_BYTES,
    cuts: Iterable[int] = (),
    given_shape: Shape | None = None,
) -> Cut:
    start, done = header(source).end, Cut()

    def keep(content: bytes) -> None:
        done.feed += content

    def part() -> None:
        done.is_source = False

    done.feed = source[:start]
    cutter = Cutter(given_shape or shape_of(source), batch_records, keep, part, batch_bytes=batch_bytes)
    for found in cutter.cut(sliced(source[start:], cuts), start):
        done.order.append(found)
        if isinstance(found, Batch):
            done.batches.append(found)
        else:
            done.rejected.append(found)
    done.read, done.skipped = cutter.read, cutter.skipped
    return done


def sliced(content: bytes, cuts: Iterable[int]) -> Iterator[bytes]:
    edges = [0, *sorted({place % (len(content) + 1) for place in cuts}), len(content)]
    for begin, end in pairwise(edges):
        if begin < end:
            yield content[begin:end]


def parsed(content: bytes) -> list[list[str]]:
    return [row for row in csv.reader(io.StringIO(content.decode(), newline=""), strict=True) if row]


@st.composite
def sources(draw: st.DrawFn) -> bytes:
    """CSV in any dress: any line ends, quotes where none are needed, blank lines, records too short and too long, no
    end to the last line."""
    columns = draw(st.integers(1, 4))
    ends = st.sampled_from(draw(st.sampled_from([["\n"], ["\r\n"], ["\r"], ["\n", "\r\n", "\r", "\n\n", "\r\n\r\n"]])))
    values = st.text(st.sampled_from('ab é,"\r\n'), max_size=draw(st.sampled_from([3, 12])))
    counts = st.integers(1, 6) if draw(st.booleans()) else st.just(columns)
    text = ",".join(f"f{number}" for number in range(columns)) + draw(ends)
    rows = draw(st.lists(counts.flatmap(lambda count: st.lists(values, min_size=count, max_size=count)), max_size=12))
    for number, row in enumerate(rows, 1):
        dressed = [
            value if not re.search('[,"\r\n]', value) and draw(st.booleans()) else '"' + value.replace('"', '""') + '"'
            for value in row
        ]
        # What is but one empty value would be a blank line.
        text += (",".join(dressed) or '""') + (draw(ends) if number < len(rows) or draw(st.booleans()) else "")
    return text.encode()


maps = st.sampled_from(
    [ColumnMap(), ColumnMap({"f0": "Name"}, {"Source": 'im"port'}), ColumnMap({"f0": "A, B"}, only_named=True)]
)


@given(sources(), st.lists(st.integers(0, 300)), st.integers(1, 5), st.integers(12, 120), maps, st.booleans())
def test_every_record_is_in_exactly_one_place(
    source: bytes, cuts: list[int], batch_records: int, batch_bytes: int, column_map: ColumnMap, empty_as_null: bool
) -> None:
    given_shape = shape_of(source, column_map, empty_as_null=empty_as_null)
    done = cut(source, batch_records, batch_bytes, cuts, given_shape)
    # Rows of nothing but commas are no records.
    raw = [line for line in list(lines(source))[1:] if line.strip(b"\r\n")]
    expected = [parsed(line)[0] for line in raw if line.strip(b",\r\n")]
    assert done.skipped == len(raw) - len(expected)
    # Batches and rejections together are the source, in order.
    kept = iter([row for batch in done.batches for row in parsed(done.feed[batch.start : batch.end])])
    rejected = {one.row: parsed(one.raw)[0] for one in done.rejected}
    assert [rejected[row] if row in rejected else next(kept) for row in range(1, len(expected) + 1)] == expected
    assert next(kept, None) is None
    assert done.read == len(expected) == sum(batch.records for batch in done.batches) + len(rejected)
    # The batches' ranges are the whole feed, without a hole.
    edges = [header(source).end, *[batch.end for batch in done.batches]]
    assert [batch.start for batch in done.batches] == edges[:-1]
    assert edges[-1] == len(done.feed)
    assert [batch.number for batch in done.batches] == list(range(1, len(done.batches) + 1))
    # What was never told to part is the source itself.
    assert not done.is_source or source.startswith(done.feed)


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_rows_of_commas_are_skipped_and_below_the_table_cost_no_copy(end: bytes) -> None:
    table = end.join([b"a,b,c", b"1,2,3", b'4,"x\ny",6', b""])
    done = cut(table + (b",," + end) * 40_000 + b",,", cuts=range(0, 200_000, 32_768))
    assert (done.read, done.skipped, done.is_source) == (2, 40_001, True)
    assert [(batch.start, batch.end, batch.records) for batch in done.batches] == [(5 + len(end), len(table), 2)]


def test_rows_of_commas_between_records_are_left_out_whatever_their_number() -> None:
    done = cut(b"a,b,c\n,,\n1,2,3\n,,,,,\n4,,\n,,6\n,\n7,8,9\n")
    assert (done.read, done.skipped, done.rejected) == (4, 3, [])
    assert done.feed == b"a,b,c\n1,2,3\n4,,\n,,6\n7,8,9\n"


@pytest.mark.parametrize("left_out", [b"1,2,3\n", b",\n"])
def test_feed_is_no_longer_the_source_when_the_last_record_of_a_block_is_left_out(left_out: bytes) -> None:
    source = b"a,b\n1,2\n" + left_out + b"5,6\n7,8\n"
    for place in range(len(source)):
        done = cut(source, cuts=[place])
        assert (done.is_source, done.feed) == (False, b"a,b\n1,2\n5,6\n7,8\n")


def test_lone_empty_value_is_rejected_since_the_org_may_not_count_it() -> None:
    done = cut(b'a\n""\nx\n""\r\n"x\n""""\ny"\n\n#N/A\n')
    assert [(one.row, one.reason) for one in done.rejected] == [(1, BLANK), (3, BLANK)]
    assert (done.read, [batch.records for batch in done.batches]) == (5, [3])
    assert done.feed == b'a\nx\n"x\n""""\ny"\n#N/A\n'
    assert cut(b'a,b\n"",""\n').rejected == []
    lone = shape(("a", "b"), ColumnMap({"b": "B"}, only_named=True), empty_as_null=False)
    assert [one.row for one in cut(b'a,b\n1,\n2,x\n3,""\n', given_shape=lone).rejected] == [1, 3]
    null = shape(("a",), ColumnMap(), empty_as_null=True)
    assert cut(b'a\n""\n', given_shape=null).rejected == []
    constant = shape(("a",), ColumnMap({}, {"B": "b"}), empty_as_null=False)
    assert cut(b'a\n""\n', given_shape=constant).rejected == []


@given(sources(), st.lists(st.integers(0, 300)), st.integers(1, 5), st.integers(12, 120), maps, st.booleans())
def test_batches_are_within_the_limits_and_as_large_as_can_be(
    source: bytes, cuts: list[int], batch_records: int, batch_bytes: int, column_map: ColumnMap, empty_as_null: bool
) -> None:
    given_shape = shape_of(source, column_map, empty_as_null=empty_as_null)
    done = cut(source, batch_records, batch_bytes, cuts, given_shape)
    sent = [given_shape.header + given_shape.apply(done.feed[batch.start : batch.end]) for batch in done.batches]
    for batch, content in zip(done.batches, sent, strict=True):
        assert (batch.size, batch.sha256) == (len(content), hashlib.sha256(content).hexdigest())
        assert batch.size <= batch_bytes
        assert 1 <= batch.records <= batch_records
        assert len(parsed(content)) == batch.records + 1
    for batch, after in zip(done.batches, sent[1:], strict=False):
        room = batch_bytes - batch.size
        first = list(lines(after))[1]
        assert batch.records == batch_records or len(first) > room


@given(sources(), st.lists(st.integers(0, 300)), st.integers(1, 5))
def test_slicing_makes_no_difference(source: bytes, cuts: list[int], batch_records: int) -> None:
    """But for line ends: where they are mixed they become LF, as far as the blocks make it necessary."""
    seen = [
        [parsed(done.feed[one.start : one.end]) if isinstance(one, Batch) else one for one in done.order]
        for done in (cut(source, batch_records, cuts=places) for places in ([], cuts, range(len(source))))
    ]
    assert seen[0] == seen[1] == seen[2]


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("last", [b"", b"end"])
def test_good_source_is_its_own_feed(end: bytes, last: bytes) -> None:
    """Even where a record is so long that it must be looked at closely."""
    long_text = b'"' + b"x\n" * 60_000 + b'"'
    source = end.join([b"a,b", *[b"1,2"] * 50_000, b"1," + long_text, *[b"3,4"] * 50_000, b"5,6"]) + end * bool(last)
    done = cut(source, cuts=range(0, len(source), 65_536))
    assert done.is_source
    assert done.feed == source
    assert [batch.records for batch in done.batches] == [10_000] * 10 + [2]


def test_batch_ends_at_ten_million_bytes() -> None:
    row = b"x" * 99_999 + b"\n"
    source = b"a\n" + row * 205
    assert [(batch.records, batch.size) for batch in cut(source, cuts=range(0, len(source), 65_536)).batches] == [
        (99, 9_900_002),
        (99, 9_900_002),
        (7, 700_002),
    ]


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (b"1", "1 field where the header has 2"),
        (b"1,2,3", "3 fields where the header has 2"),
        (b"1," + b"x" * 131_073, "field 2 has 131,073 characters; a field has at most 131,072"),
        (b"1" + b"," * 5_000, "5,001 fields; a record has at most 5,000"),
        (b'1,"' + "é".encode() * 131_073 + b'"', "field 2 has 131,073 characters; a field has at most 131,072"),
    ],
)
def test_record_over_a_limit_is_rejected_and_the_rest_goes_on(record: bytes, reason: str) -> None:
    source = b"a,b\n1,2\n\n" + record + b"\n3,4\n"
    done = cut(source, cuts=range(0, len(source), 65_536))
    assert done.rejected == [Rejected(2, reason, record)]
    assert done.feed == b"a,b\n1,2\n3,4\n"
    assert [(batch.start, batch.end, batch.records) for batch in done.batches] == [(4, 12, 2)]


def test_record_larger_than_a_batch_is_rejected() -> None:
    done = cut(b"a\nxx\n" + b"x" * 20 + b"\nyy\n", batch_bytes=10)
    assert [(one.row, one.reason) for one in done.rejected] == [
        (2, "21 bytes; a batch, header included, has at most 10")
    ]
    assert [batch.records for batch in done.batches] == [2]


def test_constants_that_make_records_too_large_reject_them() -> None:
    given_shape = shape_of(b"a\n", ColumnMap(constants={"b": "x" * 50}))
    done = cut(b"a\n1\n2\n", batch_bytes=40, given_shape=given_shape)
    assert ([one.row for one in done.rejected], done.batches) == ([1, 2], [])


@pytest.mark.parametrize(
    ("content", "row", "byte", "said"),
    [
        (b'1,2\n3,4"5"6\n', 2, 8, "quote is inside"),
        (b'1,2\n\n3,"4\n', 2, 9, "never closed"),
        (b"1,2\n\n3,\xff\n", 2, 11, "not UTF-8"),
    ],
)
def test_what_nobody_can_read_says_where(content: bytes, row: int, byte: int, said: str) -> None:
    with pytest.raises(FormatError, match=said) as caught:
        cut(b"a,b\n" + content)
    assert (caught.value.row, caught.value.byte) == (row, byte)


def test_batch_without_records_is_refused() -> None:
    with pytest.raises(FormatError, match="at least one record"):
        cut(b"a\n1\n", 0)
