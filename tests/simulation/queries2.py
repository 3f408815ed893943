"""The same org in small, asked over Bulk API 2.0: it runs queries, and gives what they find in pages."""

from __future__ import annotations

import base64
import json
import re
from typing import Any, Final
from urllib.parse import parse_qs

from tests.simulation.org import DESCRIBED, Batch, Job, Org
from tests.simulation.world import World

from bulkforce.protocol.exchange import Request

JSON: Final = {"content-type": "application/json;charset=UTF-8"}
LINKS: Final = 2
"""Pages in one list of them."""
_JOBS: Final = re.compile(r"/services/data/v([\d.]+)/jobs/query(?:/(\w+))?(?:/(\w+))?(?:\?(.*))?")

Said = tuple[int, dict[str, str], bytes]


class Queries2(Org):
    """The org.

    Args:
        world: Time and chance.
        faults: What becomes of a request: ``open 0`` is the first that creates a query.
        rows: Records that a query finds.
        page: How many of them are on a page.
    """

    def __init__(self, world: World, faults: dict[str, str], rows: list[str], page: int) -> None:
        super().__init__(world, faults, rows)
        self._page = page
        self._versions: dict[str, str] = {}
        self._lag = 0.0

    def end(self, job: Job, state: str) -> None:
        """Abort a job; there is nothing to close."""
        self.process()
        if state == "Aborted" and self._state(job) in {"UploadComplete", "InProgress"}:
            job.state = job.batches[0].state = "Aborted"

    def lag(self, seconds: float) -> None:
        self._lag = self.world.now + seconds

    def _error(self, code: str, status: int = 400) -> Said:
        return status, JSON, json.dumps([{"errorCode": code.upper(), "message": code}]).encode()

    def _answer(self, request: Request, _headers: dict[str, str], shows_in: float = 0.0) -> Said:
        del shows_in  # queries take effect at once
        self.process()
        if request.path.endswith("/describe"):
            return 200, JSON, DESCRIBED
        found = _JOBS.fullmatch(request.path)
        if found is None:
            return self._error("NOT_FOUND", 404)
        version, job_id, what, asked = found.groups()
        if job_id is None:
            return self._create(request, version)
        job = self.jobs.get(job_id)
        if job is None:
            return self._error("NOT_FOUND", 404)
        if request.method == "PATCH":
            if self._state(job) in {"JobComplete", "Failed", "Aborted"}:
                return self._error("InvalidJobState")
            self.end(job, "Aborted")
        if what is None:
            return 200, JSON, self._told(job)
        assert version == self._versions[job.id], "the results are read with another version"
        if self._state(job) != "JobComplete":
            # A request that was late, or an org that has forgotten how far it was.
            return self._error("InvalidJobState")
        given = {name: values[0] for name, values in parse_qs(asked or "").items()}
        start = _place(given["locator"]) if "locator" in given else 0
        return self._links(job, start) if what == "resultPages" else self._rows(start)

    def _create(self, request: Request, version: str) -> Said:
        assert request.body is not None
        with request.body.open() as file:
            asked = json.loads(file.read())
        job = Job(self._id("750"), asked["operation"], "Row__c")
        now = self.world.now
        job.batches.append(
            Batch(
                self._id("751"), asked["query"].encode(), now, now + self.world.chance.choice([0.0, 0.5, 5.0]), now, now
            )
        )
        self.jobs[job.id], self._versions[job.id] = job, version
        return 200, JSON, self._told(job, created=True)

    def _query(self, _job: Job, batch: Batch) -> None:
        batch.state, batch.records = (
            ("Failed", 0) if self.world.chance.random() < 0.1 else ("Completed", len(self.rows))
        )

    def _state(self, job: Job) -> str:
        states = {"Queued": "UploadComplete", "Completed": "JobComplete"}
        state = job.batches[0].state
        return "InProgress" if self.world.now < self._lag and state == "Completed" else states.get(state, state)

    def _told(self, job: Job, *, created: bool = False) -> bytes:
        told: dict[str, Any] = {"id": job.id, "operation": job.operation, "object": job.object}
        told |= {"state": "UploadComplete" if created else self._state(job), "contentType": "CSV"}
        told |= {"apiVersion": float(self._versions[job.id]), "lineEnding": "LF", "columnDelimiter": "COMMA"}
        if not created and told["state"] == "JobComplete":
            told["numberRecordsProcessed"] = job.batches[0].records
        return json.dumps(told).encode()

    def _links(self, job: Job, start: int) -> Said:
        base = f"/services/data/v{self._versions[job.id]}/jobs/query/{job.id}"
        starts = list(range(start, max(len(self.rows), 1), self._page))
        told: dict[str, Any] = {
            # The first set may have no locator.
            "resultPages": [
                {"resultUrl": f"{base}/results" + (f"?locator={_locator(one)}" if one else "")}
                for one in starts[:LINKS]
            ],
            "done": len(starts) <= LINKS,
        }
        if not told["done"]:
            told["nextRecordsUrl"] = f"{base}/resultpages?locator={_locator(starts[LINKS])}"
        return 200, JSON, json.dumps(told).encode()

    def _rows(self, start: int) -> Said:
        rows, end = self.rows[start : start + self._page], start + self._page
        headers = {
            "content-type": "text/csv",
            "sforce-locator": _locator(end) if end < len(self.rows) else "null",
            "sforce-numberofrecords": str(len(rows)),
        }
        return 200, headers, ('"Code__c"\n' + "".join(f'"{row}"\n' for row in rows)).encode()


def _locator(start: int) -> str:
    return base64.b64encode(f"row {start}".encode()).decode().rstrip("=")


def _place(locator: str) -> int:
    return int(base64.b64decode(locator + "==").decode().partition(" ")[2])
