"""Everything bulkforce raises, as one tree.

::

    Error                       root: a message for people, the facts as attributes
    +- UsageError               you asked for the impossible; nothing was sent
    |  +- DoesNotFit              columns or values that the object does not take; see ``report``
    |  +- MissingExtra            an optional dependency is not installed; says which
    +- TransportError           no usable answer came back
    |  +- NotSent                 the org certainly never saw the request: repeat freely
    |  +- NoAnswer                a request that only reads got no whole answer
    |  +- OutcomeUnknown          the org may have acted: look before you repeat
    +- RefusedError             the org answered no
    |  +- NotAuthenticated        session, token or login refused
    |  +- NotPermitted            the user may not do this
    |  +- NotFound                no such job, batch, result or object
    |  +- InvalidRequest          the org finds the request or its content wrong
    |  +- LimitReached            a limit of the org; see ``retry_after_seconds``
    |  +- Unavailable             the org cannot answer now; see ``retry_after_seconds``
    +- ProtocolError            the org said something that the protocol does not allow
    |  +- Intercepted             not the org, but something between here and there answered
    |  +- UnreadableResults       the results of a batch are not what results are
    +- FormatError              records could not be read or written; see ``row``, ``column``, ``byte``
    +- JobError                 a job or batch did not come to a good end
    |  +- JobFailed, JobAborted, BatchFailed (QueryRefused), JobNotDone
    +- TransferError            a load or extract could not go on
       +- JournalMismatch, JournalBusy, SourceChanged, RecordsFailed, Unsettled, Interrupted, FellShort

Failed *records* are results, not errors. No error ever holds a token or the value of a record.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known about the request an error came from; ``None`` where it does not apply."""

    status: int | None = None
    code: str | None = None
    message: str | None = None
    method: str | None = None
    path: str | None = None
    job_id: str | None = None
    batch_id: str | None = None

    def __str__(self) -> str:
        parts = [f"{self.method} {self.path}" if self.method else "", f"HTTP {self.status}" if self.status else ""]
        # Ids that the path shows already are not said twice.
        path = self.path or ""
        parts += [f"job {self.job_id}" if self.job_id and self.job_id not in path else ""]
        parts += [f"batch {self.batch_id}" if self.batch_id and self.batch_id not in path else ""]
        return ", ".join(part for part in parts if part)


class Error(Exception):
    """Root of all errors of bulkforce.

    Attributes:
        text: What happened, without the facts.
        status: HTTP status of the answer, if one came.
        code: The org's ``exceptionCode`` (an open set of strings), or the OAuth ``error``.
        message: The org's ``exceptionMessage``, or the OAuth ``error_description``.
        method: HTTP method of the request.
        path: Path of the request, without host and query.
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
    """You asked for the impossible. Raised before anything is sent."""


class DoesNotFit(UsageError):
    """What is to be loaded does not fit the object. Nothing was sent.

    Attributes:
        lines: What does not fit, and what to do, one thing a line.
        report: All that was found, a `CheckReport`.
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
        super().__init__(f"{purpose} needs an extra that is not installed. Do: pip install 'bulkforce[{extra}]'")
        self.extra = extra
        self.purpose = purpose

    def __reduce__(self) -> tuple[type[MissingExtra], tuple[str, str]]:
        return type(self), (self.extra, self.purpose)


class TransportError(Error):
    """No usable answer came back."""


class NotSent(TransportError):
    """The org certainly never saw the request, so it may be repeated freely.

    Attributes:
        lasting: Repeating is hopeless until something is changed (a name that does not resolve, a wrong certificate).
    """

    def __init__(self, text: str, facts: Facts | None = None, *, lasting: bool = False) -> None:
        super().__init__(text, facts)
        self.lasting = lasting


class NoAnswer(TransportError):
    """The connection broke or timed out before the answer was whole, on a request that only reads.

    Attributes:
        lasting: Repeating is hopeless until something is changed (an answer that is longer than the client may read).
    """

    def __init__(self, text: str, facts: Facts | None = None, *, lasting: bool = False) -> None:
        super().__init__(text, facts)
        self.lasting = lasting


class OutcomeUnknown(TransportError):
    """The org may have acted on the request, but its answer was lost.

    Do not repeat it blindly: list the job's batches first (``get_all_batches``), and read them back
        (``get_batch_request``).
    """

    def __init__(self, text: str, facts: Facts | None = None, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(text, facts)
        self.retry_after_seconds = retry_after_seconds


class RefusedError(Error):
    """The org understood the request and answered no.

    This is the org's own word: an error document of the API, with its ``code``. What anything else says (a proxy, a
    gateway, a login page) is `Intercepted`, or, where it may pass, `Unavailable` without a ``code``; on a request that
    acts it is `OutcomeUnknown`.
    """

    def __init__(self, text: str, facts: Facts | None = None, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(text, facts)
        self.retry_after_seconds = retry_after_seconds


class NotAuthenticated(RefusedError):
    """The session, token or login was refused."""


class NotPermitted(RefusedError):
    """The user may not do this, or the feature is off for the org."""


class NotFound(RefusedError):
    """There is no such job, batch, result or object."""


class InvalidRequest(RefusedError):
    """The org finds the request, or what it carries, wrong."""


class LimitReached(RefusedError):
    """A limit of the org is used up."""


class Unavailable(RefusedError):
    """The org cannot answer at the moment, or something in front of it says so; then ``code`` is ``None``."""


class ProtocolError(Error):
    """The org, or something in front of it, said what the protocol does not allow."""


class Intercepted(ProtocolError):
    """Something between here and the org (a proxy, a gateway, a login page) answered in its place.

    It tells nothing about the org: neither that a job is unknown, nor that a session is bad.
    """


class UnreadableResults(ProtocolError):
    """The results of a batch are not what results are: cut, of other columns, in another encoding."""


class FormatError(Error, ValueError):
    """Records could not be read or written.

    Attributes:
        row: Number of the record, from 1, the header not counted.
        column: Name (or number, from 1) of the field.
        byte: Offset in the content, from 0.
    """

    def __init__(
        self, text: str, *, row: int | None = None, column: str | int | None = None, byte: int | None = None
    ) -> None:
        places = [
            f"{name} {str(value)[:100]}"
            for name, value in (("record", row), ("field", column), ("byte", byte))
            if value is not None
        ]
        super().__init__(f"{text} ({', '.join(places)})" if places else text)
        self.text = text  # without the place
        self.row = row
        self.column = column
        self.byte = byte


class JobError(Error):
    """A job or batch did not come to a good end."""


class JobFailed(JobError):
    """The org gave the job up."""


class JobAborted(JobError):
    """Somebody aborted the job."""


class BatchFailed(JobError):
    """The org could not process the batch as a whole; the reason is its state message."""


class QueryRefused(BatchFailed):
    """The org finds a query wrong; asking again is no use."""


class JobNotDone(JobError):
    """The time you gave for waiting is over; the job goes on in the org."""


class TransferError(Error):
    """A load or extract could not go on."""


class JournalMismatch(TransferError):
    """The run's journal does not fit what is asked, or what the org says."""


class JournalBusy(TransferError):
    """Another process works on this run."""


class SourceChanged(TransferError):
    """The source is no longer the one the run was begun with."""


class RecordsFailed(TransferError):
    """Some records did not go in. Only raised by ``raise_for_failures()``."""


class Unsettled(TransferError):
    """It cannot be known what the org took, or it holds what the run did not send, so nothing more is sent.

    Attributes:
        why: ``strangers`` (a job holds batches that are none of the run's), ``closed`` (a job was closed while the run
            was stopped, and not by it), ``copied`` (the run was gone on with in another copy of its folder), ``gone``
            (the org no longer knows a job) or ``restless`` (a job cannot be closed, or its list of batches does not
            come to rest).
        strangers: Ids of the batches that are none of the run's.
        report: Of a load: what is certain, a `LoadReport`.
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
    """An extract lacks rows that the org said it had found."""


class Interrupted(TransferError):
    """The run was stopped before its end and can be resumed.

    Attributes:
        report: Where it stands, a `LoadReport`.
    """

    report: object = None
