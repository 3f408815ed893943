"""Scripted misfortune: what the caller sees, and what the org did."""

import http.client
import json
import socket
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from tests.emulator.wire import Wire

from bulkforce_emulator import Emulator, Fault

CUT = (http.client.RemoteDisconnected, ConnectionResetError, ConnectionAbortedError, BrokenPipeError)


@pytest.fixture
def wire() -> Iterator[Wire]:
    with Emulator() as org:
        yield Wire(org)


@pytest.fixture
def job(wire: Wire) -> str:
    return wire.create("insert", "Contact")


def batches(wire: Wire, job: str) -> int:
    return len(wire.org.state.jobs.get(job).batches)


def seen(wire: Wire, job: str) -> tuple[int, int]:
    """How many batches the list has, and how many the job counts."""
    listed = wire.ask("GET", f"job/{job}/batch").text.count("<batchInfo>")
    return listed, int(wire.ask("GET", f"job/{job}").element("numberBatchesTotal"))


def test_answer_lost_after_the_batch_was_taken(wire: Wire, job: str) -> None:
    wire.org.faults.add(Fault("answer lost", method="POST", path="*/batch"))
    with pytest.raises(CUT):
        wire.add(job, "LastName\nx")
    assert batches(wire, job) == 1
    assert wire.add(job, "LastName\nx").status == 201


def test_request_lost_before_anything_was_done(wire: Wire, job: str) -> None:
    wire.org.faults.add(Fault("request lost", method="POST", path="*/batch", nth=2))
    assert wire.add(job, "LastName\nx").status == 201
    with pytest.raises(CUT):
        wire.add(job, "LastName\nx")
    assert batches(wire, job) == 1


def test_late_twin_lands_after_further_requests(wire: Wire, job: str) -> None:
    wire.org.faults.add(Fault("late twin", method="POST", path="*/batch", after_requests=2))
    with pytest.raises(CUT):
        wire.add(job, "LastName\nx")
    wire.ask("GET", f"job/{job}")
    assert batches(wire, job) == 0
    wire.ask("GET", f"job/{job}")
    assert seen(wire, job) == (1, 1)


@pytest.mark.parametrize("acted", [False, True])
def test_late_twin_finds_a_closed_job_closed(wire: Wire, job: str, acted: bool) -> None:
    wire.org.faults.add(Fault("late twin", method="POST", path="*/batch", after_requests=1, acted=acted))
    if acted:
        assert wire.add(job, "LastName\nx").status == 201
    else:
        with pytest.raises(CUT):
            wire.add(job, "LastName\nx")
    wire.state(job, "Closed")
    assert seen(wire, job) == (int(acted), int(acted))
    assert wire.org.state.batches_used() == 1 + int(acted)  # it came, and refused batches count


@pytest.mark.parametrize("lost", [False, True])
def test_request_reaches_the_org_twice_while_the_job_is_open(wire: Wire, job: str, lost: bool) -> None:
    wire.org.faults.add(Fault("late twin", "POST", "*/batch", acted=True, after_requests=0))
    if lost:
        wire.org.faults.add(Fault("answer lost", "POST", "*/batch"))
        with pytest.raises(CUT):
            wire.add(job, "LastName\nx")
    else:
        assert wire.add(job, "LastName\nx").status == 201
    assert seen(wire, job) == (2, 2)
    assert wire.org.wait_until_idle(600)
    assert wire.org.count("Contact") == 2


def test_somebody_else_adds_a_batch(wire: Wire, job: str) -> None:
    """Nothing special is needed: another session's POST to the same job."""
    stranger = {"X-SFDC-Session": wire.org.state.sessions.open(), "Content-Type": "text/csv"}
    assert wire.ask("POST", f"job/{job}/batch", "LastName\nforeign", stranger).status == 201
    assert seen(wire, job) == (1, 1)


def test_late_commit_is_neither_seen_nor_processed_until_it_is_released(wire: Wire, job: str) -> None:
    wire.org.faults.add(Fault("late commit"))
    added = wire.add(job, "LastName\nlate")
    assert (added.status, added.element("state")) == (201, "Queued")
    wire.state(job, "Closed")
    assert seen(wire, job) == (0, 0)
    assert wire.ask("GET", f"job/{job}/batch/{added.id}").error[1] == "InvalidBatch"
    assert wire.org.wait_until_idle(600)
    assert wire.org.ledger() == []
    assert wire.org.release() == 1
    assert seen(wire, job) == (1, 1)
    assert wire.org.wait_until_idle(600)
    assert [row.batch_id for row in wire.org.ledger()] == [added.id]
    assert wire.ask("GET", f"job/{job}").element("state") == "Closed"


def test_late_commit_appears_after_so_many_looks(wire: Wire, job: str) -> None:
    wire.org.faults.add(Fault("late commit", nth=2, after_looks=2), Fault("answer lost", "POST", "*/batch", nth=2))
    wire.add(job, "LastName\nx")
    with pytest.raises(CUT):
        wire.add(job, "LastName\ny")
    wire.state(job, "Closed")
    other = wire.create("insert", "Contact")
    for _ in range(3):
        assert seen(wire, other) == (0, 0)
    assert [seen(wire, job)[0] for _ in range(3)] == [1, 1, 2]


def test_late_commit_appears_after_so_many_requests_of_any_kind(wire: Wire, job: str) -> None:
    wire.org.faults.add(Fault("late commit", after_requests=3))
    wire.add(job, "LastName\nx")
    assert [wire.ask("GET", f"job/{job}").element("numberBatchesTotal") for _ in range(4)] == ["0", "0", "0", "1"]


def test_late_commit_appears_when_its_time_has_come(wire: Wire, job: str) -> None:
    wire.org.clock.advance(hours=1)
    wire.org.faults.add(Fault("late commit", seconds=600))
    wire.add(job, "LastName\nx")
    assert seen(wire, job) == (0, 0)
    wire.org.clock.advance(seconds=601)
    assert wire.org.wait_until_idle(600)
    assert len(wire.org.ledger()) == 1


def test_late_commit_in_a_job_that_was_aborted_is_not_processed(wire: Wire, job: str) -> None:
    wire.org.faults.add(Fault("late commit"))
    added = wire.add(job, "LastName\nx")
    wire.state(job, "Aborted")
    wire.org.release()
    assert wire.ask("GET", f"job/{job}/batch/{added.id}").element("state") == "NotProcessed"


def test_late_commit_does_not_touch_a_batch_that_is_refused(wire: Wire, job: str) -> None:
    wire.org.faults.add(Fault("late commit"))
    wire.state(job, "Closed")
    assert wire.add(job, "LastName\nx").status == 400
    assert wire.org.release() == 0


def test_late_commit_hits_posts_of_batches_only(wire: Wire, job: str) -> None:
    wire.org.faults.add(Fault("late commit"))
    wire.ask("GET", f"job/{job}/batch")
    wire.state(wire.create("insert", "Contact"), "Closed")
    assert wire.org.faults.struck == 0


def test_list_and_job_lag_each_on_its_own(wire: Wire, job: str) -> None:
    for name in "abc":
        wire.add(job, f"LastName\n{name}")
    wire.org.faults.add(Fault("lagging list", newest=2, times=2), Fault("lagging job", nth=2))
    assert [seen(wire, job) for _ in range(3)] == [(1, 3), (1, 2), (3, 3)]
    wire.org.faults.add(Fault("lagging list", newest=9), Fault("lagging job", "POST", newest=9))
    assert seen(wire, job) == (0, 3)
    assert wire.state(job, "Closed").element("numberBatchesTotal") == "0"
    assert seen(wire, job) == (3, 3)


def test_list_lags_by_seconds_of_the_clock(wire: Wire, job: str) -> None:
    wire.add(job, "LastName\na")
    wire.org.clock.advance(seconds=60)
    wire.add(job, "LastName\nb")
    wire.org.faults.add(Fault("lagging list", seconds=30, times=2))
    assert seen(wire, job) == (1, 2)
    wire.org.clock.advance(seconds=31)
    assert seen(wire, job) == (2, 2)


def test_lag_goes_with_another_fault(wire: Wire, job: str) -> None:
    wire.add(job, "LastName\na")
    wire.org.faults.add(Fault("lagging list"), Fault("content type", "GET", "*/batch", content_type="text/plain"))
    answer = wire.ask("GET", f"job/{job}/batch")
    assert (answer.type, answer.text.count("<batchInfo>")) == ("text/plain", 0)


def test_late_batches_are_released_over_http(wire: Wire, job: str) -> None:
    wire.ask(
        "POST", "/_emulator/faults", '{"kind": "late commit", "after_looks": 100}', {"Content-Type": "application/json"}
    )
    wire.add(job, "LastName\nx")
    assert seen(wire, job) == (0, 0)
    assert wire.ask("POST", "/_emulator/release", "{}", {"Content-Type": "application/json"}).json == {"appeared": 1}
    assert seen(wire, job) == (1, 1)


def test_upload_is_reset_in_the_middle(wire: Wire, job: str) -> None:
    wire.org.faults.add(Fault("upload reset", method="POST", path="*/batch", after_bytes=1000))
    with pytest.raises((*CUT, OSError)):
        wire.add(job, b"LastName\n" + b"x\n" * 3_000_000)
    assert batches(wire, job) == 0


@pytest.mark.parametrize("acted", [False, True])
def test_status_before_or_after_acting(wire: Wire, job: str, acted: bool) -> None:
    wire.org.faults.add(Fault("status", path="*/batch", status=503, retry_after=2, acted=acted))
    answer = wire.add(job, "LastName\nx")
    assert (answer.status, answer.headers["retry-after"], answer.type) == (503, "2", "text/html")
    assert batches(wire, job) == int(acted)


def test_session_expires_in_the_middle_of_an_upload(wire: Wire, job: str) -> None:
    wire.org.faults.add(Fault("session expired", method="POST", path="*/batch", after_bytes=100))
    answer = wire.add(job, b"LastName\n" + b"x\n" * 500_000)
    assert answer.error == (400, "InvalidSessionId", "Invalid session id")
    assert batches(wire, job) == 0


def test_answer_is_cut_with_and_without_a_promised_length(wire: Wire, job: str) -> None:
    wire.org.faults.add(Fault("answer cut", path=f"*/job/{job}"))
    with pytest.raises(http.client.IncompleteRead) as caught:
        wire.ask("GET", f"job/{job}")
    assert caught.value.expected
    wire.org.faults.add(Fault("answer cut", path=f"*/job/{job}", keep_length=False, after_bytes=10))
    with pytest.raises((http.client.IncompleteRead, *CUT)):
        wire.ask("GET", f"job/{job}")


def test_answer_is_truncated_without_a_sign(wire: Wire, job: str) -> None:
    wire.org.faults.add(Fault("answer truncated", path=f"*/job/{job}", after_bytes=60))
    assert len(wire.ask("GET", f"job/{job}").body) == 60
    wire.org.faults.add(Fault("answer truncated", path=f"*/job/{job}", after_bytes=0))
    assert wire.ask("GET", f"job/{job}").body == b""


def test_packed_answer_is_cut_in_its_middle(wire: Wire, job: str) -> None:
    import gzip

    wire.org.faults.add(Fault("answer truncated", path=f"*/job/{job}"))
    answer = wire.ask("GET", f"job/{job}", headers={"Accept-Encoding": "gzip"})
    with pytest.raises(EOFError):
        gzip.decompress(answer.body)


def test_answer_is_replaced_by_a_page(wire: Wire, job: str) -> None:
    wire.org.faults.add(Fault("answer replaced", status=200, acted=True))
    answer = wire.ask("GET", f"job/{job}")
    assert (answer.status, answer.type) == (200, "text/html")
    assert answer.text.startswith("<!DOCTYPE html>")


def test_answer_says_it_is_something_else(wire: Wire, job: str) -> None:
    wire.org.faults.add(Fault("content type", path=f"*/job/{job}", content_type="text/plain"))
    assert wire.ask("GET", f"job/{job}").type == "text/plain"


def test_first_byte_is_slow(wire: Wire, job: str) -> None:
    wire.org.faults.add(Fault("slow", path=f"*/job/{job}", seconds=0.05))
    began = time.monotonic()
    wire.ask("GET", f"job/{job}")
    assert time.monotonic() - began >= 0.05


def test_results_fail_as_often_as_told(wire: Wire, job: str) -> None:
    batch = wire.run(job, "LastName\nx")
    wire.org.faults.add(Fault("status", method="GET", path="*/result", status=500, times=2))
    path = f"job/{job}/batch/{batch.id}/result"
    assert [wire.ask("GET", path).status for _ in range(3)] == [500, 500, 200]
    assert wire.org.faults.pending() == []
    assert wire.org.faults.struck == 2


def test_cut_connections_are_in_the_log_without_status(wire: Wire, job: str) -> None:
    wire.org.faults.add(Fault("request lost"))
    with pytest.raises(CUT):
        wire.ask("GET", f"job/{job}")
    wire.org.stop()  # the connection is cut before the log is written; after its end, an org has written all
    assert [(entry.method, entry.status) for entry in wire.org.requests] == [("POST", 201), ("GET", 0)]


def test_strings_are_pulled_over_http(wire: Wire) -> None:
    def pull(method: str, name: str, body: object = None) -> object:
        answer = wire.ask(method, f"/_emulator/{name}", None if body is None else json.dumps(body))
        assert answer.status == 200, answer.text
        return answer.json

    assert pull("GET", "about")["session_id"] == wire.org.session_id  # type: ignore[index]
    seeded = pull("POST", "seed", {"Account": [{"Name": "A"}, {}]})
    assert seeded["Account"]["errors"][1]["status_code"] == "REQUIRED_FIELD_MISSING"  # type: ignore[index]
    assert len(pull("GET", "records?object=Account")) == 1  # type: ignore[arg-type]
    pull("POST", "pace", {"kind": "manual"})
    job = wire.create("insert", "Contact")
    wire.add(job, "LastName\nx")
    assert pull("POST", "advance") == {"moved": 1}
    assert pull("POST", "advance") == {"moved": 1}
    assert len(pull("GET", "ledger")) == 1  # type: ignore[arg-type]
    pull("POST", "mishaps", {"message": "Timeout : x", "nth": 1})
    pull("POST", "faults", {"kind": "status", "status": 500})
    assert wire.ask("GET", f"job/{job}").status == 500
    pull("POST", "clear")
    pull("POST", "clock", {"advance": {"hours": 1}})
    opened = pull("POST", "sessions", {"expire": "all", "open": True})
    assert wire.ask("GET", f"job/{job}").status == 400
    assert wire.ask("GET", f"job/{job}", headers={"X-SFDC-Session": opened["session_id"]}).status == 200  # type: ignore[index]
    pull("POST", "abort", {"job_id": job})
    assert pull("GET", "requests")
    assert wire.ask("POST", "/_emulator/faults", '{"kind":"status","nonsense":1}').status == 400


def test_stop_hangs_up_on_whoever_is_still_there() -> None:
    with Emulator() as org:
        address = urlsplit(org.base_url)
        connection = socket.create_connection((address.hostname, address.port))
        connection.settimeout(600)
        connection.sendall(
            b"POST /services/async/66.0/job HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n"
        )
        # The org says this when it has the head and asks for the body.
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
    try:
        assert connection.recv(10) == b""
    except ConnectionResetError:
        pass
    finally:
        connection.close()
