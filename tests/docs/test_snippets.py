"""Every snippet of every page does what the page says; see `snippets`."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from sybil import Document
from tests.docs.snippets import BROWSER, ROOT, Reader

from bulkforce_emulator import Emulator

PAGES = sorted([ROOT / "README.md", ROOT / "examples" / "README.md", *(ROOT / "docs").rglob("*.md")])
SCHEMA = {
    "Contact": {
        "fields": {
            "Email__c": "string(80) unique external_id",
            "Badge__c": "string(20) unique external_id",
        }
    },
    "Account": {"fields": {"Symbol__c": "string(20) unique external_id"}},
    "Shipment__c": {"fields": {"Weight__c": "double"}},
}


@pytest.fixture
def logging_as_before() -> Iterator[None]:
    loggers = (logging.root, logging.getLogger("bulkforce"))
    before = [(logger, logger.level, list(logger.handlers)) for logger in loggers]
    yield
    for logger, level, handlers in before:
        logger.setLevel(level)
        logger.handlers[:] = handlers


@pytest.mark.usefixtures("logging_as_before")
@pytest.mark.parametrize(
    "page", [page for page in PAGES if "\n```" in page.read_text("utf-8")], ids=lambda page: str(page.relative_to(ROOT))
)
def test_page_does_what_it_says(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BROWSER", BROWSER)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    with Emulator(SCHEMA) as org:
        monkeypatch.setenv("BULKFORCE_INSTANCE_URL", org.base_url)
        monkeypatch.setenv("BULKFORCE_ACCESS_TOKEN", org.session_id)
        reader = Reader(org, monkeypatch.setenv)
        document = Document.parse(str(page), reader.regions)
        document.namespace.update(org=org, stand_ins=reader.stand_ins)
        try:
            for example in document.examples():
                example.evaluate()
        finally:
            reader.end()
