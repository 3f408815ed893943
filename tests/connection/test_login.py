"""Logging in, whole: the command line, a browser of ten lines, and an emulated org, over real sockets."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from tests.cli.processes import run

import bulkforce as bf
from bulkforce.cli.main import command
from bulkforce.connection import login as logging_in
from bulkforce.connection import profiles, secret_store
from bulkforce.connection.connecting import find
from bulkforce.connection.found import Options
from bulkforce.connection.profiles import Profile
from bulkforce.protocol.flow import authenticate
from bulkforce_emulator import Emulator

BROWSER = """
import sys, urllib.error, urllib.request
try:
    page = urllib.request.urlopen(sys.argv[1]).read().decode()
except urllib.error.HTTPError as error:
    page = error.read().decode()
open(sys.argv[2], "w").write(page)
"""


@pytest.fixture
def org() -> Iterator[Emulator]:
    with Emulator() as org:
        rules = org.state.sessions.rules
        rules.rotate_refresh_tokens = rules.pkce_required = True
        yield org


@pytest.fixture
def browser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Set up a browser that follows redirects; gives the page that it ends on."""
    program, page = tmp_path / "browser.py", tmp_path / "page.html"
    program.write_text(BROWSER)
    monkeypatch.setenv("BROWSER", f"{sys.executable} {program} %s {page}")
    return page


def callback() -> str:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return f"http://localhost:{taken.getsockname()[1]}/callback"


def type_in(org: Emulator, *arguments: str, **variables: str) -> CompletedProcess[str]:
    """Run a command; whatever it prints, no secret is in it."""
    given = {name: os.environ[name] for name in ("BROWSER",) if name in os.environ}
    done = run(*arguments, environment={**given, **variables})
    sessions = org.state.sessions
    for secret in (
        org.client_secret,
        org.refresh_token,
        org.password,
        *sessions._state.sessions,
        *sessions._state.refresh_tokens,
    ):
        assert secret not in done.stdout + done.stderr
    return done


def log_in(org: Emulator, *arguments: str, **variables: str) -> CompletedProcess[str]:
    given = ("login", "prod", "--url", org.base_url, "--client-id", org.client_id, *arguments)
    return type_in(org, *given, **variables)


def call(org: str | None = "prod") -> str:
    with bf.connect(org) as client:
        return client.create_job("insert", "Contact", "CSV").id


@pytest.mark.parametrize("confidential", [False, True], ids=["public client", "confidential client"])
def test_login_by_browser_is_stored_and_renews_itself(org: Emulator, browser: Path, *, confidential: bool) -> None:
    org.state.sessions.rules.secret_required = confidential
    flag, variables = (
        (["--client-secret"], {"BULKFORCE_CLIENT_SECRET": org.client_secret}) if confidential else ([], {})
    )
    done = log_in(org, "--callback", callback(), *flag, **variables)
    assert (done.returncode, done.stdout) == (
        0,
        f"Logged in to {org.base_url} as {org.username}; stored as prod, the default.\n",
    )
    assert "Close this page" in browser.read_text()
    call()
    before = org.refresh_token
    org.expire_sessions()
    for name in ("prod", None):
        call(name)
    org.expire_sessions()
    call()
    refreshed = [one for one in org.requests if one.path.endswith("/token")]
    assert len(refreshed) == 3, "the code, and once for each time that the sessions ended"
    assert before == org.refresh_token, "the emulator's own refresh token is another one"


def test_secrets_are_in_a_private_file_which_is_said(org: Emulator, browser: Path) -> None:
    done = log_in(org, "--callback", callback())
    place = profiles.folder() / "secrets" / "prod.json"
    assert str(place) in done.stderr
    assert "only you may read" in done.stderr
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    assert stat.S_IMODE(place.parent.stat().st_mode) == 0o700
    held = json.loads(place.read_bytes())
    for path in profiles.folder().rglob("*"):
        if path.is_file() and path != place:
            assert not any(
                str(secret).encode() in path.read_bytes() for secret in held.values() if secret != org.base_url
            )


def test_names_are_listed_used_and_forgotten(org: Emulator, browser: Path) -> None:
    assert "bulkforce login NAME" in type_in(org, "orgs").stderr
    assert log_in(org, "--callback", callback()).returncode == 0
    second = type_in(
        org, "login", "other", "--access-token", "--url", org.base_url, BULKFORCE_ACCESS_TOKEN=org.session_id
    )
    assert (second.returncode, "the default" in second.stdout) == (0, False)
    shown = type_in(org, "orgs").stdout.splitlines()
    assert [line[:7] for line in shown[::2]] == ["  other", "* prod "]
    assert type_in(org, "orgs", "--default", "other").returncode == 0
    listed = json.loads(type_in(org, "orgs", "--json").stdout)
    assert [(one["name"], one["default"], one["way"]) for one in listed] == [
        ("other", True, "access token"),
        ("prod", False, "browser"),
    ]
    who = json.loads(type_in(org, "whoami", "--org", "prod", "--json").stdout)
    assert (who["username"], who["instance_url"], who["organization_id"]) == (
        org.username,
        org.base_url,
        org.state.sessions.org_id,
    )
    org.expire_sessions()
    assert json.loads(type_in(org, "whoami", "--org", "prod", "--json").stdout) == who, "the session is renewed"
    other = type_in(
        org,
        "login",
        "other",
        "--access-token",
        "--url",
        org.base_url,
        BULKFORCE_ACCESS_TOKEN=org.state.sessions.open(token=org.session_id),
    )
    assert other.returncode == 0
    limits = json.loads(type_in(org, "limits", "--org", "prod", "--json").stdout)
    assert limits["DailyBulkApiBatches"]["max"] == 15_000
    assert "DailyApiRequests" in type_in(org, "limits").stdout.splitlines()[0]
    assert f"the org is {org.base_url} (the login other)" in type_in(org, "limits").stderr, "nobody named it"
    assert type_in(org, "limits", "--org", "prod").stderr == ""
    held = secret_store.read("prod")
    assert type_in(org, "logout", "prod").returncode == 0
    assert not org.state.sessions.is_valid(held["access_token"]), "what the login began is revoked"
    assert held["refresh_token"] not in org.state.sessions._state.refresh_tokens
    assert type_in(org, "logout", "other").returncode == 0
    assert org.state.sessions.is_valid(org.session_id), "what was handed in is not"
    assert list((profiles.folder() / "secrets").iterdir()) == []
    refused = type_in(org, "limits", "--org", "prod")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "There is no login 'prod'" in refused.stderr
    assert type_in(org, "logout", "prod").returncode == 2


def test_unknown_name_says_what_is_meant(org: Emulator, browser: Path) -> None:
    log_in(org, "--callback", callback())
    with pytest.raises(bf.UsageError, match="did you mean prod"):
        bf.connect("prdo")
    with pytest.raises(bf.UsageError, match="known are prod"):
        bf.connect("zzz")
    with pytest.raises(bf.UsageError, match="--url"):
        bf.connect("https://acme.my.salesforce.com")


@pytest.mark.parametrize(
    ("rule", "says"), [("denied", "denied"), ("not installed", "an administrator must install it")]
)
def test_refusal_in_the_browser_says_what_to_do(org: Emulator, browser: Path, rule: Any, says: str) -> None:
    org.state.sessions.rules.authorization = rule
    done = log_in(org, "--callback", callback())
    assert (done.returncode, done.stdout) == (1, "")
    assert says in done.stderr
    assert "The terminal says why" in browser.read_text()
    assert profiles.names() == []


def test_browser_that_never_comes_back_names_the_usual_causes(org: Emulator, browser: Path) -> None:
    from bulkforce.connection import browser as waiting

    registered = callback()
    with waiting.listening(registered, "state") as brought, pytest.raises(bf.NotAuthenticated) as caught:
        waiting.wait(brought, registered, 0.0)
    for cause in ("OAUTH_APPROVAL_ERROR_GENERIC", f"add the line {registered}", "--device"):
        assert cause in str(caught.value)


def test_port_that_is_taken_is_said(org: Emulator) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = log_in(org, "--callback", f"http://localhost:{taken.getsockname()[1]}/x", "--no-browser")
    assert (done.returncode, "Cannot listen" in done.stderr, "--callback" in done.stderr) == (1, True, True)


def test_port_of_a_login_that_has_just_ended_is_free() -> None:
    from bulkforce.connection import browser as waiting

    registered = callback()
    port, _ = waiting.check_callback(registered)
    for _ in range(2):
        with waiting.listening(registered, "mine"), socket.create_connection(("127.0.0.1", port)) as browser:
            browser.sendall(b"GET /callback?code=x&state=mine HTTP/1.0\r\n\r\n")
            while browser.recv(4096):  # The listener closes first, and so its port rests for a minute.
                pass


@pytest.mark.parametrize(
    "state", ["", "?code=x", "?code=x&state=other", "?error=no&state=other", "other?code=x&state=mine"]
)
def test_answers_to_other_logins_are_not_taken(state: str) -> None:
    from bulkforce.connection import browser as waiting

    registered = callback()
    with waiting.listening(registered, "mine") as brought:
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(registered + state)
        caught.value.close()
        preflight = urllib.request.Request(registered, method="OPTIONS")
        with urllib.request.urlopen(preflight) as answer:
            assert answer.headers["Access-Control-Allow-Private-Network"] == "true"
        assert brought.empty()
        with urllib.request.urlopen(f"{registered}?code=x&state=mine") as answer:
            assert answer.status == 200
        assert waiting.wait(brought, registered, 60)["code"] == "x"


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1717/x",
        "https://localhost:1717/x",
        "http://localhost/x",
        "myapp://x",
        "http://acme.example:1/x",
    ],
)
def test_callback_that_no_app_can_have_is_refused(org: Emulator, url: str) -> None:
    done = log_in(org, "--callback", url)
    assert (done.returncode, done.stdout) == (2, "")


def test_login_by_device_is_approved_on_any_machine(org: Emulator) -> None:
    org.state.sessions.rules.device_interval = 0

    def approve(page: str, code: str) -> None:
        with urllib.request.urlopen(f"{page}?user_code={code}") as answer:
            assert answer.status == 200

    profile = Profile(name="prod", way="device", instance_url=org.base_url, client_id=org.client_id)
    done = logging_in.store(*logging_in.by_device(profile, Options(), approve), Options(), as_default=False)
    assert done.is_default
    org.expire_sessions()
    call()
    org.state.sessions.rules.device_flow = False
    refused = log_in(org, "--device")
    assert (refused.returncode, "device flow" in refused.stderr) == (1, True)


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65_537, key_size=2048)


def test_login_by_key_signs_again_when_the_session_ends(org: Emulator, tmp_path: Path, key: rsa.RSAPrivateKey) -> None:
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    org.state.sessions.register_certificate(public.decode())
    (tmp_path / "server.key").write_bytes(pem)
    done = log_in(org, "--jwt", str(tmp_path / "server.key"), "--username", org.username)
    assert done.returncode == 0, done
    org.expire_sessions()
    call()
    assert b"PRIVATE" not in b"".join(path.read_bytes() for path in profiles.folder().rglob("*.json"))
    stranger = log_in(org, "--jwt", str(tmp_path / "server.key"), "--username", "stranger@example.com")
    assert stranger.returncode == 1
    assert "pre-authorized" in stranger.stderr
    call()  # what was stored before stays
    (tmp_path / "server.key").write_text("no key")
    assert log_in(org, "--jwt", str(tmp_path / "server.key"), "--username", org.username).returncode == 2


def test_login_by_client_credentials_and_password(org: Emulator) -> None:
    assert log_in(org, "--client-credentials", BULKFORCE_CLIENT_SECRET=org.client_secret).returncode == 0
    org.expire_sessions()
    call()
    org.state.sessions.rules.run_as_user = False
    refused = log_in(org, "--client-credentials", BULKFORCE_CLIENT_SECRET=org.client_secret)
    assert (refused.returncode, "run-as user" in refused.stderr) == (1, True)
    wrong = log_in(org, "--client-credentials", BULKFORCE_CLIENT_SECRET="wrong")
    assert (wrong.returncode, "Consumer Secret" in wrong.stderr) == (1, True)
    command = ("login", "prod", "--url", org.base_url, "--password", "--username", org.username)
    assert type_in(org, *command, BULKFORCE_PASSWORD=org.password).returncode == 0
    org.expire_sessions()
    call()
    org.state.sessions.rules.soap_login = False
    off = type_in(org, *command, BULKFORCE_PASSWORD=org.password)
    assert (off.returncode, "Summer '27" in off.stderr) == (1, True)


def test_login_by_password_with_an_app(org: Emulator) -> None:
    org.state.sessions.rules.soap_login = False
    variables = {"BULKFORCE_CLIENT_SECRET": org.client_secret, "BULKFORCE_PASSWORD": org.password}
    command = ("--password", "--username", org.username)
    assert log_in(org, *command, **variables).returncode == 0
    org.expire_sessions()
    call()
    assert not [one for one in org.requests if "Soap" in one.path]
    wrong = log_in(org, *command, **{**variables, "BULKFORCE_PASSWORD": "wrong"})
    assert (wrong.returncode, "20 February 2027" in wrong.stderr) == (1, True)
    wrong = log_in(org, *command, **{**variables, "BULKFORCE_CLIENT_SECRET": "wrong"})
    assert (wrong.returncode, "Consumer Secret" in wrong.stderr) == (1, True)
    unasked = log_in(org, *command, BULKFORCE_PASSWORD=org.password)
    assert (unasked.returncode, "BULKFORCE_CLIENT_SECRET_FILE" in unasked.stderr) == (2, True)
    org.state.sessions.rules.password_flow = False
    off = log_in(org, *command, **variables)
    assert (off.returncode, "External Client Apps always" in off.stderr) == (1, True)
    call()  # what was stored before stays


def test_access_token_that_has_ended_says_what_to_type(org: Emulator) -> None:
    assert log_in(org, "--access-token", BULKFORCE_ACCESS_TOKEN=org.session_id).returncode == 0
    call()
    org.expire_sessions()
    done = type_in(org, "job", "show", "750000000000001AAA", "--org", "prod")
    assert done.returncode == 1
    assert "InvalidSessionId" in done.stderr
    assert "bulkforce login prod --access-token" in done.stderr
    refused = log_in(org, "--access-token", BULKFORCE_ACCESS_TOKEN="00D!none")
    assert refused.returncode == 1


def test_dead_refresh_token_says_what_to_type(org: Emulator, browser: Path) -> None:
    log_in(org, "--callback", callback())
    org.state.sessions.revoke(secret_store.read("prod")["refresh_token"])
    org.expire_sessions()
    done = type_in(org, "limits", "--org", "prod")
    assert done.returncode == 1
    assert f"bulkforce login prod --client-id {org.client_id} --url {org.base_url} [" in done.stderr
    assert "no longer valid" in done.stderr


def test_login_that_is_refused_later_is_typed_again_as_before(org: Emulator) -> None:
    given = ("--client-credentials", "--client-id", org.client_id, "--url", org.base_url)
    org.state.sessions.rules.run_as_user = False
    first = type_in(org, "login", "prod", *given, BULKFORCE_CLIENT_SECRET=org.client_secret)
    assert (first.returncode, "To log in again" in first.stderr) == (1, False), "it was typed a moment ago"
    org.state.sessions.rules.run_as_user = True
    assert type_in(org, "login", "prod", *given, BULKFORCE_CLIENT_SECRET=org.client_secret).returncode == 0
    org.state.sessions.rules.run_as_user = False
    org.expire_sessions()
    done = type_in(org, "limits", "--org", "prod")
    assert f"To log in again: bulkforce login prod {' '.join(given)} [" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["login", "prod"],
        ["login", "prod", "--device"],
        ["login", "../prod", "--client-id", "x"],
        ["login", "prod", "--client-credentials", "--client-id", "x"],
        ["login", "prod", "--access-token"],
        ["login", "prod", "--access-token", "--url", "https://acme.my.salesforce.com"],
        ["login", "prod", "--password"],
        ["login", "prod", "--jwt", "no.key", "--client-id", "x", "--username", "u"],
        ["login", "prod", "--device", "--password"],
        ["login", "prod", "--sandbox", "--url", "test"],
        ["login", "prod", "--url", "http://salesforce:8080", "--client-id", "x"],
        ["orgs", "--default", "none"],
    ],
)
def test_wrong_login_is_a_wrong_call(org: Emulator, arguments: list[str]) -> None:
    done = type_in(org, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr


def test_no_option_takes_a_secret_since_all_users_see_the_command_line() -> None:
    secret = {"client_secret", "with_secret", "password", "access_token", "refresh_token", "security_token"}
    for name, called in command.commands.items():
        for one in getattr(called, "params", []):
            if one.name in secret:
                assert one.is_flag, (name, one.name)


def test_env_file_beside_the_user_counts_for_the_command_line(
    org: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text(f"BULKFORCE_INSTANCE_URL={org.base_url}\nBULKFORCE_ACCESS_TOKEN={org.session_id}\n")
    done = type_in(org, "limits")
    assert done.returncode == 0
    assert ".env" in done.stderr


def test_async_client_takes_names_too(org: Emulator) -> None:
    log_in(org, "--access-token", BULKFORCE_ACCESS_TOKEN=org.session_id)

    async def work() -> bf.JobInfo:
        async with await bf.connect_async("prod") as client:
            return await client.create_job("insert", "Contact", "CSV")

    assert asyncio.run(work()).state is bf.JobState.OPEN


RENEW = """
import sys
import bulkforce as bf
from bulkforce.protocol.flow import authenticate
with bf.connect("prod") as client:
    print("ready", flush=True)
    sys.stdin.readline()
    for _ in range(int(sys.argv[1])):
        held = client.driver.run(authenticate())
        client.driver.run(authenticate(held))
        client.create_job("insert", "Contact", "CSV")
"""


def test_processes_that_renew_at_once_never_lose_the_newest_refresh_token(org: Emulator, browser: Path) -> None:
    import subprocess

    log_in(org, "--callback", callback())
    # Without this, most would find the session of another process and renew nothing.
    program = "import bulkforce.connection.stored as stored\nstored._YOUNG_SECONDS = -1.0\n" + RENEW
    started = [
        subprocess.Popen(
            [sys.executable, "-c", program, "4"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in started:
        assert process.stdout
        assert process.stdin
        assert process.stdout.readline() == "ready\n"
    for process in started:
        process.stdin.write("go\n")  # type: ignore[union-attr]
        process.stdin.flush()  # type: ignore[union-attr]
    for process in started:
        _, errors = process.communicate(timeout=600)
        assert process.returncode == 0, errors
    used = sum(one.path.endswith("/token") and one.status == 200 for one in org.requests)
    assert used == 1 + 4 * 4, "every renewal used the refresh token that the one before had brought"
    org.expire_sessions()
    call()


def test_lock_of_a_process_that_died_is_free(tmp_path: Path) -> None:
    import subprocess

    program = "import os\nfrom bulkforce.connection import profiles\nwith profiles.locked('prod'):\n    os._exit(9)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 9
    with profiles.locked("prod"):
        busy = "from bulkforce.connection import profiles\nwith profiles.locked('prod', 0.0): pass"
        done = subprocess.run([sys.executable, "-c", busy], check=False, capture_output=True, text=True)
        assert "Another process has been renewing" in done.stderr


def test_session_of_another_process_is_used_before_the_refresh_token_is(org: Emulator, browser: Path) -> None:
    log_in(org, "--callback", callback())
    with bf.connect("prod") as first, bf.connect("prod") as second:
        held = [client.driver.run(authenticate()) for client in (first, second)]
        assert held[0] == held[1]
        renewed = first.driver.run(authenticate(held[0]))
        before = len(org.requests)
        assert second.driver.run(authenticate(held[1])) == renewed
        assert len(org.requests) == before


def test_store_that_cannot_be_written_costs_no_refresh_token(
    org: Emulator, browser: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_in(org, "--callback", callback())
    org.expire_sessions()
    before = len([one for one in org.requests if one.path.endswith("/token")])

    def full(*_: object) -> None:
        raise bf.Error("no space")

    with monkeypatch.context() as patch:
        patch.setattr(profiles, "write_private", full)
        with pytest.raises(bf.Error, match="no space"):
            call()
    assert len([one for one in org.requests if one.path.endswith("/token")]) == before
    call()


KEYRING = """
import json, os
from keyring import backend
class Backend(backend.KeyringBackend):
    priority = 1
    path = os.environ["TEST_KEYRING"]
    def _all(self):
        return json.load(open(self.path)) if os.path.exists(self.path) else {}
    def set_password(self, service, name, text):
        if os.environ.get("TEST_KEYRING_MODE") == "drops":
            return
        if os.environ.get("TEST_KEYRING_MODE") == "fails":
            raise RuntimeError("secret " + text)
        json.dump({**self._all(), service + " " + name: text}, open(self.path, "w"))
    def get_password(self, service, name):
        return self._all().get(service + " " + name)
    def delete_password(self, service, name):
        held = self._all()
        del held[service + " " + name]
        json.dump(held, open(self.path, "w"))
"""


@pytest.mark.parametrize("mode", ["holds", "drops", "fails"])
def test_keyring_holds_the_secrets_where_there_is_one(org: Emulator, browser: Path, tmp_path: Path, mode: str) -> None:
    (tmp_path / "ring.py").write_text(KEYRING)
    ring = {
        "PYTHONPATH": str(tmp_path),
        "PYTHON_KEYRING_BACKEND": "ring.Backend",
        "TEST_KEYRING": str(tmp_path / "ring.json"),
        "TEST_KEYRING_MODE": mode,
    }
    import subprocess

    def bulkforce(*arguments: str, **variables: str) -> CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "bulkforce", *arguments],
            env={**os.environ, **ring, **variables},
            capture_output=True,
            text=True,
            check=False,
        )

    done = bulkforce("login", "prod", "--url", org.base_url, "--client-id", org.client_id, "--callback", callback())
    assert done.returncode == 0, done
    place = profiles.folder() / "secrets" / "prod.json"
    assert place.exists() == (mode != "holds")
    assert ("keyring" in done.stderr) == (mode == "holds" or "no keyring is available" in done.stderr)
    org.expire_sessions()
    assert bulkforce("limits", "--org", "prod").returncode == 0
    assert place.exists() == (mode != "holds")
    assert bulkforce("logout", "prod").returncode == 0
    assert not place.exists()
    if mode == "holds":
        assert json.loads((tmp_path / "ring.json").read_text()) == {}


@pytest.mark.parametrize("token", ["00D000000000001!Zebrafink", "5Aep861" + "Zebrafink" * 9])
def test_token_in_place_of_a_name_is_not_shown(token: str) -> None:
    with pytest.raises(bf.UsageError) as caught:
        bf.connect(token)
    assert "Zebrafink" not in str(caught.value)


def test_variable_may_hold_the_name(org: Emulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    log_in(org, "--access-token", BULKFORCE_ACCESS_TOKEN=org.session_id)
    monkeypatch.setenv("BULKFORCE_ORG", "prod")
    call(None)
    monkeypatch.setenv("BULKFORCE_INSTANCE_URL", org.base_url)
    monkeypatch.setenv("BULKFORCE_ACCESS_TOKEN", org.session_id)
    with pytest.raises(bf.UsageError, match="unset one"):
        bf.connect()
    call("prod")
    # A file of the folder may name a login, but not what it goes through.
    (tmp_path / ".env").write_text("BULKFORCE_ORG=prod\nBULKFORCE_PROXY=http://evil.example\n")
    for name in ("BULKFORCE_ORG", "BULKFORCE_INSTANCE_URL", "BULKFORCE_ACCESS_TOKEN"):
        monkeypatch.delenv(name)
    found, options = find(env_file=tmp_path / ".env")
    assert (found.source, options.proxy) == ("the login prod", None)
