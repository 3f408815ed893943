"""Batches under way: counters that grow, and batches that are put back into the queue."""

import re

import pytest
from tests.emulator.wire import Wire

from bulkforce_emulator import Emulator, Limits, Mishap, Pace, Settings

CONTACTS = "LastName\n" + "x\n" * 1000


def batch_of(wire: Wire, job: str, batch: str) -> tuple[str, int]:
    answer = wire.ask("GET", f"job/{job}/batch/{batch}")
    return answer.element("state"), int(answer.element("numberRecordsProcessed"))


def test_records_processed_grow_by_transactions_while_a_batch_runs() -> None:
    with Emulator(pace=Pace.timed(0.0, records_per_second=1000)) as org:
        wire = Wire(org)
        org.insert("Contact", [{"LastName": "the first write of an org takes longer"}])
        job = wire.create("insert", "Contact")
        batch = wire.add(job, CONTACTS).id
        seen, state = [], ""
        while state != "Completed":
            state, processed = batch_of(wire, job, batch)
            seen.append(processed)
    assert set(seen) <= {0, 200, 400, 600, 800, 1000}
    assert seen == sorted(seen)
    assert len(set(seen)) > 2
    assert seen[-1] == 1000


def test_batch_put_back_is_queued_again_and_counts_as_retries() -> None:
    with Emulator(pace=Pace.manual()) as org:
        wire = Wire(org)
        org.state.mishaps.plan(Mishap(put_back=2))
        job = wire.create("insert", "Contact")
        batch = wire.add(job, "LastName\nx\n").id
        states = []
        for _ in range(6):
            org.advance()
            states.append(batch_of(wire, job, batch)[0])
        assert states == ["InProgress", "Queued", "InProgress", "Queued", "InProgress", "Completed"]
        assert wire.ask("GET", f"job/{job}").element("numberRetries") == "2"
        assert len(org.records("Contact")) == 1


@pytest.mark.parametrize("pace", [Pace.instant(), Pace.timed(0.0)])
def test_batch_put_back_too_often_fails(pace: Pace) -> None:
    with Emulator(pace=pace, settings=Settings(limits=Limits(batch_retries=3))) as org:
        wire = Wire(org)
        org.state.mishaps.plan(Mishap(put_back=4))
        job = wire.create("insert", "Contact")
        batch = wire.add(job, "LastName\nx\n").id
        org.state.workers.wait_until_idle()
        answer = wire.ask("GET", f"job/{job}/batch/{batch}")
        assert answer.element("state") == "Failed"
        assert answer.element("stateMessage") == "InternalServerError : Retried more than ten times"
        assert wire.ask("GET", f"job/{job}").element("numberRetries") == "3"
        assert org.records("Contact") == []


def test_query_put_back_has_several_result_files() -> None:
    with Emulator(pace=Pace.instant()) as org:
        wire = Wire(org)
        org.insert("Contact", [{"LastName": f"x{number}"} for number in range(9)])
        org.state.mishaps.plan(Mishap(put_back=2))
        job = wire.create("query", "Contact")
        batch = wire.add(job, "SELECT LastName FROM Contact").id
        path = f"job/{job}/batch/{batch}/result"
        results = re.findall("<result>(.*?)</result>", wire.ask("GET", path).text)
        rows = [wire.ask("GET", f"{path}/{result}").text.splitlines()[1:] for result in results]
        assert [len(part) for part in rows] == [3, 3, 3]
        assert len({row for part in rows for row in part}) == 9


def test_aborted_job_leaves_no_batch_put_back() -> None:
    with Emulator(pace=Pace.manual()) as org:
        wire = Wire(org)
        org.state.mishaps.plan(Mishap(put_back=1))
        job = wire.create("insert", "Contact")
        batch = wire.add(job, "LastName\nx\n").id
        org.advance()
        wire.state(job, "Aborted")
        org.advance()
        assert batch_of(wire, job, batch)[0] == "NotProcessed"
        org.advance()
        assert org.records("Contact") == []


def test_job_without_retries_fails_where_its_batch_would_be_put_back() -> None:
    with Emulator(pace=Pace.instant()) as org:
        wire = Wire(org)
        org.state.mishaps.plan(Mishap(put_back=1))
        job = wire.create("insert", "Contact", headers={"Sforce-Disable-Batch-Retry": "TRUE"})
        batch = wire.add(job, "LastName\nx\n").id
        assert batch_of(wire, job, batch) == ("Failed", 0)
        assert wire.ask("GET", f"job/{job}").element("numberRetries") == "0"


LONG = 3600.0
CHANGES = {
    "waiting in a long queue": (Pace.timed(LONG), 0, "Queued"),
    "waiting to be told": (Pace.manual(), 0, "Queued"),
    "started by hand": (Pace.manual(), 1, "InProgress"),
    "taking its time": (Pace.timed(0.0, batch_seconds=LONG), 0, "InProgress"),
    "taking its time by records": (Pace.timed(0.0, records_per_second=0.01), 0, "InProgress"),
}


@pytest.mark.parametrize(
    "after", [Pace.instant(), Pace.timed(0.0), Pace.timed(0.0, parallel=1)], ids=["instant", "timed", "one at a time"]
)
@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("mode", ["Parallel", "Serial"])
def test_change_of_pace_moves_what_waits_and_what_is_under_way(name: str, after: Pace, mode: str) -> None:
    before, steps, state = CHANGES[name]
    with Emulator(pace=before) as org:
        wire = Wire(org)
        job = wire.create("insert", "Contact", concurrencyMode=mode)
        batches = [wire.add(job, "LastName\nx\n").id for _ in range(3)]
        org.advance(steps)
        reached(wire, job, batches[0], state)
        org.set_pace(after)
        if after.kind != "instant":
            assert org.wait_until_idle(20)
        assert [batch_of(wire, job, batch) for batch in batches] == [("Completed", 1)] * 3
        assert org.count("Contact") == 3


def reached(wire: Wire, job: str, batch: str, state: str) -> None:
    for _ in range(10_000):
        if batch_of(wire, job, batch)[0] == state:
            return
    raise AssertionError(batch_of(wire, job, batch))


def test_batch_that_takes_its_time_waits_to_be_told_when_the_pace_becomes_manual() -> None:
    with Emulator(pace=Pace.timed(0.0, batch_seconds=LONG)) as org:
        wire = Wire(org)
        job = wire.create("insert", "Contact")
        batch = wire.add(job, "LastName\nx\n").id
        reached(wire, job, batch, "InProgress")
        org.set_pace(Pace.manual())
        later = wire.add(job, "LastName\ny\n").id
        assert not org.wait_until_idle(0.01)
        assert org.advance() == 2
        assert [batch_of(wire, job, one)[0] for one in (batch, later)] == ["Completed", "InProgress"]
        assert org.advance() == 1
        assert org.wait_until_idle(0.0)


def test_pace_goes_there_and_back_again() -> None:
    with Emulator(pace=Pace.manual()) as org:
        wire = Wire(org)
        job = wire.create("insert", "Contact")
        wire.add(job, "LastName\nx\n")
        org.advance()
        org.set_pace(Pace.instant())
        org.set_pace(Pace.manual())
        batch = wire.add(job, "LastName\nx\n").id
        assert batch_of(wire, job, batch)[0] == "Queued"
        org.set_pace(Pace.timed(LONG))
        assert not org.wait_until_idle(0.01)
        org.set_pace(Pace.timed(0.0))
        assert org.wait_until_idle(20)
        assert org.count("Contact") == 2
