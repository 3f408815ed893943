"""Extracts of what is new: nothing on the edge is lost, and what was deleted is marked."""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.support.extraction import bring, client_of, fetched, go_on, read, seeded, sitting_of

from bulkforce import errors
from bulkforce.extract import verb as extract
from bulkforce.extract.asking import ExtractOptions
from bulkforce.extract.incremental import OVERLAP
from bulkforce.extract.report import ExtractReport
from bulkforce_emulator import Emulator

QUERY = "SELECT Id, Code__c, SystemModstamp FROM Row__c"
BEGIN = datetime(2026, 2, 12, 12, tzinfo=UTC)


@pytest.fixture
def org() -> Iterator[Emulator]:
    with seeded(0) as org:
        org.clock.set(BEGIN)
        add(org, "first")
        yield org


def add(org: Emulator, *codes: str, after: timedelta = timedelta(0)) -> None:
    org.clock.advance(seconds=after.total_seconds())
    org.insert("Row__c", [{"Code__c": code} for code in codes])


class Nightly:
    """The same extract again and again."""

    def __init__(self, org: Emulator, folder: Path) -> None:
        self.org, self.folder, self.nights = org, folder, 0
        self.file = folder / "state.toml"

    def __call__(self, soql: str = QUERY, **options: Any) -> ExtractReport:
        self.nights += 1
        return bring(
            self.org, self.folder, soql=soql, since_file=self.file, run_dir=self.folder / f"run{self.nights}", **options
        )

    @property
    def codes(self) -> list[str]:
        return [row[1] for row in read(self.folder / "out.csv")]

    @property
    def since(self) -> datetime:
        stamp = tomllib.loads(self.file.read_text("utf-8"))["since"]
        assert isinstance(stamp, datetime)
        return stamp


def test_each_extract_asks_for_what_changed_since_the_last(org: Emulator, tmp_path: Path) -> None:
    nightly = Nightly(org, tmp_path)
    nightly()
    assert (nightly.codes, nightly.since) == (["first"], BEGIN)
    add(org, "second", "third", after=timedelta(hours=1))
    report = nightly()
    assert (nightly.codes, nightly.since) == (["first", "second", "third"], BEGIN + timedelta(hours=1))
    assert report.soql == QUERY + " WHERE SystemModstamp >= 2026-02-12T11:50:00.000Z"
    org.clock.advance(hours=1)
    nightly()
    assert nightly.codes == ["second", "third"]
    assert nightly.since == BEGIN + timedelta(hours=1)


def test_what_shows_late_is_within_the_overlap(org: Emulator, tmp_path: Path) -> None:
    nightly = Nightly(org, tmp_path)
    add(org, "long before", after=-2 * OVERLAP)
    add(org, "just before", after=2 * OVERLAP - timedelta(minutes=1))
    add(org, "last", after=timedelta(minutes=1))
    nightly()
    assert nightly.since == BEGIN
    nightly()
    assert nightly.codes == ["first", "just before", "last"]


def test_what_is_stamped_after_the_extract_began_does_not_move_the_edge(org: Emulator, tmp_path: Path) -> None:
    """While one chunk is read, records of another that was read already may change."""
    nightly = Nightly(org, tmp_path)

    def later(effect: str) -> None:
        if effect == "open":
            add(org, "meanwhile", after=timedelta(hours=1))

    nightly(trace=later)
    assert nightly.codes == ["first", "meanwhile"]
    assert nightly.since == BEGIN


def test_fields_may_be_longer_than_the_standard_librarys_csv_takes(org: Emulator, tmp_path: Path) -> None:
    org.insert("Row__c", [{"Code__c": "long", "Text__c": 'a "long"\ntext, ' * 1_000}])
    limit = csv.field_size_limit(10)
    try:
        nightly = Nightly(org, tmp_path)
        nightly(QUERY.replace("Code__c", "Code__c, Text__c"))
        assert (nightly.since, csv.field_size_limit()) == (BEGIN, 10)
    finally:
        csv.field_size_limit(limit)


def test_conditions_of_the_query_stay(org: Emulator, tmp_path: Path) -> None:
    add(org, "other")
    nightly = Nightly(org, tmp_path)
    for _ in range(2):
        nightly(f"{QUERY} WHERE Code__c = 'first' OR Code__c = 'WHERE (' ORDER BY Id LIMIT 5")
        assert nightly.codes == ["first"]


def test_deleted_rows_are_marked(org: Emulator, tmp_path: Path) -> None:
    nightly = Nightly(org, tmp_path)
    query = QUERY.replace("Id,", "Id, IsDeleted,")
    nightly(query, all_rows=True)
    (row,) = read(tmp_path / "out.csv")
    with client_of(org) as client:
        job = client.create_job("delete", "Row__c", "CSV")
        client.wait_for_batch(job, client.add_batch(job, f"Id\n{row[0]}\n").id)
    nightly(query, all_rows=True)
    (now,) = read(tmp_path / "out.csv")
    assert (row[1], now[1], now[0]) == ("false", "true", row[0])


@pytest.mark.parametrize(
    ("soql", "options", "kept", "says"),
    [
        ("SELECT Id FROM Row__c", {}, None, "also select SystemModstamp"),
        (QUERY, {"all_rows": True}, None, "also select IsDeleted: it marks the deleted records"),
        (
            QUERY,
            {},
            'object = "Account"\nsince = 2026-02-12T12:00:00Z\n',
            "is for Account, but the query is for Row__c",
        ),
        (QUERY, {}, 'object = "Row__c"\n', "does not say since when"),
        (QUERY, {}, "", "does not say since when.*remove it"),
        (QUERY, {}, "nonsense", "does not say since when.*remove it"),
        (QUERY, {}, 'object = "Row__c"\nsince = 2026-02-12\n', "a date and time with a zone"),
    ],
)
def test_what_cannot_be_told_since_when_is_refused(
    org: Emulator, tmp_path: Path, soql: str, options: dict[str, Any], kept: str | None, says: str
) -> None:
    nightly = Nightly(org, tmp_path)
    if kept is not None:
        nightly.file.write_text(kept, "utf-8")
    with pytest.raises(errors.UsageError, match=says):
        nightly(soql, **options)
    assert not (tmp_path / "out.csv").exists()


def test_the_edge_moves_only_when_everything_is_there(org: Emulator, tmp_path: Path) -> None:
    from bulkforce_emulator import Fault

    nightly = Nightly(org, tmp_path)
    org.faults.add(Fault("answer replaced", path="*/result/*", status=200))
    asked = ExtractOptions(
        soql=QUERY, to=tmp_path / "out.csv", run_dir=tmp_path / "run", pk_chunking=False, since_file=nightly.file
    )
    with client_of(org) as client, pytest.raises(errors.Interrupted):
        extract.extract(sitting_of(client, trouble_seconds=0.0), asked)
    assert not nightly.file.exists()
    go_on(org, tmp_path)
    assert nightly.since == BEGIN
    assert len(fetched(org)) == 2
