"""`bulkforce emulator`: an org of your own, until you stop it."""

from __future__ import annotations

import json
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bulkforce.cli.extras import emulator_class
from bulkforce.errors import Error

if TYPE_CHECKING:
    from bulkforce_emulator import Emulator


def emulator(
    *,
    host: Annotated[str, typer.Option(help="Address to listen on.", metavar="ADDRESS")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.", min=0, max=65_535, metavar="N")] = 0,
    session_id: Annotated[str | None, typer.Option(help="Session id to accept; by default one is made up.", metavar="S")] = None,
    schema: Annotated[
        Path | None,
        typer.Option(
            help="TOML or JSON file with objects and fields to add to the standard ones.", exists=True, dir_okay=False, metavar="FILE"
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print base URL and session id as one JSON line.")] = False,
) -> None:
    """Serve a fresh emulated org until Ctrl-C.

    Example: bulkforce emulator --port 8080 --session-id secret
    """
    announce = _announce_as_json if as_json else _announce
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    org = _make(schema, host, port, session_id)
    try:
        org.start()
    except OSError as error:
        raise Error(f"Cannot listen on {host}, port {port}: {error.strerror}") from error
    try:
        announce(org.base_url, org.session_id)
        stop.wait()
    finally:
        org.stop()


def _make(schema: Path | None, host: str, port: int, session_id: str | None) -> Emulator:
    org_class = emulator_class()
    try:
        return org_class(schema, host=host, port=port, session_id=session_id)
    except ValueError as error:  # the emulator's SchemaError, and what the readers of TOML and JSON raise
        raise typer.BadParameter(f"{schema}: {error}", param_hint="--schema") from error


def _announce_as_json(base_url: str, session_id: str) -> None:
    print(json.dumps({"base_url": base_url, "session_id": session_id}), flush=True)


def _announce(base_url: str, session_id: str) -> None:
    # The two facts are data, to be pasted or evaluated by a shell; the rest is talk.
    print("An emulated org is at your service. In another terminal:\n", file=sys.stderr)
    print(f"export BULKFORCE_INSTANCE_URL='{base_url}'\nexport BULKFORCE_ACCESS_TOKEN='{session_id}'", flush=True)
    print("\nand then, for instance: python examples/insert_csv.py\nCtrl-C ends it; its records go with it.", file=sys.stderr)
