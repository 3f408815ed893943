"""What is logged: the steps of a run with ids and counts, each request, and never a token or a value of a record."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import pytest
from tests.cli.processes import SURROUNDINGS, run

import bulkforce as bf
from bulkforce_emulator import Emulator

SECRET = "Lovelace-of-nobody"
QUERY = f"SELECT Id FROM Contact WHERE LastName = '{SECRET}'"
REQUEST = re.compile(r"(GET|POST) /services/\S+ (\d{3}|\w+) \d+ ms, \d+ bytes sent, \d+ bytes received")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").write_text(f"LastName,Email\n{SECRET},a@example.com\n{SECRET},no address\n")
    return tmp_path


def surroundings(org: Emulator) -> dict[str, str]:
    return {**SURROUNDINGS, "BULKFORCE_INSTANCE_URL": org.base_url, "BULKFORCE_ACCESS_TOKEN": org.session_id}


def test_library_logs_steps_as_info_and_requests_as_debug(here: Path, caplog: pytest.LogCaptureFixture) -> None:
    with Emulator() as org, bf.Client(org.base_url, auth=bf.BearerToken(org.session_id)) as client:
        with caplog.at_level(logging.DEBUG, "bulkforce"):
            report = client.load("a.csv", "Contact", "insert", batch_records=1)
            client.extract(QUERY, to="out.csv")
            client.count(QUERY)
        asked = len(org.requests)
    told = [record for record in caplog.records if record.name == "bulkforce"]
    steps = [record.getMessage() for record in told if record.levelno == logging.INFO]
    requests = [record.getMessage() for record in told if record.levelno == logging.DEBUG]
    assert len(requests) == asked
    assert all(REQUEST.fullmatch(line) for line in requests)
    assert f"run {report.run}: insert Contact" in steps
    assert any(line.startswith("the source has 2 rows, 0 of them rejected; 2 batches of ") for line in steps)
    assert [line for line in steps if line.startswith(f"run {report.run}: finished; 2 rows, 1 succeeded, 1 failed, ")]
    for job in report.jobs:
        assert [line.rpartition(": ")[2] for line in steps if line.startswith(f"job {job}")] == ["created", "closed"]
    ended = re.compile(r"batch 751\w+ \(no. [12]\): Completed, 1 processed, [01] failed")
    assert sum(bool(ended.fullmatch(line)) for line in steps) == 2
    everything = "\n".join(steps + requests)
    assert SECRET not in everything
    assert org.session_id not in everything


def test_nothing_is_logged_unless_asked_for(here: Path) -> None:
    with Emulator() as org:
        counted = run("extract", QUERY, "--output", "o.csv", "--quiet", environment=surroundings(org))
    assert (counted.returncode, counted.stderr) == (0, "")


@pytest.mark.parametrize("before", [True, False], ids=["before the command", "behind it"])
def test_v_logs_steps_and_vv_each_request(here: Path, before: bool) -> None:
    command = ["extract", QUERY, "--output", "o.csv", "--quiet", "--force"]
    with Emulator() as org:
        once, twice = (
            run(*([flag, *command] if before else [*command, flag]), environment=surroundings(org))
            for flag in ("-v", "-vv")
        )
    assert (once.returncode, twice.returncode) == (0, 0)
    assert re.search(r"(?m)^[\d-]+ [\d:,]+ job 750\w+: created$", once.stderr)
    assert "bytes sent" not in once.stderr
    assert "bytes sent" in twice.stderr
    assert SECRET not in twice.stderr
    assert org.session_id not in twice.stderr


def test_log_file_has_everything_and_the_terminal_what_it_had(here: Path) -> None:
    with Emulator() as org:
        done = run(
            "extract", QUERY, "--output", "o.csv", "--quiet", "--log-file", "x.log", environment=surroundings(org)
        )
    assert (done.returncode, done.stderr) == (0, "")
    lines = (here / "x.log").read_text().splitlines()
    assert {line.split()[2] for line in lines} == {"INFO", "DEBUG"}
    assert sum("bytes sent" in line for line in lines) == len(org.requests)


def test_log_file_that_cannot_be_written_is_a_wrong_call(here: Path) -> None:
    done = run("runs", "--log-file", str(here))
    assert done.returncode == 2
    assert "--log-file" in done.stderr
    assert str(here) in done.stderr


def test_full_log_file_is_told_once_and_stops_nothing(here: Path) -> None:
    with Emulator() as org:
        done = run(
            "extract", QUERY, "--output", "o.csv", "--quiet", "--log-file", "/dev/full", environment=surroundings(org)
        )
    assert done.returncode == 0
    assert done.stderr == "bulkforce: /dev/full cannot be written, so nothing more is logged there\n"
