"""What is done to every byte or record, each alone. 50,000 records of data.py; results of 10,000."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from bench.data import write_all
from bench.org.files import DESCRIBED, Failing, results
from bulkforce.apis import results1, results2
from bulkforce.extract.record_batches import PartReader
from bulkforce.formats import csv
from bulkforce.load.mapping import ColumnMap, shape
from bulkforce.load.reader import Reader
from bulkforce.objects.columns import fit
from bulkforce.objects.values import CsvValues, columns_of
from bulkforce.protocol import wire_xml
from bulkforce.protocol.exchange import Answer, Request
from bulkforce.protocol.rest import description_of
from bulkforce.vocabulary import Operation

ROWS: Final = 50_000
BATCH: Final = 10_000
BLOCK: Final = 262_144
Benchmark = Callable[..., Any]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data."""
    made = tmp_path_factory.mktemp("data")
    write_all(made, ROWS)
    return made


def blocks(path: Path) -> Iterator[bytes]:
    """Read a file in blocks."""
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            yield block


def read(source: Path, folder: Path, look: Callable[[csv.Unit], None]) -> None:
    """Read a source, and cut it in batches."""
    header = csv.header_of(source)
    Reader(source, folder, header, shape(header.names, ColumnMap()), BATCH, lambda _read: None, look).read()


def test_read_and_cut(benchmark: Benchmark, folder: Path, tmp_path: Path) -> None:
    """The source of a load, without the check of values."""
    benchmark(read, folder / "contacts.csv", tmp_path, lambda _unit: None)


def test_read_cut_and_check(benchmark: Benchmark, folder: Path, tmp_path: Path) -> None:
    """The same with the check."""
    names = csv.header_of(folder / "contacts.csv").names
    targets = fit(names, description_of(DESCRIBED.decode()), Operation.INSERT).targets

    def checked() -> None:
        values = CsvValues(columns_of(targets, Operation.INSERT), len(names))
        read(folder / "contacts.csv", tmp_path, values.add)

    benchmark(checked)


@pytest.mark.parametrize("every", [0, 10, 1], ids=["all well", "10 % failed", "all failed"])
def test_results_of_v1(benchmark: Benchmark, every: int) -> None:
    """A batch's results."""
    content = results(1, BATCH, Failing(every, own_messages=True), "CSV")
    outcomes = benchmark(results1.read, content, BATCH, whole=True)
    assert len(outcomes.errors) == (BATCH // every if every else 0)


def test_results_of_2(benchmark: Benchmark, folder: Path) -> None:
    """A job's results, tied to what was sent by their values."""
    sent = (folder / "contacts.csv").read_bytes()
    header, _, rows = sent.partition(b"\n")
    files = results2.ResultFiles(folder / "echo.csv")
    key = results2.Key(Operation.INSERT)
    tied = benchmark(results2.tie, header + b"\n", rows, ROWS, files, key)
    assert tied.succeeded == ROWS


def test_count_records(benchmark: Benchmark, folder: Path) -> None:
    """The records of a result, where the org does not tell how many they are."""
    measured = benchmark(lambda: csv.measure(blocks(folder / "found.csv")))
    assert measured.records == ROWS


def test_typed_records(benchmark: Benchmark, folder: Path) -> None:
    """A result as Arrow record batches."""
    import pyarrow as pa

    names = csv.header_of(folder / "found.csv").names
    schema = pa.schema([pa.field(name, pa.float64() if name == "Score__c" else pa.string()) for name in names])
    rows = benchmark(lambda: sum(batch.num_rows for batch in PartReader(schema).read(folder / "found.csv")))
    assert rows == ROWS


def test_dicts(benchmark: Benchmark, folder: Path) -> None:
    """Dicts as CSV."""
    import csv as plain

    with io.StringIO((folder / "contacts.csv").read_text("utf-8"), newline="") as text:
        records = list(plain.DictReader(text))
    assert benchmark(csv.encode, records)


def test_list_of_batches(benchmark: Benchmark) -> None:
    """A list of 10,000 batches, as each look at a large job reads it."""
    one = "<batchInfo><id>751{:012}AAA</id><jobId>750000000000001AAA</jobId><state>Completed</state></batchInfo>"
    body = "".join(map(one.format, range(BATCH)))
    space = "http://www.force.com/2009/06/asyncapi/dataload"
    content = f'<?xml version="1.0" encoding="UTF-8"?><batchInfoList xmlns="{space}">{body}</batchInfoList>'.encode()
    answer = Answer(Request("GET", "/job/750000000000001AAA/batch"), 200, {"content-type": "application/xml"}, content)
    assert len(benchmark(wire_xml.batch_infos, answer)) == BATCH
