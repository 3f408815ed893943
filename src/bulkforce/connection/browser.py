"""Waiting on this machine for the browser that the org sends back after a login."""

from __future__ import annotations

import html
import os
import queue
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from bulkforce import arguments
from bulkforce.errors import Error, NotAuthenticated, UsageError

DEFAULT: Final = "http://localhost:1717/OauthRedirect"
"""The callback that the Salesforce CLI uses, too: many apps have it already."""

_SILENT_SECONDS: Final = 10.0
_PAGE: Final = (
    "<!doctype html><html lang=en><meta charset=utf-8><title>bulkforce</title>"
    "<body style='font:1.2em system-ui;margin:4em auto;max-width:32em'><p>{}</p></body></html>"
)


def check_callback(url: str) -> tuple[int, str]:
    """Check a callback; return its port and path.

    Raises:
        UsageError: No app can have registered it, or the browser cannot reach this process by it.
    """
    parts = urlsplit(arguments.url(url, "The callback"))
    if parts.scheme != "http" or parts.hostname != "localhost" or not parts.port:
        raise UsageError(
            f"The callback must be http://localhost:PORT/path, such as {DEFAULT} (Salesforce registers no http "
            "callback for 127.0.0.1), and equal a line of the app's callback URLs"
        )
    return parts.port, parts.path


@contextmanager
def listening(callback: str, state: str) -> Iterator[queue.Queue[Mapping[str, str]]]:
    """Listen for the browser, on IPv4 and, where there is one, IPv6.

    Args:
        callback: The callback, as registered with the app.
        state: The word that the browser must bring back; requests without it are not from this login.

    Yields:
        A queue that gets what the browser brings.

    Raises:
        Error: The port is taken.
    """
    port, path = check_callback(callback)
    brought: queue.Queue[Mapping[str, str]] = queue.Queue()
    handler = type("_Callback", (_Handler,), {"path_expected": path, "state": state, "brought": brought})
    with ExitStack() as stack:
        for kind, address in ((_Server, "127.0.0.1"), (_Server6, "::1")):
            try:
                server = kind((address, port), handler)
            except OSError as error:
                if kind is _Server:
                    raise Error(
                        f"Cannot listen on localhost, port {port}: {error.strerror}. Another program uses it, perhaps "
                        "another login that still waits; end it, or register another callback with the app and pass "
                        "it as --callback"
                    ) from error
                continue
            stack.callback(server.server_close)
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
            stack.callback(server.shutdown)
        yield brought


def wait(brought: queue.Queue[Mapping[str, str]], callback: str, seconds: float) -> Mapping[str, str]:
    """Wait for what the browser brings.

    Raises:
        NotAuthenticated: It did not come in time; the message names the usual causes.
    """
    until = time.monotonic() + seconds
    while True:
        try:
            # In small steps, since Ctrl-C cannot interrupt a long one on Windows.
            return brought.get(timeout=max(0.0, min(0.5, until - time.monotonic())))
        except queue.Empty:
            if time.monotonic() >= until:
                break
    raise NotAuthenticated(
        f"The browser did not come back within {seconds:g} s. The usual causes: (1) the app is not installed in this "
        "org, and the browser shows OAUTH_APPROVAL_ERROR_GENERIC or OAUTH_EC_APP_NOT_FOUND: an administrator must "
        "install it (Setup, Connected Apps OAuth Usage, Install, or External Client App Manager). (2) The callback is "
        f"not registered, and the browser shows redirect_uri_mismatch: add the line {callback} to the app's callback "
        "URLs. (3) The browser runs on another machine than this program, as with a container or a remote shell: log "
        "in with --device, --jwt or --client-credentials"
    )


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # Otherwise a second login within a minute finds the port taken by the first one's closed connection. On Windows,
    # two programs could then listen on one port.
    allow_reuse_address = os.name != "nt"


class _Server6(_Server):
    address_family = socket.AF_INET6


class _Handler(BaseHTTPRequestHandler):
    timeout = _SILENT_SECONDS
    path_expected: str
    state: str
    brought: queue.Queue[Mapping[str, str]]

    def do_GET(self) -> None:
        """Take what the browser brings."""
        parts = urlsplit(self.path)
        brought = dict(parse_qsl(parts.query, keep_blank_values=True))
        # Some refusals come without the state; the worst that a stranger can do by one is to end the wait.
        ours = brought.get("state", "") == self.state or ("error" in brought and "state" not in brought)
        if parts.path != (self.path_expected or "/"):
            self._say(404, "Nothing is here.")
        elif not ours or not {"code", "error"} & brought.keys():
            self._say(400, "This is not the answer to the login that bulkforce waits for.")
        else:
            refused = "error" in brought
            self._say(
                200,
                "The login was refused. The terminal says why, and what to do."
                if refused
                else "The login has arrived. Close this page and return to the terminal.",
            )
            self.brought.put(brought)

    def do_OPTIONS(self) -> None:
        """Answer a browser that asks before it sends a page of the internet to this machine."""
        self.send_response(204)
        self.send_header("Access-Control-Allow-Methods", "GET")
        self.send_header("Access-Control-Allow-Private-Network", "true")
        self.end_headers()

    def _say(self, status: int, text: str) -> None:
        page = _PAGE.format(html.escape(text)).encode()
        self.send_response(status)
        for name, value in (
            ("Content-Type", "text/html; charset=utf-8"),
            ("Content-Length", str(len(page))),
            ("Cache-Control", "no-store"),
            ("Referrer-Policy", "no-referrer"),
            ("Connection", "close"),
        ):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        """Log nothing: requests hold the code."""
