"""Orgs that the Salesforce CLI (``sf``, or ``sfdx`` of old) is logged in to.

The CLI is asked, its files are not read: they are encrypted in two formats, with keys in three places. From release
2.136.8 on, ``org display`` hides the token and ``org auth show-access-token`` gives it; before, ``org display`` shows
it. What it lends is neither renewed nor revoked here: that would log the user out of the CLI. When the session ends,
the CLI is asked again.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import orjson

from bulkforce import hosts
from bulkforce.errors import Error, NoSuchOrg, NotAuthenticated
from bulkforce.protocol.flow import Credentials, Flow, is_token

_HIDDEN: Final = "[REDACTED]"
_SECONDS: Final = 120.0
LIST_SECONDS: Final = 20.0
"""How long a list of orgs is worth waiting for; the CLI looks only at its own files for it."""
_UNKNOWN_COMMAND: Final = 127
# What a name may have that reaches a program, on Windows through a batch file.
_NAME: Final = re.compile(r"[\w.@+][\w.@+ -]{0,254}")
_COLOURS: Final = re.compile(r"\x1b\[[0-9;]*m")
_NO_SUCH_ORG: Final = frozenset({"NamedOrgNotFoundError", "NoDefaultEnvError", "NamedOrgNotFound", "NoOrgFound"})

_ADVICE: Final[Mapping[str, str]] = {
    "NamedOrgNotFoundError": "the CLI knows no org by that alias or user name; `sf org list` shows those that it knows",
    "NoDefaultEnvError": "the CLI has no default org; set one with `sf config set target-org ALIAS`, or name an org",
    "RefreshTokenAuthError": "the CLI's login has expired or was revoked; log in again: sf org login web --alias {org}",
    "NoAccessTokenError": "the CLI holds no session for this org; log in again: sf org login web --alias {org}",
    "AuthDecryptError": "the CLI cannot decrypt its own files: the key does not belong to them (a copied home folder, "
    "a keychain that was reset); log in again: sf org login web --alias {org}",
    "JwtAuthError": "the org refused the CLI's signed login; check the user, the certificate of the app, and whether "
    "the user is approved for it, then log in again: sf org login jwt",
    "LightningDomain": "the CLI was logged in with a lightning.force.com address; log in again with the org's "
    "my.salesforce.com address: sf org login web --instance-url URL --alias {org}",
    "OrgDataNotAvailableError": "the org may have been deleted or have expired; `sf org list` shows its state",
}


@dataclass(frozen=True, slots=True)
class CliOrg:
    """An org as the CLI displays it.

    Attributes:
        alias: The name that was asked for; ``None`` for the CLI's default org.
        instance_url: The org's URL.
        username: The user.
        token: The session, where ``org display`` shows it.
    """

    alias: str | None
    instance_url: str
    username: str
    token: str | None = field(repr=False)

    @property
    def known_as(self) -> str:
        """What the CLI calls it."""
        return self.alias or self.username


@dataclass(frozen=True, slots=True)
class ListedOrg:
    """An org in the CLI's list.

    Attributes:
        name: What the CLI calls it: its alias, or else the user.
        instance_url: The org's URL.
        username: The user.
        is_default: Whether it is the CLI's default org, in this folder.
    """

    name: str
    instance_url: str
    username: str
    is_default: bool


def program() -> str | None:
    """Return where the CLI is, or ``None`` if it is not installed."""
    return shutil.which("sf") or shutil.which("sfdx")


def display(org: str | None) -> CliOrg:
    """Ask the CLI for an org.

    Args:
        org: Alias or user name; ``None`` is the CLI's default org, which depends on the working directory.

    Raises:
        NoSuchOrg: The CLI knows no such org, or has no default.
        NotAuthenticated: The CLI's own login is dead.
        Error: The CLI does not work.
    """
    if org is not None and not _NAME.fullmatch(org):
        raise NoSuchOrg("No alias or user name of the Salesforce CLI looks like that")
    given = [] if org is None else ["--target-org", org]
    code, answer = _run("org", "display", *given, "--json")
    if code == _UNKNOWN_COMMAND or (code and answer is None):
        code, answer = _run("force:org:display", *(["-u", org] if org else []), "--json")
    shown = _result(code, answer, org)
    url, token = shown.get("instanceUrl"), shown.get("accessToken")
    if not isinstance(url, str):
        raise Error("The Salesforce CLI does not say where the org is; try `sf org display`, and update the CLI")
    token = token if isinstance(token, str) and is_token(token) and not token.startswith(_HIDDEN) else None
    return CliOrg(
        org,
        hosts.instance_url(url, "The URL that the Salesforce CLI gives"),
        str(shown.get("username") or org or ""),
        token,
    )


def listed(seconds: float = LIST_SECONDS) -> list[ListedOrg]:
    """List the orgs that the CLI is logged in to; none if it is not installed.

    Raises:
        Error: The CLI does not work, or takes longer.
    """
    if program() is None:
        return []
    code, answer = _run("org", "list", "--skip-connection-status", "--json", seconds=seconds)
    if code == _UNKNOWN_COMMAND or (code and answer is None):
        code, answer = _run("force:org:list", "--skipconnectionstatus", "--json", seconds=seconds)
    try:
        result = _result(code, answer, None, "sf org list")
    except NoSuchOrg:
        return []
    found = {}
    # An org may stand in several of the lists.
    for one in (one for group in result.values() if isinstance(group, list) for one in group):
        members = (
            {name: value for name, value in one.items() if isinstance(value, str)} if isinstance(one, dict) else {}
        )
        if "username" in members and "instanceUrl" in members:
            user = members["username"]
            name = members.get("alias", "").partition(",")[0] or user
            found[user] = ListedOrg(name, members["instanceUrl"], user, one.get("isDefaultUsername") is True)
    return sorted(found.values(), key=lambda org: org.name)


@dataclass(frozen=True, slots=True)
class SfCli:
    """An auth that borrows the session of the Salesforce CLI; see `bulkforce.protocol.flow.Auth`."""

    org: CliOrg

    def credentials(self, instance_url: str | None, stale: Credentials | None) -> Flow[Credentials]:
        """Ask the CLI for its session; see `Auth`."""
        yield from ()
        org = self.org if stale is None else display(self.org.alias)
        token, warned = (org.token, False) if org.token else _token(org)
        if stale is not None and token == stale.access_token:
            raise NotAuthenticated(
                "The org refuses the session of the Salesforce CLI, and the CLI "
                + ("could not renew it" if warned else "has no other")
                + f"; log in again: sf org login web --alias {org.known_as} --instance-url {org.instance_url}"
            )
        return Credentials(instance_url or org.instance_url, token)


def _token(org: CliOrg) -> tuple[str, bool]:
    """Ask for the token alone; the CLI renews it first, and if that fails, only warns and gives the old one."""
    given = [] if org.alias is None else ["--target-org", org.alias]
    code, answer = _run("org", "auth", "show-access-token", *given, "--json")
    if code == _UNKNOWN_COMMAND:
        raise Error(
            "This release of the Salesforce CLI hides the token and has no command that shows it; update it with "
            "`sf update`, or log in with `bulkforce login`"
        )
    shown = _result(code, answer, org.alias)
    token = shown.get("accessToken")
    if not isinstance(token, str) or not is_token(token):
        raise Error("The Salesforce CLI gives no access token; update it with `sf update`, and log in to the org again")
    return token, bool((answer or {}).get("warnings"))


def _result(
    code: int, answer: Mapping[str, object] | None, org: str | None, command: str = "sf org display"
) -> Mapping[str, object]:
    result = (answer or {}).get("result")
    if code == 0 and isinstance(result, Mapping):
        return result
    name = (answer or {}).get("name")
    name = name if isinstance(name, str) and re.fullmatch(r"\w{1,80}", name) else ""
    advice = _ADVICE.get(name, f"try the same there: {command} --json").format(org=org or "NAME")
    if name in _NO_SUCH_ORG:
        raise NoSuchOrg(f"The Salesforce CLI: {advice}")
    said = f"{name}, " if name else ""
    kind = NotAuthenticated if name in _ADVICE else Error
    raise kind(f"The Salesforce CLI failed ({said}exit code {code}): {advice}")


def _run(*arguments: str, seconds: float = _SECONDS) -> tuple[int, Mapping[str, object] | None]:
    """Run the CLI in the user's folder, on which its default org depends; return its exit code and what it says."""
    found = program()
    if found is None:
        raise Error("The Salesforce CLI is no longer on the PATH")
    surroundings = {**os.environ, "NO_COLOR": "1", "FORCE_COLOR": "0", "SFDX_JSON_TO_STDOUT": "true"}
    try:
        # Without input, or the CLI might wait for an answer ("did you mean ...?").
        done = subprocess.run(
            [found, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=surroundings,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        fault = f"did not answer within {seconds:g} s"
    except OSError as error:
        fault = f"cannot be started: {error.strerror or type(error).__name__}"
    else:
        return done.returncode, _document(done.stdout) or _document(done.stderr)
    raise Error(f"The Salesforce CLI ({found}) {fault}; try `sf {' '.join(arguments[:2])}` yourself")


def _document(output: bytes) -> Mapping[str, object] | None:
    """Find the JSON document in the output, among lines about updates and deprecations."""
    text = _COLOURS.sub("", output.decode("utf-8-sig", "replace"))
    for begin in re.finditer(r"^\s*\{", text, re.MULTILINE):
        for end in (text.rfind("}") + 1, *(one.end() for one in re.finditer(r"^\}", text, re.MULTILINE))):
            try:
                value = orjson.loads(text[begin.end() - 1 : end])
            except orjson.JSONDecodeError:
                continue
            if isinstance(value, dict):
                return value
    return None
