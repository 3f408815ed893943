"""Spoilt files by the thousand: each is read, or refused by an error of bulkforce that shows no record; none crashes
the process or eats the machine.

``make fuzz`` looks for longer, from another place each time: FUZZ=2000 is so many files of a kind, FUZZ=60s so many
    seconds for each group.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.fuzz.kinds import GROUPS, KINDS

FUZZ = os.environ.get("FUZZ", "")
FIRST = int.from_bytes(os.urandom(3)) if FUZZ else 0
_LONGEST_SECONDS = 3_600


def test_every_kind_is_in_a_group() -> None:
    assert sorted(kind for _, kinds in GROUPS.values() for kind in kinds) == sorted(KINDS)


@pytest.mark.parametrize(("rounds", "kinds"), GROUPS.values(), ids=list(GROUPS))
def test_spoilt_files_are_read_or_refused(tmp_path: Path, rounds: int, kinds: list[str]) -> None:
    length = ["--seconds", FUZZ.removesuffix("s")] if FUZZ.endswith("s") else ["--rounds", FUZZ or str(rounds)]
    command = [sys.executable, "-m", "tests.fuzz", ",".join(kinds), str(FIRST), *length]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with (tmp_path / "said").open("w+b") as said, (tmp_path / "wrong").open("w+b") as wrong:
        ended = subprocess.run(
            command, stdout=said, stderr=wrong, env=environment, timeout=_LONGEST_SECONDS, check=False
        )
        said.seek(0)
        wrong.seek(0)
        last, complaints = said.read().decode().splitlines()[-1:], wrong.read().decode("utf-8", "replace")
    if ended.returncode == 0 and last[0].startswith("DONE, 0 wrong"):
        return
    how = f"killed by signal {-ended.returncode}" if ended.returncode < 0 else f"exit code {ended.returncode}"
    replay = (
        last[0]
        if last and not last[0].startswith("DONE")
        else complaints[complaints.find("WRONG ") + 6 :].partition(":")[0]
    )
    pytest.fail(f"{how}; again with: {Path(sys.executable).name} -m tests.fuzz {replay}\n{complaints[:3_000]}")
