"""Kill an extract at every point where it touches the world, go on with it, and compare what comes out with an undisturbed extract, byte for byte."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.crash.killing import MOMENTS, Ended, Forge, Moment, forging, was_begun
from tests.extraction import QUERY, TEXTS, read, stored
from tests.rehearsal import settle

from bulkforce_emulator import Fault
from bulkforce_emulator.mishaps import Mishap

ROWS, CHUNK = 40, 8
OUTPUTS = {"extract.sqlite", "report.json"}


@pytest.fixture(scope="module")
def forge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forge]:
    with forging(tmp_path_factory.mktemp("forge")) as forge:
        forge.org.insert("Row__c", [{"Code__c": f"row {number}", "Text__c": TEXTS[number % len(TEXTS)]} for number in range(ROWS)])
        yield forge


@dataclass
class Table:
    """The crash table of one kind of points; printed at the end of its test."""

    kind: str
    points: int = 0
    lost: int = 0
    doubled: int = 0
    different: int = 0

    def __str__(self) -> str:
        return f"{self.kind}: {self.points} points, {self.lost} rows lost, {self.doubled} rows doubled, {self.different} files different"

    @property
    def faults(self) -> tuple[int, int, int]:
        return self.lost, self.doubled, self.different


@dataclass
class Bench:
    """Extracts of one object, each with a folder of its own."""

    forge: Forge
    folder: Path
    chunk_fails: bool = False
    faults: tuple[Fault, ...] = ()
    undisturbed: bytes = b""
    count: int = 0
    not_begun: int = 0

    def __post_init__(self) -> None:
        self.forge.org.gate.arm()
        run_dir, ended = self.begin()
        assert not ended.killed
        assert ended.error is None, ended.text
        self.undisturbed = run_dir.with_name("out.csv").read_bytes()

    def begin(self, **order: object) -> tuple[Path, Ended]:
        self.count += 1
        settle(self.forge.org)
        self.forge.org.faults.add(*self.faults)
        run_dir = self.folder / str(self.count) / "run"
        run_dir.parent.mkdir()
        if self.chunk_fails:
            self.forge.org.mishaps.plan(Mishap(message="InternalServerError : later"), nth=4)
        return run_dir, self._extract(run_dir, **order)

    def _extract(self, run_dir: Path, **order: object) -> Ended:
        options = {"soql": QUERY, "to": str(run_dir.with_name("out.csv")), "pk_chunking": CHUNK, "workers": 2}
        return self.forge.run("extract", run_dir, options=options, **order)

    def go_on(self, run_dir: Path, **order: object) -> Ended:
        """Go on with an extract that died."""
        self.forge.org.gate.arm()
        ended = self.forge.run("resume extract", run_dir, **order)
        if was_begun(ended):
            return ended
        self.not_begun += 1
        return self._extract(run_dir)

    def check(self, table: Table, run_dir: Path, ended: Ended) -> None:
        table.points += 1
        assert ended.error is None, ended.text
        expected, got = Counter(stored(self.forge.org)), Counter(read(run_dir.with_name("out.csv")))
        table.lost += (expected - got).total()
        table.doubled += (got - expected).total()
        table.different += run_dir.with_name("out.csv").read_bytes() != self.undisturbed
        assert table.faults == (0, 0, 0), f"{table}: {run_dir}"
        assert (ended.report["rows"], ended.report["state"]) == (ROWS, "finished")
        assert {path.name for path in run_dir.iterdir()} == OUTPUTS
        assert {path.name for path in run_dir.parent.iterdir()} == {"run", "out.csv"}
        left = [job for job in self.forge.org.state.jobs.all() if job.state == "open" and job.batches]
        assert left == []


def through(bench: Bench, table: Table, order: Callable[[int], dict[str, object]], *, arm: Moment | None = None) -> Table:
    """Kill at the first point, at the second, ... each time going on to the end, until an extract is not met any more."""
    point = 1
    while True:
        bench.forge.org.gate.arm(point if arm else None, arm or "before acting")
        run_dir, ended = bench.begin(**order(point))
        if not ended.killed:
            bench.check(table, run_dir, ended)
            print(table)
            assert bench.not_begun <= 1
            return table
        bench.check(table, run_dir, bench.go_on(run_dir))
        point += 1


@pytest.mark.parametrize("moment", MOMENTS)
def test_extract_killed_at_each_request_is_resumed_complete(forge: Forge, tmp_path: Path, moment: Moment) -> None:
    table = through(Bench(forge, tmp_path), Table(f"request, {moment}"), lambda _: {}, arm=moment)
    assert table.points >= 14  # the job made, asked, looked at twice, five chunks listed and fetched, the job closed


def test_extract_killed_after_each_effect_is_resumed_complete(forge: Forge, tmp_path: Path) -> None:
    table = through(Bench(forge, tmp_path), Table("effect in the process"), lambda point: {"watch": "trace", "die_at": point})
    assert table.points >= 20


def test_extract_with_a_failing_chunk_killed_after_each_effect_is_resumed_complete(forge: Forge, tmp_path: Path) -> None:
    bench = Bench(forge, tmp_path, chunk_fails=True)
    table = through(bench, Table("effect, a chunk fails"), lambda point: {"watch": "trace", "die_at": point})
    assert table.points >= 20


def test_extract_with_lists_that_lag_and_a_query_that_comes_twice_killed_after_each_effect_is_resumed_complete(
    forge: Forge, tmp_path: Path
) -> None:
    twin = Fault("late twin", "POST", "*/batch", acted=True, after_requests=0)
    lags = Fault("lagging list", nth=2, times=3, newest=2), Fault("lagging job", "GET", nth=1, times=1)
    bench = Bench(forge, tmp_path, faults=(twin, *lags))
    table = through(bench, Table("effect, lists lag and the query comes twice"), lambda point: {"watch": "trace", "die_at": point})
    assert table.points >= 20


def test_extract_killed_before_each_change_of_a_file_is_resumed_complete(forge: Forge, tmp_path: Path) -> None:
    table = through(Bench(forge, tmp_path), Table("file"), lambda point: {"watch": "files", "die_at": point})
    assert table.points >= 15


def test_extract_that_died_at_a_moment_by_chance_is_resumed_complete(forge: Forge, tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    bench, table = Bench(forge, tmp_path), Table("moment by chance")
    while table.points < 15:
        forge.org.gate.arm()
        run_dir, ended = bench.begin(alarm_seconds=chance.uniform(0.005, 0.15))
        bench.check(table, run_dir, bench.go_on(run_dir) if ended.killed else ended)
    print(table)


def test_extract_killed_twice_is_resumed_complete(forge: Forge, tmp_path: Path) -> None:
    bench, table = Bench(forge, tmp_path), Table("killed, and killed again")
    for first in range(3, 24, 7):
        for second in range(1, 16, 5):
            forge.org.gate.arm()
            run_dir, _ = bench.begin(watch="trace", die_at=first)
            ended = bench.go_on(run_dir, watch="trace", die_at=second)
            while ended.killed:
                ended = bench.go_on(run_dir)
            bench.check(table, run_dir, ended)
    print(table)
