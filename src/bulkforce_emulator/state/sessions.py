"""Who may sign in: the org's one user, its connected app and the open sessions. No HTTP here.

What an administrator can choose in a real org is a field of `SignIn`.
"""

from __future__ import annotations

import random
import string
import threading
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from bulkforce_emulator.ids import IdSource, to_18

if TYPE_CHECKING:
    from datetime import datetime

    from bulkforce_emulator.state.clock import Clock

_TOKEN_CHARACTERS = string.ascii_letters + string.digits + "._"
_CODE_LIFE = timedelta(minutes=15)
_DEVICE_LIFE = timedelta(minutes=10)


@dataclass
class SignIn:
    """The org's rules for signing in; they may be changed while it runs."""

    #: A session ends when it has not been used for this long (15 minutes to 24 hours in a real org).
    session_seconds: int = 7200
    #: Whether a refresh token works only once; the answer has the next one.
    rotate_refresh_tokens: bool = False
    #: Whether the web server and refresh flows need the client secret. A wrong one is refused in any case.
    secret_required: bool = False
    #: Whether the username-password flow works; newer orgs block it.
    password_flow: bool = True
    #: Whether authorization needs a PKCE challenge, as External Client Apps do by default.
    pkce_required: bool = False
    #: Whether the device flow works; it does not for apps that are not installed in the org.
    device_flow: bool = True
    #: Seconds that a device is told to wait between two questions.
    device_interval: int = 5
    #: Whether the app has a run-as user, which client credentials need.
    run_as_user: bool = True
    #: Whether SOAP login() works; it is off by default in orgs made from Winter '26 on.
    soap_login: bool = True
    #: What authorization ends with: a code; the user's refusal; or, for an app that is not installed, an error that the
    #: browser brings back, or a page that it shows and nothing brought back.
    authorization: Literal["code", "denied", "not installed", "page"] = "code"
    #: The last version with SOAP login(), which is gone from API 65.0 on. None: all have it, for old clients.
    soap_newest_version: float | None = None


@dataclass(frozen=True, slots=True)
class AuthorizationCode:
    """What an authorization code of the web server flow stands for."""

    redirect_uri: str
    scope: str
    code_challenge: str | None
    expires: datetime


@dataclass(frozen=True, slots=True)
class KnownToken:
    """A valid token: a session has both times, a refresh token has neither."""

    scope: str
    opened: datetime | None = None
    ends: datetime | None = None


@dataclass
class Device:
    """A device that waits for its user's approval."""

    user_code: str
    scope: str
    expires: datetime
    approved: bool = False


@dataclass
class _Session:
    used: datetime
    opened: datetime
    scope: str
    refresh_token: str | None = None


@dataclass
class _State:
    sessions: dict[str, _Session] = field(default_factory=dict)
    refresh_tokens: dict[str, str] = field(default_factory=dict)  # token: scope
    successors: dict[str, str] = field(
        default_factory=dict
    )  # a refresh token that was used: the one that came after it
    devices: dict[str, Device] = field(default_factory=dict)  # by device code
    codes: dict[str, AuthorizationCode] = field(default_factory=dict)


class Sessions:
    """The org's user, its connected app and its open sessions.

    Attributes:
        certificates: Public keys or certificates (PEM) of the connected app; without any, the signature of a
            JWT assertion is not checked.
    """

    full_scope = "id api refresh_token"

    def __init__(self, clock: Clock, ids: IdSource, *, seed: int = 0, session_id: str | None = None) -> None:
        self._clock = clock
        self._random = random.Random(f"sessions {seed}")  # noqa: S311 - the same secrets for the same seed, on purpose
        self._lock = threading.Lock()
        self._state = _State()
        self.rules = SignIn()
        self.org_id = ids.one("00D")
        if session_id is not None and "!" in session_id and session_id.startswith("00D"):
            self.org_id = to_18(session_id.partition("!")[0])
        self.user_id = ids.one("005")
        self.username = "admin@emulator.example"
        self.password = "emulator-1"  # noqa: S105 - opens nothing but this org
        self.security_token = self._letters(24)
        self.client_id = f"3MVG9{self._letters(80)}"
        self.client_secret = self._letters(64, string.digits + "ABCDEF")
        self.refresh_token = self.new_refresh_token(self.full_scope)
        self.certificates: list[str] = []
        self.first_token = self.open(token=session_id)

    def register_certificate(self, pem: str) -> None:
        """Check the signatures of JWT assertions with this certificate or public key as well."""
        self.certificates.append(pem)

    # Sessions

    def open(self, *, token: str | None = None, scope: str = full_scope, refresh_token: str | None = None) -> str:
        """Open a session and return its id, which is also the access token."""
        now = self._clock.now()
        with self._lock:
            token = token or f"{self.org_id[:15]}!AQ{self._letters(94, _TOKEN_CHARACTERS)}"
            self._state.sessions[token] = _Session(now, now, scope, refresh_token)
        return token

    def is_valid(self, token: str | None) -> bool:
        """Whether the session is open; asking keeps it open."""
        now = self._clock.now()
        with self._lock:
            session = self._state.sessions.get(token or "")
            if session is None or (now - session.used).total_seconds() >= self.rules.session_seconds:
                return False
            session.used = now
            return True

    def expire(self, token: str) -> bool:
        """End a session; return whether it was open."""
        with self._lock:
            return self._state.sessions.pop(token, None) is not None

    def expire_all(self) -> None:
        """End every session. Refresh tokens stay valid."""
        with self._lock:
            self._state.sessions.clear()

    def describe(self, token: str) -> KnownToken | None:
        """What is known about a token; None if it is not valid."""
        with self._lock:
            if token in self._state.refresh_tokens:
                return KnownToken(self._state.refresh_tokens[token])
        if not self.is_valid(token):
            return None
        with self._lock:
            session = self._state.sessions[token]
            ends = session.used + timedelta(seconds=self.rules.session_seconds)
            return KnownToken(session.scope, session.opened, ends)

    # Refresh tokens

    def new_refresh_token(self, scope: str) -> str:
        """Make another refresh token."""
        with self._lock:
            token = f"5Aep{self._letters(82, _TOKEN_CHARACTERS)}"
            self._state.refresh_tokens[token] = scope
        return token

    def use_refresh_token(self, token: str) -> tuple[str, str | None] | None:
        """The scope of a valid refresh token and, if tokens rotate, its successor; this one is then invalid.

        Using it once more then revokes its successor, too, with the sessions opened by any of them.
        """
        if token in self._state.successors:
            self._punish(token)
            return None
        with self._lock:
            if not self.rules.rotate_refresh_tokens or token not in self._state.refresh_tokens:
                scope = self._state.refresh_tokens.get(token)
                return None if scope is None else (scope, None)
            scope = self._state.refresh_tokens.pop(token)
        successor = self.new_refresh_token(scope)
        self._state.successors[token] = successor
        if token == self.refresh_token:
            self.refresh_token = successor
        return scope, successor

    def revoke(self, token: str) -> bool:
        """End a session, or a refresh token with the sessions opened by it."""
        with self._lock:
            if self._state.refresh_tokens.pop(token, None) is None:
                return self._state.sessions.pop(token, None) is not None
            for name in [name for name, s in self._state.sessions.items() if s.refresh_token == token]:
                del self._state.sessions[name]
            return True

    def _punish(self, token: str) -> None:
        while token in self._state.successors:
            with self._lock:
                for name in [name for name, one in self._state.sessions.items() if one.refresh_token == token]:
                    del self._state.sessions[name]
            token = self._state.successors[token]
        self.revoke(token)

    # Devices

    def new_device(self, scope: str) -> tuple[str, str]:
        """Begin the device flow: the device's code, and the one that its user types."""
        with self._lock:
            device_code, user_code = self._letters(40), self._letters(8, string.ascii_uppercase + string.digits)
            self._state.devices[device_code] = Device(user_code, scope, self._clock.now() + _DEVICE_LIFE)
        return device_code, user_code

    def approve_device(self, user_code: str) -> bool:
        """Approve the device that shows this code, as its user does; return whether there is one."""
        with self._lock:
            found = [device for device in self._state.devices.values() if device.user_code == user_code]
            for device in found:
                device.approved = True
            return bool(found)

    def use_device(self, device_code: str) -> Device | None:
        """The device with this code, or ``None`` if it is unknown or has expired; once approved, it is used up."""
        with self._lock:
            device = self._state.devices.get(device_code)
            if device is not None and (device.approved or device.expires <= self._clock.now()):
                del self._state.devices[device_code]
        return device if device is not None and device.expires > self._clock.now() else None

    # Passwords and codes

    def is_password(self, username: str, password: str) -> bool:
        """Whether this signs the user in; the security token may follow the password."""
        return username == self.username and password in (self.password, self.password + self.security_token)

    def new_code(self, redirect_uri: str, scope: str, code_challenge: str | None) -> str:
        """An authorization code for the web server flow, valid once and for 15 minutes."""
        expires = self._clock.now() + _CODE_LIFE
        with self._lock:
            code = f"aPrx{self._letters(60, _TOKEN_CHARACTERS)}"
            self._state.codes[code] = AuthorizationCode(redirect_uri, scope, code_challenge, expires)
        return code

    def use_code(self, code: str) -> AuthorizationCode | None:
        """What the code stands for; None if it is unknown, used or expired."""
        with self._lock:
            promised = self._state.codes.pop(code, None)
        return promised if promised is not None and promised.expires > self._clock.now() else None

    def _letters(self, count: int, alphabet: str = string.ascii_letters + string.digits) -> str:
        return "".join(self._random.choices(alphabet, k=count))
