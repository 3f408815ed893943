"""The page and the control calls are for programs and for this org's own pages; other sites in a browser are sent
away."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from bulkforce_emulator import Emulator, HostError

CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36"
LOOKS = [
    "/",
    "/_emulator",
    "/_emulator/",
    "/_emulator/about",
    "/_emulator/records?object=User",
    "/_emulator/ledger",
    "/%5Femulator/about",
]
CHANGES = ["seed", "pace", "advance", "faults", "mishaps", "clear", "clock", "sessions", "abort", "release"]
JSON = "Content-Type: application/json"


@pytest.fixture(scope="module")
def org() -> Iterator[Emulator]:
    with Emulator(allow_hosts=["emulator", "Org.Test:8080"]) as org:
        yield org


def say(org: Emulator, method: str, path: str, *headers: str, body: str = "") -> tuple[int, str]:
    """Status and the whole of an answer; `{own}` in headers is where the org listens."""
    lines = [f"{method} {path} HTTP/1.1", *headers, f"Content-Length: {len(body)}", "Connection: close", "", body]
    with socket.create_connection(("127.0.0.1", org.port), timeout=600) as connection:
        connection.sendall("\r\n".join(lines).replace("{own}", f"127.0.0.1:{org.port}").encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
    return int(answer.split(" ", 2)[1]), answer


def credentials(org: Emulator) -> list[str]:
    return [org.session_id, org.password, org.client_secret, org.client_id, org.refresh_token]


STRANGERS = {
    "another name": ["Host: evil.example"],
    "another name and the right port": ["Host: evil.example:{port}"],
    "a name that begins like ours": ["Host: localhost.evil.example"],
    "an address as a part of a name": ["Host: 127.0.0.1.evil.example"],
    "a user's name before": ["Host: localhost@evil.example"],
    "another address": ["Host: 10.1.2.3:{port}"],
    "no name": ["Host:"],
    "no host at all": [],
    "two hosts": ["Host: {own}", "Host: evil.example"],
    "rebound, in a browser": [
        "Host: evil.example:{port}",
        "Origin: http://evil.example:{port}",
        "Sec-Fetch-Site: same-origin",
    ],
    "another origin": ["Host: {own}", "Origin: http://evil.example"],
    "another port's origin": ["Host: {own}", "Origin: http://127.0.0.1:3000"],
    "an origin that begins like ours": ["Host: {own}", "Origin: http://{own}.evil.example"],
    "no origin that is told": ["Host: {own}", "Origin: null"],
    "two origins": ["Host: {own}", "Origin: http://{own}", "Origin: http://evil.example"],
    "another referer": ["Host: {own}", "Referer: https://evil.example/{own}"],
    "cross-site": ["Host: {own}", "Sec-Fetch-Site: cross-site"],
    "same-site": ["Host: {own}", "Sec-Fetch-Site: same-site"],
    "a link of another site": [
        "Host: {own}",
        "Sec-Fetch-Site: cross-site",
        "Sec-Fetch-Mode: navigate",
        "Sec-Fetch-Dest: document",
    ],
    "a good origin and a bad site": ["Host: {own}", "Origin: http://{own}", "Sec-Fetch-Site: cross-site"],
}


def headers_of(org: Emulator, stranger: str) -> list[str]:
    return [header.replace("{port}", str(org.port)) for header in STRANGERS[stranger]]


@pytest.mark.parametrize("path", LOOKS)
@pytest.mark.parametrize("stranger", STRANGERS)
def test_stranger_sees_nothing(org: Emulator, stranger: str, path: str) -> None:
    status, answer = say(org, "GET", path, *headers_of(org, stranger))
    assert status in {400, 403}  # 400: no HTTP at all
    assert not [secret for secret in credentials(org) if secret in answer]
    assert "access-control" not in answer.lower()


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("stranger", STRANGERS)
def test_stranger_changes_nothing(org: Emulator, stranger: str, name: str) -> None:
    before = (org.count("Account"), org.faults.pending(), org.state.workers.pace, org.session_id)
    body = '{"Account": [{"Name": "x"}], "kind": "instant", "expire": "all"}'
    for method in ("POST", "PUT", "OPTIONS"):
        status, answer = say(org, method, f"/_emulator/{name}", *headers_of(org, stranger), JSON, body=body)
        assert status in {400, 403}
        assert "access-control" not in answer.lower()
    assert before == (org.count("Account"), org.faults.pending(), org.state.workers.pace, org.session_id)
    assert org.state.sessions.is_valid(org.session_id)


BROWSERS = {
    "its own page": [f"User-Agent: {CHROME}", "Origin: http://{own}", "Sec-Fetch-Site: same-origin"],
    "its own page, without saying so": [f"User-Agent: {CHROME}"],
    "typed into the address bar": [f"User-Agent: {CHROME}", "Sec-Fetch-Site: none"],
    "a referer of its own": ["Referer: http://{own}/_emulator/page/jobs/1"],
}
NOT_JSON = [
    [],
    ["Content-Type: text/plain"],
    ["Content-Type: text/plain;charset=UTF-8"],
    ["Content-Type: application/x-www-form-urlencoded"],
    ["Content-Type: multipart/form-data; boundary=application/json"],
    ["Content-Type: text/plain; application/json"],
    [JSON, "Content-Type: text/plain"],
]


@pytest.mark.parametrize("browser", BROWSERS)
@pytest.mark.parametrize("types", NOT_JSON, ids=str)
def test_browser_changes_nothing_but_with_json(org: Emulator, browser: str, types: list[str]) -> None:
    for name in CHANGES:
        assert say(org, "POST", f"/_emulator/{name}", "Host: {own}", *BROWSERS[browser], *types, body="{}")[0] == 415


@pytest.mark.parametrize("browser", BROWSERS)
def test_own_page_and_whoever_types_the_address_is_at_home(org: Emulator, browser: str) -> None:
    for path in LOOKS:
        assert say(org, "GET", path, "Host: {own}", *BROWSERS[browser])[0] == 200
    assert (
        say(org, "POST", "/_emulator/clear", "Host: {own}", *BROWSERS[browser], f"{JSON}; charset=utf-8", body="{}")[0]
        == 200
    )
    assert (
        say(
            org, "OPTIONS", "/_emulator/clear", "Host: {own}", *BROWSERS[browser], "Access-Control-Request-Method: POST"
        )[0]
        == 415
    )


@pytest.mark.parametrize(
    "host",
    [
        "{own}",
        "localhost:{port}",
        "LOCALHOST",
        "localhost.",
        "127.0.0.1",
        "127.8.8.8:80",
        "[::1]:{port}",
        "emulator:8080",
        "org.test",
    ],
)
def test_program_may_ask_by_any_name_that_is_ours(org: Emulator, host: str) -> None:
    host = host.replace("{port}", str(org.port))
    status, answer = say(org, "GET", "/_emulator/about", f"Host: {host}")
    assert status == 200
    assert org.client_secret in answer
    assert say(org, "GET", "/", f"Host: {host}", f"User-Agent: {CHROME}")[0] == 200


@pytest.mark.parametrize("types", NOT_JSON, ids=str)
def test_program_need_not_say_what_it_sends(org: Emulator, types: list[str]) -> None:
    assert say(org, "POST", "/_emulator/clear", "Host: {own}", "User-Agent: curl/8.5.0", *types, body="{}")[0] == 200


def test_api_is_for_programs_by_any_name_and_for_browsers_by_ours(org: Emulator) -> None:
    session = f"X-SFDC-Session: {org.session_id}"
    assert say(org, "GET", "/services/async/66.0/job/x", "Host: salesforce.example", session)[0] == 400
    assert say(org, "GET", "/services/data", "Host: salesforce.example")[0] == 200
    assert say(org, "GET", "/services/data", "Host: evil.example", f"User-Agent: {CHROME}")[0] == 403
    assert (
        say(org, "GET", "/services/data", "Host: {own}", f"User-Agent: {CHROME}", "Origin: http://localhost:3000")[0]
        == 200
    )
    assert (
        "access-control"
        not in say(org, "OPTIONS", "/services/data", "Host: {own}", "Origin: http://localhost:3000")[1].lower()
    )


@pytest.mark.parametrize(
    ("host", "status"),
    [("192.0.2.7:1", 200), ("127.0.0.1", 200), ("0.0.0.0:1", 200), ("192.0.2.8:1", 403), ("emulator:1", 403)],
)
def test_whoever_listens_everywhere_goes_by_the_address_that_was_called(host: str, status: int) -> None:
    org = Emulator(host="0.0.0.0")  # not served
    scope = {
        "type": "http", "method": "GET", "path": "/_emulator/about", "raw_path": b"/_emulator/about", "query_string": b"", "root_path": "",
        "scheme": "http", "headers": [(b"host", host.encode())], "server": ("192.0.2.7", 8080), "client": ("192.0.2.1", 1),
    }  # fmt: skip
    sent: list[Any] = []

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    async def call() -> None:
        await org.app(scope, receive, send)

    asyncio.run(call())
    org.stop()
    assert sent[0]["status"] == status


@pytest.mark.parametrize("host", ["http://emulator", "emulator/", "", "*", "a b", "user@emulator"])
def test_name_that_is_none_is_refused(host: str) -> None:
    with pytest.raises(HostError, match="is not a host name"):
        Emulator(allow_hosts=[host])
