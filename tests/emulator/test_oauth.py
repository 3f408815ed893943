"""Tokens: the five flows, and what becomes of a token."""

import base64
import hashlib
import hmac
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from tests.emulator.wire import Wire

from bulkforce_emulator import Emulator
from bulkforce_emulator.state.org import Org

TOKEN = "/services/oauth2/token"
Ask = Callable[..., Any]


@pytest.fixture
def client(peer_org: Org) -> dict[str, str]:
    return {"client_id": peer_org.sessions.client_id, "client_secret": peer_org.sessions.client_secret}


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def test_refresh_opens_a_session(peer_org: Org, ask: Ask, client: dict[str, str]) -> None:
    form = {"grant_type": "refresh_token", "refresh_token": peer_org.sessions.refresh_token, **client}
    answer = ask("POST", TOKEN, form=form)
    granted = answer.json
    assert answer.status == 200
    assert peer_org.sessions.is_valid(granted["access_token"])
    assert granted["instance_url"] == "http://org.example:8080"
    assert granted["id"] == f"http://org.example:8080/id/{peer_org.sessions.org_id}/{peer_org.sessions.user_id}"
    assert granted["token_type"] == "Bearer"
    assert granted["issued_at"].isdecimal()
    assert "refresh_token" not in granted
    assert "expires_in" not in granted
    signed = hmac.digest(client["client_secret"].encode(), (granted["id"] + granted["issued_at"]).encode(), "sha256")
    assert granted["signature"] == base64.b64encode(signed).decode()


def test_a_rotated_refresh_token_dies_at_once(peer_org: Org, ask: Ask, client: dict[str, str]) -> None:
    peer_org.sessions.rules.rotate_refresh_tokens = True
    form = {"grant_type": "refresh_token", "refresh_token": peer_org.sessions.refresh_token, **client}
    answer = ask("POST", TOKEN, form=form).json
    successor = answer["refresh_token"]
    assert successor != form["refresh_token"]
    assert peer_org.sessions.is_valid(answer["access_token"])
    refused = ask("POST", TOKEN, form=form)
    assert (refused.status, *refused.json.values()) == (400, "invalid_grant", "expired access/refresh token")
    assert not peer_org.sessions.is_valid(answer["access_token"])
    # Salesforce takes the use of an old token for theft, and revokes what came after it.
    assert ask("POST", TOKEN, form=form | {"refresh_token": successor}).status == 400


def test_client_credentials_come_by_form_or_basic(ask: Ask, client: dict[str, str]) -> None:
    form = {"grant_type": "client_credentials"}
    basic = base64.b64encode(":".join(client.values()).encode()).decode()
    assert ask("POST", TOKEN, form=form | client).status == 200
    assert ask("POST", TOKEN, form=form, headers={"Authorization": f"Basic {basic}"}).status == 200


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"client_secret": "wrong"}, "invalid_client"),
        ({"client_secret": ""}, "invalid_client"),
        ({"client_id": "wrong"}, "invalid_client_id"),
        ({"grant_type": "magic"}, "unsupported_grant_type"),
        ({"grant_type": "password", "username": "x", "password": "y"}, "invalid_grant"),
    ],
)
def test_refusals(ask: Ask, client: dict[str, str], change: dict[str, str], error: str) -> None:
    answer = ask("POST", TOKEN, form={"grant_type": "client_credentials", **client, **change})
    assert (400, error) == (answer.status, answer.json["error"])
    assert answer.json["error_description"]


def test_get_is_no_way_to_a_token(ask: Ask) -> None:
    assert ask("GET", TOKEN).json == {"error": "invalid_request", "error_description": "must use HTTP POST"}


def test_a_password_may_bear_the_security_token(peer_org: Org, ask: Ask, client: dict[str, str]) -> None:
    sessions = peer_org.sessions
    form = {"grant_type": "password", "username": sessions.username, **client}
    assert ask("POST", TOKEN, form=form | {"password": sessions.password}).status == 200
    assert ask("POST", TOKEN, form=form | {"password": sessions.password + sessions.security_token}).status == 200
    sessions.rules.password_flow = False
    assert ask("POST", TOKEN, form=form | {"password": sessions.password}).status == 400


def assertion(org: Org, key: rsa.RSAPrivateKey, **change: object) -> str:
    claims = {
        "iss": org.sessions.client_id,
        "sub": org.sessions.username,
        "aud": "https://login.salesforce.com",
        "exp": str(int((org.clock.now() + timedelta(minutes=3)).timestamp())),
    }
    return jwt.encode(claims | change, key, algorithm="RS256")


JWT_FORM = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer"}


def test_an_assertion_opens_a_session(peer_org: Org, ask: Ask, key: rsa.RSAPrivateKey) -> None:
    assert ask("POST", TOKEN, form=JWT_FORM | {"assertion": assertion(peer_org, key)}).status == 200
    own = assertion(peer_org, key, aud="http://org.example:8080/services/oauth2/token")
    assert ask("POST", TOKEN, form=JWT_FORM | {"assertion": own}).status == 200


@pytest.mark.parametrize(
    ("change", "error", "description"),
    [
        ({"aud": "https://example.com"}, "invalid_grant", "Audience validation failed"),
        ({"sub": "stranger@example.com"}, "invalid_grant", "user hasn't approved this consumer"),
        ({"iss": "x"}, "invalid_client_id", "client identifier invalid"),
        ({"exp": 1}, "invalid_grant", "token validity expired"),
        ({"exp": "soon"}, "invalid_grant", "token validity expired"),
        ({"exp": 99999999999}, "invalid_grant", "token validity expired"),
    ],
)
def test_claims_are_checked(
    peer_org: Org, ask: Ask, key: rsa.RSAPrivateKey, change: dict[str, object], error: str, description: str
) -> None:
    answer = ask("POST", TOKEN, form=JWT_FORM | {"assertion": assertion(peer_org, key, **change)})
    assert (400, {"error": error, "error_description": description}) == (answer.status, answer.json)


@pytest.mark.parametrize("text", ["", "a.b", "a.b.c", "e30.e30.", "bnVsbA.bnVsbA.x"])
def test_what_is_no_assertion_is_refused(ask: Ask, text: str) -> None:
    assert ask("POST", TOKEN, form=JWT_FORM | {"assertion": text}).json["error"] == "invalid_grant"


def certificate(key: rsa.RSAPrivateKey) -> str:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "app")])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    return built.public_bytes(serialization.Encoding.PEM).decode()


def test_a_registered_certificate_makes_signatures_count(peer_org: Org, ask: Ask, key: rsa.RSAPrivateKey) -> None:
    peer_org.sessions.register_certificate(certificate(key))
    other = rsa.generate_private_key(65537, 2048)
    assert ask("POST", TOKEN, form=JWT_FORM | {"assertion": assertion(peer_org, key)}).status == 200
    answer = ask("POST", TOKEN, form=JWT_FORM | {"assertion": assertion(peer_org, other)})
    assert (answer.status, answer.json["error_description"]) == (400, "invalid assertion")


def authorize(ask: Ask, client_id: str, **more: str) -> dict[str, str]:
    form = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": "http://localhost:1717/back?x=1",
        "state": "s t&",
    }
    answer = ask("POST", "/services/oauth2/authorize", form=form | more)
    assert answer.status == 302
    place = urlsplit(answer.headers["location"])
    assert place.netloc == "localhost:1717"
    return {name: values[0] for name, values in parse_qs(place.query).items()}


def test_the_web_server_flow_with_pkce(ask: Ask, client: dict[str, str]) -> None:
    verifier = "v" * 60
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    back = authorize(ask, client["client_id"], code_challenge=challenge, code_challenge_method="S256")
    assert back["state"] == "s t&"
    form = {
        "grant_type": "authorization_code",
        "code": back["code"],
        "redirect_uri": "http://localhost:1717/back?x=1",
        "client_id": client["client_id"],
    }
    granted = ask("POST", TOKEN, form=form | {"code_verifier": verifier}).json
    assert granted["refresh_token"]
    used = ask("POST", TOKEN, form=form | {"code_verifier": verifier})
    assert (used.status, used.json["error"]) == (400, "invalid_grant")
    form["code"] = authorize(ask, client["client_id"], code_challenge=challenge)["code"]
    assert (
        ask("POST", TOKEN, form=form | {"code_verifier": "other"}).json["error_description"] == "invalid code verifier"
    )


def test_a_code_without_the_scope_brings_no_refresh_token(ask: Ask, client: dict[str, str]) -> None:
    code = authorize(ask, client["client_id"], scope="api")["code"]
    granted = ask("POST", TOKEN, form={"grant_type": "authorization_code", "code": code, **client}).json
    assert "refresh_token" not in granted
    assert granted["scope"] == "api"


def test_an_unknown_app_is_sent_back_with_an_error(ask: Ask) -> None:
    assert authorize(ask, "x")["error"] == "invalid_client_id"


NO_CALLBACKS = [
    "javascript:alert(1)", "JavaScript://localhost/%0aalert(1)", "data:text/html,<script>alert(1)</script>", "vbscript:x", "file:///etc/passwd",
    "//evil.example/", "/\\evil.example", "\\\\evil.example", "evil.example", "/back", "?x", "http:evil.example", "http:/evil.example",
    "http:///evil.example", "http://", "https://?x", "http:\\\\evil.example", "http://localhost\\@evil.example", "http://localhost@evil.example",
    "http://user:word@localhost/", "http://@localhost/", "http://localhost/\r\nSet-Cookie: a=b", "http://localhost/\r\n\r\n<script>", "http://local\thost/",
    " http://localhost/", "http://localhost/ ", "\x00http://localhost/", "java\nscript:alert(1)", "http://localhost/#", "http://localhost/#f", "http://localhost:port/",
    "http://localhost:99999/", "http://[::1", "http://[x]/", "http://l\u00f6calhost/", "myapp://callback", "urn:ietf:wg:oauth:2.0:oob", "blob:http://localhost/x",
]  # fmt: skip


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("wrong", [{}, {"client_id": "x"}, {"response_type": "token"}], ids=str)
def test_browser_is_sent_to_no_place_but_a_plain_address_of_the_web(
    ask: Ask, client: dict[str, str], method: str, wrong: dict[str, str]
) -> None:
    path = "/services/oauth2/authorize"
    for uri in NO_CALLBACKS:
        form = {"response_type": "code", "client_id": client["client_id"], "redirect_uri": uri} | wrong
        answer = ask(method, path, form=form) if method == "POST" else ask(method, f"{path}?{urlencode(form)}")
        assert (uri, answer.status, answer.json["error"]) == (uri, 400, "redirect_uri_mismatch")
        assert "location" not in answer.headers


@pytest.mark.parametrize(
    "uri",
    [
        "http://localhost:1717/OauthRedirect",
        "https://app.example/back?a=b",
        "http://[::1]:8080/",
        "HTTPS://APP.example",
    ],
)
def test_browser_is_sent_back_to_an_address_of_the_web(ask: Ask, client: dict[str, str], uri: str) -> None:
    form = {
        "response_type": "code",
        "client_id": client["client_id"],
        "redirect_uri": uri,
        "state": "a\r\nSet-Cookie: b",
    }
    answer = ask("POST", "/services/oauth2/authorize", form=form)
    assert answer.status == 302
    assert answer.headers["location"].startswith(f"{uri}{'&' if '?' in uri else '?'}code=aPrx")
    assert "set-cookie" not in answer.headers


def test_browser_is_sent_to_an_apps_own_scheme_that_is_registered() -> None:
    with Emulator(settings={"callback_urls": ["myapp://callback"]}) as org:
        form = {"response_type": "code", "client_id": org.client_id}
        for uri, status in (("myapp://callback", 302), ("myapp://callback/x", 400)):
            answer = Wire(org).ask("GET", f"/services/oauth2/authorize?{urlencode(form | {'redirect_uri': uri})}")
            assert answer.status == status


def test_introspection_and_revocation(peer_org: Org, ask: Ask, client: dict[str, str]) -> None:
    token = peer_org.sessions.open()
    known = ask("POST", "/services/oauth2/introspect", form=client | {"token": token}).json
    assert known["active"] is True
    assert known["exp"] > known["iat"]
    assert ask("POST", "/services/oauth2/revoke", form={"token": token}).status == 200
    assert ask("POST", "/services/oauth2/introspect", form=client | {"token": token}).json == {"active": False}
    again = ask("POST", "/services/oauth2/revoke", form={"token": token})
    assert (again.status, parse_qs(again.text)["error"][0]) == (400, "unsupported_token_type")


def test_revoking_a_refresh_token_ends_its_sessions(peer_org: Org, ask: Ask, client: dict[str, str]) -> None:
    form = {"grant_type": "refresh_token", "refresh_token": peer_org.sessions.refresh_token, **client}
    token = ask("POST", TOKEN, form=form).json["access_token"]
    ask("POST", "/services/oauth2/revoke", form={"token": form["refresh_token"]})
    assert not peer_org.sessions.is_valid(token)
    assert peer_org.sessions.is_valid(peer_org.sessions.first_token)


def test_identity_and_userinfo(peer_org: Org, ask: Ask) -> None:
    sessions = peer_org.sessions
    headers = {"Authorization": f"Bearer {sessions.first_token}"}
    info = ask("GET", "/services/oauth2/userinfo", headers=headers).json
    assert (sessions.org_id, sessions.username) == (info["organization_id"], info["preferred_username"])
    path = urlsplit(info["sub"]).path
    known = ask("GET", f"{path}?format=json&oauth_token={sessions.first_token}").json
    assert (sessions.user_id, sessions.username) == (known["user_id"], known["username"])
    refused = ask("GET", "/services/oauth2/userinfo", headers={"Authorization": "Bearer x"})
    assert (refused.status, refused.text) == (403, "Bad_OAuth_Token")


def test_sessions_end_when_they_are_not_used(peer_org: Org) -> None:
    sessions = peer_org.sessions
    token = sessions.open()
    peer_org.clock.advance(hours=1.9)
    assert sessions.is_valid(token)
    peer_org.clock.advance(hours=1.9)
    assert sessions.is_valid(token)
    peer_org.clock.advance(hours=2.1)
    assert not sessions.is_valid(token)


def test_session_ids_look_like_session_ids(peer_org: Org) -> None:
    token = peer_org.sessions.first_token
    assert token.startswith(f"{peer_org.sessions.org_id[:15]}!")
    assert all(c.isascii() and (c.isalnum() or c in "._") for c in token.partition("!")[2])


def test_a_device_waits_until_its_user_has_approved(peer_org: Org, ask: Ask, client: dict[str, str]) -> None:
    begun = ask("POST", TOKEN, form={"response_type": "device_code", "client_id": client["client_id"]}).json
    assert begun["verification_uri"] == "http://org.example:8080/setup/connect"
    assert begun["interval"] == 5
    form = {"grant_type": "device", "client_id": client["client_id"], "code": begun["device_code"]}
    assert ask("POST", TOKEN, form=form).json["error"] == "authorization_pending"
    assert peer_org.sessions.approve_device(begun["user_code"])
    granted = ask("POST", TOKEN, form=form).json
    assert peer_org.sessions.is_valid(granted["access_token"])
    assert granted["refresh_token"]
    assert ask("POST", TOKEN, form=form).json["error"] == "expired_token", "a code serves once"


def test_a_device_whose_user_takes_too_long_is_refused(peer_org: Org, ask: Ask, client: dict[str, str]) -> None:
    begun = ask("POST", TOKEN, form={"response_type": "device_code", "client_id": client["client_id"]}).json
    peer_org.clock.advance(hours=1)
    form = {"grant_type": "device", "client_id": client["client_id"], "code": begun["device_code"]}
    assert ask("POST", TOKEN, form=form).json["error"] == "expired_token"
