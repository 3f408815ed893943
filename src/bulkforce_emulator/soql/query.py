"""What a compiled query is."""

from dataclasses import dataclass

from bulkforce_emulator.schema import Field, SObject
from bulkforce_emulator.soql.tree import Query


@dataclass(frozen=True, slots=True)
class ResultColumn:
    """One column of the answer.

    Attributes:
        path: Relationships and field in their proper letter case: `("Account", "Name")`; of an aggregate, its alias.
        field: The field as described; of an aggregate, one made up for it.
        written: The column as written in the SELECT list.
        only_of: Of a column of a TYPEOF, the object whose records show it; empty for those that it does not name.
    """

    path: tuple[str, ...]
    field: Field
    written: str
    only_of: str | None = None

    @property
    def label(self) -> str:
        """The name that the column has in a CSV."""
        return ".".join(self.path)


@dataclass(frozen=True, slots=True)
class Identity:
    """A record that a row stands for, or a parent of it; `id{n}` and `type{n}` in the identified SQL."""

    path: tuple[str, ...]


@dataclass(frozen=True)
class CompiledQuery:
    """SOQL as DuckDB's SQL.

    Attributes:
        columns: What `sql` selects, as `c0`, `c1`, ...
        identified_sql: The same rows with two further columns for the root and each parent that is named:
            its `Id` and its object's name, for documents that carry `attributes`.
        identities: The records these belong to, in order; the root is first.
        children: The nested subqueries of the SELECT list.
    """

    text: str
    sobject: SObject
    columns: tuple[ResultColumn, ...]
    sql: str
    parameters: list[object]
    is_count: bool
    is_aggregate: bool
    identified_sql: str
    identities: tuple[Identity, ...]
    children: tuple["ChildQuery", ...]
    tree: Query


@dataclass(frozen=True)
class ChildQuery:
    """A nested subquery: for all parents at once, with the parent's id as its last column.

    The first parameter of `query` is the list of the parents' ids.
    """

    relationship: str
    query: CompiledQuery
