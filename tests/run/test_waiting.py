"""How long a run waits, how it is asked to stop, and how often it tells."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest

from bulkforce.errors import Error, Interrupted, NoAnswer, Unavailable, UsageError
from bulkforce.run.waiting import Patience, Remaining, ctrl_c_told, every_so_often, interruptible


@pytest.fixture(autouse=True)
def _usual_ctrl_c() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def asking(seconds: float | None) -> Error:
    return Unavailable("busy", retry_after_seconds=seconds)


@pytest.mark.parametrize(
    ("error", "lasted", "expected"),
    [
        (NoAnswer("lost"), 0.0, 1.0),
        (NoAnswer("lost"), 40.0, 11.0),
        (NoAnswer("lost"), 600.0, 30.0),
        (OSError("lost"), 600.0, 30.0),
        (asking(None), 0.0, 1.0),
        (asking(0.5), 0.0, 1.0),
        (asking(120.0), 0.0, 120.0),
        (asking(86_400.0), 0.0, 300.0),
    ],
    ids=[
        "a second at first",
        "longer the longer it lasts",
        "never longer than this",
        "whatever fails",
        "the org asks for nothing",
        "the org asks for less",
        "the org asks for more",
        "the org asks for more than anybody waits",
    ],
)
def test_a_pause_is_as_long_as_the_trouble_and_the_org_make_it(
    error: Exception,
    lasted: float,
    expected: float,
) -> None:
    assert Patience().pause(error, lasted) == expected


def test_the_first_ctrl_c_asks_to_stop_and_the_second_ends_the_process() -> None:
    asked: list[str] = []
    with interruptible(lambda: asked.append("stop")):
        signal.raise_signal(signal.SIGINT)
        assert asked == ["stop"]
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert asked == ["stop"]


def ends(_context: AbstractContextManager[None]) -> None:
    with pytest.raises(ZeroDivisionError), _context:
        raise ZeroDivisionError


def test_afterwards_ctrl_c_is_what_it_was() -> None:
    ends(interruptible(lambda: None))
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_program_that_handles_ctrl_c_itself_goes_on_to_do_so() -> None:
    seen: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _frame: seen.append(number))
    with interruptible(lambda: pytest.fail("it is not ours")):
        signal.raise_signal(signal.SIGINT)
    assert seen == [signal.SIGINT]


def test_in_another_thread_there_is_no_ctrl_c() -> None:
    """Python lets none but the main thread set what a signal does."""
    done: list[bool] = []

    def work() -> None:
        with interruptible(lambda: None):
            done.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [True]


def test_ctrl_c_where_nothing_is_on_the_wire_is_told_as_a_stop() -> None:
    with pytest.raises(Interrupted, match="stopped by Ctrl-C") as caught, ctrl_c_told():
        signal.raise_signal(signal.SIGINT)
    assert caught.value.__cause__ is None
    ends(ctrl_c_told())


def test_time_that_is_left_is_estimated_by_the_pace_since_the_first_rows() -> None:
    remaining = Remaining()
    # 20 batches, 4 at a time, each of one second, after 10 seconds of reading and logging in.
    assert remaining.seconds(0, 200, 10.0) is None
    assert remaining.seconds(40, 200, 11.0) is None
    assert remaining.seconds(80, 200, 12.0) is None
    assert remaining.seconds(120, 200, 13.0) == 2.0
    assert remaining.seconds(120, 200, 14.0) == 3.0
    assert remaining.seconds(200, 200, 15.0) == 0.0


def test_progress_is_told_at_most_so_often_and_made_only_then(monkeypatch: pytest.MonkeyPatch) -> None:
    now, told, made = 100.0, list[int](), list[int]()
    monkeypatch.setattr(time, "monotonic", lambda: now)
    tell = every_so_often(told.append, 0.5)
    for number in range(20):
        now = 100.0 + number * 0.125
        tell(lambda: made.append(number) or number)  # type: ignore[func-returns-value]  # noqa: B023  (called at once)
    assert told == made == [0, 4, 8, 12, 16]


def test_progress_that_is_told_to_nothing_is_not_told() -> None:
    silent: Callable[[Callable[[], int]], None] = every_so_often(None)
    silent(lambda: pytest.fail("nobody takes it"))
    with pytest.raises(UsageError, match="on_progress must be a function that takes the progress, not int"):
        every_so_often(7)  # type: ignore[arg-type]
