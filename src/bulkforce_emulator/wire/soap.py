"""SOAP `login()`, `logout()` and `getUserInfo()` of the partner and the enterprise API."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING, NoReturn
from xml.sax.saxutils import escape

from starlette.responses import Response

from bulkforce_emulator.wire.calls import Call, route
from bulkforce_emulator.wire.identity import user_record

if TYPE_CHECKING:
    from starlette.routing import Route

    from bulkforce_emulator.state.org import Org

_ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"
_NAMESPACES = {"u": "urn:partner.soap.sforce.com", "c": "urn:enterprise.soap.sforce.com"}
_FAULT_NAMESPACES = {"u": "urn:fault.partner.soap.sforce.com", "c": "urn:fault.enterprise.soap.sforce.com"}
_OLDEST_VERSION = 7.0
_VERSION = re.compile(r"\d{1,3}\.\d")


class _FaultError(Exception):
    def __init__(self, code: str, message: str, kind: str = "ApiFault") -> None:
        super().__init__(code)
        self.code = code
        self.message = message
        self.kind = kind


class _NoDoctype(ET.TreeBuilder):
    """Refuses a DOCTYPE, which SOAP forbids and entities need."""

    def doctype(self, *_: object) -> NoReturn:
        raise _FaultError("CLIENT", "DOCTYPE is not allowed in a SOAP message")


def routes(org: Org) -> list[Route]:
    """The routes of this module; the server URL in an answer ends with the organization's id."""
    handlers = _Soap(org)
    return [
        route("/services/Soap/{api:str}/{version:str}", handlers.answer, ("POST",)),
        route("/services/Soap/{api:str}/{version:str}/{rest:path}", handlers.answer, ("POST",)),
    ]


class _Soap:
    def __init__(self, org: Org) -> None:
        self._org = org
        self._operations = {"login": self._login, "logout": self._logout, "getUserInfo": self._user_info}

    def answer(self, call: Call) -> Response:
        """Carry out the one operation of the envelope's body."""
        api = call.values["api"] if call.values["api"] in _NAMESPACES else "u"
        try:
            _check_version(call.values["version"])
            header, operation = _open_envelope(call.body)
            name = operation.tag.rpartition("}")[2]
            content = self._operations.get(name, _unknown)(call, header, operation)
        except _FaultError as fault:
            return _fault(fault, api)
        return _envelope(_NAMESPACES[api], f"<{name}Response>{content}</{name}Response>", 200)

    def _login(self, call: Call, _header: ET.Element | None, operation: ET.Element) -> str:
        sessions = self._org.sessions
        newest = sessions.rules.soap_newest_version
        if newest is not None and float(call.values["version"]) > newest:
            message = "SOAP API login() is not available in this API version"
            raise _FaultError("UNSUPPORTED_API_VERSION", message, "UnexpectedErrorFault")
        if not sessions.rules.soap_login:
            off = self._org.settings.texts.logins.soap_login_off
            raise _FaultError(off.code, off.words, "UnexpectedErrorFault")
        if not sessions.is_password(_text(operation, "username"), _text(operation, "password")):
            message = "Invalid username, password, security token; or user locked out."
            raise _FaultError("INVALID_LOGIN", message, "LoginFault")
        place = f"{call.values['version']}/{sessions.org_id[:15]}"
        return (
            f"<result><metadataServerUrl>{escape(call.base_url)}/services/Soap/m/{place}</metadataServerUrl>"
            "<passwordExpired>false</passwordExpired><sandbox>false</sandbox>"
            f"<serverUrl>{escape(call.base_url)}/services/Soap/{call.values['api']}/{place}</serverUrl>"
            f"<sessionId>{sessions.open()}</sessionId><userId>{sessions.user_id}</userId>"
            f"<userInfo>{self._user()}</userInfo></result>"
        )

    def _logout(self, _call: Call, header: ET.Element | None, _operation: ET.Element) -> str:
        self._org.sessions.expire(self._session_id(header))
        return ""

    def _user_info(self, _call: Call, header: ET.Element | None, _operation: ET.Element) -> str:
        self._session_id(header)
        return f"<result>{self._user()}</result>"

    def _session_id(self, header: ET.Element | None) -> str:
        session_id = "" if header is None else _text(header, "sessionId")
        if not self._org.sessions.is_valid(session_id):
            message = (
                "Invalid Session ID found in SessionHeader: Illegal Session. Session not found, missing session key"
            )
            raise _FaultError("INVALID_SESSION_ID", message, "UnexpectedErrorFault")
        return session_id

    def _user(self) -> str:
        sessions, user = self._org.sessions, user_record(self._org)
        name = " ".join(filter(None, (user["FirstName"], user["LastName"])))
        members: dict[str, object] = {
            "accessibilityMode": "false",
            "chatterExternal": "false",
            "currencySymbol": "$",
            "orgAttachmentFileSizeLimit": 5_242_880,
            "orgDefaultCurrencyIsoCode": "USD",
            "orgDefaultCurrencyLocale": "en_US",
            "orgDisallowHtmlAttachments": "false",
            "orgHasPersonAccounts": "false",
            "organizationId": sessions.org_id,
            "organizationMultiCurrency": "false",
            "organizationName": "Emulated org",
            "profileId": None,
            "roleId": None,
            "sessionSecondsValid": sessions.rules.session_seconds,
            "userDefaultCurrencyIsoCode": None,
            "userEmail": user["Email"],
            "userFullName": name,
            "userId": sessions.user_id,
            "userLanguage": "en_US",
            "userLocale": "en_US",
            "userName": sessions.username,
            "userTimeZone": "GMT",
            "userType": "Standard",
            "userUiSkin": "Theme3",
        }
        return "".join(_element(name, value) for name, value in members.items())


def _unknown(_call: Call, _header: ET.Element | None, operation: ET.Element) -> NoReturn:
    raise _FaultError("CLIENT", f"No operation available for request {operation.tag}")


def _check_version(version: str) -> None:
    if not _VERSION.fullmatch(version) or float(version) < _OLDEST_VERSION:
        raise _FaultError("UNSUPPORTED_API_VERSION", "Invalid Api version specified on URL", "UnexpectedErrorFault")


def _open_envelope(body: bytes) -> tuple[ET.Element | None, ET.Element]:
    """The header, and the operation in the body."""
    parser = ET.XMLParser(target=_NoDoctype())
    try:
        envelope = ET.fromstring(body, parser)
    except (ET.ParseError, ValueError, LookupError) as error:
        raise _FaultError("CLIENT", f"XML document structures must be well formed: {error}") from None
    found = envelope.find(f"{{{_ENVELOPE}}}Body")
    operation = None if found is None else next(iter(found), None)
    if operation is None:
        raise _FaultError("CLIENT", "SOAP envelope has no body with an operation")
    return envelope.find(f"{{{_ENVELOPE}}}Header"), operation


def _text(element: ET.Element, name: str) -> str:
    """The text of a descendant, whatever its namespace."""
    return next((e.text or "" for e in element.iter() if e.tag.rpartition("}")[2] == name), "")


def _element(name: str, value: object) -> str:
    return f'<{name} xsi:nil="true"/>' if value is None else f"<{name}>{escape(str(value))}</{name}>"


def _fault(fault: _FaultError, api: str) -> Response:
    if fault.code == "CLIENT":
        code, text, detail = "soapenv:Client", fault.message, ""
    else:
        code, text = f"sf:{fault.code}", f"{fault.code}: {fault.message}"
        detail = (
            f'<detail><sf:{fault.kind} xsi:type="sf:{fault.kind}"><sf:exceptionCode>{fault.code}</sf:exceptionCode>'
            f"<sf:exceptionMessage>{escape(fault.message)}</sf:exceptionMessage></sf:{fault.kind}></detail>"
        )
    content = (
        f"<soapenv:Fault><faultcode>{code}</faultcode><faultstring>{escape(text)}</faultstring>{detail}</soapenv:Fault>"
    )
    return _envelope(_FAULT_NAMESPACES[api], content, 500, prefix=":sf")


def _envelope(namespace: str, content: str, status: int, prefix: str = "") -> Response:
    document = (
        f'<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="{_ENVELOPE}" '
        f'xmlns{prefix}="{namespace}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        f"<soapenv:Body>{content}</soapenv:Body></soapenv:Envelope>"
    )
    return Response(document, status, media_type="text/xml;charset=UTF-8")
