"""`/sobjects`: one record at a time, created, read, updated, upserted and deleted with the same checks as a batch."""

from __future__ import annotations

import base64
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pyarrow as pa
from starlette.responses import Response

from bulkforce_emulator import ids
from bulkforce_emulator.uploads import BatchError
from bulkforce_emulator.wire import describe
from bulkforce_emulator.wire.calls import Call, json_response
from bulkforce_emulator.wire.duplicates import allows_duplicates, duplicate_result
from bulkforce_emulator.wire.query import records, run
from bulkforce_emulator.wire.resources import Resources, RestError, data_path, document_of, not_found, version

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.routing import Route

    from bulkforce_emulator.schema import Field, SObject
    from bulkforce_emulator.state.org import Org
    from bulkforce_emulator.uploads import Outcomes

# From this version on, an upsert that updates has an answer with a body.
_UPSERT_BODY_VERSION = 46.0
_NOT_FOUND_CODES = frozenset(("ENTITY_IS_DELETED", "NOT_FOUND", "INVALID_CROSS_REFERENCE_KEY"))
# Rights are refused as such.
_STATUS = {"INSUFFICIENT_ACCESS_OR_READONLY": 403, "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY": 403}

_CHANGES = ("GET", "PATCH", "DELETE", "POST")


def routes(org: Org) -> list[Route]:
    """The routes of this module; describe comes before the ids."""
    sobjects = SObjects(org)
    record = sobjects.at("/sobjects/{sobject}/{id}", sobjects.record, _CHANGES)
    keyed = sobjects.at("/sobjects/{sobject}/{field}/{value:path}", sobjects.keyed, _CHANGES)
    return [
        *sobjects.at("/sobjects", sobjects.listed, ("GET",)),
        *sobjects.at("/sobjects/{sobject}", sobjects.sobject_resource, ("GET", "POST")),
        *sobjects.at("/sobjects/{sobject}/describe", sobjects.described, ("GET",)),
        *record,
        *keyed,
    ]


class SObjects(Resources):
    """Objects and single records."""

    def listed(self, call: Call) -> Response:
        """All objects of the org."""
        path = data_path(call)
        listed = [describe.global_description(sobject, path) for sobject in self.org.schema.sobjects.values()]
        return json_response({"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": listed})

    def described(self, call: Call) -> Response:
        """Everything about one object."""
        return json_response(describe.description(self.org.schema, self.sobject(call), data_path(call)))

    def sobject_resource(self, call: Call) -> Response:
        """GET: a summary of the object. POST: a new record."""
        sobject = self.sobject(call)
        if call.method == "GET":
            basic = describe.global_description(sobject, data_path(call))
            return json_response({"objectDescribe": basic, "recentItems": []})
        insert = partial(self.org.insert, allow_duplicates=allows_duplicates(call))
        outcomes = self._done(call, sobject, insert, [upload_row(sobject, document_of(call))])
        record_id = outcomes.ids[0].as_py()
        location = {"Location": f"{data_path(call)}/sobjects/{sobject.name}/{record_id}"}
        return json_response({"id": record_id, "success": True, "errors": []}, 201, location)

    def record(self, call: Call) -> Response:
        """One record by its id."""
        _check_method(call)
        sobject = self.sobject(call)
        record_id = ids.to_18(call.values["id"])
        if call.method == "GET":
            return json_response(self._read(call, sobject, "Id", record_id))
        self._require(sobject, record_id)
        if call.method == "DELETE":
            self._done(call, sobject, self.org.delete, [record_id])
        else:
            update = partial(self.org.update, allow_duplicates=allows_duplicates(call))
            self._done(call, sobject, update, [upload_row(sobject, document_of(call)) | {"Id": record_id}])
        return Response(status_code=204)

    def keyed(self, call: Call) -> Response:
        """One record by an external id; or the bytes of one of its binary fields."""
        _check_method(call)
        sobject = self.sobject(call)
        field = sobject.field(call.values["field"])
        value = unquote(call.values["value"].rstrip("/"))
        if field is None or not field.indexed:
            return self._blob(call, sobject)
        if call.method == "GET":
            return json_response(self._read(call, sobject, field.name, value))
        if call.method == "DELETE":
            record_id = self._read(call, sobject, field.name, value)["attributes"]["url"].rpartition("/")[2]
            self._done(call, sobject, self.org.delete, [record_id])
            return Response(status_code=204)
        return self._upsert(call, sobject, field, value)

    def _upsert(self, call: Call, sobject: SObject, field: Field, value: str) -> Response:
        body = upload_row(sobject, document_of(call))
        if field.name in body:
            message = f"The {field.name} field should not be specified in the sobject data."
            raise RestError(400, "INVALID_FIELD", message, [field.name])
        upsert = partial(self.org.upsert, allow_duplicates=allows_duplicates(call))
        outcomes = self._done(call, sobject, upsert, [body | {field.name: value}], field.name)
        created = bool(outcomes.created[0].as_py())
        if not created and version(call) < _UPSERT_BODY_VERSION:
            return Response(status_code=204)
        answer = {"id": outcomes.ids[0].as_py(), "success": True, "errors": [], "created": created}
        return json_response(answer, 201 if created else 200)

    def _done(self, call: Call, sobject: SObject, act: Callable[..., Outcomes], *arguments: object) -> Outcomes:
        """Change one record.

        Raises:
            RestError: It was refused.
        """
        try:
            outcomes = act(sobject.name, *arguments)
        except BatchError as refused:
            raise RestError(400, "INVALID_FIELD", refused.message) from None
        error = outcomes.error(0)
        if error is not None:
            status = 404 if error.status_code in _NOT_FOUND_CODES and not error.fields else 400
            refusal = RestError(_STATUS.get(error.status_code, status), error.status_code, error.message, error.fields)
            refusal.document = duplicate_result(sobject, outcomes, 0, data_path(call)) | refusal.document
            raise refusal
        return outcomes

    def _read(self, call: Call, sobject: SObject, field: str, value: str) -> dict[str, Any]:
        """One record with the fields that were asked for, or all."""
        found = self._find(sobject, _asked(call, sobject), field, value, data_path(call))
        if not found:
            raise _missing(value)
        if len(found) > 1:
            raise RestError(300, "DUPLICATE_VALUE", f"More than one record has the value {value} in {field}", [field])
        return found[0]

    def _find(self, sobject: SObject, names: Sequence[str], field: str, value: str, path: str) -> list[dict[str, Any]]:
        if field == "Id" and ids.canonical(pa.array([value]))[0].as_py() is None:
            return []
        literal = value.replace("\\", "\\\\").replace("'", "\\'")
        text = f"SELECT {', '.join(names)} FROM {sobject.name} WHERE {field} = '{literal}' LIMIT 2"  # noqa: S608
        compiled = run(self.org, text, include_deleted=False)
        return records(self.org, compiled, self.org.store.query(compiled.identified_sql, compiled.parameters), path)

    def _require(self, sobject: SObject, record_id: str) -> None:
        is_id = ids.canonical(pa.array([record_id]))[0].as_py() is not None
        if is_id and not record_id.startswith(sobject.key_prefix):
            words = f"Record ID: id value of incorrect type: {record_id}"
            raise RestError(400, "MALFORMED_ID", words, ["Id"])
        if self._find(sobject, ["Id"], "Id", record_id, ""):
            return
        deleted = f'SELECT 1 FROM "{sobject.name}" WHERE "Id" = $1 AND "IsDeleted"'  # noqa: S608
        if self.org.store.query(deleted, [record_id]).num_rows:
            raise RestError(404, "ENTITY_IS_DELETED", "entity is deleted", [])
        raise _missing(record_id)

    def _blob(self, call: Call, sobject: SObject) -> Response:
        """`/sobjects/Attachment/{id}/Body`."""
        field = sobject.field(call.values["value"].rstrip("/"))
        if field is None or field.type != "base64" or call.method != "GET":
            raise not_found()
        record_id = ids.to_18(call.values["field"])
        self._require(sobject, record_id)
        statement = f'SELECT "{field.name}" AS body FROM "{sobject.name}" WHERE "Id" = $1'  # noqa: S608
        body = self.org.store.query(statement, [record_id])["body"][0].as_py()
        return Response(base64.b64decode(body or ""), media_type="application/octet-stream")


def _asked(call: Call, sobject: SObject) -> list[str]:
    asked = [name.strip() for name in call.query.get("fields", "").split(",") if name.strip()]
    return asked or list(sobject.fields)


def _missing(value: str) -> RestError:
    return RestError(404, "NOT_FOUND", f"Provided external ID field does not exist or is not accessible: {value}")


def _check_method(call: Call) -> None:
    if call.method == "POST":
        message = "HTTP Method 'POST' not allowed. Allowed are HEAD,GET,PATCH,DELETE"
        raise RestError(405, "METHOD_NOT_ALLOWED", message)


def upload_row(sobject: SObject, record: dict[str, Any]) -> dict[str, Any]:
    """A record as a row of an upload: fields in their proper letter case, nested parents as columns."""
    return dict(_header(sobject, name, value) for name, value in record.items() if name != "attributes")


def named_type(record: dict[str, Any]) -> str | None:
    """The object that the attributes of a record name."""
    attributes = record.get("attributes") or {}
    kind = attributes.get("type") if isinstance(attributes, dict) else None
    if not isinstance(attributes, dict) or not isinstance(kind, str | None):
        raise RestError(400, "JSON_PARSER_ERROR", "Can not deserialize: expected the type of the record as a text")
    return kind


def _header(sobject: SObject, name: str, value: Any) -> tuple[str, Any]:  # noqa: ANN401
    """A member as the column of an upload: a nested parent is `Account.Ext__c`, or `Lead:Who.Email`."""
    field = sobject.field(name)
    if field is not None:
        return field.name, value
    if sobject.relationship(name) is None:
        raise RestError(400, "INVALID_FIELD", f"No such column '{name}' on sobject of type {sobject.name}")
    keys = [key for key in value if key != "attributes"] if isinstance(value, dict) else []
    if len(keys) != 1:
        raise RestError(400, "JSON_PARSER_ERROR", f"The reference {name} must have one field of the parent")
    kind = named_type(value)
    return f"{f'{kind}:' if kind else ''}{name}.{keys[0]}", value[keys[0]]
