"""Sinks: what the org wrote arrives, byte for byte or typed, in a file that is whole or not there."""

from __future__ import annotations

import csv
import gzip
import io
import os
import stat
import threading
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.chains import held_by

from bulkforce.errors import FormatError, MissingExtra, ProtocolError, UsageError
from bulkforce.extract.arrow_types import schema_of
from bulkforce.extract.columns import Column
from bulkforce.extract.record_batches import BLOCK_BYTES, Misfit, PartReader
from bulkforce.extract.sinks import FORMATS, Sink, sink_for

TEXT = [Column("Id"), Column("Name")]
TYPED = [
    Column("Id", "id"),
    Column("Active__c", "boolean"),
    Column("Employees", "int"),
    Column("Score__c", "double"),
    Column("Amount", "currency", precision=18, scale=2),
    Column("Born", "date"),
    Column("CreatedDate", "datetime"),
    Column("Opens__c", "time"),
    Column("Account.Name", "string"),
]
VALUES = [
    ["001A", "true", "12", "23456.0", "1.50", "2019-01-05", "2019-01-05T03:41:05.123Z", "08:30:00.000Z", "NA"],
    ["", "", "", "", "", "", "", "", ""],
    ["null", "false", "-3", "1.0E7", "1000000.00", "0001-01-01", "4000-12-31T23:59:59.999Z", "23:59:59.999Z", "N/A"],
]
AS_TYPED: list[list[Any]] = [
    [
        "001A",
        True,
        12,
        23456.0,
        Decimal("1.50"),
        date(2019, 1, 5),
        datetime(2019, 1, 5, 3, 41, 5, 123000, UTC),
        time(8, 30),
        "NA",
    ],
    [None] * 9,
    [
        "null",
        False,
        -3,
        1e7,
        Decimal("1000000.00"),
        date(1, 1, 1),
        datetime(4000, 12, 31, 23, 59, 59, 999000, UTC),
        None,
        "N/A",
    ],
]
AS_TYPED[2][7] = time(23, 59, 59, 999000)
STRANGE = [
    "a\0b",
    "a\rb",
    "a\r\nb",
    "a\nb",
    'say "x"',
    "x" * 131_072,
    "東京, é",
    "\x1f\\",
    "NaN",
    "  ",
    '"',
    "\n",
    "#N/A",
    "-",
]


def as_org(columns: list[Column], rows: list[list[str]]) -> bytes:
    """Write CSV as the org does: every value in quotes."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow([column.name for column in columns])
    writer.writerows(rows)
    return out.getvalue().encode()


def extracted(
    target: Path, columns: list[Column], *parts: bytes, form: str | None = None, warned: list[str] | None = None
) -> Path:
    """Bring parts through a sink."""
    folder = target.parent / "parts"
    folder.mkdir(exist_ok=True)
    sink = sink_for(target, form, (warned if warned is not None else []).append)
    try:
        sink.begin(columns)
        for number, content in enumerate(parts):
            (folder / f"{number}.csv").write_bytes(content)
            sink.add(folder / f"{number}.csv")
        assert not target.exists()
        sink.finish()
    finally:
        sink.discard()
    assert [path.name for path in target.parent.iterdir() if path != folder] == [target.name]
    return target


def rows_of(table: pa.Table) -> list[list[Any]]:
    return [list(row.values()) for row in table.to_pylist()]


def read_arrow(path: Path) -> pa.Table:
    with pa.memory_map(str(path)) as file:
        return pa.ipc.open_file(file).read_all()


# CSV


def test_csv_is_the_bytes_of_the_parts_behind_one_header(tmp_path: Path) -> None:
    first, second = as_org(TEXT, [["1", value] for value in STRANGE]), as_org(TEXT, [["2", ""]])
    written = extracted(tmp_path / "a.csv", TEXT, first, second).read_bytes()
    assert written == first + b'"2",""\n'


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_csv_keeps_parts_apart_whatever_ends_them(tmp_path: Path, end: bytes) -> None:
    parts = [b"Id,Name\n1,a" + end, b"Id,Name\n2,b" + end]
    written = extracted(tmp_path / "a.csv", TEXT, *parts).read_bytes()
    assert written == b"Id,Name\n1,a" + (end or b"\n") + b"2,b" + end


def test_csv_of_nothing_is_the_header(tmp_path: Path) -> None:
    assert extracted(tmp_path / "a.csv", TEXT).read_bytes() == b'"Id","Name"\n'


def test_csv_parts_with_other_columns_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ProtocolError, match="same columns"):
        extracted(tmp_path / "a.csv", TEXT, as_org(TEXT, [["1", "a"]]), b'"Name","Id"\n"a","1"\n')


def test_gzip_is_one_whole_stream_and_the_same_each_time(tmp_path: Path) -> None:
    parts = [as_org(TEXT, [["1", value] for value in STRANGE]), as_org(TEXT, [["2", "b"]])]
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    once, twice = (extracted(tmp_path / name, TEXT, *parts) for name in ("a/x.csv.gz", "b/y.csv.gz"))
    assert gzip.decompress(once.read_bytes()) == parts[0] + b'"2","b"\n'
    assert once.read_bytes() == twice.read_bytes()


# Typed


@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_typed_columns_come_from_describe(tmp_path: Path, form: str) -> None:
    path = extracted(tmp_path / f"a.{form}", TYPED, as_org(TYPED, VALUES[:2]), as_org(TYPED, VALUES[2:]))
    table = pq.read_table(path) if form == "parquet" else read_arrow(path)
    assert table.schema.names == [column.name for column in TYPED]
    assert [str(field.type) for field in table.schema] == [
        "string",
        "bool",
        "int64",
        "double",
        "decimal128(18, 2)",
        "date32[day]",
        "timestamp[ms, tz=UTC]",
        "time32[ms]",
        "string",
    ]
    assert rows_of(table) == AS_TYPED


@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_typed_file_of_nothing_has_the_columns(tmp_path: Path, form: str) -> None:
    path = extracted(tmp_path / f"a.{form}", TYPED)
    table = pq.read_table(path) if form == "parquet" else read_arrow(path)
    assert (table.num_rows, table.schema.names) == (0, [column.name for column in TYPED])


def test_a_formula_has_the_digits_it_comes_to(tmp_path: Path) -> None:
    columns = [Column("Ratio__c", "percent", precision=18, scale=2, calculated=True)]
    table = pq.read_table(extracted(tmp_path / "a.parquet", columns, as_org(columns, [["33.333333333333336"]])))
    assert rows_of(table) == [[33.333333333333336]]


@pytest.mark.parametrize("form", ["parquet", "arrow", "jsonl"])
def test_strange_values_arrive_as_they_are(tmp_path: Path, form: str) -> None:
    path = extracted(tmp_path / f"a.{form}", TEXT, as_org(TEXT, [["1", value] for value in STRANGE]))
    if form == "jsonl":
        values = [orjson.loads(line)["Name"] for line in path.read_bytes().splitlines()]
    else:
        values = (pq.read_table(path) if form == "parquet" else read_arrow(path))["Name"].to_pylist()
    assert values == STRANGE


@given(
    st.lists(
        st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=12), min_size=2, max_size=2), max_size=20
    )
)
def test_any_text_arrives_as_it_is(tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]]) -> None:
    folder = tmp_path_factory.mktemp("any")
    null = [[value or None for value in row] for row in rows]
    assert rows_of(read_arrow(extracted(folder / "a.arrow", TEXT, as_org(TEXT, rows)))) == null
    (folder / "a.arrow").unlink()
    lines = extracted(folder / "a.jsonl", TEXT, as_org(TEXT, rows)).read_bytes().splitlines()
    assert [list(orjson.loads(line).values()) for line in lines] == null


def test_records_of_any_length_are_read(tmp_path: Path) -> None:
    """pyarrow's reader refuses a record that reaches over more than two of its blocks."""
    columns = [Column(f"Long{number}__c") for number in range(20)]
    rows = [[f"{row}" + "y" * 131_000 for _ in columns] if row % 7 == 3 else [f"{row}"] * 20 for row in range(20)]
    table = read_arrow(extracted(tmp_path / "a.arrow", columns, as_org(columns, rows), as_org(columns, rows)))
    assert 2 * BLOCK_BYTES < 20 * 131_000
    assert rows_of(table) == rows + rows


def test_many_records_make_few_row_groups(tmp_path: Path) -> None:
    part = as_org(TEXT, [[f"{row:018}", "x" * 300] for row in range(70_000)])
    path = extracted(tmp_path / "a.parquet", TEXT, part, part)
    assert pq.read_metadata(path).num_row_groups < 10
    assert pq.read_table(path)["Id"].to_pylist() == [f"{row:018}" for row in range(70_000)] * 2


@pytest.mark.parametrize(
    ("column", "values", "stored", "expected"),
    [
        (Column("A", "currency", 18, 2), ["1.50", "1.505"], "decimal128(28, 10)", [Decimal("1.5"), Decimal("1.505")]),
        (Column("A", "currency", 18, 2), ["1.50", "1" * 25], "double", [1.5, float("1" * 25)]),
        (Column("A", "currency", 18, 2), ["1.50", "33.333333333333336"], "double", [1.5, 33.333333333333336]),
        (Column("A", "currency", 18, 2), ["1.50", "1" * 17], "decimal128(28, 10)", [Decimal("1.5"), Decimal("1" * 17)]),
        (Column("A", "currency", 38, 18), ["9" * 25], "double", [float("9" * 25)]),
        (Column("A", "percent", 5, 2), ["1234"], "decimal128(28, 10)", [Decimal(1234)]),
        (Column("A", "currency", 18, 2), ["1.50", "USD 2"], "string", ["1.50", "USD 2"]),
        (Column("A", "int"), ["1", "1.0"], "double", [1.0, 1.0]),
        (Column("A", "date"), ["2019-01-05", "soon"], "string", ["2019-01-05", "soon"]),
        (Column("A", "time"), ["08:30:00.000Z", "soon"], "string", ["08:30:00.000Z", "soon"]),
        (Column("A", "boolean"), ["true", "1"], "string", ["true", "1"]),
    ],
)
def test_a_value_that_does_not_fit_widens_its_column(
    tmp_path: Path, column: Column, values: list[str], stored: str, expected: list[object]
) -> None:
    warned: list[str] = []
    parts = [as_org([column], [[value]]) for value in values]
    table = pq.read_table(extracted(tmp_path / "a.parquet", [column], *parts, warned=warned))
    assert str(table.schema.field("A").type) == stored
    assert table["A"].to_pylist() == expected
    assert [text for text in warned if stored in text] == warned[-1:]


def test_what_is_no_csv_is_refused_without_showing_values(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"0\.csv is not valid CSV with 2 columns") as caught:
        extracted(tmp_path / "a.parquet", TEXT, b'"Id","Name"\n"secret"\n')
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("form", ["parquet", "arrow", "jsonl"])
def test_parts_with_other_columns_are_refused(tmp_path: Path, form: str) -> None:
    with pytest.raises(ProtocolError, match="same columns"):
        extracted(tmp_path / f"a.{form}", TEXT, as_org(TEXT, [["1", "a"]]), b'"Name","Id"\n"a","1"\n')


LOST = [b'"1","secret"\n', b'"secret"\n"1"\n']
BROKEN = b'"Id","Name"\n"1","secret","3"\n'


@pytest.mark.parametrize(
    ("form", "part"),
    [*((form, part) for form in ("csv", "parquet", "arrow", "jsonl") for part in LOST), ("parquet", BROKEN)],
)
def test_error_of_a_part_without_its_header_shows_no_record(tmp_path: Path, form: str, part: bytes) -> None:
    with pytest.raises((ProtocolError, FormatError)) as caught:
        extracted(tmp_path / f"a.{form}", TEXT, as_org(TEXT, [["1", "a"]]), part)
    assert "secret" not in held_by(caught.value)


@pytest.mark.parametrize(
    ("place", "text"),
    [
        (1, "secret"),
        (2, "secret"),
        (3, "secret"),
        (4, "123456789012345678901234567890.5"),
        (5, "2026-13-01"),
        (6, "secret"),
        (7, "25:00:00.000Z"),
    ],
)
def test_misfit_is_chained_to_nothing_that_shows_its_value(tmp_path: Path, place: int, text: str) -> None:
    (tmp_path / "part").write_bytes(as_org(TYPED, [[*VALUES[0][:place], text, *VALUES[0][place + 1 :]]]))
    with pytest.raises(Misfit) as caught:
        list(PartReader(schema_of(TYPED)).read(tmp_path / "part"))
    assert caught.value.column == place
    assert caught.value.__context__ is caught.value.__cause__ is None


# JSON lines


def test_json_lines_show_values_as_the_org_wrote_them(tmp_path: Path) -> None:
    lines = extracted(tmp_path / "a.jsonl", TYPED, as_org(TYPED, VALUES)).read_bytes().splitlines()
    assert lines[0] == (
        b'{"Id":"001A","Active__c":true,"Employees":12,"Score__c":23456.0,"Amount":1.50,"Born":"2019-01-05",'
        b'"CreatedDate":"2019-01-05T03:41:05.123Z","Opens__c":"08:30:00.000Z","Account.Name":"NA"}'
    )
    assert set(orjson.loads(lines[1]).values()) == {None}
    assert orjson.loads(lines[2])["Id"] == "null"


def test_json_lines_quote_what_is_no_number(tmp_path: Path) -> None:
    columns = [Column("A", "double"), Column("B", "boolean")]
    rows = [["NaN", "yes"], ["007", "true"], ["", "False"], ["-0.5e-7", ""], ['1"', ""]]
    lines = extracted(tmp_path / "a.jsonl", columns, as_org(columns, rows)).read_bytes()
    assert lines == (
        b'{"A":"NaN","B":"yes"}\n{"A":"007","B":true}\n{"A":null,"B":"False"}\n{"A":-0.5e-7,"B":null}\n{"A":"1\\"","B":null}\n'
    )


def test_json_lines_packed(tmp_path: Path) -> None:
    written = extracted(tmp_path / "a.jsonl.gz", TEXT, as_org(TEXT, [["1", "é"]])).read_bytes()
    assert gzip.decompress(written) == '{"Id":"1","Name":"é"}\n'.encode()


@pytest.mark.parametrize("form", ["parquet", "arrow", "jsonl"])
def test_records_are_counted_part_by_part(tmp_path: Path, form: str) -> None:
    column, part = Column("A", "int"), tmp_path / "part.csv"
    sink = sink_for(tmp_path / f"a.{form}")
    sink.begin([column])
    counts = []
    for values in (["1", "2"], ["", "", "3"], ["no number"]):
        part = part.with_name(f"{len(values)}.csv")
        part.write_bytes(as_org([column], [[value] for value in values]))
        counts.append(sink.add(part))
    sink.discard()
    assert counts == [2, 3, 1]


# Where to


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("a.CSV", b'"Id"'),
        ("a.v1.csv", b'"Id"'),
        ("a.csv.gz", b"\x1f\x8b"),
        ("a.ndjson", b'{"Id"'),
        ("a.jsonl.gz", b"\x1f\x8b"),
        ("a.Parquet", b"PAR1"),
        ("a.feather", b"ARROW1"),
    ],
)
def test_the_name_tells_the_format(tmp_path: Path, name: str, start: bytes) -> None:
    assert extracted(tmp_path / name, TEXT, as_org(TEXT, [["1", "a"]])).read_bytes().startswith(start)


def test_the_format_is_stronger_than_the_name(tmp_path: Path) -> None:
    assert (
        extracted(tmp_path / "a.txt", TEXT, as_org(TEXT, [["1", "a"]]), form="jsonl").read_bytes()
        == b'{"Id":"1","Name":"a"}\n'
    )


@pytest.mark.parametrize(
    ("name", "form"), [("a.xlsx", None), ("a", None), ("a.gz", None), ("a.parquet.gz", None), ("a.csv", "xlsx")]
)
def test_unknown_formats_are_refused_and_the_known_ones_named(tmp_path: Path, name: str, form: str | None) -> None:
    with pytest.raises(UsageError, match=", ".join(FORMATS)):
        sink_for(tmp_path / name, form)


def test_a_folder_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="There is no folder"):
        sink_for(tmp_path / "none" / "a.csv")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "a.csv").mkdir()
    with pytest.raises(UsageError, match="is a folder"):
        sink_for(tmp_path / "a.csv")


def test_a_file_in_place_of_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError):
        sink_for(tmp_path / "file" / "a.csv")


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "a.csv").symlink_to(tmp_path / "real" / "b.csv")
    sink = sink_for(tmp_path / "a.csv")
    sink.begin(TEXT)
    sink.finish()
    assert (tmp_path / "a.csv").is_symlink()
    assert (tmp_path / "real" / "b.csv").read_bytes() == b'"Id","Name"\n'


@pytest.mark.parametrize("form", FORMATS)
def test_the_old_file_stays_until_the_new_one_is_whole(tmp_path: Path, form: str) -> None:
    target = tmp_path / f"a.{form}"
    target.write_bytes(b"old")
    part = tmp_path / "part.csv"
    part.write_bytes(as_org(TEXT, [["1", "a"]]))
    sink = sink_for(target)
    sink.begin(TEXT)
    sink.add(part)
    assert target.read_bytes() == b"old"
    sink.discard()
    assert target.read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([target.name, "part.csv"])


@pytest.mark.parametrize("form", FORMATS)
def test_discard_before_begin_touches_nothing(tmp_path: Path, form: str) -> None:
    (tmp_path / f"a.{form}.part").write_bytes(b"of another")
    sink_for(tmp_path / f"a.{form}").discard()
    assert [path.name for path in tmp_path.iterdir()] == [f"a.{form}.part"]


@pytest.mark.parametrize("form", FORMATS)
def test_standard_output_takes_every_format(
    tmp_path: Path, form: str, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    part = tmp_path / "part.csv"
    part.write_bytes(as_org(TEXT, [["1", "a"]]))
    sink = sink_for("-", form)
    sink.begin(TEXT)
    sink.add(part)
    sink.finish()
    sink.discard()
    written = capfdbinary.readouterr().out
    match form:
        case "parquet":
            assert rows_of(pq.read_table(pa.BufferReader(written))) == [["1", "a"]]
        case "arrow":
            assert rows_of(pa.ipc.open_stream(written).read_all()) == [["1", "a"]]
        case _:
            assert (gzip.decompress(written) if form.endswith(".gz") else written).count(b"1") == 1


def test_a_pipe_stays_a_pipe(tmp_path: Path) -> None:
    path, got = tmp_path / "pipe", list[bytes]()
    os.mkfifo(path)
    reader = threading.Thread(target=lambda: got.append(path.read_bytes()))
    reader.start()
    part = tmp_path / "part.csv"
    part.write_bytes(as_org(TEXT, [["1", "a"]]))
    sink = sink_for(path, "csv")
    sink.begin(TEXT)
    sink.add(part)
    sink.finish()
    assert stat.S_ISFIFO(path.stat().st_mode)
    reader.join()
    assert got == [part.read_bytes()]


def test_what_went_to_standard_output_cannot_be_widened(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    column = Column("Amount", "currency", 18, 2)
    part = tmp_path / "part.csv"
    part.write_bytes(as_org([column], [["1.505"]]))
    sink = sink_for("-", "arrow")
    sink.begin([column])
    with pytest.raises(FormatError, match=r"do not fit the type decimal128\(18, 2\)") as caught:
        sink.add(part)
    sink.discard()
    assert caught.value.column == "Amount"
    capfdbinary.readouterr()


@pytest.mark.parametrize("form", FORMATS)
def test_a_full_disk_is_an_os_error_and_leaves_no_mess(tmp_path: Path, form: str) -> None:
    part = tmp_path / "part.csv"
    part.write_bytes(as_org(TEXT, [["1", "x" * 131_072]] * 20))

    def fill(sink: Sink) -> None:
        sink.begin(TEXT)
        sink.add(part)
        sink.finish()

    sink = sink_for("/dev/full", form)
    with pytest.raises(OSError, match="No space left"):
        fill(sink)
    sink.discard()


@pytest.mark.parametrize("form", ["parquet", "arrow", "jsonl"])
def test_without_pyarrow_the_extra_is_named(tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(MissingExtra, match=r"bulkforce\[arrow\]"):
        sink_for(tmp_path / f"a.{form}")
