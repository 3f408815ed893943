"""tap-salesforce at work: it describes every object, extracts by REST and by bulk queries, and turns to PK chunking
when one takes too long."""

from __future__ import annotations

import contextlib
import io
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import requests
import tap_salesforce
from cases import ORG, run
from tap_salesforce.salesforce import bulk

# It knows no other host than Salesforce's own, waits for minutes, and its chunks are meant for more than a few records.
_send = requests.Session.request
requests.Session.request = lambda self, method, url, **more: _send(
    self, method, url.replace("https://login.salesforce.com", ORG["base_url"]), **more
)
bulk.BATCH_STATUS_POLLING_SLEEP = bulk.PK_CHUNKED_BATCH_STATUS_POLLING_SLEEP = 0.05
bulk.DEFAULT_CHUNK_SIZE = 10

FOLDER = Path(tempfile.mkdtemp())


def tap(api: str, *arguments: str, **more: str) -> list[dict[str, Any]]:
    """Run the tap as its command does; the messages that it writes."""
    config = FOLDER / f"{api}.json"
    config.write_text(json.dumps({
        "client_id": ORG["client_id"], "client_secret": ORG["client_secret"], "refresh_token": ORG["refresh_token"],
        "start_date": "2020-01-01T00:00:00Z", "api_type": api, "select_fields_by_default": "true", **more,
    }))  # fmt: skip
    sys.argv = ["tap-salesforce", "--config", str(config), *arguments]
    with contextlib.redirect_stdout(io.StringIO()) as written:
        tap_salesforce.main_impl()
    text = written.getvalue()
    return [json.loads(text)] if "--discover" in arguments else [json.loads(line) for line in text.splitlines()]


def discovered() -> list[dict[str, Any]]:
    return list(tap("BULK", "--discover")[0]["streams"])


def extracted(api: str, stream: str) -> list[dict[str, Any]]:
    catalog = {"streams": [one for one in discovered() if one["stream"] == stream]}
    for one in catalog["streams"][0]["metadata"]:
        if not one["breadcrumb"]:
            one["metadata"]["selected"] = True
    file = FOLDER / "catalog.json"
    file.write_text(json.dumps(catalog))
    return [message["record"] for message in tap(api, "--properties", str(file)) if message["type"] == "RECORD"]


def discovery() -> Any:
    return {one["stream"]: len(one["schema"]["properties"]) for one in discovered()}


def by_bulk_query() -> Any:
    return {record["LastName"]: record.get("Title") for record in extracted("BULK", "Contact")}


def by_rest() -> Any:
    return {record["LastName"]: record.get("Title") for record in extracted("REST", "Contact")}


def with_chunks_after_a_timeout() -> Any:
    return sorted(record["LastName"] for record in extracted("BULK", "Lead"))


def refused_login() -> Any:
    tap("BULK", "--discover", refresh_token="nonsense")


run({
    "discovery": discovery, "by_bulk_query": by_bulk_query, "by_rest": by_rest,
    "with_chunks_after_a_timeout": with_chunks_after_a_timeout, "refused_login": refused_login,
})  # fmt: skip
