"""What the org's answers mean to a load, where an org that is well never gives them: flows that are answered by hand."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

import pytest
from tests.support.script import Script, batch_info, job_info, refused, said, script, xml

from bulkforce.apis.abc import BatchEnd, ContentRefused, Found, JobStanding, Looks, Sent
from bulkforce.apis.ingest1 import Ingest1
from bulkforce.apis.jobs1 import abort
from bulkforce.errors import Error, InvalidRequest, LimitReached, NotAuthenticated, ProtocolError, Unsettled, UsageError
from bulkforce.protocol.exchange import Answer, Body
from bulkforce.protocol.retry import RetryPolicy

API = Ingest1.of("insert", "Contact", Looks(10.0, 3))
ONCE = RetryPolicy(attempts=1)


def listed(*batches: tuple[str, str]) -> Answer:
    members = [
        f"<batchInfo><id>{one}</id><jobId>750A</jobId><state>{state}</state></batchInfo>" for one, state in batches
    ]
    return said(xml("batchInfoList", "".join(members)))


def job(state: str) -> Answer:
    return said(job_info(state))


@pytest.mark.parametrize("operation", ["query", "queryAll"])
def test_a_load_is_no_query(operation: str) -> None:
    with pytest.raises(UsageError, match="to get records out, use extract"):
        Ingest1.of(operation, "Contact", Looks(1.0, 1))


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (refused("InvalidSessionId", status=401), NotAuthenticated),
        (refused("ExceededQuota"), LimitReached),
        (refused("InvalidJob"), InvalidRequest),
    ],
)
def test_what_is_refused_for_another_reason_than_its_content_is_no_word_on_its_content(
    answer: Answer, kind: type[Error]
) -> None:
    with pytest.raises(kind):
        Script([answer, answer], policy=ONCE).run(API.send("750A", Body.of(b"x")))


@pytest.mark.parametrize("code", ["InvalidBatch", "ClientInputError", "UnsupportedContentType"])
def test_content_that_is_wrong_stays_wrong(code: str) -> None:
    answer = Script([refused(code, "bad")], policy=ONCE).run(API.send("750A", Body.of(b"x")))
    assert answer == ContentRefused(f"{code}: bad")


@pytest.mark.parametrize("answer", [refused("InvalidJobState"), refused("InvalidBatch", "Job 750A is not Open")])
def test_a_job_that_is_not_open_is_looked_at_whatever_the_refusal_is_called(answer: Answer) -> None:
    seen = Script([answer, job("Closed")], policy=ONCE).run(API.send("750A", Body.of(b"x")))
    assert (seen.id, seen.standing) == ("750A", JobStanding.CLOSED)


def audit(*lines: Answer, known: Sequence[str] = ("751B",), closed: bool = True) -> Script:
    played = Script(list(lines), policy=ONCE)
    played.run(API.audit("750A", known, doubts=False, ours_to_close=False, closed=closed))
    assert played.lines == []
    return played


def test_a_job_that_was_closed_and_is_open_again_is_closed_before_it_is_believed() -> None:
    audit(job("Open"), job("Closed"), job("Closed"), listed(("751B", "Queued")))


def test_a_job_that_stays_open_though_it_says_that_it_is_closed_is_not_believed() -> None:
    with pytest.raises(Unsettled, match="could not be closed") as caught:
        audit(job("Open"), job("Closed"), job("Open"))
    assert (caught.value.why, caught.value.job_id) == ("restless", "750A")


def test_a_list_that_lacks_a_batch_for_good_is_an_error() -> None:
    short_list = listed(("751B", "Queued"))
    with pytest.raises(ProtocolError) as caught:
        audit(job("Closed"), short_list, *[short_list, job("Closed")] * 2, known=("751B", "751C"))
    assert (caught.value.job_id, caught.value.batch_id) == ("750A", "751C")


@pytest.mark.parametrize("state", ["Open", "Closed"])
def test_a_batch_that_was_not_processed_in_a_job_that_was_not_aborted_makes_no_sense(state: str) -> None:
    with pytest.raises(
        ProtocolError, match=f"not processed, as happens when a job is aborted, but also that the job is {state}"
    ):
        script(API.look("750A", ["751B"]), [listed(("751B", "NotProcessed")), job(state)])


def test_a_batch_that_was_not_processed_tells_that_its_job_was_aborted() -> None:
    seen = script(API.look("750A", ["751B"]), [listed(("751B", "NotProcessed"), ("751C", "Queued")), job("Aborted")])
    assert (seen.batches["751B"].end, seen.batches["751C"].end) == (BatchEnd.NOT_PROCESSED, None)
    assert seen.job.standing is JobStanding.ABORTED


def test_a_batch_that_is_waited_for_must_be_in_the_list() -> None:
    with pytest.raises(ProtocolError) as caught:
        script(API.look("750A", ["751B"]), [listed(("751C", "Queued"))])
    assert caught.value.batch_id == "751B"


def test_a_batch_that_failed_may_have_no_results_and_one_that_is_whole_must_have_them() -> None:
    none = refused("InvalidBatch", "no results")
    written = list[bytes]()
    assert Script([none], policy=ONCE).run(API.fetch_results("750A", "751B", written.append, whole=False)) is False
    with pytest.raises(InvalidRequest):
        Script([none], policy=ONCE).run(API.fetch_results("750A", "751B", written.append, whole=True))
    assert written == []


@pytest.mark.parametrize(
    ("held", "adopted"),
    [
        (b"A\nx\n", True),
        (b'"A"\r\n"x"\r\n', True),
        (b"A\ny\n", False),
        (b"A\n\xff\n", False),
        (b'A\n"x\n', False),
    ],
    ids=["the very bytes", "the same records", "another record", "no UTF-8", "no CSV"],
)
def test_a_batch_is_ours_if_it_holds_what_we_sent(held: bytes, adopted: bool) -> None:
    sent = Sent(sha256(b"A\nx\n").hexdigest(), lambda: b"A\nx\n")
    lines = [job("Closed"), *[listed(("751B", "Queued")), job("Closed")] * 3]
    played = Script([*lines[:5], said(held, media="text/csv")], policy=ONCE)
    found = played.run(API.settle("750A", [], {1: sent}))
    assert found == (Found({1: "751B"}, ()) if adopted else Found({}, ("751B",)))


@pytest.mark.parametrize(("state", "more"), [("Aborted", []), ("Closed", []), ("Open", [said(job_info("Closed"))])])
def test_a_job_that_cannot_be_aborted_takes_nothing_more_all_the_same(state: str, more: list[Answer]) -> None:
    script(abort("750A"), [refused("InvalidJobState"), said(job_info(state)), *more])


def test_one_batch_is_looked_at_alone() -> None:
    seen = script(API.look_at_batch("750A", "751B"), [said(batch_info("Completed"))])
    assert (seen.id, seen.end) == ("751B", BatchEnd.COMPLETED)
