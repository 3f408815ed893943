"""Standard streams that are closed, full, or have nobody at their other end: no command meets them with a traceback,
and none stops its work for them."""

from __future__ import annotations

import json
import os
import pty
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest
from tests.cli.processes import COMMAND, SURROUNDINGS, run, start

import bulkforce as bf
from bulkforce_emulator import Emulator
from bulkforce_emulator.state.lifecycle import Pace

FAILED, CALLED_WRONGLY, INTERRUPTED, NOBODY_READS = 1, 2, 4, 141
SPOILT: Final[dict[str, dict[int, str]]] = {
    "stdin closed": {0: "closed"},
    "stdout closed": {1: "closed"},
    "stderr closed": {2: "closed"},
    "all closed": {0: "closed", 1: "closed", 2: "closed"},
    "stdout full": {1: "full"},
    "stderr full": {2: "full"},
    "both full": {1: "full", 2: "full"},
    "stdout without reader": {1: "nobody"},
    "stderr without reader": {2: "nobody"},
    "both without reader": {1: "nobody", 2: "nobody"},
}
QUERY: Final = "SELECT LastName FROM Contact WHERE LastName = 'Kept'"
LOAD: Final = ("load", "a.csv", "--object", "Contact", "--operation", "insert")


PATIENT: Final = bf.RetryPolicy(attempts=1_000, first_seconds=0.01, longest_seconds=0.05, patience_seconds=600.0)


@pytest.fixture(scope="module")
def org() -> Iterator[Emulator]:
    with Emulator() as org:
        org.insert("Contact", [{"LastName": "Kept"}])
        yield org


@pytest.fixture
def surroundings(org: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What a command finds: a folder with a file to load, and an org in its environment."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").write_bytes(b"LastName\nx\ny\n")
    return {
        "BULKFORCE_INSTANCE_URL": org.base_url,
        "BULKFORCE_ACCESS_TOKEN": org.session_id,
        "XDG_STATE_HOME": str(tmp_path / "state"),
    }


def open_job(org: Emulator) -> list[str]:
    with bf.Client(org.base_url, bf.BearerToken(org.session_id)) as client:
        return [client.create_job("insert", "Contact", "CSV").id]


def finished_run(org: Emulator) -> list[str]:
    with bf.Client(org.base_url, bf.BearerToken(org.session_id)) as client:
        return [str(client.load("a.csv", "Contact", "insert").run_dir)]


# Each with what gives its last argument, if there is one.
COMMANDS: Final[dict[str, tuple[tuple[str, ...], Callable[[Emulator], list[str]]]]] = {
    "help": (("--help",), lambda _: []),
    "version": (("--version",), lambda _: []),
    "load": (LOAD, lambda _: []),
    "load as JSON": ((*LOAD, "--json"), lambda _: []),
    "load, as a rehearsal": ((*LOAD, "--dry-run"), lambda _: []),
    "extract": (("extract", QUERY, "-o", "out.csv"), lambda _: []),
    "resume": (("resume",), finished_run),
    "check": (("check", "a.csv", "--object=Contact", "--operation=insert", "--quiet"), lambda _: []),
    "map": (("map", "a.csv", "--object=Contact"), lambda _: []),
    "count": (("count", "Contact"), lambda _: []),
    "whoami": (("whoami",), lambda _: []),
    "orgs": (("orgs", "--json"), lambda _: []),
    "limits": (("limits",), lambda _: []),
    "objects": (("objects",), lambda _: []),
    "describe": (("describe", "Contact"), lambda _: []),
    "completion": (("--show-completion", "bash"), lambda _: []),
    "runs": (("runs", "--json"), lambda org: finished_run(org)[1:]),
    "job show": (("job", "show"), open_job),
    "job close": (("job", "close"), open_job),
    "job abort": (("job", "abort"), open_job),
}


@pytest.mark.parametrize("spoilt", SPOILT.values(), ids=list(SPOILT))
@pytest.mark.parametrize("command", COMMANDS)
def test_command_does_its_work_and_tells_what_cannot_be_printed(
    org: Emulator, surroundings: dict[str, str], tmp_path: Path, command: str, spoilt: dict[int, str]
) -> None:
    arguments, prepare = COMMANDS[command]
    given = (*arguments, *prepare(org))
    before = len(org.records("Contact"))
    done = run(*given, environment=surroundings, spoilt=spoilt)
    expected = {"full": FAILED, "nobody": NOBODY_READS}.get(spoilt.get(1, ""), 0)
    assert done.returncode == expected, done
    done.stderr, named = re.subn(r"^If it stops: bulkforce resume \S+\n", "", done.stderr)
    runs = arguments[0] in {"load", "extract"} and "--dry-run" not in arguments
    assert bool(named) == (runs and 2 not in spoilt)
    if expected == FAILED and 2 not in spoilt:
        assert done.stderr.startswith("bulkforce: ")
        assert done.stderr.endswith(": No space left on device\n")
        assert done.stderr.count("\n") == 1
    else:
        assert done.stderr == ""
    if 1 not in spoilt:
        assert done.stdout
        assert "bulkforce: " not in done.stdout
    # What was asked for is done whatever could be printed, and that is said.
    if arguments == LOAD:
        assert len(org.records("Contact")) == before + 2
        (folder,) = (tmp_path / "bulkforce-runs").iterdir()
        assert json.loads((folder / "report.json").read_text("utf-8"))["succeeded"] == 2
        if spoilt == SPOILT["stdout full"]:
            assert "The load is complete" in done.stderr
            assert str(folder.relative_to(tmp_path)) in done.stderr
    if command == "extract":
        assert (tmp_path / "out.csv").read_text("utf-8") == '"LastName"\n"Kept"\n'
    if command == "job abort" and spoilt == SPOILT["stdout full"]:
        assert "is aborted" in done.stderr


@pytest.mark.parametrize("spoilt", SPOILT.values(), ids=list(SPOILT))
def test_extract_to_standard_output_is_data_alone_or_an_error(
    org: Emulator, surroundings: dict[str, str], tmp_path: Path, spoilt: dict[int, str]
) -> None:
    asked = len(org.requests)
    done = run("extract", QUERY, "-o", "-", environment=surroundings, spoilt=spoilt)
    expected = {"closed": CALLED_WRONGLY, "full": INTERRUPTED, "nobody": NOBODY_READS}.get(spoilt.get(1, ""), 0)
    assert done.returncode == expected
    assert done.stdout == ("" if expected else '"LastName"\n"Kept"\n')
    if 2 in spoilt or expected == NOBODY_READS:
        assert done.stderr == ""
    elif expected == CALLED_WRONGLY:
        assert done.stderr == "bulkforce: Standard output is closed, so nothing can be written to it; name a file\n"
        assert len(org.requests) == asked
    elif expected == INTERRUPTED:
        assert "No space left on device. Go on with: bulkforce resume bulkforce-runs" in done.stderr
        (folder,) = (tmp_path / "bulkforce-runs").iterdir()
        assert run("resume", str(folder), environment=surroundings).stdout == '"LastName"\n"Kept"\n'


def test_load_from_a_closed_standard_input_is_refused(
    org: Emulator, surroundings: dict[str, str], tmp_path: Path
) -> None:
    for spoilt in ({0: "closed"}, {0: "closed", 2: "closed"}):
        done = run("load", "-", *LOAD[2:], environment=surroundings, spoilt=spoilt)
        assert (done.returncode, done.stdout) == (CALLED_WRONGLY, "")
        assert (
            2 in spoilt
            or done.stderr == "bulkforce: Standard input is closed, so nothing can be read from it; name a file\n"
        )
        assert not list(tmp_path.glob("bulkforce-runs/*"))


@pytest.mark.parametrize("spoilt", SPOILT.values(), ids=list(SPOILT))
def test_wrong_call_is_one_whatever_can_be_printed(spoilt: dict[int, str]) -> None:
    for arguments in (("fly",), ("load", "a.csv"), ("extract", "SELECT"), ("resume", "no-such-run")):
        done = run(*arguments, spoilt=spoilt)
        assert (done.returncode, done.stdout) == (CALLED_WRONGLY, "")
        assert (done.stderr == "") == (2 in spoilt)


@pytest.mark.parametrize("how", ["full", "nobody"])
def test_demo_and_emulator_end_when_they_cannot_print(how: str) -> None:
    for arguments in (("demo",), ("emulator",), ("emulator", "--json")):
        done = run(*arguments, spoilt={1: how})
        assert done.returncode == {"full": FAILED, "nobody": NOBODY_READS}[how]
        # The emulator begins with talk.
        told = [line for line in done.stderr.splitlines() if line and "org is running" not in line]
        assert told == (
            ["bulkforce: Standard output cannot be written: No space left on device"] if how == "full" else []
        )


@pytest.mark.parametrize("spoilt", ["stdout closed", "all closed", "stderr full"])
def test_emulator_serves_where_it_cannot_talk(spoilt: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = free.getsockname()
    command = start("emulator", "--port", str(address[1]), "--session-id", "00D!given", spoilt=SPOILT[spoilt])
    with bf.Client(f"http://127.0.0.1:{address[1]}", bf.BearerToken("00D!given"), retry=PATIENT) as client:
        assert client.create_job("insert", "Contact", "CSV").state is bf.JobState.OPEN
    command.terminate()
    _, talk = command.communicate()
    assert (command.returncode, "org is running" in talk) == (0, spoilt == "stdout closed")


def test_load_goes_on_when_the_terminal_that_its_bar_is_on_goes_away(
    surroundings: dict[str, str], tmp_path: Path
) -> None:
    with Emulator() as org:
        org.set_pace(Pace.manual())
        ours, its = pty.openpty()
        process = subprocess.Popen(
            [*COMMAND, *LOAD, "--json"],
            stdout=subprocess.PIPE,
            stderr=its,
            env={
                **SURROUNDINGS,
                **surroundings,
                "TERM": "xterm",
                "BULKFORCE_INSTANCE_URL": org.base_url,
                "BULKFORCE_ACCESS_TOKEN": org.session_id,
            },
        )
        os.close(its)
        assert b"loading" in read_until(ours, b"loading")
        os.close(ours)
        org.set_pace(Pace.instant())
        output, _ = process.communicate(timeout=600)
        assert (process.returncode, json.loads(output)["succeeded"]) == (0, 2)


def test_bar_on_a_terminal_does_not_stand_in_for_a_closed_standard_output(surroundings: dict[str, str]) -> None:
    ours, its = pty.openpty()
    command = ["sh", "-c", '"$@" >&-', "sh", *COMMAND, "extract", QUERY, "-o", "-"]
    process = subprocess.Popen(command, stderr=its, env={**SURROUNDINGS, **surroundings, "TERM": "xterm"})
    os.close(its)
    assert b"Standard output is closed" in read_until(ours, b"name a file")
    assert process.wait(600) == CALLED_WRONGLY
    os.close(ours)


def read_until(terminal: int, wanted: bytes) -> bytes:
    read = b""
    while wanted not in read:
        read += os.read(terminal, 4_096)
    return read


# What the interpreter itself does with such streams when it begins and ends: each of these takes the start of one.


@pytest.mark.parametrize(
    ("line", "code", "printed", "told"),
    [
        ("--version >&-", 0, "", ""),
        ("--version 2>&-", 0, "bulkforce ", ""),
        ("--version <&- >&- 2>&-", 0, "", ""),
        ("--version >/dev/full", FAILED, "", "bulkforce: Standard output cannot be written: No space left on device\n"),
        ("--version >/dev/full 2>/dev/full", FAILED, "", ""),
        ("fly 2>/dev/full", CALLED_WRONGLY, "", ""),
        ("fly 2>&-", CALLED_WRONGLY, "", ""),
    ],
)
def test_interpreter_ends_as_the_command_does(line: str, code: int, printed: str, told: str) -> None:
    done = subprocess.run(
        ["sh", "-c", f'"$@" {line}', "sh", *COMMAND], capture_output=True, text=True, env=SURROUNDINGS, check=False
    )
    assert done.returncode == code
    assert done.stdout.startswith(printed)
    assert bool(done.stdout) == bool(printed)
    assert done.stderr == told


def test_closed_descriptors_are_taken_so_that_no_file_gets_their_numbers(tmp_path: Path) -> None:
    program = """
import os, sys
from bulkforce.cli import streams
streams.take_up()
with open(sys.argv[1], "w") as file:
    print(file.fileno() > 2, os.read(0, 1), os.write(1, b"x"), os.write(2, b"x"), sys.stdin, sys.stdout, sys.stderr.write("x"), file=file)
"""
    for closed in ("<&-", ">&-", "2>&-", "<&- >&-", ">&- 2>&-", "<&- 2>&-", "<&- >&- 2>&-"):
        path = tmp_path / "told"
        command = ["sh", "-c", f'"$@" {closed}', "sh", sys.executable, "-W", "error", "-c", program, str(path)]
        done = subprocess.run(command, capture_output=True, check=False, stdin=subprocess.DEVNULL)
        assert done.returncode == 0
        told = path.read_text("utf-8").split()
        assert told[:4] == ["True", "b''", "1", "1"]
        assert ("None" in told) == (closed != "2>&-")


def test_streams_that_do_not_block_are_made_to() -> None:
    ends = [end for _ in range(3) for end in os.pipe()]
    for end in ends:
        os.set_blocking(end, False)
    subprocess.run([*COMMAND, "--version"], stdin=ends[0], stdout=ends[3], stderr=ends[5], env=SURROUNDINGS, check=True)
    assert [os.get_blocking(ends[mine]) for mine in (0, 3, 5)] == [True, True, True]
    for end in ends:
        os.close(end)


def test_wrong_choice_is_said_in_plain_words() -> None:
    done = run("load", "a.csv", "--object", "Contact", "--operation", "inser", "--json")
    assert done.returncode == CALLED_WRONGLY
    for said in (done.stderr, json.loads(done.stdout)["error"]["message"]):
        assert "Invalid value for '--operation': 'inser' is not one of 'insert', 'update'" in said
