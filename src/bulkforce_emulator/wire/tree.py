"""`POST /composite/tree/{sobject}`: records and their children in one call, all of them or none.

Source: REST API developer guide, "sObject Tree" (at most 200 records of five kinds, five levels deep; what an answer
says). The words of what is wrong with a request itself are ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bulkforce_emulator.soql.children import find_child
from bulkforce_emulator.uploads import BatchError
from bulkforce_emulator.wire.calls import Call, json_response
from bulkforce_emulator.wire.resources import Resources, RestError, document_of
from bulkforce_emulator.wire.sobjects import named_type, upload_row

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.routing import Route

    from bulkforce_emulator.schema import SObject
    from bulkforce_emulator.state.org import Org

_MOST, _MOST_KINDS, _MOST_LEVELS = 200, 5, 5


def routes(org: Org) -> list[Route]:
    """The routes of this module."""
    trees = Trees(org)
    return trees.at("/composite/tree/{sobject}", trees.plant, ("POST",))


@dataclass(slots=True)
class _Node:
    sobject: SObject
    reference: str
    record: dict[str, Any]
    #: The record above it, and the field that refers to this.
    parent: _Node | None = None
    field: str = ""
    id: str = ""

    def row(self) -> dict[str, Any]:
        """The record as it is written, after its parent."""
        row = upload_row(self.sobject, self.record)
        return row if self.parent is None else row | {self.field: self.parent.id}


class _FailedError(Exception):
    def __init__(self, results: list[dict[str, Any]]) -> None:
        super().__init__()
        self.results = results


class Trees(Resources):
    """Records with their children."""

    def plant(self, call: Call) -> Response:
        """Insert all, level by level; if one is refused, none."""
        try:
            levels = self._levels(self.sobject(call), document_of(call).get("records"))
            with self.org.store.writing():
                for level in levels:
                    self._insert(level)
        except _FailedError as failed:
            return json_response({"hasErrors": True, "results": failed.results}, 400)
        results = [{"referenceId": node.reference, "id": node.id} for level in levels for node in level]
        return json_response({"hasErrors": False, "results": results}, 201)

    def _levels(self, sobject: SObject, given: object) -> list[list[_Node]]:
        """The records by their depth.

        Raises:
            RestError: They are no records, or too many.
            _FailedError: A name is missing or comes twice.
        """
        levels = [[self._node(sobject, one) for one in _records(given)]]
        while levels[-1]:
            levels.append([child for node in levels[-1] for child in self._children(node)])
            _check([node for level in levels for node in level], len(levels) - 1)
        return levels[:-1]

    def _children(self, node: _Node) -> list[_Node]:
        """The children of a record, which are taken out of it."""
        found: list[_Node] = []
        for name in list(node.record):
            child = find_child(self.org.schema, node.sobject, name)
            if child is not None and isinstance(node.record[name], dict):
                _, sobject, field = child
                given = _records(node.record.pop(name).get("records"))
                found += [self._node(sobject, one, node, field) for one in given]
        return found

    def _node(self, sobject: SObject, record: dict[str, Any], parent: _Node | None = None, field: str = "") -> _Node:
        kind = named_type(record)
        if kind is None or self.org.schema.get(kind) is not sobject:
            raise RestError(400, "INVALID_TYPE", f"A record here must have the type {sobject.name}, not {kind}")
        reference = record["attributes"].get("referenceId")
        return _Node(sobject, reference if isinstance(reference, str) else "", record, parent, field)

    def _insert(self, level: list[_Node]) -> None:
        by_object: dict[str, list[_Node]] = {}
        for node in level:
            by_object.setdefault(node.sobject.name, []).append(node)
        for name, nodes in by_object.items():
            try:
                outcomes = self.org.insert(name, [node.row() for node in nodes])
            except BatchError as refused:
                raise RestError(400, "INVALID_FIELD", refused.message) from None
            failed = [(node, outcomes.error(place)) for place, node in enumerate(nodes)]
            results = [
                _result(node, error.status_code, error.message, list(error.fields))
                for node, error in failed
                if error is not None
            ]
            if results:
                raise _FailedError(results)
            for place, node in enumerate(nodes):
                node.id = outcomes.ids[place].as_py()


def _records(given: object) -> list[dict[str, Any]]:
    if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
        raise RestError(400, "JSON_PARSER_ERROR", "Can not deserialize: expected a list of records")
    return [dict(one) for one in given]


def _check(nodes: list[_Node], levels: int) -> None:
    kinds = len({node.sobject.name for node in nodes})
    for name, given, most in (
        ("records", len(nodes), _MOST), ("kinds of records", kinds, _MOST_KINDS), ("levels", levels, _MOST_LEVELS),
    ):  # fmt: skip
        if given > most:
            raise RestError(400, "LIMIT_EXCEEDED", f"A tree cannot have more than {most} {name}")
    names = [node.reference for node in nodes]
    missing = [
        _result(node, "INVALID_INPUT", "Include a reference ID in the request.", [])
        for node in nodes
        if not node.reference
    ]
    twice = [
        _result(node, "INVALID_INPUT", "Duplicate ReferenceId provided in the request.", [])
        for node in nodes
        if names.count(node.reference) > 1
    ]
    if missing or twice:
        raise _FailedError(missing or twice)


def _result(node: _Node, code: str, message: str, fields: list[str]) -> dict[str, Any]:
    return {
        "referenceId": node.reference,
        "errors": [{"statusCode": code, "message": message, "fields": fields}],
    }
