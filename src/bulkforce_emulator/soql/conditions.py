"""WHERE and HAVING as SQL.

The platform's conditions are true or false, never unknown: for an empty field, `!=`, `NOT IN` and NOT are true, and
all other comparisons are false.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time

from bulkforce_emulator.soql import values
from bulkforce_emulator.soql.dates import date_range
from bulkforce_emulator.soql.scope import Operand, Scope
from bulkforce_emulator.soql.tree import (
    Both,
    Comparison,
    Condition,
    Either,
    FunctionCall,
    Kind,
    Literal,
    Membership,
    Not,
    Path,
    Query,
    SemiJoin,
)

_TEXTS = frozenset(
    ("string", "textarea", "picklist", "multipicklist", "email", "phone", "url", "combobox", "encryptedstring")
)
_IDS = frozenset(("id", "reference"))
# These have no index, and neither have long text areas, which hold up to 131,072 characters.
_UNFILTERABLE = frozenset(("address", "location", "base64", "encryptedstring"))
_AFTER_ANY_ID = "~"


@dataclass(frozen=True)
class Conditions:
    """Compiles the conditions of one scope.

    Attributes:
        scope: Looks up names, and says where in the query errors are.
        resolve: Returns the operand of a field or function (in HAVING also of an aggregate).
        bind: Adds a parameter and returns its placeholder.
        subquery: Compiles a semi-join's query to SQL of one column.
        today: The day that date literals are relative to.
    """

    scope: Scope
    resolve: Callable[[Path | FunctionCall], Operand]
    bind: Callable[[object], str]
    subquery: Callable[[Query], str]
    today: date

    def sql(self, condition: Condition, *, exact: bool = False) -> str:
        """A condition as SQL; with `exact`, never NULL (needed below a NOT)."""
        match condition:
            case Both(parts):
                return "(" + " AND ".join(self.sql(part, exact=exact) for part in parts) + ")"
            case Either(parts):
                return "(" + " OR ".join(self.sql(part, exact=exact) for part in parts) + ")"
            case Not(part):
                return f"NOT {self.sql(part, exact=True)}"
            case Comparison():
                positive, negated = self._comparison(condition)
            case Membership():
                positive, negated = self._membership(condition)
            case SemiJoin(left, negated, query):
                operand = self._filterable(left)
                if operand.type not in _IDS:
                    raise self._invalid_operator(operand)
                positive = f"{operand.sql} IN ({self.subquery(query)})"
        if negated:
            return f"(NOT coalesce({positive}, FALSE))"
        return f"coalesce({positive}, FALSE)" if exact else f"({positive})"

    def _filterable(self, expression: Path | FunctionCall) -> Operand:
        operand = self.resolve(expression)
        long_text = operand.field is not None and operand.type == "textarea" and operand.field.length > 255
        if long_text or operand.type in _UNFILTERABLE:
            detail = f"field '{operand.name}' can not be filtered in a query call"
            raise self.scope.error(operand.at, "INVALID_FIELD", detail)
        return operand

    def _comparison(self, comparison: Comparison) -> tuple[str, bool]:
        operand = self._filterable(comparison.left)
        operator = comparison.operator
        if operator == "LIKE":
            return self._like(operand, comparison.right), False
        if operator == "!=":
            return self._equal(operand, comparison.right), True
        if operator == "=":
            return self._equal(operand, comparison.right), False
        if operand.type == "boolean":
            raise self._invalid_operator(operand)
        return self._ordered(operand, operator, comparison.right), False

    def _equal(self, operand: Operand, literal: Literal) -> str:
        if days := self._days(operand, literal):
            start, end = (self.bind(day) for day in days)
            return f"{operand.sql} >= {start} AND {operand.sql} < {end}"
        value = values.value(self.scope, operand, literal)
        if value is None:
            return f"{operand.sql} IS NULL"
        if operand.type == "boolean":
            return f"coalesce({operand.sql}, FALSE) = {self.bind(value)}"
        left, right = self._sides(operand, value)
        return f"{left} = {right}"

    def _ordered(self, operand: Operand, operator: str, literal: Literal) -> str:
        if days := self._days(operand, literal):
            # `> THIS_YEAR` begins when the year is over, `<= THIS_YEAR` reaches to its end.
            edge = days[0] if operator in ("<", ">=") else days[1]
            sign = ">=" if operator in (">", ">=") else "<"
            return f"{operand.sql} {sign} {self.bind(edge)}"
        value = values.value(self.scope, operand, literal)
        if value is None:
            return "FALSE"
        if operand.type in _IDS:
            # Ids compare by their 15 characters, case-sensitively, in the order of base 62, which is that of ASCII.
            border = values.record_ids([str(value)])[0][:15]
            border += _AFTER_ANY_ID if operator in (">", "<=") else ""
            return f"{operand.sql} {operator} {self.bind(border)}"
        left, right = self._sides(operand, value)
        return f"{left} {operator} {right}"

    def _sides(self, operand: Operand, value: object) -> tuple[str, str]:
        if operand.type in _IDS:
            return operand.sql, self.bind(values.record_ids([str(value)])[0])
        if isinstance(value, str) and operand.folds_case:
            return f"lower({operand.sql})", f"lower({self.bind(value)})"
        return operand.sql, self.bind(value)

    def _like(self, operand: Operand, literal: Literal) -> str:
        if operand.type not in _TEXTS:
            raise self._invalid_operator(operand)
        if values.value(self.scope, operand, literal) is None:
            return f"{operand.sql} IS NULL"
        pattern = self.bind(values.like_pattern(self.scope, literal))
        if operand.folds_case:
            return f"lower({operand.sql}) LIKE lower({pattern}) ESCAPE '\\'"
        return f"{operand.sql} LIKE {pattern} ESCAPE '\\'"

    def _membership(self, membership: Membership) -> tuple[str, bool]:
        operand = self._filterable(membership.left)
        if membership.operator in ("INCLUDES", "EXCLUDES"):
            if operand.type != "multipicklist":
                raise self._invalid_operator(operand)
            alternatives = [self._includes(operand, literal) for literal in membership.values]
            return "(" + " OR ".join(alternatives) + ")", membership.operator == "EXCLUDES"
        return self._in(operand, membership.values), membership.operator == "NOT IN"

    def _includes(self, operand: Operand, literal: Literal) -> str:
        """Whether all the values of one `'A;B'` are among the chosen ones."""
        value = values.value(self.scope, operand, literal)
        if value is None:
            return f"{operand.sql} IS NULL"
        wanted = self.bind([part.strip() for part in str(value).lower().split(";")])
        return f"list_has_all(string_split(lower({operand.sql}), ';'), {wanted})"

    def _in(self, operand: Operand, literals: tuple[Literal, ...]) -> str:
        if operand.type == "boolean" or any(literal.kind is Kind.WORD for literal in literals):
            return "(" + " OR ".join(f"({self._equal(operand, literal)})" for literal in literals) + ")"
        found = [values.value(self.scope, operand, literal) for literal in literals]
        present = [value for value in found if value is not None]
        alternatives = [f"{operand.sql} IS NULL"] if len(present) < len(found) else []
        if present:
            alternatives.append(self._among(operand, present))
        return "(" + " OR ".join(alternatives) + ")"

    def _among(self, operand: Operand, present: list[object]) -> str:
        # One list as one parameter: a thousand ids stay a short statement, and become a hash join.
        if operand.type in _IDS:
            whole = values.record_ids([str(value) for value in present])
            return f"{operand.sql} IN (SELECT unnest({self.bind(whole)}::VARCHAR[]))"
        if isinstance(present[0], str):
            fold = "lower" if operand.folds_case else ""
            return f"{fold}({operand.sql}) IN (SELECT {fold}(unnest({self.bind(present)}::VARCHAR[])))"
        if any(isinstance(value, date | datetime | time) for value in present):
            return f"{operand.sql} IN (SELECT unnest({self.bind(present)}))"
        return f"{operand.sql} IN (SELECT unnest({self.bind(present)}::DOUBLE[]))"

    def _days(self, operand: Operand, literal: Literal) -> tuple[date, date] | None:
        if literal.kind is not Kind.WORD:
            return None
        try:
            days = date_range(literal.raw, self.today)
        except OverflowError:
            raise self.scope.error(literal.at, "MALFORMED_QUERY", f"Invalid date: {literal.raw}") from None
        if days is None:
            raise self.scope.error(literal.at, "MALFORMED_QUERY", f"unexpected token: '{literal.raw}'")
        if not values.takes_date_words(operand):
            # Raises the error of the field's type: a word is neither a quoted string nor a number.
            values.value(self.scope, operand, literal)
        return days

    def _invalid_operator(self, operand: Operand) -> Exception:
        names = {"reference": "id", "currency": "double", "percent": "double", "datetime": "dateTime"}
        shown = names.get(operand.type, operand.type)
        return self.scope.error(operand.at, "INVALID_QUERY_FILTER_OPERATOR", f"invalid operator on {shown} field")
