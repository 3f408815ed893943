"""OAuth 2.0: the flows that need no browser.

Sources: Salesforce's help pages on the flows, and how clients in production send the token request. Answers have no
``expires_in``, so a session is used until the org refuses it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlencode

from bulkforce import arguments, hosts
from bulkforce.auth.refusals import advice
from bulkforce.errors import Error, MissingExtra, NotAuthenticated, ProtocolError, UsageError
from bulkforce.protocol import limits, wire_json
from bulkforce.protocol.exchange import SUCCESS, Answer, Body, Request
from bulkforce.protocol.faults import describe, stranger
from bulkforce.protocol.flow import Credentials, Flow, Now, is_token, seconds, send

_SECRETS: Final = frozenset(
    {"client_secret", "refresh_token", "password", "assertion", "code", "code_verifier", "device_code"}
)
TOKEN_PATH: Final = "/services/oauth2/token"  # noqa: S105  (a path)


@dataclass(slots=True)
class RefreshToken:
    """OAuth refresh token: long-lived, and renews the session automatically.

    Attributes:
        client_id: Consumer key of the connected app.
        client_secret: Its consumer secret; empty if the app needs none.
        refresh_token: The refresh token. If the org rotates refresh tokens, it is replaced at each use.
        refresh_url: Token endpoint; by default on the client's instance URL, or on ``https://login.salesforce.com``.
        on_rotation: Called with the new refresh token whenever the org replaces it, so that you can store it.
    """

    client_id: str
    client_secret: str = field(repr=False)
    refresh_token: str = field(repr=False)
    refresh_url: str | None = None
    on_rotation: Callable[[str], None] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        arguments.secrets(client_id=self.client_id, client_secret=self.client_secret, refresh_token=self.refresh_token)
        arguments.urls(refresh_url=self.refresh_url)
        if self.on_rotation is not None and not callable(self.on_rotation):
            raise UsageError(
                "The auth's on_rotation must be a function that takes the new refresh token, not "
                f"{type(self.on_rotation).__name__}"
            )

    def credentials(self, instance_url: str | None, stale: Credentials | None) -> Flow[Credentials]:  # noqa: ARG002
        """Trade the refresh token for an access token; see `Auth`."""
        form = {"grant_type": "refresh_token", "refresh_token": self.refresh_token, "client_id": self.client_id}
        if self.client_secret:
            form["client_secret"] = self.client_secret
        granted = yield from request_token(self.refresh_url or (instance_url or limits.LOGIN_URL) + TOKEN_PATH, form)
        if granted.refresh_token and granted.refresh_token != self.refresh_token:
            # The old one no longer works.
            self.refresh_token = granted.refresh_token
            if self.on_rotation:
                self.on_rotation(granted.refresh_token)
        return granted.credentials(instance_url)


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """OAuth client credentials: the app logs in as its own run-as user, on the org's My Domain host.

    Attributes:
        client_id: Consumer key of the connected app.
        client_secret: Its consumer secret.
        token_url: Token endpoint; by default on the client's instance URL.
    """

    client_id: str
    client_secret: str = field(repr=False)
    token_url: str | None = None

    def __post_init__(self) -> None:
        arguments.secrets(client_id=self.client_id, client_secret=self.client_secret)
        arguments.urls(token_url=self.token_url)

    def credentials(self, instance_url: str | None, stale: Credentials | None) -> Flow[Credentials]:  # noqa: ARG002
        """Trade id and secret for an access token; see `Auth`."""
        if self.token_url is None and (instance_url is None or hosts.is_login(instance_url)):
            raise UsageError(
                "Client credentials work only on the org's own host: give its instance URL, such as "
                "https://acme.my.salesforce.com (Setup, My Domain)"
            )
        form = {"grant_type": "client_credentials", "client_id": self.client_id, "client_secret": self.client_secret}
        return (yield from request_token(self.token_url or str(instance_url) + TOKEN_PATH, form)).credentials(
            instance_url
        )


@dataclass(frozen=True, slots=True)
class JWTBearer:
    """OAuth JWT bearer: a signed assertion, no secret on the wire. Needs the extra ``jwt``.

    Attributes:
        client_id: Consumer key of the connected app.
        username: The user to log in as.
        private_key: PEM private key whose certificate is registered with the app.
        audience: ``https://login.salesforce.com`` or ``https://test.salesforce.com``.
        token_url: Token endpoint; by default on the audience's host.
    """

    client_id: str
    username: str
    private_key: str | bytes = field(repr=False)
    audience: str = limits.LOGIN_URL
    token_url: str | None = None

    def __post_init__(self) -> None:
        key = self.private_key
        if not isinstance(key, (str, bytes)):
            raise UsageError(
                f"The auth's private_key must be PEM text that begins with -----BEGIN, not {type(key).__name__}"
            )
        arguments.secrets(
            client_id=self.client_id, username=self.username, private_key="" if isinstance(key, bytes) else key
        )
        arguments.urls(audience=arguments.secret(self.audience, "The auth's audience"), token_url=self.token_url)

    def credentials(self, instance_url: str | None, stale: Credentials | None) -> Flow[Credentials]:  # noqa: ARG002
        """Sign an assertion and trade it for an access token; see `Auth`."""
        try:
            import jwt
        except ImportError as error:
            raise MissingExtra("jwt", "Logging in with a JWT") from error
        now = yield from seconds(Now())
        # The org rejects assertions that are valid for more than three minutes.
        claims = {"iss": self.client_id, "sub": self.username, "aud": self.audience, "exp": int(now) + 170}
        try:
            assertion = jwt.encode(claims, self.private_key, algorithm="RS256")
        except (ValueError, TypeError, jwt.PyJWTError) as error:
            raise UsageError(
                "The private key cannot be read; it must be PEM text that begins with -----BEGIN"
            ) from error
        form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": assertion}
        return (yield from request_token(self.token_url or self.audience + TOKEN_PATH, form)).credentials(instance_url)


@dataclass(frozen=True, slots=True)
class Granted:
    """The org's answer to a login.

    Attributes:
        access_token: The session.
        instance_url: The org's URL.
        refresh_token: A refresh token, or empty.
    """

    access_token: str = field(repr=False)
    instance_url: str
    refresh_token: str = field(repr=False)

    @classmethod
    def read(cls, answer: Answer) -> Granted:
        """Read an answer.

        Raises:
            ProtocolError: It has no token.
        """
        try:
            document = wire_json.value_of(answer)
        except ProtocolError:
            document = None
        members = document if isinstance(document, dict) else {}
        texts = [members.get(name) or "" for name in ("access_token", "instance_url", "refresh_token")]
        if not all(isinstance(text, str) for text in texts) or not is_token(texts[0]):
            raise ProtocolError(f"The answer to the login has no access token: {describe(answer)}", answer.facts())
        return cls(*texts)

    def credentials(self, instance_url: str | None) -> Credentials:
        """Return what requests need; the client's URL counts, unless it is only a login host."""
        own = None if hosts.is_login(instance_url) else instance_url
        return Credentials((own or self.instance_url or limits.LOGIN_URL).rstrip("/"), self.access_token)


def answer_of(url: str, form: dict[str, str]) -> Flow[Answer]:
    """Send a form to the token endpoint."""
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    answer = yield from send(Request("POST", url, headers, Body.of(urlencode(form).encode())))
    return answer.without(*(value for name, value in form.items() if name in _SECRETS))


def request_token(url: str, form: dict[str, str]) -> Flow[Granted]:
    """Ask for a token.

    Raises:
        NotAuthenticated: The org refused.
        ProtocolError: The answer makes no sense.
    """
    answer = yield from answer_of(url, form)
    if answer.status not in SUCCESS:
        now = yield from seconds(Now())
        raise refused(answer, now)
    return Granted.read(answer)


def refused(answer: Answer, now: float) -> Error:
    """Return the error for a refused login, which says what to do."""
    try:
        word = wire_json.oauth_error(answer)
    except ProtocolError:
        word = None
    if word is None or answer.status >= 500:
        return stranger(answer, now, "The answer to the login did not come from the org")
    text = f"The login was refused: {word[0]}: {word[1]} ({advice(*word)})"
    return NotAuthenticated(text, answer.facts(*word))
