"""What the README shows must run, and what the client can do must be in it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import bulkforce as bf

README = Path(__file__).parents[2].joinpath("README.md").read_text(encoding="utf-8")
FIRST_LINES, REAL_ORG, IN_A_TEST = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def run(code: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(code, "README.md", "exec"), names)
    return names


def test_first_lines_insert_a_contact_and_show_why_another_was_refused(capsys: pytest.CaptureFixture[str]) -> None:
    run(FIRST_LINES)
    created, refused = capsys.readouterr().out.splitlines()
    assert created.startswith("003")
    assert "REQUIRED_FIELD_MISSING" in refused


def test_ways_to_a_real_org_are_spelled_as_the_client_wants_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "server.key").touch()
    monkeypatch.chdir(tmp_path)
    assert isinstance(run(REAL_ORG)["client"], bf.Client)


def test_test_with_an_org_passes() -> None:
    run(IN_A_TEST)["test_contacts_arrive"]()


# Methods that are no call of the API.
OWN = {"close", "load", "resume"}


def test_every_call_is_in_the_table() -> None:
    calls = {name for name, value in vars(bf.Client).items() if callable(value) and not name.startswith("_")} - OWN
    assert calls <= {name for row in README.splitlines() if row.startswith("| `") for name in re.findall(r"`(\w+)\(", row)}
