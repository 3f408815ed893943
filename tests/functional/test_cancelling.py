"""What is cancelled stops: nothing reaches the org after the ``await`` has ended, and what was stopped can be gone on
with.

Each call is held at a request that the org knows of, cancelled there, and let go on: however fast the machine is, the
    same is under way.
"""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tests.cli.processes import SURROUNDINGS
from tests.functional.colours import QUICK
from tests.support.holding import Holding, is_batch, is_result
from tests.support.rehearsal import SCHEMA, Load

from bulkforce import AsyncClient, BearerToken, Client, ExtractReport, Interrupted, LoadReport, Pace
from bulkforce.errors import Error, UsageError
from bulkforce.transport.stopping import Stop
from bulkforce.transport.stream import AsyncResultStream, ResultStream
from bulkforce_emulator import Emulator

QUERY = "SELECT Code__c FROM Row__c"
BATCHES = 6
"""In the source of a `Load`."""

Call = Callable[[AsyncClient], Awaitable[object]]


def client_of(org: Emulator) -> AsyncClient:
    return AsyncClient(org.base_url, auth=BearerToken(org.session_id), retry=QUICK)


def batches(org: Emulator) -> int:
    return sum(is_batch(one.method, one.path) for one in org.requests)


def loading(load: Load) -> Call:
    return lambda client: client.load(load.path, "Row__c", "insert", workers=1, batch_records=6, run_dir=load.run_dir)


def extracting(folder: Path) -> Call:
    return lambda client: client.extract(QUERY, to=folder / "out.csv", pk_chunking=6, run_dir=folder / "run")


def cancelled(org: Holding, call: Call, *, times: int = 1) -> BaseException | None:
    """Cancel a call while the org holds a request of it.

    Returns:
        What the work came to.
    """

    async def main() -> BaseException | None:
        async with client_of(org) as client:
            task = asyncio.ensure_future(call(client))
            await asyncio.to_thread(org.wait)
            try:
                for _ in range(times):
                    task.cancel()
                    for _ in range(5):
                        await asyncio.sleep(0)
                    assert not task.done()
            finally:
                org.go.set()
            with pytest.raises(asyncio.CancelledError) as caught:
                await task
            seen = len(org.requests)
            cause = caught.value.__cause__
            if isinstance(cause, Interrupted) and cause.report is not None:
                # Whoever cancels often sees no more than this, or only the log.
                assert "bulkforce resume " in "".join(caught.value.__notes__)
        # Every thread has ended: what was not asked by now is not asked any more.
        await asyncio.get_running_loop().shutdown_default_executor()
        assert len(org.requests) == seen
        return cause

    return asyncio.run(main())


@pytest.mark.parametrize("times", [1, 2])
def test_cancelled_load_sends_nothing_after_the_await_and_is_resumed(tmp_path: Path, times: int) -> None:
    with Holding() as org:
        load = Load(org, tmp_path)
        cause = cancelled(org, loading(load), times=times)
        assert isinstance(cause, Interrupted)
        assert "the call was cancelled" in str(cause)
        assert f"bulkforce resume {load.run_dir}" in str(cause)
        assert isinstance(cause.report, LoadReport)
        assert cause.report.pending > 0
        assert batches(org) == org.nth < BATCHES
        load.check(load.resume())


def test_cancelled_resume_sends_nothing_after_the_await_and_is_resumed_again(tmp_path: Path) -> None:
    with Holding() as org:
        load = Load(org, tmp_path)
        cancelled(org, loading(load))
        org.met.clear()
        org.go.clear()
        org.nth = 5
        cause = cancelled(org, lambda client: client.resume(load.run_dir, workers=1))
        assert isinstance(cause, Interrupted)
        assert batches(org) == org.nth
        load.check(load.resume())


def test_load_that_took_too_long_for_a_timeout_stops(tmp_path: Path) -> None:
    with Holding() as org:
        load = Load(org, tmp_path)

        async def main() -> None:
            async with client_of(org) as client, asyncio.timeout(None) as limit:

                async def over() -> None:
                    await asyncio.to_thread(org.wait)
                    limit.reschedule(asyncio.get_running_loop().time())
                    for _ in range(10):
                        await asyncio.sleep(0)
                    org.go.set()

                ending = asyncio.ensure_future(over())
                await loading(load)(client)
                await ending

        with pytest.raises(TimeoutError):
            asyncio.run(main())
        assert batches(org) == org.nth
        load.check(load.resume())


def test_load_whose_source_is_being_read_stops_when_it_is_cancelled(tmp_path: Path) -> None:
    begun, go_on = threading.Event(), threading.Event()
    read = 0

    def records() -> Iterator[dict[str, str]]:
        nonlocal read
        while read < 100_000:
            read += 1
            if read == 1000:
                begun.set()
                assert go_on.wait(600)
            yield {"Code__c": "x"}

    with Emulator() as org:

        async def main() -> None:
            async with client_of(org) as client:
                task = asyncio.ensure_future(client.load(records(), "Row__c", "insert", run_dir=tmp_path / "run"))
                await asyncio.to_thread(begun.wait)
                task.cancel()
                await asyncio.sleep(0)
                go_on.set()
                with pytest.raises(asyncio.CancelledError) as caught:
                    await task
                assert "Nothing was sent" in str(caught.value.__cause__)

        asyncio.run(main())
        assert read < 100_000
        assert org.state.jobs.all() == []


def test_cancelled_extract_fetches_nothing_after_the_await_and_is_resumed(tmp_path: Path) -> None:
    with Holding(kind=is_result) as org:
        org.insert("Row__c", [{"Code__c": str(number)} for number in range(36)])
        cause = cancelled(org, extracting(tmp_path))
        assert isinstance(cause, Interrupted)
        assert f"bulkforce resume {tmp_path / 'run'}" in str(cause)
        assert not (tmp_path / "out.csv").exists()
        assert {job.state for job in org.state.jobs.all()} <= {"closed", "aborted"}
        with Client(org.base_url, auth=BearerToken(org.session_id)) as client:
            report = client.resume(tmp_path / "run")
            assert isinstance(report, ExtractReport)
            assert report.rows == 36


async def _query_by_hand(client: AsyncClient) -> None:
    job = await client.create_job("query", "Row__c", "CSV")
    batch = await client.add_batch(job, QUERY)
    await client.wait_for_batch(job, batch.id, pace=Pace(0.002, 1.5, 0.05))
    await client.get_query_result_ids(job, batch.id)
    raise AssertionError("it went on")


CALLS: dict[str, tuple[Callable[[str, str], bool], Call]] = {
    "one request": (lambda method, _: method == "POST", lambda client: client.create_job("insert", "Row__c", "CSV")),
    "a query's results": (is_result, _query_by_hand),
}


@pytest.mark.parametrize(("kind", "call"), CALLS.values(), ids=CALLS)
def test_cancelled_call_lets_its_request_end_and_makes_no_further_one(
    kind: Callable[[str, str], bool], call: Call
) -> None:
    with Holding(nth=1, kind=kind) as org:
        assert cancelled(org, call) is None
        assert kind(org.requests[-1].method, org.requests[-1].path)


def test_cancelled_read_of_a_result_closes_it_so_that_no_hole_goes_unnoticed() -> None:
    inside, go_on = threading.Event(), threading.Event()

    class Slow:
        """A result whose second block is slow; see `bulkforce.protocol.exchange.Stream`."""

        closed = False
        framed = True

        def __iter__(self) -> Iterator[bytes]:
            yield b"one"
            inside.set()
            assert go_on.wait(600)
            yield b"two"
            yield b"three"

        def close(self) -> None:
            self.closed = True

    async def main(read: Callable[[AsyncResultStream], Awaitable[object]]) -> None:
        inside.clear()
        go_on.clear()
        slow = Slow()
        stream = AsyncResultStream(ResultStream(slow))
        task = asyncio.ensure_future(read(stream))
        await asyncio.to_thread(inside.wait)
        task.cancel()
        await asyncio.sleep(0)
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert slow.closed
        with pytest.raises(UsageError, match="closed"):
            await stream.read()

    async def iterate(stream: AsyncResultStream) -> list[bytes]:
        return [block async for block in stream]

    for read in (AsyncResultStream.read, iterate):
        asyncio.run(main(read))


class Watch:
    """Lets the org go on as soon as a client has asked all that is under way to stop."""

    def __init__(self, client: Client | AsyncClient, org: Holding) -> None:
        self._asked, watching = threading.Event(), threading.Event()

        def work(stop: Stop) -> None:
            stop.then(self._asked.set)
            watching.set()
            assert self._asked.wait(600)
            org.go.set()

        threading.Thread(target=client.driver.carry_out, args=(work,)).start()
        assert watching.wait(600)


def test_client_that_is_closed_stops_the_load_of_another_task(tmp_path: Path) -> None:
    with Holding() as org:
        load = Load(org, tmp_path)

        async def main() -> None:
            async with client_of(org) as client:
                task = asyncio.ensure_future(loading(load)(client))
                await asyncio.to_thread(org.wait)
                Watch(client, org)
            seen = len(org.requests)
            with pytest.raises(
                Interrupted, match=r"the client was closed\. Job 750\w+ goes on .+ Go on with: bulkforce resume"
            ):
                await task
            with pytest.raises(UsageError, match="closed"):
                await client.create_job("insert", "Row__c", "CSV")
            assert len(org.requests) == seen

        asyncio.run(main())
        assert batches(org) == org.nth
        load.check(load.resume())


def test_client_that_is_left_stops_the_load_of_another_thread(tmp_path: Path) -> None:
    """As when Ctrl-C ends what the main thread does: the load is not in the thread that hears it."""
    with Holding() as org:
        load = Load(org, tmp_path)
        ended: list[BaseException] = []

        def work(client: Client) -> None:
            try:
                client.load(load.path, "Row__c", "insert", workers=1, batch_records=6, run_dir=load.run_dir)
            except Error as error:
                ended.append(error)

        with suppress(KeyboardInterrupt), Client(org.base_url, auth=BearerToken(org.session_id)) as client:
            thread = threading.Thread(target=work, args=(client,))
            thread.start()
            org.wait()
            Watch(client, org)
            raise KeyboardInterrupt
        seen = len(org.requests)
        thread.join()
        assert isinstance(ended[0], Interrupted)
        assert (len(org.requests), batches(org)) == (seen, org.nth)
        load.check(load.resume())


ROWS = 200


def asking(client: Client | AsyncClient) -> Any:
    return client.query(QUERY, pk_chunking=6)


def is_over(org: Emulator) -> bool:
    """Whether no job is open."""
    return {job.state for job in org.state.jobs.all()} <= {"closed", "aborted"}


def finished(org: Emulator) -> bool:
    """Whether no job is open, and not every result was fetched."""
    return is_over(org) and sum("/result/" in one.path for one in org.requests) < ROWS / 6


def test_query_is_over_when_the_task_that_reads_it_is_cancelled() -> None:
    with Holding(nth=8, kind=is_result) as org:
        org.insert("Row__c", [{"Code__c": str(number)} for number in range(ROWS)])

        async def read(client: AsyncClient) -> None:
            async for _ in await asking(client):
                pass

        assert cancelled(org, read) is None
        assert finished(org)


async def _leaves_the_loop(client: AsyncClient) -> None:
    async for batch in await asking(client):
        assert batch.num_rows
        break


async def _leaves_the_block(client: AsyncClient) -> None:
    async with await asking(client) as result:
        async for batch in result:
            assert batch.num_rows
            break


@pytest.mark.parametrize("read", [_leaves_the_loop, _leaves_the_block])
def test_query_that_is_left_half_way_is_over_when_the_client_is_closed(
    read: Callable[[AsyncClient], Awaitable[None]],
) -> None:
    with Emulator(SCHEMA) as org:
        org.insert("Row__c", [{"Code__c": str(number)} for number in range(ROWS)])

        async def main() -> None:
            async with client_of(org) as client:
                await read(client)
                if read is _leaves_the_block:
                    assert is_over(org)  # how many results came meanwhile is the machine's matter
            seen = len(org.requests)
            assert is_over(org)  # how many results came meanwhile is the machine's matter
            await asyncio.get_running_loop().shutdown_default_executor()
            assert len(org.requests) == seen

        asyncio.run(main())


def test_reader_of_a_query_is_told_when_its_client_is_closed() -> None:
    """Rows that are missing because nobody fetched them are no end of the result."""
    with Emulator(SCHEMA) as org:
        org.insert("Row__c", [{"Code__c": str(number)} for number in range(ROWS)])
        with Client(org.base_url, auth=BearerToken(org.session_id)) as client:
            batches = iter(asking(client))
            assert next(batches).num_rows
        with pytest.raises(Interrupted, match="the client was closed"):
            list(batches)
        assert is_over(org)  # how many results came meanwhile is the machine's matter


PROGRAMS = {
    "asyncio": """
import asyncio
async def main():
    async with bf.AsyncClient(url, auth=auth) as client:
        load = asyncio.ensure_future(client.load(*what, **how))
        try:
            print("begun", flush=True)
            await asyncio.wait([load])
        finally:
            load.cancel()
            for _ in range(5):
                await asyncio.sleep(0)
            print("asked", flush=True)
            await load
asyncio.run(main())
""",
    "threads": """
with bf.Client(url, auth=auth) as client:
    load = threading.Thread(target=client.load, args=what, kwargs=how)
    load.start()
    begun.wait()
    def watch(stop):
        stop.then(lambda: print("asked", flush=True))
        print("begun", flush=True)
        load.join()
    threading.Thread(target=client.driver.carry_out, args=[watch]).start()
    load.join()
""",
    "a thread that is left alone": """
import concurrent.futures.thread, time
def watch():
    while not concurrent.futures.thread._shutdown:
        time.sleep(0.001)
    print("asked", flush=True)
threading.Thread(target=watch, daemon=True).start()
threading.Thread(target=bf.Client(url, auth=auth).load, args=what, kwargs=how).start()
begun.wait()
print("begun", flush=True)
""",
}
"""Each loads where Ctrl-C is not heard, or ends while it loads, and says when the load is asked to stop."""

BEGINNING = """
import sys, threading
import bulkforce as bf
begun = threading.Event()
url, token, source, run_dir = sys.argv[1:]
auth = bf.BearerToken(token)
what, how = (source, "Row__c", "insert"), dict(workers=1, batch_records=6, run_dir=run_dir, on_progress=lambda now: now.sent == 12 and now.batches["sending"] and begun.set())
"""


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_program_that_is_interrupted_or_ends_stops_its_load(tmp_path: Path, program: str) -> None:
    with Holding() as org:
        load = Load(org, tmp_path)
        arguments = [org.base_url, org.session_id, str(load.path), str(load.run_dir)]
        with subprocess.Popen(
            [sys.executable, "-c", BEGINNING + program, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=SURROUNDINGS,
        ) as process:
            assert process.stdout
            assert process.stdout.readline() == "begun\n"
            org.wait()
            if program is not PROGRAMS["a thread that is left alone"]:
                process.send_signal(signal.SIGINT)
            assert process.stdout.readline() == "asked\n"
            org.go.set()
            process.communicate(timeout=600)
        assert json.loads((load.run_dir / "report.json").read_text())["state"] == "interrupted"
        assert batches(org) == org.nth
        load.check(load.resume())
