"""Person accounts: accounts that are people, each with a contact of its own that follows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from bulkforce_emulator.schema_files.switches import IS_PERSON, PERSON_CONTACT, mirrored
from bulkforce_emulator.state.rows.conversion import error, literal
from bulkforce_emulator.state.rows.staging import Value
from bulkforce_emulator.state.store import quoted

if TYPE_CHECKING:
    from bulkforce_emulator.ids import IdSource
    from bulkforce_emulator.schema import Schema
    from bulkforce_emulator.state.rows.engine import Order
    from bulkforce_emulator.state.rows.writes import Writes
    from bulkforce_emulator.state.store import Writer
    from bulkforce_emulator.texts import RowTexts


class Persons:
    """What becomes of the staged accounts of one order."""

    def __init__(self, cursor: Writer, schema: Schema, order: Order, texts: RowTexts) -> None:
        self._cursor = cursor
        self._account = order.sobject
        self._contact = schema.sobjects["Contact"]
        self._texts = texts
        self._pairs = mirrored(self._account, self._contact)

    def decide(self, values: list[Value], ids: IdSource, count: int) -> list[Value]:
        """Tell persons from businesses, and refuse fields of the other; return the fields of the stage."""
        given = {value.field.name: value for value in values}
        rules = self._account.rules
        kinds = [one for one in rules.record_types if one.person]
        default = next((one.id for one in kinds if one.usable), "")
        kind = f"s.{given[rules.type_field].value}" if rules.type_field in given else "NULL"
        last = f"s.{given['LastName'].value}" if "LastName" in given else "NULL"
        of_person = f"{kind} IN ({', '.join(literal(one.id) for one in kinds) or 'NULL'})"
        person = (
            f"CASE WHEN s.is_new THEN coalesce({of_person}, {last} IS NOT NULL) "
            f"ELSE coalesce(o.{quoted(IS_PERSON)}, false) END"
        )
        name = f"s.{given['Name'].value}" if "Name" in given else "NULL"
        parts = ", ".join(self._now(given.get(part), part) for part in ("FirstName", "LastName"))
        connection = self._cursor.connection
        connection.register("person_ids", pa.table({
            "row": pa.array(range(count), pa.int32()), "id": ids.take(self._contact.key_prefix, count),
        }))  # fmt: skip
        try:
            self._cursor.execute(
                "CREATE OR REPLACE TEMP TABLE stage AS SELECT s.* "
                f"REPLACE (coalesce(s.error, {self._wrong(given)}) AS error), "
                f"CASE WHEN s.person AND s.is_new THEN coalesce({kind}, {literal(default)}) ELSE {kind} END AS p_kind, "
                f"CASE WHEN s.person THEN concat_ws(' ', {parts}) ELSE {name} END AS p_name, "
                "CASE WHEN s.person AND s.is_new THEN i.id END AS p_contact "
                f"FROM (SELECT s.*, {person} AS person FROM stage s "
                f'LEFT JOIN {quoted(self._account.name)} o ON o."Id" = s.id AND NOT s.is_new) s '
                f'LEFT JOIN {quoted(self._account.name)} o ON o."Id" = s.id AND NOT s.is_new '
                "JOIN person_ids i ON i.row = s.row ORDER BY s.row"
            )
        finally:
            connection.unregister("person_ids")
        decided = {"Name": "p_name", rules.type_field: "p_kind", IS_PERSON: "person", PERSON_CONTACT: "p_contact"}
        kept = [value for value in values if value.field.name not in decided]
        fields = self._account.fields
        return [*kept, *(Value(fields[one], where, None, full=False) for one, where in decided.items())]

    def _now(self, value: Value | None, name: str) -> str:
        stored = f"o.{quoted(name)}"
        if value is None:
            return stored
        kept = f"coalesce(s.{value.value}, {stored})"
        return f"CASE WHEN s.{value.nulled} THEN NULL ELSE {kept} END" if value.nulled else kept

    def _wrong(self, given: dict[str, Value]) -> str:
        """The error of a row that has fields of the other kind, or lacks its name."""
        texts, cases = self._texts, []
        if "Name" in given:
            named = f"s.person AND s.{given['Name'].value} IS NOT NULL"
            unfit = error(texts.field_unfit, "Name", object=literal(self._account.name), field="'Name'")
            cases += [
                f"WHEN {named} AND s.is_new THEN {error(texts.not_writable, 'Name', field=literal('Name'))}",
                f"WHEN {named} THEN {unfit}",
            ]
        for name in self._pairs:
            value = given.get(name)
            if value is not None:
                unfit = error(texts.field_unfit, name, object=literal(self._account.name), field=literal(name))
                filled = f"s.{value.value}" if value.field.type == "boolean" else f"s.{value.value} IS NOT NULL"
                cases.append(f"WHEN NOT s.person AND {filled} THEN {unfit}")
        for name, of_person in (("LastName", "s.person"), ("Name", "NOT s.person")):
            value = given.get(name)
            missing = error(texts.required_missing, name, fields=literal(name))
            lacking = f"s.is_new AND s.{value.value} IS NULL" if value else "s.is_new"
            nulled = f" OR s.{value.nulled}" if value and value.nulled else ""
            cases.append(f"WHEN {of_person} AND (({lacking}){nulled}) THEN {missing}")
        return f"CASE {' '.join(cases)} END"

    def follow(self, writes: Writes) -> None:
        """Make the contacts of new persons, and let those of the others follow."""
        source = (
            f'FROM {quoted(self._account.name)} a JOIN stage s ON s.id = a."Id" WHERE s.error IS NULL AND s.person AND'
        )
        shared = {contact: f"a.{quoted(account)}" for account, contact in self._pairs.items()}
        inserted = {"Id": f"a.{quoted(PERSON_CONTACT)}", "AccountId": 'a."Id"', IS_PERSON: "true"} | shared
        for field in self._contact.columns:
            default = None if field.formula or field.name in inserted else writes.default(field, {})
            if default is not None:
                inserted[field.name] = default
        table = quoted(self._contact.name)
        self._cursor.execute(
            f"INSERT INTO {table} ({', '.join(map(quoted, inserted))}) SELECT {', '.join(inserted.values())} "
            f"{source} s.is_new"
        )
        stamps = {name: f"a.{quoted(name)}" for name in ("LastModifiedDate", "SystemModstamp", "LastModifiedById")}
        changes = ", ".join(f"{quoted(name)} = {value}" for name, value in (shared | stamps).items())
        self._cursor.execute(
            f'UPDATE {table} c SET {changes} {source} NOT s.is_new AND c."Id" = a.{quoted(PERSON_CONTACT)}'
        )
