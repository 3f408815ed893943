"""Peers that never come to an end, or to a very large one: the client does, within limits that can be set, and says
which."""

from __future__ import annotations

import gzip
import io
import itertools
import socket
import threading
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from tests.support.chains import held_by
from tests.support.script import batch_info, job_info
from tests.wire.peers import PATIENCE_SECONDS, Peer, answer, saying

import bulkforce
from bulkforce import errors
from bulkforce.protocol.exchange import Body, Request
from bulkforce.transport.base import Timeouts
from bulkforce.transport.http import HTTP

TOKEN = "00D000000000001!SECRET.of_a_test"
JOB = job_info().encode()
BATCH = batch_info("Queued").encode()
SECRET = b"4111-1111-1111-1111"
"""Stands for a record's value."""


@dataclass
class Clock:
    """Time goes on when told so, and with every look if there is a step."""

    now: float = 0.0
    step: float = 0.0

    def __call__(self) -> float:
        self.now += self.step
        return self.now


@contextmanager
def client(url: str, clock: Clock | None = None, *, attempts: int = 1, **options: Any) -> Iterator[bulkforce.Client]:
    http = HTTP(None, None, Timeouts(PATIENCE_SECONDS, PATIENCE_SECONDS, 60), clock=clock or Clock(), **options)
    retry = bulkforce.RetryPolicy(attempts=attempts, first_seconds=0)
    with bulkforce.Client(url, bulkforce.BearerToken(TOKEN), retry=retry, transport=http) as made:
        yield made


@contextmanager
def facing(
    serve: Callable[[Peer, socket.socket], None], *clock: Clock, **options: Any
) -> Iterator[tuple[Peer, bulkforce.Client]]:
    """A peer, and a client of it."""
    with Peer(serve) as peer, client(peer.url, *clock, **options) as made:
        yield peer, made


def add(made: bulkforce.Client, content: bytes = b"LastName\nM\n") -> object:
    return made.driver.run(_adding(content))


def _adding(content: bytes) -> Any:
    from bulkforce.protocol import bulk1
    from bulkforce.protocol.flow import ask
    from bulkforce.vocabulary import ContentType

    return ask(bulk1.add_batch("750A", ContentType.CSV, Body.of(content)))


def read_stream(made: bulkforce.Client) -> bytes:
    with made.get_query_result("750A", "751B", "752C") as stream:
        return stream.read()


CALLS: dict[str, Callable[[bulkforce.Client], object]] = {
    "control": lambda made: made.get_job_info("750A"),
    "whole": lambda made: made.get_batch_request("750A", "751B"),
    "POST": add,
    "stream": read_stream,
}
each_call = pytest.mark.parametrize("call", CALLS.values(), ids=list(CALLS))


def dripping(clock: Clock, seconds: float, parts: Iterable[bytes]) -> Callable[[Peer, socket.socket], None]:
    """Say the parts one after another, and let so many seconds go by with each."""

    def serve(peer: Peer, connection: socket.socket) -> None:
        peer.request(connection)
        for part in parts:
            clock.now += seconds
            connection.sendall(part)

    return serve


def bytes_of(content: bytes) -> Iterator[bytes]:
    return (content[place : place + 1] for place in range(len(content)))


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\n"
ENDLESS: dict[str, tuple[bytes, Iterable[bytes]]] = {
    "interim answers": (b"", [b"HTTP/1.1 100 Continue\r\n\r\n"]),
    "interim answers of another kind": (b"", [b"HTTP/1.1 102 Processing\r\n\r\n"]),
    "headers": (HEAD, [b"X: y\r\n"]),
    "a header": (HEAD + b"X: ", [b"y"]),
    "a status line": (b"HTTP/1.1 200 ", [b"K"]),
    "a body": (HEAD + b"Content-Length: 10000000000\r\n\r\n", [b" "]),
    "a body without a length": (HEAD + b"\r\n", [b" "]),
    "chunks": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", [b"1\r\n \r\n"]),
    "the size of a chunk": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", [b"0"]),
    "a chunk of a size below nothing": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n", [b" "]),
    "headers behind chunks": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\n \r\n0\r\n", [b"X: y\r\n"]),
    "empty gzip": (HEAD + b"Content-Encoding: gzip\r\n\r\n", list(bytes_of(gzip.compress(b"")))),
    "a name in gzip": (HEAD + b"Content-Encoding: gzip\r\n\r\n\x1f\x8b\x08\x08\0\0\0\0\0\0", [b"n"]),
}
each_endless = pytest.mark.parametrize("what", list(ENDLESS))


@each_call
@each_endless
def test_answer_that_drips_for_ever_ends_with_the_limit_of_the_exchange(
    what: str, call: Callable[[bulkforce.Client], object]
) -> None:
    clock = Clock()
    begin, again = ENDLESS[what]
    with (
        facing(dripping(clock, 0.5, itertools.chain([begin], itertools.cycle(again))), clock) as (_, made),
        pytest.raises(errors.Error) as caught,
    ):
        call(made)
    assert isinstance(caught.value, errors.OutcomeUnknown if call is add else errors.NoAnswer)
    # http.client counts headers, and may come to its hundred before.
    assert "raise exchange_seconds" in str(caught.value) or what == "headers"


@pytest.mark.parametrize("call", [CALLS["control"], CALLS["whole"], add], ids=["control", "whole", "POST"])
@each_endless
def test_answer_that_floods_for_ever_ends_even_if_no_time_goes_by(
    what: str, call: Callable[[bulkforce.Client], object]
) -> None:
    begin, again = ENDLESS[what]
    flood = itertools.chain([begin], itertools.repeat(b"".join(again) * 2_000))
    with (
        facing(dripping(Clock(), 0, flood), largest_answer_bytes=100_000) as (_, made),
        pytest.raises((errors.NoAnswer, errors.OutcomeUnknown)),
    ):
        call(made)


@pytest.mark.parametrize(
    "what", [what for what in ENDLESS if what not in {"a body", "a body without a length", "chunks"}]
)
def test_stream_that_floods_without_content_ends_even_if_no_time_goes_by(what: str) -> None:
    begin, again = ENDLESS[what]
    flood = itertools.chain([begin], itertools.repeat(b"".join(again) * 2_000))
    with Peer(dripping(Clock(), 0, flood)) as peer, client(peer.url) as made, pytest.raises(errors.NoAnswer):
        read_stream(made)


def test_upload_that_is_taken_a_little_now_and_then_ends_with_the_limit_of_the_exchange() -> None:
    clock = Clock()

    def serve(peer: Peer, connection: socket.socket) -> None:
        peer.head(connection)
        while True:
            clock.now += 5
            peer.read(connection, 65_536)

    with facing(serve, clock) as (_, made), pytest.raises(errors.OutcomeUnknown, match="exchange_seconds"):
        add(made, b"LastName\n" + b"M\n" * 10_000_000)


def test_upload_is_not_held_to_the_time_for_connecting() -> None:
    """A link on which a block takes longer than that is slow, not dead.

    Who is held to it leaves before the peer has waited for it three times over.
    """
    stayed = []

    def serve(peer: Peer, connection: socket.socket) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        peer.head(connection)
        stayed.append(not peer.done.wait(0.3))
        peer.bodies.append(connection.recv(10))

    http = HTTP(None, None, Timeouts(connect_seconds=0.1, read_seconds=PATIENCE_SECONDS))
    with Peer(serve) as peer, pytest.raises(errors.NoAnswer):
        http.send(Request("POST", peer.url, body=Body.of(b"M\n" * 5_000_000)), peer.url, {}, streamed=False)
    assert stayed == [True]


def test_limit_of_the_exchange_ends_a_wait_in_the_middle() -> None:
    def silent(peer: Peer, connection: socket.socket) -> None:
        peer.request(connection)
        peer.done.wait(PATIENCE_SECONDS)

    http = HTTP(None, None, Timeouts(PATIENCE_SECONDS, PATIENCE_SECONDS, exchange_seconds=0.1))
    with Peer(silent) as peer:
        with pytest.raises(errors.NoAnswer, match=r"not complete after 0\.1 s; .* raise exchange_seconds"):
            http.send(Request("GET", peer.url), peer.url, {}, streamed=False)
        peer.done.set()


def test_silence_names_the_limit_it_met() -> None:
    def silent(peer: Peer, connection: socket.socket) -> None:
        peer.request(connection)
        peer.done.wait(PATIENCE_SECONDS)

    http = HTTP(None, None, Timeouts(PATIENCE_SECONDS, 0.1))
    with Peer(silent) as peer:
        with pytest.raises(errors.NoAnswer, match=r"nothing moved after 0\.1 s; .* raise read_seconds"):
            http.send(Request("GET", peer.url), peer.url, {}, streamed=False)
        peer.done.set()


CSV = b'"Id"\n' + b'"003"\n' * 500_000


@pytest.mark.parametrize("packing", ["plain", "gzip", "small chunks"])
def test_stream_may_take_as_long_as_it_needs_and_as_its_reader_likes(packing: str) -> None:
    """Each part of it comes in time; in all it takes many times the limit, and its reader takes even more."""
    clock, said, read, more = Clock(), [0], [0], threading.Condition()
    if packing == "small chunks":
        whole = answer(b"", "Transfer-Encoding: chunked", media="text/csv", length=None)
        whole += b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in _parts(CSV, 10_000)) + b"0\r\n\r\n"
    elif packing == "gzip":
        whole = answer(gzip.compress(CSV, 0), "Content-Encoding: gzip", media="text/csv")
    else:
        whole = answer(CSV, media="text/csv")

    def serve(peer: Peer, connection: socket.socket) -> None:
        peer.request(connection)
        for part in _parts(whole, 300_000):
            with more:
                assert more.wait_for(lambda: read[0] >= said[0] - 280_000, PATIENCE_SECONDS)
                clock.now += 25
            said[0] += len(part)
            connection.sendall(part)

    got = io.BytesIO()
    with Peer(serve) as peer, client(peer.url, clock) as made, made.get_query_result("750A", "751B", "752C") as stream:
        clock.now += 1_000
        for block in stream:
            got.write(block)
            with more:
                read[0] += len(block)
                clock.now += 1_000
                more.notify()
    assert got.getvalue() == CSV


def test_stream_that_drips_ends_although_each_chunk_comes_in_time() -> None:
    """Each chunk is said when the one before was read, and costs a second or more."""
    clock, read = Clock(step=1.0), threading.Semaphore(0)

    def serve(peer: Peer, connection: socket.socket) -> None:
        peer.request(connection)
        connection.sendall(answer(b"", "Transfer-Encoding: chunked", media="text/csv", length=None))
        while True:
            connection.sendall(b"1\r\nx\r\n")
            assert read.acquire(timeout=PATIENCE_SECONDS)

    got = []

    def read_all(stream: bulkforce.ResultStream) -> None:
        for block in stream:
            got.append(block)
            assert len(got) < 100
            read.release()

    with facing(serve, clock) as (_, made), made.get_query_result("750A", "751B", "752C") as stream:
        with pytest.raises(errors.NoAnswer, match="exchange_seconds"):
            read_all(stream)
        read.release()
    assert len(got) > 5


def _parts(content: bytes, size: int) -> Iterator[bytes]:
    return (content[place : place + size] for place in range(0, len(content), size))


BOMB = gzip.compress(bytes(30_000_000))


def test_bomb_is_not_read_beyond_the_limit_and_not_fetched_again() -> None:
    bomb = answer(BOMB, "Content-Encoding: gzip")
    with Peer(saying(bomb, bomb, bomb)) as peer, client(peer.url, largest_answer_bytes=1_000_000, attempts=3) as made:
        for call in (CALLS["control"], CALLS["whole"]):
            with pytest.raises(errors.NoAnswer, match=r"longer than 1,000,000 bytes; .*largest_answer_bytes") as caught:
                call(made)
            assert caught.value.lasting
        with pytest.raises(errors.OutcomeUnknown, match="largest_answer_bytes"):
            add(made)
    assert len(peer.heads) == 3


SHREDS = answer(b"2\r\nxx\r\n" * 30_000, "Transfer-Encoding: chunked", length=None)


@pytest.mark.parametrize(
    ("flood", "limit", "most"),
    [(answer(BOMB, "Content-Encoding: gzip"), 1_000_000, 6_000_000), (SHREDS, 50_000, 1_000_000)],
    ids=["a bomb", "chunks of two bytes"],
)
def test_answer_takes_little_more_memory_than_it_may_hold(flood: bytes, limit: int, most: int) -> None:
    with facing(saying(flood), largest_answer_bytes=limit) as (_, made):
        tracemalloc.start()
        with pytest.raises(errors.NoAnswer, match="largest_answer_bytes"):
            CALLS["whole"](made)
        _now, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < most


def test_answer_of_the_largest_size_is_read() -> None:
    content = b"x" * 1_000_000
    for headers, body in (((), content), (("Content-Encoding: gzip",), gzip.compress(content))):
        with (
            Peer(saying(answer(body, *headers, media="text/csv"))) as peer,
            client(peer.url, largest_answer_bytes=1_000_000) as made,
        ):
            assert CALLS["whole"](made) == content


def test_bomb_has_a_limit_where_none_was_given() -> None:
    bomb = gzip.compress(bytes(1_000_000)) * 150
    with (
        facing(saying(answer(bomb, "Content-Encoding: gzip"))) as (_, made),
        pytest.raises(errors.NoAnswer, match="longer than 100,000,000 bytes"),
    ):
        CALLS["whole"](made)


def test_bomb_in_a_refusal_is_read_in_part() -> None:
    page = gzip.compress(b"<html><title>Flood</title>" + bytes(30_000_000))
    with (
        facing(saying(answer(page, "Content-Encoding: gzip", status="503 Busy", media="text/html"))) as (_, made),
        pytest.raises(errors.Unavailable, match="Flood"),
    ):
        CALLS["control"](made)


def test_streamed_bomb_comes_in_bounded_blocks() -> None:
    with (
        Peer(saying(answer(BOMB, "Content-Encoding: gzip", media="text/csv"))) as peer,
        client(peer.url, largest_answer_bytes=1_000) as made,
        made.get_query_result("750A", "751B", "752C") as stream,
    ):
        sizes = [len(block) for block in stream]
    assert sum(sizes) == 30_000_000
    assert max(sizes) <= 262_144


@pytest.mark.parametrize(
    "encoding", ["br", "deflate", "zstd", "gzip, gzip", "gzip,br", "compress", "utf-8", "identity, gzip"]
)
@each_call
def test_answer_that_is_packed_otherwise_never_passes_for_its_content(
    encoding: str, call: Callable[[bulkforce.Client], object]
) -> None:
    body = gzip.compress(gzip.compress(JOB)) if encoding == "gzip, gzip" else JOB
    with (
        facing(saying(answer(body, f"Content-Encoding: {encoding}"))) as (_, made),
        pytest.raises((errors.NoAnswer, errors.OutcomeUnknown), match="has the content encoding"),
    ):
        call(made)


@pytest.mark.parametrize("encoding", ["GZIP", " gzip ", "x-gzip", "identity", ""])
def test_answer_may_name_its_packing_in_other_ways(encoding: str) -> None:
    body = JOB if encoding in {"", "identity"} else gzip.compress(JOB)
    with Peer(saying(answer(body, f"Content-Encoding: {encoding}"))) as peer, client(peer.url) as made:
        assert made.get_job_info("750A").id == "750A"


@pytest.mark.parametrize("rest", [b"garbage", b"\0", gzip.compress(b"x")[:-1]], ids=["garbage", "zero", "cut"])
def test_garbage_behind_gzip_is_no_content(rest: bytes) -> None:
    body = gzip.compress(JOB) + rest
    with (
        Peer(saying(answer(body, "Content-Encoding: gzip"))) as peer,
        client(peer.url) as made,
        pytest.raises(errors.NoAnswer),
    ):
        CALLS["whole"](made)


def test_several_files_of_gzip_are_one_content() -> None:
    body = gzip.compress(JOB[:10]) + gzip.compress(b"") + gzip.compress(JOB[10:])
    with Peer(saying(answer(body, "Content-Encoding: gzip"))) as peer, client(peer.url) as made:
        assert CALLS["whole"](made) == JOB


FRAMES = {
    "length too long": ([f"Content-Length: {len(JOB) + 1}"], JOB),
    "length below nothing": (["Content-Length: -1"], JOB),
    "length that is none": (["Content-Length: many"], JOB),
    "length with a sign": (["Content-Length: +5"], JOB),
    "length with digits of a language": (["Content-Length: 1_000"], JOB),
    "length of more digits than a number may have": (["Content-Length: " + "9" * 5_000], JOB),
    "two lengths": ([f"Content-Length: {len(JOB)}", f"Content-Length: {len(JOB) - 9}"], JOB),
    "two lengths in one": ([f"Content-Length: {len(JOB) - 9}, {len(JOB)}"], JOB),
    "no length and no end": (["Transfer-Encoding: chunked"], b"5\r\n<job>\r\n"),
    "chunk of a size below nothing": (["Transfer-Encoding: chunked"], b"-1\r\n" + JOB),
    "chunk of a size far below nothing": (["Transfer-Encoding: chunked"], b"-5\r\n" + JOB),
    "chunk of a size that is none": (["Transfer-Encoding: chunked"], b"five\r\n" + JOB),
    "chunk of an immense size": (["Transfer-Encoding: chunked"], b"f" * 100 + b"\r\n" + JOB),
    "chunks that are packed": (["Transfer-Encoding: gzip, chunked"], b"5\r\n<job>\r\n0\r\n\r\n"),
    "chunks of chunks": (["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"], b"5\r\n<job>\r\n0\r\n\r\n"),
    "transferred in a way of its own": (["Transfer-Encoding: identity"], JOB),
    "a line among the headers that is none": (["who are you?", "Content-Length: 5"], JOB),
    "too many headers": (["X: y"] * 200, JOB),
    "too long a header": (["X: " + "y" * 70_000], JOB),
}


@pytest.mark.parametrize("frame", list(FRAMES))
@each_call
def test_answer_whose_end_cannot_be_told_is_none(frame: str, call: Callable[[bulkforce.Client], object]) -> None:
    headers, body = FRAMES[frame]
    with (
        facing(saying(answer(body, *headers, length=None))) as (_, made),
        pytest.raises((errors.NoAnswer, errors.OutcomeUnknown)),
    ):
        call(made)


@each_call
def test_connection_that_goes_over_to_another_protocol_is_no_answer(call: Callable[[bulkforce.Client], object]) -> None:
    with (
        facing(saying(answer(JOB, status="101 Switching Protocols"))) as (_, made),
        pytest.raises((errors.NoAnswer, errors.OutcomeUnknown), match="another protocol"),
    ):
        call(made)


@pytest.mark.parametrize("interim", ["100 Continue", "102 Processing", "103 Early Hints"])
def test_interim_answers_are_passed_over(interim: str) -> None:
    """Taken for the answer they would leave the real one to the next request on the connection."""
    early = f"HTTP/1.1 {interim}\r\nLink: </x>; rel=preload\r\n\r\n".encode()
    with (
        Peer(saying(early + early + answer(JOB), early + answer(BATCH, status="201 Created"))) as peer,
        client(peer.url) as made,
    ):
        assert made.get_job_info("750A").id == "750A"
        assert getattr(add(made), "id", None) == "751B"


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified", "200 OK"])
def test_bytes_behind_an_answer_are_not_the_next_one(status: str) -> None:
    stray = answer(batch_info("Queued", "751STRAY").encode(), status="201 Created") * 50

    def serve(peer: Peer, connection: socket.socket) -> None:
        peer.request(connection)
        connection.sendall(f"HTTP/1.1 {status}\r\nContent-Type: text/csv\r\nContent-Length: 0\r\n\r\n".encode() + stray)
        peer.request(connection)
        connection.sendall(answer(BATCH, status="201 Created"))

    # The second connection is answered as the second request on the first would be.
    answers = iter([serve, saying(answer(BATCH, status="201 Created"))])

    def in_turn(peer: Peer, connection: socket.socket) -> None:
        next(answers)(peer, connection)

    with Peer(in_turn) as peer, client(peer.url) as made:
        told = made.driver.transport.send(Request("GET", "/x"), peer.url + "/x", {}, streamed=False)
        assert told.body == b""
        assert getattr(add(made), "id", None) == "751B"


@pytest.mark.parametrize("token", [TOKEN + "\n", TOKEN + "\r\nX-Evil: 1", TOKEN + "€", TOKEN + "\0", "\udcff" + TOKEN])
def test_token_that_no_header_can_hold_is_told_without_showing_it(token: str) -> None:
    request = Request("GET", "/x")
    with Peer(saying(answer(JOB))) as peer, pytest.raises(errors.UsageError, match="header X-SFDC-Session") as caught:
        HTTP().send(request, peer.url, {"X-SFDC-Session": token}, streamed=False)
    assert "SECRET" not in held_by(caught.value)
    assert peer.seen == b""


QUOTING = {
    "no status line": SECRET + b"\r\n\r\n",
    "no status": b"HTTP/1.1 " + SECRET + b" OK\r\n\r\n",
    "no HTTP": b"HTTQ/1.1 200 " + SECRET + b"\r\n\r\n",
    "no header": HEAD + SECRET + b"\r\n\r\n",
    "no size of a chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + SECRET + b"\r\n",
    "cut": answer(SECRET, length=100),
    "cut chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\n50\r\n" + SECRET,
    "no gzip": answer(SECRET, "Content-Encoding: gzip"),
}


@pytest.mark.parametrize("what", list(QUOTING))
@each_call
def test_error_holds_nothing_of_what_came(what: str, call: Callable[[bulkforce.Client], object]) -> None:
    with (
        Peer(saying(QUOTING[what])) as peer,
        client(peer.url) as made,
        pytest.raises((errors.NoAnswer, errors.OutcomeUnknown)) as caught,
    ):
        call(made)
    told = held_by(caught.value)
    assert SECRET.decode() not in told
    assert TOKEN not in told
