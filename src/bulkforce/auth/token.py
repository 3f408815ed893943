"""A session id or access token that you already have."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from bulkforce import arguments, hosts
from bulkforce.errors import NotAuthenticated, UsageError
from bulkforce.protocol.flow import Credentials, Flow


@dataclass(frozen=True, slots=True)
class BearerToken:
    """Use an existing session id or OAuth access token; it cannot be renewed.

    Attributes:
        token: The session id or access token.

    Example:
        >>> auth = BearerToken("00D000000000001!opaque")
        >>> "opaque" in repr(auth)
        False
    """

    token: str = field(repr=False)

    def __post_init__(self) -> None:
        arguments.secrets(token=self.token or "")
        if not re.fullmatch(r"\s*[!-~]+\s*", self.token or ""):
            raise UsageError("The token is empty, or contains a blank, a line end or a character that no token has")

    def credentials(self, instance_url: str | None, stale: Credentials | None) -> Flow[Credentials]:
        """Return the token; see `Auth`."""
        if stale is not None:
            raise NotAuthenticated(
                "The session has expired, and a bare token cannot be renewed; get a new one, or log in with a refresh "
                "token"
            )
        if instance_url is None or hosts.is_login(instance_url):
            raise UsageError(
                "A bare token does not say where the org is, and login hosts serve no records: give the "
                "org's own instance URL, such as https://acme.my.salesforce.com (Setup, My Domain)"
            )
        yield from ()
        return Credentials(instance_url, self.token.strip())
