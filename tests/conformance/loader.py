"""Reads `conformance/*.toml`: what stands in the files, without knowing either side.

The format is told in `conformance/README.md`. Placeholders and comparison are in `matching.py`.
"""

from __future__ import annotations

import io
import tomllib
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "conformance"
NAMESPACE = "http://www.force.com/2009/06/asyncapi/dataload"
CONFIDENCES = ("recorded", "guide", "client", "inferred")
BATCH_TYPES = {
    "CSV": "text/csv",
    "JSON": "application/json",
    "XML": "application/xml",
    "ZIP_CSV": "zip/csv",
    "ZIP_JSON": "zip/json",
    "ZIP_XML": "zip/xml",
}

Table = Mapping[str, Any]


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | None = None
    session: str = "{session}"
    gzip: bool = False
    chunked: bool = False
    repeat: Table | None = None
    zip: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Expected:
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | None = None
    match: str = "exact"
    ignore: Sequence[str] = ()
    gzip: bool = False
    sample: str | None = None


@dataclass(frozen=True)
class Call:
    call: str
    args: Table
    returns: object = None
    auth: Table | None = None
    plays: Sequence[str] = ()
    raises: str | None = None
    status: int | None = None
    code: str | None = None
    message: str | None = None


@dataclass(frozen=True)
class Given:
    """A job, perhaps with a batch, that is made without being looked at."""

    operation: str
    object: str
    content_type: str
    external_id_field_name: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    batch: str | None = None
    zip: Mapping[str, str] | None = None
    name: str = ""

    def placeholder(self, kind: str) -> str:
        return f"{{{kind}.{self.name}}}" if self.name else f"{{{kind}}}"

    @property
    def in_json(self) -> bool:
        return self.content_type.endswith("JSON")

    def requests(self) -> list[tuple[Request, Expected]]:
        made = [(self._create(), self._answer("jobInfo", self.placeholder("job")))]
        if self.batch is not None or self.zip is not None:
            headers = {"Content-Type": BATCH_TYPES[self.content_type]}
            path = f"/services/async/66.0/job/{self.placeholder('job')}/batch"
            post = Request("POST", path, headers, self.batch, zip=self.zip)
            made.append((post, self._answer("batchInfo", self.placeholder("batch"))))
        return made

    def opened(self) -> Expected:
        """The whole answer to the creation of this job, after the recorded text of another one."""
        like = load(FOLDER / ("insert_json.toml" if self.in_json else "insert_csv.toml")).exchanges[0].answer.body or ""
        for old, new in (("insert", self.operation), ("Contact", self.object)):
            like = like.replace(f">{old}<", f">{new}<").replace(f'"{old}"', f'"{new}"')
        content_type = "JSON" if self.in_json else "CSV"
        like = like.replace(f">{content_type}<", f">{self.content_type}<")
        like = like.replace(f'"contentType":"{content_type}"', f'"contentType":"{self.content_type}"')
        like = like.replace("{job}", self.placeholder("job"))
        media_type = "application/json" if self.in_json else "application/xml"
        return Expected(201, {"Content-Type": media_type}, like)

    def _create(self) -> Request:
        named = {
            "operation": self.operation,
            "object": self.object,
            "externalIdFieldName": self.external_id_field_name,
            "contentType": self.content_type,
        }
        headers = {"Content-Type": "application/json" if self.in_json else "application/xml", **self.headers}
        return Request("POST", "/services/async/66.0/job", headers, self._document("jobInfo", named))

    def _answer(self, root: str, placeholder: str) -> Expected:
        return Expected(201, body=self._document(root, {"id": placeholder}), match="part")

    def _document(self, root: str, named: Mapping[str, str | None]) -> str:
        told = {name: value for name, value in named.items() if value is not None}
        if self.in_json:
            return "{" + ",".join(f'"{name}":"{value}"' for name, value in told.items()) + "}"
        elements = "".join(f"<{name}>{value}</{name}>" for name, value in told.items())
        return f'<{root} xmlns="{NAMESPACE}">{elements}</{root}>'


@dataclass(frozen=True)
class Exchange:
    name: str
    request: Request
    answer: Expected
    calls: Sequence[Call]
    source: str
    date: str
    confidence: str
    emulator: bool = True
    awaits: str | None = None


@dataclass(frozen=True)
class Start:
    """A `Given` in its place among the exchanges."""

    given: Given
    emulator: bool = True
    awaits: str | None = None


@dataclass(frozen=True)
class Conversation:
    name: str
    title: str
    setup: Table
    steps: Sequence[Exchange | Start]

    @property
    def exchanges(self) -> list[Exchange]:
        return [step for step in self.steps if isinstance(step, Exchange)]

    @property
    def needs_own_org(self) -> bool:
        """What a query finds depends on what others left behind, and a setup changes the org."""
        return bool(self.setup) or any("/result/" in step.request.path for step in self.exchanges)

    @property
    def for_emulator(self) -> bool:
        return any(step.emulator for step in self.exchanges)

    @property
    def for_client(self) -> bool:
        return any(step.calls for step in self.exchanges)


def zipped(files: Mapping[str, str]) -> bytes:
    """The same files make the same bytes."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return target.getvalue()


def _exchange(table: dict[str, Any], whole: Table) -> Exchange | Start:
    awaits, emulator = table.pop("await", None), table.pop("emulator", True)
    if "given" in table:
        given = table.pop("given")
        return Start(Given(name=given.pop("as", ""), **given), emulator, awaits)
    client = table.pop("client", [])
    calls = [Call(**call) for call in (client if isinstance(client, list) else [client])]
    facts = {name: table.pop(name, whole[name]) for name in ("source", "date", "confidence")}
    table.pop("note", None)
    request, answer = Request(**table.pop("request")), Expected(**table.pop("answer"))
    return Exchange(request=request, answer=answer, calls=calls, emulator=emulator, awaits=awaits, **facts, **table)


@cache
def load(path: Path) -> Conversation:
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    steps = [_exchange(step, table) for step in table["exchange"]]
    return Conversation(path.stem, table["title"], table.get("setup", {}), steps)


@cache
def conversations() -> tuple[Conversation, ...]:
    return tuple(load(path) for path in sorted(FOLDER.glob("*.toml")))
