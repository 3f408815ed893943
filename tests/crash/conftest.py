from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

_MEMORY = "/dev/shm"


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder in memory where there is such a disk: what a kill leaves is the same there, and nothing has to be waited for thousands of times."""
    with tempfile.TemporaryDirectory(prefix="bulkforce-crash-", dir=_MEMORY if os.access(_MEMORY, os.W_OK) else None) as folder:
        yield Path(folder)
