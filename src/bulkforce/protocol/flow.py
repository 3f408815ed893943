"""Conversations as generators: they yield what they wait for and return a value.

A flow never sends, sleeps or looks at a clock. It yields an effect; a driver (``transport.drive``) carries it out and
hands the outcome back in, exceptions included. So one conversation serves threads, asyncio, and tests that feed answers
by hand.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias, TypeVar

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
from bulkforce.protocol.exchange import Answer, Exchange, Replay, Request
from bulkforce.protocol.faults import SUCCESS, describe, refusal
from bulkforce.protocol.retry import RetryPolicy

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Credentials:
    """Where the org is and the session id (or OAuth access token) that opens it."""

    instance_url: str
    access_token: str = field(repr=False)


def is_token(text: str) -> bool:
    """Whether this may be a session id or access token: what can stand in a header, and no blank."""
    return re.fullmatch(r"[!-~]+", text) is not None


@dataclass(frozen=True, slots=True)
class Authenticate:
    """Wait for credentials; ``stale`` names those that the org refused. Outcome: `Credentials`."""

    stale: Credentials | None = None


@dataclass(frozen=True, slots=True)
class Send:
    """Wait for the answer to a request. Outcome: `Answer`, or a `TransportError` thrown in."""

    request: Request
    credentials: Credentials | None = None
    streamed: bool = False


@dataclass(frozen=True, slots=True)
class Sleep:
    """Wait; ``jittered`` lets the driver shorten it by chance, so that many clients do not come back at once."""

    seconds: float
    jittered: bool = False


@dataclass(frozen=True, slots=True)
class Elapsed:
    """Ask for seconds on a clock that never goes back. Outcome: `float`."""


@dataclass(frozen=True, slots=True)
class Now:
    """Ask for seconds since 1970. Outcome: `float`."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Ask how stubborn the client is. Outcome: `RetryPolicy`."""


Effect: TypeAlias = Authenticate | Send | Sleep | Elapsed | Now | Policy
Outcome: TypeAlias = Credentials | Answer | RetryPolicy | float | None
Flow: TypeAlias = Generator[Effect, Outcome, T]


class Auth(Protocol):
    """A way to get a session."""

    def credentials(self, instance_url: str | None, stale: Credentials | None) -> Flow[Credentials]:
        """Get credentials.

        The caller makes sure that only one such flow runs at a time.

        Args:
            instance_url: What the client was told, or ``None`` when the login is to say it.
            stale: Credentials that the org has refused, or ``None`` at the first time.

        Raises:
            NotAuthenticated: The login was refused, or there is nothing to renew with.
        """
        ...


def authenticate(stale: Credentials | None = None) -> Flow[Credentials]:
    """Wait for credentials."""
    credentials = yield Authenticate(stale)
    assert isinstance(credentials, Credentials)
    return credentials


def send(request: Request, credentials: Credentials | None = None, *, streamed: bool = False) -> Flow[Answer]:
    """Wait for an answer, whatever it says."""
    answer = yield Send(request, credentials, streamed)
    assert isinstance(answer, Answer)
    return answer


def seconds(clock: Elapsed | Now) -> Flow[float]:
    """Look at a clock."""
    value = yield clock
    assert isinstance(value, float)
    return value


def policy() -> Flow[RetryPolicy]:
    """Ask how stubborn the client is."""
    value = yield Policy()
    assert isinstance(value, RetryPolicy)
    return value


def ask(exchange: Exchange[T]) -> Flow[T]:
    """Make one exchange: renew a session that has expired, once; repeat what may be repeated.

    Raises:
        RefusedError: The org answered no (or had no answer for as long as the retry policy allows).
        NotSent: The org could not be reached.
        NoAnswer: A request that reads got no whole answer.
        OutcomeUnknown: The answer to a request that acts was lost, or is not the org's own, or not one to what was
            asked. It is never repeated here.
        Intercepted: Something between here and the org answered a request that reads.
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
            if answer.status in SUCCESS:
                return _read(exchange, answer)
            if answer.stream is not None:
                answer.stream.close()
            now = yield from seconds(Now())
            fault, cause = _what_it_means(refusal(answer, now), exchange), None
        if isinstance(fault, NotAuthenticated) and fault.code in _EXPIRED and not renewed:
            # The refused request did nothing (reference of the OAuth flows, 13.3), so it is repeated whatever it is.
            renewed = True
            try:
                credentials = yield from _credentials(credentials, stubborn)
            except NotAuthenticated as error:
                # Where there is nothing to renew with, the org's own refusal says most.
                raise (fault if error.status is None else error) from cause
            continue
        pause = stubborn.pause(fault, attempt)
        if pause is None:
            raise fault from cause
        yield from _pause(pause, fault, cause)


def _credentials(stale: Credentials | None, stubborn: RetryPolicy) -> Flow[Credentials]:
    """Log in or renew; a login host that cannot be reached, or cannot answer now, is tried again."""
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
    """Wait before the next try; when the work is to stop, there is none, and the last one's fault is the end."""
    try:
        yield Sleep(seconds, jittered=True)
    except Interrupted:
        raise fault from cause


# Bulk says InvalidSessionId with HTTP 400; REST says INVALID_SESSION_ID with 401.
_EXPIRED = frozenset({"InvalidSessionId", "INVALID_SESSION_ID"})


# All that reading a document that is none can raise; what it is must not become a traceback of a foreign kind.
_UNREADABLE = (ValueError, TypeError, LookupError, ArithmeticError, AttributeError, AssertionError, RecursionError)


def _read(exchange: Exchange[T], answer: Answer) -> T:
    fault: Error
    try:
        return exchange.read(answer)
    except Error as error:
        fault = error
    except _UNREADABLE as error:
        fault = ProtocolError(
            f"The org's answer cannot be understood ({type(error).__name__}): {describe(answer)}", answer.facts()
        )
    # Behind the handlers, not in them: Python would chain the error that it handles, and that one may hold the whole
    # document.
    if exchange.replay is Replay.FREELY:
        raise fault
    raise _unknown(fault, exchange) from fault


def _what_it_means(
    fault: TransportError | RefusedError | Intercepted, exchange: Exchange[object]
) -> TransportError | RefusedError | Intercepted:
    """What a failure means depends on the request that failed: a lost answer to a POST hides what the org did."""
    if exchange.replay is Replay.FREELY or isinstance(fault, NotSent):
        return fault
    # Only the org's own no is one. A stranger may speak after the org has acted, and so may a time-out that the org
    # tells: evidence is missing that any of these is safe to repeat.
    own_no = isinstance(fault, RefusedError) and not isinstance(fault, Unavailable) and (fault.status or 0) < 500
    return fault if own_no else _unknown(fault, exchange)


def _unknown(fault: Error, exchange: Exchange[object]) -> OutcomeUnknown:
    hint = (
        "an empty job may have been left behind; it is harmless"
        if exchange.replay is Replay.LEAVES_LITTER
        else "look at the job and its batches before you repeat it"
    )
    asked = fault.retry_after_seconds if isinstance(fault, Unavailable) else None
    return OutcomeUnknown(
        f"It is not known whether the org acted on this request: {fault.text}; {hint}",
        fault.facts,
        retry_after_seconds=asked,
    )
