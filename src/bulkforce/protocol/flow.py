"""Conversations as generators: they yield what they wait for and return a value.

A flow never sends, sleeps or reads a clock. It yields an effect; a driver (``transport.drive``) carries it out and
sends the outcome back in, or throws an exception in. So the same conversation works with threads, with asyncio, and in
tests that supply the answers.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeVar

from bulkforce.errors import (
    Error,
    Intercepted,
    Interrupted,
    NoAnswer,
    NotAuthenticated,
    NotSent,
    OutcomeUnknown,
    ProtocolError,
    RefusedError,
    TransportError,
    Unavailable,
)
from bulkforce.later import later
from bulkforce.protocol.exchange import Answer, Exchange, Replay, Request
from bulkforce.protocol.retry import RetryPolicy

if TYPE_CHECKING:
    from bulkforce.protocol import faults
else:
    faults = later("bulkforce.protocol.faults")  # what a refusal means: all forms of the wire

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Credentials:
    """The org's URL and the session id (or OAuth access token) for it."""

    instance_url: str
    access_token: str = field(repr=False)


def is_token(text: str) -> bool:
    """Whether this may be a session id or access token: characters that a header can carry, without spaces."""
    return re.fullmatch(r"[!-~]+", text) is not None


@dataclass(frozen=True, slots=True)
class Authenticate:
    """Wait for credentials; ``stale`` are those that the org refused. Outcome: `Credentials`."""

    stale: Credentials | None = None


@dataclass(frozen=True, slots=True)
class Send:
    """Wait for the answer to a request. Outcome: `Answer`, or a `TransportError` thrown in."""

    request: Request
    credentials: Credentials | None = None
    streamed: bool = False


@dataclass(frozen=True, slots=True)
class Sleep:
    """Wait; if ``jittered``, the driver shortens it at random, so that many clients do not return at the same time.

    ``because`` is the failure after which a request will be repeated, if there is one.
    """

    seconds: float
    jittered: bool = False
    because: Exception | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Elapsed:
    """Get the seconds on a monotonic clock. Outcome: `float`."""


@dataclass(frozen=True, slots=True)
class Now:
    """Get the seconds since 1970. Outcome: `float`."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Get the client's retry policy. Outcome: `RetryPolicy`."""


Effect: TypeAlias = Authenticate | Send | Sleep | Elapsed | Now | Policy
Outcome: TypeAlias = Credentials | Answer | RetryPolicy | float | None
Flow: TypeAlias = Generator[Effect, Outcome, T]


class Auth(Protocol):
    """A way to get a session."""

    def credentials(self, instance_url: str | None, stale: Credentials | None) -> Flow[Credentials]:
        """Get credentials.

        The caller makes sure that only one such flow runs at a time.

        Args:
            instance_url: The client's instance URL, or ``None`` if the login is to provide it.
            stale: Credentials that the org has refused, or ``None`` the first time.

        Raises:
            NotAuthenticated: The login was refused, or the session cannot be renewed.
        """
        ...


def authenticate(stale: Credentials | None = None) -> Flow[Credentials]:
    """Wait for credentials."""
    credentials = yield Authenticate(stale)
    assert isinstance(credentials, Credentials)
    return credentials


def send(request: Request, credentials: Credentials | None = None, *, streamed: bool = False) -> Flow[Answer]:
    """Wait for an answer, of whatever status."""
    answer = yield Send(request, credentials, streamed)
    assert isinstance(answer, Answer)
    return answer


def seconds(clock: Elapsed | Now) -> Flow[float]:
    """Read a clock."""
    value = yield clock
    assert isinstance(value, float)
    return value


def policy() -> Flow[RetryPolicy]:
    """Get the client's retry policy."""
    value = yield Policy()
    assert isinstance(value, RetryPolicy)
    return value


def ask(exchange: Exchange[T]) -> Flow[T]:
    """Make one exchange: renew an expired session once, and repeat what is safe to repeat.

    Raises:
        RefusedError: The org refused the request (or was unavailable for as long as the retry policy allows).
        NotSent: The org could not be reached.
        NoAnswer: A read-only request got no complete answer.
        OutcomeUnknown: The answer to a request that changes something was lost, is not from the org, or does not match
            the request. Such a request is never repeated here.
        Intercepted: Something between here and the org answered a read-only request.
        ProtocolError: The answer makes no sense.
    """
    stubborn = yield from policy()
    credentials = yield from _credentials(None, stubborn)
    renewed = False
    attempt = 0
    while True:
        attempt += 1
        fault: TransportError | RefusedError | Intercepted
        try:
            answer = yield from send(exchange.request, credentials, streamed=exchange.streamed)
        except NoAnswer as error:
            fault = _what_it_means(error, exchange)
            cause: Exception | None = error if fault is not error else None
        except TransportError as error:
            fault, cause = error, None
        else:
            if answer.status in exchange.statuses:
                return _read(exchange, answer)
            if answer.stream is not None:
                answer.stream.close()
            now = yield from seconds(Now())
            fault, cause = _what_it_means(faults.refusal(answer, now), exchange), None
        if isinstance(fault, NotAuthenticated) and fault.code in _EXPIRED and not renewed:
            # The refused request did nothing (reference of the OAuth flows, 13.3), so any request can be repeated.
            renewed = True
            try:
                credentials = yield from _credentials(credentials, stubborn)
            except NotAuthenticated as error:
                # If the session cannot be renewed, the org's own refusal comes first, and then what to do about it.
                raise (_with(fault, error.text) if error.status is None else error) from cause
            continue
        pause = stubborn.pause(fault, attempt)
        if pause is None:
            raise (_still_refused(fault) if renewed else fault) from cause
        yield from _pause(pause, fault, cause)


def _still_refused(fault: Error) -> Error:
    """Name the usual causes if a session is refused that has just been renewed."""
    if isinstance(fault, NotAuthenticated) and fault.code in _EXPIRED:
        return _with(fault, _CAUSES)
    return fault


def _with(fault: NotAuthenticated, advice: str) -> NotAuthenticated:
    return NotAuthenticated(f"{fault.text}. {advice}", fault.facts)


def _credentials(stale: Credentials | None, stubborn: RetryPolicy) -> Flow[Credentials]:
    """Log in or renew; if the login host cannot be reached or cannot answer now, try again."""
    attempt = 0
    while True:
        attempt += 1
        try:
            return (yield from authenticate(stale))
        except (TransportError, RefusedError) as error:
            pause = stubborn.pause(error, attempt)
            if pause is None:
                raise
            fault = error
        yield from _pause(pause, fault, fault.__cause__)


def _pause(seconds: float, fault: Exception, cause: BaseException | None) -> Flow[None]:
    """Wait before the next attempt; if the work is interrupted, raise the last attempt's error instead."""
    try:
        yield Sleep(seconds, jittered=True, because=fault)
    except Interrupted:
        raise fault from cause


# Bulk says InvalidSessionId with HTTP 400; REST says INVALID_SESSION_ID with 401.
_EXPIRED = frozenset({"InvalidSessionId", "INVALID_SESSION_ID"})

_CAUSES = (
    "The session is new, so it has not expired. The usual causes: the instance URL is not that of the org that granted "
    "it; the org ties sessions to the address they began at (Setup, Session Settings); or the org lets only approved "
    "apps use the API (API Access Control), and an administrator must approve this one"
)


# Everything that reading a malformed document can raise; callers must see only our own errors.
_UNREADABLE = (ValueError, TypeError, LookupError, ArithmeticError, AttributeError, AssertionError, RecursionError)


def _read(exchange: Exchange[T], answer: Answer) -> T:
    fault: Error
    try:
        return exchange.read(answer)
    except Error as error:
        fault = error
    except _UNREADABLE as error:
        fault = ProtocolError(
            f"The org's answer cannot be understood ({type(error).__name__}): {faults.describe(answer)}", answer.facts()
        )
    # Outside the handlers: inside, Python would chain the handled error, which may hold the whole document.
    if exchange.replay is Replay.FREELY:
        raise fault
    raise _unknown(fault, exchange) from fault


def _what_it_means(
    fault: TransportError | RefusedError | Intercepted, exchange: Exchange[object]
) -> TransportError | RefusedError | Intercepted:
    """Return what a failure means for this request: a lost answer to a POST hides what the org did."""
    if exchange.replay is Replay.FREELY or isinstance(fault, NotSent):
        return fault
    # Only a refusal by the org itself is definite. Something in between may answer after the org has acted, and so may
    # the org with a timeout: there is no evidence that any of these is safe to repeat.
    own_no = isinstance(fault, RefusedError) and not isinstance(fault, Unavailable) and (fault.status or 0) < 500
    return fault if own_no else _unknown(fault, exchange)


def _unknown(fault: Error, exchange: Exchange[object]) -> OutcomeUnknown:
    hint = exchange.in_doubt or (
        "an empty job may have been left behind; it is harmless"
        if exchange.replay is Replay.LEAVES_LITTER
        else "check the job and its batches before you repeat it"
    )
    asked = fault.retry_after_seconds if isinstance(fault, Unavailable) else None
    return OutcomeUnknown(
        f"It is not known whether the org acted on this request: {fault.text}; {hint}",
        fault.facts,
        retry_after_seconds=asked,
    )
