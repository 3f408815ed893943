"""The writes of one batch: from `stage` into the sObject's table."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

from bulkforce_emulator.state.rows.conversion import error, literal
from bulkforce_emulator.state.rows.staging import key
from bulkforce_emulator.state.store import column_type, first_value, quoted

if TYPE_CHECKING:
    from bulkforce_emulator.schema import Field
    from bulkforce_emulator.state.rows.engine import Order
    from bulkforce_emulator.state.rows.staging import Value
    from bulkforce_emulator.state.store import Writer
    from bulkforce_emulator.texts import RowTexts


class Writes:
    """Writes the good rows of the stage, as one user at one moment."""

    def __init__(self, cursor: Writer, order: Order, texts: RowTexts) -> None:
        self._cursor = cursor
        self._sobject = order.sobject
        self._now = order.now.astimezone(UTC).replace(microsecond=0, tzinfo=None)
        self._user_id = order.user_id
        self._texts = texts

    def refuse_duplicates(self, values: list[Value], by: Field | None, *, refuse_all: bool) -> None:
        """Refuse unique values that are in the table already, or twice in the batch."""
        for value in values:
            if value.field is by and by.type != "id":
                self._refuse_same_key(value, refuse_all=refuse_all)
            elif value.field.unique:
                self._refuse_taken(value)

    def _refuse_same_key(self, value: Value, *, refuse_all: bool) -> None:
        if not self._repeats(value):
            return
        given = key(value.field, value.value)
        failed = error(self._texts.key_twice, value.field.name, value=f"{value.value}::VARCHAR")
        times = "count(*) OVER same" if refuse_all else "row_number() OVER (same ORDER BY row)"
        self._cursor.execute(
            f"UPDATE stage SET error = {failed} WHERE row IN (SELECT row FROM (SELECT row, {times} AS nth FROM stage "
            f"WHERE error IS NULL AND {value.value} IS NOT NULL WINDOW same AS (PARTITION BY {given})) WHERE nth > 1)"
        )

    def _repeats(self, value: Value) -> bool:
        """Whether a value comes twice in the batch; most batches need no closer look."""
        given = key(value.field, value.value)
        sql = f"SELECT count({given}) > count(DISTINCT {given}) FROM stage WHERE error IS NULL"
        return bool(first_value(self._cursor, sql))

    def _refuse_taken(self, value: Value) -> None:
        """Refuse a value that another record has, or an earlier row of the batch."""
        given = key(value.field, value.value)
        stored = key(value.field, quoted(value.field.name))
        holders = (
            f'SELECT {stored} AS k, "Id" AS id FROM {quoted(self._sobject.name)} '
            f'WHERE NOT "IsDeleted" AND {stored} IN (SELECT {given} FROM stage WHERE error IS NULL)'
        )
        # A record whose value an earlier row of the batch changed is no longer in the way.
        taken = (
            f"SELECT s.row, h.id AS holder FROM stage s "
            f"JOIN ({holders}) h ON h.k = {key(value.field, 's.' + value.value)} "
            f"WHERE s.error IS NULL AND h.id <> s.id AND NOT EXISTS (SELECT 1 FROM stage e WHERE e.id = h.id "
            f"AND e.error IS NULL AND e.row < s.row AND {key(value.field, 'e.' + value.value)} <> h.k)"
        )
        twice = (
            f"SELECT row, first_value(id) OVER (PARTITION BY {given} ORDER BY row) AS holder, id "
            f"FROM stage WHERE error IS NULL AND {value.value} IS NOT NULL"
        )
        if first_value(self._cursor, f"SELECT count(*) FROM ({holders})"):
            self._refuse_for_holder(value, taken)
        if self._repeats(value):
            self._refuse_for_holder(value, f"SELECT row, holder FROM ({twice}) WHERE holder <> id")

    def _refuse_for_holder(self, value: Value, found: str) -> None:
        failed = error(self._texts.value_taken, field=literal(value.field.name), id="left(d.holder, 15)")
        self._cursor.execute(
            f"UPDATE stage SET error = {failed} FROM "
            f"(SELECT row, min(holder) AS holder FROM ({found}) GROUP BY row) d WHERE d.row = stage.row"
        )

    def insert(self, values: list[Value], next_numbers: dict[str, int]) -> None:
        """Insert the new records, with defaults and stamps."""
        targets = {value.field.name: self.with_default(value) for value in values}
        for field in self._sobject.columns:
            if field.name not in targets and not field.formula:
                default = self.default(field, next_numbers)
                if default is not None:
                    targets[field.name] = default
        names = ", ".join(map(quoted, targets))
        self._cursor.execute(
            f"INSERT INTO {quoted(self._sobject.name)} ({names}) SELECT {', '.join(targets.values())} "
            "FROM stage WHERE error IS NULL AND is_new"
        )

    def with_default(self, value: Value, of: str = "") -> str:
        """What is inserted for a field that was given: its value or, in rows that have none, the default.

        Args:
            value: The field of the stage.
            of: The stage's name in the statement, with a dot.
        """
        given = of + value.value
        if value.field.type == "boolean":
            return f"coalesce({given}, {value.field.default is True})"
        default = self.default(value.field, {}, of)
        if default is None:
            return given
        filled = f"coalesce({given}, {default})"
        return f"CASE WHEN {of}{value.nulled} THEN NULL ELSE {filled} END" if value.nulled else filled

    def default(self, field: Field, next_numbers: dict[str, int], of: str = "") -> str | None:
        """What is inserted for a field that was not given; None for nothing."""
        stamps = {"CreatedDate", "LastModifiedDate", "SystemModstamp"}
        if field.name == "Id":
            return f"{of}id"
        if field.name in stamps:
            return f"TIMESTAMP '{self._now.isoformat(sep=' ')}'"
        if field.name in {"CreatedById", "LastModifiedById", "OwnerId", "AuthorId"}:
            return literal(self._user_id)
        if field.type == "boolean":
            return "true" if field.default is True else "false"
        if field.auto_number:
            return f"lpad((row_number() OVER (ORDER BY row) + {next_numbers.get(field.name, 0)})::VARCHAR, 8, '0')"
        if field.name == "Name" and field.defaulted_on_create:
            return f"left({of}id, 15)"  # a custom object's record without a name is named after its id
        return None if field.default is None else f"{literal(str(field.default))}::{column_type(field)}"

    def update(self, values: list[Value]) -> None:
        """Update the records that exist; fields that were not given stay as they are."""
        changes = [self._change(value) for value in values if value.field.name != "Id"]
        stamp = f"TIMESTAMP '{self._now.isoformat(sep=' ')}'"
        changes += [
            f'"LastModifiedDate" = {stamp}',
            f'"SystemModstamp" = {stamp}',
            f'"LastModifiedById" = {literal(self._user_id)}',
        ]
        # A record named twice is changed twice, in the order of the rows.
        self._cursor.execute(
            "CREATE OR REPLACE TEMP TABLE changed AS SELECT *, row_number() OVER (PARTITION BY id ORDER BY row) AS nth "
            "FROM stage WHERE error IS NULL AND NOT is_new"
        )
        times = first_value(self._cursor, "SELECT max(nth) FROM changed") or 0
        for nth in range(1, times + 1):
            self._cursor.execute(
                f"UPDATE {quoted(self._sobject.name)} t SET {', '.join(changes)} "
                f'FROM changed s WHERE t."Id" = s.id AND s.nth = {nth}'
            )

    def _change(self, value: Value) -> str:
        name = quoted(value.field.name)
        kept = f"coalesce(s.{value.value}, t.{name})"
        cleared = "false" if value.field.type == "boolean" else "NULL"
        changed = f"CASE WHEN s.{value.nulled} THEN {cleared} ELSE {kept} END" if value.nulled else kept
        return f"{name} = {changed}"
