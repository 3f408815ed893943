"""Records from files, records kept in a file, and https with a certificate made for the org."""

from __future__ import annotations

import json
import signal
import ssl
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from bulkforce_emulator import Emulator, SeedError, StoreError

SCHEMA = {"Account": {"fields": {"Number__c": "string(20) unique external_id"}}}


def records(folder: Path) -> Path:
    (folder / "1-Account.csv").write_text('Name,Number__c\n"Acme, Inc.",A-1\n', "utf-8")
    (folder / "2-Contact.json").write_text(
        json.dumps([{"LastName": "Hopper", "Account": {"Number__c": "A-1"}}, {"LastName": "Ott"}]), "utf-8"
    )
    (folder / "3-Contact.csv").write_text("LastName,Account.Number__c\nLovelace,A-1\n", "utf-8")
    (folder / "README.txt").write_text("no records", "utf-8")
    return folder


def test_folder_of_files_is_in_the_org_from_the_start(tmp_path: Path) -> None:
    with Emulator(SCHEMA, data=records(tmp_path)) as org:
        (account,) = org.records("Account")
        assert account["Name"] == "Acme, Inc."
        parents = {record["LastName"]: record["AccountId"] for record in org.records("Contact")}
    assert parents == {"Hopper": account["Id"], "Ott": None, "Lovelace": account["Id"]}


def test_files_may_be_larger_than_a_batch(tmp_path: Path) -> None:
    (tmp_path / "Account.csv").write_text("Name\n" + "x\n" * 10_001, "utf-8")
    org = Emulator()
    assert org.load_data(tmp_path) == {"Account.csv": 10_001}
    org.stop()


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("Contact.csv", "LastName,FirstName\nx,y\n,z\n", "Contact.csv: record 2 of 2: REQUIRED_FIELD_MISSING"),
        ("Contact.csv", "Nonsense\nx\n", "Nonsense"),
        ("Nothing.csv", "Name\nx\n", "no object named Nothing"),
        ("Contact.json", "{", "Contact"),
        ("Contact.csv", '"x\n', "CSV"),
    ],
)
def test_records_that_are_refused_are_told(tmp_path: Path, name: str, content: str, says: str) -> None:
    (tmp_path / name).write_text(content, "utf-8")
    with pytest.raises(SeedError, match=says):
        Emulator(data=tmp_path)


def test_folder_without_records_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no \.csv or \.json file"):
        Emulator(data=tmp_path)


def test_org_in_a_file_is_the_same_next_time(tmp_path: Path) -> None:
    database = str(tmp_path / "org.duckdb")
    with Emulator(SCHEMA, database=database, data=records(tmp_path)) as org:
        before = (org.session_id, org.client_id, org.records("Contact"))
    wider = {"Account": {"fields": {**SCHEMA["Account"]["fields"], "Later__c": "double(10,2)"}}}
    with Emulator(wider, database=database) as org:
        assert (org.session_id, org.client_id, org.records("Contact")) == before
        (new,) = org.insert("Contact", [{"LastName": "New"}])
        assert new not in {record["Id"] for record in before[2]}
        org.insert("Account", [{"Name": "y", "Later__c": 1.5}])
        assert {record["Name"]: record["Later__c"] for record in org.records("Account")} == {
            "Acme, Inc.": None,
            "y": 1.5,
        }


def test_file_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    database = tmp_path / "org.duckdb"
    database.write_text("this is no database, and long enough to be read as one" * 1000, "utf-8")
    with pytest.raises(StoreError, match=r"org\.duckdb cannot be opened"):
        Emulator(database=str(database))
    database.unlink()
    # DuckDB would open it, as a view of its rows in memory.
    data = tmp_path / "a.csv"
    data.write_text("LastName\nx\n", "utf-8")
    with pytest.raises(StoreError, match=r"a\.csv cannot be opened: it is no database of an emulated org"):
        Emulator(database=str(data))
    assert data.read_text("utf-8") == "LastName\nx\n"
    Emulator({"Account": {"fields": {"A__c": "string(20)"}}}, database=str(database)).stop()
    with pytest.raises(StoreError, match=r"stores Account\.A__c as VARCHAR, but the schema needs DOUBLE"):
        Emulator({"Account": {"fields": {"A__c": "double(10,2)"}}}, database=str(database))


def test_answered_records_are_there_after_a_kill(tmp_path: Path) -> None:
    database = tmp_path / "org.duckdb"
    command = [sys.executable, "-m", "bulkforce.cli.main", "emulator", "--persist", str(database), "--json"]
    ids = []
    for number in range(2):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            about = json.loads(process.stdout.readline())
            ids += [create(about["base_url"], about["session_id"], f"row {number} {row}") for row in range(3)]
            process.send_signal(signal.SIGKILL)
    org = Emulator(database=str(database))
    assert [record["Id"] for record in org.records("Contact")] == ids
    org.stop()


def create(base_url: str, session_id: str, name: str) -> str:
    headers = {"Authorization": f"Bearer {session_id}", "Content-Type": "application/json"}
    body = json.dumps({"LastName": name}).encode()
    request = urllib.request.Request(f"{base_url}/services/data/v60.0/sobjects/Contact", body, headers, method="POST")
    with urllib.request.urlopen(request, timeout=600) as answer:
        created: dict[str, str] = json.load(answer)
    return created["id"]


def test_https_with_a_certificate_of_its_own() -> None:
    with Emulator(tls=True) as org:
        assert org.base_url.startswith("https://127.0.0.1:")
        bundle = org.ca_bundle
        assert bundle is not None
        with urllib.request.urlopen(
            org.base_url + "/services/data/", context=ssl.create_default_context(cafile=bundle), timeout=600
        ) as answer:
            assert answer.status == 200
    assert not bundle.exists()


def test_empty_session_id_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot be empty"):
        Emulator(session_id="")


def test_orgs_side_by_side_know_nothing_of_each_other() -> None:
    with Emulator(SCHEMA) as first, Emulator(SCHEMA) as second:
        first.insert("Account", [{"Name": "Acme", "Number__c": "A-1"}])
        second.insert("Account", [{"Name": "Other", "Number__c": "A-1"}])
        assert ([record["Name"] for record in first.records("Account")], second.count("Account")) == (["Acme"], 1)
    with Emulator(SCHEMA) as third:
        assert third.count("Account") == 0


def test_more_schemas_than_are_remembered_give_each_org_its_own_fields() -> None:
    for _ in range(2):
        for number in range(20):
            org = Emulator({"Part__c": {"fields": {f"Field{number}__c": "double(10,2)"}}})
            org.insert("Part__c", [{f"Field{number}__c": number}])
            assert [record[f"Field{number}__c"] for record in org.records("Part__c")] == [number]
            org.stop()


def test_formula_is_computed_in_every_org_of_a_schema() -> None:
    fields = {"Price__c": "double(10,2)", "Twice__c": {"type": "double", "formula": '"Price__c" * 2'}}
    for price in (1.5, 2.5):
        org = Emulator({"Part__c": {"fields": fields}})
        org.insert("Part__c", [{"Price__c": price}])
        assert [record["Twice__c"] for record in org.records("Part__c")] == [price * 2]
        org.stop()


FORKED = """
import os
from bulkforce_emulator import Emulator
with Emulator() as org:
    child = os.fork()
    if child == 0:
        with Emulator() as own:
            own.insert("Account", [{"Name": "Acme"}])
            os._exit(own.count("Account"))
    _, status = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(status), org.count("Account"))
"""


def test_fork_has_orgs_of_its_own() -> None:
    done = subprocess.run([sys.executable, "-c", FORKED], capture_output=True, text=True, timeout=600, check=True)
    assert done.stdout == "1 0\n"
