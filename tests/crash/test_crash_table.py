"""Loads and extracts that are killed wherever they touch the world, and gone on with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.crash.bench import (
    EXTRACTED,
    ExtractBench,
    FilesBench,
    LoadBench,
    Order,
    rows_to_delete,
    rows_to_update,
    rows_to_upsert,
)
from tests.crash.killing import MOMENTS, Forge, Moment, forging
from tests.support.extraction import TEXTS
from tests.support.rehearsal import Rows, nasty_rows

from bulkforce_emulator import Fault


@pytest.fixture(scope="module")
def loading(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forge]:
    with forging(tmp_path_factory.mktemp("forge")) as forge:
        yield forge


@pytest.fixture(scope="module")
def extracting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forge]:
    with forging(tmp_path_factory.mktemp("forge")) as forge:
        forge.org.insert(
            "Row__c",
            [{"Code__c": f"row {number}", "Text__c": TEXTS[number % len(TEXTS)]} for number in range(EXTRACTED)],
        )
        yield forge


def after_effect(point: int) -> Order:
    return {"watch": "trace", "die_at": point}


def before_change_of_a_file(point: int) -> Order:
    return {"watch": "files", "die_at": point}


@pytest.mark.parametrize("moment", MOMENTS)
def test_load_killed_at_each_request_is_resumed_exactly_once(loading: Forge, tmp_path: Path, moment: Moment) -> None:
    table = LoadBench(loading, tmp_path).each_point(f"request, {moment}", lambda _: {}, arm=moment)
    assert table.points >= 16  # the job opened and closed, the allowance, six batches sent, six fetched, a look


@pytest.mark.parametrize("moment", MOMENTS)
def test_extract_killed_at_each_request_is_resumed_complete(extracting: Forge, tmp_path: Path, moment: Moment) -> None:
    table = ExtractBench(extracting, tmp_path).each_point(f"request, {moment}", lambda _: {}, arm=moment)
    assert table.points >= 14  # the job made, asked, looked at twice, five chunks listed and fetched, the job closed


def test_load_killed_after_each_effect_is_resumed_exactly_once(loading: Forge, tmp_path: Path) -> None:
    assert LoadBench(loading, tmp_path).each_point("effect in the process", after_effect).points >= 20


def test_extract_killed_after_each_effect_is_resumed_complete(extracting: Forge, tmp_path: Path) -> None:
    assert ExtractBench(extracting, tmp_path).each_point("effect in the process", after_effect).points >= 20


def test_load_killed_before_each_change_of_a_file_is_resumed_exactly_once(loading: Forge, tmp_path: Path) -> None:
    assert LoadBench(loading, tmp_path).each_point("file", before_change_of_a_file).points >= 20


def test_extract_killed_before_each_change_of_a_file_is_resumed_complete(extracting: Forge, tmp_path: Path) -> None:
    assert ExtractBench(extracting, tmp_path).each_point("file", before_change_of_a_file).points >= 15


def test_load_that_died_at_a_moment_by_chance_is_resumed_exactly_once(loading: Forge, tmp_path: Path) -> None:
    assert LoadBench(loading, tmp_path).moments_by_chance(15).points == 15


def test_extract_that_died_at_a_moment_by_chance_is_resumed_complete(extracting: Forge, tmp_path: Path) -> None:
    assert ExtractBench(extracting, tmp_path).moments_by_chance(15).points == 15


def test_load_killed_twice_is_resumed_exactly_once(loading: Forge, tmp_path: Path) -> None:
    assert LoadBench(loading, tmp_path).twice(range(4, 28, 5), (2, 5, 9)).points == 15


def test_extract_killed_twice_is_resumed_complete(extracting: Forge, tmp_path: Path) -> None:
    assert ExtractBench(extracting, tmp_path).twice(range(3, 24, 7), range(1, 16, 5)).points == 9


BATCHES = "*/job/*/batch"
LATE = {
    # It passed the org's check before the job was closed, and is there only after somebody has looked.
    "late commit": [
        Fault("late commit", "POST", BATCHES, nth=2, after_looks=1),
        Fault("answer lost", "POST", BATCHES, nth=2),
    ],
    "every commit late": [
        Fault("late commit", "POST", BATCHES, times=100, after_looks=1),
        Fault("answer lost", "POST", BATCHES, nth=3, times=2),
    ],
    "lagging list": [Fault("lagging list", "GET", BATCHES, times=3), Fault("answer lost", "POST", BATCHES, nth=2)],
    "lagging list and count": [
        Fault("lagging list", "GET", BATCHES, times=2, newest=2),
        Fault("lagging job", "*", "*/job/*", times=2, newest=2),
        Fault("answer lost", "POST", BATCHES, nth=2, times=2),
    ],
}


@pytest.mark.parametrize("name", LATE)
def test_load_into_an_org_that_is_behind_killed_after_an_effect_is_resumed_exactly_once(
    loading: Forge, tmp_path: Path, name: str
) -> None:
    bench = LoadBench(loading, tmp_path, LATE[name])
    assert bench.each_point(f"{name}, effect in the process", after_effect, step=2).points >= 12


def test_extract_with_lists_that_lag_and_a_query_that_comes_twice_killed_after_each_effect_is_resumed_complete(
    extracting: Forge, tmp_path: Path
) -> None:
    twin = Fault("late twin", "POST", "*/batch", acted=True, after_requests=0)
    lags = Fault("lagging list", nth=2, times=3, newest=2), Fault("lagging job", "GET", nth=1, times=1)
    bench = ExtractBench(extracting, tmp_path, (twin, *lags))
    assert bench.each_point("effect, lists lag and the query comes twice", after_effect).points >= 20


def test_extract_with_a_failing_chunk_killed_after_each_effect_is_resumed_complete(
    extracting: Forge, tmp_path: Path
) -> None:
    bench = ExtractBench(extracting, tmp_path, chunk_fails=True)
    assert bench.each_point("effect, a chunk fails", after_effect).points >= 20


@pytest.mark.parametrize(
    ("options", "make_source"),
    [
        ({"operation": "update"}, rows_to_update),
        ({"operation": "delete"}, rows_to_delete),
        ({"operation": "upsert", "external_id": "Key__c"}, rows_to_upsert),
        ({"empty_as_null": True}, lambda _: nasty_rows()),
    ],
    ids=["update", "delete", "upsert", "insert from a copy"],
)
def test_other_loads_killed_after_an_effect_are_resumed_exactly_once(
    loading: Forge, tmp_path: Path, options: Order, make_source: Callable[[Forge], Rows]
) -> None:
    bench = LoadBench(loading, tmp_path, asked=options, make_source=make_source)
    assert bench.each_point(f"effect in {options}", after_effect, step=5).points >= 5


def test_load_of_files_killed_after_an_effect_is_resumed_exactly_once(loading: Forge, tmp_path: Path) -> None:
    assert FilesBench(loading, tmp_path).each_point("effect, files", after_effect, step=2).points >= 10


@pytest.mark.parametrize("moment", MOMENTS)
def test_load_of_files_killed_at_a_request_is_resumed_exactly_once(
    loading: Forge, tmp_path: Path, moment: Moment
) -> None:
    table = FilesBench(loading, tmp_path).each_point(f"request, files, {moment}", lambda _: {}, arm=moment, step=2)
    assert table.points >= 8


def test_load_of_files_into_an_org_that_is_behind_is_resumed_exactly_once(loading: Forge, tmp_path: Path) -> None:
    bench = FilesBench(loading, tmp_path, LATE["late commit"])
    assert bench.each_point("late commit, files", after_effect, step=3).points >= 8


JOBS_OF_2 = {"api": "bulk2", "batch_records": 12}


@pytest.mark.parametrize("moment", MOMENTS)
def test_load_over_2_killed_at_each_request_is_resumed_exactly_once(
    loading: Forge, tmp_path: Path, moment: Moment
) -> None:
    bench = LoadBench(loading, tmp_path, asked=JOBS_OF_2)
    table = bench.each_point(f"request of 2.0, {moment}", lambda _: {}, arm=moment)
    assert (
        table.points >= 26
    )  # the allowance; three jobs made, uploaded, committed, looked at, counted, fetched, audited


def test_load_over_2_killed_after_each_effect_is_resumed_exactly_once(loading: Forge, tmp_path: Path) -> None:
    bench = LoadBench(loading, tmp_path, asked=JOBS_OF_2)
    assert bench.each_point("effect in the process, 2.0", after_effect).points >= 20


def test_load_over_2_killed_before_each_change_of_a_file_is_resumed_exactly_once(
    loading: Forge, tmp_path: Path
) -> None:
    bench = LoadBench(loading, tmp_path, asked=JOBS_OF_2)
    assert bench.each_point("file, 2.0", before_change_of_a_file, step=2).points >= 10


def test_load_over_2_that_died_at_a_moment_by_chance_is_resumed_exactly_once(loading: Forge, tmp_path: Path) -> None:
    assert LoadBench(loading, tmp_path, asked=JOBS_OF_2).moments_by_chance(15).points == 15


def test_load_over_2_killed_twice_is_resumed_exactly_once(loading: Forge, tmp_path: Path) -> None:
    assert LoadBench(loading, tmp_path, asked=JOBS_OF_2).twice(range(4, 28, 5), (2, 5, 9)).points == 15


PUT, PATCH = ("PUT", "*/batches"), ("PATCH", "*/jobs/ingest/750*")
LATE_IN_2 = {
    "commit under way": [Fault("late twin", *PATCH, nth=2, after_requests=2)],
    "upload under way": [Fault("late twin", *PUT, nth=2, after_requests=2)],
    "late commit": [Fault("late commit", *PATCH, nth=2, after_looks=2), Fault("answer lost", *PATCH, nth=2)],
    "answers lost": [Fault("answer lost", *PATCH), Fault("answer lost", *PUT, nth=2), Fault("request lost", *PUT)],
    "lagging results": [Fault("lagging results", "GET", "*Results", times=2)],
}


@pytest.mark.parametrize("name", LATE_IN_2)
def test_load_over_2_into_an_org_that_is_behind_killed_after_an_effect_is_resumed_exactly_once(
    loading: Forge, tmp_path: Path, name: str
) -> None:
    bench = LoadBench(loading, tmp_path, LATE_IN_2[name], asked=JOBS_OF_2)
    assert bench.each_point(f"{name}, effect in the process, 2.0", after_effect, step=2).points >= 10


@pytest.mark.parametrize(
    ("options", "make_source"),
    [
        ({"operation": "update"}, rows_to_update),
        ({"operation": "delete"}, rows_to_delete),
        ({"operation": "upsert", "external_id": "Key__c"}, rows_to_upsert),
    ],
    ids=["update", "delete", "upsert"],
)
def test_other_loads_over_2_killed_after_an_effect_are_resumed_exactly_once(
    loading: Forge, tmp_path: Path, options: Order, make_source: Callable[[Forge], Rows]
) -> None:
    bench = LoadBench(loading, tmp_path, asked={**JOBS_OF_2, **options}, make_source=make_source)
    assert bench.each_point(f"effect in {options}, 2.0", after_effect, step=5).points >= 4
