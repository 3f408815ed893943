"""Logins that were stored under a name, without their secrets: a small file for each, and which one is the default."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal, get_args

import orjson

from bulkforce import arguments
from bulkforce.errors import Error, UsageError
from bulkforce.run.files import make_folder, write_whole

Way = Literal["browser", "device", "jwt", "client credentials", "password", "access token"]
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}")
_PATIENCE_SECONDS: Final = 120.0
_LARGEST_BYTES: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A login.

    Attributes:
        name: What the user calls the org.
        way: How the user logged in.
        instance_url: The org's URL.
        login_url: Where to log in, if not there.
        client_id: The app's consumer key.
        username: The user.
        key_file: File with the private key.
    """

    name: str
    way: Way
    instance_url: str
    login_url: str | None = None
    client_id: str = ""
    username: str = ""
    key_file: str = ""


def folder() -> Path:
    """Return the folder of all this: ``BULKFORCE_CONFIG_DIR``, or ``bulkforce`` in the user's configuration folder."""
    from platformdirs import user_config_path

    named = os.environ.get("BULKFORCE_CONFIG_DIR")
    return Path(named) if named else user_config_path("bulkforce", appauthor=False)


def check_name(name: str) -> str:
    """Check the name of a login, which is also that of its file.

    Raises:
        UsageError: It cannot be one.
    """
    if not is_name(arguments.text(name, "The org's name")):
        raise UsageError(
            f"{arguments.shown(name)} cannot be an org's name: use up to 100 letters, digits and . _ @ + -, and begin "
            "with a letter or digit"
        )
    return name


def is_name(name: str) -> bool:
    """Return whether a login may have this name."""
    return _NAME.fullmatch(name) is not None


def names() -> list[str]:
    """List the stored logins."""
    return sorted(path.stem for path in (folder() / "orgs").glob("*.json") if is_name(path.stem))


def read(name: str) -> Profile | None:
    """Read a login; ``None`` if there is none of that name.

    Raises:
        Error: Its file is damaged.
    """
    path = _path(name)
    # A link that leads nowhere is a damaged file, and no missing one.
    if not is_name(name) or not os.path.lexists(path):
        return None
    try:
        members = orjson.loads(content_of(path))
        profile = Profile(**{**members, "name": name})
        arguments.url(profile.instance_url, allow_http=True)
        if profile.way in get_args(Way):
            return profile
    except (OSError, ValueError, TypeError):
        pass
    raise Error(f"The file {path} of the login {name} cannot be read; log in again: bulkforce login {name}")


def write(profile: Profile) -> None:
    """Store a login."""
    members = {name: value for name, value in asdict(profile).items() if value and name != "name"}
    write_private(_path(profile.name), members)


def remove(name: str) -> None:
    """Forget a login; if it was the default, there is none."""
    _path(name).unlink(missing_ok=True)
    if default() == name:
        (folder() / "default").unlink(missing_ok=True)


def default() -> str | None:
    """Return the name of the default login."""
    try:
        name = content_of(folder() / "default").decode().strip()
    except (OSError, ValueError):
        return None
    return name if is_name(name) and _path(name).exists() else None


def set_default(name: str) -> None:
    """Make a login the default."""
    make_folder(folder(), mode=0o700)
    write_whole(folder() / "default", name.encode(), mode=0o600)


@contextmanager
def locked(name: str, patience_seconds: float = _PATIENCE_SECONDS) -> Iterator[None]:
    """Hold the lock of a login, which only one process or thread can; the system frees it if the process dies.

    SQLite's lock, which is the same on all systems, on a file that stays empty.

    Raises:
        Error: Another process does not let go of it.
    """
    place = folder() / "locks"
    make_folder(place, mode=0o700)
    file = place / f"{name}.lock"
    with closing(
        sqlite3.connect(file, timeout=patience_seconds, isolation_level=None, check_same_thread=False)
    ) as lock:
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            raise Error(
                f"Another process has been renewing the session of {name} for {patience_seconds:g} s; wait for it to "
                "end, or end it, and try again"
            ) from error
        yield


def content_of(path: Path) -> bytes:
    """Read a file of ours, which is small.

    Raises:
        OSError: It cannot be read.
        ValueError: It is too large to be one.
    """
    with path.open("rb") as file:
        content = file.read(_LARGEST_BYTES + 1)
    if len(content) > _LARGEST_BYTES:
        raise ValueError
    return content


def write_private(path: Path, members: object) -> None:
    """Write a file that only the user may read.

    Raises:
        Error: It cannot be written.
    """
    try:
        make_folder(path.parent, mode=0o700)
        write_whole(path, orjson.dumps(members, option=orjson.OPT_INDENT_2), mode=0o600)
    except OSError as error:
        raise Error(f"{path} cannot be written: {error.strerror or type(error).__name__}") from error


def _path(name: str) -> Path:
    return folder() / "orgs" / f"{name}.json"
