"""The five ways to get a session, each fed by hand."""

from __future__ import annotations

import json
import sys
import xml.etree.ElementTree as ET
from typing import Any
from urllib.parse import parse_qsl

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from tests.support.script import ACME, FIRST, Script, said

from bulkforce import BearerToken, ClientCredentials, JWTBearer, RefreshToken, UsernamePassword, errors
from bulkforce.protocol.exchange import Request
from bulkforce.protocol.flow import Auth, Credentials

TOKEN_PATH = "/services/oauth2/token"
GRANTED = '{"access_token":"00D!fresh","instance_url":"https://other.my.salesforce.com/","token_type":"Bearer"}'


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65_537, key_size=2048)


@pytest.fixture(scope="module")
def pem(key: rsa.RSAPrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def log_in(
    auth: Auth, answer: Any, instance_url: str | None = ACME, stale: Credentials | None = None
) -> tuple[Credentials, Request]:
    script = Script([answer], clock=1_000_000.5)
    credentials = script.run(auth.credentials(instance_url, stale))
    return credentials, script.sent[0]


def form(request: Request) -> dict[str, str]:
    assert request.body is not None
    with request.body.open() as file:
        return dict(parse_qsl(file.read().decode(), strict_parsing=True))


def test_bearer_token_is_given_as_it_is() -> None:
    assert Script([]).run(BearerToken(" 00D!x\n").credentials(ACME, None)) == Credentials(ACME, "00D!x")


@pytest.mark.parametrize("token", ["", " ", "a b", "a\r\nX-Evil: 1", "a\tb", "tökén", None])
def test_bearer_token_refuses_what_is_none(token: Any) -> None:
    with pytest.raises(errors.UsageError):
        BearerToken(token)


def test_bearer_token_cannot_be_renewed() -> None:
    with pytest.raises(errors.NotAuthenticated, match="cannot be renewed"):
        Script([]).run(BearerToken("x").credentials(ACME, FIRST))


def test_bearer_token_needs_the_instance_url() -> None:
    with pytest.raises(errors.UsageError, match="instance URL"):
        Script([]).run(BearerToken("x").credentials(None, None))


def test_refresh_token_is_traded_at_the_orgs_own_host() -> None:
    credentials, request = log_in(RefreshToken("id", "s&cret", "r=1"), said(GRANTED))
    assert credentials == Credentials(ACME, "00D!fresh")
    assert (request.method, request.path) == ("POST", ACME + TOKEN_PATH)
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert form(request) == {
        "grant_type": "refresh_token",
        "refresh_token": "r=1",
        "client_id": "id",
        "client_secret": "s&cret",
    }


def test_refresh_token_takes_the_instance_url_from_the_login() -> None:
    credentials, request = log_in(RefreshToken("id", "", "r"), said(GRANTED), instance_url=None)
    assert credentials == Credentials("https://other.my.salesforce.com", "00D!fresh")
    assert request.path == "https://login.salesforce.com" + TOKEN_PATH
    assert "client_secret" not in form(request)


def test_refresh_token_is_traded_where_it_was_told() -> None:
    _, request = log_in(
        RefreshToken("id", "s", "r", "https://test.salesforce.com/services/oauth2/token"), said(GRANTED)
    )
    assert request.path == "https://test.salesforce.com/services/oauth2/token"


def test_refresh_token_uses_the_one_it_was_given_in_exchange() -> None:
    stored: list[str] = []
    auth = RefreshToken("id", "s", "old", on_rotation=stored.append)
    log_in(auth, said(GRANTED[:-1] + ',"refresh_token":"new"}'))
    _, request = log_in(auth, said(GRANTED[:-1] + ',"refresh_token":"new"}'))
    assert form(request)["refresh_token"] == "new"
    assert stored == ["new"]


def test_refresh_token_rotates_without_anyone_listening() -> None:
    auth = RefreshToken("id", "s", "old")
    log_in(auth, said(GRANTED[:-1] + ',"refresh_token":"new"}'))
    assert auth.refresh_token == "new"


def test_client_credentials_are_traded_at_the_orgs_own_host() -> None:
    credentials, request = log_in(ClientCredentials("id", "s"), said(GRANTED))
    assert credentials == Credentials(ACME, "00D!fresh")
    assert request.path == ACME + TOKEN_PATH
    assert form(request) == {"grant_type": "client_credentials", "client_id": "id", "client_secret": "s"}


def test_client_credentials_need_a_host() -> None:
    with pytest.raises(errors.UsageError, match="instance URL"):
        Script([]).run(ClientCredentials("id", "s").credentials(None, None))
    _, request = log_in(ClientCredentials("id", "s", ACME + "/t"), said(GRANTED), instance_url=None)
    assert request.path == ACME + "/t"


@pytest.mark.parametrize("as_bytes", [False, True])
def test_jwt_bearer_signs_what_the_org_can_verify(key: rsa.RSAPrivateKey, pem: str, *, as_bytes: bool) -> None:
    auth = JWTBearer("id", "user@acme.example", pem.encode() if as_bytes else pem)
    credentials, request = log_in(auth, said(GRANTED))
    assert credentials == Credentials(ACME, "00D!fresh")
    assert request.path == "https://login.salesforce.com" + TOKEN_PATH
    sent = form(request)
    assert sent["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    claims = jwt.decode(
        sent["assertion"],
        key.public_key(),
        algorithms=["RS256"],
        audience="https://login.salesforce.com",
        options={"verify_exp": False},
    )
    assert claims == {"iss": "id", "sub": "user@acme.example", "aud": "https://login.salesforce.com", "exp": 1_000_170}
    stranger = rsa.generate_private_key(public_exponent=65_537, key_size=2048).public_key()
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(sent["assertion"], stranger, algorithms=["RS256"], audience=auth.audience)


def test_jwt_bearer_goes_to_the_sandbox_when_told(pem: str) -> None:
    _, request = log_in(JWTBearer("id", "u", pem, audience="https://test.salesforce.com"), said(GRANTED))
    assert request.path == "https://test.salesforce.com" + TOKEN_PATH
    _, request = log_in(JWTBearer("id", "u", pem, token_url=ACME + "/t"), said(GRANTED))
    assert request.path == ACME + "/t"


def test_jwt_bearer_names_the_extra_that_is_missing(pem: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jwt", None)
    with pytest.raises(errors.MissingExtra, match=r"bulkforce\[jwt\]"):
        log_in(JWTBearer("id", "u", pem), said(GRANTED))


@pytest.mark.parametrize(
    "wrong", ["", "no key", b"\xff", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", None]
)
def test_jwt_bearer_refuses_a_key_that_is_none_and_does_not_show_it(wrong: Any) -> None:
    with pytest.raises(errors.UsageError, match="PEM") as caught:
        log_in(JWTBearer("id", "u", wrong), said(GRANTED))
    assert "AAAA" not in str(caught.value)
    assert "AAAA" not in str(caught.value.__cause__)


def _oauth(pem: str) -> list[Auth]:
    return [RefreshToken("id", "s", "r"), ClientCredentials("id", "s"), JWTBearer("id", "u", pem)]


@pytest.mark.parametrize("status", [400, 401])
def test_oauth_tells_why_the_login_was_refused(pem: str, status: int) -> None:
    for auth in _oauth(pem):
        with pytest.raises(errors.NotAuthenticated, match="expired access/refresh token") as caught:
            log_in(auth, said('{"error":"invalid_grant","error_description":"expired access/refresh token"}', status))
        error = caught.value
        assert (error.status, error.code, error.path) == (status, "invalid_grant", TOKEN_PATH)


def test_oauth_survives_a_page_in_place_of_an_answer(pem: str) -> None:
    for auth in _oauth(pem):
        with pytest.raises(errors.Intercepted, match="'Blocked'"):
            log_in(auth, said("<html><title>Blocked</title>", 403, "text/html"))
        with pytest.raises(errors.Intercepted):
            log_in(auth, said('{"error":"Forbidden","message":"no"}', 403, "application/json"))
        with pytest.raises(errors.Unavailable) as caught:
            log_in(auth, said("<html>", 503, "text/html", {"retry-after": "Mon, 12 Jan 1970 13:46:50 GMT"}))
        assert caught.value.retry_after_seconds == 9.5


@pytest.mark.parametrize(
    "body",
    [
        "",
        "<html>",
        "[]",
        "{}",
        '{"access_token":""}',
        '"x"',
        '{"access_token":null}',
        '{"access_token":7}',
        '{"access_token":["x"]}',
        '{"access_token":"a\\nb"}',
        '{"access_token":"x","instance_url":7}',
        '{"access_token":"x","refresh_token":["y"]}',
        "[" * 5_000,
    ],
)
def test_oauth_refuses_an_answer_without_a_token(body: str) -> None:
    with pytest.raises(errors.ProtocolError, match="no access token"):
        log_in(ClientCredentials("id", "s"), said(body))


SOAP = (
    '<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" '
    'xmlns="urn:partner.soap.sforce.com"><soapenv:Body><loginResponse><result><serverUrl>https://na1.salesforce.com/services/Soap/u/64.0/00D</serverUrl>'
    "<sessionId>00D!soap</sessionId><userInfo><sessionSecondsValid>7200</sessionSecondsValid></userInfo></result></loginResponse></soapenv:Body>"
    "</soapenv:Envelope>"
)
FAULT = (
    '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" '
    'xmlns:sf="urn:fault.partner.soap.sforce.com"><soapenv:Body>'
    "<soapenv:Fault><faultcode>sf:INVALID_LOGIN</faultcode><faultstring>INVALID_LOGIN: Invalid username, "
    "password.</faultstring><detail>"
    "<sf:LoginFault><sf:exceptionCode>INVALID_LOGIN</sf:exceptionCode><sf:exceptionMessage>Invalid username, "
    "password.</sf:exceptionMessage>"
    "</sf:LoginFault></detail></soapenv:Fault></soapenv:Body></soapenv:Envelope>"
)


def test_username_password_logs_in_by_soap() -> None:
    credentials, request = log_in(UsernamePassword("ü&<", "p<w", "TOKEN"), said(SOAP), instance_url=None)
    assert credentials == Credentials("https://na1.salesforce.com", "00D!soap")
    assert request.path == "https://login.salesforce.com/services/Soap/u/64.0"
    assert request.headers["SOAPAction"] == "login"
    assert request.body is not None
    with request.body.open() as file:
        texts = {element.tag.rpartition("}")[2]: element.text for element in ET.fromstring(file.read()).iter()}
    assert texts == {"Envelope": None, "Body": None, "login": None, "username": "ü&<", "password": "p<wTOKEN"}


def test_username_password_stays_with_the_instance_url_it_was_given() -> None:
    credentials, request = log_in(
        UsernamePassword("u", "p", login_url="https://test.salesforce.com/", version="58.0"), said(SOAP)
    )
    assert credentials == Credentials(ACME, "00D!soap")
    assert request.path == "https://test.salesforce.com/services/Soap/u/58.0"


@pytest.mark.parametrize(
    ("login_url", "instance_url", "host"),
    [
        (None, None, "https://login.salesforce.com"),
        (None, ACME, ACME),
        ("https://test.salesforce.com/", ACME, "https://test.salesforce.com"),
    ],
)
@pytest.mark.parametrize("secret", ["s", ""])
def test_username_password_with_an_app_logs_in_by_oauth(
    login_url: str | None, instance_url: str | None, host: str, secret: str
) -> None:
    auth = UsernamePassword("ü&", "p<w", "TOKEN", login_url, client_id="id", client_secret=secret)
    granted = said(f'{{"access_token":"00D!x","instance_url":"{ACME}"}}', media="application/json")
    credentials, request = log_in(auth, granted, instance_url=instance_url)
    assert credentials == Credentials(ACME, "00D!x")
    assert request.path == f"{host}/services/oauth2/token"
    assert request.body is not None
    with request.body.open() as file:
        form = dict(parse_qsl(file.read().decode()))
    expected = {"grant_type": "password", "client_id": "id", "username": "ü&", "password": "p<wTOKEN"}
    assert form == expected | ({"client_secret": secret} if secret else {})
    assert "TOKEN" not in repr(auth)


def test_secret_without_its_app_is_refused() -> None:
    with pytest.raises(errors.UsageError, match="without its client_id"):
        UsernamePassword("u", "p", client_secret="s")


def test_username_password_tells_the_fault() -> None:
    with pytest.raises(errors.NotAuthenticated, match="Invalid username") as caught:
        log_in(UsernamePassword("u", "pass", "word"), said(FAULT, 500, "text/xml"))
    assert (caught.value.status, caught.value.code) == (500, "INVALID_LOGIN")
    assert "password." in str(caught.value)
    assert "passw" not in str(caught.value).replace("password.", "")


def test_username_password_reads_a_fault_without_detail() -> None:
    with pytest.raises(errors.NotAuthenticated, match="gone"):
        log_in(UsernamePassword("u", "p"), said("<Envelope><faultstring>gone</faultstring></Envelope>", 500))


@pytest.mark.parametrize(
    ("body", "status"),
    [("", 200), ("<html>", 403), ("<Envelope/>", 200), ("{}", 400), ("<x><faultstring>no</faultstring></x>", 400)],
)
def test_username_password_refuses_what_is_no_soap(body: str, status: int) -> None:
    with pytest.raises(errors.Intercepted, match="not SOAP"):
        log_in(UsernamePassword("u", "p"), said(body, status))


def test_username_password_takes_a_page_with_503_for_one_that_may_pass() -> None:
    with pytest.raises(errors.Unavailable, match="not SOAP"):
        log_in(UsernamePassword("u", "p"), said("<html>", 503, "text/html"))


@pytest.mark.parametrize(
    ("old", "new"),
    [("00D!soap", "a\nb"), ("00D!soap", "tökén"), ("https://na1.", "https://["), ("https://na1.salesforce.com", "")],
)
def test_username_password_refuses_an_answer_that_nobody_could_use(old: str, new: str) -> None:
    assert old in SOAP
    with pytest.raises(errors.ProtocolError, match="session id") as caught:
        log_in(UsernamePassword("u", "p"), said(SOAP.replace(old, new)), instance_url=None)
    assert "soap" not in str(caught.value).lower().replace("/services/soap/", "")


def test_no_auth_shows_its_secrets(pem: str) -> None:
    auths = [
        BearerToken("SECRET"),
        RefreshToken("id", "SECRET", "SECRET"),
        ClientCredentials("id", "SECRET"),
        JWTBearer("id", "u", pem),
        UsernamePassword("u", "SECRET", "SECRET"),
    ]
    for auth in auths:
        assert "SECRET" not in f"{auth!r}{auth!s}"
        assert "PRIVATE" not in repr(auth)


SECRET = 'S3cret & "more"!'


@pytest.mark.parametrize(
    "auth",
    [
        ClientCredentials("app", SECRET),
        RefreshToken("app", "", SECRET),
        UsernamePassword("me@example.com", SECRET, client_id="app"),
        UsernamePassword("me@example.com", SECRET),
    ],
    ids=lambda auth: type(auth).__name__,
)
def test_secret_that_a_refused_login_repeats_is_not_told(auth: Auth) -> None:
    if isinstance(auth, UsernamePassword) and not auth.client_id:
        envelope = ET.Element("Envelope")
        ET.SubElement(envelope, "faultstring").text = f"no login with {SECRET}"
        answer = said(ET.tostring(envelope, "unicode"), 500)
    else:
        words = {"error": "invalid_grant", "error_description": f"no login with {SECRET}"}
        answer = said(json.dumps(words), 400)
    with pytest.raises(errors.NotAuthenticated, match=r"no login with \*\*\*") as caught:
        log_in(auth, answer)
    assert "S3cret" not in repr(caught.value) + str(caught.value.message)
