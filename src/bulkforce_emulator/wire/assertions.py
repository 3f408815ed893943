"""The signed assertion of the JWT bearer flow."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from bulkforce_emulator.state.org import Org
    from bulkforce_emulator.texts import LoginTexts
    from bulkforce_emulator.words import Text

_LOGIN_HOSTS = ("https://login.salesforce.com", "https://test.salesforce.com")

# The guide says that `exp` must lie within three minutes; clocks may differ a little.
_LONGEST_SECONDS = 180 + 60


class AssertionRefused(Exception):
    """Why an assertion is refused, in the words of the token endpoint."""

    def __init__(self, text: Text) -> None:
        super().__init__(text.words)
        self.text = text


def check_assertion(assertion: str, org: Org, base_url: str) -> None:
    """Check that a JWT is meant for this org and its user, and signed if a certificate is registered.

    Raises:
        AssertionRefused: It is not.
    """
    texts, sessions = org.settings.texts.logins, org.sessions
    claims = _claims(assertion, texts)
    if claims.get("iss") != sessions.client_id:
        raise AssertionRefused(texts.client_unknown)
    if sessions.certificates and not any(_is_signed(assertion, pem) for pem in sessions.certificates):
        raise AssertionRefused(texts.assertion_invalid)
    if str(claims.get("aud", "")).rstrip("/") not in (*_LOGIN_HOSTS, base_url, f"{base_url}/services/oauth2/token"):
        raise AssertionRefused(texts.audience_wrong)
    now = org.clock.now().timestamp()
    if not now < _seconds(claims.get("exp")) <= now + _LONGEST_SECONDS:
        raise AssertionRefused(texts.assertion_expired)
    if claims.get("sub", claims.get("prn")) != sessions.username:
        raise AssertionRefused(texts.not_approved)


def _seconds(moment: object) -> float:
    """The time in `exp`, which simple-salesforce sends as a string; 0 if it cannot be read."""
    try:
        return float(moment) if isinstance(moment, int | float | str) else 0.0
    except ValueError:
        return 0.0


def _claims(assertion: str, texts: LoginTexts) -> dict[str, Any]:
    parts = assertion.split(".")
    try:
        header, claims = (orjson.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))) for part in parts[:2])
    except (ValueError, binascii.Error):
        raise AssertionRefused(texts.assertion_invalid) from None
    if len(parts) != 3 or not isinstance(claims, dict) or not isinstance(header, dict) or header.get("alg") != "RS256":
        raise AssertionRefused(texts.assertion_invalid)
    return claims


def _is_signed(assertion: str, pem: str) -> bool:
    # PyJWT is needed only if a certificate is registered, and its cryptography takes a while to load.
    import jwt

    key: Any = pem
    if "BEGIN CERTIFICATE" in pem:
        from cryptography.x509 import load_pem_x509_certificate

        key = load_pem_x509_certificate(pem.encode()).public_key()
    try:
        jwt.decode(
            assertion,
            key,
            algorithms=["RS256"],
            options={"verify_aud": False, "verify_exp": False, "verify_iat": False},
        )
    except jwt.InvalidTokenError:
        return False
    return True
