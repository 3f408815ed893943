"""Bulk API 2.0, one exchange at a time.

Defines what to ask and how to read the answer, as `bulk1` does for v1. Every answer is compared with the request. Who
speaks is checked too: the org refuses with a JSON array that has an ``errorCode``, and answers with a document, with
CSV, or with an empty body where that is the rule; anything else is `Intercepted`.
Source of paths, statuses, headers and bodies: Bulk API 2.0 chapters of the developer guide (edition of 2026) and the
recordings in ``conformance/``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeAlias, TypeVar
from urllib.parse import parse_qs, urlencode, urlsplit

import orjson

from bulkforce import arguments
from bulkforce.errors import FormatError, ProtocolError, UsageError
from bulkforce.protocol import limits, wire_json
from bulkforce.protocol.checks import (
    check_id,
    check_once,
    compare,
    no_page,
    segment,
    word,
)
from bulkforce.protocol.exchange import Answer, Body, Exchange, Replay, Request, Stream
from bulkforce.protocol.faults import intercepted
from bulkforce.protocol.info2 import IngestJobInfo, QueryJobInfo
from bulkforce.protocol.settings2 import IngestSettings, QuerySettings
from bulkforce.protocol.wire import info, same_id, same_name
from bulkforce.vocabulary import ColumnDelimiter, ConcurrencyMode, ContentType, Job2State, LineEnding

T = TypeVar("T")
J = TypeVar("J", IngestJobInfo, QueryJobInfo)
IngestJobRef: TypeAlias = IngestJobInfo | str
QueryJobRef: TypeAlias = QueryJobInfo | str
Job2Ref: TypeAlias = IngestJobInfo | QueryJobInfo | str

_DATA: Final = "/services/data/v"
_INGEST: Final = "/jobs/ingest"
_QUERY: Final = "/jobs/query"
_JSON: Final = "application/json; charset=UTF-8"
_CSV: Final = "text/csv"

_OK: Final = frozenset({200})
_CREATED: Final = frozenset({201})
_NO_CONTENT: Final = frozenset({204})
_SOME_OR_NONE: Final = _OK | _NO_CONTENT


# Jobs that load records


def create_ingest_job(settings: IngestSettings) -> Exchange[IngestJobInfo]:
    """Create a job; it waits for its data."""
    request = _request("POST", _INGEST, _JSON, Body.of(settings.document()), headers=settings.headers)
    return Exchange(request, _ingest_created(settings, Job2State.OPEN), Replay.LEAVES_LITTER, statuses=_OK)


def create_ingest_job_with(settings: IngestSettings, body: Body) -> Exchange[IngestJobInfo]:
    """Create a job together with its data; the org runs it at once, so that nothing can be taken back.

    Raises:
        FormatError: The data is longer than one request may carry, or not UTF-8.
    """
    content = _short_content(body)
    boundary = "bulkforce-" + hashlib.sha256(content).hexdigest()[:32]
    parts = (
        ("job", "", "application/json", settings.document()),
        ("content", '; filename="content"', _CSV, content),
    )
    pieces = [
        f'--{boundary}\r\nContent-Type: {media}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'.encode()
        + data
        + b"\r\n"
        for name, file, media, data in parts
    ]
    whole = Body.of(b"".join([*pieces, f"--{boundary}--\r\n".encode()]))
    request = _request("POST", _INGEST, f"multipart/form-data; boundary={boundary}", whole, headers=settings.headers)
    return Exchange(
        request,
        _ingest_created(settings, Job2State.UPLOAD_COMPLETE),
        Replay.AFTER_RECONCILING,
        statuses=_OK,
        in_doubt="a job that writes these records may be running; look for it with list_ingest_jobs before you repeat "
        "this",
    )


def upload(job: IngestJobRef, body: Body) -> Exchange[None]:
    """Upload the data of an open job, all of it at once. Nothing is processed before `complete_upload`.

    Raises:
        FormatError: It is more than a job can hold.
    """
    if body.length > limits.JOB2_BYTES:
        raise FormatError(
            f"A job has at most {limits.JOB2_BYTES:,} bytes, not {body.length:,}; load the rest with another job"
        )

    def read(answer: Answer) -> None:
        no_page(answer)

    # Whether the org takes a compressed upload is not known.
    request = _request("PUT", _ingest(job, "/batches"), "text/csv; charset=UTF-8", body, job=job)
    return Exchange(
        request,
        read,
        Replay.AFTER_RECONCILING,
        statuses=_CREATED,
        in_doubt="nothing is written before the job is completed: abort it, and upload to a new one (a second upload "
        "spoils a job)",
    )


def complete_upload(job: IngestJobRef) -> Exchange[IngestJobInfo]:
    """Say that all data is there: the org begins to write records."""
    doubt = "look at the job's state: if it is Open, this can be repeated; any other state says that it was done"
    return _set_state(IngestJobInfo, _INGEST, job, Job2State.UPLOAD_COMPLETE, doubt)


def abort_ingest_job(job: IngestJobRef) -> Exchange[IngestJobInfo]:
    """Abort a job; records that are written stay written."""
    return _set_state(IngestJobInfo, _INGEST, job, Job2State.ABORTED, _ABORT_DOUBT)


def get_ingest_job(job: IngestJobRef) -> Exchange[IngestJobInfo]:
    """Get a job."""
    return _get_job(IngestJobInfo, _INGEST, job)


def delete_ingest_job(job: IngestJobRef) -> Exchange[None]:
    """Delete a job with its results; records that are written stay written."""
    return _delete(_INGEST, job)


def get_successful_results(job: IngestJobRef) -> Exchange[Stream | None]:
    """Fetch the records that were written, as CSV with ``sf__Id`` and ``sf__Created``; ``None`` for 204, no content."""
    return _result_file(job, "successfulResults")


def get_failed_results(job: IngestJobRef) -> Exchange[Stream | None]:
    """Fetch the records that were refused, as CSV with ``sf__Id`` and ``sf__Error``; ``None`` for 204, no content.

    A 204 was seen for a job in which nothing failed, and for one in which something did (a fault of the org's): compare
    with ``number_records_failed``.
    """
    return _result_file(job, "failedResults")


def get_unprocessed_records(job: IngestJobRef) -> Exchange[Stream | None]:
    """Fetch the records that the org did not try, as CSV; ``None`` for 204, no content."""
    return _result_file(job, "unprocessedrecords")


@dataclass(frozen=True, slots=True)
class JobPage(Generic[T]):
    """Some of the org's jobs, in no particular order.

    Attributes:
        jobs: The jobs, of all users; they have fewer fields than a job that is asked for alone.
        locator: Where the list goes on; ``None`` at its end.
    """

    jobs: tuple[T, ...]
    locator: str | None


def list_ingest_jobs(
    *, job_type: str | None = None, is_pk_chunking_enabled: bool | None = None, locator: str | None = None
) -> Exchange[JobPage[IngestJobInfo]]:
    """List the org's jobs that load records, one page of up to 1,000.

    Args:
        job_type: Only ``BigObjectIngest``, ``Classic`` (v1) or ``V2Ingest``.
        is_pk_chunking_enabled: Only jobs with or without PK chunking.
        locator: Where the list goes on, from the page before.
    """
    filters = _filters(job_type, locator, is_pk_chunking_enabled)
    return _list(IngestJobInfo, _INGEST, filters)


# Query jobs


def create_query_job(settings: QuerySettings) -> Exchange[QueryJobInfo]:
    """Create a query job; the org checks the query now, and runs it."""

    def read(answer: Answer) -> QueryJobInfo:
        found = _job(QueryJobInfo, answer)
        compare(answer, "operation", settings.operation, found.operation)
        if settings.object is not None:
            compare(answer, "object", settings.object, found.object, same_name)
        compare(answer, "state", Job2State.UPLOAD_COMPLETE, found.state)
        _compare_format(answer, settings.column_delimiter, settings.line_ending, found)
        return found

    request = _request("POST", _QUERY, _JSON, Body.of(settings.document()), headers=settings.headers)
    doubt = "a query that is not read may be running; it is harmless, and counts as one of the day's 10,000"
    return Exchange(request, read, Replay.LEAVES_LITTER, statuses=_OK, in_doubt=doubt)


def get_query_job(job: QueryJobRef) -> Exchange[QueryJobInfo]:
    """Get a query job."""
    return _get_job(QueryJobInfo, _QUERY, job)


def abort_query_job(job: QueryJobRef) -> Exchange[QueryJobInfo]:
    """Abort a query job."""
    return _set_state(QueryJobInfo, _QUERY, job, Job2State.ABORTED, _ABORT_DOUBT)


def delete_query_job(job: QueryJobRef) -> Exchange[None]:
    """Delete a query job with its results."""
    return _delete(_QUERY, job)


def list_query_jobs(
    *,
    job_type: str | None = None,
    is_pk_chunking_enabled: bool | None = None,
    concurrency_mode: ConcurrencyMode | str | None = None,
    locator: str | None = None,
) -> Exchange[JobPage[QueryJobInfo]]:
    """List the org's query jobs, one page of up to 1,000.

    Args:
        job_type: Only ``Classic`` (v1), ``V2Query`` or ``V2Ingest``.
        is_pk_chunking_enabled: Only jobs with or without PK chunking.
        concurrency_mode: Only jobs that run in parallel, or in sequence (v1 has them).
        locator: Where the list goes on, from the page before.
    """
    filters = _filters(job_type, locator, is_pk_chunking_enabled)
    if concurrency_mode is not None:
        filters["concurrencyMode"] = word(ConcurrencyMode, concurrency_mode, "concurrency mode").lower()
    return _list(QueryJobInfo, _QUERY, filters)


@dataclass(frozen=True, slots=True)
class QueryResults:
    """A part of a query's records, still on the wire.

    Attributes:
        stream: The records, as CSV with a header.
        locator: Where the next part begins; ``None`` if this is the last.
        number_of_records: How many records the org says this part has; ``None`` if it does not say.
    """

    stream: Stream
    locator: str | None
    number_of_records: int | None


def get_query_results(
    job: QueryJobRef, locator: str | None = None, max_records: int | None = None
) -> Exchange[QueryResults]:
    """Fetch a part of a query's records.

    Args:
        job: The job. With its `QueryJobInfo`, the version that it was created with is asked for: the org refuses any
            other with 409.
        locator: Which part; without it, the first.
        max_records: How many records it may have at most; without it, the org chooses.
    """

    def read(answer: Answer) -> QueryResults:
        stream = _csv(answer)
        if stream is None:
            raise ProtocolError(
                "The org has no results for this query (204, no content): it is not complete, or it has failed; look "
                "at its state with get_query_job",
                answer.facts(),
            )
        where = answer.headers.get("sforce-locator", "").strip()
        count = answer.headers.get("sforce-numberofrecords", "").strip()
        if count and not re.fullmatch("[0-9]{1,18}", count):
            stream.close()
            raise ProtocolError("The org's Sforce-NumberOfRecords is not a number", answer.facts())
        return QueryResults(stream, None if where in {"", "null"} else where, int(count) if count else None)

    if max_records is not None:
        arguments.count(max_records, "max_records", 1)
    asked = {"locator": _locator(locator), "maxRecords": max_records}
    request = _request("GET", _query(job, "/results", asked), job=job, accept=_CSV)
    return Exchange(request, read, streamed=True, statuses=_SOME_OR_NONE)


@dataclass(frozen=True, slots=True)
class ResultLink:
    """A part of a query's records that can be fetched with `get_query_results`.

    Attributes:
        locator: Which part; ``None`` for the first.
        max_records: How many records it has at most, if the link says.
    """

    locator: str | None
    max_records: int | None = None


@dataclass(frozen=True, slots=True)
class ResultPages:
    """Links to up to five parts of a query's records, which can be fetched at the same time.

    Attributes:
        links: The links, in the order of the records.
        locator: Where the list of links goes on; ``None`` at its end.
    """

    links: tuple[ResultLink, ...]
    locator: str | None


def get_query_result_pages(job: QueryJobRef, locator: str | None = None) -> Exchange[ResultPages]:
    """Ask for links to parts of a query's records (58.0 and later)."""

    def read(answer: Answer) -> ResultPages:
        members = _members(answer)
        # The second names are those that the client node-sf-bulk2 reads.
        listed = members.get("resultPages", members.get("resultChunks"))
        if not isinstance(listed, list):
            raise ProtocolError("The org's list of result pages has no resultPages", answer.facts())
        links_of = [wire_json.object_of(one, answer) for one in listed]
        urls = [link.get("resultUrl", link.get("resultLink")) for link in links_of]
        links = tuple(_link(job, url, answer) for url in urls)
        # The guide's table has one name for the member, its sample the other.
        following = members.get("nextRecordsUrl") or members.get("nextRecordUrl")
        return ResultPages(links, _following(members, following, "locator", answer))

    request = _request("GET", _query(job, "/resultPages", {"locator": _locator(locator)}), job=job)
    return Exchange(request, read, statuses=_OK)


def form_of(job: IngestJobInfo | QueryJobInfo) -> tuple[ColumnDelimiter, LineEnding]:
    """Return a job's delimiter and line ending; the usual ones where the org does not say."""
    delimiter, line_ending = job.column_delimiter, job.line_ending
    return (
        delimiter if isinstance(delimiter, ColumnDelimiter) else ColumnDelimiter.COMMA,
        line_ending if isinstance(line_ending, LineEnding) else LineEnding.LF,
    )


def job_id(job: Job2Ref) -> str:
    """Return the id of a job."""
    return job if isinstance(job, str) else job.id


_ABORT_DOUBT: Final = "look at the job's state before you repeat it: Aborted says that it was done"


def _short_content(body: Body) -> bytes:
    most = limits.JOB2_MULTIPART_CHARACTERS
    too_long = f"A job that is created with its data has at most {most:,} characters; create it, then upload the data"
    if body.length > 4 * most:
        raise FormatError(too_long)
    with body.open() as file:
        content = file.read()
    try:
        characters = len(content.decode())
    except UnicodeDecodeError as error:
        place = error.start
    else:
        if characters > most:
            raise FormatError(too_long)
        return content
    # Outside the handler: inside, Python would chain the decoding error, which holds the records.
    raise FormatError("The content is not UTF-8", byte=place)


def _request(
    method: str,
    path: str,
    content_type: str | None = None,
    body: Body | None = None,
    *,
    job: Job2Ref | None = None,
    headers: Sequence[tuple[str, str]] = (),
    accept: str = wire_json.MEDIA,
) -> Request:
    sent = {"Accept": accept, **({"Content-Type": content_type} if content_type else {}), **dict(headers)}
    path = path if path.startswith(_DATA) else _DATA + "{version}" + path
    return Request(
        method, path, sent, body, session_header="Authorization", job_id=None if job is None else job_id(job)
    )


def _ingest(job: IngestJobRef, path: str) -> str:
    return f"{_INGEST}/{segment(job_id(job), 'job')}{path}"


def _query(job: QueryJobRef, path: str, asked: Mapping[str, object]) -> str:
    """Return the path of a query's results, with the version that the job was created with, if that is known."""
    version = "{version}"
    if isinstance(job, QueryJobInfo) and job.api_version is not None:
        version = f"{arguments.number(job.api_version, 'api_version of a QueryJobInfo', 1, 999):.1f}"
    return _with(f"{_DATA}{version}{_QUERY}/{segment(job_id(job), 'job')}{path}", asked)


def _with(path: str, asked: Mapping[str, object]) -> str:
    given = {name: value for name, value in asked.items() if value is not None}
    return f"{path}?{urlencode(given)}" if given else path


def _locator(given: str | None) -> str | None:
    if given is not None and not arguments.text(given, "The locator").strip():
        raise UsageError("The locator is empty; for the first part, leave it out")
    return given


def _filters(job_type: str | None, locator: str | None, chunking: object) -> dict[str, object]:
    if chunking is not None:
        chunking = arguments.flag(chunking, "is_pk_chunking_enabled")
    return {
        "jobType": None if job_type is None else arguments.text(job_type, "job_type"),
        "isPkChunkingEnabled": None if chunking is None else str(chunking).lower(),
        "queryLocator": _locator(locator),
    }


def _set_state(kind: type[J], base: str, job: J | str, state: Job2State, doubt: str) -> Exchange[J]:
    def read(answer: Answer) -> J:
        found = _this_job(kind, job, answer)
        compare(answer, "state", state, found.state)
        return found

    path = f"{base}/{segment(job_id(job), 'job')}"
    request = _request("PATCH", path, _JSON, Body.of(orjson.dumps({"state": state.value})), job=job)
    return Exchange(request, read, Replay.AFTER_RECONCILING, statuses=_OK, in_doubt=doubt)


def _get_job(kind: type[J], base: str, job: J | str) -> Exchange[J]:
    request = _request("GET", f"{base}/{segment(job_id(job), 'job')}", job=job)
    return Exchange(request, lambda answer: _this_job(kind, job, answer), statuses=_OK)


def _delete(base: str, job: Job2Ref) -> Exchange[None]:
    def read(_answer: Answer) -> None:
        """Nothing comes with 204."""

    request = _request("DELETE", f"{base}/{segment(job_id(job), 'job')}", job=job)
    doubt = "delete it again: if it is not found, it is gone"
    return Exchange(request, read, Replay.AFTER_RECONCILING, statuses=_NO_CONTENT, in_doubt=doubt)


def _result_file(job: IngestJobRef, name: str) -> Exchange[Stream | None]:
    request = _request("GET", _ingest(job, f"/{name}"), job=job, accept=_CSV)
    return Exchange(request, _csv, streamed=True, statuses=_SOME_OR_NONE)


def _csv(answer: Answer) -> Stream | None:
    assert answer.stream is not None
    if answer.status == 204:
        answer.stream.close()
        return None
    if answer.media_type != _CSV:
        answer.stream.close()
        raise intercepted(answer)
    return answer.stream


def _list(kind: type[J], base: str, filters: Mapping[str, object]) -> Exchange[JobPage[J]]:
    def read(answer: Answer) -> JobPage[J]:
        members = _members(answer)
        listed = members.get("records")
        if not isinstance(listed, list):
            raise ProtocolError("The org's list of jobs has no records", answer.facts())
        jobs = tuple(info(kind, wire_json.object_of(one, answer), answer) for one in listed)
        for job in jobs:
            check_id("job", job.id, answer)
        check_once([job.id for job in jobs], "job", answer)
        # For query jobs, the guide's link leads to the other collection: only its locator counts.
        return JobPage(jobs, _following(members, members.get("nextRecordsUrl"), "queryLocator", answer))

    return Exchange(_request("GET", _with(base, filters)), read, statuses=_OK)


def _following(members: Mapping[str, object], url: object, name: str, answer: Answer) -> str | None:
    """Read where a list goes on; ``None`` at its end."""
    if members.get("done") is True:
        return None
    found = _asked(url, answer).get(name) if url is not None else None
    if not found:
        # A list that breaks off must not look complete.
        raise ProtocolError("The org's list is not done, but does not say where it goes on", answer.facts())
    return found


def _link(job: QueryJobRef, url: object, answer: Answer) -> ResultLink:
    asked = _asked(url, answer)
    found = re.search(r"/jobs/query/([A-Za-z0-9]{1,18})/results/?\Z", urlsplit(str(url)).path, re.IGNORECASE)
    compare(answer, "job of a result page", job_id(job), found[1] if found else "", same_id)
    most = asked.get("maxRecords")
    return ResultLink(asked.get("locator"), int(most) if most and most.isdigit() else None)


def _asked(url: object, answer: Answer) -> dict[str, str]:
    """Read the parameters of a link."""
    if not isinstance(url, str):
        raise ProtocolError("A link in the org's answer is not a string", answer.facts())
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query, keep_blank_values=True).items()}


def _members(answer: Answer) -> Mapping[str, object]:
    if answer.media_type != wire_json.MEDIA:
        raise intercepted(answer)
    return wire_json.object_of(wire_json.value_of(answer), answer)


def _job(kind: type[J], answer: Answer) -> J:
    found = info(kind, _members(answer), answer)
    check_id("job", found.id, answer)
    return found


def _this_job(kind: type[J], job: J | str, answer: Answer) -> J:
    found = _job(kind, answer)
    compare(answer, "job", job_id(job), found.id, same_id)
    if not isinstance(job, str):
        compare(answer, "operation", job.operation, found.operation)
        compare(answer, "object", job.object or "", found.object, same_name)
    if isinstance(job, IngestJobInfo) and isinstance(found, IngestJobInfo):
        compare(answer, "external id field", job.external_id_field_name or "", found.external_id_field_name, same_name)
    return found


def _ingest_created(settings: IngestSettings, state: Job2State) -> Callable[[Answer], IngestJobInfo]:
    def read(answer: Answer) -> IngestJobInfo:
        found = _job(IngestJobInfo, answer)
        compare(answer, "operation", settings.operation, found.operation)
        compare(answer, "object", settings.object, found.object or "", same_name)
        compare(answer, "external id field", settings.external_id_field or "", found.external_id_field_name, same_name)
        compare(answer, "state", state, found.state)
        _compare_format(answer, settings.column_delimiter, settings.line_ending, found)
        return found

    return read


def _compare_format(
    answer: Answer, delimiter: ColumnDelimiter, line_ending: LineEnding, found: IngestJobInfo | QueryJobInfo
) -> None:
    compare(answer, "content type", ContentType.CSV, found.content_type)
    compare(answer, "column delimiter", delimiter, found.column_delimiter)
    compare(answer, "line ending", line_ending, found.line_ending)
