"""The interface to the network: request in, answer out, small enough that a test double is a class of ten lines."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bulkforce import arguments
from bulkforce.errors import UsageError
from bulkforce.protocol.exchange import Answer, Request


@dataclass(frozen=True, slots=True)
class TLS:
    """How to verify the org's host, and how to identify the client to it.

    Attributes:
        ca_bundle: PEM file with the certificate authorities to trust instead of the system's.
        client_certificate: PEM file with the client certificate, for orgs that require mutual TLS.
        client_key: PEM file with its private key, if that is not in the same file.
        client_key_password: Password of the key.
    """

    ca_bundle: str | Path | None = None
    client_certificate: str | Path | None = None
    client_key: str | Path | None = None
    client_key_password: str | None = None

    def __post_init__(self) -> None:
        for name in ("ca_bundle", "client_certificate", "client_key"):
            given = getattr(self, name)
            if given is not None and not arguments.path(given, f"{name} of a TLS").name:
                raise UsageError(
                    f"{name} of a TLS must be the path of a PEM file, neither empty nor a folder; if there is no file, "
                    "leave it out"
                )
        if self.client_key_password is not None:
            arguments.secret(self.client_key_password, "client_key_password of a TLS")
        if self.client_key is not None and self.client_certificate is None:
            raise UsageError("client_key of a TLS needs a client_certificate; pass both")

    def __repr__(self) -> str:
        return (
            f"TLS(ca_bundle={self.ca_bundle!r}, client_certificate={self.client_certificate!r}, "
            f"client_key={self.client_key!r})"
        )


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Limits on every wait for the network.

    Attributes:
        connect_seconds: For each step of making a connection: reaching the host, each piece of the proxy's answer, TLS.
        read_seconds: Between two pieces of an answer, or of an upload.
        exchange_seconds: For a request and its answer as a whole, however steadily they trickle. A result that is read
            as a stream may be of any size and be read at any pace: the limit then applies to each 262,144 bytes of it,
            not counting the time that your code takes.
    """

    connect_seconds: float = 10.0
    read_seconds: float = 120.0
    exchange_seconds: float = 3600.0

    def __post_init__(self) -> None:
        for name in ("connect_seconds", "read_seconds", "exchange_seconds"):
            arguments.seconds(getattr(self, name), f"{name} of Timeouts", arguments.SHORTEST_SECONDS)


LARGEST_ANSWER_BYTES = 100_000_000
"""Far more than any list of batches or the results of 10,000 records need, and small enough for memory."""


class Transport(Protocol):
    """Sends requests; must be safe to use from many threads."""

    def send(self, request: Request, url: str, headers: dict[str, str], *, streamed: bool) -> Answer:
        """Send one request and wait for its answer; never follow a redirect, never retry.

        Args:
            request: The request.
            url: Its full URL.
            headers: All its headers.
            streamed: Leave the body of a success on the wire, in ``Answer.stream``.

        Raises:
            NotSent: The org has certainly not seen the request.
            NoAnswer: The org may have seen the request, but no complete answer arrived.
        """
        ...

    def close(self) -> None:
        """Close all connections."""
        ...
