"""The command line's entry point: its commands, and how errors are printed.

A command's module is imported when the command is called. Neither this module nor the top of such a module may import
more than typer and the standard library: each command imports the client, the emulator and rich when it needs them,
which keeps `bulkforce --help` and completion fast.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated, Any, Final

import typer
import typer.main

from bulkforce.cli import logs, streams
from bulkforce.cli.lazily import PLAIN, Commands, Group, Place
from bulkforce.cli.outcome import CALLED_WRONGLY, FAILED, NOBODY_READS, print_error, tell_error
from bulkforce.errors import Error, MissingExtra, UsageError

_PLACES: Final = {
    "demo": Place("demo", "demo", "Load 503 companies into an emulated org and query them back."),
    "login": Place("login", "login", "Log in to an org and store the login."),
    "logout": Place("login", "logout", "Forget a login."),
    "orgs": Place("orgs", "orgs", "List the stored logins, and the orgs of the Salesforce CLI."),
    "whoami": Place("orgs", "whoami", "Show which org and user you are connected as."),
    "limits": Place("orgs", "limits", "Show the org's limits and what is left of them."),
    "check": Place("check", "check", "Check whether a file fits an object; send nothing."),
    "map": Place("map", "map_columns", "Write a first map of columns to fields."),
    "load": Place("load", "load", "Load a file into an object."),
    "extract": Place("extract", "extract", "Extract what a query finds into a file."),
    "query": Place("query", "query", "Show what a query finds."),
    "count": Place("count", "count", "Count the records that a query finds."),
    "resume": Place("load", "resume", "Continue a load or an extract that stopped or died."),
    "retry": Place("following", "retry", "Load the rows again that a load did not load."),
    "undo": Place("following", "undo", "Delete the records that a load created."),
    "runs": Place("load", "runs", "List loads and extracts with their states."),
    "ui": Place("ui", "ui", "Show loads and extracts in the browser, live."),
    "objects": Place("describe", "objects", "List the objects of the org."),
    "describe": Place("describe", "describe", "Show what an object is like, or save it for rehearsals."),
    "jobs": Place("job", "jobs", "Show the jobs of your runs with their states."),
    "verify": Place("verify", "verify", "Try on a scratch org what is not known about the API."),
    "emulator": Place("emulator", "emulator", "Run an emulated org until Ctrl-C."),
    "job": Place("job", "job", "Show, close or abort a job, or print its results."),
    "batch": Place("batch", "batch", "Print a batch's request or result."),
}

_app = typer.Typer(
    name="bulkforce",
    cls=Group,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    **PLAIN,
)


def _print_version(wanted: bool) -> None:  # noqa: FBT001  (typer's form)
    if wanted:
        from importlib.metadata import version

        print(f"bulkforce {version('bulkforce')}")
        raise typer.Exit


@_app.callback()
def bulkforce(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Load records into Salesforce and extract them, through the Bulk API; and run an emulated org to test with.

    To see it at work: bulkforce demo
    """


command: Any = typer.main.get_command(_app)  # typer does not publish its types of commands
logs.add_options(command)
command.commands = Commands(_PLACES, logs.add_options)


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
            print_error(UsageError(streams.without_prefix(told())))
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
