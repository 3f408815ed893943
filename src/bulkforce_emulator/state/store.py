"""The records: one DuckDB table per sObject, with the same name.

Each reader has its own cursor and never waits. Writers take turns: `writing()` is a transaction on the one connection
that writes.

All orgs in memory share one DuckDB, in which each has its own database. An org then takes only a few milliseconds to
make, which matters for a test suite that makes hundreds.
"""

from __future__ import annotations

import itertools
import os
import threading
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bulkforce_emulator.schema import Field, Schema, SObject

#: Where a DuckDB file says what it is.
_MAGIC = slice(8, 12)

_TYPES = {
    "boolean": "BOOLEAN",
    "int": "BIGINT",
    "long": "BIGINT",
    "double": "DOUBLE",
    "currency": "DOUBLE",
    "percent": "DOUBLE",
    "date": "DATE",
    "datetime": "TIMESTAMP",
    "time": "TIME",
}


def quoted(name: str) -> str:
    """A name as a DuckDB identifier."""
    return '"' + name.replace('"', '""') + '"'


def column_type(field: Field) -> str:
    """The DuckDB type for this field's values."""
    return _TYPES.get(field.type, "VARCHAR")


class Writer:
    """The connection that writes.

    Each statement is parsed only once: the batches of a job repeat it, and for a small batch, parsing is a fifth of the
    work.
    """

    _MOST_STATEMENTS = 256

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection
        self._parsed = lru_cache(self._MOST_STATEMENTS)(connection.extract_statements)

    def execute(self, sql: str, parameters: object = None) -> duckdb.DuckDBPyConnection:
        """Execute one statement."""
        (statement,) = self._parsed(sql)
        return self.connection.execute(statement, parameters)


def first_value(cursor: duckdb.DuckDBPyConnection | Writer, sql: str) -> Any:  # noqa: ANN401 - any column
    """The first column of the first row; None without rows. All rows are fetched, which the cursor needs."""
    rows = cursor.execute(sql).fetchall()
    return rows[0][0] if rows else None


class StoreError(ValueError):
    """A database file that cannot be used: not DuckDB's, open elsewhere, or with other types than the schema's."""


class _Memory:
    """The DuckDB that all orgs in memory share."""

    #: How many schemas have their empty tables kept, to be copied.
    _MOST_TEMPLATES = 16

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Start over: DuckDB's threads do not survive a fork."""
        self._lock = threading.Lock()
        self._root: duckdb.DuckDBPyConnection | None = None
        self._numbers = itertools.count(1)
        self._templates: dict[str, str] = {}

    def attach(self, tables: str) -> tuple[duckdb.DuckDBPyConnection, str]:
        """A connection to a new database with these tables, empty, and its name."""
        with self._lock:
            if self._root is None:
                self._root = duckdb.connect(":memory:")
                self._root.execute("SET GLOBAL timezone = 'UTC'")
                # Checkpoints would only compress the memory: a third less of it, at half the speed of a load.
                self._root.execute("SET checkpoint_threshold = '1TB'")
                # A batch is too small for several threads, which would be woken for each statement. Queries still run
                # side by side.
                self._root.execute("SET threads = 1")
            template = self._templates.pop(tables, None) or self._template(self._root, tables)
            self._templates[tables] = template
            name = f"org{next(self._numbers)}"
            self._root.execute(f"ATTACH ':memory:' AS {name}; COPY FROM DATABASE {template} TO {name} (SCHEMA)")
            return self._root.cursor(), name

    def _template(self, root: duckdb.DuckDBPyConnection, tables: str) -> str:
        if len(self._templates) == self._MOST_TEMPLATES:
            root.execute(f"DETACH {self._templates.pop(next(iter(self._templates)))}")
        name = f"template{next(self._numbers)}"
        root.execute(f"ATTACH ':memory:' AS {name}; USE {name}; {tables}; USE memory")
        return name

    def detach(self, name: str) -> None:
        """Drop a database and its records."""
        with self._lock:
            if self._root is not None:
                self._root.execute(f"DETACH {name}")


_memory = _Memory()
os.register_at_fork(after_in_child=_memory.renew)


class Store:
    """Keeps the records of every sObject of a schema."""

    def __init__(self, schema: Schema, database: str = ":memory:") -> None:
        tables = _create_tables(schema)
        #: The name of the database, if it is in memory.
        self._name: str | None = None
        if database == ":memory:":
            self._connection, self._name = _memory.attach(tables)
        else:
            self._connection = _open(database)
            self._connection.execute("SET GLOBAL timezone = 'UTC'")
            self._connection.execute(tables)
        self._writing = threading.RLock()
        self._is_writing = False
        #: The thread that writes.
        self._writing_thread = 0
        self._idle: list[duckdb.DuckDBPyConnection] = []
        self._writer = Writer(self._cursor())
        #: How often the file was opened before.
        self.openings = 0
        if database != ":memory:":
            self._fit(schema, database)
            self._count_opening()

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        cursor = self._connection.cursor()
        if self._name is not None:
            cursor.execute(f"USE {self._name}")
        return cursor

    def _fit(self, schema: Schema, database: str) -> None:
        """Add the columns that the schema has and the tables of an older file have not."""
        found = self._connection.execute(
            "SELECT table_name, column_name, data_type FROM information_schema.columns"
        ).fetchall()
        types = {(table, column): kind for table, column, kind in found}
        for sobject in schema.sobjects.values():
            for field in sobject.columns:
                kind = types.get((sobject.name, field.name))
                if kind is None:
                    if field.formula:
                        raise StoreError(
                            f"{database} has no {sobject.name}.{field.name}, "
                            "and a formula cannot be added to an existing table"
                        )
                    self._connection.execute(f"ALTER TABLE {quoted(sobject.name)} ADD COLUMN {_column(field)}")
                elif kind != column_type(field):
                    raise StoreError(
                        f"{database} stores {sobject.name}.{field.name} as {kind}, "
                        f"but the schema needs {column_type(field)}"
                    )

    def _count_opening(self) -> None:
        self._connection.execute('CREATE TABLE IF NOT EXISTS "_openings" (number BIGINT)')
        self.openings = int(first_value(self._connection, 'SELECT count(*) FROM "_openings"'))
        self._connection.execute('INSERT INTO "_openings" VALUES (?)', [self.openings])

    def query(self, sql: str, parameters: Sequence[object] = ()) -> pa.Table:
        """The rows that a SELECT finds now; within a transaction, also what this has written."""
        if self._is_writing and self._writing_thread == threading.get_ident():
            return self._writer.connection.sql(sql, params=list(parameters)).to_arrow_table()
        try:
            cursor = self._idle.pop()
        except IndexError:
            cursor = self._cursor()
        try:
            return cursor.sql(sql, params=list(parameters)).to_arrow_table()
        finally:
            self._idle.append(cursor)

    @contextmanager
    def writing(self) -> Iterator[Writer]:
        """A transaction; an exception rolls it back. Inside another one, it is part of that one."""
        with self._writing:
            if self._is_writing:
                yield self._writer
                return
            self._writer.connection.begin()
            self._is_writing, self._writing_thread = True, threading.get_ident()
            try:
                yield self._writer
            except BaseException:
                self._writer.connection.rollback()
                raise
            else:
                self._writer.connection.commit()
            finally:
                self._is_writing = False

    def count(self, sobject: SObject, *, include_deleted: bool = False) -> int:
        """How many records an object has; deleted ones only if `include_deleted`."""
        where = "" if include_deleted else ' WHERE NOT "IsDeleted"'
        return int(self.query(f"SELECT count(*) AS n FROM {quoted(sobject.name)}{where}")["n"][0].as_py())

    def close(self) -> None:
        """Close the database and all its connections."""
        with self._writing:
            while self._idle:
                self._idle.pop().close()
            self._writer.connection.close()
            self._connection.close()
            if self._name is not None:
                _memory.detach(self._name)


def _open(database: str) -> duckdb.DuckDBPyConnection:
    path = Path(database)
    if path.is_file() and path.stat().st_size:
        # DuckDB opens files of data, too (CSV, JSON, Parquet): as a view of them, in which nothing would stay.
        with suppress(OSError), path.open("rb") as file:
            if file.read(_MAGIC.stop)[_MAGIC] != b"DUCK":
                raise StoreError(
                    f"{database} cannot be opened: it is no database of an emulated org; name a new file, such as "
                    "org.duckdb (records of CSV and JSON files are given by data instead)"
                )
    try:
        return duckdb.connect(database)
    except (duckdb.IOException, duckdb.SerializationException) as error:
        raise StoreError(f"{database} cannot be opened: {str(error).splitlines()[0]}") from error


@lru_cache(16)
def _create_tables(schema: Schema) -> str:
    return "; ".join(map(_create_table, schema.sobjects.values()))


def _create_table(sobject: SObject) -> str:
    columns = ", ".join(_column(field) for field in sobject.columns)
    return f"CREATE TABLE IF NOT EXISTS {quoted(sobject.name)} ({columns})"


def _column(field: Field) -> str:
    if field.formula:
        return f"{quoted(field.name)} {column_type(field)} GENERATED ALWAYS AS ({field.formula}) VIRTUAL"
    return f"{quoted(field.name)} {column_type(field)}"
