"""Runs that bulkforce 0.1.0 stopped half-way, kept as it left them: ours goes on with them.

An emulated org gives the same ids to the same calls. So each test first makes the calls that the old run had made, and
sees that the ids are those in its journal; only the org's address is another.
"""

from __future__ import annotations

import csv
import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.support.extraction import client_of, sitting_of
from tests.support.rehearsal import SCHEMA, Books, read_csv

from bulkforce import PKChunking
from bulkforce.errors import JournalMismatch, SourceChanged, TransferError
from bulkforce.extract import journal as extract_journal
from bulkforce.extract import verb as extract
from bulkforce.extract.report import ExtractReport
from bulkforce.load import verb as load
from bulkforce.load.journal import VERSION, LoadJournal
from bulkforce.load.report import LoadReport
from bulkforce.run.report import RunState
from bulkforce_emulator import Emulator

KEPT = Path(__file__).with_name("journals_1")


def copy_of(name: str, folder: Path, org: Emulator, journal: str, **changes: str) -> Path:
    """Copy a run, which now belongs to this org."""
    run_dir = Path(shutil.copytree(KEPT / name, folder / "run"))
    with closing(sqlite3.connect(run_dir / journal)) as database:
        for key, value in {"instance_url": org.base_url, **changes}.items():
            database.execute("UPDATE fact SET value = json_set(value, '$.' || ?, ?) WHERE name = 'facts'", (key, value))
        database.commit()
    return run_dir


def ids_in(journal: Path, query: str) -> list[str]:
    with closing(sqlite3.connect(journal)) as database:
        return [row[0] for row in database.execute(query)]


def resume(org: Emulator, run_dir: Path) -> LoadReport:
    with client_of(org) as client:
        return load.resume(sitting_of(client), run_dir)


def batch(run_dir: Path, number: int) -> bytes:
    """The bytes that the old run sent as a batch."""
    with closing(sqlite3.connect(run_dir / "journal.sqlite")) as database:
        start, end = database.execute("SELECT start, end FROM batch WHERE number = ?", (number,)).fetchone()
    return b"Code__c,Text__c\n" + (run_dir / "feed.csv").read_bytes()[start:end]


def test_load_of_version_1_goes_on(tmp_path: Path) -> None:
    """It had the results of one batch, waited for the second, and had just sent the third, of five."""
    with Emulator(SCHEMA) as org:
        run_dir = copy_of("load-stopped", tmp_path, org, "journal.sqlite")
        books = Books(org)
        with client_of(org) as client:
            job = client.create_job("insert", "Row__c", "CSV")
            batches = [client.add_batch(job, batch(run_dir, number)) for number in (1, 2, 3)]
        assert [job.id] == ids_in(run_dir / "journal.sqlite", "SELECT id FROM job")
        assert [one.id for one in batches[:2]] == ids_in(
            run_dir / "journal.sqlite", "SELECT id FROM attempt WHERE id IS NOT NULL ORDER BY batch"
        )
        report = resume(org, run_dir)
        source = [tuple(row) for row in csv.reader((KEPT / "source.csv").read_text("utf-8").splitlines()[1:])]
        good = [row for row in source if row[0] and len(row) == 2]
        assert (report.read, report.succeeded, report.failed, report.rejected, report.pending) == (28, 26, 1, 1, 0)
        assert [row[2:] for row in read_csv(run_dir / "success.csv")[1:]] == good
        assert sorted(books.accepted(("Code__c", "Text__c")).elements()) == sorted(good)
        assert [row[0] for row in read_csv(run_dir / "rejected.csv")[1:]] == ["4"]
        assert resume(org, run_dir) == report
    with closing(sqlite3.connect(run_dir / "journal.sqlite")) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (VERSION,)


def test_results_that_version_1_lost_are_fetched_again(tmp_path: Path) -> None:
    for change in ("removed", "spoilt"):
        folder = tmp_path / change
        folder.mkdir()
        with Emulator(SCHEMA) as org:
            run_dir = copy_of("load-stopped", folder, org, "journal.sqlite")
            results = run_dir / "results" / "000001.csv"
            if change == "removed":
                results.unlink()
            else:
                results.write_bytes(results.read_bytes()[:100])
            with client_of(org) as client:
                job = client.create_job("insert", "Row__c", "CSV")
                for number in (1, 2, 3):
                    client.add_batch(job, batch(run_dir, number))
            # The journal knows that the first has ended.
            assert org.wait_until_idle(600.0)
            report = resume(org, run_dir)
        assert (report.succeeded, report.failed, report.unprocessed) == (26, 1, 0)


def test_finished_load_of_version_1_tells_its_report(tmp_path: Path) -> None:
    with Emulator(SCHEMA) as org:
        run_dir = copy_of("load-finished", tmp_path, org, "journal.sqlite")
        before = {path.name: path.read_bytes() for path in run_dir.iterdir() if path.suffix != ".sqlite"}
        assert resume(org, run_dir).succeeded == json.loads(before["report.json"])["succeeded"] == 26
        assert {path.name: path.read_bytes() for path in run_dir.iterdir() if path.suffix != ".sqlite"} == before
        assert org.requests == []


def test_load_of_version_1_that_died_while_reading_says_what_to_do(tmp_path: Path) -> None:
    with Emulator(SCHEMA) as org:
        run_dir = copy_of("load-unread", tmp_path, org, "journal.sqlite")
        with pytest.raises(JournalMismatch, match=r"Nothing was sent\. Start the load again with another folder"):
            resume(org, run_dir)
        assert org.requests == []


def test_extract_of_version_1_goes_on(tmp_path: Path) -> None:
    """It had two of five result files."""
    with Emulator(SCHEMA) as org:
        org.insert("Row__c", [{"Code__c": f"row {number}", "Text__c": f"text {number}"} for number in range(40)])
        run_dir = copy_of("extract-stopped", tmp_path, org, "extract.sqlite", to=str(tmp_path / "out.csv"))
        with client_of(org) as client:
            job = client.create_job("query", "Row__c", "CSV", pk_chunking=PKChunking(8))
            original = client.add_batch(job, "SELECT Id, Code__c, Text__c FROM Row__c")
            client.wait_for_batch(job, original.id)
            chunks = [one.id for one in client.get_all_batches(job) if one.id != original.id]
            results = [client.get_query_result_ids(job, chunk) for chunk in chunks]
        assert chunks == ids_in(run_dir / "extract.sqlite", "SELECT id FROM batch ORDER BY place")
        with closing(sqlite3.connect(run_dir / "extract.sqlite")) as database:
            # In which order threads of the org name result files is its own affair.
            database.executemany(
                "UPDATE part SET result_id = ? WHERE batch = ?",
                [(ids[0], number) for number, ids in enumerate(results, 1)],
            )
            database.commit()
        before = len(org.requests)
        with client_of(org) as client:
            report = extract.resume_extract(sitting_of(client), run_dir)
        assert (report.rows, report.state) == (40, "finished")
        got = [row[1:] for row in read_csv(tmp_path / "out.csv")[1:]]
        assert got == [(f"row {number}", f"text {number}") for number in range(40)]
        fetched = [one.path for one in org.requests[before:] if "/result/" in one.path]
        assert len(fetched) == 3
        assert {path.name for path in run_dir.iterdir()} == {"extract.sqlite", "report.html", "report.json"}


def test_list_of_runs_leaves_an_old_journal_as_it_is(tmp_path: Path) -> None:
    with Emulator(SCHEMA) as org:
        run_dir = copy_of("load-stopped", tmp_path, org, "journal.sqlite")
    assert [(run.state, run.what) for run in load.runs(tmp_path)] == [("interrupted", "insert Row__c from source.csv")]
    with closing(sqlite3.connect(run_dir / "journal.sqlite")) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (1,)
    with closing(LoadJournal(run_dir)) as journal:
        assert journal.facts() is not None


VERBS = {"load": ("load-stopped", "journal.sqlite"), "extract": ("extract-stopped", "extract.sqlite")}


def go_on(org: Emulator, run_dir: Path, verb: str) -> LoadReport | ExtractReport:
    with client_of(org) as client:
        return (load.resume if verb == "load" else extract.resume_extract)(sitting_of(client), run_dir)


def all_in(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("told", [True, False])
def test_journal_of_a_later_version_is_refused_with_the_version_that_can_read_it(
    tmp_path: Path, verb: str, told: bool
) -> None:
    name, journal = VERBS[verb]
    newest = VERSION if verb == "load" else extract_journal.VERSION
    with Emulator(SCHEMA) as org:
        run_dir = copy_of(name, tmp_path, org, journal)
        with closing(sqlite3.connect(run_dir / journal)) as database:
            database.execute("CREATE TABLE of_tomorrow (fact TEXT)")
            database.execute("PRAGMA user_version = 97")
            if told:
                database.execute("INSERT INTO fact VALUES ('made by', '99.8')")
            database.commit()
        before = all_in(run_dir)
        by = r"bulkforce 99\.8" if told else "bulkforce of a later version"
        for _ in range(2):
            with pytest.raises(
                JournalMismatch,
                match=rf"has version 97, written by {by}; this is bulkforce \d.* versions up to {newest}\. Resume .* with "
                r"that",
            ):
                go_on(org, run_dir, verb)
            assert all_in(run_dir) == before
        assert org.requests == []
    assert [run.state for run in [*load.runs(tmp_path), *extract.runs(tmp_path)]] == ["unreadable"]


@pytest.mark.parametrize("verb", VERBS)
def test_journal_whose_migration_fails_stays_as_it_was(tmp_path: Path, verb: str) -> None:
    """One of its tables is there already: what another program made of it is not ours to guess at."""
    name, journal = VERBS[verb]
    with Emulator(SCHEMA) as org:
        run_dir = copy_of(name, tmp_path, org, journal)
        with closing(sqlite3.connect(run_dir / journal)) as database:
            database.execute("ALTER TABLE batch ADD COLUMN piece_sha256 TEXT")
            database.execute("ALTER TABLE batch ADD COLUMN ids TEXT")
            database.commit()
        before = all_in(run_dir)
        with pytest.raises(TransferError, match="duplicate column"):
            go_on(org, run_dir, verb)
        assert all_in(run_dir) == before
        assert org.requests == []


def test_finished_load_of_version_1_without_its_report_says_so(tmp_path: Path) -> None:
    with Emulator(SCHEMA) as org:
        run_dir = copy_of("load-finished", tmp_path, org, "journal.sqlite")
        (run_dir / "report.json").unlink()
        with pytest.raises(JournalMismatch, match=r"is finished, but its report\.json was removed"):
            resume(org, run_dir)
        assert org.requests == []


def test_finished_extract_of_version_1_tells_its_report(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It was not told what its file was, so nothing is said of that."""
    with Emulator(SCHEMA) as org:
        run_dir = copy_of("extract-stopped", tmp_path, org, "extract.sqlite", to=str(tmp_path / "out.csv"))
        with closing(sqlite3.connect(run_dir / "extract.sqlite")) as database:
            database.execute("INSERT INTO fact VALUES ('finished', 'yes')")
            database.commit()
        report = ExtractReport(
            run="run",
            run_dir=run_dir,
            state=RunState.FINISHED,
            object="Row__c",
            soql="SELECT Id FROM Row__c",
            to=str(tmp_path / "out.csv"),
            rows=40,
        )
        (run_dir / "report.json").write_text(report.to_json(), "utf-8")
        assert go_on(org, run_dir, "extract") == report
        assert org.requests == []
    assert caplog.messages == []
    assert [run.state for run in extract.runs(tmp_path)] == ["finished"]


def test_feed_that_version_1_lost_cannot_be_made_again(tmp_path: Path) -> None:
    """It did not write down where the source was."""
    with Emulator(SCHEMA) as org:
        run_dir = copy_of("load-stopped", tmp_path, org, "journal.sqlite")
        feed = (run_dir / "feed.csv").read_bytes()
        (run_dir / "feed.csv").unlink()
        with pytest.raises(
            SourceChanged,
            match=r"and its source, source\.csv, cannot be read a second time; nothing was touched\. Some of its rows went",
        ):
            resume(org, run_dir)
        assert org.requests == []
        (run_dir / "feed.csv").write_bytes(feed)
        with closing(LoadJournal(run_dir)) as journal:
            assert journal.facts() is not None
