"""The journal: what is read back is what was known, and the bug that would send a batch twice is refused by the
schema."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bulkforce.apis.abc import BatchEnd
from bulkforce.errors import JournalBusy, JournalMismatch, TransferError
from bulkforce.load.batches import AttemptState, JobStage
from bulkforce.load.cutter import Batch
from bulkforce.load.events import (
    BatchAbsent,
    BatchAccepted,
    BatchCommitting,
    BatchDoubted,
    BatchEnded,
    BatchLeftInDoubt,
    BatchNeverRun,
    BatchRefused,
    BatchSending,
    BatchUploaded,
    Event,
    JobClosed,
    JobClosing,
    JobLost,
    JobOpened,
    JobSettled,
    JobWanted,
    ResultsFetched,
    ResultsLost,
    StrangersAccepted,
)
from bulkforce.load.facts import Asked, LoadFacts
from bulkforce.load.journal import VERSION, LoadJournal
from bulkforce.load.plan import on_resume
from bulkforce.load.state import View, apply
from bulkforce.run.folder import LOAD, PAGE, REJECTED

FACTS_OF: dict[str, Any] = {
    "str": "text",
    "float": 1.5,
    "str | None": None,
    "bool": True,
    "bool | None": True,
    "dict[str, str] | None": {"Sforce-Call-Options": "client=x"},
    "int": 7,
    "list[str]": ["é", ""],
    "list[int]": [1, 2],
    "dict[str, Any]": {"columns": {"A": "B"}},
    "OnUnknownColumn": "drop",
    "Values": "skip",
    "ApiName": "bulk2",
}


def facts() -> LoadFacts:
    return LoadFacts(**{one.name: FACTS_OF[str(one.type)] for one in fields(LoadFacts)})


def asked() -> Asked:
    return Asked(**{one.name: getattr(facts(), one.name) for one in fields(Asked)})


def batches(count: int) -> list[Batch]:
    return [Batch(number, number * 10, number * 10 + 10, number, 20, f"{number:064}") for number in range(1, count + 1)]


def begin(folder: Path, count: int) -> LoadJournal:
    """Begin a run, and take in so many batches."""
    journal = LoadJournal(folder, asked())
    (folder / REJECTED).write_bytes(b"")
    journal.take_in(facts(), batches(count))
    return journal


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[LoadJournal]:
    with closing(begin(tmp_path, 3)) as opened:
        yield opened


class Remembering(RuleBasedStateMachine):
    """Whatever may happen, and whenever the process dies, the journal tells the same as the view in memory."""

    @initialize(count=st.integers(1, 4))
    def begin_run(self, count: int) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.journal = begin(Path(self.folder.name), count)
        self.view = self.journal.view()
        self.ids = 0

    def record(self, *events: Event) -> None:
        self.journal.record(events)
        for event in events:
            apply(self.view, event)

    def new_id(self) -> str:
        self.ids += 1
        return f"id{self.ids}"

    def jobs(self, *stages: JobStage) -> list[int]:
        return [job.number for job in self.view.jobs.values() if job.stage in stages]

    def waiting(self) -> list[int]:
        return [batch for batches in self.view.waiting.values() for batch in batches.values()]

    @rule(now=st.floats(0, 1e10))
    def want_job(self, now: float) -> None:
        self.record(JobWanted(len(self.view.jobs) + 1, now))

    @precondition(lambda self: self.jobs(JobStage.OPENING))
    @rule(opened=st.booleans() | st.just(True))
    def open_job(self, opened: bool) -> None:
        job = self.jobs(JobStage.OPENING)[0]
        self.record(JobOpened(job, self.new_id()) if opened else JobLost(job, left_open=job % 2 == 0))

    @precondition(lambda self: self.view.pending and self.jobs(JobStage.OPEN))
    @rule(data=st.data())
    def send(self, data: st.DataObject) -> None:
        self.record(BatchSending(data.draw(st.sampled_from(list(self.view.pending))), self.jobs(JobStage.OPEN)[-1]))

    @precondition(lambda self: len(self.view.flying) > len(self.view.uploaded))
    @rule(data=st.data())
    def upload(self, data: st.DataObject) -> None:
        batch = data.draw(st.sampled_from(sorted(set(self.view.flying) - set(self.view.uploaded))))
        if not self.view.may_be_committed(batch):
            self.record(BatchUploaded(batch))

    @precondition(lambda self: self.view.uploaded)
    @rule(data=st.data())
    def commit(self, data: st.DataObject) -> None:
        batch = data.draw(st.sampled_from(list(self.view.uploaded)))
        self.record(BatchCommitting(batch, self.view.flying[batch]))

    @precondition(lambda self: len(self.view.flying) > len(self.view.uploaded))
    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        batch = data.draw(st.sampled_from(sorted(set(self.view.flying) - set(self.view.uploaded))))
        answers: list[Event] = [
            BatchAccepted(batch, self.new_id()),
            BatchAbsent(batch),
            BatchRefused(batch, "ClientInputError"),
            BatchDoubted(batch),
        ]
        self.record(data.draw(st.sampled_from(answers)))

    @precondition(lambda self: self.jobs(JobStage.FENCED))
    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        job = self.jobs(JobStage.FENCED)[0]
        doubtful = self.view.doubtful.get(job, set())
        adopted = {batch: self.new_id() for batch in doubtful if data.draw(st.booleans())}
        self.record(JobSettled(job, adopted, tuple(sorted(doubtful - set(adopted)))))

    @precondition(lambda self: self.jobs(JobStage.OPEN, JobStage.FENCED))
    @rule(data=st.data())
    def close(self, data: st.DataObject) -> None:
        self.record(JobClosed(data.draw(st.sampled_from(self.jobs(JobStage.OPEN, JobStage.FENCED)))))

    @precondition(lambda self: self.jobs(JobStage.OPEN, JobStage.FENCED, JobStage.CLOSED))
    @rule(data=st.data(), strangers=st.frozensets(st.sampled_from(["stranger1", "stranger2"]), min_size=1))
    def accept_strangers(self, data: st.DataObject, strangers: frozenset[str]) -> None:
        job = data.draw(st.sampled_from(self.jobs(JobStage.OPEN, JobStage.FENCED, JobStage.CLOSED)))
        self.record(JobClosing(job), StrangersAccepted(job, strangers))

    @precondition(
        lambda self: self.waiting() or any(self.view.doubtful.values()) or self.view.pending or self.view.fetchable
    )
    @rule(data=st.data())
    def leave_in_doubt(self, data: st.DataObject) -> None:
        doubtful = [batch for batches in self.view.doubtful.values() for batch in batches]
        batch = data.draw(st.sampled_from([*doubtful, *self.waiting(), *self.view.pending, *self.view.fetchable]))
        self.record(BatchLeftInDoubt(batch, "nobody knows"))

    @precondition(lambda self: self.waiting())
    @rule(data=st.data(), state=st.sampled_from([BatchEnd.COMPLETED, BatchEnd.FAILED]), has_results=st.booleans())
    def end(self, data: st.DataObject, state: BatchEnd, has_results: bool) -> None:
        self.record(BatchEnded(data.draw(st.sampled_from(self.waiting())), state, "why", has_results))

    @precondition(lambda self: self.waiting())
    @rule(data=st.data())
    def never_run(self, data: st.DataObject) -> None:
        self.record(BatchNeverRun(data.draw(st.sampled_from(self.waiting()))))

    @precondition(lambda self: self.view.fetchable)
    @rule(data=st.data())
    def fetch(self, data: st.DataObject) -> None:
        self.record(ResultsFetched(data.draw(st.sampled_from(list(self.view.fetchable))), 3, "0" * 64))

    @precondition(lambda self: self.fetched())
    @rule(data=st.data())
    def lose_results(self, data: st.DataObject) -> None:
        self.record(ResultsLost(data.draw(st.sampled_from(self.fetched()))))

    def fetched(self) -> list[int]:
        return [
            batch.number
            for batch in self.view.batches.values()
            if batch.fetched and batch.outcome and batch.outcome.state == "Completed"
        ]

    @rule()
    def die_and_resume(self) -> None:
        self.journal.close()
        self.journal = LoadJournal(Path(self.folder.name))
        self.view = self.journal.view()
        self.record(*on_resume(self.view))

    @precondition(lambda self: self.view.flying or self.waiting() or self.view.doubtful)
    @rule(data=st.data())
    def send_what_may_be_there_already(self, data: st.DataObject) -> None:
        before = seen(self.journal.view())
        doubtful = [batch for batches in self.view.doubtful.values() for batch in batches]
        batch = data.draw(st.sampled_from([*self.view.flying, *self.waiting(), *doubtful]))
        with pytest.raises(JournalMismatch, match="refuses"):
            self.journal.record([JobWanted(99, 0.0), BatchSending(batch, 99)])
        assert seen(self.journal.view()) == before

    @invariant()
    def what_is_read_back_is_what_is_known(self) -> None:
        if hasattr(self, "view"):
            assert seen(self.journal.view()) == seen(self.view)

    def teardown(self) -> None:
        if hasattr(self, "journal"):
            self.journal.close()
            self.folder.cleanup()


def seen(view: View) -> object:
    """All that a view tells, but that what flies is in doubt once nobody waits for its answer."""
    doubtful = {batch: job for job, batches in view.doubtful.items() for batch in batches}
    # What a sitting has seen of a job is seen again by the next.
    jobs = [replace(job, audited=False) for job in view.jobs.values()]
    taken = {job: ids for job, ids in view.taken.items() if ids}
    waiting = {job: batches for job, batches in view.waiting.items() if batches}
    return (
        view.batches,
        jobs,
        sorted(view.pending),
        doubtful | view.flying,
        waiting,
        taken,
        sorted(view.fetchable),
        view.done,
    )


TestRemembering = Remembering.TestCase
TestRemembering.settings = settings(max_examples=15, stateful_step_count=25, deadline=None)


def test_facts_and_batches_are_read_back(tmp_path: Path) -> None:
    with closing(begin(tmp_path, 3)) as journal:
        journal.finish(b"{}", "{}")
    with closing(LoadJournal(tmp_path)) as journal:
        assert (journal.asked(), journal.facts(), journal.batches(), journal.finished) == (
            asked(),
            facts(),
            batches(3),
            True,
        )
        assert journal.report() == "{}"


def test_run_is_begun_wholly_or_not_at_all(tmp_path: Path) -> None:
    with closing(LoadJournal(tmp_path, asked())) as journal:
        with pytest.raises(sqlite3.IntegrityError):
            journal.take_in(facts(), [*batches(2), *batches(1)])
        assert (journal.facts(), journal.batches(), journal.finished) == (None, [], False)


def test_second_attempt_is_refused_while_the_first_may_count(journal: LoadJournal) -> None:
    journal.record([JobWanted(1, 0.0), JobOpened(1, "750"), BatchSending(1, 1)])
    refused: list[Event] = [BatchSending(1, 1), BatchAccepted(2, "751")]
    for event in refused:
        with pytest.raises(JournalMismatch):
            journal.record([event])
    journal.record([BatchAccepted(1, "751")])
    refused = [BatchSending(1, 1), BatchAccepted(1, "752"), BatchAbsent(1)]
    for event in refused:
        with pytest.raises(JournalMismatch):
            journal.record([event])
    attempt = journal.view().batches[1].attempt
    assert attempt is not None
    assert (attempt.state, attempt.id) == (AttemptState.ACCEPTED, "751")


@pytest.mark.parametrize("again", ["751000000000001", "751000000000001AAA"])
@pytest.mark.parametrize("first", ["751000000000001", "751000000000001AAA"])
def test_one_batch_of_the_org_is_not_two_of_ours(journal: LoadJournal, first: str, again: str) -> None:
    """However its id is written; one that differs in case is another."""
    journal.record(
        [JobWanted(1, 0.0), JobOpened(1, "750"), BatchSending(1, 1), BatchSending(2, 1), BatchAccepted(1, first)]
    )
    with pytest.raises(JournalMismatch, match="had given it to another batch before"):
        journal.record([BatchAccepted(2, again)])
    journal.record([BatchAccepted(2, "75100000000000a")])


def test_ids_of_batches_differ_in_case(journal: LoadJournal) -> None:
    journal.record(
        [
            JobWanted(1, 0.0),
            JobOpened(1, "750"),
            BatchSending(1, 1),
            BatchSending(2, 1),
            BatchAccepted(1, "75100000000000a"),
        ]
    )
    journal.record([BatchAccepted(2, "75100000000000A")])
    assert journal.view().taken == {1: {"75100000000000a", "75100000000000A"}}


def test_batch_that_never_ran_may_be_sent_again(journal: LoadJournal) -> None:
    journal.record(
        [JobWanted(1, 0.0), JobOpened(1, "750"), BatchSending(1, 1), BatchAccepted(1, "751"), BatchNeverRun(1)]
    )
    journal.record([JobWanted(2, 0.0), JobOpened(2, "760"), BatchSending(1, 2), BatchAccepted(1, "761")])
    assert journal.view().taken == {1: {"751"}, 2: {"761"}}


def test_job_that_is_fenced_is_closed_only_when_settled(journal: LoadJournal) -> None:
    journal.record([JobWanted(1, 0.0), JobOpened(1, "750"), BatchSending(1, 1), BatchDoubted(1), JobClosed(1)])
    assert journal.view().jobs[1].stage is JobStage.FENCED
    journal.record([JobSettled(1, {1: "751"})])
    assert journal.view().jobs[1].stage is JobStage.CLOSED


def test_run_is_held_by_one_process(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib\nfrom bulkforce.errors import JournalBusy\nfrom bulkforce.load.journal import "
        "LoadJournal\n"
        "try: LoadJournal(pathlib.Path(sys.argv[1])).close()\nexcept JournalBusy as error: print('busy:', "
        "error)\nelse: print('free')"
    )

    def other_process() -> str:
        return subprocess.run(
            [sys.executable, "-W", "error", "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
        ).stdout

    with closing(begin(tmp_path, 1)):
        assert other_process().startswith("busy: Another process is working on the run")
        with pytest.raises(JournalBusy):
            LoadJournal(tmp_path)
    assert other_process() == "free\n"


def test_journal_of_another_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    begin(tmp_path, 1).close()
    with closing(sqlite3.connect(tmp_path / LOAD)) as database:
        database.execute(f"PRAGMA user_version = {VERSION + 1}")
        database.execute("UPDATE fact SET value = '99.8' WHERE name = 'made by'")
        database.commit()
    with pytest.raises(JournalMismatch, match=rf"version {VERSION + 1}, written by bulkforce 99\.8.* up to {VERSION}"):
        LoadJournal(tmp_path)
    with closing(sqlite3.connect(tmp_path / LOAD)) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (VERSION + 1,)


@pytest.mark.parametrize("content", [b"not a database, but long enough to be taken for one" * 100, b"short"])
def test_file_that_is_no_journal_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / LOAD).write_bytes(content)
    with pytest.raises(JournalMismatch, match="not a bulkforce journal"):
        LoadJournal(tmp_path)
    assert (tmp_path / LOAD).read_bytes() == content


def test_database_of_somebody_else_is_refused(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / LOAD)) as database:
        database.execute("CREATE TABLE theirs (x)")
    with pytest.raises(JournalMismatch, match="another application's database"):
        LoadJournal(tmp_path)


def test_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(TransferError, match="cannot be opened"):
        LoadJournal(tmp_path / "nowhere")


def test_times_are_kept_for_the_page(journal: LoadJournal) -> None:
    clock = iter(range(100, 200))
    journal.begin_time(lambda: float(next(clock)))
    journal.record([JobWanted(1, 0.0), JobOpened(1, "750"), BatchSending(1, 1), BatchAccepted(1, "751")])
    journal.record([BatchEnded(1, BatchEnd.COMPLETED, None, has_results=True, processed=1, failed=1)])
    journal.record([BatchLeftInDoubt(1, "unreadable")])
    journal.end_time()
    journal.begin_time(journal.today)
    assert journal.times() == [(100.0, 105.0), (106.0, None)]
    database = journal._database
    assert database.execute("SELECT began, answered FROM attempt").fetchall() == [(101.0, 102.0)]
    assert database.execute("SELECT at, failed FROM outcome").fetchall() == [(104.0, None)]


@pytest.mark.parametrize("taken", ["", PAGE, f"{PAGE}.part"])
def test_journal_of_version_2_gets_a_page_unless_its_name_is_taken(tmp_path: Path, taken: str) -> None:
    begin(tmp_path, 1).close()
    with closing(sqlite3.connect(tmp_path / LOAD)) as database:
        for statement in (
            "DROP TABLE sitting",
            "ALTER TABLE attempt DROP COLUMN began",
            "ALTER TABLE attempt DROP COLUMN answered",
            "ALTER TABLE outcome DROP COLUMN at",
            "ALTER TABLE outcome DROP COLUMN failed",
            f"DELETE FROM file WHERE name = '{PAGE}'",
            "PRAGMA user_version = 2",
        ):
            database.execute(statement)
        database.commit()
    if taken:
        (tmp_path / taken).write_text("mine")
    with closing(LoadJournal(tmp_path)) as journal:
        assert journal.owns(PAGE) == (not taken)
        assert journal.times() == []
    assert not taken or (tmp_path / taken).read_text() == "mine"


def test_facts_hold_no_secret() -> None:
    assert not {"token", "password", "secret", "session"} & {one.name for one in fields(LoadFacts)}
    assert replace(facts(), run="other") != facts()
