"""Hundreds of runs that sync each step of theirs: in memory, where there is some, they need not wait for a disk."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

MEMORY = Path("/dev/shm")
ENOUGH_BYTES = 500_000_000
FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    item.stash[FAILED] = item.stash.get(FAILED, False) or report.failed
    return report


@pytest.fixture
def tmp_path(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A folder in memory; what a test that failed leaves there is kept where pytest keeps it."""
    if not MEMORY.is_dir() or shutil.disk_usage(MEMORY).free < ENOUGH_BYTES:
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(prefix="bulkforce-crash-", dir=MEMORY) as folder:
        yield Path(folder)
        if request.node.stash[FAILED]:
            shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
