"""Functions of one field: the parts of dates, and the display functions that change nothing here."""

from bulkforce_emulator.soql.scope import Operand, Scope
from bulkforce_emulator.soql.tree import FunctionCall, Path

# Date function: DuckDB expression of {x}, and the type of what it gives.
_DATE_PARTS = {
    "CALENDAR_MONTH": "month({x})",
    "CALENDAR_QUARTER": "quarter({x})",
    "CALENDAR_YEAR": "year({x})",
    "DAY_IN_MONTH": "day({x})",
    "DAY_IN_WEEK": "dayofweek({x}) + 1",
    "DAY_IN_YEAR": "dayofyear({x})",
    "FISCAL_MONTH": "month({x})",
    "FISCAL_QUARTER": "quarter({x})",
    "FISCAL_YEAR": "year({x})",
    "HOUR_IN_DAY": "hour({x})",
    "WEEK_IN_MONTH": "(day({x}) + 6) // 7",
    "WEEK_IN_YEAR": "(dayofyear({x}) + 6) // 7",
}
# Only the labels of picklists, the user's currency and locale would differ, and an emulated org has one of each.
DISPLAY = ("TOLABEL", "FORMAT", "CONVERTCURRENCY", "CONVERTTIMEZONE")


def resolve(scope: Scope, expression: Path | FunctionCall) -> Operand:
    """The operand of a condition, an order or a SELECT list; aggregates are not among them.

    Raises:
        SoqlError: No such field, relationship or function.
    """
    if isinstance(expression, Path):
        return scope.resolve(expression)
    name = expression.name.upper()
    if name in DISPLAY and len(expression.arguments) == 1:
        return resolve(scope, expression.arguments[0])
    if name == "DAY_ONLY" and len(expression.arguments) == 1:
        inner = _dated(scope, expression)
        return Operand(f"CAST({inner.sql} AS DATE)", "date", expression.at, inner.path)
    if name in _DATE_PARTS and len(expression.arguments) == 1:
        inner = _dated(scope, expression)
        return Operand(f"({_DATE_PARTS[name].format(x=inner.sql)})", "int", expression.at, inner.path)
    raise scope.error(expression.at, "MALFORMED_QUERY", f"unexpected token: '{expression.name}'")


def _dated(scope: Scope, call: FunctionCall) -> Operand:
    inner = resolve(scope, call.arguments[0])
    wanted = ("datetime",) if call.name.upper() in ("HOUR_IN_DAY", "DAY_ONLY") else ("date", "datetime")
    if inner.type not in wanted:
        raise scope.error(
            inner.at, "INVALID_FIELD", f"field '{inner.name}' can not be used with the function {call.name.upper()}"
        )
    return inner
