"""`connect`: a client from the environment."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from bulkforce import arguments
from bulkforce.auth import BearerToken, ClientCredentials, RefreshToken
from bulkforce.client import Client
from bulkforce.errors import UsageError
from bulkforce.protocol import limits
from bulkforce.protocol.flow import Auth
from bulkforce.transport.base import TLS

_URL = "BULKFORCE_INSTANCE_URL"
_TOKEN = "BULKFORCE_ACCESS_TOKEN"  # noqa: S105  (a name)
_ID = "BULKFORCE_CLIENT_ID"
_SECRET = "BULKFORCE_CLIENT_SECRET"  # noqa: S105  (a name)
_REFRESH = "BULKFORCE_REFRESH_TOKEN"
_VERSION = "BULKFORCE_API_VERSION"
_CA_BUNDLE = "BULKFORCE_CA_BUNDLE"


def connect(environment: Mapping[str, str] | None = None) -> Client:
    """Make a client of the org that the environment names.

    ``BULKFORCE_INSTANCE_URL`` says where the org is; with it goes one of: ``BULKFORCE_ACCESS_TOKEN`` (a session id or
    access token); ``BULKFORCE_CLIENT_ID``, ``BULKFORCE_CLIENT_SECRET`` and ``BULKFORCE_REFRESH_TOKEN``; or the first
    two alone (client credentials). ``BULKFORCE_API_VERSION`` sets another version; ``BULKFORCE_CA_BUNDLE`` names a PEM
    file of authorities to trust instead of the system's.

    Args:
        environment: By default ``os.environ``.

    Raises:
        UsageError: Something is missing, or cannot be used; the message names the variable, and holds no secret.

    Example:
        >>> connect({"BULKFORCE_INSTANCE_URL": "https://acme.my.salesforce.com", "BULKFORCE_ACCESS_TOKEN": "00D..."})
        Client('https://acme.my.salesforce.com', version='66.0')
    """
    if not isinstance(environment, Mapping | None):
        raise UsageError(f"An environment is a mapping of names to texts, not {type(environment).__name__}")
    found = _found(os.environ if environment is None else environment)
    if _URL not in found:
        raise UsageError(
            f"No org is named: set {_URL} (such as https://acme.my.salesforce.com), and {_TOKEN}, or {_ID} and "
            f"{_SECRET} "
            f"with {_REFRESH} (without it: client credentials)"
        )
    with _named(_URL):
        # What is no URL at all may be a token in the wrong place, and is not shown.
        if "://" not in found[_URL]:
            raise UsageError("it is no URL of an org; it looks like https://acme.my.salesforce.com")
        arguments.url(found[_URL])
    version = found.get(_VERSION, limits.API_VERSION)
    with _named(_VERSION):
        arguments.version(version)
    auth = _auth(found)
    if _CA_BUNDLE not in found:
        return Client(found[_URL], auth, version=version)
    with _named(_CA_BUNDLE):
        return Client(found[_URL], auth, version=version, tls=TLS(ca_bundle=found[_CA_BUNDLE]))


def _found(environment: Mapping[str, str]) -> dict[str, str]:
    """Take what is set; a variable that is empty or blank is as good as none."""
    found = {}
    for name in (_URL, _TOKEN, _ID, _SECRET, _REFRESH, _VERSION, _CA_BUNDLE):
        with _named(name):
            value = arguments.secret(environment.get(name) or "", "it").strip()
            if not value.isprintable():
                raise UsageError("it holds a line end or another character that cannot be printed")
        if value:
            found[name] = value
    return found


@contextmanager
def _named(name: str) -> Iterator[None]:
    """Say which variable is at fault."""
    try:
        yield
    except UsageError as error:
        reason = str(error)
    else:
        return
    raise UsageError(f"{name} cannot be used: {reason}. Set it anew, or take it out of the environment")


def _auth(found: Mapping[str, str]) -> Auth:
    if _TOKEN in found:
        with _named(_TOKEN):
            return BearerToken(found[_TOKEN])
    if _ID in found and _REFRESH in found:
        return RefreshToken(found[_ID], found.get(_SECRET, ""), found[_REFRESH])
    if _ID in found and _SECRET in found:
        return ClientCredentials(found[_ID], found[_SECRET])
    missing = f"{_SECRET} or {_REFRESH}" if _ID in found else f"{_TOKEN}, or {_ID} and {_SECRET}"
    raise UsageError(f"{_URL} is set, but no way to log in: set {missing}")
