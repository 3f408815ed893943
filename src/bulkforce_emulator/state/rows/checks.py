"""Applies an object's rules to staged rows: picklists of record types, validation rules, duplicate rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bulkforce_emulator.rules import Record
from bulkforce_emulator.state.rows.candidates import candidates, refuse, stored
from bulkforce_emulator.state.rows.conversion import error, literal
from bulkforce_emulator.state.rows.formula import compile_formula
from bulkforce_emulator.state.store import quoted
from bulkforce_emulator.uploads import RowError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from bulkforce_emulator.rules import DuplicateRule, ValidationRule
    from bulkforce_emulator.schema import Field, Schema, SObject
    from bulkforce_emulator.settings import Settings
    from bulkforce_emulator.state.rows.staging import Value
    from bulkforce_emulator.state.store import Writer

    Formula = Callable[[datetime], str]

#: What finds the stored record that a candidate is about.
_STORED = '{} o ON o."Id" = n."Id" AND NOT n._is_new'


class Checks:
    """The rules of all objects, ready to be applied."""

    def __init__(self, schema: Schema, settings: Settings, user_id: str) -> None:
        self._settings = settings
        self._texts = settings.texts.rows
        #: Formulas by object and rule.
        self._formulas: dict[tuple[str, str], Formula] = {
            (sobject.name, rule.name): compile_formula(rule.condition, schema, sobject, user_id)
            for sobject in schema.sobjects.values()
            for rule in sobject.rules.validation
            if isinstance(rule.condition, str)
        }

    def apply(
        self, cursor: Writer, sobject: SObject, values: list[Value], now: datetime, *, allow_duplicates: bool
    ) -> dict[int, list[str]]:
        """Refuse candidates that break a rule; return the duplicates found, by row."""
        self._picklists(cursor, sobject, {value.field.name for value in values})
        for rule in sobject.rules.validation:
            self._validate(cursor, sobject, rule, now)
        found: dict[int, list[str]] = {}
        for duplicate in sobject.rules.duplicates:
            if not (allow_duplicates and duplicate.action == "alert"):
                found |= self._compare(cursor, sobject, duplicate)
        return found

    def _picklists(self, cursor: Writer, sobject: SObject, given: set[str]) -> None:
        for kind in sobject.rules.record_types:
            for name, allowed in kind.picklists.items():
                field = sobject.fields[name]
                if name not in given or (
                    self._settings.record_types_narrow_restricted_picklists and not field.restricted
                ):
                    continue
                value = f"n.{quoted(name)}"
                failed = error(
                    self._texts.picklist_unfit, name, label=literal(field.label), field=literal(name), value=value
                )
                cursor.execute(
                    f"UPDATE stage SET error = {failed} FROM candidate n WHERE n._row = stage.row AND error IS NULL "
                    f'AND n."{sobject.rules.type_field}" = {literal(kind.id)} AND {_outside(field, value, allowed)}'
                )

    def _validate(self, cursor: Writer, sobject: SObject, rule: ValidationRule, now: datetime) -> None:
        fields = (rule.field,) if rule.field else ()
        broken = self._texts.rule_broken
        said = str(RowError(broken.code, broken.said(message=rule.message), fields))
        if not isinstance(rule.condition, str):
            refuse(cursor, [(row, said) for row, record in _records(cursor, sobject) if rule.condition(record)])
            return
        condition = self._formulas[sobject.name, rule.name](now)
        cursor.execute(
            f"UPDATE stage SET error = {literal(said)} WHERE error IS NULL AND row IN (SELECT n._row FROM candidate n "
            f"LEFT JOIN {_STORED.format(quoted(sobject.name))} WHERE {condition})"
        )

    def _compare(self, cursor: Writer, sobject: SObject, rule: DuplicateRule) -> dict[int, list[str]]:
        """Refuse candidates that a stored record is like; those of the same transaction are not compared."""
        same = " AND ".join(
            f"lower(trim(h.{name}::VARCHAR)) = lower(trim(n.{name}::VARCHAR))" for name in map(quoted, rule.match)
        )
        changed = " OR ".join(f"n.{name} IS DISTINCT FROM o.{name}" for name in map(quoted, rule.match))
        when = [f"(n._is_new AND {rule.on_insert})", f"(NOT n._is_new AND {rule.on_update} AND ({changed}))"]
        found: list[tuple[int, list[str]]] = cursor.connection.sql(
            f'SELECT n._row, list(h."Id" ORDER BY h."Id") FROM candidate n '
            f"LEFT JOIN {_STORED.format(quoted(sobject.name))} "
            f'JOIN {quoted(rule.among or sobject.name)} h ON {same} AND NOT h."IsDeleted" AND h."Id" <> n."Id" '
            f"JOIN stage s ON s.row = n._row AND s.error IS NULL WHERE {' OR '.join(when)} GROUP BY 1 ORDER BY 1"
        ).fetchall()
        text = self._texts.duplicate_found
        said = str(RowError(text.code, text.said(message=rule.message)))
        refuse(cursor, [(row, said) for row, _ in found])
        return {row: [rule.name, *ids] for row, ids in found}


def _records(cursor: Writer, sobject: SObject) -> list[tuple[int, Record]]:
    olds = stored(cursor, sobject)
    return [_record(whole, olds) for whole in candidates(cursor)]


def _record(whole: dict[str, Any], olds: dict[str, dict[str, Any]]) -> tuple[int, Record]:
    row, is_new = whole.pop("_row"), whole.pop("_is_new")
    return row, Record(whole, None if is_new else olds.get(whole["Id"]))


def _outside(field: Field, value: str, allowed: tuple[str, ...]) -> str:
    listed = ", ".join(map(literal, allowed))
    if field.type == "multipicklist":
        return f"NOT list_has_all([{listed}], string_split({value}, ';'))"
    return f"{value} NOT IN ({listed})" if allowed else f"{value} IS NOT NULL"
