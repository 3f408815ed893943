"""`bulkforce query`: a table that fits a terminal, CSV or JSON lines for the next program, in bulk or over REST."""

from __future__ import annotations

import io
import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest
from tests.cli.processes import COMMAND, SURROUNDINGS, run, start

from bulkforce.cli.main import main
from bulkforce_emulator import Emulator

PEOPLE: Final = 450
Run = Callable[..., tuple[int, str, str]]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(scope="module")
def org() -> Iterator[Emulator]:
    with Emulator() as org:
        acme, _ = org.insert(
            "Account",
            [
                {"Name": "Acme \u65e5\u672c", "NumberOfEmployees": 5, "AnnualRevenue": 1.6147805824397e13},
                {"Name": "null", "Description": "a\n\x1b[31mb" * 60},
            ],
        )
        org.insert("Contact", [{"LastName": f"N{n}", "AccountId": acme if n % 2 else None} for n in range(PEOPLE)])
        yield org


@pytest.fixture
def surroundings(org: Emulator) -> dict[str, str]:
    return {"BULKFORCE_INSTANCE_URL": org.base_url, "BULKFORCE_ACCESS_TOKEN": org.session_id, "COLUMNS": "80"}


@pytest.fixture(params=["bulk", "bulk2", "rest"])
def query(
    request: pytest.FixtureRequest,
    surroundings: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Query on a terminal, or with ``piped=True`` into a pipe; give code, output and talk."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TERM", "dumb")
    for name, value in surroundings.items():
        monkeypatch.setenv(name, value)

    def call(*arguments: str, piped: bool = False) -> tuple[int, str, str]:
        terminal = Terminal()
        rest = {"bulk": [], "bulk2": ["--api", "bulk2"], "rest": ["--rest"]}[request.param]
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", ["bulkforce", "query", *arguments, *rest])
            if not piped:
                patch.setattr(sys, "stdout", terminal)
            with pytest.raises(SystemExit) as ended:
                main()
        printed = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, printed.out if piped else terminal.getvalue(), printed.err

    return call


def test_table_has_aligned_types_visible_nulls_and_the_number_of_rows(query: Run) -> None:
    code, output, _ = query("SELECT Name, NumberOfEmployees, AnnualRevenue FROM Account ORDER BY Name")
    assert code == 0
    assert output.splitlines() == [
        "Name       NumberOfEmployees   AnnualRevenue",
        "Acme \u65e5\u672c                  5  16147805824397",
        '"null"                  null            null',
        "2 rows",
    ]


def test_wide_records_are_shown_one_below_the_other_with_long_values_cut(query: Run) -> None:
    fields = "Id, Name, NumberOfEmployees, AnnualRevenue, Description, CreatedDate"
    code, output, _ = query(f"SELECT {fields} FROM Account ORDER BY Name")
    assert code == 0
    lines = output.splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert lines[0] == "row 1"
    assert "  AnnualRevenue      16147805824397" in lines
    assert "  Description        null" in lines
    cut = next(line for line in lines if "u001b" in line)
    assert cut.startswith("  Description        a \\u001b[31mba")
    assert cut.endswith("...")
    assert len(lines) == 15


def test_long_values_are_cut_where_all_columns_have_room(query: Run) -> None:
    _, output, _ = query("SELECT Id, Description FROM Account WHERE Name = 'null'")
    lines = output.splitlines()
    assert len(lines) == 3
    assert len(lines[1]) == 80
    assert lines[1].endswith("...")


def test_table_says_that_there_are_more_rows(query: Run) -> None:
    _, output, _ = query("SELECT LastName FROM Contact")
    lines = output.splitlines()
    assert lines[201].startswith("the first 200 rows; there are more: --limit N shows N")
    assert all(len(line) <= 80 for line in lines)
    _, output, _ = query("SELECT LastName FROM Contact", "--limit=450")
    assert output.splitlines()[-1] == "450 rows"
    _, output, _ = query("SELECT LastName FROM Contact LIMIT 2", "--limit=3")
    assert output.splitlines()[-1] == "2 rows"
    _, output, _ = query("SELECT LastName FROM Contact LIMIT 9 FOR VIEW", "--limit=1")
    assert output.splitlines()[1:2] == ["N0"]


def test_no_rows_are_said(query: Run) -> None:
    assert query("SELECT Id FROM Contact WHERE LastName = 'none'")[:2] == (0, "0 rows\n")


def test_pipe_gets_csv_with_parents_flattened(query: Run) -> None:
    code, output, talk = query("SELECT LastName, Account.NumberOfEmployees FROM Contact LIMIT 2", piped=True)
    assert (code, talk) == (0, "bulkforce: 2 rows\n")
    assert output == '"LastName","Account.NumberOfEmployees"\n"N0",""\n"N1","5"\n'
    _, output, talk = query("SELECT LastName FROM Contact", "--quiet", piped=True)
    assert (len(output.splitlines()), talk) == (PEOPLE + 1, "")


def test_json_lines(query: Run) -> None:
    _, output, _ = query("SELECT LastName, Account.AnnualRevenue FROM Contact", "--limit=2", "--json", "-q", piped=True)
    rows = [json.loads(line) for line in output.splitlines()]
    assert rows == [
        {"LastName": "N0", "Account.AnnualRevenue": None},
        {"LastName": "N1", "Account.AnnualRevenue": 16147805824397},
    ]


def test_refused_query_shows_the_place(query: Run) -> None:
    code, output, talk = query("SELECT Id,\n Foo FROM Account", "--csv")
    assert (code, output) == (1, "")
    lines = talk.splitlines()
    assert "No such column 'Foo'" in lines[0]
    assert lines[1] == "   Foo FROM Account"
    assert lines[2].startswith("   ^ [")


def test_error_is_json_beside_the_data(query: Run) -> None:
    code, output, talk = query("SELECT Foo FROM Account", "--json", piped=True)
    assert (code, output) == (1, "")
    assert json.loads(talk[talk.index("{") :])["error"]["type"] in {"QueryRefused", "InvalidRequest"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["SELECT Id, (SELECT Id FROM Contacts) FROM Account"], "query the child object by itself"),
        (["SELECT Id FROM Account", "-o", "a.csv"], "bulkforce extract QUERY -o FILE"),
        (["SELECT Id FROM Account", "--csv", "--json"], "one of --csv and --json"),
        (["SELECT Id FROM Account", "--rest", "--api=bulk2"], "leave out --api or --rest"),
        ([], "There is no query"),
        (["SELECT Id FROM Account", "--limit=0"], "--limit"),
    ],
)
def test_query_that_cannot_be_is_refused(query: Run, arguments: list[str], said: str) -> None:
    code, _, talk = query(*arguments)
    assert (code, said in talk) == (2, True)


def test_rest_groups_and_counts(surroundings: dict[str, str]) -> None:
    groups = "SELECT Account.Name name, COUNT(Id) n FROM Contact GROUP BY Account.Name"
    done = run("query", groups, "--rest", "--limit=9", environment=surroundings)
    assert done.stdout == '"name","n"\n"","225"\n"Acme \u65e5\u672c","225"\n'
    done = run("query", "SELECT COUNT() FROM Contact", "--rest", "--limit=9", environment=surroundings)
    assert done.stdout == f'"COUNT()"\n"{PEOPLE}"\n'
    assert "--rest" in run("query", groups, environment=surroundings).stderr


def test_rest_reads_all_pages_within_the_budget(org: Emulator) -> None:
    with Emulator() as big:
        big.insert("Contact", [{"LastName": f"N{n}"} for n in range(2_001)])
        surroundings = {"BULKFORCE_INSTANCE_URL": big.base_url, "BULKFORCE_ACCESS_TOKEN": big.session_id}
        command = ("query", "SELECT LastName FROM Contact", "--rest")
        done = run(*command, environment=surroundings)
        assert (done.stdout.splitlines()[-1], done.stderr) == ('"N2000"', "bulkforce: 2,001 rows\n")
        done = run(*command, "--max-api-calls=1", environment=surroundings)
        assert (done.returncode, "budget of 1 API call is" in done.stderr) == (1, True)


@pytest.mark.parametrize("rest", [[], ["--rest"]])
def test_broken_pipe_is_a_quiet_end(surroundings: dict[str, str], rest: list[str]) -> None:
    command = start("query", "SELECT Id FROM Contact", *rest, environment=surroundings, spoilt={1: "nobody"})
    _, talk = command.communicate()
    assert (command.returncode, talk) == (141, "")


def test_real_terminal_gets_a_table(surroundings: dict[str, str]) -> None:
    ours, its = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "query", "SELECT LastName FROM Contact LIMIT 1"],
        stdout=its,
        stderr=subprocess.PIPE,
        env={**SURROUNDINGS, **surroundings, "TERM": "dumb"},
    )
    os.close(its)
    read = b""
    while b"1 row\r\n" not in read:
        read += os.read(ours, 4_096)
    os.close(ours)
    assert read == b"LastName\r\nN0\r\n1 row\r\n"
    process.communicate(timeout=600)
    assert process.returncode == 0
