"""Bulk API v1, one exchange at a time.

Defines what to ask and how to read the answer. Every answer is compared with the request, since the wrong job or batch
is worse than none. Sending is up to ``transport``; waiting and repeating are up to ``flow``.
Source of paths, headers and bodies: Bulk API chapters of the developer guide (edition of 2026) and the recordings in
``conformance/``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias, TypeVar

from bulkforce import arguments
from bulkforce.errors import ProtocolError, UsageError
from bulkforce.protocol import limits, wire_csv, wire_json, wire_xml
from bulkforce.protocol.checks import (
    check_headers,
    check_id,
    check_key,
    check_names,
    check_once,
    compare,
    no_page,
    segment,
    word,
)
from bulkforce.protocol.exchange import Answer, Body, Exchange, Replay, Request, Stream
from bulkforce.protocol.faults import intercepted
from bulkforce.protocol.info import BatchInfo, JobInfo, Result
from bulkforce.protocol.pk_chunking import PKChunking
from bulkforce.protocol.wire import same_id, same_name, short
from bulkforce.vocabulary import ConcurrencyMode, ContentType, JobState, LineEnding, Operation

T = TypeVar("T")
JobRef: TypeAlias = JobInfo | str

_BASE: Final = "/services/async/{version}/job"
_XML: Final = "application/xml; charset=UTF-8"
_CSV: Final = "text/csv"
_JSON: Final = "application/json; charset=UTF-8"
_BATCH_MEDIA: Final[Mapping[ContentType, str]] = {
    ContentType.CSV: "text/csv; charset=UTF-8",
    ContentType.JSON: _JSON,
    ContentType.XML: _XML,
    ContentType.ZIP_CSV: "zip/csv",
    ContentType.ZIP_JSON: "zip/json",
    ContentType.ZIP_XML: "zip/xml",
}
_OPTIONS_OF_THEIR_OWN: Final = {
    "sforce-enable-pkchunking": "pk_chunking",
    "sforce-line-ending": "line_ending",
    "sforce-disable-batch-retry": "disable_batch_retry",
}
# The media type in which the org returns a job's content; for zips it is not known.
_CONTENT_MEDIA: Final[Mapping[ContentType, str]] = {
    ContentType.CSV: _CSV,
    ContentType.JSON: wire_json.MEDIA,
    ContentType.XML: wire_xml.MEDIA,
}


@dataclass(frozen=True, slots=True)
class JobSettings:
    """The checked settings of a new job.

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
    headers: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        arguments.object_name(self.object)
        check_names(external_id_field=self.external_id_field, assignment_rule_id=self.assignment_rule_id)
        if self.disable_batch_retry is not None:
            arguments.flag(self.disable_batch_retry, "disable_batch_retry")
        check_headers(self.headers, _OPTIONS_OF_THEIR_OWN)
        check_key(
            upsert=self.operation is Operation.UPSERT,
            operation=self.operation,
            external_id_field=self.external_id_field,
        )
        if self.pk_chunking is not None:
            self._check_chunking(self.pk_chunking)
        if self.operation.is_query and self.content_type.is_zip:
            raise UsageError(f"The content type of a query job must be CSV, JSON or XML, not {self.content_type}")

    def _check_chunking(self, chunking: PKChunking) -> None:
        if not isinstance(chunking, PKChunking):
            raise UsageError(f"pk_chunking must be True, a chunk size or a PKChunking, not {type(chunking).__name__}")
        if not self.operation.is_query:
            raise UsageError(f"pk_chunking works only with query and queryAll, not with {self.operation}")


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
    headers: Mapping[str, str] | None = None,
) -> JobSettings:
    """Check a user's settings for a new job.

    Raises:
        UsageError: The protocol has no such word, or the settings contradict each other.
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
        () if headers is None else tuple(arguments.texts(headers, "The headers of a job").items()),
    )


def create_job(settings: JobSettings) -> Exchange[JobInfo]:
    """Create a job."""
    # The order is that of the XSD; whether the org accepts another is not known.
    fields = {
        "operation": settings.operation.value,
        "object": settings.object,
        "externalIdFieldName": settings.external_id_field,
        "concurrencyMode": settings.concurrency_mode,
        "contentType": settings.content_type.value,
        "assignmentRuleId": settings.assignment_rule_id,
    }
    headers: dict[str, str | None] = {
        "Sforce-Enable-PKChunking": settings.pk_chunking.header() if settings.pk_chunking else None,
        "Sforce-Line-Ending": settings.line_ending,
        "Sforce-Disable-Batch-Retry": None
        if settings.disable_batch_retry is None
        else str(settings.disable_batch_retry).upper(),
        **dict(settings.headers),
    }

    def read(answer: Answer) -> JobInfo:
        info = _job_info(answer)
        compare(answer, "operation", settings.operation, info.operation)
        compare(answer, "object", settings.object, info.object, same_name)
        compare(answer, "content type", settings.content_type, info.content_type)
        compare(answer, "external id field", settings.external_id_field or "", info.external_id_field_name, same_name)
        compare(answer, "state", JobState.OPEN, info.state)
        if settings.concurrency_mode is not None:
            compare(answer, "concurrency mode", settings.concurrency_mode, info.concurrency_mode)
        return info

    return _control("", fields, settings.content_type, headers, read, replay=Replay.LEAVES_LITTER)


def get_job_info(job: JobRef) -> Exchange[JobInfo]:
    """Get a job."""
    return _get(job, "", lambda answer: _this_job(job, answer))


def set_state(job: JobRef, state: JobState) -> Exchange[JobInfo]:
    """Close or abort a job; an answer that shows it in another state is an error."""

    def read(answer: Answer) -> JobInfo:
        info = _this_job(job, answer)
        compare(answer, "state", state, info.state)
        return info

    content_type = job.content_type if isinstance(job, JobInfo) else ContentType.XML
    return _control(
        f"/{segment(job_id(job), 'job')}", {"state": state.value}, content_type, {}, read, job_id=job_id(job)
    )


def add_batch(job: JobRef, content_type: ContentType, body: Body) -> Exchange[BatchInfo]:
    """Add a batch to an open job.

    The API has no idempotency key, so a lost answer may hide a batch that is already running: check the job before
    repeating this.
    """
    request = Request(
        "POST",
        f"{_BASE}/{segment(job_id(job), 'job')}/batch",
        {"Content-Type": _BATCH_MEDIA[content_type]},
        body,
        # Salesforce's own client never gzips a zip; size limits apply to the uncompressed bytes either way.
        compress=not content_type.is_zip,
        job_id=job_id(job),
    )
    return Exchange(request, lambda answer: _batch_of(job, _batch_info(answer), answer), Replay.AFTER_RECONCILING)


def get_batch_info(job: JobRef, batch_id: str) -> Exchange[BatchInfo]:
    """Get a batch."""

    def read(answer: Answer) -> BatchInfo:
        info = _batch_of(job, _batch_info(answer), answer)
        compare(answer, "batch", batch_id, info.id, same_id)
        return info

    return _get(job, f"/batch/{segment(batch_id, 'batch')}", read, batch_id)


def get_all_batches(job: JobRef) -> Exchange[list[BatchInfo]]:
    """List all batches of a job."""
    return _get(job, "/batch", lambda answer: [*_listed(job, lambda info: info, answer).values()])


def batches_by_id(job: JobRef, of: Callable[[BatchInfo], T]) -> Exchange[dict[str, T]]:
    """List all batches of a job, by the first 15 characters of their ids, and keep only what ``of`` makes of each.

    A run looks at 10,000 of them again and again.
    """
    return _get(job, "/batch", lambda answer: _listed(job, of, answer))


def _listed(job: JobRef, of: Callable[[BatchInfo], T], answer: Answer) -> dict[str, T]:
    found: dict[str, T] = {}
    for before, info in enumerate(_batch_infos(answer)):
        found[short(_batch_of(job, info, answer).id)] = of(info)
        if len(found) == before:
            raise ProtocolError("The org's list contains the same batch more than once", answer.facts())
    return found


def get_batch_request(job: JobRef, batch_id: str, content_type: ContentType | None = None) -> Exchange[bytes]:
    """Read back the content of a batch."""
    path = f"/batch/{segment(batch_id, 'batch')}/request"
    return _get(job, path, lambda answer: _content(job, content_type, answer).body, batch_id)


def get_batch_result(job: JobRef, batch_id: str) -> Exchange[list[Result] | ResultIds]:
    """Fetch the results of a data batch, or the ids of the result files of a query batch."""
    return _get(job, f"/batch/{segment(batch_id, 'batch')}/result", _results, batch_id)


def get_raw_result(job: JobRef, batch_id: str, content_type: ContentType | None = None) -> Exchange[Answer]:
    """Fetch the results of a data batch as they are on the wire."""
    return _get(
        job,
        f"/batch/{segment(batch_id, 'batch')}/result",
        lambda answer: _content(job, content_type, answer),
        batch_id,
    )


def get_query_result(
    job: JobRef, batch_id: str, result_id: str, content_type: ContentType | None = None
) -> Exchange[Stream]:
    """Fetch one result file of a query batch, as a stream.

    Args:
        job: The job.
        batch_id: The batch.
        result_id: The file.
        content_type: The job's, if only its id is given: an answer of any other type does not come from the org.
    """

    def read(answer: Answer) -> Stream:
        assert answer.stream is not None
        try:
            _content(job, content_type, answer)
        except ProtocolError:
            answer.stream.close()
            raise
        return answer.stream

    path = f"/batch/{segment(batch_id, 'batch')}/result/{segment(result_id, 'result')}"
    exchange = _get(job, path, read, batch_id)
    return Exchange(exchange.request, exchange.read, streamed=True)


def get_whole_query_result(job: JobRef, batch_id: str, result_id: str) -> Exchange[Answer]:
    """Fetch one result file of a query batch, all at once."""
    path = f"/batch/{segment(batch_id, 'batch')}/result/{segment(result_id, 'result')}"
    return _get(job, path, lambda answer: _content(job, None, answer), batch_id)


def create_spec(job: JobRef, mapping_csv: str) -> Exchange[None]:
    """Upload a transformation spec: how columns of CSV files from elsewhere map to fields.

    Raises:
        UsageError: The spec is too long, or the job is not a CSV job.
    """
    if isinstance(job, JobInfo) and job.content_type is not ContentType.CSV:
        raise UsageError(f"A transformation spec works only with a CSV job, not with {job.content_type}")
    if len(arguments.text(mapping_csv, "A spec")) >= limits.SPEC_CHARACTERS:
        raise UsageError(f"A spec must have fewer than {limits.SPEC_CHARACTERS:,} characters, not {len(mapping_csv):,}")
    if not mapping_csv.strip():
        raise UsageError("The spec is empty")
    request = Request(
        "POST",
        f"{_BASE}/{segment(job_id(job), 'job')}/spec",
        {"Content-Type": "text/csv; charset=UTF-8"},
        Body.of(mapping_csv.encode()),
        job_id=job_id(job),
    )
    # Sending the same spec twice should be harmless, but whether the org accepts a second one is not known.
    return Exchange(request, _done, Replay.AFTER_RECONCILING)


@dataclass(frozen=True, slots=True)
class ResultIds:
    """The ids of a query batch's result files, in the order to fetch them."""

    ids: tuple[str, ...]


def job_id(job: JobRef) -> str:
    """Return the id of a job."""
    return job.id if isinstance(job, JobInfo) else job


def _get(job: JobRef, path: str, read: Callable[[Answer], T], batch_id: str | None = None) -> Exchange[T]:
    request = Request("GET", f"{_BASE}/{segment(job_id(job), 'job')}{path}", job_id=job_id(job), batch_id=batch_id)
    return Exchange(request, read)


def _control(
    path: str,
    fields: Mapping[str, str | None],
    content_type: ContentType,
    headers: Mapping[str, str | None],
    read: Callable[[Answer], JobInfo],
    *,
    job_id: str | None = None,
    replay: Replay = Replay.AFTER_RECONCILING,
) -> Exchange[JobInfo]:
    """POST a ``jobInfo``, in JSON for JSON jobs and in XML for all others; the answer uses the same form."""
    as_json = content_type.records is ContentType.JSON
    content = wire_json.job_info_request(fields) if as_json else wire_xml.job_info_request(fields)
    sent = {"Content-Type": _JSON if as_json else _XML} | {name: str(value) for name, value in headers.items() if value}
    request = Request("POST", _BASE + path, sent, Body.of(content), job_id=job_id)
    return Exchange(request, read, replay)


def _by_form(xml: Callable[[Answer], T], json: Callable[[Answer], T]) -> Callable[[Answer], T]:
    """Choose the reader by the answer's media type; if it is neither XML nor JSON, the answer is not from the org."""

    def read(answer: Answer) -> T:
        if answer.media_type not in {wire_xml.MEDIA, wire_json.MEDIA}:
            raise intercepted(answer)
        return json(answer) if answer.media_type == wire_json.MEDIA else xml(answer)

    return read


def _job_info(answer: Answer) -> JobInfo:
    info = _by_form(wire_xml.job_info, wire_json.job_info)(answer)
    check_id("job", info.id, answer)
    return info


_batch_info = _by_form(wire_xml.batch_info, wire_json.batch_info)
_batch_infos = _by_form(wire_xml.batch_infos, wire_json.batch_infos)


def _this_job(job: JobRef, answer: Answer) -> JobInfo:
    info = _job_info(answer)
    compare(answer, "job", job_id(job), info.id, same_id)
    if isinstance(job, JobInfo):
        compare(answer, "operation", job.operation, info.operation)
        compare(answer, "object", job.object, info.object, same_name)
        compare(answer, "content type", job.content_type, info.content_type)
        compare(answer, "external id field", job.external_id_field_name or "", info.external_id_field_name, same_name)
    return info


def _batch_of(job: JobRef, info: BatchInfo, answer: Answer) -> BatchInfo:
    check_id("batch", info.id, answer)
    compare(answer, "job", job_id(job), info.job_id, same_id)
    return info


def _results(answer: Answer) -> list[Result] | ResultIds:
    if answer.media_type == _CSV:
        return wire_csv.results(answer)
    return _by_form(_xml_results, _json_results)(answer)


def _json_results(answer: Answer) -> list[Result] | ResultIds:
    items = wire_json.value_of(answer)
    if not isinstance(items, list):
        raise ProtocolError("The org's results are not an array", answer.facts())
    if items and all(isinstance(item, str) for item in items):
        return _result_ids(items, answer)
    return wire_json.results(items, answer)


def _xml_results(answer: Answer) -> list[Result] | ResultIds:
    root = wire_xml.root_of(answer, "results", "result-list")
    if wire_xml.local(root) == "results":
        return wire_xml.results(root, answer)
    return _result_ids(wire_xml.result_ids(root, answer), answer)


def _result_ids(ids: Sequence[str], answer: Answer) -> ResultIds:
    for text in ids:
        check_id("result", text, answer)
    check_once(ids, "result file", answer)
    return ResultIds(tuple(ids))


def _content(job: JobRef, content_type: ContentType | None, answer: Answer) -> Answer:
    """Return an answer if its media type is right for the job; an HTML page is never the org's content."""
    kind = job.content_type if isinstance(job, JobInfo) else content_type
    if kind is not None and answer.media_type != _CONTENT_MEDIA.get(kind, answer.media_type):
        raise intercepted(answer)
    return no_page(answer)


def _done(answer: Answer) -> None:
    # What the org answers to a spec is not known, only that the status is 201 and that it is not an HTML page.
    no_page(answer)
    if answer.status != 201:
        raise intercepted(answer)
