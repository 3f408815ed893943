"""What holds for every test: nothing depends on the speed of the machine, nor on the order of the tests."""

from __future__ import annotations

import gc
import itertools
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Hundreds of processes are started here, and the tests themselves are read by each worker: where no bytecode is kept,
# all would compile everything anew.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Runs sync each step of theirs: in memory, where there is enough of it, thousands of them need not wait for a disk. The
# processes that are started here, and the workers, are told by the environment.
MEMORY = Path("/dev/shm")
ENOUGH_BYTES = 1_000_000_000
if "TMPDIR" not in os.environ and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ENOUGH_BYTES:
    os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)

# What a user has set for other programs: a file of authorities would be read by each client of each process.
_OF_THE_USER = {"SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "SF_TARGET_ORG", "SFDX_DEFAULTUSERNAME"}
for name in [name for name in os.environ if name.upper().endswith("_PROXY") or name in _OF_THE_USER]:
    del os.environ[name]

# The same examples each time: who finds a red test has broken it. `--hypothesis-profile=search` looks for new ones.
settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
settings.register_profile(
    "search", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True, max_examples=2_000
)
settings.load_profile("suite")


@pytest.fixture(scope="session", autouse=True)
def _states() -> Iterator[Path]:
    """What runs leave in the user's state folder is kept apart, in this process and those that it starts."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", folder)
        patch.setenv("BULKFORCE_CONFIG_DIR", folder)
        patch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
        yield Path(folder)


_number = itertools.count()


@pytest.fixture(autouse=True)
def _state_of_its_own(_states: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test has folders of its own for state and logins: none meets the runs of another one, nor pays for them."""
    folder = _states / str(next(_number))
    monkeypatch.setenv("XDG_STATE_HOME", str(folder))
    monkeypatch.setenv("BULKFORCE_CONFIG_DIR", str(folder / "config"))


def pytest_collection_finish() -> None:
    """Thousands of tests are there to stay: what looks for garbage need not go through them again and again."""
    gc.freeze()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Tell how to have the same order again when something failed: the plugin tells it in a header that ``-q`` leaves
    out."""
    seed = config.getoption("randomly_seed", None)
    if seed is not None and (terminalreporter.stats.keys() & {"failed", "error"}):
        terminalreporter.write_line(f"The order of the tests was by chance; to have it again: --randomly-seed={seed}")
