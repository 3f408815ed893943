"""An org in small that speaks Bulk API 2.0: a job takes one upload, which counts once it is committed."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass, field
from typing import Final

from tests.simulation.org import Org

from bulkforce.protocol.exchange import Request

JSON: Final = {"content-type": "application/json"}
CSV: Final = {"content-type": "text/csv"}
FILES: Final = {"successfulResults": '"sf__Id","sf__Created",', "failedResults": '"sf__Id","sf__Error",'}


@dataclass
class Job2:
    """A job; ``shown`` is the state that is told until ``fresh``, in case that lags."""

    id: str
    uploads: list[bytes] = field(default_factory=list)
    state: str = "Open"
    ready: float = 0.0
    shown: str = "Open"
    fresh: float = 0.0
    written: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    not_tried: list[str] = field(default_factory=list)

    @property
    def batches(self) -> list[bytes]:
        """What it holds."""
        return self.uploads


class Org2(Org):
    """See `Org`; what becomes of a request is named in the same way, ``state`` being a commit or an abort."""

    def _error(self, code: str, status: int = 400) -> tuple[int, dict[str, str], bytes]:
        return status, JSON, json.dumps([{"errorCode": code, "message": code}]).encode()

    def _answer(
        self, request: Request, headers: dict[str, str], shows_in: float = 0.0
    ) -> tuple[int, dict[str, str], bytes]:
        _, found, rest = request.path.partition("/jobs/ingest")
        if not found:
            return super()._answer(request, headers, shows_in)
        self.process()
        content = b""
        if request.body is not None:
            with request.body.open() as file:
                content = file.read()
        path = rest.strip("/").split("/")
        if path == [""]:
            job = Job2(self._id("750"))
            self.jobs[job.id] = job  # type: ignore[assignment]
            return 200, JSON, self._told(job, lineEnding="LF", columnDelimiter="COMMA")
        job = self.jobs[path[0]]  # type: ignore[assignment]
        match request.method, path[1:]:
            case "PUT", ["batches"]:
                return self._upload(job, content)
            case "PATCH", []:
                return self._set(job, json.loads(content)["state"], shows_in)
            case "GET", []:
                counts = {"numberRecordsProcessed": len(job.written) + len(job.refused)} if job.uploads else {}
                failed = {"numberRecordsFailed": len(job.refused)} if job.uploads else {}
                return 200, JSON, self._told(job, lagging=True, **counts, **failed)
            case "GET", [name]:
                return 200, CSV, self._file(job, name)
        raise AssertionError(path)

    def _upload(self, job: Job2, content: bytes) -> tuple[int, dict[str, str], bytes]:
        if job.state != "Open":
            return self._error("INVALIDJOBSTATE")
        job.uploads.append(content)
        return 201, {}, b""

    def _set(self, job: Job2, state: str, in_seconds: float) -> tuple[int, dict[str, str], bytes]:
        if job.state in {"JobComplete", "Failed", "Aborted"} or (state == "UploadComplete" and job.state != "Open"):
            return self._error("INVALIDJOBSTATE")
        if state == "UploadComplete" and len(job.uploads) > 1:
            return self._error("INVALIDJOB")
        if in_seconds:
            # It has answered, or not, and does it in a while, if it still can.
            self.world.later(in_seconds, lambda: self._set(job, state, 0.0))
            return 200, JSON, self._told(job, state=state)
        if state == "Aborted":
            self.end(job, state)
        else:
            job.state, job.ready = state, self.world.now + self.world.chance.choice([0.0, 0.5, 5.0])
        return 200, JSON, self._told(job)

    def end(self, job: Job2, state: str) -> None:  # type: ignore[override]
        """Commit a job in our place, or abort it."""
        self.process()
        if state == "Closed" and job.state == "Open" and job.uploads:
            self._set(job, "UploadComplete", 0.0)
        if state == "Aborted" and job.state in {"Open", "UploadComplete"}:
            job.state, job.not_tried = state, _values(job)

    def process(self) -> None:
        """Do what is due."""
        for job in self.jobs.values():
            if job.state == "UploadComplete" and job.ready <= self.world.now:  # type: ignore[attr-defined]
                self._write(job)  # type: ignore[arg-type]

    def _write(self, job: Job2) -> None:
        for value in _values(job):
            if value.startswith("bad"):
                job.refused.append(f'"","STRING_TOO_LONG:no:--","{value}"')
                continue
            self.records.append(value)
            record = self._id("001")
            self.by_id[record] = value
            job.written.append(f'"{record}","true","{value}"')
        self.world.chance.shuffle(job.written)
        job.state = "JobComplete"

    def _file(self, job: Job2, name: str) -> bytes:
        lines = {"successfulResults": job.written, "failedResults": job.refused}.get(name)
        if lines is None:
            lines = [f'"{value}"' for value in job.not_tried]
        return "\n".join([FILES.get(name, "") + "Code__c", *lines]).encode() + self.world.chance.choice([b"", b"\n"])

    def _told(self, job: Job2, *, lagging: bool = False, **members: object) -> bytes:
        state = job.shown if lagging and job.fresh > self.world.now else job.state
        told = {"id": job.id, "operation": "insert", "object": "Row__c", "state": state, "contentType": "CSV"}
        return json.dumps({**told, **members}).encode()

    def lag(self, seconds: float) -> None:
        """Tell for a while what the jobs were."""
        for job in self.jobs.values():
            job.shown, job.fresh = job.state, self.world.now + seconds  # type: ignore[attr-defined]


def _values(job: Job2) -> list[str]:
    rows = list(csv.reader(io.StringIO(job.uploads[0].decode())))[1:] if job.uploads else []
    return [value for (value,) in rows]
