"""What a refusal means: exception codes and statuses, as tables.

Sources: developer guide, "Errors"; ``AsyncExceptionCode`` of Salesforce's own Java client; statuses as seen in recordings, where every
refusal of this API is HTTP 400, the session's included. The code is an open set: what is not listed is an `InvalidRequest`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from bulkforce.errors import (
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

# An unknown id is told by the code that malformed requests have too; the known texts tell them apart.
_UNKNOWN_ID = re.compile(r"^(Invalid job id|Invalid batch id|Unable to find batch|Unable to find object)", re.IGNORECASE)

HINTS: Final[Mapping[str, str]] = {
    "InvalidSessionId": "log in again, or give the client an auth that can renew its session",
    "INVALID_SESSION_ID": "log in again, or give the client an auth that can renew its session",
    "InvalidVersion": "set another version on the client",
    "ExceededQuota": "the org's allowance of batches in 24 hours is used up; it comes back hour by hour",
    "FeatureNotEnabled": "ask the org's administrator",
    "InvalidJobState": "look at the job's state with get_job_info",
}


def refusal(answer: Answer) -> RefusedError:
    """Make the error for an answer that is not a success, whatever its body is."""
    code, message = _document(answer)
    kind = BY_CODE.get(code or "") or BY_STATUS.get(answer.status)
    if kind is None:
        kind = Unavailable if answer.status >= 500 else InvalidRequest
    if kind is InvalidRequest and _UNKNOWN_ID.match(message or ""):
        kind = NotFound
    if code is None:
        text = f"The org's answer is HTTP {answer.status} without an error document: {describe(answer)}"
    else:
        text = f"The org refused: {code}: {message}"
        text += f" ({HINTS[code]})" if code in HINTS else ""
    if 300 <= answer.status < 400:
        where = re.sub(r"[?#].*", "", answer.headers.get("location", "nowhere"))
        text = f"The org redirects to {where}. No session is sent there; give the client that instance URL if it is right"
    return kind(text, answer.facts(code, message), retry_after_seconds=_retry_after(answer))


def describe(answer: Answer) -> str:
    """Say what a body that was not expected looks like, without quoting records."""
    body = answer.body[:4_096].lstrip()
    what = f"{answer.media_type or 'untyped'} body" + ("" if answer.stream else f" of {len(answer.body)} bytes")
    if not body and not answer.stream:
        return "an empty body"
    if body[:1] == b"<" and (title := re.search(rb"<title[^>]*>([^<]{1,120})", body, re.IGNORECASE)):
        what += f", a page titled {title[1].decode('utf-8', 'replace').strip()!r}"
    return f"{what}; something between here and the org (a proxy, a gateway, maintenance) may have spoken"


def _document(answer: Answer) -> tuple[str | None, str | None]:
    try:
        if answer.body.lstrip()[:1] in {b"{", b"["}:
            return wire_json.error(answer)
        return wire_xml.error(answer)
    except ProtocolError:
        return None, None


def _retry_after(answer: Answer) -> float | None:
    value = answer.headers.get("retry-after", "")
    # The other form, a date, would need a clock, and no gateway in front of this API is known to send it.
    return float(value) if value.isascii() and value.isdigit() else None
