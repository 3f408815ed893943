"""Who may see the page and pull the strings: programs, and this org's own pages in a browser; no other site's.

A site that a user visits can send requests to the user's own machine, and by DNS rebinding even read the answers under a name of its own. So the name
that was asked for must be one of this org's, and what a browser says of where a request comes from must be this org.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import TYPE_CHECKING

import orjson
from starlette.responses import Response

from bulkforce_emulator.wire.bulk1_request import media_type

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import ASGIApp, Receive, Scope, Send

#: Calls of the API prove who they are with a session; all else shows this org's credentials, or changes it, unasked.
_API = ("/services/", "/id/")
_HOST = re.compile(r"(?:\[(?P<six>[0-9a-f:.]+)\]|(?P<name>[a-z0-9._-]+?))\.?(?::\d{1,5})?")
_HARMLESS = frozenset({"GET", "HEAD"})


class HostError(ValueError):
    """What was given as a host's name is none."""


class Guard:
    """Sends strangers away before anything else sees them. ASGI."""

    def __init__(self, app: ASGIApp, names: frozenset[str]) -> None:
        self._app = app
        self._names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(scope) if scope["type"] == "http" else None
        if refusal is None:
            await self._app(scope, receive, send)
            return
        status, why = refusal
        headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
        await Response(orjson.dumps({"error": why}), status, headers, "application/json")(scope, receive, send)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        """Status and reason."""
        is_api = scope["path"].startswith(_API)
        said: dict[str, list[str]] = {}
        for name, value in scope["headers"]:
            said.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1").strip().lower())
        places = [*said.get("origin", ()), *said.get("referer", ())]
        sites = said.get("sec-fetch-site", [])
        by_browser = bool(places or sites) or any(agent.startswith("mozilla/") for agent in said.get("user-agent", ()))
        if is_api and not by_browser:
            return None
        hosts = said.get("host", [])
        if len(hosts) != 1 or not self._is_own(hosts[0], scope):
            return 403, "This org does not go by the name in Host. Start it with --allow-host NAME, or Emulator(allow_hosts=[...])."
        if is_api:
            return None
        own = tuple(f"{scheme}://{hosts[0]}" for scheme in ("http", "https"))
        if not all(f"{place}/".startswith(tuple(f"{one}/" for one in own)) for place in places) or not set(sites) <= {
            "same-origin",
            "none",
        }:
            return 403, "Another site asks for this. Type the address into the browser yourself."
        if by_browser and scope["method"] not in _HARMLESS and list(map(media_type, said.get("content-type", ()))) != ["application/json"]:
            return 415, "From a browser, only application/json is taken."
        return None

    def _is_own(self, host: str, scope: Scope) -> bool:
        """Whether it is a name of this machine for itself, one that was given, or the address that the connection came in by."""
        name = _name(host)
        if name is None:
            return False
        if name in self._names or name == "localhost" or name == (scope.get("server") or ("",))[0]:
            return True
        try:
            return ip_address(name).is_loopback
        except ValueError:
            return False


def names(hosts: Iterable[str]) -> frozenset[str]:
    """Read names of hosts.

    Raises:
        HostError: One of them is none.
    """
    found = {host: _name(f"[{host}]" if host.count(":") > 1 and not host.startswith("[") else host) for host in hosts}
    for host, name in found.items():
        if name is None:
            raise HostError(f"{host!r} is no host's name; give it without scheme and path, as in emulator.test")
    return frozenset(name for name in found.values() if name is not None)


def _name(host: str) -> str | None:
    """The name in a Host header, without its port: one behind a published port of a container is another than the org's own."""
    found = _HOST.fullmatch(host.strip().lower())
    return None if found is None else found["six"] or found["name"]
