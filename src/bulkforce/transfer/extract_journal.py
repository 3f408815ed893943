"""The memory of an extract: SQLite in the run's folder. Jobs, batches and parts as they stand; never a token, never a record.

What is written here is on disk when the call returns. Written by one thread only, the engine's.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Final

from bulkforce.errors import JournalMismatch
from bulkforce.transfer.extract_state import Batch, BatchStage, Job, JobStage, Part, State, Thing
from bulkforce.transfer.folder import EXTRACT
from bulkforce.transfer.memory import Memory

VERSION: Final = 1

_SCHEMA: Final = """
CREATE TABLE fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE job (
    number INTEGER PRIMARY KEY, soql TEXT NOT NULL, chunking TEXT, replaces INTEGER REFERENCES batch, tries INTEGER NOT NULL,
    stage TEXT NOT NULL, id TEXT UNIQUE, batch_id TEXT, created REAL, batches INTEGER NOT NULL, closed INTEGER NOT NULL);
CREATE TABLE batch (
    number INTEGER PRIMARY KEY, job INTEGER NOT NULL REFERENCES job, id TEXT NOT NULL UNIQUE, place INTEGER NOT NULL,
    stage TEXT NOT NULL, records INTEGER, message TEXT, tries INTEGER NOT NULL, ids TEXT);
-- Every row once: one batch counts at a place.
CREATE UNIQUE INDEX one_that_counts ON batch (place) WHERE stage != 'replaced';
CREATE TABLE part (
    batch INTEGER NOT NULL REFERENCES batch, place INTEGER NOT NULL, result_id TEXT NOT NULL, done INTEGER NOT NULL,
    rows INTEGER NOT NULL, size INTEGER NOT NULL, sha256 TEXT NOT NULL, PRIMARY KEY (batch, place)) WITHOUT ROWID;
"""
_TABLES: Final[dict[type, str]] = {Job: "job", Batch: "batch", Part: "part"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What an extract was begun with."""

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


class ExtractJournal(Memory):
    """One run's journal, held by this process alone.

    Raises:
        JournalBusy: Another process holds it.
        JournalMismatch: It is of another version of bulkforce, or no journal.
    """

    def __init__(self, folder: Path) -> None:
        # The engine may run in a thread of its own; it is one at a time.
        super().__init__(folder / EXTRACT, _SCHEMA, VERSION, one_thread=False)
        if "ids" not in {row[1] for row in self._database.execute("PRAGMA table_info(batch)")}:
            # A journal from before chunks were compared with the query.
            self._database.execute("ALTER TABLE batch ADD COLUMN ids TEXT")

    def begin(self, facts: Facts, job: Job) -> None:
        """Write down what is asked: from here on the run can be resumed."""
        with self.transaction():
            self._remember("facts", json.dumps(asdict(facts)))
            self.write(job)

    def facts(self) -> Facts | None:
        """Read back what the run was begun with; ``None`` if it died before that was written down."""
        found = self._recall("facts")
        return None if found is None else Facts(**json.loads(found))

    def state(self) -> State:
        """Read back where the run stands."""
        jobs = (Job(**row | {"stage": JobStage(row["stage"]), "closed": bool(row["closed"])}) for row in self._rows("job ORDER BY number"))
        batches = (Batch(**row | {"stage": BatchStage(row["stage"])}) for row in self._rows("batch ORDER BY number"))
        parts = (Part(**row | {"done": bool(row["done"])}) for row in self._rows("part ORDER BY batch, place"))
        return State(chain(jobs, batches, parts))

    def _rows(self, table: str) -> Iterator[dict[str, Any]]:
        rows = self._database.execute(f"SELECT * FROM {table}")  # noqa: S608  (our own names)
        names = [column[0] for column in rows.description]
        return (dict(zip(names, row, strict=True)) for row in rows)

    def write(self, thing: Thing) -> None:
        """Write down how something stands now; inside a transaction.

        Raises:
            JournalMismatch: It would mean that rows come out twice.
        """
        values = asdict(thing)
        names = ", ".join(values)
        marks = ", ".join(f":{name}" for name in values)
        keys = "batch, place" if isinstance(thing, Part) else "number"
        changes = ", ".join(f"{name} = excluded.{name}" for name in values)
        statement = f"INSERT INTO {_TABLES[type(thing)]} ({names}) VALUES ({marks}) ON CONFLICT ({keys}) DO UPDATE SET {changes}"  # noqa: S608  (our own names)
        try:
            self._database.execute(statement, values)
        except sqlite3.IntegrityError as error:
            raise JournalMismatch(f"The journal refuses {thing}: {error}") from error
