"""Loads of real size: a million rows whose outputs line up one by one, and the airports of the world, there and back."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import airportsdata
import pytest
from tests.lineup import Crooked, lineup
from tests.rehearsal import SCHEMA

import bulkforce as bf
from bulkforce_emulator import Emulator

ROWS = 1_000_000


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
        assert (report.read, report.succeeded, report.failed, report.pending) == (ROWS, 990_000, 10_000, 0)
        assert lineup(source, tmp_path / "run") == {"success": 990_000, "failed": 10_000, "unprocessed": 0, "rejected": 0}
        assert len(org.state.ledger.table()) == 990_000
        # Every row's text is another, so as many different texts as rows means that each went in once; and by its id it is that of its row.
        joined = org.state.store.query(
            """SELECT count(*) AS rows, count(DISTINCT org."Id") AS ids, count(DISTINCT org."Text__c") AS texts
            FROM read_csv(?, all_varchar = true) AS told JOIN "Row__c" AS org ON org."Id" = told."sf__Id" AND org."Text__c" = told."Text__c" """,
            [str(tmp_path / "run" / "success.csv")],
        )
        assert joined.to_pylist() == [{"rows": 990_000, "ids": 990_000, "texts": 990_000}]


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
NUMBERS = {"elevation", "lat", "lon"}


def test_airports_of_the_world_come_back_as_they_went(tmp_path: Path) -> None:
    airports = [dict(airport) for airport in airportsdata.load("ICAO").values()]
    assert len(airports) > 28_000
    with Emulator(AIRPORTS) as org, bf.Client(org.base_url, auth=bf.BearerToken(org.session_id)) as client:
        report = client.load(airports, "Airport__c", "insert", mapping=FIELDS, run_dir=tmp_path / "run")
        report.raise_for_failures()
        assert (report.succeeded, report.batches) == (len(airports), 3)
        job = client.create_job("query", "Airport__c", "CSV")
        batch = client.add_batch(job, f"SELECT {', '.join(FIELDS.values())} FROM Airport__c")
        client.wait_for_batch(job, batch.id)
        result = client.get_batch_result(job, batch.id)
    assert isinstance(result, str)
    found = {row["ICAO__c"]: row for row in csv.DictReader(io.StringIO(result, newline=""))}
    assert len(found) == len(airports)
    for airport in airports:
        back = found[str(airport["icao"])]
        for name, value in airport.items():
            told = back[FIELDS[name]]
            assert (float(told) == value) if name in NUMBERS else (told == value), (airport, back)
