"""What happens in a load, an extract or a query, as values for ``on_event``.

Frozen values with ids and counts, never with a token or a value of a record. The log says the same in words: each event
is one line at level ``INFO``, its ``str()``.

``on_event`` is called in order, in the thread that carries out the call (for `AsyncClient` and for queries: a worker
thread), and never after the call has returned. What it raises stops the run, as Ctrl-C does: requests under way end,
the run can be resumed, and the exception then reaches the caller unchanged, with a note that says how to go on.

Example:
    >>> from bulkforce import events
    >>> def on_event(event: events.Event) -> None:
    ...     match event:
    ...         case events.BatchDone(failed=failed) if failed:
    ...             print(f"{failed:,} rows failed in batch {event.batch}")
    ...         case events.Waiting(reason=reason):
    ...             print(f"waiting: {reason}")
    >>> on_event(events.BatchDone(batch="751000000000001AAA", number=1, rows=200, failed=3))
    3 rows failed in batch 751000000000001AAA
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, TypeAlias

from bulkforce.display import counted


@dataclass(frozen=True, slots=True, kw_only=True)
class RunBegun:
    """A call begins, or goes on with a run.

    Attributes:
        verb: ``load``, ``extract`` or ``query``.
        run: The run's id; empty for a query, which leaves no run.
        run_dir: The run's folder.
        operation: ``insert``, ``upsert``, ``query`` and so on.
        object: The object.
        resumed: Whether this call goes on with a run that stopped or died.
    """

    verb: Literal["load", "extract", "query"]
    run: str
    run_dir: Path | None
    operation: str
    object: str
    resumed: bool = False

    def __str__(self) -> str:
        what = f"{self.operation} {self.object}{' goes on' if self.resumed else ''}"
        return f"run {self.run}: {what}" if self.run else what


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRead:
    """The source of a load was read to its end, and nothing was sent yet.

    Attributes:
        rows: How many records it has.
        rejected: How many of them exceed a limit of the org; they are never sent.
        batches: How many batches will be sent.
        bytes: Size of these batches.
    """

    rows: int
    rejected: int
    batches: int
    bytes: int

    def __str__(self) -> str:
        return (
            f"the source has {counted(self.rows, 'row')}, {self.rejected:,} of them rejected; "
            f"{counted(self.batches, 'batch')} of {counted(self.bytes, 'byte')}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOpened:
    """The org created a job."""

    job: str

    def __str__(self) -> str:
        return f"job {self.job}: created"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobAbandoned:
    """A job's results do not count, or the answer to its creation was lost (``job`` is ``None``); there is another."""

    job: str | None

    def __str__(self) -> str:
        lost = "a job could not be created, or the answer was lost"
        return lost if self.job is None else f"job {self.job}: its results do not count"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobListed:
    """All batches that a query job will ever have are known, so many."""

    job: str
    batches: int

    def __str__(self) -> str:
        return f"job {self.job}: all its batches are known ({self.batches:,})"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobClosed:
    """A job takes no more batches.

    Attributes:
        job: Its id.
        found: How many batches, whose answer was lost, the org has.
        absent: How many of them it does not have; they will be sent again.
    """

    job: str
    found: int = 0
    absent: int = 0

    def __str__(self) -> str:
        if not self.found and not self.absent:
            return f"job {self.job}: closed"
        return (
            f"job {self.job}: closed and settled; of the batches in doubt, the org has {self.found:,}, and "
            f"{self.absent:,} will be sent again"
        )


def _batch(batch: str | None, number: int | None) -> str:
    place = "" if number is None else f"no. {number:,}"
    if not batch:
        return f"batch {place}"
    # A job of Bulk API 2.0 is its only batch.
    return f"{'job' if batch.startswith('750') else 'batch'} {batch}{place and f' ({place})'}"


def _counts(
    succeeded: int, failed: int, unprocessed: int = 0, rejected: int = 0, in_doubt: int = 0, pending: int = 0
) -> str:
    others = {"unprocessed": unprocessed, "rejected": rejected, "in doubt": in_doubt, "open": pending}
    told = [f"{succeeded:,} succeeded", f"{failed:,} failed"]
    return ", ".join(told + [f"{count:,} {what}" for what, count in others.items() if count])


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSent:
    """The org accepted a batch, or the query of an extract.

    Attributes:
        job: The id of its job.
        batch: Its id.
        number: Its number in the load, from 1; ``None`` for a query.
        records: How many records it has; ``None`` for a query.
    """

    job: str
    batch: str
    number: int | None = None
    records: int | None = None

    def __str__(self) -> str:
        records = "" if self.records is None else f" with {counted(self.records, 'record')}"
        job = "" if self.job == self.batch else f", job {self.job}"
        return f"{_batch(self.batch, self.number)}{records}: accepted by the org{job}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchUploaded:
    """Bulk API 2.0: the org holds a batch, which counts for nothing until its job is committed."""

    job: str
    number: int
    records: int

    def __str__(self) -> str:
        records = counted(self.records, "record")
        return f"{_batch(None, self.number)} with {records}: uploaded; it counts once job {self.job} is committed"


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerLost:
    """The answer to a batch was lost: whether the org has it will be found out before anything is sent again."""

    job: str
    number: int

    def __str__(self) -> str:
        return f"{_batch(None, self.number)}: its answer was lost; job {self.job} will be asked whether it has it"


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRepeated:
    """The org did not process a batch, or failed to answer it; it will be sent, or asked for, again."""

    batch: str | None
    number: int

    def __str__(self) -> str:
        return f"{_batch(self.batch, self.number)}: not processed by the org; it will be sent again"


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchEnded:
    """The org is done with a batch.

    Attributes:
        batch: Its id, if it has one.
        number: Its number in this run, from 1.
        state: ``Completed``, ``Failed``, ``NotProcessed``; ``Refused``, if the org did not accept its content;
            ``InDoubt``, if its outcome cannot be determined; ``GivenUp``, if it is not tried again in this call.
        processed: How many records the org says it processed; ``None`` if it does not say.
        failed: How many of them it says failed; ``None`` if it does not say.
    """

    batch: str | None
    number: int
    state: str
    processed: int | None = None
    failed: int | None = None

    def __str__(self) -> str:
        processed = "" if self.processed is None else f", {self.processed:,} processed"
        failed = "" if self.failed is None else f", {self.failed:,} failed"
        return f"{_batch(self.batch, self.number)}: {self.state}{processed}{failed}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchDone:
    """Each row of a batch is in a file, with its result. A resumed load tells batches of earlier calls again.

    Attributes:
        batch: Its id, if it has one.
        number: Its number in this run, from 1.
        rows: How many rows it has.
        failed: How many of them the org refused.
        unprocessed: How many have no result, because the org refused their batch or gave up on it.
        in_doubt: How many have an outcome that cannot be determined.
    """

    batch: str | None
    number: int
    rows: int
    failed: int = 0
    unprocessed: int = 0
    in_doubt: int = 0

    @property
    def succeeded(self) -> int:
        """How many rows the org saved, or found."""
        return self.rows - self.failed - self.unprocessed - self.in_doubt

    def __str__(self) -> str:
        counts = _counts(self.succeeded, self.failed, self.unprocessed, in_doubt=self.in_doubt)
        return f"{_batch(self.batch, self.number)}: {counted(self.rows, 'row')} done, {counts}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultFetched:
    """A result file of an extract or query is on disk."""

    batch: str
    result: str
    rows: int
    bytes: int

    def __str__(self) -> str:
        return (
            f"{_batch(self.batch, None)}: result {self.result} is on disk, rows: {self.rows:,}, bytes: {self.bytes:,}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRepeated:
    """A request failed, and will be made again after a pause.

    Attributes:
        method: ``GET`` or ``POST``; empty for a login.
        path: Its path, without query string.
        status: HTTP status of the answer, if there was one.
        error: The kind of failure, a class of `bulkforce.errors`.
        seconds: How long the pause is, at most.
    """

    method: str
    path: str
    status: int | None
    error: str
    seconds: float

    def __str__(self) -> str:
        status = "" if self.status is None else f" (HTTP {self.status})"
        what = f"{self.method} {self.path}".strip() or "a request"
        return f"{what}: {self.error}{status}, again in {self.seconds:.1f} s at most"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Nothing new is started, and why; told once, when the wait begins.

    Attributes:
        reason: ``"no connection"``, ``"no useful answer"`` (the org is busy, or what it says makes no sense),
            ``"the org"`` (all batches are sent, and the org works on them), or ``"stopping"`` (what is under way ends
            first).
        since: When the wait began.
        until: When the run will stop, if nothing changes; ``None`` for no end.
    """

    reason: Literal["no connection", "no useful answer", "the org", "stopping"]
    since: datetime
    until: datetime | None = None

    def __str__(self) -> str:
        until = "" if self.until is None else f", until {self.until:%Y-%m-%dT%H:%M:%SZ} at most"
        return f"waiting: {_REASONS[self.reason]}{until}"


_REASONS = {
    "no connection": "no connection",
    "no useful answer": "no useful answer from the org",
    "the org": "for the batches that the org has queued or under way",
    "stopping": "what is under way is finished before the run stops",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnded:
    """The last event of a call: ``rows = succeeded + failed + unprocessed + rejected + in_doubt + pending``.

    Attributes:
        run: The run's id; empty for a query.
        state: ``finished``, ``interrupted`` (resume it), ``unsettled`` (it needs a decision), or ``failed`` (nothing
            to resume).
        rows: Records read from the source; for an extract or query: records on disk.
        succeeded: Records that the org saved, or found.
        failed: Records that the org refused.
        unprocessed: Records without a result.
        rejected: Records that were never sent.
        in_doubt: Records whose outcome cannot be determined.
        seconds: How long this call took.
        stopped_by: Why it did not finish: the message of the error, or the name of an exception of yours.
    """

    run: str
    state: Literal["finished", "interrupted", "unsettled", "failed"]
    rows: int = 0
    succeeded: int = 0
    failed: int = 0
    unprocessed: int = 0
    rejected: int = 0
    in_doubt: int = 0
    seconds: float = 0.0
    stopped_by: str | None = None

    @property
    def pending(self) -> int:
        """Records whose outcome is still open."""
        return self.rows - self.succeeded - self.failed - self.unprocessed - self.rejected - self.in_doubt

    def __str__(self) -> str:
        counts = _counts(self.succeeded, self.failed, self.unprocessed, self.rejected, self.in_doubt, self.pending)
        run = f"run {self.run}: " if self.run else ""
        return f"{run}{self.state}; {counted(self.rows, 'row')}, {counts}, {self.seconds:,.1f} s"


Event: TypeAlias = (
    RunBegun
    | SourceRead
    | JobOpened
    | JobAbandoned
    | JobListed
    | JobClosed
    | BatchUploaded
    | BatchSent
    | AnswerLost
    | BatchRepeated
    | BatchEnded
    | BatchDone
    | ResultFetched
    | RequestRepeated
    | Waiting
    | RunEnded
)
OnEvent: TypeAlias = Callable[[Event], None]
