"""Bulk API v1: jobs and batches, in XML or JSON as the job's maker writes."""

from __future__ import annotations

import heapq
import itertools
import json
import re
import time
from bisect import bisect
from dataclasses import dataclass, field
from typing import Final

from bench.org.connection import Answer, Request
from bench.org.files import Failing, Records, Span, records_span, results

_NAMESPACE: Final = "http://www.force.com/2009/06/asyncapi/dataload"
_XML: Final = "application/xml"
_JSON: Final = "application/json;charset=UTF-8"
_MEDIA: Final = {"CSV": "text/csv", "JSON": _JSON, "XML": _XML}
_STAMPS: Final = {
    "createdDate": "2026-02-12T15:43:48.000Z",
    "systemModstamp": "2026-02-12T15:43:49.000Z",
    "totalProcessingTime": 842,
    "apiActiveProcessingTime": 640,
    "apexProcessingTime": 0,
}


class Slots:
    """The org's own pace: so many batches at once, each so long."""

    def __init__(self, count: int, seconds: float) -> None:
        self._free = [0.0] * count
        self._seconds = seconds

    def take(self) -> tuple[float, float]:
        """Put a batch in the queue: when it begins, and when it ends."""
        begins = max(self._free[0], time.monotonic())
        heapq.heapreplace(self._free, begins + self._seconds)
        return begins, begins + self._seconds


@dataclass(slots=True)
class Batch:
    """What is kept of a batch."""

    number: int
    records: int
    failed: int
    begins: float
    ends: float
    first: int = 0

    @property
    def id(self) -> str:
        """Its id."""
        return f"751{self.number:012}AAA"

    @property
    def state(self) -> str:
        """Its state at this moment."""
        now = time.monotonic()
        return "Completed" if now >= self.ends else "InProgress" if now >= self.begins else "Queued"


@dataclass(slots=True)
class Job:
    """A job."""

    id: str
    operation: str
    content_type: str
    as_json: bool
    chunk: int = 0
    soql: str = ""
    closed: bool = False
    batches: list[Batch] = field(default_factory=list)

    @property
    def is_query(self) -> bool:
        """Whether it brings records out."""
        return self.operation.startswith("query")


@dataclass(slots=True)
class Counts:
    """What the org has seen."""

    calls: int = 0
    records: int = 0
    failed: int = 0
    bytes: int = 0


class Bulk1:
    """The calls of v1."""

    def __init__(self, found: dict[str, Records], slots: Slots, failing: Failing, counts: Counts) -> None:
        self._found, self._slots, self._failing, self._counts = found, slots, failing, counts
        self._jobs: dict[str, Job] = {}
        self._batches = itertools.count(1)

    def answer(self, request: Request, parts: list[str]) -> Answer:
        """Answer a call; ``parts`` is the path behind ``/job``."""
        match request.method, parts:
            case "POST", []:
                return self._create(request)
            case "POST", [job_id]:
                self._jobs[job_id].closed = True
                return self._job(self._jobs[job_id])
            case "GET", [job_id]:
                return self._job(self._jobs[job_id])
            case "POST", [job_id, "batch"]:
                job = self._jobs[job_id]
                batch = self._query(job, request.start.decode()) if job.is_query else self._add(job, request.records)
                return self._document(job, "batchInfo", self._batch(job, batch), 201)
            case "GET", [job_id, "batch"]:
                job = self._jobs[job_id]
                return self._list(job)
            case "GET", [job_id, "batch", batch_id]:
                job = self._jobs[job_id]
                return self._document(job, "batchInfo", self._batch(job, self._find(job, batch_id)))
            case "GET", [job_id, "batch", batch_id, "request"]:
                job = self._jobs[job_id]
                return Answer(self._request(job, self._find(job, batch_id)), _MEDIA["CSV"])
            case "GET", [job_id, "batch", batch_id, "result"]:
                job = self._jobs[job_id]
                return self._results(job, self._find(job, batch_id))
            case _:
                job = self._jobs[parts[0]]
                return self._rows(job, self._find(job, parts[2]))

    def _create(self, request: Request) -> Answer:
        as_json = request.start.lstrip().startswith(b"{")
        text = request.start.decode()

        def told(name: str) -> str:
            pattern = rf'"{name}"\s*:\s*"([^"]*)"' if as_json else rf"<{name}>([^<]*)<"
            found = re.search(pattern, text)
            return found[1] if found else ""

        chunking = request.headers.get("sforce-enable-pkchunking", "")
        size = re.search(r"chunkSize=(\d+)", chunking, re.IGNORECASE)
        chunk = int(size[1]) if size else 100_000 if chunking.lower() == "true" else 0
        job_id = f"750{len(self._jobs) + 1:012}AAA"
        job = Job(job_id, told("operation"), told("contentType") or "XML", as_json, chunk)
        self._jobs[job_id] = job
        return self._job(job, 201)

    def _add(self, job: Job, records: int) -> Batch:
        failed = self._failing.count(records)
        batch = Batch(next(self._batches), records, failed, *self._slots.take())
        job.batches.append(batch)
        self._counts.records += records
        self._counts.failed += failed
        return batch

    def _query(self, job: Job, soql: str) -> Batch:
        job.soql = soql
        total = len(self._found["CSV"])
        if not job.chunk:
            job.batches.append(Batch(next(self._batches), total, 0, *self._slots.take()))
            return job.batches[0]
        original = Batch(next(self._batches), 0, 0, 0.0, 0.0)
        job.batches.append(original)
        for first in range(0, total, job.chunk):
            count = min(job.chunk, total - first)
            job.batches.append(Batch(next(self._batches), count, 0, *self._slots.take(), first))
        return original

    def _request(self, job: Job, batch: Batch) -> bytes:
        """Write the query of a chunk, which is the job's with a range of ids."""
        start, end = (f"003{number:012}" for number in (batch.first, batch.first + batch.records))
        return f"{job.soql} WHERE Id >= '{start}' AND Id < '{end}'".encode()

    def _find(self, job: Job, batch_id: str) -> Batch:
        # A job's batches may be many: the first of them tells where this one stands, unless others came between.
        number = int(batch_id[3:15])
        place = number - job.batches[0].number
        if 0 <= place < len(job.batches) and job.batches[place].number == number:
            return job.batches[place]
        return next(batch for batch in job.batches if batch.number == number)

    def _results(self, job: Job, batch: Batch) -> Answer:
        if job.is_query:
            result_id = f"752{batch.number:012}AAA"
            if job.as_json or job.content_type == "JSON":
                return Answer(json.dumps([result_id]).encode(), _JSON)
            listed = f'<result-list xmlns="{_NAMESPACE}"><result>{result_id}</result></result-list>'
            return Answer(listed.encode(), _XML)
        content = results(batch.number, batch.records, self._failing, job.content_type)
        return Answer(content, _MEDIA[job.content_type])

    def _rows(self, job: Job, batch: Batch) -> Answer:
        records = self._found[job.content_type]
        if job.content_type == "CSV":
            return Answer(records_span(records, batch.first, batch.records), _MEDIA["CSV"])
        return Answer(Span(records.path, b"", 0, records.path.stat().st_size), _MEDIA[job.content_type])

    def _job(self, job: Job, status: int = 200) -> Answer:
        # A query that was split is in none of the states with a count.
        split = 1 if job.chunk and job.batches else 0
        ended = bisect(job.batches, time.monotonic(), split, key=lambda batch: batch.ends) - split
        content = {
            "id": job.id,
            "operation": job.operation,
            "object": "Contact",
            "createdById": "005000000000001AAA",
            "createdDate": _STAMPS["createdDate"],
            "systemModstamp": _STAMPS["systemModstamp"],
            "state": "Closed" if job.closed else "Open",
            "concurrencyMode": "Parallel",
            "contentType": job.content_type,
            "numberBatchesQueued": len(job.batches) - split - ended,
            "numberBatchesInProgress": 0,
            "numberBatchesCompleted": ended,
            "numberBatchesFailed": 0,
            "numberBatchesTotal": len(job.batches),
            "apiVersion": "66.0",
        }
        return self._document(job, "jobInfo", content, status)

    def _batch(self, job: Job, batch: Batch) -> dict[str, object]:
        split = bool(job.chunk) and batch is job.batches[0]
        state = "NotProcessed" if split else batch.state
        ended = state == "Completed"
        return {
            "id": batch.id,
            "jobId": job.id,
            "state": state,
            **_STAMPS,
            "numberRecordsProcessed": batch.records if ended else 0,
            "numberRecordsFailed": batch.failed if ended else 0,
        }

    def _list(self, job: Job) -> Answer:
        batches = [self._batch(job, batch) for batch in job.batches]
        if job.as_json:
            return Answer(json.dumps({"batchInfo": batches}).encode(), _JSON)
        return _xml("batchInfoList", "".join(f"<batchInfo>{_elements(one)}</batchInfo>" for one in batches), 200)

    @staticmethod
    def _document(job: Job, name: str, content: dict[str, object], status: int = 200) -> Answer:
        if job.as_json:
            return Answer(json.dumps(content).encode(), _JSON, status)
        return _xml(name, _elements(content), status)


def _elements(content: dict[str, object]) -> str:
    return "".join(f"<{name}>{value}</{name}>" for name, value in content.items())


def _xml(name: str, content: str, status: int) -> Answer:
    document = f'<?xml version="1.0" encoding="UTF-8"?><{name} xmlns="{_NAMESPACE}">{content}</{name}>'
    return Answer(document.encode(), _XML, status)
