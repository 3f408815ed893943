"""OAuth 2.0: the flows that need no browser.

Sources: help pages of the flows, and clients in production (reference of the token request). Answers have no ``expires_in``: a session
is used until the org refuses it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlencode

import orjson

from bulkforce.errors import MissingExtra, NotAuthenticated, ProtocolError, Unavailable, UsageError
from bulkforce.protocol import limits
from bulkforce.protocol.exchange import Answer, Body, Request
from bulkforce.protocol.faults import describe, refusal
from bulkforce.protocol.flow import Credentials, Flow, Now, seconds, send

_TOKEN_PATH = "/services/oauth2/token"  # noqa: S105  (a path)


@dataclass(slots=True)
class RefreshToken:
    """OAuth refresh token: long-lived, renews the session by itself.

    Attributes:
        client_id: Consumer key of the connected app.
        client_secret: Its secret; empty if the app needs none.
        refresh_token: The refresh token. With rotation switched on in the org it is replaced at each use.
        refresh_url: Token endpoint; by default that of the client's instance URL, or of ``https://login.salesforce.com``.
        on_rotation: Called with the new refresh token when the org has replaced it, so that you can store it.
    """

    client_id: str
    client_secret: str = field(repr=False)
    refresh_token: str = field(repr=False)
    refresh_url: str | None = None
    on_rotation: Callable[[str], None] | None = field(default=None, repr=False)

    def credentials(self, instance_url: str | None, stale: Credentials | None) -> Flow[Credentials]:  # noqa: ARG002
        """Trade the refresh token for an access token; see `Auth`."""
        form = {"grant_type": "refresh_token", "refresh_token": self.refresh_token, "client_id": self.client_id}
        if self.client_secret:
            form["client_secret"] = self.client_secret
        document = yield from _token(self.refresh_url or (instance_url or limits.LOGIN_URL) + _TOKEN_PATH, form)
        rotated = document.get("refresh_token")
        if rotated and rotated != self.refresh_token:
            # The old one is dead from now on.
            self.refresh_token = rotated
            if self.on_rotation:
                self.on_rotation(rotated)
        return _credentials(document, instance_url)


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """OAuth client credentials: the app logs in as its own run-as user, on the org's My Domain host.

    Attributes:
        client_id: Consumer key of the connected app.
        client_secret: Its secret.
        token_url: Token endpoint; by default that of the client's instance URL.
    """

    client_id: str
    client_secret: str = field(repr=False)
    token_url: str | None = None

    def credentials(self, instance_url: str | None, stale: Credentials | None) -> Flow[Credentials]:  # noqa: ARG002
        """Trade id and secret for an access token; see `Auth`."""
        if instance_url is None and self.token_url is None:
            raise UsageError("Client credentials work on the org's own host: give the client its instance URL")
        form = {"grant_type": "client_credentials", "client_id": self.client_id, "client_secret": self.client_secret}
        document = yield from _token(self.token_url or str(instance_url) + _TOKEN_PATH, form)
        return _credentials(document, instance_url)


@dataclass(frozen=True, slots=True)
class JWTBearer:
    """OAuth JWT bearer: a signed assertion, no secret on the wire. Needs the extra ``jwt``.

    Attributes:
        client_id: Consumer key of the connected app.
        username: The user to log in as.
        private_key: Private key in PEM whose certificate is registered with the app.
        audience: ``https://login.salesforce.com`` or ``https://test.salesforce.com``.
        token_url: Token endpoint; by default the audience's.
    """

    client_id: str
    username: str
    private_key: str | bytes = field(repr=False)
    audience: str = limits.LOGIN_URL
    token_url: str | None = None

    def credentials(self, instance_url: str | None, stale: Credentials | None) -> Flow[Credentials]:  # noqa: ARG002
        """Sign an assertion and trade it for an access token; see `Auth`."""
        try:
            import jwt
        except ImportError as error:
            raise MissingExtra("jwt", "Logging in with a JWT") from error
        now = yield from seconds(Now())
        # The org takes no assertion that lives longer than three minutes.
        claims = {"iss": self.client_id, "sub": self.username, "aud": self.audience, "exp": int(now) + 170}
        try:
            assertion = jwt.encode(claims, self.private_key, algorithm="RS256")
        except (ValueError, TypeError, jwt.PyJWTError) as error:
            raise UsageError("The private key cannot be read; it is a PEM text that begins with -----BEGIN") from error
        form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": assertion}
        document = yield from _token(self.token_url or self.audience + _TOKEN_PATH, form)
        return _credentials(document, instance_url)


def _token(url: str, form: dict[str, str]) -> Flow[dict[str, str]]:
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    answer = yield from send(Request("POST", url, headers, Body.of(urlencode(form).encode())))
    if answer.status >= 300:
        raise _refused(answer)
    try:
        document = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        document = None
    if not isinstance(document, dict) or not document.get("access_token"):
        raise ProtocolError(f"The login's answer holds no access token: {describe(answer)}", answer.facts())
    return document


def _refused(answer: Answer) -> Exception:
    fault = refusal(answer)
    if isinstance(fault, Unavailable):
        return fault
    if fault.code is None:
        return NotAuthenticated(f"The login was refused with HTTP {answer.status}: {describe(answer)}", answer.facts())
    text = f"The login was refused: {fault.code}: {fault.message} (check the client id, the secret, the user and the login host)"
    return NotAuthenticated(text, fault.facts)


def _credentials(document: dict[str, str], instance_url: str | None) -> Credentials:
    return Credentials((instance_url or document.get("instance_url") or limits.LOGIN_URL).rstrip("/"), document["access_token"])
