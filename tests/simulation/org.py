"""An org in small, in this process: it takes jobs and batches, is slow, loses answers, and forgets nothing. It knows
nothing of bulkforce but the wire.

Time in it is the world's, which passes only when somebody waits.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from tests.simulation.world import World

from bulkforce.errors import NoAnswer, NotSent
from bulkforce.protocol.exchange import Answer, Request

XML: Final = {"content-type": "application/xml"}
NAMESPACE: Final = 'xmlns="http://www.force.com/2009/06/asyncapi/dataload"'
PAGE: Final = b"<!DOCTYPE html><html><body>Bad gateway</body></html>"


VISIBLE_SECONDS: Final = 9.5
"""What the org took is in its lists by then, however late it commits and however its lists lag: a fence waits ten
seconds."""


@dataclass
class Batch:
    """A batch: what came, and what became of it; when it came, when it is there, and when lists have it."""

    id: str
    content: bytes
    came: float
    ready: float
    commits: float
    shows: float
    state: str = "Queued"
    results: bytes = b""
    records: int = 0
    failed: int = 0
    result_files: dict[str, bytes] = field(default_factory=dict)


@dataclass
class Job:
    """A job and its batches."""

    id: str
    operation: str
    object: str
    chunk_size: int = 0
    state: str = "Open"
    counts: float = 0.0
    batches: list[Batch] = field(default_factory=list)


DESCRIBED = json.dumps(
    {"name": "Row__c", "fields": [{"name": "Id", "type": "id"}, {"name": "Code__c", "type": "string", "length": 20}]}
).encode()


class Org:
    """The org, as a transport for a client.

    Args:
        world: Time and chance.
        faults: What becomes of a request, named by its kind and number: ``add 0`` is the first that adds a batch.
        rows: Records that a query finds.
    """

    def __init__(self, world: World, faults: dict[str, str], rows: list[str] | None = None) -> None:
        self.world, self.faults = world, faults
        self.jobs: dict[str, Job] = {}
        self.rows = rows or []
        self.records: list[str] = []
        self.by_id: dict[str, str] = {}
        self.requests = 0
        self.tampered = False
        self.dead = False
        self.on_request: Callable[[int], None] = lambda _number: None
        self._count = 0
        self._kinds: Counter[str] = Counter()

    def send(self, request: Request, _url: str, headers: dict[str, str], *, streamed: bool) -> Answer:
        """See `bulkforce.transport.base.Transport`."""
        assert not self.dead, "a process that died goes on"
        number, self.requests = self.requests, self.requests + 1
        self.on_request(number)
        self.world.pass_time(self.world.chance.choice([0.0, 0.01, 0.3]))
        kind = kind_of(request)
        fault = self.faults.get(f"{kind} {self._kinds[kind]}", "")
        self._kinds[kind] += 1
        answer = self._meet(fault, request, headers)
        if streamed and answer[0] == 200:
            return Answer(
                request, 200, answer[1], stream=Blocks(answer[2], self._cut(answer[2]) if fault == "cut" else None)
            )
        return Answer(request, *answer)

    def _cut(self, content: bytes) -> int:
        """Say where a download breaks off: anywhere, or just where a record ends."""
        place = self.world.chance.randrange(len(content))
        return content.rfind(b"\n", 0, place) + 1 if self.world.chance.random() < 0.5 else place

    def close(self) -> None:
        """See `bulkforce.transport.base.Transport`."""

    def _meet(  # noqa: C901  (one arm a fault)
        self, fault: str, request: Request, headers: dict[str, str]
    ) -> tuple[int, dict[str, str], bytes]:
        seconds = self.world.chance.choice([0.5, 3.0, 8.0])
        match fault:
            case "not sent":
                raise NotSent("no route")
            case "lost before":
                raise NoAnswer("lost")
            case "lost after":
                self._answer(request, headers)
                raise NoAnswer("lost")
            case "late":
                self.world.later(seconds, lambda: self._answer(request, headers))
                raise NoAnswer("lost")
            case "twin" | "late twin" if kind_of(request) == "add":
                self.tampered = True
                answer = self._answer(request, headers)
                self.world.later(0.0 if fault == "twin" else seconds, lambda: self._answer(request, headers))
                return answer
            case "late commit":
                return self._answer(request, headers, shows_in=seconds)
            case "late commit, lost":
                self._answer(request, headers, shows_in=seconds)
                raise NoAnswer("lost")
            case "page before":
                return 502, {"content-type": "text/html"}, PAGE
            case "page after":
                self._answer(request, headers)
                return 429, {"content-type": "text/html", "retry-after": "1"}, PAGE
            case "login page":
                self._answer(request, headers)
                return 200, {"content-type": "text/html"}, PAGE
            case "busy":
                return self._error("ServerUnavailable", 503)
            case "lagging":
                self.lag(seconds)
        return self._answer(request, headers)

    def lag(self, seconds: float) -> None:
        """Leave the newest batches out of lists and counts for a while."""
        for job in self.jobs.values():
            job.counts = self.world.now + self.world.chance.choice([0.0, seconds])
            for batch in job.batches[-1:]:
                batch.shows = max(batch.shows, min(self.world.now + seconds, batch.came + VISIBLE_SECONDS))

    def _error(self, code: str, status: int = 400) -> tuple[int, dict[str, str], bytes]:
        body = f"<error {NAMESPACE}><exceptionCode>{code}</exceptionCode><exceptionMessage>{code}</exceptionMessage></error>"
        return status, XML, body.encode()

    def _answer(
        self, request: Request, headers: dict[str, str], shows_in: float = 0.0
    ) -> tuple[int, dict[str, str], bytes]:
        self.process()
        path = request.path.partition("/async/")[2].split("/")[1:]
        content = b""
        if request.body is not None:
            with request.body.open() as file:
                content = file.read()
        if request.path.endswith("/describe"):
            return 200, {"content-type": "application/json"}, DESCRIBED
        if not path:
            # Anything else over REST: an org that does not tell.
            return 404, {"content-type": "application/json"}, b'[{"errorCode":"NOT_FOUND","message":"not here"}]'
        if request.method == "POST":
            return self._post(path, content, headers, shows_in)
        return self._get(path)

    def _post(
        self, path: list[str], content: bytes, headers: dict[str, str], shows_in: float
    ) -> tuple[int, dict[str, str], bytes]:
        if path == ["job"]:
            size = re.search(r"chunkSize=(\d+)", headers.get("Sforce-Enable-PKChunking", ""))
            job = Job(
                self._id("750"),
                _element(content, "operation"),
                _element(content, "object"),
                int(size[1]) if size else 0,
            )
            self.jobs[job.id] = job
            return 201, XML, self._job(job)
        job = self.jobs[path[1]]
        if len(path) == 2:
            state = _element(content, "state")
            if job.state != "Open":
                return self._error("InvalidJobState")
            self.end(job, state)
            return 200, XML, self._job(job)
        if job.state != "Open":
            return self._error("InvalidJobState")
        ready = self.world.now + shows_in + self.world.chance.choice([0.0, 0.5, 5.0])
        batch = Batch(
            self._id("751"), content, self.world.now, ready, self.world.now + shows_in, self.world.now + shows_in
        )
        job.batches.append(batch)
        return 201, XML, self._batch(job, batch)

    def end(self, job: Job, state: str) -> None:
        """Close or abort a job."""
        self.process()
        if job.state == "Open":
            job.state = state
            for batch in job.batches:
                if state == "Aborted" and batch.state == "Queued":
                    batch.state = "Not Processed"

    def _get(self, path: list[str]) -> tuple[int, dict[str, str], bytes]:
        job = self.jobs[path[1]]
        shown = [batch for batch in job.batches if batch.shows <= self.world.now]
        match path[2:]:
            case []:
                return 200, XML, self._job(job)
            case ["batch"]:
                listed = b"".join(self._batch(job, batch) for batch in shown)
                return 200, XML, f"<batchInfoList {NAMESPACE}>".encode() + listed + b"</batchInfoList>"
        batch = next(batch for batch in job.batches if batch.id == path[3])
        match path[4:]:
            case []:
                return 200, XML, self._batch(job, batch)
            case ["request"]:
                return 200, {"content-type": "text/csv"}, batch.content
            case ["result"] if job.operation == "query":
                names = "".join(f"<result>{name}</result>" for name in batch.result_files)
                return 200, XML, f"<result-list {NAMESPACE}>{names}</result-list>".encode()
            case ["result"]:
                return (
                    (200, {"content-type": "text/csv"}, batch.results)
                    if batch.state == "Completed"
                    else self._error("InvalidBatch")
                )
            case ["result", name]:
                return 200, {"content-type": "text/csv"}, batch.result_files[name]
        raise AssertionError(path)

    def process(self) -> None:
        """Do what is due."""
        for job in self.jobs.values():
            for batch in list(job.batches):
                if batch.state == "Queued" and max(batch.ready, batch.commits) <= self.world.now:
                    self._query(job, batch) if job.operation == "query" else self._insert(batch)

    def _insert(self, batch: Batch) -> None:
        lines = ['"Id","Success","Created","Error"']
        for (value,) in list(csv.reader(io.StringIO(batch.content.decode())))[1:]:
            batch.records += 1
            if value.startswith("bad"):
                batch.failed += 1
                lines.append('"","false","false","STRING_TOO_LONG:no:--"')
                continue
            self.records.append(value)
            record = self._id("001")
            self.by_id[record] = value
            lines.append(f'"{record}","true","true",""')
        batch.state, batch.results = "Completed", ("\n".join(lines) + "\n").encode()

    def _query(self, job: Job, batch: Batch) -> None:
        text = batch.content.decode()
        found = re.search(r"Id >= '(\w+)' AND Id < '(\w+)'", text)
        if job.chunk_size and not found:
            batch.state = "Not Processed"
            for start in range(0, len(self.rows), job.chunk_size):
                ids = f"Id >= '{start:015}' AND Id < '{start + job.chunk_size:015}'"
                ready = self.world.now + self.world.chance.choice([0.0, 1.0, 4.0])
                now = self.world.now
                job.batches.append(Batch(self._id("751"), f"{text} WHERE {ids}".encode(), now, ready, now, now))
            return
        if self.world.chance.random() < 0.1 and found:
            batch.state = "Failed"
            return
        first, last = (int(found[1]), int(found[2])) if found else (0, len(self.rows))
        rows = self.rows[first:last]
        batch.state, batch.records = "Completed", len(rows)
        for part in (rows[::2], rows[1::2]) if len(rows) > 3 else (rows,):
            content = (
                '"Code__c"\n' + "".join(f'"{row}"\n' for row in part) if rows else "Records not found for this query\n"
            )
            batch.result_files[self._id("752")] = content.encode()

    def _id(self, prefix: str) -> str:
        self._count += 1
        return f"{prefix}{self._count:012}"

    def _job(self, job: Job) -> bytes:
        self.process()
        # The count may lag as the list does, or not.
        lags = job.counts > self.world.now
        shown = [batch for batch in job.batches if (batch.shows if lags else batch.commits) <= self.world.now]
        total = len(shown)
        by = {state: sum(batch.state == state for batch in shown) for state in ("Queued", "Completed", "Failed")}
        return (
            f"<jobInfo {NAMESPACE}><id>{job.id}</id><operation>{job.operation}</operation><object>{job.object}</object><state>{job.state}</state>"
            f"<contentType>CSV</contentType><numberBatchesQueued>{by['Queued']}</numberBatchesQueued><numberBatchesInProgress>0</numberBatchesInProgress>"
            f"<numberBatchesCompleted>{by['Completed']}</numberBatchesCompleted><numberBatchesFailed>{by['Failed']}</numberBatchesFailed>"
            f"<numberBatchesTotal>{total}</numberBatchesTotal></jobInfo>"
        ).encode()

    def _batch(self, job: Job, batch: Batch) -> bytes:
        why = "<stateMessage>InternalServerError : later</stateMessage>" if batch.state == "Failed" else ""
        return (
            f"<batchInfo {NAMESPACE}><id>{batch.id}</id><jobId>{job.id}</jobId><state>{batch.state}</state>{why}"
            f"<numberRecordsProcessed>{batch.records}</numberRecordsProcessed><numberRecordsFailed>{batch.failed}</numberRecordsFailed></batchInfo>"
        ).encode()


class Blocks:
    """An answer that is read as it comes; it may break off somewhere."""

    framed = True

    def __init__(self, content: bytes, breaks_off: int | None) -> None:
        self._content, self._breaks_off = content, breaks_off

    def __iter__(self) -> Iterator[bytes]:
        place = len(self._content) // 2 if self._breaks_off is None else self._breaks_off
        yield self._content[:place]
        if self._breaks_off is not None:
            raise NoAnswer("cut")
        yield self._content[place:]

    def close(self) -> None:
        """Nothing is held."""


def kind_of(request: Request) -> str:
    """Name the kind of a request."""
    if "/jobs/ingest" in request.path:
        of_2 = {"POST": "open", "PUT": "add", "PATCH": "state"}
        return of_2.get(request.method, "list" if request.path.rsplit("/", 1)[1].startswith("750") else "read")
    if "/jobs/query" in request.path:
        of_query = {"POST": "open", "PATCH": "state"}
        return of_query.get(request.method, "read" if re.search(r"/result(s|Pages)\b", request.path) else "list")
    if request.method == "POST":
        return "open" if request.path.endswith("/job") else "add" if request.path.endswith("/batch") else "state"
    return "list" if request.path.endswith("/batch") else "describe" if request.path.endswith("/describe") else "read"


def _element(content: bytes, name: str) -> str:
    found = re.search(rf"<{name}>([^<]*)</{name}>".encode(), content)
    assert found is not None
    return found[1].decode()
