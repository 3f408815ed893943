"""What a load makes of a source: the org's records, the outputs in the source's order, and a report that adds up."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.rehearsal import SCHEMA, TOO_LONG, Books, Load, Row, Rows, changes, contents, nasty_rows, read_csv

from bulkforce import LoadReport
from bulkforce.errors import FormatError, LimitReached, UsageError
from bulkforce.transfer.report import RunState
from bulkforce_emulator import Emulator, Fault
from bulkforce_emulator.settings import Limits, Settings


@pytest.fixture(scope="module")
def org() -> Iterator[Emulator]:
    with Emulator(SCHEMA) as org:
        yield org


def load_bytes(org: Emulator, folder: Path, content: bytes, **options: object) -> tuple[Load, LoadReport]:
    load = Load(org, folder, options=options)
    load.path.write_bytes(content)
    return load, load.begin()


def values(folder: Path, name: str) -> list[Row]:
    """The source's own columns of an output."""
    return [row[1 if name == "unprocessed" else 2 :] for row in read_csv(folder / f"{name}.csv")]


LONG = b"x" * 131_073
SOURCES: dict[str, tuple[bytes, list[Row], list[Row], list[Row]]] = {
    # the source, and which of its rows go in, fail, are rejected
    "LF": (b"Code__c,Text__c\na,1\n,2\nc,3\n", [("a", "1"), ("c", "3")], [("", "2")], []),
    "CRLF": (b"Code__c,Text__c\r\na,1\r\n,2\r\nc,3\r\n", [("a", "1"), ("c", "3")], [("", "2")], []),
    "CR": (b"Code__c,Text__c\ra,1\r,2\rc,3\r", [("a", "1"), ("c", "3")], [("", "2")], []),
    "mixed line ends": (b"Code__c,Text__c\r\na,1\n,2\rc,3\r\n", [("a", "1"), ("c", "3")], [("", "2")], []),
    "no final line end": (b"Code__c,Text__c\na,1\n,2\nc,3", [("a", "1"), ("c", "3")], [("", "2")], []),
    "no final line end after CRLF": (b"Code__c,Text__c\r\na,1\r\n,2\r\nc,3", [("a", "1"), ("c", "3")], [("", "2")], []),
    "byte order mark": (b"\xef\xbb\xbfCode__c,Text__c\na,1\n,2\n", [("a", "1")], [("", "2")], []),
    "byte order mark and quotes": (b'\xef\xbb\xbf"Code__c","Text__c"\n"a","1"\n"","2"\n', [("a", "1")], [("", "2")], []),
    "blank lines": (b"Code__c,Text__c\n\na,1\n\n\n,2\n\nc,3\n\n", [("a", "1"), ("c", "3")], [("", "2")], []),
    "blank lines of CRLF": (b"Code__c,Text__c\r\n\r\na,1\r\n\r\n,2\r\n\r\n", [("a", "1")], [("", "2")], []),
    "short row": (b"Code__c,Text__c\na,1\nb\n,2\nc,3\n", [("a", "1"), ("c", "3")], [("", "2")], [("b",)]),
    "long row": (b"Code__c,Text__c\na,1\nb,1,2\n,2\nc,3\n", [("a", "1"), ("c", "3")], [("", "2")], [("b", "1", "2")]),
    "only bad rows": (b"Code__c,Text__c\nb\nc,1,2\n", [], [], [("b",), ("c", "1", "2")]),
    "field over the limit": (b"Code__c,Text__c\na,1\nb," + LONG + b"\n,2\n", [("a", "1")], [("", "2")], [("b", LONG.decode())]),
    "quotes": (b'Code__c,Text__c\n"a","say ""no"", twice"\n"","2"\n', [("a", 'say "no", twice')], [("", "2")], []),
    "embedded line ends": (b'Code__c,Text__c\na,"1\n2\n\n3"\n,"2\n"\n', [("a", "1\n2\n\n3")], [("", "2\n")], []),
    "embedded line ends and a short row": (b'Code__c,Text__c\na,"1\n2"\nb\nc,"\n"\n', [("a", "1\n2"), ("c", "\n")], [], [("b",)]),
    "one column": (b"Code__c\na\nb\n" + TOO_LONG.encode() + b"\nc\n", [("a",), ("b",), ("c",)], [(TOO_LONG,)], []),
    "one column with an empty value": (b'Code__c\na\n""\nb\n', [("a",), ("b",)], [("",)], []),
    "one column with blank lines": (b"Code__c\n\na\n\nb\n\n\n", [("a",), ("b",)], [], []),
    "not ASCII": ("Code__c,Text__c\nä,Łódź 😀\n,日本\n".encode(), [("ä", "Łódź 😀")], [("", "日本")], []),
}


@pytest.mark.parametrize("batch_records", [1, 2, 10_000])
@pytest.mark.parametrize(("content", "good", "bad", "rejected"), SOURCES.values(), ids=list(SOURCES))
def test_outputs_hold_every_row_in_the_order_of_the_source(
    org: Emulator, tmp_path: Path, content: bytes, good: list[Row], bad: list[Row], rejected: list[Row], batch_records: int
) -> None:
    load, report = load_bytes(org, tmp_path, content, batch_records=batch_records)
    header = ("Code__c", "Text__c")[: 1 + (b"Text__c" in content)]
    assert values(load.run_dir, "success") == [header, *good]
    assert values(load.run_dir, "failed") == [header, *bad]
    assert values(load.run_dir, "rejected") == [header, *rejected]
    assert values(load.run_dir, "unprocessed") == [header]
    assert (report.read, report.succeeded, report.failed) == (len(good) + len(bad) + len(rejected), len(good), len(bad))
    assert (report.unprocessed, report.rejected, report.pending) == (0, len(rejected), 0)
    ids = [row[0] for row in read_csv(load.run_dir / "success.csv")[1:]]
    assert contents(org, ids, header) == good
    assert json.loads((load.run_dir / "report.json").read_text("utf-8")) == json.loads(report.to_json())


def test_rejected_rows_are_told_with_number_and_reason(org: Emulator, tmp_path: Path) -> None:
    load, _ = load_bytes(org, tmp_path, b"Code__c,Text__c\na,1\n\nb\nc,3\nd,1,2\n")
    told = [row[:2] for row in read_csv(load.run_dir / "rejected.csv")[1:]]
    assert told == [("2", "1 fields where the header has 2"), ("4", "3 fields where the header has 2")]


def test_errors_are_grouped_with_the_number_of_the_first_row(org: Emulator, tmp_path: Path) -> None:
    _, report = load_bytes(org, tmp_path, f"Code__c,Text__c\na,1\nshort\n,3\n{TOO_LONG},4\n,5\n".encode(), batch_records=2)
    assert [(group.status_code, group.count, group.row) for group in report.errors] == [
        ("REQUIRED_FIELD_MISSING", 2, 3),
        ("STRING_TOO_LONG", 1, 4),
    ]


def test_failed_rows_are_loaded_again_as_they_are(org: Emulator, tmp_path: Path) -> None:
    load = Load(org, tmp_path)
    load.check(load.begin())
    failed = load.run_dir / "failed.csv"
    again = Load(org, tmp_path / "run", options={"source": failed, "run_dir": tmp_path / "again"})
    report = again.begin()
    assert (report.read, report.failed) == (len(load.source.bad), len(load.source.bad))
    assert values(tmp_path / "again", "failed")[1:] == [row for row in read_csv(failed)[1:]] or values(tmp_path / "again", "failed")[0][:1]
    mended = failed.read_text("utf-8").replace(TOO_LONG, "short").replace("\n,", "\n,").replace(",,", ",now,")
    failed.write_text(mended, "utf-8")
    books = Books(org)
    third = Load(org, tmp_path / "again", options={"source": failed, "run_dir": tmp_path / "third"})
    assert third.begin().succeeded + third.begin_failed() == len(load.source.bad)
    assert len(books.entries) > 0
