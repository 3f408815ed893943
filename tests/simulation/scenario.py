"""What happens in one simulation: made from a seed, and made smaller until only what matters is left."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final

FAULTS: Final = (
    "not sent", "lost before", "lost after", "late", "twin", "late twin", "late commit", "late commit, lost", "page before", "page after", "login page",
    "busy", "lagging", "cut",
)  # fmt: skip
KINDS: Final = ("open", "add", "add", "add", "state", "list", "list", "read", "read")
NTH: Final = (0, 0, 1, 1, 2, 3, 4, 6, 9)


@dataclass(frozen=True)
class Scenario:
    """One simulation.

    Attributes:
        seed: Where chance comes from.
        rows: How many rows, or records, there are.
        bad: Places of rows that the org does not take.
        size: Rows a batch, or records a chunk.
        workers: Uploads and downloads at once.
        faults: A request, by its kind and number, as in ``add 0`` -> what becomes of it.
        deaths: Numbers of effects after which the process dies -> whether the power goes, too.
        stops: Numbers of effects after which it is asked to stop.
        ends: Number of a request -> what an administrator does to all open jobs then.
        jumps: Number of a request -> seconds by which the clock is put forward or back.
        seconds: Numbers of effects after which a second sitting is begun.
        copied: After which sitting a copy of the run's folder is taken, to be gone on with when all is over; 0 is
            never.
        spoilt: Numbers of sittings after which a file that came from the org is spoilt on disk.
        chunked: Whether a query is split into chunks; over 2.0, whether its pages are listed.
        job_batches: How many batches a job takes at most, over v1.
    """

    seed: int
    rows: int
    bad: frozenset[int] = frozenset()
    size: int = 3
    workers: int = 2
    faults: dict[str, str] = field(default_factory=dict)
    deaths: dict[int, bool] = field(default_factory=dict)
    stops: frozenset[int] = frozenset()
    ends: dict[int, str] = field(default_factory=dict)
    jumps: dict[int, float] = field(default_factory=dict)
    seconds: frozenset[int] = frozenset()
    copied: int = 0
    spoilt: frozenset[int] = frozenset()
    chunked: bool = False
    job_batches: int = 1_000

    @classmethod
    def of(cls, seed: int) -> Scenario:
        """Make the scenario of a seed."""
        chance = random.Random(seed)

        def some(most: int, below: int) -> list[int]:
            return [chance.randrange(below) for _ in range(chance.randint(0, most))]

        rows = chance.randint(1, 16)
        return cls(
            seed,
            rows,
            frozenset(row for row in range(rows) if chance.random() < 0.15),
            chance.randint(1, 5),
            chance.randint(1, 3),
            {
                f"{chance.choice(KINDS)} {chance.choice(NTH)}": chance.choice(FAULTS)
                for _ in range(chance.randint(0, 6))
            },
            {number: chance.random() < 0.5 for number in some(3, 40)},
            frozenset(some(1, 40)),
            {number: chance.choice(["Closed", "Aborted"]) for number in some(1, 80)},
            {number: chance.choice([-7_200.0, 90_000.0]) for number in some(1, 80)},
            # Seldom: SQLite really waits for the one that holds the journal.
            frozenset(some(1, 30) if chance.random() < 0.1 else []),
            chance.choice([0, 0, 0, 1, 2]),
            frozenset(some(2, 4)),
            chance.random() < 0.7,
            chance.choice([1, 2, 1_000]),
        )

    def smaller(self) -> Iterator[Scenario]:
        """Give scenarios in which less happens."""
        for one in fields(self):
            value: Any = getattr(self, one.name)
            if isinstance(value, (dict, frozenset)):
                for key in value:
                    less: Any = (
                        {other: value[other] for other in value if other != key}
                        if isinstance(value, dict)
                        else value - {key}
                    )
                    yield replace(self, **{one.name: less})
        if self.copied:
            yield replace(self, copied=0)
        if self.chunked:
            yield replace(self, chunked=False)
        if self.job_batches < 1_000:
            yield replace(self, job_batches=1_000)
        if self.workers > 1:
            yield replace(self, workers=1)
        if self.rows > 1:
            yield replace(self, rows=self.rows - 1, bad=frozenset(row for row in self.bad if row < self.rows - 1))


def shrink(scenario: Scenario, fails: Callable[[Scenario], bool]) -> Scenario:
    """Find a scenario that still fails and in which nothing can be left out."""
    found = True
    while found:
        found = False
        for smaller in scenario.smaller():
            if fails(smaller):
                scenario, found = smaller, True
                break
    return scenario
