"""`bulkforce login` and `bulkforce logout`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bulkforce.cli.streams import printing, tell
from bulkforce.errors import UsageError

if TYPE_CHECKING:
    from bulkforce.connection.found import Options
    from bulkforce.connection.profiles import Profile, Way
    from bulkforce.connection.secret_store import Secrets

Name = Annotated[str, typer.Argument(help="What you call the org from now on, such as prod or uat.", metavar="NAME")]
_FROM_STDIN = "or one line of standard input"


def login(
    *,
    name: Name,
    url: Annotated[
        str | None,
        typer.Option(
            help="The org's own URL (My Domain), as in the browser; by default https://login.salesforce.com.",
            metavar="URL",
        ),
    ] = None,
    sandbox: Annotated[bool, typer.Option("--sandbox", help="Log in at https://test.salesforce.com instead.")] = False,
    client_id: Annotated[
        str | None,
        typer.Option(
            help="Consumer Key of your app in the org; also BULKFORCE_CLIENT_ID.",
            envvar="BULKFORCE_CLIENT_ID",
            metavar="ID",
        ),
    ] = None,
    with_secret: Annotated[
        bool,
        typer.Option(
            "--client-secret",
            help=f"The app requires its secret, in BULKFORCE_CLIENT_SECRET(_FILE), asked for, {_FROM_STDIN}.",
        ),
    ] = False,
    username: Annotated[
        str | None,
        typer.Option(help="The user; for --jwt, --password.", envvar="BULKFORCE_USERNAME", metavar="USER"),
    ] = None,
    device: Annotated[
        bool, typer.Option("--device", help="Log in with a browser on any machine, by a code that is shown here.")
    ] = False,
    jwt: Annotated[
        Path | None,
        typer.Option(
            help="Log in by a signed assertion, with the private key (PEM) in this file. The file stays where it is.",
            dir_okay=False,
            metavar="KEY",
        ),
    ] = None,
    client_credentials: Annotated[
        bool, typer.Option("--client-credentials", help="Log in as the app's run-as user, with its secret.")
    ] = False,
    password: Annotated[
        bool,
        typer.Option(
            "--password",
            help="Log in with user name and password, while Salesforce allows it (until 2027); the password, and the "
            f"security token after it, is in BULKFORCE_PASSWORD(_FILE), asked for, {_FROM_STDIN}. With a client id by "
            "OAuth, and the app's secret comes first in the same ways; without one by SOAP.",
        ),
    ] = False,
    access_token: Annotated[
        bool,
        typer.Option(
            "--access-token",
            help="Store a session that you have, which cannot be renewed: in BULKFORCE_ACCESS_TOKEN(_FILE), asked for, "
            f"{_FROM_STDIN}.",
        ),
    ] = False,
    callback: Annotated[
        str | None,
        typer.Option(
            help="Callback URL of the app, exactly as registered; by default http://localhost:1717/OauthRedirect.",
            metavar="URL",
        ),
    ] = None,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Do not open the browser; only print the address.")
    ] = False,
    timeout: Annotated[int, typer.Option(help="Seconds to wait for the browser.", min=1, max=3_600, metavar="N")] = 120,
    as_default: Annotated[bool, typer.Option("--default", help="Make it the default org.")] = False,
) -> None:
    """Log in to an org and store the login under a name, for --org NAME and connect("NAME").

    Example: bulkforce login prod --client-id 3MVG9...

    Without a flag, the browser opens, and you log in there. The app is your own: an External Client App with OAuth, the
    scopes api, refresh_token and id, and the callback URL http://localhost:1717/OauthRedirect. Secrets are kept in the
    system's keyring where there is one, else in a file that only you can read. The first login becomes the default.
    """
    from bulkforce.connection import environment, profiles
    from bulkforce.connection import login as logging_in
    from bulkforce.connection.variables import Variables

    ways: list[tuple[object, Way]] = [
        (device, "device"),
        (jwt, "jwt"),
        (client_credentials, "client credentials"),
        (password, "password"),
        (access_token, "access token"),
    ]
    chosen = [way for given, way in ways if given]
    if len(chosen) > 1:
        raise UsageError(
            "Choose one way to log in: --device, --jwt, --client-credentials, --password or --access-token"
        )
    options = environment.options(Variables(os.environ))
    way: Way = chosen[0] if chosen else "browser"
    profile = _profile(
        profiles.check_name(name), way, _host(url, sandbox=sandbox, options=options), client_id, username
    )
    profile, secrets = _log_in(
        profile,
        options,
        jwt=jwt,
        with_secret=with_secret,
        callback=callback,
        no_browser=no_browser,
        timeout=timeout,
    )
    done = logging_in.store(profile, secrets, options, as_default=as_default)
    who = f" as {done.profile.username}" if done.profile.username else ""
    stored = f"stored as {name}{', the default' if done.is_default else ''}"
    with printing(f"The login {name} is stored"):
        print(f"Logged in to {done.profile.instance_url}{who}; {stored}.")
    tell(f"bulkforce: its secrets are in {done.place}")


def logout(*, name: Name) -> None:
    """Forget a login, and revoke what it got from the org; a token that you handed in stays valid.

    Example: bulkforce logout prod
    """
    from bulkforce.connection import environment, profiles
    from bulkforce.connection import login as logging_in
    from bulkforce.connection.variables import Variables

    if name not in profiles.names():
        raise UsageError(f"There is no login of that name; known are: {', '.join(profiles.names()) or 'none'}")
    left = logging_in.log_out(name, environment.options(Variables(os.environ)))
    with printing(f"The login {name} is forgotten"):
        print(f"Logged out of {name}.")
    if left:
        tell(f"bulkforce: the session in the org could not be ended: {left}")


def _host(url: str | None, *, sandbox: bool, options: Options) -> str:
    from bulkforce import hosts

    if url is not None and sandbox:
        raise UsageError("--sandbox stands for --url https://test.salesforce.com; give one of them")
    if url is not None:
        return hosts.instance_url(url, "The URL of --url", allow_http=options.allow_http)
    return hosts.SANDBOX if sandbox else hosts.PRODUCTION


def _profile(name: str, way: Way, host: str, client_id: str | None, username: str | None) -> Profile:
    from bulkforce import arguments, hosts
    from bulkforce.connection.profiles import Profile

    for option, value in (("--client-id", client_id), ("--username", username)):
        if value and not arguments.text(value, f"The value of {option}").isprintable():
            raise UsageError(f"The value of {option} contains a line end or another unprintable character")
    if not client_id and way in {"browser", "device", "jwt", "client credentials"}:
        raise UsageError(
            "This needs an app of your own: pass its Consumer Key as --client-id (Setup, External Client App Manager, "
            "your app, OAuth settings), or log in to the org with the Salesforce CLI and use its alias as --org"
        )
    if not username and way in {"jwt", "password"}:
        raise UsageError("Pass the user name as --username")
    if way in {"client credentials", "access token"} and hosts.is_login(host):
        raise UsageError("This needs the org's own URL: pass it as --url, such as https://acme.my.salesforce.com")
    return Profile(name=name, way=way, instance_url=host, client_id=client_id or "", username=username or "")


def _log_in(
    profile: Profile,
    options: Options,
    *,
    jwt: Path | None,
    with_secret: bool,
    callback: str | None,
    no_browser: bool,
    timeout: int,
) -> tuple[Profile, Secrets]:
    """Ask for what is secret, and for approval where a person must give it."""
    from dataclasses import replace

    from bulkforce.connection import browser
    from bulkforce.connection import login as logging_in
    from bulkforce.connection.secret_store import Secrets
    from bulkforce.connection.words import pem_of

    match profile.way:
        case "browser":
            callback = callback or browser.DEFAULT
            browser.check_callback(callback)
            secret = _secret("the client secret", "CLIENT_SECRET") if with_secret else ""
            return logging_in.by_browser(
                profile,
                secret,
                options,
                callback=callback,
                seconds=timeout,
                show=lambda address: _show(address, no_browser=no_browser),
            )
        case "device":
            return logging_in.by_device(profile, options, _show_code)
        case "jwt":
            pem_of(jwt or "")
            return replace(profile, key_file=str((jwt or Path()).absolute())), Secrets()
        case "client credentials":
            return profile, Secrets(client_secret=_secret("the client secret", "CLIENT_SECRET"))
        case "password":
            secrets = Secrets()
            if profile.client_id:
                secrets["client_secret"] = _secret("the client secret", "CLIENT_SECRET")
            secrets["password"] = _secret("the password, with the security token after it", "PASSWORD")
            return profile, secrets
        case "access token":
            return profile, Secrets(access_token=_secret("the access token", "ACCESS_TOKEN"))


def _show(address: str, *, no_browser: bool) -> None:
    import webbrowser

    tell(f"Log in with your browser; if it does not open, open this address: {address}")
    if not no_browser:
        webbrowser.open(address)


def _show_code(page: str, code: str) -> None:
    tell(f"Open {page} in any browser and enter this code: {code}")


def _secret(what: str, variable: str) -> str:
    """Get a secret from the environment, the terminal or standard input; never from the command line, which all see."""
    from bulkforce.connection.variables import Variables

    found = Variables(os.environ).get(f"BULKFORCE_{variable}")
    if found:
        return found.text
    try:
        if sys.stdin is not None and sys.stdin.isatty():
            import getpass

            given = getpass.getpass(f"Enter {what}: ")
        else:
            given = sys.stdin.readline() if sys.stdin is not None else ""
    except (OSError, UnicodeDecodeError, EOFError):
        given = ""
    if not given.strip():
        raise UsageError(
            f"Pass {what} as a line of standard input, or in BULKFORCE_{variable} or BULKFORCE_{variable}_FILE"
        )
    return given.rstrip("\r\n")
