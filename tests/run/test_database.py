"""The file that a run remembers itself in: it begins whole or not at all, is held by one, and tells what is wrong."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from importlib.metadata import version
from pathlib import Path

import pytest

from bulkforce.errors import JournalBusy, JournalMismatch, TransferError, UsageError
from bulkforce.run.database import Database, Step

TABLES = """
CREATE TABLE fact (name TEXT PRIMARY KEY, value TEXT);
CREATE TABLE file (name TEXT PRIMARY KEY, size INT, sha256 TEXT);
"""
ONE: list[Step] = [TABLES]


def nothing() -> None:
    """Nothing is to be written down besides the tables."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    return tmp_path / "run" / "journal.sqlite"


def new(path: Path, write: Callable[[], None] = nothing, steps: list[Step] | None = None) -> Database:
    return Database(path, steps or ONE, new=write)


def facts(path: Path) -> dict[str, str]:
    with closing(sqlite3.connect(path)) as database:
        return dict(database.execute("SELECT name, value FROM fact"))


def remains(path: Path) -> list[str]:
    return sorted(one.name for one in path.parent.iterdir())


def test_a_journal_that_is_begun_is_of_our_version(path: Path) -> None:
    with closing(new(path)) as journal:
        assert journal.in_place
    assert facts(path) == {"made by": version("bulkforce")}
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE fact SET value = '0.0'")
    Database(path, ONE).close()
    # Whoever only goes on with it has not made it.
    assert facts(path) == {"made by": "0.0"}


@pytest.mark.parametrize("error", [KeyboardInterrupt(), sqlite3.OperationalError("disk is full"), UsageError("no")])
def test_a_journal_that_does_not_come_about_leaves_nothing_behind(path: Path, error: BaseException) -> None:
    def fails() -> None:
        raise error

    kind = TransferError if isinstance(error, sqlite3.Error) else type(error)
    with pytest.raises(kind):
        new(path, fails)
    assert remains(path) == []


def test_a_blank_file_that_was_there_is_begun_in_and_not_removed_if_that_fails(path: Path) -> None:
    path.touch()
    for error in (KeyError("x"), sqlite3.OperationalError("x")):

        def fails(error: Exception = error) -> None:
            raise error

        with pytest.raises(KeyError if isinstance(error, KeyError) else TransferError):
            new(path, fails)
        assert "journal.sqlite" in remains(path)
    new(path).close()
    assert facts(path)


def test_a_journal_in_which_something_stands_is_not_begun_in(path: Path) -> None:
    new(path).close()
    with pytest.raises(UsageError, match="already holds a run"):
        new(path)
    assert facts(path)


def test_a_journal_is_begun_only_where_nothing_else_lies(path: Path) -> None:
    (path.parent / "notes").touch()
    with pytest.raises(UsageError, match=r"is not empty \(it contains notes\)"):
        new(path)
    assert remains(path) == ["notes"]


def test_one_process_holds_a_journal(path: Path) -> None:
    with closing(new(path)):
        for write in (None, nothing):
            with pytest.raises(JournalBusy, match="Another process is working on the run"):
                Database(path, ONE, new=write)
    Database(path, ONE).close()


def test_a_journal_that_is_not_there_cannot_be_opened(path: Path) -> None:
    with pytest.raises(TransferError, match="cannot be opened"):
        Database(path, ONE)
    assert remains(path) == []


@pytest.mark.parametrize("beside", ["", "-wal", "-shm", "-journal"])
def test_a_folder_in_the_way_is_told(path: Path, beside: str) -> None:
    path.with_name(path.name + beside).mkdir()
    with pytest.raises(TransferError, match="is in the way"):
        new(path)


def test_a_file_that_is_no_database_is_no_journal(path: Path) -> None:
    path.write_bytes(b"no database, but long enough to be looked at as one" * 10)
    with pytest.raises(JournalMismatch, match="is not a bulkforce journal"):
        Database(path, ONE)


def test_a_database_of_something_else_is_no_journal(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE songs (name)")
    with pytest.raises(JournalMismatch, match="it is another application's database"):
        Database(path, ONE)


def test_a_run_that_died_before_it_wrote_anything_may_be_begun_again(path: Path) -> None:
    path.touch()
    with pytest.raises(JournalMismatch, match="nothing was read, and nothing was sent"):
        Database(path, ONE)


def test_a_journal_that_was_emptied_is_not_one_of_a_run_that_sent_nothing(path: Path) -> None:
    path.touch()
    (path.parent / "results").mkdir()
    (path.parent / "feed.csv").touch()
    with pytest.raises(JournalMismatch, match=r"\(feed.csv\), so its content is lost"):
        Database(path, ONE)


@pytest.mark.parametrize("known", [True, False], ids=["who wrote it is known", "it has no such table"])
def test_a_journal_of_a_later_version_is_left_alone(path: Path, known: bool) -> None:
    new(path, steps=[TABLES, "CREATE TABLE later (x);"]).close()
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE fact SET value = '9.9'" if known else "DROP TABLE fact")
    made_by = "bulkforce 9.9;" if known else "a later bulkforce;"
    with pytest.raises(JournalMismatch, match=f"has version 2, written by {made_by} .* up to 1"):
        Database(path, ONE)


def test_a_journal_of_an_older_version_is_brought_up_and_mended_once(path: Path) -> None:
    mended: list[Path] = []

    def mend(_database: sqlite3.Connection, folder: Path) -> None:
        mended.append(folder)

    later: list[Step] = [TABLES, ("CREATE TABLE more (x); INSERT INTO more VALUES (1);", mend)]
    new(path).close()
    Database(path, later, migrate=False).close()
    assert mended == []
    for _ in range(2):
        Database(path, later).close()
    assert mended == [path.parent]
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT x FROM more").fetchall() == [(1,)]
        assert database.execute("PRAGMA user_version").fetchone() == (2,)


def test_a_journal_that_is_begun_has_nothing_to_be_mended(path: Path) -> None:
    def mend(_database: sqlite3.Connection, _folder: Path) -> None:
        pytest.fail("there is nothing to mend")

    new(path, steps=[TABLES, ("CREATE TABLE more (x);", mend)]).close()


def test_what_is_written_together_is_there_together_or_not_at_all(path: Path) -> None:
    with closing(new(path)) as journal:
        with pytest.raises(KeyError), journal.transaction():  # noqa: PT012  (first written, then failed)
            journal._remember("a", "1")
            raise KeyError
        with journal.transaction():
            journal._remember("b", "1")
            journal._remember("b", "2")
        assert (journal._recall("a"), journal._recall("b")) == (None, "2")


@pytest.mark.parametrize("replaced", [True, False])
def test_a_journal_that_is_gone_from_its_place_takes_nothing_more(path: Path, replaced: bool) -> None:
    with closing(new(path)) as journal:
        path.rename(path.with_name("moved"))
        if replaced:
            path.touch()
        assert not journal.in_place
        with (
            pytest.raises(JournalMismatch, match="was removed or replaced while the run was under way"),
            journal.transaction(),
        ):
            journal._remember("a", "1")
        assert journal._recall("a") is None


@pytest.mark.parametrize("text", ["{", "[1]", "null", '"x"'])
def test_a_fact_that_makes_no_sense_is_told(path: Path, text: str) -> None:
    with closing(new(path)) as journal:
        with journal.transaction():
            journal._remember("asked", text)
            journal._remember("facts", json.dumps({"rows": 3}))
        assert journal._members("none") is None
        assert journal._members("facts") == {"rows": 3}
        with pytest.raises(JournalMismatch, match="its entry 'asked' makes no sense"):
            journal._members("asked")


@pytest.mark.parametrize("members", [{}, {"size": 1}, {"size": 1, "sha256": "x", "more": 2}])
def test_facts_that_are_missing_or_strange_are_told(path: Path, members: dict[str, object]) -> None:
    with closing(new(path)) as journal:
        assert journal._made_of(seal, {"size": 1, "sha256": "x"}) == seal(1, "x")
        with pytest.raises(JournalMismatch, match="facts about the run are missing or unknown"):
            journal._made_of(seal, members)


def seal(size: int, sha256: str) -> tuple[int, str]:
    return size, sha256
