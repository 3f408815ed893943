"""Loads in real processes against an emulated org, killed where a test says, and what came of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tests.rehearsal import BRISK, SCHEMA

from bulkforce_emulator import Emulator

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

Moment = Literal["before acting", "before answering", "after answering"]
MOMENTS: tuple[Moment, ...] = ("before acting", "before answering", "after answering")
_WAIT_SECONDS = 30.0


class Gate:
    """Stands before the org, counts the requests, and kills whoever makes the nth one, before it is acted on, answered, or just after."""

    def __init__(self) -> None:
        self._app: ASGIApp | None = None
        self._due: tuple[int, Moment] | None = None
        self._pid: list[int] = []
        self._known = threading.Event()
        self._dead = threading.Event()
        self.seen = 0

    def around(self, app: ASGIApp) -> ASGIApp:
        self._app = app
        return self

    def arm(self, nth: int | None = None, moment: Moment = "before acting") -> None:
        self._due = None if nth is None else (nth, moment)
        self._known.clear()
        self._dead.clear()
        self.seen = 0

    def met(self, pid: int) -> None:
        """Say which process makes the requests."""
        self._pid = [pid]
        self._known.set()

    def ended(self) -> None:
        """Say that it is no more."""
        self._dead.set()

    def _kill(self) -> None:
        # While this waits the org stands still: what the process has not done by now it will never do.
        assert self._known.wait(_WAIT_SECONDS)
        os.kill(self._pid[0], signal.SIGKILL)
        assert self._dead.wait(_WAIT_SECONDS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self._app is not None
        if scope["type"] != "http" or self._dead.is_set():
            await self._app(scope, receive, send)
            return
        self.seen += 1
        moment = self._due[1] if self._due and self._due[0] == self.seen else None
        if moment == "before acting":
            self._kill()
            return

        async def watched(message: Message) -> None:
            if moment == "before answering" and message["type"] == "http.response.start":
                self._kill()
            await send(message)
            if moment == "after answering" and message["type"] == "http.response.body" and not message.get("more_body"):
                self._kill()

        await self._app(scope, receive, watched)


class GuardedOrg(Emulator):
    """An emulated org behind a gate."""

    def __init__(self) -> None:
        super().__init__(SCHEMA)
        self.gate = Gate()

    @cached_property
    def app(self) -> ASGIApp:
        return self.gate.around(super().app)


@dataclass
class Ended:
    """How a process ended: its exit code, negative for a signal, and what it wrote before."""

    code: int
    report: dict[str, Any] = field(default_factory=dict)
    error: str | None = None
    text: str = ""
    effects: list[str] = field(default_factory=list)

    @property
    def killed(self) -> bool:
        return self.code in {-signal.SIGKILL, -signal.SIGALRM}


class Forge:
    """The process that makes the processes; see `tests/crash/forge.py`."""

    def __init__(self, process: subprocess.Popen[str], org: GuardedOrg, folder: Path) -> None:
        self._process = process
        self.org = org
        self.folder = folder

    def run(self, verb: Literal["load", "resume"], run_dir: Path, **order: Any) -> Ended:
        """Run one load, or go on with one, in a process of its own, to its end or death."""
        outcome = self.folder / "outcome.json"
        outcome.unlink(missing_ok=True)
        common = {
            "verb": verb,
            "run_dir": str(run_dir),
            "outcome": str(outcome),
            "url": self.org.base_url,
            "session_id": self.org.session_id,
            "patience": asdict(BRISK),
        }
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps({**common, **order}) + "\n")
        self._process.stdin.flush()
        self.org.gate.met(json.loads(self._process.stdout.readline())["pid"])
        code = json.loads(self._process.stdout.readline())["status"]
        self.org.gate.ended()
        written = json.loads(outcome.read_text("utf-8")) if outcome.exists() else {}
        ended = Ended(code, **written)
        assert ended.killed or code == 0, f"the process ended with {code}"
        return ended


@contextmanager
def forging(folder: Path) -> Iterator[Forge]:
    """An org, and a forge of processes that load into it."""
    with (
        GuardedOrg() as org,
        subprocess.Popen(
            [sys.executable, "-W", "error", str(Path(__file__).with_name("forge.py"))], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process,
    ):
        try:
            yield Forge(process, org, folder)
        finally:
            assert process.stdin
            process.stdin.close()
            process.wait(_WAIT_SECONDS)
