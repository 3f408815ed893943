"""`/composite/sobjects`: up to 200 records in one call, or 2,000 that are read.

jsforce uses it for every list of records.
"""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from bulkforce_emulator.ids import canonical
from bulkforce_emulator.uploads import BatchError
from bulkforce_emulator.wire.calls import Call, json_response
from bulkforce_emulator.wire.duplicates import allows_duplicates
from bulkforce_emulator.wire.query import records, run
from bulkforce_emulator.wire.resources import Resources, RestError, data_path, document_of, not_found, version
from bulkforce_emulator.wire.sobjects import named_type, upload_row

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.responses import Response
    from starlette.routing import Route

    from bulkforce_emulator.schema import SObject
    from bulkforce_emulator.state.org import Org
    from bulkforce_emulator.uploads import Outcomes

_MOST = 200
_MOST_READ = 2_000
#: From this version on an upsert that was rolled back says of each record whether it was created.
_TELLS_CREATED = 46.0
#: The outcome of a good record that is rolled back with bad ones. The words are ours, after the documentation.
_TAKEN_BACK = {
    "success": False,
    "errors": [
        {
            "statusCode": "ALL_OR_NONE_OPERATION_ROLLED_BACK",
            "message": "Record rolled back because not all records were valid "
            "and the request was using AllOrNone header",
            "fields": [],
        }
    ],
}


def _take_back_if_any_failed(outcomes: list[dict[str, Any]]) -> None:
    if not all(outcome["success"] for outcome in outcomes):
        raise _TakenBackError(outcomes)


class _TakenBackError(Exception):
    def __init__(self, outcomes: list[dict[str, Any]]) -> None:
        super().__init__()
        self.outcomes = outcomes


def routes(org: Org) -> list[Route]:
    """The routes of this module."""
    composite = Composite(org)
    return [
        *composite.at("/composite/sobjects", composite.change, ("POST", "PATCH", "DELETE")),
        *composite.at("/composite/sobjects/{sobject}", composite.read, ("GET", "POST")),
        *composite.at("/composite/sobjects/{sobject}/{field}", composite.upsert, ("PATCH",)),
    ]


class Composite(Resources):
    """Lists of records."""

    def change(self, call: Call) -> Response:
        """POST inserts, PATCH updates, DELETE deletes."""
        if call.method == "DELETE":
            return json_response(self._delete(call))
        rows, all_or_none = _rows(call)
        write = self.org.insert if call.method == "POST" else self.org.update
        act = partial(write, allow_duplicates=allows_duplicates(call))
        return json_response(self._by_object(rows, act, all_or_none=all_or_none))

    def upsert(self, call: Call) -> Response:
        """Upsert by an external id."""
        sobject, (rows, all_or_none) = self.sobject(call), _rows(call)
        field = sobject.field(call.values["field"])
        if field is None or not field.indexed:
            raise not_found()

        def act(name: str, batch: list[dict[str, Any]]) -> Outcomes:
            return self.org.upsert(name, batch, field.name, allow_duplicates=allows_duplicates(call))

        created = version(call) >= _TELLS_CREATED
        return json_response(self._by_object(rows, act, upsert=True, created=created, all_or_none=all_or_none))

    def read(self, call: Call) -> Response:
        """Records by their ids, in the order asked for, null where there is none."""
        sobject = self.sobject(call)
        asked = (
            document_of(call) if call.method == "POST" else {key: call.query.get(key, "") for key in ("ids", "fields")}
        )
        ids, fields = (
            value.split(",") if isinstance(value, str) else value for value in map(asked.get, ("ids", "fields"))
        )
        if not ids or not fields:
            raise RestError(400, "MISSING_ARGUMENT", "ids and fields must be given")
        _check_size(ids, _MOST_READ)
        wanted = canonical(pa.array(ids, pa.string())).to_pylist()
        listed = ", ".join(f"'{record_id}'" for record_id in wanted if record_id) or "''"
        text = f"SELECT {', '.join(fields)} FROM {sobject.name} WHERE Id IN ({listed})"  # noqa: S608
        compiled = run(self.org, text, include_deleted=False)
        rows = self.org.store.query(compiled.identified_sql, compiled.parameters)
        found = zip(rows["id0"].to_pylist(), records(self.org, compiled, rows, data_path(call)), strict=True)
        by_id = dict(found)
        return json_response([by_id.get(record_id) for record_id in wanted])

    def _delete(self, call: Call) -> list[dict[str, Any]]:
        _check_size(ids := [record_id for record_id in call.query.get("ids", "").split(",") if record_id])
        rows = [{"attributes": {"type": self._object_of(record_id)}, "Id": record_id} for record_id in ids]

        def act(name: str, batch: list[dict[str, Any]]) -> Outcomes:
            return self.org.delete(name, [row["Id"] for row in batch])

        return self._by_object(rows, act, all_or_none=call.query.get("allOrNone", "false").lower() == "true")

    def _object_of(self, record_id: str) -> str:
        sobject = self.org.schema.of_id(record_id)
        if sobject is None:
            raise RestError(400, "MALFORMED_ID", f"bad id {record_id}")
        return sobject.name

    def _by_object(
        self,
        rows: list[dict[str, Any]],
        act: Callable[[str, list[dict[str, Any]]], Outcomes],
        *,
        upsert: bool = False,
        created: bool = False,
        all_or_none: bool,
    ) -> list[dict[str, Any]]:
        """Write the rows; with `all_or_none`, one failure rolls all of them back."""
        try:
            with self.org.store.writing() if all_or_none else nullcontext():
                outcomes = self._each_object(rows, act, upsert=upsert)
                if all_or_none:
                    _take_back_if_any_failed(outcomes)
        except _TakenBackError as taken_back:
            outcomes = [_TAKEN_BACK if outcome["success"] else outcome for outcome in taken_back.outcomes]
            # Recorded: an upsert says of each row that it made none.
            return [outcome | {"created": False} for outcome in outcomes] if created else outcomes
        return outcomes

    def _each_object(
        self, rows: list[dict[str, Any]], act: Callable[[str, list[dict[str, Any]]], Outcomes], *, upsert: bool
    ) -> list[dict[str, Any]]:
        """Write the rows, one object at a time; the outcomes are in the order of the rows."""
        outcomes: list[dict[str, Any]] = [{} for _ in rows]
        places: dict[str, list[int]] = {}
        for place, row in enumerate(rows):
            places.setdefault(named_type(row) or "", []).append(place)
        for name, here in places.items():
            sobject = self.org.schema.get(name)
            if sobject is None:
                raise RestError(400, "INVALID_TYPE", f"sObject type '{name}' is not supported.")
            done = _carried_out(act, sobject, [upload_row(sobject, rows[place]) for place in here])
            for n, place in enumerate(here):
                outcomes[place] = _outcome(done, n, upsert=upsert)
        return outcomes


def _carried_out(
    act: Callable[[str, list[dict[str, Any]]], Outcomes], sobject: SObject, batch: list[dict[str, Any]]
) -> Outcomes:
    try:
        return act(sobject.name, batch)
    except BatchError as refused:
        raise RestError(400, "INVALID_FIELD", refused.message) from None


def _outcome(outcomes: Outcomes, row: int, *, upsert: bool) -> dict[str, Any]:
    error = outcomes.error(row)
    if error is not None:
        problem = {"statusCode": error.status_code, "message": error.message, "fields": list(error.fields)}
        return {"success": False, "errors": [problem]}
    outcome: dict[str, Any] = {"id": outcomes.ids[row].as_py(), "success": True, "errors": []}
    return outcome | {"created": bool(outcomes.created[row].as_py())} if upsert else outcome


def _rows(call: Call) -> tuple[list[dict[str, Any]], bool]:
    """The records, and whether all or none are to be written."""
    document = document_of(call)
    rows = document.get("records")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise RestError(400, "JSON_PARSER_ERROR", "Can not deserialize: expected a list of records")
    _check_size(rows)
    return rows, document.get("allOrNone") is True


def _check_size(rows: list[Any], most: int = _MOST) -> None:
    if len(rows) > most:
        message = f"record limit reached. cannot submit more than {most} records into this call"
        raise RestError(400, "EXCEEDED_ID_LIMIT", message)
