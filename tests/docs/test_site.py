"""The site has every page; that its links lead somewhere, its build checks (`make site`)."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from tests.docs.snippets import ROOT


def test_every_page_is_in_the_sites_contents_and_in_the_index_for_github() -> None:
    pages = {page.relative_to(ROOT / "docs").as_posix() for page in (ROOT / "docs").rglob("*.md")}
    pages = {page for page in pages if not page.startswith("adr/0")} - {"README.md"}
    contents = (ROOT / "mkdocs.yml").read_text("utf-8").partition("\nnav:")[2]
    index = (ROOT / "docs" / "README.md").read_text("utf-8")
    assert pages - set(re.findall(r"- (?:[^\n]*: )?(\S+\.md)$", contents, re.MULTILINE)) == set()
    below = ("commands/", "python/")  # which have an index of their own
    assert {page for page in pages if not page.startswith(below)} - set(re.findall(r"\]\(([^)#]+)", index)) == set()


def test_every_decision_is_listed() -> None:
    listed = (ROOT / "docs" / "adr" / "README.md").read_text("utf-8")
    assert [page.name for page in (ROOT / "docs" / "adr").glob("0*.md") if f"({page.name})" not in listed] == []


def test_links_out_are_whole_and_encrypted() -> None:
    """Whether somebody answers there is not looked at: tests know no network but loopback."""
    wrong = []
    for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        for link in re.findall(r"\]\((\w+:[^)\s]*)\)", page.read_text("utf-8")):
            parts = urlsplit(link)
            if parts.scheme != "https" or not re.fullmatch(r"[\w-]+(\.[\w-]+)+", parts.netloc):
                wrong.append((page.name, link))
    assert wrong == []
