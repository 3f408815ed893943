"""`bulkforce orgs`, `bulkforce whoami` and `bulkforce limits`."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from bulkforce.cli.org import Org, client_for
from bulkforce.cli.streams import tell
from bulkforce.errors import Error, UsageError

if TYPE_CHECKING:
    from bulkforce.connection.sf_cli import ListedOrg

AsJson = Annotated[bool, typer.Option("--json", help="Print it as JSON.")]


def orgs(
    *,
    default: Annotated[
        str | None, typer.Option("--default", help="Make this login the default.", metavar="NAME")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the stored logins, which one is the default, and the orgs of the Salesforce CLI, which --org takes, too.

    Example: bulkforce orgs
    """
    from bulkforce.connection import profiles, sf_cli

    if default is not None:
        if profiles.read(default) is None:
            raise UsageError(f"There is no login of that name; known are: {', '.join(profiles.names()) or 'none'}")
        profiles.set_default(default)
    chosen = profiles.default()
    stored = [one for one in map(profiles.read, profiles.names()) if one]
    found = [
        {
            "name": one.name,
            "default": one.name == chosen,
            "instance_url": one.instance_url,
            "username": one.username,
            "way": one.way,
            "borrowed": False,
        }
        for one in stored
    ]
    try:
        found += _borrowed(sf_cli.listed(), {one.name for one in stored})
    except Error as error:
        tell(f"bulkforce: without the orgs of the Salesforce CLI: {error}")
    if as_json:
        print(json.dumps(found))
        return
    width = max((len(str(one["name"])) for one in found), default=0)
    for one in found:
        print(f"{'*' if one['default'] else ' '} {one['name']:<{width}}  {one['instance_url']}")
        print(f"      {', '.join(filter(None, (str(one['username']), str(one['way']))))}")
    if not stored:
        tell("No logins are stored; to log in: bulkforce login NAME")
    elif chosen:
        tell("* is the default")


def _borrowed(listed: Sequence[ListedOrg], stored: Collection[str]) -> list[dict[str, object]]:
    """Describe orgs of the CLI; an alias that is also a stored login's name means that login."""
    return [
        {
            "name": one.username if one.name in stored else one.name,
            "default": False,
            "instance_url": one.instance_url,
            "username": one.username,
            "way": f"borrowed from the Salesforce CLI{', its default' if one.is_default else ''}",
            "borrowed": True,
        }
        for one in listed
    ]


def whoami(*, org: Org = None, as_json: AsJson = False) -> None:
    """Show which org and user you are connected as.

    Example: bulkforce whoami --org prod
    """
    from bulkforce.protocol import rest
    from bulkforce.protocol.flow import ask, authenticate

    with client_for(org) as client:
        run = client.driver.run
        # First a call that renews the session: who is logged in, the org tells only valid ones, and not all of them.
        run(ask(rest.limits()))
        who, username = None, ""
        with suppress(Error):
            who = run(ask(rest.user_info()))
            username = who.username
            username = run(ask(rest.user_name(who.user_id))) or username
        url, version = run(authenticate()).instance_url, client.driver.version
    about = {
        "username": username,
        "user_id": who.user_id if who else "",
        "organization_id": who.organization_id if who else "",
        "instance_url": url,
        "api_version": version,
    }
    if as_json:
        print(json.dumps(about))
        return
    for label, value in about.items():
        print(f"{label.replace('_', ' ').replace('api', 'API').replace('url', 'URL'):<16} {value}".rstrip())
    if who is None:
        tell("The org does not say who is logged in: the app lacks the scope id")


def limits(*, org: Org = None, as_json: AsJson = False) -> None:
    """Show the org's limits and what is left of them.

    Example: bulkforce limits --org prod
    """
    from bulkforce.protocol import rest
    from bulkforce.protocol.flow import ask

    with client_for(org) as client:
        found = client.driver.run(ask(rest.limits()))
    if as_json:
        print(json.dumps({name: {"max": one.most, "remaining": one.remaining} for name, one in found.items()}))
        return
    first = ("DailyApiRequests", "DailyBulkApiBatches", "DailyBulkV2QueryJobs")
    width = max(map(len, found), default=0)
    for name in sorted(found, key=lambda name: (name not in first, name)):
        one = found[name]
        print(f"{name:<{width}}  {one.remaining:>13,} of {one.most:>13,} left")
