"""Tries the questions on an org, and cleans up. Dry: a flow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote_plus

from bulkforce.errors import Error, UsageError
from bulkforce.protocol import rest
from bulkforce.protocol.flow import Flow, ask, authenticate
from bulkforce.verify.fields import FIELDS
from bulkforce.verify.ground import V2, CallsUsedUp, Ground, NotSeen
from bulkforce.verify.questions import Question

TAG: Final = "bulkforce-verify"
MOST_CALLS: Final = 2_000
_CLEANING_CALLS: Final = 100
_FAILURES: Final = (NotSeen, CallsUsedUp, Error)


@dataclass(frozen=True, slots=True)
class Org:
    """What kind of org it is, as far as a report needs it."""

    edition: str
    is_sandbox: bool
    is_trial: bool

    @property
    def is_production(self) -> bool:
        """Whether it may hold records that somebody needs."""
        return not (self.is_sandbox or self.is_trial or self.edition == "Developer Edition")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a question.

    Attributes:
        question: The question.
        value: The answer; ``None`` if there is none.
        seen: What the org said, or why there is no answer.
    """

    question: Question
    value: object
    seen: str


@dataclass(frozen=True, slots=True)
class Left:
    """What could not be cleaned up; ``None`` if the org does not say how many records there still are."""

    records: int | None
    jobs: int


def look_at_org() -> Flow[Org]:
    """Ask what kind of org this is."""
    soql = "SELECT OrganizationType, IsSandbox, TrialExpirationDate FROM Organization"
    found = (yield from ask(rest.records_page(soql))).records
    if not found:
        raise UsageError("The org does not say whether it is a sandbox: your user may not read Organization")
    one = found[0]
    return Org(
        str(one.get("OrganizationType")), one.get("IsSandbox") is True, one.get("TrialExpirationDate") is not None
    )


def check_object(name: str) -> Flow[None]:
    """Make sure that the object is there and has the fields.

    Raises:
        UsageError: It has not.
        RefusedError: The org knows no such object.
    """
    described = yield from ask(rest.describe(name))
    there = {one.name for one in described.fields}
    if missing := [field for field in FIELDS if field not in there]:
        raise UsageError(
            f"{name} lacks {', '.join(missing)}; `bulkforce verify --write-object FOLDER` writes its definition, to be "
            "deployed with `sf project deploy start`"
        )


def ground_on(name: str, most_calls: int) -> Flow[Ground]:
    """Open a session for the trials."""
    return Ground(name, TAG, (yield from authenticate()), most_calls)


def try_all(ground: Ground, questions: Sequence[Question], note: Callable[[Outcome], None]) -> Flow[list[Outcome]]:
    """Try each question; `clean` must follow, however this ends."""
    outcomes = []
    for question in questions:
        outcome = yield from _try(ground, question)
        outcomes.append(outcome)
        note(outcome)
    return outcomes


def _try(ground: Ground, question: Question) -> Flow[Outcome]:
    try:
        found = yield from question.trial(ground)
    except _FAILURES as error:
        return Outcome(question, None, f"not seen: {error}")
    except (LookupError, ValueError, AttributeError, AssertionError) as error:
        return Outcome(question, None, f"not seen: the answer has another form ({type(error).__name__})")
    return Outcome(question, found.value, found.seen)


def clean(ground: Ground) -> Flow[Left]:
    """Delete the records that were written, also by a run that could not, and abort the jobs that are open."""
    ground.calls_left = _CLEANING_CALLS + 2 * len(ground.jobs)
    jobs = 0
    for job in ground.jobs:
        try:
            yield from _end_job(ground, job)
        except _FAILURES:
            jobs += 1
    with suppress(*_FAILURES):
        named = yield from ground.records("Id", f"Name = '{ground.tag}'")
        ground.ids |= {str(one["Id"]) for one in named}
    ids = sorted(ground.ids)
    for first in range(0, len(ids), 200):
        some = ids[first : first + 200]
        path = "/services/data/v{version}/composite/sobjects?allOrNone=false&ids=" + quote_plus(",".join(some))
        with suppress(*_FAILURES):
            yield from ground.call("DELETE", path, session=V2)
    left = None
    with suppress(*_FAILURES):
        left = len((yield from ground.records("Id", f"Name = '{ground.tag}'")))
    return Left(left, jobs)


def _end_job(ground: Ground, job: str) -> Flow[None]:
    """Abort a job; the org refuses that for one that has ended, which is as good."""
    if job.startswith("/job"):
        yield from ground.v1("POST", job, ground.state_document("Aborted"), "application/xml")
    else:
        yield from ground.state2(job, "Aborted")
