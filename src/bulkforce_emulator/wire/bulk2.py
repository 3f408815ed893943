"""Bulk API 2.0 on the wire: all calls below `/services/data/v{version}/jobs`."""

from __future__ import annotations

import logging
import secrets
from dataclasses import replace
from typing import TYPE_CHECKING

from bulkforce_emulator.errors import ApiError
from bulkforce_emulator.soql import SoqlError
from bulkforce_emulator.state.bulk2.job import Stage
from bulkforce_emulator.wire import bulk2_jobs as shapes
from bulkforce_emulator.wire.bulk1 import Answer
from bulkforce_emulator.wire.bulk1_request import media_type
from bulkforce_emulator.wire.bulk2_lists import list_jobs
from bulkforce_emulator.wire.bulk2_results import BulkResults
from bulkforce_emulator.wire.calls import token_of
from bulkforce_emulator.wire.multipart import parts_of
from bulkforce_emulator.wire.resources import RestError, check_call, method_not_allowed, not_found, version_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bulkforce_emulator.state.job import Job
    from bulkforce_emulator.state.org import Org
    from bulkforce_emulator.wire.bulk1_request import Bulk1Request

JSON = "application/json;charset=UTF-8"
_log = logging.getLogger(__name__)
_INGEST_FROM, _QUERY_FROM, _PAGES_FROM = 41.0, 47.0, 58.0
_LARGEST_DOCUMENT = 1_000_000
#: The methods of each resource, by what comes after the job's id; None is the collection.
_METHODS: Mapping[tuple[str, str | None], tuple[str, ...]] = {
    ("ingest", None): ("GET", "POST"),
    ("ingest", ""): ("GET", "PATCH", "DELETE"),
    ("ingest", "batches"): ("PUT",),
    ("ingest", "successfulresults"): ("GET",),
    ("ingest", "failedresults"): ("GET",),
    ("ingest", "unprocessedrecords"): ("GET",),
    ("query", None): ("GET", "POST"),
    ("query", ""): ("GET", "PATCH", "DELETE"),
    ("query", "results"): ("GET",),
    ("query", "resultpages"): ("GET",),
}


class Bulk2Calls:
    """Answers the calls of one org."""

    def __init__(self, org: Org) -> None:
        self._org = org
        self._texts = org.settings.texts.bulk2
        self._results = BulkResults(org)

    def answer(self, call: Bulk1Request) -> Answer:
        """Answer one call; a refusal is an array of one error."""
        try:
            check_call(self._org, token_of(call.headers.get("authorization", "")), call.version)
            status, members = self._dispatch(call)
        except RestError as refusal:
            status, members = refusal.status, [refusal.document]
        except SoqlError as problem:
            status, members = 400, [{"errorCode": problem.code, "message": problem.message}]
        except ApiError as problem:
            status, members = problem.status, [_refusal(problem)]
        except Exception as problem:  # noqa: BLE001 - our bug, reported as the server reports its own
            _log.exception("%s %s", call.method, call.path)
            status, members = 500, [{"message": type(problem).__name__, "errorCode": "UNKNOWN_EXCEPTION"}]
        return members if isinstance(members, Answer) else self._say(call, status, members)

    def _say(self, call: Bulk1Request, status: int, members: object) -> Answer:
        spread = self._org.settings.pretty_print and call.headers.get("x-prettyprint") == "1"
        body = b"" if members is None else shapes.document(members, spread=spread)
        return Answer(status, JSON if body else "", body, self._headers(call, status))

    def _headers(self, call: Bulk1Request, status: int = 200) -> dict[str, str]:
        request_id = secrets.token_hex(16)
        more = {"WWW-Authenticate": "Token"} if status == 401 else {}
        retiring = self._org.settings.retiring_version
        if status < 400 and retiring is not None and version_of(call.version) <= retiring:
            more = {"Warning": f'299 - "This API version is going away: {call.version[1:]}"'}
        return {
            "Cache-Control": "no-cache,must-revalidate,max-age=0,no-store,private",
            "Server": "sfdcedge",
            "X-Content-Type-Options": "nosniff",
            "X-Request-Id": request_id,
            "X-SFDC-Request-Id": request_id,
            "Sforce-Limit-Info": f"api-usage={self._org.calls}/{self._org.limits.daily_api_requests}",
            **more,
        }

    def _dispatch(self, call: Bulk1Request) -> tuple[int, object]:
        kind = call.parts[0].lower() if call.parts else ""
        job_id = call.parts[1] if len(call.parts) > 1 else None
        what = None if job_id is None else call.parts[2].lower() if len(call.parts) > 2 else ""
        methods = _METHODS.get((kind, what))
        version = version_of(call.version)
        oldest = _PAGES_FROM if what == "resultpages" else _QUERY_FROM if kind == "query" else _INGEST_FROM
        if methods is None or len(call.parts) > 3 or version < oldest:
            raise not_found()
        method = call.query.get("_HttpMethod", "POST").upper() if call.method == "POST" else call.method
        method = "GET" if method == "HEAD" else method
        if method not in methods:
            raise method_not_allowed(methods, method)
        query = kind == "query"
        if job_id is None:
            if method == "GET":
                return 200, list_jobs(self._org, call, query=query)
            return self._create_query(call) if query else self._create(call)
        job = self._org.bulk2.find(job_id, query=query)
        if job is None and what == "failedresults":
            # Recorded twice: a query job has failed rows, too, none of them.
            asked = self._org.bulk2.find(job_id, query=True)
            if asked is not None:
                return 200, self._results.failed_of_query(asked, self._headers(call))
        if job is None:
            raise ApiError.of(self._texts.job_unknown, status=404)
        return self._of_job(call, job, method, what or "")

    def _of_job(self, call: Bulk1Request, job: Job, method: str, what: str) -> tuple[int, object]:
        org, version = self._org, call.version[1:]
        match method, what:
            case "GET", "":
                seen = org.bulk2.summary(job)
                org.latecomers.looked(job)
                seen = shapes.before(seen) if "lagging job" in call.faults else seen
                return 200, shapes.told(seen, version, org.settings)
            case "DELETE", "":
                org.bulk2.delete(job)
                return 204, None
            case "PATCH", "":
                return self._change(call, job)
            case "PUT", "batches":
                if call.headers.get("content-encoding") and not org.settings.packed_uploads:
                    raise ApiError.of(self._texts.packed, status=415)
                org.bulk2.upload(job, self._body(call, org.limits.job_bytes), call.faults.get("late commit"))
                return 201, None
        return 200, self._results.answer(call, job, what, self._headers(call))

    def _create(self, call: Bulk1Request) -> tuple[int, object]:
        org, version = self._org, call.version[1:]
        if media_type(call.headers.get("content-type", "")) == "multipart/form-data":
            return self._create_with_data(call)
        asked = shapes.read_ingest(self._document(call), org.schema, org.settings, version)
        job = org.bulk2.create(asked.request, asked.bulk2)
        return 200, shapes.created(org.bulk2.summary(job), version)

    def _create_with_data(self, call: Bulk1Request) -> tuple[int, object]:
        org, version, most = self._org, call.version[1:], self._org.limits.multipart_characters
        parts = parts_of(self._body(call, org.limits.job_bytes), call.headers["content-type"])
        if parts is None or not {"job", "content"} <= parts.keys():
            raise ApiError.of(self._texts.multipart_unreadable)
        content = parts["content"]
        if len(content.decode("utf-8", "replace")) > most:
            raise ApiError.of(self._texts.multipart_too_large, most=most)
        asked = shapes.read_ingest(parts["job"], org.schema, org.settings, version)
        job = org.bulk2.create(asked.request, asked.bulk2)
        org.bulk2.upload(job, content)
        batch = org.bulk2.complete(job)
        members = shapes.created(org.bulk2.summary(job), version)
        org.workers.submit(batch)
        return 200, members

    def _create_query(self, call: Bulk1Request) -> tuple[int, object]:
        org, version = self._org, call.version[1:]
        job, batch = self._results.query(self._document(call), version)
        members = shapes.created(org.bulk2.summary(job), version)
        org.workers.submit(batch)
        return 200, members

    def _change(self, call: Bulk1Request, job: Job) -> tuple[int, object]:
        org = self._org
        wanted = shapes.read_stage(self._document(call), org.settings, query=job.is_query)
        if wanted == Stage.ABORTED:
            org.bulk2.abort(job)
            return 200, shapes.changed(org.bulk2.summary(job))
        seen = org.bulk2.summary(job)
        again = seen.stage in {Stage.UPLOAD_COMPLETE, Stage.IN_PROGRESS}
        if again and org.settings.complete_again == "accept":
            return 200, shapes.changed(replace(seen, stage=wanted))
        late = call.faults.get("late commit")
        if late is not None:
            org.bulk2.complete_late(job, late)
            return 200, shapes.changed(replace(org.bulk2.summary(job), stage=wanted))
        batch = org.bulk2.complete(job)
        members = shapes.changed(org.bulk2.summary(job))
        # The change is told as of now: with the instant pace, the job has ended when this returns.
        org.workers.submit(batch)
        return 200, members

    def _document(self, call: Bulk1Request) -> bytes:
        return self._body(call, _LARGEST_DOCUMENT)

    def _body(self, call: Bulk1Request, most_bytes: int) -> bytes:
        """The body, unpacked; one that is too large has the status of the settings."""
        try:
            return call.batch_body(most_bytes, self._org.settings.texts.calls)
        except ApiError as problem:
            if problem.message != self._org.settings.texts.calls.batch_too_large.said(most=most_bytes):
                raise
            status = self._org.settings.too_large_status
            raise ApiError.of(self._texts.too_large, status=status, most=most_bytes) from None


def _refusal(problem: ApiError) -> dict[str, str]:
    """Refusals that v1 has too are told as 2.0 tells its own: the code in capitals, and again before the words."""
    if problem.code == problem.code.upper():
        return {"errorCode": problem.code, "message": problem.message}
    return {"errorCode": problem.code.upper(), "message": f"{problem.code} : {problem.message}"}
