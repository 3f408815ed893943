"""The same load, begun again although an earlier run of it is not finished: both together would write rows twice."""

from __future__ import annotations

import re
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.cli.processes import Command, run, start
from tests.load.test_excel_sources import workbook
from tests.support.holding import Holding

import bulkforce as bf
from bulkforce_emulator import Emulator

ROWS = 40
WORDS = ("load", "rows.csv", "--object", "Contact", "--operation", "insert", "--batch-records", "5", "--workers", "1")


def started(org: Emulator, *words: str) -> Command:
    return start(*words, environment=surroundings(org))


def done(org: Emulator, *words: str) -> tuple[int, str]:
    ended = run(*words, environment=surroundings(org))
    return ended.returncode, ended.stdout + ended.stderr


def surroundings(org: Emulator) -> dict[str, str]:
    return {"BULKFORCE_INSTANCE_URL": org.base_url, "BULKFORCE_ACCESS_TOKEN": org.session_id}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("rows.csv").write_text("LastName\n" + "".join(f"Row {number}\n" for number in range(ROWS)))
    return tmp_path


def killed(org: Holding, *more: str, words: Sequence[str] = WORDS) -> str:
    """Kill a load at its third batch; returns its run's folder, which it has said by then."""
    process = started(org, *words, *more)
    org.wait()
    process.send_signal(signal.SIGKILL)
    _, talk = process.communicate()
    org.go.set()
    named = re.search(r"^If it stops: bulkforce resume (\S+)$", talk, re.MULTILINE)
    assert named
    return named[1]


@pytest.mark.parametrize("words", [(), ("--run-dir", "runs/mine")], ids=["default", "named"])
def test_killed_load_names_its_run_and_is_not_begun_again_beside_it(folder: Path, words: tuple[str, ...]) -> None:
    with Holding() as org:
        first = killed(org, *words)
        second = () if not words else ("--run-dir", "runs/other")
        code, said = done(org, *WORDS, *second)
        assert code == 2
        assert "An earlier insert of rows.csv into Contact is not finished" in said
        assert f"bulkforce resume {first}; or say that a second run is meant: --new\n" in said
        assert len(org.records("Contact")) < ROWS
        # Other files, objects and operations are no concern of that run.
        assert done(org, *WORDS, *second, "--dry-run")[0] == 0
        code, said = done(org, "resume", first)
        assert (code, len(org.records("Contact"))) == (0, ROWS)
        # It is finished: whoever loads the file again now means it.
        assert done(org, *WORDS, *second)[0] == 0
        assert len(org.records("Contact")) == 2 * ROWS


def test_second_run_is_begun_if_it_is_meant(folder: Path) -> None:
    with Holding() as org:
        killed(org)
        assert done(org, *WORDS, "--new")[0] == 0
        assert len(org.records("Contact")) >= ROWS


def test_file_that_has_changed_since_is_loaded_with_a_warning(folder: Path) -> None:
    with Holding() as org:
        first = killed(org)
        with Path("rows.csv").open("a") as file:
            file.write("One more\n")
        code, said = done(org, *WORDS)
        assert code == 0
        assert f"is not finished ({first}), and the file has changed since" in " ".join(said.split())


def test_another_sheet_of_the_same_workbook_is_another_load(folder: Path) -> None:
    rows = [["LastName"], *([f"Row {number}"] for number in range(ROWS))]
    path = workbook(folder, rows, [["LastName"], ["Other"]])
    words = [str(path) if word == "rows.csv" else word for word in WORDS]
    with Holding() as org:
        first = killed(org, words=words)
        for same in ((), ("--sheet", "1"), ("--sheet", "Sheet 1")):
            code, said = done(org, *words, *same)
            assert (code, f"bulkforce resume {first}" in said) == (2, True)
        assert done(org, *words, "--sheet", "2")[0] == 0
        assert [one["LastName"] for one in org.records("Contact")].count("Other") == 1
        assert done(org, "resume", first)[0] == 0
        assert len(org.records("Contact")) == ROWS + 1


def test_load_that_another_process_is_at_work_on_is_not_begun_beside_it(folder: Path) -> None:
    with Holding() as org:
        process = started(org, *WORDS)
        org.wait()
        code, said = done(org, *WORDS)
        assert code == 2
        assert "Another process is at work on this insert of rows.csv into Contact: its run is " in said
        org.go.set()
        process.communicate()
        assert (process.returncode, len(org.records("Contact"))) == (0, ROWS)


def test_in_python_the_refusal_names_the_argument(folder: Path) -> None:
    with Holding() as org, bf.Client(org.base_url, auth=bf.BearerToken(org.session_id)) as client:
        first = killed(org)
        Path("same.csv").symlink_to("rows.csv")
        with pytest.raises(bf.UsageError, match=rf"resume {first}; .*new_run=True") as refused:
            client.load("same.csv", "contact", "insert")
        assert "Row " not in str(refused.value)
        # What is no run of this file does not count.
        Path("bulkforce-runs", "odd").mkdir()
        Path("bulkforce-runs", "odd", "journal.sqlite").write_bytes(b"no database" * 100)
        Path("other.csv").write_text("LastName\nOther\n")
        client.load("other.csv", "Contact", "insert")
        client.load("rows.csv", "Contact", "insert", new_run=True)
        client.resume(first)
        assert len(org.records("Contact")) == 2 * ROWS + 1
