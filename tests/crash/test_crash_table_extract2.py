"""Extracts over Bulk API 2.0 that are killed wherever they touch the world, and gone on with: by pages that the org
lists, and by pages that name one another."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.crash.bench import EXTRACTED, ExtractBench, Order
from tests.crash.killing import MOMENTS, Forge, Moment, forging
from tests.crash.test_crash_table import after_effect, before_change_of_a_file
from tests.support.extraction import TEXTS

from bulkforce_emulator import Fault

LISTED: Order = {"api": "bulk2"}
CHAINED: Order = {"api": "bulk2", "version": "57.0"}
PAGES = pytest.mark.parametrize("asked", [LISTED, CHAINED], ids=["listed", "chained"])

QUERY_JOBS = "*/jobs/query"
PAGE = "*/results"


@pytest.fixture(scope="module")
def extracting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forge]:
    with forging(tmp_path_factory.mktemp("forge")) as forge:
        forge.org.insert(
            "Row__c",
            [{"Code__c": f"row {number}", "Text__c": TEXTS[number % len(TEXTS)]} for number in range(EXTRACTED)],
        )
        yield forge


@PAGES
@pytest.mark.parametrize("moment", MOMENTS)
def test_extract_killed_at_each_request_is_resumed_complete(
    extracting: Forge, tmp_path_factory: pytest.TempPathFactory, moment: Moment, asked: Order
) -> None:
    bench = ExtractBench(extracting, tmp_path_factory.mktemp("runs"), asked=asked)
    table = bench.each_point(f"request, {moment}", lambda _: {}, arm=moment)
    assert table.points >= 8  # the job made and looked at, its pages listed or not, five pages, and the end


@PAGES
def test_extract_killed_after_each_effect_is_resumed_complete(
    extracting: Forge, tmp_path_factory: pytest.TempPathFactory, asked: Order
) -> None:
    bench = ExtractBench(extracting, tmp_path_factory.mktemp("runs"), asked=asked)
    assert bench.each_point("effect in the process", after_effect).points >= 15


@PAGES
def test_extract_killed_before_each_change_of_a_file_is_resumed_complete(
    extracting: Forge, tmp_path_factory: pytest.TempPathFactory, asked: Order
) -> None:
    bench = ExtractBench(extracting, tmp_path_factory.mktemp("runs"), asked=asked)
    assert bench.each_point("file", before_change_of_a_file).points >= 15


@PAGES
def test_extract_killed_by_chance_or_twice_is_resumed_complete(
    extracting: Forge, tmp_path_factory: pytest.TempPathFactory, asked: Order
) -> None:
    bench = ExtractBench(extracting, tmp_path_factory.mktemp("runs"), asked=asked)
    assert bench.moments_by_chance(10).points == 10
    assert bench.twice(range(3, 18, 5), range(1, 12, 5)).points == 9


BAD_DAYS = {
    "answers lost": [Fault("answer lost", "POST", QUERY_JOBS), Fault("answer lost", "GET", PAGE, nth=2, times=2)],
    "requests lost": [Fault("request lost", "POST", QUERY_JOBS), Fault("request lost", "GET", PAGE, times=2)],
    "the query comes twice": [Fault("late twin", "POST", QUERY_JOBS, acted=True, after_requests=0)],
    "pages cut": [
        Fault("answer cut", "GET", PAGE, nth=2, times=2),
        Fault("answer truncated", "GET", PAGE, nth=5),
    ],
    "answers out of date": [
        Fault("lagging job", "GET", "*/jobs/query/*", times=2),
        Fault("late results", "GET", PAGE, nth=2),
    ],
}


@pytest.mark.parametrize("day", BAD_DAYS)
def test_extract_on_a_bad_day_killed_after_each_effect_is_resumed_complete(
    extracting: Forge, tmp_path_factory: pytest.TempPathFactory, day: str
) -> None:
    bench = ExtractBench(extracting, tmp_path_factory.mktemp("runs"), BAD_DAYS[day], asked=LISTED)
    assert bench.each_point(f"effect, {day}", after_effect, step=2).points >= 8
