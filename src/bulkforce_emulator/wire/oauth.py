"""`/services/oauth2` and the identity URL."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from starlette.responses import PlainTextResponse, RedirectResponse, Response

from bulkforce_emulator.wire.assertions import AssertionRefused, check_assertion
from bulkforce_emulator.wire.calls import Call, json_response, route
from bulkforce_emulator.wire.identity import identity, identity_url, userinfo

if TYPE_CHECKING:
    from starlette.routing import Route

    from bulkforce_emulator.state.org import Org
    from bulkforce_emulator.state.sessions import KnownToken
    from bulkforce_emulator.texts import LoginTexts
    from bulkforce_emulator.words import Text

_JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
#: A URL without spaces, control characters, backslashes (which browsers take for slashes) and unquoted non-ASCII.
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!-\[\]-~]+")
_SCOPE_WITHOUT_REFRESH = "id api"


class OAuthError(Exception):
    """A refusal: `error` and `error_description`."""

    def __init__(self, text: Text) -> None:
        super().__init__(text.code)
        self.document = {"error": text.code, "error_description": text.words}


def routes(org: Org) -> list[Route]:
    """The routes of this module."""
    handlers = _OAuth(org)
    both = ("GET", "POST")
    return [
        route("/services/oauth2/token", handlers.token, both),
        route("/services/oauth2/authorize", handlers.authorize, both),
        route("/services/oauth2/revoke", handlers.revoke, both),
        route("/services/oauth2/introspect", handlers.introspect, ("POST",)),
        route("/services/oauth2/userinfo", handlers.userinfo, both),
        route("/id/{org_id}/{user_id}", handlers.identity, both),
        route("/setup/connect", handlers.connect, both),
    ]


class _OAuth:
    def __init__(self, org: Org) -> None:
        self._org = org
        self._sessions = org.sessions
        self._texts = org.settings.texts.logins
        self._flows = {
            "refresh_token": self._refresh,
            "hybrid_refresh": self._refresh,
            "client_credentials": self._client_credentials,
            _JWT_BEARER: self._jwt_bearer,
            "password": self._password,
            "authorization_code": self._authorization_code,
            "device": self._device,
        }

    # Tokens

    def token(self, call: Call) -> Response:
        """Answer a request for a token, in any of the flows."""
        try:
            return json_response(self._token(call), headers={"Cache-Control": "no-cache, no-store"})
        except OAuthError as error:
            return json_response(error.document, self._org.settings.token_error_status)

    def _token(self, call: Call) -> dict[str, Any]:
        if call.method != "POST":
            raise OAuthError(self._texts.method_wrong)
        form = _with_basic(call, self._texts)
        if form.get("response_type") == "device_code":
            return self._device_code(form, call)
        flow = self._flows.get(form.get("grant_type", ""))
        if flow is None:
            raise OAuthError(self._texts.flow_unknown)
        return flow(form, call)

    def _refresh(self, form: dict[str, str], call: Call) -> dict[str, Any]:
        self._check_client(form, secret_required=self._sessions.rules.secret_required)
        token = form.get("refresh_token", "")
        used = self._sessions.use_refresh_token(token)
        if used is None:
            raise OAuthError(self._texts.token_expired)
        scope, successor = used
        answer = self._granted(call, scope, refresh_token=successor or token)
        return answer | {"refresh_token": successor} if successor else answer

    def _client_credentials(self, form: dict[str, str], call: Call) -> dict[str, Any]:
        self._check_client(form, secret_required=True)
        if not self._sessions.rules.run_as_user:
            raise OAuthError(self._texts.no_run_as_user)
        return self._granted(call, _SCOPE_WITHOUT_REFRESH)

    def _device_code(self, form: dict[str, str], call: Call) -> dict[str, Any]:
        self._check_client(form, secret_required=False)
        if not self._sessions.rules.device_flow:
            raise OAuthError(self._texts.device_off)
        device_code, user_code = self._sessions.new_device(form.get("scope") or self._sessions.full_scope)
        page = f"{call.base_url}/setup/connect"
        interval = self._sessions.rules.device_interval
        return {"device_code": device_code, "user_code": user_code, "verification_uri": page, "interval": interval}

    def _device(self, form: dict[str, str], call: Call) -> dict[str, Any]:
        self._check_client(form, secret_required=False)
        device = self._sessions.use_device(form.get("code", ""))
        if device is None:
            raise OAuthError(self._texts.device_expired)
        if not device.approved:
            raise OAuthError(self._texts.device_pending)
        refresh_token = self._sessions.new_refresh_token(device.scope)
        return self._granted(call, device.scope, refresh_token) | {"refresh_token": refresh_token}

    def connect(self, call: Call) -> Response:
        """Approve a device at once: the page where its user types the code."""
        if self._sessions.approve_device(call.form().get("user_code", "")):
            return PlainTextResponse("The device is approved.")
        return PlainTextResponse("Add the code that your device shows: ?user_code=...", 400)

    def _jwt_bearer(self, form: dict[str, str], call: Call) -> dict[str, Any]:
        try:
            check_assertion(form.get("assertion", ""), self._org, call.base_url)
        except AssertionRefused as refused:
            raise OAuthError(refused.text) from None
        return self._granted(call, _SCOPE_WITHOUT_REFRESH)

    def _password(self, form: dict[str, str], call: Call) -> dict[str, Any]:
        self._check_client(form, secret_required=True)
        good = self._sessions.is_password(form.get("username", ""), form.get("password", ""))
        if not good or not self._sessions.rules.password_flow:
            raise OAuthError(self._texts.password_wrong)
        return self._granted(call, _SCOPE_WITHOUT_REFRESH)

    def _authorization_code(self, form: dict[str, str], call: Call) -> dict[str, Any]:
        self._check_client(form, secret_required=self._sessions.rules.secret_required)
        promised = self._sessions.use_code(form.get("code", ""))
        if promised is None:
            raise OAuthError(self._texts.code_wrong)
        if form.get("redirect_uri", promised.redirect_uri) != promised.redirect_uri:
            raise OAuthError(self._texts.redirect_wrong)
        if promised.code_challenge is not None and not form.get("code_verifier"):
            raise OAuthError(self._texts.verifier_missing)
        if promised.code_challenge is not None and _challenge(form["code_verifier"]) != promised.code_challenge:
            raise OAuthError(self._texts.verifier_wrong)
        if "refresh_token" not in promised.scope.split() and "full" not in promised.scope.split():
            return self._granted(call, promised.scope)
        refresh_token = self._sessions.new_refresh_token(promised.scope)
        return self._granted(call, promised.scope, refresh_token) | {"refresh_token": refresh_token}

    def _check_client(self, form: dict[str, str], *, secret_required: bool) -> None:
        if form.get("client_id") != self._sessions.client_id:
            raise OAuthError(self._texts.client_unknown)
        secret = form.get("client_secret") or None
        if secret is None and not secret_required:
            return
        if not hmac.compare_digest((secret or "").encode(), self._sessions.client_secret.encode()):
            raise OAuthError(self._texts.secret_wrong)

    def _granted(self, call: Call, scope: str, refresh_token: str | None = None) -> dict[str, Any]:
        """The answer of every flow. It has no `expires_in`: Salesforce does not say how long a session lasts."""
        url = identity_url(self._org, call.base_url)
        issued_at = str(int(self._org.clock.now().timestamp() * 1000))
        digest = hmac.digest(self._sessions.client_secret.encode(), (url + issued_at).encode(), hashlib.sha256)
        return {
            "access_token": self._sessions.open(scope=scope, refresh_token=refresh_token),
            "signature": base64.b64encode(digest).decode(),
            "scope": scope,
            "instance_url": call.base_url,
            "id": url,
            "token_type": "Bearer",
            "issued_at": issued_at,
        }

    # The browser's part of the web server flow

    def authorize(self, call: Call) -> Response:
        """Approve at once and send the browser back with a code, unless the rules have another end."""
        form = call.form()
        if self._sessions.rules.authorization == "page":
            return PlainTextResponse("OAUTH_APPROVAL_ERROR_GENERIC", 400)
        redirect_uri = form.get("redirect_uri", "")
        try:
            self._check_authorize(form)
        except OAuthError as error:
            if not self._is_callback(redirect_uri):
                return json_response(error.document, self._org.settings.token_error_status)
            return _redirect(redirect_uri, error.document, form)
        scope = form.get("scope") or self._sessions.full_scope
        code = self._sessions.new_code(redirect_uri, scope, form.get("code_challenge") or None)
        return _redirect(redirect_uri, {"code": code}, form)

    def _check_authorize(self, form: dict[str, str]) -> None:
        if not form.get("redirect_uri"):
            raise OAuthError(self._texts.redirect_missing)
        if not self._is_callback(form["redirect_uri"]):
            raise OAuthError(self._texts.redirect_wrong)
        if form.get("client_id") != self._sessions.client_id:
            raise OAuthError(self._texts.client_unknown)
        if form.get("response_type") != "code":
            raise OAuthError(self._texts.response_unknown)
        if form.get("code_challenge") and form.get("code_challenge_method", "S256") != "S256":
            raise OAuthError(self._texts.challenge_unknown)
        rules = self._sessions.rules
        if rules.pkce_required and not form.get("code_challenge"):
            raise OAuthError(self._texts.challenge_missing)
        if rules.authorization == "denied":
            raise OAuthError(self._texts.denied)
        if rules.authorization == "not installed":
            raise OAuthError(self._texts.not_installed)

    def _is_callback(self, uri: str) -> bool:
        """Whether a browser may be sent there with a code: to a plain http or https URL, or to a registered one."""
        if not _PLAIN.fullmatch(uri):
            return False
        if uri in self._org.settings.callback_urls or not self._org.settings.any_callback:
            return uri in self._org.settings.callback_urls
        try:
            parts = urlsplit(uri)
            host, _ = parts.hostname, parts.port
        except ValueError:
            return False
        return parts.scheme in {"http", "https"} and bool(host) and "@" not in parts.netloc and "#" not in uri

    # Tokens that exist

    def revoke(self, call: Call) -> Response:
        """End a token. Unlike others, errors of this call are form-encoded."""
        if self._sessions.revoke(call.form().get("token", "")):
            return Response(status_code=200)
        error = urlencode(OAuthError(self._texts.token_unknown).document)
        return Response(
            error, self._org.settings.token_error_status, media_type="application/x-www-form-urlencoded;charset=UTF-8"
        )

    def introspect(self, call: Call) -> Response:
        """Whether a token is valid, and until when."""
        try:
            form = _with_basic(call, self._texts)
            self._check_client(form, secret_required=True)
        except OAuthError as error:
            return json_response(error.document, 401)
        known = self._sessions.describe(form.get("token", ""))
        if known is None:
            return json_response({"active": False})
        url = identity_url(self._org, call.base_url)
        named = {"client_id": self._sessions.client_id, "username": self._sessions.username, "sub": url}
        return json_response({"active": True} | named | _described(known))

    def userinfo(self, call: Call) -> Response:
        """The user, for OpenID Connect."""
        if not self._sessions.is_valid(call.bearer or call.form().get("access_token")):
            return PlainTextResponse("Bad_OAuth_Token", 403)
        return json_response(userinfo(self._org, call.base_url))

    def identity(self, call: Call) -> Response:
        """The user, at the identity URL."""
        if not self._sessions.is_valid(call.bearer or call.form().get("oauth_token")):
            return PlainTextResponse("Bad_OAuth_Token", 403)
        asked = (call.values["org_id"][:15], call.values["user_id"][:15])
        if asked != (self._sessions.org_id[:15], self._sessions.user_id[:15]):
            return PlainTextResponse("Wrong_Org", 403)
        return json_response(identity(self._org, call.base_url))


def _described(known: KnownToken) -> dict[str, object]:
    if known.opened is None or known.ends is None:
        return {"token_type": "refresh_token", "scope": known.scope}
    opened, ends = int(known.opened.timestamp()), int(known.ends.timestamp())
    return {"token_type": "access_token", "scope": known.scope, "iat": opened, "nbf": opened, "exp": ends}


def _with_basic(call: Call, texts: LoginTexts) -> dict[str, str]:
    """The form, with the client's credentials from HTTP Basic if they came that way."""
    form = call.form()
    scheme, _, encoded = call.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            client_id, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
        except ValueError:
            raise OAuthError(texts.secret_wrong) from None
        form |= {"client_id": client_id, "client_secret": secret}
    return form


def _challenge(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _redirect(uri: str, parameters: dict[str, str], form: dict[str, str]) -> Response:
    state = {"state": form["state"]} if "state" in form else {}
    separator = "&" if "?" in uri else "?"
    return RedirectResponse(f"{uri}{separator}{urlencode(parameters | state)}", 302)
