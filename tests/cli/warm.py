"""A process that has imported what the command line can need, and forks it: each command is a process of its own, and
the imports are paid for once.

Gets a socket as its standard input. A message on it is an order; the files that come with it are the command's standard
output, its standard error,
and where to write its pid and, when it has ended, its exit code. An order may break the command's standard streams:
then they are broken on the descriptors, and Python's own are what the interpreter makes of such ones when it starts.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import io
import json
import os
import pkgutil
import signal
import socket
import sys
import traceback
import warnings
from typing import Any, NoReturn

import bulkforce
from bulkforce.cli.main import command, main

MOST_BYTES = 1 << 20
UNFLUSHED = 120
"""How the interpreter ends when it cannot write what was printed."""


def warm() -> None:
    """Import what is imported when it is first needed, which every command would do anew."""
    for module in pkgutil.walk_packages(bulkforce.__path__, "bulkforce."):
        importlib.import_module(module.name)
    for name in (
        "bulkforce_emulator.emulator",
        "bulkforce_emulator.server.server",
        "encodings.idna",
        "importlib.readers",
        "platformdirs.unix",
        "rich.console",
        "rich.progress",
        "rich.table",
    ):
        importlib.import_module(name)
    # A command is built when it is first asked for, and typer imports more when it reads its first option.
    for name in ["no-such-command", *command.commands]:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(Exception):
            command([name, "--help"], standalone_mode=False)
    gc.freeze()  # else each process would go through all of this, and so have its own copy of it


def spoil(number: int, how: str) -> None:
    """Break a standard stream."""
    match how:
        case "closed":
            os.close(number)
        case "full":
            os.dup2(os.open("/dev/full", os.O_WRONLY), number)
        case "nobody":
            reading, writing = os.pipe()
            os.close(reading)
            os.dup2(writing, number)


def become(order: dict[str, Any], output: int, errors: int) -> NoReturn:
    """Be the command, to its end."""
    code: object = 1
    try:
        os.dup2(output, 1)
        os.dup2(errors, 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False, errors="backslashreplace", buffering=1)  # noqa: SIM115
        for number, how in order["spoilt"].items():
            spoil(int(number), how)
            if how == "closed":
                setattr(sys, ("stdin", "stdout", "stderr")[int(number)], None)
        os.chdir(order["folder"])
        os.environ.clear()
        os.environ.update(order["environment"])
        warnings.simplefilter("error")
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.argv = ["bulkforce", *order["arguments"]]
        main()
        code = 0
    except SystemExit as end:
        code = end.code
    except BaseException:  # noqa: BLE001 - as the interpreter does it
        traceback.print_exc()
    finally:
        code = code if isinstance(code, int) else 0 if code is None else 1
        for stream in filter(None, (sys.stdout, sys.stderr)):
            try:
                stream.flush()
            except OSError:
                code = UNFLUSHED
        os._exit(code)


def serve(orders: socket.socket) -> None:
    """Start what is ordered, until nobody can order any more."""
    while True:
        message, files, _, _ = socket.recv_fds(orders, MOST_BYTES, 3)
        if not message:
            return
        if os.fork() == 0:
            output, errors, told = files
            pid = os.fork()
            if pid == 0:
                orders.close()
                os.close(told)
                become(json.loads(message), output, errors)
            os.close(output)
            os.close(errors)
            os.write(told, f"{pid}\n".encode())
            os.write(told, f"{os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}\n".encode())
            os._exit(0)
        for file in files:
            os.close(file)
        with contextlib.suppress(ChildProcessError):  # their time counts as this process', as that of children does
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


if __name__ == "__main__":
    warm()
    serve(socket.socket(fileno=os.dup(0)))
