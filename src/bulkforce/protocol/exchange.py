"""One exchange: a request, and how to read its answer. Plain values; nothing is sent here."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import BinaryIO, Final, Generic, Protocol, TypeVar
from urllib.parse import quote_plus

from bulkforce.errors import Facts

SUCCESS: Final = frozenset({200, 201})
"""The only statuses with which v1, a login and REST report success; 202, 203 or 206 come from a gateway."""

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Replay(Enum):
    """What happens if the same request is sent twice."""

    FREELY = auto()
    """Nothing: it only reads, or the org did not act."""
    LEAVES_LITTER = auto()
    """An extra empty job."""
    AFTER_RECONCILING = auto()
    """Duplicate rows, or a refusal: first find out what happened to the first attempt."""


@dataclass(frozen=True, slots=True)
class Body:
    """Content that can be sent several times: each send opens it again.

    Attributes:
        open: Returns a binary file at the content's first byte; the sender closes it.
        length: Size in bytes.
    """

    open: Callable[[], BinaryIO]
    length: int

    @classmethod
    def of(cls, content: bytes) -> Body:
        """Make a body from bytes in memory."""
        return cls(lambda: io.BytesIO(content), len(content))


@dataclass(frozen=True, slots=True)
class Request:
    """What to ask.

    Attributes:
        method: ``GET`` or ``POST`` in v1; 2.0 also uses ``PUT``, ``PATCH`` and ``DELETE``.
        path: Path below the instance URL, with ``{version}`` where the API version goes; or a full URL (for a login).
        headers: Headers besides the session header.
        body: The content to send, if any.
        compress: Whether the body may be gzipped, if the client has compression on.
        session_header: The header that carries the session id, ``X-SFDC-Session`` or ``Authorization``.
        job_id: The job concerned, for errors.
        batch_id: The batch concerned, for errors.
    """

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Body | None = None
    compress: bool = False
    session_header: str = "X-SFDC-Session"
    job_id: str | None = None
    batch_id: str | None = None

    def facts(self, status: int | None = None, code: str | None = None, message: str | None = None) -> Facts:
        """Return what is known about this request, for an error."""
        path = self.path.partition("?")[0]
        if "://" in path:
            path = "/" + path.split("://", 1)[1].partition("/")[2]
        return Facts(status, code, message, self.method, path, self.job_id, self.batch_id)


class Stream(Protocol):
    """The rest of an answer, still on the wire."""

    @property
    def framed(self) -> bool:
        """Whether truncation would be noticed; see `Answer`."""
        ...

    def __iter__(self) -> Iterator[bytes]:
        """Yield the blocks as they arrive; raise `NoAnswer` if the answer breaks off."""
        ...

    def close(self) -> None:
        """Return the connection to the pool, whether or not everything was read."""
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back.

    Attributes:
        request: What was asked.
        status: HTTP status.
        headers: Names in lower case.
        body: The whole content, decoded; empty for a streamed answer.
        stream: The content of a streamed answer.
        framed: Whether the answer marks its own end: by its length, in chunks, or as gzip. Otherwise truncation goes
            unnoticed, and the content itself must show that it is complete.
    """

    request: Request
    status: int
    headers: Mapping[str, str]
    body: bytes = b""
    stream: Stream | None = None
    framed: bool = True

    @property
    def media_type(self) -> str:
        """The media type alone, in lower case; most answers have no parameters such as charset."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    def facts(self, code: str | None = None, message: str | None = None) -> Facts:
        """Return what is known about this answer, for an error."""
        return self.request.facts(self.status, code, message)

    def without(self, *secrets: str) -> Answer:
        """Return a refusal without the secrets that were sent: a server may repeat them, and errors show its words.

        A secret that is a plain word, such as ``password``, stays: it may be the server's own.
        """
        if self.status in SUCCESS or not self.body:
            return self
        from xml.sax.saxutils import escape  # slow to import, and refusals are few

        body = self.body
        for secret in secrets:
            if not secret or (secret.isalpha() and secret.islower()):
                continue
            for written in (secret, quote_plus(secret), escape(secret), json.dumps(secret)[1:-1]):
                body = body.replace(written.encode("utf-8", "replace"), b"***")
        return replace(self, body=body)


@dataclass(frozen=True, slots=True)
class Exchange(Generic[T_co]):
    """A request, how to read its answer, and what happens if it is repeated.

    Attributes:
        request: What to ask.
        read: Turns the answer into a value; raises `ProtocolError` if the answer makes no sense.
        replay: What happens if it is sent twice.
        streamed: Whether to return the body as a stream instead of all at once.
        statuses: The statuses that mean success; any other below 300 comes from a gateway.
        in_doubt: What to do if the answer is lost, where that is not what `Replay` says.
    """

    request: Request
    read: Callable[[Answer], T_co]
    replay: Replay = Replay.FREELY
    streamed: bool = False
    statuses: frozenset[int] = SUCCESS
    in_doubt: str = ""
