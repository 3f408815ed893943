"""Environment variables: bulkforce's own, and those of other tools where they can mean only one thing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from bulkforce import arguments
from bulkforce.connection.env_file import parse
from bulkforce.connection.found import Found, Options
from bulkforce.connection.variables import Variables, named, read_secret
from bulkforce.connection.words import Words, found
from bulkforce.errors import UsageError
from bulkforce.protocol import limits
from bulkforce.transport.base import TLS

ORG = "BULKFORCE_ORG"
URL = "BULKFORCE_INSTANCE_URL"
TOKEN = "BULKFORCE_ACCESS_TOKEN"  # noqa: S105  (a name)
CLIENT_ID = "BULKFORCE_CLIENT_ID"
CLIENT_SECRET = "BULKFORCE_CLIENT_SECRET"  # noqa: S105  (a name)
REFRESH_TOKEN = "BULKFORCE_REFRESH_TOKEN"  # noqa: S105  (a name)
USERNAME = "BULKFORCE_USERNAME"
PASSWORD = "BULKFORCE_PASSWORD"  # noqa: S105  (a name)
PRIVATE_KEY = "BULKFORCE_PRIVATE_KEY"
ALLOW_HTTP = "BULKFORCE_ALLOW_HTTP"
NOT_CONFIGURED = (
    f"No org is configured: log in with `bulkforce login NAME`, or set {URL} (such as https://acme.my.salesforce.com), "
    f"and either {TOKEN}, or {CLIENT_ID} and {CLIENT_SECRET} with {REFRESH_TOKEN} (without it: client credentials)"
)

# The names that users know from simple-salesforce and from OAuth, by what they mean.
_NAMES: dict[str, tuple[str, ...]] = {
    "url": ("INSTANCE_URL", "INSTANCE"),
    "login_url": ("LOGIN_URL", "DOMAIN"),
    "token": ("ACCESS_TOKEN", "SESSION_ID"),
    "client_id": ("CLIENT_ID", "CONSUMER_KEY"),
    "client_secret": ("CLIENT_SECRET", "CONSUMER_SECRET"),
    "refresh_token": ("REFRESH_TOKEN",),
    "username": ("USERNAME", "USER_NAME"),
    "password": ("PASSWORD",),
    "security_token": ("SECURITY_TOKEN",),
    "private_key": ("PRIVATE_KEY", "PRIVATEKEY"),
}
_DLT = "SOURCES__SALESFORCE__CREDENTIALS__"
_AIRFLOW = "AIRFLOW_CONN_SALESFORCE_DEFAULT"


def options(variables: Variables) -> Options:
    """Read what applies to every org.

    Raises:
        UsageError: A variable is invalid.
    """
    version = variables.plain("BULKFORCE_API_VERSION") or variables.plain("BULKFORCE_VERSION")
    number = limits.API_VERSION
    if version:
        with named(version.name):
            number = arguments.version(version.text)
    bundles = map(variables.plain, ("BULKFORCE_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"))
    bundle = next(filter(None, bundles), None)
    tls = None
    if bundle:
        with named(bundle.name):
            tls = TLS(ca_bundle=bundle.text)
    proxy = variables.get("BULKFORCE_PROXY")
    return Options(
        number,
        tls,
        bundle.name if bundle else "",
        proxy.text if proxy else None,
        proxy.name if proxy else "",
        variables.flag(ALLOW_HTTP),
    )


def of_own(variables: Variables, source: str = "the environment") -> Found | None:
    """Read bulkforce's own variables; ``None`` if they name no org.

    Raises:
        UsageError: A variable is invalid, or one is missing.
    """
    words = _words(variables, "BULKFORCE_")
    if not words.is_login:
        return None
    if not words.says_where:
        raise UsageError(NOT_CONFIGURED)
    if not words.says_who:
        raise UsageError(f"{URL} is set, but there is no way to log in: set {_lacking(words)}")
    return found(words, source, allow_http=variables.flag(ALLOW_HTTP))


def of_other_tools(variables: Variables) -> Found | None:
    """Read the variables of dlt, Airflow, simple-salesforce's users and the Salesforce CLI.

    Returns:
        What is first among the complete logins, or ``None``.

    Raises:
        UsageError: A variable of a complete login is invalid.
    """
    allow_http = variables.flag(ALLOW_HTTP)
    for words, source in _others(variables):
        if words.says_where and words.says_who:
            return found(words, source, allow_http=allow_http, asked_for=False)
    return None


def _others(variables: Variables) -> Iterator[tuple[Words, str]]:
    yield _words(variables, "SALESFORCE_", label=True), "the environment (SALESFORCE_...)"
    yield _words(variables, _DLT, label=True), f"the environment (dlt's {_DLT}...)"
    url, token = variables.plain("SF_ORG_INSTANCE_URL"), variables.plain("SF_ACCESS_TOKEN")
    yield Words(url=url, token=token), "the environment (SF_ORG_INSTANCE_URL and SF_ACCESS_TOKEN)"
    connection = variables.plain(_AIRFLOW)
    if connection:
        with named(_AIRFLOW):
            members = _of_airflow(connection.text)
        airflow = Variables({f"{_AIRFLOW} {name.upper()}": text for name, text in members.items()})
        yield _words(airflow, f"{_AIRFLOW} ", label=True), f"the environment (Airflow's {_AIRFLOW})"


def _words(variables: Variables, prefix: str, *, label: bool = False) -> Words:
    """Read the variables with a prefix.

    Args:
        variables: The variables.
        prefix: What their names begin with.
        label: Whether ``CLIENT_ID`` may be no more than a label, as in simple-salesforce: then it counts only with what
            an app needs besides.
    """
    read = {
        meaning: variables.get(*(prefix + name for name in names), lines=meaning == "private_key")
        for meaning, names in _NAMES.items()
        if not (label and meaning == "client_id")
    }
    if label:
        secret = read["client_secret"] or read["refresh_token"]
        names = _NAMES["client_id"] if secret and not variables.get(f"{prefix}CONSUMER_KEY") else ("CONSUMER_KEY",)
        read["client_id"] = variables.get(*(prefix + name for name in names))
        if read["password"] and read["security_token"]:
            # simple-salesforce logs in by SOAP then, whether or not there is an app.
            read["client_secret"] = None
    return Words(**read)


def _lacking(words: Words) -> str:
    if words.username:
        if words.private_key:
            return CLIENT_ID
        return f"{PASSWORD}, or {PRIVATE_KEY} and {CLIENT_ID}"
    if words.private_key:
        return USERNAME if words.client_id else f"{CLIENT_ID} and {USERNAME}"
    if words.client_id:
        return f"{CLIENT_SECRET} or {REFRESH_TOKEN}"
    return f"{TOKEN}, or {CLIENT_ID} and {CLIENT_SECRET}"


def _of_airflow(text: str) -> dict[str, str]:
    """Read Airflow's form of a connection, a URI or JSON, in the names of simple-salesforce."""
    import orjson

    if text.startswith("{"):
        try:
            given = orjson.loads(text)
            extra = given.get("extra") or {}
            extra = orjson.loads(extra) if isinstance(extra, str) else extra
        except (ValueError, AttributeError):
            extra = None
        if not isinstance(extra, dict):
            raise UsageError("it is not the JSON of an Airflow connection")
        user, password = given.get("login"), given.get("password")
    else:
        try:
            parts = urlsplit(text)
            user, password = unquote(parts.username or ""), unquote(parts.password or "")
            extra = dict(parse_qsl(parts.query))
            inner = orjson.loads(extra.get("__extra__") or "{}")
            extra = inner | extra
        except (ValueError, TypeError):
            extra = None
        if extra is None:
            raise UsageError("it is not an Airflow connection, such as salesforce://user:password@/?domain=test")
    members = {name.removeprefix("extra__salesforce__"): value for name, value in extra.items()}
    members |= {name: value for name, value in extra.items() if not name.startswith("extra__")}
    members |= {"username": user, "password": password, "private_key_file": members.get("private_key_file_path")}
    return {name: value for name, value in members.items() if isinstance(value, str) and value}


def of_file(path: Path) -> dict[str, str]:
    """Read the variables of a ``.env`` file; see `bulkforce.connection.env_file`."""
    return parse(read_secret(path))
