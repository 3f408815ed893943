"""Plain HTTP to an emulated org, for tests that look at the wire."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from bulkforce_emulator import Emulator

NAMESPACE = "http://www.force.com/2009/06/asyncapi/dataload"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def type(self) -> str:
        return self.headers["content-type"]

    @property
    def id(self) -> str:
        return self.element("id")

    def element(self, name: str) -> str:
        """The first element, or JSON member, of that name."""
        found = re.search(rf"<{name}>(.*?)</{name}>|\"{name}\":\"?(.*?)\"?[,}}]", self.text, re.DOTALL)
        assert found is not None, self.text
        return found[1] if found[1] is not None else found[2]

    @property
    def error(self) -> tuple[int, str, str]:
        return self.status, self.element("exceptionCode"), self.element("exceptionMessage")


class Wire:
    """Calls of the Bulk API, one after the other."""

    def __init__(self, org: Emulator, version: str = "66.0") -> None:
        self.org = org
        self.version = version

    def ask(
        self, method: str, path: str, body: bytes | str | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """A call below `/services/async`, or anywhere if the path begins with a slash."""
        address = urlsplit(self.org.base_url)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=600)
        try:
            whole = path if path.startswith("/") else f"/services/async/{self.version}/{path}"
            sent = {"X-SFDC-Session": self.org.session_id, **(headers or {})}
            connection.request(method, whole, body.encode() if isinstance(body, str) else body, sent)
            answer = connection.getresponse()
            got = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, got, answer.read())
        finally:
            connection.close()

    def create(self, operation: str, sobject: str, content_type: str = "CSV", **more: Any) -> str:
        """A new job's id; further members of the jobInfo by name, headers as `headers`."""
        headers = {"Content-Type": "application/json", **more.pop("headers", {})}
        document = {"operation": operation, "object": sobject, "contentType": content_type, **more}
        answer = self.ask("POST", "job", json.dumps(document), headers)
        assert answer.status == 201, answer.text
        return str(answer.json["id"])

    def add(self, job: str, body: bytes | str, content_type: str = "text/csv") -> Answer:
        return self.ask("POST", f"job/{job}/batch", body, {"Content-Type": content_type})

    def state(self, job: str, state: str) -> Answer:
        return self.ask("POST", f"job/{job}", json.dumps({"state": state}), {"Content-Type": "application/json"})

    def run(self, job: str, body: bytes | str, content_type: str = "text/csv") -> Answer:
        """Post a batch, wait for it, and give its batchInfo."""
        added = self.add(job, body, content_type)
        assert added.status == 201, added.text
        assert self.org.wait_until_idle(600)
        return self.ask("GET", f"job/{job}/batch/{added.id}")

    def load(self, operation: str, sobject: str, body: bytes | str, **more: Any) -> Answer:
        """The results of a CSV batch."""
        job = self.create(operation, sobject, **more)
        batch = self.run(job, body)
        assert batch.element("state") == "Completed", batch.text
        return self.ask("GET", f"job/{job}/batch/{batch.id}/result")

    def failure(self, operation: str, sobject: str, body: bytes | str, **more: Any) -> str:
        """The stateMessage of a CSV batch that fails."""
        batch = self.run(self.create(operation, sobject, **more), body)
        assert batch.element("state") == "Failed", batch.text
        return batch.element("stateMessage")

    def query(self, soql: str, content_type: str = "CSV", **more: Any) -> Answer:
        """The one result of a query batch."""
        sobject = re.search(r"FROM (\w+)", soql)
        assert sobject is not None
        job = self.create(more.pop("operation", "query"), sobject[1], content_type, **more)
        batch = self.run(job, soql)
        assert batch.element("state") == "Completed", batch.text
        listed = self.ask("GET", f"job/{job}/batch/{batch.id}/result")
        result = re.search(r"752\w{12}", listed.text)
        assert result is not None
        return self.ask("GET", f"job/{job}/batch/{batch.id}/result/{result[0]}")


def rows(answer: Answer) -> list[list[str]]:
    """The rows of a small CSV of quoted values, without its header."""
    import csv
    import io

    return list(csv.reader(io.StringIO(answer.text)))[1:]
