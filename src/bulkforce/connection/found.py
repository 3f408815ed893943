"""What `connect` has found: where the org is, how to log in, and who said so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from bulkforce.async_client import AsyncClient
from bulkforce.client import Client
from bulkforce.connection.variables import named
from bulkforce.protocol import limits
from bulkforce.protocol.flow import Auth
from bulkforce.transport.base import TLS

C = TypeVar("C", Client, AsyncClient)


@dataclass(frozen=True, slots=True)
class Options:
    """What applies to every org: API version, certificates, proxy.

    Attributes:
        version: API version.
        tls: Certificate authorities to trust.
        tls_name: The variable that named them.
        proxy: URL of an HTTP proxy.
        proxy_name: The variable that named it.
        allow_http: Whether plain http to other machines is acceptable.
    """

    version: str = limits.API_VERSION
    tls: TLS | None = None
    tls_name: str = ""
    proxy: str | None = None
    proxy_name: str = ""
    allow_http: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """An org, and how to log in to it.

    Attributes:
        source: Where this was found, in words.
        auth: How to log in.
        instance_url: The org's URL; ``None`` if the login returns it.
        asked_for: Whether the user named it, by an argument or a variable of bulkforce's own.
    """

    source: str
    auth: Auth
    instance_url: str | None
    asked_for: bool = True

    def client(self, options: Options) -> Client:
        """Make a client."""
        return self._made(Client, options)

    def async_client(self, options: Options) -> AsyncClient:
        """Make a client for asyncio."""
        return self._made(AsyncClient, options)

    def _made(self, kind: type[C], options: Options) -> C:
        _check(options)
        return kind(
            self.instance_url,
            self.auth,
            version=options.version,
            tls=options.tls,
            proxy=options.proxy,
            allow_http=options.allow_http,
        )


def _check(options: Options) -> None:
    """Name the variable at fault if the proxy or the certificates cannot be used."""
    from bulkforce.transport.http import HTTP

    for name, tls, proxy in (
        (options.tls_name, options.tls, None),
        (options.proxy_name, None, options.proxy),
    ):
        if name:
            with named(name):
                HTTP(tls, proxy).close()
