"""`bulkforce retry`, `bulkforce undo`: loads that follow a finished one."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bulkforce.cli.choices import AcceptAs, AsJson, MaxApiCalls, Poll, Quiet
from bulkforce.cli.load import carry_out_load
from bulkforce.cli.org import Org, client_for
from bulkforce.cli.streams import tell

if TYPE_CHECKING:
    from bulkforce.client import Client

Run = Annotated[str, typer.Argument(help="The run's id, or its folder.")]
FollowWorkers = Annotated[
    int | None,
    typer.Option("--workers", help="Concurrent uploads and downloads; by default as many as before.", min=1, max=64),
]
RunDir = Annotated[
    Path | None,
    typer.Option(
        "--run-dir",
        help="Folder for the new run; by default a new one in bulkforce-runs.",
        file_okay=False,
        metavar="FOLDER",
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only count rows, batches and API calls; send nothing.")]


def retry(
    *,
    run: Run,
    accept_as: Annotated[
        AcceptAs | None,
        typer.Option(
            help="What to do about rows that the org may or may not have: not-sent sends them, too (any that it has "
            "are duplicated); sent leaves them out."
        ),
    ] = None,
    workers: FollowWorkers = None,
    dry_run: DryRun = False,
    run_dir: RunDir = None,
    poll: Poll = None,
    max_api_calls: MaxApiCalls = None,
    org: Org = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Load the rows again that failed or were not processed in a finished load, as a new run.

    Example: bulkforce retry 20260212-154348-insert-Contact-3f2a

    They go as they went the first time. A run is retried once: if its retry stopped, this goes on with it. To correct
    rows first, edit a copy of failed.csv and load that copy: a run whose failed.csv has changed cannot be retried.
    """
    client = client_for(org, quiet=quiet)
    carry_out_load(
        lambda teller: client.retry(
            run,
            accept_as=accept_as.value if accept_as else None,
            workers=workers,
            run_dir=run_dir,
            dry_run=dry_run,
            poll=poll,
            max_api_calls=max_api_calls,
            on_progress=teller,
        ),
        quiet=quiet,
        as_json=as_json,
    )


def undo(
    *,
    run: Run,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask on a terminal.")] = False,
    workers: FollowWorkers = None,
    dry_run: DryRun = False,
    run_dir: RunDir = None,
    poll: Poll = None,
    max_api_calls: MaxApiCalls = None,
    org: Org = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Delete the records that a finished insert or upsert created, as a new run.

    Example: bulkforce undo 20260212-154348-insert-Contact-3f2a

    On a terminal it asks first. Records that an upsert updated stay as they are. A run is undone once: if its undo
    stopped, this goes on with it.
    """
    client = client_for(org, quiet=quiet)
    if not (yes or dry_run) and sys.stdin.isatty():
        _ask(client, run)
    carry_out_load(
        lambda teller: client.undo(
            run,
            workers=workers,
            run_dir=run_dir,
            dry_run=dry_run,
            poll=poll,
            max_api_calls=max_api_calls,
            on_progress=teller,
        ),
        quiet=quiet,
        as_json=as_json,
    )


def _ask(client: Client, run: str) -> None:
    """Ask whether to delete; end the program if not."""
    from bulkforce.display import counted

    plan = client.undo(run, dry_run=True)
    if not typer.confirm(
        f"Delete {counted(plan.read, f'{plan.object} record')} that {plan.undo_of} created?", err=True
    ):
        tell("bulkforce: nothing was deleted")
        raise typer.Exit(1)
