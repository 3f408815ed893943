"""What a job of ours really holds, found out by flows that are answered by hand: an org whose list is behind, or which
took what nobody believed in."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.script import NAMESPACE, said, xml

from bulkforce.apis.abc import Found, JobStanding, Looks, Sent
from bulkforce.apis.ingest1 import Ingest1
from bulkforce.apis.jobs1 import close_for_good
from bulkforce.errors import Unsettled
from bulkforce.protocol.exchange import Answer
from bulkforce.protocol.flow import Authenticate, Credentials, Flow, Policy, Send, Sleep
from bulkforce.protocol.retry import RetryPolicy
from bulkforce.vocabulary import JobState

JOB = "750000000000001AAA"
API = Ingest1.of("insert", "Contact", Looks(10.0, 8))


@dataclass
class Org:
    """One job. What it holds is a list of contents; how much of it is shown changes from look to look.

    Attributes:
        contents: What its batches hold, in their order.
        listed: How many batches each look at the list shows; the last goes on.
        counted: How many batches each look at the job counts; the last goes on, ``None`` is an org that does not tell.
        states: The states that the job says it is in, whatever was asked; the last goes on.
    """

    contents: Sequence[bytes]
    listed: list[int]
    counted: list[int | None]
    states: list[str] = field(default_factory=lambda: ["Closed"])
    pauses: list[float] = field(default_factory=list)

    def run(self, flow: Flow[Any]) -> Any:
        answer: Any = None
        try:
            effect = next(flow)
            while True:
                match effect:
                    case Policy():
                        answer = RetryPolicy(attempts=1)
                    case Authenticate():
                        answer = Credentials("https://acme.my.salesforce.com", "00D!session")
                    case Sleep(seconds):
                        self.pauses.append(seconds)
                        answer = None
                    case Send(request):
                        answer = self.answer(request.path)
                        answer = Answer(request, answer.status, answer.headers, answer.body)
                effect = flow.send(answer)
        except StopIteration as done:
            return done.value

    def answer(self, path: str) -> Answer:
        if path.endswith("/request"):
            return said(self.contents[int(path.split("/")[-2][3:15])], media="text/csv")
        if path.endswith("/batch"):
            shown = _next(self.listed)
            batches = "".join(
                f"<batchInfo><id>{batch_id(number)}</id><jobId>{JOB}</jobId><state>Queued</state></batchInfo>"
                for number in range(shown)
            )
            return said(f'<batchInfoList xmlns="{NAMESPACE}">{batches}</batchInfoList>')
        count = _next(self.counted)
        total = "" if count is None else f"<numberBatchesTotal>{count}</numberBatchesTotal>"
        members = (
            f"<id>{JOB}</id><operation>insert</operation><object>Contact</object><state>{_next(self.states)}</state>"
        )
        return said(xml("jobInfo", f"{members}<contentType>CSV</contentType>{total}"))


def _next(answers: list[Any]) -> Any:
    return answers.pop(0) if len(answers) > 1 else answers[0]


def batch_id(number: int) -> str:
    return f"751{number:012}AAA"


def sent(content: bytes) -> Sent:
    return Sent(hashlib.sha256(content).hexdigest(), lambda: content)


A, B, C = b"Name\na\n", b"Name\nb\n", b"Name\nc\n"


def test_absence_is_believed_after_two_equal_looks_with_a_pause_between() -> None:
    org = Org([A], [1], [1])
    assert org.run(API.settle(JOB, {batch_id(0)}, {2: sent(B)})) == Found({}, ())
    assert org.pauses == [10.0]


def test_batch_that_appears_after_the_first_look_is_adopted() -> None:
    org = Org([A, B], [1, 2], [1, 1, 2])
    assert org.run(API.settle(JOB, {batch_id(0)}, {2: sent(B)})) == Found({2: batch_id(1)}, ())
    assert org.pauses == [10.0, 15.0]


@pytest.mark.parametrize("counted", [[1, 2], [1, 2, 2, 2]])
def test_list_that_shows_less_than_the_job_counts_is_not_believed(counted: list[int | None]) -> None:
    org = Org([A, B], [1, 1, 1, 2], counted)
    assert org.run(API.settle(JOB, {batch_id(0)}, {2: sent(B)})) == Found({2: batch_id(1)}, ())


def test_list_that_never_agrees_with_the_count_is_never_believed() -> None:
    org = Org([A, B], [1], [2])
    with pytest.raises(Unsettled, match="keep changing") as caught:
        org.run(API.settle(JOB, {batch_id(0)}, {2: sent(B)}))
    assert caught.value.why == "restless"
    assert sum(org.pauses) < 600


def test_org_that_does_not_count_is_believed_by_its_list() -> None:
    assert Org([A], [1], [None]).run(API.settle(JOB, {batch_id(0)}, {2: sent(B)})) == Found({}, ())


def test_looks_agree_however_ids_are_written_in_them() -> None:
    class Org15(Org):
        """Every other list has ids without check characters."""

        def answer(self, path: str) -> Answer:
            answer = super().answer(path)
            return (
                replace(answer, body=answer.body.replace(b"AAA</id>", b"</id>"))
                if path.endswith("/batch") and self.pauses
                else answer
            )

    org = Org15([A, B], [1, 2], [1, 2])
    assert org.run(API.settle(JOB, {batch_id(0)}, {2: sent(B)})) == Found({2: batch_id(1)[:15]}, ())
    org = Org15([A], [1], [1])
    assert org.run(API.settle(JOB, {batch_id(0)}, {2: sent(B)})) == Found({}, ())
    assert org.pauses == [10.0]


@given(
    held=st.lists(st.sampled_from([A, B, C]), max_size=5),
    doubts=st.lists(st.sampled_from([A, B, C]), max_size=4),
    known=st.integers(0, 3),
    lags=st.lists(st.integers(0, 5), max_size=3),
)
def test_what_is_held_is_adopted_as_a_multiset_and_the_rest_told_as_strangers(
    held: list[bytes], doubts: list[bytes], known: int, lags: list[int]
) -> None:
    known = min(known, len(held))
    listed = [min(len(held), max(known, lag)) for lag in lags]
    found = Org(held, [*listed, len(held)], [len(held)]).run(
        API.settle(
            JOB,
            {batch_id(number) for number in range(known)},
            {number: sent(content) for number, content in enumerate(doubts)},
        )
    )
    new = list(held[known:])
    adopted = [doubts[number] for number in found.adopted]
    assert [held[int(name[3:15])] for name in found.adopted.values()] == adopted
    for content in (A, B, C):
        assert adopted.count(content) == min(new.count(content), doubts.count(content))
    assert len(found.strangers) == len(new) - len(adopted)


def test_close_that_leaves_the_job_open_is_no_close() -> None:
    org = Org([], [0], [0], ["Open", "Open", "Open", "Closed"])
    assert org.run(close_for_good(JOB)).state is JobState.CLOSED
    with pytest.raises(Unsettled, match="could not be closed"):
        Org([], [0], [0], ["Open"]).run(close_for_good(JOB))


def check(org: Org, known: int, **options: bool) -> Any:
    facts = {"doubts": False, "ours_to_close": False} | options
    return org.run(API.audit(JOB, {batch_id(number) for number in range(known)}, **facts))


def test_audit_finds_strangers_at_once_and_waits_for_what_is_behind() -> None:
    assert check(Org([A, B], [2], [2]), 2).standing is JobStanding.CLOSED
    with pytest.raises(Unsettled, match=batch_id(2)) as caught:
        check(Org([A, B, C], [3], [3]), 2)
    assert (caught.value.why, set(caught.value.strangers)) == ("strangers", {batch_id(2)})
    behind = Org([A, B], [1, 1, 2], [2])
    assert check(behind, 2).standing is JobStanding.CLOSED
    assert behind.pauses


def test_audit_finds_a_stranger_that_only_the_count_tells_of() -> None:
    with pytest.raises(Unsettled) as caught:
        check(Org([A, B, C], [2, 2, 3], [3]), 2)
    assert caught.value.strangers == {batch_id(2)}


def test_audit_tells_that_somebody_else_closed_the_job() -> None:
    with pytest.raises(Unsettled, match="not by it") as caught:
        check(Org([A], [1], [1]), 1, ours_to_close=True)
    assert caught.value.why == "closed"
    assert check(Org([A], [1], [1], ["Open"]), 1, ours_to_close=True).standing is JobStanding.OPEN
    assert check(Org([A], [1], [1], ["Aborted"]), 1, ours_to_close=True).standing is JobStanding.ABORTED


def test_audit_leaves_batches_to_the_fence_while_some_are_in_doubt() -> None:
    assert check(Org([A, B], [2], [2]), 1, doubts=True).standing is JobStanding.CLOSED


def test_job_that_goes_on_saying_that_it_is_open_is_not_fenced() -> None:
    """Its close was answered with Closed, and each look at it says Open: something may still land in it."""
    org = Org([A], [1], [1], ["Closed", *["Open"] * 30])
    with pytest.raises(Unsettled, match="could not be closed"):
        org.run(API.settle(JOB, {batch_id(0)}, {2: sent(B)}))


def test_audit_closes_a_job_that_is_open_though_it_was_closed() -> None:
    assert check(Org([A], [1], [1], ["Open", "Closed", "Closed"]), 1, closed=True).standing is JobStanding.CLOSED
    with pytest.raises(Unsettled, match="could not be closed"):
        check(Org([A], [1], [1], ["Open"]), 1, closed=True)
