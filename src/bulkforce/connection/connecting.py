"""`connect`: find the org and the way to log in, and make a client of them."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from bulkforce import arguments
from bulkforce.async_client import AsyncClient
from bulkforce.client import Client
from bulkforce.connection import environment as variables_of
from bulkforce.connection import profiles, sf_cli
from bulkforce.connection.found import Found, Options
from bulkforce.connection.stored import StoredLogin
from bulkforce.connection.variables import Variables
from bulkforce.errors import NoSuchOrg, UsageError
from bulkforce.transport.stopping import in_thread

_LONGEST_SHOWN = 60


def connect(
    org: str | Mapping[str, str] | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    env_file: str | Path | None = None,
) -> Client:
    """Make a client for an org that you have logged in to, or that environment variables describe.

    With a name: what ``bulkforce login NAME`` stored, or an alias or user name of the Salesforce CLI (``sf``).

    Without one: bulkforce's variables, else the default of ``bulkforce login``, else the variables of dlt, Airflow and
    others, else the default org of ``sf``. The variables are ``BULKFORCE_ORG``, which holds a name as above, or
    ``BULKFORCE_INSTANCE_URL`` with one of: ``BULKFORCE_ACCESS_TOKEN``; ``BULKFORCE_CLIENT_ID`` and
    ``BULKFORCE_CLIENT_SECRET``, with or without ``BULKFORCE_REFRESH_TOKEN``; ``BULKFORCE_CLIENT_ID``,
    ``BULKFORCE_USERNAME`` and ``BULKFORCE_PRIVATE_KEY``; ``BULKFORCE_USERNAME``, ``BULKFORCE_PASSWORD`` and
    ``BULKFORCE_SECURITY_TOKEN``, by OAuth if there are ``BULKFORCE_CLIENT_ID`` and ``BULKFORCE_CLIENT_SECRET``, too.
    Each secret may come from a file instead: ``BULKFORCE_PASSWORD_FILE``. ``BULKFORCE_API_VERSION``,
    ``BULKFORCE_CA_BUNDLE``, ``BULKFORCE_PROXY`` and ``BULKFORCE_ALLOW_HTTP`` apply to every org.

    Args:
        org: The org's name; a mapping in its place is the environment.
        environment: The variables; by default ``os.environ``. Without a name, nothing but those given is looked at.
        env_file: A ``.env`` file, whose variables count if the environment describes no org.

    Raises:
        UsageError: No such org is known, or a variable is missing or invalid; the message names it and holds no secret.

    Example:
        >>> connect({"BULKFORCE_INSTANCE_URL": "https://acme.my.salesforce.com", "BULKFORCE_ACCESS_TOKEN": "00D..."})
        Client('https://acme.my.salesforce.com', version='66.0')
    """
    found, options = find(org, environment=environment, env_file=env_file)
    return found.client(options)


async def connect_async(
    org: str | Mapping[str, str] | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    env_file: str | Path | None = None,
) -> AsyncClient:
    """Make an `AsyncClient`; see `connect`."""
    found, options = await in_thread(lambda: find(org, environment=environment, env_file=env_file))
    return found.async_client(options)


def find(
    org: str | Mapping[str, str] | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    env_file: str | Path | None = None,
) -> tuple[Found, Options]:
    """Find the org, and what applies to it; see `connect`."""
    if isinstance(org, Mapping):
        if environment is not None:
            raise UsageError("The environment is given twice, once in place of the org's name; pass it once")
        org, environment = None, org
    if not isinstance(environment, Mapping | None) or not isinstance(org, str | None):
        wrong = environment if isinstance(org, str | None) else org
        raise UsageError(
            f"An org's name is a string, and an environment a mapping of names to texts, not {type(wrong).__name__}"
        )
    given = os.environ if environment is None else environment
    variables = Variables(given)
    options = variables_of.options(variables)
    if org is not None:
        return _by_name(org), options
    found = _of_variables(variables, "the environment")
    if found is None and env_file is not None:
        path = arguments.path(env_file, "The env_file")
        # Only as a whole: a file that happens to lie in a folder must not redirect a login that comes from elsewhere.
        file = Variables({**variables_of.of_file(path), **{name: text for name, text in given.items() if text}})
        found = _of_variables(file, f"the file {arguments.shown(str(path))}")
        if found is not None:
            found = replace(found, asked_for=False)
            options = options if file.plain(variables_of.ORG) else variables_of.options(file)
    if found is None and environment is None:
        found = _default()
    found = found or variables_of.of_other_tools(variables)
    if found is None and environment is None:
        found = _of_cli(None)
    if found is None:
        looked = "" if env_file is None else f". The file {arguments.shown(str(env_file))} has no such variables"
        raise UsageError(f"{variables_of.NOT_CONFIGURED}{looked}")
    return found, options


def _of_variables(variables: Variables, source: str) -> Found | None:
    name = variables.plain(variables_of.ORG)
    found = variables_of.of_own(variables, source)
    if name is None or found is None:
        return _by_name(name.text) if name else found
    raise UsageError(
        f"{variables_of.ORG} names an org, and {variables_of.URL} and others describe one; unset one or the other"
    )


def _by_name(name: str) -> Found:
    found = _stored(name) or _of_cli(name)
    if found is not None:
        return found
    if "://" in name or ("@" not in name and name.endswith(".com")):
        raise UsageError(
            "An org is named here, not given as a URL: log in with `bulkforce login NAME --url URL`, or set "
            f"{variables_of.URL}"
        )
    known = profiles.names()
    near = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}" if known else "none is stored yet"
    cli = (
        "nor does the Salesforce CLI know it" if sf_cli.program() else "and the Salesforce CLI (sf) is not on the PATH"
    )
    # What does not look like a name may be a misplaced token.
    is_name = profiles.is_name(name) and len(name) <= _LONGEST_SHOWN
    shown, typed = (arguments.shown(name), name) if is_name else ("of that name", "NAME")
    raise UsageError(f"There is no login {shown} ({hint}), {cli}; log in: bulkforce login {typed}")


def _default() -> Found | None:
    name = profiles.default()
    found = None if name is None else _stored(name)
    return None if found is None else replace(found, asked_for=False)


def _stored(name: str) -> Found | None:
    profile = profiles.read(name)
    if profile is None:
        return None
    return Found(f"the login {name}", StoredLogin(profile), profile.instance_url)


def _of_cli(name: str | None) -> Found | None:
    if sf_cli.program() is None:
        return None
    try:
        org = sf_cli.display(name)
    except NoSuchOrg:
        return None
    return Found("the Salesforce CLI", sf_cli.SfCli(org), org.instance_url, asked_for=name is not None)
