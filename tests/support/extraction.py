"""What the tests of extracts share: records that CSV is feared for, an org that holds them, and what must be true of an
output."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.support.rehearsal import BRISK, SCHEMA

from bulkforce import BearerToken, Client, RetryPolicy
from bulkforce.extract import verb as extract
from bulkforce.extract.asking import ExtractOptions
from bulkforce.extract.report import ExtractReport
from bulkforce.protocol.exchange import Answer, Request
from bulkforce.run.sitting import Sitting
from bulkforce.transport.http import HTTP
from bulkforce_emulator import Emulator
from bulkforce_emulator.settings import Settings

TEXTS = [
    'she said "no"',
    "two\nlines",
    "",
    '"',
    "\n",
    '"\n"',
    ',"\n",',
    '",\n"',
    "a\r\nb\rc",
    "nul \0 inside",
    "Привет, 世界 😀",
    "#N/A",
    "NA",
    "null",
    " padded ",
    "x" * 32_000,
]
QUERY = "SELECT Id, Code__c, Text__c FROM Row__c"
QUICK = RetryPolicy(attempts=3, first_seconds=0.001, longest_seconds=0.002, patience_seconds=0.01)


def seeded(count: int = 40, settings: Settings | None = None) -> Emulator:
    """An org, not yet started, with so many rows."""
    org = Emulator(SCHEMA, settings=settings)
    org.insert(
        "Row__c", [{"Code__c": f"row {number}", "Text__c": TEXTS[number % len(TEXTS)]} for number in range(count)]
    )
    return org


def sitting_of(client: Client, trace: Callable[[str], None] = lambda _effect: None, **changes: Any) -> Sitting:
    sitting = Sitting.of(client.driver)
    return replace(sitting, patience=replace(BRISK, **changes), trace=trace)


def client_of(org: Emulator, **options: Any) -> Client:
    return Client(org.base_url, BearerToken(org.session_id), retry=QUICK, **options)


def bring(
    org: Emulator,
    folder: Path,
    *,
    client: Client | None = None,
    trace: Callable[[str], None] = lambda _: None,
    **options: Any,
) -> ExtractReport:
    """Extract into ``out.csv`` of a folder."""
    asked: dict[str, Any] = {
        "soql": QUERY,
        "to": folder / "out.csv",
        "run_dir": folder / "run",
        "pk_chunking": False,
    } | options
    if asked.get("object"):
        asked["soql"] = None
    if client is not None:
        return extract.extract(sitting_of(client, trace), ExtractOptions(**asked))
    with client_of(org) as client:
        return extract.extract(sitting_of(client, trace), ExtractOptions(**asked))


def go_on(org: Emulator, folder: Path) -> ExtractReport:
    with client_of(org) as client:
        return extract.resume_extract(sitting_of(client), folder / "run")


def stored(org: Emulator, *names: str, sobject: str = "Row__c", include_deleted: bool = False) -> list[tuple[str, ...]]:
    """The org's records as text, in the order of their ids."""
    names = names or ("Id", "Code__c", "Text__c")
    return [
        tuple(str(record[name] or "") for name in names)
        for record in org.records(sobject, include_deleted=include_deleted)
    ]


def read(path: Path) -> list[tuple[str, ...]]:
    """Read the records of a CSV file; its header is no record."""
    with path.open(encoding="utf-8", newline="") as file:
        return [tuple(row) for row in csv.reader(file, strict=True)][1:]


def fetched(org: Emulator) -> list[str]:
    """The paths of result files that were asked for, in order."""
    return [request.path for request in org.requests if request.method == "GET" and "/result/" in request.path]


class Meddler(HTTP):
    """A line on which something changes answers, and may take from them what tells where they end.

    Args:
        change: Says what becomes of the content of an answer to this path; ``None`` is nothing.
        framed: Whether a changed answer tells where it ends.
    """

    def __init__(self, change: Callable[[str, bytes], bytes | None], *, framed: bool = True) -> None:
        super().__init__()
        self._change, self._framed = change, framed

    def send(self, request: Request, url: str, headers: dict[str, str], *, streamed: bool) -> Answer:
        answer = super().send(request, url, headers, streamed=streamed)
        content = answer.body if answer.stream is None else b"".join(answer.stream)
        changed = self._change(request.path, content)
        framed = answer.framed if changed is None else self._framed
        content = content if changed is None else changed
        if answer.stream is None:
            return replace(answer, body=content, framed=framed)
        return replace(answer, stream=Read(content, framed=framed))


class Read:
    """A stream of what was read already."""

    def __init__(self, content: bytes, *, framed: bool) -> None:
        self._content, self.framed = content, framed

    def __iter__(self) -> Iterator[bytes]:
        yield self._content

    def close(self) -> None:
        """There is nothing to close."""
