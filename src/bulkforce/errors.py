"""Everything bulkforce raises, as one tree.

::

    Error                       root: a readable message, with the facts as attributes
    +- UsageError               the call cannot work; nothing was sent
    |  +- NoSuchOrg               the Salesforce CLI knows no org of that name
    |  +- DoesNotFit              columns or values that the object does not accept; see ``report``
    |  +- MissingExtra            an optional dependency is not installed; the message names it
    +- TransportError           no usable answer came back
    |  +- NotSent                 the org never saw the request: safe to repeat
    |  +- NoAnswer                a read-only request got no complete answer
    |  +- OutcomeUnknown          the org may have acted: check before you repeat
    +- RefusedError             the org refused the request
    |  +- NotAuthenticated        session, token or login refused
    |  +- NotPermitted            the user may not do this
    |  +- NotFound                no such job, batch, result or object
    |  +- InvalidRequest          the org rejected the request or its content
    |  +- LimitReached            an org limit is used up; see ``retry_after_seconds``
    |  +- Unavailable             the org cannot answer now; see ``retry_after_seconds``
    +- ProtocolError            the org's answer violates the protocol
    |  +- Intercepted             something between here and the org answered instead
    |  +- UnreadableResults       the results of a batch are malformed
    +- FormatError              records could not be read or written; see ``row``, ``line``, ``column``
    +- JobError                 a job or batch did not succeed
    |  +- JobFailed, JobAborted, BatchFailed (QueryRefused), JobNotDone
    +- TransferError            a load or extract could not continue
       +- JournalMismatch, JournalBusy, SourceChanged, RecordsFailed, Unsettled, Interrupted, FellShort

Failed *records* are results, not errors. No error ever contains a token or the value of a record.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known about the request behind an error; ``None`` where it does not apply."""

    status: int | None = None
    code: str | None = None
    message: str | None = None
    method: str | None = None
    path: str | None = None
    job_id: str | None = None
    batch_id: str | None = None

    def __str__(self) -> str:
        parts = [f"{self.method} {self.path}" if self.method else "", f"HTTP {self.status}" if self.status else ""]
        # Do not repeat ids that the path already shows.
        path = self.path or ""
        parts += [f"job {self.job_id}" if self.job_id and self.job_id not in path else ""]
        # In Bulk API 2.0, a job is its own only batch.
        batch_id = None if self.batch_id == self.job_id else self.batch_id
        parts += [f"batch {batch_id}" if batch_id and batch_id not in path else ""]
        return ", ".join(part for part in parts if part)


class Error(Exception):
    """Base class of all bulkforce errors.

    Attributes:
        text: What happened, without the facts.
        status: HTTP status of the answer, if there was one.
        code: The org's ``exceptionCode`` (an open set of strings), or the OAuth ``error``.
        message: The org's ``exceptionMessage``, or the OAuth ``error_description``.
        method: HTTP method of the request.
        path: Path of the request, without host and query string.
        job_id: The job concerned.
        batch_id: The batch concerned.
    """

    def __init__(self, text: str, facts: Facts | None = None) -> None:
        facts = facts or Facts()
        context = str(facts)
        super().__init__(f"{text} [{context}]" if context else text)
        self.text = text
        self.facts = facts
        self.status = facts.status
        self.code = facts.code
        self.message = facts.message
        self.method = facts.method
        self.path = facts.path
        self.job_id = facts.job_id
        self.batch_id = facts.batch_id


class UsageError(Error, ValueError):
    """The call cannot work as written. Raised before anything is sent."""


class NoSuchOrg(UsageError):
    """The Salesforce CLI knows no org of that name, or has no default."""


class DoesNotFit(UsageError):
    """The source does not fit the object. Nothing was sent.

    Attributes:
        lines: What does not fit and what to do about it, one problem per line.
        report: Everything the check found, a `CheckReport`.
    """

    report: object = None

    def __init__(self, text: str, lines: Sequence[str] = ()) -> None:
        super().__init__(text)
        self.lines = tuple(lines)

    def __str__(self) -> str:
        return "\n- ".join([super().__str__(), *self.lines])

    def __reduce__(self) -> tuple[type[DoesNotFit], tuple[str, tuple[str, ...]]]:
        return type(self), (self.text, self.lines)


class MissingExtra(UsageError, ImportError):
    """An optional dependency is not installed."""

    def __init__(self, extra: str, purpose: str) -> None:
        super().__init__(f"{purpose} needs an extra that is not installed. Run: pip install 'bulkforce[{extra}]'")
        self.extra = extra
        self.purpose = purpose

    def __reduce__(self) -> tuple[type[MissingExtra], tuple[str, str]]:
        return type(self), (self.extra, self.purpose)


class TransportError(Error):
    """No usable answer came back."""


class NotSent(TransportError):
    """The org never saw the request, so it is safe to repeat.

    Attributes:
        lasting: Whether repeating is pointless until something changes (an unknown host name, a bad certificate).
    """

    def __init__(self, text: str, facts: Facts | None = None, *, lasting: bool = False) -> None:
        super().__init__(text, facts)
        self.lasting = lasting


class NoAnswer(TransportError):
    """A read-only request got no complete answer: the connection broke or timed out.

    Attributes:
        lasting: Whether repeating is pointless until something changes (an answer longer than the client may read).
    """

    def __init__(self, text: str, facts: Facts | None = None, *, lasting: bool = False) -> None:
        super().__init__(text, facts)
        self.lasting = lasting


class OutcomeUnknown(TransportError):
    """The org may have acted on the request, but its answer was lost.

    Do not repeat it blindly: first list the job's batches (``get_all_batches``) and read them back
    (``get_batch_request``).
    """

    def __init__(self, text: str, facts: Facts | None = None, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(text, facts)
        self.retry_after_seconds = retry_after_seconds


class RefusedError(Error):
    """The org understood the request and refused it.

    The org itself sent this: an error document of the API, with a ``code``. An answer from anything else (a proxy, a
    gateway, a login page) raises `Intercepted`, or `Unavailable` without a ``code`` if it looks temporary; for a
    request that changes something it raises `OutcomeUnknown`.
    """

    def __init__(self, text: str, facts: Facts | None = None, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(text, facts)
        self.retry_after_seconds = retry_after_seconds


class NotAuthenticated(RefusedError):
    """The session, token or login was refused."""


class NotPermitted(RefusedError):
    """The user may not do this, or the feature is off for the org."""


class NotFound(RefusedError):
    """No such job, batch, result or object exists."""


class InvalidRequest(RefusedError):
    """The org rejected the request or its content."""


class LimitReached(RefusedError):
    """A limit of the org is used up."""


class Unavailable(RefusedError):
    """The org cannot answer right now; ``code`` is ``None`` if something in front of the org said so."""


class ProtocolError(Error):
    """The org, or something in front of it, sent an answer that violates the protocol."""


class Intercepted(ProtocolError):
    """Something between here and the org (a proxy, a gateway, a login page) answered instead of the org.

    The answer proves nothing about the org: not that a job is unknown, and not that a session is invalid.
    """


class UnreadableResults(ProtocolError):
    """The results of a batch are malformed: truncated, with the wrong columns or in the wrong encoding."""


class FormatError(Error, ValueError):
    """Records could not be read or written.

    Attributes:
        row: Number of the record, from 1, not counting the header.
        line: Number of the line in a text file, from 1.
        column: Name of the field, or its number from 1.
        byte: Offset in the content, from 0.
    """

    def __init__(
        self,
        text: str,
        *,
        row: int | None = None,
        line: int | None = None,
        column: str | int | None = None,
        byte: int | None = None,
    ) -> None:
        places = [
            f"{name} {str(value)[:100]}"
            for name, value in (("record", row), ("line", line), ("field", column), ("byte", byte))
            if value is not None
        ]
        super().__init__(f"{text} ({', '.join(places)})" if places else text)
        self.text = text  # without the place
        self.row = row
        self.line = line
        self.column = column
        self.byte = byte


class JobError(Error):
    """A job or batch did not succeed."""


class JobFailed(JobError):
    """The org gave up on the job."""


class JobAborted(JobError):
    """The job was aborted."""


class BatchFailed(JobError):
    """The org could not process the batch; its state message says why."""


class QueryRefused(BatchFailed):
    """The org rejected the query; sending it again will not help."""


class JobNotDone(JobError):
    """The wait timed out; the job continues in the org."""


class TransferError(Error):
    """A load or extract could not continue."""


class JournalMismatch(TransferError):
    """The run's journal does not match the request, or what the org says."""


class JournalBusy(TransferError):
    """Another process is working on this run."""


class SourceChanged(TransferError):
    """The source has changed since the run began."""


class RecordsFailed(TransferError):
    """Some records failed. Raised only by ``raise_for_failures()``."""


class Unsettled(TransferError):
    """The run cannot tell what the org accepted, or the org holds batches the run did not send; sending stops.

    Attributes:
        why: ``strangers`` (a job holds batches that the run did not send), ``closed`` (something else closed a job
            while the run was stopped), ``copied`` (another copy of the run's folder was resumed), ``gone`` (the org no
            longer knows a job) or ``restless`` (a job cannot be closed, or its list of batches keeps changing).
        strangers: Ids of the batches that the run did not send.
        report: For a load: what is certain, a `LoadReport`.
    """

    report: object = None

    def __init__(
        self,
        text: str,
        facts: Facts | None = None,
        *,
        why: Literal["strangers", "closed", "gone", "restless", "copied"] = "restless",
        strangers: Collection[str] = (),
    ) -> None:
        super().__init__(text, facts)
        self.why = why
        self.strangers = frozenset(strangers)


class FellShort(TransferError):
    """An extract has fewer records than the org said it found."""


class Interrupted(TransferError):
    """The run stopped before its end and can be resumed.

    Attributes:
        report: What was done so far: a `LoadReport`, or an `ExtractReport` for an extract.
    """

    report: object = None
