"""An org whose handlers are called in this process, without a socket."""

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from starlette.applications import Starlette

from bulkforce_emulator.schema_files import load_schema
from bulkforce_emulator.state.org import Org
from bulkforce_emulator.wire import oauth, rest, soap


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode()


Ask = Callable[..., Answer]


@pytest.fixture
def peer_org() -> Iterator[Org]:
    """An org with a custom object, its state within reach."""
    schema = load_schema(
        {
            "Part__c": {
                "key_prefix": "a05",
                "fields": {
                    "Code__c": "string(20) unique external_id",
                    "Weight__c": "double(10,2)",
                    "Made__c": "datetime",
                    "Sold__c": "date",
                    "Account__c": "reference(Account) relationship=Account__r",
                },
            }
        }
    )
    org = Org(schema)
    yield org
    org.close()


@pytest.fixture
def ask(peer_org: Org) -> Ask:
    """Make a call: `ask("GET", "/services/data")`; a dict is a form, or JSON with `json=`."""
    app = Starlette(routes=[*oauth.routes(peer_org), *soap.routes(peer_org), *rest.routes(peer_org)])

    def ask(
        method: str,
        url: str,
        *,
        form: Mapping[str, str] | None = None,
        json_body: object = None,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        sent = {"host": "org.example:8080"} | {name.lower(): value for name, value in (headers or {}).items()}
        if form is not None:
            body = urlencode(form).encode()
        elif json_body is not None:
            body = json.dumps(json_body).encode()
        return asyncio.run(_call(app, method, url, sent, body))

    return ask


@pytest.fixture
def rest_call(peer_org: Org, ask: Ask) -> Ask:
    """The same below `/services/data/v66.0`, signed in."""

    def rest_call(method: str, path: str, **more: Any) -> Answer:
        headers = {"Authorization": f"Bearer {peer_org.sessions.first_token}"} | more.pop("headers", {})
        return ask(method, f"/services/data/v66.0{path}", headers=headers, **more)

    return rest_call


async def _call(app: Starlette, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
    parts = urlsplit(url)
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": parts.path,
        "raw_path": parts.path.encode(),
        "root_path": "",
        "query_string": parts.query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "server": ("org.example", 8080),
        "client": ("127.0.0.1", 1),
    }
    sent: list[Any] = []

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    found = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return Answer(sent[0]["status"], found, b"".join(message.get("body", b"") for message in sent[1:]))
