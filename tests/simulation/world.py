"""Time and chance of a simulation: both come from its seed, and nothing waits for anything real."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from bulkforce.run.clock import Clock

BEGIN = 1_770_000_000.0
STEPS = 30_000
"""What has not come to its end by then waits for nothing. The usual is some hundred steps."""


class World:
    """Where everything happens.

    Args:
        seed: Where chance comes from.
    """

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.now = 0.0
        self.jump = 0.0
        self._later: list[tuple[float, int, Callable[[], object]]] = []
        self._count = self._steps = 0

    @property
    def clock(self) -> Clock:
        """The clocks of a run: the one that may be put forward or back is."""
        return Clock(lambda: BEGIN + self.now + self.jump, lambda: self.now)

    def pass_time(self, seconds: float) -> None:
        """Let time pass, and happen what was to happen meanwhile."""
        self._steps += 1
        assert self._steps < STEPS, "it never ends"
        end = self.now + seconds
        while self._later and min(self._later)[0] <= end:
            due = min(self._later)
            self._later.remove(due)
            self.now = max(self.now, due[0])
            due[2]()
        self.now = end

    def later(self, seconds: float, what: Callable[[], object]) -> None:
        """Have something happen in a while, whoever is still there then."""
        self._count += 1
        self._later.append((self.now + seconds, self._count, what))


class Seeded:
    """Carries out tasks in any order, one at a time; what they give comes in any order, too.

    See `bulkforce.run.pool.Pool`.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._waiting: list[Callable[[], Any]] = []
        self._done: list[Any] = []

    def begin(self, task: Callable[[], Any]) -> None:
        """See `bulkforce.run.pool.Pool`."""
        self._waiting.append(task)

    def take(self, seconds: float) -> list[Any]:
        """See `bulkforce.run.pool.Pool`."""
        chance = self._world.chance
        if not self._waiting and not self._done:
            self._world.pass_time(seconds)
            return []
        while self._waiting and (not self._done or chance.random() < 0.4):
            self._done.append(self._waiting.pop(chance.randrange(len(self._waiting)))())
        chance.shuffle(self._done)
        taken = chance.randint(1, len(self._done))
        given, self._done = self._done[:taken], self._done[taken:]
        return given

    def close(self, *, wait: bool = True) -> None:
        """See `bulkforce.run.pool.Pool`."""
        while wait and self._waiting:
            self._waiting.pop()()
