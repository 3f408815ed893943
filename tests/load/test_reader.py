"""A source is read once: its batches are ranges of the source itself, or of a copy where some of it is not sent."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import pytest

from bulkforce.errors import FormatError, UsageError
from bulkforce.formats import csv
from bulkforce.load.mapping import ColumnMap, shape
from bulkforce.load.reader import Reader, Reading
from bulkforce.run.folder import FEED, REJECTED


def read(folder: Path, content: bytes, batch_records: int = 2, seen: list[int] | None = None) -> Reading:
    source = folder / "source.csv"
    source.write_bytes(content)
    run = folder / "run"
    run.mkdir()
    header = csv.header_of(source)
    progress = (lambda _count: None) if seen is None else seen.append
    wanted = shape(header.names, ColumnMap())
    return Reader(source, run, header, wanted, batch_records, progress, lambda _unit: None).read()


def pieces(reading: Reading) -> Sequence[bytes]:
    content = reading.feed.read_bytes()
    return [content[batch.start : batch.end] for batch in reading.batches]


def test_batches_of_a_good_source_are_ranges_of_it(tmp_path: Path) -> None:
    reading = read(tmp_path, b'A,B\n1,a\n2,"x\ny"\n3,c\n')
    assert (reading.feed, reading.feed_is_ours, reading.read) == (tmp_path / "source.csv", False, 3)
    assert pieces(reading) == [b'1,a\n2,"x\ny"\n', b"3,c\n"]
    assert [batch.sha256 for batch in reading.batches] == [
        hashlib.sha256(b"A,B\n" + piece).hexdigest() for piece in pieces(reading)
    ]
    assert not (tmp_path / "run" / FEED).exists()
    assert (tmp_path / "run" / REJECTED).read_bytes() == b"sf__Row,sf__Error,A,B\n"


def test_record_that_no_batch_may_hold_is_kept_apart_and_the_rest_goes_into_a_copy(tmp_path: Path) -> None:
    reading = read(tmp_path, b"A,B\n1,a\n2\n3,c\n4,d,e\n5,f\n")
    assert (reading.feed, reading.feed_is_ours, reading.read) == (tmp_path / "run" / FEED, True, 5)
    assert list(reading.rejected) == [2, 4]
    assert pieces(reading) == [b"1,a\n3,c\n", b"5,f\n"]
    kept = (tmp_path / "run" / REJECTED).read_text("utf-8").splitlines()
    assert [line.split(",")[0] for line in kept] == ["sf__Row", "2", "4"]
    assert [line.rsplit('",', 1)[-1].split(",")[-1] for line in kept[1:]] == ["2", "e"]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_header_that_comes_again_is_rejected_with_its_line(tmp_path: Path, end: str, mark: str) -> None:
    rows = ["A,B", '1,"x\ny"', f"{mark}A,B", "2,z", *["3,c"] * 20_000, "A,B", "4,d", ""]
    reading = read(tmp_path, end.join(rows).encode(), 10_000)
    assert list(reading.rejected) == [2, 20_004]
    kept = (tmp_path / "run" / REJECTED).read_text("utf-8").splitlines()
    assert "the header again" in kept[1]
    assert "(line 4)" in kept[1]
    assert "(line 20,006)" in kept[2]


def test_value_that_equals_the_name_of_the_only_column_is_a_value_unless_it_is_an_id(tmp_path: Path) -> None:
    assert list(read(tmp_path, b"Name\nx\nName\n").rejected) == []
    (tmp_path / "ids").mkdir()
    assert list(read(tmp_path / "ids", b"Id\nx\nId\ny\n").rejected) == [2]


def test_mistakes_name_line_and_row(tmp_path: Path) -> None:
    with pytest.raises(FormatError) as caught:
        read(tmp_path, b'A,B\n1,"x\ny"\n\n2,d"e\n')
    assert (caught.value.row, caught.value.line) == (2, 5)
    (tmp_path / "other").mkdir()
    with pytest.raises(FormatError) as caught:
        read(tmp_path / "other", b'A,B\n1,"x\ny"\n,\n2,\xe9\n')
    assert (caught.value.row, caught.value.line) == (2, 5)
    assert "encoding" in str(caught.value)


def test_source_is_never_changed(tmp_path: Path) -> None:
    content = b"\xef\xbb\xbfA,B\r\n1,a\r\n2\r\n3,c"
    read(tmp_path, content)
    assert (tmp_path / "source.csv").read_bytes() == content


def test_progress_counts_records(tmp_path: Path) -> None:
    seen: list[int] = []
    count = 3 * csv.BLOCK_BYTES // 8
    reading = read(tmp_path, b"A,B\n" + b"123,abc\n" * count, batch_records=10_000, seen=seen)
    assert (reading.read, seen) == (count, sorted(seen))
    assert len(seen) >= 3


@pytest.mark.parametrize("content", [b"A,B\n", b"A,B\n\n\n"])
def test_source_without_records_is_an_error(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(UsageError, match="no records"):
        read(tmp_path, content)
    # What was begun has no name that anything could rely on.
    assert not (tmp_path / "run" / REJECTED).exists()
