"""`bulkforce verify`: try on an org what is not known about the Bulk API."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bulkforce import arguments
from bulkforce.cli.org import Org, client_for
from bulkforce.cli.streams import tell
from bulkforce.errors import UsageError

if TYPE_CHECKING:
    from bulkforce.client import Client
    from bulkforce.verify.questions import Question
    from bulkforce.verify.run import Org as KindOfOrg
    from bulkforce.verify.run import Outcome

CONSENT = """bulkforce verify will
- write about 500 small records into {name}, each named {tag}, and delete them at the end;
- read {name}, whether the org is a sandbox, and a list of jobs that should be empty; nothing else;
- make about 80 jobs, and 600 to 1,000 API calls, {calls:,} at most besides cleaning up.
The org: {edition}, {kind}."""


def verify(
    *,
    org: Org = None,
    prefix: Annotated[
        str,
        typer.Option(
            "--prefix",
            help="How the names of objects begin that may be read and written; the object is PREFIXRecord__c.",
            metavar="PREFIX",
        ),
    ] = "bfv_",
    write_object: Annotated[
        Path | None,
        typer.Option(
            "--write-object",
            help="Write the definition of the object into this folder, to be deployed with `sf`; send nothing.",
            file_okay=False,
            metavar="FOLDER",
        ),
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option("--only", help="Try only this question; may be repeated.", metavar="SETTING")
    ] = None,
    most_calls: Annotated[
        int, typer.Option("--max-api-calls", help="Make no more API calls than this.", min=1)
    ] = 2_000,
    production: Annotated[
        bool, typer.Option("--production", help="Go on though the org may be in production.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    emulator: Annotated[
        bool, typer.Option("--emulator", help="Try an emulated org instead, to see how it goes.")
    ] = False,
) -> None:
    """Try what is not known about the Bulk API on a scratch org, and print a report to paste into an issue.

    Example: bulkforce verify --org dev > report.md
    """
    from bulkforce.verify import fields, questions, run

    name = _object(prefix)
    if write_object is not None:
        _write(write_object, fields.project(name))
        return
    wanted = [one for one in questions.QUESTIONS if not only or one.id in only]
    if unknown := set(only or ()) - {one.id for one in wanted}:
        known = ", ".join(sorted(one.id for one in questions.QUESTIONS))
        raise UsageError(f"There is no question {arguments.shown(min(unknown))}; they are: {known}")
    with ExitStack() as open_until_then:
        client = _emulated(name, open_until_then) if emulator else open_until_then.enter_context(client_for(org))
        kind = client.driver.run(run.look_at_org())
        if kind.is_production and not production:
            raise UsageError(
                f"The org is a {kind.edition} and no sandbox, so it may be in production. Take a scratch org, or pass "
                "--production if it may be tried all the same"
            )
        sort = "a sandbox or scratch org" if kind.is_sandbox else "no sandbox"
        text = CONSENT.format(name=name, tag=run.TAG, calls=most_calls, edition=kind.edition, kind=sort)
        _ask(text, yes=yes or emulator)
        print(_report(client, kind, name, wanted, most_calls))


def _report(client: Client, org: KindOfOrg, name: str, wanted: list[Question], most_calls: int) -> str:
    import datetime as dt
    from importlib.metadata import version

    from bulkforce.verify import run
    from bulkforce.verify.report import report

    do = client.driver.run
    do(run.check_object(name))
    ground = do(run.ground_on(name, most_calls))
    try:
        outcomes = do(run.try_all(ground, wanted, _progress(len(wanted))))
    finally:  # after Ctrl-C, too
        left = do(run.clean(ground))
    today = dt.datetime.now(dt.UTC).date()
    return report(outcomes, org, left, f"bulkforce {version('bulkforce')}, API {client.driver.version}, {today}")


def _progress(of: int) -> Callable[[Outcome], None]:
    done = 0

    def note(outcome: Outcome) -> None:
        nonlocal done
        done += 1
        tell(f"{done}/{of} {outcome.question.id}")

    return note


def _object(prefix: str) -> str:
    if not re.fullmatch(r"[A-Za-z](?:_?[A-Za-z0-9]){1,20}_?", prefix):
        raise UsageError("--prefix must be a letter, then letters, digits and single underscores, such as bfv_")
    return f"{prefix}Record__c"


def _ask(text: str, *, yes: bool) -> None:
    tell(text)
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError("Nothing was written: without a terminal, say with --yes that you agree")
    tell("Go on? [y/N]")  # typer.confirm would leave a space in the report
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise UsageError("You did not agree, so nothing was written")


def _emulated(name: str, open_until_then: ExitStack) -> Client:
    from bulkforce.auth.token import BearerToken
    from bulkforce.cli.extras import emulator_class
    from bulkforce.client import Client
    from bulkforce.verify.fields import schema

    org = open_until_then.enter_context(emulator_class()(schema=schema(name)))
    return open_until_then.enter_context(Client(org.base_url, auth=BearerToken(org.session_id)))


def _write(folder: Path, files: dict[str, str]) -> None:
    try:
        if folder.exists() and any(folder.iterdir()):
            raise UsageError("The folder of --write-object is not empty; name a new one")
        for path, text in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, "utf-8")
    except OSError as error:
        raise UsageError(f"The folder of --write-object cannot be used: {error.strerror}") from error
    tell("To deploy it, in that folder: sf project deploy start; sf org assign permset --name bulkforce_verify")
