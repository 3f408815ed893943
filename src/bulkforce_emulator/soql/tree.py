"""A parsed query as plain values, without objects, fields or SQL; `at` is an offset in the query's text."""

from dataclasses import dataclass, replace
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Path:
    """A field, perhaps of a parent: `Account.Owner.Name`."""

    names: tuple[str, ...]
    at: int

    def __str__(self) -> str:
        return ".".join(self.names)


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """A function applied to fields: `COUNT()`, `CALENDAR_YEAR(CreatedDate)`, `FIELDS(ALL)`."""

    name: str
    arguments: tuple["Path | FunctionCall", ...]
    at: int

    def __str__(self) -> str:
        return f"{self.name}({', '.join(map(str, self.arguments))})"


class Kind(StrEnum):
    """What a literal was written as."""

    STRING = "string"
    NUMBER = "number"
    DATE = "date"
    DATETIME = "datetime"
    TIME = "time"
    BOOLEAN = "boolean"
    NULL = "null"
    WORD = "word"  # TODAY, LAST_N_DAYS:3, or a mistake


@dataclass(frozen=True, slots=True)
class Literal:
    """A value of a condition, as written; strings still carry their quotes and escapes."""

    kind: Kind
    raw: str
    at: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """A field or function compared with one value: `Name = 'Ada'`."""

    left: Path | FunctionCall
    operator: str
    right: Literal


@dataclass(frozen=True, slots=True)
class Membership:
    """`IN`, `NOT IN`, `INCLUDES`, `EXCLUDES` with a list."""

    left: Path | FunctionCall
    operator: str
    values: tuple[Literal, ...]


@dataclass(frozen=True, slots=True)
class SemiJoin:
    """A field that is, or is not, among the results of another query: `AccountId IN (SELECT ...)`."""

    left: Path | FunctionCall
    negated: bool
    query: "Query"


@dataclass(frozen=True, slots=True)
class Both:
    """`AND` of two or more conditions."""

    parts: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Either:
    """`OR` of two or more conditions."""

    parts: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The negation of a condition."""

    part: "Condition"


Condition = Comparison | Membership | SemiJoin | Both | Either | Not


@dataclass(frozen=True, slots=True)
class Selected:
    """A field or function of the SELECT list, with its alias."""

    expression: Path | FunctionCall
    alias: str | None


@dataclass(frozen=True, slots=True)
class TypeOf:
    """`TYPEOF relationship WHEN object THEN fields ... ELSE fields END`; the last has no object."""

    relationship: Path
    choices: tuple[tuple[Path | None, tuple[Path, ...]], ...]


@dataclass(frozen=True, slots=True)
class SortKey:
    """One item of ORDER BY."""

    expression: Path | FunctionCall
    descending: bool
    nulls_last: bool


@dataclass(frozen=True, slots=True)
class Source:
    """The FROM clause: the object, its alias, and the aliases of parents (`FROM Contact c, c.Account a`)."""

    sobject: Path
    alias: str | None
    parents: tuple[tuple[Path, str], ...]


@dataclass(frozen=True, slots=True)
class Query:
    """A whole SELECT, at the top or in brackets."""

    selected: "tuple[Selected | TypeOf | Query, ...]"
    source: Source
    at: int
    scope: str | None = None
    where: Condition | None = None
    where_at: int = 0
    group_by: tuple[Path | FunctionCall, ...] = ()
    having: Condition | None = None
    order_by: tuple[SortKey, ...] = ()
    limit: int | None = None
    offset: int | None = None
    offset_at: int = 0
    all_rows_at: int | None = None
    other_clauses: bool = False

    def from_object(self, name: str) -> "Query":
        """The same query on the object of that name: a nested one names a relationship instead."""
        return replace(self, source=replace(self.source, sobject=Path((name,), self.source.sobject.at)))
