"""One run of one client against a fresh stand-in: what it took, and whether it did all of its work."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MEGABYTE: Final = 1_000_000
POLL: Final = "0.1"


class Bad(Exception):
    """A run that did not do its work, or not all of it."""


class TooLong(Bad):
    """A run that was stopped, since it took longer than it may."""


@dataclass(frozen=True, slots=True)
class Run:
    """What one run took: the kernel's own account of the client's process, and what the org saw."""

    wall_seconds: float
    cpu_seconds: float
    peak_mb: float
    calls: int
    bytes_mb: float
    org_cpu_seconds: float


@dataclass(frozen=True, slots=True)
class Work:
    """A run to be measured.

    Attributes:
        command: The driver, to which verb, URL, folders and the pause between two looks are added.
        verb: What it is to do.
        folder: The data.
        rows: How many records there are.
        org: Options of the stand-in.
        tls: Certificate, key and authority, for TLS.
        limit_seconds: How long it may take.
    """

    command: Sequence[str]
    verb: str
    folder: Path
    rows: int
    org: Sequence[str] = ()
    tls: tuple[str, str, str] | None = None
    limit_seconds: float = 1_800.0


def measure(work: Work) -> Run:
    """Run a client once.

    Raises:
        Bad: It failed, or the counts are not what they should be.
        TooLong: It took longer than it may.
    """
    options = [*work.org, *(("--tls", *work.tls[:2]) if work.tls else ())]
    command = [sys.executable, "-m", "bench.org", str(work.folder), *options]
    org = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    out = Path(tempfile.mkdtemp(prefix="out-", dir=work.folder.parent))
    try:
        assert org.stdout is not None
        port = int(org.stdout.readline())
        scheme = "https" if work.tls else "http"
        given = [work.verb, f"{scheme}://localhost:{port}", str(work.folder), str(out), POLL]
        run, told = _run([*work.command, *given], _environment(work, out), work.limit_seconds)
        stats = _stats(port, work.tls)
    finally:
        org.terminate()
        org.wait()
        shutil.rmtree(out)
    _check(work, told, stats)
    return Run(*run, stats["calls"], stats["bytes"] / MEGABYTE, stats["cpu_seconds"])


def _run(
    command: Sequence[str], environment: dict[str, str], limit_seconds: float
) -> tuple[tuple[float, float, float], int]:
    """Run a process to its end: wall, CPU and peak memory; and how many records it says it did."""
    with tempfile.TemporaryFile("w+") as printed, tempfile.TemporaryFile("w+") as said:
        begun = time.perf_counter()
        child = subprocess.Popen(command, stdout=printed, stderr=said, env=environment, start_new_session=True)
        stop = threading.Timer(limit_seconds, os.killpg, (child.pid, signal.SIGKILL))
        stop.start()
        try:
            # The kernel's account of this one process; its peak begins with what this process has, which is little.
            _, status, used = os.wait4(child.pid, 0)
        except BaseException:
            os.killpg(child.pid, signal.SIGKILL)
            raise
        finally:
            stop.cancel()
        wall = time.perf_counter() - begun
        child.returncode = os.waitstatus_to_exitcode(status)
        if wall >= limit_seconds:
            raise TooLong(f"more than {limit_seconds:.0f} s")
        printed.seek(0)
        said.seek(0)
        lines = printed.read().splitlines()
        if child.returncode:
            last = (said.read().strip().splitlines() or [""])[-1]
            raise Bad(f"it ended with {child.returncode}: {last[-200:]}")
    peak = used.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / MEGABYTE
    rows = json.loads(lines[-1])["rows"] if lines else -1
    return (wall, used.ru_utime + used.ru_stime, peak), rows


def _environment(work: Work, out: Path) -> dict[str, str]:
    """Let modules be compiled once and for all, the stand-in's authority be trusted, and no run know of another."""
    found = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    found["XDG_STATE_HOME"] = str(out / "state")
    found["NODE_MODULES"] = str(Path("tests/judges/clients/node_modules").absolute())
    found["PYTHONPATH"] = os.pathsep.join([str(Path.cwd()), *filter(None, [found.get("PYTHONPATH")])])
    if work.tls:
        found["SSL_CERT_FILE"] = work.tls[2]
    return found


def _stats(port: int, tls: tuple[str, str, str] | None) -> dict[str, int]:
    if tls:
        import ssl

        context = ssl.create_default_context(cafile=tls[2])
        connection: http.client.HTTPConnection = http.client.HTTPSConnection("localhost", port, context=context)
    else:
        connection = http.client.HTTPConnection("localhost", port)
    connection.request("GET", "/stats")
    found: dict[str, int] = json.load(connection.getresponse())
    connection.close()
    return found


def _check(work: Work, told: int, stats: dict[str, int]) -> None:
    """See that every record went through."""
    if told not in {work.rows, -1}:
        raise Bad(f"it says {told:,} records of {work.rows:,}")
    loads = work.verb.startswith("load") or work.verb in {"json-batches", "xml-batches"}
    if loads and stats["records"] != work.rows:
        raise Bad(f"the org has {stats['records']:,} records of {work.rows:,}")


def compile_all() -> None:
    """Run what can be run in vain once, so that modules are compiled before anything is measured."""
    with suppress(OSError):
        subprocess.run([sys.executable, "-m", "compileall", "-q", "src", "bench"], check=False)
