"""Which org a command works with: its option, and the client."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bulkforce.cli.streams import tell

if TYPE_CHECKING:
    from bulkforce.client import Client

Org = Annotated[
    str | None,
    typer.Option(
        "--org",
        help="The org: a name from bulkforce login, or an alias of the Salesforce CLI; by default what the environment "
        "or the .env file here says, or the default org.",
        metavar="NAME",
    ),
]


def client_for(org: str | None, *, quiet: bool = False) -> Client:
    """Make the client for a command; if the user did not name the org, say which one is taken, and why.

    Args:
        org: The value of ``--org``.
        quiet: Say nothing.
    """
    from bulkforce.connection.connecting import find

    here = Path(".env")
    found, options = find(org, env_file=here if here.is_file() else None)
    if not found.asked_for and not quiet:
        tell(f"bulkforce: the org is {found.instance_url or 'that of the login'} ({found.source})")
    return found.client(options)
