"""Repeat one seed and make it smaller: ``python -m tests.simulation 123``."""

from __future__ import annotations

import sys
import traceback

from tests.simulation.scenario import Scenario, shrink
from tests.simulation.test_simulation import failure, simulate

if __name__ == "__main__":
    scenario = Scenario.of(int(sys.argv[1]))
    if failure(scenario) is None:
        print(f"{scenario}\nends well: {simulate(scenario)}")
        sys.exit()
    scenario = shrink(scenario, lambda one: failure(one) is not None)
    print(scenario)
    try:
        simulate(scenario)
    except Exception:  # noqa: BLE001  (it is what is looked for)
        traceback.print_exc()
        sys.exit(1)
