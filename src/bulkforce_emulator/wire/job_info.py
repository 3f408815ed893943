"""jobInfo and batchInfo: reads and checks what a client sends, and writes what the server says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from bulkforce_emulator.errors import ApiError
from bulkforce_emulator.state.chunking import ChunkOptions, chunked
from bulkforce_emulator.state.job import JobRequest, Operation
from bulkforce_emulator.state.lifecycle import BatchState, JobState
from bulkforce_emulator.wire.spelling import (
    CONCURRENCY_MODES,
    CONTENT_TYPES,
    OPERATIONS,
    concurrency_mode_name,
    content_type_name,
    operation_name,
)
from bulkforce_emulator.words import spelled

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bulkforce_emulator.schema import Field, Schema, SObject
    from bulkforce_emulator.settings import Settings
    from bulkforce_emulator.state.job import BatchSummary, JobSummary
    from bulkforce_emulator.texts import CallTexts

_Value = TypeVar("_Value")
_SETTABLE = (JobState.OPEN, JobState.CLOSED, JobState.ABORTED)
#: Members that only the server writes, in the order in which they are refused. `id` is ignored.
_SERVERS_OWN = (
    "createdById", "createdDate", "systemModstamp", "numberBatchesQueued", "numberBatchesInProgress",
    "numberBatchesCompleted", "numberBatchesFailed", "numberBatchesTotal", "numberRecordsProcessed", "numberRetries",
    "apiVersion", "numberRecordsFailed", "totalProcessingTime", "apiActiveProcessingTime", "apexProcessingTime",
    "fastPathEnabled",
)  # fmt: skip
_CLIENTS_OWN = ("operation", "object", "externalIdFieldName", "concurrencyMode", "contentType", "assignmentRuleId")
_ORDER = ("id", "operation", "object", "state", *_CLIENTS_OWN[2:])


def in_order(names: Iterable[str]) -> bool:
    """Whether the members of a jobInfo come in the order of the schema of the documents."""
    places = [_ORDER.index(name) for name in names if name in _ORDER]
    return places == sorted(places)


@dataclass(frozen=True, slots=True)
class Options:
    """What the headers of a create call add."""

    chunking: ChunkOptions | None = None
    line_ending: str = "\n"
    disable_retry: bool = False


def read_request(
    members: Mapping[str, Any], schema: Schema, settings: Settings, *, api_version: str, options: Options
) -> JobRequest:
    """Read the jobInfo of a create call.

    Raises:
        ApiError: `InvalidJob` or `InvalidEntity`, saying what is wrong.
    """
    given = {name: value for name, value in _given(members).items() if value != ""}
    texts = settings.texts.calls
    _refuse_servers_own(given, texts)
    _refuse_unknown(given, settings)
    if given.get("state", "Open") != "Open":
        raise ApiError.of(texts.member_unwanted, member="State")
    operation = _one_of(given, texts, "operation", OPERATIONS)
    written_in, zipped = _one_of(given, texts, "contentType", CONTENT_TYPES, "XML")
    sobject = _sobject(given, texts, operation, schema)
    return JobRequest(
        operation=operation,
        sobject=sobject,
        format=written_in,
        zipped=zipped,
        api_version=api_version,
        external_id=_external_id(given, texts, operation, sobject),
        serial=_one_of(given, texts, "concurrencyMode", CONCURRENCY_MODES, "Parallel"),
        assignment_rule_id=_assignment_rule(given, texts, sobject),
        chunking=_chunking(options, operation, sobject, schema, settings),
        line_ending=options.line_ending,
        disable_retry=options.disable_retry,
    )


def read_state(members: Mapping[str, Any], settings: Settings) -> JobState:
    """Read the jobInfo of a close or abort call: it may only have a state.

    Raises:
        ApiError: It has more, or no state that a client may set.
    """
    given = _given(members)
    texts = settings.texts.calls
    _refuse_servers_own(given, texts)
    for name in _CLIENTS_OWN:
        if name in given:
            raise ApiError.of(texts.member_unwanted, member=_capitalized(name))
    _refuse_unknown(given, settings)
    state = given.get("state")
    if isinstance(state, int) and not isinstance(state, bool) and 0 <= state < 3:
        return _SETTABLE[state]
    for settable in _SETTABLE:
        if state == spelled(settable):
            return settable
    raise ApiError.of(texts.job_unreadable)


def _given(members: Mapping[str, Any]) -> dict[str, Any]:
    """What a client really says: Salesforce's own writes every member, those of the server as 0, null or false."""
    return {name: value for name, value in members.items() if value is not None and (value or name not in _SERVERS_OWN)}


def _capitalized(name: str) -> str:
    return f"{name[0].upper()}{name[1:]}"


def _refuse_servers_own(given: Mapping[str, Any], texts: CallTexts) -> None:
    for name in _SERVERS_OWN:
        if name in given:
            raise ApiError.of(texts.member_unwanted, member=_capitalized(name))


def _refuse_unknown(given: Mapping[str, Any], settings: Settings) -> None:
    unknown = given.keys() - {*_CLIENTS_OWN, "id", "state"}
    if unknown and settings.unknown_element == "refuse":
        raise ApiError.of(settings.texts.calls.job_unreadable)


def _one_of(
    given: Mapping[str, Any], texts: CallTexts, name: str, words: Mapping[str, _Value], default: str | None = None
) -> _Value:
    """What a word means; it is case-sensitive. Clients also send its ordinal in JSON."""
    value = given.get(name, default)
    if value is None:
        raise ApiError.of(texts.member_missing, member=_capitalized(name))
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(words):
        return list(words.values())[value]
    if not isinstance(value, str) or value not in words:
        raise ApiError.of(texts.job_unreadable)
    return words[value]


def _sobject(given: Mapping[str, Any], texts: CallTexts, operation: Operation, schema: Schema) -> SObject:
    name = given.get("object")
    if not isinstance(name, str):
        raise ApiError.of(texts.member_missing, member="Object")
    sobject = schema.get(name)
    if sobject is None:
        raise ApiError.of(texts.object_unknown, name=name)
    if not sobject.bulk:
        raise ApiError.of(
            texts.object_not_queried if operation.is_query else texts.object_unsupported, name=sobject.name
        )
    return sobject


def _external_id(given: Mapping[str, Any], texts: CallTexts, operation: Operation, sobject: SObject) -> Field | None:
    name = given.get("externalIdFieldName")
    if operation != Operation.UPSERT:
        if name is not None:
            raise ApiError.of(texts.external_id_unwanted, operation=operation_name(operation))
        return None
    if name is None:
        raise ApiError.of(texts.external_id_missing, object=sobject.name)
    field = sobject.field(str(name))
    if field is None or not field.indexed:
        raise ApiError.of(texts.external_id_unfit, name=name, object=sobject.name)
    return field


def _assignment_rule(given: Mapping[str, Any], texts: CallTexts, sobject: SObject) -> str | None:
    rule = given.get("assignmentRuleId")
    if rule is None:
        return None
    if sobject.name not in {"Case", "Lead"}:
        raise ApiError.of(texts.assignment_rule_unwanted, object=sobject.name)
    return str(rule)


def _chunking(
    options: Options, operation: Operation, sobject: SObject, schema: Schema, settings: Settings
) -> ChunkOptions | None:
    """How to chunk; the header does nothing in a data job."""
    if options.chunking is None or not operation.is_query:
        return None
    try:
        chunked(options.chunking, sobject, schema, settings)
    except ApiError:
        if settings.unchunkable == "ignore":
            return None
        raise
    return options.chunking


def job_info(job: JobSummary) -> dict[str, object]:
    """The members of a jobInfo in the order of the wire."""
    asked = job.request
    return {
        "id": job.id,
        "operation": operation_name(asked.operation),
        "object": asked.sobject.name,
        "createdById": job.created_by,
        "createdDate": job.created,
        "systemModstamp": job.modified,
        "state": spelled(job.state),
        "externalIdFieldName": asked.external_id.name if asked.external_id else None,
        "concurrencyMode": concurrency_mode_name(asked),
        "contentType": content_type_name(asked),
        "numberBatchesQueued": job.batches[BatchState.QUEUED],
        "numberBatchesInProgress": job.batches[BatchState.IN_PROGRESS],
        "numberBatchesCompleted": job.batches[BatchState.COMPLETED],
        "numberBatchesFailed": job.batches[BatchState.FAILED],
        "numberBatchesTotal": job.batches.total(),
        "numberRecordsProcessed": job.processed,
        "numberRetries": job.retries,
        "apiVersion": asked.api_version,
        "assignmentRuleId": asked.assignment_rule_id,
        "numberRecordsFailed": job.failed,
        **_times(job),
    }


def batch_info(batch: BatchSummary) -> dict[str, object]:
    """The members of a batchInfo in the order of the wire."""
    return {
        "id": batch.id,
        "jobId": batch.job_id,
        "state": spelled(batch.state),
        "stateMessage": batch.message,
        "createdDate": batch.created,
        "systemModstamp": batch.modified,
        "numberRecordsProcessed": batch.processed,
        "numberRecordsFailed": batch.failed,
        **_times(batch),
    }


def _times(summary: JobSummary | BatchSummary) -> dict[str, object]:
    return {
        "totalProcessingTime": summary.milliseconds,
        "apiActiveProcessingTime": summary.active_milliseconds,
        "apexProcessingTime": 0,
    }
