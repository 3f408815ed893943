"""Kill what runs at every point where it touches the world, go on with it, and compare what has become of the rows: the
same for loads and extracts.

The points of a run are met one after the other: killed at its first effect, at its second, ... until one lives to its
end. So it does not matter that threads make the number of effects vary.
"""

from __future__ import annotations

import base64
import random
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tests.crash.killing import Ended, Forge, Moment, Verb, was_begun
from tests.support.extraction import QUERY, read, stored
from tests.support.rehearsal import (
    TOO_LONG,
    Books,
    Rows,
    assert_exactly_once,
    assert_outputs_line_up,
    contents,
    nasty_rows,
    read_csv,
    settle,
)

from bulkforce_emulator import Fault
from bulkforce_emulator.mishaps import Mishap

Order = dict[str, object]


@dataclass
class Table:
    """The crash table of one kind of points; printed at its end."""

    kind: str
    points: int = 0
    lost: int = 0
    doubled: int = 0

    def __str__(self) -> str:
        return f"{self.kind}: {self.points} points, {self.lost} rows lost, {self.doubled} rows doubled"


@dataclass
class Bench(ABC):
    """Runs of one kind, each in a folder of its own.

    Attributes:
        forge: Makes the processes.
        folder: Where the runs' folders are.
        faults: What goes wrong in the org each time.
        not_begun: How many had nothing to go on with, and were given again.
    """

    forge: Forge
    folder: Path
    faults: Sequence[Fault] = ()
    count: int = 0
    not_begun: int = 0
    run_dir: Path = field(default=Path(), init=False)

    verb: Verb = field(init=False)
    again: Verb = field(init=False)

    @abstractmethod
    def prepare(self) -> None:
        """Put in place what the next run needs; its folder is ``run_dir``."""

    @abstractmethod
    def options(self) -> Order:
        """What it is asked for."""

    @abstractmethod
    def compare(self) -> tuple[int, int]:
        """Count the rows that are lost, and those that are doubled."""

    @abstractmethod
    def check(self, ended: Ended) -> None:
        """See that it has come to a good end and nothing is left behind."""

    @abstractmethod
    def check_not_begun(self) -> None:
        """See that a run that is not to be gone on with has done nothing."""

    def begin(self, **order: object) -> Ended:
        """Begin a run that is to die, or not."""
        self.count += 1
        settle(self.forge.org)
        self.forge.org.faults.add(*self.faults)
        self.run_dir = self.folder / str(self.count) / "run"
        self.run_dir.parent.mkdir()
        self.prepare()
        return self.forge.run(self.verb, self.run_dir, options=self.options(), **order)

    def go_on(self, **order: object) -> Ended:
        """Go on with the run that died."""
        self.forge.org.gate.arm()
        ended = self.forge.run(self.again, self.run_dir, **order)
        if was_begun(ended):
            return ended
        self.not_begun += 1
        self.check_not_begun()
        return self.forge.run(self.verb, self.run_dir, options=self.options())

    def note(self, table: Table, ended: Ended) -> None:
        """Enter a run that has come to its end."""
        lost, doubled = self.compare()
        table.points, table.lost, table.doubled = table.points + 1, table.lost + lost, table.doubled + doubled
        try:
            assert (table.lost, table.doubled) == (0, 0), table
            self.check(ended)
        except AssertionError:
            print(f"{table.kind}, point {table.points}: {self.run_dir}")
            raise

    def each_point(
        self, kind: str, order: Callable[[int], Order], *, arm: Moment | None = None, step: int = 1
    ) -> Table:
        """Kill at the first point, at the second, ...

        each time going on to the end, until a run is not met any more.
        """
        table, point = Table(kind), 1
        while True:
            self.forge.org.gate.arm(point if arm else None, arm or "before acting")
            ended = self.begin(**order(point))
            met = ended.killed
            self.note(table, self.go_on() if met else ended)
            if not met:
                print(table)
                assert self.not_begun <= 1
                return table
            point += step

    def moments_by_chance(self, count: int) -> Table:
        """Kill after some milliseconds."""
        seed = random.SystemRandom().randrange(2**32)
        print(f"seed {seed}")
        chance, table = random.Random(seed), Table("moment by chance")
        while table.points < count:
            self.forge.org.gate.arm()
            ended = self.begin(alarm_seconds=chance.uniform(0.005, 0.15))
            self.note(table, self.go_on() if ended.killed else ended)
        print(table)
        return table

    def twice(self, firsts: Sequence[int], seconds: Sequence[int]) -> Table:
        """Kill after an effect, and what goes on after another."""
        table = Table("killed, and killed again")
        for first in firsts:
            for second in seconds:
                self.forge.org.gate.arm()
                self.begin(watch="trace", die_at=first)
                ended = self.go_on(watch="trace", die_at=second)
                while ended.killed:
                    ended = self.go_on()
                self.note(table, ended)
        print(table)
        return table


@dataclass
class LoadBench(Bench):
    """Loads, each of a source and with pages of the org's ledger of its own."""

    asked: Order = field(default_factory=dict)
    make_source: Callable[[Forge], Rows] = lambda _forge: nasty_rows()

    LEFT = frozenset(
        {"journal.sqlite", "success.csv", "failed.csv", "unprocessed.csv", "rejected.csv", "report.html", "report.json"}
    )

    def __post_init__(self) -> None:
        self.verb, self.again = "load", "resume"

    def prepare(self) -> None:
        self.source = self.make_source(self.forge)
        self._path = self.source.write(self.run_dir.with_name("source.csv"))
        self.books = Books(self.forge.org)

    def options(self) -> Order:
        return {"object": "Row__c", "operation": "insert", "source": str(self._path), "batch_records": 6, **self.asked}

    def check_not_begun(self) -> None:
        assert self.books.jobs == []

    def compare(self) -> tuple[int, int]:
        accepted, expected = self.books.accepted(self.source.header), Counter(self.source.good)
        return (expected - accepted).total(), (accepted - expected).total()

    def check(self, ended: Ended) -> None:
        """The counts and the outputs are right, and nothing is left behind but an empty job."""
        assert ended.error is None, ended.text
        report = ended.report
        counts = [report[name] for name in ("read", "succeeded", "failed", "unprocessed", "rejected", "pending")]
        assert counts == [len(self.source.rows), len(self.source.good), len(self.source.bad), 0, 0, 0]
        assert report["state"] == "finished"
        assert_exactly_once(self.forge.org, self.books, self.source)
        assert_outputs_line_up(self.forge.org, self.run_dir, self.source)
        assert {path.name for path in self.run_dir.iterdir()} == self.LEFT
        litter = [job for job in self.books.jobs if job.state == "open"]
        # Jobs of 2.0 are made side by side, so several may be left; the report tells of each.
        assert len(litter) <= max(1, len(report["jobs_left_open"]))
        assert all(not job.batches and not (job.bulk2 and job.bulk2.uploads) for job in litter)


@dataclass
class FilesBench(LoadBench):
    """Loads of records that name files, in batches that are zips."""

    def prepare(self) -> None:
        org, files = self.forge.org, self.run_dir.with_name("files")
        (parent,) = org.insert("Account", [{"Name": "A"}])
        files.mkdir()
        for number in range(7):
            (files / f"{number}.bin").write_bytes(bytes(range(256)) * number)
        rows = [(f"row {number}", parent, f"#files/{number % 7}.bin") for number in range(34)]
        self.source = Rows(("Name", "ParentId", "Body"), rows)
        self._path = self.source.write(self.run_dir.with_name("source.csv"))
        self.books = Books(org, "Attachment")

    def options(self) -> Order:
        return {**super().options(), "object": "Attachment"}

    def compare(self) -> tuple[int, int]:
        accepted = self.books.accepted(self.source.header)
        expected = Counter((*row[:2], self._content(row[2])) for row in self.source.rows)
        return (expected - accepted).total(), (accepted - expected).total()

    def _content(self, name: str) -> str:
        return base64.b64encode((self.run_dir.parent / name[1:]).read_bytes()).decode()

    def check(self, ended: Ended) -> None:
        """The counts and the outputs are right, and nothing is left behind."""
        assert ended.error is None, ended.text
        assert [ended.report[name] for name in ("read", "succeeded", "pending")] == [34, 34, 0]
        success = read_csv(self.run_dir / "success.csv")
        assert [row[2:] for row in success[1:]] == list(self.source.rows)
        expected = [(*row[:2], self._content(row[2])) for row in self.source.rows]
        assert contents(self.forge.org, [row[0] for row in success[1:]], self.source.header, "Attachment") == expected
        assert {path.name for path in self.run_dir.iterdir()} == self.LEFT


@dataclass
class FollowBench(LoadBench):
    """Retries, or undos, of loads of which some rows failed and some were not processed; each is gone on with by the
    same command, with another folder."""

    kind: Literal["retry", "undo"] = "retry"

    def __post_init__(self) -> None:
        self.verb = self.again = self.kind

    def prepare(self) -> None:
        super().prepare()
        self._first, self._folders = self.run_dir.with_name("first"), [self.run_dir]
        mishaps = self.forge.org.mishaps
        mishaps.plan(Mishap(every=2))
        mishaps.plan(Mishap(message="InternalServerError : later", after_rows=3), nth=2)
        with self.forge.org.gate.aside():
            ended = self.forge.run("load", self._first, options=super().options())
        assert ended.error is None, ended.text
        files = [read_csv(self._first / name) for name in ("success.csv", "failed.csv", "unprocessed.csv")]
        self._written = [row[0] for row in files[0][1:]]
        left = [*(row[2:] for row in files[1][1:]), *(row[1:] for row in files[2][1:])]
        self._left = Rows(self.source.header, left)
        assert len(self._written) + len(left) == len(self.source.rows)
        assert len(self._left.good) > 4
        self.books = Books(self.forge.org)

    def begin(self, **order: object) -> Ended:
        return super().begin(followed=str(self._first_of(self.count + 1)), **order)

    def _first_of(self, count: int) -> Path:
        return self.folder / str(count) / "first"

    def go_on(self, **order: object) -> Ended:
        self.forge.org.gate.arm()
        self._folders.append(self.run_dir.with_name(f"run{len(self._folders)}"))
        ended = self.forge.run(self.verb, self._folders[-1], followed=str(self._first), **order)
        if ended.error == "UsageError" and " already, by run in " in ended.text:
            # It died once it had finished, and only the report was not seen.
            return self.forge.run("resume", self.run_dir, **order)
        return ended

    def compare(self) -> tuple[int, int]:
        if self.kind == "retry":
            accepted, expected = self.books.accepted(self.source.header), Counter(self._left.good)
            return (expected - accepted).total(), (accepted - expected).total()
        deleted = Counter(entry.record_id for entry in self.books.entries)
        written = Counter(self._written)
        return (written - deleted).total(), (deleted - written).total()

    def check(self, ended: Ended) -> None:
        """The counts are right, and neither the command nor a folder that is left sends anything again."""
        assert ended.error is None, ended.text
        report, folder = ended.report, Path(ended.report["run_dir"])
        assert (report["state"], report[f"{self.kind}_of"]) == ("finished", "first")
        counts = [report[name] for name in ("read", "succeeded", "failed", "pending")]
        if self.kind == "retry":
            good, bad = self._left.good, self._left.bad
            assert counts == [len(good) + len(bad), len(good), len(bad), 0]
            assert Counter(row[2:] for row in read_csv(folder / "success.csv")[1:]) == Counter(good)
        else:
            assert counts == [len(self._written), len(self._written), 0, 0]
        assert {path.name for path in folder.iterdir()} == self.LEFT
        requests = len(self.books.jobs)
        again = self.forge.run(self.verb, self.run_dir.with_name("again"), followed=str(self._first))
        assert again.error == "UsageError", again.text
        for other in self._folders:
            if other != folder and other.exists():
                assert self.forge.run("resume", other).error in {"JournalMismatch", "UsageError"}
        assert len(self.books.jobs) == requests


EXTRACTED = 40


@dataclass
class ExtractBench(Bench):
    """Extracts of one object, each of which must give byte for byte what an undisturbed one gives."""

    chunk_fails: bool = False
    asked: Order = field(default_factory=lambda: {"pk_chunking": 8})

    LEFT = frozenset({"extract.sqlite", "report.html", "report.json"})

    def __post_init__(self) -> None:
        self.verb, self.again = "extract", "resume extract"
        self.forge.org.gate.arm()
        ended = self.begin()
        assert not ended.killed
        assert ended.error is None, ended.text
        self.undisturbed = self._path.read_bytes()

    def prepare(self) -> None:
        self._path = self.run_dir.with_name("out.csv")
        if self.chunk_fails:
            self.forge.org.mishaps.plan(Mishap(message="InternalServerError : later"), nth=4)

    def options(self) -> Order:
        return {"soql": QUERY, "to": str(self._path), "workers": 2, **self.asked}

    def check_not_begun(self) -> None:
        assert not self._path.exists()

    def compare(self) -> tuple[int, int]:
        expected, got = Counter(stored(self.forge.org)), Counter(read(self._path))
        return (expected - got).total(), (got - expected).total()

    def check(self, ended: Ended) -> None:
        assert ended.error is None, ended.text
        assert self._path.read_bytes() == self.undisturbed
        assert (ended.report["rows"], ended.report["state"]) == (EXTRACTED, "finished")
        assert {path.name for path in self.run_dir.iterdir()} == self.LEFT
        assert {path.name for path in self.run_dir.parent.iterdir()} == {"run", "out.csv"}
        assert not [job for job in self.forge.org.state.jobs.all() if job.state == "open" and job.batches]


def rows_to_update(forge: Forge) -> Rows:
    ids = forge.org.insert("Row__c", [{"Code__c": "old"}] * 34)
    rows = [(one, code or TOO_LONG, text or "new") for one, (code, text) in zip(ids, nasty_rows().rows, strict=True)]
    return Rows(("Id", "Code__c", "Text__c"), rows)


def rows_to_delete(forge: Forge) -> Rows:
    return Rows(("Id",), [(one,) for one in forge.org.insert("Row__c", [{"Code__c": "old"}] * 34)])


def rows_to_upsert(forge: Forge) -> Rows:
    keys = [f"{forge.org.count('Row__c')}-{place}" for place in range(34)]
    forge.org.insert("Row__c", [{"Code__c": "old", "Key__c": key} for key in keys[::2]])
    rows = [(key, code or TOO_LONG, text or "new") for key, (code, text) in zip(keys, nasty_rows().rows, strict=True)]
    return Rows(("Key__c", "Code__c", "Text__c"), rows)
