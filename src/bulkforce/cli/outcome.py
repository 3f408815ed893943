"""How a load or an extract is carried out for the command line: told of while it runs, its report printed, and with
which code it ends.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from typing import Final, NoReturn, TypeVar

import typer

from bulkforce.cli.progress import Standing, telling
from bulkforce.cli.streams import OutputLost, printing, tell
from bulkforce.errors import DoesNotFit, Interrupted, Unsettled

FAILED: Final = 1
CALLED_WRONGLY: Final = 2
FINISHED_WITH_FAILURES: Final = 3
INTERRUPTED: Final = 4
NOBODY_READS: Final = 141
"""What a shell says of a program that is ended because whoever read its output has left."""

Told = TypeVar("Told")
Report = TypeVar("Report")


def carry_out(
    work: Callable[[Callable[[Told], None] | None], Report],
    standing: Callable[[Told], Standing],
    show: Callable[..., int],
    done: Callable[[Report], str],
    *,
    quiet: bool,
    as_json: bool,
) -> NoReturn:
    """Do the work, tell of it, and leave with the code that says how it went.

    Args:
        work: Called with what is to be called with each progress.
        standing: Puts progress into words.
        show: Prints a report, told ``as_json``, and says with which code to leave.
        done: Says in words what is done and where, for when the report cannot be printed.
        quiet: Tell no progress.
        as_json: Print the report as JSON, also that of work which did not come to its end.
    """
    try:
        with telling(standing, quiet=quiet) as teller:
            report = work(teller)
    except (Interrupted, Unsettled) as error:
        if isinstance(error.__cause__, OutputLost) and error.__cause__.reader_left:
            raise error.__cause__ from None
        tell(f"bulkforce: {error}")
        if as_json and error.report is not None:
            with suppress(OutputLost), printing(""):
                show(error.report, as_json=True)
        raise typer.Exit(INTERRUPTED if isinstance(error, Interrupted) else FAILED) from error
    except DoesNotFit as error:
        tell(f"bulkforce: {error.text}")
        for line in error.lines:
            tell(f"bulkforce: - {line}")
        raise typer.Exit(CALLED_WRONGLY) from error
    except KeyboardInterrupt:
        # The second Ctrl-C: leave now, whatever still waits for the network. The journal is enough.
        tell("bulkforce: left at once; `bulkforce runs` lists what can be resumed")
        os._exit(INTERRUPTED)
    with printing(done(report)):
        code = show(report, as_json=as_json)
    raise typer.Exit(code)
