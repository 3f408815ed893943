"""Bulk API v1, one exchange at a time.

Says what to ask and how to read the answer. Sending is ``transport``'s work, waiting and repeating are ``flow``'s.
Source of paths, headers and bodies: Bulk API chapters of the developer guide (edition of 2026) and the recordings in ``conformance/``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias, TypeVar
from urllib.parse import quote
from xml.etree.ElementTree import Element

from bulkforce.errors import ProtocolError, UsageError
from bulkforce.protocol import limits, wire_csv, wire_json, wire_xml
from bulkforce.protocol.exchange import Answer, Body, Exchange, Replay, Request, Stream
from bulkforce.protocol.faults import describe
from bulkforce.protocol.info import BatchInfo, JobInfo, Result
from bulkforce.vocabulary import ConcurrencyMode, ContentType, JobState, LineEnding, Operation

T = TypeVar("T")
W = TypeVar("W", Operation, ContentType, ConcurrencyMode, LineEnding)
Job: TypeAlias = JobInfo | str

_BASE: Final = "/services/async/{version}/job"
_XML: Final = "application/xml; charset=UTF-8"
_JSON: Final = "application/json; charset=UTF-8"
_BATCH_MEDIA: Final[Mapping[ContentType, str]] = {
    ContentType.CSV: "text/csv; charset=UTF-8",
    ContentType.JSON: _JSON,
    ContentType.XML: _XML,
    ContentType.ZIP_CSV: "zip/csv",
    ContentType.ZIP_JSON: "zip/json",
    ContentType.ZIP_XML: "zip/xml",
}


@dataclass(frozen=True, slots=True)
class PKChunking:
    """Ask the org to split a query by ranges of record ids.

    Attributes:
        size: Width of an id range (not a number of rows); at most 250,000, the org's default is 100,000.
        parent: Base object when a share or history table is queried, e.g. ``Account`` for ``AccountShare``.
        start_row: Lower bound of the first range, a record id of 15 or 18 characters, for going on from there.
    """

    size: int | None = None
    parent: str | None = None
    start_row: str | None = None

    def header(self) -> str:
        """Write the value of ``Sforce-Enable-PKChunking``."""
        parts = {"chunkSize": self.size, "parent": self.parent, "startRow": self.start_row}
        return "; ".join(f"{name}={value}" for name, value in parts.items() if value is not None) or "TRUE"


@dataclass(frozen=True, slots=True)
class JobSettings:
    """What a job is created with, checked.

    Raises:
        UsageError: The settings contradict each other or the protocol.
    """

    operation: Operation
    object: str
    content_type: ContentType
    external_id_field: str | None = None
    concurrency_mode: ConcurrencyMode | None = None
    assignment_rule_id: str | None = None
    pk_chunking: PKChunking | None = None
    line_ending: LineEnding | None = None
    disable_batch_retry: bool | None = None

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z]\w*", self.object, re.ASCII):
            raise UsageError(f"{self.object!r} is not the API name of an object (letters, digits, underscores)")
        if self.operation is Operation.UPSERT and not self.external_id_field:
            raise UsageError("An upsert needs external_id_field: the field that tells which records exist already")
        if self.operation is not Operation.UPSERT and self.external_id_field:
            raise UsageError(f"external_id_field goes with upsert only, not with {self.operation}")
        if self.pk_chunking and not self.operation.is_query:
            raise UsageError(f"pk_chunking goes with query and queryAll only, not with {self.operation}")
        if self.pk_chunking and self.pk_chunking.size is not None and not 1 <= self.pk_chunking.size <= limits.CHUNK_SIZE:
            raise UsageError(f"A PK chunk size is 1 to {limits.CHUNK_SIZE:,}, not {self.pk_chunking.size:,}")
        if self.pk_chunking and not all(
            re.fullmatch(r"\w*", text or "", re.ASCII) for text in (self.pk_chunking.parent, self.pk_chunking.start_row)
        ):
            raise UsageError("The parent of a PK chunking is the name of an object, and its start_row a record id")
        if self.operation.is_query and self.content_type.is_zip:
            raise UsageError(f"A query job has content type CSV, JSON or XML, not {self.content_type}")


def settings(
    operation: Operation | str,
    object_name: str,
    content_type: ContentType | str,
    *,
    external_id_field: str | None = None,
    concurrency_mode: ConcurrencyMode | str | None = None,
    assignment_rule_id: str | None = None,
    pk_chunking: PKChunking | bool | int | None = None,
    line_ending: LineEnding | str | None = None,
    disable_batch_retry: bool | None = None,
) -> JobSettings:
    """Check what a user asks of a new job.

    Raises:
        UsageError: A word is not the protocol's, or the settings contradict each other.
    """
    chunking = pk_chunking
    if isinstance(chunking, bool):
        chunking = PKChunking() if chunking else None
    elif isinstance(chunking, int):
        chunking = PKChunking(size=chunking)
    return JobSettings(
        word(Operation, operation, "operation"),
        object_name,
        word(ContentType, content_type, "content type"),
        external_id_field,
        None if concurrency_mode is None else word(ConcurrencyMode, concurrency_mode, "concurrency mode"),
        assignment_rule_id,
        chunking,
        None if line_ending is None else word(LineEnding, line_ending, "line ending"),
        disable_batch_retry,
    )


def word(vocabulary: type[W], value: str, what: str) -> W:
    """Read one of the protocol's words; upper and lower case matter on the wire, so they matter here.

    Raises:
        UsageError: There is no such word.
    """
    try:
        return vocabulary(value)
    except ValueError:
        raise UsageError(f"{value!r} is no {what}; there are: {', '.join(vocabulary)}") from None


def create_job(settings: JobSettings) -> Exchange[JobInfo]:
    """Open a job."""
    # This order is the XSD's; whether the org takes another is not known.
    fields = {
        "operation": settings.operation.value,
        "object": settings.object,
        "externalIdFieldName": settings.external_id_field,
        "concurrencyMode": settings.concurrency_mode,
        "contentType": settings.content_type.value,
        "assignmentRuleId": settings.assignment_rule_id,
    }
    headers = {
        "Sforce-Enable-PKChunking": settings.pk_chunking.header() if settings.pk_chunking else None,
        "Sforce-Line-Ending": settings.line_ending,
        "Sforce-Disable-Batch-Retry": None if settings.disable_batch_retry is None else str(settings.disable_batch_retry).upper(),
    }
    return _control("", fields, settings.content_type, headers, replay=Replay.LEAVES_LITTER)


def get_job_info(job: Job) -> Exchange[JobInfo]:
    """Look at a job."""
    return _get(job, "", _by_form(wire_xml.job_info, wire_json.job_info))


def set_state(job: Job, state: JobState) -> Exchange[JobInfo]:
    """Close or abort a job."""
    content_type = job.content_type if isinstance(job, JobInfo) else ContentType.XML
    return _control(f"/{_segment(job, 'job')}", {"state": state.value}, content_type, {}, job_id=job_id(job))


def add_batch(job: Job, content_type: ContentType, body: Body) -> Exchange[BatchInfo]:
    """Hand one batch to an open job.

    The API has no idempotency key, so a lost answer may hide a batch that is already running: never repeated before the job was looked at.
    """
    request = Request(
        "POST",
        f"{_BASE}/{_segment(job, 'job')}/batch",
        {"Content-Type": _BATCH_MEDIA[content_type]},
        body,
        # Salesforce's own client never gzips a zip; sizes are counted on the plain bytes either way.
        compress=not content_type.is_zip,
        job_id=job_id(job),
    )
    return Exchange(request, _by_form(wire_xml.batch_info, wire_json.batch_info), Replay.AFTER_RECONCILING)


def get_batch_info(job: Job, batch_id: str) -> Exchange[BatchInfo]:
    """Look at a batch."""
    return _get(job, f"/batch/{_segment(batch_id, 'batch')}", _by_form(wire_xml.batch_info, wire_json.batch_info), batch_id)


def get_all_batches(job: Job) -> Exchange[list[BatchInfo]]:
    """Look at all batches of a job."""
    return _get(job, "/batch", _by_form(wire_xml.batch_infos, wire_json.batch_infos))


def get_batch_request(job: Job, batch_id: str) -> Exchange[bytes]:
    """Read back what was sent."""
    return _get(job, f"/batch/{_segment(batch_id, 'batch')}/request", lambda answer: _content(answer).body, batch_id)


def get_batch_result(job: Job, batch_id: str) -> Exchange[list[Result] | ResultIds]:
    """Fetch the results of a data batch, or the ids of the result files of a query batch."""
    return _get(job, f"/batch/{_segment(batch_id, 'batch')}/result", _results, batch_id)


def get_raw_result(job: Job, batch_id: str) -> Exchange[Answer]:
    """Fetch the results of a data batch as they are on the wire."""
    return _get(job, f"/batch/{_segment(batch_id, 'batch')}/result", _content, batch_id)


def get_query_result(job: Job, batch_id: str, result_id: str) -> Exchange[Stream]:
    """Fetch one result file of a query batch, as a stream."""
    path = f"/batch/{_segment(batch_id, 'batch')}/result/{_segment(result_id, 'result')}"
    exchange = _get(job, path, _stream, batch_id)
    return Exchange(exchange.request, exchange.read, streamed=True)


def get_whole_query_result(job: Job, batch_id: str, result_id: str) -> Exchange[Answer]:
    """Fetch one result file of a query batch, whole."""
    path = f"/batch/{_segment(batch_id, 'batch')}/result/{_segment(result_id, 'result')}"
    return _get(job, path, _content, batch_id)


def create_spec(job: Job, mapping_csv: str) -> Exchange[None]:
    """Upload a transformation spec: how the columns of foreign CSV files become fields.

    Raises:
        UsageError: The spec is too long, or the job is not a CSV job.
    """
    if isinstance(job, JobInfo) and job.content_type is not ContentType.CSV:
        raise UsageError(f"A transformation spec goes with a CSV job, not with {job.content_type}")
    if len(mapping_csv) >= limits.SPEC_CHARACTERS:
        raise UsageError(f"A spec has fewer than {limits.SPEC_CHARACTERS:,} characters, not {len(mapping_csv):,}")
    if not mapping_csv.strip():
        raise UsageError("The spec is empty")
    request = Request(
        "POST",
        f"{_BASE}/{_segment(job, 'job')}/spec",
        {"Content-Type": "text/csv; charset=UTF-8"},
        Body.of(mapping_csv.encode()),
        job_id=job_id(job),
    )
    # Sending the same spec twice sets the same spec, but whether the org accepts a second one is not known.
    return Exchange(request, _done, Replay.AFTER_RECONCILING)


@dataclass(frozen=True, slots=True)
class ResultIds:
    """The ids of a query batch's result files, in the order to fetch them."""

    ids: tuple[str, ...]


def job_id(job: Job) -> str:
    """Take the id of a job."""
    return job.id if isinstance(job, JobInfo) else job


def _segment(thing: Job, what: str) -> str:
    text = job_id(thing)
    if not isinstance(text, str) or not text.strip():
        raise UsageError(f"The {what} id is missing: {text!r}")
    if text in {".", ".."}:
        raise UsageError(f"{text!r} is no {what} id")
    return quote(text, safe="")


def _get(job: Job, path: str, read: Callable[[Answer], T], batch_id: str | None = None) -> Exchange[T]:
    request = Request("GET", f"{_BASE}/{_segment(job, 'job')}{path}", job_id=job_id(job), batch_id=batch_id)
    return Exchange(request, read)


def _control(
    path: str,
    fields: Mapping[str, str | None],
    content_type: ContentType,
    headers: Mapping[str, str | None],
    *,
    job_id: str | None = None,
    replay: Replay = Replay.AFTER_RECONCILING,
) -> Exchange[JobInfo]:
    """POST a ``jobInfo``, in JSON for JSON jobs and in XML for all others: the answer comes in the body's form."""
    as_json = content_type.records is ContentType.JSON
    content = wire_json.job_info_request(fields) if as_json else wire_xml.job_info_request(fields)
    sent = {"Content-Type": _JSON if as_json else _XML} | {name: str(value) for name, value in headers.items() if value}
    request = Request("POST", _BASE + path, sent, Body.of(content), job_id=job_id)
    return Exchange(request, _by_form(wire_xml.job_info, wire_json.job_info), replay)


def _by_form(xml: Callable[[Answer], T], json: Callable[[Answer], T]) -> Callable[[Answer], T]:
    """Read by what the body is; which form comes back has several rules, and the body itself never lies."""

    def read(answer: Answer) -> T:
        return json(answer) if answer.body.lstrip()[:1] in {b"{", b"["} else xml(answer)

    return read


def _results(answer: Answer) -> list[Result] | ResultIds:
    if answer.media_type == "text/csv":
        return wire_csv.results(answer)
    if answer.body.lstrip()[:1] == b"[":
        items = wire_json.value_of(answer)
        assert isinstance(items, list)
        if items and all(isinstance(item, str) for item in items):
            return ResultIds(tuple(items))
        return wire_json.results(items, answer)
    root: Element = wire_xml.root_of(answer, "results", "result-list")
    if wire_xml.local(root) == "results":
        return wire_xml.results(root)
    return ResultIds(tuple(wire_xml.result_ids(root)))


def _content(answer: Answer) -> Answer:
    """Pass an answer that is not read here, unless it is a page, which is never the org's content."""
    if answer.media_type == "text/html":
        raise ProtocolError(f"The answer is not the org's: {describe(answer)}", answer.facts())
    return answer


def _done(answer: Answer) -> None:
    _content(answer)


def _stream(answer: Answer) -> Stream:
    assert answer.stream is not None
    try:
        _content(answer)
    except ProtocolError:
        answer.stream.close()
        raise
    return answer.stream
