"""Bulk API 2.0: ingest and query jobs."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs, urlsplit

from bench.org.bulk1 import Counts, Slots
from bench.org.connection import Answer, Request
from bench.org.files import Records, records_span

_INSIDE: Final = 10_000
PAGE_RECORDS: Final = 50_000
_FIRST: Final = re.compile(rb"(\d+)@")
_NUMBERS: Final = {"ingest": 1, "query": 500_000_000_000}


@dataclass(slots=True)
class Job:
    """A job of either kind."""

    id: str
    kind: str
    asked: dict[str, str]
    version: str
    state: str
    first: int = 0
    records: int = 0
    ends: float = 0.0


class Bulk2:
    """The calls of 2.0."""

    def __init__(self, found: Records, echo: Records, slots: Slots, counts: Counts) -> None:
        self._found, self._echo, self._slots, self._counts = found, echo, slots, counts
        self._jobs: dict[str, Job] = {}

    def answer(self, request: Request, version: str, parts: list[str]) -> Answer:
        """Answer a call; ``parts`` is the path behind ``/jobs``."""
        kind, *rest = [part for part in parts if part]
        match request.method, rest:
            case "POST", []:
                return self._create(kind, version, request)
            case "GET", []:
                jobs = [self._long(job) for job in self._jobs.values() if job.kind == kind]
                return _json({"done": True, "records": jobs, "nextRecordsUrl": None})
            case "PUT", [job_id, "batches"]:
                return self._upload(self._jobs[job_id], request)
            case "PATCH", [job_id]:
                return self._change(self._jobs[job_id], request)
            case "GET", [job_id]:
                return _json(self._long(self._jobs[job_id]))
            case "DELETE", [job_id]:
                del self._jobs[job_id]
                return Answer(status=204)
            case _:
                return self._results(self._jobs[rest[0]], rest[1], request)

    def _results(self, job: Job, what: str, request: Request) -> Answer:
        match what:
            case "results":
                return self._page(job, request)
            case "resultPages":
                return self._pages(job, request)
            case "successfulResults":
                return Answer(records_span(self._echo, job.first, job.records), "text/csv")
            case "failedResults":
                return Answer(self._echo.header.replace(b"sf__Created", b"sf__Error"), "text/csv")
            case _:
                return Answer(self._echo.header.replace(b'"sf__Id","sf__Created",', b""), "text/csv")

    def _create(self, kind: str, version: str, request: Request) -> Answer:
        asked = json.loads(request.start)
        job_id = f"750{_NUMBERS[kind] + len(self._jobs):012}AAA"
        job = Job(job_id, kind, asked, version, "Open" if kind == "ingest" else "UploadComplete")
        if kind == "query":
            job.records = len(self._found)
        answer = _json(self._short(job))
        if kind == "query":
            self._begin(job)
        self._jobs[job_id] = job
        return answer

    def _begin(self, job: Job) -> None:
        """Put what the org does with it in the queue: in pieces of 10,000 records, of which some run at once."""
        for _ in range(max(-(-job.records // _INSIDE), 1)):
            job.ends = max(job.ends, self._slots.take()[1])
        job.state = "InProgress"

    def _upload(self, job: Job, request: Request) -> Answer:
        found = _FIRST.search(request.start)
        job.first, job.records = int(found[1]) if found else 0, request.records
        return Answer(status=201)

    def _change(self, job: Job, request: Request) -> Answer:
        state = json.loads(request.start)["state"]
        if state == "UploadComplete":
            self._begin(job)
            self._counts.records += job.records
        else:
            job.state = state
        return _json({**self._short(job), "state": state})

    def _page(self, job: Job, request: Request) -> Answer:
        asked = parse_qs(urlsplit(request.path).query)
        first = int(asked.get("locator", ["0"])[0] or 0)
        count = min(int(asked.get("maxRecords", [str(PAGE_RECORDS)])[0]), job.records - first)
        after = first + count
        headers = {
            "Sforce-NumberOfRecords": str(count),
            "Sforce-Locator": str(after) if after < job.records else "null",
        }
        return Answer(records_span(self._found, first, count), "text/csv", 200, headers)

    def _pages(self, job: Job, request: Request) -> Answer:
        after = parse_qs(urlsplit(request.path).query).get("locator", ["0"])[0]
        begins = range(int(after), job.records, PAGE_RECORDS)[:5]
        path = f"/services/data/v{job.version}/jobs/query/{job.id}"
        links = [{"resultUrl": f"{path}/results?locator={first}"} for first in begins]
        following = begins[-1] + PAGE_RECORDS if begins else job.records
        more = following < job.records
        return _json(
            {
                "resultPages": links,
                "nextRecordsUrl": f"{path}/resultPages?locator={following}" if more else None,
                "done": not more,
            }
        )

    def _short(self, job: Job) -> dict[str, object]:
        path = f"services/data/v{job.version}/jobs/ingest/{job.id}/batches"
        return {
            "id": job.id,
            "operation": job.asked.get("operation", "query"),
            "object": "Contact",
            "createdById": "005000000000001AAA",
            "createdDate": "2026-02-12T15:43:48.000+0000",
            "systemModstamp": "2026-02-12T15:43:49.000+0000",
            "state": job.state,
            "concurrencyMode": "Parallel",
            "contentType": "CSV",
            "apiVersion": float(job.version),
            **({"contentUrl": path} if job.state == "Open" else {}),
            "lineEnding": job.asked.get("lineEnding", "LF"),
            "columnDelimiter": job.asked.get("columnDelimiter", "COMMA"),
        }

    def _long(self, job: Job) -> dict[str, object]:
        if job.state == "InProgress" and time.monotonic() >= job.ends:
            job.state = "JobComplete"
        return {
            **self._short(job),
            "jobType": "V2Ingest" if job.kind == "ingest" else "V2Query",
            "numberRecordsProcessed": job.records if job.state == "JobComplete" else 0,
            **({"numberRecordsFailed": 0} if job.kind == "ingest" else {}),
            "retries": 0,
            "totalProcessingTime": 842,
            "apiActiveProcessingTime": 640,
            "apexProcessingTime": 0,
        }


def _json(content: object) -> Answer:
    return Answer(json.dumps(content).encode())
