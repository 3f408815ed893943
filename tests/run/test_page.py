"""The page of a run: everything escaped, everything added up, nothing from elsewhere, and small however large the run."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from bulkforce.run.page import CAUSES, Page, Share, document, jobs_named, lasting, size, stack, text
from bulkforce.run.report import ErrorGroup, ErrorSample
from bulkforce.run.timeline import LINES, Axis, Span, chart, lines, periods, rate, scale

HOSTILE = "<script>alert('x')</script>\"&\u202e\n\udc80"
GROUP = ErrorGroup("DUPLICATE_VALUE", "duplicate value found", 3, 7, "Morkel,x", remedy="Remove it")
PAGE = Page(
    what="insert Contact",
    run="20261201-101040-insert-Contact-d9d3",
    state="finished",
    org="acme.my.salesforce.com",
    begun=1_000.0,
    facts=[("Source", "contacts.csv"), ("External id", "")],
    rows=[Share("succeeded", 7, "ok", "success.csv"), Share("failed", 3, "failed", "failed.csv")],
    total=10,
    spans=[Span(1, 1_001.0, 1_002.0, 1_010.0, 10, 3)],
    times=[(1_000.0, 1_020.0)],
    now=1_020.0,
    causes=[GROUP],
    files=[("success.csv", 1_234), ("failed.csv", 7)],
)


class Seen(HTMLParser):
    """What a document is made of."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: list[str] = []
        self.feed(document)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.texts += [data.strip()] if data.strip() else []


def seen(page: Page) -> Seen:
    return Seen(document(page))


def test_rows_add_up_in_sight() -> None:
    shown = seen(PAGE).texts
    assert [one for one in shown if one in {"7", "3", "70.0 %", "30.0 %", "10", "= read"}][:6] == [
        *("7", "70.0 %", "3", "30.0 %", "= read", "10")
    ]
    wrong = replace(PAGE, total=11)
    assert "≠ read" in seen(wrong).texts


def test_facts_tell_when_and_how_long() -> None:
    shown = seen(replace(PAGE, times=[(1_000.0, 1_020.0), (90_000.0, 90_100.0)])).texts
    for fact, value in {
        "Source": "contacts.csv",
        "Started": "1970-01-01 00:16:40",
        "Resumed": "1970-01-02 01:00:00",
        "Ended": "1970-01-02 01:01:40",
        "At work": "2 min 0 s",
    }.items():
        assert shown[shown.index(fact) + 1] == value
    assert "External id" not in shown
    assert "the time between sittings is cut out" in " ".join(shown)


def test_many_sittings_are_counted() -> None:
    times = [(1_000.0 + 100 * number, 1_010.0 + 100 * number) for number in range(9)]
    assert "and 3 more" in " ".join(seen(replace(PAGE, times=times)).texts)


def test_causes_have_count_code_message_remedy_and_sample() -> None:
    shown = " | ".join(seen(PAGE).texts)
    assert "| 3 | DUPLICATE_VALUE | duplicate value found | Remove it | row 7 | Morkel,x |" in shown
    sampled = replace(GROUP, fields=("Email",), samples=(ErrorSample(9, "x@", "Curie,x@"),))
    shown = " | ".join(seen(replace(PAGE, causes=[sampled] * (CAUSES + 2))).texts)
    assert "duplicate value found | (Email) | Remove it | row 9 | x@ | in | Curie,x@" in shown
    assert "... and 2 more causes in report.json" in shown


def test_whatever_a_value_holds_stays_text() -> None:
    group = ErrorGroup(HOSTILE, HOSTILE, 1, 1, HOSTILE, (HOSTILE,), HOSTILE, (ErrorSample(1, HOSTILE, HOSTILE),))
    hostile = Page(
        what=HOSTILE,
        run=HOSTILE,
        state=HOSTILE,
        org=HOSTILE,
        begun=None,
        facts=[(HOSTILE, HOSTILE)],
        rows=[Share(HOSTILE, 1, "ok", HOSTILE.replace("\udc80", ""))],
        total=1,
        total_word=HOSTILE,
        spans=PAGE.spans,
        times=PAGE.times,
        now=PAGE.now,
        causes=[group],
        files=[(HOSTILE.replace("\udc80", ""), 1)],
        notice=HOSTILE,
    )
    plain, taken = seen(PAGE), seen(hostile)
    assert set(taken.tags) <= {*plain.tags, "strong"}
    assert {name for name, _ in taken.attributes} == {name for name, _ in plain.attributes}
    assert "\u202e" not in document(hostile)
    assert document(hostile).encode()


def test_nothing_comes_from_elsewhere() -> None:
    page = seen(PAGE)
    links = [value for name, value in page.attributes if name in {"href", "src"}]
    assert links == ["./success.csv", "./failed.csv", "./success.csv", "./failed.csv"]
    assert not {"script", "link", "img", "iframe", "object"} & set(page.tags)
    assert "url(" not in document(PAGE)
    assert "@import" not in document(PAGE)
    assert "default-src 'none'" in str(dict(page.attributes)["content"] or "") + document(PAGE)
    assert not [name for name, _ in page.attributes if name == "style" or name.startswith("on")]


def test_name_of_a_file_is_no_scheme() -> None:
    page = seen(replace(PAGE, files=[("javascript:alert(1).csv", 1)]))
    assert ("href", "./javascript%3Aalert%281%29.csv") in page.attributes


def test_run_without_times_or_batches_has_a_page() -> None:
    bare = replace(PAGE, spans=[], times=[], total=None, begun=None, rows=[Share("on disk", 0, "ok")], files=[])
    shown = seen(bare).texts
    assert "Time-line" not in shown
    assert "Files" not in shown
    assert "Why rows did not succeed" not in seen(replace(bare, causes=())).texts
    assert "Started" not in shown
    assert "= read" not in shown


def test_running_is_not_ended() -> None:
    open_spans = [*PAGE.spans, Span(2, 1_003.0, 1_004.0, None, 10)]
    running = replace(PAGE, state="running", times=[(1_000.0, None)], spans=open_spans, now=1_050.0)
    shown = seen(running).texts
    assert "Ended" not in shown
    assert shown[shown.index("At work") + 1] == "50.0 s"
    assert "not ended" in shown
    assert any("not ended" in one for one in re.findall("<title>([^<]*)</title>", document(running)))


def test_page_of_a_huge_run_is_small() -> None:
    spans = [Span(n, 1_000.0 + n, 1_000.5 + n, 1_030.0 + n, 10_000, n % 3) for n in range(1, 15_001)]
    html = document(replace(PAGE, spans=spans, times=[(1_000.0, 17_000.0)], total=150_000_000))
    assert len(html) < 60_000
    picture, each = lines(spans, Axis([(1_000.0, 17_000.0)]), 17_000.0)
    assert picture.count("<g>") == LINES
    assert each == 375
    assert "Batches 1 to 375: 3,750,000 rows, 375 of them not" in picture


def test_time_between_sittings_takes_no_room() -> None:
    axis = Axis([(0.0, 10.0), (100_000.0, 100_010.0)])
    assert [axis.place(time) for time in (0, 10, 50_000, 100_000, 100_010)] == [0.0, 49.0, 49.0, 51.0, 100.0]
    assert axis.gaps() == [(49.0, 51.0)]
    assert [place for _, place in axis.ticks()] == [0.0, 51.0, 100.0]
    many = Axis([(1_000.0 * number, 1_000.0 * number + 1) for number in range(500)])
    assert many.place(499_001.0) == pytest.approx(100.0)
    assert len(many.ticks()) <= 5


def test_times_of_several_days_have_their_day() -> None:
    assert ">00:00:10.0<" in scale(Axis([(0.0, 10.0)]))
    assert ">00:10:00<" in scale(Axis([(0.0, 600.0)]))
    assert ">01-02 00:10<" in scale(Axis([(0.0, 600.0), (86_400.0, 87_000.0)]))


def test_sitting_that_died_ends_with_the_last_that_is_known() -> None:
    spans = [Span(1, 1.0, 2.0, 5.0, 1), Span(2, 21.0, None, None, 1)]
    times: list[tuple[float, float | None]] = [(0.0, None), (20.0, None)]
    assert periods(times, spans, None) == [(0.0, 5.0), (20.0, 21.0)]
    assert periods(times, spans, 30.0) == [(0.0, 5.0), (20.0, 30.0)]
    assert periods([(50.0, None)], [], None) == [(50.0, 50.0)]


def test_clock_that_was_set_back_draws_nothing_outside() -> None:
    spans = [Span(1, 50.0, 40.0, 10.0, 5, 5), Span(2, 500.0, None, None, 0)]
    axis = Axis(periods([(100.0, 90.0)], spans, None))
    for drawn in (lines(spans, axis, 0.0)[0], chart(spans, axis), scale(axis)):
        assert all(0 <= float(place) <= 100 for place in re.findall(r'(?:x|width)="([-\d.]+)%"', drawn))


def test_no_rate_without_rows_or_time() -> None:
    assert rate([Span(1, 0.0, None, 2.0, 10)], [(0.0, 2.0)]) == 5.0
    assert rate([Span(1, 0.0, None, None, 10)], [(0.0, 2.0)]) is None
    assert rate([Span(1, 0.0, None, 0.0, 10)], [(0.0, 0.0)]) is None
    assert chart([Span(1, 0.0, None, None, 10)], Axis([(0.0, 2.0)])) == ""


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0 bytes"), (1, "1 byte"), (999, "999 bytes"), (1_000, "1.0 kB"), (10**7, "10.0 MB"), (10**16, "10,000.0 TB")],
)
def test_sizes_in_words(count: int, words: str) -> None:
    assert size(count) == words


def test_words() -> None:
    assert [lasting(seconds) for seconds in (0.04, 59.9, 61.0, 7_261.0)] == [
        "0.0 s",
        "59.9 s",
        "1 min 1 s",
        "2 h 1 min",
    ]
    assert jobs_named(["1", "2"]) == "1, 2"
    assert jobs_named([str(n) for n in range(8)]) == "0, 1, 2, 3, 4 and 3 more"
    assert text("a\u202eb\n<") == "a\\u202eb\\u000a&lt;"


def test_small_and_great_shares_are_not_rounded_away() -> None:
    rows = [Share("succeeded", 999_999, "ok"), Share("failed", 1, "failed")]
    shown = seen(replace(PAGE, rows=rows, total=1_000_000)).texts
    assert {"> 99.9 %", "< 0.1 %"} <= set(shown)


@pytest.mark.parametrize("rows", [(1_000_000, 1, 1), (1, 0, 999_999), (0, 0, 0), (5, 5, 90)])
def test_state_of_few_rows_is_seen_in_the_bar_which_stays_full(rows: tuple[int, ...]) -> None:
    shares = [Share(kind, count, kind) for kind, count in zip(("ok", "failed", "rejected"), rows, strict=True)]
    drawn = [float(wide) for wide in re.findall(r' width="([\d.]+)%" height', stack(shares, sum(rows)))[1:]]
    assert len(drawn) == sum(count > 0 for count in rows)
    assert all(wide >= 0.5 for wide in drawn)
    assert sum(drawn) == pytest.approx(100.0 if any(rows) else 0.0, abs=0.01)
