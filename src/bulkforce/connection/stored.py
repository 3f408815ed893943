"""The auth of a stored login: it shares its session and its newest refresh token with all other processes.

An org with rotation accepts each refresh token once, and revokes everything if an old one is used. So only one process
renews at a time, it reads the store again first, and what the org returns is stored before it is used.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Final

from bulkforce import hosts
from bulkforce.auth.oauth import TOKEN_PATH, ClientCredentials, RefreshToken
from bulkforce.auth.soap import UsernamePassword
from bulkforce.connection import profiles, secret_store
from bulkforce.connection.profiles import Profile
from bulkforce.connection.secret_store import Secrets
from bulkforce.connection.words import jwt, pem_of
from bulkforce.errors import NotAuthenticated
from bulkforce.protocol.flow import Auth, Credentials, Flow, Now, seconds

# The shortest session timeout that an org can set is 15 minutes; a younger session of another process is still good.
_YOUNG_SECONDS: Final = 600.0


@dataclass(frozen=True, slots=True)
class StoredLogin:
    """An auth that takes session and secrets from the store; see `bulkforce.protocol.flow.Auth`.

    Attributes:
        profile: The login.
        on_trial: Whether the user has just typed the login, and so need not be told how.
    """

    profile: Profile
    on_trial: bool = False

    def credentials(self, instance_url: str | None, stale: Credentials | None) -> Flow[Credentials]:
        """Take the stored session, or renew it; see `Auth`."""
        profile = self.profile
        url = instance_url or profile.instance_url
        with profiles.locked(profile.name):
            now = yield from seconds(Now())
            secrets = secret_store.read(profile.name)
            token = secrets.get("access_token", "")
            fresh = stale is None or now - secrets.get("since", 0.0) < _YOUNG_SECONDS
            if token and fresh and (stale is None or token != stale.access_token):
                return Credentials(secrets.get("instance_url", url) if hosts.is_login(url) else url, token)
            if profile.way == "access token":
                raise NotAuthenticated(
                    f"The session of {profile.name} has expired, and an access token alone cannot be renewed; store a "
                    f"new one: {_command(profile, secrets)}"
                )
            # If the store cannot be written, that must be known before the org replaces the refresh token.
            secret_store.write(profile.name, secrets)
            try:
                granted = yield from self._auth(secrets).credentials(url, stale)
            except NotAuthenticated as error:
                if self.on_trial:
                    raise
                again = NotAuthenticated(f"{error.text}. To log in again: {_command(profile, secrets)}", error.facts)
            else:
                secrets |= {"access_token": granted.access_token, "instance_url": granted.instance_url, "since": now}
                secret_store.write(profile.name, secrets)
                return granted
        raise again

    def _auth(self, secrets: Secrets) -> Auth:
        profile = self.profile
        secret = secrets.get("client_secret", "")
        match profile.way:
            case "jwt":
                key = pem_of(profile.key_file)
                return jwt(profile.client_id, profile.username, key, profile.login_url or profile.instance_url)
            case "client credentials":
                return ClientCredentials(profile.client_id, secret)
            case "password":
                password, token = secrets.get("password", ""), secrets.get("security_token", "")
                return UsernamePassword(
                    profile.username,
                    password,
                    token,
                    profile.login_url,
                    client_id=profile.client_id,
                    client_secret=secret,
                )
            case _:
                return RefreshToken(
                    profile.client_id,
                    secret,
                    secrets.get("refresh_token", ""),
                    None if profile.login_url is None else profile.login_url + TOKEN_PATH,
                    lambda token: self._keep(secrets, token),
                )

    def _keep(self, secrets: Secrets, refresh_token: str) -> None:
        secrets["refresh_token"] = refresh_token
        secret_store.write(self.profile.name, secrets)


def _command(profile: Profile, secrets: Secrets) -> str:
    """Return the command that logs in as before; no secret is in it."""
    words = ["bulkforce", "login", profile.name]
    match profile.way:
        case "browser":
            words += ["--client-secret"] if secrets.get("client_secret") else []
        case "jwt":
            words += ["--jwt", profile.key_file]
        case way:
            words += [f"--{way.replace(' ', '-')}"]
    words += ["--username", profile.username] if profile.way in {"jwt", "password"} else []
    words += ["--client-id", profile.client_id] if profile.client_id else []
    return shlex.join([*words, "--url", profile.login_url or profile.instance_url])
