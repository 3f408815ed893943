"""The `sf` command line judges Bulk API 2.0: `sf data import`, `update`, `upsert`, `delete` and `export bulk`, and
`sf data bulk results`.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator

import pytest
from tests.judges.lineup import NASTY, as_csv_keeps_it, org
from tests.judges.test_sf import Command, Said, Verdict, nasty_rows, together

from bulkforce_emulator import Settings

CONTACTS = ("--sobject", "Contact", "--wait", "2", "--json", "--file")
FOUND = "SELECT LastName, Description FROM Contact WHERE Department = 'nasty'"


@pytest.fixture(scope="module")
def verdict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Verdict]:
    # Sets are small, so that every export has several.
    with org(settings=Settings(result_set_records=4)) as served:
        sf = Command(tmp_path_factory.mktemp("home"), served)
        sf.log_in()
        said = together(_first(sf))
        yield Verdict(served, said | together(_then(sf, said)))


def _first(sf: Command) -> dict[str, Callable[[], Said]]:
    gone = sf.org.insert("Contact", [{"LastName": "gone", "Department": "gone"} for _ in range(3)])
    old = sf.org.insert(
        "Contact", [{"LastName": f"old {n}", "Badge__c": f"o{n}", "Department": "old"} for n in range(2)]
    )
    nasty = sf.file("nasty.csv", nasty_rows())
    plain = sf.file("plain.csv", [["LastName", "Department"], ["Adams", "plain"], ["Baker", "plain"]])
    changed = sf.file("changed.csv", [["Id", "FirstName"], *([one, "Ada"] for one in old)])
    keyed = sf.file("keyed.csv", [["LastName", "Badge__c", "Department"], ["old 0", "o0", "old"], ["new", "o9", "old"]])
    ids = sf.file("ids.csv", [["Id"], *([one] for one in gone)])
    unknown = sf.file("unknown.csv", [["LastName", "Nope__c"], ["x", "x"]])
    (sf.home / "bare.csv").write_bytes(b"LastName\na;b;c\nx\n")
    (sf.home / "windows.csv").write_bytes(b"LastName,FirstName\r\nx,y\r\n")
    (sf.home / "ragged.csv").write_bytes(b"LastName,Department\nfull,ragged\nshort\n")
    return {
        "import": lambda: sf("data import bulk", *CONTACTS, plain),
        "nasty": lambda: sf("data import bulk", *CONTACTS, nasty),
        "update": lambda: sf("data update bulk", *CONTACTS, changed),
        "upsert": lambda: sf("data upsert bulk", *CONTACTS, keyed, "--external-id", "Badge__c"),
        "delete": lambda: sf("data delete bulk", *CONTACTS, ids),
        "unknown column": lambda: sf("data import bulk", *CONTACTS, unknown),
        "line ends": lambda: sf("data import bulk", *CONTACTS, "windows.csv"),
        "ragged": lambda: sf("data import bulk", *CONTACTS, "ragged.csv"),
        "one column": lambda: sf("data import bulk", "--sobject", "Contact", "--json", "--file", "bare.csv"),
    }


def _export(soql: str, file: str) -> tuple[str, ...]:
    form = file.rpartition(".")[2]
    return "--query", soql, "--output-file", file, "--result-format", form, "--wait", "2", "--json"


def _then(sf: Command, said: dict[str, Said]) -> dict[str, Callable[[], Said]]:
    job = json.loads(said["nasty"].out)["data"]["jobId"]

    def exported(file: str) -> Said:
        done = sf("data export bulk", *_export(FOUND, file))
        return Said(done.code, (sf.home / file).read_text("utf-8"), done.out)

    def results() -> Said:
        told = sf("data bulk results", "--job-id", job, "--json")
        return Said(told.code, told.out, (sf.home / told.result["failedFilePath"]).read_text("utf-8"))

    return {
        "csv": lambda: exported("found.csv"),
        "json": lambda: exported("found.json"),
        "results": results,
        "resume": lambda: sf("data import resume", "--job-id", said["one column"].result["jobId"], "--json"),
    }


def test_imports(verdict: Verdict) -> None:
    result = verdict.said["import"].result
    assert (result["processedRecords"], result["successfulRecords"], result["failedRecords"]) == (2, 2, 0)
    names = [one["LastName"] for one in verdict.org.records("Contact") if one["Department"] == "plain"]
    assert sorted(names) == ["Adams", "Baker"]


def test_rows_that_fail_are_counted_and_fetched(verdict: Verdict) -> None:
    code, message = verdict.said["nasty"].error
    assert (code, message) == (1, "Job finished being processed but failed to process 1 records.")
    said = verdict.said["results"]
    told = said.result
    counts = told["processedRecords"], told["successfulRecords"], told["failedRecords"], told["status"]
    assert counts == (len(NASTY) + 1, len(NASTY), 1, "JobComplete")
    (failed,) = csv.DictReader(io.StringIO(said.err))
    assert failed["sf__Error"] == "REQUIRED_FIELD_MISSING:Required fields are missing: [LastName]:LastName --"


def test_nasty_values_go_in_and_come_out_in_several_sets(verdict: Verdict) -> None:
    kept = {
        one["LastName"]: one["Description"] for one in verdict.org.records("Contact") if one["Department"] == "nasty"
    }
    assert kept == as_csv_keeps_it()
    rows = csv.DictReader(io.StringIO(verdict.said["csv"].out, newline=""))
    assert {row["LastName"]: row["Description"] or None for row in rows} == kept
    records = json.loads(verdict.said["json"].out)
    assert {row["LastName"]: row["Description"] or None for row in records} == kept
    assert json.loads(verdict.said["csv"].err)["result"]["totalSize"] == len(NASTY)


def test_updates_upserts_and_deletes(verdict: Verdict) -> None:
    assert verdict.said["update"].result["successfulRecords"] == 2
    upsert = verdict.said["upsert"].result
    assert upsert["jobInfo"]["externalIdFieldName"] == "Badge__c"
    assert [row["sf__Created"] for row in upsert["records"]["successfulResults"]] == ["false", "true"]
    deleted = verdict.said["delete"].result["records"]["successfulResults"]
    assert all(row["sf__Id"] == row["Id"] and row["sf__Created"] == "false" for row in deleted)
    records = verdict.org.records("Contact")
    assert [one["FirstName"] for one in records if one["LastName"].startswith("old")] == ["Ada", "Ada"]
    assert not any(one["Department"] == "gone" for one in records)


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ("unknown column", "InvalidBatch : Field name not found : Nope__c"),
        ("line ends", "ClientInputError : LineEnding is invalid on user data. Current LineEnding setting is LF"),
    ],
)
def test_a_job_that_fails_is_told_with_the_orgs_reason(verdict: Verdict, case: str, reason: str) -> None:
    code, message = verdict.said[case].error
    assert code == 1
    assert message.endswith(reason)


def test_a_ragged_row_fails_alone(verdict: Verdict) -> None:
    assert verdict.said["ragged"].error == (1, "Job finished being processed but failed to process 1 records.")
    assert [one["LastName"] for one in verdict.org.records("Contact") if one["Department"] == "ragged"] == ["full"]


def test_finding_the_delimiter_is_guessed_from_values_too(verdict: Verdict) -> None:
    """A finding: in a file of one column, the semicolons of a value are taken for delimiters, and its row fails."""
    assert verdict.said["resume"].error == (1, "Job finished being processed but failed to process 1 records.")
    job = verdict.org.state.jobs.get(verdict.said["one column"].result["jobId"])
    assert job.bulk2 is not None
    assert job.bulk2.delimiter == ";"
