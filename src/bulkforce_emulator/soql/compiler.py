"""Tree to SQL: names are checked against the schema, values become parameters."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count

from bulkforce_emulator.schema import Field, Schema
from bulkforce_emulator.soql import aggregates, functions
from bulkforce_emulator.soql.children import find_child
from bulkforce_emulator.soql.conditions import Conditions
from bulkforce_emulator.soql.errors import SoqlError
from bulkforce_emulator.soql.parser import parse
from bulkforce_emulator.soql.query import ChildQuery, CompiledQuery, Identity, ResultColumn
from bulkforce_emulator.soql.scope import Operand, Scope
from bulkforce_emulator.soql.tree import FunctionCall, Path, Query, Selected, SortKey, TypeOf

MAX_CHARACTERS = 100_000
MAX_OFFSET = 2_000
MAX_FIELDS_ROWS = 200
_TEXT_TYPES = frozenset(("string", "textarea", "picklist", "email", "phone", "url", "combobox", "anyType"))
_UNSORTABLE = frozenset(("address", "location", "base64", "multipicklist", "encryptedstring"))


def compile_query(text: str, schema: Schema, *, now: datetime, user_id: str, include_deleted: bool) -> CompiledQuery:
    """Compile one query; see `bulkforce_emulator.soql.compile_soql`."""
    if len(text) > MAX_CHARACTERS:
        raise SoqlError("MALFORMED_QUERY", f"SOQL statements cannot be longer than {MAX_CHARACTERS} characters.")
    query = parse(text)
    if query.all_rows_at is not None:
        # Only Apex allows it; the API has queryAll.
        raise SoqlError.located(text, query.all_rows_at, "MALFORMED_QUERY", "ALL ROWS not allowed in this context")
    return _Compiler(text, schema, now, user_id, include_deleted).compile(query)


@dataclass
class _Compiler:
    text: str
    schema: Schema
    now: datetime
    user_id: str
    include_deleted: bool
    parameters: list[object] = field(default_factory=list)
    aliases: Iterator[str] = field(default_factory=lambda: (f"t{number}" for number in count()))

    def compile(self, query: Query) -> CompiledQuery:
        return _Level(self, query).compiled()

    def bind(self, value: object) -> str:
        self.parameters.append(value)
        return f"${len(self.parameters)}"


class _Level:
    """One SELECT: the query itself, a semi-join's, or a nested one."""

    def __init__(self, compiler: _Compiler, query: Query) -> None:
        self._compiler = compiler
        self._query = query
        self.scope = Scope(compiler.text, compiler.schema, query.source, compiler.aliases, compiler.user_id)
        self._is_count = aggregates.is_count(query)
        self._is_aggregate = aggregates.is_aggregate(query)
        self._aliases: dict[str, Operand] = {}

    def _conditions(self, resolve: Callable[[Path | FunctionCall], Operand]) -> Conditions:
        compiler = self._compiler
        return Conditions(self.scope, resolve, compiler.bind, self._semi_join, compiler.now.date())

    def compiled(self, parent_key: str | None = None) -> CompiledQuery:
        """The whole query; a nested one has `parent_key` as its last column, and parents' ids as first parameter."""
        query = self._query
        chosen = [] if self._is_count else self._columns()
        children = tuple(self._child(item) for item in query.selected if isinstance(item, Query))
        order = self._order_by()
        where = self._where(parent_key)
        group = self._group_by()
        window = self._window(parent_key, order)
        select = [f"{sql} AS c{n}" for n, (sql, _) in enumerate(chosen)] if not self._is_count else ["count(*) AS c0"]
        if parent_key is not None:
            select.append(f"{self.scope.root.column(parent_key)} AS parent")
        nodes = () if self._is_aggregate or self._is_count else self.scope.nodes()
        identified = [f"{node.column('Id')} AS id{n}, {node.type_name()} AS type{n}" for n, node in enumerate(nodes)]
        rest = f"{self.scope.from_clause()}{where}{group}{window}"
        if self._is_count and query.limit is not None:
            select, rest = ["count(*) AS c0"], f"FROM (SELECT 1 {rest})"
        return CompiledQuery(
            text=self._compiler.text,
            sobject=self.scope.sobject,
            columns=tuple(column for _, column in chosen),
            sql=f"SELECT {', '.join(select) or '1'} {rest}",
            parameters=self._compiler.parameters,
            is_count=self._is_count,
            is_aggregate=self._is_aggregate,
            identified_sql=f"SELECT {', '.join((*select, *identified))} {rest}",
            identities=tuple(Identity(node.path) for node in nodes),
            children=children,
            tree=query,
        )

    def _columns(self) -> list[tuple[str, ResultColumn]]:
        expressions = [item for item in self._query.selected if not isinstance(item, Query)]
        found: list[tuple[str, ResultColumn]] = []
        seen: set[tuple[str, ...]] = set()
        unnamed = count()
        for item in expressions:
            if isinstance(item, TypeOf):
                found += self._by_type(item)
                continue
            if isinstance(item.expression, FunctionCall) and item.expression.name.upper() == "FIELDS":
                found += self._all_fields(item.expression)
                continue
            sql, column = self._column(item, unnamed)
            if column.path in seen and not self._is_aggregate:
                raise self.scope.error(item.expression.at, "INVALID_FIELD", f"duplicate field selected: {column.label}")
            seen.add(column.path)
            found.append((sql, column))
        return found

    def _column(self, item: Selected, unnamed: Iterator[int]) -> tuple[str, ResultColumn]:
        expression, alias = item.expression, item.alias
        written = str(expression) if isinstance(expression, Path) else expression.name
        if aggregates.is_function(expression):
            sql, made_up = aggregates.compile_aggregate(self.scope, expression, alias or f"expr{next(unnamed)}")
            named = Operand(sql, made_up.type, expression.at, (made_up.name,), made_up)
            self._aliases[made_up.name.lower()] = named
            return sql, ResultColumn((made_up.name,), made_up, written)
        operand = functions.resolve(self.scope, expression)
        described = operand.field or Field(name=operand.name, label=operand.name, type=operand.type)
        if self._is_aggregate:
            self._check_grouped(operand)
            name = alias or (operand.name if isinstance(expression, Path) else f"expr{next(unnamed)}")
            self._aliases[name.lower()] = operand
            return operand.sql, ResultColumn((name,), described, written)
        if alias is not None and isinstance(expression, Path):
            raise self.scope.error(expression.at, "MALFORMED_QUERY", "only aggregate expressions use field aliasing")
        if operand.field is None:
            raise self.scope.error(expression.at, "MALFORMED_QUERY", f"unexpected token: '{written}'")
        return operand.sql, ResultColumn(operand.path if alias is None else (alias,), described, written)

    def _by_type(self, item: TypeOf) -> list[tuple[str, ResultColumn]]:
        """The columns of a TYPEOF: for each object those of its own fields."""
        path = item.relationship
        node = self.scope.node(path.names, path.at)
        if not node.polymorphic:
            detail = f"TYPEOF needs a relationship to several objects, which '{path}' is not"
            raise self.scope.error(path.at, "INVALID_FIELD", detail)
        found: list[tuple[str, ResultColumn]] = []
        for name, fields in item.choices:
            target = node.only(str(name)) if name is not None else node
            if target is None:
                detail = f"TYPEOF: '{name}' is not an object that '{path}' refers to"
                raise self.scope.error(path.at if name is None else name.at, "INVALID_TYPE", detail)
            only_of = "" if name is None else target.targets[0].sobject.name
            for wanted in fields:
                if len(wanted.names) > 1:
                    detail = f"fields of a parent within TYPEOF are not emulated: {wanted}"
                    raise self.scope.error(wanted.at, "MALFORMED_QUERY", detail)
                operand = self.scope.field_of(target, wanted)
                described = operand.field or Field(name=operand.name, label=operand.name, type=operand.type)
                found.append((operand.sql, ResultColumn(operand.path, described, str(wanted), only_of)))
        return found

    def _all_fields(self, call: FunctionCall) -> list[tuple[str, ResultColumn]]:
        which = str(call.arguments[0]).upper() if len(call.arguments) == 1 else ""
        if which not in ("ALL", "STANDARD", "CUSTOM"):
            raise self.scope.error(call.at, "MALFORMED_QUERY", "FIELDS() takes ALL, STANDARD or CUSTOM")
        limit = self._query.limit
        if which != "STANDARD" and (limit is None or limit > MAX_FIELDS_ROWS):
            detail = f"The SOQL FIELDS function must have a LIMIT of at most {MAX_FIELDS_ROWS}"
            raise self.scope.error(call.at, "MALFORMED_QUERY", detail)
        wanted = [
            described
            for described in self.scope.sobject.fields.values()
            if which == "ALL" or described.custom == (which == "CUSTOM") or described.name == "Id"
        ]
        operands = [self.scope.resolve(Path((described.name,), call.at)) for described in wanted]
        return [
            (operand.sql, ResultColumn(operand.path, described, described.name))
            for operand, described in zip(operands, wanted, strict=True)
        ]

    def _check_grouped(self, operand: Operand, complaint: str = "Field") -> None:
        if operand.sql not in {functions.resolve(self.scope, grouped).sql for grouped in self._query.group_by}:
            detail = f"{complaint} must be grouped or aggregated: {operand.name}"
            raise self.scope.error(operand.at, "MALFORMED_QUERY", detail)

    def _plain(self, expression: Path | FunctionCall) -> Operand:
        return functions.resolve(self.scope, expression)

    def _of_group(self, expression: Path | FunctionCall) -> Operand:
        """What HAVING and ORDER BY may name: in groups, only what all records of a group share."""
        if not self._is_aggregate:
            return self._plain(expression)
        if aggregates.is_function(expression):
            sql, made_up = aggregates.compile_aggregate(self.scope, expression, "expr0")
            return Operand(sql, made_up.type, expression.at, (made_up.name,), made_up)
        if isinstance(expression, Path) and str(expression).lower() in self._aliases:
            return self._aliases[str(expression).lower()]
        operand = self._plain(expression)
        self._check_grouped(operand, "Ordered field")
        return operand

    def _where(self, parent_key: str | None) -> str:
        query, root = self._query, self.scope.root
        parts = []
        if parent_key is not None:
            parts.append(f"{root.column(parent_key)} IN (SELECT unnest($1::VARCHAR[]))")
        if not self._compiler.include_deleted:
            parts.append(f"NOT {root.targets[0].column('IsDeleted')}")
        if query.scope is not None and query.scope.lower() == "mine" and self.scope.sobject.field("OwnerId"):
            parts.append(f"{root.column('OwnerId')} = {self._compiler.bind(self._compiler.user_id)}")
        if query.where is not None:
            parts.append(self._conditions(self._plain).sql(query.where))
        return " WHERE " + " AND ".join(parts) if parts else ""

    def _semi_join(self, query: Query) -> str:
        level = _Level(self._compiler, query)
        if len(query.selected) != 1 or not isinstance(query.selected[0], Selected):
            detail = "The semi join sub-select must select exactly one field"
            raise self.scope.error(query.at, "MALFORMED_QUERY", detail)
        operand = functions.resolve(level.scope, query.selected[0].expression)
        if operand.type not in ("id", "reference"):
            detail = f"Cannot use field {operand.name} in semi join, it is not a reference or an id"
            raise self.scope.error(operand.at, "INVALID_FIELD", detail)
        where = level._where(None)
        present = f"{operand.sql} IS NOT NULL"
        return f"SELECT {operand.sql} {level.scope.from_clause()}{where}{' AND' if where else ' WHERE'} {present}"

    def _child(self, query: Query) -> ChildQuery:
        found = find_child(self._compiler.schema, self.scope.sobject, str(query.source.sobject))
        if found is None:
            name = query.source.sobject
            detail = (
                f"Didn't understand relationship '{name}' in FROM part of query call. If you are attempting to use a "
                "custom relationship, be sure to append the '__r' after the custom relationship name. Please "
                "reference your WSDL or the describe call for the appropriate names."
            )
            raise self.scope.error(name.at, "INVALID_TYPE", detail)
        relationship, child, key = found
        compiler = self._compiler
        inner = _Compiler(
            compiler.text, compiler.schema, compiler.now, compiler.user_id, compiler.include_deleted, parameters=[[]]
        )
        level = _Level(inner, query.from_object(child.name))
        return ChildQuery(relationship, level.compiled(parent_key=key))

    def _group_by(self) -> str:
        query = self._query
        sql = ""
        if query.group_by:
            sql = " GROUP BY " + ", ".join(self._grouped(expression) for expression in query.group_by)
        if query.having is not None:
            if not self._is_aggregate:
                raise self.scope.error(query.at, "MALFORMED_QUERY", "HAVING clause requires a GROUP BY clause")
            sql += f" HAVING {self._conditions(self._of_group).sql(query.having)}"
        return sql

    def _grouped(self, expression: Path | FunctionCall) -> str:
        operand = self._plain(expression)
        if operand.type in _UNSORTABLE or _is_long(operand):
            detail = f"field '{operand.name}' can not be grouped in a query call"
            raise self.scope.error(operand.at, "MALFORMED_QUERY", detail)
        return operand.sql

    def _order_by(self) -> str:
        return ", ".join(self._order(order) for order in self._query.order_by)

    def _order(self, order: SortKey) -> str:
        operand = self._of_group(order.expression)
        if operand.type in _UNSORTABLE or _is_long(operand):
            detail = f"field '{operand.name}' can not be sorted in a query call"
            raise self.scope.error(operand.at, "MALFORMED_QUERY", detail)
        way = f"{'DESC' if order.descending else 'ASC'} NULLS {'LAST' if order.nulls_last else 'FIRST'}"
        if operand.type in _TEXT_TYPES and not self._is_aggregate:
            return f"lower({operand.sql}) {way}, {operand.sql} {way}"
        return f"{operand.sql} {way}"

    def _window(self, parent_key: str | None, order: str) -> str:
        """ORDER BY, LIMIT and OFFSET; in a nested query, they apply to each parent."""
        query = self._query
        if query.offset is not None and query.offset > MAX_OFFSET:
            detail = f"Maximum SOQL offset allowed is {MAX_OFFSET}"
            raise self.scope.error(query.offset_at, "NUMBER_OUTSIDE_VALID_RANGE", detail)
        ordered = f" ORDER BY {order}" if order else ""
        if parent_key is None:
            limit = "" if query.limit is None else f" LIMIT {query.limit}"
            return ordered + limit + (f" OFFSET {query.offset}" if query.offset else "")
        if query.limit is None:
            return ordered
        key = self.scope.root.column(parent_key)
        return f" QUALIFY row_number() OVER (PARTITION BY {key}{ordered}) <= {query.limit}{ordered}"


def _is_long(operand: Operand) -> bool:
    """Long text areas can be selected, and nothing else."""
    return operand.field is not None and operand.type == "textarea" and operand.field.length > 255
