"""Progress tells the truth in terminals of any width, and nothing of it stays."""

from __future__ import annotations

import io
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console, Group
from tests.support.holding import ctrl_c
from tests.support.rehearsal import SCHEMA, Load

from bulkforce import ExtractProgress, Interrupted, Progress
from bulkforce.bars import live_bar, on_bar
from bulkforce.cli.progress import telling
from bulkforce.extract.standing import extract_standing
from bulkforce.load.standing import load_standing
from bulkforce_emulator import Emulator

WAITS = "no connection for 40 s, trying again until 23:10"
LOADING = Progress(
    phase="loading",
    read=10_000_000,
    succeeded=3_234_567,
    failed=12_345,
    seconds=100.0,
    earlier=1_000_000,
    batches={"pending": 700, "sending": 4, "accepted": 16, "ended": 2, "done": 278},
)


def shown(progress: Progress, width: int) -> list[str]:
    printed = io.StringIO()
    console = Console(file=printed, width=width, force_terminal=True, color_system=None)
    bar = live_bar(console)
    on_bar(bar)(load_standing(progress))
    console.print(Group(*bar.get_renderables()))
    return printed.getvalue().splitlines()


@pytest.mark.parametrize("width", [80, 120, 200])
def test_rows_rate_failures_and_what_is_waited_for_are_whole_at_any_width(width: int) -> None:
    first, second = shown(replace(LOADING, waits_for=WAITS), width)
    assert "3,246,912 of 10,000,000 rows, 22,469 per second, 12,345 failed" in first
    assert WAITS in second
    assert max(len(first), len(second)) <= width
    assert "left" not in second


@pytest.mark.parametrize("width", [80, 120, 200])
def test_time_left_is_there_only_if_there_is_one(width: int) -> None:
    first, second = shown(replace(LOADING, seconds_left=1_234.0), width)
    assert second.startswith("  about 20:34 left")
    assert "left" not in first


def test_rate_is_that_of_this_sitting() -> None:
    assert "22,469 per second" in str(load_standing(LOADING))
    assert "per second" not in str(load_standing(replace(LOADING, earlier=5_000_000)))
    extracting = ExtractProgress(rows=3_000, earlier=1_000, seconds=10.0)
    assert "200 per second" in str(extract_standing(extracting))


def test_bar_is_of_characters_that_the_terminal_can_show() -> None:
    printed = io.TextIOWrapper(io.BytesIO(), encoding="latin-1", errors="strict")
    console = Console(file=printed, width=80, force_terminal=True, color_system=None)
    with live_bar(console) as bar:
        on_bar(bar)(load_standing(replace(LOADING, waits_for=WAITS, seconds_left=60.0)))
    printed.flush()
    printed.seek(0)
    assert f"{WAITS}, about 1:00 left" in printed.read()


@pytest.mark.parametrize(("kind", "bar"), [("dumb", False), ("xterm", True)])
def test_terminal_that_cannot_go_back_gets_lines(kind: str, bar: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setenv("TERM", kind)
    monkeypatch.setattr(sys, "stderr", terminal)
    with telling(load_standing, quiet=False) as teller:
        assert teller is not None
        teller(LOADING)
    assert ("\x1b[" in terminal.getvalue()) == bar
    assert bar or not terminal.getvalue()


def test_nothing_of_a_bar_stays() -> None:
    printed = io.StringIO()
    console = Console(file=printed, width=80, force_terminal=True, color_system=None)
    with live_bar(console) as bar:
        on_bar(bar)(load_standing(LOADING))
    last = printed.getvalue().rpartition("failed")[2]
    # The cursor goes back over each line and erases it.
    assert re.search(r"\x1b\[1A\x1b\[2K", last)


def test_resumed_load_counts_what_was_done_before_as_earlier(tmp_path: Path) -> None:
    with Emulator(SCHEMA) as org:
        load = Load(org, tmp_path, options={"workers": 1})
        fetched = 0

        def interrupt(effect: str) -> None:
            nonlocal fetched
            fetched += effect == "fetch"
            if (effect, fetched) == ("fetch", 2):
                ctrl_c()

        load.trace = interrupt
        with pytest.raises(Interrupted):
            load.begin()
        load.trace = lambda _effect: None
        seen: list[Progress] = []
        load.resume(on_progress=seen.append)
    last = seen[-1]
    assert {one.earlier for one in seen if one.phase == "loading"} == {last.earlier}
    assert 0 < last.earlier < last.read
    assert all(one.seconds_left is None for one in seen if one.succeeded + one.failed <= last.earlier)
