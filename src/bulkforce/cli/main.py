"""The command line's entry: which commands there are, and what an error looks like.

Nothing here, and nothing at the top of a command's module, may import more than typer and the standard library:
`bulkforce --help` answers at once because the client, the emulator and rich are imported by the command that needs
them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated

import typer

from bulkforce.cli import streams
from bulkforce.cli.check import check
from bulkforce.cli.demo import demo
from bulkforce.cli.emulator import emulator
from bulkforce.cli.extract import extract
from bulkforce.cli.job import job
from bulkforce.cli.load import load, resume, runs
from bulkforce.cli.outcome import CALLED_WRONGLY, FAILED, NOBODY_READS
from bulkforce.errors import Error, MissingExtra, UsageError

# No rich help and no rich tracebacks: importing rich for them takes longer than all the rest.
app = typer.Typer(
    name="bulkforce",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
app.command()(demo)
app.command()(check)
app.command()(load)
app.command()(extract)
app.command()(resume)
app.command()(runs)
app.add_typer(job, name="job")
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
        bool, typer.Option("--version", help="Print the version and leave.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Records into and out of Salesforce, over the Bulk API; and an org to rehearse on.

    Begin with: bulkforce demo
    """


def main() -> None:
    """Run the command line.

    Exit codes: 0 all well, 1 failed, 2 called wrongly, 3 finished with failed records, 4 interrupted and resumable, 141
        nobody reads its output any more.
    """
    streams.take_up()
    code = _code_of(app)
    sys.exit(_code_of(streams.flush) or code)


def _code_of(work: Callable[[], object]) -> int:
    try:
        work()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    except streams.OutputLost as lost:
        if lost.reader_left:
            return NOBODY_READS
        streams.tell(f"bulkforce: {lost}")
        return FAILED
    except Error as error:
        streams.tell(f"bulkforce: {error}")
        wrong_call = isinstance(error, UsageError) and not isinstance(error, MissingExtra)
        return CALLED_WRONGLY if wrong_call else FAILED
    return 0


if __name__ == "__main__":
    main()
