"""The journal of an extract: SQLite in the run's folder. It holds jobs, batches and parts as they stand; never a token
or a record.

Everything is on disk when the call returns. Only one thread writes, the engine's.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cache, partial
from itertools import chain
from operator import attrgetter
from pathlib import Path
from typing import Any, Final, assert_never

from bulkforce.apis.abc import ApiName
from bulkforce.errors import JournalMismatch
from bulkforce.extract.events import (
    BatchStage,
    Delivered,
    DeliveryBegun,
    Event,
    GivenUp,
    Part,
    QueryBatch,
    QueryJob,
    QueryJobStage,
    Thing,
)
from bulkforce.extract.incremental import Repeats
from bulkforce.extract.numbers import Numbers
from bulkforce.extract.result_file import aside
from bulkforce.extract.state import State
from bulkforce.run.database import Step
from bulkforce.run.folder import EXTRACT, PAGE, PARTS, REPORT
from bulkforce.run.journal import SITTINGS, RunJournal, own_page

FILES: Final = (PARTS, REPORT)
"""Everything that an extract creates in its folder, apart from its page and the parts."""

# A version that was ever released is never changed; additions go into the next.
_VERSION_1: Final = """
CREATE TABLE fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE job (
    number INTEGER PRIMARY KEY, soql TEXT NOT NULL, chunking TEXT, replaces INTEGER REFERENCES batch,
    tries INTEGER NOT NULL, stage TEXT NOT NULL, id TEXT UNIQUE, batch_id TEXT, created REAL,
    batches INTEGER NOT NULL, closed INTEGER NOT NULL);
CREATE TABLE batch (
    number INTEGER PRIMARY KEY, job INTEGER NOT NULL REFERENCES job, id TEXT NOT NULL UNIQUE, place INTEGER NOT NULL,
    stage TEXT NOT NULL, records INTEGER, message TEXT, tries INTEGER NOT NULL);
-- Every row once: one batch counts at a place.
CREATE UNIQUE INDEX one_that_counts ON batch (place) WHERE stage != 'replaced';
CREATE TABLE part (
    batch INTEGER NOT NULL REFERENCES batch, place INTEGER NOT NULL, result_id TEXT NOT NULL, done INTEGER NOT NULL,
    rows INTEGER NOT NULL, size INTEGER NOT NULL, sha256 TEXT NOT NULL, PRIMARY KEY (batch, place)) WITHOUT ROWID;
"""
_VERSION_2: Final = """
CREATE TABLE file (
    name TEXT PRIMARY KEY, size INTEGER, sha256 TEXT, CHECK ((size IS NULL) = (sha256 IS NULL))) WITHOUT ROWID;
ALTER TABLE batch ADD COLUMN ids TEXT;
"""

_VERSION_3: Final = """
ALTER TABLE batch ADD COLUMN more TEXT;
ALTER TABLE part ADD COLUMN records INTEGER;
"""


def _own_what_is_there(database: sqlite3.Connection, _folder: Path) -> None:
    """Register existing files: version 1 named only its parts."""
    rows = database.execute("SELECT batch, place, result_id FROM part").fetchall()
    names = [*FILES, *(name for row in rows for name in _names(Part(*row)))]
    database.executemany("INSERT INTO file (name) VALUES (?)", [(name,) for name in names])


# Times, for the run's page.
_VERSION_4: Final = f"""
{SITTINGS}
ALTER TABLE batch ADD COLUMN seen REAL;
ALTER TABLE batch ADD COLUMN changed REAL;
"""

_VERSION_5: Final = """
ALTER TABLE part ADD COLUMN seen REAL;
ALTER TABLE part ADD COLUMN changed REAL;
"""

_STEPS: Final[tuple[Step, ...]] = (
    *(_VERSION_1, (_VERSION_2, _own_what_is_there), _VERSION_3, (_VERSION_4, own_page), _VERSION_5),
)
VERSION: Final = len(_STEPS)


def _names(part: Part) -> list[str]:
    """Return the names of a part's file and of the file kept if it is broken."""
    file = Path(PARTS, part.file)
    return [file.as_posix(), aside(file).as_posix()]


_TABLES: Final[dict[type, str]] = {QueryJob: "job", QueryBatch: "batch", Part: "part"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractFacts:
    """The settings that an extract began with.

    Attributes:
        run: Id of the run.
        begun: When it began, in seconds since 1970.
        instance_url: The org.
        soql: The query.
        object: The object after FROM.
        operation: ``query`` or ``queryAll``.
        to: The file to write, or ``-``.
        format: The format, if the file's name does not show it.
        may_chunk: See `bulkforce.extract.rules.Rules`.
        since_file: The file that keeps since when, if any.
        workers: Number of parallel downloads.
        token: Part of the temporary names of files outside the run's folder.
        numbers: How to write numbers.
        keep: How many bytes of the file stay, if it is appended to.
        since: Since when the last extract saw everything, if it kept that.
        repeats: What to do about records that came the last time.
        asked: See `bulkforce.extract.incremental.Mark`.
        seen: The same.
        api: The API.
        version: Its version; ``None`` in a run from before that was kept.
    """

    run: str
    begun: float
    instance_url: str
    soql: str
    object: str
    operation: str
    to: str
    format: str | None
    may_chunk: bool
    since_file: str | None
    workers: int = 4
    token: str = ""
    numbers: Numbers = "plain"
    keep: int | None = None
    since: str | None = None
    repeats: Repeats = "keep"
    asked: str = ""
    seen: str = ""
    api: ApiName = "bulk1"
    version: str | None = None


@cache
def _put(kind: type[Thing]) -> tuple[str, Callable[[Thing], tuple[Any, ...]]]:
    """Return the statement that adds or changes a thing, and its values.

    Behind the values, a batch or part takes the time twice: when it was first seen, and when it changed last.
    """
    names = [one.name for one in fields(kind)]
    values: Callable[[Thing], tuple[Any, ...]] = attrgetter(*names)
    changes = [f"{name} = excluded.{name}" for name in names]
    if kind is not QueryJob:
        names += ["seen", "changed"]
        changes += ["seen = coalesce(seen, excluded.seen)", "changed = excluded.changed"]
    keys = "batch, place" if kind is Part else "number"
    marks = ", ".join("?" * len(names))
    insert = f"INSERT INTO {_TABLES[kind]} ({', '.join(names)}) VALUES ({marks})"  # noqa: S608  (our own names)
    return f"{insert} ON CONFLICT ({keys}) DO UPDATE SET {', '.join(changes)}", values


class ExtractJournal(RunJournal):
    """One run's journal, held by this process alone.

    Args:
        folder: The run's folder.
        job: For a new run: its query.
        facts: For a new run that may be resumed: its settings.
        made: For a new run: the folders that were made for it, innermost first.
        migrate: See `bulkforce.run.database.Database`.

    Raises:
        TransferError, UsageError: See `bulkforce.run.database.Database`.
    """

    def __init__(
        self,
        folder: Path,
        job: QueryJob | None = None,
        facts: ExtractFacts | None = None,
        made: Sequence[Path] = (),
        *,
        migrate: bool = True,
    ) -> None:
        new = None if job is None else partial(self._begin, job, facts, made)
        # The engine may run in its own thread, but only one thread at a time uses the journal.
        super().__init__(folder / EXTRACT, _STEPS, new=new, one_thread=False, migrate=migrate)

    def _begin(self, job: QueryJob, facts: ExtractFacts | None, made: Sequence[Path]) -> None:
        if facts is not None:
            self._remember("facts", json.dumps(asdict(facts)))
        self._remember("made", json.dumps([str(folder.absolute()) for folder in made]))
        self.own([*FILES, PAGE])
        self._write(job)

    def facts(self) -> ExtractFacts | None:
        """Read back the run's settings; ``None`` if a version that saved them later died before it did."""
        found = self._members("facts")
        return None if found is None else self._made_of(ExtractFacts, found)

    def state(self) -> State:
        """Read back the state of the run."""
        jobs = (
            QueryJob(**row | {"stage": QueryJobStage(row["stage"]), "closed": bool(row["closed"])})
            for row in self._rows(QueryJob, "number")
        )
        batches = (QueryBatch(**row | {"stage": BatchStage(row["stage"])}) for row in self._rows(QueryBatch, "number"))
        parts = (Part(**row | {"done": bool(row["done"])}) for row in self._rows(Part, "batch, place"))
        return State(chain(jobs, batches, parts))

    def timed(self) -> list[tuple[int, str, int | None, float | None, float | None, int]]:
        """Return each batch that counts: its number and stage, how many rows it has as the org says, when it was asked
        for or first seen, when it last changed, and how many of its rows are on disk.
        """
        return self._database.execute(
            "SELECT batch.number, batch.stage, batch.records, "
            "CASE WHEN job.batches > 1 THEN seen ELSE min(seen, coalesce(job.created, seen)) END, "
            "changed, coalesce(got, 0) FROM batch JOIN job ON job.number = batch.job "
            "LEFT JOIN (SELECT batch, sum(rows) AS got FROM part WHERE done GROUP BY batch) AS had "
            "ON had.batch = batch.number WHERE batch.stage != 'replaced' ORDER BY batch.place"
        ).fetchall()

    def timed_parts(self) -> list[tuple[bool, float | None, float | None, int]]:
        """Return each part, in order: whether it is on disk, when it was first seen and last changed, and its rows."""
        return self._database.execute(
            "SELECT done, part.seen, part.changed, rows FROM part JOIN batch ON batch.number = part.batch "
            "WHERE batch.stage != 'replaced' ORDER BY batch.place, part.place"
        ).fetchall()

    def _rows(self, kind: type[Thing], order: str) -> Iterator[dict[str, Any]]:
        names = [one.name for one in fields(kind)]
        rows = self._database.execute(f"SELECT {', '.join(names)} FROM {_TABLES[kind]} ORDER BY {order}")  # noqa: S608  (our own names)
        return (dict(zip(names, row, strict=True)) for row in rows)

    def record(self, events: Iterable[Event]) -> None:
        """Record events, all or none; they are on disk when this returns.

        Raises:
            JournalMismatch: The events would make records come out twice.
        """
        with self.transaction():
            for event in events:
                match event:
                    case QueryJob() | QueryBatch() | Part():
                        self._write(event)
                    case DeliveryBegun() | Delivered() | GivenUp():
                        # The next sitting delivers from the beginning and retries.
                        pass
                    case _:
                        assert_never(event)

    def _write(self, thing: Thing) -> None:
        if isinstance(thing, Part):
            self.own(_names(thing))
        statement, values = _put(type(thing))  # type: ignore[arg-type]  # as in `bulkforce.protocol.wire`
        times = () if isinstance(thing, QueryJob) else (self.today(),) * 2
        try:
            self._database.execute(statement, (*values(thing), *times))
        except sqlite3.IntegrityError as error:
            raise JournalMismatch(f"The journal refuses {thing}: {error}") from error
