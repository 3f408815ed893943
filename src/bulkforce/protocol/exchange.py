"""One exchange: a request, and how to read its answer. Plain values; nothing here sends."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import BinaryIO, Generic, Protocol, TypeVar

from bulkforce.errors import Facts

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Replay(Enum):
    """What it would mean to send the same request twice."""

    FREELY = auto()
    """Nothing: it only reads, or the org did not act."""
    LEAVES_LITTER = auto()
    """An empty job too many."""
    AFTER_RECONCILING = auto()
    """Rows doubled, or a refusal: find out first what became of the first try."""


@dataclass(frozen=True, slots=True)
class Body:
    """Content that can be sent again: opened anew each time.

    Attributes:
        open: Gives a binary file at the content's first byte; the sender closes it.
        length: Size in bytes.
    """

    open: Callable[[], BinaryIO]
    length: int

    @classmethod
    def of(cls, content: bytes) -> Body:
        """Make a body of bytes in memory."""
        return cls(lambda: io.BytesIO(content), len(content))


@dataclass(frozen=True, slots=True)
class Request:
    """What to ask.

    Attributes:
        method: ``GET`` or ``POST``; v1 knows no other.
        path: Path below the instance URL, with ``{version}`` where the API version goes; or a whole URL (logging in).
        headers: Headers besides the session's.
        body: What is sent along.
        compress: May the body be sent gzipped, if the client was told so?
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
        """Say what is known about this request, for an error."""
        path = self.path.partition("?")[0]
        if "://" in path:
            path = "/" + path.split("://", 1)[1].partition("/")[2]
        return Facts(status, code, message, self.method, path, self.job_id, self.batch_id)


class Stream(Protocol):
    """The rest of an answer, still on the wire."""

    @property
    def framed(self) -> bool:
        """Whether a cut would be noticed; see `Answer`."""
        ...

    def __iter__(self) -> Iterator[bytes]:
        """Give the blocks as they come; raises `NoAnswer` when the answer ends before its end."""
        ...

    def close(self) -> None:
        """Give the connection back, read to the end or not."""
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
        framed: Whether the answer told where it ends: by its length, in chunks, or as gzip. Of one that did not, nobody
            can say whether it was cut: what is read from it must be whole by itself.
    """

    request: Request
    status: int
    headers: Mapping[str, str]
    body: bytes = b""
    stream: Stream | None = None
    framed: bool = True

    @property
    def media_type(self) -> str:
        """The media type alone, in lower case: parameters such as charset are not told by most answers."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    def facts(self, code: str | None = None, message: str | None = None) -> Facts:
        """Say what is known about this answer, for an error."""
        return self.request.facts(self.status, code, message)


@dataclass(frozen=True, slots=True)
class Exchange(Generic[T_co]):
    """A request, how to read its answer, and what a repetition would mean.

    Attributes:
        request: What to ask.
        read: Turns the answer into a value; raises `ProtocolError` when it does not make sense.
        replay: What sending it twice would mean.
        streamed: Hand the body over as a stream rather than whole.
    """

    request: Request
    read: Callable[[Answer], T_co]
    replay: Replay = Replay.FREELY
    streamed: bool = False
