"""HTTP by urllib3: the only module that knows a HTTP library."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import BinaryIO, cast
from urllib.parse import unquote, urlsplit

import urllib3
from urllib3 import exceptions as faults

from bulkforce.errors import NoAnswer, NotSent, UsageError
from bulkforce.protocol.exchange import Answer, Request, Stream
from bulkforce.transport import gzip
from bulkforce.transport.base import TLS, Timeouts

_BLOCK_BYTES = 262_144
_POOL_CONNECTIONS = 32
# More than any error document or page; what is longer is not read to its end.
_REFUSAL_BYTES = 1_000_000


class HTTP:
    """A pool of connections. See `bulkforce.transport.base.Transport`."""

    def __init__(
        self, tls: TLS | None = None, proxy: str | None = None, timeouts: Timeouts | None = None, *, gzip_requests: bool = False
    ) -> None:
        timeouts = timeouts or Timeouts()
        self._gzip_requests = gzip_requests
        self._timeout = urllib3.Timeout(connect=timeouts.connect_seconds, read=timeouts.read_seconds)
        # Without settings of ours urllib3 makes its own context, with the system's authorities, when the first https connection needs it.
        context = None if tls is None else _context(tls)
        if proxy is None:
            self._pool = urllib3.PoolManager(maxsize=_POOL_CONNECTIONS, blocksize=_BLOCK_BYTES, ssl_context=context)
        else:
            try:
                given = urllib3.util.parse_url(proxy)
                if not given.host:
                    raise ValueError("no host")  # noqa: TRY301
                headers = urllib3.make_headers(proxy_basic_auth=unquote(given.auth)) if given.auth else None
                self._pool = urllib3.ProxyManager(
                    proxy, proxy_headers=headers, maxsize=_POOL_CONNECTIONS, blocksize=_BLOCK_BYTES, ssl_context=context
                )
            except (faults.HTTPError, ValueError):
                # The URL may hold a password: neither it nor the cause is shown.
                raise UsageError("The proxy is no URL of a HTTP proxy; it looks like http://user:password@proxy.acme.com:3128") from None

    def send(self, request: Request, url: str, headers: dict[str, str], *, streamed: bool) -> Answer:
        """Send one request; see `Transport.send`."""
        body, headers = self._body(request, headers)
        try:
            response = self._pool.request(
                request.method,
                url,
                headers=headers,
                body=body,
                timeout=self._timeout,
                retries=False,
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
        except (faults.HTTPError, OSError) as error:
            untouched = isinstance(body, _Watched) and not body.touched
            raise _fault(error, request, url, untouched=untouched) from error
        finally:
            if body is not None:
                body.close()
        headers = {name.lower(): value for name, value in response.headers.items()}
        answer = Answer(request, response.status, headers, framed=_is_framed(response.status, headers))
        stream = _Answering(response, answer)
        if streamed and response.status < 300:
            return replace(answer, stream=stream)
        return replace(answer, body=_read(stream, _REFUSAL_BYTES if response.status >= 300 else None))

    def close(self) -> None:
        """Close all connections, also where somebody still holds a stream."""
        pools = self._pool.pools
        for pool in filter(None, map(pools.get, pools.keys())):
            pool.close()
        self._pool.clear()

    def _body(self, request: Request, headers: dict[str, str]) -> tuple[_Watched | None, dict[str, str]]:
        if request.body is None:
            return None, headers
        if self._gzip_requests and request.compress:
            with request.body.open() as file:
                packed = gzip.compress(file)
            headers = {**headers, "Content-Encoding": "gzip", "Content-Length": str(len(packed))}
            return _Watched(request.body.of(packed).open(), len(packed)), headers
        return _Watched(request.body.open(), request.body.length), {**headers, "Content-Length": str(request.body.length)}


class _Watched:
    """A body of a known length that remembers whether it was read from: before that, the org cannot have acted."""

    def __init__(self, file: BinaryIO, length: int) -> None:
        self._file = file
        self._left = length
        self.touched = False

    def __iter__(self) -> Iterator[bytes]:
        self.touched = True
        while block := self._file.read(min(_BLOCK_BYTES, self._left)):
            self._left -= len(block)
            yield block
        if self._left:
            # The connection is closed with the request half said, so the org does not act on it.
            raise UsageError("The content became shorter while it was being sent")

    def close(self) -> None:
        self._file.close()


class _Answering:
    """The blocks of an answer, decoded. See `bulkforce.protocol.exchange.Stream`."""

    def __init__(self, response: urllib3.BaseHTTPResponse, answer: Answer) -> None:
        self._response = response
        self._answer = answer
        self.framed = answer.framed

    def __iter__(self) -> Iterator[bytes]:
        response = cast(urllib3.HTTPResponse, self._response)
        blocks: Iterator[bytes] = response.stream(_BLOCK_BYTES, decode_content=False)
        if self._answer.headers.get("content-encoding", "").lower() == "gzip":
            blocks = gzip.decompress(blocks)
        try:
            yield from blocks
        except (faults.HTTPError, OSError, EOFError, gzip.NotGzip) as error:
            response.close()
            raise NoAnswer(f"The answer broke off before its end ({_reason(error)})", self._answer.facts()) from error
        response.release_conn()

    def close(self) -> None:
        # A connection with an unread rest cannot be used again.
        self._response.close()


def _is_framed(status: int, headers: Mapping[str, str]) -> bool:
    """Whether an answer tells where it ends; a gzip file does so itself."""
    return (
        status in {204, 304}
        or "content-length" in headers
        or headers.get("transfer-encoding", "").lower() == "chunked"
        or headers.get("content-encoding", "").lower() == "gzip"
    )


def _read(stream: Stream, limit: int | None) -> bytes:
    pieces, size = [], 0
    for block in stream:
        pieces.append(block)
        size += len(block)
        if limit is not None and size > limit:
            stream.close()
            break
    return b"".join(pieces)


def _context(tls: TLS) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=str(tls.ca_bundle) if tls.ca_bundle else None)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(f"The CA bundle {tls.ca_bundle} cannot be read: {error}") from error
    if tls.client_certificate:
        key = str(tls.client_key) if tls.client_key else None
        try:
            context.load_cert_chain(str(tls.client_certificate), key, tls.client_key_password)
        except (OSError, ssl.SSLError) as error:
            raise UsageError(f"The client certificate {tls.client_certificate} or its key cannot be read: {error}") from error
    return context


def _fault(error: Exception, request: Request, url: str, *, untouched: bool) -> NotSent | NoAnswer:
    """Tell whether the org can have seen the request."""
    host, facts = urlsplit(url).netloc, request.facts()
    if isinstance(error, (faults.NameResolutionError, faults.LocationValueError, faults.LocationParseError)):
        return NotSent(f"The host {host} is not known; check the instance URL", facts, lasting=True)
    if isinstance(error, (faults.NewConnectionError, faults.ConnectTimeoutError)):
        return NotSent(f"No connection to {host} ({_reason(error)}); is it up, and is the port right?", facts)
    if isinstance(error, faults.ProxyError):
        return NotSent(f"The proxy did not let us through to {host} ({_reason(error)})", facts)
    if isinstance(error, faults.SSLError) and ("CERTIFICATE_VERIFY_FAILED" in str(error) or "doesn't match" in str(error)):
        return NotSent(
            f"The certificate of {host} is not trusted ({_reason(error)}); if the org is behind a company proxy, give its CA bundle",
            facts,
            lasting=True,
        )
    if isinstance(error, faults.SSLError) and (untouched or request.body is None):
        return NotSent(f"No TLS connection to {host} ({_reason(error)}); is it an https address?", facts, lasting=True)
    if untouched:
        return NotSent(f"The request did not go out to {host} ({_reason(error)})", facts)
    return NoAnswer(f"No answer came from {host} ({_reason(error)})", facts)


def _reason(error: BaseException) -> str:
    """The innermost cause, which says most."""
    while error.__cause__ or (isinstance(error, faults.ProtocolError) and len(error.args) > 1 and isinstance(error.args[1], Exception)):
        error = error.__cause__ or error.args[1]
    return f"{type(error).__name__}: {str(error)[:200]}"
