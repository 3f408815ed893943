"""Queries on the command line: where they come from, what counts them, and what an extract writes to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.processes import SURROUNDINGS, run

import bulkforce as bf
from bulkforce.cli.main import main
from bulkforce_emulator import Emulator

TEXT = "-- people\nSELECT Id, LastName /* and nothing else */\nFROM Contact WHERE LastName != 'x';\n"


@pytest.fixture(scope="module")
def org() -> Iterator[Emulator]:
    with Emulator() as org:
        org.insert("Contact", [{"LastName": "Lovelace"}, {"LastName": "Hopper"}, {"LastName": "x"}])
        yield org


@pytest.fixture(autouse=True)
def surroundings(org: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BULKFORCE_INSTANCE_URL", org.base_url)
    monkeypatch.setenv("BULKFORCE_ACCESS_TOKEN", org.session_id)
    (tmp_path / "q.soql").write_text(TEXT, "utf-8")


def call(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["bulkforce", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert isinstance(ended.value.code, int)
    return ended.value.code


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["Contact"], "3\n"),
        (["SELECT LastName FROM Contact WHERE LastName = 'x'"], "1\n"),
        (["--soql-file=q.soql"], "2\n"),
        (["--json", "Contact"], '{"count": 3}\n'),
    ],
)
def test_count_prints_the_number_of_records(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert call(monkeypatch, "count", *arguments) == 0
    assert capsys.readouterr().out == said


def test_clients_count(org: Emulator) -> None:
    auth = bf.BearerToken(org.session_id)
    with bf.Client(org.base_url, auth=auth) as client:
        assert client.count("SELECT Id FROM Contact WHERE LastName LIKE '%o%'") == 2

    async def count() -> int:
        async with bf.AsyncClient(org.base_url, auth=auth) as client:
            return await client.count("Contact")

    assert asyncio.run(count()) == 3


def test_extract_reads_its_query_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert call(monkeypatch, "extract", "--soql-file", "q.soql", "-o", "out.csv", "-q") == 0
    assert sorted(line.split(",")[-1] for line in (tmp_path / "out.csv").read_text("utf-8").splitlines()) == [
        '"Hopper"',
        '"LastName"',
        '"Lovelace"',
    ]


def test_query_comes_from_standard_input(org: Emulator, tmp_path: Path) -> None:
    import subprocess
    import sys

    environment = {**SURROUNDINGS, "BULKFORCE_INSTANCE_URL": org.base_url, "BULKFORCE_ACCESS_TOKEN": org.session_id}
    command = [sys.executable, "-m", "bulkforce.cli.main", "count", "--soql-file", "-"]
    done = subprocess.run(command, input=TEXT, capture_output=True, text=True, env=environment, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "2\n", "")


def test_file_is_not_overwritten_unless_that_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    command = ("extract", "SELECT LastName FROM Contact WHERE LastName = 'x'", "-o", "out.csv", "-q")
    (tmp_path / "out.csv").write_text("mine")
    assert call(monkeypatch, *command) == 2
    assert "out.csv' exists" in capsys.readouterr().err
    assert (tmp_path / "out.csv").read_text() == "mine"
    assert not (tmp_path / "bulkforce-runs").exists()
    assert call(monkeypatch, *command, "--force") == 0
    assert (tmp_path / "out.csv").read_text() == '"LastName"\n"x"\n'


def test_fields_takes_a_list(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert call(monkeypatch, "extract", "--object=Contact", "--fields", "LastName, Id", "-o", "out.csv", "-q") == 0
    assert (tmp_path / "out.csv").read_text("utf-8").startswith('"LastName","Id"\n')


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["SELECT COUNT() FROM Contact"], "bulkforce count"),
        (["SELECT Id FROM Contact", "--soql-file", "q.soql"], "one of them"),
        (["--object=Contact", "--fields", "Id;DROP"], "'Id;DROP' is none"),
        (["--object=Contact", "--fields", ","], "there are none"),
        (["SELECT Id FROM Contact", "--fields", "Id"], "--fields goes with --object"),
        (["--soql-file", "no.soql"], "no.soql cannot be read"),
    ],
)
def test_query_that_cannot_be_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert call(monkeypatch, "extract", *arguments, "-o", "out.csv") == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "type_", "code"),
    [
        (["count", "Contakt", "--json"], "InvalidRequest", 1),
        (["count", "--json", "GROUP"], "InvalidRequest", 1),
        (["count", "--json"], "UsageError", 2),
        (["count", "--json", "--nonsense"], "UsageError", 2),
        (["load", "no.csv", "--object=Contact", "--operation=insert", "--json"], "UsageError", 2),
        (["check", "no.csv", "--object=Contact", "--operation=insert", "--json"], "UsageError", 2),
        (["extract", "SELECT Nothing FROM Contact", "-o", "out.csv", "--json"], "QueryRefused", 1),
        (["resume", "no-such-run", "--json"], "UsageError", 2),
        (["job", "show", "750000000000001AAA", "--json"], "NotFound", 1),
        (["runs", "--run-dir", "q.soql", "--json"], "UsageError", 2),
    ],
)
def test_failure_is_json_where_json_was_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], type_: str, code: int
) -> None:
    assert call(monkeypatch, *arguments) == code
    said = capsys.readouterr()
    error = json.loads(said.out)["error"]
    assert error["type"] == type_
    assert error["message"]
    assert error["message"].splitlines()[0] in said.err


def test_what_does_not_fit_is_json_with_each_problem(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_text("LastName,Nonsense\nx,y\n")
    assert call(monkeypatch, "load", "a.csv", "--object=Contact", "--operation=insert", "--json") == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert (error["type"], len(error["problems"])) == ("DoesNotFit", 1)
    (tmp_path / "a.csv").write_text("Last Name\nx\n")
    assert call(monkeypatch, "load", "a.csv", "--object=Contact", "--operation=insert", "--json") == 2
    (problem,) = json.loads(capsys.readouterr().out)["error"]["problems"]
    assert problem.endswith("or map it: bulkforce map writes a first map.")


def test_times_of_a_job_have_a_t_in_json(
    org: Emulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with bf.Client(org.base_url, auth=bf.BearerToken(org.session_id)) as client:
        job = client.create_job("insert", "Contact", "CSV")
    assert call(monkeypatch, "job", "show", job.id, "--json") == 0
    assert json.loads(capsys.readouterr().out)["created_date"][10] == "T"


def test_error_that_is_printed_beside_data_is_not_in_the_data() -> None:
    done = run("extract", "--output=-", "--json", "SELECT COUNT() FROM Contact")
    assert done.stdout == ""
    assert json.loads(done.stderr[done.stderr.index("{") :])["error"]["type"] == "UsageError"


def test_extract_appends_what_changed_and_tells_what_comes_again(
    org: Emulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ("extract", "SELECT Id, SystemModstamp FROM Contact", "-o", "out.csv", "--since-file", "since.toml", "-q")
    assert call(monkeypatch, *command) == 0
    rows = len(Path("out.csv").read_text().splitlines()) - 1
    capsys.readouterr()
    assert call(monkeypatch, *command) == 2
    assert "use --append" in capsys.readouterr().err
    assert call(monkeypatch, *command, "--append") == 0
    assert f"{rows} rows from the ten minutes before the last mark" in capsys.readouterr().out
    assert len(Path("out.csv").read_text().splitlines()) - 1 == 2 * rows
    assert call(monkeypatch, *command, "--append", "--force") == 2
    assert "leave out --append or --force" in capsys.readouterr().err


def test_errors_call_arguments_by_their_options(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("a.csv").write_text("LastName\nx\n")
    command = ("load", "a.csv", "--object", "Contact", "--json")
    for wrong in (["--operation=upsert"], ["--operation=insert", "--external-id=Email"]):
        assert call(monkeypatch, *command, *wrong) == 2
        told = capsys.readouterr()
        assert "--external-id" in told.err
        assert "external_id" not in told.err + json.loads(told.out)["error"]["message"]
    since = ("--all-rows", "--since-file=s.toml", "-o", "out.csv")
    assert call(monkeypatch, "extract", "SELECT Id, SystemModstamp FROM Contact", *since) == 2
    assert "that --all-rows includes" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["load", "check", "suggest_map"])
def test_errors_of_the_library_call_arguments_by_their_names(org: Emulator, verb: str) -> None:
    with bf.Client(org.base_url, bf.BearerToken(org.session_id)) as client:
        with pytest.raises(bf.UsageError, match="An upsert needs external_id:"):
            getattr(client, verb)([{"LastName": "x"}], "Contact", "upsert")
        with pytest.raises(bf.UsageError, match="external_id works only with upsert"):
            getattr(client, verb)([{"LastName": "x"}], "Contact", "insert", external_id="Email")
        with pytest.raises(bf.UsageError, match="An upsert needs external_id_field:"):
            client.create_job("upsert", "Contact", "CSV")
