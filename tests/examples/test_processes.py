"""The example of four processes, as it stands, with one of them killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from bulkforce_emulator import Emulator
from bulkforce_emulator.faults import Fault

SCRIPT = Path(__file__).parents[2] / "examples" / "processes" / "load_parts.py"


def workers_of(pid: int) -> list[int]:
    listed = subprocess.run(["ps", "-wweo", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
    lines = [line.split(maxsplit=2) for line in listed.splitlines()]
    return [int(own) for own, parent, command in lines if int(parent) == pid and "multiprocessing.spawn" in command]


def test_every_record_arrives_once_though_a_process_is_killed(tmp_path: Path) -> None:
    parts = [tmp_path / f"part-{number}.csv" for number in range(6)]
    for number, part in enumerate(parts):
        part.write_text(f"LastName\na{number}\nb{number}\n")
    with Emulator() as org:
        # Uploads of the first four take so long that one is under way when its process dies.
        org.faults.add(Fault("slow", method="PUT", times=4, seconds=2.0))
        surroundings = {"BULKFORCE_INSTANCE_URL": org.base_url, "BULKFORCE_ACCESS_TOKEN": org.session_id}
        command = [sys.executable, str(SCRIPT), str(tmp_path / "state"), *map(str, parts)]
        with subprocess.Popen(
            command, env=os.environ | surroundings, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            while process.poll() is None and not any(one.method == "POST" for one in org.requests):
                time.sleep(0.02)
            workers = workers_of(process.pid)
            if workers:
                os.kill(workers[0], signal.SIGKILL)
            said, complained = process.communicate()
        assert workers, complained
        assert process.returncode == 0, complained
        assert "is written again" in complained
        assert said.count("2 records, 0 of them failed") == len(parts)
        names = sorted(record["LastName"] for record in org.records("Contact"))
        assert names == sorted(f"{letter}{number}" for number in range(6) for letter in "ab")
        again = subprocess.run(command, env=os.environ | surroundings, capture_output=True, text=True, check=True)
        assert again.stdout == said
        assert org.count("Contact") == 2 * len(parts)
