"""Fit what a load and an extract cost, `CPU = a + b * bytes + c * rows`, and try it on sizes that it has not seen.

    python -m bench.model [--runs 3] [--folder FOLDER] [--page docs/performance.md]

Records are narrow, usual and wide (91, 163 and 522 bytes or so). With ``--page``, the table and what it says of more
records are written into that page, between its marks.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from bench.cases import OURS
from bench.measuring import Work, compile_all, measure
from bench.tables import replace

VERBS: Final = {"load": "contacts.csv", "extract": "found.csv"}
SEEN: Final = tuple((rows, texts) for rows in (50_000, 200_000, 400_000) for texts in (0, 1, 6))
UNSEEN: Final = ((100_000, 12), (300_000, 3), (1_000_000, 1))
LARGE: Final = (100_000_000, 1_000_000_000)


@dataclass(frozen=True, slots=True)
class Point:
    """One size: its rows and bytes, and the CPU that it took."""

    rows: int
    bytes: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Model:
    """Seconds for the start, a byte and a row."""

    start: float
    a_byte: float
    a_row: float

    @classmethod
    def fitted(cls, points: Sequence[Point]) -> Model:
        """Fit it so that what it is wrong by, in parts of the whole, is least."""
        costs = np.array([[1.0, one.bytes, one.rows] for one in points])
        seconds = np.array([one.seconds for one in points])
        found = np.linalg.lstsq(costs / seconds[:, None], np.ones(len(points)), rcond=None)[0]
        return cls(*map(float, found))

    def seconds(self, rows: int, size: int) -> float:
        """Say what so many rows and bytes cost."""
        return self.start + self.a_byte * size + self.a_row * rows


def taken(folder: Path, sizes: Sequence[tuple[int, int]], verb: str, runs: int) -> Iterator[Point]:
    """Measure sizes: the least CPU of the runs, as others' work on a machine only ever adds to it."""
    for rows, texts in sizes:
        data = folder / f"{rows}-{texts}"
        if not data.exists():
            given = [str(data), "--rows", str(rows), "--texts", str(texts)]
            subprocess.run([sys.executable, "-m", "bench.data", *given], check=True)
        work = Work(OURS.command, verb, data, rows)
        seconds = min(measure(work).cpu_seconds for _ in range(runs))
        yield Point(rows, (data / VERBS[verb]).stat().st_size, seconds)


def page(measured: dict[str, tuple[Model, list[Point]]]) -> str:
    """Write what was found as Markdown."""
    lines = [
        "| verb | start | a million rows | 100 MB |",
        "| --- | ---: | ---: | ---: |",
        *(
            f"| {verb} | {model.start:.2f} s | {model.a_row * 1e6:.2f} s | {model.a_byte * 1e8:.2f} s |"
            for verb, (model, _) in measured.items()
        ),
        "",
        "Sizes that it was not fitted to:",
        "",
        "| verb | rows | MB | says | took | wrong by |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
        *(_unseen(verb, model, one) for verb, (model, points) in measured.items() for one in points),
        "",
        "What it says of more, at the usual width:",
        "",
        "| verb | rows | GB | CPU |",
        "| --- | ---: | ---: | ---: |",
        *(
            _large(verb, model, rows, points[-1].bytes / points[-1].rows)
            for verb, (model, points) in measured.items()
            for rows in LARGE
        ),
    ]
    return "\n".join(lines)


def _unseen(verb: str, model: Model, one: Point) -> str:
    says = model.seconds(one.rows, one.bytes)
    wrong = (says - one.seconds) / one.seconds
    return f"| {verb} | {one.rows:,} | {one.bytes / 1e6:.0f} | {says:.2f} s | {one.seconds:.2f} s | {wrong:+.0%} |"


def _large(verb: str, model: Model, rows: int, width: float) -> str:
    minutes = model.seconds(rows, round(rows * width)) / 60
    return f"| {verb} | {rows:,} | {rows * width / 1e9:.0f} | {minutes:.0f} min |"


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where files are written; else a temporary folder")
    parser.add_argument("--page", type=Path, help="a page to write the figures into")
    given = parser.parse_args()
    compile_all()
    measured: dict[str, tuple[Model, list[Point]]] = {}
    with tempfile.TemporaryDirectory(prefix="model-", dir=given.folder) as folder:
        for verb in VERBS:
            seen, unseen = (list(taken(Path(folder), sizes, verb, given.runs)) for sizes in (SEEN, UNSEEN))
            measured[verb] = Model.fitted(seen), unseen
    text = page(measured)
    print(text)
    if given.page:
        replace(given.page, "model", text)


if __name__ == "__main__":
    main()
