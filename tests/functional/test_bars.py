"""Where progress is shown in Python outside of notebooks: at the prompt, or where it is asked for; a script is quiet."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.processes import SURROUNDINGS

from bulkforce_emulator import Emulator

SCRIPT = """
import bulkforce as bf
with bf.Client({url!r}, bf.RefreshToken(*{login!r})) as client:
    report = client.load([{{"LastName": "x"}}] * 2000, "Contact", "insert", batch_records=100{option})
"""


def script(org: Emulator, option: str = "") -> str:
    login = (
        org.client_id,
        org.client_secret,
        org.refresh_token,
    )  # a session may have ended: others move the org's clock
    return SCRIPT.format(url=org.base_url, login=login, option=option)


@pytest.mark.parametrize("option", ["", ", progress=False"])
def test_script_is_quiet(org: Emulator, tmp_path: Path, option: str) -> None:
    command = [sys.executable, "-c", script(org, option)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert (done.stdout, done.stderr) == ("", "")


def test_script_that_asks_for_it_gets_the_summary_as_a_line(org: Emulator, tmp_path: Path) -> None:
    command = [sys.executable, "-c", script(org, ", progress=True")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout == ""
    line = done.stderr.splitlines()[-1]  # a load that takes longer tells lines before it
    assert "finished; 2,000 rows, 2,000 succeeded, 0 failed, " in line


def on_terminal(*command: str, folder: Path) -> str:
    """Run a command whose three streams are a terminal; return what it shows."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        command,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=folder,
        env={**SURROUNDINGS, "TERM": "xterm", "COLUMNS": "120"},
    ) as process:
        os.close(theirs)
        os.write(ours, b"exit()\n")
        shown = b""
        while True:
            try:
                block = os.read(ours, 65_536)
            except OSError:  # how Linux says that the terminal's other end is closed
                break
            if not block:
                break
            shown += block
    os.close(ours)
    assert process.returncode == 0
    return shown.decode()


def test_prompt_shows_a_bar_that_leaves_the_summary(org: Emulator, tmp_path: Path) -> None:
    (tmp_path / "start.py").write_text("import sys\nsys.ps1 = '>>> '  # as at the prompt\n" + script(org), "utf-8")
    shown = on_terminal(sys.executable, "-i", "start.py", folder=tmp_path)
    assert "of 2,000 rows" in shown or "reading" in shown
    assert "finished; 2,000 rows, 2,000 succeeded, 0 failed, " in shown
    # The bar's lines are erased before the summary.
    assert "\x1b[2K" in shown.partition("finished;")[0]


def test_script_on_a_terminal_is_quiet(org: Emulator, tmp_path: Path) -> None:
    (tmp_path / "start.py").write_text(script(org), "utf-8")
    assert "rows" not in on_terminal(sys.executable, "start.py", folder=tmp_path)
