"""The command line's entry point: its commands, and how errors are printed.

Neither this module nor the top of a command's module may import more than typer and the standard library: each command
imports the client, the emulator and rich when it needs them, which keeps `bulkforce --help` fast.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated

import typer
import typer.main

from bulkforce.cli import logs, streams
from bulkforce.cli.batch import batch
from bulkforce.cli.check import check
from bulkforce.cli.count import count
from bulkforce.cli.demo import demo
from bulkforce.cli.describe import describe, objects
from bulkforce.cli.emulator import emulator
from bulkforce.cli.extract import extract
from bulkforce.cli.job import job, jobs
from bulkforce.cli.load import load, resume, runs
from bulkforce.cli.login import login, logout
from bulkforce.cli.map import map_columns
from bulkforce.cli.orgs import limits, orgs, whoami
from bulkforce.cli.outcome import CALLED_WRONGLY, FAILED, NOBODY_READS, print_error, tell_error
from bulkforce.cli.query import query
from bulkforce.cli.ui import ui
from bulkforce.errors import Error, MissingExtra, UsageError

# No rich help and no rich tracebacks: importing rich takes longer than everything else.
app = typer.Typer(
    name="bulkforce",
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
app.command()(demo)
app.command(short_help="Log in to an org and store the login.")(login)
app.command(short_help="Forget a login.")(logout)
app.command(short_help="List the stored logins, and the orgs of the Salesforce CLI.")(orgs)
app.command(short_help="Show which org and user you are connected as.")(whoami)
app.command(short_help="Show the org's limits and what is left of them.")(limits)
app.command(short_help="Check whether a file fits an object; send nothing.")(check)
app.command("map", short_help="Write a first map of columns to fields.")(map_columns)
app.command(short_help="Load a file into an object.")(load)
app.command(short_help="Extract what a query finds into a file.")(extract)
app.command(short_help="Show what a query finds.")(query)
app.command(short_help="Count the records that a query finds.")(count)
app.command(short_help="Continue a load or an extract that stopped or died.")(resume)
app.command(short_help="List loads and extracts with their states.")(runs)
app.command(short_help="Show loads and extracts in the browser, live.")(ui)
app.command(short_help="List the objects of the org.")(objects)
app.command(short_help="Show what an object is like, or save it for rehearsals.")(describe)
app.command(short_help="Show the jobs of your runs with their states.")(jobs)
app.add_typer(job, name="job")
app.add_typer(batch, name="batch")
app.command()(emulator)


def _print_version(wanted: bool) -> None:  # noqa: FBT001  (typer's form)
    if wanted:
        from importlib.metadata import version

        print(f"bulkforce {version('bulkforce')}")
        raise typer.Exit


@app.callback()
def bulkforce(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Load records into Salesforce and extract them, through the Bulk API; and run an emulated org to test with.

    To see it at work: bulkforce demo
    """


# What calling the app would build anew each time.
command = typer.main.get_command(app)
logs.add_options(command)


def main() -> None:
    """Run the command line.

    Exit codes: 0 success, 1 failure, 2 wrong usage, 3 finished with failed records, 4 interrupted and resumable, 141
    output reader gone.
    """
    streams.take_up()
    # However it is started: completion goes by this name.
    code = _code_of(lambda: command(prog_name="bulkforce"))
    sys.exit(_code_of(streams.flush) or code)


def _code_of(work: Callable[[], object]) -> int:
    try:
        work()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0
        # Of typer's own errors, which it has printed, only this is public.
        if code == CALLED_WRONGLY and (told := getattr(end.__context__, "format_message", None)):
            print_error(UsageError(told()))
            _tell_whose_option(getattr(end.__context__, "option_name", ""))
        return code
    except streams.OutputLost as lost:
        if lost.reader_left:
            return NOBODY_READS
        streams.tell(f"bulkforce: {lost}")
        return FAILED
    except Error as error:
        tell_error(error)
        print_error(error)
        wrong_call = isinstance(error, UsageError) and not isinstance(error, MissingExtra)
        return CALLED_WRONGLY if wrong_call else FAILED
    return 0


def _tell_whose_option(name: str) -> None:
    """Tell which commands have an option that was given to another one."""
    having, groups = [], [("bulkforce", command)]
    while groups:
        path, group = groups.pop()
        for inner, one in getattr(group, "commands", {}).items():
            groups.append((f"{path} {inner}", one))
            if any(name in parameter.opts for parameter in one.params):
                having.append(f"`{path} {inner}`")
    if having and name:
        streams.tell(f"bulkforce: {name} is an option of {', '.join(having)}")


if __name__ == "__main__":
    main()
