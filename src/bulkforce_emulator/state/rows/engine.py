"""Carries out one batch of rows: insert, update, upsert, delete, hard delete."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from bulkforce_emulator.state.job import Operation
from bulkforce_emulator.state.rows import deletes
from bulkforce_emulator.state.rows.columns import resolve
from bulkforce_emulator.state.rows.conversion import literal
from bulkforce_emulator.state.rows.incoming import incoming
from bulkforce_emulator.state.rows.staging import Staging
from bulkforce_emulator.state.rows.writes import Writes
from bulkforce_emulator.state.store import first_value, quoted
from bulkforce_emulator.uploads import SEPARATOR, BatchError, Outcomes, RowError

if TYPE_CHECKING:
    from datetime import datetime

    from bulkforce_emulator.ids import IdSource
    from bulkforce_emulator.schema import Field, Schema, SObject
    from bulkforce_emulator.settings import Settings
    from bulkforce_emulator.state.rows.columns import Column
    from bulkforce_emulator.state.rows.incoming import Incoming
    from bulkforce_emulator.state.rows.staging import Value
    from bulkforce_emulator.state.store import Store, Writer
    from bulkforce_emulator.uploads import Upload

#: Auto-number fields start after this number.
_FIRST_NUMBER = 1000


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be done with the rows of a batch, by whom and when."""

    operation: Operation
    sobject: SObject
    user_id: str
    now: datetime
    external_id: Field | None = None


class Rows:
    """Checks and writes rows. The only writer of records."""

    def __init__(self, schema: Schema, store: Store, ids: IdSource, settings: Settings) -> None:
        self._schema = schema
        self._store = store
        self._ids = ids
        self._settings = settings

    def carry_out(self, order: Order, upload: Upload) -> Outcomes:
        """Do what the order says; some rows may fail, the others are written.

        Raises:
            BatchError: The batch was refused as a whole, and nothing was written.
        """
        headers = [header for header in upload.columns if not _is_no_parent(order.sobject, upload, header)]
        columns = resolve(self._schema, order.sobject, headers, self._settings)
        # Rows are written together. That the platform writes them in small transactions only shows where a row can look
        # up another one of its batch: it finds those of earlier transactions.
        own_kind = any(column.parent is order.sobject for column in columns)
        size = self._settings.limits.records_per_transaction if own_kind else upload.count
        with self._store.writing() as cursor:
            parts = [self._transaction(cursor, order, part, columns) for part in upload.parts(size)]
        return parts[0] if len(parts) == 1 else Outcomes.joined(parts)

    def _transaction(self, cursor: Writer, order: Order, upload: Upload, columns: list[Column]) -> Outcomes:
        creates = order.operation in {Operation.INSERT, Operation.UPSERT}
        new_ids = (
            self._ids.take(order.sobject.key_prefix, upload.count) if creates else pa.nulls(upload.count, pa.string())
        )
        table = incoming(upload, columns, new_ids)
        cursor.connection.register("incoming", table.table)
        try:
            if creates or order.operation == Operation.UPDATE:
                self._write(cursor, order, table, strict=upload.strict_types)
            else:
                self._delete(cursor, order, table)
            return _outcomes(cursor)
        finally:
            cursor.connection.unregister("incoming")

    def _write(self, cursor: Writer, order: Order, table: Incoming, *, strict: bool) -> None:
        staging = Staging(self._schema, order.sobject, self._settings, order.operation, order.external_id)
        statement, values = staging.statement(table)
        cursor.execute(statement)
        if strict:
            self._refuse_wrong_types(cursor)
        writes = Writes(cursor, order, self._settings.texts.rows)
        writes.refuse_duplicates(values, order.external_id, refuse_all=self._settings.duplicate_key_fails_all)
        if order.operation != Operation.UPDATE:
            writes.insert(values, self._next_numbers(cursor, order.sobject, values))
        if order.operation != Operation.INSERT:
            writes.update(values)

    def _refuse_wrong_types(self, cursor: Writer) -> None:
        texts = self._settings.texts
        wrong = literal(texts.rows.type_wrong.code + SEPARATOR)
        found = first_value(cursor, f"SELECT error FROM stage WHERE starts_with(error, {wrong}) ORDER BY row LIMIT 1")
        if found is not None:
            raise BatchError.of(texts.batches.value_unreadable, reason=RowError.read(found).message)

    def _delete(self, cursor: Writer, order: Order, table: Incoming) -> None:
        texts = self._settings.texts.rows
        cursor.execute(deletes.stage(order.sobject, table.id, texts, hard=order.operation == Operation.HARD_DELETE))
        deletes.Deletes(cursor, self._schema, order, texts).delete(order.sobject)

    def _next_numbers(self, cursor: Writer, sobject: SObject, values: list[Value]) -> dict[str, int]:
        given = {value.field.name for value in values}
        numbers = {}
        for field in sobject.columns:
            if field.auto_number and field.name not in given:
                highest = f"SELECT max(TRY_CAST({quoted(field.name)} AS BIGINT)) FROM {quoted(sobject.name)}"
                numbers[field.name] = first_value(cursor, highest) or _FIRST_NUMBER
        return numbers


def _is_no_parent(sobject: SObject, upload: Upload, header: str) -> bool:
    """Whether it is a relationship that is null in every row (`"Parent": null`), and so means nothing."""
    if sobject.field(header) is not None or sobject.relationship(header) is None:
        return False
    values = pc.fill_null(upload.columns[header], upload.null_mark)
    return bool(pc.all(pc.equal(values, upload.null_mark)).as_py())


def _outcomes(cursor: Writer) -> Outcomes:
    table = cursor.connection.sql("SELECT id, is_new AND error IS NULL AS created, error FROM stage").to_arrow_table()
    columns = [_whole(table[name]) for name in ("id", "created", "error")]
    return Outcomes(columns[0], pc.fill_null(columns[1], fill_value=False), columns[2])


def _whole(column: pa.ChunkedArray) -> pa.Array:
    combined = column.combine_chunks()
    return pa.concat_arrays(combined.chunks) if isinstance(combined, pa.ChunkedArray) else combined
