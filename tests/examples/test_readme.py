"""What the README shows must run, and what the client can do must be in it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import bulkforce as bf
from bulkforce_emulator import Emulator

README = Path(__file__).parents[2].joinpath("README.md").read_text(encoding="utf-8")
FIRST_LINES, LOAD, REAL_ORG, IN_A_TEST = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def run(code: str, **given: object) -> dict[str, Any]:
    names: dict[str, Any] = dict(given)
    exec(compile(code, "README.md", "exec"), names)
    return names


def test_first_lines_insert_a_contact_and_show_why_another_was_refused(capsys: pytest.CaptureFixture[str]) -> None:
    run(FIRST_LINES)
    created, refused = capsys.readouterr().out.splitlines()
    assert created.startswith("003")
    assert "REQUIRED_FIELD_MISSING" in refused


def test_load_of_a_parquet_file_accounts_for_every_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    pq.write_table(
        pa.table({"Email__c": ["ada@example.com", "nobody"], "LastName": ["Lovelace", None]}), "contacts.parquet"
    )
    with Emulator(schema={"Contact": {"fields": {"Email__c": "string(80) unique external_id"}}}) as org:
        run(LOAD, client=bf.Client(org.base_url, auth=bf.BearerToken(org.session_id)))
    assert capsys.readouterr().out == "False\n1 1 0 0\n"


def test_ways_to_a_real_org_are_spelled_as_the_client_wants_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "server.key").touch()
    monkeypatch.chdir(tmp_path)
    assert isinstance(run(REAL_ORG)["client"], bf.Client)


def test_test_with_an_org_passes() -> None:
    run(IN_A_TEST)["test_contacts_arrive"]()


# Methods that are no call of the API.
OWN = {"close", "check", "suggest_map", "load", "resume", "extract", "resume_extract", "query"}


def test_every_call_is_in_the_table() -> None:
    calls = {name for name, value in vars(bf.Client).items() if callable(value) and not name.startswith("_")} - OWN
    assert calls <= {
        name for row in README.splitlines() if row.startswith("| `") for name in re.findall(r"`(\w+)\(", row)
    }
