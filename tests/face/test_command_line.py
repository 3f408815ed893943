"""Whatever is given on the command line is taken or refused, in words; and nothing that is printed steers a
terminal."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any, Final

import pytest
from tests.cli.processes import run

from bulkforce.cli.main import command as whole
from bulkforce.cli.main import main
from bulkforce_emulator import Emulator

SPOILT: Final = {
    "empty": "",
    "escape sequence": "\x1b[31mred",
    "lines": "a\nb",
    "a long number": "9" * 30,
    "a number of many digits": "9" * 5_000,
    "a negative number": "-1",
    "a fraction": "1.5",
    "a word": "nonsense",
    "a folder": "folder",
    "a file": "a.csv",
    "below a file": "a.csv/b.csv",
    "a root": "/",
    "a device": "/dev/null",
    "not UTF-8": os.fsdecode(b"caf\xe9"),
    "very long": "x" * 100_000,
}
# What each command is given besides; with it alone it does well, but for those whose run or job is not there, and the
# emulator and the ui, whose port is taken.
RIGHT: Final = {
    "check": ["--object=Contact", "--operation=insert", "--quiet", "a.csv"],
    "load": ["--object=Contact", "--operation=insert", "--dry-run", "--quiet", "a.csv"],
    "map": ["--object=Contact", "a.csv"],
    "count": ["Contact"],
    "query": ["--quiet", "SELECT Id, SystemModstamp FROM Contact"],
    "extract": ["--output=out.csv", "--force", "--quiet", "SELECT Id, SystemModstamp FROM Contact"],
    "resume": ["no-such-run"],
    "retry": ["no-such-run"],
    "undo": ["no-such-run"],
    "runs": [],
    "jobs": [],
    "batch request": ["750000000000001AAA", "751000000000001AAA"],
    "batch result": ["750000000000001AAA", "751000000000001AAA"],
    "job show": ["750000000000001AAA"],
    "job close": ["750000000000001AAA"],
    "job abort": ["750000000000001AAA"],
    "job results": ["750000000000001AAA"],
    "login": ["--access-token", "prod"],
    "logout": ["prod"],
    "orgs": [],
    "whoami": [],
    "limits": [],
    "describe": ["Contact"],
    "objects": [],
    "emulator": [],
    "ui": ["--no-open"],
    "verify": ["--emulator", "--only=unknown_path_status"],
    "demo": [],
}


@pytest.fixture(scope="module")
def org() -> Iterator[Emulator]:
    with Emulator() as org:
        org.insert("Contact", [{"LastName": "Lovelace"}])
        yield org


@pytest.fixture(autouse=True)
def surroundings(org: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """What the commands find; gives a port that is taken."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "a.csv").write_bytes(b"LastName\nx\n")
    (tmp_path / "noise").write_bytes(b"noise" * 5_000)
    monkeypatch.setenv("BULKFORCE_INSTANCE_URL", org.base_url)
    monkeypatch.setenv("BULKFORCE_ACCESS_TOKEN", org.session_id)
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    with socket.create_server(("127.0.0.1", 0)) as taken:
        yield int(taken.getsockname()[1])
    for number, handler in before.items():
        signal.signal(number, handler)


def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str) -> CompletedProcess[str]:
    """Call the command line in this process."""
    monkeypatch.setattr(sys, "argv", ["bulkforce", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    printed = capsys.readouterr()
    assert isinstance(end.value.code, int)
    return CompletedProcess(arguments, end.value.code, printed.out, printed.err)


def parameters() -> Iterator[tuple[str, Any]]:
    """All that take a value, with the name of their command."""
    groups: list[tuple[str, Any]] = [("", whole)]
    while groups:
        name, command = groups.pop()
        groups += [(f"{name} {inner}".strip(), one) for inner, one in getattr(command, "commands", {}).items()]
        yield from (
            (name, one)
            for one in command.params
            if not (getattr(one, "is_flag", False) or getattr(one, "count", False) or one.name == "help")
            # The same for all: one command shows it.
            and (one.name != "log_file" or name == "runs")
        )


def right_for(command: str, org: Emulator, port: int) -> list[str]:
    """Give what a command is given besides, with what is known only now."""
    now = {"emulator": [f"--port={port}"], "ui": [f"--port={port}"], "login": [f"--url={org.base_url}"]}
    return [*now.get(command, []), *RIGHT[command]]


def option_of(parameter: Any) -> str:
    return str(max(parameter.opts, key=len))


PARAMETERS: Final = list(parameters())


def test_every_command_is_in_the_table() -> None:
    assert RIGHT.keys() >= {command for command, _ in PARAMETERS}


@pytest.mark.parametrize("spoilt", SPOILT.values(), ids=list(SPOILT))
@pytest.mark.parametrize(
    ("command", "parameter"), PARAMETERS, ids=[f"{command} {one.name}" for command, one in PARAMETERS]
)
def test_argument_of_any_kind_is_taken_or_refused(
    org: Emulator,
    surroundings: int,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    parameter: Any,
    spoilt: str,
) -> None:
    asked = len(org.requests)
    right = right_for(command, org, surroundings)
    if parameter.param_type_name == "argument":
        given = [*(one for one in right if one.startswith("-")), "--", spoilt]
    else:
        option = f"{option_of(parameter)}="
        given = [f"{option}{spoilt}", *(one for one in right if not one.startswith(option))]
    done = call(capsys, monkeypatch, *command.split(), *given)
    assert done.returncode in {0, 1, 2}, done
    if parameter.name in {"workers", "batch_records", "port", "timeout"}:
        # None of them is a number in range, and the option itself says so.
        assert (done.returncode, option_of(parameter) in done.stderr) == (2, True)
    if done.stderr.startswith("bulkforce: "):
        assert len(done.stderr) < 2_000
    if done.returncode == 1:
        # What is wrong with the call itself is told by a 2.
        assert (
            "Cannot listen on" in done.stderr
            if command in {"emulator", "ui"}
            else len(org.requests) > asked or "HTTP " in done.stderr
        )
    if command == "check" and "nothing was sent" in done.stdout:
        # What it found is its report, whatever the code.
        assert done.returncode in {0, 2}
    elif done.returncode:
        assert done.stdout == ""
        # The place in a query is on indented lines.
        lines = [line for line in done.stderr.splitlines() if not line.startswith("  ")]
        assert lines[-1].startswith(("bulkforce: ", "Error: "))


@pytest.mark.parametrize(
    ("command", "option", "value"),
    [
        ("load", "--map", "folder"),
        ("load", "--run-dir", "a.csv"),
        ("extract", "--since-file", "folder"),
        ("extract", "--run-dir", "a.csv"),
        ("extract", "--fields", "Id"),
        ("extract", "--pk-chunking", "chunkSize=none"),
        ("runs", "--run-dir", "a.csv"),
        ("emulator", "--schema", "folder"),
        ("emulator", "--settings", "folder"),
        ("emulator", "--data", "a.csv"),
        ("emulator", "--describe", "a.csv"),
        ("emulator", "--describe", "folder"),
        ("describe", "--save", "a.csv"),
        ("describe", "--save", "a.csv/below"),
        ("describe", "--save", "."),
        ("emulator", "--schema", "a.csv"),
        ("emulator", "--settings", "a.csv"),
        ("emulator", "--persist", "noise"),
        ("emulator", "--persist", "folder"),
        ("emulator", "--allow-host", "no host"),
    ],
)
def test_option_that_cannot_be_used_is_named(
    org: Emulator,
    surroundings: int,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    option: str,
    value: str,
) -> None:
    right = right_for(command, org, surroundings)
    done = call(capsys, monkeypatch, command, f"{option}={value}", *right)
    assert (done.returncode, done.stdout) == (2, "")
    assert option in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [["load", "--operation="], ["resume", "--accept-as="], ["emulator", "--schema="], [""], ["--"], ["job", ""]],
)
def test_what_is_said_of_a_wrong_call_is_cut(arguments: list[str]) -> None:
    *before, last = arguments
    done = run(*before, last + "x" * 100_000)
    assert (done.returncode, done.stdout) == (2, "")
    assert "x" * 90 in done.stderr
    assert len(done.stderr) < 2_000


@pytest.mark.parametrize(
    "arguments", ["fly", "\x1b[2J", "", "--" + "x" * 100_000, "-", "--", os.fsdecode(b"\xff"), "load --fly", "job fly"]
)
def test_what_there_is_not_is_a_wrong_call(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: str
) -> None:
    assert call(capsys, monkeypatch, *(arguments.split(" "))).returncode == 2


def test_file_without_end_is_not_read_into_memory(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, surroundings: int, tmp_path: Path
) -> None:
    for name in ("long.toml", "long.json", "long.sdl"):
        with (tmp_path / name).open("wb") as file:
            file.write(b"#")
            file.truncate(1 << 40)
    query = "SELECT Id, SystemModstamp FROM Contact"
    for given in (
        [*RIGHT["load"], "--map=long.toml"],
        [*RIGHT["load"], "--map=long.sdl"],
        ["--output=out.csv", "--since-file=long.toml", query],
        [f"--port={surroundings}", "--schema=long.toml"],
        [f"--port={surroundings}", "--settings=long.json"],
    ):
        command = "emulator" if "--port" in given[0] else "extract" if query in given else "load"
        done = call(capsys, monkeypatch, command, *given)
        assert (done.returncode, done.stdout) == (2, "")
        assert "10,000,000" in done.stderr


STEERING: Final = "\x1b]0;owned\x07\x9b31m\u202e\r"
LOAD: Final = ["load", "--object=Contact", "--operation=insert", f"--run-dir=run{STEERING}[/bold]", "bad.csv"]


@pytest.mark.parametrize(
    "arguments",
    [
        LOAD,
        [*LOAD, "--json"],
        ["check", "--object=Contact", "--operation=insert", "odd.csv"],
        ["extract", f"--output=out{STEERING}.csv", "SELECT Id FROM Contact"],
        ["runs", f"--run-dir={STEERING}"],
        ["resume", STEERING],
        ["retry", STEERING],
        ["undo", STEERING],
        ["job", "show", STEERING],
        [STEERING],
        ["load", f"--{STEERING}"],
        ["load", *RIGHT["load"], STEERING],
        ["load", *RIGHT["load"], f"--operation={STEERING}"],
        ["emulator", f"--schema={STEERING}"],
        ["emulator", f"--persist=no/{STEERING}"],
    ],
    ids=ascii,
)
def test_nothing_that_is_printed_steers_a_terminal(org: Emulator, tmp_path: Path, arguments: list[str]) -> None:
    (tmp_path / "bad.csv").write_text(f'LastName,Department\n"","{STEERING} [/bold] [red]"\n', "utf-8")
    (tmp_path / "odd.csv").write_text(f'LastName,"{STEERING.replace(chr(13), "")}"\nx,y\n', "utf-8")
    done = run(
        *arguments, environment={"BULKFORCE_INSTANCE_URL": org.base_url, "BULKFORCE_ACCESS_TOKEN": org.session_id}
    )
    printed = done.stdout + done.stderr
    assert not set(printed) & {"\x1b", "\x07", "\x9b", "\u202e", "\r"}
    assert "\\u001b" in printed or "\\x1b" in printed
    assert "Traceback" not in printed
