"""The application on a socket: uvicorn in a thread, on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from typing import TYPE_CHECKING

import uvicorn

if TYPE_CHECKING:
    import os

    from starlette.types import ASGIApp

    Path = str | os.PathLike[str]

_START_SECONDS = 20.0


def _protocol() -> type[asyncio.Protocol]:
    """The HTTP protocol of uvicorn, which also hands its transport to the application: faults cut connections."""
    try:
        from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol as Base
    except ImportError:
        from uvicorn.protocols.http.h11_impl import H11Protocol as Base  # type: ignore[assignment]

    class Protocol(Base):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            self.app_state = {**self.app_state, "transport": transport}
            super().connection_made(transport)

    return Protocol


class _Uvicorn(uvicorn.Server):
    """A server that starts and stops at once, not at its next tick: a test suite does so hundreds of times."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._leaving = asyncio.Event()

    async def main_loop(self) -> None:
        """Run until `leave` is called."""
        self._loop = asyncio.get_running_loop()
        self.up.set()
        while not self.should_exit:
            await self.on_tick(0)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._leaving.wait(), 1.0)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Hang up: clients that still talk to an org that is gone get no answer."""
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        for listening in sockets or []:
            listening.close()
        await asyncio.sleep(0)

    def leave(self) -> None:
        """Stop serving; from any thread."""
        self.should_exit = True
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._leaving.set)


class Server:
    """Serves an application from a thread until it is stopped."""

    def __init__(self, app: ASGIApp, *, host: str, port: int, tls: tuple[Path, Path] | None) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((host, port))
        except OSError:
            self._socket.close()
            raise
        self._socket.listen(1024)
        self.port: int = self._socket.getsockname()[1]
        self._server = _Uvicorn(
            uvicorn.Config(
                app,
                http=_protocol(),
                ws="none",
                lifespan="off",
                # The logging of the process stays as it is.
                log_config=None,
                log_level="critical",
                access_log=False,
                server_header=False,
                timeout_keep_alive=75,
                ssl_certfile=tls[0] if tls else None,
                ssl_keyfile=tls[1] if tls else None,
                ssl_version=ssl.PROTOCOL_TLS_SERVER,
            )
        )
        self._thread = threading.Thread(target=self._run, name="emulator-server", daemon=True)

    def _run(self) -> None:
        self._server.run(sockets=[self._socket])

    def start(self) -> None:
        """Start serving, and return once the server accepts connections.

        Raises:
            RuntimeError: The server did not come up in time.
        """
        self._thread.start()
        if not self._server.up.wait(_START_SECONDS):
            raise RuntimeError("the emulator's server did not start")

    def stop(self) -> None:
        """Stop serving, wait for the thread to end and close the socket."""
        self._server.leave()
        self._thread.join()
        self._socket.close()
