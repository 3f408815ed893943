"""Make CSV of any number of records, always the same, in a few seconds a million.

    python bench/data.py --rows 1000000 contacts.csv

Seven columns, about 160 bytes a record: quotes, commas, line ends inside values, characters beyond ASCII, empty values.
The e-mail address numbers the record, so no two are equal; and "@" stands in every record exactly once, by which the
stand-in org (org.py) counts.
"""

from __future__ import annotations

import argparse
import csv
import io
import random
from pathlib import Path
from typing import Final

COLUMNS: Final = ("FirstName", "LastName", "Email", "Phone", "Title", "Description", "Score__c")
SEED: Final = 20260212
PATTERN_RECORDS: Final = 16_411
"""Records made one by one; the file repeats them under new numbers. A prime, so that no two batches are alike."""
_NUMBER: Final = "{number}"

_FIRST: Final = [
    "Ada",
    "Alan",
    "Grace",
    "Edsger",
    "Barbara",
    "Donald",
    "Margaret",
    "Ken",
    "Radia",
    "Tim",
    "Frances",
    "Hedy",
    "Zoë",
    "José",
    "東京",
    "Łukasz",
]
_LAST: Final = [
    "Lovelace",
    "Turing",
    "Hopper",
    "Dijkstra",
    "Liskov",
    "Knuth",
    "Hamilton",
    "Thompson",
    "Perlman",
    "O'Neil",
    "Müller",
    "Ångström",
]
_TITLES: Final = ("Manager", "VP, Sales", 'Head of "Special" Projects', "Director of Engineering", "Buyer, Senior", "")
_WORDS: Final = [
    "account",
    "renewal",
    "call",
    "demo",
    "follow",
    "up",
    "quote",
    "pricing",
    "contract",
    "legal",
    "review",
    "ticket",
    "roadmap",
    "budget",
    "quarter",
]


def record(chance: random.Random) -> list[str]:
    """Make one record, with a gap where its number goes."""
    text = " ".join(chance.choices(_WORDS, k=chance.randint(6, 14)))
    match chance.randrange(12):
        case 0:
            text = ""
        case 1 | 2:
            text = f'said "{text}", twice'
        case 3:
            text += "\nnext line: naïve café"
        case 4:
            text += '\r\nand "more"\n'
        case 5 | 6 | 7:
            text += ", then " + chance.choice(_WORDS)
    phone = f"+1 ({chance.randint(100, 999)}) {chance.randint(100, 999)}-{chance.randint(0, 9999):04}"
    first, last = chance.choice(_FIRST), chance.choice(_LAST)
    email = f"{chance.choice(_WORDS)}.{last.lower()}{_NUMBER}@example.com"
    return [first, last, email, phone, chance.choice(_TITLES), text, f"{chance.randrange(100_000) / 100:.2f}"]


def line(values: list[str]) -> str:
    """Write one record as CSV."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerow(values)
    return text.getvalue()


def write(path: Path, rows: int) -> None:
    """Write a file; memory does not grow with it."""
    chance = random.Random(SEED)
    before, after = zip(*(line(record(chance)).split(_NUMBER) for _ in range(PATTERN_RECORDS)), strict=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(",".join(COLUMNS) + "\n")
        for first in range(0, rows, PATTERN_RECORDS):
            count = min(PATTERN_RECORDS, rows - first)
            pieces = [""] * (3 * count)
            pieces[0::3], pieces[1::3], pieces[2::3] = (
                before[:count],
                map(str, range(first, first + count)),
                after[:count],
            )
            file.write("".join(pieces))


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path)
    parser.add_argument("--rows", type=int, default=1_000_000)
    arguments = parser.parse_args()
    write(arguments.path, arguments.rows)


if __name__ == "__main__":
    main()
