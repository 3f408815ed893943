"""`connect`: find the org and the way to log in, and make a client of them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from bulkforce import arguments
from bulkforce.async_client import AsyncClient
from bulkforce.client import Client
from bulkforce.connection import environment as variables_of
from bulkforce.connection.found import Found, Options
from bulkforce.connection.variables import Variables
from bulkforce.errors import UsageError
from bulkforce.transport.stopping import in_thread


def connect(
    environment: Mapping[str, str] | None = None,
    *,
    env_file: str | Path | None = None,
) -> Client:
    """Make a client from environment variables: bulkforce's own, or else those of dlt, Airflow and others.

    Set ``BULKFORCE_INSTANCE_URL`` with one of: ``BULKFORCE_ACCESS_TOKEN``; ``BULKFORCE_CLIENT_ID`` and
    ``BULKFORCE_CLIENT_SECRET``, with or without ``BULKFORCE_REFRESH_TOKEN``; ``BULKFORCE_CLIENT_ID``,
    ``BULKFORCE_USERNAME`` and ``BULKFORCE_PRIVATE_KEY``; ``BULKFORCE_USERNAME``, ``BULKFORCE_PASSWORD`` and
    ``BULKFORCE_SECURITY_TOKEN``. Each secret may come from a file instead: ``BULKFORCE_PASSWORD_FILE``.
    ``BULKFORCE_API_VERSION``, ``BULKFORCE_CA_BUNDLE``, ``BULKFORCE_PROXY`` and ``BULKFORCE_ALLOW_HTTP`` apply to every
    org.

    Args:
        environment: The variables; by default ``os.environ``.
        env_file: A ``.env`` file, whose variables count if the environment describes no org.

    Raises:
        UsageError: A variable is missing or invalid; the message names it and holds no secret.

    Example:
        >>> connect({"BULKFORCE_INSTANCE_URL": "https://acme.my.salesforce.com", "BULKFORCE_ACCESS_TOKEN": "00D..."})
        Client('https://acme.my.salesforce.com', version='66.0')
    """
    found, options = find(environment, env_file=env_file)
    return found.client(options)


async def connect_async(
    environment: Mapping[str, str] | None = None,
    *,
    env_file: str | Path | None = None,
) -> AsyncClient:
    """Make an `AsyncClient`; see `connect`."""
    found, options = await in_thread(lambda: find(environment, env_file=env_file))
    return found.async_client(options)


def find(
    environment: Mapping[str, str] | None = None,
    *,
    env_file: str | Path | None = None,
) -> tuple[Found, Options]:
    """Find the org, and what applies to it; see `connect`."""
    if not isinstance(environment, Mapping | None):
        raise UsageError(f"An environment is a mapping of names to texts, not {type(environment).__name__}")
    given = os.environ if environment is None else environment
    variables = Variables(given)
    options = variables_of.options(variables)
    found = variables_of.of_own(variables)
    if found is None and env_file is not None:
        path = arguments.path(env_file, "The env_file")
        # Only as a whole: a file that happens to lie in a folder must not redirect a login that comes from elsewhere.
        own = Variables({**variables_of.of_file(path), **{name: text for name, text in given.items() if text}})
        found = variables_of.of_own(own, f"the file {arguments.shown(str(path))}")
        options = variables_of.options(own) if found else options
    found = found or variables_of.of_other_tools(variables)
    if found is None:
        raise UsageError(variables_of.NOT_CONFIGURED)
    return found, options
