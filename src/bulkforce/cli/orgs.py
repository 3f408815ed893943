"""`bulkforce orgs`, `bulkforce whoami` and `bulkforce limits`."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Annotated

import typer

from bulkforce.cli.org import Org, client_for
from bulkforce.cli.streams import tell
from bulkforce.errors import UsageError

AsJson = Annotated[bool, typer.Option("--json", help="Print it as JSON.")]


def orgs(
    *,
    default: Annotated[
        str | None, typer.Option("--default", help="Make this login the default.", metavar="NAME")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the stored logins, and which one is the default. Orgs of the Salesforce CLI are known by their aliases, too.

    Example: bulkforce orgs
    """
    from bulkforce.connection import profiles

    if default is not None:
        if profiles.read(default) is None:
            raise UsageError(f"There is no login of that name; known are: {', '.join(profiles.names()) or 'none'}")
        profiles.set_default(default)
    chosen = profiles.default()
    stored = [one for one in map(profiles.read, profiles.names()) if one]
    if as_json:
        print(
            json.dumps(
                [
                    {
                        "name": one.name,
                        "default": one.name == chosen,
                        "instance_url": one.instance_url,
                        "username": one.username,
                        "way": one.way,
                    }
                    for one in stored
                ]
            )
        )
        return
    for one in stored:
        mark = "*" if one.name == chosen else " "
        print(f"{mark} {one.name:<15} {one.instance_url}  {one.username}  ({one.way})")
    if not stored:
        tell("No logins are stored; to log in: bulkforce login NAME")
    elif chosen:
        tell("* is the default")


def whoami(*, org: Org = None, as_json: AsJson = False) -> None:
    """Show which org and user you are connected as.

    Example: bulkforce whoami --org prod
    """
    from bulkforce.errors import Error
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
