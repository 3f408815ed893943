"""The emulator must accept every request of every conversation, and give its answer. Over a real socket."""

from __future__ import annotations

import gzip
import http.client
import re
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from tests.conformance.loader import Conversation, Exchange, Expected, Request, Start, conversations, zipped
from tests.conformance.matching import OF_THE_ORG, Values, difference, values_shown

from bulkforce_emulator import Emulator, Pace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FINAL_STATES = {"Completed", "Failed", "NotProcessed", "JobComplete", "Aborted"}
PATIENCE_SECONDS = 600.0


class Conversing:
    """One conversation with one org: the connection, and what the placeholders stand for."""

    def __init__(self, org: Emulator, values: Values) -> None:
        address = urlsplit(org.base_url)
        self.connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=PATIENCE_SECONDS)
        self.values = values

    def send(self, request: Request) -> tuple[int, Mapping[str, str], bytes]:
        body = self._body(request)
        headers = {name: self.values.fill(value) for name, value in request.headers.items()}
        if request.session:
            headers["X-SFDC-Session"] = self.values.fill(request.session)
        if request.chunked:
            headers["Transfer-Encoding"] = "chunked"
        sent = (body[start : start + 50] for start in range(0, len(body), 50)) if request.chunked else body or None
        if request.method == "POST" and not body:
            headers["Content-Length"] = "0"
        path = self.values.fill(request.path)
        self.connection.request(request.method, path, sent, headers, encode_chunked=request.chunked)
        answer = self.connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()

    def _body(self, request: Request) -> bytes:
        if request.zip is not None:
            return zipped({name: self.values.fill(content) for name, content in request.zip.items()})
        text = self.values.fill(request.body or "")
        if "form-urlencoded" in request.headers.get("Content-Type", ""):
            text = urlencode([(name, self.values.fill(value)) for name, value in parse_qsl(request.body or "")])
        if request.repeat:
            text += request.repeat["text"] * request.repeat["times"]
        body = text.encode()
        return gzip.compress(body, mtime=0) if request.gzip else body

    def play(self, step: Exchange | Start) -> None:
        if step.awaits:
            self.wait(step.awaits)
        if isinstance(step, Exchange):
            self.exchange(step.name, step.request, step.answer)
            return
        for request, expected in step.given.requests():
            self.exchange(f"given {step.given.operation}", request, expected)

    def exchange(self, name: str, request: Request, expected: Expected) -> None:
        status, headers, body = self.send(request)
        coding = headers.get("content-encoding")
        text = (gzip.decompress(body) if coding == "gzip" else body).decode()
        assert status == expected.status, f"{name}: {status} instead of {expected.status}\n{text}"
        for header, value in expected.headers.items():
            assert headers.get(header.lower()) == value, f"{name}: {header}: {headers.get(header.lower())}\n{text}"
        assert (coding == "gzip") == expected.gzip, f"{name}: Content-Encoding: {coding}"
        if expected.body is not None:
            found = difference(self.values, expected.body, text, expected.match, expected.ignore)
            assert found is None, f"{name}: {found}"

    def wait(self, what: str) -> None:
        """Ask again and again until a batch, or all of the job, came to its end."""
        path = "/services/async/66.0/job/{job}/batch"
        if what in {"ingest", "query"}:
            path = f"/services/data/v66.0/jobs/{what}/{{job}}"
        elif what != "all":
            job = what.replace("batch", "job")
            path = f"/services/async/66.0/job/{{{job}}}/batch/{{{what}}}"
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            _, _, body = self.send(Request("GET", path, {"Authorization": "Bearer {session}"}))
            states = re.findall(rb"<state>(\w+)</state>|\"state\" ?: ?\"(\w+)\"", body)
            if states and all((xml or json).decode() in FINAL_STATES for xml, json in states):
                return
            time.sleep(0.005)
        pytest.fail(f"{values_shown(self.values, path)} does not come to an end:\n{body.decode()}")


@contextmanager
def own_org(conversation: Conversation, values: Values, closing: ThreadPoolExecutor) -> Iterator[Emulator]:
    """An org as the conversation's setup wants it."""
    setup = conversation.setup
    schema: dict[str, Any] = {}
    for field in setup.get("fields", ()):
        described = {name: value for name, value in field.items() if name not in {"object", "name"}}
        schema.setdefault(field["object"], {"fields": {}})["fields"][field["name"]] = described
    for rule in setup.get("rules", ()):
        rules = schema.setdefault(rule["object"], {}).setdefault("validation_rules", {})
        rules[rule["name"]] = {name: rule[name] for name in ("condition", "message", "field")}
    org = Emulator(schema=schema or None, pace=Pace.manual() if setup.get("hold") else Pace.timed()).start()
    try:
        for record in setup.get("records", ()):
            (values.known[f"id.{record['as']}"],) = org.insert(record["object"], [record["values"]])
        if setup.get("expired_session"):
            org.expire_sessions()
        yield org
    finally:
        closing.submit(org.stop)


@pytest.fixture(scope="module")
def closing() -> Iterator[ThreadPoolExecutor]:
    """To stop an org takes longer than most conversations; the next one need not wait for it."""
    with ThreadPoolExecutor() as executor:
        yield executor


@pytest.fixture(scope="module")
def shared_org() -> Iterator[Emulator]:
    with Emulator() as org:
        yield org


@pytest.mark.parametrize(
    "conversation", [conv for conv in conversations() if conv.for_emulator], ids=lambda conversation: conversation.name
)
def test_emulator_accepts_and_answers(
    conversation: Conversation, shared_org: Emulator, closing: ThreadPoolExecutor
) -> None:
    values = Values()
    own = conversation.needs_own_org
    with own_org(conversation, values, closing) if own else nullcontext(shared_org) as org:
        values.known |= {name: str(getattr(org, name)) for name in OF_THE_ORG}
        values.known["session"] = org.session_id
        conversing = Conversing(org, values)
        try:
            for step in conversation.steps:
                if step.emulator:
                    conversing.play(step)
        finally:
            conversing.connection.close()
