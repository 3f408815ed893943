"""Real sockets, and everything that goes wrong with them."""

from __future__ import annotations

import base64
import gzip
import io
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from tests.support.script import batch_info, job_info, xml
from tests.wire.peers import PATIENCE_SECONDS, Nobody, Peer, answer, saying, tunnel

import bulkforce
from bulkforce import TLS, errors
from bulkforce.protocol.exchange import Body, Request
from bulkforce.transport.base import Timeouts
from bulkforce.transport.http import HTTP

TOKEN = "00D000000000001!SECRET.of_a_test"
JOB = job_info().encode()
BATCH = batch_info("Queued").encode()
CSV = b'"Id"\n' + b'"003"\n' * 5_000
LARGE = b"LastName,Description\n" + (b"M," + b"x" * 900 + b"\n") * 9_900
ONCE = bulkforce.RetryPolicy(attempts=1)
SHORT = Timeouts(connect_seconds=0.2, read_seconds=0.2)


def client(url: str, **options: Any) -> bulkforce.Client:
    return bulkforce.Client(
        url,
        bulkforce.BearerToken(TOKEN),
        **{"retry": ONCE, "timeouts": Timeouts(PATIENCE_SECONDS, PATIENCE_SECONDS), **options},
    )


def adding(made: bulkforce.Client, content: bytes | Path = b"LastName\nM\n") -> Callable[[], Any]:
    from bulkforce.protocol import wire_xml
    from bulkforce.protocol.exchange import Answer, Request

    job = wire_xml.job_info(Answer(Request("GET", "/"), 200, {}, JOB))
    return lambda: made.add_batch(job, content)


@pytest.fixture
def refused_port() -> Iterator[int]:
    with Nobody() as nobody:
        yield nobody.port


def test_dead_port_is_not_sent(refused_port: int) -> None:
    with client(f"http://127.0.0.1:{refused_port}") as made:
        for call in (lambda: made.get_job_info("750A"), adding(made)):
            with pytest.raises(errors.NotSent, match="is it up, and is the port right") as caught:
                call()
            assert not caught.value.lasting


def test_dead_port_is_tried_again(refused_port: int) -> None:
    pauses: list[float] = []
    with client(f"http://127.0.0.1:{refused_port}", retry=bulkforce.RetryPolicy(attempts=3)) as made:
        made.driver.sleep = pauses.append
        with pytest.raises(errors.NotSent):
            adding(made)()
    assert len(pauses) == 2


@pytest.mark.parametrize("host", ["no-such-org.invalid", "a" * 60 + ".invalid"])
def test_unknown_host_is_told_at_once(host: str) -> None:
    with client(f"https://{host}", retry=bulkforce.RetryPolicy(attempts=5)) as made:
        made.driver.sleep = lambda _: pytest.fail("there is no use in waiting")
        with pytest.raises(errors.NotSent, match="check the instance URL") as caught:
            made.get_job_info("750A")
        assert caught.value.lasting


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def bundle(ca: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    ca.cert_pem.write_to_path(str(path))
    return path


def secured(ca: trustme.CA, name: str, *, clients: trustme.CA | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(name).configure_cert(context)
    if clients:
        clients.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
        # So that the refusal comes in the handshake, not with the first answer.
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


def test_certificate_of_our_own_authority_is_trusted_when_told(ca: trustme.CA, bundle: Path) -> None:
    with (
        Peer(saying(answer(JOB)), secured(ca, "127.0.0.1")) as peer,
        client(peer.url, tls=TLS(ca_bundle=bundle)) as made,
    ):
        assert made.get_job_info("750A").id == "750A"


@pytest.mark.parametrize("case", ["other name", "unknown authority"])
def test_certificate_that_does_not_match_is_refused_before_anything_is_said(
    ca: trustme.CA, bundle: Path, case: str
) -> None:
    tls = TLS(ca_bundle=bundle) if case == "other name" else TLS()
    name = "other.example" if case == "other name" else "127.0.0.1"
    with Peer(saying(answer(JOB)), secured(ca, name)) as peer, client(peer.url, tls=tls) as made:
        for call in (lambda: made.get_job_info("750A"), adding(made)):
            with pytest.raises(errors.NotSent, match="is not trusted") as caught:
                call()
            assert caught.value.lasting
        assert peer.heads == []


def test_plain_server_at_an_https_address_is_told() -> None:
    def speak(_peer: Peer, connection: socket.socket) -> None:
        connection.recv(1)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with Peer(speak) as peer, client(peer.url.replace("http:", "https:")) as made:
        for call in (lambda: made.get_job_info("750A"), adding(made)):
            with pytest.raises(errors.NotSent, match="No TLS connection"):
                call()


def test_client_certificate_is_shown_where_it_is_demanded(ca: trustme.CA, bundle: Path, tmp_path: Path) -> None:
    mine = ca.issue_cert("me@acme.example")
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    mine.private_key_pem.write_to_path(str(key))
    for pem in mine.cert_chain_pems:
        pem.write_to_path(str(chain), append=True)
    tls = TLS(ca_bundle=bundle, client_certificate=chain, client_key=key)
    with Peer(saying(answer(JOB)), secured(ca, "127.0.0.1", clients=ca)) as peer, client(peer.url, tls=tls) as made:
        assert made.get_job_info("750A").id == "750A"


def test_client_certificate_that_is_missing_is_told(ca: trustme.CA, bundle: Path) -> None:
    with (
        Peer(saying(answer(JOB)), secured(ca, "127.0.0.1", clients=ca)) as peer,
        client(peer.url, tls=TLS(ca_bundle=bundle)) as made,
    ):
        with pytest.raises(errors.NotSent, match="No TLS connection"):
            adding(made)()
        assert peer.heads == []


@pytest.mark.parametrize("name", ["ca_bundle", "client_certificate"])
def test_tls_file_that_cannot_be_read_is_told_when_the_client_is_made(name: str, tmp_path: Path) -> None:
    bad = tmp_path / "bad.pem"
    bad.write_text("no certificate")
    for path in (bad, tmp_path / "none.pem"):
        with pytest.raises(errors.UsageError, match="cannot be read"):
            client(
                "https://acme.my.salesforce.com",
                tls=TLS(ca_bundle=path) if name == "ca_bundle" else TLS(client_certificate=path),
            )


@pytest.mark.parametrize(
    ("credentials", "expected"),
    [("", None), ("user:pass@", "user:pass"), ("us%40er:p%3Ass@", "us@er:p:ss")],
    ids=["none", "plain", "escaped"],
)
def test_https_goes_through_a_tunnel(ca: trustme.CA, bundle: Path, credentials: str, expected: str | None) -> None:
    with Peer(saying(answer(JOB)), secured(ca, "acme.test")) as org, Peer(tunnel) as proxy:
        url = f"https://acme.test:{org.port}"
        with client(url, tls=TLS(ca_bundle=bundle), proxy=f"http://{credentials}127.0.0.1:{proxy.port}") as made:
            assert made.get_job_info("750A").id == "750A"
        (head,) = proxy.heads
        assert head.startswith(f"CONNECT acme.test:{org.port} ")
        given = [
            line.partition("Basic ")[2] for line in head.splitlines() if line.lower().startswith("proxy-authorization:")
        ]
        assert [base64.b64decode(each).decode() for each in given] == ([expected] if expected else [])
        assert TOKEN not in head
        assert TOKEN in org.heads[0]
        assert "roxy-" not in org.heads[0]


def test_plain_http_is_forwarded_by_a_proxy() -> None:
    with Peer(tunnel) as proxy, client("http://127.0.0.1:9", proxy=proxy.url) as made:
        assert (
            made.get_batch_request("750A", "751B")
            == b"http://127.0.0.1:9/services/async/66.0/job/750A/batch/751B/request"
        )


@pytest.mark.parametrize("status", ["407 Proxy Authentication Required", "403 Forbidden", "502 Bad Gateway"])
def test_proxy_that_refuses_is_told_and_nothing_was_sent(status: str) -> None:
    def refuse(peer: Peer, connection: socket.socket) -> None:
        peer.head(connection)
        connection.sendall(answer(b"<html>", status=status, media="text/html"))

    with (
        Peer(refuse) as proxy,
        client("https://acme.test", proxy=f"http://user:SECRETPASS@127.0.0.1:{proxy.port}") as made,
    ):
        for call in (lambda: made.get_job_info("750A"), adding(made)):
            with pytest.raises(errors.NotSent, match="proxy") as caught:
                call()
            assert "SECRETPASS" not in str(caught.value)


def test_dead_proxy_is_not_sent(refused_port: int) -> None:
    with client("https://acme.test", proxy=f"http://user:SECRETPASS@127.0.0.1:{refused_port}") as made:
        with pytest.raises(errors.NotSent, match="proxy") as caught:
            adding(made)()
        assert "SECRETPASS" not in str(caught.value)


@pytest.mark.parametrize(
    "proxy", ["socks5://user:SECRETPASS@127.0.0.1:1", "http://user:SECRETPASS@host:port", "127.0.0.1", "", "http://"]
)
def test_proxy_that_is_none_is_refused_without_showing_it(proxy: str) -> None:
    with pytest.raises(errors.UsageError, match="proxy") as caught:
        client("https://acme.test", proxy=proxy)
    assert "SECRETPASS" not in f"{caught.value!s}{caught.value.__cause__}"


@pytest.mark.parametrize("kept", [10, len(JOB) - 1])
def test_cut_body_is_no_answer(kept: int) -> None:
    with (
        Peer(saying(answer(JOB[:kept], length=len(JOB)))) as peer,
        client(peer.url) as made,
        pytest.raises(errors.NoAnswer, match="broke off"),
    ):
        made.get_job_info("750A")


def test_cut_chunk_is_no_answer() -> None:
    head = answer(b"", "Transfer-Encoding: chunked", media="text/csv", length=None)
    for body in (b"5\r\nabc", b"3\r\nabc\r\n", b"zz\r\n"):
        with (
            Peer(saying(head + body)) as peer,
            client(peer.url) as made,
            pytest.raises(errors.NoAnswer, match="broke off"),
        ):
            made.get_batch_request("750A", "751B")


def test_document_cut_without_a_length_is_refused() -> None:
    with (
        Peer(saying(answer(JOB[:-3], length=None))) as peer,
        client(peer.url) as made,
        pytest.raises(errors.ProtocolError),
    ):
        made.get_job_info("750A")


def framings(body: bytes) -> dict[str, tuple[bytes, bool]]:
    """Answers with that body, and whether each tells where it ends."""
    chunked = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    head = answer(b"", "Transfer-Encoding: chunked", media="text/csv", length=None)
    return {
        "length": (answer(body, media="text/csv"), True),
        "chunks": (head + chunked, True),
        "gzip": (answer(gzip.compress(body), "Content-Encoding: gzip", media="text/csv", length=None), True),
        "nothing": (answer(body, media="text/csv", length=None), False),
    }


@pytest.mark.parametrize("framing", list(framings(b"")))
def test_answer_tells_whether_a_cut_would_be_noticed(framing: str) -> None:
    from bulkforce.protocol import bulk1
    from bulkforce.protocol.flow import ask

    whole, framed = framings(CSV)[framing]
    with Peer(saying(whole, whole)) as peer, client(peer.url) as made:
        told = made.driver.run(ask(bulk1.get_raw_result("750A", "751B")))
        assert (told.body, told.framed) == (CSV, framed)
        with made.get_query_result("750A", "751B", "752C") as stream:
            assert stream.framed is framed
            assert stream.read() == CSV


def test_cut_gzip_is_no_answer_even_without_a_length() -> None:
    packed = gzip.compress(CSV)
    for cut in (1, 10, len(packed) // 2, len(packed) - 1):
        with (
            Peer(saying(answer(packed[:cut], "Content-Encoding: gzip", media="text/csv", length=None))) as peer,
            client(peer.url) as made,
        ):
            stream = made.get_query_result("750A", "751B", "752C")
            with stream, pytest.raises(errors.NoAnswer, match="broke off"):
                stream.read()


def test_body_that_is_no_gzip_is_no_answer() -> None:
    with (
        Peer(saying(answer(JOB, "Content-Encoding: gzip"))) as peer,
        client(peer.url) as made,
        pytest.raises(errors.NoAnswer),
    ):
        made.get_job_info("750A")


def test_gzip_is_read_and_asked_for() -> None:
    packed = answer(gzip.compress(CSV), "Content-Encoding: gzip", media="text/csv")
    with Peer(saying(packed, packed)) as peer, client(peer.url) as made:
        assert made.get_batch_request("750A", "751B") == CSV
        with made.get_query_result("750A", "751B", "752C") as stream:
            assert b"".join(stream) == CSV
        assert all("accept-encoding: gzip\r\n" in head.lower() for head in peer.heads)


def test_batch_is_gzipped_when_told() -> None:
    content = b"LastName\n" + b"Morkel\n" * 5_000
    with Peer(saying(answer(BATCH, status="201 Created"))) as peer, client(peer.url, gzip_requests=True) as made:
        adding(made, content)()
        assert "content-encoding: gzip" in peer.heads[0].lower()
        assert gzip.decompress(peer.bodies[0]) == content
        assert len(peer.bodies[0]) < len(content) // 10


def test_early_refusal_while_uploading_is_read() -> None:
    """A server that refuses by the head alone need not read the body."""

    def refuse(peer: Peer, connection: socket.socket) -> None:
        peer.head(connection)
        document = xml(
            "error", "<exceptionCode>InvalidJobState</exceptionCode><exceptionMessage>closed</exceptionMessage>"
        ).encode()
        connection.sendall(answer(document, status="400 Bad Request"))
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65_536):
            pass

    with Peer(refuse) as peer, client(peer.url) as made, pytest.raises(errors.InvalidRequest) as caught:
        adding(made, LARGE)()
    assert (caught.value.status, caught.value.code) == (400, "InvalidJobState")


def test_early_success_while_uploading_is_none() -> None:
    """It may be another's, or the answer to something that was half read."""

    def answer_early(peer: Peer, connection: socket.socket) -> None:
        peer.head(connection)
        connection.sendall(answer(BATCH, status="201 Created"))
        # Closing with bytes unread resets the connection under the upload.

    with Peer(answer_early) as peer, client(peer.url) as made, pytest.raises(errors.OutcomeUnknown):
        adding(made, LARGE)()


def test_connection_cut_while_uploading_is_an_unknown_outcome() -> None:
    def cut(peer: Peer, connection: socket.socket) -> None:
        peer.head(connection)
        connection.recv(1_000)

    with Peer(cut) as peer, client(peer.url) as made, pytest.raises(errors.OutcomeUnknown):
        adding(made, LARGE)()


def wait_for_the_end(peer: Peer, connection: socket.socket) -> None:
    peer.request(connection)
    peer.done.wait(PATIENCE_SECONDS)


def test_slow_answer_ends_with_the_time_limit() -> None:
    begun = time.monotonic()
    with Peer(wait_for_the_end) as peer, client(peer.url, timeouts=SHORT) as made:
        with pytest.raises(errors.NoAnswer):
            made.get_job_info("750A")
        with pytest.raises(errors.OutcomeUnknown):
            adding(made)()
        peer.done.set()
    assert time.monotonic() - begun < PATIENCE_SECONDS


def test_body_that_stops_ends_with_the_time_limit() -> None:
    def stop(peer: Peer, connection: socket.socket) -> None:
        peer.request(connection)
        connection.sendall(answer(CSV[:100], media="text/csv", length=len(CSV)))
        peer.done.wait(PATIENCE_SECONDS)

    with Peer(stop) as peer, client(peer.url, timeouts=SHORT) as made:
        with made.get_query_result("750A", "751B", "752C") as stream, pytest.raises(errors.NoAnswer, match="broke off"):
            stream.read()
        peer.done.set()


def test_handshake_that_stops_is_not_sent() -> None:
    def stop(peer: Peer, connection: socket.socket) -> None:
        connection.recv(1)
        peer.done.wait(PATIENCE_SECONDS)

    with Peer(stop) as peer, client(peer.url.replace("http:", "https:"), timeouts=SHORT) as made:
        with pytest.raises(errors.NotSent):
            adding(made)()
        peer.done.set()


@pytest.mark.parametrize(
    "status",
    ["301 Moved Permanently", "302 Found", "303 See Other", "307 Temporary Redirect", "308 Permanent Redirect"],
)
def test_redirect_never_carries_the_session_to_another_host(status: str) -> None:
    with Peer(saying(answer(JOB))) as thief:
        away = answer(b"", f"Location: {thief.url}/services/async/66.0/job/750A?sid=1", status=status)
        with Peer(saying(away, away)) as peer, client(peer.url) as made:
            for call in (lambda: made.get_job_info("750A"), adding(made)):
                with pytest.raises((errors.Intercepted, errors.OutcomeUnknown), match="redirects to"):
                    call()
        assert thief.heads == []


def test_refusal_of_any_size_is_read_in_part_only() -> None:
    def flood(peer: Peer, connection: socket.socket) -> None:
        peer.request(connection)
        connection.sendall(answer(b"<html><title>Flood</title>", status="503 Busy", media="text/html", length=10**12))
        while True:
            connection.sendall(b" " * 65_536)

    with Peer(flood) as peer, client(peer.url) as made, pytest.raises(errors.Unavailable, match="Flood"):
        made.get_job_info("750A")


def test_answer_of_one_connection_does_not_leak_into_the_next() -> None:
    """A stream that is closed early gives up its connection."""

    def twice(peer: Peer, connection: socket.socket) -> None:
        while True:
            peer.request(connection)
            body = CSV if "/result/" in peer.heads[-1] else JOB
            media = "text/csv" if body is CSV else "application/xml"
            connection.sendall(
                f"HTTP/1.1 200 OK\r\nContent-Type: {media}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
            )

    with Peer(twice) as peer, client(peer.url) as made:
        for _ in range(3):
            with made.get_query_result("750A", "751B", "752C") as stream:
                assert stream.read(4) == b'"Id"'
            assert made.get_job_info("750A").id == "750A"


def test_file_that_grows_while_it_is_sent_is_not_sent_beyond_its_length(tmp_path: Path) -> None:
    """What is more would be read as the next request."""
    file = tmp_path / "rows.csv"
    file.write_bytes(LARGE)

    def serve(peer: Peer, connection: socket.socket) -> None:
        head = peer.head(connection)
        with file.open("ab") as growing:
            growing.write(b"GET /evil HTTP/1.1\r\n\r\n" * 100_000)
        left = int(next(line for line in head.splitlines() if line.startswith("Content-Length")).partition(":")[2])
        while left:
            left -= len(connection.recv(min(left, 65_536)))
        connection.sendall(answer(BATCH, status="201 Created"))
        peer.bodies.append(connection.recv(100))

    with Peer(serve) as peer, client(peer.url) as made:
        batch = adding(made, file)()
        assert batch.id == "751B"
        made.close()
    assert peer.bodies == [b""]


def test_file_that_shrinks_while_it_is_sent_breaks_the_request_off(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_bytes(LARGE)

    def serve(peer: Peer, connection: socket.socket) -> None:
        peer.head(connection)
        with file.open("r+b") as shrinking:
            shrinking.truncate(100)
        while connection.recv(65_536):
            pass

    with Peer(serve) as peer, client(peer.url) as made, pytest.raises(errors.UsageError, match="shorter"):
        adding(made, file)()


class _Failing(io.BytesIO):
    """A file on a disk that gives up; the system's word for it may be one that the network has, too."""

    def __init__(self, error: OSError) -> None:
        super().__init__(b"LastName\n")
        self.error = error

    def read(self, size: int | None = -1) -> bytes:
        content = super().read(size)
        if content:
            return content
        raise self.error


@pytest.mark.parametrize(
    "error", [OSError(5, "Input/output error"), BrokenPipeError(32, "Broken pipe"), ConnectionResetError(104, "reset")]
)
def test_file_that_cannot_be_read_while_it_is_sent_is_not_taken_for_the_network(error: OSError) -> None:
    def serve(peer: Peer, connection: socket.socket) -> None:
        peer.head(connection)
        while connection.recv(65_536):
            pass

    request = Request("POST", "/x", body=Body(lambda: _Failing(error), 1_000))
    with Peer(serve) as peer, pytest.raises(errors.UsageError, match="cannot be read"):
        HTTP(None, None, SHORT).send(request, peer.url, {}, streamed=False)


@pytest.mark.parametrize("gzip_requests", [False, True])
def test_file_that_is_gone_when_it_is_sent_is_told(tmp_path: Path, refused_port: int, gzip_requests: bool) -> None:
    request = Request("POST", "/x", body=Body((tmp_path / "gone.csv").open, 10), compress=True)  # type: ignore[arg-type]
    with pytest.raises(errors.UsageError, match="cannot be read: No such file"):
        HTTP(gzip_requests=gzip_requests).send(request, f"http://127.0.0.1:{refused_port}", {}, streamed=False)
