"""Orgs of the Salesforce CLI, in the forms of its releases: a stub named `sf` stands on the PATH and notes its calls."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.support.chains import held_by
from tests.support.script import Script

import bulkforce as bf
from bulkforce.cli.main import main
from bulkforce.connection import sf_cli
from bulkforce.connection.connecting import find
from bulkforce.protocol.flow import Credentials
from bulkforce_emulator import Emulator

ACME = "https://acme.my.salesforce.com"
TOKEN = "00D!Zebrafink"
HIDDEN = "[REDACTED] Use 'sf org auth show-access-token' to see it"
UNKNOWN = {"exit": 127, "stderr": "Warning: org auth show-access-token is not a sf command.\nDid you mean ...? "}


def ok(**result: Any) -> dict[str, Any]:
    return {"exit": 0, "stdout": json.dumps({"status": 0, "result": result, "warnings": []}, indent=2)}


def failed(name: str, code: int = 1) -> dict[str, Any]:
    document = {"name": name, "message": f"about {TOKEN}", "exitCode": code, "status": code, "stack": TOKEN}
    return {"exit": code, "stdout": json.dumps(document)}


SHOWN = {"id": "00D1", "instanceUrl": ACME, "username": "ada@example.com", "connectedStatus": "Connected"}
NEW = {
    "org display": ok(accessToken=HIDDEN, **SHOWN),
    "org auth show-access-token": ok(accessToken=TOKEN),
}
OLD = {"org display": ok(accessToken=TOKEN, **SHOWN), "org auth show-access-token": UNKNOWN}

STUB = """#!{python}
import json, os, sys, time
folder = os.path.dirname(os.path.abspath(__file__))
with open(os.path.join(folder, "calls"), "a") as file:
    print(json.dumps(dict(arguments=sys.argv[1:], stdin=sys.stdin.read(), cwd=os.getcwd(),
                          colours=os.environ.get("FORCE_COLOR"), plain=os.environ.get("NO_COLOR"))), file=file)
with open(os.path.join(folder, "answers")) as file:
    answers = json.load(file)
command = " ".join(sys.argv[1:]).partition(" -")[0]
answer = answers.get(command, dict(exit=127, stderr=command + " is not a sf command"))
time.sleep(answer.get("seconds", 0))
sys.stdout.write(answer.get("stdout", ""))
sys.stderr.write(answer.get("stderr", ""))
sys.exit(answer["exit"])
"""


class Cli:
    """The stub."""

    def __init__(self, folder: Path, name: str = "sf") -> None:
        self._folder = folder
        program = folder / name
        program.write_text(STUB.replace("{python}", sys.executable))
        program.chmod(0o755)

    def answers(self, answers: dict[str, dict[str, Any]]) -> None:
        (self._folder / "answers").write_text(json.dumps(answers))

    @property
    def calls(self) -> list[dict[str, Any]]:
        path = self._folder / "calls"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return Cli(tmp_path / "bin")


def session(name: str | None = "dev", stale: str | None = None) -> Credentials:
    found, _ = find(name)
    refused = None if stale is None else Credentials(ACME, stale)
    credentials: Credentials = Script([]).run(found.auth.credentials(found.instance_url, refused))
    return credentials


def test_new_release_is_asked_for_url_and_token(cli: Cli) -> None:
    cli.answers(NEW)
    assert session() == Credentials(ACME, TOKEN)
    asked = [call["arguments"] for call in cli.calls]
    assert asked == [
        ["org", "display", "--target-org", "dev", "--json"],
        ["org", "auth", "show-access-token", "--target-org", "dev", "--json"],
    ]
    assert {call["stdin"] for call in cli.calls} == {""}
    assert {(call["colours"], call["plain"], call["cwd"]) for call in cli.calls} == {("0", "1", str(Path.cwd()))}


def test_older_release_shows_the_token_itself(cli: Cli) -> None:
    cli.answers(OLD)
    assert session() == Credentials(ACME, TOKEN)
    assert len(cli.calls) == 1, "a start of the CLI takes seconds"


def test_sfdx_of_old_is_asked_in_its_own_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    sfdx = Cli(tmp_path, "sfdx")
    sfdx.answers({"force:org:display": ok(accessToken=TOKEN, **SHOWN)})
    assert session() == Credentials(ACME, TOKEN)
    assert sfdx.calls[-1]["arguments"] == ["force:org:display", "-u", "dev", "--json"]
    sfdx.answers({"force:org:display": {"exit": 1, "stderr": failed("NamedOrgNotFoundError")["stdout"]}})
    with pytest.raises(bf.UsageError, match="There is no login 'dev'"):
        find("dev")


def test_default_org_of_the_cli_is_taken_where_nothing_else_is(cli: Cli) -> None:
    cli.answers(NEW)
    found, _ = find()
    assert (found.source, found.asked_for, found.instance_url) == ("the Salesforce CLI", False, ACME)
    assert session(None).access_token == TOKEN
    assert all("--target-org" not in call["arguments"] for call in cli.calls)
    cli.answers({"org display": failed("NoDefaultEnvError")})
    with pytest.raises(bf.UsageError, match="No org is configured"):
        find()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", ""),
        ("\x1b[33mWarning: @salesforce/cli update available from 2.1 to {2.2}.\x1b[39m\n", "\n"),
        ("{not json}\n", "\nUpdate available: {}\n"),
        ("\ufeff", "\r\n"),
    ],
)
def test_document_is_found_among_other_lines(cli: Cli, before: str, after: str) -> None:
    answer = OLD["org display"]
    cli.answers({"org display": {**answer, "stdout": before + str(answer["stdout"]) + after}})
    assert session().access_token == TOKEN


def test_cli_is_asked_again_when_the_session_has_ended(cli: Cli) -> None:
    cli.answers(NEW)
    assert session(stale="00D!old").access_token == TOKEN
    cli.answers(OLD)
    assert session(stale="00D!old").access_token == TOKEN


@pytest.mark.parametrize("warnings", [[], ["could not refresh"]])
def test_session_that_the_cli_cannot_renew_says_what_to_type(cli: Cli, warnings: list[str]) -> None:
    again = {"status": 0, "result": {"accessToken": TOKEN}, "warnings": warnings}
    cli.answers({**NEW, "org auth show-access-token": {"exit": 0, "stdout": json.dumps(again)}})
    assert session().access_token == TOKEN
    with pytest.raises(bf.NotAuthenticated, match=rf"sf org login web --alias dev --instance-url {ACME}") as caught:
        session(stale=TOKEN)
    assert "Zebrafink" not in held_by(caught.value)
    assert ("could not renew" in str(caught.value)) == bool(warnings)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("RefreshTokenAuthError", "sf org login web --alias dev"),
        ("NoAccessTokenError", "sf org login web --alias dev"),
        ("AuthDecryptError", "cannot decrypt"),
        ("JwtAuthError", "certificate"),
        ("LightningDomain", "my.salesforce.com"),
        ("OrgDataNotAvailableError", "sf org list"),
        ("SomethingElse", "SomethingElse"),
    ],
)
@pytest.mark.parametrize("where", ["org display", "org auth show-access-token"])
def test_failure_of_the_cli_says_what_it_means_and_shows_no_secret(cli: Cli, name: str, says: str, where: str) -> None:
    cli.answers({**NEW, where: failed(name)})
    with pytest.raises(bf.Error, match=says) as caught:
        session()
    assert "Zebrafink" not in held_by(caught.value)


@pytest.mark.parametrize(
    "answer",
    [
        {"exit": 0},
        {"exit": 0, "stdout": "hello"},
        {"exit": 0, "stdout": "[]"},
        {"exit": 0, "stdout": '{"status":0}'},
        ok(),
        ok(instanceUrl=5),
        {"exit": 10, "stderr": "TypeError"},
        {"exit": 20, "stdout": "{"},
        ok(accessToken=HIDDEN, instanceUrl=ACME, username="u"),
    ],
)
def test_cli_that_makes_no_sense_is_an_error_of_ours(cli: Cli, answer: dict[str, Any]) -> None:
    cli.answers({"org display": answer})
    with pytest.raises(bf.Error, match="Salesforce CLI"):
        session()


@pytest.mark.parametrize("name", ["-x", "--json", "a&b", 'a"b', "a\nb", "", "%PATH%"])
def test_name_that_is_an_option_or_a_command_never_reaches_the_cli(cli: Cli, name: str) -> None:
    cli.answers(NEW)
    with pytest.raises(bf.UsageError):
        find(name)
    assert cli.calls == []


def test_borrowed_session_is_neither_renewed_nor_revoked(cli: Cli) -> None:
    with Emulator() as org:
        display = ok(accessToken=HIDDEN, **{**SHOWN, "instanceUrl": org.base_url})
        cli.answers({"org display": display, "org auth show-access-token": ok(accessToken=org.session_id)})
        with bf.connect("dev") as client:
            client.create_job("insert", "Contact", "CSV")
            org.expire_sessions()
            second = org.state.sessions.open()
            cli.answers({"org display": display, "org auth show-access-token": ok(accessToken=second)})
            client.create_job("insert", "Contact", "CSV")
            assert org.state.sessions.is_valid(second)
            org.expire_sessions()
            with pytest.raises(bf.NotAuthenticated, match="sf org login web --alias dev"):
                client.create_job("insert", "Contact", "CSV")
        assert not [one for one in org.requests if "oauth" in one.path]


DEV = {"alias": "dev", "username": "ada@example.com", "instanceUrl": ACME, "isDefaultUsername": True}
UAT = {"username": "ada@example.com.uat", "instanceUrl": "https://acme--uat.sandbox.my.salesforce.com"}
LIST = ok(nonScratchOrgs=[DEV, UAT], sandboxes=[UAT], scratchOrgs=[], devHubs=[DEV], other=[{"username": 5}, "odd"])


def orgs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, *arguments: str
) -> tuple[str, str]:
    monkeypatch.setenv("BULKFORCE_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setattr(sys, "argv", ["bulkforce", "orgs", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    printed = capsys.readouterr()
    return printed.out, printed.err


def test_orgs_of_the_cli_are_listed_as_borrowed(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cli.answers({"org list": LIST})
    listed, talk = orgs(monkeypatch, capsys, tmp_path)
    assert listed.splitlines() == [
        f"  ada@example.com.uat  {UAT['instanceUrl']}",
        "      ada@example.com.uat, borrowed from the Salesforce CLI",
        f"  dev                  {ACME}",
        "      ada@example.com, borrowed from the Salesforce CLI, its default",
    ]
    assert all(len(line) <= 80 for line in listed.splitlines())
    assert "bulkforce login NAME" in talk
    document = json.loads(orgs(monkeypatch, capsys, tmp_path, "--json")[0])
    assert [(one["name"], one["borrowed"]) for one in document] == [("ada@example.com.uat", True), ("dev", True)]
    assert cli.calls[0]["arguments"] == ["org", "list", "--skip-connection-status", "--json"]


def test_alias_that_is_also_the_name_of_a_login_means_the_login(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cli.answers({"org list": LIST})
    (tmp_path / "config" / "orgs").mkdir(parents=True)
    (tmp_path / "config" / "orgs" / "dev.json").write_text(
        json.dumps({"way": "access token", "instance_url": ACME, "username": "grace@example.com"})
    )
    document = json.loads(orgs(monkeypatch, capsys, tmp_path, "--json")[0])
    assert [(one["name"], one["borrowed"]) for one in document] == [
        ("dev", False),
        ("ada@example.com.uat", True),
        ("ada@example.com", True),
    ]


def test_sfdx_of_old_lists_its_orgs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    sfdx = Cli(tmp_path, "sfdx")
    sfdx.answers({"force:org:list": LIST})
    assert [one.name for one in sf_cli.listed()] == ["ada@example.com.uat", "dev"]
    assert sfdx.calls[-1]["arguments"] == ["force:org:list", "--skipconnectionstatus", "--json"]


@pytest.mark.parametrize("answer", [failed("AuthDecryptError"), {"exit": 0, "stdout": "hello"}, {"exit": 20}])
def test_broken_cli_does_not_break_the_list(
    cli: Cli,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    answer: dict[str, Any],
) -> None:
    cli.answers({"org list": answer})
    listed, talk = orgs(monkeypatch, capsys, tmp_path, "--json")
    assert json.loads(listed) == []
    assert "without the orgs of the Salesforce CLI" in talk
    assert "Zebrafink" not in talk


def test_slow_cli_is_not_waited_for(cli: Cli) -> None:
    cli.answers({"org list": {"exit": 0, "seconds": 600}})
    with pytest.raises(bf.Error, match=r"did not answer within 0\.5 s; try `sf org list` yourself"):
        sf_cli.listed(0.5)


def test_cli_without_orgs_lists_none(cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cli.answers({"org list": failed("NoOrgFound")})
    assert sf_cli.listed() == []
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    assert sf_cli.listed() == []
