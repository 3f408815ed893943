"""The OAuth flows in which a person approves: in a browser on this machine (web server flow), or on any other (device
flow). Both end with a refresh token. Dry: opening the browser and listening for it is the caller's.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlencode

from bulkforce.auth.oauth import TOKEN_PATH, Granted, answer_of, refused, request_token
from bulkforce.auth.refusals import advice
from bulkforce.errors import Facts, NotAuthenticated, ProtocolError
from bulkforce.protocol import wire_json
from bulkforce.protocol.exchange import SUCCESS, Answer
from bulkforce.protocol.flow import Flow, Now, Sleep, seconds

SCOPE: Final = "api refresh_token id"
_INTERVAL_SECONDS: Final = 5.0
_LONGEST_SECONDS: Final = 900.0


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of the user's browser.

    Attributes:
        host: Where to log in.
        client_id: The app's consumer key.
        callback: Where the browser is sent back to; exactly as registered with the app.
        state: A random word that comes back, so that no other answer is taken for this one.
        verifier: The proof (PKCE) that whoever trades the code is whoever asked for it.
    """

    host: str
    client_id: str
    callback: str
    state: str = field(repr=False)
    verifier: str = field(repr=False)

    @property
    def url(self) -> str:
        """The address to open; it holds no secret."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        asked = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.callback,
            "scope": SCOPE,
            "state": self.state,
            "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
            "code_challenge_method": "S256",
            "prompt": "login",
        }
        return f"{self.host}/services/oauth2/authorize?{urlencode(asked)}"


def code_of(answer: Mapping[str, str], callback: str) -> str:
    """Read what the browser brought back.

    Raises:
        NotAuthenticated: The org refused, or the user did.
    """
    code = answer.get("code", "")
    if code and "error" not in answer:
        return code
    error, words = answer.get("error", "")[:80], answer.get("error_description", "")[:300]
    hint = advice(error, words)
    hint += f": {callback}" if error == "redirect_uri_mismatch" else ""
    said = ": ".join(filter(None, (error, words))) or "no code and no reason"
    raise NotAuthenticated(f"The login was refused: {said} ({hint})", Facts(code=error or None, message=words or None))


def trade(request: Request, code: str, client_secret: str) -> Flow[Granted]:
    """Trade the code from the browser for a session and a refresh token."""
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": request.callback,
        "client_id": request.client_id,
        "code_verifier": request.verifier,
    }
    if client_secret:
        form["client_secret"] = client_secret
    return (yield from request_token(request.host + TOKEN_PATH, form))


def by_device(host: str, client_id: str, show: Callable[[str, str], None]) -> Flow[Granted]:
    """Log in with any browser: show the user a code and where to type it, and wait.

    Args:
        host: Where to log in.
        client_id: The app's consumer key.
        show: Called with the address and the code for the user.

    Raises:
        NotAuthenticated: The org or the user refused, or the code was not typed in time.
    """
    url = host + TOKEN_PATH
    begun = yield from answer_of(url, {"response_type": "device_code", "client_id": client_id, "scope": SCOPE})
    if begun.status not in SUCCESS:
        now = yield from seconds(Now())
        raise refused(begun, now)
    members = _members(begun)
    device, code, page = (members.get(name) for name in ("device_code", "user_code", "verification_uri"))
    if not isinstance(device, str) or not isinstance(code, str) or not isinstance(page, str):
        raise ProtocolError("The org's answer has no code for the user", begun.facts())
    told = members.get("interval")
    interval = float(told) if isinstance(told, (int, float)) and 0 <= told < _LONGEST_SECONDS else _INTERVAL_SECONDS
    show(page, code)
    began = yield from seconds(Now())
    while True:
        yield Sleep(interval)
        form = {"grant_type": "device", "client_id": client_id, "code": device}
        answer = yield from answer_of(url, form)
        now = yield from seconds(Now())
        if answer.status in SUCCESS:
            return Granted.read(answer)
        fault = refused(answer, now)
        if fault.code == "slow_down":
            interval += _INTERVAL_SECONDS
        elif fault.code != "authorization_pending":
            raise fault
        if now - began > _LONGEST_SECONDS:
            minutes = f"{_LONGEST_SECONDS / 60:g} minutes"
            raise NotAuthenticated(f"The code {code} was not entered within {minutes}; log in again")


def _members(answer: Answer) -> Mapping[str, object]:
    try:
        value = wire_json.value_of(answer)
    except ProtocolError:
        value = None
    return value if isinstance(value, dict) else {}
