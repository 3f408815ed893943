"""The org's strings over HTTP, for tests that are not written in Python; and settings and a clock from the start."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.emulator.wire import Answer, Wire, rows

from bulkforce_emulator import Emulator, Mishap, Pace, Settings, SettingsError


@pytest.fixture
def wire() -> Iterator[Wire]:
    with Emulator() as org:
        yield Wire(org)


def pull(wire: Wire, name: str, **document: Any) -> Answer:
    answer = wire.ask("POST", f"/_emulator/{name}", json.dumps(document))
    assert answer.status == 200, answer.text
    return answer


@pytest.mark.parametrize("path", ["/_emulator", "/_emulator/"])
def test_index_says_what_there_is(wire: Wire, path: str) -> None:
    index = wire.ask("GET", path).json
    assert {
        "GET /_emulator/ledger",
        "POST /_emulator/faults",
        "POST /_emulator/mishaps",
        "POST /_emulator/clock",
    } <= index.keys()
    assert all(index.values())


def test_rows_fail_by_parent_with_an_error_of_ones_own(wire: Wire) -> None:
    error = {"status_code": "TRIGGER_STALLED", "message": "no, really", "fields": ["Name"]}
    pull(wire, "mishaps", column="Industry", values=["Energy"], error=error, object="Account")
    found = rows(wire.load("insert", "Account", "Name,Industry\na,Energy\nb,Media\n"))
    assert [row[3] for row in found] == ["TRIGGER_STALLED:no, really:Name --", ""]


def test_rows_find_their_record_locked(wire: Wire) -> None:
    pull(wire, "mishaps", every=2)
    found = rows(wire.load("insert", "Account", "Name\na\nb\nc\n"))
    assert [row[3].partition(":")[0] for row in found] == ["", "UNABLE_TO_LOCK_ROW", ""]


def test_result_files_are_split_at_so_many_bytes(wire: Wire) -> None:
    pull(wire, "seed", Account=[{"Name": f"{number:04d}"} for number in range(100)])
    pull(wire, "mishaps", result_bytes=800)
    job = wire.create("query", "Account")
    batch = wire.run(job, "SELECT Name FROM Account ORDER BY Name")
    path = f"job/{job}/batch/{batch.id}/result"
    ids = wire.ask("GET", path).text.split("<result>")[1:]
    assert len(ids) > 1
    found = [row[0] for one in ids for row in rows(wire.ask("GET", f"{path}/{one[:15]}"))]
    assert found == [f"{number:04d}" for number in range(100)]


def test_batch_put_back_has_several_result_files(wire: Wire) -> None:
    pull(wire, "seed", Account=[{"Name": str(number)} for number in range(9)])
    pull(wire, "mishaps", put_back=2)
    job = wire.create("query", "Account")
    batch = wire.run(job, "SELECT Name FROM Account")
    assert wire.ask("GET", f"job/{job}/batch/{batch.id}/result").text.count("<result>") == 3
    assert wire.ask("GET", f"job/{job}").element("numberRetries") == "2"


@pytest.mark.parametrize(
    ("name", "document"),
    [
        ("faults", {"kind": "nonsense"}),
        ("faults", {"kind": "slow", "nonsense": 1}),
        ("pace", {"kind": "nonsense"}),
        ("pace", {"kind": "timed", "nonsense": 1}),
        ("mishaps", {"error": {"nonsense": 1}}),
        ("pace", {"kind": "timed", "parallel": "x"}),
        ("pace", {"kind": "timed", "parallel": 0}),
        ("pace", {"kind": "timed", "records_per_second": 0}),
        ("faults", {"kind": "status", "nth": "x"}),
        ("faults", {"kind": "late commit", "after_looks": 1.5}),
        ("mishaps", {"rows": 5}),
        ("mishaps", {"rows": ["x"]}),
        ("mishaps", {"every": -1}),
        ("mishaps", {"put_back": 1, "nth": "x"}),
        ("clock", {"set": "nonsense"}),
        ("clock", {"set": "9999-12-31T23:59:59Z"}),
        ("clock", {"set": "0001-01-01T00:00:00+14:00"}),
        ("clock", {"advance": {"days": 1e9}}),
        ("clock", {"advance": {"days": 800000}}),
        ("abort", {"job_id": "nonsense"}),
        ("seed", {"Nothing": [{}]}),
    ],
)
def test_nonsense_is_refused_with_a_reason(wire: Wire, name: str, document: Any) -> None:
    answer = wire.ask("POST", f"/_emulator/{name}", json.dumps(document))
    assert answer.status == 400
    assert answer.json["error"]


def test_pace_and_clock(wire: Wire) -> None:
    pull(wire, "pace", kind="manual")
    job = wire.create("insert", "Account")
    batch = wire.add(job, "Name\na\n").id
    states = []
    for _ in range(3):
        states.append(wire.ask("GET", f"job/{job}/batch/{batch}").element("state"))
        pull(wire, "advance")
    assert states == ["Queued", "InProgress", "Completed"]
    assert pull(wire, "clock", set="2026-01-02T03:04:05Z").json == {"now": "2026-01-02T03:04:05+00:00"}
    assert pull(wire, "clock", advance={"hours": 25}).json == {"now": "2026-01-03T04:04:05+00:00"}
    assert (
        wire.ask("GET", f"job/{wire.create('insert', 'Account')}").element("createdDate") == "2026-01-03T04:04:05.000Z"
    )


def answers_of_one_run() -> list[bytes]:
    with Emulator(seed=7, now=datetime(2026, 1, 1, tzinfo=UTC), pace=Pace.instant()) as org:
        wire = Wire(org)
        job = wire.create("insert", "Account")
        batch = wire.add(job, "Name\na\nb\n").id
        found = wire.query("SELECT Id, Name, CreatedDate FROM Account")
        return [
            org.session_id.encode(),
            wire.ask("GET", f"job/{job}").body,
            # How long it took is the one thing that differs.
            wire.ask("GET", f"job/{job}/batch/{batch}").body.partition(b"<totalProcessingTime>")[0],
            wire.ask("GET", f"job/{job}/batch/{batch}/result").body,
            found.body,
        ]


def test_same_seed_and_clock_give_the_same_answers() -> None:
    one, other = (answers_of_one_run() for _ in range(2))
    assert one[2:] == other[2:]
    assert one[0] == other[0]
    assert b"2026-01-01T00:00:00.000Z" in one[4]


def test_ids_of_jobs_are_not_given_twice_over_a_file(tmp_path: Path) -> None:
    seen: set[str] = set()
    for _ in range(3):
        with Emulator(database=str(tmp_path / "org.duckdb")) as org:
            wire = Wire(org)
            job = wire.create("insert", "Account")
            seen |= {job, wire.run(job, "Name\na\n").id}
            for old in seen - {job}:
                assert wire.ask("GET", f"job/{old}").error[1] == "InvalidJob"
    assert len(seen) == 6


def test_settings_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(
        'bearer_accepted = true\nchunking_seconds = 1\ntrue_words = ["ja"]\n'
        '[limits]\nbatch_records = 2\n[texts.calls]\njob_unknown = { words = "No job {id}" }\n',
        "utf-8",
    )
    with Emulator(settings=file) as org:
        assert org.state.settings.bearer_accepted
        assert org.state.settings.true_words == ("ja",)
        assert org.state.settings.chunking_seconds == 1
        wire = Wire(org)
        assert wire.ask("GET", "job/x").error == (400, "InvalidJob", "No job x")
        assert "Exceeded number of records" in wire.failure("insert", "Account", "Name\na\nb\nc\n")
    with Emulator(settings=Settings(pretty_print=False)) as org:
        assert org.state.settings.pretty_print is False


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"nonsense": 1}, "nonsense is not a setting"),
        ({"limits": {"nonsense": 1}}, "limits.nonsense is not a setting"),
        ({"limits": 3}, "limits must be a table, not 3"),
        ({"limits": {"batch_records": "many"}}, "limits.batch_records must be int, not 'many'"),
        ({"bearer_accepted": 1}, "bearer_accepted must be bool, not 1"),
        ({"newest_version": True}, "newest_version must be float, not True"),
        ({"short_csv_row": "nonsense"}, "short_csv_row must be 'fill' or 'row error' or 'batch error', not 'nonsense'"),
        ({"true_words": [1]}, "true_words must be a list of strings, not [1]"),
        ({"texts": {"rows": {"deleted": "gone"}}}, "texts.rows.deleted must have a code, words or both, not 'gone'"),
        ({"texts": {"rows": {"nonsense": {}}}}, "texts.rows.nonsense is not a setting"),
    ],
)
def test_settings_that_cannot_be_are_told(given: Any, says: str) -> None:
    with pytest.raises(SettingsError) as told:
        Emulator(settings=given)
    assert str(told.value).startswith(says)


def test_settings_file_that_is_no_toml_is_told(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text("nonsense", "utf-8")
    with pytest.raises(SettingsError, match=r"settings\.toml cannot be read"):
        Emulator(settings=tmp_path / "settings.toml")


def test_mishap_of_one_object_waits_for_it() -> None:
    with Emulator() as org:
        wire = Wire(org)
        org.mishaps.plan(Mishap(message="InvalidBatch : no"), object="Contact")
        assert wire.run(wire.create("insert", "Account"), "Name\na\n").element("state") == "Completed"
        assert wire.failure("insert", "Contact", "LastName\na\n") == "InvalidBatch : no"


HOW_TO = (
    (Path(__file__).parents[2] / "docs" / "how-to" / "test-without-an-org.md")
    .read_text("utf-8")
    .partition("## Control it")[2]
)


@pytest.mark.parametrize(("name", "document"), re.findall(r"(?:`/_emulator/(\w+)` |, )?`(\{.+?\})`(?=[ ,|])", HOW_TO))
def test_how_to_is_taken_at_its_word(wire: Wire, name: str, document: str) -> None:
    given = json.loads(document)
    if "job_id" in given:
        given["job_id"] = wire.create("insert", "Contact")
    pull(wire, name or "faults", **given)


def test_how_to_is_not_empty() -> None:
    assert len(re.findall(r"^\| .+ \| .*`\{.+\}`.* \|$", HOW_TO, re.MULTILINE)) > 12
