"""Queries of Bulk API 2.0 and the results of its jobs on the wire."""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import TYPE_CHECKING

from bulkforce_emulator.errors import ApiError
from bulkforce_emulator.soql import check_bulk, chunkable, compile_soql
from bulkforce_emulator.standard import PK_CHUNKABLE
from bulkforce_emulator.state.bulk2.job import Bulk2, Found, Stage, stage_of
from bulkforce_emulator.state.bulk2.processing import result_line_end
from bulkforce_emulator.state.bulk2.results import Results
from bulkforce_emulator.state.bulk2.rules import as_bulk2
from bulkforce_emulator.state.job import Batch, Job, JobRequest, Operation
from bulkforce_emulator.uploads import Format
from bulkforce_emulator.wire.bulk1 import Answer
from bulkforce_emulator.wire.bulk2_jobs import document, read_query

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bulkforce_emulator.state.org import Org
    from bulkforce_emulator.state.spool import Spooled
    from bulkforce_emulator.wire.bulk1_request import Bulk1Request

_BASE64_FROM = 49.0
_DIGITS = 18
FILES = ("successfulResults", "failedResults", "unprocessedrecords")


class BulkResults:
    """Creates query jobs, and answers the calls for results."""

    def __init__(self, org: Org) -> None:
        self._org = org
        self._settings = as_bulk2(org.settings)
        self._texts = org.settings.texts.bulk2
        self._results = Results(org)

    def query(self, body: bytes, version: str) -> tuple[Job, Batch]:
        """Create a query job; its SOQL is checked now.

        Raises:
            ApiError: The job is refused.
            SoqlError: The query is.
        """
        org = self._org
        operation, soql, delimiter, line_end = read_query(body, org.settings)
        deleted = operation == Operation.QUERY_ALL
        user = org.sessions.user_id
        compiled = compile_soql(soql, org.schema, now=org.clock.now(), user_id=user, include_deleted=deleted)
        if not compiled.sobject.bulk:
            raise ApiError.of(self._texts.object_unsupported, name=compiled.sobject.name)
        check_bulk(compiled, compiled.sobject.name, Format.CSV, self._settings, by_fields=True)
        request = JobRequest(operation, compiled.sobject, Format.CSV, version)
        splits = (compiled.sobject.custom or compiled.sobject.name in PK_CHUNKABLE) and chunkable(soql)
        return org.bulk2.create_query(request, Bulk2(delimiter, line_end, splits=splits), soql)

    def answer(self, call: Bulk1Request, job: Job, what: str, headers: Mapping[str, str]) -> Answer:
        """The results of a job: `what` says which, in lower case.

        Raises:
            ApiError: There are none, or none yet.
        """
        bulk2, stage = job.bulk2, stage_of(job)
        if bulk2 is None:
            raise AssertionError(job)
        if job.is_query and call.version[1:] != job.request.api_version:
            raise ApiError.of(self._texts.version_differs, status=409, version=job.request.api_version)
        early = not stage.is_final or (job.is_query and stage != Stage.JOB_COMPLETE)
        if early or "late results" in call.faults:
            if self._settings.early_results == "no content":
                return Answer(204, "", b"", headers)
            raise ApiError.of(self._texts.results_too_early, state=stage)
        if what == "resultpages":
            return self._pages(call, job, _found(bulk2), headers)
        if what == "results":
            return self._set(call, job, _found(bulk2), headers)
        lag = call.faults.get("lagging results")
        return self._file(job, bulk2, what, headers, missing=0 if lag is None else lag.newest)

    def failed_of_query(self, job: Job, headers: Mapping[str, str]) -> Answer:
        """The failed rows of a query job, as the calls of ingest jobs tell them: a header.

        Raises:
            ApiError: It has found nothing yet.
        """
        bulk2, stage = job.bulk2, stage_of(job)
        if bulk2 is None or bulk2.found is None:
            raise ApiError.of(self._texts.results_too_early, state=stage)
        between = bulk2.delimiter
        first = f'"sf__Id"{between}"sf__Error"{between}'.encode()
        return Answer(200, "text/csv", first + bulk2.found.header, headers)

    def file(self, job: Job, bulk2: Bulk2, what: str) -> Spooled:
        """One of the three files of an ingest job."""
        body = self._file(job, bulk2, what, {}, missing=0).body
        return self._org.jobs.spool.put(body) if isinstance(body, bytes) else body

    def counts(self, job: Job, bulk2: Bulk2) -> dict[str, int]:
        """How many rows there are in each of them."""
        return dict(zip(FILES, self._results.counts(job, bulk2), strict=True))

    def _file(self, job: Job, bulk2: Bulk2, what: str, headers: Mapping[str, str], *, missing: int) -> Answer:
        between, end, settings = bulk2.delimiter, result_line_end(bulk2, self._settings), self._settings
        empty = settings.empty_other_files
        if what == "unprocessedrecords":
            header, rows = self._results.header(bulk2), self._results.unprocessed(job, bulk2)
        elif what == "failedresults":
            header = f'"sf__Id"{between}"sf__Error"{between}{self._results.failed_header(job, bulk2)}'
            rows, empty = self._results.rows(job, "failed", missing), settings.empty_failed_results
        else:
            header = f'"sf__Id"{between}"sf__Created"{between}{self._results.header(bulk2)}'
            rows = self._results.rows(job, "succeeded", missing)
        if not rows.length and empty == "no content":
            return Answer(204, "", b"", headers)
        whole = self._org.jobs.spool.put((header + end).encode() if header else b"") + rows
        if not settings.files_end_with_line_end:
            whole = whole.part(0, max(0, whole.length - len(end)))
        return Answer(200, "text/csv", whole, headers)

    # Results of queries

    def _set(self, call: Bulk1Request, job: Job, found: Found, headers: Mapping[str, str]) -> Answer:
        count = self._asked_for(call.query.get("maxRecords"))
        first = self._place(call.query.get("locator"), job, found)
        rows = min(count, len(found.ends) - first)
        following = "null" if first + rows >= len(found.ends) else self._locator(first + rows, job)
        told = {"Sforce-Locator": following, "Sforce-NumberOfRecords": str(rows)}
        body = self._org.jobs.spool.put(found.header) + found.part(first, rows)
        if not self._settings.query_csv_ends_with_newline:
            body = body.part(0, body.length - len(found.line_end))
        return Answer(200, "text/csv", body, {**headers, **told})

    def _asked_for(self, given: str | None) -> int:
        if given is None:
            return self._settings.result_set_records
        if not given.isascii() or not given.isdigit() or int(given) == 0:
            raise ApiError.of(self._texts.records_unfit, given=given)
        return min(int(given), self._settings.largest_set_records)

    def _place(self, locator: str | None, job: Job, found: Found) -> int:
        """The row that a locator stands for."""
        if locator is None:
            return 0
        text = locator if float(job.request.api_version) < _BASE64_FROM else _decoded(locator)
        row = int(text) if text.isascii() and text.isdigit() and len(text) < _DIGITS else -1
        row = row ^ _key(job) if row >= 0 and self._settings.locators == "opaque" else row
        if not 0 <= row < max(1, len(found.ends)):
            status = self._settings.bad_locator_status
            raise ApiError.of(self._texts.locator_unknown, status=status, given=locator)
        return row

    def _locator(self, row: int, job: Job) -> str:
        """The locator of the set that begins with a row."""
        shown = str(row ^ _key(job) if self._settings.locators == "opaque" else row)
        if float(job.request.api_version) < _BASE64_FROM:
            return shown
        return base64.b64encode(shown.encode()).decode().rstrip("=")

    def _pages(self, call: Bulk1Request, job: Job, found: Found, headers: Mapping[str, str]) -> Answer:
        size, most = self._settings.result_set_records, self._settings.limits.result_links
        first = self._place(call.query.get("locator"), job, found)
        starts = range(first, max(1, len(found.ends)), size)
        path = f"/services/data/{call.version}/jobs/query/{job.id}"
        members: dict[str, object] = {
            "resultPages": [
                {"resultUrl": f"{path}/results?locator={self._locator(start, job)}"} for start in starts[:most]
            ]
        }
        done = len(starts) <= most
        if not done:
            members["nextRecordsUrl"] = f"{path}/resultpages?locator={self._locator(starts[most], job)}"
        elif self._settings.last_pages_url == "null":
            members["nextRecordsUrl"] = None
        members["done"] = done
        spread = self._settings.pretty_print and call.headers.get("x-prettyprint") == "1"
        return Answer(200, "application/json;charset=UTF-8", document(members, spread=spread), headers)


def _found(bulk2: Bulk2) -> Found:
    if bulk2.found is None:
        raise AssertionError(bulk2)
    return bulk2.found


def _decoded(locator: str) -> str:
    try:
        return base64.b64decode(locator + "=" * (-len(locator) % 4), validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        return ""


def _key(job: Job) -> int:
    """What turns the rows of a job into numbers of which nothing can be told, and back."""
    return int.from_bytes(hashlib.blake2b(job.id.encode(), digest_size=6).digest())
