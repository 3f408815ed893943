"""Journals are read without touching them: while a process holds them, after it has died, and while they change."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

import bulkforce as bf
from bulkforce.catalog import runs
from bulkforce.errors import TransferError
from bulkforce.load.journal import LoadJournal
from bulkforce.run import snapshot as module
from bulkforce.run.folder import LOAD
from bulkforce.run.journal import job_ids
from bulkforce.run.snapshot import is_held, snapshot
from bulkforce_emulator import Emulator

# As a journal is held, with more and more in it; one line of its input each time.
HOLDER = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
for setting in ("locking_mode = EXCLUSIVE", "journal_mode = WAL", "synchronous = FULL", "wal_autocheckpoint = 4"):
    database.execute(f"PRAGMA {setting}").fetchall()
database.execute("CREATE TABLE line (number INTEGER, filling TEXT)")
number = 0
print(flush=True)
for line in sys.stdin:
    database.execute("BEGIN")
    number += 1
    database.execute("INSERT INTO line VALUES (?, ?)", (number, "x" * 3000))
    database.execute("COMMIT")
    print(flush=True)
"""


@contextmanager
def holder(journal: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(journal)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield process
        finally:
            process.kill()


def write(process: subprocess.Popen[str], times: int = 1) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    for _ in range(times):
        process.stdin.write("\n")
        process.stdin.flush()
        process.stdout.readline()


def numbers(journal: Path) -> list[int]:
    with snapshot(journal) as folder, closing(sqlite3.connect(folder / journal.name)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return [row[0] for row in database.execute("SELECT number FROM line ORDER BY number")]


def state(folder: Path) -> dict[str, tuple[int, int]]:
    return {path.name: (path.stat().st_mtime_ns, path.stat().st_size) for path in folder.iterdir()}


def test_journal_that_is_held_is_read_and_not_touched(tmp_path: Path) -> None:
    journal = tmp_path / "j.sqlite"
    with holder(journal) as process:
        for count in range(1, 12):
            write(process)
            before = state(tmp_path)
            assert is_held(journal)
            assert numbers(journal) == list(range(1, count + 1))
            assert state(tmp_path) == before
        # It still holds it, and goes on.
        write(process)
        with (
            pytest.raises(sqlite3.OperationalError, match="locked"),
            closing(sqlite3.connect(journal, timeout=0)) as one,
        ):
            one.execute("SELECT 1 FROM line")
        process.kill()
        process.wait()
        before = state(tmp_path)
        assert not is_held(journal)
        assert numbers(journal) == list(range(1, 13))
        assert state(tmp_path) == before


def test_every_copy_is_whole_while_the_journal_changes(tmp_path: Path) -> None:
    journal = tmp_path / "j.sqlite"
    with holder(journal) as process:
        assert process.stdin is not None
        process.stdin.write("\n" * 200)
        process.stdin.flush()
        seen = [0]
        while seen[-1] < 200:
            try:
                found = numbers(journal)
            except TransferError:
                continue
            # Nothing is missing, and nothing goes back.
            assert found == list(range(1, len(found) + 1))
            assert len(found) >= seen[-1]
            seen.append(len(found))


def test_copy_is_private_and_removed(tmp_path: Path) -> None:
    journal = tmp_path / "j.sqlite"
    with closing(sqlite3.connect(journal)) as database:
        database.execute("CREATE TABLE line (number INTEGER)")
    with snapshot(journal) as folder:
        assert folder.stat().st_mode & 0o077 == 0 or os.name == "nt"
        assert [path.name for path in folder.iterdir()] == ["j.sqlite"]
    assert not folder.exists()
    assert not is_held(journal)
    with pytest.raises(FileNotFoundError), snapshot(tmp_path / "none"):
        pass
    assert not is_held(tmp_path / "none")


def test_journal_that_this_process_has_open_is_not_copied_so_that_it_stays_locked(tmp_path: Path) -> None:
    with Emulator() as org, bf.Client(org.base_url, auth=bf.BearerToken(org.session_id)) as client:
        client.load([{"LastName": "x"}], "Contact", "insert", run_dir=tmp_path / "run")
    journal = tmp_path / "run" / LOAD
    with closing(LoadJournal(journal.parent)):
        with pytest.raises(bf.JournalBusy, match="This process"), snapshot(journal):
            pass
        assert [run.state for run in runs(tmp_path)] == ["running"]
        assert job_ids(journal.parent) == []
        opened = "import sys, sqlite3; sqlite3.connect(sys.argv[1], timeout=0).execute('SELECT * FROM fact')"
        other = subprocess.run([sys.executable, "-c", opened, journal], capture_output=True, text=True, check=False)
        assert "locked" in other.stderr
    assert [run.state for run in runs(tmp_path)] == ["finished"]
    assert len(job_ids(journal.parent)) == 1


def test_runs_are_listed_without_disturbing_whoever_works_on_them(tmp_path: Path) -> None:
    """What a run is about is said even of one that is being worked on, and no one who takes it up is kept out."""
    with Emulator() as org, bf.Client(org.base_url, auth=bf.BearerToken(org.session_id)) as client:
        client.load([{"LastName": "x"}], "Contact", "insert", run_dir=tmp_path / "run")
    hold = "import sys\nfrom bulkforce.load.journal import LoadJournal\nfrom pathlib import Path\n"
    hold += "journal = LoadJournal(Path(sys.argv[1]))\nprint(flush=True)\nsys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", hold, tmp_path / "run"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        (found,) = runs(tmp_path)
        assert (found.state, found.run, found.folder) == ("running", "run", tmp_path / "run")
        assert found.what.startswith("insert Contact from ")
        assert len(job_ids(tmp_path / "run")) == 1
        process.kill()
    before = state(tmp_path / "run")
    assert [(one.state, one.what) for one in runs(tmp_path / "run")] == [("finished", found.what)]
    assert state(tmp_path / "run") == before


def test_journal_that_never_holds_still_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = tmp_path / "j.sqlite"
    journal.touch()
    heads = iter(range(1000))
    monkeypatch.setattr(module, "_head", lambda _log: str(next(heads)).encode())
    with pytest.raises(TransferError, match="changes faster than it can be read"), snapshot(journal):
        pass
