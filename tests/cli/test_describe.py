"""`bulkforce describe` and `objects`: what an org has, shown, printed as JSON, and saved for rehearsals."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from tests.cli.processes import SURROUNDINGS, run

from bulkforce_emulator import Emulator

Run = Callable[..., CompletedProcess[str]]


@pytest.fixture(scope="module")
def org() -> Iterator[Emulator]:
    schema = {
        "Room__c": {"key_prefix": "a0R", "fields": {"Size__c": "double(6,2) required"}},
        "Contact": {"fields": {"Badge__c": "string(20) unique external_id"}, "record_types": ["Guest", "Staff"]},
    }
    with Emulator(schema=schema) as org:
        yield org


@pytest.fixture
def command(org: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    monkeypatch.chdir(tmp_path)
    variables = {"BULKFORCE_INSTANCE_URL": org.base_url, "BULKFORCE_ACCESS_TOKEN": org.session_id}

    def command(*arguments: str) -> CompletedProcess[str]:
        return run(*arguments, environment=SURROUNDINGS | variables)

    return command


def test_object_is_shown(command: Run) -> None:
    done = command("describe", "contact")
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line.split(maxsplit=2) for line in done.stdout.splitlines()]
    assert done.stdout.startswith("Contact  Contact\n  key prefix    003\n")
    assert ["required", "LastName"] in lines
    assert "upsert keys   Id, Email, Badge__c" in done.stdout
    assert "record types  Guest, Staff, Master" in done.stdout
    assert "MailingCity" not in done.stdout


def test_fields_are_listed(command: Run) -> None:
    done = command("describe", "Contact", "Room__c", "--fields")
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert "Badge__c string(20) external id, unique" in lines
    assert "AccountId reference(Account)" in lines
    assert "Size__c double(6,2) required" in lines
    assert "CreatedDate datetime read only" in lines


def test_answers_are_printed_as_json(command: Run) -> None:
    assert json.loads(command("describe", "Contact", "--json").stdout)["keyPrefix"] == "003"
    assert [one["name"] for one in json.loads(command("describe", "Contact", "Lead", "--json").stdout)] == [
        "Contact",
        "Lead",
    ]
    listed = json.loads(command("objects", "--json", "--custom").stdout)
    assert [one["name"] for one in listed["sobjects"]] == ["Room__c"]


def test_objects_are_listed(command: Run) -> None:
    lines = [line.split(maxsplit=2) for line in command("objects").stdout.splitlines()]
    assert ["Account", "001", "Account"] in lines
    assert ["Room__c", "a0R", "Room"] in lines
    assert [line.split()[0] for line in command("objects", "--custom").stdout.splitlines()] == ["Room__c"]


def test_custom_objects_are_saved_and_an_emulator_has_them(command: Run, tmp_path: Path) -> None:
    done = command("describe", "--save", "my org")
    assert done.stdout == "Saved the descriptions of 1 object in my org\n"
    assert done.stderr == "Rehearse with them: bulkforce emulator --describe 'my org'\n"
    assert sorted(file.name for file in (tmp_path / "my org").iterdir()) == ["Room__c.json", "sobjects.json"]
    with Emulator.from_describe(tmp_path / "my org") as rehearsal:
        assert rehearsal.insert("Room__c", [{"Size__c": 3}])[0].startswith("a0R")


def test_named_objects_are_added_and_replaced_only_by_force(command: Run, tmp_path: Path) -> None:
    assert command("describe", "Contact", "--save", "saved").returncode == 0
    assert command("describe", "lead", "Room__c", "--save", "saved").returncode == 0
    names = sorted(file.name for file in (tmp_path / "saved").iterdir())
    assert names == ["Contact.json", "Lead.json", "Room__c.json", "sobjects.json"]
    again = command("describe", "Contact", "--save", "saved")
    assert (again.returncode, again.stdout) == (2, "")
    assert "saved has Contact.json already; replace it with --force" in again.stderr
    assert command("describe", "Contact", "--save", "saved", "--force").returncode == 0


def test_folder_with_other_files_is_left_alone(command: Run, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("x")
    done = command("describe", "Contact", "--save", "mine")
    assert done.returncode == 2
    assert "holds other files" in done.stderr
    assert [file.name for file in (tmp_path / "mine").iterdir()] == ["notes.txt"]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ((), 2, "Name an object"),
        (("Contact.Name",), 2, "is not the API name of an object"),
        (("Nothing__c",), 1, "This org has no object Nothing__c"),
    ],
)
def test_objects_that_there_are_not(command: Run, arguments: tuple[str, ...], code: int, says: str) -> None:
    done = command("describe", *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert says in done.stderr
