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


def client_for(
    org: str | None, *, quiet: bool = False, poll: float | None = None, max_api_calls: int | None = None
) -> Client:
    """Make the client for a command; if the user did not name the org, say which one is taken, and why.

    Args:
        org: The value of ``--org``.
        quiet: Say nothing.
        poll: Seconds between two looks at a job.
        max_api_calls: How many requests may be made.
    """
    from bulkforce import arguments
    from bulkforce.connection.connecting import find

    if poll is not None:
        # typer lets NaN through.
        arguments.seconds(poll, "--poll", 0.1)

    here = Path(".env")
    found, options = find(org, env_file=here if here.is_file() else None)
    if not found.asked_for and not quiet:
        tell(f"bulkforce: the org is {found.instance_url or 'that of the login'} ({found.source})")
    client = found.client(options)
    client.driver.look_seconds, client.driver.most_calls = poll, max_api_calls
    return client
