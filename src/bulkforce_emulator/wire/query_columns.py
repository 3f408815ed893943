"""`/query?columns=true`: what a query's columns are, without its rows. The Salesforce CLI asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bulkforce_emulator.soql.aggregates import is_function
from bulkforce_emulator.soql.tree import Selected

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bulkforce_emulator.schema import Field, SObject
    from bulkforce_emulator.soql.query import CompiledQuery, ResultColumn

_APEX_TYPES = {
    "id": "Id", "reference": "Id", "boolean": "Boolean", "int": "Integer", "long": "Long", "double": "Double",
    "currency": "Double", "percent": "Double", "date": "Date", "datetime": "Datetime", "time": "Time",
}  # fmt: skip
_NUMBERS = frozenset(("int", "long", "double", "currency", "percent"))


def columns_of(compiled: CompiledQuery) -> dict[str, Any]:
    """The columns of a query, parents and child records with theirs inside."""
    told = _groups(compiled) if compiled.is_aggregate else _level(compiled.sobject, _paths(compiled))
    return {
        "columnMetadata": [*told, *_children(compiled)],
        "entityName": compiled.sobject.name,
        "groupBy": bool(compiled.tree.group_by),
        "idSelected": any(column.path == ("Id",) for column in compiled.columns),
        "keyPrefix": compiled.sobject.key_prefix,
    }


def _paths(compiled: CompiledQuery) -> list[tuple[tuple[str, ...], ResultColumn]]:
    return [(column.path, column) for column in compiled.columns]


def _groups(compiled: CompiledQuery) -> list[dict[str, Any]]:
    """The columns of a query whose rows are groups."""
    told = []
    for item, column in zip(compiled.tree.selected, compiled.columns, strict=False):
        summary = isinstance(item, Selected) and is_function(item.expression)
        displayed = str(item.expression) if isinstance(item, Selected) and summary else column.path[0]
        told.append(_column(column.path[0], displayed, column.field, aggregate=summary))
    return told


def _level(sobject: SObject | None, columns: Sequence[tuple[tuple[str, ...], ResultColumn]]) -> list[dict[str, Any]]:
    """The columns of one object: those of each parent are together where the first of them stands."""
    by_name: dict[str, list[tuple[tuple[str, ...], ResultColumn]]] = {}
    for path, column in columns:
        by_name.setdefault(path[0], []).append((path[1:], column))
    told = []
    for name, inner in by_name.items():
        (path, column), *_ = inner
        if path:
            reference = None if sobject is None else sobject.relationship(name)
            foreign = None if reference is None else reference.name
            told.append(_column(name, name, None, joined=_level(None, inner), foreign=foreign))
        else:
            told.append(_column(name, name, column.field))
    return told


def _children(compiled: CompiledQuery) -> list[dict[str, Any]]:
    return [
        _column(
            child.relationship, child.relationship, None, aggregate=True,
            joined=_level(child.query.sobject, _paths(child.query)),
        )
        for child in compiled.children
    ]  # fmt: skip


def _column(
    name: str,
    displayed: str,
    field: Field | None,
    *,
    aggregate: bool = False,
    joined: Sequence[dict[str, Any]] = (),
    foreign: str | None = None,
) -> dict[str, Any]:
    kind = "" if field is None else field.type
    apex = None if aggregate or field is None else _APEX_TYPES.get(kind, "String")
    own = field is not None and not aggregate
    return {
        "aggregate": aggregate,
        "apexType": apex,
        "booleanType": apex == "Boolean",
        "columnName": name,
        "custom": field is not None and field.custom,
        "displayName": displayed,
        "foreignKeyName": foreign,
        "insertable": own and field is not None and field.createable,
        "joinColumns": list(joined),
        "numberType": kind in _NUMBERS,
        "textType": apex == "String",
        "updatable": own and field is not None and field.updateable,
    }
