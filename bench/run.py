"""Measure it all and print one table: `make bench`.

    python -m bench.run [--rows 1000000] [--runs 3] [--only "load CSV" ...] [--ours] [--results FILE]

Each run has a fresh process for the client, one for the stand-in org (bench/org), and a fresh folder. What is printed
was checked: the org saw as many records as there are, and the client says the same. Ends with 1 where a ceiling of
memory or a goal does not hold.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

from bench.cases import CASES, OURS, PEERS, Case, Peer
from bench.data import COLUMNS
from bench.measuring import Bad, Run, TooLong, Work, compile_all, measure
from bench.picture import draw

OURS_SECONDS: Final = 3_600.0
PEER_SECONDS: Final = 60.0
"""Clients of others that take longer are measured with a tenth of the records."""


@dataclass(frozen=True, slots=True)
class Figure:
    """What a client took for a case: the median of its runs, or why there is none, perhaps since it took too long."""

    case: str
    peer: str
    rows: int
    run: Run | None
    problem: str = ""
    ratio: float | None = None
    too_long: bool = False


Marks = dict[tuple[bool, int, str], Run]
"""The runs that others are compared with: whether records come out, how many they are, and whose run it is."""


def median(runs: list[Run]) -> Run:
    """Take the median of each figure."""
    columns = zip(*(asdict(run).values() for run in runs), strict=True)
    wall, cpu, peak, calls, size, org = (statistics.median(column) for column in columns)
    return Run(wall, cpu, peak, round(calls), size, org)


class Data:
    """The files of each number of records, made when they are first needed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def of(self, rows: int, needs: tuple[str, ...]) -> Path:
        """Return the folder with the files for so many records."""
        folder = self._folder / str(rows)
        folder.mkdir(exist_ok=True)
        if not (folder / "echo.csv.index").exists():
            _apart("bench.data", str(folder), "--rows", str(rows))
            three = [f"A,B{number},b{number}@example.com,,,," for number in range(3)]
            (folder / "three.csv").write_text("\n".join([",".join(COLUMNS), *three, ""]), "utf-8")
        for need in needs:
            self._make(folder, rows, need)
        return folder

    def _make(self, folder: Path, rows: int, need: str) -> None:
        made = folder / f".{need}"
        if need == "tls" or made.exists():
            return
        _apart("bench.data", str(folder), "--rows", str(rows), "--also", need)
        made.touch()

    def authority(self) -> tuple[str, str, str]:
        """Make a certificate, a key and their authority for localhost."""
        import trustme

        authority = trustme.CA()
        certificate = authority.issue_cert("localhost", "127.0.0.1")
        paths = tuple(str(self._folder / name) for name in ("cert.pem", "key.pem", "ca.pem"))
        Path(paths[0]).write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
        certificate.private_key_pem.write_to_path(paths[1])
        authority.cert_pem.write_to_path(paths[2])
        return paths[0], paths[1], paths[2]


def _apart(module: str, *given: str) -> None:
    """Run a module in a process of its own, so that this one stays small."""
    subprocess.run([sys.executable, "-m", module, *given], check=True)


def missing(peer: Peer) -> str:
    """Say why a client cannot be run here, if it cannot."""
    if shutil.which(peer.command[0]) is None:
        return f"{peer.command[0]} is not there"
    return ""


def figures(case: Case, rows: int, runs: int, data_of: Data, peers: Iterable[Peer]) -> list[Figure]:
    """Measure clients with so many records."""
    folder = data_of.of(rows, case.needs)
    tls = data_of.authority() if "tls" in case.needs else None
    taken: list[Figure] = []
    for peer in peers:
        records = 3 if case.cpu_seconds else rows
        command = (case.command if peer is OURS else ()) or peer.command
        work = Work(command, case.verb, folder, records, case.org, tls, OURS_SECONDS if peer is OURS else PEER_SECONDS)
        problem, made, too_long = missing(peer), [], False
        try:
            if not problem:
                made = [measure(work) for _ in range(1 if case.once else runs)]
        except Bad as error:
            problem, too_long = str(error), isinstance(error, TooLong)
        taken.append(
            Figure(case.name, peer.name, records, None if problem else median(made), problem, too_long=too_long)
        )
    return taken


def of_case(case: Case, rows: int, runs: int, data_of: Data, peers: list[Peer], marks: Marks) -> list[Figure]:
    """Measure a case; clients that take too long are measured with a tenth of the records, and so is their mark."""
    taken: list[Figure] = []
    rows = min(rows, case.most_rows)
    while peers and rows:
        if not taken or (case.extracts, rows, case.against) in marks:
            with_mark = peers
        else:
            with_mark = [*(peer for peer in PEERS if peer.name == case.against), *peers]
        some = figures(case, rows, runs, data_of, with_mark)
        for one in some:
            if one.run and one.peer == case.against:
                marks.setdefault((case.extracts, rows, one.peer), one.run)
        mark = marks.get((case.extracts, rows, case.against))
        taken += [with_ratio(one, mark) for one in some]
        late = {one.peer for one in some if one.too_long}
        peers, rows = [peer for peer in peers if peer.name in late - {OURS.name}], rows // 10
    return taken


def with_ratio(one: Figure, mark: Run | None) -> Figure:
    """Divide its CPU by that of what it is compared with."""
    return replace(one, ratio=one.run.cpu_seconds / mark.cpu_seconds) if one.run and mark else one


def row(one: Figure) -> str:
    """Write a line of the table."""
    if one.run is None:
        return f"| {one.case} | {one.peer} | {one.rows:,} | {one.problem} | | | | | | |"
    run = one.run
    ratio = f"{one.ratio:.1f} x" if one.ratio else ""
    return (
        f"| {one.case} | {one.peer} | {one.rows:,} | {run.wall_seconds:.2f} | {run.cpu_seconds:.2f} | {ratio} "
        f"| {run.peak_mb:.0f} | {run.calls:,} | {run.bytes_mb:.0f} | {run.org_cpu_seconds:.2f} |"
    )


HEAD = (
    "| work | client | rows | wall s | CPU s | of the mark | peak MB | calls | MB | org's CPU s |\n"
    "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
)


def overruns(case: Case, ours: Figure) -> list[str]:
    """Say which ceilings and goals do not hold."""
    run, name = ours.run, f"{case.name}, {ours.rows:,} rows"
    if run is None:
        return [f"{name}: {ours.problem}"]
    found = []
    if case.ceiling_mb and run.peak_mb > case.ceiling_mb:
        found.append(f"{name}: {run.peak_mb:.0f} MB, and the ceiling is {case.ceiling_mb:.0f}")
    if case.goal and ours.ratio and ours.ratio > case.goal:
        found.append(f"{name}: {ours.ratio:.1f} times the mark, and the goal is {case.goal}")
    if case.cpu_seconds and run.cpu_seconds > case.cpu_seconds:
        found.append(f"{name}: {run.cpu_seconds:.2f} s of CPU, and the goal is {case.cpu_seconds} s")
    if case.wall_seconds and run.wall_seconds > case.wall_seconds:
        found.append(f"{name}: {run.wall_seconds:.1f} s, and the goal is {case.wall_seconds} s")
    return found


def about(peers: Iterable[Peer]) -> dict[str, str]:
    """Say what machine and which versions this is."""
    from importlib.metadata import version

    return {
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "processors": str(os.cpu_count()),
        "machine": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "python": platform.python_version(),
        **{name: version(name) for name in ("bulkforce", "urllib3", "pyarrow")},
        **{peer.name: found for peer in peers if (found := _version(peer))},
    }


def _processor() -> str:
    with suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
        return next(line for line in lines if line.startswith("model name")).partition(":")[2].strip()
    return platform.processor()


def _version(peer: Peer) -> str:
    with suppress(OSError, subprocess.CalledProcessError):
        return (
            subprocess.run(peer.version, check=True, capture_output=True, text=True).stdout.strip()
            if peer.version
            else ""
        )
    return ""


def write(results: Path, taken: list[Figure]) -> None:
    """Write what was measured so far, and a picture of it."""
    there = {one.peer for one in taken}
    found = {"about": about(peer for peer in PEERS if peer.name in there), "figures": [asdict(one) for one in taken]}
    results.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    results.with_suffix(".svg").write_text(draw([(one.case, one.peer, one.run) for one in taken]), "utf-8")


def read(results: Path, without: Collection[str]) -> list[Figure]:
    """Read what was measured before, without some cases."""
    found = json.loads(results.read_text("utf-8"))["figures"] if results.exists() else []
    return [
        Figure(**{**one, "run": Run(**one["run"]) if one["run"] else None})
        for one in found
        if one["case"] not in without
    ]


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000])
    parser.add_argument("--runs", type=int, default=3, help="the median of so many runs is told")
    parser.add_argument("--only", nargs="+", metavar="CASE", help="only these cases")
    parser.add_argument("--without", nargs="+", default=[], metavar="CLIENT", help="not these clients")
    parser.add_argument("--ours", action="store_true", help="no clients of others, but the sketch")
    parser.add_argument("--folder", type=Path, help="where files are written, on a real disk; else a temporary folder")
    parser.add_argument(
        "--results",
        type=Path,
        help="a JSON file for the figures, and a picture beside it; with --only, other cases in it stay",
    )
    given = parser.parse_args()
    compile_all()
    taken: list[Figure] = []
    wrong: list[str] = []
    marks: Marks = {}
    kept = read(given.results, given.only) if given.results and given.only else []
    order = {case.name: number for number, case in enumerate(CASES)}
    print(HEAD, flush=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=given.folder) as folder:
        data_of = Data(Path(folder))
        for rows in given.rows:
            for case in [case for case in CASES if not given.only or case.name in given.only]:
                names = {OURS.name, case.against} if given.ours else {OURS.name, *case.peers}
                names -= set(given.without)
                peers = [peer for peer in PEERS if peer.name in names & {OURS.name, *case.peers}]
                done = of_case(case, rows, given.runs, data_of, peers, marks)
                print("\n".join(map(row, done)), flush=True)
                wrong += overruns(case, next(one for one in done if one.peer == OURS.name))
                taken += done
                if given.results:
                    write(given.results, sorted(kept + taken, key=lambda one: order[one.case]))
    if wrong:
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    main()
