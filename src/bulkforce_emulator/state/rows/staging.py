"""The checks of one batch: one statement that turns the incoming table into `stage`.

`stage` has, row by row in the order of the batch: `id` (the record's), `is_new`, a column `f<n>` per field with its
typed value, a column `n<n>` where nulls were asked for, and `error`, null while the row is good.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bulkforce_emulator.state.job import Operation
from bulkforce_emulator.state.rows.access import Access
from bulkforce_emulator.state.rows.conversion import error, literal, typed
from bulkforce_emulator.state.store import quoted
from bulkforce_emulator.uploads import SEPARATOR

if TYPE_CHECKING:
    from bulkforce_emulator.schema import Field, Schema, SObject
    from bulkforce_emulator.settings import Settings
    from bulkforce_emulator.state.rows.columns import Column
    from bulkforce_emulator.state.rows.engine import Order
    from bulkforce_emulator.state.rows.incoming import Given, Incoming

_KEYLESS = {"boolean", "int", "long", "double", "currency", "percent", "date", "datetime", "time"}


@dataclass(frozen=True, slots=True)
class Value:
    """A field of the stage: where its value and its flag for null are."""

    field: Field
    value: str
    nulled: str | None
    #: Whether every row has a value.
    full: bool


def _of_object(parent: SObject, sobject: SObject) -> str:
    """Names of record types are unique only within their object."""
    kind = next((field.name for field in parent.fields.values() if field.name == sobject.rules.type_object), None)
    return f" AND {quoted(kind)} = {literal(sobject.name)}" if kind and sobject.rules.record_types else ""


def key(field: Field, expression: str) -> str:
    """What values of a field are compared by: most strings are compared in any letter case."""
    return expression if field.case_sensitive or field.type in _KEYLESS else f"lower({expression})"


class Staging:
    """Writes the staging statement for one operation on one sObject."""

    def __init__(self, schema: Schema, settings: Settings, order: Order) -> None:
        self._schema = schema
        self._sobject = order.sobject
        self._settings = settings
        self._texts = settings.texts.rows
        self._operation = order.operation
        #: The upsert's key; None for other operations.
        self._by = order.external_id
        self._access = Access(schema, settings.texts.rows, order)

    def statement(self, incoming: Incoming, *, required: bool = True) -> tuple[str, list[Value]]:
        """The statement, and the fields of the stage that may be written; in the others every value is an error.

        Args:
            incoming: The rows.
            required: Whether missing values are errors already; see `required_after`.
        """
        selected, errors, joins, values = [], ["i.fault", *self._id_errors(incoming.id)], [], []
        for number, given in enumerate(incoming.given):
            value, failures, join = self._column(given, number)
            nulled = f"i.{given.nulled} AS n{number}" if given.nulled else None
            selected += [f"{value} AS f{number}", *([nulled] if nulled else [])]
            errors += failures
            joins += join
            values.append(Value(given.column.field, f"f{number}", f"n{number}" if given.nulled else None, given.full))
        target = f"i.{incoming.id.text}" if incoming.id else "NULL::VARCHAR"
        carried = "".join(f", {one}" for one in selected)
        typed_rows = (
            f"SELECT i.row, i.new_id, {target} AS given_id{carried}, "
            f"coalesce({', '.join(errors)}, NULL::VARCHAR) AS error FROM incoming i {' '.join(joins)}"
        )
        writable = [value for value in values if self._is_writable(value.field)]
        return self._matched(typed_rows, values, joined=bool(joins), required=required), writable

    def required_after(self, values: list[Value]) -> str:
        """The statement that refuses rows without a required value, once triggers have filled what they fill."""
        wrong = ", ".join([*self._required_error(values, "t.is_new"), "NULL::VARCHAR"])
        return (
            f"UPDATE stage SET error = w.error FROM (SELECT t.row, coalesce({wrong}) AS error FROM stage t "
            "WHERE t.error IS NULL) w WHERE w.row = stage.row AND w.error IS NOT NULL"
        )

    def _matched(self, typed_rows: str, values: list[Value], *, joined: bool, required: bool) -> str:
        join, found, errors = self._match(values)
        carried = "".join(f", t.{value.value}" + (f", t.{value.nulled}" if value.nulled else "") for value in values)
        is_new = f"({found} IS NULL)" if self._operation != Operation.UPDATE else "false"
        lacking = self._required_error(values, is_new) if required else []
        denied = self._access.to_write(found) if self._operation != Operation.INSERT else []
        wrong = ", ".join(["t.error", *errors, *denied, *lacking])
        materialized = "MATERIALIZED" if join else "NOT MATERIALIZED"
        # Only a join can change the order of the rows.
        order = " ORDER BY t.row" if join or joined else ""
        return (
            f"CREATE OR REPLACE TEMP TABLE stage AS WITH t AS {materialized} ({typed_rows}) "
            f"SELECT t.row, coalesce({found}, CASE WHEN {is_new} THEN t.new_id END) AS id, {is_new} AS is_new"
            f"{carried}, coalesce({wrong}, NULL::VARCHAR) AS error FROM t {join}{order}"
        )

    def _match(self, values: list[Value]) -> tuple[str, str, list[str]]:
        """How rows find their records: a join, the id it finds, and what can be wrong with it."""
        table, texts = quoted(self._sobject.name), self._texts
        if self._operation == Operation.INSERT:
            return "", "NULL::VARCHAR", []
        if self._by is None or self._by.type == "id":
            join = (
                f'LEFT JOIN (SELECT "Id", "IsDeleted" AS gone FROM {table} '
                f'WHERE "Id" IN (SELECT given_id FROM t)) m ON m."Id" = t.given_id'
            )
            missing = (
                f'CASE WHEN t.given_id IS NOT NULL AND m."Id" IS NULL THEN {error(texts.record_unknown)} '
                f"WHEN m.gone THEN {error(texts.deleted)} END"
            )
            return join, "t.given_id", [missing]
        blank = error(texts.key_missing, field=literal(self._by.name))
        own = next((value.value for value in values if value.field is self._by), None)
        if own is None:
            return "", "NULL::VARCHAR", [blank]
        stored, given = key(self._by, quoted(self._by.name)), key(self._by, f"t.{own}")
        join = (
            f'LEFT JOIN (SELECT {stored} AS k, min("Id") AS id, count(*) AS n FROM {table} WHERE NOT "IsDeleted" '
            f"AND {stored} IN (SELECT {key(self._by, own)} FROM t) GROUP BY 1) m ON m.k = {given}"
        )
        many = error(texts.key_ambiguous, field=literal(self._by.name))
        return join, "m.id", [f"CASE WHEN t.{own} IS NULL THEN {blank} WHEN m.n > 1 THEN {many} END"]

    def _id_errors(self, own: Given | None) -> list[str]:
        texts = self._texts
        blank = error(texts.id_missing, call="'an update'")
        if own is None:
            return [blank] if self._operation == Operation.UPDATE else []
        errors = []
        if own.malformed:
            failed = error(texts.id_malformed, "Id", label=literal(own.column.field.label), value=f"i.{own.malformed}")
            errors.append(f"CASE WHEN i.{own.malformed} IS NOT NULL THEN {failed} END")
        if self._operation == Operation.UPDATE:
            errors.append(f"CASE WHEN i.{own.text} IS NULL THEN {blank} END")
        elif self._operation == Operation.INSERT:
            errors.append(f"CASE WHEN i.{own.text} IS NOT NULL THEN {error(texts.id_unwanted, 'Id')} END")
        elif self._by is not None and self._by.type != "id":
            errors.append(f"CASE WHEN i.{own.text} IS NOT NULL THEN {error(texts.id_beside_key, 'Id')} END")
        prefix = literal(self._sobject.key_prefix)
        errors.append(f"CASE WHEN left(i.{own.text}, 3) <> {prefix} THEN {error(texts.record_unknown)} END")
        return errors

    def _column(self, given: Given, number: int) -> tuple[str, list[str], list[str]]:
        field, text = given.column.field, f"i.{given.text}"
        failures: list[str]
        joins: list[str]
        if given.empty:
            value, failures, joins = "NULL" if given.is_id else typed(field, text, self._settings)[0], [], []
        elif given.is_id and field.type == "reference":
            value, failures, joins = self._by_id(given, number)
        elif given.column.index is not None:
            value, failures, joins = self._by_index(given.column, text, number)
        else:
            value, failure = typed(field, text, self._settings, given.longest)
            failures, joins = [failure] if failure else [], []
        if not self._is_writable(field):
            asked = f"{text} IS NOT NULL" + (f" OR i.{given.nulled}" if given.nulled else "")
            failures.insert(
                0,
                f"CASE WHEN {asked} THEN {error(self._texts.not_writable, field.name, field=literal(field.name))} END",
            )
        return value, failures, joins

    def _is_writable(self, field: Field) -> bool:
        return field.updateable if self._operation == Operation.UPDATE else field.createable

    def _by_id(self, given: Given, number: int) -> tuple[str, list[str], list[str]]:
        field, text, alias = given.column.field, f"i.{given.text}", f"p{number}"
        parents = [self._schema.sobjects[name] for name in field.reference_to]
        table = " UNION ALL ".join(
            f'SELECT "Id" AS id, "IsDeleted" AS gone FROM {quoted(parent.name)} '
            f'WHERE "Id" IN (SELECT {given.text} FROM incoming)'
            for parent in parents
        )
        texts, label = self._texts, literal(field.label)
        if self._sobject.rules.record_types and field.name == self._sobject.rules.type_field:
            usable = ", ".join(literal(one.id) for one in self._sobject.rules.record_types if one.usable)
            unfit = error(texts.record_type_unfit, field.name, value=text)
            return text, [f"CASE WHEN {text} NOT IN ({usable or 'NULL'}) THEN {unfit} END"], []
        unfit = error(texts.reference_unfit, field.name, label=label, value=text)
        prefixes = ", ".join(literal(parent.key_prefix) for parent in parents)
        cases = [
            f"WHEN left({text}, 3) NOT IN ({prefixes}) THEN {unfit}",
            f"WHEN {text} IS NOT NULL AND {alias}.id IS NULL THEN {error(texts.reference_unknown, field.name)}",
            f"WHEN {alias}.gone THEN {error(texts.deleted)}",
            *self._access.to_refer(field, text),
        ]
        if given.malformed:
            malformed = error(texts.reference_malformed, field.name, label=label, value=f"i.{given.malformed}")
            cases.insert(0, f"WHEN i.{given.malformed} IS NOT NULL THEN {malformed}")
        return text, [f"CASE {' '.join(cases)} END"], [f"LEFT JOIN ({table}) {alias} ON {alias}.id = {text}"]

    def _by_index(self, column: Column, text: str, number: int) -> tuple[str, list[str], list[str]]:
        index, parent, alias = column.index, column.parent, f"p{number}"
        if index is None or parent is None:
            raise AssertionError(column)
        given, failure = typed(index, text, self._settings)
        wanted, _ = typed(index, text.removeprefix("i."), self._settings)
        stored = key(index, quoted(index.name))
        join = (
            f'LEFT JOIN (SELECT {stored} AS k, min("Id") AS id, count(*) AS n FROM {quoted(parent.name)} '
            f'WHERE NOT "IsDeleted"{_of_object(parent, self._sobject)} '
            f"AND {stored} IN (SELECT {key(index, wanted)} FROM incoming) GROUP BY 1) {alias} "
            f"ON {alias}.k = {key(index, given)}"
        )
        facts = {"value": text, "field": literal(index.name), "object": literal(parent.name)}
        cases = (
            f"CASE WHEN {text} IS NOT NULL AND {alias}.id IS NULL THEN {error(self._texts.parent_unknown, **facts)} "
            f"WHEN {alias}.n > 1 THEN {error(self._texts.parent_ambiguous, **facts)} "
            f"{' '.join(self._access.to_refer(column.field, f'{alias}.id', parent))} END"
        )
        # A malformed email just finds nothing: the index decides, not the form of the value.
        failures = [cases] if failure is None or index.type not in {"double", "int", "long"} else [failure, cases]
        return f"{alias}.id", failures, [join]

    def _required_error(self, values: list[Value], is_new: str) -> list[str]:
        given = {value.field.name: value for value in values}
        lost = []
        for field in self._sobject.columns:
            if not field.required:
                continue
            value = given.get(field.name)
            if value is not None and value.full:
                continue
            if value is None:
                lost.append(f"CASE WHEN {is_new} THEN {literal(field.name)} END")
                continue
            asked = f" OR t.{value.nulled}" if value.nulled else ""
            lost.append(f"CASE WHEN ({is_new} AND t.{value.value} IS NULL){asked} THEN {literal(field.name)} END")
        if not lost:
            return []
        names = f"list_filter([{', '.join(lost)}], lambda name: name IS NOT NULL)"
        missing = error(self._texts.required_missing, fields=f"array_to_string({names}, ', ')")
        text = f"{missing} || {literal(SEPARATOR)} || array_to_string({names}, {literal(SEPARATOR)})"
        return [f"CASE WHEN len({names}) > 0 THEN {text} END"]
