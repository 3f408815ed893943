"""Extracts of what is new: nothing on the edge is lost, and what was deleted is marked."""

from __future__ import annotations

import csv
import gzip
import re
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from tests.support.extraction import bring, client_of, fetched, go_on, read, seeded, sitting_of

from bulkforce import errors
from bulkforce.cli.extract_output import show_extract
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
        how = {"since_file": self.file, "run_dir": self.folder / f"run{self.nights}"} | options
        if not how.get("append"):
            how.setdefault("overwrite", True)
        return bring(self.org, self.folder, soql=soql, **how)

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
        nightly(f"{QUERY} WHERE Code__c = 'first' OR Code__c = 'WHERE (' ORDER BY Id")
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
    with pytest.raises(errors.UsageError, match="other conditions"):
        nightly(f"{QUERY} WHERE Code__c != 'none'")
    assert len(fetched(org)) == 2


@pytest.mark.parametrize("clause", ["LIMIT 1", "ORDER BY SystemModstamp DESC LIMIT 1", "limit 1"])
def test_query_that_hides_records_moves_no_mark_past_them(org: Emulator, tmp_path: Path, clause: str) -> None:
    nightly = Nightly(org, tmp_path)
    with pytest.raises(errors.UsageError, match="cannot have LIMIT: the next one would begin after records"):
        nightly(f"{QUERY} {clause}")
    assert not nightly.file.exists()


def test_mark_never_moves_backwards(org: Emulator, tmp_path: Path) -> None:
    nightly = Nightly(org, tmp_path)
    add(org, "last", after=OVERLAP / 2)
    nightly()
    edge = nightly.since
    with client_of(org) as client:
        job = client.create_job("delete", "Row__c", "CSV")
        last = read(tmp_path / "out.csv")[-1][0]
        client.wait_for_batch(job, client.add_batch(job, f"Id\n{last}\n").id)
    nightly()
    assert nightly.codes == ["first"]
    assert nightly.since == edge


def test_delta_replaces_no_file_without_a_word(org: Emulator, tmp_path: Path) -> None:
    nightly = Nightly(org, tmp_path)
    nightly(overwrite=False)
    before = nightly.file.read_text()
    with pytest.raises(errors.UsageError, match=r"out.csv exists, and the records changed since .* would replace what"):
        nightly(overwrite=False)
    assert (nightly.codes, nightly.file.read_text()) == (["first"], before)
    nightly(overwrite=False, to=tmp_path / "delta.csv")
    assert (tmp_path / "delta.csv").exists()


@pytest.mark.parametrize("name", ["out.csv", "out.csv.gz", "out.jsonl", "out.jsonl.gz"])
@pytest.mark.parametrize("ended", [True, False])
def test_delta_is_appended(org: Emulator, tmp_path: Path, name: str, ended: bool) -> None:
    nightly = Nightly(org, tmp_path)
    to = tmp_path / name
    unpacked = gzip.decompress if name.endswith(".gz") else bytes
    packed = gzip.compress if name.endswith(".gz") else bytes
    nightly(to=to, append=True, repeats="drop")
    if not ended:
        to.write_bytes(packed(unpacked(to.read_bytes()).rstrip(b"\n")))
    add(org, "second", after=2 * OVERLAP)
    nightly(to=to, append=True, repeats="drop")
    content = unpacked(to.read_bytes())
    header = int(".csv" in name)
    assert content.endswith(b"\n")
    lines = content.splitlines()
    assert [b"first" in line for line in lines[header:]] == [True, False]
    assert len(lines) == 2 + header
    nightly(to=to, append=True, repeats="drop")
    again = unpacked(to.read_bytes()).splitlines()
    assert again[: len(lines)] == lines


def test_folder_gets_a_parquet_file_for_each_extract(org: Emulator, tmp_path: Path) -> None:
    nightly = Nightly(org, tmp_path)
    folder = tmp_path / "rows"
    for _ in range(2):
        report = nightly(to=folder, append=True, repeats="drop")
        assert Path(report.to).parent == folder
        add(org, "more", after=2 * OVERLAP)
    files = sorted(folder.iterdir())
    assert [pq.read_table(file)["Code__c"].to_pylist() for file in files] == [["first"], ["more"]]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ\.parquet", files[0].name)


@pytest.mark.parametrize(("name", "form"), [("one.parquet", None), ("one.arrow", None), ("one.csv", "parquet")])
def test_folder_is_made_only_where_the_name_is_no_files(
    org: Emulator, tmp_path: Path, name: str, form: str | None
) -> None:
    nightly, to = Nightly(org, tmp_path), tmp_path / name
    with pytest.raises(errors.UsageError, match=rf"{name} is the name of a file.*a folder.*one.*make the folder"):
        nightly(to=to, append=True, format=form)
    assert (org.state.jobs.all(), to.exists()) == ([], False)
    to.mkdir()
    assert Path(nightly(to=to, append=True, format=form).to).parent == to


@pytest.mark.parametrize(
    ("to", "content", "says"),
    [
        ("-", None, "Standard output has no end"),
        ("out.parquet", b"PAR1", "is a file to which nothing can be appended; name a folder"),
        ("out.csv", b"Id,Name\n", r"out.csv has the columns Id, Name, but the query selects Id, Code__c"),
        ("out.csv", b'"Id', "Nothing can be appended to .*out.csv"),
        ("out.csv.gz", b"no gzip", "Nothing can be appended to .*out.csv.gz"),
    ],
)
def test_what_cannot_be_appended_to_is_refused_before_anything_is_asked(
    org: Emulator, tmp_path: Path, to: str, content: bytes | None, says: str
) -> None:
    path = to if content is None else tmp_path / to
    if content is not None:
        (tmp_path / to).write_bytes(content)
    with pytest.raises(errors.UsageError, match=says):
        bring(org, tmp_path, to=path, append=True)
    assert org.state.jobs.all() == []
    if content is not None:
        assert (tmp_path / to).read_bytes() == content


class Stopped(Exception):
    """The process dies here."""


@pytest.mark.parametrize("effect", ["publish", "journal"])
@pytest.mark.parametrize("repeats", ["keep", "drop"])
def test_extract_that_died_after_it_appended_does_not_append_twice(
    org: Emulator, tmp_path: Path, effect: str, repeats: str
) -> None:
    nightly = Nightly(org, tmp_path)
    nightly(append=True, repeats=repeats)
    add(org, "second", after=OVERLAP / 2)
    published = False

    def die(step: str) -> None:
        nonlocal published
        published = published or step == "publish"
        if published and step == effect:
            raise Stopped

    with pytest.raises((Stopped, errors.Error)):
        nightly(append=True, repeats=repeats, run_dir=tmp_path / "run", trace=die)
    with client_of(org) as client:
        report = extract.resume_extract(sitting_of(client), tmp_path / "run")
    assert nightly.codes == ["first", *(["first"] if repeats == "keep" else []), "second"]
    assert (report.rows, report.repeated) == ((2, 1) if repeats == "keep" else (1, 1))


def test_file_that_changed_meanwhile_is_not_appended_to(org: Emulator, tmp_path: Path) -> None:
    nightly = Nightly(org, tmp_path)
    nightly(append=True)

    def meddle(step: str) -> None:
        if step == "open":
            with (tmp_path / "out.csv").open("a") as file:
                file.write("another,extract,wrote\n")

    edge = nightly.file.read_text()
    with pytest.raises(errors.TransferError, match="has changed since the extract to append to it began"):
        nightly(append=True, trace=meddle)
    assert nightly.codes == ["first", "extract"]
    assert nightly.file.read_text() == edge


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl", "out.parquet"])
def test_records_that_may_come_again_are_counted(org: Emulator, tmp_path: Path, name: str) -> None:
    nightly = Nightly(org, tmp_path)
    to = tmp_path / name
    add(org, "changes", "late", after=timedelta(minutes=1))
    first = nightly(to=to, repeats="drop")
    assert (first.rows, first.repeated) == (3, 0)
    # One that was there has changed, and one shows late, with a stamp of before.
    row = next(record["Id"] for record in org.records("Row__c") if record["Code__c"] == "changes")
    add(org, "shows late")
    org.clock.advance(seconds=60)
    with client_of(org) as client:
        job = client.create_job("update", "Row__c", "CSV")
        client.wait_for_batch(job, client.add_batch(job, f"Id,Code__c\n{row},changed\n").id)
    counted = nightly(to=tmp_path / f"counted-{name}", append=name != "out.parquet")
    assert (counted.rows, counted.repeated) == (4, 3)


def test_run_with_nothing_to_compare_with_says_so(
    org: Emulator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nightly = Nightly(org, tmp_path)
    first = nightly()
    assert (first.repeated, first.repeats_known) == (0, True)
    for known, says in ((False, "did not keep which"), (True, "left out: they came the last time")):
        report = nightly(repeats="drop")
        assert (report.repeats, report.repeated, report.repeats_known) == ("drop", 1, known)
        assert report == ExtractReport.from_json(report.to_json())
        show_extract(report, as_json=False)
        printed = capsys.readouterr().out
        assert says in printed
        assert "--repeats" not in printed
        page = (report.run_dir / "report.html").read_text()
        assert ("left out" in page) is known


def test_dropped_are_only_records_that_came_and_have_not_changed(org: Emulator, tmp_path: Path) -> None:
    nightly = Nightly(org, tmp_path)
    add(org, "changes", "stays", after=timedelta(minutes=1))
    nightly(repeats="drop")
    row = next(record["Id"] for record in org.records("Row__c") if record["Code__c"] == "changes")
    add(org, "shows late")
    org.clock.advance(seconds=60)
    with client_of(org) as client:
        job = client.create_job("update", "Row__c", "CSV")
        client.wait_for_batch(job, client.add_batch(job, f"Id,Code__c\n{row},changed\n").id)
    report = nightly(repeats="drop")
    assert sorted(nightly.codes) == ["changed", "shows late"]
    assert (report.rows, report.repeated) == (2, 2)
    assert nightly(repeats="drop").rows == 0
    assert nightly.codes == []


@pytest.mark.parametrize(
    ("soql", "options", "says"),
    [
        ("SELECT Code__c, SystemModstamp FROM Row__c", {"repeats": "drop"}, "also select Id: it shows which records"),
        (QUERY, {"repeats": "drop", "since_file": None}, "Only with a file that keeps since when"),
        (QUERY, {"append": True, "overwrite": True}, "either appended to or overwritten"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    org: Emulator, tmp_path: Path, soql: str, options: dict[str, Any], says: str
) -> None:
    with pytest.raises(errors.UsageError, match=says):
        Nightly(org, tmp_path)(soql, **options)


def test_file_knows_the_conditions_that_it_was_kept_for(org: Emulator, tmp_path: Path) -> None:
    add(org, "second", after=timedelta(hours=1))
    nightly = Nightly(org, tmp_path)
    nightly(f"{QUERY} WHERE Code__c = 'second'")
    before = nightly.file.read_text("utf-8")
    for other in (QUERY, f"{QUERY} WHERE Code__c = 'Second'", f"{QUERY} WHERE Code__c != 'none'"):
        with pytest.raises(
            errors.UsageError, match=r"state\.toml was kept for a query with other conditions"
        ) as caught:
            nightly(other)
        assert "remove its line 'asked'" in str(caught.value)
        assert "second" not in str(caught.value).lower()
    assert nightly.file.read_text("utf-8") == before
    # The same conditions, otherwise written, and other fields of the same records.
    add(org, "second", after=timedelta(hours=1))
    nightly("SELECT Code__c, Id, SystemModstamp FROM Row__c where  code__c='second'  ORDER BY Id")
    assert nightly.file.read_text("utf-8") != before


def test_file_without_conditions_is_taken_and_gets_them(org: Emulator, tmp_path: Path) -> None:
    nightly = Nightly(org, tmp_path)
    nightly()
    lines = nightly.file.read_text("utf-8").splitlines()
    nightly.file.write_text("\n".join(line for line in lines if not line.startswith("asked")), "utf-8")
    add(org, "second", after=timedelta(hours=1))
    nightly(f"{QUERY} WHERE Code__c = 'second'")
    assert "asked" in nightly.file.read_text("utf-8")
    with pytest.raises(errors.UsageError, match="other conditions"):
        nightly()
