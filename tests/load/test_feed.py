from __future__ import annotations

import hashlib
import os
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
