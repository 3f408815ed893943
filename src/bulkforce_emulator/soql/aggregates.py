"""COUNT, SUM and the others, for REST; the Bulk API refuses them."""

from typing import TypeGuard

from bulkforce_emulator.schema import Field
from bulkforce_emulator.soql import functions
from bulkforce_emulator.soql.scope import Scope
from bulkforce_emulator.soql.tree import FunctionCall, Path, Query, Selected

_FUNCTIONS = {
    "COUNT": "count({x})",
    "COUNT_DISTINCT": "count(DISTINCT {x})",
    "SUM": "sum({x})",
    "AVG": "avg({x})",
    "MIN": "min({x})",
    "MAX": "max({x})",
}
_COUNTS = ("COUNT", "COUNT_DISTINCT")
_SUMMABLE = frozenset(("int", "long", "double", "currency", "percent"))


def is_function(expression: Path | FunctionCall) -> TypeGuard[FunctionCall]:
    """Whether it is an aggregate function."""
    return isinstance(expression, FunctionCall) and expression.name.upper() in _FUNCTIONS


def is_count(query: Query) -> bool:
    """Whether it is `SELECT COUNT() FROM ...`, which answers with a number and no records."""
    first = query.selected[0]
    return (
        isinstance(first, Selected)
        and isinstance(first.expression, FunctionCall)
        and first.expression.name.upper() == "COUNT"
        and not first.expression.arguments
    )


def is_aggregate(query: Query) -> bool:
    """Whether its rows are groups, not records."""
    return bool(query.group_by) or any(
        isinstance(item, Selected) and is_function(item.expression) for item in query.selected
    )


def compile_aggregate(scope: Scope, call: FunctionCall, name: str) -> tuple[str, Field]:
    """The SQL of an aggregate, and a field made up to describe what it gives."""
    function = call.name.upper()
    if len(call.arguments) != 1:
        raise scope.error(call.at, "MALFORMED_QUERY", f"unexpected token: '{call.name}'")
    operand = functions.resolve(scope, call.arguments[0])
    if function in ("SUM", "AVG") and operand.type not in _SUMMABLE:
        detail = f"field {operand.name} does not support aggregate operator {function}"
        raise scope.error(operand.at, "MALFORMED_QUERY", detail)
    gives = "int" if function in _COUNTS else "double" if function == "AVG" else operand.type
    return _FUNCTIONS[function].format(x=operand.sql), Field(name=name, label=name, type=gives)
