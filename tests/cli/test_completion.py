"""The shell completes commands and options, once the user has asked for it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from tests.cli.processes import COMMAND, SURROUNDINGS


def completed(words: str, place: int) -> list[str]:
    variables = {"_BULKFORCE_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(place)}
    done = subprocess.run(COMMAND, capture_output=True, text=True, env=SURROUNDINGS | variables, check=True)
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "place", "expected"),
    [
        ("bulkforce ext", 1, ["extract"]),
        ("bulkforce load --oper", 2, ["--operation"]),
        ("bulkforce load --operation up", 3, ["update", "upsert"]),
        ("bulkforce job ", 2, ["abort", "close", "show"]),
    ],
)
def test_commands_options_and_choices_are_completed(words: str, place: int, expected: list[str]) -> None:
    found = completed(words, place)
    assert sorted(set(found) & set(expected)) == expected
    assert all(one.startswith(words.rpartition(" ")[2]) for one in found)


def test_completion_is_installed_for_the_shell_that_asks(tmp_path: Path) -> None:
    surroundings = SURROUNDINGS | {"HOME": str(tmp_path), "_BULKFORCE_COMPLETE": ""}
    program = '"$@" --install-completion; code=$?; exit $code'
    done = subprocess.run(
        ["bash", "-c", program, "bash", *COMMAND], capture_output=True, text=True, env=surroundings, check=False
    )
    assert done.returncode == 0, done
    assert "completion installed in" in done.stdout
    assert "completions" in (tmp_path / ".bashrc").read_text()
