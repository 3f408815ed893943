"""Loads over Bulk API 2.0 of values that the org echoes otherwise than they were sent: each row that succeeded has the id
of the record that holds its values."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.support.rehearsal import Load, Rows, read_csv, settle

from bulkforce import LoadReport
from bulkforce_emulator import Emulator, Fault, Limits, Mishap, Settings

SCHEMA = {
    "Row__c": {
        "fields": {
            "Code__c": "string(20) required",
            "Amount__c": "double(18, 6)",
            "Flag__c": "boolean",
            "At__c": "datetime",
            "On__c": "date",
            "Key__c": "string(40) unique external_id",
        }
    }
}
HEADER = ("Code__c", "Amount__c", "Flag__c", "At__c", "On__c")
AMOUNTS = ["1", "1.0", "912260031", "9.12260031E8", "0.00001", "71664061.5", "12345678.9", "-3", ""]
MOMENTS = ["2026-12-01T10:00:00Z", "2026-12-01T11:00:00.000+01:00", "2026-12-01T10:00:00.500Z", ""]
DAYS = ["2026-12-01", "2026-12-02", ""]


@pytest.fixture(scope="module")
def running() -> Iterator[Emulator]:
    with Emulator(SCHEMA) as org:
        yield org


@pytest.fixture
def org(running: Emulator) -> Iterator[Emulator]:
    yield running
    settle(running)


def some_rows(count: int, seed: int) -> list[tuple[str, ...]]:
    """Rows many of which are equal, or differ in a notation only, and some of which the org refuses."""
    chance = random.Random(seed)
    codes = ["a", "b, c", 'd "e"', "f\ng", " h ", "1", "1.0", "", "a code that is much too long"]
    return [
        (
            chance.choice(codes) if place % 3 else f"only {place}",
            *map(chance.choice, (AMOUNTS, ["true", "FALSE", "1", "0"], MOMENTS, DAYS)),
        )
        for place in range(count)
    ]


def begin(
    org: Emulator, folder: Path, header: tuple[str, ...], rows: Sequence[tuple[str, ...]], **options: Any
) -> tuple[Load, LoadReport]:
    folder.mkdir(exist_ok=True)
    load = Load(org, folder, Rows(header, rows), options={"api": "bulk2", **options})
    return load, load.begin()


def meant(row: tuple[str, ...]) -> tuple[object, ...]:
    """What a row means to the org."""
    code, amount, flag, at, on = row
    moment = datetime.fromisoformat(at).astimezone(UTC) if at else None
    return (code, float(amount) if amount else None, flag.lower() in {"true", "1"}, moment, on or None)


def held(record: dict[str, Any]) -> tuple[object, ...]:
    """What a record holds."""
    at, on = record["At__c"], record["On__c"]
    moment = datetime.fromisoformat(str(at)) if at else None
    moment = moment.replace(tzinfo=UTC) if moment and moment.tzinfo is None else moment
    return (record["Code__c"], record["Amount__c"], record["Flag__c"], moment, str(on) if on else None)


@pytest.mark.parametrize("seed", range(3))
def test_each_row_has_the_id_of_the_record_that_holds_its_values(org: Emulator, tmp_path: Path, seed: int) -> None:
    rows = some_rows(400, seed)
    load, report = begin(org, tmp_path, HEADER, rows, batch_records=150)
    assert (report.untied, report.in_doubt, report.unprocessed) == (0, 0, 0)
    records = {record["Id"]: record for record in org.records("Row__c")}
    written = read_csv(load.run_dir / "success.csv")[1:]
    assert len({row[0] for row in written}) == len(written) == report.succeeded
    for record_id, _, *values in written:
        assert held(records[record_id]) == meant(tuple(values))
    refused = read_csv(load.run_dir / "failed.csv")[1:]
    for _, reason, code, *_ in refused:
        assert reason.startswith("STRING_TOO_LONG" if code else "REQUIRED_FIELD_MISSING")
    assert Counter(row[2:] for row in [*written, *refused]) == Counter(rows)


WAYS = {
    "alphabetical": Settings(alphabetical_until=99.0),
    "no files without rows, no last line end": Settings(
        empty_failed_results="no content", empty_other_files="no content", files_end_with_line_end=False
    ),
    "as sent, with ids": Settings(number_echo="as sent", null_echo="as sent", failed_results_carry_id=True),
}


@pytest.mark.parametrize("settings", WAYS.values(), ids=WAYS)
def test_each_row_has_its_result_however_the_org_writes_files(tmp_path: Path, settings: Settings) -> None:
    rows = some_rows(200, 4)
    good = [row for row in rows if row[0] and len(row[0]) < 20]
    with Emulator(SCHEMA, settings=settings) as org:
        load, report = begin(org, tmp_path / "mixed", HEADER, rows, batch_records=70)
        _, other = begin(org, tmp_path / "good", HEADER, good)
        records = {record["Id"]: record for record in org.records("Row__c")}
    assert (report.untied, report.in_doubt, report.succeeded, report.failed) == (0, 0, len(good), len(rows) - len(good))
    assert (other.untied, other.in_doubt, other.succeeded) == (0, 0, len(good))
    for record_id, _, *values in read_csv(load.run_dir / "success.csv")[1:]:
        assert held(records[record_id]) == meant(tuple(values))


def test_rows_beyond_the_daily_allocation_are_in_no_file_and_in_doubt(tmp_path: Path) -> None:
    """What is left of it is checked first; then another load takes some."""
    rows = [(f"row {place}",) for place in range(50)]
    with Emulator(SCHEMA, settings=Settings(limits=Limits(batch_records=10, daily_batches=5))) as org:

        def take_some(effect: str) -> None:
            if effect == "open":
                begin(org, tmp_path / "other", ("Code__c",), rows[:30], batch_records=30)

        options = {"api": "bulk2", "batch_records": 50}
        load = Load(org, tmp_path, Rows(("Code__c",), rows), options=options, trace=take_some)
        report = load.begin()
        stored = {record["Id"]: record["Code__c"] for record in org.records("Row__c")}
    assert (report.succeeded, report.in_doubt, report.unprocessed, report.untied) == (20, 30, 0, 0)
    written = read_csv(load.run_dir / "success.csv")[1:]
    assert all(stored[record_id] == code for record_id, _, code in written)
    doubts = read_csv(load.run_dir / "in_doubt.csv")[1:]
    assert sorted([row[1:] for row in doubts] + [row[2:] for row in written]) == sorted(rows)
    assert all("Rows beyond the org's daily allocation have none" in row[0] for row in doubts)


@pytest.mark.parametrize("told", [True, False])
def test_rows_of_a_job_that_failed_as_a_whole_have_its_reason(tmp_path: Path, told: bool) -> None:
    """Whether the org says of each that it was not processed, or counts none."""
    rows = [("a",), ("b",)]
    with Emulator(SCHEMA, settings=Settings(refused_rows_unprocessed=told)) as org:
        # Where the check cannot know: the column goes after it.
        org.mishaps.plan(Mishap(message="InvalidBatch : Field name not found : Code__c"), object="Row__c")
        load, report = begin(org, tmp_path, ("Code__c",), rows)
    assert (report.succeeded, report.failed, report.untied, report.unprocessed + report.in_doubt) == (0, 0, 0, 2)
    outputs = [
        read_csv(path) for name in ("unprocessed", "in_doubt") if (path := load.run_dir / f"{name}.csv").exists()
    ]
    reasons = {row[0] for output in outputs for row in output[1:]}
    assert all("Failed: InvalidBatch : Field name not found : Code__c" in reason for reason in reasons)


def test_rows_are_told_by_their_ids_whatever_else_comes_back(org: Emulator, tmp_path: Path) -> None:
    rows = some_rows(60, 9)
    load, _ = begin(org, tmp_path / "first", HEADER, [row for row in rows if row[0] and len(row[0]) < 20])
    ids = [row[0] for row in read_csv(load.run_dir / "success.csv")[1:]]
    # With 15 characters, and two rows for one record.
    wanted = [
        (one[:15] if place % 2 else one, "x" if place % 5 else "", "1e8") for place, one in enumerate([*ids, ids[0]])
    ]
    load, report = begin(org, tmp_path / "again", ("Id", "Code__c", "Amount__c"), wanted, operation="update")
    assert (report.untied, report.in_doubt, report.read) == (0, 0, len(wanted))
    for record_id, _, *values in read_csv(load.run_dir / "success.csv")[1:]:
        assert record_id[:15] == values[0][:15]


def test_rows_are_told_by_their_external_ids(org: Emulator, tmp_path: Path) -> None:
    rows = [(f"key {place}", "same", "71664061" if place % 2 else "1.50") for place in range(50)] + [
        ("", "same", "1"),
        ("7", "", "1"),
        ("7.0", "x", "1"),
    ]
    load, report = begin(
        org, tmp_path, ("Key__c", "Code__c", "Amount__c"), rows, operation="upsert", external_id="Key__c"
    )
    assert (report.untied, report.in_doubt) == (0, 0)
    records = {record["Id"]: record for record in org.records("Row__c")}
    for record_id, _, key, *_ in read_csv(load.run_dir / "success.csv")[1:]:
        assert (records[record_id]["Key__c"] or "") == key


def test_rows_that_nothing_distinguishes_are_counted(org: Emulator, tmp_path: Path) -> None:
    rows = [("same", "1", "0", "", "")] * 30 + [("", "1", "0", "", "")] * 3
    load, report = begin(org, tmp_path, HEADER, rows)
    assert (report.succeeded, report.failed, report.untied) == (30, 3, 0)
    assert len({row[0] for row in read_csv(load.run_dir / "success.csv")[1:]}) == 30


def test_results_that_belong_to_no_row_for_certain_are_kept_and_told(org: Emulator, tmp_path: Path) -> None:
    """They are those of another job."""
    foreign = '"sf__Id","sf__Created",Code__c\n"a0X000000000001AAA","true","x"\n"a0X000000000002AAA","true","y"\n'
    org.faults.add(
        Fault("answer replaced", "GET", "*/successfulResults", status=200, content_type="text/csv", body=foreign)
    )
    load, report = begin(org, tmp_path, ("Code__c",), [("a",), ("b",)])
    assert (report.succeeded, report.in_doubt, report.untied) == (0, 2, 2)
    assert [row[0] for row in read_csv(load.run_dir / "untied.csv")] == [
        "sf__Id",
        "a0X000000000001AAA",
        "a0X000000000002AAA",
    ]
    reasons = {row[0] for row in read_csv(load.run_dir / "in_doubt.csv")[1:]}
    assert len(reasons) == 1
    assert "see untied.csv" in reasons.pop()
