"""Memory has a ceiling, however many records there are: whole processes, each its own peak."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
CEILINGS_MB: Final = {
    "load": 60,
    "extract": 60,
    "extract-gz": 60,
    "extract-jsonl": 140,
    "extract-arrow": 140,
    "extract-parquet": 140,
}
# Ten times the records are 26 MB more: if they were kept, it would show. A row group of Parquet, and what Arrow reads
# ahead, is more than the few records have; so there only the ceiling counts.
ROWS: Final = (15_000, 150_000)
GROWTH_MB: Final = 15
# What a process inherits counts in what the system says of it afterwards, so each says it of itself, where it can.
CHILD: Final = """
import resource, runpy, sys
runpy.run_path("bench/peers/ours.py", run_name="__main__")
try:
    status = open("/proc/self/status").read()
    print(int(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e6)
except FileNotFoundError:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6)
"""


@contextmanager
def org(folder: Path) -> Iterator[str]:
    """Run the benchmark's stand-in, whose answers cost next to nothing."""
    command = [sys.executable, "-m", "bench.org", str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://localhost:{int(process.stdout.readline())}"
        finally:
            process.kill()


def peak_mb(case: str, url: str, folder: Path, rows: int) -> float:
    """Do a piece of work in a process of its own, and return its peak."""
    out = folder / case
    out.mkdir()
    command = [sys.executable, "-c", CHILD, case, url, str(folder), str(out), "0.1"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    said, peak = done.stdout.splitlines()
    assert json.loads(said) == {"rows": rows}
    return float(peak)


def peaks(folder: Path, rows: int) -> list[float]:
    """Do every piece of work on so many records, two at a time."""
    folder.mkdir()
    subprocess.run([sys.executable, "-m", "bench.data", str(folder), "--rows", str(rows)], cwd=ROOT, check=True)
    with org(folder) as url, ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda case: peak_mb(case, url, folder, rows), CEILINGS_MB))


def test_memory_has_a_ceiling_and_does_not_grow_with_the_records(tmp_path: Path) -> None:
    few, many = (peaks(tmp_path / str(rows), rows) for rows in ROWS)
    told = dict(zip(CEILINGS_MB, zip(few, many, strict=True), strict=True))
    over = {case: both for case, both in told.items() if max(both) > CEILINGS_MB[case]}
    assert not over, f"over the ceiling, in MB: {over}"
    grown = {
        case: (small, large)
        for case, (small, large) in told.items()
        if CEILINGS_MB[case] == 60 and large - small > GROWTH_MB
    }
    assert not grown, f"ten times the records take more memory, in MB: {grown}"
