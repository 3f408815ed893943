"""What a trial stands on: one object of the org, raw calls below it, and a count of them.

Answers are taken as they come, whatever their status: they are what is asked about. Dry: flows alone.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote_plus

import orjson

from bulkforce.protocol.exchange import Answer, Body, Request
from bulkforce.protocol.flow import Credentials, Flow, Sleep, send

V1: Final = "X-SFDC-Session"
V2: Final = "Authorization"
_MEDIA: Final = {"CSV": "text/csv; charset=UTF-8", "XML": "application/xml; charset=UTF-8", "JSON": "application/json"}
_NAMESPACE: Final = "http://www.force.com/2009/06/asyncapi/dataload"
_ENDED: Final = frozenset({"Completed", "Failed", "Not Processed", "NotProcessed", "JobComplete", "Aborted"})
_IDS: Final = re.compile(r"""(?:^"|"id"\s*:\s*"|<id>)([0-9a-zA-Z]{15,18})["<]""", re.MULTILINE)
_PAUSES: Final = (0.1, 0.2, 0.5, 1.0, 2.0, *(5.0,) * 60)


class NotSeen(Exception):
    """A trial could not settle its question, and why."""


class CallsUsedUp(Exception):
    """The API calls that the user allowed are made."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a trial found.

    Attributes:
        value: The answer, as the emulator's setting has it.
        seen: What the org said, in a line.
    """

    value: object
    seen: str


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch of v1 that has ended: its job, its own path, what the org says of it, and its results if it completed."""

    job: str
    path: str
    answer: Answer
    result: Answer | None

    @property
    def failed(self) -> bool:
        """Whether it failed as a whole."""
        return self.result is None

    def rows(self) -> list[dict[str, str]]:
        """Return the results of a CSV batch."""
        return rows_of(self.result) if self.result else []

    def seen(self) -> str:
        """Say what became of it: its state and message, or the first results."""
        if self.result is None:
            return f"{value(self.answer, 'state')}: {value(self.answer, 'stateMessage')}"
        return " ".join(self.result.body.decode("utf-8", "replace").split())[:200]


@dataclass(slots=True)
class Ground:
    """Where questions are tried.

    Attributes:
        sobject: The object that is written and read, and no other.
        tag: How the names of all records begin.
        credentials: The session.
        calls_left: How many API calls may still be made.
        jobs: Jobs that were made, as paths, to be aborted at the end.
        ids: Records that were written, to be deleted at the end.
    """

    sobject: str
    tag: str
    credentials: Credentials
    calls_left: int
    jobs: list[str] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)

    def call(
        self,
        method: str,
        path: str,
        body: bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
        session: str = V1,
    ) -> Flow[Answer]:
        """Make a call, and take whatever comes back."""
        if not self.calls_left:
            raise CallsUsedUp("All API calls that were allowed are made")
        self.calls_left -= 1
        content = body.encode() if isinstance(body, str) else body
        request = Request(
            method, path, dict(headers or {}), None if content is None else Body.of(content), session_header=session
        )
        return (yield from send(request, self.credentials))

    # Bulk API, version 1

    def v1(
        self, method: str, path: str, body: bytes | str | None = None, media: str = "", **headers: str
    ) -> Flow[Answer]:
        """Make a call of v1; underscores in the names of headers are hyphens."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        given |= {"Content-Type": media} if media else {}
        return of_a_session((yield from self.call(method, f"/services/async/{{version}}{path}", body, given)))

    def job(self, operation: str, content_type: str = "CSV", key: str = "", **headers: str) -> Flow[str]:
        """Create a job and return its path."""
        external = f"<externalIdFieldName>{key}</externalIdFieldName>" if key else ""
        answer = yield from self.v1(
            "POST", "/job", self.job_info(operation, content_type, external), _MEDIA["XML"], **headers
        )
        return self.made("/job", answer)

    def job_info(self, operation: str, content_type: str = "CSV", external: str = "", more: str = "") -> str:
        """Write the document that creates a job."""
        return (
            f'<?xml version="1.0" encoding="UTF-8"?><jobInfo xmlns="{_NAMESPACE}"><operation>{operation}</operation>'
            f"<object>{self.sobject}</object>{external}<contentType>{content_type}</contentType>{more}</jobInfo>"
        )

    def made(self, path: str, answer: Answer) -> str:
        """Note a job that was created, to be aborted at the end; return its path."""
        if answer.status >= 300:
            raise NotSeen(f"the job was refused: {told(answer)}")
        made = f"{path}/{value(answer, 'id')}"
        self.jobs.append(made)
        return made

    def batch(self, job: str, content: bytes | str, content_type: str = "CSV") -> Flow[str]:
        """Add a batch and return its path."""
        answer = yield from self.v1("POST", f"{job}/batch", content, _MEDIA[content_type])
        if answer.status >= 300:
            raise NotSeen(f"the batch was refused: {told(answer)}")
        return f"{job}/batch/{value(answer, 'id')}"

    def ended(self, path: str) -> Flow[Answer]:
        """Look at a batch of v1 until it has ended."""
        return (yield from _until_ended(lambda: self.v1("GET", path)))

    def run(self, operation: str, content: str, content_type: str = "CSV", key: str = "") -> Flow[Batch]:
        """Run one batch in a job of its own, and fetch its results."""
        job = yield from self.job(operation, content_type, key)
        path = yield from self.batch(job, content, content_type)
        batch = yield from self.ended(path)
        return Batch(job, path, batch, (yield from self.results(path, batch)))

    def results(self, path: str, batch: Answer) -> Flow[Answer | None]:
        """Fetch the results of a batch, if it completed, and note the records that it wrote."""
        if value(batch, "state") != "Completed":
            return None
        result = yield from self.v1("GET", f"{path}/result")
        found = _IDS.findall(result.body.decode("utf-8", "replace"))
        self.ids |= {one for one in found if not one.startswith("75")}  # those of result files are no records
        return result

    def insert(self, **values: str) -> Flow[str]:
        """Write one record and return its id."""
        header, row = ",".join(["Name", *values]), ",".join([self.tag, *values.values()])
        batch = yield from self.run("insert", f"{header}\n{row}\n")
        found = batch.rows()
        if not found or found[0].get("Success") != "true":
            raise NotSeen(f"the record that it needs was refused: {told(batch.result or batch.answer)}")
        return found[0]["Id"]

    def query(self, soql: str, content_type: str = "CSV") -> Flow[Answer]:
        """Query in bulk, and fetch the result file."""
        batch = yield from self.run("query", soql, content_type)
        listed = batch.result
        ids = re.findall(r"75\d\w{12,15}", listed.body.decode()) if listed else []
        if not ids:
            raise NotSeen(f"the query was refused: {told(listed or batch.answer)}")
        return (yield from self.v1("GET", f"{batch.path}/result/{ids[0]}"))

    def records(self, fields: str, where: str) -> Flow[list[dict[str, object]]]:
        """Read records over REST."""
        soql = f"SELECT {fields} FROM {self.sobject} WHERE {where}"  # noqa: S608  (SOQL, of our own words)
        answer = yield from self.call("GET", "/services/data/v{version}/query?q=" + quote_plus(soql), session=V2)
        found = json_of(of_a_session(answer))
        listed = found.get("records") if isinstance(found, dict) else None
        if not isinstance(listed, list):
            raise NotSeen(f"the records cannot be read: {told(answer)}")
        return listed

    def state_document(self, state: str) -> str:
        """Write the document that asks for another state of a job."""
        return f'<jobInfo xmlns="{_NAMESPACE}"><state>{state}</state></jobInfo>'

    def text_of(self, record: str) -> Flow[object]:
        """Read the text of a record."""
        found = yield from self.records("Text__c", f"Id = '{record}'")
        return found[0].get("Text__c") if found else None

    def as_xml(self, **values: str) -> str:
        """Write one record in XML."""
        members = "".join(f"<{name}>{text}</{name}>" for name, text in values.items())
        return f'<sObjects xmlns="{_NAMESPACE}"><sObject>{members}</sObject></sObjects>'

    def pause(self) -> Flow[None]:
        """Wait a little."""
        yield Sleep(1.0)

    # Bulk API 2.0

    def v2(
        self, method: str, path: str, body: bytes | str | None = None, media: str = "", **headers: str
    ) -> Flow[Answer]:
        """Make a call of 2.0; underscores in the names of headers are hyphens."""
        given = {"Accept": "*/*"} | {name.replace("_", "-"): value for name, value in headers.items()}
        given |= {"Content-Type": media} if media else {}
        return of_a_session((yield from self.call(method, "/services/data/v{version}/jobs" + path, body, given, V2)))

    def job2(self, operation: str = "insert", **members: str) -> Flow[str]:
        """Create a job that loads records, and return its path."""
        return self.made("/ingest", (yield from self.create2(operation, **members)))

    def create2(self, operation: str, **members: str) -> Flow[Answer]:
        """Ask for a job that loads records."""
        asked = {"operation": operation, "object": self.sobject, "contentType": "CSV", "lineEnding": "LF"} | members
        written = ", ".join(f'"{name}": "{value}"' for name, value in asked.items())
        return (yield from self.v2("POST", "/ingest", f"{{{written}}}", _MEDIA["JSON"]))

    def put(self, job: str, content: bytes | str, **headers: str) -> Flow[Answer]:
        """Upload a job's file."""
        return (yield from self.v2("PUT", f"{job}/batches", content, _MEDIA["CSV"], **headers))

    def state2(self, job: str, state: str) -> Flow[Answer]:
        """Ask for another state of a job."""
        return (yield from self.v2("PATCH", job, f'{{"state": "{state}"}}', _MEDIA["JSON"]))

    def run2(self, content: bytes | str, operation: str = "insert", **members: str) -> Flow[tuple[str, Answer]]:
        """Run a job of 2.0; return its path, and the job as it ended."""
        job = yield from self.job2(operation, **members)
        uploaded = yield from self.put(job, content)
        if uploaded.status >= 300:
            raise NotSeen(f"the upload was refused: {told(uploaded)}")
        completed = yield from self.state2(job, "UploadComplete")
        if completed.status >= 300:
            raise NotSeen(f"the job was not completed: {told(completed)}")
        return job, (yield from self.ended2(job))

    def ended2(self, job: str) -> Flow[Answer]:
        """Look at a job of 2.0 until it has ended."""
        return (yield from _until_ended(lambda: self.v2("GET", job)))

    def file2(self, job: str, name: str) -> Flow[Answer]:
        """Fetch a result file, and note the records that it says were written."""
        answer = yield from self.v2("GET", f"{job}/{name}")
        if name == "successfulResults":
            self.ids |= {row["sf__Id"] for row in rows_of(answer) if row.get("sf__Id")}
        return answer


def value(answer: Answer, name: str) -> str:
    """Return the first value of that name in a document, XML or JSON."""
    text = answer.body.decode("utf-8", "replace")
    found = re.search(rf"""<{name}>(.*?)</{name}>|"{name}"\s*:\s*(?:"((?:[^"\\]|\\.)*)"|([\w.-]+))""", text, re.DOTALL)
    return next((group for group in found.groups() if group is not None), "") if found else ""


def told(answer: Answer) -> str:
    """Say what an answer is: its status, and the org's code and message if it is a refusal."""
    code = value(answer, "exceptionCode") or value(answer, "errorCode")
    message = value(answer, "exceptionMessage") or value(answer, "message")
    return " ".join(filter(None, (str(answer.status), code, message)))


def of_a_session(answer: Answer) -> Answer:
    """Make sure that it is no answer to a session that has expired: that would answer any question wrongly."""
    if answer.status >= 400 and told(answer).split(" ")[1:2] in (["InvalidSessionId"], ["INVALID_SESSION_ID"]):
        raise NotSeen("the session has expired; log in, and start again")
    return answer


def rows_of(answer: Answer) -> list[dict[str, str]]:
    """Read a CSV answer."""
    return list(csv.DictReader(io.StringIO(answer.body.decode("utf-8", "replace"), newline="")))


def json_of(answer: Answer) -> Any:  # noqa: ANN401  (any JSON)
    """Read a JSON answer; nothing if it is none."""
    try:
        return orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return {}


def _until_ended(look: Callable[[], Flow[Answer]]) -> Flow[Answer]:
    for pause in _PAUSES:
        answer = yield from look()
        if value(answer, "state") in _ENDED:
            return answer
        yield Sleep(pause)
    raise NotSeen("it had not ended after five minutes")
