"""The journal of a load: a SQLite file in the run's folder.

It records the intention before each request and the answer after it; never a token, never a record.

After any crash, a run is restored from here. The rule that no batch is loaded twice is in the schema: a partial unique
index allows one accepted attempt per batch, so SQLite itself rejects such a bug. Only the engine's thread writes to it.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Final, assert_never

from bulkforce.errors import JournalMismatch
from bulkforce.load.batches import IN_DOUBT, Attempt, AttemptState, BatchView, Job, JobStage, Outcome
from bulkforce.load.cutter import Batch
from bulkforce.load.events import (
    BatchAbsent,
    BatchAccepted,
    BatchCommitting,
    BatchDoubted,
    BatchEnded,
    BatchJoined,
    BatchLeftInDoubt,
    BatchNeverRun,
    BatchRefused,
    BatchSending,
    BatchUploaded,
    Event,
    JobAudited,
    JobClosed,
    JobClosing,
    JobListed,
    JobLost,
    JobOpened,
    JobSettled,
    JobWanted,
    OrderUnsettled,
    ResultsFetched,
    ResultsLost,
    ResultsUnreadable,
    RunTakenUp,
    StrangersAccepted,
)
from bulkforce.load.facts import ASKED, Asked, Follower, LoadFacts
from bulkforce.load.state import View
from bulkforce.protocol import limits
from bulkforce.protocol.rest import SObjectDescription, description_of
from bulkforce.protocol.wire import short
from bulkforce.run.database import Step
from bulkforce.run.folder import AGAIN, FEED, IN_DOUBT_ROWS, LOAD, PAGE, REJECTED, REPORT, RESULTS, SOURCE, UNTIED
from bulkforce.run.journal import SITTINGS, RunJournal, own_page
from bulkforce.run.seal import Seal

_READ: Final = (SOURCE, SOURCE + ".narrow", FEED, REJECTED)
FILES: Final = (
    *(*_READ, RESULTS, "success.csv", "failed.csv", "unprocessed.csv", IN_DOUBT_ROWS, UNTIED, REPORT, AGAIN),
    *(f"{AGAIN}/{name}" for name in _READ),
)
"""Everything that a load creates in its folder, besides its page and a file in ``results`` for each batch."""

# Never change a version that was released; put changes into the next.
_VERSION_1: Final = """
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

_VERSION_2: Final = """
CREATE TABLE file (
    name TEXT PRIMARY KEY, size INTEGER, sha256 TEXT, CHECK ((size IS NULL) = (sha256 IS NULL))) WITHOUT ROWID;
ALTER TABLE batch ADD COLUMN piece_sha256 TEXT NOT NULL DEFAULT '';
"""


def _seal_what_is_there(database: sqlite3.Connection, folder: Path) -> None:
    """Seal the files of a journal of version 1, which relied on files without a seal."""
    database.executemany("INSERT INTO file (name) VALUES (?)", [(name,) for name in FILES])
    if found := database.execute("SELECT value FROM fact WHERE name = 'facts'").fetchone():
        facts = json.loads(found[0])
        asked = {name: facts.pop(name) for name in list(facts) if name in ASKED}
        asked |= {
            "path": None if facts["feed_is_ours"] else facts["feed"],
            "mapping": {},
            "batch_records": limits.BATCH_RECORDS,
            "workers": 4,
        }
        database.executemany(
            "INSERT OR REPLACE INTO fact VALUES (?, ?)", [("asked", json.dumps(asked)), ("facts", json.dumps(facts))]
        )
    names = [REJECTED]
    for batch, fetched in database.execute("SELECT batch, fetched FROM outcome WHERE state != 'refused'").fetchall():
        name = results_file(batch)
        database.execute("INSERT INTO file (name) VALUES (?)", (name,))
        # Results that are lost, or never existed (version 1 did not say which), are fetched again.
        names += [name] if fetched else []
    for name in names:
        if (folder / name).exists():
            seal = Seal.of_file(folder / name)
            database.execute("UPDATE file SET size = ?, sha256 = ? WHERE name = ?", (seal.size, seal.sha256, name))


# Times, and the org's count of failed records: for the run's page.
_VERSION_3: Final = f"""
{SITTINGS}
ALTER TABLE attempt ADD COLUMN began REAL;
ALTER TABLE attempt ADD COLUMN answered REAL;
ALTER TABLE outcome ADD COLUMN at REAL;
ALTER TABLE outcome ADD COLUMN failed INTEGER;
"""

_STEPS: Final[tuple[Step, ...]] = (_VERSION_1, (_VERSION_2, _seal_what_is_there), (_VERSION_3, own_page))
VERSION: Final = len(_STEPS)


def results_file(batch: int) -> str:
    """Return the path, in the run's folder, of a batch's results."""
    return f"{RESULTS}/{batch:06}.csv"


def unreadable_file(batch: int) -> str:
    """Return the path, in the run's folder, of a batch's unreadable results, kept for the user."""
    return f"unreadable-{batch:06}.csv"


class LoadJournal(RunJournal):
    """The journal of one load, locked by this process.

    Args:
        folder: The run's folder.
        asked: For a new run: what it was started with.
        made: For a new run: the folders created for it, the innermost first.
        migrate: See `bulkforce.run.database.Database`.

    Raises:
        TransferError, UsageError: See `bulkforce.run.database.Database`.
    """

    def __init__(
        self, folder: Path, asked: Asked | None = None, made: Sequence[Path] = (), *, migrate: bool = True
    ) -> None:
        new = None if asked is None else partial(self._begin, asked, made)
        super().__init__(folder / LOAD, _STEPS, new=new, migrate=migrate)

    def _begin(self, asked: Asked, made: Sequence[Path]) -> None:
        self._remember("asked", json.dumps(asdict(asked)))
        self._remember("token", secrets.token_hex(8))
        self._remember("made", json.dumps([str(folder.absolute()) for folder in made]))
        self.own([*FILES, PAGE])

    def take_in(self, facts: LoadFacts, batches: Iterable[Batch]) -> None:
        """Record what was read; from here on it can be sent."""
        with self.transaction():
            self._database.executemany(
                "INSERT INTO batch VALUES (:number, :start, :end, :records, :size, :sha256, :piece_sha256)",
                (asdict(batch) for batch in batches),
            )
            found = {name: value for name, value in asdict(facts).items() if name not in ASKED}
            self._remember("facts", json.dumps(found))
            self.seal(REJECTED, Seal.of_file(self.folder / REJECTED))

    @property
    def token(self) -> str:
        """A token that identifies this run, whatever its name; created now if an older version did not."""
        token = self._recall("token")
        if token is None:
            token = secrets.token_hex(8)
            with self.transaction():
                self._remember("token", token)
        return token

    @property
    def sittings(self) -> int:
        """How often the run was started, was resumed or requested a job."""
        return int(self._recall("sittings") or 0)

    def begin_sitting(self, number: int) -> None:
        """Record that a sitting begins."""
        with self.transaction():
            self._remember("sittings", str(number))

    def follower(self, kind: str) -> Follower | None:
        """Return the run that retries or undoes this one, if there is one; see `bulkforce.load.claims`."""
        found = self._members(f"{kind} by")
        return None if found is None else Follower(**found)

    def set_follower(self, kind: str, follower: Follower | None) -> None:
        """Record which run retries or undoes this one; ``None``: none does."""
        with self.transaction():
            if follower is None:
                self._database.execute("DELETE FROM fact WHERE name = ?", (f"{kind} by",))
            else:
                self._remember(f"{kind} by", json.dumps(asdict(follower)))

    @property
    def has_claimed(self) -> bool:
        """Whether this run, which follows another, is the one that may."""
        return self._recall("claimed") is not None

    def note_claimed(self) -> None:
        """Record that this run is the one that may follow another."""
        with self.transaction():
            self._remember("claimed", "yes")

    def asked(self) -> Asked | None:
        """Return what the run was started with; ``None`` if an old version died while reading, without recording it."""
        asked = self._members("asked")
        return None if asked is None else self._made_of(Asked, asked)

    def facts(self) -> LoadFacts | None:
        """Return what was read; ``None`` if the run died before it was."""
        asked, found = self._members("asked"), self._members("facts")
        return None if asked is None or found is None else self._made_of(LoadFacts, asked | found)

    def batches(self) -> list[Batch]:
        """Return the batches, in order."""
        return [Batch(*row) for row in self._database.execute("SELECT * FROM batch ORDER BY number")]

    def view(self) -> View:
        """Return the state of the run."""
        batches = {batch.number: BatchView(batch.number, batch.records, batch.sha256) for batch in self.batches()}
        taken: dict[int, set[str]] = {}
        jobs = {
            number: Job(number, job_id, JobStage(stage), opened)
            for number, job_id, stage, opened in self._database.execute("SELECT number, id, stage, opened FROM job")
        }
        for number, job in jobs.items():
            job.closing = self._recall(f"closing {number}") is not None
            job.left_open = self._recall(f"left open {number}") is not None
            taken[number] = set(map(short, json.loads(self._recall(f"strangers {number}") or "[]")))
        for batch, number, state, batch_id in self._database.execute(
            "SELECT batch, job, state, id FROM attempt ORDER BY number"
        ):
            stage = AttemptState(state)
            if stage is AttemptState.SENDING and self._recall(f"committing {batch} in {number}"):
                stage = AttemptState.COMMITTING
            batches[batch].attempt = Attempt(number, stage, batch_id)
            if batch_id is not None:
                taken[number].add(short(batch_id))
        for number, state, message, fetched in self._database.execute(
            "SELECT batch, state, message, fetched FROM outcome"
        ):
            batches[number].outcome = Outcome(state, message)
            batches[number].fetched = bool(fetched)
            if fetched and (seal := self.sealed(results_file(number))):
                batches[number].results = (seal.size, seal.sha256)
        return View(batches, jobs, taken=taken)

    def count(self) -> int:
        """Return the number of batches."""
        return int(self._database.execute("SELECT count(*) FROM batch").fetchone()[0])

    def timed(self) -> Iterator[tuple[int, int, str | None, float | None, float | None, str | None, float | None, int]]:
        """Return each batch: its number, its rows, the state of the last attempt to send it, when that began and was
        answered, how the batch ended, when, and how many of its rows failed, as far as the org said.
        """
        return self._database.execute(
            "SELECT batch.number, records, last.state, began, answered, outcome.state, at, failed FROM batch "
            "LEFT JOIN (SELECT max(number), batch, state, began, answered FROM attempt GROUP BY batch) AS last "
            "ON last.batch = batch.number LEFT JOIN outcome ON outcome.batch = batch.number ORDER BY batch.number"
        )

    def keep_object(self, name: str, described: str) -> None:
        """Record the org's description of an object, so that every sitting sees the same."""
        with self.transaction():
            self._remember(f"object {name.lower()}", described)

    def described(self, name: str) -> SObjectDescription | None:
        """Return the description that `keep_object` recorded, if any."""
        text = self._recall(f"object {name.lower()}")
        return description_of(text) if text else None

    def record(self, events: Iterable[Event]) -> None:
        """Record events, all or none; they are on disk when this returns.

        Raises:
            JournalMismatch: They would mean that a batch is loaded twice.
        """
        with self.transaction():
            for event in events:
                try:
                    self._record(event)
                except sqlite3.IntegrityError as error:
                    raise JournalMismatch(f"The journal refuses {event}: {error}") from error

    def _record(self, event: Event) -> None:  # noqa: C901, PLR0912, PLR0915  (one arm an event)
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
                run(
                    "INSERT INTO attempt (batch, job, state, began) VALUES (?, ?, 'sending', ?)",
                    (batch, job, self.today()),
                )
            case BatchCommitting(batch, job):
                self._remember(f"committing {batch} in {job}", "yes")
                self._remember(f"closing {job}", "yes")
            case BatchAccepted(batch, batch_id):
                self._attempt(batch, "sending", "accepted", batch_id)
            case BatchAbsent(batch):
                self._attempt(batch, "sending", "absent")
            case BatchRefused(batch, message):
                self._attempt(batch, "sending", "absent")
                self._outcome(batch, "refused", message, fetched=True)
            case BatchDoubted(batch):
                run(
                    "UPDATE job SET stage = 'fenced' "
                    "WHERE number = (SELECT job FROM attempt WHERE batch = ? AND state = 'sending')",
                    (batch,),
                )
            case JobSettled(job, adopted, absent):
                for batch, batch_id in adopted.items():
                    self._attempt(batch, "sending", "accepted", batch_id)
                for batch in absent:
                    self._attempt(batch, "sending", "absent")
                self._stage(job, JobStage.CLOSED)
            case BatchEnded(batch, state, message, has_results, _, failed):
                self._outcome(batch, state.value, message, fetched=not has_results, failed=failed)
                self.own([results_file(batch), unreadable_file(batch)] if has_results else [])
            case BatchNeverRun(batch):
                run("UPDATE attempt SET state = 'unprocessed' WHERE batch = ? AND state = 'accepted'", (batch,))
            case BatchLeftInDoubt(batch, reason):
                run("DELETE FROM outcome WHERE batch = ?", (batch,))
                self._outcome(batch, IN_DOUBT, reason, fetched=True)
            case StrangersAccepted(job, ids):
                known = set(json.loads(self._recall(f"strangers {job}") or "[]"))
                self._remember(f"strangers {job}", json.dumps(sorted(known | ids)))
            case RunTakenUp() | JobListed() | JobAudited() | ResultsUnreadable() | BatchJoined() | OrderUnsettled():
                # The next sitting finds these out again, and writes the outputs from the start.
                pass
            case BatchUploaded():
                # What is not committed counts for nothing: the next sitting sends it again.
                pass
            case ResultsFetched(batch, size, sha256):
                self.seal(results_file(batch), Seal(size, sha256))
                run("UPDATE outcome SET fetched = 1 WHERE batch = ?", (batch,))
            case ResultsLost(batch):
                run("UPDATE outcome SET fetched = 0 WHERE batch = ?", (batch,))
            case _:
                assert_never(event)

    def _outcome(
        self, batch: int, state: str, message: str | None, *, fetched: bool, failed: int | None = None
    ) -> None:
        self._database.execute(
            "INSERT INTO outcome (batch, state, message, fetched, at, failed) VALUES (?, ?, ?, ?, ?, ?)",
            (batch, state, message, fetched, self.today(), failed),
        )

    def _stage(self, job: int, stage: JobStage) -> None:
        self._database.execute("UPDATE job SET stage = ? WHERE number = ?", (stage.value, job))

    def _attempt(self, batch: int, before: str, after: str, batch_id: str | None = None) -> None:
        # The index rejects an id that is there in the same form; it must not be there in the other form (15 or 18
        # characters) either.
        if (
            batch_id is not None
            and self._database.execute(
                "SELECT 1 FROM attempt WHERE id BETWEEN :id AND :id || '~' AND substr(id, 1, 15) = :id",
                {"id": short(batch_id)},
            ).fetchone()
        ):
            raise JournalMismatch(
                f"The org gave the id {batch_id} to batch {batch}, but had given it to another batch before"
            )
        changed = self._database.execute(
            "UPDATE attempt SET state = ?, id = ?, answered = ? WHERE batch = ? AND state = ?",
            (after, batch_id, self.today(), batch, before),
        ).rowcount
        if changed != 1:
            raise JournalMismatch(f"Batch {batch} has {changed} attempts in the state {before}; expected one")
