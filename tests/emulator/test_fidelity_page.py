"""The page that tells what is emulated is made from the code, and its links lead somewhere."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from bulkforce_emulator import Limits, Settings
from bulkforce_emulator.bulk2_texts import Bulk2Texts
from bulkforce_emulator.texts import BatchTexts, CallTexts, LoginTexts, QueryTexts, RowTexts

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "emulator-fidelity.md").read_text("utf-8")
PAGES = sorted(
    [
        ROOT / "README.md",
        ROOT / "CHANGELOG.md",
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "tests" / "judges").glob("*.md"),
    ]
)


def test_page_is_what_the_code_makes_of_it() -> None:
    assert runpy.run_path(str(ROOT / "docs" / "fidelity.py"))["page"]() == PAGE, "run: make docs"


def test_every_setting_is_on_the_page_with_what_is_open() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| .+ \| (.+) \|$", PAGE, re.MULTILINE))
    told = set(Settings.__dataclass_fields__) - {"limits", "texts"}
    assert all(rows[name].strip() for name in told | set(Limits.__dataclass_fields__))


@pytest.mark.parametrize("group", [CallTexts, BatchTexts, RowTexts, QueryTexts, LoginTexts, Bulk2Texts])
def test_every_text_is_on_the_page_with_how_sure_it_is(
    group: type[CallTexts | BatchTexts | RowTexts | QueryTexts | LoginTexts | Bulk2Texts],
) -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| `\w+` \| .+ \| (.+) \|$", PAGE, re.MULTILINE))
    for name in group.__dataclass_fields__:
        assert re.match("recorded|guide|client|ours", rows[name]), name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text("utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []
