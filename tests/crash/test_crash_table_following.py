"""Retries and undos that are killed wherever they touch the world, and given again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from tests.crash.bench import FollowBench, Order
from tests.crash.killing import MOMENTS, Forge, Moment, forging

KINDS = pytest.mark.parametrize("kind", ["retry", "undo"])
APIS = pytest.mark.parametrize("asked", [{}, {"api": "bulk2", "batch_records": 12}], ids=["v1", "2.0"])
Kind = Literal["retry", "undo"]


@pytest.fixture(scope="module")
def loading(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forge]:
    with forging(tmp_path_factory.mktemp("forge")) as forge:
        yield forge


@pytest.mark.parametrize("moment", MOMENTS)
@KINDS
@APIS
def test_killed_at_each_request_it_goes_on_exactly_once(
    loading: Forge, tmp_path: Path, kind: Kind, asked: Order, moment: Moment
) -> None:
    bench = FollowBench(loading, tmp_path, kind=kind, asked=asked)
    assert bench.each_point(f"{kind}, request, {moment}", lambda _: {}, arm=moment, step=3).points >= 4


@KINDS
@APIS
def test_killed_after_each_effect_it_goes_on_exactly_once(
    loading: Forge, tmp_path: Path, kind: Kind, asked: Order
) -> None:
    bench = FollowBench(loading, tmp_path, kind=kind, asked=asked)
    assert bench.each_point(f"{kind}, effect", lambda point: {"watch": "trace", "die_at": point}, step=2).points >= 10


@KINDS
@APIS
def test_killed_before_each_change_of_a_file_it_goes_on_exactly_once(
    loading: Forge, tmp_path: Path, kind: Kind, asked: Order
) -> None:
    bench = FollowBench(loading, tmp_path, kind=kind, asked=asked)
    assert bench.each_point(f"{kind}, file", lambda point: {"watch": "files", "die_at": point}, step=3).points >= 5


@KINDS
@APIS
def test_killed_at_a_moment_by_chance_or_twice_it_goes_on_exactly_once(
    loading: Forge, tmp_path: Path, kind: Kind, asked: Order
) -> None:
    bench = FollowBench(loading, tmp_path, kind=kind, asked=asked)
    assert bench.moments_by_chance(6).points == 6
    assert bench.twice((2, 6, 10), (1, 3, 7)).points == 9
