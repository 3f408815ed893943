"""Logging in and storing the login; logging out and forgetting it."""

from __future__ import annotations

import secrets as chance
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TypeVar
from urllib.parse import urlencode

from bulkforce import hosts
from bulkforce.auth import approval
from bulkforce.auth.oauth import Granted
from bulkforce.auth.token import BearerToken
from bulkforce.client import Client
from bulkforce.connection import browser, profiles, secret_store
from bulkforce.connection.found import Found, Options
from bulkforce.connection.profiles import Profile
from bulkforce.connection.secret_store import Secrets
from bulkforce.connection.stored import StoredLogin
from bulkforce.errors import Error
from bulkforce.protocol import rest
from bulkforce.protocol.exchange import Body, Request
from bulkforce.protocol.flow import Flow, ask, send

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """What came of a login.

    Attributes:
        profile: The stored login.
        place: Where its secrets are, in words.
        is_default: Whether it is the default.
    """

    profile: Profile
    place: str
    is_default: bool


def by_browser(
    profile: Profile,
    client_secret: str,
    options: Options,
    *,
    callback: str,
    seconds: float,
    show: Callable[[str], None],
) -> tuple[Profile, Secrets]:
    """Log in with the browser on this machine.

    Args:
        profile: The login, with the host to log in at as its URL.
        client_secret: The app's secret; empty for a public client.
        options: What applies to the connection.
        callback: The callback that is registered with the app.
        seconds: How long to wait for the browser.
        show: Opens the address that it is given, or shows it to the user.
    """
    host = profile.login_url or profile.instance_url
    state, verifier = chance.token_urlsafe(24), chance.token_urlsafe(64)
    asked = approval.Request(host, profile.client_id, callback, state, verifier)
    with browser.listening(callback, state) as brought:
        show(asked.url)
        code = approval.code_of(browser.wait(brought, callback, seconds), callback)
    granted = _run(approval.trade(asked, code, client_secret), host, options)
    return _approved(profile, granted, client_secret)


def by_device(profile: Profile, options: Options, show: Callable[[str, str], None]) -> tuple[Profile, Secrets]:
    """Log in with a browser anywhere: ``show`` gets the address and the code to type there."""
    host = profile.login_url or profile.instance_url
    return _approved(profile, _run(approval.by_device(host, profile.client_id, show), host, options), "")


def store(profile: Profile, secrets: Secrets, options: Options, *, as_default: bool) -> LoggedIn:
    """Try a login and store it.

    Raises:
        Error: The org refuses it, and nothing is stored; or it cannot be stored.
    """
    before = profiles.read(profile.name) if profile.name in profiles.names() else None
    kept = secret_store.read(profile.name) if before else None
    with profiles.locked(profile.name):
        place = secret_store.write_new(profile.name, secrets)
    try:
        with Found("", StoredLogin(profile, on_trial=True), profile.instance_url).client(options) as client:
            profile = _completed(profile, client)
    except BaseException:
        if kept is None:
            secret_store.remove(profile.name)
        else:
            secret_store.write_new(profile.name, kept)
        raise
    profiles.write(profile)
    if as_default or profiles.default() is None:
        profiles.set_default(profile.name)
    return LoggedIn(profile, place, profiles.default() == profile.name)


def log_out(name: str, options: Options) -> str:
    """Forget a login, and end in the org what the login began there; a token that was handed in is left alone.

    Returns:
        What could not be done in the org, in words; empty if nothing.
    """
    profile = profiles.read(name)
    if profile is None:
        return ""
    with profiles.locked(name):
        left = ""
        if profile.way != "access token":
            try:
                held = secret_store.read(name)
                token = held.get("refresh_token") or held.get("access_token")
                if token:
                    _run(_revoke(profile.login_url or profile.instance_url, token), profile.instance_url, options)
            except Error as error:
                left = error.text
        secret_store.remove(name)
        profiles.remove(name)
    return left


def _completed(profile: Profile, client: Client) -> Profile:
    """Add where the org is and who logged in, as far as the org says so."""
    driver = client.driver
    # Any request will do, as long as the org refuses it without a session.
    driver.run(ask(rest.key_prefixes()))
    if hosts.is_login(profile.instance_url):
        own = secret_store.read(profile.name).get("instance_url", profile.instance_url)
        profile = replace(profile, instance_url=own, login_url=profile.instance_url)
    with suppress(Error):
        who = driver.run(ask(rest.user_info()))
        profile = replace(profile, username=who.username or profile.username)
    return profile


def _approved(profile: Profile, granted: Granted, client_secret: str) -> tuple[Profile, Secrets]:
    host = profile.login_url or profile.instance_url
    url = granted.credentials(host).instance_url
    secrets = Secrets(access_token=granted.access_token, instance_url=url, since=time.time())
    if not granted.refresh_token:
        raise Error(
            "The org granted a session but no refresh token; add the scope refresh_token (perform requests at any "
            "time) to the app's OAuth settings and log in again"
        )
    secrets["refresh_token"] = granted.refresh_token
    if client_secret:
        secrets["client_secret"] = client_secret
    # Tokens are renewed where they were granted; an External Client App may be unknown at the general login hosts.
    return replace(profile, instance_url=url, login_url=None if hosts.is_login(host) else profile.login_url), secrets


def _revoke(host: str, token: str) -> Flow[None]:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    body = Body.of(urlencode({"token": token}).encode())
    answer = yield from send(Request("POST", f"{host}/services/oauth2/revoke", headers, body))
    if answer.status != 200:
        raise Error(f"The org did not revoke the token (HTTP {answer.status}); it may have ended already")


def _run(flow: Flow[T], host: str, options: Options) -> T:
    with Found("", BearerToken("none"), host).client(options) as client:
        return client.driver.run(flow)
