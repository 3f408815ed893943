"""The command line as a process of its own, as a user starts it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping

COMMAND = (sys.executable, "-m", "bulkforce.cli.main")
# A terminal as wide as a page, without colour, in any surrounding.
SURROUNDINGS = {**os.environ, "COLUMNS": "80", "NO_COLOR": "1", "PYTHONWARNINGS": "error"}


def run(*arguments: str, environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**SURROUNDINGS, **(environment or {})},
        timeout=600,
        check=False,
    )


def start(*arguments: str) -> subprocess.Popen[str]:
    """Start a command that goes on."""
    return subprocess.Popen(
        [*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8", env=SURROUNDINGS
    )


def run_without(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command where a module is not installed."""
    program = (
        f"import sys; sys.modules[{module!r}] = None; sys.argv = ['bulkforce', *sys.argv[1:]]; from bulkforce.cli.main import main; main()"
    )
    return subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, env=SURROUNDINGS, timeout=600, check=False
    )
