"""Running a load, extract or check for the command line: its progress, its report and its exit code."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Final, NoReturn, TypeVar

import typer

from bulkforce.cli.streams import OutputLost, flush, printing, tell
from bulkforce.cli.words import in_options
from bulkforce.errors import DoesNotFit, Error, Interrupted, Unsettled

if TYPE_CHECKING:
    from bulkforce.standing import Standing

FAILED: Final = 1
CALLED_WRONGLY: Final = 2
FINISHED_WITH_FAILURES: Final = 3
INTERRUPTED: Final = 4
_OUTPUT: Final = {"--output", "-o"}
NOBODY_READS: Final = 141
"""What a shell reports for a program that SIGPIPE ended, because the reader of its output has gone."""

Told = TypeVar("Told")
Report = TypeVar("Report")


def tell_error(error: Error) -> None:
    """Print an error on stderr: each problem, and the place in a query, on a line of its own."""
    if isinstance(error, DoesNotFit):
        tell(f"bulkforce: {error.text}")
        for line in error.lines:
            tell(f"bulkforce: - {in_options(line)}")
        return
    # All other line ends are those of names and values.
    for line in re.split(r"\n(?=  )", f"bulkforce: {in_options(str(error))}"):
        tell(line)


def print_error(error: Error) -> None:
    """Print an error as JSON, if the command was asked for JSON: where its report would be."""
    words = sys.argv[1:]
    if "--json" not in words:
        return
    facts = {"type": type(error).__name__, **asdict(error.facts), "message": in_options(str(error))}
    if isinstance(error, DoesNotFit):
        facts |= {"message": error.text, "problems": [in_options(line) for line in error.lines]}
    document = json.dumps({"error": {name: value for name, value in facts.items() if value is not None}}, indent=2)
    to_stdout = {"--output=-", "-o-"} & set(words) or ("-" in words[1:] and words[words.index("-") - 1] in _OUTPUT)
    data_goes_out = to_stdout or words[0] == "query"
    with suppress(OutputLost):
        if data_goes_out or sys.stdout is None:
            print(document, file=sys.stderr)
        else:
            print(document)
            flush()


def carry_out(
    work: Callable[[Callable[[Told], None] | None], Report],
    standing: Callable[[Told], Standing],
    show: Callable[..., int],
    done: Callable[[Report], str],
    *,
    quiet: bool,
    as_json: bool,
) -> NoReturn:
    """Do the work, show its progress and report, and exit with the code for its outcome.

    Args:
        work: The work; takes a callback for its progress.
        standing: Puts progress into words.
        show: Prints a report, as JSON if ``as_json``, and returns the exit code.
        done: Says in words what is done and where, in case the report cannot be printed.
        quiet: Show no progress.
        as_json: Print the report as JSON, even of work that stopped early.
    """
    from bulkforce.cli.progress import telling

    try:
        with telling(standing, quiet=quiet) as teller:
            report = work(teller)
    except (Interrupted, Unsettled) as error:
        if isinstance(error.__cause__, OutputLost) and error.__cause__.reader_left:
            raise error.__cause__ from None
        tell_error(error)
        if as_json and error.report is not None:
            with suppress(OutputLost), printing(""):
                show(error.report, as_json=True)
        else:
            print_error(error)
        raise typer.Exit(INTERRUPTED if isinstance(error, Interrupted) else FAILED) from error
    except DoesNotFit as error:
        tell_error(error)
        print_error(error)
        raise typer.Exit(CALLED_WRONGLY) from error
    except KeyboardInterrupt as at_once:
        # The second Ctrl-C: exit now, whatever still waits for the network. The journal is enough to resume from.
        known = ["`bulkforce runs` lists the runs that can be resumed"]
        tell(f"bulkforce: stopped at once. {' '.join(getattr(at_once, '__notes__', known))}")
        os._exit(INTERRUPTED)
    with printing(done(report)):
        code = show(report, as_json=as_json)
    raise typer.Exit(code)
