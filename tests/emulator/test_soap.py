"""SOAP login() and its companions, as far as old clients need them."""

import xml.etree.ElementTree as ET
from collections.abc import Callable
from typing import Any
from xml.sax.saxutils import escape

import pytest

from bulkforce_emulator.state.org import Org

Ask = Callable[..., Any]
ENVELOPE = """<?xml version="1.0" encoding="utf-8"?>{doctype}
<env:Envelope xmlns:env="http://schemas.xmlsoap.org/soap/envelope/"><env:Header>{header}</env:Header>
<env:Body>{body}</env:Body></env:Envelope>"""
LOGIN = '<n1:login xmlns:n1="urn:partner.soap.sforce.com"><n1:username>{}</n1:username><n1:password>{}</n1:password></n1:login>'
PARTNER = "{urn:partner.soap.sforce.com}"


def soap(ask: Ask, body: str, *, header: str = "", doctype: str = "", path: str = "u/64.0") -> tuple[int, ET.Element]:
    document = ENVELOPE.format(body=body, header=header, doctype=doctype)
    headers = {"Content-Type": "text/xml; charset=UTF-8", "SOAPAction": "login"}
    answer = ask("POST", f"/services/Soap/{path}", body=document.encode(), headers=headers)
    assert answer.headers["content-type"].startswith("text/xml")
    return answer.status, ET.fromstring(answer.body)


def test_login_opens_a_session(peer_org: Org, ask: Ask) -> None:
    sessions = peer_org.sessions
    status, envelope = soap(ask, LOGIN.format(escape(sessions.username), sessions.password + sessions.security_token))
    result = envelope.find(f".//{PARTNER}loginResponse/{PARTNER}result")
    assert status == 200
    assert result is not None
    found = {element.tag.removeprefix(PARTNER): element.text for element in result.iter()}
    assert sessions.is_valid(found["sessionId"])
    assert found["serverUrl"] == f"http://org.example:8080/services/Soap/u/64.0/{sessions.org_id[:15]}"
    assert (sessions.user_id, sessions.org_id) == (found["userId"], found["organizationId"])
    assert found["sessionSecondsValid"] == "7200"


def test_the_wrong_password_is_a_fault_with_the_known_names(ask: Ask) -> None:
    document = ENVELOPE.format(body=LOGIN.format("x", "y"), header="", doctype="")
    answer = ask("POST", "/services/Soap/u/59.0", body=document.encode())
    assert answer.status == 500
    message = "Invalid username, password, security token; or user locked out."
    assert "<faultcode>sf:INVALID_LOGIN</faultcode>" in answer.text
    assert f"<faultstring>INVALID_LOGIN: {message}</faultstring>" in answer.text
    assert "<sf:exceptionCode>INVALID_LOGIN</sf:exceptionCode>" in answer.text
    assert f"<sf:exceptionMessage>{message}</sf:exceptionMessage>" in answer.text


def test_the_user_is_told_to_a_session_only(peer_org: Org, ask: Ask) -> None:
    body = '<getUserInfo xmlns="urn:enterprise.soap.sforce.com"/>'
    header = (
        f'<h:SessionHeader xmlns:h="urn:x"><h:sessionId>{peer_org.sessions.first_token}</h:sessionId></h:SessionHeader>'
    )
    status, envelope = soap(ask, body, header=header, path=f"c/58.0/{peer_org.sessions.org_id}")
    assert status == 200
    assert peer_org.sessions.username in ET.tostring(envelope, encoding="unicode")
    status, envelope = soap(ask, body)
    assert status == 500
    assert "INVALID_SESSION_ID" in ET.tostring(envelope, encoding="unicode")


def test_logout_ends_the_session(peer_org: Org, ask: Ask) -> None:
    token = peer_org.sessions.open()
    header = f"<SessionHeader><sessionId>{token}</sessionId></SessionHeader>"
    assert soap(ask, "<logout/>", header=header)[0] == 200
    assert not peer_org.sessions.is_valid(token)


@pytest.mark.parametrize(
    ("body", "doctype", "path", "expected"),
    [
        ("&boom;", '<!DOCTYPE x [<!ENTITY boom "bang">]>', "u/64.0", "DOCTYPE is not allowed"),
        ("<login>", "", "u/64.0", "well formed"),
        ("", "", "u/64.0", "no body"),
        ("<frobnicate/>", "", "u/64.0", "No operation available for request frobnicate"),
        (LOGIN.format("x", "y"), "", "u/6.0", "UNSUPPORTED_API_VERSION"),
    ],
)
def test_what_is_refused(ask: Ask, body: str, doctype: str, path: str, expected: str) -> None:
    status, envelope = soap(ask, body, doctype=doctype, path=path)
    assert status == 500
    assert expected in ET.tostring(envelope, encoding="unicode")


def test_login_can_be_gone_as_in_new_versions(peer_org: Org, ask: Ask) -> None:
    peer_org.sessions.rules.soap_newest_version = 64.0
    body = LOGIN.format(peer_org.sessions.username, peer_org.sessions.password)
    assert soap(ask, body, path="u/64.0")[0] == 200
    assert soap(ask, body, path="u/65.0")[0] == 500
