"""The plan against a simulated org: any order of events, any lost answer, a death at any point."""

from __future__ import annotations

import copy
from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bulkforce.apis.abc import BatchEnd
from bulkforce.errors import Unsettled
from bulkforce.load.batches import BatchView, Job, JobStage
from bulkforce.load.events import (
    BatchAbsent,
    BatchAccepted,
    BatchDoubted,
    BatchEnded,
    BatchJoined,
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
    ResultsLost,
    StrangersAccepted,
)
from bulkforce.load.orders import (
    AuditJob,
    CloseJob,
    FetchResults,
    JoinBatch,
    LookAtJob,
    OpenJob,
    Order,
    SendBatch,
    SettleJob,
)
from bulkforce.load.plan import decide, on_resume
from bulkforce.load.rules import AcceptAs, Rules
from bulkforce.load.state import View, apply
from bulkforce.load.verdicts import refused

JOB_SECONDS = 100.0
STRANGER = 0
"""The content of a batch that somebody else added."""
OPEN, CLOSED, ABORTED = "open", "closed", "aborted"


@dataclass
class OrgBatch:
    """A batch that the org took; its ``content`` stands for its bytes."""

    id: str
    content: int
    state: str = "queued"


@dataclass
class OrgJob:
    """A job of the org. What is ``on_its_way`` lands when it pleases, if the job is still open then."""

    id: str
    state: str = OPEN
    batches: list[OrgBatch] = field(default_factory=list)
    on_its_way: list[int] = field(default_factory=list)


class Org:
    """Takes, processes and forgets nothing."""

    def __init__(self) -> None:
        self.jobs: dict[str, OrgJob] = {}
        self._count = 0

    def new_id(self, kind: str) -> str:
        self._count += 1
        return f"{kind}{self._count}"

    def create(self) -> str:
        job = OrgJob(self.new_id("job"))
        self.jobs[job.id] = job
        return job.id

    def add(self, job: OrgJob, content: int) -> str | None:
        if job.state != OPEN:
            return None
        batch = OrgBatch(self.new_id("batch"), content)
        job.batches.append(batch)
        return batch.id

    def close(self, job: OrgJob) -> None:
        if job.state == OPEN:
            job.state = CLOSED

    def abort(self, job: OrgJob) -> None:
        if job.state != ABORTED:
            job.state = ABORTED
            for batch in job.batches:
                if batch.state == "queued":
                    batch.state = "never run"

    def process(self) -> None:
        for job in self.jobs.values():
            for batch in job.batches:
                if batch.state == "queued":
                    batch.state = "done"

    def effects(self) -> Counter[int]:
        """How often each content was processed, or still may be."""
        found: Counter[int] = Counter()
        for job in self.jobs.values():
            found.update(
                batch.content for batch in job.batches if batch.state != "never run" and batch.content != STRANGER
            )
            if job.state == OPEN:
                found.update(job.on_its_way)
        return found


class Load(RuleBasedStateMachine):
    """The engine without threads: decides, begins, and has each action come to a good or bad end in any order."""

    @initialize(batches=st.integers(1, 8), workers=st.integers(1, 3))
    def begin_run(self, batches: int, workers: int) -> None:
        self.org = Org()
        self.workers = workers
        self.now = 0.0
        self.busy: list[Order] = []
        self.refused: set[int] = set()
        self.strangers: set[str] = set()
        self.vanished = self.accepting = False
        self.view = View({number: BatchView(number, 1, f"digest {number}") for number in range(1, batches + 1)}, {})

    def record(self, *events: Event) -> None:
        for event in events:
            apply(self.view, event)

    @rule(feeding=st.booleans() | st.just(True))
    def decide(self, feeding: bool) -> None:
        self.begin(Rules(self.workers, JOB_SECONDS, feeding))

    def begin(self, rules: Rules) -> None:
        actions = decide(self.view, set(self.busy), rules, self.now)
        assert len({*actions, *self.busy}) == len(actions) + len(self.busy)
        for action in actions:
            match action:
                case OpenJob(job):
                    assert rules.feeding
                    self.record(JobWanted(job, self.now))
                case SendBatch(batch, job):
                    assert rules.feeding
                    assert not self.view.strangers
                    assert not self.view.unaudited
                    self.may_get_a_batch(self.view.jobs[job])
                    self.record(BatchSending(batch, job))
                case SettleJob(job):
                    assert job not in self.view.flying.values()
                    self.record(JobClosing(job))
                case CloseJob(job):
                    self.record(JobClosing(job))
            self.busy.append(action)
        assert sum(isinstance(action, (SendBatch, FetchResults)) for action in self.busy) <= self.workers

    def may_get_a_batch(self, job: Job) -> None:
        assert job.stage is JobStage.OPEN
        assert self.now - job.opened < JOB_SECONDS
        assert CloseJob(job.number) not in self.busy

    @precondition(lambda self: self.busy)
    @rule(data=st.data(), fate=st.sampled_from(["well", "well", "lost", "lost on the way", "absent", "refused"]))
    def end_of_an_action(self, data: st.DataObject, fate: str) -> None:
        action = self.busy.pop(data.draw(st.integers(0, len(self.busy) - 1)))
        self.finish(action, fate)

    def finish(self, action: Order, fate: str) -> None:  # noqa: C901  (one arm an order)
        happens = fate in {"well", "lost"}
        match action:
            case OpenJob(job):
                job_id = self.org.create() if happens else ""
                self.record(JobOpened(job, job_id) if fate == "well" else JobLost(job))
            case SendBatch(batch, job):
                self.record(*self.send(batch, job, fate))
            case SettleJob(job) | CloseJob(job) if happens:
                self.org.close(self.job(job))
                if fate == "well" and self.accepting and (strangers := self.unknown(job) & self.strangers):
                    self.record(StrangersAccepted(job, strangers))
                if fate == "well":
                    self.record(self.settled(job) if isinstance(action, SettleJob) else JobClosed(job))
            case AuditJob(job) if fate == "well" and (self.view.doubtful.get(job) or not self.unknown(job)):
                self.record(JobAudited(job))
            case AuditJob(job) if fate == "well" and self.accepting:
                self.record(StrangersAccepted(job, self.unknown(job)))
            case LookAtJob(job) if fate == "well":
                unknown = self.unknown(job)
                self.record(JobListed(job, unknown), *self.look(job))
                if (
                    unknown & self.strangers
                    and not self.accepting
                    and not self.view.flying
                    and not self.view.doubtful.get(job)
                ):
                    assert self.view.strangers[job] == unknown
            case FetchResults(batch) if fate == "well":
                self.record(ResultsFetched(batch, 1, ""))
            case JoinBatch(batch):
                assert batch == self.view.joined + 1
                lost = fate == "lost" and self.view.batches[batch].results
                self.record(ResultsLost(batch) if lost else BatchJoined(batch))

    def unknown(self, job: int) -> frozenset[str]:
        return frozenset(batch.id for batch in self.job(job).batches) - self.view.taken.get(job, set())

    def job(self, number: int) -> OrgJob:
        return self.org.jobs[str(self.view.jobs[number].id)]

    def send(self, batch: int, number: int, fate: str) -> list[Event]:
        job = self.job(number)
        if fate == "lost on the way":
            job.on_its_way.append(batch)
            return [BatchDoubted(batch)]
        if fate == "absent":
            return [BatchAbsent(batch)]
        if job.state != OPEN:
            return [BatchDoubted(batch)] if fate == "lost" else [BatchAbsent(batch), JobClosed(number)]
        if fate == "refused":
            self.refused.add(batch)
            return [BatchRefused(batch, "InvalidBatch")]
        batch_id = self.org.add(job, batch)
        assert batch_id is not None
        return [BatchAccepted(batch, batch_id) if fate == "well" else BatchDoubted(batch)]

    def settled(self, number: int) -> JobSettled:
        known = self.view.taken.get(number, set())
        doubtful = self.view.doubtful.get(number, set())
        adopted = {
            batch.content: batch.id
            for batch in self.job(number).batches
            if batch.id not in known and batch.content != STRANGER
        }
        assert set(adopted) <= doubtful
        return JobSettled(number, adopted, tuple(sorted(doubtful - set(adopted))))

    def look(self, number: int) -> list[Event]:
        states = {batch.id: batch.state for batch in self.job(number).batches}
        events: list[Event] = []
        for batch_id, batch in self.view.waiting.get(number, {}).items():
            if states[batch_id] == "done":
                events.append(BatchEnded(batch, BatchEnd.COMPLETED, None, has_results=batch % 3 > 0))
            elif states[batch_id] == "never run":
                events.append(BatchNeverRun(batch))
        return events

    @rule(seconds=st.sampled_from([1.0, 40.0, 120.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def org_processes(self) -> None:
        self.org.process()

    @rule(data=st.data())
    def something_lands(self, data: st.DataObject) -> None:
        late = [job for job in self.org.jobs.values() if job.on_its_way]
        if late:
            job = data.draw(st.sampled_from(late))
            self.org.add(job, job.on_its_way.pop())

    @rule(data=st.data(), how=st.sampled_from([CLOSED, ABORTED]))
    def administrator_ends_a_job(self, data: st.DataObject, how: str) -> None:
        if self.org.jobs:
            job = data.draw(st.sampled_from(list(self.org.jobs.values())))
            self.org.close(job) if how == CLOSED else self.org.abort(job)

    @rule(data=st.data())
    def death(self, data: st.DataObject) -> None:
        """What was under way has happened, or will, or will not; nobody is told."""
        for action in self.busy:
            fate = data.draw(st.sampled_from(["happened", "will", "will not"]))
            if isinstance(action, SendBatch):
                job = self.job(action.job)
                if fate == "happened":
                    self.org.add(job, action.batch)
                elif fate == "will":
                    job.on_its_way.append(action.batch)
            elif isinstance(action, (CloseJob, SettleJob)) and fate == "happened":
                self.org.close(self.job(action.job))
        self.busy = []
        # As the journal reads it back.
        self.view = View(
            copy.deepcopy(self.view.batches), copy.deepcopy(self.view.jobs), taken=copy.deepcopy(self.view.taken)
        )
        self.record(*on_resume(self.view))

    @rule(data=st.data())
    def somebody_adds_a_batch(self, data: st.DataObject) -> None:
        # One that nobody knows of is never seen, and never sent to.
        known = {job.id for job in self.view.jobs.values()}
        open_jobs = [job for job in self.org.jobs.values() if job.state == OPEN and job.id in known]
        if open_jobs and not self.strangers:
            batch_id = self.org.add(data.draw(st.sampled_from(open_jobs)), STRANGER)
            assert batch_id is not None
            self.strangers.add(batch_id)

    @rule()
    def what_somebody_added_is_listed_no_more(self) -> None:
        self.vanished = bool(self.strangers)
        for job in self.org.jobs.values():
            job.batches = [batch for batch in job.batches if batch.content != STRANGER]

    @invariant()
    def only_strangers_are_called_strangers(self) -> None:
        if hasattr(self, "view"):
            assert {batch_id for found in self.view.strangers.values() for batch_id in found} <= self.strangers

    @invariant()
    def no_batch_goes_in_twice(self) -> None:
        if hasattr(self, "org"):
            assert not [batch for batch, times in self.org.effects().items() if times > 1]

    @invariant()
    def every_job_is_filed_under_what_is_left_to_do(self) -> None:
        if hasattr(self, "view"):
            jobs = self.view.jobs.values()
            working = {JobStage.OPENING, JobStage.OPEN, JobStage.FENCED}
            assert {*self.view.working} == {job.number for job in jobs if job.stage in working}
            assert {*self.view.closed} == {
                job.number for job in jobs if job.stage is JobStage.CLOSED and not job.audited
            }

    @invariant()
    def every_batch_is_in_one_place(self) -> None:
        if hasattr(self, "view"):
            view = self.view
            places = [*view.pending, *view.flying, *view.fetchable]
            places += [batch for batches in view.doubtful.values() for batch in batches]
            places += [batch for batches in view.waiting.values() for batch in batches.values()]
            places += [batch.number for batch in view.batches.values() if batch.fetched]
            assert sorted(places) == sorted(view.batches)
            assert view.done == sum(batch.fetched for batch in view.batches.values())

    def teardown(self) -> None:
        """Left in peace, it comes to its end; where somebody else's batch is, only when the user says that it may be
        there."""
        if not hasattr(self, "view"):
            return
        self.go_on_in_peace()
        if self.strangers and not self.vanished:
            assert not self.view.finished
            self.accepting = True
            self.go_on_in_peace()
        assert self.view.finished
        assert not self.busy
        assert all(job.stage in {JobStage.CLOSED, JobStage.LOST} for job in self.view.jobs.values())
        self.no_batch_goes_in_twice()
        assert self.org.effects().keys() == self.view.batches.keys() - self.refused

    def go_on_in_peace(self) -> None:
        for _ in range(40):
            self.begin(Rules(self.workers, JOB_SECONDS))
            for action in self.busy[:]:
                self.busy.remove(action)
                self.finish(action, "well")
            self.org.process()


TestLoad = Load.TestCase
TestLoad.settings = settings(max_examples=100, stateful_step_count=50, deadline=None)


def a_view(batches: int = 3) -> View:
    view = View({number: BatchView(number, 1, "digest") for number in range(1, batches + 1)}, {})
    apply(view, JobWanted(1, 0.0))
    apply(view, JobOpened(1, "job1"))
    return view


def test_settled_job_is_left_to_be_audited() -> None:
    view = a_view()
    for event in (BatchSending(1, 1), BatchDoubted(1), JobSettled(1, {}, (1,))):
        apply(view, event)
    assert (list(view.working), list(view.closed)) == ([], [1])


def test_no_more_jobs_are_audited_at_a_time_than_can_be() -> None:
    jobs = {number: Job(number, f"job{number}", JobStage.CLOSED, 0.0) for number in range(1, 1_001)}
    view, busy = View({}, jobs), set[Order]()
    busy |= {*decide(view, busy, Rules(4, JOB_SECONDS), 1.0)}
    assert busy == {AuditJob(number) for number in range(1, 5)}
    assert decide(view, busy, Rules(4, JOB_SECONDS), 1.0) == []
    for number in (3, 1):
        busy.remove(AuditJob(number))
        apply(view, JobAudited(number))
    assert decide(view, busy, Rules(4, JOB_SECONDS), 1.0) == [AuditJob(5), AuditJob(6)]


def test_job_is_rolled_over_before_it_is_too_old() -> None:
    view, rules = a_view(), Rules(2, JOB_SECONDS)
    assert decide(view, set(), rules, 99.0) == [SendBatch(1, 1), SendBatch(2, 1)]
    assert decide(view, set(), rules, 100.0) == [CloseJob(1), OpenJob(2)]


def test_doubt_fences_the_job_and_is_settled_when_nothing_flies() -> None:
    view, rules = a_view(), Rules(2, JOB_SECONDS)
    for event in (BatchSending(1, 1), BatchSending(2, 1), BatchDoubted(1)):
        apply(view, event)
    assert decide(view, {SendBatch(2, 1)}, rules, 1.0) == [OpenJob(2)]
    apply(view, BatchAccepted(2, "batch2"))
    assert decide(view, set(), rules, 1.0) == [SettleJob(1), OpenJob(2), LookAtJob(1)]


def test_fenced_job_stays_fenced_until_it_is_settled() -> None:
    """Somebody closed it, which another batch was told while this one was in doubt."""
    view = a_view()
    for event in (BatchSending(1, 1), BatchSending(2, 1), BatchDoubted(1), BatchAbsent(2), JobClosed(1)):
        apply(view, event)
    assert view.jobs[1].stage is JobStage.FENCED
    assert SettleJob(1) in decide(view, set(), Rules(2, JOB_SECONDS), 1.0)


def test_nothing_new_is_begun_when_feeding_is_over() -> None:
    view = a_view()
    assert decide(view, set(), Rules(2, JOB_SECONDS, feeding=False), 1.0) == []
    assert decide(view, set(), Rules(2, JOB_SECONDS, feeding=False), 100.0) == [CloseJob(1)]


def test_fetch_is_never_starved_by_uploads() -> None:
    view = a_view(5)
    for event in (
        BatchSending(1, 1),
        BatchAccepted(1, "batch1"),
        BatchEnded(1, BatchEnd.COMPLETED, None, has_results=True),
    ):
        apply(view, event)
    assert decide(view, set(), Rules(2, JOB_SECONDS), 1.0) == [SendBatch(2, 1), FetchResults(1)]
    assert decide(view, {SendBatch(2, 1)}, Rules(1, JOB_SECONDS), 1.0) == []


def test_id_that_nobody_knows_is_a_stranger_once_nothing_that_flies_explains_it() -> None:
    view = a_view()
    for event in (BatchSending(1, 1), BatchSending(2, 1), JobListed(1, frozenset({"x", "y", "z"}))):
        apply(view, event)
    assert view.strangers == {}
    apply(view, BatchAccepted(1, "x"))
    assert view.strangers == {}
    apply(view, BatchAccepted(2, "y"))
    assert view.strangers == {1: {"z"}}
    assert decide(view, set(), Rules(2, JOB_SECONDS), 1.0) == [AuditJob(1), LookAtJob(1)]


def test_id_that_a_batch_in_doubt_explains_is_a_stranger_when_it_is_settled_as_another() -> None:
    view = a_view()
    for event in (BatchSending(1, 1), BatchDoubted(1), JobListed(1, frozenset({"x", "y"})), JobSettled(1, {1: "y"})):
        apply(view, event)
    assert view.strangers == {1: {"x"}}
    assert not any(isinstance(action, SendBatch) for action in decide(view, set(), Rules(2, JOB_SECONDS), 1.0))


def test_id_that_is_listed_while_nothing_flies_is_a_stranger_at_once() -> None:
    view = a_view()
    for event in (BatchSending(1, 1), BatchAccepted(1, "x"), JobListed(1, frozenset({"x", "y"}))):
        apply(view, event)
    assert view.strangers == {1: {"y"}}


def test_every_job_is_audited_when_all_batches_are_done() -> None:
    view = a_view(1)
    for event in (
        BatchSending(1, 1),
        BatchAccepted(1, "x"),
        BatchEnded(1, BatchEnd.COMPLETED, None, has_results=False),
        JobClosed(1),
    ):
        apply(view, event)
    assert not view.finished
    assert decide(view, set(), Rules(2, JOB_SECONDS), 1.0) == [AuditJob(1), JoinBatch(1)]
    apply(view, JobAudited(1))
    assert not view.finished
    apply(view, BatchJoined(1))
    assert view.finished


def with_a_stranger(*events: Event) -> View:
    """A run that has seen a batch in its job that is none of its own."""
    view = a_view()
    seen = (BatchSending(2, 1), JobListed(1, frozenset({"stranger"})), BatchSending(3, 1), BatchAccepted(2, "y"))
    for event in (BatchSending(1, 1), BatchAccepted(1, "x"), *seen, *events):
        apply(view, event)
    assert view.strangers == {1: {"stranger"}}
    return view


def test_job_with_a_stranger_and_a_doubt_is_settled_and_not_audited_without_end() -> None:
    """Before it is settled an audit cannot tell a stranger from what is in doubt."""
    view = with_a_stranger(BatchDoubted(3))
    assert decide(view, set(), Rules(2, JOB_SECONDS), 1.0) == [SettleJob(1), LookAtJob(1)]
    apply(view, JobSettled(1, {}, (3,)))
    assert decide(view, set(), Rules(2, JOB_SECONDS), 1.0) == [AuditJob(1), LookAtJob(1)]


def test_stranger_that_is_listed_no_more_is_audited_once_and_the_run_goes_on() -> None:
    view = with_a_stranger(BatchAbsent(3))
    assert AuditJob(1) in decide(view, set(), Rules(2, JOB_SECONDS), 1.0)
    apply(view, JobAudited(1))
    assert decide(view, set(), Rules(2, JOB_SECONDS), 1.0) == [LookAtJob(1), SendBatch(3, 1)]


@pytest.mark.parametrize("accept_as", ["sent", "not-sent"])
@pytest.mark.parametrize("why", ["strangers", "gone", "restless"])
def test_job_with_a_stranger_is_ended_by_the_users_word_whatever_is_wrong_with_it(
    accept_as: AcceptAs, why: Literal["strangers", "gone", "restless"]
) -> None:
    view, rules = with_a_stranger(BatchAbsent(3)), Rules(2, JOB_SECONDS, accept_as=accept_as)
    for _ in range(3):
        audits = [order for order in decide(view, set(), rules, 1.0) if isinstance(order, AuditJob)]
        for order in audits:
            error = Unsettled("", why=why, strangers={"stranger"} if why == "strangers" else ())
            for event in refused(view, order, error, rules).events:
                apply(view, event)
    assert audits == []
