"""A process that works on a run, and may die at any effect, with or without the power going."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Generic, TypeVar

from tests.crash.power import Disk
from tests.simulation.org import Org
from tests.simulation.scenario import Scenario
from tests.simulation.world import Seeded, World

from bulkforce import BearerToken, Client, RetryPolicy, errors
from bulkforce.protocol.flow import Flow
from bulkforce.run.sitting import Sitting
from bulkforce.run.waiting import Patience
from bulkforce.transport.drive import Driver
from bulkforce.transport.stopping import Stop

T = TypeVar("T")
R = TypeVar("R")
SITTINGS: Final = 40
"""A run that has not ended by then never will."""


OTHERS: Final = frozenset({"source.csv", "state", "left", "copy"})
"""What lies beside the run and is none of its files, or outlives the process."""


class Death(BaseException):
    """The process ends here."""


class Process(Generic[R]):
    """Sittings of one run, one after the other.

    Args:
        scenario: What happens.
        folder: Of the run and its files.
        org: The org.
        world: Time and chance.
        resume: Goes on with the run.
    """

    def __init__(
        self, scenario: Scenario, folder: Path, org: Org, world: World, resume: Callable[[Sitting], R]
    ) -> None:
        self.scenario, self.folder, self.org, self.world, self._resume = scenario, folder, org, world, resume
        self.run_dir = folder / "run"
        self.effects = self.sittings = 0
        self.passing: tuple[type[errors.Error], ...] = (errors.TransportError, errors.Unavailable, errors.ProtocolError)
        self._deaths = dict(scenario.deaths)
        org.on_request = self._request
        os.environ["XDG_STATE_HOME"] = str(folder / "state")

    def _request(self, number: int) -> None:
        if how := self.scenario.ends.get(number):
            self.org.tampered = True
            for job in self.org.jobs.values():
                self.org.end(job, how)
        self.world.jump += self.scenario.jumps.get(number, 0.0)

    def _sit_down(self, driver: Driver, stop: Stop, trace: Callable[[str], None]) -> Sitting:
        world = self.world

        def run(flow: Flow[T]) -> T:
            return driver.run(flow, world.pass_time)

        return Sitting(
            run,
            lambda: driver.calls,
            trace=trace,
            stop=stop,
            clock=world.clock,
            pool=lambda _count: Seeded(world),
            patience=Patience(job_batches=self.scenario.job_batches),
        )

    @contextmanager
    def sitting(self, *, quiet: bool = False) -> Iterator[Sitting]:
        """Give what a verb needs; the process dies or is stopped inside, unless all is to be ``quiet``."""
        stop = Stop()
        really_sync = os.fsync
        watch = None if quiet or not any(self._deaths.values()) else Disk(self.folder)

        def trace(_effect: str) -> None:
            if quiet:
                return
            number, self.effects = self.effects, self.effects + 1
            if number in self._deaths:
                self._die(watch if self._deaths.pop(number) else None)
            if number in self.scenario.stops:
                stop.ask("the simulation")
            if number in self.scenario.seconds:
                self._second_sitting()

        client = Client("http://localhost", BearerToken("token"), retry=RetryPolicy(), transport=self.org)
        client.driver.chance = self.world.chance.random
        try:
            yield self._sit_down(client.driver, stop, trace)
        finally:
            # The disk that watches has put itself in its place.
            os.fsync = really_sync

    def _second_sitting(self) -> None:
        """Go on with the run while somebody is at work on it: that touches nothing."""
        before = self.org.requests
        try:
            with self.sitting(quiet=True) as sitting:
                self._resume(sitting)
        except errors.TransferError:
            assert self.org.requests == before
        else:
            raise AssertionError("two sittings at once")

    def go_on_with_copy(self) -> bool:
        """When the run has ended, go on with a copy of its folder from earlier in its place, if one was taken; whatever
        comes of it.

        Returns:
            Whether there was one.
        """
        copy = self.folder / "copy"
        if not copy.exists():
            return False
        shutil.rmtree(self.run_dir)
        copy.rename(self.run_dir)
        try:
            with self.sitting(quiet=True) as sitting:
                self._resume(sitting)
        except errors.Error:
            pass
        return True

    def _die(self, disk: Disk | None) -> None:
        left = self.folder / "left"
        if disk is None:
            left.mkdir()
            for path in self._files():
                (shutil.copytree if path.is_dir() else shutil.copyfile)(path, left / path.name)
        else:
            disk.cut(left)
        self.org.dead = True
        raise Death

    def until_it_ends(self, begin: Callable[[Sitting], R]) -> R | errors.Error:
        """Begin a run, and go on with it as often as it takes.

        Returns:
            What came of it: a report, or an error that going on would only repeat.
        """
        verb = begin
        for self.sittings in range(1, SITTINGS + 1):
            try:
                with self.sitting(quiet=self.sittings > SITTINGS - 5) as sitting:
                    return verb(sitting)
            except Death:
                self._come_back()
            except errors.Unsettled as error:
                if error.why != "restless":
                    return error
            except errors.Interrupted:
                pass
            except errors.Error as error:
                if not isinstance(error, self.passing):
                    return error
            self._copy()
            self._spoil()
            self.world.pass_time(1.0)
            verb = self._resume if self._is_begun() else begin
        raise AssertionError("it never ends")

    def _copy(self) -> None:
        if self.sittings == self.scenario.copied and self.run_dir.exists() and not (self.folder / "copy").exists():
            shutil.copytree(self.run_dir, self.folder / "copy")

    def _come_back(self) -> None:
        self.org.dead = False
        left = self.folder / "left"
        for path in self._files():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        for path in left.iterdir():
            if path.name not in OTHERS:
                path.rename(self.folder / path.name)
        shutil.rmtree(left)

    def _files(self) -> list[Path]:
        """Give what the process has written, or may have: the run and its output."""
        return [path for path in self.folder.iterdir() if path.name not in OTHERS]

    def _is_begun(self) -> bool:
        return any(self.run_dir.glob("*.sqlite"))

    def _spoil(self) -> None:
        """Change, cut or remove a file that came from the org."""
        chance = self.world.chance
        files = sorted(path for name in ("results", "parts") for path in (self.run_dir / name).glob("*"))
        if self.sittings not in self.scenario.spoilt or not files:
            return
        path = chance.choice(files)
        content = path.read_bytes()
        place = chance.randrange(len(content) + 1)
        path.unlink()
        if spoilt := chance.choice([b"", content[:place], content[:place] + b"1" + content[place + 1 :]]):
            path.write_bytes(spoilt)
