"""The report of a load, as it is printed."""

from __future__ import annotations

import io
import os
from dataclasses import replace
from pathlib import Path

import pytest

from bulkforce import ErrorGroup, ErrorSample, LoadReport
from bulkforce.cli.output import show
from bulkforce.run.report import RunState

DATES = ErrorGroup(
    "INVALID_TYPE_ON_FIELD_IN_RECORD",
    "Close Date: value not of required type: ...",
    3_000,
    1,
    "",
    fields=("CloseDate",),
    remedy="Write dates as 2026-12-31.",
    samples=(
        ErrorSample(1, "31/12/2026", "Acme,31/12/2026," + "wide," * 30),
        ErrorSample(7, "1/1/2026", 'Edge\n"Two lines",1/1/2026'),
        ErrorSample(19, "", "x"),
    ),
)
REPORT = LoadReport(
    run="1",
    run_dir=Path("run"),
    state=RunState.FINISHED,
    operation="insert",
    object="Opportunity",
    read=4_000,
    succeeded=1_000,
    failed=3_000,
    batches=1,
    api_calls=12,
    errors=(DATES,),
)


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("out", [io.StringIO, _Terminal], ids=["piped", "80 columns"])
def test_cause_is_whole_and_its_samples_are_cut_to_a_line(
    monkeypatch: pytest.MonkeyPatch, out: type[io.StringIO]
) -> None:
    printed = out()
    monkeypatch.setattr("sys.stdout", printed)
    monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((80, 24)))
    assert show(REPORT, as_json=False) == 3
    lines = printed.getvalue().splitlines()
    reasons = lines[lines.index("Why rows failed (row 1 is the first below the header):") + 1 :]
    message = "INVALID_TYPE_ON_FIELD_IN_RECORD: Close Date: value not of required type: ... (CloseDate)"
    count = 1 if out is io.StringIO else 2
    assert " ".join(" ".join(reasons[:count]).split()) == f"3,000 {message}"
    assert [line.strip() for line in reasons[count:]] == [
        "-> Write dates as 2026-12-31.",
        "row 1: 31/12/2026 in Acme,31/12/2026,wide,wide,wide,wide,wid...",
        'row 7: 1/1/2026 in Edge "Two lines",1/1/2026',
        "row 19: x",
    ]
    assert all(len(line) <= 80 for line in reasons[1:])


def test_one_is_said_in_the_singular(capsys: pytest.CaptureFixture[str]) -> None:
    show(replace(REPORT, read=1, succeeded=1, failed=0, api_calls=1, errors=(), seconds=0.0), as_json=False)
    assert capsys.readouterr().out.startswith("insert Opportunity: 1 row in 1 batch, 0.0 s, 1 API call\n")


def test_plan_says_which_rows_would_be_rejected(capsys: pytest.CaptureFixture[str]) -> None:
    rejected = ErrorGroup(
        "REJECTED", "... fields where the header has 2", 1, 1, "b", samples=(ErrorSample(1, "", "b"),)
    )
    show(replace(REPORT, state=RunState.PLANNED, rejected=1, errors=(rejected,)), as_json=False)
    assert "Why rows would be rejected:\n       1  REJECTED: ... fields" in capsys.readouterr().out
