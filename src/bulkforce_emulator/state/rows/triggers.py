"""Runs triggers: Python code that sees the records of a transaction before they are saved, and may change them."""

from __future__ import annotations

import traceback
from collections import defaultdict
from typing import TYPE_CHECKING

import pyarrow as pa

from bulkforce_emulator.rules import Event, Record
from bulkforce_emulator.state.rows.candidates import candidates, make_candidates, refuse, stored
from bulkforce_emulator.state.rows.staging import Value
from bulkforce_emulator.state.store import column_type
from bulkforce_emulator.uploads import RowError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bulkforce_emulator.rules import Trigger
    from bulkforce_emulator.schema import Field, SObject
    from bulkforce_emulator.state.rows.writes import Writes
    from bulkforce_emulator.state.store import Writer
    from bulkforce_emulator.texts import RowTexts

_ARROW = {
    "BOOLEAN": pa.bool_(), "BIGINT": pa.int64(), "DOUBLE": pa.float64(), "DATE": pa.date32(),
    "TIMESTAMP": pa.timestamp("us"), "TIME": pa.time64("us"),
}  # fmt: skip
_SYSTEM = frozenset({
    "Id", "IsDeleted", "CreatedDate", "CreatedById", "LastModifiedDate", "LastModifiedById", "SystemModstamp",
})  # fmt: skip
#: New values by field and row.
Changes = dict[str, dict[int, object]]


class Triggers:
    """Runs the triggers of one object for the staged rows of one transaction."""

    def __init__(self, cursor: Writer, sobject: SObject, texts: RowTexts) -> None:
        self._cursor = cursor
        self._sobject = sobject
        self._texts = texts

    def before_write(self, values: list[Value], writes: Writes) -> list[Value]:
        """Run them for the rows that are inserted or updated; return the fields of the stage, with what they set."""
        make_candidates(self._cursor, self._sobject, values, writes)
        olds = stored(self._cursor, self._sobject)
        records: dict[bool, dict[int, Record]] = {True: {}, False: {}}
        for whole in candidates(self._cursor):
            row, is_new = whole.pop("_row"), whole.pop("_is_new")
            records[is_new][row] = Record(whole, None if is_new else olds[whole["Id"]])
        changes: Changes = defaultdict(dict)
        for event, met in ((Event.BEFORE_INSERT, records[True]), (Event.BEFORE_UPDATE, records[False])):
            if met:
                self._run(event, met, changes)
        return self._written_back(values, changes)

    def before_delete(self) -> None:
        """Run them for the rows whose records are deleted."""
        sql = "SELECT row, id FROM stage WHERE error IS NULL"
        rows = self._cursor.connection.sql(sql).fetchall()
        olds = stored(self._cursor, self._sobject)
        met = {row: Record(olds[record_id], olds[record_id]) for row, record_id in rows}
        if met:
            self._run(Event.BEFORE_DELETE, met, {})

    def _run(self, event: Event, met: Mapping[int, Record], changes: Changes) -> None:
        for trigger in self._sobject.rules.of_event(event):
            before = {row: dict(record) for row, record in met.items()}
            try:
                trigger.act(list(met.values()))
                if event is not Event.BEFORE_DELETE:
                    self._note(met, before, changes)
            except Exception as failure:  # noqa: BLE001 - whatever it is, the rows fail with it
                error = str(self._failed(trigger, failure))
                refuse(self._cursor, [(row, error) for row in met])
                return
        refuse(self._cursor, [(row, self._added(record)) for row, record in met.items() if record.errors])

    def _added(self, record: Record) -> str:
        message, fields = record.errors[0]
        return str(RowError(self._texts.rule_broken.code, self._texts.rule_broken.said(message=message), fields))

    def _failed(self, trigger: Trigger, failure: Exception) -> RowError:
        frames = traceback.extract_tb(failure.__traceback__)
        return RowError.of(
            self._texts.trigger_failed,
            trigger=trigger.name,
            event="".join(word.capitalize() for word in trigger.event.value.split("_")),
            kind=type(failure).__name__,
            reason=failure,
            line=frames[-1].lineno if frames else 1,
        )

    def _note(self, met: Mapping[int, Record], before: Mapping[int, Mapping[str, object]], changes: Changes) -> None:
        """Note what a trigger changed.

        Raises:
            ValueError: It set something that cannot be set.
        """
        for row, record in met.items():
            for name, value in record.items():
                if name in before[row] and before[row][name] == value:
                    continue
                field = self._field(name)
                pa.array([value], _ARROW.get(column_type(field), pa.string()))
                changes.setdefault(field.name, {})[row] = value

    def _field(self, name: str) -> Field:
        field = next((one for one in self._sobject.columns if one.name.lower() == name.lower()), None)
        if field is None:
            raise ValueError(f"Invalid field {name} for {self._sobject.name}")
        if field.formula or field.name in _SYSTEM:
            raise ValueError(f"Field is not writeable: {self._sobject.name}.{field.name}")
        return field

    def _written_back(self, values: list[Value], changes: Changes) -> list[Value]:
        """Put changes into the stage."""
        if not changes:
            return values
        rows = sorted({row for by_row in changes.values() for row in by_row})
        arrays: dict[str, pa.Array] = {"row": pa.array(rows, pa.int32())}
        selected, kept = [], {value.field.name: value for value in values}
        replaced = {}
        for number, (name, by_row) in enumerate(changes.items()):
            field = self._field(name)
            kind = column_type(field)
            arrays[f"v{number}"] = pa.array([by_row.get(row) for row in rows], _ARROW.get(kind, pa.string()))
            arrays[f"s{number}"] = pa.array([row in by_row for row in rows])
            was, is_set = kept.get(name), f"coalesce(c.s{number}, false)"
            old = f"s.{was.value}" if was else "NULL"
            old_null = f"s.{was.nulled}" if was and was.nulled else "false"
            selected += [
                f"CASE WHEN {is_set} THEN c.v{number} ELSE {old} END::{kind} AS t{number}",
                f"CASE WHEN {is_set} THEN c.v{number} IS NULL ELSE {old_null} END AS u{number}",
            ]
            replaced[name] = Value(field, f"t{number}", f"u{number}", full=False)
        connection = self._cursor.connection
        connection.register("changes", pa.table(arrays))
        try:
            self._cursor.execute(
                f"CREATE OR REPLACE TEMP TABLE stage AS SELECT s.*, {', '.join(selected)} "
                "FROM stage s LEFT JOIN changes c ON c.row = s.row ORDER BY s.row"
            )
        finally:
            connection.unregister("changes")
        return [*(replaced.pop(value.field.name, value) for value in values), *replaced.values()]


def run_at(sobject: SObject, events: Sequence[Event]) -> bool:
    """Whether any trigger of the object runs then."""
    return any(trigger.event in events for trigger in sobject.rules.triggers)
