"""A process that makes processes: warm, without threads, so that a fork of it is a load in a process of its own within
milliseconds.

Reads orders as JSON lines on standard input; for each it writes a line when the process is there (its pid) and one when
it has ended (its status). The process writes what came of it, and how many effects there were, to the order's
``outcome`` file, if it lives to do so.
"""

from __future__ import annotations

import gc
import importlib.metadata
import json
import os
import pkgutil
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import platformdirs
from tests.crash.power import Disk

import bulkforce
from bulkforce import BearerToken, Client
from bulkforce.errors import Error
from bulkforce.extract import verb as extract
from bulkforce.extract.asking import ExtractOptions
from bulkforce.extract.report import ExtractReport
from bulkforce.load import following
from bulkforce.load import verb as load
from bulkforce.load.asking import LoadOptions
from bulkforce.load.following import FollowOptions
from bulkforce.load.report import LoadReport
from bulkforce.protocol import limits
from bulkforce.protocol.retry import RetryPolicy
from bulkforce.run.sitting import Sitting
from bulkforce.run.waiting import Patience

FILE_EVENTS = {"open", "os.rename", "os.remove", "os.rmdir", "os.mkdir"}


class Counter:
    """Counts effects, and ends the process at the one that was asked for, or behind the first of a name; by a power
    cut, it first writes down what would be left of the disk."""

    def __init__(
        self, die_at: int | None, die_behind: str | None = None, disk: Disk | None = None, left: Path = Path()
    ) -> None:
        self._die_at, self._die_behind = die_at, die_behind
        self._disk, self._left = disk, left
        self._lock = threading.RLock()
        self.effects: list[str] = []

    def __call__(self, effect: str) -> None:
        with self._lock:
            self.effects.append(effect)
            if len(self.effects) == self._die_at or self._die_behind in self.effects[:-1]:
                if self._disk:
                    self._disk.cut(self._left)
                os.kill(os.getpid(), signal.SIGKILL)


def watch_files(folder: Path, count: Callable[[str], None]) -> None:
    """Count what is about to be done to files of a folder, just before it is done."""
    inside = os.fspath(folder)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event not in FILE_EVENTS or not os.fspath(
            arguments[0] if isinstance(arguments[0], (str, Path)) else ""
        ).startswith(inside):
            return
        if event != "open" or set("wx") & set(arguments[1] or ""):
            count(f"{event} {Path(arguments[0]).name}")

    sys.addaudithook(hook)


def stage(order: dict[str, Any]) -> list[str]:
    """Do one process's part of a staged load; return the ids of the jobs that it was about."""
    with Client(order["url"], BearerToken(order["session_id"]), retry=RetryPolicy(attempts=2)) as client:
        staged = client.resume_stage(order["stage"])
        match order["verb"]:
            case "write":
                return staged.write(Path(order["part"]))
            case "commit":
                return [job.id for job in staged.commit()]
            case _:
                staged.abort()
                return []


def work(order: dict[str, Any]) -> None:
    os.environ["XDG_STATE_HOME"] = order["state"]
    if "stage" in order:
        tell(order, {"jobs": stage(order)})
        return
    around = Path(order["run_dir"]).parent
    count = Counter(
        order.get("die_at"), order.get("die_behind"), Disk(around) if order.get("power") else None, around / "left"
    )
    if order.get("watch") == "files":
        watch_files(around, count)
    if order.get("alarm_seconds"):
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, order["alarm_seconds"])
    # A run that is gone on with keeps the version that it began with.
    version = order.get("options", {}).pop("version", limits.API_VERSION)
    retry = RetryPolicy(first_seconds=0.001)
    client = Client(order["url"], auth=BearerToken(order["session_id"]), version=version, retry=retry)
    sitting = Sitting.of(client.driver)
    sitting = replace(
        sitting, patience=Patience(**order["patience"]), trace=count if order.get("watch") == "trace" else sitting.trace
    )
    outcome: dict[str, Any]
    try:
        report: LoadReport | ExtractReport
        match order["verb"]:
            case "load":
                report = load.load(sitting, LoadOptions(**order["options"], run_dir=order["run_dir"]))
            case "retry":
                report = following.retry(sitting, order["followed"], FollowOptions(run_dir=order["run_dir"]))
            case "undo":
                report = following.undo(sitting, order["followed"], FollowOptions(run_dir=order["run_dir"]))
            case "resume":
                report = load.resume(sitting, order["run_dir"])
            case "extract":
                report = extract.extract(sitting, ExtractOptions(**order["options"], run_dir=order["run_dir"]))
            case _:
                report = extract.resume_extract(sitting, order["run_dir"])
        outcome = {"report": json.loads(report.to_json())}
    except Error as error:
        outcome = {"error": type(error).__name__, "text": str(error)}
    tell(order, {**outcome, "effects": count.effects})


def tell(order: dict[str, Any], outcome: dict[str, Any]) -> None:
    """Write down what came of an order."""
    written = Path(order["outcome"] + ".part")
    written.write_text(json.dumps(outcome), "utf-8")
    written.replace(order["outcome"])  # it may be killed here, too, and half an outcome is none


def warm() -> None:
    """Import what is imported when it is first needed, which every process would do anew: most of its time."""
    for module in pkgutil.walk_packages(bulkforce.__path__, "bulkforce."):
        if ".cli" not in module.name:
            importlib.import_module(module.name)
    for name in ("encodings.idna", "importlib.readers"):
        importlib.import_module(name)
    platformdirs.user_state_path()  # it imports what the platform needs
    importlib.metadata.version("bulkforce")  # it remembers where it looked
    gc.freeze()  # else each process would go through all of this, and so have its own copy of it


def main() -> None:
    warm()
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                work(json.loads(line))
                code = 0
            finally:
                sys.stderr.flush()
                os._exit(code)
        print(json.dumps({"pid": pid}), flush=True)
        _, status = os.waitpid(pid, 0)
        print(json.dumps({"status": os.waitstatus_to_exitcode(status)}), flush=True)


if __name__ == "__main__":
    main()
