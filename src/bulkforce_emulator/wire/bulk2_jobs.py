"""The JSON of Bulk API 2.0's jobs: reads and checks what a client sends, and writes what the server says."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from bulkforce_emulator.errors import ApiError
from bulkforce_emulator.formats.documents import json_moment
from bulkforce_emulator.state.bulk2.job import Bulk2, Stage
from bulkforce_emulator.state.job import JobRequest, Operation
from bulkforce_emulator.uploads import Format
from bulkforce_emulator.wire.resources import RestError
from bulkforce_emulator.wire.spelling import CONTENT_TYPES, LINE_ENDINGS, OPERATIONS, content_type_name, operation_name
from bulkforce_emulator.words import spelled

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bulkforce_emulator.bulk2_texts import Bulk2Texts
    from bulkforce_emulator.schema import Field, Schema, SObject
    from bulkforce_emulator.settings import Settings
    from bulkforce_emulator.state.bulk2.job import Bulk2Summary

_Value = TypeVar("_Value")
DELIMITERS = {"BACKQUOTE": "`", "CARET": "^", "COMMA": ",", "PIPE": "|", "SEMICOLON": ";", "TAB": "\t"}
_DELIMITER_NAMES = {delimiter: name for name, delimiter in DELIMITERS.items()}
_LINE_END_NAMES = {line_end: name for name, line_end in LINE_ENDINGS.items()}
_INGEST_MEMBERS = (
    "object", "operation", "externalIdFieldName", "contentType", "columnDelimiter", "lineEnding", "assignmentRuleId",
)  # fmt: skip
_QUERY_MEMBERS = ("operation", "query", "contentType", "columnDelimiter", "lineEnding")
_RULES_FROM = 49.0


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request that creates an ingest job asks for."""

    request: JobRequest
    bulk2: Bulk2


class Reader:
    """Reads the members of one request."""

    def __init__(self, body: bytes, settings: Settings) -> None:
        self._settings = settings
        self.texts: Bulk2Texts = settings.texts.bulk2
        try:
            self._text = body.decode("utf-8-sig")
            members = json.loads(self._text)
        except ValueError as problem:
            raise RestError(400, "JSON_PARSER_ERROR", str(problem)) from None
        if not isinstance(members, dict):
            raise RestError(400, "JSON_PARSER_ERROR", "Can not deserialize: expected an object")
        #: Null is the same as not there.
        self._given = {name: value for name, value in members.items() if value is not None}

    def only(self, names: tuple[str, ...]) -> None:
        """Refuse members of other names."""
        unknown = [name for name in self._given if name not in names]
        if unknown and self._settings.unknown_member == "refuse":
            raise ApiError.of(self.texts.member_unknown, name=unknown[0])

    def text(self, name: str) -> str | None:
        """A member that is a text."""
        value = self._given.get(name)
        if value is None or isinstance(value, str):
            return value
        found = re.search(rf'"{re.escape(name)}"\s*:\s*', self._text)
        before = self._text[: found.end()] if found else ""
        line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
        raise ApiError.of(self.texts.type_unfit, line=line, column=column)

    def word(self, name: str, words: Mapping[str, _Value], default: str | None = None) -> _Value:
        """What a member means that is one of some words, in their letter case."""
        value = self.text(name)
        value = default if value is None else value
        if value is None or value not in words:
            raise ApiError.of(self.texts.value_invalid, value=value or "", name=name)
        return words[value]

    def layout(self) -> tuple[str, str]:
        """The delimiter and the line end of a job, after a look at its content type."""
        named = self.text("contentType")
        if named is not None and named in CONTENT_TYPES and named != "CSV":
            raise ApiError.of(self.texts.content_type_unfit, name=named)
        self.word("contentType", {"CSV": Format.CSV}, "CSV")
        delimiter = self.word("columnDelimiter", DELIMITERS, "COMMA")
        return delimiter, self.word("lineEnding", LINE_ENDINGS, "LF")


def read_ingest(body: bytes, schema: Schema, settings: Settings, version: str) -> Asked:
    """Read the request that creates an ingest job.

    Raises:
        ApiError: The job is refused.
        RestError: The body is not a JSON object.
    """
    reader = Reader(body, settings)
    reader.only(_INGEST_MEMBERS)
    operations = {name: operation for name, operation in OPERATIONS.items() if not operation.is_query}
    operation = reader.word("operation", operations)
    delimiter, line_end = reader.layout()
    sobject = _sobject(reader, schema)
    named = reader.text("externalIdFieldName")
    key = _key(reader, sobject, named) if operation == Operation.UPSERT else None
    rule = reader.text("assignmentRuleId")
    if rule is not None and (sobject.name not in {"Case", "Lead"} or float(version) < _RULES_FROM):
        raise ApiError.of(reader.texts.rule_unwanted, object=sobject.name)
    request = JobRequest(
        operation, sobject, Format.CSV, version, external_id=key, assignment_rule_id=rule, line_ending=line_end
    )
    return Asked(request, Bulk2(delimiter, line_end, named if key is not None else None))


def read_query(body: bytes, settings: Settings) -> tuple[Operation, str, str, str]:
    """Read the request that creates a query job: operation, SOQL, delimiter and line end.

    Raises:
        ApiError: The job is refused.
        RestError: The body is not a JSON object.
    """
    reader = Reader(body, settings)
    reader.only(_QUERY_MEMBERS)
    operations = {name: operation for name, operation in OPERATIONS.items() if operation.is_query}
    operation = reader.word("operation", operations)
    delimiter, line_end = reader.layout()
    return operation, reader.text("query") or "", delimiter, line_end


def read_stage(body: bytes, settings: Settings, *, query: bool) -> Stage:
    """Read the request that changes a job's state.

    Raises:
        ApiError: It says anything else than a state that a client may set.
        RestError: The body is not a JSON object.
    """
    reader = Reader(body, settings)
    reader.only(("state",))
    stages = [Stage.ABORTED] if query else [Stage.ABORTED, Stage.UPLOAD_COMPLETE]
    return reader.word("state", {spelled(stage): stage for stage in stages})


def _sobject(reader: Reader, schema: Schema) -> SObject:
    name = reader.text("object") or ""
    sobject = schema.get(name)
    if sobject is None:
        raise ApiError.of(reader.texts.object_unknown, name=name)
    if not sobject.bulk:
        raise ApiError.of(reader.texts.object_unsupported, name=sobject.name)
    return sobject


def _key(reader: Reader, sobject: SObject, named: str | None) -> Field:
    if named is None:
        raise ApiError.of(reader.texts.key_missing, object=sobject.name)
    field = sobject.field(named)
    if field is None or not field.indexed:
        raise ApiError.of(reader.texts.key_unfit, name=named, object=sobject.name)
    return field


# What the server says: three shapes of one job


def created(seen: Bulk2Summary, version: str) -> dict[str, object]:
    """What the answer to a create request says."""
    rule = seen.job.request.assignment_rule_id
    return _begun(seen) | _url(seen, version) | _layout(seen) | ({} if rule is None else {"assignmentRuleId": rule})


def changed(seen: Bulk2Summary) -> dict[str, object]:
    """What the answer to a change of the state says."""
    return _begun(seen)


def listed(seen: Bulk2Summary, version: str) -> dict[str, object]:
    """What a list says about a job; also about one of v1."""
    kind = "Classic" if seen.bulk2 is None else "V2Query" if seen.job.request.operation.is_query else "V2Ingest"
    return _begun(seen) | {"jobType": kind} | _url(seen, version) | _layout(seen)


def before(seen: Bulk2Summary) -> Bulk2Summary:
    """A job as it was before it began: an ingest job after its upload, a query job after its creation."""
    stage = Stage.UPLOAD_COMPLETE if seen.job.request.operation.is_query else Stage.OPEN
    job = replace(seen.job, processed=0, failed=0, retries=0, milliseconds=0, active_milliseconds=0)
    return replace(seen, job=replace(job, modified=job.created), stage=stage)


def told(seen: Bulk2Summary, version: str, settings: Settings) -> dict[str, object]:
    """What is said about a job that is asked for."""
    job, query = seen.job, seen.job.request.operation.is_query
    members = listed(seen, version)
    if seen.has_upload or settings.counters_before_upload:
        members["numberRecordsProcessed"] = job.processed
        if not query:
            members["numberRecordsFailed"] = job.failed
    members |= {"retries": job.retries, "totalProcessingTime": job.milliseconds}
    if not query:
        members |= {"apiActiveProcessingTime": job.active_milliseconds, "apexProcessingTime": 0}
    if job.request.assignment_rule_id is not None:
        members["assignmentRuleId"] = job.request.assignment_rule_id
    if float(version) >= settings.pk_chunking_shown_from:
        members["isPkChunkingSupported"] = seen.bulk2 is not None and seen.bulk2.splits
    if seen.stage == Stage.FAILED and (not query or settings.failed_query_message):
        members["errorMessage"] = seen.message
    return members


def _begun(seen: Bulk2Summary) -> dict[str, object]:
    """The members that all shapes begin with, in the order of the wire."""
    job = seen.job
    asked = job.request
    members: dict[str, object] = {
        "id": job.id,
        "operation": operation_name(asked.operation),
        "object": asked.sobject.name,
        "createdById": job.created_by,
        "createdDate": json_moment(job.created),
        "systemModstamp": json_moment(job.modified),
        "state": spelled(job.state) if seen.bulk2 is None else spelled(seen.stage),
    }
    key = asked.external_id.name if seen.bulk2 is None and asked.external_id is not None else None
    key = seen.bulk2.key if seen.bulk2 is not None else key
    if key is not None:
        members["externalIdFieldName"] = key
    return members | {
        "concurrencyMode": "Serial" if asked.serial else "Parallel",
        "contentType": content_type_name(asked),
        "apiVersion": float(asked.api_version),
    }


def _url(seen: Bulk2Summary, version: str) -> dict[str, object]:
    if seen.bulk2 is None or seen.stage != Stage.OPEN:
        return {}
    return {"contentUrl": f"services/data/v{version}/jobs/ingest/{seen.job.id}/batches"}


def _layout(seen: Bulk2Summary) -> dict[str, object]:
    if seen.bulk2 is None:
        return {}
    delimiter, line_end = layout_names(seen.bulk2)
    return {"lineEnding": line_end, "columnDelimiter": delimiter}


def layout_names(bulk2: Bulk2) -> tuple[str, str]:
    """The names of a job's delimiter and line end."""
    return _DELIMITER_NAMES[bulk2.delimiter], _LINE_END_NAMES[bulk2.line_end]


def document(members: object, *, spread: bool) -> bytes:
    """JSON as this API writes it: one line, or indented with a blank before each colon."""
    separators = (",", " : ") if spread else (",", ":")
    return json.dumps(members, ensure_ascii=False, indent=2 if spread else None, separators=separators).encode()
