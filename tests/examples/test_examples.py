"""Every example runs as it stands against an emulated org, and does in the org what it says."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from bulkforce_emulator import Emulator

EXAMPLES = Path(__file__).parents[2] / "examples"
FORMATS = ("csv", "json", "xml")
Run = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def org() -> Iterator[Emulator]:
    with Emulator() as org:
        yield org


@pytest.fixture(autouse=True)
def connected(org: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BULKFORCE_INSTANCE_URL", org.base_url)
    monkeypatch.setenv("BULKFORCE_ACCESS_TOKEN", org.session_id)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Run an example as `python examples/calls/NAME.py ARGUMENT...` does, and give its variables."""
    clients = ExitStack()

    def run(name: str, *arguments: str) -> dict[str, Any]:
        script = str(EXAMPLES / "calls" / f"{name}.py")
        monkeypatch.setattr(sys, "argv", [script, *arguments])
        left = runpy.run_path(script, run_name="__main__")
        clients.callback(left["client"].close)
        return left

    with clients:
        yield run


def ids_of(left: dict[str, Any]) -> list[str]:
    return [result.id for result in left["client"].get_batch_result(left["job"].id, left["batch"].id)]


def contacts(org: Emulator, ids: list[str]) -> list[dict[str, Any]]:
    return [record for record in org.records("Contact") if record["Id"] in ids]


def seeded(org: Emulator) -> list[str]:
    return org.insert("Contact", [{"LastName": "Noether", "Phone": "1"}, {"LastName": "Germain", "Phone": "2"}])


def test_there_are_eighteen() -> None:
    """Six calls, each in three formats."""
    assert sorted(script.stem for script in (EXAMPLES / "calls").glob("*.py")) == sorted(
        ("delete", "insert", "insert_file", "query", "update", "upsert")
    )


@pytest.mark.parametrize("form", FORMATS)
def test_insert(org: Emulator, run: Run, form: str) -> None:
    new = contacts(org, ids_of(run("insert", form)))
    assert [(contact["Name"], contact["Email"]) for contact in new] == [
        ("Ada Lovelace", "ada@example.com"),
        ("Grace Hopper", "grace@example.com"),
    ]


@pytest.mark.parametrize("form", FORMATS)
def test_insert_file(org: Emulator, run: Run, form: str) -> None:
    new = contacts(org, ids_of(run("insert_file", form)))
    assert [(contact["Name"], contact["Title"], contact["Description"]) for contact in new] == [
        ("Hedy Lamarr", "Inventor", "Frequency hopping, and films"),
        ("Émilie du Châtelet", "Physicist", 'Said "no" to the given order'),
        ("Chien-Shiung Wu", "Physicist", "Two lines:\nparity is not conserved"),
    ]


@pytest.mark.parametrize("form", FORMATS)
def test_update(org: Emulator, run: Run, form: str) -> None:
    ids = seeded(org)
    run("update", form, *ids)
    assert [(contact["LastName"], contact["Title"], contact["Phone"]) for contact in contacts(org, ids)] == [
        ("Noether", "Pioneer", None),
        ("Germain", "Pioneer", None),
    ]


@pytest.mark.parametrize("form", FORMATS)
def test_upsert(org: Emulator, run: Run, form: str) -> None:
    known = [record["Id"] for record in org.records("Contact") if record["Email"] == "katherine@example.com"]
    known = known or org.insert("Contact", [{"LastName": "Coleman", "Email": "katherine@example.com"}])
    ids = ids_of(run("upsert", form))
    assert ids[0] == known[0]
    assert [(contact["Name"], contact["Title"]) for contact in contacts(org, ids)] == [
        ("Katherine Johnson", "Mathematician"),
        ("Dorothy Vaughan", "Supervisor"),
    ]


@pytest.mark.parametrize("form", FORMATS)
def test_delete(org: Emulator, run: Run, form: str) -> None:
    ids = seeded(org)
    left = org.count("Contact") - len(ids)
    run("delete", form, *ids)
    assert (org.count("Contact"), contacts(org, ids)) == (left, [])


@pytest.mark.parametrize("form", FORMATS)
def test_query(org: Emulator, run: Run, capsys: pytest.CaptureFixture[str], form: str) -> None:
    org.insert("Contact", [{"FirstName": "Rózsa", "LastName": "Péter", "Email": "rozsa@example.com"}])
    expected = sorted(
        record["Email"] for record in org.records("Contact") if (record["Email"] or "").endswith("@example.com")
    )
    left = run("query", form)
    assert len(left["contacts"]) == len(expected)
    printed = capsys.readouterr().out
    assert "Péter, Rózsa: rozsa@example.com\n" in printed
    assert (
        sorted(line.rpartition(": ")[2] for line in printed.splitlines() if line.endswith("@example.com")) == expected
    )


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("operation", ["update", "delete"])
def test_what_needs_ids_says_so(run: Run, operation: str, form: str) -> None:
    with pytest.raises(SystemExit, match=r"Pass the ids.*insert\.py"):
        run(operation, form)


def test_an_example_runs_as_a_process_of_its_own() -> None:
    done = subprocess.run(
        [sys.executable, EXAMPLES / "calls" / "insert.py", "CSV"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONWARNINGS": "error"},
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("inserted: 003") == 2
    assert done.stdout.endswith("is Closed: 2 records processed, 0 failed\n")


def test_tests_of_the_testing_example_pass() -> None:
    folder = EXAMPLES / "testing" / "python"
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(folder),
        "-c",
        os.devnull,
        str(folder),
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout
    assert "3 passed" in done.stdout
