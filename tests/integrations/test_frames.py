"""Query results: record batches while more come, every kind of frame, and errors where the reader is."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from bulkforce.errors import FormatError, MissingExtra, TransferError, UsageError
from bulkforce.extract.columns import Column
from bulkforce.extract.query import QueryResult
from bulkforce.extract.sinks import Sink
from bulkforce.transport.stopping import Stop

COLUMNS = [Column("Id", "id"), Column("Amount", "currency", 18, 2), Column("Count__c", "int"), Column("Born", "date")]
PARTS = [
    b'"Id","Amount","Count__c","Born"\n"001","1.50","1","2019-01-05"\n"NA","","",""\n',
    b'"Id","Amount","Count__c","Born"\n"003","3.00","3","2019-01-06"\n',
]
ROWS: list[dict[str, Any]] = [
    {"Id": "001", "Amount": Decimal("1.50"), "Count__c": 1, "Born": date(2019, 1, 5)},
    {"Id": "NA", "Amount": None, "Count__c": None, "Born": None},
    {"Id": "003", "Amount": Decimal("3.00"), "Count__c": 3, "Born": date(2019, 1, 6)},
]


class Org:
    """Delivers parts, as an extract does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.added = 0
        self.asked = 0
        self.left = threading.Event()

    def ask(self, *parts: bytes, columns: list[Column] = COLUMNS, fails: BaseException | None = None) -> QueryResult:
        def deliver(sink: Sink, stop: Stop) -> None:
            self.asked += 1
            sink.begin(columns)
            try:
                for number, content in enumerate(parts):
                    path = self.folder / f"{number}.csv"
                    path.write_bytes(content)
                    sink.add(path)
                    path.unlink()
                    self.added += 1
                if fails:
                    raise fails
                sink.finish()
            finally:
                sink.discard()
                if stop.asked:
                    self.left.set()

        return QueryResult(deliver)


@pytest.fixture
def org(tmp_path: Path) -> Org:
    return Org(tmp_path)


def test_batches_come_in_order_and_typed(org: Org) -> None:
    batches = list(org.ask(*PARTS))
    assert [batch.to_pylist() for batch in batches] == [ROWS[:2], ROWS[2:]]


def test_nothing_is_asked_before_it_is_looked_at(org: Org) -> None:
    result = org.ask(*PARTS)
    assert org.asked == 0
    assert result.schema.names == [column.name for column in COLUMNS]
    assert org.asked == 1
    assert list(result.rows()) == ROWS


def test_a_slow_reader_makes_the_rest_wait(org: Org) -> None:
    result = org.ask(*PARTS * 20)
    batches = iter(result)
    seen = []
    for batch in batches:
        seen.append(batch)
        # One is with the reader, four wait, one is about to be put in.
        assert org.added <= len(seen) + 5
    assert sum(batch.num_rows for batch in seen) == 60


def test_rows_are_dicts(org: Org) -> None:
    assert list(org.ask(*PARTS).rows()) == ROWS


def test_arrow(org: Org) -> None:
    assert org.ask(*PARTS).to_arrow().to_pylist() == ROWS


def test_polars(org: Org) -> None:
    frame = org.ask(*PARTS).to_polars()
    assert frame.to_dicts() == ROWS
    assert frame.schema["Amount"] == pl.Decimal(18, 2)


def test_pandas_keeps_integers_and_gaps(org: Org) -> None:
    frame = org.ask(*PARTS).to_pandas()
    assert list(frame["Id"]) == ["001", "NA", "003"]
    assert frame["Count__c"].dtype == pd.ArrowDtype(pa.int64())
    assert frame["Count__c"].isna().tolist() == [False, True, False]


def test_duckdb(org: Org) -> None:
    relation = org.ask(*PARTS).to_duckdb()
    assert relation.aggregate("sum(Amount), count(*)").fetchall() == [(Decimal("4.50"), 3)]
    with duckdb.connect() as connection:
        assert org.ask(*PARTS).to_duckdb(connection).fetchall() == [tuple(row.values()) for row in ROWS]


@pytest.mark.parametrize(
    "read", [pl.DataFrame, pa.table, lambda result: pa.RecordBatchReader.from_stream(result).read_all()]
)
def test_whatever_reads_arrow_reads_it(org: Org, read: Callable[[QueryResult], Any]) -> None:
    assert pa.table(read(org.ask(*PARTS))).to_pylist() == ROWS


@pytest.mark.parametrize("parts", [[], [b'"Id","Amount","Count__c","Born"\n']])
def test_nothing_found_has_the_columns(org: Org, parts: list[bytes]) -> None:
    table = org.ask(*parts).to_arrow()
    assert (table.num_rows, table.schema.names) == (0, [column.name for column in COLUMNS])


def test_records_can_be_read_once(org: Org) -> None:
    result = org.ask(*PARTS)
    result.to_arrow()
    for again in (
        result.to_arrow,
        result.to_polars,
        result.__arrow_c_stream__,
        lambda: next(result.rows()),
        lambda: iter(result),
    ):
        with pytest.raises(UsageError, match="already read"):
            again()


def test_what_goes_wrong_is_raised_behind_what_came(org: Org) -> None:
    batches = iter(org.ask(*PARTS, fails=TransferError("batch 7: 3 of 5 records")))
    assert sum(next(batches).num_rows for _ in PARTS) == 3
    with pytest.raises(TransferError, match="batch 7"):
        next(batches)


def test_what_goes_wrong_before_anything_came(org: Org) -> None:
    result = org.ask(fails=TransferError("no such object"))
    with pytest.raises(TransferError, match="no such object"):
        _ = result.schema
    with pytest.raises(TransferError, match="no such object"):
        result.to_arrow()


def test_what_goes_wrong_reaches_other_libraries(org: Org) -> None:
    with pytest.raises(pa.ArrowInvalid, match="batch 7"):
        pa.RecordBatchReader.from_stream(org.ask(*PARTS, fails=TransferError("batch 7"))).read_all()


def test_a_reader_who_leaves_stops_it(org: Org) -> None:
    for batch in org.ask(*PARTS * 20):
        assert batch.num_rows == 2
        break
    assert org.left.is_set()
    assert org.added < 10


def test_closed_before_it_began(org: Org) -> None:
    with org.ask(*PARTS) as result:
        pass
    assert org.asked == 0
    with pytest.raises(UsageError, match="already read"):
        iter(result)


def test_closed_while_it_waits(org: Org) -> None:
    with org.ask(*PARTS * 20) as result:
        assert result.schema.names[0] == "Id"
    assert org.left.is_set()


def test_in_an_event_loop(org: Org) -> None:
    async def read() -> list[dict[str, Any]]:
        return [row async for batch in org.ask(*PARTS) for row in batch.to_pylist()]

    assert asyncio.run(read()) == ROWS


def test_an_event_loop_that_leaves(org: Org) -> None:
    async def read() -> None:
        batches = org.ask(*PARTS * 20).__aiter__()
        assert (await anext(batches)).num_rows == 2
        await batches.aclose()  # type: ignore[attr-defined]

    asyncio.run(read())
    assert org.left.is_set()


def test_a_type_that_does_not_fit_from_the_start_is_widened(org: Org) -> None:
    part = b'"Id","Amount","Count__c","Born"\n"001","1.505","1",""\n'
    assert [row["Amount"] for row in org.ask(part).rows()] == [Decimal("1.505")]


def test_a_type_that_was_told_stays(org: Org) -> None:
    part = b'"Id","Amount","Count__c","Born"\n"001","1.505","1",""\n'
    with pytest.raises(FormatError, match="an extract to a file") as caught:
        org.ask(*PARTS, part).to_arrow()
    assert caught.value.column == "Amount"


@pytest.mark.parametrize(
    ("library", "leaf"), [("polars", "to_polars"), ("pandas", "to_pandas"), ("duckdb", "to_duckdb")]
)
def test_a_library_that_is_missing_is_named_before_anything_is_asked(
    org: Org, library: str, leaf: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingExtra, match=rf"bulkforce\[{library}\]"):
        getattr(org.ask(*PARTS), leaf)()
    assert org.asked == 0


def test_without_pyarrow_the_extra_is_named(org: Org, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtra, match=r"bulkforce\[arrow\]"):
        org.ask(*PARTS)
