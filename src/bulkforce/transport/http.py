"""HTTP by urllib3. Only this module and `transport.connection` use an HTTP library."""

from __future__ import annotations

import http.client
import io
import os
import re
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import BinaryIO, cast
from urllib.parse import unquote, urlsplit

import urllib3
from urllib3 import exceptions as faults

from bulkforce import arguments
from bulkforce.errors import Error, NoAnswer, NotSent, UsageError
from bulkforce.protocol.exchange import Answer, Request
from bulkforce.transport import gzip, proxies
from bulkforce.transport.base import LARGEST_ANSWER_BYTES, TLS, Timeouts
from bulkforce.transport.connection import Connections, GaveUp, SecuredPool, Sending

_BLOCK_BYTES = 262_144
_POOL_CONNECTIONS = 32
# More than any error document or page; longer ones are not read to their end.
_REFUSAL_BYTES = 1_000_000


class HTTP:
    """A pool of connections. See `bulkforce.transport.base.Transport`.

    Args:
        tls: Certificate authorities and client certificate.
        proxy: URL of an HTTP proxy; by default that of the environment (``HTTPS_PROXY``, ``NO_PROXY``), which this
            machine's own addresses never use.
        timeouts: Limits on every wait.
        gzip_requests: Compress batches with gzip.
        largest_answer_bytes: The most bytes, after decompression, to read of an answer that is held in memory.
        clock: Returns the seconds on a clock that never goes back.
    """

    def __init__(
        self,
        tls: TLS | None = None,
        proxy: str | None = None,
        timeouts: Timeouts | None = None,
        *,
        gzip_requests: bool = False,
        largest_answer_bytes: int = LARGEST_ANSWER_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._timeouts = timeouts or Timeouts()
        self._gzip_requests = gzip_requests
        self._largest_answer_bytes = largest_answer_bytes
        self._clock = clock
        self._tls = tls
        self._proxy = proxy
        self._proxies = proxies.of_environment()
        self._pools: dict[str | None, urllib3.PoolManager] = {proxy: _manager(tls, proxy)}
        self._lock = threading.Lock()

    def send(self, request: Request, url: str, headers: dict[str, str], *, streamed: bool) -> Answer:
        """Send one request; see `Transport.send`."""
        _check_headers(headers)
        body, headers = self._body(request, headers)
        attempt = Sending(self._timeouts, self._clock)
        try:
            answering = self._ask(request, url, headers, body, attempt)
        finally:
            if body is not None:
                body.close()
        answer = answering.answer
        if answer.status < 300 and body is not None and not body.sent:
            # The org may refuse a request after reading only its head, but it cannot have carried out half of one.
            raise answering.given_up("The answer reports success, but the request was not sent completely")
        if streamed and answer.status < 300:
            return replace(answer, stream=answering)
        if answer.status < 300:
            return replace(answer, body=answering.whole(self._largest_answer_bytes))
        return replace(answer, body=answering.beginning(_REFUSAL_BYTES))

    def close(self) -> None:
        """Close all connections, including those whose streams are still being read."""
        with self._lock:
            managers = list(self._pools.values())
        for manager in managers:
            pools = manager.pools
            for pool in filter(None, map(pools.get, pools.keys())):
                pool.close()
            manager.clear()

    def _manager_for(self, url: str) -> tuple[urllib3.PoolManager, bool]:
        """Return the connections for a host, and whether they go through a proxy."""
        proxy = self._proxy or proxies.proxy_for(url, self._proxies)
        with self._lock:
            if proxy not in self._pools:
                self._pools[proxy] = _manager(self._tls, proxy, "The proxy of the environment (HTTPS_PROXY)")
            return self._pools[proxy], proxy is not None

    def _ask(
        self, request: Request, url: str, headers: dict[str, str], body: _Sending | None, attempt: Sending
    ) -> _Answering:
        manager, proxied = self._manager_for(url)
        try:
            with attempt.under_way():
                response = manager.urlopen(
                    request.method,
                    url,
                    headers=headers,
                    body=body,
                    timeout=min(self._timeouts.connect_seconds, self._timeouts.exchange_seconds),
                    retries=False,
                    redirect=False,
                    preload_content=False,
                    decode_content=False,
                )
            return _Answering(request, response, attempt)
        except Error:
            raise
        except Exception as error:  # noqa: BLE001  (libraries raise all kinds of errors for hostile peers; any of them leaves us in doubt)
            fault = self._fault(error, request, url, attempt, proxied=proxied)
        # Raised outside the handler so as not to chain the library's error, which may quote the answer.
        raise fault

    def _fault(
        self, error: Exception, request: Request, url: str, attempt: Sending, *, proxied: bool
    ) -> NotSent | NoAnswer:
        """Make an error that says whether the org can have seen the request."""
        host, facts = _host(url), request.facts()
        if attempt.begun:
            return NoAnswer(f"No answer from {host} ({_reason(error)})", facts)
        chain = list(_chain(error))
        way, which = (f"{host} through the proxy", f"{host}, or of the proxy,") if proxied else (host, host)
        if any(isinstance(each, (faults.NameResolutionError, faults.LocationValueError)) for each in chain):
            unknown = f"{host}, or the proxy's host," if proxied else host
            return NotSent(f"The host {unknown} cannot be found; check the instance URL", facts, lasting=True)
        if isinstance(chain[-1], OSError) and chain[-1].filename is not None:
            # Network errors carry no file name; see `_check_key_log`.
            return NotSent(_key_log_unwritable(chain[-1]), facts, lasting=True)
        if isinstance(chain[-1], ssl.SSLCertVerificationError):
            return NotSent(
                f"The certificate of {which} is not trusted ({_reason(error)}); if you are behind a company proxy, "
                "pass the company's CA bundle as ca_bundle of the client's TLS",
                facts,
                lasting=True,
            )
        if isinstance(chain[-1], ssl.SSLError):
            # A peer that hung up may not do so again.
            lasting = not isinstance(chain[-1], (ssl.SSLEOFError, ssl.SSLZeroReturnError))
            return NotSent(
                f"No TLS connection to {way} ({_reason(error)}); is it really an https address?", facts, lasting=lasting
            )
        if isinstance(chain[-1], TimeoutError):
            seconds = f"{self._timeouts.connect_seconds:g} s (connect_seconds of the client's Timeouts)"
            return NotSent(f"No connection to {way} within {seconds}; is it up, and is the port right?", facts)
        return NotSent(f"No connection to {way} ({_reason(error)}); is it up, and is the port right?", facts)

    def _body(self, request: Request, headers: dict[str, str]) -> tuple[_Sending | None, dict[str, str]]:
        if request.body is None:
            return None, headers
        try:
            if self._gzip_requests and request.compress:
                with request.body.open() as file:
                    packed = gzip.compress(file)
                headers = {**headers, "Content-Encoding": "gzip", "Content-Length": str(len(packed))}
                return _Sending(io.BytesIO(packed), len(packed)), headers
            return _Sending(request.body.open(), request.body.length), {
                **headers,
                "Content-Length": str(request.body.length),
            }
        except OSError as error:
            raise _unreadable(error) from error


class _Sending:
    """A request body of known length.

    Attributes:
        sent: Whether all of it was handed to the operating system.
    """

    def __init__(self, file: BinaryIO, length: int) -> None:
        self.sent = False
        self._file = file
        self._left = length

    def __iter__(self) -> Iterator[bytes]:
        while block := self._read(min(_BLOCK_BYTES, self._left)):
            self._left -= len(block)
            yield block
        if self._left:
            # This closes the connection in the middle of the request, so the org does not act on it.
            raise UsageError("The content became shorter while it was being sent")
        self.sent = True

    def close(self) -> None:
        self._file.close()

    def _read(self, size: int) -> bytes:
        try:
            return self._file.read(size)
        except OSError as error:
            # Otherwise it would be taken for an error of the network.
            raise _unreadable(error) from error


def _unreadable(error: OSError) -> UsageError:
    return UsageError(f"The content cannot be read: {error.strerror or type(error).__name__}")


class _Answering:
    """An answer whose head has arrived, and its content as decompressed blocks.

    See `bulkforce.protocol.exchange.Stream`.
    """

    def __init__(self, request: Request, response: urllib3.BaseHTTPResponse, attempt: Sending) -> None:
        headers = {name.lower(): value for name, value in response.headers.itermerged()}
        self._response = cast(urllib3.HTTPResponse, response)
        self._attempt = attempt
        packing = headers.get("content-encoding", "").strip().lower()
        self._packed = packing in {"gzip", "x-gzip"}
        length, chunks = headers.get("content-length"), headers.get("transfer-encoding")
        self.framed = response.status in {204, 304} or length is not None or chunks is not None or self._packed
        self.answer = Answer(request, response.status, headers, framed=self.framed)
        if response.status < 200:
            raise self.given_up("The peer switched to another protocol instead of answering")
        if not self._packed and packing not in {"", "identity"}:
            raise self.given_up(f"The answer has the content encoding {packing[:40]!r}, which was not asked for")
        if (chunks or "chunked").strip().lower() != "chunked" or not re.fullmatch("[0-9]{1,18}", length or "0"):
            raise self.given_up("The answer's headers do not say clearly where it ends")

    def __iter__(self) -> Iterator[bytes]:
        """Yield the content, of any size and at any pace; the time limit applies to each block of so many bytes."""
        self._attempt.renew()
        size = 0
        for block in self._blocks():
            size += len(block)
            with self._attempt.aside():
                yield block
            if size >= _BLOCK_BYTES:
                size = 0
                self._attempt.renew()

    def close(self) -> None:
        # A connection with unread content cannot be reused.
        self._response.close()

    def whole(self, limit: int) -> bytes:
        """Read all of the content."""
        content = self.beginning(limit)
        if len(content) > limit:
            raise NoAnswer(
                f"The answer is longer than {limit:,} bytes; if you expect such answers, raise largest_answer_bytes of "
                "the client",
                self.answer.facts(),
                lasting=True,
            )
        return content

    def beginning(self, limit: int) -> bytes:
        """Read to the end, or to just beyond the limit."""
        content = io.BytesIO()
        for block in self._blocks():
            content.write(block)
            if content.tell() > limit:
                self.close()
                break
        return content.getvalue()

    def _blocks(self) -> Iterator[bytes]:
        fault = None
        blocks = self._response.stream(_BLOCK_BYTES, decode_content=False)
        try:
            for block in gzip.decompress(blocks) if self._packed else blocks:
                self._attempt.progress()
                yield block
        except Exception as error:  # noqa: BLE001  (as above)
            fault = self.given_up(f"The answer broke off before its end ({_reason(error)})")
        if fault:
            raise fault
        self._response.release_conn()

    def given_up(self, why: str) -> NoAnswer:
        """Hang up, and return an error that says why."""
        self.close()
        return NoAnswer(why, self.answer.facts())


def _manager(tls: TLS | None, proxy: str | None, what: str = "The proxy") -> urllib3.PoolManager:
    manager = _made(tls, proxy, what)
    manager.pool_classes_by_scheme = {"http": Connections, "https": SecuredPool}
    return manager


def _made(tls: TLS | None, proxy: str | None, what: str) -> urllib3.PoolManager:
    _check_key_log()
    # Without a TLS of the user's, urllib3 makes its own context, with the system's certificate authorities, for the
    # first https connection.
    context = None if tls is None else _context(tls)
    if proxy is None:
        return urllib3.PoolManager(maxsize=_POOL_CONNECTIONS, blocksize=_BLOCK_BYTES, ssl_context=context)
    try:
        given = urllib3.util.parse_url(arguments.secret(proxy, "The proxy"))
        # A name server accepts only valid names; urllib3 escapes invalid characters with "%".
        (given.host or "").encode("idna")
        if given.host and given.port != 0 and proxy.isprintable() and not set(given.host) & set("% "):
            return urllib3.ProxyManager(
                proxy,
                proxy_headers=urllib3.make_headers(proxy_basic_auth=unquote(given.auth)) if given.auth else None,
                # A company's authority also vouches for its proxy; the client certificate is for the org only.
                proxy_ssl_context=None if tls is None else _context(TLS(ca_bundle=tls.ca_bundle)),
                maxsize=_POOL_CONNECTIONS,
                blocksize=_BLOCK_BYTES,
                ssl_context=context,
            )
    except UsageError:
        raise
    except (faults.HTTPError, ValueError):
        pass
    # The URL may contain a password: show neither it nor the cause.
    raise UsageError(f"{what} is not a valid URL of an HTTP proxy, such as http://user:password@proxy.acme.com:3128")


def _check_key_log() -> None:
    """Check that the file named by SSLKEYLOGFILE can be written: every TLS context, ours or urllib3's, opens it.

    Raises:
        UsageError: It cannot.
    """
    path = os.environ.get("SSLKEYLOGFILE")
    if not path or sys.flags.ignore_environment:
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).keylog_filename = path
    except OSError as error:
        raise UsageError(_key_log_unwritable(error)) from error


def _key_log_unwritable(error: OSError) -> str:
    reason = error.strerror or type(error).__name__
    return (
        f"The file named by the environment variable SSLKEYLOGFILE cannot be written ({reason}); unset the variable, "
        "or name a file that can be written"
    )


def _context(tls: TLS) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=None if tls.ca_bundle is None else os.fspath(tls.ca_bundle))
    except (OSError, ValueError) as error:
        raise UsageError(
            f"The CA bundle {arguments.shown(str(tls.ca_bundle))} cannot be read ({error}); it must be a PEM file of "
            "certificates, each beginning with -----BEGIN CERTIFICATE-----"
        ) from error
    if tls.client_certificate is not None:
        key = None if tls.client_key is None else os.fspath(tls.client_key)
        try:
            # With None, OpenSSL would ask for a key's password on the terminal.
            context.load_cert_chain(os.fspath(tls.client_certificate), key, tls.client_key_password or "")
        except (OSError, ValueError) as error:
            names = ", ".join(
                arguments.shown(str(one)) for one in (tls.client_certificate, tls.client_key) if one is not None
            )
            raise UsageError(
                f"The client certificate or its key cannot be read ({names}: {error}); pass PEM files that belong "
                "together, and client_key_password if the key has one"
            ) from error
    return context


def _check_headers(headers: Mapping[str, str]) -> None:
    for name, value in headers.items():
        if not re.fullmatch(r"[\t\x20-\x7e\x80-\xff]*", value):
            # The value may be a token, and the HTTP library's own error would quote it.
            raise UsageError(
                f"The header {name} contains a character that no header may (a line break, or a letter outside "
                "Latin-1); was a token read from a file together with its line end?"
            )


def _host(url: str) -> str:
    try:
        return urlsplit(url).netloc.rpartition("@")[2]
    except ValueError:
        return "in that URL"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Follow an error to its causes."""
    while error is not None:
        yield error
        error = error.__cause__ or next((each for each in error.args if isinstance(each, Exception)), None)


def _reason(error: Exception) -> str:
    """Describe the innermost cause, which says most.

    Quote only the system's texts and our own: others may quote the answer, and with it records.
    """
    *_, last = _chain(error)
    if isinstance(last, GaveUp):
        return str(last)
    name = type(last).__name__
    quoted = isinstance(last, OSError) or type(last) in {http.client.IncompleteRead, faults.IncompleteRead}
    return f"{name}: {''.join(filter(str.isprintable, str(last)))[:200]}" if quoted else name
