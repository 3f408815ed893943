"""Who the user is, as the identity URL and `userinfo` show it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bulkforce_emulator.soql import compile_soql

if TYPE_CHECKING:
    from bulkforce_emulator.state.org import Org

_USER = (
    "SELECT FirstName, LastName, Email, Username, UserType, LanguageLocaleKey, LocaleSidKey FROM User WHERE Id = '{}'"
)


def identity_url(org: Org, base_url: str) -> str:
    """The identity URL, from which clients take the organization's and the user's id."""
    return f"{base_url}/id/{org.sessions.org_id}/{org.sessions.user_id}"


def user_record(org: Org) -> dict[str, Any]:
    """The org's user, from the store; without values if it was deleted."""
    compiled = compile_soql(
        _USER.format(org.sessions.user_id),
        org.schema,
        now=org.clock.now(),
        user_id=org.sessions.user_id,
        include_deleted=True,
    )
    names = [column.label for column in compiled.columns]
    rows = org.store.query(compiled.sql, compiled.parameters).to_pylist()
    return (
        dict.fromkeys(names)
        | {"Username": org.sessions.username}
        | dict(zip(names, rows[0].values(), strict=True) if rows else ())
    )


def identity(org: Org, base_url: str) -> dict[str, Any]:
    """The document behind the identity URL."""
    user = user_record(org)
    sessions = org.sessions
    rest = f"{base_url}/services/data/v{{version}}/"
    return {
        "id": identity_url(org, base_url),
        "asserted_user": True,
        "user_id": sessions.user_id,
        "organization_id": sessions.org_id,
        "username": user["Username"],
        "nick_name": str(user["Username"]).partition("@")[0],
        "display_name": _full_name(user),
        "email": user["Email"],
        "email_verified": True,
        "first_name": user["FirstName"],
        "last_name": user["LastName"],
        "timezone": "GMT",
        "photos": {"picture": f"{base_url}/profilephoto/005/F", "thumbnail": f"{base_url}/profilephoto/005/T"},
        "addr_street": None,
        "addr_city": None,
        "addr_state": None,
        "addr_country": None,
        "addr_zip": None,
        "mobile_phone": None,
        "mobile_phone_verified": False,
        "is_lightning_login_user": False,
        "status": {"created_date": None, "body": None},
        "urls": {
            "enterprise": f"{base_url}/services/Soap/c/{{version}}/{sessions.org_id}",
            "metadata": f"{base_url}/services/Soap/m/{{version}}/{sessions.org_id}",
            "partner": f"{base_url}/services/Soap/u/{{version}}/{sessions.org_id}",
            "rest": rest,
            "sobjects": f"{rest}sobjects/",
            "search": f"{rest}search/",
            "query": f"{rest}query/",
            "recent": f"{rest}recent/",
            "profile": f"{base_url}/{sessions.user_id}",
            "custom_domain": base_url,
        },
        "active": True,
        "user_type": "STANDARD",
        "language": user["LanguageLocaleKey"] or "en_US",
        "locale": user["LocaleSidKey"] or "en_US",
        "utcOffset": 0,
        "last_modified_date": org.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def userinfo(org: Org, base_url: str) -> dict[str, Any]:
    """The same user, as OpenID Connect names things."""
    known = identity(org, base_url)
    return {
        "sub": known["id"],
        "user_id": known["user_id"],
        "organization_id": known["organization_id"],
        "preferred_username": known["username"],
        "nickname": known["nick_name"],
        "name": known["display_name"],
        "email": known["email"],
        "email_verified": True,
        "given_name": known["first_name"],
        "family_name": known["last_name"],
        "zoneinfo": "GMT",
        "photos": known["photos"],
        "profile": known["urls"]["profile"],
        "picture": known["photos"]["picture"],
        "address": {},
        "is_salesforce_integration_user": False,
        "urls": known["urls"],
        "active": True,
        "user_type": known["user_type"],
        "language": known["language"],
        "locale": known["locale"],
        "utcOffset": 0,
        "updated_at": known["last_modified_date"],
    }


def _full_name(user: dict[str, Any]) -> str:
    return " ".join(filter(None, (user["FirstName"], user["LastName"]))) or str(user["Username"])
