"""Who is told what happens, in which thread, and what becomes of what a function of the caller raises."""

from __future__ import annotations

import contextlib
import logging
import re
import threading
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import pytest

from bulkforce import BearerToken, Client, bars, events
from bulkforce.errors import Facts, Interrupted, NotSent, Unavailable, UsageError
from bulkforce.protocol.exchange import Request
from bulkforce.protocol.flow import Sleep
from bulkforce.run.manner import Manner
from bulkforce.run.sitting import Sitting, carry_out
from bulkforce.run.telling import Teller
from bulkforce.standing import Standing
from bulkforce.transport.noting import Note, WorkSpan
from bulkforce.transport.stopping import Stop

BEGUN = events.RunBegun(verb="query", run="", run_dir=None, operation="query", object="Contact")
ENDED = events.RunEnded(run="", state="finished", rows=3, succeeded=3)
OPENED, CLOSED = events.JobOpened(job="750A"), events.JobClosed(job="750A")


def test_events_of_other_threads_are_passed_on_by_the_teller_s_own_and_in_order() -> None:
    told: list[tuple[events.Event, int]] = []
    teller = Teller([lambda event: told.append((event, threading.get_ident()))], Stop())
    other = threading.Thread(target=teller.tell, args=(OPENED,))
    other.start()
    other.join()
    assert told == []
    teller.tell(CLOSED)
    assert told == [(OPENED, threading.get_ident()), (CLOSED, threading.get_ident())]


def test_nothing_is_kept_if_nothing_listens() -> None:
    teller = Teller([], Stop())
    assert not teller.is_heard
    teller.tell(OPENED)
    teller.pass_on()


def test_log_hears_each_event_in_words(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "bulkforce"):
        Teller([], Stop()).tell(OPENED)
    assert [record.getMessage() for record in caplog.records] == ["job 750A: created"]


def test_first_exception_of_the_callers_asks_to_stop_and_nothing_is_called_after_it() -> None:
    stop, calls, own = Stop(), list[object](), KeyError("x")

    def raises(event: object) -> None:
        calls.append(event)
        raise own

    teller = Teller([raises], stop)
    teller.tell(OPENED)
    teller.tell(CLOSED)
    assert calls == [OPENED]
    assert teller.raised is own
    assert str(stop.asked) == "on_event raised KeyError"


def sitting(told: list[events.Event]) -> Sitting:
    client = Client("https://acme.my.salesforce.com", auth=BearerToken("00D!x"))
    return Sitting.of(client.driver, manner=Manner(on_event=told.append))


def work(error: BaseException | None) -> int:
    if error is not None:
        raise error
    return 3


def test_run_is_told_from_its_beginning_to_its_end() -> None:
    told: list[events.Event] = []
    assert sitting(told).told(BEGUN, lambda _rows: ENDED, lambda: work(None)) == 3
    assert told[0] == BEGUN
    assert isinstance(told[1], events.RunEnded)
    assert (told[1].state, told[1].rows, told[1].stopped_by) == ("finished", 3, None)


def reported() -> Interrupted:
    error = Interrupted("stopped")
    error.report = 3
    return error


@pytest.mark.parametrize(
    ("error", "state", "rows", "why"),
    [
        (NotSent("gone"), "failed", 0, "gone"),
        (Interrupted("stopped"), "interrupted", 0, "stopped"),
        (reported(), "interrupted", 3, "stopped"),
        (KeyError("a value"), "failed", 0, "KeyError"),
        (KeyboardInterrupt(), "failed", 0, "KeyboardInterrupt"),
    ],
)
def test_run_that_does_not_finish_says_why(error: BaseException, state: str, rows: int, why: str) -> None:
    told: list[events.Event] = []
    ended = events.RunEnded(run="", state="interrupted", rows=3)
    with pytest.raises(type(error)):
        sitting(told).told(BEGUN, lambda _report: ended, lambda: work(error))
    last = told[-1]
    assert isinstance(last, events.RunEnded)
    assert (last.state, last.rows, last.stopped_by) == (state, rows, why)


def test_what_the_caller_raised_comes_out_with_what_to_do_next() -> None:
    own, told = KeyError("x"), list[events.Event]()
    sits = sitting(told)

    def raises(_progress: int) -> None:
        raise own

    on_progress = sits.watched(raises, lambda _: Standing("loading", "1 row"))
    assert on_progress is not None

    def stopped(_sitting: Sitting) -> None:
        on_progress(1)
        raise Interrupted("go on with: bulkforce resume")

    with pytest.raises(KeyError) as caught:
        sits.carry_out(stopped)
    assert caught.value is own
    with pytest.raises(KeyError) as late:
        sits.carry_out(lambda _sitting: None)
    assert late.value is own
    assert own.__notes__ == ["go on with: bulkforce resume", "Everything was done all the same"]


def test_other_errors_and_results_come_out_as_they_are() -> None:
    assert sitting([]).carry_out(lambda _sitting: 3) == 3
    with pytest.raises(NotSent):
        sitting([]).carry_out(lambda _sitting: work(NotSent("gone")))
    assert sitting([]).watched(None, lambda _: Standing("loading", "1 row")) is None


class Bar(bars.Bar):
    """A bar that keeps what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def _show(self, standing: Standing) -> None:
        self.seen.append(standing.rows)

    def _end(self, summary: str) -> None:
        self.seen.append(summary)


def in_words(rows: int) -> Standing:
    return Standing("loading", f"{rows} rows")


def test_bar_shows_progress_and_gives_way_to_the_caller_s_own_unless_it_was_asked_for() -> None:
    own: list[int] = []
    for shows, on_progress, seen in (
        (False, None, ["3 rows"]),
        (False, own.append, []),
        (True, own.append, ["3 rows"]),
    ):
        sits, bar = sitting([]), Bar()
        sits.bar, sits.shows = bar, shows
        watch = sits.watched(on_progress, in_words)
        assert watch is not None
        watch(3)
        assert bar.seen == seen
    assert own == [3, 3]


def test_bar_ends_with_the_summary_if_it_was_shown() -> None:
    for told, seen in ((3, ["3 rows", str(ENDED)]), (None, [])):
        with Bar() as bar:
            if told is not None:
                bar.tell(in_words(told))
            bar.hear(OPENED)
            bar.hear(ENDED)
        assert bar.seen == seen


class Span(contextlib.AbstractContextManager[object]):
    """A span that keeps what it hears."""

    def __init__(self) -> None:
        self.heard: list[object] = []

    def hear(self, event: events.Event) -> None:
        self.heard.append(event)

    def __exit__(self, *_: object) -> None:
        self.heard.append("end")


class Tracing:
    def __init__(self) -> None:
        self.spans: dict[str, Span] = {}

    def work(self, verb: str) -> Span:
        return self.spans.setdefault(verb, Span())

    def request(self, request: Request, url: str, work: WorkSpan | None) -> Note:
        raise AssertionError("no request is made")


def test_verb_has_a_span_if_spans_are_made() -> None:
    driver = Client("https://acme.my.salesforce.com", auth=BearerToken("00D!x")).driver

    def run(sits: Sitting) -> int:
        sits.tell(OPENED)
        return 3

    assert carry_out(driver, Stop(), None, "load", run) == 3
    driver.tracing = Tracing()
    assert carry_out(driver, Stop(), Manner(progress=False), "load", run) == 3
    assert driver.tracing.spans["load"].heard == [OPENED, "end"]


def test_lines_are_told_now_and_then_and_the_summary_at_the_end(capfd: pytest.CaptureFixture[str]) -> None:
    bar = bars.chosen(True)
    assert isinstance(bar, bars.InLines)
    with bar:
        bar.tell(in_words(3))
        bar.hear(ENDED)
    assert capfd.readouterr() == ("", f"{ENDED}\n")


@pytest.mark.parametrize("wanted", [None, False])
def test_nothing_is_shown_where_nobody_is_watching(wanted: bool | None) -> None:
    assert bars.chosen(wanted) is None


def test_pause_before_a_request_is_repeated_is_told() -> None:
    told: list[events.Event] = []
    fault = Unavailable("busy", Facts(status=503, method="GET", path="/services/x"))
    sits = sitting(told)
    sits._pauses(Sleep(1.5, because=fault))
    sits._pauses(Sleep(1.5))
    assert told == [
        events.RequestRepeated(method="GET", path="/services/x", status=503, error="Unavailable", seconds=1.5)
    ]
    assert str(told[0]) == "GET /services/x: Unavailable (HTTP 503), again in 1.5 s at most"


@pytest.mark.parametrize("manner", [{"on_event": 3}, {"progress": 3}, {"poll": 0}, {"max_api_calls": 0}])
def test_manner_that_makes_no_sense_is_refused(manner: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=next(iter(manner))):
        Manner(**manner)  # type: ignore[arg-type]


def test_pace_of_polling() -> None:
    patience = Manner(poll=30).patience()
    assert (patience.look_seconds, patience.look_longest_seconds) == (30.0, 30.0)


SINCE = datetime(2026, 12, 1, 9, 30, tzinfo=UTC)
WORDS: list[tuple[events.Event, str]] = [
    (BEGUN, "query Contact"),
    (
        events.RunBegun(verb="load", run="r", run_dir=None, operation="insert", object="Contact", resumed=True),
        "run r: insert Contact goes on",
    ),
    (
        events.SourceRead(rows=1, rejected=0, batches=2, bytes=3_000),
        "the source has 1 row, 0 of them rejected; 2 batches of 3,000 bytes",
    ),
    (OPENED, "job 750A: created"),
    (events.JobAbandoned(job=None), "a job could not be created, or the answer was lost"),
    (events.JobAbandoned(job="750A"), "job 750A: its results do not count"),
    (events.JobListed(job="750A", batches=3), "job 750A: all its batches are known (3)"),
    (CLOSED, "job 750A: closed"),
    (
        events.JobClosed(job="750A", found=1, absent=2),
        "job 750A: closed and settled; of the batches in doubt, the org has 1, and 2 will be sent again",
    ),
    (
        events.BatchUploaded(job="750A", number=2, records=1),
        "batch no. 2 with 1 record: uploaded; it counts once job 750A is committed",
    ),
    (events.BatchSent(job="750A", batch="750A"), "job 750A: accepted by the org"),
    (events.BatchSent(job="750A", batch="751B"), "batch 751B: accepted by the org, job 750A"),
    (
        events.BatchSent(job="750A", batch="751B", number=2, records=1),
        "batch 751B (no. 2) with 1 record: accepted by the org, job 750A",
    ),
    (
        events.AnswerLost(job="750A", number=2),
        "batch no. 2: its answer was lost; job 750A will be asked whether it has it",
    ),
    (
        events.BatchRepeated(batch="751B", number=2),
        "batch 751B (no. 2): not processed by the org; it will be sent again",
    ),
    (events.BatchEnded(batch=None, number=2, state="Refused"), "batch no. 2: Refused"),
    (
        events.BatchEnded(batch="751B", number=2, state="Completed", processed=5, failed=1),
        "batch 751B (no. 2): Completed, 5 processed, 1 failed",
    ),
    (
        events.BatchDone(batch="751B", number=2, rows=9, failed=1, unprocessed=2, in_doubt=3),
        "batch 751B (no. 2): 9 rows done, 3 succeeded, 1 failed, 2 unprocessed, 3 in doubt",
    ),
    (
        events.ResultFetched(batch="751B", result="752C", rows=5, bytes=1_000),
        "batch 751B: result 752C is on disk, rows: 5, bytes: 1,000",
    ),
    (
        events.RequestRepeated(method="", path="", status=None, error="NotSent", seconds=1),
        "a request: NotSent, again in 1.0 s at most",
    ),
    (events.Waiting(reason="the org", since=SINCE), "waiting: for the batches that the org has queued or under way"),
    (
        events.Waiting(reason="no connection", since=SINCE, until=SINCE),
        "waiting: no connection, until 2026-12-01T09:30:00Z at most",
    ),
    (
        events.RunEnded(run="r", state="interrupted", rows=9, succeeded=3, failed=1, rejected=2, seconds=1.25),
        "run r: interrupted; 9 rows, 3 succeeded, 1 failed, 2 rejected, 3 open, 1.2 s",
    ),
]


@pytest.mark.parametrize(("event", "words"), WORDS, ids=[words[:30] for _, words in WORDS])
def test_events_in_words(event: events.Event, words: str) -> None:
    assert str(event) == words


def test_events_are_frozen_and_the_set_of_them_is_closed() -> None:
    known = set(get_args(events.Event))
    kinds = {kind for kind in vars(events).values() if isinstance(kind, type) and is_dataclass(kind)}
    assert kinds == known == {type(event) for event, _ in WORDS}
    for kind in known:
        assert kind.__dataclass_params__.frozen
        assert all(field.kw_only for field in fields(kind))
        described = kind.__doc__ or ""
        assert all(f"{field.name}:" in described for field in fields(kind)) or len(fields(kind)) <= 4


def test_each_event_is_in_the_manual() -> None:
    page = Path(__file__).parents[2] / "docs" / "how-to" / "see-what-happens.md"
    section = page.read_text("utf-8").partition("## Events")[2].partition("\n## ")[0]
    told = set(re.findall(r"`(\w+)`", "\n".join(re.findall(r"(?m)^\| (`[A-Z]\w+`.*?) \|", section))))
    assert told == {kind.__name__ for kind in get_args(events.Event)}
