"""Staged loads against the emulator, with both clients."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from tests.functional.colours import Loop

import bulkforce as bf
from bulkforce_emulator import Emulator
from bulkforce_emulator.faults import Fault, Kind

KINDS: Final[tuple[Kind, ...]] = ("answer lost", "request lost")
QUICK = bf.Pace(first_seconds=0.01, growth=1.1, longest_seconds=0.05)


@pytest.fixture
def org() -> Iterator[Emulator]:
    """One of its own for each test, since what is in it is counted."""
    with Emulator() as org:
        yield org


class _Called:
    """An `AsyncStage` through the loop of its client."""

    def __init__(self, stage: bf.AsyncStage, client: Loop) -> None:
        self._stage = stage
        self._client = client

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._stage, name)
        if not inspect.iscoroutinefunction(attribute):
            return attribute
        return lambda *args, **kwargs: self._client.await_(attribute(*args, **kwargs))


def called(stage: Any, client: Any) -> Any:
    return _Called(stage, client) if isinstance(client, Loop) else stage


def names(org: Emulator) -> list[str]:
    return sorted(record["LastName"] for record in org.records("Contact"))


def open_jobs(client: Any) -> list[str]:
    return [job.id for job in client.list_ingest_jobs() if job.state == "Open"]


def test_pieces_count_only_when_they_are_committed(org: Emulator, client: Any, tmp_path: Path) -> None:
    path = tmp_path / "part.csv"
    path.write_text("LastName\nc\nd\n")
    stage = called(client.stage("Contact", "insert"), client)
    first = stage.write([{"LastName": "a"}, {"LastName": "b"}])
    other = called(client.resume_stage(stage.state()), client)
    second = other.write(path)
    org.wait_until_idle()
    assert names(org) == []
    stage.add(second)
    stage.add(second)
    assert stage.jobs == [*first, *second]
    assert [job.state for job in stage.commit()] == ["UploadComplete", "UploadComplete"]
    assert [job.number_records_processed for job in stage.wait(pace=QUICK)] == [2, 2]
    again = called(client.resume_stage(stage.state()), client)
    assert [job.state for job in again.commit()] == ["JobComplete", "JobComplete"]
    assert names(org) == ["a", "b", "c", "d"]
    with pytest.raises(bf.Unsettled, match="nothing was aborted"):
        again.abort()


def test_answers_that_are_lost_neither_double_nor_lose(org: Emulator, client: Any) -> None:
    stage = called(client.stage("Contact", "insert"), client)
    for method in ("POST", "PUT", "PATCH"):
        for kind in KINDS:
            org.faults.add(Fault(kind, method=method, path="*/jobs/ingest*"))
            stage.write([{"LastName": f"{method} {kind}"}])
            stage.commit()
    stage.wait(pace=QUICK)
    assert names(org) == sorted(f"{method} {kind}" for method in ("POST", "PUT", "PATCH") for kind in KINDS)


def test_abort_leaves_nothing(org: Emulator, client: Any) -> None:
    stage = called(client.stage("Contact", "insert"), client)
    ids = stage.write([{"LastName": "a"}])
    left = called(client.resume_stage(stage.state()), client).write([{"LastName": "b"}])
    other = client.create_ingest_job("insert", "Lead").id
    stage.abort()
    for job_id in ids:
        with pytest.raises(bf.NotFound):
            client.get_ingest_job(job_id)
    assert set(open_jobs(client)) == {*left, other}
    stage.abort(strays=True)
    assert open_jobs(client) == [other]
    with pytest.raises(bf.JobAborted, match="nothing was committed"):
        stage.commit()


def test_content_that_fails_in_the_middle_leaves_no_piece(org: Emulator, client: Any) -> None:
    def broken() -> Iterator[dict[str, str]]:
        yield {"LastName": "a"}
        raise RuntimeError("the source broke")

    stage = called(client.stage("Contact", "insert"), client)
    with pytest.raises(RuntimeError):
        stage.write(broken())
    assert stage.jobs == []
    assert open_jobs(client) == []


def test_stage_refuses_what_no_job_can_be(client: Any) -> None:
    with pytest.raises(bf.UsageError):
        client.stage("Contact", "query")
    with pytest.raises(bf.UsageError):
        client.resume_stage("{}")


def wait_for_a_job(org: Emulator) -> None:
    while not any(one.method == "POST" for one in org.requests):
        time.sleep(0.01)


def test_cancelled_write_leaves_no_piece(org: Emulator) -> None:
    async def cancelled() -> None:
        async with bf.AsyncClient(org.base_url, bf.BearerToken(org.session_id)) as client:
            stage = await client.stage("Contact", "insert")
            org.faults.add(Fault("slow", method="PUT", path="*/batches", seconds=0.5))
            writing = asyncio.create_task(stage.write([{"LastName": "a"}]))
            await asyncio.to_thread(wait_for_a_job, org)
            writing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await writing
            assert stage.jobs == []
            assert [job async for job in client.list_ingest_jobs()] == []

    asyncio.run(cancelled())
