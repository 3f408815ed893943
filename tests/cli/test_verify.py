"""`bulkforce verify` asks before it sends, and refuses what it was not allowed."""

from __future__ import annotations

import io
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.cli.processes import COMMAND, SURROUNDINGS

from bulkforce.cli.main import main
from bulkforce.verify.fields import schema
from bulkforce_emulator import Emulator
from bulkforce_emulator.faults import Fault

LATEST = ["--only", "unknown_path_status", "--only", "early_results"]


class Terminal(io.StringIO):
    """Somebody who types."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def org(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    with Emulator(schema("mine_Record__c")) as org:
        monkeypatch.setenv("BULKFORCE_INSTANCE_URL", org.base_url)
        monkeypatch.setenv("BULKFORCE_ACCESS_TOKEN", org.session_id)
        yield org


def call(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["bulkforce", "verify", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_it_asks_and_prints_a_report(
    org: Emulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal("y\n"))
    assert call(monkeypatch, "--prefix", "mine_", *LATEST) == 0
    report, talk = capsys.readouterr()
    assert "write about 500 small records into mine_Record__c" in talk
    assert report.startswith("# bulkforce verify: 2 of 2 questions answered\n")
    assert "| `unknown_path_status` | What is the status for an unknown path? | `400` |" in report


def test_question_that_there_is_not_is_named_with_those_that_there_are(
    org: Emulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, "--only", "unknow_path", *LATEST) == 2
    said = capsys.readouterr().err
    assert "There is no question 'unknow_path'; they are: " in said
    assert "unknown_path_status" in said
    assert org.requests == []


@pytest.mark.parametrize(
    ("typed", "reason"),
    [(Terminal("n\n"), "You did not agree"), (io.StringIO(), "Nothing was written: without a terminal")],
)
def test_without_consent_nothing_is_written(
    org: Emulator,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    typed: io.StringIO,
    reason: str,
) -> None:
    monkeypatch.setattr("sys.stdin", typed)
    assert call(monkeypatch, "--prefix", "mine_") == 2
    assert reason in capsys.readouterr().err
    assert {request.method for request in org.requests} == {"GET"}


def test_org_in_production_is_refused_without_the_switch(
    org: Emulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = '{"totalSize": 1, "done": true, "records": [{"OrganizationType": "Unlimited Edition", "IsSandbox": false}]}'
    fault: dict[str, Any] = {"path": "*/query", "status": 200, "content_type": "application/json", "body": told}
    org.faults.add(Fault("answer replaced", times=2, **fault))
    assert call(monkeypatch, "--prefix", "mine_", "--yes", *LATEST) == 2
    assert "it may be in production" in capsys.readouterr().err
    assert call(monkeypatch, "--prefix", "mine_", "--yes", "--production", *LATEST) == 0


@pytest.mark.parametrize("prefix", ["", "a__b", "1a", "bfv_; DROP", "Account,"])
def test_prefix_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, prefix: str) -> None:
    assert call(monkeypatch, "--prefix", prefix, "--emulator") == 2


def test_definition_of_the_object_is_written_and_nothing_overwritten(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "object"
    assert call(monkeypatch, "--prefix", "mine_", "--write-object", str(folder)) == 0
    assert (folder / "force-app/main/default/objects/mine_Record__c/mine_Record__c.object-meta.xml").exists()
    assert call(monkeypatch, "--prefix", "mine_", "--write-object", str(folder)) == 2


def test_it_can_be_seen_on_an_emulated_org(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(monkeypatch, "--emulator", *LATEST) == 0
    assert "2 of 2 questions answered" in capsys.readouterr().out


def test_ctrl_c_leaves_nothing_behind(org: Emulator) -> None:
    with subprocess.Popen(
        [*COMMAND, "verify", "--prefix", "mine_", "--yes"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**SURROUNDINGS, **os.environ},
        text=True,
    ) as process:
        assert process.stderr
        for line in process.stderr:
            if "/64 lenient_dates" in line:
                process.send_signal(signal.SIGINT)
                break
        report, _ = process.communicate()
    assert (process.returncode, report) == (130, "")
    assert org.ledger()
    assert org.records("mine_Record__c") == []
