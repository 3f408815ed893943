"""Carries out one batch of rows: insert, update, upsert, delete, hard delete."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from bulkforce_emulator.rules import Event
from bulkforce_emulator.state.job import Operation
from bulkforce_emulator.state.rows import deletes
from bulkforce_emulator.state.rows.candidates import make_candidates
from bulkforce_emulator.state.rows.checks import Checks
from bulkforce_emulator.state.rows.columns import resolve
from bulkforce_emulator.state.rows.conversion import literal
from bulkforce_emulator.state.rows.incoming import incoming
from bulkforce_emulator.state.rows.persons import Persons
from bulkforce_emulator.state.rows.staging import Staging
from bulkforce_emulator.state.rows.triggers import Triggers, run_at
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
    #: Whether sharing does not limit the user, as for records that an org begins with.
    sees_all: bool = False
    #: Whether duplicates may be saved where a rule only alerts.
    allow_duplicates: bool = False
    #: Whether rows are written in transactions, each of which finds what those before it have written.
    by_transaction: bool = False


class Rows:
    """Checks and writes rows. The only writer of records."""

    def __init__(self, schema: Schema, store: Store, ids: IdSource, settings: Settings, user_id: str) -> None:
        self._schema = schema
        self._store = store
        self._ids = ids
        self._settings = settings
        self._checks = Checks(schema, settings, user_id)

    def carry_out(self, order: Order, upload: Upload) -> Outcomes:
        """Do what the order says; some rows may fail, the others are written.

        Raises:
            BatchError: The batch was refused as a whole, and nothing was written.
        """
        headers = [header for header in upload.columns if not _is_no_parent(order.sobject, upload, header)]
        columns = resolve(self._schema, order.sobject, headers, self._settings)
        # Rows are written together. That the platform writes them in small transactions only shows to triggers and
        # duplicate rules, and where a row can look up another one of its batch: it finds those of earlier transactions.
        by_transaction = (
            order.by_transaction
            or order.sobject.rules.by_transaction
            or any(column.parent is order.sobject for column in columns)
        )
        size = self._settings.limits.records_per_transaction if by_transaction else upload.count
        with self._store.writing() as cursor:
            parts = [self._transaction(cursor, order, part, columns) for part in upload.parts(size)]
        return parts[0] if len(parts) == 1 else Outcomes.joined(parts)

    def check_headers(self, sobject: SObject, upload: Upload) -> None:
        """Look at the columns of an upload alone.

        Raises:
            BatchError: One of them is no field.
        """
        resolve(self._schema, sobject, upload.columns, self._settings)

    def _transaction(self, cursor: Writer, order: Order, upload: Upload, columns: list[Column]) -> Outcomes:
        creates = order.operation in {Operation.INSERT, Operation.UPSERT}
        new_ids = (
            self._ids.take(order.sobject.key_prefix, upload.count) if creates else pa.nulls(upload.count, pa.string())
        )
        table = incoming(upload, columns, new_ids)
        cursor.connection.register("incoming", table.table)
        try:
            if not creates and order.operation != Operation.UPDATE:
                self._delete(cursor, order, table)
                return _outcomes(cursor)
            duplicates = self._write(cursor, order, table, strict=upload.strict_types)
            outcomes = _outcomes(cursor)
            return self._with_duplicates(outcomes, duplicates) if duplicates else outcomes
        finally:
            cursor.connection.unregister("incoming")

    def _write(self, cursor: Writer, order: Order, table: Incoming, *, strict: bool) -> dict[int, list[str]]:
        """Write the rows; return the duplicates that rules found."""
        rules, texts = order.sobject.rules, self._settings.texts.rows
        triggered = run_at(order.sobject, (Event.BEFORE_INSERT, Event.BEFORE_UPDATE))
        staging = Staging(self._schema, self._settings, order)
        statement, values = staging.statement(table, required=not triggered)
        cursor.execute(statement)
        if strict:
            self._refuse_wrong_types(cursor)
        writes = Writes(cursor, order, texts)
        persons = Persons(cursor, self._schema, order, texts) if rules.persons else None
        if persons is not None:
            values = persons.decide(values, self._ids, table.table.num_rows)
        if triggered:
            values = Triggers(cursor, order.sobject, texts).before_write(values, writes)
            cursor.execute(staging.required_after(values))
        duplicates: dict[int, list[str]] = {}
        if rules.check_rows:
            make_candidates(cursor, order.sobject, values, writes)
            duplicates = self._checks.apply(
                cursor, order.sobject, values, order.now, allow_duplicates=order.allow_duplicates
            )
        writes.refuse_duplicates(values, order.external_id, refuse_all=self._settings.duplicate_key_fails_all)
        if order.operation != Operation.UPDATE:
            writes.insert(values, self._next_numbers(cursor, order.sobject, values))
        if order.operation != Operation.INSERT:
            writes.update(values)
        if persons is not None:
            persons.follow(writes)
        return duplicates

    def _refuse_wrong_types(self, cursor: Writer) -> None:
        texts = self._settings.texts
        wrong = literal(texts.rows.type_wrong.code + SEPARATOR)
        found = first_value(cursor, f"SELECT error FROM stage WHERE starts_with(error, {wrong}) ORDER BY row LIMIT 1")
        if found is not None:
            raise BatchError.of(texts.batches.value_unreadable, reason=RowError.read(found).message)

    def _with_duplicates(self, outcomes: Outcomes, duplicates: dict[int, list[str]]) -> Outcomes:
        created = outcomes.created
        if self._settings.refused_duplicates_say_created:
            code = self._settings.texts.rows.duplicate_found.code + SEPARATOR
            refused = pc.fill_null(pc.starts_with(outcomes.errors, code), fill_value=False)
            created = pc.or_(created, refused)
        return replace(outcomes, created=created, duplicates=duplicates)

    def _delete(self, cursor: Writer, order: Order, table: Incoming) -> None:
        texts = self._settings.texts.rows
        cursor.execute(deletes.stage(self._schema, order, table.id, texts))
        if run_at(order.sobject, (Event.BEFORE_DELETE,)):
            Triggers(cursor, order.sobject, texts).before_delete()
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
