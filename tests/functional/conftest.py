from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from tests.functional.colours import connect
from tests.support.rehearsal import settle

import bulkforce
from bulkforce_emulator import Emulator


@pytest.fixture(autouse=True, scope="session")
def interruptible() -> None:
    """A shell starts what runs in its background deaf to Ctrl-C; the tests of Ctrl-C want it heard."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def running() -> Iterator[Emulator]:
    """One org for the whole suite; `org` leaves records and jobs behind, and nothing that goes on."""
    schema = {name: {"fields": {"Ext__c": "string(40) unique external_id"}} for name in ("Contact", "Account")}
    with Emulator(schema) as org:
        yield org


@pytest.fixture
def org(running: Emulator) -> Iterator[Emulator]:
    # Other tests end sessions, or let so much time go by that they end.
    running.state.sessions.open(token=running.session_id)
    yield running
    settle(running)


@pytest.fixture(params=["sync", "async"])
def colour(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def client_of(colour: str) -> Iterator[Callable[..., Any]]:
    """Makes a client of either colour."""
    with ExitStack() as stack:
        yield lambda url, auth, **options: stack.enter_context(connect(colour, url, auth, **options))


@pytest.fixture
def client(org: Emulator, client_of: Callable[..., Any]) -> Any:
    return client_of(org.base_url, bulkforce.RefreshToken(org.client_id, org.client_secret, org.refresh_token))
