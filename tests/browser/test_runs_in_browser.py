"""The page of a run and `bulkforce ui` as people see them, in Debian's chromium.

`BULKFORCE_PICTURES=docs/pictures` writes the pictures of the documents.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright
from tests.browser.test_page_in_browser import CONTRAST, picture

import bulkforce as bf
from bulkforce.cli.site.jobs import Jobs
from bulkforce.cli.site.server import Server, Site
from bulkforce.cli.site.watching import Runs
from bulkforce_emulator import Emulator, Fault, Pace

WIDE: ViewportSize = {"width": 1280, "height": 800}
NARROW: ViewportSize = {"width": 390, "height": 780}
MARKUP = "<script>document.title = 'taken over'</script>"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # --no-sandbox: chromium refuses to run as root without it, and it sees nothing but loopback.
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page; whatever its console complains of fails the test."""
    complaints: list[str] = []
    page = browser.new_page(viewport=WIDE)
    page.set_default_timeout(10_000)
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    page.close()
    assert complaints == []


def row(number: int) -> str:
    if number % 97 == 5:
        return f",{MARKUP if number % 2 else 'Ada'},ada{number}@example.com"
    return f"Morkel {number},Ada,{'nobody' if number % 53 == 7 else f'ada{number}@example.com'}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A load with failures that was resumed, an extract, and a load that stopped."""
    folder = tmp_path_factory.mktemp("work")
    source = folder / "contacts.csv"
    source.write_text("LastName,FirstName,Email\n" + "".join(f"{row(n)}\n" for n in range(12_000)), "utf-8")
    runs = folder / "bulkforce-runs"
    with Emulator(pace=Pace.timed(records_per_second=20_000)) as org:

        def client() -> bf.Client:
            return bf.Client(org.base_url, auth=bf.BearerToken(org.state.sessions.open()))

        def load(name: str) -> None:
            with client() as one:
                one.load(
                    source,
                    "Contact",
                    "insert",
                    run_dir=runs / name,
                    check=False,
                    batch_records=500,
                    poll=0.1,
                    workers=3,
                )

        first, last = "20261201-081500-insert-Contact-3f2a", "20261201-090210-insert-Contact-77d1"
        org.faults.add(Fault("session expired", "POST", "*/batch", nth=15))
        with pytest.raises(bf.Interrupted):
            load(first)
        with client() as one:
            one.resume(runs / first, poll=0.1)
        with client() as one:
            one.extract(
                "SELECT Id, LastName, Email FROM Contact",
                to=folder / "contacts.csv.out",
                format="csv",
                run_dir=runs / "20261201-083012-query-Contact-a01c",
                pk_chunking=2_000,
                poll=0.1,
            )
        org.faults.add(Fault("session expired", "POST", "*/batch", nth=9))
        with pytest.raises(bf.Interrupted):
            load(last)
    return folder


def report(folder: Path) -> Path:
    return folder / "bulkforce-runs/20261201-081500-insert-Contact-3f2a/report.html"


@pytest.fixture
def url(folder: Path) -> Iterator[str]:
    yield from served(folder / "bulkforce-runs")


def served(folder: Path, jobs: Jobs | None = None) -> Iterator[str]:
    with Server(Site(Runs(folder), jobs)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.url
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_and_ui_are_readable(folder: Path, url: str, page: Page, scheme: str, size: ViewportSize) -> None:
    """In light and dark, on a screen and a telephone: text stands out (4.5, by WCAG), and nothing scrolls sideways."""
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type, unused-ignore]
    page.set_viewport_size(size)
    look = f"{'' if size is WIDE else '-narrow'}{'' if scheme == 'light' else '-dark'}"
    for name, address in {
        "run-page": report(folder).as_uri(),
        "runs": url,
        "run-stopped": f"{url}runs/20261201-090210-insert-Contact-77d1/",
        "run-extract": f"{url}runs/20261201-083012-query-Contact-a01c/",
    }.items():
        page.goto(address)
        assert page.evaluate(CONTRAST) >= 4.5
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
        assert page.evaluate(OVERLAPS) == 0
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (ground == "rgb(20, 23, 27)") == (scheme == "dark")
        if name == "runs":
            page.evaluate("document.querySelector('header .mono').textContent = '/home/ada/bulkforce-runs'")
        picture(page, f"{name}{look}", full_page=True)


def test_markup_stays_text_and_nothing_is_fetched(folder: Path, page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(report(folder).as_uri())
    expect(page.get_by_text(MARKUP).first).to_be_visible()
    assert page.title() == "insert Contact: finished"
    assert asked == [report(folder).as_uri()]


def test_page_shows_all_without_scripts(folder: Path, browser: Browser) -> None:
    page = browser.new_page(java_script_enabled=False)
    page.goto(report(folder).as_uri())
    expect(page.get_by_role("heading", name="insert Contact")).to_be_visible()
    expect(page.get_by_role("row", name="= read 12,000")).to_be_visible()
    expect(page.get_by_role("img", name="When each batch was under way")).to_be_visible()
    page.close()


def test_page_prints(folder: Path, browser: Browser) -> None:
    page = browser.new_page()
    page.goto(report(folder).as_uri())
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate(CONTRAST) >= 4.5
    assert page.pdf(format="A4").startswith(b"%PDF")
    page.close()


def test_from_the_list_to_a_file_by_keyboard(folder: Path, url: str, page: Page) -> None:
    page.goto(url)
    page.get_by_role("link", name="insert Contact").last.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="insert Contact")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="failed.csv").first.click()
    assert download.value.suggested_filename == "failed.csv"
    assert Path(download.value.path()).read_bytes() == (report(folder).parent / "failed.csv").read_bytes()
    page.get_by_role("link", name="All runs").click()
    expect(page.get_by_role("heading", name="Runs")).to_be_visible()


def test_runs_move_while_one_looks(tmp_path: Path, page: Page) -> None:
    (tmp_path / "a.csv").write_text("LastName\nMorkel\n", "utf-8")
    with Emulator() as org, bf.Client(org.base_url, auth=bf.BearerToken(org.session_id)) as client:
        for url in served(tmp_path / "runs", Jobs(client)):
            page.goto(url)
            page.evaluate("window.sameDocument = true")
            expect(page.get_by_text("No runs here yet")).to_be_visible()
            client.load(tmp_path / "a.csv", "Contact", "insert", run_dir=tmp_path / "runs/1", check=False, poll=0.1)
            expect(page.get_by_role("link", name="insert Contact")).to_be_visible()
            assert page.evaluate("window.sameDocument") is True
            page.get_by_role("link", name="Jobs in the org").click()
            expect(page.get_by_role("cell", name="insert Contact").first).to_be_visible()
            expect(page.get_by_text("Closed").first).to_be_visible()
            assert page.evaluate(CONTRAST) >= 4.5
            picture(page, "jobs")


def test_end_of_the_server_is_said(tmp_path: Path, browser: Browser) -> None:
    page = browser.new_page()
    for url in served(tmp_path):
        page.goto(url)
    expect(page.get_by_text("bulkforce ui has ended")).to_be_visible(timeout=20_000)
    page.close()


# How many names of times overlap the next.
OVERLAPS = """() => {
  const boxes = [...document.querySelectorAll(".ticks text")].map((each) => each.getBoundingClientRect()).filter((box) => box.width);
  return boxes.slice(1).filter((box, place) => box.left < boxes[place].right).length;
}"""
