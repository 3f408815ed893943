"""What a jobInfo asks for, checked against the schema (sections 2.1 and 2.2 of the reference)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bulkforce_emulator.chunking import ChunkOptions, parent_of
from bulkforce_emulator.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bulkforce_emulator.schema import Field, Schema, SObject
    from bulkforce_emulator.settings import Settings

OPERATIONS = ("insert", "upsert", "update", "delete", "hardDelete", "query", "queryAll")
CONTENT_TYPES = ("XML", "CSV", "JSON", "ZIP_XML", "ZIP_CSV", "ZIP_JSON")
CONCURRENCY_MODES = ("Parallel", "Serial")
#: Members that only the server writes, in the order in which they are complained of. `id` passes unseen.
_SERVERS_OWN = (
    "createdById", "createdDate", "systemModstamp", "numberBatchesQueued", "numberBatchesInProgress",
    "numberBatchesCompleted", "numberBatchesFailed", "numberBatchesTotal", "numberRecordsProcessed", "numberRetries",
    "apiVersion", "numberRecordsFailed", "totalProcessingTime", "apiActiveProcessingTime", "apexProcessingTime",
    "fastPathEnabled",
)  # fmt: skip
_CLIENTS_OWN = ("operation", "object", "externalIdFieldName", "concurrencyMode", "contentType", "assignmentRuleId")
UNREADABLE = "Unable to parse Job"


@dataclass(frozen=True, slots=True)
class JobRequest:
    """A job that can be made."""

    operation: str
    sobject: SObject
    content_type: str
    api_version: str
    external_id: Field | None = None
    concurrency_mode: str = "Parallel"
    assignment_rule_id: str | None = None
    chunking: ChunkOptions | None = None
    line_ending: str = "LF"
    disable_retry: bool = False


@dataclass(frozen=True, slots=True)
class Options:
    """What the headers of a create call add."""

    chunking: ChunkOptions | None = None
    line_ending: str = "LF"
    disable_retry: bool = False


def read_request(members: Mapping[str, Any], schema: Schema, settings: Settings, *, api_version: str, options: Options) -> JobRequest:
    """Read the jobInfo of a create call.

    Raises:
        ApiError: `InvalidJob` or `InvalidEntity`, saying what is wrong.
    """
    given = {name: value for name, value in members.items() if value is not None and value != ""}
    _refuse_servers_own(given)
    _refuse_unknown(given, settings)
    if given.get("state", "Open") != "Open":
        raise ApiError("InvalidJob", "State cannot be specified")
    operation = _one_of(given, "operation", OPERATIONS)
    content_type = _one_of(given, "contentType", CONTENT_TYPES, "XML")
    sobject = _sobject(given, operation, schema)
    return JobRequest(
        operation=operation,
        sobject=sobject,
        content_type=content_type,
        api_version=api_version,
        external_id=_external_id(given, operation, sobject),
        concurrency_mode=_one_of(given, "concurrencyMode", CONCURRENCY_MODES, "Parallel"),
        assignment_rule_id=_assignment_rule(given, sobject),
        chunking=_chunking(options, operation, sobject, schema),
        line_ending=options.line_ending,
        disable_retry=options.disable_retry,
    )


def read_state(members: Mapping[str, Any], settings: Settings) -> str:
    """Read the jobInfo of a close or abort call: it may only have a state.

    Raises:
        ApiError: It has more, or no state that a client may set.
    """
    given = {name: value for name, value in members.items() if value is not None}
    _refuse_servers_own(given)
    for name in _CLIENTS_OWN:
        if name in given:
            raise ApiError("InvalidJob", f"{name[0].upper()}{name[1:]} cannot be specified")
    _refuse_unknown(given, settings)
    state = given.get("state")
    if isinstance(state, int) and not isinstance(state, bool) and 0 <= state < 3:
        state = ("Open", "Closed", "Aborted")[state]
    if state not in {"Open", "Closed", "Aborted"}:
        raise ApiError("InvalidJob", UNREADABLE)
    return str(state)


def _refuse_servers_own(given: Mapping[str, Any]) -> None:
    for name in _SERVERS_OWN:
        if name in given:
            raise ApiError("InvalidJob", f"{name[0].upper()}{name[1:]} cannot be specified")


def _refuse_unknown(given: Mapping[str, Any], settings: Settings) -> None:
    unknown = given.keys() - {*_CLIENTS_OWN, "id", "state"}
    if unknown and settings.unknown_element == "refuse":
        raise ApiError("InvalidJob", UNREADABLE)


def _one_of(given: Mapping[str, Any], name: str, words: tuple[str, ...], default: str | None = None) -> str:
    """A word of a list, case-sensitive, or its ordinal (2.1)."""
    value = given.get(name, default)
    if value is None:
        raise ApiError("InvalidJob", f"{name[0].upper()}{name[1:]} must be specified")
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(words):
        return words[value]
    if value not in words:
        raise ApiError("InvalidJob", UNREADABLE)
    return str(value)


def _sobject(given: Mapping[str, Any], operation: str, schema: Schema) -> SObject:
    name = given.get("object")
    if not isinstance(name, str):
        raise ApiError("InvalidJob", "Object must be specified")
    sobject = schema.get(name)
    if sobject is None:
        raise ApiError("InvalidJob", f"Unable to find object: {name}")
    if not sobject.bulk:
        api = "Bulk Query API" if operation.startswith("query") else "Bulk API"
        raise ApiError("InvalidEntity", f"Entity '{sobject.name}' is not supported by the {api}.")
    return sobject


def _external_id(given: Mapping[str, Any], operation: str, sobject: SObject) -> Field | None:
    name = given.get("externalIdFieldName")
    if operation != "upsert":
        if name is not None:
            raise ApiError("InvalidJob", f"External ID cannot be specified for {operation}.")
        return None
    if name is None:
        raise ApiError(
            "InvalidJob",
            f"External ID was blank for {sobject.name}. An External ID must be specified for upsert.",
        )
    field = sobject.field(str(name))
    if field is None or not field.indexed:
        raise ApiError(
            "InvalidJob",
            f"Field name provided, {name} does not match an External ID, Salesforce Id, or indexed field for {sobject.name}",
        )
    return field


def _assignment_rule(given: Mapping[str, Any], sobject: SObject) -> str | None:
    rule = given.get("assignmentRuleId")
    if rule is None:
        return None
    if sobject.name not in {"Case", "Lead"}:
        raise ApiError("InvalidJob", f"Assignment rule cannot be specified for {sobject.name}")
    return str(rule)


def _chunking(options: Options, operation: str, sobject: SObject, schema: Schema) -> ChunkOptions | None:
    """The header says nothing to a data job."""
    if options.chunking is None or not operation.startswith("query"):
        return None
    parent_of(options.chunking, sobject, schema)
    return options.chunking
