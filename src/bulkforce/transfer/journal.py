"""The memory of a run: SQLite in the run's folder. Intention before each request, answer after it; never a token, never a record.

A run is read back from here after any death. The rule that no batch goes in twice is in the schema: a partial unique index allows one
accepted attempt a batch, so that SQLite itself refuses the bug. Written by one thread only, the engine's.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from bulkforce.errors import JournalMismatch
from bulkforce.transfer.cutting import Batch
from bulkforce.transfer.events import (
    BatchAbsent,
    BatchAccepted,
    BatchDoubted,
    BatchEnded,
    BatchLeftInDoubt,
    BatchNeverRun,
    BatchRefused,
    BatchSending,
    Event,
    JobAudited,
    JobClosed,
    JobClosing,
    JobListed,
    JobLost,
    JobOpened,
    JobSettled,
    JobWanted,
    ResultsFetched,
    RunTakenUp,
    StrangersAccepted,
)
from bulkforce.transfer.folder import LOAD
from bulkforce.transfer.memory import Memory
from bulkforce.transfer.plan import IN_DOUBT, Attempt, AttemptState, BatchView, Job, JobStage, Outcome, View

VERSION: Final = 1

_SCHEMA: Final = """
CREATE TABLE fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE batch (
    number INTEGER PRIMARY KEY, start INTEGER NOT NULL, end INTEGER NOT NULL, records INTEGER NOT NULL,
    size INTEGER NOT NULL, sha256 TEXT NOT NULL);
CREATE TABLE job (
    number INTEGER PRIMARY KEY, id TEXT UNIQUE, stage TEXT NOT NULL, opened REAL NOT NULL);
CREATE TABLE attempt (
    number INTEGER PRIMARY KEY, batch INTEGER NOT NULL REFERENCES batch, job INTEGER NOT NULL REFERENCES job,
    state TEXT NOT NULL CHECK (state IN ('sending', 'accepted', 'absent', 'unprocessed')),
    id TEXT UNIQUE, CHECK ((id IS NOT NULL) = (state IN ('accepted', 'unprocessed'))));
-- Exactly once: a batch has at most one accepted attempt, and none is begun while another may have been taken.
CREATE UNIQUE INDEX one_that_may_count ON attempt (batch) WHERE state IN ('sending', 'accepted');
CREATE TABLE outcome (
    batch INTEGER PRIMARY KEY REFERENCES batch, state TEXT NOT NULL, message TEXT, fetched INTEGER NOT NULL DEFAULT 0);
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a run was begun with, and what its reading found."""

    run: str
    begun: float
    instance_url: str
    operation: str
    object: str
    external_id: str | None
    concurrency_mode: str | None
    source: str
    feed: str
    feed_is_ours: bool
    feed_size: int
    feed_mtime_ns: int
    header: str
    source_columns: list[str]
    taken: list[int]
    names: list[str]
    constants: list[str]
    empty_as_null: bool
    read: int
    rejected: list[int]


class Journal(Memory):
    """One run's journal, held by this process alone.

    Raises:
        JournalBusy: Another process holds it.
        JournalMismatch: It is of another version of bulkforce, or no journal.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / LOAD, _SCHEMA, VERSION)

    def begin(self, facts: Facts, batches: Iterable[Batch]) -> None:
        """Write down what was read: from here on the run can be resumed."""
        with self.transaction():
            self._database.executemany(
                "INSERT INTO batch VALUES (:number, :start, :end, :records, :size, :sha256)", (asdict(batch) for batch in batches)
            )
            self._remember("facts", json.dumps(asdict(facts)))

    def facts(self) -> Facts | None:
        """Read back what the run was begun with; ``None`` if it died before its source was read."""
        found = self._recall("facts")
        return None if found is None else Facts(**json.loads(found))

    def batches(self) -> list[Batch]:
        """Read back the batches, in order."""
        return [Batch(*row) for row in self._database.execute("SELECT * FROM batch ORDER BY number")]

    def view(self) -> View:
        """Read back where the run stands."""
        batches = {batch.number: BatchView(batch.number, batch.records, batch.sha256) for batch in self.batches()}
        taken: dict[int, set[str]] = {}
        jobs = {
            number: Job(number, job_id, JobStage(stage), opened)
            for number, job_id, stage, opened in self._database.execute("SELECT number, id, stage, opened FROM job")
        }
        for number, job in jobs.items():
            job.closing = self._recall(f"closing {number}") is not None
            job.left_open = self._recall(f"left open {number}") is not None
            taken[number] = set(json.loads(self._recall(f"strangers {number}") or "[]"))
        for batch, number, state, batch_id in self._database.execute("SELECT batch, job, state, id FROM attempt ORDER BY number"):
            batches[batch].attempt = Attempt(number, AttemptState(state), batch_id)
            if batch_id is not None:
                taken[number].add(batch_id)
        for number, state, message, fetched in self._database.execute("SELECT batch, state, message, fetched FROM outcome"):
            batches[number].outcome = Outcome(state, message)
            batches[number].fetched = bool(fetched)
        return View(batches, jobs, taken=taken)

    def begin_in_doubt(self) -> None:
        """Write down that this run gives a file of what is in doubt."""
        with self.transaction():
            self._remember("in doubt", "given")

    @property
    def gave_in_doubt(self) -> bool:
        """Whether a sitting gave a file of what is in doubt."""
        return self._recall("in doubt") is not None

    def record(self, events: Iterable[Event]) -> None:
        """Write down what has happened, all of it or nothing; it is on disk when this returns.

        Raises:
            JournalMismatch: It would mean that a batch goes in twice.
        """
        with self.transaction():
            for event in events:
                try:
                    self._record(event)
                except sqlite3.IntegrityError as error:
                    raise JournalMismatch(f"The journal refuses {event}: {error}") from error

    def _record(self, event: Event) -> None:  # noqa: C901, PLR0912  (one arm an event)
        run = self._database.execute
        match event:
            case JobWanted(job, at):
                run("INSERT INTO job VALUES (?, NULL, 'opening', ?)", (job, at))
            case JobOpened(job, job_id):
                run("UPDATE job SET stage = 'open', id = ? WHERE number = ?", (job_id, job))
            case JobLost(job, left_open):
                self._stage(job, JobStage.LOST)
                if left_open:
                    self._remember(f"left open {job}", "yes")
            case JobClosing(job):
                self._remember(f"closing {job}", "yes")
            case JobClosed(job):
                run("UPDATE job SET stage = 'closed' WHERE number = ? AND stage != 'fenced'", (job,))
            case BatchSending(batch, job):
                run("INSERT INTO attempt (batch, job, state) VALUES (?, ?, 'sending')", (batch, job))
            case BatchAccepted(batch, batch_id):
                self._attempt(batch, "sending", "accepted", batch_id)
            case BatchAbsent(batch):
                self._attempt(batch, "sending", "absent")
            case BatchRefused(batch, message):
                self._attempt(batch, "sending", "absent")
                run("INSERT INTO outcome VALUES (?, 'refused', ?, 1)", (batch, message))
            case BatchDoubted(batch):
                run(
                    "UPDATE job SET stage = 'fenced' WHERE number = (SELECT job FROM attempt WHERE batch = ? AND state = 'sending')",
                    (batch,),
                )
            case JobSettled(job, adopted, absent):
                for batch, batch_id in adopted.items():
                    self._attempt(batch, "sending", "accepted", batch_id)
                for batch in absent:
                    self._attempt(batch, "sending", "absent")
                self._stage(job, JobStage.CLOSED)
            case BatchEnded(batch, state, message, has_results):
                run("INSERT INTO outcome VALUES (?, ?, ?, ?)", (batch, state.value, message, not has_results))
            case BatchNeverRun(batch):
                run("UPDATE attempt SET state = 'unprocessed' WHERE batch = ? AND state = 'accepted'", (batch,))
            case BatchLeftInDoubt(batch, reason):
                run(
                    "INSERT INTO outcome VALUES (?, ?, ?, 1) ON CONFLICT (batch) DO UPDATE SET state = excluded.state, message = excluded.message, "
                    "fetched = 1",
                    (batch, IN_DOUBT, reason),
                )
            case StrangersAccepted(job, ids):
                known = set(json.loads(self._recall(f"strangers {job}") or "[]"))
                self._remember(f"strangers {job}", json.dumps(sorted(known | ids)))
            case RunTakenUp() | JobListed() | JobAudited():
                # What a sitting has seen is seen again by the next.
                pass
            case ResultsFetched(batch):
                run("UPDATE outcome SET fetched = 1 WHERE batch = ?", (batch,))

    def _stage(self, job: int, stage: JobStage) -> None:
        self._database.execute("UPDATE job SET stage = ? WHERE number = ?", (stage.value, job))

    def _attempt(self, batch: int, before: str, after: str, batch_id: str | None = None) -> None:
        changed = self._database.execute(
            "UPDATE attempt SET state = ?, id = ? WHERE batch = ? AND state = ?", (after, batch_id, batch, before)
        ).rowcount
        if changed != 1:
            raise JournalMismatch(f"Batch {batch} has {changed} attempts that are {before}; one was due")
