"""Loads and extracts under thousands of seeds: the real plans, engine, journals, feed, outputs and sinks; time, chance
and the org are simulated.

``make simulate SEEDS=10000`` goes through more of them. A seed that fails is made smaller, and said with the command
that repeats it.
"""

from __future__ import annotations

import os
from collections import Counter

import pytest
from tests.simulation import extracts, loads
from tests.simulation.scenario import Scenario, shrink

SEEDS = int(os.environ.get("SEEDS", "2000"))
GROUPS = 20
EXTRACTS = 3
"""Each third seed is an extract."""


def simulate(scenario: Scenario) -> str:
    """Carry out a scenario; see `loads.simulate`."""
    verb = loads.simulate if scenario.seed % EXTRACTS else extracts.simulate
    return verb(scenario)


def failure(scenario: Scenario, ends: Counter[str] | None = None) -> str | None:
    """Carry out a scenario; say what is wrong, if anything, and count how it ended."""
    try:
        end = simulate(scenario)
    except Exception as error:  # noqa: BLE001  (whatever it is: a simulation that raises has found something)
        return f"{type(error).__name__}: {error}"
    if ends is not None:
        ends[end] += 1
    return None


@pytest.mark.parametrize("group", range(GROUPS))
def test_load_is_exactly_once_and_extract_complete_whatever_happens(group: int) -> None:
    ends: Counter[str] = Counter()
    for seed in range(group, SEEDS, GROUPS):
        scenario = Scenario.of(seed)
        if failure(scenario, ends):
            smallest = shrink(scenario, lambda one: failure(one) is not None)
            pytest.fail(f"seed {seed}: {failure(smallest)}\nRepeat it: python -m tests.simulation {seed}\n{smallest}")
    # Chance must not have made it too hard for anything to be learnt.
    assert ends["finished"] > sum(ends.values()) / 3
