"""Files as people have them are loaded as they are, and what was guessed or left out is said once."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from tests.support.rehearsal import read_csv

import bulkforce as bf
from bulkforce.cli.main import command
from bulkforce.objects.columns import Kind
from bulkforce_emulator import Emulator


@pytest.fixture(scope="module")
def running() -> Iterator[Emulator]:
    with Emulator() as org:
        yield org


@pytest.fixture
def client(running: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[bf.Client]:
    monkeypatch.chdir(tmp_path)
    retry = bf.RetryPolicy(attempts=1)
    with bf.Client(running.base_url, auth=bf.BearerToken(running.session_id), retry=retry) as client:
        yield client


def write(content: str | bytes, name: str = "source.csv") -> Path:
    path = Path(name)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def loaded(org: Emulator, city: str) -> list[dict[str, Any]]:
    return sorted(
        (one for one in org.records("Contact") if one["MailingCity"] == city), key=lambda one: one["LastName"]
    )


@pytest.mark.parametrize("how", ["check", "load", "dry run"])
def test_guessed_delimiter_is_said_once(
    running: Emulator, client: bf.Client, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    source = write("LastName;FirstName;MailingCity\nLovelace, Countess;Ada;Guessed\n")
    with caplog.at_level(logging.WARNING, "bulkforce"):
        if how == "check":
            assert client.check(source, "Contact", "insert").fits
        else:
            report = client.load(source, "Contact", "insert", dry_run=how == "dry run")
    assert [record.getMessage() for record in caplog.records if "separated by semicolons" in record.getMessage()]
    assert len(caplog.records) == 1
    if how == "load":
        assert loaded(running, "Guessed")[0]["LastName"] == "Lovelace, Countess"
        assert read_csv(report.run_dir / "success.csv")[1][2:] == ("Lovelace, Countess", "Ada", "Guessed")


def test_options_of_a_file_are_those_of_load_check_and_first_map(client: bf.Client) -> None:
    source = write("Last Name|^Vornäme^\nx|^a|b^\n".replace("^", "~").encode("cp1252"), "source.txt")
    options: dict[str, Any] = {"delimiter": "pipe", "encoding": "windows-1252", "quote": "~"}
    report = client.check(source, "Contact", "insert", **options)
    assert {(one.kind, one.column) for one in report.columns} == {(Kind.LABEL, "Last Name"), (Kind.UNKNOWN, "Vornäme")}
    assert client.suggest_map(source, "Contact", **options).columns == {"Last Name": "LastName"}
    mapping = {"Last Name": "LastName", "Vornäme": "FirstName"}
    assert client.load(source, "Contact", "insert", mapping=mapping, **options).succeeded == 1


def test_rows_of_commas_are_skipped_and_counted(running: Emulator, client: bf.Client) -> None:
    content = "LastName,FirstName,MailingCity\n,,\nA,a,Skipped\n,,\nB,b,c,d\nC,c,Skipped\n" + ",,\n" * 1000
    source = write(content)
    report = client.check(source, "Contact", "insert")
    assert (report.read, report.rejected, report.skipped) == (3, 1, 1002)
    planned = client.load(source, "Contact", "insert", dry_run=True)
    assert (planned.read, planned.rejected, planned.skipped) == (3, 1, 1002)
    done = client.load(source, "Contact", "insert")
    assert (done.read, done.succeeded, done.rejected, done.skipped) == (3, 2, 1, 1002)
    assert bf.LoadReport.from_json(done.to_json()).skipped == 1002
    assert [one["LastName"] for one in loaded(running, "Skipped")] == ["A", "C"]
    assert read_csv(done.run_dir / "rejected.csv")[1][:2] == ("2", "4 fields where the header has 3 (line 5)")


def test_bad_value_below_skipped_rows_has_the_number_of_its_record(client: bf.Client) -> None:
    report = client.check(write("LastName,Birthdate\n,\nA,1815-12-10\n,\nB,tomorrow\n"), "Contact", "insert")
    assert [(one.column, one.first_row) for one in report.values] == [("Birthdate", 2)]


def test_empty_columns_without_a_name_are_left_out_and_said(
    running: Emulator, client: bf.Client, caplog: pytest.LogCaptureFixture
) -> None:
    source = write('LastName,MailingCity,, ,\nA,Empty,,,""\nB,Empty,,,\n')
    with caplog.at_level(logging.WARNING, "bulkforce"):
        assert client.load(source, "Contact", "insert").succeeded == 2
    assert [record.getMessage() for record in caplog.records] == ["3 columns without a name or a value are left out"]
    assert [one["LastName"] for one in loaded(running, "Empty")] == ["A", "B"]
    assert client.load(source, "Contact", "insert", check=False).succeeded == 2


def test_index_of_pandas_is_named_with_what_to_do(client: bf.Client) -> None:
    source = write(",LastName,MailingCity,\n0,A,Index,\n1,B,Index,\n")
    with pytest.raises(bf.DoesNotFit) as caught:
        client.load(source, "Contact", "insert")
    assert len(caught.value.lines) == 1
    assert "Column 1 has no name" in caught.value.lines[0]
    assert "index=False" in caught.value.lines[0]
    assert client.load(source, "Contact", "insert", on_unknown_column="drop").succeeded == 2
    with pytest.raises(bf.FormatError, match="index=False"):
        client.load(source, "Contact", "insert", check=False)


def test_blanks_around_names_are_removed_even_if_nothing_is_checked(running: Emulator, client: bf.Client) -> None:
    source = write(" LastName\xa0,\tFirst Name ,MailingCity\u200b\nA,a,Trimmed\n")
    mapping = {"First Name": "FirstName"}
    assert client.load(source, "Contact", "insert", mapping=mapping, check=False).succeeded == 1
    assert client.check(source, "Contact", "insert", mapping={" First Name": "FirstName"}).fits
    assert [one["FirstName"] for one in loaded(running, "Trimmed")] == ["a"]


def test_header_in_the_middle_is_noticed(client: bf.Client) -> None:
    source = write("LastName,FirstName\nA,a\nLastName,FirstName\nB,b\n")
    report = client.check(source, "Contact", "insert")
    assert (report.read, report.rejected, report.fits) == (3, 1, False)
    done = client.load(source, "Contact", "insert")
    assert (done.succeeded, done.rejected) == (2, 1)
    assert "the header again" in (done.run_dir / "rejected.csv").read_text("utf-8")


def test_run_that_died_while_reading_reads_the_same_way_again(
    running: Emulator, client: bf.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bulkforce.load.journal import LoadJournal

    source = write("LastName|MailingCity\nÄ|Again\n".encode("cp1252"))

    def dies(*_args: object, **_kwargs: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(LoadJournal, "take_in", dies)
        with pytest.raises((bf.Interrupted, KeyboardInterrupt)):
            client.load(source, "Contact", "insert", run_dir="run", delimiter="|", encoding="cp1252")
    assert isinstance(report := client.resume("run"), bf.LoadReport)
    assert report.succeeded == 1
    assert [one["LastName"] for one in loaded(running, "Again")] == ["Ä"]


def test_workbook_is_loaded(running: Emulator, client: bf.Client) -> None:
    book = openpyxl.Workbook()
    for row in (["LastName", "MailingCity", "Birthdate"], ["A", "Workbook", None], [None, None, None], [7, "Workbook"]):
        book.active.append(row)
    book.save("source.xlsx")
    report = client.load("source.xlsx", "Contact", "insert")
    assert (report.succeeded, report.skipped) == (2, 1)
    assert [one["LastName"] for one in loaded(running, "Workbook")] == ["7", "A"]


def test_query_to_a_database_is_loaded(running: Emulator, client: bf.Client, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "people.db")) as database:
        database.execute("CREATE TABLE people (name TEXT, born TEXT)")
        database.execute("INSERT INTO people VALUES ('Lovelace', '1815-12-10'), ('Babbage', NULL)")
        database.commit()
        query = "SELECT name AS LastName, born AS Birthdate, 'Database' AS MailingCity FROM people"
        assert client.check(database.execute(query), "Contact", "insert").fits
        source = bf.SqlQuery(query, database="sqlite:///people.db")
        report = client.load(source, "Contact", "insert")
    assert report.succeeded == 2
    assert [one["Birthdate"] for one in loaded(running, "Database")] == [None, date(1815, 12, 10)]


def test_command_line_takes_a_query_in_place_of_a_file(
    running: Emulator, client: bf.Client, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BULKFORCE_INSTANCE_URL", running.base_url)
    monkeypatch.setenv("BULKFORCE_ACCESS_TOKEN", running.session_id)

    def run(*words: str) -> int | str | None:
        with pytest.raises(SystemExit) as caught:
            command(["check", *words, "--object", "Contact", "--operation", "insert"])
        return caught.value.code

    query = ("--from-sql", "SELECT 'A' AS LastName")
    assert run(*query, "--database", "sqlite://") == 0
    assert "1 row" in capsys.readouterr().out
    monkeypatch.setenv("BULKFORCE_DATABASE", "sqlite://")
    assert run(*query) == 0
    monkeypatch.delenv("BULKFORCE_DATABASE")
    assert run(*query) == 2
    assert "--database" in capsys.readouterr().err
    assert run("source.csv", *query) == 2
    assert run() == 2
    source = write("LastName;FirstName\nA;a\n")
    assert run(str(source), "--delimiter", "semicolon", "--encoding", "latin1", "--quote", "'") == 0
    assert run(str(source), "--delimiter", "comma") == 2
