"""Absent, empty and null in every kind of source: the table of docs/absent-empty-null.md, cell by cell, on an org."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import bulkforce as bf
from bulkforce_emulator import Emulator

KEPT, CLEARED = "as it is", "null"
PAGE = Path(__file__).parents[2] / "docs" / "absent-empty-null.md"
ABSENT, EMPTY = "absent", ""


@pytest.fixture(scope="module")
def org() -> Iterator[Emulator]:
    accounts = {"Account": {"fields": {"Ext__c": "string(10) unique external_id"}}}
    with Emulator(accounts) as org:
        yield org


@pytest.fixture(scope="module")
def client(org: Emulator) -> Iterator[bf.Client]:
    with bf.Client(org.base_url, auth=bf.BearerToken(org.session_id)) as client:
        yield client


def of_file(name: str, write: Callable[[str, str | None], str]) -> Callable[[Path, str, Any], Any]:
    def source(folder: Path, record_id: str, value: Any) -> Any:
        path = folder / name
        path.write_text(write(record_id, value), "utf-8")
        return path

    return source


def record(record_id: str, value: Any) -> dict[str, Any]:
    return {"Id": record_id} if value == ABSENT else {"Id": record_id, "Phone": value}


def xml(record_id: str, value: Any) -> str:
    phone = {ABSENT: "", None: '<Phone xsi:nil="true"/>'}.get(value, f"<Phone>{value}</Phone>")
    head = (
        'xmlns="http://www.force.com/2009/06/asyncapi/dataload" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    )
    return f"<sObjects {head}><sObject><Id>{record_id}</Id>{phone}</sObject></sObjects>"


def short_row(_folder: Path, record_id: str, value: Any) -> Any:
    line = record_id if value == ABSENT else f"{record_id},{value}"
    return csv.DictReader(io.StringIO(f"Id,Phone\n{line}\n"))


def parquet(folder: Path, record_id: str, value: Any) -> Path:
    pq.write_table(arrow(folder, record_id, value), folder / "a.parquet")
    return folder / "a.parquet"


def arrow(_folder: Path, record_id: str, value: Any) -> pa.Table:
    table = pa.table({"Id": [record_id], "Phone": pa.array([value], pa.string())})
    return table.drop_columns(["Phone"]) if value == ABSENT else table


def pandas(_folder: Path, record_id: str, value: Any) -> pd.DataFrame:
    return (
        pd.DataFrame([record(record_id, value)])
        if isinstance(value, str)
        else pd.DataFrame({"Id": [record_id], "Phone": pd.array([value], dtype=object if value is None else None)})
    )


SOURCES: dict[str, Callable[[Path, str, Any], Any]] = {
    "CSV": of_file("a.csv", lambda one, value: f"Id\n{one}\n" if value == ABSENT else f"Id,Phone\n{one},{value}\n"),
    "JSON": of_file("a.json", lambda one, value: json.dumps([record(one, value)])),
    "JSON lines": of_file("a.jsonl", lambda one, value: json.dumps(record(one, value))),
    "XML": of_file("a.xml", xml),
    "dicts": lambda _folder, one, value: [record(one, value)],
    "`csv.DictReader`": short_row,
    "Arrow, Parquet": arrow,
    "pandas": pandas,
    "polars": lambda _folder, one, value: pl.DataFrame([record(one, value)]),
}
NULLS: dict[str, list[Any]] = {
    "CSV": ["#N/A", '"#N/A"'],
    "`csv.DictReader`": ["#N/A"],
    "pandas": [None, pd.NA, pd.NaT, float("nan")],
}
CELLS = [
    (kind, value, meaning)
    for kind in SOURCES
    for value, meaning in [
        (ABSENT, KEPT),
        (EMPTY, KEPT),
        *((null, CLEARED) for null in NULLS.get(kind, [None])),
        ("#N/A", CLEARED),
    ]
]


def outcome(org: Emulator, client: bf.Client, folder: Path, source: Any, record_id: str, **options: Any) -> str:
    report = client.load(source, "Contact", "update", run_dir=folder / "run", **options)
    assert (report.succeeded, report.failed, report.rejected) == (1, 0, 0)
    (found,) = [one for one in org.records("Contact") if one["Id"] == record_id]
    return KEPT if found["Phone"] == "old" else str(found["Phone"] or "null")


@pytest.mark.parametrize(("kind", "value", "meaning"), CELLS, ids=repr)
def test_each_cell_of_the_table(
    org: Emulator, client: bf.Client, tmp_path: Path, kind: str, value: Any, meaning: str
) -> None:
    (record_id,) = org.insert("Contact", [{"LastName": "x", "Phone": "old"}])
    source = SOURCES[kind](tmp_path, record_id, value)
    assert outcome(org, client, tmp_path, source, record_id) == meaning


def test_parquet_is_read_as_arrow_is(org: Emulator, client: bf.Client, tmp_path: Path) -> None:
    (record_id,) = org.insert("Contact", [{"LastName": "x", "Phone": "old"}])
    assert outcome(org, client, tmp_path, parquet(tmp_path, record_id, None), record_id) == CLEARED


def test_the_page_has_a_row_for_each_kind() -> None:
    rows = re.findall(r"^\| ([^|]+) \|", PAGE.read_text("utf-8"), re.MULTILINE)
    assert set(SOURCES) <= {row.strip() for row in rows}


@pytest.mark.parametrize("content_type", ["CSV", "JSON", "XML"])
@pytest.mark.parametrize(("value", "meaning"), [(ABSENT, KEPT), (None, CLEARED)])
def test_batches_mean_the_same_in_each_format(
    org: Emulator, client: bf.Client, content_type: str, value: Any, meaning: str
) -> None:
    (record_id,) = org.insert("Contact", [{"LastName": "x", "Phone": "old"}])
    job = client.create_job("update", "Contact", content_type)
    batch = client.add_batch(job, [record(record_id, value), record(record_id, ABSENT)])
    client.wait_for_batch(job, batch.id).raise_for_state()
    (found,) = [one for one in org.records("Contact") if one["Id"] == record_id]
    assert (found["Phone"] == "old", found["Phone"] is None) == (meaning == KEPT, meaning == CLEARED)


# Rows of csv.DictReader that are too short or too long.


def test_rows_that_are_too_long_are_rejected_and_counted(org: Emulator, client: bf.Client, tmp_path: Path) -> None:
    text = "LastName,Phone,Email\n" + 'a,1,a@x.org\nb\nc,3,c@x.org,more,"and, more"\nd,4,d@x.org\n'
    for number, source in enumerate(
        [csv.DictReader(io.StringIO(text)), csv.DictReader(io.StringIO(text), restkey="rest")]
    ):
        report = client.load(source, "Contact", "insert", run_dir=tmp_path / str(number))
        assert (report.read, report.succeeded, report.rejected, report.failed) == (4, 3, 1, 0)
        rejected = (tmp_path / str(number) / "rejected.csv").read_text().splitlines()
        assert rejected[1:] == ['3,5 fields where the header has 3,c,3,c@x.org,more,"and, more"']


def test_long_row_in_a_list_is_rejected_too_and_its_none_is_null(
    org: Emulator, client: bf.Client, tmp_path: Path
) -> None:
    rows = list(csv.DictReader(io.StringIO("LastName,Phone\na\nb,2,3\n")))
    records: list[dict[str, Any]] = [*rows, {"Extra__x": "", "LastName": "c"}]
    report = client.load(
        records,
        "Contact",
        "insert",
        run_dir=tmp_path / "run",
        on_unknown_column="drop",
    )
    assert (report.read, report.succeeded, report.rejected) == (3, 2, 1)
    assert "\n2,4 fields where the header has 3,b,2,3," in (tmp_path / "run" / "rejected.csv").read_text()


# Null parents.


def parents(ids: list[str], account: str) -> dict[str, Any]:
    by_key, by_id = {"Ext__c": "B-1"}, {"Id": account}
    return {
        "key": [{"Id": ids[0], "Account": None}, {"Id": ids[1], "Account": by_key}, {"Id": ids[2]}],
        "id": [{"Id": ids[1], "Account": by_id}, {"Id": ids[0], "Account": None}, {"Id": ids[2]}],
        "late": [{"Id": ids[2]}, {"Id": ids[0], "Account": None}, {"Id": ids[1], "Account": by_id, "Phone": None}],
    }


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize("form", ["dicts", "JSON", "JSON lines", "Arrow"])
@pytest.mark.parametrize("case", ["key", "id", "late"])
def test_null_parent_empties_the_lookup_in_every_source(
    org: Emulator, client: bf.Client, tmp_path: Path, form: str, case: str, *, check: bool
) -> None:
    first, second = org.insert("Account", [{"Name": "A"}, {"Name": "B"}])
    (keyed,) = [one["Id"] for one in org.records("Account") if one.get("Ext__c") == "B-1"] or org.insert(
        "Account", [{"Name": "C", "Ext__c": "B-1"}]
    )
    ids = org.insert("Contact", [{"LastName": "x", "AccountId": first}] * 3)
    records = parents(ids, second)[case]
    source: Any = records
    if form == "JSON":
        source = tmp_path / "a.json"
        source.write_text(json.dumps(records))
    elif form == "JSON lines":
        source = tmp_path / "a.jsonl"
        source.write_text("\n".join(map(json.dumps, records)))
    elif form == "Arrow":
        # In Arrow nothing is absent from a column.
        source = pa.Table.from_pylist([one for one in records if "Account" in one])
    report = client.load(source, "Contact", "update", run_dir=tmp_path / "run", check=check)
    assert (report.succeeded, report.failed) == (report.read, 0)
    now = {one["Id"]: one["AccountId"] for one in org.records("Contact")}
    assert [now[one] for one in ids] == [None, keyed if case == "key" else second, first]


def test_parent_that_is_null_everywhere_empties_the_lookup(org: Emulator, client: bf.Client, tmp_path: Path) -> None:
    (first,) = org.insert("Account", [{"Name": "A"}])
    (one,) = org.insert("Contact", [{"LastName": "x", "AccountId": first}])
    assert client.load([{"Id": one, "Account": None}], "Contact", "update", run_dir=tmp_path / "run").succeeded == 1
    assert next(row["AccountId"] for row in org.records("Contact") if row["Id"] == one) is None


def test_parent_that_is_a_value_in_other_records_is_named(client: bf.Client, tmp_path: Path) -> None:
    records: list[dict[str, Any]] = [
        {"Id": "003000000000001AAA", "Account": {"Ext__c": "x"}},
        {"Id": "003000000000001AAA", "Account": "Acme"},
    ]
    with pytest.raises(bf.FormatError, match=r"parent with fields.*record 2.*Account"):
        client.load(records, "Contact", "update", run_dir=tmp_path / "run")


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize("operation", ["insert", "update", "upsert"])
def test_parent_is_never_sent_beside_its_id(
    org: Emulator, client: bf.Client, tmp_path: Path, operation: str, *, check: bool
) -> None:
    source = [{"Id": "003000000000001AAA", "LastName": "x", "AccountId": "", "Account": {"Ext__c": "A"}}]
    before = len(org.requests)
    with pytest.raises(bf.DoesNotFit, match="both go to AccountId"):
        client.load(
            source,
            "Contact",
            operation,
            external_id="Id" if operation == "upsert" else None,
            run_dir=tmp_path / "run",
            check=check,
        )
    assert not any(one.method == "POST" for one in org.requests[before:])


@pytest.mark.parametrize("operation", ["delete", "hardDelete"])
@pytest.mark.parametrize("as_records", [True, False])
def test_delete_sends_ids_alone_whatever_the_source_holds(
    org: Emulator, client: bf.Client, tmp_path: Path, operation: str, *, as_records: bool
) -> None:
    ids = org.insert("Contact", [{"LastName": "x"}, {"LastName": "y"}])
    records = [{"LastName": "x", "Id": one, "AccountId": "", "Account": {"Ext__c": "A"}, "Nonsense": 1} for one in ids]
    source: Any = records if as_records else pa.Table.from_pylist(records)
    assert client.load(source, "Contact", operation, run_dir=tmp_path / "run").succeeded == 2
    job = org.state.jobs.all()[-1]
    sent = client.get_batch_request(job.id, client.get_all_batches(job.id)[0].id)
    assert sent.replace(b"\r\n", b"\n") == "".join(f"{one}\n" for one in ["Id", *ids]).encode()


# empty_as_null: what is empty is null, but what is absent is not.


@pytest.mark.parametrize("kind", SOURCES)
@pytest.mark.parametrize("check", [True, False])
def test_empty_as_null_leaves_what_is_absent(
    org: Emulator, client: bf.Client, tmp_path: Path, kind: str, *, check: bool
) -> None:
    for value, meaning in [(ABSENT, KEPT), (EMPTY, CLEARED), ("#N/A", CLEARED)]:
        (record_id,) = org.insert("Contact", [{"LastName": "x", "Phone": "old"}])
        folder = tmp_path / f"{value or 'empty'}".replace("/", "")
        folder.mkdir()
        source = SOURCES[kind](folder, record_id, value)
        found = outcome(org, client, folder, source, record_id, empty_as_null=True, check=check)
        assert found == meaning, value


@pytest.mark.parametrize("form", ["dicts", "JSON", "JSON lines", "DictReader"])
def test_empty_as_null_leaves_what_is_absent_where_other_records_have_it(
    org: Emulator, client: bf.Client, tmp_path: Path, form: str
) -> None:
    ids = org.insert("Contact", [{"LastName": "x", "Phone": "old", "Email": "old@x.org"}] * 4)
    records: list[dict[str, Any]] = [
        {"Id": ids[0]},
        {"Id": ids[1], "Email": "", "Phone": "new"},
        {"Id": ids[2], "Phone": ""},
        {"Id": ids[3], "Email": None, "Phone": "#N/A"},
    ]
    source: Any = records
    if form == "JSON":
        source = tmp_path / "a.json"
        source.write_text(json.dumps(records))
    elif form == "JSON lines":
        source = tmp_path / "a.jsonl"
        source.write_text("\n".join(map(json.dumps, records)))
    elif form == "DictReader":
        text = "Id,Phone,Email\n{}\n{},new,\n{},\n{},#N/A,#N/A\n".format(*ids)
        source = csv.DictReader(io.StringIO(text))
    report = client.load(source, "Contact", "update", run_dir=tmp_path / "run", empty_as_null=True)
    assert report.succeeded == 4
    now = {one["Id"]: (one["Phone"] or None, one["Email"] or None) for one in org.records("Contact")}
    assert [now[one] for one in ids] == [("old", "old@x.org"), ("new", None), (None, "old@x.org"), (None, None)]


@pytest.mark.parametrize(
    ("records", "told"),
    [
        (list(csv.DictReader(io.StringIO("LastName,Title,Phone\na,b,c\nb\n"))), True),
        (list(csv.DictReader(io.StringIO("LastName,Title,Phone\na,b,c\nb,,\n"))), False),
        ([{"LastName": "a", "Title": None, "Phone": "c"}, {"LastName": "b", "Title": "d", "Phone": None}], False),
        ([{"LastName": "a", "Birthdate": date(2026, 2, 12)}, {"LastName": "b", "Birthdate": None}], True),
        ([{"NumberOfEmployees": 1, "Name": None}], False),
        ([{"LastName": "a"}, {}], False),
    ],
)
def test_list_of_a_readers_rows_is_told_from_where_its_nones_are(
    org: Emulator, caplog: pytest.LogCaptureFixture, records: list[dict[str, object]], told: bool
) -> None:
    with bf.Client(org.base_url, auth=bf.BearerToken(org.session_id)) as client:
        client.check(records, "Contact", "insert")
    assert ("pass the reader itself" in caplog.text) == told
