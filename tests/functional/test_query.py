"""Queries and typed extracts of an emulated org: the types that describe tells, every kind of file the same, and no job
left open."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from tests.support.rehearsal import BRISK

import bulkforce
from bulkforce import Client
from bulkforce.errors import Error
from bulkforce.extract import verb as extract
from bulkforce.extract.asking import ExtractOptions
from bulkforce.extract.query import QueryResult
from bulkforce.extract.sinks import Sink
from bulkforce.run.sitting import Sitting
from bulkforce.transport.stopping import Stop
from bulkforce_emulator import Emulator

SCHEMA = {
    "Thing__c": {
        "fields": {
            "Flag__c": "boolean",
            "Count__c": "int",
            "Ratio__c": "double(18,4)",
            "Price__c": "currency(18,2)",
            "Share__c": "percent(5,2)",
            "Day__c": "date",
            "At__c": "datetime",
            "Opens__c": "time",
            "Text__c": "textarea(131072)",
            "Account__c": "reference(Account) relationship=Account__r",
        }
    }
}
NAMES = [
    "Flag__c",
    "Count__c",
    "Ratio__c",
    "Price__c",
    "Share__c",
    "Day__c",
    "At__c",
    "Opens__c",
    "Text__c",
    "Account__r.Name",
    "Account__r.AnnualRevenue",
    "Owner.Name",
]
QUERY = f"SELECT {', '.join(NAMES)} FROM Thing__c ORDER BY Name"
FULL = [
    True,
    -7,
    1.5,
    Decimal("12.50"),
    Decimal("0.25"),
    date(2019, 1, 5),
    datetime(2019, 1, 5, 3, 41, 5, 123000, UTC),
    time(8, 30),
    "NA",
]
ROWS: list[list[Any]] = [
    [*FULL, "Acme", Decimal(5), "Emulated Administrator"],
    [False, *[None] * 10, "Emulated Administrator"],
    [False, *[None] * 7, 'say "x",\ntwice\0 x', None, None, "Emulated Administrator"],
]


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[Emulator, Client]]:
    with (
        Emulator(SCHEMA) as org,
        Client(
            org.base_url, auth=bulkforce.RefreshToken(org.client_id, org.client_secret, org.refresh_token)
        ) as client,
    ):
        account = insert(client, "Account", [{"Name": "Acme", "AnnualRevenue": 5}])[0]
        values = dict(
            zip(
                NAMES[:9],
                ["true", -7, 1.5, "12.50", "0.25", "2019-01-05", "2019-01-05T03:41:05.123Z", "08:30:00.000Z", "NA"],
                strict=True,
            )
        )
        insert(
            client,
            "Thing__c",
            [{"Name": "1", **values, "Account__c": account}, {"Name": "2"}, {"Name": "3", "Text__c": ROWS[2][8]}],
        )
        yield org, client


def insert(client: Client, name: str, records: list[dict[str, Any]]) -> list[str]:
    job = client.create_job("insert", name, "JSON")
    batch = client.add_batch(job, records)
    client.close_job(job)
    client.wait_for_batch(job, batch.id, pace=bulkforce.Pace(0.002, 1.5, 0.05))
    results = client.get_batch_result(job, batch.id)
    assert all(isinstance(result, bulkforce.Result) and result.success for result in results), results
    return [result.id for result in results if isinstance(result, bulkforce.Result) and result.id]


@pytest.fixture
def sitting(running: tuple[Emulator, Client]) -> Iterator[Sitting]:
    org, client = running
    sitting = Sitting.of(client.driver)
    sitting.patience = BRISK
    yield sitting
    assert {job.state for job in org.state.jobs.all()} <= {"closed", "aborted"}


def query(sitting: Sitting, soql: str, **options: Any) -> QueryResult:
    return QueryResult(lambda sink, stop: extract.deliver(replace(sitting, stop=stop), soql, sink, **options))


def rows_of(table: pa.Table) -> list[list[Any]]:
    return [list(row.values()) for row in table.to_pylist()]


def test_a_query_is_typed_from_describe(sitting: Sitting) -> None:
    table = query(sitting, QUERY).to_arrow()
    assert table.schema.names == NAMES
    assert rows_of(table) == ROWS


def test_every_kind_of_file_holds_the_same(sitting: Sitting, tmp_path: Path) -> None:
    for form in ("parquet", "arrow", "jsonl", "csv", "csv.gz"):
        options = ExtractOptions(soql=QUERY, to=tmp_path / f"a.{form}", run_dir=tmp_path / form)
        assert extract.extract(sitting, options).rows == 3
    table = pq.read_table(tmp_path / "a.parquet")
    assert rows_of(table) == ROWS
    with pa.memory_map(str(tmp_path / "a.arrow")) as file:
        assert pa.ipc.open_file(file).read_all().equals(table)
    lines = [orjson.loads(line) for line in (tmp_path / "a.jsonl").read_bytes().splitlines()]
    texts = [[None if value is None else str(value).lower() for value in line.values()] for line in lines]
    read = pa.csv.read_csv(
        tmp_path / "a.csv",
        parse_options=pa.csv.ParseOptions(newlines_in_values=True),
        convert_options=pa.csv.ConvertOptions(
            column_types=dict.fromkeys(NAMES, pa.string()), null_values=[""], strings_can_be_null=True
        ),
    )
    assert texts == [[None if value is None else value.lower() for value in row] for row in rows_of(read)]
    assert gzip.decompress((tmp_path / "a.csv.gz").read_bytes()) == (tmp_path / "a.csv").read_bytes()


def test_a_query_that_finds_nothing_has_its_columns(sitting: Sitting) -> None:
    table = query(sitting, "SELECT Price__c, Account__r.AnnualRevenue FROM Thing__c WHERE Count__c = 99").to_arrow()
    assert table.schema == pa.schema(
        [("Price__c", pa.decimal128(18, 2)), ("Account__r.AnnualRevenue", pa.decimal128(18, 0))]
    )
    assert table.num_rows == 0


def test_chunks_come_as_one(sitting: Sitting) -> None:
    found = query(sitting, QUERY.partition(" ORDER")[0], pk_chunking=1).rows()
    assert sorted((list(row.values()) for row in found), key=lambda row: str(row[8])) == sorted(
        ROWS, key=lambda row: str(row[8])
    )


def test_a_refused_query_is_told_where_it_is_read(sitting: Sitting) -> None:
    with pytest.raises(Error, match="No such column 'Nope'"):
        query(sitting, "SELECT Nope FROM Thing__c").to_arrow()


def test_a_refusal_says_where_it_was_read_and_nothing_of_the_thread_that_asked(sitting: Sitting) -> None:
    """A notebook shows every frame: dozens of them hid the one line that says what is wrong."""
    with pytest.raises(Error, match="No such column 'Nope'") as refused:
        query(sitting, "SELECT Nope FROM Thing__c").to_arrow()
    assert refused.value.__cause__ is None
    assert [one.name for one in refused.traceback][-1] == "take"
    assert len(refused.traceback) <= 4


def test_reader_that_the_garbage_collector_ends_in_another_thread_waits_for_none(sitting: Sitting) -> None:
    """That thread may be one of those that the query itself waits for."""
    may_end = threading.Event()

    def deliver(sink: Sink, stop: Stop) -> None:
        extract.deliver(replace(sitting, stop=stop), QUERY, sink)
        may_end.wait()

    found = QueryResult(deliver)
    batches = found._batches()
    assert next(batches).num_rows == len(ROWS)
    collector = threading.Thread(target=batches.close)
    collector.start()
    collector.join(5)
    waits = collector.is_alive()
    may_end.set()
    assert not waits
    found.close()


def test_a_reader_who_leaves_leaves_no_open_job(sitting: Sitting) -> None:
    with query(sitting, QUERY) as result:
        assert result.schema.names == NAMES
