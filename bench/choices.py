"""Measure what one can choose: workers, records a batch, processes.

    python -m bench.choices [--rows 100000] [--folder FOLDER] [--page docs/performance.md]

The org answers after 50 ms, takes a second a batch, and works on 5 batches at once; where it says "at once", it does
neither. Each figure is that of one run.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from bench.cases import OURS
from bench.measuring import Run, Work, compile_all, measure
from bench.tables import replace

SLOW: Final = ("--rtt-ms", "50", "--batch-seconds", "1", "--parallel", "5")
WORKERS: Final = (1, 2, 4, 8)
RECORDS: Final = (200, 1_000, 5_000, 10_000)
PROCESSES: Final = (1, 2, 4)


def data(folder: Path, rows: int) -> Path:
    """Make the data of so many records, if it is not there."""
    made = folder / str(rows)
    if not made.exists():
        subprocess.run([sys.executable, "-m", "bench.data", str(made), "--rows", str(rows)], check=True)
    return made


def load(folder: Path, rows: int, org: Sequence[str] = (), **options: int) -> Run:
    """Load so many records once."""
    command = [*OURS.command, *(f"--{name}={value}" for name, value in options.items())]
    return measure(Work(command, "load", data(folder, rows), rows, org))


def lines(folder: Path, rows: int) -> Iterator[str]:
    """Measure, and write a line for each."""
    yield "| what | | wall s | CPU s | peak MB | calls |\n| --- | ---: | ---: | ---: | ---: | ---: |"
    for workers in WORKERS:
        yield _line("workers", f"{workers}", load(folder, rows, SLOW, workers=workers))
    # The smallest would take minutes here: each batch is a second.
    for records in RECORDS[1:]:
        yield _line("records a batch", f"{records:,}", load(folder, rows, SLOW, batch_records=records))
    for records in RECORDS:
        yield _line("records a batch, at once", f"{records:,}", load(folder, rows, batch_records=records))
    for count in PROCESSES:
        part = rows * 4 // count
        data(folder, part)
        with ThreadPoolExecutor(count) as pool:
            runs = list(pool.map(lambda size: load(folder, size), [part] * count))
        longest = max(run.wall_seconds for run in runs)
        cpu, peak, calls = (sum(getattr(run, name) for run in runs) for name in ("cpu_seconds", "peak_mb", "calls"))
        whole = Run(longest, cpu, peak, calls, 0, 0)
        yield _line(f"processes, {rows * 4:,} records among them, at once", f"{count}", whole)


def _line(what: str, value: str, run: Run) -> str:
    return f"| {what} | {value} | {run.wall_seconds:.1f} | {run.cpu_seconds:.1f} | {run.peak_mb:.0f} | {run.calls:,} |"


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--folder", type=Path, help="where files are written; else a temporary folder")
    parser.add_argument("--page", type=Path, help="a page to write the figures into")
    given = parser.parse_args()
    compile_all()
    with tempfile.TemporaryDirectory(prefix="choices-", dir=given.folder) as folder:
        found = []
        for line in lines(Path(folder), given.rows):
            print(line, flush=True)
            found.append(line)
    if given.page:
        replace(given.page, "choices", "\n".join(found))


if __name__ == "__main__":
    main()
