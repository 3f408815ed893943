"""What a refusal means and who sent it: exception codes and statuses, as tables.

Only an error document of the API comes from the org itself. Anything else (a page, a gateway's JSON, a redirect,
nothing) comes from something in between and proves nothing about the org: not that a job is unknown, not that a session
is invalid, and above all not that a request was not carried out.

Sources: developer guide, "Errors"; ``AsyncExceptionCode`` of Salesforce's own Java client; statuses as seen in
recordings, where every refusal of v1 is HTTP 400, even that of a session; 2.0 and REST use 401, 403, 404 and 409. The
codes are an open set: one that is not listed is an `InvalidRequest`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC
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
from bulkforce.protocol.remedies import QUOTAS

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
    "LIMIT_EXCEEDED": LimitReached,
    "FEATURENOTENABLED": NotPermitted,
    "EXCEEDEDQUOTA": LimitReached,
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

# Statuses from something in between that mean "later": timeout, too early, too many requests.
_PASSING: Final = frozenset({408, 425, 429})

# How much of the org's message is shown; all of it is in the error's ``message``.
_SHOWN_CHARACTERS: Final = 2_000

# The longest wait, however long an answer asks for.
_LONGEST_SECONDS: Final = 86_400.0

# An unknown id has the same code as a malformed request; the known messages tell them apart.
_UNKNOWN_ID = re.compile(
    r"^(?:InvalidJob : )?(Invalid job id|Invalid batch id|Unable to find batch|Unable to find object)", re.IGNORECASE
)

HINTS: Final[Mapping[str, str]] = {
    "InvalidSessionId": "log in again, or use a login that can renew its session",
    "INVALID_SESSION_ID": "log in again, or use a login that can renew its session",
    "InvalidVersion": "set another API version",
    **QUOTAS,
    "FeatureNotEnabled": "ask the org's administrator",
    "InvalidJobState": "look at the job's state",
    # 2.0 writes v1's codes in capitals.
    "FEATURENOTENABLED": "ask the org's administrator",
    "INVALIDENTITY": "the Bulk API does not serve this object: query it over REST",
    "INVALIDJOBSTATE": "look at the job's state",
}

# 2.0 says 409 if a query's results are read with another version than the job was created with.
_OTHER_VERSION: Final = "read the results with the API version that created the job: pass its QueryJobInfo, not its id"

_NO_OBJECT: Final = "misspelt, or the user may not see it; `bulkforce objects` lists those that there are"


def refusal(answer: Answer, now: float | None = None) -> RefusedError | Intercepted:
    """Return the error for an answer that is not a success, whatever its body is.

    Args:
        answer: The answer.
        now: Seconds since 1970; without it, a ``Retry-After`` date is ignored.
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
    text = f"The org refused: {code}" + (
        f": {message[:_SHOWN_CHARACTERS]}" if message.strip() else " (it gives no reason)"
    )
    hint = HINTS.get(code) or (_OTHER_VERSION if answer.status == 409 else "")
    if "unable to find object" in message.lower():
        hint = _NO_OBJECT
    text += f" ({hint})" if hint else ""
    return kind(text, answer.facts(code, message), retry_after_seconds=retry_after(answer, now))


def stranger(
    answer: Answer, now: float | None = None, what: str = "The answer is not the org's own"
) -> Unavailable | Intercepted:
    """Return the error for a refusal that is not from the org: one that may pass, or one to be looked into."""
    fault = intercepted(answer, what)
    asked = retry_after(answer, now)
    if answer.status >= 500 or answer.status in _PASSING or asked is not None:
        return Unavailable(fault.text, fault.facts, retry_after_seconds=asked)
    return fault


def intercepted(answer: Answer, what: str = "The answer is not the org's own") -> Intercepted:
    """Return the error for an answer that is not from the org, whatever its status."""
    if 300 <= answer.status < 400:
        where = re.sub(r"[?#].*", "", answer.headers.get("location", "nowhere"), flags=re.DOTALL)[:200]
        return Intercepted(
            f"The answer redirects to {where}. The session is not sent there; if that is the right place, make it the "
            "instance URL",
            answer.facts(),
        )
    return Intercepted(
        f"{what}; something in between (a proxy, a gateway, a maintenance page) may have answered: "
        f"HTTP {answer.status}, {describe(answer)}",
        answer.facts(),
    )


def describe(answer: Answer) -> str:
    """Describe an unexpected body without quoting records."""
    body = answer.body[:4_096].lstrip()
    if not body and not answer.stream:
        return "an empty body"
    what = f"{answer.media_type or 'untyped'} body" + ("" if answer.stream else f" of {len(answer.body)} bytes")
    # Only for an HTML page: in any other document, a title may be a field of a record.
    if re.match(rb"(<!doctype html[^>]*>\s*)?<html", body, re.IGNORECASE) and (
        title := re.search(rb"<title[^>]*>([^<]{1,120})", body, re.IGNORECASE)
    ):
        what += f", a page titled {title[1].decode('utf-8', 'replace').strip()!r}"
    return what


def retry_after(answer: Answer, now: float | None) -> float | None:
    """Read how long the answer asks to wait, in seconds; for a date in the past that is 0."""
    value = answer.headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return min(float(value), _LONGEST_SECONDS)
    from email.utils import parsedate_to_datetime  # slow to import, and few answers ask us to wait

    try:
        date = parsedate_to_datetime(value)
        until = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
    return None if now is None else min(max(until - now, 0.0), _LONGEST_SECONDS)


def _own_word(answer: Answer) -> tuple[str, str] | None:
    """Read the code and message of the API's error document; ``None`` if it is not one, and so not from the org."""
    try:
        if answer.request.path.startswith("/services/data/"):
            return wire_json.rest_error(answer)
        return wire_json.error(answer) if answer.media_type == wire_json.MEDIA else wire_xml.error(answer)
    except ProtocolError:
        return None
