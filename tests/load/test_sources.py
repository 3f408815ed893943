"""Sources: every kind becomes the same CSV, or says clearly why not, and never leaves half a file behind."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from bulkforce.errors import FormatError, MissingExtra, UsageError
from bulkforce.formats import csv as our_csv
from bulkforce.load.sources import Source, name_of, to_csv
from bulkforce.load.sources import json as json_source
from bulkforce.load.sources.options import SourceOptions

Rows = list[dict[str, object]]
RECORDS: Rows = [
    {"LastName": 'Morkel, "M"', "Active__c": True, "Account": {"Ext__c": "A-1"}},
    {"LastName": None, "Phone": "", "Amount__c": Decimal("1.50")},
    {"LastName": "two\r\nlines", "Note__c": "a\rb"},
]
AS_CSV = [
    ["LastName", "Active__c", "Account.Ext__c", "Phone", "Amount__c", "Note__c"],
    ['Morkel, "M"', "true", "A-1", "", "", ""],
    ["#N/A", "", "", "", "1.50", ""],
    ["two\r\nlines", "", "", "", "", "a\rb"],
]


def rows_of(source: Source, folder: Path) -> list[list[str]]:
    feed = to_csv(source, folder)
    assert feed.ours
    assert feed.path == folder / "source.csv"
    assert left_in(folder) == ["source.csv"]
    return parsed(feed.path.read_bytes())


def left_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith("source.csv")]


def parsed(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode(), newline=""), strict=True))


def refused(source: Source, folder: Path, kind: type[Exception] = FormatError) -> str:
    with pytest.raises(kind) as caught:
        to_csv(source, folder)
    assert left_in(folder) == []
    return str(caught.value)


def file(folder: Path, name: str, content: bytes | str) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    folder.mkdir()
    return folder


# CSV


def test_csv_file_is_used_in_place(tmp_path: Path, run: Path) -> None:
    path = file(tmp_path, "a.CSV", "Name\nx\n")
    feed = to_csv(str(path), run)
    assert (feed.path, feed.ours, name_of(path)) == (path, False, "a.CSV")
    assert left_in(run) == []


@pytest.mark.parametrize("name", ["a.csv.gz", "a.gz", "a.csv.zst", "a.zst", "A.CSV.GZ"])
def test_packed_csv_is_unpacked(tmp_path: Path, run: Path, name: str) -> None:
    content = b"Name,Note\n" + b'x,"a\nb"\n' * 50_000
    # Two members, or frames, after one another.
    pack = gzip.compress if name.lower().endswith("gz") else zstandard.ZstdCompressor().compress
    feed = to_csv(file(tmp_path, name, pack(content[:1000]) + pack(content[1000:])), run)
    assert (feed.path, feed.ours) == (run / "source.csv", True)
    assert feed.path.read_bytes() == content


@pytest.mark.parametrize("name", ["a.csv.gz", "a.csv.zst"])
def test_packed_file_that_is_cut_or_none_is_refused(tmp_path: Path, run: Path, name: str) -> None:
    pack = gzip.compress if name.endswith("gz") else zstandard.ZstdCompressor().compress
    packed = pack(os.urandom(300_000))
    assert "source is not a complete" in refused(file(tmp_path, name, packed[:-5]), run)
    assert "source is not a" in refused(file(tmp_path, name, "Name\nx\n"), run)
    refused(file(tmp_path, name, b""), run, UsageError)


def test_open_binary_file_and_standard_input_are_csv(
    tmp_path: Path, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert rows_of(io.BytesIO(b"Name\nx\n"), run) == [["Name"], ["x"]]
    with file(tmp_path, "some.txt", "Name\ny\n").open("rb") as opened:
        assert name_of(opened) == "some.txt"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"Name\nz\n")))
    assert name_of("-") == "standard input"
    to_csv("-", run)
    assert parsed((run / "source.csv").read_bytes()) == [["Name"], ["z"]]


def test_pipe_is_read(tmp_path: Path, run: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=lambda: (tmp_path / "pipe").write_bytes(b"Name\nx\n"))
    writer.start()
    assert rows_of(tmp_path / "pipe", run) == [["Name"], ["x"]]
    writer.join()


def test_file_that_is_not_there_is_refused(tmp_path: Path, run: Path) -> None:
    assert "No such file" in refused("nowhere.csv", run, UsageError)
    assert "is a directory" in refused(tmp_path, run, UsageError)


@pytest.mark.parametrize("name", ["a.doc", "a", "a.parquet.gz", "a.2024.gz"])
def test_unknown_suffix_names_the_known_ones(tmp_path: Path, run: Path, name: str) -> None:
    message = refused(file(tmp_path, name, "x"), run, UsageError)
    assert all(suffix in message for suffix in (".csv", ".jsonl", ".xml", ".parquet", ".feather", ".gz", ".zst"))


@pytest.mark.parametrize("name", ["a.csv", "a.json", "a.jsonl", "a.xml", "a.parquet", "a.arrow"])
def test_empty_file_is_refused(tmp_path: Path, run: Path, name: str) -> None:
    assert "empty" in refused(file(tmp_path, name, b""), run, UsageError)


@pytest.mark.parametrize("order", ["le", "be"])
@pytest.mark.parametrize("name", ["a.json", "a.jsonl.gz"])
def test_json_in_utf_16_is_read_if_it_has_its_mark(tmp_path: Path, run: Path, name: str, order: str) -> None:
    text = '[{"Name": "é"}]' if "l" not in Path(name.removesuffix(".gz")).suffix else '{"Name": "é"}\n'
    content = f"\ufeff{text}".encode(f"utf-16-{order}")
    packed = gzip.compress(content) if name.endswith("gz") else content
    assert rows_of(file(tmp_path, name, packed), run) == [["Name"], ["é"]]
    (run / "source.csv").unlink()
    assert f"utf-16-{order}" in refused(file(tmp_path, "b.json", content[2:]), run)


@pytest.mark.parametrize("source", [b"Name\nx\n", {"Name": "x"}, 3, io.StringIO("Name\nx\n"), [], iter(())])
def test_what_is_no_source_is_refused(run: Path, source: Source) -> None:
    refused(source, run, UsageError)


# Records


def test_records_have_the_union_of_all_names(run: Path) -> None:
    assert rows_of(RECORDS, run) == AS_CSV
    assert name_of(RECORDS) == "records"


def test_every_value_is_written_as_the_formats_say(run: Path) -> None:
    moment = datetime(2026, 2, 12, 15, 43, 48, 123456, tzinfo=UTC)
    record = {
        "a": moment,
        "b": moment.date(),
        "c": 1e16,
        "d": b"\0\1",
        "e": False,
        "f": UUID(int=1),
        "g": "#N/A",
        "attributes": {"type": "X"},
    }
    assert rows_of([{}, record], run)[1:] == [
        [""] * 7,
        ["2026-02-12T15:43:48.123Z", "2026-02-12", "10000000000000000", "AAE=", "false", str(UUID(int=1)), "#N/A"],
    ]


def test_record_of_one_empty_value_is_no_blank_line(run: Path) -> None:
    assert rows_of([{}, {"a": ""}, {"a": "x"}, {}], run) == [["a"], [""], [""], ["x"], [""]]
    assert b"\n\n" not in (run / "source.csv").read_bytes()


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({"a": float("inf")}, "(record 701, field a)"),
        ({"a": ["x"]}, "list cannot be written (record 701, field a)"),
        ({"A": "x"}, "same field to the org (record 701)"),
        ({" ": "x"}, "cannot be the name of a field (record 701)"),
        ({3: "x"}, "cannot be the name of a field (record 701)"),
        ({"a": "\ud800"}, "lone surrogate, which UTF-8 cannot encode (record 701)"),
        ("text", "not a str (record 701)"),
        ({"P": {"Q": {"Ext__c": "x"}}}, "field P.Q"),
    ],
)
def test_record_that_cannot_be_written_is_named(run: Path, record: dict[str, object], said: str) -> None:
    assert said in refused([{"a": "x"}] * 700 + [record], run)


def test_too_many_fields_are_refused(run: Path) -> None:
    assert "more than 5,000 different fields" in refused([{f"f{place}": "" for place in range(5_000)}, {"g": ""}], run)


def test_source_that_fails_half_way_leaves_nothing(run: Path) -> None:
    def records() -> Iterator[dict[str, object]]:
        for _ in range(1000):
            yield {"a": "x"}
        yield {"b": "y"}
        raise LookupError("from the user's own code")

    with pytest.raises(LookupError, match="own code"):
        to_csv(records(), run)
    assert left_in(run) == []


class Point(NamedTuple):
    Name: str
    Note: int | None


def database_rows() -> list[sqlite3.Row]:
    with closing(sqlite3.connect(":memory:")) as database:
        database.row_factory = sqlite3.Row
        return database.execute("SELECT 'a' AS Name, 1 AS Note UNION ALL SELECT 'b', NULL").fetchall()


@pytest.mark.parametrize(
    ("source", "columns"),
    [
        ([["a", 1], ("b", None)], ["Name", "Note"]),
        (iter([("a", 1), ("b", None)]), ("Name", "Note")),
        ([Point("a", 1), Point("b", None)], None),
        (database_rows(), None),
        (np.array([["a", 1], ["b", None]], dtype=object), ["Name", "Note"]),
    ],
    ids=["lists", "tuples", "named tuples", "rows of a database", "array"],
)
def test_records_may_be_rows(run: Path, source: Any, columns: list[str] | None) -> None:
    found = to_csv(source, run, options=SourceOptions(columns=columns))
    assert parsed(found.path.read_bytes()) == [["Name", "Note"], ["a", "1"], ["b", "#N/A"]]


@pytest.mark.parametrize(
    ("source", "columns", "said"),
    [
        ([["a"]], None, "columns="),
        ([["a"], ["a", "b"]], ["Name"], "2 values for 1 columns (record 2)"),
        ([["a"], "b"], ["Name"], "not a str (record 2)"),
        ([{"a": "b"}], ["Name"], "columns has no meaning"),
        ([pa.record_batch({"a": ["b"]})], ["Name"], "columns has no meaning"),
        (pa.table({"a": ["b"]}), ["Name"], "columns has no meaning"),
    ],
)
def test_rows_that_do_not_fit_their_columns_are_refused(
    run: Path, source: Any, columns: list[str] | None, said: str
) -> None:
    with pytest.raises((UsageError, FormatError)) as caught:
        to_csv(source, run, options=SourceOptions(columns=columns))
    assert said in str(caught.value)
    assert left_in(run) == []


def test_pandas_columns_of_mixed_types_are_read_value_by_value(run: Path) -> None:
    mixed: Any = [1001, 2.5, "x", None, pd.NaT, float("nan"), date(2026, 3, 4), Decimal("1.50"), True]
    frame = pd.DataFrame({"A": pd.Series(mixed, dtype=object), "B": range(9), "C": [None, *range(8)]})
    frame = pd.concat([frame] * 200)
    rows = rows_of(frame, run)
    assert [row[0] for row in rows[1:10]] == ["1001", "2.5", "x", "#N/A", "#N/A", "#N/A", "2026-03-04", "1.50", "true"]
    assert [row[1] for row in rows[1:10]] == list(map(str, range(9)))
    assert rows[1][2] == "#N/A"
    assert len(rows) == 1801


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (pd.DataFrame({"A": pd.Categorical([1, "x", 1])}), [["A"], ["1"], ["x"], ["1"]]),
        (pd.DataFrame({"P": [{"Ext__c": 1}, {"Ext__c": "x"}]}), [["P.Ext__c"], ["1"], ["x"]]),
    ],
    ids=["categories", "parents"],
)
def test_categories_and_parents_may_mix_types_too(run: Path, frame: Any, expected: list[list[str]]) -> None:
    assert rows_of(frame, run) == expected


def test_polars_columns_of_objects_are_read_value_by_value(run: Path) -> None:
    frame = pl.DataFrame({"A": pl.Series([UUID(int=1), Decimal("1.5"), "x"], dtype=pl.Object), "B": [1, 2, None]})
    assert rows_of(frame, run) == [["A", "B"], [str(UUID(int=1)), "1"], ["1.5", "2"], ["x", "#N/A"]]


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame([["a", "b"]], columns=["Name", "Name"]),
        pa.table([pa.array(["a"]), pa.array(["b"])], names=["Name", "Name"]),
    ],
    ids=["pandas", "pyarrow"],
)
def test_two_columns_of_one_name_are_named(run: Path, frame: Any) -> None:
    assert "'Name' appears twice" in refused(frame, run)


texts = st.text(st.sampled_from('ab,"\r\n é'), max_size=4)
records = st.dictionaries(
    st.sampled_from(["a", "b", 'c"', "d,e"]), texts | st.none() | st.booleans() | st.integers(), max_size=4
)


@given(st.lists(st.tuples(records, st.integers(1, 300)), min_size=1, max_size=6))
def test_columns_that_come_late_are_added_to_all_records(
    tmp_path_factory: pytest.TempPathFactory, runs: list[tuple[dict[str, object], int]]
) -> None:
    """Whatever comes when, the file holds what the plain encoder, which sees all records at once, would write."""
    folder = tmp_path_factory.mktemp("run")
    rows = [record for record, times in runs for _ in range(times)]
    if not any(rows):
        refused(rows, folder, UsageError)
        return
    expected = parsed(our_csv.encode(rows))
    assert rows_of(rows, folder) == expected


def test_writer_agrees_with_the_standard_library(run: Path) -> None:
    values = [left + mark + right for mark in ',"\r\n' for left in ("", "x") for right in ("", "y")]
    assert rows_of([{"a": value, "b": "1"} for value in values], run)[1:] == [[value, "1"] for value in values]


# JSON


def as_json(rows: Rows) -> str:
    text = json.dumps(rows, default=lambda value: f"<{value}>")
    return text.replace('"<1.50>"', "1.50")


@pytest.mark.parametrize("packing", ["", ".gz", ".zst"])
def test_json_array_is_read(tmp_path: Path, run: Path, packing: str) -> None:
    content = as_json(RECORDS).encode()
    packs: dict[str, Callable[[bytes], bytes]] = {
        "": bytes,
        ".gz": gzip.compress,
        ".zst": zstandard.ZstdCompressor().compress,
    }
    assert rows_of(file(tmp_path, "a.json" + packing, packs[packing](content)), run) == AS_CSV


@pytest.mark.parametrize("name", ["a.jsonl", "a.NDJSON", "a.jsonl.gz"])
def test_json_lines_are_read(tmp_path: Path, run: Path, name: str) -> None:
    content = "\ufeff" + "\r\n \n".join(as_json([record])[1:-1] for record in RECORDS)
    assert (
        rows_of(file(tmp_path, name, gzip.compress(content.encode()) if name.endswith("gz") else content), run)
        == AS_CSV
    )


def test_numbers_keep_every_digit(tmp_path: Path, run: Path) -> None:
    number = "123456789012345678901234567890.10"
    assert rows_of(file(tmp_path, "a.json", f'[{{"a": {number}, "b": 1.50, "c": 12E3}}]'), run)[1] == [
        number,
        "1.50",
        "12000",
    ]


def test_long_json_is_read_across_blocks(tmp_path: Path, run: Path) -> None:
    rows: Rows = [
        {"a": 'é\\"\n' * (place * 997 % 30_000), "b": None if place % 2 else str(place)} for place in range(60)
    ]
    expected = [["a", "b"], *([str(row["a"]), str(row["b"] or "#N/A")] for row in rows)]
    for ascii_only in (True, False):
        text = json.dumps(rows, indent=3, ensure_ascii=ascii_only)
        assert rows_of(file(tmp_path, "a.json", "\ufeff \n" + text + "\n"), run) == expected


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"a": "x"}', "is it .jsonl, with one record per line? (byte 0)"),
        ('[{"a": "x"}, 3]', "A record must be a JSON object (record 2, byte 13)"),
        ('[{"a": "x"} {"a": "y"}]', "',' or ']' expected after a record (record 1, byte 12)"),
        ('[{"é": "x"}, {"a": x, "bbbbbbbbbbbbbbbbbbb": "y"}]', "Not JSON: Expecting value (record 2, byte 20)"),
        ('[{"a": NaN}]', "NaN is not a number in JSON"),
        ('[{"a": -Infinity}]', "-Infinity is not a number"),
        ('[{"a": "x"}', "truncated"),
        ('[{"a": "x"},', "truncated"),
        ('[{"a": "x', "truncated"),
        ('[{"a": tr', "truncated"),
        ("[", "truncated"),
        ('[{"a": "x"}] x', "something follows the array (byte 13)"),
        (b'[{"a": "\xff"}]', "The content is not UTF-8 (byte 8)"),
        (b'[{"a": "\xc3', "The content is not UTF-8 (byte 8)"),
        ('[{"a": ' + "[" * 100_000, "nested too deeply (record 1"),
        ('[{"a": [1]}]', "list cannot be written (record 1, field a)"),
        ('[{"a": "\\ud800"}]', "surrogate"),
    ],
)
def test_json_that_is_wrong_says_where(tmp_path: Path, run: Path, content: str | bytes, said: str) -> None:
    assert said in refused(file(tmp_path, "a.json", content), run)


@pytest.mark.parametrize(
    "envelope",
    [
        '{"records": %s}',
        '{"totalSize": 3, "done": true, "records": %s}',
        '{"status": 0, "result": {"records": %s, "totalSize": 3, "done": true}, "warnings": []}',
        '{"result": %s, "status": 0}',
        '\ufeff {"a": {"b": [1, {"c": "}"}]}, "n": -12.5e3, "records" : %s , "z": null } ',
    ],
)
def test_records_inside_an_answer_are_read(tmp_path: Path, run: Path, envelope: str) -> None:
    assert rows_of(file(tmp_path, "a.json", envelope % as_json(RECORDS)), run) == AS_CSV


@given(st.integers(1, 9))
def test_answer_is_read_whatever_its_blocks(step: int) -> None:
    content = (
        b'{"status": 120, "result": {"done": true, "records": [{"a": "x"}, {"a": 12}], "size": 2.5}, "w": [false]}'
    )
    blocks = [content[begin : begin + step] for begin in range(0, len(content), step)]
    assert list(json_source.array(blocks)) == [{"a": "x"}, {"a": "12"}]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.json", '{"records": [{"a": "x"}], "done": false, "nextRecordsUrl": "/q"}', "first page"),
        ("a.json", '{"result": {"done": false, "records": [{"a": "x"}]}}', "first page"),
        ("a.json", '{"status": 1, "name": "NoOrg", "exitCode": 1, "message": "x"}', "the message of an error"),
        ("a.json", '[{"message": "Session expired", "errorCode": "INVALID_SESSION_ID"}]', "the message of an error"),
        ("a.json", '{"data": [{"a": "x"}]}', "under records"),
        ("a.json", '{"records": [{"a": "x"}]', "truncated"),
        ("a.json", '{"records": [{"a": "x"}', "truncated"),
        ("a.json", '{"records"', "truncated"),
        ("a.json", '{"records": [{"a": "x"}] "b": 1}', "',' or '}' expected"),
        ("a.json", '{3: [{"a": "x"}]}', "Not JSON"),
        ("a.json", '{"records": [{"a": "x"}]} {}', "something follows"),
        ("a.jsonl", '{"status": 0, "result": {"records": []}}', "name the file .json"),
        ("a.jsonl", '[{"a": "x"}]', "is it .json"),
    ],
)
def test_answer_that_is_no_list_of_records_is_explained(
    tmp_path: Path, run: Path, name: str, content: str, said: str
) -> None:
    assert said in refused(file(tmp_path, name, content), run)


def test_json_text_that_never_ends_is_not_read_to_its_end(tmp_path: Path, run: Path) -> None:
    path = file(tmp_path, "a.json", '[{"a": "x"}, {"a": "' + "x" * 40_000_000)
    assert "Unterminated string starting at (record 2, byte 19)" in refused(path, run)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"a": "x"}\n{"a": "é", "b": y}\n', "Not JSON: Expecting value (record 2, byte 28)"),
        ('{"a": "x"} {"a": "y"}\n', "Not JSON: Extra data (record 1, byte 11)"),
        ('[{"a": "x"}]\n', "one array of all records? (record 1, byte 0)"),
        (
            '{"a": "x"}\n{"a": NaN}',
            "NaN is not a number in JSON or Salesforce; use null for a missing value (record 2, byte 11)",
        ),
        (b'{"a": "x"}\n{"a": "\xff"}', "not UTF-8 (record 2, byte 18)"),
        ('{"a": ' + "[" * 100_000, "nested too deeply (record 1"),
        ("x" * 17_000_000, "one record per line"),
    ],
)
def test_json_line_that_is_wrong_says_where(tmp_path: Path, run: Path, content: str | bytes, said: str) -> None:
    assert said in refused(file(tmp_path, "a.jsonl", content), run)


def test_json_without_records_is_refused(tmp_path: Path, run: Path) -> None:
    assert "no records" in refused(file(tmp_path, "a.json", " [ ] "), run, UsageError)
    assert "no records" in refused(file(tmp_path, "a.jsonl", " \n\n"), run, UsageError)
    assert "No record of the source has a field" in refused(file(tmp_path, "a.jsonl", "{}\n{}"), run, UsageError)


# XML

OPEN = (
    '<?xml version="1.0"?><sObjects xmlns="http://www.force.com/2009/06/asyncapi/dataload" '
    'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
)


def test_xml_is_read(tmp_path: Path, run: Path) -> None:
    content = OPEN + (
        '<sObject><LastName>Morkel, "M"</LastName><Active__c>true</Active__c>\n'
        "  <Account><sObject><Ext__c>A-1</Ext__c></sObject></Account></sObject>\n"
        '<sObject><LastName xsi:nil="true"/><Phone/><Amount__c>1.50</Amount__c></sObject>'
        "<sObject><LastName>two&#13;\nlines</LastName><Note__c>a&#xD;b</Note__c></sObject></sObjects>"
    )
    assert rows_of(file(tmp_path, "a.xml", content), run) == AS_CSV
    assert rows_of(file(tmp_path, "a.xml.gz", gzip.compress(content.encode())), run) == AS_CSV
    assert (
        rows_of(file(tmp_path, "a.xml", content.replace("?>", ' encoding="UTF-16"?>').encode("utf-16")), run) == AS_CSV
    )


def test_xml_parent_of_a_type_is_named_so(tmp_path: Path, run: Path) -> None:
    content = OPEN + "<sObject><Who><sObject><type>Lead</type><Email>a@b.c</Email></sObject></Who></sObject></sObjects>"
    assert rows_of(file(tmp_path, "a.xml", content), run) == [["Lead:Who.Email"], ["a@b.c"]]


def test_long_xml_is_read_across_blocks(tmp_path: Path, run: Path) -> None:
    values = [f"é{place}" * (place % 50) for place in range(20_000)]
    content = OPEN + "".join(f"<sObject><a>{value}</a></sObject>" for value in values) + "</sObjects>"
    assert rows_of(file(tmp_path, "a.xml", content), run) == [["a"], *([value] for value in values)]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('<!DOCTYPE s [<!ENTITY a "b">]><sObjects/>', "DOCTYPE is refused"),
        ("<records/>", "sObjects document, not 'records'"),
        (OPEN + "<record/></sObjects>", "xpected an sObject element, not 'record' (record 1)"),
        (OPEN + "<sObject><a>1</a>", "Not well-formed XML at line 1"),
        (
            OPEN + "<sObject><a>1</a><a>2</a></sObject></sObjects>",
            "A field appears twice in a record (record 1, field a)",
        ),
        (OPEN + "<sObject><P><x>1</x></P></sObject></sObjects>", "xpected an sObject element, not 'x' (record 1)"),
        (OPEN + "<sObject><P><sObject/><sObject/></P></sObject></sObjects>", "two parent records; only one is allowed"),
        (OPEN + "<sObject><P>x<sObject/></P></sObject></sObjects>", "ext where only elements are allowed (record 1)"),
        (
            OPEN + "<sObject><P><sObject><Q><sObject><x>1</x></sObject></Q></sObject></P></sObject></sObjects>",
            "by one of its own fields",
        ),
        (OPEN + "<sObject>text</sObject></sObjects>", "ext where only elements are allowed (record 1)"),
    ],
)
def test_xml_that_is_wrong_is_refused(tmp_path: Path, run: Path, content: str, said: str) -> None:
    assert said in refused(file(tmp_path, "a.xml", content), run)


def test_xml_without_records_is_refused(tmp_path: Path, run: Path) -> None:
    assert "no records" in refused(file(tmp_path, "a.xml", OPEN + "</sObjects>"), run, UsageError)


# Arrow


def table() -> pa.Table:
    return pa.table(
        {
            "LastName": ['Morkel, "M"', None, "two\r\nlines"],
            "Active__c": pa.array([True, None, False]),
            "Account": [{"Ext__c": "A-1"}, None, {"Ext__c": None}],
            "Amount__c": pa.array([Decimal("1.50"), Decimal("-0.01"), None], pa.decimal128(18, 2)),
        }
    )


ARROW_AS_CSV = [
    ["LastName", "Active__c", "Account.Ext__c", "Amount__c"],
    ['Morkel, "M"', "true", "A-1", "1.50"],
    ["#N/A", "#N/A", "#N/A", "-0.01"],
    ["two\r\nlines", "false", "#N/A", "#N/A"],
]


def test_parquet_is_read(tmp_path: Path, run: Path) -> None:
    pq.write_table(table(), tmp_path / "a.parquet", row_group_size=2)
    assert rows_of(tmp_path / "a.parquet", run) == ARROW_AS_CSV


@pytest.mark.parametrize("name", ["a.arrow", "a.feather"])
@pytest.mark.parametrize("new", [pa.ipc.new_file, pa.ipc.new_stream])
def test_arrow_file_and_stream_are_read(
    tmp_path: Path, run: Path, name: str, new: Callable[[str, pa.Schema], Any]
) -> None:
    with new(str(tmp_path / name), table().schema) as writer:
        writer.write_table(table(), max_chunksize=2)
    assert rows_of(tmp_path / name, run) == ARROW_AS_CSV


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow"])
def test_file_that_is_no_arrow_is_refused(tmp_path: Path, run: Path, name: str) -> None:
    assert "cannot be read" in refused(file(tmp_path, name, "Name\nx\n" * 10), run)
    pq.write_table(table(), tmp_path / "a.parquet")
    assert "cannot be read" in refused(file(tmp_path, name, (tmp_path / "a.parquet").read_bytes()[:-300]), run)


class OnlyArray:
    """A record batch of a library that offers it in one piece."""

    def __init__(self, batch: pa.RecordBatch) -> None:
        self._batch = batch

    def __arrow_c_array__(self, requested_schema: object | None = None) -> tuple[object, object]:
        return self._batch.__arrow_c_array__(requested_schema)  # type: ignore[no-any-return]


def test_whatever_offers_arrow_is_read(run: Path) -> None:
    sources: list[Source] = [
        table(),
        table().to_reader(),
        table().to_batches(max_chunksize=1),
        iter(table().to_batches()),
        [table().slice(0, 1), table().slice(1)],
        OnlyArray(table().to_batches()[0]),
        [OnlyArray(batch) for batch in table().to_batches(max_chunksize=2)],
        pl.DataFrame(table()),
    ]
    for source in sources:
        assert rows_of(source, run) == ARROW_AS_CSV
    assert name_of(table()) == "Table of pyarrow"


def test_missing_values_of_pandas_are_null(run: Path) -> None:
    frame = pd.DataFrame(
        {
            "a": [1.5, None],
            "b": ["x", None],
            "c": pd.to_datetime(["2026-02-12T15:43:48.1234567Z", None]),
            "d": pd.array([1, None], dtype="Int64"),
            "e": pd.Categorical(["u", None]),
        },
        index=pd.Index(["p", "q"]),
    )
    assert rows_of(frame, run) == [
        ["a", "b", "c", "d", "e"],
        ["1.5", "x", "2026-02-12T15:43:48.123Z", "1", "u"],
        ["#N/A"] * 5,
    ]
    assert name_of(frame) == "DataFrame of pandas"


def test_frame_of_polars_is_read(run: Path) -> None:
    frame = pl.DataFrame(
        {
            "a": ["x", None],
            "b": pl.Series(["u", "v"], dtype=pl.Categorical),
            "c": [time(1, 2, 3), None],
            "d": [b"\0\1", None],
            "e": [True, None],
        }
    )
    assert rows_of(frame, run)[1:] == [
        ["x", "u", "01:02:03.000Z", "AAE=", "true"],
        ["#N/A", "v", "#N/A", "#N/A", "#N/A"],
    ]


NEGATIVE = datetime.fromisoformat("1969-12-31T23:59:59.999900")


_OF_NEWER_PYARROW: list[tuple[pa.Array, list[str]]] = []
if hasattr(pa, "uuid"):
    _OF_NEWER_PYARROW.append(
        (pa.array([UUID(int=1).bytes, None], pa.binary(16)).cast(pa.uuid()), [str(UUID(int=1)), "#N/A"])
    )
if hasattr(pa, "json_"):
    _OF_NEWER_PYARROW.append((pa.array(["{}"]).cast(pa.json_()), ["{}"]))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pa.array(["x", ""]), ["x", ""]),
        (pa.array(["x", None], pa.large_string()), ["x", "#N/A"]),
        (pa.array(["x,", None], pa.string_view()), ["x,", "#N/A"]),
        (pa.array(["x", "y", "x", None]).dictionary_encode(), ["x", "y", "x", "#N/A"]),
        (pa.array([7, None], pa.uint8()), ["7", "#N/A"]),
        (pa.array([-7, 2**63 - 1], pa.int64()), ["-7", str(2**63 - 1)]),
        (pa.array([None, None]), ["#N/A", "#N/A"]),
        (pa.array([1.0, 0.1, 1234567.5, None, -0.0]), ["1", "0.1", "1234567.5", "#N/A", "0"]),
        (pa.array([1e16, 1e-7, 1.7e12, None]), ["10000000000000000", "0.0000001", "1700000000000", "#N/A"]),
        (pa.array([0.1, 3.0, None], pa.float32()), ["0.1", "3", "#N/A"]),
        (pa.array([1e20, 0.1, float("nan")], pa.float32()), ["100000000000000000000", "0.1", "#N/A"]),
        (pa.array([0.5, 2.0], pa.float32()).cast(pa.float16()), ["0.5", "2"]),
        (pa.array([Decimal("1.10"), None], pa.decimal256(40, 2)), ["1.10", "#N/A"]),
        (pa.array([date(2026, 2, 12), None]), ["2026-02-12", "#N/A"]),
        (pa.array([date(2026, 2, 12)], pa.date64()), ["2026-02-12"]),
        (
            pa.array([datetime.fromisoformat("2026-02-12T15:43:48.123999"), NEGATIVE]),
            ["2026-02-12T15:43:48.123Z", "1969-12-31T23:59:59.999Z"],
        ),
        (pa.array([datetime.fromisoformat("2026-02-12T15:00")], pa.timestamp("s")), ["2026-02-12T15:00:00.000Z"]),
        (
            pa.array([datetime(2026, 2, 12, 15, tzinfo=UTC)], pa.timestamp("ns", "Europe/Berlin")),
            ["2026-02-12T15:00:00.000Z"],
        ),
        (pa.array([time(1, 2, 3, 4_999)]), ["01:02:03.004Z"]),
        (pa.array([time(1, 2, 3)], pa.time32("s")), ["01:02:03.000Z"]),
        (pa.array([b"\0\1", None]), ["AAE=", "#N/A"]),
        (pa.array([b"\0\1"], pa.binary(2)), ["AAE="]),
        *_OF_NEWER_PYARROW,
        (pa.RunEndEncodedArray.from_arrays(pa.array([2, 3], pa.int32()), pa.array(["x", None])), ["x", "x", "#N/A"]),
        (pa.array([{"Ext__c": {"x": 1}["x"]}, None]), ["1", "#N/A"]),
    ],
    ids=lambda value: str(value.type) if isinstance(value, pa.Array) else "",
)
def test_arrow_type_is_written_as_python_would(run: Path, values: pa.Array, expected: list[str]) -> None:
    assert [row[0] for row in rows_of(pa.table({"a": values}), run)[1:]] == expected
    # A slice has an offset of its own.
    assert [
        row[0] for row in rows_of(pa.table({"a": values, "b": values}).slice(len(values) - 1), run)[1:]
    ] == expected[-1:]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (pa.array([1.0, float("inf")]), "infinity"),
        (pa.array([None, float("-inf")], pa.float32()), "infinity"),
        (pa.array([None, [1]]), "list"),
        (pa.array([None, timedelta(1)]), "timedelta"),
        (pa.array([None, {"x": {"y": 1}}]), "dict"),
    ],
)
def test_arrow_value_that_cannot_be_written_is_named(run: Path, values: pa.Array, said: str) -> None:
    before = pa.record_batch({"a": pa.nulls(20_000, values.type)})
    message = refused([before, pa.record_batch({"a": values})], run)
    assert said in message
    assert "record 20002, field a" in message


def test_struct_with_attributes_is_refused(run: Path) -> None:
    assert "Type:Parent.Field" in refused(pa.table({"Who": [{"attributes": {"type": "Lead"}, "Email": "x"}]}), run)


def test_columns_of_arrow_batches_are_united(run: Path) -> None:
    batches = [
        pa.record_batch({"a": ["x,y"]}),
        pa.record_batch({"b": pa.array([1, 2]), "a": ["", "z"]}),
        pa.table({"c": [None]}),
    ]
    assert rows_of(batches, run) == [["a", "b", "c"], ["x,y", "", ""], ["", "1", ""], ["z", "2", ""], ["", "", "#N/A"]]


def test_index_column_of_pandas_is_no_field(run: Path) -> None:
    index = pa.record_batch({"__index_level_0__": [1, 2]})
    assert rows_of([index, pa.record_batch({"a": ["x"], "b": ["y"]}), index], run) == [
        ["a", "b"],
        ["", ""],
        ["", ""],
        ["x", "y"],
        ["", ""],
        ["", ""],
    ]
    assert "No record of the source has a field" in refused(index, run.parent, UsageError)


def test_parquet_of_many_row_groups_is_read_in_order(tmp_path: Path, run: Path) -> None:
    pq.write_table(pa.table({"a": range(50_000)}), tmp_path / "a.parquet", row_group_size=7_000)
    assert rows_of(tmp_path / "a.parquet", run)[1:] == [[str(number)] for number in range(50_000)]


def test_single_empty_column_of_arrow_is_no_blank_line(run: Path) -> None:
    assert rows_of(pa.table({"a": ["", "x"]}), run) == [["a"], [""], ["x"]]
    assert b"\n\n" not in (run / "source.csv").read_bytes()


def test_arrow_in_which_there_is_nothing_is_refused(run: Path) -> None:
    assert "no records" in refused(table().slice(0, 0), run, UsageError)
    assert "appears twice" in refused(pa.table([["x"], ["y"]], names=["a", "a"]), run)
    assert "cannot be read as records" in refused(pl.Series([1]), run)
    assert "All items must be Arrow data, but one is a dict" in refused(
        [pa.record_batch({"a": ["x"]}), {"a": "x"}], run
    )


@given(
    st.lists(
        st.tuples(
            st.none() | texts,
            st.none() | st.floats(allow_nan=False, allow_infinity=False),
            st.none() | st.datetimes(NEGATIVE, datetime.fromisoformat("2200-01-01")),
            st.none() | st.booleans(),
            st.none() | st.decimals(-(10**10), 10**10, places=3),
            st.none() | st.integers(-(2**63), 2**63 - 1),
            st.none() | st.times(),
            st.none() | st.dates(),
        ),
        min_size=1,
    )
)
def test_arrow_and_mappings_give_the_same_file(
    tmp_path_factory: pytest.TempPathFactory, values: list[tuple[object, ...]]
) -> None:
    folder = tmp_path_factory.mktemp("run")
    kinds = [
        pa.string(),
        pa.float64(),
        pa.timestamp("us"),
        pa.bool_(),
        pa.decimal128(20, 3),
        pa.int64(),
        pa.time64("us"),
        pa.date32(),
    ]
    rows: Rows = [dict(zip("abcdefgh", row, strict=True)) for row in values]
    as_arrow = pa.Table.from_pylist(rows, pa.schema(list(zip("abcdefgh", kinds, strict=True))))
    assert rows_of(as_arrow, folder) == rows_of(rows, folder)


def test_extras_that_are_missing_are_named(tmp_path: Path, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pq.write_table(table(), tmp_path / "a.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "zstandard", None)
    monkeypatch.setitem(sys.modules, "compression.zstd", None)
    assert "bulkforce[arrow]" in refused(tmp_path / "a.parquet", run, MissingExtra)
    assert "bulkforce[arrow]" in refused(table(), run, MissingExtra)
    assert "bulkforce[zstd]" in refused(file(tmp_path, "a.csv.zst", "x"), run, MissingExtra)


def test_import_brings_no_library_of_an_extra() -> None:
    code = (
        "import sys, bulkforce.load.sources; print(*{'pyarrow', 'pandas', 'polars', 'numpy', 'zstandard'} & "
        "set(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == ""


_PARQUET_ALONE = """
import sys
from pathlib import Path
import pyarrow as pa
from bulkforce.load.sources import to_csv

before = pa.default_memory_pool().backend_name
to_csv(Path(sys.argv[1]), Path(sys.argv[2]), lambda: None)
assert "pandas" not in sys.modules, "pandas was imported"
assert pa.default_memory_pool().backend_name == before
"""


def test_parquet_is_read_without_pandas_and_leaves_the_users_allocator_as_it_was(tmp_path: Path, run: Path) -> None:
    """Pyarrow imports pandas, where it is there, to turn a Python value into one of its own: 50 MB."""
    table = pa.table({"a": ["x", None], "b": [1.5, float("nan")], "c": [datetime(2026, 1, 2, tzinfo=UTC)] * 2})
    pq.write_table(table, tmp_path / "a.parquet")
    command = [sys.executable, "-c", _PARQUET_ALONE, str(tmp_path / "a.parquet"), str(run)]
    subprocess.run(command, check=True, timeout=60)
