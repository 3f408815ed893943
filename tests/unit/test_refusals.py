"""Each refusal of a login that was seen says what it means and what to do; and the flows in which a person approves."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from tests.support.script import Script, said
from tests.support.script import refused as refused_by_org

from bulkforce import BearerToken, errors
from bulkforce.auth import approval
from bulkforce.auth.refusals import advice
from bulkforce.protocol import bulk1
from bulkforce.protocol.flow import ask

HOST = "https://acme.my.salesforce.com"
GRANTED = f'{{"access_token":"00D!x","instance_url":"{HOST}","refresh_token":"r"}}'


@pytest.mark.parametrize(
    ("code", "words", "says"),
    [
        ("invalid_client", "app must be installed into org", "administrator must install it"),
        ("invalid_grant", "External client app is not installed in this org", "administrator must install it"),
        ("OAUTH_EC_APP_NOT_FOUND", "", "administrator must install it"),
        ("OAUTH_APPROVAL_ERROR_GENERIC", "", "administrator must install it"),
        ("app_not_found", "External client app not found", "Consumer Key"),
        ("invalid_client_id", "client identifier invalid", "10 minutes"),
        ("invalid_client", "client identifier invalid", "My Domain"),
        ("invalid_client", "invalid client credentials", "Consumer Secret"),
        ("invalid_scope", "the requested scope is not allowed", "api and refresh_token"),
        ("access_denied", "end-user denied authorization", "policies"),
        ("access-denied", "", "policies"),
        ("OAUTH_APP_ACCESS_DENIED", "", "IP rules"),
        ("redirect_uri_mismatch", "redirect_uri must match configuration", "callback URLs"),
        ("invalid_grant", "expired access/refresh token", "log in again"),
        ("invalid_grant", "authentication failure", "newer orgs do by default"),
        ("invalid_grant", "request not supported on this domain", "My Domain URL"),
        ("invalid_grant", "no client credentials user enabled", "run-as user"),
        ("invalid_grant", "user hasn't approved this consumer", "pre-authorized"),
        ("invalid_grant", "audience is invalid", "--sandbox"),
        ("invalid_grant", "Audience validation failed", "--sandbox"),
        ("invalid_grant", "invalid assertion", "certificate"),
        ("invalid_grant", "", "certificate"),
        ("invalid_request", "invalid code verifier", "PKCE"),
        ("invalid_grant", "missing code verifier", "PKCE"),
        ("invalid_grant", "invalid authorization code", "15 minutes"),
        ("unsupported_grant_type", "grant type not supported", "my.salesforce.com URL"),
        ("expired_token", "", "in time"),
        ("INVALID_LOGIN", "Invalid username, password, security token; or user locked out.", "Reset My Security Token"),
        ("LOGIN_MUST_USE_SECURITY_TOKEN", "...", "Reset My Security Token"),
        ("INVALID_OPERATION", "SOAP API login() is disabled by default in this org", "Summer '27"),
        ("INSUFFICIENT_ACCESS", "...", "Use Any API Auth"),
        ("API_DISABLED_FOR_ORG", "...", "API Enabled"),
        ("UNSUPPORTED_API_VERSION", "...", "64.0"),
        ("something_else", "never seen", "check the client id"),
    ],
)
def test_refusal_says_what_to_do(code: str, words: str, says: str) -> None:
    assert says in advice(code, words)


def asked(client_secret: str = "") -> approval.Request:
    return approval.Request(HOST, "id", "http://localhost:1717/OauthRedirect", "state", "verifier")


def test_address_for_the_browser_holds_no_secret() -> None:
    parts = dict(parse_qsl(urlsplit(asked().url).query))
    assert parts["code_challenge_method"] == "S256"
    assert parts["redirect_uri"] == "http://localhost:1717/OauthRedirect"
    assert set(parts["scope"].split()) == {"api", "refresh_token", "id"}
    assert "verifier" not in asked().url + repr(asked())


@pytest.mark.parametrize("secret", ["", "s"])
def test_code_is_traded_with_its_proof(secret: str) -> None:
    script = Script([said(GRANTED)])
    granted = script.run(approval.trade(asked(), "code", secret))
    assert (granted.refresh_token, "00D!x" in repr(granted)) == ("r", False)
    body = script.sent[0].body
    assert body is not None
    form = dict(parse_qsl(body.open().read().decode()))
    assert (form["code_verifier"], form.get("client_secret", "")) == ("verifier", secret)
    assert "scope" not in form


def test_callback_without_code_and_reason_is_a_refusal() -> None:
    with pytest.raises(errors.NotAuthenticated, match="no code and no reason"):
        approval.code_of({}, "http://localhost:1/x")
    with pytest.raises(errors.NotAuthenticated, match="callback URLs: http://localhost:1/x"):
        approval.code_of({"error": "redirect_uri_mismatch"}, "http://localhost:1/x")


def refusal(error: str) -> Any:
    return said(f'{{"error":"{error}","error_description":"x"}}', 400)


BEGUN = '{"device_code":"d","user_code":"ABCD","verification_uri":"https://x/setup/connect","interval":3}'


def test_device_waits_as_long_as_it_is_told() -> None:
    shown: list[tuple[str, str]] = []
    answers = [said(BEGUN), refusal("authorization_pending"), refusal("slow_down"), said(GRANTED)]
    script = Script(answers)
    granted = script.run(approval.by_device(HOST, "id", lambda *given: shown.append(given)))
    assert granted.refresh_token == "r"
    assert shown == [("https://x/setup/connect", "ABCD")]
    assert script.pauses == [3, 3, 8]


@pytest.mark.parametrize("error", ["expired_token", "access_denied"])
def test_device_that_is_refused_ends_the_wait(error: str) -> None:
    with pytest.raises(errors.NotAuthenticated, match=error):
        Script([said(BEGUN), refusal(error)]).run(approval.by_device(HOST, "id", lambda *_: None))


def test_device_does_not_wait_for_ever() -> None:
    script = Script([said(BEGUN), *[refusal("authorization_pending")] * 400])
    with pytest.raises(errors.NotAuthenticated, match="15 minutes"):
        script.run(approval.by_device(HOST, "id", lambda *_: None))


@pytest.mark.parametrize("answer", ["{}", "[]", "<html>", '{"device_code":5}'])
def test_device_answer_that_makes_no_sense_is_an_error(answer: str) -> None:
    with pytest.raises(errors.ProtocolError):
        Script([said(answer)]).run(approval.by_device(HOST, "id", lambda *_: None))


@pytest.mark.parametrize("code", ["InvalidSessionId", "SomethingElse"])
def test_session_refused_although_new_names_the_causes(code: str) -> None:
    script = Script([refused_by_org("InvalidSessionId"), refused_by_org(code)])
    with pytest.raises(errors.RefusedError) as caught:
        script.run(ask(bulk1.get_job_info("750000000000001AAA")))
    assert ("API Access Control" in str(caught.value)) == (code == "InvalidSessionId")


def test_bearer_token_is_of_no_use_at_a_login_host() -> None:
    with pytest.raises(errors.UsageError):
        Script([]).run(BearerToken("x").credentials("https://login.salesforce.com", None))
