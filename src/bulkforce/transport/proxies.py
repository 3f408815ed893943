"""The proxy that the environment names: ``HTTPS_PROXY``, ``HTTP_PROXY``, ``ALL_PROXY``, ``NO_PROXY``, in any case."""

from __future__ import annotations

import os
from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

from bulkforce import arguments


def of_environment() -> Mapping[str, str]:
    """Read the environment: a proxy for each scheme, and the hosts without one under ``no``."""
    if not any(name.lower().endswith("_proxy") for name in os.environ):
        return {}
    from urllib.request import getproxies_environment  # slow to import, and most environments name no proxy

    return getproxies_environment()


def proxy_for(url: str, proxies: Mapping[str, str]) -> str | None:
    """Return the proxy for a URL; this machine's own addresses have none."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        # An address of a server's making that is none; connecting to it says so.
        return None
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy or arguments.is_loopback(host) or _is_excepted(host, parts.netloc, proxies.get("no", "")):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _is_excepted(host: str, netloc: str, exceptions: str) -> bool:
    """Return whether ``NO_PROXY`` names a host: itself, a domain that it is in, its network, or all hosts."""
    for entry in (part.strip().lower() for part in exceptions.split(",")):
        domain = entry.lstrip("*").lstrip(".")
        if entry == "*" or (domain and (domain in {host, netloc.lower()} or host.endswith(f".{domain}"))):
            return True
        if "/" in entry and _is_within(host, entry):
            return True
    return False


def _is_within(host: str, network: str) -> bool:
    try:
        return ip_address(host) in ip_network(network, strict=False)
    except ValueError:
        return False
