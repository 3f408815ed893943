"""The picture of the house in CONTRIBUTING.md is the one that import-linter checks."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def layers(contract: str) -> list[str]:
    """Give the layers of a contract, without the package's name."""
    contracts = configparser.ConfigParser()
    contracts.read(ROOT / ".importlinter")
    text = contracts[f"importlinter:contract:{contract}"]["layers"]
    return [
        " | ".join(name.strip().partition(".")[2] for name in line.split("|"))
        for line in text.split("\n")
        if line.strip()
    ]


def drawn() -> list[list[str]]:
    """Give the columns of the picture."""
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    found = re.search(r"```text\n(bulkforce +bulkforce_emulator)\n(.*?)```", text, re.DOTALL)
    assert found is not None
    border = found[1].index("bulkforce_emulator")
    lines = found[2].splitlines()
    return [
        [cell for line in lines if (cell := line[begin:end].strip())] for begin, end in ((0, border), (border, None))
    ]


def test_picture_of_the_house_is_the_one_that_is_checked() -> None:
    assert drawn() == [layers("layers"), layers("emulator_layers")]


def test_every_room_stands_in_the_picture() -> None:
    for package, column in zip(("bulkforce", "bulkforce_emulator"), drawn(), strict=True):
        rooms = {name for line in column for name in line.split(" | ")}
        folder = ROOT / "src" / package
        there = {path.stem for path in folder.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()} - {
            "__init__",
            "__main__",
        }
        assert there == rooms


def test_paths_that_are_named_exist() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    for path in re.findall(r"`((?:tests|docs|conformance|src)/[\w/.]+)`", text):
        assert (ROOT / path).exists(), path
