"""Ids of the org are the same with their three check characters and without, however it writes them from one answer to the next."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
from tests.extraction import bring, client_of, go_on, seeded
from tests.rehearsal import BRISK, SCHEMA, Load

from bulkforce import BearerToken
from bulkforce.errors import Interrupted, Unsettled
from bulkforce.protocol.exchange import Answer, Request
from bulkforce.transport.http import HTTP
from bulkforce_emulator import Emulator, Fault

BATCHES = "*/job/*/batch"
PROMPT = replace(BRISK, trouble_seconds=0.0)
"""What is not understood is not waited out."""
_ID = re.compile(rb"(<(?:id|jobId|result)>\w{15})\w{3}(?=<)")


class Spelling(HTTP):
    """A line on which some answers have ids of fifteen characters, and the others of eighteen."""

    def __init__(self, is_short: Callable[[Request], bool]) -> None:
        super().__init__()
        self._is_short = is_short

    def send(self, request: Request, url: str, headers: dict[str, str], *, streamed: bool) -> Answer:
        answer = super().send(request, url, headers, streamed=streamed)
        if answer.stream is None and self._is_short(request):
            return replace(answer, body=_ID.sub(rb"\1", answer.body))
        return answer


def is_list(request: Request) -> bool:
    return request.method == "GET" and request.path.endswith("/batch")


def by_turns() -> Callable[[Request], bool]:
    turns = count()
    return lambda _request: next(turns) % 2 == 0


WAYS: dict[str, Callable[[], Callable[[Request], bool]]] = {
    "short in lists": lambda: is_list,
    "long in lists": lambda: lambda request: not is_list(request),
    "by turns": by_turns,
}
FAULTS = [
    None,
    Fault("answer lost", "POST", BATCHES, nth=2),
    Fault("request lost", "POST", BATCHES, nth=2),
    Fault("answer lost", "POST", "*/job/*", nth=2),
]


@pytest.fixture
def org() -> Iterator[Emulator]:
    with Emulator(SCHEMA) as org:
        yield org


@pytest.mark.parametrize("fault", FAULTS, ids=["no fault", "answer lost", "request lost", "close lost"])
@pytest.mark.parametrize("way", WAYS)
def test_load_knows_its_batches_however_their_ids_are_written(org: Emulator, tmp_path: Path, way: str, fault: Fault | None) -> None:
    load = Load(org, tmp_path, transport=Spelling(WAYS[way]()), patience=PROMPT)
    if fault:
        org.faults.add(fault)
    load.check(load.begin())


@pytest.mark.parametrize("way", WAYS)
def test_load_that_is_resumed_knows_its_batches_however_their_ids_are_written(org: Emulator, tmp_path: Path, way: str) -> None:
    load = Load(org, tmp_path, transport=Spelling(WAYS[way]()), patience=PROMPT)
    org.faults.add(Fault("session expired", "POST", BATCHES, nth=4, after_bytes=10))
    with pytest.raises(Interrupted):
        load.begin()
    load.auth = BearerToken(org.state.sessions.open())
    load.check(load.resume())


@pytest.mark.parametrize("way", WAYS)
def test_batch_of_a_stranger_is_one_however_ids_are_written(org: Emulator, tmp_path: Path, way: str) -> None:
    """And when the user has accepted it, it is no reason to stop any more."""
    load = Load(org, tmp_path, options={"workers": 1}, transport=Spelling(WAYS[way]()), patience=PROMPT)

    def intrude(effect: str) -> None:
        if effect == "open":
            (job,) = load.books.jobs
            with client_of(org) as client:
                client.add_batch(client.get_job_info(job.id), b"Code__c\nstranger\n")

    load.trace = intrude
    with pytest.raises(Unsettled, match="which this run did not send"):
        load.begin()
    load.trace = lambda _effect: None
    with pytest.raises(Unsettled, match="which this run did not send"):
        load.resume()
    report = load.resume("not-sent")
    assert (report.state, report.pending, report.in_doubt) == ("finished", 0, 0)
    assert report.succeeded == len(load.source.good)


@pytest.mark.parametrize("chunking", [False, 8])
@pytest.mark.parametrize("way", WAYS)
def test_extract_knows_its_batches_however_their_ids_are_written(tmp_path: Path, way: str, chunking: bool | int) -> None:
    with seeded() as org, client_of(org, transport=Spelling(WAYS[way]())) as client:
        org.faults.add(Fault("session expired", "GET", "*/result/*", nth=1))
        with pytest.raises(Interrupted):
            bring(org, tmp_path, client=client, pk_chunking=chunking)
        org.state.sessions.first_token = org.state.sessions.open()
        assert go_on(org, tmp_path).rows == 40
