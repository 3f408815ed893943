"""The page as people see it, in Debian's chromium.

`BULKFORCE_PICTURES=docs/pictures` writes the pictures of the documents.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright
from tests.browser.scene import MARKUP, contacts, lively
from tests.emulator.wire import Wire

from bulkforce_emulator import Emulator, Pace

WIDE: ViewportSize = {"width": 1280, "height": 800}
NARROW: ViewportSize = {"width": 360, "height": 740}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # --no-sandbox: chromium refuses to run as root without it, and it sees nothing but loopback.
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def org() -> Iterator[Emulator]:
    with Emulator() as org:
        yield org


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page; whatever its console complains of fails the test."""
    complaints: list[str] = []
    page = browser.new_page(viewport=WIDE)
    page.set_default_timeout(10_000)
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    # What was still on its way when the page was left is "aborted", and no failure.
    page.on(
        "requestfailed",
        lambda request: complaints.append(request.url) if request.failure != "net::ERR_ABORTED" else None,
    )
    yield page
    page.close()
    assert complaints == []


def job_page(org: Emulator, job: str) -> str:
    return f"{org.base_url}/_emulator/page/jobs/{job}"


def picture(page: Page, name: str, *, full_page: bool = False) -> None:
    folder = Path(os.environ.get("BULKFORCE_PICTURES", "build/pictures"))
    page.screenshot(path=folder / f"{name}.png", full_page=full_page)


def test_first_job_appears_by_itself(org: Emulator, page: Page) -> None:
    page.goto(org.base_url)
    expect(page.get_by_role("heading", name="No jobs yet")).to_be_visible()
    picture(page, "empty")
    job = Wire(org).create("insert", "Contact")
    expect(page.get_by_role("link", name=job)).to_be_visible()


def test_running_job_changes_live(org: Emulator, page: Page) -> None:
    org.set_pace(Pace.manual())
    wire = Wire(org)
    job = wire.create("insert", "Contact")
    wire.add(job, contacts(3))
    wire.state(job, "Closed")
    page.goto(job_page(org, job))
    page.evaluate("window.sameDocument = true")
    batches = page.get_by_role("table", name="Batches of this job")
    expect(batches.get_by_text("Queued", exact=True)).to_be_visible()
    org.advance()
    expect(batches.get_by_text("InProgress", exact=True)).to_be_visible()
    org.advance()
    expect(batches.get_by_text("Completed", exact=True)).to_be_visible()
    expect(page.locator("#live")).to_have_text("")
    assert page.evaluate("window.sameDocument") is True


def test_focus_and_open_parts_outlive_a_change(org: Emulator, page: Page) -> None:
    wire = Wire(org)
    first = wire.create("insert", "Contact")
    page.goto(org.base_url)
    page.get_by_text("Connect a client").click()
    page.get_by_role("link", name=first).focus()
    second = wire.create("insert", "Contact")
    expect(page.get_by_role("link", name=second)).to_be_visible()
    expect(page.get_by_role("link", name=first)).to_be_focused()
    expect(page.get_by_text("In a terminal, for bulkforce:")).to_be_visible()


def test_changes_live_without_scripts(org: Emulator, browser: Browser) -> None:
    page = browser.new_page(java_script_enabled=False)
    page.goto(org.base_url)
    job = Wire(org).create("insert", "Contact")
    expect(page.get_by_role("link", name=job)).to_be_visible(timeout=15_000)
    page.close()


def test_from_the_list_to_a_result_by_keyboard(org: Emulator, page: Page) -> None:
    failing, _ = lively(org)
    page.goto(org.base_url)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.get_by_role("link", name=failing).focus()
    page.keyboard.press("Enter")
    expect(page).to_have_title(f"Job {failing} | Emulated org")
    reasons = page.get_by_role("table", name="Failed records by cause")
    expect(reasons.get_by_role("row", name="REQUIRED_FIELD_MISSING")).to_contain_text("34")
    page.get_by_role("link", name="Result of").first.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Result")).to_be_in_viewport()


def test_markup_stays_text(org: Emulator, page: Page) -> None:
    failing, _ = lively(org)
    page.goto(job_page(org, failing))
    page.get_by_role("link", name="Request of").first.click()
    expect(page.locator("pre").first).to_contain_text(MARKUP)
    assert page.title().startswith("Batch 751")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark_are_readable(org: Emulator, page: Page, scheme: str) -> None:
    """Text against its ground, by the formula of WCAG: 4.5 is the least for text."""
    failing, _ = lively(org)
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type, unused-ignore]
    for address in (org.base_url, job_page(org, failing)):
        page.goto(address)
        assert page.evaluate(CONTRAST) >= 4.5
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(20, 23, 27)") == (scheme == "dark")
    picture(page, "job" if scheme == "light" else "job-dark")


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_body_does_not_scroll_sideways(org: Emulator, page: Page, size: ViewportSize) -> None:
    failing, _ = lively(org)
    page.set_viewport_size(size)
    for address in (org.base_url, job_page(org, failing)):
        page.goto(address)
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
        cut = "[...document.querySelectorAll('.wide')].filter((each) => each.scrollWidth > each.clientWidth).length"
        assert page.evaluate(cut) == 0
    page.goto(org.base_url)
    picture(page, "bulk-data-load-jobs" if size is WIDE else "narrow")


CONTRAST = """() => {
  const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = (colour) => {
    const [r, g, b] = numbers(colour).map((c) => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (each) => {
    for (; each; each = each.parentElement) {
      const colour = getComputedStyle(each).backgroundColor;
      if (numbers(colour)[3] !== 0) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const texts = [...document.querySelectorAll("body *")].filter((each) => [...each.childNodes].some((n) => n.nodeType === 3 && n.data.trim()));
  return Math.min(...texts.map((each) => {
    const [a, b] = [light(getComputedStyle(each).color), light(ground(each))];
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  }));
}"""
