"""`connect`: make a client from environment variables."""

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
    """Make a client from environment variables.

    ``BULKFORCE_INSTANCE_URL`` is the org's URL. To log in, set one of: ``BULKFORCE_ACCESS_TOKEN`` (a session id or
    access token); ``BULKFORCE_CLIENT_ID``, ``BULKFORCE_CLIENT_SECRET`` and ``BULKFORCE_REFRESH_TOKEN``; or the first
    two of these alone (client credentials). ``BULKFORCE_API_VERSION`` sets another API version;
    ``BULKFORCE_CA_BUNDLE`` names a PEM file of certificate authorities to trust instead of the system's.

    Args:
        environment: The variables; by default ``os.environ``.

    Raises:
        UsageError: A variable is missing or invalid; the message names it and holds no secret.

    Example:
        >>> connect({"BULKFORCE_INSTANCE_URL": "https://acme.my.salesforce.com", "BULKFORCE_ACCESS_TOKEN": "00D..."})
        Client('https://acme.my.salesforce.com', version='66.0')
    """
    if not isinstance(environment, Mapping | None):
        raise UsageError(f"An environment is a mapping of names to texts, not {type(environment).__name__}")
    found = _found(os.environ if environment is None else environment)
    if _URL not in found:
        raise UsageError(
            f"No org is configured: set {_URL} (such as https://acme.my.salesforce.com), and either {_TOKEN}, or "
            f"{_ID} and {_SECRET} with {_REFRESH} (without it: client credentials)"
        )
    with _named(_URL):
        # If it is not a URL at all, it may be a misplaced token, so it is not shown.
        if "://" not in found[_URL]:
            raise UsageError("it is not the URL of an org, such as https://acme.my.salesforce.com")
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
    """Read the variables that are set; an empty or blank one counts as unset."""
    found = {}
    for name in (_URL, _TOKEN, _ID, _SECRET, _REFRESH, _VERSION, _CA_BUNDLE):
        with _named(name):
            value = arguments.secret(environment.get(name) or "", "it").strip()
            if not value.isprintable():
                raise UsageError("it contains a line end or another unprintable character")
        if value:
            found[name] = value
    return found


@contextmanager
def _named(name: str) -> Iterator[None]:
    """Name the variable in a `UsageError` about its value."""
    try:
        yield
    except UsageError as error:
        reason = str(error)
    else:
        return
    raise UsageError(f"{name} is invalid: {reason}. Correct it, or unset it")


def _auth(found: Mapping[str, str]) -> Auth:
    if _TOKEN in found:
        with _named(_TOKEN):
            return BearerToken(found[_TOKEN])
    if _ID in found and _REFRESH in found:
        return RefreshToken(found[_ID], found.get(_SECRET, ""), found[_REFRESH])
    if _ID in found and _SECRET in found:
        return ClientCredentials(found[_ID], found[_SECRET])
    missing = f"{_SECRET} or {_REFRESH}" if _ID in found else f"{_TOKEN}, or {_ID} and {_SECRET}"
    raise UsageError(f"{_URL} is set, but there is no way to log in: set {missing}")
