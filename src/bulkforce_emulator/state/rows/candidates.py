"""The records as they would be after a write, which rules and triggers look at: the table `candidate`.

It has `_row`, `_is_new` and every column of the object, for the rows of the stage that have no error. Only objects
with rules pay for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bulkforce_emulator.state.store import column_type, quoted

if TYPE_CHECKING:
    from bulkforce_emulator.schema import Field, SObject
    from bulkforce_emulator.state.rows.staging import Value
    from bulkforce_emulator.state.rows.writes import Writes
    from bulkforce_emulator.state.store import Writer


def make_candidates(cursor: Writer, sobject: SObject, values: list[Value], writes: Writes) -> None:
    """Make the table anew from the stage."""
    given = {value.field.name: value for value in values}
    plain = [field for field in sobject.columns if not field.formula and field.name != "Id"]
    selected = ", ".join(
        f"{_expression(field, given.get(field.name), writes)} AS {quoted(field.name)}" for field in plain
    )
    formulas = "".join(f", ({field.formula}) AS {quoted(field.name)}" for field in sobject.columns if field.formula)
    cursor.execute(
        f"CREATE OR REPLACE TEMP TABLE candidate AS SELECT c.*{formulas} FROM ("
        f'SELECT s.row AS _row, s.is_new AS _is_new, s.id AS "Id", {selected} FROM stage s '
        f'LEFT JOIN {quoted(sobject.name)} o ON o."Id" = s.id AND NOT s.is_new WHERE s.error IS NULL) c'
    )


def _expression(field: Field, value: Value | None, writes: Writes) -> str:
    stored = f"o.{quoted(field.name)}"
    if value is None:
        default = None if field.auto_number else writes.default(field, {}, "s.")
        return f"CASE WHEN s.is_new THEN {default or 'NULL'} ELSE {stored} END::{column_type(field)}"
    inserted = writes.with_default(value, "s.")
    changed = f"coalesce(s.{value.value}, {stored})"
    if value.nulled:
        cleared = "false" if field.type == "boolean" else "NULL"
        changed = f"CASE WHEN s.{value.nulled} THEN {cleared} ELSE {changed} END"
    return f"CASE WHEN s.is_new THEN {inserted} ELSE {changed} END::{column_type(field)}"


def candidates(cursor: Writer) -> list[dict[str, Any]]:
    """Its rows, in the order of the batch."""
    found: list[dict[str, Any]] = (
        cursor.connection.sql("SELECT * FROM candidate ORDER BY _row").to_arrow_table().to_pylist()
    )
    return found


def stored(cursor: Writer, sobject: SObject) -> dict[str, dict[str, Any]]:
    """The records that the rows of the stage are about, as they are, by their ids."""
    sql = (
        f'SELECT * FROM {quoted(sobject.name)} WHERE "Id" IN (SELECT id FROM stage WHERE error IS NULL AND NOT is_new)'
    )
    rows: list[dict[str, Any]] = cursor.connection.sql(sql).to_arrow_table().to_pylist()
    return {row["Id"]: row for row in rows}


def refuse(cursor: Writer, rows: list[tuple[int, str]]) -> None:
    """Give these rows of the stage these errors, unless they have one."""
    if rows:
        cursor.connection.executemany("UPDATE stage SET error = $2 WHERE row = $1 AND error IS NULL", rows)
