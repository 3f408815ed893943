"""The example for Node: its tests, run by Node's own runner with the jsforce of the judges."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.judges.lineup import CLIENTS, ROOT


def test_tests_of_the_node_example_pass(tmp_path: Path) -> None:
    for file in (ROOT / "examples" / "testing" / "node").iterdir():
        shutil.copy(file, tmp_path)
    (tmp_path / "node_modules").symlink_to(CLIENTS / "node_modules")
    variables = os.environ | {"BULKFORCE": str(Path(sys.executable).with_name("bulkforce"))}
    done = subprocess.run(
        ["node", "--test", "--test-reporter=tap"],
        cwd=tmp_path,
        env=variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "# pass 2" in done.stdout
    assert "# fail 0" in done.stdout
