"""Databases: cursors and queries are sources like any other, and errors of their libraries are ours."""

from __future__ import annotations

import csv
import io
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import adbc_driver_sqlite.dbapi as adbc
import duckdb
import pytest
import sqlalchemy

from bulkforce.errors import Error, FormatError, UsageError
from bulkforce.load.sources import name_of, place_of, to_csv
from bulkforce.load.sources.sql import SqlQuery

QUERY = "SELECT name AS LastName, amount AS Amount__c FROM people ORDER BY amount"
EXPECTED = [["LastName", "Amount__c"], *([f"name, {place}", str(place)] for place in range(2_500))]
SECRET = "Zebrafink"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "people.db"
    with closing(sqlite3.connect(found)) as database:
        database.execute("CREATE TABLE people (name TEXT, amount INTEGER)")
        database.executemany("INSERT INTO people VALUES (?, ?)", [(f"name, {place}", place) for place in range(2_500)])
        database.commit()
    return found


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    folder.mkdir()
    return folder


def rows_of(source: Any, run: Path) -> list[list[str]]:
    found = to_csv(source, run)
    assert found.ours
    assert place_of(source) is None
    return list(csv.reader(io.StringIO(found.path.read_bytes().decode(), newline="")))


def refused(source: Any, run: Path) -> str:
    with pytest.raises(Error) as caught:
        to_csv(source, run)
    assert not list(run.iterdir())
    assert caught.value.__context__ is None
    return str(caught.value)


@pytest.fixture(params=["sqlite3", "sqlalchemy", "adbc", "duckdb"])
def cursor(request: pytest.FixtureRequest, path: Path) -> Iterator[Any]:
    """A cursor of each kind, whose query was executed."""
    if request.param == "sqlite3":
        with closing(sqlite3.connect(path)) as database:
            yield database.execute(QUERY)
    elif request.param == "sqlalchemy":
        engine = sqlalchemy.create_engine(f"sqlite:///{path}")
        with engine.connect() as connection:
            yield connection.execute(sqlalchemy.text(QUERY))
        engine.dispose()
    elif request.param == "adbc":
        with adbc.connect(str(path)) as driver, driver.cursor() as opened:
            opened.execute(QUERY)
            yield opened
    else:
        with duckdb.connect() as duck:
            query = "SELECT 'name, ' || i AS LastName, i AS Amount__c FROM range(2500) t(i) ORDER BY i"
            yield duck.execute(query)


def test_cursor_is_read(cursor: Any, run: Path) -> None:
    assert name_of(cursor).startswith("a query of ")
    assert rows_of(cursor, run) == EXPECTED


@pytest.mark.parametrize("prefix", ["sqlite:///", "adbc+sqlite:///", "sqlite+pysqlite:///"])
def test_query_is_read_over_sqlalchemy_and_adbc(path: Path, run: Path, prefix: str) -> None:
    source = SqlQuery(QUERY, f"{prefix}{path}")
    assert rows_of(source, run) == EXPECTED
    assert str(path) not in name_of(source)


def test_query_is_sent_as_it_stands(path: Path, run: Path) -> None:
    source = SqlQuery(
        "SELECT ':x' AS A, '100 %' AS B, name AS C FROM people WHERE name LIKE '%, 7'", f"sqlite:///{path}"
    )
    assert rows_of(source, run) == [["A", "B", "C"], [":x", "100 %", "name, 7"]]


@pytest.mark.parametrize("prefix", ["sqlite:///", "adbc+sqlite:///"])
@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELEC 1", "syntax error"),
        ("SELECT x FROM nowhere", "nowhere"),
        ("SELECT name AS A, amount AS a FROM people", "two columns named"),
    ],
)
def test_query_that_cannot_be_answered_is_told(path: Path, run: Path, prefix: str, query: str, said: str) -> None:
    assert said in refused(SqlQuery(query, f"{prefix}{path}"), run)


@pytest.mark.parametrize(
    "database",
    [
        f"nonsense://me:{SECRET}@nowhere/x",
        f"postgresql+nonsense://me:{SECRET}@localhost/x",
        f"sqlite:////nowhere/{SECRET}/x.db",
    ],
)
def test_database_that_cannot_be_reached_is_told_without_a_password(run: Path, database: str) -> None:
    source = SqlQuery(QUERY, database)
    assert SECRET not in repr(source)
    assert SECRET not in refused(source, run)


def test_driver_that_is_missing_is_named(run: Path) -> None:
    with pytest.raises(UsageError, match="adbc-driver-nonsense"):
        to_csv(SqlQuery(QUERY, "adbc+nonsense://x"), run)
    code = (
        "import sys; sys.modules['sqlalchemy'] = None\n"
        "from pathlib import Path; from bulkforce.load.sources import to_csv; from bulkforce.load.sources.sql import SqlQuery\n"
        f"to_csv(SqlQuery('SELECT 1', 'sqlite://'), Path({str(run)!r}))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "pip install 'bulkforce[sql]'" in found.stderr


def test_cursor_without_a_result_is_refused(path: Path, run: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        assert "execute a query" in refused(database.cursor(), run)
        assert "execute a query" in refused(database.execute("DELETE FROM people"), run)


def test_error_while_a_result_is_read_is_ours_and_shows_no_value(run: Path) -> None:
    class Broken:
        description = (("LastName",),)
        left = 1

        def fetchmany(self, size: int = 1) -> list[tuple[str]]:
            self.left -= 1
            if self.left < 0:
                raise sqlite3.DataError(f"invalid value {SECRET}")
            return [("x",)] * size

    said = refused(Broken(), run)
    assert "After 1,000 rows" in said
    assert "sqlite3.DataError" in said
    assert SECRET not in said


@pytest.mark.parametrize(("query", "database"), [(1, "sqlite://"), ("SELECT 1", None), ("SELECT 1", "people.db")])
def test_query_of_another_type_is_refused(query: Any, database: Any) -> None:
    with pytest.raises(UsageError):
        SqlQuery(query, database)


def test_error_of_the_format_is_one_of_ours(run: Path) -> None:
    with closing(sqlite3.connect(":memory:")) as database, pytest.raises(FormatError):
        to_csv(database.execute("SELECT 1 AS ' '"), run)
