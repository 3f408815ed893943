"""`connect`: a client from the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping

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

    ``BULKFORCE_INSTANCE_URL`` says where the org is; with it goes one of: ``BULKFORCE_ACCESS_TOKEN`` (a session id or access token);
    ``BULKFORCE_CLIENT_ID``, ``BULKFORCE_CLIENT_SECRET`` and ``BULKFORCE_REFRESH_TOKEN``; or the first two alone (client credentials).
    ``BULKFORCE_API_VERSION`` sets another version; ``BULKFORCE_CA_BUNDLE`` names a PEM file of authorities to trust instead of the system's.

    Args:
        environment: By default ``os.environ``.

    Raises:
        UsageError: Something is missing; the message says what to set.

    Example:
        >>> connect({"BULKFORCE_INSTANCE_URL": "https://acme.my.salesforce.com", "BULKFORCE_ACCESS_TOKEN": "00D..."})
        Client('https://acme.my.salesforce.com', version='66.0')
    """
    found = {name: value.strip() for name, value in (os.environ if environment is None else environment).items() if value.strip()}
    if _URL not in found:
        raise UsageError(
            f"No org is named: set {_URL} (such as https://acme.my.salesforce.com), and {_TOKEN}, or {_ID} and {_SECRET} "
            f"with {_REFRESH} (without it: client credentials)"
        )
    tls = TLS(ca_bundle=found[_CA_BUNDLE]) if _CA_BUNDLE in found else None
    return Client(found[_URL], _auth(found), version=found.get(_VERSION, limits.API_VERSION), tls=tls)


def _auth(found: Mapping[str, str]) -> Auth:
    if _TOKEN in found:
        return BearerToken(found[_TOKEN])
    if _ID in found and _REFRESH in found:
        return RefreshToken(found[_ID], found.get(_SECRET, ""), found[_REFRESH])
    if _ID in found and _SECRET in found:
        return ClientCredentials(found[_ID], found[_SECRET])
    missing = f"{_SECRET} or {_REFRESH}" if _ID in found else f"{_TOKEN}, or {_ID} and {_SECRET}"
    raise UsageError(f"{_URL} is set, but no way to log in: set {missing}")
