"""What sharing lets the user do with records of others: conditions and errors in SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bulkforce_emulator.sharing import may_edit, may_see
from bulkforce_emulator.state.rows.conversion import error
from bulkforce_emulator.state.store import quoted

if TYPE_CHECKING:
    from bulkforce_emulator.schema import Field, Schema, SObject
    from bulkforce_emulator.state.rows.engine import Order
    from bulkforce_emulator.texts import RowTexts


class Access:
    """The checks of one order; none where nothing is limited."""

    def __init__(self, schema: Schema, texts: RowTexts, order: Order) -> None:
        self._schema = schema
        self._texts = texts
        self._sobject = order.sobject
        self._user_id = order.user_id
        self._off = order.sees_all

    def to_write(self, record_id: str) -> list[str]:
        """The error of a record that the user may not change, as expressions; null where they may."""
        cases = self._cases(self._sobject, record_id, edit=True)
        return [f"CASE {' '.join(cases)} END"] if cases else []

    def to_refer(self, field: Field, record_id: str, named: SObject | None = None) -> list[str]:
        """The cases in which a record cannot be referred to; a detail needs a master that can be changed."""
        edit = field.cascade_delete and field.custom
        parents = [named] if named else [self._schema.sobjects[name] for name in field.reference_to]
        return [case for parent in parents for case in self._cases(parent, record_id, edit=edit, refers=True)]

    def _cases(self, sobject: SObject, record_id: str, *, edit: bool, refers: bool = False) -> list[str]:
        if self._off or sobject.sharing == "edit" or (not edit and sobject.sharing == "read"):
            return []
        table = f'SELECT x."Id" FROM {quoted(sobject.name)} x WHERE NOT'
        unseen = error(self._texts.access_missing, id=f"left({record_id}, 15)")
        cases = []
        if sobject.sharing == "private":
            cases.append(f"WHEN {record_id} IN ({table} {may_see(sobject, 'x', self._user_id)}) THEN {unseen}")
        if edit:
            said = unseen if refers else error(self._texts.access_read_only)
            cases.append(f"WHEN {record_id} IN ({table} {may_edit(sobject, 'x', self._user_id)}) THEN {said}")
        return cases
