"""Who may see the page and use the control calls: programs, and in a browser only this org's own pages.

A site that a user visits can send requests to the user's own machine, and with DNS rebinding even read the answers
under a name of its own. So the host name of a request must be one of this org's, and if a browser says where a request
comes from, that must be this org.
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

#: API calls need a session. Everything else shows this org's credentials, or changes it, without one.
_API = ("/services/", "/id/")
_HOST = re.compile(r"(?:\[(?P<six>[0-9a-f:.]+)\]|(?P<name>[a-z0-9._-]+?))\.?(?::\d{1,5})?")
_HARMLESS = frozenset({"GET", "HEAD"})


class HostError(ValueError):
    """A host name that is not one."""


class Guard:
    """Refuses strangers before anything else sees their requests. ASGI."""

    def __init__(self, app: ASGIApp, names: frozenset[str]) -> None:
        self._app = app
        self._names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on a request, or refuse it."""
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
            return 403, (
                "The name in Host is not one of this org's. "
                "Start it with --allow-host NAME, or Emulator(allow_hosts=[...])."
            )
        if is_api:
            return None
        own = tuple(f"{scheme}://{hosts[0]}" for scheme in ("http", "https"))
        if not all(f"{place}/".startswith(tuple(f"{one}/" for one in own)) for place in places) or not set(sites) <= {
            "same-origin",
            "none",
        }:
            return 403, "This request comes from another site. Type the address into the browser yourself."
        if (
            by_browser
            and scope["method"] not in _HARMLESS
            and list(map(media_type, said.get("content-type", ()))) != ["application/json"]
        ):
            return 415, "From a browser, only application/json is accepted."
        return None

    def _is_own(self, host: str, scope: Scope) -> bool:
        """Whether it is a local name of this machine, a name that was given, or the address of the connection."""
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
    """Read host names.

    Raises:
        HostError: One of them is not a host name.
    """
    found = {host: _name(f"[{host}]" if host.count(":") > 1 and not host.startswith("[") else host) for host in hosts}
    for host, name in found.items():
        if name is None:
            raise HostError(f"{host!r} is not a host name; give it without scheme and path, like emulator.test")
    return frozenset(name for name in found.values() if name is not None)


def _name(host: str) -> str | None:
    """The name in a Host header, without its port: a container's published port differs from the org's own."""
    found = _HOST.fullmatch(host.strip().lower())
    return None if found is None else found["six"] or found["name"]
