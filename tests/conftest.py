"""What holds for every test: nothing depends on the speed of the machine, nor on the order of the tests."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

# The same examples each time: who finds a red test has broken it. `--hypothesis-profile=search` looks for new ones.
settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
settings.register_profile("search", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True, max_examples=2_000)
settings.load_profile("suite")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Tell how to have the same order again when something failed: the plugin tells it in a header that ``-q`` leaves out."""
    seed = config.getoption("randomly_seed", None)
    if seed is not None and (terminalreporter.stats.keys() & {"failed", "error"}):
        terminalreporter.write_line(f"The order of the tests was by chance; to have it again: --randomly-seed={seed}")
