"""aiosalesforce: Bulk API 2.0.

python aiosalesforce_peer.py load2 URL FOLDER OUT POLL
"""

from __future__ import annotations

import asyncio
import csv
import json
import sys
from pathlib import Path

import httpx
from aiosalesforce import Salesforce
from aiosalesforce.auth.base import Auth

verb, url, folder, out, poll = sys.argv[1:]


class Session(Auth):
    """A session that is simply there."""

    async def _acquire_new_access_token(self, client) -> str:  # noqa: ARG002
        return "00D000000000001!bench"


class ToStandIn(httpx.AsyncHTTPTransport):
    """Sends to the stand-in what is for the org: the client takes no address but Salesforce's own."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        there = httpx.URL(url)
        request.url = request.url.copy_with(scheme=there.scheme, host=there.host, port=there.port)
        return await super().handle_async_request(request)


async def load2() -> int:
    wire = httpx.AsyncClient(timeout=600, transport=ToStandIn())
    client = Salesforce(wire, base_url="https://bench.my.salesforce.com", auth=Session())
    with Path(folder, "contacts.csv").open(newline="", encoding="utf-8") as file:
        records = list(csv.DictReader(file))
    result = await client.bulk_v2.insert("Contact", records)
    with Path(out, "results.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(result.successful_results[0]))
        writer.writerows(result.successful_results)
    return len(result.successful_results)


print(json.dumps({"rows": asyncio.run(globals()[verb]())}))
