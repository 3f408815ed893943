"""Bulk API v1 on the wire: all calls below `/services/async`.

Reads requests, asks the state, and writes answers. The format of an answer is that of the job, except in calls that
send a jobInfo: there, and for unknown jobs, it is that of the request.
"""

from __future__ import annotations

import logging
import re
import secrets
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import orjson

from bulkforce_emulator.errors import ApiError
from bulkforce_emulator.formats import documents
from bulkforce_emulator.formats.query_results import result_list
from bulkforce_emulator.state.lifecycle import JobState
from bulkforce_emulator.uploads import Format
from bulkforce_emulator.wire.bulk1_request import Bulk1Request, media_type
from bulkforce_emulator.wire.chunking_header import read_chunking
from bulkforce_emulator.wire.job_info import Options, batch_info, in_order, job_info, read_request, read_state
from bulkforce_emulator.wire.spelling import LINE_ENDINGS
from bulkforce_emulator.wire.xsd import ASYNC_API_XSD

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bulkforce_emulator.state.job import Batch, Job
    from bulkforce_emulator.state.org import Org
    from bulkforce_emulator.state.spool import Spooled

_MEDIA = {Format.CSV: "text/csv", Format.XML: "application/xml", Format.JSON: "application/json"}
_ZIPPED_MEDIA = {Format.CSV: "zip/csv", Format.XML: "zip/xml", Format.JSON: "zip/json"}
_log = logging.getLogger(__name__)
_VERSION = re.compile(r"[1-9]\d{0,2}\.0")


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, before compression."""

    status: int
    content_type: str
    body: bytes | Spooled
    headers: Mapping[str, str]


class Bulk1:
    """Answers the calls of one org."""

    def __init__(self, org: Org) -> None:
        self._org = org
        self._texts = org.settings.texts.calls

    def answer(self, call: Bulk1Request) -> Answer:
        """Answer one call; a refusal is an error document."""
        form = _form(call)
        try:
            self._check_session(call)
            self._org.count_call()
            self._check_version(call)
            return self._dispatch(call)
        except _RefusedIn as refusal:
            return self._error(refusal.problem, refusal.form, call)
        except ApiError as problem:
            return self._error(problem, form, call)
        except Exception as problem:  # noqa: BLE001 - our bug, reported as the server reports its own
            _log.exception("%s %s", call.method, call.path)
            return self._error(ApiError("InternalServerError", type(problem).__name__, 500), form, call)

    def _check_session(self, call: Bulk1Request) -> None:
        settings, session = self._org.settings, call.headers.get("x-sfdc-session")
        if session is not None and self._org.sessions.is_valid(session):
            return
        bearer = call.headers.get("authorization", "").removeprefix("Bearer ").strip()
        counts = settings.bearer_accepted if session is None else settings.bearer_beside_bad_session
        if not (counts and bearer and self._org.sessions.is_valid(bearer)):
            raise ApiError.of(self._texts.session_invalid)

    def _check_version(self, call: Bulk1Request) -> None:
        settings = self._org.settings
        if not _VERSION.fullmatch(call.version) or float(call.version) > settings.newest_version:
            raise ApiError.of(self._texts.version_unknown, version=call.version)
        if float(call.version) < settings.oldest_version:
            raise ApiError.of(self._texts.version_retired, version=call.version)

    def _dispatch(self, call: Bulk1Request) -> Answer:
        match (call.method, *call.parts):
            case ("POST", "job"):
                return self._create(call)
            case ("GET", "AsyncApi.xsd"):
                return self._say(call, 200, "application/xml", ASYNC_API_XSD)
            case ("GET" | "POST", "job", job_id, *rest) if len(rest) <= 4:
                job = self._org.jobs.get(job_id)
                if job.bulk2 is not None:
                    raise ApiError.of(self._texts.job_unknown, id=job_id)
                form = job.format if call.method == "GET" or rest else _form(call)
                try:
                    return self._of_job(call, job, tuple(rest))
                except ApiError as problem:
                    raise _RefusedIn(problem, form) from None
            case (_, "job", *_):
                raise self._wrong_method(call)
        raise ApiError.of(
            self._texts.operation_unknown, status=self._org.settings.unknown_path_status, path="/".join(call.parts)
        )

    def _of_job(self, call: Bulk1Request, job: Job, rest: tuple[str, ...]) -> Answer:
        match (call.method, *rest):
            case ("GET",):
                asked = self._org.settings.get_follows_content_type and "content-type" in call.headers
                form = _form(call) if asked else job.format
                return self._document(call, 200, form, ("jobInfo", self._seen(call, job)))
            case ("POST",):
                return self._change(call, job)
            case ("POST", "spec"):
                self._org.jobs.set_spec(job, call.text_body(self._texts))
                return self._say(
                    call, 201, self._org.settings.spec_answer_type, self._org.settings.spec_answer.encode()
                )
            case ("POST", "batch"):
                return self._add_batch(call, job)
            case ("GET", "batch"):
                return self._list(call, job)
            case ("GET", "batch", batch_id, *which):
                return self._of_batch(call, job, self._org.jobs.batch(job, batch_id), which)
            case (_, "spec" | "batch", *_):
                raise self._wrong_method(call)
        raise ApiError.of(self._texts.path_unknown, status=self._org.settings.unknown_path_status, path=call.path)

    def _of_batch(self, call: Bulk1Request, job: Job, batch: Batch, which: list[str]) -> Answer:
        match which:
            case []:
                return self._document(call, 200, job.format, ("batchInfo", self._members(batch)))
            case ["request"]:
                return self._say(call, 200, _batch_media(job), batch.request)
            case ["result"]:
                results = self._org.jobs.results(batch)
                if job.is_query:
                    form = Format.JSON if job.format == Format.JSON else Format.XML
                    listed = result_list(list(results), form, self._org.settings)
                    return self._say(call, 200, _MEDIA[form], listed)
                return self._say(call, 200, _MEDIA[job.format], results[""])
            case ["result", result_id] if job.is_query:
                found = self._org.jobs.results(batch).get(result_id[:15])
                if found is None:
                    raise ApiError.of(self._texts.result_unknown, id=result_id)
                return self._say(call, 200, _MEDIA[job.format], found)
        raise ApiError.of(self._texts.path_unknown, status=self._org.settings.unknown_path_status, path=call.path)

    def _wrong_method(self, call: Bulk1Request) -> ApiError:
        return ApiError.of(self._texts.method_wrong, status=self._org.settings.wrong_method_status, method=call.method)

    # Jobs

    def _create(self, call: Bulk1Request) -> Answer:
        org = self._org
        options = Options(
            chunking=read_chunking(call.headers.get("sforce-enable-pkchunking"), org.settings),
            line_ending=LINE_ENDINGS.get(call.headers.get("sforce-line-ending", "").strip().upper(), "\n"),
            disable_retry=call.headers.get("sforce-disable-batch-retry", "").strip().lower() == "true",
        )
        request = read_request(
            self._members_of(call), org.schema, org.settings, api_version=call.version, options=options
        )
        job = org.jobs.create(request)
        form = _form(call)
        location = {"Location": f"/services/async/{call.version}/job/{job.id}"}
        return self._document(call, 201, form, ("jobInfo", job_info(org.jobs.summary(job))), location)

    def _change(self, call: Bulk1Request, job: Job) -> Answer:
        jobs = self._org.jobs
        state = read_state(self._members_of(call), self._org.settings)
        if state == JobState.OPEN:
            raise ApiError.of(self._texts.open_refused, state=job.state)
        if state == JobState.CLOSED:
            jobs.close(job)
        else:
            jobs.abort(job)
        return self._document(call, 200, _form(call), ("jobInfo", self._seen(call, job)))

    def _seen(self, call: Bulk1Request, job: Job) -> dict[str, object]:
        return job_info(self._org.jobs.summary(job, call.faults.get("lagging job")))

    def _members_of(self, call: Bulk1Request) -> dict[str, Any]:
        """The jobInfo that was sent: JSON if its Content-Type says so, else XML."""
        unreadable = ApiError.of(self._texts.job_unreadable)
        body = call.text_body(self._texts)
        if call.is_json:
            try:
                members = orjson.loads(documents.utf8(body, call.charset))
            except (orjson.JSONDecodeError, documents.UnreadableDocument):
                raise unreadable from None
            if not isinstance(members, dict):
                raise unreadable
            return members
        try:
            root = documents.parse_xml(body, call.charset)
        except documents.UnreadableDocument:
            raise unreadable from None
        members = documents.xml_members(root)
        if documents.local_name(root.tag) != "jobInfo" or not (
            self._org.settings.any_element_order or in_order(members)
        ):
            raise unreadable
        return members

    # Batches

    def _add_batch(self, call: Bulk1Request, job: Job) -> Answer:
        org = self._org
        self._check_content_type(call, job)
        if call.version != job.request.api_version:
            raise ApiError.of(self._texts.version_of_batch, version=call.version, job_version=job.request.api_version)
        charset = call.charset or "utf-8"
        late = call.faults.get("late commit")
        body = call.batch_body(org.limits.batch_bytes, self._texts)
        batch = org.jobs.add_batch(job, body, charset=charset, late=late is not None)
        batch.unknown_coding = call.unknown_coding
        members = self._members(batch)
        if late is None:
            org.workers.submit(batch)
        else:
            org.latecomers.withhold(job, partial(self._appear, batch), late)
        location = {"Location": f"/services/async/{call.version}/job/{job.id}/batch/{batch.id}"}
        return self._document(call, 201, job.format, ("batchInfo", members), location)

    def _appear(self, batch: Batch) -> None:
        self._org.jobs.enter(batch)
        self._org.workers.submit(batch)

    def _check_content_type(self, call: Bulk1Request, job: Job) -> None:
        named = call.headers.get("content-type")
        if named is None:
            return
        kind = media_type(named)
        if kind not in {*_MEDIA.values(), *_ZIPPED_MEDIA.values(), "text/xml", "text/plain"}:
            raise ApiError.of(self._texts.content_type_unknown, given=named)
        fits = {_batch_media(job), "text/xml" if job.format == Format.XML else ""}
        if not job.is_query and kind not in fits and self._org.settings.content_type_must_fit:
            raise ApiError.of(self._texts.content_type_unfit, given=named)

    def _members(self, batch: Batch) -> dict[str, object]:
        with self._org.jobs.lock:
            return batch_info(batch.summary())

    def _list(self, call: Bulk1Request, job: Job) -> Answer:
        infos = [batch_info(batch) for batch in self._org.jobs.batch_summaries(job, call.faults.get("lagging list"))]
        self._org.latecomers.looked(job)
        if job.format == Format.JSON:
            return self._say(
                call, 200, _MEDIA[Format.JSON], documents.json_list("batchInfo", infos, spread=self._spread(call))
            )
        return self._say(call, 200, _MEDIA[Format.XML], documents.xml_list("batchInfoList", "batchInfo", infos))

    # Answers

    def _document(
        self,
        call: Bulk1Request,
        status: int,
        form: Format,
        document: tuple[str, Mapping[str, object]],
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """A jobInfo, a batchInfo or an error, named and with its members: XML unless the form is JSON."""
        root, members = document
        if form == Format.JSON:
            body = documents.json_document(_json_members(root, members), spread=self._spread(call))
            return self._say(call, status, _MEDIA[Format.JSON], body, headers)
        return self._say(call, status, _MEDIA[Format.XML], documents.xml_document(root, members), headers)

    def _error(self, problem: ApiError, form: Format, call: Bulk1Request) -> Answer:
        members = {"exceptionCode": problem.code, "exceptionMessage": problem.message}
        return self._document(call, problem.status, form, ("error", members))

    def _spread(self, call: Bulk1Request) -> bool:
        return self._org.settings.pretty_print and call.headers.get("x-prettyprint") == "1"

    def _say(
        self,
        call: Bulk1Request,
        status: int,
        content_type: str,
        body: bytes | Spooled,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        request_id = secrets.token_hex(16)
        shown = {
            "Cache-Control": "no-cache,must-revalidate,max-age=0,no-store,private",
            "Server": "sfdcedge",
            "X-Content-Type-Options": "nosniff",
            "X-Request-Id": request_id,
            "X-SFDC-Request-Id": request_id,
            **(headers or {}),
        }
        settings = self._org.settings
        retiring = settings.retiring_version
        if retiring is not None and _VERSION.fullmatch(call.version) and float(call.version) <= retiring:
            shown["Warning"] = f'299 - "This API version is going away: {call.version}"'
        if settings.limit_info_header:
            shown["Sforce-Limit-Info"] = f"api-usage={self._org.calls}/{settings.limits.daily_api_requests}"
        return Answer(status, content_type, body, shown)


def _form(call: Bulk1Request) -> Format:
    """The format of a document that answers a document."""
    return Format.JSON if call.is_json else Format.XML


def _batch_media(job: Job) -> str:
    return (_ZIPPED_MEDIA if job.zipped else _MEDIA)[job.format]


def _json_members(root: str, members: Mapping[str, object]) -> dict[str, object]:
    """JSON has a member that XML lacks, and a version that is a number."""
    if root != "jobInfo":
        return dict(members)
    return {**members, "apiVersion": float(str(members["apiVersion"])), "fastPathEnabled": False}


class _RefusedIn(Exception):
    def __init__(self, problem: ApiError, form: Format) -> None:
        self.problem = problem
        self.form = form
