"""Loads and extracts of real size: a million rows whose outputs line up one by one, and the airports of the world,
there and back in each format."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import airportsdata
import pyarrow.parquet as pq
import pytest
from pyarrow import feather
from tests.support.lineup import Crooked, lineup
from tests.support.rehearsal import SCHEMA

import bulkforce as bf
from bulkforce_emulator import Emulator

ROWS = 1_020_000
GOOD = ROWS - ROWS // 100
CHUNK = 100_000
MOST_KIB = 80 * 1024
"""What a process that extracts a million rows may take at most."""


def lines(count: int) -> Iterator[str]:
    """Rows of which one in a hundred is refused, and one in a thousand is what CSV is feared for."""
    for number in range(count):
        code = "" if number % 100 == 7 else "row"
        yield f'{code},"two\nlines, and ""quotes"" {number}"\n' if number % 1_000 == 5 else f"{code},text {number}\n"


def test_outputs_of_a_million_rows_line_up_with_the_source(tmp_path: Path) -> None:
    source = tmp_path / "source.csv"
    with source.open("w", encoding="utf-8", newline="") as file:
        file.write("Code__c,Text__c\n")
        file.writelines(lines(ROWS))
    with Emulator(SCHEMA) as org, bf.Client(org.base_url, auth=bf.BearerToken(org.session_id)) as client:
        report = client.load(source, "Row__c", "insert", run_dir=tmp_path / "run")
        assert (report.read, report.succeeded, report.failed, report.pending) == (ROWS, GOOD, ROWS - GOOD, 0)
        assert lineup(source, tmp_path / "run") == {
            "success": GOOD,
            "failed": ROWS - GOOD,
            "unprocessed": 0,
            "rejected": 0,
        }
        assert len(org.state.ledger.table()) == GOOD
        # Every row's text is another, so as many different texts as rows means that each went in once; and by its id it
        # is that of its row.
        joined = org.state.store.query(
            """SELECT count(*) AS rows, count(DISTINCT org."Id") AS ids, count(DISTINCT org."Text__c") AS texts
            FROM read_csv(?, all_varchar = true) AS told JOIN "Row__c" AS org ON org."Id" = told."sf__Id" AND org."Text__c" = told."Text__c" """,
            [str(tmp_path / "run" / "success.csv")],
        )
        assert joined.to_pylist() == [{"rows": GOOD, "ids": GOOD, "texts": GOOD}]

        # The same records out again, in chunks, by a process of its own whose memory can be seen.
        out = tmp_path / "out.csv"
        told, most_kib = extracted(org, "SELECT Id, Text__c FROM Row__c", out)
        assert (told["rows"], told["batches"], told["state"]) == (GOOD, -(-GOOD // CHUNK), "finished")
        assert most_kib < MOST_KIB
        joined = org.state.store.query(
            """SELECT count(*) AS rows, count(DISTINCT org."Id") AS ids
            FROM read_csv(?, all_varchar = true) AS told JOIN "Row__c" AS org ON org."Id" = told."Id" AND org."Text__c" = told."Text__c" """,
            [str(out)],
        )
        assert joined.to_pylist() == [{"rows": GOOD, "ids": GOOD}]


WATCHED = """
import re, sys
from bulkforce.cli.main import main
try:
    main()
finally:
    with open("/proc/self/status") as file:
        print(re.search(r"VmHWM:\\s+(\\d+) kB", file.read())[1], file=sys.stderr)
"""
"""The command line, which at its end says how much memory it took at most: ru_maxrss would count this process' memory
too."""


def extracted(org: Emulator, soql: str, out: Path) -> tuple[dict[str, Any], int]:
    """Extract with the command line; gives its report and the most memory that it took, in KiB."""
    command: list[str | Path] = [
        sys.executable,
        "-c",
        WATCHED,
        "extract",
        soql,
        "-o",
        out,
        "--pk-chunking",
        str(CHUNK),
        "--run-dir",
        out.with_suffix(".run"),
    ]
    variables = {"BULKFORCE_INSTANCE_URL": org.base_url, "BULKFORCE_ACCESS_TOKEN": org.session_id}
    done = subprocess.run(
        [*command, "--json", "--quiet"],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=600,
        check=True,
    )
    return json.loads(done.stdout), int(done.stderr.split()[-1])


def test_lineup_sees_a_row_out_of_place(tmp_path: Path) -> None:
    outputs = {
        "success": "sf__Id,sf__Created,A\n000000000000000001,true,1\n000000000000000002,true,3\n",
        "failed": "sf__Id,sf__Error,A\n,WHY:so,2\n",
        "unprocessed": "sf__Error,A\n",
        "rejected": "sf__Row,sf__Error,A\n4,too long,4\n",
    }

    def write(**changed: str) -> None:
        for name, content in {**outputs, **changed}.items():
            (tmp_path / f"{name}.csv").write_text(content, "utf-8")

    source = tmp_path / "source.csv"
    source.write_text("A\n1\n2\n3\n4\n", "utf-8")
    write()
    assert lineup(source, tmp_path) == {"success": 2, "failed": 1, "unprocessed": 0, "rejected": 1}
    success = outputs["success"].splitlines(keepends=True)
    crooked = [
        {"success": "".join([success[0], success[2], success[1]])},
        {"success": "".join(success[:2])},
        {"success": "".join([*success, success[2]])},
        {"success": outputs["success"].replace("000000000000000002", "")},
        {"failed": outputs["failed"].replace("WHY:so", "")},
        {"rejected": outputs["rejected"].replace("\n4", "\n3")},
        {"unprocessed": "sf__Error,A\nwhy,2\n"},
        {"unprocessed": "sf__Error,B\n"},
    ]
    for changed in crooked:
        write(**changed)
        with pytest.raises(Crooked):
            lineup(source, tmp_path)


FIELDS = {
    "icao": "ICAO__c", "iata": "IATA__c", "name": "Name", "city": "City__c", "subd": "Subdivision__c", "country": "Country__c",
    "elevation": "Elevation__c", "lat": "Latitude__c", "lon": "Longitude__c", "tz": "TimeZone__c", "lid": "LID__c",
}  # fmt: skip
AIRPORTS = {
    "Airport__c": {
        "fields": {
            "Name": "string(255) required",
            "ICAO__c": "string(10) unique external_id",
            **{f"{name}__c": "string(100)" for name in ("IATA", "City", "Subdivision", "Country", "TimeZone", "LID")},
            **{f"{name}__c": "double(18,6)" for name in ("Elevation", "Latitude", "Longitude")},
        }
    }
}
NUMBERS = {"Elevation__c", "Latitude__c", "Longitude__c"}


def test_airports_of_the_world_come_back_as_they_went_in_each_format(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    airports = [dict(airport) for airport in airportsdata.load("ICAO").values()]
    assert len(airports) > 28_000
    with Emulator(AIRPORTS) as org, bf.Client(org.base_url, auth=bf.BearerToken(org.session_id)) as client:
        report = client.load(airports, "Airport__c", "insert", mapping=FIELDS, run_dir=tmp_path / "run")
        report.raise_for_failures()
        assert (report.succeeded, report.batches) == (len(airports), 3)
        soql = f"SELECT {', '.join(FIELDS.values())} FROM Airport__c"
        for form in FORMS:
            client.extract(soql, to=tmp_path / f"out.{form}", run_dir=tmp_path / f"run {form}")
        client.extract(soql, to="-", format="csv", run_dir=tmp_path / "run stdout")
        found = {form: read(tmp_path / f"out.{form}", form) for form in FORMS}
        found["query"] = client.query(soql).to_arrow().to_pylist()
    (tmp_path / "stdout").write_bytes(capfdbinary.readouterr().out)
    found["stdout"] = read(tmp_path / "stdout", "csv")
    sent = {
        airport["icao"]: {FIELDS[name]: comparable(FIELDS[name], value) for name, value in airport.items()}
        for airport in airports
    }
    for form, records in found.items():
        assert len(records) == len(airports), form
        assert {
            record["ICAO__c"]: {name: comparable(name, value) for name, value in record.items()} for record in records
        } == sent, form


FORMS = ("csv", "csv.gz", "jsonl", "parquet", "arrow")


def read(path: Path, form: str) -> list[dict[str, Any]]:
    """Read the records of a file with what others have for its format."""
    match form:
        case "parquet":
            records: list[dict[str, Any]] = pq.read_table(path).to_pylist()
        case "arrow":
            records = feather.read_table(path).to_pylist()
        case "jsonl":
            records = [json.loads(line) for line in path.read_text("utf-8").split("\n")[:-1]]
        case "csv.gz":
            records = list(csv.DictReader(io.StringIO(gzip.decompress(path.read_bytes()).decode(), newline="")))
        case _:
            records = list(csv.DictReader(io.StringIO(path.read_text("utf-8"), newline="")))
    return records


def comparable(name: str, value: object) -> object:
    """A value as any format can give it: numbers as such; an empty text is null in the org."""
    if value in {None, ""}:
        return None
    return float(str(value)) if name in NUMBERS else value
