"""A first map: each column with the field that it is meant for, and what is left for its user, with reasons."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from tests.cli import processes
from tests.support.rehearsal import changes

import bulkforce as bf
from bulkforce_emulator import Emulator, Fault

SCHEMA = {
    "Contact": {"fields": {"Ext__c": "string(10) unique external_id", "Score__c": "double(5,1)"}},
    "Account": {"fields": {"Symbol__c": "string(8) unique external_id"}},
}
HEADER = r"LastName,email,First Name,Account\:Symbol__c,Mobil Phone,CreatedDate,shoe size,,LASTNAME2,e-mail"


@pytest.fixture(scope="module")
def org() -> Iterator[Emulator]:
    with Emulator(SCHEMA) as org:
        yield org


@pytest.fixture
def client(org: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[bf.Client]:
    monkeypatch.chdir(tmp_path)
    retry = bf.RetryPolicy(attempts=1)
    with bf.Client(org.base_url, auth=bf.BearerToken(org.session_id), retry=retry) as client:
        yield client


def write(header: str) -> Path:
    path = Path("source.csv")
    path.write_text(f"{header}\n{'x,' * header.count(',')}x\n", "utf-8")
    return path


def found(first: bf.FirstMap) -> dict[str, str | None]:
    return {one.column: one.field for one in first.matches}


def test_columns_match_by_name_case_label_and_the_spellings_of_other_tools(org: Emulator, client: bf.Client) -> None:
    before = len(org.requests)
    first = client.suggest_map(write(HEADER), "contact")
    assert found(first) == {
        "LastName": "LastName",
        "email": "Email",
        "First Name": "FirstName",
        r"Account\:Symbol__c": "Account.Symbol__c",
        "Mobil Phone": None,
        "CreatedDate": None,
        "shoe size": None,
        "": None,
        "LASTNAME2": None,
        "e-mail": None,
    }
    assert first.columns == {one: field for one, field in found(first).items() if field}
    by_column = {one.column: one for one in first.matches}
    assert by_column["Mobil Phone"].suggestions[0] == "MobilePhone"
    assert "keeps CreatedDate itself" in by_column["CreatedDate"].why
    assert "has no name" in by_column[""].why
    assert by_column["e-mail"].why == "'email' goes to Email already."
    assert changes(org, before) == []


def test_the_file_is_read_by_map_and_its_comments_can_be_taken_as_they_are(client: bf.Client) -> None:
    path = write(HEADER)
    first = client.suggest_map(path, "Contact")
    text = first.to_toml()
    assert tomllib.loads(text) == {"columns": dict(first.columns)}
    Path("map.toml").write_text(text, "utf-8")
    unfit = {one.column for one in client.check(path, "Contact", "insert", mapping="map.toml").unfit}
    assert unfit == {"Mobil Phone", "CreatedDate", "shoe size", "", "LASTNAME2", "e-mail"}
    # What stands in comments is a line of the map, ready to be taken.
    for line in ('"Mobil Phone" = "MobilePhone"', '"shoe size" = ""', '"CreatedDate" = ""'):
        assert f"# {line}\n" in text
        text = text.replace(f"# {line}\n", f"{line}\n")
    Path("map.toml").write_text(text, "utf-8")
    assert client.check(path, "Contact", "insert", mapping="map.toml", on_unknown_column="drop").unfit == ()


def test_exact_name_wins_over_another_column_for_the_field(client: bf.Client) -> None:
    assert found(client.suggest_map(write("Last Name,LastName"), "Contact")) == {
        "Last Name": None,
        "LastName": "LastName",
    }
    assert found(client.suggest_map(write("AccountId,Account.Symbol__c,LastName"), "Contact")) == {
        "AccountId": "AccountId",
        "Account.Symbol__c": None,
        "LastName": "LastName",
    }


@pytest.mark.parametrize(
    ("operation", "external_id", "header", "fields", "missing"),
    [
        ("insert", None, "Email", {"Email": "Email"}, ["No column fills LastName"]),
        ("update", None, "Email,LastName", {"Email": "Email", "LastName": "LastName"}, ["No column holds Id"]),
        ("update", None, "sf__Id,sf__Error,Email", {"sf__Id": "Id", "sf__Error": None, "Email": "Email"}, []),
        ("upsert", "Ext__c", "EXT__C,LastName", {"EXT__C": "Ext__c", "LastName": "LastName"}, []),
        ("delete", None, "Id,LastName", {"Id": "Id", "LastName": None}, []),
        ("insert", None, "Id,LastName", {"Id": None, "LastName": "LastName"}, []),
    ],
)
def test_operation_decides_what_can_be_written_and_what_is_missing(
    client: bf.Client,
    operation: str,
    external_id: str | None,
    header: str,
    fields: dict[str, str | None],
    missing: list[str],
) -> None:
    first = client.suggest_map(write(header), "Contact", operation, external_id=external_id)
    assert found(first) == fields
    assert [one.text for one in first.missing if any(text in one.text for text in missing)] == [
        one.text for one in first.missing
    ]
    assert len(first.missing) == len(missing)
    assert all(text in first.to_toml() for text in missing)
    tomllib.loads(first.to_toml())


def test_odd_names_stand_in_the_file_as_they_are(client: bf.Client) -> None:
    names = ['say "hi"', "back\\slash", "tab\there", "é 世界", "a = b # c"]
    records = [dict.fromkeys([*names, "last name"], "x")]
    first = client.suggest_map(iter(records), "Contact")
    assert found(first) == {**dict.fromkeys(names), "last name": "LastName"}
    text = first.to_toml()
    for line in [line for line in text.splitlines() if line.endswith(' = ""')]:
        text = text.replace(line, line.removeprefix("# "))
    assert tomllib.loads(text)["columns"] == {**dict.fromkeys(names, ""), "last name": "LastName"}


def test_unknown_object_and_an_org_that_says_nothing_are_errors(org: Emulator, client: bf.Client) -> None:
    with pytest.raises(bf.DoesNotFit, match="Did you mean Contact"):
        client.suggest_map(write("LastName"), "Contatc")
    org.faults.add(Fault("status", "GET", "*/describe", status=500, times=9))
    try:
        with pytest.raises(bf.UsageError, match="does not say which fields Contact has"):
            client.suggest_map(write("LastName"), "Contact")
    finally:
        org.faults.clear()


def run(org: Emulator, folder: Path, *words: str) -> CompletedProcess[str]:
    environment = {"BULKFORCE_INSTANCE_URL": org.base_url, "BULKFORCE_ACCESS_TOKEN": org.session_id}
    with chdir(folder):
        return processes.run("map", *words, environment=environment)


def test_command_writes_a_file_and_overwrites_none_without_force(org: Emulator, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("Last Name,Ext__c\nx,1\n")
    ran = run(org, tmp_path, "a.csv", "--object", "Contact")
    assert (ran.returncode, tomllib.loads(ran.stdout)["columns"]) == (0, {"Last Name": "LastName", "Ext__c": "Ext__c"})
    words = ["a.csv", "--object", "Contact", "--external-id", "Ext__c", "-o", "a.toml"]
    ran = run(org, tmp_path, *words)
    assert (ran.returncode, ran.stdout) == (0, "")
    assert "2 of 2 columns" in ran.stderr
    assert "upsert Contact by Ext__c" in (tmp_path / "a.toml").read_text()
    (tmp_path / "a.toml").write_text("edited")
    ran = run(org, tmp_path, *words)
    assert (ran.returncode, (tmp_path / "a.toml").read_text()) == (2, "edited")
    assert "--force" in ran.stderr
    assert run(org, tmp_path, *words, "--force").returncode == 0
    assert "[columns]" in (tmp_path / "a.toml").read_text()
    assert run(org, tmp_path, "a.csv", "--object", "Contact", "-o", "no/such/folder.toml").returncode == 2
