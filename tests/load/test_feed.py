from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path

import pytest

from bulkforce.errors import SourceChanged
from bulkforce.load.cutter import Batch
from bulkforce.load.feed import Feed
from bulkforce.load.mapping import ColumnMap, shape

CONTENT = b"A,B\n1,2\n3,4\n"
BATCH = Batch(1, 4, 12, 2, 12, hashlib.sha256(CONTENT).hexdigest())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "source.csv"
    path.write_bytes(CONTENT)
    return path


def feed(path: Path) -> Feed:
    known = path.stat()
    return Feed(path, known.st_size, known.st_mtime_ns, shape(("A", "B"), ColumnMap()))


def touch(path: Path) -> None:
    later = path.stat().st_mtime_ns + 1_000_000_000
    os.utime(path, ns=(later, later))


def test_source_that_was_only_touched_is_confirmed_by_its_digests(path: Path) -> None:
    source = feed(path)
    touch(path)
    source.confirm([BATCH])
    assert source.content(BATCH) == CONTENT


def test_source_of_the_same_size_with_another_value_is_not(path: Path) -> None:
    source = feed(path)
    path.write_bytes(CONTENT.replace(b"3", b"5"))
    touch(path)
    with pytest.raises(SourceChanged, match="batch 1 is not what was read"):
        source.confirm([BATCH])


def test_source_that_grew_or_went_is_not(path: Path) -> None:
    source = feed(path)
    path.write_bytes(CONTENT + b"5,6\n")
    with pytest.raises(SourceChanged, match="has changed"):
        source.confirm([BATCH])
    path.unlink()
    with pytest.raises(SourceChanged, match="can no longer be read"):
        source.confirm([BATCH])


def test_source_that_is_touched_under_way_gives_no_more_batches(path: Path) -> None:
    source = feed(path)
    touch(path)
    with pytest.raises(SourceChanged):
        source.content(BATCH)


SHAPES = {
    "as it is": ({}, "", b"A,B\n1,2\n3,4\n"),
    "LF": ({}, "\n", b"A,B\n1,2\n3,4\n"),
    "CRLF": ({}, "\r\n", b"A,B\r\n1,2\r\n3,4\r\n"),
    "mapped": ({"A": "X"}, "\n", b"X,B\n1,2\n3,4\n"),
    "a column dropped": ({"B": ""}, "\n", b"A\n1\n3\n"),
}


@pytest.mark.parametrize(("columns", "line_end", "sent"), SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("size", [1, 3, 1_000])
def test_upload_is_read_while_it_is_sent_and_is_what_was_to_be_sent(
    path: Path, columns: dict[str, str], line_end: str, sent: bytes, size: int
) -> None:
    known, wanted = path.stat(), shape(("A", "B"), ColumnMap(columns), line_end=line_end)
    batch = replace(BATCH, size=len(sent), sha256=hashlib.sha256(sent).hexdigest())
    upload = Feed(path, known.st_size, known.st_mtime_ns, wanted).upload(batch)
    for _ in range(2):  # it may be sent again, with another session
        with upload.body.open() as file:
            assert b"".join(iter(lambda: file.read(size), b"")) == sent
        upload.check()
    assert upload.body.length == len(sent)


def test_upload_of_a_source_that_changes_while_it_is_sent_is_found_out_before_it_counts(path: Path) -> None:
    upload = feed(path).upload(BATCH)
    path.write_bytes(CONTENT.replace(b"3", b"5"))
    with upload.body.open() as file:
        file.read()
    with pytest.raises(SourceChanged, match="batch 1 is not what was read"):
        upload.check()


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 50])
def test_line_ends_are_written_alike_wherever_blocks_end(line_end: str, size: int) -> None:
    rows = b'1,"a\r\nb"\r\n2,"c\rd"\n3,"e\n\r\n\rf"\r4,g\r'
    wanted = shape(("A", "B"), ColumnMap(), line_end=line_end)
    blocks = [rows[begin : begin + size] for begin in range(0, len(rows), size)]
    assert b"".join(wanted.stream(blocks)) == wanted.header + wanted.apply(rows)
    assert set(wanted.apply(rows).replace(line_end.encode(), b"")) & set(b"\r\n") == set()


def test_rows_read_block_by_block_are_what_was_read_or_the_source_has_changed(path: Path) -> None:
    assert b"".join(feed(path).blocks(BATCH)) == CONTENT[4:]
    assert b"".join(feed(path).records_sent(BATCH)) == CONTENT[4:]
    path.write_bytes(CONTENT.replace(b"3", b"5"))
    with pytest.raises(SourceChanged, match="batch 1 is not what was read"):
        list(feed(path).blocks(BATCH))
    with pytest.raises(SourceChanged, match="batch 1 is not what was read"):
        list(feed(path).records_sent(BATCH))
