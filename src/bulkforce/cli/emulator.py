"""`bulkforce emulator`: an emulated org that runs until you stop it."""

from __future__ import annotations

import json
import signal
import sys
import threading
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from bulkforce import arguments
from bulkforce.cli.extras import emulator_class
from bulkforce.errors import Error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bulkforce_emulator import Emulator


def emulator(
    *,
    host: Annotated[str, typer.Option(help="Address to listen on.", metavar="ADDRESS")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(help="Port to listen on; 0 picks a free one.", min=0, max=65_535, metavar="N")
    ] = 0,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            help="Another host name under which its web page and control calls may be used; can be repeated.",
            metavar="NAME",
        ),
    ] = None,
    session_id: Annotated[
        str | None, typer.Option(help="Session id to accept; by default a generated one.", metavar="ID")
    ] = None,
    schema: Annotated[
        Path | None,
        typer.Option(
            help="TOML or JSON file of objects and fields to add to the standard ones.",
            exists=True,
            dir_okay=False,
            metavar="FILE",
        ),
    ] = None,
    describe: Annotated[
        Path | None,
        typer.Option(
            help="Folder that `bulkforce describe --save` made: the objects of your own org.",
            exists=True,
            file_okay=False,
            metavar="FOLDER",
        ),
    ] = None,
    settings: Annotated[
        Path | None,
        typer.Option(
            help="TOML or JSON file of limits, and of choices where Salesforce's behaviour is not known.",
            exists=True,
            dir_okay=False,
            metavar="FILE",
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Folder of CSV and JSON files, one per object (1-Account.csv), with records to start with.",
            exists=True,
            file_okay=False,
            metavar="FOLDER",
        ),
    ] = None,
    persist: Annotated[
        Path | None,
        typer.Option(
            help="DuckDB file that keeps the records between runs; jobs are not kept.",
            dir_okay=False,
            metavar="FILE",
        ),
    ] = None,
    tls: Annotated[bool, typer.Option("--tls", help="Serve https, with a generated certificate.")] = False,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Print the base URL, session id and all other credentials as one line of JSON."),
    ] = False,
) -> None:
    """Run an emulated org until Ctrl-C.

    Example: bulkforce emulator --port 8080 --session-id secret --schema my.toml --data records --persist org.duckdb
    """
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    # An existing file already holds the records.
    seeded = None if persist is not None and arguments.path(persist, "The file of --persist").exists() else data
    org_class = emulator_class()
    with _option_named(schema, settings, describe):
        org = org_class(
            schema,
            describe=describe,
            settings=settings,
            host=host,
            port=port,
            allow_hosts=allow_host or (),
            session_id=session_id,
            data=seeded,
            database=str(persist or ":memory:"),
            tls=tls,
        )
    try:
        try:
            org.start()
        except OSError as error:
            raise Error(f"Cannot listen on {host[:255]}, port {port}: {error.strerror}") from error
        if not is_loopback(host):
            print(
                f"Warning: anyone who can reach {host} can use and control this org and read its credentials; run it "
                "only in a network that you trust.",
                file=sys.stderr,
            )
        _announce_as_json(org) if as_json else announce(org, persist)
        stop.wait()
    finally:
        org.stop()


@contextmanager
def _option_named(schema: Path | None, settings: Path | None, describe: Path | None) -> Iterator[None]:
    """Name the option at fault if the org cannot be created."""
    from bulkforce_emulator import HostError, SeedError, SettingsError, StoreError

    try:
        yield
    except (SeedError, FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError) as error:
        raise typer.BadParameter(str(error), param_hint="--data") from error
    except HostError as error:
        raise typer.BadParameter(str(error), param_hint="--allow-host") from error
    except StoreError as error:
        raise typer.BadParameter(str(error), param_hint="--persist") from error
    except SettingsError as error:
        raise typer.BadParameter(f"{settings}: {error}", param_hint="--settings") from error
    except ValueError as error:  # the emulator's SchemaError, and errors of the TOML and JSON parsers
        hint = "--schema" if schema else "--describe" if describe else None
        raise typer.BadParameter(f"{schema or ''}: {error}".removeprefix(": "), param_hint=hint) from error


def is_loopback(host: str) -> bool:
    """Return whether an address can be reached from this machine only."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _announce_as_json(org: Emulator) -> None:
    about = {
        "base_url": org.base_url, "session_id": org.session_id, "username": org.username, "password": org.password,
        "security_token": org.security_token, "client_id": org.client_id, "client_secret": org.client_secret,
        "refresh_token": org.refresh_token, "ca_bundle": None if org.ca_bundle is None else str(org.ca_bundle),
    }  # fmt: skip
    print(json.dumps(about), flush=True)


def announce(org: Emulator, persist: Path | None) -> None:
    """Print how to reach an org: variables for a shell to evaluate, and what to do with them."""
    # The variables go to stdout, for a shell to evaluate; the rest goes to stderr.
    print("The emulated org is running. In another terminal, set:\n", file=sys.stderr)
    print(
        f"export BULKFORCE_INSTANCE_URL='{org.base_url}'\nexport BULKFORCE_ACCESS_TOKEN='{org.session_id}'", flush=True
    )
    if org.base_url.startswith("http:") and not is_loopback(urlsplit(org.base_url).hostname or ""):
        print("export BULKFORCE_ALLOW_HTTP=1", flush=True)
    if org.ca_bundle is not None:
        for name in ("BULKFORCE_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"):
            print(f"export {name}='{org.ca_bundle}'", flush=True)
    end = f"its records stay in {persist}" if persist else "its records are then gone"
    print(
        f"\nThen try, for example: bulkforce objects\nIts jobs are at {org.base_url}/\nPress Ctrl-C to stop it; {end}.",
        file=sys.stderr,
    )
