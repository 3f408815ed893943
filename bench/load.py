"""Measure `load` as a whole process: time, memory, calls. Fails when memory grows with the number of records.

    python bench/load.py --rows 1000000 10000000 --runs 3

Each run has a fresh process for the client, one for the stand-in org (org.py), and a fresh folder. What is printed was
checked: the org counted as many records as the file has, and the client's report says the same. Modules are compiled
before the first run, as an installation has them.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
DEFAULT_WORKERS: Final = 4
MEGABYTE: Final = 1_000_000

CEILING_MB: Final = 60.0
"""Peak memory of a whole load with the default workers, whatever the number of records. The interpreter and the modules
take some 30 MB of it; the rest is for batches on their way (1.6 MB each here, read whole so that the digest is checked
before a byte is sent) and their results."""
BATCH_MB: Final = 2.0
"""What one more worker may add: a batch of data.py's records, and its buffers."""
GROWTH: Final = 1.1
"""Peak memory of the longest load in shares of that of the shortest: what is kept is a line a batch, never a record."""
STEADY_ROWS: Final = 1_000_000
"""Growth is told from here on: a load of few batches ends before all workers had one in their hands at once."""

CHILD: Final = """
import sys
import bulkforce as bf

url, source, folder, workers, values = sys.argv[1:]
with bf.Client(url, bf.BearerToken("00D000000000001!bench")) as client:
    report = client.load(source, "Contact", "insert", run_dir=folder, workers=int(workers), values=values)
print(report.to_json())
"""


@dataclass(frozen=True, slots=True)
class Run:
    """What one run took."""

    wall_seconds: float
    cpu_seconds: float
    peak_mb: float
    calls: int
    org_cpu_seconds: float


def make(folder: Path, rows: int) -> Path:
    """Make a source, in a process of its own so that this one stays small."""
    source = folder / f"contacts-{rows}.csv"
    subprocess.run([sys.executable, str(HERE / "data.py"), "--rows", str(rows), str(source)], check=True)
    return source


def measure(source: Path, rows: int, workers: int, org_options: list[str], values: str) -> Run:
    """Load a file once.

    Raises:
        SystemExit: The counts are not what they should be.
    """
    org = subprocess.Popen([sys.executable, str(HERE / "org.py"), *org_options], stdout=subprocess.PIPE, text=True)
    folder = Path(tempfile.mkdtemp(prefix="run-", dir=source.parent))
    try:
        assert org.stdout is not None
        port = int(org.stdout.readline())
        given = [f"http://127.0.0.1:{port}", str(source), str(folder), str(workers), values]
        command = [sys.executable, "-c", CHILD, *given]
        with tempfile.TemporaryFile("w+") as printed:
            begun = time.perf_counter()
            child = subprocess.Popen(command, stdout=printed, env=environment(source.parent))
            # The kernel's own account of this one process. Its peak begins with what this process has, which is little.
            _, status, used = os.wait4(child.pid, 0)
            wall = time.perf_counter() - begun
            child.returncode = os.waitstatus_to_exitcode(status)
            printed.seek(0)
            report = json.loads(printed.read() or "{}")
        stats = ask(port, "/stats")
    finally:
        org.terminate()
        org.wait()
        shutil.rmtree(folder)
    check(child.returncode, rows, report, stats)
    peak = used.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / MEGABYTE
    return Run(wall, used.ru_utime + used.ru_stime, peak, stats["calls"], stats["cpu_seconds"])


def environment(folder: Path) -> dict[str, str]:
    """Let modules be compiled once and for all, into a folder of ours."""
    found = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return found | {"PYTHONPYCACHEPREFIX": str(folder / "compiled")}


def ask(port: int, path: str) -> dict[str, int]:
    """Ask the stand-in org something."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", path)
    answer: dict[str, int] = json.load(connection.getresponse())
    connection.close()
    return answer


def check(code: int, rows: int, report: dict[str, int], stats: dict[str, int]) -> None:
    """See that every record went in once and is accounted for.

    Raises:
        SystemExit: It is not so.
    """
    if code != 0:
        sys.exit(f"The load ended with exit code {code}")
    due = {
        "read": rows,
        "succeeded": rows - stats["failed"],
        "failed": stats["failed"],
        "unprocessed": 0,
        "rejected": 0,
        "pending": 0,
    }
    found = {name: report[name] for name in due}
    if found != due or stats["records"] != rows:
        sys.exit(
            f"The counts are wrong: the report has {found}, due is {due}; the org has {stats['records']:,} records"
        )
    if report["api_calls"] != stats["calls"]:
        sys.exit(f"The report has {report['api_calls']} calls, the org {stats['calls']}")


def median(runs: list[Run]) -> Run:
    """Take the median of each figure."""
    return Run(
        statistics.median(run.wall_seconds for run in runs),
        statistics.median(run.cpu_seconds for run in runs),
        statistics.median(run.peak_mb for run in runs),
        round(statistics.median(run.calls for run in runs)),
        statistics.median(run.org_cpu_seconds for run in runs),
    )


def overruns(peaks: dict[int, float], workers: int) -> list[str]:
    """Say which ceilings of memory do not hold. ``peaks`` has the megabytes of each number of rows."""
    ceiling = CEILING_MB + BATCH_MB * max(workers - DEFAULT_WORKERS, 0)
    found = [
        f"{rows:,} rows: peak {peak:.1f} MB, over the ceiling of {ceiling:.0f} MB"
        for rows, peak in peaks.items()
        if peak > ceiling
    ]
    fewest, most = min((rows for rows in peaks if rows >= STEADY_ROWS), default=0), max(peaks)
    if fewest and peaks[most] > GROWTH * peaks[fewest]:
        found.append(f"memory grows: {peaks[fewest]:.1f} MB at {fewest:,} rows, {peaks[most]:.1f} MB at {most:,}")
    return found


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000])
    parser.add_argument("--runs", type=int, default=3, help="the median of so many runs is told")
    parser.add_argument("--workers", type=int, default=DEFAULT_WORKERS)
    parser.add_argument(
        "--folder", type=Path, help="where sources and runs are written, on a real disk; by default a temporary folder"
    )
    parser.add_argument("--rtt-ms", default="0", help="see org.py; so are the next three")
    parser.add_argument("--batch-seconds", default="0")
    parser.add_argument("--parallel", default="5")
    parser.add_argument("--error-every", default="0", metavar="K")
    parser.add_argument("--values", default="warn", choices=["warn", "skip"], help="whether values are checked first")
    given = parser.parse_args()
    org_options = [
        *("--rtt-ms", given.rtt_ms, "--batch-seconds", given.batch_seconds),
        *("--parallel", given.parallel, "--error-every", given.error_every),
    ]
    peaks: dict[int, float] = {}
    print(
        "|       rows | wall s |  CPU s | peak MB | calls | org's CPU s |\n| ---: | ---: | ---: | ---: | ---: | ---: |"
    )
    with tempfile.TemporaryDirectory(prefix="bench-", dir=given.folder) as folder:
        measure(make(Path(folder), 1_000), 1_000, given.workers, [], given.values)
        for rows in given.rows:
            source = make(Path(folder), rows)
            run = median([measure(source, rows, given.workers, org_options, given.values) for _ in range(given.runs)])
            source.unlink()
            peaks[rows] = run.peak_mb
            print(
                f"| {rows:10,} | {run.wall_seconds:6.2f} | {run.cpu_seconds:6.2f} | {run.peak_mb:7.1f} | {run.calls:5} "
                f"| {run.org_cpu_seconds:11.2f} |",
                flush=True,
            )
    if found := overruns(peaks, given.workers):
        sys.exit("\n".join(found))


if __name__ == "__main__":
    main()
