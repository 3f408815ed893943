"""What a load makes of a source: the org's records, the outputs in the source's order, and a report that adds up."""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from tests.support.rehearsal import SCHEMA, TOO_LONG, Books, Load, Row, Rows, changes, contents, read_csv, settle

import bulkforce as bf
from bulkforce import BearerToken, Client, LoadReport
from bulkforce.errors import DoesNotFit, Error, FormatError, Interrupted, LimitReached, RefusedError, UsageError
from bulkforce.run.report import RunState
from bulkforce_emulator import Emulator, Fault
from bulkforce_emulator.mishaps import Mishap
from bulkforce_emulator.settings import Limits, Settings


@pytest.fixture(scope="module")
def running() -> Iterator[Emulator]:
    with Emulator(SCHEMA) as org:
        yield org


@pytest.fixture
def org(running: Emulator) -> Iterator[Emulator]:
    yield running
    settle(running)


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
    "byte order mark and quotes": (
        b'\xef\xbb\xbf"Code__c","Text__c"\n"a","1"\n"","2"\n',
        [("a", "1")],
        [("", "2")],
        [],
    ),
    "blank lines": (b"Code__c,Text__c\n\na,1\n\n\n,2\n\nc,3\n\n", [("a", "1"), ("c", "3")], [("", "2")], []),
    "blank lines of CRLF": (b"Code__c,Text__c\r\n\r\na,1\r\n\r\n,2\r\n\r\n", [("a", "1")], [("", "2")], []),
    "short row": (b"Code__c,Text__c\na,1\nb\n,2\nc,3\n", [("a", "1"), ("c", "3")], [("", "2")], [("b",)]),
    "long row": (b"Code__c,Text__c\na,1\nb,1,2\n,2\nc,3\n", [("a", "1"), ("c", "3")], [("", "2")], [("b", "1", "2")]),
    "only bad rows": (b"Code__c,Text__c\nb\nc,1,2\n", [], [], [("b",), ("c", "1", "2")]),
    "field over the limit": (
        b"Code__c,Text__c\na,1\nb," + LONG + b"\n,2\n",
        [("a", "1")],
        [("", "2")],
        [("b", LONG.decode())],
    ),
    "quotes": (b'Code__c,Text__c\n"a","say ""no"", twice"\n"","2"\n', [("a", 'say "no", twice')], [("", "2")], []),
    "embedded line ends": (b'Code__c,Text__c\na,"1\n2\n\n3"\n,"2\n"\n', [("a", "1\n2\n\n3")], [("", "2\n")], []),
    "embedded line ends and a short row": (
        b'Code__c,Text__c\na,"1\n2"\nb\nc,"\n"\n',
        [("a", "1\n2"), ("c", "\n")],
        [],
        [("b",)],
    ),
    "one column": (b"Code__c\na\nb\n" + TOO_LONG.encode() + b"\nc\n", [("a",), ("b",), ("c",)], [(TOO_LONG,)], []),
    "one column with an empty value": (b'Code__c\na\n""\nb\n', [("a",), ("b",)], [], [("",)]),
    "one column with blank lines": (b"Code__c\n\na\n\nb\n\n\n", [("a",), ("b",)], [], []),
    "not ASCII": ("Code__c,Text__c\nä,Łódź 😀\n,日本\n".encode(), [("ä", "Łódź 😀")], [("", "日本")], []),
}


@pytest.mark.parametrize(("api", "batch_records"), [("bulk1", 1), ("bulk1", 2), ("bulk1", 10_000), ("bulk2", 2)])
@pytest.mark.parametrize(("content", "good", "bad", "rejected"), SOURCES.values(), ids=list(SOURCES))
def test_outputs_hold_every_row_in_the_order_of_the_source(
    org: Emulator,
    tmp_path: Path,
    api: str,
    content: bytes,
    good: list[Row],
    bad: list[Row],
    rejected: list[Row],
    batch_records: int,
) -> None:
    load, report = load_bytes(org, tmp_path, content, api=api, batch_records=batch_records)
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


def test_mapping_does_not_hide_a_field_over_the_limit(org: Emulator, tmp_path: Path) -> None:
    content = b"Code__c,Notes,Text__c\na,x,1\nb,x," + LONG + b"\nc," + LONG + b",3\nd,x,4\n"
    load, report = load_bytes(org, tmp_path, content, mapping={"Notes": None})
    assert [row[0] for row in values(load.run_dir, "success")[1:]] == ["a", "d"]
    assert (report.rejected, [row[0] for row in read_csv(load.run_dir / "rejected.csv")[1:]]) == (2, ["2", "3"])


def test_rejected_rows_are_told_with_number_and_reason(org: Emulator, tmp_path: Path) -> None:
    load, _ = load_bytes(org, tmp_path, b"Code__c,Text__c\na,1\n\nb\nc,3\nd,1,2\n")
    told = [row[:2] for row in read_csv(load.run_dir / "rejected.csv")[1:]]
    assert told == [("2", "1 field where the header has 2 (line 4)"), ("4", "3 fields where the header has 2 (line 6)")]


def test_errors_are_grouped_with_their_counts_and_the_first_row_of_each(org: Emulator, tmp_path: Path) -> None:
    _, report = load_bytes(
        org, tmp_path, f"Code__c,Text__c\na,1\nshort\n,3\n{TOO_LONG},4\n,5\n".encode(), batch_records=2
    )
    assert [(group.status_code, group.count, group.row, group.sample) for group in report.errors] == [
        ("REQUIRED_FIELD_MISSING", 2, 3, ",3"),
        ("STRING_TOO_LONG", 1, 4, f"{TOO_LONG},4"[:200]),
        ("REJECTED", 1, 2, "short"),
    ]
    assert all(group.remedy for group in report.errors)


def test_errors_that_differ_in_their_values_only_are_one_with_three_of_them(org: Emulator, tmp_path: Path) -> None:
    rows = [f"{TOO_LONG} {number},{number}\n" for number in range(1, 31)]
    load, report = load_bytes(org, tmp_path, "".join(["Code__c,Text__c\n", *rows]).encode(), batch_records=7)
    (group,) = report.errors
    assert (group.status_code, group.fields, group.count) == ("STRING_TOO_LONG", ("Code__c",), 30)
    assert group.message.endswith("data value too large: ... (max length=20)")
    assert [(one.row, one.value, one.record) for one in group.samples] == [
        (number, f"{TOO_LONG} {number}", f"{TOO_LONG} {number},{number}") for number in (1, 2, 3)
    ]
    assert LoadReport.from_json((load.run_dir / "report.json").read_text("utf-8")) == report


def test_samples_of_errors_are_without_our_own_columns(org: Emulator, tmp_path: Path) -> None:
    _, report = load_bytes(org, tmp_path, b'sf__Id,sf__Error,Text__c,Code__c\n,"X:a, b:--",one,\n')
    assert [group.sample for group in report.errors] == ["one,"]


def test_rejected_rows_are_among_the_errors_of_a_load_and_of_a_plan(org: Emulator, tmp_path: Path) -> None:
    content = b"Code__c,Text__c\na,1\nb\nc,d,e\nd,1\n" + b"e\n" * 3
    for options in ({}, {"dry_run": True, "values": "skip"}):
        _, report = load_bytes(org, tmp_path, content, **options)
        told = [(group.status_code, group.message, group.count) for group in report.errors]
        assert told == [("REJECTED", "... fields where the header has 2", 5)]
        assert [(one.row, one.record) for one in report.errors[0].samples] == [(2, "b"), (3, "c,d,e"), (5, "e")]


def test_failed_rows_are_loaded_again_as_they_are_however_often(org: Emulator, tmp_path: Path) -> None:
    load = Load(org, tmp_path)
    load.check(load.begin())
    source, books = load.run_dir / "failed.csv", Books(org)
    for generation in ("second", "third", "fourth"):
        report = Load(org, tmp_path / "run", options={"source": source, "run_dir": tmp_path / generation}).begin()
        assert (report.read, report.failed) == (len(load.source.bad), len(load.source.bad))
        source = tmp_path / generation / "failed.csv"
        assert [row[2:] for row in read_csv(source)] == [load.source.header, *load.source.bad]
    source.write_text(source.read_text("utf-8").replace(f",{TOO_LONG},", ",mended,"), "utf-8")
    report = Load(org, tmp_path / "run", options={"source": source, "run_dir": tmp_path / "last"}).begin()
    mended = [("mended", text) for code, text in load.source.bad if code]
    assert (report.succeeded, report.failed) == (len(mended), len(load.source.bad) - len(mended))
    assert books.accepted(load.source.header) == Counter(mended)


def test_outputs_are_fed_back_to_a_delete_however_often_and_the_ids_stay(org: Emulator, tmp_path: Path) -> None:
    _, report = load_bytes(org, tmp_path, b"Code__c\na\nb\nc\n")
    source = report.run_dir / "success.csv"
    ids = [row[0] for row in read_csv(source)[1:]]
    for name in ("failed", "failed", "success"):
        if name == "failed":
            org.mishaps.plan(Mishap(every=1), times=1)
        options = {"source": source, "operation": "delete", "run_dir": tmp_path / f"{name} {source.parent.name}"}
        report = Load(org, tmp_path / "run", options=options).begin()
        source = report.run_dir / f"{name}.csv"
        assert (report.succeeded, report.failed) == ((3, 0) if name == "success" else (0, 3))
        header, *rows = read_csv(source)
        assert header[2:] == ("Id", "Code__c")
        assert [row[2:] for row in rows] == list(zip(ids, "abc", strict=True))


def test_outputs_for_excel_run_no_formula_and_are_loaded_again_as_they_were(org: Emulator, tmp_path: Path) -> None:
    texts = ["=1+1", "-5", "+49 30", "@x", "'=x", "'x", "-", "1,5", 'a "q"', "=x\ny", "plain", "-1.5E3"]
    rows = Rows(("Code__c", "Text__c"), [("", text) for text in texts] + [("good", text) for text in texts])
    rows.write(path := tmp_path / "a.csv")
    for generation in ("one", "two"):
        options = {"source": path, "excel": True, "run_dir": tmp_path / generation}
        report = Load(org, tmp_path, options=options).begin()
        path = report.run_dir / "failed.csv"
        assert path.read_bytes().startswith(b"\xef\xbb\xbfsf__Id,sf__Error,sf__Escaped,Code__c,Text__c\n")
        assert [row[2::2] for row in read_csv(path)[1:]] == [
            ("yes", "'=1+1"), ("", "-5"), ("yes", "'+49 30"), ("yes", "'@x"), ("yes", "''=x"), ("", "'x"), ("yes", "'-"), ("", "1,5"),
            ("", 'a "q"'), ("yes", "'=x\ny"), ("", "plain"), ("", "-1.5E3"),
        ]  # fmt: skip
        assert report.errors[0].sample == ",=1+1".replace("=", "'=")
    options = {"source": path, "run_dir": tmp_path / "three"}
    report = Load(org, tmp_path, options=options).begin()
    assert values(report.run_dir, "failed") == [rows.header, *rows.bad]
    mended = tmp_path / "mended.csv"
    mended.write_text(path.read_text("utf-8").replace("yes,,", "yes,mended,").replace("--,,,", "--,,mended,"), "utf-8")
    books = Books(org)
    Load(org, tmp_path, options={"source": mended, "run_dir": tmp_path / "four"}).begin()
    assert {text for _, text in books.accepted(("Code__c", "Text__c"))} == {text for text in texts if text}
    assert len(read_csv(tmp_path / "one" / "success.csv")) == len(texts) + 1


def test_mapping_names_fields_and_outputs_keep_the_columns_of_the_source(org: Emulator, tmp_path: Path) -> None:
    map_file = tmp_path / "map.toml"
    map_file.write_text('[columns]\nName = "Code__c"\nNotes = ""\n[constants]\nText__c = "all the same"\n', "utf-8")
    load, report = load_bytes(org, tmp_path, b"Notes,Name\nx,a\ny,\nz,c\n", mapping=map_file)
    assert (report.succeeded, report.failed) == (2, 1)
    assert values(load.run_dir, "success") == [("Notes", "Name"), ("x", "a"), ("z", "c")]
    assert values(load.run_dir, "failed") == [("Notes", "Name"), ("y", "")]
    assert load.books.accepted(("Code__c", "Text__c")) == Counter([("a", "all the same"), ("c", "all the same")])


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"], ids=["LF", "CRLF"])
def test_mapping_keeps_what_quotes_hold(org: Emulator, tmp_path: Path, line_end: bytes) -> None:
    content = line_end.join(
        [b"Notes,Name,Code__c", b'1,"say ""no"", twice",a', b'2,"two\nlines",', b'3,"two\r\nlines",c', b""]
    )
    load, report = load_bytes(org, tmp_path, content, mapping={"Name": "Text__c", "Notes": None})
    assert (report.succeeded, report.failed) == (2, 1)
    assert values(load.run_dir, "success")[1:] == [("1", 'say "no", twice', "a"), ("3", "two\r\nlines", "c")]
    accepted = {(code, re.sub("\r\n?", "\n", text)) for code, text in load.books.accepted(("Code__c", "Text__c"))}
    assert accepted == {("a", 'say "no", twice'), ("c", "two\nlines")}


@pytest.mark.parametrize(("empty_as_null", "left"), [(False, "old"), (True, "")])
def test_empty_value_leaves_the_field_as_it_is_unless_it_means_null(
    org: Emulator, tmp_path: Path, empty_as_null: bool, left: str
) -> None:
    ids = org.insert("Row__c", [{"Code__c": "a", "Text__c": "old"}, {"Code__c": "b", "Text__c": "old"}])
    content = f"Id,Text__c\n{ids[0]},\n{ids[1]},#N/A\n".encode()
    load, report = load_bytes(org, tmp_path, content, operation="update", empty_as_null=empty_as_null)
    assert report.succeeded == 2
    assert contents(org, ids, ("Code__c", "Text__c")) == [("a", left), ("b", "")]
    assert values(load.run_dir, "success") == [("Id", "Text__c"), (ids[0], ""), (ids[1], "#N/A")]


def test_upsert_tells_created_from_updated(org: Emulator, tmp_path: Path) -> None:
    (known,) = org.insert("Row__c", [{"Code__c": "old", "Key__c": "upsert 1"}])
    content = f"Key__c,Code__c\nupsert 1,new\nupsert 2,new\nupsert 3,{TOO_LONG}\n".encode()
    load, report = load_bytes(org, tmp_path, content, operation="upsert", external_id="Key__c")
    assert (report.succeeded, report.failed) == (2, 1)
    first, second = read_csv(load.run_dir / "success.csv")[1:]
    assert first == (known, "false", "upsert 1", "new")
    assert second[1:] == ("true", "upsert 2", "new")


@pytest.mark.parametrize("operation", ["delete", "hardDelete"])
def test_delete_takes_records_out_and_tells_those_that_are_gone(org: Emulator, tmp_path: Path, operation: str) -> None:
    ids = org.insert("Row__c", [{"Code__c": "a"}] * 3)
    before = org.count("Row__c")
    content = "".join(f"{one}\n" for one in ["Id", *ids, ids[0]]).encode()
    load, report = load_bytes(
        org, tmp_path, content, operation=operation, batch_records=3, concurrency_mode="Serial", workers=1
    )
    assert (report.succeeded, report.failed) == (3, 1)
    assert org.count("Row__c") == before - 3
    assert values(load.run_dir, "success")[1:] == [(one,) for one in ids]


def test_serial_load_asks_for_a_serial_job(org: Emulator, tmp_path: Path) -> None:
    load = Load(org, tmp_path, options={"concurrency_mode": "Serial"})
    load.check(load.begin())
    assert [job.is_serial for job in load.books.jobs] == [True]


def test_gzip_source_is_loaded(org: Emulator, tmp_path: Path) -> None:
    load = Load(org, tmp_path)
    packed = tmp_path / "source.csv.gz"
    packed.write_bytes(gzip.compress(load.path.read_bytes()))
    load.options["source"] = packed
    load.check(load.begin())


def test_records_as_mappings_have_the_union_of_their_names(org: Emulator, tmp_path: Path) -> None:
    records = [{"Code__c": "a"}, {"Text__c": "2", "Code__c": "b"}, {"Text__c": None}]
    load = Load(org, tmp_path, options={"source": iter(records)})
    report = load.begin()
    assert (report.succeeded, report.failed) == (2, 1)
    assert values(load.run_dir, "success") == [("Code__c", "Text__c"), ("a", ""), ("b", "2")]
    assert values(load.run_dir, "failed") == [("Code__c", "Text__c"), ("", "#N/A")]


def test_dry_run_counts_and_creates_nothing(org: Emulator, tmp_path: Path) -> None:
    load = Load(org, tmp_path, options={"dry_run": True})
    before = len(org.requests)
    report = load.begin()
    assert (report.state, report.read, report.batches) == (RunState.PLANNED, len(load.source.rows), 6)
    assert report.remaining_batches == org.state.jobs.batches_left()
    assert report.remaining_api_calls is not None
    assert report.api_calls < report.remaining_api_calls
    assert report.bytes >= load.path.stat().st_size
    assert changes(org, before) == []
    assert [path.name for path in tmp_path.iterdir()] == ["source.csv"]


def test_load_with_more_batches_than_the_org_takes_today_is_refused(tmp_path: Path) -> None:
    with Emulator(SCHEMA, settings=Settings(limits=Limits(daily_batches=5))) as org:
        load = Load(org, tmp_path)
        with pytest.raises(LimitReached, match="needs 6 batches, but the org accepts only 5 more"):
            load.begin()
        assert changes(org) == []
        assert not load.run_dir.exists()


def test_load_with_more_api_calls_than_the_org_takes_today_is_refused(tmp_path: Path) -> None:
    with Emulator(SCHEMA, settings=Settings(limits=Limits(daily_api_requests=15))) as org:
        load = Load(org, tmp_path)
        with pytest.raises(LimitReached, match=r"needs at least 16 API calls, but the org accepts only 1\d more"):
            load.begin()
        assert changes(org) == []
        assert not load.run_dir.exists()


@pytest.mark.parametrize(
    "fault",
    [Fault("status", "GET", "*/limits", status=500, times=10), Fault("answer replaced", "GET", "*/limits", status=200)],
)
def test_load_goes_on_with_a_warning_where_the_org_does_not_tell_its_limits(
    org: Emulator, tmp_path: Path, fault: Fault
) -> None:
    org.faults.add(fault)
    load = Load(org, tmp_path)
    load.check(load.begin())
    org.faults.clear()
    assert ["how many more batches it accepts today" in one for one in load.warnings] == [False, True]


def test_batches_used_up_on_the_way_stop_the_run(tmp_path: Path) -> None:
    with Emulator(SCHEMA, settings=Settings(limits=Limits(daily_batches=6))) as org:
        org.faults.add(Fault("request lost", "POST", "*/batch"), Fault("answer lost", "POST", "*/batch"))
        load = Load(org, tmp_path)

        def use_up(name: str) -> None:
            if name == "open" and org.state.jobs.batches_left() == 6:
                with Client(org.base_url, auth=BearerToken(org.session_id)) as client:
                    client.add_batch(client.create_job("insert", "Row__c", "CSV"), "Code__c\n")

        load.trace = use_up
        with pytest.raises(Interrupted):
            load.begin()
        assert max(Counter(entry.record_id for entry in load.books.entries).values(), default=1) == 1


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "is empty"),
        (b"\n\n", "no header"),
        (b"Code__c\n", "no records"),
        (b'Code__c\n"a\nb\n', "never closed"),
        (b'Code__c\na"b"\n', "quote is inside"),
        (b"Code__c\n\xff\n", "not UTF-8"),
        (b"Code__c,code__c\na,b\n", "twice"),
        (b"Code__c,\na,b\n", "no name"),
    ],
)
def test_source_that_is_no_csv_is_refused_before_anything_is_sent(
    org: Emulator, tmp_path: Path, content: bytes, match: str
) -> None:
    before = len(org.requests)
    load = Load(org, tmp_path)
    load.path.write_bytes(content)
    with pytest.raises((FormatError, UsageError), match=match):
        load.begin()
    assert changes(org, before) == []
    assert not load.run_dir.exists()


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"operation": "query"}, "to get records out, use extract"),
        ({"operation": "upsert"}, "needs external_id:"),
        ({"batch_records": 0}, "1 to 10,000"),
        ({"batch_records": 10_001}, "1 to 10,000"),
        ({"workers": 0}, "workers must be 1 or more, not 0"),
        ({"mapping": {"Nope": "Code__c"}}, "does not have"),
        ({"source": "no/such.csv"}, "no/such.csv"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_sent(
    org: Emulator, tmp_path: Path, options: dict[str, object], match: str
) -> None:
    before = len(org.requests)
    load = Load(org, tmp_path, options=options)
    with pytest.raises(Error, match=match):
        load.begin()
    assert org.requests[before:] == []
    assert not load.run_dir.exists()


def test_object_that_the_org_does_not_know_leaves_no_run(org: Emulator, tmp_path: Path) -> None:
    load = Load(org, tmp_path, options={"object": "Nope__c"})
    with pytest.raises(DoesNotFit, match="This org has no object Nope__c"):
        load.begin()
    assert not load.run_dir.exists()
    load = Load(org, tmp_path, options={"object": "Nope__c", "check": False})
    with pytest.raises(RefusedError, match="Nope__c"):
        load.begin()
    assert not load.run_dir.exists()


def test_column_that_the_org_does_not_know_is_told_before_anything_is_sent(org: Emulator, tmp_path: Path) -> None:
    before = len(org.requests)
    with pytest.raises(DoesNotFit, match="'Nope__c' is no field of Row__c"):
        load_bytes(org, tmp_path, b"Code__c,Nope__c\na,1\nb,2\n")
    assert changes(org, before) == []
    assert not (tmp_path / "run").exists()


def test_column_that_the_org_does_not_know_leaves_every_row_unprocessed_where_nothing_is_checked(
    org: Emulator, tmp_path: Path
) -> None:
    load, report = load_bytes(org, tmp_path, b"Code__c,Nope__c\na,1\nb,2\n", check=False)
    assert (report.unprocessed, report.succeeded, report.pending) == (2, 0, 0)
    assert "Nope__c" in read_csv(load.run_dir / "unprocessed.csv")[1][0]


def test_one_row_in_a_hundred_that_is_bad_is_told(org: Emulator, tmp_path: Path) -> None:
    rows = [("" if number % 100 == 42 else f"row {number}", f"text {number}") for number in range(10_000)]
    load = Load(org, tmp_path, Rows(("Code__c", "Text__c"), rows), options={"batch_records": 777})
    load.check(load.begin())
    assert load.source.bad == rows[42::100]


@pytest.mark.parametrize("setting", ["record", "blank"])
@pytest.mark.parametrize(
    ("operation", "content", "lone"),
    [
        ("insert", b'LastName\n""\nx\n\n"y"\n""\n', 2),
        ("insert", b'LastName\n""\n', 1),
        ("delete", b"Id,LastName\n,x\n003000000000001AAA,y\n", 1),
    ],
)
def test_record_that_the_org_may_take_for_a_blank_line_is_never_sent(
    tmp_path: Path,
    setting: Literal["record", "blank"],
    operation: Literal["insert", "delete"],
    content: bytes,
    lone: int,
) -> None:
    (tmp_path / "source.csv").write_bytes(content)
    with (
        Emulator(settings=Settings(lone_empty_value=setting)) as org,
        Client(org.base_url, auth=BearerToken(org.session_id)) as client,
    ):
        report = client.load(tmp_path / "source.csv", "Contact", operation, run_dir=tmp_path / "run")
    assert (report.rejected, report.in_doubt) == (lone, 0)
    assert report.read == report.succeeded + report.failed + report.unprocessed + report.rejected
    assert "blank line" in report.errors[-1].message or "blank line" in report.errors[0].message


def test_numbers_of_an_output_are_not_read_with_a_decimal_comma_twice(org: Emulator, tmp_path: Path) -> None:
    """The outputs of a load that was told of the comma have points: what was 2,500 must not become 2500."""
    source = tmp_path / "deals.csv"
    source.write_text('Name,StageName,CloseDate,Amount\nx,,2026-04-03,"2,500"\n', "utf-8")
    german = bf.TextNotation(decimal_comma=True)
    with bf.Client(org.base_url, bf.RefreshToken(org.client_id, org.client_secret, org.refresh_token)) as client:
        first = client.load(source, "Opportunity", "insert", notation=german, run_dir=tmp_path / "first")
        assert first.failed == 1
        mended = tmp_path / "mended.csv"
        mended.write_text((tmp_path / "first" / "failed.csv").read_text("utf-8").replace("x,,", "x,Won,"), "utf-8")
        with pytest.raises(bf.DoesNotFit, match="a file that bulkforce wrote"):
            client.load(mended, "Opportunity", "insert", notation=german, run_dir=tmp_path / "again")
        assert client.load(mended, "Opportunity", "insert", run_dir=tmp_path / "right").succeeded == 1
        found = client.query("SELECT Amount FROM Opportunity WHERE Name = 'x'").to_arrow()["Amount"].to_pylist()
    assert [float(amount) for amount in found] == [2.5]


def test_time_of_a_resumed_run_is_told_as_that_of_its_last_sitting(org: Emulator, tmp_path: Path) -> None:
    login = bf.RefreshToken(org.client_id, org.client_secret, org.refresh_token)
    rows = [{"LastName": "x"}] * 30
    with bf.Client(org.base_url, login) as client:
        with pytest.raises(Interrupted):
            client.load(rows, "Contact", "insert", batch_records=10, max_api_calls=6, run_dir=tmp_path / "run")
        report = client.resume(tmp_path / "run")
        assert isinstance(report, LoadReport)
        assert (report.sittings, report.pending) == (2, 0)
        assert "s in the last sitting" in str(report)
        whole = client.load(rows, "Contact", "insert", run_dir=tmp_path / "whole")
        assert (whole.sittings, "sitting" in str(whole)) == (1, False)
