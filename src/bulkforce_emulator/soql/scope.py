"""Name lookup: which table a path of relationships leads to, and which column it names.

There is one scope per query level. A parent is joined when it is first named.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from bulkforce_emulator.schema import Field, Schema, SObject
from bulkforce_emulator.sharing import may_see
from bulkforce_emulator.soql.errors import SoqlError
from bulkforce_emulator.soql.tree import Path, Source

_HINT = " Please reference your WSDL or the describe call for the appropriate names."

# A reference to several objects is read through the entity `Name`, which has only what they share.
_NAME_ENTITY = frozenset({
    "id", "name", "type", "firstname", "lastname", "email", "phone", "title", "username", "alias", "isactive",
    "profileid", "userroleid",
})  # fmt: skip


def quoted(name: str) -> str:
    """An SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


@dataclass(frozen=True, slots=True)
class Target:
    """One joined table."""

    sobject: SObject
    alias: str

    def column(self, name: str) -> str:
        """A column of this table, qualified and quoted for SQL."""
        return f"{self.alias}.{quoted(name)}"


@dataclass(frozen=True, slots=True)
class Node:
    """What a path of relationships leads to: one table, or several if the reference is polymorphic."""

    path: tuple[str, ...]
    targets: tuple[Target, ...]
    polymorphic: bool = False

    def only(self, name: str) -> "Node | None":
        """The same node where it leads to that object, as if it led to no other."""
        targets = tuple(target for target in self.targets if target.sobject.name.lower() == name.lower())
        return Node(self.path, targets) if targets else None

    def column(self, name: str) -> str:
        """The SQL of a column that at least one of the tables has."""
        found = [self._one(target, field) for target in self.targets if (field := target.sobject.field(name))]
        return found[0] if len(found) == 1 else f"coalesce({', '.join(found)})"

    def _one(self, target: Target, field: Field) -> str:
        column = target.column(field.name)
        # Without a parent its calculated fields are empty, but a formula over empty fields may not be.
        missing = bool(self.path) and field.formula is not None
        return f"CASE WHEN {target.column('Id')} IS NOT NULL THEN {column} END" if missing else column

    def type_name(self) -> str:
        """The SQL of the object's name; NULL when nothing is referred to."""
        cases = (f"WHEN {t.column('Id')} IS NOT NULL THEN '{t.sobject.name}'" for t in self.targets)
        return f"CASE {' '.join(cases)} END"


@dataclass(frozen=True, slots=True)
class Operand:
    """A field or a function of one, as SQL with its type in describe's words."""

    sql: str
    type: str
    at: int
    path: tuple[str, ...]
    field: Field | None = None

    @property
    def name(self) -> str:
        """The last name of the path: the field itself."""
        return self.path[-1]

    @property
    def folds_case(self) -> bool:
        """Whether letter case is ignored in comparisons: text does, ids and case-sensitive keys do not."""
        return self.type not in ("id", "reference") and not (self.field is not None and self.field.case_sensitive)


#: Published: "no more than five levels can be specified in a child-to-parent relationship".
_MOST_LEVELS = 5


class Scope:
    """The names of one FROM clause."""

    def __init__(self, text: str, schema: Schema, source: Source, aliases: Iterator[str], user_id: str) -> None:
        self._text = text
        self._schema = schema
        self._aliases = aliases
        self._user_id = user_id
        self.sobject = self._root(source.sobject)
        self.root = Node((), (Target(self.sobject, next(aliases)),))
        self.joins: list[str] = []
        self._nodes: dict[tuple[str, ...], Node] = {(): self.root}
        self._prefixes: dict[str, tuple[str, ...]] = {}
        if source.alias:
            self._prefixes[source.alias.lower()] = ()
        for path, alias in source.parents:
            self._prefixes[alias.lower()] = self._unaliased(path)

    def _root(self, path: Path) -> SObject:
        sobject = self._schema.get(str(path))
        if sobject is None and str(path).lower() == "aggregateresult":
            # live test: dataloader, which looks for these words
            raise self.error(
                path.at, "INVALID_TYPE_FOR_OPERATION", "entity type AggregateResult does not support query"
            )
        if sobject is None:
            raise self.error(
                path.at,
                "INVALID_TYPE",
                f"sObject type '{path}' is not supported. If you are attempting to use a custom object, be sure to "
                f"append the '__c' after the entity name.{_HINT}",
            )
        return sobject

    def error(self, at: int, code: str, detail: str) -> SoqlError:
        """A refusal that points at an offset in the query's text."""
        return SoqlError.located(self._text, at, code, detail)

    def resolve(self, path: Path) -> Operand:
        """The column that a path names.

        Raises:
            SoqlError: `INVALID_FIELD`.
        """
        *relationships, name = self._unaliased(path)
        return self.field_of(self.node(tuple(relationships), path.at), Path((name,), path.at))

    def field_of(self, node: Node, path: Path) -> Operand:
        """The column of a node's records that the last name of a path stands for.

        Raises:
            SoqlError: `INVALID_FIELD`.
        """
        name = path.names[-1]
        if node.polymorphic and name.lower() == "type":
            kind = Field(name="Type", label="Type", type="string", length=40)
            return Operand(node.type_name(), "string", path.at, (*node.path, "Type"), kind)
        field = self._field(node, name)
        if field is None:
            entity = "Name" if node.polymorphic else node.targets[0].sobject.name
            raise self.error(
                path.at,
                "INVALID_FIELD",
                f"No such column '{name}' on entity '{entity}'. If you are attempting to use a custom field, be sure "
                f"to append the '__c' after the custom field name.{_HINT}",
            )
        sql = self._compound(node, field) if not field.is_column else node.column(field.name)
        return Operand(sql, field.type, path.at, (*node.path, field.name), field)

    def _field(self, node: Node, name: str) -> Field | None:
        if node.polymorphic and name.lower() not in _NAME_ENTITY:
            return None
        return next((field for t in node.targets if (field := t.sobject.field(name))), None)

    def _compound(self, node: Node, compound: Field) -> str:
        """An address or location as a struct of its parts; NULL if all of them are."""
        parts = [f for f in node.targets[0].sobject.fields.values() if f.compound_field_name == compound.name]
        stem = compound.name.removesuffix("Address").removesuffix("__c")
        members = (f"{quoted(_part_name(part.name, stem))} := {node.column(part.name)}" for part in parts)
        filled = " OR ".join(f"{node.column(part.name)} IS NOT NULL" for part in parts)
        return f"CASE WHEN {filled} THEN struct_pack({', '.join(members)}) END"

    def _unaliased(self, path: Path) -> tuple[str, ...]:
        first, *rest = path.names
        if rest and first.lower() in self._prefixes:
            return (*self._prefixes[first.lower()], *rest)
        if rest and first.lower() == self.sobject.name.lower() and not self.sobject.relationship(first):
            return tuple(rest)
        return path.names

    def node(self, relationships: tuple[str, ...], at: int) -> Node:
        """The joined tables behind a path of relationship names."""
        if len(relationships) > _MOST_LEVELS:
            raise self.error(at, "MALFORMED_QUERY", f"A field path has at most {_MOST_LEVELS} parent relationships")
        key = tuple(name.lower() for name in relationships)
        if key not in self._nodes:
            parent = self.node(relationships[:-1], at)
            self._nodes[key] = self._join(parent, relationships, at)
        return self._nodes[key]

    def _join(self, parent: Node, relationships: tuple[str, ...], at: int) -> Node:
        name = relationships[-1]
        reference = next((field for t in parent.targets if (field := t.sobject.relationship(name))), None)
        known = [s for s in map(self._schema.get, reference.reference_to if reference else ()) if s is not None]
        if reference is None or not known:
            raise self.error(
                at,
                "INVALID_FIELD",
                f"Didn't understand relationship '{name}' in field path. If you are attempting to use a custom "
                f"relationship, be sure to append the '__r' after the custom relationship name.{_HINT}",
            )
        key = parent.column(reference.name)
        targets = tuple(Target(sobject, next(self._aliases)) for sobject in known)
        for target in targets:
            self.joins.append(f"LEFT JOIN {self._table(target)} ON {target.column('Id')} = {key}")
        return Node((*parent.path, reference.relationship_name or name), targets, reference.polymorphic)

    def nodes(self) -> tuple[Node, ...]:
        """All nodes named so far, parents before their children."""
        return tuple(sorted(self._nodes.values(), key=lambda node: len(node.path)))

    def from_clause(self) -> str:
        """The FROM clause, with a join for each relationship used so far."""
        return " ".join((f"FROM {self._table(self.root.targets[0])}", *self.joins))

    def _table(self, target: Target) -> str:
        """A table with its alias: all records, or those that the user may see."""
        table = quoted(target.sobject.name)
        if target.sobject.sharing == "private":
            table = f"(SELECT v.* FROM {table} v WHERE {may_see(target.sobject, 'v', self._user_id)})"  # noqa: S608
        return f"{table} {target.alias}"


def _part_name(name: str, stem: str) -> str:
    """`MailingPostalCode` is `postalCode` inside its address, `Geo__Latitude__s` is `latitude`."""
    short = name.removeprefix(stem).strip("_").removesuffix("__s") or name
    return short[0].lower() + short[1:]
