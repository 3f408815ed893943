"""Measure what the check of values costs on top of reading a source: CPU seconds, the least of several runs.

    python -m bench.check --rows 300000

Three sources: that of data.py (quotes, and line ends of Windows inside texts), the same without those line ends, and
the same without quotes. Nothing is sent, and no org is asked: the fields are those of the stand-in.
"""

from __future__ import annotations

import argparse
import re
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from bench.data import write_all
from bench.org.files import DESCRIBED
from bulkforce.formats import csv
from bulkforce.load.mapping import ColumnMap, shape
from bulkforce.load.reader import Reader
from bulkforce.objects.columns import fit
from bulkforce.objects.values import CsvValues, columns_of
from bulkforce.protocol.rest import description_of
from bulkforce.vocabulary import Operation

QUOTED: Final = re.compile(rb'"[^"]*(?:""[^"]*)*"')


def seconds(source: Path, folder: Path, look: Callable[[csv.Unit], None]) -> float:
    """Read a source once, and return the CPU seconds that it took."""
    header = csv.header_of(source)
    begun = time.process_time()
    Reader(source, folder, header, shape(header.names, ColumnMap()), 10_000, lambda _read: None, look).read()
    return time.process_time() - begun


def measure(source: Path, runs: int) -> tuple[float, float]:
    """Return the CPU seconds of reading, and of reading and checking."""
    names = csv.header_of(source).names
    targets = fit(names, description_of(DESCRIBED.decode()), Operation.INSERT).targets
    alone, checked = [], []
    with tempfile.TemporaryDirectory(dir=source.parent) as folder:
        for _ in range(runs):
            alone.append(seconds(source, Path(folder), lambda _unit: None))
            values = CsvValues(columns_of(targets, Operation.INSERT), len(names))
            checked.append(seconds(source, Path(folder), values.add))
    return min(alone), min(checked)


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--runs", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        source = Path(folder) / "contacts.csv"
        write_all(source.parent, given.rows)
        content = source.read_bytes()
        sources = {
            "as data.py makes it": content,
            "without CR": content.replace(b"\r\n", b" "),
            "without quotes": QUOTED.sub(b"a text without quotes", content),
        }
        print("| source | reading s | with check s | on top |\n| --- | ---: | ---: | ---: |")
        for name, one in sources.items():
            source.write_bytes(one)
            alone, checked = measure(source, given.runs)
            print(f"| {name} | {alone:.2f} | {checked:.2f} | {100 * (checked / alone - 1):.0f} % |", flush=True)


if __name__ == "__main__":
    main()
