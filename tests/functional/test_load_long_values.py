"""A value longer than any record may be is a rejected row, from every source that is no text file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import bulkforce as bf
from bulkforce_emulator import Emulator

LONG = "y" * 17_000_000
SOURCES: dict[str, Callable[[Path], Any]] = {
    "dicts": lambda _: [{"LastName": "a"}, {"LastName": LONG}, {"LastName": "c"}],
    "bytes in Arrow": lambda _: pa.table({"LastName": pa.array([b"a", LONG.encode(), b"c"], pa.binary())}),
    "texts in Arrow": lambda _: pa.table({"LastName": ["a", LONG, "c"]}),
}


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_long_value_is_a_rejected_row(tmp_path: Path, source: Callable[[Path], Any]) -> None:
    with Emulator() as org, bf.Client(org.base_url, bf.BearerToken(org.session_id)) as client:
        report = client.load(source(tmp_path), "Contact", "insert", run_dir=tmp_path / "run", check=False)
    assert (report.succeeded, report.rejected) == (2, 1)
    (cause,) = report.errors
    assert (cause.count, cause.row) == (1, 2)
    assert "a field has at most 131,072" in cause.message
