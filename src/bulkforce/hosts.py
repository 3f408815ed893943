"""The org's URL as people paste it: out of the browser's address bar, without a scheme, with a path, or cut short.

Source: Salesforce's help on host names, and what its own command line and other clients accept.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from bulkforce import arguments
from bulkforce.errors import UsageError

PRODUCTION: Final = "https://login.salesforce.com"
SANDBOX: Final = "https://test.salesforce.com"

# What the host of the browser's address bar ends with, and what the same org's API host ends with.
_API_HOSTS: Final = {
    ".lightning.force.com": ".my.salesforce.com",
    ".my.salesforce-setup.com": ".my.salesforce.com",
    ".lightning.crmforce.mil": ".my.salesforce.mil",
    ".lightning.sfcrmapps.cn": ".my.sfcrmproducts.cn",
}
_SALESFORCE: Final = (".salesforce.com", ".salesforce.mil", ".sfcrmproducts.cn", ".cloudforce.com", ".force.com")
_WEBSITES: Final = frozenset(
    f"{name}.salesforce.com" for name in ("www", "help", "developer", "trailhead", "trust", "status", "appexchange")
)
_PARTS: Final = re.compile(r"(?:(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):)?//(?P<host>[^/?#\\]*)(?P<rest>.*)", re.DOTALL)
_BARE: Final = re.compile(r"(?P<host>[A-Za-z0-9][A-Za-z0-9.-]*(?::\d+)?|\[::1\](?::\d+)?)(?P<rest>[/?#].*)?", re.DOTALL)


def instance_url(value: object, what: str = "The org's URL", *, allow_http: bool = False) -> str:
    """Put the URL of an org right: scheme and host only, and the host that serves the API.

    Paths are kept only on hosts that are not Salesforce's own, up to ``/services``: a gateway may need them.

    Args:
        value: What the user gave: a URL, or the host alone if it is one of Salesforce's or this machine.
        what: What to call it in an error.
        allow_http: Whether a plain ``http`` URL of another machine is acceptable, as in a compose file.

    Raises:
        UsageError: No org can have it. If it is not clearly a URL, it may be a misplaced secret and is not shown.
    """
    given = arguments.secret(value, what).strip()
    found = _PARTS.fullmatch(given)
    scheme = (found["scheme"] or "https").lower() if found else ""
    if found is None:
        found = _BARE.fullmatch(given)
        if found is None or not (_is_salesforce(_name(found["host"])) or _is_here(found["host"])):
            if "@" in given:
                arguments.url(given, what)  # says that a password does not belong there
            raise UsageError(
                f"{what} is not the URL of an org, such as https://acme.my.salesforce.com; copy the address of the "
                "org's My Domain (Setup, My Domain), beginning with https://"
            )
        scheme = "http" if _is_here(found["host"]) else "https"
    authority, rest = found["host"], found["rest"] or ""
    name = _name(authority)
    if "@" in authority or not _is_salesforce(name):
        path = re.sub(r"/services(/.*)?$", "", rest, flags=re.DOTALL)
        return arguments.url(f"{scheme}://{authority}{path}", what, allow_http=allow_http)
    if scheme not in {"http", "https"}:
        return arguments.url(given, what)
    if name in _WEBSITES:
        raise UsageError(
            f"{what} names {name}, a web site and not an org; use the org's My Domain host (Setup, My Domain)"
        )
    port = authority.rpartition(":")[2] if ":" in authority else "443"
    return arguments.url(f"https://{_api_host(name)}{'' if port == '443' else ':' + port}", what)


def is_login(url: str | None) -> bool:
    """Return whether this is a host for logging in to any org, and not an org's own."""
    return url is not None and (urlsplit(url).hostname or "") in {"login.salesforce.com", "test.salesforce.com"}


def is_sandbox(url: str | None) -> bool:
    """Return whether this is a sandbox, or the host where its users log in."""
    host = (urlsplit(url).hostname or "") if url else ""
    return host == "test.salesforce.com" or ".sandbox." in host


def login_url(url: str | None) -> str:
    """Return the login host that vouches for an org: the audience of a signed assertion."""
    return SANDBOX if is_sandbox(url) else PRODUCTION


def _name(authority: str) -> str:
    """Return the host's name, completed where only its beginning was given."""
    name = authority.partition(":")[0].rstrip(".").lower()
    short = name in {"login", "test"} or (name.endswith(".my") and not name.startswith("."))
    return f"{name}.salesforce.com" if short else name


def _is_salesforce(name: str) -> bool:
    return name.endswith((*_SALESFORCE, *_API_HOSTS)) and not name.startswith(".")


def _is_here(authority: str) -> bool:
    host = authority[1:].partition("]")[0] if authority.startswith("[") else authority.partition(":")[0]
    return arguments.is_loopback(host)


def _api_host(name: str) -> str:
    for shown, serves in _API_HOSTS.items():
        if name.endswith(shown):
            return name.removesuffix(shown) + serves
    return name
