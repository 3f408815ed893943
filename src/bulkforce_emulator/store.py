"""The records: one DuckDB table per sObject, named and spelled like it.

Readers get a cursor each and never wait. Writers take turns: `writing()` is one transaction on the
one connection that writes.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bulkforce_emulator.schema import Field, Schema, SObject

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
    """The DuckDB type that keeps this field's values."""
    return _TYPES.get(field.type, "VARCHAR")


def first_value(cursor: duckdb.DuckDBPyConnection, sql: str) -> Any:  # noqa: ANN401 - whatever the column holds
    """The first column of the first row, None without rows. The result is read to its end, which the cursor needs."""
    rows = cursor.execute(sql).fetchall()
    return rows[0][0] if rows else None


class StoreError(ValueError):
    """A database file that cannot be used: it is no DuckDB file, somebody else has it open, or its columns are of other types than the schema's."""


class Store:
    """Keeps the records of every sObject of a schema."""

    def __init__(self, schema: Schema, database: str = ":memory:") -> None:
        try:
            self._connection = duckdb.connect(database)
        except (duckdb.IOException, duckdb.SerializationException) as error:
            raise StoreError(f"{database} cannot be opened: {str(error).splitlines()[0]}") from error
        self._writing = threading.RLock()
        self._is_writing = False
        self._writer = self._connection.cursor()
        self._connection.execute("SET TimeZone = 'UTC'")
        if database == ":memory:":
            # Checkpoints would only compress what is in memory: a third less of it, at half the speed of a load.
            self._connection.execute("SET checkpoint_threshold = '1TB'")
        self._connection.execute("; ".join(map(_create_table, schema.sobjects.values())))
        #: How often the file was opened before.
        self.openings = 0
        if database != ":memory:":
            self._fit(schema, database)
            self._count_opening()

    def _fit(self, schema: Schema, database: str) -> None:
        """Give the tables of a file from an earlier time the columns that the schema has since got."""
        found = self._connection.execute("SELECT table_name, column_name, data_type FROM information_schema.columns").fetchall()
        types = {(table, column): kind for table, column, kind in found}
        for sobject in schema.sobjects.values():
            for field in sobject.columns:
                kind = types.get((sobject.name, field.name))
                if kind is None:
                    if field.formula:
                        raise StoreError(
                            f"{database} has no {sobject.name}.{field.name}, and a formula cannot be added to a table that is there"
                        )
                    self._connection.execute(f"ALTER TABLE {quoted(sobject.name)} ADD COLUMN {_column(field)}")
                elif kind != column_type(field):
                    raise StoreError(f"{database} keeps {sobject.name}.{field.name} as {kind}, but the schema wants {column_type(field)}")

    def _count_opening(self) -> None:
        self._connection.execute('CREATE TABLE IF NOT EXISTS "_openings" (number BIGINT)')
        self.openings = int(first_value(self._connection, 'SELECT count(*) FROM "_openings"'))
        self._connection.execute('INSERT INTO "_openings" VALUES (?)', [self.openings])

    def query(self, sql: str, parameters: Sequence[object] = ()) -> pa.Table:
        """The rows of one SELECT, as they stand now."""
        with self._connection.cursor() as cursor:
            return cursor.sql(sql, params=list(parameters)).to_arrow_table()

    @contextmanager
    def writing(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """One transaction; an exception rolls it back. Within another one, it is a part of that."""
        with self._writing:
            if self._is_writing:
                yield self._writer
                return
            self._writer.begin()
            self._is_writing = True
            try:
                yield self._writer
            except BaseException:
                self._writer.rollback()
                raise
            else:
                self._writer.commit()
            finally:
                self._is_writing = False

    def count(self, sobject: SObject, *, include_deleted: bool = False) -> int:
        where = "" if include_deleted else ' WHERE NOT "IsDeleted"'
        return int(self.query(f"SELECT count(*) AS n FROM {quoted(sobject.name)}{where}")["n"][0].as_py())  # noqa: S608

    def close(self) -> None:
        with self._writing:
            self._writer.close()
            self._connection.close()


def _create_table(sobject: SObject) -> str:
    columns = ", ".join(_column(field) for field in sobject.columns)
    return f"CREATE TABLE IF NOT EXISTS {quoted(sobject.name)} ({columns})"


def _column(field: Field) -> str:
    if field.formula:
        return f"{quoted(field.name)} {column_type(field)} GENERATED ALWAYS AS ({field.formula}) VIRTUAL"
    return f"{quoted(field.name)} {column_type(field)}"
