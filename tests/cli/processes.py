"""The command line as a process of its own, as a user starts it."""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from subprocess import CompletedProcess

COMMAND = (sys.executable, "-m", "bulkforce.cli.main")
# A terminal as wide as a page, without colour, and what is printed gathered first, in any surrounding.
SURROUNDINGS = {
    **{name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"},
    "COLUMNS": "80",
    "NO_COLOR": "1",
    "PYTHONWARNINGS": "error",
}
_WAIT_SECONDS = 600.0


@cache
def _warm() -> socket.socket:
    """Where commands are ordered from the process that has imported all they need; see `tests/cli/warm.py`."""
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    program = [sys.executable, "-W", "error", str(Path(__file__).with_name("warm.py"))]
    # Typer would look for the shell that the tests were started from; there may be none.
    without_shell = {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8", **without_shell}
    process = subprocess.Popen(program, stdin=its.fileno(), env=environment)
    its.close()

    def end() -> None:
        ours.close()
        process.wait(_WAIT_SECONDS)

    atexit.register(end)
    return ours


class Command:
    """A command that was started. Its standard output can be read while it runs, its standard error when it has ended.

    Args:
        arguments: What is behind its name.
        environment: All its variables.
        spoilt: Which of its standard streams are broken, and how: ``closed``, ``full``, or ``nobody`` at the other end.
    """

    def __init__(self, arguments: tuple[str, ...], environment: Mapping[str, str], spoilt: Mapping[int, str]) -> None:
        reading, writing = os.pipe()
        told, telling = os.pipe()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the command
        order = {
            "arguments": arguments,
            "environment": dict(environment),
            "folder": str(Path.cwd()),
            "spoilt": dict(spoilt),
        }
        socket.send_fds(_warm(), [json.dumps(order).encode()], [writing, self._errors.fileno(), telling])
        os.close(writing)
        os.close(telling)
        self.stdout = open(reading, encoding="utf-8")  # noqa: SIM115, PTH123 - as long as the command
        self._told = open(told, encoding="ascii")  # noqa: SIM115, PTH123
        self._pid = int(self._told.readline())
        self.returncode: int | None = None

    def send_signal(self, number: int) -> None:
        os.kill(self._pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def communicate(self) -> tuple[str, str]:
        """Wait for its end; gives what is left to read of its standard output, and its standard error."""
        rest = self.stdout.read()
        if not select.select([self._told], [], [], _WAIT_SECONDS)[0]:
            raise TimeoutError(f"process {self._pid} does not end")
        self.returncode = int(self._told.readline())
        self._errors.seek(0)
        talk = self._errors.read().decode()
        for file in (self.stdout, self._told, self._errors):
            file.close()
        return rest, talk


def start(
    *arguments: str, environment: Mapping[str, str] | None = None, spoilt: Mapping[int, str] | None = None
) -> Command:
    """Start a command that goes on."""
    own = {name: os.environ[name] for name in ("XDG_STATE_HOME", "BULKFORCE_CONFIG_DIR") if name in os.environ}
    return Command(arguments, {**SURROUNDINGS, **own, **(environment or {})}, spoilt or {})


def run(
    *arguments: str, environment: Mapping[str, str] | None = None, spoilt: Mapping[int, str] | None = None
) -> CompletedProcess[str]:
    """Run a command to its end."""
    command = start(*arguments, environment=environment, spoilt=spoilt)
    output, talk = command.communicate()
    assert command.returncode is not None
    return CompletedProcess(arguments, command.returncode, output, talk)


def run_without(module: str, *arguments: str) -> CompletedProcess[str]:
    """Run a command where a module is not installed."""
    program = (
        f"import sys; sys.modules[{module!r}] = None; sys.argv = ['bulkforce', *sys.argv[1:]]; from "
        "bulkforce.cli.main import main; main()"
    )
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        env=SURROUNDINGS,
        timeout=600,
        check=False,
    )
