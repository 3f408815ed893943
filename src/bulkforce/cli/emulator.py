"""`bulkforce emulator`: an org of your own, until you stop it."""

from __future__ import annotations

import json
import signal
import sys
import threading
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
        int, typer.Option(help="Port to listen on; 0 takes a free one.", min=0, max=65_535, metavar="N")
    ] = 0,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(help="Another host name for its page and control calls; may be repeated.", metavar="NAME"),
    ] = None,
    session_id: Annotated[
        str | None, typer.Option(help="Session id to accept; by default one is made up.", metavar="S")
    ] = None,
    schema: Annotated[
        Path | None,
        typer.Option(
            help="TOML or JSON file with objects and fields to add to the standard ones.",
            exists=True,
            dir_okay=False,
            metavar="FILE",
        ),
    ] = None,
    settings: Annotated[
        Path | None,
        typer.Option(
            help="TOML or JSON file with limits, and choices where it is not known what Salesforce does.",
            exists=True,
            dir_okay=False,
            metavar="FILE",
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Folder of CSV and JSON files, one per object (1-Account.csv), with records to begin with.",
            exists=True,
            file_okay=False,
            metavar="FOLDER",
        ),
    ] = None,
    persist: Annotated[
        Path | None,
        typer.Option(
            help="DuckDB file that keeps the records from one run to the next; jobs are not kept.",
            dir_okay=False,
            metavar="FILE",
        ),
    ] = None,
    tls: Annotated[bool, typer.Option("--tls", help="Serve https, with a certificate made for it.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print base URL, session id and all other credentials as one JSON line.")
    ] = False,
) -> None:
    """Serve an emulated org until Ctrl-C.

    Example: bulkforce emulator --port 8080 --session-id secret --schema my.toml --data records --persist org.duckdb
    """
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    # What a file has kept is not seeded again.
    seeded = None if persist is not None and arguments.path(persist, "The file of --persist").exists() else data
    org_class = emulator_class()
    with _told_as_options(schema, settings):
        org = org_class(
            schema,
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
                f"Anyone who reaches {host} can use and control this org and read its credentials: use it only in a "
                "network you trust.",
                file=sys.stderr,
            )
        _announce_as_json(org) if as_json else _announce(org, persist)
        stop.wait()
    finally:
        org.stop()


@contextmanager
def _told_as_options(schema: Path | None, settings: Path | None) -> Iterator[None]:
    """Say which option is at fault when an org cannot be made."""
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
    except ValueError as error:  # the emulator's SchemaError, and what the readers of TOML and JSON raise
        raise typer.BadParameter(
            f"{schema or ''}: {error}".removeprefix(": "), param_hint="--schema" if schema else None
        ) from error


def is_loopback(host: str) -> bool:
    """Whether an address is for this machine alone."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _announce_as_json(org: Emulator) -> None:
    about = {
        "base_url": org.base_url, "session_id": org.session_id, "username": org.username, "password": org.password,
        "client_id": org.client_id, "client_secret": org.client_secret, "refresh_token": org.refresh_token,
        "ca_bundle": None if org.ca_bundle is None else str(org.ca_bundle),
    }  # fmt: skip
    print(json.dumps(about), flush=True)


def _announce(org: Emulator, persist: Path | None) -> None:
    # The variables are data, to be pasted or evaluated by a shell; the rest is talk.
    print("An emulated org is at your service. In another terminal:\n", file=sys.stderr)
    print(
        f"export BULKFORCE_INSTANCE_URL='{org.base_url}'\nexport BULKFORCE_ACCESS_TOKEN='{org.session_id}'", flush=True
    )
    if org.ca_bundle is not None:
        for name in ("BULKFORCE_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"):
            print(f"export {name}='{org.ca_bundle}'", flush=True)
    end = f"its records stay in {persist}" if persist else "its records go with it"
    print(
        f"\nand then, for instance: python examples/insert_csv.py\nSee its jobs at {org.base_url}/\nCtrl-C ends it; "
        f"{end}.",
        file=sys.stderr,
    )
