"""Kill a load at every point where it touches the world, go on with it, and compare the org's ledger with the source.

The points of a load are met one after the other: killed at its first effect, at its second, ... until one lives to its end. So it does not matter that
threads make the number of effects vary.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.crash.killing import MOMENTS, Ended, Forge, Moment, forging, was_begun
from tests.rehearsal import TOO_LONG, Books, Rows, assert_exactly_once, assert_outputs_line_up, nasty_rows, settle

from bulkforce_emulator import Fault

BATCH_RECORDS = 6
OUTPUTS = {"journal.sqlite", "success.csv", "failed.csv", "unprocessed.csv", "rejected.csv", "report.json"}


@pytest.fixture(scope="module")
def forge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forge]:
    with forging(tmp_path_factory.mktemp("forge")) as forge:
        yield forge


@dataclass
class Table:
    """The crash table of one kind of points; printed at the end of its test."""

    kind: str
    points: int = 0
    lost: int = 0
    doubled: int = 0
    met: Counter[str] = field(default_factory=Counter)

    def note(self, books: Books, source: Rows) -> None:
        accepted, expected = books.accepted(source.header), Counter(source.good)
        self.points += 1
        self.lost += (expected - accepted).total()
        self.doubled += (accepted - expected).total()

    def __str__(self) -> str:
        return f"{self.kind}: {self.points} points, {self.lost} rows lost, {self.doubled} rows doubled"


@dataclass
class Bench:
    """Loads of one source, each with its own folder and its own pages of the org's ledger."""

    forge: Forge
    folder: Path
    options: dict[str, object] = field(default_factory=dict)
    make_source: Callable[[Forge], Rows] = lambda _forge: nasty_rows()
    faults: Sequence[Fault] = ()

    def __post_init__(self) -> None:
        self._count = self.not_begun = 0

    def begin(self, **order: object) -> tuple[Path, Books, Ended]:
        """Begin a load that is to die."""
        self._count += 1
        settle(self.forge.org)
        self.forge.org.faults.add(*self.faults)
        run_dir = self.folder / str(self._count) / "run"
        run_dir.parent.mkdir()
        self.source = self.make_source(self.forge)
        self._path = self.source.write(run_dir.with_name("source.csv"))
        books = Books(self.forge.org)
        return run_dir, books, self._load(run_dir, **order)

    def _load(self, run_dir: Path, **order: object) -> Ended:
        options = {"object": "Row__c", "operation": "insert", "source": str(self._path), "batch_records": BATCH_RECORDS, **self.options}
        return self.forge.run("load", run_dir, options=options, **order)

    def go_on(self, run_dir: Path, books: Books, **order: object) -> Ended:
        """Go on with a run that died."""
        self.forge.org.gate.arm()
        ended = self.forge.run("resume", run_dir, **order)
        if was_begun(ended):
            return ended
        self.not_begun += 1
        assert books.jobs == []
        return self._load(run_dir)

    def check(self, run_dir: Path, books: Books, ended: Ended) -> None:
        """Nothing is lost, nothing doubled, the outputs are right, and nothing is left behind but an empty job."""
        assert ended.error is None, ended.text
        report = ended.report
        counts = [report[name] for name in ("read", "succeeded", "failed", "unprocessed", "rejected", "pending")]
        assert counts == [len(self.source.rows), len(self.source.good), len(self.source.bad), 0, 0, 0]
        assert report["state"] == "finished"
        assert_exactly_once(self.forge.org, books, self.source)
        assert_outputs_line_up(self.forge.org, run_dir, self.source)
        assert {path.name for path in run_dir.iterdir()} == OUTPUTS
        litter = [job for job in books.jobs if job.state == "open"]
        assert len(litter) <= 1
        assert all(not job.batches for job in litter)


def through(bench: Bench, table: Table, order: Callable[[int], dict[str, object]], *, arm: Moment | None = None, step: int = 1) -> Table:
    """Kill at the first point, at the second, ... each time going on to the end, until a load is not met any more."""
    point = 1
    while True:
        bench.forge.org.gate.arm(point if arm else None, arm or "before acting")
        run_dir, books, ended = bench.begin(**order(point))
        if not ended.killed:
            bench.check(run_dir, books, ended)
            print(table)
            assert bench.not_begun <= 1
            return table
        final = bench.go_on(run_dir, books)
        table.note(books, bench.source)
        try:
            bench.check(run_dir, books, final)
        except AssertionError:
            print(f"{table.kind}, point {point}: {run_dir}")
            raise
        point += step


@pytest.mark.parametrize("moment", MOMENTS)
def test_load_killed_at_each_request_is_resumed_exactly_once(forge: Forge, tmp_path: Path, moment: Moment) -> None:
    table = through(Bench(forge, tmp_path), Table(f"request, {moment}"), lambda _: {}, arm=moment)
    assert table.points >= 16  # the job opened and closed, the allowance, six batches sent, six fetched, a look
    assert (table.lost, table.doubled) == (0, 0)


def test_load_killed_after_each_effect_is_resumed_exactly_once(forge: Forge, tmp_path: Path) -> None:
    table = through(Bench(forge, tmp_path), Table("effect in the process"), lambda point: {"watch": "trace", "die_at": point})
    assert table.points >= 20
    assert (table.lost, table.doubled) == (0, 0)


def test_load_killed_before_each_change_of_a_file_is_resumed_exactly_once(forge: Forge, tmp_path: Path) -> None:
    table = through(Bench(forge, tmp_path), Table("file"), lambda point: {"watch": "files", "die_at": point})
    assert table.points >= 20
    assert (table.lost, table.doubled) == (0, 0)


def test_load_that_died_at_a_moment_by_chance_is_resumed_exactly_once(forge: Forge, tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    bench, table = Bench(forge, tmp_path), Table("moment by chance")
    while table.points < 15:
        forge.org.gate.arm()
        run_dir, books, ended = bench.begin(alarm_seconds=chance.uniform(0.005, 0.15))
        if ended.killed:
            ended = bench.go_on(run_dir, books)
        table.note(books, bench.source)
        bench.check(run_dir, books, ended)
    print(table)
    assert (table.lost, table.doubled) == (0, 0)


BATCHES = "*/job/*/batch"
LATE = {
    # It passed the org's check before the job was closed, and is there only after somebody has looked.
    "late commit": [Fault("late commit", "POST", BATCHES, nth=2, after_looks=1), Fault("answer lost", "POST", BATCHES, nth=2)],
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
def test_load_into_an_org_that_is_behind_killed_after_an_effect_is_resumed_exactly_once(forge: Forge, tmp_path: Path, name: str) -> None:
    bench = Bench(forge, tmp_path, faults=LATE[name])
    table = through(bench, Table(f"{name}, effect in the process"), lambda point: {"watch": "trace", "die_at": point}, step=2)
    assert table.points >= 12
    assert (table.lost, table.doubled) == (0, 0)


def test_load_killed_twice_is_resumed_exactly_once(forge: Forge, tmp_path: Path) -> None:
    bench, table = Bench(forge, tmp_path), Table("killed, and killed again")
    for first in range(4, 28, 5):
        for second in (2, 5, 9):
            forge.org.gate.arm()
            run_dir, books, _ = bench.begin(watch="trace", die_at=first)
            ended = bench.go_on(run_dir, books, watch="trace", die_at=second)
            while ended.killed:
                ended = bench.go_on(run_dir, books)
            table.note(books, bench.source)
            bench.check(run_dir, books, ended)
    print(table)
    assert (table.points, table.lost, table.doubled) == (15, 0, 0)


def _rows_to_update(forge: Forge) -> Rows:
    ids = forge.org.insert("Row__c", [{"Code__c": "old"}] * 34)
    rows = [(one, code or TOO_LONG, text or "new") for one, (code, text) in zip(ids, nasty_rows().rows, strict=True)]
    return Rows(("Id", "Code__c", "Text__c"), rows)


def _rows_to_delete(forge: Forge) -> Rows:
    return Rows(("Id",), [(one,) for one in forge.org.insert("Row__c", [{"Code__c": "old"}] * 34)])


def _rows_to_upsert(forge: Forge) -> Rows:
    keys = [f"{forge.org.count('Row__c')}-{place}" for place in range(34)]
    forge.org.insert("Row__c", [{"Code__c": "old", "Key__c": key} for key in keys[::2]])
    rows = [(key, code or TOO_LONG, text or "new") for key, (code, text) in zip(keys, nasty_rows().rows, strict=True)]
    return Rows(("Key__c", "Code__c", "Text__c"), rows)


@pytest.mark.parametrize(
    ("options", "make_source"),
    [
        ({"operation": "update"}, _rows_to_update),
        ({"operation": "delete"}, _rows_to_delete),
        ({"operation": "upsert", "external_id": "Key__c"}, _rows_to_upsert),
        ({"empty_as_null": True}, lambda _: nasty_rows()),
    ],
    ids=["update", "delete", "upsert", "insert from a copy"],
)
def test_other_loads_killed_after_an_effect_are_resumed_exactly_once(
    forge: Forge, tmp_path: Path, options: dict[str, object], make_source: Callable[[Forge], Rows]
) -> None:
    bench = Bench(forge, tmp_path, options, make_source)
    table = through(bench, Table(f"effect in {options}"), lambda point: {"watch": "trace", "die_at": point}, step=5)
    assert table.points >= 5
    assert (table.lost, table.doubled) == (0, 0)
