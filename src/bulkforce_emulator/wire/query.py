"""`/query` and `/queryAll`: records as JSON, 2,000 to a page."""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bulkforce_emulator.soql import SoqlError, compile_soql
from bulkforce_emulator.soql.tree import TypeOf
from bulkforce_emulator.wire.calls import Call, json_response
from bulkforce_emulator.wire.query_columns import columns_of
from bulkforce_emulator.wire.resources import Resources, RestError, data_path

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import date, datetime, time

    import pyarrow as pa
    from starlette.responses import Response
    from starlette.routing import Route

    from bulkforce_emulator.soql.query import ChildQuery, CompiledQuery
    from bulkforce_emulator.state.org import Org

_PAGE = 2_000
_SMALLEST_PAGE = 200
# A user can have this many query cursors open; one more closes the oldest.
_CURSORS = 10
_BATCH_SIZE = re.compile(r"batchSize\s*=\s*(\d{1,9})(?!\d)", re.IGNORECASE)


def routes(org: Org) -> list[Route]:
    """The routes of this module."""
    queries = Queries(org)
    get = ("GET",)
    return [
        *queries.at("/query", queries.query, get),
        *queries.at("/queryAll", queries.query_all, get),
        *queries.at("/tooling/query", queries.query, get),
        *queries.at("/query/{locator}", queries.next_page, get),
        *queries.at("/queryAll/{locator}", queries.next_page, get),
    ]


@dataclass(frozen=True, slots=True)
class _Cursor:
    """The rows that a query found when it was asked."""

    compiled: CompiledQuery
    rows: pa.Table
    page: int


class Queries(Resources):
    """Answers queries, and keeps the rows of those that are longer than a page."""

    def __init__(self, org: Org) -> None:
        super().__init__(org)
        self._cursors: OrderedDict[str, _Cursor] = OrderedDict()
        self._lock = threading.Lock()

    def query(self, call: Call) -> Response:
        """The first page of the live records."""
        return self._first(call, "query", include_deleted=False)

    def query_all(self, call: Call) -> Response:
        """The first page, deleted records included."""
        return self._first(call, "queryAll", include_deleted=True)

    def _first(self, call: Call, resource: str, *, include_deleted: bool) -> Response:
        text = call.query.get("q", "")
        if not text:
            raise RestError(400, "MALFORMED_QUERY", "SOQL statements cannot be empty or null")
        compiled = run(self.org, text, include_deleted=include_deleted)
        if any(isinstance(item, TypeOf) for item in compiled.tree.selected):
            raise SoqlError("MALFORMED_QUERY", "TYPEOF is not emulated")
        if call.query.get("columns", "").lower() == "true":
            return json_response(columns_of(compiled))
        if compiled.is_count:
            count = self.org.store.query(compiled.sql, compiled.parameters)["c0"][0].as_py()
            return json_response({"totalSize": count, "done": True, "records": []})
        rows = self.org.store.query(compiled.identified_sql, compiled.parameters)
        cursor = _Cursor(compiled, rows, _page_size(call))
        locator = ""
        if len(rows) > cursor.page:
            with self._lock:
                locator = self.org.ids.one("01g")
                self._cursors[locator] = cursor
                while len(self._cursors) > _CURSORS:
                    self._cursors.popitem(last=False)
        return self._page(call, resource, cursor, locator, 0)

    def next_page(self, call: Call) -> Response:
        """The page that a `nextRecordsUrl` leads to."""
        locator, _, start = call.values["locator"].partition("-")
        with self._lock:
            cursor = self._cursors.get(locator)
        if cursor is None or not re.fullmatch(r"\d{1,9}", start) or int(start) >= len(cursor.rows):
            raise RestError(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
        resource = call.path.rstrip("/").split("/")[-2]
        return self._page(call, resource, cursor, locator, int(start))

    def _page(self, call: Call, resource: str, cursor: _Cursor, locator: str, start: int) -> Response:
        rows = cursor.rows.slice(start, cursor.page)
        end = start + len(rows)
        answer: dict[str, Any] = {"totalSize": len(cursor.rows), "done": end >= len(cursor.rows)}
        if not answer["done"]:
            answer["nextRecordsUrl"] = f"{data_path(call)}/{resource}/{locator}-{end}"
        answer["records"] = records(self.org, cursor.compiled, rows, data_path(call))
        return json_response(answer)


def run(org: Org, text: str, *, include_deleted: bool) -> CompiledQuery:
    """Compile a query for this org's user, as of now."""
    return compile_soql(
        text, org.schema, now=org.clock.now(), user_id=org.sessions.user_id, include_deleted=include_deleted
    )


def _page_size(call: Call) -> int:
    asked = _BATCH_SIZE.search(call.headers.get("sforce-query-options", ""))
    return min(max(int(asked[1]), _SMALLEST_PAGE), _PAGE) if asked else _PAGE


def records(org: Org, compiled: CompiledQuery, rows: pa.Table, path: str) -> list[dict[str, Any]]:
    """Rows of the identified SQL as records: attributes first, parents as objects of their own."""
    if compiled.is_aggregate:
        return [{"attributes": {"type": "AggregateResult"}} | _plain(compiled, row) for row in rows.to_pylist()]
    found = [_record(compiled, row, path) for row in rows.to_pylist()]
    for child in compiled.children:
        _add_children(org, child, found, rows["id0"].to_pylist(), path)
    return found


def _plain(compiled: CompiledQuery, row: Mapping[str, Any]) -> dict[str, Any]:
    return {column.path[0]: shown(row[f"c{n}"], column.field.type) for n, column in enumerate(compiled.columns)}


def _record(compiled: CompiledQuery, row: Mapping[str, Any], path: str) -> dict[str, Any]:
    nodes: dict[tuple[str, ...], dict[str, Any] | None] = {}
    for n, identity in enumerate(compiled.identities):
        record_id, name = row[f"id{n}"], row[f"type{n}"]
        attributes = {"type": name, "url": f"{path}/sobjects/{name}/{record_id}"}
        nodes[identity.path] = None if record_id is None else {"attributes": attributes}
    root = nodes[()]
    if root is None:
        raise LookupError(compiled.text)
    for n, column in enumerate(compiled.columns):
        for depth in range(1, len(column.path)):
            parent = nodes[column.path[: depth - 1]]
            if parent is not None:
                parent.setdefault(column.path[depth - 1], nodes[column.path[:depth]])
        owner = nodes.get(column.path[:-1])
        if owner is not None:
            value = shown(row[f"c{n}"], column.field.type)
            if column.field.type == "base64" and value is not None:
                value = f"{owner['attributes']['url']}/{column.path[-1]}"
            owner[column.path[-1]] = value
    return root


def _add_children(org: Org, child: ChildQuery, parents: list[dict[str, Any]], ids: list[str], path: str) -> None:
    query = child.query
    rows = org.store.query(query.identified_sql, [ids, *query.parameters[1:]])
    families: dict[str, list[dict[str, Any]]] = {}
    for parent, record in zip(rows["parent"].to_pylist(), records(org, query, rows, path), strict=True):
        families.setdefault(parent, []).append(record)
    for parent, record_id in zip(parents, ids, strict=True):
        family = families.get(record_id)
        parent[child.relationship] = (
            None if family is None else {"totalSize": len(family), "done": True, "records": family}
        )


def shown(value: Any, kind: str) -> Any:  # noqa: ANN401
    """A value as the REST API writes it."""
    write = _WRITERS.get(kind)
    return value if value is None or write is None else write(value)


def _moment(value: datetime) -> str:
    return f"{value:%Y-%m-%dT%H:%M:%S}.{value.microsecond // 1000:03d}+0000"


def _day(value: date) -> str:
    return value.isoformat()


def _time(value: time) -> str:
    return f"{value:%H:%M:%S}.{value.microsecond // 1000:03d}Z"


_WRITERS: dict[str, Callable[[Any], Any]] = {"datetime": _moment, "date": _day, "time": _time, "boolean": bool}
