"""The secrets of stored logins: in the system's keyring where there is one, else in a file that only the user may read.

If both hold something, the file counts: it is written where the keyring failed, so it is newer.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypedDict

import orjson

from bulkforce.connection import profiles
from bulkforce.errors import Error

if TYPE_CHECKING:
    from types import ModuleType

_SERVICE: Final = "bulkforce"


class Secrets(TypedDict, total=False):
    """What a login keeps secret.

    Attributes:
        refresh_token: The newest refresh token.
        client_secret: The app's secret.
        password: The user's password.
        security_token: The user's security token.
        access_token: The session, for as long as the org accepts it.
        instance_url: Where it is valid.
        since: When it was obtained, in seconds since 1970.
    """

    refresh_token: str
    client_secret: str
    password: str
    security_token: str
    access_token: str
    instance_url: str
    since: float


def read(name: str) -> Secrets:
    """Read the secrets of a login.

    Raises:
        Error: There are none, or they cannot be read.
    """
    path = _path(name)
    try:
        text: str | bytes | None = profiles.content_of(path) if os.path.lexists(path) else _of_keyring(name)
        members = orjson.loads(text) if text else None
    except (OSError, ValueError):
        members = None
    if not isinstance(members, dict):
        raise Error(
            f"The secrets of the login {name} are neither in the keyring nor in {path}; log in again: "
            f"bulkforce login {name}"
        )
    return Secrets(**members)  # type: ignore[typeddict-item]


def write_new(name: str, secrets: Secrets) -> str:
    """Store the secrets of a new login.

    Returns:
        Where they are, in words.
    """
    remove(name)
    if _into_keyring(name, secrets):
        return "the system's keyring"
    profiles.write_private(_path(name), secrets)
    why = "no keyring is available" if _keyring() else "without the extra bulkforce[keyring]"
    return f"{_path(name)}, which only you may read ({why})"


def write(name: str, secrets: Secrets) -> None:
    """Store changed secrets where the login keeps them; into the file if the keyring no longer takes them."""
    if _path(name).exists() or not _into_keyring(name, secrets):
        profiles.write_private(_path(name), secrets)


def remove(name: str) -> None:
    """Forget the secrets of a login."""
    keyring = _keyring()
    if keyring is not None:
        with suppress(Exception):  # backends raise errors of their own; there may be no entry
            keyring.delete_password(_SERVICE, name)
    _path(name).unlink(missing_ok=True)


def _path(name: str) -> Path:
    return profiles.folder() / "secrets" / f"{name}.json"


def _keyring() -> ModuleType | None:
    try:
        import keyring
    except ImportError:
        return None
    return keyring


def _of_keyring(name: str) -> str | None:
    keyring = _keyring()
    if keyring is None:
        return None
    fault = ""
    try:
        return keyring.get_password(_SERVICE, name)  # type: ignore[no-any-return]
    except Exception as error:  # noqa: BLE001  (each backend raises errors of its own)
        fault = type(error).__name__
    raise Error(
        f"The keyring does not give out the secrets of the login {name} ({fault}), and they are not in {_path(name)}; "
        f"unlock it and try again, or log in again: bulkforce login {name}"
    )


def _into_keyring(name: str, secrets: Secrets) -> bool:
    """Store secrets in the keyring; return whether it really holds them, since some backends drop them silently."""
    keyring = _keyring()
    text = orjson.dumps(secrets).decode()
    if keyring is None:
        return False
    try:
        keyring.set_password(_SERVICE, name, text)
        return bool(keyring.get_password(_SERVICE, name) == text)
    except Exception:  # noqa: BLE001  (each backend raises errors of its own)
        return False
