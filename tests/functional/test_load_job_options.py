"""Every option of a job reaches the jobs of a load: the first, one made by a resume, and one made for a resend."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.cli.processes import run
from tests.support.rehearsal import Load

import bulkforce as bf
from bulkforce.objects.notation import Cause
from bulkforce.protocol.exchange import Answer, Request
from bulkforce.transport.http import HTTP
from bulkforce_emulator import Emulator, Fault

SCHEMA = {"Lead": {"fields": {"Note__c": "textarea(32000)"}}}
HEADER = b"LastName,Company,Note__c\r\n"
ROWS = [b'Lovelace,x,"a\r\nb"\r\n', b'Hopper,x,"c\r\n\r\nd"\r\n', b"Curie,x,e\r\n"]
RULE = "01Q000000000001AAA"
OPTIONS: dict[str, Any] = {
    "object": "Lead",
    "batch_records": 1,
    "concurrency_mode": "Serial",
    "assignment_rule_id": RULE,
    "line_ending": "CRLF",
    "disable_batch_retry": True,
    "headers": {"Sforce-Call-Options": "client=nightly/1.0"},
}


class Listener(HTTP):
    """A line that remembers with what headers jobs were made."""

    def __init__(self) -> None:
        super().__init__()
        self.made: list[dict[str, str]] = []

    def send(self, request: Request, url: str, headers: dict[str, str], *, streamed: bool) -> Answer:
        if request.method == "POST" and request.path.endswith("/job"):
            self.made.append({name: value for name, value in headers.items() if name.startswith("Sforce-")})
        return super().send(request, url, headers, streamed=streamed)


SENT = {
    "Sforce-Line-Ending": "CRLF",
    "Sforce-Disable-Batch-Retry": "TRUE",
    "Sforce-Call-Options": "client=nightly/1.0",
}


@pytest.fixture
def org() -> Iterator[Emulator]:
    with Emulator(SCHEMA) as org:
        yield org


def written(org: Emulator, folder: Path, **options: Any) -> tuple[Load, Listener]:
    line = Listener()
    load = Load(org, folder, options={**OPTIONS, **options}, transport=line)
    load.path.write_bytes(HEADER + b"".join(ROWS))
    return load, line


def notes(org: Emulator) -> list[str]:
    return sorted(str(one["Note__c"]) for one in org.records("Lead"))


def requests(load: Load) -> list[tuple[bool, str | None, str]]:
    return [(job.is_serial, job.request.assignment_rule_id, job.request.line_ending) for job in load.books.jobs]


def test_options_reach_the_job_and_line_ends_are_kept(org: Emulator, tmp_path: Path) -> None:
    load, line = written(org, tmp_path)
    assert load.begin().succeeded == 3
    assert line.made == [SENT]
    assert requests(load) == [(True, RULE, "\r\n")]
    assert notes(org) == ["a\r\nb", "c\r\n\r\nd", "e"]


def test_without_options_no_header_is_sent_and_the_org_folds_line_ends(org: Emulator, tmp_path: Path) -> None:
    none = dict.fromkeys(["concurrency_mode", "assignment_rule_id", "line_ending", "disable_batch_retry", "headers"])
    load, line = written(org, tmp_path, **none)
    assert load.begin().succeeded == 3
    assert line.made == [{}]
    assert requests(load) == [(False, None, "\n")]
    assert notes(org) == ["a\nb", "c\n\nd", "e"]


def test_a_resend_in_a_new_job_and_a_resume_use_the_same(org: Emulator, tmp_path: Path) -> None:
    load, line = written(org, tmp_path, workers=1)
    org.faults.add(Fault("request lost", "POST", "*/batch", nth=2))
    assert load.begin().succeeded == 3
    assert len(line.made) >= 2
    assert all(made == SENT for made in line.made)
    assert set(requests(load)) == {(True, RULE, "\r\n")}

    load.run_dir = tmp_path / "second"
    load.trace = stop_at("open")
    with pytest.raises((Stopped, bf.Interrupted)):
        load.begin()
    load.trace = lambda _effect: None
    line.made.clear()
    org.faults.add(Fault("request lost", "POST", "*/batch"))
    report = load.resume()
    assert isinstance(report, bf.LoadReport)
    assert report.succeeded == 3
    assert line.made
    assert all(made == SENT for made in line.made)


class Stopped(Exception):
    pass


def stop_at(name: str) -> Any:
    def stop(effect: str) -> None:
        if effect == name:
            raise Stopped

    return stop


def test_the_check_says_what_becomes_of_line_ends_and_how_they_are_kept(org: Emulator, tmp_path: Path) -> None:
    load, _ = written(org, tmp_path)
    with bf.Client(org.base_url, auth=bf.BearerToken(org.session_id)) as client:
        (found,) = client.check(load.path, "Lead", "insert").values
        assert (found.problem.cause, found.count, found.first_row) == (Cause.CARRIAGE_RETURN, 2, 1)
        assert "--line-ending CRLF" in found.problem.remedy
        assert client.check(load.path, "Lead", "insert", line_ending="CRLF").values == ()
        assert client.check(load.path, "Lead", "insert", line_ending="LF").values == (found,)


def test_command_line_takes_them(org: Emulator, tmp_path: Path) -> None:
    load, _ = written(org, tmp_path)
    environment = {"BULKFORCE_INSTANCE_URL": org.base_url, "BULKFORCE_ACCESS_TOKEN": org.session_id}
    words = ["load", str(load.path), "--object", "Lead", "--operation", "insert", "--run-dir", str(load.run_dir)]
    options = ["--serial", "--line-ending", "CRLF", "--assignment-rule", RULE, "--disable-batch-retry"]
    headers = ["--header", "Sforce-Call-Options: client=nightly/1.0"]
    ran = run(*words, *options, *headers, "--json", environment=environment)
    assert (ran.returncode, json.loads(ran.stdout)["succeeded"]) == (0, 3), ran.stderr
    assert requests(load) == [(True, RULE, "\r\n")]
    for wrong in (["--header", "Sforce-Call-Options"], ["--header", "X-SFDC-Session: x"], [*headers, *headers]):
        ran = run(*words, *wrong, environment=environment)
        assert ran.returncode == 2
        assert "header" in ran.stderr
