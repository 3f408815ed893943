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

from tests.support.rehearsal import BRISK, SCHEMA

from bulkforce_emulator import Emulator
from bulkforce_emulator.settings import Settings

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

Moment = Literal["before acting", "before answering", "after answering"]
MOMENTS: tuple[Moment, ...] = ("before acting", "before answering", "after answering")
_WAIT_SECONDS = 600.0
Verb = Literal["load", "resume", "extract", "resume extract", "retry", "undo"]


@dataclass
class _Target:
    """One process, and at which of its requests it is to die."""

    nth: int | None = None
    moment: Moment = "before acting"
    seen: int = 0
    pid: int = 0
    known: threading.Event = field(default_factory=threading.Event)
    dead: threading.Event = field(default_factory=threading.Event)

    def kill(self) -> None:
        """Kill it and see it dead.

        Meanwhile the org stands still: what the process has not done by now it will never do.
        """
        assert self.known.wait(_WAIT_SECONDS)
        os.kill(self.pid, signal.SIGKILL)
        assert self.dead.wait(_WAIT_SECONDS)


class Gate:
    """Stands before the org, counts the requests, and kills whoever makes the nth one, before it is acted on, answered,
    or just after."""

    def __init__(self) -> None:
        self._app: ASGIApp | None = None
        self._target = _Target()

    def around(self, app: ASGIApp) -> ASGIApp:
        self._app = app
        return self

    def arm(self, nth: int | None = None, moment: Moment = "before acting") -> None:
        """Wait for the next process; it is to die at its nth request, or to live."""
        self._target = _Target(nth, moment)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Let another process live before the one that is waited for."""
        target, self._target = self._target, _Target()
        yield
        self._target = target

    def met(self, pid: int) -> None:
        """Say which process it is."""
        self._target.pid = pid
        self._target.known.set()

    def ended(self) -> None:
        """Say that it is no more."""
        self._target.dead.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self._app is not None
        target = self._target
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        target.seen += 1
        moment = target.moment if target.nth == target.seen else None
        if moment == "before acting":
            target.kill()
            return

        async def watched(message: Message) -> None:
            if moment == "before answering" and message["type"] == "http.response.start":
                target.kill()
            await send(message)
            if moment == "after answering" and message["type"] == "http.response.body" and not message.get("more_body"):
                target.kill()

        await self._app(scope, receive, watched)


class GuardedOrg(Emulator):
    """An emulated org behind a gate."""

    def __init__(self) -> None:
        # Pages of 2.0 as small as chunks of v1.
        super().__init__(SCHEMA, settings=Settings(result_set_records=8, largest_set_records=8))
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
    jobs: list[str] | None = None

    @property
    def killed(self) -> bool:
        return self.code in {-signal.SIGKILL, -signal.SIGALRM}


def was_begun(ended: Ended) -> bool:
    """Whether there was anything to go on with.

    What died before the first commit of its journal has done nothing, and its command is to be given again.
    """
    nowhere = ended.error == "UsageError" and "There is no " in ended.text
    return not (nowhere or (ended.error == "JournalMismatch" and "died before it" in ended.text))


class Forge:
    """The process that makes the processes; see `tests/crash/forge.py`."""

    def __init__(self, process: subprocess.Popen[str], org: GuardedOrg, folder: Path) -> None:
        self._process = process
        self.org = org
        self.folder = folder

    def run(self, verb: Verb, run_dir: Path, **order: Any) -> Ended:
        """Run one load or extract, or go on with one, in a process of its own, to its end or death."""
        return self.order(verb=verb, run_dir=str(run_dir), patience=asdict(BRISK), **order)

    def order(self, **order: Any) -> Ended:
        """Have what is ordered done by a process of its own, to its end or death."""
        outcome = self.folder / "outcome.json"
        outcome.unlink(missing_ok=True)
        common = {
            "outcome": str(outcome),
            "state": os.environ["XDG_STATE_HOME"],
            "url": self.org.base_url,
            "session_id": self.org.session_id,
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
            [sys.executable, "-W", "error", "-m", "tests.crash.forge"],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        try:
            yield Forge(process, org, folder)
        finally:
            assert process.stdin
            process.stdin.close()
            process.wait(_WAIT_SECONDS)
