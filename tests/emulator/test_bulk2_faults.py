"""What goes wrong on purpose with the calls and jobs of Bulk API 2.0: what the caller sees, and what the org did."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from http.client import HTTPException
from urllib.parse import urlsplit

import pytest
from tests.emulator.wire2 import FILES, Wire2, error, rows

from bulkforce_emulator import Emulator, Fault, Limits, Pace, Settings

CUT = (ConnectionError, HTTPException)
PARTS = (
    '--XX\r\nContent-Disposition: form-data; name="job"\r\n\r\n{"object":"Account","operation":"insert"}\r\n--XX\r\n'
    'Content-Disposition: form-data; name="content"\r\n\r\nName\nA\n\r\n--XX--'
)


@pytest.fixture
def wire() -> Iterator[Wire2]:
    with Emulator(pace=Pace.instant()) as org:
        yield Wire2(org)


def jobs(wire: Wire2) -> list[str]:
    return [job.id for job in wire.org.state.jobs.all()]


def opened(wire: Wire2) -> str:
    job = wire.create()
    assert wire.put(job, "Name\nA\n").status == 201
    return job


def state(wire: Wire2, job: str, kind: str = "ingest") -> str:
    return str(wire.job(job, kind)["state"])


def held_query(wire: Wire2) -> str:
    wire.org.set_pace(Pace.manual())
    return str(wire.ask("POST", "query", {"operation": "query", "query": "SELECT Id FROM Account"}).json["id"])


class Call:
    """One of the calls, made on a job of its own; `done` says whether the org has carried it out."""

    def __init__(self, wire: Wire2, name: str) -> None:
        self.name = name
        self.wire = wire
        self.job, self.done = self._prepare()
        self.method, self.path, *rest = self._request()
        self.rest = rest

    def _prepare(self) -> tuple[str, Callable[[], object]]:
        wire, before = self.wire, len(jobs(self.wire))
        match self.name:
            case "create" | "create with data" | "create query":
                return "", lambda: len(jobs(wire)) > before
            case "upload":
                job = wire.create()
                return job, lambda: "numberRecordsProcessed" in wire.job(job)
            case "commit" | "abort":
                job = opened(wire)
                return job, lambda: state(wire, job) != "Open"
            case "abort query":
                job = held_query(wire)
                return job, lambda: state(wire, job, "query") == "Aborted"
            case "delete":
                job = wire.load("Name\nA\n")
                return job, lambda: job not in jobs(wire)
            case "delete query":
                job = wire.query("SELECT Id FROM Account")
                return job, lambda: job not in jobs(wire)
            case "get query" | "list queries" | "results" | "result pages":
                return wire.query("SELECT Id FROM Account"), lambda: None
        return wire.load("Name\nA\n"), lambda: None

    def _request(self) -> tuple[object, ...]:
        ingest, query = f"ingest/{self.job}", f"query/{self.job}"
        found = {
            "create": ("POST", "ingest", {"operation": "insert", "object": "Account"}),
            "create with data": ("POST", "ingest", PARTS, {"Content-Type": "multipart/form-data; boundary=XX"}),
            "upload": ("PUT", ingest + "/batches", "Name\nA\n", {"Content-Type": "text/csv"}),
            "commit": ("PATCH", ingest, {"state": "UploadComplete"}),
            "abort": ("PATCH", ingest, {"state": "Aborted"}),
            "get": ("GET", ingest),
            "list": ("GET", "ingest"),
            "delete": ("DELETE", ingest),
            **{name: ("GET", f"{ingest}/{name}") for name in FILES},
            "create query": ("POST", "query", {"operation": "query", "query": "SELECT Id FROM Account"}),
            "get query": ("GET", query),
            "list queries": ("GET", "query"),
            "abort query": ("PATCH", query, {"state": "Aborted"}),
            "delete query": ("DELETE", query),
            "results": ("GET", query + "/results"),
            "result pages": ("GET", query + "/resultPages"),
        }
        return found[self.name]

    def fault(self, kind: str, **more: object) -> Fault:
        path = f"/services/data/v66.0/jobs/{self.path}"
        return Fault(kind, method=str(self.method), path=path, **more)  # type: ignore[arg-type]

    def make(self) -> tuple[int, bytes]:
        answer = self.wire.ask(self.method, self.path, *self.rest)  # type: ignore[arg-type]
        return answer.status, answer.body


CALLS = (
    "create", "create with data", "upload", "commit", "abort", "get", "list", "delete", *FILES, "create query",
    "get query", "list queries", "abort query", "delete query", "results", "result pages",
)  # fmt: skip
WITHOUT_BODY = ("upload", "delete", "delete query")


@pytest.mark.parametrize("name", CALLS)
def test_each_call_can_be_lost_before_and_after(wire: Wire2, name: str) -> None:
    for kind, done in (("request lost", False), ("answer lost", True)):
        call = Call(wire, name)
        wire.org.faults.add(call.fault(kind))
        with pytest.raises(CUT):
            call.make()
        assert wire.org.faults.pending() == []
        assert call.done() in {done, None}
        wire.org.set_pace(Pace.instant())


@pytest.mark.parametrize("name", CALLS)
def test_each_call_can_be_slow_and_its_answer_cut(wire: Wire2, name: str) -> None:
    call = Call(wire, name)
    if name not in WITHOUT_BODY:
        wire.org.faults.add(call.fault("answer cut"))
        with pytest.raises(CUT):
            call.make()
        assert call.done() in {True, None}
        wire.org.set_pace(Pace.instant())
        call = Call(wire, name)
    wire.org.faults.add(call.fault("slow", seconds=0.01))
    status, body = call.make()
    assert status in {200, 201, 204}
    assert bool(body) is (name not in WITHOUT_BODY)
    assert wire.org.faults.pending() == []


# Late commits


def test_a_late_commit_says_complete_and_is_seen_open(wire: Wire2) -> None:
    job = opened(wire)
    wire.org.faults.add(Fault("late commit", method="PATCH", after_looks=2))
    answer = wire.change(job, "UploadComplete")
    assert (answer.status, answer.json["state"]) == (200, "UploadComplete")
    assert [state(wire, job) for _ in range(3)] == ["Open", "Open", "JobComplete"]
    assert wire.org.count("Account") == 1


def test_a_late_commit_comes_by_the_clock(wire: Wire2) -> None:
    job = opened(wire)
    wire.org.clock.advance(seconds=1)
    wire.org.faults.add(Fault("late commit", method="PATCH", seconds=30))
    wire.change(job, "UploadComplete")
    assert state(wire, job) == "Open"
    wire.org.clock.advance(seconds=31)
    assert state(wire, job) == "JobComplete"


def test_a_late_commit_finds_the_job_aborted_or_committed(wire: Wire2) -> None:
    for wanted, count in (("Aborted", 0), ("UploadComplete", 1)):
        job = opened(wire)
        wire.org.faults.add(Fault("late commit", method="PATCH"))
        wire.change(job, "UploadComplete")
        assert wire.change(job, wanted).status == 200
        assert wire.org.release() == 1
        assert wire.org.count("Account") == count
        assert state(wire, job) == {"Aborted": "Aborted"}.get(wanted, "JobComplete")


def test_a_late_commit_of_a_job_that_is_gone_does_nothing(wire: Wire2) -> None:
    job = opened(wire)
    wire.org.faults.add(Fault("late commit", method="PATCH"))
    wire.change(job, "UploadComplete")
    wire.org.drop_job(job)
    wire.org.release()
    assert wire.org.count("Account") == 0


def test_a_commit_that_is_refused_is_not_late(wire: Wire2) -> None:
    job = opened(wire)
    wire.put(job, "Name\nB\n")
    wire.org.faults.add(Fault("late commit", method="PATCH"))
    assert error(wire.change(job, "UploadComplete"))[1] == "INVALIDJOB"
    assert wire.org.release() == 0


def test_an_abort_is_never_late(wire: Wire2) -> None:
    job = opened(wire)
    wire.org.faults.add(Fault("late commit"))
    wire.change(job, "Aborted")
    assert state(wire, job) == "Aborted"


def test_a_late_upload_is_not_there_until_it_is(wire: Wire2) -> None:
    job = wire.create()
    wire.org.faults.add(Fault("late commit", method="PUT", after_looks=1))
    assert wire.put(job, "Name\nA\n").status == 201
    assert "numberRecordsProcessed" not in wire.job(job)
    assert wire.job(job)["numberRecordsProcessed"] == 0
    wire.change(job, "UploadComplete")
    assert wire.org.count("Account") == 1


def test_a_late_upload_spoils_a_job_with_another_and_misses_one_that_is_complete(wire: Wire2) -> None:
    job, other = wire.create(), wire.create()
    wire.org.faults.add(Fault("late commit", method="PUT", times=2))
    for one in (job, other):
        wire.put(one, "Name\nA\n")
    wire.put(job, "Name\nA\n")
    wire.change(other, "UploadComplete")
    assert wire.org.release() == 2
    assert error(wire.change(job, "UploadComplete"))[2].startswith("Found multipe contents")
    assert wire.job(other)["numberRecordsProcessed"] == 0
    assert wire.org.count("Account") == 0


# Answers that are out of date


def test_lists_lag(wire: Wire2) -> None:
    made = [wire.create() for _ in range(3)]
    wire.org.faults.add(Fault("lagging list", newest=2), Fault("lagging list", nth=2, seconds=60))

    def listed(kind: str = "ingest") -> list[str]:
        return [job["id"] for job in wire.ask("GET", kind).json["records"]]

    assert [listed() for _ in range(3)] == [made[:1], [], made]
    job = wire.query("SELECT Id FROM Account")
    wire.org.faults.add(Fault("lagging list"))
    assert [listed("query"), listed("query")] == [[], [job]]


def test_a_job_seems_not_to_have_begun(wire: Wire2) -> None:
    job = wire.load("Name\nA\n,\n")
    wire.org.faults.add(Fault("lagging job"))
    behind, now = wire.job(job), wire.job(job)
    assert (behind["state"], behind["numberRecordsProcessed"], behind["numberRecordsFailed"]) == ("Open", 0, 0)
    assert behind["contentUrl"].endswith(f"{job}/batches")
    assert (now["state"], now["numberRecordsProcessed"]) == ("JobComplete", 2)
    query = wire.query("SELECT Id FROM Account")
    wire.org.faults.add(Fault("lagging job"))
    assert [state(wire, query, "query") for _ in range(2)] == ["UploadComplete", "JobComplete"]


# Result files


def test_result_files_come_late(wire: Wire2) -> None:
    job = wire.load("Name\nA\n")
    for name in FILES:
        wire.org.faults.add(Fault("late results"))
        assert error(wire.ask("GET", f"ingest/{job}/{name}"))[:2] == (400, "INVALIDJOBSTATE")
    query = wire.query("SELECT Id FROM Account")
    wire.org.faults.add(Fault("late results"))
    assert error(wire.results(query))[:2] == (400, "INVALIDJOBSTATE")
    assert len(wire.files(job)) == 3


def test_late_results_can_have_no_content() -> None:
    with Emulator(settings=Settings(early_results="no content")) as org:
        wire = Wire2(org)
        job = wire.load("Name\nA\n")
        org.faults.add(Fault("late results"))
        assert wire.ask("GET", f"ingest/{job}/failedResults").status == 204


def test_a_result_file_lacks_the_newest_rows() -> None:
    with Emulator(pace=Pace.instant(), settings=Settings(limits=Limits(batch_records=2))) as org:
        wire = Wire2(org)
        job = wire.load("Name\nA\nB\nC\n")
        org.faults.add(Fault("lagging results"), Fault("lagging results", nth=2, newest=9))
        found = [len(rows(wire.ask("GET", f"ingest/{job}/successfulResults").text)) - 1 for _ in range(3)]
        assert found == [2, 0, 3]


def test_a_file_without_rows_can_have_no_content() -> None:
    with Emulator(settings=Settings(empty_failed_results="no content", empty_other_files="no content")) as org:
        wire = Wire2(org)
        job = wire.load("Name\nA\n")
        answers = [wire.ask("GET", f"ingest/{job}/{name}") for name in FILES]
        assert [(one.status, bool(one.body)) for one in answers] == [(200, True), (204, False), (204, False)]


def test_an_answer_can_be_204_though_there_are_rows(wire: Wire2) -> None:
    job = wire.load("Name,Site\n,x\n")
    wire.org.faults.add(Fault("status", path="*/failedResults", status=204))
    answer = wire.ask("GET", f"ingest/{job}/failedResults")
    assert (answer.status, answer.body) == (204, b"")
    assert wire.job(job)["numberRecordsFailed"] == 1


@pytest.mark.parametrize("line_ending", ["LF", "CRLF"])
def test_files_can_end_without_a_line_end(line_ending: str) -> None:
    end = {"LF": "\n", "CRLF": "\r\n"}[line_ending]
    settings = Settings(files_end_with_line_end=False, query_csv_ends_with_newline=False)
    with Emulator(settings=settings) as org:
        wire = Wire2(org)
        good, bad, untried = wire.files(wire.load(f"Name{end}A{end}", lineEnding=line_ending))
        assert good.endswith(f'{end}"{org.records("Account")[0]["Id"]}","true","A"')
        assert (bad, untried) == ('"sf__Id","sf__Error",Name', "Name")
        assert wire.results(wire.query("SELECT Name FROM Account", lineEnding=line_ending)).text == f'"Name"{end}"A"'


# Uploads that end in the middle


def hang_up(wire: Wire2, job: str, body: bytes) -> None:
    """Send the head of an upload and a part of its body, as a client does that is killed."""
    address = urlsplit(wire.org.base_url)
    head = (
        f"PUT /services/data/v66.0/jobs/ingest/{job}/batches HTTP/1.1\r\nHost: {address.netloc}\r\n"
        f"Authorization: Bearer {wire.org.session_id}\r\nContent-Length: 1000\r\nExpect: 100-continue\r\n\r\n"
    )
    with socket.create_connection((address.hostname or "", address.port or 0), timeout=60) as connection:
        connection.sendall(head.encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
        connection.sendall(body)


@pytest.mark.parametrize("by", ["a fault", "a client that hangs up"])
@pytest.mark.parametrize("kept", ["nothing", "what came"])
def test_a_cut_upload_is_dropped_or_stored_short(by: str, kept: str) -> None:
    with Emulator(settings=Settings(cut_upload=kept), pace=Pace.instant()) as org:  # type: ignore[arg-type]
        wire = Wire2(org)
        job = wire.create()
        if by == "a fault":
            org.faults.add(Fault("upload reset", method="PUT", after_bytes=9))
            with pytest.raises(CUT):
                wire.put(job, "Name\nAcme\nBest\n")
        else:
            hang_up(wire, job, b"Name\nAcme")
        org._log.wait_until_quiet(60)
        assert ("numberRecordsProcessed" in wire.job(job)) is (kept == "what came")
        wire.change(job, "UploadComplete")
        names = [record["Name"] for record in org.records("Account")]
        # What a server has read of a request by the time it notices that its sender is gone is a matter of luck.
        assert names == (["Acme"] if kept == "what came" else []) or (names == [] and by != "a fault")


# Jobs that are gone


def test_a_job_is_cleaned_away(wire: Wire2) -> None:
    job, other = opened(wire), wire.load("Name\nA\n")
    wire.org.drop_job(job)
    assert wire.ask("POST", "/_emulator/drop", {"job_id": other}).status == 200
    for one in (job, other):
        assert error(wire.ask("GET", f"ingest/{one}"))[:2] == (404, "NOT_FOUND")
        assert wire.ask("GET", f"ingest/{one}/successfulResults").status == 404
    assert wire.ask("POST", "/_emulator/drop", {"job_id": job}).status == 400
