"""User name and password: by SOAP ``login()``, or with an app by OAuth.

Source: recordings of the call (2012, 2026). Salesforce is retiring SOAP's login: it is gone from API version 65.0 on,
and off by default in new orgs; it ends for all with Summer '27. The session id that it returns still works with every
version of the Bulk API. OAuth's flow with a password works for old Connected Apps only, until 20 February 2027.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from bulkforce import arguments, hosts
from bulkforce.auth.oauth import TOKEN_PATH, request_token
from bulkforce.auth.refusals import advice
from bulkforce.errors import NotAuthenticated, ProtocolError, UsageError
from bulkforce.protocol import limits, wire_xml
from bulkforce.protocol.exchange import SUCCESS, Answer, Body, Request
from bulkforce.protocol.faults import stranger
from bulkforce.protocol.flow import Credentials, Flow, Now, is_token, seconds, send

_ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"
_PARTNER = "urn:partner.soap.sforce.com"


@dataclass(frozen=True, slots=True)
class UsernamePassword:
    """Log in with user name, password and security token: through SOAP ``login()``, or with an app's id through OAuth.

    Orgs made since Summer '23 block both by default, and Salesforce ends both in 2027: prefer another way.

    Attributes:
        username: The user.
        password: The password.
        security_token: Appended to the password, as the org requires from addresses it does not trust.
        login_url: ``https://login.salesforce.com``, ``https://test.salesforce.com`` for a sandbox, or the org's own
            host.
        version: API version of the call by SOAP, below 65.0.
        client_id: Consumer key of a Connected App (not an External Client App), to log in through OAuth.
        client_secret: Its consumer secret.
    """

    username: str
    password: str = field(repr=False)
    security_token: str = field(default="", repr=False)
    login_url: str | None = None
    version: str = limits.SOAP_LOGIN_VERSION
    client_id: str = ""
    client_secret: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        arguments.secrets(username=self.username, password=self.password, security_token=self.security_token)
        arguments.secrets(client_id=self.client_id, client_secret=self.client_secret)
        if self.client_secret and not self.client_id:
            raise UsageError("The client_secret of an app is given without its client_id")
        arguments.urls(login_url=self.login_url)
        arguments.version(self.version, "The auth's version")

    def credentials(self, instance_url: str | None, stale: Credentials | None) -> Flow[Credentials]:  # noqa: ARG002
        """Log in; see `Auth`."""
        if self.client_id:
            return (yield from self._by_oauth(instance_url))
        return (yield from self._by_soap(instance_url))

    def _by_oauth(self, instance_url: str | None) -> Flow[Credentials]:
        form = {
            "grant_type": "password",
            "client_id": self.client_id,
            "username": self.username,
            "password": self.password + self.security_token,
        }
        if self.client_secret:
            form["client_secret"] = self.client_secret
        host = (self.login_url or instance_url or limits.LOGIN_URL).rstrip("/")
        granted = yield from request_token(host + TOKEN_PATH, form)
        return granted.credentials(instance_url)

    def _by_soap(self, instance_url: str | None) -> Flow[Credentials]:
        version = arguments.version(self.version)
        url = f"{(self.login_url or instance_url or limits.LOGIN_URL).rstrip('/')}/services/Soap/u/{version}"
        headers = {"Content-Type": "text/xml; charset=UTF-8", "SOAPAction": "login"}
        answer = yield from send(Request("POST", url, headers, Body.of(self._envelope())))
        answer = answer.without(self.password + self.security_token, self.password, self.security_token)
        found = _texts(answer)
        if answer.status not in SUCCESS or "sessionId" not in found:
            reason = found.get("exceptionMessage") or found.get("faultstring")
            if reason is None:
                now = yield from seconds(Now())
                raise stranger(answer, now, "The answer to the login is not SOAP")
            code = found.get("exceptionCode")
            raise NotAuthenticated(
                f"The login was refused: {code}: {reason or 'no reason given'} ({advice(code, reason or '')})",
                answer.facts(code, reason),
            )
        server = (None if hosts.is_login(instance_url) else instance_url) or _server(found.get("serverUrl", ""))
        if server is None or not is_token(found["sessionId"]):
            raise ProtocolError("The answer to the login has no session id, or no URL of the org", answer.facts())
        return Credentials(server, found["sessionId"])

    def _envelope(self) -> bytes:
        envelope = ET.Element(f"{{{_ENVELOPE}}}Envelope")
        login = ET.SubElement(ET.SubElement(envelope, f"{{{_ENVELOPE}}}Body"), f"{{{_PARTNER}}}login")
        ET.SubElement(login, f"{{{_PARTNER}}}username").text = self.username
        ET.SubElement(login, f"{{{_PARTNER}}}password").text = self.password + self.security_token
        return b'<?xml version="1.0" encoding="UTF-8"?>' + ET.tostring(envelope)


def _server(url: str) -> str | None:
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else None


def _texts(answer: Answer) -> dict[str, str]:
    """Return all texts of a SOAP answer by local name; those we need occur only once."""
    try:
        root = wire_xml.parse(answer.body)
    except ValueError:
        return {}
    if root.tag not in {"Envelope", f"{{{_ENVELOPE}}}Envelope"}:
        return {}
    return {wire_xml.local(element): element.text for element in root.iter() if element.text}
