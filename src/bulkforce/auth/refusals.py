"""What a refused login means, and what to click, to ask the administrator for, or to type.

One row per refusal that was seen: its code, a part of its words in lower case, and a sentence. The first row that fits
counts. Sources: Salesforce's help on the flows, and refusals that users of other clients have published.
"""

from __future__ import annotations

from typing import Final, NamedTuple

_INSTALL: Final = (
    "the app is not installed in this org: an administrator must install it (Setup, Connected Apps OAuth Usage, "
    "Install; an External Client App: Setup, External Client App Manager), also in a sandbox made before that"
)
_REFUSED: Final = (
    "access was denied in the browser; if you did allow it, the app is not assigned to your profile or permission set, "
    "or its IP rules exclude you: ask the administrator to look at the app's policies"
)
_CLIENT_ID: Final = (
    "no app has this client id at this host: copy the Consumer Key from the app's settings (Setup, External Client App "
    "Manager or App Manager); an External Client App may be known only at the org's own My Domain host, and changes "
    "of a Connected App take up to 10 minutes"
)


class _Row(NamedTuple):
    """A refusal: its code (any if empty), a part of its words, and what to do."""

    code: str
    words: str
    advice: str


_ROWS: Final[tuple[_Row, ...]] = (
    _Row("", "app must be installed into org", _INSTALL),
    _Row("", "app is not installed in this org", _INSTALL),
    _Row("app_not_found", "", _CLIENT_ID),
    _Row("oauth_ec_app_not_found", "", _INSTALL),
    _Row("oauth_approval_error_generic", "", _INSTALL),
    _Row("oauth_app_access_denied", "", _REFUSED),
    _Row("invalid_client_id", "", _CLIENT_ID),
    _Row("invalid_client", "client identifier invalid", _CLIENT_ID),
    _Row(
        "invalid_client",
        "invalid client credentials",
        "client id and secret do not belong together: copy the Consumer Secret again, or leave it out if the app does "
        "not require one (a public client)",
    ),
    _Row(
        "invalid_scope",
        "",
        "the app lacks a scope that was asked for, or is not installed in this org: give the app the scopes api and "
        "refresh_token (Setup, the app's OAuth settings), or have it installed, also in a sandbox made before that",
    ),
    _Row("access_denied", "", _REFUSED),
    _Row("access-denied", "", _REFUSED),
    _Row("", "end-user denied authorization", _REFUSED),
    _Row(
        "redirect_uri_mismatch",
        "",
        "the callback is not registered: add exactly this line, port and path included, to the app's callback URLs",
    ),
    _Row(
        "invalid_grant",
        "expired access/refresh token",
        "the refresh token is no longer valid: it was revoked, it expired by the app's policy, it was used before (an "
        "app with rotation accepts each only once), or newer logins have displaced it (about five per user and app "
        "live); log in again",
    ),
    _Row(
        "invalid_grant",
        "request not supported on this domain",
        "client credentials work only on the org's own host: use its My Domain URL (Setup, My Domain), not login or "
        "test.salesforce.com",
    ),
    _Row(
        "",
        "no client credentials user enabled",
        "the app has no run-as user: ask the administrator to enable the client credentials flow in the app's "
        "settings, and to choose the user to run as in its policies",
    ),
    _Row(
        "invalid_grant",
        "user hasn't approved this consumer",
        "the user may not use this app yet: in the app's policies, the administrator sets permitted users to "
        "'Admin approved users are pre-authorized', and assigns the user's profile or permission set",
    ),
    _Row(
        "invalid_grant",
        "audience",
        "the assertion is for the wrong login host: users of a sandbox need the audience https://test.salesforce.com "
        "(--sandbox), all others https://login.salesforce.com",
    ),
    _Row(
        "invalid_grant",
        "invalid assertion",
        "the signed assertion was not accepted: the private key does not belong to the certificate of the app, the "
        "clock of this machine is wrong, or there is no such user in this org (in a sandbox, user names end with its "
        "name)",
    ),
    _Row(
        "invalid_grant",
        "authentication failure",
        "user name, password or security token are wrong (from an address that the org does not trust, the token must "
        "follow the password; users of a sandbox log in at --sandbox), the user was deactivated or has a new password; "
        "or the org blocks logins with a password (newer orgs do by default, External Client Apps always, and "
        "Salesforce ends OAuth's flow with a password on 20 February 2027): log in with the browser or a key instead",
    ),
    _Row(
        "invalid_grant",
        "authorization code",
        "the code from the browser has expired (after 15 minutes) or was used before: log in again",
    ),
    _Row(
        "invalid_grant",
        "code verifier",
        "the proof that belongs to the code (PKCE) did not arrive; a proxy may have changed the request: log in again",
    ),
    _Row(
        "invalid_request",
        "code",
        "the proof that belongs to the code (PKCE) was not accepted: log in again, and finish in the newest tab",
    ),
    _Row(
        "invalid_grant",
        "",
        "for a signed login: the private key does not belong to the app's certificate, the clock of this machine is "
        "wrong, or the user name is; otherwise, log in again",
    ),
    _Row(
        "unsupported_grant_type",
        "",
        "the app or this host does not know this flow: use the org's my.salesforce.com URL, and enable the flow in the "
        "app's OAuth settings (External Client Apps have no flow with a password)",
    ),
    _Row("unsupported_response_type", "", "the app does not allow this flow: enable it in the app's OAuth settings"),
    _Row("expired_token", "", "the code was not entered in time: log in again"),
    _Row("invalid_client", "", _INSTALL + "; or the flow is not enabled for it (its OAuth settings)"),
    _Row(
        "INVALID_LOGIN",
        "",
        "check both, append the security token (Settings, Reset My Security Token) unless you come from a trusted "
        "address, and log in to a sandbox with --sandbox or its own URL (its user names end with the "
        "sandbox's name); after too many tries the user is locked for a while",
    ),
    _Row(
        "LOGIN_MUST_USE_SECURITY_TOKEN",
        "",
        "from this address, the security token must follow the password: get one by Settings, Reset My Security Token",
    ),
    _Row(
        "INVALID_OPERATION",
        "soap api login() is disabled",
        "this org does not take user name and password from programs, and Salesforce retires that login for all with "
        "Summer '27: log in with the browser, a key (--jwt) or client credentials instead",
    ),
    _Row(
        "INSUFFICIENT_ACCESS",
        "",
        "the user may not log in from programs: ask the administrator for the user permission 'Use Any API Auth', or "
        "log in with the browser, a key (--jwt) or client credentials instead",
    ),
    _Row(
        "API_DISABLED_FOR_ORG",
        "",
        "the org's edition or the user's profile has no API access: ask the administrator for the permission "
        "'API Enabled'",
    ),
    _Row(
        "UNSUPPORTED_API_VERSION",
        "",
        "login with user name and password ends with API version 64.0: leave the auth's version at its default, or log "
        "in with the browser or a key instead",
    ),
)
_OTHERWISE: Final = "check the client id, the secret, the user and the login host"


def advice(code: str | None, words: str) -> str:
    """Say what a refused login means, and what to do."""
    code, words = (code or "").lower(), words.lower()
    fits = (row.advice for row in _ROWS if row.code.lower() in {"", code} and row.words in words)
    return next(fits, _OTHERWISE)
