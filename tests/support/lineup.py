"""See whether the outputs of a load line up with its source, row by row. Knows nothing but CSV: ``python
tests/support/lineup.py SOURCE.csv RUN_FOLDER``.

Walks through the source, and finds each row at the head of what is left of exactly one of the outputs. The rows must
differ from each other.
"""

from __future__ import annotations

import csv
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path

OURS = {"success": 2, "failed": 2, "unprocessed": 1, "rejected": 2}
"""The outputs, and how many columns stand in front of the source's own."""


class Crooked(Exception):
    """The outputs do not line up."""


def rows(path: Path) -> Iterator[list[str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        yield from (row for row in csv.reader(file, strict=True) if row)


def lineup(source: Path, folder: Path) -> dict[str, int]:
    """Count the rows of each output.

    Raises:
        Crooked: A row is missing, is there twice, is not in the source's order, or has no id, no reason, or another's
            number.
    """
    csv.field_size_limit(2**31 - 1)
    wanted = rows(source)
    header = next(wanted)
    outputs = {name: rows(folder / f"{name}.csv") for name in OURS}
    for name, output in outputs.items():
        if next(output)[OURS[name] :] != header:
            raise Crooked(f"{name}.csv has not the source's own columns")
    heads = {name: next(output, None) for name, output in outputs.items()}
    counts = dict.fromkeys(OURS, 0)
    last = "success"
    for number, row in enumerate(wanted, 1):
        for name in itertools.chain((last,), OURS):
            head = heads[name]
            if head is not None and head[OURS[name] :] == row:
                break
        else:
            raise Crooked(f"row {number} of the source stands at the head of no output: {row}; heads: {heads}")
        if not told(name, head, number):
            raise Crooked(f"row {number} of the source has no id, no reason or another's number in {name}.csv: {head}")
        counts[name] += 1
        heads[name] = next(outputs[name], None)
        last = name
    if any(heads.values()):
        raise Crooked(f"the outputs have rows more than the source: {heads}")
    return counts


def told(name: str, row: list[str], number: int) -> bool:
    if name == "success":
        return len(row[0]) == 18 and row[1] in {"true", "false"}
    return bool(row[OURS[name] - 1]) and (name != "rejected" or row[0] == str(number))


if __name__ == "__main__":
    print(lineup(Path(sys.argv[1]), Path(sys.argv[2])))
