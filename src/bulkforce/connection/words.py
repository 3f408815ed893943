"""What a login consists of, whatever names it goes by, and the auth that it makes."""

from __future__ import annotations

import base64
import binascii
import logging
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from bulkforce import arguments, hosts
from bulkforce.auth.oauth import TOKEN_PATH, ClientCredentials, JWTBearer, RefreshToken
from bulkforce.auth.soap import UsernamePassword
from bulkforce.auth.token import BearerToken
from bulkforce.connection.found import Found
from bulkforce.connection.variables import Value, named, read_secret
from bulkforce.errors import UsageError
from bulkforce.protocol.flow import Auth


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """The parts of a login, each with the name it goes by."""

    url: Value | None = None
    login_url: Value | None = None
    token: Value | None = None
    client_id: Value | None = None
    client_secret: Value | None = None
    refresh_token: Value | None = None
    username: Value | None = None
    password: Value | None = None
    security_token: Value | None = None
    private_key: Value | None = None

    @property
    def is_login(self) -> bool:
        """Whether these mean an org: an app's id and secret alone belong to none."""
        of_user = (self.refresh_token, self.private_key, self.username, self.password)
        return any((self.url, self.token, *of_user, self._of_app_at_its_org))

    @property
    def says_who(self) -> bool:
        """Whether there is enough to log in."""
        of_app = self.refresh_token or self.client_secret or (self.private_key and self.username)
        return bool(self.token or (self.client_id and of_app) or (self.username and self.password))

    @property
    def says_where(self) -> bool:
        """Whether it is clear where the org is, or where to ask; users are known at ``login.salesforce.com``."""
        by_user = self.username and (self.password or self.private_key)
        at_login = by_user or (self.login_url and self.refresh_token) or self._of_app_at_its_org
        return bool(self.url or (not self.token and at_login))

    @property
    def _of_app_at_its_org(self) -> bool:
        """Whether an app logs in at the org's own host, which simple-salesforce calls the domain: there the org is."""
        return bool(self.client_id and self.client_secret and self.login_url and not _is_for_all(self.login_url))


def found(words: Words, source: str, *, allow_http: bool, asked_for: bool = True) -> Found:
    """Make the way to log in that the words amount to.

    Raises:
        UsageError: A word is invalid; the message names it and holds no secret.
    """
    url = _url(words.url, allow_http=allow_http)
    login = _url(words.login_url, allow_http=allow_http)
    return Found(source, _auth(words, url, login), url or login, asked_for)


def pem(value: str) -> str:
    r"""Return a private key as PEM; in a variable it may have ``\n`` for line ends, or be base64.

    Raises:
        UsageError: It is neither.
    """
    if "-----BEGIN" not in value:
        try:
            value = base64.b64decode("".join(value.split()), validate=True).decode()
        except (binascii.Error, ValueError):
            value = ""
    if "-----BEGIN" not in value:
        raise UsageError("it is not a private key: PEM text that begins with -----BEGIN, or the same in base64")
    return value.replace("\\n", "\n")


def pem_of(file: str | Path) -> str:
    """Read a private key from a file.

    Raises:
        UsageError: There is none; the message names the file.
    """
    content = read_secret(file)
    try:
        return pem(content)
    except UsageError as error:
        reason = str(error)
    # Outside the handler: what is chained to it could hold the content.
    raise UsageError(f"The file {arguments.shown(str(file))} cannot be used: {reason}")


def jwt(client_id: str, username: str, key: str, url: str | None, audience: str | None = None) -> JWTBearer:
    """Make the auth for a signed assertion: for a sandbox its audience differs, and the org's own host is best."""
    token_url = None if url is None or hosts.is_login(url) else url + TOKEN_PATH
    return JWTBearer(client_id, username, key, audience or hosts.login_url(url), token_url)


def _auth(words: Words, url: str | None, login: str | None) -> Auth:
    if words.token:
        with named(words.token.name):
            return BearerToken(words.token.text)
    client_id, secret = _text(words.client_id), _text(words.client_secret)
    if client_id and words.refresh_token:
        refresh_url = None if login is None else login + TOKEN_PATH
        return RefreshToken(
            client_id, secret, words.refresh_token.text, refresh_url, partial(_warn, words.refresh_token)
        )
    if client_id and words.private_key and words.username:
        with named(words.private_key.name):
            return jwt(client_id, words.username.text, pem(words.private_key.text), login or url)
    if words.username and words.password:
        password = UsernamePassword(words.username.text, words.password.text, _text(words.security_token), login)
        # An id alone may be there for other logins.
        return replace(password, client_id=client_id, client_secret=secret) if client_id and secret else password
    return ClientCredentials(client_id, secret)


def _warn(word: Value, _: str) -> None:
    """Warn that a variable holds a refresh token that is dead: there is no way to write the new one back."""
    logging.getLogger("bulkforce").warning(
        "The org has replaced the refresh token of %s, which no longer works; only this process knows the new one. "
        "Log in with `bulkforce login NAME`, which keeps the newest, or switch rotation off in the app",
        word.name,
    )


def _url(word: Value | None, *, allow_http: bool) -> str | None:
    if word is None:
        return None
    with named(word.name):
        return hosts.instance_url(word.text, "it", allow_http=allow_http)


def _is_for_all(login_url: Value) -> bool:
    """Whether users of any org log in there; of a host that is none, `found` says so."""
    try:
        return hosts.is_login(hosts.instance_url(login_url.text, allow_http=True))
    except UsageError:
        return False


def _text(word: Value | None) -> str:
    return word.text if word else ""
