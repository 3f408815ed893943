"""The seam: one method, request in, answer out; a test double is a plain class of ten lines."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bulkforce import arguments
from bulkforce.errors import UsageError
from bulkforce.protocol.exchange import Answer, Request


@dataclass(frozen=True, slots=True)
class TLS:
    """How the org's host proves itself, and how we do.

    Attributes:
        ca_bundle: PEM file with the certificate authorities to trust instead of the system's.
        client_certificate: PEM file with our certificate, where the org wants mutual TLS.
        client_key: PEM file with its private key, if it is not in the same file.
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
                    f"{name} of a TLS is a PEM file, and neither empty nor a folder; leave it out if there is none"
                )
        if self.client_key_password is not None:
            arguments.secret(self.client_key_password, "client_key_password of a TLS")
        if self.client_key is not None and self.client_certificate is None:
            raise UsageError("client_key of a TLS goes with client_certificate; give both")

    def __repr__(self) -> str:
        return (
            f"TLS(ca_bundle={self.ca_bundle!r}, client_certificate={self.client_certificate!r}, "
            f"client_key={self.client_key!r})"
        )


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Every wait has a limit.

    Attributes:
        connect_seconds: For each step by which a connection comes about: reaching the host, each piece of what a proxy
            says, TLS.
        read_seconds: Between two pieces of an answer, or of an upload.
        exchange_seconds: For a request and its answer in all, however steadily they drip. A result that is read as a
            stream may be of any size, and be read at any pace: this is for every 262,144 bytes of it then, and time
            that is yours does not count.
    """

    connect_seconds: float = 10.0
    read_seconds: float = 120.0
    exchange_seconds: float = 3600.0

    def __post_init__(self) -> None:
        for name in ("connect_seconds", "read_seconds", "exchange_seconds"):
            arguments.seconds(getattr(self, name), f"{name} of Timeouts", arguments.SHORTEST_SECONDS)


LARGEST_ANSWER_BYTES = 100_000_000
"""No list of batches and no results of 10,000 records come near; and it fits in memory."""


class Transport(Protocol):
    """Something that sends requests; safe to use from many threads."""

    def send(self, request: Request, url: str, headers: dict[str, str], *, streamed: bool) -> Answer:
        """Send one request and wait for its answer; never follows a redirect, never repeats.

        Args:
            request: What to ask.
            url: Where, in full.
            headers: All headers of the request.
            streamed: Leave the body of a success on the wire, in ``Answer.stream``.

        Raises:
            NotSent: The org certainly never saw it.
            NoAnswer: It may have been seen, but no whole answer came.
        """
        ...

    def close(self) -> None:
        """Close all connections."""
        ...
