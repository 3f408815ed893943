"""What the README says has its evidence, and what the client can do has its row. What it shows is run by tests/docs."""

from __future__ import annotations

import re
from pathlib import Path

import bulkforce as bf

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")


def test_readme_is_a_shop_window() -> None:
    """One screen and a half; everything else has its page in docs/."""
    assert len(README.splitlines()) <= 110


def test_every_cell_about_another_tool_has_its_evidence() -> None:
    table = README.partition("## Beside other tools")[2].partition("## ")[0]
    cells = [
        cell.strip()
        for row in re.findall(r"^\| (?!used from)\w.*", table, re.MULTILINE)
        for cell in row.strip("| ").split(" | ")[2:]
    ]
    assert len(cells) == 5 * 7
    assert [cell for cell in cells if cell != "?" and not re.search(r"\]\[[\w-]+\]$", cell)] == []
    named = set(re.findall(r"\]\[([\w-]+)\]", table))
    sources = dict(re.findall(r"^\[([\w-]+)\]: (\S+)$", table, re.MULTILINE))
    assert named == set(sources)
    assert [path for path in sources.values() if "://" not in path and not (ROOT / path).exists()] == []


# Methods that are no call of the API.
OWN = {"close", "check", "suggest_map", "load", "resume", "retry", "undo", "extract", "resume_extract", "query"}


def test_every_call_is_in_the_table() -> None:
    calls = {name for name, value in vars(bf.Client).items() if callable(value) and not name.startswith("_")} - OWN
    table = (ROOT / "docs" / "calls.md").read_text("utf-8")
    assert calls <= {
        name for row in table.splitlines() if row.startswith("| `") for name in re.findall(r"`(\w+)\(", row)
    }
