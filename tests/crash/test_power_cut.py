"""Cut the power after every effect, with a disk that had written nothing but what it was made to write, and go on with
what is left.

Two things must hold. Whatever a committed journal relies on was on disk before: the file with its content, and its name
in its folder, and that folder's name in the one above. And the run goes on from there, and comes to the same end as
ever.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.crash.bench import EXTRACTED, ExtractBench, LoadBench, Table
from tests.crash.killing import Ended, Forge, forging
from tests.support.extraction import TEXTS
from tests.support.rehearsal import Rows, nasty_rows


@pytest.fixture
def forge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forge]:
    with forging(tmp_path_factory.mktemp("forge")) as forge:
        forge.org.insert(
            "Row__c",
            [{"Code__c": f"row {number}", "Text__c": TEXTS[number % len(TEXTS)]} for number in range(EXTRACTED)],
        )
        yield forge


@dataclass
class Relied:
    """What journals have relied on at one cut or another."""

    names: set[str] = field(default_factory=set)

    def check(self, run_dir: Path) -> None:
        """See that whatever a journal relies on is there."""
        for journal in run_dir.glob("*.sqlite"):
            with closing(sqlite3.connect(journal)) as database:
                if not database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                    continue
                relied = database.execute("SELECT name, size, sha256 FROM file WHERE sha256 IS NOT NULL").fetchall()
                if journal.name == "extract.sqlite":
                    relied += database.execute(
                        "SELECT printf('parts/%06d-%02d.csv', batch, place), size, sha256 FROM part WHERE done"
                    ).fetchall()
                facts = dict(database.execute("SELECT name, value FROM fact"))
            if "finished" in facts:
                # What was only needed to go on may be gone, and need not be.
                relied = [one for one in relied if "/" not in one[0]]
            else:
                self._check_feed(run_dir, facts)
            for name, size, sha256 in relied:
                content = (run_dir / name).read_bytes()
                assert (len(content), hashlib.sha256(content).hexdigest()) == (size, sha256), name
                self.names.add(name.partition("/")[0])

    def _check_feed(self, run_dir: Path, facts: dict[str, str]) -> None:
        found = json.loads(facts.get("facts", "{}"))
        if found.get("feed_is_ours"):
            assert (run_dir / found["feed"]).stat().st_size == found["feed_size"]
            self.names.add(found["feed"])


class _CutPower:
    """Before a run is gone on with, the power is cut."""

    relied: Relied
    run_dir: Path

    def cut(self) -> None:
        """Put what is left in place of what there was, and see that it is enough."""
        left = self.run_dir.with_name("left")
        for path in self.run_dir.parent.iterdir():
            if path != left and not path.name.startswith("source"):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        for path in left.iterdir():
            if not path.name.startswith("source"):
                path.rename(self.run_dir.with_name(path.name))
        shutil.rmtree(left)
        self.relied.check(self.run_dir)


@dataclass
class Loads(_CutPower, LoadBench):
    relied: Relied = field(default_factory=Relied)

    def go_on(self, **order: object) -> Ended:
        self.cut()
        return super().go_on(**order)


@dataclass
class Extracts(_CutPower, ExtractBench):
    relied: Relied = field(default_factory=Relied)

    def go_on(self, **order: object) -> Ended:
        self.cut()
        return super().go_on(**order)


class Packed(Rows):
    """Rows whose file is no plain CSV, so that the run makes a copy of its own."""

    def write(self, path: Path) -> Path:
        packed = path.with_name(path.name + ".gz")
        packed.write_bytes(gzip.compress(super().write(path).read_bytes()))
        return packed


def packed_rows(_forge: Forge) -> Rows:
    rows = nasty_rows()
    return Packed(rows.header, rows.rows)


def at(point: int) -> dict[str, object]:
    return {"watch": "trace", "die_at": point, "power": True}


def check_cut_behind_the_outputs(bench: Loads | Extracts, table: Table) -> None:
    ended = bench.begin(watch="trace", die_behind="publish", power=True)
    assert ended.killed
    bench.note(table, bench.go_on())
    assert "report.json" in bench.relied.names


def test_load_whose_power_is_cut_after_an_effect_is_resumed_exactly_once(forge: Forge, tmp_path: Path) -> None:
    bench = Loads(forge, tmp_path, make_source=packed_rows)
    table = bench.each_point("power cut after an effect", at)
    assert table.points >= 20
    assert bench.not_begun == 0
    assert bench.relied.names >= {"source.csv", "rejected.csv", "results"}
    check_cut_behind_the_outputs(bench, table)


def test_extract_whose_power_is_cut_after_an_effect_is_resumed_complete(forge: Forge, tmp_path: Path) -> None:
    bench = Extracts(forge, tmp_path)
    table = bench.each_point("power cut after an effect", at)
    assert table.points >= 20
    assert bench.not_begun == 0
    assert "parts" in bench.relied.names
    check_cut_behind_the_outputs(bench, table)
