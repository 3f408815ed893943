"""The client must make the request of every exchange that names a call, and understand the answer."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Self, TypeAlias
from urllib.parse import parse_qsl
from xml.etree import ElementTree as ET

import pytest
from tests.conformance.loader import Call, Conversation, Exchange, Request, Start, conversations, zipped
from tests.conformance.matching import PLACEHOLDER, Values, local_name
from tests.conformance.scripted import Asked, ScriptedServer, Told

import bulkforce

TOKEN = "00D000000000001!AQ.of_a_test"


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        yield server


class Blocking:
    """The asynchronous client, called as the other one is."""

    def __init__(self, client: bulkforce.AsyncClient, runner: asyncio.Runner) -> None:
        self._client = client
        self._runner = runner

    def __getattr__(self, name: str) -> Callable[..., object]:
        method = getattr(self._client, name)
        return lambda **arguments: self._runner.run(_awaited(method(**arguments)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.run(self._client.close())


async def _awaited(returning: Awaitable[object] | AsyncIterator[object]) -> object:
    if isinstance(returning, AsyncIterator):
        return [one async for one in returning]
    returned = await returning
    if not hasattr(returned, "__aiter__"):
        return returned
    stream: Any = returned
    async with stream:
        return b"".join([block async for block in stream])


Job: TypeAlias = bulkforce.JobInfo | bulkforce.IngestJobInfo | bulkforce.QueryJobInfo
Client: TypeAlias = bulkforce.Client | Blocking
Connect: TypeAlias = Callable[[str, bulkforce.Auth, str], Client]


@pytest.fixture(scope="module", params=["sync", "async"])
def connect(request: pytest.FixtureRequest) -> Iterator[Connect]:
    """Make a client of either kind."""
    once = bulkforce.RetryPolicy(attempts=1)
    if request.param == "sync":
        yield lambda url, auth, version: bulkforce.Client(url, auth=auth, version=version, retry=once)
        return
    with asyncio.Runner() as runner:
        yield lambda url, auth, version: Blocking(
            bulkforce.AsyncClient(url, auth=auth, version=version, retry=once), runner
        )


@pytest.fixture(scope="module")
def client_of(server: ScriptedServer, connect: Connect) -> Iterator[Callable[[str], Client]]:
    """One of each version for all conversations: a client is meant to be kept."""
    made: dict[str, Client] = {}

    def of_version(version: str) -> Client:
        if version not in made:
            made[version] = connect(server.url, bulkforce.BearerToken(TOKEN), version)
            stack.enter_context(made[version])
        return made[version]

    with ExitStack() as stack:
        yield of_version


@dataclass
class Playing:
    """One conversation with one client: what the placeholders stand for, and the jobs that the client knows."""

    conversation: Conversation
    server: ScriptedServer
    connect: Connect
    client: Client
    values: Values
    jobs: dict[str, Job] = field(default_factory=dict)

    def start(self, start: Start) -> None:
        """The client makes the job too, so that it knows its content type."""
        given = start.given
        answer = given.opened()
        self.server.tell([Told.from_data(answer, self.values.fill(answer.body or ""))])
        job: Any = self.client.create_job(
            operation=given.operation,
            object=given.object,
            content_type=given.content_type,
            external_id_field=given.external_id_field_name,
        )
        self.jobs[given.placeholder("job")] = job

    def call(self, exchange: Exchange, call: Call) -> None:
        played = [self._named(name) for name in call.plays] or [exchange]
        self.server.tell(self._told(each) for each in played)
        where = f"{exchange.name}, {call.call}"
        with self._caller(call) as client:
            method = getattr(client, call.call)
            if call.call.startswith("list_"):
                method = partial(_listed, method)
            if call.raises:
                self._refused(exchange, call, method)
            else:
                returned = method(**self._arguments(exchange, call))
                if call.returns is not None:
                    self._check(call.returns, returned, exchange, where)
                if isinstance(returned, Job):
                    self.jobs.setdefault(self._job_of(exchange), returned)
        assert [(asked.method, asked.path) for asked in self.server.asked] == [
            (each.request.method, self.values.fill(each.request.path)) for each in played
        ], where
        for asked, each in zip(self.server.asked, played, strict=True):
            self._check_request(each.request, asked, where)

    def _caller(self, call: Call) -> AbstractContextManager[Client]:
        """The conversation's own client, or one that logs in as the call says."""
        if call.auth is None:
            return nullcontext(self.client)
        auth = {name: self.values.fill(value) for name, value in call.auth.items()}
        return self.connect(self.server.url, getattr(bulkforce, auth.pop("kind"))(**auth), "66.0")

    def _job_of(self, exchange: Exchange) -> str:
        text = (exchange.answer.sample or exchange.answer.body or "") + exchange.request.path
        return next((match[0] for match in PLACEHOLDER.finditer(text) if match[1] == "job"), "")

    def _named(self, name: str) -> Exchange:
        return next(exchange for exchange in self.conversation.exchanges if exchange.name == name)

    def _told(self, exchange: Exchange) -> Told:
        return Told.from_data(exchange.answer, self._body(exchange))

    def _body(self, exchange: Exchange) -> str:
        answer = exchange.answer
        return self.values.fill(answer.body or "" if answer.sample is None else answer.sample)

    def _arguments(self, exchange: Exchange, call: Call) -> dict[str, Any]:
        filled = {name: self._argument(value, exchange) for name, value in call.args.items()}
        if call.call in {"add_batch", "upload"}:
            filled.setdefault("content", self._content(exchange.request))
        return filled

    def _argument(self, value: Any, exchange: Exchange) -> Any:
        if value == "{request}":
            return exchange.request.body
        if not isinstance(value, str):
            return value
        return self.jobs.get(value) or self.values.fill(value)

    def _content(self, request: Request) -> str | bytes:
        if request.zip is not None:
            return zipped({name: self.values.fill(text) for name, text in request.zip.items()})
        return self.values.fill(request.body or "")

    def _refused(self, exchange: Exchange, call: Call, method: Callable[..., object]) -> None:
        expected = getattr(bulkforce, call.raises or "")
        with pytest.raises(expected) as caught:
            method(**self._arguments(exchange, call))
        error = caught.value
        for name in ("status", "code", "message"):
            wanted = getattr(call, name)
            if wanted is not None:
                assert getattr(error, name) == (self.values.fill(wanted) if name != "status" else wanted)
        assert TOKEN not in str(error)

    def _check_request(self, request: Request, asked: Asked, where: str) -> None:
        session = self.values.fill(request.session) if request.session else None
        assert asked.headers.get("x-sfdc-session") == session, where
        for name, wanted in request.headers.items():
            value = self.values.fill(wanted)
            sent = asked.headers.get(name.lower(), "")
            if name == "Content-Type":
                assert _media_type(sent) == _media_type(value), where
            elif name != "Accept-Encoding":
                assert sent.upper() == value.upper(), f"{where}: {name}"
        body = gzip.decompress(asked.body) if asked.headers.get("content-encoding") == "gzip" else asked.body
        if request.zip is not None:
            assert body == self._content(request), where
            return
        text = self.values.fill(request.body or "")
        if "/jobs/" in request.path:
            assert _said(body.decode()) == _said(text), where
            return
        assert _parsed(body.decode(), request) == _parsed(text, request), where

    def _check(self, expected: object, actual: Any, exchange: Exchange, where: str) -> None:
        if isinstance(expected, str) and expected == "{body}":
            assert _text(actual) == self._body(exchange), where
        elif isinstance(expected, Mapping):
            for name, value in expected.items():
                self._check(value, _member(actual, name), exchange, f"{where}: {name}")
        elif isinstance(expected, list):
            items = list(actual)
            assert len(items) == len(expected), f"{where}: {items}"
            for place, (a, b) in enumerate(zip(expected, items, strict=True)):
                self._check(a, b, exchange, f"{where}[{place}]")
        elif isinstance(actual, datetime):
            assert actual == datetime.fromisoformat(self.values.fill(str(expected))), where
        else:
            wanted = self.values.fill(expected) if isinstance(expected, str) else expected
            assert (_text(actual) if isinstance(actual, bytes) else actual) == wanted, where


def _member(actual: Any, name: str) -> Any:
    if isinstance(actual, Mapping):
        return actual[name]
    if isinstance(actual, ET.Element):
        return next(child.text for child in actual if local_name(child) == name)
    return getattr(actual, name)


def _text(content: Any) -> str:
    """The text of what a method gave back: text, bytes, or a stream of them."""
    if isinstance(content, str):
        return content
    if isinstance(content, bytes):
        return content.decode()
    with content:
        return b"".join(content).decode()


def _media_type(value: str) -> tuple[str, str]:
    """Media type and charset; no charset is UTF-8."""
    media_type, _, parameters = value.partition(";")
    if media_type == "multipart/form-data":
        return media_type, ""
    charset = parameters.strip().lower().removeprefix("charset=") or "utf-8"
    return media_type.strip().lower(), charset


def _parsed(body: str, request: Request) -> object:
    """Job documents are compared as what they say, batches as they are."""
    if request.path.endswith(("/batch", "/spec")) or not body:
        return body
    if body.startswith("{"):
        return json.loads(body)
    if body.startswith("grant_type="):
        return dict(parse_qsl(body, strict_parsing=True))
    return [(local_name(element), (element.text or "").strip()) for element in ET.fromstring(body).iter()]


def _listed(method: Callable[..., Any], **arguments: Any) -> list[object]:
    """A list is asked for when it is read."""
    return list(method(**arguments))


# What Bulk API 2.0 takes for granted where a request does not say so.
_USUAL = {"contentType": "CSV", "lineEnding": "LF", "columnDelimiter": "COMMA"}


def _said(body: str) -> object:
    """What a request of Bulk API 2.0 says: a document, a file, or both in two parts."""
    if body.startswith("{"):
        document = json.loads(body)
        return document if set(document) == {"state"} else _USUAL | document
    if body.startswith("--"):
        boundary = body.splitlines()[0]
        parts = [part.replace("\r\n", "\n").partition("\n\n") for part in body.split(boundary)[1:-1]]
        return [(head.strip().splitlines(), _said(content.strip())) for head, _, content in parts]
    return body


@pytest.mark.parametrize(
    "conversation", [conv for conv in conversations() if conv.for_client], ids=lambda conversation: conversation.name
)
def test_client_asks_and_understands(
    conversation: Conversation, server: ScriptedServer, connect: Connect, client_of: Callable[[str], Client]
) -> None:
    values = Values({"session": TOKEN, "base_url": server.url})
    version = re.search(r"/v(\d+\.\d)/jobs/", conversation.exchanges[0].request.path)
    client = client_of(version[1] if version else "66.0")
    playing = Playing(conversation, server, connect, client, values)
    for step in conversation.steps:
        if isinstance(step, Start):
            playing.start(step)
            continue
        for call in step.calls:
            playing.call(step, call)
