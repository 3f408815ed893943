"""Every long call that is cancelled, by its task or by a timeout, is over when its ``await`` is: nothing is read and nothing
is sent after it, and what can be resumed is resumed."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest
from tests.cli.processes import SURROUNDINGS
from tests.functional.colours import QUICK
from tests.support.holding import Holding, is_batch, is_result
from tests.support.rehearsal import SCHEMA, Load

import bulkforce as bf
from bulkforce_emulator import Emulator

QUERY = "SELECT Code__c FROM Row__c"
WAYS: list[Literal["cancel", "timeout"]] = ["cancel", "timeout"]
Way = Literal["cancel", "timeout"]
Call = Callable[[bf.AsyncClient], Awaitable[object]]


def is_describe(_method: str, path: str) -> bool:
    return path.endswith("/describe")


def is_look(method: str, path: str) -> bool:
    return method == "GET" and path.endswith("/batch")


def stopped(org: Emulator, call: Call, way: Way, held: Callable[[], None], go_on: Callable[[], None]) -> None:
    """Stop a call while something holds it, let that go on, and see that nothing follows."""

    async def main() -> None:
        async with bf.AsyncClient(org.base_url, bf.BearerToken(org.session_id), retry=QUICK) as client:

            async def bounded() -> None:
                async with asyncio.timeout(None) as limit:
                    limits.append(limit)
                    await call(client)

            limits: list[asyncio.Timeout] = []
            task = asyncio.ensure_future(bounded())
            await asyncio.to_thread(held)
            try:
                if way == "cancel":
                    task.cancel()
                else:
                    limits[0].reschedule(asyncio.get_running_loop().time())
                for _ in range(10):
                    await asyncio.sleep(0)
                assert not task.done()
            finally:
                go_on()
            with pytest.raises(asyncio.CancelledError if way == "cancel" else TimeoutError):
                await task
            seen = len(org.requests)
        # Every thread has ended: what was not asked by now is not asked any more.
        await asyncio.get_running_loop().shutdown_default_executor()
        assert len(org.requests) == seen

    asyncio.run(main())


def stopped_at(org: Holding, call: Call, way: Way) -> None:
    stopped(org, call, way, org.wait, org.go.set)


def again(org: Holding, nth: int, kind: Callable[[str, str], bool]) -> None:
    """Hold another request."""
    org.met.clear()
    org.go.clear()
    org.nth, org.kind = nth, kind
    org._seen = 0


def assert_interrupted(run: Path) -> None:
    assert json.loads((run / "report.json").read_text("utf-8"))["state"] == "interrupted"


@pytest.mark.parametrize("way", WAYS)
def test_load_and_its_resume_that_are_stopped_are_resumed(tmp_path: Path, way: Way) -> None:
    with Holding() as org:
        load = Load(org, tmp_path)
        how = {"workers": 1, "batch_records": 6, "run_dir": load.run_dir}
        stopped_at(org, lambda client: client.load(load.path, "Row__c", "insert", **how), way)  # type: ignore[arg-type]
        assert_interrupted(load.run_dir)
        again(org, 2, is_batch)
        stopped_at(org, lambda client: client.resume(load.run_dir, workers=1), way)
        assert_interrupted(load.run_dir)
        load.check(load.resume())


@pytest.mark.parametrize("way", WAYS)
def test_extract_and_its_resume_that_are_stopped_are_resumed(tmp_path: Path, way: Way) -> None:
    run, to = tmp_path / "run", tmp_path / "out.csv"
    with Holding(kind=is_result, nth=3) as org:
        org.insert("Row__c", [{"Code__c": str(number)} for number in range(60)])
        stopped_at(org, lambda client: client.extract(QUERY, to=to, pk_chunking=6, run_dir=run, workers=1), way)
        assert_interrupted(run)
        again(org, 2, is_result)
        stopped_at(org, lambda client: client.resume_extract(run, workers=1), way)
        assert_interrupted(run)
        again(org, 2, is_result)
        stopped_at(org, lambda client: client.resume(run, workers=1), way)
        assert not to.exists()
        with bf.Client(org.base_url, bf.BearerToken(org.session_id)) as client:
            report = client.resume(run)
        assert isinstance(report, bf.ExtractReport)
        assert report.rows == 60 == len(to.read_text().splitlines()) - 1


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", [is_batch, is_look, is_result])
def test_query_that_is_stopped_is_over_with_its_job(way: Way, kind: Callable[[str, str], bool]) -> None:
    async def read(client: bf.AsyncClient) -> None:
        async for _ in await client.query(QUERY, pk_chunking=6, workers=1):
            pass

    with Holding(nth=1, kind=kind) as org:
        org.insert("Row__c", [{"Code__c": str(number)} for number in range(60)])
        stopped_at(org, read, way)
        assert {job.state for job in org.state.jobs.all()} <= {"closed", "aborted"}


CALLS: dict[str, Callable[[bf.AsyncClient, object], Awaitable[object]]] = {
    "check": lambda client, source: client.check(source, "Row__c", "insert"),  # type: ignore[arg-type]
    "suggest_map": lambda client, source: client.suggest_map(source, "Row__c"),  # type: ignore[arg-type]
    "load": lambda client, source: client.load(source, "Row__c", "insert", run_dir="run"),  # type: ignore[arg-type]
}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@dataclass
class Records:
    """A source that is held at its thousandth record."""

    begun: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)
    read: int = 0

    def wait(self) -> None:
        assert self.begun.wait(600)

    def __iter__(self) -> Iterator[dict[str, str]]:
        while self.read < 1_000_000:
            self.read += 1
            if self.read == 1000:
                self.begun.set()
                assert self.go_on.wait(600)
            yield {"Code__c": "x"}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("call", CALLS)
def test_source_is_not_read_on_after_the_call_that_reads_it_was_stopped(call: str, way: Way) -> None:
    source = Records()
    with Emulator(SCHEMA) as org:
        stopped(
            org,
            lambda client: CALLS[call](client, iter(source)),
            way,
            source.wait,
            source.go_on.set,
        )
        read = source.read
        assert read < 1_000_000
        assert org.state.jobs.all() == []
    assert source.read == read
    assert not Path("run").exists()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("call", CALLS)
def test_call_that_is_stopped_while_it_asks_the_org_does_nothing_with_the_answer(call: str, way: Way) -> None:
    source, read = Records(), 0
    source.go_on.set()

    def held() -> None:
        nonlocal read
        org.wait()
        read = source.read

    with Holding(nth=1, kind=is_describe) as org:
        stopped(org, lambda client: CALLS[call](client, iter(source)), way, held, org.go.set)
        assert org.state.jobs.all() == []
    # Some read their source first, and others stop before they have read it.
    assert source.read == read or source.read < 1_000_000
    assert not Path("run").exists()


SERVER = """
import contextlib, socket, sys, threading
import uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
import bulkforce as bf

url, token, source, run_dir = sys.argv[1:]

def watch(stop):
    asked = threading.Event()
    stop.then(asked.set)
    asked.wait()
    print("asked", flush=True)

@contextlib.asynccontextmanager
async def lifespan(app):
    async with bf.AsyncClient(url, auth=bf.BearerToken(token)) as client:
        app.state.client = client
        threading.Thread(target=client.driver.carry_out, args=[watch]).start()
        yield
    print("closed", flush=True)

async def load(request):
    await request.app.state.client.load(source, "Row__c", "insert", workers=1, batch_records=6, run_dir=run_dir)
    return PlainTextResponse("done")

listening = socket.create_server(("127.0.0.1", 0))
print(listening.getsockname()[1], flush=True)
app = Starlette(routes=[Route("/load", load)], lifespan=lifespan)
config = uvicorn.Config(app, timeout_graceful_shutdown=0, log_level="critical")
uvicorn.Server(config).run(sockets=[listening])
"""


def test_server_that_is_shut_down_stops_its_loads_and_they_are_resumed(tmp_path: Path) -> None:
    with Holding() as org:
        load = Load(org, tmp_path)
        arguments = [org.base_url, org.session_id, str(load.path), str(load.run_dir)]
        with subprocess.Popen(
            [sys.executable, "-c", SERVER, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=SURROUNDINGS,
        ) as process:
            assert process.stdout
            port = int(process.stdout.readline())
            with socket.create_connection(("127.0.0.1", port)) as asking:
                asking.sendall(b"GET /load HTTP/1.1\r\nHost: localhost\r\n\r\n")
                org.wait()
                process.send_signal(signal.SIGTERM)
                assert process.stdout.readline() == "asked\n"
                org.go.set()
                assert process.stdout.readline() == "closed\n"
                seen = len(org.requests)
                process.communicate(timeout=600)
        assert len(org.requests) == seen
        assert_interrupted(load.run_dir)
        assert sum(is_batch(one.method, one.path) for one in org.requests) == org.nth
        load.check(load.resume())
