"""What a call tells `on_event`: in order, in one thread, while it is under way, without values; and an exception of the
caller's stops the run so that it can be gone on with."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from tests.support.rehearsal import SCHEMA, Books, assert_exactly_once, assert_outputs_line_up, nasty_rows

import bulkforce as bf
from bulkforce import events
from bulkforce_emulator import Emulator, Fault
from bulkforce_emulator.state.lifecycle import Pace

SECRET = "Lovelace-of-nobody"
QUERY = f"SELECT Id, LastName FROM Contact WHERE LastName = '{SECRET}'"
E = TypeVar("E", bound=events.Event)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


class Told:
    """Keeps what it is told, and in which thread."""

    def __init__(self) -> None:
        self.events: list[events.Event] = []
        self.threads: set[int] = set()

    def __call__(self, event: events.Event) -> None:
        self.events.append(event)
        self.threads.add(threading.get_ident())

    def of(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]

    def kinds(self) -> list[str]:
        return [type(event).__name__ for event in self.events]


def rows() -> list[dict[str, str]]:
    return [{"LastName": SECRET, "Email": "no address" if number == 1 else f"a{number}@b.cd"} for number in range(5)]


def test_load_tells_what_happens_with_ids_and_counts_and_without_values(org: Emulator, client: Any) -> None:
    told = Told()
    report = client.load(rows(), "Contact", "insert", batch_records=2, run_dir="run", on_event=told)
    begun, ended = told.events[0], told.events[-1]
    assert begun == events.RunBegun(
        verb="load", run=report.run, run_dir=report.run_dir, operation="insert", object="Contact"
    )
    assert isinstance(ended, events.RunEnded)
    assert (ended.state, ended.rows, ended.succeeded, ended.failed, ended.pending) == ("finished", 5, 4, 1, 0)
    assert ended.stopped_by is None
    (source,) = told.of(events.SourceRead)
    assert (source.rows, source.rejected, source.batches, source.bytes) == (5, 0, 3, report.bytes)
    assert [one.job for one in told.of(events.JobOpened)] == list(report.jobs)
    assert [one.job for one in told.of(events.JobClosed)] == list(report.jobs)
    sent, over, done = told.of(events.BatchSent), told.of(events.BatchEnded), told.of(events.BatchDone)
    assert {one.number: one.records for one in sent} == {1: 2, 2: 2, 3: 1}
    assert {one.batch for one in sent} == {one.batch for one in over} == {one.batch for one in done}
    assert {one.number: (one.state, one.processed, one.failed) for one in over} == {
        1: ("Completed", 2, 1),
        2: ("Completed", 2, 0),
        3: ("Completed", 1, 0),
    }
    assert [(one.number, one.rows, one.succeeded, one.failed) for one in done] == [
        (1, 2, 1, 1),
        (2, 2, 2, 0),
        (3, 1, 1, 0),
    ]
    assert len(told.threads) == 1
    assert SECRET not in repr(told.events) + "".join(map(str, told.events))
    assert "no address" not in repr(told.events) + "".join(map(str, told.events))


def test_events_of_a_load_come_in_this_thread_and_in_order(org: Emulator) -> None:
    told = Told()
    with bf.Client(org.base_url, auth=bf.BearerToken(org.session_id)) as client:
        client.load(rows(), "Contact", "insert", batch_records=2, run_dir="run", on_event=told)
    assert told.threads == {threading.get_ident()}
    kinds = told.kinds()
    assert kinds[:3] == ["RunBegun", "SourceRead", "JobOpened"]
    for number in (1, 2, 3):
        of_batch = [type(one).__name__ for one in told.events if getattr(one, "number", None) == number]
        assert of_batch == ["BatchSent", "BatchEnded", "BatchDone"]


def test_extract_tells_its_batches_and_result_files(org: Emulator, client: Any) -> None:
    org.insert("Contact", rows()[2:])
    told = Told()
    report = client.extract(QUERY, to="a.csv", run_dir="run", pk_chunking=False, on_event=told)
    assert told.events[0] == events.RunBegun(
        verb="extract", run=report.run, run_dir=report.run_dir, operation="query", object="Contact"
    )
    (job,), (sent,) = told.of(events.JobOpened), told.of(events.BatchSent)
    assert (job.job, sent.job, sent.records) == (*report.jobs, *report.jobs, None)
    assert told.of(events.JobListed) == [events.JobListed(job=job.job, batches=1)]
    (over,), (result,), (done,) = told.of(events.BatchEnded), told.of(events.ResultFetched), told.of(events.BatchDone)
    assert (over.state, over.processed) == ("Completed", report.rows)
    assert (result.batch, result.rows) == (sent.batch, report.rows)
    assert (done.rows, done.succeeded, done.failed) == (report.rows, report.rows, 0)
    ended = told.events[-1]
    assert isinstance(ended, events.RunEnded)
    assert (ended.run, ended.state, ended.rows) == (report.run, "finished", report.rows)
    assert SECRET not in repr(told.events) + "".join(map(str, told.events))


@pytest.mark.parametrize("verb", ["load", "extract"])
def test_runs_over_bulk_api_2_tell_the_same(org: Emulator, client: Any, verb: str) -> None:
    org.insert("Contact", rows()[2:])
    told = Told()
    if verb == "load":
        report = client.load(rows(), "Contact", "insert", batch_records=2, api="bulk2", run_dir="run", on_event=told)
        uploaded = told.of(events.BatchUploaded)
        assert {(one.number, one.records) for one in uploaded} == {(1, 2), (2, 2), (3, 1)}
        assert {one.job for one in uploaded} == {one.job for one in told.of(events.BatchSent)} == set(report.jobs)
    else:
        report = client.extract(QUERY, to="a.csv", api="bulk2", run_dir="run", on_event=told)
        assert sum(one.rows for one in told.of(events.ResultFetched)) == report.rows
    jobs = sorted(report.jobs)
    assert sorted(one.job for one in told.of(events.JobOpened)) == jobs
    assert sorted(one.batch or "" for one in told.of(events.BatchEnded)) == jobs
    kinds = told.kinds()
    assert kinds.index("JobOpened") < kinds.index("BatchEnded") < kinds.index("BatchDone")
    assert kinds[-1] == "RunEnded"


def test_query_tells_in_a_thread_of_its_own(org: Emulator, client: Any) -> None:
    org.insert("Contact", rows()[2:])
    told = Told()
    list(client.query(QUERY, pk_chunking=False, on_event=told))
    kinds = told.kinds()
    assert (kinds[0], kinds[-1]) == ("RunBegun", "RunEnded")
    assert len(told.threads) == 1
    assert threading.get_ident() not in told.threads
    assert sum(one.rows for one in told.of(events.BatchDone)) >= 3


def test_request_that_is_repeated_is_told_in_the_same_thread(org: Emulator, client: Any) -> None:
    org.faults.add(Fault("status", "GET", "*/result", status=503, times=2))
    told = Told()
    client.load(rows(), "Contact", "insert", run_dir="run", on_event=told)
    repeated = told.of(events.RequestRepeated)
    assert [(one.method, one.status, one.error) for one in repeated] == [("GET", 503, "Unavailable")] * 2
    assert all(one.path.endswith("/result") for one in repeated)
    assert len(told.threads) == 1


def test_waiting_is_told_once_with_its_reason(org: Emulator, client: Any) -> None:
    org.set_pace(Pace.manual())
    told = Told()

    def on_event(event: events.Event) -> None:
        told(event)
        if isinstance(event, events.Waiting):
            org.set_pace(Pace.timed())
            org.release()

    client.load(rows(), "Contact", "insert", run_dir="run", on_event=on_event)
    assert [one.reason for one in told.of(events.Waiting)] == ["the org"]


def test_resumed_run_says_so_and_run_that_stopped_says_why(org: Emulator, client: Any) -> None:
    told, again = Told(), Told()
    with pytest.raises(bf.Interrupted) as stopped:
        client.load(rows(), "Contact", "insert", batch_records=1, run_dir="run", max_api_calls=6, on_event=told)
    ended = told.events[-1]
    assert isinstance(ended, events.RunEnded)
    assert (ended.state, ended.rows, ended.stopped_by) == ("interrupted", 5, str(stopped.value))
    assert ended.pending > 0
    report = client.resume("run", on_event=again)
    begun = again.events[0]
    assert isinstance(begun, events.RunBegun)
    assert (begun.resumed, begun.run) == (True, report.run)
    assert sum(one.rows for one in again.of(events.BatchDone)) == 5


class Own(Exception):
    pass


Call = Callable[[Any, Callable[[Any], None]], Any]
LOADS: dict[str, Call] = {
    "on_event": lambda client, raises: client.load(
        "source.csv", "Row__c", "insert", batch_records=6, run_dir="run", on_event=raises
    ),
    "on_progress": lambda client, raises: client.load(
        "source.csv", "Row__c", "insert", batch_records=6, run_dir="run", on_progress=raises
    ),
}


@pytest.mark.parametrize("way", LOADS)
def test_exception_of_the_callers_stops_the_load_wherever_it_is_raised_and_loses_no_row(
    tmp_path: Path, way: str
) -> None:
    source = nasty_rows()
    source.write(tmp_path / "source.csv")
    nth, over = 0, False
    with Emulator(SCHEMA) as org:
        while not over:
            nth += 1 if nth < 6 else 5
            folder = tmp_path / str(nth)
            folder.mkdir()
            over = _stopped_at(org, source, folder, nth, LOADS[way])
    assert nth > (20 if way == "on_event" else 1)


def _stopped_at(org: Emulator, source: Any, folder: Path, nth: int, call: Call) -> bool:
    """Load, with a function that raises when it is called for the nth time; return whether it was not called so often."""
    run, seen, own = folder / "run", 0, Own(SECRET)
    books = Books(org)

    def raises(_event: object) -> None:
        nonlocal seen
        seen += 1
        if seen >= nth:
            raise own

    with bf.Client(org.base_url, auth=bf.BearerToken(org.session_id)) as client:
        try:
            call(_Here(client, run), raises)
        except Own as error:
            caught, asked = error, len(org.requests)
        else:
            return True
        assert caught is own
        assert seen == nth  # not called any more after that
        if not run.exists():  # nothing was sent, and there is nothing to go on with
            assert books.jobs == []
            return False
        assert ("bulkforce resume" in own.__notes__[0]) != _is_finished(run)
        assert len(org.requests) == asked
        client.resume(run)
    assert_exactly_once(org, books, source)
    assert_outputs_line_up(org, run, source)
    return False


def _is_finished(run: Path) -> bool:
    report = run / "report.json"
    return report.exists() and bf.LoadReport.from_json(report.read_text("utf-8")).state == "finished"


class _Here:
    """A client that gives each load its own folder."""

    def __init__(self, client: bf.Client, run: Path) -> None:
        self._client, self._run = client, run

    def load(self, *args: Any, **kwargs: Any) -> Any:
        return self._client.load(*args, **{**kwargs, "run_dir": self._run})


def test_exception_of_the_callers_stops_an_extract(org: Emulator, client: Any) -> None:
    org.insert("Contact", rows()[2:])
    own = Own(SECRET)

    def raises(event: events.Event) -> None:
        if isinstance(event, events.ResultFetched):
            raise own

    with pytest.raises(Own) as caught:
        client.extract(QUERY, to="a.csv", run_dir="run", pk_chunking=False, on_event=raises)
    assert caught.value is own
    assert "on_event raised Own" in own.__notes__[0]
    assert "bulkforce resume" in own.__notes__[0]
    assert not Path("a.csv").exists()
    assert client.resume("run").rows >= 3


def test_exception_of_the_callers_stops_a_query(org: Emulator, client: Any) -> None:
    org.insert("Contact", rows()[2:])
    own = Own(SECRET)

    def raises(event: events.Event) -> None:
        if isinstance(event, events.JobOpened):
            raise own

    before = len(org.state.jobs.all())  # others may have left jobs open
    with pytest.raises(Own) as caught:
        list(client.query(QUERY, pk_chunking=False, on_event=raises))
    assert caught.value is own
    assert {job.state for job in org.state.jobs.all()[before:]} <= {"closed", "aborted"}
