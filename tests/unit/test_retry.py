from __future__ import annotations

import pytest

from bulkforce import errors
from bulkforce.protocol.retry import RetryPolicy, is_passing

POLICY = RetryPolicy(attempts=5, first_seconds=1, longest_seconds=3, patience_seconds=60)
LOST = errors.NoAnswer("lost")


def test_pause_doubles_up_to_the_longest_and_ends_with_the_attempts() -> None:
    assert [POLICY.pause(LOST, attempt) for attempt in range(1, 7)] == [1, 2, 3, 3, None, None]


def test_pause_is_a_number_at_any_attempt() -> None:
    assert RetryPolicy(attempts=5_000).pause(LOST, 4_999) == 30


@pytest.mark.parametrize(("asked", "expected"), [(0, 1), (10, 10), (60, 60), (60.5, None)])
@pytest.mark.parametrize("kind", [errors.Unavailable, errors.LimitReached])
def test_pause_is_what_the_org_asks_for_within_patience(
    kind: type[errors.RefusedError], asked: float, expected: float | None
) -> None:
    assert POLICY.pause(kind("later", retry_after_seconds=asked), 1) == expected


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (errors.NotSent("x"), True),
        (errors.NotSent("x", lasting=True), False),
        (errors.NoAnswer("x"), True),
        (errors.Unavailable("x"), True),
        (errors.LimitReached("x"), False),
        (errors.LimitReached("x", retry_after_seconds=1), True),
        (errors.OutcomeUnknown("x"), False),
        (errors.NotAuthenticated("x"), False),
        (errors.InvalidRequest("x"), False),
        (errors.ProtocolError("x"), False),
    ],
)
def test_is_passing_tells_what_may_succeed_later(fault: errors.Error, *, expected: bool) -> None:
    assert expected is is_passing(fault)


def test_policy_of_one_attempt_never_repeats() -> None:
    assert RetryPolicy(attempts=1).pause(LOST, 1) is None
