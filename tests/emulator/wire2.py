"""Plain HTTP to Bulk API 2.0 of an emulated org."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from typing import Any

from tests.emulator.wire import Answer, Wire

from bulkforce_emulator import Emulator

SHORT_A = [
    "id", "operation", "object", "createdById", "createdDate", "systemModstamp", "state", "concurrencyMode",
    "contentType", "apiVersion", "contentUrl", "lineEnding", "columnDelimiter",
]  # fmt: skip
SHORT_B = SHORT_A[:10]
FILES = ("successfulResults", "failedResults", "unprocessedrecords")


class Wire2:
    """Calls of Bulk API 2.0, one after the other."""

    def __init__(self, org: Emulator, version: str = "66.0") -> None:
        self.org = org
        self.version = version
        self.token = org.session_id
        self._wire = Wire(org)

    def ask(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None, **more: str
    ) -> Answer:
        """A call below `/jobs`, or anywhere if the path begins with a slash; a dict is sent as JSON."""
        whole = path if path.startswith("/") else f"/services/data/v{more.get('version', self.version)}/jobs/{path}"
        sent = {"Authorization": f"Bearer {self.token}", "X-SFDC-Session": "", **(headers or {})}
        if isinstance(body, dict):
            body, sent = json.dumps(body), {"Content-Type": "application/json", **sent}
        return self._wire.ask(method, whole, body, sent)  # type: ignore[arg-type]

    def create(self, operation: str = "insert", sobject: str = "Account", **more: Any) -> str:
        answer = self.ask("POST", "ingest", {"operation": operation, "object": sobject, **more})
        assert answer.status == 200, answer.text
        return str(answer.json["id"])

    def put(self, job: str, body: bytes | str) -> Answer:
        return self.ask("PUT", f"ingest/{job}/batches", body, {"Content-Type": "text/csv"})

    def change(self, job: str, state: str, kind: str = "ingest") -> Answer:
        return self.ask("PATCH", f"{kind}/{job}", {"state": state})

    def job(self, job: str, kind: str = "ingest") -> dict[str, Any]:
        answer = self.ask("GET", f"{kind}/{job}")
        assert answer.status == 200, answer.text
        return dict(answer.json)

    def load(self, body: bytes | str, operation: str = "insert", sobject: str = "Account", **more: Any) -> str:
        """A job with this file, run to its end."""
        job = self.create(operation, sobject, **more)
        assert self.put(job, body).status == 201
        assert self.change(job, "UploadComplete").status == 200
        assert self.org.wait_until_idle(600)
        return job

    def later(self, **span: float) -> None:
        """Let time pass, and begin a new session."""
        self.org.clock.advance(**span)
        self.token = self.org.state.sessions.open()

    def files(self, job: str) -> list[str]:
        """The three result files."""
        answers = [self.ask("GET", f"ingest/{job}/{name}") for name in FILES]
        assert [(one.status, one.type) for one in answers] == [(200, "text/csv")] * 3
        return [answer.text for answer in answers]

    def query(self, soql: str, operation: str = "query", **more: Any) -> str:
        """A query job, run to its end."""
        answer = self.ask("POST", "query", {"operation": operation, "query": soql, **more})
        assert answer.status == 200, answer.text
        assert self.org.wait_until_idle(600)
        return str(answer.json["id"])

    def results(self, job: str, asked: str = "") -> Answer:
        return self.ask("GET", f"query/{job}/results{asked}")


def error(answer: Answer) -> tuple[int, str, str]:
    """The one error of a refusal."""
    (told,) = answer.json
    assert set(told) == {"errorCode", "message"}
    assert answer.type == "application/json;charset=UTF-8"
    return answer.status, told["errorCode"], told["message"]


def rows(text: str, delimiter: str = ",") -> list[list[str]]:
    """The rows of a CSV, with its header."""
    return list(csv.reader(io.StringIO(text), delimiter=delimiter))
