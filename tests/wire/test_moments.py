"""What is told of a request when the connection dies: at every moment, on every way, against an org that says what it
has seen.

"Not sent" is a licence to send again. It must never be said of a request of which the org has seen anything, and always
of one that cannot
have left. What is not here: CONNECT to an org on plain http, since such requests are given to the proxy by whole URLs.
"""

from __future__ import annotations

import gzip
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import trustme
from tests.wire.peers import PATIENCE_SECONDS, Cut, Nobody, Peer, Relay, answer

from bulkforce import TLS, Timeouts
from bulkforce.errors import NoAnswer, NotSent
from bulkforce.protocol.exchange import Answer, Body, Request
from bulkforce.transport.http import HTTP

Serve = Callable[[Peer, socket.socket], None]

CONTENT = b'"Id"\n' + b"".join(b'"003%05d"\n' % number for number in range(300))
"""Longer than a packet of TLS handshakes, and than what it is packed to."""

ANSWERS = {
    "plain": answer(CONTENT, media="text/csv"),
    "gzip": answer(gzip.compress(CONTENT), "Content-Encoding: gzip", media="text/csv"),
    "chunked": answer(b"", "Transfer-Encoding: chunked", media="text/csv", length=None)
    + b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (CONTENT[:7], CONTENT[7:1_000], CONTENT[1_000:]))
    + b"0\r\n\r\n",
}
REQUESTS = {
    "GET": Request("GET", "/x"),
    "POST": Request("POST", "/x", body=Body.of(b"LastName\nM\n")),
    "long POST": Request("POST", "/x", body=Body.of(b"LastName\n" + b"M\n" * 500_000)),
}


@dataclass(frozen=True)
class Way:
    """How the org is reached."""

    tls: bool = False
    proxy: str | None = None

    @property
    def asks(self) -> bool:
        """Whether a proxy is asked to connect."""
        return self.tls and self.proxy is not None

    @property
    def shakes_hands(self) -> bool:
        """Whether anything is sent before the request."""
        return self.tls or self.proxy == "https"


WAYS = {
    "direct, http": Way(),
    "direct, TLS": Way(tls=True),
    "HTTP proxy, http": Way(proxy="http"),
    "HTTP proxy over TLS, http": Way(proxy="https"),
    "CONNECT, TLS": Way(tls=True, proxy="http"),
    "CONNECT over TLS, TLS": Way(tls=True, proxy="https"),
}
each_way = pytest.mark.parametrize("way", WAYS.values(), ids=list(WAYS))
asking_ways = pytest.mark.parametrize(
    "way", [way for way in WAYS.values() if way.asks], ids=[name for name, way in WAYS.items() if way.asks]
)
tls_ways = pytest.mark.parametrize(
    "way", [way for way in WAYS.values() if way.shakes_hands], ids=[n for n, w in WAYS.items() if w.shakes_hands]
)
each_request = pytest.mark.parametrize("request_", REQUESTS.values(), ids=list(REQUESTS))


@dataclass(frozen=True)
class Papers:
    """A certificate for loopback, and who vouches for it."""

    context: ssl.SSLContext
    bundle: Path


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    ca = trustme.CA()
    bundle = tmp_path_factory.mktemp("ca") / "ca.pem"
    ca.cert_pem.write_to_path(str(bundle))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    return Papers(context, bundle)


@dataclass
class Sent:
    """What became of some requests, and what the org saw."""

    org: Peer
    relay: Any
    http: HTTP
    url: str
    told: list[Answer | NotSent | NoAnswer] = field(default_factory=list)

    def send(self, request: Request) -> Answer | NotSent | NoAnswer:
        headers = {"X-SFDC-Session": "00D!token", "Accept-Encoding": "gzip"}
        try:
            told: Answer | NotSent | NoAnswer = self.http.send(request, self.url, headers, streamed=False)
        except (NotSent, NoAnswer) as error:
            told = error
        self.told.append(told)
        return told


@contextmanager
def reached(
    way: Way,
    papers: Papers,
    serve: Serve,
    cut: Callable[[int], Cut] = lambda _number: (None, None),
    relay: Peer | Nobody | None = None,
) -> Iterator[Sent]:
    """An org, something on the way to it, and what sends; when it is left all have come to their end."""
    with ExitStack() as stack:
        org = stack.enter_context(Peer(serve, papers.context if way.tls else None))
        between = relay or Relay(
            None if way.asks else org.port, cut, context=papers.context if way.proxy == "https" else None
        )
        stack.enter_context(between)
        port = org.port if way.proxy else between.port
        url = f"{'https' if way.tls else 'http'}://127.0.0.1:{port}/x"
        proxy = f"{way.proxy}://127.0.0.1:{between.port}" if way.proxy else None
        http = HTTP(TLS(ca_bundle=papers.bundle), proxy, Timeouts(PATIENCE_SECONDS, PATIENCE_SECONDS))
        stack.callback(http.close)
        yield Sent(org, between, http, url)


def saying(content: bytes) -> Serve:
    def serve(peer: Peer, connection: socket.socket) -> None:
        peer.request(connection)
        connection.sendall(content)

    return serve


def dying(up: int | None, down: int | None) -> Callable[[int], Cut]:
    return lambda _number: (up, down)


def moments(total: int, count: int) -> list[int]:
    """Bytes after which to die: the first ones, the last ones, and some in between."""
    spread = {total * place // count for place in range(count)}
    return sorted(each for each in spread | {0, 1, 2, total - 2, total - 1} if 0 <= each < total)


def check(sent: Sent, request: Request) -> None:
    """What is told of a request fits what was seen of it."""
    (told,) = sent.told
    if isinstance(told, NotSent):
        assert sent.org.seen == b""
    if isinstance(told, Answer):
        assert told.body == CONTENT
        assert sent.org.bodies == [request.body.open().read() if request.body else b""]


@each_way
@pytest.mark.parametrize("packing", list(ANSWERS))
def test_connection_that_dies_while_the_org_speaks_is_doubt_once_a_request_can_have_left(
    way: Way, papers: Papers, packing: str
) -> None:
    """From the first byte of the TLS handshake to the last of the answer."""
    request = REQUESTS["POST"]
    with reached(way, papers, saying(ANSWERS[packing])) as whole:
        whole.send(request)
    check(whole, request)
    total = whole.relay.passed[0][1]
    for moment in moments(total, 24):
        with reached(way, papers, saying(ANSWERS[packing]), dying(None, moment)) as sent:
            told = sent.send(request)
        check(sent, request)
        if sent.org.seen:
            assert isinstance(told, (NoAnswer, Answer)), moment
        if moment == 0 and way.tls:
            assert isinstance(told, NotSent)


@each_way
@each_request
def test_connection_that_dies_while_the_client_speaks_is_doubt_once_a_request_can_have_left(
    way: Way, papers: Papers, request_: Request
) -> None:
    """From the first byte of the TLS handshake through head and body."""
    with reached(way, papers, saying(ANSWERS["plain"])) as whole:
        whole.send(request_)
    check(whole, request_)
    total = whole.relay.passed[0][0]
    for moment in moments(min(total, 3_000), 16) + moments(total, 3):
        with reached(way, papers, saying(ANSWERS["plain"]), dying(moment, None)) as sent:
            told = sent.send(request_)
        check(sent, request_)
        assert isinstance(told, (NotSent, NoAnswer)), moment
        if sent.org.seen:
            assert isinstance(told, NoAnswer), moment
        if moment < 300 and way.tls:
            assert isinstance(told, NotSent), "the handshake cannot have ended"


def read_some(head: int | None, body: int | None) -> Serve:
    """Read so many bytes of the head (``None``: all), then so many of the body (``None``: all), then hang up."""

    def serve(peer: Peer, connection: socket.socket) -> None:
        if head is not None:
            while len(peer.seen) < head:
                peer.read(connection, head - len(peer.seen))
        elif body is None:
            peer.request(connection)
        else:
            peer.head(connection)
            for _ in range(body):
                peer.read(connection, 1)

    return serve


@each_way
@each_request
@pytest.mark.parametrize(
    ("head", "body"),
    [(1, 0), (40, 0), (None, 0), (None, 1), (None, 5), (None, None)],
    ids=["1", "40", "head", "head+1", "head+5", "all"],
)
def test_org_that_hangs_up_on_a_request_leaves_doubt(
    way: Way, papers: Papers, request_: Request, head: int | None, body: int | None
) -> None:
    if request_.body is None:
        body = body and 0
    with reached(way, papers, read_some(head, body)) as sent:
        assert isinstance(sent.send(request_), NoAnswer)
    assert sent.org.seen


@each_way
@each_request
def test_nobody_at_home_is_not_sent(way: Way, papers: Papers, request_: Request) -> None:
    with reached(way, papers, saying(ANSWERS["plain"]), relay=Nobody()) as sent:
        told = sent.send(request_)
    assert isinstance(told, NotSent)
    assert not told.lasting


def hanging_up(read: int | None, say: bytes, context: ssl.SSLContext | None = None) -> Peer:
    """A proxy that reads so many bytes of what it is asked, says something, and hangs up."""

    def serve(peer: Peer, connection: socket.socket) -> None:
        if read is None:
            peer.head(connection)
        elif read:
            peer.read(connection, read)
        connection.sendall(say)

    return Peer(serve, context)


@asking_ways
@each_request
@pytest.mark.parametrize(
    ("read", "say"),
    [
        (0, b""),
        (1, b""),
        (None, b""),
        (None, b"HT"),
        (None, b"HTTP/1.1 20"),
        (None, b"\x00\xff garbage\r\n\r\n"),
        (None, b"HTTP/1.1 407 Who are you?\r\n\r\n"),
        (None, b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n"),
        (None, b"HTTP/1.1 502 Nobody there\r\nX: " + b"y" * 200_000),
        (None, b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200_000),
        (None, b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 300_000),
        (None, b"HTTP/1.1 103 Early\r\n\r\n" * 100),
        (None, b"HTTP/1.1 100 Continue\r\n\r\n" * 50_000),
        (None, b"HTTP/1.1 200 OK\r\n\r\n"),
        (None, b"HTTP/1.1 200 OK\r\n\r\nno handshake"),
        (None, b"HTTP/1.1 nine OK\r\n\r\n"),
    ],
    ids=range(16),
)
def test_proxy_that_does_not_let_through_is_not_sent(
    way: Way, papers: Papers, request_: Request, read: int | None, say: bytes
) -> None:
    relay = hanging_up(read, say, papers.context if way.proxy == "https" else None)
    with reached(way, papers, saying(ANSWERS["plain"]), relay=relay) as sent:
        told = sent.send(request_)
    assert isinstance(told, NotSent)
    assert "proxy" in str(told)
    assert sent.org.seen == b""


@tls_ways
@each_request
@pytest.mark.parametrize(
    "say",
    [
        b"",
        b"\x16",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x15\x03\x03\x00\x02\x02\x28",
        b"\x16\x03\x03\x40\x00" + b"\x00" * 99,
    ],
    ids=["nothing", "a byte", "no TLS", "an alert", "garbage"],
)
def test_handshake_that_dies_is_not_sent(way: Way, papers: Papers, request_: Request, say: bytes) -> None:
    def serve(_peer: Peer, connection: socket.socket) -> None:
        if way.asks and way.proxy == "http":
            _peer.head(connection)
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        connection.recv(1)
        connection.sendall(say)

    with reached(way, papers, saying(ANSWERS["plain"]), relay=Peer(serve)) as sent:
        assert isinstance(sent.send(request_), NotSent)
    assert sent.org.seen == b""


@each_way
@each_request
def test_connection_that_dies_with_its_second_request_is_doubt(way: Way, papers: Papers, request_: Request) -> None:
    """An old connection may die at any time; whether it did before the request came is not known here."""

    def serve(peer: Peer, connection: socket.socket) -> None:
        peer.request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(CONTENT) + CONTENT)
        peer.request(connection)

    with reached(way, papers, serve) as sent:
        assert isinstance(sent.send(request_), Answer)
        assert isinstance(sent.send(request_), NoAnswer)
    assert len(sent.org.bodies) == 2
    assert len(sent.org.heads) == 2


@each_way
def test_connection_that_was_closed_in_between_is_replaced(way: Way, papers: Papers) -> None:
    def serve(peer: Peer, connection: socket.socket) -> None:
        peer.request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(CONTENT) + CONTENT)

    with reached(way, papers, serve) as sent:
        for _ in range(3):
            assert isinstance(sent.send(REQUESTS["POST"]), Answer)
            sent.org.settle()
            sent.relay.settle()
    assert len(sent.org.bodies) == 3
