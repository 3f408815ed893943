"""The documentation's site works from a folder, without a network, and its search finds what Salesforce writes."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

ROOT = Path(__file__).parents[2]
SIZES = {"wide": (1280, 800), "phone": (390, 780)}


@pytest.fixture(scope="module")
def site() -> str:
    subprocess.run(["make", "site"], cwd=ROOT, check=True)
    return (ROOT / "build" / "site").as_uri()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # --no-sandbox: chromium refuses to run as root without it, and it sees nothing but files here.
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.mark.parametrize(
    "text", ["UNABLE_TO_LOCK_ROW", "InvalidBatch : Field name not found", "ExceededQuota", "invalid_grant audience"]
)
def test_search_for_a_text_of_salesforce_finds_what_to_do(site: str, browser: Browser, text: str) -> None:
    page = browser.new_page()
    page.goto(f"{site}/tutorial/emulator.html")
    found = page.get_by_text("Salesforce's error texts, and what to do").filter(visible=True)
    expect(found).to_have_count(0)
    page.keyboard.press("Control+k")
    page.keyboard.type(text)
    expect(found.first).to_be_visible()
    page.close()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_need_no_network_and_fit(site: str, browser: Browser, scheme: str, size: str) -> None:
    width, height = SIZES[size]
    context = browser.new_context(
        color_scheme="dark" if scheme == "dark" else "light", viewport={"width": width, "height": height}
    )
    page = context.new_page()
    asked: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    for name in ("index", "tutorial/emulator", "errors", "lifecycles", "python/client", "commands/load"):
        page.goto(f"{site}/{name}.html")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    context.close()
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
    assert complaints == []
