"""Values in the notation of their field, and texts in the user's, through whole loads and on the command line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import pandas as pd
import pytest

import bulkforce as bf
from bulkforce.cli.main import main
from bulkforce.load import verb
from bulkforce.load.asking import LoadOptions
from bulkforce.run.sitting import Sitting
from bulkforce.transport.stopping import Stop
from bulkforce_emulator import Emulator, Fault

SCHEMA = {
    "Contact": {
        "fields": {"Ext__c": "string(20) unique external_id", "Score__c": "double(18,2)", "Seen__c": "datetime"}
    }
}
GERMAN = 'LastName,Birthdate,Score__c,Seen__c,HasOptedOutOfEmail\nMüller,28.02.2026,"1.234,50",28.02.2026 13:05,ja\n'
NOTATION = bf.TextNotation(
    date_format="dd.MM.yyyy", decimal_comma=True, time_zone="Europe/Berlin", true="ja", false="nein"
)
STORED = (date(2026, 2, 28), 1234.5, datetime.fromisoformat("2026-02-28T12:05"), True)


@pytest.fixture
def org() -> Iterator[Emulator]:
    with Emulator(SCHEMA) as org:
        yield org


@pytest.fixture
def client(org: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[bf.Client]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BULKFORCE_INSTANCE_URL", org.base_url)
    monkeypatch.setenv("BULKFORCE_ACCESS_TOKEN", org.session_id)
    Path("german.csv").write_text(GERMAN, "utf-8")
    with bf.Client(org.base_url, auth=bf.BearerToken(org.session_id), retry=bf.RetryPolicy(attempts=1)) as client:
        yield client


def stored(org: Emulator) -> list[tuple[object, ...]]:
    names = ("Birthdate", "Score__c", "Seen__c", "HasOptedOutOfEmail")
    return [tuple(record[name] for name in names) for record in org.records("Contact")]


def call(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["bulkforce", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_texts_arrive_as_they_were_meant(org: Emulator, client: bf.Client) -> None:
    assert not client.check("german.csv", "Contact", "insert").fits
    assert client.check("german.csv", "Contact", "insert", notation=NOTATION).fits
    report = client.load("german.csv", "Contact", "insert", notation=NOTATION)
    assert (report.read, report.succeeded) == (1, 1)
    assert stored(org) == [STORED]
    assert Path("german.csv").read_text("utf-8") == GERMAN


def test_options_and_maps_give_a_notation(org: Emulator, client: bf.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    options = [
        "--date-format=dd.MM.yyyy",
        "--decimal-comma",
        "--time-zone=Europe/Berlin",
        "--true=ja,x",
        "--false=nein",
    ]
    load = ["german.csv", "--object=Contact", "--operation=insert", "--quiet"]
    assert call(monkeypatch, "check", *load, *options) == 0
    assert call(monkeypatch, "load", *load, *options) == 0
    Path("map.toml").write_text(
        '[columns]\nBirthdate = { date_format = "%d.%m.%Y" }\n'
        'seen__c = { field = "Seen__c", date_format = "%d.%m.%Y", time_zone = "Europe/Berlin" }\n'
        'Score__c = { decimal_comma = true }\nHasOptedOutOfEmail = { true = ["ja"] }\n'
    )
    assert call(monkeypatch, "load", *load, "--map=map.toml") == 0
    assert stored(org) == [STORED, STORED]


@pytest.mark.parametrize("table", ["Born = { feild = 'x' }", "Born = { field = 3 }", "Born = { date_format = 'x' }"])
def test_table_of_a_map_that_is_none_is_refused(client: bf.Client, table: str) -> None:
    Path("map.toml").write_text(f"[columns]\n{table}\n")
    with pytest.raises(bf.UsageError):
        client.load("german.csv", "Contact", "insert", mapping="map.toml")


def test_notation_needs_to_know_the_fields(org: Emulator, client: bf.Client) -> None:
    with pytest.raises(bf.UsageError, match="check=False"):
        client.load("german.csv", "Contact", "insert", notation=NOTATION, check=False)
    org.faults.add(Fault("status", method="GET", path="*/describe", status=500, times=9))
    with pytest.raises(bf.UsageError, match="does not describe"):
        client.load("german.csv", "Contact", "insert", notation=NOTATION)
    assert org.records("Contact") == []


def test_value_without_a_form_stops_the_load_with_all_that_was_found(
    org: Emulator, client: bf.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    records: list[dict[str, object]] = [
        {"LastName": "a", "Birthdate": datetime.fromisoformat("2026-02-28T13:05")},
        {"LastName": b"b", "Birthdate": datetime.fromisoformat("2026-02-28T00:00")},
        {"LastName": ["c"], "Birthdate": None},
    ]
    with pytest.raises(bf.DoesNotFit) as caught:
        client.load(records, "Contact", "insert")
    assert len(caught.value.lines) == 3
    for said in ("Birthdate", "row 1", "LastName", "bytes", "row 2", "list", "row 3"):
        assert said in str(caught.value)
    assert org.records("Contact") == []
    report = client.check(records, "Contact", "insert")
    assert (len(report.formless), report.fits) == (3, False)
    Path("a.jsonl").write_text('{"LastName": ["c"]}\n')
    assert call(monkeypatch, "check", "a.jsonl", "--object=Contact", "--operation=insert", "--quiet") == 2


def test_source_that_was_rewritten_is_rewritten_alike_on_resume(org: Emulator, client: bf.Client) -> None:
    lines = GERMAN.splitlines()
    Path("german.csv").write_text("\n".join([lines[0], *[lines[1]] * 40]) + "\n", "utf-8")
    stop = Stop()

    def trace(effect: str) -> None:
        if effect == "send":
            stop.ask("enough")

    options = LoadOptions(
        source="german.csv",
        object="Contact",
        operation="insert",
        notation=NOTATION,
        batch_records=4,
        workers=1,
        run_dir="run",
    )
    with pytest.raises(bf.Interrupted):
        verb.load(replace(Sitting.of(client.driver, stop), trace=trace), options)
    before = Path("run/source.csv").read_bytes()
    assert b"2026-02-28,1234.50," in before
    Path("run/source.csv").unlink()
    report = client.resume("run")
    assert isinstance(report, bf.LoadReport)
    assert report.succeeded == 40
    assert stored(org) == [STORED] * 40


def test_day_stays_the_day_it_was(org: Emulator, client: bf.Client) -> None:
    frame = pd.DataFrame(
        {
            "LastName": ["a", "b"],
            "Ext__c": [1001.0, float("nan")],
            "Birthdate": pd.to_datetime(["2026-02-28", "2026-03-01"]).tz_localize("Asia/Tokyo"),
        }
    )
    assert client.load(frame, "Contact", "insert").succeeded == 2
    assert [(one["Ext__c"], one["Birthdate"]) for one in org.records("Contact")] == [
        ("1001", date(2026, 2, 28)),
        (None, date(2026, 3, 1)),
    ]


def test_numbers_have_no_exponent_in_outputs_for_excel(org: Emulator, client: bf.Client) -> None:
    Path("a.csv").write_text("Ext__c,Score__c,LastName\n1E5,1.25E3,=x\n2E5,-1E-1,\n3E5,7,\n")
    report = client.load("a.csv", "Contact", "insert", excel=True, run_dir="run")
    assert (report.succeeded, report.failed) == (1, 2)
    succeeded, failed = (Path("run", name).read_text("utf-8-sig") for name in ("success.csv", "failed.csv"))
    # A text that looks like a number stays a text.
    assert succeeded.splitlines()[1].endswith(",yes,1E5,1250,'=x")
    assert [line.partition("--,")[2] for line in failed.splitlines()[1:]] == [",2E5,-0.1,", ",3E5,7,"]
    report = client.load("run/success.csv", "Contact", "upsert", external_id="Ext__c")
    assert [(one["Ext__c"], one["Score__c"], one["LastName"]) for one in org.records("Contact")] == [
        ("1E5", 1250, "=x")
    ]
