"""Answers that nobody would make up, and addresses: all that they provoke is errors of ours.

Seeded, so that what fails fails again.
"""

from __future__ import annotations

import gzip
import random
import socket
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
import trustme
from tests.support.chains import held_by
from tests.support.script import batch_info, job_info, xml
from tests.wire.peers import PATIENCE_SECONDS, Peer, answer

import bulkforce
from bulkforce import TLS, errors
from bulkforce.protocol import bulk1
from bulkforce.protocol.exchange import Body, Request
from bulkforce.protocol.flow import ask
from bulkforce.transport.base import Timeouts
from bulkforce.transport.http import HTTP
from bulkforce.vocabulary import ContentType

AMPLE = Timeouts(PATIENCE_SECONDS, PATIENCE_SECONDS, PATIENCE_SECONDS)
TOKEN = "00D000000000001!SECRET.of_a_test"
SECRET = b"4111-1111"
CSV = b'"Id","Card__c"\n' + b'"003000000000001AAA","' + SECRET + b'"\n' * 5
REFUSED = xml("error", "<exceptionCode>InvalidBatch</exceptionCode><exceptionMessage>no</exceptionMessage>").encode()


def chunked(body: bytes, *headers: str) -> bytes:
    borders = [0, 1, len(body) // 2, len(body)]
    head = answer(b"", "Transfer-Encoding: chunked", *headers, media="text/csv", length=None)
    return (
        head
        + b"".join(b"%x\r\n%b\r\n" % (end - begin, body[begin:end]) for begin, end in pairwise(borders))
        + b"0\r\nX: y\r\n\r\n"
    )


SOUND = [
    answer(job_info().encode()),
    answer(batch_info("Queued").encode(), status="201 Created"),
    answer(CSV, media="text/csv"),
    answer(CSV, media="text/csv", length=None),
    answer(gzip.compress(CSV), "Content-Encoding: gzip", media="text/csv"),
    answer(gzip.compress(CSV) * 2, "Content-Encoding: gzip", media="text/csv", length=None),
    chunked(CSV),
    chunked(gzip.compress(CSV), "Content-Encoding: gzip"),
    answer(REFUSED, status="400 Bad Request"),
    answer(gzip.compress(REFUSED), "Content-Encoding: gzip", "Retry-After: 5", status="503 Busy"),
    b"HTTP/1.1 100 Continue\r\n\r\n" + answer(job_info().encode()),
    answer(b"", "Location: http://127.0.0.1:9/x", status="302 Found"),
    answer(b"", status="204 No Content"),
]
PIECES = [
    *[
        b"\r\n",
        b"\n",
        b"\r",
        b"\0",
        b" ",
        b":",
        b";",
        b"-1",
        b"0",
        b"99999999999999999999",
        b"\xff\xfe",
        b"0x10",
        b"\x1f\x8b\x08",
        b"=?utf-8?q?x?=",
    ],
    *[
        b"Content-Length: 3\r\n",
        b"Content-Length: -3\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Content-Encoding: br\r\n",
    ],
    *[
        b"Content-Encoding: gzip\r\n",
        b"Content-Type: multipart/mixed; boundary=x\r\n",
        b"Content-Type: text/html; charset=\xff\r\n",
    ],
    *[
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n",
        b"HTTP/0.9 200 OK",
        b"HTTP/2 200\r\n\r\n",
        b"Retry-After: 1e999\r\n",
    ],
]


def mutated(content: bytes, chance: random.Random) -> bytes:
    """Change it in some places, most of them in the head."""
    changed = bytearray(content)
    for _ in range(chance.choice([1, 1, 2, 3, 8])):
        reach = len(changed) if chance.random() < 0.5 else min(len(changed), 150)
        begin = chance.randrange(reach + 1)
        end = min(begin + chance.choice([0, 1, 1, 2, 5, 30]), len(changed))
        match chance.randrange(5):
            case 0:
                changed[begin:end] = chance.choice(PIECES)
            case 1:
                changed[begin:end] = chance.randbytes(end - begin)
            case 2:
                del changed[begin:end]
            case 3:
                changed[begin:begin] = changed[begin:end] * chance.choice([1, 3, 200])
            case 4:
                del changed[begin + (len(changed) - begin) // 2 :]
    return bytes(changed)


def add(made: bulkforce.Client) -> None:
    made.driver.run(ask(bulk1.add_batch("750A", ContentType.CSV, Body.of(b"LastName\nM\n"))))


def read(made: bulkforce.Client) -> None:
    with made.get_query_result("750A", "751B", "752C") as stream:
        stream.read()


CALLS: list[Callable[[bulkforce.Client], object]] = [
    lambda made: made.get_job_info("750A"),
    lambda made: made.get_batch_request("750A", "751B"),
    add,
    read,
]


def provoked(call: Callable[[bulkforce.Client], object], made: bulkforce.Client) -> errors.Error | None:
    try:
        call(made)
    except errors.Error as error:
        return error
    return None


@pytest.mark.parametrize("seed", range(10))
def test_answers_that_make_no_sense_are_told_as_errors_of_ours(seed: int, caplog: pytest.LogCaptureFixture) -> None:
    chance = random.Random(seed)

    def serve(peer: Peer, connection: socket.socket) -> None:
        peer.request(connection)
        connection.sendall(said[-1])

    said: list[bytes] = []
    http = HTTP(None, None, AMPLE, largest_answer_bytes=1_000_000)
    with (
        Peer(serve) as peer,
        bulkforce.Client(
            peer.url, bulkforce.BearerToken(TOKEN), retry=bulkforce.RetryPolicy(1), transport=http
        ) as made,
    ):
        for number in range(200):
            said.append(mutated(chance.choice(SOUND), chance))
            print(said[-1])  # pytest shows it when the test fails
            error = provoked(CALLS[number % len(CALLS)], made)
            told = held_by(error) if error else ""
            assert TOKEN not in told
            assert SECRET.decode() not in told
    assert [record.message for record in caplog.records if SECRET.decode() in record.getMessage()] == []


@pytest.mark.parametrize("seed", range(3))
def test_proxies_that_make_no_sense_are_told_as_not_sent(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    consent = b"HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n"

    def serve(peer: Peer, connection: socket.socket) -> None:
        peer.head(connection)
        connection.sendall(mutated(consent, chance))

    with Peer(serve) as proxy:
        # With a bundle, since the system's is dear to read for each connection.
        trustme.CA().cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        http = HTTP(TLS(ca_bundle=tmp_path / "ca.pem"), proxy.url, AMPLE)
        for _ in range(100):
            with pytest.raises(errors.NotSent):
                http.send(Request("GET", "/x"), "https://acme.test/x", {}, streamed=False)


ADDRESSES = [
    *[
        "",
        "x",
        "http://",
        "http:///x",
        "ftp://127.0.0.1/x",
        "http://127.0.0.1:99999/x",
        "http://127.0.0.1:-1/x",
        "http://127.0.0.1:x/x",
    ],
    *[
        "http://[::1",
        "http://[::1]x:1/x",
        "http://127.0.0.1:1/\x00",
        "http://127.0.0.1:1/ä\ud800",
        "http://127.0.0.1:1/%zz%",
        "//127.0.0.1:1/x",
    ],
    *[
        "http://\x00/x",
        "http://127.0.0.1\r\nX: y:1/x",
        "http://127.0.0.1:٣/x",
        "http://ä..invalid/x",
        "http://" + "a" * 300 + ".invalid/x",
    ],
    *[
        "http://127.0.0.1:1/" + "x" * 100_000,
        "http://127.0.0.1:1/x y\r\nZ: 1",
        "http://a@b@127.0.0.1:1/x",
        "http://127.0.0.1:0/x",
    ],
]


@pytest.mark.parametrize("proxied", [False, True], ids=["direct", "proxy"])
@pytest.mark.parametrize("address", ADDRESSES, ids=range(len(ADDRESSES)))
@pytest.mark.filterwarnings("ignore:URLs without a scheme:FutureWarning")
def test_addresses_that_make_no_sense_are_told_as_errors_of_ours(address: str, proxied: bool, nobody: str) -> None:
    http = HTTP(None, nobody if proxied else None, AMPLE)
    with pytest.raises((errors.NotSent, errors.NoAnswer) if proxied else errors.NotSent):
        http.send(Request("POST", "/x", body=Body.of(b"x")), address, {}, streamed=False)


@pytest.fixture(scope="module")
def nobody() -> Iterator[str]:
    """A proxy that hangs up."""
    with Peer(lambda _peer, connection: connection.close()) as peer:
        yield peer.url


PROXIES = [
    *[
        "http://user:SECRETPASS@[::1",
        "http://user:SECRETPASS@127.0.0.1:99999",
        "http://us€r:SECRETPASS@127.0.0.1:1",
        "gopher://user:SECRETPASS@x",
    ],
    *[
        "http://user:SECRETPASS%ff%0a@\x00:1",
        "http://user:SECRETPASS@",
        "://user:SECRETPASS@x",
        "http://user:SECRETPASS@127.0.0.1:1\r\nX: y",
    ],
]


@pytest.mark.parametrize("proxy", PROXIES, ids=range(len(PROXIES)))
def test_proxies_whose_address_makes_no_sense_never_show_their_password(proxy: str) -> None:
    with pytest.raises((errors.UsageError, errors.NotSent)) as caught:
        HTTP(None, proxy, AMPLE).send(Request("GET", "/x"), "https://acme.test/x", {}, streamed=False)
    assert "SECRETPASS" not in held_by(caught.value)
