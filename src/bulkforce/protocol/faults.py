"""What a refusal means, and who speaks: exception codes and statuses, as tables.

Only an error document of the API is the org's own word. Whatever else comes (a page, a gateway's JSON, a redirect,
nothing) is a stranger's, and proves
nothing about the org: not that a job is unknown, not that a session is bad, and above all not that a request was not
    carried out.

Sources: developer guide, "Errors"; ``AsyncExceptionCode`` of Salesforce's own Java client; statuses as seen in
    recordings, where every
refusal of this API is HTTP 400, the session's included. The code is an open set: what is not listed is an
    `InvalidRequest`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

from bulkforce.errors import (
    Intercepted,
    InvalidRequest,
    LimitReached,
    NotAuthenticated,
    NotFound,
    NotPermitted,
    ProtocolError,
    RefusedError,
    Unavailable,
)
from bulkforce.protocol import wire_json, wire_xml
from bulkforce.protocol.exchange import Answer

SUCCESS: Final = frozenset({200, 201})
"""The only statuses of this API's own answers that are no refusal; 202, 203 or 206 are a gateway's."""

BY_CODE: Final[Mapping[str, type[RefusedError]]] = {
    "InvalidSessionId": NotAuthenticated,
    "INVALID_SESSION_ID": NotAuthenticated,
    "InvalidUser": NotPermitted,
    "FeatureNotEnabled": NotPermitted,
    "TransactionSecurityBlock": NotPermitted,
    "API_DISABLED_FOR_ORG": NotPermitted,
    "INSUFFICIENT_ACCESS": NotPermitted,
    "Gone": NotFound,
    "NOT_FOUND": NotFound,
    "ExceededQuota": LimitReached,
    "REQUEST_LIMIT_EXCEEDED": LimitReached,
    "InternalServerError": Unavailable,
    "SERVER_UNAVAILABLE": Unavailable,
    "Timeout": Unavailable,
}

BY_STATUS: Final[Mapping[int, type[RefusedError]]] = {
    401: NotAuthenticated,
    403: NotPermitted,
    404: NotFound,
    410: NotFound,
    429: LimitReached,
}

# A stranger's statuses that say "later": time-out, too early, too many requests.
_PASSING: Final = frozenset({408, 425, 429})

# Of the org's words; the whole is in the error's ``message``.
_SHOWN_CHARACTERS: Final = 2_000

# No answer is waited for longer than this, whatever it asks.
_LONGEST_SECONDS: Final = 86_400.0

# An unknown id is told by the code that malformed requests have too; the known texts tell them apart.
_UNKNOWN_ID = re.compile(
    r"^(Invalid job id|Invalid batch id|Unable to find batch|Unable to find object)", re.IGNORECASE
)

HINTS: Final[Mapping[str, str]] = {
    "InvalidSessionId": "log in again, or give the client an auth that can renew its session",
    "INVALID_SESSION_ID": "log in again, or give the client an auth that can renew its session",
    "InvalidVersion": "set another version on the client",
    "ExceededQuota": "the org's allowance of batches in 24 hours is used up; it comes back hour by hour",
    "FeatureNotEnabled": "ask the org's administrator",
    "InvalidJobState": "look at the job's state with get_job_info",
}


def refusal(answer: Answer, now: float | None = None) -> RefusedError | Intercepted:
    """Make the error for an answer that is not a success, whatever its body is.

    Args:
        answer: What came.
        now: Seconds since 1970; without it a ``Retry-After`` that is a date says nothing.
    """
    word = _own_word(answer)
    if word is None:
        return stranger(answer, now)
    code, message = word
    kind = BY_CODE.get(code) or BY_STATUS.get(answer.status)
    if kind is None:
        kind = Unavailable if answer.status >= 500 else InvalidRequest
    if kind is InvalidRequest and _UNKNOWN_ID.match(message):
        kind = NotFound
    text = f"The org refused: {code}: {message[:_SHOWN_CHARACTERS]}"
    text += f" ({HINTS[code]})" if code in HINTS else ""
    return kind(text, answer.facts(code, message), retry_after_seconds=retry_after(answer, now))


def stranger(
    answer: Answer, now: float | None = None, what: str = "The answer is not the org's own"
) -> Unavailable | Intercepted:
    """Make the error for a refusal that is not the org's: one that may pass, or one that has to be looked into."""
    fault = intercepted(answer, what)
    asked = retry_after(answer, now)
    if answer.status >= 500 or answer.status in _PASSING or asked is not None:
        return Unavailable(fault.text, fault.facts, retry_after_seconds=asked)
    return fault


def intercepted(answer: Answer, what: str = "The answer is not the org's own") -> Intercepted:
    """Make the error for an answer that is not the org's, whatever its status says."""
    if 300 <= answer.status < 400:
        where = re.sub(r"[?#].*", "", answer.headers.get("location", "nowhere"), flags=re.DOTALL)[:200]
        return Intercepted(
            f"The answer redirects to {where}. No session is sent there; give the client that instance URL if it is "
            "right",
            answer.facts(),
        )
    return Intercepted(
        f"{what}; something between (a proxy, a gateway, maintenance) may have spoken: HTTP {answer.status}, "
        f"{describe(answer)}",
        answer.facts(),
    )


def describe(answer: Answer) -> str:
    """Say what a body that was not expected looks like, without quoting records."""
    body = answer.body[:4_096].lstrip()
    if not body and not answer.stream:
        return "an empty body"
    what = f"{answer.media_type or 'untyped'} body" + ("" if answer.stream else f" of {len(answer.body)} bytes")
    # Only of a page: in any other document a title may be a field of a record.
    if re.match(rb"(<!doctype html[^>]*>\s*)?<html", body, re.IGNORECASE) and (
        title := re.search(rb"<title[^>]*>([^<]{1,120})", body, re.IGNORECASE)
    ):
        what += f", a page titled {title[1].decode('utf-8', 'replace').strip()!r}"
    return what


def retry_after(answer: Answer, now: float | None) -> float | None:
    """Read how long the answer asks to wait, in seconds; a date that is over is no time at all."""
    value = answer.headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return min(float(value), _LONGEST_SECONDS)
    try:
        date = parsedate_to_datetime(value)
        until = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
    return None if now is None else min(max(until - now, 0.0), _LONGEST_SECONDS)


def _own_word(answer: Answer) -> tuple[str, str] | None:
    """Read code and message of an error document of the API that was asked; ``None`` if it is none, and so not the
    org's.
    """
    try:
        if answer.request.path.startswith("/services/data/"):
            return wire_json.rest_error(answer)
        return wire_json.error(answer) if answer.media_type == wire_json.MEDIA else wire_xml.error(answer)
    except ProtocolError:
        return None
