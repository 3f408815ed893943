"""Logins out of environment variables: bulkforce's own, and those of other tools where they can mean one thing only."""

from __future__ import annotations

import asyncio
import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.chains import held_by

import bulkforce as bf
from bulkforce.connection.connecting import find

HOST = "https://acme.my.salesforce.com"
TEST = "https://test.salesforce.com"
SECRET = "Zebrafink"
PEM = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"
PASSWORD = {"BULKFORCE_USERNAME": "ada@example.com", "BULKFORCE_PASSWORD": "pw", "BULKFORCE_SECURITY_TOKEN": "st"}
JWT = {"BULKFORCE_CLIENT_ID": "id", "BULKFORCE_USERNAME": "ada@example.com", "BULKFORCE_PRIVATE_KEY": PEM}


def auth_of(environment: dict[str, str]) -> tuple[Any, str | None]:
    found, _ = find(environment)
    auth: Any = found.auth
    return (replace(auth, on_rotation=None) if isinstance(auth, bf.RefreshToken) else auth), found.instance_url


def test_password_needs_no_url_for_production_and_takes_one() -> None:
    assert auth_of(PASSWORD) == (bf.UsernamePassword("ada@example.com", "pw", "st"), None)
    auth, url = auth_of({**PASSWORD, "BULKFORCE_INSTANCE_URL": "acme--uat.sandbox.lightning.force.com/x"})
    assert (auth, url) == (
        bf.UsernamePassword("ada@example.com", "pw", "st"),
        "https://acme--uat.sandbox.my.salesforce.com",
    )
    auth, url = auth_of({**PASSWORD, "BULKFORCE_DOMAIN": "test"})
    assert (auth.login_url, url) == (TEST, TEST)


def test_password_with_an_app_logs_in_by_oauth_only_where_that_is_meant() -> None:
    app = {"BULKFORCE_CLIENT_ID": "id", "BULKFORCE_CLIENT_SECRET": "s"}
    by_app = bf.UsernamePassword("ada@example.com", "pw", "st", client_id="id", client_secret="s")
    assert auth_of({**PASSWORD, **app})[0] == by_app
    assert auth_of({**PASSWORD, "BULKFORCE_CLIENT_ID": "id"})[0] == bf.UsernamePassword("ada@example.com", "pw", "st")
    others = {"SALESFORCE_USERNAME": "u", "SALESFORCE_PASSWORD": "p"}
    others |= {"SALESFORCE_CONSUMER_KEY": "id", "SALESFORCE_CONSUMER_SECRET": "s"}
    assert auth_of(others)[0] == bf.UsernamePassword("u", "p", client_id="id", client_secret="s")
    assert auth_of({**others, "SALESFORCE_SECURITY_TOKEN": "t"})[0] == bf.UsernamePassword("u", "p", "t")


@pytest.mark.parametrize(
    "key", [PEM, PEM.replace("\n", "\\n"), base64.b64encode(PEM.encode()).decode()], ids=["lines", "escaped", "base64"]
)
def test_private_key_is_taken_in_every_form_that_fits_a_variable(key: str) -> None:
    auth, url = auth_of({**JWT, "BULKFORCE_PRIVATE_KEY": key})
    assert (auth.private_key, auth.audience, auth.token_url, url) == (PEM, "https://login.salesforce.com", None, None)


def test_private_key_signs_for_the_login_host_of_the_org() -> None:
    auth, _ = auth_of({**JWT, "BULKFORCE_INSTANCE_URL": "https://acme--uat.sandbox.my.salesforce.com"})
    assert auth.audience == TEST
    assert auth.token_url == "https://acme--uat.sandbox.my.salesforce.com/services/oauth2/token"
    auth, _ = auth_of({**JWT, "BULKFORCE_INSTANCE_URL": HOST})
    assert (auth.audience, auth.token_url) == ("https://login.salesforce.com", f"{HOST}/services/oauth2/token")
    auth, _ = auth_of({**JWT, "BULKFORCE_LOGIN_URL": "test"})
    assert (auth.audience, auth.token_url) == (TEST, None)


@pytest.mark.parametrize("key", [SECRET, f"{SECRET}==", base64.b64encode(SECRET.encode()).decode()])
def test_key_that_is_none_is_named_and_not_shown(key: str) -> None:
    with pytest.raises(bf.UsageError, match=r"BULKFORCE_PRIVATE_KEY is invalid.*-----BEGIN") as caught:
        auth_of({**JWT, "BULKFORCE_PRIVATE_KEY": key})
    assert key not in held_by(caught.value)


def test_secrets_are_read_from_files(tmp_path: Path) -> None:
    for name, text in {"token": "00D!x\n", "key": PEM + "\n", "pw": "pass word\n"}.items():
        (tmp_path / name).write_text(text)
    token = {"BULKFORCE_INSTANCE_URL": HOST, "BULKFORCE_ACCESS_TOKEN_FILE": str(tmp_path / "token")}
    assert auth_of(token)[0] == bf.BearerToken("00D!x")
    key = {**JWT, "BULKFORCE_PRIVATE_KEY": "", "BULKFORCE_PRIVATE_KEY_FILE": str(tmp_path / "key")}
    assert auth_of(key)[0].private_key == PEM
    auth, _ = auth_of({"BULKFORCE_USERNAME": "u", "BULKFORCE_PASSWORD_FILE": str(tmp_path / "pw")})
    assert auth.password == "pass word"


@pytest.mark.parametrize("content", [None, b"\xff\xfe" + SECRET.encode(), f"{SECRET}\n{SECRET}".encode()])
def test_file_of_a_secret_that_cannot_be_used_is_named(tmp_path: Path, content: bytes | None) -> None:
    place = tmp_path / "token"
    if content is not None:
        place.write_bytes(content)
    with pytest.raises(bf.UsageError, match=r"^BULKFORCE_ACCESS_TOKEN_FILE (\('.*token'\) )?is invalid") as caught:
        auth_of({"BULKFORCE_INSTANCE_URL": HOST, "BULKFORCE_ACCESS_TOKEN_FILE": str(place)})
    assert SECRET not in held_by(caught.value)


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({}, "BULKFORCE_INSTANCE_URL"),
        ({"BULKFORCE_ACCESS_TOKEN": "x"}, "BULKFORCE_INSTANCE_URL"),
        ({"BULKFORCE_REFRESH_TOKEN": "x", "BULKFORCE_CLIENT_ID": "x"}, "BULKFORCE_INSTANCE_URL"),
        ({"BULKFORCE_INSTANCE_URL": HOST}, "BULKFORCE_ACCESS_TOKEN"),
        ({"BULKFORCE_INSTANCE_URL": HOST, "BULKFORCE_USERNAME": "u"}, "BULKFORCE_PASSWORD"),
        ({"BULKFORCE_INSTANCE_URL": HOST, "BULKFORCE_CLIENT_ID": "u"}, "BULKFORCE_CLIENT_SECRET"),
        ({**JWT, "BULKFORCE_INSTANCE_URL": HOST, "BULKFORCE_USERNAME": ""}, "set BULKFORCE_USERNAME"),
        ({**JWT, "BULKFORCE_INSTANCE_URL": HOST, "BULKFORCE_CLIENT_ID": ""}, "set BULKFORCE_CLIENT_ID"),
        ({"BULKFORCE_CLIENT_ID": "id", "BULKFORCE_CLIENT_SECRET": "s"}, "BULKFORCE_INSTANCE_URL"),
    ],
)
def test_what_is_missing_is_named(environment: dict[str, str], named: str) -> None:
    with pytest.raises(bf.UsageError, match=named):
        auth_of(environment)


def test_names_of_simple_salesforce_mean_what_they_mean_there() -> None:
    url = {"BULKFORCE_INSTANCE": "acme.my.salesforce.com"}
    assert auth_of({**url, "BULKFORCE_SESSION_ID": "00D!x"}) == (bf.BearerToken("00D!x"), HOST)
    app = {"BULKFORCE_CONSUMER_KEY": "id", "BULKFORCE_CONSUMER_SECRET": "s"}
    assert auth_of({**url, **app})[0] == bf.ClientCredentials("id", "s")
    with pytest.raises(bf.UsageError, match="BULKFORCE_CLIENT_ID and BULKFORCE_CONSUMER_KEY mean the same"):
        auth_of({**url, **app, "BULKFORCE_CLIENT_ID": "other"})
    assert auth_of({**url, **app, "BULKFORCE_CLIENT_ID": "id"})[0] == bf.ClientCredentials("id", "s")


@pytest.mark.parametrize("domain", ["acme.my", "https://acme.my.salesforce.com", "acme.my.salesforce.com"])
@pytest.mark.parametrize("name", ["DOMAIN", "LOGIN_URL"])
def test_client_credentials_find_the_org_by_its_own_domain(name: str, domain: str) -> None:
    for prefix in ("BULKFORCE_", "SALESFORCE_", DLT):
        app = {f"{prefix}CONSUMER_KEY": "id", f"{prefix}CONSUMER_SECRET": "s"}
        assert auth_of({**app, f"{prefix}{name}": domain}) == (bf.ClientCredentials("id", "s"), HOST)


@pytest.mark.parametrize("domain", ["login", "test", "https://login.salesforce.com/"])
def test_client_credentials_belong_to_no_org_at_a_host_for_all(domain: str) -> None:
    for prefix in ("BULKFORCE_", "SALESFORCE_"):
        app = {f"{prefix}CONSUMER_KEY": "id", f"{prefix}CONSUMER_SECRET": "s", f"{prefix}DOMAIN": domain}
        with pytest.raises(bf.UsageError, match=r"No org is configured.*set BULKFORCE_INSTANCE_URL"):
            auth_of(app)


@pytest.mark.parametrize("prefix", ["BULKFORCE_", "SALESFORCE_"])
def test_domain_that_is_none_is_named(prefix: str) -> None:
    app = {f"{prefix}CONSUMER_KEY": "id", f"{prefix}CONSUMER_SECRET": "s", f"{prefix}DOMAIN": "acme"}
    with pytest.raises(bf.UsageError, match=f"{prefix}DOMAIN is invalid: it is not the URL of an org"):
        auth_of(app)


DLT = "SOURCES__SALESFORCE__CREDENTIALS__"
FOREIGN: dict[str, tuple[dict[str, str], Any, str | None]] = {
    "dlt, password": (
        {f"{DLT}USER_NAME": "u", f"{DLT}PASSWORD": "p", f"{DLT}SECURITY_TOKEN": "t", f"{DLT}DOMAIN": "test"},
        bf.UsernamePassword("u", "p", "t", TEST),
        TEST,
    ),
    "dlt, session": (
        {f"{DLT}SESSION_ID": "00D!x", f"{DLT}INSTANCE_URL": HOST, f"{DLT}CLIENT_ID": "a label"},
        bf.BearerToken("00D!x"),
        HOST,
    ),
    "dlt, key": (
        {f"{DLT}USER_NAME": "u", f"{DLT}CONSUMER_KEY": "id", f"{DLT}PRIVATEKEY": PEM, f"{DLT}CLIENT_ID": "a label"},
        bf.JWTBearer("id", "u", PEM),
        None,
    ),
    "simple-salesforce": (
        {"SALESFORCE_USERNAME": "u", "SALESFORCE_PASSWORD": "p", "SALESFORCE_SECURITY_TOKEN": "t"},
        bf.UsernamePassword("u", "p", "t"),
        None,
    ),
    "simple-salesforce, client credentials": (
        {"SALESFORCE_DOMAIN": "acme.my", "SALESFORCE_CONSUMER_KEY": "id", "SALESFORCE_CONSUMER_SECRET": "s"},
        bf.ClientCredentials("id", "s"),
        HOST,
    ),
    "Airflow, client credentials": (
        {
            "AIRFLOW_CONN_SALESFORCE_DEFAULT": json.dumps(
                {"extra": {"domain": "acme.my", "consumer_key": "id", "consumer_secret": "s"}}
            )
        },
        bf.ClientCredentials("id", "s"),
        HOST,
    ),
    "connectors": (
        {
            "SALESFORCE_INSTANCE_URL": HOST,
            "SALESFORCE_CLIENT_ID": "id",
            "SALESFORCE_CLIENT_SECRET": "s",
            "SALESFORCE_REFRESH_TOKEN": "r",
        },
        bf.RefreshToken("id", "s", "r"),
        HOST,
    ),
    "Salesforce CLI": (
        {"SF_ORG_INSTANCE_URL": HOST, "SF_ACCESS_TOKEN": "00D!x"},
        bf.BearerToken("00D!x"),
        HOST,
    ),
    "Airflow, JSON": (
        {
            "AIRFLOW_CONN_SALESFORCE_DEFAULT": json.dumps(
                {
                    "conn_type": "salesforce",
                    "login": "u",
                    "password": "p",
                    "extra": {"security_token": "t", "domain": "test"},
                }
            )
        },
        bf.UsernamePassword("u", "p", "t", TEST),
        TEST,
    ),
    "Airflow, URI": (
        {"AIRFLOW_CONN_SALESFORCE_DEFAULT": "salesforce://u%40x.com:p%2Fw@/?extra__salesforce__security_token=t"},
        bf.UsernamePassword("u@x.com", "p/w", "t"),
        None,
    ),
    "Airflow, extra in the URI": (
        {
            "AIRFLOW_CONN_SALESFORCE_DEFAULT": "salesforce://?__extra__=%7B%22instance_url%22%3A%22"
            "https%3A%2F%2Facme.my.salesforce.com%22%2C%22consumer_key%22%3A%22id%22%2C%22consumer_secret%22%3A%22s%22%7D"
        },
        bf.ClientCredentials("id", "s"),
        HOST,
    ),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_variables_of_other_tools_are_taken_where_they_are_a_whole_login(name: str) -> None:
    environment, auth, url = FOREIGN[name]
    assert auth_of(environment) == (auth, url)
    found, _ = find(environment)
    assert not found.asked_for, "the command line says which org it takes"
    own = {"BULKFORCE_INSTANCE_URL": "https://own.my.salesforce.com", "BULKFORCE_ACCESS_TOKEN": "own"}
    assert auth_of({**environment, **own}) == (bf.BearerToken("own"), "https://own.my.salesforce.com")


@pytest.mark.parametrize(
    "environment",
    [
        {"SALESFORCE_USERNAME": "u"},
        {"SALESFORCE_CLIENT_ID": "a label", "SALESFORCE_INSTANCE_URL": HOST},
        {"SALESFORCE_ACCESS_TOKEN": "x"},
        {"SALESFORCE_ACCESS_TOKEN": "x", "SALESFORCE_DOMAIN": "acme.my"},
        {"SALESFORCE_DOMAIN": "acme.my"},
        {"SALESFORCE_CONSUMER_KEY": "id", "SALESFORCE_CONSUMER_SECRET": "s"},
        {"SF_ACCESS_TOKEN": "x"},
        {f"{DLT}SECURITY_TOKEN": "x"},
        {"AIRFLOW_CONN_SALESFORCE_DEFAULT": "salesforce://"},
    ],
)
def test_half_a_login_of_another_tool_is_none(environment: dict[str, str]) -> None:
    with pytest.raises(bf.UsageError, match="No org is configured"):
        auth_of(environment)


@pytest.mark.parametrize(
    "text", ["{", "{}x", '{"extra": "[]"}', '{"extra": 5}', "salesforce://[", "salesforce://?__extra__=5"]
)
def test_airflow_connection_that_is_none_is_named(text: str) -> None:
    with pytest.raises(bf.UsageError, match="AIRFLOW_CONN_SALESFORCE_DEFAULT is invalid"):
        auth_of({"AIRFLOW_CONN_SALESFORCE_DEFAULT": text})


WITH_TOKEN = {"BULKFORCE_INSTANCE_URL": HOST, "BULKFORCE_ACCESS_TOKEN": "00D!x"}


def test_options_are_read_for_every_org(tmp_path: Path) -> None:
    _, options = find({**WITH_TOKEN, "BULKFORCE_API_VERSION": "v60", "BULKFORCE_PROXY": "http://proxy:3128"})
    assert (options.version, options.proxy) == ("60.0", "http://proxy:3128")
    with pytest.raises(bf.UsageError, match=r"^BULKFORCE_PROXY is invalid") as caught:
        bf.connect({**WITH_TOKEN, "BULKFORCE_PROXY": f"socks5://ada:{SECRET}@proxy"})
    assert SECRET not in held_by(caught.value)
    for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
        with pytest.raises(bf.UsageError, match=f"^{name} is invalid"):
            bf.connect({**WITH_TOKEN, name: str(tmp_path / "no.pem")})
    own = {"BULKFORCE_CA_BUNDLE": "own.pem", "REQUESTS_CA_BUNDLE": "x.pem", "SSL_CERT_FILE": "y.pem"}
    assert find({**WITH_TOKEN, **own})[1].tls_name == "BULKFORCE_CA_BUNDLE"


@pytest.mark.parametrize("switch", ["1", "true", "YES"])
def test_switch_allows_plain_http(switch: str) -> None:
    compose = {**WITH_TOKEN, "BULKFORCE_INSTANCE_URL": "http://salesforce:8080"}
    bf.connect({**compose, "BULKFORCE_ALLOW_HTTP": switch}).close()
    for no in ("", "0", "no", "False"):
        with pytest.raises(bf.UsageError, match="BULKFORCE_ALLOW_HTTP=1"):
            bf.connect({**compose, "BULKFORCE_ALLOW_HTTP": no})
    with pytest.raises(bf.UsageError, match="BULKFORCE_ALLOW_HTTP is invalid"):
        bf.connect({**compose, "BULKFORCE_ALLOW_HTTP": "maybe"})


def test_async_client_is_made_likewise() -> None:
    async def connect() -> str:
        async with await bf.connect_async(WITH_TOKEN) as client:
            return repr(client)

    assert asyncio.run(connect()) == f"AsyncClient('{HOST}', version='66.0')"


ENV = f'# a comment\nexport BULKFORCE_INSTANCE_URL={HOST} # here\nBULKFORCE_ACCESS_TOKEN="00D!x"\nBULKFORCE_API_VERSION=60\n'


def test_env_file_counts_where_the_environment_names_no_org(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text(ENV)
    found, options = find({}, env_file=path)
    assert (found.auth, found.instance_url, options.version) == (bf.BearerToken("00D!x"), HOST, "60.0")
    assert str(path) in found.source
    found, options = find({**WITH_TOKEN, "BULKFORCE_ACCESS_TOKEN": "real"}, env_file=path)
    assert (found.auth, options.version) == (bf.BearerToken("real"), "66.0"), "not a word of the file counts"
    with pytest.raises(bf.UsageError, match=r"no\.env"):
        find({}, env_file=tmp_path / "no.env")


def test_env_file_cannot_send_a_token_of_the_environment_elsewhere(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("BULKFORCE_INSTANCE_URL=https://evil.example\nBULKFORCE_PROXY=http://evil.example\n")
    with pytest.raises(bf.UsageError, match="BULKFORCE_INSTANCE_URL"):
        find({"BULKFORCE_ACCESS_TOKEN": "real"}, env_file=path)


@pytest.mark.parametrize(
    "text",
    [
        "A=1\nB = 2\nexport C=3",
        'A=\'single # quoted\'\nB="double \\" quoted\\nline"',
        "A=value # comment\nB=value#none\nC=",
        'A="-----BEGIN\nAAAA\n-----END"\nB=1',
        "A=with spaces inside  \n\n  # nothing\nB='x'  # after",
        "A=1\r\nB=2\r\n",
        "A=1\nA=2",
        "A=$HOME-${HOME}",
        "A='it\\'s'",
    ],
)
def test_env_file_is_read_as_python_dotenv_reads_it(text: str, tmp_path: Path) -> None:
    from dotenv import dotenv_values

    from bulkforce.connection.env_file import parse

    path = tmp_path / "a.env"
    path.write_text(text, newline="")
    assert parse(text) == dotenv_values(path, interpolate=False)


def test_refresh_token_of_a_variable_that_the_org_replaces_is_told(caplog: pytest.LogCaptureFixture) -> None:
    from tests.support.script import Script, said

    environment = {"BULKFORCE_INSTANCE_URL": HOST, "BULKFORCE_CLIENT_ID": "id", "BULKFORCE_REFRESH_TOKEN": "old"}
    auth, url = find(environment)[0].auth, HOST
    answer = said(f'{{"access_token":"00D!x","instance_url":"{HOST}","refresh_token":"{SECRET}"}}')
    Script([answer]).run(auth.credentials(url, None))
    assert "BULKFORCE_REFRESH_TOKEN" in caplog.text
    assert SECRET not in caplog.text
