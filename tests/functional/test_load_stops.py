"""A load that is stopped from outside: Ctrl-C, a full disk."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from tests.cli.processes import COMMAND, SURROUNDINGS
from tests.holding import Holding, ctrl_c
from tests.rehearsal import SCHEMA, Load, changes, nasty_rows

from bulkforce import Interrupted
from bulkforce_emulator import Emulator


@contextmanager
def command(org: Emulator, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    environment = {**SURROUNDINGS, "BULKFORCE_INSTANCE_URL": org.base_url, "BULKFORCE_ACCESS_TOKEN": org.session_id}
    with subprocess.Popen(
        [*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8", env=environment
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def words(load: Load, *more: str) -> list[str]:
    return [
        "load",
        str(load.path),
        "--object",
        "Row__c",
        "--operation",
        "insert",
        "--batch-records",
        "6",
        "--run-dir",
        str(load.run_dir),
        *more,
    ]


def test_ctrl_c_settles_what_flies_and_tells_how_to_go_on(tmp_path: Path) -> None:
    with Holding() as org:
        # So many batches that the signal is heard before the last of them, whatever else the machine has to do.
        load = Load(org, tmp_path, nasty_rows(100))
        with command(org, *words(load, "--workers", "1")) as process:
            org.wait()
            process.send_signal(signal.SIGINT)
            org.go.set()
            shown, talk = process.communicate(timeout=600)
        assert (process.returncode, shown) == (4, "")
        (line,) = re.findall(r"bulkforce (resume .+)$", talk, re.MULTILINE)
        assert "Traceback" not in talk
        assert sum(path.endswith("/batch") for path in changes(org)) < 100
        with command(org, *line.split(), "--quiet") as process:
            shown, talk = process.communicate(timeout=600)
        assert (process.returncode, talk) == (3, "")
        load.check(load.resume())


def test_ctrl_c_twice_leaves_at_once_and_the_run_goes_on_later(tmp_path: Path) -> None:
    with Holding() as org:
        load = Load(org, tmp_path)
        with command(org, *words(load)) as process:
            org.wait()
            process.send_signal(signal.SIGINT)
            with pytest.raises(subprocess.TimeoutExpired):  # it waits for an answer that never comes
                process.communicate(timeout=0.5)
            while process.poll() is None:
                # Two that come before the first was heard are one.
                process.send_signal(signal.SIGINT)
                with suppress(subprocess.TimeoutExpired):
                    process.wait(0.5)
            _, talk = process.communicate(timeout=600)
        assert not org.go.is_set()
        org.go.set()
        assert "Traceback" not in talk
        assert process.returncode == 4
        assert "`bulkforce runs` lists what can be resumed" in talk
        load.check(load.resume())


def test_ctrl_c_begins_nothing_more(tmp_path: Path) -> None:
    with Emulator(SCHEMA) as org:
        load = Load(org, tmp_path, options={"workers": 1})
        sent = 0

        def interrupt(effect: str) -> None:
            nonlocal sent
            sent += effect == "send"
            if (effect, sent) == ("send", 3):
                ctrl_c()

        load.trace = interrupt
        with pytest.raises(Interrupted, match="stopped by Ctrl-C"):
            load.begin()
        assert sum(path.endswith("/batch") for path in changes(org)) == 3
        load.trace = lambda _effect: None
        load.check(load.resume())


LIMITED = """
import resource, sys
from bulkforce.cli.main import main
limit = int(sys.argv.pop(1))
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
main()
"""


def test_disk_that_is_full_stops_the_run_and_it_goes_on_where_there_is_room(tmp_path: Path) -> None:
    """However early the room ends: the limit is on the size of a file, which every file meets sooner or later."""
    codes = []
    with Emulator(SCHEMA) as org:
        for number, limit in enumerate([100, 1_000, 10_000, 30_000, 60_000, 80_000, 100_000, 120_000, 1_000_000]):
            folder = tmp_path / str(number)
            folder.mkdir()
            load = Load(org, folder)
            environment = {**SURROUNDINGS, "BULKFORCE_INSTANCE_URL": org.base_url, "BULKFORCE_ACCESS_TOKEN": org.session_id}
            ended = subprocess.run(
                [sys.executable, "-c", LIMITED, str(limit), *words(load, "--quiet")],
                capture_output=True, text=True, env=environment, timeout=600, check=False,
            )  # fmt: skip
            codes.append(ended.returncode)
            assert "Traceback" not in ended.stderr, (limit, ended.stderr)
            if ended.returncode == 1:
                assert "cannot be written" in ended.stderr
                assert load.books.jobs == []
                load.check(load.begin())
            else:
                assert ended.returncode == (4 if "bulkforce resume" in ended.stderr else 3)
                load.check(load.resume())
    print(codes)
    assert set(codes) == {1, 3, 4}
