"""Deletes: soft ones, which leave a record for queryAll, and hard ones; and what is deleted with a record."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

from bulkforce_emulator.state.job import Operation
from bulkforce_emulator.state.rows.access import Access
from bulkforce_emulator.state.rows.conversion import error, literal
from bulkforce_emulator.state.store import first_value, quoted

if TYPE_CHECKING:
    from bulkforce_emulator.schema import Schema, SObject
    from bulkforce_emulator.state.rows.engine import Order
    from bulkforce_emulator.state.rows.incoming import Given
    from bulkforce_emulator.state.store import Writer
    from bulkforce_emulator.texts import RowTexts


def stage(schema: Schema, order: Order, own: Given | None, texts: RowTexts) -> str:
    """The statement that checks which records can be deleted."""
    sobject, hard = order.sobject, order.operation == Operation.HARD_DELETE
    blank, deleted = error(texts.id_missing, call="'a delete'"), error(texts.deleted)
    if own is None:
        return (
            "CREATE OR REPLACE TEMP TABLE stage AS SELECT row, NULL::VARCHAR AS id, false AS is_new, "
            f"coalesce(fault, {blank}) AS error FROM incoming ORDER BY row"
        )
    malformed = ""
    if own.malformed:
        failed = error(texts.id_malformed_in_delete, "Id", value=f"i.{own.malformed}")
        malformed = f"WHEN i.{own.malformed} IS NOT NULL THEN {failed}"
    # A hard delete also takes a soft-deleted record, but only once; a second row for it finds it deleted.
    gone = "" if hard else f"WHEN m.gone THEN {deleted}"
    denied = "".join(f", {one}" for one in Access(schema, texts, order).to_write(f"i.{own.text}"))
    return (
        "CREATE OR REPLACE TEMP TABLE stage AS "
        f"SELECT i.row, i.{own.text} AS id, false AS is_new, coalesce(i.fault, CASE {malformed} "
        f"WHEN i.{own.text} IS NULL THEN {blank} "
        f'WHEN m."Id" IS NULL THEN {error(texts.record_unknown)} {gone} '
        f"WHEN row_number() OVER (PARTITION BY i.{own.text} ORDER BY i.row) > 1 THEN {deleted} END{denied}) AS error "
        f'FROM incoming i LEFT JOIN (SELECT "Id", "IsDeleted" AS gone FROM {quoted(sobject.name)} '
        f'WHERE "Id" IN (SELECT {own.text} FROM incoming)) m ON m."Id" = i.{own.text} ORDER BY i.row'
    )


class Deletes:
    """Deletes the records of good rows, and those that depend on them."""

    def __init__(self, cursor: Writer, schema: Schema, order: Order, texts: RowTexts) -> None:
        self._cursor = cursor
        self._schema = schema
        self._texts = texts
        self._now = order.now.astimezone(UTC).replace(microsecond=0, tzinfo=None)
        self._user_id = order.user_id
        self._hard = order.operation == Operation.HARD_DELETE

    def delete(self, sobject: SObject) -> None:
        """Delete the staged rows that have no error, along with the records that depend on theirs."""
        self._refuse_held(sobject, "SELECT row, id FROM stage WHERE error IS NULL", frozenset())
        self._cascade(sobject, "SELECT id FROM stage WHERE error IS NULL", depth=0)

    def _refuse_held(self, sobject: SObject, chosen: str, seen: frozenset[str]) -> None:
        """Refuse rows whose record, or one that would go with it, is referred to by one that forbids that."""
        for child in sobject.child_relationships:
            table, reference = quoted(child.child_sobject), quoted(child.field)
            joined = f'FROM ({chosen}) c JOIN {table} k ON k.{reference} = c.id AND NOT k."IsDeleted"'
            sobject_of_child = self._schema.sobjects[child.child_sobject]
            if child.restricted_delete:
                failed = error(
                    self._texts.delete_held, objects=literal(sobject_of_child.label_plural.lower()), id="h.id"
                )
                self._cursor.execute(
                    f"UPDATE stage SET error = {failed} FROM "
                    f'(SELECT c.row, min(k."Id") AS id {joined} GROUP BY c.row) h WHERE h.row = stage.row'
                )
            elif child.cascade_delete and child.child_sobject not in seen:
                below = f'SELECT c.row, k."Id" AS id {joined}'
                self._refuse_held(sobject_of_child, below, seen | {child.child_sobject})

    def _cascade(self, sobject: SObject, chosen: str, depth: int) -> None:
        """Delete the chosen records and their children. Circular references end after one round."""
        doomed = f"doomed{depth}"
        still = "" if self._hard else ' AND NOT "IsDeleted"'
        self._cursor.execute(
            f'CREATE OR REPLACE TEMP TABLE {doomed} AS SELECT "Id" AS id FROM {quoted(sobject.name)} '
            f'WHERE "Id" IN ({chosen}){still}'
        )
        if not first_value(self._cursor, f"SELECT count(*) FROM {doomed}"):
            return
        self._remove(sobject, doomed)
        for child in sobject.child_relationships:
            table, field = quoted(child.child_sobject), quoted(child.field)
            if child.cascade_delete:
                of_these = f'SELECT "Id" FROM {table} WHERE {field} IN (SELECT id FROM {doomed})'
                self._cascade(self._schema.sobjects[child.child_sobject], of_these, depth + 1)
            elif child.field not in {"OwnerId", "CreatedById", "LastModifiedById"}:
                self._cursor.execute(f"UPDATE {table} SET {field} = NULL WHERE {field} IN (SELECT id FROM {doomed})")

    def _remove(self, sobject: SObject, doomed: str) -> None:
        which = f'WHERE "Id" IN (SELECT id FROM {doomed})'
        if self._hard:
            self._cursor.execute(f"DELETE FROM {quoted(sobject.name)} {which}")
            return
        stamp = f"TIMESTAMP '{self._now.isoformat(sep=' ')}'"
        self._cursor.execute(
            f'UPDATE {quoted(sobject.name)} SET "IsDeleted" = true, "LastModifiedDate" = {stamp}, '
            f'"SystemModstamp" = {stamp}, "LastModifiedById" = {literal(self._user_id)} {which}'
        )
