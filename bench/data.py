"""Make the data of the benchmarks: always the same bytes, in a few seconds a million records.

    python -m bench.data --rows 1000000 FOLDER

Seven columns, about 160 bytes a record: quotes, commas, line ends inside values, characters beyond ASCII, empty values.
The e-mail address numbers the record, so no two are equal; and "@" stands in every record exactly once, by which the
stand-in org counts. Written are:

- ``contacts.csv``: the source of loads, quoted where it must be, LF.
- ``found.csv``: what a query finds, as the API writes it: every value quoted, an id first.
- ``echo.csv``: the rows of the source behind an id, as Bulk API 2.0 returns those that succeeded.
- an ``.index`` beside each: where each record begins, as 8-byte numbers.

Some cases need more: see ``--also``.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import json
import random
import shutil
from array import array
from itertools import accumulate
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape

COLUMNS: Final = ("FirstName", "LastName", "Email", "Phone", "Title", "Description", "Score__c")
SEED: Final = 20260212
PATTERN_RECORDS: Final = 16_411
"""Records made one by one; the file repeats them under new numbers. A prime, so that no two batches are alike."""
BATCH_RECORDS: Final = 10_000
_QUOTED: Final = ",".join(f'"{name}"' for name in ("Id", *COLUMNS)) + "\n"
_NUMBER: Final = "{number}"
_ID: Final = "{id}"

_FIRST: Final = (
    *("Ada", "Alan", "Grace", "Edsger", "Barbara", "Donald", "Margaret", "Ken", "Radia", "Tim", "Frances", "Hedy"),
    *("Zoë", "José", "東京", "Łukasz"),
)
_LAST: Final = (
    *("Lovelace", "Turing", "Hopper", "Dijkstra", "Liskov", "Knuth", "Hamilton", "Thompson", "Perlman", "O'Neil"),
    *("Müller", "Ångström"),
)
_TITLES: Final = ("Manager", "VP, Sales", 'Head of "Special" Projects', "Director of Engineering", "Buyer, Senior", "")
_WORDS: Final = (
    *("account", "renewal", "call", "demo", "follow", "up", "quote", "pricing", "contract", "legal", "review"),
    *("ticket", "roadmap", "budget", "quarter"),
)


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


def as_csv(values: list[str], *, all_quoted: bool = False) -> str:
    """Write one record as CSV."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL if all_quoted else csv.QUOTE_MINIMAL).writerow(values)
    return text.getvalue()


def as_json(values: list[str]) -> str:
    """Write one record as JSON, as a query returns it."""
    kind = {"type": "Contact", "url": f"/services/data/v66.0/sobjects/Contact/{_ID}"}
    return json.dumps({"attributes": kind, "Id": _ID, **dict(zip(COLUMNS, values, strict=True))}, ensure_ascii=False)


def as_xml(values: list[str]) -> str:
    """Write one record as XML, as a batch has it."""
    fields = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in zip(COLUMNS, values, strict=True))
    return f"<sObject>{fields}</sObject>"


def identity(number: int) -> str:
    """Return the id of a record."""
    return f"003{number:012}AAA"


def write(path: Path, rows: int, records: list[str], before: str = "", after: str = "", between: str = "") -> None:
    """Write a file of numbered records, and its index; memory does not grow with it.

    Args:
        path: The file.
        rows: How many records.
        records: The pattern, with gaps for numbers and ids.
        before: What stands before the first.
        after: What stands behind the last.
        between: What stands between two.
    """
    split = [one.replace(_ID, _ID + "\0").replace(_NUMBER, "\0" + _NUMBER) for one in records]
    pieces = [one.replace(_ID + "\0", "\0i\0").replace("\0" + _NUMBER, "\0n\0").split("\0") for one in split]
    begins = array("Q")
    at = len(before.encode())
    with path.open("wb") as file:
        file.write(before.encode())
        for first in range(0, rows, PATTERN_RECORDS):
            count = min(PATTERN_RECORDS, rows - first)
            block = [
                ("" if number == 0 else between) + _filled(pieces[number - first], number)
                for number in range(first, first + count)
            ]
            encoded = [one.encode() for one in block]
            begins.extend(accumulate(map(len, encoded[:-1]), initial=at))
            at += sum(map(len, encoded))
            file.write(b"".join(encoded))
        begins.append(at)
        file.write(after.encode())
    with path.with_suffix(path.suffix + ".index").open("wb") as file:
        begins.tofile(file)


def _filled(pieces: list[str], number: int) -> str:
    """Put a record's number and id into its gaps."""
    gaps = {"i": identity(number), "n": str(number)}
    return "".join([gaps[piece] if place % 2 else piece for place, piece in enumerate(pieces)])


def write_all(folder: Path, rows: int, texts: int = 1) -> None:
    """Write the files that every case needs; a description is its text so many times."""
    made = [[*one[:5], one[5] * texts, *one[6:]] for one in _records()]
    write(folder / "contacts.csv", rows, list(map(as_csv, made)), ",".join(COLUMNS) + "\n")
    write(folder / "found.csv", rows, [as_csv([_ID, *one], all_quoted=True) for one in made], _QUOTED)
    echoed = '"sf__Id","sf__Created"' + _QUOTED.removeprefix('"Id"')
    write(folder / "echo.csv", rows, [as_csv([_ID, "true", *one], all_quoted=True) for one in made], echoed)


def _records() -> list[list[str]]:
    chance = random.Random(SEED)
    return [record(chance) for _ in range(PATTERN_RECORDS)]


def write_json(folder: Path, rows: int) -> None:
    """Write what a query finds as JSON."""
    write(folder / "found.json", rows, list(map(as_json, _records())), "[", "]", ",")


def write_parquet(folder: Path, rows: int) -> None:
    """Write the source as Parquet, all of it text."""
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    texts = pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(COLUMNS, pa.string()))
    parse = pyarrow.csv.ParseOptions(newlines_in_values=True)
    table = pyarrow.csv.read_csv(folder / "contacts.csv", parse_options=parse, convert_options=texts)
    assert table.num_rows == rows
    pyarrow.parquet.write_table(table, folder / "contacts.parquet", row_group_size=100_000)


def write_batches(folder: Path, rows: int) -> None:
    """Write the records as batches of JSON and of XML."""
    space = "http://www.force.com/2009/06/asyncapi/dataload"
    head = f'<?xml version="1.0" encoding="UTF-8"?><sObjects xmlns="{space}">'
    made = _records()
    (folder / "batches").mkdir(exist_ok=True)
    for number, first in enumerate(range(0, rows, BATCH_RECORDS)):
        count = min(BATCH_RECORDS, rows - first)
        for suffix, form, before, after, between in (
            ("json", lambda one: json.dumps(dict(zip(COLUMNS, one, strict=True)), ensure_ascii=False), "[", "]", ","),
            ("xml", as_xml, head, "</sObjects>", ""),
        ):
            path = folder / "batches" / f"{number:04}.{suffix}"
            write(path, count, list(map(form, made)), before, after, between)
            path.with_suffix(path.suffix + ".index").unlink()


def write_gz(folder: Path, _: int) -> None:
    """Write what a query finds as gzip, too."""
    with (folder / "found.csv").open("rb") as plain, gzip.open(folder / "found.csv.gz", "wb", 1) as packed:
        shutil.copyfileobj(plain, packed, 1_048_576)


def write_cut(folder: Path, rows: int) -> None:
    """Write the source as batches of CSV."""
    begins: array[int] = array("Q")
    with (folder / "contacts.csv.index").open("rb") as index:
        begins.fromfile(index, rows + 1)
    (folder / "cut").mkdir(exist_ok=True)
    content = memoryview((folder / "contacts.csv").read_bytes())
    for number, first in enumerate(range(0, rows, BATCH_RECORDS)):
        end = begins[min(first + BATCH_RECORDS, rows)]
        batch = b"".join([content[: begins[0]], content[begins[first] : end]])
        (folder / "cut" / f"{number:06}.csv").write_bytes(batch)


ALSO: Final = {"json": write_json, "parquet": write_parquet, "batches": write_batches, "gz": write_gz, "cut": write_cut}


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--also", choices=ALSO, help="instead of the usual files, one of those that some cases need")
    parser.add_argument("--texts", type=int, default=1, help="so many times the usual description in each record")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    if given.also:
        ALSO[given.also](given.folder, given.rows)
    else:
        write_all(given.folder, given.rows, given.texts)


if __name__ == "__main__":
    main()
