"""A staged load, with every answer supplied by hand: the recovery table, row by row."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from tests.support.script import Line, Script, said

from bulkforce.apis import staged
from bulkforce.apis.staged import StageState
from bulkforce.errors import (
    Error,
    InvalidRequest,
    JobAborted,
    NoAnswer,
    NotFound,
    OutcomeUnknown,
    Unsettled,
    UsageError,
)
from bulkforce.protocol import settings2
from bulkforce.protocol.exchange import Answer, Body
from bulkforce.protocol.flow import Flow
from bulkforce.protocol.retry import RetryPolicy

ONE, TWO = "750000000000001AAA", "750000000000002AAA"
INSERT = settings2.settings("insert", "Contact")
STATE = StageState(INSERT, 1_000_000_000.0, (ONE, TWO))
LOST = NoAnswer("the connection broke")
BODY = Body.of(b"LastName\nOtt\n")
UPLOADED = said(status=201, media="")
DELETED = said(status=204, media="")


def job(state: str, job_id: str = ONE, **more: object) -> Answer:
    named = {"id": job_id, "operation": "insert", "object": "Contact", "createdById": "005A", "state": state}
    return said(json.dumps(named | more), media="application/json")


def no(code: str, message: str = "no", status: int = 400) -> Answer:
    return said(json.dumps([{"errorCode": code, "message": message}]), status, "application/json")


GONE = no("NOT_FOUND", "The requested resource does not exist", 404)
FINISHED = no("INVALIDJOBSTATE", "Closing already Completed Job not allowed")


def played(flow: Flow[Any], lines: Sequence[Line]) -> tuple[Any, list[str]]:
    """Run a flow; return what it returns or raises, and what was asked for: ``PATCH 1 Aborted``."""
    script = Script(list(lines), policy=RetryPolicy(attempts=2, first_seconds=0.5))
    outcome: Any
    try:
        outcome = script.run(flow)
    except Error as error:
        outcome = error
    assert script.lines == []
    asked = []
    for request in script.sent:
        content = request.body.open().read() if request.body else b""
        state = f" {json.loads(content)['state']}" if request.method == "PATCH" else ""
        number = {ONE: " 1", TWO: " 2"}.get(request.job_id or "", "")
        asked.append(f"{request.method}{number}{state}")
    return outcome, asked


CLEARED = ["PATCH 1 Aborted", "DELETE 1"]


@pytest.mark.parametrize(
    ("lines", "outcome", "asked"),
    [
        ([job("Open"), UPLOADED], ONE, ["POST", "PUT 1"]),
        # The answer to the create is lost: a new one; the stray is harmless.
        ([LOST, job("Open", TWO), UPLOADED], TWO, ["POST", "POST", "PUT 2"]),
        ([LOST, LOST], OutcomeUnknown, ["POST", "POST"]),
        # The answer to the upload is lost: never the same job again.
        (
            [job("Open"), LOST, job("Aborted"), DELETED, job("Open", TWO), UPLOADED],
            TWO,
            ["POST", "PUT 1", *CLEARED, "POST", "PUT 2"],
        ),
        # Even if it cannot be cleared away: it is never completed.
        ([job("Open"), LOST, LOST, job("Open", TWO), UPLOADED], TWO, ["POST", "PUT 1", CLEARED[0], "POST", "PUT 2"]),
        # What the org itself refuses is not tried again, and leaves nothing behind.
        ([job("Open"), no("API_ERROR"), job("Aborted"), DELETED], InvalidRequest, ["POST", "PUT 1", *CLEARED]),
        ([no("INVALIDJOB")], InvalidRequest, ["POST"]),
    ],
)
def test_write_leaves_one_piece_or_nothing_that_counts(
    lines: Sequence[Line], outcome: Any, asked: Sequence[str]
) -> None:
    found, did = played(staged.write(INSERT, BODY), lines)
    assert did == asked
    assert found == outcome if isinstance(outcome, str) else isinstance(found, outcome)


LOOKS = ["GET 1", "GET 2"]
OPEN = [job("Open"), job("Open", TWO)]


@pytest.mark.parametrize(
    ("lines", "outcome", "asked"),
    [
        (
            [*OPEN, job("UploadComplete"), job("UploadComplete", TWO)],
            ["UploadComplete", "UploadComplete"],
            [*LOOKS, "PATCH 1 UploadComplete", "PATCH 2 UploadComplete"],
        ),
        # Repeated, by anyone: what is taken is left alone.
        ([job("JobComplete"), job("InProgress", TWO)], ["JobComplete", "InProgress"], LOOKS),
        (
            [job("Failed"), job("Open", TWO), job("UploadComplete", TWO)],
            ["Failed", "UploadComplete"],
            [*LOOKS, "PATCH 2 UploadComplete"],
        ),
        # The answer is lost, and the commit was done; or not, and it is sent again.
        (
            [*OPEN, LOST, job("InProgress"), job("UploadComplete", TWO)],
            ["InProgress", "UploadComplete"],
            [*LOOKS, "PATCH 1 UploadComplete", "GET 1", "PATCH 2 UploadComplete"],
        ),
        (
            [*OPEN, LOST, job("Open"), job("UploadComplete"), job("UploadComplete", TWO)],
            ["UploadComplete", "UploadComplete"],
            [*LOOKS, "PATCH 1 UploadComplete", "GET 1", "PATCH 1 UploadComplete", "PATCH 2 UploadComplete"],
        ),
        # Another process was faster.
        (
            [*OPEN, FINISHED, job("JobComplete"), job("UploadComplete", TWO)],
            ["JobComplete", "UploadComplete"],
            [*LOOKS, "PATCH 1 UploadComplete", "GET 1", "PATCH 2 UploadComplete"],
        ),
        # One is gone before anything is committed: nothing is.
        ([job("Open"), GONE], JobAborted, LOOKS),
        ([job("Aborted"), job("Open", TWO)], JobAborted, LOOKS),
        ([job("InProgress"), GONE], Unsettled, LOOKS),
        # Somebody spoils or aborts one in between.
        (
            [*OPEN, no("INVALIDJOB", "Found multipe contents"), job("Open")],
            InvalidRequest,
            [*LOOKS, "PATCH 1 UploadComplete", "GET 1"],
        ),
        ([*OPEN, LOST, job("Aborted")], OutcomeUnknown, [*LOOKS, "PATCH 1 UploadComplete", "GET 1"]),
        ([*OPEN, LOST, GONE], NotFound, [*LOOKS, "PATCH 1 UploadComplete", "GET 1"]),
        (
            [*OPEN, LOST, job("Open"), LOST, job("Open")],
            OutcomeUnknown,
            [*LOOKS, "PATCH 1 UploadComplete", "GET 1", "PATCH 1 UploadComplete", "GET 1"],
        ),
    ],
)
def test_commit_completes_every_piece_once(lines: Sequence[Line], outcome: Any, asked: Sequence[str]) -> None:
    found, did = played(staged.commit(STATE), lines)
    assert did == asked
    assert [one.state for one in found] == outcome if isinstance(outcome, list) else isinstance(found, outcome)


@pytest.mark.parametrize(
    ("lines", "outcome", "asked"),
    [
        (
            [*OPEN, job("Aborted"), DELETED, job("Aborted", TWO), DELETED],
            None,
            [*LOOKS, *CLEARED, "PATCH 2 Aborted", "DELETE 2"],
        ),
        ([GONE, job("Aborted", TWO), DELETED], None, [*LOOKS, "DELETE 2"]),
        ([GONE, job("Aborted", TWO), LOST, GONE], None, [*LOOKS, "DELETE 2", "DELETE 2"]),
        ([GONE, job("Aborted", TWO), GONE], None, [*LOOKS, "DELETE 2"]),
        (
            [GONE, job("Open", TWO), LOST, job("Aborted", TWO), DELETED],
            None,
            [*LOOKS, "PATCH 2 Aborted", "GET 2", "DELETE 2"],
        ),
        ([job("Open"), job("UploadComplete", TWO)], Unsettled, LOOKS),
    ],
)
def test_abort_leaves_nothing(lines: Sequence[Line], outcome: Any, asked: Sequence[str]) -> None:
    found, did = played(staged.abort(STATE), lines)
    assert did == asked
    assert found is None if outcome is None else isinstance(found, outcome)


def test_strays_are_open_jobs_of_this_user_for_the_same_thing_since_it_began() -> None:
    began = "2001-09-09T01:46:40.000+0000"
    like = {"id": ONE, "operation": "insert", "object": "Contact", "createdById": "005A", "state": "Open"}
    like |= {"createdDate": began}
    own = like | {"id": TWO}
    others = [
        {"state": "InProgress"},
        {"createdById": "005B"},
        {"operation": "update"},
        {"object": "Lead"},
        {"createdDate": "2001-09-09T01:41:39.000+0000"},
    ]
    strangers = [like | other | {"id": f"75000000000001{place}"} for place, other in enumerate(others)]
    url = "/services/data/v66.0/jobs/ingest?queryLocator=x"
    pages = [
        {"done": False, "records": strangers, "nextRecordsUrl": url},
        {"done": True, "records": [like], "nextRecordsUrl": None},
    ]
    lines = [
        said(json.dumps(own), media="application/json"),
        *(said(json.dumps(page), media="application/json") for page in pages),
        *(job("Aborted"), DELETED),
        *(job("Aborted", TWO), DELETED),
    ]
    found, did = played(staged.abort(StageState(INSERT, 1_000_000_000.0), strays=True), lines)
    assert found is None
    assert did == ["POST", "GET", "GET", *CLEARED, "PATCH 2 Aborted", "DELETE 2"]


def test_state_is_a_small_json_text_that_another_process_reads() -> None:
    settings = settings2.settings(
        "upsert",
        "Case",
        external_id_field="Ext__c",
        column_delimiter="TAB",
        line_ending="CRLF",
        assignment_rule_id="01Q",
    )
    state = StageState(settings, 12.5).with_jobs((ONE,)).with_jobs([TWO, ONE[:15]])
    assert state.jobs == (ONE, TWO)
    assert staged.state_of(state.to_json()) == state
    assert played(staged.begin(settings), [])[0] == StageState(settings, 0.0)


@pytest.mark.parametrize(
    "changed",
    [
        None,
        {"stage": 2},
        {"jobs": "750"},
        {"jobs": [7]},
        {"begun": "now"},
        {"operation": "query"},
        {"object": None},
        {"column_delimiter": ","},
    ],
)
def test_other_text_is_no_state(changed: dict[str, object] | None) -> None:
    text = "" if changed is None else json.dumps(json.loads(STATE.to_json()) | changed)
    with pytest.raises(UsageError):
        staged.state_of(text)


def test_pieces_of_a_write_that_broke_off_are_discarded() -> None:
    lines: list[Line] = [job("Aborted"), DELETED, LOST]
    assert played(staged.discard([ONE, TWO]), lines) == (None, [*CLEARED, "PATCH 2 Aborted"])
