"""The commands, each as a process of its own: what they print where, and how they end."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any, cast

import pytest
from tests.cli.processes import SURROUNDINGS, run, run_without, start

import bulkforce as bf
from bulkforce.cli.emulator import announce, is_loopback
from bulkforce.cli.main import command
from bulkforce_emulator import Emulator

GROUPS = {name: one.commands for name, one in command.commands.items() if hasattr(one, "commands")}
COMMANDS = list(command.commands)
WITHIN_GROUPS = [f"{name} {inner}" for name, commands in GROUPS.items() for inner in commands]


@contextmanager
def served(*arguments: str) -> Iterator[dict[str, Any]]:
    """An emulator of the command line, stopped at the end as a shell stops it."""
    process = start("emulator", "--json", *arguments)
    try:
        yield json.loads(process.stdout.readline())
    finally:
        process.terminate()
        _, talk = process.communicate()
    assert (process.returncode, talk) == (0, "")


def test_help_lists_every_command() -> None:
    shown = run("--help")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert [name for name in COMMANDS if f"  {name} " in shown.stdout] == COMMANDS


def test_no_arguments_show_the_help() -> None:
    assert run().stdout + run().stderr == run("--help").stdout


@pytest.mark.parametrize("command", COMMANDS + WITHIN_GROUPS)
def test_every_command_has_help(command: str) -> None:
    shown = run(*command.split(), "--help")
    assert (shown.returncode, shown.stderr) == (0, "")
    usage, _, rest = shown.stdout.partition("\n")
    assert f" {command} " in usage
    assert rest.partition("Options:")[0].strip(), "a command says what it does"


def test_version_is_printed() -> None:
    assert re.fullmatch(r"bulkforce \d+\.\d+\.\d+\S*\n", run("--version").stdout)


@pytest.mark.parametrize(
    "arguments",
    [("fly",), ("demo", "--fast"), ("emulator", "--port", "65536"), ("emulator", "--schema", "no/such.toml")],
)
def test_a_wrong_call_exits_with_2(arguments: tuple[str, ...]) -> None:
    refused = run(*arguments)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert arguments[-1].split("/")[0] in refused.stderr or arguments[1] in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "having"),
    [
        (("extract", "--persist", "a.csv"), "bulkforce: --persist is an option of `bulkforce emulator`\n"),
        (("count", "--with-timeline"), ""),
    ],
)
def test_option_of_another_command_is_told(arguments: tuple[str, ...], having: str) -> None:
    refused = run(*arguments)
    assert refused.returncode == 2
    assert refused.stderr.endswith(having or "No such option: --with-timeline\n")


@pytest.mark.parametrize("command", ["demo", "emulator"])
def test_a_missing_extra_is_told_with_the_line_that_installs_it(command: str) -> None:
    refused = run_without("duckdb", command)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert (
        refused.stderr
        == "bulkforce: An emulated org needs an extra that is not installed. Run: pip install 'bulkforce[emulator]'\n"
    )


def test_emulator_serves_an_org_to_a_client() -> None:
    with served() as org, bf.Client(org["base_url"], auth=bf.BearerToken(org["session_id"])) as client:
        assert client.create_job("insert", "Contact", "JSON").state is bf.JobState.OPEN


def test_emulator_takes_the_session_id_and_the_schema_it_is_given(tmp_path: Path) -> None:
    schema = tmp_path / "schema.toml"
    schema.write_text('[Planet__c.fields]\nMoons__c = "int"\n')
    with (
        served("--session-id", "00D!given", "--schema", str(schema)) as org,
        bf.Client(org["base_url"], auth=bf.BearerToken("00D!given")) as client,
    ):
        job = client.create_job("insert", "Planet__c", "JSON")
        batch = client.add_batch(job, [{"Moons__c": 95}])
        client.wait_for_batch(job, batch.id)
        assert [result.success for result in client.get_batch_result(job, batch.id)] == [True]
        assert org["session_id"] == "00D!given"


@pytest.mark.parametrize("content", ["[Planet__c.fields]\nMoons__c = 'moon'\n", "[Planet__c"])
def test_emulator_refuses_a_schema_that_it_cannot_read(tmp_path: Path, content: str) -> None:
    schema = tmp_path / "schema.toml"
    schema.write_text(content)
    refused = run("emulator", "--schema", str(schema))
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "schema.toml" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_emulator_says_that_a_port_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = run("emulator", "--port", str(port))
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith(f"bulkforce: Cannot listen on 127.0.0.1, port {port}: ")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_emulator_ends_well_when_it_is_told_to(number: signal.Signals) -> None:
    process = start("emulator", "--json")
    line = process.stdout.readline()
    process.send_signal(number)
    rest, talk = process.communicate()
    assert (process.returncode, rest, talk) == (0, "", "")
    about = json.loads(line)
    assert list(about)[:2] == ["base_url", "session_id"]
    assert {"username", "password", "security_token", "client_id", "client_secret", "refresh_token"} <= about.keys()
    assert about["ca_bundle"] is None


def test_emulator_takes_its_limits_from_a_file(tmp_path: Path) -> None:
    settings = tmp_path / "settings.toml"
    settings.write_text("[limits]\nbatch_records = 1\n")
    with (
        served("--settings", str(settings)) as org,
        bf.Client(org["base_url"], auth=bf.BearerToken(org["session_id"])) as client,
    ):
        job = client.create_job("insert", "Account", "JSON")
        batch = client.add_batch(job, [{"Name": "a"}, {"Name": "b"}])
        assert client.wait_for_batch(job, batch.id).state is bf.BatchState.FAILED


@pytest.mark.parametrize(
    ("host", "near"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("192.168.1.2", False),
        ("box", False),
    ],
)
def test_emulator_knows_when_others_can_reach_it(host: str, near: bool) -> None:
    assert is_loopback(host) is near


def test_emulator_gives_a_shell_what_it_needs_on_stdout_and_talks_on_stderr() -> None:
    process = start("emulator", "--session-id", "00D!mine")
    first, second = process.stdout.readline(), process.stdout.readline()
    process.terminate()
    rest, talk = process.communicate()
    assert re.fullmatch(r"export BULKFORCE_INSTANCE_URL='http://127\.0\.0\.1:\d+'\n", first)
    assert (second, rest) == ("export BULKFORCE_ACCESS_TOKEN='00D!mine'\n", "")
    assert "Ctrl-C" in talk


def test_emulator_suggests_a_command_that_works_wherever_bulkforce_is_installed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with Emulator() as org:
        announce(org, None)
        talk = capsys.readouterr().err
        suggested = next(line for line in talk.splitlines() if "for example: " in line).rpartition(": ")[2].split()
        assert suggested[0] == "bulkforce"
        variables = {"BULKFORCE_INSTANCE_URL": org.base_url, "BULKFORCE_ACCESS_TOKEN": org.session_id}
        shown = run(*suggested[1:], environment=variables)
    assert (shown.returncode, "Contact" in shown.stdout) == (0, True)


def test_emulator_serves_records_from_files_over_https(tmp_path: Path) -> None:
    (tmp_path / "Account.csv").write_text("Name\nAcme\n", "utf-8")
    process = start("emulator", "--tls", "--data", str(tmp_path), "--json")
    about = json.loads(process.stdout.readline())
    variables = {
        "BULKFORCE_INSTANCE_URL": about["base_url"],
        "BULKFORCE_ACCESS_TOKEN": about["session_id"],
        "BULKFORCE_CA_BUNDLE": about["ca_bundle"],
    }
    with bf.connect(variables) as client:
        assert [row["Name"] for row in client.query("SELECT Name FROM Account").rows()] == ["Acme"]
    process.terminate()
    process.communicate()
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--data", "nowhere"], "nowhere"),
        (["--data", "."], "no .csv or .json file"),
        (["--persist", "file"], "file cannot be opened"),
        (["--schema", "schema.toml"], "A must be a table, not 1"),
        (["--settings", "settings.toml"], "settings.toml: nonsense is not a setting"),
        (["--settings", "file"], "file cannot be read"),
        (["--session-id", ""], "a session id cannot be empty"),
        (["--allow-host", "http://emulator"], "not a host name"),
    ],
)
def test_emulator_that_cannot_be_made_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("no database" * 1000, "utf-8")
    (tmp_path / "schema.toml").write_text("A = 1\n", "utf-8")
    (tmp_path / "settings.toml").write_text("nonsense = 1\n", "utf-8")
    process = start("emulator", *options)
    _, talk = process.communicate()
    assert process.returncode == 2
    assert says in " ".join(talk.split())


@pytest.fixture(scope="module")
def demo() -> CompletedProcess[str]:
    return run("demo")


def test_demo_ends_well_and_says_so(demo: CompletedProcess[str]) -> None:
    assert (demo.returncode, demo.stderr) == (0, "")
    assert "All well" in demo.stdout


def test_demo_shows_the_refused_record_with_its_reason(demo: CompletedProcess[str]) -> None:
    assert "REQUIRED_FIELD_MISSING: Required fields are missing: [LastName]" in demo.stdout


@pytest.mark.parametrize("operation", ["insert", "update", "upsert", "delete", "query"])
def test_demo_shows_every_operation(demo: CompletedProcess[str], operation: str) -> None:
    assert f'client.create_job("{operation}", ' in demo.stdout


@pytest.mark.parametrize("content_type", ["CSV", "JSON", "XML"])
def test_demo_gets_everything_back_in_every_format(demo: CompletedProcess[str], content_type: str) -> None:
    assert re.search(rf"{content_type} +as \w+ +503 accounts and 503 contacts, all equal to the source", demo.stdout)


def test_demo_is_plain_in_a_pipe(demo: CompletedProcess[str]) -> None:
    assert "\x1b" not in demo.stdout
    assert [line for line in demo.stdout.splitlines() if len(line) > 80] == []
    cut = [line for line in demo.stdout.splitlines() if line.endswith("…")]
    assert [line for line in cut if line[4] not in "[<S"] == [], "only records and queries may be cut"


def test_demo_cuts_nothing_that_it_says_itself_where_it_is_narrow() -> None:
    shown = run("demo", environment={"COLUMNS": "30"}).stdout
    *_, after = shown.partition("What next\n")
    assert "…" not in after
    assert [line.split()[0] for line in after.splitlines()] == ["bulkforce"] * 3


def test_module_is_the_command_line() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "bulkforce", "--version"], capture_output=True, text=True, check=True, env=SURROUNDINGS
    )
    assert shown.stdout == run("--version").stdout


@pytest.mark.parametrize("host", ["0.0.0.0", "127.0.0.1", "localhost"])
def test_client_takes_the_url_that_the_emulator_prints(host: str) -> None:
    process = start("emulator", "--host", host)
    lines = [process.stdout.readline() for _ in range(2)]
    process.terminate()
    process.communicate()
    printed = dict(line.removeprefix("export ").rstrip().replace("'", "").split("=", 1) for line in lines)
    bf.connect(printed).close()


def test_emulator_prints_the_switch_that_its_url_needs(capsys: pytest.CaptureFixture[str]) -> None:
    class Elsewhere:
        base_url, session_id, ca_bundle = "http://10.0.0.5:8080", "00D!x", None

    announce(cast(Any, Elsewhere()), None)
    printed = capsys.readouterr().out
    lines = [line.removeprefix("export ").replace("'", "").split("=", 1) for line in printed.splitlines()]
    bf.connect(dict(lines)).close()
    assert ["BULKFORCE_ALLOW_HTTP", "1"] in lines
